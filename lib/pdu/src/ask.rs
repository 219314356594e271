//! Two ways to ask an agent of unknown manners: `Fetch` gets exact objects in batches that shrink when the
//! agent cannot take them; `Walk` reads table columns side by side. Both are pure: they say what to ask next
//! and take what came back.

use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::small::SmallMap;
use rackwarden_snmp::{ErrorStatus, Oid, SnmpAnswer, SnmpAsk, Value, VarBind};
use std::collections::VecDeque;
use std::sync::Arc;

/// What came back for one request.
pub type Outcome<'a> = Result<&'a SnmpAnswer, &'a Fault>;

/// A request that stays unanswered or broken however small it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaveUp(pub Fault);

/// Gets a list of objects.
#[derive(Debug)]
pub struct Fetch {
    next: bool,
    batches: VecDeque<Vec<Oid>>,
    values: SmallMap<Oid, VarBind>,
    silent: u32,
    garbled: u32,
    largest: usize,
}

/// A lone request that the agent does not answer is given up after so many of them.
const MAX_SILENT: u32 = 3;
/// The same for those that it answers with something else. Each costs a whole wait.
const MAX_GARBLED: u32 = 12;

impl Fetch {
    /// Asks for these very objects, at most `batch` in one request.
    pub fn get(oids: &[Oid], batch: usize) -> Fetch {
        Fetch::new(oids, batch, false)
    }

    /// Asks for the successors of these objects.
    pub fn next(oids: &[Oid], batch: usize) -> Fetch {
        Fetch::new(oids, batch, true)
    }

    fn new(oids: &[Oid], batch: usize, next: bool) -> Fetch {
        let batch = batch.max(1);
        Fetch {
            next,
            batches: oids.chunks(batch).map(<[Oid]>::to_vec).collect(),
            values: SmallMap::new(),
            silent: 0,
            garbled: 0,
            largest: batch,
        }
    }

    /// The request to make; `None` when everything is known.
    pub fn ask(&self) -> Option<SnmpAsk> {
        let oids: Arc<[Oid]> = self.batches.front()?.as_slice().into();
        Some(if self.next {
            SnmpAsk::GetNext(oids)
        } else {
            SnmpAsk::Get(oids)
        })
    }

    /// Takes what came back for the request that `ask` named.
    ///
    /// # Errors
    /// When the agent stays silent on several lone objects.
    pub fn handle(&mut self, outcome: Outcome<'_>) -> Result<(), GaveUp> {
        let Some(batch) = self.batches.pop_front() else {
            return Ok(());
        };
        match outcome {
            Ok(SnmpAnswer::Values(values)) => {
                for (oid, value) in batch.iter().zip(values.iter()) {
                    self.keep(oid, oid.clone(), value.clone());
                }
            }
            Ok(SnmpAnswer::Binds(binds)) => {
                for (oid, bind) in batch.iter().zip(binds.iter()) {
                    self.keep(oid, bind.oid.clone(), bind.value.clone());
                }
            }
            Ok(SnmpAnswer::Error { status, index }) => self.handle_error(batch, *status, *index),
            Err(fault) => return self.handle_silence(batch, fault),
        }
        Ok(())
    }

    /// What is known of an object: for a GET its value, for a GETNEXT its successor.
    pub fn bind(&self, oid: &Oid) -> Option<&VarBind> {
        self.values.get(oid)
    }

    /// The value of an object, if the agent has it.
    pub fn value(&self, oid: &Oid) -> Option<&Value> {
        self.values.get(oid).map(|bind| &bind.value)
    }

    /// The largest batch that the agent has not refused.
    pub fn largest_batch(&self) -> usize {
        self.largest
    }

    fn keep(&mut self, asked: &Oid, oid: Oid, value: Value) {
        let is_gone = value.is_absent() && value != Value::Null;
        if !is_gone {
            self.values.insert(asked.clone(), VarBind { oid, value });
        }
    }

    /// noSuchName names the object that is missing: the rest is asked again without it. Anything else halves
    /// the batch until the culprit stands alone, which then counts as missing.
    fn handle_error(&mut self, mut batch: Vec<Oid>, status: ErrorStatus, index: u32) {
        let named = (index as usize)
            .checked_sub(1)
            .filter(|at| *at < batch.len());
        if let (ErrorStatus::NO_SUCH_NAME, Some(at)) = (status, named) {
            batch.remove(at);
            if !batch.is_empty() {
                self.batches.push_front(batch);
            }
            return;
        }
        self.halve(batch, status == ErrorStatus::TOO_BIG);
    }

    /// Silence, and an answer that is cut short or holds what nobody can read, halve the batch as an error does.
    fn handle_silence(&mut self, batch: Vec<Oid>, fault: &Fault) -> Result<(), GaveUp> {
        let is_lone = batch.len() == 1 || self.values.is_empty() && self.batches.is_empty();
        match fault.kind {
            FaultKind::Timeout => self.silent += u32::from(is_lone),
            FaultKind::Malformed => self.garbled += u32::from(is_lone),
            _ => return Err(GaveUp(fault.clone())),
        }
        if self.silent >= MAX_SILENT || self.garbled >= MAX_GARBLED {
            return Err(GaveUp(fault.clone()));
        }
        self.halve(batch, true);
        Ok(())
    }

    /// Asks for each half. What was too much at once will be so again, so the other batches become smaller as well.
    fn halve(&mut self, mut batch: Vec<Oid>, is_size: bool) {
        if is_size {
            self.largest = self.largest.min(batch.len() / 2).max(1);
        }
        if batch.len() > 1 {
            let rest = batch.split_off(batch.len() / 2);
            self.batches.push_front(rest);
            self.batches.push_front(batch);
        }
        if is_size && self.batches.iter().any(|batch| batch.len() > self.largest) {
            let batches = std::mem::take(&mut self.batches);
            for batch in &batches {
                let pieces = batch.chunks(self.largest).map(<[Oid]>::to_vec);
                self.batches.extend(pieces);
            }
        }
    }
}

/// Reads columns of tables side by side, with caps on rows and requests.
#[derive(Debug)]
pub struct Walk {
    columns: Vec<WalkColumn>,
    bulk: bool,
    width: usize,
    asked: Vec<usize>,
    requests: u32,
}

#[derive(Debug)]
struct WalkColumn {
    base: Oid,
    last: Oid,
    rows: SmallMap<Vec<u32>, Value>,
    cap: usize,
    done: bool,
}

/// More requests than that for one discovery mean that the agent goes round in circles.
const MAX_REQUESTS: u32 = 800;
/// Most varbinds that a GETBULK may bring.
const MAX_BINDS: usize = 28;
/// Several firmwares break above ten repetitions.
const MAX_REPETITIONS: usize = 10;
/// Most columns in one request.
const MAX_COLUMNS: usize = 16;

impl Walk {
    /// Walks these columns; `bulk` allows GETBULK (never with SNMPv1).
    pub fn new(columns: impl IntoIterator<Item = (Oid, usize)>, bulk: bool) -> Walk {
        Walk {
            columns: columns
                .into_iter()
                .map(|(base, cap)| WalkColumn {
                    last: base.clone(),
                    base,
                    rows: SmallMap::new(),
                    cap,
                    done: cap == 0,
                })
                .collect(),
            bulk,
            width: MAX_COLUMNS,
            asked: Vec::new(),
            requests: 0,
        }
    }

    /// Asks for at most so many columns at once.
    #[must_use]
    pub fn with_width(mut self, columns: usize) -> Walk {
        self.width = columns.clamp(1, MAX_COLUMNS);
        self
    }

    /// The request to make; `None` when every column has been read.
    pub fn ask(&mut self) -> Option<SnmpAsk> {
        // The first look at all columns shows which of them exist at all, so it goes first.
        let fresh = |column: &WalkColumn| column.rows.is_empty();
        let any_fresh = self.columns.iter().any(|c| !c.done && fresh(c));
        self.asked = (0..self.columns.len())
            .filter(|at| {
                let column = &self.columns[*at];
                !column.done && fresh(column) == any_fresh
            })
            .take(self.width)
            .collect();
        if self.asked.is_empty() || self.requests >= MAX_REQUESTS {
            return None;
        }
        self.requests += 1;
        let oids: Arc<[Oid]> = self
            .asked
            .iter()
            .map(|at| self.columns[*at].last.clone())
            .collect();
        let repetitions = (MAX_BINDS / oids.len()).clamp(1, MAX_REPETITIONS);
        Some(if self.bulk && !any_fresh && repetitions > 1 {
            SnmpAsk::GetBulk {
                non_repeaters: 0,
                max_repetitions: repetitions as u8,
                oids,
            }
        } else {
            SnmpAsk::GetNext(oids)
        })
    }

    /// Takes what came back for the request that `ask` named.
    ///
    /// # Errors
    /// When the agent does not answer.
    pub fn handle(&mut self, outcome: Outcome<'_>) -> Result<(), GaveUp> {
        match outcome {
            Ok(SnmpAnswer::Binds(binds)) => self.handle_binds(binds),
            Ok(SnmpAnswer::Values(_)) => self.end_asked(),
            Ok(SnmpAnswer::Error { status, index }) => self.handle_error(*status, *index),
            Err(fault) => match fault.kind {
                FaultKind::Timeout | FaultKind::Malformed if self.can_shrink() => self.shrink(),
                // A column in which the agent goes backwards ends there.
                FaultKind::Malformed => self.end_asked(),
                _ => return Err(GaveUp(fault.clone())),
            },
        }
        Ok(())
    }

    /// The rows of a column, by instance.
    pub fn rows(&self, base: &Oid) -> Option<&SmallMap<Vec<u32>, Value>> {
        self.columns
            .iter()
            .find(|column| column.base == *base)
            .map(|column| &column.rows)
    }

    fn handle_binds(&mut self, binds: &[VarBind]) {
        let width = self.asked.len().max(1);
        let mut progress = false;
        for (position, at) in self.asked.iter().enumerate() {
            let column = &mut self.columns[*at];
            for bind in binds.iter().skip(position).step_by(width) {
                progress |= column.take(bind);
            }
        }
        if progress {
            return;
        }
        // An agent that repeats itself on GETBULK gets a second chance with GETNEXT.
        if self.bulk && self.asked.iter().any(|at| !self.columns[*at].done) {
            self.bulk = false;
        } else {
            self.end_asked();
        }
    }

    fn handle_error(&mut self, status: ErrorStatus, index: u32) {
        let named = (index as usize)
            .checked_sub(1)
            .and_then(|at| self.asked.get(at));
        match named {
            Some(at) if status != ErrorStatus::TOO_BIG => self.columns[*at].done = true,
            _ if self.can_shrink() => self.shrink(),
            _ => self.end_asked(),
        }
    }

    fn can_shrink(&self) -> bool {
        self.bulk || self.asked.len() > 1
    }

    /// Asks for less at once: first without GETBULK, then for fewer columns.
    fn shrink(&mut self) {
        if self.bulk {
            self.bulk = false;
        } else {
            self.width = (self.asked.len() / 2).max(1);
        }
    }

    fn end_asked(&mut self) {
        for at in &self.asked {
            self.columns[*at].done = true;
        }
    }
}

impl WalkColumn {
    /// Takes a row of this column; says whether it was a step forward.
    fn take(&mut self, bind: &VarBind) -> bool {
        if self.done {
            return false;
        }
        let is_end = bind.value == Value::EndOfMibView;
        let Some(instance) = instance(&bind.oid, &self.base).filter(|_| !is_end) else {
            self.done = true;
            return true;
        };
        if bind.oid <= self.last {
            return false;
        }
        self.last = bind.oid.clone();
        self.rows.insert(instance, bind.value.clone());
        self.done = self.rows.len() >= self.cap;
        true
    }
}

/// What stands behind `base` in `oid`; `None` when it is another column.
pub fn instance(oid: &Oid, base: &Oid) -> Option<Vec<u32>> {
    oid.strip_prefix(base).map(Iterator::collect)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(text: &str) -> Oid {
        text.parse().expect("an OID")
    }

    fn bind(text: &str, value: i64) -> VarBind {
        VarBind {
            oid: oid(text),
            value: Value::Integer(value),
        }
    }

    fn asked(ask: Option<SnmpAsk>) -> Vec<String> {
        match ask {
            Some(SnmpAsk::Get(oids) | SnmpAsk::GetNext(oids) | SnmpAsk::GetBulk { oids, .. }) => {
                oids.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        }
    }

    fn error(status: ErrorStatus, index: u32) -> SnmpAnswer {
        SnmpAnswer::Error { status, index }
    }

    fn silence() -> Fault {
        Fault::new(FaultKind::Timeout, "no answer")
    }

    #[test]
    fn a_missing_object_is_dropped_by_its_index_and_the_rest_asked_again() {
        let mut fetch = Fetch::get(&[oid("1.1"), oid("1.2"), oid("1.3")], 20);
        let missing = error(ErrorStatus::NO_SUCH_NAME, 2);
        fetch.handle(Ok(&missing)).expect("it goes on");
        assert_eq!(asked(fetch.ask()), ["1.1", "1.3"]);
        let values = SnmpAnswer::Values([Value::Integer(7), Value::NoSuchInstance].into());
        fetch.handle(Ok(&values)).expect("it goes on");
        assert!(fetch.ask().is_none());
        assert_eq!(fetch.value(&oid("1.1")), Some(&Value::Integer(7)));
        assert_eq!(fetch.value(&oid("1.3")), None);
        assert_eq!(fetch.largest_batch(), 20);
    }

    #[test]
    fn a_request_that_is_too_big_or_breaks_the_agent_is_halved() {
        let all = ["1.1", "1.2", "1.3", "1.4"].map(oid);
        let mut fetch = Fetch::get(&all, 4);
        fetch
            .handle(Ok(&error(ErrorStatus::TOO_BIG, 0)))
            .expect("it goes on");
        assert_eq!(asked(fetch.ask()), ["1.1", "1.2"]);
        assert_eq!(fetch.largest_batch(), 2);
        fetch
            .handle(Ok(&error(ErrorStatus::GEN_ERR, 0)))
            .expect("it goes on");
        assert_eq!(asked(fetch.ask()), ["1.1"]);
        fetch
            .handle(Ok(&error(ErrorStatus::GEN_ERR, 0)))
            .expect("the culprit is dropped");
        assert_eq!(asked(fetch.ask()), ["1.2"]);
    }

    #[test]
    fn what_nobody_can_read_stands_alone_in_the_end_and_the_rest_is_read() {
        let all = ["1.1", "1.2", "1.3", "1.4"].map(oid);
        let mut fetch = Fetch::get(&all, 4);
        let mut rounds = 0;
        while let Some(SnmpAsk::Get(asked)) = fetch.ask() {
            // More than two at a time are cut short, and the third is none that was asked for.
            let is_garbled = asked.len() > 2 || asked.contains(&oid("1.3"));
            let fault = Fault::new(FaultKind::Malformed, "the answer does not fit");
            let values = SnmpAnswer::Values(asked.iter().map(|_| Value::Integer(7)).collect());
            let outcome = if is_garbled { Err(&fault) } else { Ok(&values) };
            fetch.handle(outcome).expect("it goes on");
            rounds += 1;
            assert!(rounds < 10);
        }
        let known = all.iter().filter(|oid| fetch.value(oid).is_some());
        assert_eq!(known.count(), 3);
        assert_eq!(fetch.value(&oid("1.3")), None);
    }

    #[test]
    fn a_column_that_goes_backwards_ends_alone() {
        let mut walk = Walk::new([(oid("1.1"), 10), (oid("1.2"), 10)], false);
        let fault = Fault::new(FaultKind::Malformed, "the answer does not fit");
        let mut rounds = 0;
        while let Some(SnmpAsk::GetNext(asked)) = walk.ask() {
            rounds += 1;
            assert!(rounds < 20, "it goes round in circles");
            let is_garbled = asked.iter().any(|oid| oid.to_string().starts_with("1.1"));
            let next = |oid: &Oid| bind(&format!("{oid}.{rounds}"), 0);
            let binds = SnmpAnswer::Binds(asked.iter().map(next).collect());
            let outcome = if is_garbled { Err(&fault) } else { Ok(&binds) };
            walk.handle(outcome).expect("it goes on");
        }
        assert!(walk.rows(&oid("1.1")).is_some_and(SmallMap::is_empty));
        assert!(walk.rows(&oid("1.2")).is_some_and(|rows| !rows.is_empty()));
    }

    #[test]
    fn an_agent_that_stays_silent_is_given_up() {
        let mut fetch = Fetch::get(&[oid("1.1"), oid("1.2"), oid("1.3")], 1);
        let fault = silence();
        assert_eq!(fetch.handle(Err(&fault)), Ok(()));
        assert_eq!(fetch.handle(Err(&fault)), Ok(()));
        assert_eq!(fetch.handle(Err(&fault)), Err(GaveUp(silence())));
    }

    #[test]
    fn columns_are_walked_side_by_side_and_end_where_another_begins() {
        let mut walk = Walk::new([(oid("1.1"), 10), (oid("1.2"), 10)], true);
        assert_eq!(asked(walk.ask()), ["1.1", "1.2"]);
        let first = SnmpAnswer::Binds([bind("1.1.1", 5), bind("1.3.1", 0)].into());
        walk.handle(Ok(&first)).expect("it goes on");
        assert!(matches!(walk.ask(), Some(SnmpAsk::GetBulk { .. })));
        let rest = SnmpAnswer::Binds([bind("1.1.2", 6), bind("1.2.1", 0)].into());
        walk.handle(Ok(&rest)).expect("it goes on");
        assert!(walk.ask().is_none());
        let rows = walk.rows(&oid("1.1")).expect("a column");
        assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), [[1], [2]]);
        assert!(walk.rows(&oid("1.2")).is_some_and(SmallMap::is_empty));
    }

    #[test]
    fn an_agent_that_repeats_itself_ends_the_walk() {
        let mut walk = Walk::new([(oid("1.1"), 100)], true);
        let row = SnmpAnswer::Binds([bind("1.1.1", 5)].into());
        for _ in 0..10 {
            if walk.ask().is_none() {
                return;
            }
            walk.handle(Ok(&row)).expect("it answers");
        }
        panic!("the walk goes round in circles");
    }

    #[test]
    fn a_walk_stops_at_its_cap() {
        let mut walk = Walk::new([(oid("1.1"), 2)], false);
        for row in 1..=2 {
            assert!(walk.ask().is_some());
            let answer = SnmpAnswer::Binds([bind(&format!("1.1.{row}"), 0)].into());
            walk.handle(Ok(&answer)).expect("it answers");
        }
        assert!(walk.ask().is_none());
    }

    #[test]
    fn an_agent_without_getbulk_is_walked_with_getnext() {
        let mut walk = Walk::new([(oid("1.1"), 10)], true);
        walk.ask();
        let row = SnmpAnswer::Binds([bind("1.1.1", 5)].into());
        walk.handle(Ok(&row)).expect("it answers");
        assert!(matches!(walk.ask(), Some(SnmpAsk::GetBulk { .. })));
        assert_eq!(walk.handle(Err(&silence())), Ok(()));
        assert!(matches!(walk.ask(), Some(SnmpAsk::GetNext(_))));
    }
}
