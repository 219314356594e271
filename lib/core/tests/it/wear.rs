//! What a day costs an SD card: bytes that the store writes, with the batching that it has.

#![expect(
    clippy::disallowed_macros,
    reason = "the numbers are for docs/state.md"
)]

use crate::MINUTE;
use rackwarden_core::journal::Written;
use rackwarden_core::sim::Sim;

/// ext4 adds about so much to each sync: the inode, and its own journal.
const SYNC_BYTES: u64 = 12 << 10;

/// What the disk has to write, with what the file system adds.
fn total(written: Written) -> u64 {
    written.block_bytes + written.syncs * SYNC_BYTES
}

fn sim() -> Sim {
    let limits = ["alpha", "bravo", "charlie", "delta"].map(|name| (name, 3000.0));
    Sim::new(&limits)
}

#[test]
fn an_idle_day_writes_less_than_20_mb() {
    let mut sim = sim();
    for minute in 0..24 * 60_u32 {
        // Loads go up and down by the hour and shake all the time.
        for (index, name) in ["alpha", "bravo", "charlie", "delta"].iter().enumerate() {
            let phase = f64::from(minute) / 60.0 + index as f64;
            let shake = f64::from(minute * 7919 % 101);
            sim.device(name)
                .set_power(1500.0 + 700.0 * phase.sin() + shake);
        }
        sim.run_for(MINUTE);
    }
    let written = sim.storage().written();
    let history = sim.history_storage().written();
    println!(
        "an idle day: {written:?}, {} bytes with the file system's; history {history:?}, {} bytes",
        total(written),
        total(history)
    );
    assert!(total(written) + total(history) < 20_000_000, "{written:?}");
    assert!(
        written.syncs >= 24 * 12,
        "a sign of life every five minutes: {written:?}"
    );
}

#[test]
fn an_alert_each_minute_writes_less_than_60_mb_a_day() {
    let mut sim = sim();
    for minute in 0..120 {
        let watts = if minute % 2 == 0 { 3500.0 } else { 1000.0 };
        sim.device("alpha").set_power(watts);
        sim.run_for(MINUTE);
    }
    let written = sim.storage().written();
    let day = written.block_bytes * 12;
    println!("two hours with an alert each minute: {written:?}, {day} bytes a day");
    assert!(day < 60_000_000, "{written:?}");
}
