//! Rendered bodies, so that a second look at the same state costs nothing.

use crate::snapshot::Seen;
use crate::time::Mono;
use std::sync::Arc;
use std::time::Duration;

/// A body of at least this size is rendered at most once per `LARGE_LIFE` and dropped after `LARGE_IDLE`:
/// rendering thousands of PDUs takes milliseconds, and keeping them costs megabytes.
const LARGE: usize = 256 * 1024;
const LARGE_LIFE: Duration = Duration::from_secs(2);
const LARGE_IDLE: Duration = Duration::from_secs(5);

/// Bodies by route, and the date line of the current second.
#[derive(Debug, Default)]
pub struct Cache {
    slots: Vec<Option<Slot>>,
    date: (i64, String),
}

#[derive(Clone, Debug)]
struct Slot {
    version: u64,
    second: u64,
    rendered: Mono,
    status: u16,
    body: Arc<[u8]>,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Cache {
        Cache::default()
    }

    /// The body in a slot if it still holds, else a new one from `render`. Ages in it are exact to a second.
    pub(super) fn body(
        &mut self,
        slot: usize,
        seen: &Seen<'_>,
        render: impl FnOnce(&Seen<'_>) -> (u16, String),
    ) -> (u16, Arc<[u8]>) {
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, None);
        }
        let second = seen.now.mono.since_start().as_secs();
        let place = &mut self.slots[slot];
        let held = place.as_ref().filter(|slot| {
            let is_same = slot.version == seen.snapshot.version && slot.second == second;
            let is_recent = seen.now.mono.since(slot.rendered) < LARGE_LIFE;
            is_same || slot.body.len() >= LARGE && is_recent
        });
        if let Some(slot) = held {
            return (slot.status, Arc::clone(&slot.body));
        }
        let (status, body) = render(seen);
        let body: Arc<[u8]> = body.into_bytes().into();
        *place = Some(Slot {
            version: seen.snapshot.version,
            second,
            rendered: seen.now.mono,
            status,
            body: Arc::clone(&body),
        });
        (status, body)
    }

    /// The `Date` field for this moment.
    pub fn date(&mut self, seen: &Seen<'_>) -> &str {
        let second = seen.now.wall.unix_seconds();
        if self.date.0 != second || self.date.1.is_empty() {
            self.date = (second, seen.now.wall.http_date());
        }
        &self.date.1
    }

    /// When a large body is to be dropped.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let large = |slot: &&Slot| slot.body.len() >= LARGE;
        let slots = self.slots.iter().flatten().filter(large);
        slots.map(|slot| slot.rendered + LARGE_IDLE).min()
    }

    /// Drops large bodies whose time has come.
    pub fn handle_timeout(&mut self, now: Mono) {
        for place in &mut self.slots {
            let is_over = |slot: &mut Slot| {
                slot.body.len() >= LARGE && now.since(slot.rendered) >= LARGE_IDLE
            };
            place.take_if(is_over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sample::{self, Sample};

    fn rendered(cache: &mut Cache, seen: &Seen<'_>, len: usize) -> bool {
        let mut was_rendered = false;
        cache.body(3, seen, |_| {
            was_rendered = true;
            (200, "x".repeat(len))
        });
        was_rendered
    }

    #[test]
    fn a_body_holds_for_its_version_and_second() {
        let mut snapshot = sample::snapshot(Sample::Normal);
        let now = snapshot.now;
        let mut cache = Cache::new();
        assert!(rendered(&mut cache, &Seen::new(&snapshot, now), 9));
        assert!(!rendered(&mut cache, &Seen::new(&snapshot, now), 9));
        snapshot.version += 1;
        assert!(rendered(&mut cache, &Seen::new(&snapshot, now), 9));
        let mut later = now;
        later.mono += Duration::from_secs(1);
        assert!(rendered(&mut cache, &Seen::new(&snapshot, later), 9));
        assert_eq!(cache.poll_timeout(), None);
    }

    #[test]
    fn a_large_body_is_rendered_seldom_and_not_kept_for_long() {
        let mut snapshot = sample::snapshot(Sample::Normal);
        let mut now = snapshot.now;
        let mut cache = Cache::new();
        assert!(rendered(&mut cache, &Seen::new(&snapshot, now), LARGE));
        snapshot.version += 1;
        now.mono += Duration::from_secs(1);
        assert!(!rendered(&mut cache, &Seen::new(&snapshot, now), LARGE));
        now.mono += Duration::from_secs(1);
        assert!(rendered(&mut cache, &Seen::new(&snapshot, now), LARGE));
        let due = cache.poll_timeout().expect("a large body is held");
        cache.handle_timeout(due);
        assert_eq!(cache.poll_timeout(), None);
    }
}
