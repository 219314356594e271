//! Capabilities. Each plugin holds its own state and commands; they never import each other.

pub mod chart;
pub mod monitor;
pub mod power;

use crate::alert::Rule;
use crate::chat::{Invocation, Spec};
use crate::config::{Config, Section};
use crate::ctx::Ctx;
use crate::effect::Ticket;
use crate::event::Reply;
use crate::snapshot::View;
use crate::snmp::SnmpReply;
use crate::state::Records;
use crate::time::{Mono, Now};
use std::sync::Arc;

/// A capability of the agent. Only `name` is required.
pub trait Plugin: Send {
    /// As `plugins = […]` names it.
    fn name(&self) -> &'static str;

    /// Its commands, for help, access and the chat client's menu: `command::specs` of its table.
    fn commands(&self) -> Vec<&'static Spec> {
        Vec::new()
    }

    /// Called once before anything else, with what was on disk.
    fn start(&mut self, _ctx: &mut Ctx<'_>, _records: &Records) {}

    /// Runs one of its commands, by `command::run` of its table. The right to do so has been checked.
    fn run(&mut self, _ctx: &mut Ctx<'_>, _invocation: &Invocation) {}

    /// Takes back one of its commands that was under way when the agent ended and may have had an effect. It is not
    /// run again: its answer begins with `Invocation::outcome_unknown` and tells the state now, as soon as that is
    /// known. False when there is nothing to add.
    fn recall(&mut self, _ctx: &mut Ctx<'_>, _invocation: &Invocation) -> bool {
        false
    }

    /// Names of this kind that begin with `prefix`, by `command::complete` of its table of kinds.
    fn complete(&self, _config: &Config, _kind: &str, _prefix: &str) -> Vec<String> {
        Vec::new()
    }

    /// Takes the reply to one of its own tickets.
    fn handle(&mut self, _ctx: &mut Ctx<'_>, _ticket: Ticket, _reply: Reply) {}

    /// Takes a batch of answers to its own SNMP requests.
    fn handle_snmp(&mut self, _ctx: &mut Ctx<'_>, _replies: Vec<SnmpReply>) {}

    /// The names of its rules as they are configured, for `test_alert` and `rule`.
    fn rules(&self, _config: &Config) -> Vec<String> {
        Vec::new()
    }

    /// The rule of this name, and the unit of its values.
    fn rule(&self, _config: &Config, _name: &str) -> Option<(Rule, &'static str)> {
        None
    }

    /// Judges a made-up value by one of its rules and reports what the rule would. All else that follows from it is
    /// thrown away, and its own state stays as it is. False when it has no such rule.
    fn test_alert(&mut self, _ctx: &mut Ctx<'_>, _rule: &str, _value: f64) -> bool {
        false
    }

    /// When it wants to act again.
    fn poll_timeout(&self) -> Option<Mono> {
        None
    }

    /// Acts on everything that is due.
    fn handle_timeout(&mut self, _ctx: &mut Ctx<'_>) {}

    /// The configuration in `ctx` is in force; `old` was until now.
    fn reload(&mut self, _ctx: &mut Ctx<'_>, _old: &Arc<Config>) {}

    /// The wall clock has been set for the first time, `by_ms` later than it was: times from before are to be corrected
    /// with `Wall::correct`.
    fn correct_times(&mut self, _by_ms: i64) {}

    /// The agent ends: store what is dirty.
    fn stop(&mut self, _ctx: &mut Ctx<'_>) {}

    /// A number that changes whenever `view` would show something new.
    fn revision(&self) -> u64 {
        0
    }

    /// The present view for readers; the same one as before while the revision has not changed.
    fn view(&mut self, _now: Now, _config: &Arc<Config>) -> Option<Arc<dyn View>> {
        None
    }
}

/// Makes a plugin.
pub type Make = fn(&Arc<Config>) -> Box<dyn Plugin>;

/// Makes the view of a plugin that does not run: its paths and counts are there in any case.
pub type Idle = fn(&Arc<Config>) -> Arc<dyn View>;

/// One capability: how its part of the configuration is read, and how it is made.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its tables.
    pub section: Section,
    /// `None` for a capability that this build does not have.
    pub make: Option<Make>,
    /// The view for readers while the plugin does not run.
    pub idle: Option<Idle>,
}

impl Row {
    const fn absent(name: &'static str, tables: &'static [&'static str]) -> Row {
        Row {
            section: Section::absent(name, tables),
            make: None,
            idle: None,
        }
    }
}

impl AsRef<Section> for Row {
    fn as_ref(&self) -> &Section {
        &self.section
    }
}

/// Every plugin. A new one is one folder and one row here.
pub const PLUGINS: &[Row] = &[
    Row {
        section: power::SECTION,
        make: Some(|config| Box::new(power::Power::new(config))),
        idle: Some(|config| Arc::new(power::PowerView::idle(config))),
    },
    Row {
        section: monitor::SECTION,
        make: Some(|config| Box::new(monitor::Monitor::new(config))),
        idle: Some(|config| Arc::new(monitor::MonitorView::idle(config))),
    },
    Row::absent("docker", &["docker"]),
    Row::absent("outline", &["outline"]),
    Row::absent("bridge", &["bridge", "matterbridge"]),
    Row::absent("hub", &["hub", "hub_api"]),
    Row::absent("digest", &["digest"]),
    Row::absent(
        "jobs",
        &[
            "jobs", "convert", "files", "reddit", "feed", "watch", "exec", "faces", "logins",
        ],
    ),
];

/// Plugins that are part of every agent and have no name in the configuration.
pub const HOUSE: &[Make] = &[chart::make];
