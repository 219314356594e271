//! The only impure crate: sockets, files, clocks and threads. A worker does one kind of I/O and decides nothing.

pub mod clock;
pub mod environment;
pub mod host;
pub mod http_client;
pub mod http_server;
pub mod inbox;
pub mod jobs;
pub mod local;
pub mod mail;
mod mailbox;
mod names;
pub mod net;
pub mod notify;
pub mod published;
pub mod run;
pub mod session;
pub mod simulator;
pub mod snmp;
pub mod store;
pub mod stream;
pub mod streams;
pub mod survey;
mod tls;
