//! What is easy to get wrong with makers of one family.

use super::agent::{Agent, oid};
use rackwarden_pdu::Kind;
use rackwarden_pdu::identify::Options;
use rackwarden_snmp::Value;

#[test]
fn a_device_with_three_inputs_among_others_has_no_current_of_its_own() {
    let mut lines = String::new();
    for (device, input) in [(1, 1), (2, 1), (2, 2), (2, 3)] {
        lines += &format!(
            "6.1.1.2.{device}.{input} 100
             6.1.1.5.{device}.{input} 250
             6.1.1.7.{device}.{input} 23000
             6.1.1.9.{device}.{input} 600
             6.1.1.10.{device}.{input} 500\n"
        );
    }
    let reading = Agent::below("1.3.6.1.4.1.28402.12.1.1.2", &lines).reading();
    assert_eq!(reading.power_w, Some(2000.0));
    assert_eq!(reading.energy_kwh, Some(400.0));
    let units: Vec<_> = reading
        .units
        .iter()
        .map(|unit| {
            (
                unit.electric.power_w,
                unit.electric.current_a,
                unit.electric.voltage_v,
            )
        })
        .collect();
    assert_eq!(
        units,
        [
            (Some(500.0), Some(2.5), Some(230.0)),
            (Some(1500.0), None, None)
        ]
    );
}

#[test]
fn the_maker_of_a_shared_mib_is_told_by_its_number() {
    let mut agent = Agent::below("1.3.6.1.4.1.28402.12.1.1.2", "6.1.1.5.1.1 250");
    let id = Value::ObjectId(oid("1.3.6.1.4.1.28402.11.1"));
    agent.objects.insert(oid("1.3.6.1.2.1.1.2.0"), id);
    assert_eq!(agent.identified().vendor.as_deref(), Some("Conteg"));
}

#[test]
fn values_are_found_by_their_names_wherever_they_stand() {
    let mut lines = String::new();
    for (device, at, name, value, scale) in [
        (1, 1, "Temperature.Value", 215, -10),
        (3, 7, "Unit.Power.Active.Value", 1639, 1),
        (3, 9, "Unit.Energy.Active.Value", 76365, -10),
        (3, 2, "Phase L1.Current.Value", 445, -100),
        (3, 4, "Sockets.Socket 02.Current.Value", 44, -100),
        (3, 5, "Sockets.Socket 02.General.Relay", 0, 0),
        (4, 1, "Unit.Power.Active.Value", 361, 1),
        (4, 2, "Unit.Energy.Active.Value", 35, 1),
    ] {
        lines += &format!(
            "2.2.1.3.{device}.{at} \"{name}\"
             2.2.1.7.{device}.{at} {scale}
             2.2.1.11.{device}.{at} {value}\n"
        );
    }
    let reading = Agent::below("1.3.6.1.4.1.2606.7.4", &lines).reading();
    assert_eq!(reading.power_w, Some(2000.0));
    assert_eq!(reading.energy_kwh, Some(7671.5));
    assert_eq!(reading.phases[0].electric.current_a, Some(4.45));
    let outlet = &reading.outlets[0];
    assert_eq!(
        (outlet.electric.current_a, outlet.on),
        (Some(0.44), Some(false))
    );
    assert_eq!(reading.units.len(), 2);
}

#[test]
fn a_monitor_of_racks_without_a_pdu_is_none() {
    let agent = Agent::below(
        "1.3.6.1.4.1.2606.7.4",
        "2.2.1.3.1.1 \"Temperature.Value\"\n2.2.1.11.1.1 215",
    );
    let identified = agent.identified();
    assert_eq!(identified.reading.power_w, None);
    assert_eq!(identified.kind, Kind::NotAPdu);
}

#[test]
fn channels_of_a_meter_are_phases_and_idle_ones_are_none() {
    let mut agent = Agent::below(
        "1.3.6.1.4.1.28507.58.1.5.1.2.1",
        "2.1 1
         3.1 1000
         4.1 100
         5.1 500
         6.1 230
         2.2 1
         3.2 3000
         4.2 200
         5.2 900
         6.2 231
         2.3 0
         3.3 0
         4.3 0
         5.3 0
         6.3 0",
    );
    let id = Value::ObjectId(oid("1.3.6.1.4.1.28507.58"));
    agent.objects.insert(oid("1.3.6.1.2.1.1.2.0"), id);
    let reading = agent.reading();
    assert_eq!(reading.power_w, Some(300.0));
    assert_eq!(reading.energy_kwh, Some(4.0));
    assert_eq!(reading.phases.len(), 2);
    assert_eq!((reading.current_a, reading.voltage_v), (None, None));
}

#[test]
fn meters_of_phases_modules_and_groups_are_not_added_to_the_total() {
    let mut lines = String::new();
    for (module, meter, kind, watts) in [
        (0, 0, 0, 900),
        (0, 1, 2, 900),
        (1, 0, 4, 900),
        (1, 1, 6, 400),
        (1, 2, 6, 500),
        (1, 9, 7, 900),
    ] {
        lines += &format!(
            "3.{module}.{meter} {kind}\n7.{module}.{meter} {watts}\n10.{module}.{meter} 230000\n"
        );
    }
    let reading = Agent::below("1.3.6.1.4.1.55108.1.3.1.1", &lines).reading();
    assert_eq!(reading.power_w, Some(900.0));
    assert_eq!(reading.phases.len(), 1);
    assert_eq!(reading.outlets.len(), 2);
    assert_eq!(reading.voltage_v, Some(230.0), "of the one phase");
}

#[test]
fn volt_amperes_of_all_branches_are_the_total_and_no_watts() {
    let reading = Agent::below(
        "1.3.6.1.4.1.30932.1.10.1",
        "3.110.1.3.1.2.48.49 700
         3.110.1.6.1.2.48.49 1467
         3.110.1.3.1.2.48.50 300
         3.110.1.6.1.2.48.50 600
         4.10.1.6.1.2.48.49 50
         4.10.1.11.1.2.48.49 0",
    )
    .reading();
    assert_eq!(reading.apparent_va, Some(2067.0));
    assert_eq!(reading.power_w, None);
    assert_eq!(reading.banks.len(), 2);
    assert_eq!(reading.outlets[0].on, Some(false));
}

#[test]
fn a_plant_with_negative_voltage_has_negative_values() {
    let reading = Agent::below(
        "1.3.6.1.4.1.39145.10",
        "6.0 \"-55.2\"
         7.0 \"-3.1\"
         8.1.5.0 1
         8.1.3.0 \"-1.0\"",
    )
    .reading();
    assert_eq!(
        (reading.voltage_v, reading.current_a),
        (Some(-55.2), Some(-3.1))
    );
    assert_eq!(reading.outlets[0].electric.current_a, Some(-1.0));
}

#[test]
fn outlets_of_a_list_end_where_the_outlets_do() {
    let reading = Agent::below(
        "1.3.6.1.4.1.17420.1.2.9.1",
        "11.0 12
         13.0 \"1,0,-1,1,1\"
         14.1.0 \"OutletA,0,0,0,0\"
         14.2.0 \"OutletB,0,0,0,0\"
         17.0 230",
    )
    .reading();
    let states: Vec<_> = reading.outlets.iter().map(|outlet| outlet.on).collect();
    assert_eq!(states, [Some(true), Some(false)]);
    assert_eq!(reading.current_a, Some(1.2));
}

#[test]
fn a_rittal_controller_has_the_sockets_that_it_names() {
    let (identified, _) =
        Agent::open("rittal-cmc-iii-pu_pdu-controller").identify(Options::default());
    let outlets = &identified.reading.outlets;
    assert_eq!(outlets.len(), 30);
    for (number, outlet) in (1u16..).zip(outlets) {
        assert_eq!(outlet.index, number);
        assert_eq!(*outlet.name, *format!("Socket {number:02}"));
        assert_eq!(outlet.on, Some(true));
        assert_eq!(outlet.electric.power_w, None, "it measures phases only");
    }
    assert!(identified.plan.switches.iter().all(Option::is_none));
}

/// As `Agent::below`, with what the device says of itself.
fn called(base: &str, descr: &str, lines: &str) -> Agent {
    let mut agent = Agent::below(base, lines);
    let descr = Value::OctetString(descr.as_bytes().into());
    agent.objects.insert(oid("1.3.6.1.2.1.1.1.0"), descr);
    let id = Value::ObjectId(oid(base));
    agent.objects.insert(oid("1.3.6.1.2.1.1.2.0"), id);
    agent
}

#[test]
fn a_sensor_with_relays_is_no_pdu_and_an_older_switch_is_one() {
    let relays = "1.3.1.2.1.2.1 \"Out 1\"\n 1.3.1.2.1.3.1 1\n 1.6.1.1.2.1 215";
    let sensor = called("1.3.6.1.4.1.28507.60", "Expert Net Control 2111-1", relays);
    assert_eq!(sensor.identified().kind, Kind::NotAPdu);
    let ports = "1.2.2.1.2.1 \"Port 1\"\n 1.2.2.1.3.1 1\n 1.2.2.1.3.2 0";
    let switch = called("1.3.6.1.4.1.28507.1", "Expert Power Control 8", ports);
    let identified = switch.identified();
    assert_eq!(identified.kind, Kind::OutletsOnly);
    let on: Vec<_> = identified.reading.outlets.iter().map(|it| it.on).collect();
    assert_eq!(on, [Some(true), Some(false)]);
}

#[test]
fn ports_that_are_measured_are_outlets() {
    let lines = "1.3.1.2.1.3.1 1
         1.5.1.2.1.2.1 1
         1.5.1.2.1.4.1 120
         1.5.1.2.1.5.1 530
         1.5.5.2.1.2.1 1
         1.5.5.2.1.4.1 118
         1.5.5.2.1.5.1 520
         1.5.5.2.1.2.2 0
         1.5.5.2.1.4.2 0";
    let reading = called("1.3.6.1.4.1.28507.58", "Expert PDU 8226-1", lines).reading();
    assert_eq!(reading.power_w, Some(120.0));
    let [outlet] = &reading.outlets[..] else {
        panic!("{:?}", reading.outlets);
    };
    let electric = outlet.electric;
    assert_eq!((outlet.on, electric.power_w), (Some(true), Some(118.0)));
    assert_eq!(electric.current_a, Some(0.52));
}

#[test]
fn columns_mean_what_the_version_of_their_mib_says() {
    let inlet = |columns: &[(u32, i64)]| {
        let line = |(column, value): &(u32, i64)| format!("{column}.1 {value}\n");
        let lines: String = columns.iter().map(line).collect();
        Agent::below("1.3.6.1.4.1.42610.1.4.4.1.6.1.2.1", &lines).reading()
    };
    // What the older MIB calls watts of the first phase are its volts.
    let newer = [
        (2, 6440),
        (4, 1234),
        (6, 290),
        (9, 0),
        (12, 290),
        (15, 2287),
        (30, 6440),
    ];
    let reading = inlet(&newer);
    assert_eq!(reading.power_w, Some(644.0));
    assert_eq!(
        (reading.current_a, reading.voltage_v),
        (Some(2.9), Some(228.7))
    );
    assert_eq!(reading.energy_kwh, Some(1234.0));
    let older = [
        (2, 6440),
        (4, 1234),
        (6, 290),
        (9, 2287),
        (15, 6440),
        (16, 0),
    ];
    let reading = inlet(&older);
    assert_eq!((reading.power_w, reading.phases.len()), (Some(644.0), 0));
}

#[test]
fn lines_without_voltage_are_not_there() {
    let base = "1.3.6.1.4.1.30966.10.3.2";
    let one = "1.0 231\n 2.0 0\n 3.0 0\n 4.0 37\n 5.0 0\n 6.0 0";
    let reading = Agent::below(base, one).reading();
    assert_eq!(
        (reading.current_a, reading.voltage_v),
        (Some(3.7), Some(231.0))
    );
    let three = "1.0 231\n 2.0 230\n 3.0 229\n 4.0 37\n 5.0 12\n 6.0 0";
    let reading = Agent::below(base, three).reading();
    let amperes: Vec<_> = reading
        .phases
        .iter()
        .map(|it| it.electric.current_a)
        .collect();
    assert_eq!(amperes, [Some(3.7), Some(1.2), Some(0.0)]);
    assert_eq!(reading.current_a, None, "there are three");
}

#[test]
fn a_strip_without_meters_says_nothing_though_it_says_0() {
    let base = "1.3.6.1.4.1.47952.1";
    let lines = |volts: i64, watts: i64| {
        format!(
            "1.1.1.2.1 \"fan\"
             1.1.1.3.1 1
             1.1.1.25.1 {watts}
             1.1.1.28.1 {watts}
             2.1.0 {volts}
             2.3.0 {watts}
             2.5.0 {watts}
             2.6.0 {watts}"
        )
    };
    let metered = Agent::below(base, &lines(230_500, 52)).reading();
    assert_eq!(
        (metered.power_w, metered.voltage_v),
        (Some(52.0), Some(230.5))
    );
    assert_eq!(metered.outlets[0].electric.current_a, Some(0.052));
    let idle = Agent::below(base, &lines(230_500, 0)).reading();
    assert_eq!((idle.power_w, idle.current_a), (Some(0.0), Some(0.0)));
    let identified = Agent::below(base, &lines(0, 0)).identified();
    assert_eq!(identified.kind, Kind::OutletsOnly);
    assert_eq!(identified.reading.outlets[0].electric.power_w, None);
}

#[test]
fn phases_are_the_total_where_there_is_no_other() {
    let ibm = "8.3.2.1.4.1 400\n 8.3.2.1.4.2 200\n 8.3.2.1.4.3 0\n 8.2.2.1.9.1 1730\n 8.2.2.1.15.1 390\n 8.4.7.0 27";
    let reading = Agent::below("1.3.6.1.4.1.2.6.223", ibm).reading();
    assert_eq!((reading.power_w, reading.phases.len()), (Some(600.0), 3));
    assert_eq!(reading.outlets[0].electric.current_a, Some(1.73));
    assert_eq!(reading.temperatures[0].value, 27.0);
    let device = "8.1.2.1 85\n 8.1.5.1 38\n 8.1.7.1 23034\n 8.1.9.1 90\n 8.1.10.1 70\n 11.1.2.1 1";
    let reading = Agent::below("1.3.6.1.4.1.31034.2", device).reading();
    assert_eq!(
        (reading.power_w, reading.energy_kwh),
        (Some(70.0), Some(85.0))
    );
    assert_eq!(
        (reading.current_a, reading.voltage_v),
        (Some(0.38), Some(230.34))
    );
}

#[test]
fn a_pdu_that_its_monitor_does_not_reach_has_no_reading_and_makes_the_total_none() {
    let base = "1.3.6.1.4.1.3711.24.1.1.7";
    let lines = |state: u32| {
        let unit = |unit, state, kilowatts| {
            format!(
                "1.2.1.6.{unit} {state}
                 3.1.1.3.{unit} 230
                 3.1.1.4.{unit} 52
                 3.1.1.5.{unit} 12345
                 3.1.1.7.{unit} {kilowatts}\n"
            )
        };
        unit(1, 1, 12) + &unit(2, state, 8)
    };
    let both = Agent::below(base, &lines(1)).reading();
    assert_eq!(
        (both.power_w, both.energy_kwh),
        (Some(2000.0), Some(2469.0))
    );
    let one = Agent::below(base, &lines(2)).identified();
    assert_eq!(one.kind, Kind::Full, "one of them is measured");
    let one = one.reading;
    assert_eq!(one.power_w, None, "part of a sum is no total");
    assert_eq!(one.units[0].electric.power_w, Some(1200.0));
    assert_eq!(one.units[1].electric.current_a, None);
}
