//! Which updates have been taken. Their numbers count up, but may skip any distance, come twice or out of order, and
//! after a quiet week they begin anew anywhere.

use serde::{Deserialize, Serialize};

/// Numbers that lie further than this before the first one are new ones; nearer ones were seen.
const RENUMBERED: i64 = 100_000;
/// Telegram: after a week without updates the next number is a random one. A little less, for clocks that differ.
const QUIET_SECONDS: i64 = 6 * 86_400 + 43_200;
/// Ranges of skipped numbers that are remembered; the oldest go first.
const MAX_SKIPPED: usize = 16;

/// The numbers of one bot, as they are on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers {
    /// The bot.
    pub(super) bot: i64,
    /// The number to ask for; zero before the first update.
    pub(super) next: i64,
    /// The first one since they began anew.
    #[serde(default)]
    first: i64,
    /// When the last update was taken, in seconds since the epoch.
    #[serde(default)]
    at: i64,
    /// Ranges below `next` that never came, both ends included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<(i64, i64)>,
}

impl Numbers {
    /// Takes a number; false when it was taken before.
    pub(super) fn take(&mut self, id: i64, today: i64) -> bool {
        let quiet = today.saturating_sub(self.at) > QUIET_SECONDS && self.at > 0;
        if self.first == 0 {
            self.first = if self.next > 0 { self.next } else { id };
        }
        let is_new = if id >= self.next {
            if self.next > 0 && id > self.next {
                self.skipped.push((self.next, id - 1));
            }
            self.next = id.saturating_add(1);
            true
        } else if self.take_skipped(id) {
            true
        } else if quiet || self.first.saturating_sub(id) > RENUMBERED {
            self.skipped.clear();
            self.first = id;
            self.next = id + 1;
            true
        } else {
            false
        };
        if self.skipped.len() > MAX_SKIPPED {
            self.skipped.remove(0);
        }
        if is_new {
            self.at = today;
        }
        is_new
    }

    /// A number that was skipped comes after all; what is left of its range stays skipped.
    fn take_skipped(&mut self, id: i64) -> bool {
        let holds = |(from, to): &(i64, i64)| (*from..=*to).contains(&id);
        let Some(at) = self.skipped.iter().position(holds) else {
            return false;
        };
        let (from, to) = self.skipped.remove(at);
        let rest = [(from, id - 1), (id + 1, to)];
        self.skipped
            .extend(rest.into_iter().filter(|(from, to)| from <= to));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i64 = 1_795_204_800;

    #[test]
    fn row_17_each_number_counts_once_however_the_numbers_jump() {
        for (rule, ids, want) in [
            ("in_order", &[7, 8, 9][..], &[7, 8, 9][..]),
            ("twice", &[7, 7, 8, 7, 8], &[7, 8]),
            ("out_of_order", &[7, 10, 9, 8, 9, 10], &[7, 10, 9, 8]),
            (
                "a_million_further",
                &[7, 1_000_007, 8, 1_000_007, 8, 1_000_008],
                &[7, 1_000_007, 8, 1_000_008],
            ),
            (
                "numbered_anew_further_down",
                &[2_000_000, 500, 501, 500],
                &[2_000_000, 500, 501],
            ),
            ("before_the_first", &[7, 6], &[7]),
        ] {
            let mut numbers = Numbers::default();
            let taken: Vec<i64> = ids
                .iter()
                .copied()
                .filter(|id| numbers.take(*id, TODAY))
                .collect();
            assert_eq!(taken, want, "{rule}");
        }
    }

    #[test]
    fn after_a_quiet_week_any_number_is_new() {
        let mut numbers = Numbers::default();
        assert!(numbers.take(50_000, TODAY));
        assert!(!numbers.take(49_000, TODAY + 86_400), "a day is no week");
        assert!(numbers.take(49_000, TODAY + 7 * 86_400));
        assert_eq!(numbers.next, 49_001);
        assert!(!numbers.take(49_000, TODAY + 7 * 86_400 + 1));
    }

    #[test]
    fn what_is_kept_of_gaps_is_bounded() {
        let mut numbers = Numbers::default();
        for id in (10..10_000).step_by(7) {
            assert!(numbers.take(id, TODAY));
        }
        assert_eq!(numbers.skipped.len(), MAX_SKIPPED);
        let text = serde_json::to_string(&numbers).expect("text");
        assert_eq!(
            serde_json::from_str::<Numbers>(&text).expect("numbers"),
            numbers
        );
        let old =
            serde_json::from_str::<Numbers>(r#"{"bot":1,"next":5}"#).expect("an older record");
        assert_eq!(old.next, 5);
    }
}
