//! The only impure folder: sockets, files, clocks and threads. A worker does one kind of I/O and decides nothing.

pub mod clock;
pub mod inbox;
pub mod jobs;
pub mod net;
