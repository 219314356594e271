//! Tries of ended requests whose answer has not come. It may still come, so their ids stay taken toward their
//! address for a while: with ids drawn anew it could otherwise answer the next question once in 32,767 times,
//! which for a slow card is once a day.

use super::tries::Tries;
use crate::SnmpTarget;
use std::net::SocketAddr;

/// How many are remembered. With thousands of dead devices that is seconds, with a few it is hours.
const CAPACITY: usize = 1024;
/// Their slots stand above those of requests.
const FIRST_SLOT: u32 = super::MAX_REQUESTS as u32;

/// A ring of the most recent ones.
#[derive(Debug, Default)]
pub(super) struct Late {
    ring: Vec<LateTry>,
    next: usize,
}

#[derive(Debug)]
struct LateTry {
    addr: SocketAddr,
    any_source: bool,
    index: u32,
}

impl Late {
    /// Keeps a try that was sent to `target`, and lets the oldest one go.
    pub(super) fn keep(&mut self, tries: &mut Tries, index: u32, target: &SnmpTarget) {
        let entry = LateTry {
            addr: target.addr,
            any_source: target.any_source,
            index,
        };
        tries.hand_over(index, FIRST_SLOT + self.next as u32);
        if self.ring.len() < CAPACITY {
            self.ring.push(entry);
        } else {
            let oldest = std::mem::replace(&mut self.ring[self.next], entry);
            tries.remove(oldest.index);
        }
        self.next = (self.next + 1) % CAPACITY;
    }

    /// True when the try in this slot is a late one and its answer could be taken for one of `target`'s.
    pub(super) fn concerns(&self, slot: u32, target: &SnmpTarget) -> bool {
        let position = slot.checked_sub(FIRST_SLOT);
        position
            .and_then(|position| self.ring.get(position as usize))
            .is_some_and(|late| late.addr == target.addr || (late.any_source && target.any_source))
    }
}
