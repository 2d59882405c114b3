//! Checks of voice on this machine: which devices there are, what they hear, and whether two peers
//! reach each other. Everything goes through [`Voice`], as in a conversation. Blocking.

use std::{
    f64::consts::TAU,
    fmt,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use async_channel::Receiver;
use async_io::Timer;
use codex_proto::{
    EffectId, HostError, HostErrorKind, Reply,
    effect::{
        AudioDevices, AudioNews, AudioOpen, ChannelNews, LinkState, MicrophoneState, RtcAnswer,
        RtcOpen, RtcSend,
    },
};
use futures_lite::future::{self, block_on};

use crate::{
    Voice,
    device::{Devices, Listed, Listing, Null, Opening, Sink, Source},
    echo::Echo,
    media::pcm::{FRAME, RATE, peak},
};

/// Longest time to find the devices.
const LIST_WITHIN: Duration = Duration::from_secs(5);

/// Longest time of the loopback check.
const LOOPBACK_WITHIN: Duration = Duration::from_secs(30);

/// Longest time to the first sample: some devices of sound servers gather seconds before.
const FIRST_WITHIN: Duration = Duration::from_secs(3);

/// Replies that wait for a check.
const REPLIES_MAX: usize = 8;

/// Peak of the test tone, and the least that must come back of it.
const TONE: f64 = 12_000.0;
const HEARD_MIN: u16 = 4_000;

/// The devices of this machine.
///
/// # Errors
/// When there is no way to any device, or none within five seconds.
pub fn list(devices: &dyn Devices) -> Result<Vec<Listed>, HostError> {
    let listing = devices.list();
    block_on(future::or(listing, async {
        Timer::after(LIST_WITHIN).await;
        let text = format!("the devices were not told within {} s", LIST_WITHIN.as_secs());
        Err(HostError::new(HostErrorKind::TimedOut, text))
    }))
}

/// What the devices did while they were listened to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The loudest sample of the microphone, `0..=32767`.
    pub peak: u16,
    /// Captured audio, in milliseconds. Much less than was listened to means that the device stalls.
    pub captured_ms: u64,
    /// What the devices reported, one sentence each.
    pub problems: Vec<String>,
}

/// Opens microphone and speaker, and tells each level that is heard for so long after the first
/// sample, which may take three seconds.
#[must_use]
pub fn listen(
    voice: &Voice,
    devices: AudioDevices,
    time: Duration,
    mut on_level: impl FnMut(u16),
) -> Heard {
    let (sender, replies) = async_channel::bounded(REPLIES_MAX);
    let id = EffectId(NonZero::<u64>::MIN);
    let open = AudioOpen { devices, microphone: MicrophoneState::On };
    let work = voice.audio(id, open, sender);
    let mut heard = Heard::default();
    let collect = async {
        let mut end = Instant::now() + FIRST_WITHIN;
        while let Some(reply) = next(&replies, end).await {
            match reply {
                Reply::Audio(AudioNews::Captured(pcm)) => {
                    if heard.captured_ms == 0 {
                        end = Instant::now() + time;
                    }
                    heard.captured_ms += pcm.ms();
                }
                Reply::Audio(AudioNews::Level { microphone, .. }) => {
                    heard.peak = heard.peak.max(microphone);
                    on_level(microphone);
                }
                Reply::Audio(AudioNews::Device { error, .. }) => heard.problems.push(error.message),
                Reply::Failed(error) => heard.problems.push(error.message),
                _ => {}
            }
        }
        voice.cancel(id);
        while replies.recv().await.is_ok() {}
    };
    block_on(future::zip(work, collect));
    heard
}

/// What the loopback check measured, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback {
    /// The offer was made.
    pub offer: Duration,
    /// Encryption was up.
    pub media_up: Duration,
    /// A message came back over the data channel.
    pub message: Duration,
    /// A tone came back through Opus, the network, and the jitter buffer.
    pub tone: Duration,
}

/// Lets two peers talk over sockets of 127.0.0.1: a tone and a message go out and must come back.
///
/// # Errors
/// What did not come, as a sentence.
pub fn loopback() -> Result<Loopback, HostError> {
    let heard = Arc::new(AtomicU16::new(0));
    let voice = Voice::new(Arc::new(Tone { heard: Arc::clone(&heard) }));
    let (sender, replies) = async_channel::bounded(REPLIES_MAX);
    let id = EffectId(NonZero::<u64>::MIN);
    let open = RtcOpen {
        channel: "oai-events".into(),
        devices: AudioDevices::default(),
        microphone: MicrophoneState::On,
        preroll_ms: 1_000,
        silence_ms: 5_000,
    };
    let started = Instant::now();
    let work = voice.rtc(id, open, sender);
    let check = async {
        let measured = measure(&voice, id, &replies, started, &heard).await;
        voice.cancel(id);
        while replies.recv().await.is_ok() {}
        measured
    };
    let ((), measured) = block_on(future::zip(work, check));
    measured.map_err(|text| HostError::new(HostErrorKind::Other, text))
}

async fn measure(
    voice: &Voice,
    id: EffectId,
    replies: &Receiver<Reply>,
    started: Instant,
    heard: &AtomicU16,
) -> Result<Loopback, String> {
    let end = started + LOOPBACK_WITHIN;
    let (mut offer, mut media_up, mut message, mut tone) = (None, None, None, None);
    // Dropping it stops the echo.
    let (_running, stop) = async_channel::bounded::<()>(1);
    loop {
        if let (Some(offer), Some(media_up), Some(message), Some(tone)) =
            (offer, media_up, message, tone)
        {
            return Ok(Loopback { offer, media_up, message, tone });
        }
        // Levels come often enough to look for the tone.
        let Some(reply) = next(replies, end).await else {
            let missing = [
                (offer.is_none(), "no offer was made"),
                (media_up.is_none(), "the peers did not connect over UDP on 127.0.0.1"),
                (message.is_none(), "no message came back over the data channel"),
                (tone.is_none(), "the tone did not come back"),
            ];
            let missing = missing.into_iter().find(|(is_missing, _)| *is_missing);
            let text = missing.map_or("nothing", |(_, text)| text);
            return Err(format!("{text} within {} s", LOOPBACK_WITHIN.as_secs()));
        };
        if tone.is_none() && heard.load(Ordering::Relaxed) >= HEARD_MIN {
            tone = Some(started.elapsed());
        }
        match reply {
            Reply::Offer(sdp) => {
                offer = Some(started.elapsed());
                let (echo, answer) = Echo::accept(&sdp)?;
                let stop = stop.clone();
                thread::Builder::new()
                    .name("codex-voice-echo".into())
                    .spawn(move || block_on(echo.run(stop)))
                    .map_err(|error| format!("no thread for the other peer: {error}"))?;
                voice.answer(RtcAnswer { rtc: id, sdp: answer });
                voice.send(RtcSend { rtc: id, text: "loopback".into() });
            }
            Reply::Link(LinkState::Up) => media_up = Some(started.elapsed()),
            Reply::Channel(ChannelNews::Text(_)) => message = Some(started.elapsed()),
            Reply::Failed(error) => return Err(error.message),
            Reply::Closed => return Err("the peer ended".into()),
            _ => {}
        }
    }
}

/// The next reply, until a time.
async fn next(replies: &Receiver<Reply>, end: Instant) -> Option<Reply> {
    future::or(async { replies.recv().await.ok() }, async {
        Timer::at(end).await;
        None
    })
    .await
}

/// A microphone that hears a tone, and a speaker that notes the loudest sample.
struct Tone {
    heard: Arc<AtomicU16>,
}

impl Devices for Tone {
    fn microphone(&self, name: Option<String>, mut sink: Sink) -> Opening {
        let mut index = 0_u64;
        let tone: Sink = Box::new(move |at, silence| {
            let mut samples = [0; FRAME];
            for sample in samples.iter_mut().take(silence.len()) {
                let phase = (index % u64::from(RATE)) as f64 / f64::from(RATE) * 440.0 * TAU;
                *sample = (phase.sin() * TONE) as i16;
                index += 1;
            }
            sink(at, &samples);
        });
        Null.microphone(name, tone)
    }

    fn speaker(&self, name: Option<String>, mut source: Source) -> Opening {
        let heard = Arc::clone(&self.heard);
        let noting: Source = Box::new(move |samples| {
            source(samples);
            heard.fetch_max(peak(samples), Ordering::Relaxed);
        });
        Null.speaker(name, noting)
    }

    fn list(&self) -> Listing {
        Null.list()
    }
}

impl fmt::Debug for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tone").finish_non_exhaustive()
    }
}
