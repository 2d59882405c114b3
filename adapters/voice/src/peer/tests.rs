//! A peer and the service it talks to, in virtual time, over a network that delays, loses and
//! reorders.

use std::collections::BTreeMap;

use super::*;
use crate::media::{
    codec::Decoder,
    pcm::{FRAME, duration, peak},
};

const MS: Duration = Duration::from_millis(1);
const OURS: &str = "10.0.0.1:4000";
const THEIRS: &str = "10.0.0.2:5000";

/// What the network does to datagrams, each way.
#[derive(Clone, Copy)]
struct Network {
    delay: Duration,
    /// Each datagram waits up to so much longer, so that they overtake each other.
    jitter: Duration,
    loss_percent: u64,
}

const QUIET: Network =
    Network { delay: Duration::from_millis(30), jitter: Duration::ZERO, loss_percent: 0 };

struct World {
    start: Instant,
    now: Instant,
    network: Network,
    is_cut: bool,
    random: u64,
    sent_count: u64,
    /// Datagrams under way: to us, from whom, bytes.
    flying: BTreeMap<(Instant, u64), (bool, Vec<u8>)>,
    peer: Peer,
    told: Vec<(Duration, Reply)>,
    service: Rtc,
    service_deadline: Instant,
    service_mid: Option<Mid>,
    service_channel: Option<ChannelId>,
    service_sequence: SeqNo,
    /// What the service heard: RTP time, packet.
    heard: Vec<(Duration, u64, Arc<[u8]>)>,
    texts: Vec<(Duration, String)>,
    speaks: Option<Encoder>,
    spoken: u64,
    speaker: Vec<i16>,
    /// How much too fast the speaker's clock is, in parts per million, and when it plays next.
    speaker_ppm: u32,
    speaker_due: Instant,
    microphone: Box<dyn FnMut(u64) -> i16>,
    captured: u64,
}

impl World {
    fn new(network: Network, microphone: MicrophoneState) -> (Self, String) {
        let start = Instant::now();
        let options = PeerOptions {
            channel: "oai-events".into(),
            microphone,
            preroll: Duration::from_secs(2),
            silence: Duration::from_secs(3),
            addresses: vec![OURS.parse().unwrap()],
            certificate: None,
        };
        let (peer, offer) = Peer::new(start, options).unwrap();
        let mut service =
            Rtc::builder().clear_codecs().enable_opus(true, false).set_rtp_mode(true).build(start);
        add_candidate(&mut service, THEIRS.parse().unwrap());
        let world = Self {
            start,
            now: start,
            network,
            is_cut: false,
            random: 42,
            sent_count: 0,
            flying: BTreeMap::new(),
            peer,
            told: Vec::new(),
            service,
            service_deadline: start,
            service_mid: None,
            service_channel: None,
            service_sequence: SeqNo::from(1),
            heard: Vec::new(),
            texts: Vec::new(),
            speaks: None,
            spoken: 0,
            speaker: Vec::new(),
            speaker_ppm: 0,
            speaker_due: start + MS * 20,
            microphone: Box::new(|_| 0),
            captured: 0,
        };
        (world, offer)
    }

    /// The service's answer, in the shape that the public documentation shows: no direction.
    fn answer(&mut self, offer: &str) -> String {
        let offer = str0m::change::SdpOffer::from_sdp_string(offer).unwrap();
        let answer = self.service.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        self.drain_service();
        answer.replace("a=sendrecv\r\n", "")
    }

    fn connected(network: Network, microphone: MicrophoneState) -> Self {
        let (mut world, offer) = Self::new(network, microphone);
        let answer = world.answer(&offer);
        world.peer.answer(world.now, &answer);
        world
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn transmit(&mut self, to_peer: bool, bytes: Vec<u8>) {
        let (dice, more) = (self.random() % 100, self.random());
        if self.is_cut || dice < self.network.loss_percent {
            return;
        }
        let jitter = self.network.jitter.as_micros().max(1) as u64;
        let at = self.now + self.network.delay + Duration::from_micros(more % jitter);
        self.sent_count += 1;
        self.flying.insert((at, self.sent_count), (to_peer, bytes));
    }

    fn drain_service(&mut self) {
        loop {
            match self.service.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.service_deadline = at;
                    return;
                }
                Output::Transmit(transmit) => self.transmit(true, transmit.contents.to_vec()),
                Output::Event(Event::MediaAdded(media)) => self.service_mid = Some(media.mid),
                Output::Event(Event::ChannelOpen(id, label)) => {
                    assert_eq!(label, "oai-events");
                    self.service_channel = Some(id);
                }
                Output::Event(Event::ChannelData(data)) => {
                    let at = self.now - self.start;
                    self.texts.push((at, String::from_utf8(data.data).unwrap()));
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let time = packet.time.rebase(Frequency::FORTY_EIGHT_KHZ).numer();
                    self.heard.push((self.now - self.start, time, packet.payload));
                }
                Output::Event(_) => {}
            }
        }
    }

    fn drain_peer(&mut self) {
        while let Some(ask) = self.peer.poll() {
            match ask {
                Ask::Tell(reply) => self.told.push((self.now - self.start, reply)),
                Ask::Transmit(transmit) => {
                    assert_eq!(transmit.source, OURS.parse().unwrap());
                    self.transmit(false, transmit.contents.to_vec());
                }
            }
        }
    }

    /// Runs for so long: the microphone delivers 10 ms at a time, 10 ms late; the speaker takes 20.
    fn run(&mut self, duration_: Duration) {
        let end = self.now + duration_;
        while self.now < end {
            self.now += MS;
            while let Some(entry) = self.flying.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let (to_peer, bytes) = entry.remove();
                let (ours, theirs) = (OURS.parse().unwrap(), THEIRS.parse().unwrap());
                if to_peer {
                    self.peer.receive(self.now, theirs, ours, &bytes);
                    self.drain_peer();
                } else {
                    let receive = Receive::new(Protocol::Udp, ours, theirs, &bytes).unwrap();
                    self.service.handle_input(Input::Receive(self.now, receive)).unwrap();
                    self.drain_service();
                }
            }
            if self.now >= self.service_deadline {
                self.service.handle_input(Input::Timeout(self.now)).unwrap();
                self.drain_service();
            }
            let elapsed = (self.now - self.start).as_millis() as u64;
            if elapsed.is_multiple_of(10) {
                let captured = self.now - MS * 10;
                let value = (self.microphone)(self.captured);
                self.captured += 1;
                if self.peer.microphone_state() != MicrophoneState::Off {
                    self.peer.capture(self.now, captured, &vec![value; FRAME / 2]);
                }
            }
            if elapsed.is_multiple_of(20) {
                self.speak();
            }
            if self.now >= self.speaker_due {
                self.speaker_due +=
                    Duration::from_nanos(20_000_000 - u64::from(self.speaker_ppm) * 20);
                let mut frame = [0; FRAME];
                self.peer.playing().pull(self.now, &mut frame);
                self.speaker.extend(frame);
            }
            if self.now >= self.peer.deadline() {
                self.peer.tick(self.now);
            }
            self.drain_peer();
        }
    }

    fn speak(&mut self) {
        let (Some(encoder), Some(mid)) = (&mut self.speaks, self.service_mid) else { return };
        let spoken = self.spoken;
        let tone = std::array::from_fn(|n| {
            let seconds = (spoken as f64 * FRAME as f64 + n as f64) / 48_000.0;
            ((seconds * 300.0 * std::f64::consts::TAU).sin() * 9_000.0) as i16
        });
        self.spoken += 1;
        let packet = encoder.encode(&tone).unwrap().to_vec();
        let config = self.service.codec_config();
        let pt = config.find(|params| params.spec().codec == Codec::Opus).unwrap().pt();
        let (sequence, time) = (self.service_sequence.inc(), spoken as u32 * FRAME as u32);
        let write = RtpWrite::new(pt, sequence, time, self.now, packet);
        let mut api = self.service.direct_api();
        api.stream_tx_by_mid(mid, None).unwrap().write_rtp(write);
        self.drain_service();
    }

    fn links(&self) -> Vec<(u128, LinkState)> {
        let told = self.told.iter().filter_map(|(at, reply)| match reply {
            Reply::Link(state) => Some((at.as_millis(), *state)),
            _ => None,
        });
        told.collect()
    }
}

#[test]
fn it_connects_in_three_round_trips_and_talks_both_ways() {
    let mut world = World::connected(QUIET, MicrophoneState::On);
    world.peer.send(world.now, "first".into());
    world.microphone = Box::new(|n| if n % 2 == 0 { 5_000 } else { -5_000 });
    world.run(MS * 1_000);
    let links = world.links();
    let [(connected, LinkState::Connected), (up, LinkState::Up)] = links[..] else {
        panic!("{links:?}");
    };
    assert!(connected <= 70 && up <= 200, "60 ms a round trip: {links:?}");
    assert_eq!(world.texts[0].1, "first");
    assert!(world.texts[0].0 <= MS * 400, "6.5 round trips: {:?}", world.texts);
    let sent = world.told.iter().filter(|(_, reply)| matches!(reply, Reply::Sent { .. })).count();
    assert_eq!(sent, 1);
    // What was captured before the link was up came too, in order and without a hole.
    let times: Vec<u64> = world.heard.iter().map(|(_, time, _)| time - world.heard[0].1).collect();
    assert!(times.len() >= 45, "{}", times.len());
    assert!(times.iter().enumerate().all(|(n, time)| *time == (n * FRAME) as u64), "{times:?}");
    let mut decoder = Decoder::new().unwrap();
    let heard = world.heard.iter().map(|(_, _, packet)| peak(decoder.decode(packet))).max();
    assert!(heard.unwrap() > 3_000, "{heard:?}");

    world.speaks = Some(Encoder::new().unwrap());
    let id = world.service_channel.unwrap();
    assert!(world.service.channel(id).unwrap().write(false, b"hello").unwrap());
    world.drain_service();
    world.run(MS * 2_000);
    let text = Reply::Channel(ChannelNews::Text(b"hello".to_vec()));
    assert!(world.told.iter().any(|(_, reply)| *reply == text));
    let silent = world.speaker[48_000 * 3 / 2..].chunks(FRAME).filter(|f| peak(f) < 1_000).count();
    assert_eq!(silent, 0, "speech without gaps");
    let levels = world.told.iter().filter_map(|(_, reply)| match reply {
        Reply::Audio(AudioNews::Level { speaker, .. }) => Some(*speaker),
        _ => None,
    });
    let levels: Vec<u16> = levels.collect();
    assert!(levels.len() <= 31 && levels.iter().any(|level| *level > 5_000), "{levels:?}");
}

#[test]
fn a_bad_network_is_heard_through() {
    let network = Network { delay: MS * 40, jitter: MS * 60, loss_percent: 5 };
    let mut world = World::connected(network, MicrophoneState::Muted);
    world.run(MS * 6_000);
    assert_eq!(world.links().last().map(|(_, state)| *state), Some(LinkState::Up));
    world.speaks = Some(Encoder::new().unwrap());
    world.run(MS * 20_000);
    let counts = world.peer.playing().counts();
    assert!(counts.received > 900, "{counts:?}");
    assert!((20..=150).contains(&counts.lost), "{counts:?}");
    let heard = &world.speaker[48_000 * 8..];
    let silent = heard.chunks(FRAME).filter(|frame| peak(frame) < 300).count();
    assert!(silent < 20, "of {} frames {silent} are silent; {counts:?}", heard.len() / FRAME);
    assert!(world.peer.playing().delay() < MS * 300);
}

#[test]
fn nothing_captured_while_muted_is_heard() {
    let mut world = World::connected(QUIET, MicrophoneState::Muted);
    world.microphone = Box::new(|n| if n % 2 == 0 { 12_000 } else { -12_000 });
    world.run(MS * 1_000);
    let loudest = |world: &World, from: usize| {
        let mut decoder = Decoder::new().unwrap();
        let packets = world.heard[from..].iter();
        packets.map(|(_, _, packet)| peak(decoder.decode(packet))).max().unwrap_or(0)
    };
    assert!(world.heard.len() > 30, "silence is sent");
    assert!(loudest(&world, 0) < 50, "{}", loudest(&world, 0));
    world.peer.microphone(world.now, MicrophoneState::On);
    let from = world.heard.len();
    world.run(MS * 500);
    assert!(loudest(&world, from) > 3_000);
    world.peer.microphone(world.now, MicrophoneState::Off);
    world.run(MS * 100);
    let count = world.heard.len();
    world.run(MS * 500);
    assert_eq!(world.heard.len(), count, "off is off");
}

#[test]
fn a_loss_is_told_within_the_silence_and_a_return_too() {
    let mut world = World::connected(QUIET, MicrophoneState::Muted);
    world.run(MS * 10_000);
    assert_eq!(world.links().len(), 2, "a silent peer that lives is no loss: {:?}", world.links());
    world.is_cut = true;
    world.run(MS * 6_000);
    let links = world.links();
    assert!(
        matches!(links[2..], [(at, LinkState::Lost)] if (12_900..=13_100).contains(&at)),
        "{links:?}"
    );
    world.is_cut = false;
    world.run(MS * 4_000);
    let links = world.links();
    assert!(matches!(links[3..], [(_, LinkState::Up)]), "{links:?}");
}

#[test]
fn closing_tells_the_service_and_ends_once() {
    let mut world = World::connected(QUIET, MicrophoneState::On);
    world.run(MS * 1_000);
    world.peer.close(world.now);
    world.peer.close(world.now);
    world.run(MS * 500);
    assert!(world.peer.is_ended());
    assert!(!world.service.is_alive(), "the service was told");
    let terminal = |reply: &Reply| reply.is_terminal();
    assert_eq!(world.told.iter().filter(|(_, reply)| terminal(reply)).count(), 1);
    assert!(matches!(world.told.last(), Some((_, Reply::Closed))));
    assert!(world.told.last().unwrap().0 <= MS * 1_301);

    let (mut world, _) = World::new(QUIET, MicrophoneState::On);
    world.peer.close(world.now);
    world.drain_peer();
    assert!(matches!(world.told[..], [(_, Reply::Closed)]), "at once when nothing was begun");
}

#[test]
fn the_end_of_the_service_is_told() {
    let mut world = World::connected(QUIET, MicrophoneState::On);
    world.run(MS * 1_000);
    world.service.close().unwrap();
    world.drain_service();
    world.run(MS * 200);
    assert!(matches!(world.told.last(), Some((_, Reply::Closed))), "{:?}", world.told.last());
}

#[test]
fn answers_that_cannot_be_used_are_failures_that_say_why() {
    type Spoil = fn(String) -> String;
    let bad: [(&str, Spoil); 4] = [
        ("v=0", |_| "<html>503</html>".into()),
        ("fingerprint", |answer| {
            let lines = answer.lines().filter(|line| !line.starts_with("a=fingerprint"));
            lines.collect::<Vec<_>>().join("\r\n")
        }),
        ("Opus", |answer| {
            let lines = answer.lines().filter(|line| !line.contains("opus"));
            let text = lines.collect::<Vec<_>>().join("\r\n");
            let text = text.replace(" 111", " 0");
            text.replace("a=rtcp-fb:111", "a=rtcp-fb:0").replace("a=fmtp:111", "a=fmtp:0")
        }),
        ("cannot be used", |answer| answer.replace("m=audio", "m=video")),
    ];
    for (word, spoil) in bad {
        let (mut world, offer) = World::new(QUIET, MicrophoneState::On);
        let answer = spoil(world.answer(&offer));
        world.peer.answer(world.now, &answer);
        world.drain_peer();
        let Some((_, Reply::Failed(error))) = world.told.last() else {
            panic!("{word}: {:?}", world.told);
        };
        assert!(error.message.contains(word), "{word}: {}", error.message);
        assert!(!error.message.contains("ice-pwd"), "no credentials: {}", error.message);
        assert!(world.peer.is_ended());
    }
}

#[test]
fn the_shape_of_the_public_sample_is_taken() {
    let (mut world, offer) = World::new(QUIET, MicrophoneState::On);
    let pt = offer.lines().find_map(|line| line.strip_prefix("m=audio 9 UDP/TLS/RTP/SAVPF "));
    let mids: Vec<&str> = offer.lines().filter_map(|line| line.strip_prefix("a=mid:")).collect();
    let pt = pt.unwrap().split(' ').next().unwrap();
    let answer = format!(
        "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\na=msid-semantic:WMS *\n\
         a=fingerprint:sha-256 AA:12:1C:7C:7D:ED:F1:FA:61:07:57:9C:29:BE:58:E3:BC:41:E7:13:8E:7D:\
         D3:9D:1F:94:6E:A5:23:46:94:23\na=group:BUNDLE {0} {1}\n\
         m=audio 3478 UDP/TLS/RTP/SAVPF {pt} 0 8\na=mid:{0}\na=ice-ufrag:u1u1\n\
         a=ice-pwd:p1p1p1p1p1p1p1p1p1p1p1\na=setup:active\na=rtcp-mux\n\
         a=rtpmap:{pt} opus/48000/2\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n\
         a=candidate:1 1 udp 2130706431 10.0.0.2 3478 typ host\n\
         a=candidate:2 1 tcp 1671430143 10.0.0.2 443 typ host tcptype passive\n\
         m=application 3478 UDP/DTLS/SCTP webrtc-datachannel\na=mid:{1}\na=ice-ufrag:u1u1\n\
         a=ice-pwd:p1p1p1p1p1p1p1p1p1p1p1\na=setup:active\na=sctp-port:5000\n",
        mids[0], mids[1]
    );
    world.peer.answer(world.now, &answer);
    world.drain_peer();
    assert!(!world.peer.is_ended(), "{:?}", world.told);
    assert!(world.peer.opus.is_some());
    world.run(MS * 100);
    assert!(world.sent_count > 0, "checks go out");
}

#[test]
fn texts_wait_within_a_bound() {
    let (mut world, _) = World::new(QUIET, MicrophoneState::On);
    for _ in 0..TEXTS_MAX {
        world.peer.send(world.now, "x".into());
    }
    assert!(!world.peer.is_ended());
    world.peer.send(world.now, "x".into());
    world.drain_peer();
    let Some((_, Reply::Failed(error))) = world.told.last() else { panic!("{:?}", world.told) };
    assert!(error.message.contains("1025 messages"), "{}", error.message);
}

#[test]
fn garbage_from_the_network_changes_nothing() {
    let mut world = World::connected(QUIET, MicrophoneState::On);
    world.run(MS * 1_000);
    let (ours, theirs) = (OURS.parse().unwrap(), THEIRS.parse().unwrap());
    for length in 0..200_usize {
        let bytes: Vec<u8> = (0..length).map(|_| world.random() as u8).collect();
        world.peer.receive(world.now, theirs, ours, &bytes);
        world.drain_peer();
    }
    world.speaks = Some(Encoder::new().unwrap());
    world.run(MS * 1_000);
    assert!(!world.peer.is_ended(), "{:?}", world.told.last());
    assert!(peak(&world.speaker[world.speaker.len() - FRAME..]) > 1_000);
    assert!(duration(FRAME) == MS * 20);
}

/// Simulated seconds of the soak; `CODEX_VOICE_SOAK_MINUTES` sets another length.
const SOAK_SECONDS: u32 = 20;

/// A long conversation on a network as people have it: jitter, loss, a device whose clock is wrong, and
/// an outage in each ten minutes. Nothing grows, nothing is lost for good, and the link comes back.
#[test]
fn soak() {
    let minutes = std::env::var("CODEX_VOICE_SOAK_MINUTES").ok();
    let minutes = minutes.and_then(|text| text.parse::<u32>().ok());
    let seconds = minutes.map_or(SOAK_SECONDS, |minutes| minutes * 60);
    let network = Network { delay: MS * 40, jitter: MS * 30, loss_percent: 1 };
    let mut world = World::connected(network, MicrophoneState::On);
    world.microphone = Box::new(|n| if n / 200 % 2 == 0 { 4_000 } else { 0 });
    world.speaks = Some(Encoder::new().unwrap());
    world.speaker_ppm = 200;
    world.run(MS * 5_000);
    let (mut silent, mut frames, mut longest) = (0, 0, Duration::ZERO);
    let mut outages = 0;
    for second in 0..seconds {
        let in_outage = second % 600 == 10;
        if in_outage {
            outages += 1;
            world.is_cut = true;
            world.run(MS * 5_000);
            world.is_cut = false;
            world.run(MS * 5_000);
        }
        world.speaker.clear();
        world.heard.clear();
        world.run(MS * 1_000);
        for frame in world.speaker.chunks(FRAME) {
            frames += 1;
            silent += usize::from(peak(frame) < 300);
        }
        longest = longest.max(world.peer.playing().delay());
        assert!(world.heard.len() > 35, "second {second}: {} packets heard", world.heard.len());
        assert!(world.peer.asks.is_empty() && world.flying.len() < 100);
    }
    let links = world.links();
    let lost = links.iter().filter(|(_, state)| *state == LinkState::Lost).count();
    assert_eq!((lost, links.last().unwrap().1), (outages, LinkState::Up), "{links:?}");
    assert!(longest < MS * 500, "the longest delay was {longest:?}");
    assert!(silent * 100 < frames, "{silent} of {frames} frames were silent");
    let counts = world.peer.playing().counts();
    assert!(counts.lost * 100 < counts.received * 5, "{counts:?}");
    println!("{seconds} s: {counts:?}, {silent} of {frames} frames silent, delay ≤ {longest:?}");
}
