//! What happens at once is one message; who gets it is a question of severity.

use super::world::{ask, assert_news, end, fire, news, report, settled};
use crate::{GROUP, OWNER, seconds};
use rackwarden_core::alert::{AlertState, Severity};
use rackwarden_core::config::RouteConfig;
use rackwarden_core::effect::LogFile;
use rackwarden_core::sim::Sim;

#[test]
fn twenty_devices_that_fail_together_are_one_message_with_twenty_lines() {
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let pdus: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let mut sim = settled(Sim::config(&pdus));
    for name in &names {
        sim.device(name).set_silent(true);
    }
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
    let messages = sim.service().messages();
    let [message] = messages else {
        panic!("{messages:?}");
    };
    let lines: Vec<&str> = message.text.lines().collect();
    assert_eq!(lines[0], "🟠 rack: 20 alerts");
    assert_eq!(lines.len(), 21);
    for name in &names {
        let is_of_it = |line: &&&str| line.contains(&format!("({name}): unreachable: no answer"));
        assert_eq!(
            lines.iter().filter(is_of_it).count(),
            1,
            "{name}: {lines:?}"
        );
    }
}

/// Twenty PDUs that do not answer, told in one message.
fn twenty_silent() -> Sim {
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let pdus: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let mut config = Sim::config(&pdus);
    config.notify.repeat.warning = Some(seconds(1800));
    let mut sim = settled(config);
    names
        .iter()
        .for_each(|name| sim.device(name).set_silent(true));
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
    sim
}

#[test]
fn one_press_acknowledges_all_alerts_of_a_message() {
    let mut sim = twenty_silent();
    sim.press(OWNER, GROUP, "Ack all");
    sim.run_for(seconds(5));
    let told = "20 alerts: seen by user1; there will be no more reminders.";
    assert_eq!(news(&sim, told), 1, "{}", sim.transcript());
    assert_eq!(sim.transcript().matches("— seen by user1").count(), 20);
    let alerts = sim.look().alerts.clone();
    let seen = alerts
        .iter()
        .filter(|alert| alert.acknowledged_by.is_some());
    assert_eq!(seen.count(), 20);
    let audit = sim.log(LogFile::Audit).join("\n");
    assert_eq!(
        audit.matches(" alert.ack:power.unreachable:p").count(),
        20,
        "{audit}"
    );
    sim.press(OWNER, GROUP, "Chart");
    sim.run_for(seconds(5));
    assert_eq!(
        sim.service().messages().last().map(|last| last.is_photo),
        Some(true)
    );
    sim.clear_transcript();
    sim.run_for(seconds(2 * 3600));
    assert_eq!(sim.transcript(), "");
}

#[test]
fn one_press_mutes_all_alerts_of_a_message_and_the_end_is_one_message() {
    let mut sim = twenty_silent();
    sim.press(OWNER, GROUP, "Mute all 1 h");
    sim.run_for(seconds(5));
    let told = "20 alerts are muted for 1 h, until 21:01:";
    assert_eq!(news(&sim, told), 1, "{}", sim.transcript());
    assert!(
        sim.transcript()
            .contains("They are still watched; /unmute #21-40 ends it."),
        "{}",
        sim.transcript()
    );
    sim.clear_transcript();
    for name in ["p00", "p01"] {
        sim.device(name).set_silent(false);
    }
    sim.run_for(seconds(3600 + 60));
    let (ends, still) = ("✅ rack: 2 alerts are over", "🟠 rack: 18 alerts");
    assert_news(&sim, &[(ends, 1), (still, 1)]);
}

#[test]
fn a_group_of_alerts_is_only_for_those_who_may_touch_each_of_them() {
    let mut sim = twenty_silent();
    ask(
        &mut sim,
        "/grant telegram:7 alert.ack:power.unreachable:*",
        " has alert.ack:",
    );
    ask(
        &mut sim,
        "/grant telegram:8 alert.ack:power.unreachable:p00",
        " has alert.ack:",
    );
    sim.post(8, GROUP, "/ack #21-40");
    sim.run_for(seconds(5));
    let seen = |sim: &mut Sim| {
        let alerts = sim.look().alerts.clone();
        alerts
            .iter()
            .filter(|alert| alert.acknowledged_by.is_some())
            .count()
    };
    assert_eq!(seen(&mut sim), 0, "{}", sim.transcript());
    sim.post(7, GROUP, "/ack #21-40");
    sim.run_for(seconds(5));
    assert_eq!(seen(&mut sim), 20, "{}", sim.transcript());
}

#[test]
fn what_was_silent_before_a_restart_was_so_all_the_time_and_its_rule_is_still_told() {
    let mut sim = twenty_silent();
    ask(
        &mut sim,
        "/alerts",
        "\n20 others are unknown because of these.",
    );
    sim.kill_and_restart();
    sim.run_for(seconds(6));
    ask(
        &mut sim,
        "/why power.unreachable:p03",
        "rule: above 10 s; ends at or below 0 s",
    );
    for name in 0..20 {
        sim.device(&format!("p{name:02}")).set_silent(false);
    }
    sim.run_for(seconds(10));
    let text = sim.service().messages()[0].text.clone();
    assert!(text.starts_with("✅ rack: 20 alerts, all over\n"), "{text}");
    // Silent for a minute, and then through the restart.
    let spans = text
        .lines()
        .filter_map(|line| line.split_once("answers again after "));
    let spans: Vec<&str> = spans.map(|(_, span)| span).collect();
    assert_eq!(spans, ["71 s"; 20]);
}

#[test]
fn row_40_forty_outlets_that_are_lost_at_once_are_one_message_with_all_of_them_on_tap() {
    let mut sim = settled(Sim::config(&[("alpha", 3000.0)]));
    for outlet in 1..=40 {
        fire(&format!("power.outlet:alpha/{outlet}"));
    }
    sim.run_for(seconds(60));
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
    let text = sim.service().messages()[0].text.clone();
    assert!(text.starts_with("🟠 rack: 40 alerts\n"), "{text}");
    for outlet in 1..=40 {
        assert!(
            text.contains(&format!("(alpha/{outlet})")),
            "{outlet}: {text}"
        );
    }
    sim.press(OWNER, GROUP, "All alerts");
    sim.run_for(seconds(5));
    let list = sim
        .service()
        .messages()
        .last()
        .map(|last| last.text.clone());
    let list = list.unwrap_or_default();
    assert!(list.starts_with("40 alerts fire:"), "{list}");
    assert_eq!(list.matches("): fires, since ").count(), 40, "{list}");
    for outlet in 1..=40 {
        end(&format!("power.outlet:alpha/{outlet}"));
    }
    sim.clear_transcript();
    sim.run_for(seconds(60));
    assert_eq!(
        news(&sim, "✅ rack: 40 alerts are over"),
        1,
        "{}",
        sim.transcript()
    );
    assert_eq!(news(&sim, ""), 1, "{}", sim.transcript());
}

#[test]
fn a_severity_goes_to_its_chat_and_topic_and_an_escalation_to_those_of_the_new_one() {
    let mut config = Sim::config(&[]);
    let route = |severity, alert: Option<&str>, to: &[&str]| RouteConfig {
        severity,
        alert: alert.map(str::to_owned),
        to: to.iter().map(|to| to.parse().expect("a chat")).collect(),
    };
    config.notify.routes = vec![
        route(
            Some(Severity::Critical),
            Some("test.*"),
            &["telegram:-7/3", "telegram:1"],
        ),
        route(Some(Severity::Info), None, &[]),
        route(None, Some("*:quiet"), &["telegram:-7/9"]),
    ];
    let mut sim = settled(config);
    let told = |sim: &mut Sim| -> Vec<(i64, Option<i64>)> {
        sim.run_for(seconds(5));
        let messages = sim.service().messages().iter();
        let mut places: Vec<_> = messages.map(|one| (one.chat, one.topic)).collect();
        places.sort_unstable();
        places
    };
    let fires = |severity, name| report(name, severity, AlertState::Firing, "fires");
    fires(Severity::Info, "test.rule:a");
    assert_eq!(told(&mut sim), []);
    fires(Severity::Warning, "test.rule:b");
    assert_eq!(told(&mut sim), [(GROUP, None)]);
    fires(Severity::Warning, "test.rule:quiet");
    assert_eq!(told(&mut sim), [(GROUP, None), (-7, Some(9))]);
    fires(Severity::Critical, "test.rule:b");
    let want = [(GROUP, None), (-7, Some(3)), (-7, Some(9)), (OWNER, None)];
    assert_eq!(told(&mut sim), want);
    let old = sim
        .service()
        .messages()
        .iter()
        .find(|one| one.chat == GROUP);
    let old = old.map(|one| one.text.clone()).unwrap_or_default();
    assert!(old.ends_with("— now critical"), "{old}");
}
