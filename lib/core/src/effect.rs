//! What goes out to the world: a closed list of I/O primitives. A feature is a codec on top of them.
//!
//! `Run` and `Stream` join this list with the capabilities that need them (ARCHITECTURE.md).

use crate::chat::SessionId;
use crate::config::MailConfig;
use crate::event::Event;
use crate::fault::Fault;
use crate::host::Look;
use crate::secret::Secret;
use crate::snmp::SnmpRequest;
use crate::time::Mono;
use std::sync::Arc;
use std::time::Duration;

/// Names one outstanding request. Every ticket is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something to be done outside.
#[derive(Debug)]
pub enum Effect {
    /// Send these SNMP requests as one burst.
    Snmp(Vec<SnmpRequest>),
    /// Make an HTTP call.
    Http(HttpRequest),
    /// Hand a mail to the mail server.
    Mail(MailRequest),
    /// Look a host name up, off every poll path.
    Resolve {
        /// To be named in the answer.
        ticket: Ticket,
        /// Host name.
        host: String,
        /// UDP port to put into the address.
        port: u16,
    },
    /// Look at this machine.
    Host {
        /// To be named in the answer.
        ticket: Ticket,
        /// What to look at: decides between `Event::Host` and `Event::Processes`.
        look: Look,
    },
    /// Write one atomic record to the journal.
    Store(crate::state::Turn),
    /// Append a line to a log file in the state directory.
    Append {
        /// Which file.
        file: LogFile,
        /// The line, without its line feed.
        line: String,
    },
    /// Write or read the long history.
    History(crate::history::Op),
    /// Say something to the terminal or to a caller on the local socket.
    Reply(SessionReply),
    /// A pure CPU job that must not delay a step.
    Work {
        /// To be named in the answer.
        ticket: Ticket,
        /// What to do.
        job: Job,
    },
}

/// Effects of one turn, in order.
pub type Effects = Vec<Effect>;

/// Which lane of the HTTP worker serves a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpLane {
    /// Waits long; one call at a time; cancelled at shutdown.
    LongPoll,
    /// Short calls (send, edit, …), in order.
    Call,
    /// The ping of `[heartbeat]`, which may hang without anything else waiting for it.
    Heartbeat,
}

/// One HTTP call. The URL and the body may hold secrets, so neither is ever printed.
#[derive(Debug)]
pub struct HttpRequest {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// Which worker lane makes it.
    pub lane: HttpLane,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole URL.
    pub url: Secret<String>,
    /// Headers, such as the content type.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Secret<Vec<u8>>,
    /// For the whole call, from DNS to the last byte.
    pub timeout: Duration,
    /// Larger answers are faults.
    pub max_response_bytes: usize,
}

/// One mail for one address. The server's settings hold a password, which prints as `***`.
#[derive(Debug)]
pub struct MailRequest {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// The server, how it is spoken to, and the sender.
    pub server: Arc<MailConfig>,
    /// The recipient's address.
    pub to: String,
    /// Head and body as they go over the wire: lines that end in CR LF.
    pub message: Vec<u8>,
    /// For all of it, from the connection to the last reply.
    pub timeout: Duration,
}

/// The log files of the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogFile {
    /// `exceedings.log`: begin and end of every power excess.
    Exceedings,
    /// `audit.log`: who did what.
    Audit,
}

impl LogFile {
    /// The name in the state directory.
    pub const fn file_name(self) -> &'static str {
        match self {
            LogFile::Exceedings => "exceedings.log",
            LogFile::Audit => "audit.log",
        }
    }
}

/// Text for the terminal or the local socket.
#[derive(Debug, PartialEq, Eq)]
pub struct SessionReply {
    /// Who asked.
    pub session: SessionId,
    /// Plain text with line feeds; buttons are numbered lines in it.
    pub text: String,
    /// A file, when the answer is one.
    pub document: Option<Document>,
    /// True when nothing more follows for this question.
    pub last: bool,
}

/// A file to hand to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// File name with extension.
    pub name: String,
    /// Media type.
    pub mime: &'static str,
    /// Contents.
    pub bytes: Arc<[u8]>,
    /// Shown within the message where the service can do that, instead of as a file to open.
    pub is_picture: bool,
}

/// A pure CPU job on shared data.
#[derive(Debug)]
pub enum Job {
    /// Render excesses as CSV.
    ExceedingsCsv(crate::plugins::power::CsvJob),
    /// Draw a chart.
    Chart(crate::plugins::chart::ChartJob),
    /// Make curves of what memory knows.
    Recall(crate::history::MemoryJob),
}

/// What a job produced.
#[derive(Debug)]
pub enum Product {
    /// A file.
    Document(Document),
    /// Nothing, because the job could not be done.
    Failed(Fault),
}

impl Job {
    /// Does the work, and says what came of it. Called by the worker thread, and directly by the simulator.
    pub fn run(self, ticket: Ticket) -> Event {
        let document = match self {
            Job::ExceedingsCsv(job) => job.run(),
            Job::Chart(job) => job.run(),
            Job::Recall(job) => {
                let result = Ok(job.run());
                return Event::Recalled { ticket, result };
            }
        };
        let product = Product::Document(document);
        Event::Worked { ticket, product }
    }

    /// Says that it cannot be done.
    pub fn refuse(self, ticket: Ticket, fault: Fault) -> Event {
        match self {
            Job::ExceedingsCsv(_) | Job::Chart(_) => Event::Worked {
                ticket,
                product: Product::Failed(fault),
            },
            Job::Recall(_) => Event::Recalled {
                ticket,
                result: Err(fault),
            },
        }
    }
}

/// The earlier of two optional deadlines.
pub fn earlier(a: Option<Mono>, b: Option<Mono>) -> Option<Mono> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
