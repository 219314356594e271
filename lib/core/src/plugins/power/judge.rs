//! Judges what was read: restarts, peaks that came and went between two readings, silence. What limits mean is
//! in `limits`, and what sums are in `sums`.

use super::Power;
use super::device::{Before, Figures};
use super::excess::{Episode, Level, Subject, Watch, Watts, pdu_name, pdu_words};
use super::limits::{judge_limit, log_line};
use super::view::PduState;
use crate::alert::{AlertState, Causes, Report, ReportKind, Rule, Sample, Severity};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::plugins::power::settings;
use crate::time::{Human, Now, RELEASED, Wall};
use std::sync::Arc;
use std::time::Duration;

/// So far a device's clock may be ahead.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

impl Power {
    /// Takes a reading of a device: everything about it is judged in this very step.
    pub(super) fn accept(&mut self, ctx: &mut Ctx<'_>, index: u32, figures: Figures, at: Now) {
        self.answered(ctx, index, at);
        self.detect_restart(ctx, index, &figures, at);
        self.take_device_limit(ctx, index, &figures);
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
        view.power_factor = figures.power_factor;
        view.rating_w = figures.rating_w;
        view.nearest_rated = figures.nearest_rated;
        view.current_a = figures.current_a;
        view.voltage_v = figures.voltage_v;
        view.energy_kwh = figures.energy_kwh;
        let watch = device.hard.as_ref().or(device.soft.as_deref());
        view.limit_in_s = figures.power_w.and_then(|power_w| {
            device
                .trend
                .note(at.mono, power_w, settings(ctx.config).interval);
            device.trend.in_seconds(watch)
        });
        self.revision += 1;
        self.check_errands(ctx, index, &figures, at);
        self.note_end(ctx, index, figures.power_w, at);
    }

    /// A threshold of the device's own is its limit, when the configuration sets none.
    fn take_device_limit(&mut self, ctx: &mut Ctx<'_>, index: u32, figures: &Figures) {
        let (Some(device), Some(config)) = (
            self.devices.get_mut(index as usize),
            settings(ctx.config).pdus.get(index as usize),
        ) else {
            return;
        };
        let limit_w = figures.limit_w.map(|limit_w| limit_w as f32);
        if config.device_limit && limit_w.is_some() && limit_w != device.view.device_limit_w {
            device.view.device_limit_w = limit_w;
            device.set_limits(config);
            // After a restart its alerts are known for what they are.
            self.save_peak(ctx, index, figures.peak_w);
        }
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
                let is_another_w = before.device_peak_w.is_some_and(|w| w != peak_w);
                let is_another_time =
                    figures.peak_at.is_some() && figures.peak_at != before.device_peak_at;
                if is_another_w || is_another_time {
                    let is_first = !is_another_w && before.device_peak_at.is_none();
                    let read = device.view.read.filter(|_| !is_first);
                    let zone = &ctx.config.notify.timezone;
                    let told = figures.peak_at.map(|time| time.to_wall(zone));
                    device.view.peak_time = peak_time(told, read.map(|(_, read)| read), at.wall);
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
        let is_resetting_energy = self.is_resetting_energy(index);
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
            (Some(before), Some(energy)) if energy < before && !is_resetting_energy => Some(
                format!("its energy counter went back from {before:.1} to {energy:.1} kWh"),
            ),
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
        let mut silent = at.mono.since(device.last_answer.unwrap_or(device.since));
        let was_heard = device.last_answer.replace(at.mono).is_some();
        device.failures = 0;
        if device.is_unreachable {
            device.is_unreachable = false;
            if !was_heard {
                let before = silent_before_start(ctx, index, at);
                silent = before.map_or(silent, |before| before.max(silent));
            }
            let summary = format!("answers again after {}", Human(silent));
            let state = (AlertState::Ok, "it answers");
            let causes = self.networks.causes(ctx.config, index);
            report_unreachable(ctx, index, state, summary, silent, at.wall, causes);
        }
    }

    /// An attempt brought nothing. Stale and unreachable follow from the age of the last answer.
    pub(super) fn failed(&mut self, ctx: &mut Ctx<'_>, index: u32, detail: &str) {
        let now = ctx.now;
        let power = &settings(ctx.config);
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
            let mut summary = format!("unreachable: no answer for {}", Human(silent));
            if let Some(why) = more_than_silence(detail) {
                summary += &format!(" ({why})");
            }
            let state = (AlertState::Firing, "no answer");
            let causes = self.networks.causes(ctx.config, index);
            report_unreachable(ctx, index, state, summary, silent, now.wall, causes);
        }
        if has_changed {
            self.revision += 1;
            self.judge_pdu(ctx, index, &Figures::default(), now);
        }
        self.note_end(ctx, index, None, now);
    }

    /// Nobody was asked while the machine slept, so no device was silent; and what it said before says nothing about
    /// now. Noticed by a cycle that is long overdue.
    pub(super) fn notice_sleep(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now;
        let Some(due) = self.schedule.next() else {
            return;
        };
        let gap = now.mono.since(due.max(self.woke));
        if gap < settings(ctx.config).interval * 2 {
            return;
        }
        (self.woke, self.has_slept) = (now.mono, true);
        self.revision += 1;
        for index in 0..self.devices.len() as u32 {
            let device = &mut self.devices[index as usize];
            device.since += gap;
            if let Some(at) = &mut device.last_answer {
                *at += gap;
            }
            if super::history::is_live(device.view.state) {
                device.view.state = PduState::Stale;
                self.judge_pdu(ctx, index, &Figures::default(), now);
            }
        }
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
        if let Some(power_w) = power_w {
            self.tracks.note_pdu(ctx, index, power_w);
        }
        if !is_counted {
            self.note_cycle(ctx, index, device_cycle, power_w, at);
        }
    }
}

/// sysUpTime wraps after 497 days; a jump from the last hour before that is no restart.
fn has_wrapped(before: u32) -> bool {
    before > u32::MAX - 360_000
}

/// When a device's peak was. Its clock may be wrong, or show the time of another zone: a peak that came after the
/// reading before was not earlier, whatever it says, and none is in the future.
fn peak_time(told: Option<Wall>, read: Option<Wall>, now: Wall) -> Option<Wall> {
    match (told, read) {
        (Some(told), Some(read)) if told >= read && told <= now => Some(told),
        (_, Some(_)) => Some(now),
        // It is our own clock that is wrong.
        (told, None) if now < RELEASED => told,
        (told, None) => told
            .filter(|told| *told <= now.plus(CLOCK_SLACK))
            .map(|told| told.min(now)),
    }
}

/// Why there is no answer, when it is known: a refusal, a network that is down, a name that is not known.
pub(super) fn more_than_silence(detail: &str) -> Option<&str> {
    let is_silence = detail.starts_with("no answer within") && !detail.contains(';');
    (!is_silence).then_some(detail)
}

fn ticks_span(ticks: u32) -> Duration {
    Duration::from_millis(u64::from(ticks) * 10)
}

/// For how long a device has not answered that was unreachable when the agent ended.
fn silent_before_start(ctx: &Ctx<'_>, index: u32, at: Now) -> Option<Duration> {
    let name = format!("power.unreachable:{}", pdu_name(ctx.config, index));
    let entry = ctx.alerts.get(&name)?;
    let until_it_fired = Duration::try_from_secs_f64(entry.value?).ok()?;
    Some(at.wall.since(entry.fired?) + until_it_fired)
}

/// When a device counts as unreachable: after so many seconds without an answer, until there is one.
pub(super) fn silence(config: &Config) -> Rule {
    Rule::above(settings(config).unreachable_after.as_secs_f64(), 0.0)
}

pub(super) fn report_unreachable(
    ctx: &mut Ctx<'_>,
    index: u32,
    (state, reason): (AlertState, &'static str),
    summary: String,
    silent: Duration,
    at: Wall,
    causes: Option<Arc<Causes>>,
) {
    let name = format!("power.unreachable:{}", pdu_name(ctx.config, index));
    let subject = pdu_words(ctx.config, index);
    let rule = silence(ctx.config);
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
        rule: Some(rule),
        reason,
        causes,
    });
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
        causes: None,
    });
}
