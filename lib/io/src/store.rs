//! The store thread: writes the journal and the log files of the state directory. Everything that waits is written
//! together (group commit); what nobody waits for is batched, to spare SD cards.

mod files;
mod history;
mod logs;
mod trail;

pub use files::{FileStorage, StateDir};
pub use history::HistoryFiles;
pub use logs::{LogFiles, RotatingFile};
pub use trail::{reconcile, verify};

use crate::inbox::Inbox;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::effect::LogFile;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::history::{Archive, Op, Reading};
use rackwarden_core::journal::{Journal, Storage};
use rackwarden_core::state::Turn;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Turns that nobody waits for reach the disk at the latest after this time.
const BATCH: Duration = Duration::from_secs(60);
/// After a failed write, the next attempt follows after this time.
const RETRY: Duration = Duration::from_secs(5);
/// More waiting turns than this are merged into one; the last value of each record wins.
const MOST_TURNS: usize = 1024;
/// More questions about what was are answered with `Overload` at once.
const MOST_RECALLS: usize = 16;
/// More waiting log lines than this are dropped, and the loss is reported.
const MOST_LINES: usize = 4096;

/// A job for the store thread.
#[derive(Debug)]
pub enum StoreTask {
    /// One atomic record.
    Turn(Turn),
    /// One line of a log file.
    Append {
        /// Which file.
        file: LogFile,
        /// The line without its line feed.
        line: String,
    },
    /// Something with the long history.
    History(Op),
}

/// Gives jobs to the store thread. Never waits.
#[derive(Clone)]
pub struct StoreHandle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct Queue {
    turns: Vec<Turn>,
    lines: Vec<(LogFile, String)>,
    ops: Vec<Op>,
    dropped_lines: u64,
    is_stopping: bool,
    has_ended: bool,
}

impl StoreHandle {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system has no thread left.
    pub fn spawn<S: Storage + 'static, H: rackwarden_core::history::Storage + 'static>(
        journal: Journal<S>,
        logs: LogFiles,
        history: Option<Archive<H>>,
        inbox: Inbox,
    ) -> std::io::Result<StoreHandle> {
        let handle = StoreHandle {
            shared: Arc::default(),
        };
        let shared = Arc::clone(&handle.shared);
        let worker = Worker {
            journal,
            logs,
            history,
            readings: VecDeque::new(),
            inbox,
            shared,
            dirty_since: None,
            waits_for: None,
            unlogged: VecDeque::new(),
            append_again: None,
            is_failing: false,
        };
        thread::Builder::new()
            .name("store".into())
            .stack_size(128 * 1024)
            .spawn(move || worker.run())?;
        Ok(handle)
    }

    /// Queues a job.
    pub fn send(&self, task: StoreTask) {
        let mut queue = self.shared.lock();
        match task {
            StoreTask::Turn(turn) => {
                queue.turns.push(turn);
                if queue.turns.len() > MOST_TURNS {
                    log::warn!(
                        "state: the disk does not answer; {MOST_TURNS} changes that wait became one"
                    );
                    let merged = merge(std::mem::take(&mut queue.turns));
                    queue.turns.push(merged);
                }
            }
            StoreTask::Append { .. } if queue.lines.len() >= MOST_LINES => queue.dropped_lines += 1,
            StoreTask::Append { file, line } => queue.lines.push((file, line)),
            StoreTask::History(op) => queue.ops.push(op),
        }
        self.shared.filled.notify_one();
    }

    /// Writes everything that waits and ends the thread; gives up after `patience`.
    pub fn stop(&self, patience: Duration) {
        let mut queue = self.shared.lock();
        queue.is_stopping = true;
        self.shared.filled.notify_one();
        let waited = self
            .shared
            .ended
            .wait_timeout_while(queue, patience, |queue| !queue.has_ended);
        if waited.is_ok_and(|(queue, _)| !queue.has_ended) {
            log::error!("state: the disk did not answer in time; the last changes may be lost");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waited: turns, log lines, the history's; lines that were dropped; whether it is the end.
type Taken = (Vec<Turn>, Vec<(LogFile, String)>, Vec<Op>, u64, bool);

struct Worker<S, H> {
    journal: Journal<S>,
    logs: LogFiles,
    history: Option<Archive<H>>,
    /// Questions about what was; the first is being read.
    readings: VecDeque<Reading>,
    inbox: Inbox,
    shared: Arc<Shared>,
    /// Since when a turn waits that nobody waits for.
    dirty_since: Option<Instant>,
    /// When the next attempt is due, while somebody waits.
    waits_for: Option<Instant>,
    /// Log lines that the disk has not taken, and when they are tried again.
    unlogged: VecDeque<(LogFile, String)>,
    append_again: Option<Instant>,
    is_failing: bool,
}

impl<S: Storage, H: rackwarden_core::history::Storage> Worker<S, H> {
    fn run(mut self) {
        loop {
            let (turns, lines, ops, dropped, is_stopping) = self.take();
            self.append(lines, is_stopping);
            if dropped > 0 {
                let fault = Fault::new(
                    FaultKind::Overload,
                    format!("{dropped} log lines were dropped because the disk is too slow"),
                );
                self.inbox.send(Event::Appended(Err(fault)));
            }
            self.note(&turns);
            if is_stopping || self.is_due() {
                self.commit();
            }
            self.keep_history(ops);
            self.read_history();
            if is_stopping {
                self.shared.lock().has_ended = true;
                self.shared.ended.notify_all();
                return;
            }
        }
    }

    /// Writes lines in their order. What the disk does not take stays here and is tried again; a failure and
    /// the end of it are told once each.
    fn append(&mut self, lines: Vec<(LogFile, String)>, is_last_chance: bool) {
        self.unlogged.extend(lines);
        let excess = self.unlogged.len().saturating_sub(MOST_LINES);
        if excess > 0 {
            self.unlogged.drain(..excess);
            log::error!("{excess} log lines were dropped because the disk takes none");
        }
        if !is_last_chance && self.append_again.is_some_and(|at| at > Instant::now()) {
            return;
        }
        while let Some((file, line)) = self.unlogged.front() {
            if let Err(fault) = self.logs.append(*file, line) {
                if self.append_again.is_none() {
                    self.inbox.send(Event::Appended(Err(fault)));
                }
                self.append_again = Some(Instant::now() + RETRY);
                return;
            }
            self.unlogged.pop_front();
        }
        if self.append_again.take().is_some() {
            self.inbox.send(Event::Appended(Ok(())));
        }
    }

    /// What is written is written at once; what is read takes its turn.
    fn keep_history(&mut self, ops: Vec<Op>) {
        for op in ops {
            match (&mut self.history, op) {
                (Some(history), Op::Recall(recall)) if self.readings.len() < MOST_RECALLS => {
                    self.readings.push_back(history.begin(*recall));
                }
                (_, Op::Recall(recall)) => {
                    let fault = Fault::new(FaultKind::Overload, "the history is not read so fast");
                    self.inbox.send(Event::Done {
                        ticket: recall.ticket,
                        reply: Reply::History(Err(fault)),
                    });
                }
                (Some(history), op) => {
                    if let Some(outcome) = history.handle(op) {
                        self.inbox.send(outcome.into());
                    }
                }
                (None, _) => {}
            }
        }
    }

    /// One piece: nothing else is to wait long for it.
    fn read_history(&mut self) {
        let (Some(history), Some(reading)) = (&mut self.history, self.readings.front_mut()) else {
            return;
        };
        if history.read_some(reading) {
            if let Some(reading) = self.readings.pop_front() {
                self.inbox.send(reading.finish().into());
            }
        }
    }

    /// Waits for work or for a deadline.
    fn take(&mut self) -> Taken {
        let commit = self
            .waits_for
            .or(self.dirty_since.map(|since| since + BATCH));
        let deadline = commit.into_iter().chain(self.append_again).min();
        let is_idle = |queue: &mut Queue| {
            queue.turns.is_empty()
                && queue.lines.is_empty()
                && queue.ops.is_empty()
                && !queue.is_stopping
        };
        let queue = self.shared.lock();
        let mut queue = match deadline {
            _ if !self.readings.is_empty() => queue,
            Some(at) => {
                let timeout = at.saturating_duration_since(Instant::now());
                self.shared
                    .filled
                    .wait_timeout_while(queue, timeout, is_idle)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => self
                .shared
                .filled
                .wait_while(queue, is_idle)
                .unwrap_or_else(PoisonError::into_inner),
        };
        let dropped = std::mem::take(&mut queue.dropped_lines);
        (
            std::mem::take(&mut queue.turns),
            std::mem::take(&mut queue.lines),
            std::mem::take(&mut queue.ops),
            dropped,
            queue.is_stopping,
        )
    }

    fn note(&mut self, turns: &[Turn]) {
        for turn in turns {
            self.journal.push(turn);
            if turn.durable && self.waits_for.is_none() {
                self.waits_for = Some(Instant::now());
            }
        }
        if !turns.is_empty() {
            self.dirty_since.get_or_insert_with(Instant::now);
        }
    }

    fn is_due(&self) -> bool {
        let now = Instant::now();
        match self.waits_for {
            Some(at) => at <= now,
            None => self.dirty_since.is_some_and(|since| since + BATCH <= now),
        }
    }

    fn commit(&mut self) {
        if !self.journal.is_dirty() {
            return;
        }
        match self.journal.commit() {
            Ok(seq) => {
                self.dirty_since = None;
                self.waits_for = None;
                self.is_failing = false;
                self.inbox.send(Event::Stored {
                    seq,
                    result: Ok(()),
                });
            }
            Err(fault) => {
                self.waits_for = Some(Instant::now() + RETRY);
                if !self.is_failing {
                    self.is_failing = true;
                    self.inbox.send(Event::Stored {
                        seq: self.journal.records().seq,
                        result: Err(fault),
                    });
                }
            }
        }
    }
}

/// Makes one turn of many: the last value of each record, under the last number.
fn merge(turns: Vec<Turn>) -> Turn {
    let mut merged = Turn::default();
    let mut last = rackwarden_base::small::SmallMap::new();
    for turn in turns {
        merged.seq = turn.seq;
        merged.durable |= turn.durable;
        last.extend(
            turn.changes
                .into_iter()
                .map(|change| (change.key, change.value)),
        );
    }
    merged.changes = last
        .into_iter()
        .map(|(key, value)| rackwarden_core::state::Change { key, value })
        .collect();
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::journal::{MemoryStorage, Trouble};
    use rackwarden_core::state::Change;

    const NONE: Option<Archive<rackwarden_core::history::MemoryStorage>> = None;

    #[test]
    fn a_durable_turn_is_acknowledged_after_its_sync() {
        let (store, inbox) = spawn(MemoryStorage::default());
        store.send(StoreTask::Turn(turn(1, true)));
        assert_eq!(stored(&inbox), (1, true));
    }

    #[test]
    fn a_fault_is_told_once_and_the_next_turns_are_not_lost() {
        let mut storage = MemoryStorage::default();
        storage.trouble_at(0, Trouble::Fails);
        let (store, inbox) = spawn(storage);
        store.send(StoreTask::Turn(turn(1, true)));
        assert_eq!(stored(&inbox), (1, false));
        store.send(StoreTask::Turn(turn(2, false)));
        store.stop(Duration::from_secs(10));
        assert_eq!(stored(&inbox), (2, true));
    }

    #[test]
    fn lines_that_the_disk_did_not_take_are_written_later_in_order() {
        let dir = std::env::temp_dir().join(format!("rackwarden-unlogged-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let inbox = Inbox::new();
        let journal = Journal::open(MemoryStorage::default()).expect("open");
        let logs = LogFiles::new(dir.clone(), 1 << 20, 3);
        let store = StoreHandle::spawn(journal, logs, NONE, inbox.clone()).expect("spawn");
        let send = |line: &str| {
            store.send(StoreTask::Append {
                file: LogFile::Exceedings,
                line: line.to_owned(),
            });
        };
        send("begins");
        let first = inbox.receive(Some(Duration::from_secs(10)));
        assert!(matches!(first, Some(Event::Appended(Err(_)))), "{first:?}");
        std::fs::create_dir_all(&dir).expect("directory");
        send("ends");
        store.stop(Duration::from_secs(10));
        let second = inbox.receive(Some(Duration::from_secs(10)));
        assert!(
            matches!(second, Some(Event::Appended(Ok(())))),
            "{second:?}"
        );
        let text = std::fs::read_to_string(dir.join("exceedings.log")).expect("file");
        assert_eq!(text, "begins\nends\n");
        std::fs::remove_dir_all(&dir).expect("clean up");
    }

    #[test]
    fn stopping_writes_what_nobody_waited_for() {
        let (store, inbox) = spawn(MemoryStorage::default());
        store.send(StoreTask::Turn(turn(1, false)));
        store.stop(Duration::from_secs(10));
        assert_eq!(stored(&inbox), (1, true));
    }

    #[test]
    fn merged_turns_keep_the_last_value_of_each_record() {
        let merged = merge(vec![turn(1, false), turn(2, true), turn(3, false)]);
        assert!(merged.durable);
        assert_eq!((merged.seq, merged.changes), (3, turn(3, false).changes));
    }

    fn spawn(storage: MemoryStorage) -> (StoreHandle, Inbox) {
        let inbox = Inbox::new();
        let journal = Journal::open(storage).expect("open");
        let dir = std::env::temp_dir().join(format!("rackwarden-store-{}", std::process::id()));
        let handle =
            StoreHandle::spawn(journal, LogFiles::new(dir, 1 << 20, 3), NONE, inbox.clone())
                .expect("spawn");
        (handle, inbox)
    }

    fn stored(inbox: &Inbox) -> (u64, bool) {
        match inbox.receive(Some(Duration::from_secs(10))) {
            Some(Event::Stored { seq, result }) => (seq, result.is_ok()),
            other => panic!("{other:?}"),
        }
    }

    fn turn(seq: u64, durable: bool) -> Turn {
        Turn {
            seq,
            durable,
            changes: vec![Change {
                key: "a/b".into(),
                value: Some(seq.to_string().into_bytes()),
            }],
        }
    }
}
