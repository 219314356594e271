//! The way out when a chat is away for long: warnings and critical alerts that wait for it go by mail as well, under the
//! identity of the message that waits. That message stays where it is, and says that it was told by mail once a mail
//! was accepted; both are written down together. A mail that has not left when the chat has the message is not sent.

use super::item::{Item, Phase, Record};
use super::{ItemId, MAX_ITEMS, Outbox, Place};
use crate::alert::Severity;
use crate::chat::outbox::Lane;
use crate::chat::outbox::turn::Service;
use crate::chat::transport::Readiness;
use crate::effect::earlier;
use crate::small::SmallSet;
use crate::state::Pending;
use crate::time::{Mono, Now, Zone};
use std::time::Duration;

/// A chat that asks for a longer wait counts as away for the messages that have waited for long.
const LONG_HOLD: Duration = Duration::from_secs(60);

/// `[mail] fallback_after` and `fallback_to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) struct Fallback {
    pub(in crate::chat) after: Duration,
    pub(in crate::chat) to: Vec<Place>,
}

/// How a message stands that waits for its chat.
enum Waits {
    /// It leaves before long.
    No,
    /// Nothing can be sent there.
    ChatIsAway,
    /// The chat does not take it, others may do.
    IsHeld,
}

impl Outbox {
    /// Where alerts go when their chat is away.
    pub(in crate::chat) fn set_fallback(&mut self, fallback: Option<Fallback>) {
        self.fallback = fallback.filter(|fallback| !fallback.to.is_empty());
    }

    /// Since when the chat service has been away.
    pub(in crate::chat) fn set_away(&mut self, since: Option<Mono>) {
        self.away_since = since;
    }

    /// Sends by mail what has waited for long enough; says when to look again.
    pub(super) fn fall_back(
        &mut self,
        now: Now,
        service: Service<'_>,
        state: &mut Pending,
    ) -> Option<Mono> {
        let fallback = self.fallback.take()?;
        let twins = self.items.values().flat_map(|item| &item.record.twins);
        let twins: SmallSet<ItemId> = twins.copied().collect();
        let is_long_away = self
            .away_since
            .is_some_and(|since| since + fallback.after <= now.mono)
            || !twins.is_empty()
            || self.items.values().any(|item| item.record.told.is_some());
        let mut wake = None;
        let mut due = Vec::new();
        for (id, item) in &self.items {
            if !may_fall_back(item) || twins.contains(id) {
                continue;
            }
            let age = now.wall.since(item.record.created);
            let mut left = fallback.after.saturating_sub(age);
            match self.waits(now.mono, item, service) {
                Waits::No => continue,
                Waits::ChatIsAway if is_long_away => left = Duration::ZERO,
                Waits::ChatIsAway => {
                    let since = self.away_since.unwrap_or(now.mono);
                    left = left.min((since + fallback.after).since(now.mono));
                }
                Waits::IsHeld => {}
            }
            if left.is_zero() {
                due.push(*id);
            } else {
                wake = earlier(wake, Some(now.mono + left));
            }
        }
        for id in due {
            for to in &fallback.to {
                self.add_twin(id, to, now, state);
            }
        }
        self.fallback = Some(fallback);
        wake
    }

    fn waits(&self, now: Mono, item: &Item, service: Service<'_>) -> Waits {
        let to = &item.record.to;
        match service(to) {
            None => Waits::No,
            Some((Readiness::Down, _)) => Waits::ChatIsAway,
            Some(_) => {
                let is_closed = self.closed.contains_key(&to.chat());
                let opens_at = self.paces.next(now, to, Lane::Critical);
                if is_closed || opens_at > now + LONG_HOLD {
                    Waits::IsHeld
                } else {
                    Waits::No
                }
            }
        }
    }

    /// Makes the mail that stands for a message, or lets one stand for it too that says the same.
    fn add_twin(&mut self, id: ItemId, to: &Place, now: Now, state: &mut Pending) {
        let Some(record) = self.items.get(&id).map(|item| &item.record) else {
            return;
        };
        let is_told_anyway = |record: &Record| {
            let topic = record.topic.as_ref();
            topic.is_some_and(|topic| topic.mailed.iter().any(|mailed| mailed == to.path()))
        };
        if is_told_anyway(record) || self.items.len() >= MAX_ITEMS {
            return;
        }
        let to = to.clone();
        let is_same = |other: &Record| {
            !other.twins.is_empty()
                && other.to == to
                && other.created == record.created
                && other.text == record.text
        };
        let same = self.items.iter().find(|(_, item)| is_same(&item.record));
        if let Some(twin) = same.map(|(id, _)| *id) {
            if let Some(item) = self.items.get_mut(&twin) {
                item.record.twins.push(id);
                state.put_durable("outbox", &twin.to_string(), &item.record);
            }
            return;
        }
        let record = Record {
            to,
            buttons: Vec::new(),
            sending: false,
            first_message: None,
            has_document: false,
            twins: vec![id],
            ..record.clone()
        };
        log::info!(
            "chat: an alert waits for too long, it goes to {} as well",
            record.to
        );
        self.next += 1;
        let twin = self.next;
        state.put_durable("outbox", &twin.to_string(), &record);
        let mut item = Item::restored(record, now.mono);
        item.phase = Phase::Journaling {
            seq: state.seq(),
            since: now.mono,
        };
        self.items.insert(twin, item);
    }

    /// A mail was accepted: the messages that it stands for say so.
    pub(super) fn note_told(&mut self, twins: &[ItemId], now: Now, state: &mut Pending) {
        for id in twins {
            if let Some(item) = self.items.get_mut(id) {
                item.record.told = item.record.told.or(Some(now.wall));
                state.put_durable("outbox", &id.to_string(), &item.record);
            }
        }
    }

    /// Mails whose messages have arrived where they belong need not be sent.
    pub(super) fn drop_needless(&mut self, state: &mut Pending) {
        let is_needless = |item: &Item| {
            let twins = &item.record.twins;
            item.phase != Phase::Sending
                && !twins.is_empty()
                && twins.iter().all(|twin| !self.items.contains_key(twin))
        };
        let needless: Vec<ItemId> = self
            .items
            .iter()
            .filter(|(_, item)| is_needless(item))
            .map(|(id, _)| *id)
            .collect();
        for id in needless {
            self.forget(id, state);
        }
    }
}

impl Record {
    /// What a message says that was told by mail already.
    pub(super) fn told_remark(&self, zone: &Zone) -> Option<String> {
        let (told, created) = (self.told?.local(zone), self.created.local(zone));
        let is_same_day = told[..10] == created[..10];
        // Up to the minutes, of `2026-11-20 20:15:02`.
        let told = if is_same_day {
            &told[11..16]
        } else {
            &told[..16]
        };
        Some(format!("\n(already told by mail at {told})"))
    }
}

/// Alerts that people have to hear of; not edits, and not what is half delivered or told already.
fn may_fall_back(item: &Item) -> bool {
    let record = &item.record;
    let topic = record.topic.as_ref();
    topic.is_some_and(|topic| topic.severity >= Severity::Warning)
        && record.edit.is_none()
        && record.told.is_none()
        && record.parts_done == 0
        && item.phase != Phase::Sending
        && !record.to.service().is_fallback
}
