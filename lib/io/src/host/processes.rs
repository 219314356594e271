//! The programs that use the most: two looks at every `/proc/PID/stat`, half a second apart, on a thread that ends with
//! the answer. Nothing else of a process is read: `cmdline` and its kin can hang with the process, and hold secrets.

use crate::inbox::Inbox;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::small::sort_by_key;
use rackwarden_core::effect::Ticket;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::host::{Process, Processes, procfs};
use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Between the looks: long beside the hundredth of a second in which the kernel counts.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const STACK_BYTES: usize = 128 * 1024;
/// One line of numbers; longer ones are cut, behind what is read of them.
const MAX_STAT_BYTES: usize = 1024;

/// Who waits for the thread that is under way, and for how many of each list; `None` when there is none.
type Waiting = Option<Vec<(Ticket, usize)>>;

/// Starts the thread, one at a time.
#[derive(Clone, Default)]
pub(super) struct Asking {
    waiting: Arc<Mutex<Waiting>>,
}

impl Asking {
    /// Answers in the inbox, within a second. Who asks meanwhile gets the same answer.
    ///
    /// # Errors
    /// Says that the thread cannot be started.
    pub(super) fn ask(
        &self,
        ticket: Ticket,
        most: usize,
        root: PathBuf,
        inbox: Inbox,
    ) -> Result<(), Fault> {
        let mut waiting = self.lock();
        if let Some(waiting) = &mut *waiting {
            waiting.push((ticket, most));
            return Ok(());
        }
        let own = self.clone();
        let run = move || {
            let found = Found::take(&root);
            let waiting = own.lock().take().unwrap_or_default();
            for (ticket, most) in waiting {
                let reply = Reply::Processes(Ok(Box::new(found.top(most))));
                inbox.send(Event::Done { ticket, reply });
            }
        };
        let spawned = thread::Builder::new()
            .name("processes".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(run);
        spawned.map_err(|err| {
            let detail = format!("cannot start thread processes: {err}");
            Fault::new(FaultKind::Overload, detail)
        })?;
        *waiting = Some(vec![(ticket, most)]);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What both looks found.
struct Found {
    passed: Duration,
    all: Vec<Seen>,
}

struct Seen {
    pid: u32,
    name: Box<str>,
    /// When it started; between the looks a number may go to another process.
    started: u64,
    ticks: u64,
    resident_pages: u64,
}

impl Found {
    fn take(root: &std::path::Path) -> Found {
        let proc = root.join("proc");
        let begun = Instant::now();
        let before = look(&proc);
        thread::sleep(BETWEEN_LOOKS);
        let passed = begun.elapsed();
        let mut all = look(&proc);
        for seen in &mut all {
            // Both are in the order of the numbers.
            let same = before
                .binary_search_by_key(&seen.pid, |own| own.pid)
                .ok()
                .map(|at| &before[at]);
            let spent = same
                .filter(|own| own.started == seen.started)
                .map_or(0, |own| own.ticks);
            seen.ticks = seen.ticks.saturating_sub(spent);
        }
        Found { passed, all }
    }

    fn top(&self, most: usize) -> Processes {
        let mut by_cpu: Vec<&Seen> = self.all.iter().filter(|seen| seen.ticks > 0).collect();
        sort_by_key(&mut by_cpu, |seen| Reverse(seen.ticks));
        let mut by_memory: Vec<&Seen> = self
            .all
            .iter()
            .filter(|seen| seen.resident_pages > 0)
            .collect();
        sort_by_key(&mut by_memory, |seen| Reverse(seen.resident_pages));
        let tell = |seen: &&Seen| self.tell(seen);
        Processes {
            count: self.all.len(),
            by_cpu: by_cpu.iter().take(most).map(tell).collect(),
            by_memory: by_memory.iter().take(most).map(tell).collect(),
        }
    }

    fn tell(&self, seen: &Seen) -> Process {
        let seconds = seen.ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
        Process {
            pid: seen.pid,
            name: (*seen.name).into(),
            cpu_percent: 100.0 * seconds / self.passed.as_secs_f64(),
            memory_bytes: seen.resident_pages * rustix::param::page_size() as u64,
        }
    }
}

/// One look, in the order of the numbers.
fn look(proc: &std::path::Path) -> Vec<Seen> {
    let Ok(entries) = fs::read_dir(proc) else {
        return Vec::new();
    };
    let mut buffer = [0; MAX_STAT_BYTES];
    let mut all: Vec<Seen> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let read = File::open(entry.path().join("stat"))
                .ok()?
                .read(&mut buffer)
                .ok()?;
            let stat = procfs::process(&buffer[..read])?;
            Some(Seen {
                pid,
                name: shown(stat.name),
                started: stat.started,
                ticks: stat.ticks,
                resident_pages: stat.resident_pages,
            })
        })
        .collect();
    sort_by_key(&mut all, |seen| seen.pid);
    all
}

/// A process may call itself anything.
fn shown(name: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(name);
    text.replace(char::is_control, "\u{fffd}").into()
}
