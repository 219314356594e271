//! The readers' view of the machine.

use super::{json, metrics, status};
use crate::config::Config;
use crate::host::HostView;
use crate::render::{self, Metrics, Shape};
use crate::snapshot::{Answer, Error, Headline, Page, Route, Seen, Snapshot, Summary, View};
use std::sync::Arc;

/// The machine at one moment.
#[derive(Debug)]
pub struct MonitorView {
    pub(super) config: Arc<Config>,
    /// The last look; `None` when the plugin does not run.
    pub host: Option<Arc<HostView>>,
    /// Looks by what became of them.
    pub looks: Looks,
    /// The alert of looks that fail fires.
    pub is_blind: bool,
}

/// Looks at the machine, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Looks that brought something.
    pub ok: u64,
    /// Looks that brought nothing.
    pub failed: u64,
    /// Looks that could not start because the one before had not ended.
    pub overrun: u64,
}

/// The view of the machine in a snapshot.
///
/// # Panics
/// When the snapshot has none, which the core publishes always.
pub fn view(snapshot: &Snapshot) -> &MonitorView {
    snapshot
        .of()
        .expect("the machine has a view, watched or not")
}

impl MonitorView {
    /// The view while the plugin does not run.
    pub fn idle(config: &Arc<Config>) -> MonitorView {
        MonitorView {
            config: Arc::clone(config),
            host: None,
            looks: Looks::default(),
            is_blind: false,
        }
    }
}

const ROUTES: &[Route] = &[Route::get(
    "/api/host",
    "The machine that the agent runs on",
    &[Answer::json(
        200,
        "the latest look at it",
        json::Host::SCHEMA,
    )],
)];

impl View for MonitorView {
    fn plugin(&self) -> &'static str {
        "monitor"
    }

    fn summary(&self) -> Summary {
        Summary {
            things: usize::from(self.host.is_some()),
            ..Summary::default()
        }
    }

    fn title(&self) -> Option<&'static str> {
        let host = self.host.as_deref()?;
        host.at.map(|_| "Host")
    }

    fn section(&self, page: &mut Page<'_>) {
        if let Some(host) = self.host.as_deref() {
            super::page::section(self, host, page);
        }
    }

    fn headline(&self, seen: &Seen<'_>) -> Option<Headline> {
        let firing = seen.snapshot.alerts.iter();
        let firing = firing.filter(|alert| alert.is_firing() && alert.name.starts_with("monitor."));
        let worst = firing.clone().map(|alert| alert.severity).max()?;
        let words = match firing.count() {
            1 => "1 alert".to_owned(),
            count => format!("{count} alerts"),
        };
        Some((worst.name(), words))
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn body(&self, seen: &Seen<'_>, _path: &str, _name: &str) -> Result<String, Error> {
        let none = HostView::default();
        let host = self.host.as_deref().unwrap_or(&none);
        Ok(render::text(&json::host(host, seen.now), 2048))
    }

    fn document(&self, seen: &Seen<'_>) -> Option<(&'static str, String)> {
        Some(("host", self.body(seen, "", "").ok()?))
    }

    fn metrics(&self, _seen: &Seen<'_>, metrics: &mut Metrics) {
        if let Some(host) = self.host.as_deref() {
            metrics::host(metrics, host, self.looks);
        }
    }

    fn lines(&self, _seen: &Seen<'_>) -> String {
        let host = self.host.as_deref().filter(|host| host.at.is_some());
        host.map_or_else(String::new, status::lines)
    }

    fn host(&self) -> Option<&HostView> {
        self.host.as_deref()
    }

    fn problems(&self) -> Vec<String> {
        let blind = self
            .is_blind
            .then(|| "the host cannot be looked at".to_owned());
        blind.into_iter().collect()
    }
}
