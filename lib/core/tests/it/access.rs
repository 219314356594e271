//! Who may do what, from end to end in virtual time: how the first owner comes to be, who is let in after that, and
//! what a flood of people who may nothing changes for those who may.

use crate::{OWNER, STRANGER, VIEWER, seconds};
use rackwarden_core::chat::{Role, telegram};
use rackwarden_core::config::{Config, GrantConfig};
use rackwarden_core::effect::LogFile;
use rackwarden_core::secret::Secret;
use rackwarden_core::sim::Sim;
use std::time::Duration;

fn config(owners: &[i64]) -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.access.owners = owners.iter().copied().map(telegram::user).collect();
    config.access.grants = vec![GrantConfig::role(telegram::user(VIEWER), Role::Viewer)];
    config
}

fn sim(owners: &[i64]) -> Sim {
    Sim::settled(config(owners))
}

/// Writes a line and lets it be answered.
fn post(sim: &mut Sim, user: i64, line: &str) {
    sim.post(user, user, line);
    sim.run_for(seconds(3));
}

/// A code as `rackwarden pair` prints it.
fn code(sim: &mut Sim) -> String {
    sim.clear_transcript();
    sim.say("/pair");
    sim.run_for(seconds(1));
    let transcript = sim.transcript();
    let code: String = transcript
        .split("terminal] ")
        .nth(1)
        .map(|text| text.chars().take(8).collect())
        .unwrap_or_default();
    assert!(
        code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()),
        "{transcript}"
    );
    assert!(transcript.contains("@rack_bot"), "{transcript}");
    sim.clear_transcript();
    code
}

/// Another code of eight digits.
fn wrong(code: &str) -> String {
    let first = if code.starts_with('9') { '1' } else { '9' };
    format!("{first}{}", &code[1..])
}

#[test]
fn who_sends_the_code_first_becomes_owner_for_good() {
    let mut sim = sim(&[]);
    post(&mut sim, STRANGER, "/permissions");
    assert_eq!(sim.count("You may not use this agent"), 1);
    let code = code(&mut sim);
    post(&mut sim, STRANGER, &format!("/start {code}"));
    assert_eq!(sim.count("You are owner now"), 1, "{}", sim.transcript());
    post(&mut sim, 77, &code);
    assert_eq!(sim.count("You are owner now"), 1, "a code is good for one");
    sim.kill_and_restart();
    sim.run_for(seconds(5));
    sim.clear_transcript();
    post(&mut sim, STRANGER, "/permissions");
    assert_eq!(
        sim.count("the role owner (by pairing)"),
        1,
        "{}",
        sim.transcript()
    );
    let audit = sim.log(LogFile::Audit).join("\n");
    assert!(
        audit.contains("telegram:66 user66: pairing: done: owner"),
        "{audit}"
    );
    assert!(!audit.contains(&code), "{audit}");
}

#[test]
fn a_code_dies_of_time_of_wrong_tries_of_a_restart_and_of_a_newer_one() {
    for (rule, spoil) in [
        (
            "time",
            (|sim, _| sim.run_for(seconds(600))) as fn(&mut Sim, &str),
        ),
        ("tries_of_several_people", |sim, code| {
            for user in [66, 67, 68, 69, 70] {
                post(sim, user, &wrong(code));
            }
        }),
        ("restart", |sim, _| {
            sim.kill_and_restart();
            sim.run_for(seconds(5));
        }),
        ("newer", |sim, _| {
            code(sim);
        }),
    ] {
        let mut sim = sim(&[]);
        let code = code(&mut sim);
        spoil(&mut sim, &code);
        post(&mut sim, STRANGER, &code);
        assert_eq!(
            sim.count("You are owner"),
            0,
            "{rule}: {}",
            sim.transcript()
        );
    }
    let mut sim = sim(&[]);
    let code = code(&mut sim);
    for _ in 0..4 {
        post(&mut sim, STRANGER, &wrong(&code));
    }
    post(&mut sim, STRANGER, &code);
    assert_eq!(sim.count("You are owner"), 1, "the fifth try may be right");
    let audit = sim.log(LogFile::Audit).join("\n");
    assert!(
        audit.contains("refused (wrong code, 1 tries left)"),
        "{audit}"
    );
}

#[test]
fn a_code_counts_in_private_only_and_other_owners_are_told() {
    let mut sim = sim(&[OWNER]);
    let code = code(&mut sim);
    sim.post(STRANGER, -100, &code);
    sim.run_for(seconds(3));
    assert_eq!(sim.count("You are owner"), 0, "{}", sim.transcript());
    post(&mut sim, STRANGER, &code);
    assert_eq!(sim.count("You are owner"), 1, "{}", sim.transcript());
    assert_eq!(sim.count("has become owner by a code"), 1);
    post(&mut sim, OWNER, "/pair");
    assert_eq!(
        sim.count("There is no command /pair"),
        1,
        "{}",
        sim.transcript()
    );
}

#[test]
fn the_owner_is_asked_about_a_stranger_once_and_decides() {
    for (button, said, line, answered) in [
        ("viewer", "has the role viewer", "/current", "1000 W"),
        (
            "operator",
            "has the role operator",
            "/reset alpha",
            "The peak of alpha is",
        ),
        (
            "ignore",
            "Nobody is asked about telegram:66 again",
            "/id",
            "This chat",
        ),
        ("block", "gets no answer any longer", "/id", ""),
    ] {
        let mut sim = sim(&[OWNER]);
        post(&mut sim, STRANGER, "/start");
        post(&mut sim, STRANGER, "/start");
        assert_eq!(sim.count("A stranger writes"), 1, "{}", sim.transcript());
        sim.kill_and_restart();
        sim.run_for(seconds(5));
        sim.clear_transcript();
        sim.press(VIEWER, OWNER, button);
        sim.run_for(seconds(3));
        assert_eq!(sim.count(said), 0, "{button} is the owner's");
        sim.press(OWNER, OWNER, button);
        sim.run_for(seconds(3));
        assert_eq!(sim.count(said), 1, "{button}: {}", sim.transcript());
        let is_let_in = usize::from(matches!(button, "viewer" | "operator"));
        assert_eq!(
            sim.count("You may use this agent now"),
            is_let_in,
            "{button}"
        );
        sim.kill_and_restart();
        sim.run_for(seconds(60));
        sim.clear_transcript();
        post(&mut sim, STRANGER, line);
        match answered {
            "" => assert_eq!(sim.transcript(), "", "{button}"),
            text => assert!(
                sim.transcript().contains(text),
                "{button}: {}",
                sim.transcript()
            ),
        }
        assert_eq!(sim.count("A stranger writes"), 0, "{button}");
    }
}

#[test]
fn a_block_is_lifted_by_a_grant_alone() {
    let mut sim = sim(&[OWNER]);
    post(&mut sim, OWNER, "/permissions block 66");
    post(&mut sim, OWNER, "/revoke 66");
    sim.clear_transcript();
    post(&mut sim, STRANGER, "/id");
    assert_eq!(sim.transcript(), "");
    post(&mut sim, OWNER, "/permissions block 1");
    assert_eq!(sim.count("that is you"), 1);
    post(&mut sim, OWNER, "/grant 66 viewer");
    sim.clear_transcript();
    post(&mut sim, STRANGER, "/current");
    assert_eq!(sim.count("1000 W"), 1, "{}", sim.transcript());
}

/// Fifty strangers a second for three minutes, who write, press and try codes.
#[test]
fn a_flood_of_strangers_slows_nobody_and_fills_nothing() {
    let mut sim = sim(&[OWNER]);
    let mut asked = Vec::new();
    for second in 0..180 {
        for number in 0..50_i64 {
            let stranger = 10_000 + second * 50 + number;
            let line = ["/start", "/reset alpha", "12345678", "/id", "hello"];
            sim.post(stranger, stranger, line[number as usize % 5]);
            sim.run_for(Duration::from_millis(20));
            if number == 25 && second % 2 == 0 {
                asked.push(sim.now().mono);
                sim.post(VIEWER, VIEWER, "/version");
            }
        }
    }
    sim.run_for(seconds(5));
    let mut delays: Vec<Duration> = sim
        .service()
        .messages()
        .iter()
        .filter(|message| message.chat == VIEWER)
        .zip(&asked)
        .map(|(message, asked)| message.at.mono.since(*asked))
        .collect();
    assert_eq!(delays.len(), asked.len(), "every question has its answer");
    delays.sort_unstable();
    let p99 = delays[delays.len() * 99 / 100];
    assert!(p99 < seconds(1), "{p99:?}");
    let asks = sim.count("A stranger writes") + sim.count("More strangers write");
    assert_eq!(
        asks, 11,
        "one question each for ten, and one line for the rest"
    );
    let audit = sim.log(LogFile::Audit).len();
    assert!(audit < 40, "{audit} lines");
    let replies = sim.service().messages().len() - delays.len();
    assert!(replies < 200, "{replies} messages");
}

#[test]
fn secrets_do_not_reach_the_audit_log() {
    let mut config = config(&[OWNER]);
    config.telegram = config.telegram.map(|mut telegram| {
        telegram.token = Secret::new("123456:AAtoken-of-the-bot".to_owned());
        telegram
    });
    let mut sim = Sim::with_config(config);
    sim.service().set_token("123456:AAtoken-of-the-bot");
    sim.run_for(seconds(20));
    for user in [OWNER, VIEWER] {
        post(&mut sim, user, "/mute all 1h 123456:AAtoken-of-the-bot");
    }
    let audit = sim.log(LogFile::Audit).join("\n");
    assert!(audit.contains("/mute all 1h ***"), "{audit}");
    assert!(!audit.contains("AAtoken"), "{audit}");
}

#[test]
fn the_local_status_is_for_those_who_may_look_now() {
    let mut sim = sim(&[OWNER]);
    let viewers = |sim: &Sim| {
        sim.snapshot()
            .map(|snapshot| snapshot.local_viewers.clone())
    };
    post(&mut sim, OWNER, "/grant local:1000 viewer 10m");
    post(&mut sim, OWNER, "/grant local:1001 power.reset:alpha");
    assert_eq!(viewers(&sim), Some(vec![1000]));
    sim.run_for(seconds(600));
    assert_eq!(viewers(&sim), Some(Vec::new()));
}
