//! Small jobs off the core thread: name look-ups and CPU work. Two threads, started at
//! the first use, so that a resolver that hangs delays no chart and an idle agent has neither.

use crate::environment::reason;
use crate::inbox::Inbox;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::effect::{Job, Ticket};
use rackwarden_core::event::{Event, Reply};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

/// Waiting jobs of each kind; one more is answered with `Overload` at once.
const QUEUE: usize = 256;

/// Starts jobs.
pub struct Jobs {
    inbox: Inbox,
    names: OnceLock<SyncSender<Lookup>>,
    work: OnceLock<SyncSender<Task>>,
}

struct Lookup {
    ticket: Ticket,
    host: String,
    port: u16,
}

struct Task {
    ticket: Ticket,
    job: Job,
}

impl Jobs {
    /// Answers go to `inbox`.
    pub fn new(inbox: Inbox) -> Jobs {
        Jobs {
            inbox,
            names: OnceLock::new(),
            work: OnceLock::new(),
        }
    }

    /// Looks a host name up.
    pub fn resolve(&self, ticket: Ticket, host: String, port: u16) {
        let sender = self
            .names
            .get_or_init(|| start("resolve", self.inbox.clone(), look_up));
        if let Err(err) = sender.try_send(Lookup { ticket, host, port }) {
            let reply = Reply::Resolved(Err(overload(&err)));
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    /// Does a CPU job.
    pub fn work(&self, ticket: Ticket, job: Job) {
        if let Err(err) = self.worker().try_send(Task { ticket, job }) {
            let fault = overload(&err);
            let (TrySendError::Full(task) | TrySendError::Disconnected(task)) = err;
            let reply = task.job.refuse(fault);
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    fn worker(&self) -> &SyncSender<Task> {
        self.work
            .get_or_init(|| start("work", self.inbox.clone(), do_task))
    }
}

fn start<T: Send + 'static>(name: &str, inbox: Inbox, act: fn(T) -> Event) -> SyncSender<T> {
    let (sender, receiver): (SyncSender<T>, Receiver<T>) = sync_channel(QUEUE);
    let spawned = thread::Builder::new()
        .name(name.to_owned())
        .stack_size(256 * 1024)
        .spawn(move || {
            for task in receiver {
                inbox.send(act(task));
            }
        });
    if let Err(err) = spawned {
        log::error!("cannot start thread {name}: {err}");
    }
    sender
}

fn look_up(lookup: Lookup) -> Event {
    let Lookup { ticket, host, port } = lookup;
    let result = match (host.as_str(), port).to_socket_addrs() {
        Ok(mut addrs) => {
            let first = addrs.next();
            addrs
                .chain(first)
                .min_by_key(SocketAddr::is_ipv6)
                .ok_or_else(|| Fault::new(FaultKind::Unreachable, format!("{host} has no address")))
        }
        Err(err) => Err(Fault::new(
            FaultKind::Unreachable,
            format!("cannot look up {host}: {}", reason(&err)),
        )),
    };
    let reply = Reply::Resolved(result);
    Event::Done { ticket, reply }
}

fn do_task(task: Task) -> Event {
    Event::Done {
        ticket: task.ticket,
        reply: task.job.run(),
    }
}

fn overload<T>(err: &TrySendError<T>) -> Fault {
    match err {
        TrySendError::Full(_) => Fault::new(FaultKind::Overload, "too many jobs are waiting"),
        TrySendError::Disconnected(_) => {
            Fault::new(FaultKind::Stopped, "the worker thread has ended")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_ticket_is_answered() {
        let inbox = Inbox::new();
        let jobs = Jobs::new(inbox.clone());
        jobs.resolve(Ticket(1), "127.0.0.1".into(), 161);
        let answer = inbox.receive(Some(Duration::from_secs(20)));
        let Some(Event::Done {
            ticket,
            reply: Reply::Resolved(result),
        }) = answer
        else {
            panic!("{answer:?}");
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 161));
        assert_eq!((ticket, result.expect("address")), (Ticket(1), address));
    }
}
