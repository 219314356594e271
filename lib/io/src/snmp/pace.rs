//! How fast requests leave: so that their answers, should all come together, fit into the receive buffer,
//! however long we get no CPU. Whether devices answer plays no part: many dead ones hold nobody up.

use rackwarden_base::time::Mono;
use std::time::Duration;

/// Requests that leave together. A slot's, if the buffer is as large as it is on most systems.
const BURST: u64 = 256;
/// What a datagram takes in a receive buffer: the kernel charges 1,280 bytes for one of usual size, and not all are.
const DATAGRAM_BYTES: usize = 1664;
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
    burst: u64,
    filled: Mono,
    /// When it was found empty.
    emptied: Mono,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            level: BURST * 1000,
            burst: BURST,
            filled: Mono::ZERO,
            emptied: Mono::ZERO,
        }
    }
}

impl Pace {
    /// A receive buffer of this size is in use.
    pub(super) fn fit(&mut self, buffer_bytes: usize) {
        let fits = (buffer_bytes / DATAGRAM_BYTES).max(1) as u64;
        self.burst = self.burst.min(fits);
        self.level = self.level.min(self.burst * 1000);
    }

    /// Takes what the time since the last call allows.
    pub(super) fn fill(&mut self, now: Mono) {
        let passed_us = u64::try_from(now.since(self.filled).as_micros()).unwrap_or(u64::MAX);
        self.level = passed_us
            .saturating_mul(PER_MS)
            .saturating_add(self.level)
            .min(self.burst * 1000);
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
    fn a_small_buffer_makes_small_bursts() {
        let mut pace = Pace::default();
        pace.fit(425_984);
        assert_eq!(send_all(&mut pace, at(100)), BURST);
        pace.fit(65_536);
        assert_eq!(send_all(&mut pace, at(200)), 39);
        pace.fit(425_984);
        assert_eq!(send_all(&mut pace, at(300)), 39, "the smallest one counts");
    }

    #[test]
    fn after_a_long_time_without_cpu_no_more_than_a_burst_leaves() {
        let mut pace = Pace::default();
        send_all(&mut pace, at(100));
        assert_eq!(send_all(&mut pace, at(5000)), BURST);
    }
}
