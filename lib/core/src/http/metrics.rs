//! `/metrics` in the Prometheus text format: base units, one family after another, absent instead of zero.

mod host;

use super::View;
use super::json::{VERSION, address, limit_w, problems};
use super::write::push_number;
use crate::alert::AlertState;
use crate::config::TeamConfig;
use crate::snapshot::{PduState, PduView, SumView};

const JOULES_PER_KWH: f64 = 3.6e6;

/// Renders every metric.
pub(super) fn render(view: &View<'_>) -> String {
    let mut metrics = Metrics {
        out: String::with_capacity(4096 + view.snapshot.pdus.len() * 1024),
    };
    agent(&mut metrics, view);
    pdus(&mut metrics, view);
    parts(&mut metrics, view);
    sums(&mut metrics, view);
    host::host(&mut metrics, view);
    alerts(&mut metrics, view);
    metrics.out
}

fn agent(metrics: &mut Metrics, view: &View<'_>) {
    let counters = &view.snapshot.counters;
    let name = "rackwarden_build_info";
    metrics.family(name, "gauge", "The version that runs.");
    metrics.sample(name, &[("version", VERSION)], Some(1.0));
    metrics.gauge(
        "rackwarden_start_time_seconds",
        "When the agent started, in seconds since the epoch.",
        view.snapshot.started.0 as f64 / 1000.0,
    );
    metrics.gauge(
        "rackwarden_healthy",
        "1 while /health says ok, else 0.",
        f64::from(u8::from(problems(view).is_empty())),
    );
    metrics.gauge(
        "rackwarden_messages_queued",
        "Messages waiting to be sent.",
        counters.messages_queued as f64,
    );
    metrics.results(
        "rackwarden_polls_total",
        "Polls of PDUs by their result.",
        &[
            ("ok", counters.polls_ok),
            ("failed", counters.polls_failed),
            ("overrun", counters.polls_overrun),
        ],
    );
    metrics.results(
        "rackwarden_messages_total",
        "Attempts to send a chat message by their result.",
        &[
            ("ok", counters.messages_sent),
            ("failed", counters.messages_failed),
        ],
    );
    metrics.results(
        "rackwarden_commands_total",
        "Commands by what became of them.",
        &[("run", counters.commands), ("refused", counters.refused)],
    );
    let received = &counters.received;
    metrics.results(
        "rackwarden_updates_total",
        "What came in from the chat service.",
        &[
            ("taken", received.taken),
            ("repeated", received.repeated),
            ("ignored", received.ignored),
            ("unknown", received.unknown),
        ],
    );
    metrics.gauge(
        "rackwarden_updates_pending",
        "Updates that waited at the chat service when it was asked last.",
        received.pending as f64,
    );
    let name = "rackwarden_chat_polls_replaced_total";
    metrics.family(
        name,
        "counter",
        "Polls that heard nothing and were made anew.",
    );
    metrics.sample(name, &[], Some(received.replaced as f64));
    let name = "rackwarden_journal_records_total";
    metrics.family(name, "counter", "Records written to the journal.");
    metrics.sample(name, &[], Some(counters.journal_records as f64));
    let name = "rackwarden_snapshots_total";
    metrics.family(name, "counter", "States published to readers.");
    metrics.sample(name, &[], Some(view.snapshot.version as f64));
}

type Get = fn(&View<'_>, &PduView) -> Option<f64>;

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
        |view, pdu| view.age_s(pdu),
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

fn pdus(metrics: &mut Metrics, view: &View<'_>) {
    let snapshot = view.snapshot;
    let config = &snapshot.config;
    if config.pdus.is_empty() {
        return;
    }
    let labels: Vec<String> = (0..config.pdus.len())
        .map(|index| pdu_labels(view, index))
        .collect();
    let name = "rackwarden_pdu_info";
    metrics.family(name, "gauge", "Where the PDU is and what it is.");
    for ((labels, pdu), of) in labels.iter().zip(&snapshot.pdus).zip(&config.pdus) {
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
        for (labels, pdu) in labels.iter().zip(&snapshot.pdus) {
            metrics.line(name, labels, get(view, pdu));
        }
    }
    let name = "rackwarden_pdu_limit_watts";
    metrics.family(name, "gauge", "Power limit of the PDU.");
    for ((labels, of), pdu) in labels.iter().zip(&config.pdus).zip(&snapshot.pdus) {
        metrics.line(name, labels, limit_w(&pdu.limits(of)));
    }
}

/// Families with several samples a PDU: phases, outlets, temperature probes.
fn parts(metrics: &mut Metrics, view: &View<'_>) {
    let mut rows: [Vec<(String, Option<f64>)>; 8] = Default::default();
    for (index, pdu) in view.snapshot.pdus.iter().enumerate() {
        if !pdu.is_live() || (pdu.phases.1, pdu.outlets.1, pdu.temperatures.1) == (0, 0, 0) {
            continue;
        }
        let of_pdu = pdu_labels(view, index);
        let (phases, outlets, temperatures) = view.snapshot.parts(pdu);
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

fn sums(metrics: &mut Metrics, view: &View<'_>) {
    let snapshot = view.snapshot;
    if !snapshot.config.teams.is_empty() {
        for (name, help, get) in TEAM_FAMILIES {
            metrics.family(name, "gauge", help);
            for (team, sum) in snapshot.config.teams.iter().zip(&snapshot.teams) {
                metrics.sample(name, &[("team", &team.name)], get(team, sum));
            }
        }
    }
    let Some(site) = &snapshot.site else {
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
    let limits = &snapshot.config.power.site;
    let name = "rackwarden_site_limit_watts";
    metrics.family(name, "gauge", "Power limits over all PDUs.");
    for (kind, limit) in [("soft", limits.soft), ("hard", limits.hard)] {
        metrics.sample(name, &[("kind", kind)], limit.map(|limit| limit.on_w));
    }
}

fn alerts(metrics: &mut Metrics, view: &View<'_>) {
    let name = "rackwarden_alert_firing";
    metrics.family(name, "gauge", "1 for each alert that fires.");
    for alert in view.snapshot.alerts.iter().filter(|a| a.is_firing()) {
        let labels = [("alert", &*alert.name), ("severity", alert.severity.name())];
        metrics.sample(name, &labels, Some(1.0));
    }
    let name = "rackwarden_alerts";
    metrics.family(name, "gauge", "Alerts by state.");
    for state in [AlertState::Pending, AlertState::Firing, AlertState::Unknown] {
        let count = view.snapshot.alerts.iter().filter(|a| a.state == state);
        let labels = [("state", state.name())];
        metrics.sample(name, &labels, Some(count.count() as f64));
    }
}

struct Metrics {
    out: String,
}

impl Metrics {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        for part in [
            "# HELP ",
            name,
            " ",
            help,
            "\n# TYPE ",
            name,
            " ",
            kind,
            "\n",
        ] {
            self.out.push_str(part);
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.line(name, "", Some(value));
    }

    fn results(&mut self, name: &str, help: &str, counts: &[(&str, u64)]) {
        self.family(name, "counter", help);
        for (result, count) in counts {
            self.sample(name, &[("result", result)], Some(*count as f64));
        }
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: Option<f64>) {
        let mut text = String::new();
        for (key, value) in labels {
            push_label(&mut text, key, value);
        }
        self.line(name, &text, value);
    }

    fn line(&mut self, name: &str, labels: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return;
        };
        self.out.push_str(name);
        if !labels.is_empty() {
            self.out.push('{');
            self.out.push_str(labels);
            self.out.push('}');
        }
        self.out.push(' ');
        push_number(&mut self.out, value);
        self.out.push('\n');
    }
}

fn pdu_labels(view: &View<'_>, index: usize) -> String {
    let mut labels = String::new();
    if let Some(pdu) = view.snapshot.config.pdus.get(index) {
        push_label(&mut labels, "pdu", &pdu.name);
        let team = view.snapshot.team_name(index).unwrap_or_default();
        push_label(&mut labels, "team", team);
    }
    labels
}

fn push_label(labels: &mut String, key: &str, value: &str) {
    if !labels.is_empty() {
        labels.push(',');
    }
    labels.push_str(key);
    labels.push_str("=\"");
    if !value.contains(['\\', '"', '\n']) {
        labels.push_str(value);
        labels.push('"');
        return;
    }
    for ch in value.chars() {
        match ch {
            '\\' => labels.push_str("\\\\"),
            '"' => labels.push_str("\\\""),
            '\n' => labels.push_str("\\n"),
            ch => labels.push(ch),
        }
    }
    labels.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Sample};
    use super::*;
    use std::collections::BTreeSet;

    fn rendered(kind: Sample) -> String {
        let snapshot = sample::snapshot(kind);
        render(&View::new(&snapshot, snapshot.now))
    }

    /// Problems that a strict reader of the format would find.
    fn lint(text: &str) -> Vec<String> {
        const UNITS: &[&str] = &[
            "watts",
            "ratio",
            "voltamperes",
            "amperes",
            "volts",
            "joules_total",
            "seconds",
            "celsius",
            "info",
            "total",
            "up",
            "on",
            "healthy",
            "queued",
            "pending",
            "firing",
            "alerts",
            "pdus",
            "throttled",
            "bytes",
        ];
        // Names that are not ours have the units that their owners gave them.
        let is_ours = |name: &str| !name.starts_with("node_");
        let mut problems = Vec::new();
        let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
        let mut family = ("", "");
        let mut helped = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                helped = rest.split(' ').next().unwrap_or_default();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split_once(' ').unwrap_or_default();
                if family.0 != helped || !families.insert(family.0) {
                    problems.push(format!("{}: without help, or twice", family.0));
                }
                if (family.1 == "counter") != family.0.ends_with("_total") {
                    problems.push(format!("{}: {} by type", family.0, family.1));
                }
                if is_ours(family.0) && !UNITS.iter().any(|unit| family.0.ends_with(unit)) {
                    problems.push(format!("{}: no base unit", family.0));
                }
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap_or_default();
                let name = series.split('{').next().unwrap_or_default();
                if name != family.0 || !samples.insert(series) || value.parse::<f64>().is_err() {
                    problems.push(line.to_owned());
                }
            }
        }
        problems
    }

    #[test]
    fn the_format_is_clean_in_every_situation() {
        for kind in Sample::ALL {
            assert_eq!(lint(&rendered(kind)), Vec::<String>::new(), "{kind:?}");
        }
        assert!(!lint("# TYPE a_total gauge\na_total x\n").is_empty());
    }

    #[test]
    fn values_stand_in_base_units_with_their_labels() {
        let text = rendered(Sample::Normal);
        for line in [
            "rackwarden_pdu_power_watts{pdu=\"alpha\",team=\"Team Alpha\"} 1967.7",
            "rackwarden_pdu_energy_joules_total{pdu=\"alpha\",team=\"Team Alpha\"} 4444200000",
            "rackwarden_pdu_limit_watts{pdu=\"alpha\",team=\"Team Alpha\"} 3000",
            "rackwarden_pdu_up{pdu=\"alpha\",team=\"Team Alpha\"} 1",
            "rackwarden_team_limit_watts{team=\"Team Alpha\"} 6000",
            "rackwarden_site_limit_watts{kind=\"hard\"} 17000",
            "node_cpu_seconds_total{cpu=\"3\",mode=\"idle\"} 76000",
            "node_load1 0.42",
            "rackwarden_host_memory_available_bytes 3040870400",
            "node_filesystem_avail_bytes{device=\"/dev/mmcblk0p2\",fstype=\"ext4\",mountpoint=\"/\"} 13000000000",
            "node_network_receive_bytes_total{device=\"eth0\"} 5000000000",
            "node_hwmon_temp_celsius{chip=\"thermal/cpu_thermal\",sensor=\"temp1\"} 51.2",
            "node_boot_time_seconds 1793971134",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_device_that_does_not_answer_has_no_power_sample() {
        let text = rendered(Sample::Unreachable);
        assert!(text.contains("rackwarden_pdu_up{pdu=\"bravo\",team=\"Team Alpha\"} 0\n"));
        assert!(!text.contains("rackwarden_pdu_power_watts{pdu=\"bravo\""));
    }

    #[test]
    fn a_file_system_that_hangs_has_an_error_and_no_figures() {
        let text = rendered(Sample::Unreachable);
        let labels = "{device=\"nas:/export\",fstype=\"nfs4\",mountpoint=\"/mnt/nas\"}";
        assert!(text.contains(&format!("node_filesystem_device_error{labels} 1\n")));
        assert!(!text.contains(&format!("node_filesystem_size_bytes{labels}")));
    }

    #[test]
    fn names_cannot_break_the_format() {
        let mut labels = String::new();
        push_label(&mut labels, "pdu", "a\"b\\c\nd}");
        assert_eq!(labels, "pdu=\"a\\\"b\\\\c\\nd}\"");
    }
}
