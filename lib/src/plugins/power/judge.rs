//! Judges what was read: limits with their excesses, restarts, peaks that came and went between two readings.

use super::Power;
use super::device::{Before, Figures};
use super::excess::{
    Episode, Excess, Level, SavedExcess, Subject, Watch, Watts, pdu_name, pdu_words,
};
use super::sums::Known;
use crate::alert::{AlertState, Report, ReportKind, RuleState, Sample, Severity};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::effect::LogFile;
use crate::pdu::DeviceTime;
use crate::snapshot::PduState;
use crate::time::{Human, Now, Wall};
use std::collections::VecDeque;
use std::time::Duration;

/// Excesses that `/exceedings` remembers.
const MAX_EPISODES: usize = 1000;

/// The excesses of the past.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    /// Oldest first, with the number of their record.
    pub(super) list: VecDeque<(u64, Episode)>,
    next: u64,
}

impl Episodes {
    /// Takes what was on disk.
    pub(super) fn restore(&mut self, saved: Vec<(String, Episode)>) {
        let mut list: Vec<(u64, Episode)> = saved
            .into_iter()
            .filter_map(|(key, episode)| Some((key.parse().ok()?, episode)))
            .collect();
        list.sort_by_key(|(number, _)| *number);
        self.next = list.last().map_or(0, |(number, _)| number + 1);
        self.list = list.into();
    }

    /// Remembers one more; the oldest makes room.
    pub(super) fn push(&mut self, ctx: &mut Ctx<'_>, episode: Episode) {
        let number = self.next;
        self.next += 1;
        ctx.state
            .put("power.exceeding", &number.to_string(), &episode);
        self.list.push_back((number, episode));
        while self.list.len() > MAX_EPISODES {
            if let Some((oldest, _)) = self.list.pop_front() {
                ctx.state.delete("power.exceeding", &oldest.to_string());
            }
        }
    }
}

/// Appends a line of `exceedings.log`.
pub(super) fn log_line(ctx: &mut Ctx<'_>, at: Wall, subject: &str, words: &str) {
    let time = at.local(&ctx.config.notify.timezone);
    ctx.append(
        LogFile::Exceedings,
        format!("{time} --- {subject}: {words}"),
    );
}

/// Judges one sample by one limit: the rule, the excess, the log, the report.
pub(super) fn judge_limit(
    ctx: &mut Ctx<'_>,
    episodes: &mut Episodes,
    subject: Subject,
    level: Level,
    watch: &mut Watch,
    sample: Sample,
    at: Now,
) {
    let rule = watch.rule();
    let fired_for = watch.state.firing_for(at);
    let transition = watch.state.evaluate(&rule, at, sample);
    let value = match sample {
        Sample::Value(value) | Sample::LowerBound(value) => Some(value),
        Sample::NoData => None,
    };
    if transition.is_none() && !watch.is_open() {
        return;
    }
    let config = std::sync::Arc::clone(ctx.config);
    let ended = transition.is_some_and(|transition| transition.is_end());
    let mut summary = String::new();
    if let Some(power_w) = value {
        if let Some(excess) = watch.excess.as_mut() {
            excess.add(at, power_w);
        } else if watch.is_open() && power_w > watch.limit.on_w {
            begin_excess(ctx, subject, level, watch, power_w, at);
        }
        if let Some(excess) = &watch.excess {
            summary = excess.began_words(subject, level, power_w);
        }
    }
    if ended {
        summary = match watch.excess.take() {
            Some(excess) => end_excess(ctx, episodes, subject, level, &excess, at),
            None => format!(
                "back below limit after {}: peak {}",
                Human(fired_for.unwrap_or_default()),
                Watts(watch.state.worst().unwrap_or(watch.limit.on_w))
            ),
        };
    } else if summary.is_empty() {
        summary = words_of_state(watch, sample);
    }
    let excess_peak = watch.excess.as_ref().map(|excess| excess.peak_w);
    ctx.report(Report {
        name: subject.alert(&config, level).into(),
        subject: subject.words(&config, level),
        severity: level.severity(),
        state: watch.state.state,
        summary,
        value,
        worst: excess_peak.or(watch.state.worst()),
        unit: "W",
        at: at.wall,
        kind: match transition {
            Some(_) => ReportKind::State,
            None => ReportKind::Update,
        },
        rule: Some(rule),
        reason: transition.map_or("", |transition| transition.reason),
    });
}

fn words_of_state(watch: &Watch, sample: Sample) -> String {
    match (watch.state.state, sample) {
        (AlertState::Unknown, Sample::LowerBound(sum_w)) => {
            format!("at least {}, a member is missing", Watts(sum_w))
        }
        (AlertState::Unknown, _) => "no reading".to_owned(),
        (_, Sample::Value(power_w) | Sample::LowerBound(power_w)) if watch.is_open() => {
            format!(
                "not yet back below {}: {}",
                Watts(watch.limit.off_w),
                Watts(power_w)
            )
        }
        (_, Sample::Value(power_w) | Sample::LowerBound(power_w)) => {
            format!("{} of {}", Watts(power_w), Watts(watch.limit.on_w))
        }
        (_, Sample::NoData) => String::new(),
    }
}

fn begin_excess(
    ctx: &mut Ctx<'_>,
    subject: Subject,
    level: Level,
    watch: &mut Watch,
    power_w: f64,
    at: Now,
) {
    let excess = Excess::begin(at, power_w, watch.limit.on_w);
    let name = subject.words(ctx.config, level);
    log_line(
        ctx,
        at.wall,
        &name,
        &excess.began_words(subject, level, power_w),
    );
    save_excess(ctx, subject, level, &excess);
    ctx.state.require_durable();
    watch.excess = Some(Box::new(excess));
}

/// Notes how far an excess has got, for the case that the agent stops.
pub(super) fn save_excess(ctx: &mut Ctx<'_>, subject: Subject, level: Level, excess: &Excess) {
    let saved = SavedExcess::of(excess, ctx.config, subject, level);
    let key = subject.alert(ctx.config, level);
    ctx.state.put("power.excess", &key, &saved);
}

fn end_excess(
    ctx: &mut Ctx<'_>,
    episodes: &mut Episodes,
    subject: Subject,
    level: Level,
    excess: &Excess,
    at: Now,
) -> String {
    let words = excess.ended_words(subject, level);
    let name = subject.words(ctx.config, level);
    log_line(ctx, at.wall, &name, &words);
    let key = subject.alert(ctx.config, level);
    ctx.state.delete("power.excess", &key);
    let saved = SavedExcess::of(excess, ctx.config, subject, level);
    episodes.push(ctx, Episode::of(saved, false));
    words
}

/// Ends what the stop of the agent cut off: one line each, and an entry among the excesses.
pub(super) fn end_cut_off(
    ctx: &mut Ctx<'_>,
    episodes: &mut Episodes,
    saved: Vec<(String, SavedExcess)>,
) {
    for (key, saved) in saved {
        let words = saved.cut_off_words();
        log_line(ctx, saved.last, &saved.subject, &words);
        ctx.state.delete("power.excess", &key);
        episodes.push(ctx, Episode::of(saved, true));
    }
}

/// Ends the alerts of a limit that the configuration no longer holds.
pub(super) fn end_removed(
    ctx: &mut Ctx<'_>,
    episodes: &mut Episodes,
    old: &Config,
    subject: Subject,
    level: Level,
    watch: &mut Watch,
) {
    let key = subject.alert(old, level);
    let name = subject.words(old, level);
    if let Some(excess) = watch.excess.take() {
        let words = format!(
            "{} (removed from the configuration)",
            excess.ended_words(subject, level)
        );
        log_line(ctx, ctx.now.wall, &name, &words);
        ctx.state.delete("power.excess", &key);
        let saved = SavedExcess::of(&excess, old, subject, level);
        episodes.push(ctx, Episode::of(saved, true));
    }
    if watch.is_reported() {
        report_removed(ctx, key, name, level.severity());
    }
}

pub(super) fn report_removed(ctx: &mut Ctx<'_>, name: String, subject: String, severity: Severity) {
    let at = ctx.now.wall;
    ctx.report(Report {
        name: name.into(),
        subject,
        severity,
        state: AlertState::Ok,
        summary: "removed from the configuration".into(),
        value: None,
        worst: None,
        unit: "",
        at,
        kind: ReportKind::Removed,
        rule: None,
        reason: "removed from the configuration",
    });
}

/// Continues a limit where the book of alerts stands.
pub(super) fn resume(ctx: &Ctx<'_>, subject: Subject, level: Level, watch: Option<&mut Watch>) {
    let Some(watch) = watch else {
        return;
    };
    if let Some(entry) = ctx.alerts.get(&subject.alert(ctx.config, level)) {
        watch.state = RuleState::resume(entry);
    }
}

/// Something that happened once.
fn event(
    ctx: &mut Ctx<'_>,
    name: String,
    index: u32,
    severity: Severity,
    summary: String,
    value: Option<f64>,
    at: Wall,
) {
    let subject = pdu_words(ctx.config, index);
    ctx.report(Report {
        name: name.into(),
        subject,
        severity,
        state: AlertState::Firing,
        summary,
        value,
        worst: value,
        unit: if value.is_some() { "W" } else { "" },
        at,
        kind: ReportKind::Event,
        rule: None,
        reason: "seen in a reading",
    });
}

impl Power {
    /// Takes a reading of a device: everything about it is judged in this very step.
    pub(super) fn accept(&mut self, ctx: &mut Ctx<'_>, index: u32, figures: Figures, at: Now) {
        self.answered(ctx, index, at);
        self.detect_restart(ctx, index, &figures, at);
        self.judge_pdu(ctx, index, &figures, at);
        self.note_peaks(ctx, index, &figures, at);
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let was_above = device.watches().any(Watch::is_open);
        device.before = Before {
            uptime_ticks: figures.uptime_ticks.or(device.before.uptime_ticks),
            energy_kwh: figures.energy_kwh.or(device.before.energy_kwh),
            device_peak_w: figures.peak_w.or(device.before.device_peak_w),
            device_peak_at: figures.peak_at,
            was_above,
        };
        let firing = |watch: &Watch| watch.state.state == AlertState::Firing;
        device.view.state = match figures.power_w {
            None => PduState::Unknown,
            Some(_) if device.watches().any(firing) => PduState::OverLimit,
            Some(_) => PduState::Ok,
        };
        if figures.power_w.is_some() {
            device.set_reason(None);
            device.powerless = 0;
            if !device.cycle_has_ended {
                device.read_in[(device.cycle & 1) as usize] = device.cycle;
            }
        } else {
            device.set_reason(Some("the device answers, but without its power"));
            device.powerless += 1;
        }
        let view = &mut device.view;
        view.read = Some((at.mono, at.wall));
        view.power_w = figures.power_w;
        view.apparent_va = figures.apparent_va;
        view.current_a = figures.current_a;
        view.voltage_v = figures.voltage_v;
        view.energy_kwh = figures.energy_kwh;
        self.revision += 1;
        self.check_resets(ctx, index, &figures, at);
        self.note_end(ctx, index, figures.power_w, at);
    }

    fn judge_pdu(&mut self, ctx: &mut Ctx<'_>, index: u32, figures: &Figures, at: Now) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        // A peak that the device saw while the excess lasted belongs to it.
        let risen = figures.peak_w.filter(|peak| {
            device
                .before
                .device_peak_w
                .is_some_and(|before| *peak > before)
        });
        let sample = figures.power_w.map_or(Sample::NoData, Sample::Value);
        let subject = Subject::Pdu(index);
        let levels = [
            (Level::Hard, device.hard.as_mut()),
            (Level::Soft, device.soft.as_deref_mut()),
        ];
        for (level, watch) in levels {
            let Some(watch) = watch else {
                continue;
            };
            if let (Some(excess), Some(peak)) = (watch.excess.as_mut(), risen) {
                excess.raise(peak);
            }
            judge_limit(ctx, &mut self.episodes, subject, level, watch, sample, at);
            if let (Some(excess), Some(peak)) = (watch.excess.as_mut(), risen) {
                excess.raise(peak);
            }
        }
    }

    /// The agent's own peak, and a device's peak that rose above the limit while no reading was above it.
    fn note_peaks(&mut self, ctx: &mut Ctx<'_>, index: u32, figures: &Figures, at: Now) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        if let Some(power_w) = figures.power_w {
            if device.peak.is_none_or(|(peak, _)| power_w > peak) {
                device.peak = Some((power_w, at.wall));
                device.is_dirty = true;
            }
        }
        let before = device.before;
        if figures.peak_w.is_some() && figures.peak_w != before.device_peak_w {
            device.is_dirty = true;
        }
        match figures.peak_w {
            Some(peak_w) => {
                if figures.peak_at != before.device_peak_at || device.view.peak_time.is_none() {
                    let zone = &ctx.config.notify.timezone;
                    device.view.peak_time =
                        figures.peak_at.map(|time: DeviceTime| time.to_wall(zone));
                }
                device.view.peak_w = Some(peak_w);
                device.view.peak_is_devices = true;
            }
            None => {
                device.view.peak_w = device.peak.map(|(peak, _)| peak);
                device.view.peak_time = device.peak.map(|(_, time)| time);
                device.view.peak_is_devices = false;
            }
        }
        let is_above = device.hard.as_ref().is_some_and(Watch::is_open);
        let limit_w = device.hard.as_ref().map(|watch| watch.limit.on_w);
        if is_above || before.was_above {
            return;
        }
        let (Some(peak_w), Some(earlier_w), Some(limit_w)) =
            (figures.peak_w, before.device_peak_w, limit_w)
        else {
            return;
        };
        if peak_w > limit_w && peak_w > earlier_w {
            self.tell_peak_between(ctx, index, peak_w, limit_w, at);
        }
    }

    fn tell_peak_between(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        peak_w: f64,
        limit_w: f64,
        at: Now,
    ) {
        let words = format!(
            "peak above power limit between readings: {} > {}",
            Watts(peak_w),
            Watts(limit_w)
        );
        let subject = pdu_words(ctx.config, index);
        log_line(ctx, at.wall, &subject, &words);
        let name = format!("power.peak:{}", pdu_name(ctx.config, index));
        event(
            ctx,
            name,
            index,
            Severity::Critical,
            words,
            Some(peak_w),
            at.wall,
        );
        let episode = Episode {
            subject,
            what: "peak between readings".into(),
            began: at.wall,
            seconds: 0.0,
            peak_w,
            limit_w,
            energy_kwh: None,
            cut_off: false,
        };
        self.episodes.push(ctx, episode);
        self.save_peak(ctx, index, Some(peak_w));
    }

    fn detect_restart(&mut self, ctx: &mut Ctx<'_>, index: u32, figures: &Figures, at: Now) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let before = device.before;
        let uptime = match (before.uptime_ticks, figures.uptime_ticks) {
            (Some(before), Some(ticks)) if ticks < before && !has_wrapped(before) => Some(format!(
                "restarted: its uptime went back from {} to {}",
                Human(ticks_span(before)),
                Human(ticks_span(ticks))
            )),
            _ => None,
        };
        let energy = match (before.energy_kwh, figures.energy_kwh) {
            (Some(before), Some(energy)) if energy < before => Some(format!(
                "its energy counter went back from {before:.1} to {energy:.1} kWh"
            )),
            _ => None,
        };
        let Some(summary) = uptime.or(energy) else {
            return;
        };
        let since_start = figures.uptime_ticks.map(ticks_span);
        device.view.restarted_at = Some(match since_start {
            Some(uptime) if uptime < Duration::from_secs(3600) => at.wall.minus(uptime),
            _ => at.wall,
        });
        // A new firmware or another unit may answer otherwise.
        device.identify_at = at.mono;
        device.must_identify = true;
        let name = format!("power.restart:{}", pdu_name(ctx.config, index));
        event(ctx, name, index, Severity::Info, summary, None, at.wall);
    }

    /// A device has answered something: it is not unreachable any more.
    pub(super) fn answered(&mut self, ctx: &mut Ctx<'_>, index: u32, at: Now) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let silent = at.mono.since(device.last_answer.unwrap_or(device.since));
        device.last_answer = Some(at.mono);
        device.failures = 0;
        if device.is_unreachable {
            device.is_unreachable = false;
            let summary = format!("answers again after {}", Human(silent));
            report_unreachable(
                ctx,
                index,
                AlertState::Ok,
                summary,
                silent,
                at.wall,
                "it answers",
            );
        }
    }

    /// An attempt brought nothing. Stale and unreachable follow from the age of the last answer.
    pub(super) fn failed(&mut self, ctx: &mut Ctx<'_>, index: u32, detail: &str) {
        let now = ctx.now;
        let power = &ctx.config.power;
        let (interval, patience) = (power.interval, power.unreachable_after);
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        device.failures = device.failures.saturating_add(1);
        device.set_reason(Some(detail));
        self.polls_failed += 1;
        let silent = now.mono.since(device.last_answer.unwrap_or(device.since));
        let is_lost = silent >= patience;
        let state = match device.view.state {
            _ if is_lost => PduState::Unreachable,
            PduState::Ok | PduState::OverLimit if silent > interval * 2 => PduState::Stale,
            state => state,
        };
        let has_changed = device.view.state != state;
        device.view.state = state;
        if is_lost && !device.is_unreachable {
            device.is_unreachable = true;
            let summary = format!("unreachable: no answer for {}", Human(silent));
            report_unreachable(
                ctx,
                index,
                AlertState::Firing,
                summary,
                silent,
                now.wall,
                "no answer",
            );
        }
        if has_changed {
            self.revision += 1;
            self.judge_pdu(ctx, index, &Figures::default(), now);
        }
        self.note_end(ctx, index, None, now);
    }

    /// The poll of a device in its cycle has ended.
    pub(super) fn note_end(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        power_w: Option<f64>,
        at: Now,
    ) {
        let Some(device) = self.devices.get_mut(index as usize) else {
            return;
        };
        let device_cycle = device.cycle;
        let is_counted = std::mem::replace(&mut device.cycle_has_ended, true);
        if !device.is_tried {
            device.is_tried = true;
            self.untried = self.untried.saturating_sub(1);
            if self.untried == 0 {
                ctx.notices.push(crate::ctx::Notice::FirstCycleDone);
            }
        }
        if !is_counted {
            self.note_cycle(ctx, index, device_cycle, power_w, at);
        }
    }

    /// Counts the end of a device's poll in the sums of a cycle. Once for each device and cycle.
    pub(super) fn note_cycle(
        &mut self,
        ctx: &mut Ctx<'_>,
        index: u32,
        cycle: u64,
        power_w: Option<f64>,
        at: Now,
    ) {
        let team = ctx.config.pdus.get(index as usize).and_then(|pdu| pdu.team);
        if let Some(team) = team {
            self.note_sum(ctx, Subject::Team(team), cycle, power_w, at);
        }
        self.note_sum(ctx, Subject::Site, cycle, power_w, at);
    }

    fn note_sum(
        &mut self,
        ctx: &mut Ctx<'_>,
        subject: Subject,
        cycle: u64,
        power_w: Option<f64>,
        at: Now,
    ) {
        let sum = match subject {
            Subject::Team(team) => match self.teams.get_mut(team as usize) {
                Some(sum) => sum,
                None => return,
            },
            _ => &mut self.site,
        };
        let Some(known) = sum.note(cycle, power_w) else {
            return;
        };
        let sample = match known {
            // Waiting for the rest cannot make it less: an excess is told now.
            Known::SoFar(sum_w) => {
                let is_news = |watch: &Watch| !watch.is_open() && sum_w > watch.limit.on_w;
                if !sum.watches().any(is_news) {
                    return;
                }
                Sample::LowerBound(sum_w)
            }
            Known::Whole {
                sum_w: Some(sum_w),
                is_exact: true,
            } => Sample::Value(sum_w),
            Known::Whole {
                sum_w: Some(sum_w), ..
            } => Sample::LowerBound(sum_w),
            Known::Whole { sum_w: None, .. } => Sample::NoData,
        };
        for (level, watch) in [(Level::Hard, &mut sum.hard), (Level::Soft, &mut sum.soft)] {
            if let Some(watch) = watch {
                judge_limit(ctx, &mut self.episodes, subject, level, watch, sample, at);
            }
        }
        if let Known::Whole { sum_w, is_exact } = known {
            if let Some(sum_w) = sum_w {
                sum.raise_peak(sum_w, at.wall);
            }
            let firing = |watch: &Watch| watch.state.state == AlertState::Firing;
            sum.view.power_w = sum_w;
            sum.view.state = match is_exact {
                _ if sum.watches().any(firing) => PduState::OverLimit,
                true => PduState::Ok,
                false => PduState::Unknown,
            };
            self.note_missing(ctx.config, subject, cycle, is_exact);
        }
    }

    fn note_missing(&mut self, config: &Config, subject: Subject, cycle: u64, is_exact: bool) {
        let devices = &self.devices;
        let is_missing = |index: &u32| {
            devices
                .get(*index as usize)
                .is_none_or(|device| !device.has_read_in(cycle))
        };
        let (view, members) = match subject {
            Subject::Team(team) => {
                let (Some(sum), Some(team)) = (
                    self.teams.get_mut(team as usize),
                    config.teams.get(team as usize),
                ) else {
                    return;
                };
                (&mut sum.view, Some(team.members.as_slice()))
            }
            _ => (&mut self.site.view, None),
        };
        if is_exact {
            if !view.missing.is_empty() {
                view.missing = [].into();
            }
            return;
        }
        let missing: Vec<u32> = match members {
            Some(members) => members.iter().copied().filter(is_missing).collect(),
            None => (0..devices.len() as u32).filter(is_missing).collect(),
        };
        if *view.missing != *missing {
            view.missing = missing.into();
        }
    }
}

/// sysUpTime wraps after 497 days; a jump from the last hour before that is no restart.
fn has_wrapped(before: u32) -> bool {
    before > u32::MAX - 360_000
}

fn ticks_span(ticks: u32) -> Duration {
    Duration::from_millis(u64::from(ticks) * 10)
}

fn report_unreachable(
    ctx: &mut Ctx<'_>,
    index: u32,
    state: AlertState,
    summary: String,
    silent: Duration,
    at: Wall,
    reason: &'static str,
) {
    let name = format!("power.unreachable:{}", pdu_name(ctx.config, index));
    let subject = pdu_words(ctx.config, index);
    ctx.report(Report {
        name: name.into(),
        subject,
        severity: Severity::Warning,
        state,
        summary,
        value: Some(silent.as_secs_f64().round()),
        worst: None,
        unit: "s",
        at,
        kind: ReportKind::State,
        rule: None,
        reason,
    });
}
