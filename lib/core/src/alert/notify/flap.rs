//! Alerts that come and go all the time: one message says so and is edited as it goes on, and one follows when it is
//! calm again. The calm that is waited for grows each time it begins anew.

use super::message::{Line, Message, Status, clock};
use super::told::{Cause, Note, Queued, Told};
use super::{Notifier, NotifyEnv};
use crate::alert::{Change, ChangeKind, Severity};
use crate::config::{Config, NotifyConfig};
use crate::time::{Human, Now, Wall};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// More changes than `usual` within this span are flapping. All spans are milliseconds.
const WINDOW: i64 = 600_000;
const USUAL: usize = 5;
/// Who asks for more messages than this within `reset_after` gets them all.
const ASKS_FOR_ALL: u32 = 50;
/// It is over after so long without a change …
const CALM: i64 = 120_000;
/// … and after twice as long, up to this, if it begins again …
const LONGEST_CALM: i64 = 600_000;
/// … within this span after its end.
const MEMORY: i64 = 3_600_000;
/// Its message is edited at most so often; with several messages, that many times more seldom, so that no news is kept
/// from a chat by edits.
const EDIT_EVERY: i64 = 10_000;

/// An alert that flaps. Times are steady milliseconds, but for `began`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Flap {
    /// The first of the changes.
    began: Wall,
    /// So many so far.
    changes: u32,
    /// It is over then, if nothing changes before.
    calm_at: i64,
    /// What is waited for.
    calm: i64,
    /// People have the message.
    pub(super) is_told: bool,
    /// The highest severity that was told.
    severity: Severity,
    /// How things stand.
    last: Option<Queued>,
    /// When its message was edited, and whether it says less than is known.
    edited_at: i64,
    is_behind: bool,
}

/// Changes that are not yet flapping, and flapping that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Restlessness {
    /// The last changes, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<i64>,
    /// When it last flapped, and for which calm it was waited then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<(i64, i64)>,
}

impl Restlessness {
    /// True while a decision may depend on it.
    pub(super) fn matters(&self, at: i64) -> bool {
        self.changes.last().is_some_and(|last| last + WINDOW > at)
            || self.before.is_some_and(|(ended, _)| ended + MEMORY > at)
    }

    pub(super) fn shift(&mut self, by_ms: i64) {
        self.changes.iter_mut().for_each(|at| *at += by_ms);
        if let Some((ended, _)) = &mut self.before {
            *ended += by_ms;
        }
    }

    pub(super) fn not_after(&mut self, at: i64) {
        for change in &mut self.changes {
            *change = (*change).min(at);
        }
        if let Some((ended, _)) = &mut self.before {
            *ended = (*ended).min(at);
        }
    }

    /// Takes a change in; says for which calm is to be waited when there are more than usual.
    fn note(&mut self, at: i64, usual: usize) -> Option<i64> {
        self.changes.retain(|change| *change + WINDOW > at);
        self.changes.push(at);
        let too_many = self.changes.len().saturating_sub(usual + 1);
        self.changes.drain(..too_many);
        if self.changes.len() <= usual {
            return None;
        }
        let before = self.before.filter(|(ended, _)| ended + MEMORY > at);
        Some(before.map_or(CALM, |(_, calm)| (calm * 2).min(LONGEST_CALM)))
    }
}

impl Flap {
    pub(super) fn shift(&mut self, by_ms: i64) {
        self.began.correct(by_ms);
        self.calm_at += by_ms;
        self.edited_at += by_ms;
        if let Some(last) = &mut self.last {
            last.at.correct(by_ms);
        }
    }

    pub(super) fn not_after(&mut self, at: i64) {
        self.calm_at = self.calm_at.min(at + self.calm);
        self.edited_at = self.edited_at.min(at);
    }

    /// When something is to be done about it.
    pub(super) fn due(&self, edit_every: i64) -> i64 {
        match self.is_behind {
            true => self.calm_at.min(self.edited_at + edit_every),
            false => self.calm_at,
        }
    }

    fn words(&self, config: &Config, now: Now) -> String {
        let last = self.last.as_ref().map_or("", |last| &last.text);
        let (count, began) = (self.changes, clock(config, now, self.began));
        format!("flapping, {count} changes since {began}: {last}")
    }
}

/// So many changes within the window are not yet flapping; `None` when nothing is.
fn usual(config: &NotifyConfig) -> Option<usize> {
    let most = config.max_notifications;
    (most <= ASKS_FOR_ALL).then(|| USUAL.max((2 * most as usize).saturating_sub(1)))
}

fn span(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

impl Notifier {
    pub(super) fn edit_every(&self) -> i64 {
        EDIT_EVERY * self.flapping.max(1)
    }

    pub(super) fn count_flapping(&mut self) {
        let flaps = |message: &&Message| message.lines.iter().any(Line::is_flapping);
        self.flapping = self.messages.values().filter(flaps).count() as i64;
    }

    /// Counts a change of an alert.
    pub(super) fn count_change(&mut self, env: &NotifyEnv<'_>, change: &Change) {
        let is_one = match change.kind {
            ChangeKind::Fired
            | ChangeKind::Escalated
            | ChangeKind::Lowered
            | ChangeKind::Resolved => true,
            ChangeKind::Removed
            | ChangeKind::Amended
            | ChangeKind::Event
            | ChangeKind::Acknowledged
            | ChangeKind::MuteEnded => false,
        };
        let usual = usual(env.config.notify_of(&change.name));
        let (true, Some(usual)) = (is_one, usual) else {
            return;
        };
        let at = self.steady(env.now);
        let told = self.told.entry(Arc::clone(&change.name)).or_default();
        self.changed_told.insert(Arc::clone(&change.name));
        let calm = told.restlessness.note(at, usual);
        if let Some(flap) = &mut told.flap {
            flap.changes += 1;
            flap.calm_at = at + flap.calm;
            return;
        }
        let (Some(calm), Some(first)) = (calm, told.restlessness.changes.first()) else {
            return;
        };
        log::debug!("alert {}: flapping", change.name);
        told.flap = Some(Flap {
            began: Wall(env.now.wall.0 - (at - first)),
            changes: told.restlessness.changes.len() as u32,
            calm_at: at + calm,
            calm,
            is_told: false,
            severity: change.severity,
            last: None,
            edited_at: at,
            is_behind: false,
        });
        self.wake_at(at + calm);
    }

    /// True when the flapping of an alert has taken this piece of news: by its one message, or by editing that.
    pub(super) fn takes_flapping(
        &mut self,
        env: &mut NotifyEnv<'_>,
        change: &Change,
        news: &Queued,
        obstacle: Option<Cause>,
    ) -> bool {
        let name = &change.name;
        let Some(told) = self.told.get_mut(name) else {
            return false;
        };
        let is_end = news.note == Note::Ended;
        let Some(flap) = &mut told.flap else {
            return false;
        };
        flap.last = Some(news.clone());
        let gets_worse = flap.is_told && news.severity > flap.severity;
        flap.severity = flap.severity.max(news.severity);
        if gets_worse || (!flap.is_told && obstacle.is_some()) {
            return false;
        }
        told.known = (!is_end).then_some(news.severity);
        told.remind_at = None;
        self.changed_told.insert(Arc::clone(name));
        if flap.is_told {
            // What got worse and still waits to be told says how it is when it is.
            if let Some(held) = &mut told.held {
                held.follow(news.clone());
            }
            flap.is_behind = true;
            let due = flap.due(EDIT_EVERY * self.flapping.max(1));
            self.wake_at(due);
        } else {
            self.tell_flapping(env, name, news, is_end);
        }
        true
    }

    /// The one message about it. Where it stands for an end it costs nothing, as that would not.
    fn tell_flapping(
        &mut self,
        env: &mut NotifyEnv<'_>,
        name: &Arc<str>,
        news: &Queued,
        is_end: bool,
    ) {
        if self.told.get(name).is_some_and(|told| told.queue.is_some()) {
            self.flush(env, usize::MAX, usize::MAX);
        }
        let at = self.steady(env.now);
        let Some(told) = self.told.get_mut(name) else {
            return;
        };
        let Some(flap) = &mut told.flap else {
            return;
        };
        (flap.is_told, flap.edited_at, flap.is_behind) = (true, at, false);
        self.revision += 1;
        let text = flap.words(env.config, env.now);
        let calm = flap.calm;
        let was_untold = told.held.take().is_some_and(|held| held.fired > 0);
        if !is_end || was_untold {
            told.spend(env.config.notify_of(name), at);
        }
        told.queue = Some(Queued {
            note: Note::Flapping(!is_end, calm),
            text,
            ..news.clone()
        });
        self.flush_soon(env);
    }

    /// Edits the messages about what flaps, and tells what has become calm.
    pub(super) fn follow_flapping(&mut self, env: &mut NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let edit_every = self.edit_every();
        let is_due = |told: &Told| {
            let flap = told.flap.as_ref();
            flap.is_some_and(|flap| flap.due(edit_every) <= at)
        };
        let due: Vec<Arc<str>> = self
            .told
            .iter()
            .filter(|(_, told)| is_due(told))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in due {
            let Some(told) = self.told.get_mut(&name) else {
                continue;
            };
            self.changed_told.insert(Arc::clone(&name));
            let Some(flap) = &mut told.flap else {
                continue;
            };
            if flap.calm_at > at {
                (flap.is_behind, flap.edited_at) = (false, at);
                let text = flap.words(env.config, env.now);
                let is_open = told.known.is_some();
                let status = Status::Flapping(is_open, flap.calm);
                let at = flap.last.as_ref().map_or(env.now.wall, |last| last.at);
                self.show_flapping(&name, at, &text, &status);
                continue;
            }
            told.restlessness.before = Some((at, flap.calm));
            self.revision += 1;
            let flap = told.flap.take().filter(|flap| flap.is_told);
            if let Some(flap) = flap {
                self.end_flapping(env, &name, flap);
            }
            self.count_flapping();
        }
    }

    fn end_flapping(&mut self, env: &mut NotifyEnv<'_>, name: &Arc<str>, flap: Flap) {
        let entry = env.book.get(name).filter(|entry| entry.is_open());
        let is_open = entry.is_some();
        let text = flap.words(env.config, env.now);
        let at = flap.last.as_ref().map_or(env.now.wall, |last| last.at);
        self.show_flapping(name, at, &text, &Status::Calm(env.now.wall, is_open));
        let Some(mut news) = flap.last else {
            return;
        };
        if let Some(entry) = entry {
            news.text.clone_from(&entry.summary);
            news.severity = entry.severity;
        }
        let lasting = Human(
            env.now
                .wall
                .since(flap.began)
                .saturating_sub(span(flap.calm)),
        );
        let count = flap.changes;
        let after = format!("; calm after {count} changes in {lasting}");
        news.text.push_str(&after);
        let is_end = news.note == Note::Ended;
        let obstacle = self
            .obstacle(env, name, news.severity)
            .filter(|cause| !is_end || !matches!(cause, Cause::Budget | Cause::Inhibited));
        let is_seen = entry.is_some_and(|entry| entry.ack.is_some());
        match obstacle {
            Some(cause) => self.hold(env, name, news, cause),
            None => self.enqueue(env, name, news),
        }
        if is_seen {
            if let Some(told) = self.told.get_mut(name) {
                told.remind_at = None;
            }
        }
    }

    /// Its message and line are at an end: the rule is gone.
    pub(super) fn forget_flapping(&mut self, env: &NotifyEnv<'_>, name: &Arc<str>) {
        let flap = self.told.get_mut(name).and_then(|told| told.flap.take());
        if let Some(flap) = flap.filter(|flap| flap.is_told) {
            let text = flap.words(env.config, env.now);
            let status = Status::Calm(env.now.wall, false);
            self.show_flapping(name, env.now.wall, &text, &status);
            if let Some(told) = self.told.get_mut(name) {
                told.known = Some(flap.severity);
            }
        }
    }

    fn show_flapping(&mut self, name: &Arc<str>, at: Wall, text: &str, status: &Status) {
        for (id, message) in &mut self.messages {
            if let Some(line) = message.flapping_line(name) {
                line.at = at;
                text.clone_into(&mut line.text);
                line.status = status.clone();
                self.changed_messages.insert(*id);
            }
        }
    }

    /// True when people have been told that an alert comes and goes all the time, and it has not become calm yet.
    pub fn is_flapping(&self, name: &str) -> bool {
        let told = self.told.get(name).and_then(|told| told.flap.as_ref());
        told.is_some_and(|flap| flap.is_told)
    }

    /// For `/why`: how an alert flaps.
    pub fn flapping(&self, config: &Config, now: Now, name: &str) -> Option<String> {
        let flap = self.told.get(name)?.flap.as_ref()?;
        let (count, began) = (flap.changes, clock(config, now, flap.began));
        let calm = Human(span(flap.calm));
        Some(format!(
            "flapping: {count} changes since {began}; told again when calm for {calm}"
        ))
    }
}
