//! Wishes of the core to a stream or a run, until its thread takes them. The core never waits here: beyond its limit a
//! message is refused.

use rustix::event::{EventfdFlags, PollFd, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One part to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) bytes: Vec<u8>,
    /// A text message, where that is a difference.
    pub(super) is_text: bool,
}

/// The other end is the thread, which each wish gets out of its wait.
#[derive(Debug)]
pub(super) struct Mailbox {
    pending: Mutex<Pending>,
    wake: OwnedFd,
    max_queue_bytes: usize,
    /// A part that does not fit is refused, instead of ending all.
    refuses: bool,
}

#[derive(Debug, Default)]
struct Pending {
    credit: u64,
    queue: VecDeque<Outgoing>,
    /// In the queue or half sent.
    queued_bytes: usize,
    refused: u32,
    is_overflowed: bool,
    is_ended: bool,
    is_closing: bool,
}

impl Mailbox {
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new(credit: u32, max_queue_bytes: usize, refuses: bool) -> io::Result<Mailbox> {
        let pending = Pending {
            credit: u64::from(credit),
            ..Pending::default()
        };
        Ok(Mailbox {
            pending: Mutex::new(pending),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            max_queue_bytes,
            refuses,
        })
    }

    pub(super) fn send(&self, bytes: Vec<u8>, is_text: bool) {
        let mut pending = self.lock();
        if pending.is_ended || pending.is_closing || pending.is_overflowed || bytes.is_empty() {
            return;
        }
        if pending.queued_bytes + bytes.len() > self.max_queue_bytes {
            match self.refuses {
                true => pending.refused += 1,
                false => pending.is_overflowed = true,
            }
        } else {
            pending.queued_bytes += bytes.len();
            pending.queue.push_back(Outgoing { bytes, is_text });
        }
        drop(pending);
        self.wake();
    }

    pub(super) fn end(&self) {
        self.lock().is_ended = true;
        self.wake();
    }

    pub(super) fn credit(&self, more: u32) {
        self.lock().credit += u64::from(more);
        self.wake();
    }

    pub(super) fn close(&self) {
        self.lock().is_closing = true;
        self.wake();
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Forgets that it was woken.
    pub(super) fn quiet(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.wake, &mut count);
    }

    /// Readable when something has changed since `look`.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The wishes besides sending. Takes the credits and the refusals.
    pub(super) fn look(&self) -> Wishes {
        self.quiet();
        let mut pending = self.lock();
        Wishes {
            credit: std::mem::take(&mut pending.credit),
            refused: std::mem::take(&mut pending.refused),
            is_overflowed: pending.is_overflowed,
            is_ended: pending.is_ended,
            is_closing: pending.is_closing,
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().is_closing
    }

    /// The next part to be sent.
    pub(super) fn next(&self) -> Option<Outgoing> {
        self.lock().queue.pop_front()
    }

    /// So much of it has been sent, and makes room.
    pub(super) fn note_sent(&self, bytes: usize) {
        let mut pending = self.lock();
        pending.queued_bytes = pending.queued_bytes.saturating_sub(bytes);
    }

    /// Nothing can be sent any longer.
    pub(super) fn discard(&self) {
        let mut pending = self.lock();
        pending.queue.clear();
        pending.queued_bytes = 0;
        pending.is_ended = true;
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wishes of the core besides sending.
#[derive(Debug)]
pub(super) struct Wishes {
    pub(super) credit: u64,
    pub(super) refused: u32,
    pub(super) is_overflowed: bool,
    pub(super) is_ended: bool,
    pub(super) is_closing: bool,
}

/// A year from now is as good as never, and the clock can count so far.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The moment so long after another one.
pub(super) fn after(start: Instant, delay: Duration) -> Instant {
    start + delay.min(NEVER)
}

/// Waits until one of them is ready or the time has passed.
///
/// # Errors
/// The operating system has no memory for it.
pub(super) fn wait_for(watched: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    // A millisecond more, so that the deadline has passed afterwards.
    let timeout = timeout.map(|timeout| timeout + Duration::from_millis(1));
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(watched, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(err) => Err(err.into()),
    }
}
