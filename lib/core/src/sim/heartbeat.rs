//! The service that `[heartbeat]` pings.

use super::Sim;
use super::world::{HEARTBEAT, Out, World};
use crate::effect::Effect;
use crate::event::{HttpResponse, Reply};
use crate::time::Now;
use std::time::Duration;

/// Counts pings.
pub(super) struct Watcher {
    pings: u64,
    status: u16,
}

impl Default for Watcher {
    fn default() -> Watcher {
        Watcher {
            pings: 0,
            status: 200,
        }
    }
}

impl World for Watcher {
    fn request(&mut self, _now: Now, effect: Effect, out: &mut Out) {
        let Effect::Http(request) = effect else {
            return;
        };
        self.pings += 1;
        let response = HttpResponse {
            status: self.status,
            ..HttpResponse::default()
        };
        let delay = Duration::from_millis(50);
        out.reply(delay, request.ticket, Reply::Http(Ok(response)));
    }
}

impl Sim {
    /// Pings of `[heartbeat]` that left.
    pub fn heartbeats(&self) -> u64 {
        self.look_at::<Watcher>(HEARTBEAT).pings
    }

    /// The status with which pings are answered from now on.
    pub fn set_heartbeat_status(&mut self, status: u16) {
        self.world::<Watcher>(HEARTBEAT).status = status;
    }
}
