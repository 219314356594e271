//! What comes in from the world. One enum, one way in: `Core::step`.

use crate::chat::Asked;
use crate::config::Config;
use crate::fault::Fault;
use crate::history::{Curve, Outcome};
use crate::host::{HostSample, Processes};
use crate::payload::Document;
pub use crate::payload::HttpResponse;
use crate::run::RunEvent;
use crate::snmp::SnmpReply;
use crate::stream::StreamEvent;
use rackwarden_base::Ticket;
use std::net::SocketAddr;

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// The moment that `Core::poll_timeout` named has come.
    Timeout,
    /// Answers and timeouts of SNMP requests, one batch a slot.
    Snmp(Vec<SnmpReply>),
    /// A request has ended.
    Done {
        /// The request, whose owner gets the reply.
        ticket: Ticket,
        /// What came of it.
        reply: Reply,
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
    /// What was measured is on disk, or could not be written.
    Archived {
        /// Why it is not on disk.
        result: Result<(), Fault>,
        /// What was damaged and has been set aside, one sentence each.
        repairs: Vec<String>,
    },
    /// The last hour that the run before this one measured.
    HourLoaded(Vec<u8>),
    /// A person typed a line at the terminal or over the local socket.
    Asked(Asked),
    /// A new configuration has been validated and is to be swapped in.
    Reload(Box<Config>),
    /// The agent is to end: say goodbye, store what is dirty.
    Stop,
}

/// The outcome of a request that was not SNMP. A fault means that there was no answer, or not in time.
#[derive(Debug)]
pub enum Reply {
    /// An HTTP call. Any status is a response.
    Http(Result<HttpResponse, Fault>),
    /// A mail. `FaultKind::Interrupted` means that the mail server may have accepted it.
    Mail(Result<(), Fault>),
    /// The address of a host name.
    Resolved(Result<SocketAddr, Fault>),
    /// The curves of a history query; none when there is no such series.
    History(Result<Vec<Curve>, Fault>),
    /// A sample of this machine.
    Host(Result<Box<HostSample>, Fault>),
    /// The programs that use the most.
    Processes(Result<Box<Processes>, Fault>),
    /// The file that a job made.
    Document(Result<Document, Fault>),
    /// A stream. The last one is `Closed`.
    Stream(StreamEvent),
    /// A program. The last one is `Ended`.
    Run(RunEvent),
}

impl From<Outcome> for Event {
    fn from(outcome: Outcome) -> Event {
        match outcome {
            Outcome::Archived { result, repairs } => Event::Archived { result, repairs },
            Outcome::HourLoaded(bytes) => Event::HourLoaded(bytes),
            Outcome::Recalled { ticket, result } => Event::Done {
                ticket,
                reply: Reply::History(result),
            },
        }
    }
}
