//! Watches the power of every configured PDU: polls them at a fixed rate, judges each reading in the step that
//! brings it, keeps peaks and excesses, and answers the commands about them. What the devices' objects mean is
//! not known here (`pdu`), nor how alerts reach people (`alert`).

mod causes;
mod commands;
mod device;
mod energy;
mod errand;
mod exceedings;
mod excess;
mod history;
mod json;
mod judge;
mod limits;
mod metrics;
mod outlets;
mod page;
mod patience;
mod poll;
mod publish;
mod reset;
mod schedule;
mod select;
mod status;
mod sums;
mod test_alert;
#[cfg(test)]
mod testing;
mod trend;
mod view;
mod words;

pub use crate::config::power::{
    Host, Limit, Limits, PduConfig, SECTION, Settings, TeamConfig, Written, host, settings,
    settings_mut,
};
pub use exceedings::CsvJob;
pub use excess::Episode;
pub use json::{Probed, address, limit_w, reading_object, sum_headroom};
pub use view::{PduState, PduView, Polls, PowerView, SumView, view};

use crate::alert::{Report, Rule};
use crate::chat::{Invocation, ReplyTo, Spec, command};
use crate::config::Config;
use crate::ctx::{Ctx, Notice};
use crate::effect::{Ticket, earlier};
use crate::event::Reply;
use crate::pdu::plan::Sums;
use crate::pdu::{Identify, Plan, Reading};
use crate::small::{SmallMap, SmallSet};
use crate::snapshot::{Kept, View};
use crate::snmp::{Oid, SnmpReply};
use crate::state::Records;
use crate::time::{Mono, Now};
use device::{Device, SavedPeak, Stage, set_watch};
use excess::{Level, SavedExcess, Subject, pdu_name, pdu_words};
use limits::{Episodes, end_cut_off, end_removed, report_removed, resume, save_excess};
use schedule::Schedule;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use sums::Sum;

/// How far an excess has got is on disk at the latest after this; what a crash cuts off is told up to there.
const SAVE_EXCESSES_EVERY: Duration = Duration::from_secs(10);
/// Peaks that have moved are saved at most so often …
const SAVE_EVERY: Duration = Duration::from_secs(60);
/// … and at most so many in one turn, so that a turn stays short.
const SAVE_AT_ONCE: usize = 200;

/// The power plugin.
#[derive(Debug, Default)]
pub struct Power {
    schedule: Schedule,
    devices: Vec<Device>,
    teams: Vec<Sum>,
    site: Sum,
    plans: Vec<Arc<Plan>>,
    /// The first question to every device that is not known yet.
    greeting: Arc<[Oid]>,
    /// Devices that are being asked what they are, and those that wait for it.
    identifying: usize,
    queued: VecDeque<u32>,
    in_flight: poll::InFlight,
    networks: causes::Networks,
    jobs: SmallMap<Ticket, Purpose>,
    errands: Vec<errand::Errand>,
    episodes: Episodes,
    tracks: history::Tracks,
    published: publish::Published,
    kept: Kept<PowerView>,
    scratch: (Reading, Sums),
    slot_devices: Vec<u32>,
    save_at: Option<Mono>,
    save_from: usize,
    /// When the agent last came back from a sleep, and whether no cycle has begun since.
    woke: Mono,
    has_slept: bool,
    /// When the excesses under way were last made durable.
    excesses_saved: Mono,
    untried: usize,
    polls_ok: u64,
    polls_failed: u64,
    polls_overrun: u64,
    revision: u64,
    outlets_revision: u64,
}

/// What a ticket that is not a poll is about.
#[derive(Debug)]
enum Purpose {
    /// The address of a PDU.
    Lookup(u32),
    /// A file for a person.
    Csv(ReplyTo),
    /// What was used.
    Energy(Box<energy::Asked>),
}

impl Power {
    /// Makes the plugin for a configuration.
    pub fn new(_config: &Arc<Config>) -> Power {
        Power {
            greeting: Identify::first_question().into(),
            ..Power::default()
        }
    }

    fn make_devices(&mut self, ctx: &Ctx<'_>) {
        let config = ctx.config;
        self.devices = settings(config)
            .pdus
            .iter()
            .map(|pdu| Device::new(pdu, ctx.now.mono))
            .collect();
        self.teams = settings(config)
            .teams
            .iter()
            .map(|team| Sum::new(team.members.len()))
            .collect();
        self.site = Sum::new(settings(config).pdus.len());
        self.set_sum_limits(config);
        self.networks = causes::Networks::default();
    }

    /// Says what explains that devices do not answer, to the alerts that the book has kept.
    fn report_causes(&mut self, ctx: &mut Ctx<'_>) {
        for (index, device) in (0u32..).zip(&self.devices) {
            let causes = device
                .is_unreachable
                .then(|| self.networks.causes(ctx.config, index));
            if let Some(causes) = causes.flatten() {
                let name = format!("power.unreachable:{}", pdu_name(ctx.config, index));
                ctx.report(Report::of_causes(ctx.now, &name, causes));
            }
        }
    }

    fn set_sum_limits(&mut self, config: &Config) {
        for (sum, team) in self.teams.iter_mut().zip(&settings(config).teams) {
            set_watch(&mut sum.hard, team.limits.hard);
            set_watch(&mut sum.soft, team.limits.soft);
        }
        set_watch(&mut self.site.hard, settings(config).site.hard);
        set_watch(&mut self.site.soft, settings(config).site.soft);
    }

    fn restore(&mut self, ctx: &mut Ctx<'_>, records: &Records) {
        self.episodes.restore(records.all("power.exceeding"));
        let cut_off: Vec<(String, SavedExcess)> = records.all("power.excess");
        end_cut_off(ctx, &mut self.episodes, cut_off);
        let config = Arc::clone(ctx.config);
        for (index, device) in (0u32..).zip(&mut self.devices) {
            let name = pdu_name(&config, index);
            if let Some(saved) = records.get::<SavedPeak>("power.peak", name) {
                device.peak = saved.w.map(|w| (w, saved.at));
                device.before.device_peak_w = saved.device_w;
                device.view.peak_w = saved.device_w.or(saved.w);
                device.view.peak_time = saved
                    .w
                    .map(|_| saved.at)
                    .filter(|_| saved.device_w.is_none());
                device.view.device_limit_w = saved.limit_w;
                device.set_limits(&settings(&config).pdus[index as usize]);
            }
            let subject = Subject::Pdu(index);
            resume(ctx, subject, Level::Hard, device.hard.as_mut());
            resume(ctx, subject, Level::Soft, device.soft.as_deref_mut());
            let was_above = device.watches().any(excess::Watch::is_open);
            device.before.was_above = was_above;
            let unreachable = ctx.alerts.get(&format!("power.unreachable:{name}"));
            device.is_unreachable = unreachable.is_some_and(|entry| entry.fired.is_some());
        }
        for (index, sum) in (0u32..).zip(&mut self.teams) {
            let name = settings(&config)
                .teams
                .get(index as usize)
                .map_or("", |team| &team.name);
            restore_sum(sum, records.get("power.team_peak", name));
            resume(ctx, Subject::Team(index), Level::Hard, sum.hard.as_mut());
            resume(ctx, Subject::Team(index), Level::Soft, sum.soft.as_mut());
        }
        restore_sum(&mut self.site, records.get("power.site_peak", "site"));
        resume(ctx, Subject::Site, Level::Hard, self.site.hard.as_mut());
        resume(ctx, Subject::Site, Level::Soft, self.site.soft.as_mut());
    }

    /// Ends alerts and deletes peaks of what was removed from the configuration while the agent did not run.
    fn clean_up(&mut self, ctx: &mut Ctx<'_>, records: &Records) {
        let config = Arc::clone(ctx.config);
        let mut alerts = Vec::new();
        for (index, device) in (0u32..).zip(&self.devices) {
            let subject = Subject::Pdu(index);
            let watched = [
                (Level::Hard, device.hard.is_some()),
                (Level::Soft, device.soft.is_some()),
            ];
            alerts.extend(watched_names(&config, subject, watched));
            alerts.push(format!("power.unreachable:{}", pdu_name(&config, index)));
        }
        let sums = (0u32..).map(Subject::Team).zip(&self.teams);
        for (subject, sum) in sums.chain([(Subject::Site, &self.site)]) {
            let watched = [
                (Level::Hard, sum.hard.is_some()),
                (Level::Soft, sum.soft.is_some()),
            ];
            alerts.extend(watched_names(&config, subject, watched));
        }
        let alerts: SmallSet<String> = alerts.into_iter().collect();
        let gone: Vec<(String, String, crate::alert::Severity)> = ctx
            .alerts
            .entries()
            .filter(|entry| entry.name.starts_with("power.") && !alerts.contains(&*entry.name))
            .map(|entry| {
                (
                    entry.name.to_string(),
                    entry.subject.clone(),
                    entry.severity,
                )
            })
            .collect();
        for (name, subject, severity) in gone {
            report_removed(ctx, name, subject, severity);
        }
        let known: SmallSet<&str> = settings(&config)
            .pdus
            .iter()
            .map(|pdu| &*pdu.name)
            .collect();
        for (name, _) in records.all::<SavedPeak>("power.peak") {
            if !known.contains(name.as_str()) {
                ctx.state.delete("power.peak", &name);
            }
        }
    }

    /// Writes the peak of a device; the device's own as it was just read, or as it was read last.
    fn save_peak(&mut self, ctx: &mut Ctx<'_>, index: u32, device_w: Option<f64>) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        device.is_dirty = false;
        let (w, at) = device
            .peak
            .map_or((None, ctx.now.wall), |(w, at)| (Some(w), at));
        let saved = SavedPeak {
            w,
            at,
            device_w: device_w.or(device.before.device_peak_w),
            limit_w: device.view.device_limit_w,
        };
        ctx.state
            .put("power.peak", pdu_name(ctx.config, index), &saved);
    }

    /// Saves what has moved: excesses under way, sums, and some of the peaks in each turn until all are done.
    fn save_some(&mut self, ctx: &mut Ctx<'_>) {
        if ctx.now.mono.since(self.excesses_saved) >= SAVE_EXCESSES_EVERY {
            self.excesses_saved = ctx.now.mono;
            self.save_excesses(ctx, SAVE_AT_ONCE);
        }
        if self.save_at.is_none_or(|at| ctx.now.mono < at) {
            return;
        }
        if self.save_from == 0 {
            self.save_sums(ctx);
        }
        let mut saved = 0;
        while self.save_from < self.devices.len() && saved < SAVE_AT_ONCE {
            if self.devices[self.save_from].is_dirty {
                self.save_peak(ctx, self.save_from as u32, None);
                saved += 1;
            }
            self.save_from += 1;
        }
        if self.save_from == self.devices.len() {
            self.save_from = 0;
            self.save_at = Some(ctx.now.mono + SAVE_EVERY);
        }
    }

    fn save_excesses(&mut self, ctx: &mut Ctx<'_>, most: usize) {
        let pdus = (0u32..).zip(&self.devices).flat_map(|(index, device)| {
            let subject = Subject::Pdu(index);
            [
                (subject, Level::Hard, device.hard.as_ref()),
                (subject, Level::Soft, device.soft.as_deref()),
            ]
        });
        let sums = (0u32..)
            .map(Subject::Team)
            .zip(&self.teams)
            .chain([(Subject::Site, &self.site)]);
        let sums = sums.flat_map(|(subject, sum)| {
            [
                (subject, Level::Hard, sum.hard.as_ref()),
                (subject, Level::Soft, sum.soft.as_ref()),
            ]
        });
        let open = pdus.chain(sums).filter_map(|(subject, level, watch)| {
            let excess = watch?.excess.as_deref()?;
            Some((subject, level, excess))
        });
        for (subject, level, excess) in open.take(most) {
            save_excess(ctx, subject, level, excess);
            ctx.state.require_durable();
        }
    }

    fn save_sums(&mut self, ctx: &mut Ctx<'_>) {
        let config = Arc::clone(ctx.config);
        for (sum, team) in self.teams.iter_mut().zip(&settings(&config).teams) {
            save_sum(ctx, sum, "power.team_peak", &team.name);
        }
        save_sum(ctx, &mut self.site, "power.site_peak", "site");
    }

    /// Moves what is known by name from the old configuration to the new one.
    fn carry_over(&mut self, ctx: &mut Ctx<'_>, old: &Config) {
        let config = Arc::clone(ctx.config);
        let by_name: SmallMap<&str, u32> = (0u32..)
            .zip(&settings(&config).pdus)
            .map(|(index, pdu)| (&*pdu.name, index))
            .collect();
        let new_index: Vec<Option<u32>> = settings(old)
            .pdus
            .iter()
            .map(|pdu| by_name.get(&*pdu.name).copied())
            .collect();
        let old_devices = std::mem::take(&mut self.devices);
        let old_teams = std::mem::take(&mut self.teams);
        let mut old_site = std::mem::take(&mut self.site);
        self.make_devices(ctx);
        for (from, (mut device, to)) in (0u32..).zip(old_devices.into_iter().zip(&new_index)) {
            let Some(to) = *to else {
                self.remove_device(ctx, old, from, &mut device);
                continue;
            };
            let (Some(before), Some(after)) = (
                settings(old).pdus.get(from as usize),
                settings(&config).pdus.get(to as usize),
            ) else {
                continue;
            };
            self.end_removed_limits(ctx, old, from, &mut device, after);
            if is_same_device(before, after) {
                device.set_limits(after);
            } else {
                device = replaced(device, after, ctx.now.mono);
                // The answer that is under way is about the device that was.
                self.in_flight.forget(from);
            }
            self.devices[to as usize] = device;
        }
        self.in_flight.rename(&new_index);
        self.jobs.retain(|_, purpose| match purpose {
            Purpose::Lookup(index) => match new_index.get(*index as usize).copied().flatten() {
                Some(to) => {
                    *index = to;
                    true
                }
                None => false,
            },
            Purpose::Csv(_) | Purpose::Energy(_) => true,
        });
        errand::rename(&mut self.errands, &new_index);
        let stage_is = |wanted: fn(&Stage) -> bool| {
            (0u32..)
                .zip(&self.devices)
                .filter(move |(_, device)| wanted(&device.stage))
                .map(|(index, _)| index)
        };
        self.identifying = stage_is(|stage| matches!(stage, Stage::Identifying(_))).count();
        self.queued = stage_is(|stage| matches!(stage, Stage::Queued)).collect();
        self.carry_over_sums(ctx, old, old_teams, &mut old_site);
        self.untried = self
            .devices
            .iter()
            .filter(|device| !device.is_tried)
            .count();
    }

    fn carry_over_sums(
        &mut self,
        ctx: &mut Ctx<'_>,
        old: &Config,
        old_teams: Vec<Sum>,
        old_site: &mut Sum,
    ) {
        let config = Arc::clone(ctx.config);
        for (from, mut sum) in (0u32..).zip(old_teams) {
            let name = settings(old)
                .teams
                .get(from as usize)
                .map(|team| &team.name);
            let to = settings(&config)
                .teams
                .iter()
                .position(|team| Some(&team.name) == name);
            let limits = to
                .map(|to| settings(&config).teams[to].limits)
                .unwrap_or_default();
            self.end_removed_sum(ctx, old, Subject::Team(from), &mut sum, limits);
            if let Some(to) = to {
                sum.restart(settings(&config).teams[to].members.len());
                self.teams[to] = sum;
            }
        }
        let mut site = std::mem::take(old_site);
        self.end_removed_sum(ctx, old, Subject::Site, &mut site, settings(&config).site);
        site.restart(settings(&config).pdus.len());
        self.site = site;
        self.set_sum_limits(&config);
    }

    fn remove_device(&mut self, ctx: &mut Ctx<'_>, old: &Config, index: u32, device: &mut Device) {
        let subject = Subject::Pdu(index);
        for (level, watch) in [
            (Level::Hard, device.hard.as_mut()),
            (Level::Soft, device.soft.as_deref_mut()),
        ] {
            if let Some(watch) = watch {
                end_removed(ctx, &mut self.episodes, old, subject, level, watch);
            }
        }
        let name = pdu_name(old, index);
        if device.is_unreachable {
            let alert = format!("power.unreachable:{name}");
            let words = pdu_words(old, index);
            report_removed(ctx, alert, words, crate::alert::Severity::Warning);
        }
        ctx.state.delete("power.peak", name);
    }

    fn end_removed_limits(
        &mut self,
        ctx: &mut Ctx<'_>,
        old: &Config,
        index: u32,
        device: &mut Device,
        after: &PduConfig,
    ) {
        let subject = Subject::Pdu(index);
        let stays = after.limits.hard.is_some() || after.device_limit;
        if let (Some(watch), false) = (device.hard.as_mut(), stays) {
            end_removed(ctx, &mut self.episodes, old, subject, Level::Hard, watch);
        }
        if let (Some(watch), None) = (device.soft.as_deref_mut(), after.limits.soft) {
            end_removed(ctx, &mut self.episodes, old, subject, Level::Soft, watch);
        }
    }

    fn end_removed_sum(
        &mut self,
        ctx: &mut Ctx<'_>,
        old: &Config,
        subject: Subject,
        sum: &mut Sum,
        after: Limits,
    ) {
        if let (Some(watch), None) = (sum.hard.as_mut(), after.hard) {
            end_removed(ctx, &mut self.episodes, old, subject, Level::Hard, watch);
        }
        if let (Some(watch), None) = (sum.soft.as_mut(), after.soft) {
            end_removed(ctx, &mut self.episodes, old, subject, Level::Soft, watch);
        }
    }
}

impl super::Plugin for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn commands(&self) -> Vec<&'static Spec> {
        command::specs(commands::COMMANDS)
    }

    fn rules(&self, config: &Config) -> Vec<String> {
        test_alert::names(config, &self.devices)
    }

    fn rule(&self, config: &Config, name: &str) -> Option<(Rule, &'static str)> {
        test_alert::rule(config, &self.devices, name)
    }

    fn test_alert(&mut self, ctx: &mut Ctx<'_>, rule: &str, value: f64) -> bool {
        test_alert::judge(ctx, &self.devices, rule, value)
    }

    fn start(&mut self, ctx: &mut Ctx<'_>, records: &Records) {
        self.make_devices(ctx);
        self.restore(ctx, records);
        self.report_causes(ctx);
        self.clean_up(ctx, records);
        self.schedule = Schedule::new(ctx.config, ctx.now.mono, 0);
        self.save_at = Some(ctx.now.mono + SAVE_EVERY);
        self.open_tracks(ctx);
        self.untried = self
            .devices
            .iter()
            .filter(|device| !device.is_tried)
            .count();
        if self.untried == 0 {
            ctx.notices.push(Notice::FirstCycleDone);
        }
        self.revision += 1;
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        command::run(commands::COMMANDS, self, ctx, invocation);
    }

    fn recall(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) -> bool {
        match invocation.spec.name {
            "reset" => self.recall_reset(ctx, invocation),
            "outlet" => self.recall_outlet(ctx, invocation),
            _ => false,
        }
    }

    fn complete(&self, config: &Config, kind: &str, prefix: &str) -> Vec<String> {
        command::complete(commands::KINDS, self, config, kind, prefix)
    }

    fn handle(&mut self, ctx: &mut Ctx<'_>, ticket: Ticket, reply: Reply) {
        self.notice_sleep(ctx);
        match (self.jobs.remove(&ticket), reply) {
            (Some(Purpose::Lookup(index)), Reply::Resolved(result)) => {
                self.handle_resolved(ctx, index, result);
            }
            (Some(Purpose::Csv(to)), Reply::Document(result)) => {
                exceedings::answer_csv(ctx, &to, result);
            }
            (Some(Purpose::Energy(asked)), Reply::History(result)) => {
                self.take_energy(ctx, *asked, result);
            }
            _ => {}
        }
    }

    fn handle_snmp(&mut self, ctx: &mut Ctx<'_>, replies: Vec<SnmpReply>) {
        self.notice_sleep(ctx);
        self.take_replies(ctx, replies);
    }

    fn poll_timeout(&self) -> Option<Mono> {
        let saving = self.save_at.filter(|_| !self.devices.is_empty());
        earlier(earlier(self.next_slot(), self.next_errand()), saving)
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {
        self.notice_sleep(ctx);
        self.fire_due(ctx);
        self.advance_errands(ctx);
        self.save_some(ctx);
    }

    fn reload(&mut self, ctx: &mut Ctx<'_>, old: &Arc<Config>) {
        self.carry_over(ctx, old);
        self.report_causes(ctx);
        let cycle = self.schedule.cycle() + 2;
        let next = self.schedule.next().unwrap_or(ctx.now.mono);
        let is_same_rate = settings(old).interval == settings(ctx.config).interval;
        let origin = if is_same_rate { next } else { ctx.now.mono };
        self.schedule = Schedule::new(ctx.config, origin, cycle);
        self.open_tracks(ctx);
        self.save_from = 0;
        self.outlets_revision += 1;
        self.revision += 1;
        self.published = publish::Published::default();
    }

    fn correct_times(&mut self, by_ms: i64) {
        for device in &mut self.devices {
            let watches = device.hard.iter_mut().chain(device.soft.as_deref_mut());
            watches.for_each(|watch| watch.correct_times(by_ms));
            let view = &mut device.view;
            let read = view.read.as_mut().map(|(_, at)| at);
            let peak = device.peak.as_mut().map(|(_, at)| at);
            let further = view.peak_time.iter_mut().chain(&mut view.restarted_at);
            for at in read.into_iter().chain(peak).chain(further) {
                at.correct(by_ms);
            }
            device.is_dirty = true;
        }
        for sum in self.teams.iter_mut().chain([&mut self.site]) {
            let watches = sum.hard.iter_mut().chain(&mut sum.soft);
            watches.for_each(|watch| watch.correct_times(by_ms));
            for (_, at) in sum.peak.iter_mut().chain(&mut sum.view.peak) {
                at.correct(by_ms);
            }
            sum.is_dirty = true;
        }
        for (_, episode) in &mut self.episodes.list {
            episode.began.correct(by_ms);
        }
        self.revision += 1;
    }

    fn stop(&mut self, ctx: &mut Ctx<'_>) {
        self.save_excesses(ctx, usize::MAX);
        self.save_sums(ctx);
        for index in 0..self.devices.len() {
            if self.devices[index].is_dirty {
                self.save_peak(ctx, index as u32, None);
            }
        }
        ctx.state.require_durable();
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn view(&mut self, now: Now, config: &Arc<Config>) -> Option<Arc<dyn View>> {
        Some(self.view_now(now, config))
    }
}

fn watched_names(
    config: &Config,
    subject: Subject,
    watched: [(Level, bool); 2],
) -> impl Iterator<Item = String> {
    watched
        .into_iter()
        .filter(|(_, is_watched)| *is_watched)
        .map(move |(level, _)| subject.alert(config, level))
}

fn restore_sum(sum: &mut Sum, saved: Option<SavedPeak>) {
    if let Some(saved) = saved {
        sum.peak = saved.w.map(|w| (w, saved.at));
        sum.view.peak = sum.peak;
    }
}

fn save_sum(ctx: &mut Ctx<'_>, sum: &mut Sum, namespace: &str, name: &str) {
    if !std::mem::take(&mut sum.is_dirty) {
        return;
    }
    if let Some((w, at)) = sum.peak {
        let saved = SavedPeak {
            w: Some(w),
            at,
            device_w: None,
            limit_w: None,
        };
        ctx.state.put(namespace, name, &saved);
    }
}

/// True when both descriptions reach the same device in the same way.
fn is_same_device(before: &PduConfig, after: &PduConfig) -> bool {
    before.host == after.host
        && before.credentials == after.credentials
        && before.profile == after.profile
        && before.unit == after.unit
        && before.any_source == after.any_source
}

/// The same PDU by name, but to be asked in another way: what people know of it stays.
fn replaced(old: Device, config: &PduConfig, now: Mono) -> Device {
    let mut device = Device::new(config, now);
    let reason = device.view.reason.take();
    device.view = old.view;
    device.view.reason = reason;
    (device.hard, device.soft) = (old.hard, old.soft);
    device.set_limits(config);
    device.peak = old.peak;
    device.is_dirty = old.is_dirty;
    device.is_unreachable = old.is_unreachable;
    device.last_answer = old.last_answer;
    device.is_tried = old.is_tried || device.is_tried;
    device
}
