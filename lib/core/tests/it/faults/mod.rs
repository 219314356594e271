//! Random programs of faults, judged by an oracle that sees only the readings and the chat service's log.
//!
//! `FAULT_SEEDS=from..to` runs other seeds than the usual ones; `tests/faults` does so from the command line.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "seeds come from the environment, what a failure needs is printed"
)]

mod oracle;
mod program;

use program::{Sabotage, Step, program, run};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

const USUAL: Range<u64> = 0..200;

#[test]
fn programs_of_faults_lose_nothing_and_repeat_nothing_unmarked() {
    let seeds = std::env::var("FAULT_SEEDS").ok();
    let seeds = seeds.map_or(USUAL, |text| range(&text).expect("FAULT_SEEDS is FROM..TO"));
    let failed: Mutex<BTreeMap<u64, Vec<String>>> = Mutex::default();
    let next = AtomicU64::new(seeds.start);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let wrong = outcome(&program(seed));
                    if !wrong.is_empty() {
                        failed.lock().expect("no panic").insert(seed, wrong);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    let Some(first) = failed.keys().next() else {
        return;
    };
    if std::env::var_os("FAULT_SHRINK").is_some() {
        let steps = shrink(program(*first));
        println!(
            "{} steps are enough for seed {first}: {steps:?}\nwith them: {:#?}",
            steps.len(),
            outcome(&steps)
        );
    }
    panic!(
        "{} of {seeds:?} failed; FAULT_SHRINK=1 FAULT_SEEDS={first}..{} repeats the first: {failed:#?}",
        failed.len(),
        first + 1
    );
}

fn outcome(steps: &[Step]) -> Vec<String> {
    std::panic::catch_unwind(|| run(steps, Sabotage::None))
        .unwrap_or_else(|_| vec!["a panic".to_owned()])
}

/// The judge notices when something is wrong: a harness that cannot fail proves nothing.
#[test]
fn the_oracle_sees_a_lost_message_a_repeated_one_and_a_disk_that_forgets() {
    for (sabotage, word) in [
        (Sabotage::DropsMessage, "lost"),
        (Sabotage::RepeatsMessage, "told 2 times"),
        (Sabotage::ForgetsDisk, ""),
    ] {
        let seen = (0..4).any(|seed| {
            let wrong = run(&program(seed), sabotage);
            wrong.iter().any(|line| line.contains(word))
        });
        assert!(seen, "{sabotage:?} went unnoticed");
    }
}

/// Leaves out steps as long as it fails.
fn shrink(mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if !outcome(&fewer).is_empty() {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}
