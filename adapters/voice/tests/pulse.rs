//! The device path against a real sound server. `tests/pulse.sh` starts a private one with null sinks,
//! whose monitors hear what is played; without a server each test says so and returns.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test, which says what it skips")]

use std::{
    env, fs,
    io::BufReader,
    num::NonZero,
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_io::{Timer, block_on};
use codex_proto::{
    EffectId, Reply,
    effect::{AudioDevice, AudioDevices, AudioNews, AudioOpen, AudioPlay, MicrophoneState, Pcm},
};
use codex_voice::{Devices, Voice, device, doctor};
use futures_lite::future;
use pulseaudio::protocol::{self, Command};

const ID: EffectId = EffectId(NonZero::<u64>::MIN);

/// The socket of the server that `pulse.sh` started.
fn server() -> Option<PathBuf> {
    let server = env::var("PULSE_SERVER").unwrap_or_default();
    let path = server.strip_prefix("unix:").map(PathBuf::from);
    let path = path.filter(|path| fs::metadata(path).is_ok());
    if path.is_none() {
        println!("skipped: PULSE_SERVER names no socket; run adapters/voice/tests/pulse.sh");
    }
    path
}

fn devices() -> Arc<dyn Devices> {
    device::system(|name| env::var_os(name))
}

/// A connection of our own, for what the crate does not do: commands are numbered from 2.
fn connect(path: &PathBuf) -> BufReader<UnixStream> {
    let version = protocol::MAX_VERSION;
    let mut socket = BufReader::new(UnixStream::connect(path).unwrap());
    let auth = protocol::AuthParams {
        version,
        supports_shm: false,
        supports_memfd: false,
        cookie: vec![0; 256],
    };
    send(&mut socket, 0, &Command::Auth(auth));
    let _: (u32, protocol::AuthReply) = protocol::read_reply_message(&mut socket, version).unwrap();
    send(&mut socket, 1, &Command::SetClientName(protocol::Props::new()));
    let _: (u32, protocol::SetClientNameReply) =
        protocol::read_reply_message(&mut socket, version).unwrap();
    socket
}

fn send(socket: &mut BufReader<UnixStream>, number: u32, command: &Command) {
    let version = protocol::MAX_VERSION;
    protocol::write_command_message(socket.get_mut(), number, command, version).unwrap();
}

/// Takes a sink away, as unplugging does.
fn unplug(path: &PathBuf, name: &str) {
    let mut socket = connect(path);
    send(&mut socket, 2, &Command::GetSinkInfoList);
    let (_, sinks): (u32, protocol::SinkInfoList) =
        protocol::read_reply_message(&mut socket, protocol::MAX_VERSION).unwrap();
    let sink = sinks.iter().find(|sink| sink.name.to_str() == Ok(name)).unwrap();
    send(&mut socket, 3, &Command::UnloadModule(sink.owner_module_index.unwrap()));
    protocol::read_ack_message(&mut socket).unwrap();
}

fn tone(ms: usize) -> Pcm {
    let sample =
        |n: usize| ((n as f64 / 24_000.0 * 440.0 * std::f64::consts::TAU).sin() * 12_000.0) as i16;
    Pcm((0..ms * 24).flat_map(|n| sample(n).to_le_bytes()).collect())
}

#[test]
fn devices_are_listed_with_their_names() {
    if server().is_none() {
        return;
    }
    let listed = doctor::list(&*devices()).unwrap();
    println!("{listed:#?}");
    let speaker = listed.iter().find(|listed| listed.name == "desk").unwrap();
    assert_eq!((speaker.device, speaker.description.as_str()), (AudioDevice::Speaker, "Desk"));
    let default = |device| listed.iter().any(|listed| listed.device == device && listed.is_default);
    assert!(default(AudioDevice::Speaker) && default(AudioDevice::Microphone));
}

#[test]
fn what_is_played_is_heard_by_the_monitor() {
    if server().is_none() {
        return;
    }
    let voice = Voice::new(devices());
    let (sender, replies) = async_channel::bounded(8);
    let names = AudioDevices {
        microphone: Some("other.monitor".into()),
        // As people see it.
        speaker: Some("Other".into()),
    };
    let open = AudioOpen { devices: names, microphone: MicrophoneState::On };
    let work = voice.audio(ID, open, sender);
    let story = async {
        let started = Instant::now();
        voice.play(AudioPlay { audio: ID, pcm: tone(1_000) });
        let (mut loudest, mut captured_ms, mut played_ms) = (0_u16, 0, 0);
        while played_ms < 1_000 || captured_ms < 1_000 {
            match replies.recv().await.unwrap() {
                Reply::Audio(AudioNews::Captured(pcm)) => {
                    captured_ms += pcm.ms();
                    let samples = pcm.0.chunks_exact(2);
                    let peak = samples.map(|b| i16::from_le_bytes([b[0], b[1]]).unsigned_abs());
                    loudest = loudest.max(peak.max().unwrap_or(0));
                }
                Reply::Audio(AudioNews::Played { ms }) => played_ms = ms,
                Reply::Audio(AudioNews::Device { error, .. }) => panic!("{error:?}"),
                Reply::Failed(error) => panic!("{error:?}"),
                _ => {}
            }
        }
        let elapsed = started.elapsed();
        println!("played {played_ms} ms, captured {captured_ms} ms in {elapsed:?}, peak {loudest}");
        assert!(loudest > 8_000, "the tone was heard: {loudest}");
        voice.cancel(ID);
        while replies.recv().await.is_ok() {}
    };
    let limit = async {
        Timer::after(Duration::from_secs(20)).await;
        panic!("a second of audio was not played and captured in 20 s");
    };
    block_on(future::or(
        async {
            future::zip(work, story).await;
        },
        limit,
    ));
}

#[test]
fn a_device_that_goes_away_is_news_and_another_takes_over() {
    let Some(path) = server() else { return };
    let voice = Voice::new(devices());
    let (sender, replies) = async_channel::bounded(8);
    let names = AudioDevices {
        microphone: Some("headset.monitor".into()),
        speaker: Some("no such speaker".into()),
    };
    let open = AudioOpen { devices: names, microphone: MicrophoneState::On };
    let work = voice.audio(ID, open, sender);
    let told = Mutex::new(Vec::new());
    let story = async {
        let mut captured = 0;
        let mut unplugged_at = None;
        while unplugged_at.is_none_or(|at| captured < at + 25) {
            match replies.recv().await.unwrap() {
                Reply::Audio(AudioNews::Captured(_)) => captured += 1,
                Reply::Audio(AudioNews::Device { device, error }) => {
                    println!("{device:?}: {}", error.message);
                    told.lock().unwrap().push((device, error.message));
                    if device == AudioDevice::Microphone {
                        unplugged_at = Some(captured);
                    }
                }
                Reply::Failed(error) => panic!("{error:?}"),
                _ => {}
            }
            if captured == 10 && unplugged_at.is_none() {
                unplug(&path, "headset");
            }
        }
        voice.cancel(ID);
        while replies.recv().await.is_ok() {}
    };
    let limit = async {
        Timer::after(Duration::from_secs(20)).await;
        panic!("no news of the device in 20 s: {told:?}");
    };
    block_on(future::or(
        async {
            future::zip(work, story).await;
        },
        limit,
    ));
    let told = told.into_inner().unwrap();
    assert!(told.iter().any(|(device, text)| {
        *device == AudioDevice::Speaker && text.contains("`no such speaker`")
    }));
    assert!(told.iter().any(|(device, text)| {
        *device == AudioDevice::Microphone && text.contains(".monitor` now: the system changed it")
    }));
}
