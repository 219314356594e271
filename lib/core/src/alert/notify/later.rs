//! What is told later: news that were held back, alerts whose mute has ended, and reminders.

use super::message::{Line, Title};
use super::told::{Cause, Held, Note, Queued};
use super::{Notifier, NotifyEnv, SETTLE, WINDOW, book, policy, span_millis};
use crate::alert::{AlertState, Change, ChangeKind, Severity, inhibit};
use crate::chat::Place;
use crate::chat::outbox::{Draft, Lane};
use crate::small::SmallMap;
use std::sync::Arc;
use std::time::Duration;

const MUTE_ENDED: &str = "the mute of all alerts has ended";

impl Notifier {
    /// What is no longer held back by anything is told: single alerts on their own, a night or a mute of all as one
    /// summary.
    pub(super) fn release(&mut self, env: &mut NotifyEnv<'_>) {
        let held: Vec<Arc<str>> = self
            .told
            .iter()
            .filter(|(_, told)| told.held.is_some())
            .map(|(name, _)| Arc::clone(name))
            .collect();
        let at = self.steady(env.now);
        let mut groups = inhibit::Groups::default();
        let mut summaries: SmallMap<(Cause, Vec<Place>), Vec<Line>> = SmallMap::new();
        for name in held {
            let Some(held) = self.told.get(&name).and_then(|told| told.held.clone()) else {
                continue;
            };
            if held.cause == Cause::Inhibited {
                if held.not_before > at {
                    continue;
                }
                let causes = self.causes(env, &name);
                if causes.is_some_and(|causes| !groups.bear_out(env.book, &causes)) {
                    env.book.set_stands_alone(&name, env.state);
                }
            }
            if self.obstacle(env, &name, held.queued.severity).is_some() {
                continue;
            }
            match held.cause {
                Cause::Quiet | Cause::MuteAll => {
                    let audience =
                        policy::audience(env.config.notify_of(&name), &name, held.queued.severity);
                    let line = self.release_into_summary(env, &name, &held);
                    let key = (held.cause, audience.to_vec());
                    summaries.entry(key).or_default().push(line);
                }
                Cause::Mute | Cause::Inhibited | Cause::Budget => {
                    self.release_alone(env, &name, &held)
                }
            }
        }
        for ((cause, audience), lines) in summaries {
            let title = match cause {
                Cause::Quiet => "held back during the quiet hours".to_owned(),
                _ => format!("{MUTE_ENDED}; held back meanwhile"),
            };
            self.send_all(env, &audience, &Title::Held(title), lines);
        }
    }

    /// A mute is over: what it or a night held back is told when the next one is over, or as that of this mute.
    fn pass_on(&mut self, env: &NotifyEnv<'_>, name: &str, ended: Cause) {
        let is_span = |cause: &Cause| matches!(cause, Cause::Quiet | Cause::Mute | Cause::MuteAll);
        let held = self.told.iter().filter_map(|(own, told)| {
            let held = told.held.as_ref().filter(|held| is_span(&held.cause))?;
            let is_meant = name == book::ALL || **own == *name;
            is_meant.then(|| (Arc::clone(own), held.queued.severity))
        });
        let held: Vec<(Arc<str>, Severity)> = held.collect();
        for (name, severity) in held {
            let obstacle = self.obstacle(env, &name, severity).filter(is_span);
            if let Some(held) = self.told.get_mut(&name).and_then(|told| told.held.as_mut()) {
                held.cause = obstacle.unwrap_or(ended);
                self.changed_told.insert(name);
            }
        }
    }

    fn release_alone(&mut self, env: &mut NotifyEnv<'_>, name: &Arc<str>, held: &Held) {
        let is_open = env.book.get(name).is_some_and(book::AlertEntry::is_open);
        let mut queued = held.queued.clone();
        if is_open {
            queued.note = Note::Firing;
        }
        if let Some(entry) = env.book.get(name).filter(|_| is_open) {
            queued.text.clone_from(&entry.summary);
            queued.severity = entry.severity;
        }
        self.enqueue(env, name, queued);
    }

    fn release_into_summary(&mut self, env: &NotifyEnv<'_>, name: &Arc<str>, held: &Held) -> Line {
        let at = self.steady(env.now);
        let entry = env.book.get(name).filter(|entry| entry.is_open());
        let mut queued = held.queued.clone();
        queued.note = if entry.is_some() {
            Note::Firing
        } else {
            held.queued.note
        };
        if let Some(entry) = entry {
            queued.text.clone_from(&entry.summary);
            queued.severity = entry.severity;
        }
        queued.text.push_str(&held.in_words(queued.note));
        let is_acked = entry.is_some_and(|entry| entry.ack.is_some());
        if let Some(told) = self.told.get_mut(name) {
            told.held = None;
            told.spend(env.config.notify_of(name), at);
            if queued.note == Note::Firing {
                told.known = Some(queued.severity);
                let repeat = policy::repeat(env.config.notify_of(name), queued.severity);
                told.remind_at = repeat
                    .filter(|_| !is_acked)
                    .map(|span| at.saturating_add(span_millis(span)));
            }
        }
        self.changed_told.insert(Arc::clone(name));
        queued.line(name)
    }

    /// An alert is over that explained others: they are told if they go on for a while, in which what can be reached again
    /// answers.
    pub(super) fn end_inhibition(&mut self, env: &NotifyEnv<'_>) {
        let at = self.steady(env.now) + SETTLE;
        let held = self.told.iter().filter(|(_, told)| told.held.is_some());
        let freed = held.map(|(name, told)| {
            let is_hidden = told.held.as_ref().map(|held| held.cause) == Some(Cause::Inhibited);
            let causes = self.causes(env, name).filter(|_| is_hidden);
            let is_free = inhibit::inhibitor(env.book, name, causes.as_deref()).is_none();
            let settle = causes.map_or(Duration::ZERO, |causes| causes.settle);
            (
                Arc::clone(name),
                is_hidden && is_free,
                at + span_millis(settle),
            )
        });
        let freed: Vec<(Arc<str>, bool, i64)> = freed.collect();
        for (name, is_free, due) in freed {
            self.wake_at(due);
            let held = self.told.get_mut(&name).and_then(|told| told.held.as_mut());
            if let Some(held) = held.filter(|_| is_free) {
                held.not_before = due;
                self.changed_told.insert(name);
            }
        }
    }

    /// A mute has ended: what fires is told even if nothing happened meanwhile.
    pub(super) fn end_mute(&mut self, env: &mut NotifyEnv<'_>, name: &str) {
        let at = self.steady(env.now);
        let open: Vec<Change> = env
            .book
            .entries()
            .filter(|entry| entry.is_open() && entry.ack.is_none())
            .filter(|entry| name == book::ALL || *entry.name == *name)
            .filter(|entry| {
                let told = self.told.get(&entry.name);
                told.is_none_or(|told| {
                    let is_flapping = told.flap.as_ref().is_some_and(|flap| flap.is_told);
                    let is_told = told.queue.is_some() || told.sent.last() == Some(&at);
                    told.held.is_none() && !is_told && !is_flapping
                })
            })
            .map(|entry| {
                entry.changed(
                    ChangeKind::MuteEnded,
                    entry.fired.unwrap_or(entry.since),
                    "",
                )
            })
            .collect();
        let cause = if name == book::ALL {
            Cause::MuteAll
        } else {
            Cause::Mute
        };
        for change in open {
            let held = Held::silent(Queued::of(&change, Note::Firing), cause);
            self.told.entry(Arc::clone(&change.name)).or_default().held = Some(held);
            self.changed_told.insert(change.name);
        }
        self.pass_on(env, name, cause);
        if name == book::ALL {
            self.conclude_mute_of_all(env);
        }
        self.release(env);
        self.plan(env);
    }

    /// Who muted everything hears that alerts are told again, also when there is no summary. Nobody is woken for that.
    fn conclude_mute_of_all(&self, env: &mut NotifyEnv<'_>) {
        let held = || self.told.values().filter_map(|told| told.held.as_ref());
        let has_summary = held().any(|held| held.cause == Cause::MuteAll);
        if has_summary || self.quiet_until(env, book::ALL).is_some() {
            return;
        }
        let meanwhile = match held().next() {
            None => "; nothing was held back",
            Some(_) => "",
        };
        let text = format!("🔔 {}: {MUTE_ENDED}{meanwhile}", env.config.name);
        for to in policy::audience(&env.config.notify, book::ALL, Severity::Info) {
            let draft = Draft {
                to: to.clone(),
                lane: Lane::Digest,
                text: text.clone().into(),
                buttons: Vec::new(),
                document: None,
                edit: None,
                silent: true,
                alert: None,
                topic: None,
            };
            env.outbox.post(env.now, env.state, draft);
        }
    }

    /// Reminders that are due, together with those of the next half minute.
    pub(super) fn remind(&mut self, env: &NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let is_any_due = self
            .told
            .values()
            .any(|told| told.remind_at.is_some_and(|due| due <= at));
        if !is_any_due {
            return;
        }
        let due: Vec<Arc<str>> = self
            .told
            .iter()
            .filter(|(_, told)| told.remind_at.is_some_and(|due| due <= at + WINDOW))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        for name in due {
            self.remind_of(env, &name, at);
        }
    }

    fn remind_of(&mut self, env: &NotifyEnv<'_>, name: &Arc<str>, at: i64) {
        let entry = env
            .book
            .get(name)
            .filter(|entry| entry.is_open() && entry.ack.is_none());
        let severity = entry.map_or(Severity::Info, |entry| entry.severity);
        let obstacle = self.obstacle(env, name, severity);
        let look = obstacle.and_then(|cause| self.look_at(env, name, cause, at));
        let repeat = policy::repeat(env.config.notify_of(name), severity).map(span_millis);
        let Some(told) = self.told.get_mut(name) else {
            return;
        };
        self.changed_told.insert(Arc::clone(name));
        let (Some(entry), Some(repeat)) = (entry, repeat) else {
            told.remind_at = None;
            return;
        };
        if obstacle.is_some() {
            told.remind_at = Some(look.unwrap_or(at.saturating_add(repeat)));
            return;
        }
        told.spend(env.config.notify_of(name), at);
        told.remind_at = Some(at.saturating_add(repeat));
        let mut text = entry.summary.clone();
        if entry.state == AlertState::Unknown {
            text.push_str("; no data at present");
        }
        told.queue = Some(Queued {
            note: Note::Reminder,
            subject: entry.subject.clone(),
            text,
            severity: entry.severity,
            at: entry.fired.unwrap_or(entry.since),
        });
        self.flush_soon(env);
    }
}
