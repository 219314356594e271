//! The watch over one program: passes on its input and output, and ends it when it takes too long or too much.

use super::child::{self, Child, Pipe};
use super::memory;
use crate::mailbox::{Mailbox, after, wait_for};
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::run::{Killed, RunEnd, RunEvent, RunStart};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two looks at the memory of the group.
const MEMORY_INTERVAL: Duration = Duration::from_secs(1);
/// Without a descriptor for it, the end of the program is looked for so often.
const EXIT_INTERVAL: Duration = Duration::from_millis(100);
/// A pipe may stay open for so long behind the program, in a process that it left behind. Then that is killed as well.
const LEFT_OPEN: Duration = Duration::from_secs(1);
/// Limits of the end of the pipes after that, and of the end of a program after KILL.
const LAST_WAIT: Duration = Duration::from_millis(300);
const KILL_WAIT: Duration = Duration::from_secs(5);
/// The rest of the output of a killed run is delivered within this time, if there is credit for it.
const KILLED_REST: Duration = Duration::from_secs(2);
/// Nobody needs longer chunks, and a buffer is made for them.
const MAX_CHUNK_BYTES: usize = 1 << 20;
/// Chunks before the other pipe has its turn.
const READ_TURN: usize = 8;

pub(super) struct Watch<'a, D> {
    child: Child,
    start: &'a RunStart,
    mailbox: &'a Mailbox,
    deliver: D,
    started: Instant,
    credit: u64,
    read_bytes: u64,
    is_cut: bool,
    /// Part of the input, of which so much is written.
    input: Option<(Vec<u8>, usize)>,
    taken: u64,
    killed: Option<(Killed, Instant)>,
    /// KILL was sent.
    finished_off: Option<Instant>,
    ended: Option<Instant>,
    /// The rest of the group was killed.
    has_swept: bool,
    looks_at_memory: Instant,
    buffer: Box<[u8]>,
}

/// The wait after a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    AtOnce,
}

impl<'a, D: FnMut(RunEvent)> Watch<'a, D> {
    /// # Errors
    /// The program cannot be started.
    pub(super) fn start(
        launcher: &Path,
        start: &'a RunStart,
        mailbox: &'a Mailbox,
        mut deliver: D,
    ) -> Result<Watch<'a, D>, Fault> {
        let child = Child::start(launcher, start)?;
        let pid = child.pid.as_raw_nonzero().get().unsigned_abs();
        deliver(RunEvent::Started { pid });
        let now = Instant::now();
        Ok(Watch {
            child,
            start,
            mailbox,
            deliver,
            started: now,
            credit: 0,
            read_bytes: 0,
            is_cut: false,
            input: None,
            taken: 0,
            killed: None,
            finished_off: None,
            ended: None,
            has_swept: false,
            looks_at_memory: now + MEMORY_INTERVAL,
            buffer: vec![0; start.max_chunk_bytes.clamp(1, MAX_CHUNK_BYTES)].into(),
        })
    }

    /// Until the program has ended and its output is delivered.
    ///
    /// # Errors
    /// The program cannot be ended.
    pub(super) fn run(&mut self) -> Result<RunEnd, Fault> {
        loop {
            let wishes = self.mailbox.look();
            self.credit += wishes.credit;
            let now = Instant::now();
            if wishes.is_closing {
                self.kill(Killed::Asked, now);
            }
            if wishes.is_overflowed {
                self.kill(Killed::Input, now);
            }
            self.write(wishes.is_ended);
            let next = self.read(now);
            if self.ended.is_none() && self.child.has_ended() {
                self.ended = Some(now);
            }
            if self.is_over(now) {
                let exit = self.child.reap();
                return Ok(RunEnd {
                    exit,
                    killed: self.killed.map(|(why, _)| why),
                    is_cut: self.is_cut,
                });
            }
            let due = self.mind(now)?;
            if next == Next::Wait {
                self.wait(due.saturating_duration_since(now))?;
            }
        }
    }

    /// Waits for a program that could not be ended, so that it leaves nothing in the table of processes.
    pub(super) fn reap(mut self) {
        self.child.reap();
    }

    fn kill(&mut self, why: Killed, now: Instant) {
        if self.killed.is_none() {
            self.killed = Some((why, now));
            self.child.signal(Signal::TERM);
            // A stopped program does not hear it.
            self.child.signal(Signal::CONT);
        }
    }

    fn write(&mut self, ends: bool) {
        let Some(pipe) = &mut self.child.input else {
            self.mailbox.discard();
            return;
        };
        loop {
            if self.input.is_none() {
                self.input = self.mailbox.next().map(|part| (part.bytes, 0));
            }
            let Some((bytes, written)) = &mut self.input else {
                if ends {
                    self.child.input = None;
                }
                break;
            };
            match child::write(pipe, &bytes[*written..]) {
                Some(0) => break,
                Some(length) => *written += length,
                None => {
                    // It reads no further; its end says why.
                    self.child.input = None;
                    self.input = None;
                    break;
                }
            }
            if *written == bytes.len() {
                self.mailbox.note_sent(bytes.len());
                self.taken += bytes.len() as u64;
                self.input = None;
            }
        }
        if self.taken > 0 {
            (self.deliver)(RunEvent::Taken(std::mem::take(&mut self.taken)));
        }
    }

    /// Reads both pipes as far as the credits reach.
    fn read(&mut self, now: Instant) -> Next {
        for _ in 0..READ_TURN {
            let mut heard = false;
            let mut output = self.child.output.take();
            heard |= self.read_one(&mut output, RunEvent::Output, now);
            self.child.output = output;
            let mut errors = self.child.errors.take();
            heard |= self.read_one(&mut errors, RunEvent::Errors, now);
            self.child.errors = errors;
            if !heard {
                return Next::Wait;
            }
        }
        Next::AtOnce
    }

    fn read_one(&mut self, pipe: &mut Pipe, event: fn(Vec<u8>) -> RunEvent, now: Instant) -> bool {
        let Some(source) = pipe.as_mut().filter(|_| self.credit > 0) else {
            return false;
        };
        let length = match child::read(&mut **source, &mut self.buffer) {
            None => return false,
            Some(0) => {
                *pipe = None;
                return true;
            }
            Some(length) => length,
        };
        let left = self.start.limits.output_bytes - self.read_bytes;
        let kept = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.read_bytes += kept as u64;
        if kept > 0 {
            self.credit -= 1;
            (self.deliver)(event(self.buffer[..kept].to_vec()));
        }
        if kept < length {
            self.is_cut = true;
            *pipe = None;
            self.kill(Killed::Output, now);
        }
        true
    }

    /// True when nothing more is to come.
    fn is_over(&mut self, now: Instant) -> bool {
        let Some(ended) = self.ended else {
            return false;
        };
        if self.child.output.is_none() && self.child.errors.is_none() {
            return true;
        }
        // Without credit the rest waits, but not for ever.
        let rest_until = match self.killed {
            Some(_) => ended + KILLED_REST,
            None => after(self.started, self.start.limits.time) + KILLED_REST,
        };
        let until = match self.credit {
            0 => rest_until.max(ended + LEFT_OPEN),
            _ => ended + LEFT_OPEN,
        };
        if now < until {
            return false;
        }
        if !self.has_swept {
            self.has_swept = true;
            self.child.signal(Signal::KILL);
        }
        let is_over = now >= until + LAST_WAIT;
        self.is_cut |= is_over;
        is_over
    }

    /// Minds the deadlines and returns the next one.
    fn mind(&mut self, now: Instant) -> Result<Instant, Fault> {
        let limits = &self.start.limits;
        if self.ended.is_some() {
            return Ok(now + EXIT_INTERVAL);
        }
        let mut due = after(self.started, limits.time);
        if due <= now {
            self.kill(Killed::Time, now);
        }
        if let (Some(most), None) = (limits.resident_bytes, self.killed) {
            if self.looks_at_memory <= now {
                self.looks_at_memory = now + MEMORY_INTERVAL;
                if memory::resident_bytes(self.child.pid) > most {
                    self.kill(Killed::Memory, now);
                }
            }
            due = due.min(self.looks_at_memory);
        }
        if let Some((_, at)) = self.killed {
            due = after(at, limits.grace);
            if due <= now && self.finished_off.is_none() {
                self.finished_off = Some(now);
                self.child.signal(Signal::KILL);
            }
            if let Some(at) = self.finished_off {
                due = at + KILL_WAIT;
                if due <= now {
                    let detail = "the program hangs in the kernel and cannot be ended";
                    return Err(Fault::new(FaultKind::Timeout, detail));
                }
            }
        }
        if self.child.exit_fd().is_none() {
            due = due.min(now + EXIT_INTERVAL);
        }
        Ok(due)
    }

    /// Waits for the program, the core or a deadline. A pipe of which nothing is wanted is left out: its end would wake the
    /// thread for ever.
    fn wait(&self, timeout: Duration) -> Result<(), Fault> {
        let mut watched = vec![PollFd::from_borrowed_fd(
            self.mailbox.as_fd(),
            PollFlags::IN,
        )];
        if let (Some(exit), None) = (self.child.exit_fd(), self.ended) {
            watched.push(PollFd::from_borrowed_fd(exit, PollFlags::IN));
        }
        for pipe in [&self.child.output, &self.child.errors] {
            if let Some(pipe) = pipe.as_ref().filter(|_| self.credit > 0) {
                watched.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
            }
        }
        if let (Some(pipe), Some(_)) = (&self.child.input, &self.input) {
            watched.push(PollFd::new(pipe, PollFlags::OUT));
        }
        wait_for(&mut watched, Some(timeout))
            .map_err(|err| Fault::new(FaultKind::Overload, format!("cannot wait: {err}")))
    }
}
