//! The JSON answers. A value that is not known is null; a device that does not answer has
//! no current values, only the time of its last ones.

use super::View;
use super::write::Writer;
use crate::config::{Host, Limits};
use crate::pdu::{
    BankReading, Kind, OutletReading, PhaseReading, ProbeReading, Rated, Reading, UnitReading,
};
use crate::snapshot::{PduState, Snapshot, SumView};
use crate::time::Wall;
use std::time::Duration;

/// The version that every answer names: that of this crate, which the agent shares.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// With a PDU to watch the snapshot changes every few seconds, whether the PDU answers or not. One that is
/// older than this many intervals (and than `CORE_SILENCE`) says that the core stands still.
const CORE_INTERVALS: u32 = 5;
const CORE_SILENCE: Duration = Duration::from_secs(10);

/// `/health`: status code and body.
pub fn health(view: &View<'_>) -> (u16, String) {
    let problems = problems(view);
    let mut json = Writer::new(64);
    json.object(|json| {
        json.key("status").text(health_word(&problems));
        if !problems.is_empty() {
            json.key("reasons").array(|json| {
                for problem in &problems {
                    json.text(problem);
                }
            });
        }
    });
    (if problems.is_empty() { 200 } else { 503 }, json.finish())
}

/// What is wrong with the agent itself, its own view and the age of that view together.
pub fn problems(view: &View<'_>) -> Vec<String> {
    let mut problems = view.snapshot.health.problems.clone();
    let patience = (view.snapshot.config.power.interval * CORE_INTERVALS).max(CORE_SILENCE);
    let age = view.now.mono.since(view.snapshot.now.mono);
    let is_watching = view.snapshot.plugins.contains(&"power") && !view.snapshot.pdus.is_empty();
    if is_watching && age > patience {
        problems.push(format!(
            "nothing was measured for {} s: the agent is overloaded or stuck",
            age.as_secs()
        ));
    }
    problems
}

fn health_word(problems: &[String]) -> &'static str {
    if problems.is_empty() { "ok" } else { "failing" }
}

/// `/api/status`.
pub fn status(view: &View<'_>) -> String {
    let snapshot = view.snapshot;
    let counters = &snapshot.counters;
    let problems = problems(view);
    let count = |state| snapshot.pdus.iter().filter(|p| p.state == state).count() as u64;
    let mut json = Writer::new(1024);
    json.object(|json| {
        json.key("name").text(&snapshot.config.name);
        json.key("version").text(VERSION);
        json.key("time").time(Some(view.now.wall));
        json.key("started_at").time(Some(snapshot.started));
        let uptime = view.now.wall.since(snapshot.started).as_secs();
        json.key("uptime_s").integer(uptime);
        json.key("plugins").array(|json| {
            for plugin in &snapshot.plugins {
                json.text(plugin);
            }
        });
        json.key("health").object(|json| {
            json.key("status").text(health_word(&problems));
            json.key("reasons").array(|json| {
                for problem in &problems {
                    json.text(problem);
                }
            });
        });
        json.key("counts").object(|json| {
            let firing = snapshot.alerts.iter().filter(|alert| alert.is_firing());
            for (key, value) in [
                ("pdus", snapshot.pdus.len() as u64),
                ("pdus_ok", count(PduState::Ok)),
                ("pdus_over_limit", count(PduState::OverLimit)),
                ("pdus_stale", count(PduState::Stale)),
                ("pdus_unreachable", count(PduState::Unreachable)),
                ("pdus_unknown", count(PduState::Unknown)),
                ("teams", snapshot.teams.len() as u64),
                ("alerts_firing", firing.count() as u64),
                ("polls_ok", counters.polls_ok),
                ("polls_failed", counters.polls_failed),
                ("polls_overrun", counters.polls_overrun),
                ("messages_sent", counters.messages_sent),
                ("messages_failed", counters.messages_failed),
                ("messages_queued", counters.messages_queued),
                ("commands", counters.commands),
                ("commands_refused", counters.refused),
                ("journal_records", counters.journal_records),
            ] {
                json.key(key).integer(value);
            }
        });
    });
    json.finish()
}

/// `/api/power`.
pub fn power(view: &View<'_>) -> String {
    let snapshot = view.snapshot;
    let mut json = Writer::new(512 + snapshot.pdus.len() * 640);
    json.object(|json| {
        json.key("time").time(Some(snapshot.now.wall));
        let total = snapshot.site.as_ref().and_then(|site| site.power_w);
        json.key("total_power_w").number(total);
        json.key("pdus").array(|json| {
            for index in 0..snapshot.pdus.len() {
                pdu_at(json, view, index);
            }
        });
        json.key("teams").array(|json| {
            for (team, sum) in snapshot.config.teams.iter().zip(&snapshot.teams) {
                json.object(|json| {
                    json.key("name").text(&team.name);
                    json.key("power_w").number(sum.power_w);
                    let limit = limit_w(&team.limits);
                    json.key("limit_w").number(limit);
                    json.key("headroom_w").number(sum_headroom(sum, limit));
                    json.key("limit_in_s").number(seconds(sum.limit_in_s));
                    json.key("state").text(sum.state.name());
                    missing(json, snapshot, sum);
                });
            }
        });
        json.key("site");
        site(json, snapshot);
    });
    json.finish()
}

/// `/api/power/{name}`; `None` when there is no such PDU.
pub fn pdu(view: &View<'_>, name: &str) -> Option<String> {
    let pdus = &view.snapshot.config.pdus;
    let index = pdus.iter().position(|pdu| &*pdu.name == name)?;
    let mut json = Writer::new(1024);
    pdu_at(&mut json, view, index);
    Some(json.finish())
}

/// `/api/alerts`.
pub fn alerts(view: &View<'_>) -> String {
    let mut json = Writer::new(256 + view.snapshot.alerts.len() * 320);
    json.object(|json| {
        json.key("time").time(Some(view.snapshot.now.wall));
        json.key("alerts").array(|json| {
            for alert in view.snapshot.alerts.iter() {
                json.object(|json| {
                    json.key("number").integer(u64::from(alert.number));
                    json.key("name").text(&alert.name);
                    json.key("state").text(alert.state.name());
                    json.key("severity").text(alert.severity.name());
                    json.key("summary").text(&alert.summary);
                    json.key("since").time(Some(alert.since));
                    json.key("value").number(alert.value);
                    json.key("worst").number(alert.worst);
                    json.key("unit").text(alert.unit);
                    json.key("muted_until").time(alert.muted_until);
                    let by = alert.acknowledged_by.as_deref();
                    json.key("acknowledged_by").text_or_null(by);
                    json.key("flapping").boolean(alert.is_flapping);
                    let source = alert.inhibited_by.as_deref();
                    json.key("inhibited_by").text_or_null(source);
                });
            }
        });
    });
    json.finish()
}

/// One answer to `probe`: a device that is not configured.
#[derive(Debug)]
pub struct Probed<'a> {
    /// Where it was found, `HOST` or `HOST:PORT`.
    pub address: &'a str,
    /// The profile that was used.
    pub profile: Option<&'a str>,
    /// When it was read.
    pub time: Wall,
    /// When it was last restarted.
    pub restarted_at: Option<Wall>,
    /// Its readings.
    pub reading: &'a Reading,
    /// When its peak was, in our time.
    pub peak_time: Option<Wall>,
    /// Vendor in words.
    pub vendor: Option<&'a str>,
    /// Model as the device tells it.
    pub model: Option<&'a str>,
    /// `sysObjectID` in dotted form.
    pub sys_object_id: Option<&'a str>,
    /// `sysDescr`.
    pub sys_descr: Option<&'a str>,
    /// What sort of device it is.
    pub kind: Kind,
}

/// What `probe --json` prints: like an element of `pdus`, without `name`, `team` and `limit_w`, with what
/// the device says it is, and with all that it measures.
pub fn reading_object(probed: &Probed<'_>) -> String {
    let reading = probed.reading;
    let state = match reading.power_w {
        Some(_) => PduState::Ok,
        None => PduState::Unknown,
    };
    let mut json = Writer::new(1024);
    json.object(|json| {
        json.key("address").text(probed.address);
        json.key("profile").text_or_null(probed.profile);
        for (key, value) in [
            ("vendor", probed.vendor),
            ("model", probed.model),
            ("sys_object_id", probed.sys_object_id),
            ("sys_descr", probed.sys_descr),
        ] {
            json.key(key).text_or_null(value);
        }
        json.key("kind").text(probed.kind.name());
        json.key("state").text(state.name());
        json.key("time").time(Some(probed.time));
        json.key("age_s").integer(0);
        json.key("restarted_at").time(probed.restarted_at);
        json.key("power_w").number(reading.power_w);
        json.key("apparent_va").number(reading.apparent_va);
        factor(json, reading.power_factor);
        json.key("current_a").number(reading.current_a);
        json.key("voltage_v").number(reading.voltage_v);
        rating(json, reading.rating_a);
        json.key("rating_w").number(reading.rating_w.map(f64::from));
        json.key("breaker");
        breaker(json, reading.nearest_rated());
        json.key("peak_w").number(reading.peak_w);
        json.key("peak_time").time(probed.peak_time);
        json.key("energy_kwh").number(reading.energy_kwh);
        parts(
            json,
            &reading.phases,
            &reading.outlets,
            &reading.temperatures,
        );
        more_parts(json, reading);
    });
    json.finish()
}

/// What only a probe shows.
fn more_parts(json: &mut Writer, reading: &Reading) {
    json.key("humidities").array(|json| {
        for probe in &reading.humidities {
            json.object(|json| {
                json.key("name").text(&probe.name);
                json.key("relative_humidity_percent")
                    .number(Some(probe.value));
            });
        }
    });
    json.key("banks").array(|json| {
        for bank in &reading.banks {
            json.object(|json| bank_members(json, bank));
        }
    });
    json.key("units").array(|json| {
        for unit in &reading.units {
            json.object(|json| unit_members(json, unit));
        }
    });
}

fn bank_members(json: &mut Writer, bank: &BankReading) {
    json.key("index").integer(u64::from(bank.index));
    let name = Some(&*bank.name).filter(|name| !name.is_empty());
    json.key("name").text_or_null(name);
    json.key("current_a").number(bank.electric.current_a);
    json.key("voltage_v").number(bank.electric.voltage_v);
    json.key("power_w").number(bank.electric.power_w);
    json.key("apparent_va").number(bank.electric.apparent_va);
    json.key("energy_kwh").number(bank.electric.energy_kwh);
    factor(json, bank.electric.power_factor);
    rating(json, bank.rating_a);
}

fn unit_members(json: &mut Writer, unit: &UnitReading) {
    json.key("index").integer(u64::from(unit.index));
    json.key("power_w").number(unit.electric.power_w);
    json.key("apparent_va").number(unit.electric.apparent_va);
    factor(json, unit.electric.power_factor);
    json.key("energy_kwh").number(unit.electric.energy_kwh);
    json.key("current_a").number(unit.electric.current_a);
    json.key("voltage_v").number(unit.electric.voltage_v);
}

fn pdu_at(json: &mut Writer, view: &View<'_>, index: usize) {
    let snapshot = view.snapshot;
    let (Some(pdu), Some(config)) = (snapshot.pdus.get(index), snapshot.config.pdus.get(index))
    else {
        return;
    };
    let team = snapshot.team_name(index);
    let power_w = pdu.live(pdu.power_w);
    let limit = limit_w(&pdu.limits(config));
    json.object(|json| {
        json.key("name").text(&config.name);
        json.key("team").text_or_null(team);
        json.key("address").text(&address(&config.host));
        let profile = pdu.profile.as_ref().map(|head| &*head.name);
        json.key("profile").text_or_null(profile);
        json.key("state").text(pdu.state.name());
        json.key("reason").text_or_null(pdu.reason.as_deref());
        json.key("time").time(pdu.read.map(|(_, wall)| wall));
        json.key("age_s").number(view.age_s(pdu));
        json.key("restarted_at").time(pdu.restarted_at);
        json.key("power_w").number(power_w);
        json.key("apparent_va").number(pdu.live(pdu.apparent_va));
        factor(json, pdu.power_factor.filter(|_| pdu.is_live()));
        json.key("current_a").number(pdu.live(pdu.current_a));
        json.key("voltage_v").number(pdu.live(pdu.voltage_v));
        json.key("limit_w").number(limit);
        let source = match pdu.device_limit_w {
            Some(_) if config.device_limit => "device",
            _ => "configuration",
        };
        json.key("limit_source").text_or_null(limit.map(|_| source));
        json.key("headroom_w").number(difference(limit, power_w));
        json.key("rating_w").number(pdu.rating_w.map(f64::from));
        json.key("breaker");
        breaker(json, pdu.live_rated());
        json.key("limit_in_s")
            .number(power_w.and(seconds(pdu.limit_in_s)));
        json.key("peak_w").number(pdu.peak_w);
        json.key("peak_time").time(pdu.peak_time);
        json.key("energy_kwh").number(pdu.energy_kwh);
        let (phases, outlets, temperatures) = if pdu.is_live() {
            snapshot.parts(pdu)
        } else {
            Default::default()
        };
        parts(json, phases, outlets, temperatures);
    });
}

fn parts(
    json: &mut Writer,
    phases: &[PhaseReading],
    outlets: &[OutletReading],
    temperatures: &[ProbeReading],
) {
    json.key("phases").array(|json| {
        for phase in phases {
            json.object(|json| {
                json.key("index").integer(u64::from(phase.index));
                json.key("power_w").number(phase.electric.power_w);
                json.key("current_a").number(phase.electric.current_a);
                json.key("voltage_v").number(phase.electric.voltage_v);
                json.key("apparent_va").number(phase.electric.apparent_va);
                json.key("energy_kwh").number(phase.electric.energy_kwh);
                factor(json, phase.electric.power_factor);
                rating(json, phase.rating_a);
            });
        }
    });
    json.key("outlets").array(|json| {
        for outlet in outlets {
            json.object(|json| {
                json.key("index").integer(u64::from(outlet.index));
                let name = Some(&*outlet.name).filter(|name| !name.is_empty());
                json.key("name").text_or_null(name);
                let state = outlet.on.map(|on| if on { "on" } else { "off" });
                json.key("state").text_or_null(state);
                json.key("power_w").number(outlet.electric.power_w);
                json.key("current_a").number(outlet.electric.current_a);
                factor(json, outlet.electric.power_factor);
                json.key("energy_kwh").number(outlet.electric.energy_kwh);
            });
        }
    });
    json.key("temperatures").array(|json| {
        for probe in temperatures {
            json.object(|json| {
                json.key("name").text(&probe.name);
                json.key("temperature_celsius").number(Some(probe.value));
            });
        }
    });
}

fn rating(json: &mut Writer, rating_a: Option<f32>) {
    json.key("rating_a").number(rating_a.map(f64::from));
}

fn breaker(json: &mut Writer, rated: Option<Rated>) {
    let Some(rated) = rated else {
        return json.number(None);
    };
    json.object(|json| {
        json.key("part").text(rated.part.name());
        let index = rated.part.index();
        json.key("index").number(index.map(f64::from));
        json.key("rating_a").number(Some(rated.rating_a.into()));
        json.key("current_a").number(Some(rated.current_a.into()));
        json.key("left_a").number(Some(rated.left_a()));
    });
}

fn factor(json: &mut Writer, factor: Option<f32>) {
    json.key("power_factor").number(factor.map(f64::from));
}

fn site(json: &mut Writer, snapshot: &Snapshot) {
    let limits = &snapshot.config.power.site;
    let nothing = SumView::default();
    let sum = snapshot.site.as_ref().unwrap_or(&nothing);
    let soft = limits.soft.map(|limit| limit.on_w);
    let hard = limits.hard.map(|limit| limit.on_w);
    json.object(|json| {
        json.key("power_w").number(sum.power_w);
        json.key("soft_limit_w").number(soft);
        json.key("soft_headroom_w").number(sum_headroom(sum, soft));
        json.key("hard_limit_w").number(hard);
        json.key("hard_headroom_w").number(sum_headroom(sum, hard));
        let nearest = limit_w(limits);
        json.key("headroom_w").number(sum_headroom(sum, nearest));
        json.key("limit_in_s").number(seconds(sum.limit_in_s));
        json.key("state").text(sum.state.name());
        missing(json, snapshot, sum);
    });
}

fn missing(json: &mut Writer, snapshot: &Snapshot, sum: &SumView) {
    json.key("missing").array(|json| {
        for &index in sum.missing.iter() {
            if let Some(pdu) = snapshot.config.pdus.get(index as usize) {
                json.text(&pdu.name);
            }
        }
    });
}

/// The limit that one number has to stand for: the hard one, else the soft one, in watts.
pub fn limit_w(limits: &Limits) -> Option<f64> {
    limits.hard.or(limits.soft).map(|limit| limit.on_w)
}

/// Watts between a sum and its limit. A sum with a missing member is a lower bound, so what is left below
/// the limit is not known; that it is above is.
pub fn sum_headroom(sum: &SumView, limit: Option<f64>) -> Option<f64> {
    difference(limit, sum.power_w).filter(|left| sum.missing.is_empty() || *left <= 0.0)
}

/// A prediction is not exact to the millisecond.
fn seconds(seconds: Option<f32>) -> Option<f64> {
    seconds.map(|seconds| f64::from(seconds.round()))
}

fn difference(limit: Option<f64>, power: Option<f64>) -> Option<f64> {
    Some(limit? - power?)
}

/// `HOST`, or `HOST:PORT` where the port is not SNMP's.
pub fn address(host: &Host) -> String {
    const SNMP: u16 = 161;
    match host {
        Host::Ip(address) if address.port() == SNMP => address.ip().to_string(),
        Host::Ip(address) => address.to_string(),
        Host::Name(name, SNMP) => name.to_string(),
        Host::Name(name, port) => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Sample};
    use super::super::schema::mismatch;
    use super::super::shapes::{ALERTS, FAILING, HEALTH, PDU, POWER, STATUS};
    use super::*;
    use crate::pdu::Electric;
    use serde_json::Value;

    fn parsed(text: String) -> Value {
        serde_json::from_str(&text).expect("valid JSON")
    }

    #[test]
    fn every_body_has_the_shape_that_its_schema_tells() {
        for kind in Sample::ALL {
            let snapshot = sample::snapshot(kind);
            let view = View::new(&snapshot, snapshot.now);
            let name = snapshot.config.pdus.first().map(|pdu| pdu.name.to_string());
            let (code, health) = health(&view);
            let health_schema = if code == 200 { HEALTH } else { FAILING };
            let mut bodies = vec![
                (health_schema, health),
                (STATUS, status(&view)),
                (POWER, power(&view)),
                (ALERTS, alerts(&view)),
            ];
            bodies.extend(name.and_then(|name| Some((PDU, pdu(&view, &name)?))));
            for (schema, body) in bodies {
                assert_eq!(mismatch(&schema, &parsed(body), ""), None, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_pdu_below_its_limit_tells_its_headroom() {
        let snapshot = sample::snapshot(Sample::Normal);
        let view = View::new(&snapshot, snapshot.now);
        let pdu = parsed(pdu(&view, "alpha").expect("alpha"));
        assert_eq!(pdu["state"], "ok");
        assert_eq!(pdu["team"], "Team Alpha");
        assert_eq!(pdu["power_w"].to_string(), "1967.7");
        assert_eq!(pdu["limit_w"].to_string(), "3000");
        assert_eq!(pdu["headroom_w"].to_string(), "1032.3");
        assert_eq!(pdu["address"], "192.168.1.101");
        assert!(super::pdu(&view, "nobody").is_none());
    }

    #[test]
    fn what_does_not_answer_has_no_current_values_and_is_missing_in_sums() {
        let snapshot = sample::snapshot(Sample::Unreachable);
        let view = View::new(&snapshot, snapshot.now);
        let power = parsed(power(&view));
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
    fn health_tells_a_core_that_stands_still() {
        let snapshot = sample::snapshot(Sample::Normal);
        let mut view = View::new(&snapshot, snapshot.now);
        assert_eq!(health(&view), (200, r#"{"status":"ok"}"#.to_owned()));
        view.now.mono += Duration::from_secs(11);
        let (code, body) = health(&view);
        assert_eq!(code, 503);
        assert!(body.contains("for 11 s"), "{body}");
        let empty = sample::snapshot(Sample::Empty);
        let mut view = View::new(&empty, empty.now);
        view.now.mono += Duration::from_secs(3600);
        assert_eq!(health(&view).0, 200);
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
}
