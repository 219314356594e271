//! What readers see of the power plugin. The flat arrays of the previous publication are reused.

use super::Power;
use super::view::{PduView, Polls, PowerView};
use crate::config::Config;
use crate::pdu::{OutletReading, ProbeReading};
use crate::time::{Mono, Now};
use std::sync::Arc;
use std::time::Duration;

/// Outlets and probes of all PDUs are copied at most so often.
const ROWS_EVERY: Duration = Duration::from_secs(2);

/// What was published last, to copy only what has changed.
#[derive(Debug, Default)]
pub(super) struct Published {
    outlets: Arc<Vec<OutletReading>>,
    temperatures: Arc<Vec<ProbeReading>>,
    rows_revision: u64,
    rows_at: Option<Mono>,
}

impl Power {
    /// The view of this moment; the one before, while nothing has changed.
    pub(super) fn view_now(&mut self, now: Now, config: &Arc<Config>) -> Arc<PowerView> {
        self.publish_rows(now.mono);
        let polls = Polls {
            ok: self.polls_ok,
            failed: self.polls_failed,
            overrun: self.polls_overrun,
        };
        let (revision, outlets) = (self.revision, &self.published.outlets);
        let latest = self.kept.latest(|view| {
            let is_same = view.revision == revision && view.polls == polls;
            let is_same = is_same && Arc::ptr_eq(&view.outlets, outlets);
            is_same && Arc::ptr_eq(&view.config, config)
        });
        if let Some(view) = latest {
            return view;
        }
        let mut kept = std::mem::take(&mut self.kept);
        let fresh = || PowerView::idle(config);
        let view = kept.renew(fresh, |view| {
            view.config = Arc::clone(config);
            view.is_running = true;
            (view.revision, view.polls) = (revision, polls);
            self.fill(view);
        });
        self.kept = kept;
        view
    }

    fn fill(&mut self, view: &mut PowerView) {
        view.phases.clear();
        for device in &mut self.devices {
            let start = view.phases.len() as u32;
            let phases = device
                .extra
                .as_deref()
                .map_or(&[][..], |extra| extra.reading.phases.as_slice());
            view.phases.extend_from_slice(phases);
            device.view.phases = (start, phases.len() as u16);
        }
        copy_views(
            &mut view.pdus,
            self.devices.iter().map(|device| &device.view),
        );
        view.outlets = Arc::clone(&self.published.outlets);
        view.temperatures = Arc::clone(&self.published.temperatures);
        view.teams.clear();
        view.teams
            .extend(self.teams.iter().map(|team| team.view.clone()));
        view.site = (!self.devices.is_empty()).then(|| self.site.view.clone());
    }

    /// Copies outlets and probes when they have changed. Ranges and rows are made together, so they agree.
    fn publish_rows(&mut self, now: Mono) {
        let published = &mut self.published;
        let is_due = published
            .rows_at
            .is_none_or(|at| now.since(at) >= ROWS_EVERY);
        if published.rows_revision == self.outlets_revision || !is_due {
            return;
        }
        published.rows_revision = self.outlets_revision;
        published.rows_at = Some(now);
        let (mut outlets, mut temperatures) = (Vec::new(), Vec::new());
        for device in &mut self.devices {
            let start = (outlets.len() as u32, temperatures.len() as u32);
            if let Some(extra) = device.extra.as_deref() {
                let attached = |probe: &&ProbeReading| probe.value.is_finite();
                outlets.extend_from_slice(&extra.reading.outlets);
                temperatures.extend(extra.reading.temperatures.iter().filter(attached).cloned());
            }
            let range = |from: u32, to: usize| (from, (to as u32 - from) as u16);
            device.view.outlets = range(start.0, outlets.len());
            device.view.temperatures = range(start.1, temperatures.len());
        }
        published.outlets = Arc::new(outlets);
        published.temperatures = Arc::new(temperatures);
    }
}

/// Copies views into the memory of the previous publication.
fn copy_views<'a>(to: &mut Vec<PduView>, from: impl ExactSizeIterator<Item = &'a PduView>) {
    to.truncate(from.len());
    let known = to.len();
    for (at, view) in from.enumerate() {
        if at < known {
            to[at].clone_from(view);
        } else {
            to.push(view.clone());
        }
    }
}
