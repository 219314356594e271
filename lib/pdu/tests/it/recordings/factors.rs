//! Power factors are told, not computed, so they can be held against what was measured.

use super::agent::Agent;
use super::{expected, text};
use rackwarden_pdu::Electric;
use rackwarden_pdu::identify::Options;

/// The three are measured one after the other, and small devices round them to 10 W; a wrong scale is off by far more.
const TOLERANCE: f64 = 0.16;
/// Below this, rounding is all there is.
const LEAST_W: f64 = 50.0;

#[test]
fn every_power_factor_is_that_of_the_watts_and_volt_amperes_beside_it() {
    let (mut wrong, mut devices, mut rows) = (Vec::new(), 0, 0);
    for expected in expected() {
        let name = text(&expected["community"]);
        let (identified, _) = Agent::open(&name).identify(Options::default());
        let reading = &identified.reading;
        let mut check = |what: String, of: &Electric| -> u32 {
            let (Some(told), Some(power_w)) = (of.power_factor.map(f64::from), of.power_w) else {
                return 0;
            };
            let product = of.current_a.zip(of.voltage_v).map(|(a, v)| a * v);
            let Some(apparent_va) = of.apparent_va.or(product) else {
                return 0;
            };
            if power_w >= LEAST_W && (power_w / apparent_va - told).abs() > TOLERANCE {
                wrong.push(format!(
                    "{name}: {what}: {told} at {power_w} W and {apparent_va} VA"
                ));
            }
            1
        };
        let whole = Electric {
            power_w: reading.power_w,
            apparent_va: reading.apparent_va,
            power_factor: reading.power_factor,
            current_a: reading.current_a,
            voltage_v: reading.voltage_v,
            energy_kwh: None,
        };
        devices += check("whole".into(), &whole);
        for unit in &reading.units {
            rows += check(format!("unit {}", unit.index), &unit.electric);
        }
        for phase in &reading.phases {
            rows += check(format!("phase {}", phase.index), &phase.electric);
        }
        for bank in &reading.banks {
            rows += check(format!("bank {}", bank.index), &bank.electric);
        }
        for outlet in &reading.outlets {
            rows += check(format!("outlet {}", outlet.index), &outlet.electric);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(
        devices >= 10 && rows >= 60,
        "{devices} devices, {rows} rows"
    );
}
