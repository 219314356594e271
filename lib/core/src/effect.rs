//! What goes out to the world: a closed list of I/O primitives. A feature is a codec on top of them.

use crate::chat::SessionId;
use crate::config::MailConfig;
use crate::endpoint::{Base, Endpoint, Method};
use crate::event::Reply;
use crate::fault::Fault;
use crate::history::{Op, Question};
use crate::host::Look;
use crate::run::RunOp;
use crate::secret::Secret;
use crate::snmp::SnmpRequest;
use crate::stream::StreamOp;
use crate::time::Mono;
pub use rackwarden_base::Ticket;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
    /// Open a stream, send on it, close it.
    Stream(StreamOp),
    /// Start a program, write to it, end it.
    Run(RunOp),
    /// Look at this machine.
    Host {
        /// To be named in the answer.
        ticket: Ticket,
        /// What to look at: decides between `Reply::Host` and `Reply::Processes`.
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
    History(Op),
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

impl Effect {
    /// Whether anybody outside this machine may notice it. What a command does outside waits until its mark is durable:
    /// after a crash nothing has happened that the journal does not know of.
    pub const fn is_outward(&self) -> bool {
        match self {
            Effect::Snmp(_)
            | Effect::Http(_)
            | Effect::Mail(_)
            | Effect::Resolve { .. }
            | Effect::Stream(_)
            | Effect::Run(_) => true,
            Effect::Host { .. }
            | Effect::Store(_)
            | Effect::Append { .. }
            | Effect::History(_)
            | Effect::Reply(_)
            | Effect::Work { .. } => false,
        }
    }

    /// Has a question about the past answered.
    pub(crate) fn ask_history(ticket: Ticket, question: Question) -> Effect {
        match question {
            Question::Memory(job) => Effect::Work {
                ticket,
                job: Job::new(Reply::History, move || job.run()),
            },
            Question::Disk(recall) => Effect::History(Op::Recall(recall)),
        }
    }
}

/// Effects of one turn, in order.
pub type Effects = Vec<Effect>;

/// One HTTP call. Its URL, headers and body may hold secrets, so none of them is ever printed.
#[derive(Debug)]
pub struct HttpRequest {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// The service.
    pub endpoint: Arc<Endpoint>,
    /// What is done there.
    pub method: Method,
    /// Behind the URL of the endpoint, with the query.
    pub path: Secret<String>,
    /// Headers, such as the content type.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body.
    pub body: Body,
    /// For the whole call, from DNS to the last byte.
    pub timeout: Duration,
    /// Larger answers are faults.
    pub max_response_bytes: usize,
    /// The file that the body of an answer with status 2xx goes to, whole or not at all.
    pub save_to: Option<PathBuf>,
}

/// What an HTTP call sends.
#[derive(Debug)]
pub enum Body {
    /// These bytes; none at all when empty.
    Bytes(Secret<Vec<u8>>),
    /// The contents of a file.
    File(PathBuf),
}

impl HttpRequest {
    /// A call without headers and body that has 20 seconds, for an answer of at most 64 KiB.
    pub fn new(
        ticket: Ticket,
        endpoint: Arc<Endpoint>,
        method: Method,
        path: impl Into<String>,
    ) -> HttpRequest {
        HttpRequest {
            ticket,
            endpoint,
            method,
            path: Secret::new(path.into()),
            headers: Vec::new(),
            body: Body::Bytes(Secret::default()),
            timeout: Duration::from_secs(20),
            max_response_bytes: 64 * 1024,
            save_to: None,
        }
    }

    /// The whole URL. That of a Unix socket names this machine.
    pub fn url(&self) -> Secret<String> {
        let base = match &self.endpoint.base {
            Base::Url(url) => url.expose(),
            Base::Unix(_) => "http://127.0.0.1",
        };
        Secret::new(format!("{base}{}", self.path.expose()))
    }

    /// The body, unless it is a file.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes.expose(),
            Body::File(_) => &[],
        }
    }
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

/// A pure CPU job on shared data. It knows its kind of answer, so that a worker can refuse it without knowing more.
pub struct Job(Box<dyn FnOnce(Result<(), Fault>) -> Reply + Send>);

impl Job {
    /// A job whose product, or the fault that kept it from running, is made a reply by `answer`.
    pub fn new<T: 'static>(
        answer: fn(Result<T, Fault>) -> Reply,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Job {
        Job(Box::new(move |may_run| answer(may_run.map(|()| work()))))
    }

    /// Does the work. Called by the worker thread, and directly by the simulator.
    pub fn run(self) -> Reply {
        (self.0)(Ok(()))
    }

    /// Answers that it cannot be done.
    pub fn refuse(self, fault: Fault) -> Reply {
        (self.0)(Err(fault))
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// The earlier of two optional deadlines.
pub fn earlier(a: Option<Mono>, b: Option<Mono>) -> Option<Mono> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
