//! The step between the agent and a program: a process that limits itself and then becomes the program. Limits are set
//! here, because setting them between fork and exec would be unsafe code.

use crate::environment::reason;
use rackwarden_core::run::RunLimits;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A program is the first to go when memory is short: the agent asks the kernel for −500, which programs would inherit.
const OOM_SCORE: &str = "500";
/// Programs leave the processor to the agent.
const NICE: i32 = 5;
/// After the soft limit of processor time, which a program may catch.
const CPU_GRACE_SECONDS: u64 = 2;
/// As shells say it: found and not started, not found.
const NOT_STARTED: u8 = 126;
const NOT_FOUND: u8 = 127;

const LIMITS: [Resource; 4] = [
    Resource::Data,
    Resource::Cpu,
    Resource::Nofile,
    Resource::Fsize,
];

/// The arguments of the launcher before those of the program.
pub(super) fn arguments(limits: &RunLimits) -> Vec<String> {
    let parent = rustix::process::getpid();
    let cpu = limits.cpu.map(|cpu| cpu.as_secs().max(1));
    let values = [
        limits.data_bytes,
        cpu,
        Some(limits.open_files),
        limits.file_bytes,
    ];
    let mut arguments = vec!["launch".to_owned(), parent.as_raw_nonzero().to_string()];
    let words = values.map(|value| value.map_or("-".to_owned(), |value| value.to_string()));
    arguments.extend(words);
    arguments
}

/// Limits this process and becomes the program that the arguments name, those behind `launch`. Returns only when it cannot,
/// with the reason and the exit code for it.
pub fn launch(mut arguments: impl Iterator<Item = OsString>) -> (String, u8) {
    let mut number = || {
        let word = arguments.next()?.into_string().ok()?;
        word.parse::<u64>().ok()
    };
    let parent = number();
    let limits = LIMITS.map(|resource| (resource, number()));
    let Some(program) = arguments.next() else {
        return ("no program is given".to_owned(), NOT_STARTED);
    };
    // The signal comes when the thread that started this process ends: that of the run, which waits for it.
    if let Err(err) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return (format!("cannot follow the agent's end: {err}"), NOT_STARTED);
    }
    let agent = rustix::process::getppid().map(Pid::as_raw_nonzero);
    if agent.map(|pid| u64::from(pid.get().unsigned_abs())) != parent {
        return ("the agent has ended".to_owned(), NOT_STARTED);
    }
    let given = limits
        .into_iter()
        .filter_map(|(resource, value)| Some((resource, value?)));
    for (resource, value) in given.chain([(Resource::Core, 0)]) {
        if let Err(err) = limit(resource, value) {
            // A program without its limits is not what was asked for.
            let why = reason(&err.into());
            return (format!("cannot limit {resource:?}: {why}"), NOT_STARTED);
        }
    }
    // These two are kindness; the unit forbids the second.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let _ = rustix::process::nice(NICE);
    let err = Command::new(&program).args(arguments).exec();
    let code = match err.kind() {
        std::io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_STARTED,
    };
    let program = program.to_string_lossy();
    (format!("cannot start {program}: {}", reason(&err)), code)
}

/// A limit can be lowered, not raised.
fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let most = rustix::process::getrlimit(resource).maximum;
    let hard = match resource {
        Resource::Cpu => value.saturating_add(CPU_GRACE_SECONDS),
        _ => value,
    };
    let within = |value: u64| most.map_or(value, |most| most.min(value));
    let limits = Rlimit {
        current: Some(within(value)),
        maximum: Some(within(hard)),
    };
    rustix::process::setrlimit(resource, limits)
}
