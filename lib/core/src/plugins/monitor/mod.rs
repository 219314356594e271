//! Watches the machine that the agent runs on: looks at it at a fixed rate, judges what it finds, and answers the
//! commands about it. How values are read is not known here (`io::host`), nor how alerts reach people (`alert`).

mod commands;
mod history;
mod json;
mod judge;
mod metrics;
mod page;
mod sampler;
mod status;
mod test_alert;
mod top;
mod usage;
mod view;
mod watch;

pub use crate::config::monitor::{
    Metric, Mounts, SECTION, Settings, Threshold, Thresholds, settings, settings_mut,
};
pub use view::{Looks, MonitorView, view};

use crate::alert::Rule;
use crate::chat::{Answer, Invocation, Spec, command};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::effect::{Effect, Ticket, earlier};
use crate::event::Reply;
use crate::fault::{Fault, FaultKind};
use crate::host::{HostSample, HostView, Look};
use crate::snapshot::{Kept, View};
use crate::state::Records;
use crate::time::{Mono, Now};
use commands::Words;
use history::Tracks;
use judge::Watches;
use sampler::{Due, Sampler};
use std::sync::Arc;
use std::time::Duration;
use top::Top;

/// What is younger than this is told as it is; older values are read anew for whoever asks.
const FRESH: Duration = Duration::from_secs(5);
/// A question about processes is given up after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The monitor plugin.
#[derive(Debug)]
pub struct Monitor {
    sampler: Sampler,
    /// The last look, and former ones whose memory is used again once readers have let go of them.
    view: Arc<HostView>,
    spares: [Arc<HostView>; 3],
    watches: Watches,
    top: Top,
    tracks: Tracks,
    published: Kept<MonitorView>,
    /// Commands that wait for the next look.
    waiting: Vec<(Invocation, Words)>,
    /// Questions about processes, with the time at which they are given up.
    asked: Vec<(Ticket, Mono, Invocation)>,
    revision: u64,
}

impl Monitor {
    /// Makes the plugin for a configuration.
    pub fn new(config: &Arc<Config>) -> Monitor {
        Monitor {
            sampler: Sampler::new(settings(config), Mono::ZERO),
            view: Arc::default(),
            spares: Default::default(),
            watches: Watches::default(),
            top: Top::default(),
            tracks: Tracks::default(),
            published: Kept::default(),
            waiting: Vec::new(),
            asked: Vec::new(),
            revision: 0,
        }
    }

    fn look(&mut self, ctx: &mut Ctx<'_>) {
        let ticket = ctx.tickets.issue();
        self.sampler.asked(ticket, ctx.now.mono);
        let look = Look::Sample;
        ctx.effects.push(Effect::Host { ticket, look });
    }

    fn handle_sample(
        &mut self,
        ctx: &mut Ctx<'_>,
        ticket: Ticket,
        result: Result<Box<HostSample>, Fault>,
    ) {
        let is_awaited = self.sampler.answered(ticket);
        match result {
            Ok(sample) => self.take_in(ctx, *sample),
            Err(fault) if is_awaited => self.fail(ctx, &fault),
            Err(_) => {}
        }
    }

    /// A look has brought something: it is judged in this very step.
    fn take_in(&mut self, ctx: &mut Ctx<'_>, sample: HostSample) {
        if sample.taken.is_some() && sample.taken <= self.view.sample.taken {
            return;
        }
        let now = ctx.now;
        if usage::is_gap(&self.view.sample, &sample, settings(ctx.config).interval) {
            // Nobody looked in between, so nothing is known of it.
            self.watches.lose_sight(ctx);
            self.view = Arc::default();
        }
        let is_first = self.view.sample.taken.is_none();
        self.fill_view(sample, now);
        if let Some(report) = self.sampler.succeeded(now) {
            ctx.report(report);
        }
        self.watches.judge(ctx, &self.view, is_first, &self.top);
        self.tracks.note(ctx, &self.view);
        if let Some(ticket) = self
            .top
            .ask(now.mono, self.watches.wants_top(), &mut ctx.tickets)
        {
            let look = Look::Processes(top::SHOWN);
            ctx.effects.push(Effect::Host { ticket, look });
        }
        self.revision += 1;
        for (invocation, words) in std::mem::take(&mut self.waiting) {
            let text = words(ctx.config, &self.view);
            ctx.answer(&invocation.reply_to, Answer::text(text));
        }
    }

    fn fill_view(&mut self, sample: HostSample, now: Now) {
        let is_free = |spare: &mut Arc<HostView>| Arc::get_mut(spare).is_some();
        let place = self.spares.iter_mut().position(is_free).unwrap_or(0);
        let spare = &mut self.spares[place];
        if Arc::get_mut(spare).is_none() {
            *spare = Arc::default();
        }
        if let Some(next) = Arc::get_mut(spare) {
            usage::fill(next, &self.view, sample, now);
            std::mem::swap(spare, &mut self.view);
        }
    }

    /// A look has brought nothing.
    fn fail(&mut self, ctx: &mut Ctx<'_>, fault: &Fault) {
        let now = ctx.now;
        if let Some(report) = self.sampler.failed(settings(ctx.config), now, fault) {
            ctx.report(report);
        }
        if self.view.at.is_some() {
            self.watches.lose_sight(ctx);
            self.view = Arc::default();
            self.revision += 1;
        }
        for (invocation, _) in std::mem::take(&mut self.waiting) {
            commands::cannot(ctx, &invocation, fault);
        }
    }

    fn ask_processes(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let ticket = ctx.tickets.issue();
        let look = Look::Processes(commands::PROCESSES);
        ctx.effects.push(Effect::Host { ticket, look });
        let until = ctx.now.mono + PATIENCE;
        self.asked.push((ticket, until, invocation.clone()));
    }

    /// Answers from the last look while it is fresh, else from the next one.
    fn tell(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation, words: Words) {
        if self.is_fresh(ctx.now) {
            let text = words(ctx.config, &self.view);
            return ctx.answer(&invocation.reply_to, Answer::text(text));
        }
        self.waiting.push((invocation.clone(), words));
        if !self.sampler.is_looking() {
            self.look(ctx);
        }
    }

    fn is_fresh(&self, now: Now) -> bool {
        let taken = self.view.sample.taken;
        taken.is_some_and(|taken| now.mono.since(taken) < FRESH)
    }

    /// Questions that nobody answered.
    fn give_up(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.mono;
        if !self.asked.iter().any(|(_, until, _)| *until <= now) {
            return;
        }
        for (ticket, until, invocation) in std::mem::take(&mut self.asked) {
            match until > now {
                true => self.asked.push((ticket, until, invocation)),
                false => commands::cannot(ctx, &invocation, &silence()),
            }
        }
    }
}

fn silence() -> Fault {
    Fault::new(FaultKind::Timeout, "no answer within 10 s")
}

impl super::Plugin for Monitor {
    fn name(&self) -> &'static str {
        "monitor"
    }

    fn commands(&self) -> Vec<&'static Spec> {
        command::specs(commands::COMMANDS)
    }

    fn rules(&self, config: &Config) -> Vec<String> {
        test_alert::names(config, &self.watches)
    }

    fn rule(&self, config: &Config, name: &str) -> Option<(Rule, &'static str)> {
        test_alert::rule(config, &self.watches, name)
    }

    fn test_alert(&mut self, ctx: &mut Ctx<'_>, rule: &str, value: f64) -> bool {
        test_alert::judge(ctx, &self.watches, rule, value)
    }

    fn start(&mut self, ctx: &mut Ctx<'_>, _records: &Records) {
        self.sampler = Sampler::new(settings(ctx.config), ctx.now.mono);
        self.sampler.resume(ctx);
        self.watches.resume(ctx);
        self.revision += 1;
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        command::run(commands::COMMANDS, self, ctx, invocation);
    }

    fn handle(&mut self, ctx: &mut Ctx<'_>, ticket: Ticket, reply: Reply) {
        match reply {
            Reply::Host(result) => self.handle_sample(ctx, ticket, result),
            Reply::Processes(result) => {
                let asked = self.asked.iter().position(|(own, ..)| *own == ticket);
                match asked.map(|index| self.asked.swap_remove(index)) {
                    Some((.., invocation)) => commands::processes(ctx, &invocation, result),
                    None => {
                        self.top.answered(ticket, ctx.now.mono, result);
                        self.watches.amend(ctx, &self.top);
                    }
                }
            }
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Mono> {
        let asked = self.asked.iter().map(|(_, until, _)| *until).min();
        earlier(Some(self.sampler.poll_timeout()), asked)
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {
        self.give_up(ctx);
        match self.sampler.handle_timeout(ctx.now.mono) {
            Due::Nothing => {}
            Due::Look => self.look(ctx),
            Due::Silence => self.fail(ctx, &silence()),
        }
    }

    fn reload(&mut self, ctx: &mut Ctx<'_>, old: &Arc<Config>) {
        if settings(old).interval != settings(ctx.config).interval {
            self.sampler
                .set_interval(settings(ctx.config), ctx.now.mono);
        }
        self.watches.reload(ctx);
        self.tracks = Tracks::default();
        self.revision += 1;
    }

    fn correct_times(&mut self, by_ms: i64) {
        self.sampler.correct_times(by_ms);
        self.watches.correct_times(by_ms);
        // The next look has the new time.
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn view(&mut self, _now: Now, config: &Arc<Config>) -> Option<Arc<dyn View>> {
        let (looks, is_blind) = (self.sampler.looks(), self.sampler.is_blind());
        let holds = |view: &MonitorView| {
            let host = view.host.as_ref();
            let is_same = host.is_some_and(|host| Arc::ptr_eq(host, &self.view));
            let is_same = is_same && Arc::ptr_eq(&view.config, config);
            is_same && view.looks == looks && view.is_blind == is_blind
        };
        if let Some(view) = self.published.latest(holds) {
            return Some(view);
        }
        let fresh = || MonitorView::idle(config);
        let view = self.published.renew(fresh, |view| {
            view.config = Arc::clone(config);
            view.host = Some(Arc::clone(&self.view));
            (view.looks, view.is_blind) = (looks, is_blind);
        });
        Some(view)
    }
}
