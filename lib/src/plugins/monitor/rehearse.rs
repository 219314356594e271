//! Runs a rule with a made-up value, for `rackwarden test-alert`: with thresholds as they are configured, and nothing of
//! what was measured.

use super::judge::Watches;
use super::watch::{Beside, Kind, Watch};
use crate::alert::Rule;
use crate::config::{Config, Metric};
use crate::ctx::Ctx;
use std::time::Duration;

/// Judges `value` by the rule of this name; what it reports stands in the notices. False when there is no such rule.
/// `monitor.cpu` stands for `monitor.cpu:host`.
pub(super) fn rehearse(ctx: &mut Ctx<'_>, watches: &Watches, name: &str, value: f64) -> bool {
    let whole = format!("{name}:host");
    let known = watches
        .find_alert(name)
        .or_else(|| watches.find_alert(&whole));
    let found = known.map(|watch| (watch.kind, watch.thing.to_string(), watch.threshold));
    let Some((kind, thing, mut threshold)) = found.or_else(|| configured(ctx.config, name)) else {
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
    let known = watches.find_alert(name);
    let known = known.map(|watch| (watch.kind, watch.threshold));
    let configured = || configured(config, name).map(|(kind, _, threshold)| (kind, threshold));
    let (kind, threshold) = known.or_else(configured)?;
    Some((threshold.rule, kind.unit()))
}

/// A rule of the configuration whose thing has not been seen.
fn configured(config: &Config, name: &str) -> Option<(Kind, String, crate::config::Threshold)> {
    let whole = format!("{name}:host");
    let (kind, thing) = Kind::of_alert(name).or_else(|| Kind::of_alert(&whole))?;
    let is_there = match kind {
        Kind::Metric(Metric::Cpu | Metric::Memory) | Kind::Throttled | Kind::Uplink => {
            thing == "host"
        }
        Kind::Metric(Metric::Disk | Metric::Inodes) | Kind::Hang => thing.starts_with('/'),
        Kind::Metric(metric) => config.monitor.of(metric).names(thing),
    };
    let threshold = kind.threshold(config, (thing, ""))?;
    is_there.then(|| (kind, thing.to_owned(), threshold))
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
