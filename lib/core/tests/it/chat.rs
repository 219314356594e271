//! The chat from end to end in virtual time: commands in groups and alone, rights, old commands, and the weather
//! that a chat service can make.

use crate::{GROUP, OWNER, STRANGER, VIEWER, seconds};
use rackwarden_core::chat::transport::Service;
use rackwarden_core::chat::{Role, TRANSPORTS, telegram};
use rackwarden_core::config::{Config, GrantConfig, MailConfig, MailSecurity};
use rackwarden_core::effect::LogFile;
use rackwarden_core::plugins::power;
use rackwarden_core::sim::{Sim, Weather};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn config() -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    config.access.grants = vec![GrantConfig::role(telegram::user(VIEWER), Role::Viewer)];
    config
}

/// A world that has settled.
fn sim() -> Sim {
    Sim::settled(config())
}

fn says(user: i64, chat: i64, line: &str) -> String {
    let mut sim = sim();
    sim.post(user, chat, line);
    sim.run_for(seconds(2));
    sim.transcript()
}

#[test]
fn lines_are_answered_where_they_were_written() {
    for (rule, user, chat, line, want) in [
        ("private", OWNER, OWNER, "/version", "telegram:1 "),
        ("without_a_slash", OWNER, OWNER, "version", "rackwarden"),
        ("group", OWNER, GROUP, "/version@rack_bot", "telegram:-100 "),
        ("viewer", VIEWER, VIEWER, "/cur alpha", "1000 W"),
        ("stranger_may_ask", STRANGER, STRANGER, "/id", "telegram:66"),
        (
            "stranger_is_refused",
            STRANGER,
            STRANGER,
            "/current",
            "You may not use this agent",
        ),
        (
            "viewer_is_refused",
            VIEWER,
            VIEWER,
            "/reset alpha",
            "needs operator",
        ),
        ("nearest", OWNER, OWNER, "/curent", "Did you mean /current?"),
        ("ambiguous", OWNER, OWNER, "/re", "/re may be /"),
    ] {
        let transcript = says(user, chat, line);
        assert!(transcript.contains(want), "{rule}: {transcript}");
    }
    for (rule, user, chat, line) in [
        ("another_bot", OWNER, GROUP, "/version@other_bot"),
        ("talk_in_a_group", OWNER, GROUP, "good morning"),
        ("nobodys_command_in_a_group", OWNER, GROUP, "/xyzzy"),
    ] {
        assert_eq!(says(user, chat, line), "", "{rule}");
    }
}

#[test]
fn refusals_are_told_once_in_a_while_and_audited() {
    let mut sim = sim();
    for _ in 0..30 {
        sim.post(STRANGER, STRANGER, "/reset alpha");
        sim.run_for(seconds(1));
    }
    assert_eq!(sim.count("You may not use this agent"), 1);
    let audit = sim.log(LogFile::Audit);
    assert!((1..=10).contains(&audit.len()), "{audit:?}");
    assert!(
        audit[0].contains("telegram:66 user66: /reset alpha: refused"),
        "{audit:?}"
    );
}

#[test]
fn rights_granted_in_chat_survive_a_kill() {
    let mut sim = sim();
    sim.post(OWNER, OWNER, "/grant 66 viewer 1h");
    sim.run_for(seconds(5));
    sim.kill_and_restart();
    sim.run_for(seconds(20));
    sim.clear_transcript();
    sim.post(STRANGER, STRANGER, "/version");
    sim.run_for(seconds(5));
    assert_eq!(sim.count("rackwarden"), 1, "{}", sim.transcript());
    sim.run_for(seconds(3600));
    sim.post(STRANGER, STRANGER, "/version");
    sim.run_for(seconds(5));
    assert_eq!(sim.count("You may not"), 1, "{}", sim.transcript());
    sim.post(OWNER, OWNER, "/audit 5");
    sim.run_for(seconds(5));
    assert!(
        sim.transcript()
            .contains("grant the role viewer to telegram:66")
    );
}

#[test]
fn an_old_command_that_changes_something_is_offered_and_not_run() {
    let mut sim = sim();
    sim.post_late(OWNER, OWNER, "/grant 66 viewer", seconds(61));
    sim.run_for(seconds(3));
    assert_eq!(sim.count("Not run"), 1, "{}", sim.transcript());
    assert_eq!(sim.count("has the role"), 0);
    sim.press(VIEWER, OWNER, "Run now");
    sim.run_for(seconds(3));
    assert_eq!(sim.count("has the role"), 0, "bound to who sent it");
    sim.press(OWNER, OWNER, "Run now");
    sim.run_for(seconds(3));
    assert_eq!(sim.count("has the role"), 1, "{}", sim.transcript());
    sim.clear_transcript();
    sim.post_late(OWNER, OWNER, "/version", seconds(61));
    sim.run_for(seconds(3));
    assert_eq!(sim.count("rackwarden"), 1, "reading is never too late");
}

#[test]
fn every_update_counts_once_however_often_it_comes() {
    let mut sim = sim();
    sim.repeat_updates();
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(60));
    assert_eq!(sim.count("rackwarden"), 1, "{}", sim.transcript());
    sim.kill_and_restart();
    sim.run_for(seconds(60));
    assert_eq!(sim.count("rackwarden"), 1, "{}", sim.transcript());
}

#[test]
fn a_chat_that_asks_to_wait_is_left_alone_and_the_others_are_not() {
    let mut sim = sim();
    let wait = json!({"retry_after": 30});
    sim.set_weather(
        "sendMessage",
        1,
        Weather::Refuses(429, "Too Many Requests: retry after 30", wait),
    );
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(1));
    sim.post(VIEWER, VIEWER, "/version");
    sim.run_for(seconds(2));
    assert_eq!(sim.count("telegram:3 "), 1, "{}", sim.transcript());
    sim.run_for(seconds(26));
    assert_eq!(sim.count("telegram:1 "), 0);
    sim.run_for(seconds(3));
    assert_eq!(sim.count("telegram:1 "), 1, "{}", sim.transcript());
}

#[test]
fn a_lost_answer_leads_to_a_repeat_that_is_marked() {
    let mut sim = sim();
    sim.set_weather("sendMessage", 1, Weather::LosesAnswer);
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(10));
    assert_eq!(sim.count("rackwarden"), 2, "{}", sim.transcript());
    assert_eq!(sim.count("(maybe repeated)"), 1);
}

#[test]
fn text_whose_markup_is_refused_goes_plain_and_a_gone_topic_is_left_away() {
    for text in [
        "Bad Request: can't parse entities: unclosed tag",
        "Bad Request: message thread not found",
        "Bad Request: something new",
        "Forbidden: bot was kicked",
    ] {
        let mut sim = sim();
        let code = if text.starts_with("Forbidden") {
            403
        } else {
            400
        };
        sim.set_weather("sendMessage", 1, Weather::Refuses(code, text, json!({})));
        sim.device("alpha").set_power(3500.0);
        sim.run_for(seconds(30));
        let wants = if code == 403 { 0 } else { 1 };
        assert_eq!(
            sim.count("above power limit"),
            wants,
            "{text}: {}",
            sim.transcript()
        );
        sim.run_for(seconds(700));
        assert!(
            sim.transcript().contains("above power limit"),
            "{text}: {}",
            sim.transcript()
        );
    }
}

#[test]
fn a_group_that_became_a_supergroup_is_found_after_a_kill_too() {
    let mut sim = sim();
    let moved = json!({"migrate_to_chat_id": -100_777});
    sim.set_weather(
        "sendMessage",
        1,
        Weather::Refuses(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            moved,
        ),
    );
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(10));
    assert_eq!(sim.count("telegram:-100777 "), 1, "{}", sim.transcript());
    sim.kill_and_restart();
    sim.device("bravo").set_power(3500.0);
    sim.run_for(seconds(40));
    assert_eq!(sim.count("telegram:-100 "), 0, "{}", sim.transcript());
    assert!(sim.count("telegram:-100777 ") >= 2, "{}", sim.transcript());
}

#[test]
fn nothing_is_lost_in_an_outage_and_the_backlog_is_told_together() {
    let mut sim = sim();
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    for _ in 0..12 {
        sim.device("alpha").set_power(3500.0);
        sim.run_for(seconds(600));
        sim.device("alpha").set_power(1000.0);
        sim.run_for(seconds(600));
    }
    assert_eq!(sim.transcript(), "");
    sim.kill_and_restart();
    sim.run_for(seconds(60));
    sim.clear_weather();
    sim.run_for(seconds(6));
    assert!(sim.transcript().contains("alpha"), "{}", sim.transcript());
    sim.run_for(seconds(120));
    assert!(
        sim.transcript().contains("back below limit"),
        "{}",
        sim.transcript()
    );
    assert!(sim.count("telegram:-100 ") <= 4, "{}", sim.transcript());
}

#[test]
fn what_was_being_sent_at_a_kill_is_sent_again_with_a_mark() {
    let mut sim = sim();
    sim.device("alpha").set_power(3500.0);
    let mut waited = 0;
    while sim.count("above power limit") == 0 && waited < 10_000 {
        sim.run_for(Duration::from_millis(1));
        waited += 1;
    }
    sim.kill_and_restart();
    sim.run_for(seconds(20));
    assert_eq!(sim.count("(maybe repeated)"), 1, "{}", sim.transcript());
    sim.clear_transcript();
    sim.kill_and_restart();
    sim.run_for(seconds(20));
    let transcript = sim.transcript();
    let mut lines = transcript.lines();
    assert!(
        lines.all(|line| line.contains("restarted: ")),
        "what arrived is not told again: {transcript}"
    );
}

#[test]
fn when_the_disk_is_full_messages_still_leave() {
    let mut sim = sim();
    sim.set_storage_works(false);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(seconds(5));
    assert_eq!(sim.count("above power limit"), 1, "{}", sim.transcript());
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(8));
    assert_eq!(sim.count("rackwarden"), 1, "{}", sim.transcript());
}

#[test]
fn a_conflict_or_a_bad_token_is_told_with_its_remedy_and_ends_by_itself() {
    for (code, text, want) in [
        (
            409,
            "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
            "another program",
        ),
        (
            409,
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
            "deleteWebhook",
        ),
        (401, "Unauthorized", "BotFather"),
    ] {
        let mut sim = sim();
        sim.set_weather("getUpdates", 3, Weather::Refuses(code, text, json!({})));
        if code == 401 {
            sim.set_weather("getMe", 2, Weather::Refuses(code, text, json!({})));
        }
        sim.run_for(seconds(37));
        sim.say("/status");
        sim.run_for(seconds(1));
        assert!(
            sim.transcript().contains(want),
            "{text}: {}",
            sim.transcript()
        );
        sim.run_for(seconds(1300));
        sim.clear_transcript();
        sim.post(OWNER, OWNER, "/version");
        sim.run_for(seconds(5));
        assert_eq!(sim.count("rackwarden"), 1, "{text}: {}", sim.transcript());
    }
}

#[test]
fn a_long_answer_arrives_as_pages_or_as_a_file() {
    let mut config = config();
    for user in 1000..1040 {
        config.access.grants.push(GrantConfig {
            allow: vec!["x".repeat(100) + ":y"],
            ..GrantConfig::role(telegram::user(user), Role::Viewer)
        });
    }
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(20));
    sim.clear_transcript();
    sim.post(OWNER, OWNER, "/permissions");
    sim.run_for(seconds(10));
    assert_eq!(sim.count("telegram:1 #"), 2, "{}", sim.transcript());
    assert!(sim.transcript().contains("telegram:1039"));
}

/// What every transport must do. A new one needs a row here: an address, and how the transcript names it.
#[test]
fn every_transport_tells_once_in_order_and_survives_a_kill() {
    let addresses = [
        ("telegram", "telegram:-100", "telegram:-100 "),
        ("telegram", "telegram:-100/7", "telegram:-100 "),
        ("mail", "mail:oncall@example.org", "oncall@example.org"),
        ("terminal", "terminal", "terminal]"),
    ];
    // Callers of the local socket are answered only.
    let sends = |service: &&Service| service.is_built && service.name != "local";
    for Service { name, .. } in TRANSPORTS.iter().filter(sends) {
        let has_row = addresses.iter().any(|(row, ..)| row == name);
        assert!(has_row, "{name} needs a row in this test");
    }
    for (name, address, seen_as) in addresses {
        let mut config = config();
        config.notify.to = vec![address.parse().expect(address)];
        config.mail = Some(Arc::new(MailConfig {
            host: "mail.sim".into(),
            port: 25,
            security: MailSecurity::None,
            login: None,
            from_name: String::new(),
            from: "rack@example.org".into(),
            ca_file: None,
            fallback_after: seconds(600),
            fallback_to: Vec::new(),
        }));
        power::settings_mut(&mut config).pdus[0].name = "<b>alpha & \"x\"_*[".into();
        let mut sim = Sim::with_config(config);
        sim.run_for(seconds(20));
        sim.clear_transcript();
        let alpha = "<b>alpha & \"x\"_*[";
        sim.device(alpha).set_power(3500.0);
        sim.run_for(seconds(60));
        sim.kill_and_restart();
        sim.run_for(seconds(60));
        sim.device(alpha).set_power(1000.0);
        sim.run_for(seconds(60));
        let transcript = sim.transcript();
        assert!(
            transcript.contains(&format!("({alpha})")),
            "{name}: {transcript}"
        );
        assert!(transcript.contains(seen_as), "{name}: {transcript}");
        let begin = transcript.find("above power limit").expect("it fired");
        let end = transcript.rfind("back below limit").expect("it ended");
        assert!(begin < end, "{name}: {transcript}");
        assert!(
            !transcript.contains("maybe repeated"),
            "{name}: {transcript}"
        );
        let rang = transcript.matches("🔴").count();
        assert_eq!(rang, 1, "{name}: {transcript}");
    }
}

/// Whoever guesses, forwards or writes in a chat's name gets nothing done.
#[test]
fn a_crowd_of_strangers_changes_nothing_and_delays_nobody() {
    let mut sim = sim();
    for stranger in 0..2000 {
        sim.post(10_000 + stranger, 10_000 + stranger, "/mute all 1h");
    }
    sim.run_for(seconds(2));
    sim.clear_transcript();
    sim.post(OWNER, OWNER, "/version");
    sim.run_for(seconds(2));
    assert_eq!(sim.count("telegram:1 "), 1, "{}", sim.transcript());
    sim.run_for(seconds(600));
    let audit = sim.log(LogFile::Audit);
    assert!(!audit.is_empty() && audit.len() < 200, "{}", audit.len());
    assert!(
        audit
            .iter()
            .all(|line| line.contains("refused") || line.contains("telegram:1 "))
    );
}

/// Updates as the service sends them, with what the agent makes of `/grant 66 viewer` in each.
#[test]
fn words_of_others_and_edits_are_never_run() {
    let owner = json!({"id": OWNER, "is_bot": false, "first_name": "Ann"});
    let private = json!({"id": OWNER, "type": "private"});
    let group = json!({"id": GROUP, "type": "supergroup", "title": "crew"});
    let bot = json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group"});
    for (rule, kind, mut message, said, audited) in [
        (
            "forwarded",
            "message",
            json!({"from": owner, "chat": private, "forward_origin": {"type": "hidden_user"}}),
            "Not run: it was forwarded",
            "refused (forwarded",
        ),
        (
            "written_by_another_bot",
            "message",
            json!({"from": owner, "chat": group, "via_bot": {"id": 5, "is_bot": true}}),
            "Not run: it was forwarded",
            "refused (forwarded",
        ),
        (
            "edited",
            "edited_message",
            json!({"from": owner, "chat": private}),
            "it is an edit of an earlier message",
            "an edit, offered again",
        ),
        (
            "anonymous_administrator",
            "message",
            json!({"from": bot, "sender_chat": group, "chat": group}),
            "telegram-chat:-100 may not use this agent here",
            "refused (telegram-chat:-100 holds no role here)",
        ),
        (
            "channel_post",
            "channel_post",
            json!({"sender_chat": {"id": -7, "title": "C"}, "chat": {"id": -7, "type": "channel"}}),
            "may not use this agent here",
            "refused (telegram-chat:-7 holds no role here)",
        ),
        (
            "as_a_channel",
            "message",
            json!({"from": owner, "sender_chat": {"id": -7, "title": "C"}, "chat": group}),
            "may not use this agent here",
            "refused (telegram-chat:-7 holds no role here)",
        ),
    ] {
        let mut sim = sim();
        message["message_id"] = json!(77_000);
        message["date"] = json!(sim.now().wall.unix_seconds());
        message["edit_date"] = message["date"].clone();
        message["text"] = json!("/grant 66 viewer");
        let at = sim.now().wall;
        sim.service().inject(kind, message, at);
        sim.run_for(seconds(5));
        assert_eq!(sim.count("has the role"), 0, "{rule}");
        assert!(
            sim.transcript().contains(said),
            "{rule}: {}",
            sim.transcript()
        );
        let audit = sim.log(LogFile::Audit).join("\n");
        assert!(audit.contains(audited), "{rule}: {audit}");
    }
}

#[test]
fn a_grant_ends_on_time_and_the_menu_with_it() {
    let mut sim = sim();
    sim.post(OWNER, OWNER, "/grant 66 viewer 30m");
    sim.run_for(seconds(60));
    let commands = |sim: &mut Sim| {
        let menus = sim.service().menus();
        let of_66 = menus.iter().find(|(scope, _)| scope.contains("66"));
        of_66.map_or(0, |(_, commands)| commands.as_array().map_or(0, Vec::len))
    };
    assert!(commands(&mut sim) > 5, "{:?}", sim.service().menus());
    sim.run_for(seconds(1735));
    assert!(commands(&mut sim) > 5, "{:?}", sim.service().menus());
    sim.run_for(seconds(15));
    assert_eq!(commands(&mut sim), 3, "{:?}", sim.service().menus());
    sim.post(STRANGER, STRANGER, "/current");
    sim.run_for(seconds(2));
    assert_eq!(sim.count("You may not use this agent"), 1);
}

#[test]
fn the_rule_that_decides_is_told() {
    let mut config = config();
    config.access.grants.push(GrantConfig {
        deny: vec!["power.reset:bravo".into()],
        ..GrantConfig::role(telegram::group(GROUP), Role::Operator)
    });
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(20));
    for (line, want) in [
        (
            "/permissions check 3 reset al",
            "telegram:3 may not /reset alpha: telegram:3 is viewer, this needs operator or a grant of `power.reset:alpha`.",
        ),
        (
            "/permissions check 3 /reset al in -100",
            "telegram:3 may /reset alpha: operator by the configuration for telegram-chat:-100.",
        ),
        (
            "/permissions check -100 reset bravo",
            "telegram-chat:-100 may not /reset bravo: `power.reset:bravo` is denied to telegram:0 by the configuration.",
        ),
        (
            "/permissions check local:0 grant",
            "local:0 may /grant: owner by the transport.",
        ),
        ("/permissions check 66 xyzzy", "there is no command /xyzzy"),
        ("/permissions check 66", "usage: /permissions"),
    ] {
        sim.clear_transcript();
        sim.post(OWNER, OWNER, line);
        sim.run_for(seconds(3));
        assert!(
            sim.transcript().contains(want),
            "{line}: {}",
            sim.transcript()
        );
    }
}

#[test]
fn a_line_is_answered_in_the_same_turn() {
    let mut sim = Sim::new(&[]);
    sim.say("/version");
    sim.run_for(Duration::from_millis(1));
    assert!(
        sim.transcript().contains(env!("CARGO_PKG_VERSION")),
        "{}",
        sim.transcript()
    );
}

#[test]
fn the_host_is_asked_before_status_is_answered() {
    let mut sim = Sim::new(&[]);
    sim.say("/status");
    sim.run_for(Duration::from_secs(1));
    assert!(sim.transcript().contains("0.10"), "{}", sim.transcript());
}
