//! How a core begins.

use super::Past;
use crate::config::Config;
use crate::state::Records;
use crate::time::Now;
use std::sync::Arc;

/// How a core begins.
pub struct Start {
    /// The configuration.
    pub config: Arc<Config>,
    /// What was on disk.
    pub records: Records,
    /// Both clocks.
    pub now: Now,
    /// Where randomness begins: from the operating system, so that nobody guesses what comes of it.
    pub seed: u128,
    /// True when no line is answered before the first complete cycle (`demo`).
    pub holds_lines: bool,
    /// What is known of the run before this one.
    pub past: Past,
    /// True when there is a disk for the long history.
    pub keeps_history: bool,
}
