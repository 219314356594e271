//! The simulated store: the journal on a disk in memory, with the store thread's habits in virtual time.

use crate::event::Event;
use crate::journal::{Journal, MemoryStorage, Trouble};
use crate::rng::Rng;
use crate::state::Turn;
use crate::time::Mono;
use std::time::Duration;

/// From the moment that somebody waits for a record to its sync.
const LATENCY: Duration = Duration::from_millis(2);
/// Turns that nobody waits for reach the disk at the latest after this time.
const BATCH: Duration = Duration::from_secs(60);
/// After a failed write, the next attempt follows after this time.
const RETRY: Duration = Duration::from_secs(5);

pub(super) struct Disk {
    pub(super) journal: Journal<MemoryStorage>,
    /// When what waits is written.
    due: Option<Mono>,
    /// Since when something waits.
    dirty_since: Option<Mono>,
    is_failing: bool,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk::on(MemoryStorage::default())
    }
}

impl Disk {
    fn on(storage: MemoryStorage) -> Disk {
        Disk {
            journal: Journal::open(storage).expect("memory can be read"),
            due: None,
            dirty_since: None,
            is_failing: false,
        }
    }

    pub(super) fn push(&mut self, now: Mono, turn: &Turn) {
        self.journal.push(turn);
        self.dirty_since.get_or_insert(now);
        let due = now + if turn.durable { LATENCY } else { BATCH };
        if !self.is_failing {
            self.due = Some(self.due.map_or(due, |at| at.min(due)));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        self.due
    }

    /// Writes what waits; a failure is told once.
    pub(super) fn commit(&mut self, now: Mono) -> Option<Event> {
        match self.journal.commit() {
            Ok(seq) => {
                self.due = None;
                self.dirty_since = None;
                self.is_failing = false;
                let result = Ok(());
                Some(Event::Stored { seq, result })
            }
            Err(fault) => {
                self.due = Some(now + RETRY);
                let was_failing = std::mem::replace(&mut self.is_failing, true);
                let seq = self.journal.records().seq;
                let result = Err(fault);
                (!was_failing).then_some(Event::Stored { seq, result })
            }
        }
    }

    /// The power goes; in one of two cases while what waits is being written.
    pub(super) fn cut_power(&mut self, rng: &mut Rng) {
        if self.journal.is_dirty() && rng.below(2) == 0 {
            self.journal.storage().trouble_at(1, Trouble::Fails);
            let _ = self.journal.commit();
        }
        self.journal.storage().power_cut_torn(rng);
    }

    /// A new agent reads what is there. Returns until when it knows everything.
    pub(super) fn reopen(&mut self, now: Mono) -> Mono {
        let Disk {
            journal,
            dirty_since,
            ..
        } = std::mem::take(self);
        let seq = journal.records().seq;
        *self = Disk::on(journal.into_storage());
        match dirty_since {
            Some(since) if self.journal.records().seq < seq => since,
            _ => now,
        }
    }
}
