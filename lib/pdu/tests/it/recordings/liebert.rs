//! What is easy to get wrong with Liebert's, which all have one sysObjectID.

use super::agent::{Agent, oid};
use rackwarden_pdu::Kind;
use rackwarden_snmp::Value;

const GP: &str = "1.3.6.1.4.1.476.1.42.3";

fn agent(lines: &str) -> Agent {
    let mut agent = Agent::below(GP, lines);
    let id = Value::ObjectId(oid("1.3.6.1.4.1.476.1.42"));
    agent.objects.insert(oid("1.3.6.1.2.1.1.2.0"), id);
    agent
}

#[test]
fn a_floor_pdu_tells_kilowatts() {
    let floor = "5.2.2.1.8.1 131\n5.2.3.1.5.1.1 118\n5.2.3.1.6.1.1 389\n5.2.3.1.5.1.2 118\n5.2.3.1.6.1.2 390";
    let identified = agent(floor).identified();
    assert_eq!(identified.reading.power_w, Some(131_000.0));
    assert_eq!(identified.reading.phases[1].electric.current_a, Some(390.0));
    assert_eq!(identified.reading.current_a, None);
}

#[test]
fn a_ups_that_answers_the_same_is_no_pdu() {
    for battery in ["5.1.18.0 45", "5.1.19.0 98"] {
        let ups = agent(&format!("5.2.2.1.8.1 13100\n{battery}"));
        assert_eq!(ups.identified().kind, Kind::NotAPdu);
    }
}

#[test]
fn sources_are_units_and_lines_without_a_neutral_are_read_between_lines() {
    let reading = agent(
        "8.30.20.1.25.1.1 3
         8.30.20.1.65.1.1 1200
         8.30.20.1.25.2.1 4
         8.30.20.1.65.2.1 800
         8.30.40.1.19.1.1.1 0
         8.30.40.1.21.1.1.1 31
         8.30.40.1.61.1.1.1 2081
         8.30.40.1.63.1.1.1 0
         8.30.40.1.64.1.1.1 610
         8.30.40.1.19.2.1.1 1201
         8.30.40.1.21.2.1.1 65
         8.30.40.1.22.2.1.1 652
         8.30.40.1.63.2.1.1 800",
    )
    .reading();
    assert_eq!(reading.power_w, Some(2000.0));
    assert_eq!(reading.units.len(), 2);
    let phases: Vec<_> = reading
        .phases
        .iter()
        .map(|phase| {
            (
                phase.electric.voltage_v,
                phase.electric.current_a,
                phase.electric.power_w,
            )
        })
        .collect();
    assert_eq!(
        phases,
        [
            (Some(208.1), Some(3.1), Some(610.0)),
            (Some(120.1), Some(6.52), Some(800.0))
        ]
    );
}
