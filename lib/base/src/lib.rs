//! Leaf types that every part of rackwarden shares.
//!
//! *In scope:* time as a value, seeded randomness, secrets that print as `***`, text of typed spans, small sorted maps, faults of
//! I/O, digests, quantities as people write them, and a TOML reader that reports every error with its position.
//!
//! *Out of scope:* I/O, and whatever decides something.

mod as_any;
pub mod digest;
pub mod fault;
pub mod problem;
pub mod reader;
pub mod rng;
pub mod secret;
pub mod small;
pub mod suggest;
pub mod text;
mod ticket;
pub mod time;
pub mod units;

pub use as_any::AsAny;
pub use ticket::{Ticket, Tickets};
