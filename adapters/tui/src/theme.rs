//! Colours by role. What a thing means is never told by colour alone.
//!
//! Each theme has a form for dark and one for light backgrounds; each text role has a contrast of at
//! least 4.5:1 on its background, counted with the palette of xterm for the 16 colours.

use ratatui::style::{Color, Modifier, Style};

use crate::setup::Colors;

/// The terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Light text on it.
    #[default]
    Dark,
    /// Dark text on it.
    Light,
}

impl Background {
    /// Judges a colour of 8 bits each.
    #[must_use]
    pub fn of(red: u8, green: u8, blue: u8) -> Self {
        if luminance(red, green, blue) > 0.18 { Self::Light } else { Self::Dark }
    }
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What the user said, marks and keys that can be pressed.
    Accent,
    /// A line that a change adds.
    Added,
    /// The part of an added line that differs.
    AddedWord,
    /// What failed.
    Bad,
    /// Code within prose.
    Code,
    /// Comments in code.
    Comment,
    /// What matters less.
    Dim,
    /// Emphasis in prose.
    Emphasis,
    /// Names of functions in code.
    Function,
    /// What went well.
    Good,
    /// Headings in prose.
    Heading,
    /// Keywords in code.
    Keyword,
    /// Links.
    Link,
    /// Numbers and constants in code.
    Number,
    /// Everything else.
    Plain,
    /// A line that a change removes.
    Removed,
    /// The part of a removed line that differs.
    RemovedWord,
    /// The chosen entry of a list, text that a search found.
    Selected,
    /// Strings in code.
    String,
    /// What matters more.
    Strong,
    /// Types in code.
    Type,
    /// What needs attention.
    Warn,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Accent,
        Self::Added,
        Self::AddedWord,
        Self::Bad,
        Self::Code,
        Self::Comment,
        Self::Dim,
        Self::Emphasis,
        Self::Function,
        Self::Good,
        Self::Heading,
        Self::Keyword,
        Self::Link,
        Self::Number,
        Self::Plain,
        Self::Removed,
        Self::RemovedWord,
        Self::Selected,
        Self::String,
        Self::Strong,
        Self::Type,
        Self::Warn,
    ];

    /// What is told by form, whatever the colours.
    fn modifier(self) -> Modifier {
        match self {
            Self::AddedWord | Self::RemovedWord => Modifier::UNDERLINED,
            Self::Bad | Self::Heading | Self::Strong | Self::Warn => Modifier::BOLD,
            Self::Emphasis | Self::Comment => Modifier::ITALIC,
            Self::Link => Modifier::UNDERLINED,
            Self::Selected => Modifier::REVERSED,
            _ => Modifier::empty(),
        }
    }
}

/// The hues of a theme in one of its two forms; `None` is the terminal's own foreground.
#[derive(Clone, Copy, Debug)]
struct Hues {
    accent: Hue,
    good: Hue,
    bad: Hue,
    warn: Hue,
    dim: Hue,
    code: Hue,
    keyword: Hue,
    string: Hue,
    number: Hue,
    function: Hue,
    types: Hue,
}

type Hue = Option<Color>;

impl Hues {
    fn of(&self, role: Role) -> Hue {
        match role {
            Role::Accent | Role::Heading | Role::Link => self.accent,
            Role::Added | Role::AddedWord | Role::Good => self.good,
            Role::Bad | Role::Removed | Role::RemovedWord => self.bad,
            Role::Code => self.code,
            Role::Comment | Role::Dim => self.dim,
            Role::Function => self.function,
            Role::Keyword => self.keyword,
            Role::Number => self.number,
            Role::String => self.string,
            Role::Type => self.types,
            Role::Warn => self.warn,
            Role::Emphasis | Role::Plain | Role::Selected | Role::Strong => None,
        }
    }
}

const fn rgb(hex: u32) -> Hue {
    let [_, red, green, blue] = hex.to_be_bytes();
    Some(Color::Rgb(red, green, blue))
}

/// A theme: its name, and its hues on dark and on light.
#[derive(Debug)]
pub struct Theme {
    /// As in `tui.theme`.
    pub name: &'static str,
    /// A few words.
    pub about: &'static str,
    dark: Hues,
    light: Hues,
}

const TERMINAL_DARK: Hues = Hues {
    accent: Some(Color::LightCyan),
    good: Some(Color::LightGreen),
    bad: Some(Color::LightRed),
    warn: Some(Color::LightYellow),
    dim: Some(Color::DarkGray),
    code: Some(Color::LightCyan),
    keyword: Some(Color::LightMagenta),
    string: Some(Color::LightGreen),
    number: Some(Color::LightYellow),
    function: Some(Color::LightCyan),
    types: Some(Color::LightYellow),
};

// Green, cyan and yellow cannot be read on white with most palettes.
const TERMINAL_LIGHT: Hues = Hues {
    accent: Some(Color::Blue),
    good: Some(Color::Blue),
    bad: Some(Color::Red),
    warn: Some(Color::Magenta),
    dim: None,
    code: Some(Color::Blue),
    keyword: Some(Color::Magenta),
    string: Some(Color::Blue),
    number: Some(Color::Red),
    function: None,
    types: None,
};

const NO_HUES: Hues = Hues {
    accent: None,
    good: None,
    bad: None,
    warn: None,
    dim: None,
    code: None,
    keyword: None,
    string: None,
    number: None,
    function: None,
    types: None,
};

/// All themes; the first is the default.
pub const THEMES: [Theme; 4] = [
    Theme {
        name: "terminal",
        about: "the 16 colours of your terminal",
        dark: TERMINAL_DARK,
        light: TERMINAL_LIGHT,
    },
    Theme {
        name: "meadow",
        about: "soft greens and blues",
        dark: Hues {
            accent: rgb(0x7c_c4_f0),
            good: rgb(0x8f_cf_8a),
            bad: rgb(0xf2_8b_82),
            warn: rgb(0xe8_c0_6a),
            dim: rgb(0x9a_a0_a6),
            code: rgb(0x8a_d0_c8),
            keyword: rgb(0xc8_a6_f0),
            string: rgb(0x9c_d0_8a),
            number: rgb(0xf0_b4_7c),
            function: rgb(0x7c_c4_f0),
            types: rgb(0xe8_c8_7a),
        },
        light: Hues {
            accent: rgb(0x0b_5c_9e),
            good: rgb(0x1a_6b_2c),
            bad: rgb(0xb3_1d_1d),
            warn: rgb(0x8a_52_00),
            dim: rgb(0x5f_63_68),
            code: rgb(0x0b_66_60),
            keyword: rgb(0x7a_2e_a8),
            string: rgb(0x1f_6b_1f),
            number: rgb(0x9a_45_00),
            function: rgb(0x0b_5c_9e),
            types: rgb(0x7a_5a_00),
        },
    },
    Theme {
        name: "ember",
        about: "warm colours",
        dark: Hues {
            accent: rgb(0xff_b0_6b),
            good: rgb(0xb8_cc_6a),
            bad: rgb(0xff_82_70),
            warn: rgb(0xff_d0_70),
            dim: rgb(0xa8_9c_90),
            code: rgb(0xf0_c8_a0),
            keyword: rgb(0xff_9a_8a),
            string: rgb(0xc8_cc_7a),
            number: rgb(0xe0_a8_e0),
            function: rgb(0xff_c8_7a),
            types: rgb(0x9a_cc_c0),
        },
        light: Hues {
            accent: rgb(0x9a_40_00),
            good: rgb(0x4e_60_00),
            bad: rgb(0xb0_1c_10),
            warn: rgb(0x8a_50_00),
            dim: rgb(0x6a_5e_54),
            code: rgb(0x7a_44_10),
            keyword: rgb(0xa8_2a_1c),
            string: rgb(0x50_5c_00),
            number: rgb(0x86_2a_86),
            function: rgb(0x8a_4a_00),
            types: rgb(0x1c_62_58),
        },
    },
    Theme { name: "mono", about: "no colours", dark: NO_HUES, light: NO_HUES },
];

/// A theme as it is shown on this terminal.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    theme: &'static Theme,
    background: Background,
    colors: Colors,
}

impl PartialEq for Look {
    fn eq(&self, other: &Self) -> bool {
        (self.theme.name, self.background, self.colors)
            == (other.theme.name, other.background, other.colors)
    }
}

impl Look {
    /// A theme by its name; an unknown name takes the default.
    #[must_use]
    pub fn new(theme: Option<&str>, background: Background, colors: Colors) -> Self {
        let found = THEMES.iter().find(|known| Some(known.name) == theme);
        Self { theme: found.unwrap_or(&THEMES[0]), background, colors }
    }

    /// Which theme.
    #[must_use]
    pub fn theme(&self) -> &'static Theme {
        self.theme
    }

    /// The same on another background.
    #[must_use]
    pub fn on(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// Another theme on the same terminal.
    #[must_use]
    pub fn with(self, theme: &'static Theme) -> Self {
        Self { theme, ..self }
    }

    /// Whether anything but form is shown.
    #[must_use]
    pub fn has_colors(&self) -> bool {
        self.colors != Colors::None && self.theme.name != "mono"
    }

    /// The style of a role.
    #[must_use]
    pub fn style(&self, role: Role) -> Style {
        let style = Style::new().add_modifier(role.modifier());
        if self.colors == Colors::None {
            return style;
        }
        let hues = |theme: &'static Theme| match self.background {
            Background::Dark => &theme.dark,
            Background::Light => &theme.light,
        };
        let color = match (hues(self.theme).of(role), self.colors) {
            (Some(Color::Rgb(red, green, blue)), Colors::Indexed) => {
                Some(Color::Indexed(nearest(red, green, blue)))
            }
            (Some(Color::Rgb(..)), Colors::Sixteen) => hues(&THEMES[0]).of(role),
            (hue, _) => hue,
        };
        color.map_or(style, |color| style.fg(color))
    }
}

impl Look {
    /// A style that a program gave its text, as it can be shown here and read: with the colours that
    /// the terminal has, and without those that would hide the text.
    pub(crate) fn foreign(&self, foreign: Foreign) -> Style {
        let style = Style::new().add_modifier(foreign.form);
        if !self.has_colors() {
            return style;
        }
        let (fg, bg) = (foreign.fg.map(|c| self.had(c)), foreign.bg.map(|c| self.had(c)));
        let ground = match self.background {
            Background::Dark => (0, 0, 0),
            Background::Light => (255, 255, 255),
        };
        let of = |color: Option<Color>, default| color.map_or(default, palette);
        let is_hidden = match (fg, bg) {
            (Some(_), _) => contrast(of(fg, ground), of(bg, ground)) < CONTRAST_MIN,
            // The terminal's own text, on what the program chose.
            (None, Some(_)) => {
                let (red, green, blue) = ground;
                contrast((255 - red, 255 - green, 255 - blue), of(bg, ground)) < CONTRAST_MIN
            }
            (None, None) => false,
        };
        let (fg, bg) = if is_hidden { (None, None) } else { (fg, bg) };
        Style { fg, bg, ..style }
    }

    /// A colour as the terminal has it, or the nearest one. The first 16 are always its own.
    fn had(&self, color: Color) -> Color {
        let (red, green, blue) = match color {
            Color::Indexed(index) if index < 16 => return SIXTEEN[usize::from(index)].0,
            Color::Indexed(_) if self.colors >= Colors::Indexed => return color,
            Color::Rgb(..) if self.colors == Colors::True => return color,
            Color::Rgb(red, green, blue) if self.colors == Colors::Indexed => {
                return Color::Indexed(nearest(red, green, blue));
            }
            color => palette(color),
        };
        let far = |(_, (r, g, b)): &&(Color, (u8, u8, u8))| {
            let square = |one: u8, two: u8| u32::from(one.abs_diff(two)).pow(2);
            square(*r, red) + square(*g, green) + square(*b, blue)
        };
        SIXTEEN.iter().min_by_key(far).map_or(color, |(color, _)| *color)
    }
}

/// A style as a program asks for it: colours by number ([`Color::Indexed`]) or by their parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) fg: Option<Color>,
    pub(crate) bg: Option<Color>,
    pub(crate) form: Modifier,
}

/// Contrast below which foreign text counts as hidden.
const CONTRAST_MIN: f64 = 1.5;

/// The 16 colours in the order of their numbers, as xterm shows them.
const SIXTEEN: [(Color, (u8, u8, u8)); 16] = [
    (Color::Black, (0, 0, 0)),
    (Color::Red, (205, 0, 0)),
    (Color::Green, (0, 205, 0)),
    (Color::Yellow, (205, 205, 0)),
    (Color::Blue, (0, 0, 238)),
    (Color::Magenta, (205, 0, 205)),
    (Color::Cyan, (0, 205, 205)),
    (Color::Gray, (229, 229, 229)),
    (Color::DarkGray, (127, 127, 127)),
    (Color::LightRed, (255, 0, 0)),
    (Color::LightGreen, (0, 255, 0)),
    (Color::LightYellow, (255, 255, 0)),
    (Color::LightBlue, (92, 92, 255)),
    (Color::LightMagenta, (255, 0, 255)),
    (Color::LightCyan, (0, 255, 255)),
    (Color::White, (255, 255, 255)),
];

/// What a colour looks like, with the palette of xterm.
fn palette(color: Color) -> (u8, u8, u8) {
    match color {
        Color::Rgb(red, green, blue) => (red, green, blue),
        Color::Indexed(index @ 232..) => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
        Color::Indexed(index @ 16..) => {
            let cube = usize::from(index - 16);
            (LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6])
        }
        Color::Indexed(index) => SIXTEEN[usize::from(index)].1,
        named => SIXTEEN.iter().find(|(have, _)| *have == named).map_or((0, 0, 0), |(_, c)| *c),
    }
}

/// The contrast of two colours, 1 to 21. Spec: WCAG 2.2.
fn contrast(one: (u8, u8, u8), two: (u8, u8, u8)) -> f64 {
    let of = |(red, green, blue)| luminance(red, green, blue);
    let (one, two) = (of(one), of(two));
    (one.max(two) + 0.05) / (one.min(two) + 0.05)
}

/// The nearest of the 6×6×6 colours of a terminal with 256.
fn nearest(red: u8, green: u8, blue: u8) -> u8 {
    let level = |value: u8| LEVELS.iter().enumerate().min_by_key(|(_, l)| l.abs_diff(value));
    let index = |value| level(value).map_or(0, |(index, _)| index);
    let cube = 16 + 36 * index(red) + 6 * index(green) + index(blue);
    u8::try_from(cube).unwrap_or(15)
}

const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// Relative luminance, 0 to 1. Spec: WCAG 2.2.
fn luminance(red: u8, green: u8, blue: u8) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_can_be_read_on_its_background() {
        let backgrounds = [(Background::Dark, (0, 0, 0)), (Background::Light, (255, 255, 255))];
        let mut pairs = 0;
        for theme in &THEMES {
            for (background, ground) in backgrounds {
                for colors in [Colors::Sixteen, Colors::Indexed, Colors::True] {
                    let look = Look::new(Some(theme.name), background, colors);
                    for role in Role::ALL {
                        let Some(color) = look.style(role).fg else { continue };
                        let ratio = contrast(palette(color), ground);
                        let name = theme.name;
                        assert!(ratio >= 4.5, "{name} {background:?} {role:?}: {ratio:.2}");
                        pairs += 1;
                    }
                }
            }
        }
        assert!(pairs > 200, "{pairs}");
    }

    #[test]
    fn without_colours_the_form_remains() {
        let look = Look::new(None, Background::Dark, Colors::None);
        for role in Role::ALL {
            assert_eq!(look.style(role).fg, None);
        }
        let bad = look.style(Role::Bad);
        assert_ne!(bad, look.style(Role::Plain));
        assert!(!look.has_colors());
    }

    #[test]
    fn backgrounds_are_told_apart() {
        assert_eq!(Background::of(255, 255, 255), Background::Light);
        assert_eq!(Background::of(253, 246, 227), Background::Light);
        assert_eq!(Background::of(0, 43, 54), Background::Dark);
        assert_eq!(Background::of(40, 40, 40), Background::Dark);
    }
}
