//! Runs: programs beside the agent, each watched by a thread of its own that is started with it and ends with it. The
//! kernel kills a program whose thread is gone (`launch`), so that none outlives the agent. The queues of one run:
//!
//! - to the core: one chunk of output for each credit, on the inbox's second lane. Without credit at most one more chunk of
//!   each kind is read, and the program waits in its next write.
//! - to the program: `max_queue_bytes` in a mailbox; beyond that the run is killed.

mod child;
mod launch;
mod memory;
mod watch;

pub use launch::launch;

use crate::inbox::Inbox;
use crate::mailbox::Mailbox;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::small::SmallMap;
use rackwarden_core::effect::Ticket;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::run::{RunAction, RunEvent, RunOp, RunStart};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use watch::Watch;

/// Programs that run at the same time; one more is answered with `Overload` at once. The unit allows 64 threads and
/// processes.
const MAX_RUNS: usize = 8;
const STACK_BYTES: usize = 128 * 1024;

/// Starts programs and hands on what is to be done to them. Never waits.
#[derive(Clone)]
pub struct RunHandle {
    shared: Arc<Shared>,
}

struct Shared {
    running: Mutex<SmallMap<Ticket, Arc<Mailbox>>>,
    launcher: PathBuf,
    inbox: Inbox,
}

impl RunHandle {
    /// Nothing runs before the first start. `launcher` is the agent's program, whose subcommand `launch` calls
    /// [`launch`](launch()).
    pub fn new(launcher: impl Into<PathBuf>, inbox: Inbox) -> RunHandle {
        RunHandle {
            shared: Arc::new(Shared {
                running: Mutex::default(),
                launcher: launcher.into(),
                inbox,
            }),
        }
    }

    /// Does something to a run. What comes of it arrives in the inbox.
    pub fn act(&self, op: RunOp) {
        let RunOp { ticket, action } = op;
        if let RunAction::Start(start) = action {
            if let Err(fault) = self.start(ticket, *start) {
                // The core thread never waits, and the prompt lane has room for its own answers.
                let ended = RunEvent::Ended(Err(fault));
                self.shared.inbox.send(event(ticket, ended));
            }
            return;
        }
        let Some(mailbox) = self.shared.lock().get(&ticket).cloned() else {
            log::debug!("a run that has ended is asked for more");
            return;
        };
        match action {
            RunAction::Start(_) => {}
            RunAction::Input(bytes) => mailbox.send(bytes.expose().clone(), false),
            RunAction::EndInput => mailbox.end(),
            RunAction::Credit(more) => mailbox.credit(more),
            RunAction::Kill => mailbox.close(),
        }
    }

    /// Kills all of them, without waiting for it. The kernel does the same when the agent ends.
    pub fn shutdown(&self) {
        for (_, mailbox) in self.shared.lock().iter() {
            mailbox.close();
        }
    }

    fn start(&self, ticket: Ticket, start: RunStart) -> Result<(), Fault> {
        let overload = |detail: String| Fault::new(FaultKind::Overload, detail);
        let mut running = self.shared.lock();
        if running.len() >= MAX_RUNS {
            return Err(overload("too many programs are running".to_owned()));
        }
        let mailbox = Mailbox::new(start.credit, start.max_queue_bytes, false)
            .map_err(|err| overload(format!("cannot start another program: {err}")))?;
        let mailbox = Arc::new(mailbox);
        let program = start.argv.first().map_or("", String::as_str);
        let name = program.rsplit('/').next().unwrap_or_default();
        let (name, theirs) = (format!("r-{name}"), Arc::clone(&mailbox));
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name(name.replace('\0', ""))
            .stack_size(STACK_BYTES)
            .spawn(move || shared.live(ticket, &start, &theirs))
            .map_err(|err| overload(format!("cannot start another thread: {err}")))?;
        running.insert(ticket, mailbox);
        Ok(())
    }
}

impl Shared {
    /// From the start of the program to the last event, on the run's thread.
    fn live(&self, ticket: Ticket, start: &RunStart, mailbox: &Mailbox) {
        // Waits while the lane is full: the core is behind, and nothing is to be read meanwhile.
        let deliver = |what| self.inbox.send_stream(event(ticket, what));
        let mut watch = Watch::start(&self.launcher, start, mailbox, deliver);
        let how = match &mut watch {
            Ok(watch) => watch.run(),
            Err(fault) => Err(fault.clone()),
        };
        self.lock().remove(&ticket);
        self.inbox.send_stream(event(ticket, RunEvent::Ended(how)));
        if let Ok(watch) = watch {
            watch.reap();
        }
    }

    fn lock(&self) -> MutexGuard<'_, SmallMap<Ticket, Arc<Mailbox>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event(ticket: Ticket, event: RunEvent) -> Event {
    let reply = Reply::Run(event);
    Event::Done { ticket, reply }
}
