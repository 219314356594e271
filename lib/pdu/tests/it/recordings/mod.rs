//! Plays recordings of real devices to `Identify` and compares every value with what was expected of them.
//! Run with `--nocapture` for the table.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test reads its recordings and prints a table"
)]

mod agent;
mod apc;
mod compare;
mod cyberpower;
mod eaton;
mod factors;
mod holes;
mod liebert;
mod oem;
mod raritan;
mod ratings;
mod sentry;
mod small_makers;

use agent::{Agent, fixtures};
use compare::{compare, number, text};
use rackwarden_pdu::Profiles;
use rackwarden_pdu::identify::{Identified, Options};
use rackwarden_snmp::Version;
use serde_json::Value as Json;

#[test]
fn every_value_of_every_recording_is_right() {
    let mut wrong = Vec::new();
    println!(
        "{:<24} {:<14} {:>9} {:>7} {:>7} {:>8} {:>4}",
        "recording", "profile", "W", "A", "V", "kWh", "asks"
    );
    for expected in expected() {
        let name = expected["community"].as_str().expect("a name");
        let has_readings = matches!(
            text(&expected["kind"]).as_str(),
            "full" | "partial" | "outlets-only"
        );
        if has_readings && !is_recorded(name) {
            wrong.push(format!("{name}: no profile names it as its evidence"));
        }
        let agent = Agent::open(name);
        for version in [Version::V2c, Version::V1] {
            let (identified, asks) = agent.identify(Options {
                version,
                ..Options::default()
            });
            if version == Version::V2c {
                print_row(name, &identified, asks);
                // Outlets cost requests, and so do values that are found by their name.
                let names = if name.starts_with("rittal") { 40 } else { 0 };
                let most = 28 + identified.reading.outlets.len() / 3 + names;
                assert!(asks <= most, "{name} took {asks} requests");
            }
            compare(name, &expected, &identified, &mut wrong);
            let parts = identified.plan.fast.iter().chain(&identified.plan.slow);
            let mut asked = parts.flat_map(|part| part.oids.iter());
            assert!(asked.all(|oid| agent.objects.contains_key(oid)), "{name}");
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn print_row(name: &str, got: &Identified, asks: usize) {
    let reading = &got.reading;
    println!(
        "{name:<24} {:<14} {:>9} {:>7} {:>7} {:>8} {asks:>4}  {} {}",
        got.profile.as_ref().map_or("-", |head| &*head.name),
        number(reading.power_w),
        number(reading.current_a),
        number(reading.voltage_v),
        number(reading.energy_kwh),
        got.vendor.as_deref().unwrap_or("-"),
        got.model.as_deref().unwrap_or("-"),
    );
}

/// A profile names this recording as its evidence.
fn is_recorded(name: &str) -> bool {
    let profiles = Profiles::builtin();
    profiles
        .iter()
        .any(|source| source.head().recorded.iter().any(|known| **known == *name))
}

fn expected() -> Vec<Json> {
    let bytes = std::fs::read(fixtures().join("expected.json")).expect("expected.json");
    let json: Json = serde_json::from_slice(&bytes).expect("JSON");
    json["recordings"].as_array().expect("recordings").clone()
}
