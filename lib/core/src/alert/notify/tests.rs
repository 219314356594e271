//! Scenarios in virtual time: what happened, and the transcript of what people got.

mod flapping;
mod held;
mod lives;

use super::*;
use crate::alert::AlertState;
use crate::alert::{Alerts, Causes, Report, ReportKind};
use crate::chat::outbox::EditOf;
use crate::chat::sessions;
use crate::config::RouteConfig;
use crate::effect::earlier;
use crate::time::Zone;

const UPLINK: &str = "monitor.uplink:host";
/// A minute before ten in the evening, UTC.
const EVENING: i64 = 1_795_211_940_000;

#[derive(Default)]
struct Posted {
    next: ItemId,
    lines: Vec<String>,
    elapsed: f64,
}

impl Post for Posted {
    fn post(&mut self, _now: Now, _state: &mut Pending, draft: Draft) -> ItemId {
        let what = match draft.edit {
            Some(EditOf::Item(item)) => format!("edit {item}"),
            _ => {
                self.next += 1;
                format!("new {}", self.next)
            }
        };
        let bell = if draft.silent && draft.edit.is_none() {
            " silent"
        } else {
            ""
        };
        let text = draft.text.to_plain().replace('\n', " | ");
        self.lines
            .push(format!("[t+{:.1}s {what}{bell}] {text}", self.elapsed));
        // Whatever is edited here has left already.
        draft.edit.map_or(self.next, |_| 0)
    }
}

struct World {
    config: Arc<Config>,
    now: Now,
    start: Now,
    book: AlertBook,
    notifier: Notifier,
    posted: Posted,
    most_in_a_turn: usize,
    state: Pending,
    records: Records,
}

impl World {
    fn new(change: impl FnOnce(&mut Config)) -> World {
        let mut config = Config::empty();
        config.name = "rack-3".into();
        config.notify.to = vec!["telegram:1".parse().expect("address")];
        change(&mut config);
        let now = Now {
            mono: Mono::new(Duration::from_secs(100)),
            wall: Wall(EVENING),
        };
        World {
            config: Arc::new(config),
            now,
            start: now,
            book: AlertBook::default(),
            notifier: Notifier::default(),
            posted: Posted::default(),
            most_in_a_turn: 0,
            state: Pending::new(0),
            records: Records::default(),
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Notifier, &mut NotifyEnv<'_>) -> T) -> T {
        self.posted.elapsed = self.now.mono.since(self.start.mono).as_millis() as f64 / 1000.0;
        let mut env = NotifyEnv {
            now: self.now,
            config: &self.config,
            book: &mut self.book,
            outbox: &mut self.posted,
            state: &mut self.state,
        };
        act(&mut self.notifier, &mut env)
    }

    fn report(
        &mut self,
        kind: ReportKind,
        state: AlertState,
        severity: Severity,
        name: &str,
        summary: &str,
    ) {
        let report = Report {
            name: Arc::from(name),
            subject: format!(
                "({})",
                name.split_once(':').map_or(name, |(_, thing)| thing)
            ),
            severity,
            state,
            summary: summary.to_owned(),
            value: Some(3120.0),
            worst: Some(3310.0),
            unit: "W",
            at: self.now.wall,
            kind,
            rule: None,
            reason: "",
            causes: (name == "power.unreachable:bravo").then(|| {
                Arc::new(Causes {
                    hidden_by: Alerts::one("monitor.uplink", "host"),
                    ..Causes::default()
                })
            }),
        };
        if let Some(change) = self.book.report(self.now, report, &mut self.state) {
            self.with(|notifier, env| notifier.handle_change(env, &change));
        }
        self.store();
    }

    fn fire(&mut self, name: &str) {
        self.report(
            ReportKind::State,
            AlertState::Firing,
            Severity::Critical,
            name,
            "too much",
        );
    }

    fn warn(&mut self, name: &str) {
        self.report(
            ReportKind::State,
            AlertState::Firing,
            Severity::Warning,
            name,
            "no answer",
        );
    }

    fn end(&mut self, name: &str) {
        let severity = self
            .book
            .get(name)
            .map_or(Severity::Critical, |entry| entry.severity);
        self.report(ReportKind::State, AlertState::Ok, severity, name, "back");
    }

    fn event(&mut self, name: &str) {
        self.report(
            ReportKind::Event,
            AlertState::Ok,
            Severity::Critical,
            name,
            "restarted",
        );
    }

    fn step(&mut self) {
        for change in self.book.handle_timeout(self.now, &mut self.state) {
            self.with(|notifier, env| notifier.handle_change(env, &change));
        }
        let before = self.posted.lines.len();
        self.with(Notifier::handle_timeout);
        self.most_in_a_turn = self.most_in_a_turn.max(self.posted.lines.len() - before);
        self.store();
    }

    fn store(&mut self) {
        if let Some(turn) = self.state.take() {
            self.records.apply(&turn);
        }
    }

    /// Lets time pass, stopping wherever somebody asked to be woken.
    fn wait(&mut self, span: Duration) {
        let until = self.now.mono + span;
        for _ in 0..200_000 {
            let due = earlier(self.book.poll_timeout(), self.notifier.poll_timeout());
            let Some(due) = due.filter(|due| *due <= until) else {
                self.jump(until.since(self.now.mono));
                return;
            };
            self.jump(due.since(self.now.mono));
            self.step();
        }
        panic!("it never comes to rest: {:?}", self.notifier);
    }

    fn secs(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    fn jump(&mut self, span: Duration) {
        self.now.mono += span;
        self.now.wall = self.now.wall.plus(span);
    }

    /// Everything in memory is gone; the monotonic clock starts anew.
    fn restart(&mut self, after: Duration) {
        self.store();
        self.now.wall = self.now.wall.plus(after);
        let elapsed = self.now.mono.since(self.start.mono) + after;
        self.now.mono = Mono::new(Duration::from_millis(5));
        self.start.mono = Mono::ZERO;
        self.book = AlertBook::default();
        self.book.restore(&self.records);
        self.notifier = Notifier::default();
        self.notifier.restore(&self.records);
        self.posted
            .lines
            .push(format!("[restart after {} s]", elapsed.as_secs()));
    }

    /// The clock is set for the first time.
    fn set_clock(&mut self, wall: i64) {
        let by_ms = wall - self.now.wall.0;
        self.now.wall = Wall(wall);
        self.book.correct_times(by_ms);
        self.notifier.correct_times(by_ms, &mut self.state);
        self.store();
    }

    #[track_caller]
    fn check(&mut self, want: &[&str]) {
        let got = std::mem::take(&mut self.posted.lines);
        assert!(
            got == want,
            "got:\n{}\nwant:\n{}",
            got.join("\n"),
            want.join("\n")
        );
    }

    /// Each of these stands in a message, and no turn had more lines than it may.
    fn check_told(&mut self, names: &[String]) {
        let got = std::mem::take(&mut self.posted.lines);
        let things = names.iter().filter_map(|name| name.split_once(':'));
        let told = |thing: &str| got.iter().any(|line| line.contains(thing));
        assert_eq!(things.filter(|(_, thing)| told(thing)).count(), names.len());
        assert!(self.most_in_a_turn <= LINES_AT_ONCE.div_ceil(100) + EDITS_AT_ONCE);
    }

    fn news(&self) -> usize {
        self.posted
            .lines
            .iter()
            .filter(|line| line.contains(" new "))
            .count()
    }
}

fn plain() -> World {
    World::new(|_| ())
}

#[test]
fn one_message_when_it_fires_and_one_when_it_ends() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(38);
    world.end("power.limit:alpha");
    world.secs(3600);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+38.2s new 2] ✅ rack-3: (alpha): back",
        "[t+38.2s edit 1] ✅ rack-3: (alpha): too much (21:59:00) — 21:59:38, back",
    ]);
    assert!(world.notifier.told.is_empty() && world.notifier.messages.is_empty());
    // Only the list of what is over, for charts, remembers it.
    let others = |key: &&String| !key.starts_with("alert_past/");
    let left: Vec<&String> = world.records.map.keys().filter(others).collect();
    assert_eq!(left, Vec::<&String>::new());
}

#[test]
fn what_joins_within_half_a_minute_is_an_edit_and_one_summary() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.fire("power.limit:bravo");
    world.secs(2);
    world.fire("power.limit:charlie");
    world.secs(8);
    world.fire("power.limit:delta");
    world.secs(1);
    world.end("power.limit:charlie");
    world.secs(60);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: 2 alerts | 🔴 (alpha): too much | 🔴 (bravo): too much",
        "[t+2.0s edit 1] 🔴 rack-3: 3 alerts | 🔴 (alpha): too much | 🔴 (bravo): too much | 🔴 (charlie): too much",
        "[t+10.0s edit 1] 🔴 rack-3: 4 alerts | 🔴 (alpha): too much (21:59:00) | 🔴 (bravo): too much (21:59:00) | 🔴 (charlie): too much (21:59:02) | 🔴 (delta): too much (21:59:10)",
        "[t+11.2s new 2] ✅ rack-3: (charlie): back",
        "[t+11.2s edit 1] 🔴 rack-3: 4 alerts | 🔴 (alpha): too much (21:59:00) | 🔴 (bravo): too much (21:59:00) | ✅ (charlie): too much (21:59:02) — 21:59:11, back | 🔴 (delta): too much (21:59:10)",
        "[t+30.0s new 3] 🔴 rack-3: (delta): too much (21:59:10)",
    ]);
}

#[test]
fn a_warning_never_swallows_a_critical_alert() {
    let mut world = plain();
    world.warn("power.unreachable:alpha");
    world.secs(1);
    world.fire("power.limit:alpha");
    world.secs(60);
    world.check(&[
        "[t+0.0s new 1] 🟠 rack-3: (alpha): no answer",
        "[t+1.0s new 2] 🔴 rack-3: (alpha): too much",
    ]);
}

#[test]
fn an_escalation_edits_the_old_message_and_sends_a_new_one() {
    let mut world = plain();
    world.warn("power.limit:site");
    world.secs(60);
    world.fire("power.limit:site");
    world.secs(60);
    world.end("power.limit:site");
    world.secs(60);
    world.check(&[
        "[t+0.0s new 1] 🟠 rack-3: (site): no answer",
        "[t+60.0s new 2] 🔴 rack-3: (site): too much",
        "[t+60.0s edit 1] 🟠 rack-3: (site): no answer (21:59:00) — now critical",
        "[t+120.2s new 3] ✅ rack-3: (site): back",
        "[t+120.2s edit 2] ✅ rack-3: (site): too much (22:00:00) — 22:01:00, back",
    ]);
}

#[test]
fn reminders_until_somebody_acknowledges() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(3700);
    world
        .book
        .ack(world.now, "power.limit:alpha", "Ann", &mut world.state);
    world.secs(7200);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+1800.0s new 2] 🔁 rack-3: still firing after 30 min: (alpha): too much (21:59:00)",
        "[t+3600.0s new 3] 🔁 rack-3: still firing after 1 h: (alpha): too much (21:59:00)",
        "[t+3700.0s edit 1] 👤 rack-3: (alpha): too much (21:59:00) — seen by Ann",
        "[t+3700.0s edit 3] 🔁 rack-3: still firing after 1 h 1 min: (alpha): too much (21:59:00) — seen by Ann",
    ]);
}

#[test]
fn a_reminder_stays_one_when_its_alert_is_over() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(1860);
    world.end("power.limit:alpha");
    world.secs(10);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+1800.0s new 2] 🔁 rack-3: still firing after 30 min: (alpha): too much (21:59:00)",
        "[t+1860.2s new 3] ✅ rack-3: (alpha): back",
        "[t+1860.2s edit 1] ✅ rack-3: (alpha): too much (21:59:00) — 22:30:00, back",
        "[t+1860.2s edit 2] 🔁 ✅ rack-3: (alpha): too much (21:59:00) — 22:30:00, back",
    ]);
}

#[test]
fn a_reminder_of_several_stays_one_when_they_are_over() {
    let mut world = plain();
    let names = ["power.limit:alpha", "power.limit:bravo"];
    names.iter().for_each(|name| world.fire(name));
    world.secs(1860);
    names.iter().for_each(|name| world.end(name));
    world.secs(1);
    let edits = world
        .posted
        .lines
        .iter()
        .filter_map(|line| line.split_once("s edit "));
    let titles: Vec<&str> = edits
        .filter_map(|(_, text)| text.split(" | ").next())
        .collect();
    let want = [
        "1] ✅ rack-3: 2 alerts, all over",
        "2] 🔁 ✅ rack-3: 2 alerts, all over",
    ];
    assert_eq!(titles, want);
}

#[test]
fn an_end_beside_its_beginning_says_when_both_were() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(300);
    world.now.wall = Wall(world.now.wall.0 - 300_000);
    world.end("power.limit:alpha");
    world.secs(1);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+300.2s new 2] ✅ rack-3: (alpha): back",
        "[t+300.2s edit 1] ✅ rack-3: (alpha): too much (21:59:00) — 21:59:00, back",
    ]);
}

#[test]
fn a_restart_repeats_nothing_and_forgets_nothing() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(600);
    world.restart(Duration::from_secs(60));
    world.fire("power.limit:alpha");
    world.secs(1200);
    world.restart(Duration::from_secs(5));
    world.end("power.limit:alpha");
    world.secs(10);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[restart after 660 s]",
        "[t+1140.0s new 2] 🔁 rack-3: still firing after 30 min: (alpha): too much (21:59:00)",
        "[restart after 1205 s]",
        "[t+0.2s new 3] ✅ rack-3: (alpha): back",
        "[t+0.2s edit 1] ✅ rack-3: (alpha): too much (21:59:00) — 22:30:05, back",
        "[t+0.2s edit 2] 🔁 ✅ rack-3: (alpha): too much (21:59:00) — 22:30:05, back",
    ]);
}

#[test]
fn what_joins_after_the_clock_was_set_back_says_when_it_was() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(5);
    world.now.wall = Wall(EVENING - 3_600_000);
    world.fire("power.limit:bravo");
    world.secs(1);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+5.0s edit 1] 🔴 rack-3: 2 alerts | 🔴 (alpha): too much (21:59:00) | 🔴 (bravo): too much (20:59:00)",
    ]);
}

#[test]
fn a_crash_within_the_linger_loses_no_message() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.restart(Duration::from_secs(9));
    world.secs(1);
    world.end("power.limit:alpha");
    world.restart(Duration::from_secs(9));
    world.secs(1);
    world.check(&[
        "[restart after 9 s]",
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much (21:59:00)",
        "[restart after 10 s]",
        "[t+0.0s new 2] ✅ rack-3: (alpha): back (21:59:10)",
        "[t+0.0s edit 1] ✅ rack-3: (alpha): too much (21:59:00) — 21:59:10, back",
    ]);
}

#[test]
fn each_alert_has_a_budget_of_its_own() {
    let mut world = plain();
    for _ in 0..5 {
        world.fire("power.limit:alpha");
        world.secs(40);
        world.end("power.limit:alpha");
    }
    let before = world.news();
    world.fire("power.limit:bravo");
    world.secs(1);
    assert_eq!(world.news(), before + 1);
}

#[test]
fn a_flood_is_a_few_messages_and_nobody_is_left_out() {
    let mut world = plain();
    for number in 0..500 {
        world.fire(&format!("power.limit:p{number:03}"));
    }
    world.secs(60);
    assert_eq!(world.news(), 5);
    let all = world.posted.lines.join("\n");
    for number in 0..500 {
        assert!(all.contains(&format!("(p{number:03})")), "{number}");
    }
    for number in 0..500 {
        world.end(&format!("power.limit:p{number:03}"));
    }
    world.posted.lines.clear();
    world.secs(120);
    assert_eq!(world.news(), 5, "{:#?}", world.posted.lines);
}

#[test]
fn however_much_happens_at_once_a_turn_sends_little_and_the_next_ones_go_on() {
    let mut world = plain();
    let names: Vec<String> = (0..1_000).map(|i| format!("power.limit:p{i:04}")).collect();
    names.iter().for_each(|name| world.fire(name));
    world.secs(60);
    world.check_told(&names);
    names.iter().for_each(|name| world.end(name));
    world.secs(1);
    world.check_told(&names);
}

#[test]
fn routes_decide_the_audience() {
    let mut world = World::new(|config| {
        config.notify.routes.push(RouteConfig {
            severity: Some(Severity::Critical),
            alert: Some("power.*".to_owned()),
            to: vec![
                "telegram:-5/7".parse().expect("address"),
                "mail:a@b.example".parse().expect("address"),
            ],
        });
    });
    world.fire("power.limit:alpha");
    world.fire("host.load:cpu");
    world.secs(1);
    assert_eq!(world.news(), 3);
}

#[test]
fn where_nothing_can_be_edited_every_piece_of_news_is_a_message() {
    let mut world = World::new(|config| config.notify.to = vec![sessions::terminal().place()]);
    world.fire("power.limit:alpha");
    world.secs(5);
    world.fire("power.limit:bravo");
    world.secs(5);
    world.end("power.limit:alpha");
    world.secs(60);
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+5.0s new 2] 🔴 rack-3: (bravo): too much",
        "[t+10.2s new 3] ✅ rack-3: (alpha): back",
    ]);
}

#[test]
fn a_removed_rule_ends_with_its_words() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(60);
    world.report(
        ReportKind::Removed,
        AlertState::Ok,
        Severity::Critical,
        "power.limit:alpha",
        "removed from the configuration",
    );
    world.secs(1);
    world.posted.lines.retain(|line| line.contains("new"));
    world.check(&[
        "[t+0.0s new 1] 🔴 rack-3: (alpha): too much",
        "[t+60.2s new 2] ✅ rack-3: (alpha): removed from the configuration",
    ]);
}

#[test]
fn a_clock_that_starts_in_1970_and_leaps_repeats_nothing() {
    let mut world = plain();
    world.now.wall = Wall(5000);
    world.fire("power.limit:alpha");
    world.secs(40);
    world.now.wall = Wall(EVENING);
    world.secs(600);
    assert_eq!(world.news(), 1, "{:#?}", world.posted.lines);
}

#[test]
fn a_board_that_starts_anew_in_1970_still_reminds_and_tells_what_was_hidden() {
    let mut world = World::new(|config| {
        config.notify.repeat.critical = Some(Duration::from_secs(1800));
        config.notify.repeat.warning = Some(Duration::from_secs(1800));
    });
    world.fire("power.limit:alpha");
    world.warn(UPLINK);
    world.warn("power.unreachable:bravo");
    world.secs(600);
    world.end(UPLINK);
    world.secs(1);
    world.posted.lines.clear();
    world.restart(Duration::ZERO);
    world.now.wall = Wall(5000);
    world.secs(20);
    world.set_clock(EVENING + 700_000);
    world.secs(1800);
    let told = |text: &str| world.posted.lines.iter().any(|line| line.contains(text));
    assert!(
        told("still firing after 41 min: (alpha)"),
        "{:#?}",
        world.posted.lines
    );
    assert!(
        told("🟠 rack-3: (bravo): no answer"),
        "{:#?}",
        world.posted.lines
    );
}

#[test]
fn what_fires_anew_after_a_crash_joins_no_message_from_before_its_end() {
    let mut world = plain();
    world.fire("power.limit:alpha");
    world.secs(60);
    world.fire("power.limit:bravo");
    world.secs(1);
    world.end("power.limit:alpha");
    world.secs(1);
    world.restart(Duration::from_secs(5));
    world.posted.lines.clear();
    world.fire("power.limit:alpha");
    world.secs(1);
    world.check(&["[t+0.0s new 4] 🔴 rack-3: (alpha): too much"]);
}

#[test]
fn what_joins_a_message_survives_a_crash_however_much_is_edited_in_that_turn() {
    let mut world = plain();
    let names: Vec<String> = (0..EDITS_AT_ONCE)
        .map(|i| format!("power.limit:p{i}"))
        .collect();
    for name in &names {
        world.fire(name);
        world.secs(31);
    }
    world.fire("power.limit:alpha");
    world.secs(1);
    world.fire("power.limit:bravo");
    for name in &names {
        world.book.ack(world.now, name, "Ann", &mut world.state);
    }
    world.jump(Duration::from_millis(10));
    world.step();
    world.restart(Duration::ZERO);
    world.secs(60);
    let told = world
        .posted
        .lines
        .iter()
        .filter(|line| line.contains("(bravo)"));
    assert_eq!(
        told.count(),
        2,
        "an edit and the summary: {:#?}",
        world.posted.lines
    );
}
