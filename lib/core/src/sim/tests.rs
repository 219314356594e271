//! A simulated world repeats itself.

use super::*;

/// A day of polls, with an excess, a question and a device that is away for a while.
fn day() -> (String, Records) {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    sim.after(hours(3), |sim| sim.device("alpha").set_power(3500.0));
    sim.after(hours(4), |sim| sim.device("alpha").set_power(1000.0));
    sim.after(hours(9), |sim| sim.say("/peaks"));
    sim.after(hours(15), |sim| sim.device("alpha").set_silent(true));
    sim.after(hours(16), |sim| sim.device("alpha").set_silent(false));
    sim.after(hours(20), |sim| sim.post(1, 1, "/current"));
    sim.run_for(hours(24));
    assert!(sim.steps() > 2 * 43_000, "{}", sim.steps());
    (sim.transcript(), sim.records().clone())
}

#[test]
fn a_day_repeats_itself_to_the_letter() {
    let (transcript, records) = day();
    assert!(transcript.lines().count() > 5, "{transcript}");
    assert_eq!((transcript, records), day());
}

#[test]
fn no_two_starts_give_a_button_the_same_code() {
    let mut sim = Sim::new(&[("alpha", 3000.0)]);
    let mut codes = Vec::new();
    for _ in 0..3 {
        sim.kill_and_restart();
        sim.post(1, 1, "/reset");
        sim.run_for(Duration::from_secs(15));
        let messages = sim.service().messages();
        let newest = messages.last().expect("an answer");
        codes.extend(newest.buttons.iter().map(|(_, code)| code.clone()));
    }
    let count = codes.len();
    codes.sort();
    codes.dedup();
    assert!(count >= 3 && codes.len() == count, "{codes:?}");
}
