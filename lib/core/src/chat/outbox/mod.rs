//! Messages on their way out. An item is journaled with the turn that made it, leaves when that record is
//! stored (or 250 ms later), and stays until the transport has acknowledged it. What may leave next is decided
//! in `turn`, how fast in `pace`, what is merged when too much waits in `backlog`.

mod backlog;
mod fallback;
mod item;
mod pace;
mod turn;

use super::access::Access;
use super::buttons::{Buttons, Holder};
use super::pages::pages;
use super::{Button, Person, Place};
use crate::alert::Severity;
use crate::effect::Document;
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::text::{Style, Text};
use crate::time::{Mono, Now, Zone};
pub(super) use fallback::Fallback;
use item::{Item, Phase, Record};
use pace::Paces;
use std::sync::Arc;
use std::time::Duration;

/// Names an item for ever.
pub type ItemId = u64;

/// Priority; a lane cannot starve the ones before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Lane {
    /// Critical alerts.
    Critical,
    /// Answers to people.
    Reply,
    /// Other alerts.
    Warning,
    /// Results of jobs.
    Job,
    /// Digests.
    Digest,
}

/// Something to say.
#[derive(Clone, Debug)]
pub struct Draft {
    /// To whom.
    pub to: Place,
    /// Priority.
    pub lane: Lane,
    /// What.
    pub text: Text,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// A file to send along.
    pub document: Option<Document>,
    /// Changes an earlier item's message instead of sending a new one.
    pub edit: Option<EditOf>,
    /// True when it shall not ring.
    pub silent: bool,
    /// The alert it is about.
    pub alert: Option<Arc<str>>,
    /// What a heading needs, of messages about alerts.
    pub topic: Option<Topic>,
}

/// What a message about alerts is about, for services whose messages have a heading.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Topic {
    /// The highest in it.
    pub severity: Severity,
    /// Says that what it names is over.
    #[serde(default)]
    pub is_end: bool,
    /// The alerts in it, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// Mail addresses that get the same message of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailed: Vec<String>,
}

/// Which message is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EditOf {
    /// That of an earlier item, once it has one.
    Item(ItemId),
    /// A message by the service's own number.
    Message(i64),
}

/// An item leaves after this time when the disk has not answered.
const STORE_PATIENCE: Duration = Duration::from_millis(250);
/// Items that wait at most; beyond it `backlog` merges and drops.
const MAX_ITEMS: usize = 1000;
/// Message numbers that are remembered for later edits; those of alerts are kept over a restart.
const MAX_SENT: usize = 500;
/// A text of more pages than this is sent as its first page and a file.
const MAX_PAGES: usize = 4;
/// Page length by which that is judged, in UTF-16 units.
const PAGE_UNITS: usize = 4000;
/// Item numbers that one run of the agent may give out before it reserves more.
const RESERVED_IDS: ItemId = 1_000_000;

/// The messages on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    next: ItemId,
    items: SmallMap<ItemId, Item>,
    sent: SmallMap<ItemId, Sent>,
    paces: Paces,
    pub(super) buttons: Buttons,
    /// Old id of a group → its id today.
    moved: SmallMap<Place, Place>,
    /// Chats that cannot be written to, and why.
    closed: SmallMap<Place, String>,
    /// Since when a service that something waits for has been down.
    down_since: Option<Mono>,
    /// Items that somebody wants to know about: whether they were accepted, or given up.
    watched: SmallMap<ItemId, Option<bool>>,
    fallback: Option<Fallback>,
    /// Since when the chat service has been away, as its transport says.
    away_since: Option<Mono>,
    /// When the next message has waited long enough to go by mail.
    falls_back_at: Option<Mono>,
    wake: Option<Mono>,
    /// Something happened that may let an item leave.
    is_changed: bool,
    zone: Option<Zone>,
}

/// A message that has been delivered.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Sent {
    to: Place,
    message: i64,
    #[serde(default)]
    is_kept: bool,
    /// What was told with it and stays above whatever it becomes.
    #[serde(default)]
    before: Text,
}

impl Outbox {
    /// Takes over what had not left before the restart. What was being sent then may have arrived, so it is
    /// sent again with a mark.
    pub fn restore(&mut self, now: Now, records: &Records, state: &mut Pending) {
        self.buttons.restore(records);
        let aliases = crate::chat::access::aliases(records).into_iter();
        self.moved = aliases
            .map(|(old, new)| (old.place(), new.place()))
            .collect();
        for (key, record) in records.all::<Record>("outbox") {
            if let Ok(id) = key.parse() {
                self.items.insert(id, Item::restored(record, now.mono));
            }
        }
        for (key, sent) in records.all::<Sent>("sent") {
            if let Ok(id) = key.parse() {
                self.sent.insert(id, sent);
            }
        }
        let highest = self.items.keys().chain(self.sent.keys()).max().copied();
        let reserved: ItemId = records.get("chat", "next_item").unwrap_or(0);
        self.next = reserved.max(highest.unwrap_or(0));
        state.put("chat", "next_item", &(self.next + RESERVED_IDS));
    }

    /// Takes a draft in. It is journaled with this turn and leaves when that record is stored.
    ///
    /// An edit of a message that waits changes what waits, and an edit that waits gives way to a newer one of
    /// the same message; the number returned is then that of the item that was changed.
    pub fn push(&mut self, now: Now, state: &mut Pending, draft: Draft) -> ItemId {
        self.push_for(now, state, draft, None)
    }

    pub(super) fn push_for(
        &mut self,
        now: Now,
        state: &mut Pending,
        mut draft: Draft,
        who: Option<&Person>,
    ) -> ItemId {
        self.is_changed = true;
        draft.to = self.today(draft.to);
        let codes = self.register(now, state, &draft, who);
        into_file_when_long(&mut draft);
        let seq = state.seq();
        if let Some(id) = draft
            .edit
            .and_then(|edit| self.waiting_for(edit, &draft.to))
        {
            if let Some(item) = self.items.get_mut(&id) {
                item.rewrite(draft, codes, now, seq);
                state.put_durable("outbox", &id.to_string(), &item.record);
            }
            return id;
        }
        if self.items.len() >= MAX_ITEMS {
            self.make_room(now, state);
        }
        self.next += 1;
        let id = self.next;
        let mut item = Item::new(draft, codes, now, seq);
        // Nearly always it leaves with this very record, which then says that its sending is under way.
        item.record.sending = self.down_since.is_none()
            && self
                .items
                .values()
                .all(|other| other.record.to != item.record.to)
            && self.paces.next(now.mono, &item.record.to, item.record.lane) <= now.mono;
        state.put_durable("outbox", &id.to_string(), &item.record);
        self.items.insert(id, item);
        id
    }

    /// Everything up to this journal record is on disk.
    pub fn handle_stored(&mut self, seq: u64) {
        self.is_changed = true;
        for item in self.items.values_mut() {
            if matches!(item.phase, Phase::Journaling { seq: own, .. } if own <= seq) {
                item.phase = Phase::Ready;
            }
        }
    }

    /// When something may leave that could not until now.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.wake
    }

    /// Messages that have not been delivered.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True when everything has been delivered.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Chats that cannot be written to, one sentence each.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        self.closed
            .iter()
            .map(|(to, why)| format!("{to} cannot be written to: {why}"))
    }

    /// The chat of an item, while it is not known to be closed.
    pub(super) fn open_chat_of(&self, item: ItemId) -> Option<Place> {
        let to = self.items.get(&item)?.record.to.chat();
        (!self.closed.contains_key(&to)).then_some(to)
    }

    /// From now on it is known what becomes of an item.
    pub fn watch(&mut self, id: ItemId) {
        self.watched.insert(id, None);
    }

    /// What became of a watched item: accepted or given up. Once that is told, it is watched no longer.
    pub fn outcome(&mut self, id: ItemId) -> Option<bool> {
        let outcome = (*self.watched.get(&id)?)?;
        self.watched.remove(&id);
        Some(outcome)
    }

    /// It is of no interest any more what becomes of an item.
    pub fn unwatch(&mut self, id: ItemId) {
        self.watched.remove(&id);
    }

    pub(super) fn why_closed(&self, to: &Place) -> Option<String> {
        self.closed.get(&to.chat()).cloned()
    }

    fn note_outcome(&mut self, id: ItemId, is_accepted: bool) {
        if let Some(outcome) = self.watched.get_mut(&id) {
            *outcome = Some(is_accepted);
        }
    }

    /// Somebody wrote from there, so it can be written to again.
    pub(super) fn reopen(&mut self, address: &Place) {
        if !self.closed.is_empty() && self.closed.remove(&address.chat()).is_some() {
            self.paces.release(address);
        }
    }

    /// What was refused may be tried again: the configuration has changed.
    pub(super) fn retry_refused(&mut self) {
        for to in self.closed.keys() {
            self.paces.release(to);
        }
        for item in self.items.values_mut() {
            item.not_before = Mono::ZERO;
        }
        self.is_changed = true;
    }

    /// The transport is gone with what it had: that may have arrived.
    pub(super) fn recall(&mut self, served: &dyn Fn(&Place) -> bool) {
        for item in self.items.values_mut() {
            if item.phase == Phase::Sending && served(&item.record.to) {
                item.phase = Phase::Ready;
                item.maybe_arrived = true;
            }
        }
    }

    /// The service says that the group of this item has another id.
    pub(super) fn follow(
        &mut self,
        item: ItemId,
        new: &Place,
        access: &mut Access,
        state: &mut Pending,
    ) {
        let to = self.items.get(&item).map(|item| item.record.to.clone());
        if let Some(old) = to.map(|to| to.chat()) {
            access.add_alias(&old, new, state);
            self.rename_chat(&old, new, state);
        }
    }

    /// A group has another id from now on.
    pub(super) fn rename_chat(&mut self, old: &Place, new: &Place, state: &mut Pending) {
        self.moved.insert(old.clone(), new.clone());
        self.buttons.rename_chat(old, new);
        for (id, item) in &mut self.items {
            if item.record.to.follow(old, new) {
                state.put_durable("outbox", &id.to_string(), &item.record);
            }
        }
        // Message numbers of the old group mean nothing in the new one.
        let gone: Vec<ItemId> = self
            .sent
            .iter()
            .filter(|(_, sent)| sent.to.is_same_chat(old))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.sent.remove(&id);
            state.delete("sent", &id.to_string());
        }
    }

    /// The wall clock has been set.
    pub fn correct_times(&mut self, by_ms: i64, state: &mut Pending) {
        for (id, item) in &mut self.items {
            let before = item.record.created;
            item.record.created.correct(by_ms);
            if item.record.created != before {
                state.put("outbox", &id.to_string(), &item.record);
            }
        }
    }

    /// A transport may have become ready.
    pub(super) fn touch(&mut self) {
        self.is_changed = true;
    }

    /// The zone of the times in messages.
    pub(super) fn set_zone(&mut self, zone: &Zone) {
        self.zone = Some(zone.clone());
    }

    fn zone(&self) -> Zone {
        self.zone.clone().unwrap_or(Zone::UTC)
    }

    fn today(&self, mut address: Place) -> Place {
        for (old, new) in &self.moved {
            address.follow(old, new);
        }
        address
    }

    fn register(
        &mut self,
        now: Now,
        state: &mut Pending,
        draft: &Draft,
        who: Option<&Person>,
    ) -> Vec<Vec<(String, String)>> {
        let holder = Holder {
            address: &draft.to,
            who,
            is_kept: draft.lane != Lane::Reply,
        };
        let mut rows = Vec::new();
        for row in &draft.buttons {
            let row = row.iter().map(|button| {
                let code = self.buttons.register(now.mono, button, holder, state);
                (crate::text::clean(button.label.clone()), code)
            });
            rows.push(row.collect());
        }
        rows
    }

    /// The waiting item that an edit can change in place.
    fn waiting_for(&self, edit: EditOf, to: &Place) -> Option<ItemId> {
        let may_change = |item: &Item| {
            item.record.to == *to && item.phase != Phase::Sending && item.record.parts_done == 0
        };
        if let EditOf::Item(id) = edit {
            if self.items.get(&id).is_some_and(may_change) {
                return Some(id);
            }
        }
        self.items
            .iter()
            .find(|(_, item)| item.record.edit == Some(edit) && may_change(item))
            .map(|(id, _)| *id)
    }
}

fn into_file_when_long(draft: &mut Draft) {
    // A mail is as long as it has to be.
    let may_be_long = draft.to.service().is_long;
    if may_be_long || draft.document.is_some() || draft.text.utf16_len() <= PAGE_UNITS {
        return;
    }
    let cut = pages(&draft.text, PAGE_UNITS);
    if cut.len() <= MAX_PAGES {
        return;
    }
    draft.document = Some(Document {
        name: "answer.txt".into(),
        mime: "text/plain; charset=utf-8",
        bytes: draft.text.to_plain().into_bytes().into(),
        is_picture: false,
    });
    if let Some(mut first) = cut.into_iter().next() {
        first.push(Style::Italic, "\n… the whole text is in the file");
        draft.text = first;
    }
}

#[cfg(test)]
mod tests;
