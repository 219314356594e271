//! What of the hour goes to disk, when, and what comes back from there.

use super::{FLUSH_EVERY, History, MemoryJob, SLOT_MS, SLOTS, Track, is_settled, wall_ms};
use crate::fault::Fault;
use crate::history::bins::Grid;
use crate::history::hour::{self, Hour};
use crate::history::record::Level;
use crate::history::{Append, Cell, Op, Query, Question, Recall, Series, Span};
use crate::time::{Mono, Now};
use rackwarden_base::Ticket;
use std::sync::Arc;
use std::time::Duration;

/// While the wall clock has not been set, it is looked at again after this time.
const SETTLES_AGAIN: Duration = Duration::from_secs(10);

/// The disk's side.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// The first slot that is not on disk.
    written: u64,
    /// Up to where a write is under way.
    writing: Option<u64>,
    next: Mono,
    series: Arc<Vec<Series>>,
    /// True once the last hour of the run before was asked for.
    has_loaded: bool,
    /// Slots below this one were read from a file, and the clock of then placed them.
    loaded_until: u64,
    fault: Option<Fault>,
}

impl Disk {
    pub(super) fn new(now: Mono, slot: u64) -> Disk {
        Disk {
            written: slot,
            next: now + FLUSH_EVERY,
            ..Disk::default()
        }
    }
}

impl History {
    /// What is wrong with the disk, if anything.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.disk.as_ref()?.fault.as_ref()
    }

    /// When something is to be written.
    pub(crate) fn poll_timeout(&self) -> Option<Mono> {
        let disk = self.disk.as_ref()?;
        (!self.by_name.is_empty() && disk.writing.is_none()).then_some(disk.next)
    }

    /// Writes what is due, and asks for the hour of the run before once the clock is right.
    pub(crate) fn handle_timeout(&mut self, now: Now) -> Vec<Op> {
        let mut ops = Vec::new();
        let Some(disk) = &mut self.disk else {
            return ops;
        };
        if !is_settled(now) {
            // Nobody knows yet when this is. Memory holds an hour.
            if now.mono >= disk.next {
                disk.next = now.mono + SETTLES_AGAIN;
            }
            return ops;
        }
        if !std::mem::replace(&mut disk.has_loaded, true) {
            ops.push(Op::Load);
        }
        if disk.writing.is_none() && now.mono >= disk.next {
            disk.next = now.mono + FLUSH_EVERY;
            ops.extend(self.write(now));
        }
        ops
    }

    /// The agent ends: everything goes to disk, and the hour is kept.
    pub(crate) fn stop(&mut self, now: Now) -> Vec<Op> {
        if self.disk.is_none() || !is_settled(now) || self.by_name.is_empty() {
            return Vec::new();
        }
        // The slot under way has its value as well.
        self.end_slots(self.slot + 1);
        let written = self.write(now);
        let slots = (self.slot - self.first) as u32;
        let mut out = hour::begin(wall_ms(now, self.slot), slots);
        for track in self.series.iter().filter(|track| track.is_used()) {
            let values = (self.first..self.slot).map(|slot| track.value(slot).unwrap_or(f32::NAN));
            hour::add(&mut out, &track.name, track.unit, values);
        }
        let kept = Op::Save(hour::finish(out));
        written.into_iter().chain([kept]).collect()
    }

    /// A write has ended. A failure, and its end, are told once each.
    pub(crate) fn handle_archived(&mut self, result: Result<(), Fault>) {
        let Some(disk) = &mut self.disk else {
            return;
        };
        let until = disk.writing.take();
        match result {
            Ok(()) => {
                disk.written = until.unwrap_or(disk.written);
                if disk.fault.take().is_some() {
                    log::warn!("history: it can be written again; the last hour was not lost");
                }
            }
            Err(fault) => {
                if disk.fault.is_none() {
                    log::error!("history: cannot write: {fault}; the last hour stays in memory");
                }
                disk.fault = Some(fault);
            }
        }
        self.revision += 1;
    }

    /// Takes the hour that the run before kept in a file.
    pub fn handle_hour(&mut self, now: Now, bytes: &[u8]) {
        let Some(mut hour) = Hour::open(bytes) else {
            log::warn!("history: the last hour is damaged and is left out");
            return;
        };
        let began = self.slot_of_start;
        let behind = wall_ms(now, began).saturating_sub(hour.end_ms);
        let gap =
            behind.div_euclid(SLOT_MS as i64) + i64::from(behind.rem_euclid(SLOT_MS as i64) > 0);
        // What ends after this run began was placed by another clock.
        let Some(end) = u64::try_from(gap)
            .ok()
            .and_then(|gap| began.checked_sub(gap))
        else {
            return;
        };
        let oldest = self.slot.saturating_sub(SLOTS);
        let start = end.saturating_sub(hour.slots.into());
        let skipped = u64::from(hour.slots) - (end - start);
        while let Some((name, values)) = hour.next() {
            let place = self.by_name.get(name).copied();
            let Some(track) = place.and_then(|place| self.series.get_mut(place as usize)) else {
                continue;
            };
            let ring = Arc::make_mut(&mut track.ring);
            for (slot, value) in (start..end).zip(values.skip(skipped as usize)) {
                if slot >= oldest && value.is_finite() {
                    ring[(slot % SLOTS) as usize] = value;
                }
            }
        }
        self.first = self.first.min(start.max(oldest));
        if let Some(disk) = &mut self.disk {
            disk.loaded_until = end;
        }
        self.sparks = None;
        self.revision += 1;
    }

    /// The clock was set: what another run measured does not move with it.
    pub(super) fn forget_loaded(&mut self) {
        let until = self
            .disk
            .as_mut()
            .map_or(0, |disk| std::mem::take(&mut disk.loaded_until));
        if until <= self.first {
            return;
        }
        for track in self.series.iter_mut().filter(|track| track.is_used()) {
            let ring = Arc::make_mut(&mut track.ring);
            for slot in self.first..until {
                ring[(slot % SLOTS) as usize] = f32::NAN;
            }
        }
        self.first = until.max(self.first);
    }

    /// How a question is answered: by a job when memory knows all of it, else by the store's thread, which reads what is
    /// older.
    pub(crate) fn query(&self, now: Now, ticket: Ticket, query: &Query) -> Question {
        let oldest_ms = wall_ms(now, self.first);
        let is_known = query.from.0 >= oldest_ms || query.to <= query.from;
        let disk = match &self.disk {
            Some(disk) if !is_known && is_settled(now) => disk,
            _ => {
                let grid = Grid::new(query.from, query.to, query.points, SLOT_MS as i64);
                let memory = self.memory(now, query, self.first, grid);
                return Question::Memory(MemoryJob { memory, grid });
            }
        };
        let minute_ms = Level::Minutes.ms();
        let until_ms = (oldest_ms + minute_ms - 1).div_euclid(minute_ms) * minute_ms;
        let mut recall = Recall::new(ticket, query, now.wall);
        recall.until_ms = recall.until_ms.min(until_ms);
        // The rest of the minute in which memory begins comes from disk, as far as it is there.
        let begun = (self.first..self.slot).find(|slot| wall_ms(now, *slot) >= until_ms);
        let on_disk = disk.writing.unwrap_or(disk.written).max(self.first);
        let from = begun.unwrap_or(self.slot).min(on_disk);
        recall.memory = self.memory(now, query, from, recall.grid);
        Question::Disk(Box::new(recall))
    }

    fn write(&mut self, now: Now) -> Option<Op> {
        let oldest = self.first;
        let disk = self.disk.as_mut()?;
        let is_used = |track: &&Track| track.is_used();
        let series = self.series.iter().filter(is_used);
        let names = series.clone().map(|track| Series {
            name: Arc::clone(&track.name),
            unit: track.unit,
        });
        if !names.clone().eq(disk.series.iter().cloned()) {
            disk.series = Arc::new(names.collect());
        }
        // What is being written is not written again: it would count twice.
        let on_disk = disk.writing.replace(self.slot).unwrap_or(disk.written);
        let from = on_disk.max(oldest).max(disk.loaded_until);
        let minute_of = |slot| (wall_ms(now, slot) / Level::Minutes.ms()) as u32;
        let (first, width) = (minute_of(from), disk.series.len());
        let places: Vec<usize> = (from..self.slot)
            .map(|slot| (minute_of(slot) - first) as usize)
            .collect();
        let rows = places.last().map_or(0, |last| last + 1);
        let mut cells = vec![Cell::default(); rows * width];
        for (column, track) in series.enumerate() {
            let mut row = Row::default();
            for (slot, place) in (from..).zip(&places) {
                row.note(*place, track.value(slot), |place, cell| {
                    cells[place * width + column] = cell
                });
            }
            row.end(|place, cell| cells[place * width + column] = cell);
        }
        let mut append = Append {
            series: Arc::clone(&disk.series),
            minutes: (first..).take(rows).collect(),
            cells,
            now: (now.wall.0 / Level::Minutes.ms()) as u32,
        };
        append.drop_empty(width);
        Some(Op::Append(append))
    }
}

/// The minute that is being summed up.
#[derive(Default)]
struct Row {
    place: usize,
    cell: Cell,
    sum: f64,
}

impl Row {
    fn note(&mut self, place: usize, value: Option<f32>, put: impl FnMut(usize, Cell)) {
        if place != self.place {
            self.end(put);
            self.place = place;
        }
        let Some(value) = value else {
            return;
        };
        let Span { min, max, .. } = &mut self.cell.span;
        if self.cell.share == 0 {
            (*min, *max) = (value, value);
        }
        (*min, *max) = (min.min(value), max.max(value));
        self.sum += f64::from(value);
        self.cell.share += 1;
    }

    fn end(&mut self, mut put: impl FnMut(usize, Cell)) {
        if self.cell.share > 0 {
            let Span { min, max, .. } = self.cell.span;
            let avg = (self.sum / f64::from(self.cell.share)) as f32;
            self.cell.span.avg = avg.clamp(min, max);
            put(self.place, self.cell);
        }
        *self = Row::default();
    }
}

impl Append {
    /// Minutes in which nothing was measured are not written: they are gaps anyway.
    fn drop_empty(&mut self, width: usize) {
        let has_some = |row: &[Cell]| row.iter().any(|cell| cell.share > 0);
        let cells = std::mem::take(&mut self.cells);
        let mut rows = cells.chunks(width.max(1));
        self.minutes.retain(|_| rows.next().is_some_and(has_some));
        let rows = cells.chunks(width.max(1)).filter(|row| has_some(row));
        self.cells = rows.flatten().copied().collect();
    }
}
