//! How fast messages leave: one chat after its gap, a group only so often in a minute, everything together
//! with a smallest gap; and a chat that asked to wait is left alone, the others not.

use super::{Lane, Place};
use crate::chat::transport::Pace;
use crate::small::SmallMap;
use crate::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// The times of all chats.
#[derive(Debug, Default)]
pub(super) struct Paces {
    chats: SmallMap<Place, Times>,
    overall: Mono,
}

#[derive(Debug, Default)]
struct Times {
    /// Asked for by the service.
    not_before: Mono,
    /// When all messages so far have had their gaps.
    paid: Mono,
    /// The same without the last one.
    ahead: Mono,
    /// When the messages of the last minute left, oldest first.
    recent: VecDeque<Mono>,
    per_minute: Option<usize>,
}

const MINUTE: Duration = Duration::from_secs(60);
/// Of a group's messages in a minute, so many are kept free for critical alerts.
const RESERVED: usize = 5;
/// Chats whose times are remembered; those that are free anyway are forgotten beyond it.
const MAX_CHATS: usize = 500;

impl Paces {
    /// When a message of this lane may leave; now or earlier means at once.
    pub(super) fn next(&self, now: Mono, to: &Place, lane: Lane) -> Mono {
        let Some(times) = self.chats.get(&to.chat()) else {
            return self.overall;
        };
        // A critical alert may leave right behind another message; whatever follows waits for both gaps.
        let paid = match lane {
            Lane::Critical => times.ahead,
            _ => times.paid,
        };
        let mut next = self.overall.max(times.not_before).max(paid);
        if let Some(limit) = times.per_minute {
            let usable = match lane {
                Lane::Critical => limit,
                _ => limit.saturating_sub(RESERVED).max(1),
            };
            let fresh = times.recent.iter().filter(|at| **at + MINUTE > now);
            let excess = (fresh.clone().count() + 1).saturating_sub(usable);
            if let Some(frees) = excess.checked_sub(1).and_then(|nth| fresh.clone().nth(nth)) {
                next = next.max(*frees + MINUTE);
            }
        }
        next
    }

    /// A message leaves now.
    pub(super) fn note_sent(&mut self, now: Mono, to: &Place, pace: Pace) {
        self.trim(now);
        self.overall = now + pace.overall_gap;
        let key = to.chat();
        let is_group = key.is_group();
        let times = self.chats.entry(key).or_default();
        // One message may be ahead of its gap, but no second one.
        times.ahead = times.paid;
        times.paid = times.paid.max(now) + pace.chat_gap;
        if is_group {
            times.per_minute = Some(pace.group_per_minute);
            times.recent.push_back(now);
            while times.recent.len() > pace.group_per_minute {
                times.recent.pop_front();
            }
        }
    }

    /// The service has answered: the gap counts from here, so that a slow line does not press it together.
    pub(super) fn note_answered(&mut self, now: Mono, to: &Place, pace: Pace) {
        if let Some(times) = self.chats.get_mut(&to.chat()) {
            times.paid = times.paid.max(now + pace.chat_gap);
        }
    }

    /// Nothing to this chat before `until`.
    pub(super) fn hold(&mut self, to: &Place, until: Mono) {
        let times = self.chats.entry(to.chat()).or_default();
        times.not_before = times.not_before.max(until);
    }

    /// The chat may be written to again.
    pub(super) fn release(&mut self, to: &Place) {
        if let Some(times) = self.chats.get_mut(&to.chat()) {
            times.not_before = Mono::ZERO;
        }
    }

    fn trim(&mut self, now: Mono) {
        if self.chats.len() > MAX_CHATS {
            self.chats.retain(|_, times| {
                times.not_before > now
                    || times.paid > now
                    || times.recent.back().is_some_and(|at| *at + MINUTE > now)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::telegram;

    const PACE: Pace = Pace {
        chat_gap: Duration::from_secs(1),
        group_per_minute: 20,
        overall_gap: Duration::from_millis(34),
    };

    fn chat(chat: i64) -> Place {
        telegram::place(chat, None)
    }

    /// Sends as fast as allowed; the number of messages that left in each of the first minutes.
    fn run(to: &Place, lane: Lane, minutes: u64) -> Vec<usize> {
        let mut paces = Paces::default();
        let mut counts = vec![0; minutes as usize];
        let mut now = Mono::ZERO;
        let mut times = Vec::new();
        while now < Mono::new(MINUTE * minutes as u32) {
            let next = paces.next(now, to, lane);
            if next <= now {
                counts[(now.since_start().as_secs() / 60) as usize] += 1;
                paces.note_sent(now, to, PACE);
                times.push(now);
            } else {
                now = next;
            }
        }
        // One ahead at most, and so many in as many seconds.
        for (count, group) in times
            .windows(2)
            .map(|pair| (1, pair))
            .chain(times.windows(3).map(|three| (2, three)))
        {
            let ahead = u32::from(lane == Lane::Critical);
            let span = group[count].since(group[0]);
            assert!(
                span >= PACE.chat_gap * (count as u32 - ahead.min(count as u32)),
                "{span:?}"
            );
        }
        for start in &times {
            let within = times
                .iter()
                .filter(|at| *at >= start && at.since(*start) < MINUTE);
            assert!(within.count() <= 61);
        }
        counts
    }

    #[test]
    fn a_private_chat_gets_one_each_second_and_a_group_its_share() {
        assert_eq!(run(&chat(5), Lane::Reply, 2), [60, 60]);
        assert_eq!(run(&chat(5), Lane::Critical, 2), [61, 60]);
        assert_eq!(run(&chat(-5), Lane::Critical, 3), [20, 20, 20]);
        assert_eq!(run(&chat(-5), Lane::Warning, 3), [15, 15, 15]);
    }

    #[test]
    fn a_chat_that_asked_to_wait_does_not_hold_the_others() {
        let mut paces = Paces::default();
        let later = Mono::new(Duration::from_secs(3600));
        paces.hold(&chat(-5), later);
        let topic = telegram::place(-5, Some(7));
        assert_eq!(paces.next(Mono::ZERO, &topic, Lane::Critical), later);
        assert_eq!(paces.next(Mono::ZERO, &chat(6), Lane::Reply), Mono::ZERO);
        paces.release(&topic);
        assert_eq!(paces.next(Mono::ZERO, &topic, Lane::Critical), Mono::ZERO);
    }
}
