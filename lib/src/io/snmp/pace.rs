//! Keeps the number of answers that may be under way below what a receive buffer of default size holds.
//! A device that does not answer must not hold the others up, so a request counts for 5 to 10 ms only;
//! after that time its answer no longer comes together with those of its burst.

use crate::time::Mono;
use std::time::Duration;

/// `net.core.rmem_default` is 212,992 bytes, and the kernel charges up to 2,304 of them for a datagram in a
/// page of its own. That leaves 92.
const WINDOW: u32 = 88;
const GENERATION: Duration = Duration::from_millis(5);
/// A burst of this size is worth to be handed over as a whole.
const BUSY: u32 = 64;

/// Requests of the last two generations without an answer.
#[derive(Debug, Default)]
pub(super) struct Pace {
    older: u32,
    newer: u32,
    /// When `newer` began.
    began: Mono,
}

impl Pace {
    pub(super) fn has_room(&mut self, now: Mono) -> bool {
        if now.since(self.began) >= GENERATION {
            let is_stale = now.since(self.began) >= 2 * GENERATION;
            self.older = if is_stale { 0 } else { self.newer };
            self.newer = 0;
            self.began = now;
        }
        self.older + self.newer < WINDOW
    }

    pub(super) fn sent(&mut self) {
        self.newer += 1;
    }

    pub(super) fn received(&mut self) {
        if self.older > 0 {
            self.older -= 1;
        } else {
            self.newer = self.newer.saturating_sub(1);
        }
    }

    /// Requests whose answer may come any moment.
    pub(super) fn under_way(&self, now: Mono) -> u32 {
        match now.since(self.began) {
            age if age < GENERATION => self.older + self.newer,
            age if age < 2 * GENERATION => self.newer,
            _ => 0,
        }
    }

    pub(super) fn is_busy(&self, now: Mono) -> bool {
        self.under_way(now) > BUSY
    }

    /// When a full window has room again, even if nothing arrives.
    pub(super) fn turn(&self) -> Mono {
        self.began + GENERATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::new(Duration::from_millis(ms))
    }

    fn fill(pace: &mut Pace, now: Mono) -> u32 {
        let mut count = 0;
        while pace.has_room(now) {
            pace.sent();
            count += 1;
        }
        count
    }

    #[test]
    fn no_more_than_a_window_is_under_way() {
        let mut pace = Pace::default();
        assert_eq!(fill(&mut pace, at(100)), WINDOW);
        assert_eq!(fill(&mut pace, at(104)), 0);
        pace.received();
        assert_eq!(fill(&mut pace, at(104)), 1);
    }

    #[test]
    fn dead_devices_give_their_room_back() {
        let mut pace = Pace::default();
        fill(&mut pace, at(100));
        assert_eq!(pace.turn(), at(105));
        assert_eq!(fill(&mut pace, at(105)), 0, "its answers may still come");
        let turn = pace.turn();
        assert_eq!(fill(&mut pace, turn), WINDOW);
        assert_eq!(pace.under_way(at(111)), WINDOW);
        assert_eq!(pace.under_way(at(130)), 0);
    }
}
