//! A program and the three pipes to it. Nothing here waits, except `reap`.

use super::launch;
use crate::environment::reason;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::run::{Exit, RunStart};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

/// A pipe from the program; gone at its end.
pub(super) type Pipe = Option<Box<dyn Source>>;

/// The reading end of a pipe.
pub(super) trait Source: Read + AsFd {}

impl<T: Read + AsFd> Source for T {}

/// A program that was started and not yet reaped: its number is its own until then, and so is that of its group.
pub(super) struct Child {
    child: std::process::Child,
    pub(super) pid: Pid,
    /// Readable when the program has ended, where the kernel has that.
    exit: Option<OwnedFd>,
    pub(super) input: Option<ChildStdin>,
    pub(super) output: Pipe,
    pub(super) errors: Pipe,
    status: Option<Exit>,
}

impl Child {
    /// # Errors
    /// The folder is not there, or no process is left.
    pub(super) fn start(launcher: &Path, start: &RunStart) -> Result<Child, Fault> {
        if start.argv.is_empty() {
            return Err(Fault::new(FaultKind::Rejected, "no program is given"));
        }
        let input = match start.has_input {
            true => Stdio::piped(),
            false => Stdio::null(),
        };
        let environment = start.environment.iter();
        let failed = |err: io::Error| {
            let folder = start.folder.display();
            let why = reason(&err);
            Fault::new(
                FaultKind::Rejected,
                format!("cannot start in {folder}: {why}"),
            )
        };
        let mut child = Command::new(launcher)
            .arg0("rackwarden")
            .args(launch::arguments(&start.limits))
            .args(&start.argv)
            .env_clear()
            .envs(environment.map(|(name, value)| (name, value.expose())))
            .current_dir(&start.folder)
            .process_group(0)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let pid = Pid::from_child(&child);
        let (input, output, errors) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pipes = [
            input.as_ref().map(AsFd::as_fd),
            output.as_ref().map(AsFd::as_fd),
            errors.as_ref().map(AsFd::as_fd),
        ];
        for pipe in pipes.into_iter().flatten() {
            let _ = rustix::io::ioctl_fionbio(pipe, true);
        }
        Ok(Child {
            child,
            pid,
            exit: rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok(),
            input,
            output: output.map(|pipe| Box::new(pipe) as Box<dyn Source>),
            errors: errors.map(|pipe| Box::new(pipe) as Box<dyn Source>),
            status: None,
        })
    }

    /// Becomes readable when the program ends.
    pub(super) fn exit_fd(&self) -> Option<BorrowedFd<'_>> {
        self.exit.as_ref().map(AsFd::as_fd)
    }

    /// Looks whether it has ended, without reaping it.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match rustix::process::waitid(WaitId::Pid(self.pid), options) {
            Ok(status) => status.is_some(),
            // Reaped.
            Err(_) => true,
        }
    }

    /// Sends a signal to all of its group, unless it was reaped.
    pub(super) fn signal(&self, signal: Signal) {
        if self.status.is_none() {
            let _ = rustix::process::kill_process_group(self.pid, signal);
        }
    }

    /// Kills what is left of the group, and returns how the program ended. Waits for that.
    pub(super) fn reap(&mut self) -> Exit {
        if let Some(exit) = self.status {
            return exit;
        }
        self.signal(Signal::KILL);
        let exit = match self.child.wait() {
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or(0)),
            },
            Err(_) => Exit::Signal(0),
        };
        self.status = Some(exit);
        exit
    }
}

/// Reads what is there: `None` for nothing yet, zero for the end.
pub(super) fn read(pipe: &mut dyn Source, buffer: &mut [u8]) -> Option<usize> {
    loop {
        match pipe.read(buffer) {
            Ok(length) => return Some(length),
            Err(err) if err.kind() == ErrorKind::WouldBlock => return None,
            Err(err) if err.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Some(0),
        }
    }
}

/// Writes as much as fits; `None` when nobody reads it.
pub(super) fn write(pipe: &mut ChildStdin, bytes: &[u8]) -> Option<usize> {
    match pipe.write(bytes) {
        Ok(length) => Some(length),
        Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(0),
        Err(_) => None,
    }
}
