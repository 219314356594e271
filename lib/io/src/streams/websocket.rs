//! A websocket (RFC 6455), by tungstenite. It answers pings by itself, as long as messages are read.

use super::link::Link;
use super::session::{Received, Session, broken};
use crate::mailbox::Outgoing;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::stream::{HttpHead, HttpStart, StreamEnd, StreamEvent};
use std::io::ErrorKind;
use tungstenite::handshake::HandshakeError;
use tungstenite::http;
use tungstenite::protocol::{WebSocket, WebSocketConfig};
use tungstenite::{Error, Message};

/// Bytes of one read.
const READ_BYTES: usize = 8 * 1024;
/// Room for pings, pongs and a close besides the one message that is being sent.
const CONTROL_BYTES: usize = 4 * 1024;

/// A session of messages.
pub(super) struct Web {
    socket: WebSocket<Link>,
    /// The peer's close frame.
    close: Option<(u16, String)>,
    is_closing: bool,
    /// The peer takes nothing any longer; what it said before still counts.
    is_broken: bool,
}

/// Makes the handshake on a link that waits.
///
/// # Errors
/// The server refuses, or does not speak the protocol.
pub(super) fn connect(
    link: Link,
    start: &HttpStart,
    host: &str,
    prefix: &str,
    sizes: (usize, usize),
) -> Result<(Web, HttpHead), Fault> {
    let (max_message_bytes, max_queue_bytes) = sizes;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(max_queue_bytes + CONTROL_BYTES)
        .max_message_size(Some(max_message_bytes))
        .max_frame_size(Some(max_message_bytes));
    let request = request(start, host, prefix)?;
    let done = tungstenite::client::client_with_config(request, link, Some(config));
    let (socket, response) = done.map_err(|err| match err {
        HandshakeError::Failure(err) => refusal(err),
        HandshakeError::Interrupted(_) => Fault::new(
            FaultKind::Timeout,
            "the websocket's handshake took too long",
        ),
    })?;
    let web = Web {
        socket,
        close: None,
        is_closing: false,
        is_broken: false,
    };
    Ok((web, head(&response)))
}

fn request(start: &HttpStart, host: &str, prefix: &str) -> Result<http::Request<()>, Fault> {
    // The scheme serves nothing here; the link has TLS or has not.
    let uri = format!("ws://{host}{prefix}{}", start.path.expose());
    let mut request = http::Request::get(uri)
        .header("Host", host)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header(
            "Sec-WebSocket-Key",
            tungstenite::handshake::client::generate_key(),
        );
    for (name, value) in &start.headers {
        request = request.header(*name, value.expose());
    }
    let unusable = |_| Fault::new(FaultKind::Malformed, "the request is not usable");
    request.body(()).map_err(unusable)
}

fn head<T>(response: &http::Response<T>) -> HttpHead {
    let headers = response.headers().iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    HttpHead {
        status: response.status().as_u16(),
        headers: headers.collect(),
    }
}

/// Says why there is no websocket, without saying where to.
fn refusal(err: Error) -> Fault {
    match err {
        Error::Http(response) => {
            let status = response.status().as_u16();
            let kind = match status {
                401 | 403 => FaultKind::Denied,
                429 | 503 => FaultKind::Busy,
                _ => FaultKind::Rejected,
            };
            let detail = format!("the server answers {status} in place of a websocket");
            Fault::new(kind, detail)
        }
        Error::Io(err) if err.kind() == ErrorKind::TimedOut => Fault::new(
            FaultKind::Timeout,
            "the websocket's handshake took too long",
        ),
        err => failure(err),
    }
}

fn failure(err: Error) -> Fault {
    let kind = match &err {
        Error::Io(err) => return broken(err),
        Error::Capacity(_) => FaultKind::TooLarge,
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake
            | tungstenite::error::ProtocolError::HandshakeIncomplete,
        ) => FaultKind::Interrupted,
        _ => FaultKind::Malformed,
    };
    Fault::new(kind, rackwarden_base::text::clean(err.to_string()))
}

impl Web {
    /// From here on nothing waits.
    pub(super) fn stop_waiting(&mut self) {
        self.socket.get_mut().socket_mut().stop_waiting();
    }

    fn end(&mut self) -> StreamEnd {
        let (code, reason) = match self.close.take() {
            Some((code, reason)) => (Some(code), reason),
            None => (None, String::new()),
        };
        StreamEnd {
            by_peer: !self.is_closing,
            code,
            reason,
        }
    }
}

impl Session for Web {
    fn link(&self) -> &Link {
        self.socket.get_ref()
    }

    fn receive(&mut self) -> Result<Received, Fault> {
        loop {
            let event = match self.socket.read() {
                Ok(Message::Text(text)) => StreamEvent::Text(text.as_str().to_owned()),
                Ok(Message::Binary(bytes)) => StreamEvent::Chunk(bytes.to_vec()),
                Ok(Message::Close(frame)) => {
                    self.close = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                    // Our half of the handshake leaves now or never; the peer may take its time to hang up.
                    let _ = self.socket.flush();
                    return Ok(Received::End(self.end()));
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => continue,
                Err(Error::ConnectionClosed) => return Ok(Received::End(self.end())),
                Err(Error::Io(err)) if err.kind() == ErrorKind::WouldBlock => {
                    return Ok(Received::Nothing);
                }
                Err(_) if self.is_closing => return Ok(Received::End(self.end())),
                Err(err) => return Err(failure(err)),
            };
            return Ok(Received::Event(event));
        }
    }

    fn can_send(&self) -> bool {
        true
    }

    fn is_open(&self) -> bool {
        true
    }

    fn send(&mut self, part: Outgoing) -> Result<(), Fault> {
        let message = match part.is_text {
            true => match String::from_utf8(part.bytes) {
                Ok(text) => Message::text(text),
                Err(err) => Message::binary(err.into_bytes()),
            },
            false => Message::binary(part.bytes),
        };
        match self.socket.write(message) {
            Err(Error::Io(err)) if err.kind() == ErrorKind::WouldBlock => Ok(()),
            done => done.map_err(failure),
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn flush(&mut self) -> Result<bool, Fault> {
        match self.socket.flush() {
            Ok(()) => Ok(true),
            Err(Error::Io(err)) if err.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(_) => {
                self.is_broken = true;
                Ok(true)
            }
        }
    }

    fn has_output(&self) -> bool {
        self.link().has_output() && !self.is_broken
    }

    fn ping(&mut self) {
        let _ = self.socket.send(Message::Ping(Vec::new().into()));
    }

    fn close(&mut self) -> bool {
        self.is_closing = true;
        let _ = self.socket.close(None);
        true
    }
}
