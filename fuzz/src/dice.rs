//! The only source of chance in the world: given bytes first, then a seeded generator. So a
//! fuzzer's bytes and a seed are the same thing, and what a fuzzer changes is one decision.

use std::ops::{Bound, RangeBounds};

/// Draws. A clone draws the same.
#[derive(Clone, Debug)]
pub struct Dice {
    bytes: Vec<u8>,
    at: usize,
    rng: fastrand::Rng,
}

macro_rules! draw {
    ($($name:ident)*) => {$(
        #[doc = concat!("A `", stringify!($name), "` within a range; the range's start when it is empty.")]
        pub fn $name(&mut self, range: impl RangeBounds<$name>) -> $name {
            let least = match range.start_bound() {
                Bound::Included(least) => *least,
                Bound::Excluded(least) => least.saturating_add(1),
                Bound::Unbounded => $name::MIN,
            };
            let most = match range.end_bound() {
                Bound::Included(most) => *most,
                Bound::Excluded(most) => most.saturating_sub(1),
                Bound::Unbounded => $name::MAX,
            };
            let span = most.saturating_sub(least);
            // The span is of this type, and so is what is drawn within it.
            least + self.upto(span as u64) as $name
        }
    )*};
}

impl Dice {
    /// Everything from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self { bytes: Vec::new(), at: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// First these bytes, a few for each draw, then the generator of seed 0.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0, rng: fastrand::Rng::with_seed(0) }
    }

    /// Whether given bytes are left. Always `false` for a seed.
    #[must_use]
    pub fn has_bytes(&self) -> bool {
        self.at < self.bytes.len()
    }

    /// A number from 0 to `most`, taking as few bytes as can say it.
    fn upto(&mut self, most: u64) -> u64 {
        if !self.has_bytes() {
            return self.rng.u64(0..=most);
        }
        let size = match most {
            0 => return 0,
            1..=0xFF => 1,
            0x100..=0xFFFF => 2,
            0x1_0000..=0xFFFF_FFFF => 4,
            _ => 8,
        };
        let end = (self.at + size).min(self.bytes.len());
        let drawn =
            self.bytes[self.at..end].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.at = end;
        most.checked_add(1).map_or(drawn, |sides| drawn % sides)
    }

    draw! { u8 u16 u32 u64 usize }

    /// Heads or tails.
    pub fn bool(&mut self) -> bool {
        self.upto(1) == 1
    }

    /// From 0 to below 1; from bytes in steps of 1/256.
    pub fn f64(&mut self) -> f64 {
        if self.has_bytes() { f64::from(self.u8(..)) / 256.0 } else { self.rng.f64() }
    }

    /// One of these; `None` when there is none.
    pub fn choice<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.usize(0..all.len().max(1)))
    }

    /// Fills a slice.
    pub fn fill(&mut self, slice: &mut [u8]) {
        slice.iter_mut().for_each(|byte| *byte = self.u8(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_first_and_then_the_generator() {
        let mut dice = Dice::from_bytes(&[7, 1, 0x12, 0x34]);
        assert_eq!(dice.u8(0..5), 2);
        assert!(dice.bool());
        assert_eq!(dice.u16(..), 0x1234);
        assert!(!dice.has_bytes());
        let mut seeded = Dice::from_seed(0);
        assert_eq!(dice.u64(..), seeded.u64(..));
    }

    #[test]
    fn every_draw_stays_within_its_range() {
        for seed in 0..200 {
            let bytes: Vec<u8> = (0..seed as u8).map(|byte| byte.wrapping_mul(73)).collect();
            for mut dice in [Dice::from_seed(seed), Dice::from_bytes(&bytes)] {
                for _ in 0..20 {
                    assert!((3..9).contains(&dice.usize(3..9)));
                    assert!((250..=255).contains(&dice.u8(250..)));
                    assert!((0.0..1.0).contains(&dice.f64()));
                    assert_eq!(dice.u32(4..4), 4);
                    assert_eq!(dice.choice(&[] as &[u8]), None);
                    assert!(dice.u64(..=70_000) <= 70_000);
                }
            }
        }
    }
}
