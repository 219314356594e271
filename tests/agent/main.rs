//! The real binary over real sockets: on its own, with simulated devices, and with independent programs.
//!
//! Tests that need another program are ignored with the reason; `tests/run` gets the programs and runs them.

#[path = "../support/bot_api.rs"]
mod bot_api;
mod descriptors;
mod device;
mod discover;
mod doctor;
mod host;
mod kills;
mod leaks;
mod lifecycle;
mod logging;
mod mail;
mod monitor;
mod outlets;
mod pairing;
mod peers;
mod record;
mod search;
mod snmpd;
mod snmpsim;
mod snmpv3;
mod support;
mod systemd;
