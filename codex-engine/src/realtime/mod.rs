//! Conversations by voice: what a thread owns of them.
//!
//! The agent does not know of it. A conversation hears what the agent says as any observer does, by
//! events, and speaks to it as a person does, by prompts. See `conversation.rs` for the course of
//! one, `create.rs` and `sideband.rs` for its connections, `handoff.rs` for the way to the agent and
//! back.

mod closing;
mod context;
mod control;
mod conversation;
mod create;
mod fault;
mod handoff;
mod inbound;
mod media;
mod microphone;
mod outbound;
mod plan;
mod playback;
mod prepare;
mod prompt;
mod response;
mod seen;
mod sideband;
mod stream;
mod transcript;

use std::ops::ControlFlow;

use codex_proto::{
    EffectId, EffectKind, Event, Mono, Op, OpId, Output, Refused, Reply,
    effect::{MicrophoneState, Survey, SurveyQuery},
    realtime::{RealtimeClosed, RealtimeStart, RealtimeTransport},
};

use self::{
    closing::Closings,
    conversation::{Conversation, End},
    handoff::Heard,
    plan::{Plan, refused},
    prepare::Prepared,
};
use crate::{
    limits::{SURVEY_DEPTH, SURVEY_ENTRIES, SURVEY_MS, SURVEY_THREADS},
    machine::{Cx, Leg},
    thread::shared::Shared,
};

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Realtime {
    /// Counts conversations.
    attempts: u32,
    prepared: Option<Prepared>,
    conversation: Option<Box<Conversation>>,
    closings: Closings,
    survey: Surveying,
}

/// What the user has been working on.
#[derive(Clone, Debug, Default)]
struct Surveying {
    asked: Option<(EffectId, Mono)>,
    found: Option<Box<Survey>>,
}

impl Realtime {
    /// Carries out an op of voice.
    pub(crate) fn op(&mut self, id: OpId, op: Op, shared: &mut Shared, cx: &mut Cx<'_>) {
        let result = match op {
            Op::RealtimePrepare { .. } => self.prepare(cx),
            Op::RealtimeStart(start) => self.start(*start, shared, cx),
            Op::RealtimeStop { .. } => {
                self.end(End::Asked(RealtimeClosed::Requested), Some(shared), cx);
                Ok(())
            }
            Op::RealtimeAudio { pcm, .. } => self.live().and_then(|live| live.audio(pcm, cx)),
            Op::RealtimeMute { muted, .. } => self.live().and_then(|live| live.mute(muted, cx)),
            Op::RealtimeSpeech { text, .. } => self.live().and_then(|live| live.speech(&text, cx)),
            Op::RealtimeText { text, .. } => self.live().and_then(|live| live.text(&text, cx)),
            _ => Ok(()),
        };
        if let Err(reason) = result {
            cx.emit(Event::Refused { op: id, reason });
        }
    }

    fn live(&mut self) -> Result<&mut Conversation, Refused> {
        let hint = "start one first";
        let none = || refused("no conversation by voice is running", Some(hint));
        self.conversation.as_deref_mut().ok_or_else(none)
    }

    fn prepare(&mut self, cx: &mut Cx<'_>) -> Result<(), Refused> {
        plan::check_feature(cx.settings)?;
        self.survey(cx);
        if self.conversation.is_some() {
            return Ok(());
        }
        if cx.settings.realtime.websocket {
            let start = RealtimeStart::new(cx.thread, RealtimeTransport::WebSocket);
            if let Some(connect) = Plan::check(start, cx.settings)?.preconnect(cx.settings) {
                cx.start_leg(Leg::Preconnect, EffectKind::Preconnect(Box::new(connect)));
            }
            return Ok(());
        }
        let connect = Box::new(plan::preconnect_calls(cx.settings));
        cx.start_leg(Leg::Preconnect, EffectKind::Preconnect(connect));
        match &mut self.prepared {
            Some(prepared) => prepared.renew(cx),
            None => self.prepared = Some(Prepared::open(cx)),
        }
        Ok(())
    }

    /// Looks at the user's work, unless that is being done.
    fn survey(&mut self, cx: &mut Cx<'_>) {
        if self.survey.asked.is_some() || cx.settings.realtime.startup_context.is_some() {
            return;
        }
        let query = SurveyQuery {
            cwd: cx.settings.cwd.clone(),
            codex_home: cx.settings.host.codex_home.clone(),
            threads_max: SURVEY_THREADS,
            depth_max: SURVEY_DEPTH,
            entries_max: SURVEY_ENTRIES,
        };
        let effect = cx.start_leg(Leg::Survey, EffectKind::Survey(Box::new(query)));
        self.survey.asked = Some((effect, cx.now.mono.after_ms(SURVEY_MS)));
    }

    fn start(
        &mut self,
        start: RealtimeStart,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refused> {
        let plan = Plan::check(start, cx.settings)?;
        self.end(End::Asked(RealtimeClosed::Replaced), Some(shared), cx);
        if let Some(voice) = &plan.odd_voice {
            cx.warn(format!(
                "`realtime.voice` is `{voice}`, which {} does not have; its default is used",
                plan.version.as_str()
            ));
        }
        self.attempts += 1;
        if plan.start.startup_context {
            self.survey(cx);
        }
        let microphone =
            if plan.start.muted { MicrophoneState::Muted } else { MicrophoneState::On };
        let wants_peer = plan.is_ours() && plan.is_webrtc();
        let prepared = self.prepared.take_if(|_| wants_peer);
        let prepared = prepared.map(|prepared| prepared.take(microphone, cx));
        let survey = self.survey.found.as_deref();
        let conversation =
            Conversation::start(self.attempts, plan, prepared, survey, microphone, shared, cx);
        self.conversation = Some(Box::new(conversation));
        Ok(())
    }

    /// Ends the conversation, if there is one. A thread that stops takes no more prompts.
    fn end(&mut self, end: End, shared: Option<&mut Shared>, cx: &mut Cx<'_>) {
        if let Some(conversation) = self.conversation.take() {
            conversation.end(end, &mut self.closings, shared, cx);
        }
    }

    fn go_on(&mut self, flow: ControlFlow<End>, shared: &mut Shared, cx: &mut Cx<'_>) {
        if let ControlFlow::Break(end) = flow {
            self.end(end, Some(shared), cx);
        }
    }

    pub(crate) fn on_reply(
        &mut self,
        leg: Leg,
        effect: EffectId,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        match leg {
            Leg::Preconnect => {}
            Leg::Survey => self.on_survey(reply, shared, cx),
            Leg::Peer if self.prepared.as_ref().is_some_and(|of| of.peer == effect) => {
                if let Some(prepared) = &mut self.prepared
                    && !prepared.on_reply(reply, cx)
                {
                    self.prepared = None;
                }
            }
            Leg::Audio | Leg::Call | Leg::Peer | Leg::Socket => {
                self.closings.on_reply(effect, &reply, cx);
                if let Some(conversation) = &mut self.conversation {
                    let flow = conversation.on_reply(leg, effect, reply, shared, cx);
                    self.go_on(flow, shared, cx);
                }
            }
        }
    }

    fn on_survey(&mut self, reply: Reply, shared: &Shared, cx: &mut Cx<'_>) {
        match reply {
            Reply::Survey(found) => {
                self.survey.found = Some(found);
                if let (Some(conversation), Some(found)) =
                    (&mut self.conversation, &self.survey.found)
                {
                    conversation.surveyed(found, &shared.history, cx);
                }
            }
            Reply::Closed | Reply::Failed(_) => self.survey.asked = None,
            _ => {}
        }
    }

    pub(crate) fn on_wake(&mut self, shared: &mut Shared, cx: &mut Cx<'_>) {
        self.closings.on_wake(cx);
        if self.prepared.as_ref().is_some_and(|prepared| prepared.is_late(cx.now.mono))
            && let Some(prepared) = self.prepared.take()
        {
            prepared.drop_it(cx);
        }
        if let Some((effect, until)) = self.survey.asked
            && until <= cx.now.mono
        {
            cx.cancel(effect);
            self.survey.asked = None;
        }
        if let Some(conversation) = &mut self.conversation {
            let flow = conversation.on_wake(cx);
            self.go_on(flow, shared, cx);
        }
    }

    /// Hears what the agent did in this step: everything that left from `mark` on.
    pub(crate) fn hear(&mut self, mark: usize, cx: &mut Cx<'_>) {
        let Some(conversation) = &mut self.conversation else { return };
        if !conversation.listens() {
            return;
        }
        let heard: Vec<Heard> = cx
            .out
            .queue
            .iter()
            .skip(mark)
            .filter_map(|output| match output {
                Output::Event(event) => Heard::of(event),
                Output::Effect(_) => None,
            })
            .collect();
        heard.into_iter().for_each(|heard| conversation.heard(heard, cx));
    }

    /// The thread stops.
    pub(crate) fn stop(&mut self, cx: &mut Cx<'_>) {
        self.end(End::Asked(RealtimeClosed::Requested), None, cx);
        if let Some(prepared) = self.prepared.take() {
            prepared.drop_it(cx);
        }
        if let Some((effect, _)) = self.survey.asked.take() {
            cx.cancel(effect);
        }
    }

    /// Whether nothing is left to close.
    pub(crate) fn is_closed(&self) -> bool {
        self.conversation.is_none() && self.closings.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let prepared = self.prepared.as_ref().map(Prepared::deadline);
        let survey = self.survey.asked.map(|(_, until)| (until, "survey"));
        let conversation = self.conversation.as_ref().and_then(|of| of.deadline());
        [self.closings.deadline(), prepared, survey, conversation].into_iter().flatten().min()
    }
}
