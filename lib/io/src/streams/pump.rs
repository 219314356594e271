//! An open stream: writes what waits, reads as far as the credits reach, and minds the deadlines. One wait for both
//! directions and for the core.

use super::open::Opened;
use super::session::{Received, Session};
use crate::mailbox::{Mailbox, Wishes, after, wait_for};
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::stream::{CLOSE_GRACE, StreamEnd, StreamEvent, StreamKind, StreamOpen};
use rustix::event::{PollFd, PollFlags};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A peer that takes nothing of what waits for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Events before the other direction has its turn.
const READ_TURN: usize = 16;

/// Until it is over.
///
/// # Errors
/// Says what ended it.
pub(super) fn run(
    opened: Opened,
    open: &StreamOpen,
    mailbox: &Mailbox,
    deliver: impl FnMut(StreamEvent),
) -> Result<StreamEnd, Fault> {
    let Opened {
        session,
        events,
        until,
    } = opened;
    let now = Instant::now();
    let mut pump = Pump {
        session,
        mailbox,
        deliver,
        opens_until: until,
        idle_timeout: open.idle_timeout,
        may_ping: matches!(open.kind, StreamKind::WebSocket { .. }),
        held: None,
        credit: 0,
        listening_since: now,
        pinged: None,
        sending: 0,
        is_flushed: false,
        sent: 0,
        wrote: now,
        has_ended: false,
        closes_until: None,
        has_said_goodbye: false,
    };
    for event in events {
        (pump.deliver)(event);
    }
    loop {
        if let Some(end) = pump.turn()? {
            return Ok(end);
        }
    }
}

struct Pump<'a, D> {
    session: Box<dyn Session>,
    mailbox: &'a Mailbox,
    deliver: D,
    /// For the head of a response.
    opens_until: Instant,
    idle_timeout: Option<Duration>,
    may_ping: bool,
    /// Read, and without credit.
    held: Option<StreamEvent>,
    credit: u64,
    /// Since then the peer could have spoken.
    listening_since: Instant,
    pinged: Option<Instant>,
    /// Bytes of the part that is being written.
    sending: usize,
    is_flushed: bool,
    /// Written and not yet told.
    sent: u64,
    /// The last time that the peer had nothing to take.
    wrote: Instant,
    has_ended: bool,
    closes_until: Option<Instant>,
    has_said_goodbye: bool,
}

/// The wait after a turn.
#[derive(Clone, Copy)]
struct Waits {
    reads: bool,
    /// There may be more at once.
    at_once: bool,
}

impl<D: FnMut(StreamEvent)> Pump<'_, D> {
    fn turn(&mut self) -> Result<Option<StreamEnd>, Fault> {
        let wishes = self.mailbox.look();
        self.hear(&wishes)?;
        self.write(&wishes)?;
        if self.closes_until.is_some() && self.is_flushed && !self.has_said_goodbye {
            self.has_said_goodbye = true;
            if !self.session.close() {
                return Ok(Some(StreamEnd::default()));
            }
            self.is_flushed = self.session.flush()?;
        }
        let waits = match self.read()? {
            Ok(waits) => waits,
            Err(end) => return Ok(Some(end)),
        };
        let now = Instant::now();
        if self.closes_until.is_some_and(|until| until <= now) {
            return Ok(Some(StreamEnd::default()));
        }
        let due = self.deadline(now)?;
        if !waits.at_once {
            self.wait(waits, due.map(|due| due.saturating_duration_since(now)))?;
        }
        Ok(None)
    }

    fn hear(&mut self, wishes: &Wishes) -> Result<(), Fault> {
        self.credit += wishes.credit;
        for _ in 0..wishes.refused {
            (self.deliver)(StreamEvent::Refused);
        }
        if wishes.is_overflowed {
            let detail = "more is to be sent than the peer takes";
            return Err(Fault::new(FaultKind::Overload, detail));
        }
        if wishes.is_closing && self.closes_until.is_none() {
            self.closes_until = Some(Instant::now() + CLOSE_GRACE);
            self.held = None;
            if !self.session.can_send() {
                self.mailbox.discard();
            }
        }
        Ok(())
    }

    /// Writes until nothing is left or the peer takes no more.
    fn write(&mut self, wishes: &Wishes) -> Result<(), Fault> {
        loop {
            self.is_flushed = self.session.flush()?;
            if !self.is_flushed {
                break;
            }
            self.wrote = Instant::now();
            if self.sending > 0 {
                self.mailbox.note_sent(self.sending);
                self.sent += std::mem::take(&mut self.sending) as u64;
            }
            if !self.session.can_send() || self.has_said_goodbye {
                break;
            }
            let Some(part) = self.mailbox.next() else {
                if wishes.is_ended && !self.has_ended {
                    self.has_ended = true;
                    self.session.end()?;
                    continue;
                }
                break;
            };
            self.sending = part.bytes.len();
            self.session.send(part)?;
        }
        if self.sent > 0 {
            (self.deliver)(StreamEvent::Sent(std::mem::take(&mut self.sent)));
        }
        Ok(())
    }

    /// Reads and delivers until nothing is left, or no credit. The inner error is the end.
    fn read(&mut self) -> Result<Result<Waits, StreamEnd>, Fault> {
        for _ in 0..READ_TURN {
            if let Some(event) = self.held.take() {
                let costs = matches!(event, StreamEvent::Chunk(_) | StreamEvent::Text(_));
                if costs && self.credit == 0 {
                    self.held = Some(event);
                    return Ok(Ok(Waits {
                        reads: false,
                        at_once: false,
                    }));
                }
                self.credit -= u64::from(costs);
                (self.deliver)(event);
                self.listening_since = Instant::now();
            }
            match self.session.receive()? {
                Received::End(end) => return Ok(Err(end)),
                Received::Nothing => {
                    return Ok(Ok(Waits {
                        reads: true,
                        at_once: false,
                    }));
                }
                Received::Event(_) if self.closes_until.is_some() => {}
                Received::Event(event) => self.held = Some(event),
            }
        }
        Ok(Ok(Waits {
            reads: true,
            at_once: true,
        }))
    }

    /// The next moment at which something is to be done.
    fn deadline(&mut self, now: Instant) -> Result<Option<Instant>, Fault> {
        let timeout = |detail: &str| Err(Fault::new(FaultKind::Timeout, detail));
        let mut due = self.closes_until;
        let mut at = |moment: Instant| due = Some(due.map_or(moment, |due| due.min(moment)));
        if !self.session.is_open() {
            if self.opens_until <= now {
                return timeout("no response in time");
            }
            at(self.opens_until);
        }
        if !self.is_flushed {
            let took = self.session.link().socket().took();
            let until = self.wrote.max(took) + WRITE_TIMEOUT;
            if until <= now {
                return timeout("the peer takes nothing of what is sent");
            }
            at(until);
        }
        if let (Some(idle), None) = (self.idle_timeout, &self.held) {
            let since = self
                .session
                .link()
                .socket()
                .heard()
                .max(self.listening_since);
            let until = after(since, idle);
            if until <= now {
                return timeout("the peer is silent");
            }
            at(until);
            let half = after(since, idle / 2);
            if self.may_ping && self.pinged.is_none_or(|pinged| pinged < since) {
                if half <= now {
                    self.pinged = Some(now);
                    self.session.ping();
                    self.is_flushed = self.session.flush()?;
                } else {
                    at(half);
                }
            }
        }
        Ok(due)
    }

    /// Waits for the peer, the core or a deadline. A socket of which nothing is wanted is left out: its end would wake
    /// the thread for ever.
    fn wait(&self, waits: Waits, timeout: Option<Duration>) -> Result<(), Fault> {
        let link = self.session.link();
        let mut flags = PollFlags::empty();
        if waits.reads {
            flags |= PollFlags::IN;
        }
        if !self.is_flushed || self.session.has_output() {
            flags |= PollFlags::OUT;
        }
        let mut watched = vec![PollFd::from_borrowed_fd(
            self.mailbox.as_fd(),
            PollFlags::IN,
        )];
        if !flags.is_empty() {
            watched.push(PollFd::from_borrowed_fd(link.socket().as_fd(), flags));
        }
        wait_for(&mut watched, timeout)
            .map_err(|err| Fault::new(FaultKind::Overload, format!("cannot wait: {err}")))
    }
}
