//! Reads both clocks.

use crate::time::{Mono, Now, Wall};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The process's clocks. Copies share the origin of the monotonic one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Clock {
        Clock {
            origin: Instant::now(),
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
        Mono::new(self.origin.elapsed())
    }

    /// What the operating system calls this moment.
    pub fn instant(&self, at: Mono) -> Instant {
        self.origin + at.since_start()
    }
}
