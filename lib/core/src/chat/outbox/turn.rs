//! Whose turn it is: picks what leaves next, and takes what the transports say about it.

use super::item::{Item, Phase};
use super::{EditOf, ItemId, Lane, MAX_SENT, Outbox, STORE_PATIENCE, Sent};
use crate::chat::Place;
use crate::chat::pages::pages;
use crate::chat::transport::{Failure, Limits, Outgoing, Readiness};
use crate::effect::earlier;
use crate::journal::crc32;
use crate::small::SmallMap;
use crate::state::Pending;
use crate::text::{Style, Text};
use crate::time::{Mono, Now};
use std::time::Duration;

/// From so many waiting messages on, they leave together (critical alerts and answers never do).
const MERGE_FROM: usize = 3;
/// Messages that one message may stand for.
const MERGE_AT_MOST: usize = 20;
/// Room that is left on a page for the remarks about time and repetition, in UTF-16 units.
const REMARK_UNITS: usize = 128;
/// The same for a mail address, and for a message that is refused by itself.
const REFUSED_FOR: Duration = Duration::from_secs(3600);
/// Pages are never halved below this, in UTF-16 units.
const SHORTEST_PAGE_UNITS: usize = 200;

/// Asks for the state and limits of the transport that serves an address; `None` when nothing does.
pub(in crate::chat) type Service<'a> = &'a dyn Fn(&Place) -> Option<(Readiness, Limits)>;

impl Outbox {
    /// The message that leaves now, if one may; call until there is none.
    pub(in crate::chat) fn take_next(
        &mut self,
        now: Now,
        service: Service<'_>,
        state: &mut Pending,
    ) -> Option<Outgoing> {
        if self.items.is_empty() {
            self.wake = None;
            self.down_since = None;
            return None;
        }
        if !self.is_changed && self.wake.is_none_or(|at| at > now.mono) {
            return None;
        }
        self.watch_outage(now.mono, service);
        self.falls_back_at = self.fall_back(now, service, state);
        while let Some(id) = self.pick(now.mono, service) {
            if self.collapse_old(now, state) {
                continue;
            }
            let group = self.group(id, now.mono);
            if !self.mark(&group, now, state) {
                return self.dispatch(&group, now, service);
            }
        }
        self.is_changed = false;
        self.wake = earlier(self.wake, self.falls_back_at);
        None
    }

    /// A message arrived.
    pub(in crate::chat) fn handle_sent(
        &mut self,
        now: Now,
        id: ItemId,
        message: Option<i64>,
        limits: Limits,
        state: &mut Pending,
    ) {
        self.is_changed = true;
        let group = self.under_way(id);
        let is_merged = group.len() > 1;
        let Some(item) = self.items.get_mut(&id) else {
            return;
        };
        if let Some(pace) = limits.pace {
            self.paces.note_answered(now.mono, &item.record.to, pace);
        }
        self.closed.remove(&item.record.to.chat());
        item.record.parts_done += 1;
        item.record.first_message = item.record.first_message.or(message);
        item.maybe_arrived = false;
        if item.record.parts_done < parts(item, limits) && !is_merged {
            item.phase = Phase::Ready;
            state.put_durable("outbox", &id.to_string(), &item.record);
            return;
        }
        self.down_since = None;
        for id in &group {
            let Some(item) = self.forget(*id, state) else {
                continue;
            };
            self.note_told(&item.record.twins, now, state);
            self.note_outcome(*id, true);
            if let (Some(message), false) = (item.record.first_message, is_merged) {
                let codes: Vec<String> = codes(&item);
                self.buttons.bind(&codes, message);
                self.remember(*id, &item, message, state);
            }
        }
        self.drop_needless(state);
    }

    /// A message did not arrive, or nobody knows. Returns true when it was given up.
    pub(in crate::chat) fn handle_failed(
        &mut self,
        now: Now,
        id: ItemId,
        failure: Failure,
        state: &mut Pending,
    ) -> bool {
        self.is_changed = true;
        let group = self.under_way(id);
        let Some(first) = self.items.get(&id) else {
            return false;
        };
        let (to, lane) = (first.record.to.clone(), first.record.lane);
        let was_plain = first.is_plain;
        for id in &group {
            if let Some(item) = self.items.get_mut(id) {
                item.phase = Phase::Ready;
                item.maybe_arrived |= matches!(
                    failure,
                    Failure::Retry {
                        maybe_arrived: true
                    }
                );
            }
        }
        self.drop_needless(state);
        match failure {
            Failure::Retry { .. } => {}
            Failure::Wait(span) => self.paces.hold(&to, now.mono + span),
            Failure::Moved(_) => {}
            Failure::NoTopic => self.change(&group, state, |item| item.record.to = to.chat()),
            Failure::NoMessage => self.change(&group, state, |item| {
                item.record.edit = None;
                item.maybe_arrived = true;
            }),
            Failure::TooLong => self.halve(&group, now.mono, state),
            Failure::Parked(why) => {
                log::warn!("chat: {to} does not take a message, which waits: {why}");
                self.park(&group, now.mono);
            }
            Failure::Closed(why) => {
                log::warn!("chat: {to} cannot be written to: {why}");
                self.closed.insert(to.chat(), why);
                let (span, _) = to.service().closed_for;
                self.paces.hold(&to, now.mono + span);
                if lane == Lane::Reply {
                    self.give_up(&group, state);
                    return true;
                }
            }
            Failure::Markup | Failure::Rejected(_) if !was_plain => {
                self.change(&group, state, |item| item.is_plain = true);
            }
            Failure::Markup => {
                return self.reject(&group, &to, "the text was not understood", state);
            }
            Failure::Rejected(why) => return self.reject(&group, &to, &why, state),
        }
        false
    }

    fn reject(&mut self, group: &[ItemId], to: &Place, why: &str, state: &mut Pending) -> bool {
        log::error!("chat: {to} never takes a message, it is given up: {why}");
        self.give_up(group, state);
        true
    }

    fn park(&mut self, group: &[ItemId], now: Mono) {
        for id in group {
            if let Some(item) = self.items.get_mut(id) {
                item.not_before = now + REFUSED_FOR;
            }
        }
    }

    /// Lets the rest of a message that was too long leave in smaller pages; merged ones leave each for itself.
    fn halve(&mut self, group: &[ItemId], now: Mono, state: &mut Pending) {
        for id in group {
            let Some(item) = self.items.get_mut(id) else {
                continue;
            };
            item.record.text = item.record.whole();
            item.record.before = Text::new();
            item.record.joined = None;
            if page_units(item, item.record.text.utf16_len()) <= SHORTEST_PAGE_UNITS {
                log::warn!("chat: {} takes no message at all, it waits", item.record.to);
                item.not_before = now + REFUSED_FOR;
                continue;
            }
            let sent = item.record.parts_done;
            let cut = pages(&item.record.text, page_units(item, usize::MAX));
            if sent > 0 && sent < cut.len() {
                let mut rest = Text::new();
                cut.into_iter()
                    .skip(sent)
                    .for_each(|page| rest.append(page));
                item.record.text = rest;
                item.halved = 0;
            }
            item.record.parts_done = 0;
            item.halved += 1;
        }
        self.change(group, state, |_| {});
    }

    fn give_up(&mut self, group: &[ItemId], state: &mut Pending) {
        for id in group {
            self.forget(*id, state);
            self.note_outcome(*id, false);
        }
    }

    fn change(&mut self, group: &[ItemId], state: &mut Pending, change: impl Fn(&mut Item)) {
        for id in group {
            if let Some(item) = self.items.get_mut(id) {
                change(item);
                state.put_durable("outbox", &id.to_string(), &item.record);
            }
        }
    }

    /// The next item in order of lane and age; notes when the earliest of the others may leave.
    fn pick(&mut self, now: Mono, service: Service<'_>) -> Option<ItemId> {
        let mut open: SmallMap<(ChatKey<'_>, Lane), Option<Mono>> = SmallMap::new();
        let mut claims = None;
        let mut wake = None;
        let mut best: Option<(Lane, ItemId)> = None;
        for (id, item) in &self.items {
            let (to, lane) = (&item.record.to, item.record.lane);
            let opens_at = open
                .entry((chat_key(to), lane))
                .or_insert_with(|| self.opens_at(to, lane, now, service));
            let Some(opens_at) = *opens_at else { continue };
            if opens_at > now || best.is_some_and(|(best, _)| best <= lane) {
                wake = earlier(wake, Some(opens_at).filter(|at| *at > now));
                continue;
            }
            let claims = claims.get_or_insert_with(|| self.claims(now));
            match self.leaves_at(*id, item, claims) {
                Some(at) if at <= now => best = Some((lane, *id)),
                at => wake = earlier(wake, at),
            }
        }
        self.wake = wake;
        best.map(|(_, id)| id)
    }

    /// When a chat takes a message of this lane; `None` when its transport does not.
    fn opens_at(&self, to: &Place, lane: Lane, now: Mono, service: Service<'_>) -> Option<Mono> {
        let (Readiness::Ready, limits) = service(to)? else {
            return None;
        };
        Some(match limits.pace {
            Some(_) => self.paces.next(now, to, lane),
            None => Mono::ZERO,
        })
    }

    /// By chat: what is under way, or about to leave as soon as it is stored. One message at a time in a chat.
    fn claims(&self, now: Mono) -> Claims<'_> {
        let mut claims = Claims::new();
        for (id, item) in &self.items {
            let chat = chat_key(&item.record.to);
            match item.phase {
                Phase::Sending => {
                    claims.insert(chat, *id);
                }
                Phase::Journaling { since, .. }
                    if item.record.sending && now < since + STORE_PATIENCE =>
                {
                    claims.entry(chat).or_insert(*id);
                }
                _ => {}
            }
        }
        claims
    }

    /// Messages about one alert keep their order. An edit only waits for its message, and no news waits for an edit.
    fn has_older_news(&self, id: ItemId, item: &Item) -> bool {
        let is_news = |item: &Item| item.record.alert.is_some() && item.record.edit.is_none();
        let is_same = |other: &Item| {
            is_news(other)
                && other.record.alert == item.record.alert
                && chat_key(&other.record.to) == chat_key(&item.record.to)
        };
        is_news(item) && self.items.range(..id).any(|(_, other)| is_same(other))
    }

    /// When an item of an open chat may leave; `None` when it waits for something else than time.
    fn leaves_at(&self, id: ItemId, item: &Item, claims: &Claims<'_>) -> Option<Mono> {
        let stored_at = match item.phase {
            Phase::Sending => return None,
            Phase::Ready => Mono::ZERO,
            Phase::Journaling { since, .. } => since + STORE_PATIENCE,
        };
        let stored_at = stored_at.max(item.not_before);
        let waits_for_its_message = matches!(item.record.edit, Some(EditOf::Item(target)) if self.items.contains_key(&target));
        let claim = claims.get(&chat_key(&item.record.to));
        let must_wait = waits_for_its_message
            || claim.is_some_and(|claim| *claim != id)
            || self.has_older_news(id, item);
        (!must_wait).then_some(stored_at)
    }

    /// The items that leave as one message with this one; itself alone in most cases.
    fn group(&self, id: ItemId, now: Mono) -> Vec<ItemId> {
        let Some(head) = self.items.get(&id) else {
            return Vec::new();
        };
        let lane = head.record.lane;
        if !head.is_simple() || matches!(lane, Lane::Critical | Lane::Reply) {
            return vec![id];
        }
        let is_out = |item: &Item| match item.phase {
            Phase::Ready => true,
            Phase::Journaling { since, .. } => since + STORE_PATIENCE <= now,
            Phase::Sending => false,
        };
        let mut length = 0;
        let group: Vec<ItemId> = self
            .items
            .range(id..)
            .filter(|(_, item)| {
                item.record.to == head.record.to
                    && item.record.lane == lane
                    && item.is_simple()
                    && is_out(item)
            })
            .take(MERGE_AT_MOST)
            .take_while(|(_, item)| {
                length += item.record.whole().utf16_len() + 2;
                length < 3500
            })
            .map(|(id, _)| *id)
            .collect();
        if group.len() < MERGE_FROM {
            return vec![id];
        }
        group
    }

    /// Writes down that these are about to be sent, unless that stands already. They leave when it is stored.
    fn mark(&mut self, group: &[ItemId], now: Now, state: &mut Pending) -> bool {
        let mut is_new = false;
        for id in group {
            let Some(item) = self.items.get_mut(id).filter(|item| !item.record.sending) else {
                continue;
            };
            item.record.sending = true;
            item.phase = Phase::Journaling {
                seq: state.seq(),
                since: now.mono,
            };
            state.put_durable("outbox", &id.to_string(), &item.record);
            is_new = true;
        }
        is_new
    }

    fn dispatch(&mut self, group: &[ItemId], now: Now, service: Service<'_>) -> Option<Outgoing> {
        let id = *group.first()?;
        let (_, limits) = service(&self.items.get(&id)?.record.to)?;
        let outgoing = match group {
            [_] => self.single(id, now, limits)?,
            several => self.merged(several)?,
        };
        for id in group {
            if let Some(item) = self.items.get_mut(id) {
                item.phase = Phase::Sending;
            }
        }
        if let Some(pace) = limits.pace {
            self.paces.note_sent(now.mono, &outgoing.to, pace);
        }
        Some(outgoing)
    }

    fn single(&self, id: ItemId, now: Now, limits: Limits) -> Option<Outgoing> {
        let item = self.items.get(&id)?;
        let record = &item.record;
        let pages = text_pages(item, limits);
        let last = pages.len().saturating_sub(1);
        let has_caption = item.document.is_some() && pages.is_empty();
        let part = record.parts_done;
        let is_document = part >= pages.len();
        let mut text = match pages.into_iter().nth(part) {
            Some(page) => page,
            None if has_caption => record.whole(),
            None => Text::new(),
        };
        let target = (part == 0 && !is_document)
            .then(|| self.target(record.edit, &record.to))
            .flatten();
        if let Some((_, Some(above))) = target {
            if above.utf16_len() + text.utf16_len() <= limits.text_units {
                let own = std::mem::replace(&mut text, above.clone());
                text.append(own);
            }
        }
        let checksum = crc32(text.to_plain().as_bytes());
        // An edit that was made twice is no repetition; one that has no message to change is.
        if (item.maybe_arrived || record.edit.is_some()) && target.is_none() && !is_document {
            text.push(Style::Italic, "\n(maybe repeated)");
        }
        let is_fresh = item.fresh_until.is_some_and(|until| now.mono <= until);
        if !is_fresh && part == 0 && record.edit.is_none() && !is_document {
            let written = format!("\n(written {})", record.created.local(&self.zone()));
            text.push(Style::Italic, written);
        }
        if let Some(remark) = record.told_remark(&self.zone()).filter(|_| part == 0) {
            text.push(Style::Italic, remark);
        }
        let shows_buttons = part == last || has_caption;
        Some(Outgoing {
            item: id,
            to: record.to.clone(),
            text,
            buttons: if shows_buttons {
                record.buttons.clone()
            } else {
                Vec::new()
            },
            document: if is_document {
                item.document.clone()
            } else {
                None
            },
            edit: target.map(|(message, _)| message),
            silent: record.silent,
            is_plain: item.is_plain,
            identity: record.twins.first().copied().unwrap_or(id),
            created: record.created,
            checksum,
            alert: record.alert.clone(),
            topic: record.topic.clone(),
        })
    }

    /// Several messages as one. Their buttons would not say to which they belong, so they are left out.
    fn merged(&self, group: &[ItemId]) -> Option<Outgoing> {
        let zone = self.zone();
        let head = self.items.get(group.first()?)?;
        let mut text = Text::new();
        let mut is_silent = true;
        let mut is_plain = false;
        let mut may_be_repeated = false;
        let mut about = head.record.clone();
        about.alert = None;
        for item in group.iter().filter_map(|id| self.items.get(id)) {
            about.topic = about.topic_with(&item.record);
            if !text.is_empty() {
                text.push(Style::Plain, "\n\n");
            }
            let written = format!("{} ", item.record.created.local_time(&zone));
            text.push(Style::Italic, written);
            text.append(item.record.whole());
            if let Some(remark) = item.record.told_remark(&zone) {
                text.push(Style::Italic, remark);
            }
            is_silent &= item.record.silent;
            is_plain |= item.is_plain;
            may_be_repeated |= item.maybe_arrived;
        }
        let checksum = crc32(text.to_plain().as_bytes());
        if may_be_repeated {
            text.push(Style::Italic, "\n(maybe repeated)");
        }
        Some(Outgoing {
            item: *group.first()?,
            to: head.record.to.clone(),
            text,
            buttons: Vec::new(),
            document: None,
            edit: None,
            silent: is_silent,
            is_plain,
            identity: head
                .record
                .twins
                .first()
                .copied()
                .unwrap_or(*group.first()?),
            created: head.record.created,
            checksum,
            alert: None,
            topic: about.topic,
        })
    }

    /// The message that an edit changes, and what stays above it.
    fn target(&self, edit: Option<EditOf>, to: &Place) -> Option<(i64, Option<&Text>)> {
        match edit? {
            EditOf::Message(message) => Some((message, None)),
            EditOf::Item(id) => {
                let sent = self.sent.get(&id)?;
                let is_here = chat_key(&sent.to) == chat_key(to);
                is_here.then_some((sent.message, Some(&sent.before)))
            }
        }
    }

    /// All items of the message that is under way in the chat of this one.
    fn under_way(&self, id: ItemId) -> Vec<ItemId> {
        let Some(head) = self.items.get(&id) else {
            return Vec::new();
        };
        let chat = chat_key(&head.record.to);
        self.items
            .iter()
            .filter(|(_, item)| item.phase == Phase::Sending && chat_key(&item.record.to) == chat)
            .map(|(id, _)| *id)
            .collect()
    }

    fn remember(&mut self, id: ItemId, item: &Item, message: i64, state: &mut Pending) {
        // Alerts, alone or in groups, are edited later, perhaps by an agent that was started anew.
        let is_kept = item.record.lane != Lane::Reply && item.record.edit.is_none();
        let sent = Sent {
            to: item.record.to.clone(),
            message,
            is_kept,
            before: item.record.before.clone(),
        };
        if is_kept {
            state.put("sent", &id.to_string(), &sent);
        }
        self.sent.insert(id, sent);
        while self.sent.len() > MAX_SENT {
            let Some((oldest, sent)) = self.sent.pop_first() else {
                break;
            };
            if sent.is_kept {
                state.delete("sent", &oldest.to_string());
            }
        }
    }

    /// Notes when an outage begins; it ends with the first message that arrives.
    fn watch_outage(&mut self, now: Mono, service: Service<'_>) {
        if self.down_since.is_none() {
            let mut before = None;
            let is_down =
                |item: &Item| matches!(service(&item.record.to), Some((Readiness::Down, _)));
            let mut items = self.items.values();
            let any = items.any(|item| {
                before.replace(&item.record.to) != Some(&item.record.to) && is_down(item)
            });
            self.down_since = any.then_some(now);
        }
    }
}

/// A chat, whatever the topic, without copying anything.
type ChatKey<'a> = (&'static str, &'a str);

fn chat_key(place: &Place) -> ChatKey<'_> {
    (place.transport(), place.chat_path())
}

type Claims<'a> = SmallMap<ChatKey<'a>, ItemId>;

/// The pages of an item; none when its text goes with the file as a caption.
fn text_pages(item: &Item, limits: Limits) -> Vec<Text> {
    let text = &item.record.whole();
    let fits_caption = text.utf16_len() + REMARK_UNITS <= limits.caption_units;
    if item.document.is_some() && fits_caption {
        return Vec::new();
    }
    pages(
        text,
        page_units(item, limits.text_units.saturating_sub(REMARK_UNITS)),
    )
}

/// How long a page of this item may be; it has been halved as often as the service found it too long.
fn page_units(item: &Item, most: usize) -> usize {
    match item.halved {
        0 => most,
        times => (item.record.text.utf16_len() >> times)
            .max(SHORTEST_PAGE_UNITS)
            .min(most),
    }
}

fn parts(item: &Item, limits: Limits) -> usize {
    text_pages(item, limits).len() + usize::from(item.document.is_some())
}

fn codes(item: &Item) -> Vec<String> {
    let buttons = item.record.buttons.iter().flatten();
    buttons.map(|(_, code)| code.clone()).collect()
}
