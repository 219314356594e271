//! The real binary over real sockets: on its own, with simulated devices, and with independent programs; the sockets
//! of the library; the fuzz targets; the rules of the house. One executable, because each links the whole library.
//!
//! Tests that need another program are ignored with the reason; `tests/run` gets the programs and runs them.

mod bot_api;
mod cli;
mod descriptors;
mod device;
mod discover;
mod doctor;
mod engine;
mod fuzz;
mod host;
mod http_abuse;
mod http_descriptors;
mod kills;
mod leaks;
mod lifecycle;
mod local_socket;
mod logging;
mod mail;
mod monitor;
mod outlets;
mod pairing;
mod peers;
mod record;
mod runs;
mod search;
mod snmpd;
mod snmpsim;
mod snmpv3;
mod status_server;
mod support;
mod systemd;
mod telegram;
mod tidy;
mod unit_file;
