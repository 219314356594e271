//! Reading what was, a piece at a time.

use super::{Archive, Outcome, QUARTER};
use crate::fault::Fault;
use crate::history::bins::{Bins, Grid};
use crate::history::record::{self, Level, record_bytes};
use crate::history::{Memory, Query, Storage};
use crate::time::Wall;
use rackwarden_base::Ticket;
use std::sync::Arc;

/// So much of a file is read in one piece.
const PIECE_BYTES: usize = 64 * 1024;
/// Points of all curves of one answer, of 24 bytes each; series beyond are left out.
const MOST_POINTS: usize = 50_000;

/// What is to be read, and what memory knows of it already.
#[derive(Debug)]
pub struct Recall {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// As `Query::series`.
    pub(crate) series: Vec<String>,
    pub(crate) level: Level,
    pub(crate) grid: Grid,
    /// From where on, and up to where, because memory knows the rest.
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) memory: Memory,
    pub(super) found: Vec<Bins>,
}

/// A recall on its way.
#[derive(Debug)]
pub struct Reading {
    recall: Recall,
    /// The generations that are still to be read, the one under way last.
    parts: Vec<Part>,
    /// The next minute or quarter of it.
    next: u32,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Part {
    id: u32,
    columns: u16,
    /// Columns, and which of the curves they belong to.
    wanted: Vec<(u16, usize)>,
}

impl<S: Storage> Archive<S> {
    /// Finds out where the answer stands.
    pub fn begin(&mut self, mut recall: Recall) -> Reading {
        let mut parts = Vec::new();
        recall.found = std::mem::take(&mut recall.memory).bins(recall.grid);
        let fault = self.open().err();
        let generations = self.index.iter().flat_map(|index| &index.generations);
        for generation in generations {
            let mut wanted = Vec::new();
            for (at, column) in (0u16..).zip(&generation.table) {
                if !is_wanted(&recall.series, &column.name) {
                    continue;
                }
                let known = recall
                    .found
                    .iter()
                    .position(|bins| bins.name() == &column.name);
                match known {
                    Some(place) => wanted.push((at, place)),
                    None if recall.found.len() < most_curves(recall.grid) => {
                        let name = Arc::clone(&column.name);
                        wanted.push((at, recall.found.len()));
                        recall.found.push(Bins::new(name, column.unit, recall.grid));
                    }
                    None => {}
                }
            }
            if !wanted.is_empty() {
                parts.push(Part {
                    id: generation.id,
                    columns: generation.columns,
                    wanted,
                });
            }
        }
        let next = recall.first();
        Reading {
            recall,
            parts,
            next,
            fault,
        }
    }

    /// Reads a piece. True when there is no more.
    pub fn read_some(&mut self, reading: &mut Reading) -> bool {
        let Some(part) = reading.parts.last() else {
            return true;
        };
        let recall = &mut reading.recall;
        let (first, end) = (reading.next, recall.end());
        if first >= end {
            reading.parts.pop();
            reading.next = recall.first();
            return reading.parts.is_empty();
        }
        let most = (PIECE_BYTES / record_bytes(part.columns)).max(1) as u32;
        let to_end = recall.level.records() - first % recall.level.records();
        let count = most.min(to_end).min(end - first);
        reading.next = first + count;
        if let Err(fault) = self.read_piece(part, recall, first, count) {
            reading.fault = Some(fault);
        }
        false
    }

    fn read_piece(
        &mut self,
        part: &Part,
        recall: &mut Recall,
        first: u32,
        count: u32,
    ) -> Result<(), Fault> {
        let level = recall.level;
        let bytes = record_bytes(part.columns);
        let mut buffer = vec![0; bytes * count as usize];
        self.read_records(level, (part.id, part.columns), first, &mut buffer)?;
        for (number, record) in (first..).zip(buffer.chunks(bytes)) {
            let is_whole = (i64::from(number) + 1) * level.ms() <= recall.until_ms;
            if !is_whole || !part.take(recall, level, number, record) {
                self.read_minutes(part, recall, number)?;
            }
        }
        Ok(())
    }

    /// The minutes of a quarter that is not there, or not over.
    fn read_minutes(
        &mut self,
        part: &Part,
        recall: &mut Recall,
        quarter: u32,
    ) -> Result<(), Fault> {
        let first = quarter.saturating_mul(QUARTER);
        let oldest = recall.until_ms / Level::Minutes.ms() - i64::from(Level::Minutes.records());
        if recall.level == Level::Minutes || i64::from(first) < oldest {
            return Ok(());
        }
        let bytes = record_bytes(part.columns);
        let mut buffer = vec![0; bytes * QUARTER as usize];
        self.read_records(Level::Minutes, (part.id, part.columns), first, &mut buffer)?;
        for (minute, record) in (first..).zip(buffer.chunks(bytes)) {
            if (i64::from(minute) + 1) * Level::Minutes.ms() <= recall.until_ms {
                part.take(recall, Level::Minutes, minute, record);
            }
        }
        Ok(())
    }
}

impl Part {
    /// Adds what a record says. False when it is not the one with this number.
    fn take(&self, recall: &mut Recall, level: Level, number: u32, record: &[u8]) -> bool {
        let Some(columns) = record::columns(self.id, number, record) else {
            return false;
        };
        let at_ms = i64::from(number) * level.ms();
        for (column, place) in &self.wanted {
            if let Some(cell) = record::cell(columns, *column) {
                let weight_ms = u32::from(cell.share) * level.share_ms();
                recall.found[*place].add(at_ms, level.ms(), cell.span, weight_ms);
            }
        }
        true
    }
}

impl Recall {
    /// Asks the disk alone.
    pub fn new(ticket: Ticket, query: &Query, now: Wall) -> Recall {
        let level = Recall::level(query, now);
        let grid = Grid::new(query.from, query.to, query.points, level.ms());
        Recall {
            ticket,
            series: query.series.clone(),
            level,
            grid,
            from_ms: grid.start_ms(),
            until_ms: grid.end_ms(),
            memory: Memory::default(),
            found: Vec::new(),
        }
    }

    /// The finest level that reaches back far enough, unless it has far more records than points are wanted.
    fn level(query: &Query, now: Wall) -> Level {
        let week_ms = Level::Minutes.ms() * i64::from(Level::Minutes.records());
        let span_ms = query.to.0.saturating_sub(query.from.0);
        let wanted_ms = span_ms / i64::from(query.points.max(1));
        let is_long = query.from.0 < now.0.saturating_sub(week_ms);
        match is_long || wanted_ms >= Level::Quarters.ms() / 2 {
            true => Level::Quarters,
            false => Level::Minutes,
        }
    }

    /// The first minute or quarter that is still there.
    fn first(&self) -> u32 {
        let oldest = self.end() - self.level.records().min(self.end());
        let first = u32::try_from(self.from_ms.max(0) / self.level.ms()).unwrap_or(u32::MAX);
        first.max(oldest)
    }

    /// The one after the last.
    fn end(&self) -> u32 {
        let ms = self.level.ms();
        u32::try_from((self.until_ms.max(0) + ms - 1) / ms).unwrap_or(u32::MAX)
    }
}

impl Reading {
    /// The answer.
    pub fn finish(self) -> Outcome {
        if let Some(fault) = &self.fault {
            log::warn!("history: a part cannot be read: {fault}");
        }
        let curves = self.recall.found.into_iter().map(Bins::into_curve);
        Outcome::Recalled {
            ticket: self.recall.ticket,
            result: Ok(curves.collect()),
        }
    }
}

/// True when a series is asked for, by its name or by the beginning of it.
pub(crate) fn is_wanted(wanted: &[String], name: &str) -> bool {
    let is_it = |wanted: &String| match wanted.ends_with('/') {
        true => name.starts_with(wanted),
        false => name == wanted,
    };
    wanted.iter().any(is_it)
}

/// How many curves an answer has at most.
pub(crate) fn most_curves(grid: Grid) -> usize {
    MOST_POINTS / grid.count().max(1)
}
