//! One conversation by voice, from its start to its end.
//!
//! ```text
//! (new)    --start--> Creating             over WebRTC: a call is created
//! (new)    --start--> Opening              over a socket that carries the audio, too
//! Creating --call created--> Joining       the answer leaves in this step, the socket is opened
//! Opening, Joining --control up--> Live    session.update is the first message
//! Live     --control lost--> Joining       the other line may still come up
//! Creating, Opening --failed--> (failed)   one error, and nothing else
//! Joining, Live --failed--> (closed)       one error, and Closed
//! Joining, Live --transport closed--> (closed)
//! Creating, Opening, Joining, Live --stopped--> (closed)
//! ```

use std::ops::ControlFlow;

use codex_proto::{
    EffectId, EffectKind, Event, HostError, Mono, Reply,
    effect::{AudioOpen, MicrophoneState, RtcAnswer, Survey},
    item::ResponseItem,
    realtime::{
        RealtimeClosed, RealtimeEvent, RealtimeNews, RealtimePhase, RealtimeTransport,
        RealtimeVersion,
    },
    wire::realtime::{call, sdp, send},
};

use super::{
    closing::Closings,
    context,
    control::{Control, Line, Origin},
    create::{self, Create},
    fault::Fault,
    handoff::{self, Handoffs},
    plan::Plan,
    playback::Playback,
    prepare::{self, Prepared},
    prompt,
    response::{Cause, Response},
    seen::Seen,
    sideband::{self, Sideband},
    transcript::{self, Transcript},
};
use crate::{
    limits::{JOIN_MS, MEDIA_UP_MS},
    machine::{Cx, Leg, NEW},
    thread::shared::Shared,
};

const MACHINE: &str = "conversation";

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Conversation {
    pub(super) attempt: u32,
    pub(super) plan: Plan,
    began: Mono,
    state: State,
    pub(super) control: Control,
    sideband: Option<Sideband>,
    /// Why the socket will not open, while the data channel may.
    sideband_fault: Option<Fault>,
    pub(super) peer: Option<Peer>,
    /// Microphone and speaker without a peer.
    pub(super) devices: Option<EffectId>,
    pub(super) are_devices_open: bool,
    /// News of devices that came before anything may be told.
    pub(super) early: Vec<RealtimeNews>,
    pub(super) playback: Playback,
    pub(super) response: Response,
    pub(super) transcript: Transcript,
    pub(super) handoffs: Handoffs,
    /// Numbers of events that came.
    pub(super) events: Seen,
    /// Errors of the service so far.
    pub(super) errors: u32,
    pub(super) muted: bool,
    /// What of the startup context the service was told.
    context: Option<String>,
    /// Whether `session.update` has left.
    session_told: bool,
    pub(super) is_controlled: bool,
    /// Whether audio in a form that cannot be played was told of.
    pub(super) odd_audio: bool,
    /// Messages of the agent that found no room.
    pub(super) refused: usize,
}

#[derive(Clone, Debug)]
enum State {
    Creating(Box<Create>),
    /// Until when one of the lines must be up.
    Joining {
        until: Mono,
    },
    Live,
    Opening,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Creating(_) => "Creating",
            Self::Joining { .. } => "Joining",
            Self::Live => "Live",
            Self::Opening => "Opening",
        }
    }
}

/// A peer of our own.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) effect: EffectId,
    offer: Option<String>,
    pub(super) link: Link,
    /// Whether the data channel may open, or is open.
    pub(super) has_channel: bool,
}

/// Where its media stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link {
    Lost {
        until: Mono,
    },
    Up,
    /// Since the answer.
    Waiting {
        until: Mono,
    },
    /// There is no answer yet.
    Unanswered,
}

/// Why a conversation ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Because somebody wants it.
    Asked(RealtimeClosed),
    Failed(Fault),
    /// The service closed it.
    Transport,
}

pub(super) type Flow = ControlFlow<End>;

impl Conversation {
    pub(super) fn start(
        attempt: u32,
        mut plan: Plan,
        prepared: Option<Prepared>,
        survey: Option<&Survey>,
        microphone: MicrophoneState,
        shared: &Shared,
        cx: &mut Cx<'_>,
    ) -> Self {
        let control = Control::new(plan.version.audio_kind(), cx);
        let is_v2_channel = plan.has_channel();
        let mut peer = None;
        let mut devices = None;
        let client_offer = match &mut plan.start.transport {
            RealtimeTransport::WebRtcClient { offer } => Some(std::mem::take(offer)),
            _ => None,
        };
        let of_settings = &cx.settings.realtime.devices;
        if plan.is_ours() && plan.is_webrtc() {
            let (effect, offer) = match prepared {
                Some(Prepared { peer, offer, .. }) => (peer, offer),
                None => (prepare::open_peer(of_settings, microphone, cx), None),
            };
            let link = Link::Unanswered;
            peer = Some(Peer { effect, offer, link, has_channel: is_v2_channel });
        } else if plan.is_ours() {
            let open = AudioOpen { devices: of_settings.clone(), microphone };
            devices = Some(cx.start_leg(Leg::Audio, EffectKind::AudioOpen(open)));
        }
        let (version, muted) = (plan.version, plan.start.muted);
        let is_webrtc = plan.is_webrtc();
        let mut conversation = Self {
            attempt,
            began: cx.now.mono,
            state: State::Opening,
            control,
            sideband: None,
            sideband_fault: None,
            playback: Playback::new(plan.is_ours()),
            response: Response::new(cx),
            transcript: Transcript::default(),
            handoffs: Handoffs::new(version, plan.start.handoff.clone()),
            events: Seen::default(),
            errors: 0,
            muted,
            context: None,
            session_told: false,
            is_controlled: false,
            odd_audio: false,
            refused: 0,
            peer,
            devices,
            are_devices_open: false,
            early: Vec::new(),
            plan,
        };
        conversation.context = conversation.context_of(survey, &shared.history, cx);
        conversation.log("starting", cx);
        if is_webrtc {
            let own = conversation.peer.as_ref().and_then(|peer| peer.offer.clone());
            let create = match client_offer.or(own) {
                Some(offer) => {
                    let request = conversation.call(&offer, cx);
                    Create::start(request, cx)
                }
                None => Create::offering(cx),
            };
            conversation.preconnect(&create, cx);
            conversation.state = State::Creating(Box::new(create));
        } else if let Ok(request) = conversation.plan.socket(None, cx.thread, cx.settings) {
            conversation.sideband = Some(Sideband::start(request, false, cx));
        }
        cx.moved(MACHINE, NEW, "start", conversation.state.name());
        conversation
    }

    /// What the model is told of the user's work.
    fn context_of(
        &self,
        survey: Option<&Survey>,
        history: &[ResponseItem],
        cx: &Cx<'_>,
    ) -> Option<String> {
        if !self.plan.start.startup_context {
            return None;
        }
        match &cx.settings.realtime.startup_context {
            Some(configured) => Some(configured.clone()).filter(|text| !text.trim().is_empty()),
            None => context::build(history, survey, cx.thread, &cx.settings.cwd),
        }
    }

    fn call(&self, offer: &str, cx: &Cx<'_>) -> codex_proto::effect::HttpRequest {
        self.plan.call(offer, self.context.as_deref(), cx.thread, cx.settings)
    }

    /// Connects for the socket while the call is being created.
    fn preconnect(&self, create: &Create, cx: &mut Cx<'_>) {
        if create.is_offering() {
            return;
        }
        if let Some(connect) = self.plan.preconnect(cx.settings) {
            cx.start_leg(Leg::Preconnect, EffectKind::Preconnect(Box::new(connect)));
        }
    }

    fn go(&mut self, on: &'static str, next: State, cx: &mut Cx<'_>) {
        cx.moved(MACHINE, self.state.name(), on, next.name());
        self.state = next;
    }

    pub(super) fn emit(&self, news: RealtimeNews, cx: &mut Cx<'_>) {
        let event = RealtimeEvent { thread: cx.thread, attempt: self.attempt, news };
        cx.emit(Event::Realtime(Box::new(event)));
    }

    /// Nothing private is in these lines: no words, descriptions, keys.
    pub(super) fn log(&self, what: &str, cx: &Cx<'_>) {
        let elapsed_ms = cx.now.mono.ms_since(self.began);
        let (thread, attempt) = (cx.thread, self.attempt);
        tracing::info!(%thread, attempt, elapsed_ms, "voice: {what}");
    }

    /// Whether observers were told that it began.
    pub(super) fn has_started(&self) -> bool {
        matches!(self.state, State::Joining { .. } | State::Live)
    }

    pub(super) fn on_reply(
        &mut self,
        leg: Leg,
        effect: EffectId,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Flow {
        match leg {
            Leg::Call => {
                let State::Creating(create) = &mut self.state else { return Flow::Continue(()) };
                if create.effect() != Some(effect) {
                    return Flow::Continue(());
                }
                match create.on_reply(reply, cx) {
                    create::Flow::More => Flow::Continue(()),
                    create::Flow::Failed(fault) => Flow::Break(End::Failed(fault)),
                    create::Flow::Created { answer, location } => {
                        self.created(answer, location, shared, cx)
                    }
                }
            }
            Leg::Socket => {
                let Some(sideband) = &mut self.sideband else { return Flow::Continue(()) };
                if sideband.effect() != Some(effect) {
                    return Flow::Continue(());
                }
                let flow = sideband.on_reply(reply, cx);
                self.on_sideband(flow, shared, cx)
            }
            Leg::Peer => self.on_peer(effect, reply, shared, cx),
            Leg::Audio => {
                self.on_devices(effect, reply, cx);
                Flow::Continue(())
            }
            Leg::Preconnect | Leg::Survey => Flow::Continue(()),
        }
    }

    /// Our own peer has made its offer.
    pub(super) fn offered(&mut self, offer: String, cx: &mut Cx<'_>) {
        let is_offering = matches!(&self.state, State::Creating(create) if create.is_offering());
        if is_offering {
            let request = self.call(&offer, cx);
            if let State::Creating(create) = &mut self.state {
                create.offered(request, cx);
            }
            if let Some(connect) = self.plan.preconnect(cx.settings) {
                cx.start_leg(Leg::Preconnect, EffectKind::Preconnect(Box::new(connect)));
            }
        }
        if let Some(peer) = &mut self.peer {
            peer.offer = Some(offer);
        }
    }

    /// There is a call: its answer leaves at once.
    fn created(
        &mut self,
        answer: String,
        location: Option<String>,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Flow {
        self.log("call created", cx);
        let checked = match self.peer.as_ref().and_then(|peer| peer.offer.as_deref()) {
            Some(offer) => sdp::check_answer(&answer, offer),
            // A client's peer may know more than we do.
            None => sdp::check(&answer),
        };
        if let Err(error) = checked {
            let hint = "the address may lead to something else than the realtime service";
            return Flow::Break(End::Failed(Fault::new(error.to_string()).hinted(hint)));
        }
        let has_channel = self.peer.as_ref().is_some_and(|peer| peer.has_channel);
        let id = match call::id(location.as_deref()) {
            Ok(id) => Some(id),
            // The data channel needs none.
            Err(_) if has_channel => None,
            Err(error) => {
                let hint = "a proxy may have removed the header Location";
                return Flow::Break(End::Failed(Fault::new(error.to_string()).hinted(hint)));
            }
        };
        self.started(shared, cx);
        if let Some(peer) = &mut self.peer {
            peer.link = Link::Waiting { until: cx.now.mono.after_ms(MEDIA_UP_MS) };
            let answer = RtcAnswer { rtc: peer.effect, sdp: answer };
            cx.tell(EffectKind::RtcAnswer(Box::new(answer)));
        } else {
            self.emit(RealtimeNews::Answer { sdp: answer }, cx);
        }
        self.log("answer sent", cx);
        self.tell_beginning(cx);
        let until = cx.now.mono.after_ms(JOIN_MS);
        self.go("call created", State::Joining { until }, cx);
        if let Some(id) = id {
            match self.plan.socket(Some(&id), cx.thread, cx.settings) {
                Ok(request) => {
                    self.log("sideband connecting", cx);
                    self.sideband = Some(Sideband::start(request, true, cx));
                }
                Err(error) => return Flow::Break(End::Failed(Fault::new(error.to_string()))),
            }
        }
        Flow::Continue(())
    }

    fn started(&self, shared: &mut Shared, cx: &mut Cx<'_>) {
        let (session_id, version) = (self.plan.session_id.clone(), self.plan.version);
        self.emit(RealtimeNews::Started { session_id, version }, cx);
        shared.voice_note.started(prompt::start_note(&self.plan.start, cx.settings));
    }

    /// Where it stands, and what happened before it could be told.
    fn tell_beginning(&mut self, cx: &mut Cx<'_>) {
        self.emit(RealtimeNews::Phase(RealtimePhase::Connecting), cx);
        if self.muted && self.plan.is_ours() {
            self.emit(RealtimeNews::Muted(true), cx);
        }
        for news in std::mem::take(&mut self.early) {
            self.emit(news, cx);
        }
    }

    fn on_sideband(&mut self, flow: sideband::Flow, shared: &mut Shared, cx: &mut Cx<'_>) -> Flow {
        match flow {
            sideband::Flow::More => Flow::Continue(()),
            sideband::Flow::Opened(effect) => {
                self.log("sideband connected", cx);
                self.line_up(Line::Socket, effect, shared, cx);
                Flow::Continue(())
            }
            sideband::Flow::Message(text) => self.on_message(Line::Socket, &text, shared, cx),
            sideband::Flow::Sent(messages) => {
                self.control.sent(Line::Socket, messages, cx);
                Flow::Continue(())
            }
            sideband::Flow::Failed(fault) => {
                self.sideband = None;
                // With the data channel there, or to come, nothing is lost.
                if self.control.is_up() || self.may_have_channel() {
                    self.log("sideband failed", cx);
                    self.sideband_fault = Some(fault);
                    return Flow::Continue(());
                }
                Flow::Break(End::Failed(fault))
            }
            sideband::Flow::Lost(error) => {
                self.sideband = None;
                self.line_lost(Line::Socket, error, cx)
            }
        }
    }

    fn may_have_channel(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.has_channel)
    }

    /// A line is open: the first one gets the session, then everything that waits.
    pub(super) fn line_up(
        &mut self,
        line: Line,
        effect: EffectId,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) {
        if !self.control.is_up() {
            if matches!(self.state, State::Opening) {
                self.started(shared, cx);
                self.tell_beginning(cx);
            }
            let is_call = self.plan.is_webrtc();
            if !self.session_told && (!is_call || self.plan.version.updates_call()) {
                let spec = self.plan.spec(self.context.as_deref());
                let session = if is_call { spec.session_of_call() } else { spec.session() };
                self.control.push_first(send::session_update(&session), cx);
            }
            self.session_told = true;
            self.go("control up", State::Live, cx);
            self.response.restart(cx.now.mono);
        }
        self.control.opened(line, effect, cx);
        if self.plan.is_webrtc() && !self.plan.version.updates_call() {
            self.controlled(cx);
        }
    }

    /// The service has the session as asked.
    pub(super) fn controlled(&mut self, cx: &mut Cx<'_>) {
        if !self.is_controlled {
            self.is_controlled = true;
            self.log("session updated", cx);
            self.emit(RealtimeNews::Phase(RealtimePhase::Controlled), cx);
            let audio_flows = match self.plan.start.transport {
                RealtimeTransport::WebRtc | RealtimeTransport::WebRtcClient { .. } => false,
                RealtimeTransport::WebSocket => self.are_devices_open,
                RealtimeTransport::WebSocketClient => true,
            };
            if audio_flows {
                self.emit(RealtimeNews::Phase(RealtimePhase::MediaUp), cx);
            }
        }
    }

    /// A line is no more; that matters when it was the only one.
    pub(super) fn line_lost(
        &mut self,
        line: Line,
        error: Option<HostError>,
        cx: &mut Cx<'_>,
    ) -> Flow {
        let lost = self.control.lost(line, cx);
        if lost > 0 {
            let message = format!("{lost} messages may not have reached the voice model");
            let hint = Some("say again what it does not know".to_owned());
            self.emit(RealtimeNews::Error { message, hint }, cx);
        }
        if self.control.is_up() || !matches!(self.state, State::Live) {
            return Flow::Continue(());
        }
        let may_come = match line {
            Line::Channel => self.sideband.is_some(),
            Line::Socket => self.may_have_channel(),
        };
        if may_come {
            let until = cx.now.mono.after_ms(JOIN_MS);
            self.go("control lost", State::Joining { until }, cx);
            return Flow::Continue(());
        }
        Flow::Break(match error {
            None => End::Transport,
            Some(error) => {
                let message = format!("the voice connection broke: {error}");
                let mut fault = Fault::new(message).hinted("start it again");
                if let Some(hint) = error.hint() {
                    fault = fault.hinted(hint);
                }
                End::Failed(fault)
            }
        })
    }

    /// What the user has been working on is known now.
    pub(super) fn surveyed(&mut self, survey: &Survey, history: &[ResponseItem], cx: &mut Cx<'_>) {
        if cx.settings.realtime.startup_context.is_some() {
            return;
        }
        let context = self.context_of(Some(survey), history, cx);
        if context == self.context {
            return;
        }
        // Told with the session where that has not left, added where a session can be changed.
        self.context = context;
        let is_v2 = self.plan.version == RealtimeVersion::V2;
        if self.session_told && is_v2 && !self.plan.is_transcription() {
            let spec = self.plan.spec(self.context.as_deref());
            let update = send::session_update(&spec.instructions_alone());
            self.control.push(Origin::Protocol, vec![update], cx);
        }
    }

    pub(super) fn on_wake(&mut self, cx: &mut Cx<'_>) -> Flow {
        let now = cx.now.mono;
        if let State::Creating(create) = &mut self.state
            && let create::Flow::Failed(fault) = create.on_wake(cx)
        {
            return Flow::Break(End::Failed(fault));
        }
        if let Some(sideband) = &mut self.sideband
            && let sideband::Flow::Failed(fault) = sideband.on_wake(cx)
        {
            self.sideband = None;
            if !self.control.is_up() && !self.may_have_channel() {
                return Flow::Break(End::Failed(fault));
            }
            self.sideband_fault = Some(fault);
        }
        if matches!(self.state, State::Joining { until } if until <= now) {
            let fault = self.sideband_fault.take().unwrap_or_else(|| {
                let message =
                    format!("the voice model could not be reached within {} s", JOIN_MS / 1_000);
                Fault::new(message).hinted("check the network, proxies included, and try again")
            });
            return Flow::Break(End::Failed(fault));
        }
        self.wake_media(cx)?;
        if self.control.is_up() && self.response.is_late(now) {
            self.respond(Cause::Deadline, cx);
        }
        let due = self.handoffs.on_wake(now);
        due.into_iter().for_each(|say| self.say(say, cx));
        if let Some(ms) = self.control.microphone.take_dropped(now) {
            self.emit(RealtimeNews::Dropped { ms }, cx);
        }
        Flow::Continue(())
    }

    pub(super) fn deadline(&self) -> Option<(Mono, &'static str)> {
        let state = match &self.state {
            State::Creating(create) => Some(create.deadline()),
            State::Joining { until } => Some((*until, "reach voice model")),
            State::Live | State::Opening => None,
        };
        let sideband = self.sideband.as_ref().and_then(Sideband::deadline);
        [
            state,
            sideband,
            self.media_deadline(),
            self.response.deadline().filter(|_| self.control.is_up()),
            self.handoffs.deadline(),
            self.control.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Ends everything of it. Observers are told last, and once.
    pub(super) fn end(
        mut self: Box<Self>,
        end: End,
        closings: &mut Closings,
        shared: Option<&mut Shared>,
        cx: &mut Cx<'_>,
    ) {
        let has_started = self.has_started();
        let (on, to) = match &end {
            End::Asked(_) => ("stopped", "(closed)"),
            End::Failed(_) if has_started => ("failed", "(closed)"),
            End::Failed(_) => ("failed", "(failed)"),
            End::Transport => ("transport closed", "(closed)"),
        };
        if let State::Creating(create) = &self.state {
            create.stop(cx);
        }
        if let Some(socket) = self.sideband.take().and_then(|sideband| sideband.stop(cx)) {
            closings.close(socket, self.plan.version, cx);
        }
        let media = self.peer.as_ref().map(|peer| peer.effect).into_iter().chain(self.devices);
        media.for_each(|effect| cx.cancel(effect));
        self.control.closed(cx);
        self.response.closed(cx);
        self.handoffs.closed(cx);
        cx.moved(MACHINE, self.state.name(), on, to);
        if let Some(ms) = self.control.microphone.take_dropped_now()
            && has_started
        {
            self.emit(RealtimeNews::Dropped { ms }, cx);
        }
        let unsent = self.control.unsent();
        let reason = match end {
            End::Asked(reason) => reason,
            End::Transport => RealtimeClosed::TransportClosed,
            End::Failed(Fault { mut message, hint }) => {
                if unsent > 0 {
                    message.push_str(&format!("; {unsent} messages were not sent"));
                }
                self.emit(RealtimeNews::Error { message, hint }, cx);
                if !has_started {
                    return;
                }
                RealtimeClosed::Error
            }
        };
        self.log("closed", cx);
        self.emit(RealtimeNews::Closed { reason }, cx);
        let Some(shared) = shared else { return };
        if !has_started {
            return;
        }
        shared.voice_note.ended(prompt::end_note(&self.plan.start));
        if self.plan.start.handoff.flush_tail {
            let said = transcript::lines(&self.transcript.take(""));
            if !said.trim().is_empty() {
                let text = prompt::delegation(Some("transcript_tail_flush"), &said, "");
                if let Err(refused) = handoff::push(&text, shared, cx) {
                    cx.warn(format!("the end of the conversation was not passed on: {refused}"));
                }
            }
        }
    }
}
