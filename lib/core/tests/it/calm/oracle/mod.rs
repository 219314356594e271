//! A second, naive implementation of rules and of who is told what, written from docs/alerts.md. It looks at the whole
//! past of a value for every sample and at everything that may be due in every second, and shares no code with the
//! engine. Random series and people's deeds, in seconds: both must tell the same at the same time.
//!
//! `ORACLE_SEEDS=7..8` runs other seeds than the first ten thousand; what fails is made as small as it gets.

mod engine;
mod naive;
mod program;

use program::Program;

const SEEDS: std::ops::Range<u64> = 0..10_000;

#[test]
fn ten_thousand_random_series_are_told_as_the_naive_implementation_tells_them() {
    let seeds = std::env::var("ORACLE_SEEDS").ok().and_then(|text| {
        let (from, until) = text.split_once("..")?;
        Some(from.parse().ok()?..until.parse().ok()?)
    });
    let seeds: std::ops::Range<u64> = seeds.unwrap_or(SEEDS);
    let middle = seeds.start + (seeds.end - seeds.start) / 2;
    let halves = [seeds.start..middle, middle..seeds.end];
    let threads = halves.map(|half| std::thread::spawn(|| half.map(check).collect::<Vec<_>>()));
    let told = threads.map(|thread| {
        thread
            .join()
            .unwrap_or_else(|err| std::panic::resume_unwind(err))
    });
    let told: Vec<String> = told.concat().concat();
    if seeds == SEEDS {
        for sort in [
            "warning", "critical", "over", "reminder", "summary", "flapping", "calm", "times",
            "unmuted",
        ] {
            let count = told.iter().filter(|told| told.contains(sort)).count();
            assert!(count > 1_000, "the series are too tame: {sort} {count}");
        }
    }
}

/// What people were told.
fn check(seed: u64) -> Vec<String> {
    let program = Program::random(seed);
    let told = engine::run(&program);
    if told != naive::run(&program) {
        let small = program.shrunk(|program| engine::run(program) != naive::run(program));
        panic!(
            "seed {seed}\n{small:?}\nengine: {:?}\nnaive:  {:?}",
            engine::run(&small),
            naive::run(&small)
        );
    }
    told.into_iter().map(|(_, what)| what).collect()
}

#[test]
fn it_notices_an_engine_that_follows_another_rule() {
    let differs = |change: fn(&mut Program)| {
        (0..200).any(|seed| {
            let program = Program::random(seed);
            let mut other = program.clone();
            change(&mut other);
            engine::run(&other) != naive::run(&program)
        })
    };
    assert!(differs(|program| program.lasting += 1), "for");
    assert!(differs(|program| program.clear_lasting += 1), "clear_for");
    assert!(differs(|program| program.warning.1 -= 1.0), "off");
    assert!(differs(|program| program.critical.0 += 1.0), "severity");
    assert!(differs(|program| program.max_notifications += 1), "budget");
    assert!(differs(|program| program.reset_after += 1), "span");
    assert!(differs(|program| program.repeat.0 += 1), "repeat");
    assert!(differs(|program| program.quiet = None), "quiet hours");
}
