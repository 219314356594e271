//! How fast requests leave: so that their answers, should all come together, fit into a receive buffer of
//! default size, however long we get no CPU. Whether devices answer plays no part: many dead ones hold
//! nobody up.

use crate::time::Mono;
use std::time::Duration;

/// `net.core.rmem_default` is 212,992 bytes, and the kernel charges 1,280 of them for a datagram of usual
/// size. That leaves 166; a burst stays well below.
const BURST: u64 = 128;
/// What is allowed anew in a millisecond. 10,000 devices take half a second, and as many dead ones can be
/// asked twice in a second.
const PER_MS: u64 = 22;
/// A full bucket's next portion is worth to wake up for.
const PAUSE: Duration = Duration::from_millis(4);

/// A bucket of permissions to send.
#[derive(Debug)]
pub(super) struct Pace {
    /// In thousandths, as it fills by microseconds.
    level: u64,
    filled: Mono,
    /// When it was found empty.
    emptied: Mono,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            level: BURST * 1000,
            filled: Mono::ZERO,
            emptied: Mono::ZERO,
        }
    }
}

impl Pace {
    /// Takes what the time since the last call allows.
    pub(super) fn fill(&mut self, now: Mono) {
        let passed_us = u64::try_from(now.since(self.filled).as_micros()).unwrap_or(u64::MAX);
        self.level = passed_us
            .saturating_mul(PER_MS)
            .saturating_add(self.level)
            .min(BURST * 1000);
        self.filled = now;
    }

    pub(super) fn has_room(&mut self) -> bool {
        if self.level < 1000 {
            self.emptied = self.filled;
            return false;
        }
        true
    }

    pub(super) fn sent(&mut self) {
        self.level = self.level.saturating_sub(1000);
    }

    /// When an empty bucket holds the next portion.
    pub(super) fn turn(&self) -> Mono {
        self.emptied + PAUSE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::new(Duration::from_millis(ms))
    }

    fn send_all(pace: &mut Pace, now: Mono) -> u64 {
        pace.fill(now);
        let mut count = 0;
        while pace.has_room() {
            pace.sent();
            count += 1;
        }
        count
    }

    #[test]
    fn a_burst_and_then_a_portion_every_few_milliseconds() {
        let mut pace = Pace::default();
        assert_eq!(send_all(&mut pace, at(100)), BURST);
        assert_eq!(pace.turn(), at(104));
        assert_eq!(send_all(&mut pace, at(104)), 88);
        assert_eq!(send_all(&mut pace, at(104)), 0);
        assert_eq!(send_all(&mut pace, at(105)), 22);
    }

    #[test]
    fn after_a_long_time_without_cpu_no_more_than_a_burst_leaves() {
        let mut pace = Pace::default();
        send_all(&mut pace, at(100));
        assert_eq!(send_all(&mut pace, at(5000)), BURST);
    }
}
