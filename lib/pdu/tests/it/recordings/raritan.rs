//! What is easy to get wrong with Raritan's.

use super::agent::{Agent, oid};
use rackwarden_snmp::Value;

const PX2: &str = "1.3.6.1.4.1.13742.6";

#[test]
fn two_inlets_are_two_units_whose_voltages_and_peaks_have_no_sum() {
    let mut lines = String::new();
    for (inlet, power, peak) in [(1, 1200, 2000), (2, 300, 2500)] {
        lines += &format!(
            "3.3.3.1.2.1.{inlet} \"I{inlet}\"
             3.3.3.1.5.1.{inlet} 2
             3.3.4.1.7.1.{inlet}.1 3
             3.3.4.1.7.1.{inlet}.4 0
             3.3.4.1.7.1.{inlet}.5 0
             5.2.3.1.4.1.{inlet}.1 2500
             5.2.3.1.4.1.{inlet}.4 230
             5.2.3.1.4.1.{inlet}.5 {power}
             5.2.3.1.7.1.{inlet}.5 1
             5.2.3.1.11.1.{inlet}.5 {peak}\n"
        );
    }
    let reading = Agent::below(PX2, &lines).reading();
    assert_eq!(reading.power_w, Some(1500.0));
    assert_eq!((reading.current_a, reading.voltage_v), (None, None));
    assert_eq!(reading.peak_w, None);
    let of_units: Vec<_> = reading
        .units
        .iter()
        .map(|unit| unit.electric.power_w)
        .collect();
    assert_eq!(of_units, [Some(1200.0), Some(300.0)]);
    assert_eq!(reading.units[1].electric.voltage_v, Some(230.0));
    assert_eq!(reading.phases.len(), 2);
}

#[test]
fn poles_are_phases_and_the_neutral_is_none() {
    let mut lines = "3.3.3.1.2.1.1 \"I1\"
         3.3.3.1.5.1.1 4
         3.3.4.1.7.1.1.5 1
         5.2.3.1.4.1.1.1 9000
         5.2.3.1.4.1.1.5 45001\n"
        .to_owned();
    for pole in 1..=4 {
        lines += &format!(
            "3.3.5.1.1.1.1.{pole} {pole}
             3.3.6.1.7.1.1.{pole}.1 3
             3.3.6.1.7.1.1.{pole}.4 0
             3.3.6.1.7.1.1.{pole}.5 0
             3.3.6.1.7.1.1.{pole}.25 0
             5.2.4.1.4.1.1.{pole}.1 6500\n"
        );
        if pole < 4 {
            lines += &format!(
                "5.2.4.1.4.1.1.{pole}.4 400
                 5.2.4.1.4.1.1.{pole}.5 1500
                 5.2.4.1.4.1.1.{pole}.25 231\n"
            );
        }
    }
    let reading = Agent::below(PX2, &lines).reading();
    assert_eq!(reading.power_w, Some(4500.1));
    assert_eq!(reading.current_a, None, "there are three");
    let phases: Vec<_> = reading
        .phases
        .iter()
        .map(|phase| {
            (
                phase.electric.current_a,
                phase.electric.voltage_v,
                phase.electric.power_w,
            )
        })
        .collect();
    assert_eq!(phases, [(Some(6.5), Some(231.0), Some(1500.0)); 3]);
}

#[test]
fn a_number_without_its_digits_is_none_and_poles_count_as_their_inlet_does() {
    let lines = "3.3.3.1.2.1.1 \"I1\"
         3.3.3.1.5.1.1 4
         3.3.4.1.7.1.1.1 3
         5.2.3.1.4.1.1.1 9000
         5.2.3.1.4.1.1.5 4500
         5.2.4.1.4.1.1.1.1 6500
         5.2.4.1.4.1.1.1.5 1500
         3.5.3.1.2.1.1 \"1\"
         5.4.3.1.4.1.1.1 680
         5.4.3.1.3.1.1.14 7";
    let reading = Agent::below(PX2, lines).reading();
    assert_eq!(reading.power_w, None, "in watts or tenths of them");
    let phase = reading.phases[0].electric;
    assert_eq!((phase.current_a, phase.power_w), (Some(6.5), None));
    let outlet = &reading.outlets[0];
    assert_eq!((outlet.electric.current_a, outlet.on), (None, Some(true)));
}

#[test]
fn a_sensor_that_is_not_available_reads_nothing() {
    let agent = Agent::below(
        PX2,
        "3.3.3.1.2.1.1 \"I1\"
         5.2.3.1.2.1.1.5 2
         5.2.3.1.4.1.1.5 0
         5.2.3.1.4.1.1.1 0
         5.2.3.1.7.1.1.5 2
         5.2.3.1.11.1.1.5 0
         3.5.3.1.2.1.1 \"1\"
         5.4.3.1.2.1.1.5 2
         5.4.3.1.4.1.1.5 0
         5.4.3.1.3.1.1.14 8
         3.6.3.1.2.1.1 10
         3.6.3.1.16.1.1 14
         3.6.3.1.17.1.1 1
         5.5.3.1.4.1.1 680
         3.6.3.1.2.1.2 10
         3.6.3.1.16.1.2 7
         5.5.3.1.2.1.2 2
         5.5.3.1.4.1.2 0",
    );
    let reading = agent.reading();
    assert_eq!((reading.power_w, reading.peak_w), (None, None));
    assert_eq!(reading.outlets[0].electric.power_w, None);
    assert_eq!(reading.outlets[0].on, Some(false));
    let temperatures: Vec<f64> = reading
        .temperatures
        .iter()
        .map(|probe| probe.value)
        .collect();
    assert_eq!(temperatures, [20.0], "68.0 degrees Fahrenheit");
}

#[test]
fn a_threshold_counts_where_it_is_enabled() {
    let limit = |enabled: &str| {
        let lines = format!(
            "3.3.3.1.2.1.1 \"I1\"
             5.2.3.1.4.1.1.5 1000
             3.3.4.1.7.1.1.5 0
             3.3.4.1.23.1.1.5 7000
             3.3.4.1.25.1.1.5 \"{enabled}\""
        );
        Agent::below(PX2, &lines).reading().limit_w
    };
    assert_eq!(limit("0"), Some(7000.0), "bits 2 and 3 are set");
    assert_eq!(limit("@"), None, "bit 1 is set");
}

#[test]
fn an_outlet_is_switched_where_it_stands_and_its_state_read_elsewhere() {
    let agent = Agent::below(
        PX2,
        "3.5.3.1.2.1.7 \"7\"
         5.4.3.1.3.1.7.14 7",
    );
    let plan = agent.identified().plan;
    let switch = plan.switches[0].as_ref().expect("it can be switched");
    assert_eq!(switch.off.oid.to_string(), format!("{PX2}.4.1.2.1.2.1.7"));
    assert_eq!(switch.state.to_string(), format!("{PX2}.5.4.3.1.3.1.7.14"));
}

#[test]
fn an_older_dominion_is_read_by_its_unit() {
    let agent = Agent::below(
        "1.3.6.1.4.1.13742.4.1",
        "3.1.1.0 2500
         3.1.2.0 230000
         3.1.3.0 540
         3.1.5.0 410
         4.1.0 1
         4.2.1.3.1 2500
         2.2.1.4.1 1200",
    );
    let reading = agent.reading();
    assert_eq!(reading.power_w, Some(540.0));
    assert_eq!(reading.current_a, Some(2.5));
    assert_eq!(reading.voltage_v, Some(230.0));
    assert_eq!(reading.temperatures[0].value, 41.0);
    assert_eq!(reading.outlets[0].electric.current_a, Some(1.2));
}

#[test]
fn a_probe_that_is_pulled_reads_nothing_instead_of_0() {
    let mut agent = Agent::below(
        PX2,
        "3.6.3.1.2.1.1 10
         3.6.3.1.16.1.1 7
         3.6.3.1.17.1.1 1
         5.5.3.1.2.1.1 1
         5.5.3.1.4.1.1 231
         3.5.3.1.2.1.1 \"1\"
         5.4.3.1.3.1.1.14 7",
    );
    let plan = agent.identified().plan;
    assert_eq!(agent.poll(&plan).temperatures[0].value, 23.1);
    for (id, value) in [("5.5.3.1.2.1.1", 2), ("5.5.3.1.4.1.1", 0)] {
        let id = oid(&format!("{PX2}.{id}"));
        agent.objects.insert(id, Value::Integer(value));
    }
    assert!(agent.poll(&plan).temperatures[0].value.is_nan());
}
