//! The thinking part of rackwarden.
#![doc = "Decisions are pure: an event and a time go in, effects come out. Sockets, files and clocks are in `rackwarden-io` alone."]

pub mod alert;
pub mod chart;
pub mod chat;
pub mod config;
pub mod core;
pub mod ctx;
pub mod doctor;
pub mod effect;
pub mod endpoint;
pub mod event;
pub mod history;
pub mod host;
pub mod house;
pub mod http;
pub mod journal;
pub mod liveness;
pub mod payload;
pub mod plugins;
pub mod render;
pub mod run;
pub mod sim;
pub mod smtp;
pub mod snapshot;
pub mod state;
pub mod stream;

pub use rackwarden_base::{digest, fault, rng, secret, small, text, time};
pub use {rackwarden_pdu as pdu, rackwarden_snmp as snmp};
