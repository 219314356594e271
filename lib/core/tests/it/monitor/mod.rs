//! Scenarios of the monitor in virtual time, through the whole core. Defects of its predecessors have a test each.

mod predecessors;
mod scenarios;

use crate::seconds;
use rackwarden_core::config::Config;
use rackwarden_core::host::{Process, Processes};
use rackwarden_core::plugins::monitor;
use rackwarden_core::plugins::monitor::{Metric, Threshold};
use rackwarden_core::sim::Sim;

/// A world without PDUs that is watched with these changes to the thresholds.
fn world(change: impl FnOnce(&mut Config)) -> Sim {
    let mut config = Sim::config(&[]);
    config.plugins = vec!["monitor"];
    change(&mut config);
    Sim::with_config(config)
}

fn threshold(config: &mut Config, metric: Metric, change: impl FnOnce(&mut Threshold)) {
    let index = metric as usize;
    change(
        monitor::settings_mut(config).thresholds[index]
            .general
            .as_mut()
            .expect("on"),
    );
}

/// Texts of the messages in the group that hold these words.
fn told(sim: &Sim, words: &str) -> Vec<String> {
    let lines = sim.transcript();
    let lines = lines.lines().filter(|line| line.contains(words));
    lines.map(str::to_owned).collect()
}

fn programs() -> Processes {
    let process = |name: &str, cpu_percent, mib: u64| Process {
        pid: 7,
        name: name.into(),
        cpu_percent,
        memory_bytes: mib << 20,
    };
    Processes {
        count: 90,
        by_cpu: vec![process("ffmpeg", 188.0, 40), process("python3", 45.4, 300)],
        by_memory: vec![process("python3", 45.4, 300), process("ffmpeg", 188.0, 40)],
    }
}
