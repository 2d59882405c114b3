//! Samples: counts, rates, peaks, conversion to bytes and to other rates.

use std::time::Duration;

use rubato::{Fft, FixedSync, Resampler as _, audioadapter_buffers::direct::SequentialSlice};

/// Samples a second inside this crate, and of Opus on the wire.
pub(crate) const RATE: u32 = 48_000;

/// Samples a millisecond.
pub(crate) const PER_MS: usize = 48;

/// Milliseconds of a frame.
pub(crate) const FRAME_MS: u64 = 20;

/// Samples of a frame.
pub(crate) const FRAME: usize = PER_MS * FRAME_MS as usize;

/// Samples a second of [`Pcm`](codex_proto::effect::Pcm).
pub(crate) const PCM_RATE: u32 = 24_000;

/// How long so many samples last.
pub(crate) fn duration(samples: usize) -> Duration {
    Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(RATE))
}

/// How many samples last so long, rounded down.
pub(crate) fn samples(duration: Duration) -> usize {
    usize::try_from(duration.as_micros() * u128::from(RATE) / 1_000_000).unwrap_or(usize::MAX)
}

/// The loudest sample, `0..=32767`.
pub(crate) fn peak(samples: &[i16]) -> u16 {
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max();
    peak.unwrap_or(0).min(i16::MAX.unsigned_abs())
}

/// Little-endian bytes.
pub(crate) fn to_bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// From little-endian bytes; an odd one at the end is left out.
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<i16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// From the range of floating-point audio.
pub(crate) fn to_i16(sample: f32) -> i16 {
    // Rounds and saturates; what is not a number becomes silence.
    (sample * 32_768.0).round() as i16
}

/// To the range of floating-point audio.
pub(crate) fn to_f32(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// Converts a stream between two fixed rates, with a filter against aliases.
pub(crate) struct Resampler {
    /// `None` between equal rates.
    inner: Option<Fft<f32>>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Resampler {
    /// Between two rates in samples a second. Rates that cannot be converted are passed through.
    pub(crate) fn new(from: u32, to: u32) -> Self {
        let chunk = (from / 100) as usize;
        let make = || Fft::new(from as usize, to as usize, chunk, 1, FixedSync::Input);
        let inner = (from != to).then(make).and_then(|made| {
            made.inspect_err(|error| tracing::warn!(%error, from, to, "audio is not resampled"))
                .ok()
        });
        Self { inner, input: Vec::new(), output: Vec::new() }
    }

    /// Takes samples and appends what they give so far; up to 10 ms stay inside.
    pub(crate) fn push(&mut self, samples: &[i16], output: &mut impl Extend<i16>) {
        let Some(resampler) = &mut self.inner else {
            output.extend(samples.iter().copied());
            return;
        };
        self.input.extend(samples.iter().map(|sample| to_f32(*sample)));
        let mut taken = 0;
        loop {
            let (need, gives) = (resampler.input_frames_next(), resampler.output_frames_next());
            let Some(input) = self.input.get(taken..taken + need) else { break };
            self.output.resize(gives, 0.0);
            let Ok(input) = SequentialSlice::new(input, 1, need) else { break };
            let Ok(mut out) = SequentialSlice::new_mut(&mut self.output, 1, gives) else { break };
            let Ok((used, made)) = resampler.process_into_buffer(&input, &mut out, None) else {
                break;
            };
            output.extend(self.output.iter().take(made).map(|sample| to_i16(*sample)));
            taken += used.max(1);
        }
        self.input.drain(..taken.min(self.input.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_length_and_pitch() {
        for (from, to) in [(24_000, 48_000), (48_000, 24_000), (44_100, 48_000), (48_000, 16_000)] {
            let mut resampler = Resampler::new(from, to);
            let mut output = Vec::new();
            let tone = |n: u32| {
                let phase = f64::from(n) * 440.0 * std::f64::consts::TAU / f64::from(from);
                (phase.sin() * 8_000.0) as i16
            };
            // One second, in pieces of an odd size.
            let input: Vec<i16> = (0..from).map(tone).collect();
            input.chunks(333).for_each(|chunk| resampler.push(chunk, &mut output));
            let missing = to as usize - output.len();
            assert!(missing <= to as usize / 50, "{from} to {to}: {missing} samples are missing");
            // Rising zero crossings of the second half: 440 a second.
            let half = &output[output.len() - to as usize / 2..];
            let crossings = half.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            assert!((218..=222).contains(&crossings), "{from} to {to}: {crossings}");
            assert!((7_500..=8_500).contains(&peak(half)), "{from} to {to}: {}", peak(half));
        }
    }

    #[test]
    fn bytes_and_floats_come_back() {
        let samples = [0, 1, -1, i16::MAX, i16::MIN];
        assert_eq!(from_bytes(&to_bytes(&samples)), samples);
        for sample in samples {
            assert_eq!(to_i16(to_f32(sample)), sample);
        }
        assert_eq!((to_i16(2.0), to_i16(-2.0), to_i16(f32::NAN)), (i16::MAX, i16::MIN, 0));
        assert_eq!(peak(&samples), 32_767);
    }
}
