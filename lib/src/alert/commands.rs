//! The commands about alerts: `/alerts /ack /mute /unmute /why`. The buttons under a message run the same lines.

use super::notify::{Notifier, clock};
use super::{AlertBook, AlertEntry, AlertState, Mute, book, inhibit};
use crate::chat::desk::Desk;
use crate::chat::{Answer, Arg, Caller, Invocation, Role, Spec};
use crate::config::{Config, units};
use crate::state::Pending;
use crate::text::Text;
use crate::time::{Human, Now, RELEASED, Wall};
use std::cmp::Reverse;
use std::time::Duration;

/// Lines of one list; what does not fit is counted.
const MAX_LINES: usize = 60;
/// A longer mute is a change of the configuration.
const LONGEST_MUTE: Duration = Duration::from_secs(366 * 86_400);
/// When tomorrow begins for somebody who does not want to be disturbed before: minutes after midnight.
const MORNING: u16 = 8 * 60;

/// The rows.
pub const SPECS: &[Spec] = &[
    Spec {
        name: "alerts",
        usage: "",
        help: "what fires, since when, how bad it was",
        example: "/alerts",
        role: Role::Viewer,
        action: None,
        arg: Arg::Free,
        changes_state: false,
    },
    Spec {
        name: "ack",
        usage: "<alert>",
        help: "say that you have seen an alert; its reminders stop",
        example: "/ack power.limit:alpha",
        role: Role::Operator,
        action: Some("alert.ack"),
        arg: Arg::Alert,
        changes_state: true,
    },
    Spec {
        name: "mute",
        usage: "<alert|all> <duration|tomorrow|08:00> [reason]",
        help: "hold back messages for a while",
        example: "/mute power.limit:alpha 2h new servers",
        role: Role::Operator,
        action: Some("alert.mute"),
        arg: Arg::Alert,
        changes_state: true,
    },
    Spec {
        name: "unmute",
        usage: "<alert|all>",
        help: "let messages through again",
        example: "/unmute all",
        role: Role::Operator,
        action: Some("alert.unmute"),
        arg: Arg::Alert,
        changes_state: true,
    },
    Spec {
        name: "why",
        usage: "<alert>",
        help: "the rule, the last values and who muted it",
        example: "/why power.limit:alpha",
        role: Role::Viewer,
        action: None,
        arg: Arg::Alert,
        changes_state: false,
    },
];

/// Runs one of them; false when the command is another one.
pub fn run(desk: &mut Desk<'_>, invocation: &Invocation) -> bool {
    let (now, config) = (desk.env.now, desk.env.config);
    let text = match (invocation.command, invocation.arg(0)) {
        ("alerts", _) => list(desk.alerts, config, now),
        ("ack" | "mute" | "unmute" | "why", None) => {
            desk.usage(invocation, "");
            return true;
        }
        ("why", Some(name)) => why(desk.alerts, desk.notifier, config, now, name),
        ("ack" | "unmute", Some(name)) => {
            let by = called(&invocation.caller);
            let state = &mut *desk.env.state;
            let outcome = if invocation.command == "ack" {
                ack(desk.alerts, now, name, &by, state)
            } else {
                unmute(desk.alerts, now, name, state)
            };
            desk.audit(invocation, action(invocation, name), &outcome);
            Text::from(outcome)
        }
        ("mute", Some(name)) => match span_and_reason(config, now, &invocation.args[1..]) {
            Ok((span, reason)) => {
                let by = called(&invocation.caller);
                let order = Order {
                    name,
                    span,
                    by,
                    reason,
                };
                let outcome = mute(desk.alerts, config, now, order, desk.env.state);
                desk.audit(invocation, action(invocation, name), &outcome);
                Text::from(outcome)
            }
            Err(wrong) => {
                desk.usage(invocation, &wrong);
                return true;
            }
        },
        _ => return false,
    };
    desk.answer(invocation, Answer::text(text));
    true
}

fn action(invocation: &Invocation, name: &str) -> String {
    format!("alert.{}:{name}", invocation.command)
}

fn called(caller: &Caller) -> String {
    if caller.name.is_empty() {
        caller.who.to_string()
    } else {
        caller.name.clone()
    }
}

fn list(book: &AlertBook, config: &Config, now: Now) -> Text {
    let mut entries: Vec<&AlertEntry> = book.entries().collect();
    crate::small::sort_by_key(&mut entries, |entry| {
        (!entry.is_open(), Reverse(entry.severity), entry.number)
    });
    let mut out = match entries.iter().filter(|entry| entry.is_open()).count() {
        0 => "Nothing fires.".to_owned(),
        1 => "1 alert fires:".to_owned(),
        count => format!("{count} alerts fire:"),
    };
    for entry in entries.iter().take(MAX_LINES) {
        out.push('\n');
        out.push_str(&line(book, config, now, entry));
    }
    if entries.len() > MAX_LINES {
        out.push_str(&format!("\n… and {} more", entries.len() - MAX_LINES));
    }
    if let Some((_, mute)) = book.mutes().find(|(name, _)| *name == book::ALL) {
        out.push_str(&format!("\nAll alerts are {}.", muted(config, now, mute)));
    }
    Text::from(out)
}

fn line(book: &AlertBook, config: &Config, now: Now, entry: &AlertEntry) -> String {
    let mut out = format!("#{} ", entry.number);
    match entry.state {
        AlertState::Firing => out.push_str(entry.severity.name()),
        AlertState::Unknown if entry.is_open() => {
            out.push_str(&format!("{}, no data at present", entry.severity.name()));
        }
        state => out.push_str(state.name()),
    }
    out.push_str(&format!(": {}: {}", entry.subject, entry.summary));
    let since = entry.fired.unwrap_or(entry.since);
    out.push_str(&format!(
        ", since {} ({})",
        clock(config, now, since),
        Human(now.wall.since(since))
    ));
    if let Some(worst) = entry.worst.filter(|_| entry.is_open()) {
        out.push_str(&format!(", worst {}", quantity(worst, entry.unit)));
    }
    if let Some(ack) = &entry.ack {
        out.push_str(&format!(", seen by {}", ack.by));
    }
    if let Some(source) = inhibit::because(book, config, entry) {
        out.push_str(&format!(", inhibited by {source}"));
    }
    if let Some((name, mute)) = book.muted(&entry.name) {
        if name != book::ALL {
            out.push_str(&format!(", {}", muted(config, now, mute)));
        }
    }
    out
}

fn muted(config: &Config, now: Now, mute: &Mute) -> String {
    let until = clock(config, now, mute.until);
    let mut out = format!("muted until {until} by {}", mute.by);
    if !mute.reason.is_empty() {
        out.push_str(&format!(" ({})", mute.reason));
    }
    out
}

fn ack(book: &mut AlertBook, now: Now, name: &str, by: &str, state: &mut Pending) -> String {
    let seen = book.get(name).and_then(|entry| entry.ack.clone());
    match seen {
        Some(ack) => format!("{name} has been seen by {} already.", ack.by),
        None if book.ack(now, name, by, state) => {
            format!("{name}: seen by {by}; there will be no more reminders.")
        }
        None => format!("{name} does not fire; there is nothing to acknowledge."),
    }
}

/// What somebody wants to have muted.
struct Order<'a> {
    name: &'a str,
    span: Duration,
    by: String,
    reason: String,
}

fn mute(
    book: &mut AlertBook,
    config: &Config,
    now: Now,
    order: Order<'_>,
    state: &mut Pending,
) -> String {
    let is_known = order.name == book::ALL
        || book.get(order.name).is_some()
        || book
            .muted(order.name)
            .is_some_and(|(name, _)| name == order.name);
    // An alert that does not fire can be muted ahead of time, by its full name.
    let is_full_name = order
        .name
        .split_once(':')
        .is_some_and(|(rule, _)| rule.contains('.'));
    if !is_known && !is_full_name {
        return format!(
            "There is no alert {} at present; nothing was muted. A name in full, such as power.limit:alpha, is muted ahead of time.",
            order.name
        );
    }
    book.mute(
        now,
        order.name,
        order.span,
        (&order.by, &order.reason),
        state,
    );
    let until = clock(config, now, now.wall.plus(order.span));
    let what = match order.name {
        book::ALL => "All alerts are",
        name => &format!("{name} is"),
    };
    format!(
        "{what} muted for {}, until {until}. It is still watched; /unmute {} ends it.",
        Human(order.span),
        crate::chat::grammar::quote(order.name)
    )
}

fn unmute(book: &mut AlertBook, now: Now, name: &str, state: &mut Pending) -> String {
    if book.unmute(now, name, state) {
        return match name {
            book::ALL => "Alerts are told again.".to_owned(),
            name => format!("{name} is told again."),
        };
    }
    match book.muted(name) {
        Some(_) => format!("{name} itself is not muted, but all alerts are: /unmute all"),
        None => format!("{name} is not muted."),
    }
}

/// `2h new servers`, also written as `2 h new servers`; `tomorrow` is the next day's morning, and `06:30` or `until 06:30`
/// the next moment with that local time.
fn span_and_reason(
    config: &Config,
    now: Now,
    args: &[String],
) -> Result<(Duration, String), String> {
    let args = match args {
        [until, rest @ ..] if until == "until" && !rest.is_empty() => rest,
        args => args,
    };
    let Some(first) = args.first() else {
        return Err("for how long?".to_owned());
    };
    if let Some(until) = moment(config, now, first) {
        if now.wall < RELEASED {
            return Err(format!(
                "{first}: the clock of this machine is not set; give a duration"
            ));
        }
        return Ok((until.since(now.wall), args[1..].join(" ")));
    }
    let spaced = args
        .get(1)
        .map(|unit| units::duration(&format!("{first} {unit}")));
    let (span, used) = match (units::duration(first), spaced) {
        (Ok(span), _) => (span, 1),
        (Err(_), Some(Ok(span))) => (span, 2),
        (Err(wrong), _) => return Err(format!("{first}: {wrong}")),
    };
    if span.is_zero() || span > LONGEST_MUTE {
        return Err(format!("{first}: a mute lasts from a second to a year"));
    }
    Ok((span, args[used..].join(" ")))
}

/// The moment that a word or a time of day means.
fn moment(config: &Config, now: Now, word: &str) -> Option<Wall> {
    let zone = &config.notify.timezone;
    if word == "tomorrow" {
        return now.wall.local_day(zone, 1, MORNING);
    }
    let (hour, minute) = word.split_once(':')?;
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    let minutes = (hour < 24 && minute < 60).then_some(hour * 60 + minute)?;
    let today = now.wall.local_day(zone, 0, minutes)?;
    if today > now.wall {
        return Some(today);
    }
    now.wall.local_day(zone, 1, minutes)
}

fn why(book: &AlertBook, notifier: &Notifier, config: &Config, now: Now, name: &str) -> Text {
    let Some(entry) = book.get(name) else {
        let mut out = format!("{name} is ok, or has not been judged yet.");
        if let Some((_, mute)) = book.muted(name) {
            out.push_str(&format!(" It is {}.", muted(config, now, mute)));
        }
        return Text::from(out);
    };
    let mut out = vec![line(book, config, now, entry)];
    if let Some(rule) = &entry.rule {
        out.push(format!("rule: {}", rule.in_words(entry.unit)));
    }
    let since = Human(now.wall.since(entry.since));
    let mut state = format!("state: {} for {since}", entry.state.name());
    if !entry.reason.is_empty() {
        state.push_str(&format!(": {}", entry.reason));
    }
    out.push(state);
    if let Some((by, mute)) = book.muted(name) {
        let which = if by == book::ALL {
            "all alerts are"
        } else {
            "it is"
        };
        out.push(format!("{which} {}", muted(config, now, mute)));
    }
    if let Some(source) = inhibit::because(book, config, entry).and_then(|source| book.get(&source))
    {
        let (name, what) = (&source.name, &source.summary);
        out.push(format!("inhibited by {name}: {}: {what}", source.subject));
    }
    out.extend(notifier.flapping(config, now, name));
    if let Some(because) = notifier.held_because(name) {
        out.push(format!("not told: {because}"));
    }
    out.push(match (&entry.ack, notifier.next_reminder(now, name)) {
        (Some(ack), _) => format!(
            "seen by {} at {}; no reminders",
            ack.by,
            clock(config, now, ack.at)
        ),
        (None, Some(span)) => format!("next reminder in {}", Human(span)),
        (None, None) => "no reminder is due".to_owned(),
    });
    let samples: Vec<String> = entry
        .samples
        .iter()
        .map(|(at, value)| {
            let value = value.map_or("no data".to_owned(), |value| quantity(value, entry.unit));
            format!("{}  {value}", clock(config, now, *at))
        })
        .collect();
    let text = Text::from(out.join("\n"));
    if samples.is_empty() {
        return text;
    }
    text.plain("\nlast values:").pre(samples.join("\n"))
}

fn quantity(value: f64, unit: &str) -> String {
    let value = (value * 10.0).round() / 10.0;
    format!("{value} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
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
        let mut book = AlertBook::default();
        assert_eq!(list(&book, &config, at(0)).to_plain(), "Nothing fires.");
        book = burning(&mut state);
        assert_eq!(
            list(&book, &config, at(60)).to_plain(),
            "1 alert fires:\n#1 critical: Team Alpha (alpha): above power limit: 3310.25 W > 3000 W, \
             since 20:15:02 (60 s), worst 3310.3 W"
        );
        assert!(ack(&mut book, at(60), NAME, "Ann", &mut state).contains("no more reminders"));
        assert!(ack(&mut book, at(60), NAME, "Bob", &mut state).contains("by Ann already"));
        assert!(ack(&mut book, at(60), "x", "Bob", &mut state).contains("does not fire"));
        let order = |name| Order {
            name,
            span: Duration::from_secs(3600),
            by: "Ann".to_owned(),
            reason: "work".to_owned(),
        };
        assert_eq!(
            mute(&mut book, &config, at(60), order(NAME), &mut state),
            "power.limit:alpha is muted for 1 h, until 21:16:02. It is still watched; /unmute power.limit:alpha ends it."
        );
        mute(&mut book, &config, at(60), order(book::ALL), &mut state);
        for (name, want) in [
            ("alhpa", "nothing was muted"),
            ("power.limit:bravo", "is muted for 1 h"),
        ] {
            let outcome = mute(&mut book, &config, at(60), order(name), &mut state);
            assert!(outcome.contains(want), "{outcome}");
        }
        let text = list(&book, &config, at(60)).to_plain();
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
        let text = why(&book, &notifier, &config, at(60), NAME).to_plain();
        for want in [
            "rule: above 3000 W; ends at or below 2910 W",
            "state: firing for 60 s: above the limit",
            "no reminder is due",
            "20:15:02  3120 W\n20:15:04  3310.3 W",
        ] {
            assert!(text.contains(want), "{want} in {text}");
        }
        let text = why(&book, &notifier, &config, at(60), "x").to_plain();
        assert_eq!(text, "x is ok, or has not been judged yet.");
    }
}
