//! `/outlet`: switches outlets, one after the other, and reads back whether they are switched. Who asks is shown
//! first what hangs on them, read just then.

use super::errand::{Errand, Said, Work};
use super::excess::Watts;
use super::select::{Order, Verb, called, select};
use super::{Power, commands};
use crate::chat::{Answer, Button, Invocation};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::pdu::plan::{PlanSwitch, Sums, Target};
use crate::pdu::profile::RowKind;
use crate::pdu::{OutletReading, Plan, value};
use crate::plugins::power::settings;
use crate::snmp::SnmpAnswer;
use crate::text::Text;
use crate::time::{Human, Mono};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// So long an outlet may take to be what it was told to be …
const PATIENCE: Duration = Duration::from_secs(10);
/// … and to come back by itself: many devices keep it off for 5 or 10 s.
const CYCLE_PATIENCE: Duration = Duration::from_secs(30);
/// From one look at its state to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Without any answer an errand goes on after this.
const STALLED: Duration = Duration::from_secs(30);
/// Requests that are made to show what hangs on outlets.
const MAX_LOOKS: usize = 6;

/// Outlets being switched.
#[derive(Debug)]
pub(super) struct Switching {
    order: Order,
    /// What the rows belong to.
    plan: Arc<Plan>,
    steps: Vec<Step>,
    /// The step under way.
    at: usize,
    stage: Stage,
}

/// One outlet of a sequence.
#[derive(Clone, Debug)]
struct Step {
    /// Its row in the plan.
    row: usize,
    /// `outlet 3 (nas)`
    called: String,
    was_on: Option<bool>,
    drew_w: Option<f64>,
    /// What became of it.
    outcome: String,
}

#[derive(Debug)]
enum Stage {
    /// These requests are still to be made before it is shown what would be switched.
    Looking(VecDeque<usize>),
    /// The SET that lets the device take the next one is out.
    Unlocking,
    /// The SET is out.
    Setting,
    /// The state is read until it is as wanted.
    Reading {
        until: Mono,
        doubt: Option<String>,
        seen_off: bool,
    },
    /// The next outlet waits for its turn.
    Pausing,
    /// The agent ended while it was under way: nothing is written, the state is told.
    Recalled,
}

impl Power {
    pub(super) fn outlet(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let name = invocation.arg(0).unwrap_or_default();
        let mut pdus = settings(ctx.config).pdus.iter();
        let index = pdus.position(|pdu| *pdu.name == *name);
        let (Some(index), Some(order)) = (index, Order::of(&invocation.args)) else {
            return commands::usage(ctx, invocation);
        };
        let index = index as u32;
        let switching = match self.prepare(ctx, index, name, order) {
            Ok(switching) => Box::new(switching),
            Err(why) => {
                return ctx.answer(
                    &invocation.reply_to,
                    Answer::text(format!("{name}: {why}.")),
                );
            }
        };
        if invocation.confirmed {
            let words = format!("{} {}", switching.order.verb.doing(), switching.called());
            let work = Work::Outlets(switching);
            let errand = Errand::new(index, invocation, ctx.now.mono + STALLED, work);
            let at = self.begin_errand(ctx, errand, &words);
            return self.start_step(ctx, at);
        }
        let work = Work::Outlets(switching);
        let errand = Errand::new(index, invocation, ctx.now.mono + STALLED, work);
        self.errands.push(errand);
        self.look_on(ctx, self.errands.len() - 1);
    }

    /// What would be switched, or why it cannot be.
    fn prepare(
        &self,
        ctx: &Ctx<'_>,
        index: u32,
        name: &str,
        order: Order,
    ) -> Result<Switching, String> {
        let device = self.devices.get(index as usize);
        let plan = device.and_then(|device| device.plan.clone());
        let plan = plan.ok_or("the device has not been read yet")?;
        let extra = device.and_then(|device| device.extra.as_deref());
        let outlets = extra.map_or(&[][..], |extra| extra.reading.outlets.as_slice());
        if outlets.is_empty() {
            return Err("the device tells of no outlets".into());
        }
        if plan.switches.is_empty() {
            return Err("the outlets of this device cannot be switched".into());
        }
        let rows = select(&order.selection, outlets)?;
        let mut steps = Vec::with_capacity(rows.len());
        for row in rows {
            let outlet = &outlets[row];
            let called = called(outlet);
            match (switch(&plan, row), order.verb) {
                (None, _) => return Err(format!("{called} cannot be switched")),
                (Some(PlanSwitch { cycle: None, .. }), Verb::Cycle) => {
                    return Err(format!(
                        "{called} cannot be cycled by the device itself; switch it off and on"
                    ));
                }
                (Some(_), _) => steps.push(Step {
                    row,
                    called,
                    was_on: outlet.on,
                    drew_w: outlet.electric.power_w,
                    outcome: String::new(),
                }),
            }
        }
        self.write_target(ctx, index).map_err(|why| {
            format!(
                "outlets cannot be switched, because {why}; set it in the [[pdu]] table of {name}"
            )
        })?;
        let is_busy = self.errands.iter().any(|errand| {
            let is_running = |stage: &Stage| !matches!(stage, Stage::Looking(_) | Stage::Recalled);
            matches!(&errand.work, Work::Outlets(other) if errand.index == index && is_running(&other.stage))
        });
        if is_busy {
            return Err("outlets are being switched already".into());
        }
        let looks = looks(&plan, &steps);
        Ok(Switching {
            order,
            plan,
            steps,
            at: 0,
            stage: Stage::Looking(looks),
        })
    }

    fn switching_at(&mut self, at: usize) -> Option<(&mut Mono, &mut Switching)> {
        let errand = self.errands.get_mut(at)?;
        match &mut errand.work {
            Work::Outlets(switching) => Some((&mut errand.act_at, switching)),
            Work::Reset(_) => None,
        }
    }

    /// Reads the next rows that are to be shown; with none left they are.
    fn look_on(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let Some((_, switching)) = self.switching_at(at) else {
            return;
        };
        let Stage::Looking(looks) = &switching.stage else {
            return;
        };
        let part = looks
            .front()
            .and_then(|part| switching.plan.slow.get(*part));
        match part.map(|part| Arc::clone(&part.oids)) {
            Some(oids) => self.send_get(ctx, at, oids),
            None => self.show(ctx, at),
        }
    }

    /// Shows what hangs on the outlets, with the button that switches them.
    fn show(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let errand = self.errands.remove(at);
        let Work::Outlets(switching) = &errand.work else {
            return;
        };
        let (name, order) = (errand.name(), &switching.order);
        let reading = self.devices.get(errand.index as usize);
        let reading = reading.and_then(|device| device.extra.as_deref());
        let outlets = reading.map_or(&[][..], |extra| extra.reading.outlets.as_slice());
        let chosen: Vec<&OutletReading> = switching
            .steps
            .iter()
            .filter_map(|step| outlets.get(step.row))
            .collect();
        let numbers: Vec<String> = chosen.iter().map(|one| one.index.to_string()).collect();
        let mut line = format!(
            "/outlet {} {} {}",
            crate::chat::grammar::quote(name),
            numbers.join(","),
            order.verb.name()
        );
        if chosen.len() > 1 {
            let pause = crate::config::units::format_duration(order.pause);
            let _ = write!(line, " {}", pause.replace(' ', ""));
        }
        let what = match &chosen[..] {
            [one] => called(one),
            several => format!("{} outlets", several.len()),
        };
        let answer = Answer {
            text: shown(name, order, &chosen),
            buttons: vec![vec![Button::confirm(
                format!("{} {what} of {name}", order.verb.label()),
                line,
            )]],
            ..Answer::default()
        };
        ctx.answer(&errand.invocation.reply_to, answer);
    }

    /// Sends the SET of the step whose turn it is.
    fn start_step(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let now = ctx.now.mono;
        let Some(index) = self.errands.get(at).map(|errand| errand.index) else {
            return;
        };
        let device = self.devices.get(index as usize);
        let present = device.and_then(|device| device.plan.clone());
        let Some((act_at, switching)) = self.switching_at(at) else {
            return;
        };
        *act_at = now + STALLED;
        let is_unlocked = matches!(switching.stage, Stage::Unlocking);
        // Another device, or the same one with other rows: the number may mean another outlet.
        let is_same = present.is_some_and(|plan| *plan == *switching.plan);
        let step = switching.steps.get(switching.at);
        let switch = step
            .filter(|_| is_same)
            .and_then(|step| switch(&switching.plan, step.row));
        let unlock = switch.and_then(|switch| switch.unlock.clone());
        let (stage, set) = match unlock.filter(|_| !is_unlocked) {
            Some(unlock) => (Stage::Unlocking, Some(unlock)),
            None => {
                let set = switch.and_then(|switch| switching.order.verb.set(switch).cloned());
                (Stage::Setting, set)
            }
        };
        switching.stage = stage;
        let sent = match set {
            Some(set) => self.send_set(ctx, at, set),
            None => Err("the device has changed meanwhile"),
        };
        if let Err(why) = sent {
            self.end_step(ctx, at, &format!("was not switched: {why}"), false);
        }
    }

    /// Takes what the device made of a SET: its state will tell, unless it refused.
    pub(super) fn handle_switch_said(&mut self, ctx: &mut Ctx<'_>, at: usize, said: Said) {
        let stage = self.switching_at(at).map(|(_, switching)| &switching.stage);
        let is_unlocking = matches!(stage, Some(Stage::Unlocking));
        let doubt = match said {
            // A lock may read as locked all the time.
            Said::Taken | Said::Differs(_) if is_unlocking => return self.start_step(ctx, at),
            Said::Nothing(why) if is_unlocking => {
                let outcome = format!("was not switched: it could not be unlocked: {why}");
                return self.end_step(ctx, at, &outcome, false);
            }
            Said::Taken => None,
            Said::Differs(how) => Some(how),
            Said::Nothing(why) => Some(why),
            Said::Refused(why) => {
                let outcome = format!("was not switched: the device refused: {why}");
                return self.end_step(ctx, at, &outcome, false);
            }
        };
        let now = ctx.now.mono;
        let Some((_, switching)) = self.switching_at(at) else {
            return;
        };
        let patience = match switching.order.verb {
            Verb::On | Verb::Off => PATIENCE,
            Verb::Cycle => CYCLE_PATIENCE,
        };
        switching.stage = Stage::Reading {
            until: now + patience,
            doubt,
            seen_off: false,
        };
        self.read_state(ctx, at);
    }

    fn read_state(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let now = ctx.now.mono;
        let Some((act_at, switching)) = self.switching_at(at) else {
            return;
        };
        *act_at = now + LOOK_EVERY;
        let step = switching.steps.get(switching.at);
        let switch = step.and_then(|step| switch(&switching.plan, step.row));
        if let Some(state) = switch.map(|switch| switch.state.clone()) {
            self.send_get(ctx, at, [state].into());
        }
    }

    /// Takes the answer to a question about outlets.
    pub(super) fn handle_outlets_read(
        &mut self,
        ctx: &mut Ctx<'_>,
        at: usize,
        result: &Result<SnmpAnswer, Fault>,
    ) {
        let values = match result {
            Ok(SnmpAnswer::Values(values)) => Some(values),
            Ok(SnmpAnswer::Binds(_) | SnmpAnswer::Error { .. }) | Err(_) => None,
        };
        let Some(index) = self.errands.get(at).map(|errand| errand.index) else {
            return;
        };
        let Some((_, switching)) = self.switching_at(at) else {
            return;
        };
        let plan = Arc::clone(&switching.plan);
        match &mut switching.stage {
            Stage::Looking(looks) => {
                let part = looks.pop_front().and_then(|part| plan.slow.get(part));
                let device = self.devices.get_mut(index as usize);
                let is_same = |known: &Arc<Plan>| **known == *plan;
                let extra = device
                    .filter(|device| device.plan.as_ref().is_some_and(is_same))
                    .and_then(|device| device.extra.as_deref_mut());
                if let (Some(part), Some(values), Some(extra)) = (part, values, extra) {
                    Plan::decode(part, values, &mut Sums::default(), &mut extra.reading);
                    self.outlets_revision += 1;
                }
                self.look_on(ctx, at);
            }
            Stage::Reading { .. } => {
                let row = switching.steps.get(switching.at).map(|step| step.row);
                let on = row
                    .and_then(|row| switch(&plan, row))
                    .zip(values.and_then(|values| values.first()))
                    .and_then(|(switch, value)| value::switch(value, switch.form));
                if let (Some(row), Some(on)) = (row, on) {
                    self.note_state(index, &plan, row, on);
                }
                self.judge_step(ctx, at, on);
            }
            Stage::Unlocking | Stage::Setting | Stage::Pausing | Stage::Recalled => {}
        }
    }

    /// What was read back is what everybody sees from now on.
    fn note_state(&mut self, index: u32, plan: &Plan, row: usize, on: bool) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        if device.plan.as_deref() != Some(plan) {
            return;
        }
        let extra = device.extra.as_deref_mut();
        if let Some(outlet) = extra.and_then(|extra| extra.reading.outlets.get_mut(row)) {
            outlet.on = Some(on);
            self.outlets_revision += 1;
            self.revision += 1;
        }
    }

    /// Decides whether an outlet is as it was told to be, is not, or may still become so.
    fn judge_step(&mut self, ctx: &mut Ctx<'_>, at: usize, on: Option<bool>) {
        let now = ctx.now.mono;
        let Some((_, switching)) = self.switching_at(at) else {
            return;
        };
        let (verb, step) = (switching.order.verb, switching.steps.get(switching.at));
        let (
            Some(step),
            Stage::Reading {
                until,
                doubt,
                seen_off,
            },
        ) = (step, &mut switching.stage)
        else {
            return;
        };
        *seen_off |= on == Some(false);
        let is_done = match verb {
            Verb::On => on == Some(true),
            Verb::Off => on == Some(false),
            Verb::Cycle => on == Some(true) && *seen_off,
        };
        if !is_done && now < *until {
            return;
        }
        let outcome = match is_done {
            true => done_words(verb, step, doubt.as_deref()),
            false => failed_words(verb, on, *seen_off, doubt.as_deref()),
        };
        // A cycle that nobody saw may have happened between two looks.
        let is_done = is_done || (verb == Verb::Cycle && on == Some(true) && doubt.is_none());
        self.end_step(ctx, at, &outcome, is_done);
    }

    /// One outlet is done with: the next one has its turn, or all is told.
    fn end_step(&mut self, ctx: &mut Ctx<'_>, at: usize, outcome: &str, is_done: bool) {
        let now = ctx.now.mono;
        let Some((act_at, switching)) = self.switching_at(at) else {
            return;
        };
        if let Some(step) = switching.steps.get_mut(switching.at) {
            step.outcome = format!("{} {outcome}", step.called);
        }
        switching.at += 1;
        if is_done && switching.at < switching.steps.len() {
            switching.stage = Stage::Pausing;
            *act_at = now + switching.order.pause;
            return;
        }
        let outcome = switching.told();
        self.conclude(ctx, at, "power.outlet", &outcome);
    }

    /// The time of an errand has come.
    pub(super) fn advance_outlets(&mut self, ctx: &mut Ctx<'_>, at: usize, is_gone: bool) {
        let now = ctx.now.mono;
        let is_waiting = self.errands.get(at).is_some_and(Errand::is_waiting);
        let Some((act_at, switching)) = self.switching_at(at) else {
            return;
        };
        match switching.stage {
            Stage::Recalled => self.finish_recalled_outlets(ctx, at),
            _ if is_gone => {
                let why = "was not switched: the PDU was removed from the configuration";
                self.end_step(ctx, at, why, false);
            }
            Stage::Looking(_) => self.show(ctx, at),
            Stage::Pausing => self.start_step(ctx, at),
            Stage::Reading { until, .. } if now >= until + PATIENCE => {
                self.judge_step(ctx, at, None);
            }
            _ if is_waiting => *act_at = now + LOOK_EVERY,
            Stage::Reading { .. } => self.read_state(ctx, at),
            // Its answer, or that there was none, is always told.
            Stage::Unlocking | Stage::Setting => *act_at = now + STALLED,
        }
    }

    /// Tells the state with the first reading, after switching that the end of the agent interrupted.
    pub(super) fn recall_outlet(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) -> bool {
        let name = invocation.arg(0);
        let mut pdus = settings(ctx.config).pdus.iter();
        let index = pdus.position(|pdu| Some(&*pdu.name) == name);
        let (Some(index), Some(order)) = (index, Order::of(&invocation.args)) else {
            return false;
        };
        if !invocation.confirmed {
            let line = invocation.line();
            let text =
                format!("The agent ended before it could show {line}. Nothing was switched.");
            ctx.answer(&invocation.reply_to, Answer::text(text));
            return true;
        }
        let switching = Switching {
            order,
            plan: Arc::default(),
            steps: Vec::new(),
            at: 0,
            stage: Stage::Recalled,
        };
        let work = Work::Outlets(Box::new(switching));
        let give_up = ctx.now.mono + STALLED;
        self.errands
            .push(Errand::new(index as u32, invocation, give_up, work));
        true
    }

    /// A reading has come: what was interrupted can be told.
    pub(super) fn check_recalled_outlets(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let is_recalled = self
            .switching_at(at)
            .is_some_and(|(_, switching)| matches!(switching.stage, Stage::Recalled));
        if is_recalled {
            self.finish_recalled_outlets(ctx, at);
        }
    }

    fn finish_recalled_outlets(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let errand = self.errands.remove(at);
        let Work::Outlets(switching) = &errand.work else {
            return;
        };
        let device = self.devices.get(errand.index as usize);
        let extra = device.and_then(|device| device.extra.as_deref());
        let outlets = extra.map_or(&[][..], |extra| extra.reading.outlets.as_slice());
        let states: Vec<String> = select(&switching.order.selection, outlets)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|row| {
                let outlet = outlets.get(row)?;
                Some(format!("{} is {}", called(outlet), state(outlet.on?)))
            })
            .collect();
        let name = errand.name();
        let state = match states.is_empty() {
            true => format!("{name} has not said its state since; /outlets shows it when it does."),
            false => format!("{name}: {} now.", states.join(", ")),
        };
        let text = format!("{} {state}", errand.invocation.outcome_unknown());
        ctx.answer(&errand.invocation.reply_to, Answer::text(text));
    }
}

impl Switching {
    fn called(&self) -> String {
        match &self.steps[..] {
            [one] => one.called.clone(),
            several => format!("{} outlets", several.len()),
        }
    }

    /// The outcomes, and what was not tried any more.
    fn told(&self) -> String {
        let (tried, untried) = self.steps.split_at(self.at.min(self.steps.len()));
        let mut told: Vec<&str> = tried.iter().map(|step| &*step.outcome).collect();
        let names: Vec<&str> = untried.iter().map(|step| &*step.called).collect();
        let rest = format!("not tried after that: {}", names.join(", "));
        if !names.is_empty() {
            told.push(&rest);
        }
        told.join("; ")
    }
}

fn switch(plan: &Plan, row: usize) -> Option<&PlanSwitch> {
    plan.switches.get(row)?.as_ref()
}

/// The slow requests that tell of these outlets.
fn looks(plan: &Plan, steps: &[Step]) -> VecDeque<usize> {
    let is_about = |target: &Target| match target {
        Target::Row {
            kind: RowKind::Outlet,
            row,
            ..
        } => steps.iter().any(|step| step.row == usize::from(*row)),
        _ => false,
    };
    (0..)
        .zip(&plan.slow)
        .filter(|(_, part)| part.cells.iter().any(|cell| is_about(&cell.target)))
        .map(|(at, _)| at)
        .take(MAX_LOOKS)
        .collect()
}

fn state(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// `is on and draws 143 W`
fn now_words(outlet: &OutletReading) -> String {
    let mut words = match outlet.on {
        Some(on) => format!("is {}", state(on)),
        None => "does not tell its state".to_owned(),
    };
    match (outlet.electric.power_w, outlet.electric.current_a) {
        (Some(power_w), _) => drop(write!(words, " and draws {}", Watts(power_w))),
        (None, Some(current_a)) => drop(write!(words, " and draws {current_a} A")),
        (None, None) => {}
    }
    words
}

fn shown(name: &str, order: &Order, chosen: &[&OutletReading]) -> Text {
    let effect = order.verb.effect();
    if let [outlet] = chosen {
        let called = called(outlet);
        let words = now_words(outlet);
        return Text::from(format!("{name}: {called} {words}. {effect}"));
    }
    let mut list = String::new();
    for outlet in chosen {
        let _ = writeln!(list, "{} {}", called(outlet), now_words(outlet));
    }
    let known: Vec<f64> = chosen
        .iter()
        .filter_map(|outlet| outlet.electric.power_w)
        .collect();
    let together = match known.is_empty() {
        true => String::new(),
        false => format!(" Together they draw {}.", Watts(known.iter().sum())),
    };
    Text::from(format!(
        "{name}, in this order, {} apart:",
        Human(order.pause)
    ))
    .pre(list.trim_end().to_owned())
    .plain(format!("{effect}{together}"))
}

fn done_words(verb: Verb, step: &Step, doubt: Option<&str>) -> String {
    let mut words = match (verb, step.was_on) {
        (Verb::On, Some(true)) => "is on, as it was before".to_owned(),
        (Verb::Off, Some(false)) => "is off, as it was before".to_owned(),
        (Verb::On, _) => "is on".to_owned(),
        (Verb::Off, _) => "is off".to_owned(),
        (Verb::Cycle, _) => "was off and is on again".to_owned(),
    };
    let drew = step.drew_w.filter(|_| step.was_on != Some(false));
    if let (Some(drew_w), Verb::Off | Verb::Cycle) = (drew, verb) {
        let _ = write!(words, ", it drew {} before", Watts(drew_w));
    }
    if let Some(doubt) = doubt {
        let _ = write!(words, " ({doubt})");
    }
    words
}

fn failed_words(verb: Verb, on: Option<bool>, seen_off: bool, doubt: Option<&str>) -> String {
    let took = doubt.unwrap_or("the device took the SET");
    match (verb, on) {
        (Verb::Cycle, Some(true)) if doubt.is_none() => {
            "is on; the device took the SET, but was never seen to switch it off".to_owned()
        }
        (Verb::Cycle, _) if seen_off => {
            let now = on.map_or("its state is not known now", |_| "it is still off");
            format!("was switched off, but {now}")
        }
        (_, Some(on)) => format!("was not switched: {took}, but it is still {}", state(on)),
        (_, None) => format!("may have been switched: {took}, but its state cannot be read"),
    }
}
