//! The book by its rules: what is news, what survives a restart, what is found.

use super::*;

fn at(seconds: u64) -> Now {
    Now {
        mono: Mono::new(Duration::from_secs(seconds)),
        wall: Wall(1_795_205_702_000 + seconds as i64 * 1000),
    }
}

fn report(seconds: u64, name: &str, severity: Severity, state: AlertState) -> Report {
    Report {
        name: Arc::from(name),
        subject: format!("({name})"),
        severity,
        state,
        summary: "too much".to_owned(),
        value: Some(seconds as f64),
        worst: Some(seconds as f64),
        unit: "W",
        at: at(seconds).wall,
        kind: ReportKind::State,
        rule: None,
        reason: "above the limit",
        causes: None,
    }
}

/// A book and what is on disk of it.
#[derive(Default)]
struct Desk {
    book: AlertBook,
    state: Pending,
    records: Records,
}

impl Desk {
    fn report(&mut self, report: Report) -> Option<ChangeKind> {
        let now = at((report.at.0 - at(0).wall.0) as u64 / 1000);
        let change = self.book.report(now, report, &mut self.state);
        self.store();
        change.map(|change| change.kind)
    }

    fn store(&mut self) -> bool {
        let turn = self.state.take();
        turn.as_ref().inspect(|turn| self.records.apply(turn));
        turn.is_some_and(|turn| turn.durable)
    }

    fn restart(&mut self) {
        self.store();
        self.book = AlertBook::default();
        self.book.restore(&self.records);
    }
}

#[test]
fn only_what_people_may_have_to_hear_is_a_change() {
    use AlertState::{Firing, Ok, Pending, Unknown};
    use Severity::{Critical, Warning};
    let mut desk = Desk::default();
    for (rule, severity, state, want) in [
        ("ok is nothing new", Critical, Ok, None),
        ("pending is silent", Critical, Pending, None),
        ("a blip is silent", Critical, Ok, None),
        ("it fires", Warning, Firing, Some(ChangeKind::Fired)),
        ("it fires still", Warning, Firing, None),
        (
            "it gets worse",
            Critical,
            Firing,
            Some(ChangeKind::Escalated),
        ),
        ("it gets better", Warning, Firing, Some(ChangeKind::Lowered)),
        ("the data is gone", Warning, Unknown, None),
        ("the data is back", Warning, Firing, None),
        ("it ends", Warning, Ok, Some(ChangeKind::Resolved)),
        ("never seen is silent", Warning, Unknown, None),
    ] {
        assert_eq!(desk.report(report(1, "a", severity, state)), want, "{rule}");
    }
}

#[test]
fn a_value_with_another_severity_is_news_whatever_it_calls_itself() {
    let mut desk = Desk::default();
    desk.report(report(1, "a", Severity::Warning, AlertState::Firing));
    for (severity, want) in [
        (Severity::Warning, None),
        (Severity::Critical, Some(ChangeKind::Escalated)),
        (Severity::Critical, None),
        (Severity::Info, Some(ChangeKind::Lowered)),
    ] {
        let mut newer = report(2, "a", severity, AlertState::Firing);
        newer.kind = ReportKind::Update;
        assert_eq!(desk.report(newer), want);
    }
}

#[test]
fn what_fires_survives_a_restart_and_is_no_news_then() {
    let mut desk = Desk::default();
    desk.report(report(1, "a", Severity::Critical, AlertState::Firing));
    desk.report(report(1, "b", Severity::Critical, AlertState::Pending));
    assert!(desk.book.ack(at(2), "a", "Ann", &mut desk.state));
    assert!(!desk.book.ack(at(2), "b", "Ann", &mut desk.state));
    desk.restart();
    assert!(desk.book.get("b").is_none());
    let entry = desk.book.get("a").expect("it fires");
    assert_eq!(
        (entry.number, entry.unit, entry.fired),
        (1, "W", Some(at(1).wall))
    );
    assert_eq!(entry.ack.as_ref().map(|ack| ack.by.as_str()), Some("Ann"));
    assert!(crate::alert::RuleState::resume(entry).is_open());
    assert_eq!(
        desk.report(report(9, "a", Severity::Critical, AlertState::Firing)),
        None
    );
    desk.report(report(10, "a", Severity::Critical, AlertState::Ok));
    desk.restart();
    assert!(desk.book.get("a").is_none());
}

#[test]
fn the_worst_value_is_that_of_this_firing_also_over_a_restart() {
    let mut desk = Desk::default();
    let firing = |seconds| report(seconds, "a", Severity::Critical, AlertState::Firing);
    let worst = |desk: &Desk| desk.book.get("a").and_then(|entry| entry.worst);
    desk.report(firing(50));
    desk.restart();
    desk.report(firing(60));
    let mut lower = firing(61);
    lower.worst = Some(3.0);
    desk.report(lower);
    assert_eq!(worst(&desk), Some(60.0));
    desk.report(report(62, "a", Severity::Critical, AlertState::Ok));
    desk.report(report(63, "a", Severity::Critical, AlertState::Unknown));
    assert_eq!(worst(&desk), None);
    let mut again = firing(64);
    again.worst = Some(5.0);
    desk.report(again);
    assert_eq!(worst(&desk), Some(5.0));
}

#[test]
fn a_number_stays_with_its_alert_and_comes_back_late() {
    let mut desk = Desk::default();
    for name in ["a", "b"] {
        desk.report(report(1, name, Severity::Critical, AlertState::Firing));
    }
    desk.report(report(2, "a", Severity::Critical, AlertState::Ok));
    desk.report(report(3, "c", Severity::Critical, AlertState::Firing));
    let number = |desk: &Desk, name| desk.book.get(name).map(|entry| entry.number);
    assert_eq!((number(&desk, "b"), number(&desk, "c")), (Some(2), Some(3)));
    desk.book.last_number = LAST_NUMBER;
    for name in ["d", "e"] {
        desk.report(report(4, name, Severity::Critical, AlertState::Firing));
    }
    assert_eq!((number(&desk, "d"), number(&desk, "e")), (Some(1), Some(4)));
}

#[test]
fn names_are_found_by_number_start_or_thing() {
    let mut desk = Desk::default();
    for name in [
        "power.limit:alpha",
        "power.limit:alpha 2",
        "power.unreachable:bravo",
    ] {
        desk.report(report(1, name, Severity::Critical, AlertState::Firing));
    }
    desk.book.mute(
        at(1),
        "host.load:cpu",
        Duration::from_secs(9),
        ("Ann", ""),
        &mut desk.state,
    );
    for (prefix, want) in [
        ("3", vec!["power.unreachable:bravo"]),
        ("#1", vec!["power.limit:alpha"]),
        ("POWER.LIMIT:alpha", vec!["power.limit:alpha"]),
        ("power.l", vec!["power.limit:alpha", "power.limit:alpha 2"]),
        ("bra", vec!["power.unreachable:bravo"]),
        ("host", vec!["host.load:cpu"]),
        ("all", vec!["all"]),
        ("99", vec![]),
        ("x", vec![]),
    ] {
        assert_eq!(desk.book.complete(prefix), want, "{prefix}");
    }
}

#[test]
fn mutes_end_by_the_monotonic_clock_and_after_a_restart_by_the_wall() {
    let mut desk = Desk::default();
    let hour = Duration::from_secs(3600);
    desk.book
        .mute(at(0), "a", hour, ("Ann", ""), &mut desk.state);
    let mut leapt = at(10);
    leapt.wall = leapt.wall.plus(hour * 24);
    assert!(desk.book.handle_timeout(leapt, &mut desk.state).is_empty());
    assert_eq!(desk.book.poll_timeout(), Some(at(3600).mono));
    desk.restart();
    assert!(desk.book.handle_timeout(at(0), &mut desk.state).is_empty());
    assert_eq!(
        desk.book.poll_timeout(),
        Some(at(60).mono),
        "the wall clock may jump"
    );
    let changes = desk.book.handle_timeout(at(3600), &mut desk.state);
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&*changes[0].name, &changes[0].kind),
        ("a", &ChangeKind::MuteEnded)
    );
    assert!(desk.store() && desk.records.map.is_empty());
    assert_eq!(desk.book.poll_timeout(), None);
}

#[test]
fn a_rising_value_is_written_once_a_minute() {
    let mut desk = Desk::default();
    assert_eq!(
        desk.report(report(0, "a", Severity::Critical, AlertState::Firing)),
        Some(ChangeKind::Fired)
    );
    let mut turns = 0;
    for seconds in (2..=600).step_by(2) {
        let mut newer = report(seconds, "a", Severity::Critical, AlertState::Firing);
        newer.kind = ReportKind::Update;
        assert_eq!(desk.book.report(at(seconds), newer, &mut desk.state), None);
        if desk
            .book
            .poll_timeout()
            .is_some_and(|due| due <= at(seconds).mono)
        {
            desk.book.handle_timeout(at(seconds), &mut desk.state);
        }
        turns += usize::from(desk.state.take().is_some());
    }
    assert!((9..=10).contains(&turns), "{turns}");
    let entry = desk.book.get("a").expect("it fires");
    assert_eq!(
        (entry.worst, entry.samples.len()),
        (Some(600.0), MAX_SAMPLES)
    );
}

#[test]
fn a_full_book_keeps_what_fires() {
    let mut desk = Desk::default();
    for index in 0..MAX_ENTRIES {
        let state = if index == 7 {
            AlertState::Unknown
        } else {
            AlertState::Firing
        };
        let name = format!("a{index}");
        desk.book.report(
            at(1),
            report(1, &name, Severity::Info, state),
            &mut desk.state,
        );
    }
    assert_eq!(
        desk.report(report(2, "u", Severity::Info, AlertState::Unknown)),
        None
    );
    assert_eq!(
        desk.report(report(2, "f", Severity::Info, AlertState::Firing)),
        Some(ChangeKind::Fired)
    );
    assert!(desk.book.get("a7").is_none());
    assert_eq!(
        desk.report(report(2, "g", Severity::Info, AlertState::Firing)),
        None
    );
    assert_eq!(
        (desk.book.dropped(), desk.book.entries().count()),
        (2, MAX_ENTRIES)
    );
}
