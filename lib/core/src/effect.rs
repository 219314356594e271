//! What goes out to the world: a closed list of I/O primitives. A feature is a codec on top of them.

use crate::event::Reply;
use crate::fault::Fault;
use crate::history::{Op, Question};
use crate::host::Look;
pub use crate::payload::{Body, Document, HttpRequest, LogFile, MailRequest, SessionReply};
use crate::run::RunOp;
use crate::snmp::SnmpRequest;
use crate::stream::StreamOp;
pub use crate::time::earlier;
pub use rackwarden_base::Ticket;
use std::fmt;

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
