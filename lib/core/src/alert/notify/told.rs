//! What people know of one alert, what was held back from them, and what is left of its budget.

use super::flap::{Flap, Restlessness};
use super::message::{Line, Status};
use super::{SETTLE, policy, span_millis};
use crate::alert::{Causes, Change, Severity};
use crate::config::NotifyConfig;
use crate::time::Wall;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Kinds of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Note {
    /// It fires.
    Firing,
    /// It happened.
    Event,
    /// It comes and goes all the time; whether it fires now, and for which calm is waited.
    Flapping(bool, i64),
    /// It fires still.
    Reminder,
    /// It is over.
    Ended,
}

impl Note {
    /// Firing alerts and events share a message.
    pub(super) fn bundle(self) -> Note {
        match self {
            Note::Event => Note::Firing,
            Note::Flapping(..) => Note::Flapping(true, 0),
            note => note,
        }
    }
}

/// Why something is not told at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Cause {
    /// The alert is muted.
    Mute,
    /// All alerts are.
    MuteAll,
    /// It follows from another alert.
    Inhibited,
    /// It is night.
    Quiet,
    /// There were enough messages about it lately.
    Budget,
}

impl Cause {
    pub(super) fn words(self) -> &'static str {
        match self {
            Cause::Mute => "it is muted",
            Cause::MuteAll => "all alerts are muted",
            Cause::Inhibited => "another alert explains it",
            Cause::Quiet => "quiet hours",
            Cause::Budget => "as many messages as max_notifications allows were sent",
        }
    }
}

/// News that leave with the next flush.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Queued {
    pub(super) note: Note,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) severity: Severity,
    pub(super) at: Wall,
}

impl Queued {
    pub(super) fn of(change: &Change, note: Note) -> Queued {
        Queued {
            note,
            subject: change.subject.clone(),
            text: change.summary.clone(),
            severity: change.severity,
            at: change.at,
        }
    }

    pub(super) fn line(self, name: &str) -> Line {
        Line {
            name: name.to_owned(),
            subject: self.subject,
            text: self.text,
            severity: self.severity,
            at: self.at,
            status: match self.note {
                Note::Firing | Note::Reminder => Status::Firing,
                Note::Event => Status::Event,
                Note::Flapping(is_open, calm) => Status::Flapping(is_open, calm),
                Note::Ended => Status::Ended(self.at, String::new()),
            },
        }
    }
}

/// News that were held back: counted, with the last of them in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) cause: Cause,
    /// Firings and events.
    pub(super) fired: u32,
    /// The last of the news, with the highest severity of all.
    pub(super) queued: Queued,
    /// What another alert explains is not told before this, in steady milliseconds.
    #[serde(default)]
    pub(super) not_before: i64,
}

impl Held {
    pub(super) fn new(queued: Queued, cause: Cause) -> Held {
        Held {
            cause,
            fired: u32::from(queued.note != Note::Ended),
            queued,
            not_before: 0,
        }
    }

    /// Nothing happened, but it is to be told again.
    pub(super) fn silent(queued: Queued, cause: Cause) -> Held {
        Held {
            cause,
            fired: 0,
            queued,
            not_before: 0,
        }
    }

    pub(super) fn add(&mut self, queued: Queued, cause: Cause) {
        // What has another reason as well is told when that one is gone.
        if cause != Cause::Inhibited {
            self.cause = cause;
        }
        self.fired += u32::from(queued.note != Note::Ended);
        self.follow(queued);
    }

    /// The news have gone on.
    pub(super) fn follow(&mut self, queued: Queued) {
        let severity = self.queued.severity.max(queued.severity);
        self.queued = Queued { severity, ..queued };
    }

    /// What is to be said after the last of the news when more than it was held back.
    pub(super) fn in_words(&self, told_as: Note) -> String {
        let is_over = self.queued.note == Note::Ended && told_as != Note::Firing;
        let mut out = String::new();
        if self.fired > 1 || (self.fired > 0 && is_over) {
            let times = match self.fired {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            };
            out.push_str(&format!(
                "; happened {times} while {}",
                self.cause.while_words()
            ));
        } else if self.fired == 0 && told_as == Note::Firing {
            out.push_str("; still firing, no longer muted");
        }
        out
    }
}

impl Cause {
    fn while_words(self) -> &'static str {
        match self {
            Cause::Mute => "muted",
            Cause::MuteAll => "all alerts were muted",
            Cause::Inhibited => "another alert explained it",
            Cause::Quiet => "it was quiet",
            Cause::Budget => "messages were held back",
        }
    }
}

/// What people know of one alert. Times are steady milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// They know that it fires, with this severity.
    pub(super) known: Option<Severity>,
    /// When messages were sent, within `reset_after`.
    pub(super) sent: Vec<i64>,
    /// When they are reminded.
    pub(super) remind_at: Option<i64>,
    /// What leaves next.
    pub(super) queue: Option<Queued>,
    /// What was held back.
    pub(super) held: Option<Held>,
    /// How often it changed lately.
    #[serde(default)]
    pub(super) restlessness: Restlessness,
    /// It changes all the time.
    #[serde(default)]
    pub(super) flap: Option<Flap>,
    /// The alerts that explain it, when the book does not have it any longer.
    #[serde(skip)]
    pub(super) causes: Option<Arc<Causes>>,
}

impl Told {
    /// They know, or it is on its way, or there is a reason why not.
    pub(super) fn is_aware(&self) -> bool {
        let is_flapping = self.flap.as_ref().is_some_and(|flap| flap.is_told);
        self.known.is_some() || self.queue.is_some() || self.held.is_some() || is_flapping
    }

    /// How a line of it reads, if its end is on its way.
    pub(super) fn end(&self) -> Option<Status> {
        let queued = self
            .queue
            .as_ref()
            .filter(|queued| queued.note == Note::Ended)?;
        Some(Status::Ended(queued.at, queued.text.clone()))
    }

    /// When the next message may be sent; `None` if one may be sent at once.
    pub(super) fn budget_free_at(&self, config: &NotifyConfig, at: i64) -> Option<i64> {
        let span = span_millis(config.reset_after);
        let most = config.max_notifications.max(1) as usize;
        let mut recent: Vec<i64> = self
            .sent
            .iter()
            .map(|sent| sent.saturating_add(span))
            .collect();
        recent.retain(|free| *free > at);
        crate::small::sort_by_key(&mut recent, |at| *at);
        (recent.len() >= most).then(|| recent[recent.len() - most])
    }

    pub(super) fn spend(&mut self, config: &NotifyConfig, at: i64) {
        let span = span_millis(config.reset_after);
        self.sent.retain(|sent| sent.saturating_add(span) > at);
        self.sent.push(at);
    }

    pub(super) fn correct_times(&mut self, by_ms: i64) {
        for at in self.sent.iter_mut().chain(&mut self.remind_at) {
            *at += by_ms;
        }
        self.restlessness.shift(by_ms);
        if let Some(flap) = &mut self.flap {
            flap.shift(by_ms);
        }
        if let Some(held) = &mut self.held {
            held.not_before += by_ms;
        }
        let held = self.held.as_mut().map(|held| &mut held.queued);
        for queued in self.queue.iter_mut().chain(held) {
            queued.at.correct(by_ms);
        }
    }

    /// After a restart with a clock that is behind: what was lies not after now, and what is due comes as late as if it
    /// began now.
    pub(super) fn not_after(&mut self, at: i64, config: &NotifyConfig) {
        for sent in &mut self.sent {
            *sent = (*sent).min(at);
        }
        let severities = [Severity::Info, Severity::Warning, Severity::Critical];
        let repeats = severities.map(|severity| policy::repeat(config, severity));
        let longest = repeats.into_iter().flatten().max().map_or(0, span_millis);
        if let Some(due) = &mut self.remind_at {
            *due = (*due).min(at.saturating_add(longest));
        }
        if let Some(held) = &mut self.held {
            held.not_before = held.not_before.min(at + SETTLE);
        }
        self.restlessness.not_after(at);
        if let Some(flap) = &mut self.flap {
            flap.not_after(at);
        }
    }

    pub(super) fn is_needed(&self, config: &NotifyConfig, at: i64) -> bool {
        let span = span_millis(config.reset_after);
        let is_restless = self.flap.is_some() || self.restlessness.matters(at);
        self.is_aware()
            || is_restless
            || self.sent.iter().any(|sent| sent.saturating_add(span) > at)
    }
}
