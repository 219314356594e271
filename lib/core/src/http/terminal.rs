//! `rackwarden ask` and `status`: parts of an answer, and the state of the agent with its text for people, as lines of JSON.

use super::json::{self, VERSION};
use crate::digest::hex;
use crate::effect::SessionReply;
use crate::snapshot::{Seen, View};
use crate::time::Human;
use serde::Serialize;
use std::fmt::Write as _;

/// One line of JSON: `status`, `alerts`, the document of every view under its key, and `text`.
pub fn answer(seen: &Seen<'_>) -> String {
    let mut line = format!("{{\"status\":{}", json::status(seen));
    for (key, document) in (seen.snapshot.views.iter()).filter_map(|view| view.document(seen)) {
        let _ = write!(line, ",\"{key}\":{document}");
    }
    let text = serde_json::Value::String(text(seen));
    let alerts = json::alerts(seen);
    let _ = write!(line, ",\"alerts\":{alerts},\"text\":{text},\"last\":true}}");
    line
}

/// A part of the answer to a question.
#[derive(Serialize)]
struct Part<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<Attached<'a>>,
    last: bool,
}

/// The contents of a file, byte by byte in hexadecimal digits.
#[derive(Serialize)]
struct Attached<'a> {
    name: &'a str,
    mime: &'a str,
    hex: String,
}

/// One line of JSON: a part of the answer to a question, with the file that belongs to it.
pub fn part(reply: &SessionReply) -> String {
    let document = reply.document.as_ref().map(|document| Attached {
        name: &document.name,
        mime: document.mime,
        hex: hex(&document.bytes),
    });
    let part = Part {
        text: &reply.text,
        document,
        last: reply.last,
    };
    serde_json::to_string(&part).unwrap_or_default()
}

/// Lines for people: the agent, the machine, what is watched, alerts.
pub fn text(seen: &Seen<'_>) -> String {
    let snapshot = seen.snapshot;
    let problems = seen.problems();
    let condition = if problems.is_empty() { "ok" } else { "failing" };
    let up = Human(seen.now.wall.since(snapshot.started));
    let name = &snapshot.config.name;
    let mut out = format!("{name} {VERSION}, up {up}, {condition}\n");
    for problem in problems {
        let _ = writeln!(out, "  problem: {problem}");
    }
    let is_machine = |view: &&dyn View| view.host().is_some();
    let views = || snapshot.views.iter().map(|view| &**view);
    let others = views().filter(|view| !is_machine(view));
    for view in views().filter(is_machine).chain(others) {
        out += &view.lines(seen);
    }
    for alert in snapshot.alerts.iter() {
        let (severity, state) = (alert.severity.name(), alert.state.name());
        let (number, summary) = (alert.number, &alert.summary);
        let _ = writeln!(out, "alert {number}: {severity} {state}: {summary}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sample::{self, Sample};

    #[test]
    fn the_text_tells_power_limits_and_what_is_missing() {
        let snapshot = sample::snapshot(Sample::Unreachable);
        let seen = Seen::new(&snapshot, snapshot.now);
        let want = "\
rack-3 0.1.0, up 1 d 1 h, ok
host         CPU 12 %, load 0.42 0.37 0.31, memory 1.2 GiB of 4 GiB (29 %), up 14 d 6 h
/            57 %, 12.1 GiB of 29.8 GiB free
/mnt/nas     does not answer for 75 s
cpu_thermal  51.2 °C
supply       now under-voltage (the supply is below 4.63 V) and throttled
alpha           1968 W of 3000 W    ok
bravo                - of 3000 W    unreachable no answer within 1.8 s; last reading 3 min 12 s ago
charlie              - of 3000 W    unknown     unknown user apc
delta            270 W of 3000 W    stale       last reading 6 s ago
Team Alpha    ≥ 1968 W of 6000 W    unknown     without bravo
Team Bravo     ≥ 270 W of 6000 W    unknown     without charlie
all PDUs      ≥ 2238 W of 17000 W   unknown     without bravo, charlie
alert 1: warning firing: Team Alpha (bravo): no answer since 20:11:50
";
        assert_eq!(text(&seen), want);
        let answer: serde_json::Value = serde_json::from_str(&answer(&seen)).expect("JSON");
        assert_eq!(answer["power"]["pdus"][0]["name"], "alpha");
        assert_eq!(answer["text"], want);
    }
}
