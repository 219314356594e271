//! Runs a program through the engine: rule, book and notifier, with what is stored in between.

use super::program::{Act, Program};
use rackwarden_core::alert::notify::{Notifier, NotifyEnv, Post};
use rackwarden_core::alert::{
    AlertBook, AlertState, Report, ReportKind, Rule, RuleState, Sample, Severity,
};
use rackwarden_core::chat::outbox::{Draft, ItemId};
use rackwarden_core::config::Config;
use rackwarden_core::state::{Pending, Records};
use rackwarden_core::time::{Mono, Now, Wall};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "test.value:thing";

#[derive(Default)]
struct Told {
    millis: i64,
    lines: Vec<(i64, String)>,
}

impl Post for Told {
    fn post(&mut self, _now: Now, _state: &mut Pending, draft: Draft) -> ItemId {
        if draft.edit.is_some() {
            return 0;
        }
        let text = draft.text.to_plain();
        // What is queued leaves some milliseconds later.
        self.lines.push((self.millis / 1000, label(&text)));
        self.lines.len() as ItemId
    }
}

/// What sort of message it is.
fn label(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    let sign = match line.chars().next() {
        Some('🔴') => "critical",
        Some('🟠') => "warning",
        Some('✅') => "over",
        _ => "",
    };
    let number = |before: &str| {
        let rest = text.split_once(before)?.1;
        rest.split(' ').next().map(str::to_owned)
    };
    if text.starts_with('🔁') {
        return "reminder".to_owned();
    }
    if let Some(count) = number("flapping, ") {
        return format!("flapping {count}, {sign}");
    }
    match text.split_once(": the mute of all alerts has ended") {
        Some((_, "")) => return "unmuted".to_owned(),
        Some((_, "; nothing was held back")) => return "unmuted, nothing".to_owned(),
        _ => {}
    }
    let mut out = sign.to_owned();
    if text.starts_with('🔔') {
        out.insert_str(0, "summary, ");
    }
    if let Some(count) = number("; calm after ") {
        out.push_str(&format!(", calm after {count}"));
    }
    match number("; happened ").as_deref() {
        Some("once") => out.push_str(", 1 times"),
        Some(count) => out.push_str(&format!(", {count} times")),
        None => {}
    }
    out
}

struct World<'a> {
    program: &'a Program,
    config: Arc<Config>,
    now: Now,
    rules: [Rule; 2],
    states: [RuleState; 2],
    book: AlertBook,
    notifier: Notifier,
    told: Told,
    pending: Pending,
    records: Records,
}

/// When people were told what, in seconds after the beginning.
pub(super) fn run(program: &Program) -> Vec<(i64, String)> {
    let mut config = Config::empty();
    config.notify.to = vec!["telegram:1".parse().expect("a chat")];
    config.notify.max_notifications = program.max_notifications;
    config.notify.reset_after = Duration::from_secs(program.reset_after);
    config.notify.repeat.warning = Some(Duration::from_secs(program.repeat.0));
    config.notify.repeat.critical = Some(Duration::from_secs(program.repeat.1));
    config.notify.quiet_hours = program.quiet;
    let rule = |(on, off)| Rule {
        on,
        off,
        for_: Duration::from_secs(program.lasting),
        clear_for: Duration::from_secs(program.clear_lasting),
    };
    let mut world = World {
        program,
        config: Arc::new(config),
        now: Now {
            mono: Mono::new(Duration::from_secs(100)),
            wall: Wall(program.began * 1000),
        },
        rules: [rule(program.warning), rule(program.critical)],
        states: [RuleState::default(); 2],
        book: AlertBook::default(),
        notifier: Notifier::default(),
        told: Told::default(),
        pending: Pending::new(0),
        records: Records::default(),
    };
    for (wait, act) in &program.steps {
        world.wait(*wait);
        world.act(*act);
    }
    world.wait(1500);
    world.run_timers(500);
    world.told.lines
}

impl World<'_> {
    fn act(&mut self, act: Act) {
        let (now, state) = (self.now, &mut self.pending);
        let span = |seconds| Duration::from_secs(seconds);
        match act {
            Act::Value(value) => self.judge(Sample::Value(value)),
            Act::AtLeast(value) => self.judge(Sample::LowerBound(value)),
            Act::NoData => self.judge(Sample::NoData),
            Act::Mute(seconds) => self.book.mute(now, NAME, span(seconds), ("A", ""), state),
            Act::MuteAll(seconds) => self.book.mute(now, "all", span(seconds), ("A", ""), state),
            Act::Unmute => drop(self.book.unmute(now, NAME, state)),
            Act::UnmuteAll => drop(self.book.unmute(now, "all", state)),
            Act::Ack => {
                let is_new = self.book.get(NAME).is_some_and(|entry| entry.ack.is_none());
                if is_new {
                    self.book.ack(now, NAME, "A", state);
                }
            }
            Act::Jump(seconds) => self.now.wall = Wall(now.wall.0 + seconds * 1000),
            Act::Sleep(seconds) => self.pass(seconds),
            Act::Restart(seconds) => self.restart(seconds),
        }
    }

    fn judge(&mut self, sample: Sample) {
        for (state, rule) in self.states.iter_mut().zip(&self.rules) {
            state.evaluate(rule, self.now, sample);
        }
        let state = self.states[0].state;
        let severity = match (state, self.states[1].is_open()) {
            // A plugin need not know which severity people were told.
            (AlertState::Ok, _) => Severity::Info,
            (_, true) => Severity::Critical,
            (_, false) => Severity::Warning,
        };
        let report = Report {
            name: NAME.into(),
            subject: "thing".to_owned(),
            severity,
            state,
            summary: "words".to_owned(),
            value: None,
            worst: None,
            unit: "",
            at: self.now.wall,
            kind: ReportKind::State,
            rule: None,
            reason: "",
            causes: None,
        };
        if let Some(change) = self.book.report(self.now, report, &mut self.pending) {
            self.with_notifier(|notifier, env| notifier.handle_change(env, &change));
        }
    }

    fn with_notifier(&mut self, act: impl FnOnce(&mut Notifier, &mut NotifyEnv<'_>)) {
        let mut env = NotifyEnv {
            now: self.now,
            config: &self.config,
            book: &mut self.book,
            outbox: &mut self.told,
            state: &mut self.pending,
        };
        act(&mut self.notifier, &mut env);
    }

    fn advance(&mut self, millis: i64) {
        self.now.mono += Duration::from_millis(millis as u64);
        self.now.wall = Wall(self.now.wall.0 + millis);
        self.told.millis += millis;
    }

    fn wait(&mut self, seconds: u64) {
        self.run_timers(seconds as i64 * 1000);
    }

    fn run_timers(&mut self, millis: i64) {
        let until = self.now.mono + Duration::from_millis(millis as u64);
        loop {
            let due = [self.book.poll_timeout(), self.notifier.poll_timeout()];
            let due = due.into_iter().flatten().min().filter(|due| *due <= until);
            let rest = due.unwrap_or(until).since(self.now.mono);
            self.advance(rest.as_millis() as i64);
            if due.is_none() {
                break;
            }
            for change in self.book.handle_timeout(self.now, &mut self.pending) {
                self.with_notifier(|notifier, env| notifier.handle_change(env, &change));
            }
            self.with_notifier(Notifier::handle_timeout);
            self.store();
        }
        self.store();
    }

    fn store(&mut self) {
        if let Some(turn) = self.pending.take() {
            let restarts = |(_, act): &(u64, Act)| matches!(act, Act::Restart(_));
            if self.program.steps.iter().any(restarts) {
                self.records.apply(&turn);
            }
        }
    }

    /// Whole seconds in which nobody does anything, once what was queued has left.
    fn pass(&mut self, seconds: u64) {
        self.run_timers(500);
        self.advance(seconds as i64 * 1000 - 500);
    }

    fn restart(&mut self, seconds: u64) {
        self.pass(seconds);
        self.now.mono = Mono::new(Duration::from_secs(3));
        self.book = AlertBook::default();
        self.book.restore(&self.records);
        self.notifier = Notifier::default();
        self.notifier.restore(&self.records);
        let resumed = |entry| RuleState::resume(entry);
        self.states = [RuleState::default(); 2];
        if let Some(entry) = self.book.get(NAME) {
            self.states[0] = resumed(entry);
            if entry.severity == Severity::Critical {
                self.states[1] = resumed(entry);
            }
        }
    }
}
