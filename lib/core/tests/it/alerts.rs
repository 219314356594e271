//! Alerts from end to end in virtual time: a device goes above its limit, people read, press and are left alone.

use crate::{GROUP, OWNER, seconds};
use rackwarden_core::alert::Severity;
use rackwarden_core::chat::telegram;
use rackwarden_core::config::RouteConfig;
use rackwarden_core::effect::LogFile;
use rackwarden_core::sim::Sim;
use std::time::Duration;

/// A world that has settled.
fn settled(mut sim: Sim) -> Sim {
    sim.run_for(seconds(20));
    assert_eq!(sim.transcript(), "", "a healthy rack is silent");
    sim
}

fn two() -> Sim {
    settled(Sim::new(&[("alpha", 3000.0), ("bravo", 3000.0)]))
}

/// New messages (no edits) whose first line holds `text`.
fn news(sim: &Sim, text: &str) -> usize {
    messages(sim, text).len()
}

fn messages(sim: &Sim, text: &str) -> Vec<String> {
    let is_wanted = |message: &&str| {
        let line = message.lines().next().unwrap_or_default();
        !line.contains(" edits ") && line.contains(text)
    };
    let transcript = sim.transcript();
    let messages = transcript.split("[t+").skip(1).filter(is_wanted);
    messages.map(str::to_owned).collect()
}

/// Told, and told twice only if the repetition is marked as one.
#[track_caller]
fn assert_told_once(sim: &Sim, text: &str) {
    let told = messages(sim, text);
    let marked = |message: &&String| message.contains("(maybe repeated)");
    let unmarked = told.len() - told.iter().filter(marked).count();
    assert!(
        !told.is_empty() && told.len() <= 2 && unmarked <= 1,
        "{}",
        sim.transcript()
    );
}

#[test]
fn an_excess_is_told_once_acknowledged_by_a_button_and_its_end_is_told() {
    let mut sim = two();
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(10));
    sim.press(OWNER, GROUP, "Ack");
    sim.run_for(seconds(2 * 3600));
    assert_eq!(
        news(&sim, "🔴 rack: (alpha): above power limit: 3120 W > 3000 W"),
        1
    );
    assert_eq!(news(&sim, "🔁"), 0, "{}", sim.transcript());
    sim.device("alpha").set_power(2000.0);
    sim.run_for(seconds(10));
    assert_eq!(
        news(&sim, "✅ rack: (alpha): back below limit after 2 h"),
        1,
        "{}",
        sim.transcript()
    );
}

#[test]
fn an_excess_is_told_within_two_and_a_third_seconds_whenever_it_begins() {
    for offset in 0..40 {
        let mut sim = two();
        sim.run_for(Duration::from_millis(offset * 50));
        sim.device("alpha").set_power(3120.0);
        sim.run_for(Duration::from_millis(2300));
        assert_eq!(news(&sim, "🔴"), 1, "{offset}: {}", sim.transcript());
    }
}

#[test]
fn an_excess_does_not_wait_for_what_acknowledgements_edit() {
    let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
    let mut pdus: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    pdus.push(("bravo", 3000.0));
    let mut sim = settled(Sim::new(&pdus));
    // Far enough apart that each has a message of its own.
    for name in &names {
        sim.device(name).set_power(3120.0);
        sim.run_for(seconds(90));
    }
    for name in &names {
        sim.post(OWNER, GROUP, &format!("/ack {name}"));
    }
    sim.run_for(Duration::from_millis(500));
    sim.device("bravo").set_power(3120.0);
    sim.run_for(Duration::from_millis(2300));
    assert_eq!(news(&sim, "🔴 rack: (bravo)"), 1, "{}", sim.transcript());
    sim.run_for(seconds(120));
    let edited = sim.transcript().matches("— seen by").count();
    assert_eq!(edited, names.len(), "{}", sim.transcript());
}

#[test]
fn an_alert_that_fired_for_hours_is_over_in_two_edits() {
    let mut sim = two();
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(6 * 3600));
    assert_eq!(news(&sim, "🔁"), 11, "{}", sim.transcript());
    sim.clear_transcript();
    sim.device("alpha").set_power(2000.0);
    sim.run_for(seconds(600));
    let transcript = sim.transcript();
    assert_eq!(transcript.matches(" edits ").count(), 2, "{transcript}");
    assert_eq!(news(&sim, "✅ rack: (alpha)"), 1, "{transcript}");
}

/// The agent dies without warning at any moment around the beginning or the end. What was told is not told again but
/// where the service's answer was lost, and nothing stays untold.
#[test]
fn no_moment_to_die_loses_or_repeats_a_message() {
    for step in 0..50 {
        let mut sim = two();
        sim.device("alpha").set_power(3120.0);
        let until = Duration::from_millis(step * 45);
        sim.run_for(until);
        sim.kill_and_restart();
        sim.run_for(seconds(20));
        assert_told_once(&sim, "🔴 rack: (alpha)");
        sim.device("alpha").set_power(1000.0);
        sim.run_for(until);
        sim.kill_and_restart();
        sim.run_for(seconds(60));
        assert_told_once(&sim, "🔴 rack: (alpha)");
        assert_told_once(&sim, "✅ rack: (alpha)");
    }
}

#[test]
fn a_mute_by_button_survives_a_restart_and_its_end_is_told() {
    let mut sim = two();
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(10));
    sim.press(OWNER, GROUP, "Mute 1 h");
    sim.run_for(seconds(600));
    sim.kill_and_restart();
    sim.run_for(seconds(2700));
    assert_eq!(
        news(&sim, "🔁") + news(&sim, "no longer muted"),
        0,
        "{}",
        sim.transcript()
    );
    sim.run_for(seconds(600));
    assert_eq!(news(&sim, "no longer muted"), 1, "{}", sim.transcript());
}

#[test]
fn a_mute_until_tomorrow_ends_at_eight_in_the_morning() {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.notify.repeat.critical = None;
    let mut sim = settled(Sim::with_config(config));
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(10));
    sim.press(OWNER, GROUP, "Until tomorrow 08:00");
    sim.run_for(seconds(10));
    assert_eq!(
        news(&sim, "until 2026-11-21 08:00:00"),
        1,
        "{}",
        sim.transcript()
    );
    sim.clear_transcript();
    sim.run_for(seconds(12 * 3600 - 60));
    assert_eq!(sim.transcript(), "");
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, "no longer muted"), 1, "{}", sim.transcript());
}

#[test]
fn an_alert_shows_its_chart_by_a_button() {
    let mut sim = two();
    sim.run_for(seconds(600));
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(60));
    sim.clear_transcript();
    sim.press(OWNER, GROUP, "Chart");
    sim.run_for(seconds(5));
    assert_eq!(news(&sim, "telegram:-100"), 1, "{}", sim.transcript());
    assert!(sim.transcript().contains("alpha"), "{}", sim.transcript());
}

#[test]
fn a_dead_rack_is_one_message_and_one_about_its_return() {
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let pdus: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let mut sim = settled(Sim::new(&pdus));
    for name in &names {
        sim.device(name).set_silent(true);
    }
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
    assert_eq!(news(&sim, "🟠 rack: 20 alerts"), 1, "{}", sim.transcript());
    for name in &names {
        sim.device(name).set_silent(false);
    }
    sim.run_for(seconds(60));
    assert_eq!(
        news(&sim, "✅ rack: 20 alerts are over"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(news(&sim, ""), 2, "{}", sim.transcript());
}

#[test]
fn a_team_above_its_limit_is_told_with_its_members() {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    Sim::team(&mut config, "Team Alpha", 3500.0, &["alpha", "bravo"]);
    let mut sim = settled(Sim::with_config(config));
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(5));
    assert_eq!(news(&sim, "🔴 rack: 2 alerts"), 1, "{}", sim.transcript());
    let transcript = sim.transcript();
    assert!(
        transcript.contains("Team Alpha (alpha): above power limit"),
        "{transcript}"
    );
    assert!(
        transcript.contains("Team Alpha (team): above power limit"),
        "{transcript}"
    );
}

#[test]
fn routes_choose_the_chat() {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.notify.routes = vec![RouteConfig {
        severity: Some(Severity::Critical),
        alert: Some("power.*".to_owned()),
        to: vec![telegram::place(-7, Some(3))],
    }];
    let mut sim = settled(Sim::with_config(config));
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(5));
    assert_eq!(
        (news(&sim, "telegram:-7"), news(&sim, "telegram:-100")),
        (1, 0)
    );
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(60));
    assert_eq!(
        (news(&sim, "telegram:-7"), news(&sim, "telegram:-100")),
        (1, 1),
        "{}",
        sim.transcript()
    );
}

#[test]
fn commands_about_alerts_are_audited_and_explained() {
    let mut sim = two();
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(10));
    for (line, want) in [
        ("/alerts", "1 alert fires:"),
        (
            "/why power.limit:alpha",
            "rule: above 3000 W; ends at or below",
        ),
        ("/mute all 1h moving racks", "All alerts are muted for 1 h"),
        ("/alerts", "All alerts are muted until"),
        ("/why 1", "all alerts are muted until"),
        ("/unmute all", "Alerts are told again."),
        ("/ack alpha", "seen by"),
        ("/ack", "usage: /ack <alert>"),
        ("/mute alpha soon", "usage: /mute"),
    ] {
        sim.post(OWNER, GROUP, line);
        sim.run_for(seconds(3));
        assert!(
            sim.transcript().contains(want),
            "{line}: {}",
            sim.transcript()
        );
        sim.clear_transcript();
    }
    let audit = sim.log(LogFile::Audit).join("\n");
    for want in [
        "alert.mute:all",
        "alert.unmute:all",
        "alert.ack:power.limit:alpha",
    ] {
        assert!(audit.contains(want), "{want} in {audit}");
    }
}

#[test]
fn why_explains_what_is_ok_and_no_command_takes_a_name_that_does_not_exist() {
    let mut config = Sim::config(&[("alpha", 3333.0), ("bravo", 3000.0)]);
    Sim::team(&mut config, "Team Alpha", 7000.0, &["alpha", "bravo"]);
    let mut sim = settled(Sim::with_config(config));
    sim.device("alpha").set_power(1120.0);
    sim.run_for(seconds(60));
    let alpha =
        "power.limit:alpha is ok.\nrule: above 3333 W; ends at or below 3233.01 W\nlast values:\n";
    let typo = "There is no alert power.limit:alhpa";
    for (line, want) in [
        ("/why power.limit:alpha", alpha),
        ("/why power.limit:alpha", "  1120 W\n20:01:"),
        (
            "/why Team Alpha (team)",
            "power.limit:Team Alpha (team) is ok.\nrule: above 7000 W",
        ),
        (
            "/why power.unreachable:alpha",
            "rule: above 10 s; ends at or below 0 s",
        ),
        (
            "/why alpha",
            "`alpha` may be power.limit:alpha, power.unreachable:alpha.",
        ),
        (
            "/why power.limit:alhpa",
            &format!("{typo}. Did you mean power.limit:alpha?"),
        ),
        ("/why alhpa", "There is no alert alhpa. Did you mean alpha?"),
        (
            "/mute power.limit:alhpa 1h",
            &format!("{typo}; nothing was muted. Did you mean power.limit:alpha?"),
        ),
        (
            "/mute power.restart:alpha 1h",
            "power.restart:alpha is muted for 1 h",
        ),
        (
            "/mute Team Alpha (team) 1h",
            "power.limit:Team Alpha (team) is muted for 1 h",
        ),
        ("/why Team Alpha", "it is muted until"),
        ("/mute all 1h", "All alerts are muted for 1 h"),
        ("/why power.limit:alpha", "all alerts are muted until"),
    ] {
        sim.clear_transcript();
        sim.post(OWNER, GROUP, line);
        sim.run_for(seconds(3));
        let transcript = sim.transcript();
        assert!(
            transcript.contains(want),
            "{line}: no {want:?} in {transcript}"
        );
    }
}

#[test]
fn a_name_that_several_alerts_have_means_the_one_that_fires() {
    let mut sim = two();
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(30));
    // Its limit is unknown meanwhile.
    sim.post(OWNER, GROUP, "/ack alpha");
    sim.run_for(seconds(3));
    assert_eq!(
        news(&sim, "power.unreachable:alpha: seen by"),
        1,
        "{}",
        sim.transcript()
    );
}

#[test]
fn a_rack_that_nothing_happens_to_writes_next_to_nothing() {
    let mut sim = two();
    sim.run_for(seconds(3600));
    let before = sim.records().seq;
    sim.run_for(seconds(3600));
    let turns = sim.records().seq - before;
    // A record of a few hundred bytes a minute is well below 20 MB a day.
    assert!(turns <= 180, "{turns} turns in an hour");
}

#[test]
fn a_full_disk_is_told_and_stops_no_message() {
    let mut sim = two();
    sim.set_storage_works(false);
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, "🔴 rack: (alpha)"), 1, "{}", sim.transcript());
    let told = "🟠 rack: state directory: cannot be written: no space left on device";
    assert_eq!(news(&sim, told), 1, "{}", sim.transcript());
    sim.set_storage_works(true);
    sim.device("alpha").set_power(1000.0);
    sim.run_for(seconds(10));
    assert_eq!(
        news(&sim, "✅ rack: state directory: can be written again"),
        1
    );
    sim.kill_and_restart();
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, "🔴"), 1, "{}", sim.transcript());
    assert_eq!(news(&sim, "✅ rack: (alpha)"), 1, "{}", sim.transcript());
}

#[test]
fn a_reload_ends_the_alert_of_a_removed_device_and_keeps_the_others() {
    let mut sim = two();
    sim.device("alpha").set_power(3120.0);
    sim.device("bravo").set_power(3500.0);
    sim.run_for(seconds(60));
    sim.clear_transcript();
    sim.reload(Sim::config(&[("bravo", 3000.0)]));
    sim.run_for(seconds(60));
    let told = "✅ rack: (alpha): removed from the configuration";
    assert_eq!(news(&sim, told), 1, "{}", sim.transcript());
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
}
