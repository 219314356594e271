//! The last hour in memory, a value every two seconds, by the monotonic clock: a wall clock that jumps moves the
//! whole hour and tears nothing apart. Nothing in here is called without an event; who is late leaves a gap.

mod disk;
mod memory;

pub use memory::{Memory, MemoryJob, Question};

use super::archive::is_wanted;
use super::bins::Grid;
use super::{Curve, Spark, Unit};
use crate::small::SmallMap;
use crate::time::{Mono, Now, RELEASED, Wall};
use disk::Disk;
use std::sync::Arc;
use std::time::Duration;

/// What one value in memory covers.
const SLOT_MS: u64 = 2000;
/// So many are kept: an hour.
const SLOTS: u64 = 1800;
/// A value of a sparkline is made of so many …
const SPARK_SLOTS: u64 = 2;
/// … and a sparkline has so many: ten minutes.
const SPARKS: u64 = 150;
/// Curves of the last hour for the page are made anew after so many slots, with so many points each …
const PAGE_SLOTS: u64 = 5;
const PAGE_POINTS: u32 = 120;
/// … of these.
const PAGE_SERIES: [&str; 5] = [
    super::TOTAL,
    "power.team/",
    "host.cpu",
    "host.memory",
    "host.temperature/",
];
/// What was measured goes to disk so often: a kill loses at most five minutes, the write and the slot under way included.
const FLUSH_EVERY: Duration = Duration::from_secs(295);
/// A wall clock that goes by another way than the monotonic one by more than this was set.
const STEP_MS: u64 = 30_000;
/// Track of all kinds apart from PDUs, which `[history] max_series` limits.
const MOST_OTHERS: usize = 1000;

/// Names a series for as long as it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesId {
    place: u32,
    /// How often the place had been given to another series before.
    turn: u32,
}

/// A question about what was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Names of series; one that ends in `/` stands for all that begin with it.
    pub series: Vec<String>,
    /// Beginning.
    pub from: Wall,
    /// End.
    pub to: Wall,
    /// At most so many points in each curve.
    pub points: u32,
}

/// The newest values of all series.
#[derive(Debug, Default)]
pub struct History {
    series: Vec<Track>,
    by_name: SmallMap<Arc<str>, u32>,
    /// Places whose series has ended and is still asked about, and places that are free.
    closing: usize,
    free: Vec<u32>,
    /// The slot that values are noted in.
    slot: u64,
    /// Nothing is known of the slots before this one.
    first: u64,
    slot_of_start: u64,
    /// How far the wall clock was ahead of the monotonic one.
    ahead_ms: Option<i64>,
    /// `None` when only the hour is kept.
    disk: Option<Disk>,
    has_refused: bool,
    sparks: Option<(u64, Arc<Vec<Spark>>)>,
    page: Option<(u64, Arc<Vec<Curve>>)>,
    /// Counts up when there is more to see.
    revision: u64,
}

/// One series.
#[derive(Debug)]
struct Track {
    name: Arc<str>,
    unit: Unit,
    turn: u32,
    /// One value for each slot, NaN where nothing was measured; empty when the place is free. Shared with questions
    /// that are being answered.
    ring: Arc<[f32]>,
    /// What was noted in the slot under way.
    sum: f32,
    count: u16,
    /// The last value, and until which slot it stands for the present.
    held: f32,
    held_until: u64,
    /// How many slots a value stands for.
    holds: u32,
    closed: Option<u64>,
}

impl History {
    /// Begins at this moment with nothing; what is older than an hour goes to disk, or is forgotten.
    pub fn new(now: Now, on_disk: bool) -> History {
        let slot = slot_of(now.mono);
        History {
            disk: on_disk.then(|| Disk::new(now.mono, slot)),
            slot,
            first: slot,
            slot_of_start: slot,
            ..History::default()
        }
    }

    /// Begins a series, or goes on with the one of this name. `every` says how often values will be noted: one stands
    /// for the present half as long again, and for two slots at least. `None` when there are too many.
    pub fn open(&mut self, name: &str, unit: Unit, every: Duration) -> Option<SeriesId> {
        let slots = (every * 3 / 2).as_millis().div_ceil(u128::from(SLOT_MS));
        let holds = slots.clamp(2, SLOTS.into()) as u32;
        let place = match self.by_name.get(name) {
            Some(place) => *place,
            None => self.make(name)?,
        };
        let series = self.series.get_mut(place as usize)?;
        if series.closed.take().is_some() {
            self.closing -= 1;
        }
        (series.unit, series.holds) = (unit, holds);
        let turn = series.turn;
        self.sparks = None;
        Some(SeriesId { place, turn })
    }

    /// Ends a series. What was noted is still there for an hour.
    pub fn close(&mut self, id: SeriesId) {
        let slot = self.slot;
        if let Some(series) = self.get_mut(id).filter(|series| series.closed.is_none()) {
            series.closed = Some(slot);
            series.held_until = 0;
            self.closing += 1;
            self.sparks = None;
        }
    }

    /// Notes what was measured just now. Several values within two seconds count as their mean.
    pub fn note(&mut self, id: SeriesId, value: f64) {
        let value = value as f32;
        let slot = self.slot;
        if let Some(series) = self.get_mut(id).filter(|_| value.is_finite()) {
            series.sum += value;
            series.count = series.count.saturating_add(1);
            series.held = value;
            series.held_until = slot + u64::from(series.holds);
        }
    }

    /// The names of all series, in order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// Ends the slots that are over. Called before anything is noted in a turn.
    pub(crate) fn advance(&mut self, now: Now) {
        let slot = slot_of(now.mono);
        if slot <= self.slot {
            return;
        }
        let ahead_ms = now.wall.0 - now.mono.since_start().as_millis() as i64;
        let before = self.ahead_ms.replace(ahead_ms);
        if before.is_some_and(|before| before.abs_diff(ahead_ms) >= STEP_MS) {
            self.forget_loaded();
        }
        self.end_slots(slot);
        if self.closing > 0 {
            self.clear_closed();
        }
    }

    /// Writes down every slot before this one, which begins.
    fn end_slots(&mut self, slot: u64) {
        for series in self.series.iter_mut().filter(|series| series.is_used()) {
            series.advance(self.slot, slot);
        }
        if slot / SPARK_SLOTS != self.slot / SPARK_SLOTS && !self.by_name.is_empty() {
            self.revision += 1;
        }
        self.slot = slot;
        self.first = self.first.max(slot.saturating_sub(SLOTS));
    }

    /// Answers from memory alone.
    pub(crate) fn recall(&self, now: Now, query: &Query) -> Vec<Curve> {
        let grid = Grid::new(query.from, query.to, query.points, SLOT_MS as i64);
        self.memory(now, query, self.first, grid).curves(grid)
    }

    /// The last minutes of every series that goes on, for sparklines.
    pub(crate) fn sparks(&mut self) -> Arc<Vec<Spark>> {
        let until = self.slot / SPARK_SLOTS;
        if let Some((_, sparks)) = self.sparks.as_ref().filter(|(at, _)| *at == until) {
            return Arc::clone(sparks);
        }
        let from = self.first.div_ceil(SPARK_SLOTS);
        // Until the first one is over, there is none.
        let from = from.max(until.saturating_sub(SPARKS)).min(until);
        let open = self.by_name.values().filter_map(|place| {
            let series = self.series.get(*place as usize)?;
            series.closed.is_none().then_some(series)
        });
        let (known_until, known) = self.sparks.take().unwrap_or_default();
        let sparks = open.enumerate().map(|(place, track)| {
            // Most of it is as it was.
            let known = known
                .get(place)
                .filter(|known| Arc::ptr_eq(&known.name, &track.name));
            let known = known.map_or(&[][..], |known| known.values.as_slice());
            let fresh = match known.is_empty() {
                true => from,
                false => known_until.max(from),
            };
            let kept = known.len().min((fresh - from) as usize);
            let mut values = Vec::with_capacity((until - from) as usize);
            values.extend((from..fresh - kept as u64).map(|spark| track.spark(spark)));
            values.extend_from_slice(&known[known.len() - kept..]);
            values.extend((fresh..until).map(|spark| track.spark(spark)));
            Spark {
                name: Arc::clone(&track.name),
                unit: track.unit,
                values,
                step_s: (SPARK_SLOTS * SLOT_MS / 1000) as u32,
            }
        });
        let sparks = Arc::new(sparks.collect::<Vec<_>>());
        self.sparks = Some((until, Arc::clone(&sparks)));
        sparks
    }

    /// The last hour of sums and of the machine, for the status page.
    pub(crate) fn last_hour(&mut self, now: Now) -> Arc<Vec<Curve>> {
        let at = self.slot / PAGE_SLOTS;
        if let Some((_, curves)) = self.page.as_ref().filter(|(made, _)| *made == at) {
            return Arc::clone(curves);
        }
        let query = Query {
            series: PAGE_SERIES.map(str::to_owned).into(),
            from: now.wall.minus(Duration::from_millis(SLOTS * SLOT_MS)),
            to: now.wall,
            points: PAGE_POINTS,
        };
        let curves = Arc::new(self.recall(now, &query));
        self.page = Some((at, Arc::clone(&curves)));
        curves
    }

    /// A number that changes when there is more to see.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    fn make(&mut self, name: &str) -> Option<u32> {
        let place = match self.free.pop() {
            Some(place) => place,
            None => self.series.len() as u32,
        };
        let others = || self.by_name.keys().filter(|name| !is_pdu(name)).count();
        if !is_pdu(name) && others() >= MOST_OTHERS {
            if !std::mem::replace(&mut self.has_refused, true) {
                log::warn!("history: there are {MOST_OTHERS} series; no more are kept");
            }
            return None;
        }
        let name: Arc<str> = name.into();
        self.by_name.insert(Arc::clone(&name), place);
        let turn = self
            .series
            .get(place as usize)
            .map_or(0, |old| old.turn + 1);
        let series = Track {
            name,
            unit: Unit::default(),
            turn,
            ring: [f32::NAN; SLOTS as usize].into(),
            sum: 0.0,
            count: 0,
            held: 0.0,
            held_until: 0,
            holds: 2,
            closed: None,
        };
        match self.series.get_mut(place as usize) {
            Some(free) => *free = series,
            None => self.series.push(series),
        }
        Some(place)
    }

    fn get_mut(&mut self, id: SeriesId) -> Option<&mut Track> {
        self.series
            .get_mut(id.place as usize)
            .filter(|series| series.turn == id.turn)
    }

    /// Frees the places of series that ended an hour ago.
    fn clear_closed(&mut self) {
        let slot = self.slot;
        for (place, series) in (0u32..).zip(&mut self.series) {
            if series.is_used() && series.closed.is_some_and(|at| slot > at + SLOTS) {
                series.ring = Arc::default();
                self.by_name.remove(&*series.name);
                self.free.push(place);
                self.closing -= 1;
            }
        }
    }

    fn select<'a>(&'a self, wanted: &'a [String]) -> impl Iterator<Item = &'a Track> {
        self.by_name
            .iter()
            .filter(move |(name, _)| is_wanted(wanted, name))
            .filter_map(|(_, place)| self.series.get(*place as usize))
    }
}

impl Track {
    fn is_used(&self) -> bool {
        !self.ring.is_empty()
    }

    /// Writes the slot under way and those after it up to the one that begins.
    fn advance(&mut self, from: u64, to: u64) {
        let value = self.present(from).unwrap_or(f32::NAN);
        (self.sum, self.count) = (0.0, 0);
        // Whoever still reads the values of before keeps a copy of them.
        let ring = Arc::make_mut(&mut self.ring);
        ring[(from % SLOTS) as usize] = value;
        let further = (from + 1).max(to.saturating_sub(SLOTS));
        for slot in further..to {
            let value = if slot < self.held_until {
                self.held
            } else {
                f32::NAN
            };
            ring[(slot % SLOTS) as usize] = value;
        }
    }

    /// What was measured in the slot under way, else before it and not long ago.
    fn present(&self, slot: u64) -> Option<f32> {
        match self.count {
            0 => (slot < self.held_until).then_some(self.held),
            count => Some(self.sum / f32::from(count)),
        }
    }

    /// What was measured in a slot that is over and not older than an hour.
    fn value(&self, slot: u64) -> Option<f32> {
        let value = self.ring.get((slot % SLOTS) as usize)?;
        value.is_finite().then_some(*value)
    }

    /// The mean of the slots of one value of a sparkline, else NaN.
    fn spark(&self, spark: u64) -> f32 {
        let slots = spark * SPARK_SLOTS..(spark + 1) * SPARK_SLOTS;
        let known = slots.filter_map(|slot| self.value(slot));
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / count
    }
}

/// The slot that a moment lies in. The hour before the start has numbers as well.
fn slot_of(at: Mono) -> u64 {
    SLOTS + at.since_start().as_millis() as u64 / SLOT_MS
}

/// When a slot began, as the wall clock counts now.
fn wall_ms(now: Now, slot: u64) -> i64 {
    let since_start = now.mono.since_start().as_millis() as i64;
    now.wall.0 - since_start + (slot as i64 - SLOTS as i64) * SLOT_MS as i64
}

/// Whether the wall clock has been set.
fn is_settled(now: Now) -> bool {
    now.wall >= RELEASED
}

fn is_pdu(name: &str) -> bool {
    name.starts_with("power.pdu/")
}

#[cfg(test)]
mod tests;
