//! Colours for standard error, or none.

use std::{borrow::Cow, ffi::OsStr};

use crate::args::ColorArg;

/// Wraps text into terminal styles when colours are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    is_on: bool,
}

/// The styles in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Labels.
    Bold,
    /// What the user said.
    Cyan,
    /// What matters less.
    Dim,
    /// Success.
    Green,
    /// Explanations.
    Italic,
    /// What the model said.
    MagentaItalic,
    /// Failure.
    Red,
    /// `ERROR:`.
    RedBold,
    /// `warning:`.
    YellowBold,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Cyan => "36",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Italic => "3",
            Self::MagentaItalic => "35;3",
            Self::Red => "31",
            Self::RedBold => "31;1",
            Self::YellowBold => "33;1",
        }
    }
}

impl Paint {
    /// Decides from `--color`, whether standard error is a terminal, and the environment:
    /// `NO_COLOR` (not empty) and `TERM=dumb` turn automatic colours off.
    #[must_use]
    pub fn choose(
        color: ColorArg,
        is_terminal: bool,
        no_color: Option<&OsStr>,
        term: Option<&OsStr>,
    ) -> Self {
        let is_on = match color {
            ColorArg::Always => true,
            ColorArg::Auto => {
                is_terminal
                    && no_color.is_none_or(OsStr::is_empty)
                    && term.is_none_or(|term| term != "dumb")
            }
            ColorArg::Never => false,
        };
        Self { is_on }
    }

    /// Decides for this process.
    #[must_use]
    pub fn of_process(color: ColorArg) -> Self {
        let (no_color, term) = (std::env::var_os("NO_COLOR"), std::env::var_os("TERM"));
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self::choose(color, is_terminal, no_color.as_deref(), term.as_deref())
    }

    /// No colours.
    #[must_use]
    pub fn plain() -> Self {
        Self { is_on: false }
    }

    /// Wraps one line, or leaves it alone.
    #[must_use]
    pub fn text<'t>(self, style: Style, text: &'t str) -> Cow<'t, str> {
        if self.is_on && !text.is_empty() {
            Cow::Owned(format!("\x1b[{}m{text}\x1b[0m", style.code()))
        } else {
            Cow::Borrowed(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_automatic_only_where_they_are_wanted() {
        let on = |color, tty, no_color: Option<&str>, term: Option<&str>| {
            Paint::choose(color, tty, no_color.map(OsStr::new), term.map(OsStr::new)).is_on
        };
        assert!(on(ColorArg::Auto, true, None, Some("xterm")));
        assert!(on(ColorArg::Auto, true, Some(""), None));
        assert!(!on(ColorArg::Auto, true, Some("1"), None));
        assert!(!on(ColorArg::Auto, true, None, Some("dumb")));
        assert!(!on(ColorArg::Auto, false, None, None));
        assert!(on(ColorArg::Always, false, Some("1"), Some("dumb")));
        assert!(!on(ColorArg::Never, true, None, None));
    }
}
