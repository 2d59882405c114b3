//! The answering WebRTC peer of a call, over UDP on loopback.

use std::{
    collections::VecDeque,
    io::{Error, Result},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    rc::Rc,
    time::{Duration, Instant},
};

use smol::{
    Async, Timer,
    channel::{Receiver, unbounded},
    future::FutureExt as _,
};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::SdpOffer,
    channel::ChannelId,
    config::DtlsCert,
    format::Codec,
    media::{Frequency, MediaTime, Mid},
    net::{Protocol, Receive},
};

use super::{
    Via,
    ask::PeerAsk,
    seen,
    session::{Control, Session},
    sound,
};
use crate::voice::Heard;

/// Between two frames of audio.
const FRAME: Duration = Duration::from_millis(20);
/// Longest datagram.
const DATAGRAM_BYTES_MAX: usize = 2_048;

/// What every peer needs: its certificate, and what it says.
pub(crate) struct Ahead {
    certificate: Option<DtlsCert>,
    frames: Rc<Vec<Vec<u8>>>,
}

impl Ahead {
    /// Takes tens of milliseconds.
    pub(crate) fn make() -> Self {
        let certificate = str0m::crypto::from_feature_flags().dtls_provider.generate_certificate();
        Self { certificate, frames: Rc::new(sound::frames()) }
    }
}

/// A peer that has answered.
pub(crate) struct Peer {
    rtc: Rtc,
    socket: Async<UdpSocket>,
    local: SocketAddr,
    session: Rc<Session>,
    asks: Receiver<PeerAsk>,
    /// Whether it hears.
    is_reachable: bool,
    is_echo: bool,
    mid: Option<Mid>,
    channel: Option<(ChannelId, u64)>,
    heard_audio: bool,
    frames: Rc<Vec<Vec<u8>>>,
    /// Frames still to be sent, and when the next one is due.
    speaking: u64,
    due: Instant,
    sent: u64,
    outgoing: VecDeque<Vec<u8>>,
}

impl Peer {
    /// Answers an offer; gives the answer and its only address.
    pub(crate) fn answer(
        offer: &str,
        session: &Rc<Session>,
        is_reachable: bool,
        is_echo: bool,
        ahead: &Ahead,
    ) -> Result<(Self, String, SocketAddr)> {
        let broken = |why: String| Error::other(why);
        let offer = SdpOffer::from_sdp_string(offer).map_err(|why| broken(why.to_string()))?;
        let socket = Async::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)?;
        let local = socket.get_ref().local_addr()?;
        let mut config = Rtc::builder().clear_codecs().enable_opus(true, false).set_ice_lite(true);
        if let Some(certificate) = &ahead.certificate {
            config = config.set_dtls_cert(certificate.clone());
        }
        let mut rtc = config.build(Instant::now());
        let candidate = Candidate::host(local, "udp").map_err(|why| broken(why.to_string()))?;
        rtc.add_local_candidate(candidate);
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|why| broken(why.to_string()))?;
        let (sender, asks) = unbounded();
        session.has_peer(sender);
        let peer = Self {
            rtc,
            socket,
            local,
            session: Rc::clone(session),
            asks,
            is_reachable,
            is_echo,
            mid: None,
            channel: None,
            heard_audio: false,
            frames: Rc::clone(&ahead.frames),
            speaking: 0,
            due: Instant::now(),
            sent: 0,
            outgoing: VecDeque::new(),
        };
        Ok((peer, answer.to_sdp_string(), local))
    }

    /// Runs until the client is gone.
    pub(crate) async fn run(mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        // str0m's contract: after each change a whole drain.
        while let Some(timeout) = self.drain().await {
            let speaks = (self.speaking > 0).then_some(self.due);
            let until = speaks.map_or(timeout, |due| due.min(timeout));
            let next = async { Next::Ask(self.asks.recv().await.ok()) }
                .or(async {
                    match self.socket.recv_from(&mut buffer).await {
                        Ok((count, from)) => Next::Datagram(count, from),
                        // An ICMP refusal of an earlier datagram.
                        Err(_) => Next::Time,
                    }
                })
                .or(async {
                    Timer::at(until).await;
                    Next::Time
                })
                .await;
            let now = Instant::now();
            match next {
                Next::Ask(None) => return,
                Next::Ask(Some(ask)) => self.ask(ask, now),
                Next::Datagram(count, from) if self.is_reachable => {
                    let received = Receive::new(Protocol::Udp, from, self.local, &buffer[..count]);
                    if let Ok(received) = received {
                        // What cannot be understood is not for us.
                        let _ = self.rtc.handle_input(Input::Receive(now, received));
                    }
                }
                Next::Datagram(..) => {}
                Next::Time if speaks.is_some_and(|due| due <= now) => self.speak(now),
                Next::Time => {
                    let _ = self.rtc.handle_input(Input::Timeout(now));
                }
            }
        }
        if let Some((_, number)) = self.channel {
            self.session.lose(number);
        }
        self.session.end();
    }

    /// Sends and tells everything that is due; gives the next time, or nothing at the end.
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    // Changes that an event asked for come after the drain it came in.
                    let Some(frame) = self.outgoing.pop_front() else {
                        return self.rtc.is_alive().then_some(at);
                    };
                    self.write(frame, Instant::now());
                }
                Ok(Output::Transmit(transmit)) if self.is_reachable => {
                    // A lost datagram is one.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination).await;
                }
                Ok(Output::Transmit(_)) => {}
                Ok(Output::Event(event)) => self.event(event),
                Err(_) => return None,
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.session.see(seen::What::MediaUp);
                self.session.hear(Heard::Media);
            }
            Event::ChannelOpen(id, _) if self.channel.is_none() => {
                self.channel = Some((id, self.session.control(Control::Channel)));
                self.session.see(seen::What::ChannelOpen);
                self.session.hear(Heard::Channel);
            }
            Event::ChannelData(data) if !data.binary => {
                if let Ok(text) = std::str::from_utf8(&data.data) {
                    self.session.text(Via::Channel, text);
                }
            }
            Event::ChannelClose(id) if self.channel.is_some_and(|(have, _)| have == id) => {
                if let Some((_, number)) = self.channel.take() {
                    self.session.lose(number);
                }
            }
            Event::MediaAdded(added) => self.mid = Some(added.mid),
            Event::MediaData(data) => {
                if !self.heard_audio {
                    self.heard_audio = true;
                    self.session.see(seen::What::Audio);
                    self.session.hear(Heard::Audio);
                }
                if self.is_echo {
                    self.outgoing.push_back(data.data.to_vec());
                }
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                self.rtc.disconnect();
            }
            _ => {}
        }
    }

    fn ask(&mut self, ask: PeerAsk, now: Instant) {
        match ask {
            PeerAsk::Silence => self.is_reachable = false,
            PeerAsk::Speak(ms) => {
                if self.speaking == 0 {
                    self.due = now;
                }
                self.speaking += ms.div_ceil(20);
            }
            PeerAsk::Text(text) => {
                if let Some((id, _)) = self.channel
                    && let Some(mut channel) = self.rtc.channel(id)
                {
                    // A channel that is full loses it, which a test then sees.
                    let _ = channel.write(false, text.as_bytes());
                }
            }
        }
    }

    fn speak(&mut self, now: Instant) {
        self.speaking -= 1;
        self.due += FRAME;
        let count = self.frames.len().max(1) as u64;
        let index = usize::try_from(self.sent % count).unwrap_or(0);
        if let Some(frame) = self.frames.get(index).cloned() {
            self.write(frame, now);
        }
    }

    fn write(&mut self, frame: Vec<u8>, now: Instant) {
        self.sent += 1;
        let Some(writer) = self.mid.and_then(|mid| self.rtc.writer(mid)) else { return };
        let opus = |params: &&str0m::format::PayloadParams| params.spec().codec == Codec::Opus;
        let Some(pt) = writer.payload_params().find(opus).map(|params| params.pt()) else {
            return;
        };
        let time = MediaTime::new(self.sent * sound::FRAME as u64, Frequency::FORTY_EIGHT_KHZ);
        // A link that is not up takes nothing.
        let _ = writer.write(pt, now, time, frame);
    }
}

enum Next {
    Ask(Option<PeerAsk>),
    Datagram(usize, SocketAddr),
    Time,
}
