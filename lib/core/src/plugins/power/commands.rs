//! The commands about power: one row each and the function below it.

use super::Power;
use super::excess::{Watch, Watts, pdu_name};
use super::judge::more_than_silence;
use super::sums::Sum;
use super::view::{PduState, PduView, SumView};
use crate::chat::{Answer, Command, Invocation, Kind, Role, Spec};
use crate::config::{Config, suggest};
use crate::ctx::Ctx;
use crate::plugins::power::settings;
use crate::text::Text;
use crate::time::{About, Human, Wall};
use std::fmt::Write as _;

/// Every command of the plugin.
pub(super) const COMMANDS: &[Command<Power>] = &[
    Command {
        spec: Spec {
            name: "current",
            usage: "[name]",
            help: "power of each PDU now, and the sums of teams",
            example: "/current alpha",
            role: Role::Viewer,
            action: None,
            arg: Some(PDU_OR_TEAM),
            changes_state: false,
        },
        run: Power::current,
    },
    Command {
        spec: Spec {
            name: "peaks",
            usage: "[name]",
            help: "highest power since the last reset, with its time",
            example: "/peaks alpha",
            role: Role::Viewer,
            action: None,
            arg: Some(PDU_OR_TEAM),
            changes_state: false,
        },
        run: Power::peaks,
    },
    Command {
        spec: Spec {
            name: "energy",
            usage: "[name]",
            help: "energy counted, and used today and this month, with its cost",
            example: "/energy alpha",
            role: Role::Viewer,
            action: None,
            arg: Some(PDU_OR_TEAM),
            changes_state: false,
        },
        run: Power::energy,
    },
    Command {
        spec: Spec {
            name: "exceedings",
            usage: "[name] [since] [csv]",
            help: "when limits were exceeded, for how long and by how much",
            example: "/exceedings alpha 24h",
            role: Role::Viewer,
            action: None,
            arg: None,
            changes_state: false,
        },
        run: Power::exceedings,
    },
    Command {
        spec: Spec {
            name: "outlets",
            usage: "<pdu>",
            help: "outlets with state and power, where the device has them",
            example: "/outlets alpha",
            role: Role::Viewer,
            action: None,
            arg: Some(PDU),
            changes_state: false,
        },
        run: Power::outlets,
    },
    Command {
        spec: Spec {
            name: "outlet",
            usage: "<pdu> <outlets> on|off|cycle [pause]",
            help: "switch outlets by name or number, several as 1,3-5",
            example: "/outlet alpha 3 off",
            role: Role::Operator,
            action: Some("power.outlet"),
            arg: Some(PDU),
            changes_state: true,
        },
        run: Power::outlet,
    },
    Command {
        spec: Spec {
            name: "reset",
            usage: "[name] [energy]",
            help: "make a PDU forget its peak, or what it has counted",
            example: "/reset alpha",
            role: Role::Operator,
            action: Some("power.reset"),
            arg: Some(PDU),
            changes_state: true,
        },
        run: Power::reset,
    },
];

/// Lines of one answer; what is beyond is counted.
const MAX_LINES: usize = 100;

/// The kinds of things that arguments name.
pub(super) const PDU: &str = "pdu";
pub(super) const PDU_OR_TEAM: &str = "pdu-or-team";

/// Every kind of the plugin.
pub(super) const KINDS: &[Kind<Power>] = &[
    Kind {
        word: PDU,
        complete: |_, config, prefix| complete(pdus(config), prefix),
    },
    Kind {
        word: PDU_OR_TEAM,
        complete: |_, config, prefix| complete(pdus_and_teams(config), prefix),
    },
];

fn pdus(config: &Config) -> impl Iterator<Item = &str> {
    settings(config).pdus.iter().map(|pdu| &*pdu.name)
}

pub(super) fn pdus_and_teams(config: &Config) -> impl Iterator<Item = &str> {
    pdus(config).chain(settings(config).teams.iter().map(|team| &*team.name))
}

/// Names that begin with `prefix`, whatever the case; a name that is exactly the prefix comes alone.
pub(super) fn complete<'a>(all: impl Iterator<Item = &'a str>, prefix: &str) -> Vec<String> {
    let wanted = prefix.to_lowercase();
    let begins = |name: &&str| name.to_lowercase().starts_with(&wanted);
    let mut names: Vec<String> = all.filter(begins).map(str::to_owned).collect();
    names.dedup();
    let exact = |equal: &dyn Fn(&str) -> bool| names.iter().find(|name| equal(name)).cloned();
    exact(&|name| name == prefix)
        .or_else(|| exact(&|name| name.to_lowercase() == wanted))
        .map_or(names.clone(), |name| vec![name])
}

/// What an answer is about.
pub(super) struct Chosen {
    pdus: Vec<u32>,
    teams: Vec<u32>,
    with_site: bool,
}

impl Chosen {
    /// Everything, one PDU, or a team with its members.
    pub(super) fn of(config: &Config, name: Option<&str>) -> Option<Chosen> {
        let Some(name) = name else {
            return Some(Chosen {
                pdus: (0..settings(config).pdus.len() as u32).collect(),
                teams: (0..settings(config).teams.len() as u32).collect(),
                with_site: settings(config).pdus.len() > 1,
            });
        };
        if let Some(index) = settings(config)
            .pdus
            .iter()
            .position(|pdu| *pdu.name == *name)
        {
            return Some(Chosen {
                pdus: vec![index as u32],
                teams: Vec::new(),
                with_site: false,
            });
        }
        let index = settings(config)
            .teams
            .iter()
            .position(|team| *team.name == *name)?;
        Some(Chosen {
            pdus: settings(config).teams[index].members.clone(),
            teams: vec![index as u32],
            with_site: false,
        })
    }
}

impl Power {
    fn current(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let now = ctx.now.mono;
        let newest = self.newest(ctx, invocation);
        let title = match newest {
            Some(at) => format!("Power at {}", at.local(&ctx.config.notify.timezone)),
            None => "Power: nothing has been read yet".to_owned(),
        };
        self.list(ctx, invocation, title, &|power, line| match line {
            Line::Pdu(index) => {
                let device = &power.devices[index as usize];
                let limit_w = device.hard.as_ref().map(|watch| watch.limit.on_w);
                let words = current_words(&device.view, limit_w, |at| now.since(at));
                let watch = device.hard.as_ref().or(device.soft.as_deref());
                match (device.view.state, device.view.power_w) {
                    (PduState::Ok, Some(power_w)) => {
                        words
                            + &left_words(power_w, watch, device.view.limit_in_s)
                            + &breaker_words(power_w, watch, &device.view)
                    }
                    _ => words,
                }
            }
            Line::Sum { sum, members, .. } => {
                let view = &sum.view;
                let words = sum_words(view, members);
                let watch = sum.hard.as_ref().or(sum.soft.as_ref());
                match view.power_w.filter(|_| view.missing.is_empty()) {
                    Some(power_w) => words + &left_words(power_w, watch, view.limit_in_s),
                    None => words,
                }
            }
        });
    }

    fn peaks(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let zone = ctx.config.notify.timezone.clone();
        let title = "Highest power since the last reset".to_owned();
        self.list(ctx, invocation, title, &|power, line| {
            let (peak, whose) = match line {
                Line::Pdu(index) => {
                    let view = &power.devices[index as usize].view;
                    let whose = if view.peak_is_devices {
                        "by the device"
                    } else {
                        "by the agent"
                    };
                    (view.peak_w.map(|w| (w, view.peak_time)), whose)
                }
                Line::Sum { sum, .. } => {
                    (sum.view.peak.map(|(w, at)| (w, Some(at))), "by the agent")
                }
            };
            match peak {
                Some((w, Some(at))) => format!("{}  {} ({whose})", Watts(w), at.local(&zone)),
                Some((w, None)) => format!("{}  ({whose}, time not known)", Watts(w)),
                None => "not known".to_owned(),
            }
        });
    }

    fn outlets(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let config = std::sync::Arc::clone(ctx.config);
        let index = invocation.arg(0).and_then(|name| {
            settings(&config)
                .pdus
                .iter()
                .position(|pdu| *pdu.name == *name)
        });
        let Some(index) = index else {
            return usage(ctx, invocation);
        };
        let device = &self.devices[index];
        let outlets = device
            .extra
            .as_deref()
            .map_or(&[][..], |extra| extra.reading.outlets.as_slice());
        let name = pdu_name(&config, index as u32);
        if outlets.is_empty() {
            let text = format!("{name}: the device tells of no outlets");
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        let rows = outlets.iter().map(|outlet| {
            let state = match outlet.on {
                Some(true) => "on",
                Some(false) => "off",
                None => "-",
            };
            let mut words = format!("{state:<3}");
            if let Some(w) = outlet.electric.power_w {
                let _ = write!(words, "  {}", Watts(w));
            }
            if let Some(a) = outlet.electric.current_a {
                let _ = write!(words, "  {a} A");
            }
            (format!("{} {}", outlet.index, outlet.name), words)
        });
        let text = Text::new()
            .bold(format!("Outlets of {name}"))
            .pre(table(rows.collect()));
        ctx.answer(&invocation.reply_to, Answer::text(text));
    }

    /// Answers with one line for each PDU, team and the site that the invocation names.
    fn list(
        &mut self,
        ctx: &mut Ctx<'_>,
        invocation: &Invocation,
        title: String,
        words: &dyn Fn(&Power, Line<'_>) -> String,
    ) {
        let Some(chosen) = chosen(ctx, invocation) else {
            return;
        };
        let text = self.listing(ctx.config, &chosen, title, words);
        ctx.answer(&invocation.reply_to, Answer::text(text));
    }

    /// A heading, and a table of what there is to say of each PDU, team and the site.
    pub(super) fn listing(
        &self,
        config: &Config,
        chosen: &Chosen,
        title: String,
        words: &dyn Fn(&Power, Line<'_>) -> String,
    ) -> Text {
        let left_out = chosen.pdus.len().saturating_sub(MAX_LINES);
        let mut rows = Vec::new();
        self.each_line(config, chosen, &mut |name, line| {
            if left_out > 0 && rows.len() == MAX_LINES {
                let more = format!("… and {left_out} more");
                rows.push((more, "name one of them".to_owned()));
            }
            rows.push((name.to_owned(), words(self, line)));
        });
        Text::new().bold(title).pre(table(rows))
    }

    /// Calls `act` with the name and the line of each PDU, team and the site; of too many only with the first.
    pub(super) fn each_line(
        &self,
        config: &Config,
        chosen: &Chosen,
        act: &mut dyn FnMut(&str, Line<'_>),
    ) {
        for index in chosen.pdus.iter().take(MAX_LINES) {
            act(pdu_name(config, *index), Line::Pdu(*index));
        }
        for index in chosen.teams.iter().take(MAX_LINES) {
            let team = &settings(config).teams[*index as usize];
            let line = Line::Sum {
                sum: &self.teams[*index as usize],
                members: &team.members,
                is_site: false,
            };
            act(&team.name, line);
        }
        if chosen.with_site {
            let all: Vec<u32> = (0..settings(config).pdus.len() as u32).collect();
            let line = Line::Sum {
                sum: &self.site,
                members: &all,
                is_site: true,
            };
            act("all PDUs", line);
        }
    }

    fn newest(&self, ctx: &Ctx<'_>, invocation: &Invocation) -> Option<Wall> {
        Chosen::of(ctx.config, invocation.arg(0))?
            .pdus
            .iter()
            .filter_map(|index| self.devices.get(*index as usize)?.view.read)
            .map(|(_, at)| at)
            .max()
    }
}

/// What is asked for; `None` when that was answered already, because there is no such thing.
pub(super) fn chosen(ctx: &mut Ctx<'_>, invocation: &Invocation) -> Option<Chosen> {
    if settings(ctx.config).pdus.is_empty() {
        let text = "No PDU is configured: add a [[pdu]] table to the configuration.";
        ctx.answer(&invocation.reply_to, Answer::text(text));
        return None;
    }
    let chosen = Chosen::of(ctx.config, invocation.arg(0));
    if chosen.is_none() {
        usage(ctx, invocation);
    }
    chosen
}

/// A line of a list.
pub(super) enum Line<'a> {
    Pdu(u32),
    Sum {
        sum: &'a Sum,
        members: &'a [u32],
        is_site: bool,
    },
}

/// What is left to a limit, and how long it lasts.
fn left_words(power_w: f64, watch: Option<&Watch>, limit_in_s: Option<f32>) -> String {
    let Some(watch) = watch.filter(|watch| power_w <= watch.limit.on_w) else {
        return String::new();
    };
    let mut words = format!("  {} left", Watts(watch.limit.on_w - power_w));
    if watch.is_devices {
        let _ = write!(
            words,
            " to the device's own limit of {}",
            Watts(watch.limit.on_w)
        );
    }
    if let Some(seconds) = limit_in_s {
        let about = About(std::time::Duration::from_secs_f32(seconds));
        let _ = write!(words, ", limit in about {about} at this trend");
    }
    words
}

/// What is left to a breaker, when it is nearer than the limit.
fn breaker_words(power_w: f64, watch: Option<&Watch>, view: &PduView) -> String {
    let limit_w = watch.map(|watch| watch.limit.on_w);
    let rated = view.nearest_rated;
    match rated.filter(|rated| rated.is_nearer_than(power_w, limit_w)) {
        Some(rated) => format!("  {rated}"),
        None => String::new(),
    }
}

fn current_words(
    view: &PduView,
    limit_w: Option<f64>,
    age: impl Fn(crate::time::Mono) -> std::time::Duration,
) -> String {
    let last = view.read.map(|(at, _)| Human(age(at)));
    match (view.state, view.power_w, last) {
        (PduState::Ok, Some(w), _) => Watts(w).to_string(),
        (PduState::OverLimit, Some(w), _) => match limit_w {
            Some(limit_w) if w > limit_w => format!("{}  above {}", Watts(w), Watts(limit_w)),
            _ => format!("{}  above its limit", Watts(w)),
        },
        (PduState::Stale, Some(w), Some(last)) => format!("{}  ({last} old)", Watts(w)),
        (PduState::Unreachable, Some(w), Some(last)) => {
            format!("does not answer, last {} {last} ago{}", Watts(w), why(view))
        }
        (PduState::Unreachable, ..) => format!("does not answer{}", why(view)),
        _ => match &view.reason {
            Some(reason) => format!("unknown: {reason}"),
            None => "not read yet".to_owned(),
        },
    }
}

/// Why it does not answer, when that is known.
fn why(view: &PduView) -> String {
    let reason = view.reason.as_deref().and_then(more_than_silence);
    reason.map_or(String::new(), |reason| format!(": {reason}"))
}

fn sum_words(view: &SumView, members: &[u32]) -> String {
    let missing = view.missing.len();
    match view.power_w {
        Some(w) if missing == 0 => Watts(w).to_string(),
        Some(w) => format!(
            "≥ {} ({} of {})",
            Watts(w),
            members.len() - missing.min(members.len()),
            members.len()
        ),
        None => "unknown".to_owned(),
    }
}

/// Two columns, the first one aligned.
pub(super) fn table(rows: Vec<(String, String)>) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for (name, words) in rows {
        let pad = width - name.chars().count();
        let _ = writeln!(out, "{name}{:pad$}  {words}", "");
    }
    out.pop();
    out
}

/// Answers that nothing has the name that was written, else with how the command is written.
pub(super) fn usage(ctx: &mut Ctx<'_>, invocation: &Invocation) {
    let wrong = invocation.arg(0).and_then(|name| {
        let (what, all): (_, Vec<&str>) = match invocation.spec.arg? {
            PDU => ("PDU", pdus(ctx.config).collect()),
            _ => ("PDU or team", pdus_and_teams(ctx.config).collect()),
        };
        nobody(what, &all, name)
    });
    match wrong {
        Some(wrong) => ctx.answer(&invocation.reply_to, Answer::text(wrong)),
        None => ctx.usage(invocation),
    }
}

/// One line for a name that no PDU (or team) has, with the nearest.
fn nobody(what: &str, all: &[&str], name: &str) -> Option<String> {
    if all.contains(&name) {
        return None;
    }
    let hint = match suggest::nearest(name, all.iter().copied()) {
        Some(near) => format!("Did you mean {near}?"),
        None => "/current lists them.".to_owned(),
    };
    Some(format!("There is no {what} {name}. {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_complete_by_prefix_and_an_exact_one_stands_alone() {
        let config =
            super::super::testing::named(&[("alpha", "T"), ("alphabet", "T"), ("bravo", "")]);
        for (prefix, want) in [
            ("alp", vec!["alpha", "alphabet"]),
            ("alpha", vec!["alpha"]),
            ("ALPHA", vec!["alpha"]),
            ("b", vec!["bravo"]),
            ("x", vec![]),
            ("t", vec!["T"]),
        ] {
            assert_eq!(complete(pdus_and_teams(&config), prefix), want, "{prefix}");
        }
        assert!(complete(pdus(&config), "t").is_empty());
    }

    #[test]
    fn a_lower_bound_says_how_many_were_read() {
        let view = SumView {
            power_w: Some(2310.0),
            missing: [1].into(),
            ..SumView::default()
        };
        assert_eq!(sum_words(&view, &[0, 1]), "≥ 2310 W (1 of 2)");
    }
}
