//! From packets of the peer to samples for the speaker: jitter buffer, decoder, and a resampler that
//! plays a little faster or slower, so that clocks which differ, and delay that has become
//! unnecessary, are made up for without a click.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use codex_proto::{HostError, HostErrorKind};
use rubato::{
    Adjustable as _, Async, FixedAsync, PolynomialDegree, Resampler as _,
    audioadapter_buffers::direct::SequentialSlice,
};

use super::{
    codec::Decoder,
    jitter::{Counts, JitterBuffer, Next},
    pcm::{FRAME, PER_MS, duration, peak, to_f32, to_i16},
};

/// Largest change of speed.
const SPEED_MAX: f64 = 0.02;

/// Change of speed for each millisecond that waits too much or too little.
const SPEED_PER_MS: f64 = 0.000_2;

/// So little too much or too little changes nothing.
const DEADBAND_MS: f64 = 15.0;

/// Weight of the newest depth in its running mean.
const SMOOTHING: f64 = 0.02;

/// Samples that are resampled at once.
const CHUNK: usize = 10 * PER_MS;

/// See the module.
pub(crate) struct Playout {
    jitter: JitterBuffer,
    decoder: Decoder,
    stretch: Stretch,
    ready: VecDeque<i16>,
    /// Running mean of depth minus target, in milliseconds.
    error_ms: f64,
    /// Peak of what was played since it was asked for.
    level: u16,
}

impl Playout {
    pub(crate) fn new() -> Result<Self, HostError> {
        Ok(Self {
            jitter: JitterBuffer::new(),
            decoder: Decoder::new()?,
            stretch: Stretch::new()?,
            ready: VecDeque::new(),
            error_ms: 0.0,
            level: 0,
        })
    }

    /// Takes a packet of the peer that begins at `time`, in samples.
    pub(crate) fn insert(&mut self, now: Instant, time: u64, packet: Arc<[u8]>) {
        self.jitter.insert(now, time, packet);
    }

    /// Fills a buffer of the speaker; silence where nothing is to be played.
    pub(crate) fn pull(&mut self, now: Instant, output: &mut [i16]) {
        while self.ready.len() < output.len() {
            let decoded = match self.jitter.next(now) {
                Next::Idle => break,
                Next::Lost { samples, following } => {
                    self.decoder.conceal(samples, following.as_deref())
                }
                Next::Packet(packet) => {
                    let decoded = self.decoder.decode(&packet);
                    self.jitter.decoded(decoded.len());
                    decoded
                }
                Next::Wait { samples } => self.decoder.conceal(samples, None),
            };
            self.stretch.push(decoded, &mut self.ready);
            self.steer();
        }
        for sample in output.iter_mut() {
            *sample = self.ready.pop_front().unwrap_or(0);
        }
        self.level = self.level.max(peak(output));
    }

    /// Drops everything that waits.
    pub(crate) fn clear(&mut self) {
        self.jitter.clear();
        self.ready.clear();
        self.stretch.clear();
        self.error_ms = 0.0;
    }

    /// The peak of what was played since the last call.
    pub(crate) fn take_level(&mut self) -> u16 {
        std::mem::take(&mut self.level)
    }

    pub(crate) fn counts(&self) -> Counts {
        self.jitter.counts()
    }

    /// How long a packet that comes now waits to be heard.
    #[cfg(test)]
    pub(crate) fn delay(&self) -> std::time::Duration {
        self.jitter.depth() + duration(self.ready.len())
    }

    fn steer(&mut self) {
        let depth = self.jitter.depth() + duration(self.ready.len().saturating_sub(FRAME));
        let error = (depth.as_secs_f64() - self.jitter.target().as_secs_f64()) * 1e3;
        self.error_ms += (error - self.error_ms) * SMOOTHING;
        let beyond = self.error_ms.signum() * (self.error_ms.abs() - DEADBAND_MS).max(0.0);
        self.stretch.set_speed(1.0 + (beyond * SPEED_PER_MS).clamp(-SPEED_MAX, SPEED_MAX));
    }
}

impl std::fmt::Debug for Playout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Playout").field("jitter", &self.jitter).finish_non_exhaustive()
    }
}

/// Plays a little faster or slower.
struct Stretch {
    inner: Async<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
    speed: f64,
}

impl Stretch {
    fn new() -> Result<Self, HostError> {
        let range = 1.0 + 2.0 * SPEED_MAX;
        let inner =
            Async::new_poly(1.0, range, PolynomialDegree::Cubic, CHUNK, 1, FixedAsync::Input)
                .map_err(|error| {
                    let text = format!("the resampler cannot be used: {error}");
                    HostError::new(HostErrorKind::Other, text)
                })?;
        Ok(Self { inner, input: Vec::new(), output: Vec::new(), speed: 1.0 })
    }

    fn set_speed(&mut self, speed: f64) {
        if (speed - self.speed).abs() > 0.000_05
            && self.inner.set_resample_ratio(1.0 / speed, true).is_ok()
        {
            self.speed = speed;
        }
    }

    fn push(&mut self, samples: &[i16], ready: &mut VecDeque<i16>) {
        self.input.extend(samples.iter().map(|sample| to_f32(*sample)));
        while self.input.len() >= CHUNK {
            let gives = self.inner.output_frames_next();
            self.output.resize(gives, 0.0);
            let input = self.input.get(..CHUNK).unwrap_or_default();
            let Ok(input) = SequentialSlice::new(input, 1, CHUNK) else { break };
            let Ok(mut out) = SequentialSlice::new_mut(&mut self.output, 1, gives) else { break };
            let Ok((_, made)) = self.inner.process_into_buffer(&input, &mut out, None) else {
                break;
            };
            ready.extend(self.output.iter().take(made).map(|sample| to_i16(*sample)));
            self.input.drain(..CHUNK);
        }
    }

    fn clear(&mut self) {
        self.input.clear();
        self.inner.reset();
        self.speed = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::codec::Encoder, *};

    const MS: Duration = Duration::from_millis(1);

    fn tone(index: u64) -> [i16; FRAME] {
        std::array::from_fn(|n| {
            let seconds = (index as f64 * FRAME as f64 + n as f64) / 48_000.0;
            ((seconds * 300.0 * std::f64::consts::TAU).sin() * 9_000.0) as i16
        })
    }

    /// A minute of a tone whose sender's clock is wrong by so many parts per million.
    fn drift(ppm: i64) -> (Playout, usize) {
        let start = Instant::now();
        let (mut encoder, mut playout) = (Encoder::new().unwrap(), Playout::new().unwrap());
        // A second, whose end fits its start, again and again.
        let mut encode = |n| Arc::from(encoder.encode(&tone(n)).unwrap());
        let packets: Vec<Arc<[u8]>> = (0..50).map(&mut encode).collect();
        let (mut sent, mut silent) = (0_u64, 0);
        let mut frame = [0; FRAME];
        for n in 0..3_000_u64 {
            let now = start + MS * 20 * u32::try_from(n).unwrap();
            let due = (n as i64 * (1_000_000 + ppm) / 1_000_000) as u64;
            while sent <= due {
                let packet = &packets[sent as usize % packets.len()];
                playout.insert(now, sent * FRAME as u64, Arc::clone(packet));
                sent += 1;
            }
            playout.pull(now, &mut frame);
            if n > 10 && peak(&frame) < 1_000 {
                silent += 1;
            }
        }
        (playout, silent)
    }

    #[test]
    fn clocks_that_differ_make_no_gaps_and_no_growing_delay() {
        for ppm in [-3_000, 0, 3_000] {
            let (playout, silent) = drift(ppm);
            assert_eq!(silent, 0, "{ppm} ppm: silent frames");
            assert!(playout.delay() < MS * 120, "{ppm} ppm: {:?}", playout.delay());
            assert_eq!(playout.counts().lost + playout.counts().skipped, 0, "{ppm} ppm");
            assert!(playout.counts().starved <= 1, "{ppm} ppm: {:?}", playout.counts());
        }
    }

    #[test]
    fn cleared_audio_is_not_heard_and_what_comes_after_is() {
        let start = Instant::now();
        let (mut encoder, mut playout) = (Encoder::new().unwrap(), Playout::new().unwrap());
        let mut frame = [0; FRAME];
        for n in 0..10 {
            let start = start + MS * 20 * u32::try_from(n).unwrap();
            playout.insert(start, n * FRAME as u64, Arc::from(encoder.encode(&tone(n)).unwrap()));
        }
        (0..3).for_each(|_| playout.pull(start, &mut frame));
        assert!(peak(&frame) > 1_000);
        playout.clear();
        playout.pull(start, &mut frame);
        assert_eq!(peak(&frame), 0);
        for n in 10..20 {
            let start = start + MS * 20 * u32::try_from(n).unwrap();
            playout.insert(start, n * FRAME as u64, Arc::from(encoder.encode(&tone(n)).unwrap()));
        }
        (0..3).for_each(|_| playout.pull(start, &mut frame));
        assert!(peak(&frame) > 1_000);
        assert!(playout.take_level() > 1_000);
    }
}
