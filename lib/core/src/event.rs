//! What comes in from the world. One enum, one way in: `Core::step`.

use crate::chat::Asked;
use crate::config::Config;
use crate::effect::{Document, Ticket};
use crate::fault::Fault;
use crate::history::{Curve, Outcome};
use crate::host::{HostSample, Processes};
use crate::run::RunEvent;
use crate::snmp::SnmpReply;
use crate::stream::StreamEvent;
use crate::time::Wall;
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

/// What came of a request that was not SNMP. A fault means that there was no answer, or not in time.
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

/// An HTTP answer, whatever its status.
#[derive(Clone, Debug, Default)]
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// Names in small letters and values, as far as they are text and no more than 16 KiB.
    pub headers: Vec<(String, String)>,
    /// The body, at most as long as the request allowed. Empty when it went to a file.
    pub body: Vec<u8>,
    /// The length of the file that the body went to.
    pub saved_bytes: Option<u64>,
}

impl HttpResponse {
    /// A header by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The server's `Date` in seconds since the epoch, if it sent one.
    pub fn date_unix_seconds(&self) -> Option<i64> {
        let date = Wall::parse_http_date(self.header("date")?)?;
        Some(date.unix_seconds())
    }
}
