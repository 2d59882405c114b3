//! The engine's only randomness: a small generator seeded by the host.

use codex_proto::{ThreadId, TurnId, Wall};

/// SplitMix64. Good enough for identifiers and jitter; never for secrets, which the engine does
/// not make.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        let (a, b) = seed.split_at(8);
        let word =
            |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        Self(word(a) ^ word(b).rotate_left(32))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`; zero for an empty range.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    fn uuid_v7(&mut self, wall: Wall) -> uuid::Uuid {
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_be_bytes());
        random[8..].copy_from_slice(&self.next().to_be_bytes()[..2]);
        let ms = u64::try_from(wall.0).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }

    pub(crate) fn thread_id(&mut self, wall: Wall) -> ThreadId {
        ThreadId(self.uuid_v7(wall))
    }

    pub(crate) fn turn_id(&mut self, wall: Wall) -> TurnId {
        TurnId(self.uuid_v7(wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_and_differ() {
        let mut rng = Rng::new([7; 16]);
        let wall = Wall(1_795_328_118_541);
        let (a, b) = (rng.thread_id(wall), rng.thread_id(wall));
        assert_ne!(a, b);
        assert_eq!(a.0.get_version_num(), 7);
        assert!(a.to_string().starts_with("01a"));
    }
}
