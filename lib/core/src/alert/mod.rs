//! Alerts: rules with hysteresis, the book of what fires, and who is told when.
//!
//! A plugin evaluates its rules (`rule`), and reports transitions. The book (`book`) keeps state, mutes and
//! acknowledgements. The notifier (`notify`) decides which messages leave, and when. All pure.

pub mod book;
pub mod inhibit;
pub mod notify;
pub(crate) mod numbers;
pub mod rule;

pub use book::{Ack, AlertBook, AlertEntry, Change, ChangeKind, Mute};
pub use inhibit::{Alerts, Causes};
pub use notify::{Notifier, NotifyEnv};
pub use rule::{Rule, RuleState, Sample, Transition};

use crate::time::{Now, Wall};
use std::sync::Arc;

/// How bad it is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Act now.
    Critical,
}

impl Severity {
    /// As configuration, chat and HTTP spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// State of an alert.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nothing is wrong.
    #[default]
    Ok,
    /// Above the on value, but not yet for long enough.
    Pending,
    /// It fires.
    Firing,
    /// There is no data to judge by. Never the same as ok.
    Unknown,
}

impl AlertState {
    /// As chat and HTTP spell it.
    pub const fn name(self) -> &'static str {
        match self {
            AlertState::Ok => "ok",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Unknown => "unknown",
        }
    }
}

/// What a plugin tells the book about one alert. Sent on transitions and, for what fires, whenever the value changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Full name: `<plugin>.<rule>:<thing>`, for instance `power.limit:alpha`. The identity over restarts and reloads; the settings of
    /// the plugin say who hears of it.
    pub name: Arc<str>,
    /// The thing alone, as it stands in messages: `Team Alpha (alpha)`.
    pub subject: String,
    /// Severity.
    pub severity: Severity,
    /// The state that the rule is in now.
    pub state: AlertState,
    /// One line without the subject: `above power limit: 3120 W > 3000 W`, or on the way back
    /// `back below limit after 38 s: peak 3310 W, 0.0021 kWh above`.
    pub summary: String,
    /// Last value.
    pub value: Option<f64>,
    /// Worst value since it fired.
    pub worst: Option<f64>,
    /// Unit of both (`W`, `s`, …), empty when there is none.
    pub unit: &'static str,
    /// When the thing happened (time of the reading).
    pub at: Wall,
    /// What sort of report it is.
    pub kind: ReportKind,
    /// The rule that was judged, for `/why`.
    pub rule: Option<Rule>,
    /// Why the state is what it is, from `Transition::reason`; for the log and `/why`.
    pub reason: &'static str,
    /// The alerts that explain it.
    pub causes: Option<Arc<Causes>>,
}

impl Report {
    /// A warning of the agent about itself, or its end: the state, a line about it, and why.
    pub fn of_agent(
        now: Now,
        name: &str,
        subject: &str,
        (state, summary, reason): (AlertState, String, &'static str),
    ) -> Report {
        Report {
            name: name.into(),
            subject: subject.to_owned(),
            severity: Severity::Warning,
            state,
            summary,
            value: None,
            worst: None,
            unit: "",
            at: now.wall,
            kind: ReportKind::State,
            rule: None,
            reason,
            causes: None,
        }
    }

    /// What explains an alert that the book has kept over a restart: causes are not on disk, so each plugin reports
    /// them again when it starts.
    pub fn of_causes(now: Now, name: &str, causes: Arc<Causes>) -> Report {
        Report {
            kind: ReportKind::Causes,
            causes: Some(causes),
            ..Report::of_agent(now, name, "", (AlertState::Unknown, String::new(), ""))
        }
    }
}

/// How the book takes a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// A state with a beginning and an end.
    State,
    /// The same state with a newer value; never a message of its own.
    Update,
    /// The same state with more to say about it: messages that tell of it are edited.
    Amended,
    /// Something that happened once (a restart, a peak between two readings): told, then over.
    Event,
    /// The rule is gone from the configuration; the alert ends with these words.
    Removed,
    /// A report of causes alone.
    Causes,
}
