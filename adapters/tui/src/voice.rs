//! A conversation by voice as a front end sees it: where it stands, what is muted, how loud it is, and
//! the transcript. A fold over [`RealtimeEvent`]s and what the user asked for; `/voice` draws it,
//! `codex voice` prints it.
//!
//! ```text
//! state     on                                       next
//! Inactive  the user starts                          Starting
//! Starting  Started and media up, in either order    Active
//!           Error without Started                    Inactive
//!           the user stops                           Stopping
//! Active    the user stops, or Phase(Closing)        Stopping
//! any       Closed                                   Inactive
//! ```
//!
//! Events of an earlier attempt change nothing: what a conversation that is over still says does not
//! belong to the one that runs.

use std::collections::VecDeque;

use codex_proto::{
    effect::AudioDevice,
    realtime::{RealtimeClosed, RealtimeEvent, RealtimeNews, RealtimePhase, RealtimeRole},
};

/// Utterances that are not finished; the oldest is finished early.
const OPEN_MAX: usize = 32;

/// Bytes of an utterance; more is left out at its start.
const UTTERANCE_BYTES_MAX: usize = 64 << 10;

/// Ids of finished utterances that are remembered, so that a late change does not print them twice.
const FINISHED_MAX: usize = 64;

/// A peak above this is speech to the eye.
const AUDIBLE: u16 = 1_000;

/// Where a conversation stands for its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoicePhase {
    /// There is none.
    #[default]
    Inactive,
    /// Asked for; not yet heard.
    Starting,
    /// Both sides are heard.
    Active,
    /// Asked to end.
    Stopping,
}

/// What a status line says of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceStatus {
    /// It is being made.
    Connecting,
    /// Nothing comes from the service.
    Lost,
    /// The microphone is muted.
    Muted,
    /// The model speaks.
    Speaking,
    /// The person speaks.
    Heard,
    /// Nobody speaks.
    Listening,
    /// It is being ended.
    Stopping,
}

impl VoiceStatus {
    /// The word of a status line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Lost => "connection lost",
            Self::Muted => "muted",
            Self::Speaking => "speaking",
            Self::Heard => "heard",
            Self::Listening => "listening",
            Self::Stopping => "stopping",
        }
    }
}

/// What changed with an event, for front ends that print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceChange {
    /// A device cannot be used, or audio was lost; the conversation goes on.
    Notice {
        /// One sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// It has ended.
    Ended(RealtimeClosed),
    /// Something failed. Whether the conversation ends is told by `Ended` or the phase.
    Failed {
        /// One sentence.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The connection changed.
    Link(RealtimePhase),
    /// The microphone was muted or opened.
    Muted(bool),
    /// The phase changed.
    Phase(VoicePhase),
    /// An utterance is finished, or the conversation has ended within it.
    Said {
        /// Who spoke.
        role: RealtimeRole,
        /// The words.
        text: String,
    },
    /// The person began to speak: what the model says is interrupted.
    SpeechStarted,
}

/// Words that are being spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Utterance {
    role: RealtimeRole,
    item: String,
    text: String,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoiceState {
    phase: VoicePhase,
    /// The attempt that counts: the newest that was started.
    attempt: u32,
    is_started: bool,
    link: Option<RealtimePhase>,
    is_media_up: bool,
    is_muted: bool,
    levels: (u16, u16),
    open: Vec<Utterance>,
    finished: VecDeque<String>,
}

impl VoiceState {
    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> VoicePhase {
        self.phase
    }

    /// Whether the microphone is muted, or will be when it is opened.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.is_muted
    }

    /// Peaks of microphone and speaker, `0..=32767`.
    #[must_use]
    pub fn levels(&self) -> (u16, u16) {
        self.levels
    }

    /// What is being said, the newest.
    #[must_use]
    pub fn caption(&self) -> Option<(RealtimeRole, &str)> {
        let newest = self.open.iter().rfind(|utterance| !utterance.text.trim().is_empty())?;
        Some((newest.role, newest.text.trim()))
    }

    /// The word of the status line; `None` when there is no conversation.
    #[must_use]
    pub fn status(&self) -> Option<VoiceStatus> {
        let (microphone, speaker) = self.levels;
        let status = match (self.phase, self.link) {
            (VoicePhase::Inactive, _) => return None,
            (VoicePhase::Stopping, _) => VoiceStatus::Stopping,
            (VoicePhase::Starting, _) => VoiceStatus::Connecting,
            (VoicePhase::Active, Some(RealtimePhase::MediaLost)) => VoiceStatus::Lost,
            (VoicePhase::Active, _) if speaker >= AUDIBLE => VoiceStatus::Speaking,
            (VoicePhase::Active, _) if self.is_muted => VoiceStatus::Muted,
            (VoicePhase::Active, _) if microphone >= AUDIBLE => VoiceStatus::Heard,
            (VoicePhase::Active, _) => VoiceStatus::Listening,
        };
        Some(status)
    }

    /// The user starts a conversation. Says whether that is to be asked of the engine; while one is
    /// being ended it is, and the engine starts the new one after it.
    pub fn start(&mut self) -> bool {
        match self.phase {
            VoicePhase::Inactive | VoicePhase::Stopping => {
                self.begin();
                true
            }
            VoicePhase::Active | VoicePhase::Starting => false,
        }
    }

    /// The user ends it. Says whether that is to be asked of the engine.
    pub fn stop(&mut self) -> bool {
        match self.phase {
            VoicePhase::Active | VoicePhase::Starting => {
                self.phase = VoicePhase::Stopping;
                true
            }
            VoicePhase::Inactive | VoicePhase::Stopping => false,
        }
    }

    /// The user mutes or opens the microphone; it holds for what is opened later, too. Returns what is
    /// to be asked of the engine.
    pub fn toggle_mute(&mut self) -> bool {
        self.is_muted = !self.is_muted;
        self.is_muted
    }

    /// The engine refused to start.
    pub fn refused(&mut self) {
        if self.phase == VoicePhase::Starting && !self.is_started {
            self.phase = VoicePhase::Inactive;
        }
    }

    /// Takes an event; returns what changed.
    pub fn on(&mut self, event: &RealtimeEvent) -> Vec<VoiceChange> {
        let mut changes = Vec::new();
        let is_new = event.attempt > self.attempt;
        if event.attempt < self.attempt || (!is_new && self.phase == VoicePhase::Inactive) {
            return changes;
        }
        let before = self.phase;
        if is_new {
            self.attempt = event.attempt;
            if self.phase == VoicePhase::Stopping {
                // It was asked to end before it said a word.
                self.forget();
            } else {
                self.begin();
            }
        }
        self.fold(&event.news, &mut changes);
        if self.phase != before {
            changes.push(VoiceChange::Phase(self.phase));
        }
        changes
    }

    fn begin(&mut self) {
        self.phase = VoicePhase::Starting;
        self.forget();
    }

    fn forget(&mut self) {
        self.is_started = false;
        self.is_media_up = false;
        self.link = None;
        self.levels = (0, 0);
        self.open.clear();
        self.finished.clear();
    }

    fn fold(&mut self, news: &RealtimeNews, changes: &mut Vec<VoiceChange>) {
        match news {
            RealtimeNews::Started { .. } => {
                self.is_started = true;
                self.activate();
            }
            RealtimeNews::Phase(phase) => {
                self.link = Some(*phase);
                self.is_media_up |= *phase == RealtimePhase::MediaUp;
                changes.push(VoiceChange::Link(*phase));
                if *phase == RealtimePhase::Closing {
                    self.phase = VoicePhase::Stopping;
                }
                self.activate();
            }
            RealtimeNews::Muted(muted) => {
                self.is_muted = *muted;
                changes.push(VoiceChange::Muted(*muted));
            }
            RealtimeNews::Levels { microphone, speaker } => self.levels = (*microphone, *speaker),
            RealtimeNews::TranscriptDelta { role, item, delta } => {
                self.grow(*role, item, delta, changes);
            }
            RealtimeNews::TranscriptDone { role, item, text } => {
                self.finish(*role, item, text, changes);
            }
            RealtimeNews::SpeechStarted => changes.push(VoiceChange::SpeechStarted),
            RealtimeNews::Device { message, hint, device } => {
                let kind = match device {
                    AudioDevice::Microphone => "microphone",
                    AudioDevice::Speaker => "speaker",
                };
                let message = match message.contains(kind) {
                    true => message.clone(),
                    false => format!("{kind}: {message}"),
                };
                changes.push(VoiceChange::Notice { message, hint: hint.clone() });
            }
            RealtimeNews::Dropped { ms } => {
                let seconds = *ms as f64 / 1e3;
                let message = format!("{seconds:.1} s of speech waited too long and was lost");
                changes.push(VoiceChange::Notice { message, hint: None });
            }
            RealtimeNews::Error { message, hint } => {
                changes.push(VoiceChange::Failed { message: message.clone(), hint: hint.clone() });
                if !self.is_started {
                    self.phase = VoicePhase::Inactive;
                }
            }
            RealtimeNews::Closed { reason } => {
                for utterance in std::mem::take(&mut self.open) {
                    tell(utterance.role, &utterance.text, changes);
                }
                self.phase = VoicePhase::Inactive;
                self.levels = (0, 0);
                changes.push(VoiceChange::Ended(*reason));
            }
            RealtimeNews::Answer { .. } | RealtimeNews::Audio { .. } | RealtimeNews::Item(_) => {}
        }
    }

    fn activate(&mut self) {
        if self.phase == VoicePhase::Starting && self.is_started && self.is_media_up {
            self.phase = VoicePhase::Active;
        }
    }

    fn grow(
        &mut self,
        role: RealtimeRole,
        item: &str,
        delta: &str,
        changes: &mut Vec<VoiceChange>,
    ) {
        if self.is_finished(item) {
            return;
        }
        let known = self.open.iter_mut().find(|utterance| utterance.item == item);
        if let Some(utterance) = known {
            utterance.text.push_str(delta);
            keep_end(&mut utterance.text);
            return;
        }
        if self.open.len() >= OPEN_MAX {
            let oldest = self.open.remove(0);
            self.remember(&oldest.item);
            tell(oldest.role, &oldest.text, changes);
        }
        let mut text = delta.to_owned();
        keep_end(&mut text);
        self.open.push(Utterance { role, item: item.to_owned(), text });
    }

    fn finish(
        &mut self,
        role: RealtimeRole,
        item: &str,
        text: &str,
        changes: &mut Vec<VoiceChange>,
    ) {
        self.open.retain(|utterance| utterance.item != item);
        if !self.is_finished(item) {
            self.remember(item);
            tell(role, text, changes);
        }
    }

    fn is_finished(&self, item: &str) -> bool {
        self.finished.iter().any(|finished| finished == item)
    }

    fn remember(&mut self, item: &str) {
        self.finished.push_back(item.to_owned());
        if self.finished.len() > FINISHED_MAX {
            self.finished.pop_front();
        }
    }
}

/// An utterance of blanks says nothing.
fn tell(role: RealtimeRole, text: &str, changes: &mut Vec<VoiceChange>) {
    let text = text.trim();
    if !text.is_empty() {
        changes.push(VoiceChange::Said { role, text: text.to_owned() });
    }
}

/// Leaves out the start of what is too long.
fn keep_end(text: &mut String) {
    if text.len() > UTTERANCE_BYTES_MAX {
        let mut from = text.len() - UTTERANCE_BYTES_MAX;
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use codex_proto::{ThreadId, realtime::RealtimeVersion};
    use proptest::prelude::*;

    use super::*;

    fn event(attempt: u32, news: RealtimeNews) -> RealtimeEvent {
        let thread: ThreadId = "019eb97d-0000-7000-8000-000000000001".parse().unwrap();
        RealtimeEvent { thread, attempt, news }
    }

    fn started() -> RealtimeNews {
        RealtimeNews::Started { session_id: "s".into(), version: RealtimeVersion::V2 }
    }

    fn delta(item: &str, delta: &str) -> RealtimeNews {
        let role = RealtimeRole::Assistant;
        RealtimeNews::TranscriptDelta { role, item: item.into(), delta: delta.into() }
    }

    fn done(item: &str, text: &str) -> RealtimeNews {
        let role = RealtimeRole::Assistant;
        RealtimeNews::TranscriptDone { role, item: item.into(), text: text.into() }
    }

    fn said(text: &str) -> VoiceChange {
        VoiceChange::Said { role: RealtimeRole::Assistant, text: text.into() }
    }

    #[test]
    fn it_is_active_when_started_and_heard_in_either_order() {
        let media = RealtimeNews::Phase(RealtimePhase::MediaUp);
        for order in [[started(), media.clone()], [media, started()]] {
            let mut voice = VoiceState::default();
            assert!(voice.start() && !voice.start());
            let [first, second] = order;
            voice.on(&event(1, first));
            assert_eq!(voice.phase(), VoicePhase::Starting);
            assert_eq!(voice.status(), Some(VoiceStatus::Connecting));
            let changes = voice.on(&event(1, second));
            assert!(changes.contains(&VoiceChange::Phase(VoicePhase::Active)), "{changes:?}");
        }
    }

    #[test]
    fn a_start_that_fails_is_over_and_one_that_runs_goes_on() {
        let error = || RealtimeNews::Error { message: "no".into(), hint: Some("do".into()) };
        let mut voice = VoiceState::default();
        voice.start();
        let changes = voice.on(&event(1, error()));
        assert_eq!(changes.last(), Some(&VoiceChange::Phase(VoicePhase::Inactive)));
        voice.start();
        voice.on(&event(2, started()));
        voice.on(&event(2, error()));
        assert_eq!(voice.phase(), VoicePhase::Starting);
        voice.on(&event(2, RealtimeNews::Closed { reason: RealtimeClosed::Error }));
        assert_eq!(voice.phase(), VoicePhase::Inactive);
    }

    #[test]
    fn an_earlier_attempt_changes_nothing() {
        let mut voice = VoiceState::default();
        voice.start();
        voice.on(&event(1, started()));
        voice.on(&event(2, started()));
        let before = voice.clone();
        for news in [
            RealtimeNews::Closed { reason: RealtimeClosed::Replaced },
            RealtimeNews::Phase(RealtimePhase::MediaUp),
            delta("a", "old"),
        ] {
            assert_eq!(voice.on(&event(1, news)), []);
        }
        assert_eq!(voice, before);
        voice.on(&event(2, RealtimeNews::Closed { reason: RealtimeClosed::Requested }));
        assert_eq!(voice.on(&event(2, delta("a", "late"))), [], "nothing after the end");
        assert_eq!(voice.caption(), None);
    }

    #[test]
    fn stopping_while_starting_holds() {
        let mut voice = VoiceState::default();
        voice.start();
        assert!(voice.stop() && !voice.stop());
        voice.on(&event(1, started()));
        voice.on(&event(1, RealtimeNews::Phase(RealtimePhase::MediaUp)));
        assert_eq!(voice.status(), Some(VoiceStatus::Stopping));
        voice.on(&event(1, RealtimeNews::Closed { reason: RealtimeClosed::Requested }));
        assert_eq!(voice.status(), None);
    }

    #[test]
    fn each_utterance_is_told_once_whole_and_partial_ones_at_the_end() {
        let mut voice = VoiceState::default();
        voice.start();
        voice.on(&event(1, started()));
        voice.on(&event(1, delta("a", "Hel")));
        voice.on(&event(1, delta("b", "Wor")));
        voice.on(&event(1, delta("a", "lo")));
        assert_eq!(voice.caption(), Some((RealtimeRole::Assistant, "Wor")));
        assert_eq!(voice.on(&event(1, done("a", "Hello!"))), [said("Hello!")]);
        assert_eq!(voice.on(&event(1, done("a", "Hello!"))), []);
        assert_eq!(voice.on(&event(1, delta("a", "more"))), []);
        assert_eq!(voice.on(&event(1, done("c", "  "))), []);
        let changes = voice.on(&event(1, RealtimeNews::Closed { reason: RealtimeClosed::Error }));
        assert_eq!(changes[0], said("Wor"));
    }

    #[test]
    fn the_status_says_what_matters_most() {
        let mut voice = VoiceState::default();
        voice.toggle_mute();
        voice.start();
        assert!(voice.is_muted(), "a mute before the start holds");
        voice.on(&event(1, started()));
        voice.on(&event(1, RealtimeNews::Phase(RealtimePhase::MediaUp)));
        let mut levels = |microphone, speaker| {
            voice.on(&event(1, RealtimeNews::Levels { microphone, speaker }));
            voice.status().map(VoiceStatus::as_str)
        };
        assert_eq!(levels(9_000, 0), Some("muted"));
        assert_eq!(levels(9_000, 9_000), Some("speaking"));
        voice.on(&event(1, RealtimeNews::Muted(false)));
        let mut levels = |microphone, speaker| {
            voice.on(&event(1, RealtimeNews::Levels { microphone, speaker }));
            voice.status().map(VoiceStatus::as_str)
        };
        assert_eq!(levels(9_000, 0), Some("heard"));
        assert_eq!(levels(0, 0), Some("listening"));
        voice.on(&event(1, RealtimeNews::Phase(RealtimePhase::MediaLost)));
        assert_eq!(voice.status().map(VoiceStatus::as_str), Some("connection lost"));
    }

    fn any_news() -> impl Strategy<Value = RealtimeNews> {
        let item = (0..40_u8).prop_map(|n| n.to_string());
        prop_oneof![
            Just(started()),
            Just(RealtimeNews::Phase(RealtimePhase::MediaUp)),
            Just(RealtimeNews::Phase(RealtimePhase::Closing)),
            Just(RealtimeNews::Error { message: "e".into(), hint: None }),
            Just(RealtimeNews::Closed { reason: RealtimeClosed::Requested }),
            (item.clone(), "[aß ]{0,3}").prop_map(|(item, text)| delta(&item, &text)),
            (item, "[aß ]{0,3}").prop_map(|(item, text)| done(&item, &text)),
        ]
    }

    proptest! {
        #[test]
        fn prop_what_is_kept_is_bounded_and_no_item_is_told_twice(
            news in prop::collection::vec((1..4_u32, any_news()), 0..200)
        ) {
            let mut voice = VoiceState::default();
            let mut told: Vec<String> = Vec::new();
            voice.start();
            for (attempt, news) in news {
                let newer = attempt > voice.attempt;
                if newer {
                    told.clear();
                }
                let changes = voice.on(&event(attempt, news.clone()));
                prop_assert!(voice.open.len() <= OPEN_MAX);
                prop_assert!(voice.finished.len() <= FINISHED_MAX);
                if let RealtimeNews::TranscriptDone { item, .. } = &news
                    && changes.iter().any(|change| matches!(change, VoiceChange::Said { .. }))
                {
                    prop_assert!(!told.contains(item), "{item} twice");
                    told.push(item.clone());
                }
                let has_ended = changes.iter().any(|change| matches!(change, VoiceChange::Ended(_)));
                prop_assert!(!has_ended || voice.phase() == VoicePhase::Inactive);
            }
        }
    }
}
