//! Microphones and speakers of macOS and Windows through cpal. Its callbacks run on threads of the
//! system; rates and channels of the device are converted to ours there.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use codex_proto::{HostError, HostErrorKind, effect::AudioDevice};
use cpal::{
    Device, ErrorKind, SampleFormat, StreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::{Devices, Listed, Listing, Opened, Opening, Sink, Source};
use crate::media::pcm::{RATE, Resampler, duration, to_f32, to_i16};

/// Longest wait of the system for a device.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Samples that the speaker's source is asked for at once, 10 ms.
const PIECE: usize = RATE as usize / 100;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpal;

impl Devices for Cpal {
    fn microphone(&self, name: Option<String>, sink: Sink) -> Opening {
        Box::pin(async move { record(name.as_deref(), sink) })
    }

    fn speaker(&self, name: Option<String>, source: Source) -> Opening {
        Box::pin(async move { play(name.as_deref(), source) })
    }

    fn list(&self) -> Listing {
        Box::pin(async { list() })
    }
}

fn record(name: Option<&str>, mut sink: Sink) -> Result<Opened, HostError> {
    let (device, name) = find(AudioDevice::Microphone, name)?;
    let supported = device.default_input_config().map_err(|error| explain(&error))?;
    let config = supported.config();
    let channels = usize::from(config.channels.max(1));
    let mut resampler = Resampler::new(config.sample_rate, RATE);
    let (mut mono, mut ready) = (Vec::new(), Vec::new());
    let deliver = move |samples: &mut dyn Iterator<Item = f32>| {
        mono.clear();
        mix(samples, channels, &mut mono);
        ready.clear();
        resampler.push(&mono, &mut ready);
        let now = Instant::now();
        sink(now.checked_sub(duration(ready.len())).unwrap_or(now), &ready);
    };
    start(&device, config, supported.sample_format(), name, Direction::Record(Box::new(deliver)))
}

fn play(name: Option<&str>, mut source: Source) -> Result<Opened, HostError> {
    let (device, name) = find(AudioDevice::Speaker, name)?;
    let supported = device.default_output_config().map_err(|error| explain(&error))?;
    let config = supported.config();
    let mut resampler = Resampler::new(RATE, config.sample_rate);
    let mut ready: VecDeque<i16> = VecDeque::new();
    let mut piece = vec![0; PIECE];
    let next = move || {
        while ready.is_empty() {
            source(&mut piece);
            resampler.push(&piece, &mut ready);
        }
        to_f32(ready.pop_front().unwrap_or(0))
    };
    start(&device, config, supported.sample_format(), name, Direction::Play(Box::new(next)))
}

/// What a stream does with samples, mono and in the range of floating-point audio.
enum Direction {
    /// Takes samples of all channels, interleaved.
    Record(Box<dyn FnMut(&mut dyn Iterator<Item = f32>) + Send>),
    /// Gives the next sample of all channels.
    Play(Box<dyn FnMut() -> f32 + Send>),
}

fn start(
    device: &Device,
    config: StreamConfig,
    format: SampleFormat,
    name: String,
    direction: Direction,
) -> Result<Opened, HostError> {
    let channels = usize::from(config.channels.max(1));
    let (sender, ended) = async_channel::bounded(1);
    let on_error = move |error: cpal::Error| match error.kind() {
        // The stream goes on.
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied | ErrorKind::Xrun => {
            tracing::debug!(%error, "an audio device reports");
        }
        _ => {
            // Full: the first reason counts.
            let _ = sender.try_send(explain(&error));
        }
    };
    let wait = Some(OPEN_WITHIN);
    let stream = match (direction, format) {
        (Direction::Record(mut take), SampleFormat::F32) => device.build_input_stream(
            config,
            move |data: &[f32], _: &_| take(&mut data.iter().copied()),
            on_error,
            wait,
        ),
        (Direction::Record(mut take), SampleFormat::I16) => device.build_input_stream(
            config,
            move |data: &[i16], _: &_| take(&mut data.iter().map(|sample| to_f32(*sample))),
            on_error,
            wait,
        ),
        (Direction::Record(mut take), SampleFormat::I32) => device.build_input_stream(
            config,
            move |data: &[i32], _: &_| take(&mut data.iter().map(|sample| from_i32(*sample))),
            on_error,
            wait,
        ),
        (Direction::Play(mut next), SampleFormat::F32) => device.build_output_stream(
            config,
            move |data: &mut [f32], _: &_| {
                data.chunks_mut(channels).for_each(|frame| frame.fill(next()));
            },
            on_error,
            wait,
        ),
        (Direction::Play(mut next), SampleFormat::I16) => device.build_output_stream(
            config,
            move |data: &mut [i16], _: &_| {
                data.chunks_mut(channels).for_each(|frame| frame.fill(to_i16(next())));
            },
            on_error,
            wait,
        ),
        (Direction::Play(mut next), SampleFormat::I32) => device.build_output_stream(
            config,
            move |data: &mut [i32], _: &_| {
                data.chunks_mut(channels).for_each(|frame| frame.fill(to_i32(next())));
            },
            on_error,
            wait,
        ),
        (_, format) => {
            let text = format!("it has samples of the kind {format}, which are not known");
            return Err(HostError::new(HostErrorKind::Other, text));
        }
    };
    let stream = stream.map_err(|error| explain(&error))?;
    stream.play().map_err(|error| explain(&error))?;
    let running = async move {
        let _stream = stream;
        ended.recv().await.unwrap_or_else(|_| {
            HostError::new(HostErrorKind::Disconnected, "the audio device has ended")
        })
    };
    Ok(Opened { name, moves: None, running: Box::pin(running) })
}

fn from_i32(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

fn to_i32(sample: f32) -> i32 {
    (sample * 2_147_483_648.0) as i32
}

/// The mean of all channels.
fn mix(samples: &mut dyn Iterator<Item = f32>, channels: usize, mono: &mut Vec<i16>) {
    let (mut sum, mut count) = (0.0, 0);
    for sample in samples {
        sum += sample;
        count += 1;
        if count == channels {
            mono.push(to_i16(sum / channels as f32));
            (sum, count) = (0.0, 0);
        }
    }
}

fn find(kind: AudioDevice, name: Option<&str>) -> Result<(Device, String), HostError> {
    let host = cpal::default_host();
    let of = |device: Device| {
        let name = name_of(&device);
        (device, name)
    };
    let Some(name) = name else {
        let default = match kind {
            AudioDevice::Microphone => host.default_input_device(),
            AudioDevice::Speaker => host.default_output_device(),
        };
        return default.map(of).ok_or_else(|| {
            HostError::new(HostErrorKind::NotFound, "the system has no default one")
        });
    };
    let mut devices = all(kind)?;
    let found = devices.find(|device| name_of(device).eq_ignore_ascii_case(name));
    found.map(of).ok_or_else(|| {
        let text = "there is none of that name (`codex voice doctor` lists them)";
        HostError::new(HostErrorKind::NotFound, text)
    })
}

fn all(kind: AudioDevice) -> Result<Box<dyn Iterator<Item = Device>>, HostError> {
    let host = cpal::default_host();
    let devices = match kind {
        AudioDevice::Microphone => {
            host.input_devices().map(|all| Box::new(all) as Box<dyn Iterator<Item = Device>>)
        }
        AudioDevice::Speaker => {
            host.output_devices().map(|all| Box::new(all) as Box<dyn Iterator<Item = Device>>)
        }
    };
    devices.map_err(|error| explain(&error))
}

fn list() -> Result<Vec<Listed>, HostError> {
    let host = cpal::default_host();
    let mut listed = Vec::new();
    for device in [AudioDevice::Microphone, AudioDevice::Speaker] {
        let default = match device {
            AudioDevice::Microphone => host.default_input_device(),
            AudioDevice::Speaker => host.default_output_device(),
        };
        let default = default.as_ref().map(name_of);
        listed.extend(all(device)?.map(|found| {
            let name = name_of(&found);
            let is_default = default.as_ref() == Some(&name);
            Listed { device, description: name.clone(), name, is_default }
        }));
    }
    Ok(listed)
}

fn name_of(device: &Device) -> String {
    device.description().map(|found| found.name().to_owned()).unwrap_or_default()
}

fn explain(error: &cpal::Error) -> HostError {
    let kind = match error.kind() {
        ErrorKind::DeviceNotAvailable => HostErrorKind::NotFound,
        ErrorKind::PermissionDenied => HostErrorKind::Permission,
        _ => HostErrorKind::Other,
    };
    HostError::new(kind, error.to_string())
}
