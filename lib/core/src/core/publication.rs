//! When readers get a new snapshot.

use super::Core;
use crate::snapshot::Snapshot;
use crate::time::Now;
use std::sync::Arc;
use std::time::Duration;

/// Snapshots are published at most this often.
pub(super) const PUBLISH_INTERVAL: Duration = Duration::from_millis(250);

impl Core {
    /// A new snapshot, when something changed and the last one is old enough.
    pub fn publish(&mut self, now: Now) -> Option<Arc<Snapshot>> {
        let revision = self.current_revision();
        let is_due = self
            .published_at
            .is_none_or(|at| now.mono.since(at) >= PUBLISH_INTERVAL);
        if revision == self.published_revision || !is_due {
            return None;
        }
        self.refresh_snapshot(now);
        self.published_at = Some(now.mono);
        self.published_revision = revision;
        Some(Arc::clone(&self.snapshot))
    }

    /// The snapshot to begin with, whatever changed.
    pub fn first_snapshot(&mut self, now: Now) -> Arc<Snapshot> {
        self.refresh_snapshot(now);
        self.published_at = Some(now.mono);
        self.published_revision = self.current_revision();
        Arc::clone(&self.snapshot)
    }
}
