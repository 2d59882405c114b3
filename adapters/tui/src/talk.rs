//! A conversation by voice on the screen: the row above the composer, what goes into the transcript,
//! and what is asked of the engine. Where it stands is [`crate::voice`]'s.

use codex_proto::{
    Op,
    realtime::{RealtimeClosed, RealtimeEvent, RealtimeRole, RealtimeStart, RealtimeTransport},
};

use crate::{
    cell::Tone,
    desk::Desk,
    text::{Line, clean_line, fit_end},
    theme::Role,
    voice::{VoiceChange, VoicePhase},
};

/// Cells of a level meter.
const METER: usize = 5;
/// A peak that fills it.
const FULL_SCALE: usize = 8_192;

/// Takes an event of the thread's conversation by voice.
pub(crate) fn on_event(event: &RealtimeEvent, desk: &mut Desk) {
    let cx = desk.context();
    for change in desk.voice.on(event) {
        match change {
            VoiceChange::Said { role, text } => desk.transcript.spoken(role, text, &cx),
            VoiceChange::Notice { message, hint } => {
                desk.transcript.notice(Tone::Warning, &message, hint.as_deref(), &cx);
            }
            VoiceChange::Failed { message, hint } => {
                desk.transcript.notice(Tone::Error, &message, hint.as_deref(), &cx);
            }
            VoiceChange::Ended(RealtimeClosed::TransportClosed) => {
                let hint = Some("/voice starts another conversation");
                let text = "the voice service ended the conversation";
                desk.transcript.notice(Tone::Warning, text, hint, &cx);
            }
            VoiceChange::Ended(_) => desk.note("voice has ended"),
            // The row tells these.
            VoiceChange::Link(_)
            | VoiceChange::Muted(_)
            | VoiceChange::Phase(_)
            | VoiceChange::SpeechStarted => {}
        }
    }
}

/// Starts a conversation, or ends the one there is.
pub(crate) fn toggle(desk: &mut Desk) -> Result<(), String> {
    if stop(desk) {
        return Ok(());
    }
    let thread = desk.thread().ok_or("the conversation is still starting")?;
    if desk.voice.start() {
        let transport = match desk.setup.voice_over_socket {
            true => RealtimeTransport::WebSocket,
            false => RealtimeTransport::WebRtc,
        };
        let start = RealtimeStart::new(thread, transport);
        let start = RealtimeStart { muted: desk.voice.is_muted(), ..start };
        desk.op(Op::RealtimeStart(Box::new(start)));
    }
    Ok(())
}

/// Ends the conversation by voice. Whether there was one to end.
pub(crate) fn stop(desk: &mut Desk) -> bool {
    let Some(thread) = desk.thread() else { return false };
    let was_live = desk.voice.stop();
    if was_live {
        desk.op(Op::RealtimeStop { thread });
    }
    was_live
}

/// Mutes or opens the microphone. Whether there is a conversation.
pub(crate) fn mute(desk: &mut Desk) -> bool {
    let (Some(thread), true) = (desk.thread(), is_live(desk)) else { return false };
    let muted = desk.voice.toggle_mute();
    desk.op(Op::RealtimeMute { thread, muted });
    true
}

/// Whether one is being made or goes on.
pub(crate) fn is_live(desk: &Desk) -> bool {
    matches!(desk.voice.phase(), VoicePhase::Active | VoicePhase::Starting)
}

/// The rows above the composer while it lives: how it stands, and what is being said.
pub(crate) fn lines(desk: &Desk, columns: u16) -> Vec<Line> {
    let Some(status) = desk.voice.status() else { return Vec::new() };
    let look = &desk.look;
    let dim = look.style(Role::Dim);
    let mut line = Line::styled("voice ", look.style(Role::Accent));
    line.push(status.as_str(), look.style(Role::Plain));
    // What ends it is kept when there is little room.
    let mute = if desk.voice.is_muted() { "unmutes" } else { "mutes" };
    line.push(format!(" \u{b7} Ctrl-C ends \u{b7} Ctrl-X {mute}"), dim);
    if desk.voice.phase() == VoicePhase::Active {
        let (microphone, speaker) = desk.voice.levels();
        line.push(format!("  you {}  codex {}", meter(microphone), meter(speaker)), dim);
    }
    let mut lines = vec![line];
    if let Some((role, text)) = desk.voice.caption() {
        let who = match role {
            RealtimeRole::Assistant => "codex: ",
            RealtimeRole::User => "you: ",
        };
        // The end of what is being said is what is being heard.
        let text = clean_line(text);
        let room = usize::from(columns).saturating_sub(who.len());
        let end = fit_end(&text, room);
        lines.insert(0, Line::styled(who, dim).with(end, look.style(Role::Plain)));
    }
    lines
}

/// A peak as a bar of characters that every font has.
fn meter(peak: u16) -> String {
    let filled = (usize::from(peak) * METER).div_ceil(FULL_SCALE).min(METER);
    format!("[{}{}]", "=".repeat(filled), " ".repeat(METER - filled))
}
