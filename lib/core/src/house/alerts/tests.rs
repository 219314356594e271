//! What the commands answer.

use super::*;
use crate::alert::{Report, ReportKind, Rule, Severity};
use crate::time::{Mono, Zone};
use std::sync::Arc;

const NAME: &str = "power.limit:alpha";

fn at(seconds: u64) -> Now {
    Now {
        mono: Mono::new(Duration::from_secs(seconds)),
        wall: Wall(1_795_205_702_000 + seconds as i64 * 1000),
    }
}

fn burning(state: &mut Pending) -> AlertBook {
    let mut book = AlertBook::default();
    for (seconds, watts, kind) in [
        (0, 3120.0, ReportKind::State),
        (2, 3310.25, ReportKind::Update),
    ] {
        let report = Report {
            name: Arc::from(NAME),
            subject: "Team Alpha (alpha)".to_owned(),
            severity: Severity::Critical,
            state: AlertState::Firing,
            summary: format!("above power limit: {watts} W > 3000 W"),
            value: Some(watts),
            worst: Some(watts),
            unit: "W",
            at: at(seconds).wall,
            kind,
            rule: Some(Rule::above(3000.0, 2910.0)),
            reason: "above the limit",
            causes: None,
        };
        book.report(at(seconds), report, state);
    }
    book
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_mute_takes_a_duration_and_a_reason() {
    for (line, want) in [
        ("1h", Ok((3600, ""))),
        ("2h new servers", Ok((7200, "new servers"))),
        ("2 h new servers", Ok((7200, "new servers"))),
        ("30m", Ok((1800, ""))),
        ("22:00", Ok((6298, ""))),
        ("until 6:30 night shift", Ok((36_898, "night shift"))),
        ("tomorrow", Ok((42_298, ""))),
        ("until", Err("until: ")),
        ("25:00", Err("25:00: ")),
        ("", Err("for how long?")),
        ("soon", Err("soon: ")),
        ("0s", Err("0s: a mute lasts")),
        ("800d", Err("800d: a mute lasts")),
    ] {
        match (span_and_reason(&Config::empty(), at(0), &words(line)), want) {
            (Ok((span, reason)), Ok(want)) => {
                assert_eq!((span.as_secs(), reason.as_str()), want, "{line}");
            }
            (Err(wrong), Err(want)) => assert!(wrong.starts_with(want), "{line}: {wrong}"),
            (got, _) => panic!("{line}: {got:?}"),
        }
    }
}

#[test]
fn tomorrow_is_eight_in_the_morning_whatever_the_clock_does_that_night() {
    let mut config = Config::empty();
    config.notify.timezone = Zone::named("Europe/Berlin").expect("zone data");
    for (rule, now, want) in [
        (
            "in the evening",
            "2026-11-20T20:15:02Z",
            "2026-11-21T07:00:00Z",
        ),
        (
            "after midnight",
            "2026-11-20T23:30:00Z",
            "2026-11-22T07:00:00Z",
        ),
        (
            "an hour is skipped",
            "2027-03-27T20:00:00Z",
            "2027-03-28T06:00:00Z",
        ),
        (
            "an hour comes twice",
            "2027-10-30T20:00:00Z",
            "2027-10-31T07:00:00Z",
        ),
    ] {
        let wall = |text| Wall::parse(text, &Zone::UTC).expect(text);
        let mut moment = at(0);
        moment.wall = wall(now);
        let got = span_and_reason(&config, moment, &words("tomorrow"));
        assert_eq!(
            got,
            Ok((wall(want).since(wall(now)), String::new())),
            "{rule}"
        );
    }
    let mut unset = at(0);
    unset.wall = Wall(5000);
    let wrong = span_and_reason(&config, unset, &words("tomorrow"));
    assert!(wrong.is_err_and(|why| why.contains("is not set")));
}

#[test]
fn the_list_says_what_fires_who_saw_it_and_who_muted_it() {
    let (mut state, config) = (Pending::new(0), Config::empty());
    let (mut book, notifier) = (AlertBook::default(), Notifier::default());
    assert_eq!(
        list(&book, &notifier, &config, at(0)).to_plain(),
        "Nothing fires."
    );
    book = burning(&mut state);
    assert_eq!(
        list(&book, &notifier, &config, at(60)).to_plain(),
        "1 alert fires:\n#1 critical: Team Alpha (alpha): above power limit: 3310.25 W > 3000 W, \
         since 20:15:02 (60 s), worst 3310.3 W"
    );
    assert!(ack(&mut book, at(60), NAME, "Ann", &mut state).contains("no more reminders"));
    assert!(ack(&mut book, at(60), NAME, "Bob", &mut state).contains("by Ann already"));
    assert!(ack(&mut book, at(60), "x", "Bob", &mut state).contains("does not fire"));
    for name in [NAME, book::ALL] {
        let hour = Duration::from_secs(3600);
        book.mute(at(60), name, hour, ("Ann", "work"), &mut state);
    }
    let text = list(&book, &notifier, &config, at(60)).to_plain();
    let want = ", seen by Ann\nAll alerts are muted until 21:16:02 by Ann (work).";
    assert!(text.ends_with(want), "{text}");
    assert_eq!(
        unmute(&mut book, at(61), NAME, &mut state),
        "power.limit:alpha is told again."
    );
    assert!(unmute(&mut book, at(61), NAME, &mut state).contains("/unmute all"));
    assert_eq!(
        unmute(&mut book, at(61), book::ALL, &mut state),
        "Alerts are told again."
    );
    assert_eq!(
        unmute(&mut book, at(61), NAME, &mut state),
        "power.limit:alpha is not muted."
    );
}

#[test]
fn why_shows_rule_state_and_values() {
    let (mut state, config) = (Pending::new(0), Config::empty());
    let book = burning(&mut state);
    let notifier = Notifier::default();
    let entry = book.get(NAME).expect("it fires");
    let text = why(&book, &notifier, &config, at(60), (entry, entry.rule)).to_plain();
    for want in [
        "rule: above 3000 W; ends at or below 2910 W",
        "state: firing for 60 s: above the limit",
        "no reminder is due",
        "20:15:02  3120 W\n20:15:04  3310.3 W",
    ] {
        assert!(text.contains(want), "{want} in {text}");
    }
}
