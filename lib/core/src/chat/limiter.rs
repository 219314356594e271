//! Says how often something may be said to one person: a bucket of tokens for each key.

use crate::small::SmallMap;
use crate::time::Mono;
use std::time::Duration;

/// Buckets by key.
#[derive(Debug)]
pub(super) struct Limiter {
    burst: f64,
    refill: Duration,
    buckets: SmallMap<String, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Mono,
    suppressed: u32,
}

/// Keys that are remembered; when more are active at once, new ones are held back.
const MAX_KEYS: usize = 1000;

impl Limiter {
    /// `burst` at once, then one for each `refill`.
    pub(super) fn new(burst: u32, refill: Duration) -> Limiter {
        Limiter {
            burst: f64::from(burst),
            refill,
            buckets: SmallMap::new(),
        }
    }

    /// `Some(how many were held back since the last time)` when it may be said, `None` when not.
    pub(super) fn take(&mut self, now: Mono, key: &str) -> Option<u32> {
        if !self.buckets.contains_key(key) && self.buckets.len() >= MAX_KEYS {
            let whole = self.refill.mul_f64(self.burst);
            self.buckets
                .retain(|_, bucket| now.since(bucket.at) < whole);
            if self.buckets.len() >= MAX_KEYS {
                return None;
            }
        }
        let bucket = self.buckets.entry(key.to_owned()).or_insert(Bucket {
            tokens: self.burst,
            at: now,
            suppressed: 0,
        });
        let gained = now.since(bucket.at).as_secs_f64() / self.refill.as_secs_f64();
        bucket.tokens = (bucket.tokens + gained).min(self.burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            bucket.suppressed += 1;
            return None;
        }
        bucket.tokens -= 1.0;
        Some(std::mem::take(&mut bucket.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_for_each_refill_with_the_count_of_what_was_held_back() {
        let mut limiter = Limiter::new(2, Duration::from_secs(10));
        let at = |seconds| Mono::new(Duration::from_secs(seconds));
        let got: Vec<Option<u32>> = [0, 0, 1, 2, 11, 12]
            .into_iter()
            .map(|second| limiter.take(at(second), "a"))
            .collect();
        assert_eq!(got, [Some(0), Some(0), None, None, Some(2), None]);
        assert_eq!(limiter.take(at(12), "b"), Some(0));
    }

    #[test]
    fn many_keys_are_capped() {
        let mut limiter = Limiter::new(1, Duration::from_secs(10));
        for key in 0..MAX_KEYS {
            assert!(limiter.take(Mono::ZERO, &key.to_string()).is_some());
        }
        assert_eq!(limiter.take(Mono::ZERO, "new"), None);
        let later = Mono::new(Duration::from_secs(11));
        assert_eq!(limiter.take(later, "new"), Some(0));
    }
}
