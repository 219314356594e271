//! The latest snapshot, between the core that publishes and the readers that look.

use rackwarden_core::snapshot::Snapshot;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holds the latest snapshot. The lock is held for the exchange of a pointer alone.
#[derive(Debug)]
pub struct Published {
    latest: Mutex<Arc<Snapshot>>,
}

impl Published {
    /// Starts with a first snapshot, so that readers always have one.
    pub fn new(first: Arc<Snapshot>) -> Published {
        Published {
            latest: Mutex::new(first),
        }
    }

    /// Replaces the snapshot. Readers that hold the old one keep it for as long as they look. Returns the
    /// old one, so that the core can use its memory again when nobody else holds it.
    pub fn publish(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        std::mem::replace(&mut *self.lock(), snapshot)
    }

    /// The latest snapshot.
    pub fn get(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Snapshot>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
