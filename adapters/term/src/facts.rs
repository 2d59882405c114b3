//! What is known of a terminal before anything is asked of it: the environment's word.

use codex_tui::{
    setup::{Colors, NotifyMethod, Terminal},
    theme::Background,
};

/// Why the screen cannot be shown at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// `TERM` says that it can do nothing.
    Dumb,
}

/// What the environment says; `variable` looks one up.
pub fn facts(variable: impl Fn(&str) -> Option<String>) -> (Terminal, Option<Unfit>) {
    let get = |name: &str| variable(name).filter(|value| !value.is_empty());
    let term = get("TERM").unwrap_or_default();
    let program = get("TERM_PROGRAM").unwrap_or_default().to_ascii_lowercase();
    let is_dumb = term.is_empty() || term == "dumb";
    let is_console = term == "linux";
    let tmux = get("TMUX").is_some();
    let is_screen = get("STY").is_some();
    let is_wsl = get("WT_SESSION").is_some() && get("WSL_DISTRO_NAME").is_some();
    let true_color = matches!(get("COLORTERM").as_deref(), Some("truecolor" | "24bit"))
        || get("WT_SESSION").is_some();
    let colors = if get("NO_COLOR").is_some() || is_dumb {
        Colors::None
    } else if true_color {
        Colors::True
    } else if term.contains("256color") || term.contains("kitty") || term.contains("direct") {
        Colors::Indexed
    } else {
        Colors::Sixteen
    };
    let speaks_osc9 = ["ghostty", "iterm.app", "kitty", "warpterminal", "wezterm"]
        .contains(&&*program)
        || term.contains("kitty")
        || term.contains("ghostty");
    let notify = if is_wsl {
        NotifyMethod::Toast
    } else if speaks_osc9 {
        NotifyMethod::Osc9
    } else if term.starts_with("rxvt") || term.starts_with("foot") {
        NotifyMethod::Osc777
    } else {
        NotifyMethod::Bell
    };
    // xterm itself cuts rows off; nearly everything newer wraps them anew.
    let is_plain_xterm = get("XTERM_VERSION").is_some() && get("VTE_VERSION").is_none();
    let reflow = !is_console && !is_plain_xterm && !is_screen && !term.starts_with("rxvt");
    let background = get("COLORFGBG").and_then(|value| {
        let number: u8 = value.rsplit(';').next()?.parse().ok()?;
        match number {
            7 | 9..=15 => Some(Background::Light),
            0..=6 | 8 => Some(Background::Dark),
            _ => None,
        }
    });
    let terminal = Terminal {
        colors,
        background,
        hyperlinks: !is_console && !is_screen && !is_dumb,
        reflow,
        tmux,
        notify,
        focus_events: !is_console && !is_screen && !is_dumb,
    };
    (terminal, is_dumb.then_some(Unfit::Dumb))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> (Terminal, Option<Unfit>) {
        facts(|name| {
            variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_tells_what_a_terminal_can_do() {
        let (xterm, unfit) = of(&[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")]);
        assert_eq!((xterm.colors, xterm.reflow, unfit), (Colors::Indexed, false, None));
        assert_eq!(xterm.notify, NotifyMethod::Bell);
        let (kitty, _) = of(&[("TERM", "xterm-kitty"), ("COLORTERM", "truecolor")]);
        assert_eq!((kitty.colors, kitty.notify), (Colors::True, NotifyMethod::Osc9));
        let (tmux, _) = of(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x")]);
        assert!(tmux.tmux && tmux.reflow);
        let (wsl, _) = of(&[("TERM", "xterm"), ("WT_SESSION", "1"), ("WSL_DISTRO_NAME", "Debian")]);
        assert_eq!(wsl.notify, NotifyMethod::Toast);
        let (console, _) = of(&[("TERM", "linux"), ("COLORFGBG", "0;15")]);
        assert!(!console.hyperlinks && !console.focus_events);
        assert_eq!(console.background, Some(Background::Light));
        let (none, _) = of(&[("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert_eq!(none.colors, Colors::None);
        assert_eq!(of(&[("TERM", "dumb")]).1, Some(Unfit::Dumb));
        assert_eq!(of(&[]).1, Some(Unfit::Dumb));
    }
}
