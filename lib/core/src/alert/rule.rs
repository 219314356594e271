//! One rule with hysteresis and durations: a value and a time in, a transition with its reason out.
//!
//! Who is told about a transition is not decided here (`book`, `notify`).

use super::{AlertEntry, AlertState};
use crate::time::{Mono, Now, Wall};
use std::fmt;
use std::time::Duration;

/// When it fires and when it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Fires above this value …
    pub on: f64,
    /// … and ends at or below this one. A value above `on` counts as `on`.
    pub off: f64,
    /// It must be above `on` for so long before it fires.
    pub for_: Duration,
    /// It must be at or below `off` for so long before it ends.
    pub clear_for: Duration,
}

impl Rule {
    /// A rule without durations: fires above `on` at once, ends at or below `off` at once.
    pub const fn above(on: f64, off: f64) -> Rule {
        Rule {
            on,
            off,
            for_: Duration::ZERO,
            clear_for: Duration::ZERO,
        }
    }

    /// The rule in words, with its values in `unit`: `above 3000 W for 10 s; ends at or below 2910 W`.
    pub fn in_words(&self, unit: &str) -> String {
        let lasting = |span: Duration| match span {
            Duration::ZERO => String::new(),
            span => format!(" for {}", crate::time::Human(span)),
        };
        let (for_, clear_for) = (lasting(self.for_), lasting(self.clear_for));
        let (on, off) = (self.on, self.off.min(self.on));
        if unit.is_empty() && on < 1.0 && off == 0.0 {
            // The value is 1 while something is wrong, else 0.
            return format!("while it is so{for_}; ends when it is not so{clear_for}");
        }
        let quantity = |value: f64| format!("{} {unit}", (value * 100.0).round() / 100.0);
        let (on, off) = (quantity(on), quantity(off));
        let (on, off) = (on.trim_end(), off.trim_end());
        format!("above {on}{for_}; ends at or below {off}{clear_for}")
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// A value. One that is not finite counts as `NoData`.
    Value(f64),
    /// At least this much (a sum with a missing member): may fire, never ends anything.
    LowerBound(f64),
    /// Nothing was measured.
    NoData,
}

/// Where a rule stands. Small, because ten thousand devices have several each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RuleState {
    /// Its state.
    pub state: AlertState,
    /// Fired and not ended, even if there is no data to judge by at present.
    is_open: bool,
    fired_wall: Wall,
    /// `None` for what fired before the agent started.
    fired_mono: Option<Mono>,
    /// Since when it is above `on` (not open) or at or below `off` (open) without a break.
    held_since: Option<Mono>,
    worst: Option<f64>,
}

/// A change of state and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// From which state.
    pub from: AlertState,
    /// To which state.
    pub to: AlertState,
    /// Whether it had fired and not ended before.
    pub was_open: bool,
    /// Why, for the log and `/why`.
    pub reason: &'static str,
}

impl Transition {
    /// True when something begins that people do not know of. Firing again after `unknown` is none.
    pub fn is_firing(&self) -> bool {
        self.to == AlertState::Firing && !self.was_open
    }

    /// True when what had fired is over.
    pub fn is_end(&self) -> bool {
        self.to == AlertState::Ok && self.was_open
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} → {}: {}",
            self.from.name(),
            self.to.name(),
            self.reason
        )
    }
}

impl RuleState {
    /// Goes on where a saved alert stood before the restart: what fired still fires, and is no new firing.
    pub fn resume(saved: &AlertEntry) -> RuleState {
        let Some(fired) = saved.fired else {
            return RuleState::default();
        };
        RuleState {
            state: saved.state,
            is_open: true,
            fired_wall: fired,
            fired_mono: None,
            held_since: None,
            worst: saved
                .worst
                .or(saved.value)
                .filter(|value| value.is_finite()),
        }
    }

    /// True from the firing to the end, also while there is no data in between.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// The wall clock has been set, `by_ms` later than it was.
    pub fn correct_times(&mut self, by_ms: i64) {
        self.fired_wall.correct(by_ms);
    }

    /// When it fired, by the wall clock of that moment.
    pub fn fired_at(&self) -> Option<Wall> {
        self.is_open.then_some(self.fired_wall)
    }

    /// For how long it has been firing. Across a restart this is the difference of two wall clocks.
    pub fn firing_for(&self, now: Now) -> Option<Duration> {
        self.is_open.then(|| match self.fired_mono {
            Some(fired) => now.mono.since(fired),
            None => now.wall.since(self.fired_wall),
        })
    }

    /// The highest value since it went above `on`. After the end it stays readable until the next excess.
    pub fn worst(&self) -> Option<f64> {
        self.worst
    }

    /// Judges one sample.
    pub fn evaluate(&mut self, rule: &Rule, now: Now, sample: Sample) -> Option<Transition> {
        let (value, is_exact) = match sample {
            Sample::Value(value) if value.is_finite() => (value, true),
            Sample::LowerBound(value) if value.is_finite() => (value, false),
            _ => return self.lose_sight("no data"),
        };
        if self.is_open {
            self.judge_open(rule, now, value, is_exact)
        } else {
            self.judge_closed(rule, now, value, is_exact)
        }
    }

    fn judge_closed(
        &mut self,
        rule: &Rule,
        now: Now,
        value: f64,
        is_exact: bool,
    ) -> Option<Transition> {
        if value <= rule.on || rule.on.is_nan() {
            if !is_exact {
                return self.lose_sight("at least this much, which is not above the limit");
            }
            self.held_since = None;
            return self.enter(AlertState::Ok, "not above the limit");
        }
        if self.held_since.is_none() {
            self.worst = None;
        }
        self.note_worst(value);
        let since = *self.held_since.get_or_insert(now.mono);
        if now.mono.since(since) < rule.for_ {
            return self.enter(
                AlertState::Pending,
                "above the limit, but not for long enough",
            );
        }
        let transition = self.enter(AlertState::Firing, "above the limit");
        self.is_open = true;
        self.held_since = None;
        self.fired_wall = now.wall;
        self.fired_mono = Some(now.mono);
        transition
    }

    fn judge_open(
        &mut self,
        rule: &Rule,
        now: Now,
        value: f64,
        is_exact: bool,
    ) -> Option<Transition> {
        self.note_worst(value);
        if value > rule.off.min(rule.on) {
            self.held_since = None;
            return self.enter(AlertState::Firing, "not yet back below the clearing value");
        }
        if !is_exact {
            return self.lose_sight("at least this much, which does not prove that it ended");
        }
        let since = *self.held_since.get_or_insert(now.mono);
        if now.mono.since(since) < rule.clear_for {
            return self.enter(
                AlertState::Firing,
                "below the clearing value, but not for long enough",
            );
        }
        let transition = self.enter(AlertState::Ok, "back at or below the clearing value");
        self.is_open = false;
        self.held_since = None;
        transition
    }

    /// A break in the data ends every running duration, but nothing that fires.
    fn lose_sight(&mut self, reason: &'static str) -> Option<Transition> {
        self.held_since = None;
        self.enter(AlertState::Unknown, reason)
    }

    fn note_worst(&mut self, value: f64) {
        self.worst = Some(self.worst.map_or(value, |worst| worst.max(value)));
    }

    fn enter(&mut self, to: AlertState, reason: &'static str) -> Option<Transition> {
        let from = std::mem::replace(&mut self.state, to);
        (from != to).then_some(Transition {
            from,
            to,
            was_open: self.is_open,
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use Sample::{LowerBound, NoData, Value};

    fn at(millis: u64) -> Now {
        Now {
            mono: Mono::new(Duration::from_millis(millis)),
            wall: Wall(1_795_205_702_000 + millis as i64),
        }
    }

    const LIMIT: Rule = Rule::above(3000.0, 2910.0);
    const SLOW: Rule = Rule {
        on: 80.0,
        off: 75.0,
        for_: Duration::from_secs(10),
        clear_for: Duration::from_secs(4),
    };

    /// Feeds one sample every two seconds; returns what happened as `[t+4s firing]`.
    fn transcript(rule: &Rule, samples: &[Sample]) -> String {
        let mut state = RuleState::default();
        let mut out = String::new();
        for (index, sample) in samples.iter().enumerate() {
            let millis = index as u64 * 2000;
            if let Some(change) = state.evaluate(rule, at(millis), *sample) {
                let what = match change {
                    change if change.is_firing() => "fires",
                    change if change.is_end() => "ends",
                    change => change.to.name(),
                };
                out.push_str(&format!("[t+{}s {what}]", millis / 1000));
            }
        }
        out
    }

    #[test]
    fn rules_in_english() {
        let v = Value;
        let cases: &[(&str, &Rule, &[Sample], &str)] = &[
            ("the limit itself is allowed", &LIMIT, &[v(3000.0)], ""),
            (
                "an excess fires at once",
                &LIMIT,
                &[v(100.0), v(3000.1)],
                "[t+2s fires]",
            ),
            (
                "a dip that stays above the clearing value is no end",
                &LIMIT,
                &[v(3100.0), v(2950.0), v(3100.0), v(2911.0)],
                "[t+0s fires]",
            ),
            (
                "the clearing value itself ends it",
                &LIMIT,
                &[v(3100.0), v(2910.0)],
                "[t+0s fires][t+2s ends]",
            ),
            (
                "a vanished value ends nothing, and its return is no new firing",
                &LIMIT,
                &[v(3100.0), NoData, NoData, v(3050.0), v(2000.0)],
                "[t+0s fires][t+2s unknown][t+6s firing][t+8s ends]",
            ),
            (
                "what ended out of sight ends when it is seen again",
                &LIMIT,
                &[v(3100.0), NoData, v(2000.0)],
                "[t+0s fires][t+2s unknown][t+4s ends]",
            ),
            (
                "a lower bound fires",
                &LIMIT,
                &[LowerBound(3100.0)],
                "[t+0s fires]",
            ),
            (
                "a lower bound never ends anything",
                &LIMIT,
                &[v(3100.0), LowerBound(100.0), LowerBound(2950.0)],
                "[t+0s fires][t+2s unknown][t+4s firing]",
            ),
            (
                "a lower bound below the limit is unknown",
                &LIMIT,
                &[v(100.0), LowerBound(100.0), v(100.0)],
                "[t+2s unknown][t+4s ok]",
            ),
            (
                "not a number is no data",
                &LIMIT,
                &[v(f64::NAN), v(f64::INFINITY), v(1.0)],
                "[t+0s unknown][t+4s ok]",
            ),
            (
                "blip_shorter_than_for_is_silent",
                &SLOW,
                &[v(90.0), v(90.0), v(90.0), v(90.0), v(90.0), v(80.0)],
                "[t+0s pending][t+10s ok]",
            ),
            (
                "it fires once `for` has passed",
                &SLOW,
                &[v(90.0), v(81.0), v(90.0), v(90.0), v(90.0), v(90.0)],
                "[t+0s pending][t+10s fires]",
            ),
            (
                "a break in the data starts `for` anew",
                &SLOW,
                &[v(90.0), v(90.0), NoData, v(90.0), v(90.0), v(90.0), v(90.0)],
                "[t+0s pending][t+4s unknown][t+6s pending]",
            ),
            (
                "a short dip does not end it",
                &SLOW,
                &[
                    v(90.0),
                    v(90.0),
                    v(90.0),
                    v(90.0),
                    v(90.0),
                    v(90.0),
                    v(70.0),
                    v(70.0),
                    v(78.0),
                    v(70.0),
                    v(70.0),
                    v(70.0),
                ],
                "[t+0s pending][t+10s fires][t+22s ends]",
            ),
        ];
        for (name, rule, samples, want) in cases {
            assert_eq!(transcript(rule, samples), *want, "{name}");
        }
    }

    #[test]
    fn it_keeps_the_worst_value_and_the_time() {
        let mut state = RuleState::default();
        for (millis, watts) in [(0, 3100.0), (2000, 3310.0), (4000, 2990.0)] {
            state.evaluate(&LIMIT, at(millis), Value(watts));
        }
        assert_eq!(state.worst(), Some(3310.0));
        assert_eq!(state.fired_at(), Some(at(0).wall));
        assert_eq!(state.firing_for(at(38_000)), Some(Duration::from_secs(38)));
        state.evaluate(&LIMIT, at(6000), Value(10.0));
        assert_eq!((state.worst(), state.fired_at()), (Some(3310.0), None));
        state.evaluate(&LIMIT, at(8000), Value(3001.0));
        assert_eq!(state.worst(), Some(3001.0));
    }

    #[test]
    fn a_clock_that_jumps_changes_no_decision() {
        let mut state = RuleState::default();
        let mut now = at(0);
        state.evaluate(&SLOW, now, Value(90.0));
        now = Now {
            mono: now.mono + Duration::from_secs(2),
            wall: Wall(0),
        };
        assert_eq!(state.evaluate(&SLOW, now, Value(90.0)), None);
        now.mono += Duration::from_secs(8);
        assert!(
            state
                .evaluate(&SLOW, now, Value(90.0))
                .is_some_and(|change| change.is_firing())
        );
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<RuleState>() <= 64, "{}", size_of::<RuleState>());
    }

    #[test]
    fn it_says_itself_in_words() {
        assert_eq!(LIMIT.in_words("W"), "above 3000 W; ends at or below 2910 W");
        assert_eq!(
            SLOW.in_words("%"),
            "above 80 % for 10 s; ends at or below 75 % for 4 s"
        );
        // 3 % below 3333 W.
        let limit = Rule::above(3333.0, 3333.0 * 0.97);
        assert_eq!(
            limit.in_words("W"),
            "above 3333 W; ends at or below 3233.01 W"
        );
        let flag = Rule {
            clear_for: Duration::from_secs(60),
            ..Rule::above(0.5, 0.0)
        };
        assert_eq!(
            flag.in_words(""),
            "while it is so; ends when it is not so for 60 s"
        );
    }

    /// The definition, by looking at the whole past for every sample: (state, fired and not ended).
    fn oracle(rule: &Rule, past: &[(u64, Sample)]) -> Vec<(AlertState, bool)> {
        let above = |sample: &Sample| matches!(sample, Value(v) | LowerBound(v) if *v > rule.on);
        let cleared = |sample: &Sample| matches!(sample, Value(v) if *v <= rule.off);
        let lasts = |end: usize, holds: &dyn Fn(&Sample) -> bool, span: Duration| {
            let run = past[..=end]
                .iter()
                .rev()
                .take_while(|(_, sample)| holds(sample))
                .count();
            run > 0 && u128::from(past[end].0 - past[end + 1 - run].0) >= span.as_millis()
        };
        let mut is_open = false;
        let mut states = Vec::new();
        for (index, (_, sample)) in past.iter().enumerate() {
            is_open = if is_open {
                !lasts(index, &cleared, rule.clear_for)
            } else {
                lasts(index, &above, rule.for_)
            };
            let state = match (is_open, sample) {
                (_, NoData) => AlertState::Unknown,
                (true, LowerBound(v)) if *v <= rule.off => AlertState::Unknown,
                (true, _) => AlertState::Firing,
                (false, sample) if above(sample) => AlertState::Pending,
                (false, LowerBound(_)) => AlertState::Unknown,
                (false, _) => AlertState::Ok,
            };
            states.push((state, is_open));
        }
        states
    }

    #[test]
    fn random_walks_agree_with_the_definition() {
        let mut rng = Rng::new(39);
        let mut firings = 0;
        for series in 0..2000 {
            let on = 100.0;
            let rule = Rule {
                on,
                off: on - rng.below(8) as f64,
                for_: Duration::from_millis(rng.below(4) * 2500),
                clear_for: Duration::from_millis(rng.below(4) * 2500),
            };
            let (mut millis, mut level) = (0, 95.0 + rng.below(10) as f64);
            let mut past = Vec::new();
            for _ in 0..120 {
                millis += 1 + rng.below(4000);
                level += rng.below(5) as f64 - 2.0;
                past.push((
                    millis,
                    match rng.below(12) {
                        0 => NoData,
                        1 => LowerBound(level),
                        _ => Value(level),
                    },
                ));
            }
            let want = oracle(&rule, &past);
            let mut state = RuleState::default();
            for (index, (millis, sample)) in past.iter().enumerate() {
                let before = (state.state, state.is_open());
                let change = state.evaluate(&rule, at(*millis), *sample);
                assert_eq!(
                    (state.state, state.is_open()),
                    want[index],
                    "series {series}, sample {index}, {rule:?}"
                );
                assert_eq!(change.is_some(), before.0 != state.state);
                let is_new = !before.1 && state.is_open();
                assert_eq!(change.is_some_and(|change| change.is_firing()), is_new);
                let is_end = before.1 && !state.is_open();
                assert_eq!(change.is_some_and(|change| change.is_end()), is_end);
                firings += usize::from(is_new);
            }
        }
        assert!(firings > 2000, "the walks must cross the limit: {firings}");
    }
}
