//! `/stop [ID]`.

use codex_proto::CommandId;

use super::Command;
use crate::{desk::Desk, popup::terminals, text::clean_line};

pub(super) const STOP: Command = Command {
    name: "stop",
    aliases: &["clean", "kill"],
    about: "stop commands that run in the background",
    arguments: "[ID]",
    run,
    ..Command::BASE
};

fn run(desk: &mut Desk, arguments: &str) -> Result<(), String> {
    let running = desk.session.commands.len();
    if running == 0 {
        return Err("no command runs in the background".into());
    }
    if arguments.is_empty() {
        terminals::stop(desk, None);
        desk.note(format!("stopping {running} of {running}"));
        return Ok(());
    }
    let id = arguments.parse().ok().map(CommandId);
    let Some(id) = id.filter(|id| desk.session.commands.iter().any(|have| have.id == *id)) else {
        let ids = desk.session.commands.iter().map(|have| have.id.to_string());
        let (given, ids) = (clean_line(arguments), ids.collect::<Vec<_>>().join(", "));
        return Err(format!("`{given}` does not run; what runs: {ids}"));
    };
    terminals::stop(desk, Some(id));
    desk.note(format!("stopping {id}"));
    Ok(())
}
