//! What the chat service makes of messages, in virtual time and judged by the service's own log. Numbers in names are
//! rows of the table of faults that this project is tested against.

use crate::{GROUP, OWNER, seconds};
use rackwarden_core::alert::{AlertState, Report, ReportKind, Severity};
use rackwarden_core::chat::{Answer, Invocation, Place, Role, Spec, telegram};
use rackwarden_core::config::{Config, RouteConfig};
use rackwarden_core::ctx::Ctx;
use rackwarden_core::plugins::Plugin;
use rackwarden_core::plugins::power;
use rackwarden_core::rng::Rng;
use rackwarden_core::sim::telegram::{Call, Closed, Message};
use rackwarden_core::sim::{Sim, Weather};
use rackwarden_core::time::Mono;
use serde_json::json;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

const OTHER: i64 = -7;
const TELL: Spec = Spec {
    name: "tell",
    usage: "",
    help: "says what the test wants",
    example: "/tell",
    role: Role::Viewer,
    action: None,
    arg: None,
    changes_state: false,
};

thread_local! {
    static SCRIPT: RefCell<VecDeque<(Mono, Report)>> = RefCell::default();
    static SAYING: RefCell<String> = RefCell::default();
}

/// Reports what stands in the script, when it is due, and answers with what shall be said.
struct Scripted;

impl Plugin for Scripted {
    fn name(&self) -> &'static str {
        "test"
    }

    fn commands(&self) -> Vec<&'static Spec> {
        vec![&TELL]
    }

    fn run(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let text = SAYING.with_borrow(Clone::clone);
        ctx.answer(&invocation.reply_to, Answer::text(text));
    }

    fn poll_timeout(&self) -> Option<Mono> {
        SCRIPT.with_borrow(|script| script.front().map(|(at, _)| *at))
    }

    fn handle_timeout(&mut self, ctx: &mut Ctx<'_>) {
        SCRIPT.with_borrow_mut(|script| {
            while script.front().is_some_and(|(at, _)| *at <= ctx.now.mono) {
                if let Some((_, mut report)) = script.pop_front() {
                    report.at = ctx.now.wall;
                    ctx.report(report);
                }
            }
        });
    }
}

fn chat(chat: i64) -> Place {
    telegram::place(chat, None)
}

/// One device, no reminders, and these audiences.
fn config(to: &[Place]) -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.notify.to = to.to_vec();
    config.notify.max_notifications = 100_000;
    config.notify.repeat.critical = None;
    config.notify.repeat.warning = None;
    config
}

/// A world that has settled.
fn settled(config: Config) -> Sim {
    SCRIPT.with_borrow_mut(VecDeque::clear);
    let mut sim = Sim::with_plugins(config, &[|_: &Arc<Config>| Box::new(Scripted)]);
    sim.run_for(seconds(20));
    sim
}

fn report(name: &str, severity: Severity, state: AlertState) -> Report {
    Report {
        name: format!("test.rule:{name}").into(),
        subject: format!("<{name}>"),
        severity,
        state,
        summary: if state == AlertState::Firing {
            "fires"
        } else {
            "over"
        }
        .into(),
        value: None,
        worst: None,
        unit: "",
        at: rackwarden_core::time::Wall(0),
        kind: ReportKind::State,
        rule: None,
        reason: "",
        causes: None,
    }
}

/// What is reported after a while, counted from now; to be called in the order of time.
fn plan(sim: &Sim, after: Duration, report: Report) {
    SCRIPT.with_borrow_mut(|script| script.push_back((sim.now().mono + after, report)));
}

fn fire(sim: &Sim, name: &str) {
    plan(
        sim,
        Duration::ZERO,
        report(name, Severity::Warning, AlertState::Firing),
    );
}

fn end(sim: &Sim, name: &str) {
    plan(
        sim,
        Duration::ZERO,
        report(name, Severity::Warning, AlertState::Ok),
    );
}

/// Messages as they read today.
fn messages(sim: &mut Sim, chat: i64) -> Vec<Message> {
    let all = sim.service().messages().iter();
    all.filter(|message| message.chat == chat)
        .cloned()
        .collect()
}

fn holding(sim: &mut Sim, chat: i64, text: &str) -> usize {
    let all = messages(sim, chat);
    all.iter()
        .filter(|message| message.text.contains(text))
        .count()
}

/// When a chat first saw a text, in a new message or an edited one.
fn first_seen(sim: &mut Sim, chat: i64, text: &str) -> Option<Mono> {
    let mut sights = sim.service().sights().iter();
    let sight =
        sights.find(|sight| sight.message.chat == chat && sight.message.text.contains(text));
    sight.map(|sight| sight.at.mono)
}

/// Calls that write into a chat.
fn calls(sim: &mut Sim, chat: i64) -> Vec<Call> {
    let calls = sim.service().calls().iter();
    calls
        .filter(|call| call.parameters["chat_id"] == json!(chat))
        .cloned()
        .collect()
}

fn refusals(sim: &mut Sim, status: u16) -> usize {
    let calls = sim.service().calls().iter();
    calls.filter(|call| call.status == Some(status)).count()
}

/// Readings that came late or not at all.
fn late(sim: &Sim) -> u64 {
    let polls = power::view(sim.snapshot().expect("a snapshot")).polls;
    polls.failed + polls.overrun
}

/// The 99th percentile.
fn p99(mut spans: Vec<Duration>) -> Duration {
    spans.sort_unstable();
    spans[(spans.len() * 99).div_ceil(100) - 1]
}

#[test]
fn row_1_after_six_hours_away_everything_is_told_with_its_time_in_few_messages() {
    let mut config = config(&[chat(GROUP)]);
    power::settings_mut(&mut config).interval = seconds(4);
    power::settings_mut(&mut config).unreachable_after = seconds(16);
    let mut sim = settled(config);
    let from = sim.now();
    let before = messages(&mut sim, GROUP).len();
    sim.set_weather("*", u32::MAX, Weather::IsAway);
    let outage = seconds(6 * 3600);
    let mut times: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in 0..200_u32 {
        let name = format!("a{:02}", number % 30);
        let severity = match number % 10 {
            0 => Severity::Critical,
            _ => Severity::Warning,
        };
        let state = match number / 30 % 2 {
            0 => AlertState::Firing,
            _ => AlertState::Ok,
        };
        let after = outage * number / 200;
        plan(&sim, after, report(&name, severity, state));
        let at = from.wall.plus(after);
        let time = at.local_time(&rackwarden_core::time::Zone::UTC).to_string();
        times.entry(name).or_default().push(time);
    }
    let polls = power::view(sim.snapshot().expect("a snapshot")).polls.ok;
    sim.run_for(outage);
    assert_eq!(messages(&mut sim, GROUP).len(), before);
    let back = sim.now().mono;
    sim.clear_weather();
    sim.run_for(seconds(600));
    assert_eq!(late(&sim), 0);
    let polls = power::view(sim.snapshot().expect("a snapshot")).polls.ok - polls;
    assert!(
        (5549..=5551).contains(&polls),
        "a reading each four seconds: {polls}"
    );
    let told = messages(&mut sim, GROUP).split_off(before);
    assert!(told.len() <= 40, "{} messages", told.len());
    let all: Vec<&str> = told.iter().map(|message| &*message.text).collect();
    let all = all.join("\n");
    for (name, times) in &times {
        assert!(all.contains(&format!("<{name}>")), "{name} is lost: {all}");
        let ends = [times.first(), times.last()];
        for time in ends.into_iter().flatten() {
            let own = told
                .iter()
                .filter(|message| message.text.contains(&format!("<{name}>")));
            let is_told = own.clone().any(|message| message.text.contains(&**time));
            assert!(is_told, "{name} at {time}: {:?}", own.collect::<Vec<_>>());
        }
    }
    assert_eq!(
        all.matches("messages about this waited").count(),
        30,
        "{all}"
    );
    let critical = first_seen(&mut sim, GROUP, "<a00>").expect("a critical alert");
    assert!(
        critical.since(back) <= seconds(5),
        "{:?}",
        critical.since(back)
    );
}

#[test]
fn row_3_a_hundred_lost_answers_make_at_most_a_hundred_repeats_all_marked() {
    let mut sim = settled(config(&[chat(GROUP)]));
    for number in 0..100 {
        sim.set_weather("sendMessage", 1, Weather::LosesAnswer);
        sim.set_weather("editMessageText", 1, Weather::LosesAnswer);
        fire(&sim, &format!("a{number:02}"));
        sim.run_for(seconds(31));
    }
    sim.clear_weather();
    let mut repeats = 0;
    for number in 0..100 {
        let name = format!("<a{number:02}>");
        let told = messages(&mut sim, GROUP);
        let told: Vec<_> = told
            .iter()
            .filter(|message| message.text.contains(&name))
            .collect();
        let marked = told
            .iter()
            .filter(|message| message.text.contains("(maybe repeated)"));
        assert!(!told.is_empty(), "{name} is lost");
        assert_eq!(marked.count(), told.len() - 1, "{name}: {told:?}");
        repeats += told.len() - 1;
    }
    assert!((90..=100).contains(&repeats), "{repeats}");

    let before = messages(&mut sim, GROUP);
    for number in 0..100 {
        sim.set_weather("editMessageText", 1, Weather::LosesAnswer);
        end(&sim, &format!("a{number:02}"));
        sim.run_for(seconds(31));
    }
    let after = messages(&mut sim, GROUP);
    let ends = after.iter().skip(before.len());
    assert!(
        ends.clone().all(|message| message.text.starts_with('✅')),
        "an edit is never repeated as a message"
    );
    assert_eq!(ends.count(), 100);
    let edited = after.iter().filter(|message| message.edits > 0);
    assert!(edited.count() >= 100);
    assert_eq!(late(&sim), 0);
}

#[test]
fn row_4_a_chat_that_asks_to_wait_is_left_alone_and_the_others_are_as_fast_as_before() {
    for wait in [1, 30, 3600] {
        let mut sim = settled(config(&[chat(GROUP), chat(OWNER), chat(OTHER)]));
        let from = sim.now().mono;
        let until = from + seconds(wait);
        sim.service().flood(GROUP, until);
        let count: u32 = if wait == 3600 { 100 } else { 10 };
        for number in 0..count {
            let after = seconds(36) * number;
            let name = format!("a{number:02}");
            plan(
                &sim,
                after,
                report(&name, Severity::Warning, AlertState::Firing),
            );
        }
        sim.run_for(seconds(36) * count + seconds(120));
        let early = calls(&mut sim, GROUP);
        let early = early
            .iter()
            .filter(|call| call.at.mono >= from && call.at.mono < until);
        assert_eq!(early.count(), 1, "{wait} s: only the call that was refused");
        let mut spans = Vec::new();
        for number in 0..count {
            let name = format!("<a{number:02}>");
            for to in [OWNER, OTHER] {
                let seen = first_seen(&mut sim, to, &name).expect("told");
                spans.push(seen.since(from + seconds(36) * number));
            }
            assert!(
                first_seen(&mut sim, GROUP, &name).is_some(),
                "{wait} s: {name} is lost"
            );
        }
        assert!(p99(spans.clone()) < seconds(2), "{wait} s: {spans:?}");
        let back = first_seen(&mut sim, GROUP, "<a00>").expect("told");
        assert!(back.since(until) < seconds(5), "{wait} s");
    }
}

#[test]
fn row_5_a_flood_leaves_at_the_pace_of_the_chats_and_critical_alerts_pass_it() {
    let mut config = config(&[chat(GROUP), chat(OWNER)]);
    config.notify.routes = vec![RouteConfig {
        severity: None,
        alert: Some("*west*".to_owned()),
        to: vec![chat(OTHER)],
    }];
    let mut sim = settled(config);
    let from = sim.now().mono;
    let mut critical = Vec::new();
    for number in 0..5000_u64 {
        let after = Duration::from_millis(number / 5 * 10);
        let is_critical = number % 1000 == 999;
        let kind = if number % 2 == 0 { "west" } else { "east" };
        let name = match is_critical {
            true => format!("east-critical{number:04}"),
            false => format!("{kind}{number:04}"),
        };
        let severity = match is_critical {
            true => Severity::Critical,
            false => Severity::Warning,
        };
        if is_critical {
            critical.push((format!("<{name}>"), from + after));
        }
        plan(&sim, after, report(&name, severity, AlertState::Firing));
    }
    let mut most_waiting = 0;
    for _ in 0..100 {
        sim.run_for(Duration::from_millis(100));
        let waiting = sim
            .records()
            .map
            .keys()
            .filter(|key| key.starts_with("outbox/"));
        most_waiting = most_waiting.max(waiting.count());
    }
    sim.run_for(seconds(600));
    assert!((1..=1000).contains(&most_waiting), "{most_waiting} waited");
    let mut spans = Vec::new();
    for (name, at) in &critical {
        for to in [GROUP, OWNER] {
            let seen = first_seen(&mut sim, to, name).expect("told");
            spans.push(seen.since(*at));
        }
    }
    assert_eq!(spans.len(), 10);
    assert!(p99(spans.clone()) < seconds(3), "{spans:?}");
    for to in [GROUP, OWNER, OTHER] {
        let at: Vec<Mono> = calls(&mut sim, to)
            .iter()
            .map(|call| call.at.mono)
            .collect();
        assert!(at.len() > 20, "{} calls", at.len());
        for n in 1..=60 {
            // So many in any n seconds; a critical alert may be ahead of its second, but only one.
            let most = n as usize + 1;
            let is_dense = |run: &[Mono]| run[most].since(run[0]) < seconds(n);
            assert!(
                !at.windows(most + 1).any(is_dense),
                "{to}: more than {most} in {n} s: {at:?}"
            );
        }
        let is_crowd = |run: &[Mono]| run[20].since(run[0]) < seconds(60);
        assert!(
            to > 0 || !at.windows(21).any(is_crowd),
            "{to}: more than 20 in a minute"
        );
    }
    for (to, kind, rest) in [(GROUP, "east", 1), (OWNER, "east", 1), (OTHER, "west", 0)] {
        let told = messages(&mut sim, to);
        let told: BTreeSet<&str> = told
            .iter()
            .flat_map(|message| message.text.split(['<', '>']))
            .collect();
        for number in (0..5000).filter(|number| number % 2 == rest && number % 1000 != 999) {
            let name = format!("{kind}{number:04}");
            assert!(told.contains(&*name), "{to}: {name} is lost");
        }
    }
    assert_eq!(late(&sim), 0);
}

#[test]
fn row_9_a_chat_that_is_closed_is_parked_and_slows_nobody() {
    const MEMBER: i64 = 3;
    for (closed, why) in [(MEMBER, Closed::Blocked), (GROUP, Closed::Kicked)] {
        let mut config = config(&[chat(MEMBER), chat(GROUP), chat(OTHER)]);
        config.access.owners = vec![telegram::user(OWNER)];
        let mut sim = settled(config);
        sim.service().set_closed(closed, Some(why));
        let (from, before) = (sim.now().mono, calls(&mut sim, closed).len());
        for number in 0..50_u32 {
            let name = format!("a{number:02}");
            plan(
                &sim,
                seconds(36) * number,
                report(&name, Severity::Warning, AlertState::Firing),
            );
        }
        sim.run_for(seconds(1800));
        let tries = calls(&mut sim, closed).len() - before;
        assert!(
            (1..=3).contains(&tries),
            "{closed}: {tries} tries in half an hour"
        );
        assert_eq!(
            holding(&mut sim, OWNER, "cannot be written to"),
            1,
            "{closed}: told once"
        );
        let open = [MEMBER, GROUP, OTHER]
            .into_iter()
            .filter(|to| *to != closed);
        let mut spans = Vec::new();
        for to in open {
            for number in 0..50_u32 {
                let seen = first_seen(&mut sim, to, &format!("<a{number:02}>")).expect("told");
                spans.push(seen.since(from + seconds(36) * number));
            }
        }
        assert!(p99(spans.clone()) < seconds(2), "{closed}: {spans:?}");
        sim.service().set_closed(closed, None);
        sim.run_for(seconds(900));
        for number in 0..50 {
            let name = format!("<a{number:02}>");
            assert!(
                first_seen(&mut sim, closed, &name).is_some(),
                "{closed}: {name} is lost"
            );
        }
        assert_eq!(
            holding(&mut sim, OWNER, "cannot be written to"),
            1,
            "{closed}: told once"
        );
    }
}

#[test]
fn row_10_ten_thousand_names_full_of_markup_are_never_refused_and_never_lost() {
    let letters: Vec<char> = r"ab1_*[]()~`>#+-=|{}.!<&\".chars().collect();
    let mut rng = Rng::new(10);
    let mut sim = settled(config(&[chat(OWNER)]));
    let mut texts = Vec::new();
    for _ in 0..400 {
        for _ in 0..25 {
            let length = 1 + rng.below(24);
            let random = (0..length).map(|_| letters[rng.below(letters.len() as u64) as usize]);
            let text: String = format!("n{}:", texts.len()).chars().chain(random).collect();
            let mut report = report("x", Severity::Warning, AlertState::Firing);
            report.name = format!("test.rule:{text}").into();
            report.subject = text.clone();
            report.kind = ReportKind::Event;
            plan(&sim, Duration::ZERO, report);
            texts.push(text);
        }
        sim.run_for(seconds(40));
    }
    assert_eq!(texts.len(), 10_000);
    assert_eq!(refusals(&mut sim, 400), 0);
    let told = messages(&mut sim, OWNER);
    let told: Vec<&str> = told.iter().map(|message| &*message.text).collect();
    let lines: BTreeSet<&str> = told.iter().flat_map(|text| text.lines()).collect();
    for text in &texts {
        assert!(
            lines.contains(&*format!("⚡ {text}: fires")),
            "{text} is lost"
        );
    }
}

#[test]
fn row_12_a_topic_or_a_message_that_is_gone_loses_nothing() {
    let topic = telegram::place(GROUP, Some(7));
    let mut sim = settled(config(&[topic]));
    fire(&sim, "before");
    sim.run_for(seconds(40));
    let first = messages(&mut sim, GROUP).pop().expect("told");
    assert_eq!(first.topic, Some(7));
    sim.service().delete_topic(GROUP, 7);
    fire(&sim, "topic");
    sim.run_for(seconds(40));
    let second = messages(&mut sim, GROUP).pop().expect("told");
    assert!(
        second.text.contains("<topic>") && second.topic.is_none(),
        "{second:?}"
    );

    sim.service().delete_message(GROUP, second.id);
    end(&sim, "topic");
    sim.run_for(seconds(40));
    let after: Vec<Message> = messages(&mut sim, GROUP);
    let anew = after
        .iter()
        .filter(|message| message.id > second.id && message.text.contains("fires"));
    assert_eq!(
        anew.count(),
        1,
        "what was to be edited is told anew: {after:?}"
    );
    let ended = after
        .iter()
        .filter(|message| message.text.starts_with("✅ rack: <topic>: over"));
    assert_eq!(ended.count(), 1, "{after:?}");

    fire(&sim, "same");
    sim.run_for(seconds(40));
    let text = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
    sim.set_weather("editMessageText", 1, Weather::Refuses(400, text, json!({})));
    let before = messages(&mut sim, GROUP).len();
    end(&sim, "same");
    sim.run_for(seconds(40));
    let after = messages(&mut sim, GROUP).split_off(before);
    assert!(
        after.len() == 1 && after[0].text.contains("<same>: over"),
        "{after:?}"
    );
    sim.run_for(seconds(3600));
    assert_eq!(
        messages(&mut sim, GROUP).len(),
        before + 1,
        "nothing goes on"
    );
}

#[test]
fn row_15_a_text_at_the_limit_is_never_refused_and_never_cut_inside_a_character() {
    let mut sim = settled(config(&[chat(OWNER)]));
    let units = |text: &str| text.encode_utf16().count();
    for (rule, cluster) in [
        ("latin", "x"),
        ("emoji", "😀"),
        ("combining_mark", "e\u{301}"),
        ("family", "👨\u{200d}👩\u{200d}👧"),
        ("flag", "🇩🇪"),
        ("right_to_left", "שלום"),
        ("arabic_with_marks", "مُ"),
        ("entity", "&"),
        ("named_entity", "&amp;"),
        ("tag", "<b>"),
    ] {
        for length in [3967, 3968, 3969, 4095, 4096, 4097, 8193] {
            // Shifted by one unit, so that the cut falls into a pair.
            for shift in 0..2_usize {
                let count = (length - shift) / units(cluster);
                let rest = length - shift - count * units(cluster);
                let text = "y".repeat(shift) + &cluster.repeat(count) + &"z".repeat(rest);
                assert_eq!(units(&text), length);
                SAYING.with_borrow_mut(|saying| saying.clone_from(&text));
                let before = messages(&mut sim, OWNER).len();
                sim.post(OWNER, OWNER, "/tell");
                sim.run_for(seconds(8));
                let pages = messages(&mut sim, OWNER).split_off(before);
                let joined: String = pages.iter().map(|page| &*page.text).collect();
                assert_eq!(joined, text, "{rule} of {length}: {} pages", pages.len());
                for page in &pages {
                    let bare = page.text.trim_start_matches('y').trim_end_matches('z');
                    let is_whole = matches!(rule, "right_to_left" | "named_entity" | "tag")
                        || bare.len() % cluster.len() == 0;
                    assert!(
                        is_whole,
                        "{rule} of {length}: a page ends inside a character"
                    );
                }
            }
        }
    }
    assert_eq!(refusals(&mut sim, 400), 0);
}
