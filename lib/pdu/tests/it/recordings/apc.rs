//! What is easy to get wrong with APC's, and with any agent.

use super::agent::{Agent, oid};
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_pdu::Kind;
use rackwarden_pdu::identify::{Identify, Next, Options};
use rackwarden_snmp::Value;
use std::collections::BTreeMap;

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
    assert!(asks <= 20, "{asks} requests");
}

#[test]
fn units_are_told_apart_by_the_number_on_their_display() {
    let of = |modules: &[(u32, u32)]| {
        let mut lines = String::new();
        for (unit, module) in modules {
            lines += &format!(
                "26.4.3.1.1.{unit} {unit}
                 26.4.3.1.2.{unit} {module}
                 26.4.3.1.5.{unit} {module}0
                 26.6.3.1.2.{unit} {module}
                 26.6.3.1.3.{unit} 1
                 26.6.3.1.5.{unit} {module}5
                 26.6.3.1.7.{unit} {module}0\n"
            );
        }
        Agent::below("1.3.6.1.4.1.318.1.1", &lines)
    };
    let alone = of(&[(1, 4)]).reading();
    assert_eq!(
        (alone.power_w, alone.current_a),
        (Some(400.0), Some(4.5)),
        "one unit may be called anything"
    );
    let pair = of(&[(1, 3), (2, 1)]);
    let reading = pair.reading();
    let watts: Vec<_> = reading
        .phases
        .iter()
        .map(|it| it.electric.power_w)
        .collect();
    assert_eq!(watts, [Some(300.0), Some(100.0)]);
    let chosen = |unit| {
        let options = Options {
            unit: Some(unit),
            ..Options::default()
        };
        pair.identify(options).0
    };
    let third = chosen(3).reading;
    assert_eq!((third.power_w, third.current_a), (Some(300.0), Some(3.5)));
    let note = chosen(2).note.expect("a reason");
    assert_eq!(note, "the device has no unit 2, only 3, 1");
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
