//! When the host is looked at: at a fixed rate, one look at a time. A sampler that fails is started again
//! `retry_attempts` times, `retry_interval` apart, and then once a minute until it works.

use super::view::Looks;
use crate::alert::{AlertState, Report};
use crate::ctx::Ctx;
use crate::effect::Ticket;
use crate::fault::Fault;
use crate::plugins::monitor::Settings;
use crate::time::{Human, Mono, Now, Wall};
use std::time::Duration;

/// The alert of a sampler that cannot be started again.
const ALERT: &str = "monitor.sampler:host";
/// A look that has not ended after this has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// From one attempt to the next when all quick ones have failed.
const SLOW: Duration = Duration::from_secs(60);

/// The rate of looks.
#[derive(Debug)]
pub(super) struct Sampler {
    interval: Duration,
    next: Mono,
    under_way: Option<(Ticket, Mono)>,
    /// Looks that failed in a row, and when the first of them did.
    failed: u32,
    failing_since: Option<Mono>,
    /// When its alert fired.
    fired: Option<Wall>,
    looks: u64,
    failures: u64,
    overruns: u64,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Look.
    Look,
    /// The look that is under way will not end.
    Silence,
}

impl Sampler {
    /// The first look is at `origin`.
    pub(super) fn new(config: &Settings, origin: Mono) -> Sampler {
        Sampler {
            interval: config.interval,
            next: origin,
            under_way: None,
            failed: 0,
            failing_since: None,
            fired: None,
            looks: 0,
            failures: 0,
            overruns: 0,
        }
    }

    /// Goes on where the book of alerts stands.
    pub(super) fn resume(&mut self, ctx: &Ctx<'_>) {
        self.fired = ctx.alerts.get(ALERT).and_then(|entry| entry.fired);
    }

    pub(super) fn correct_times(&mut self, by_ms: i64) {
        if let Some(fired) = &mut self.fired {
            fired.correct(by_ms);
        }
    }

    /// Another rate; the look that is under way counts.
    pub(super) fn set_interval(&mut self, config: &Settings, now: Mono) {
        self.interval = config.interval;
        self.next = self.next.min(now + config.interval);
    }

    pub(super) fn is_looking(&self) -> bool {
        self.under_way.is_some()
    }

    pub(super) fn poll_timeout(&self) -> Mono {
        match self.under_way {
            Some((_, asked)) => self.next.min(asked + PATIENCE),
            None => self.next,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Mono) -> Due {
        if self
            .under_way
            .is_some_and(|(_, asked)| now.since(asked) >= PATIENCE)
        {
            self.under_way = None;
            return Due::Silence;
        }
        if now < self.next {
            return Due::Nothing;
        }
        let late = now.since(self.next).as_nanos() / self.interval.as_nanos().max(1);
        let missed = u32::try_from(late).unwrap_or(u32::MAX);
        self.next = self.next + self.interval.saturating_mul(missed) + self.interval;
        if self.under_way.is_some() {
            self.overruns += 1;
            return Due::Nothing;
        }
        Due::Look
    }

    pub(super) fn asked(&mut self, ticket: Ticket, now: Mono) {
        self.under_way = Some((ticket, now));
    }

    /// An answer has come. True when it is the one that was waited for.
    pub(super) fn answered(&mut self, ticket: Ticket) -> bool {
        let is_awaited = self.under_way.is_some_and(|(own, _)| own == ticket);
        if is_awaited {
            self.under_way = None;
        }
        is_awaited
    }

    /// A look has brought something. What is to be told of it.
    pub(super) fn succeeded(&mut self, now: Now) -> Option<Report> {
        self.looks += 1;
        let failed = std::mem::take(&mut self.failed);
        if failed > 0 {
            log::warn!("the host can be looked at again, after {failed} looks that failed");
            self.failing_since = None;
            self.next = now.mono + self.interval;
        }
        let fired = self.fired.take()?;
        let summary = format!(
            "can be looked at again after {}",
            Human(now.wall.since(fired))
        );
        Some(report(now, AlertState::Ok, summary, "it answers"))
    }

    /// A look has brought nothing: the next attempt is planned. What is to be told of it.
    pub(super) fn failed(&mut self, config: &Settings, now: Now, fault: &Fault) -> Option<Report> {
        self.failures += 1;
        self.failed = self.failed.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now.mono);
        if self.failed == 1 {
            log::warn!("the host cannot be looked at: {fault}");
        }
        // The first of them is the look that failed.
        let is_quick = self.failed <= config.retry_attempts;
        let pause = if is_quick {
            config.retry_interval
        } else {
            SLOW
        };
        self.next = now.mono + pause.max(self.interval);
        if is_quick || self.fired.is_some() {
            return None;
        }
        self.fired = Some(now.wall);
        let again = match config.retry_attempts {
            0 => String::new(),
            1 => "; tried again once".to_owned(),
            times => format!("; tried again {times} times"),
        };
        let summary = format!(
            "cannot be looked at for {}: {fault}{again}, now once a minute",
            Human(now.mono.since(since))
        );
        Some(report(now, AlertState::Firing, summary, "it fails"))
    }

    pub(super) fn looks(&self) -> Looks {
        Looks {
            ok: self.looks,
            failed: self.failures,
            overrun: self.overruns,
        }
    }

    pub(super) fn is_blind(&self) -> bool {
        self.fired.is_some()
    }
}

fn report(now: Now, state: AlertState, summary: String, reason: &'static str) -> Report {
    Report::of_agent(now, ALERT, "host", (state, summary, reason))
}
