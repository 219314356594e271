//! Who is told what, and when.
//!
//! The notifier takes changes of the book and the time, and writes messages to the outbox. It knows what people
//! have been told (`Told`), what was held back from them, and which messages still stand to be edited. It evaluates
//! nothing and delivers nothing. Everything it knows is durable, in the turn in which it changes.

mod flap;
mod later;
mod leave;
mod message;
mod policy;
mod test_alert;
mod told;

use super::{AlertBook, Causes, Change, ChangeKind, Severity, book, inhibit};
use crate::chat::outbox::{Draft, ItemId, Outbox};
use crate::config::Config;
use crate::small::{SmallMap, SmallSet};

use crate::state::{Pending, Records};
use crate::time::{Mono, Now, Wall};
pub(crate) use message::clock;
use message::{Message, Status};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
pub use test_alert::TestSent;
use told::{Cause, Held, Note, Queued, Told};

/// The first message of a group waits so long for others of the same moment.
const LINGER: i64 = 10;
/// The first message about an end waits so long for others: what failed together answers again one after the other.
const LINGER_OF_END: i64 = 200;
/// What fires so long after the first joins its message.
const WINDOW: i64 = 30_000;
/// So many messages about ends leave at once within a window; further ones wait for each other.
const ENDS_AT_ONCE: usize = 5;
/// Lines that leave in one turn, and messages that are edited in it; the next turns go on, so that none takes longer
/// because more happens at once.
const LINES_AT_ONCE: usize = 300;
const EDITS_AT_ONCE: usize = 10;
/// Messages that can still be edited; beyond that the oldest stay as they are.
const MAX_MESSAGES: usize = 300;
/// What another alert explains waits for so long before anything is made of it: others of its network may follow, or
/// answer again.
const SETTLE: i64 = 30_000;
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
    told: SmallMap<Arc<str>, Told>,
    messages: SmallMap<u64, Message>,
    /// When what is queued leaves.
    flush_at: Option<i64>,
    /// What is queued was too much for one turn.
    goes_on: bool,
    /// Messages about what flaps.
    flapping: i64,
    revision: u64,
    /// When messages about ends left lately.
    recent_ends: Vec<i64>,
    wake: Option<i64>,
    /// When the quiet hours end that this turn lies in, by the address of the settings that were asked last.
    quiet: Cell<Option<(usize, Option<Wall>)>>,
    changed_told: SmallSet<Arc<str>>,
    changed_messages: SmallSet<u64>,
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
        self.count_flapping();
    }

    /// The wall clock has been set. Steady times move with it, so that they mean the same after a restart.
    pub fn correct_times(&mut self, by_ms: i64, state: &mut Pending) {
        let Some(shift) = &mut self.shift else { return };
        *shift += by_ms;
        let (flush, wake) = (self.flush_at.iter_mut(), self.wake.iter_mut());
        for at in flush.chain(wake).chain(&mut self.recent_ends) {
            *at += by_ms;
        }
        for (name, told) in &mut self.told {
            told.correct_times(by_ms);
            state.put("notify", name, told);
        }
        for (id, message) in &mut self.messages {
            message.correct_times(by_ms);
            state.put("notify.message", &id.to_string(), message);
        }
    }

    /// Takes a change of the book in.
    pub fn handle_change(&mut self, env: &mut NotifyEnv<'_>, change: &Change) {
        let is_first = self.look_up(env, Some(&*change.name));
        if change.causes.is_some() && env.book.get(&change.name).is_none() {
            let told = self.told.entry(Arc::clone(&change.name)).or_default();
            told.causes.clone_from(&change.causes);
        }
        self.count_change(env, change);
        match change.kind {
            // The first look at the book has found it already.
            ChangeKind::Fired if is_first && self.is_aware(&change.name) => {}
            ChangeKind::Fired | ChangeKind::Event => self.announce(env, change),
            ChangeKind::Escalated => {
                self.mark(&change.name, || Status::Moved(change.severity));
                self.announce(env, change);
            }
            ChangeKind::Lowered => self.lower(env, change),
            ChangeKind::Amended => self.amend(change),
            ChangeKind::Resolved | ChangeKind::Removed => self.conclude(env, change),
            ChangeKind::Acknowledged => self.acknowledge(env, change),
            ChangeKind::MuteEnded => self.end_mute(env, &change.name),
        }
        let is_over = matches!(change.kind, ChangeKind::Resolved | ChangeKind::Removed);
        if is_over && env.book.hides(&change.name) {
            self.end_inhibition(env);
        }
        self.save(env);
    }

    /// Sends what is due.
    pub fn handle_timeout(&mut self, env: &mut NotifyEnv<'_>) {
        self.look_up(env, None);
        let at = self.steady(env.now);
        if self.flush_at.is_some_and(|due| due <= at) {
            let ends_at_once = if self.goes_on {
                usize::MAX
            } else {
                ENDS_AT_ONCE
            };
            self.flush(env, ends_at_once, LINES_AT_ONCE);
        }
        if self.wake.is_some_and(|due| due <= at) {
            self.wake = None;
            self.close_windows(env);
            self.follow_flapping(env);
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

    /// Changes whenever something begins to flap or has become calm.
    pub fn revision(&self) -> u64 {
        self.revision
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

    /// When the quiet hours end that this alert is in.
    fn quiet_until(&self, env: &NotifyEnv<'_>, name: &str) -> Option<Wall> {
        let config = env.config.notify_of(name);
        let key = std::ptr::from_ref(config).addr();
        if let Some((_, until)) = self.quiet.get().filter(|(known, _)| *known == key) {
            return until;
        }
        let until = policy::quiet_until(config, env.now.wall);
        self.quiet.set(Some((key, until)));
        until
    }

    /// The alerts that explain one.
    fn causes(&self, env: &NotifyEnv<'_>, name: &str) -> Option<Arc<Causes>> {
        match env.book.get(name) {
            Some(entry) => entry.causes.clone(),
            None => self.told.get(name)?.causes.clone(),
        }
    }

    /// True while another alert explains this one.
    fn is_inhibited(&self, env: &NotifyEnv<'_>, name: &str) -> bool {
        let causes = self.causes(env, name);
        inhibit::inhibitor(env.book, name, causes.as_deref()).is_some()
    }

    /// What a turn begins with. True for the first one.
    fn look_up(&mut self, env: &mut NotifyEnv<'_>, about: Option<&str>) -> bool {
        self.quiet.set(None);
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
            told.not_after(at, env.config.notify_of(name));
            let is_open = env.book.get(name).is_some_and(book::AlertEntry::is_open);
            if !is_open && about != Some(&**name) {
                told.known = None;
                told.remind_at = None;
            }
        }
        for (id, message) in &mut self.messages {
            message.open_until = message.open_until.min(at + WINDOW);
            for line in message.lines.iter_mut().filter(|line| line.is_live()) {
                let told = self.told.get(line.name.as_str());
                if line.is_flapping() && told.is_some_and(|told| told.flap.is_some()) {
                    continue;
                }
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
        let obstacle = self.obstacle(env, &change.name, change.severity);
        if note == Note::Firing && self.takes_flapping(env, change, &queued, obstacle) {
            return;
        }
        match obstacle {
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
            self.flush(env, usize::MAX, usize::MAX);
        }
        let words = change.summary.clone();
        self.mark(&change.name, || Status::Ended(change.at, words.clone()));
        if change.kind == ChangeKind::Removed {
            self.forget_flapping(env, &change.name);
        }
        let Some(told) = self.told.get_mut(&change.name) else {
            return;
        };
        told.remind_at = None;
        let knew = told.known.take().is_some();
        let cause = told.held.as_ref().map(|held| held.cause);
        self.changed_told.insert(Arc::clone(&change.name));
        let queued = Queued::of(change, Note::Ended);
        let obstacle = self.obstacle(env, &change.name, change.severity);
        let in_the_way = obstacle.filter(|cause| !knew || *cause != Cause::Budget);
        if self.takes_flapping(env, change, &queued, in_the_way) {
            return;
        }
        let obstacle = obstacle.filter(|cause| !matches!(cause, Cause::Budget | Cause::Inhibited));
        if !knew && cause == Some(Cause::Inhibited) {
            // It came and went with what explains it: nobody has to hear of it.
            if let Some(told) = self.told.get_mut(&change.name) {
                told.held = None;
            }
            return;
        }
        match (knew, obstacle.or(cause.filter(|_| !knew))) {
            (_, Some(cause)) => self.hold(env, &change.name, queued, cause),
            (true, None) => self.enqueue(env, &change.name, queued),
            (false, None) => {}
        }
    }

    /// There is more to say: in what stands, and in what is about to leave or held back.
    fn amend(&mut self, change: &Change) {
        for (id, message) in &mut self.messages {
            if let Some(line) = message.live_line(&change.name) {
                line.text.clone_from(&change.summary);
                self.changed_messages.insert(*id);
            }
        }
        let Some(told) = self.told.get_mut(&change.name) else {
            return;
        };
        let held = told.held.as_mut().map(|held| &mut held.queued);
        for queued in told.queue.iter_mut().chain(held) {
            if queued.note == Note::Firing {
                queued.text.clone_from(&change.summary);
                self.changed_told.insert(Arc::clone(&change.name));
            }
        }
    }

    fn lower(&mut self, env: &mut NotifyEnv<'_>, change: &Change) {
        let is_flapping = |told: &Told| told.flap.as_ref().is_some_and(|flap| flap.is_told);
        if self.told.get(&change.name).is_some_and(is_flapping) {
            let queued = Queued::of(change, Note::Firing);
            self.takes_flapping(env, change, &queued, None);
        }
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
        if self.is_inhibited(env, name) {
            return Some(Cause::Inhibited);
        }
        if severity < Severity::Critical && self.quiet_until(env, name).is_some() {
            return Some(Cause::Quiet);
        }
        let at = self.steady(env.now);
        let told = self.told.get(name)?;
        told.budget_free_at(env.config.notify_of(name), at)
            .map(|_| Cause::Budget)
    }

    fn hold(&mut self, env: &NotifyEnv<'_>, name: &Arc<str>, queued: Queued, cause: Cause) {
        log::debug!("alert {name}: not told: {}", cause.words());
        let at = self.steady(env.now);
        let told = self.told.entry(Arc::clone(name)).or_default();
        match &mut told.held {
            Some(held) => held.add(queued, cause),
            None => told.held = Some(Held::new(queued, cause)),
        }
        if let (Some(held), Cause::Inhibited) = (&mut told.held, cause) {
            held.not_before = at + SETTLE;
        }
        self.changed_told.insert(Arc::clone(name));
        let look = self.look_at(env, name, cause, at);
        if let Some(look) = look {
            self.wake_at(look);
        }
    }

    /// When a held alert is worth another look; the end of a mute comes as a change.
    fn look_at(&self, env: &NotifyEnv<'_>, name: &str, cause: Cause, at: i64) -> Option<i64> {
        match cause {
            Cause::Mute | Cause::MuteAll => None,
            // The end of the other alert comes as a change; meanwhile others of the network may begin to answer.
            Cause::Inhibited => {
                let due = self.told.get(name)?.held.as_ref()?.not_before;
                Some(if due > at { due } else { at + SETTLE })
            }
            Cause::Quiet => {
                let until = self.quiet_until(env, name)?;
                Some(at + (until.0 - env.now.wall.0).clamp(0, LOOK_AGAIN))
            }
            Cause::Budget => self
                .told
                .get(name)?
                .budget_free_at(env.config.notify_of(name), at),
        }
    }

    fn enqueue(&mut self, env: &mut NotifyEnv<'_>, name: &Arc<str>, mut queued: Queued) {
        if self.told.get(name).is_some_and(|told| told.queue.is_some()) {
            self.flush(env, usize::MAX, usize::MAX);
        }
        let at = self.steady(env.now);
        let told = self.told.entry(Arc::clone(name)).or_default();
        let was_untold = told.held.as_ref().is_some_and(|held| held.fired > 0);
        if queued.note != Note::Ended || was_untold {
            told.spend(env.config.notify_of(name), at);
        }
        if queued.note == Note::Firing {
            told.known = Some(queued.severity);
            let repeat = policy::repeat(env.config.notify_of(name), queued.severity);
            told.remind_at = repeat.map(|span| at.saturating_add(span_millis(span)));
        }
        if let Some(held) = told.held.take() {
            queued.text.push_str(&held.in_words(queued.note));
        }
        let linger = match queued.note {
            Note::Ended => LINGER_OF_END,
            _ => LINGER,
        };
        told.queue = Some(queued);
        let remind_at = told.remind_at;
        self.changed_told.insert(Arc::clone(name));
        if let Some(remind_at) = remind_at {
            self.wake_at(remind_at);
        }
        self.flush_after(env, linger);
    }

    fn flush_soon(&mut self, env: &NotifyEnv<'_>) {
        self.flush_after(env, LINGER);
    }

    fn flush_after(&mut self, env: &NotifyEnv<'_>, linger: i64) {
        let at = self.steady(env.now) + linger;
        self.flush_at = Some(self.flush_at.map_or(at, |flush| flush.min(at)));
    }

    /// Drops what no decision depends on any longer.
    fn forget(&mut self, env: &NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let changed = &mut self.changed_told;
        self.told.retain(|name, told| {
            let is_needed = told.is_needed(env.config.notify_of(name), at);
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
        let flaps = self.told.values();
        let edit_every = self.edit_every();
        let flaps = flaps.filter_map(|told| Some(told.flap.as_ref()?.due(edit_every)));
        self.wake = windows.chain(reminders).chain(looks).chain(flaps).min();
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

fn millis(now: Now) -> i64 {
    i64::try_from(now.mono.since_start().as_millis()).unwrap_or(i64::MAX / 4)
}

fn span_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
