//! The machine in the lines of `rackwarden status`: itself, its file systems, and the sensors that limits are meant for.

use crate::host::{Bytes, FileSystem, HostView, SensorKind};
use crate::time::Human;
use std::fmt::Write as _;

/// A line each, names and words in two columns.
pub(super) fn lines(host: &HostView) -> String {
    let rows = rows(host);
    let lengths = rows.iter().map(|(name, _)| name.chars().count());
    let width = lengths.max().unwrap_or_default();
    let mut out = String::new();
    for (name, words) in rows {
        let _ = writeln!(out, "{name:width$}  {words}");
    }
    out
}

fn rows(host: &HostView) -> Vec<(&str, String)> {
    let sample = &host.sample;
    let mut rows = vec![("host", facts(host).join(", "))];
    let disks = sample.file_systems.iter();
    rows.extend(disks.map(|disk| (&*disk.mount, disk_words(disk))));
    let heat = sample.temperatures.iter();
    let heat = heat.filter(|sensor| sensor.is_main && sensor.kind != SensorKind::Other);
    rows.extend(heat.filter_map(|sensor| {
        let celsius = sensor.celsius?;
        Some((&*sensor.name, format!("{celsius:.1} °C")))
    }));
    let supply = sample.throttled.iter();
    rows.extend(supply.map(|throttled| ("supply", throttled.sentence())));
    rows
}

fn facts(host: &HostView) -> Vec<String> {
    let sample = &host.sample;
    let mut facts = Vec::new();
    facts.extend(host.cpu_percent.map(|busy| format!("CPU {busy:.0} %")));
    if let Some([one, five, fifteen]) = sample.load {
        facts.push(format!("load {one:.2} {five:.2} {fifteen:.2}"));
    }
    if let Some(memory) = &sample.memory {
        let (used, total) = (Bytes(memory.used_bytes()), Bytes(memory.total_bytes));
        let share = memory.used_percent();
        facts.extend(share.map(|share| format!("memory {used} of {total} ({share:.0} %)")));
    }
    let uptime = sample.uptime;
    facts.extend(uptime.map(|uptime| format!("up {}", Human(uptime))));
    facts
}

fn disk_words(disk: &FileSystem) -> String {
    match (&disk.space, disk.used_percent(), disk.hangs_for) {
        (Some(space), Some(share), _) => {
            let (free, size) = (Bytes(space.available_bytes), Bytes(space.size_bytes));
            format!("{share:.0} %, {free} of {size} free")
        }
        (_, _, Some(span)) => format!("does not answer for {}", Human(span)),
        _ => "-".to_owned(),
    }
}
