//! One rule with hysteresis and durations: a value and a time in, a transition with its reason out.

use super::AlertState;
use crate::time::Now;
use std::time::Duration;

/// When it fires and when it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Fires above this value …
    pub on: f64,
    /// … and ends at or below this one.
    pub off: f64,
    /// It must be above `on` for so long before it fires.
    pub for_: Duration,
    /// It must be at or below `off` for so long before it ends.
    pub clear_for: Duration,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// A value.
    Value(f64),
    /// At least this much (a sum with a missing member): may fire, never ends anything.
    LowerBound(f64),
    /// Nothing was measured.
    NoData,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RuleState {
    /// Its state.
    pub state: AlertState,
}

/// A change of state and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// From which state.
    pub from: AlertState,
    /// To which state.
    pub to: AlertState,
    /// Why, for the log and `/why`.
    pub reason: &'static str,
}

impl RuleState {
    /// Judges one sample.
    pub fn evaluate(&mut self, _rule: &Rule, _now: Now, _sample: Sample) -> Option<Transition> {
        None
    }
}
