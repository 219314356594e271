//! The real binary is killed again and again under load. What its journal held at each kill must be told, what people
//! decided must stay, and it must be there again at once.
//!
//! `KILLS=1000` does it more often (`tests/kills`).

use crate::bot_api::BotApi;
use crate::device::Device;
use crate::support::{Agent, PATIENCE, http_get, wait_for};
use rackwarden_core::journal::{FileKind, Journal, MemoryStorage};
use rackwarden_core::rng::Rng;
use rackwarden_core::sim::telegram::Service;
use rackwarden_core::state::Records;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const NAMES: [&str; 3] = ["alpha", "bravo", "charlie"];
const START: Duration = Duration::from_millis(500);

#[test]
fn kills_at_any_moment_lose_nothing_and_repeat_nothing_unmarked() {
    let kills = std::env::var("KILLS").ok();
    let kills: u32 = kills.map_or(50, |text| text.parse().expect("KILLS is a number"));
    let api = BotApi::start();
    let devices = NAMES.map(|_| Device::start(1000));
    let steady = Device::start(9000);
    let mut config = api.config()
        + "max_notifications = 1000\n[power]\ninterval = \"200ms\"\nlimit = \"3 kW\"\n";
    for (name, device) in NAMES.iter().zip(&devices).chain([(&"steady", &steady)]) {
        config.push_str(&device.table(name));
    }
    let mut agent = Agent::start(&config);
    api.wait_for_message("9000 W > 3000 W");
    agent.ask("/ack power.limit:steady");
    agent.ask("/mute power.unreachable:alpha 9h");
    agent.ask("/grant telegram:77 viewer");
    let mut rng = Rng::new(u64::from(kills));
    let (mut watts, mut accepted) = (3000, BTreeSet::new());
    let (mut offset, mut starts, mut killed) = (0, Vec::new(), Vec::new());
    for round in 0..kills {
        let end = Instant::now() + Duration::from_millis(rng.below(500));
        while Instant::now() < end {
            watts += 10;
            let device = &devices[rng.below(3) as usize];
            device.set_power(if rng.below(2) == 0 { watts } else { 1000 });
            // More would take the longer to answer, at the pace of a chat.
            if rng.below(12) == 0 {
                api.say("/current");
            }
            let pause = Duration::from_millis(rng.below(150));
            std::thread::sleep(pause.min(end.saturating_duration_since(Instant::now())));
        }
        agent.process.signal(Signal::KILL);
        agent.process.ended(PATIENCE).expect("it is killed");
        killed.push(Instant::now());
        let Agent { scratch, .. } = agent;
        let records = stored(&scratch.path("state"));
        accepted.extend(
            records
                .all::<Value>("outbox")
                .iter()
                .flat_map(|(_, item)| news(&item.to_string())),
        );
        let seen = records
            .get::<Value>("telegram", "offset")
            .map_or(0, |saved| saved["next"].as_i64().unwrap_or(0));
        assert!(
            seen >= offset,
            "round {round}: offset {seen} after {offset}"
        );
        offset = seen;
        assert!(
            records
                .get::<Value>("mute", "power.unreachable:alpha")
                .is_some(),
            "round {round}: the mute"
        );
        assert_eq!(
            records.all::<Value>("grant").len(),
            1,
            "round {round}: the grant"
        );
        let begun = Instant::now();
        agent = Agent::spawn(scratch, &config);
        wait_for("the first answer", || http_get(agent.http, "/health"));
        let took = begun.elapsed();
        starts.push(took.saturating_sub(kept_waiting(agent.process.id())));
        if round % 10 == 9 {
            agent.wait_until_it_answers();
            let alerts = agent.ask("/alerts");
            assert!(alerts.contains("seen by"), "round {round}: {alerts}");
        }
    }
    starts.sort();
    let (typical, slowest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    println!("{kills} starts: {typical:?} as a rule, {slowest:?} at most");
    assert!(slowest < START, "slow starts: {starts:?}");
    agent.wait_until_it_answers();
    assert!(agent.ask("/permissions").contains("telegram:77"));
    assert!(
        agent
            .ask("/why power.unreachable:alpha")
            .contains("muted until")
    );
    for device in &devices {
        device.set_power(1000);
    }
    let all_told = |service: &Service| {
        let sights = service.sights().iter();
        let told: BTreeSet<String> = sights.flat_map(|sight| news(&sight.message.text)).collect();
        accepted.is_subset(&told).then_some(())
    };
    // What waits goes at the pace of a chat.
    if api.wait_until(PATIENCE * 3, all_told).is_none() {
        let told: BTreeSet<String> = api
            .sights()
            .iter()
            .flat_map(|sight| news(&sight.message.text))
            .collect();
        let lost: Vec<_> = accepted.difference(&told).collect();
        panic!("lost {lost:?} of {}: {:#?}", accepted.len(), api.messages());
    }
    judge_repeats(&api, &killed);
}

/// How long the machine let a process wait for a processor that others had: nothing that a program can be quicker at.
/// The thread that waited longest counts, for they wait beside each other.
fn kept_waiting(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let waited = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| {
            let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            times.split(' ').nth(1)?.parse().ok()
        });
    Duration::from_nanos(waited.max().unwrap_or(0))
}

/// The values that a text tells the beginning or the end of an excess with.
fn news(text: &str) -> Vec<String> {
    let values = |after: &str| -> Vec<String> {
        let parts = text.split(after).skip(1);
        let number = |part: &str| part.split(' ').next().unwrap_or_default().to_owned();
        parts
            .map(|part| format!("{after}{}", number(part)))
            .collect()
    };
    [values("above power limit: "), values(": peak ")].concat()
}

/// Nothing is told again without a mark, and one message at most after each kill.
fn judge_repeats(api: &BotApi, killed: &[Instant]) {
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    let mut repeats = vec![Vec::new(); killed.len() + 1];
    for sight in api.sights() {
        let text = sight.message.text;
        if sight.message.edits > 0 {
            continue;
        }
        if text.contains("(maybe repeated)") {
            let before = killed.iter().filter(|at| **at <= sight.at).count();
            repeats[before].push(text);
            continue;
        }
        let lines = text.lines().filter(|line| !line.contains(" — "));
        for value in lines
            .flat_map(news)
            .filter(|value| value.starts_with("above"))
        {
            *told.entry(value).or_default() += 1;
        }
    }
    let twice: Vec<_> = told.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "told again without a mark: {twice:?}");
    assert!(repeats[0].is_empty(), "before any kill: {repeats:?}");
    let many: Vec<_> = repeats.iter().filter(|texts| texts.len() > 1).collect();
    assert!(many.is_empty(), "more than one after a kill: {many:#?}");
    let marked = repeats.iter().filter(|texts| texts.len() == 1).count();
    println!("{} kills: {marked} marked repetitions", killed.len());
}

/// What the journal of a dead agent holds, read without touching it.
fn stored(state: &std::path::Path) -> Records {
    let mut storage = MemoryStorage::default();
    for (name, kind) in [
        ("snapshot", FileKind::Snapshot),
        ("journal", FileKind::Journal),
    ] {
        if let Ok(bytes) = std::fs::read(state.join(name)) {
            storage.overwrite(kind, &bytes);
        }
    }
    let journal = Journal::open(storage).expect("memory can be read");
    journal.records().clone()
}
