//! The way in, in virtual time: what becomes of a command when the agent is killed, when it arrives late, when nobody
//! knows what time it is. Numbers in names are rows of the table of faults that this project is tested against.

use crate::{OWNER, millis, seconds};
use rackwarden_core::config::Config;
use rackwarden_core::effect::LogFile;
use rackwarden_core::sim::Sim;
use std::time::Duration;

fn config() -> Config {
    Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)])
}

/// A world that has settled, where alpha has drawn more than it does.
fn sim() -> Sim {
    let mut sim = Sim::with_config(config());
    sim.device("alpha").set_power(2000.0);
    sim.run_for(seconds(20));
    sim.device("alpha").set_power(1200.0);
    sim.run_for(seconds(20));
    sim.clear_transcript();
    sim
}

fn marks(sim: &Sim) -> usize {
    let keys = sim.records().map.keys();
    keys.filter(|key| key.starts_with("inbox/")).count()
}

fn sets(sim: &mut Sim) -> usize {
    sim.device("alpha").agent().sets()
}

fn ask_for_a_reset(sim: &mut Sim) {
    sim.post(OWNER, OWNER, "/reset alpha");
    sim.run_for(seconds(2));
    sim.press(OWNER, OWNER, "Reset the peak of alpha");
}

#[test]
fn a_reset_that_a_kill_interrupts_is_never_written_twice_and_its_state_is_told() {
    let mut told_unknown = 0;
    for after in (0..120).step_by(7) {
        let mut sim = sim();
        sim.device("alpha").set_delay(millis(60));
        ask_for_a_reset(&mut sim);
        sim.run_for(millis(after));
        sim.kill_and_restart();
        sim.run_for(seconds(20));
        let transcript = sim.transcript();
        let done = sets(&mut sim);
        assert!(
            done <= 1,
            "killed after {after} ms: {done} SETs: {transcript}"
        );
        let unknown = sim.count("Outcome unknown");
        assert!(unknown <= 1, "killed after {after} ms: {transcript}");
        if unknown == 1 {
            let peak = if done == 1 { 1200 } else { 2000 };
            let state = format!("The peak of alpha is {peak} W now");
            assert_eq!(sim.count(&state), 1, "{transcript}");
            assert!(
                sim.log(LogFile::Audit)
                    .iter()
                    .any(|line| line.contains("outcome unknown"))
            );
            told_unknown += 1;
        }
        // Whatever happened, the person knows: by the outcome, the unknown outcome, or a button that did nothing.
        let told = [
            "Outcome unknown",
            "peak reset on the device",
            "took the reset",
        ];
        let is_told = told.iter().any(|text| sim.count(text) > 0);
        assert!(
            is_told || done == 0,
            "killed after {after} ms: {transcript}"
        );
        assert_eq!(marks(&sim), 0, "killed after {after} ms");
        sim.kill_and_restart();
        sim.run_for(seconds(20));
        assert_eq!(sim.count("Outcome unknown"), unknown, "told once");
        assert_eq!(sets(&mut sim), done);
    }
    assert!(told_unknown >= 3, "{told_unknown}");
}

#[test]
fn a_state_that_cannot_be_read_back_is_told_as_such() {
    let mut sim = sim();
    sim.device("alpha").set_delay(millis(100));
    ask_for_a_reset(&mut sim);
    sim.run_for(millis(60));
    sim.device("alpha").set_silent(true);
    sim.kill_and_restart();
    sim.run_for(seconds(60));
    assert_eq!(
        sim.count("alpha has not said its peak since"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(marks(&sim), 0);
}

#[test]
fn what_a_command_does_outside_waits_for_its_mark() {
    let mut sim = sim();
    ask_for_a_reset(&mut sim);
    sim.set_storage_works(false);
    sim.run_for(millis(100));
    assert_eq!(sets(&mut sim), 0);
    sim.run_for(seconds(5));
    assert_eq!(
        sets(&mut sim),
        1,
        "a disk that does not answer keeps nobody waiting"
    );
    assert!(
        sim.count("peak reset on the device") == 1,
        "{}",
        sim.transcript()
    );
}

#[test]
fn a_question_that_a_kill_interrupts_is_answered_after_it() {
    let mut sim = sim();
    sim.post(OWNER, OWNER, "/status");
    // The update has arrived and is on disk; the figures of the host have not.
    for _ in 0..200 {
        sim.run_for(Duration::from_micros(250));
        if marks(&sim) == 1 {
            break;
        }
    }
    assert_eq!((marks(&sim), sim.count("0.10")), (1, 0));
    sim.kill_and_restart();
    sim.run_for(seconds(10));
    assert_eq!(sim.count("0.10"), 1, "{}", sim.transcript());
    assert_eq!(marks(&sim), 0);
}

#[test]
fn every_command_ends_its_mark() {
    let mut sim = sim();
    for line in [
        "/start",
        "/help",
        "/help reset",
        "/id",
        "/status",
        "/current",
        "/peaks",
        "/energy alpha",
        "/exceedings",
        "/exceedings csv",
        "/outlets alpha",
        "/reset",
        "/reset alpha",
        "/alerts",
        "/ack x",
        "/mute all 1h",
        "/unmute all",
        "/why x",
        "/audit",
        "/grant 66 viewer",
        "/revoke 66",
        "/permissions",
        "/plugins",
        "/version",
        "/nonsense",
        "/mute",
    ] {
        sim.post(OWNER, OWNER, line);
        sim.run_for(seconds(30));
        assert_eq!(marks(&sim), 0, "{line}");
    }
}

#[test]
fn row_51_a_reset_from_before_an_outage_of_three_hours_is_offered_and_not_run() {
    let mut sim = sim();
    sim.post_late(OWNER, OWNER, "/reset alpha", seconds(3 * 3600));
    sim.post_late(OWNER, OWNER, "/mute all 8h", seconds(3 * 3600 - 60));
    sim.run_for(seconds(20));
    assert_eq!(
        sim.count("Not run, because it was sent 3 h ago: /reset alpha"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(
        sim.count("Not run, because it was sent 2 h 59 min ago: /mute all 8h"),
        1
    );
    assert_eq!((sim.count("muted"), sim.count("The peak of alpha")), (0, 0));
    sim.press(OWNER, OWNER, "Run now");
    sim.run_for(seconds(5));
    assert_eq!(sim.count("muted"), 1, "{}", sim.transcript());
    assert_eq!(sets(&mut sim), 0);
}

#[test]
fn questions_from_before_an_outage_get_one_answer_for_each_chat() {
    let mut sim = sim();
    for minutes in [180, 150, 120] {
        sim.post_late(OWNER, OWNER, "/current", seconds(minutes * 60));
        sim.post_late(OWNER, -100, "/peaks", seconds(minutes * 60));
    }
    sim.post_late(OWNER, OWNER, "good morning", seconds(3600));
    sim.post_late(OWNER, OWNER, "/status", seconds(601));
    sim.post_late(OWNER, OWNER, "/version", seconds(599));
    sim.run_for(seconds(30));
    let told = "4 questions were not answered, the oldest was asked 3 h ago: /current, /status";
    assert_eq!(sim.count(told), 1, "{}", sim.transcript());
    assert_eq!(
        sim.count("3 questions were not answered"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(sim.count(" W"), 0);
    assert_eq!(sim.count("rackwarden"), 1, "ten minutes are not too long");
    let messages = sim
        .transcript()
        .lines()
        .filter(|line| line.starts_with("[t+"))
        .count();
    assert!(messages <= 3 + 2, "{}", sim.transcript());
}
