//! The fuzz targets under seeded mutations of their seeds: the same functions that cargo-fuzz drives for longer.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Small, fast, and the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit.max(1) as u64).unwrap_or(0)
    }
}

/// Changes an input in a few places, as bad luck and bad peers do.
fn mutate(dice: &mut Dice, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    const EDGES: [u8; 10] = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, b'"', b'\n'];
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len());
        match dice.below(8) {
            0 if !input.is_empty() => input[at] ^= 1 << dice.below(8),
            1 if !input.is_empty() => input[at] = EDGES[dice.below(EDGES.len())],
            2 => input.insert(at, EDGES[dice.below(EDGES.len())]),
            3 if !input.is_empty() => drop(input.remove(at)),
            4 => input.truncate(at),
            5 => {
                let end = (at + 1 + dice.below(16)).min(input.len());
                let part = input[at.min(end)..end].to_vec();
                input.splice(at..at, part);
            }
            6 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let to = (from + dice.below(64)).min(other.len());
                input.splice(at.., other[from..to].iter().copied());
            }
            _ => {
                let run = vec![EDGES[dice.below(EDGES.len())]; 1 << dice.below(8)];
                input.splice(at..at, run);
            }
        }
        input.truncate(8192);
    }
}

fn survives(name: &str, run: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        panic!(
            "{name} panics on {:?} = {:02x?}",
            String::from_utf8_lossy(input),
            input
        );
    }
}

fn drive(name: &str) {
    drive_some(name, 30_000);
}

fn drive_some(name: &str, inputs: u32) {
    let (_, run, seeds) = targets::TARGETS
        .iter()
        .find(|(known, ..)| *known == name)
        .expect("the target is in the table");
    let seeds = seeds();
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let mut dice = Dice(0x5eed_0000_0000_0001);
    for seed in &seeds {
        survives(name, *run, seed);
    }
    for _ in 0..inputs {
        let mut input = seeds[dice.below(seeds.len())].clone();
        mutate(&mut dice, &mut input, &seeds);
        survives(name, *run, &input);
    }
}

#[test]
fn seeds_are_written_on_request() {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else {
        return;
    };
    for (name, _, seeds) in targets::TARGETS {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder).expect("the corpus folder is writable");
        for (number, seed) in seeds().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)
                .expect("the corpus folder is writable");
        }
    }
}

#[test]
fn snmp_messages_never_panic() {
    drive("snmp_message");
}

#[test]
fn snmp_v3_messages_never_panic() {
    drive("snmp_v3");
}

#[test]
fn telegram_updates_never_panic() {
    drive("telegram_update");
}

#[test]
fn configurations_never_panic() {
    drive("configuration");
}

#[test]
fn commands_never_panic() {
    drive("command");
}

#[test]
fn http_heads_never_panic() {
    drive("http_head");
}

#[test]
fn responses_of_streams_never_panic_and_may_be_torn() {
    drive("http_stream");
}

#[test]
fn recordings_never_panic() {
    drive("recording");
}

#[test]
fn journals_never_panic() {
    drive("journal");
}

#[test]
fn audit_logs_never_panic() {
    drive("audit_log");
}

#[test]
fn profiles_never_panic() {
    drive("profile");
}

#[test]
fn files_of_a_machine_never_panic() {
    drive("host");
}

#[test]
fn devices_that_nobody_knows_never_panic() {
    // Each input is a search and a walk of many questions.
    drive_some("devices", 300);
}

#[test]
fn files_of_the_history_never_panic() {
    drive("history");
}

#[test]
fn replies_of_mail_servers_never_panic() {
    drive("smtp");
}

#[test]
fn every_target_has_a_program_and_a_test() {
    let this = include_str!("fuzz.rs");
    let manifest = include_str!("../../fuzz/Cargo.toml");
    for (name, ..) in targets::TARGETS {
        assert!(
            this.contains(&format!("drive(\"{name}\")"))
                || this.contains(&format!("drive_some(\"{name}\", ")),
            "{name} has no test"
        );
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} has no program"
        );
    }
}
