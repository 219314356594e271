//! `test-alert` in virtual time: it goes the whole way and changes no alert.

use rackwarden_core::config::{Config, MailConfig, MailSecurity};
use rackwarden_core::effect::LogFile;
use rackwarden_core::fault::FaultKind;
use rackwarden_core::sim::{MailWeather, Sim, Weather};
use std::sync::Arc;
use std::time::Duration;

fn config() -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.mail = Some(Arc::new(MailConfig {
        host: "smtp.example.org".to_owned(),
        port: 587,
        security: MailSecurity::StartTls,
        login: None,
        from_name: String::new(),
        from: "agent@example.org".to_owned(),
        ca_file: None,
        fallback_after: Duration::from_secs(600),
        fallback_to: Vec::new(),
    }));
    let mail = "mail:ann@example.org".parse().expect("an address");
    config.notify.to.push(mail);
    config
}

fn sim() -> Sim {
    Sim::settled(config())
}

#[test]
fn a_test_goes_the_whole_way_and_leaves_the_alert_alone() {
    let mut sim = sim();
    let records = |sim: &Sim| {
        let mut map = sim.records().map.clone();
        map.retain(|key, _| {
            ["alert", "notify", "power"]
                .iter()
                .any(|ns| key.starts_with(ns))
        });
        map
    };
    let before = records(&sim);
    sim.say("/test-alert 3500 power.limit:alpha");
    sim.run_for(Duration::from_secs(8));
    let seen = sim.transcript();
    assert!(
        seen.contains("terminal] sent as a test to telegram:-100, mail:ann@example.org"),
        "{seen}"
    );
    assert!(
        seen.contains("terminal] accepted by all\ntelegram:-100: accepted after"),
        "{seen}"
    );
    assert_eq!(
        seen.matches("TEST of power.limit:alpha, nothing is wrong")
            .count(),
        3,
        "{seen}"
    );
    assert_eq!(
        seen.matches("above power limit: 3500 W > 3000 W").count(),
        2,
        "{seen}"
    );
    assert_eq!(records(&sim), before);
    assert!(sim.log(LogFile::Exceedings).is_empty());
    assert!(
        sim.log(LogFile::Audit)
            .iter()
            .any(|line| line.contains("alert.test:power.limit:alpha"))
    );
    assert!(sim.snapshot().expect("a snapshot").alerts.is_empty());
}

#[test]
fn a_transport_that_does_not_accept_is_named_with_its_reason() {
    let mut sim = sim();
    sim.set_mail_weather(
        u32::MAX,
        MailWeather::Refuses(
            FaultKind::Denied,
            "the server refuses user and password (535)",
        ),
    );
    sim.say("/test-alert 3500 power.limit:alpha");
    sim.run_for(Duration::from_secs(29));
    assert!(
        !sim.transcript().contains("accepted by all"),
        "{}",
        sim.transcript()
    );
    sim.run_for(Duration::from_secs(2));
    let seen = sim.transcript();
    assert!(seen.contains("terminal] not accepted by all"), "{seen}");
    assert!(seen.contains("telegram:-100: accepted after"), "{seen}");
    assert!(
        seen.contains("mail:ann@example.org: not accepted: mail: the server refuses"),
        "{seen}"
    );
}

#[test]
fn a_chat_that_never_takes_it_did_not_accept_it() {
    let mut sim = sim();
    let refuses = Weather::Refuses(400, "Bad Request: chat not found", serde_json::Value::Null);
    sim.set_weather("sendMessage", u32::MAX, refuses);
    sim.say("/test-alert 3500 power.limit:alpha");
    sim.run_for(Duration::from_secs(31));
    let seen = sim.transcript();
    assert!(seen.contains("terminal] not accepted by all"), "{seen}");
}

#[test]
fn what_cannot_be_tested_is_said_with_what_can() {
    for (line, want) in [
        (
            "/test-alert 3500 power.limit:alhpa",
            "there is no rule `power.limit:alhpa`; did you mean `power.limit:alpha`?",
        ),
        (
            "/test-alert 100 power.limit:alpha",
            "power.limit:alpha does not fire at 100; give more",
        ),
        (
            "/test-alert much power.limit:alpha",
            "the value is not a number",
        ),
        ("/test-alert", "the value is not a number"),
    ] {
        let mut sim = sim();
        sim.say(line);
        sim.run_for(Duration::from_secs(1));
        let seen = sim.transcript();
        assert!(
            seen.contains(&format!("terminal] not sent: {want}")),
            "{line}: {seen}"
        );
        assert_eq!(sim.mails().len(), 0);
    }
    let mut sim = sim();
    sim.say("/test-alert 3.5kW power.limit:alpha");
    sim.say("/test-alert 15 power.unreachable:alpha");
    sim.run_for(Duration::from_secs(20));
    let seen = sim.transcript();
    assert_eq!(seen.matches("accepted by all").count(), 2, "{seen}");
    assert!(seen.contains("unreachable: no answer for 15 s"), "{seen}");
}
