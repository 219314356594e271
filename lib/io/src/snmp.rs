//! Sends and receives for every SNMP request of the agent: one UDP socket for each address family, on the
//! net thread. What an answer means, when a try is repeated and when a device is given up is the engine's.
//!
//! Few wake-ups decide the shape. After a burst the socket is not watched: the service looks after a few
//! milliseconds, when most answers wait together, and only then waits for stragglers. `pace` sees to it that
//! no more answers can be under way than the sockets' buffers hold.

mod look;
mod pace;
mod socket;

use crate::clock::Clock;
use crate::inbox::Inbox;
use crate::net::{Interest, Ready, Registry, Service, Waker};
use look::Look;
use pace::Pace;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::rng::Rng;
use rackwarden_base::time::Mono;
use rackwarden_core::effect::earlier;
use rackwarden_core::event::Event;
use rackwarden_snmp::engine::{Engine, Transmit};
use rackwarden_snmp::{SnmpReply, SnmpRequest};
use rustix::io::Errno;
use socket::Socket;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests that wait for the net thread; beyond it they are refused as `Overload`.
const MAX_QUEUED: usize = 16_384;
/// Datagrams that one look takes from a socket. Many more than its buffer holds, so whatever had arrived
/// when the look began is read; less than what a flood brings.
const MAX_DRAIN: usize = 4096;
/// Answers of a large burst are handed over together, at the latest after this time.
const SLOT: Duration = Duration::from_millis(20);

/// Hands requests to the service. Clones share its queue.
#[derive(Clone, Debug)]
pub struct SnmpHandle {
    shared: Arc<Shared>,
    waker: Waker,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Vec<SnmpRequest>>,
    strays: AtomicU64,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Vec<SnmpRequest>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SnmpHandle {
    /// Sends these requests as one burst. Never waits.
    ///
    /// # Errors
    /// Gives replies for those requests that found the queue full; the others are answered by
    /// `Event::Snmp`.
    pub fn submit(&self, requests: Vec<SnmpRequest>) -> Result<(), Vec<SnmpReply>> {
        let mut refused = Vec::new();
        {
            let mut queue = self.shared.queue();
            if queue.is_empty() {
                *queue = requests;
            } else {
                queue.extend(requests);
            }
            let fits = queue.len().min(MAX_QUEUED);
            refused.extend(queue.drain(fits..).map(|request| self.refusal(&request)));
        }
        self.waker.wake();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// Datagrams so far that answered nothing: late, doubled, foreign, forged or broken.
    pub fn strays(&self) -> u64 {
        self.shared.strays.load(Ordering::Relaxed)
    }

    fn refusal(&self, request: &SnmpRequest) -> SnmpReply {
        let now = self.clock.mono();
        SnmpReply {
            ticket: request.ticket,
            result: Err(Fault::new(FaultKind::Overload, "too many requests wait")),
            sent: now,
            received: now,
            tries: 0,
            round_trip: None,
        }
    }
}

/// The service on the net thread.
pub struct SnmpService {
    shared: Arc<Shared>,
    inbox: Inbox,
    clock: Clock,
    engine: Engine,
    /// IPv4 and IPv6; opened for the first request that needs them. The position is the token.
    sockets: [Option<Socket>; 2],
    pace: Pace,
    look: Look,
    /// The datagram that is to be sent; keeps its room.
    outgoing: Vec<u8>,
    /// `outgoing` waits until its socket takes it.
    blocked: Option<Transmit>,
    incoming: Box<[u8]>,
    /// Since when replies are held back.
    held_since: Option<Mono>,
}

impl SnmpService {
    /// A service and its handle. Replies go to `inbox`; `seed` makes the request ids.
    pub fn new(clock: Clock, seed: u64, inbox: Inbox, waker: Waker) -> (SnmpService, SnmpHandle) {
        let shared = Arc::new(Shared::default());
        let handle = SnmpHandle {
            shared: Arc::clone(&shared),
            waker,
            clock,
        };
        let service = SnmpService {
            shared,
            inbox,
            clock,
            engine: Engine::new(Rng::new(seed)),
            sockets: [None, None],
            pace: Pace::default(),
            look: Look::default(),
            outgoing: Vec::new(),
            blocked: None,
            incoming: vec![0; 65_536].into_boxed_slice(),
            held_since: None,
        };
        (service, handle)
    }

    /// Sends what is due and fits, hands over what has come.
    fn pump(&mut self, registry: &Registry<'_>, now: Mono) {
        self.send(now);
        self.deliver(now);
        self.watch(registry);
    }

    fn send(&mut self, now: Mono) {
        self.pace.fill(now);
        while self.pace.has_room() {
            let transmit = match self.blocked.take() {
                Some(transmit) => transmit,
                None => match self.engine.poll_transmit(now, &mut self.outgoing) {
                    Some(transmit) => transmit,
                    None => break,
                },
            };
            let result = open(&mut self.sockets, &mut self.pace, transmit.to)
                .and_then(|socket| socket.send(&self.outgoing, transmit.to));
            match result {
                Ok(()) => self.pace.sent(),
                Err(Errno::AGAIN) => {
                    self.blocked = Some(transmit);
                    break;
                }
                Err(err) => {
                    let detail = format!("cannot send: {}", reason(err));
                    self.engine.handle_send_error(now, transmit, &detail);
                }
            }
        }
    }

    /// Reads the sockets empty. Returns how many datagrams there were.
    fn drain(&mut self, now: Mono) -> usize {
        let mut count = 0;
        for socket in self.sockets.iter().flatten() {
            for _ in 0..MAX_DRAIN {
                match socket.receive(&mut self.incoming) {
                    Ok((len, from)) => {
                        count += 1;
                        self.engine
                            .handle_datagram(now, from, &self.incoming[..len]);
                    }
                    Err(Errno::AGAIN) => break,
                    // What is reported here are errors of earlier datagrams; reading clears them.
                    Err(_) => {}
                }
            }
        }
        if count > 0 {
            self.shared
                .strays
                .store(self.engine.strays(), Ordering::Relaxed);
        }
        count
    }

    /// Hands replies over: at once, or as one batch when the rest of a large burst is about to come.
    fn deliver(&mut self, now: Mono) {
        if !self.engine.has_replies() {
            self.held_since = None;
            return;
        }
        let since = *self.held_since.get_or_insert(now);
        let is_amid_burst =
            self.engine.unsent() > 0 || self.look.is_streaming(self.engine.outstanding());
        if is_amid_burst && now.since(since) < SLOT {
            return;
        }
        self.hand_over();
    }

    fn hand_over(&mut self) {
        self.held_since = None;
        if self.engine.has_replies() {
            self.inbox.send(Event::Snmp(self.engine.take_replies()));
        }
    }

    /// Tells epoll what to wake us for.
    fn watch(&mut self, registry: &Registry<'_>) {
        let is_waiting = self.look.is_watching() && self.engine.outstanding() > 0;
        for (token, socket) in self.sockets.iter_mut().enumerate() {
            let Some(socket) = socket else { continue };
            let is_blocked = self
                .blocked
                .is_some_and(|transmit| token_of(transmit.to) == token);
            let interest = match (is_blocked, is_waiting) {
                (true, _) => Interest::Write,
                (false, true) => Interest::Read,
                (false, false) => Interest::None,
            };
            socket.watch(registry, token as u32, interest);
        }
    }

    fn next_action(&self) -> Option<Mono> {
        let send = (self.engine.unsent() > 0 && self.blocked.is_none()).then(|| self.pace.turn());
        let look = self.look.at().filter(|_| self.engine.outstanding() > 0);
        let deliver = self.held_since.map(|since| since + SLOT);
        // With many requests out there is a slot's wake-up soon, and it serves the timers as well.
        let slack = if self.engine.outstanding() > look::MANY {
            SLOT
        } else {
            Duration::ZERO
        };
        let timer = self.engine.poll_timeout().map(|due| due + slack);
        earlier(earlier(timer, send), earlier(look, deliver))
    }
}

impl Service for SnmpService {
    fn handle_wake(&mut self, registry: &Registry<'_>) {
        let requests = std::mem::take(&mut *self.shared.queue());
        if requests.is_empty() {
            return;
        }
        let now = self.clock.mono();
        // What is left over from earlier must not take the room of the answers to come.
        self.drain(now);
        self.engine.handle_timeout(now);
        if requests.len() > look::MANY {
            // Answers to the burst before.
            self.hand_over();
        }
        self.look.burst_sent(now, requests.len());
        self.engine.submit(now, requests);
        self.pump(registry, now);
    }

    fn handle_ready(&mut self, registry: &Registry<'_>, _token: u32, ready: Ready) {
        let now = self.clock.mono();
        if ready.readable {
            let count = self.drain(now);
            let outstanding = self.engine.outstanding();
            self.look.woken(now, count, outstanding);
            self.engine.handle_timeout(now);
        }
        self.pump(registry, now);
    }

    fn handle_timeout(&mut self, registry: &Registry<'_>, _now: Instant) {
        // Read before the sockets are, so that whatever had arrived by then counts.
        let now = self.clock.mono();
        if self.next_action().is_none_or(|at| at > now) {
            return;
        }
        let count = self.drain(now);
        self.look.looked(now, count, self.engine.outstanding());
        self.engine.handle_timeout(now);
        self.pump(registry, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next_action().map(|at| self.clock.instant(at))
    }
}

const fn token_of(addr: SocketAddr) -> usize {
    match addr {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(_) => 1,
    }
}

/// The socket for this address, opened at its first use.
fn open<'a>(
    sockets: &'a mut [Option<Socket>; 2],
    pace: &mut Pace,
    to: SocketAddr,
) -> Result<&'a mut Socket, Errno> {
    let place = &mut sockets[token_of(to)];
    if place.is_none() {
        let socket = Socket::open(to)?;
        pace.fit(socket.buffer_bytes());
        *place = Some(socket);
    }
    place.as_mut().ok_or(Errno::NOTCONN)
}

/// The system's words without its number: `Network is unreachable`.
fn reason(err: Errno) -> String {
    let text = io::Error::from(err).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
