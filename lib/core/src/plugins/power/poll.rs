//! Asks the devices: slots that are due, the steps of one poll, names to look up. One request of a device is
//! out at a time; its answer, a fault, or the worker's deadline ends it.

use super::device::{Device, Extra, Figures, Stage};
use super::view::PduState;
use super::{Power, Purpose};
use crate::ctx::Ctx;
use crate::effect::{Effect, Ticket};
use crate::fault::Fault;
use crate::pdu::identify::{Next, Options};
use crate::pdu::plan::Sums;
use crate::pdu::profile::Head;
use crate::pdu::{Identified, Identify, Kind, Plan};
use crate::plugins::power::Host;
use crate::plugins::power::settings;
use crate::snmp::{Credentials, SnmpAnswer, SnmpAsk, SnmpReply, SnmpRequest, Version};
use crate::time::{Mono, Now};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A device without readings is looked at again after this.
const MUTE_RETRY: Duration = Duration::from_secs(300);
/// A device is not asked what it is more often than this, unless it has never said so.
const IDENTIFY_PAUSE: Duration = Duration::from_secs(60);
/// Every so many cycles one slow part is read.
const SLOW_EVERY: u16 = 5;
/// So many devices are asked what they are at one time, because each takes some kilobytes meanwhile.
const MAX_IDENTIFYING: usize = 128;
/// Readings without power in a row after which a device is asked anew what it is.
const MAX_POWERLESS: u32 = 5;
/// Names are looked up again after this …
const LOOKUP_EVERY: Duration = Duration::from_secs(600);
/// … and this when the device does not answer or the name is not known.
const LOOKUP_RETRY: Duration = Duration::from_secs(10);
/// So many silent attempts make a device that was never heard be asked with SNMPv1, in turns.
const TRY_V1_AFTER: u32 = 3;

/// Which device an SNMP ticket belongs to. Tickets grow, so the list is sorted and no map is needed.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    list: VecDeque<(Ticket, u32)>,
}

/// Marks an entry whose answer has come.
const GONE: u32 = u32::MAX;

impl InFlight {
    pub(super) fn push(&mut self, ticket: Ticket, index: u32) {
        self.list.push_back((ticket, index));
    }

    /// The device of a ticket, once.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<u32> {
        let at = self
            .list
            .binary_search_by_key(&ticket, |(ticket, _)| *ticket)
            .ok()?;
        let index = std::mem::replace(&mut self.list[at].1, GONE);
        while self.list.front().is_some_and(|(_, index)| *index == GONE) {
            self.list.pop_front();
        }
        (index != GONE).then_some(index)
    }

    /// Drops what is still to come from a device.
    pub(super) fn forget(&mut self, of: u32) {
        for (_, index) in &mut self.list {
            if *index == of {
                *index = GONE;
            }
        }
    }

    /// Renames devices after a reload; answers for those that are gone are dropped.
    pub(super) fn rename(&mut self, new_index: &[Option<u32>]) {
        for (_, index) in &mut self.list {
            *index = new_index
                .get(*index as usize)
                .copied()
                .flatten()
                .unwrap_or(GONE);
        }
    }
}

impl Power {
    /// Fires every slot that is due.
    pub(super) fn fire_due(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(due) = self.schedule.pop(ctx.now.mono) {
            let mut requests = Vec::new();
            if !std::mem::take(&mut self.has_slept) {
                self.polls_overrun += due.skipped * self.schedule.devices(due.slot).len() as u64;
            }
            let mut devices = std::mem::take(&mut self.slot_devices);
            devices.clear();
            devices.extend_from_slice(self.schedule.devices(due.slot));
            for index in &devices {
                self.fire(ctx, *index, due.cycle, &mut requests);
            }
            self.slot_devices = devices;
            if !requests.is_empty() {
                ctx.effects.push(Effect::Snmp(requests));
            }
        }
    }

    fn fire(&mut self, ctx: &mut Ctx<'_>, index: u32, cycle: u64, out: &mut Vec<SnmpRequest>) {
        let now = ctx.now.mono;
        let deadline = now + settings(ctx.config).interval.mul_f64(0.9);
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        if device.in_flight {
            self.polls_overrun += 1;
            // Busy with an earlier cycle, it is missing in this one.
            self.note_cycle(ctx, index, cycle, None, ctx.now);
            return;
        }
        device.cycle = cycle;
        device.cycle_has_ended = false;
        device.deadline = deadline;
        match device.stage {
            Stage::Queued => {
                return self.note_end(ctx, index, None, ctx.now);
            }
            Stage::Mute if now < device.identify_at => {
                return self.note_end(ctx, index, None, ctx.now);
            }
            _ => {}
        }
        self.look_up(ctx, index);
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        if device.target.is_none() {
            let detail = device.view.reason.clone();
            let detail = detail.as_deref().unwrap_or("its name is being looked up");
            return self.failed(ctx, index, detail);
        }
        let is_due = device.must_identify && now >= device.identify_at;
        match &device.plan {
            Some(plan) if !is_due => {
                let Some(part) = plan.fast.first() else {
                    return;
                };
                let ask = SnmpAsk::Get(Arc::clone(&part.oids));
                device.stage = Stage::Polling(0);
                self.ask(ctx, index, ask, out);
            }
            _ => self.greet(ctx, index, out),
        }
    }

    /// Asks a device that is not known, or may have changed, whether it is there. Dead ones cost no more than this.
    fn greet(&mut self, ctx: &mut Ctx<'_>, index: u32, out: &mut Vec<SnmpRequest>) {
        let (Some(device), Some(config)) = (
            self.devices.get_mut(index as usize),
            settings(ctx.config).pdus.get(index as usize),
        ) else {
            return;
        };
        let is_unheard = device.last_answer.is_none() && device.plan.is_none();
        let is_v2c = matches!(config.credentials, Credentials::Community(Version::V2c, _));
        if is_unheard && is_v2c && device.failures >= TRY_V1_AFTER {
            let version = match device.failures % 2 {
                1 => Version::V1,
                _ => Version::V2c,
            };
            device.set_version(version);
        }
        device.must_identify = false;
        device.identify_at = ctx.now.mono + IDENTIFY_PAUSE;
        device.stage = Stage::Greeting;
        let ask = SnmpAsk::Get(Arc::clone(&self.greeting));
        self.ask(ctx, index, ask, out);
    }

    /// The device is there: it is asked what it is, or waits until fewer others are.
    fn continue_greeting(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        reply: &SnmpReply,
        at: Now,
        out: &mut Vec<SnmpRequest>,
    ) {
        if let Err(fault) = &reply.result {
            self.forget_stage(index);
            return self.failed(ctx, index, &fault.detail);
        }
        let (Some(device), Some(config)) = (
            self.devices.get_mut(index as usize),
            settings(ctx.config).pdus.get(index as usize),
        ) else {
            return;
        };
        if self.identifying >= MAX_IDENTIFYING {
            device.stage = Stage::Queued;
            self.queued.push_back(index);
            return self.answered(ctx, index, at);
        }
        let version = device
            .target
            .as_ref()
            .map(|target| target.credentials.version());
        let mut identify = Box::new(Identify::new(Options {
            profiles: settings(ctx.config).profiles.clone(),
            profile: config.profile.clone(),
            unit: config.unit,
            version: version.unwrap_or(Version::V2c),
        }));
        if let Next::Ask(_) = identify.ask() {
            self.identifying += 1;
            self.continue_identify(ctx, index, identify, reply, at, out);
        }
    }

    /// An identification has ended: the next device in the queue has its turn.
    fn end_identify(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<SnmpRequest>) {
        self.identifying = self.identifying.saturating_sub(1);
        while let Some(index) = self.queued.pop_front() {
            let Some(device) = self.devices.get_mut(index as usize) else {
                continue;
            };
            if matches!(device.stage, Stage::Queued) {
                device.deadline = ctx.now.mono + settings(ctx.config).interval.mul_f64(0.9);
                return self.greet(ctx, index, out);
            }
        }
    }

    fn forget_stage(&mut self, index: u32) {
        if let Some(device) = self.devices.get_mut(index as usize) {
            if device.plan.is_none() {
                device.stage = Stage::Unknown;
            }
        }
    }

    fn ask(&mut self, ctx: &mut Ctx<'_>, index: u32, ask: SnmpAsk, out: &mut Vec<SnmpRequest>) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let Some(target) = &device.target else {
            return;
        };
        let ticket = ctx.tickets.issue();
        self.in_flight.push(ticket, index);
        device.in_flight = true;
        out.push(SnmpRequest {
            ticket,
            target: Arc::clone(target),
            ask,
            timeout: device.patience.timeout(settings(ctx.config).timeout),
            // One that has been silent for long is asked once a cycle: as many dead ones as there may be
            // cost no more than living ones.
            retries: match device.view.state {
                PduState::Unreachable => 0,
                _ => settings(ctx.config).retries,
            },
            deadline: device.deadline,
        });
    }

    /// Takes one batch of answers, and sends what follows from them as one burst.
    pub(super) fn take_replies(&mut self, ctx: &mut Ctx<'_>, replies: Vec<SnmpReply>) {
        let mut requests = Vec::new();
        for reply in replies {
            match self.in_flight.take(reply.ticket) {
                Some(index) => self.handle_reply(ctx, index, &reply, &mut requests),
                None => self.handle_errand_reply(ctx, &reply),
            }
        }
        if !requests.is_empty() {
            ctx.effects.push(Effect::Snmp(requests));
        }
    }

    fn handle_reply(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        reply: &SnmpReply,
        out: &mut Vec<SnmpRequest>,
    ) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        device.in_flight = false;
        if let Some(round_trip) = reply.round_trip {
            device.patience.take(round_trip);
        }
        let at = Now {
            mono: reply.received,
            wall: ctx.now.wall_of(reply.received),
        };
        match std::mem::replace(&mut device.stage, Stage::Idle) {
            Stage::Greeting => self.continue_greeting(ctx, index, reply, at, out),
            Stage::Identifying(identify) => {
                self.continue_identify(ctx, index, identify, reply, at, out);
            }
            Stage::Polling(part) => self.continue_poll(ctx, index, part, reply, at, out),
            Stage::Slow(part) => self.take_slow(index, part, reply),
            stage => device.stage = stage,
        }
    }

    fn continue_identify(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        mut identify: Box<Identify>,
        reply: &SnmpReply,
        at: Now,
        out: &mut Vec<SnmpRequest>,
    ) {
        if reply.result.is_ok() {
            self.answered(ctx, index, at);
        }
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        match identify.handle(reply.result.as_ref()) {
            Next::Ask(ask) => {
                device.stage = Stage::Identifying(identify);
                // Each question has a deadline of its own; the whole may take longer than a cycle.
                device.deadline = ctx.now.mono + settings(ctx.config).interval.mul_f64(0.9);
                self.ask(ctx, index, ask, out);
            }
            Next::Identified(identified) => {
                self.adopt(ctx, index, *identified, at);
                self.end_identify(ctx, out);
            }
            Next::GaveUp(fault) => {
                self.forget_stage(index);
                self.failed(ctx, index, &fault.detail);
                self.end_identify(ctx, out);
            }
        }
    }

    /// Takes what a device turned out to be, and its first reading.
    fn adopt(&mut self, ctx: &mut Ctx<'_>, index: u32, identified: Identified, at: Now) {
        let plan = self.share(identified.plan);
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let name = super::excess::pdu_name(ctx.config, index);
        let profile = identified.profile;
        let name_of = |head: &Option<Arc<Head>>| head.as_ref().map(|head| head.name.clone());
        if name_of(&device.view.profile) != name_of(&profile) || device.plan.is_none() {
            // With many devices a line for each would hide what matters.
            let level = match settings(ctx.config).pdus.len() {
                0..=64 => log::Level::Info,
                _ => log::Level::Debug,
            };
            log::log!(
                level,
                "{name}: {} {} is read as {}",
                identified.vendor.as_deref().unwrap_or("unknown maker"),
                identified.model.as_deref().unwrap_or("of unknown model"),
                profile
                    .as_ref()
                    .map_or(identified.kind.name(), |head| &head.name),
            );
        }
        device.view.profile = profile;
        let has_readings = matches!(
            identified.kind,
            Kind::Full | Kind::Partial | Kind::OutletsOnly
        );
        if !has_readings || plan.fast.is_empty() {
            let reason = Device::mute_reason(identified.kind, identified.note.as_deref());
            device.forget_identity();
            device.stage = Stage::Mute;
            device.identify_at = ctx.now.mono + MUTE_RETRY;
            device.view.state = PduState::Unknown;
            device.set_reason(Some(&reason));
            self.revision += 1;
            self.outlets_revision += 1;
            return self.note_end(ctx, index, None, at);
        }
        let has_rows = !identified.reading.phases.is_empty() || !plan.slow.is_empty();
        let figures = Figures::of(&identified.reading);
        let has_parts = plan.fast.len() > 1;
        device.extra = (has_rows || has_parts).then(|| {
            Box::new(Extra {
                reading: identified.reading,
                sums: has_parts.then(Box::default),
                ..Extra::default()
            })
        });
        device.plan = Some(plan);
        device.stage = Stage::Idle;
        self.outlets_revision += 1;
        self.polls_ok += 1;
        self.accept(ctx, index, figures, at);
        if figures.power_w.is_none() {
            let reason = Device::mute_reason(identified.kind, identified.note.as_deref());
            if let Some(device) = self.devices.get_mut(index as usize) {
                device.set_reason(Some(&reason));
            }
        }
    }

    /// Devices of equal shape share one plan.
    fn share(&mut self, plan: Plan) -> Arc<Plan> {
        if let Some(known) = self.plans.iter().find(|known| ***known == plan) {
            return Arc::clone(known);
        }
        self.plans.retain(|known| Arc::strong_count(known) > 1);
        let plan = Arc::new(plan);
        self.plans.push(Arc::clone(&plan));
        plan
    }

    fn continue_poll(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        part: u16,
        reply: &SnmpReply,
        at: Now,
        out: &mut Vec<SnmpRequest>,
    ) {
        let values = match &reply.result {
            Ok(SnmpAnswer::Values(values)) => values,
            Ok(SnmpAnswer::Error { status, .. }) => {
                return self.refused(ctx, index, status.name(), at);
            }
            Ok(SnmpAnswer::Binds(_)) => return self.refused(ctx, index, "the wrong answer", at),
            Err(fault) => return self.failed(ctx, index, &fault.detail),
        };
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let Some(plan) = device.plan.clone() else {
            return;
        };
        let Some(current) = plan.fast.get(usize::from(part)) else {
            return;
        };
        let (reading, sums) = match device.extra.as_deref_mut() {
            Some(Extra { reading, sums, .. }) => {
                (reading, sums.as_deref_mut().unwrap_or(&mut self.scratch.1))
            }
            None => (&mut self.scratch.0, &mut self.scratch.1),
        };
        if part == 0 {
            sums.clear();
        }
        Plan::decode(current, values, sums, reading);
        if let Some(next) = plan.fast.get(usize::from(part) + 1) {
            let ask = SnmpAsk::Get(Arc::clone(&next.oids));
            device.stage = Stage::Polling(part + 1);
            return self.ask(ctx, index, ask, out);
        }
        plan.finish(sums, reading);
        let figures = Figures::of(reading);
        self.polls_ok += 1;
        self.accept(ctx, index, figures, at);
        self.follow_up(ctx, index, &plan, out);
    }

    /// After the readings of a cycle: a slow part when one is due, or doubts about what the device is.
    fn follow_up(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        plan: &Plan,
        out: &mut Vec<SnmpRequest>,
    ) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        if device.powerless >= MAX_POWERLESS && plan.measures_power() {
            device.must_identify = true;
        }
        let Some(extra) = device.extra.as_deref_mut() else {
            return;
        };
        extra.idle_cycles = extra.idle_cycles.saturating_add(1);
        if plan.slow.is_empty() || extra.idle_cycles < SLOW_EVERY {
            return;
        }
        extra.idle_cycles = 0;
        let part = extra.next_slow % plan.slow.len() as u16;
        extra.next_slow = part + 1;
        let ask = SnmpAsk::Get(Arc::clone(&plan.slow[usize::from(part)].oids));
        device.stage = Stage::Slow(part);
        self.ask(ctx, index, ask, out);
    }

    /// What a slow part brings only changes rows; when it fails, the next round brings it.
    fn take_slow(&mut self, index: u32, part: u16, reply: &SnmpReply) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let (Some(plan), Some(extra)) = (&device.plan, device.extra.as_deref_mut()) else {
            return;
        };
        let (Some(part), Ok(SnmpAnswer::Values(values))) =
            (plan.slow.get(usize::from(part)), &reply.result)
        else {
            return;
        };
        // Rows have no part in the sums.
        Plan::decode(part, values, &mut Sums::default(), &mut extra.reading);
        self.outlets_revision += 1;
        self.revision += 1;
    }

    /// The device answers, but refuses the request that it took before: it may have changed.
    fn refused(&mut self, ctx: &mut Ctx<'_>, index: u32, status: &str, at: Now) {
        self.answered(ctx, index, at);
        if let Some(device) = self.devices.get_mut(index as usize) {
            device.must_identify = true;
        }
        self.failed(ctx, index, &format!("the device answered {status}"));
    }

    /// Looks a name up when there is no address, when it is old, or when the device does not answer.
    fn look_up(&mut self, ctx: &mut Ctx<'_>, index: u32) {
        let (Some(device), Some(config)) = (
            self.devices.get_mut(index as usize),
            settings(ctx.config).pdus.get(index as usize),
        ) else {
            return;
        };
        let (Some(lookup), Host::Name(host, port)) = (device.lookup.as_deref_mut(), &config.host)
        else {
            return;
        };
        let age = lookup.asked.map(|asked| ctx.now.mono.since(asked));
        let pause = if device.target.is_none() || device.failures > 0 {
            LOOKUP_RETRY
        } else {
            LOOKUP_EVERY
        };
        if lookup.in_flight || age.is_some_and(|age| age < pause) {
            return;
        }
        lookup.in_flight = true;
        lookup.asked = Some(ctx.now.mono);
        let ticket = ctx.tickets.issue();
        self.jobs.insert(ticket, Purpose::Lookup(index));
        ctx.effects.push(Effect::Resolve {
            ticket,
            host: host.to_string(),
            port: *port,
        });
    }

    /// Takes the address of a name; a device that was waiting for it is asked at once.
    pub(super) fn handle_resolved(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        result: Result<SocketAddr, Fault>,
    ) {
        let (Some(device), Some(config)) = (
            self.devices.get_mut(index as usize),
            settings(ctx.config).pdus.get(index as usize),
        ) else {
            return;
        };
        if let Some(lookup) = device.lookup.as_deref_mut() {
            lookup.in_flight = false;
        }
        match result {
            Ok(addr) => {
                let known = device.target.as_ref().map(|target| target.addr);
                if known == Some(addr) {
                    return;
                }
                device.set_target(config, addr);
                device.must_identify = true;
                device.identify_at = ctx.now.mono;
                if known.is_none() && !device.in_flight {
                    let mut requests = Vec::new();
                    device.deadline = ctx.now.mono + settings(ctx.config).interval.mul_f64(0.9);
                    self.greet(ctx, index, &mut requests);
                    ctx.effects.push(Effect::Snmp(requests));
                }
            }
            Err(fault) => device.set_fault(&fault),
        }
    }

    /// When the next slot is due.
    pub(super) fn next_slot(&self) -> Option<Mono> {
        self.schedule.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_finds_its_device_once() {
        let mut flight = InFlight::default();
        for number in 1..=5 {
            flight.push(Ticket(number), number as u32 * 10);
        }
        assert_eq!(flight.take(Ticket(3)), Some(30));
        assert_eq!(flight.take(Ticket(3)), None);
        assert_eq!(flight.take(Ticket(9)), None);
        assert_eq!(flight.take(Ticket(1)), Some(10));
        assert_eq!(flight.list.len(), 4);
        flight.rename(&[]);
        assert_eq!(flight.take(Ticket(4)), None);
    }
}
