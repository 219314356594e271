//! The way in through the chat service's foul weather, and through clocks that are wrong, in virtual time. Numbers in
//! names are rows of the table of faults that this project is tested against.

use crate::{GROUP, OWNER, seconds};
use rackwarden_core::config::Config;
use rackwarden_core::plugins::power;
use rackwarden_core::sim::telegram::Closed;
use rackwarden_core::sim::{Sim, Weather};
use serde_json::json;
use std::time::Duration;

const MINUTE_MS: i64 = 60_000;
const OTHER_POLLER: &str = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

fn config() -> Config {
    Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)])
}

/// A world that has settled.
fn sim() -> Sim {
    Sim::settled(config())
}

/// Seconds at which a method was called.
fn calls(sim: &mut Sim, method: &str) -> Vec<f64> {
    let calls = sim.service().calls().iter();
    let calls = calls.filter(|call| method == "*" || call.method == method);
    calls
        .map(|call| call.at.mono.since_start().as_secs_f64())
        .collect()
}

fn problems(sim: &Sim) -> String {
    sim.snapshot()
        .map_or_else(String::new, |snapshot| snapshot.health.problems.join("; "))
}

fn answers(sim: &mut Sim) -> bool {
    sim.clear_transcript();
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(5));
    sim.count("rackwarden 0") == 1
}

#[test]
fn row_6_another_poller_is_told_once_and_gone_when_it_is_gone() {
    let mut sim = sim();
    let now = sim.now();
    sim.service().poll_elsewhere(now);
    sim.run_for(seconds(10));
    assert!(
        answers(&mut sim),
        "three seconds of conflict: {}",
        sim.transcript()
    );
    sim.clear_transcript();
    let from = sim.now().mono.since_start().as_secs_f64();
    sim.set_weather(
        "getUpdates",
        u32::MAX,
        Weather::Refuses(409, OTHER_POLLER, json!({})),
    );
    let now = sim.now();
    sim.service().poll_elsewhere(now);
    sim.run_for(seconds(29));
    assert_eq!(sim.transcript(), "");
    sim.run_for(seconds(571));
    assert_eq!(
        sim.count("No command reaches me: another program receives with the same token"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(sim.count("telegram:1 "), 1);
    assert!(
        problems(&sim).contains("another program"),
        "{}",
        problems(&sim)
    );
    let polls: Vec<f64> = calls(&mut sim, "getUpdates")
        .into_iter()
        .filter(|at| *at > from)
        .collect();
    assert!(
        polls.windows(2).all(|pair| pair[1] - pair[0] >= 3.0),
        "{polls:?}"
    );
    sim.clear_weather();
    sim.run_for(seconds(85));
    assert_eq!(
        sim.count("Commands are received again"),
        1,
        "{}",
        sim.transcript()
    );
    assert!(answers(&mut sim));
}

#[test]
fn row_7_a_webhook_is_named_with_its_remedy_and_sending_goes_on() {
    let mut sim = sim();
    sim.service().set_webhook(true);
    sim.run_for(seconds(100));
    assert_eq!(
        sim.count("No command reaches me: a webhook is set"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(sim.count("/deleteWebhook"), 1);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(5));
    assert_eq!(sim.count("above power limit"), 1, "{}", sim.transcript());
    let polls = calls(&mut sim, "getUpdates");
    sim.run_for(seconds(3600));
    let more = calls(&mut sim, "getUpdates").len() - polls.len();
    assert!(more <= 250, "{more} polls in an hour");
    sim.service().set_webhook(false);
    sim.run_for(seconds(31));
    assert!(answers(&mut sim));
}

#[test]
fn row_8_a_revoked_token_is_tried_three_times_and_then_every_ten_minutes() {
    for is_sending in [false, true] {
        let mut sim = sim();
        sim.service().set_token("1:another");
        if is_sending {
            sim.device("alpha").set_power(3500.0);
        }
        let from = sim.now().mono.since_start().as_secs_f64();
        let until = seconds(3 * 3600);
        sim.run_for(until);
        let all: Vec<f64> = calls(&mut sim, "*")
            .into_iter()
            .filter(|at| *at > from)
            .collect();
        // The poll that was under way may end, and be asked for again.
        assert!((17..=20).contains(&all.len()), "{is_sending}: {all:?}");
        let pauses: Vec<f64> = all.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            pauses.iter().skip(2).all(|pause| *pause >= 600.0),
            "{is_sending}: {pauses:?}"
        );
        assert!(
            problems(&sim).contains("the token is refused"),
            "{}",
            problems(&sim)
        );
        sim.service().set_token("1:simulated");
        sim.run_for(seconds(620));
        assert!(answers(&mut sim), "{is_sending}");
    }
}

#[test]
fn row_9_a_chat_that_threw_the_agent_out_is_parked_and_the_owner_told_once() {
    let mut sim = sim();
    sim.service().set_closed(GROUP, Some(Closed::Kicked));
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(1900));
    assert_eq!(
        sim.count("telegram:-100 cannot be written to"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(sim.count("telegram:-100 #"), 0);
    assert!(answers(&mut sim), "others are not affected");
    sim.service().set_closed(GROUP, None);
    sim.run_for(seconds(700));
    assert_eq!(sim.count("telegram:-100 #"), 1, "{}", sim.transcript());
}

#[test]
fn row_11_a_move_that_a_crash_forgot_is_learned_again() {
    let mut sim = sim();
    sim.set_storage_works(false);
    sim.service().migrate(GROUP, -100_777);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(3));
    sim.set_storage_works(true);
    sim.kill_and_restart();
    sim.run_for(seconds(30));
    assert!(sim.count("telegram:-100777 #") >= 1, "{}", sim.transcript());
    let to_old = |sim: &mut Sim| {
        let calls = sim.service().calls().iter();
        calls
            .filter(|call| call.parameters["chat_id"] == json!(GROUP))
            .count()
    };
    let before = to_old(&mut sim);
    sim.kill_and_restart();
    sim.device("alpha").set_power(1000.0);
    sim.device("bravo").set_power(3500.0);
    sim.run_for(seconds(60));
    assert!(sim.count("telegram:-100777 #") >= 2, "{}", sim.transcript());
    assert_eq!(to_old(&mut sim), before, "the old id is never used again");
}

#[test]
fn row_13_what_is_not_the_services_answer_is_a_failure_and_nothing_is_lost() {
    let torn = br#"{"ok":true,"result":[{"update_id":1,"message":{"te"#;
    for (rule, weather) in [
        (
            "captive_portal",
            Weather::Body(b"<html>Welcome to the hotel</html>".to_vec()),
        ),
        ("torn", Weather::Body(torn.to_vec())),
        ("ten_megabytes", Weather::Body(vec![b' '; 10 << 20])),
        ("compressed", Weather::Gzip(vec![0x1f, 0x8b, 8, 0])),
        (
            "server_error",
            Weather::Refuses(502, "Bad Gateway", json!({})),
        ),
        (
            "another_type",
            Weather::Body(br#"{"ok":true,"result":"fine"}"#.to_vec()),
        ),
    ] {
        let mut sim = sim();
        let now = sim.now();
        sim.set_weather("getUpdates", 4, weather.clone());
        sim.set_weather("sendMessage", 2, weather);
        sim.service().poll_elsewhere(now);
        sim.post(OWNER, OWNER, "/version");
        sim.device("alpha").set_power(3500.0);
        sim.run_for(seconds(120));
        assert!(
            sim.count("rackwarden 0") >= 1,
            "{rule}: {}",
            sim.transcript()
        );
        assert!(
            sim.count("above power limit") >= 1,
            "{rule}: {}",
            sim.transcript()
        );
        assert_eq!(problems(&sim), "", "{rule}");
    }
}

#[test]
fn row_17_updates_count_once_whatever_their_numbers_do() {
    let mut sim = sim();
    let wall = sim.now().wall;
    sim.post(OWNER, OWNER, "/version");
    sim.service()
        .inject("message_reaction", json!({"chat": {"id": 1}}), wall);
    sim.service().inject("poll", json!({}), wall);
    sim.service().skip_updates_to(1_000_000);
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(5));
    assert_eq!(sim.count("rackwarden 0"), 2, "{}", sim.transcript());
    sim.service().skip_updates_to(500);
    sim.repeat_updates();
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(60));
    assert_eq!(sim.count("rackwarden 0"), 3, "{}", sim.transcript());
    let polls = calls(&mut sim, "getUpdates");
    assert!(
        polls.len() < 40,
        "a service that confirms nothing is not asked in a hurry: {}",
        polls.len()
    );
    sim.kill_and_restart();
    sim.run_for(seconds(60));
    assert_eq!(sim.count("rackwarden 0"), 3, "{}", sim.transcript());
}

#[test]
fn row_34_ages_are_judged_by_the_services_clock() {
    for by_minutes in [-5, 5, -30_000_000] {
        let mut sim = sim();
        sim.step_wall(by_minutes * MINUTE_MS);
        sim.post(OWNER, OWNER, "/mute all 1h");
        sim.run_for(seconds(5));
        assert_eq!(
            sim.count("Not run"),
            0,
            "{by_minutes}: {}",
            sim.transcript()
        );
        assert_eq!(sim.count("muted"), 1, "{by_minutes}: {}", sim.transcript());
        sim.post_late(OWNER, OWNER, "/unmute all", seconds(180));
        sim.run_for(seconds(5));
        assert_eq!(
            sim.count("Not run, because it was sent 3 min ago"),
            1,
            "{by_minutes}: {}",
            sim.transcript()
        );
    }
}

#[test]
fn without_any_clock_only_what_was_heard_live_is_run() {
    let mut sim = Sim::with_config(config());
    sim.set_service_dates(false);
    sim.run_for(seconds(60));
    sim.kill_and_restart();
    sim.post(OWNER, OWNER, "/mute all 1h");
    sim.run_for(seconds(5));
    assert_eq!(
        sim.count("Not run, because it was sent at a time that I cannot tell"),
        1,
        "{}",
        sim.transcript()
    );
    sim.post(OWNER, OWNER, "/mute all 2h");
    sim.run_for(seconds(60));
    assert_eq!(
        sim.count("muted"),
        1,
        "it came while the poll listened: {}",
        sim.transcript()
    );
    sim.clear_transcript();
    sim.suspend(seconds(3 * 3600));
    sim.post(OWNER, OWNER, "/unmute all");
    sim.run_for(seconds(5));
    assert_eq!(
        sim.count("Not run"),
        1,
        "nobody listened in between: {}",
        sim.transcript()
    );
}

#[test]
fn a_poll_that_hears_nothing_is_made_anew() {
    let mut sim = sim();
    assert!(answers(&mut sim));
    sim.service().deafen(seconds(10_000));
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(290));
    sim.clear_transcript();
    sim.run_for(seconds(20));
    assert_eq!(
        sim.count("1 questions") + sim.count("rackwarden 0"),
        1,
        "{}",
        sim.transcript()
    );
    let received = sim.snapshot().expect("a snapshot").counters.received;
    assert_eq!((received.replaced, received.pending), (1, 1));
    assert!(answers(&mut sim));
    let looks = calls(&mut sim, "getWebhookInfo").len();
    sim.run_for(seconds(3600));
    let more = calls(&mut sim, "getWebhookInfo").len() - looks;
    assert!((11..=12).contains(&more), "{more} looks in a quiet hour");
    assert_eq!(
        sim.snapshot()
            .expect("a snapshot")
            .counters
            .received
            .replaced,
        1
    );
}

#[test]
fn row_33_after_three_hours_of_sleep_nothing_is_told_and_nothing_is_caught_up() {
    for awake_ms in [0, 3, 700, 1500] {
        let mut sim = sim();
        sim.device("alpha").set_power(3500.0);
        sim.run_for(seconds(60) + Duration::from_millis(awake_ms));
        sim.clear_transcript();
        let polls = |sim: &Sim| power::view(sim.snapshot().expect("a snapshot")).polls.ok;
        let before = polls(&sim);
        sim.suspend(seconds(3 * 3600));
        sim.run_for(seconds(20));
        let told = sim.transcript();
        let reminds = told.starts_with("[t+") && told.contains("🔁 rack: still firing after 3 h");
        assert!(
            reminds && told.lines().count() == 1,
            "awake for {awake_ms} ms: {told}"
        );
        let caught_up = polls(&sim) - before;
        assert!(caught_up <= 2 * 11, "{caught_up} samples in 20 s");
        assert_eq!(problems(&sim), "");
        assert!(answers(&mut sim));
        sim.device("alpha").set_power(1000.0);
        sim.run_for(seconds(20));
        assert_eq!(
            sim.count("✅ rack: (alpha): back below limit after 3 h"),
            1,
            "{}",
            sim.transcript()
        );
    }
}
#[test]
fn row_31_booted_in_1970_nothing_is_false_and_early_times_are_corrected() {
    let mut config = config();
    config.notify.to = vec!["telegram:-100".parse().expect("a chat")];
    let mut sim = Sim::with_config(config);
    let to_1970 = -sim.now().wall.0 + 5000;
    sim.step_wall(to_1970);
    sim.kill_and_restart();
    // Certificates are not valid before the clock is set.
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    sim.run_for(seconds(20));
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(20));
    sim.clear_transcript();
    sim.step_wall(-to_1970);
    sim.clear_weather();
    sim.run_for(seconds(70));
    let transcript = sim.transcript();
    assert_eq!(sim.count("above power limit"), 1, "{transcript}");
    assert!(!transcript.contains("1970"), "{transcript}");
    assert!(
        transcript.contains("(written 2026-11-20 20:00:2"),
        "{transcript}"
    );
    assert_eq!(
        transcript
            .lines()
            .filter(|line| line.starts_with("[t+"))
            .count(),
        1,
        "{transcript}"
    );
    sim.clear_transcript();
    sim.post(OWNER, OWNER, "/alerts");
    sim.run_for(seconds(5));
    assert!(!sim.transcript().contains("1970"), "{}", sim.transcript());
    sim.device("alpha").set_power(1000.0);
    sim.run_for(seconds(20));
    assert_eq!(
        sim.count("✅ rack: (alpha): back below limit after 96 s"),
        1,
        "{}",
        sim.transcript()
    );
}
