//! What is easy to get wrong with Eaton's.

use super::agent::Agent;
use rackwarden_pdu::identify::Options;
use rackwarden_snmp::Value;

const EPDU: &str = "1.3.6.1.4.1.534.6.6.7";

#[test]
fn strapped_units_are_numbered_from_0_and_summed() {
    let agent = Agent::below(
        EPDU,
        "3.1.1.2.0.1 1
         3.1.1.2.1.1 1
         3.5.1.4.0.1 1500
         3.5.1.4.1.1 700
         3.5.1.5.0.1 2000
         3.5.1.5.1.1 500
         3.3.1.4.0.1.1 6500
         3.3.1.4.1.1.1 3000
         6.6.1.2.0.1 1
         6.6.1.2.1.1 3",
    );
    let identified = agent.identified();
    let reading = &identified.reading;
    assert_eq!(reading.power_w, Some(2200.0));
    assert_eq!(reading.energy_kwh, Some(2.5));
    assert_eq!(reading.current_a, None);
    let of_units: Vec<_> = reading
        .units
        .iter()
        .map(|unit| unit.electric.power_w)
        .collect();
    assert_eq!(of_units, [Some(1500.0), Some(700.0)]);
    let states: Vec<_> = reading.outlets.iter().map(|outlet| outlet.on).collect();
    assert_eq!(states, [Some(true), Some(false)], "waiting to go on is off");
    let switch = identified.plan.switches[1]
        .as_ref()
        .expect("it can be switched");
    assert_eq!(switch.off.oid.to_string(), format!("{EPDU}.6.6.1.3.1.1"));
    assert_eq!(switch.off.value, Value::Integer(0), "a delay of no seconds");
    assert_eq!(identified.plan.energy_reset.len(), 2);
    assert_eq!(identified.plan.energy_reset[0].value, Value::Gauge32(0));
    let (second, _) = agent.identify(Options {
        unit: Some(1),
        ..Options::default()
    });
    assert_eq!(second.reading.power_w, Some(700.0));
}

#[test]
fn older_firmware_has_the_total_in_the_row_behind_the_phases() {
    let mut lines = "3.1.1.2.0.1 4\n".to_owned();
    for (row, meaning, watts) in [(1, 1, 100), (2, 2, 200), (3, 3, 300), (4, 4, 601)] {
        lines += &format!("3.4.1.2.0.1.{row} {meaning}\n3.4.1.4.0.1.{row} {watts}\n");
    }
    let reading = Agent::below(EPDU, &lines).reading();
    assert_eq!(reading.power_w, Some(601.0));
    assert_eq!(reading.phases.len(), 3);
}

#[test]
fn a_neutral_in_front_moves_no_phase() {
    let mut lines = "3.1.1.2.0.1 4\n3.5.1.4.0.1 3000\n".to_owned();
    for (row, meaning, current) in [(1, 2, 900), (2, 3, 4000), (3, 4, 5000), (4, 5, 6000)] {
        lines += &format!("3.3.1.2.0.1.{row} {meaning}\n3.3.1.4.0.1.{row} {current}\n");
    }
    for (row, meaning) in [(1, 5), (2, 6), (3, 7)] {
        lines += &format!("3.2.1.2.0.1.{row} {meaning}\n3.2.1.3.0.1.{row} 40{row}000\n");
    }
    let reading = Agent::below(EPDU, &lines).reading();
    let phases: Vec<_> = reading
        .phases
        .iter()
        .map(|phase| {
            (
                phase.index,
                phase.electric.current_a,
                phase.electric.voltage_v,
            )
        })
        .collect();
    assert_eq!(
        phases,
        [
            (1, Some(4.0), Some(401.0)),
            (2, Some(5.0), Some(402.0)),
            (3, Some(6.0), Some(403.0))
        ]
    );
    assert_eq!((reading.current_a, reading.voltage_v), (None, None));
}

#[test]
fn probes_are_read_in_the_scale_of_their_unit_when_they_are_there() {
    let reading = Agent::below(
        EPDU,
        "1.2.1.9.0 1
         3.1.1.2.0.1 1
         3.5.1.4.0.1 50
         7.1.1.3.0.1 1
         7.1.1.4.0.1 770
         7.1.1.3.0.2 0
         7.1.1.4.0.2 0
         7.2.1.3.0.1 1
         7.2.1.4.0.1 455",
    )
    .reading();
    let values: Vec<f64> = reading
        .temperatures
        .iter()
        .map(|probe| probe.value)
        .collect();
    assert_eq!(values, [25.0]);
    assert_eq!(reading.humidities[0].value, 45.5);
}

#[test]
fn the_first_generation_counts_its_outlets_from_0() {
    let reading = Agent::below(
        "1.3.6.1.4.1.534.6.6.6.1",
        "2.2.1.3.0 1
         2.2.1.4.0 450
         2.2.1.7.0 98
         2.2.1.3.1 0
         2.2.1.4.1 0
         2.2.1.7.1 0",
    )
    .reading();
    let outlets: Vec<_> = reading
        .outlets
        .iter()
        .map(|outlet| (outlet.index, outlet.on, outlet.electric.power_w))
        .collect();
    assert_eq!(
        outlets,
        [(0, Some(true), Some(98.0)), (1, Some(false), Some(0.0))]
    );
    assert_eq!(reading.power_w, Some(98.0), "no object tells the total");
}

#[test]
fn the_command_of_an_outlet_stands_behind_the_one_for_all() {
    let agent = Agent::below(
        "1.3.6.1.4.1.20677.1.5",
        "1.2.1.0 \"second\"
         3.1.0 1
         3.2.0 2",
    );
    let identified = agent.identified();
    let outlets = &identified.reading.outlets;
    assert_eq!((outlets.len(), outlets[1].on), (2, Some(false)));
    assert_eq!(&*outlets[1].name, "second");
    let switch = identified.plan.switches[1].as_ref().expect("a switch");
    assert_eq!(switch.on.oid.to_string(), "1.3.6.1.4.1.20677.1.5.2.3.0");
    assert_eq!(switch.state.to_string(), "1.3.6.1.4.1.20677.1.5.3.2.0");
}

#[test]
fn transformers_that_are_not_there_are_no_banks() {
    let reading = Agent::below(
        "1.3.6.1.4.1.17373.3.2",
        "1.0 31
         2.0 -1
         3.0 0",
    )
    .reading();
    let banks: Vec<_> = reading
        .banks
        .iter()
        .map(|bank| bank.electric.current_a)
        .collect();
    assert_eq!(banks, [Some(3.1), Some(0.0)]);
    assert_eq!((reading.current_a, reading.power_w), (None, None));
}

#[test]
fn a_card_that_shares_its_objects_with_another_maker_is_named_eaton() {
    let identified = Agent::below(
        "1.3.6.1.4.1.534.7.1",
        "1.2.1.7.1 \"EMSV0001\"
         2.1.1.5.1 1200
         2.1.1.11.1 530",
    )
    .identified();
    assert_eq!(identified.vendor.as_deref(), Some("Eaton"));
    assert_eq!(identified.model.as_deref(), Some("EMSV0001"));
    assert_eq!(identified.reading.power_w, Some(1200.0));
    assert_eq!(identified.reading.current_a, Some(5.3));
}
