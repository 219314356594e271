//! The programs that use the most, for the alerts about processor and memory. They are asked for while such an alert is
//! pending, so that they are there when it fires, and again while it lasts.

use crate::effect::Ticket;
use crate::fault::Fault;
use crate::host::{Bytes, Process, Processes};
use crate::plugins::monitor::Metric;
use crate::time::Mono;
use rackwarden_base::Tickets;
use std::time::Duration;

/// So many stand in an alert.
pub(super) const SHOWN: usize = 5;
/// While an alert is pending they are never older than this when it fires; while it lasts they are asked for this often.
const PENDING_AGE: Duration = Duration::from_secs(4);
const FIRING_AGE: Duration = Duration::from_secs(60);
/// A question is given up after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Those who were found so long ago had nothing to do with it.
const STALE: Duration = Duration::from_secs(90);

/// How urgently they are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// Not at all.
    No,
    /// An alert fires.
    Firing,
    /// An alert may fire soon.
    Pending,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Top {
    asked: Option<(Ticket, Mono)>,
    found: Option<(Mono, Box<Processes>)>,
}

impl Top {
    /// The ticket of a question, if it is time for one.
    pub(super) fn ask(
        &mut self,
        now: Mono,
        wanted: Wanted,
        tickets: &mut Tickets<'_>,
    ) -> Option<Ticket> {
        let age = match wanted {
            Wanted::No => {
                self.found = None;
                return None;
            }
            Wanted::Firing => FIRING_AGE,
            Wanted::Pending => PENDING_AGE,
        };
        let is_known = self
            .found
            .as_ref()
            .is_some_and(|(at, _)| now.since(*at) < age);
        let is_asked = self.asked.is_some_and(|(_, at)| now.since(at) < PATIENCE);
        if is_known || is_asked {
            return None;
        }
        let ticket = tickets.issue();
        self.asked = Some((ticket, now));
        Some(ticket)
    }

    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        now: Mono,
        result: Result<Box<Processes>, Fault>,
    ) {
        if self.asked.is_some_and(|(own, _)| own == ticket) {
            self.asked = None;
            self.found = result.ok().map(|found| (now, found)).or(self.found.take());
        }
    }

    /// `; most: ffmpeg 188 %, python3 45 %`, or nothing.
    pub(super) fn words(&self, now: Mono, metric: Metric) -> String {
        let found = self.found.as_ref();
        let Some((_, found)) = found.filter(|(at, _)| now.since(*at) < STALE) else {
            return String::new();
        };
        let one = |process: &Process| match metric {
            Metric::Memory => format!("{} {}", process.name, Bytes(process.memory_bytes)),
            _ => format!("{} {:.0} %", process.name, process.cpu_percent),
        };
        let list = match metric {
            Metric::Cpu => &found.by_cpu,
            Metric::Memory => &found.by_memory,
            _ => return String::new(),
        };
        let words: Vec<String> = list.iter().take(SHOWN).map(one).collect();
        match words.is_empty() {
            true => String::new(),
            false => format!("; most: {}", words.join(", ")),
        }
    }
}
