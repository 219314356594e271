//! Metrics of power.

use super::json::{address, limit_w};
use super::view::{PduState, PduView, PowerView, SumView};
use crate::plugins::power::TeamConfig;
use crate::render::metrics::{Metrics, push_label};
use crate::time::Now;

const JOULES_PER_KWH: f64 = 3.6e6;

/// Writes all of them.
pub(super) fn all(view: &PowerView, now: Now, metrics: &mut Metrics) {
    pdus(view, now, metrics);
    parts(view, metrics);
    sums(view, metrics);
}

type Get = fn(Now, &PduView) -> Option<f64>;

/// Families with one sample a PDU: name, type, help, value.
const PDU_FAMILIES: &[(&str, &str, &str, Get)] = &[
    (
        "rackwarden_pdu_up",
        "gauge",
        "1 while the PDU answers in time, else 0.",
        |_, pdu| {
            let is_up = matches!(pdu.state, PduState::Ok | PduState::OverLimit);
            Some(f64::from(u8::from(is_up)))
        },
    ),
    (
        "rackwarden_pdu_age_seconds",
        "gauge",
        "Age of the last reading.",
        |now, pdu| pdu.age_s(now),
    ),
    (
        "rackwarden_pdu_power_watts",
        "gauge",
        "Real power of the whole PDU.",
        |_, pdu| pdu.live(pdu.power_w),
    ),
    (
        "rackwarden_pdu_apparent_power_voltamperes",
        "gauge",
        "Apparent power of the whole PDU.",
        |_, pdu| pdu.live(pdu.apparent_va),
    ),
    (
        "rackwarden_pdu_power_factor_ratio",
        "gauge",
        "Real by apparent power of the whole PDU, as it tells it.",
        |_, pdu| pdu.live(pdu.power_factor.map(f64::from)),
    ),
    (
        "rackwarden_pdu_current_amperes",
        "gauge",
        "Current of the single inlet.",
        |_, pdu| pdu.live(pdu.current_a),
    ),
    (
        "rackwarden_pdu_voltage_volts",
        "gauge",
        "Voltage of the single inlet.",
        |_, pdu| pdu.live(pdu.voltage_v),
    ),
    (
        "rackwarden_pdu_breaker_headroom_amperes",
        "gauge",
        "Amperes left to the inlet, phase or breaker that is nearest to its rating.",
        |_, pdu| pdu.live_rated().map(|rated| rated.left_a()),
    ),
    (
        "rackwarden_pdu_energy_joules_total",
        "counter",
        "Energy as the PDU has counted it.",
        |_, pdu| pdu.energy_kwh.map(|kwh| kwh * JOULES_PER_KWH),
    ),
    (
        "rackwarden_pdu_peak_power_watts",
        "gauge",
        "Highest power since the last reset of the peak.",
        |_, pdu| pdu.peak_w,
    ),
];

fn pdus(view: &PowerView, now: Now, metrics: &mut Metrics) {
    let settings = view.settings();
    if settings.pdus.is_empty() {
        return;
    }
    let labels: Vec<String> = (0..settings.pdus.len())
        .map(|index| pdu_labels(view, index))
        .collect();
    let name = "rackwarden_pdu_info";
    metrics.family(name, "gauge", "Where the PDU is and what it is.");
    for ((labels, pdu), of) in labels.iter().zip(&view.pdus).zip(&settings.pdus) {
        let mut all = labels.clone();
        push_label(&mut all, "address", &address(&of.host));
        push_label(
            &mut all,
            "profile",
            pdu.profile.as_ref().map_or("", |head| &head.name),
        );
        metrics.line(name, &all, Some(1.0));
    }
    for (name, kind, help, get) in PDU_FAMILIES {
        metrics.family(name, kind, help);
        for (labels, pdu) in labels.iter().zip(&view.pdus) {
            metrics.line(name, labels, get(now, pdu));
        }
    }
    let name = "rackwarden_pdu_limit_watts";
    metrics.family(name, "gauge", "Power limit of the PDU.");
    for ((labels, of), pdu) in labels.iter().zip(&settings.pdus).zip(&view.pdus) {
        metrics.line(name, labels, limit_w(&pdu.limits(of)));
    }
}

/// Families with several samples a PDU: phases, outlets, temperature probes.
fn parts(view: &PowerView, metrics: &mut Metrics) {
    let mut rows: [Vec<(String, Option<f64>)>; 8] = Default::default();
    for (index, pdu) in view.pdus.iter().enumerate() {
        if !pdu.is_live() || (pdu.phases.1, pdu.outlets.1, pdu.temperatures.1) == (0, 0, 0) {
            continue;
        }
        let of_pdu = pdu_labels(view, index);
        let (phases, outlets, temperatures) = view.parts(pdu);
        for phase in phases {
            let mut labels = of_pdu.clone();
            push_label(&mut labels, "phase", &phase.index.to_string());
            let of = &phase.electric;
            let factor = of.power_factor.map(f64::from);
            let values = [of.power_w, of.current_a, of.voltage_v, factor];
            for (row, value) in rows.iter_mut().zip(values) {
                row.push((labels.clone(), value));
            }
        }
        for outlet in outlets {
            let mut labels = of_pdu.clone();
            push_label(&mut labels, "outlet", &outlet.index.to_string());
            push_label(&mut labels, "name", &outlet.name);
            let is_on = outlet.on.map(|on| f64::from(u8::from(on)));
            let factor = outlet.electric.power_factor.map(f64::from);
            rows[4].push((labels.clone(), is_on));
            rows[5].push((labels.clone(), outlet.electric.power_w));
            rows[6].push((labels, factor));
        }
        for (number, probe) in temperatures.iter().enumerate() {
            let mut labels = of_pdu.clone();
            push_label(&mut labels, "probe", &(number + 1).to_string());
            push_label(&mut labels, "name", &probe.name);
            rows[7].push((labels, Some(probe.value)));
        }
    }
    let families = [
        ("rackwarden_pdu_phase_power_watts", "Real power of a phase."),
        (
            "rackwarden_pdu_phase_current_amperes",
            "Current of a phase.",
        ),
        ("rackwarden_pdu_phase_voltage_volts", "Voltage of a phase."),
        (
            "rackwarden_pdu_phase_power_factor_ratio",
            "Real by apparent power of a phase.",
        ),
        (
            "rackwarden_pdu_outlet_on",
            "1 while the outlet is switched on, else 0.",
        ),
        (
            "rackwarden_pdu_outlet_power_watts",
            "Real power of an outlet.",
        ),
        (
            "rackwarden_pdu_outlet_power_factor_ratio",
            "Real by apparent power of an outlet.",
        ),
        (
            "rackwarden_pdu_temperature_celsius",
            "Temperature at a probe.",
        ),
    ];
    for ((name, help), rows) in families.into_iter().zip(rows) {
        if rows.iter().all(|(_, value)| value.is_none()) {
            continue;
        }
        metrics.family(name, "gauge", help);
        for (labels, value) in rows {
            metrics.line(name, &labels, value);
        }
    }
}

type GetSum = fn(&TeamConfig, &SumView) -> Option<f64>;

/// Families with one sample a team: name, help, value.
const TEAM_FAMILIES: &[(&str, &str, GetSum)] = &[
    (
        "rackwarden_team_power_watts",
        "Sum over the team's PDUs; a lower bound while some are missing.",
        |_, sum| sum.power_w,
    ),
    (
        "rackwarden_team_limit_watts",
        "Power limit of the team.",
        |team, _| limit_w(&team.limits),
    ),
    (
        "rackwarden_team_peak_power_watts",
        "Highest sum that the agent has seen.",
        |_, sum| sum.peak.map(|(watts, _)| watts),
    ),
    (
        "rackwarden_team_missing_pdus",
        "Members that are not in the sum.",
        |_, sum| Some(sum.missing.len() as f64),
    ),
];

fn sums(view: &PowerView, metrics: &mut Metrics) {
    let settings = view.settings();
    if !settings.teams.is_empty() {
        for (name, help, get) in TEAM_FAMILIES {
            metrics.family(name, "gauge", help);
            for (team, sum) in settings.teams.iter().zip(&view.teams) {
                metrics.sample(name, &[("team", &team.name)], get(team, sum));
            }
        }
    }
    let Some(site) = &view.site else {
        return;
    };
    let name = "rackwarden_site_power_watts";
    metrics.family(
        name,
        "gauge",
        "Sum over all PDUs; a lower bound while some are missing.",
    );
    metrics.sample(name, &[], site.power_w);
    let name = "rackwarden_site_missing_pdus";
    metrics.family(name, "gauge", "PDUs that are not in the sum.");
    metrics.sample(name, &[], Some(site.missing.len() as f64));
    let limits = &settings.site;
    let name = "rackwarden_site_limit_watts";
    metrics.family(name, "gauge", "Power limits over all PDUs.");
    for (kind, limit) in [("soft", limits.soft), ("hard", limits.hard)] {
        metrics.sample(name, &[("kind", kind)], limit.map(|limit| limit.on_w));
    }
}

fn pdu_labels(view: &PowerView, index: usize) -> String {
    let mut labels = String::new();
    if let Some(pdu) = view.settings().pdus.get(index) {
        push_label(&mut labels, "pdu", &pdu.name);
        let team = view.team_name(index).unwrap_or_default();
        push_label(&mut labels, "team", team);
    }
    labels
}
