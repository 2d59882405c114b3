//! The voice of the scripted service: a soft tone, in Opus and as samples.

use ropus::{Application, Channels, Encoder};

/// Samples of a frame of 20 ms.
pub(crate) const FRAME: usize = 960;
/// Frames of one period of the sound.
const FRAMES: usize = 50;

/// A second of sound: 330 Hz that swells twice, as speech does.
fn samples(rate: usize, count: usize) -> impl Iterator<Item = i16> {
    (0..count).map(move |n| {
        let time = n as f64 / rate as f64;
        let swell = 0.5 - 0.5 * (time * 4.0 * std::f64::consts::PI).cos();
        ((time * 330.0 * 2.0 * std::f64::consts::PI).sin() * swell * 8_000.0) as i16
    })
}

/// Frames of Opus, to be sent over and over; none when it cannot be encoded.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let Ok(mut encoder) = Encoder::builder(48_000, Channels::Mono, Application::Voip).build()
    else {
        return Vec::new();
    };
    let samples: Vec<i16> = samples(48_000, FRAME * FRAMES).collect();
    let mut packet = [0; 1_500];
    samples
        .chunks(FRAME)
        .filter_map(|frame| {
            let length = encoder.encode(frame, &mut packet).ok()?;
            Some(packet[..length].to_vec())
        })
        .collect()
}

/// So many milliseconds of samples, 16 bits, one channel, 24 kHz.
pub(crate) fn pcm(ms: u64) -> Vec<u8> {
    let count = usize::try_from(ms).unwrap_or(0).saturating_mul(24).min(24_000 * 600);
    samples(24_000, count).flat_map(i16::to_le_bytes).collect()
}
