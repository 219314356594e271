//! Values that dither around a limit: few messages, and nothing is missing.

use super::world::{ask, news, settled};
use crate::{GROUP, OWNER, seconds};
use rackwarden_core::effect::LogFile;
use rackwarden_core::rng::Rng;
use rackwarden_core::sim::Sim;
use std::time::Duration;

fn sim() -> Sim {
    settled(Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]))
}

/// For so many seconds the power of a device is another one every second, between these.
fn dither(sim: &mut Sim, name: &str, lasting: u64, (low, high): (u64, u64), rng: &mut Rng) {
    for _ in 0..lasting {
        let watts = low + rng.below(high - low + 1);
        sim.device(name).set_power(watts as f64);
        sim.run_for(seconds(1));
    }
}

fn excesses(sim: &Sim) -> (usize, usize) {
    let lines = sim.log(LogFile::Exceedings);
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    (count(": above power limit: "), count("back below limit"))
}

#[test]
fn a_value_that_dithers_around_its_limit_for_an_hour_fires_once() {
    for seed in 0..2 {
        let mut sim = sim();
        let mut rng = Rng::new(seed);
        sim.device("alpha").set_power(3050.0);
        sim.run_for(seconds(5));
        assert_eq!(news(&sim, "🔴"), 1, "{}", sim.transcript());
        sim.press(OWNER, GROUP, "Ack");
        sim.run_for(seconds(5));
        sim.clear_transcript();
        dither(&mut sim, "alpha", 3600, (2930, 3080), &mut rng);
        assert_eq!(news(&sim, ""), 0, "{}", sim.transcript());
        assert_eq!(excesses(&sim), (1, 0));
        sim.device("alpha").set_power(2000.0);
        sim.run_for(seconds(5));
        assert_eq!(news(&sim, "✅ rack: (alpha): back below limit"), 1);
        assert_eq!(excesses(&sim), (1, 1));
    }
}

#[test]
fn what_flaps_is_shown_as_such_until_it_is_calm() {
    let mut sim = sim();
    let flaps = |sim: &mut Sim| -> Vec<bool> {
        let alerts = sim.look().alerts.clone();
        alerts.iter().map(|alert| alert.is_flapping).collect()
    };
    for _ in 0..4 {
        for watts in [3100.0, 2000.0, 3100.0] {
            sim.device("alpha").set_power(watts);
            sim.run_for(seconds(4));
        }
    }
    assert_eq!(flaps(&mut sim), [true], "{}", sim.transcript());
    ask(&mut sim, "/alerts", ", flapping");
    sim.kill_and_restart();
    sim.run_for(seconds(30));
    assert_eq!(flaps(&mut sim), [true], "{}", sim.transcript());
    sim.run_for(seconds(600));
    assert_eq!(flaps(&mut sim), [false], "{}", sim.transcript());
}

#[test]
fn a_value_that_swings_through_the_band_is_told_as_flapping_and_every_excess_is_in_the_log() {
    for seed in 0..2 {
        let mut sim = sim();
        let mut rng = Rng::new(seed);
        dither(&mut sim, "alpha", 3600, (2700, 3300), &mut rng);
        sim.device("alpha").set_power(2000.0);
        sim.run_for(seconds(700));
        let told = sim.transcript();
        assert!(news(&sim, "🔴 rack: (alpha)") <= 3, "{told}");
        assert_eq!(news(&sim, "flapping, 6 changes since"), 1, "{told}");
        assert_eq!(news(&sim, "; calm after "), 1, "{told}");
        // Three beginnings, three ends, one of which says that it flaps, and the summary.
        assert!(news(&sim, "") <= 7, "{told}");
        let (begun, ended) = excesses(&sim);
        assert!(begun == ended && begun > 200, "{begun} {ended}");
        let changes = format!("; calm after {} changes in ", begun + ended);
        assert_eq!(news(&sim, &changes), 1, "{changes}: {told}");
    }
}

#[test]
fn while_one_flaps_the_others_are_told_as_fast_as_ever() {
    let mut sim = sim();
    let mut rng = Rng::new(1);
    dither(&mut sim, "alpha", 120, (2700, 3300), &mut rng);
    assert_eq!(news(&sim, "flapping"), 1, "{}", sim.transcript());
    sim.device("bravo").set_power(3120.0);
    sim.run_for(Duration::from_millis(2500));
    assert_eq!(news(&sim, "🔴 rack: (bravo)"), 1, "{}", sim.transcript());
    ask(
        &mut sim,
        "/why power.limit:alpha",
        "told again when calm for 2 min",
    );
}

#[test]
fn a_slow_swing_is_in_the_message_within_two_and_a_half_seconds() {
    let mut sim = sim();
    for _ in 0..12 {
        sim.device("alpha").set_power(3120.0);
        sim.run_for(Duration::from_millis(2500));
        let newest = sim.service().messages().iter().rev();
        let newest = newest.map(|message| &message.text).next();
        let newest = newest.cloned().unwrap_or_default();
        assert!(
            newest.starts_with("🔴") && newest.contains("above power limit: 3120 W"),
            "{newest}"
        );
        sim.run_for(Duration::from_millis(8500));
        sim.device("alpha").set_power(1000.0);
        sim.run_for(seconds(11));
    }
}

#[test]
fn in_a_storm_of_all_kinds_each_alert_has_its_own_budget() {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    config.plugins = vec!["power", "monitor"];
    let mut sim = settled(config);
    let storm = |sim: &mut Sim, is_bad: bool| {
        sim.machine().cpu_percent = if is_bad { 100.0 } else { 1.0 };
        if let Some(memory) = &mut sim.machine().sample.memory {
            memory.available_bytes = if is_bad { 1 << 20 } else { 3 << 30 };
        }
        if let Some(space) = &mut sim.machine().sample.file_systems[0].space {
            space.available_bytes = if is_bad { 1 << 20 } else { 19 << 30 };
            space.free_bytes = space.available_bytes;
        }
        for name in ["alpha", "bravo"] {
            let watts = if is_bad { 3500.0 } else { 1000.0 };
            sim.device(name).set_power(watts);
        }
    };
    for _ in 0..12 {
        storm(&mut sim, true);
        sim.run_for(seconds(15));
        storm(&mut sim, false);
        sim.run_for(seconds(15));
    }
    sim.run_for(seconds(700));
    // What was told as a new message, line by line.
    let sights: Vec<String> = sim
        .service()
        .sights()
        .iter()
        .filter(|sight| sight.message.edits == 0)
        .flat_map(|sight| {
            sight
                .message
                .text
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    for (text, sign) in [
        ("CPU usage above", "🟠"),
        ("memory usage above", "🟠"),
        ("disk usage above", "🟠"),
        ("(alpha): above power limit", "🔴"),
        ("(bravo): above power limit", "🔴"),
    ] {
        let own = |line: &&String| line.contains(text) && line.starts_with(sign);
        let told = sights.iter().filter(own).count();
        assert!((1..=4).contains(&told), "{text}: {told} {sights:#?}");
        let thing = text.split(" above").next().unwrap_or_default();
        let calm = |line: &&String| line.contains(thing) && line.contains("; calm after ");
        assert_eq!(
            sights.iter().filter(calm).count(),
            1,
            "{thing}: {sights:#?}"
        );
    }
    let (begun, ended) = excesses(&sim);
    assert_eq!((begun, ended), (24, 24));
}

#[test]
fn a_kill_while_it_flaps_repeats_nothing_and_the_calm_is_told() {
    for step in 0..6 {
        let mut sim = sim();
        let mut rng = Rng::new(step);
        dither(&mut sim, "alpha", 60 + step, (2700, 3300), &mut rng);
        sim.kill_and_restart();
        dither(&mut sim, "alpha", 60, (2700, 3300), &mut rng);
        sim.device("alpha").set_power(1000.0);
        sim.run_for(seconds(700));
        let told = sim.transcript();
        assert_eq!(news(&sim, "flapping, 6 changes since"), 1, "{told}");
        assert_eq!(news(&sim, "; calm after "), 1, "{told}");
    }
}
