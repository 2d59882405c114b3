//! The media of a conversation: our own peer, or our microphone and speaker without one.

use codex_proto::{
    EffectId, EffectKind, Mono, Refused, Reply,
    effect::{AudioDevice, AudioNews, ChannelNews, LinkState, MicrophoneState},
    realtime::{RealtimeNews, RealtimePhase, RealtimeTransport},
};

use super::{
    control::Line,
    conversation::{Conversation, End, Flow, Link},
    fault::Fault,
    plan::refused,
};
use crate::{
    limits::{MEDIA_LOST_MS, MEDIA_UP_MS},
    machine::Cx,
    thread::shared::Shared,
};

/// News of devices that are kept until they can be told.
const EARLY_NEWS_MAX: usize = 8;
const UDP_HINT: &str = "UDP may be blocked here; set `transport = \"websocket\"` under [realtime]";

impl Conversation {
    pub(super) fn on_peer(
        &mut self,
        effect: EffectId,
        reply: Reply,
        shared: &mut Shared,
        cx: &mut Cx<'_>,
    ) -> Flow {
        let Some(peer) = self.peer.as_mut().filter(|peer| peer.effect == effect) else {
            return Flow::Continue(());
        };
        match reply {
            Reply::Offer(offer) => self.offered(offer, cx),
            Reply::Link(LinkState::Up) => {
                let first = matches!(peer.link, Link::Waiting { .. });
                if matches!(peer.link, Link::Unanswered | Link::Up) {
                    return Flow::Continue(());
                }
                peer.link = Link::Up;
                if first {
                    self.log("media up", cx);
                }
                self.emit(RealtimeNews::Phase(RealtimePhase::MediaUp), cx);
            }
            Reply::Link(LinkState::Lost) => {
                if matches!(peer.link, Link::Up) {
                    peer.link = Link::Lost { until: cx.now.mono.after_ms(MEDIA_LOST_MS) };
                    self.emit(RealtimeNews::Phase(RealtimePhase::MediaLost), cx);
                }
            }
            // Of the other versions it is not known what the channel carries.
            Reply::Channel(_) if !peer.has_channel || matches!(peer.link, Link::Unanswered) => {}
            Reply::Channel(ChannelNews::Open) => {
                self.log("data channel open", cx);
                self.line_up(Line::Channel, effect, shared, cx);
            }
            Reply::Channel(ChannelNews::Text(text)) => {
                return self.on_message(Line::Channel, &text, shared, cx);
            }
            Reply::Channel(ChannelNews::Closed) => {
                peer.has_channel = false;
                return self.line_lost(Line::Channel, None, cx);
            }
            Reply::Sent { messages } => self.control.sent(Line::Channel, messages, cx),
            Reply::Audio(news) => self.on_audio_news(news, cx),
            Reply::Closed => {
                let answered = !matches!(peer.link, Link::Unanswered);
                self.peer = None;
                if answered {
                    return Flow::Break(End::Transport);
                }
                let fault = Fault::new("the voice peer ended before the call was created");
                return Flow::Break(End::Failed(fault));
            }
            Reply::Failed(error) => {
                self.peer = None;
                let mut fault = Fault::new(format!("the voice peer failed: {error}"));
                fault.hint = error.hint().map(str::to_owned).or(Some(UDP_HINT.to_owned()));
                return Flow::Break(End::Failed(fault));
            }
            _ => {}
        }
        Flow::Continue(())
    }

    pub(super) fn on_devices(&mut self, effect: EffectId, reply: Reply, cx: &mut Cx<'_>) {
        if self.devices != Some(effect) {
            return;
        }
        match reply {
            Reply::Opened => {
                self.are_devices_open = true;
                self.log("devices open", cx);
                if self.is_controlled {
                    self.emit(RealtimeNews::Phase(RealtimePhase::MediaUp), cx);
                }
            }
            Reply::Audio(news) => self.on_audio_news(news, cx),
            Reply::Closed => self.devices = None,
            Reply::Failed(error) => {
                self.devices = None;
                for device in [AudioDevice::Microphone, AudioDevice::Speaker] {
                    self.tell_device(device, error.to_string(), cx);
                }
            }
            _ => {}
        }
    }

    fn tell_device(&mut self, device: AudioDevice, message: String, cx: &mut Cx<'_>) {
        let name = match device {
            AudioDevice::Microphone => "microphone",
            AudioDevice::Speaker => "speaker",
        };
        // The hints of errors are about networks and disks.
        let hint =
            format!("see `codex voice doctor`, or set `{name}` under [audio]; typed text works");
        let news = RealtimeNews::Device { device, message, hint: Some(hint) };
        if self.has_started() {
            self.emit(news, cx);
        } else if self.early.len() < EARLY_NEWS_MAX {
            self.early.push(news);
        }
    }

    /// What must not come before `Started` is left out until then.
    fn tell(&self, news: RealtimeNews, cx: &mut Cx<'_>) {
        if self.has_started() {
            self.emit(news, cx);
        }
    }

    fn on_audio_news(&mut self, news: AudioNews, cx: &mut Cx<'_>) {
        match news {
            // What was captured before the mute may leave, what comes after it does not.
            AudioNews::Captured(pcm) => {
                if !self.muted && self.plan.start.transport == RealtimeTransport::WebSocket {
                    self.control.push_audio(pcm, cx);
                }
            }
            AudioNews::Device { device, error } => {
                self.tell_device(device, error.to_string(), cx);
            }
            AudioNews::Dropped { ms } => self.tell(RealtimeNews::Dropped { ms }, cx),
            AudioNews::Level { microphone, speaker } => {
                self.tell(RealtimeNews::Levels { microphone, speaker }, cx);
            }
            AudioNews::Played { ms } => self.playback.on_played(ms, cx.now.mono),
        }
    }

    /// Mutes or opens the microphone; also one that is opened later.
    pub(super) fn mute(&mut self, muted: bool, cx: &mut Cx<'_>) -> Result<(), Refused> {
        if matches!(self.plan.start.transport, RealtimeTransport::WebRtcClient { .. }) {
            return Err(refused("this conversation uses the client's own microphone", None));
        }
        self.muted = muted;
        let state = if muted { MicrophoneState::Muted } else { MicrophoneState::On };
        let peer = self.peer.as_ref().map(|peer| peer.effect);
        for target in peer.into_iter().chain(self.devices) {
            cx.tell(EffectKind::Microphone { target, state });
        }
        self.tell(RealtimeNews::Muted(muted), cx);
        Ok(())
    }

    pub(super) fn wake_media(&mut self, cx: &mut Cx<'_>) -> Flow {
        let now = cx.now.mono;
        let message = match self.peer.as_ref().map(|peer| peer.link) {
            Some(Link::Waiting { until }) if until <= now => {
                format!("no audio came through within {} s", MEDIA_UP_MS / 1_000)
            }
            Some(Link::Lost { until }) if until <= now => {
                format!("nothing was heard of the voice service for {} s", MEDIA_LOST_MS / 1_000)
            }
            _ => return Flow::Continue(()),
        };
        Flow::Break(End::Failed(Fault::new(message).hinted(UDP_HINT)))
    }

    pub(super) fn media_deadline(&self) -> Option<(Mono, &'static str)> {
        match self.peer.as_ref()?.link {
            Link::Lost { until } => Some((until, "voice media again")),
            Link::Waiting { until } => Some((until, "voice media")),
            Link::Unanswered | Link::Up => None,
        }
    }
}
