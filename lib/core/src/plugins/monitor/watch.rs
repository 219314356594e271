//! One thing that is judged: its rule, where that stands, and the words for it.

use super::top::Top;
use crate::alert::{AlertState, Report, ReportKind, Rule, RuleState, Sample, Severity, Transition};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::host::{Bytes, Space};
use crate::plugins::monitor::settings;
use crate::plugins::monitor::{Metric, Threshold};
use crate::time::{Human, Mono, Now};
use std::sync::Arc;
use std::time::Duration;

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A value against a threshold of the configuration.
    Metric(Metric),
    /// Supply and heat of a Raspberry Pi: 1 while anything is wrong, else 0.
    Throttled,
    /// The way out of this machine: 1 while there is none, else 0.
    Uplink,
    /// For how many seconds a file system has not answered; 0 while it does.
    Hang,
}

/// Under-voltage comes and goes with the load; it is over when it has not come back for a minute.
const THROTTLED: Threshold = Threshold {
    rule: Rule {
        on: 0.5,
        off: 0.0,
        for_: Duration::ZERO,
        clear_for: Duration::from_secs(60),
    },
    severity: Severity::Warning,
};
/// Told before the devices beyond it count as unreachable. A cable that is plugged in takes some seconds.
const UPLINK: Threshold = Threshold {
    rule: Rule {
        on: 0.5,
        off: 0.0,
        for_: Duration::from_secs(4),
        clear_for: Duration::from_secs(4),
    },
    severity: Severity::Warning,
};
/// A disk that has to spin up takes up to ten seconds.
const HANG: Threshold = Threshold {
    rule: Rule::above(10.0, 0.0),
    severity: Severity::Warning,
};

impl Kind {
    /// Every kind, for names of alerts.
    fn all() -> impl Iterator<Item = Kind> {
        let metrics = Metric::ALL.into_iter().map(Kind::Metric);
        metrics.chain([Kind::Throttled, Kind::Uplink, Kind::Hang])
    }

    const fn name(self) -> &'static str {
        match self {
            Kind::Metric(metric) => metric.name(),
            Kind::Throttled => "throttled",
            Kind::Uplink => "uplink",
            Kind::Hang => "hang",
        }
    }

    /// `monitor.disk:/var`
    pub(super) fn alert(self, thing: &str) -> String {
        format!("monitor.{}:{thing}", self.name())
    }

    /// The kind and the thing of an alert of this plugin.
    pub(super) fn of_alert(alert: &str) -> Option<(Kind, &str)> {
        let (rule, thing) = alert.strip_prefix("monitor.")?.split_once(':')?;
        Some((Kind::named(rule)?, thing))
    }

    /// `disk`
    pub(super) fn named(rule: &str) -> Option<Kind> {
        Kind::all().find(|kind| kind.name() == rule)
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Kind::Metric(metric) => metric.unit(),
            Kind::Throttled | Kind::Uplink => "",
            Kind::Hang => "s",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Kind::Metric(Metric::Cpu) => "CPU usage",
            Kind::Metric(Metric::Memory) => "memory usage",
            Kind::Metric(Metric::Disk) => "disk usage",
            Kind::Metric(Metric::Inodes) => "inode usage",
            Kind::Metric(Metric::CpuTemperature) => "CPU temperature",
            Kind::Metric(Metric::GpuTemperature) => "GPU temperature",
            Kind::Metric(Metric::DiskTemperature) => "disk temperature",
            Kind::Throttled | Kind::Uplink | Kind::Hang => "",
        }
    }

    /// What holds for a thing, which a sampler may know by a key as well.
    pub(super) fn threshold(
        self,
        config: &Config,
        (thing, key): (&str, &str),
    ) -> Option<Threshold> {
        let names = [thing, key];
        let names = if key.is_empty() { &names[..1] } else { &names };
        match self {
            Kind::Metric(metric @ (Metric::Disk | Metric::Inodes)) => {
                let own = settings(config).of(metric).of(names).copied();
                own.filter(|_| settings(config).mounts.has(thing))
            }
            Kind::Metric(metric) => settings(config).of(metric).of(names).copied(),
            Kind::Throttled => Some(THROTTLED),
            Kind::Uplink => Some(UPLINK),
            Kind::Hang => settings(config).mounts.has(thing).then_some(HANG),
        }
    }
}

/// A thing that is being judged.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) kind: Kind,
    /// As alerts call it: `host`, `/var`, `nvme Samsung SSD 980`.
    pub(super) thing: Arc<str>,
    /// How the sampler tells a sensor; empty for everything else.
    pub(super) key: Arc<str>,
    /// Full name of its alert.
    alert: Arc<str>,
    pub(super) threshold: Threshold,
    pub(super) state: RuleState,
    /// The look that it was last seen in, and since when it is away.
    pub(super) seen: u64,
    pub(super) away_since: Option<Mono>,
    /// It was told without the programs that use the most: the words without them.
    untold: Option<String>,
}

/// What is known beside the value, for the words.
#[derive(Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    /// Of a file system.
    pub(super) space: Option<&'a Space>,
    /// What is wrong, in a sentence.
    pub(super) sentence: &'a str,
    /// The programs that use the most.
    pub(super) top: Option<&'a Top>,
}

impl Watch {
    pub(super) fn new(kind: Kind, thing: &str, key: &str, threshold: Threshold) -> Watch {
        Watch {
            kind,
            thing: thing.into(),
            key: key.into(),
            alert: kind.alert(thing).into(),
            threshold,
            state: RuleState::default(),
            seen: 0,
            away_since: None,
            untold: None,
        }
    }

    pub(super) fn alert(&self) -> &Arc<str> {
        &self.alert
    }

    /// True when the book of alerts holds an entry for it.
    pub(super) fn is_reported(&self) -> bool {
        self.state.state != AlertState::Ok || self.state.is_open()
    }

    /// Judges a value of this moment and reports what follows from it.
    pub(super) fn judge(
        &mut self,
        ctx: &mut Ctx<'_>,
        at: Now,
        value: Option<f64>,
        beside: Beside<'_>,
    ) {
        let sample = value.map_or(Sample::NoData, Sample::Value);
        let fired_for = self.state.firing_for(at);
        let transition = self.state.evaluate(&self.threshold.rule, at, sample);
        if transition.is_none() && !self.state.is_open() {
            return;
        }
        let is_end = transition.is_some_and(|transition| transition.is_end());
        let mut summary = match (is_end, value) {
            (true, _) => self.ended(fired_for.unwrap_or_default()),
            (false, None) => self.unread(),
            (false, Some(value)) => self.words(value, beside),
        };
        if let (Kind::Metric(metric), AlertState::Firing) = (self.kind, self.state.state) {
            let words = beside.top.map(|top| top.words(at.mono, metric));
            let is_told = transition.is_some_and(|transition| transition.is_firing());
            if is_told && words.as_ref().is_some_and(String::is_empty) {
                self.untold = Some(summary.clone());
            }
            summary += &words.unwrap_or_default();
        }
        ctx.report(self.report(at, value, summary, transition));
    }

    /// The programs that use the most are known now.
    pub(super) fn amend(&mut self, ctx: &mut Ctx<'_>, top: &Top) {
        let (Kind::Metric(metric), Some(words)) = (self.kind, self.untold.take()) else {
            return;
        };
        let more = top.words(ctx.now.mono, metric);
        if self.state.state == AlertState::Firing && !more.is_empty() {
            let value = ctx.alerts.get(&self.alert).and_then(|entry| entry.value);
            let report = self.report(ctx.now, value, words + &more, None);
            ctx.report(Report {
                kind: ReportKind::Amended,
                ..report
            });
        }
    }

    fn report(
        &self,
        now: Now,
        value: Option<f64>,
        summary: String,
        transition: Option<Transition>,
    ) -> Report {
        let is_measured = !matches!(self.kind, Kind::Throttled | Kind::Uplink);
        Report {
            name: Arc::clone(&self.alert),
            subject: self.thing.to_string(),
            severity: self.threshold.severity,
            state: self.state.state,
            summary,
            value: value.filter(|_| is_measured),
            worst: self.state.worst().filter(|_| is_measured),
            unit: self.kind.unit(),
            at: now.wall,
            kind: match transition {
                Some(_) => ReportKind::State,
                None => ReportKind::Update,
            },
            rule: is_measured.then_some(self.threshold.rule),
            reason: transition.map_or("", |transition| transition.reason),
            causes: None,
        }
    }

    fn unread(&self) -> String {
        match self.kind.words() {
            "" => "no reading".to_owned(),
            what => format!("{what}: no reading"),
        }
    }

    fn words(&self, value: f64, beside: Beside<'_>) -> String {
        let (rule, is_open) = (&self.threshold.rule, self.state.is_open());
        match self.kind {
            Kind::Throttled if value > rule.on => beside.sentence.to_owned(),
            Kind::Uplink if value > rule.on => {
                format!(
                    "nothing beyond this machine can be reached: {}",
                    beside.sentence
                )
            }
            Kind::Uplink => "there is a way out again".to_owned(),
            Kind::Throttled => format!("not now, but lately: {}", beside.sentence),
            Kind::Hang => {
                let span = Duration::try_from_secs_f64(value).unwrap_or_default();
                format!("file system does not answer for {}", Human(span))
            }
            Kind::Metric(_) => {
                let (what, unit) = (self.kind.words(), self.kind.unit());
                let (on, off) = (figure(rule.on), figure(rule.off.min(rule.on)));
                let figure = figure(value);
                let mut words = match (is_open, value > rule.on) {
                    (_, true) => format!("{what} above threshold: {figure} {unit} > {on} {unit}"),
                    (true, false) if value <= rule.off.min(rule.on) => {
                        let span = Human(rule.clear_for);
                        format!("{what} below {off} {unit}, not yet for {span}: {figure} {unit}")
                    }
                    (true, false) => {
                        format!("{what} not yet back below {off} {unit}: {figure} {unit}")
                    }
                    (false, false) => format!("{what} {figure} {unit} of {on} {unit}"),
                };
                if let (Some(space), Kind::Metric(Metric::Disk)) = (beside.space, self.kind) {
                    let (free, size) = (Bytes(space.available_bytes), Bytes(space.size_bytes));
                    words += &format!(", {free} of {size} free");
                }
                words
            }
        }
    }

    fn ended(&self, after: Duration) -> String {
        let after = Human(after);
        let worst = self.state.worst().unwrap_or(self.threshold.rule.on);
        match self.kind {
            Kind::Uplink => format!("there is a way out again after {after}"),
            Kind::Throttled => format!("well again after {after}"),
            Kind::Hang => format!("file system answers again after {after}"),
            Kind::Metric(_) => format!(
                "{} back below threshold after {after}: peak {} {}",
                self.kind.words(),
                figure(worst),
                self.kind.unit()
            ),
        }
    }

    /// The alert ends because nothing is judged any more.
    pub(super) fn report_removed(&self, ctx: &mut Ctx<'_>, why: &'static str) {
        let report = Report {
            kind: ReportKind::Removed,
            state: AlertState::Ok,
            worst: None,
            rule: None,
            reason: why,
            ..self.report(ctx.now, None, why.to_owned(), None)
        };
        ctx.report(report);
    }
}

/// One decimal, unless it is 0.
fn figure(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{rounded}")
}
