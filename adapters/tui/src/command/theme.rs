//! `/theme [NAME|dark|light]`.

use super::Command;
use crate::{
    desk::Desk,
    popup::{ThemePicker, theme},
    text::clean_line,
    theme::{Background, THEMES},
};

pub(super) const THEME: Command = Command {
    name: "theme",
    aliases: &["themes", "colors", "colours"],
    about: "choose the colours",
    arguments: "[NAME|dark|light]",
    run,
    ..Command::BASE
};

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    let background = match arguments {
        "" => {
            ThemePicker::open(desk);
            return Ok(());
        }
        "dark" => Some(Background::Dark),
        "light" => Some(Background::Light),
        _ => None,
    };
    if let Some(background) = background {
        desk.look = desk.look.on(background);
        desk.note(format!("colours for a {arguments} background, until the end of this run"));
        return Ok(());
    }
    let Some(theme) = THEMES.iter().find(|theme| theme.name == arguments) else {
        let names: Vec<_> = THEMES.iter().map(|theme| theme.name).collect();
        let (given, names) = (clean_line(arguments), names.join(", "));
        return Err(format!("`{given}` is none of {names}, dark, light"));
    };
    theme::set(desk, theme);
    Ok(())
}
