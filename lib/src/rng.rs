//! Seeded random numbers: SplitMix64 for jitter and request ids, which anybody may see, and SHA-256 over a secret key for
//! codes that nobody may guess. The seed comes from the shell, so a simulation repeats itself exactly.

use crate::digest::digest;
use crate::secret::Secret;

/// A generator owned by the core.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

/// Numbers that cannot be guessed, not even by who has seen all those before.
#[derive(Clone, Debug)]
pub struct Codes {
    key: Secret<[u8; 32]>,
    count: u64,
}

impl Codes {
    /// Starts from a seed that is as hard to guess as the codes shall be.
    pub fn new(seed: u128) -> Codes {
        let mut text = *b"rackwarden codes\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        text[16..].copy_from_slice(&seed.to_be_bytes());
        Codes {
            key: Secret::new(digest(&text)),
            count: 0,
        }
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        self.count += 1;
        let mut text = [0; 40];
        text[..32].copy_from_slice(self.key.expose());
        text[32..].copy_from_slice(&self.count.to_be_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest(&text)[..16]);
        u128::from_be_bytes(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_within_bounds() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        for _ in 0..1000 {
            let value = a.below(10);
            assert!(value < 10);
            assert_eq!(value, b.below(10));
        }
    }

    #[test]
    fn codes_repeat_with_the_seed_and_never_otherwise() {
        let take = |seed| {
            let mut codes = Codes::new(seed);
            (0..1000).map(|_| codes.next_u128()).collect::<Vec<_>>()
        };
        let mut all = take(7);
        assert_eq!(all, take(7));
        all.extend(take(7 + (1 << 64)));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2000);
    }
}
