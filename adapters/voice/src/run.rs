//! The shells around the sans-IO parts: a task for a peer, a task for devices without one. Each runs
//! on a thread of its own, so that neither a busy loop makes audio stutter nor encoding delays the
//! loop.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_channel::Receiver;
use async_io::{Async, Timer};
use codex_proto::{
    HostError, HostErrorKind, Reply,
    effect::{AudioDevice, AudioNews, AudioOpen, MicrophoneState, Pcm, RtcOpen},
};
use futures_lite::future;

use crate::{
    address,
    device::{
        Devices,
        lane::{Lane, Open},
    },
    media::{
        gate::Gate,
        level::Meter,
        pcm::{PCM_RATE, RATE, Resampler, from_bytes, peak, to_bytes},
        queue::PlayQueue,
        uplink::Uplink,
    },
    outbox::Outbox,
    peer::{Ask, Peer, PeerOptions, loopbacks},
    warm,
};

/// Captured pieces that wait for the task; the oldest go first.
const CAPTURES_MAX: usize = 64;

/// Largest datagram.
const DATAGRAM_BYTES_MAX: usize = 2_048;

/// Shortest time between two looks at levels and positions.
const REPORT_EVERY: Duration = Duration::from_millis(20);

/// What the loop asks of a running task.
#[derive(Debug)]
pub(crate) enum Command {
    Answer(String),
    Clear,
    /// At the time of asking, so that nothing captured after it leaves.
    Microphone(Instant, MicrophoneState),
    Play(Pcm),
    Send(String),
}

/// A piece of captured audio, and when its first sample was captured.
type Capture = (Instant, Vec<i16>);

/// What ends a wait.
enum Woken {
    /// `None`: to be ended.
    Command(Option<Command>),
    Capture(Capture),
    Datagram(usize, SocketAddr, usize),
    Device(AudioNews),
    Time,
}

/// The microphone of a task, and what it captures.
fn microphone(devices: &Arc<dyn Devices>, name: Option<String>) -> (Lane, Receiver<Capture>) {
    let (sender, captures) = async_channel::bounded(CAPTURES_MAX);
    let open: Open = Box::new(move |devices, name| {
        let sender = sender.clone();
        let sink = move |at: Instant, samples: &[i16]| {
            // Full: the task hangs; the oldest is the least worth.
            let _ = sender.force_send((at, samples.to_vec()));
        };
        devices.microphone(name, Box::new(sink))
    });
    (Lane::new(AudioDevice::Microphone, Arc::clone(devices), name, open), captures)
}

/// The speaker of a task, filled by a function that each device it opens calls.
fn speaker(
    devices: &Arc<dyn Devices>,
    name: Option<String>,
    fill: impl Fn(&mut [i16]) + Clone + Send + 'static,
) -> Lane {
    let open: Open = Box::new(move |devices, name| devices.speaker(name, Box::new(fill.clone())));
    Lane::new(AudioDevice::Speaker, Arc::clone(devices), name, open)
}

/// Runs a peer to its terminal reply.
pub(crate) async fn peer(
    open: RtcOpen,
    devices: Arc<dyn Devices>,
    commands: Receiver<Command>,
    mut outbox: Outbox,
) {
    let made = address::sockets().map_err(|error| {
        let text = format!("no UDP socket can be opened: {error}");
        HostError::new(HostErrorKind::Connect, text)
    });
    let made = made.and_then(|sockets| {
        let address = |socket: &Async<UdpSocket>| socket.get_ref().local_addr().ok();
        let options = PeerOptions {
            channel: open.channel.clone(),
            microphone: open.microphone,
            preroll: Duration::from_millis(open.preroll_ms),
            silence: Duration::from_millis(open.silence_ms),
            addresses: sockets.iter().filter_map(address).collect(),
            certificate: warm::certificate(),
        };
        Ok((Peer::new(Instant::now(), options)?, sockets))
    });
    let ((mut peer, offer), mut sockets) = match made {
        Ok(made) => made,
        Err(error) => {
            outbox.push(Reply::Failed(error));
            return outbox.finish().await;
        }
    };
    outbox.push(Reply::Offer(offer));
    let (mut microphone, captures) = microphone(&devices, open.devices.microphone);
    let playout = peer.playout();
    let mut speaker = speaker(&devices, open.devices.speaker, move |samples| {
        let mut playout = playout.lock().unwrap_or_else(PoisonError::into_inner);
        playout.pull(Instant::now(), samples);
    });
    // A peer that is made ahead opens no device.
    microphone.set_open(open.microphone != MicrophoneState::Off);
    speaker.set_open(open.microphone != MicrophoneState::Off);
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    let mut unsent_count = 0_u64;
    let mut is_closing = false;
    loop {
        while let Some(ask) = peer.poll() {
            match ask {
                Ask::Tell(reply) => outbox.push(reply),
                Ask::Transmit(transmit) => {
                    let is_from = |socket: &&Async<UdpSocket>| {
                        socket.get_ref().local_addr().ok() == Some(transmit.source)
                    };
                    let Some(socket) = sockets.iter().find(is_from) else { continue };
                    // Like the network itself, it may lose a datagram; the protocols above expect
                    // that. A family without a route fails for each.
                    let sent = socket.get_ref().send_to(&transmit.contents, transmit.destination);
                    if let Err(error) = sent {
                        unsent_count += 1;
                        tracing::debug!(%error, unsent_count, "a datagram was not sent");
                    }
                }
            }
        }
        if peer.is_ended() || outbox.is_ended() || outbox.is_deserted() {
            break;
        }
        let wait = async {
            let media = future::or(
                async { captures.recv().await.map_or(Woken::Time, Woken::Capture) },
                async {
                    let (index, from, length) =
                        poll_fn(|cx| poll_sockets(&sockets, &mut buffer, cx)).await;
                    Woken::Datagram(index, from, length)
                },
            );
            let time = future::or(
                async {
                    outbox.told().await;
                    Woken::Time
                },
                async {
                    Timer::at(peer.deadline()).await;
                    Woken::Time
                },
            );
            let devices = future::or(microphone.news(), speaker.news());
            let asked = asked(&commands, is_closing);
            let devices = async { Woken::Device(devices.await) };
            future::or(future::or(asked, devices), future::or(media, time)).await
        };
        let woken = wait.await;
        let now = Instant::now();
        match woken {
            Woken::Command(None) => {
                is_closing = true;
                microphone.set_open(false);
                peer.close(now);
            }
            Woken::Command(Some(command)) => match command {
                Command::Answer(sdp) => {
                    for address in loopbacks(&sdp) {
                        add_address(&mut peer, &mut sockets, address, now);
                    }
                    peer.answer(now, &sdp);
                    speaker.set_open(true);
                }
                Command::Clear => peer.clear(),
                Command::Microphone(at, state) => {
                    peer.microphone(at, state);
                    let is_open = state != MicrophoneState::Off;
                    microphone.set_open(is_open);
                    if is_open {
                        speaker.set_open(true);
                    }
                }
                Command::Play(_) => {}
                Command::Send(text) => peer.send(now, text),
            },
            Woken::Capture((at, samples)) => peer.capture(now, at, &samples),
            Woken::Datagram(index, from, length) => {
                let local =
                    sockets.get(index).and_then(|socket| socket.get_ref().local_addr().ok());
                if let (Some(local), Some(bytes)) = (local, buffer.get(..length)) {
                    peer.receive(now, from, local, bytes);
                }
            }
            Woken::Device(news) => outbox.push(Reply::Audio(news)),
            Woken::Time => {}
        }
        if now >= peer.deadline() {
            peer.tick(now);
        }
    }
    drop((microphone, speaker, sockets));
    outbox.finish().await;
}

/// The next command, or `None` once when this is to end.
async fn asked(commands: &Receiver<Command>, is_closing: bool) -> Woken {
    if is_closing {
        return std::future::pending().await;
    }
    Woken::Command(commands.recv().await.ok())
}

/// Opens a socket on an address that has none.
fn add_address(peer: &mut Peer, sockets: &mut Vec<Async<UdpSocket>>, ip: IpAddr, now: Instant) {
    let local = |socket: &Async<UdpSocket>| socket.get_ref().local_addr().ok();
    if sockets.iter().filter_map(local).any(|address| address.ip() == ip) {
        return;
    }
    let Ok(socket) = address::bind(ip) else { return };
    if let Some(address) = local(&socket) {
        sockets.push(socket);
        peer.add_address(now, address);
    }
}

/// The first datagram of any socket: which one, from whom, how long.
pub(crate) fn poll_sockets(
    sockets: &[Async<UdpSocket>],
    buffer: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<(usize, SocketAddr, usize)> {
    for (index, socket) in sockets.iter().enumerate() {
        // A bound on errors that come one after the other, each about a datagram sent before.
        for _ in 0..16 {
            match socket.get_ref().recv_from(buffer) {
                Ok((length, from)) => return Poll::Ready((index, from, length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.poll_readable(cx).is_pending() {
                        break;
                    }
                }
                Err(error) => tracing::debug!(%error, "a socket reports"),
            }
        }
    }
    Poll::Pending
}

/// Runs microphone and speaker without a peer, until it is to end.
pub(crate) async fn audio(
    open: AudioOpen,
    devices: Arc<dyn Devices>,
    commands: Receiver<Command>,
    mut outbox: Outbox,
) {
    let mut local = Local::new(Instant::now(), open.microphone);
    let (mut microphone, captures) = microphone(&devices, open.devices.microphone);
    let queue = Arc::clone(&local.queue);
    let mut speaker = speaker(&devices, open.devices.speaker, move |samples| {
        queue.lock().unwrap_or_else(PoisonError::into_inner).pull(samples);
    });
    microphone.set_open(open.microphone != MicrophoneState::Off);
    speaker.set_open(true);
    outbox.push(Reply::Opened);
    while !outbox.is_ended() && !outbox.is_deserted() {
        let wait = async {
            let devices = future::or(microphone.news(), speaker.news());
            let devices = async { Woken::Device(devices.await) };
            let captured = async { captures.recv().await.map_or(Woken::Time, Woken::Capture) };
            let time = future::or(
                async {
                    outbox.told().await;
                    Woken::Time
                },
                async {
                    Timer::at(local.looked + REPORT_EVERY).await;
                    Woken::Time
                },
            );
            let asked = asked(&commands, false);
            future::or(future::or(asked, devices), future::or(captured, time)).await
        };
        let woken = wait.await;
        let now = Instant::now();
        match woken {
            Woken::Command(None) => outbox.push(Reply::Closed),
            Woken::Command(Some(command)) => match command {
                Command::Clear => local.queue().clear(),
                Command::Microphone(at, state) => {
                    local.uplink.set(at, state);
                    microphone.set_open(state != MicrophoneState::Off);
                }
                Command::Play(pcm) => local.play(&pcm),
                Command::Answer(_) | Command::Send(_) => {}
            },
            Woken::Capture((at, samples)) => local.capture(now, at, &samples),
            Woken::Device(news) => outbox.push(Reply::Audio(news)),
            Woken::Datagram(..) | Woken::Time => {}
        }
        local.look(now, &mut outbox);
    }
    drop((microphone, speaker));
    outbox.finish().await;
}

/// Audio that goes through the engine.
struct Local {
    uplink: Uplink,
    resampler: Resampler,
    gate: Gate,
    meter: Meter,
    queue: Arc<Mutex<PlayQueue>>,
    looked: Instant,
}

impl Local {
    fn new(now: Instant, microphone: MicrophoneState) -> Self {
        // Frames are taken as they come; the bound of what waits is the outbox's.
        let mut uplink = Uplink::new(now, microphone, Duration::from_secs(1));
        uplink.set_up(true);
        Self {
            uplink,
            resampler: Resampler::new(RATE, PCM_RATE),
            gate: Gate::default(),
            meter: Meter::default(),
            queue: Arc::new(Mutex::new(PlayQueue::new())),
            looked: now,
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, PlayQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn play(&mut self, pcm: &Pcm) {
        let lost = self.queue().push(&from_bytes(&pcm.0));
        if lost > 0 {
            let ms = lost as u64 * 1_000 / u64::from(PCM_RATE);
            tracing::warn!(ms, "more audio came than can wait for the speaker; it is not played");
        }
    }

    fn capture(&mut self, now: Instant, captured: Instant, samples: &[i16]) {
        self.meter.captured(samples);
        if self.gate.passes(now, peak(samples)) {
            self.uplink.capture(captured, samples);
        } else {
            self.uplink.capture(captured, &vec![0; samples.len()]);
        }
    }

    /// Tells what is due: captured frames, positions, levels.
    fn look(&mut self, now: Instant, outbox: &mut Outbox) {
        while let Some((_, frame)) = self.uplink.next_unpaced() {
            let mut samples = Vec::with_capacity(frame.samples.len());
            self.resampler.push(&frame.samples, &mut samples);
            if !samples.is_empty() {
                outbox.push(Reply::Audio(AudioNews::Captured(Pcm(to_bytes(&samples)))));
            }
        }
        if now.saturating_duration_since(self.looked) < REPORT_EVERY {
            return;
        }
        self.looked = now;
        let level = self.queue().take_level();
        self.meter.played(level);
        self.gate.played(now, level);
        if let Some(ms) = self.queue().report(now) {
            outbox.push(Reply::Audio(AudioNews::Played { ms }));
        }
        if let Some((microphone, speaker)) = self.meter.report(now) {
            outbox.push(Reply::Audio(AudioNews::Level { microphone, speaker }));
        }
    }
}
