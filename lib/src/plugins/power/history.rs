//! Power of the last minutes, for sparklines: one value each five seconds.

use super::Power;
use crate::snapshot::{Series, SeriesKey};
use crate::time::Mono;
use std::sync::Arc;
use std::time::Duration;

/// From one value to the next.
const STEP: Duration = Duration::from_secs(5);
/// Values of one series: ten minutes.
const VALUES: usize = 120;

/// The rings of all series.
#[derive(Debug, Default)]
pub(super) struct History {
    keys: Vec<SeriesKey>,
    /// One ring for each key; NaN where there was no reading.
    rings: Vec<[f32; VALUES]>,
    filled: usize,
    at: usize,
    next: Option<Mono>,
    /// Counts up with every step.
    pub(super) revision: u64,
}

impl History {
    /// Starts with these numbers of teams and PDUs; at most `max_series` PDUs are kept.
    pub(super) fn reset(&mut self, teams: usize, pdus: usize, max_series: u32) {
        let kept = pdus.min(max_series as usize) as u32;
        let keys: Vec<SeriesKey> = std::iter::once(SeriesKey::Site)
            .chain((0..teams as u32).map(SeriesKey::Team))
            .chain((0..kept).map(SeriesKey::Pdu))
            .collect();
        if keys != self.keys {
            self.rings = vec![[f32::NAN; VALUES]; keys.len()];
            self.keys = keys;
            self.filled = 0;
            self.at = 0;
        }
    }

    /// When the next value is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.next.filter(|_| self.keys.len() > 1)
    }

    /// All series, oldest value first.
    pub(super) fn series(&self) -> Arc<Vec<Series>> {
        let start = (self.at + VALUES - self.filled) % VALUES;
        let series = self.keys.iter().zip(&self.rings).map(|(key, ring)| Series {
            key: *key,
            values: (0..self.filled)
                .map(|offset| ring[(start + offset) % VALUES])
                .collect(),
            step_s: STEP.as_secs() as u32,
        });
        Arc::new(series.collect())
    }

    /// Sets the clock going.
    pub(super) fn start(&mut self, now: Mono) {
        self.next = Some(now + STEP);
    }

    /// Takes a value of each series when one is due.
    pub(super) fn handle_timeout(
        &mut self,
        now: Mono,
        value: impl Fn(SeriesKey) -> Option<f64>,
    ) -> bool {
        let Some(due) = self.next.filter(|due| now >= *due) else {
            return false;
        };
        let late = now.since(due).as_nanos() / STEP.as_nanos();
        self.next = Some(due + STEP * (u32::try_from(late).unwrap_or(u32::MAX).saturating_add(1)));
        for _ in 0..late.min(VALUES as u128) {
            self.push(|_| None);
        }
        // After a gap the last reading is from before it.
        self.push(|key| value(key).filter(|_| late < 2));
        self.revision += 1;
        true
    }

    fn push(&mut self, value: impl Fn(SeriesKey) -> Option<f64>) {
        for (key, ring) in self.keys.iter().zip(&mut self.rings) {
            ring[self.at] = value(*key).map_or(f32::NAN, |value| value as f32);
        }
        self.at = (self.at + 1) % VALUES;
        self.filled = (self.filled + 1).min(VALUES);
    }
}

impl Power {
    pub(super) fn note_history(&mut self, now: Mono) {
        let (devices, teams, site) = (&self.devices, &self.teams, &self.site);
        let has_changed = self.history.handle_timeout(now, |key| match key {
            SeriesKey::Site => site.view.power_w,
            SeriesKey::Team(index) => teams.get(index as usize)?.view.power_w,
            SeriesKey::Pdu(index) => {
                let view = &devices.get(index as usize)?.view;
                view.power_w.filter(|_| is_live(view.state))
            }
        });
        if has_changed {
            self.revision += 1;
        }
    }
}

/// True when the last reading still stands for the present.
pub(super) fn is_live(state: crate::snapshot::PduState) -> bool {
    use crate::snapshot::PduState;
    matches!(state, PduState::Ok | PduState::OverLimit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_last_ten_minutes_in_order() {
        let mut history = History::default();
        history.reset(0, 5, 2);
        history.start(Mono::ZERO);
        for step in 1..=130u64 {
            let now = Mono::new(STEP * step as u32);
            assert!(history.handle_timeout(now, |_| Some(step as f64)));
            assert!(!history.handle_timeout(now, |_| None));
        }
        let series = history.series();
        assert_eq!(series.len(), 3, "the site and two of five PDUs");
        assert_eq!(series[0].values.len(), VALUES);
        assert_eq!(series[0].values.first(), Some(&11.0));
        assert_eq!(series[0].values.last(), Some(&130.0));
    }

    #[test]
    fn row_33_a_sleep_is_a_gap_and_not_a_flat_line() {
        let mut history = History::default();
        history.reset(0, 1, 1);
        history.start(Mono::ZERO);
        history.handle_timeout(Mono::new(STEP), |_| Some(7.0));
        history.handle_timeout(Mono::new(STEP * 40), |_| Some(7.0));
        history.handle_timeout(Mono::new(STEP * 41), |_| Some(8.0));
        let values = &history.series()[0].values;
        assert_eq!((values.len(), values[0], values[40]), (41, 7.0, 8.0));
        assert!(
            values[1..40].iter().all(|value| value.is_nan()),
            "{values:?}"
        );
    }
}
