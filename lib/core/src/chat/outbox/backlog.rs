//! What happens when too much waits. Messages about the same alert to the same place become one that tells the
//! first, the last and how many; then whole messages of the same lane and place are joined. Only when that is not
//! enough the oldest answers are dropped, then digests, results, warnings and critical alerts, in this order.

use super::item::{Item, Joined, Phase};
use super::{ItemId, Lane, MAX_ITEMS, Outbox, Place};
use crate::small::SmallMap;
use crate::state::Pending;
use crate::text::{Style, Text};
use crate::time::Now;
use std::time::Duration;

/// What has waited for so long is told together.
const LONG_WAIT: Duration = Duration::from_secs(300);
/// Making room ends when so few wait.
const ENOUGH_ROOM: usize = MAX_ITEMS * 9 / 10;
/// Length up to which whole messages are joined, in UTF-16 units.
const PACKED_UNITS: usize = 3500;
/// Lanes in the order in which they give way; critical alerts last.
const GIVE_WAY: [Lane; 5] = [
    Lane::Reply,
    Lane::Digest,
    Lane::Job,
    Lane::Warning,
    Lane::Critical,
];

impl Outbox {
    /// What has waited for long is told together; true when that changed something.
    pub(super) fn collapse_old(&mut self, now: Now, state: &mut Pending) -> bool {
        let oldest = self.items.values().next();
        oldest.is_some_and(|item| now.wall.since(item.record.created) >= LONG_WAIT)
            && self.collapse(now, state)
    }

    /// Makes every alert's waiting messages to one place one message; true when there were several.
    fn collapse(&mut self, now: Now, state: &mut Pending) -> bool {
        let before = self.items.len();
        let mut groups: SmallMap<(Place, String), Vec<ItemId>> = SmallMap::new();
        for (id, item) in &self.items {
            if let (Some(alert), true) = (&item.record.alert, item.is_simple()) {
                let key = (item.record.to.clone(), alert.clone());
                groups.entry(key).or_default().push(*id);
            }
        }
        for ids in groups.into_values().filter(|ids| ids.len() > 1) {
            self.join(&ids, now, state);
        }
        self.items.len() < before
    }

    /// Makes room for more items.
    pub(super) fn make_room(&mut self, now: Now, state: &mut Pending) {
        let before = self.items.len();
        self.collapse(now, state);
        if self.items.len() >= ENOUGH_ROOM {
            self.pack(now, state);
        }
        let merged = self.items.len();
        if merged >= MAX_ITEMS {
            self.drop_oldest(state);
        }
        log::warn!(
            "chat: {before} messages waited, more than there is room for: {} were merged into others, {} were dropped",
            before - merged,
            merged - self.items.len()
        );
    }

    /// Joins whole messages of the same lane and place into fewer, longer ones.
    fn pack(&mut self, now: Now, state: &mut Pending) {
        let mut runs: SmallMap<(Place, Lane), Vec<ItemId>> = SmallMap::new();
        for (id, item) in &self.items {
            let lane = item.record.lane;
            if item.is_simple() && !matches!(lane, Lane::Critical | Lane::Reply) {
                let key = (item.record.to.clone(), lane);
                runs.entry(key).or_default().push(*id);
            }
        }
        for ids in runs.into_values() {
            let mut open: Option<ItemId> = None;
            for id in ids {
                open = match open {
                    Some(into) if self.absorb(into, id, now, state) => Some(into),
                    _ => Some(id),
                };
            }
        }
    }

    /// Adds what `id` says to `into`, unless that would be too long for one message.
    fn absorb(&mut self, into: ItemId, id: ItemId, now: Now, state: &mut Pending) -> bool {
        let zone = self.zone();
        let (Some(target), Some(item)) = (self.items.get(&into), self.items.get(&id)) else {
            return false;
        };
        let units = |item: &Item| item.record.whole().utf16_len();
        if units(target) + units(item) > PACKED_UNITS {
            return false;
        }
        let topic = target.record.topic_with(&item.record);
        let Some(mut item) = self.forget(id, state) else {
            return false;
        };
        let Some(target) = self.items.get_mut(&into) else {
            return false;
        };
        for record in [&mut target.record, &mut item.record] {
            if let Some(remark) = record.told_remark(&zone) {
                record.text.push(Style::Italic, remark);
                record.told = None;
            }
        }
        target.record.twins.append(&mut item.record.twins);
        let written = format!("\n\n{} ", item.record.created.local(&zone));
        let own = std::mem::take(&mut target.record.text);
        let before = &mut target.record.before;
        before.append(own);
        before.push(Style::Italic, written);
        before.append(item.record.whole());
        target.record.silent &= item.record.silent;
        target.record.topic = topic;
        target.record.alert = None;
        target.record.buttons.clear();
        target.maybe_arrived |= item.maybe_arrived;
        target.record.sending |= item.maybe_arrived;
        target.phase = Phase::Journaling {
            seq: state.seq(),
            since: now.mono,
        };
        state.put_durable("outbox", &into.to_string(), &target.record);
        true
    }

    fn drop_oldest(&mut self, state: &mut Pending) {
        for lane in GIVE_WAY {
            while self.items.len() >= ENOUGH_ROOM {
                let oldest = self
                    .items
                    .iter()
                    .find(|(_, item)| item.record.lane == lane && item.is_simple());
                let Some(id) = oldest.map(|(id, _)| *id) else {
                    break;
                };
                self.forget(id, state);
            }
        }
    }

    pub(super) fn forget(&mut self, id: ItemId, state: &mut Pending) -> Option<Item> {
        state.delete("outbox", &id.to_string());
        state.require_durable();
        self.items.remove(&id)
    }

    /// The last one stays and tells of the others; the most urgent lane of all is its lane.
    fn join(&mut self, ids: &[ItemId], now: Now, state: &mut Pending) {
        let zone = self.zone();
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            return;
        };
        let Some(mut first) = self.items.get(first).cloned() else {
            return;
        };
        let mut joined = first.record.joined.take().unwrap_or_else(|| Joined {
            count: 0,
            created: first.record.created,
            first: first.record.whole(),
        });
        if let Some(remark) = first.record.told_remark(&zone) {
            joined.first.push(Style::Italic, remark);
        }
        let count = |id: &ItemId| Some(self.items.get(id)?.record.joined.as_ref()?.count);
        joined.count = ids.iter().map(|id| count(id).unwrap_or(1)).sum();
        let others = ids[..ids.len() - 1].iter();
        let others = others.filter_map(|id| Some(self.items.get(id)?.record.twins.clone()));
        let twins: Vec<ItemId> = others.flatten().collect();
        let lanes = ids
            .iter()
            .filter_map(|id| Some(self.items.get(id)?.record.lane));
        let lane = lanes.min().unwrap_or(Lane::Warning);
        let is_silent = ids
            .iter()
            .all(|id| self.items.get(id).is_some_and(|item| item.record.silent));
        for id in &ids[..ids.len() - 1] {
            self.forget(*id, state);
        }
        let Some(item) = self.items.get_mut(last) else {
            return;
        };
        // Of what was one of several already, the last is enough.
        let own = match item.record.joined {
            Some(_) => Text::new(),
            None => std::mem::take(&mut item.record.before),
        };
        let mut before = Text::new()
            .italic(format!(
                "{} messages about this waited; the first, of {}:",
                joined.count,
                joined.created.local(&zone)
            ))
            .line();
        before.append(joined.first.clone());
        before = before
            .line()
            .italic(format!(
                "the last, of {}:",
                item.record.created.local(&zone)
            ))
            .line();
        before.append(own);
        item.record.before = before;
        item.record.joined = Some(joined);
        item.record.lane = lane;
        item.record.twins.extend(twins);
        if let (Some(own), Some(others)) = (&mut item.record.topic, first.record.topic) {
            own.severity = own.severity.max(others.severity);
        }
        item.record.silent = is_silent;
        item.maybe_arrived |= first.maybe_arrived;
        item.record.sending |= first.maybe_arrived;
        item.phase = Phase::Journaling {
            seq: state.seq(),
            since: now.mono,
        };
        state.put_durable("outbox", &last.to_string(), &item.record);
    }
}
