//! Looks at this machine, on a thread of its own that starts with the first look.

use crate::effect::Ticket;
use crate::event::Event;
use crate::fault::{Fault, FaultKind};
use crate::host::{HostSample, Look, Memory, Process, Processes};
use crate::io::clock::Clock;
use crate::io::inbox::Inbox;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Looks that wait for the thread; one more is answered with `Overload` at once.
const QUEUE: usize = 64;
const STACK_BYTES: usize = 256 * 1024;

/// Gives looks to the thread.
pub struct HostHandle {
    clock: Clock,
    inbox: Inbox,
    queue: Mutex<Option<SyncSender<(Ticket, Look)>>>,
}

impl HostHandle {
    /// Answers go to `inbox`. Nothing runs before the first look.
    pub fn new(clock: Clock, inbox: Inbox) -> HostHandle {
        HostHandle {
            clock,
            inbox,
            queue: Mutex::default(),
        }
    }

    /// Asks for a look. Its answer arrives in the inbox.
    pub fn look(&self, ticket: Ticket, look: Look) {
        if let Err(fault) = self.hand_over(ticket, look) {
            self.inbox.send(answer(ticket, look, fault));
        }
    }

    fn hand_over(&self, ticket: Ticket, look: Look) -> Result<(), Fault> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = match &*queue {
            Some(sender) => sender,
            None => queue.insert(start(self.clock, self.inbox.clone())?),
        };
        match sender.try_send((ticket, look)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Fault::new(
                FaultKind::Overload,
                "too many looks at the host are waiting",
            )),
            // The next look starts it anew.
            Err(TrySendError::Disconnected(_)) => {
                *queue = None;
                Err(Fault::new(
                    FaultKind::Stopped,
                    "the thread that looks at the host has ended",
                ))
            }
        }
    }
}

fn answer(ticket: Ticket, look: Look, fault: Fault) -> Event {
    match look {
        Look::Sample => Event::Host {
            ticket,
            result: Err(fault),
        },
        Look::Processes(_) => Event::Processes {
            ticket,
            result: Err(fault),
        },
    }
}

fn start(clock: Clock, inbox: Inbox) -> Result<SyncSender<(Ticket, Look)>, Fault> {
    let (sender, receiver) = sync_channel(QUEUE);
    thread::Builder::new()
        .name("host".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || run(clock, &inbox, &receiver))
        .map_err(|err| {
            let detail = format!("cannot start thread host: {err}");
            Fault::new(FaultKind::Overload, detail)
        })?;
    Ok(sender)
}

fn run(clock: Clock, inbox: &Inbox, looks: &Receiver<(Ticket, Look)>) {
    for (ticket, look) in looks {
        inbox.send(match look {
            Look::Sample => Event::Host {
                ticket,
                result: Ok(Box::new(sample(clock))),
            },
            Look::Processes(most) => Event::Processes {
                ticket,
                result: Ok(Box::new(processes(most))),
            },
        });
    }
}

fn sample(clock: Clock) -> HostSample {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let load = sysinfo::System::load_average();
    HostSample {
        taken: Some(clock.mono()),
        load: Some([load.one, load.five, load.fifteen]),
        memory: Some(Memory {
            total_bytes: system.total_memory(),
            available_bytes: system.available_memory(),
            free_bytes: system.free_memory(),
            swap_total_bytes: system.total_swap(),
            swap_free_bytes: system.free_swap(),
            ..Memory::default()
        }),
        uptime: Some(Duration::from_secs(sysinfo::System::uptime())),
        ..HostSample::default()
    }
}

fn processes(most: usize) -> Processes {
    let what = sysinfo::ProcessRefreshKind::nothing()
        .with_cpu()
        .with_memory()
        .without_tasks();
    let mut system = sysinfo::System::new();
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::All, true, what);
    thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL);
    system.refresh_processes_specifics(sysinfo::ProcessesToUpdate::All, true, what);
    let mut all: Vec<Process> = system
        .processes()
        .values()
        .map(|process| Process {
            pid: process.pid().as_u32(),
            name: process.name().to_string_lossy().into(),
            cpu_percent: f64::from(process.cpu_usage()),
            memory_bytes: process.memory(),
        })
        .collect();
    let mut found = Processes {
        count: all.len(),
        ..Processes::default()
    };
    all.sort_by(|a, b| b.cpu_percent.total_cmp(&a.cpu_percent));
    found.by_cpu = all.iter().take(most).cloned().collect();
    found.by_cpu.retain(|process| process.cpu_percent > 0.0);
    all.sort_by_key(|process| std::cmp::Reverse(process.memory_bytes));
    found.by_memory = all.into_iter().take(most).collect();
    found.by_memory.retain(|process| process.memory_bytes > 0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_looks_are_answered() {
        let inbox = Inbox::new();
        let host = HostHandle::new(Clock::start(), inbox.clone());
        host.look(Ticket(1), Look::Sample);
        host.look(Ticket(2), Look::Processes(5));
        let patience = Some(Duration::from_secs(20));
        match inbox.receive(patience) {
            Some(Event::Host {
                ticket: Ticket(1),
                result: Ok(sample),
            }) => assert!(sample.memory.is_some_and(|memory| memory.total_bytes > 0)),
            other => panic!("{other:?}"),
        }
        match inbox.receive(patience) {
            Some(Event::Processes {
                ticket: Ticket(2),
                result: Ok(processes),
            }) => {
                assert!(processes.count > 0);
                assert!((1..=5).contains(&processes.by_memory.len()));
            }
            other => panic!("{other:?}"),
        }
    }
}
