//! What the model is told of a command: its output so far, and how it stands.

use codex_proto::item::ToolCall;

use super::{command::Ended, run::Waiting};
use crate::{machine::Cx, models::BYTES_PER_TOKEN, thread::shared::Shared};

pub(super) fn answer(
    call: &ToolCall,
    waiting: &Waiting,
    shared: &mut Shared,
    cx: &mut Cx<'_>,
) -> String {
    if is_shell(call) {
        shell_answer(waiting, shared, cx)
    } else {
        session_answer(waiting, shared, cx)
    }
}

/// The answer of `exec_command` and `write_stdin`.
pub(super) fn session_answer(waiting: &Waiting, shared: &mut Shared, cx: &mut Cx<'_>) -> String {
    let Some(command) = shared.commands.get_mut(waiting.command) else {
        return crate::rollout::resume::ABORTED.into();
    };
    let seconds = cx.now.mono.secs_since(waiting.since);
    let unread = command.take_unread();
    let mut text =
        format!("Chunk ID: {:06x}\nWall time: {seconds:.4} seconds\n", cx.rng.below(1 << 24));
    let spool = command.spool();
    let ended = match command.ended() {
        Some(Ended::Exited(exit)) => {
            text.push_str(&format!("Process exited with code {}\n", exit.code));
            true
        }
        Some(Ended::Failed(error)) => {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            text = format!("exec_command failed: {error}{hint}");
            shared.commands.remove(waiting.command);
            return text;
        }
        None => {
            text.push_str(&format!("Process running with session ID {}\n", waiting.command));
            command.go_to_background();
            false
        }
    };
    let tokens = unread.total().div_ceil(BYTES_PER_TOKEN as u64);
    text.push_str(&format!("Original token count: {tokens}\nOutput:\n"));
    text.push_str(&unread.render(waiting.output_bytes, spool.as_deref()));
    if ended {
        shared.commands.remove(waiting.command);
    }
    text
}

/// The answer of `shell` and `shell_command`.
fn shell_answer(waiting: &Waiting, shared: &mut Shared, cx: &mut Cx<'_>) -> String {
    let Some(command) = shared.commands.get_mut(waiting.command) else {
        return crate::rollout::resume::ABORTED.into();
    };
    let seconds = (cx.now.mono.secs_since(waiting.since) * 10.0).round() / 10.0;
    let unread = command.take_unread();
    let spool = command.spool();
    let code = match command.ended() {
        Some(Ended::Exited(_)) if command.timed_out() => super::command::TIMED_OUT_CODE,
        Some(Ended::Exited(exit)) => exit.code,
        Some(Ended::Failed(error)) => {
            let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let text = format!("shell failed: {error}{hint}");
            shared.commands.remove(waiting.command);
            return text;
        }
        None => -1,
    };
    let mut text = format!("Exit code: {code}\nWall time: {seconds} seconds\nOutput:\n");
    if command.timed_out() {
        let ms = cx.now.mono.ms_since(waiting.since);
        text.push_str(&format!("command timed out after {ms} milliseconds\n"));
    }
    text.push_str(&unread.render(waiting.output_bytes, spool.as_deref()));
    shared.commands.remove(waiting.command);
    text
}

/// Whether the model asked by the older tools, which have answers of their own form.
pub(super) fn is_shell(call: &ToolCall) -> bool {
    matches!(call.name.as_str(), "container.exec" | "local_shell" | "shell" | "shell_command")
}
