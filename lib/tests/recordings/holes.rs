//! Firmware that lacks an object, or answers nothing for it: what is left is right, or not there.

use super::agent::Agent;
use rackwarden_core::pdu::{Profile, Profiles, Reading};
use rackwarden_core::snmp::{Oid, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// The device and its phases are read one after the other, and differ by so much.
const TOLERANCE: f64 = 0.005;

fn profile(name: &str) -> Arc<Profile> {
    let profiles = Profiles::builtin();
    let source = profiles.named(name).expect("it was found by its name");
    source.example().expect("it can be read")
}

/// The numbers that a monitor may show of this device, all of them.
struct Truth {
    power_w: Vec<f64>,
    apparent_va: Vec<f64>,
    energy_kwh: Vec<f64>,
    peak_w: Vec<f64>,
}

impl Truth {
    /// What was expected, and what the whole device said through another object or as a sum of all its parts.
    fn of(expected: &Json, whole: &Reading) -> Truth {
        let listed = |field: &str| -> Vec<f64> {
            let also = expected["also_acceptable"][field].as_array();
            let also = also.into_iter().flatten().filter_map(Json::as_f64);
            expected[field].as_f64().into_iter().chain(also).collect()
        };
        let sum = |values: &mut dyn Iterator<Item = Option<f64>>| -> Option<f64> {
            let values: Option<Vec<f64>> = values.collect();
            values
                .filter(|values| !values.is_empty())
                .map(|values| values.iter().sum())
        };
        let mut truth = Truth {
            power_w: listed("total_power_w"),
            apparent_va: listed("total_apparent_va"),
            energy_kwh: listed("energy_kwh"),
            peak_w: listed("peak_w"),
        };
        truth.power_w.extend(whole.power_w);
        truth.power_w.extend(sum(&mut whole
            .phases
            .iter()
            .map(|phase| phase.electric.power_w)));
        truth.power_w.extend(sum(&mut whole
            .banks
            .iter()
            .map(|bank| bank.electric.power_w)));
        truth.power_w.extend(sum(&mut whole
            .outlets
            .iter()
            .map(|outlet| outlet.electric.power_w)));
        truth.apparent_va.extend(sum(&mut whole
            .phases
            .iter()
            .map(|phase| phase.electric.apparent_va)));
        truth.energy_kwh.extend(sum(&mut whole
            .phases
            .iter()
            .map(|phase| phase.electric.energy_kwh)));
        truth
            .energy_kwh
            .extend(expected["energy_resettable_kwh"].as_f64());
        truth
    }

    fn lies(&self, reading: &Reading) -> Vec<String> {
        let mut lies = Vec::new();
        for (what, truths, said) in [
            ("power_w", &self.power_w, reading.power_w),
            ("apparent_va", &self.apparent_va, reading.apparent_va),
            ("energy_kwh", &self.energy_kwh, reading.energy_kwh),
            ("peak_w", &self.peak_w, reading.peak_w),
        ] {
            let is_true = |said: &f64| {
                truths
                    .iter()
                    .any(|truth| (truth - said).abs() <= truth.abs() * TOLERANCE + 1e-9)
            };
            if let Some(said) = said.filter(|said| !is_true(said)) {
                lies.push(format!("{what} {said}, true are {truths:?}"));
            }
        }
        lies
    }
}

#[test]
fn a_missing_object_never_makes_a_wrong_total() {
    let mut wrong = Vec::new();
    for expected in super::expected() {
        let name = expected["community"].as_str().expect("a name");
        if !super::is_recorded(name) {
            continue;
        }
        let mut agent = Agent::open(name);
        let whole = agent.identified();
        let truth = Truth::of(&expected, &whole.reading);
        let Some(head) = &whole.profile else {
            continue;
        };
        let profile = profile(&head.name);
        let rows: Vec<Oid> = (profile.tables.iter().map(|table| &table.rows))
            .map(|rows| rows.oid.clone())
            .collect();
        let absent = profile.head.absent;
        let absent = absent.as_slice();
        let parts = whole.plan.fast.iter().chain(&whole.plan.slow);
        let asked: Vec<Oid> = parts.flat_map(|part| part.oids.iter().cloned()).collect();
        // What a device says of itself stands in front.
        for hole in asked.iter().take(40) {
            // Not there at all, there without a value, and there with what the family says instead.
            let sentinel = absent.first().map(|number| Value::Integer(*number));
            for value in [None, Some(Value::Null), sentinel] {
                // Without its own instance a row is not known to exist.
                if value.is_none() && rows.iter().any(|column| hole.starts_with(column)) {
                    continue;
                }
                let before = match &value {
                    None => agent.objects.remove(hole),
                    Some(value) => agent.objects.insert(hole.clone(), value.clone()),
                };
                for lie in truth.lies(&agent.reading()) {
                    wrong.push(format!("{name} without {hole} ({value:?}): {lie}"));
                }
                if let Some(before) = before {
                    agent.objects.insert(hole.clone(), before);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
