//! How messages leave: what is queued becomes a message or joins one, ends wait for each other, and what stands is
//! edited when things change.

use super::message::{Line, Message, Title};
use super::told::Note;
use super::{EDITS_AT_ONCE, MAX_MESSAGES, Notifier, NotifyEnv, WINDOW, policy};
use crate::alert::Severity;
use crate::chat::Place;
use crate::chat::outbox::{Draft, EditOf, Lane};
use crate::small::SmallMap;
use crate::state::Pending;
use std::sync::Arc;

impl Notifier {
    /// Sends everything that is queued, one message for each audience, severity and kind of news. Beyond `ends_at_once`
    /// recent ones, messages about ends wait for each other; beyond `lines_at_once`, everything for the next turn.
    pub(super) fn flush(
        &mut self,
        env: &mut NotifyEnv<'_>,
        ends_at_once: usize,
        lines_at_once: usize,
    ) {
        (self.flush_at, self.goes_on) = (None, false);
        let at = self.steady(env.now);
        self.recent_ends.retain(|end| end + WINDOW > at);
        let wait_for_ends = (self.recent_ends.len() >= ends_at_once)
            .then(|| self.recent_ends.first().map_or(at, |end| end + WINDOW));
        let mut bundles: SmallMap<(Note, Severity, Vec<Place>), Vec<Line>> = SmallMap::new();
        let mut room = lines_at_once;
        for (name, told) in &mut self.told {
            let Some(queued) = told.queue.take() else {
                continue;
            };
            if let (Note::Ended, Some(due)) = (queued.note, wait_for_ends) {
                told.queue = Some(queued);
                self.flush_at = self.flush_at.or(Some(due));
                continue;
            }
            if room == 0 {
                told.queue = Some(queued);
                (self.flush_at, self.goes_on) = (Some(at), true);
                continue;
            }
            room -= 1;
            self.changed_told.insert(Arc::clone(name));
            let audience = policy::audience(env.config.notify_of(name), name, queued.severity);
            let note = queued.note.bundle();
            bundles
                .entry((note, queued.severity, audience.to_vec()))
                .or_default()
                .push(queued.line(name));
        }
        for ((note, severity, audience), lines) in bundles {
            match note {
                Note::Firing | Note::Event => self.send_or_join(env, severity, &audience, lines),
                Note::Flapping(..) => {
                    self.send_all(env, &audience, &Title::Alerts, lines);
                    self.count_flapping();
                }
                Note::Reminder => {
                    self.forget_reminders(env.state, &lines);
                    self.send_all(env, &audience, &Title::Reminder, lines);
                }
                Note::Ended => {
                    self.recent_ends.push(at);
                    for (id, message) in &mut self.messages {
                        if message.open_until != 0 {
                            let names = lines.iter().map(|line| line.name.clone());
                            message.ended.extend(names);
                            save_message(env.state, *id, Some(message));
                        }
                    }
                    self.send_all(env, &audience, &Title::Ended, lines);
                }
            }
        }
        self.edit_changed(env);
    }

    /// Only the newest reminder of an alert reads as things are: one that fired for days would be edited for minutes.
    fn forget_reminders(&mut self, state: &mut Pending, lines: &[Line]) {
        let is_again = |line: &Line| lines.iter().any(|new| new.name == line.name);
        self.messages.retain(|id, message| {
            let is_old = message.title == Title::Reminder && message.lines.iter().all(is_again);
            if is_old {
                save_message(state, *id, None);
            }
            !is_old
        });
    }

    /// The first of a group is a message of its own; what comes within its window joins it, but for an alert that is in it
    /// already and fires anew.
    fn send_or_join(
        &mut self,
        env: &mut NotifyEnv<'_>,
        severity: Severity,
        audience: &[Place],
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
            if !audience.iter().any(gathers) {
                return self.send_all(env, audience, &Title::Alerts, lines);
            }
            self.wake_at(at + WINDOW);
            for mut message in Message::several(&Title::Alerts, lines) {
                message.open_until = at + WINDOW;
                self.send(env, audience, message);
            }
            return;
        };
        let joined: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
        lines.into_iter().for_each(|line| message.add(line));
        // In the turn in which people count as told: a crash may follow.
        let id = *id;
        self.edit(env, id, &joined);
    }

    /// The window of a group is over: what joined it rings once.
    pub(super) fn close_windows(&mut self, env: &mut NotifyEnv<'_>) {
        let at = self.steady(env.now);
        let mut summaries = Vec::new();
        self.messages.retain(|id, message| {
            if message.open_until == 0 || message.open_until > at {
                return true;
            }
            message.open_until = 0;
            summaries.extend(message.summaries());
            let is_live = message.is_live();
            save_message(env.state, *id, is_live.then_some(&*message));
            is_live
        });
        for (audience, lines) in summaries {
            self.send_all(env, &audience, &Title::Joined, lines);
        }
    }

    pub(super) fn send_all(
        &mut self,
        env: &mut NotifyEnv<'_>,
        audience: &[Place],
        title: &Title,
        lines: Vec<Line>,
    ) {
        for message in Message::several(title, lines) {
            self.send(env, audience, message);
        }
    }

    fn send(&mut self, env: &mut NotifyEnv<'_>, audience: &[Place], mut message: Message) {
        let is_end = message.title == Title::Ended;
        let is_quiet = |line: &Line| self.quiet_until(env, &line.name).is_some();
        let is_quiet = message.lines.first().is_some_and(is_quiet);
        let silent = message.severity == Severity::Info || (is_end && is_quiet);
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
                topic: Some(message.topic(&mut audience.iter())),
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
        for _ in 0..EDITS_AT_ONCE {
            let Some(id) = self.changed_messages.pop_first() else {
                break;
            };
            self.edit(env, id, &[]);
        }
    }

    /// Lets a message read as things are; what has `joined` it is news.
    fn edit(&mut self, env: &mut NotifyEnv<'_>, id: u64, joined: &[String]) {
        self.changed_messages.remove(&id);
        let Some(message) = self.messages.get_mut(&id) else {
            return save_message(env.state, id, None);
        };
        let topic = message.topic(&mut message.copies.iter().map(|(to, _)| to));
        for (copy, (to, item)) in message.copies.iter().enumerate() {
            // What has not left yet rings when it does, with all that has joined until then.
            let mut has_left = true;
            if can_edit(to) {
                let draft = Draft {
                    to: to.clone(),
                    // All else is a remark on what people know, and no news waits for it.
                    lane: match joined {
                        [] => Lane::Digest,
                        _ => message.lane(),
                    },
                    text: message.text(env.config, env.now),
                    buttons: message.buttons(env.book),
                    document: None,
                    edit: Some(EditOf::Item(*item)),
                    silent: true,
                    alert: message.only_alert(),
                    topic: Some(topic.clone()),
                };
                has_left = env.outbox.post(env.now, env.state, draft) != *item;
            }
            if has_left {
                let names = joined.iter().map(|name| (copy, name.clone()));
                message.unrung.extend(names);
            }
        }
        let is_over = !message.is_live() && message.open_until == 0;
        save_message(env.state, id, (!is_over).then_some(&*message));
        if is_over {
            self.messages.remove(&id);
        }
    }
}

fn save_message(state: &mut Pending, id: u64, message: Option<&Message>) {
    match message {
        Some(message) => state.put("notify.message", &id.to_string(), message),
        None => state.delete("notify.message", &id.to_string()),
    }
}

/// Whether what joins a message within its window is told there together, at the window's end at the latest.
fn gathers(to: &Place) -> bool {
    to.service().gathers
}

/// What stands on a terminal or in a mailbox stays as it is.
fn can_edit(to: &Place) -> bool {
    to.service().edits
}
