//! `[heartbeat]`: when another service is pinged, and when it is not.

use crate::MINUTE;
use rackwarden_core::config::{Config, HeartbeatConfig};
use rackwarden_core::secret::Secret;
use rackwarden_core::sim::{Sim, Weather};

fn config() -> Config {
    let mut config = Sim::config(&[("alpha", 3000.0)]);
    config.heartbeat = Some(HeartbeatConfig {
        url: Secret::new("https://hc.example.org/ping/7f0c".to_owned()),
        every: MINUTE,
    });
    config
}

#[test]
fn an_agent_that_is_well_pings_at_its_rate() {
    let mut sim = Sim::with_config(config());
    sim.run_for(MINUTE * 10);
    assert_eq!(sim.heartbeats(), 10);
}

#[test]
fn nothing_is_pinged_while_the_chat_or_the_disk_is_away_and_at_once_afterwards() {
    for what in ["chat", "disk"] {
        let mut sim = Sim::with_config(config());
        sim.run_for(MINUTE * 2);
        if what == "chat" {
            sim.set_weather("*", u32::MAX, Weather::IsAway);
        } else {
            sim.set_storage_works(false);
        }
        sim.device("alpha").set_power(3500.0);
        sim.run_for(MINUTE);
        let before = sim.heartbeats();
        sim.run_for(MINUTE * 20);
        assert_eq!(sim.heartbeats(), before, "{what}");
        sim.clear_weather();
        sim.set_storage_works(true);
        sim.run_for(MINUTE);
        assert!(sim.heartbeats() > before, "{what}");
    }
}

#[test]
fn nothing_is_pinged_while_sampling_stands_still() {
    let mut sim = Sim::with_config(config());
    sim.run_for(MINUTE * 2);
    sim.set_answers_snmp(false);
    sim.run_for(MINUTE);
    let before = sim.heartbeats();
    sim.run_for(MINUTE * 20);
    assert_eq!(sim.heartbeats(), before);
}

#[test]
fn a_device_that_is_dead_stops_no_ping() {
    let mut sim = Sim::with_config(config());
    sim.device("alpha").set_silent(true);
    sim.run_for(MINUTE * 10);
    assert_eq!(sim.heartbeats(), 10);
}

#[test]
fn a_ping_that_is_not_answered_well_is_tried_again_soon_and_harms_nothing() {
    let mut sim = Sim::with_config(config());
    sim.set_heartbeat_status(500);
    sim.run_for(MINUTE);
    assert!(sim.heartbeats() >= 5);
    let snapshot = sim.snapshot().expect("a snapshot");
    assert_eq!(snapshot.health.problems, Vec::<String>::new());
    assert!(!sim.transcript().contains("7f0c"));
}
