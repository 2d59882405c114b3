//! What leaves for the service: the agent's words, typed text, a client's audio.

use codex_proto::{
    Refused,
    effect::Pcm,
    realtime::{RealtimeNews, RealtimeTransport},
    wire::realtime::send,
};

use super::{
    control::Origin,
    conversation::Conversation,
    handoff::{Heard, Say},
    plan::refused,
    response::Cause,
};
use crate::{limits::TEXT_BYTES_MAX, machine::Cx};

impl Conversation {
    /// Whether the agent's words are for it.
    pub(super) fn listens(&self) -> bool {
        self.has_started() && !self.plan.is_transcription()
    }

    pub(super) fn heard(&mut self, heard: Heard, cx: &mut Cx<'_>) {
        let says = self.handoffs.heard(heard, cx);
        says.into_iter().for_each(|say| self.say(say, cx));
    }

    /// Sends what the agent says.
    pub(super) fn say(&mut self, say: Say, cx: &mut Cx<'_>) {
        let Say { messages, respond, may_drop } = say;
        let origin = if may_drop { Origin::Agent } else { Origin::Protocol };
        if !self.control.has_room(origin, &messages) {
            self.refused += messages.len();
            return;
        }
        if self.refused > 0 {
            let count = std::mem::take(&mut self.refused);
            let message = format!(
                "{count} messages of the agent were not passed on: the voice connection is too slow"
            );
            self.emit(RealtimeNews::Error { message, hint: None }, cx);
        }
        self.control.push(origin, messages, cx);
        if respond {
            self.respond(Cause::Request, cx);
        }
    }

    pub(super) fn respond(&mut self, cause: Cause, cx: &mut Cx<'_>) {
        if self.response.on(cause, cx) {
            self.control.push(Origin::Protocol, vec![send::response_create()], cx);
        }
    }

    /// Typed text.
    pub(super) fn text(&mut self, text: &str, cx: &mut Cx<'_>) -> Result<(), Refused> {
        self.check_text(text)?;
        let messages = send::user_text(self.plan.version, text);
        self.check_room(Origin::User, &messages)?;
        self.control.push(Origin::User, messages, cx);
        Ok(())
    }

    /// Text to be spoken.
    pub(super) fn speech(&mut self, text: &str, cx: &mut Cx<'_>) -> Result<(), Refused> {
        self.check_text(text)?;
        let say = self.handoffs.speech(text);
        self.check_room(Origin::Agent, &say.messages)?;
        self.say(say, cx);
        Ok(())
    }

    fn check_text(&self, text: &str) -> Result<(), Refused> {
        if self.plan.is_transcription() {
            return Err(refused("this conversation only writes down what it hears", None));
        }
        if text.trim().is_empty() {
            return Err(Refused::EmptyPrompt);
        }
        if text.len() > TEXT_BYTES_MAX {
            let why = format!("the text is longer than {} KiB", TEXT_BYTES_MAX >> 10);
            return Err(refused(why, Some("put it into a file and name that")));
        }
        Ok(())
    }

    fn check_room(&self, origin: Origin, messages: &[String]) -> Result<(), Refused> {
        if self.control.has_room(origin, messages) {
            return Ok(());
        }
        let hint = "wait until the connection has caught up";
        Err(refused("too many messages wait for the voice model", Some(hint)))
    }

    /// Audio of a client.
    pub(super) fn audio(&mut self, pcm: Pcm, cx: &mut Cx<'_>) -> Result<(), Refused> {
        if self.plan.start.transport != RealtimeTransport::WebSocketClient {
            return Err(refused("this conversation takes no audio from a client", None));
        }
        if !pcm.0.len().is_multiple_of(2) {
            return Err(refused("the audio is no whole number of samples", None));
        }
        if !self.muted {
            self.control.push_audio(pcm, cx);
        }
        Ok(())
    }
}
