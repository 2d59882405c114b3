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

    /// Of xterm, as it comes.
    fn shown(color: Color) -> (u8, u8, u8) {
        match color {
            Color::Blue => (0, 0, 238),
            Color::DarkGray => (127, 127, 127),
            Color::LightCyan => (0, 255, 255),
            Color::LightGreen => (0, 255, 0),
            Color::LightMagenta => (255, 0, 255),
            Color::LightRed => (255, 0, 0),
            Color::LightYellow => (255, 255, 0),
            Color::Magenta => (205, 0, 205),
            Color::Red => (205, 0, 0),
            Color::Rgb(red, green, blue) => (red, green, blue),
            Color::Indexed(index) => {
                let cube = usize::from(index) - 16;
                (LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6])
            }
            other => panic!("{other:?} has no place in a theme"),
        }
    }

    #[test]
    fn every_role_can_be_read_on_its_background() {
        let backgrounds = [(Background::Dark, (0, 0, 0)), (Background::Light, (255, 255, 255))];
        let mut pairs = 0;
        for theme in &THEMES {
            for (background, (red, green, blue)) in backgrounds {
                for colors in [Colors::Sixteen, Colors::Indexed, Colors::True] {
                    let look = Look::new(Some(theme.name), background, colors);
                    for role in Role::ALL {
                        let Some(color) = look.style(role).fg else { continue };
                        let (r, g, b) = shown(color);
                        let (one, two) = (luminance(r, g, b), luminance(red, green, blue));
                        let ratio = (one.max(two) + 0.05) / (one.min(two) + 0.05);
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
