//! Connections that stay open, as values: raw bytes over TCP, TLS or a Unix socket, HTTP bodies as they come, upgraded HTTP
//! connections, websockets. `io::streams` carries them out; a feature decodes the chunks.
//!
//! The life of a stream: `Open`, then `Opened`, chunks as far as the credits reach, and exactly one `Closed`.

pub mod http;

use crate::endpoint::{Endpoint, Method};
use crate::fault::Fault;
use crate::secret::Secret;
use rackwarden_base::Ticket;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something to do to a stream. What comes after its end is ignored.
#[derive(Debug)]
pub struct StreamOp {
    /// Names the stream, from `Open` to `StreamEvent::Closed`.
    pub ticket: Ticket,
    /// The action.
    pub action: StreamAction,
}

/// An action on a stream.
#[derive(Debug)]
pub enum StreamAction {
    /// Connect. The answer is `Opened`, or `Closed` with the reason.
    Open(Box<StreamOpen>),
    /// Send these bytes: of a connection, of a request's body, or one binary message of a websocket. They may be sent
    /// before `Opened` and then wait.
    Send(Secret<Vec<u8>>),
    /// Send one text message of a websocket; elsewhere its bytes.
    SendText(Secret<String>),
    /// Nothing more will be sent: ends a request's body, or the sending half of a connection.
    End,
    /// So many more chunks may come.
    Credit(u32),
    /// Close it, after what waits to be sent or `CLOSE_GRACE`. What has not been delivered is dropped.
    Close,
}

/// The wait of `Close` for the rest to leave, and of a websocket for the peer's close.
pub const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// A stream to open.
#[derive(Clone, Debug)]
pub struct StreamOpen {
    /// The service.
    pub endpoint: Arc<Endpoint>,
    /// Which protocol.
    pub kind: StreamKind,
    /// From the name look-up to `Opened`, and to the response where nothing is sent before it.
    pub open_timeout: Duration,
    /// Closes a stream on which the peer has been silent for so long while it could have spoken. A websocket is pinged at
    /// half of it. `None`: only the system's keep-alive notices a peer that is gone.
    pub idle_timeout: Option<Duration>,
    /// Chunks that may come without a further `Credit`.
    pub credit: u32,
    /// A chunk is at most so long; a longer message of a websocket closes it.
    pub max_chunk_bytes: usize,
    /// Limit of the bytes that wait to be sent.
    pub max_queue_bytes: usize,
}

impl StreamOpen {
    /// With limits that suit most: 10 s to open, no idle deadline, 8 credits of at most 16 KiB, 256 KiB to be sent.
    pub fn new(endpoint: Arc<Endpoint>, kind: StreamKind) -> StreamOpen {
        StreamOpen {
            endpoint,
            kind,
            open_timeout: Duration::from_secs(10),
            idle_timeout: None,
            credit: 8,
            max_chunk_bytes: 16 * 1024,
            max_queue_bytes: 256 * 1024,
        }
    }
}

/// The protocol of a stream. TLS is the endpoint's matter.
#[derive(Clone, Debug)]
pub enum StreamKind {
    /// Bytes both ways, as they are.
    Raw,
    /// An HTTP request whose response is delivered as it comes. Ends with the body.
    Http {
        /// The request's head.
        request: HttpStart,
        /// The request's body.
        body: HttpBody,
    },
    /// An HTTP request that turns the connection into bytes both ways, by status 101, or by 200 without a length. Any other
    /// response is delivered as in `Http`, and nothing can be sent.
    Upgrade {
        /// The request's head; `Connection` and `Upgrade` are added.
        request: HttpStart,
        /// The protocol that is asked for, such as `tcp`.
        protocol: String,
        /// The request's body.
        body: Secret<Vec<u8>>,
    },
    /// A websocket (RFC 6455). A chunk is a message.
    WebSocket {
        /// The request's head; its method is `GET`.
        request: HttpStart,
    },
}

/// The head of a request. `Host` and framing are added.
#[derive(Clone, Debug, Default)]
pub struct HttpStart {
    /// The method.
    pub method: Method,
    /// Path and query, below the endpoint's base. It may hold a secret.
    pub path: Secret<String>,
    /// Further headers.
    pub headers: Vec<(&'static str, Secret<String>)>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum HttpBody {
    /// These bytes; empty for none.
    Whole(Secret<Vec<u8>>),
    /// The bytes of `Send`, until `End`; chunked unless its length is known.
    Sent {
        /// All of it in bytes.
        length: Option<u64>,
    },
}

/// A step in the life of a stream.
#[derive(PartialEq, Eq)]
pub enum StreamEvent {
    /// The connection stands: what is sent leaves.
    Opened,
    /// The head of the HTTP response; any status is one. Chunks of its body follow.
    Response(HttpHead),
    /// Bytes as they came, or a binary message. Takes one credit.
    Chunk(Vec<u8>),
    /// A text message of a websocket. Takes one credit.
    Text(String),
    /// So many bytes that waited have been handed to the system. At most one for each `Send`.
    Sent(u64),
    /// A message of a websocket did not fit into the queue: nothing of it is sent. (In other streams that would be a
    /// hole, so they are closed with `FaultKind::Overload`.)
    Refused,
    /// It is over. The last event of its ticket.
    Closed(Result<StreamEnd, Fault>),
}

/// The head of an HTTP response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpHead {
    /// Status code.
    pub status: u16,
    /// Names in lower case, values as far as they are UTF-8.
    pub headers: Vec<(String, String)>,
}

impl HttpHead {
    /// The first value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

/// The end of a stream without a fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEnd {
    /// The peer ended it, or the response was complete; otherwise it was `Close`.
    pub by_peer: bool,
    /// The peer's close code of a websocket.
    pub code: Option<u16>,
    /// And its reason.
    pub reason: String,
}

/// Prints lengths in place of what was received.
impl fmt::Debug for StreamEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamEvent::Opened => f.write_str("Opened"),
            StreamEvent::Response(head) => write!(f, "Response({})", head.status),
            StreamEvent::Chunk(bytes) => write!(f, "Chunk({} bytes)", bytes.len()),
            StreamEvent::Text(text) => write!(f, "Text({} bytes)", text.len()),
            StreamEvent::Sent(bytes) => write!(f, "Sent({bytes})"),
            StreamEvent::Refused => f.write_str("Refused"),
            StreamEvent::Closed(how) => write!(f, "Closed({how:?})"),
        }
    }
}
