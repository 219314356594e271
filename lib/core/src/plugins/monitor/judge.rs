//! Everything that is judged, found anew in each look. What vanishes is unknown, never over.

use super::top::{Top, Wanted};
use super::watch::{Beside, Kind, Watch};
use crate::alert::{AlertState, RuleState};
use crate::ctx::Ctx;
use crate::host::{FileSystem, HostView, SensorKind, Temperature, Uplink};
use crate::plugins::monitor::Metric;
use crate::plugins::monitor::settings;
use crate::time::Now;
use std::time::Duration;

/// What never fired and has been away for so long is forgotten: a stick that was pulled out.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

const REMOVED: &str = "removed from the configuration";

/// All things that are judged.
#[derive(Debug, Default)]
pub(super) struct Watches {
    list: Vec<Watch>,
    /// Where the last one was found; things come in the same order in every look.
    cursor: usize,
    /// Counts looks.
    look: u64,
}

impl Watches {
    /// Goes on where the book of alerts stands; what the configuration has no threshold for any more is over.
    pub(super) fn resume(&mut self, ctx: &mut Ctx<'_>) {
        let mut gone = Vec::new();
        for entry in ctx.alerts.entries() {
            let Some((kind, thing)) = Kind::of_alert(&entry.name) else {
                continue;
            };
            let threshold = kind.threshold(ctx.config, (thing, ""));
            let fallback = threshold.unwrap_or(crate::plugins::monitor::Threshold {
                rule: crate::alert::Rule::above(0.0, 0.0),
                severity: entry.severity,
            });
            let mut watch = Watch::new(kind, thing, "", fallback);
            watch.state = RuleState::resume(entry);
            match threshold {
                Some(_) => self.list.push(watch),
                None => gone.push(watch),
            }
        }
        for watch in gone {
            watch.report_removed(ctx, REMOVED);
        }
    }

    /// The configuration in `ctx` is in force.
    pub(super) fn reload(&mut self, ctx: &mut Ctx<'_>) {
        let mut list = std::mem::take(&mut self.list);
        list.retain_mut(|watch| {
            match watch.kind.threshold(ctx.config, (&watch.thing, &watch.key)) {
                Some(threshold) => {
                    watch.threshold = threshold;
                    true
                }
                None => {
                    if watch.is_reported() {
                        watch.report_removed(ctx, REMOVED);
                    }
                    false
                }
            }
        });
        self.list = list;
    }

    pub(super) fn correct_times(&mut self, by_ms: i64) {
        for watch in &mut self.list {
            watch.state.correct_times(by_ms);
        }
    }

    /// Names of the alerts of all things that are known.
    pub(super) fn alerts(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|watch| &**watch.alert())
    }

    /// The watch of a thing, or the first of its kind.
    pub(super) fn first(&self, kind: Kind, thing: Option<&str>) -> Option<&Watch> {
        let is_it = |watch: &&Watch| thing.is_none_or(|thing| *watch.thing == *thing);
        let mut of_kind = self.list.iter().filter(|watch| watch.kind == kind);
        of_kind.find(is_it)
    }

    /// Nothing is known any more.
    pub(super) fn lose_sight(&mut self, ctx: &mut Ctx<'_>) {
        let at = ctx.now;
        for watch in &mut self.list {
            watch.judge(ctx, at, None, Beside::default());
        }
    }

    /// The programs that use the most are known now.
    pub(super) fn amend(&mut self, ctx: &mut Ctx<'_>, top: &Top) {
        for watch in &mut self.list {
            watch.amend(ctx, top);
        }
    }

    /// How much the programs that use the most are wanted.
    pub(super) fn wants_top(&self) -> Wanted {
        let of_top = |watch: &&Watch| {
            matches!(
                watch.kind,
                Kind::Metric(Metric::Cpu) | Kind::Metric(Metric::Memory)
            )
        };
        let wanted = |watch: &Watch| match watch.state.state {
            AlertState::Pending => Wanted::Pending,
            AlertState::Firing => Wanted::Firing,
            _ => Wanted::No,
        };
        let all = self.list.iter().filter(of_top).map(wanted);
        all.max().unwrap_or(Wanted::No)
    }

    /// Judges a look. The first one after a start or a gap says nothing about processors.
    pub(super) fn judge(&mut self, ctx: &mut Ctx<'_>, view: &HostView, is_first: bool, top: &Top) {
        self.look += 1;
        self.cursor = 0;
        let sample = &view.sample;
        // The machine may have slept since.
        let taken = sample.taken.unwrap_or(ctx.now.mono).min(ctx.now.mono);
        let at = Now {
            mono: taken,
            wall: ctx.now.wall_of(taken),
        };
        let none = Beside::default();
        let with_top = Beside {
            top: Some(top),
            ..none
        };
        let host = |kind| (kind, "host", "");
        if is_first {
            self.skip(Kind::Metric(Metric::Cpu));
        } else if let Some(watch) = self.find(ctx, host(Kind::Metric(Metric::Cpu))) {
            watch.judge(ctx, at, view.cpu_percent, with_top);
        }
        let memory = sample.memory.and_then(|memory| memory.used_percent());
        if let Some(watch) = self.find(ctx, host(Kind::Metric(Metric::Memory))) {
            watch.judge(ctx, at, memory, with_top);
        }
        if let Some(throttled) = &sample.throttled {
            let value = f64::from(u8::from(throttled.is_now()));
            if let Some(watch) = self.find(ctx, host(Kind::Throttled)) {
                let sentence = match watch.is_reported() || value > 0.0 {
                    true => throttled.sentence(),
                    false => String::new(),
                };
                let beside = Beside {
                    sentence: &sentence,
                    ..none
                };
                watch.judge(ctx, at, Some(value), beside);
            }
        }
        self.judge_uplink(ctx, at, sample.uplink);
        for file_system in &sample.file_systems {
            self.judge_mount(ctx, at, file_system);
        }
        for temperature in &sample.temperatures {
            self.judge_heat(ctx, at, temperature);
        }
        self.judge_absent(ctx, at);
    }

    fn judge_uplink(&mut self, ctx: &mut Ctx<'_>, at: Now, uplink: Uplink) {
        let (value, sentence) = match uplink {
            Uplink::Unknown => (None, ""),
            Uplink::Up => (Some(0.0), ""),
            Uplink::NoRoute => (Some(1.0), "no default route"),
            Uplink::NoCarrier => (Some(1.0), "no carrier"),
        };
        // A machine that never had a way out has not lost it.
        let is_known = self.position(Kind::Uplink, "host").is_some();
        if uplink != Uplink::Up && !is_known {
            return;
        }
        if let Some(watch) = self.find(ctx, (Kind::Uplink, "host", "")) {
            let beside = Beside {
                sentence,
                ..Beside::default()
            };
            watch.judge(ctx, at, value, beside);
        }
    }

    fn judge_mount(&mut self, ctx: &mut Ctx<'_>, at: Now, file_system: &FileSystem) {
        let mount = &*file_system.mount;
        let space = file_system.space.as_ref();
        let hangs_for = file_system.hangs_for.map(|span| span.as_secs_f64());
        let beside = Beside {
            space,
            ..Beside::default()
        };
        let named = |metric: Metric| settings(ctx.config).of(metric).names(mount);
        let values = [
            (Metric::Disk, space.and_then(|space| space.used_percent())),
            (
                Metric::Inodes,
                space.and_then(|space| space.inodes_used_percent()),
            ),
        ];
        for (metric, value) in values {
            // What cannot be written to cannot fill up, and what has no inodes does not run out of them.
            let is_judged = !file_system.is_read_only || named(metric);
            let has_any = value.is_some() || space.is_none();
            if !is_judged || !has_any {
                continue;
            }
            let kind = Kind::Metric(metric);
            if let Some(watch) = self.find(ctx, (kind, mount, "")) {
                watch.judge(ctx, at, value, beside);
            }
        }
        // One that answers is only of interest if it did not before.
        let is_known = self.position(Kind::Hang, mount).is_some();
        if hangs_for.is_none() && !is_known {
            return;
        }
        let value = match (hangs_for, space) {
            (None, None) => None,
            (hangs_for, _) => Some(hangs_for.unwrap_or(0.0)),
        };
        if let Some(watch) = self.find(ctx, (Kind::Hang, mount, "")) {
            watch.judge(ctx, at, value, beside);
        }
    }

    fn judge_heat(&mut self, ctx: &mut Ctx<'_>, at: Now, temperature: &Temperature) {
        let metric = match temperature.kind {
            SensorKind::Cpu => Metric::CpuTemperature,
            SensorKind::Gpu => Metric::GpuTemperature,
            SensorKind::Disk => Metric::DiskTemperature,
            SensorKind::Other => return,
        };
        let thresholds = settings(ctx.config).of(metric);
        let is_named = thresholds.names(&temperature.name) || thresholds.names(&temperature.key);
        if !temperature.is_main && !is_named {
            return;
        }
        let name = &temperature.name;
        let kind = Kind::Metric(metric);
        if let Some(watch) = self.find(ctx, (kind, name, &temperature.key)) {
            watch.judge(ctx, at, temperature.celsius, Beside::default());
        }
    }

    /// What this look did not find.
    fn judge_absent(&mut self, ctx: &mut Ctx<'_>, at: Now) {
        let look = self.look;
        self.list.retain_mut(|watch| {
            if watch.seen == look {
                watch.away_since = None;
                return true;
            }
            watch.judge(ctx, at, None, Beside::default());
            let since = *watch.away_since.get_or_insert(at.mono);
            let is_forgotten = !watch.state.is_open() && at.mono.since(since) >= FORGET_AFTER;
            if is_forgotten && watch.is_reported() {
                watch.report_removed(ctx, "it is gone");
            }
            !is_forgotten
        });
    }

    /// Nothing can be said about a thing in this look, and that is no news.
    fn skip(&mut self, kind: Kind) {
        let look = self.look;
        for watch in &mut self.list {
            if watch.kind == kind {
                watch.seen = look;
            }
        }
    }

    /// The watch of a thing; made when there is none and the configuration has a threshold for it.
    fn find(
        &mut self,
        ctx: &Ctx<'_>,
        (kind, thing, key): (Kind, &str, &str),
    ) -> Option<&mut Watch> {
        let at = match self.position(kind, thing) {
            Some(at) => at,
            None => {
                let threshold = kind.threshold(ctx.config, (thing, key))?;
                self.list.push(Watch::new(kind, thing, key, threshold));
                self.list.len() - 1
            }
        };
        self.cursor = at + 1;
        let look = self.look;
        let watch = self.list.get_mut(at)?;
        watch.seen = look;
        if *watch.key != *key {
            // A sensor that fired before the restart is known by its name alone.
            watch.key = key.into();
            watch.threshold = kind.threshold(ctx.config, (thing, key))?;
        }
        Some(watch)
    }

    fn position(&self, kind: Kind, thing: &str) -> Option<usize> {
        let is_it = |watch: &Watch| watch.kind == kind && *watch.thing == *thing;
        match self.list.get(self.cursor) {
            Some(watch) if is_it(watch) => Some(self.cursor),
            _ => self.list.iter().position(is_it),
        }
    }
}
