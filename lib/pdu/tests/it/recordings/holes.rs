//! Firmware that lacks an object, or answers nothing for it: what is left is right, or not there.

use super::agent::Agent;
use rackwarden_pdu::profile::Object;
use rackwarden_pdu::{Electric, Profile, Profiles, Reading};
use rackwarden_snmp::{Oid, Value};
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

/// Every column that a profile reads.
fn columns(profile: &Profile) -> Vec<Oid> {
    let mut columns = Vec::new();
    let mut add = |object: &Object| {
        columns.push(object.oid.clone());
        let beside = object.scalings.iter();
        columns.extend(beside.map(|scaling| scaling.oid.clone()));
    };
    for (_, _, object) in &profile.device {
        add(object);
    }
    let cells = profile.tables.iter().flat_map(|table| &table.columns);
    cells.for_each(|(_, object)| add(object));
    let variables = profile.variables.iter();
    variables.for_each(|variables| add(&variables.value));
    columns.extend(profile.units.iter().map(|rows| rows.oid.clone()));
    columns.extend(profile.unit_number.clone());
    for table in &profile.tables {
        columns.push(table.rows.oid.clone());
        let number = table.number.as_ref().map(|number| number.oid.clone());
        columns.extend(
            [table.unit.clone(), table.count.clone(), number]
                .into_iter()
                .flatten(),
        );
        columns.extend(table.keep.iter().map(|keep| keep.oid.clone()));
    }
    columns.sort();
    columns.dedup();
    columns
}

/// What is shown of the parts of a device, each with what it is.
fn parts(reading: &Reading) -> Vec<(&'static str, f64)> {
    let mut parts = Vec::new();
    let mut add = |kind: [&'static str; 6], of: &Electric| {
        let values = [
            of.power_w,
            of.apparent_va,
            of.current_a,
            of.voltage_v,
            of.energy_kwh,
            of.power_factor.map(f64::from),
        ];
        let said = kind.into_iter().zip(values);
        parts.extend(said.filter_map(|(kind, value)| Some((kind, value?))));
    };
    const PHASE: [&str; 6] = [
        "phase W",
        "phase VA",
        "phase A",
        "phase V",
        "phase kWh",
        "phase PF",
    ];
    const BANK: [&str; 6] = [
        "bank W", "bank VA", "bank A", "bank V", "bank kWh", "bank PF",
    ];
    const OUTLET: [&str; 6] = ["W", "VA", "A", "V", "kWh", "PF"];
    reading
        .phases
        .iter()
        .for_each(|it| add(PHASE, &it.electric));
    reading.banks.iter().for_each(|it| add(BANK, &it.electric));
    reading
        .outlets
        .iter()
        .for_each(|it| add(OUTLET, &it.electric));
    let rated = reading.banks.iter().map(|it| it.rating_a);
    let rated = rated
        .chain(reading.phases.iter().map(|it| it.rating_a))
        .flatten();
    parts.extend(rated.map(|rating| ("rating", f64::from(rating))));
    let degrees = reading.temperatures.iter().map(|it| ("probe", it.value));
    parts.extend(degrees.chain(reading.humidities.iter().map(|it| ("probe", it.value))));
    parts
}

/// What nothing but this column tells: how many rows are real, whether a probe is there, how an inlet is wired.
const ONLY_TELLERS: &[(&str, &str)] = &[
    ("apc-cpdu", ".32.5.4.1.2"),
    ("apc-cpdu", ".32.5.9.1.2"),
    ("chatsworth-pdu", ".4.10.1.6"),
    ("enlogic-pdu_v2", ".4.4.1.3"),
    ("hpe-mapdu_pdu2", ".4.2.1.3"),
    ("hpe-mapdu_pdu2", ".4.3.1.3"),
    ("hpe-pdumm", ".3.1.1.5"),
    ("sentry4", ".3.2.1.20"),
];

/// The same in another object of the device, with fewer digits or a moment later.
fn is_like(said: &(&str, f64), known: &(&str, f64)) -> bool {
    said.0 == known.0 && (said.1 - known.1).abs() <= known.1.abs() * 0.15 + 0.05
}

/// What a column holds that the device has no sensor for, in the words of its family or of no family.
fn without_sensor(absent: Option<i64>) -> [Value; 5] {
    let own = absent.unwrap_or(i64::from(i32::MAX));
    [
        Value::Integer(own),
        Value::Gauge32(own as u32),
        Value::Gauge32(u32::MAX),
        Value::Integer(i64::from(i32::MAX)),
        Value::OctetString((*b"N/A").into()),
    ]
}

/// In which -1 is an answer: divided by 1, and one accurate digit.
const SCALES: &[(&str, &str)] = &[
    ("rittal-cmc-iii-pu_pdu-controller", ".2.2.1.7"),
    ("raritan-pdu", ".3.3.1.17"),
];

#[test]
fn a_column_without_a_sensor_never_makes_a_value() {
    let mut wrong = Vec::new();
    for expected in super::expected() {
        let name = expected["community"].as_str().expect("a name");
        let mut agent = Agent::open(name);
        let reading = agent.reading();
        let truth = Truth::of(&expected, &reading);
        let known = parts(&reading);
        let Some(head) = agent.identified().profile else {
            continue;
        };
        let absent = head.absent.as_slice().first().copied();
        let columns = columns(&profile(&head.name));
        // Each column with one of them, so that a few runs see them all.
        for (column, kind) in columns.iter().zip((0..5).cycle()) {
            let text = column.to_string();
            let is_else = |(of, end): &(&str, &str)| *of == name && text.ends_with(end);
            if ONLY_TELLERS.iter().chain(SCALES).any(is_else) {
                continue;
            }
            let before = agent.objects.clone();
            let is_in = |oid: &Oid| oid.starts_with(column);
            let cells = agent.objects.iter_mut().filter(|(oid, _)| is_in(oid));
            cells.for_each(|(_, value)| *value = without_sensor(absent)[kind].clone());
            if agent.objects != before {
                let said = agent.reading();
                let lies = truth.lies(&said).into_iter();
                wrong.extend(lies.map(|lie| format!("{name} {kind} in {column}: {lie}")));
                let is_known = |part: &_| known.iter().any(|known| is_like(part, known));
                let lies = parts(&said).into_iter().filter(|part| !is_known(part));
                wrong.extend(lies.map(|lie| format!("{name} {kind} in {column}: {lie:?}")));
            }
            agent.objects = before;
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Older firmware lacks whole columns: of values, scales, numbers of rows and units, and of what marks padding.
#[test]
fn a_missing_column_never_makes_a_wrong_value() {
    let mut wrong = Vec::new();
    for expected in super::expected() {
        let name = expected["community"].as_str().expect("a name");
        let mut agent = Agent::open(name);
        let whole = agent.identified();
        let truth = Truth::of(&expected, &whole.reading);
        let reading = whole.reading.clone().attached();
        let known = parts(&reading);
        let Some(head) = &whole.profile else {
            continue;
        };
        for column in columns(&profile(&head.name)) {
            let text = column.to_string();
            let is_only = |(of, end): &(&str, &str)| *of == name && text.ends_with(end);
            if ONLY_TELLERS.iter().any(is_only) {
                continue;
            }
            let is_in = |oid: &Oid| oid.starts_with(&column);
            let (gone, left) = agent.objects.into_iter().partition(|(oid, _)| is_in(oid));
            agent.objects = left;
            if !gone.is_empty() {
                let said = agent.reading();
                let lies = truth.lies(&said).into_iter();
                wrong.extend(lies.map(|lie| format!("{name} without {column}: {lie}")));
                let is_known = |part: &_| known.iter().any(|known| is_like(part, known));
                let lies = parts(&said).into_iter().filter(|part| !is_known(part));
                wrong.extend(lies.map(|lie| format!("{name} without {column}: {lie:?}")));
                for (what, had, has) in [
                    ("outlets", reading.outlets.len(), said.outlets.len()),
                    ("banks", reading.banks.len(), said.banks.len()),
                    ("phases", reading.phases.len(), said.phases.len()),
                    ("units", reading.units.len().max(1), said.units.len()),
                ] {
                    if has > had {
                        wrong.push(format!("{name} without {column}: {has} {what}, not {had}"));
                    }
                }
            }
            agent
                .objects
                .extend::<std::collections::BTreeMap<_, _>>(gone);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
