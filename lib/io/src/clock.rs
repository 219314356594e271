//! Reads both clocks. The monotonic one is the time since the machine started, sleep included: a reading from before
//! three hours of sleep is three hours old, not two seconds. What waits for a moment uses the system's own timers,
//! which stand still meanwhile, so after a sleep it may be late by the rest of one wait.

use rackwarden_base::time::{Mono, Now, Wall};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The process's clocks. Copies share the origin of the monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Duration,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Clock {
        Clock {
            origin: since_boot(),
        }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(err) => -i64::try_from(err.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Now {
            mono: self.mono(),
            wall: Wall(wall),
        }
    }

    /// The monotonic clock alone.
    pub fn mono(&self) -> Mono {
        Mono::new(since_boot().saturating_sub(self.origin))
    }

    /// For how long the machine has slept since it started.
    pub fn slept() -> Duration {
        since_boot().saturating_sub(time_of(ClockId::Monotonic))
    }

    /// What the operating system calls this moment.
    pub fn instant(&self, at: Mono) -> Instant {
        Instant::now() + at.since(self.mono())
    }
}

fn since_boot() -> Duration {
    time_of(ClockId::Boottime)
}

fn time_of(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_clock_are_moments_of_the_timers() {
        let clock = Clock::start();
        let soon = clock.mono() + Duration::from_secs(5);
        let left = clock
            .instant(soon)
            .saturating_duration_since(Instant::now());
        assert!(
            left > Duration::from_secs(4) && left <= Duration::from_secs(5),
            "{left:?}"
        );
        let past = clock.instant(Mono::ZERO);
        assert!(past <= Instant::now());
        assert!(clock.mono() <= clock.mono());
    }
}
