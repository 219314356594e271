//! One limit of one thing: its rule, the excess that is under way, and the words for it.

use crate::alert::{AlertState, Rule, RuleState, Severity};
use crate::config::Config;
use crate::plugins::power::Limit;
use crate::plugins::power::settings;
use crate::time::{Human, Mono, Now, Wall};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Whose power a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A PDU, by index.
    Pdu(u32),
    /// A team, by index.
    Team(u32),
    /// All PDUs.
    Site,
}

/// Which of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// The one that warns.
    Soft,
    /// The critical one.
    Hard,
}

impl Level {
    pub(super) const fn severity(self) -> Severity {
        match self {
            Level::Soft => Severity::Warning,
            Level::Hard => Severity::Critical,
        }
    }

    const fn rule_name(self) -> &'static str {
        match self {
            Level::Soft => "soft",
            Level::Hard => "limit",
        }
    }

    /// As messages call it. For a site the subject says which limit it is.
    const fn words(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Level::Soft, Subject::Pdu(_) | Subject::Team(_)) => "soft power limit",
            _ => "power limit",
        }
    }
}

impl Subject {
    /// Name of the alert: `power.limit:alpha`, `power.limit:Team Alpha (team)`, `power.soft:site (soft)`.
    pub(super) fn alert(self, config: &Config, level: Level) -> String {
        let rule = level.rule_name();
        match self {
            Subject::Pdu(index) => format!("power.{rule}:{}", pdu_name(config, index)),
            Subject::Team(_) | Subject::Site => {
                format!("power.{rule}:{}", self.words(config, level))
            }
        }
    }

    /// As it stands in messages: `Team Alpha (alpha)`, `(bravo)`, `Team Alpha (team)`, `site (hard)`.
    pub(super) fn words(self, config: &Config, level: Level) -> String {
        match self {
            Subject::Pdu(index) => pdu_words(config, index),
            Subject::Team(index) => match settings(config).teams.get(index as usize) {
                Some(team) => format!("{} (team)", team.name),
                None => "(team)".to_owned(),
            },
            Subject::Site => match level {
                Level::Soft => "site (soft)".to_owned(),
                Level::Hard => "site (hard)".to_owned(),
            },
        }
    }
}

/// `Team Alpha (alpha)`, or `(alpha)` without a team.
pub(super) fn pdu_words(config: &Config, index: u32) -> String {
    let name = pdu_name(config, index);
    let team = settings(config)
        .pdus
        .get(index as usize)
        .and_then(|pdu| settings(config).teams.get(pdu.team? as usize));
    match team {
        Some(team) => format!("{} ({name})", team.name),
        None => format!("({name})"),
    }
}

pub(super) fn pdu_name(config: &Config, index: u32) -> &str {
    settings(config)
        .pdus
        .get(index as usize)
        .map_or("?", |pdu| &pdu.name)
}

/// A limit that is being watched.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// The limit.
    pub(super) limit: Limit,
    /// It is the device's own threshold.
    pub(super) is_devices: bool,
    /// Where its rule stands.
    pub(super) state: RuleState,
    /// The excess under way.
    pub(super) excess: Option<Box<Excess>>,
}

impl Watch {
    pub(super) fn correct_times(&mut self, by_ms: i64) {
        self.state.correct_times(by_ms);
        if let Some(excess) = &mut self.excess {
            excess.began.correct(by_ms);
            excess.last.correct(by_ms);
        }
    }

    pub(super) fn new(limit: Limit) -> Watch {
        Watch {
            limit,
            is_devices: false,
            state: RuleState::default(),
            excess: None,
        }
    }

    pub(super) fn rule(&self) -> Rule {
        Rule::above(self.limit.on_w, self.limit.off_w)
    }

    /// True while it fires, also while there is no data.
    pub(super) fn is_open(&self) -> bool {
        self.state.is_open()
    }

    /// True when the book of alerts holds an entry for it.
    pub(super) fn is_reported(&self) -> bool {
        self.state.state != AlertState::Ok || self.is_open()
    }
}

/// An excess under way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Excess {
    /// When it began.
    pub(super) began: Wall,
    began_mono: Mono,
    /// The last reading above the limit.
    pub(super) last: Wall,
    last_mono: Mono,
    last_w: f64,
    /// Highest power.
    pub(super) peak_w: f64,
    /// Energy above the limit in watt-seconds.
    pub(super) energy_ws: f64,
    limit_w: f64,
}

/// Readings further apart than that are not joined by a line: nobody knows what was between them.
const MAX_GAP: Duration = Duration::from_secs(30);

impl Excess {
    pub(super) fn begin(at: Now, power_w: f64, limit_w: f64) -> Excess {
        Excess {
            began: at.wall,
            began_mono: at.mono,
            last: at.wall,
            last_mono: at.mono,
            last_w: power_w,
            peak_w: power_w,
            energy_ws: 0.0,
            limit_w,
        }
    }

    /// Takes the next reading. The energy above the limit is the area between the limit and the straight line
    /// from one reading to the next (trapezoids, cut off at the limit).
    pub(super) fn add(&mut self, at: Now, power_w: f64) {
        let span = at.mono.since(self.last_mono);
        if span <= MAX_GAP {
            self.energy_ws += area_above(
                self.last_w - self.limit_w,
                power_w - self.limit_w,
                span.as_secs_f64(),
            );
        }
        self.last = at.wall;
        self.last_mono = at.mono;
        self.last_w = power_w;
        self.raise(power_w);
    }

    /// Notes a higher peak that the device itself has seen.
    pub(super) fn raise(&mut self, power_w: f64) {
        self.peak_w = self.peak_w.max(power_w);
    }

    pub(super) fn duration(&self) -> Duration {
        self.last_mono.since(self.began_mono)
    }

    pub(super) fn energy_kwh(&self) -> f64 {
        self.energy_ws / 3_600_000.0
    }

    /// `above power limit: 3120 W > 3000 W`
    pub(super) fn above_words(&self, subject: Subject, level: Level, power_w: f64) -> String {
        format!(
            "above {}: {} > {}",
            level.words(subject),
            Watts(power_w),
            Watts(self.limit_w)
        )
    }

    pub(super) fn ended_words(&self, subject: Subject, level: Level) -> String {
        ended_words(
            level.words(subject),
            self.duration(),
            self.peak_w,
            self.energy_kwh(),
        )
    }
}

fn ended_words(limit: &str, duration: Duration, peak_w: f64, energy_kwh: f64) -> String {
    let limit = limit.replace("power ", "");
    format!(
        "back below {limit} after {}: peak {}, {energy_kwh:.4} kWh above",
        Human(Duration::from_secs_f64(duration.as_secs_f64().round())),
        Watts(peak_w)
    )
}

/// What is known of an excess that a stop of the agent cut off: the record `power.excess/ALERT`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub(super) struct SavedExcess {
    /// As it stands in messages.
    pub(super) subject: String,
    /// `power limit` or `soft power limit`.
    pub(super) limit: String,
    /// When it began.
    pub(super) began: Wall,
    /// The last reading that was noted.
    pub(super) last: Wall,
    /// Highest power in watts.
    pub(super) peak_w: f64,
    /// Energy above the limit in kilowatt-hours.
    pub(super) energy_kwh: f64,
    /// The limit in watts.
    pub(super) limit_w: f64,
}

impl SavedExcess {
    pub(super) fn of(excess: &Excess, config: &Config, subject: Subject, level: Level) -> Self {
        SavedExcess {
            subject: subject.words(config, level),
            limit: level.words(subject).to_owned(),
            began: excess.began,
            last: excess.last,
            peak_w: excess.peak_w,
            energy_kwh: excess.energy_kwh(),
            limit_w: excess.limit_w,
        }
    }

    /// The line for an end that nobody saw.
    pub(super) fn cut_off_words(&self) -> String {
        let seen = ended_words(
            &self.limit,
            self.last.since(self.began),
            self.peak_w,
            self.energy_kwh,
        );
        format!("{seen} (as far as seen before the agent stopped)")
    }
}

/// An excess that is over, for `/exceedings`: the record `power.exceeding/NUMBER`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct Episode {
    /// As it stands in messages: `Team Alpha (alpha)`.
    pub subject: String,
    /// What happened: `power limit`, `soft power limit`, `peak between readings`.
    pub what: String,
    /// When it began.
    pub began: Wall,
    /// How long it lasted in seconds, as far as it was seen.
    pub seconds: f64,
    /// Highest power in watts.
    pub peak_w: f64,
    /// The limit in watts.
    pub limit_w: f64,
    /// Energy above the limit in kilowatt-hours; nothing for a peak between readings.
    pub energy_kwh: Option<f64>,
    /// True when the agent stopped before its end.
    #[serde(default)]
    pub cut_off: bool,
}

impl Episode {
    pub(super) fn of(saved: SavedExcess, cut_off: bool) -> Episode {
        Episode {
            seconds: saved.last.since(saved.began).as_secs_f64(),
            subject: saved.subject,
            what: saved.limit,
            began: saved.began,
            peak_w: saved.peak_w,
            limit_w: saved.limit_w,
            energy_kwh: Some(saved.energy_kwh),
            cut_off,
        }
    }
}

/// Area above zero under a straight line from `from` to `to` over `seconds`.
fn area_above(from: f64, to: f64, seconds: f64) -> f64 {
    match (from > 0.0, to > 0.0) {
        (true, true) => (from + to) / 2.0 * seconds,
        (true, false) => from / 2.0 * seconds * from / (from - to),
        (false, true) => to / 2.0 * seconds * to / (to - from),
        (false, false) => 0.0,
    }
}

/// Prints watts as people read them: whole, with a digit more below 10 W.
pub(super) struct Watts(pub(super) f64);

impl std::fmt::Display for Watts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.abs() < 10.0 && self.0.fract() != 0.0 {
            write!(f, "{:.1} W", self.0)
        } else {
            write!(f, "{:.0} W", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono::new(Duration::from_secs(seconds)),
            wall: Wall(1_795_205_702_000 + seconds as i64 * 1000),
        }
    }

    #[test]
    fn an_excess_tells_its_duration_peak_and_energy() {
        let mut excess = Excess::begin(at(0), 3120.0, 3000.0);
        assert_eq!(
            excess.above_words(Subject::Pdu(0), Level::Hard, 3120.0),
            "above power limit: 3120 W > 3000 W"
        );
        excess.add(at(2), 3310.0);
        for second in (4..38).step_by(2) {
            excess.add(at(second), 3200.0);
        }
        excess.add(at(38), 2900.0);
        assert_eq!(
            excess.ended_words(Subject::Pdu(0), Level::Hard),
            "back below limit after 38 s: peak 3310 W, 0.0021 kWh above"
        );
        assert_eq!(
            excess.ended_words(Subject::Team(0), Level::Soft),
            "back below soft limit after 38 s: peak 3310 W, 0.0021 kWh above"
        );
    }

    #[test]
    fn energy_above_is_the_area_between_limit_and_line() {
        for (name, from, to, seconds, want) in [
            ("all above", 100.0, 300.0, 2.0, 400.0),
            ("falls through", 100.0, -100.0, 2.0, 50.0),
            ("rises through", -100.0, 100.0, 2.0, 50.0),
            ("all below", -1.0, -2.0, 2.0, 0.0),
            ("touches", 0.0, 0.0, 2.0, 0.0),
        ] {
            assert!(
                (area_above(from, to, seconds) - want).abs() < 1e-9,
                "{name}"
            );
        }
    }

    #[test]
    fn a_gap_in_the_readings_adds_no_energy() {
        let mut excess = Excess::begin(at(0), 3120.0, 3000.0);
        excess.add(at(600), 3120.0);
        assert_eq!(excess.energy_ws, 0.0);
        assert_eq!(excess.duration(), Duration::from_secs(600));
    }
}
