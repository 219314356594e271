//! What can be drawn: series of the history under the names that people use, with their thresholds and episodes.

use crate::chart::{Episode, Threshold};
use crate::chat::grammar;
use crate::config::monitor;
use crate::config::monitor::Metric as Rule;
use crate::config::power;
use crate::config::power::Limits;
use crate::ctx::Ctx;
use crate::history::{self, Unit};
use crate::host::SensorKind;
use crate::host::sensors::kind_of_chip;
use crate::time::Wall;

/// Names that are listed where several fit, or none.
const MOST_NAMES: usize = 8;

/// Something to draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    /// As it is asked for.
    pub(super) word: String,
    /// The heading.
    title: String,
    /// Series of the history; one that ends in `/` stands for all that begin so.
    series: Vec<String>,
    /// The alert that it is drawn for.
    pub(super) alert: Option<String>,
}

/// Words that mean the same on every machine: the word, the heading, the series.
const WORDS: [(&str, &str, &[&str]); 10] = [
    ("power", "Power of all PDUs", &[history::TOTAL]),
    ("teams", "Power of each team", &["power.team/"]),
    ("pdus", "Power of each PDU", &["power.pdu/"]),
    ("cpu", "CPU", &["host.cpu"]),
    ("memory", "Memory", &["host.memory", "host.swap"]),
    ("swap", "Swap", &["host.swap"]),
    ("disk", "Disks", &["host.disk/"]),
    ("temperature", "Temperatures", &["host.temperature/"]),
    (
        "network",
        "Network",
        &["host.network_receive/", "host.network_transmit/"],
    ),
    ("load", "Load", &["host.load"]),
];
/// Single things of the machine: the word before the name, the heading, the beginnings of the series.
const THINGS: [(&str, &str, &[&str]); 3] = [
    ("disk", "Disk", &["host.disk/"]),
    ("temperature", "Temperature of", &["host.temperature/"]),
    (
        "network",
        "Network of",
        &["host.network_receive/", "host.network_transmit/"],
    ),
];

impl Metric {
    pub(super) fn series(&self) -> Vec<String> {
        self.series.clone()
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// As an argument of the command.
    pub(super) fn quoted(&self) -> String {
        let words = self.word.split(' ').map(grammar::quote);
        words.collect::<Vec<_>>().join(" ")
    }

    /// Of its values, as far as the name tells.
    pub(super) fn unit(&self) -> Unit {
        let name = self.series.first().map_or("", String::as_str);
        match name.split('/').next().unwrap_or(name) {
            "host.temperature" => Unit::Celsius,
            "host.network_receive" => Unit::BytesPerSecond,
            "host.load" => Unit::Count,
            name if name.starts_with("host.") => Unit::Percent,
            _ => Unit::Watts,
        }
    }

    /// Whether its word may have the name of a single thing behind it.
    pub(super) fn has_things(&self) -> bool {
        THINGS.iter().any(|(word, ..)| *word == self.word)
    }

    /// What the shaded stretches are.
    pub(super) fn shaded(&self) -> String {
        match &self.alert {
            Some(alert) => format!("{alert} fired"),
            None => "an alert fired".to_owned(),
        }
    }

    fn of_alert(alert: &str, series: String) -> Metric {
        let title = match history::line_name(&series) {
            name if series == history::TOTAL || series.starts_with("host.") => capital(&name),
            name => format!("Power of {name}"),
        };
        Metric {
            word: alert.to_owned(),
            title,
            series: vec![series],
            alert: Some(alert.to_owned()),
        }
    }

    /// Whether an alert is about what this draws.
    fn is_about(&self, alert: &str) -> bool {
        if let Some(own) = &self.alert {
            return own == alert;
        }
        let is_silence = alert.starts_with("power.unreachable:");
        let [own] = &self.series[..] else {
            return false;
        };
        !is_silence && history::of_alert(alert).as_ref() == Some(own)
    }
}

/// Finds what somebody means: the whole name or a beginning that only one has; an alert by its name or number.
///
/// # Errors
/// Says in one line what there is.
pub(super) fn find(ctx: &Ctx<'_>, wanted: &str) -> Result<Metric, String> {
    let lower = wanted.to_lowercase();
    let mut found: Vec<Metric> = Vec::new();
    let mut exact: Option<Metric> = None;
    each(ctx, &mut |word, make| {
        let word = word.to_lowercase();
        if word == lower && exact.is_none() {
            exact = Some(make());
        } else if word.starts_with(&lower) && !lower.is_empty() {
            found.push(make());
        }
    });
    // `disk` before the disks of which there is one, which begin with that word as well.
    if let Some(metric) = exact {
        return kept(ctx, metric);
    }
    if found.len() > 1 {
        let is_general = |metric: &&Metric| WORDS.iter().any(|(word, ..)| *word == metric.word);
        let general: Vec<&Metric> = found.iter().filter(is_general).collect();
        let all_begin_with =
            |one: &Metric| found.iter().all(|other| other.word.starts_with(&one.word));
        match general[..] {
            [one] if all_begin_with(one) => return kept(ctx, one.clone()),
            _ => {}
        }
        let names: Vec<&str> = found.iter().map(|metric| &*metric.word).collect();
        return Err(format!("`{wanted}` may be {}.", listed(&names)));
    }
    match found.pop() {
        Some(metric) => kept(ctx, metric),
        None => alert(ctx, wanted),
    }
}

/// A chart whose series is not kept says so instead of being empty.
fn kept(ctx: &Ctx<'_>, metric: Metric) -> Result<Metric, String> {
    let is_kept = metric.series.iter().any(|series| has(ctx, series));
    match is_kept {
        true => Ok(metric),
        false => Err(format!("no history is kept of {}", metric.word)),
    }
}

fn alert(ctx: &Ctx<'_>, wanted: &str) -> Result<Metric, String> {
    let mut names = ctx.alerts.complete(wanted);
    if names.is_empty() && history::of_alert(wanted).is_some() {
        names.push(wanted.to_owned());
    }
    match &names[..] {
        [] => Err(match unmeasured(wanted) {
            Some(word) => format!("nothing has been measured for {word} yet"),
            None => format!("there is no `{wanted}`; {}", what_exists(ctx, wanted)),
        }),
        [name] => match history::of_alert(name) {
            Some(series) => kept(ctx, Metric::of_alert(name, series)),
            None => Err(format!("no history is kept of what {name} is about")),
        },
        names => {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err(format!("`{wanted}` may be {}.", listed(&names)))
        }
    }
}

/// The word that this is, or begins, although it means nothing here.
fn unmeasured(wanted: &str) -> Option<&'static str> {
    let lower = wanted.to_lowercase();
    let mut words = WORDS.iter().map(|(word, ..)| *word);
    words.find(|word| !lower.is_empty() && word.starts_with(&lower))
}

/// The things of the kind that is asked for, else all kinds.
fn what_exists(ctx: &Ctx<'_>, wanted: &str) -> String {
    let kind = wanted.split(' ').next().unwrap_or(wanted);
    let is_kind = |(word, ..): &&(&str, &str, &[&str])| *word == kind;
    if let Some((word, _, beginnings)) = THINGS.iter().find(is_kind) {
        let names = ctx.history.names();
        let things = names.filter_map(|name| name.strip_prefix(*beginnings.first()?));
        let things: Vec<String> = things.map(|thing| format!("{word} {thing}")).collect();
        let things: Vec<&str> = things.iter().map(String::as_str).collect();
        if !things.is_empty() {
            return format!("there are {}", listed(&things));
        }
    }
    let mut words = Vec::new();
    for (word, _, series) in WORDS {
        if series.iter().any(|series| has(ctx, series)) {
            words.push(word);
        }
    }
    match words.is_empty() {
        true => "nothing has been measured yet".to_owned(),
        false => format!(
            "there are {}, and any PDU, team or alert by its name",
            words.join(", ")
        ),
    }
}

fn listed(names: &[&str]) -> String {
    let shown = &names[..names.len().min(MOST_NAMES)];
    let more = if names.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

/// Calls `offer` with every word that means something here, and how to make it.
fn each(ctx: &Ctx<'_>, offer: &mut dyn FnMut(&str, &dyn Fn() -> Metric)) {
    let mut offer_one =
        |word: &str, title: &dyn Fn() -> String, series: &dyn Fn() -> Vec<String>| {
            offer(word, &|| Metric {
                word: word.to_owned(),
                title: title(),
                series: series(),
                alert: None,
            });
        };
    for (word, title, series) in WORDS {
        if series.iter().any(|series| has(ctx, series)) {
            let all = || series.iter().map(|series| (*series).to_owned()).collect();
            offer_one(word, &|| title.to_owned(), &all);
        }
    }
    for pdu in &power::settings(ctx.config).pdus {
        let title = || format!("Power of {}", pdu.name);
        offer_one(&pdu.name, &title, &|| vec![history::of_pdu(&pdu.name)]);
    }
    for team in &power::settings(ctx.config).teams {
        let title = || format!("Power of {}", team.name);
        offer_one(&team.name, &title, &|| vec![history::of_team(&team.name)]);
    }
    for (word, title, beginnings) in THINGS {
        for name in ctx.history.names() {
            let Some(thing) = beginnings
                .first()
                .and_then(|first| name.strip_prefix(first))
            else {
                continue;
            };
            let series = || {
                beginnings
                    .iter()
                    .map(|begin| format!("{begin}{thing}"))
                    .collect()
            };
            offer_one(
                &format!("{word} {thing}"),
                &|| format!("{title} {thing}"),
                &series,
            );
        }
    }
}

/// Whether the history has a series, or one that begins so.
fn has(ctx: &Ctx<'_>, series: &str) -> bool {
    let mut names = ctx.history.names();
    match series.ends_with('/') {
        true => names.any(|name| name.starts_with(series)),
        false => names.any(|name| **name == *series),
    }
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}", chars.as_str())
}

/// The values that alerts compare it with.
pub(super) fn thresholds(ctx: &Ctx<'_>, metric: &Metric) -> Vec<Threshold> {
    let mut all = configured(ctx, metric);
    let entry = metric
        .alert
        .as_ref()
        .and_then(|alert| ctx.alerts.get(alert));
    if let Some((entry, rule)) = entry.and_then(|entry| Some((entry, entry.rule?))) {
        let is_known = all.iter().any(|threshold| threshold.value == rule.on);
        if !is_known && entry.unit == metric.unit().symbol() {
            all.push(threshold("limit", rule.on));
        }
    }
    all
}

fn configured(ctx: &Ctx<'_>, metric: &Metric) -> Vec<Threshold> {
    let [series] = &metric.series[..] else {
        return match metric.word.as_str() {
            "memory" => general(ctx, Rule::Memory, "limit"),
            _ => Vec::new(),
        };
    };
    let config = ctx.config;
    match (series.as_str(), series.split_once('/')) {
        (history::TOTAL, _) => of_limits(&power::settings(config).site),
        (_, Some(("power.team", name))) => {
            let team = power::settings(config)
                .teams
                .iter()
                .find(|team| *team.name == *name);
            team.map_or(Vec::new(), |team| of_limits(&team.limits))
        }
        (_, Some(("power.pdu", name))) => {
            let pdu = power::settings(config)
                .pdus
                .iter()
                .find(|pdu| *pdu.name == *name);
            pdu.map_or(Vec::new(), |pdu| of_limits(&pdu.limits))
        }
        ("host.cpu", _) => general(ctx, Rule::Cpu, "limit"),
        ("host.memory", _) => general(ctx, Rule::Memory, "limit"),
        ("host.disk/", _) => general(ctx, Rule::Disk, "limit"),
        (_, Some(("host.disk", mount))) => single(ctx, Rule::Disk, mount),
        ("host.temperature/", _) => {
            let names = ctx.history.names();
            let sensors: Vec<&str> = names
                .filter_map(|name| name.strip_prefix("host.temperature/"))
                .collect();
            let mut all = Vec::new();
            for (kind, rule, label) in SENSORS {
                if sensors.iter().any(|name| kind_of(name) == kind) {
                    all.extend(general(ctx, rule, label));
                }
            }
            all
        }
        (_, Some(("host.temperature", name))) => {
            let kind = kind_of(name);
            let rules = SENSORS.iter().filter(|(of, ..)| *of == kind);
            rules
                .flat_map(|(_, rule, _)| single(ctx, *rule, name))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn monitors(ctx: &Ctx<'_>) -> bool {
    ctx.config.plugins.contains(&"monitor")
}

/// Rules about temperatures, by what a sensor sits on.
const SENSORS: [(SensorKind, Rule, &str); 3] = [
    (SensorKind::Cpu, Rule::CpuTemperature, "CPU"),
    (SensorKind::Gpu, Rule::GpuTemperature, "GPU"),
    (SensorKind::Disk, Rule::DiskTemperature, "disk"),
];

/// What a sensor sits on; the name of its chip comes first in its own.
fn kind_of(sensor: &str) -> SensorKind {
    kind_of_chip(sensor.split(' ').next().unwrap_or(sensor))
}

/// The threshold of one mount or sensor.
fn single(ctx: &Ctx<'_>, rule: Rule, name: &str) -> Vec<Threshold> {
    let own = monitor::settings(ctx.config).of(rule).of(&[name]);
    let own = own.filter(|_| monitors(ctx));
    own.map(|own| threshold("limit", own.rule.on))
        .into_iter()
        .collect()
}

fn general(ctx: &Ctx<'_>, rule: Rule, label: &str) -> Vec<Threshold> {
    let general = monitor::settings(ctx.config)
        .of(rule)
        .general
        .filter(|_| monitors(ctx));
    general
        .map(|own| threshold(label, own.rule.on))
        .into_iter()
        .collect()
}

fn of_limits(limits: &Limits) -> Vec<Threshold> {
    let soft = limits.soft.map(|limit| threshold("soft limit", limit.on_w));
    let hard = limits.hard.map(|limit| threshold("limit", limit.on_w));
    soft.into_iter().chain(hard).collect()
}

fn threshold(label: &str, value: f64) -> Threshold {
    Threshold {
        label: label.to_owned(),
        value,
    }
}

/// When its alerts fired, and fire.
pub(super) fn episodes(ctx: &Ctx<'_>, metric: &Metric, from: Wall, until: Wall) -> Vec<Episode> {
    let now = ctx
        .alerts
        .entries()
        .filter(|entry| metric.is_about(&entry.name));
    let now = now.filter_map(|entry| {
        Some(Episode {
            from: entry.fired?,
            until,
        })
    });
    let past = ctx.alerts.past().filter(|past| metric.is_about(&past.name));
    let past = past.map(|past| Episode {
        from: past.from,
        until: past.until,
    });
    past.chain(now)
        .filter(|episode| episode.until >= from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_have_names_for_people() {
        for (series, want) in [
            ("power.total", "all PDUs"),
            ("power.pdu/alpha", "alpha"),
            ("host.disk//var", "/var"),
            ("host.network_receive/eth0", "eth0 received"),
            ("host.cpu", "cpu"),
        ] {
            assert_eq!(history::line_name(series), want);
        }
        let alert = Metric::of_alert("monitor.disk:/var", "host.disk//var".into());
        assert_eq!((alert.title(), alert.unit()), ("/var", Unit::Percent));
        let alert = Metric::of_alert("power.limit:alpha", "power.pdu/alpha".into());
        assert_eq!(
            (alert.title(), &*alert.quoted()),
            ("Power of alpha", "power.limit:alpha")
        );
    }
}
