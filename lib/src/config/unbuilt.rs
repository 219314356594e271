//! Reads sections whose features this version does not have: `[monitor]`. They
//! are checked as strictly as the others, written back in canonical form for
//! `check --effective`, and otherwise dropped with one warning for each feature.

use super::NotifyConfig;
use super::effective::{Writer, quoted};
use super::people;
use super::power::between;
use super::reader::{Item, Reader};
use super::units;

/// How a threshold is written.
#[derive(Clone, Copy)]
enum Quantity {
    Percent,
    Celsius,
}

const THRESHOLDS: &[(&str, Quantity)] = &[
    ("cpu", Quantity::Percent),
    ("memory", Quantity::Percent),
    ("disk", Quantity::Percent),
    ("cpu_temperature", Quantity::Celsius),
    ("gpu_temperature", Quantity::Celsius),
    ("disk_temperature", Quantity::Celsius),
];

/// `[monitor]` with its sub-tables.
pub(super) fn monitor(mut reader: Reader<'_>) -> String {
    let mut writer = Writer::table("monitor");
    let interval = reader.get("interval").map_or_else(
        || units::duration("2s").ok(),
        |item| item.read(|text| between(text, "100ms", "1h")),
    );
    writer.text("interval", interval.map(units::format_duration).as_deref());
    if let Some(mut reader) = reader.table("thresholds") {
        writer.begin("monitor.thresholds");
        for (key, quantity) in THRESHOLDS {
            if let Some(item) = reader.get(key) {
                threshold(&mut writer, key, &item, *quantity);
            }
        }
        if let Some(item) = reader.get("mounts") {
            let line = mounts(&item);
            writer.raw("mounts", &line);
        }
        reader.finish();
    }
    if let Some(reader) = reader.table("notifications") {
        notifications(&mut writer, reader);
    }
    reader.warn("[monitor]: watching the host is not supported by this version; it has no effect");
    reader.finish();
    writer.finish()
}

fn threshold(writer: &mut Writer, key: &str, item: &Item<'_>, quantity: Quantity) {
    if !item.is_table() {
        if let Some(value) = value(item, quantity) {
            writer.text(key, Some(&shown(value, quantity)));
        }
        return;
    }
    let Some(mut reader) = item.table() else {
        return;
    };
    let mut parts = Vec::new();
    let on = reader
        .need("on", "\"80 %\"")
        .and_then(|item| value(&item, quantity));
    let off_item = reader.get("off");
    let off = off_item.as_ref().and_then(|item| value(item, quantity));
    parts.extend(on.map(|on| format!("on = {}", quoted(&shown(on, quantity)))));
    parts.extend(off.map(|off| format!("off = {}", quoted(&shown(off, quantity)))));
    if let (Some(on), Some(off), Some(item)) = (on, off, &off_item) {
        if off >= on {
            item.error("is not below `on`");
        }
    }
    let span = reader
        .get("for")
        .and_then(|item| item.read(|text| between(text, "0s", "7d")));
    parts.extend(span.map(|span| format!("for = {}", quoted(&units::format_duration(span)))));
    let severity = reader
        .get("severity")
        .and_then(|item| item.read(people::severity));
    parts.extend(severity.map(|severity| format!("severity = {}", quoted(severity.name()))));
    if let Some(item) = reader.get("mounts") {
        if key == "disk" {
            parts.push(format!("mounts = {}", mounts(&item)));
        } else {
            item.error("belongs to `disk` only");
        }
    }
    reader.finish();
    writer.raw(key, &format!("{{ {} }}", parts.join(", ")));
}

fn value(item: &Item<'_>, quantity: Quantity) -> Option<f64> {
    match quantity {
        Quantity::Percent => item.read(units::share_percent),
        Quantity::Celsius => item.read(units::temperature_celsius),
    }
}

fn shown(value: f64, quantity: Quantity) -> String {
    match quantity {
        Quantity::Percent => units::format_share(value),
        Quantity::Celsius => units::format_temperature(value),
    }
}

/// `{ exclude = ["/mnt/*"] }`
fn mounts(item: &Item<'_>) -> String {
    let Some(mut reader) = item.table() else {
        return String::new();
    };
    let exclude = reader
        .get("exclude")
        .map(|item| item.items())
        .unwrap_or_default();
    let patterns: Vec<String> = exclude
        .iter()
        .filter_map(|item| item.line())
        .map(quoted)
        .collect();
    reader.finish();
    format!("{{ exclude = [{}] }}", patterns.join(", "))
}

fn notifications(writer: &mut Writer, mut reader: Reader<'_>) {
    writer.begin("monitor.notifications");
    let mut notify: NotifyConfig = super::Config::empty().notify;
    people::shared(&mut notify, &mut reader);
    let to = reader.get("to").map(|item| people::addresses(&item));
    if let Some(to) = to {
        writer.list("to", to.iter().map(ToString::to_string));
    }
    writer.notify(&notify);
    let attempts = reader
        .get("retry_attempts")
        .map_or(Some(3), |item| item.integer(0, 1000));
    writer.number("retry_attempts", attempts);
    let interval = reader.get("retry_interval").map_or_else(
        || units::duration("10s").ok(),
        |item| item.read(|text| between(text, "100ms", "1d")),
    );
    writer.text(
        "retry_interval",
        interval.map(units::format_duration).as_deref(),
    );
    reader.finish();
}

/// One of a few words.
pub(super) fn one_of<'a>(item: &Item<'a>, accepted: &[&'a str]) -> Option<&'a str> {
    let text = item.text()?;
    let found = accepted.iter().find(|known| **known == text).copied();
    if found.is_none() {
        item.unknown(
            &format!("write {}", accepted.join(", ")),
            text,
            accepted.iter().copied(),
        );
    }
    found
}
