//! Who is told what, and when.
//!
//! The notifier takes changes of the book and the time, and writes messages to the outbox. It knows what people
//! have been told (`Told`), what was held back from them, and which messages still stand to be edited. It evaluates
//! nothing and delivers nothing. Everything it knows is durable, in the turn in which it changes.

mod message;
mod policy;
mod told;

use super::{AlertBook, AlertState, Change, ChangeKind, Severity, book};
use crate::chat::Address;
use crate::chat::outbox::{Draft, EditOf, ItemId, Lane, Outbox};
use crate::config::Config;

use crate::state::{Pending, Records};
use crate::time::{Mono, Now, Wall};
use message::{Line, Message, Status, Title};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use told::{Cause, Held, Note, Queued, Told};

/// The first message of a group waits so long for others of the same moment.
const LINGER: i64 = 40;
/// What fires so long after the first joins its message.
const WINDOW: i64 = 30_000;
/// So many messages about ends leave at once within a window; further ones wait for each other.
const ENDS_AT_ONCE: usize = 5;
/// Messages that can still be edited; beyond that the oldest stay as they are.
const MAX_MESSAGES: usize = 300;
/// Quiet hours hang on the wall clock, which may jump.
const LOOK_AGAIN: i64 = 60_000;

/// Where messages go: the outbox, or a test.
pub trait Post {
    /// Takes a message in; it leaves when the record of this turn is stored.
    fn post(&mut self, now: Now, state: &mut Pending, draft: Draft) -> ItemId;
}

impl Post for Outbox {
    fn post(&mut self, now: Now, state: &mut Pending, draft: Draft) -> ItemId {
        self.push(now, state, draft)
    }
}

/// What the notifier sees of the house during one turn.
pub struct NotifyEnv<'a> {
    /// Both clocks.
    pub now: Now,
    /// The configuration in force.
    pub config: &'a Arc<Config>,
    /// The alerts.
    pub book: &'a mut AlertBook,
    /// Where messages go.
    pub outbox: &'a mut dyn Post,
    /// Durable changes of this turn.
    pub state: &'a mut Pending,
}

/// Decides who is told what, and when.
///
/// Its own times are *steady milliseconds*: the monotonic clock, shifted once so that it read like the wall clock at
/// the start. They never jump while the agent runs, and can be compared with those saved before a restart.
#[derive(Debug, Default)]
pub struct Notifier {
    shift: Option<i64>,
    told: BTreeMap<Arc<str>, Told>,
    messages: BTreeMap<u64, Message>,
    /// When what is queued leaves.
    flush_at: Option<i64>,
    /// When messages about ends left lately.
    recent_ends: Vec<i64>,
    wake: Option<i64>,
    /// When the quiet hours end that this turn lies in.
    quiet: Option<Wall>,
    changed_told: BTreeSet<Arc<str>>,
    changed_messages: BTreeSet<u64>,
}

impl Notifier {
    /// Takes over what was on disk.
    pub fn restore(&mut self, records: &Records) {
        let told = records.all::<Told>("notify");
        self.told = told
            .into_iter()
            .map(|(name, told)| (Arc::from(name), told))
            .collect();
        self.messages = records
            .all::<Message>("notify.message")
            .into_iter()
            .filter_map(|(key, message)| Some((key.parse().ok()?, message)))
            .collect();
    }

    /// Takes a change of the book in.
    pub fn handle_change(&mut self, env: &mut NotifyEnv<'_>, change: &Change) {
        let is_first = self.look_up(env, Some(&*change.name));
        match change.kind {
            // The first look at the book has found it already.
            ChangeKind::Fired if is_first && self.is_aware(&change.name) => {}
            ChangeKind::Fired | ChangeKind::Event => self.announce(env, change),
            ChangeKind::Escalated => {
                self.mark(&change.name, || Status::Moved(change.severity));
                self.announce(env, change);
            }
            ChangeKind::Lowered => self.lower(change),
            ChangeKind::Resolved | ChangeKind::Removed => self.conclude(env, change),
            ChangeKind::Acknowledged => self.acknowledge(env, change),
            ChangeKind::MuteEnded => self.end_mute(env, &change.name),
        }
        self.save(env);
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, env: &mut NotifyEnv<'_>) {
        self.look_up(env, None);
        let at = self.steady(env.now);
        if self.flush_at.is_some_and(|due| due <= at) {
            self.flush(env, ENDS_AT_ONCE);
        }
        if self.wake.is_some_and(|due| due <= at) {
            self.wake = None;
            self.close_windows(env);
            self.release(env);
            self.remind(env);
            self.forget(env);
            self.plan(env);
        }
        self.save(env);
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let Some(shift) = self.shift else {
            let is_empty = self.told.is_empty() && self.messages.is_empty();
            return (!is_empty).then_some(Mono::ZERO);
        };
        let due = [self.flush_at, self.wake].into_iter().flatten().min()?;
        let millis = u64::try_from(due.saturating_sub(shift)).unwrap_or(0);
        Some(Mono::new(Duration::from_millis(millis)))
    }

    /// The configuration in `env` is in force now: audiences, budgets and quiet hours are judged anew.
    pub fn reload(&mut self, env: &mut NotifyEnv<'_>) {
        self.look_up(env, None);
        self.wake = Some(self.steady(env.now));
    }

    /// When people are reminded of an alert next, counted from now; for `/why`.
    pub fn next_reminder(&self, now: Now, name: &str) -> Option<Duration> {
        let due = self.told.get(name)?.remind_at?;
        let at = self.shift? + millis(now);
        Some(Duration::from_millis(u64::try_from(due - at).unwrap_or(0)))
    }

    /// What holds back messages about an alert; for `/why`.
    pub fn held_because(&self, name: &str) -> Option<&'static str> {
        Some(self.told.get(name)?.held.as_ref()?.cause.words())
    }

    fn steady(&self, now: Now) -> i64 {
        self.shift.unwrap_or(now.wall.0 - millis(now)) + millis(now)
    }

    fn wake_at(&mut self, at: i64) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// True when people know, or will, or there is a reason why not.
    fn is_aware(&self, name: &str) -> bool {
        self.told.get(name).is_some_and(Told::is_aware)
    }

    /// What a turn begins with. True for the first one.
    fn look_up(&mut self, env: &mut NotifyEnv<'_>, about: Option<&str>) -> bool {
        self.quiet = policy::quiet_until(&env.config.notify, env.now.wall);
        let is_first = self.shift.is_none();
        if is_first {
            self.adopt(env, about);
        }
        is_first
    }

    /// The first look at the clock after the start: saved times in the future (the clock was ahead) count as now, and
    /// whatever a crash left between the book and the messages is put right. The alert that this turn is `about` follows.
    fn adopt(&mut self, env: &mut NotifyEnv<'_>, about: Option<&str>) {
        self.shift = Some(env.now.wall.0 - millis(env.now));
        let at = self.steady(env.now);
        for (name, told) in &mut self.told {
            told.not_after(at);
            let is_open = env.book.get(name).is_some_and(book::AlertEntry::is_open);
            if !is_open && about != Some(&**name) {
                told.known = None;
                told.remind_at = None;
            }
        }
        for (id, message) in &mut self.messages {
            message.open_until = message.open_until.min(at + WINDOW);
            for line in message.lines.iter_mut().filter(|line| line.is_live()) {
                if env.book.get(&line.name).is_none() && about != Some(&*line.name) {
                    let told = self.told.get(line.name.as_str());
                    line.status = told
                        .and_then(Told::end)
                        .unwrap_or_else(|| Status::Ended(env.now.wall, "it is over".to_owned()));
                    self.changed_messages.insert(*id);
                }
            }
        }
        let untold: Vec<Change> = env
            .book
            .entries()
            .filter(|entry| entry.is_open())
            .filter(|entry| !self.is_aware(&entry.name))
            .map(|entry| entry.changed(ChangeKind::Fired, entry.fired.unwrap_or(entry.since), ""))
            .collect();
        for change in untold {
            self.announce(env, &change);
        }
        if self.told.values().any(|told| told.queue.is_some()) {
            self.flush_at = Some(at + LINGER);
        }
        self.wake = Some(at);
    }

    /// Something begins: it is queued, or held back with its reason.
    fn announce(&mut self, env: &mut NotifyEnv<'_>, change: &Change) {
        let note = match change.kind {
            ChangeKind::Event => Note::Event,
            _ => Note::Firing,
        };
        let queued = Queued::of(change, note);
        match self.obstacle(env, &change.name, change.severity) {
            Some(cause) => self.hold(env, &change.name, queued, cause),
            None => self.enqueue(env, &change.name, queued),
        }
    }

    /// It is over. People are told if they knew; else it is counted with what was held back.
    fn conclude(&mut self, env: &mut NotifyEnv<'_>, change: &Change) {
        if self
            .told
            .get(&change.name)
            .is_some_and(|told| told.queue.is_some())
        {
            self.flush(env, usize::MAX);
        }
        let words = change.summary.clone();
        self.mark(&change.name, || Status::Ended(change.at, words.clone()));
        let Some(told) = self.told.get_mut(&change.name) else {
            return;
        };
        told.remind_at = None;
        let knew = told.known.take().is_some();
        let cause = told.held.as_ref().map(|held| held.cause);
        self.changed_told.insert(Arc::clone(&change.name));
        let queued = Queued::of(change, Note::Ended);
        let obstacle = self
            .obstacle(env, &change.name, change.severity)
            .filter(|cause| *cause != Cause::Budget);
        match (knew, obstacle.or(cause.filter(|_| !knew))) {
            (_, Some(cause)) => self.hold(env, &change.name, queued, cause),
            (true, None) => self.enqueue(env, &change.name, queued),
            (false, None) => {}
        }
    }

    fn lower(&mut self, change: &Change) {
        for (id, message) in &mut self.messages {
            if let Some(line) = message.live_line(&change.name) {
                line.severity = change.severity;
                line.text.clone_from(&change.summary);
                self.changed_messages.insert(*id);
            }
        }
        if let Some(told) = self.told.get_mut(&change.name) {
            told.known = told.known.map(|_| change.severity);
            self.changed_told.insert(Arc::clone(&change.name));
        }
    }

    fn acknowledge(&mut self, env: &NotifyEnv<'_>, change: &Change) {
        let by = change.summary.clone();
        self.mark(&change.name, || Status::Acknowledged(by.clone()));
        if let Some(told) = self.told.get_mut(&change.name) {
            told.remind_at = None;
            self.changed_told.insert(Arc::clone(&change.name));
        }
        self.flush_soon(env);
    }

    /// Rewrites the live lines of an alert wherever they stand.
    fn mark(&mut self, name: &str, status: impl Fn() -> Status) {
        for (id, message) in &mut self.messages {
            if let Some(line) = message.live_line(name) {
                line.status = status();
                self.changed_messages.insert(*id);
            }
        }
    }

    /// What stands in the way of telling about this alert at this moment.
    fn obstacle(&self, env: &NotifyEnv<'_>, name: &str, severity: Severity) -> Option<Cause> {
        match env.book.muted(name) {
            Some((book::ALL, _)) => return Some(Cause::MuteAll),
            Some(_) => return Some(Cause::Mute),
            None => {}
        }
        if severity < Severity::Critical && self.quiet.is_some() {
            return Some(Cause::Quiet);
        }
        let at = self.steady(env.now);
        let told = self.told.get(name)?;
        told.budget_free_at(&env.config.notify, at)
            .map(|_| Cause::Budget)
    }

    fn hold(&mut self, env: &NotifyEnv<'_>, name: &Arc<str>, queued: Queued, cause: Cause) {
        log::debug!("alert {name}: not told: {}", cause.words());
        let told = self.told.entry(Arc::clone(name)).or_default();
        match &mut told.held {
            Some(held) => held.add(queued, cause),
            None => told.held = Some(Held::new(queued, cause)),
        }
        self.changed_told.insert(Arc::clone(name));
        let at = self.steady(env.now);
        let look = self.look_at(env, name, cause, at);
        if let Some(look) = look {
            self.wake_at(look);
        }
    }

    /// When a held alert is worth another look; the end of a mute comes as a change.
    fn look_at(&self, env: &NotifyEnv<'_>, name: &str, cause: Cause, at: i64) -> Option<i64> {
        match cause {
            Cause::Mute | Cause::MuteAll => None,
            Cause::Quiet => {
                let until = self.quiet?;
                Some(at + (until.0 - env.now.wall.0).clamp(0, LOOK_AGAIN))
            }
            Cause::Budget => self.told.get(name)?.budget_free_at(&env.config.notify, at),
        }
    }

    fn enqueue(&mut self, env: &mut NotifyEnv<'_>, name: &Arc<str>, mut queued: Queued) {
        if self.told.get(name).is_some_and(|told| told.queue.is_some()) {
            self.flush(env, usize::MAX);
        }
        let at = self.steady(env.now);
        let told = self.told.entry(Arc::clone(name)).or_default();
        let was_untold = told.held.as_ref().is_some_and(|held| held.fired > 0);
        if queued.note != Note::Ended || was_untold {
            told.spend(&env.config.notify, at);
        }
        if queued.note == Note::Firing {
            told.known = Some(queued.severity);
            let repeat = policy::repeat(&env.config.notify, queued.severity);
            told.remind_at = repeat.map(|span| at.saturating_add(span_millis(span)));
        }
        if let Some(held) = told.held.take() {
            queued.text.push_str(&held.in_words(queued.note));
        }
        told.queue = Some(queued);
        let remind_at = told.remind_at;
        self.changed_told.insert(Arc::clone(name));
        if let Some(remind_at) = remind_at {
            self.wake_at(remind_at);
        }
        self.flush_soon(env);
    }

    fn flush_soon(&mut self, env: &NotifyEnv<'_>) {
        let at = self.steady(env.now) + LINGER;
        self.flush_at = Some(self.flush_at.map_or(at, |flush| flush.min(at)));
    }

    /// Sends everything that is queued, one message for each audience, severity and kind of news. Beyond `ends_at_once`
    /// recent ones, messages about ends wait for each other.
    fn flush(&mut self, env: &mut NotifyEnv<'_>, ends_at_once: usize) {
        self.flush_at = None;
        let at = self.steady(env.now);
        self.recent_ends.retain(|end| end + WINDOW > at);
        let wait_for_ends = (self.recent_ends.len() >= ends_at_once)
            .then(|| self.recent_ends.first().map_or(at, |end| end + WINDOW));
        let mut bundles: BTreeMap<(Note, Severity, Vec<Address>), Vec<Line>> = BTreeMap::new();
        for (name, told) in &mut self.told {
            let Some(queued) = told.queue.take() else {
                continue;
            };
            if let (Note::Ended, Some(due)) = (queued.note, wait_for_ends) {
                told.queue = Some(queued);
                self.flush_at = Some(due);
                continue;
            }
            self.changed_told.insert(Arc::clone(name));
            let audience = policy::audience(&env.config.notify, name, queued.severity);
            let note = queued.note.bundle();
            bundles
                .entry((note, queued.severity, audience.to_vec()))
                .or_default()
                .push(queued.line(name));
        }
        for ((note, severity, audience), lines) in bundles {
            match note {
                Note::Firing | Note::Event => self.send_or_join(env, severity, &audience, lines),
                Note::Reminder => self.send_all(env, &audience, &Title::Reminder, lines),
                Note::Ended => {
                    self.recent_ends.push(at);
                    self.send_all(env, &audience, &Title::Ended, lines);
                }
            }
        }
        self.edit_changed(env);
    }

    /// The first of a group is a message of its own; what comes within its window joins it, but for an alert that is in it
    /// already and fires anew.
    fn send_or_join(
        &mut self,
        env: &mut NotifyEnv<'_>,
        severity: Severity,
        audience: &[Address],
        lines: Vec<Line>,
    ) {
        let at = self.steady(env.now);
        let open = self.messages.iter_mut().rfind(|(_, message)| {
            message.open_until > at
                && message.severity == severity
                && message.stands_at(audience)
                && message.takes(&lines)
        });
        let Some((id, message)) = open else {
            self.wake_at(at + WINDOW);
            for mut message in Message::several(&Title::Alerts, lines) {
                message.open_until = at + WINDOW;
                self.send(env, audience, message);
            }
            return;
        };
        for line in lines {
            message.joined.push(line.name.clone());
            message.add(line);
        }
        self.changed_messages.insert(*id);
    }

    /// The window of a group is over: what joined it rings once.
    fn close_windows(&mut self, env: &mut NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let mut summaries = Vec::new();
        self.messages.retain(|id, message| {
            if message.open_until == 0 || message.open_until > at {
                return true;
            }
            message.open_until = 0;
            let joined = std::mem::take(&mut message.joined);
            let lines: Vec<Line> = message
                .lines
                .iter()
                .filter(|line| joined.contains(&line.name))
                .filter(|line| matches!(line.status, Status::Firing | Status::Event))
                .cloned()
                .collect();
            if !lines.is_empty() {
                let audience: Vec<Address> =
                    message.copies.iter().map(|(to, _)| to.clone()).collect();
                summaries.push((audience, lines));
            }
            let is_live = message.is_live();
            save_message(env.state, *id, is_live.then_some(&*message));
            is_live
        });
        for (audience, lines) in summaries {
            self.send_all(env, &audience, &Title::Joined, lines);
        }
    }

    fn send_all(
        &mut self,
        env: &mut NotifyEnv<'_>,
        audience: &[Address],
        title: &Title,
        lines: Vec<Line>,
    ) {
        for message in Message::several(title, lines) {
            self.send(env, audience, message);
        }
    }

    fn send(&mut self, env: &mut NotifyEnv<'_>, audience: &[Address], mut message: Message) {
        let is_end = message.title == Title::Ended;
        let silent = message.severity == Severity::Info || (is_end && self.quiet.is_some());
        for to in audience {
            let draft = Draft {
                to: to.clone(),
                lane: message.lane(),
                text: message.text(env.config, env.now),
                buttons: message.buttons(env.book),
                document: None,
                edit: None,
                silent,
                alert: message.only_alert(),
            };
            let item = env.outbox.post(env.now, env.state, draft);
            message.copies.push((to.clone(), item));
        }
        if !message.is_live() && message.open_until == 0 {
            return;
        }
        let id = self.messages.last_key_value().map_or(0, |(id, _)| id + 1);
        self.messages.insert(id, message);
        if self.messages.len() > MAX_MESSAGES {
            if let Some((oldest, _)) = self.messages.pop_first() {
                self.changed_messages.insert(oldest);
            }
        }
        save_message(env.state, id, self.messages.get(&id));
    }

    /// Lets every message that has changed read as things are.
    fn edit_changed(&mut self, env: &mut NotifyEnv<'_>) {
        for id in std::mem::take(&mut self.changed_messages) {
            let Some(message) = self.messages.get(&id) else {
                save_message(env.state, id, None);
                continue;
            };
            for (to, item) in &message.copies {
                let draft = Draft {
                    to: to.clone(),
                    lane: if message.is_live() {
                        message.lane()
                    } else {
                        Lane::Digest
                    },
                    text: message.text(env.config, env.now),
                    buttons: message.buttons(env.book),
                    document: None,
                    edit: Some(EditOf::Item(*item)),
                    silent: true,
                    alert: message.only_alert(),
                };
                env.outbox.post(env.now, env.state, draft);
            }
            if message.is_live() || message.open_until != 0 {
                save_message(env.state, id, Some(message));
            } else {
                self.messages.remove(&id);
                save_message(env.state, id, None);
            }
        }
    }

    /// What is no longer held back by anything is told: single alerts on their own, a night or a mute of all as one
    /// summary.
    fn release(&mut self, env: &mut NotifyEnv<'_>) {
        let held: Vec<Arc<str>> = self
            .told
            .iter()
            .filter(|(_, told)| told.held.is_some())
            .map(|(name, _)| Arc::clone(name))
            .collect();
        let mut summaries: BTreeMap<(Cause, Vec<Address>), Vec<Line>> = BTreeMap::new();
        for name in held {
            let Some(held) = self.told.get(&name).and_then(|told| told.held.clone()) else {
                continue;
            };
            let obstacle = self.obstacle(env, &name, held.queued.severity);
            if let Some(cause) = obstacle {
                self.still_held(&name, cause);
                continue;
            }
            match held.cause {
                Cause::Quiet | Cause::MuteAll => {
                    let audience =
                        policy::audience(&env.config.notify, &name, held.queued.severity);
                    let line = self.release_into_summary(env, &name, &held);
                    let key = (held.cause, audience.to_vec());
                    summaries.entry(key).or_default().push(line);
                }
                Cause::Mute | Cause::Budget => self.release_alone(env, &name, &held),
            }
        }
        for ((cause, audience), lines) in summaries {
            let title = match cause {
                Cause::Quiet => "held back during the quiet hours",
                _ => "the mute of all alerts has ended; held back meanwhile",
            };
            self.send_all(env, &audience, &Title::Held(title.to_owned()), lines);
        }
    }

    fn still_held(&mut self, name: &Arc<str>, cause: Cause) {
        if let Some(held) = self.told.get_mut(name).and_then(|told| told.held.as_mut()) {
            // What a night or a mute of all held back keeps its place in that summary.
            if !matches!(
                (held.cause, cause),
                (Cause::Quiet | Cause::MuteAll, Cause::Budget)
            ) {
                held.cause = cause;
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
            told.spend(&env.config.notify, at);
            if queued.note == Note::Firing {
                told.known = Some(queued.severity);
                let repeat = policy::repeat(&env.config.notify, queued.severity);
                told.remind_at = repeat
                    .filter(|_| !is_acked)
                    .map(|span| at.saturating_add(span_millis(span)));
            }
        }
        self.changed_told.insert(Arc::clone(name));
        queued.line(name)
    }

    /// A mute has ended: what fires is told even if nothing happened meanwhile.
    fn end_mute(&mut self, env: &mut NotifyEnv<'_>, name: &str) {
        let open: Vec<Change> = env
            .book
            .entries()
            .filter(|entry| entry.is_open() && entry.ack.is_none())
            .filter(|entry| name == book::ALL || *entry.name == *name)
            .filter(|entry| {
                let told = self.told.get(&entry.name);
                told.is_none_or(|told| told.held.is_none() && told.queue.is_none())
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
        self.release(env);
        self.plan(env);
    }

    /// Reminders that are due, together with those of the next half minute.
    fn remind(&mut self, env: &NotifyEnv<'_>) {
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
        let repeat = policy::repeat(&env.config.notify, severity).map(span_millis);
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
        told.spend(&env.config.notify, at);
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

    /// Drops what no decision depends on any longer.
    fn forget(&mut self, env: &NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let changed = &mut self.changed_told;
        self.told.retain(|name, told| {
            let is_needed = told.is_needed(&env.config.notify, at);
            if !is_needed {
                changed.insert(Arc::clone(name));
            }
            is_needed
        });
    }

    /// Finds the next moment at which something is due.
    fn plan(&mut self, env: &NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let windows = self
            .messages
            .values()
            .map(|message| message.open_until)
            .filter(|due| *due != 0);
        let reminders = self.told.values().filter_map(|told| told.remind_at);
        let looks = self.told.iter().filter_map(|(name, told)| {
            let held = told.held.as_ref()?;
            let severity = held.queued.severity;
            let cause = self.obstacle(env, name, severity).unwrap_or(held.cause);
            self.look_at(env, name, cause, at)
        });
        self.wake = windows.chain(reminders).chain(looks).min();
    }

    /// Writes down what this turn has changed. Messages are saved where they are sent.
    fn save(&mut self, env: &mut NotifyEnv<'_>) {
        for name in std::mem::take(&mut self.changed_told) {
            match self.told.get(&name) {
                Some(told) => env.state.put("notify", &name, told),
                None => env.state.delete("notify", &name),
            }
        }
        if !self.changed_messages.is_empty() && self.flush_at.is_none() {
            self.flush_soon(env);
        }
    }
}

fn save_message(state: &mut Pending, id: u64, message: Option<&Message>) {
    match message {
        Some(message) => state.put("notify.message", &id.to_string(), message),
        None => state.delete("notify.message", &id.to_string()),
    }
}

fn millis(now: Now) -> i64 {
    i64::try_from(now.mono.since_start().as_millis()).unwrap_or(i64::MAX / 4)
}

fn span_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
