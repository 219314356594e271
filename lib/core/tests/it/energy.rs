//! `/energy` in virtual time: what was used today and this month, what of it nobody knows, and what it costs.

use crate::HOUR;
use rackwarden_core::config::{Config, units};
use rackwarden_core::plugins::power;
use rackwarden_core::sim::Sim;
use rackwarden_core::time::{Wall, Zone};
use std::time::Duration;

/// Two PDUs of a team, of 1 kW each, read every minute. It is 20 November 2026, 20:00 UTC.
fn config() -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    Sim::team(&mut config, "Team Alpha", 6000.0, &["alpha", "bravo"]);
    config.telegram = None;
    power::settings_mut(&mut config).interval = Duration::from_secs(60);
    power::settings_mut(&mut config).unreachable_after = Duration::from_secs(300);
    config
}

fn ask(sim: &mut Sim, line: &str) -> String {
    sim.clear_transcript();
    sim.say(line);
    sim.run_for(Duration::from_secs(5));
    sim.transcript()
}

/// Checks the lines of what was used.
fn check(answer: &str, lines: &[&str]) {
    let (_, used) = answer
        .split_once("Used, as the agent has measured it")
        .unwrap_or_else(|| panic!("{answer}"));
    for line in lines {
        assert!(used.contains(line), "{line}: {answer}");
    }
}

fn run_until(sim: &mut Sim, moment: &str, zone: &Zone) {
    let moment = Wall::parse(moment, zone).expect("a moment");
    let span = moment.since(sim.now().wall);
    sim.run_for(span);
}

#[test]
fn today_and_this_month_begin_at_local_midnight() {
    let zone = Zone::named("Asia/Kathmandu").expect("a zone");
    let mut config = config();
    config.notify.timezone = zone.clone();
    power::settings_mut(&mut config).energy_price = units::energy_price("0.50 EUR/kWh").ok();
    power::settings_mut(&mut config).interval = Duration::from_secs(300);
    power::settings_mut(&mut config).unreachable_after = Duration::from_secs(1500);
    let mut sim = Sim::with_config(config);
    run_until(&mut sim, "2026-11-21T06:00", &zone);
    let answer = ask(&mut sim, "/energy");
    check(
        &answer,
        &[
            "            today ",
            " this month",
            "alpha       ≥ 4.25 kWh  2.12 EUR (since 01:45)  ≥ 4.25 kWh  2.12 EUR (since 01:45)",
            "Team Alpha  ≥ 8.50 kWh  4.25 EUR (since 01:45)  ≥ 8.50 kWh",
        ],
    );
    assert!(answer.contains("alpha       1971.9 kWh"), "{answer}");
    sim.device("bravo").set_power(2000.0);
    run_until(&mut sim, "2026-12-01T02:00", &zone);
    check(
        &ask(&mut sim, "/energy"),
        &[
            "alpha       2.00 kWh  1.00 EUR  2.00 kWh  1.00 EUR",
            "bravo       4.00 kWh  2.00 EUR  4.00 kWh  2.00 EUR",
            "all PDUs    6.00 kWh  3.00 EUR  6.00 kWh  3.00 EUR",
        ],
    );
    run_until(&mut sim, "2026-12-02T01:00", &zone);
    check(
        &ask(&mut sim, "/energy team"),
        &[
            "alpha       1.00 kWh  0.50 EUR  25.00 kWh  12.50 EUR",
            "Team Alpha  3.00 kWh  1.50 EUR  75.00 kWh  37.50 EUR",
        ],
    );
}

#[test]
fn a_start_within_a_minute_is_no_gap() {
    let mut sim = Sim::with_config(config());
    sim.kill();
    sim.run_for(Duration::from_secs(45));
    sim.restart();
    for (span, told) in [
        (15 * 60, "since 20:00"),
        (HOUR.as_secs() * 3, "since 20:00"),
    ] {
        sim.run_for(Duration::from_secs(span));
        let answer = ask(&mut sim, "/energy alpha");
        assert!(!answer.contains('%') && answer.contains(told), "{answer}");
    }
}

#[test]
fn what_nobody_measured_is_missing_and_said_to_be() {
    let mut sim = Sim::with_config(config());
    run_until(&mut sim, "2026-11-21T06:00", &Zone::UTC);
    sim.kill();
    sim.run_for(HOUR * 3);
    sim.restart();
    run_until(&mut sim, "2026-11-21T12:00", &Zone::UTC);
    // Three hours of twelve were lived without an agent, and up to five minutes were not on disk.
    check(
        &ask(&mut sim, "/energy bravo"),
        &["bravo  ≥ 9.00 kWh (75 % of the time)  ≥ 13.00 kWh (81 % of the time since 20:00)"],
    );
    // A PDU that was away makes the sums lower bounds as well.
    run_until(&mut sim, "2026-11-22T12:00", &Zone::UTC);
    sim.device("bravo").set_power(1000.0);
    sim.device("bravo").set_silent(true);
    sim.run_for(HOUR);
    let answer = ask(&mut sim, "/energy");
    check(
        &answer,
        &[
            "alpha       13.00 kWh ",
            "bravo       ≥ 12.0",
            "Team Alpha  ≥ 25.0",
            " kWh (1 of 2) ",
        ],
    );
}

#[test]
fn without_a_disk_the_last_hour_counts_and_a_pdu_without_a_history_says_so() {
    let mut config = config();
    config.history.on_disk = false;
    config.history.max_series = 1;
    let mut sim = Sim::with_config(config);
    sim.run_for(HOUR * 6);
    check(
        &ask(&mut sim, "/energy"),
        &[
            "alpha       ≥ 1.00 kWh (since 01:00)",
            "bravo       no history is kept        no history is kept",
            "all PDUs    ≥ 2.00 kWh (since 01:00)",
        ],
    );
}
