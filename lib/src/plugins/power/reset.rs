//! `/reset`: makes a device forget its peak, and reads back whether it did. A SET is sent once; whether it
//! worked is told by the peak, not by the answer.

use super::device::Figures;
use super::excess::{Watts, pdu_name};
use super::{Power, SavedPeak, commands};
use crate::chat::{Answer, Button, Invocation, Role};
use crate::ctx::Ctx;
use crate::effect::{Effect, Ticket};
use crate::pdu::DeviceTime;
use crate::snmp::{Credentials, SnmpAnswer, SnmpAsk, SnmpReply, SnmpRequest, SnmpTarget, VarBind};
use crate::text::Text;
use crate::time::{Mono, Now};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Readings within which the peak must have fallen.
const READ_BACKS: u32 = 5;
/// Without readings the job ends after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reset under way.
#[derive(Debug)]
pub(super) struct Job {
    index: u32,
    invocation: Invocation,
    before_w: Option<f64>,
    before_at: Option<DeviceTime>,
    /// SETs still to send.
    sets: VecDeque<VarBind>,
    /// The SET that is out.
    waits_for: Option<(Ticket, VarBind)>,
    /// What the device said, if it was not plain success.
    doubt: Option<String>,
    read_backs: u32,
    give_up: Mono,
    is_gone: bool,
    /// The agent ended while it was under way: nothing is written, the peak is told.
    is_recalled: bool,
}

impl Power {
    pub(super) fn reset(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let config = Arc::clone(ctx.config);
        let Some(name) = invocation.arg(0) else {
            return choose(ctx, invocation);
        };
        let Some(index) = config.pdus.iter().position(|pdu| *pdu.name == *name) else {
            return commands::usage(ctx, invocation);
        };
        let index = index as u32;
        if self
            .resets
            .iter()
            .any(|job| job.index == index && !job.is_recalled)
        {
            let text = format!("The peak of {name} is being reset already.");
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        if invocation.confirmed {
            self.begin_reset(ctx, invocation, index);
        } else {
            self.spell_out(ctx, invocation, index, name);
        }
    }

    /// Says what would happen, with the button that makes it happen.
    fn spell_out(&self, ctx: &mut Ctx<'_>, invocation: &Invocation, index: u32, name: &str) {
        let device = &self.devices[index as usize];
        let peak = match device.view.peak_w {
            Some(w) => format!("The peak of {name} is {}. ", Watts(w)),
            None => format!("The peak of {name} is not known. "),
        };
        let effect = match self.why_not_on_device(ctx, index) {
            None => "Resetting writes to the device, which forgets it, and the agent's own peak starts anew.".to_owned(),
            Some(why) => format!("Only the agent's own peak would start anew: {why}."),
        };
        let answer = Answer {
            text: Text::from(peak + &effect),
            buttons: vec![vec![Button::confirm(
                format!("Reset the peak of {name}"),
                format!("/reset {}", crate::chat::grammar::quote(name)),
            )]],
            ..Answer::default()
        };
        ctx.answer(&invocation.reply_to, answer);
    }

    /// Why a reset cannot be written to the device; `None` when it can.
    fn why_not_on_device(&self, ctx: &Ctx<'_>, index: u32) -> Option<&'static str> {
        let device = self.devices.get(index as usize)?;
        let config = ctx.config.pdus.get(index as usize)?;
        let can = device
            .plan
            .as_ref()
            .is_some_and(|plan| !plan.peak_reset.is_empty());
        if device.plan.is_none() {
            Some("the device has not been read yet")
        } else if !can {
            Some("the device has no peak that can be reset")
        } else if config.write.is_none() {
            Some("no write_community or write_v3 is configured for it")
        } else {
            None
        }
    }

    fn begin_reset(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation, index: u32) {
        let name = pdu_name(ctx.config, index).to_owned();
        let action = format!("power.reset:{name}");
        if let Some(why) = self.why_not_on_device(ctx, index) {
            self.start_anew(ctx, index);
            let outcome = format!("only the agent's own peak was reset: {why}");
            ctx.audit(invocation, action, outcome.clone());
            let text = format!("{name}: {outcome}.");
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        let Some(device) = self.devices.get(index as usize) else {
            return;
        };
        let sets = device
            .plan
            .iter()
            .flat_map(|plan| plan.peak_reset.iter().cloned())
            .collect();
        let job = Job {
            index,
            invocation: invocation.clone(),
            before_w: device.before.device_peak_w,
            before_at: device.before.device_peak_at,
            sets,
            waits_for: None,
            doubt: None,
            read_backs: READ_BACKS,
            give_up: ctx.now.mono + PATIENCE,
            is_gone: false,
            is_recalled: false,
        };
        ctx.answer(
            &invocation.reply_to,
            Answer {
                more_follows: true,
                ..Answer::text(format!("{name}: writing the reset to the device …"))
            },
        );
        self.resets.push(job);
        self.send_set(ctx, self.resets.len() - 1);
    }

    /// Tells the peak with the first reading, after a reset that the end of the agent interrupted.
    pub(super) fn recall_reset(&mut self, ctx: &Ctx<'_>, invocation: &Invocation) -> bool {
        let name = invocation.arg(0);
        let mut pdus = ctx.config.pdus.iter();
        let Some(index) = pdus.position(|pdu| Some(&*pdu.name) == name) else {
            return false;
        };
        self.resets.push(Job {
            index: index as u32,
            invocation: invocation.clone(),
            before_w: None,
            before_at: None,
            sets: VecDeque::new(),
            waits_for: None,
            doubt: None,
            read_backs: 0,
            give_up: ctx.now.mono + PATIENCE,
            is_gone: false,
            is_recalled: true,
        });
        true
    }

    fn finish_recalled(&mut self, ctx: &mut Ctx<'_>, at: usize, peak_w: Option<f64>) {
        let job = self.resets.remove(at);
        let name = job.invocation.arg(0).unwrap_or_default();
        let state = match peak_w {
            Some(peak_w) => format!("The peak of {name} is {} now.", Watts(peak_w)),
            None => format!("{name} has not said its peak since; /peaks shows it when it does."),
        };
        let text = format!("{} {state}", job.invocation.outcome_unknown());
        ctx.answer(&job.invocation.reply_to, Answer::text(text));
    }

    /// Sends the next SET of a job. With none left, readings decide.
    fn send_set(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let Some(job) = self.resets.get_mut(at) else {
            return;
        };
        let Some(set) = job.sets.pop_front() else {
            return;
        };
        let target = self
            .devices
            .get(job.index as usize)
            .and_then(|device| device.target.clone());
        let write = ctx
            .config
            .pdus
            .get(job.index as usize)
            .and_then(|pdu| pdu.write.clone());
        let (Some(target), Some(mut credentials)) = (target, write) else {
            job.doubt = Some("the device has no address, or nothing to write as".into());
            return;
        };
        // A card that was found to speak version 1 alone is written to in it as well.
        if let (Credentials::Community(version, _), Credentials::Community(found, _)) =
            (&mut credentials, &target.credentials)
        {
            *version = *found;
        }
        let ticket = ctx.tickets.issue();
        let request = SnmpRequest {
            ticket,
            target: Arc::new(SnmpTarget {
                credentials,
                ..(*target).clone()
            }),
            ask: SnmpAsk::Set([set.clone()].into()),
            timeout: ctx.config.power.timeout.max(Duration::from_secs(2)),
            retries: 0,
            deadline: ctx.now.mono + Duration::from_secs(5),
        };
        job.waits_for = Some((ticket, set));
        ctx.effects.push(Effect::Snmp(vec![request]));
    }

    /// Takes the answer to a SET.
    pub(super) fn handle_reset_reply(&mut self, ctx: &mut Ctx<'_>, reply: &SnmpReply) {
        let is_its =
            |job: &Job| matches!(&job.waits_for, Some((ticket, _)) if *ticket == reply.ticket);
        let Some(at) = self.resets.iter().position(is_its) else {
            return;
        };
        let job = &mut self.resets[at];
        let Some((_, set)) = job.waits_for.take() else {
            return;
        };
        match &reply.result {
            Ok(SnmpAnswer::Values(values)) if values.first().is_some_and(|v| !v.is_absent()) => {
                job.read_backs = READ_BACKS;
                self.send_set(ctx, at);
                self.end_without_peak(ctx, at);
            }
            Ok(SnmpAnswer::Values(_) | SnmpAnswer::Binds(_)) => {
                let why = format!("the device has no object {}", set.oid);
                self.finish_failed(ctx, at, &why);
            }
            Ok(SnmpAnswer::Error { status, .. }) => {
                let why = format!("the device refused the reset ({})", status.name());
                self.finish_failed(ctx, at, &why);
            }
            // The device may have done it all the same: the peak will tell.
            Err(fault) => {
                job.doubt = Some(format!("no answer to the reset: {}", fault.detail));
                self.send_set(ctx, at);
                self.end_without_peak(ctx, at);
            }
        }
    }

    /// A device whose peak cannot be read (several units) cannot prove anything.
    fn end_without_peak(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let Some(job) = self.resets.get(at) else {
            return;
        };
        if job.before_w.is_some() || job.waits_for.is_some() {
            return;
        }
        let outcome = match &job.doubt {
            Some(doubt) => doubt.clone(),
            None => {
                "the device took the reset; it has no single peak that could be read back".into()
            }
        };
        self.finish(ctx, at, &outcome, true);
    }

    /// Looks after each reading whether the peak has fallen.
    pub(super) fn check_resets(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        figures: &Figures,
        at: Now,
    ) {
        let is_its = |job: &Job| job.index == index && job.waits_for.is_none() && !job.is_gone;
        let Some(position) = self.resets.iter().position(is_its) else {
            return;
        };
        let job = &mut self.resets[position];
        if job.is_recalled {
            let own = self
                .devices
                .get(index as usize)
                .and_then(|device| device.view.peak_w);
            return self.finish_recalled(ctx, position, figures.peak_w.or(own));
        }
        let (Some(before), Some(peak)) = (job.before_w, figures.peak_w) else {
            return;
        };
        let is_new = figures.peak_at.is_some() && figures.peak_at != job.before_at;
        if peak < before || is_new {
            let outcome = format!(
                "peak reset on the device: {} → {}",
                Watts(before),
                Watts(peak)
            );
            return self.finish(ctx, position, &outcome, true);
        }
        if figures.power_w.is_some_and(|power_w| power_w >= before) {
            let outcome = format!(
                "the device took the reset; it draws {} now, as much as its peak",
                Watts(peak)
            );
            return self.finish(ctx, position, &outcome, true);
        }
        job.read_backs = job.read_backs.saturating_sub(1);
        if job.read_backs == 0 || at.mono >= job.give_up {
            let doubt = job.doubt.take();
            let why = doubt.unwrap_or_else(|| {
                format!(
                    "the device took the reset, but its peak still reads {}",
                    Watts(peak)
                )
            });
            self.finish_failed(ctx, position, &why);
        }
    }

    /// Ends jobs whose device gives no readings any more.
    pub(super) fn expire_resets(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        while let Some(at) = self
            .resets
            .iter()
            .position(|job| job.is_gone || now >= job.give_up)
        {
            if self.resets[at].is_recalled {
                self.finish_recalled(ctx, at, None);
                continue;
            }
            let why = match &self.resets[at] {
                job if job.is_gone => "the PDU was removed from the configuration".to_owned(),
                job => job.doubt.clone().unwrap_or_else(|| {
                    "the reset was written, but the device gives no reading to check it".to_owned()
                }),
            };
            self.finish_failed(ctx, at, &why);
        }
    }

    /// When the next job gives up.
    pub(super) fn next_reset(&self) -> Option<Mono> {
        self.resets.iter().map(|job| job.give_up).min()
    }

    fn finish_failed(&mut self, ctx: &mut Ctx<'_>, at: usize, why: &str) {
        self.finish(ctx, at, &format!("not reset: {why}"), false);
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>, at: usize, outcome: &str, done: bool) {
        let job = self.resets.remove(at);
        let name = match job.invocation.arg(0) {
            Some(name) => name.to_owned(),
            None => pdu_name(ctx.config, job.index).to_owned(),
        };
        if done {
            self.start_anew(ctx, job.index);
        }
        ctx.audit(&job.invocation, format!("power.reset:{name}"), outcome);
        let text = format!("{name}: {outcome}.");
        ctx.answer(&job.invocation.reply_to, Answer::text(text));
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
    let buttons: Vec<Vec<Button>> = ctx
        .config
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
    let text = match (buttons.is_empty(), ctx.config.pdus.len()) {
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

/// Renames the devices of jobs after a reload; those of removed PDUs end at the next turn.
pub(super) fn rename(jobs: &mut [Job], new_index: &[Option<u32>]) {
    for job in jobs {
        match new_index.get(job.index as usize).copied().flatten() {
            Some(index) => job.index = index,
            None => job.is_gone = true,
        }
    }
}
