//! A conversation as lines: what was said on standard output, everything else on standard error.
//! Pure: bytes in memory.

use codex_exec::{
    human::{Human, HumanOptions},
    paint::{Paint, Style},
};
use codex_proto::{
    Event,
    realtime::{RealtimeClosed, RealtimePhase, RealtimeRole},
};
use codex_tui::voice::{VoiceChange, VoicePhase};

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    human: Human,
    paint: Paint,
    /// For standard output.
    pub(super) said: String,
    /// For standard error.
    pub(super) told: String,
}

impl Lines {
    pub(super) fn new(options: HumanOptions) -> Self {
        let paint = options.paint;
        Self { human: Human::new(options), paint, said: String::new(), told: String::new() }
    }

    /// An event of the agent: what it does when work is handed to it.
    pub(super) fn agent(&mut self, event: &Event) {
        self.human.on(event, &mut self.told);
    }

    /// A warning.
    pub(super) fn warn(&mut self, message: &str) {
        self.human.warn(message, &mut self.told);
    }

    /// An error, and what to do about it.
    pub(super) fn error(&mut self, message: &str, hint: Option<&str>) {
        let label = self.paint.text(Style::RedBold, "Error:");
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        self.told.push_str(&format!("{label} {message}{hint}\n"));
    }

    /// A change of the conversation, so many milliseconds after it was asked for.
    pub(super) fn voice(&mut self, change: &VoiceChange, elapsed_ms: u64) {
        let clock = clock(elapsed_ms);
        match change {
            VoiceChange::Said { role, text } => {
                let who = match role {
                    RealtimeRole::Assistant => "codex",
                    RealtimeRole::User => "you",
                };
                // A line each, whatever was said.
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                self.said.push_str(&format!("{clock} {who}: {text}\n"));
            }
            VoiceChange::Phase(VoicePhase::Active) => self.status(
                &clock,
                "connected; speak. Enter mutes, text and Enter is sent, Ctrl-C ends",
            ),
            VoiceChange::Link(RealtimePhase::Connecting) => self.status(&clock, "connecting"),
            VoiceChange::Link(RealtimePhase::Controlled) => self.status(&clock, "session ready"),
            VoiceChange::Link(RealtimePhase::MediaUp) => self.status(&clock, "media up"),
            VoiceChange::Link(RealtimePhase::MediaLost) => {
                self.status(&clock, "nothing comes from the service; waiting for it");
            }
            VoiceChange::Link(RealtimePhase::Closing)
            | VoiceChange::Phase(VoicePhase::Stopping) => {
                self.status(&clock, "ending");
            }
            VoiceChange::Muted(true) => self.status(&clock, "microphone muted (Enter opens it)"),
            VoiceChange::Muted(false) => self.status(&clock, "microphone open"),
            VoiceChange::Notice { message, hint } => {
                let hint = hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
                self.warn(&format!("{message}{hint}"));
            }
            VoiceChange::Failed { message, hint } => self.error(message, hint.as_deref()),
            VoiceChange::Ended(reason) => self.status(
                &clock,
                match reason {
                    RealtimeClosed::Error => "the conversation failed",
                    RealtimeClosed::Replaced => "another conversation took its place",
                    RealtimeClosed::Requested => "the conversation is over",
                    RealtimeClosed::TransportClosed => "the service ended the conversation",
                },
            ),
            VoiceChange::Phase(VoicePhase::Inactive | VoicePhase::Starting)
            | VoiceChange::SpeechStarted => {}
        }
    }

    fn status(&mut self, clock: &str, text: &str) {
        let line = format!("{clock} voice: {text}");
        let line = self.paint.text(Style::Dim, &line);
        if !self.told.ends_with(&format!("{line}\n")) {
            self.told.push_str(&format!("{line}\n"));
        }
    }
}

/// Minutes, seconds and tenths.
fn clock(elapsed_ms: u64) -> String {
    let (minutes, seconds) = (elapsed_ms / 60_000, elapsed_ms / 1_000 % 60);
    format!("{minutes}:{seconds:02}.{}", elapsed_ms / 100 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        Lines::new(HumanOptions {
            paint: Paint::plain(),
            version: "1".into(),
            key: None,
            hide_reasoning: false,
            raw_reasoning: false,
        })
    }

    #[test]
    fn what_is_said_is_one_line_each_on_standard_output() {
        let mut lines = lines();
        let text = "Hello,\n\n  you.".to_owned();
        lines.voice(&VoiceChange::Said { role: RealtimeRole::Assistant, text }, 61_250);
        let text = "Hi.".to_owned();
        lines.voice(&VoiceChange::Said { role: RealtimeRole::User, text }, 62_000);
        assert_eq!(lines.said, "1:01.2 codex: Hello, you.\n1:02.0 you: Hi.\n");
        assert_eq!(lines.told, "");
    }

    #[test]
    fn everything_else_is_told_with_its_hint() {
        let mut lines = lines();
        let hint = Some("plug it in".to_owned());
        let message = "the microphone is gone".to_owned();
        lines.voice(&VoiceChange::Notice { message: message.clone(), hint: hint.clone() }, 0);
        lines.voice(&VoiceChange::Failed { message, hint }, 0);
        lines.voice(&VoiceChange::Link(RealtimePhase::Closing), 900);
        lines.voice(&VoiceChange::Phase(VoicePhase::Stopping), 900);
        lines.voice(&VoiceChange::Ended(RealtimeClosed::Requested), 1_000);
        assert_eq!(
            lines.told,
            "warning: the microphone is gone; plug it in\n\
             Error: the microphone is gone; plug it in\n\
             0:00.9 voice: ending\n0:01.0 voice: the conversation is over\n"
        );
        assert_eq!(lines.said, "");
    }
}
