use super::*;
use crate::pdu::{Electric, Reading};
use crate::sim::sample::{self, Sample};
use crate::snapshot::View;
use serde_json::Value;

fn parsed(text: String) -> Value {
    serde_json::from_str(&text).expect("valid JSON")
}

fn body(kind: Sample, path: &str, name: &str) -> Option<Value> {
    let snapshot = sample::snapshot(kind);
    let seen = Seen::new(&snapshot, snapshot.now);
    let view = snapshot.of::<PowerView>().expect("a view");
    view.body(&seen, path, name).ok().map(parsed)
}

#[test]
fn a_pdu_below_its_limit_tells_its_headroom() {
    let of = |name| body(Sample::Normal, "/api/power/{name}", name);
    let pdu = of("alpha").expect("alpha");
    assert_eq!(pdu["state"], "ok");
    assert_eq!(pdu["team"], "Team Alpha");
    assert_eq!(pdu["power_w"].to_string(), "1967.7");
    assert_eq!(pdu["limit_w"].to_string(), "3000");
    assert_eq!(pdu["headroom_w"].to_string(), "1032.3");
    assert_eq!(pdu["address"], "192.168.1.101");
    assert!(of("nobody").is_none());
}

#[test]
fn what_does_not_answer_has_no_current_values_and_is_missing_in_sums() {
    let power = body(Sample::Unreachable, "/api/power", "").expect("a body");
    let bravo = &power["pdus"][1];
    assert_eq!(bravo["state"], "unreachable");
    for key in ["power_w", "apparent_va", "current_a", "headroom_w"] {
        assert_eq!(bravo[key], Value::Null, "{key}");
    }
    assert!(bravo["age_s"].as_f64() > Some(10.0));
    assert_ne!(bravo["time"], Value::Null);
    assert_eq!(power["teams"][0]["missing"], serde_json::json!(["bravo"]));
    assert_eq!(power["teams"][0]["headroom_w"], Value::Null);
    assert_eq!(power["total_power_w"], power["site"]["power_w"]);
}

#[test]
fn a_probed_device_is_an_element_without_a_name() {
    let reading = Reading {
        power_w: Some(270.0),
        phases: vec![PhaseReading {
            index: 1,
            rating_a: Some(16.0),
            electric: Electric {
                power_w: Some(270.0),
                power_factor: Some(0.98),
                ..Electric::default()
            },
        }],
        banks: vec![BankReading {
            index: 2,
            name: "B2".into(),
            rating_a: None,
            electric: Electric {
                voltage_v: Some(229.7),
                energy_kwh: Some(12.5),
                ..Electric::default()
            },
        }],
        units: vec![UnitReading {
            index: 1,
            electric: Electric {
                energy_kwh: Some(7.5),
                ..Electric::default()
            },
        }],
        humidities: vec![ProbeReading {
            name: "rack".into(),
            value: 41.0,
        }],
        ..Reading::default()
    };
    let object = parsed(reading_object(&Probed {
        address: "10.0.0.1",
        profile: Some("apc-rpdu2"),
        time: Wall(0),
        restarted_at: None,
        reading: &reading,
        peak_time: None,
        vendor: Some("APC"),
        model: None,
        sys_object_id: None,
        sys_descr: Some("x"),
        kind: Kind::Full,
    }));
    for key in ["name", "team", "limit_w"] {
        assert!(object.get(key).is_none(), "{key}");
    }
    assert_eq!(object["power_w"].to_string(), "270");
    assert_eq!(object["kind"], "full");
    assert_eq!(object["phases"][0]["current_a"], Value::Null);
    assert_eq!(object["phases"][0]["apparent_va"], Value::Null);
    assert_eq!(object["phases"][0]["power_factor"].to_string(), "0.98");
    assert_eq!(object["power_factor"], Value::Null);
    assert_eq!(object["banks"][0]["name"], "B2");
    assert_eq!(object["banks"][0]["voltage_v"].to_string(), "229.7");
    assert_eq!(object["banks"][0]["energy_kwh"].to_string(), "12.5");
    assert_eq!(object["phases"][0]["energy_kwh"], Value::Null);
    assert_eq!(object["units"][0]["energy_kwh"].to_string(), "7.5");
    let humidity = &object["humidities"][0];
    assert_eq!(humidity["name"], "rack");
    assert_eq!(humidity["relative_humidity_percent"].to_string(), "41");
}
