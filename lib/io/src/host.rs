//! Looks at this machine, on a thread of its own that starts with the first look.

mod kept;
mod processes;
mod sampler;
mod sensed;
mod slow;
mod volumes;

use crate::clock::Clock;
use crate::inbox::Inbox;
use processes::Asking;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::effect::Ticket;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::host::{HostSample, Look};
pub use sampler::{Place, Sampler};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
pub use volumes::AskSpace;

/// Samples that wait for the thread; one more is answered with `Overload` at once.
const QUEUE: usize = 16;
const STACK_BYTES: usize = 256 * 1024;
/// A sample that takes longer is given up, and with it the thread; the next one is taken by another.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many threads may hang at the same time.
const MAX_THREADS: usize = 4;

impl Place {
    /// This machine.
    pub fn here() -> Place {
        Place {
            root: PathBuf::from("/"),
            ask_space: Arc::new(volumes::ask_space),
            hangs_after: Duration::from_secs(5),
        }
    }
}

/// Gives looks to the thread.
pub struct HostHandle {
    clock: Clock,
    place: Place,
    inbox: Inbox,
    samples: Mutex<Samples>,
    patience: Duration,
    processes: Asking,
}

#[derive(Default)]
struct Samples {
    queue: Option<SyncSender<Ticket>>,
    open: Open,
    /// Has as many owners as there are threads, and this one.
    threads: Arc<()>,
}

/// What has not been answered yet, the oldest first. Who takes a ticket out answers it.
type Open = Arc<Mutex<Vec<(Ticket, Instant)>>>;

impl HostHandle {
    /// Answers go to `inbox`. Nothing runs before the first look.
    pub fn new(clock: Clock, inbox: Inbox) -> HostHandle {
        HostHandle::at(Place::here(), clock, inbox)
    }

    /// The same for another place.
    pub fn at(place: Place, clock: Clock, inbox: Inbox) -> HostHandle {
        HostHandle {
            clock,
            place,
            inbox,
            samples: Mutex::default(),
            patience: PATIENCE,
            processes: Asking::default(),
        }
    }

    /// Asks for a look. Its answer arrives in the inbox.
    pub fn look(&self, ticket: Ticket, look: Look) {
        match look {
            Look::Sample => {
                if let Err(fault) = self.sample(ticket) {
                    let reply = Reply::Host(Err(fault));
                    self.inbox.send(Event::Done { ticket, reply });
                }
            }
            Look::Processes(most) => {
                let (root, inbox) = (self.place.root.clone(), self.inbox.clone());
                if let Err(fault) = self.processes.ask(ticket, most, root, inbox) {
                    let reply = Reply::Processes(Err(fault));
                    self.inbox.send(Event::Done { ticket, reply });
                }
            }
        }
    }

    fn sample(&self, ticket: Ticket) -> Result<(), Fault> {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = lock(&samples.open)
            .first()
            .map(|(_, since)| since.elapsed());
        if oldest.is_some_and(|age| age > self.patience) {
            log::error!("looking at the host hangs; another thread takes over");
            self.give_up(
                &mut samples,
                FaultKind::Timeout,
                "looking at the host hangs",
            );
        }
        if samples.queue.is_none() {
            samples.queue = Some(self.start(&samples)?);
        }
        lock(&samples.open).push((ticket, Instant::now()));
        let sent = samples.queue.as_ref().map(|queue| queue.try_send(ticket));
        match sent {
            Some(Err(TrySendError::Full(_))) => {
                take(&samples.open, ticket);
                let detail = "too many looks at the host are waiting";
                return Err(Fault::new(FaultKind::Overload, detail));
            }
            Some(Err(TrySendError::Disconnected(_))) => {
                let detail = "the thread that looks at the host has ended";
                self.give_up(&mut samples, FaultKind::Stopped, detail);
            }
            _ => {}
        }
        Ok(())
    }

    /// Answers what the thread does not answer any more, and leaves the thread to itself: the next look starts another.
    fn give_up(&self, samples: &mut Samples, kind: FaultKind, detail: &str) {
        samples.queue = None;
        let open = std::mem::take(&mut samples.open);
        for (ticket, _) in std::mem::take(&mut *lock(&open)) {
            let reply = Reply::Host(Err(Fault::new(kind, detail)));
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    fn start(&self, samples: &Samples) -> Result<SyncSender<Ticket>, Fault> {
        if Arc::strong_count(&samples.threads) > MAX_THREADS {
            let detail = format!("{MAX_THREADS} threads that look at the host hang");
            return Err(Fault::new(FaultKind::Timeout, detail));
        }
        let (sender, receiver) = sync_channel(QUEUE);
        let sampler = Sampler::new(self.clock, self.place.clone());
        let (inbox, open) = (self.inbox.clone(), Arc::clone(&samples.open));
        let alive = Arc::clone(&samples.threads);
        let work = move || {
            run(sampler, &inbox, &open, &receiver);
            drop(alive);
        };
        let spawned = thread::Builder::new()
            .name("host".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(work);
        spawned.map_err(|err| {
            let detail = format!("cannot start thread host: {err}");
            Fault::new(FaultKind::Overload, detail)
        })?;
        Ok(sender)
    }
}

fn run(mut sampler: Sampler, inbox: &Inbox, open: &Open, tickets: &Receiver<Ticket>) {
    for ticket in tickets {
        let result: Result<Box<HostSample>, Fault> = sampler.sample();
        if take(open, ticket) {
            let reply = Reply::Host(result);
            inbox.send(Event::Done { ticket, reply });
        }
    }
}

fn lock(open: &Open) -> MutexGuard<'_, Vec<(Ticket, Instant)>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the ticket is still to be answered.
fn take(open: &Open, ticket: Ticket) -> bool {
    let mut open = lock(open);
    let before = open.len();
    open.retain(|(own, _)| *own != ticket);
    open.len() < before
}

#[cfg(test)]
mod tests;
