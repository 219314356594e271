//! The thinking part of rackwarden.
#![doc = "Decisions are pure: an event and a time go in, effects come out. Sockets, files and clocks are in [`io`] alone."]

pub mod alert;
pub mod chart;
pub mod chat;
pub mod config;
pub mod core;
pub mod ctx;
pub mod digest;
pub mod doctor;
pub mod effect;
pub mod endpoint;
pub mod event;
pub mod fault;
pub mod history;
pub mod host;
pub mod house;
pub mod http;
#[cfg(feature = "io")]
pub mod io;
pub mod journal;
pub mod pdu;
pub mod plugins;
pub mod pulse;
pub mod rng;
pub mod secret;
pub mod sim;
pub mod small;
pub mod snapshot;
pub mod snmp;
pub mod state;
pub mod text;
pub mod time;
