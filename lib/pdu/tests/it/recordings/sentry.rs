//! What is easy to get wrong with Server Technology's and Vertiv's.

use super::agent::Agent;
use rackwarden_pdu::identify::Options;

const SENTRY3: &str = "1.3.6.1.4.1.1718.3";
const SENTRY4: &str = "1.3.6.1.4.1.1718.4.1";
const GEIST: &str = "1.3.6.1.4.1.21239.5.2";

#[test]
fn what_adds_up_has_no_more_digits_than_its_parts() {
    let lines = "3.3.1.3.1.1 100\n 3.3.1.3.2.1 200\n";
    let mut agent = Agent::below(SENTRY4, lines);
    for (at, energy) in [("1.1.1", 1), ("1.1.2", 2), ("2.1.1", 7)] {
        let object = |column: &str, value| Agent::below(SENTRY4, &format!("{column}.{at} {value}"));
        agent.objects.extend(object("5.3.1.13", energy).objects);
        agent.objects.extend(object("5.3.1.3", 2300).objects);
    }
    let units = agent.reading().units;
    let energies: Vec<_> = units.iter().map(|unit| unit.electric.energy_kwh).collect();
    assert_eq!(energies, [Some(0.3), Some(0.7)]);
}

#[test]
fn cords_are_units_and_a_number_chooses_all_cords_of_one() {
    let agent = Agent::below(
        SENTRY4,
        "3.3.1.3.1.1 1000
         3.3.1.3.1.2 2000
         3.3.1.3.2.1 4000
         3.4.1.5.1.1 5000
         3.4.1.5.1.2 5000
         3.4.1.5.2.1 0
         5.3.1.3.1.2.1 2300
         5.3.1.6.1.2.1 870
         5.3.1.8.1.2.1 2000
         9.1.10.0 1
         9.3.1.1.1.1 770
         9.3.1.2.1.1 0
         9.3.1.1.2.1 -410
         9.3.1.2.2.1 0
         9.3.1.1.2.2 0
         9.3.1.2.2.2 8",
    );
    let of = |unit| {
        let options = Options {
            unit,
            ..Options::default()
        };
        agent.identify(options).0.reading.attached()
    };
    let all = of(None);
    assert_eq!(all.power_w, Some(7000.0));
    assert_eq!(all.units.len(), 3);
    assert_eq!(all.limit_w, None, "one of them has none");
    assert_eq!(all.current_a, None);
    let temperatures: Vec<f64> = all.temperatures.iter().map(|probe| probe.value).collect();
    assert_eq!(temperatures, [25.0]);
    assert_eq!(of(Some(1)).power_w, Some(3000.0));
    assert_eq!(of(Some(1)).limit_w, Some(10_000.0));
    assert_eq!(of(Some(2)).power_w, Some(4000.0));
}

#[test]
fn outlets_that_exist_are_better_than_their_count() {
    let counted = "3.3.1.3.1.1 1000\n3.2.1.24.1.1 24\n";
    let listed = format!("{counted}8.3.1.1.1.1.1 1\n8.3.1.1.1.1.2 2\n8.2.1.5.1.1.2 \"A\"");
    let outlets = |lines: &str| Agent::below(SENTRY4, lines).reading().outlets.len();
    assert_eq!(outlets(counted), 24);
    assert_eq!(outlets(&listed), 2);
    let plan = Agent::below(SENTRY4, &listed).identified().plan;
    assert!(plan.switches[0].is_some(), "it does not say that it cannot");
    assert!(plan.switches[1].is_none(), "bit 0 of 0x41 is not set");
}

#[test]
fn towers_are_units_and_infeeds_without_power_make_no_total() {
    let agent = Agent::below(
        SENTRY3,
        "2.1.1.7.1 \"CW-24V2\"
         2.1.1.7.2 \"CL-24V2\"
         2.1.1.11.1 1200
         2.1.1.11.2 -1
         2.2.1.7.1.1 520
         2.2.1.12.1.1 1200
         2.2.1.7.2.1 100
         2.2.1.12.2.1 -1
         2.5.1.6.1.1 770
         2.5.1.13.1.1 1
         2.5.1.5.1.1 0",
    );
    let reading = agent.reading();
    assert_eq!(reading.power_w, None);
    assert_eq!(reading.units.len(), 2);
    assert_eq!(reading.temperatures[0].value, 25.0);
}

#[test]
fn infeeds_make_a_total_where_the_system_tells_none() {
    let agent = Agent::below(
        SENTRY3,
        "1.6.0 -1
         2.2.1.7.1.1 520
         2.2.1.11.1.1 2300
         2.2.1.12.1.1 1200
         2.2.1.16.1.1 15
         2.2.1.7.1.2 100
         2.2.1.11.1.2 2310
         2.2.1.12.1.2 230
         2.2.1.16.1.2 10",
    );
    let reading = agent.reading();
    assert_eq!(reading.power_w, Some(1430.0));
    assert_eq!(reading.energy_kwh, Some(2.5));
    assert_eq!((reading.current_a, reading.voltage_v), (None, None));
    assert_eq!(reading.phases.len(), 2);
}

#[test]
fn sensors_of_different_tables_do_not_hide_each_other() {
    let reading = Agent::below(
        GEIST,
        "1.7.0 1
         3.1.1.9.1 1017
         4.1.4.1 1
         4.1.5.1 215
         8.1.4.1 1
         8.1.6.1 230
         8.1.7.1 41
         8.1.9.1 0
         8.1.11.1 0
         9.1.4.1 1
         9.1.5.1 240
         9.1.6.1 43",
    )
    .reading();
    let values = |probes: &[rackwarden_pdu::ProbeReading]| -> Vec<f64> {
        probes.iter().map(|probe| probe.value).collect()
    };
    assert_eq!(values(&reading.temperatures), [21.5, 23.0, 24.0]);
    assert_eq!(values(&reading.humidities), [41.0, 43.0]);
}

#[test]
fn an_older_geist_with_outlets_is_the_sum_of_its_phases() {
    let lines = "14.1.4.1 1
         25.1.4.1 1
         25.1.5.1 100
         25.1.6.1 230
         25.1.8.1 52
         25.1.10.1 1100
         25.1.13.1 200
         25.1.14.1 231
         25.1.16.1 10
         25.1.18.1 200
         25.1.21.1 0
         25.1.22.1 229
         25.1.24.1 0
         25.1.26.1 0
         16.1.2.1 \"server\"
         16.1.3.1 1
         16.1.6.1 12
         16.1.15.1 260";
    let reading = Agent::below("1.3.6.1.4.1.21239.2", lines).reading();
    assert_eq!(
        (reading.power_w, reading.energy_kwh),
        (Some(1300.0), Some(300.0))
    );
    assert_eq!((reading.phases.len(), reading.current_a), (3, None));
    let outlet = &reading.outlets[0];
    assert_eq!((&*outlet.name, outlet.on), ("server", Some(true)));
    assert_eq!(outlet.electric.current_a, Some(1.2));
}
