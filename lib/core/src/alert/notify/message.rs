//! A message that people have got: its lines, how it reads now, and its buttons. It is edited when its alerts
//! are acknowledged or end.

use crate::alert::{AlertBook, Severity, numbers};
use crate::chat::grammar::quote;
use crate::chat::outbox::{ItemId, Lane, Topic};
use crate::chat::{Button, Place};
use crate::config::Config;
use crate::history;
use crate::text::Text;
use crate::time::{Human, Now, Wall};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Alerts of one message that have a line of their own …
const MAX_LINES: usize = 25;
/// … and further ones that are only named.
const MAX_NAMED: usize = 75;
/// With more alerts than this none has buttons of its own.
const MAX_BUTTON_ROWS: usize = 4;
/// A line of an older event carries its time.
const FRESH: Duration = Duration::from_secs(5);

/// One message, in every chat of its audience.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Message {
    /// Where it stands.
    pub(super) copies: Vec<(Place, ItemId)>,
    /// The highest severity in it.
    pub(super) severity: Severity,
    /// What stands above the lines.
    pub(super) title: Title,
    /// The lines.
    pub(super) lines: Vec<Line>,
    /// Further alerts: their names and their things.
    pub(super) more: Vec<(String, String)>,
    /// Until when (steady milliseconds) others join it; 0 when nobody does any longer.
    pub(super) open_until: i64,
    /// Alerts that have ended since it was written: what comes later about them is told later, in a message of its own.
    #[serde(default)]
    pub(super) ended: Vec<String>,
    /// Who joined a copy (by its number) that had left already, and has not rung there yet.
    pub(super) unrung: Vec<(usize, String)>,
}

/// What stands above the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Title {
    /// Alerts, each for itself.
    Alerts,
    /// Those that joined a message within its window.
    Joined,
    /// What fires still.
    Reminder,
    /// What has ended.
    Ended,
    /// What was held back, and until when it was.
    Held(String),
}

/// One alert or event in a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// Name of the alert.
    pub(super) name: String,
    /// The thing.
    pub(super) subject: String,
    /// What is wrong with it.
    pub(super) text: String,
    /// Severity of this line.
    pub(super) severity: Severity,
    /// When it happened.
    pub(super) at: Wall,
    /// How it stands.
    pub(super) status: Status,
}

/// How a line stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Status {
    /// It fires.
    Firing,
    /// It fires, and somebody has seen it.
    Acknowledged(String),
    /// It fires with another severity, in a newer message.
    Moved(Severity),
    /// It is over since then, with these words; none where the line itself says so.
    Ended(Wall, String),
    /// It has no end.
    Event,
    /// It comes and goes all the time; whether it fires now, and for which calm (in milliseconds) is waited.
    Flapping(bool, i64),
    /// It did, until then. True when it fires.
    Calm(Wall, bool),
}

impl Line {
    pub(super) fn is_live(&self) -> bool {
        matches!(
            self.status,
            Status::Firing | Status::Acknowledged(_) | Status::Flapping(..)
        )
    }

    pub(super) fn is_flapping(&self) -> bool {
        matches!(self.status, Status::Flapping(..))
    }

    fn mark(&self) -> &'static str {
        match &self.status {
            Status::Ended(..) | Status::Calm(_, false) | Status::Flapping(false, _) => "✅",
            Status::Event => "⚡",
            Status::Acknowledged(_) => "👤",
            Status::Firing
            | Status::Moved(_)
            | Status::Flapping(true, _)
            | Status::Calm(_, true) => mark(self.severity),
        }
    }

    /// Everything after the mark, in a message whose first line is of `first`: whoever joins it later says when
    /// that was, since a message that waits says only when it was begun.
    fn words(&self, config: &Config, now: Now, first: Wall) -> String {
        let mut out = format!("{}: {}", self.subject, self.text);
        // Beside an end stands its beginning's time, whatever the clock did between them.
        let is_over = matches!(&self.status, Status::Ended(_, words) if !words.is_empty());
        // The clock may have been set back before it joined.
        let is_apart = self.at.since(first).max(first.since(self.at)) > FRESH;
        let is_late = now.wall.since(self.at) > FRESH || is_apart;
        if is_over || is_late || self.at > now.wall.plus(FRESH) {
            out.push_str(&format!(" ({})", clock(config, now, self.at)));
        }
        match &self.status {
            Status::Acknowledged(by) => out.push_str(&format!(" — seen by {by}")),
            Status::Moved(severity) => out.push_str(&format!(" — now {}", severity.name())),
            Status::Flapping(_, calm) => {
                let calm = Human(Duration::from_millis(u64::try_from(*calm).unwrap_or(0)));
                out.push_str(&format!(" — told again when calm for {calm}"));
            }
            Status::Calm(at, _) => {
                out.push_str(&format!(" — calm at {}", clock(config, now, *at)));
            }
            Status::Ended(at, words) if !words.is_empty() => {
                out.push_str(&format!(" — {}, {words}", clock(config, now, *at)));
            }
            _ => {}
        }
        out
    }
}

impl Message {
    /// As many messages as these lines take.
    pub(super) fn several(title: &Title, lines: Vec<Line>) -> Vec<Message> {
        lines
            .chunks(MAX_LINES + MAX_NAMED)
            .map(|lines| Message::new(title.clone(), lines.to_vec()))
            .collect()
    }

    fn new(title: Title, lines: Vec<Line>) -> Message {
        let mut message = Message {
            copies: Vec::new(),
            severity: Severity::Info,
            title,
            lines: Vec::new(),
            more: Vec::new(),
            open_until: 0,
            ended: Vec::new(),
            unrung: Vec::new(),
        };
        for line in lines {
            message.add(line);
        }
        message
    }

    pub(super) fn correct_times(&mut self, by_ms: i64) {
        if self.open_until != 0 {
            self.open_until += by_ms;
        }
        for line in &mut self.lines {
            line.at.correct(by_ms);
            if let Status::Ended(at, _) | Status::Calm(at, _) = &mut line.status {
                at.correct(by_ms);
            }
        }
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: Line) {
        self.severity = self.severity.max(line.severity);
        if self.lines.len() < MAX_LINES {
            self.lines.push(line);
        } else {
            self.more.push((line.name, line.subject));
        }
    }

    /// True when all of these can join.
    pub(super) fn takes(&self, lines: &[Line]) -> bool {
        let is_new = |line: &Line| {
            self.lines.iter().all(|own| own.name != line.name) && !self.ended.contains(&line.name)
        };
        self.lines.len() + self.more.len() + lines.len() <= MAX_LINES + MAX_NAMED
            && lines.iter().all(is_new)
    }

    /// The line of this alert, if it still fires as far as the message says.
    pub(super) fn live_line(&mut self, name: &str) -> Option<&mut Line> {
        self.lines
            .iter_mut()
            .find(|line| line.name == name && line.is_live() && !line.is_flapping())
    }

    /// The line that says that it comes and goes.
    pub(super) fn flapping_line(&mut self, name: &str) -> Option<&mut Line> {
        self.lines
            .iter_mut()
            .find(|line| line.name == name && line.is_flapping())
    }

    pub(super) fn is_live(&self) -> bool {
        self.lines.iter().any(Line::is_live)
    }

    /// The alert that it is about, when there is just one.
    pub(super) fn only_alert(&self) -> Option<Arc<str>> {
        match &self.lines[..] {
            [line] if self.more.is_empty() => Some(Arc::from(line.name.as_str())),
            _ => None,
        }
    }

    /// What a heading needs.
    pub(super) fn topic(&self, audience: &mut dyn Iterator<Item = &Place>) -> Topic {
        let lines = match &self.lines[..] {
            [_] => &[],
            lines => lines,
        };
        Topic {
            severity: self.severity,
            is_end: self.title == Title::Ended,
            alerts: lines.iter().map(|line| line.name.clone()).collect(),
            mailed: audience
                .filter(|to| to.service().is_fallback)
                .map(|to| to.path().to_owned())
                .collect(),
        }
    }

    /// What joined and still fires, for the copies that have not rung for it.
    pub(super) fn summaries(&mut self) -> Vec<(Vec<Place>, Vec<Line>)> {
        let unrung = std::mem::take(&mut self.unrung);
        let mut summaries: Vec<(Vec<Place>, Vec<Line>)> = Vec::new();
        for (copy, (to, _)) in self.copies.iter().enumerate() {
            let is_due = |line: &&Line| {
                matches!(line.status, Status::Firing | Status::Event)
                    && unrung
                        .iter()
                        .any(|(of, name)| *of == copy && *name == line.name)
            };
            let lines: Vec<Line> = self.lines.iter().filter(is_due).cloned().collect();
            match summaries.last_mut() {
                _ if lines.is_empty() => {}
                Some((audience, own)) if *own == lines => audience.push(to.clone()),
                _ => summaries.push((vec![to.clone()], lines)),
            }
        }
        summaries
    }

    pub(super) fn stands_at(&self, audience: &[Place]) -> bool {
        self.copies.len() == audience.len()
            && self
                .copies
                .iter()
                .zip(audience)
                .all(|((at, _), to)| at == to)
    }

    pub(super) fn lane(&self) -> Lane {
        match self.title {
            Title::Held(_) if self.severity < Severity::Critical => Lane::Digest,
            _ if self.severity == Severity::Critical => Lane::Critical,
            _ => Lane::Warning,
        }
    }

    /// How it reads.
    pub(super) fn text(&self, config: &Config, now: Now) -> Text {
        let agent = &config.name;
        let count = self.lines.len() + self.more.len();
        let first = self.lines.first().map_or(now.wall, |line| line.at);
        if let ([line], [], Title::Alerts | Title::Joined | Title::Ended | Title::Reminder) =
            (&self.lines[..], &self.more[..], &self.title)
        {
            // A reminder stays one whatever it becomes: it may leave after what it repeats.
            let (again, mark, prefix) = match self.title {
                Title::Reminder if line.is_live() => {
                    let lasting = Human(now.wall.since(line.at));
                    ("🔁", "", format!("still firing after {lasting}: "))
                }
                Title::Reminder => ("🔁 ", line.mark(), String::new()),
                _ => ("", line.mark(), String::new()),
            };
            let words = line.words(config, now, first);
            return Text::from(format!("{again}{mark} {agent}: {prefix}{words}"));
        }
        let is_over = |line: &Line| matches!(line.status, Status::Ended(..));
        let is_over = self.more.is_empty() && self.lines.iter().all(is_over);
        let worst = mark(self.severity);
        let mut out = match &self.title {
            Title::Alerts | Title::Joined if is_over => {
                format!("✅ {agent}: {count} alerts, all over")
            }
            Title::Reminder if is_over => format!("🔁 ✅ {agent}: {count} alerts, all over"),
            Title::Alerts => format!("{worst} {agent}: {count} alerts"),
            Title::Joined => format!("{worst} {agent}: {count} more alerts"),
            Title::Reminder => format!("🔁 {agent}: {count} alerts still firing"),
            Title::Ended => format!("✅ {agent}: {count} alerts are over"),
            Title::Held(until) => format!("🔔 {agent}: {until}"),
        };
        for line in &self.lines {
            let words = line.words(config, now, first);
            out.push_str(&format!("\n{} {words}", line.mark()));
        }
        if !self.more.is_empty() {
            let names: Vec<&str> = self.more.iter().map(|(_, thing)| &**thing).collect();
            let names = names.join(", ");
            out.push_str(&format!("\n… and {} more: {names}", self.more.len()));
        }
        Text::from(out)
    }

    /// What can be pressed under it.
    pub(super) fn buttons(&self, book: &AlertBook) -> Vec<Vec<Button>> {
        let live: Vec<&Line> = self
            .lines
            .iter()
            .filter(|line| line.is_live() && book.get(&line.name).is_some())
            .collect();
        match live[..] {
            [] => match (&self.lines[..], &self.title) {
                ([line], Title::Ended) => chart(line).into_iter().map(|one| vec![one]).collect(),
                _ => Vec::new(),
            },
            [line] if self.more.is_empty() => single_buttons(line),
            _ => {
                let each = live.len() <= MAX_BUTTON_ROWS && self.more.is_empty();
                let rows = live.iter().filter(|_| each).map(|line| row(line));
                rows.chain(self.common_buttons(book, &live)).collect()
            }
        }
    }

    /// What can be done with all of its alerts that fire.
    fn common_buttons(&self, book: &AlertBook, live: &[&Line]) -> Vec<Vec<Button>> {
        let names = live.iter().map(|line| &*line.name);
        let names = names.chain(self.more.iter().map(|(name, _)| &**name));
        let open = names.filter_map(|name| book.get(name).filter(|entry| entry.is_open()));
        let numbers = numbers::written(open.map(|entry| entry.number).collect());
        let list = Button::open("All alerts", "/alerts");
        if numbers.is_empty() {
            return vec![vec![list]];
        }
        let mute = |label, span| Button::open(label, format!("/mute {numbers} {span}"));
        let mut first = vec![mute("Mute all 1 h", "1h"), mute("Mute all 8 h", "8h")];
        if live.iter().any(|line| line.status == Status::Firing) {
            first.insert(0, Button::open("Ack all", format!("/ack {numbers}")));
        }
        let mut second = vec![mute("Until tomorrow 08:00", "tomorrow")];
        second.extend(common_chart(live));
        second.push(list);
        vec![first, second]
    }
}

fn single_buttons(line: &Line) -> Vec<Vec<Button>> {
    let name = quote(&line.name);
    let mut first = vec![
        Button::open("Mute 1 h", format!("/mute {name} 1h")),
        Button::open("Mute 8 h", format!("/mute {name} 8h")),
    ];
    if line.status == Status::Firing {
        first.insert(0, Button::open("Ack", format!("/ack {name}")));
    }
    let mut second = vec![Button::open(
        "Until tomorrow 08:00",
        format!("/mute {name} tomorrow"),
    )];
    second.extend(chart(line));
    second.push(Button::open("Why", format!("/why {name}")));
    vec![first, second]
}

/// Draws what the alert judges, where a history of it is kept.
fn chart(line: &Line) -> Option<Button> {
    history::of_alert(&line.name)?;
    let name = quote(&line.name);
    Some(Button::open("Chart", format!("/chart {name}")))
}

/// Draws what several alerts judge, where that is of one sort.
fn common_chart(lines: &[&Line]) -> Option<Button> {
    let series = lines.iter().map(|line| history::of_alert(&line.name));
    let series: Vec<String> = series.collect::<Option<_>>()?;
    let all = |sort: &str| series.iter().all(|one| one.starts_with(sort));
    let what = match series.first()? {
        first if series.iter().all(|one| one == first) => return chart(lines.first()?),
        _ if all("power.team/") => "teams",
        _ if all("power.") => "pdus",
        _ if all("host.disk/") => "disk",
        _ if all("host.temperature/") => "temperature",
        _ => return None,
    };
    Some(Button::open("Chart", format!("/chart {what}")))
}

fn row(line: &Line) -> Vec<Button> {
    let name = quote(&line.name);
    let thing = line
        .name
        .split_once(':')
        .map_or(&*line.name, |(_, thing)| thing);
    let short: String = thing.chars().take(16).collect();
    let mut row = vec![
        Button::open(format!("Mute {short} 1 h"), format!("/mute {name} 1h")),
        Button::open(format!("Why {short}"), format!("/why {name}")),
    ];
    if line.status == Status::Firing {
        row.insert(
            0,
            Button::open(format!("Ack {short}"), format!("/ack {name}")),
        );
    }
    row
}

const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "🔴",
        Severity::Warning => "🟠",
        Severity::Info => "🔵",
    }
}

/// The local time, with its date when that is not today's.
pub(crate) fn clock(config: &Config, now: Now, at: Wall) -> String {
    let zone = &config.notify.timezone;
    if at.zoned(zone).date() == now.wall.zoned(zone).date() {
        at.local_time(zone)
    } else {
        at.local(zone)
    }
}
