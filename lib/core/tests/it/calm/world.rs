//! A simulated world with a plugin that reports what a test tells it to.

use crate::seconds;
use rackwarden_core::alert::{AlertState, Alerts, Causes, Report, ReportKind, Severity};
use rackwarden_core::config::Config;
use rackwarden_core::ctx::Ctx;
use rackwarden_core::plugins::Plugin;
use rackwarden_core::sim::Sim;
use rackwarden_core::time::{Mono, Wall};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    static SCRIPT: RefCell<VecDeque<Report>> = RefCell::default();
}

/// Reports at once what stands in the script.
struct Scripted;

impl Plugin for Scripted {
    fn name(&self) -> &'static str {
        "test"
    }

    fn poll_timeout(&self) -> Option<Mono> {
        SCRIPT.with_borrow(|script| (!script.is_empty()).then_some(Mono::ZERO))
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(mut report) = SCRIPT.with_borrow_mut(VecDeque::pop_front) {
            report.at = ctx.now.wall;
            ctx.report(report);
        }
    }
}

/// A world that has settled.
pub(crate) fn settled(config: Config) -> Sim {
    let sim = new(config, seconds(20));
    assert_eq!(sim.transcript(), "", "a healthy rack is silent");
    sim
}

/// The same, where whole seconds begin just before a look at the machine.
pub(crate) fn settled_quietly(config: Config) -> Sim {
    new(config, Duration::from_millis(19_900))
}

fn new(config: Config, lasting: Duration) -> Sim {
    SCRIPT.with_borrow_mut(VecDeque::clear);
    let mut sim = Sim::with_plugins(config, &[|_: &Arc<Config>| Box::new(Scripted)]);
    sim.run_for(lasting);
    sim
}

/// Lets an alert fire or end at once.
pub(crate) fn report(name: &str, severity: Severity, state: AlertState, summary: &str) {
    let thing = name.split_once(':').map_or(name, |(_, thing)| thing);
    let report = Report {
        name: name.into(),
        subject: format!("({thing})"),
        severity,
        state,
        summary: summary.to_owned(),
        value: None,
        worst: None,
        unit: "",
        at: Wall(0),
        kind: ReportKind::State,
        rule: None,
        reason: "",
        causes: causes_of_part(name),
    };
    SCRIPT.with_borrow_mut(|script| script.push_back(report));
}

/// A part of a PDU (`alpha/7`) is hidden while the PDU does not answer.
fn causes_of_part(name: &str) -> Option<Arc<Causes>> {
    let (_, thing) = name.split_once(':')?;
    let (whole, _) = thing.rsplit_once('/')?;
    Some(Arc::new(Causes {
        hidden_by: Alerts::one("power.unreachable", whole),
        ..Causes::default()
    }))
}

pub(crate) fn fire(name: &str) {
    report(name, Severity::Warning, AlertState::Firing, "fires");
}

pub(crate) fn end(name: &str) {
    report(name, Severity::Warning, AlertState::Ok, "over");
}

/// New messages (no edits) whose first line holds `text`.
pub(crate) fn news(sim: &Sim, text: &str) -> usize {
    let is_wanted = |message: &&str| {
        let line = message.lines().next().unwrap_or_default();
        let is_of_agent = line.contains("ℹ️ rack: restarted");
        !line.contains(" edits ") && !is_of_agent && line.contains(text)
    };
    sim.transcript()
        .split("[t+")
        .skip(1)
        .filter(is_wanted)
        .count()
}

/// So many new messages hold each of these texts, and there are no others.
#[track_caller]
pub(crate) fn assert_news(sim: &Sim, want: &[(&str, usize)]) {
    for (text, count) in want {
        assert_eq!(news(sim, text), *count, "{text}: {}", sim.transcript());
    }
    let all: usize = want.iter().map(|(_, count)| count).sum();
    assert_eq!(news(sim, ""), all, "{}", sim.transcript());
}

#[track_caller]
pub(crate) fn ask(sim: &mut Sim, line: &str, want: &str) {
    sim.clear_transcript();
    sim.say(line);
    sim.run_for(seconds(1));
    let seen = sim.transcript();
    assert!(seen.contains(want), "{line}: no {want:?} in {seen}");
    sim.clear_transcript();
}
