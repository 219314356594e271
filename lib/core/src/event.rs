//! What comes in from the world. One enum, one way in: `Core::step`.

use crate::chat::Asked;
use crate::config::Config;
use crate::effect::Ticket;
use crate::fault::Fault;
use crate::history::Curve;
use crate::host::{HostSample, Processes};
use crate::snmp::SnmpReply;
use std::net::SocketAddr;

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// The moment that `Core::poll_timeout` named has come.
    Timeout,
    /// Answers and timeouts of SNMP requests, one batch a slot.
    Snmp(Vec<SnmpReply>),
    /// An HTTP call has ended.
    Http {
        /// The call it answers.
        ticket: Ticket,
        /// Any status is a response; a fault means that there was none.
        result: Result<HttpResponse, Fault>,
    },
    /// A mail was accepted by the mail server, or was not.
    Mail {
        /// The mail it is about.
        ticket: Ticket,
        /// `FaultKind::Interrupted` means that it may have been accepted.
        result: Result<(), Fault>,
    },
    /// Everything up to this journal record is on disk, or could not be written.
    Stored {
        /// The highest record concerned.
        seq: u64,
        /// Why it is not on disk.
        result: Result<(), Fault>,
    },
    /// Log lines could not be written and wait, or all of them are written after all.
    Appended(Result<(), Fault>),
    /// A host name was looked up.
    Resolved {
        /// The look-up it answers.
        ticket: Ticket,
        /// The address to use.
        result: Result<SocketAddr, Fault>,
    },
    /// What was measured is on disk, or could not be written.
    Archived {
        /// Why it is not on disk.
        result: Result<(), Fault>,
        /// What was damaged and has been set aside, one sentence each.
        repairs: Vec<String>,
    },
    /// The last hour that the run before this one measured.
    HourLoaded(Vec<u8>),
    /// A question about what was has been answered from disk.
    Recalled {
        /// The question it answers.
        ticket: Ticket,
        /// The curves; none when there is no such series.
        result: Result<Vec<Curve>, Fault>,
    },
    /// This machine was looked at, or could not be.
    Host {
        /// The question it answers.
        ticket: Ticket,
        /// A fault means that nothing at all could be read, or not in time.
        result: Result<Box<HostSample>, Fault>,
    },
    /// The programs that use the most were found.
    Processes {
        /// The question it answers.
        ticket: Ticket,
        /// What was found.
        result: Result<Box<Processes>, Fault>,
    },
    /// A CPU job has ended.
    Worked {
        /// The job it answers.
        ticket: Ticket,
        /// Its product.
        product: crate::effect::Product,
    },
    /// A person typed a line at the terminal or over the local socket.
    Asked(Asked),
    /// A new configuration has been validated and is to be swapped in.
    Reload(Box<Config>),
    /// The agent is to end: say goodbye, store what is dirty.
    Stop,
}

/// An HTTP answer, whatever its status.
#[derive(Clone, Debug, Default)]
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// The body, at most as long as the request allowed.
    pub body: Vec<u8>,
    /// The server's `Date` header in seconds since the epoch, if it sent one.
    pub date_unix_seconds: Option<i64>,
}
