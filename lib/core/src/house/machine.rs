//! The machine in `/status`: known from the plugin that looks at it, else from a look of its own before the answer.

use crate::chat::Invocation;
use crate::fault::Fault;
use crate::host::{Bytes, FileSystem, HostSample, HostView, SensorKind};
use crate::snapshot::Snapshot;
use crate::time::{Human, Mono, Now};
use std::time::Duration;

/// A look that is older than this is taken anew.
const FRESH: Duration = Duration::from_secs(5);

/// The own look, and those who wait for it.
#[derive(Debug, Default)]
pub struct Machine {
    look: Option<(Mono, HostView)>,
    waiting: Vec<Invocation>,
}

impl Machine {
    /// Whether a command tells of the machine and nothing fresh is known. It waits then for a look.
    pub fn holds(&mut self, now: Now, snapshot: &Snapshot, invocation: &Invocation) -> bool {
        let holds = invocation.spec.name == "status" && self.host(now, snapshot).is_none();
        if holds {
            self.waiting.push(invocation.clone());
        }
        holds
    }

    /// Takes a look; gives the commands that waited for it.
    pub fn handle(&mut self, now: Now, result: Result<Box<HostSample>, Fault>) -> Vec<Invocation> {
        let view = HostView {
            at: Some(now.wall),
            sample: *result.unwrap_or_default(),
            ..HostView::default()
        };
        self.look = Some((now.mono, view));
        std::mem::take(&mut self.waiting)
    }

    /// The last look, while it is fresh.
    pub fn host<'a>(&'a self, now: Now, snapshot: &'a Snapshot) -> Option<&'a HostView> {
        let is_fresh = |at: Mono| now.mono.since(at) < FRESH;
        let mut watched = snapshot.views.iter().filter_map(|view| view.host());
        let own = self.look.as_ref().filter(|(at, _)| is_fresh(*at));
        watched
            .find(|view| view.sample.taken.is_some_and(is_fresh))
            .or(own.map(|(_, view)| view))
    }
}

/// Lines for `/status`.
pub(super) fn lines(view: &HostView) -> String {
    let host = &view.sample;
    let mut parts = Vec::new();
    if let Some(percent) = view.cpu_percent {
        parts.push(format!("CPU {percent:.0} %"));
    }
    if let Some([one, five, fifteen]) = host.load {
        parts.push(format!("load {one:.2} {five:.2} {fifteen:.2}"));
    }
    if let Some(memory) = &host.memory {
        let (used, total) = (Bytes(memory.used_bytes()), Bytes(memory.total_bytes));
        let share = memory.used_percent().unwrap_or_default();
        parts.push(format!("memory {used} of {total} ({share:.0} %)"));
    }
    if let Some(uptime) = host.uptime {
        parts.push(format!("up {}", Human(uptime)));
    }
    if parts.is_empty() {
        parts.push("cannot be read".to_owned());
    }
    let mut lines = format!("Host: {}\n", parts.join(", "));
    let more = disks_and_heat(view);
    if !more.is_empty() {
        lines += &format!("  {}\n", more.join(", "));
    }
    lines
}

/// The fullest file systems and the hottest processor: one line of a screen.
fn disks_and_heat(view: &HostView) -> Vec<String> {
    const DISKS: usize = 3;
    let host = &view.sample;
    // One that cannot be written to is full by nature.
    let tenths = |disk: &&FileSystem| Some((disk.used_percent()? * 10.0) as u64);
    let is_filling = |disk: &&FileSystem| !disk.is_read_only;
    let mut disks: Vec<&FileSystem> = host.file_systems.iter().filter(is_filling).collect();
    crate::small::sort_by_key(&mut disks, |disk| std::cmp::Reverse(tenths(disk)));
    let disks = disks.into_iter().take(DISKS);
    let used = |disk: &FileSystem| Some(format!("{} {:.0} %", disk.mount, disk.used_percent()?));
    let mut parts: Vec<String> = disks.filter_map(used).collect();
    let heat = host.temperatures.iter();
    let heat = heat.filter(|sensor| sensor.kind == SensorKind::Cpu);
    let hottest = heat.filter_map(|sensor| sensor.celsius).reduce(f64::max);
    parts.extend(hottest.map(|celsius| format!("CPU at {celsius:.0} °C")));
    parts
}
