//! The JSON answers of the house: its own condition and the alerts. Those of plugins are in their views.

use crate::render::schema::{Member, Object, Schema};
use crate::render::{Num, Shape, Time, num, text};
use crate::snapshot::{AlertView, Count, Error, Seen};
use crate::{shape, words};
use serde::{Serialize, Serializer};

/// The version that every answer names: that of this crate, which the agent shares.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

words! {
    /// The word of an agent that is well.
    pub struct Well = "ok";
    /// The word of an agent that is not.
    pub struct Ill = "failing";
    /// Either.
    pub struct Condition = "ok" | "failing";
    /// States of an alert.
    pub struct State = "ok" | "pending" | "firing" | "unknown";
    /// Severities of an alert.
    pub struct Severity = "info" | "warning" | "critical";
}

shape! {
    /// `/health` when all is well.
    pub struct Health {
        /// always ok
        status: Well,
    }

    /// `/health` when it is 503.
    pub struct Failing {
        /// always failing
        status: Ill,
        /// what is wrong, a sentence each
        reasons: Vec<String>,
    }

    /// `/api/status`.
    pub struct Status<'a> {
        /// the agent's name
        name: &'a str,
        /// the agent's version
        version: &'a str,
        /// now
        time: Time,
        /// when the agent started
        started_at: Time,
        /// seconds since then
        uptime_s: u64,
        /// the plugins that run
        plugins: &'a [&'static str],
        /// the agent's own condition
        health: HealthDetail,
        /// PDUs by state, and what happened since the start
        counts: Counts,
    }

    /// The agent's own condition.
    pub struct HealthDetail {
        /// as /health says
        status: Condition,
        /// what is wrong, a sentence each
        reasons: Vec<String>,
    }

    /// `/api/alerts`.
    pub struct Alerts<'a> {
        /// when this was put together
        time: Time,
        /// every alert that is not ok
        alerts: Vec<Alert<'a>>,
    }

    /// An alert.
    pub struct Alert<'a> {
        /// short number, for /ack and /mute in the chat
        number: u32,
        /// plugin, rule and thing: power.limit:alpha
        name: &'a str,
        /// its state
        state: State,
        /// how bad it is
        severity: Severity,
        /// one line for people
        summary: &'a str,
        /// since when it is in this state
        since: Time,
        /// last value
        value: Option<Num>,
        /// worst value since it fired
        worst: Option<Num>,
        /// unit of both
        unit: &'a str,
        /// end of its mute
        muted_until: Option<Time>,
        /// who acknowledged it
        acknowledged_by: Option<&'a str>,
        /// it changes all the time, which one message says in place of each change
        flapping: bool,
        /// the alert that hides this one, or because of which nothing is known of it
        inhibited_by: Option<&'a str>,
    }

    /// The body of every answer that is an error.
    pub struct ErrorBody {
        /// what went wrong
        error: ErrorDetail,
    }

    /// An error.
    pub struct ErrorDetail {
        /// a stable word for programs
        code: &'static str,
        /// a sentence for people
        message: &'static str,
    }
}

/// The shape of an error, under the name that the document has for it.
const ERROR: Object = Object {
    name: "Error",
    members: match ErrorBody::SCHEMA {
        Schema::Object(body) => body.members,
        _ => &[],
    },
};

impl Shape for Error {
    const SCHEMA: Schema = Schema::Object(&ERROR);
}

impl Error {
    /// As a body.
    pub(super) fn text(&self) -> String {
        let error = ErrorDetail {
            code: self.code,
            message: self.message,
        };
        text(&ErrorBody { error }, 128)
    }
}

/// Counts of things that are there, and of what happened since the start: those of the views and those of the house.
#[derive(Clone, Debug)]
pub struct Counts(Vec<Count>);

impl Shape for Counts {
    const SCHEMA: Schema = Schema::Open(&Object {
        name: "Counts",
        members: &[],
    });
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|count| (count.key, count.value)))
    }
}

impl Counts {
    fn of(seen: &Seen<'_>) -> Counts {
        let snapshot = seen.snapshot;
        let views = snapshot.views.iter().flat_map(|view| view.counts());
        let (events, things): (Vec<Count>, Vec<Count>) = views.partition(|count| count.is_event);
        let own = |key, about, value| Count {
            key,
            about,
            value,
            is_event: true,
        };
        let firing = snapshot.alerts.iter().filter(|alert| alert.is_firing());
        let counters = &snapshot.counters;
        let mut all = things;
        all.push(own(
            "alerts_firing",
            "alerts that fire",
            firing.count() as u64,
        ));
        all.extend(events);
        all.extend([
            own(
                "messages_sent",
                "messages delivered",
                counters.messages_sent,
            ),
            own(
                "messages_failed",
                "failed attempts",
                counters.messages_failed,
            ),
            own(
                "messages_queued",
                "messages waiting",
                counters.messages_queued,
            ),
            own("commands", "commands run", counters.commands),
            own("commands_refused", "commands refused", counters.refused),
            own(
                "journal_records",
                "records written to the journal",
                counters.journal_records,
            ),
        ]);
        Counts(all)
    }

    /// For the document.
    pub(super) fn members(seen: &Seen<'_>) -> Vec<Member> {
        let member = |count: Count| Member {
            name: count.key,
            schema: Schema::Integer,
            about: count.about,
        };
        Counts::of(seen).0.into_iter().map(member).collect()
    }
}

/// `/health`: status code and body.
pub fn health(seen: &Seen<'_>) -> (u16, String) {
    let reasons = seen.problems();
    if reasons.is_empty() {
        return (200, text(&Health { status: Well("ok") }, 64));
    }
    let status = Ill("failing");
    (503, text(&Failing { status, reasons }, 256))
}

/// `/api/status`.
pub fn status(seen: &Seen<'_>) -> String {
    let snapshot = seen.snapshot;
    let reasons = seen.problems();
    let word = if reasons.is_empty() { "ok" } else { "failing" };
    let status = Status {
        name: &snapshot.config.name,
        version: VERSION,
        time: Time(seen.now.wall),
        started_at: Time(snapshot.started),
        uptime_s: seen.now.wall.since(snapshot.started).as_secs(),
        plugins: &snapshot.plugins,
        health: HealthDetail {
            status: Condition(word),
            reasons,
        },
        counts: Counts::of(seen),
    };
    text(&status, 1024)
}

/// `/api/alerts`.
pub fn alerts(seen: &Seen<'_>) -> String {
    let alerts = &seen.snapshot.alerts;
    let all = Alerts {
        time: Time(seen.snapshot.now.wall),
        alerts: alerts.iter().map(alert).collect(),
    };
    text(&all, 256 + alerts.len() * 320)
}

fn alert(alert: &AlertView) -> Alert<'_> {
    Alert {
        number: alert.number,
        name: &alert.name,
        state: State(alert.state.name()),
        severity: Severity(alert.severity.name()),
        summary: &alert.summary,
        since: Time(alert.since),
        value: num(alert.value),
        worst: num(alert.worst),
        unit: alert.unit,
        muted_until: alert.muted_until.map(Time),
        acknowledged_by: alert.acknowledged_by.as_deref(),
        flapping: alert.is_flapping,
        inhibited_by: alert.inhibited_by.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::schema::mismatch;
    use crate::sim::sample::{self, Sample};
    use serde_json::Value;
    use std::time::Duration;

    #[test]
    fn every_body_has_the_shape_that_its_schema_tells() {
        for kind in Sample::ALL {
            let snapshot = sample::snapshot(kind);
            let seen = Seen::new(&snapshot, snapshot.now);
            let (code, health) = health(&seen);
            let of_health = [Failing::SCHEMA, Health::SCHEMA][usize::from(code == 200)];
            let mut bodies = vec![
                (of_health, health),
                (Status::SCHEMA, status(&seen)),
                (Alerts::SCHEMA, alerts(&seen)),
            ];
            for view in &snapshot.views {
                for route in view.routes() {
                    let body = view.body(&seen, route.path, "alpha");
                    bodies.extend(route.answers[0].schema.zip(body.ok()));
                }
            }
            for (schema, body) in bodies {
                let body: Value = serde_json::from_str(&body).expect("valid JSON");
                assert_eq!(mismatch(&schema, &body, ""), None, "{kind:?}");
            }
        }
    }

    #[test]
    fn counts_are_those_of_the_document() {
        let snapshot = sample::snapshot(Sample::Normal);
        let seen = Seen::new(&snapshot, snapshot.now);
        let status: Value = serde_json::from_str(&status(&seen)).expect("valid JSON");
        let members = Counts::members(&seen);
        assert_eq!(
            status["counts"].as_object().map(|map| map.len()),
            Some(members.len())
        );
        for member in members {
            assert!(status["counts"][member.name].is_u64(), "{}", member.name);
        }
    }

    #[test]
    fn health_tells_a_core_that_stands_still() {
        let snapshot = sample::snapshot(Sample::Normal);
        let mut seen = Seen::new(&snapshot, snapshot.now);
        assert_eq!(health(&seen), (200, r#"{"status":"ok"}"#.to_owned()));
        seen.now.mono += Duration::from_secs(11);
        let (code, body) = health(&seen);
        assert_eq!(code, 503);
        assert!(body.contains("for 11 s"), "{body}");
        let empty = sample::snapshot(Sample::Empty);
        let mut seen = Seen::new(&empty, empty.now);
        seen.now.mono += Duration::from_secs(3600);
        assert_eq!(health(&seen).0, 200);
    }
}
