//! The tries that are out, found by their id. The ids are random, so the lower bits of one serve as its
//! hash; tries with the same ones form a list through the slab.

/// The end of a list.
pub(super) const NONE: u32 = u32::MAX;
/// Ids are 1 to this.
pub(super) const MAX_ID: u16 = 32_767;
/// More lists than ids would be useless.
const MAX_BUCKETS: usize = 1 << 15;

#[derive(Debug)]
pub(super) struct Tries {
    buckets: Vec<u32>,
    slab: Vec<Try>,
    free: u32,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Try {
    id: u16,
    slot: u32,
    /// Next in the bucket, or next free one.
    next: u32,
    /// The try before this one of the same request.
    earlier: u32,
}

impl Tries {
    pub(super) fn new() -> Tries {
        Tries {
            buckets: vec![NONE; 64],
            slab: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// Adds a try of the request in `slot` in front of its `earlier` ones; returns the new head of the list.
    pub(super) fn insert(&mut self, id: u16, slot: u32, earlier: u32) -> u32 {
        if self.len >= self.buckets.len() && self.buckets.len() < MAX_BUCKETS {
            self.grow();
        }
        self.len += 1;
        let bucket = self.bucket(id);
        let entry = Try {
            id,
            slot,
            next: self.buckets[bucket],
            earlier,
        };
        let index = if self.free == NONE {
            self.slab.push(entry);
            (self.slab.len() - 1) as u32
        } else {
            let index = self.free;
            self.free = self.slab[index as usize].next;
            self.slab[index as usize] = entry;
            index
        };
        self.buckets[bucket] = index;
        index
    }

    /// The id of a try, and the try before it of the same request.
    pub(super) fn entry(&self, index: u32) -> (u16, u32) {
        let entry = &self.slab[index as usize];
        (entry.id, entry.earlier)
    }

    /// Gives a try to another slot.
    pub(super) fn hand_over(&mut self, index: u32, slot: u32) {
        self.slab[index as usize].slot = slot;
    }

    /// Removes a try.
    pub(super) fn remove(&mut self, index: u32) {
        let entry = self.slab[index as usize];
        self.unlink(index, entry);
        self.slab[index as usize].next = self.free;
        self.free = index;
        self.len -= 1;
    }

    /// The slots of the requests that have a try with this id.
    #[inline(always)]
    pub(super) fn slots(&self, id: u16) -> Slots<'_> {
        Slots {
            slab: &self.slab,
            next: self.buckets[self.bucket(id)],
            id,
        }
    }

    fn bucket(&self, id: u16) -> usize {
        usize::from(id) & (self.buckets.len() - 1)
    }

    fn unlink(&mut self, index: u32, entry: Try) {
        let bucket = self.bucket(entry.id);
        if self.buckets[bucket] == index {
            self.buckets[bucket] = entry.next;
            return;
        }
        let mut before = self.buckets[bucket];
        while before != NONE {
            let next = self.slab[before as usize].next;
            if next == index {
                self.slab[before as usize].next = entry.next;
                return;
            }
            before = next;
        }
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.buckets);
        self.buckets = vec![NONE; old.len() * 2];
        for head in old {
            let mut index = head;
            while index != NONE {
                let next = self.slab[index as usize].next;
                let bucket = self.bucket(self.slab[index as usize].id);
                self.slab[index as usize].next = self.buckets[bucket];
                self.buckets[bucket] = index;
                index = next;
            }
        }
    }
}

/// Iterates over the slots of tries with one id.
pub(super) struct Slots<'a> {
    slab: &'a [Try],
    next: u32,
    id: u16,
}

impl Iterator for Slots<'_> {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        // The end of a list lies beyond the slab.
        while let Some(entry) = self.slab.get(self.next as usize) {
            self.next = entry.next;
            if entry.id == self.id {
                return Some(entry.slot);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_base::rng::Rng;
    use std::collections::BTreeMap;

    fn remove_all(tries: &mut Tries, mut last: u32) {
        while last != NONE {
            let (_, earlier) = tries.entry(last);
            tries.remove(last);
            last = earlier;
        }
    }

    #[test]
    fn every_try_is_found_until_its_request_ends() {
        let mut rng = Rng::new(3);
        let mut tries = Tries::new();
        let mut model: BTreeMap<u32, (u32, Vec<u16>)> = BTreeMap::new();
        for round in 0..20_000u32 {
            let slot = rng.below(2_000) as u32;
            if rng.below(3) == 0 {
                if let Some((last, _)) = model.remove(&slot) {
                    remove_all(&mut tries, last);
                }
            } else {
                let id = 1 + rng.below(u64::from(MAX_ID)) as u16;
                let entry = model.entry(slot).or_insert((NONE, Vec::new()));
                entry.0 = tries.insert(id, slot, entry.0);
                entry.1.push(id);
            }
            if round % 500 == 0 {
                for (slot, (_, ids)) in &model {
                    assert!(ids.iter().all(|&id| tries.slots(id).any(|s| s == *slot)));
                }
                assert_eq!(
                    tries.len,
                    model.values().map(|(_, ids)| ids.len()).sum::<usize>()
                );
            }
        }
        for (last, _) in std::mem::take(&mut model).into_values() {
            remove_all(&mut tries, last);
        }
        assert!((1..=MAX_ID).all(|id| tries.slots(id).next().is_none()));
    }
}
