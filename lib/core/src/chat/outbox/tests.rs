use super::*;
use crate::chat::telegram;
use crate::chat::transport::{Failure, Limits, Outgoing, Pace, Readiness};
use crate::time::Wall;

fn person() -> Place {
    telegram::place(5, None)
}

fn group() -> Place {
    telegram::place(-5, None)
}
const LIMITS: Limits = Limits {
    text_units: 4096,
    caption_units: 1024,
    pace: Some(Pace {
        chat_gap: Duration::from_secs(1),
        group_per_minute: 20,
        overall_gap: Duration::from_millis(34),
    }),
};

/// An outbox with its disk and a service that takes everything, 20 ms each.
struct Rig {
    outbox: Outbox,
    state: Pending,
    records: Records,
    now: Now,
    readiness: Readiness,
    sent: Vec<(Duration, Outgoing)>,
    next_message: i64,
}

impl Rig {
    fn new() -> Rig {
        Rig {
            outbox: Outbox::default(),
            state: Pending::new(0),
            records: Records::default(),
            now: Now {
                mono: Mono::ZERO,
                wall: Wall(1_795_204_800_000),
            },
            readiness: Readiness::Ready,
            sent: Vec::new(),
            next_message: 0,
        }
    }

    fn push(&mut self, draft: Draft) -> ItemId {
        self.outbox.push(self.now, &mut self.state, draft)
    }

    /// Ends a turn: what changed is on disk at once. True when something did.
    fn store(&mut self) -> bool {
        let turn = self.state.take();
        if let Some(turn) = &turn {
            self.records.apply(turn);
            self.outbox.handle_stored(turn.seq);
        }
        turn.is_some()
    }

    fn take_next(&mut self) -> Option<Outgoing> {
        let readiness = self.readiness;
        let service = |_: &Place| Some((readiness, LIMITS));
        self.outbox.take_next(self.now, &service, &mut self.state)
    }

    /// Everything that may leave now leaves and arrives.
    fn flush(&mut self) {
        loop {
            let message = self.take_next();
            let is_idle = message.is_none() && !self.store();
            message.into_iter().for_each(|message| self.arrive(message));
            if is_idle {
                return;
            }
        }
    }

    fn arrive(&mut self, message: Outgoing) {
        self.next_message += 1;
        let (id, number) = (message.item, self.next_message);
        self.sent.push((self.now.mono.since_start(), message));
        self.outbox
            .handle_sent(self.now, id, Some(number), LIMITS, &mut self.state);
    }

    fn pass(&mut self, span: Duration) {
        self.now.mono += span;
        self.now.wall = self.now.wall.plus(span);
    }

    fn run(&mut self, span: Duration) {
        let end = self.now.mono + span;
        loop {
            self.flush();
            match self.outbox.poll_timeout() {
                Some(at) if at <= end => self.pass(at.since(self.now.mono)),
                _ => return self.pass(end.since(self.now.mono)),
            }
        }
    }

    /// A kill and a start from what was on disk.
    fn restart(&mut self) {
        self.outbox = Outbox::default();
        self.state = Pending::new(self.records.seq);
        self.outbox
            .restore(self.now, &self.records, &mut self.state);
        self.store();
    }

    fn texts(&self) -> Vec<String> {
        let plain = |(_, message): &(Duration, Outgoing)| message.text.to_plain();
        self.sent.iter().map(plain).collect()
    }
}

fn draft(to: &Place, lane: Lane, text: &str) -> Draft {
    Draft {
        to: to.clone(),
        lane,
        text: text.into(),
        buttons: Vec::new(),
        document: None,
        edit: None,
        silent: false,
        alert: None,
        topic: None,
    }
}

fn alert(lane: Lane, name: &str, text: &str) -> Draft {
    Draft {
        alert: Some(name.into()),
        ..draft(&group(), lane, text)
    }
}

#[test]
fn an_item_waits_for_the_disk_but_not_for_long() {
    let mut rig = Rig::new();
    rig.push(draft(&person(), Lane::Reply, "a"));
    assert!(rig.take_next().is_none(), "not stored yet");
    rig.pass(STORE_PATIENCE);
    assert!(rig.take_next().is_some(), "the disk does not answer");
}

#[test]
fn urgent_lanes_go_first_and_one_alert_keeps_its_order() {
    let mut rig = Rig::new();
    rig.push(draft(&group(), Lane::Digest, "digest"));
    rig.push(alert(Lane::Warning, "a", "a warns"));
    rig.push(alert(Lane::Critical, "a", "a is critical"));
    rig.push(alert(Lane::Critical, "b", "b is critical"));
    rig.push(draft(&group(), Lane::Reply, "reply"));
    rig.run(Duration::from_secs(10));
    let want = [
        "b is critical",
        "reply",
        "a warns",
        "a is critical",
        "digest",
    ];
    assert_eq!(rig.texts(), want);
}

#[test]
fn an_edit_of_what_waits_changes_it_and_later_ones_follow_the_message() {
    let mut rig = Rig::new();
    let first = rig.push(alert(Lane::Warning, "a", "one"));
    let edit = |text| Draft {
        edit: Some(EditOf::Item(first)),
        ..alert(Lane::Warning, "a", text)
    };
    assert_eq!(rig.push(edit("two")), first);
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.texts(), ["two"]);
    rig.push(edit("three"));
    rig.push(edit("four"));
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.texts(), ["two", "four"]);
    assert_eq!(rig.sent[1].1.edit, Some(1));
    rig.restart();
    rig.push(edit("five"));
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.sent[2].1.edit, Some(1), "known after a restart");
}

#[test]
fn a_message_that_is_gone_is_sent_anew() {
    let mut rig = Rig::new();
    rig.push(Draft {
        edit: Some(EditOf::Message(77)),
        ..draft(&person(), Lane::Reply, "x")
    });
    rig.store();
    let message = rig.take_next().expect("leaves");
    assert_eq!(message.edit, Some(77));
    let failed =
        rig.outbox
            .handle_failed(rig.now, message.item, Failure::NoMessage, &mut rig.state);
    assert!(!failed);
    rig.run(Duration::from_secs(2));
    assert_eq!(rig.sent.last().expect("sent").1.edit, None);
}

#[test]
fn a_message_that_leaves_late_says_when_it_was_written() {
    let mut rig = Rig::new();
    for (outage_s, want) in [(10, "over"), (11, "over\n(written 2026-11-20 20:00:10)")] {
        rig.readiness = Readiness::Down;
        rig.push(draft(&person(), Lane::Critical, "over"));
        rig.run(Duration::from_secs(outage_s));
        rig.readiness = Readiness::Ready;
        rig.outbox.touch();
        rig.flush();
        assert_eq!(rig.texts().pop().as_deref(), Some(want), "{outage_s} s");
    }
}

#[test]
fn a_clock_that_goes_back_hides_no_age() {
    for restarts in [false, true] {
        let mut rig = Rig::new();
        rig.readiness = Readiness::Down;
        rig.push(draft(&person(), Lane::Critical, "over"));
        rig.run(Duration::from_secs(305));
        rig.now.wall = Wall(rig.now.wall.0 - 300_000);
        if restarts {
            rig.restart();
        }
        rig.readiness = Readiness::Ready;
        rig.outbox.touch();
        rig.flush();
        let text = rig.texts().concat();
        assert!(text.ends_with("\n(written 2026-11-20 20:00:00)"), "{text}");
    }
}

#[test]
fn what_may_have_arrived_is_marked_when_it_goes_again() {
    let mut rig = Rig::new();
    rig.push(draft(&person(), Lane::Reply, "under way"));
    rig.push(draft(&person(), Lane::Reply, "waiting"));
    rig.store();
    rig.take_next().expect("leaves");
    rig.restart();
    rig.run(Duration::from_secs(5));
    let want = [
        "under way\n(maybe repeated)\n(written 2026-11-20 20:00:00)",
        "waiting\n(written 2026-11-20 20:00:00)",
    ];
    assert_eq!(rig.texts(), want);
    rig.restart();
    rig.run(Duration::from_secs(5));
    assert_eq!(rig.sent.len(), 2, "what arrived is gone from the disk");
}

#[test]
fn a_text_never_taken_is_given_up_after_it_was_tried_plain() {
    let mut rig = Rig::new();
    rig.push(draft(&person(), Lane::Warning, "x"));
    rig.store();
    let rejected = || Failure::Rejected("Bad Request: odd".into());
    let first = rig.take_next().expect("leaves");
    assert!(!first.is_plain);
    assert!(
        !rig.outbox
            .handle_failed(rig.now, first.item, rejected(), &mut rig.state)
    );
    rig.store();
    rig.pass(Duration::from_secs(1));
    let second = rig.take_next().expect("leaves");
    assert!(second.is_plain);
    assert!(
        rig.outbox
            .handle_failed(rig.now, second.item, rejected(), &mut rig.state)
    );
    assert!(rig.outbox.is_empty());
}

#[test]
fn long_texts_are_pages_in_order_and_buttons_stand_under_the_last() {
    let mut rig = Rig::new();
    let text = "0123456789\n".repeat(600);
    rig.push(Draft {
        buttons: vec![vec![Button::open("ok", "/ok")]],
        ..draft(&person(), Lane::Reply, &text)
    });
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.texts().concat(), text);
    let has_buttons: Vec<bool> = rig
        .sent
        .iter()
        .map(|(_, message)| !message.buttons.is_empty())
        .collect();
    assert_eq!(has_buttons, [false, true]);
    rig.push(draft(&person(), Lane::Reply, &text.repeat(10)));
    rig.run(Duration::from_secs(10));
    let (_, last) = rig.sent.last().expect("sent");
    assert_eq!(
        last.document.as_ref().expect("a file").bytes.len(),
        text.len() * 10
    );
}

#[test]
fn a_flood_is_bounded_loses_nothing_and_critical_alerts_pass_it() {
    let mut rig = Rig::new();
    let mut largest = 0;
    let mut pushed_at = Vec::new();
    for number in 0..5000 {
        let is_critical = number % 1000 == 999;
        let lane = if is_critical {
            Lane::Critical
        } else {
            Lane::Warning
        };
        if is_critical {
            pushed_at.push(rig.now.mono.since_start());
        }
        rig.push(alert(
            lane,
            &format!("a{number}"),
            &format!("alert <{number}> fires"),
        ));
        largest = largest.max(rig.outbox.len());
        rig.run(Duration::from_millis(2));
    }
    rig.run(Duration::from_secs(3600));
    assert!(largest <= MAX_ITEMS, "{largest}");
    assert!(rig.outbox.is_empty());
    let all = rig.texts().join("\n");
    for number in 0..5000 {
        assert!(
            all.contains(&format!("alert <{number}> fires")),
            "{number} was lost"
        );
    }
    let critical = rig.sent.iter().filter(|(_, message)| {
        let text = message.text.to_plain();
        text.len() < 40 && text.contains("999> fires")
    });
    let late = critical
        .zip(&pushed_at)
        .map(|((at, _), pushed)| *at - *pushed);
    let late: Vec<Duration> = late.collect();
    assert_eq!(late.len(), 5);
    assert!(
        late.iter().all(|late| *late < Duration::from_secs(3)),
        "{late:?}"
    );
    // A critical alert may follow two others without a gap, but not a third.
    let gaps = rig.sent.windows(4).map(|four| four[3].0 - four[0].0);
    assert!(gaps.into_iter().all(|gap| gap >= Duration::from_secs(1)));
    for (start, _) in &rig.sent {
        let within = |at: &Duration| at >= start && *at - *start < Duration::from_secs(60);
        assert!(rig.sent.iter().filter(|(at, _)| within(at)).count() <= 20);
    }
}

#[test]
fn what_waited_for_long_is_told_together_with_its_first_and_last_time() {
    let mut rig = Rig::new();
    rig.readiness = Readiness::Down;
    for number in 0..50 {
        rig.push(alert(Lane::Critical, "a", &format!("change {number}")));
        rig.run(Duration::from_secs(60));
    }
    rig.push(alert(Lane::Critical, "b", "other"));
    rig.run(Duration::from_secs(60));
    rig.readiness = Readiness::Ready;
    rig.outbox.touch();
    rig.run(Duration::from_secs(10));
    assert_eq!(rig.sent.len(), 2, "{:#?}", rig.texts());
    let told = &rig.texts()[0];
    for want in [
        "50 messages",
        "change 0",
        "change 49",
        "2026-11-20 20:00:00",
    ] {
        assert!(told.contains(want), "{told}");
    }
}

#[test]
fn what_was_told_together_and_waits_on_is_told_together_once() {
    let mut rig = Rig::new();
    for number in 0..5 {
        rig.push(alert(Lane::Critical, "a", &format!("change {number}")));
        rig.pass(Duration::from_secs(400));
        rig.outbox.touch();
        // What waits is looked at when something may leave; the first answer is lost, the others say no.
        let message = (0..4).find_map(|_| {
            rig.store();
            rig.take_next()
        });
        let id = message.expect("leaves").item;
        let failure = Failure::Retry {
            maybe_arrived: number == 0,
        };
        rig.outbox
            .handle_failed(rig.now, id, failure, &mut rig.state);
        rig.store();
        rig.restart();
    }
    rig.run(Duration::from_secs(10));
    let want = "5 messages about this waited; the first, of 2026-11-20 20:00:00:\nchange 0\n\
        the last, of 2026-11-20 20:26:40:\nchange 4\n(maybe repeated)\n(written 2026-11-20 20:26:40)";
    assert_eq!(rig.texts(), [want]);
}

#[test]
fn what_may_have_arrived_stays_marked_when_it_is_told_together() {
    let mut rig = Rig::new();
    rig.push(alert(Lane::Critical, "a", "change 0"));
    rig.store();
    let id = rig.take_next().expect("leaves").item;
    let lost = Failure::Retry {
        maybe_arrived: true,
    };
    rig.outbox.handle_failed(rig.now, id, lost, &mut rig.state);
    rig.push(alert(Lane::Critical, "a", "change 1"));
    rig.store();
    rig.pass(Duration::from_secs(400));
    rig.outbox.touch();
    assert!(rig.take_next().is_none(), "first what is joined is stored");
    assert_eq!(rig.outbox.len(), 1);
    rig.store();
    rig.restart();
    rig.run(Duration::from_secs(10));
    let text = rig.texts().concat();
    assert!(text.contains("\n(maybe repeated)\n"), "{text}");
}
