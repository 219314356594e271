//! Scenarios of the PDUs in virtual time, through the whole core.

use crate::seconds;
use rackwarden_core::config::Config;
use rackwarden_core::effect::LogFile;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::plugins::power;
use rackwarden_core::plugins::power::{Limit, Limits};
use rackwarden_core::plugins::power::{PduState, PduView};
use rackwarden_core::sim::Sim;
use rackwarden_core::snmp::usm::{Auth, Password, Privacy, Usm};
use rackwarden_core::snmp::{Credentials, Oid, SnmpAnswer, SnmpAsk, Version};
use rackwarden_core::time::Now;
use std::sync::Arc;
use std::time::Duration;

fn exceedings(sim: &Sim) -> Vec<String> {
    sim.log(LogFile::Exceedings).to_vec()
}

fn view(sim: &Sim, index: usize) -> PduView {
    power::view(sim.snapshot().expect("a publication")).pdus[index].clone()
}

fn team(members: &[&str], limit_w: f64) -> Config {
    let pdus: Vec<(&str, f64)> = members.iter().map(|name| (*name, 9000.0)).collect();
    let mut config = Sim::config(&pdus);
    Sim::team(&mut config, "Team Alpha", limit_w, members);
    config
}

#[test]
fn an_excess_begins_and_ends_with_hysteresis_and_two_lines() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.run_for(seconds(5));
    assert_eq!(view(&sim, 0).state, PduState::Ok);
    assert_eq!(view(&sim, 0).power_w, Some(1000.0));
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(2));
    assert_eq!(view(&sim, 0).state, PduState::OverLimit);
    assert_eq!(sim.alert_state("power.limit:alpha"), "firing");
    sim.device("alpha").set_power(2950.0);
    sim.run_for(seconds(20));
    assert_eq!(
        sim.alert_state("power.limit:alpha"),
        "firing",
        "2950 W is above 2910 W"
    );
    sim.device("alpha").set_power(2900.0);
    sim.run_for(seconds(4));
    assert_eq!(sim.alert_state("power.limit:alpha"), "ok");
    let log = exceedings(&sim);
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(
        log[0],
        "2026-11-20 20:00:06 --- (alpha): above power limit: 3120 W > 3000 W"
    );
    assert!(
        log[1].starts_with(
            "2026-11-20 20:00:28 --- (alpha): back below limit after 22 s: peak 3120 W, 0.0000 kWh"
        ),
        "{log:?}"
    );
}

#[test]
fn an_excess_is_told_within_two_and_a_half_seconds_whatever_others_do() {
    let pdus: Vec<(String, f64)> = (0..20).map(|at| (format!("pdu-{at}"), 3000.0)).collect();
    let named: Vec<(&str, f64)> = pdus
        .iter()
        .map(|(name, limit)| (name.as_str(), *limit))
        .collect();
    let mut sim = Sim::new(&named);
    for dead in 10..20 {
        sim.device(&format!("pdu-{dead}")).set_silent(true);
    }
    sim.device("pdu-9").set_delay(Duration::from_millis(1500));
    sim.run_for(Duration::from_millis(20_100));
    sim.device("pdu-0").set_power(3120.0);
    sim.run_for(Duration::from_millis(2500));
    assert!(
        sim.transcript()
            .contains("above power limit: 3120 W > 3000 W"),
        "{}",
        sim.transcript()
    );
    assert_eq!(view(&sim, 9).state, PduState::Ok, "slow is not dead");
}

#[test]
fn a_slow_device_is_not_asked_in_vain_and_a_quick_one_soon_again() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").set_delay(Duration::from_millis(1200));
    sim.run_for(seconds(60));
    let before = sim.device("alpha").questions();
    sim.run_for(seconds(20));
    assert_eq!(sim.device("alpha").questions() - before, 10, "once a cycle");
    assert_eq!(view(&sim, 0).state, PduState::Ok);
}

#[test]
fn a_silent_device_is_stale_then_unreachable_and_never_resolved_by_silence() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(5));
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(6));
    assert_eq!(view(&sim, 0).state, PduState::Stale);
    sim.run_for(seconds(6));
    assert_eq!(view(&sim, 0).state, PduState::Unreachable);
    assert_eq!(sim.alert_state("power.unreachable:alpha"), "firing");
    assert_eq!(sim.alert_state("power.limit:alpha"), "unknown");
    assert_eq!(exceedings(&sim).len(), 1, "no end line");
    let answer = sim.ask("/current");
    assert!(
        answer.contains("alpha  does not answer, last 3500 W"),
        "{answer}"
    );
    sim.device("alpha").set_silent(false);
    sim.device("alpha").set_power(500.0);
    sim.run_for(seconds(4));
    assert_eq!(sim.alert_state("power.unreachable:alpha"), "ok");
    assert_eq!(sim.alert_state("power.limit:alpha"), "ok");
    assert_eq!(exceedings(&sim).len(), 2);
}

#[test]
fn a_device_that_never_answers_is_unreachable() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(5));
    assert_eq!(view(&sim, 0).state, PduState::Unknown);
    sim.run_for(seconds(8));
    assert_eq!(view(&sim, 0).state, PduState::Unreachable);
    assert_eq!(view(&sim, 0).power_w, None);
}

#[test]
fn a_sum_with_a_missing_member_may_fire_but_never_ends() {
    let mut sim = Sim::with_config(team(&["alpha", "bravo"], 3000.0));
    sim.run_for(seconds(5));
    let sum = |sim: &Sim| power::view(sim.snapshot().expect("a publication")).teams[0].clone();
    assert_eq!(sum(&sim).power_w, Some(2000.0));
    assert_eq!(sum(&sim).state, PduState::Ok);
    sim.device("bravo").set_silent(true);
    sim.run_for(seconds(4));
    assert_eq!(sum(&sim).power_w, Some(1000.0));
    assert_eq!(sum(&sim).state, PduState::Unknown);
    assert_eq!(*sum(&sim).missing, [1]);
    assert!(sim.ask("/current team").contains("≥ 1000 W (1 of 2)"));
    let name = "power.limit:Team Alpha (team)";
    assert_eq!(sim.alert_state(name), "unknown");
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(4));
    assert_eq!(sim.alert_state(name), "firing");
    sim.device("alpha").set_power(100.0);
    sim.run_for(seconds(6));
    assert_eq!(
        sim.alert_state(name),
        "unknown",
        "a lower bound ends nothing"
    );
    assert_eq!(exceedings(&sim).len(), 1);
    sim.device("bravo").set_silent(false);
    sim.run_for(seconds(6));
    assert_eq!(sim.alert_state(name), "ok");
    let log = exceedings(&sim);
    assert!(
        log[0].contains("--- Team Alpha (team): above power limit: 3500 W > 3000 W"),
        "{log:?}"
    );
    assert!(
        log[1].contains("--- Team Alpha (team): back below limit after"),
        "{log:?}"
    );
}

#[test]
fn the_site_has_a_soft_and_a_hard_limit() {
    let mut config = Sim::config(&[("alpha", 9000.0), ("bravo", 9000.0)]);
    let limit = |on_w| {
        Some(Limit {
            on_w,
            off_w: on_w * 0.97,
        })
    };
    power::settings_mut(&mut config).site = Limits {
        soft: limit(3000.0),
        hard: limit(5000.0),
    };
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(5));
    sim.device("alpha").set_power(2500.0);
    sim.run_for(seconds(3));
    assert_eq!(sim.alert_state("power.soft:site (soft)"), "firing");
    assert_eq!(sim.alert_state("power.limit:site (hard)"), "ok");
    sim.device("bravo").set_power(4000.0);
    sim.run_for(seconds(3));
    assert_eq!(sim.alert_state("power.limit:site (hard)"), "firing");
    let log = exceedings(&sim);
    assert!(
        log[0].ends_with("--- site (soft): above power limit: 3500 W > 3000 W"),
        "{log:?}"
    );
    assert!(
        log[1].ends_with("--- site (hard): above power limit: 6500 W > 5000 W"),
        "{log:?}"
    );
}

#[test]
fn a_restart_of_the_device_is_an_event() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.run_for(seconds(60));
    let now = sim.now();
    sim.device("alpha").agent().restart(now);
    sim.run_for(seconds(5));
    assert!(
        sim.transcript().contains("restarted: its uptime went back"),
        "{}",
        sim.transcript()
    );
    assert!(view(&sim, 0).restarted_at.is_some());
    assert_eq!(view(&sim, 0).state, PduState::Ok);
}

#[test]
fn a_peak_between_two_readings_is_told_once_and_a_reset_re_arms_it() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.run_for(seconds(11));
    sim.device("alpha").agent().add_step(
        Duration::from_millis(12_500),
        Duration::from_millis(12_700),
        2310.0,
    );
    sim.run_for(seconds(10));
    let line = "--- (alpha): peak above power limit between readings: 3310 W > 3000 W";
    let told = |sim: &Sim| {
        exceedings(sim)
            .iter()
            .filter(|entry| entry.ends_with(line))
            .count()
    };
    assert_eq!(told(&sim), 1, "{:?}", exceedings(&sim));
    assert_eq!(sim.alert_state("power.limit:alpha"), "ok");
    let now = sim.now();
    sim.device("alpha").agent().reset_peak(now);
    sim.run_for(seconds(5));
    let from = sim.now().mono.since_start();
    sim.device("alpha").agent().add_step(
        from + Duration::from_millis(1500),
        from + Duration::from_millis(1700),
        2310.0,
    );
    sim.run_for(seconds(6));
    assert_eq!(told(&sim), 2, "{:?}", exceedings(&sim));
    assert!(
        sim.ask("/exceedings")
            .contains("peak between readings 3310 W > 3000 W")
    );
}

#[test]
fn an_excess_that_a_crash_cut_off_gets_its_end_line_at_the_next_start() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.run_for(seconds(5));
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(100));
    sim.kill_and_restart();
    sim.run_for(seconds(1));
    let log = exceedings(&sim);
    assert!(
        log[1].contains("(alpha): back below limit after"),
        "{log:?}"
    );
    assert!(
        log[1].ends_with("(as far as seen before the agent stopped)"),
        "{log:?}"
    );
    sim.clear_transcript();
    sim.run_for(seconds(20));
    assert!(
        !sim.transcript().contains("above power limit"),
        "it still fires, which is no news"
    );
    assert_eq!(sim.alert_state("power.limit:alpha"), "firing");
    sim.device("alpha").set_power(1000.0);
    sim.run_for(seconds(4));
    assert_eq!(sim.alert_state("power.limit:alpha"), "ok");
    let answer = sim.ask("/exceedings");
    assert!(answer.contains("2 excesses"), "{answer}");
}

#[test]
fn peaks_survive_a_crash_but_for_the_last_minute() {
    let mut sim = Sim::new(&[("alpha", 9000.0)]);
    sim.device("alpha").set_power(2500.0);
    sim.run_for(seconds(10));
    sim.device("alpha").set_power(500.0);
    sim.run_for(seconds(120));
    sim.device("alpha").set_silent(true);
    sim.kill_and_restart();
    sim.run_for(seconds(1));
    assert_eq!(view(&sim, 0).peak_w, Some(2500.0));
}

#[test]
fn a_reload_keeps_what_has_the_same_name_and_ends_what_is_gone() {
    let mut sim = Sim::new(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    for name in ["alpha", "bravo"] {
        sim.device(name).set_power(3120.0);
    }
    sim.run_for(seconds(5));
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    power::settings_mut(&mut config).pdus.remove(0);
    sim.reload(config);
    sim.run_for(seconds(1));
    assert_eq!(
        view(&sim, 0).power_w,
        Some(3120.0),
        "bravo is the first now"
    );
    sim.run_for(seconds(5));
    assert_eq!(sim.alert_state("power.limit:alpha"), "ok");
    assert_eq!(sim.alert_state("power.limit:bravo"), "firing");
    assert!(
        sim.transcript().contains("removed from the configuration"),
        "{}",
        sim.transcript()
    );
    let begins = exceedings(&sim)
        .iter()
        .filter(|line| line.contains("(bravo): above"))
        .count();
    assert_eq!(begins, 1, "the excess goes on");
    assert_eq!(view(&sim, 0).state, PduState::OverLimit);
}

#[test]
fn a_reset_is_confirmed_written_and_read_back() {
    let mut sim = Sim::new(&[("alpha", 9000.0)]);
    sim.device("alpha").set_power(2500.0);
    sim.run_for(seconds(10));
    sim.device("alpha").set_power(800.0);
    sim.run_for(seconds(4));
    sim.post(1, 1, "/reset alpha");
    sim.run_for(seconds(2));
    assert!(
        sim.transcript().contains("The peak of alpha is 2500 W"),
        "{}",
        sim.transcript()
    );
    sim.press(1, 1, "Reset the peak of alpha");
    sim.run_for(seconds(6));
    let transcript = sim.transcript();
    assert!(
        transcript.contains("peak reset on the device: 2500 W → 800 W"),
        "{transcript}"
    );
    assert_eq!(view(&sim, 0).peak_w, Some(800.0));
    assert!(
        sim.log(LogFile::Audit)
            .iter()
            .any(|line| line.contains("power.reset:alpha"))
    );
}

#[test]
fn without_a_write_community_only_the_agents_peak_starts_anew() {
    let mut config = Sim::config(&[("alpha", 9000.0)]);
    power::settings_mut(&mut config).pdus[0].write = None;
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(5));
    sim.post(1, 1, "/reset alpha");
    sim.run_for(seconds(2));
    sim.press(1, 1, "Reset the peak of alpha");
    sim.run_for(seconds(3));
    assert!(
        sim.transcript()
            .contains("only the agent's own peak was reset: no write_community"),
        "{}",
        sim.transcript()
    );
}

/// A user with these passwords, SHA-1 and AES-128.
fn user(auth: &str, privacy: &str) -> Arc<Usm> {
    Arc::new(Usm {
        user: "apc".into(),
        context: "".into(),
        auth: Some(Arc::new(Password::new(Auth::Sha1, auth))),
        privacy: Some((
            Privacy::Aes128,
            Arc::new(Password::new(Auth::Sha1, privacy)),
        )),
    })
}

#[test]
fn a_pdu_that_refuses_the_user_says_why() {
    for (auth, privacy, want) in [
        ("wrong-pass", "privpass1", "wrong authentication password"),
        ("authpass1", "wrong-pass", "wrong privacy password"),
    ] {
        let mut config = Sim::config(&[("alpha", 3000.0)]);
        power::settings_mut(&mut config).pdus[0].credentials =
            Credentials::Usm(user(auth, privacy));
        let mut sim = Sim::with_config(config);
        let known = user("authpass1", "privpass1");
        sim.device("alpha").agent().add_user(known, true);
        sim.run_for(seconds(20));
        assert_eq!(view(&sim, 0).state, PduState::Unreachable);
        let answer = sim.ask("/current");
        assert!(answer.contains(want), "{answer}");
        let transcript = sim.transcript();
        assert!(transcript.contains(want), "the alert says so: {transcript}");
    }
}

#[test]
fn a_pdu_is_read_by_community_and_reset_by_a_user() {
    let mut config = Sim::config(&[("alpha", 9000.0)]);
    let usm = user("authpass1", "privpass1");
    power::settings_mut(&mut config).pdus[0].write = Some(Credentials::Usm(Arc::clone(&usm)));
    let mut sim = Sim::with_config(config);
    sim.device("alpha").agent().add_user(usm, true);
    sim.run_for(seconds(5));
    sim.post(1, 1, "/reset alpha");
    sim.run_for(seconds(2));
    sim.press(1, 1, "Reset the peak of alpha");
    sim.run_for(seconds(8));
    let transcript = sim.transcript();
    assert!(
        transcript.contains("peak reset on the device"),
        "{transcript}"
    );
    assert_eq!(sim.device("alpha").agent().sets(), 1);
}

#[test]
fn a_pdu_is_read_by_a_user_and_reset_by_community() {
    let mut config = Sim::config(&[("alpha", 9000.0)]);
    let usm = user("authpass1", "privpass1");
    power::settings_mut(&mut config).pdus[0].credentials = Credentials::Usm(Arc::clone(&usm));
    let mut sim = Sim::with_config(config);
    sim.device("alpha").agent().add_user(usm, false);
    sim.run_for(seconds(5));
    assert_eq!(view(&sim, 0).state, PduState::Ok);
    sim.post(1, 1, "/reset alpha");
    sim.run_for(seconds(2));
    sim.press(1, 1, "Reset the peak of alpha");
    sim.run_for(seconds(8));
    assert_eq!(sim.device("alpha").agent().sets(), 1);
}

#[test]
fn the_commands_answer_with_figures_of_the_same_moment() {
    let mut sim = Sim::with_config(team(&["alpha", "bravo"], 9000.0));
    sim.device("bravo").set_power(1310.0);
    sim.run_for(seconds(11));
    let answer = sim.ask("/current");
    for line in [
        "Power at 2026-11-20 20:00:10",
        "alpha       1000 W",
        "bravo       1310 W",
        "Team Alpha  2310 W",
        "all PDUs    2310 W",
    ] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    let answer = sim.ask("/peaks bravo");
    assert!(answer.contains("1310 W  2026-11-20 20:00:"), "{answer}");
    assert!(sim.ask("/energy alpha").contains(" kWh"));
    assert!(sim.ask("/exceedings").contains("No excess is known"));
    assert!(
        sim.ask("/exceedings csv")
            .contains("The excesses as a table")
    );
}

#[test]
fn a_name_that_nothing_has_is_told_with_the_nearest() {
    let mut sim = Sim::with_config(team(&["alpha", "bravo"], 9000.0));
    sim.run_for(seconds(3));
    for (line, want) in [
        (
            "/current alpah",
            "There is no PDU or team alpah. Did you mean alpha?",
        ),
        (
            "/peaks zzz",
            "There is no PDU or team zzz. /current lists them.",
        ),
        (
            "/outlets Team Alpha",
            "There is no PDU Team. /current lists them.",
        ),
        ("/outlets", "usage: /outlets <pdu>"),
        ("/reset bravp", "There is no PDU bravp. Did you mean bravo?"),
        ("/reset bravo nonsense", "usage: /reset [name] [energy]"),
        (
            "/outlet zzz 1 off",
            "There is no PDU zzz. /current lists them.",
        ),
        ("/outlet alpha 1 of", "usage: /outlet <pdu> <outlets>"),
    ] {
        let answer = sim.ask(line);
        assert!(answer.contains(want), "{line}: {answer}");
    }
}

#[test]
fn between_the_limit_and_its_clearing_value_nobody_is_said_to_be_above_it_now() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").set_power(3120.0);
    sim.run_for(seconds(5));
    sim.device("alpha").set_power(2950.0);
    sim.run_for(seconds(3));
    let answer = sim.ask("/alerts");
    let want = "(alpha): above power limit: 3120 W > 3000 W, now 2950 W";
    assert!(answer.contains(want), "{answer}");
}

#[test]
fn a_device_that_never_answered_is_not_said_to_have_no_meter() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").set_silent(true);
    sim.run_for(seconds(3));
    let answer = sim.ask("/energy alpha");
    assert!(answer.contains("alpha  not known"), "{answer}");
}

#[test]
fn the_time_of_a_peak_that_was_seen_to_come_does_not_depend_on_the_devices_clock() {
    for zone in ["Pacific/Auckland", "America/Los_Angeles"] {
        let mut sim = Sim::new(&[("alpha", 3000.0)]);
        let zone = rackwarden_core::time::Zone::named(zone).expect("a known zone");
        sim.device("alpha").agent().set_zone(zone);
        sim.run_for(seconds(5));
        let first = view(&sim, 0).peak_time;
        assert!(
            first.is_none_or(|first| first < sim.now().wall),
            "{first:?}"
        );
        sim.device("alpha").set_power(2500.0);
        sim.run_for(seconds(5));
        let peak_time = view(&sim, 0).peak_time.expect("it was seen");
        assert!(
            sim.now().wall.since(peak_time) <= seconds(5),
            "{peak_time:?}"
        );
        assert!(peak_time <= sim.now().wall, "{peak_time:?}");
    }
}

#[test]
fn a_lost_answer_costs_a_reading_and_no_more() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.run_for(seconds(5));
    sim.device("alpha").set_delay(seconds(3));
    sim.run_for(seconds(2));
    sim.device("alpha").set_delay(Duration::from_millis(5));
    sim.run_for(seconds(4));
    assert_eq!(view(&sim, 0).state, PduState::Ok);
    let polls = power::view(sim.snapshot().expect("a publication")).polls;
    assert_eq!(polls.failed, 1);
}

#[test]
fn what_is_kept_of_a_device_is_small() {
    assert!(
        size_of::<PduView>() <= 256,
        "{} bytes",
        size_of::<PduView>()
    );
}

#[test]
fn the_alert_of_a_pdu_that_was_removed_while_the_agent_did_not_run_ends() {
    let mut sim = Sim::new(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    sim.device("bravo").set_power(3120.0);
    sim.run_for(seconds(5));
    sim.reload(Sim::config(&[("alpha", 3000.0)]));
    sim.kill_and_restart();
    sim.run_for(seconds(10));
    assert_eq!(sim.alert_state("power.limit:bravo"), "ok");
    assert!(
        sim.transcript().contains("removed from the configuration"),
        "{}",
        sim.transcript()
    );
}

#[test]
fn a_device_that_mistakes_the_order_of_its_objects_is_found_and_read() {
    // Its sysObjectID says nothing, so it is asked for objects of every maker, also for some that stand behind its own:
    // 21239 is sent as 81 A5 77, and 318 as 82 3E.
    let recording = b"1.3.6.1.2.1.1.1.0|4|Switched Rack PDU\n\
        1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n\
        1.3.6.1.2.1.1.3.0|67|4711\n\
        1.3.6.1.4.1.318.1.1.26.4.3.1.1.1|2|1\n\
        1.3.6.1.4.1.318.1.1.26.4.3.1.5.1|2|27\n";
    for only_v1 in [false, true] {
        let mut agent = Agent::from_recording(recording).expect("a recording");
        agent.mistake_order();
        if only_v1 {
            agent.speak_only_v1();
        }
        let geist: Oid = "1.3.6.1.4.1.21239.5.2.3.1.1.9".parse().expect("an OID");
        let name = answer(&mut agent, only_v1, &geist);
        assert!(name < geist, "it answers with an object in front: {name}");
        let mut sim = Sim::new(&[("alpha", 3000.0)]);
        *sim.device("alpha").agent() = agent;
        sim.run_for(seconds(30));
        let alpha = view(&sim, 0);
        assert_eq!(alpha.power_w, Some(270.0), "{:?}", alpha.reason);
        let profile = alpha.profile.expect("it was found");
        assert_eq!(&*profile.name, "apc-rpdu2");
    }
}

/// What a device names when it is asked for what follows this object.
fn answer(agent: &mut Agent, only_v1: bool, after: &Oid) -> Oid {
    let version = if only_v1 { Version::V1 } else { Version::V2c };
    let ask = SnmpAsk::GetNext(Arc::from([after.clone()]));
    match agent.ask(Now::default(), version, &ask) {
        Ok(SnmpAnswer::Binds(binds)) => binds[0].oid.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_that_speaks_only_version_1_is_found_and_stays_read() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").agent().speak_only_v1();
    sim.run_for(seconds(20));
    assert_eq!(view(&sim, 0).power_w, Some(1000.0));
    assert_eq!(view(&sim, 0).state, PduState::Ok);
    let failed = power::view(sim.snapshot().expect("a publication"))
        .polls
        .failed;
    sim.run_for(seconds(60));
    let polls = power::view(sim.snapshot().expect("a publication")).polls;
    assert_eq!(polls.failed, failed, "it is not asked with v2c again");
}

#[test]
fn an_excess_that_a_crash_cuts_off_is_told_as_far_as_it_was_seen() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(Duration::from_secs(55));
    sim.device("alpha").set_power(1000.0);
    sim.kill_and_restart();
    sim.run_for(Duration::from_secs(5));
    let lines = sim.log(LogFile::Exceedings).join("\n");
    let seconds = lines
        .split("back below limit after ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let seconds: u64 = seconds.and_then(|text| text.parse().ok()).unwrap_or(0);
    assert!((40..=55).contains(&seconds), "{lines}");
}
