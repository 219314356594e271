//! Alerts by mail in virtual time: threads of mails, the fallback, and mail servers in foul weather.

use crate::{HOUR, MINUTE};
use rackwarden_core::config::{Config, MailConfig, MailSecurity};
use rackwarden_core::fault::FaultKind;
use rackwarden_core::plugins::power;
use rackwarden_core::secret::Secret;
use rackwarden_core::sim::{MailWeather, Sim, Weather};
use std::sync::Arc;
use std::time::Duration;

/// A rack whose alerts go to one mailbox and nowhere else.
fn config() -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.mail = Some(Arc::new(MailConfig {
        host: "smtp.example.org".to_owned(),
        port: 587,
        security: MailSecurity::StartTls,
        login: Some(("agent".to_owned(), Secret::new("hunter2".to_owned()))),
        from_name: "rack".to_owned(),
        from: "agent@example.org".to_owned(),
        ca_file: None,
        fallback_after: Duration::from_secs(600),
        fallback_to: Vec::new(),
    }));
    config.notify.to = vec!["mail:ann@example.org".parse().expect("an address")];
    // Days pass here, in which the device is of no interest.
    power::settings_mut(&mut config).interval = Duration::from_secs(5);
    config
}

fn sim() -> Sim {
    Sim::settled(config())
}

/// An excess of `alpha` that lasts half a minute.
fn excess(sim: &mut Sim) {
    sim.device("alpha").set_power(3500.0);
    sim.run_for(Duration::from_secs(30));
    sim.device("alpha").set_power(1000.0);
    sim.run_for(Duration::from_secs(10));
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let mut lines = mail.split("\r\n");
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_default()
}

#[test]
fn an_alert_and_its_end_are_two_mails_of_one_thread() {
    let mut sim = sim();
    excess(&mut sim);
    let [(to, fired), (_, ended)] = sim.mails() else {
        panic!("{}", sim.transcript());
    };
    assert_eq!(to, "ann@example.org");
    for (name, want) in [
        ("From", "rack <agent@example.org>"),
        ("To", "ann@example.org"),
        (
            "Subject",
            "[rack] critical: power.limit:alpha: (alpha): above power limit: 3500 W > 3000 W",
        ),
        ("In-Reply-To", ""),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Type", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(header(fired, name), want, "{name}");
    }
    assert!(header(fired, "Date").starts_with("Fri, 20 Nov 2026 20:00:2"));
    let id = header(fired, "Message-ID");
    assert!(id.ends_with("@example.org>"), "{id}");
    assert_eq!(header(ended, "In-Reply-To"), id);
    assert_eq!(header(ended, "References"), id);
    assert_ne!(header(ended, "Message-ID"), id);
    let subject = header(ended, "Subject");
    let is_end = "[rack] critical resolved: power.limit:alpha: (alpha): back below limit";
    assert!(subject.starts_with(is_end), "{subject}");
    assert!(
        sim.records().all::<String>("mail.thread").is_empty(),
        "a thread ends with its alert"
    );
    for (_, mail) in sim.mails() {
        assert!(mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 200));
    }
}

#[test]
fn whoever_is_put_off_gets_it_later_once_and_with_its_own_time() {
    let mut sim = sim();
    sim.set_mail_weather(4, MailWeather::Refuses(FaultKind::Busy, "451 greylisted"));
    excess(&mut sim);
    assert_eq!(sim.mails().len(), 0, "{}", sim.transcript());
    sim.run_for(HOUR);
    // Fired and ended waited for more than five minutes, so they are told together.
    let seen = sim.transcript();
    assert_eq!(sim.count("mail:"), 1, "{seen}");
    assert!(seen.contains("above power limit") && seen.contains("back below limit"));
    assert!(!seen.contains("repeated"), "{seen}");
    assert!(
        header(&sim.mails()[0].1, "Date").contains(" 20:00:"),
        "{seen}"
    );
}

#[test]
fn a_server_that_is_away_for_days_loses_nothing_and_72_hours_of_no_are_told() {
    let mut config = config();
    power::settings_mut(&mut config).interval = MINUTE;
    let mut sim = Sim::with_config(config);
    sim.run_for(MINUTE * 2);
    sim.set_mail_weather(u32::MAX, MailWeather::Refuses(FaultKind::Busy, "451 later"));
    sim.device("alpha").set_power(3500.0);
    sim.run_for(MINUTE * 2);
    sim.device("alpha").set_power(1000.0);
    sim.run_for(HOUR * 74);
    let snapshot = sim.snapshot().expect("a snapshot").clone();
    assert!(
        snapshot
            .health
            .problems
            .iter()
            .any(|why| why.contains("451 later")),
        "{:?}",
        snapshot.health.problems
    );
    assert!(
        snapshot
            .alerts
            .iter()
            .any(|alert| &*alert.name == "agent.mail:delivery")
    );
    sim.clear_mail_weather();
    sim.run_for(HOUR * 2);
    let seen = sim.transcript();
    assert!(seen.contains("above power limit: 3500 W"), "{seen}");
    let snapshot = sim.snapshot().expect("a snapshot").clone();
    assert_eq!(snapshot.health.problems, Vec::<String>::new());
    assert!(snapshot.alerts.is_empty());
}

#[test]
fn an_ambiguous_end_leads_to_one_marked_repeat_of_the_same_message() {
    let mut sim = sim();
    sim.set_mail_weather(1, MailWeather::LosesAnswer);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(MINUTE);
    let [(_, first), (_, second)] = sim.mails() else {
        panic!("{}", sim.transcript());
    };
    assert_eq!(header(first, "Message-ID"), header(second, "Message-ID"));
    assert_eq!(sim.count("(maybe repeated)"), 1, "{}", sim.transcript());
    sim.run_for(MINUTE * 20);
    assert_eq!(sim.mails().len(), 2);
}

#[test]
fn a_kill_while_a_mail_is_under_way_leads_to_one_marked_repeat() {
    let mut sim = sim();
    sim.device("alpha").set_power(3500.0);
    for _ in 0..400 {
        sim.run_for(Duration::from_millis(10));
        if sim.mails().len() == 1 {
            break;
        }
    }
    sim.kill_and_restart();
    sim.run_for(MINUTE * 5);
    assert_eq!(sim.mails().len(), 2, "{}", sim.transcript());
    let id = |index: usize| header(&sim.mails()[index].1, "Message-ID");
    assert_eq!(id(0), id(1));
    assert_eq!(sim.count("(maybe repeated)"), 1, "{}", sim.transcript());
}

#[test]
fn what_is_too_large_leaves_in_pieces() {
    let names: Vec<String> = (0..40).map(|index| format!("rack-{index:02}")).collect();
    let pdus: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let mut config = Sim::config(&pdus);
    config.mail = self::config().mail;
    config.notify.to = self::config().notify.to;
    let mut sim = Sim::with_config(config);
    sim.run_for(Duration::from_secs(10));
    sim.set_mail_weather(u32::MAX, MailWeather::TakesAtMost(2000));
    for name in &names {
        sim.device(name).set_power(3500.0);
    }
    sim.run_for(MINUTE * 3);
    let seen = sim.transcript();
    for name in &names {
        assert!(seen.contains(name), "{name} in {seen}");
    }
    assert!(sim.mails().len() > 1);
    assert!(sim.mails().iter().all(|(_, mail)| mail.len() <= 2000));
}

#[test]
fn what_a_person_must_mend_is_told_elsewhere_and_by_health() {
    for (kind, words) in [
        (
            FaultKind::Denied,
            "the server refuses user and password (535)",
        ),
        (FaultKind::Tls, "invalid peer certificate: Expired"),
        (FaultKind::Unwanted, "550 no such user"),
        (FaultKind::Rejected, "554 looks like spam"),
    ] {
        let mut config = config();
        config
            .notify
            .to
            .push("telegram:-100".parse().expect("an address"));
        let mut sim = Sim::with_config(config);
        sim.run_for(Duration::from_secs(10));
        sim.set_mail_weather(u32::MAX, MailWeather::Refuses(kind, words));
        excess(&mut sim);
        let seen = sim.transcript();
        let told = "mail: messages are not accepted: ".to_owned();
        assert_eq!(seen.matches(&told).count(), 1, "{words}: {seen}");
        assert!(seen.contains(words), "{words}: {seen}");
        let snapshot = sim.snapshot().expect("a snapshot").clone();
        assert!(
            snapshot
                .health
                .problems
                .iter()
                .any(|why| why.contains(words)),
            "{words}: {:?}",
            snapshot.health.problems
        );
        assert_eq!(sim.mails().len(), 0);
        sim.clear_mail_weather();
        sim.run_for(HOUR + MINUTE * 5);
        let seen = sim.transcript();
        assert!(
            seen.contains("mail: messages are accepted again"),
            "{words}: {seen}"
        );
        assert!(seen.contains("mail:ann@example.org]"), "{words}: {seen}");
    }
}

#[test]
fn one_address_that_is_refused_is_told_once_however_often_others_are_served() {
    let mut config = config();
    let second = "mail:nobody@example.org".parse().expect("an address");
    config.notify.to.push(second);
    let mut sim = Sim::with_config(config);
    sim.run_for(Duration::from_secs(10));
    let refused = MailWeather::RefusesTo("nobody@", FaultKind::Unwanted, "550 no such user");
    sim.set_mail_weather(u32::MAX, refused);
    for _ in 0..4 {
        excess(&mut sim);
        sim.run_for(HOUR * 2);
    }
    let seen = sim.transcript();
    let lines = seen
        .lines()
        .filter(|line| line.contains("messages are not accepted"));
    let first = lines.filter(|line| !line.contains("still firing"));
    assert_eq!(first.count(), 1, "{seen}");
    assert_eq!(sim.count("accepted again"), 0, "{seen}");
    sim.clear_mail_weather();
    sim.run_for(HOUR * 2);
    assert!(sim.count("accepted again") > 0, "{}", sim.transcript());
}

#[test]
fn what_joins_a_mail_is_told_by_one_more_at_the_end_of_its_window() {
    let names: Vec<String> = (0..9).map(|index| format!("rack-{index}")).collect();
    let pdus: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let mut config = Sim::config(&pdus);
    config.mail = self::config().mail;
    config.notify.to = self::config().notify.to;
    let mut sim = Sim::with_config(config);
    sim.run_for(Duration::from_secs(10));
    for name in &names {
        sim.device(name).set_power(3500.0);
        sim.run_for(Duration::from_millis(2100));
    }
    sim.run_for(MINUTE);
    assert_eq!(sim.mails().len(), 2, "{}", sim.transcript());
    assert!(
        sim.transcript().contains("8 more alerts"),
        "{}",
        sim.transcript()
    );
}

#[test]
fn mail_that_is_not_ascii_is_encoded_and_comes_back_whole() {
    let mut config = config();
    config.name = "Schrank Süd 🐝".into();
    power::settings_mut(&mut config).pdus[0].name =
        "Zürich — überlange Bezeichnung, die in keine Zeile paßt, gewiß nicht".into();
    let mut sim = Sim::with_config(config);
    sim.run_for(Duration::from_secs(10));
    sim.device("Zürich — überlange Bezeichnung, die in keine Zeile paßt, gewiß nicht")
        .set_power(3500.0);
    sim.run_for(Duration::from_secs(20));
    let (_, mail) = &sim.mails()[0];
    assert!(mail.is_ascii());
    assert!(mail.split("\r\n").all(|line| line.len() <= 100), "{mail}");
    let seen = sim.transcript();
    assert!(seen.contains("[Schrank Süd 🐝] critical: "), "{seen}");
    assert_eq!(
        sim.count("überlange Bezeichnung, die in keine"),
        2,
        "{seen}"
    );
}

#[test]
fn a_password_stands_in_no_transcript_record_or_debug_text() {
    let mut sim = sim();
    sim.set_mail_weather(
        1,
        MailWeather::Refuses(
            FaultKind::Denied,
            "the server refuses user and password (535)",
        ),
    );
    excess(&mut sim);
    sim.run_for(HOUR);
    let records = format!("{:?}", sim.records());
    for text in [sim.transcript(), records, format!("{:?}", config())] {
        assert!(!text.contains("hunter2"));
    }
}

/// Alerts go to a group; when Telegram has been away for ten minutes, Bob gets them.
fn with_fallback() -> Sim {
    let mut config = config();
    power::settings_mut(&mut config).interval = Duration::from_secs(20);
    let mut mail = MailConfig::clone(config.mail.as_ref().expect("[mail]"));
    mail.fallback_to = vec!["bob@example.org".to_owned()];
    config.mail = Some(Arc::new(mail));
    config.notify.to = vec!["telegram:-100".parse().expect("an address")];
    let mut sim = Sim::with_config(config);
    sim.run_for(Duration::from_secs(10));
    sim.clear_transcript();
    sim
}

#[test]
fn a_chat_that_is_away_for_long_is_told_by_mail_and_says_so_afterwards() {
    let mut sim = with_fallback();
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(MINUTE * 9);
    assert_eq!(sim.mails().len(), 0, "{}", sim.transcript());
    sim.run_for(MINUTE * 2);
    assert_eq!(sim.mails().len(), 1, "{}", sim.transcript());
    // What happens from now on does not wait another ten minutes.
    sim.device("alpha").set_power(1000.0);
    sim.run_for(MINUTE);
    assert_eq!(sim.mails().len(), 2, "{}", sim.transcript());
    assert!(
        !sim.transcript().contains("telegram:"),
        "{}",
        sim.transcript()
    );
    let id = |index: usize| header(&sim.mails()[index].1, "Message-ID").to_owned();
    assert_eq!(header(&sim.mails()[1].1, "In-Reply-To"), id(0));
    sim.clear_weather();
    sim.run_for(MINUTE * 2);
    let seen = sim.transcript();
    assert_eq!(
        seen.matches("(already told by mail at 20:1").count(),
        2,
        "{seen}"
    );
    assert_eq!(seen.matches("telegram:-100").count(), 1, "{seen}");
    assert!(seen.contains("back below limit"), "{seen}");
    sim.run_for(HOUR);
    assert_eq!(sim.mails().len(), 2);
    // The chat is back: what follows goes there alone.
    excess(&mut sim);
    assert_eq!(sim.mails().len(), 2, "{}", sim.transcript());
}

#[test]
fn a_short_outage_and_answers_are_never_mailed() {
    let mut sim = with_fallback();
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    excess(&mut sim);
    sim.run_for(MINUTE * 8);
    sim.clear_weather();
    sim.run_for(MINUTE * 10);
    sim.post(1, -100, "/status");
    sim.set_weather("sendMessage", u32::MAX, Weather::IsAway);
    sim.run_for(MINUTE * 30);
    assert_eq!(sim.mails().len(), 0, "{}", sim.transcript());
}

#[test]
fn only_an_accepted_mail_counts_as_told() {
    let mut sim = with_fallback();
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    sim.set_mail_weather(u32::MAX, MailWeather::IsAway);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(MINUTE * 20);
    sim.clear_weather();
    sim.run_for(MINUTE * 2);
    let seen = sim.transcript();
    assert!(seen.contains("telegram:-100"), "{seen}");
    assert!(!seen.contains("already told"), "{seen}");
    // The chat has it, so the mail is not sent any more.
    sim.clear_mail_weather();
    sim.run_for(MINUTE * 20);
    assert_eq!(sim.mails().len(), 0, "{}", sim.transcript());
}

#[test]
fn a_kill_during_the_fallback_loses_nothing_and_doubles_at_most_a_marked_repeat() {
    for step in 0..12 {
        let mut sim = with_fallback();
        sim.set_weather("*", u32::MAX, Weather::IsAway);
        sim.device("alpha").set_power(3500.0);
        // Around the moment at which the server takes the mail; its answer needs 300 ms.
        sim.run_for(MINUTE * 10);
        while sim.mails().is_empty() {
            sim.run_for(Duration::from_millis(20));
        }
        sim.run_for(Duration::from_millis(step * 40));
        sim.kill_and_restart();
        sim.run_for(MINUTE * 12);
        let marked = sim.count("(maybe repeated)");
        assert_eq!(sim.mails().len(), 1 + marked, "{}", sim.transcript());
        assert!(marked <= 1);
        sim.clear_weather();
        sim.run_for(MINUTE * 5);
        let seen = sim.transcript();
        assert_eq!(seen.matches("telegram:-100").count(), 1, "{seen}");
        assert_eq!(seen.matches("already told by mail").count(), 1, "{seen}");
        assert_eq!(sim.mails().len(), 1 + marked, "{seen}");
    }
}

#[test]
fn who_is_in_the_audience_anyway_gets_one_mail() {
    let mut config = config();
    let mut mail = MailConfig::clone(config.mail.as_ref().expect("[mail]"));
    mail.fallback_to = vec!["ann@example.org".to_owned(), "bob@example.org".to_owned()];
    config.mail = Some(Arc::new(mail));
    config.notify.to = ["telegram:-100", "telegram:42", "mail:ann@example.org"]
        .iter()
        .map(|to| to.parse().expect("an address"))
        .collect();
    let mut sim = Sim::with_config(config);
    sim.run_for(Duration::from_secs(10));
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    sim.device("alpha").set_power(3500.0);
    sim.run_for(MINUTE * 20);
    let to: Vec<&str> = sim.mails().iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(
        to,
        ["ann@example.org", "bob@example.org"],
        "{}",
        sim.transcript()
    );
    sim.clear_weather();
    sim.run_for(MINUTE);
    assert_eq!(sim.count("already told by mail"), 2, "{}", sim.transcript());
}
