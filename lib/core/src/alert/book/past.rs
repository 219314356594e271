//! Alerts that are over: when each fired and ended, for charts. A bounded list on disk, the oldest gives way.

use crate::state::{Pending, Records};
use crate::time::Wall;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// So many are kept.
const MOST: u64 = 200;
/// The namespace of the records; the key is a place of the list.
const RECORDS: &str = "alert_past";

/// An alert that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastAlert {
    /// Full name such as `power.limit:alpha`.
    pub name: String,
    /// When it fired.
    pub from: Wall,
    /// When it ended.
    pub until: Wall,
    /// Counts up.
    number: u64,
}

/// The list, oldest first.
#[derive(Debug, Default)]
pub(super) struct PastAlerts {
    list: VecDeque<PastAlert>,
}

impl PastAlerts {
    pub(super) fn restore(&mut self, records: &Records) {
        let mut list: Vec<PastAlert> = Vec::new();
        list.extend(records.all(RECORDS).into_iter().map(|(_, past)| past));
        crate::small::sort_by_key(&mut list, |past: &PastAlert| past.number);
        self.list = list.into();
    }

    pub(super) fn note(&mut self, name: &str, from: Wall, until: Wall, state: &mut Pending) {
        let number = self.list.back().map_or(0, |last| last.number + 1);
        let past = PastAlert {
            name: name.to_owned(),
            from,
            until,
            number,
        };
        state.put(RECORDS, &(number % MOST).to_string(), &past);
        self.list.push_back(past);
        if self.list.len() as u64 > MOST {
            self.list.pop_front();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &PastAlert> {
        self.list.iter()
    }

    /// The wall clock has been set.
    pub(super) fn correct_times(&mut self, by_ms: i64) {
        for past in &mut self.list {
            past.from.correct(by_ms);
            past.until.correct(by_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_survive_a_restart_in_their_order() {
        let mut past = PastAlerts::default();
        let mut records = Records::default();
        let mut state = Pending::new(0);
        for number in 0..MOST as i64 + 5 {
            let name = format!("power.limit:{number}");
            past.note(&name, Wall(number), Wall(number + 1), &mut state);
            if let Some(turn) = state.take() {
                records.apply(&turn);
            }
        }
        let mut restored = PastAlerts::default();
        restored.restore(&records);
        assert!(restored.iter().eq(past.iter()));
        assert_eq!(restored.list.len() as u64, MOST);
        assert_eq!(restored.list.back().map(|last| last.from), Some(Wall(204)));
    }
}
