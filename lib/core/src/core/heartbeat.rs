//! The dead-man ping of `[heartbeat]`: a URL is fetched as long as all is well with the agent, so that somebody else
//! notices when nothing comes any more. It goes out only while `/health` says ok and every essential loop moves; what
//! becomes of the ping itself is logged and changes nothing else.

use super::Core;
use crate::config::HeartbeatConfig;
use crate::effect::{Effect, Effects, HttpRequest, Ticket};
use crate::endpoint::{Endpoint, Method};
use crate::event::{Event, HttpResponse, Reply};
use crate::fault::Fault;
use crate::liveness::Liveness;
use crate::time::{Mono, Now};
use rackwarden_base::Tickets;
use std::sync::Arc;
use std::time::Duration;

/// For one ping.
const PATIENCE: Duration = Duration::from_secs(10);
/// An agent that dies again and again soon after its start never pings.
const FIRST_AFTER: Duration = Duration::from_secs(10);
/// When something was wrong, it is looked at again so soon.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// The ping.
pub(super) struct Heartbeat {
    config: HeartbeatConfig,
    endpoint: Arc<Endpoint>,
    liveness: Liveness,
    due: Mono,
    open: Option<Ticket>,
    /// Pings in a row that were not answered well.
    failures: u64,
}

impl Heartbeat {
    pub(super) fn new(config: &HeartbeatConfig, now: Mono) -> Heartbeat {
        Heartbeat {
            config: config.clone(),
            endpoint: endpoint(config),
            liveness: Liveness::default(),
            due: now + FIRST_AFTER.min(config.every),
            open: None,
            failures: 0,
        }
    }

    /// Takes over another configuration.
    pub(super) fn reload(&mut self, config: &HeartbeatConfig, now: Mono) {
        if self.config != *config {
            self.config = config.clone();
            self.endpoint = endpoint(config);
            self.due = now;
        }
    }

    pub(super) fn poll_timeout(&self) -> Mono {
        self.due
    }

    /// Sees what comes back; takes the answer to its own ping.
    pub(super) fn note_event(&mut self, now: Mono, event: &Event) {
        self.liveness.come_back(now, event);
        match event {
            Event::Done {
                ticket,
                reply: Reply::Http(result),
            } if self.open == Some(*ticket) => {
                self.open = None;
                self.answered(now, result);
            }
            _ => {}
        }
    }

    /// Sees what is handed out, and when the core wants its next turn.
    pub(super) fn note_turn(&mut self, now: Mono, effects: &Effects, due: Option<Mono>) {
        for effect in effects {
            self.liveness.hand_out(now, effect);
        }
        self.liveness.turn(now, due);
    }

    /// Pings when it is time and `is_well`.
    pub(super) fn handle_timeout(
        &mut self,
        now: Mono,
        is_well: bool,
        tickets: &mut Tickets<'_>,
        effects: &mut Effects,
    ) {
        if self.due > now {
            return;
        }
        if !is_well || self.liveness.stuck().is_some() {
            self.due = now + LOOK_AGAIN.min(self.config.every);
            return;
        }
        self.due = now + self.config.every;
        if self.open.is_some() {
            return;
        }
        let ticket = tickets.issue();
        self.open = Some(ticket);
        effects.push(Effect::Http(HttpRequest {
            timeout: PATIENCE,
            ..HttpRequest::new(ticket, Arc::clone(&self.endpoint), Method::Get, "")
        }));
    }

    fn answered(&mut self, now: Mono, result: &Result<HttpResponse, Fault>) {
        let why = match result {
            Ok(response) if (200..300).contains(&response.status) => {
                if self.failures > 0 {
                    let failures = self.failures;
                    log::info!("heartbeat: answered again after {failures} pings that were not");
                }
                self.failures = 0;
                return;
            }
            Ok(response) => format!("the server says {}", response.status),
            Err(fault) => fault.detail.clone(),
        };
        if self.failures == 0 {
            log::warn!("heartbeat: a ping was not answered well: {why}");
        }
        self.failures += 1;
        // The watcher on the other side waits for the next one already.
        self.due = self.due.min(now + LOOK_AGAIN);
    }
}

impl Core {
    /// Begins, changes or ends the ping as the configuration says.
    pub(super) fn set_heartbeat(&mut self, now: Now) {
        match (&mut self.heartbeat, &self.config.heartbeat) {
            (Some(heartbeat), Some(config)) => heartbeat.reload(config, now.mono),
            (own, config) => {
                *own = config
                    .as_ref()
                    .map(|config| Heartbeat::new(config, now.mono));
            }
        }
    }
}

/// Nothing of the agent depends on it.
fn endpoint(config: &HeartbeatConfig) -> Arc<Endpoint> {
    Arc::new(Endpoint::url("heartbeat", config.url.expose()))
}
