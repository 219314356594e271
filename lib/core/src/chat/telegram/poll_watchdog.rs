//! Notices a poll that is alive but hears nothing (a dead way through a network, a proxy that answers in the service's
//! place): now and then a second call asks how many updates wait. If some do, and the poll brings none, a new poll over
//! a new connection takes its place.

use super::{Call, Telegram};
use crate::chat::hub::ChatEnv;
use crate::effect::{Effect, Ticket};
use crate::time::Mono;
use serde_json::Value;
use std::time::Duration;

/// So long nothing may be heard before somebody looks, and from one look to the next.
const QUIET: Duration = Duration::from_secs(300);
/// Soon after the start, and after a poll was made anew.
const SOON: Duration = Duration::from_secs(30);
/// A poll that is younger than this may still bring what waits; and so long it has after it was counted.
const GRACE: Duration = Duration::from_secs(5);

/// Whether polls bring what waits.
#[derive(Debug, Default)]
pub(super) struct PollWatchdog {
    /// When to look.
    look_at: Option<Mono>,
    /// The poll that should have brought something, and until when it may.
    suspect: Option<(Ticket, Mono)>,
    /// Polls in a row that heard nothing although something waited.
    missed: u32,
}

impl PollWatchdog {
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        self.suspect.map(|(_, until)| until).or(self.look_at)
    }

    /// A bot answers: polls begin.
    pub(super) fn begin(&mut self, now: Mono) {
        self.look_at = Some(now + SOON);
    }

    /// A poll brought something.
    pub(super) fn heard(&mut self, now: Mono) {
        self.missed = 0;
        self.suspect = None;
        self.look_at = Some(now + QUIET);
    }
}

impl Telegram {
    /// Looks, or acts on what was seen.
    pub(super) fn watch_poll(&mut self, env: &mut ChatEnv<'_>) {
        let now = env.now.mono;
        if let Some((poll, until)) = self.poll_watchdog.suspect {
            if until <= now {
                self.poll_watchdog.suspect = None;
                if self.calls.remove(&poll).is_some() {
                    self.replace_poll(env);
                }
            }
            return;
        }
        if self.poll_watchdog.look_at.is_none_or(|at| at > now) {
            return;
        }
        let is_listening = self.poll_under_way(now).is_some();
        self.poll_watchdog.look_at = Some(now + if is_listening { QUIET } else { SOON });
        if is_listening {
            let ticket = env.tickets.issue();
            self.calls.insert(ticket, Call::Look);
            let request = self.api.get_webhook_info(ticket);
            env.effects.push(Effect::Http(request));
        }
    }

    /// Takes the number of updates that wait.
    pub(super) fn looked(&mut self, now: Mono, info: &Value) {
        let pending = info["pending_update_count"].as_u64().unwrap_or(0);
        self.poll.counters().pending = pending;
        if pending > 0 {
            let poll = self.poll_under_way(now);
            self.poll_watchdog.suspect = poll.map(|poll| (poll, now + GRACE));
        } else if std::mem::take(&mut self.poll_watchdog.missed) > 0 {
            self.receiving.end("receiving", now);
        }
    }

    /// The next poll ends the one under way and takes a new connection. When that did not help, it also names no
    /// number, in case the service counts anew.
    fn replace_poll(&mut self, env: &mut ChatEnv<'_>) {
        self.poll_watchdog.missed += 1;
        self.poll_watchdog.begin(env.now.mono);
        let counters = self.poll.counters();
        counters.replaced += 1;
        log::info!(
            "telegram: {} updates wait, but the poll under way brings none; polling over a new connection",
            counters.pending
        );
        if self.poll_watchdog.missed > 1 {
            self.poll.ask_anew();
            let problem = "updates wait at the service, but no poll brings them".to_owned();
            self.receiving.note(env.now.mono, problem);
        }
        self.poll_again(env);
    }

    /// A poll that has had time to hear.
    fn poll_under_way(&self, now: Mono) -> Option<Ticket> {
        self.calls.iter().find_map(|(ticket, call)| match call {
            Call::Poll { since } if now.since(*since) >= GRACE => Some(*ticket),
            _ => None,
        })
    }
}
