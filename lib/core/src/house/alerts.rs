//! The commands about alerts: `/alerts /ack /mute /unmute /why`. The buttons under a message run the same lines.

use super::{Command, HouseCtx};
use crate::alert::notify::{Notifier, clock};
use crate::alert::{AlertBook, AlertEntry, AlertState, Mute, Rule, book, inhibit, numbers};
use crate::chat::{Answer, Caller, Invocation, Role, Spec};
use crate::config::{Config, suggest, units};
use crate::history;
use crate::state::Pending;
use crate::text::Text;
use crate::time::{Human, Now, RELEASED, Wall};
use std::cmp::Reverse;
use std::time::Duration;

/// Lines of one list; what does not fit is counted.
const MAX_LINES: usize = 60;
/// With more alerts that are unknown because of others these are only counted.
const MAX_IDLE: usize = 4;
/// A longer mute is a change of the configuration.
const LONGEST_MUTE: Duration = Duration::from_secs(366 * 86_400);
/// Of an alert that is ok `/why` shows the values of so long.
const VALUES_OF: Duration = Duration::from_secs(40);
/// When tomorrow begins for somebody who does not want to be disturbed before: minutes after midnight.
const MORNING: u16 = 8 * 60;

/// The kind of argument that names alerts: by number or name, and `all` where the command takes it.
pub const ALERT: &str = "alert";

/// The rows.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        spec: Spec {
            name: "alerts",
            usage: "",
            help: "what fires, since when, how bad it was",
            example: "/alerts",
            role: Role::Viewer,
            action: None,
            arg: None,
            changes_state: false,
        },
        run: alerts,
    },
    Command {
        spec: Spec {
            name: "ack",
            usage: "<alert>",
            help: "say that you have seen an alert; its reminders stop",
            example: "/ack power.limit:alpha",
            role: Role::Operator,
            action: Some("alert.ack"),
            arg: Some(ALERT),
            changes_state: true,
        },
        run: |house, invocation| on_targets(house, invocation, run_ack),
    },
    Command {
        spec: Spec {
            name: "mute",
            usage: "<alert|all> <duration|tomorrow|08:00> [reason]",
            help: "hold back messages for a while",
            example: "/mute power.limit:alpha 2h new servers",
            role: Role::Operator,
            action: Some("alert.mute"),
            arg: Some(ALERT),
            changes_state: true,
        },
        run: |house, invocation| on_targets(house, invocation, run_mute),
    },
    Command {
        spec: Spec {
            name: "unmute",
            usage: "<alert|all>",
            help: "let messages through again",
            example: "/unmute all",
            role: Role::Operator,
            action: Some("alert.unmute"),
            arg: Some(ALERT),
            changes_state: true,
        },
        run: |house, invocation| on_targets(house, invocation, run_unmute),
    },
    Command {
        spec: Spec {
            name: "why",
            usage: "<alert>",
            help: "the rule, the last values and who muted it",
            example: "/why power.limit:alpha",
            role: Role::Viewer,
            action: None,
            arg: Some(ALERT),
            changes_state: false,
        },
        run: |house, invocation| on_targets(house, invocation, run_why),
    },
];

/// Names of alerts that begin like this: those that are known, else those that rules could report.
pub fn names(
    book: Option<&AlertBook>,
    rules: &dyn Fn() -> Vec<String>,
    prefix: &str,
) -> Vec<String> {
    let known = book.map_or_else(Vec::new, |book| book.complete(prefix));
    match known.is_empty() {
        true => book::matching(rules().iter().map(String::as_str), prefix),
        false => known,
    }
}

fn alerts(house: &mut HouseCtx<'_>, invocation: &Invocation) {
    let text = list(
        house.alerts,
        house.notifier,
        house.env.config,
        house.env.now,
    );
    house.answer(invocation, Answer::text(text));
}

/// Says what a command did to the alerts that are named, or what is wrong with its other arguments.
type OnTargets = fn(&mut HouseCtx<'_>, &Invocation, &Targets) -> Result<Text, String>;

fn on_targets(house: &mut HouseCtx<'_>, invocation: &Invocation, run: OnTargets) {
    let Some(targets) = Targets::of(house.alerts, &invocation.args) else {
        return house.usage(invocation, "");
    };
    let text = match targets.names.is_empty() {
        true => Ok(Text::from(format!("{}: over already.", targets.words))),
        false => run(house, invocation, &targets),
    };
    match text {
        Ok(text) => house.answer(invocation, Answer::text(text)),
        Err(wrong) => house.usage(invocation, &wrong),
    }
}

/// The alerts that a command is about.
struct Targets {
    names: Vec<String>,
    /// As they were written, and in how many arguments.
    words: String,
    count: usize,
}

impl Targets {
    /// `None` without arguments. Several are given by their numbers; those that are over are left out.
    fn of(book: &AlertBook, args: &[String]) -> Option<Targets> {
        let several = numbers::several(args);
        let words = &args[..several.max(1).min(args.len())];
        let names = match words {
            [] => return None,
            [name] if several == 0 => vec![name.clone()],
            words => words.iter().flat_map(|word| book.complete(word)).collect(),
        };
        Some(Targets {
            names,
            words: words.join(" "),
            count: words.len(),
        })
    }

    /// The one alert, if they are not several.
    fn only(&self) -> Option<&str> {
        match &self.names[..] {
            [name] => Some(name),
            _ => None,
        }
    }
}

fn run_ack(
    house: &mut HouseCtx<'_>,
    invocation: &Invocation,
    targets: &Targets,
) -> Result<Text, String> {
    let (now, by) = (house.env.now, called(&invocation.caller));
    let mut last = String::new();
    let (mut seen, mut seen_before) = (0, 0);
    for name in &targets.names {
        let entry = house.alerts.get(name).filter(|entry| entry.is_open());
        match entry.map(|entry| entry.ack.is_some()) {
            Some(true) => seen_before += 1,
            Some(false) => seen += 1,
            None => {}
        }
        last = ack(house.alerts, now, name, &by, house.env.state);
        house.audit(invocation, action(invocation, name), &last);
    }
    let text = match (targets.only(), seen, seen_before) {
        (Some(_), ..) => last,
        (None, 0, 0) => format!("{}: none of them fires.", targets.words),
        (None, 0, _) => format!("{}: seen already.", targets.words),
        (None, seen, 0) => {
            format!("{seen} alerts: seen by {by}; there will be no more reminders.")
        }
        (None, seen, before) => format!(
            "{seen} alerts: seen by {by}; there will be no more reminders. {before} had been seen already."
        ),
    };
    Ok(Text::from(text))
}

fn run_unmute(
    house: &mut HouseCtx<'_>,
    invocation: &Invocation,
    targets: &Targets,
) -> Result<Text, String> {
    let mut last = String::new();
    for name in &targets.names {
        last = unmute(house.alerts, house.env.now, name, house.env.state);
        house.audit(invocation, action(invocation, name), &last);
    }
    Ok(Text::from(match targets.only() {
        Some(_) => last,
        None => format!("{} alerts are told again.", targets.names.len()),
    }))
}

fn run_mute(
    house: &mut HouseCtx<'_>,
    invocation: &Invocation,
    targets: &Targets,
) -> Result<Text, String> {
    let (now, config, by) = (house.env.now, house.env.config, called(&invocation.caller));
    let (span, reason) = span_and_reason(config, now, &invocation.args[targets.count..])?;
    let mut last = String::new();
    for name in &targets.names {
        last = match known(house, name) {
            Known::No(near) => {
                let near = did_you_mean(near);
                format!("There is no alert {name}; nothing was muted.{near}")
            }
            is_known => {
                house
                    .alerts
                    .mute(now, name, span, (&by, &reason), house.env.state);
                let (what, they) = match &**name {
                    book::ALL => ("All alerts are".to_owned(), "They are"),
                    name => (format!("{name} is"), "It is"),
                };
                let words = crate::chat::grammar::quote(name);
                let outcome = muted_now(config, now, (&what, they), span, &words);
                match is_known {
                    Known::Yes => outcome,
                    _ => outcome + " No alert of this name is known yet.",
                }
            }
        };
        house.audit(invocation, action(invocation, name), &last);
    }
    Ok(Text::from(match targets.only() {
        Some(_) => last,
        None => {
            let what = format!("{} alerts are", targets.names.len());
            muted_now(config, now, (&what, "They are"), span, &targets.words)
        }
    }))
}

fn run_why(
    house: &mut HouseCtx<'_>,
    _invocation: &Invocation,
    targets: &Targets,
) -> Result<Text, String> {
    let (now, config) = (house.env.now, house.env.config);
    let name = &targets.names[0];
    let Some(entry) = house.alerts.get(name) else {
        return Ok(why_not(house, name));
    };
    let rule = entry.rule.or_else(|| Some((house.rule)(name)?.0));
    Ok(why(
        house.alerts,
        house.notifier,
        config,
        now,
        (entry, rule),
    ))
}

fn muted_now(
    config: &Config,
    now: Now,
    (what, they): (&str, &str),
    span: Duration,
    words: &str,
) -> String {
    let until = clock(config, now, now.wall.plus(span));
    let span = Human(span);
    format!(
        "{what} muted for {span}, until {until}. {they} still watched; /unmute {words} ends it."
    )
}

fn action(invocation: &Invocation, name: &str) -> String {
    format!("alert.{}:{name}", invocation.spec.name)
}

fn called(caller: &Caller) -> String {
    if caller.name.is_empty() {
        caller.who.to_string()
    } else {
        caller.name.clone()
    }
}

fn list(book: &AlertBook, notifier: &Notifier, config: &Config, now: Now) -> Text {
    let mut entries: Vec<&AlertEntry> = book.entries().collect();
    crate::small::sort_by_key(&mut entries, |entry| {
        (!entry.is_open(), Reverse(entry.severity), entry.number)
    });
    let mut out = match entries.iter().filter(|entry| entry.is_open()).count() {
        0 => "Nothing fires.".to_owned(),
        1 => "1 alert fires:".to_owned(),
        count => format!("{count} alerts fire:"),
    };
    // Limits of what does not answer say nothing that its own alert does not say.
    let is_idle = |entry: &&AlertEntry| !entry.is_open() && inhibit::because(book, entry).is_some();
    let idle = entries.iter().filter(|entry| is_idle(entry)).count();
    if idle > MAX_IDLE {
        entries.retain(|entry| !is_idle(entry));
    }
    for entry in entries.iter().take(MAX_LINES) {
        out.push('\n');
        out.push_str(&line(book, config, now, entry));
        if notifier.is_flapping(&entry.name) {
            out.push_str(", flapping");
        }
    }
    if entries.len() > MAX_LINES {
        out.push_str(&format!("\n… and {} more", entries.len() - MAX_LINES));
    }
    if idle > MAX_IDLE {
        out.push_str(&format!("\n{idle} others are unknown because of these."));
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
    if let Some(source) = inhibit::because(book, entry) {
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

/// Whether there is an alert of a name.
#[derive(Debug, PartialEq)]
enum Known {
    Yes,
    /// Nothing is known of it, but some have no rule: what only happens, such as `power.restart:alpha`.
    Perhaps,
    /// There is none; another one may be meant.
    No(Option<String>),
}

fn known(house: &HouseCtx<'_>, name: &str) -> Known {
    let is_muted = house.alerts.mutes().any(|(muted, _)| muted == name);
    if name == book::ALL || is_muted || house.alerts.get(name).is_some() {
        return Known::Yes;
    }
    if (house.rule)(name).is_some() {
        return Known::Yes;
    }
    let rules = (house.rules)();
    let split = |name| str::split_once(name, ':');
    let kind = split(name).map(|(kind, _)| kind);
    let is_rule = |kind| {
        rules
            .iter()
            .any(|rule| split(rule).is_some_and(|(own, _)| own == kind))
    };
    if kind.is_some_and(|kind| kind.contains('.') && !is_rule(kind)) {
        return Known::Perhaps;
    }
    let things = rules.iter().filter_map(|rule| Some(split(rule)?.1));
    let names = rules.iter().map(String::as_str).chain(things);
    Known::No(suggest::nearest(name, names).map(str::to_owned))
}

fn did_you_mean(near: Option<String>) -> String {
    near.map_or_else(String::new, |near| format!(" Did you mean {near}?"))
}

/// `/why` of an alert that is not in the book.
fn why_not(house: &HouseCtx<'_>, name: &str) -> Text {
    let (config, now) = (house.env.config, house.env.now);
    if let Known::No(near) = known(house, name) {
        return Text::from(format!("There is no alert {name}.{}", did_you_mean(near)));
    }
    let rule = (house.rule)(name);
    let values = rule.map_or_else(Vec::new, |(_, unit)| last_values(house, name, unit));
    let mut out = vec![match values.is_empty() {
        true => format!("{name} is ok, or has not been judged yet."),
        false => format!("{name} is ok."),
    }];
    out.extend(rule.map(|(rule, unit)| format!("rule: {}", rule.in_words(unit))));
    out.extend(what_holds(house.alerts, house.notifier, config, now, name));
    with_values(&out, &values)
}

/// The last values that the history has of what an alert judges, as lines.
fn last_values(house: &HouseCtx<'_>, name: &str, unit: &str) -> Vec<String> {
    let (config, now) = (house.env.config, house.env.now);
    let Some(series) = history::of_alert(name) else {
        return Vec::new();
    };
    let query = history::Query {
        series: vec![series],
        from: now.wall.minus(VALUES_OF),
        to: now.wall,
        points: book::MAX_SAMPLES as u32,
    };
    let curves = house.history.recall(now, &query);
    // Of a device that answers, the alert of its silence has only the power.
    let curve = curves.iter().find(|curve| curve.unit.symbol() == unit);
    let lines = curve.into_iter().flat_map(|curve| {
        let points = (0u32..).zip(&curve.points);
        points.filter_map(|(index, span)| {
            let at = curve.start.plus(curve.step * index);
            let value = quantity(f64::from((*span)?.avg), unit);
            Some(format!("{}  {value}", clock(config, now, at)))
        })
    });
    lines.collect()
}

/// What keeps people from being told.
fn what_holds(
    book: &AlertBook,
    notifier: &Notifier,
    config: &Config,
    now: Now,
    name: &str,
) -> Vec<String> {
    let mut out = Vec::new();
    if let Some((by, mute)) = book.muted(name) {
        let which = if by == book::ALL {
            "all alerts are"
        } else {
            "it is"
        };
        out.push(format!("{which} {}", muted(config, now, mute)));
    }
    if let Some(source) = book
        .get(name)
        .and_then(|entry| inhibit::because(book, entry))
        .and_then(|source| book.get(&source))
    {
        let (name, what) = (&source.name, &source.summary);
        out.push(format!("inhibited by {name}: {}: {what}", source.subject));
    }
    out.extend(notifier.flapping(config, now, name));
    if let Some(because) = notifier.held_because(name) {
        out.push(format!("not told: {because}"));
    }
    out
}

fn with_values(lines: &[String], values: &[String]) -> Text {
    let text = Text::from(lines.join("\n"));
    if values.is_empty() {
        return text;
    }
    text.plain("\nlast values:").pre(values.join("\n"))
}

fn why(
    book: &AlertBook,
    notifier: &Notifier,
    config: &Config,
    now: Now,
    (entry, rule): (&AlertEntry, Option<Rule>),
) -> Text {
    let name = &*entry.name;
    let mut out = vec![line(book, config, now, entry)];
    out.extend(rule.map(|rule| format!("rule: {}", rule.in_words(entry.unit))));
    let since = Human(now.wall.since(entry.since));
    let mut state = format!("state: {} for {since}", entry.state.name());
    if !entry.reason.is_empty() {
        state.push_str(&format!(": {}", entry.reason));
    }
    out.push(state);
    out.extend(what_holds(book, notifier, config, now, name));
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
    // What comes and goes without a measure has no values.
    let has_any = entry.samples.iter().any(|(_, value)| value.is_some());
    with_values(&out, if has_any { &samples } else { &[] })
}

fn quantity(value: f64, unit: &str) -> String {
    let value = (value * 10.0).round() / 10.0;
    format!("{value} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests;
