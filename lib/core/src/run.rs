//! Programs that run beside the agent, as values. `io::run` starts, watches and ends them; a feature reads their output.
//!
//! The life of a run: `Start`, then `Started`, output as far as the credits reach, and exactly one `Ended`, after the
//! output. A program is an argument vector and never goes through a shell; it gets only the environment that is given.

use crate::fault::Fault;
use crate::secret::Secret;
use rackwarden_base::Ticket;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Something to do to a run. What comes after its end is ignored.
#[derive(Debug)]
pub struct RunOp {
    /// Names the run, from `Start` to `RunEvent::Ended`.
    pub ticket: Ticket,
    /// The action.
    pub action: RunAction,
}

/// An action on a run.
#[derive(Debug)]
pub enum RunAction {
    /// Start a program. The answer is `Started`, or `Ended` with the reason.
    Start(Box<RunStart>),
    /// Write this to its input.
    Input(Secret<Vec<u8>>),
    /// Its input ends behind what was written.
    EndInput,
    /// So many more chunks of output may come.
    Credit(u32),
    /// End it: TERM to its process group, and KILL after the grace.
    Kill,
}

/// A program to start.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// The program and its arguments. Everybody on the machine can read them: no secrets. A program without a slash is
    /// looked for in the `PATH` that is given.
    pub argv: Vec<String>,
    /// All of the environment. Secrets go here or into the input.
    pub environment: Vec<(String, Secret<String>)>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Gives it an input; otherwise that is empty.
    pub has_input: bool,
    /// Limits of its resources.
    pub limits: RunLimits,
    /// Chunks of output that may come without a further `Credit`.
    pub credit: u32,
    /// A chunk is at most so long.
    pub max_chunk_bytes: usize,
    /// Limit of the bytes that wait to be written to its input.
    pub max_queue_bytes: usize,
}

/// Limits of a program. Processor time, memory and files count for each process, the rest for all of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// From its start to its end; beyond that it is killed.
    pub time: Duration,
    /// From TERM to KILL.
    pub grace: Duration,
    /// Processor time.
    pub cpu: Option<Duration>,
    /// Private memory of a process (`RLIMIT_DATA`).
    pub data_bytes: Option<u64>,
    /// Resident memory of all processes together, looked at each second.
    pub resident_bytes: Option<u64>,
    /// Output and errors together; beyond that it is killed.
    pub output_bytes: u64,
    /// Open files.
    pub open_files: u64,
    /// The largest file that it may write.
    pub file_bytes: Option<u64>,
}

impl Default for RunLimits {
    /// A minute, 5 s of grace, 1 MiB of output, 256 open files, and no limits of memory.
    fn default() -> RunLimits {
        RunLimits {
            time: Duration::from_secs(60),
            grace: Duration::from_secs(5),
            cpu: None,
            data_bytes: None,
            resident_bytes: None,
            output_bytes: 1 << 20,
            open_files: 256,
            file_bytes: None,
        }
    }
}

impl RunStart {
    /// A program with an empty environment, no input and the usual limits, in the root folder.
    pub fn new<T: Into<String>>(argv: impl IntoIterator<Item = T>) -> RunStart {
        RunStart {
            argv: argv.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            folder: PathBuf::from("/"),
            has_input: false,
            limits: RunLimits::default(),
            credit: 8,
            max_chunk_bytes: 16 * 1024,
            max_queue_bytes: 256 * 1024,
        }
    }
}

/// A step in the life of a run.
#[derive(PartialEq, Eq)]
pub enum RunEvent {
    /// It runs.
    Started {
        /// Its process, and the number of its group.
        pid: u32,
    },
    /// A part of its standard output. Takes one credit.
    Output(Vec<u8>),
    /// A part of its standard error. Takes one credit.
    Errors(Vec<u8>),
    /// So many bytes of the input have been taken. At most one for each `Input`.
    Taken(u64),
    /// It is over. The last event of its ticket.
    Ended(Result<RunEnd, Fault>),
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The program's own end.
    pub exit: Exit,
    /// Why it was killed, if it was.
    pub killed: Option<Killed>,
    /// Not all of its output has been delivered.
    pub is_cut: bool,
}

/// The end of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It ended itself with this code. 126 and 127: it could not be started.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

/// Why a run was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Killed {
    /// By `Kill`.
    Asked,
    /// It took too long.
    Time,
    /// It wrote too much.
    Output,
    /// All of its processes together had too much memory.
    Memory,
    /// More was written to its input than it takes.
    Input,
}

/// Prints lengths in place of what was written.
impl fmt::Debug for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunEvent::Started { pid } => write!(f, "Started({pid})"),
            RunEvent::Output(bytes) => write!(f, "Output({} bytes)", bytes.len()),
            RunEvent::Errors(bytes) => write!(f, "Errors({} bytes)", bytes.len()),
            RunEvent::Taken(bytes) => write!(f, "Taken({bytes})"),
            RunEvent::Ended(how) => write!(f, "Ended({how:?})"),
        }
    }
}
