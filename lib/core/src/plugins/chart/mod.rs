//! `/chart`: what values were, as a picture where the chat shows pictures, else in block characters. Part of every
//! agent. Asks the history, takes thresholds from the configuration and episodes from the alert book; the picture is
//! drawn by a job, never in a step.

mod metric;
mod request;

use super::Plugin;
use crate::chart::{Chart, Line, Theme};
use crate::chat::{Answer, Button, Command, Invocation, ReplyTo, Role, Spec, command};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::effect::{Document, Effect, Job, Ticket};
use crate::event::Reply;
use crate::fault::Fault;
use crate::history::{self, Curve, Query};
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

const COMMANDS: &[Command<Charts>] = &[Command {
    spec: Spec {
        name: "chart",
        usage: "<metric> [period] [dark] [file]",
        help: "a picture of power, cpu, memory, … over time",
        example: "/chart power 24h",
        role: Role::Viewer,
        action: None,
        arg: None,
        changes_state: false,
    },
    run: Charts::draw,
}];

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
    /// Charts whose values are being read.
    reading: SmallMap<Ticket, Reading>,
    /// Pictures that are being drawn.
    drawing: SmallMap<Ticket, Drawing>,
}

#[derive(Debug)]
struct Reading {
    to: ReplyTo,
    request: Request,
    /// Nobody knows yet which series reach the highest.
    is_ranking: bool,
    /// Series besides, which are not drawn.
    more: usize,
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

    fn commands(&self) -> Vec<&'static Spec> {
        command::specs(COMMANDS)
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        command::run(COMMANDS, self, ctx, invocation);
    }

    fn handle(&mut self, ctx: &mut Ctx<'_>, ticket: Ticket, reply: Reply) {
        match reply {
            Reply::History(result) => {
                if let Some(reading) = self.reading.remove(&ticket) {
                    self.take(ctx, reading, result);
                }
            }
            Reply::Document(result) => {
                if let Some(drawing) = self.drawing.remove(&ticket) {
                    drawing.deliver(ctx, result);
                }
            }
            _ => {}
        }
    }
}

impl Charts {
    fn draw(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        if invocation.args.is_empty() {
            return ctx.usage(invocation);
        }
        let request = match Request::read(ctx, invocation) {
            Ok(request) => request,
            Err(why) => return ctx.answer(&invocation.reply_to, Answer::text(why)),
        };
        if self.reading.len() + self.drawing.len() >= MOST_CHARTS {
            let text = "Too many charts are being drawn; ask again in a moment.";
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        let series = request.metric.series();
        let reading = Reading {
            to: invocation.reply_to.clone(),
            is_ranking: series.iter().any(|series| series.ends_with('/')),
            more: 0,
            request,
        };
        self.ask(ctx, series, reading);
    }

    /// Asks what some series were.
    fn ask(&mut self, ctx: &mut Ctx<'_>, series: Vec<String>, reading: Reading) {
        let query = Query {
            series,
            from: reading.request.from,
            to: reading.request.until,
            points: if reading.is_ranking { 1 } else { POINTS },
        };
        let ticket = ctx.recall(&query);
        self.reading.insert(ticket, reading);
    }

    /// Of many series, asks for those that reach the highest; then answers in words, or lets the picture be drawn.
    fn take(&mut self, ctx: &mut Ctx<'_>, mut reading: Reading, result: Result<Vec<Curve>, Fault>) {
        let curves = match result {
            Ok(curves) => curves,
            Err(fault) => {
                let text = format!("The history cannot be read: {fault}");
                return ctx.answer(&reading.to, Answer::text(text));
            }
        };
        if std::mem::take(&mut reading.is_ranking) {
            let (names, more) = highest(ctx, curves);
            reading.more = more;
            return self.ask(ctx, names, reading);
        }
        let chart = chart(ctx, &reading, curves);
        let Reading { to, request, .. } = reading;
        if request.shape == Shape::Words {
            return ctx.answer(&to, Answer::text(chart.to_text()));
        }
        let looks = match request.theme {
            Theme::Light => "",
            Theme::Dark => " dark",
        };
        let button = |period: &str| {
            let line = format!("/chart {} {period}{looks}", request.metric.quoted());
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
            job: Job::new(Reply::Document, move || job.run()),
        });
    }
}

impl Drawing {
    fn deliver(mut self, ctx: &mut Ctx<'_>, result: Result<Document, Fault>) {
        match result {
            Ok(document) => self.answer.document = Some(document),
            Err(fault) => {
                self.answer.text = format!("The picture could not be made: {fault}").into();
            }
        }
        ctx.answer(&self.to, self.answer);
    }
}

fn chart(ctx: &Ctx<'_>, reading: &Reading, curves: Vec<Curve>) -> Chart {
    let (config, request) = (ctx.config, &reading.request);
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
    chart.more = reading.more;
    chart.thresholds = thresholds(ctx, &request.metric);
    chart.episodes = episodes(ctx, &request.metric, request.from, request.until);
    if !chart.episodes.is_empty() {
        let fired = request.metric.shaded();
        chart.note = match request.shape {
            Shape::Words => fired,
            _ => format!("shaded: {fired}"),
        };
    }
    chart
}

/// The series that reach the highest, as many as a picture holds and in the order of their names; and how many there
/// are besides. One that ended before the period is none of them.
fn highest(ctx: &Ctx<'_>, curves: Vec<Curve>) -> (Vec<String>, usize) {
    let rank = |curve: Curve| {
        let max = curve.points.iter().flatten().map(|point| point.max);
        let max = max.reduce(f32::max);
        let is_there = max.is_some() || ctx.history.names().any(|name| *name == curve.name);
        is_there.then_some((max.unwrap_or(f32::MIN), curve.name))
    };
    let mut ranked: Vec<_> = curves.into_iter().filter_map(rank).collect();
    let more = ranked.len().saturating_sub(Chart::MOST_LINES);
    crate::small::sort_by_key(&mut ranked, |(max, _)| (f64::from(-max) * 1000.0) as i64);
    ranked.truncate(Chart::MOST_LINES);
    crate::small::sort_by_key(&mut ranked, |(_, name)| Arc::clone(name));
    let names = ranked.iter().map(|(_, name)| name.to_string());
    (names.collect(), more)
}
