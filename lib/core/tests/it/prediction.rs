//! How long a limit holds at the present trend, and whose limit it is, as people and programs are told.

use crate::seconds;
use rackwarden_core::config::{Config, Environment, parse};
use rackwarden_core::plugins::PLUGINS;
use rackwarden_core::plugins::power;
use rackwarden_core::plugins::power::Limits;
use rackwarden_core::plugins::power::PduState;
use rackwarden_core::sim::Sim;
use rackwarden_core::snapshot::{Seen, View};
use serde_json::Value;

fn api(sim: &Sim) -> Value {
    let snapshot = sim.snapshot().expect("a publication");
    let seen = Seen::new(snapshot, snapshot.now);
    let body = power::view(snapshot).body(&seen, "/api/power", "");
    serde_json::from_str(&body.expect("a body")).expect("JSON")
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in {text}");
}

#[test]
fn a_rise_is_told_for_the_pdu_its_team_and_the_site() {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    Sim::team(&mut config, "Team", 4000.0, &["alpha", "bravo"]);
    power::settings_mut(&mut config).site = power::settings(&config).teams[0].limits;
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(60));
    assert_eq!(api(&sim)["pdus"][0]["limit_in_s"], Value::Null, "steady");
    for step in 0..150 {
        sim.device("alpha")
            .set_power(1000.0 + f64::from(step) * 10.0);
        sim.run_for(seconds(2));
    }
    // It draws 2490 W and rises by 5 W/s: 102 s for alpha's 510 W and for the 510 W of the team.
    let power = api(&sim);
    for sum in [&power["pdus"][0], &power["teams"][0], &power["site"]] {
        let left = sum["limit_in_s"].as_f64().expect("it rises");
        assert!((left - 102.0).abs() < 8.0, "{sum}");
    }
    assert_eq!(power["pdus"][1]["limit_in_s"], Value::Null);
    let told = sim.ask("/current");
    for (line, words) in told
        .lines()
        .filter(|line| line.contains("left"))
        .zip(["alpha", "bravo", "Team", "all PDUs"])
    {
        has(line, words);
        assert_eq!(
            line.contains("left, limit in about"),
            words != "bravo",
            "{line}"
        );
    }
    has(&told, " 510 W left, limit in about 100 s at this trend");
    has(&told, "1000 W  2000 W left\n");
    sim.run_for(seconds(300));
    assert_eq!(
        api(&sim)["pdus"][0]["limit_in_s"],
        Value::Null,
        "steady again"
    );
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(30));
    assert_eq!(api(&sim)["pdus"][0]["limit_in_s"], Value::Null);
}

#[test]
fn a_breaker_that_is_nearer_than_the_limit_is_told() {
    let mut sim = Sim::new(&[("alpha", 6000.0), ("bravo", 3200.0), ("charlie", 3000.0)]);
    sim.device("alpha").agent().set_rating(16);
    sim.device("alpha").set_power(2900.0);
    // More than half of the limit is used, and less of the breaker.
    sim.device("bravo").agent().set_rating(32);
    sim.device("bravo").set_power(2500.0);
    sim.run_for(seconds(10));
    let power = api(&sim);
    let alpha = &power["pdus"][0];
    // 2900 W at 230 V and a power factor of 0.95.
    assert_eq!(alpha["breaker"]["part"], "inlet");
    assert_eq!(alpha["breaker"]["index"], Value::Null);
    assert_eq!(alpha["breaker"]["left_a"].as_f64(), Some(2.7));
    assert_eq!(alpha["phases"][0]["rating_a"].as_f64(), Some(16.0));
    assert_eq!(alpha["power_factor"].as_f64(), Some(0.95));
    assert_eq!(power["pdus"][1]["breaker"]["rating_a"].as_f64(), Some(32.0));
    assert_eq!(power["pdus"][2]["breaker"], Value::Null);
    has(
        &sim.ask("/current alpha"),
        "2900 W  3100 W left  breaker 16 A: 2.7 A left",
    );
    let told = sim.ask("/current bravo");
    assert!(!told.contains("breaker"), "{told}");
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(30));
    assert_eq!(api(&sim)["pdus"][0]["breaker"], Value::Null);
}

/// Nothing sets a limit; the simulated device warns above 3600 W.
fn without_a_limit() -> Config {
    let mut config = Sim::config(&[("alpha", 0.0)]);
    power::settings_mut(&mut config).pdus[0].limits = Limits::default();
    power::settings_mut(&mut config).pdus[0].device_limit = true;
    config
}

#[test]
fn the_devices_own_threshold_is_a_limit_when_nothing_is_configured() {
    let mut sim = Sim::with_config(without_a_limit());
    sim.run_for(seconds(10));
    let alpha = api(&sim)["pdus"][0].clone();
    assert_eq!(alpha["limit_w"].as_f64(), Some(3600.0));
    assert_eq!(alpha["limit_source"], "device");
    assert_eq!(alpha["headroom_w"].as_f64(), Some(2600.0));
    has(
        &sim.ask("/current"),
        "1000 W  2600 W left to the device's own limit of 3600 W",
    );
    sim.clear_transcript();
    sim.device("alpha").set_power(3700.0);
    sim.run_for(seconds(4));
    has(&sim.transcript(), "above power limit: 3700 W > 3600 W");
    has(&sim.transcript(), "(the device's own limit)");
    has(&sim.ask("/why power.limit:alpha"), "the device's own limit");
    // The alert goes on over a restart, and ends when the power falls.
    sim.kill_and_restart();
    sim.run_for(seconds(10));
    assert!(
        !sim.transcript().contains("removed"),
        "{}",
        sim.transcript()
    );
    let state = power::view(sim.snapshot().expect("a publication")).pdus[0].state;
    assert_eq!(state, PduState::OverLimit);
    sim.device("alpha").set_power(1000.0);
    sim.run_for(seconds(10));
    let snapshot = sim.snapshot().expect("a publication");
    assert!(snapshot.alerts.is_empty(), "{:?}", snapshot.alerts);
}

#[test]
fn a_test_of_an_alert_knows_the_devices_own_limit() {
    let mut sim = Sim::with_config(without_a_limit());
    sim.run_for(seconds(10));
    for (line, want) in [
        (
            "/test-alert 3700 power.limit:alpha",
            "above power limit: 3700 W > 3600 W (the device's own limit)",
        ),
        (
            "/test-alert 3500 power.limit:alpha",
            "power.limit:alpha does not fire at 3500",
        ),
        (
            "/test-alert 3500 power.limt:alpha",
            "did you mean `power.limit:alpha`?",
        ),
    ] {
        sim.clear_transcript();
        sim.say(line);
        sim.run_for(seconds(5));
        has(&sim.transcript(), want);
    }
}

#[test]
fn a_reload_takes_the_devices_limit_away_and_brings_it_back() {
    let mut sim = Sim::with_config(without_a_limit());
    sim.device("alpha").set_power(3700.0);
    sim.run_for(seconds(10));
    let mut off = without_a_limit();
    power::settings_mut(&mut off).pdus[0].device_limit = false;
    sim.clear_transcript();
    sim.reload(off);
    sim.run_for(seconds(10));
    has(&sim.transcript(), "removed from the configuration");
    assert_eq!(api(&sim)["pdus"][0]["limit_w"], Value::Null);
    assert_eq!(api(&sim)["pdus"][0]["limit_source"], Value::Null);
    sim.reload(without_a_limit());
    sim.run_for(seconds(10));
    assert_eq!(api(&sim)["pdus"][0]["limit_w"].as_f64(), Some(3600.0));
}

#[test]
fn off_stays_off_and_what_is_configured_goes_first() {
    let of = |power: &str, pdu: &str| {
        let text =
            format!("[power]\n{power}\n[[pdu]]\nname = \"a\"\naddress = \"10.0.0.1\"\n{pdu}\n");
        let config =
            parse::parse(&text, "a.toml", &Environment::bare(), PLUGINS).expect("no errors");
        let printed = rackwarden_core::config::effective::effective(&config);
        let again =
            parse::parse(&printed, "b.toml", &Environment::bare(), PLUGINS).expect("no errors");
        let told = |config: &Config| {
            let pdu = &power::settings(config).pdus[0];
            (pdu.limits.hard.map(|limit| limit.on_w), pdu.device_limit)
        };
        assert_eq!(told(&config), told(&again), "{printed}");
        told(&config)
    };
    for (power, pdu, want) in [
        ("", "", (None, true)),
        ("", "limit = \"off\"", (None, false)),
        ("limit = \"off\"", "", (None, false)),
        ("limit = \"off\"", "limit = \"device\"", (None, true)),
        ("limit = \"3 kW\"", "", (Some(3000.0), false)),
        ("limit = \"3 kW\"", "limit = \"device\"", (None, true)),
        ("", "limit = \"2 kW\"", (Some(2000.0), false)),
    ] {
        assert_eq!(of(power, pdu), want, "{power} {pdu}");
    }
}
