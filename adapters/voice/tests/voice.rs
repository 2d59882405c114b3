//! Peers and devices through the face of the crate: real sockets, real time, the null device.

use std::{num::NonZero, sync::Arc, time::Duration};

use async_channel::Receiver;
use async_io::{Timer, block_on};
use codex_proto::{
    EffectId, EffectKind, HostError, HostErrorKind, Reply,
    effect::{
        AudioDevice, AudioDevices, AudioNews, AudioOpen, AudioPlay, Grammar, MicrophoneState, Pcm,
        RtcOpen,
    },
};
use codex_voice::{
    Devices, NULL, Null, Voice,
    device::{Listing, Opening, Sink, Source},
    doctor,
};
use futures_lite::future;

const ID: EffectId = EffectId(NonZero::<u64>::MIN);

fn rtc_open() -> RtcOpen {
    RtcOpen {
        channel: "oai-events".into(),
        devices: AudioDevices { microphone: Some(NULL.into()), speaker: Some(NULL.into()) },
        microphone: MicrophoneState::On,
        preroll_ms: 100,
        silence_ms: 5_000,
    }
}

/// Runs an effect beside a story about it; checks the grammar of its replies.
fn run<T>(
    kind: EffectKind,
    work: impl Future<Output = ()>,
    replies: Receiver<Reply>,
    story: impl AsyncFnOnce(&Receiver<Reply>) -> T,
) -> T {
    let (sender, seen) = async_channel::bounded(64);
    let mut grammar = Grammar::of(&kind).expect("it has replies");
    block_on(async {
        let check = async {
            while let Ok(reply) = replies.recv().await {
                grammar.on(&reply).expect("the grammar of replies");
                let _ = sender.send(reply).await;
            }
            drop(sender);
        };
        let ((), ((), told)) = future::zip(work, future::zip(check, story(&seen))).await;
        told
    })
}

async fn until(replies: &Receiver<Reply>, mut is_it: impl FnMut(&Reply) -> bool) -> Reply {
    let found = async {
        loop {
            let reply = replies.recv().await.expect("it ended early");
            if is_it(&reply) {
                return reply;
            }
        }
    };
    future::or(found, async {
        Timer::after(Duration::from_secs(120)).await;
        panic!("it did not come");
    })
    .await
}

#[test]
fn two_peers_talk_over_loopback() {
    let measured = doctor::loopback().unwrap();
    assert!(measured.offer <= measured.media_up && measured.media_up <= measured.tone);
}

#[test]
fn a_peer_without_answer_keeps_the_newest_audio_and_ends_when_cancelled() {
    let voice = Voice::new(Arc::new(Null));
    let (sender, replies) = async_channel::bounded(8);
    let work = voice.rtc(ID, rtc_open(), sender);
    run(EffectKind::RtcOpen(Box::new(rtc_open())), work, replies, async |replies| {
        let Reply::Offer(offer) = until(replies, |_| true).await else { panic!("no offer") };
        assert!(offer.contains("m=audio") && offer.contains("webrtc-datachannel"));
        assert!(offer.contains("a=candidate") && !offer.contains(" 0.0.0.0 "), "{offer}");
        until(replies, |reply| matches!(reply, Reply::Audio(AudioNews::Dropped { .. }))).await;
        voice.cancel(ID);
        until(replies, |reply| *reply == Reply::Closed).await;
        assert!(replies.recv().await.is_err(), "nothing after the end");
    });
}

#[test]
fn dropping_the_future_ends_the_peer() {
    let voice = Voice::new(Arc::new(Null));
    let (sender, replies) = async_channel::bounded(8);
    drop(voice.rtc(ID, rtc_open(), sender));
    block_on(async {
        until(&replies, Reply::is_terminal).await;
        assert!(replies.recv().await.is_err());
    });
}

#[test]
fn audio_without_a_peer_is_captured_played_and_counted() {
    let voice = Voice::new(Arc::new(Null));
    let (sender, replies) = async_channel::bounded(8);
    let open = AudioOpen { devices: AudioDevices::default(), microphone: MicrophoneState::On };
    let work = voice.audio(ID, open.clone(), sender);
    run(EffectKind::AudioOpen(open), work, replies, async |replies| {
        assert_eq!(until(replies, |_| true).await, Reply::Opened);
        for _ in 0..5 {
            let captured =
                until(replies, |reply| matches!(reply, Reply::Audio(AudioNews::Captured(_))));
            let Reply::Audio(AudioNews::Captured(pcm)) = captured.await else { unreachable!() };
            assert_eq!(pcm.ms(), 20);
        }
        let pcm = Pcm(vec![1; 200 * Pcm::BYTES_PER_MS]);
        voice.play(AudioPlay { audio: ID, pcm });
        until(replies, |reply| *reply == Reply::Audio(AudioNews::Played { ms: 200 })).await;
        voice.clear(ID);
        voice.microphone(ID, MicrophoneState::Off);
        voice.play(AudioPlay { audio: ID, pcm: Pcm(vec![1; 100 * Pcm::BYTES_PER_MS]) });
        until(replies, |reply| *reply == Reply::Audio(AudioNews::Played { ms: 100 })).await;
        voice.cancel(ID);
        until(replies, |reply| *reply == Reply::Closed).await;
    });
}

/// No device at all.
#[derive(Debug)]
struct Nothing;

impl Devices for Nothing {
    fn microphone(&self, _: Option<String>, _: Sink) -> Opening {
        Box::pin(async { Err(HostError::new(HostErrorKind::NotFound, "no such source")) })
    }

    fn speaker(&self, _: Option<String>, _: Source) -> Opening {
        Box::pin(async { Err(HostError::new(HostErrorKind::NotFound, "no such sink")) })
    }

    fn list(&self) -> Listing {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[test]
fn without_devices_voice_goes_on_and_says_so() {
    let voice = Voice::new(Arc::new(Nothing));
    let (sender, replies) = async_channel::bounded(8);
    let devices = AudioDevices { microphone: Some("Desk".into()), speaker: None };
    let open = AudioOpen { devices, microphone: MicrophoneState::On };
    let work = voice.audio(ID, open.clone(), sender);
    run(EffectKind::AudioOpen(open), work, replies, async |replies| {
        let mut told = Vec::new();
        while told.len() < 3 {
            let news =
                until(replies, |reply| matches!(reply, Reply::Audio(AudioNews::Device { .. })));
            let Reply::Audio(AudioNews::Device { device, error }) = news.await else {
                unreachable!()
            };
            told.push((device, error.message));
        }
        told.sort();
        assert!(told.iter().any(|(_, text)| text.contains("microphone `Desk`")), "{told:?}");
        assert_eq!(told[2].0, AudioDevice::Speaker);
        // Silence is captured in its place, so that the conversation's clock goes on.
        until(replies, |reply| matches!(reply, Reply::Audio(AudioNews::Captured(_)))).await;
        voice.cancel(ID);
        until(replies, |reply| *reply == Reply::Closed).await;
    });
}
