//! I/O that failed, classified by the worker that saw it. The core decides what to do about it.

use std::fmt;
use std::time::Duration;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// No answer before the deadline.
    Timeout,
    /// The peer could not be reached (refused, no route, no name).
    Unreachable,
    /// The connection ended before the answer did; the peer may have done what was asked.
    Interrupted,
    /// The peer answered with something that is not its protocol.
    Malformed,
    /// The peer refused us (credentials, rights).
    Denied,
    /// The peer asks to wait.
    RateLimited {
        /// For how long.
        retry_after: Duration,
    },
    /// The peer cannot do it now and may later (a mail server's 4xx, such as 451 for greylisting).
    Busy,
    /// The peer refuses this address for good (a mail server's 550 for a recipient).
    Unwanted,
    /// The peer refuses what was to be handed over for good.
    Rejected,
    /// It is larger than the peer takes.
    TooLarge,
    /// Transport security failed (certificate, handshake, clock).
    Tls,
    /// The worker's queue was full; nothing was sent.
    Overload,
    /// The worker was asked to stop.
    Stopped,
    /// A file operation failed (disk full, read-only, permission).
    Disk,
}

/// A failure with its reason. The detail never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class on which the core decides.
    pub kind: FaultKind,
    /// One line for people.
    pub detail: String,
}

impl Fault {
    /// Makes a fault.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Fault {
        Fault {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Fault {}
