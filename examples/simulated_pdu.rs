//! Simulating a PDU in a test: a device that crosses its limit, stops answering, and comes back, in virtual time.

use rackwarden_core::sim::Sim;
use std::time::Duration;

fn main() {
    let mut sim = Sim::new(&[("alpha", 3000.0), ("bravo", 3000.0)]);
    sim.run_for(Duration::from_secs(10));

    sim.device("alpha").set_power(3120.0);
    sim.run_for(Duration::from_secs(20));
    sim.device("alpha").set_power(1000.0);
    sim.device("bravo").set_silent(true);
    sim.run_for(Duration::from_secs(40));
    sim.device("bravo").set_silent(false);
    sim.run_for(Duration::from_secs(10));

    let transcript = sim.transcript();
    print!("{transcript}");
    assert!(transcript.contains("above power limit: 3120 W > 3000 W"));
    assert!(transcript.contains("back below limit"));
}
