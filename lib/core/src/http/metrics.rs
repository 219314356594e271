//! `/metrics`: the families of the agent and its alerts, and between them those of the views.

use super::json::VERSION;
use crate::alert::AlertState;
use crate::render::Metrics;
use crate::snapshot::Seen;

/// Renders every metric.
pub(super) fn render(seen: &Seen<'_>) -> String {
    let views = &seen.snapshot.views;
    let things: usize = views.iter().map(|view| view.summary().things).sum();
    let mut metrics = Metrics::new(4096 + things * 1024);
    agent(&mut metrics, seen);
    for view in views {
        view.metrics(seen, &mut metrics);
    }
    alerts(&mut metrics, seen);
    metrics.finish()
}

fn agent(metrics: &mut Metrics, seen: &Seen<'_>) {
    let counters = &seen.snapshot.counters;
    let name = "rackwarden_build_info";
    metrics.family(name, "gauge", "The version that runs.");
    metrics.sample(name, &[("version", VERSION)], Some(1.0));
    metrics.gauge(
        "rackwarden_start_time_seconds",
        "When the agent started, in seconds since the epoch.",
        seen.snapshot.started.0 as f64 / 1000.0,
    );
    metrics.gauge(
        "rackwarden_healthy",
        "1 while /health says ok, else 0.",
        f64::from(u8::from(seen.problems().is_empty())),
    );
    metrics.gauge(
        "rackwarden_messages_queued",
        "Messages waiting to be sent.",
        counters.messages_queued as f64,
    );
    for view in &seen.snapshot.views {
        view.event_metrics(metrics);
    }
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
    metrics.sample(name, &[], Some(seen.snapshot.version as f64));
}

fn alerts(metrics: &mut Metrics, seen: &Seen<'_>) {
    let name = "rackwarden_alert_firing";
    metrics.family(name, "gauge", "1 for each alert that fires.");
    for alert in seen.snapshot.alerts.iter().filter(|a| a.is_firing()) {
        let labels = [("alert", &*alert.name), ("severity", alert.severity.name())];
        metrics.sample(name, &labels, Some(1.0));
    }
    let name = "rackwarden_alerts";
    metrics.family(name, "gauge", "Alerts by state.");
    for state in [AlertState::Pending, AlertState::Firing, AlertState::Unknown] {
        let count = seen.snapshot.alerts.iter().filter(|a| a.state == state);
        let labels = [("state", state.name())];
        metrics.sample(name, &labels, Some(count.count() as f64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sample::{self, Sample};
    use std::collections::BTreeSet;

    fn rendered(kind: Sample) -> String {
        let snapshot = sample::snapshot(kind);
        render(&Seen::new(&snapshot, snapshot.now))
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
}
