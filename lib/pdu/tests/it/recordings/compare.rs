//! Compares a reading with what was expected of the recording.

use rackwarden_pdu::identify::Identified;
use rackwarden_pdu::{Kind, Reading};
use rackwarden_snmp::Value;
use serde_json::Value as Json;

/// What a monitor has to say of this device. Values are exact after scaling; what the agent says of the same quantity
/// in another object, read a moment later, is right too.
pub(crate) fn compare(name: &str, expected: &Json, got: &Identified, wrong: &mut Vec<String>) {
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
        let want = rackwarden_pdu::value::time(&want).map(|at| at.0);
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
            .any(|also| is_near(also, &number(have.electric.power_w)))
        {
            differs("phase W", &want["power_w"], number(have.electric.power_w));
        }
        differs(
            "phase A",
            &want["current_a"],
            number(have.electric.current_a),
        );
        differs(
            "phase V",
            &want["voltage_v"],
            number(have.electric.voltage_v),
        );
        if !want["apparent_va"].is_null() {
            differs(
                "phase VA",
                &want["apparent_va"],
                number(have.electric.apparent_va),
            );
        }
        if !want["energy_kwh"].is_null() {
            differs(
                "phase kWh",
                &want["energy_kwh"],
                number(have.electric.energy_kwh),
            );
        }
    }
    let banks = expected["banks"].as_array().expect("a list");
    differs(
        "banks",
        &banks.len().into(),
        reading.banks.len().to_string(),
    );
    for (want, have) in banks.iter().zip(&reading.banks) {
        differs("bank W", &want["power_w"], number(have.electric.power_w));
        differs(
            "bank A",
            &want["current_a"],
            number(have.electric.current_a),
        );
        if !want["voltage_v"].is_null() {
            differs(
                "bank V",
                &want["voltage_v"],
                number(have.electric.voltage_v),
            );
        }
    }
    let units = expected["units"].as_array().expect("a list");
    differs(
        "units",
        &units.len().into(),
        reading.units.len().to_string(),
    );
    for (want, have) in units.iter().zip(&reading.units) {
        differs("unit W", &want["power_w"], number(have.electric.power_w));
        if !want["apparent_va"].is_null() {
            differs(
                "unit VA",
                &want["apparent_va"],
                number(have.electric.apparent_va),
            );
        }
        if !want["energy_kwh"].is_null() {
            differs(
                "unit kWh",
                &want["energy_kwh"],
                number(have.electric.energy_kwh),
            );
        }
    }
    // Nothing is expected of its outlets, but it has them: `small_makers` says which.
    if !name.starts_with("rittal") {
        compare_outlets(&expected["outlets"], &reading, &mut differs);
    }
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
            ("power_w", have.electric.power_w),
            ("current_a", have.electric.current_a),
            ("energy_kwh", have.electric.energy_kwh),
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

pub(crate) fn text(value: &Json) -> String {
    match value {
        Json::Null => "null".into(),
        Json::String(text) => text.clone(),
        Json::Number(number) => number.as_f64().map_or_else(String::new, |n| n.to_string()),
        other => other.to_string(),
    }
}

pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or("null".into(), |number| number.to_string())
}
