//! Made-up snapshots: for tests of everything that renders one, and for looking at the page.

mod host;

use crate::alert::{AlertState, Severity};
use crate::config::Config;
use crate::history::{self, Curve, Span, Spark, Unit};
use crate::pdu::{Electric, PhaseReading, Profiles};
use crate::plugins::monitor::MonitorView;
use crate::plugins::power;
use crate::plugins::power::{Host, Limit, Limits, PduConfig, TeamConfig};
use crate::plugins::power::{PduState, PduView, PowerView, SumView};
use crate::snapshot::{AlertView, Snapshot};
use crate::snmp::Credentials;
use crate::time::{Mono, Now, Wall};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Situations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Four PDUs in two teams, all well.
    Normal,
    /// One PDU and its team above the limit.
    OverLimit,
    /// One PDU that does not answer, one that was never read.
    Unreachable,
    /// Nothing configured.
    Empty,
    /// Three hundred PDUs.
    Many,
    /// Names that try to break out of every format.
    Hostile,
}

impl Sample {
    /// All of them.
    pub const ALL: [Sample; 6] = [
        Sample::Normal,
        Sample::OverLimit,
        Sample::Unreachable,
        Sample::Empty,
        Sample::Many,
        Sample::Hostile,
    ];
}

const TIME: Now = Now {
    mono: Mono::new(Duration::from_secs(90_000)),
    wall: Wall(1_795_205_702_000),
};

/// A snapshot of that situation, taken on the evening of 20 November 2026.
pub fn snapshot(sample: Sample) -> Snapshot {
    let pdus: Vec<(String, f64)> = match sample {
        Sample::Empty => Vec::new(),
        Sample::Many => (0..300)
            .map(|n| {
                (
                    format!("row{}-pdu{:03}", n / 20, n),
                    400.0 + f64::from(n * 37 % 2500),
                )
            })
            .collect(),
        Sample::Hostile => [r#""><script>alert(1)</script>"#, "a\\b\"c}", "'&amp;"]
            .into_iter()
            .map(|name| (name.to_owned(), 100.0))
            .collect(),
        _ => [
            ("alpha", 1967.7),
            ("bravo", 2312.0),
            ("charlie", 861.4),
            ("delta", 270.0),
        ]
        .into_iter()
        .map(|(name, watts)| (name.to_owned(), watts))
        .collect(),
    };
    let config = Arc::new(config(&pdus, sample));
    let mut snapshot = Snapshot::empty(TIME, Arc::clone(&config));
    snapshot.version = 42;
    snapshot.started = TIME.wall.minus(Duration::from_secs(90_000));
    snapshot.plugins = vec!["power"];
    let mut power = PowerView::idle(&config);
    power.is_running = true;
    for (index, (_, watts)) in pdus.iter().enumerate() {
        power.pdus[index] = pdu(*watts, index);
        power.phases.push(PhaseReading {
            index: 1,
            rating_a: Some(16.0),
            electric: Electric {
                power_w: Some(*watts),
                current_a: Some((watts / 2.3).round() / 100.0),
                voltage_v: Some(230.0),
                ..Electric::default()
            },
        });
    }
    match sample {
        Sample::OverLimit => over_limit(&mut power),
        Sample::Unreachable => unreachable(&mut power),
        _ => {}
    }
    let mut monitor = MonitorView::idle(&config);
    if !matches!(sample, Sample::Empty | Sample::Many) {
        snapshot.plugins.push("monitor");
        monitor.host = Some(Arc::new(host::view(TIME, sample)));
    }
    sum_up(&mut power);
    snapshot.alerts = Arc::new(alerts(&power));
    let mut history = Vec::new();
    if monitor.host.is_some() {
        history.extend(recent_host());
    }
    history.extend(recent(&power));
    snapshot.last_hour = Arc::new(last_hour(&history));
    snapshot.history = Arc::new(history);
    snapshot.views = vec![Arc::new(power), Arc::new(monitor)];
    snapshot
}

fn config(pdus: &[(String, f64)], sample: Sample) -> Config {
    let limit = |watts: f64| Limits {
        soft: None,
        hard: Some(Limit {
            on_w: watts,
            off_w: watts * 0.97,
        }),
    };
    let mut config = Config::empty();
    config.name = "rack-3".into();
    let team_of = |index: usize| match sample {
        Sample::Many => Some(index as u32 / 20),
        Sample::Hostile => Some(0),
        _ => Some(index as u32 / 2),
    };
    power::settings_mut(&mut config).pdus = (pdus.iter().enumerate())
        .map(|(index, (name, _))| PduConfig {
            name: name.as_str().into(),
            host: Host::Ip(SocketAddr::from(([192, 168, 1, (101 + index) as u8], 161))),
            credentials: Credentials::community("public"),
            write: None,
            profile: None,
            limits: limit(3000.0),
            device_limit: false,
            team: team_of(index),
            unit: None,
            any_source: false,
        })
        .collect();
    let teams = pdus.len().min(match sample {
        Sample::Many => 15,
        Sample::Hostile => 1,
        _ => 2,
    });
    power::settings_mut(&mut config).teams = (0..teams)
        .map(|team| TeamConfig {
            name: match sample {
                Sample::Many => format!("Row {team}").into(),
                Sample::Hostile => "<b>\"Team\"</b>\n".into(),
                _ => ["Team Alpha", "Team Bravo"][team].into(),
            },
            limits: limit(6000.0),
            members: (0..pdus.len() as u32)
                .filter(|index| team_of(*index as usize) == Some(team as u32))
                .collect(),
        })
        .collect();
    if !pdus.is_empty() {
        power::settings_mut(&mut config).site = Limits {
            soft: limit(10_000.0).hard,
            ..limit(17_000.0)
        };
    }
    config
}

fn pdu(watts: f64, index: usize) -> PduView {
    PduView {
        state: PduState::Ok,
        profile: Profiles::builtin()
            .named("apc-rpdu2")
            .map(|source| Arc::clone(source.head())),
        read: Some((TIME.mono, TIME.wall)),
        power_w: Some(watts),
        apparent_va: Some((watts * 1.04).round()),
        current_a: Some((watts / 2.3).round() / 100.0),
        voltage_v: Some(230.0),
        peak_w: Some((watts * 1.21).round()),
        peak_time: Some(TIME.wall.minus(Duration::from_secs(7000 + index as u64))),
        peak_is_devices: index % 2 == 0,
        energy_kwh: Some(1234.5),
        phases: (index as u32, 1),
        ..PduView::default()
    }
}

fn over_limit(power: &mut PowerView) {
    let alpha = &mut power.pdus[0];
    alpha.state = PduState::OverLimit;
    alpha.power_w = Some(3310.0);
    alpha.peak_w = Some(3402.0);
    alpha.peak_time = Some(TIME.wall.minus(Duration::from_secs(16)));
    power.pdus[1].power_w = Some(2890.0);
}

fn unreachable(power: &mut PowerView) {
    let earlier = Duration::from_secs(192);
    let bravo = &mut power.pdus[1];
    bravo.state = PduState::Unreachable;
    bravo.reason = Some("no answer within 1.8 s".into());
    bravo.read = Some((
        Mono::new(TIME.mono.since_start() - earlier),
        TIME.wall.minus(earlier),
    ));
    power.pdus[2] = PduView {
        reason: Some("unknown user apc".into()),
        ..PduView::default()
    };
    let delta = &mut power.pdus[3];
    delta.state = PduState::Stale;
    delta.read = Some((
        Mono::new(TIME.mono.since_start() - Duration::from_secs(6)),
        TIME.wall.minus(Duration::from_secs(6)),
    ));
}

fn sum_up(power: &mut PowerView) {
    let sum = |members: &mut dyn Iterator<Item = u32>, limits: &Limits| {
        let (mut watts, mut missing) = (None, Vec::new());
        for index in members {
            let pdu = &power.pdus[index as usize];
            match pdu.live(pdu.power_w) {
                Some(power) => watts = Some(watts.unwrap_or(0.0) + power),
                None => missing.push(index),
            }
        }
        let limit = limits.hard.map_or(f64::INFINITY, |limit| limit.on_w);
        SumView {
            power_w: watts,
            state: match watts {
                Some(watts) if watts > limit => PduState::OverLimit,
                Some(_) if missing.is_empty() => PduState::Ok,
                _ => PduState::Unknown,
            },
            missing: missing.into(),
            limit_in_s: None,
            peak: watts.map(|watts| (watts * 1.1, TIME.wall.minus(Duration::from_secs(7200)))),
        }
    };
    let config = Arc::clone(&power.config);
    let teams = (power::settings(&config).teams.iter())
        .map(|team| sum(&mut team.members.iter().copied(), &team.limits))
        .collect();
    let site = sum(
        &mut (0..power::settings(&config).pdus.len() as u32),
        &power::settings(&config).site,
    );
    power.teams = teams;
    power.site = (!power::settings(&config).pdus.is_empty()).then_some(site);
}

fn alerts(power: &PowerView) -> Vec<AlertView> {
    let alert = |number, name: String, severity, summary: String, value: f64, unit| AlertView {
        number,
        name: name.into(),
        state: AlertState::Firing,
        severity,
        summary,
        since: TIME.wall.minus(Duration::from_secs(38)),
        value: Some(value),
        worst: Some(value * 1.02),
        unit,
        muted_until: None,
        acknowledged_by: None,
        is_flapping: false,
        inhibited_by: None,
    };
    let names = power::settings(&power.config)
        .pdus
        .iter()
        .map(|pdu| &pdu.name);
    let mut alerts = Vec::new();
    for (pdu, name) in power.pdus.iter().zip(names) {
        let number = alerts.len() as u32 + 1;
        match (pdu.state, pdu.power_w) {
            (PduState::OverLimit, Some(watts)) => alerts.push(alert(
                number,
                format!("power.limit:{name}"),
                Severity::Critical,
                format!("Team Alpha ({name}): above power limit: {watts} W > 3000 W"),
                watts,
                "W",
            )),
            (PduState::Unreachable, _) => alerts.push(AlertView {
                acknowledged_by: Some("Ann".into()),
                muted_until: Some(TIME.wall.plus(Duration::from_secs(1800))),
                ..alert(
                    number,
                    format!("power.unreachable:{name}"),
                    Severity::Warning,
                    format!("Team Alpha ({name}): no answer since 20:11:50"),
                    192.0,
                    "s",
                )
            }),
            _ => {}
        }
    }
    alerts
}

/// As if the last minutes had been as long as an hour.
fn last_hour(history: &[Spark]) -> Vec<Curve> {
    let sums = history
        .iter()
        .filter(|series| !series.name.starts_with("power.pdu/"));
    let curve = |series: &Spark| Curve {
        name: Arc::clone(&series.name),
        unit: series.unit,
        start: TIME.wall.minus(Duration::from_secs(3600)),
        step: Duration::from_secs(24),
        points: (series.values.iter())
            .map(|value| {
                value.is_finite().then_some(Span {
                    min: value * 0.985,
                    avg: *value,
                    max: value * 1.015,
                })
            })
            .collect(),
        ..Curve::default()
    };
    sums.map(curve).collect()
}

fn wave(value: f64, seed: usize, gap: bool) -> Vec<f32> {
    (0..150usize)
        .map(|t| {
            let x = (t + seed * 31) as f64;
            let swing = (x / 9.0).sin() * 0.035 + (x / 3.7).sin() * 0.015;
            let calm = 1.0 - t as f64 / 149.0;
            let step = if t < 95 && seed % 3 == 0 { 0.88 } else { 1.0 };
            if gap && t > 100 {
                return f32::NAN;
            }
            (value * step * (1.0 + swing * calm.max(0.3))) as f32
        })
        .collect()
}

fn series(name: &str, unit: Unit, values: Vec<f32>) -> Spark {
    Spark {
        name: name.into(),
        unit,
        values,
        step_s: 4,
    }
}

fn recent_host() -> impl Iterator<Item = Spark> {
    let all = [
        ("host.cpu", Unit::Percent, 34.0),
        ("host.memory", Unit::Percent, 61.0),
        ("host.temperature/cpu_thermal", Unit::Celsius, 58.0),
    ];
    let all = all.into_iter();
    all.map(|(name, unit, value)| series(name, unit, wave(value, name.len(), false)))
}

fn recent(power: &PowerView) -> Vec<Spark> {
    let settings = power::settings(&power.config);
    let watts = |name: &str, values| series(name, Unit::Watts, values);
    let mut all = Vec::new();
    if let Some(total) = power.site.as_ref().and_then(|site| site.power_w) {
        all.push(watts(history::TOTAL, wave(total, 1, false)));
    }
    for (index, (team, sum)) in settings.teams.iter().zip(&power.teams).enumerate() {
        let values = wave(sum.power_w.unwrap_or_default(), index + 2, false);
        all.push(watts(&history::of_team(&team.name), values));
    }
    for (index, (of, pdu)) in settings.pdus.iter().zip(&power.pdus).enumerate() {
        let gap = pdu.state == PduState::Unreachable;
        if let Some(power_w) = pdu.power_w {
            all.push(watts(&history::of_pdu(&of.name), wave(power_w, index, gap)));
        }
    }
    all
}
