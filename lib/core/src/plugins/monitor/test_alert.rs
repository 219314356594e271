//! Runs a rule with a made-up value, for `rackwarden test-alert`: with thresholds as they are configured, and nothing of
//! what was measured.

use super::judge::Watches;
use super::watch::{Beside, Kind, Watch};
use crate::alert::Rule;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::plugins::monitor::settings;
use crate::plugins::monitor::{Metric, Threshold};
use std::time::Duration;

/// Judges `value` by the rule of this name; what it reports stands in the notices. False when there is no such rule.
pub(super) fn judge(ctx: &mut Ctx<'_>, watches: &Watches, name: &str, value: f64) -> bool {
    let Some((kind, thing, mut threshold)) = named(ctx.config, watches, name) else {
        return false;
    };
    // Nobody waits for a test.
    threshold.rule.for_ = Duration::ZERO;
    let mut watch = Watch::new(kind, &thing, "", threshold);
    let beside = Beside {
        sentence: match kind {
            Kind::Uplink => "no default route",
            _ => "now under-voltage (the supply is below 4.63 V)",
        },
        ..Beside::default()
    };
    let at = ctx.now;
    watch.judge(ctx, at, Some(value), beside);
    true
}

/// The rule of this name, and the unit of its values.
pub(super) fn rule(config: &Config, watches: &Watches, name: &str) -> Option<(Rule, &'static str)> {
    let (kind, _, threshold) = named(config, watches, name)?;
    Some((threshold.rule, kind.unit()))
}

/// What goes by a name: `monitor.disk:/srv`, or the rule alone for the first thing that it judges: `monitor.cpu` or `cpu`
/// for `monitor.cpu:host`.
fn named(config: &Config, watches: &Watches, name: &str) -> Option<(Kind, String, Threshold)> {
    let name = name.strip_prefix("monitor.").unwrap_or(name);
    let (rule, thing) = match name.split_once(':') {
        Some((rule, thing)) => (rule, Some(thing)),
        None => (name, None),
    };
    let kind = Kind::named(rule)?;
    if let Some(watch) = watches.first(kind, thing) {
        return Some((kind, watch.thing.to_string(), watch.threshold));
    }
    let (thing, threshold) = configured(config, kind, thing)?;
    Some((kind, thing, threshold))
}

/// A rule of the configuration whose thing has not been seen.
fn configured(config: &Config, kind: Kind, thing: Option<&str>) -> Option<(String, Threshold)> {
    let (any, is_there) = match kind {
        Kind::Metric(Metric::Cpu | Metric::Memory) | Kind::Throttled | Kind::Uplink => {
            ("host", thing == Some("host"))
        }
        Kind::Metric(Metric::Disk | Metric::Inodes) | Kind::Hang => {
            ("/", thing.is_some_and(|thing| thing.starts_with('/')))
        }
        Kind::Metric(metric) => {
            let thresholds = settings(config).of(metric);
            let is_named = thing.is_some_and(|thing| thresholds.names(thing));
            ("any sensor", is_named)
        }
    };
    let is_there = is_there || thing.is_none();
    let thing = thing.unwrap_or(any);
    let threshold = kind.threshold(config, (thing, ""))?;
    is_there.then(|| (thing.to_owned(), threshold))
}

/// The names of all rules: those of the host, and of everything that was found.
pub(super) fn names(config: &Config, watches: &Watches) -> Vec<String> {
    let of_host = [
        Kind::Metric(Metric::Cpu),
        Kind::Metric(Metric::Memory),
        Kind::Throttled,
        Kind::Uplink,
    ];
    let of_host = of_host
        .into_iter()
        .filter(|kind| kind.threshold(config, ("host", "")).is_some())
        .map(|kind| kind.alert("host"));
    let mut names: Vec<String> = of_host.collect();
    for alert in watches.alerts() {
        if !names.iter().any(|name| name == alert) {
            names.push(alert.to_owned());
        }
    }
    names
}
