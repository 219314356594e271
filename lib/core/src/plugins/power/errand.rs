//! Commands that write to a device and take longer than a turn: what they have in common. A SET is sent once, with
//! the right to write; what became of it is read back, whatever the device answered.

use super::Power;
use super::device::Figures;
use super::judge::more_than_silence;
use super::outlets::Switching;
use super::reset::Reset;
use crate::chat::{Answer, Invocation};
use crate::ctx::Ctx;
use crate::effect::{Effect, Ticket};
use crate::fault::Fault;
use crate::plugins::power::settings;
use crate::snmp::{
    Credentials, ErrorStatus, Oid, SnmpAnswer, SnmpAsk, SnmpReply, SnmpRequest, SnmpTarget, Value,
    VarBind,
};
use crate::time::{Mono, Now};
use std::sync::Arc;
use std::time::Duration;

/// A device has so long to answer a SET: some write to their flash before they do.
const SET_DEADLINE: Duration = Duration::from_secs(5);

/// A command under way.
#[derive(Debug)]
pub(super) struct Errand {
    /// Which PDU.
    pub(super) index: u32,
    /// What was asked for, and by whom.
    pub(super) invocation: Invocation,
    /// When it acts again, whatever comes: it goes on, or gives up.
    pub(super) act_at: Mono,
    /// What it does.
    pub(super) work: Work,
    /// The question that is out; with the SET, if it is one.
    waits_for: Option<(Ticket, Option<VarBind>)>,
    /// Its PDU was removed from the configuration.
    is_gone: bool,
}

/// What an errand does.
#[derive(Debug)]
pub(super) enum Work {
    /// Makes a device forget.
    Reset(Reset),
    /// Switches outlets.
    Outlets(Box<Switching>),
}

/// What a device made of a SET.
#[derive(Debug)]
pub(super) enum Said {
    /// It answered what was written.
    Taken,
    /// It answered another value than was written.
    Differs(String),
    /// It did not do it, and why.
    Refused(String),
    /// It did not answer, and may have done it.
    Nothing(String),
}

impl Errand {
    pub(super) fn new(index: u32, invocation: &Invocation, act_at: Mono, work: Work) -> Errand {
        Errand {
            index,
            invocation: invocation.clone(),
            act_at,
            work,
            waits_for: None,
            is_gone: false,
        }
    }

    /// True while a question is out.
    pub(super) fn is_waiting(&self) -> bool {
        self.waits_for.is_some()
    }

    /// The PDU as the command names it: its number may mean another one by now.
    pub(super) fn name(&self) -> &str {
        self.invocation.arg(0).unwrap_or_default()
    }
}

impl Power {
    /// With what right a device is written to.
    ///
    /// # Errors
    /// Says what is missing.
    pub(super) fn write_target(
        &self,
        ctx: &Ctx<'_>,
        index: u32,
    ) -> Result<Arc<SnmpTarget>, &'static str> {
        let config = settings(ctx.config).pdus.get(index as usize);
        let write = config.and_then(|pdu| pdu.write.clone());
        let mut credentials = write.ok_or("no write_community or write_v3 is configured for it")?;
        let device = self.devices.get(index as usize);
        let target = device.and_then(|device| device.target.as_deref());
        let target = target.ok_or("its address is not known yet")?;
        // A card that was found to speak version 1 alone is written to in it as well.
        if let (Credentials::Community(version, _), Credentials::Community(found, _)) =
            (&mut credentials, &target.credentials)
        {
            *version = *found;
        }
        Ok(Arc::new(SnmpTarget {
            credentials,
            ..target.clone()
        }))
    }

    /// Sends a SET of an errand, once.
    ///
    /// # Errors
    /// The device cannot be written to.
    pub(super) fn send_set(
        &mut self,
        ctx: &mut Ctx<'_>,
        at: usize,
        set: VarBind,
    ) -> Result<(), &'static str> {
        let Some(index) = self.errands.get(at).map(|errand| errand.index) else {
            return Ok(());
        };
        let target = self.write_target(ctx, index)?;
        let request = SnmpRequest {
            ticket: ctx.tickets.issue(),
            target,
            ask: SnmpAsk::Set([set.clone()].into()),
            timeout: settings(ctx.config).timeout.max(Duration::from_secs(2)),
            retries: 0,
            deadline: ctx.now.mono + SET_DEADLINE,
        };
        self.errands[at].waits_for = Some((request.ticket, Some(set)));
        ctx.effects.push(Effect::Snmp(vec![request]));
        Ok(())
    }

    /// Reads something for an errand, as a poll would.
    pub(super) fn send_get(&mut self, ctx: &mut Ctx<'_>, at: usize, oids: Arc<[Oid]>) {
        let Some(errand) = self.errands.get_mut(at) else {
            return;
        };
        let device = self.devices.get(errand.index as usize);
        let Some(target) = device.and_then(|device| device.target.clone()) else {
            return;
        };
        let (timeout, retries) = (settings(ctx.config).timeout, settings(ctx.config).retries);
        let request = SnmpRequest {
            ticket: ctx.tickets.issue(),
            target,
            ask: SnmpAsk::Get(oids),
            timeout,
            retries,
            deadline: ctx.now.mono + timeout * (u32::from(retries) + 1),
        };
        errand.waits_for = Some((request.ticket, None));
        ctx.effects.push(Effect::Snmp(vec![request]));
    }

    /// Takes the answer to a question of an errand.
    pub(super) fn handle_errand_reply(&mut self, ctx: &mut Ctx<'_>, reply: &SnmpReply) {
        let is_its = |errand: &Errand| matches!(&errand.waits_for, Some((ticket, _)) if *ticket == reply.ticket);
        let Some(at) = self.errands.iter().position(is_its) else {
            return;
        };
        let Some((_, set)) = self.errands[at].waits_for.take() else {
            return;
        };
        let Some(set) = set else {
            return self.handle_outlets_read(ctx, at, &reply.result);
        };
        let config = settings(ctx.config)
            .pdus
            .get(self.errands[at].index as usize);
        let right = match config.and_then(|pdu| pdu.write.as_ref()) {
            Some(Credentials::Usm(_)) => "write_v3",
            Some(Credentials::Community(..)) | None => "write community",
        };
        let said = Said::of(&set, &reply.result, right);
        match &self.errands[at].work {
            Work::Reset(_) => self.handle_reset_said(ctx, at, said),
            Work::Outlets(_) => self.handle_switch_said(ctx, at, said),
        }
    }

    /// A reading has come: some errands wait for it.
    pub(super) fn check_errands(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        figures: &Figures,
        at: Now,
    ) {
        let mut next = self.errands.len();
        // From the last one, because an errand that ends leaves the list.
        while let Some(position) = next.checked_sub(1) {
            next = position;
            let errand = &self.errands[position];
            if errand.index != index || errand.is_waiting() || errand.is_gone {
                continue;
            }
            match &errand.work {
                Work::Reset(_) => self.check_reset(ctx, position, figures, at),
                Work::Outlets(_) => self.check_recalled_outlets(ctx, position),
            }
        }
    }

    /// Lets errands go on whose time has come, and ends those whose PDU is gone.
    pub(super) fn advance_errands(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        let mut next = self.errands.len();
        while let Some(position) = next.checked_sub(1) {
            next = position;
            let errand = &self.errands[position];
            if !errand.is_gone && now < errand.act_at {
                continue;
            }
            let is_gone = errand.is_gone;
            match &errand.work {
                Work::Reset(_) => self.expire_reset(ctx, position, is_gone),
                Work::Outlets(_) => self.advance_outlets(ctx, position, is_gone),
            }
        }
    }

    /// When the next errand acts.
    pub(super) fn next_errand(&self) -> Option<Mono> {
        self.errands.iter().map(|errand| errand.act_at).min()
    }

    /// Ends an errand: its outcome goes to the audit log and to whoever asked for it.
    pub(super) fn conclude(
        &mut self,
        ctx: &mut Ctx<'_>,
        at: usize,
        action: &str,
        outcome: &str,
    ) -> Errand {
        let errand = self.errands.remove(at);
        let name = errand.name();
        ctx.audit(&errand.invocation, format!("{action}:{name}"), outcome);
        let text = format!("{name}: {outcome}.");
        ctx.answer(&errand.invocation.reply_to, Answer::text(text));
        errand
    }

    /// Says that it has begun and that more follows.
    pub(super) fn begin_errand(&mut self, ctx: &mut Ctx<'_>, errand: Errand, words: &str) -> usize {
        let answer = Answer {
            more_follows: true,
            ..Answer::text(format!("{}: {words} …", errand.name()))
        };
        ctx.answer(&errand.invocation.reply_to, answer);
        self.errands.push(errand);
        self.errands.len() - 1
    }
}

impl Said {
    /// `right` is what may lack the right to write.
    fn of(set: &VarBind, result: &Result<SnmpAnswer, Fault>, right: &str) -> Said {
        let value = match result {
            Ok(SnmpAnswer::Values(values)) => values.first(),
            Ok(SnmpAnswer::Binds(binds)) => binds.first().map(|bind| &bind.value),
            Ok(SnmpAnswer::Error { status, .. }) => return Said::Refused(refusal(*status, right)),
            Err(fault) => {
                return Said::Nothing(match more_than_silence(&fault.detail) {
                    Some(why) => format!("no answer to the SET: {why}"),
                    None => format!("no answer to the SET ({right}?)"),
                });
            }
        };
        match value {
            Some(value) if is_equal(value, &set.value) => Said::Taken,
            // A NULL is what some firmware makes of an INTEGER.
            Some(value) if !value.is_absent() || *value == Value::Null => Said::Differs(format!(
                "it answered {} instead of {}",
                shown(value),
                shown(&set.value)
            )),
            _ => Said::Refused(format!("it has no object {}", set.oid)),
        }
    }
}

/// Why a device refuses; most of these mean that it gives the right to read only. SNMPv1 has no other word for that
/// than noSuchName (RFC 1157 section 4.1.5).
fn refusal(status: ErrorStatus, right: &str) -> String {
    const READ_ONLY: ErrorStatus = ErrorStatus(4);
    let is_right = matches!(
        status,
        ErrorStatus::NO_SUCH_NAME
            | READ_ONLY
            | ErrorStatus::NO_ACCESS
            | ErrorStatus::NOT_WRITABLE
            | ErrorStatus::AUTHORIZATION_ERROR
    );
    match is_right {
        true => format!("{} ({right}?)", status.name()),
        false => status.name().to_owned(),
    }
}

/// A device may answer another numeric type than was written.
fn is_equal(value: &Value, set: &Value) -> bool {
    value == set || (set.as_i64().is_some() && value.as_i64() == set.as_i64())
}

fn shown(value: &Value) -> String {
    match value.as_i64() {
        Some(number) => number.to_string(),
        None => format!("{:?}", value.as_text().unwrap_or_default()),
    }
}

/// Renames the devices of errands after a reload; those of removed PDUs end at the next turn.
pub(super) fn rename(errands: &mut [Errand], new_index: &[Option<u32>]) {
    for errand in errands {
        match new_index.get(errand.index as usize).copied().flatten() {
            Some(index) => errand.index = index,
            None => errand.is_gone = true,
        }
    }
}
