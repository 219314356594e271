//! The long history of a whole agent in virtual time: what is kept over kills, stops, power cuts, sleeps and clocks
//! that jump. Numbers in names are rows of the table of faults that this project is tested against.

use crate::{HOUR, MINUTE};
use rackwarden_core::history::{Curve, File, Query, Span};
use rackwarden_core::journal::Broken;
use rackwarden_core::plugins::power;
use rackwarden_core::sim::Sim;
use rackwarden_core::time::Wall;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Two PDUs of a team, read every `interval` seconds.
fn sim_every(interval_s: u64) -> Sim {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    Sim::team(&mut config, "Team Alpha", 6000.0, &["alpha", "bravo"]);
    power::settings_mut(&mut config).interval = Duration::from_secs(interval_s);
    power::settings_mut(&mut config).unreachable_after = Duration::from_secs(interval_s * 5);
    Sim::with_config(config)
}

fn sim() -> Sim {
    sim_every(2)
}

fn curve(sim: &mut Sim, name: &str, span: Duration, points: u32) -> Curve {
    let to = sim.now().wall;
    let query = Query {
        series: vec![name.into()],
        from: to.minus(span),
        to,
        points,
    };
    sim.recall(&query).into_iter().next().unwrap_or_default()
}

/// Everything that is known of a span, with when it was.
fn known(sim: &mut Sim, name: &str, span: Duration, points: u32) -> Vec<(Wall, Span)> {
    let curve = curve(sim, name, span, points);
    let step = curve.step;
    let points = (0u32..).zip(&curve.points);
    points
        .filter_map(|(index, point)| Some((curve.start.plus(step * index), (*point)?)))
        .collect()
}

/// The longest gap between values, and after the last.
fn longest_gap(sim: &mut Sim, span: Duration, step: Duration) -> Duration {
    let points = (span.as_secs() / step.as_secs()) as u32 + 2;
    let times: Vec<Wall> = known(sim, "power.total", span, points)
        .iter()
        .map(|(at, _)| at.plus(step))
        .chain([sim.now().wall])
        .collect();
    let gaps = times.windows(2).map(|pair| pair[1].since(pair[0]));
    gaps.map(|gap| gap.saturating_sub(step))
        .max()
        .unwrap_or(span)
}

#[test]
fn every_level_says_what_was_drawn() {
    let mut sim = sim();
    for minute in 0..100 {
        sim.device("alpha")
            .set_power(1000.0 + 10.0 * f64::from(minute));
        sim.run_for(MINUTE);
    }
    let total = curve(&mut sim, "power.total", HOUR, 1800);
    assert_eq!((total.step.as_secs(), total.points.len()), (2, 1800));
    assert!(total.points.iter().all(Option::is_some));
    let now = sim.now().wall;
    for (name, more) in [
        ("power.pdu/alpha", 0.0),
        ("power.total", 1000.0),
        ("power.team/Team Alpha", 1000.0),
    ] {
        for (at, span) in known(&mut sim, name, 95 * MINUTE, 200) {
            let minute = 99 - now.minus(Duration::from_secs(30)).since(at).as_secs() / 60;
            let want = 1000.0 + 10.0 * minute as f32 + more;
            assert!(
                (span.avg - want).abs() <= 10.0,
                "{name} at {minute}: {span:?}"
            );
            assert!(
                span.min >= want - 10.0 && span.max <= want + 10.0,
                "{name} at {minute}: {span:?}"
            );
        }
    }
    assert_eq!(known(&mut sim, "power.total", 95 * MINUTE, 95).len(), 95);
}

#[test]
fn a_kill_loses_five_minutes_at_most() {
    for after_s in (600..=920).step_by(40) {
        let mut sim = sim();
        sim.run_for(Duration::from_secs(after_s));
        sim.kill_and_restart();
        sim.run_for(30 * MINUTE);
        let gap = longest_gap(&mut sim, 35 * MINUTE, MINUTE);
        assert!(gap <= 5 * MINUTE, "killed after {after_s} s: {gap:?}");
        assert!(gap >= Duration::ZERO);
    }
}

#[test]
fn row_22_a_power_cut_loses_five_minutes_at_most() {
    for seed in 0..8 {
        let mut sim = sim();
        sim.run_for(Duration::from_secs(900 + seed * 41));
        sim.cut_power(seed);
        sim.restart();
        sim.run_for(20 * MINUTE);
        let gap = longest_gap(&mut sim, 30 * MINUTE, MINUTE);
        assert!(gap <= 5 * MINUTE, "{seed}: {gap:?}");
    }
}

#[test]
fn a_stop_loses_nothing_and_the_time_without_an_agent_is_a_gap() {
    let mut sim = sim();
    sim.run_for(50 * MINUTE);
    sim.stop();
    sim.run_for(3 * MINUTE);
    sim.restart();
    sim.run_for(2 * MINUTE);
    let hour = curve(&mut sim, "power.total", 55 * MINUTE, 1650);
    assert_eq!(hour.step.as_secs(), 2, "it is all in memory");
    let gaps: Vec<usize> = (0..1650).filter(|at| hour.points[*at].is_none()).collect();
    assert!((85..100).contains(&gaps.len()), "{gaps:?}");
    assert!(
        gaps.iter()
            .filter(|at| **at > 5)
            .all(|at| (1495..1595).contains(at)),
        "{gaps:?}"
    );
    // A kill after that: the hour was told once.
    sim.kill_and_restart();
    sim.run_for(MINUTE);
    assert_eq!(
        curve(&mut sim, "power.total", 30 * MINUTE, 1800).step,
        MINUTE
    );
    let minutes = known(&mut sim, "power.total", 70 * MINUTE, 70).len();
    assert!((50..=53).contains(&minutes), "{minutes}");
}

#[test]
fn a_step_within_a_minute_keeps_the_first_part_of_the_minute() {
    let mut sim = sim();
    sim.run_for(20 * MINUTE);
    for _ in 0..10 {
        sim.run_for(Duration::from_secs(7));
        sim.stop();
        sim.restart();
    }
    sim.run_for(5 * MINUTE);
    sim.kill_and_restart();
    sim.run_for(MINUTE);
    let gap = longest_gap(&mut sim, 25 * MINUTE, MINUTE);
    assert_eq!(gap, Duration::ZERO);
}

#[test]
fn row_31_what_was_measured_before_the_clock_was_set_gets_its_right_time() {
    let mut sim = sim();
    sim.kill();
    let behind_ms = sim.now().wall.0;
    sim.step_wall(-behind_ms);
    sim.restart();
    sim.run_for(8 * MINUTE);
    assert!(sim.history_storage().size() == 0, "nobody knows when it is");
    sim.device("alpha").set_power(2000.0);
    sim.run_for(2 * MINUTE);
    sim.step_wall(behind_ms);
    sim.run_for(6 * MINUTE);
    sim.kill_and_restart();
    sim.run_for(5 * MINUTE);
    let known = known(&mut sim, "power.pdu/alpha", 21 * MINUTE, 21);
    assert!(known.len() >= 18, "{known:?}");
    let now = sim.now().wall;
    for (at, span) in known {
        let age = now.since(at).as_secs() / 60;
        match age {
            0..=12 => assert_eq!(span.avg, 2000.0, "{age}"),
            14.. => assert_eq!(span.avg, 1000.0, "{age}"),
            _ => {}
        }
    }
}

#[test]
fn a_clock_that_was_behind_for_the_first_minutes_puts_nothing_in_the_wrong_place() {
    let mut sim = sim();
    sim.run_for(30 * MINUTE);
    sim.stop();
    // As a board without a battery: it goes on where it was stopped, three hours late, and learns of it after 40 s.
    sim.run_for(3 * HOUR);
    sim.step_wall(-3 * 3_600_000);
    sim.device("alpha").set_power(2500.0);
    sim.restart();
    sim.run_for(Duration::from_secs(40));
    sim.step_wall(3 * 3_600_000);
    sim.run_for(10 * MINUTE);
    sim.kill_and_restart();
    sim.run_for(MINUTE);
    for (at, span) in known(&mut sim, "power.pdu/alpha", 4 * HOUR, 240) {
        let age = sim.now().wall.since(at);
        match age > 2 * HOUR {
            true => assert_eq!(span.max, 1000.0, "{age:?}"),
            false => assert_eq!(span.min, 2500.0, "{age:?}"),
        }
    }
}

#[test]
fn row_32_steps_of_the_clock_destroy_nothing() {
    let mut sim = sim();
    sim.run_for(3 * HOUR);
    let before = known(&mut sim, "power.total", 3 * HOUR, 180).len();
    sim.device("alpha").set_power(2000.0);
    sim.step_wall(-3_600_000);
    sim.run_for(2 * HOUR);
    sim.kill_and_restart();
    sim.run_for(MINUTE);
    // Of the hour that was lived through twice both are there.
    let known = known(&mut sim, "power.total", 4 * HOUR + MINUTE, 241);
    assert!(known.len() >= before + 50, "{before} {}", known.len());
    let begin = sim.now().wall.minus(4 * HOUR + MINUTE);
    for (at, span) in known {
        let minute = at.since(begin).as_secs() / 60;
        match minute {
            2..=118 => assert_eq!((span.min, span.max), (2000.0, 2000.0), "{minute}"),
            // The last five minutes before the step were not on disk, and went back with the clock.
            122..=172 => assert_eq!((span.min, span.max), (2000.0, 3000.0), "{minute}"),
            182.. => assert_eq!((span.min, span.max), (3000.0, 3000.0), "{minute}"),
            _ => {}
        }
    }
}

#[test]
fn row_33_a_sleep_is_a_gap_on_disk_as_well() {
    let mut sim = sim();
    sim.run_for(30 * MINUTE);
    sim.suspend(3 * HOUR);
    sim.run_for(30 * MINUTE);
    let gap = longest_gap(&mut sim, 4 * HOUR, MINUTE);
    assert!(gap >= 3 * HOUR - 2 * MINUTE && gap <= 3 * HOUR, "{gap:?}");
    let minutes = known(&mut sim, "power.total", 4 * HOUR, 240).len();
    assert!((59..=61).contains(&minutes), "{minutes}");
}

#[test]
fn row_24_and_25_a_disk_that_takes_nothing_for_half_an_hour_costs_nothing() {
    for how in [Broken::Full, Broken::ReadOnly, Broken::Sync] {
        let mut sim = sim();
        sim.run_for(12 * MINUTE);
        sim.history_storage().set_broken(Some(how));
        sim.run_for(30 * MINUTE);
        let health = &sim.look().health.problems;
        assert!(
            health
                .iter()
                .any(|problem| problem.starts_with("history cannot be written: ")),
            "{health:?}"
        );
        sim.history_storage().set_broken(None);
        sim.run_for(6 * MINUTE);
        assert!(sim.look().health.problems.is_empty());
        sim.kill_and_restart();
        sim.run_for(6 * MINUTE);
        let gap = longest_gap(&mut sim, 50 * MINUTE, MINUTE);
        assert!(gap <= 5 * MINUTE, "{how:?}: {gap:?}");
    }
}

#[test]
fn row_23_owners_are_told_once_of_a_bad_file() {
    let mut sim = sim();
    sim.run_for(12 * MINUTE);
    sim.kill();
    sim.history_storage().overwrite(File::Index, b"rubbish");
    sim.restart();
    sim.run_for(12 * MINUTE);
    let told = sim
        .transcript()
        .matches("the history was repaired: ")
        .count();
    assert_eq!(told, 1, "{}", sim.transcript());
    sim.kill_and_restart();
    sim.run_for(12 * MINUTE);
    assert_eq!(
        sim.transcript()
            .matches("the history was repaired: ")
            .count(),
        1
    );
    assert!(known(&mut sim, "power.total", 20 * MINUTE, 20).len() > 15);
}

#[test]
fn a_pdu_that_is_added_or_removed_changes_no_other() {
    let mut sim = sim();
    sim.run_for(12 * MINUTE);
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    power::settings_mut(&mut config).pdus.remove(0);
    config.history.max_series = 0;
    sim.reload(config);
    sim.run_for(12 * MINUTE);
    sim.kill_and_restart();
    sim.run_for(2 * MINUTE);
    let count = |sim: &mut Sim, name: &str| known(sim, name, 26 * MINUTE, 26).len();
    let total = count(&mut sim, "power.total");
    assert!(total >= 21, "{total}");
    for name in [
        "power.pdu/alpha",
        "power.pdu/bravo",
        "power.team/Team Alpha",
    ] {
        let count = count(&mut sim, name);
        assert!((11..=13).contains(&count), "{name}: {count}");
    }
}

#[test]
fn months_are_there_at_the_resolution_that_is_left() {
    let mut sim = sim_every(60);
    for day in 0..35 {
        sim.device("alpha")
            .set_power(1000.0 + 10.0 * f64::from(day));
        sim.run_for(DAY);
    }
    let months = known(&mut sim, "power.pdu/alpha", 34 * DAY, 34 * 24);
    assert!(months.len() > 34 * 24 / 2, "{}", months.len());
    let now = sim.now().wall;
    for (at, span) in months {
        let day = 35.0 - now.since(at).as_secs_f64() / DAY.as_secs_f64();
        let near = |value: f32| (f64::from(value) - (995.0 + 10.0 * day)).abs() < 11.0;
        assert!(
            near(span.min) && near(span.avg) && near(span.max),
            "{day}: {span:?}"
        );
    }
    let week = curve(&mut sim, "power.pdu/alpha", 7 * DAY, 4000);
    assert_eq!(week.step, 3 * MINUTE);
    assert!(week.points.iter().skip(1).all(Option::is_some));
}
