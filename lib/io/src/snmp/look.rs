//! When to look into the sockets. A single request waits for readiness: one wake-up, no delay. After a burst
//! the first look comes when most answers are there; stragglers wake us, but not one by one. Where one large
//! burst follows the other, the next one reads the answers to the last.

use rackwarden_base::time::Mono;
use std::time::Duration;

/// Answers over a local network are there by then, and nobody notices the delay.
const SOONEST: Duration = Duration::from_millis(4);
/// A slot's length; the next burst may come then.
const LATEST: Duration = Duration::from_millis(20);
/// How long stragglers of a burst are gathered; what comes later is a slow device's.
const GATHER: Duration = Duration::from_millis(40);
/// With more requests out than this, answers keep coming, and readiness would wake us for each.
pub(super) const MANY: usize = 64;

/// The plan for the next look.
#[derive(Debug)]
pub(super) struct Look {
    /// When to look; `None` is when the socket says so.
    at: Option<Mono>,
    burst: Mono,
    /// The last burst was one of many requests.
    is_large: bool,
    /// Learnt: how long the devices take to answer a burst.
    first: Duration,
    pause: Duration,
    is_first: bool,
}

impl Default for Look {
    fn default() -> Look {
        Look {
            at: None,
            burst: Mono::ZERO,
            is_large: false,
            first: SOONEST,
            pause: SOONEST,
            is_first: false,
        }
    }
}

impl Look {
    pub(super) fn at(&self) -> Option<Mono> {
        self.at
    }

    pub(super) fn is_watching(&self) -> bool {
        self.at.is_none()
    }

    /// A burst of new questions has gone out.
    pub(super) fn burst_sent(&mut self, now: Mono, count: usize) {
        let is_amid = self.is_large && now.since(self.burst) <= LATEST + SOONEST;
        self.burst = now;
        self.is_large = count > MANY;
        self.pause = SOONEST;
        self.is_first = count > 1;
        let wait = match (self.is_large, is_amid) {
            (true, true) => LATEST + SOONEST,
            (true, false) => SOONEST,
            (false, _) => self.first,
        };
        self.at = self.is_first.then(|| now + wait);
    }

    /// The socket was ready and has been read.
    pub(super) fn woken(&mut self, now: Mono, count: usize, outstanding: usize) {
        self.learn(now, count);
        let is_gathering = outstanding > 1 && now.since(self.burst) < GATHER;
        self.at = if outstanding > MANY {
            Some(now + 2 * SOONEST)
        } else if is_gathering {
            let wait = self.pause;
            self.pause = (2 * self.pause).min(LATEST);
            Some(now + wait)
        } else {
            None
        };
    }

    /// A look at a time of our own choice has been taken.
    pub(super) fn looked(&mut self, now: Mono, count: usize, outstanding: usize) {
        if self.at.is_none_or(|at| at > now) {
            return;
        }
        if self.is_first {
            self.is_first = false;
            if outstanding == 0 {
                self.first -= (self.first - SOONEST) / 16;
            }
        } else {
            self.learn(now, count);
        }
        // The next slot's burst reads what is left; only behind the last one is another look of our own needed.
        let is_streaming = count > 0 && outstanding > MANY;
        self.at = is_streaming.then(|| now + LATEST);
    }

    /// More answers of a large burst are about to come.
    pub(super) fn is_streaming(&self, outstanding: usize) -> bool {
        self.at.is_some() && outstanding > MANY
    }

    /// Answers that a burst's first look missed move it back.
    fn learn(&mut self, now: Mono, count: usize) {
        let age = now.since(self.burst);
        if count > 0 && age < GATHER {
            self.first = self.first.max(age).min(LATEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::new(Duration::from_millis(ms))
    }

    #[test]
    fn one_request_waits_for_readiness() {
        let mut look = Look::default();
        look.burst_sent(at(0), 1);
        assert!(look.is_watching());
        look.woken(at(3), 1, 0);
        assert!(look.is_watching());
    }

    #[test]
    fn a_burst_is_looked_at_once_and_then_watched() {
        let mut look = Look::default();
        look.burst_sent(at(0), 4);
        assert_eq!(look.at(), Some(at(4)));
        look.looked(at(4), 3, 1);
        assert!(look.is_watching(), "the dead one may answer late");
    }

    #[test]
    fn stragglers_are_gathered_and_the_next_burst_waits_for_them() {
        let mut look = Look::default();
        look.burst_sent(at(0), 4);
        look.looked(at(4), 0, 4);
        look.woken(at(10), 1, 3);
        assert_eq!(look.at(), Some(at(14)));
        look.looked(at(14), 1, 2);
        assert!(look.is_watching());
        look.woken(at(15), 2, 0);
        look.burst_sent(at(2000), 4);
        assert_eq!(look.at(), Some(at(2015)));
        for round in 2..200 {
            look.looked(look.at().unwrap(), 4, 0);
            look.burst_sent(at(round * 2000), 4);
        }
        assert!(look.at().unwrap().since(at(199 * 2000)) < Duration::from_millis(5));
    }

    #[test]
    fn a_slow_card_costs_one_wake_up() {
        let mut look = Look::default();
        look.burst_sent(at(0), 4);
        look.looked(at(4), 3, 1);
        look.woken(at(1500), 1, 0);
        assert!(look.is_watching());
        look.burst_sent(at(2000), 4);
        assert_eq!(look.at(), Some(at(2004)));
    }

    #[test]
    fn amid_large_bursts_the_next_one_comes_before_a_look() {
        let mut look = Look::default();
        look.burst_sent(at(80), 2);
        look.burst_sent(at(100), 256);
        assert_eq!(look.at(), Some(at(104)), "it may be the only one");
        look.looked(at(104), 256, 0);
        look.burst_sent(at(120), 256);
        assert_eq!(look.at(), Some(at(144)));
        look.burst_sent(at(140), 256);
        assert_eq!(look.at(), Some(at(164)), "the last one's answers");
        look.looked(at(164), 256, 0);
        look.burst_sent(at(2100), 256);
        assert_eq!(look.at(), Some(at(2104)));
    }

    #[test]
    fn many_answers_do_not_wake_us_one_by_one() {
        let mut look = Look::default();
        look.burst_sent(at(0), 256);
        look.looked(at(4), 10, 246);
        assert_eq!(look.at(), Some(at(24)));
        assert!(look.is_streaming(246));
        look.looked(at(24), 0, 246);
        assert!(look.is_watching(), "the rest may be dead");
        look.woken(at(1000), 1, 245);
        assert_eq!(look.at(), Some(at(1008)));
    }
}
