//! The jitter buffer: puts packets back in order and decides when each is played.
//!
//! ```text
//! state     on                                does                          next
//! Filling   the target depth is reached       plays the first packet        Playing
//! Playing   the next packet is there          plays it                      Playing
//!           a later packet is there           conceals the missing one      Playing
//!           the same, less deep than wanted   conceals, without advancing   Playing
//!           a packet far later is there       a pause of the sender         Filling
//!           nothing is there                  conceals, without advancing   Playing
//!           nothing for CONCEAL_MAX           silence                       Filling
//! ```
//!
//! The target depth follows the network: the spread of transit times of the last seconds, and one
//! frame more. Times are 48 kHz sample counts of the sender, and instants of ours.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::pcm::{FRAME, RATE, duration, samples};

/// Bounds of the target depth.
pub(crate) const TARGET: (Duration, Duration) =
    (Duration::from_millis(40), Duration::from_millis(400));

/// Most packets that wait.
const PACKETS_MAX: usize = 150;

/// Silence is concealed for so long; then it is silence.
const CONCEAL_MAX: usize = 5 * FRAME;

/// A larger hole between two packets is a pause of the sender, not loss.
const GAP_MAX: u64 = 6 * FRAME as u64;

/// A jump of the transit time by more means that the sender's clock was set anew.
const JUMP: i64 = RATE as i64;

/// Length of a bucket of transit times, and how many are kept.
const BUCKET: Duration = Duration::from_millis(500);
const BUCKETS: usize = 16;

/// More than the target by this much is not caught up by playing faster but by leaving out.
const EXCESS_MAX: Duration = Duration::from_millis(600);

/// What is to be played next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing; silence.
    Idle,
    /// So many samples in place of a packet that is lost; the one after it may help.
    Lost { samples: usize, following: Option<Arc<[u8]>> },
    /// This packet; [`JitterBuffer::decoded`] is to be told its length.
    Packet(Arc<[u8]>),
    /// So many samples in place of a packet that may still come.
    Wait { samples: usize },
}

/// Packets seen and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Came at all.
    pub(crate) received: u64,
    /// Came when their time was over, or twice.
    pub(crate) late: u64,
    /// Never came, or too late.
    pub(crate) lost: u64,
    /// Were left out to catch up.
    pub(crate) skipped: u64,
    /// Times that nothing was there to play in the midst of speech.
    pub(crate) starved: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    packets: BTreeMap<u64, Arc<[u8]>>,
    state: State,
    transits: Transits,
    /// Length of the last packet.
    frame: usize,
    counts: Counts,
}

#[derive(Debug)]
enum State {
    Filling { since: Option<Instant> },
    Playing { next: u64, concealed: usize },
}

impl JitterBuffer {
    pub(crate) fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            state: State::Filling { since: None },
            transits: Transits::default(),
            frame: FRAME,
            counts: Counts::default(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// How much is to wait before it is played.
    pub(crate) fn target(&self) -> Duration {
        self.transits.target()
    }

    /// How much waits.
    pub(crate) fn depth(&self) -> Duration {
        let (Some((first, _)), Some((last, _))) =
            (self.packets.first_key_value(), self.packets.last_key_value())
        else {
            return Duration::ZERO;
        };
        let from = match self.state {
            State::Filling { .. } => *first,
            State::Playing { next, .. } => next,
        };
        let span = last.saturating_sub(from).saturating_add(self.frame as u64);
        duration(usize::try_from(span).unwrap_or(usize::MAX).min(RATE as usize * 10))
    }

    /// Takes a packet that came now and begins at `time`.
    pub(crate) fn insert(&mut self, now: Instant, time: u64, packet: Arc<[u8]>) {
        self.counts.received += 1;
        if self.transits.push(now, time) {
            // The sender began anew: what waits belongs to another time.
            self.counts.skipped += self.packets.len() as u64;
            self.packets.clear();
            self.state = State::Filling { since: None };
        }
        if matches!(self.state, State::Playing { next, .. } if time < next) {
            self.counts.late += 1;
            return;
        }
        if let State::Filling { since } = &mut self.state {
            since.get_or_insert(now);
        }
        if self.packets.insert(time, packet).is_some() {
            self.counts.late += 1;
        }
        if self.packets.len() > PACKETS_MAX {
            self.skip_first();
        }
    }

    /// What to play now. To be asked when a frame is needed, not before.
    pub(crate) fn next(&mut self, now: Instant) -> Next {
        let target = self.target();
        while self.depth() > target + EXCESS_MAX {
            self.skip_first();
        }
        let depth = self.depth();
        if let State::Filling { since } = self.state {
            let Some((first, _)) = self.packets.first_key_value() else { return Next::Idle };
            let waited = since.map(|since| now.saturating_duration_since(since));
            if depth < target && waited < Some(target) {
                return Next::Idle;
            }
            self.state = State::Playing { next: *first, concealed: 0 };
        }
        let State::Playing { next, concealed } = &mut self.state else { return Next::Idle };
        if let Some(packet) = self.packets.remove(next) {
            *concealed = 0;
            return Next::Packet(packet);
        }
        let Some((later, packet)) = self.packets.first_key_value() else {
            if *concealed == 0 {
                self.counts.starved += 1;
            }
            if *concealed < CONCEAL_MAX {
                *concealed += self.frame;
                return Next::Wait { samples: self.frame };
            }
            self.state = State::Filling { since: None };
            return Next::Idle;
        };
        let gap = later.saturating_sub(*next);
        if gap > GAP_MAX {
            self.state = State::Filling { since: Some(now) };
            return Next::Idle;
        }
        if depth < target && *concealed < CONCEAL_MAX {
            *concealed += self.frame;
            return Next::Wait { samples: self.frame };
        }
        let samples = usize::try_from(gap).unwrap_or(self.frame).min(self.frame);
        let following = (gap == samples as u64).then(|| Arc::clone(packet));
        *next += samples as u64;
        *concealed = 0;
        self.counts.lost += 1;
        Next::Lost { samples, following }
    }

    /// Says how many samples the packet of [`Next::Packet`] had; none for a malformed one.
    pub(crate) fn decoded(&mut self, samples: usize) {
        if samples > 0 {
            self.frame = samples;
        }
        if let State::Playing { next, .. } = &mut self.state {
            *next += self.frame as u64;
        }
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.state = State::Filling { since: None };
    }

    fn skip_first(&mut self) {
        let Some((first, _)) = self.packets.pop_first() else { return };
        self.counts.skipped += 1;
        if let State::Playing { next, .. } = &mut self.state {
            let following = self.packets.first_key_value().map(|(time, _)| *time);
            *next = following.unwrap_or(first + self.frame as u64).max(*next);
        }
    }
}

/// Transit times, as differences to an arbitrary constant, in samples.
#[derive(Debug, Default)]
struct Transits {
    start: Option<Instant>,
    last: Option<i64>,
    /// Start, least and greatest transit time.
    buckets: VecDeque<(Instant, i64, i64)>,
}

impl Transits {
    /// Takes an arrival; says whether the sender's clock jumped.
    fn push(&mut self, now: Instant, time: u64) -> bool {
        let start = *self.start.get_or_insert(now);
        let arrived = samples(now.saturating_duration_since(start));
        let transit = i64::try_from(arrived)
            .unwrap_or(i64::MAX)
            .wrapping_sub(i64::try_from(time).unwrap_or(i64::MAX));
        let jumped = self.last.is_some_and(|last| transit.abs_diff(last) > JUMP.unsigned_abs());
        self.last = Some(transit);
        if jumped {
            self.buckets.clear();
        }
        match self.buckets.back_mut() {
            Some((from, least, greatest)) if now.saturating_duration_since(*from) < BUCKET => {
                *least = transit.min(*least);
                *greatest = transit.max(*greatest);
            }
            _ => self.buckets.push_back((now, transit, transit)),
        }
        if self.buckets.len() > BUCKETS {
            self.buckets.pop_front();
        }
        jumped
    }

    fn target(&self) -> Duration {
        let least = self.buckets.iter().map(|(_, least, _)| *least).min();
        let greatest = self.buckets.iter().map(|(_, _, greatest)| *greatest).max();
        let spread = least.zip(greatest).map_or(0, |(least, greatest)| greatest.abs_diff(least));
        let spread = duration(usize::try_from(spread).unwrap_or(usize::MAX).min(RATE as usize));
        (spread + duration(FRAME)).clamp(TARGET.0, TARGET.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn packet(n: u64) -> Arc<[u8]> {
        Arc::from(n.to_be_bytes().as_slice())
    }

    /// Feeds packets `n` at `arrivals[n]` (ms) and pulls a frame each 20 ms; says what was played.
    fn play(arrivals: &[(u64, u64)], until: u64) -> (Vec<String>, Counts) {
        let start = Instant::now();
        let mut buffer = JitterBuffer::new();
        let mut played = Vec::new();
        let mut arrivals = arrivals.to_vec();
        arrivals.sort_by_key(|(_, at)| *at);
        let mut arrivals = arrivals.into_iter().peekable();
        for ms in 0..until {
            let now = start + MS * u32::try_from(ms).unwrap();
            while let Some((n, _)) = arrivals.next_if(|(_, at)| *at <= ms) {
                buffer.insert(now, 1_000_000 + n * FRAME as u64, packet(n));
            }
            if ms % 20 != 0 {
                continue;
            }
            played.push(match buffer.next(now) {
                Next::Idle => "-".into(),
                Next::Lost { following, .. } => {
                    if following.is_some() {
                        "f".into()
                    } else {
                        "l".into()
                    }
                }
                Next::Packet(packet) => {
                    buffer.decoded(FRAME);
                    u64::from_be_bytes(packet.as_ref().try_into().unwrap()).to_string()
                }
                Next::Wait { .. } => "w".into(),
            });
        }
        (played, buffer.counts())
    }

    #[test]
    fn a_steady_stream_is_played_after_the_least_delay() {
        let arrivals: Vec<_> = (0..5).map(|n| (n, n * 20 + 5)).collect();
        let (played, counts) = play(&arrivals, 300);
        assert_eq!(
            played.join(" "),
            "- - 0 1 2 3 4 w w w w w - - -",
            "{counts:?}: 40 ms wait, then in order, then concealed for 100 ms, then silence"
        );
        assert_eq!(counts, Counts { received: 5, starved: 1, ..Counts::default() });
    }

    #[test]
    fn reordered_packets_are_put_in_order_and_missing_ones_concealed() {
        let arrivals = [(0, 0), (2, 40), (1, 42), (3, 60), (5, 100), (8, 160), (9, 180)];
        let (played, counts) = play(&arrivals, 320);
        // Before 4 is given up the buffer is filled to its depth; 4 is recovered from 5; of 6 and 7
        // only 7 is right before one that is there.
        assert_eq!(played.join(" "), "- - 0 1 2 3 w w f 5 l f 8 9 w w");
        assert_eq!(counts.lost, 3);
    }

    #[test]
    fn the_delay_follows_the_network() {
        // Every tenth packet is 150 ms late.
        let delay = |n: u64| if n % 10 == 9 { 150 } else { 10 };
        let arrivals: Vec<_> = (0..200).map(|n| (n, n * 20 + delay(n))).collect();
        let (played, counts) = play(&arrivals, 4_000);
        let tail = played[60..190].join(" ");
        assert!(!tail.contains('w') && !tail.contains('l') && !tail.contains('f'), "{tail}");
        assert!(counts.late <= 2 && counts.starved <= 4, "{counts:?}");
    }

    #[test]
    fn a_pause_of_the_sender_is_silence_and_a_clock_set_anew_is_followed() {
        let start = Instant::now();
        let mut buffer = JitterBuffer::new();
        buffer.insert(start, 0, packet(0));
        buffer.insert(start, 40_000, packet(1));
        assert_eq!(buffer.next(start), Next::Packet(packet(0)), "deep enough");
        buffer.decoded(FRAME);
        assert_eq!(buffer.next(start), Next::Idle, "a pause");
        // An hour back.
        buffer.insert(start + MS, 40_000 + 48_000 * 3_600, packet(2));
        assert_eq!(buffer.depth(), duration(FRAME));
        assert_eq!(buffer.next(start + MS * 50), Next::Packet(packet(2)));
    }

    #[test]
    fn what_waits_is_bounded() {
        let start = Instant::now();
        let mut buffer = JitterBuffer::new();
        for n in 0..1_000 {
            buffer.insert(start + MS, n * FRAME as u64, packet(n));
            assert!(buffer.packets.len() <= PACKETS_MAX);
        }
        assert!(matches!(buffer.next(start + MS), Next::Packet(_)));
        assert!(buffer.depth() <= buffer.target() + EXCESS_MAX, "{:?}", buffer.depth());
        assert!(buffer.counts().skipped > 0);
        buffer.clear();
        assert_eq!(buffer.next(start + MS * 2), Next::Idle);
    }
}
