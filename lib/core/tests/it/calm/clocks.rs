//! Nights, clocks that jump, and sleep. Numbers in names are rows of the table of faults that this project is tested against.

use super::world::{end, fire, news, settled};
use crate::seconds;
use rackwarden_core::config::Config;
use rackwarden_core::sim::Sim;
use rackwarden_core::time::{Wall, Zone};

const HOUR_MS: i64 = 3_600_000;
const DIGEST: &str = "🔔 rack: held back during the quiet hours";

fn config() -> Config {
    let mut config = Sim::config(&[]);
    config.notify.quiet_hours = Some((22 * 60, 7 * 60));
    config.notify.timezone = Zone::named("Europe/Berlin").expect("zone data");
    config
}

/// A world whose clock says this, in UTC.
fn at(config: Config, text: &str) -> Sim {
    let mut sim = settled(config);
    let wall = Wall::parse(text, &Zone::UTC).expect(text);
    sim.step_wall(wall.0 - sim.now().wall.0);
    sim
}

fn local(sim: &Sim) -> String {
    let zone = Zone::named("Europe/Berlin").expect("zone data");
    sim.now().wall.local(&zone)
}

#[test]
fn row_32_each_local_day_has_one_digest_over_both_changes_of_the_clock() {
    for begin in ["2027-03-25T18:00:00Z", "2027-10-28T18:00:00Z"] {
        let mut sim = at(config(), begin);
        let mut days = Vec::new();
        for hour in 0..6 * 24 {
            // Something ends and something begins in every hour of the week.
            fire(&format!("test.rule:{hour}"));
            if hour > 0 {
                end(&format!("test.rule:{}", hour - 1));
            }
            for _ in 0..60 {
                sim.clear_transcript();
                sim.run_for(seconds(60));
                if news(&sim, DIGEST) > 0 {
                    assert_eq!(news(&sim, DIGEST), 1, "{}", sim.transcript());
                    days.push(local(&sim));
                }
            }
        }
        let mornings: Vec<&str> = days.iter().map(|day| &day[11..16]).collect();
        assert!(
            mornings
                .iter()
                .all(|time| *time == "07:00" || *time == "07:01"),
            "{days:?}"
        );
        let mut dates: Vec<&str> = days.iter().map(|day| &day[..10]).collect();
        assert_eq!(dates.len(), 6, "{days:?}");
        dates.dedup();
        assert_eq!(dates.len(), 6, "one for each day: {days:?}");
    }
}

#[test]
fn row_32_a_clock_that_is_set_in_the_night_makes_no_second_digest_and_loses_none() {
    for (rule, by_ms) in [
        ("back by an hour", -HOUR_MS),
        ("forward by a day", 24 * HOUR_MS),
        ("forward beyond the morning", 6 * HOUR_MS),
        ("a leap second", -1000),
    ] {
        let mut sim = at(config(), "2027-01-10T22:00:00Z");
        fire("test.rule:a");
        sim.run_for(seconds(4 * 3600));
        assert_eq!(news(&sim, ""), 0, "{rule}: {}", sim.transcript());
        sim.step_wall(by_ms);
        sim.run_for(seconds(24 * 3600));
        assert_eq!(news(&sim, DIGEST), 1, "{rule}: {}", sim.transcript());
        assert_eq!(
            news(&sim, "🟠 rack: (a)"),
            0,
            "{rule}: {}",
            sim.transcript()
        );
    }
}

#[test]
fn a_night_that_ends_while_the_machine_sleeps_is_told_when_it_wakes() {
    let mut sim = at(config(), "2027-01-10T22:00:00Z");
    fire("test.rule:a");
    sim.run_for(seconds(3600));
    sim.suspend(seconds(12 * 3600));
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, DIGEST), 1, "{}", sim.transcript());
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
}

/// The thresholds of the host, which have durations.
#[test]
fn rows_31_to_33_no_clock_and_no_sleep_fires_or_ends_anything() {
    let deeds: [fn(&mut Sim); 5] = [
        |sim| sim.step_wall(-HOUR_MS),
        |sim| sim.step_wall(24 * HOUR_MS),
        |sim| sim.step_wall(-sim.now().wall.0 + 5000),
        |sim| sim.step_wall(1_795_300_000_000 - sim.now().wall.0),
        |sim| sim.suspend(seconds(3 * 3600)),
    ];
    for (index, deed) in deeds.iter().enumerate() {
        let heat = |sim: &mut Sim, celsius| {
            sim.machine().sample.temperatures[0].celsius = Some(celsius);
        };
        let mut config = Sim::config(&[]);
        config.plugins = vec!["monitor"];
        let mut sim = settled(config);
        // Above the threshold, but not for the ten seconds that it takes.
        heat(&mut sim, 95.0);
        sim.run_for(seconds(6));
        deed(&mut sim);
        sim.run_for(seconds(3));
        assert_eq!(news(&sim, "🟠"), 0, "{index}: {}", sim.transcript());
        sim.run_for(seconds(20));
        assert_eq!(news(&sim, "🟠"), 1, "{index}: {}", sim.transcript());
        // Below it, but not for long enough either.
        heat(&mut sim, 50.0);
        sim.run_for(seconds(6));
        deed(&mut sim);
        sim.run_for(seconds(3));
        assert_eq!(news(&sim, "✅"), 0, "{index}: {}", sim.transcript());
        heat(&mut sim, 95.0);
        sim.run_for(seconds(60));
        assert_eq!(news(&sim, "✅"), 0, "{index}: {}", sim.transcript());
        heat(&mut sim, 50.0);
        sim.run_for(seconds(60));
        assert_eq!(news(&sim, "✅"), 1, "{index}: {}", sim.transcript());
        assert_eq!(news(&sim, "🟠"), 1, "{index}: {}", sim.transcript());
    }
}
