//! `/chart`: what values were, as a picture where the chat shows pictures, else in block characters. Part of every
//! agent. Asks the history, takes thresholds from the configuration and episodes from the alert book; the picture is
//! drawn by a job, never in a step.

mod metric;
mod request;

use super::{Plugin, PluginReply};
use crate::chart::{Chart, Line};
use crate::chat::{Answer, Arg, Button, Invocation, ReplyTo, Role, Spec};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::effect::{Document, Effect, Job, Product, Ticket};
use crate::fault::Fault;
use crate::history::{self, Curve, Found, Query};
use crate::small::SmallMap;
use metric::{episodes, thresholds};
use request::{Request, Shape};
use std::sync::Arc;

/// Charts that are under way at once.
const MOST_CHARTS: usize = 16;
/// Points of a curve: as many as the picture has columns.
const POINTS: u32 = 760;
/// Below a picture: the same for other times.
const PERIODS: [&str; 4] = ["1h", "24h", "7d", "30d"];

const SPEC: Spec = Spec {
    name: "chart",
    usage: "<metric> [period] [dark] [file]",
    help: "a picture of power, cpu, memory, … over time",
    example: "/chart power 24h",
    role: Role::Viewer,
    action: None,
    arg: Arg::Free,
    changes_state: false,
};

/// Draws a chart as a picture.
#[derive(Debug)]
pub struct ChartJob {
    chart: Box<Chart>,
    is_picture: bool,
}

impl ChartJob {
    /// Does it.
    pub fn run(self) -> Document {
        Document {
            name: "chart.png".into(),
            mime: "image/png",
            bytes: self.chart.png().into(),
            is_picture: self.is_picture,
        }
    }
}

/// The plugin.
#[derive(Debug, Default)]
pub struct Charts {
    /// Charts whose values are being read, by a number of their own.
    waiting: SmallMap<u64, Waiting>,
    /// The questions to the history, and which chart each is for.
    questions: SmallMap<Ticket, u64>,
    /// Pictures that are being drawn.
    drawing: SmallMap<Ticket, Drawing>,
    last: u64,
}

#[derive(Debug)]
struct Waiting {
    to: ReplyTo,
    request: Request,
    missing: usize,
    curves: Vec<Curve>,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Drawing {
    to: ReplyTo,
    answer: Answer,
}

/// Makes it.
pub(super) fn make(_config: &Arc<Config>) -> Box<dyn Plugin> {
    Box::new(Charts::default())
}

impl Plugin for Charts {
    fn name(&self) -> &'static str {
        "chart"
    }

    fn specs(&self) -> Vec<&'static Spec> {
        vec![&SPEC]
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        if invocation.args.is_empty() {
            return ctx.usage(invocation, &SPEC);
        }
        let request = match Request::read(ctx, invocation) {
            Ok(request) => request,
            Err(why) => return ctx.answer(&invocation.reply_to, Answer::text(why)),
        };
        if self.waiting.len() + self.drawing.len() >= MOST_CHARTS {
            let text = "Too many charts are being drawn; ask again in a moment.";
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        self.begin(ctx, invocation.reply_to.clone(), request);
    }

    fn handle(&mut self, ctx: &mut Ctx<'_>, reply: PluginReply) {
        match reply {
            PluginReply::History(ticket, result) => {
                if let Some(number) = self.questions.remove(&ticket) {
                    self.take(number, result);
                    self.finish(ctx, number);
                }
            }
            PluginReply::Worked(ticket, product) => {
                if let Some(drawing) = self.drawing.remove(&ticket) {
                    drawing.deliver(ctx, product);
                }
            }
            _ => {}
        }
    }
}

impl Charts {
    /// Asks for the values of all series; what is in memory comes at once.
    fn begin(&mut self, ctx: &mut Ctx<'_>, to: ReplyTo, request: Request) {
        self.last += 1;
        let number = self.last;
        let series = request.metric.series();
        self.waiting.insert(
            number,
            Waiting {
                to,
                missing: series.len(),
                curves: Vec::new(),
                fault: None,
                request,
            },
        );
        for series in series {
            let Some(waiting) = self.waiting.get(&number) else {
                return;
            };
            let query = Query {
                series: series.into(),
                from: waiting.request.from,
                to: waiting.request.until,
                points: POINTS,
            };
            match ctx.recall(&query) {
                Found::Now(curves) => self.take(number, Ok(curves)),
                Found::Later(ticket) => {
                    self.questions.insert(ticket, number);
                }
            }
        }
        self.finish(ctx, number);
    }

    fn take(&mut self, number: u64, result: Result<Vec<Curve>, Fault>) {
        let Some(waiting) = self.waiting.get_mut(&number) else {
            return;
        };
        waiting.missing = waiting.missing.saturating_sub(1);
        match result {
            Ok(curves) => waiting.curves.extend(curves),
            Err(fault) => waiting.fault = Some(fault),
        }
    }

    /// Once everything is there: answers in words, or lets the picture be drawn.
    fn finish(&mut self, ctx: &mut Ctx<'_>, number: u64) {
        let is_whole = |waiting: &Waiting| waiting.missing == 0;
        if !self.waiting.get(&number).is_some_and(is_whole) {
            return;
        }
        let Some(waiting) = self.waiting.remove(&number) else {
            return;
        };
        if let (true, Some(fault)) = (waiting.curves.is_empty(), &waiting.fault) {
            let text = format!("The history cannot be read: {fault}");
            return ctx.answer(&waiting.to, Answer::text(text));
        }
        let Waiting {
            to,
            request,
            curves,
            ..
        } = waiting;
        let chart = chart(ctx, &request, curves);
        if request.shape == Shape::Words {
            return ctx.answer(&to, Answer::text(chart.to_text()));
        }
        let button = |period: &str| {
            let line = format!("/chart {} {period}", request.metric.quoted());
            Button::open(period, line)
        };
        let answer = Answer {
            text: chart.caption(),
            buttons: match to.session {
                None => vec![PERIODS.map(button).into()],
                Some(_) => Vec::new(),
            },
            ..Answer::default()
        };
        let ticket = ctx.tickets.issue();
        self.drawing.insert(ticket, Drawing { to, answer });
        let job = ChartJob {
            chart: Box::new(chart),
            is_picture: request.shape == Shape::Picture,
        };
        ctx.effects.push(Effect::Work {
            ticket,
            job: Job::Chart(job),
        });
    }
}

impl Drawing {
    fn deliver(mut self, ctx: &mut Ctx<'_>, product: Product) {
        match product {
            Product::Document(document) => self.answer.document = Some(document),
            Product::Failed(fault) => {
                self.answer.text = format!("The picture could not be made: {fault}").into();
            }
        }
        ctx.answer(&self.to, self.answer);
    }
}

fn chart(ctx: &Ctx<'_>, request: &Request, curves: Vec<Curve>) -> Chart {
    let config = ctx.config;
    let unit = curves
        .first()
        .map_or(request.metric.unit(), |curve| curve.unit);
    let mut chart = Chart::new(
        format!("{} ({})", request.metric.title(), config.name),
        unit,
        request.from,
        request.until,
        config.notify.timezone.clone(),
    );
    chart.theme = request.theme;
    let all = curves.into_iter().map(|curve| Line {
        label: history::line_name(&curve.name),
        curve,
    });
    chart.lines = all.collect();
    keep_highest(&mut chart);
    chart.thresholds = thresholds(ctx, &request.metric);
    chart.episodes = episodes(ctx, &request.metric, request.from, request.until);
    if !chart.episodes.is_empty() {
        chart.note = format!("shaded: {}", request.metric.shaded());
    }
    chart
}

/// Of more lines than a picture holds, those that reach the highest, in the order of their names.
fn keep_highest(chart: &mut Chart) {
    if chart.lines.len() <= Chart::MOST_LINES {
        return;
    }
    chart.more = chart.lines.len() - Chart::MOST_LINES;
    let mut ranked: Vec<(f64, Line)> = Vec::new();
    for line in std::mem::take(&mut chart.lines) {
        let max = chart.summary(&line).map_or(f64::MIN, |summary| summary.max);
        ranked.push((max, line));
    }
    crate::small::sort_by_key(&mut ranked, |(max, _)| (-max * 1000.0) as i64);
    ranked.truncate(Chart::MOST_LINES);
    crate::small::sort_by_key(&mut ranked, |(_, line)| line.label.clone());
    chart.lines = ranked.into_iter().map(|(_, line)| line).collect();
}
