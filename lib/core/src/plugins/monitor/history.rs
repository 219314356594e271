//! The host over time: the series that its values are noted in.

use crate::ctx::Ctx;
use crate::history::{SeriesId, Unit};
use crate::host::HostView;
use crate::plugins::monitor::settings;
use std::sync::Arc;
use std::time::Duration;

/// Things of one sort that are kept; further ones are left out.
const MOST: usize = 32;

/// The series of the host, opened when their values first come.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    cpu: Track,
    memory: Track,
    swap: Track,
    load: Track,
    disks: Tracked,
    temperatures: Tracked,
    received: Tracked,
    sent: Tracked,
}

impl Tracks {
    /// Notes a look.
    pub(super) fn note(&mut self, ctx: &mut Ctx<'_>, view: &HostView) {
        let sample = &view.sample;
        self.cpu
            .note(ctx, ("host.cpu", Unit::Percent), view.cpu_percent);
        let memory = sample.memory.as_ref();
        let used = memory.and_then(|memory| memory.used_percent());
        self.memory.note(ctx, ("host.memory", Unit::Percent), used);
        let swapped = memory.and_then(|memory| memory.swap_used_percent());
        self.swap.note(ctx, ("host.swap", Unit::Percent), swapped);
        let load = sample.load.map(|[one, ..]| one);
        self.load.note(ctx, ("host.load", Unit::Count), load);
        for (index, disk) in sample.file_systems.iter().enumerate() {
            let used = disk.used_percent();
            let series = ("host.disk/", Unit::Percent);
            self.disks.note(ctx, index, &disk.mount, series, used);
        }
        let main = sample.temperatures.iter().filter(|sensor| sensor.is_main);
        for (index, sensor) in main.enumerate() {
            let series = ("host.temperature/", Unit::Celsius);
            self.temperatures
                .note(ctx, index, &sensor.name, series, sensor.celsius);
        }
        let networks = sample.networks.iter().zip(&view.rates);
        let real = networks.filter(|(network, _)| !network.is_virtual);
        for (index, (network, rates)) in real.enumerate() {
            let series = ("host.network_receive/", Unit::BytesPerSecond);
            self.received
                .note(ctx, index, &network.name, series, rates.rx);
            let series = ("host.network_transmit/", Unit::BytesPerSecond);
            self.sent.note(ctx, index, &network.name, series, rates.tx);
        }
    }
}

/// One series.
#[derive(Debug, Default)]
struct Track {
    id: Option<SeriesId>,
    is_open: bool,
}

impl Track {
    fn note(&mut self, ctx: &mut Ctx<'_>, (name, unit): (&str, Unit), value: Option<f64>) {
        let Some(value) = value else {
            return;
        };
        if !self.is_open {
            self.is_open = true;
            self.id = ctx.history.open(name, unit, every(ctx));
        }
        if let Some(id) = self.id {
            ctx.history.note(id, value);
        }
    }
}

fn every(ctx: &Ctx<'_>) -> Duration {
    settings(ctx.config).interval
}

/// The series of all things of one sort.
#[derive(Debug, Default)]
struct Tracked {
    list: Vec<(Arc<str>, Track)>,
    /// It was said that some are left out.
    is_told: bool,
}

impl Tracked {
    /// Notes a value of a thing, which as a rule stands at the same place as before.
    fn note(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: usize,
        thing: &Arc<str>,
        (prefix, unit): (&str, Unit),
        value: Option<f64>,
    ) {
        let is_it = |(name, _): &(Arc<str>, Track)| name == thing;
        let at = match self.list.get(index) {
            Some(known) if is_it(known) => Some(index),
            _ => self.list.iter().position(is_it),
        };
        let at = match at {
            Some(at) => at,
            None if value.is_none() => return,
            None if self.list.len() == MOST => return self.tell_left_out(prefix, thing),
            None => {
                let id = ctx
                    .history
                    .open(&format!("{prefix}{thing}"), unit, every(ctx));
                let track = Track { id, is_open: true };
                self.list.push((Arc::clone(thing), track));
                self.list.len() - 1
            }
        };
        if let Some((_, track)) = self.list.get_mut(at) {
            track.note(ctx, ("", unit), value);
        }
    }

    fn tell_left_out(&mut self, prefix: &str, thing: &str) {
        if !std::mem::replace(&mut self.is_told, true) {
            log::warn!("history keeps {MOST} of {prefix}; {thing} and further ones are left out");
        }
    }
}
