//! What is easy to get wrong with CyberPower's, and with Tripp Lite's: PDUs and UPSs share a sysObjectID.

use super::agent::{Agent, oid};
use rackwarden_pdu::Kind;
use rackwarden_pdu::identify::Options;
use rackwarden_snmp::Value;

const CPS: &str = "1.3.6.1.4.1.3808.1.1";
const TLP: &str = "1.3.6.1.4.1.850.1.1";

fn calls_itself(mut agent: Agent, sys_object_id: &str) -> Agent {
    let id = Value::ObjectId(oid(sys_object_id));
    agent.objects.insert(oid("1.3.6.1.2.1.1.2.0"), id);
    agent
}

#[test]
fn banks_repeat_the_watts_of_their_phase() {
    let mut lines = String::new();
    for phase in 1..=3 {
        lines += &format!(
            "3.2.3.1.1.2.{phase} 10{phase}
             3.2.3.1.1.4.{phase} {phase}
             3.2.3.1.1.5.{phase} 0
             3.2.3.1.1.6.{phase} 2300
             3.2.3.1.1.7.{phase} 200{phase}
             3.2.3.1.1.10.{phase} 15\n"
        );
        for bank in [2 * phase - 1, 2 * phase] {
            let row = 3 + bank;
            lines += &format!(
                "3.2.3.1.1.2.{row} 51
                 3.2.3.1.1.4.{row} {phase}
                 3.2.3.1.1.5.{row} {bank}
                 3.2.3.1.1.7.{row} 100{bank}
                 3.2.3.1.1.10.{row} \"NULL\"\n"
            );
        }
    }
    let reading = Agent::below(CPS, &lines).reading();
    assert_eq!(reading.power_w, Some(6006.0));
    assert_eq!(reading.energy_kwh, Some(4.5));
    assert_eq!((reading.phases.len(), reading.banks.len()), (3, 6));
    assert_eq!(reading.phases[2].electric.current_a, Some(10.3));
    assert_eq!(reading.banks[5].electric.power_w, Some(1006.0));
    assert_eq!((reading.current_a, reading.voltage_v), (None, None));
}

#[test]
fn units_of_a_chain_add_up_and_have_their_own_rows() {
    let mut lines = "6.1.0 2\n".to_owned();
    for (unit, power, peak) in [(1, 400, 900), (2, 600, 800)] {
        lines += &format!(
            "6.3.4.1.2.{unit} {unit}
             6.3.4.1.5.{unit} 30
             6.3.4.1.18.{unit} {power}
             6.3.4.1.19.{unit} {peak}
             6.3.4.1.9.{unit} 10
             6.4.4.1.2.{unit} {unit}
             6.4.4.1.3.{unit} 1
             6.4.4.1.5.{unit} 30
             6.4.4.1.7.{unit} {power}\n"
        );
        for outlet in 1..=2 {
            let row = (unit - 1) * 2 + outlet;
            lines += &format!(
                "6.6.1.4.1.2.{row} {unit}
                 6.6.1.4.1.3.{row} {outlet}
                 6.6.1.4.1.5.{row} {outlet}\n"
            );
        }
    }
    let agent = Agent::below(CPS, &lines);
    let reading = agent.reading();
    assert_eq!(reading.power_w, Some(1000.0));
    assert_eq!(reading.energy_kwh, Some(2.0));
    assert_eq!(reading.peak_w, None, "peaks of two units have no sum");
    let of_units: Vec<_> = reading
        .units
        .iter()
        .map(|unit| unit.electric.power_w)
        .collect();
    assert_eq!(of_units, [Some(400.0), Some(600.0)]);
    let on: Vec<_> = reading.outlets.iter().map(|outlet| outlet.on).collect();
    assert_eq!(on, [Some(true), Some(false), Some(true), Some(false)]);
    let (second, _) = agent.identify(Options {
        unit: Some(2),
        ..Options::default()
    });
    assert_eq!(second.reading.peak_w, Some(800.0));
}

#[test]
fn a_ups_that_answers_objects_of_pdus_is_none() {
    let ups = Agent::below(
        CPS,
        "1.1.1.1.0 \"OL2200\"
         3.2.3.1.1.2.0 21
         3.2.3.1.1.4.0 1
         3.2.3.1.1.5.0 0
         3.2.3.1.1.7.0 500",
    );
    let identified = calls_itself(ups, "1.3.6.1.4.1.3808.1.1.3").identified();
    assert_eq!(identified.kind, Kind::NotAPdu);
    assert_eq!(identified.reading.power_w, None);
}

#[test]
fn a_ups_of_tripp_lite_and_of_apc_is_no_pdu() {
    let ups = Agent::below(TLP, "3.1.3.2.2.1.8.1.1 700\n 1.2.1.5.1 \"SMART3000\"");
    let identified = calls_itself(ups, "1.3.6.1.4.1.850.1.1.1").identified();
    assert_eq!(identified.kind, Kind::NotAPdu);
    let apc = Agent::below("1.3.6.1.4.1.318.1.1.1", "4.2.8.0 700");
    let identified = calls_itself(apc, "1.3.6.1.4.1.318.1.3.27").identified();
    assert_eq!(identified.kind, Kind::NotAPdu);
}

#[test]
fn a_tripp_lite_with_three_phases_that_is_the_second_device_of_its_card() {
    let mut lines = "3.1.1.1.0 0
         1.2.1.5.1 \"ENVIROSENSE\"
         1.2.1.5.2 \"PDU3XVSR6G20\"
         3.3.3.1.1.1.1 245
         3.2.2.1.1.1.2 2\n"
        .to_owned();
    for row in 1..=3 {
        lines += &format!(
            "3.2.3.2.1.1.4.2.{row} 2080
             3.2.3.2.1.1.5.2.{row} {row}50
             3.2.3.2.1.1.13.2.{row} 4{row}
             3.2.3.2.1.1.12.2.{row} 5{row}
             3.2.3.3.1.1.4.2.{row} 2
             3.2.3.3.1.1.5.2.{row} {row}\n"
        );
    }
    let identified = calls_itself(Agent::below(TLP, &lines), "1.3.6.1.4.1.850.1.1.1").identified();
    let reading = identified.reading.attached();
    assert_eq!(identified.model.as_deref(), Some("PDU3XVSR6G20"));
    assert_eq!(identified.vendor.as_deref(), Some("Tripp Lite"));
    assert_eq!(reading.power_w, Some(1260.0), "tens of watts of its phases");
    assert_eq!(reading.apparent_va, Some(1560.0));
    assert_eq!(reading.current_a, None);
    assert_eq!(reading.temperatures[0].value, 24.5);
    // tlpPduOutletControllable is true for the first one only.
    let switched: Vec<bool> = identified
        .plan
        .switches
        .iter()
        .map(Option::is_some)
        .collect();
    assert_eq!(switched, [true, false, false]);
}
