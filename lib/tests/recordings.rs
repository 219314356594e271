//! Plays recordings of real devices to `Identify` and compares every value with what was expected of them.
//! Run with `--nocapture` for the table.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a test reads its recordings and prints a table"
)]

use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_core::pdu::identify::{Identified, Identify, Next, Options};
use rackwarden_core::pdu::{Kind, Profiles, Reading};
use rackwarden_core::snmp::{ErrorStatus, Oid, SnmpAnswer, SnmpAsk, Value, VarBind, Version};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
            println!("{name:<24} has no profile");
            continue;
        }
        let agent = Agent::open(name);
        for version in [Version::V2c, Version::V1] {
            let (identified, asks) = agent.identify(Options {
                version,
                ..Options::default()
            });
            if version == Version::V2c {
                print_row(name, &identified, asks);
                assert!(asks <= 16, "{name} took {asks} requests");
            }
            compare(name, &expected, &identified, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_agent_without_a_system_group_is_known_by_what_it_answers() {
    let agent = Agent::of(&[
        ("1.3.6.1.2.1.1.3.0", Value::TimeTicks(4711)),
        (
            "1.3.6.1.2.1.1.5.0",
            Value::OctetString((*b"pdu-7f010001").into()),
        ),
        ("1.3.6.1.4.1.318.1.1.12.2.3.1.1.2.1", Value::Integer(31)),
        ("1.3.6.1.4.1.318.1.1.26.4.3.1.5.1", Value::Gauge32(501)),
    ]);
    let (identified, asks) = agent.identify(Options::default());
    assert_eq!(
        identified.profile.as_ref().map(|head| &*head.name),
        Some("apc-rpdu2")
    );
    assert_eq!(identified.reading.power_w, Some(5010.0));
    assert_eq!(identified.plan.fast.len(), 1);
    assert!(asks <= 6, "{asks} requests");
}

#[test]
fn chained_units_are_summed_or_chosen() {
    let column = "1.3.6.1.4.1.318.1.1.26.4.3.1.5";
    let phase = "1.3.6.1.4.1.318.1.1.26.6.3.1";
    let mut objects = BTreeMap::new();
    // The second unit does not know its power, but its three phases do.
    objects.insert(format!("{column}.1"), Value::Integer(100));
    objects.insert(format!("{column}.2"), Value::Integer(-1));
    for (row, unit, number, power) in [(1, 1, 1, 99), (2, 2, 1, 10), (3, 2, 2, 20), (4, 2, 3, 30)] {
        for (arc, value) in [(2, unit), (3, number), (5, 7), (6, 230), (7, power)] {
            objects.insert(format!("{phase}.{arc}.{row}"), Value::Integer(value));
        }
    }
    objects.insert(
        "1.3.6.1.4.1.318.1.1.26.4.3.1.6.1".into(),
        Value::Integer(500),
    );
    let agent = Agent::from_text(&objects);
    let power = |unit| {
        agent
            .identify(Options {
                unit,
                ..Options::default()
            })
            .0
            .reading
            .power_w
    };
    assert_eq!(power(None), Some(1600.0));
    assert_eq!(power(Some(1)), Some(1000.0));
    assert_eq!(power(Some(2)), Some(600.0));
    let (all, _) = agent.identify(Options::default());
    assert_eq!(all.reading.peak_w, None, "peaks of two units have no sum");
    assert_eq!(all.reading.current_a, None);
    assert_eq!(
        all.reading
            .phases
            .iter()
            .map(|p| p.index)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    let (missing, _) = agent.identify(Options {
        unit: Some(3),
        ..Options::default()
    });
    assert_eq!(missing.kind, Kind::IdentifyOnly);
    assert_eq!(
        missing.note.as_deref(),
        Some("the device has no unit 3, only 1, 2")
    );
}

#[test]
fn a_total_is_never_part_of_a_sum() {
    let agent = Agent::of(&[
        ("1.3.6.1.4.1.318.1.1.26.4.3.1.5.1", Value::Integer(100)),
        ("1.3.6.1.4.1.318.1.1.26.4.3.1.5.2", Value::Integer(-1)),
    ]);
    assert_eq!(agent.identify(Options::default()).0.reading.power_w, None);
}

#[test]
fn an_agent_that_breaks_on_one_object_is_read_without_it() {
    let mut agent = Agent::open("apc_ap8959eu3");
    agent.broken = Some(oid("1.3.6.1.4.1.318.1.1.26.4.3.1.5.1"));
    let (identified, _) = agent.identify(Options::default());
    assert_eq!(
        identified.profile.as_ref().map(|head| &*head.name),
        Some("apc-rpdu2")
    );
    assert_eq!(
        identified.reading.power_w,
        Some(270.0),
        "from rPDUIdentDevicePowerWatts"
    );
}

#[test]
fn an_agent_that_takes_few_objects_at_once_is_asked_for_few() {
    let mut agent = Agent::open("apc_ap8959eu3");
    agent.most = 5;
    let (identified, _) = agent.identify(Options::default());
    assert_eq!(identified.reading.power_w, Some(270.0));
    assert!(identified.plan.fast.iter().all(|part| part.oids.len() <= 5));
}

#[test]
fn a_silent_device_is_asked_once() {
    let fault = Fault::new(FaultKind::Timeout, "no answer");
    let mut identify = Identify::new(Options::default());
    assert!(matches!(identify.ask(), Next::Ask(_)));
    assert!(matches!(identify.handle(Err(&fault)), Next::GaveUp(_)));
}

/// What a monitor has to say of this device. Values are exact after scaling; what the agent says of the same quantity
/// in another object, read a moment later, is right too.
fn compare(name: &str, expected: &Json, got: &Identified, wrong: &mut Vec<String>) {
    let reading = got.reading.clone().attached();
    let mut differs = |what: &str, want: &Json, have: String| {
        let also = &expected["also_acceptable"][what];
        let fits = |want: &Json| text(want) == have || is_near(want, &have);
        if !fits(want) && !also.as_array().into_iter().flatten().any(fits) {
            wrong.push(format!("{name}: {what}: expected {want}, got {have}"));
        }
    };
    differs("kind", &expected["kind"], got.kind.name().into());
    let profile = got.profile.as_ref().map_or("null", |head| &*head.name);
    if got.kind == Kind::Full {
        differs("family", &expected["family"], profile.into());
    }
    for (field, have) in [
        ("total_power_w", reading.power_w),
        ("total_apparent_va", reading.apparent_va),
        ("current_a", reading.current_a),
        ("voltage_v", reading.voltage_v),
        ("energy_kwh", reading.energy_kwh),
        ("peak_w", reading.peak_w),
    ] {
        differs(field, &expected[field], number(have));
    }
    if let Some(text) = expected["peak_at"]
        .as_str()
        .filter(|_| !expected["peak_w"].is_null())
    {
        let want = match text.parse() {
            Ok(seconds) => Value::Integer(seconds),
            Err(_) => Value::OctetString(text.as_bytes().into()),
        };
        let want = rackwarden_core::pdu::value::time(&want).map(|at| at.0);
        differs(
            "peak_at",
            &want.into(),
            format!("{:?}", reading.peak_at.map_or(0, |at| at.0)),
        );
    }
    let phases = expected["phases"].as_array().expect("a list");
    // A unit with one phase says the same of it as of itself.
    if !phases.is_empty() {
        differs(
            "phases",
            &phases.len().into(),
            reading.phases.len().to_string(),
        );
    }
    for (want, have) in phases.iter().zip(&reading.phases) {
        let named = &expected["also_acceptable"]["phases.power_w"][text(&want["name"])];
        if !named
            .as_array()
            .into_iter()
            .flatten()
            .any(|also| is_near(also, &number(have.power_w)))
        {
            differs("phase W", &want["power_w"], number(have.power_w));
        }
        differs("phase A", &want["current_a"], number(have.current_a));
        differs("phase V", &want["voltage_v"], number(have.voltage_v));
        if !want["apparent_va"].is_null() {
            differs("phase VA", &want["apparent_va"], number(have.apparent_va));
        }
        if !want["energy_kwh"].is_null() {
            differs("phase kWh", &want["energy_kwh"], number(have.energy_kwh));
        }
    }
    let banks = expected["banks"].as_array().expect("a list");
    differs(
        "banks",
        &banks.len().into(),
        reading.banks.len().to_string(),
    );
    for (want, have) in banks.iter().zip(&reading.banks) {
        differs("bank W", &want["power_w"], number(have.power_w));
        differs("bank A", &want["current_a"], number(have.current_a));
        if !want["voltage_v"].is_null() {
            differs("bank V", &want["voltage_v"], number(have.voltage_v));
        }
    }
    let units = expected["units"].as_array().expect("a list");
    differs(
        "units",
        &units.len().into(),
        reading.units.len().to_string(),
    );
    for (want, have) in units.iter().zip(&reading.units) {
        differs("unit W", &want["power_w"], number(have.power_w));
        if !want["apparent_va"].is_null() {
            differs("unit VA", &want["apparent_va"], number(have.apparent_va));
        }
        if !want["energy_kwh"].is_null() {
            differs("unit kWh", &want["energy_kwh"], number(have.energy_kwh));
        }
    }
    compare_outlets(&expected["outlets"], &reading, &mut differs);
    for (what, field, have) in [
        ("temperatures", "temperatures_c", &reading.temperatures),
        ("humidities", "humidities_pct", &reading.humidities),
    ] {
        let want = expected[field].as_array().expect("a list");
        differs(what, &want.len().into(), have.len().to_string());
        for (want, have) in want.iter().zip(have) {
            differs(what, &want["value"], have.value.to_string());
        }
    }
}

fn compare_outlets(
    expected: &Json,
    reading: &Reading,
    differs: &mut impl FnMut(&str, &Json, String),
) {
    let outlets = &reading.outlets;
    let zero = Json::from(0);
    let count = expected["count"]
        .as_u64()
        .map_or(&zero, |_| &expected["count"]);
    differs("outlets", count, outlets.len().to_string());
    if expected["on"].is_u64() {
        let on = outlets
            .iter()
            .filter(|outlet| outlet.on == Some(true))
            .count();
        differs("outlets on", &expected["on"], on.to_string());
    }
    for (want, have) in expected["list"]
        .as_array()
        .into_iter()
        .flatten()
        .zip(outlets)
    {
        if text(&want["index"]).parse::<u16>().is_ok() && reading.units.is_empty() {
            differs("outlet index", &want["index"], have.index.to_string());
        }
        for (field, have) in [
            ("power_w", have.power_w),
            ("current_a", have.current_a),
            ("energy_kwh", have.energy_kwh),
        ] {
            if !want[field].is_null() {
                differs(&format!("outlet {field}"), &want[field], number(have));
            }
        }
        if want["on"].is_boolean() {
            differs(
                "outlet on",
                &want["on"],
                have.on.map_or("null".into(), |on| on.to_string()),
            );
        }
        if want["name"].is_string() {
            differs("outlet name", &want["name"], have.name.to_string());
        }
    }
}

/// The same number, but for how it is rounded.
fn is_near(want: &Json, have: &str) -> bool {
    match (want.as_f64(), have.parse::<f64>()) {
        (Some(want), Ok(have)) => (want - have).abs() <= want.abs() * 1e-6,
        _ => false,
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::Null => "null".into(),
        Json::String(text) => text.clone(),
        Json::Number(number) => number.as_f64().map_or_else(String::new, |n| n.to_string()),
        other => other.to_string(),
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or("null".into(), |number| number.to_string())
}

fn print_row(name: &str, got: &Identified, asks: usize) {
    let reading = &got.reading;
    println!(
        "{name:<24} {:<14} {:>9} {:>7} {:>7} {:>8} {asks:>4}",
        got.profile.as_ref().map_or("-", |head| &*head.name),
        number(reading.power_w),
        number(reading.current_a),
        number(reading.voltage_v),
        number(reading.energy_kwh),
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

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/pdu")
}

fn oid(text: &str) -> Oid {
    text.parse().expect("an OID")
}

/// The smallest agent that can play a recording, with the sins of some firmwares on request.
struct Agent {
    objects: BTreeMap<Oid, Value>,
    broken: Option<Oid>,
    most: usize,
}

impl Agent {
    fn open(name: &str) -> Agent {
        let path = fixtures().join(format!("{name}.snmprec"));
        Agent::read(&std::fs::read(path).expect("a recording"))
    }

    fn of(objects: &[(&str, Value)]) -> Agent {
        Agent {
            objects: objects
                .iter()
                .map(|(text, value)| (oid(text), value.clone()))
                .collect(),
            broken: None,
            most: usize::MAX,
        }
    }

    fn from_text(objects: &BTreeMap<String, Value>) -> Agent {
        let objects: Vec<(&str, Value)> = objects
            .iter()
            .map(|(text, value)| (text.as_str(), value.clone()))
            .collect();
        Agent::of(&objects)
    }

    fn read(bytes: &[u8]) -> Agent {
        let mut agent = Agent::of(&[]);
        for line in bytes.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(3, |byte| *byte == b'|');
            let (Some(id), Some(tag), Some(value)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let id = String::from_utf8_lossy(id);
            agent
                .objects
                .insert(oid(&id), parse(&String::from_utf8_lossy(tag), value));
        }
        agent
    }

    fn identify(&self, options: Options) -> (Identified, usize) {
        let version = options.version;
        let mut identify = Identify::new(options);
        let mut next = identify.ask();
        for asks in 0..200 {
            next = match next {
                Next::Ask(ask) => identify.handle(Ok(&self.answer(&ask, version))),
                Next::Identified(identified) => return (*identified, asks),
                Next::GaveUp(fault) => panic!("gave up: {fault}"),
            };
        }
        panic!("no end of questions");
    }

    fn answer(&self, ask: &SnmpAsk, version: Version) -> SnmpAnswer {
        let (oids, repetitions) = match ask {
            SnmpAsk::Get(oids) | SnmpAsk::GetNext(oids) => (oids, 1),
            SnmpAsk::GetBulk {
                oids,
                max_repetitions,
                ..
            } => (oids, *max_repetitions),
            SnmpAsk::Set(_) => panic!("identification never writes"),
        };
        if oids.len() > self.most {
            return SnmpAnswer::Error {
                status: ErrorStatus::TOO_BIG,
                index: 0,
            };
        }
        let mut binds = Vec::new();
        let mut from: Vec<Oid> = oids.to_vec();
        for _ in 0..repetitions {
            for (position, asked) in from.iter_mut().enumerate() {
                let found = match ask {
                    SnmpAsk::Get(_) => self.objects.get_key_value(asked),
                    _ => self
                        .objects
                        .range(asked.clone()..)
                        .find(|(id, _)| *id > asked),
                };
                if self.broken.is_some() && found.map(|(id, _)| id) == self.broken.as_ref() {
                    return SnmpAnswer::Error {
                        status: ErrorStatus::GEN_ERR,
                        index: 0,
                    };
                }
                let (id, value) = match found {
                    Some((id, value)) => (id.clone(), value.clone()),
                    None if version == Version::V1 => {
                        let index = position as u32 + 1;
                        return SnmpAnswer::Error {
                            status: ErrorStatus::NO_SUCH_NAME,
                            index,
                        };
                    }
                    None if matches!(ask, SnmpAsk::Get(_)) => {
                        (asked.clone(), Value::NoSuchInstance)
                    }
                    None => (asked.clone(), Value::EndOfMibView),
                };
                *asked = id.clone();
                binds.push(VarBind { oid: id, value });
            }
        }
        match ask {
            SnmpAsk::Get(_) => {
                SnmpAnswer::Values(binds.into_iter().map(|bind| bind.value).collect())
            }
            _ => SnmpAnswer::Binds(binds.into()),
        }
    }
}

fn parse(tag: &str, value: &[u8]) -> Value {
    let text = String::from_utf8_lossy(value);
    let number = || text.trim().parse::<i64>().unwrap_or(0);
    match tag {
        "2" => Value::Integer(number()),
        "4" => Value::OctetString(value.into()),
        "4x" => Value::OctetString(
            text.as_bytes()
                .chunks(2)
                .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect(),
        ),
        "6" => Value::ObjectId(oid(&text)),
        "65" => Value::Counter32(number() as u32),
        "66" => Value::Gauge32(number() as u32),
        "67" => Value::TimeTicks(number() as u32),
        "70" => Value::Counter64(number() as u64),
        _ => Value::Null,
    }
}
