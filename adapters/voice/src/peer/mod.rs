//! The peer: offer, answer, media and data channel of one conversation, without sockets, devices and
//! clock. What to send and what to tell is taken from [`Peer::poll`]; [`Peer::deadline`] says when to
//! [`Peer::tick`].
//!
//! ```text
//! state     on                                  does                             next
//! Offered   answer                              starts to connect                Connecting
//!           an answer that cannot be used       Failed                           Ended
//! Connecting a path is found                    Link(Connected)                  Connecting
//!           encryption is up                    Link(Up), sends the pre-roll     Up
//! Up        nothing comes for `silence`         Link(Lost)                       Lost
//! Lost      something comes                     Link(Up)                         Up
//! any       the peer ends it                    Closed                           Ended
//!           close                               tells the peer                   Closing
//! Closing   told, or CLOSE_WITHIN is over       Closed                           Ended
//! ```
//!
//! Contract of str0m: each change of the connection is followed by a whole drain of its outputs.

mod sdp;
mod watch;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{AudioNews, ChannelNews, LinkState, MicrophoneState},
};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError,
    change::{SdpAnswer, SdpPendingOffer},
    channel::ChannelId,
    config::DtlsCert,
    format::Codec,
    media::{Direction, Frequency, MediaKind, Mid, Pt},
    net::{Protocol, Receive, Transmit},
    rtp::{RtpWrite, SeqNo},
};

use self::watch::Watch;
use crate::media::{
    codec::Encoder, gate::Gate, level::Meter, pcm::peak, playout::Playout, uplink::Uplink,
};

pub(crate) use self::sdp::loopbacks;

/// Longest time to tell the peer of the end.
const CLOSE_WITHIN: Duration = Duration::from_millis(300);

/// Longest time between two checks that the path lives. A live peer is heard as often.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Checks that may stay unanswered before str0m gives the path up: 20 s.
const CHECKS_MAX: usize = 20;

/// Shortest time between two reports of levels.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Messages and bytes that wait for the data channel.
const TEXTS_MAX: usize = 1_024;
const TEXTS_BYTES_MAX: usize = 8 << 20;

/// What a peer needs to know.
pub(crate) struct PeerOptions {
    /// Label of the data channel.
    pub(crate) channel: String,
    /// What the microphone does at first.
    pub(crate) microphone: MicrophoneState,
    /// Bound of captured audio that waits for the link.
    pub(crate) preroll: Duration,
    /// Nothing from the peer for this long is a loss.
    pub(crate) silence: Duration,
    /// Local addresses, concrete ones.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Made ahead.
    pub(crate) certificate: Option<DtlsCert>,
}

/// What a peer asks for.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Tell this.
    Tell(Reply),
    /// Send this.
    Transmit(Transmit),
}

/// See the module.
pub(crate) struct Peer {
    rtc: Rtc,
    started: Instant,
    now: Instant,
    rtc_deadline: Instant,
    state: State,
    mid: Mid,
    opus: Option<Pt>,
    sequence: SeqNo,
    channel: Option<ChannelId>,
    channel_label: String,
    texts: VecDeque<String>,
    texts_bytes: usize,
    asks: VecDeque<Ask>,
    is_connected: bool,
    watch: Watch,
    uplink: Uplink,
    encoder: Encoder,
    gate: Gate,
    meter: Meter,
    reported: Instant,
    playout: Arc<Mutex<Playout>>,
}

enum State {
    Offered(SdpPendingOffer),
    Connecting,
    Up,
    Closing { until: Instant },
    Ended,
}

impl Peer {
    /// Makes a peer and its offer.
    pub(crate) fn new(now: Instant, options: PeerOptions) -> Result<(Self, String), HostError> {
        let mut config = Rtc::builder().clear_codecs().enable_opus(true, false).set_rtp_mode(true);
        config.set_max_stun_rto(CHECK_EVERY);
        config.set_max_stun_retransmits(CHECKS_MAX);
        if let Some(certificate) = options.certificate {
            config = config.set_dtls_cert(certificate);
        }
        let mut rtc = config.build(now);
        for address in &options.addresses {
            add_candidate(&mut rtc, *address);
        }
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        change.add_channel(options.channel.clone());
        let (offer, pending) = change.apply().ok_or_else(|| {
            HostError::new(HostErrorKind::Other, "no offer can be made of this peer")
        })?;
        let offer = offer.to_sdp_string();
        let mut peer = Self {
            rtc,
            started: now,
            now,
            rtc_deadline: now,
            state: State::Offered(pending),
            mid,
            opus: None,
            sequence: SeqNo::from(1),
            channel: None,
            channel_label: options.channel,
            texts: VecDeque::new(),
            texts_bytes: 0,
            asks: VecDeque::new(),
            is_connected: false,
            watch: Watch::new(options.silence),
            uplink: Uplink::new(now, options.microphone, options.preroll),
            encoder: Encoder::new()?,
            gate: Gate::default(),
            meter: Meter::default(),
            reported: now,
            playout: Arc::new(Mutex::new(Playout::new()?)),
        };
        peer.drain();
        Ok((peer, offer))
    }

    /// What the speaker plays.
    pub(crate) fn playout(&self) -> Arc<Mutex<Playout>> {
        Arc::clone(&self.playout)
    }

    /// Takes the peer's answer. One that cannot be used ends this peer.
    pub(crate) fn answer(&mut self, now: Instant, answer: &str) {
        self.now = now;
        let State::Offered(_) = &self.state else { return };
        let State::Offered(pending) = std::mem::replace(&mut self.state, State::Connecting) else {
            return;
        };
        if let Err(why) = self.accept(pending, answer) {
            let text = format!("the answer of the voice service cannot be used: {why}");
            self.fail(HostError::new(HostErrorKind::Other, text));
        }
        self.drain();
    }

    fn accept(&mut self, pending: SdpPendingOffer, answer: &str) -> Result<(), String> {
        let answer = sdp::mend(answer)?;
        let answer = SdpAnswer::from_sdp_string(&answer).map_err(|error| sdp::explain(&error))?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, answer);
        accepted.map_err(|error| sdp::explain(&error))?;
        let config = self.rtc.codec_config();
        let opus = config.find(|params| params.spec().codec == Codec::Opus).map(|opus| opus.pt());
        let media = self.rtc.media(self.mid).filter(|media| !media.disabled());
        let takes = |pt: &Pt| media.is_some_and(|media| media.remote_pts().contains(pt));
        self.opus = Some(opus.filter(takes).ok_or("it has no audio with Opus")?);
        Ok(())
    }

    /// Adds a local address after the offer was made.
    pub(crate) fn add_address(&mut self, now: Instant, address: SocketAddr) {
        self.now = now;
        add_candidate(&mut self.rtc, address);
        self.drain();
    }

    /// Takes a datagram that came to a local address.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        source: SocketAddr,
        local: SocketAddr,
        bytes: &[u8],
    ) {
        self.now = now;
        let Ok(receive) = Receive::new(Protocol::Udp, source, local, bytes) else { return };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return;
        }
        let handled = self.rtc.handle_input(input);
        self.handled(handled);
        if let Some(state) = self.watch.heard(now) {
            self.tell_link(state);
        }
        self.drain();
    }

    /// Takes what the microphone captured from `captured` on.
    pub(crate) fn capture(&mut self, now: Instant, captured: Instant, samples: &[i16]) {
        self.now = now;
        self.meter.captured(samples);
        let speaker = self.playout().lock().unwrap_or_else(PoisonError::into_inner).take_level();
        self.meter.played(speaker);
        self.gate.played(now, speaker);
        if self.gate.passes(now, peak(samples)) {
            self.uplink.capture(captured, samples);
        } else {
            self.uplink.capture(captured, &vec![0; samples.len()]);
        }
        self.send_frames();
    }

    /// Sets what the microphone does from now on.
    pub(crate) fn microphone(&mut self, now: Instant, state: MicrophoneState) {
        self.uplink.set(now, state);
    }

    #[cfg(test)]
    pub(crate) fn microphone_state(&self) -> MicrophoneState {
        self.uplink.state()
    }

    /// Sends a message over the data channel, once it is open.
    pub(crate) fn send(&mut self, now: Instant, text: String) {
        self.now = now;
        self.texts_bytes += text.len();
        self.texts.push_back(text);
        if self.texts.len() > TEXTS_MAX || self.texts_bytes > TEXTS_BYTES_MAX {
            let text = format!(
                "{} messages of {} bytes wait for the data channel, which takes none",
                self.texts.len(),
                self.texts_bytes
            );
            self.fail(HostError::new(HostErrorKind::TooLarge, text));
        }
        self.drain();
    }

    /// Drops what waits for the speaker.
    pub(crate) fn clear(&mut self) {
        self.playing().clear();
    }

    /// Tells the peer of the end.
    pub(crate) fn close(&mut self, now: Instant) {
        self.now = now;
        match self.state {
            State::Closing { .. } | State::Ended => return,
            State::Offered(_) | State::Connecting => self.end(Reply::Closed),
            State::Up => {
                self.uplink.set_up(false);
                let closed = self.rtc.close();
                self.state = State::Closing { until: now + CLOSE_WITHIN };
                self.handled(closed);
            }
        }
        self.drain();
    }

    /// When to tick at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        let mut deadline = self.rtc_deadline;
        let sooner = [self.uplink.deadline(), self.watch.deadline()];
        for at in sooner.into_iter().flatten() {
            deadline = deadline.min(at);
        }
        match self.state {
            State::Closing { until } => deadline.min(until),
            // Made ahead, and nobody speaks: nothing is to be reported.
            State::Offered(_) if self.uplink.state() == MicrophoneState::Off => deadline,
            State::Connecting | State::Offered(_) | State::Up => {
                deadline.min(self.reported + REPORT_EVERY)
            }
            State::Ended => deadline,
        }
    }

    /// Does what time has made due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.now = now;
        if now >= self.rtc_deadline {
            let handled = self.rtc.handle_input(Input::Timeout(now));
            self.handled(handled);
        }
        if let Some(state) = self.watch.check(now) {
            self.tell_link(state);
        }
        self.send_frames();
        if now.saturating_duration_since(self.reported) >= REPORT_EVERY {
            self.reported = now;
            let speaker = self.playing().take_level();
            self.meter.played(speaker);
            self.gate.played(now, speaker);
            if let Some((microphone, speaker)) = self.meter.report(now) {
                self.tell(Reply::Audio(AudioNews::Level { microphone, speaker }));
            }
            if let Some(ms) = self.uplink.take_dropped(now) {
                tracing::warn!(ms, "captured audio waited too long for the link and was dropped");
                self.tell(Reply::Audio(AudioNews::Dropped { ms }));
            }
        }
        self.drain();
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Whether the terminal reply was told.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn playing(&self) -> MutexGuard<'_, Playout> {
        self.playout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_frames(&mut self) {
        while let Some((time, frame)) = self.uplink.next(self.now) {
            let Some(opus) = self.opus else { return };
            let Some(packet) = self.encoder.encode(&frame.samples) else { continue };
            let sequence = self.sequence.inc();
            // The stream's clock wraps as RTP has it.
            let write = RtpWrite::new(opus, sequence, time as u32, self.now, packet);
            let mut api = self.rtc.direct_api();
            if let Some(stream) = api.stream_tx_by_mid(self.mid, None) {
                stream.write_rtp(write);
            }
            self.drain();
        }
    }

    /// Takes everything that str0m has to say, and gives it what waited for that.
    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_deadline = at;
                    if !self.write_text() {
                        break;
                    }
                }
                Ok(Output::Transmit(transmit)) => self.asks.push_back(Ask::Transmit(transmit)),
                Ok(Output::Event(event)) => self.on(event),
                Err(error) => {
                    self.handled(Err(error));
                    break;
                }
            }
        }
        if let State::Closing { until } = self.state
            && (self.now >= until || !self.rtc.is_alive())
        {
            self.end(Reply::Closed);
        }
    }

    /// Gives str0m one message; says whether it took it.
    fn write_text(&mut self) -> bool {
        let (Some(id), State::Up) = (self.channel, &self.state) else { return false };
        let (Some(text), Some(mut channel)) = (self.texts.front(), self.rtc.channel(id)) else {
            return false;
        };
        match channel.write(false, text.as_bytes()) {
            Ok(true) => {
                self.texts_bytes -= text.len();
                self.texts.pop_front();
                self.tell(Reply::Sent { messages: 1 });
                true
            }
            Ok(false) => false,
            Err(error) => {
                self.handled(Err(error));
                false
            }
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::IceConnectionStateChange(state) => match state {
                IceConnectionState::Connected | IceConnectionState::Completed => {
                    if !std::mem::replace(&mut self.is_connected, true) {
                        self.tell_link(LinkState::Connected);
                    }
                }
                IceConnectionState::Disconnected => {
                    if let Some(state) = self.watch.gone() {
                        self.tell_link(state);
                    }
                }
                IceConnectionState::Checking | IceConnectionState::New => {}
            },
            Event::Connected => {
                if matches!(self.state, State::Connecting) {
                    self.state = State::Up;
                    self.reported = self.now;
                    self.watch.start(self.now);
                    self.uplink.set_up(true);
                    self.tell_link(LinkState::Up);
                }
            }
            Event::RtpPacket(packet) => {
                let time = packet.time.rebase(Frequency::FORTY_EIGHT_KHZ).numer();
                if Some(packet.header.payload_type) == self.opus && !packet.payload.is_empty() {
                    self.playing().insert(packet.timestamp, time, packet.payload);
                }
            }
            Event::ChannelOpen(id, label)
                if label == self.channel_label && self.channel.is_none() =>
            {
                self.channel = Some(id);
                self.tell(Reply::Channel(ChannelNews::Open));
            }
            Event::ChannelData(data) if Some(data.id) == self.channel => {
                self.tell(Reply::Channel(ChannelNews::Text(data.data)));
            }
            Event::ChannelClose(id) if Some(id) == self.channel => {
                self.channel = None;
                self.tell(Reply::Channel(ChannelNews::Closed));
            }
            Event::Closed => self.end(Reply::Closed),
            // Statistics, feedback, further media and channels are not used.
            _ => {}
        }
    }

    /// A malformed packet is the sender's affair; any other failure ends the peer.
    fn handled(&mut self, result: Result<(), RtcError>) {
        match result {
            Ok(()) => {}
            Err(RtcError::Net(error)) => tracing::debug!(%error, "a datagram was not understood"),
            Err(error) => {
                let text = format!("the connection for voice broke: {error}");
                self.fail(HostError::new(HostErrorKind::Disconnected, text));
            }
        }
    }

    fn tell(&mut self, reply: Reply) {
        if !self.is_ended() {
            self.asks.push_back(Ask::Tell(reply));
        }
    }

    fn tell_link(&mut self, link: LinkState) {
        let elapsed_ms = self.now.saturating_duration_since(self.started).as_millis() as u64;
        match link {
            LinkState::Connected => tracing::info!(elapsed_ms, "a path to the voice service works"),
            LinkState::Up => tracing::info!(elapsed_ms, "media up"),
            LinkState::Lost => tracing::warn!(elapsed_ms, "nothing comes from the voice service"),
        }
        self.tell(Reply::Link(link));
    }

    fn fail(&mut self, error: HostError) {
        self.end(Reply::Failed(error));
    }

    fn end(&mut self, reply: Reply) {
        if self.is_ended() {
            return;
        }
        let counts = self.playing().counts();
        tracing::info!(?counts, "the voice peer has ended");
        self.tell(reply);
        self.state = State::Ended;
        self.uplink.set_up(false);
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("uplink", &self.uplink.state()).finish_non_exhaustive()
    }
}

fn add_candidate(rtc: &mut Rtc, address: SocketAddr) {
    match Candidate::host(address, "udp") {
        Ok(candidate) => drop(rtc.add_local_candidate(candidate).is_some()),
        Err(error) => tracing::warn!(%error, "a local address is not used"),
    }
}

#[cfg(test)]
mod tests;
