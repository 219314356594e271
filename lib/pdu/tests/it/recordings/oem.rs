//! What is easy to get wrong with Enlogic's, and those that others sell (APC, Panduit, HPE), and with generic MIBs.

use super::agent::{Agent, oid};
use rackwarden_pdu::Kind;
use rackwarden_pdu::identify::Options;
use rackwarden_snmp::{Value, VarBind};

const ENLOGIC: &str = "1.3.6.1.4.1.38446.1";

fn resets(binds: &[VarBind]) -> Vec<String> {
    binds.iter().map(|bind| bind.oid.to_string()).collect()
}

#[test]
fn rows_from_phase_to_phase_are_not_counted_again() {
    let mut lines = "2.4.1.4.1 -1\n 2.4.1.6.1 900\n".to_owned();
    for row in 1..=6 {
        lines += &format!(
            "3.4.1.1.1.{row} {row}
             3.4.1.5.1.{row} 100
             3.4.1.6.1.{row} 208
             3.4.1.7.1.{row} 10{row}\n"
        );
    }
    let mut agent = Agent::below(ENLOGIC, &lines);
    // An outlet's state decides where the unit does not know its power.
    agent
        .objects
        .insert(oid(&format!("{ENLOGIC}.5.4.1.4.1.1")), Value::Integer(1));
    let reading = agent.reading();
    assert_eq!(reading.phases.len(), 3);
    assert_eq!(reading.power_w, Some(306.0));
}

#[test]
fn each_version_of_the_mib_has_its_own_columns_for_resets() {
    let common = "2.4.1.4.1 800\n 2.4.1.6.1 900\n";
    let first = format!("{common} 2.2.1.14.1 1\n 2.2.1.15.1 1\n 2.2.1.16.1 1");
    let first = Agent::below(ENLOGIC, &first).identified().plan;
    assert_eq!(resets(&first.peak_reset), [format!("{ENLOGIC}.2.2.1.14.1")]);
    assert_eq!(
        resets(&first.energy_reset),
        [format!("{ENLOGIC}.2.2.1.15.1")]
    );
    let second = format!("{common} 2.2.1.14.1 \"F0 0 1 2 3\"\n 2.2.1.15.1 1\n 2.2.1.16.1 1");
    let second = Agent::below(ENLOGIC, &second).identified().plan;
    assert_eq!(
        resets(&second.peak_reset),
        [format!("{ENLOGIC}.2.2.1.15.1")]
    );
    assert_eq!(
        resets(&second.energy_reset),
        [format!("{ENLOGIC}.2.2.1.16.1")]
    );
}

#[test]
fn a_chain_that_begins_with_unit_0_has_neutrals_and_degrees_of_its_own() {
    let base = "1.3.6.1.4.1.232.165.7";
    let mut lines = String::new();
    for unit in 0..=1 {
        lines += &format!("2.1.1.5.{unit} 50{unit}\n 4.1.1.1.{unit} {}\n", unit + 1);
        for (row, wire) in [(1, 3), (2, 4), (3, 5), (4, 2)] {
            lines += &format!(
                "2.2.1.9.{unit}.{row} {wire}
                 2.2.1.11.{unit}.{row} 2500
                 2.2.1.21.{unit}.{row} 120\n"
            );
        }
        lines += &format!(
            "4.2.1.3.{unit}.1 2
             4.2.1.4.{unit}.1 680
             4.2.1.3.{unit}.2 1
             4.2.1.4.{unit}.2 0\n"
        );
    }
    let reading = Agent::below(base, &lines).reading();
    assert_eq!(reading.power_w, Some(1001.0));
    assert_eq!(reading.units.len(), 2);
    assert_eq!(reading.phases.len(), 6);
    let temperatures: Vec<_> = reading.temperatures.iter().map(|t| t.value).collect();
    assert_eq!(
        temperatures,
        [68.0, 20.0],
        "the second unit says Fahrenheit"
    );
}

#[test]
fn outlets_behind_the_last_one_are_padding() {
    let base = "1.3.6.1.4.1.232.165.11";
    let mut lines = "2.1.1.5.1 350\n".to_owned();
    for outlet in 1..=48 {
        let name = if outlet <= 24 {
            format!("Outlet {outlet}")
        } else {
            String::new()
        };
        lines += &format!("5.1.1.2.1.{outlet} \"{name}\"\n 5.1.1.13.1.{outlet} 0\n");
    }
    assert_eq!(Agent::below(base, &lines).reading().outlets.len(), 24);
    let counted = format!("{lines} 1.2.1.13.1 20");
    assert_eq!(Agent::below(base, &counted).reading().outlets.len(), 20);
}

#[test]
fn of_sensors_without_a_family_none_is_the_total() {
    let mut agent = Agent::below("1.3.6.1.2.1.99.1.1.1", "");
    for (row, kind, scale, digits, value) in [
        (1, 6, 9, 0, 400),
        (2, 6, 10, 3, 1250),
        (3, 5, 8, 0, 1700),
        (4, 8, 9, 1, 235),
    ] {
        for (column, value) in [(1, kind), (2, scale), (3, digits), (4, value), (5, 1)] {
            let id = oid(&format!("1.3.6.1.2.1.99.1.1.1.{column}.{row}"));
            agent.objects.insert(id, Value::Integer(value));
        }
    }
    let sensors = agent.identified();
    assert_eq!(sensors.kind, Kind::NotAPdu, "it does not call itself a PDU");
    let descr = Value::OctetString((*b"Acme smart PDU").into());
    agent.objects.insert(oid("1.3.6.1.2.1.1.1.0"), descr);
    let identified = agent.identified();
    let reading = identified.reading.attached();
    assert_eq!(identified.vendor, None);
    assert_eq!(reading.power_w, None);
    let watts: Vec<_> = reading
        .banks
        .iter()
        .map(|bank| bank.electric.power_w)
        .collect();
    assert_eq!(watts, [Some(400.0), Some(1250.0), None]);
    assert_eq!(reading.banks[2].electric.current_a, Some(1.7));
    assert_eq!(reading.temperatures[0].value, 23.5);
}

#[test]
fn a_ups_is_read_when_it_is_named_only() {
    let lines = "4.4.1.2.1 230\n 4.4.1.3.1 21\n 4.4.1.4.1 450";
    let agent = Agent::below("1.3.6.1.2.1.33.1", lines);
    assert_eq!(agent.identified().kind, Kind::NotAPdu);
    let (named, _) = agent.identify(Options {
        profile: Some("ups-mib".into()),
        ..Options::default()
    });
    assert_eq!(named.reading.power_w, Some(450.0));
    assert_eq!(named.reading.current_a, Some(2.1));
}

#[test]
fn a_total_of_outlets_is_complete_or_none() {
    let base = "1.3.6.1.4.1.21317.1.3.2.2.2";
    let lines = "2.99.1.2.1 500\n 2.99.1.4.1 110000\n 2.99.1.2.2 250\n 2.99.1.4.2 55000\n";
    let reading = Agent::below(base, lines).reading();
    assert_eq!(reading.power_w, Some(165.0));
    let silent = format!("{lines} 2.99.1.2.3 100\n 2.99.1.4.3 -1000000");
    assert_eq!(Agent::below(base, &silent).reading().power_w, None);
    let absent = format!("{lines} 2.99.1.2.3 -2000000\n 2.99.1.4.3 -2000000");
    let reading = Agent::below(base, &absent).reading();
    assert_eq!((reading.power_w, reading.outlets.len()), (Some(165.0), 2));
}

#[test]
fn what_a_transfer_switch_calls_power_is_apparent() {
    let mut lines = String::new();
    for (phase, current, va) in [(1, 52, 1196), (2, 48, 1104), (4, 7, -1)] {
        lines += &format!(
            "5.4.3.1.2.1.{phase} {phase}
             5.4.3.1.3.1.{phase} 230
             5.4.3.1.4.1.{phase} {current}
             5.4.3.1.7.1.{phase} {va}\n"
        );
    }
    for (row, bank, current) in [(1, 1, 100), (2, 2, 60), (3, 3, 40)] {
        lines += &format!("5.4.5.1.3.{row} {bank}\n 5.4.5.1.4.{row} {current}\n");
    }
    let reading = Agent::below("1.3.6.1.4.1.318.1.1.8", &lines).reading();
    assert_eq!((reading.power_w, reading.apparent_va), (None, Some(2300.0)));
    assert_eq!(reading.phases.len(), 2, "the neutral is none");
    let banks: Vec<_> = reading
        .banks
        .iter()
        .map(|bank| bank.electric.current_a)
        .collect();
    assert_eq!(banks, [Some(6.0), Some(4.0)], "the first row is the total");
}

#[test]
fn other_devices_of_makers_of_pdus_are_none() {
    for (id, descr) in [
        ("1.3.6.1.4.1.232.165.3", "HP UPS Network Module"),
        ("1.3.6.1.4.1.21317", "Linux"),
        ("1.3.6.1.4.1.28507.38", "Expert Net Control 2111"),
        ("1.3.6.1.4.1.39145.13", "ICT Sine Wave Inverter"),
        ("1.3.6.1.4.1.13742.3.2.5", "Raritan Dominion KX2"),
    ] {
        let objects = [
            (
                "1.3.6.1.2.1.1.1.0",
                Value::OctetString(descr.as_bytes().into()),
            ),
            ("1.3.6.1.2.1.1.2.0", Value::ObjectId(oid(id))),
            ("1.3.6.1.2.1.33.1.4.4.1.4.1", Value::Integer(500)),
        ];
        let identified = Agent::of(&objects).identified();
        assert_eq!(identified.kind, Kind::NotAPdu, "{descr}");
    }
}

#[test]
fn an_inlet_with_three_phases_is_their_sum() {
    let mut lines = String::new();
    for phase in 1..=3 {
        lines += &format!(
            "2.1.1.4.{phase} 2402
             2.1.1.5.{phase} 1050
             2.1.1.7.{phase} 2500
             2.1.1.11.{phase} 1000100\n"
        );
    }
    let reading = Agent::below("1.3.6.1.4.1.232.165.9", &lines).reading();
    assert_eq!(reading.power_w, Some(7500.0));
    assert_eq!(reading.energy_kwh, Some(3000.3));
    assert_eq!(reading.phases[2].electric.current_a, Some(10.5));
    assert_eq!(reading.current_a, None, "there are three");
}
