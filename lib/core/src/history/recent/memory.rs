//! What memory knows of some series at one moment, on its way to those who have the time to make curves of it.

use super::{History, Query, SLOT_MS, SLOTS, wall_ms};
use crate::history::archive::most_curves;
use crate::history::bins::{Bins, Grid};
use crate::history::{Curve, Recall, Unit};
use crate::time::Now;
use std::sync::Arc;

/// The values of some series. They are shared with the history, which copies what it changes.
#[derive(Debug, Default)]
pub struct Memory {
    tracks: Vec<Known>,
    /// From the first slot that is asked for to the one under way, which is not among them.
    from: u64,
    to: u64,
    /// When slot 0 began, as the wall clock counted.
    zero_ms: i64,
}

/// What is known of one series.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    unit: Unit,
    ring: Arc<[f32]>,
    /// What was measured in the slot under way.
    present: f32,
}

/// Answers a question from memory alone.
#[derive(Debug)]
pub struct MemoryJob {
    pub(super) memory: Memory,
    pub(super) grid: Grid,
}

/// How a question is answered.
#[derive(Debug)]
pub enum Question {
    /// By a job on what memory knows.
    Memory(MemoryJob),
    /// By the store's thread, which has the files.
    Disk(Box<Recall>),
}

impl MemoryJob {
    /// Does it.
    pub fn run(self) -> Vec<Curve> {
        self.memory.curves(self.grid)
    }
}

impl History {
    /// Takes what a question is about, from a slot on.
    pub(super) fn memory(&self, now: Now, query: &Query, from: u64, grid: Grid) -> Memory {
        let tracks = self.select(&query.series).take(most_curves(grid));
        Memory {
            tracks: tracks
                .map(|track| Known {
                    name: Arc::clone(&track.name),
                    unit: track.unit,
                    ring: Arc::clone(&track.ring),
                    present: track.present(self.slot).unwrap_or(f32::NAN),
                })
                .collect(),
            from,
            to: self.slot,
            zero_ms: wall_ms(now, 0),
        }
    }
}

impl Memory {
    /// What is known of each series.
    pub(crate) fn bins(&self, grid: Grid) -> Vec<Bins> {
        self.tracks
            .iter()
            .map(|track| self.fold(track, grid))
            .collect()
    }

    pub(super) fn curves(&self, grid: Grid) -> Vec<Curve> {
        let bins = self.bins(grid).into_iter();
        bins.map(Bins::into_curve).collect()
    }

    fn fold(&self, track: &Known, grid: Grid) -> Bins {
        let since_zero_ms = grid.start_ms().saturating_sub(self.zero_ms);
        let asked = u64::try_from(since_zero_ms).unwrap_or(0) / SLOT_MS;
        let from = self.from.max(asked).min(self.to);
        let (newer, older) = track.ring.split_at((self.to % SLOTS) as usize);
        let over = (self.to - from) as usize;
        let skipped = (SLOTS as usize).saturating_sub(over);
        let values = older.iter().chain(newer).skip(skipped).copied();
        let mut bins = Bins::new(Arc::clone(&track.name), track.unit, grid);
        let at_ms = self.zero_ms + (from * SLOT_MS) as i64;
        bins.add_run(at_ms, SLOT_MS as u32, values.chain([track.present]));
        bins
    }
}
