//! The agent as a service: what the service manager is told, and when its watchdog is fed.

use rackwarden_core::effect::{Effects, earlier};
use rackwarden_core::event::Event;
use rackwarden_core::liveness::Liveness;
use rackwarden_core::snapshot::Snapshot;
use rackwarden_core::time::Mono;
use rackwarden_io::clock::Clock;
use rackwarden_io::notify::{self, Manager};
use rackwarden_io::published::Published;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// How often the status line is brought up to date where there is no watchdog.
const STATUS_INTERVAL: Duration = Duration::from_secs(30);

/// Feeds the watchdog of the service manager, if there is one, as long as every essential loop moves.
pub(crate) struct Supervisor {
    manager: Arc<Manager>,
    liveness: Liveness,
    interval: Duration,
    fed: Mono,
    /// For how long the machine had slept then.
    slept: Duration,
    is_ready: bool,
    is_reloading: bool,
    status: String,
}

impl Supervisor {
    /// Nothing when no service manager waits for a word.
    pub(crate) fn new(manager: &Arc<Manager>) -> Supervisor {
        Supervisor {
            manager: Arc::clone(manager),
            liveness: Liveness::default(),
            interval: notify::watchdog().unwrap_or(STATUS_INTERVAL),
            fed: Mono::ZERO,
            slept: Clock::slept(),
            is_ready: false,
            is_reloading: false,
            status: String::new(),
        }
    }

    /// At the latest then the loop has to turn: the first turn is at once, and half of the watchdog's patience is left.
    pub(crate) fn poll_timeout(&self, core: Option<Mono>) -> Option<Mono> {
        let own = match self.is_ready {
            true => self.fed + self.interval / 2,
            false => Mono::ZERO,
        };
        earlier(core, Some(own))
    }

    /// An event is about to be taken.
    pub(crate) fn note_event(&mut self, now: Mono, event: &Event) {
        self.liveness.come_back(now, event);
        self.is_reloading |= matches!(event, Event::Reload(_));
    }

    /// Effects are about to be handed out.
    pub(crate) fn note_effects(&mut self, now: Mono, effects: &Effects) {
        for effect in effects {
            self.liveness.hand_out(now, effect);
        }
    }

    /// The core has taken a turn. The watchdog is fed with turns that come anyway, as soon as a third of its patience
    /// is over.
    pub(crate) fn turn(&mut self, now: Mono, due: Option<Mono>, published: &Published) {
        self.liveness.turn(now, due);
        let is_news = !self.is_ready || self.is_reloading;
        if !is_news && now.since(self.fed) < self.interval / 3 {
            return;
        }
        self.fed = now;
        let slept = Clock::slept();
        self.liveness.skip(slept.saturating_sub(self.slept));
        self.slept = slept;
        let mut lines = String::new();
        let status = match self.liveness.stuck() {
            Some(name) => format!("{name} stands still"),
            None => {
                lines.push_str("WATCHDOG=1\n");
                status(&published.get())
            }
        };
        if is_news {
            lines.push_str("READY=1\n");
            (self.is_ready, self.is_reloading) = (true, false);
        }
        if status != self.status {
            if !lines.starts_with("WATCHDOG") {
                log::error!("{status}; the watchdog is not fed any longer");
            }
            let _ = write!(lines, "STATUS={status}");
            self.status = status;
        }
        self.manager.tell(&lines);
    }

    /// The agent ends.
    pub(crate) fn stop(&self) {
        self.manager.tell("STOPPING=1");
    }
}

/// `4 PDUs, 2310 W, 1 alert`
fn status(snapshot: &Snapshot) -> String {
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    let views = snapshot.views.iter();
    let mut parts: Vec<String> = views.filter_map(|view| view.summary().line).collect();
    let firing = snapshot.alerts.iter().filter(|alert| alert.is_firing());
    parts.push(count(firing.count(), "alert"));
    let mut line = parts.join(", ");
    if let Some(problem) = snapshot.health.problems.first() {
        line.push_str("; ");
        line.push_str(&problem.replace('\n', " "));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::sim::sample::{self, Sample};

    #[test]
    fn the_status_is_one_line() {
        let mut snapshot = sample::snapshot(Sample::Unreachable);
        assert_eq!(status(&snapshot), "4 PDUs, ≥ 2238 W, 1 alert");
        snapshot.health.problems = vec!["the disk\nis full".to_owned()];
        assert_eq!(
            status(&snapshot),
            "4 PDUs, ≥ 2238 W, 1 alert; the disk is full"
        );
    }
}
