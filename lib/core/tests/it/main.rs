//! The library from outside, most of it in virtual time. One executable, because each links the whole library.

mod access;
mod alerts;
mod calm;
mod chart_command;
mod charts;
mod chat;
mod delivery;
mod disk;
mod energy;
mod faults;
mod foul_weather;
mod heartbeat;
mod history;
mod inbox;
mod mail;
mod monitor;
mod openapi;
mod outlets;
mod power;
mod prediction;
mod simulated;
mod state;
mod test_alert;
mod wear;

use std::time::Duration;

/// The owner of most worlds, and a private chat with that person.
const OWNER: i64 = 1;
/// The group that gets the alerts.
const GROUP: i64 = -100;
/// A person who may look, where a test grants that.
const VIEWER: i64 = 3;
/// A person who may nothing.
const STRANGER: i64 = 66;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
