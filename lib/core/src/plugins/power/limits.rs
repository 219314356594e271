//! Judges samples by limits: the rule, the excess with its lines in the log, the report to the book of alerts.

use super::causes;
use super::excess::{Episode, Excess, Level, SavedExcess, Subject, Watch, Watts};
use crate::alert::{AlertState, Report, ReportKind, RuleState, Sample, Severity};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::effect::LogFile;
use crate::time::{Human, Now, Wall};
use std::collections::VecDeque;

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
        crate::small::sort_by_key(&mut list, |(number, _)| *number);
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
            let is_above = power_w > watch.limit.on_w;
            let above_w = if is_above { power_w } else { excess.peak_w };
            summary = excess.above_words(subject, level, above_w);
            summary += &match sample {
                _ if is_above => String::new(),
                Sample::LowerBound(_) => format!(", now at least {}", Watts(power_w)),
                _ => format!(", now {}", Watts(power_w)),
            };
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
    if watch.is_devices && !ended && !summary.is_empty() {
        summary += " (the device's own limit)";
    }
    let excess_peak = watch.excess.as_ref().map(|excess| excess.peak_w);
    let name = subject.alert(&config, level);
    let causes = (watch.state.state == AlertState::Unknown).then(|| {
        let entry = ctx.alerts.get(&name).filter(|_| transition.is_none());
        let known = entry.and_then(|entry| entry.causes.clone());
        known.unwrap_or_else(|| causes::of_limit(&config, subject))
    });
    ctx.report(Report {
        name: name.into(),
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
        causes,
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
        &excess.above_words(subject, level, power_w),
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
        causes: None,
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
