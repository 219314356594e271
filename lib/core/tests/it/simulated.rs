//! Devices that are simulated from their profiles, read and switched by the agent as it does with real ones.

use crate::{OWNER, seconds};
use rackwarden_core::pdu::Profiles;
use rackwarden_core::pdu::profile::{Field, Quantity};
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::plugins::power;
use rackwarden_core::plugins::power::PduView;
use rackwarden_core::sim::Sim;

/// How the second outlet calls itself.
const OUTLET: &str = "outlet 2";

/// These are models of their own, without outlets.
const MODELS: [&str; 3] = ["apc-rpdu2", "apc-rpdu", "apc-epdu"];

/// A world with one device of this family, which it has just read.
fn sim(profile: &str, agent: Agent) -> Sim {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    let profiles = Profiles::builtin();
    let head = profiles.named(profile).expect("a profile").head().clone();
    if !head.is_pdu {
        power::settings_mut(&mut config).pdus[0].profile = Some(profile.into());
    }
    let mut sim = Sim::with_config(config);
    *sim.device("alpha").agent() = agent;
    sim.run_for(seconds(90));
    sim
}

fn view(sim: &Sim) -> PduView {
    power::view(sim.snapshot().expect("a publication")).pdus[0].clone()
}

/// What is read and is not what the device draws. The coarsest devices tell whole amperes and hundreds of volt-amperes.
fn wrong(what: &str, read: Option<f64>, want: f64) -> Option<String> {
    let read = read?;
    let resolution = match what.split(' ').next_back() {
        Some("A") => 0.45,
        Some("VA") => 50.0,
        _ => 0.5,
    };
    let is_right = (read - want).abs() <= want * 0.005 + resolution;
    (!is_right).then(|| format!("{what} {read} for {want}"))
}

#[test]
fn every_profile_with_readings_reads_the_device_that_is_simulated_from_it() {
    let mut faults = Vec::new();
    let (mut devices, mut outlets) = (0, 0);
    for source in Profiles::builtin().iter() {
        let name = &*source.head().name;
        let profile = source.example().expect("the tests read every profile");
        let Some(agent) = Agent::of_profile(name) else {
            let is_empty = profile.device.is_empty() && profile.tables.is_empty();
            assert!(is_empty && profile.variables.is_empty(), "{name}");
            continue;
        };
        devices += 1;
        let sim = sim(name, agent);
        let view = view(&sim);
        let snapshot = sim.snapshot().expect("a publication");
        let (phases, of_device, probes) = power::view(snapshot).parts(&view);
        outlets += of_device.len();
        let mut found = vec![
            wrong("W", view.power_w, 1000.0),
            wrong("VA", view.apparent_va, 1052.6),
            wrong("A", view.current_a, 4.577),
            wrong("V", view.voltage_v, 230.0),
            wrong(
                "% PF",
                view.power_factor.map(|it| f64::from(it) * 100.0),
                95.0,
            ),
            wrong("kWh", view.energy_kwh, 1967.7),
            wrong("peak", view.peak_w, 1000.0),
        ];
        for phase in phases {
            let share = 1.0 / phases.len() as f64;
            found.push(wrong("phase W", phase.electric.power_w, 1000.0 * share));
            found.push(wrong("phase A", phase.electric.current_a, 4.577 * share));
        }
        for outlet in of_device {
            found.push(wrong("outlet W", outlet.electric.power_w, 125.0));
            found.push(wrong("outlet A", outlet.electric.current_a, 0.572));
        }
        for probe in probes {
            found.push(wrong("°C", Some(probe.value), 24.5));
        }
        let taken = view.profile.as_ref().map(|head| &*head.name);
        let tells = |quantity| profile.device.iter().any(|(told, _, _)| *told == quantity);
        let has_on = (profile.tables.iter().flat_map(|table| &*table.columns))
            .any(|(field, _)| *field == Field::On);
        for (what, is_wrong) in [
            ("another profile", taken != Some(name)),
            ("no watts", tells(Quantity::Power) && view.power_w.is_none()),
            (
                "no energy",
                tells(Quantity::Energy) && view.energy_kwh.is_none(),
            ),
            (
                "no outlet",
                has_on && !MODELS.contains(&name) && of_device.iter().all(|it| it.on != Some(true)),
            ),
        ] {
            found.push(is_wrong.then(|| format!("{what}: {taken:?}, {:?}", view.reason)));
        }
        faults.extend(
            found
                .into_iter()
                .flatten()
                .map(|it| format!("{name}: {it}")),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(devices >= 48 && outlets >= 200, "{devices}, {outlets}");
}

#[test]
fn outlets_are_switched_as_each_family_wants_it() {
    let mut faults = Vec::new();
    let mut switched = 0;
    for source in Profiles::builtin().iter() {
        let name = &*source.head().name;
        let profile = source.example().expect("the tests read every profile");
        let mut switches = profile
            .tables
            .iter()
            .filter_map(|table| table.switch.as_ref());
        let Some(switch) = switches.next().filter(|_| !MODELS.contains(&name)) else {
            continue;
        };
        let agent = Agent::of_profile(name).expect("it has outlets");
        let mut sim = sim(name, agent);
        for (verb, label, is_on) in [("off", "Switch off", false), ("on", "Switch on", true)] {
            let number = {
                let snapshot = sim.snapshot().expect("a publication");
                power::view(snapshot)
                    .parts(&power::view(snapshot).pdus[0])
                    .1[1]
                    .index
            };
            sim.clear_transcript();
            sim.post(OWNER, OWNER, &format!("/outlet alpha {number} {verb}"));
            sim.run_for(seconds(2));
            let names = [format!(" ({OUTLET})"), String::new()];
            let transcript = sim.transcript();
            let known = names
                .iter()
                .find(|it| transcript.contains(&format!("outlet {number}{it} is")));
            let Some(known) = known else {
                faults.push(format!("{name} {verb}: {transcript}"));
                continue;
            };
            sim.press(
                OWNER,
                OWNER,
                &format!("{label} outlet {number}{known} of alpha"),
            );
            sim.run_for(seconds(40));
            let snapshot = sim.snapshot().expect("a publication");
            let states = power::view(snapshot)
                .parts(&power::view(snapshot).pdus[0])
                .1;
            let others = states.iter().enumerate().filter(|(at, _)| *at != 1);
            if states[1].on != Some(is_on) || others.clone().any(|(_, it)| it.on != Some(true)) {
                faults.push(format!("{name} {verb}: {}", sim.transcript()));
            }
        }
        let each = 1 + usize::from(switch.unlock.is_some());
        let sets = sim.device("alpha").agent().sets();
        if sets != 2 * each {
            faults.push(format!("{name}: {sets} SETs"));
        }
        switched += 1;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(switched >= 25, "{switched}");
}
