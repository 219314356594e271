//! The wall clock of a board that begins in 1970, until it is set.

use super::Core;
use crate::time::{Now, RELEASED, Wall};

impl Core {
    /// A board without a battery begins in 1970. When its clock is set, the times of what happened until then are
    /// brought to the new scale by the monotonic clock. Lines of log files stay as they were written.
    pub(super) fn watch_clock(&mut self, now: Now) {
        let ahead = ahead_ms(now);
        let Some(before) = self.unset_clock.replace(ahead) else {
            return;
        };
        if now.wall < RELEASED {
            return;
        }
        self.unset_clock = None;
        let by_ms = ahead - before;
        log::warn!(
            "the clock has been set; times before this were counted from {}",
            Wall(before).rfc3339()
        );
        self.started.wall.correct(by_ms);
        self.book.correct_times(by_ms);
        self.notifier.correct_times(by_ms, &mut self.pending);
        self.chat.outbox().correct_times(by_ms, &mut self.pending);
        for plugin in &mut self.plugins {
            plugin.correct_times(by_ms);
        }
        self.revision += 1;
    }
}

/// How far the wall clock is ahead of the monotonic one.
pub(super) fn ahead_ms(now: Now) -> i64 {
    let since_start = now.mono.since_start().as_millis();
    now.wall
        .0
        .saturating_sub(i64::try_from(since_start).unwrap_or(i64::MAX))
}
