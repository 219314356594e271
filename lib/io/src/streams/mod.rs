//! Streams: connections that stay open, each on a thread of its own that is started with it and ends with it. A peer that
//! hangs, in a handshake or a write, thus holds nobody else; and the way from the name look-up to the first chunk is
//! written as it happens. A thread costs about 40 kB while its stream is open. The queues of one stream:
//!
//! - to the core: one chunk for each credit, on the inbox's second lane. Without credit at most one more chunk is read.
//! - to the peer: `max_queue_bytes` in a mailbox. A websocket's message beyond that is refused; any other stream closes.

mod link;
mod open;
mod proxy;
mod pump;
mod session;
mod socket;
#[cfg(test)]
mod tests;
mod websocket;

use crate::inbox::Inbox;
use crate::mailbox::Mailbox;
use crate::names::Names;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::small::SmallMap;
use rackwarden_core::effect::Ticket;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::stream::{
    StreamAction, StreamEnd, StreamEvent, StreamKind, StreamOp, StreamOpen,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Streams that are open at the same time; one more is answered with `Overload` at once. The unit allows 64 threads and
/// processes.
const MAX_STREAMS: usize = 24;
/// A TLS handshake needs the most of it.
const STACK_BYTES: usize = 256 * 1024;

/// Opens streams and hands on what is to be done to them. Never waits.
#[derive(Clone)]
pub struct StreamHandle {
    shared: Arc<Shared>,
}

struct Shared {
    open: Mutex<SmallMap<Ticket, Arc<Mailbox>>>,
    names: Names,
    inbox: Inbox,
}

impl StreamHandle {
    /// Nothing runs before the first stream.
    pub fn new(inbox: Inbox) -> StreamHandle {
        StreamHandle {
            shared: Arc::new(Shared {
                open: Mutex::default(),
                names: Names::new(),
                inbox,
            }),
        }
    }

    /// Does something to a stream. What comes of it arrives in the inbox.
    pub fn act(&self, op: StreamOp) {
        let StreamOp { ticket, action } = op;
        if let StreamAction::Open(open) = action {
            if let Err(fault) = self.open(ticket, *open) {
                // The core thread never waits, and the prompt lane has room for its own answers.
                let closed = StreamEvent::Closed(Err(fault));
                self.shared.inbox.send(event(ticket, closed));
            }
            return;
        }
        let Some(mailbox) = self.shared.lock().get(&ticket).cloned() else {
            log::debug!("a stream that is closed is asked for more");
            return;
        };
        match action {
            StreamAction::Open(_) => {}
            StreamAction::Send(bytes) => mailbox.send(bytes.expose().clone(), false),
            StreamAction::SendText(text) => mailbox.send(text.expose().clone().into_bytes(), true),
            StreamAction::End => mailbox.end(),
            StreamAction::Credit(more) => mailbox.credit(more),
            StreamAction::Close => mailbox.close(),
        }
    }

    /// Closes all of them, without waiting for it.
    pub fn shutdown(&self) {
        for (_, mailbox) in self.shared.lock().iter() {
            mailbox.close();
        }
    }

    fn open(&self, ticket: Ticket, open: StreamOpen) -> Result<(), Fault> {
        let overload = |detail: String| Fault::new(FaultKind::Overload, detail);
        let mut streams = self.shared.lock();
        if streams.len() >= MAX_STREAMS {
            return Err(overload("too many streams are open".to_owned()));
        }
        let refuses = matches!(open.kind, StreamKind::WebSocket { .. });
        let mailbox = Mailbox::new(open.credit, open.max_queue_bytes, refuses)
            .map_err(|err| overload(format!("cannot open another stream: {err}")))?;
        let mailbox = Arc::new(mailbox);
        let stream = Stream {
            ticket,
            open,
            mailbox: Arc::clone(&mailbox),
            shared: Arc::clone(&self.shared),
        };
        thread::Builder::new()
            .name(format!("s-{}", stream.open.endpoint.name))
            .stack_size(STACK_BYTES)
            .spawn(move || stream.live())
            .map_err(|err| overload(format!("cannot start another thread: {err}")))?;
        streams.insert(ticket, mailbox);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, SmallMap<Ticket, Arc<Mailbox>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event(ticket: Ticket, event: StreamEvent) -> Event {
    let reply = Reply::Stream(event);
    Event::Done { ticket, reply }
}

/// One stream, on its thread.
struct Stream {
    ticket: Ticket,
    open: StreamOpen,
    mailbox: Arc<Mailbox>,
    shared: Arc<Shared>,
}

impl Stream {
    /// From the look-up of the name to the last event.
    fn live(self) {
        let how = self.run();
        self.shared.lock().remove(&self.ticket);
        self.deliver(StreamEvent::Closed(how));
    }

    fn run(&self) -> Result<StreamEnd, Fault> {
        let session = match open::open(&self.open, &self.mailbox, &self.shared.names) {
            Ok(session) => session,
            Err(_) if self.mailbox.is_closing() => return Ok(StreamEnd::default()),
            Err(fault) => return Err(fault),
        };
        pump::run(session, &self.open, &self.mailbox, |event| {
            self.deliver(event);
        })
    }

    /// Waits while the lane is full: the core is behind, and nothing is to be read meanwhile.
    fn deliver(&self, what: StreamEvent) {
        self.shared.inbox.send_stream(event(self.ticket, what));
    }
}
