//! Runs a rule with a made-up value, for `rackwarden test-alert`: with limits as they are configured or as the device
//! itself has them, and nothing else of what is known of it.

use super::causes::Networks;
use super::device::Device;
use super::excess::{Level, Subject, Watch, pdu_name};
use super::judge::{report_unreachable, silence};
use super::limits::{Episodes, judge_limit};
use crate::alert::{AlertState, Rule, Sample};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::plugins::power::settings;
use crate::plugins::power::{Limit, Limits};
use crate::time::Human;
use std::sync::Arc;
use std::time::Duration;

/// Judges `value` by the rule of this name; what it reports stands in the notices. False when there is no such rule.
pub(super) fn judge(ctx: &mut Ctx<'_>, devices: &[Device], name: &str, value: f64) -> bool {
    let config = Arc::clone(ctx.config);
    for (subject, level, limit) in limits(&config, devices) {
        if subject.alert(&config, level) != name {
            continue;
        }
        let mut watch = Watch::new(limit);
        watch.is_devices = match subject {
            Subject::Pdu(index) => settings(&config)
                .pdus
                .get(index as usize)
                .is_some_and(|pdu| pdu.device_limit),
            Subject::Team(_) | Subject::Site => false,
        };
        let (mut episodes, now) = (Episodes::default(), ctx.now);
        let sample = Sample::Value(value);
        judge_limit(ctx, &mut episodes, subject, level, &mut watch, sample, now);
        return true;
    }
    let Some(index) = (0u32..)
        .zip(&settings(&config).pdus)
        .find_map(|(index, _)| (unreachable(&config, index) == name).then_some(index))
    else {
        return false;
    };
    let silent = Duration::try_from_secs_f64(value).unwrap_or_default();
    if silent >= settings(&config).unreachable_after {
        let summary = format!("unreachable: no answer for {}", Human(silent));
        let at = ctx.now.wall;
        let causes = Networks::default().causes(&config, index);
        let state = (AlertState::Firing, "a test");
        report_unreachable(ctx, index, state, summary, silent, at, causes);
    }
    true
}

/// The names of all rules.
pub(super) fn names(config: &Config, devices: &[Device]) -> Vec<String> {
    let limits = limits(config, devices).map(|(subject, level, _)| subject.alert(config, level));
    let silence = (0u32..)
        .zip(&settings(config).pdus)
        .map(|(index, _)| unreachable(config, index));
    limits.chain(silence).collect()
}

/// The rule of this name, and the unit of its values.
pub(super) fn rule(
    config: &Config,
    devices: &[Device],
    name: &str,
) -> Option<(Rule, &'static str)> {
    let mut limits = limits(config, devices);
    let limit = limits.find(|(subject, level, _)| subject.alert(config, *level) == name);
    if let Some((_, _, limit)) = limit {
        return Some((Watch::new(limit).rule(), "W"));
    }
    let mut silences =
        (0..settings(config).pdus.len() as u32).map(|index| unreachable(config, index));
    let is_silence = silences.any(|own| own == name);
    is_silence.then(|| (silence(config), "s"))
}

fn unreachable(config: &Config, index: u32) -> String {
    format!("power.unreachable:{}", pdu_name(config, index))
}

fn limits<'a>(
    config: &'a Config,
    devices: &'a [Device],
) -> impl Iterator<Item = (Subject, Level, Limit)> + 'a {
    let pdus = (0u32..)
        .map(Subject::Pdu)
        .zip(settings(config).pdus.iter().zip(devices));
    let teams = (0u32..).map(Subject::Team).zip(&settings(config).teams);
    let pdus = pdus.map(|(subject, (pdu, device))| (subject, device.view.limits(pdu)));
    let teams = teams.map(|(subject, team)| (subject, team.limits));
    let site = [(Subject::Site, settings(config).site)];
    pdus.chain(teams).chain(site).flat_map(of_both_levels)
}

fn of_both_levels(
    (subject, limits): (Subject, Limits),
) -> impl Iterator<Item = (Subject, Level, Limit)> {
    [(Level::Hard, limits.hard), (Level::Soft, limits.soft)]
        .into_iter()
        .filter_map(move |(level, limit)| Some((subject, level, limit?)))
}
