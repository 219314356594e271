//! The status server's sockets: connections, deadlines and limits. What is answered is `http`'s business.
//!
//! No client can cost more than one of `MAX_CONNECTIONS` places for a few seconds: a request has a deadline
//! from its first byte to its last, an answer has one, and when all places are taken the connection that has
//! waited longest without a request makes room. Running out of descriptors is met the same way; one is kept
//! in reserve for the case that there is nobody to make room.

use super::clock::Clock;
use super::net::{Interest, Ready, Registry, Service, Waker};
use super::published::Published;
use super::stream::{self, Accepted, Listener};
use rackwarden_core::config::Listen;
use rackwarden_core::http::head::{MAX_BODY, MAX_HEAD, is_worth_parsing};
use rackwarden_core::http::{self, Auth, Cache, Parsed, Peer, Request, Response};
use rackwarden_core::snapshot::{Error, Seen};
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections at a time.
const MAX_CONNECTIONS: usize = 64;
/// For a whole request, and for a whole answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two requests on one connection.
const IDLE: Duration = Duration::from_secs(75);
/// Requests on one connection; nobody owns a place for ever.
const MAX_REQUESTS: u32 = 100_000;
/// After a refusal the rest of what the client sends is read for so long and so far, so that the answer is
/// not lost in a reset.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024;
/// Without a descriptor for another connection, and nobody to make room.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections taken in one go: a part of the places only, so that a burst cannot push out those whose request
/// has arrived meanwhile, and that SNMP gets its turn.
const ACCEPT_BATCH: usize = 16;
/// Permissions of a unix socket: the group may, so that a web server in front can be let in.
const SOCKET_MODE: u32 = 0o660;
/// Tokens of listeners; below are those of connections.
const LISTENER: u32 = 1 << 16;

/// Binds what the configuration asks for; empty for `off`.
///
/// # Errors
/// Returns the operating system's error: the address is taken or not ours, the path cannot be made.
pub fn bind(listen: &Listen) -> io::Result<Vec<Listener>> {
    Ok(match listen {
        Listen::Off => Vec::new(),
        Listen::Tcp(address) => vec![Listener::tcp(*address)?],
        Listen::Unix(path) => vec![Listener::unix(path, SOCKET_MODE)?],
    })
}

/// The server, a service of the net thread.
pub struct HttpServer {
    published: Arc<Published>,
    clock: Clock,
    auth: Auth,
    cache: Cache,
    listeners: Vec<Listener>,
    connections: Vec<Option<Connection>>,
    accepted: u64,
    spare: Option<OwnedFd>,
    paused_until: Option<Instant>,
    /// Ran out of descriptors since a client was last served; said once.
    is_short: bool,
    scratch: Vec<u8>,
    change: Arc<Mutex<Option<Change>>>,
}

/// Changes a running server from another thread.
#[derive(Clone)]
pub struct HttpHandle {
    change: Arc<Mutex<Option<Change>>>,
    waker: Waker,
}

struct Change {
    listeners: Option<Vec<Listener>>,
    auth: Auth,
}

struct Connection {
    stream: OwnedFd,
    peer: Peer,
    /// Position among all accepted connections; at every answer it takes a new one.
    turn: u64,
    served: u32,
    phase: Phase,
    watched: Interest,
    deadline: Instant,
    /// Input that is not yet a whole request.
    pending: Vec<u8>,
    out: Option<Out>,
    /// Nothing follows the answer.
    is_last: bool,
    /// The client may still be sending what nobody will answer.
    is_refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    Writing,
    Lingering { left: usize },
}

struct Out {
    head: Vec<u8>,
    response: Response,
    sent: usize,
}

/// What is left of a connection after it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Ends,
}

impl HttpServer {
    /// A server on bound listeners.
    pub fn new(
        listeners: Vec<Listener>,
        auth: Auth,
        published: Arc<Published>,
        clock: Clock,
        waker: Waker,
    ) -> (HttpServer, HttpHandle) {
        let change = Arc::new(Mutex::new(None));
        let handle = HttpHandle {
            change: Arc::clone(&change),
            waker,
        };
        let server = HttpServer {
            published,
            clock,
            auth,
            cache: Cache::new(),
            listeners,
            connections: Vec::new(),
            accepted: 0,
            spare: None,
            paused_until: None,
            is_short: false,
            scratch: Vec::new(),
            change,
        };
        (server, handle)
    }

    fn accept(&mut self, registry: &Registry<'_>, number: usize) {
        for _ in 0..ACCEPT_BATCH {
            let Some(listener) = self.listeners.get(number) else {
                return;
            };
            match listener.accept() {
                Accepted::Stream(stream, peer) => self.admit(registry, stream, peer),
                Accepted::Drained => return,
                Accepted::Exhausted if self.free_descriptor() => {}
                Accepted::Exhausted => return self.pause(registry),
            }
        }
    }

    fn admit(&mut self, registry: &Registry<'_>, stream: OwnedFd, peer: Peer) {
        let open = self.connections.iter().flatten().count();
        if open >= MAX_CONNECTIONS {
            self.evict();
        }
        let index = match self.connections.iter().position(Option::is_none) {
            Some(index) => index,
            None => {
                self.connections.push(None);
                self.connections.len() - 1
            }
        };
        if registry.add(&stream, index as u32, Interest::Read).is_err() {
            return;
        }
        self.accepted += 1;
        self.connections[index] = Some(Connection {
            stream,
            peer,
            turn: self.accepted,
            served: 0,
            phase: Phase::Reading,
            watched: Interest::Read,
            deadline: Instant::now() + DEADLINE,
            pending: Vec::new(),
            out: None,
            is_last: false,
            is_refused: false,
        });
        // The request has usually come with the connection.
        self.serve(registry, index);
    }

    /// Ends the connection that can best be spared. False when there is none.
    fn evict(&mut self) -> bool {
        let rank = |connection: &Connection| {
            let class = match (connection.phase, connection.served) {
                (Phase::Reading, 0) => 0,
                (Phase::Lingering { .. }, _) => 1,
                (Phase::Reading, _) => 2,
                (Phase::Writing, _) => 3,
            };
            (class, connection.turn)
        };
        let places = self.connections.iter().enumerate();
        let victim = places
            .filter_map(|(index, place)| Some((rank(place.as_ref()?), index)))
            .min();
        match victim {
            Some((_, index)) => {
                self.connections[index] = None;
                true
            }
            None => false,
        }
    }

    /// Frees a descriptor for a connection that waits: somebody's who is served less, else the spare one.
    fn free_descriptor(&mut self) -> bool {
        self.evict() || self.spare.take().is_some()
    }

    fn pause(&mut self, registry: &Registry<'_>) {
        if !std::mem::replace(&mut self.is_short, true) {
            log::warn!("status server: no descriptors left for another client; trying again");
        }
        self.paused_until = Some(Instant::now() + PAUSE);
        self.watch_listeners(registry, Interest::None);
    }

    fn watch_listeners(&self, registry: &Registry<'_>, interest: Interest) {
        for (number, listener) in self.listeners.iter().enumerate() {
            let _ = registry.modify(listener, LISTENER + number as u32, interest);
        }
    }

    fn keep_spare(&mut self) {
        if self.spare.is_none() {
            // Any descriptor will do; a copy of a listener needs no file.
            let copy = |listener| rustix::io::fcntl_dupfd_cloexec(listener, 0).ok();
            self.spare = self.listeners.first().and_then(copy);
        }
    }

    fn serve(&mut self, registry: &Registry<'_>, index: usize) {
        let Some(mut connection) = self.connections.get_mut(index).and_then(Option::take) else {
            return;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(MAX_HEAD + MAX_BODY, 0);
        let fate = match connection.phase {
            Phase::Reading => self.read(&mut connection, &mut scratch),
            Phase::Writing => self.write(&mut connection, &mut scratch),
            Phase::Lingering { .. } => connection.linger(&mut scratch),
        };
        self.scratch = scratch;
        let fate = match fate {
            Ok(Fate::Stays) => connection.watch(registry, index as u32),
            // A connection that broke is over like any other; there is nobody to tell.
            Ok(Fate::Ends) | Err(_) => Ok(Fate::Ends),
        };
        if matches!(fate, Ok(Fate::Stays)) {
            self.connections[index] = Some(connection);
        } else {
            drop(connection);
            self.keep_spare();
        }
    }

    fn read(&mut self, connection: &mut Connection, scratch: &mut [u8]) -> io::Result<Fate> {
        let seen = connection.pending.len();
        scratch[..seen].copy_from_slice(&connection.pending);
        let len = match stream::receive(&connection.stream, &mut scratch[seen..])? {
            Some(0) => return Ok(Fate::Ends),
            Some(len) => seen + len,
            None => return Ok(Fate::Stays),
        };
        if seen == 0 && connection.served > 0 {
            connection.deadline = Instant::now() + DEADLINE;
        }
        connection.pending.clear();
        self.advance(connection, &scratch[..len], seen)
    }

    /// Answers the requests in `input`, of which `seen` bytes were looked at before.
    fn advance(
        &mut self,
        connection: &mut Connection,
        input: &[u8],
        seen: usize,
    ) -> io::Result<Fate> {
        let (mut rest, mut seen) = (input, seen);
        while !rest.is_empty() && is_worth_parsing(rest, seen) {
            match http::parse(rest) {
                Parsed::Partial => break,
                Parsed::Complete(request, len) => {
                    self.answer(connection, &request);
                    rest = &rest[len..];
                }
                Parsed::Refused(error) => {
                    self.refuse(connection, error);
                    rest = &[];
                }
            }
            seen = 0;
            if !connection.flush()? || connection.is_last {
                break;
            }
        }
        if connection.is_last {
            return Ok(connection.finish());
        }
        connection.pending.extend_from_slice(rest);
        if connection.pending.is_empty() {
            connection.pending = Vec::new();
        }
        Ok(Fate::Stays)
    }

    fn write(&mut self, connection: &mut Connection, scratch: &mut [u8]) -> io::Result<Fate> {
        if !connection.flush()? {
            return Ok(Fate::Stays);
        }
        if connection.is_last {
            return Ok(connection.finish());
        }
        let len = connection.pending.len();
        scratch[..len].copy_from_slice(&connection.pending);
        connection.pending.clear();
        self.advance(connection, &scratch[..len], 0)
    }

    fn answer(&mut self, connection: &mut Connection, request: &Request<'_>) {
        connection.served += 1;
        self.is_short = false;
        self.accepted += 1;
        connection.turn = self.accepted;
        connection.is_last = !request.keep_alive || connection.served >= MAX_REQUESTS;
        let say = match (connection.is_last, request.is_http_10) {
            (true, _) => Some("close"),
            (false, true) => Some("keep-alive"),
            (false, false) => None,
        };
        let snapshot = self.published.get();
        let seen = Seen::new(&snapshot, self.clock.now());
        let response = http::serve(
            request,
            connection.peer,
            &seen,
            &mut self.cache,
            &mut self.auth,
        );
        connection.put(response, self.cache.date(&seen), say);
    }

    fn refuse(&mut self, connection: &mut Connection, error: Error) {
        connection.is_last = true;
        connection.is_refused = true;
        let snapshot = self.published.get();
        let seen = Seen::new(&snapshot, self.clock.now());
        connection.put(error.into(), self.cache.date(&seen), Some("close"));
    }
}

impl Connection {
    fn put(&mut self, response: Response, date: &str, say: Option<&str>) {
        let mut head = Vec::with_capacity(512);
        response.write_head(&mut head, date, say);
        self.out = Some(Out {
            head,
            response,
            sent: 0,
        });
        self.deadline = Instant::now() + DEADLINE;
    }

    /// Sends what is to be sent. True when nothing is left of it.
    fn flush(&mut self) -> io::Result<bool> {
        let Some(out) = &mut self.out else {
            return Ok(true);
        };
        let total = out.head.len() + out.response.sent_body().len();
        while out.sent < total {
            let body = out.response.sent_body();
            let head = out.head.get(out.sent..).unwrap_or_default();
            let body = &body[out.sent.saturating_sub(out.head.len())..];
            let parts = [IoSlice::new(head), IoSlice::new(body)];
            match stream::send(&self.stream, &parts)? {
                0 => {
                    self.phase = Phase::Writing;
                    return Ok(false);
                }
                len => out.sent += len,
            }
        }
        self.out = None;
        self.phase = Phase::Reading;
        self.deadline = Instant::now() + IDLE;
        Ok(true)
    }

    /// The last answer is out, or on its way out.
    fn finish(&mut self) -> Fate {
        if self.out.is_some() {
            return Fate::Stays;
        }
        if !self.is_refused
            || rustix::net::shutdown(&self.stream, rustix::net::Shutdown::Write).is_err()
        {
            return Fate::Ends;
        }
        self.phase = Phase::Lingering { left: LINGER_BYTES };
        self.deadline = Instant::now() + LINGER;
        Fate::Stays
    }

    fn linger(&mut self, scratch: &mut [u8]) -> io::Result<Fate> {
        let Phase::Lingering { left } = &mut self.phase else {
            return Ok(Fate::Ends);
        };
        match stream::receive(&self.stream, scratch)? {
            None => Ok(Fate::Stays),
            Some(0) => Ok(Fate::Ends),
            Some(len) if len >= *left => Ok(Fate::Ends),
            Some(len) => {
                *left -= len;
                Ok(Fate::Stays)
            }
        }
    }

    fn watch(&mut self, registry: &Registry<'_>, token: u32) -> io::Result<Fate> {
        let wanted = match self.phase {
            Phase::Reading | Phase::Lingering { .. } => Interest::Read,
            Phase::Writing => Interest::Write,
        };
        if wanted != self.watched {
            registry.modify(&self.stream, token, wanted)?;
            self.watched = wanted;
        }
        Ok(Fate::Stays)
    }
}

impl Service for HttpServer {
    fn start(&mut self, registry: &Registry<'_>) -> io::Result<()> {
        for (number, listener) in self.listeners.iter().enumerate() {
            registry.add(listener, LISTENER + number as u32, Interest::Read)?;
        }
        self.keep_spare();
        Ok(())
    }

    fn handle_ready(&mut self, registry: &Registry<'_>, token: u32, _ready: Ready) {
        match token.checked_sub(LISTENER) {
            Some(number) => self.accept(registry, number as usize),
            None => self.serve(registry, token as usize),
        }
    }

    fn handle_wake(&mut self, registry: &Registry<'_>) {
        let change = self
            .change
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(change) = change else {
            return;
        };
        let old = std::mem::replace(&mut self.auth, change.auth);
        self.auth.remember(old);
        if let Some(listeners) = change.listeners {
            self.listeners = listeners;
            self.spare = None;
            self.paused_until = None;
            if let Err(err) = self.start(registry) {
                log::error!("status server: cannot watch its listener: {err}");
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let connections = self.connections.iter().flatten();
        let cache = self.cache.poll_timeout().map(|at| {
            let left = at.since(self.clock.mono());
            Instant::now() + left
        });
        connections
            .map(|connection| connection.deadline)
            .chain(self.paused_until)
            .chain(cache)
            .min()
    }

    fn handle_timeout(&mut self, registry: &Registry<'_>, now: Instant) {
        for place in &mut self.connections {
            place.take_if(|connection| connection.deadline <= now);
        }
        self.keep_spare();
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.watch_listeners(registry, Interest::Read);
        }
        self.cache.handle_timeout(self.clock.mono());
    }
}

impl HttpHandle {
    /// Swaps the rules, and the listeners if there are new ones (bound by the caller, so that a failure is
    /// known before anything changes). Connections stay.
    pub fn reload(&self, listeners: Option<Vec<Listener>>, auth: Auth) {
        let change = Change { listeners, auth };
        *self.change.lock().unwrap_or_else(PoisonError::into_inner) = Some(change);
        self.waker.wake();
    }
}
