//! The long history on disk: minutes of a week, quarters of an hour of a year, in files whose oldest record is written
//! over. Lives on the store's thread; reads in pieces, so that nothing else waits long.

mod reading;

pub use reading::{Reading, Recall};
pub(super) use reading::{is_wanted, most_curves};

use super::index::{Index, MOST_GENERATIONS};
use super::record::{self, Cell, HEADER_BYTES, Level, record_bytes};
use super::storage::{File, Storage};
use super::{Curve, Series, Span};
use crate::fault::Fault;
use rackwarden_base::Ticket;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"RWHREC1\n";
/// Magic and generation, before the first record.
const FILE_HEADER: u64 = 8 + 4;
const QUARTER: u32 = 15;
const DAY: u32 = 24 * 60;
/// A generation that was replaced is deleted after so many minutes, its minutes earlier.
const KEEP_QUARTERS: u32 = 366 * DAY;
const KEEP_MINUTES: u32 = 8 * DAY;
/// A run must have written so often, for about a day, before it deletes anything: by then its clock is right.
const SETTLED: u32 = 288;

/// Something to be done with the files.
#[derive(Debug)]
pub enum Op {
    /// Write what was measured.
    Append(Append),
    /// Keep the last hour for the next start.
    Save(Vec<u8>),
    /// Take it back.
    Load,
    /// Read what was.
    Recall(Box<Recall>),
}

/// What came of it, where there is something to say.
#[derive(Debug)]
pub enum Outcome {
    /// A write has ended.
    Archived {
        /// Why it is not on disk.
        result: Result<(), Fault>,
        /// What was damaged and has been set aside, one sentence each.
        repairs: Vec<String>,
    },
    /// The last hour of the run before this one.
    HourLoaded(Vec<u8>),
    /// The curves of a question; none when there is no such series.
    Recalled {
        /// The question it answers.
        ticket: Ticket,
        /// The curves.
        result: Result<Vec<Curve>, Fault>,
    },
}

/// What was measured since the last time.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// The series, in the order of the cells. Shared as long as it is the same.
    pub series: Arc<Vec<Series>>,
    /// Minutes since 1970, ascending.
    pub minutes: Vec<u32>,
    /// Of each minute the cells of all series.
    pub cells: Vec<Cell>,
    /// The present minute.
    pub now: u32,
}

/// The files, and what is known of them.
pub struct Archive<S> {
    storage: S,
    /// `None` before the first use.
    index: Option<Index>,
    /// The index in memory is not the one on disk.
    is_index_stale: bool,
    /// Who stands where in the present generation.
    places: Option<(Arc<Vec<Series>>, Vec<u16>)>,
    /// Files whose beginning was checked.
    checked: Vec<File>,
    /// Quarters with minutes that are not in them yet, by generation.
    unfinished: Vec<(u32, u32)>,
    /// What stood in the minutes of a write that failed, which may be there in part.
    before_failure: Vec<(u32, Option<Vec<u8>>)>,
    has_scanned: bool,
    appends: u32,
    repairs: Vec<String>,
}

impl<S: Storage> Archive<S> {
    /// Nothing is touched before the first use.
    pub fn new(storage: S) -> Archive<S> {
        Archive {
            storage,
            index: None,
            is_index_stale: false,
            places: None,
            checked: Vec::new(),
            unfinished: Vec::new(),
            before_failure: Vec::new(),
            has_scanned: false,
            appends: 0,
            repairs: Vec::new(),
        }
    }

    /// Does what can be done at once. A recall is begun with `begin`.
    pub fn handle(&mut self, op: Op) -> Option<Outcome> {
        match op {
            Op::Append(append) => Some(Outcome::Archived {
                result: self.append(&append),
                repairs: std::mem::take(&mut self.repairs),
            }),
            Op::Save(bytes) => {
                if let Err(fault) = self.storage.replace(File::Hour, &bytes) {
                    log::warn!("history: the last hour cannot be kept: {fault}");
                }
                None
            }
            Op::Load => self.load().map(Outcome::HourLoaded),
            Op::Recall(recall) => {
                let mut reading = self.begin(*recall);
                while !self.read_some(&mut reading) {}
                Some(reading.finish())
            }
        }
    }

    /// The storage below.
    pub fn storage(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Ends the archive and gives the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// The last hour of a run that was stopped. It is told once: it says nothing about what comes after this run.
    fn load(&mut self) -> Option<Vec<u8>> {
        let bytes = match self.storage.read(File::Hour) {
            Ok(bytes) => bytes?,
            Err(fault) => {
                log::warn!("history: the last hour cannot be read: {fault}");
                return None;
            }
        };
        match self.storage.remove(File::Hour) {
            Ok(()) => Some(bytes),
            Err(fault) => {
                log::warn!(
                    "history: the last hour is left out, because it would be told again: {fault}"
                );
                None
            }
        }
    }

    fn append(&mut self, append: &Append) -> Result<(), Fault> {
        self.open()?;
        let places = self.assign(append)?;
        self.write_minutes(append, &places)?;
        self.finish_quarters(append.now)?;
        self.appends += 1;
        if self.appends % SETTLED == 0 {
            self.delete_old(append.now)?;
        }
        self.before_failure.clear();
        Ok(())
    }

    /// Reads the index, once.
    fn open(&mut self) -> Result<(), Fault> {
        if self.index.is_some() {
            return Ok(());
        }
        let index = match self.storage.read(File::Index) {
            Ok(None) => Index::default(),
            Ok(Some(bytes)) => match Index::decode(&bytes) {
                Some(index) => index,
                None => {
                    self.set_aside(File::Index, "the index of the history is damaged")?;
                    Index::default()
                }
            },
            Err(fault) => {
                self.set_aside(File::Index, &fault.to_string())?;
                Index::default()
            }
        };
        // What no index knows can never be read.
        for file in self.storage.list()? {
            let (File::Minutes(id) | File::Quarters(id)) = file else {
                continue;
            };
            if index.generations.iter().all(|one| one.id != id) {
                self.set_aside(file, "a file of the history is in no index")?;
            }
        }
        self.index = Some(index);
        Ok(())
    }

    fn set_aside(&mut self, file: File, why: &str) -> Result<(), Fault> {
        let place = self.storage.set_aside(file)?;
        self.repairs
            .push(format!("{why}; it has been kept as {place}"));
        Ok(())
    }

    /// The columns of the series, in a wider generation if need be. Afterwards the index on disk knows them.
    fn assign(&mut self, append: &Append) -> Result<Vec<u16>, Fault> {
        let Some(index) = &mut self.index else {
            return Ok(Vec::new());
        };
        let known = self
            .places
            .as_ref()
            .filter(|(series, _)| Arc::ptr_eq(series, &append.series));
        let places = match known {
            Some((_, places)) => places.clone(),
            None => {
                let (places, has_changed) = match index.assign(&append.series, append.now) {
                    Some(assigned) => assigned,
                    None => {
                        index.begin(&append.series, append.now);
                        index.assign(&append.series, append.now).unwrap_or_default()
                    }
                };
                self.is_index_stale |= has_changed;
                self.places = Some((Arc::clone(&append.series), places.clone()));
                places
            }
        };
        if self.is_index_stale {
            self.storage.replace(File::Index, &index.encode())?;
            self.is_index_stale = false;
        }
        Ok(places)
    }

    /// Writes all minutes, those beside each other at once, and makes them durable.
    fn write_minutes(&mut self, append: &Append, places: &[u16]) -> Result<(), Fault> {
        let Some((id, columns)) = self.present() else {
            return Ok(());
        };
        if !self.has_scanned {
            self.scan(append.now);
        }
        self.check(File::Minutes(id), id)?;
        let width = append.series.len();
        let mut rest = append.minutes.as_slice();
        let mut cells = append.cells.as_slice();
        while !rest.is_empty() {
            let run = run_length(rest);
            let (minutes, after) = rest.split_at(run);
            let (own, cells_after) = cells.split_at((run * width).min(cells.len()));
            self.write_run(id, columns, minutes, own, places)?;
            (rest, cells) = (after, cells_after);
        }
        self.storage.sync(File::Minutes(id))?;
        for minute in &append.minutes {
            let quarter = (id, minute / QUARTER);
            if !self.unfinished.contains(&quarter) {
                self.unfinished.push(quarter);
            }
        }
        Ok(())
    }

    /// Minutes that follow each other in time and in the file. What stands there of the same minutes is kept.
    fn write_run(
        &mut self,
        id: u32,
        columns: u16,
        minutes: &[u32],
        cells: &[Cell],
        places: &[u16],
    ) -> Result<(), Fault> {
        let Some(first) = minutes.first() else {
            return Ok(());
        };
        let bytes = record_bytes(columns);
        let offset = offset(Level::Minutes, columns, *first);
        let mut records = vec![0; bytes * minutes.len()];
        let _ = self.read_records(Level::Minutes, (id, columns), *first, &mut records);
        let width = cells.len() / minutes.len();
        let mut row = vec![Cell::default(); usize::from(columns)];
        for (index, minute) in minutes.iter().enumerate() {
            let place = &mut records[index * bytes..(index + 1) * bytes];
            let failed = self
                .before_failure
                .iter()
                .find(|(failed, _)| failed == minute);
            let old = match failed {
                Some((_, old)) => old.as_deref(),
                None => Some(&*place),
            };
            let old = old.and_then(|old| record::columns(id, *minute, old));
            for (column, cell) in (0..).zip(&mut row) {
                *cell = old
                    .and_then(|old| record::cell(old, column))
                    .unwrap_or_default();
            }
            if failed.is_none() {
                let old = old.map(|_| place.to_vec());
                self.before_failure.push((*minute, old));
            }
            for (cell, column) in cells[index * width..].iter().zip(places) {
                if let Some(own) = row.get_mut(usize::from(*column)) {
                    own.merge(*cell);
                }
            }
            record::encode(id, *minute, &row, place);
        }
        self.storage.write_at(File::Minutes(id), offset, &records)
    }

    /// Writes the quarters that are over and have new minutes.
    fn finish_quarters(&mut self, now: u32) -> Result<(), Fault> {
        let is_over =
            |(_, quarter): &(u32, u32)| (quarter + 1) * QUARTER <= now || *quarter > now / QUARTER;
        let over: Vec<(u32, u32)> = self.unfinished.iter().copied().filter(is_over).collect();
        let mut written = Vec::new();
        for (id, quarter) in &over {
            if let Some(columns) = self.columns(*id) {
                self.write_quarter(*id, columns, *quarter)?;
                if !written.contains(id) {
                    written.push(*id);
                }
            }
        }
        for id in written {
            self.storage.sync(File::Quarters(id))?;
        }
        self.unfinished.retain(|quarter| !over.contains(quarter));
        Ok(())
    }

    fn write_quarter(&mut self, id: u32, columns: u16, quarter: u32) -> Result<(), Fault> {
        self.check(File::Quarters(id), id)?;
        let mut sums = vec![Sum::default(); usize::from(columns)];
        let mut records = vec![0; record_bytes(columns) * QUARTER as usize];
        let first = quarter * QUARTER;
        let _ = self.read_records(Level::Minutes, (id, columns), first, &mut records);
        let minutes = records.chunks(record_bytes(columns));
        for (minute, record) in (first..).zip(minutes) {
            if let Some(found) = record::columns(id, minute, record) {
                for (column, sum) in (0..).zip(&mut sums) {
                    if let Some(cell) = record::cell(found, column) {
                        sum.add(cell);
                    }
                }
            }
        }
        let mut row: Vec<Cell> = sums.into_iter().map(Sum::cell).collect();
        let mut old = vec![0; record_bytes(columns)];
        let _ = self.read_records(Level::Quarters, (id, columns), quarter, &mut old);
        if let Some(found) = record::columns(id, quarter, &old) {
            for (column, cell) in (0..).zip(&mut row) {
                // Of a quarter whose minutes are gone by now.
                if let Some(old) = record::cell(found, column).filter(|old| old.share > cell.share)
                {
                    cell.merge(old);
                }
            }
        }
        record::encode(id, quarter, &row, &mut old);
        let offset = offset(Level::Quarters, columns, quarter);
        self.storage.write_at(File::Quarters(id), offset, &old)
    }

    /// After a start: the quarters that the runs before could not finish. Older ones than the newest that is finished are.
    fn scan(&mut self, now: u32) {
        self.has_scanned = true;
        let all = self
            .index
            .iter()
            .flat_map(|index| index.generations.iter().rev().take(2));
        let generations: Vec<(u32, u16)> = all.map(|one| (one.id, one.columns)).collect();
        for (id, columns) in generations {
            if !matches!(self.storage.read_at(File::Minutes(id), 0, &mut [0]), Ok(1)) {
                continue;
            }
            let bytes = record_bytes(columns);
            let mut records = vec![0; bytes * QUARTER as usize];
            let week = Level::Minutes.records() / QUARTER;
            let last = now / QUARTER;
            for quarter in (last.saturating_sub(week - 1)..=last).rev() {
                if self.has_number(Level::Quarters, id, columns, quarter) {
                    break;
                }
                records.fill(0);
                let first = quarter * QUARTER;
                let _ = self.read_records(Level::Minutes, (id, columns), first, &mut records);
                let mut minutes = (first..).zip(records.chunks(bytes));
                if minutes.any(|(minute, record)| record[4..HEADER_BYTES] == minute.to_le_bytes()) {
                    self.unfinished.push((id, quarter));
                }
            }
        }
    }

    fn has_number(&mut self, level: Level, id: u32, columns: u16, number: u32) -> bool {
        let mut header = [0; HEADER_BYTES];
        let offset = offset(level, columns, number);
        let read = self.storage.read_at(file(level, id), offset, &mut header);
        read.is_ok() && header[4..] == number.to_le_bytes()
    }

    /// Whole records from a number on, which must not run over the end of the file. What is not there is zero.
    /// Who writes goes on without what cannot be read: the place may be as good as new after it.
    fn read_records(
        &mut self,
        level: Level,
        (id, columns): (u32, u16),
        first: u32,
        buffer: &mut [u8],
    ) -> Result<(), Fault> {
        let offset = offset(level, columns, first);
        let there = self.storage.read_at(file(level, id), offset, buffer)?;
        buffer[there..].fill(0);
        Ok(())
    }

    /// Makes the beginning of a file what it must be, before anything is written to it.
    fn check(&mut self, file: File, id: u32) -> Result<(), Fault> {
        if self.checked.contains(&file) {
            return Ok(());
        }
        let mut want = MAGIC.to_vec();
        want.extend_from_slice(&id.to_le_bytes());
        let mut header = [0; FILE_HEADER as usize];
        let damage = match self.storage.read_at(file, 0, &mut header) {
            Ok(0) => None,
            Ok(_) if header == *want => {
                self.checked.push(file);
                return Ok(());
            }
            Ok(_) => Some("a file of the history is damaged".to_owned()),
            Err(fault) => Some(fault.to_string()),
        };
        if let Some(why) = damage {
            self.set_aside(file, &why)?;
        }
        self.storage.write_at(file, 0, &want)?;
        self.checked.push(file);
        Ok(())
    }

    /// Deletes what nobody can ask for any more.
    fn delete_old(&mut self, now: u32) -> Result<(), Fault> {
        let Some(index) = &mut self.index else {
            return Ok(());
        };
        let is_older =
            |ended: Option<u32>, than: u32| ended.is_some_and(|at| at.saturating_add(than) < now);
        let most = index.generations.len().saturating_sub(MOST_GENERATIONS);
        let mut gone = Vec::new();
        for (place, one) in index.generations.iter().enumerate() {
            if place < most || is_older(one.ended, KEEP_MINUTES) {
                self.storage.remove(File::Minutes(one.id))?;
            }
            if place < most || is_older(one.ended, KEEP_QUARTERS) {
                self.storage.remove(File::Quarters(one.id))?;
                gone.push(one.id);
            }
        }
        if !gone.is_empty() {
            index.generations.retain(|one| !gone.contains(&one.id));
            self.is_index_stale = true;
        }
        Ok(())
    }

    /// The generation that is written, and its columns.
    fn present(&self) -> Option<(u32, u16)> {
        let present = self.index.as_ref()?.generations.last()?;
        Some((present.id, present.columns))
    }

    fn columns(&self, id: u32) -> Option<u16> {
        let generations = &self.index.as_ref()?.generations;
        Some(generations.iter().find(|one| one.id == id)?.columns)
    }
}

/// Cells of minutes on their way to one of a quarter.
#[derive(Clone, Copy, Default)]
struct Sum {
    min: f32,
    max: f32,
    sum: f64,
    share: u32,
}

impl Sum {
    fn add(&mut self, cell: Cell) {
        if self.share == 0 {
            (self.min, self.max) = (cell.span.min, cell.span.max);
        }
        self.min = self.min.min(cell.span.min);
        self.max = self.max.max(cell.span.max);
        self.sum += f64::from(cell.span.avg) * f64::from(cell.share);
        self.share += u32::from(cell.share);
    }

    fn cell(self) -> Cell {
        if self.share == 0 {
            return Cell::default();
        }
        let pieces = Level::Quarters.share_ms() / Level::Minutes.share_ms();
        Cell {
            span: Span {
                min: self.min,
                avg: ((self.sum / f64::from(self.share)) as f32).clamp(self.min, self.max),
                max: self.max,
            },
            share: u8::try_from(self.share.div_ceil(pieces)).unwrap_or(u8::MAX),
        }
    }
}

fn file(level: Level, id: u32) -> File {
    match level {
        Level::Minutes => File::Minutes(id),
        Level::Quarters => File::Quarters(id),
    }
}

/// Where a record stands.
fn offset(level: Level, columns: u16, number: u32) -> u64 {
    let place = number % level.records();
    FILE_HEADER + u64::from(place) * record_bytes(columns) as u64
}

/// How many minutes from the first on stand beside each other in the file.
fn run_length(minutes: &[u32]) -> usize {
    let follows = |pair: &[u32]| {
        let place = pair[1] % Level::Minutes.records();
        pair[1] == pair[0] + 1 && place != 0
    };
    1 + minutes.windows(2).take_while(|pair| follows(pair)).count()
}

#[cfg(test)]
mod tests;
