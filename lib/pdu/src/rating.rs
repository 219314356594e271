//! What a device's inlet, phases and breakers are made for, and which of them is nearest to that.

use super::{Electric, Reading};
use std::fmt;

/// Amperes that an inlet or a breaker can be rated for: the smallest fuse of a DC panel, and a floor-standing PDU.
const RATINGS_A: std::ops::RangeInclusive<f64> = 0.5..=2000.0;
/// Watts that a device can be rated for.
const RATINGS_W: std::ops::RangeInclusive<f64> = 50.0..=1e6;
/// Nothing carries so many times what it is rated for: its breaker would have tripped, so the rating is wrong.
const IMPOSSIBLE: f32 = 1.5;

/// Something that carries a current and is rated for one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rated {
    /// What it is.
    pub part: RatedPart,
    /// Amperes that it is rated for.
    pub rating_a: f32,
    /// Amperes that it carries.
    pub current_a: f32,
}

/// What is rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatedPart {
    /// The single inlet.
    Inlet,
    /// A phase, by its number.
    Phase(u16),
    /// A bank or breaker, by its number.
    Bank(u16),
}

impl Rated {
    fn new(part: RatedPart, rating_a: Option<f32>, current_a: Option<f64>) -> Option<Rated> {
        let (rating_a, current_a) = (rating_a?, current_a? as f32);
        let is_possible = current_a >= 0.0 && current_a <= rating_a * IMPOSSIBLE;
        is_possible.then_some(Rated {
            part,
            rating_a,
            current_a,
        })
    }

    /// Amperes that are left, negative above the rating.
    pub fn left_a(&self) -> f64 {
        f64::from(((self.rating_a - self.current_a) * 1000.0).round()) / 1000.0
    }

    /// The share of the rating that is used.
    pub fn used(&self) -> f64 {
        f64::from(self.current_a / self.rating_a)
    }

    /// True when more of it is used than of the limit, or there is no limit.
    pub fn is_nearer_than(&self, power_w: f64, limit_w: Option<f64>) -> bool {
        limit_w.is_none_or(|limit_w| self.used() > power_w / limit_w)
    }
}

/// "breaker 16 A: 3.1 A left on phase 2".
impl fmt::Display for Rated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.left_a() * 10.0).round() / 10.0;
        let side = if tenths < 0.0 { "above" } else { "left" };
        let (rating, left) = (self.rating_a, tenths.abs());
        write!(f, "breaker {rating} A: {left} A {side}")?;
        match self.part {
            RatedPart::Inlet => Ok(()),
            RatedPart::Phase(index) => write!(f, " on phase {index}"),
            RatedPart::Bank(index) => write!(f, " on bank {index}"),
        }
    }
}

impl RatedPart {
    /// As `/api/power` names it.
    pub const fn name(self) -> &'static str {
        match self {
            RatedPart::Inlet => "inlet",
            RatedPart::Phase(_) => "phase",
            RatedPart::Bank(_) => "bank",
        }
    }

    /// Its number; the inlet has none.
    pub const fn index(self) -> Option<u16> {
        match self {
            RatedPart::Inlet => None,
            RatedPart::Phase(index) | RatedPart::Bank(index) => Some(index),
        }
    }
}

impl Reading {
    /// The inlet, phase or breaker that is nearest to what it is rated for; `None` where the device tells no rating.
    pub fn nearest_rated(&self) -> Option<Rated> {
        let amperes = |of: &Electric| of.current_a;
        let inlet = Rated::new(RatedPart::Inlet, self.rating_a, self.current_a);
        let phases = self.phases.iter().map(|phase| {
            let part = RatedPart::Phase(phase.index);
            Rated::new(part, phase.rating_a, amperes(&phase.electric))
        });
        let banks = self.banks.iter().map(|bank| {
            let part = RatedPart::Bank(bank.index);
            Rated::new(part, bank.rating_a, amperes(&bank.electric))
        });
        // The first of several that are equally near: the one phase of an inlet is the inlet.
        std::iter::once(inlet)
            .chain(phases)
            .chain(banks)
            .flatten()
            .reduce(|nearest, next| {
                if next.used() > nearest.used() {
                    next
                } else {
                    nearest
                }
            })
    }
}

/// Amperes, when something can be rated for them.
pub(super) fn rating_a(told: f64) -> Option<f32> {
    RATINGS_A.contains(&told).then_some(told as f32)
}

/// Watts, when a device can be rated for them.
pub(super) fn rating_w(told: f64) -> Option<f32> {
    RATINGS_W.contains(&told).then_some(told as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BankReading, PhaseReading};

    fn reading(phases: &[(f32, f64)], banks: &[(f32, f64)]) -> Reading {
        let electric = |current_a: f64| Electric {
            current_a: Some(current_a),
            ..Electric::default()
        };
        let rows = |rows: &[(f32, f64)]| (1u16..).zip(rows.to_vec()).collect::<Vec<_>>();
        Reading {
            phases: rows(phases)
                .into_iter()
                .map(|(index, (rating_a, current_a))| PhaseReading {
                    index,
                    rating_a: Some(rating_a),
                    electric: electric(current_a),
                })
                .collect(),
            banks: rows(banks)
                .into_iter()
                .map(|(index, (rating_a, current_a))| BankReading {
                    index,
                    rating_a: Some(rating_a),
                    electric: electric(current_a),
                    ..BankReading::default()
                })
                .collect(),
            ..Reading::default()
        }
    }

    #[test]
    fn the_one_that_uses_most_of_its_rating_is_told() {
        for (name, reading, want) in [
            (
                "a phase",
                reading(&[(16.0, 4.0), (16.0, 12.9)], &[]),
                "breaker 16 A: 3.1 A left on phase 2",
            ),
            (
                "a breaker behind a larger inlet",
                reading(&[(32.0, 20.0)], &[(16.0, 3.0), (16.0, 15.5)]),
                "breaker 16 A: 0.5 A left on bank 2",
            ),
            (
                "above it",
                reading(&[(10.0, 10.44)], &[]),
                "breaker 10 A: 0.4 A above on phase 1",
            ),
            (
                "the rating that cannot be is none",
                reading(&[(1.6, 12.9), (16.0, 2.0)], &[]),
                "breaker 16 A: 14 A left on phase 2",
            ),
        ] {
            let told = reading.nearest_rated().map(|rated| rated.to_string());
            assert_eq!(told.as_deref(), Some(want), "{name}");
        }
        assert_eq!(reading(&[], &[]).nearest_rated(), None);
        assert_eq!(reading(&[(16.0, f64::NAN)], &[]).nearest_rated(), None);
    }

    #[test]
    fn what_nothing_can_be_rated_for_is_no_rating() {
        for told in [0.0, -1.0, -0.01, 4e6, f64::NAN] {
            assert_eq!((rating_a(told), rating_w(told)), (None, None), "{told}");
        }
        assert_eq!(
            (rating_a(16.0), rating_w(3680.0)),
            (Some(16.0), Some(3680.0))
        );
    }

    #[test]
    fn a_breaker_is_nearer_than_a_limit_of_which_less_is_used() {
        let reading = reading(&[(16.0, 12.8)], &[]);
        let rated = reading.nearest_rated().expect("it is rated");
        assert!(rated.is_nearer_than(2900.0, Some(6000.0)));
        assert!(!rated.is_nearer_than(2900.0, Some(3000.0)));
        assert!(rated.is_nearer_than(2900.0, None));
    }
}
