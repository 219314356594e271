//! A state directory of an earlier version: `states/journal` was written by one whose places, people and alerts were
//! other types. It has grants, a group with a new id, strangers, alerts, a mute, and messages that had not left.

use crate::{OWNER, seconds};
use rackwarden_core::chat::{Place, Role, mail, telegram};
use rackwarden_core::config::GrantConfig;
use rackwarden_core::journal::FileKind;
use rackwarden_core::sim::Sim;

const JOURNAL: &[u8] = include_bytes!("../states/journal");

/// An agent that starts from it.
fn sim() -> Sim {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    Sim::team(&mut config, "Team Alpha", 5000.0, &["alpha", "bravo"]);
    let to = |chat, topic| telegram::place(chat, topic);
    config.notify.to = vec![
        to(-100, Some(7)),
        to(-5, None),
        mail::place("oncall@example.org"),
    ];
    for (who, role) in [
        (telegram::group(-5), Role::Viewer),
        (telegram::user(2), Role::Viewer),
    ] {
        config.access.grants.push(GrantConfig::role(who, role));
    }
    let mut sim = Sim::with_config(config);
    sim.device("bravo").set_silent(true);
    sim.kill();
    sim.storage().overwrite(FileKind::Journal, JOURNAL);
    sim.restart();
    // The service goes on with its numbers.
    sim.service().skip_updates_to(1000);
    sim
}

#[test]
fn an_old_state_keeps_rights_groups_alerts_and_messages() {
    let mut sim = sim();
    sim.clear_transcript();
    let keys = || sim.records().map.keys().cloned().collect::<Vec<_>>();
    let waiting = keys()
        .iter()
        .filter(|key| key.starts_with("outbox/"))
        .count();
    assert!(waiting >= 8, "{waiting}");
    let permissions = sim.ask("/permissions");
    for want in [
        "telegram:1\n  the role owner (configuration)",
        "telegram:2\n  the role viewer (configuration)\n  everything that the configuration gives taken",
        "telegram:77\n  the role operator (by telegram:1)",
        "telegram:78\n  power.reset:alpha (by telegram:1)",
        "telegram:79\n  blocked (by telegram:1)",
        "telegram-chat:-200\n  the role viewer (by telegram:1)",
        "telegram-chat:-5\n  the role viewer (configuration)",
        "local:1000\n  the role viewer (by telegram:1)",
    ] {
        assert!(permissions.contains(want), "{want}\n{permissions}");
    }
    assert_eq!(sim.alert_state("power.unreachable:bravo"), "firing");
    let why = sim.ask("/why power.unreachable:bravo");
    assert!(why.contains("cables"), "{why}");
    sim.run_for(seconds(120));
    let transcript = sim.transcript();
    for (seen_as, text) in [
        ("telegram:-100 ", "back below limit"),
        ("telegram:-1005 ", "back below limit"),
    ] {
        let is_there = |line: &str| line.contains(seen_as) && line.contains(text);
        assert!(transcript.lines().any(is_there), "{seen_as}\n{transcript}");
    }
    assert!(!transcript.contains("telegram:-5 "), "{transcript}");
    let members = sim
        .records()
        .map
        .keys()
        .filter(|key| key.starts_with("outbox/"));
    let mails: Vec<&String> = members.collect();
    assert!(
        mails.len() <= 3,
        "what is left has no mail server: {mails:?}"
    );
}

#[test]
fn whoever_knocked_before_is_known() {
    let mut sim = sim();
    sim.run_for(seconds(120));
    sim.clear_transcript();
    for user in [98, 99] {
        sim.post(user, user, "hello");
    }
    sim.run_for(seconds(10));
    assert!(
        !sim.transcript().contains("A stranger"),
        "{}",
        sim.transcript()
    );
    sim.post(OWNER, OWNER, "/grant 99 viewer");
    sim.run_for(seconds(10));
    assert!(!sim.records().map.contains_key("stranger/99"));
    assert!(
        sim.transcript().contains("You may use this agent now"),
        "{}",
        sim.transcript()
    );
}

#[test]
fn places_stand_in_the_state_as_in_the_configuration() {
    for text in [
        "telegram:-100/7",
        "mail:oncall@example.org",
        "local:1000",
        "terminal",
    ] {
        let place: Place = text.parse().expect(text);
        let json = serde_json::to_string(&place).expect("text");
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Place>(&json).ok(), Some(place));
    }
}
