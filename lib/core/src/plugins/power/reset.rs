//! `/reset`: makes a device forget its peak or its energy, and reads back whether it did. Whether it worked is told
//! by the reading, not by the answer.

use super::device::Figures;
use super::errand::{Errand, Said, Work};
use super::excess::{Watts, pdu_name};
use super::{Power, SavedPeak, commands};
use crate::chat::{Answer, Button, Invocation, Role};
use crate::ctx::Ctx;
use crate::pdu::{DeviceTime, Plan};
use crate::plugins::power::settings;
use crate::snmp::VarBind;
use crate::text::Text;
use crate::time::Now;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Readings within which the meter must have fallen.
const READ_BACKS: u32 = 5;
/// Without readings the errand ends after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reset under way.
#[derive(Debug)]
pub(super) struct Reset {
    meter: Meter,
    before: Option<f64>,
    before_at: Option<DeviceTime>,
    /// SETs still to send.
    sets: VecDeque<VarBind>,
    /// What the device said, if it was not plain success.
    doubt: Option<String>,
    read_backs: u32,
    /// The agent ended while it was under way: nothing is written, the state is told.
    is_recalled: bool,
}

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meter {
    Peak,
    Energy,
}

impl Meter {
    /// The words behind the name of the PDU; `None` when they mean nothing.
    fn of(invocation: &Invocation) -> Option<Meter> {
        match (invocation.arg(1), invocation.arg(2)) {
            (None, _) | (Some("peak"), None) => Some(Meter::Peak),
            (Some("energy"), None) => Some(Meter::Energy),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Meter::Peak => "peak",
            Meter::Energy => "energy",
        }
    }

    fn sets(self, plan: &Plan) -> &[VarBind] {
        match self {
            Meter::Peak => &plan.peak_reset,
            Meter::Energy => &plan.energy_reset,
        }
    }

    fn read(self, figures: &Figures) -> Option<f64> {
        match self {
            Meter::Peak => figures.peak_w,
            Meter::Energy => figures.energy_kwh,
        }
    }

    fn shown(self, value: f64) -> String {
        match self {
            Meter::Peak => Watts(value).to_string(),
            Meter::Energy => format!("{value:.1} kWh"),
        }
    }

    /// The line that asks for it.
    fn line(self, pdu: &str) -> String {
        let pdu = crate::chat::grammar::quote(pdu);
        match self {
            Meter::Peak => format!("/reset {pdu}"),
            Meter::Energy => format!("/reset {pdu} energy"),
        }
    }
}

impl Power {
    pub(super) fn reset(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let config = Arc::clone(ctx.config);
        let Some(name) = invocation.arg(0) else {
            return choose(ctx, invocation);
        };
        let index = settings(&config)
            .pdus
            .iter()
            .position(|pdu| *pdu.name == *name);
        let (Some(index), Some(meter)) = (index, Meter::of(invocation)) else {
            return commands::usage(ctx, invocation);
        };
        let index = index as u32;
        if self.is_resetting(index, meter) {
            let text = format!("The {} of {name} is being reset already.", meter.name());
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        let obstacle = self.why_not_on_device(ctx, index, meter);
        match (obstacle, meter) {
            (Some(why), Meter::Energy) => {
                let text = format!("The energy of {name} cannot be reset: {why}.");
                ctx.answer(&invocation.reply_to, Answer::text(text));
            }
            (obstacle, _) if !invocation.confirmed => {
                self.spell_out(ctx, invocation, index, meter, obstacle);
            }
            (Some(why), Meter::Peak) => {
                self.start_anew(ctx, index);
                let outcome = format!("only the agent's own peak was reset: {why}");
                ctx.audit(invocation, format!("power.reset:{name}"), outcome.clone());
                let text = format!("{name}: {outcome}.");
                ctx.answer(&invocation.reply_to, Answer::text(text));
            }
            (None, _) => self.begin_reset(ctx, invocation, index, meter),
        }
    }

    fn is_resetting(&self, index: u32, meter: Meter) -> bool {
        self.errands.iter().any(|errand| match &errand.work {
            Work::Reset(reset) => {
                errand.index == index && reset.meter == meter && !reset.is_recalled
            }
            Work::Outlets(_) => false,
        })
    }

    /// True while a falling energy meter is what somebody asked for.
    pub(super) fn is_resetting_energy(&self, index: u32) -> bool {
        self.is_resetting(index, Meter::Energy)
    }

    /// Says what would happen, with the button that makes it happen.
    fn spell_out(
        &self,
        ctx: &mut Ctx<'_>,
        invocation: &Invocation,
        index: u32,
        meter: Meter,
        obstacle: Option<&str>,
    ) {
        let name = invocation.arg(0).unwrap_or_default();
        let view = &self.devices[index as usize].view;
        let value = match meter {
            Meter::Peak => view.peak_w,
            Meter::Energy => view.energy_kwh,
        };
        let what = meter.name();
        let value = match value {
            Some(value) => format!("The {what} of {name} is {}. ", meter.shown(value)),
            None => format!("The {what} of {name} is not known. "),
        };
        let effect = match (obstacle, meter) {
            (Some(why), _) => format!("Only the agent's own peak would start anew: {why}."),
            (None, Meter::Peak) => "Resetting writes to the device, which forgets it, and the agent's own peak starts anew.".to_owned(),
            (None, Meter::Energy) => "Resetting writes to the device, whose meter counts from zero again. What it has counted is gone.".to_owned(),
        };
        let answer = Answer {
            text: Text::from(value + &effect),
            buttons: vec![vec![Button::confirm(
                format!("Reset the {what} of {name}"),
                meter.line(name),
            )]],
            ..Answer::default()
        };
        ctx.answer(&invocation.reply_to, answer);
    }

    /// Why a reset cannot be written to the device; `None` when it can.
    fn why_not_on_device(&self, ctx: &Ctx<'_>, index: u32, meter: Meter) -> Option<&'static str> {
        let plan = self.devices.get(index as usize)?.plan.as_ref();
        match (plan, meter) {
            (None, _) => Some("the device has not been read yet"),
            (Some(plan), Meter::Peak) if plan.peak_reset.is_empty() => {
                Some("the device has no peak that can be reset")
            }
            (Some(plan), Meter::Energy) if plan.energy_reset.is_empty() => {
                Some("the device has no energy meter that can be reset")
            }
            (Some(_), _) => self.write_target(ctx, index).err(),
        }
    }

    fn begin_reset(
        &mut self,
        ctx: &mut Ctx<'_>,
        invocation: &Invocation,
        index: u32,
        meter: Meter,
    ) {
        let Some(device) = self.devices.get(index as usize) else {
            return;
        };
        let plan = device.plan.as_deref();
        let sets = plan.map_or(&[][..], |plan| meter.sets(plan));
        let reset = Reset {
            meter,
            before: match meter {
                Meter::Peak => device.before.device_peak_w,
                Meter::Energy => device.before.energy_kwh,
            },
            before_at: device.before.device_peak_at,
            sets: sets.iter().cloned().collect(),
            doubt: None,
            read_backs: READ_BACKS,
            is_recalled: false,
        };
        let give_up = ctx.now.mono + PATIENCE;
        let errand = Errand::new(index, invocation, give_up, Work::Reset(reset));
        let at = self.begin_errand(ctx, errand, "writing the reset to the device");
        self.send_next_reset(ctx, at);
    }

    /// Tells the state with the first reading, after a reset that the end of the agent interrupted.
    pub(super) fn recall_reset(&mut self, ctx: &Ctx<'_>, invocation: &Invocation) -> bool {
        let name = invocation.arg(0);
        let mut pdus = settings(ctx.config).pdus.iter();
        let index = pdus.position(|pdu| Some(&*pdu.name) == name);
        let (Some(index), Some(meter)) = (index, Meter::of(invocation)) else {
            return false;
        };
        let reset = Reset {
            meter,
            before: None,
            before_at: None,
            sets: VecDeque::new(),
            doubt: None,
            read_backs: 0,
            is_recalled: true,
        };
        let give_up = ctx.now.mono + PATIENCE;
        let work = Work::Reset(reset);
        self.errands
            .push(Errand::new(index as u32, invocation, give_up, work));
        true
    }

    fn finish_recalled(&mut self, ctx: &mut Ctx<'_>, at: usize, meter: Meter, value: Option<f64>) {
        let errand = self.errands.remove(at);
        let (name, what) = (errand.name(), meter.name());
        let state = match (value, meter) {
            (Some(value), _) => format!("The {what} of {name} is {} now.", meter.shown(value)),
            (None, Meter::Peak) => {
                format!("{name} has not said its peak since; /peaks shows it when it does.")
            }
            (None, Meter::Energy) => {
                format!("{name} has not said its energy since; /energy shows it when it does.")
            }
        };
        let text = format!("{} {state}", errand.invocation.outcome_unknown());
        ctx.answer(&errand.invocation.reply_to, Answer::text(text));
    }

    fn reset_at(&mut self, at: usize) -> Option<&mut Reset> {
        match &mut self.errands.get_mut(at)?.work {
            Work::Reset(reset) => Some(reset),
            Work::Outlets(_) => None,
        }
    }

    /// Sends the next SET of a reset. With none left, readings decide.
    fn send_next_reset(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let Some(set) = self.reset_at(at).and_then(|reset| reset.sets.pop_front()) else {
            return;
        };
        if let Err(why) = self.send_set(ctx, at, set) {
            if let Some(reset) = self.reset_at(at) {
                reset.doubt = Some(why.to_owned());
            }
        }
    }

    /// Takes what the device made of a SET.
    pub(super) fn handle_reset_said(&mut self, ctx: &mut Ctx<'_>, at: usize, said: Said) {
        let Some(reset) = self.reset_at(at) else {
            return;
        };
        match said {
            Said::Refused(why) => {
                return self.finish_failed(ctx, at, &format!("the device refused: {why}"));
            }
            // Command objects read as they like: the meter will tell.
            Said::Taken | Said::Differs(_) => reset.read_backs = READ_BACKS,
            Said::Nothing(why) => reset.doubt = Some(why),
        }
        self.send_next_reset(ctx, at);
        self.end_without_reading(ctx, at);
    }

    /// A device whose meter cannot be read (the peak of several units) cannot prove anything.
    fn end_without_reading(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let is_waiting = self.errands.get(at).is_some_and(Errand::is_waiting);
        let Some(reset) = self.reset_at(at) else {
            return;
        };
        if reset.before.is_some() || is_waiting {
            return;
        }
        let outcome = match &reset.doubt {
            Some(doubt) => doubt.clone(),
            None => format!(
                "the device took the reset; it has no single {} that could be read back",
                reset.meter.name()
            ),
        };
        self.finish_reset(ctx, at, &outcome, true);
    }

    /// Looks after a reading whether the meter has fallen.
    pub(super) fn check_reset(
        &mut self,
        ctx: &mut Ctx<'_>,
        position: usize,
        figures: &Figures,
        at: Now,
    ) {
        let Some(errand) = self.errands.get(position) else {
            return;
        };
        let (index, give_up) = (errand.index, errand.act_at);
        let Some(reset) = self.reset_at(position) else {
            return;
        };
        let meter = reset.meter;
        let now = meter.read(figures);
        if reset.is_recalled {
            let own = self.devices.get(index as usize);
            let own = own.and_then(|device| device.view.peak_w);
            let own = own.filter(|_| meter == Meter::Peak);
            return self.finish_recalled(ctx, position, meter, now.or(own));
        }
        let (Some(before), Some(value)) = (reset.before, now) else {
            return;
        };
        let (what, shown) = (meter.name(), meter.shown(value));
        let is_new =
            meter == Meter::Peak && figures.peak_at.is_some() && figures.peak_at != reset.before_at;
        if value < before || is_new {
            let before = meter.shown(before);
            let outcome = format!("{what} reset on the device: {before} → {shown}");
            return self.finish_reset(ctx, position, &outcome, true);
        }
        let is_at_peak = meter == Meter::Peak && figures.power_w.is_some_and(|w| w >= before);
        if is_at_peak {
            let outcome =
                format!("the device took the reset; it draws {shown} now, as much as its peak");
            return self.finish_reset(ctx, position, &outcome, true);
        }
        reset.read_backs = reset.read_backs.saturating_sub(1);
        if reset.read_backs == 0 || at.mono >= give_up {
            let doubt = reset.doubt.take();
            let why = doubt.unwrap_or_else(|| {
                format!("the device took the reset, but its {what} still reads {shown}")
            });
            self.finish_failed(ctx, position, &why);
        }
    }

    /// Ends a reset whose device gives no readings any more.
    pub(super) fn expire_reset(&mut self, ctx: &mut Ctx<'_>, at: usize, is_gone: bool) {
        let Some(reset) = self.reset_at(at) else {
            return;
        };
        if reset.is_recalled {
            let meter = reset.meter;
            return self.finish_recalled(ctx, at, meter, None);
        }
        let why = match &reset.doubt {
            _ if is_gone => "the PDU was removed from the configuration",
            Some(doubt) => doubt,
            None => "the reset was written, but the device gives no reading to check it",
        };
        let why = why.to_owned();
        self.finish_failed(ctx, at, &why);
    }

    fn finish_failed(&mut self, ctx: &mut Ctx<'_>, at: usize, why: &str) {
        self.finish_reset(ctx, at, &format!("not reset: {why}"), false);
    }

    fn finish_reset(&mut self, ctx: &mut Ctx<'_>, at: usize, outcome: &str, done: bool) {
        let errand = self.conclude(ctx, at, "power.reset", outcome);
        let is_peak = matches!(&errand.work, Work::Reset(reset) if reset.meter == Meter::Peak);
        if done && is_peak {
            self.start_anew(ctx, errand.index);
        }
    }

    /// The agent's own peak starts anew with the present power.
    fn start_anew(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let view = &mut device.view;
        let present = view.power_w.filter(|_| super::history::is_live(view.state));
        device.peak = present.map(|w| (w, ctx.now.wall));
        if !view.peak_is_devices {
            view.peak_w = present;
            view.peak_time = present.map(|_| ctx.now.wall);
        }
        device.is_dirty = false;
        let saved = SavedPeak {
            w: present,
            at: ctx.now.wall,
            device_w: device.before.device_peak_w,
            limit_w: device.view.device_limit_w,
        };
        let name = pdu_name(ctx.config, index).to_owned();
        ctx.state.put_durable("power.peak", &name, &saved);
        self.revision += 1;
    }
}

/// Buttons for the PDUs that the caller may reset.
fn choose(ctx: &mut Ctx<'_>, invocation: &Invocation) {
    let caller = &invocation.caller;
    let may = |name: &str| {
        ctx.access
            .may(ctx.now.wall, caller, "power.reset", name, Role::Operator)
    };
    let buttons: Vec<Vec<Button>> = settings(ctx.config)
        .pdus
        .iter()
        .filter(|pdu| may(&pdu.name))
        .take(MAX_BUTTONS)
        .map(|pdu| {
            let command = format!("/reset {}", crate::chat::grammar::quote(&pdu.name));
            Button::choice(pdu.name.to_string(), command)
        })
        .collect::<Vec<_>>()
        .chunks(3)
        .map(<[Button]>::to_vec)
        .collect();
    let text = match (buttons.is_empty(), settings(ctx.config).pdus.len()) {
        (true, 0) => "No PDU is configured.",
        (true, _) => "There is no PDU that you may reset.",
        (false, count) if count > MAX_BUTTONS => "Which one? For others write /reset NAME.",
        (false, _) => "Reset the peak of which PDU?",
    };
    let answer = Answer {
        text: text.into(),
        buttons,
        ..Answer::default()
    };
    ctx.answer(&invocation.reply_to, answer);
}

/// Buttons under one message.
const MAX_BUTTONS: usize = 60;
