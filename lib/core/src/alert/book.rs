//! The book of alerts: state, numbers, mutes and acknowledgements.
//!
//! It takes what plugins report and says what changed. Whether anybody is told is `notify`'s business.
//! What fires, every acknowledgement and every mute are durable records (`alert/NAME`, `mute/NAME`).

mod entry;
mod past;

pub use entry::{Ack, AlertEntry, Change, ChangeKind, Mute, Unit};
pub use past::PastAlert;

use super::{AlertState, Causes, Notifier, Report, ReportKind, Severity, inhibit, numbers};
use crate::effect::earlier;
use crate::small::{SmallMap, SmallSet};
use crate::snapshot::AlertView;
use crate::state::{Pending, Records};
use crate::time::{Mono, Now, Wall};
pub(in crate::alert) use entry::change;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The name that stands for every alert in `/mute` and `/unmute`.
pub const ALL: &str = "all";
/// Entries of one book. What is not firing makes room first; beyond that reports are dropped and counted.
const MAX_ENTRIES: usize = 20_000;
/// Mutes of one book; the one that ends first makes room.
const MAX_MUTES: usize = 1_000;
/// Values that are kept for `/why`.
pub(crate) const MAX_SAMPLES: usize = 20;
/// Numbers go round, so that the button of an old message does not soon mean another alert.
const LAST_NUMBER: u32 = 99_999;
/// So many alerts that begin and end stand in the log of the agent in such a span; a storm is for `/alerts`.
const MOST_LOGGED: u32 = 20;
const LOGGED_SPAN: Duration = Duration::from_secs(10);
/// A newer worst value reaches the disk at most so often; a transition does at once.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Every alert that is not `ok`, and every mute.
#[derive(Debug, Default)]
pub struct AlertBook {
    entries: SmallMap<Arc<str>, AlertEntry>,
    numbers: SmallSet<u32>,
    mutes: SmallMap<String, Mute>,
    last_number: u32,
    /// Changes that came from commands and wait for the next time-out.
    queued: Vec<Change>,
    next_mute_check: Option<Mono>,
    save_at: Option<Mono>,
    revision: u64,
    dropped: u64,
    /// Since when lines about alerts are counted, and how many there were.
    logged: (Mono, u32),
    past: past::PastAlerts,
    /// How many alerts each of these would hide.
    hiding: SmallMap<String, usize>,
}

impl AlertBook {
    /// The wall clock has been set.
    pub fn correct_times(&mut self, by_ms: i64) {
        for entry in self.entries.values_mut() {
            entry.since.correct(by_ms);
            if let Some(fired) = &mut entry.fired {
                fired.correct(by_ms);
            }
            if let Some(ack) = &mut entry.ack {
                ack.at.correct(by_ms);
            }
            for (at, _) in &mut entry.samples {
                at.correct(by_ms);
            }
            entry.is_dirty = true;
        }
        for mute in self.mutes.values_mut() {
            mute.since.correct(by_ms);
            mute.until.correct(by_ms);
        }
        self.past.correct_times(by_ms);
        self.save_at = Some(Mono::ZERO);
        self.revision += 1;
    }

    /// Takes over what was on disk.
    pub fn restore(&mut self, records: &Records) {
        for (name, mut entry) in records.all::<AlertEntry>("alert") {
            entry.name = Arc::from(name);
            self.last_number = self.last_number.max(entry.number);
            self.numbers.insert(entry.number);
            self.entries.insert(Arc::clone(&entry.name), entry);
        }
        self.past.restore(records);
        self.mutes = records.all::<Mute>("mute").into_iter().collect();
        self.next_mute_check = (!self.mutes.is_empty()).then_some(Mono::ZERO);
        self.revision += 1;
    }

    /// Takes a report in; says what changed, if people may have to be told of it.
    pub fn report(&mut self, now: Now, report: Report, state: &mut Pending) -> Option<Change> {
        match report.kind {
            ReportKind::Event => Some(change(&report, ChangeKind::Event, None)),
            ReportKind::Causes => {
                self.explain(&report.name, report.causes);
                None
            }
            ReportKind::Removed => {
                let entry = self.remove(&report.name, state)?;
                Some(Change {
                    severity: entry.severity,
                    causes: entry.causes,
                    ..change(&report, ChangeKind::Removed, entry.fired)
                })
            }
            ReportKind::Update | ReportKind::Amended
                if self.entries.get(&report.name).is_some_and(|entry| {
                    (entry.state, entry.severity) == (report.state, report.severity)
                }) =>
            {
                let fired = self.entries.get(&report.name)?.fired;
                let is_more = report.kind == ReportKind::Amended && fired.is_some();
                let change = is_more.then(|| change(&report, ChangeKind::Amended, fired));
                self.refresh(now, report);
                change
            }
            ReportKind::State | ReportKind::Update | ReportKind::Amended => {
                self.transition(now, report, state)
            }
        }
    }

    fn transition(&mut self, now: Now, report: Report, state: &mut Pending) -> Option<Change> {
        if report.state == AlertState::Ok {
            let fired = self
                .remove(&report.name, state)
                .and_then(|entry| Some((entry.fired?, entry)));
            self.log(now, &report, fired.is_some());
            let (fired, entry) = fired?;
            self.past.note(&entry.name, fired, report.at, state);
            // Who was told of a critical alert is told of its end, whatever the last value alone would be.
            return Some(Change {
                severity: entry.severity,
                causes: entry.causes,
                ..change(&report, ChangeKind::Resolved, Some(fired))
            });
        }
        let before = match self.entries.get(&report.name) {
            Some(entry) => Some((entry.fired, entry.severity)),
            None => {
                self.make_room(report.state, state)?;
                None
            }
        };
        let was_fired = before.and_then(|(fired, _)| fired);
        let kind = match (report.state, before) {
            (AlertState::Firing, Some((Some(_), severity))) if report.severity > severity => {
                Some(ChangeKind::Escalated)
            }
            (AlertState::Firing, Some((Some(_), severity))) if report.severity < severity => {
                Some(ChangeKind::Lowered)
            }
            (AlertState::Firing, Some((Some(_), _))) => None,
            (AlertState::Firing, _) => Some(ChangeKind::Fired),
            _ => None,
        };
        self.log(now, &report, kind.is_some());
        let fired = match kind {
            Some(ChangeKind::Fired) => Some(report.at),
            _ => was_fired,
        };
        let change = kind.map(|kind| change(&report, kind, fired));
        let name = Arc::clone(&report.name);
        self.write(report, fired);
        if change.is_some() {
            state.put_durable("alert", &name, &self.entries.get(&name));
        } else if fired.is_some() {
            // Nobody is told that the data is gone or back, so nobody waits for it to be on disk.
            self.save_later(now, &name);
        }
        change
    }

    /// What people would recognise stands in the log with their words, the rest with the rule's.
    fn log(&mut self, now: Now, report: &Report, is_news: bool) {
        let (name, state) = (&report.name, report.state.name());
        if !is_news {
            return log::debug!("alert {name}: {state}: {}", report.reason);
        }
        let (since, count) = &mut self.logged;
        if now.mono.since(*since) >= LOGGED_SPAN {
            (*since, *count) = (now.mono, 0);
        }
        *count += 1;
        if *count <= MOST_LOGGED {
            log::info!("alert {name}: {state}: {}", report.summary);
        } else if *count == MOST_LOGGED + 1 {
            log::info!("more alerts begin or end at once; /alerts lists them");
        }
    }

    /// Makes or overwrites the entry of a report that is not `ok`.
    fn write(&mut self, report: Report, fired: Option<Wall>) {
        let number = match self.entries.get(&report.name) {
            Some(entry) => entry.number,
            None => self.next_number(),
        };
        let entry = self
            .entries
            .entry(Arc::clone(&report.name))
            .or_insert_with(|| AlertEntry {
                name: Arc::clone(&report.name),
                number,
                subject: String::new(),
                severity: report.severity,
                state: AlertState::Ok,
                summary: String::new(),
                since: report.at,
                fired: None,
                value: None,
                worst: None,
                unit: report.unit,
                ack: None,
                stands_alone: false,
                rule: None,
                reason: "",
                samples: VecDeque::new(),
                causes: None,
                is_dirty: false,
            });
        if entry.state != report.state {
            entry.since = report.at;
            entry.state = report.state;
        }
        entry.subject = report.subject;
        entry.severity = report.severity;
        entry.summary = report.summary;
        // Rules fire above their value, so the worst is the highest; a plugin begins anew after a restart.
        let worst_before = entry.worst.filter(|_| entry.fired == fired);
        let worst = [worst_before, report.worst]
            .into_iter()
            .flatten()
            .reduce(f64::max);
        entry.fired = fired;
        entry.value = report.value;
        entry.worst = fired.and(worst);
        entry.unit = report.unit;
        entry.rule = report.rule.or(entry.rule);
        if !report.reason.is_empty() {
            entry.reason = report.reason;
        }
        entry.remember(report.at, report.value);
        self.explain(&report.name, report.causes);
        self.revision += 1;
    }

    /// Notes what explains an alert.
    fn explain(&mut self, name: &str, causes: Option<Arc<Causes>>) {
        let Some(entry) = self.entries.get_mut(name) else {
            return;
        };
        let is_same = match (&entry.causes, &causes) {
            (Some(before), Some(after)) => Arc::ptr_eq(before, after),
            (before, after) => before.is_none() && after.is_none(),
        };
        if !is_same {
            let before = std::mem::replace(&mut entry.causes, causes.clone());
            self.count_hiding(causes.as_deref(), 1);
            self.count_hiding(before.as_deref(), -1);
            self.revision += 1;
        }
    }

    fn count_hiding(&mut self, causes: Option<&Causes>, by: isize) {
        for name in causes.iter().flat_map(|causes| causes.hidden_by.names()) {
            let count = self.hiding.get(&name).copied().unwrap_or(0);
            match count.saturating_add_signed(by) {
                0 => self.hiding.remove(&name),
                count => self.hiding.insert(name, count),
            };
        }
    }

    /// True when alerts wait for the end of this one.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.hiding.contains_key(name)
    }

    /// A newer value in the same state.
    fn refresh(&mut self, now: Now, report: Report) {
        let Some(entry) = self.entries.get(&report.name) else {
            return;
        };
        let fired = entry.fired;
        let is_worse = fired.is_some() && entry.worst != report.worst;
        let name = Arc::clone(&report.name);
        self.write(report, fired);
        if is_worse {
            self.save_later(now, &name);
        }
    }

    fn save_later(&mut self, now: Now, name: &str) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.is_dirty = true;
            self.save_at = earlier(self.save_at, Some(now.mono + SAVE_EVERY));
        }
    }

    fn remove(&mut self, name: &str, state: &mut Pending) -> Option<AlertEntry> {
        let entry = self.entries.remove(name)?;
        self.count_hiding(entry.causes.as_deref(), -1);
        self.numbers.remove(&entry.number);
        self.revision += 1;
        if entry.fired.is_some() {
            state.delete("alert", name);
            state.require_durable();
        }
        Some(entry)
    }

    /// `None` when the book is full and the newcomer is less urgent than everything in it.
    fn make_room(&mut self, newcomer: AlertState, state: &mut Pending) -> Option<()> {
        if self.entries.len() < MAX_ENTRIES {
            return Some(());
        }
        let victim = (newcomer == AlertState::Firing)
            .then(|| self.entries.values().find(|entry| entry.fired.is_none()))
            .flatten()
            .map(|entry| Arc::clone(&entry.name));
        let Some(victim) = victim else {
            if self.dropped == 0 {
                log::warn!("more than {MAX_ENTRIES} alerts at once: further ones are dropped");
            }
            self.dropped += 1;
            return None;
        };
        self.remove(&victim, state).map(|_| ())
    }

    fn next_number(&mut self) -> u32 {
        loop {
            self.last_number = self.last_number % LAST_NUMBER + 1;
            if self.numbers.insert(self.last_number) {
                return self.last_number;
            }
        }
    }

    /// The alert of this name, unless it is `ok`.
    pub fn get(&self, name: &str) -> Option<&AlertEntry> {
        self.entries.get(name)
    }

    /// Every alert that is not `ok`, by name.
    pub fn entries(&self) -> impl Iterator<Item = &AlertEntry> {
        self.entries.values()
    }

    /// Alerts that are over, oldest first; the last few hundred.
    pub fn past(&self) -> impl Iterator<Item = &PastAlert> {
        self.past.iter()
    }

    /// Every mute, by the name of its alert or `all`.
    pub fn mutes(&self) -> impl Iterator<Item = (&str, &Mute)> {
        self.mutes.iter().map(|(name, mute)| (name.as_str(), mute))
    }

    /// What holds back messages about this alert, and by which name: its own mute or that of all, whichever lasts longer.
    pub fn muted(&self, name: &str) -> Option<(&str, &Mute)> {
        [name, ALL]
            .into_iter()
            .filter_map(|name| self.mutes.get_key_value(name))
            .map(|(name, mute)| (name.as_str(), mute))
            .max_by_key(|(_, mute)| mute.until)
    }

    /// Reports that found no room, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Changes whenever `views` would say something else.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Names that somebody may mean by `prefix`: a number or several (`#3-5`), the start of a name, or the start of the thing
    /// after its colon. An exact name stands alone, and what fires comes before what does not.
    pub fn complete(&self, prefix: &str) -> Vec<String> {
        if prefix.eq_ignore_ascii_case(ALL) {
            return vec![ALL.to_owned()];
        }
        if let Some(range) = numbers::read(prefix) {
            let numbered = self.entries.values();
            let numbered = numbered.filter(|entry| range.contains(&entry.number));
            return numbered.map(|entry| entry.name.to_string()).collect();
        }
        if let Ok(number) = prefix.parse::<u32>() {
            let numbered = self.entries.values().find(|entry| entry.number == number);
            if let Some(entry) = numbered {
                return vec![entry.name.to_string()];
            }
        }
        let muted = self.mutes.keys().map(String::as_str);
        let names: SmallSet<&str> = self
            .entries
            .keys()
            .map(|name| &**name)
            .chain(muted)
            .collect();
        let mut found = matching(names, prefix);
        let fires = |name: &String| self.get(name).is_some_and(AlertEntry::is_open);
        if found.len() > 1 && found.iter().any(fires) {
            found.retain(fires);
        }
        found
    }

    /// Every alert for readers: what fires first, the worst of it on top.
    pub fn views(&self, notifier: &Notifier) -> Vec<AlertView> {
        let mut views: Vec<AlertView> = self
            .entries
            .values()
            .map(|entry| self.view(notifier, entry))
            .collect();
        crate::small::sort_by_key(&mut views, |view| {
            (
                view.state != AlertState::Firing,
                std::cmp::Reverse(view.severity),
                view.number,
            )
        });
        views
    }

    fn view(&self, notifier: &Notifier, entry: &AlertEntry) -> AlertView {
        AlertView {
            number: entry.number,
            name: Arc::clone(&entry.name),
            state: entry.state,
            severity: entry.severity,
            summary: format!("{}: {}", entry.subject, entry.summary),
            since: entry.since,
            value: entry.value,
            worst: entry.worst,
            unit: entry.unit,
            muted_until: self.muted(&entry.name).map(|(_, mute)| mute.until),
            acknowledged_by: entry.ack.as_ref().map(|ack| ack.by.clone()),
            is_flapping: notifier.is_flapping(&entry.name),
            inhibited_by: inhibit::because(self, entry),
        }
    }

    /// Notes that an alert is to be told although another one would explain it.
    pub(super) fn set_stands_alone(&mut self, name: &str, state: &mut Pending) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.stands_alone = true;
            state.put("alert", name, entry);
            self.revision += 1;
        }
    }

    /// Notes that somebody has seen an alert. False when it does not fire.
    pub fn ack(&mut self, now: Now, name: &str, by: &str, state: &mut Pending) -> bool {
        let Some(entry) = self
            .entries
            .get_mut(name)
            .filter(|entry| entry.fired.is_some())
        else {
            return false;
        };
        entry.ack = Some(Ack {
            by: by.to_owned(),
            at: now.wall,
        });
        state.put_durable("alert", name, entry);
        self.queued
            .push(entry.changed(ChangeKind::Acknowledged, now.wall, by));
        self.revision += 1;
        true
    }

    /// Holds back messages about one alert, or about `all`, for a while.
    pub fn mute(
        &mut self,
        now: Now,
        name: &str,
        lasting: Duration,
        (by, reason): (&str, &str),
        state: &mut Pending,
    ) {
        if self.mutes.len() >= MAX_MUTES && !self.mutes.contains_key(name) {
            let first = self.mutes.iter().min_by_key(|(_, mute)| mute.until);
            if let Some(first) = first.map(|(name, _)| name.clone()) {
                self.end_mute(now, &first, state);
            }
        }
        let mute = Mute {
            until: now.wall.plus(lasting),
            since: now.wall,
            by: by.to_owned(),
            reason: reason.to_owned(),
            deadline: Some(now.mono + lasting),
        };
        self.next_mute_check = earlier(self.next_mute_check, mute.deadline);
        state.put_durable("mute", name, &mute);
        self.mutes.insert(name.to_owned(), mute);
        self.revision += 1;
    }

    /// Ends a mute early. False when there is none.
    pub fn unmute(&mut self, now: Now, name: &str, state: &mut Pending) -> bool {
        self.end_mute(now, name, state)
    }

    fn end_mute(&mut self, now: Now, name: &str, state: &mut Pending) -> bool {
        if self.mutes.remove(name).is_none() {
            return false;
        }
        state.delete("mute", name);
        state.require_durable();
        self.revision += 1;
        let change = match self.entries.get(name) {
            Some(entry) => entry.changed(ChangeKind::MuteEnded, now.wall, ""),
            None => Change {
                name: Arc::from(name),
                subject: String::new(),
                severity: Severity::Info,
                kind: ChangeKind::MuteEnded,
                summary: String::new(),
                at: now.wall,
                fired: None,
                causes: None,
            },
        };
        self.queued.push(change);
        true
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Mono> {
        if !self.queued.is_empty() {
            return Some(Mono::ZERO);
        }
        earlier(self.next_mute_check, self.save_at)
    }

    /// Ends mutes that are over, saves what is worth saving, and hands over what commands have changed.
    pub fn handle_timeout(&mut self, now: Now, state: &mut Pending) -> Vec<Change> {
        if self.next_mute_check.is_some_and(|at| at <= now.mono) {
            let over: Vec<String> = self
                .mutes
                .iter()
                .filter(|(_, mute)| mute.remaining(now).is_zero())
                .map(|(name, _)| name.clone())
                .collect();
            for name in over {
                self.end_mute(now, &name, state);
            }
            self.next_mute_check = self.mutes.values().map(|mute| mute.next_check(now)).min();
        }
        if self.save_at.is_some_and(|at| at <= now.mono) {
            self.save_at = None;
            for entry in self.entries.values_mut().filter(|entry| entry.is_dirty) {
                entry.is_dirty = false;
                state.put("alert", &entry.name, entry);
            }
        }
        std::mem::take(&mut self.queued)
    }
}

/// Of these names those that begin like `prefix`, or whose thing does. One that is equal stands alone.
pub fn matching<'a>(names: impl IntoIterator<Item = &'a str>, prefix: &str) -> Vec<String> {
    let wanted = prefix.to_lowercase();
    let mut found = Vec::new();
    for name in names {
        let lower = name.to_lowercase();
        if lower == wanted {
            return vec![name.to_owned()];
        }
        let thing = lower.split_once(':').map_or("", |(_, thing)| thing);
        if lower.starts_with(&wanted) || thing.starts_with(&wanted) {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests;
