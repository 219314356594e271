//! From an endpoint to an open session: look-up, connection, proxy, TLS, the head of a request. All of it before one
//! deadline, and no error names a URL: it may hold a token.

use super::link::Link;
use super::session::{Bytes, Session};
use super::socket::Socket;
use super::{proxy, websocket};
use crate::environment::reason;
use crate::mailbox::{Mailbox, after};
use crate::names::Names;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::endpoint::{Base, Endpoint};
use rackwarden_core::stream::{StreamEvent, StreamKind, StreamOpen, http};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::Uri;

/// Of each address of a host, so that one that swallows everything leaves time for the next.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An open session, what is to be told of its opening, and how long its response may take.
pub(super) struct Opened {
    pub(super) session: Box<dyn Session>,
    pub(super) events: Vec<StreamEvent>,
    pub(super) until: Instant,
}

/// A server's address, from a URL.
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

/// The parts of a base URL.
struct Target {
    place: Place,
    has_tls: bool,
    /// For `Host`.
    authority: String,
    /// Before every path.
    prefix: String,
}

/// # Errors
/// Says what stands in the way.
pub(super) fn open(
    open: &StreamOpen,
    mailbox: &Arc<Mailbox>,
    names: &Names,
) -> Result<Opened, Fault> {
    let until = after(Instant::now(), open.open_timeout);
    let (link, host, prefix) = match &open.endpoint.base {
        Base::Unix(path) => {
            let socket = Socket::unix(path, until, mailbox).map_err(|err| unreachable(&err))?;
            (Link::Plain(socket), "localhost".to_owned(), String::new())
        }
        Base::Url(url) => {
            let target = Target::parse(url.expose())?;
            let link = connect(&open.endpoint, &target, (until, mailbox, names))?;
            (link, target.authority, target.prefix)
        }
    };
    start(open, link, &host, &prefix, until)
}

/// Speaks the first words on a link that waits, and lets it wait no longer.
fn start(
    open: &StreamOpen,
    mut link: Link,
    host: &str,
    prefix: &str,
    until: Instant,
) -> Result<Opened, Fault> {
    let sizes = (open.max_chunk_bytes, open.max_queue_bytes);
    let mut events = vec![StreamEvent::Opened];
    let session: Box<dyn Session> = match &open.kind {
        StreamKind::WebSocket { request } => {
            let (mut web, head) = websocket::connect(link, request, host, prefix, sizes)?;
            web.stop_waiting();
            events.insert(0, StreamEvent::Response(head));
            Box::new(web)
        }
        kind => {
            link.socket_mut().stop_waiting();
            let head = match kind {
                StreamKind::Raw => Vec::new(),
                kind => http::request(kind, host, prefix)
                    .ok_or_else(|| Fault::new(FaultKind::Malformed, "the request is not usable"))?,
            };
            if matches!(kind, StreamKind::Upgrade { .. }) {
                events.clear();
            }
            Box::new(Bytes::new(link, kind, open.max_chunk_bytes, head))
        }
    };
    Ok(Opened {
        session,
        events,
        until,
    })
}

fn connect(
    endpoint: &Endpoint,
    target: &Target,
    way: (Instant, &Arc<Mailbox>, &Names),
) -> Result<Link, Fault> {
    let socket = match &endpoint.proxy {
        Some(url) => proxy::connect(url.expose(), &target.place, way)?,
        None => reach(&target.place, way)?,
    };
    match target.has_tls {
        true => Link::encrypt(socket, &endpoint.trust, &target.place.host),
        false => Ok(Link::Plain(socket)),
    }
}

/// Looks a host up and connects to its first address that answers.
pub(super) fn reach(
    place: &Place,
    (until, mailbox, names): (Instant, &Arc<Mailbox>, &Names),
) -> Result<Socket, Fault> {
    let mut last = io::Error::from(ErrorKind::TimedOut);
    for address in look_up(place, until, names)? {
        let until = until.min(Instant::now() + CONNECT_TIMEOUT);
        match Socket::tcp(address, until, mailbox) {
            Ok(socket) => return Ok(socket),
            Err(err) => last = err,
        }
    }
    Err(unreachable(&last))
}

/// The only step that `Close` does not interrupt; it ends with the deadline of opening.
pub(super) fn look_up(
    place: &Place,
    until: Instant,
    names: &Names,
) -> Result<Vec<SocketAddr>, Fault> {
    let Place { host, port } = place;
    let name = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let patience = until.saturating_duration_since(Instant::now());
    names
        .look_up(&name, patience)
        .ok_or_else(|| Fault::new(FaultKind::Unreachable, "the host name cannot be looked up"))
}

pub(super) fn unreachable(err: &io::Error) -> Fault {
    let detail = match err.kind() {
        ErrorKind::TimedOut => "no answer in time".to_owned(),
        ErrorKind::WouldBlock => "it takes no further connection".to_owned(),
        _ => reason(err),
    };
    Fault::new(FaultKind::Unreachable, detail)
}

impl Target {
    fn parse(url: &str) -> Result<Target, Fault> {
        let unusable = || Fault::new(FaultKind::Unreachable, "the URL is not usable");
        let uri: Uri = url.parse().map_err(|_| unusable())?;
        let (has_tls, usual) = match uri.scheme_str() {
            Some("http" | "ws") => (false, Some(80)),
            Some("https" | "wss") => (true, Some(443)),
            Some("tcp") => (false, None),
            Some("tls") => (true, None),
            _ => return Err(unusable()),
        };
        let authority = uri.authority().ok_or_else(unusable)?;
        let port = authority.port_u16().or(usual).ok_or_else(unusable)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let text = authority.as_str();
        let authority = text.rsplit_once('@').map_or(text, |(_, host)| host);
        Ok(Target {
            place: Place { host, port },
            has_tls,
            authority: authority.to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}
