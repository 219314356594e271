//! `/energy`: what the devices have counted, and what was used today and this month. The latter is summed up from the
//! power that was measured (docs/history.md), so that it needs no meter, and one that is reset changes nothing.

use super::commands::{Chosen, Line, chosen, table};
use super::{Power, Purpose};
use crate::chat::{Answer, Invocation, ReplyTo};
use crate::config::Config;
use crate::config::units::EnergyPrice;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::history::{self, Curve, Query};
use crate::plugins::power::settings;
use crate::text::Text;
use crate::time::{Wall, Zone};
use std::sync::Arc;
use std::time::Duration;

/// What is measured for less of the time than this, and for less by more than this, is a lower bound.
const WHOLE_SHARE: f64 = 0.99;
const WHOLE_BUT: Duration = Duration::from_secs(10);

/// A question whose answer is still being put together.
#[derive(Debug)]
pub(super) struct Asked {
    to: ReplyTo,
    /// A PDU or team; `None` for everything.
    name: Option<String>,
    from: Wall,
    until: Wall,
    /// Known already, while the month is asked for.
    today: Option<Used>,
}

/// What was used between two moments.
#[derive(Debug)]
struct Used {
    from: Wall,
    until: Wall,
    /// One for each series, of one point.
    curves: Vec<Curve>,
}

impl Power {
    pub(super) fn energy(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        if chosen(ctx, invocation).is_none() {
            return;
        }
        let until = ctx.now.wall;
        let midnight = until.local_day(&ctx.config.notify.timezone, 0, 0);
        let asked = Asked {
            to: invocation.reply_to.clone(),
            name: invocation.arg(0).map(str::to_owned),
            from: midnight.unwrap_or(until),
            until,
            today: None,
        };
        self.ask_energy(ctx, asked);
    }

    fn ask_energy(&mut self, ctx: &mut Ctx<'_>, asked: Asked) {
        let query = Query {
            series: series(ctx.config, asked.name.as_deref()),
            from: asked.from,
            to: asked.until,
            points: 1,
        };
        let ticket = ctx.recall(&query);
        self.jobs.insert(ticket, Purpose::Energy(asked.into()));
    }

    /// Takes what was used today, then what was used this month, and answers.
    pub(super) fn take_energy(
        &mut self,
        ctx: &mut Ctx<'_>,
        mut asked: Asked,
        result: Result<Vec<Curve>, Fault>,
    ) {
        let used = result.map(|curves| Used {
            from: asked.from,
            until: asked.until,
            curves,
        });
        let (today, month) = match (asked.today.take(), used) {
            (None, Ok(today)) => {
                let month = asked.until.local_month(&ctx.config.notify.timezone);
                asked.from = month.unwrap_or(asked.from);
                asked.today = Some(today);
                return self.ask_energy(ctx, asked);
            }
            (Some(today), Ok(month)) => (today, month),
            (_, Err(fault)) => {
                let text = self.counted(ctx.config, asked.name.as_deref());
                let text = text.plain(format!("\nWhat was used cannot be read: {fault}"));
                return ctx.answer(&asked.to, Answer::text(text));
            }
        };
        let config = Arc::clone(ctx.config);
        let mut text = self.counted(&config, asked.name.as_deref());
        if let Some(chosen) = Chosen::of(&config, asked.name.as_deref()) {
            let rows = self.used(&config, &chosen, &today, &month);
            text = text
                .line()
                .bold("Used, as the agent has measured it")
                .pre(rows);
        }
        ctx.answer(&asked.to, Answer::text(text));
    }

    /// What the devices say.
    fn counted(&self, config: &Config, name: Option<&str>) -> Text {
        let price = settings(config).energy_price.as_ref();
        let title = match price {
            Some(price) => format!(
                "Energy that the devices have counted, at {}",
                price.written()
            ),
            None => "Energy that the devices have counted".to_owned(),
        };
        let Some(chosen) = Chosen::of(config, name) else {
            return title.into();
        };
        let words = |kwh: f64| with_cost(format!("{kwh:.1} kWh"), kwh, price);
        self.listing(config, &chosen, title, &|power, line| match line {
            Line::Pdu(index) => {
                let view = &power.devices[index as usize].view;
                match view.energy_kwh {
                    Some(kwh) => words(kwh),
                    None if view.read.is_none() => "not known".to_owned(),
                    None => "the device has no meter".to_owned(),
                }
            }
            Line::Sum { members, .. } => {
                let all: Vec<f64> = members
                    .iter()
                    .filter_map(|index| power.devices.get(*index as usize)?.view.energy_kwh)
                    .collect();
                let sum: f64 = all.iter().sum();
                match all.len() {
                    0 => "not known".to_owned(),
                    known if known == members.len() => words(sum),
                    known => format!("≥ {} ({known} of {})", words(sum), members.len()),
                }
            }
        })
    }

    fn used(&self, config: &Config, chosen: &Chosen, today: &Used, month: &Used) -> String {
        let mut names = vec![(String::new(), "today".to_owned())];
        let mut months = vec!["this month".to_owned()];
        self.each_line(config, chosen, &mut |name, line| {
            let (series, members) = match line {
                Line::Pdu(_) => (history::of_pdu(name), &[][..]),
                Line::Sum {
                    members,
                    is_site: false,
                    ..
                } => (history::of_team(name), members),
                Line::Sum { members, .. } => (history::TOTAL.to_owned(), members),
            };
            names.push((name.to_owned(), today.words(config, &series, members)));
            months.push(month.words(config, &series, members));
        });
        let today = table(names);
        let today = today.lines().map(str::to_owned);
        table(today.zip(months).collect())
    }
}

/// The series of what is named.
fn series(config: &Config, name: Option<&str>) -> Vec<String> {
    let Some(name) = name else {
        let all = [history::TOTAL, "power.team/", "power.pdu/"];
        return all.map(str::to_owned).into();
    };
    let team = settings(config)
        .teams
        .iter()
        .find(|team| *team.name == *name);
    let members = team.map_or(&[][..], |team| team.members.as_slice());
    let members = members
        .iter()
        .map(|member| &*settings(config).pdus[*member as usize].name);
    let mut all: Vec<String> = members.map(history::of_pdu).collect();
    all.push(match team {
        Some(_) => history::of_team(name),
        None => history::of_pdu(name),
    });
    all
}

impl Used {
    /// What was used, at least: nobody knows what was drawn when nothing was measured.
    fn words(&self, config: &Config, series: &str, members: &[u32]) -> String {
        let Some(curve) = self.curve(series) else {
            return "no history is kept".to_owned();
        };
        let mean_w = curve.points.first().copied().flatten();
        let Some(mean_w) = mean_w.map(|point| f64::from(point.avg)) else {
            return "not measured".to_owned();
        };
        let kwh = mean_w * curve.measured.as_secs_f64() / 3.6e6;
        let decimals = match kwh {
            ..1.0 => 3,
            ..100.0 => 2,
            _ => 1,
        };
        let price = settings(config).energy_price.as_ref();
        let amount = with_cost(format!("{kwh:.decimals$} kWh"), kwh, price);
        if !self.is_whole(curve, self.from) {
            let part = self.part(curve, &config.notify.timezone);
            return format!("≥ {amount} ({part})");
        }
        let of_member = |index: &u32| {
            let pdu = settings(config).pdus.get(*index as usize)?;
            self.curve(&history::of_pdu(&pdu.name))
        };
        // Of a member without a history nobody knows; it is part of the sum.
        let is_whole =
            |index: &&u32| of_member(index).is_none_or(|one| self.is_whole(one, self.from));
        match members.iter().filter(is_whole).count() {
            whole if whole == members.len() => amount,
            whole => format!("≥ {amount} ({whole} of {})", members.len()),
        }
    }

    fn curve(&self, series: &str) -> Option<&Curve> {
        self.curves.iter().find(|curve| *curve.name == *series)
    }

    /// Whether it was measured all the time from a moment on.
    fn is_whole(&self, curve: &Curve, from: Wall) -> bool {
        let span = self.until.since(from);
        curve.measured + WHOLE_BUT >= span || curve.measured >= span.mul_f64(WHOLE_SHARE)
    }

    /// Of how much of the time it is.
    fn part(&self, curve: &Curve, zone: &Zone) -> String {
        let begins = curve.begins.unwrap_or(self.from);
        let since = match self.until.since(begins) < Duration::from_secs(86_400) {
            true => short(&begins.local_time(zone), "20:15"),
            false => short(&begins.local(zone), "2026-11-20"),
        };
        if self.is_whole(curve, begins) {
            return format!("since {since}");
        }
        let span_s = self.until.since(begins).as_secs_f64().max(1.0);
        let share = curve.measured.as_secs_f64() / span_s * 100.0;
        match begins.since(self.from) < WHOLE_BUT {
            true => format!("{share:.0} % of the time"),
            false => format!("{share:.0} % of the time since {since}"),
        }
    }
}

/// As much of a time as its form has.
fn short(time: &str, form: &str) -> String {
    time.chars().take(form.len()).collect()
}

fn with_cost(amount: String, kwh: f64, price: Option<&EnergyPrice>) -> String {
    match price {
        Some(price) => format!("{amount}  {}", price.of_kwh(kwh)),
        None => amount,
    }
}
