//! The bytes of a stream: raw, of an HTTP response, or of an upgraded connection.

use super::link::Link;
use crate::environment::reason;
use crate::mailbox::Outgoing;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::stream::http::{Decoder, Piece};
use rackwarden_core::stream::{HttpBody, StreamEnd, StreamEvent, StreamKind};
use std::io::{self, ErrorKind, Read, Write};

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

/// The outcome of a look at the peer's side.
#[derive(Debug)]
pub(super) enum Received {
    Event(StreamEvent),
    /// Nothing for now.
    Nothing,
    End(StreamEnd),
}

/// A protocol over a link. Nothing here waits.
pub(super) trait Session {
    fn link(&self) -> &Link;

    /// The next event.
    fn receive(&mut self) -> Result<Received, Fault>;

    /// False before the peer takes what is sent.
    fn can_send(&self) -> bool;

    /// False while the head of a response is awaited, which the deadline of opening is for.
    fn is_open(&self) -> bool;

    /// Takes one part; `flush` is to be called until it is out.
    fn send(&mut self, part: Outgoing) -> Result<(), Fault>;

    /// Nothing more will be sent.
    fn end(&mut self) -> Result<(), Fault>;

    /// Writes on; true when everything is out.
    fn flush(&mut self) -> Result<bool, Fault>;

    /// TLS has something to write.
    fn has_output(&self) -> bool;

    /// Asks the peer to say something.
    fn ping(&mut self) {}

    /// Says goodbye; true when the peer is to answer it.
    fn close(&mut self) -> bool;
}

/// The framing of sent bytes.
#[derive(Debug)]
enum Framing {
    /// As it is.
    Plain,
    /// So many bytes of the body are still to come.
    Length(u64),
    Chunked,
}

/// A session of bytes.
pub(super) struct Bytes {
    link: Link,
    decoder: Decoder,
    framing: Framing,
    is_open: bool,
    can_send: bool,
    max_chunk_bytes: usize,
    /// To be written; what stands before `written` is out.
    output: Vec<u8>,
    written: usize,
    /// Shut the sending half down behind it.
    ends_half: bool,
    /// The peer takes nothing any longer; what it said before still counts.
    is_broken: bool,
    buffer: Box<[u8]>,
}

impl Bytes {
    /// `head` is the request, if there is one.
    pub(super) fn new(
        link: Link,
        kind: &StreamKind,
        max_chunk_bytes: usize,
        head: Vec<u8>,
    ) -> Bytes {
        let (framing, is_open, can_send) = match kind {
            StreamKind::Http {
                body: HttpBody::Sent { length },
                ..
            } => (length.map_or(Framing::Chunked, Framing::Length), true, true),
            StreamKind::Http { .. } => (Framing::Length(0), false, false),
            StreamKind::Upgrade { .. } => (Framing::Plain, false, false),
            StreamKind::Raw | StreamKind::WebSocket { .. } => (Framing::Plain, true, true),
        };
        Bytes {
            link,
            decoder: Decoder::new(kind),
            framing,
            is_open,
            can_send,
            max_chunk_bytes: max_chunk_bytes.max(1),
            output: head,
            written: 0,
            ends_half: false,
            is_broken: false,
            buffer: vec![0; READ_BYTES.min(max_chunk_bytes.max(1024))].into(),
        }
    }

    fn piece(&mut self) -> Result<Option<Received>, Fault> {
        let Some(piece) = self.decoder.next(self.max_chunk_bytes)? else {
            return Ok(None);
        };
        Ok(Some(match piece {
            Piece::Head(head) => {
                self.is_open = true;
                Received::Event(StreamEvent::Response(head))
            }
            Piece::Upgraded => {
                self.can_send = true;
                Received::Event(StreamEvent::Opened)
            }
            Piece::Data(bytes) => Received::Event(StreamEvent::Chunk(bytes)),
            Piece::End => Received::End(by_peer()),
        }))
    }
}

fn by_peer() -> StreamEnd {
    StreamEnd {
        by_peer: true,
        ..StreamEnd::default()
    }
}

/// A connection that broke while it was open.
pub(super) fn broken(err: &io::Error) -> Fault {
    match err.kind() {
        ErrorKind::InvalidData => Fault::new(
            FaultKind::Tls,
            rackwarden_base::text::clean(err.to_string()),
        ),
        // The system's keep-alive.
        ErrorKind::TimedOut => Fault::new(FaultKind::Timeout, "the peer is gone"),
        ErrorKind::UnexpectedEof => Fault::new(
            FaultKind::Interrupted,
            "the connection ended without the end of TLS",
        ),
        _ => Fault::new(
            FaultKind::Interrupted,
            format!("the connection ended: {}", reason(err)),
        ),
    }
}

impl Session for Bytes {
    fn link(&self) -> &Link {
        &self.link
    }

    fn receive(&mut self) -> Result<Received, Fault> {
        loop {
            if let Some(received) = self.piece()? {
                return Ok(received);
            }
            match self.link.read(&mut self.buffer) {
                Ok(0) => {
                    self.decoder.end()?;
                    return Ok(Received::End(by_peer()));
                }
                Ok(length) => self.decoder.push(&self.buffer[..length]),
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
                Err(err) => return Err(broken(&err)),
            }
        }
    }

    fn can_send(&self) -> bool {
        self.can_send
    }

    fn is_open(&self) -> bool {
        self.is_open
    }

    fn send(&mut self, part: Outgoing) -> Result<(), Fault> {
        let bytes = part.bytes;
        match &mut self.framing {
            Framing::Plain => self.output.extend_from_slice(&bytes),
            Framing::Length(left) => {
                *left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
                    Fault::new(FaultKind::Malformed, "the body is longer than announced")
                })?;
                self.output.extend_from_slice(&bytes);
            }
            Framing::Chunked => {
                let line = format!("{:x}\r\n", bytes.len());
                self.output.extend_from_slice(line.as_bytes());
                self.output.extend_from_slice(&bytes);
                self.output.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.framing {
            Framing::Plain => self.ends_half = true,
            Framing::Chunked => self.output.extend_from_slice(b"0\r\n\r\n"),
            Framing::Length(0) => {}
            Framing::Length(_) => {
                let detail = "the body is shorter than announced";
                return Err(Fault::new(FaultKind::Malformed, detail));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, Fault> {
        while self.written < self.output.len() && !self.is_broken {
            match self.link.write(&self.output[self.written..]) {
                Ok(length) => self.written += length,
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(_) => self.is_broken = true,
            }
        }
        self.output.clear();
        self.written = 0;
        if std::mem::take(&mut self.ends_half) {
            let _ = self.link.end();
        }
        match self.link.flush() {
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(_) => self.is_broken = true,
            Ok(()) => {}
        }
        Ok(true)
    }

    fn has_output(&self) -> bool {
        self.link.has_output() && !self.is_broken
    }

    fn close(&mut self) -> bool {
        let _ = self.link.end();
        false
    }
}
