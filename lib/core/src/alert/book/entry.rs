//! What stands in the book: alerts, acknowledgements, mutes, and the changes that it tells of.

use super::MAX_SAMPLES;
use crate::alert::{AlertState, Causes, Report, Rule, Severity};
use crate::time::{Mono, Now, Wall};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// One alert that is not `ok`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AlertEntry {
    /// Full name; the key of the record on disk.
    #[serde(skip)]
    pub name: Arc<str>,
    /// Short number for `/ack 3`, the same as long as the alert lives.
    pub number: u32,
    /// The thing, as it stands in messages.
    pub subject: String,
    /// Severity.
    pub severity: Severity,
    /// State.
    pub state: AlertState,
    /// One line for people.
    pub summary: String,
    /// Since when it is in this state.
    pub since: Wall,
    /// When it fired; `None` when it has not. Stays while there is no data.
    pub fired: Option<Wall>,
    /// Last value.
    pub value: Option<f64>,
    /// Worst value since it fired.
    pub worst: Option<f64>,
    /// Unit of both.
    #[serde(with = "unit")]
    pub unit: Unit,
    /// Who has seen it.
    pub ack: Option<Ack>,
    /// The alert that would explain it does not: it is told although that one fires.
    #[serde(default)]
    pub stands_alone: bool,
    /// The rule, once its plugin has reported since the start.
    #[serde(skip)]
    pub rule: Option<Rule>,
    /// Why it is in this state.
    #[serde(skip)]
    pub reason: &'static str,
    /// The last values with their times, oldest first, since the start.
    #[serde(skip)]
    pub samples: VecDeque<(Wall, Option<f64>)>,
    /// The alerts that explain it, once its plugin has reported since the start.
    #[serde(skip)]
    pub causes: Option<Arc<Causes>>,
    #[serde(skip)]
    pub(super) is_dirty: bool,
}

/// A unit such as `W`, empty when there is none. Named, so that serde does not take it for borrowed input.
pub type Unit = &'static str;

/// An acknowledgement: reminders stop until the alert ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Who (`telegram:42 Ann`).
    pub by: String,
    /// When.
    pub at: Wall,
}

/// Messages about an alert are held back; its state is not touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mute {
    /// Until when.
    pub until: Wall,
    /// Since when.
    pub since: Wall,
    /// Who.
    pub by: String,
    /// Why, may be empty.
    pub reason: String,
    /// The end on the monotonic clock, for a mute of this run of the agent: a clock that jumps does not end it.
    #[serde(skip)]
    pub(super) deadline: Option<Mono>,
}

/// Something that people may have to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Name of the alert, or `all`.
    pub name: Arc<str>,
    /// The thing.
    pub subject: String,
    /// Severity.
    pub severity: Severity,
    /// What happened.
    pub kind: ChangeKind,
    /// One line for people.
    pub summary: String,
    /// When it happened.
    pub at: Wall,
    /// When it had fired.
    pub fired: Option<Wall>,
    /// The alerts that explain it.
    pub causes: Option<Arc<Causes>>,
}

/// What happened to an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It fires and did not before.
    Fired,
    /// It fires with a higher severity than before.
    Escalated,
    /// It fires with a lower severity than before.
    Lowered,
    /// There is more to say about what fires.
    Amended,
    /// It is over.
    Resolved,
    /// It is over because its rule is gone.
    Removed,
    /// Something that has no end.
    Event,
    /// Somebody has seen it.
    Acknowledged,
    /// Its mute, or that of all alerts, has ended.
    MuteEnded,
}

impl AlertEntry {
    /// True from the firing to the end, also while there is no data.
    pub fn is_open(&self) -> bool {
        self.fired.is_some()
    }

    pub(super) fn remember(&mut self, at: Wall, value: Option<f64>) {
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back((at, value));
    }

    pub(in crate::alert) fn changed(&self, kind: ChangeKind, at: Wall, by: &str) -> Change {
        let summary = match kind {
            ChangeKind::Acknowledged => by.to_owned(),
            _ => self.summary.clone(),
        };
        Change {
            name: Arc::clone(&self.name),
            subject: self.subject.clone(),
            severity: self.severity,
            kind,
            summary,
            at,
            fired: self.fired,
            causes: self.causes.clone(),
        }
    }
}

impl Mute {
    pub(super) fn remaining(&self, now: Now) -> Duration {
        match self.deadline {
            Some(deadline) => deadline.since(now.mono),
            None => self.until.since(now.wall),
        }
    }

    /// A mute from before the restart hangs on the wall clock, which may still jump: it is looked at every minute.
    pub(super) fn next_check(&self, now: Now) -> Mono {
        match self.deadline {
            Some(deadline) => deadline,
            None => now.mono + self.remaining(now).min(Duration::from_secs(60)),
        }
    }
}

pub(in crate::alert) fn change(report: &Report, kind: ChangeKind, fired: Option<Wall>) -> Change {
    Change {
        name: Arc::clone(&report.name),
        subject: report.subject.clone(),
        severity: report.severity,
        kind,
        summary: report.summary.clone(),
        at: report.at,
        fired,
        causes: report.causes.clone(),
    }
}

/// Units are static words in the program; on disk they are text.
mod unit {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::borrow::Cow;

    const KNOWN: &[&str] = &["W", "VA", "A", "V", "kWh", "s", "%", "°C", "B"];

    pub(super) fn serialize<S: Serializer>(unit: &&'static str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(unit)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<&'static str, D::Error> {
        let text = <Cow<'de, str>>::deserialize(from)?;
        let known = KNOWN.iter().copied().find(|known| *known == text);
        Ok(known.unwrap_or_default())
    }
}
