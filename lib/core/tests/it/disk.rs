//! Disks that take nothing or hold rubbish, in virtual time. Numbers in names are rows of the table of faults that this
//! project is tested against.

use crate::{OWNER, seconds};
use rackwarden_core::effect::LogFile;
use rackwarden_core::journal::{Broken, FileKind};
use rackwarden_core::sim::Sim;
use std::time::Duration;

const WHY: &str =
    "Not run, because the state cannot be written, so after a crash this could run twice";

/// A world that has settled.
fn sim() -> Sim {
    Sim::settled(Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)]))
}

/// The same, whose disk takes nothing, as the agent knows.
fn broken(how: Broken) -> Sim {
    let mut sim = sim();
    sim.storage().set_broken(Some(how));
    sim.device("bravo").set_power(3500.0);
    sim.run_for(seconds(70));
    sim.clear_transcript();
    sim
}

/// How often the command of these tests was run, as the audit log has it.
fn runs(sim: &Sim) -> usize {
    let lines = sim.log(LogFile::Audit).iter();
    let of_it = lines.filter(|line| line.contains("/mute all 8h"));
    of_it.filter(|line| line.contains("accepted")).count()
}

const DISKS: [Broken; 3] = [Broken::Full, Broken::ReadOnly, Broken::Sync];

#[test]
fn row_24_a_command_while_the_disk_takes_nothing_is_offered_and_runs_at_most_once() {
    for how in DISKS {
        for after_ms in [0, 100, 300, 1000, 3000, 8000] {
            let mut sim = broken(how);
            sim.post(OWNER, OWNER, "/mute all 8h");
            sim.run_for(seconds(7));
            assert_eq!(sim.count(WHY), 1, "{how:?}: {}", sim.transcript());
            sim.press(OWNER, OWNER, "Run now");
            sim.run_for(Duration::from_millis(after_ms));
            sim.kill();
            // What people have seen of it before the kill, and what they see after it.
            sim.storage().set_broken(None);
            sim.restart();
            sim.run_for(seconds(120));
            let wanted = usize::from(after_ms >= 1000);
            let runs = runs(&sim);
            let transcript = sim.transcript();
            assert!(runs <= 1, "{how:?} {after_ms}: {transcript}");
            assert!(runs >= wanted, "{how:?} {after_ms}: {transcript}");
        }
    }
}

#[test]
fn row_24_a_command_that_was_offered_before_a_kill_is_told_again_and_never_ran() {
    for how in DISKS {
        let mut sim = broken(how);
        sim.post(OWNER, OWNER, "/mute all 8h");
        sim.run_for(seconds(1));
        sim.kill_and_restart();
        sim.run_for(seconds(30));
        assert!(sim.count(WHY) >= 1, "{how:?}: {}", sim.transcript());
        assert_eq!(runs(&sim), 0, "{how:?}: {}", sim.transcript());
    }
}

#[test]
fn row_24_the_terminal_asks_once_so_it_is_served_at_once() {
    let mut sim = broken(Broken::Full);
    sim.say("/mute all 8h");
    sim.run_for(seconds(1));
    assert_eq!(sim.count(WHY), 0, "{}", sim.transcript());
    assert_eq!(runs(&sim), 1, "{}", sim.transcript());
}

#[test]
fn row_24_and_25_everything_goes_on_from_memory_and_nothing_is_lost_when_the_disk_is_back() {
    for how in DISKS {
        let mut sim = sim();
        sim.storage().set_broken(Some(how));
        for _ in 0..20 {
            sim.device("alpha").set_power(3500.0);
            sim.run_for(seconds(90));
            sim.device("alpha").set_power(1000.0);
            sim.run_for(seconds(90));
        }
        let told = sim.count("🟠 rack: state directory: cannot be written");
        assert_eq!(told, 1, "{how:?}: {}", sim.transcript());
        let begun = sim.count("🔴 rack: (alpha)");
        let over = sim.count("✅ rack: (alpha)");
        assert!(begun > 0 && over > 0, "{how:?}: {}", sim.transcript());
        sim.device("bravo").set_power(3500.0);
        sim.run_for(seconds(20));
        sim.storage().set_broken(None);
        sim.run_for(seconds(20));
        assert_eq!(sim.count("✅ rack: state directory: can be written"), 1);
        sim.clear_transcript();
        let held = sim.records().map.clone();
        sim.cut_power(7);
        sim.restart();
        // Everything is there: the alert of bravo still fires, and nobody is told of it anew.
        for (key, value) in held.iter().filter(|(key, _)| key.starts_with("alert/")) {
            assert!(sim.records().map.get(key) == Some(value), "{how:?}: {key}");
        }
        sim.run_for(seconds(60));
        assert_eq!(sim.count("🔴"), 0, "{how:?}: {}", sim.transcript());
    }
}

#[test]
fn row_23_owners_are_told_once_of_a_file_that_was_set_aside() {
    for (file, bytes) in [
        (FileKind::Journal, &b""[..]),
        (FileKind::Journal, &[0x5a; 999]),
        (FileKind::Journal, b"RWJRNL0\n"),
        (FileKind::Journal, b"RWJRNL2\n"),
        (FileKind::Snapshot, b""),
        (FileKind::Snapshot, &[0x5a; 999]),
        (FileKind::Snapshot, b"RWSNAP0\n"),
        (FileKind::Snapshot, b"RWSNAP2\n"),
    ] {
        let mut sim = sim();
        sim.kill();
        sim.storage().overwrite(file, bytes);
        sim.restart();
        sim.run_for(seconds(30));
        let told = "the state was repaired: the ";
        assert_eq!(sim.count(told), 1, "{file:?}: {}", sim.transcript());
        assert_eq!(sim.storage().files_set_aside(), 1);
        sim.device("alpha").set_power(3500.0);
        sim.run_for(seconds(10));
        sim.kill_and_restart();
        sim.run_for(seconds(60));
        assert_eq!(sim.count(told), 1, "{file:?}: {}", sim.transcript());
        assert_eq!(sim.count("🔴 rack: (alpha)"), 1, "{}", sim.transcript());
    }
}
