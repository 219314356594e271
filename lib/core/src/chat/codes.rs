//! Numbers for buttons and pairing: SHA-256 over a secret key and a counter. The seed comes from the shell, so a
//! simulation repeats itself exactly.

use crate::digest::digest;
use crate::secret::Secret;

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
