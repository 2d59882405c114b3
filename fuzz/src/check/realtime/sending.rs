//! Claim: typed text and speech leave once each and in the order they came, and the session comes
//! before anything else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use codex_proto::{
    Input, Op, Output, ThreadId,
    realtime::{RealtimeNews, RealtimeTransport, RealtimeVersion},
};
use serde_json::Value;

use super::{Claim, audio, is_refused, member, news, start, text};

#[derive(Default)]
pub(super) struct Sending {
    threads: BTreeMap<ThreadId, Texts>,
}

#[derive(Default)]
struct Texts {
    /// Accepted, not sent.
    waiting: VecDeque<String>,
    sent: BTreeSet<String>,
    /// Of this step, unless it is refused.
    next: Option<String>,
    version: Option<RealtimeVersion>,
    is_webrtc: bool,
    next_is_webrtc: Option<bool>,
    has_session: bool,
}

/// What a message says, without marks.
fn words(value: &Value) -> String {
    let of_item = value["item"]["content"][0]["text"].as_str();
    let plain = value["content"][0]["text"].as_str().or(value["output_text"].as_str());
    let text = of_item.or(plain).unwrap_or_default();
    let text = text.strip_prefix("[USER] ").unwrap_or(text);
    text.strip_prefix("[BACKEND] ").unwrap_or(text).to_owned()
}

impl Texts {
    fn first(&mut self) -> Result<(), String> {
        let runs = self.version == Some(RealtimeVersion::V3) && self.is_webrtc;
        if runs || self.has_session { Ok(()) } else { Err("the session was not told first".into()) }
    }
}

impl Claim for Sending {
    fn on_input(&mut self, thread: ThreadId, input: &Input) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        match input {
            Input::Op(_, Op::RealtimeText { text, .. } | Op::RealtimeSpeech { text, .. }) => {
                // It may leave in this very step.
                of.waiting.push_back(text.clone());
                of.next = Some(text.clone());
            }
            _ => {
                if let Some(start) = start(input) {
                    of.next_is_webrtc = Some(matches!(
                        start.transport,
                        RealtimeTransport::WebRtc | RealtimeTransport::WebRtcClient { .. }
                    ));
                }
            }
        }
        Ok(())
    }

    fn on_output(&mut self, thread: ThreadId, output: &Output) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        if is_refused(output) {
            of.next_is_webrtc = None;
            if of.next.take().is_some() {
                of.waiting.pop_back();
            }
        }
        if audio(output).is_some() {
            of.first()?;
        }
        if let Some((_, value)) = text(output) {
            match member(&value, "type") {
                "session.update" => of.has_session = true,
                "session.close" => {}
                _ => of.first()?,
            }
            let words = words(&value);
            if of.sent.contains(&words) {
                return Err(format!("`{words}` leaves twice"));
            }
            if of.waiting.contains(&words) {
                if of.waiting.front() != Some(&words) {
                    return Err(format!("`{words}` before {:?}", of.waiting.front()));
                }
                of.waiting.pop_front();
                of.sent.insert(words);
            }
        }
        match news(output).map(|event| &event.news) {
            Some(RealtimeNews::Started { version, .. }) => {
                of.version = Some(*version);
                of.has_session = false;
            }
            Some(RealtimeNews::Closed { .. }) => of.waiting.clear(),
            _ => {}
        }
        Ok(())
    }

    fn after_step(&mut self, thread: ThreadId) -> Result<(), String> {
        let of = self.threads.entry(thread).or_default();
        of.next = None;
        if let Some(is_webrtc) = of.next_is_webrtc.take() {
            of.is_webrtc = is_webrtc;
            // A conversation that never began lost what it was told, and says so.
            of.waiting.clear();
        }
        Ok(())
    }
}
