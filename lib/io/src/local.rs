//! The local socket: `ask` and `status` of the same machine, known by peer credentials.
//!
//! Everybody may connect, as far as the directory lets them; what they may do is decided by who they are. One
//! request a connection: a line of JSON, `{"ask":"/current"}` or `{"status":true}`, or the chat command as it
//! is. The answer is lines of JSON, the last with `"last":true`: `{"text","document","last"}` for a question,
//! `{"status","power","host","alerts","last"}` for the status, `{"error","last"}` when there is no answer.

use super::clock::Clock;
use super::inbox::Inbox;
use super::net::{Interest, Ready, Registry, Service, Waker};
use super::published::Published;
use super::stream::{self, Accepted, Listener};
use rackwarden_core::chat::{Asked, SessionId, sessions};
use rackwarden_core::effect::SessionReply;
use rackwarden_core::event::Event;
use rackwarden_core::http::terminal;
use rackwarden_core::snapshot::Seen;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The file name, in the directory that the environment or the configuration names.
pub const FILE_NAME: &str = "rackwarden.sock";

/// Callers at a time.
const MAX_CALLERS: usize = 16;
/// Longest request line in bytes.
const MAX_REQUEST: usize = 4096;
/// For the request to be complete, and for the caller to read the end of the answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// For the core to answer, from the request or from the last part of the answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that wait for a caller who does not read; beyond that it is cut off.
const MAX_UNREAD: usize = 8 << 20;
/// Replies between the core and this thread; the oldest is dropped, and its caller told when time is up.
const MAX_REPLIES: usize = 256;
/// Everybody: rights are decided by peer credentials.
const SOCKET_MODE: u32 = 0o666;
/// After running out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// The listener's token; below are those of callers.
const LISTENER: u32 = 1 << 16;

/// Binds the socket in a directory. A stale one is replaced.
///
/// # Errors
/// `AddrInUse` when another agent answers there, otherwise the operating system's error.
pub fn bind(directory: &Path) -> io::Result<Listener> {
    Listener::unix(&directory.join(FILE_NAME), SOCKET_MODE)
}

/// Where the agent makes its socket: the first directory that is set.
pub fn directory(
    runtime_directory: Option<&str>,
    xdg_runtime_dir: Option<&str>,
    state_dir: Option<&Path>,
) -> Option<PathBuf> {
    // systemd separates several directories by colons.
    let runtime = runtime_directory.and_then(|list| list.split(':').next());
    let set = |path: Option<&str>| path.filter(|path| !path.is_empty()).map(PathBuf::from);
    set(runtime)
        .or_else(|| set(xdg_runtime_dir))
        .or_else(|| state_dir.map(Path::to_owned))
}

/// The socket, a service of the net thread.
pub struct LocalSocket {
    listener: Listener,
    inbox: Inbox,
    published: Arc<Published>,
    clock: Clock,
    own_uid: u32,
    callers: Vec<Option<Caller>>,
    next_session: u64,
    paused_until: Option<Instant>,
    replies: Arc<Mutex<VecDeque<SessionReply>>>,
}

/// Brings the core's replies to the callers.
#[derive(Clone)]
pub struct LocalHandle {
    replies: Arc<Mutex<VecDeque<SessionReply>>>,
    waker: Waker,
}

struct Caller {
    stream: OwnedFd,
    session: SessionId,
    uid: u32,
    phase: Phase,
    watched: Interest,
    deadline: Instant,
    /// The request as far as it has come, then the answer as far as it has to go.
    buffer: Vec<u8>,
    sent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The request is not complete.
    Asking,
    /// The answer is not complete.
    Waiting,
    /// The answer is on its way out.
    Leaving,
}

enum Request {
    Status,
    Ask(String),
}

impl LocalHandle {
    /// Hands a reply over. Never waits.
    pub fn reply(&self, reply: SessionReply) {
        let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
        if replies.len() >= MAX_REPLIES {
            replies.pop_front();
        }
        replies.push_back(reply);
        drop(replies);
        self.waker.wake();
    }
}

impl LocalSocket {
    /// A socket on a bound listener. Questions go to `inbox`; the status is answered from `published`.
    pub fn new(
        listener: Listener,
        inbox: Inbox,
        published: Arc<Published>,
        clock: Clock,
        waker: Waker,
    ) -> (LocalSocket, LocalHandle) {
        let replies = Arc::new(Mutex::new(VecDeque::new()));
        let handle = LocalHandle {
            replies: Arc::clone(&replies),
            waker,
        };
        let socket = LocalSocket {
            listener,
            inbox,
            published,
            clock,
            own_uid: rustix::process::geteuid().as_raw(),
            callers: Vec::new(),
            next_session: SessionId::TERMINAL.0,
            paused_until: None,
            replies,
        };
        (socket, handle)
    }

    fn accept(&mut self, registry: &Registry<'_>) {
        for _ in 0..MAX_CALLERS {
            match self.listener.accept() {
                Accepted::Stream(stream, _) => self.admit(registry, stream),
                Accepted::Drained => return,
                Accepted::Exhausted => {
                    self.paused_until = Some(Instant::now() + PAUSE);
                    let _ = registry.modify(&self.listener, LISTENER, Interest::None);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, registry: &Registry<'_>, stream: OwnedFd) {
        let Ok(credentials) = rustix::net::sockopt::socket_peercred(&stream) else {
            return;
        };
        let index = match self.callers.iter().position(Option::is_none) {
            Some(index) => index,
            None if self.callers.len() < MAX_CALLERS => {
                self.callers.push(None);
                self.callers.len() - 1
            }
            None => self.longest_waiting(),
        };
        // Ends the one that had the place.
        self.callers[index] = None;
        if registry.add(&stream, index as u32, Interest::Read).is_err() {
            return;
        }
        self.next_session += 1;
        self.callers[index] = Some(Caller {
            stream,
            session: SessionId(self.next_session),
            uid: credentials.uid.as_raw(),
            phase: Phase::Asking,
            watched: Interest::Read,
            deadline: Instant::now() + DEADLINE,
            buffer: Vec::new(),
            sent: 0,
        });
    }

    /// The place of a caller that has not asked, else of the one that has waited longest.
    fn longest_waiting(&self) -> usize {
        let places = self.callers.iter().enumerate();
        let longest = places
            .filter_map(|(index, caller)| {
                let caller = caller.as_ref()?;
                Some((caller.phase, caller.session, index))
            })
            .min();
        longest.map_or(0, |(_, _, index)| index)
    }

    fn serve(&mut self, registry: &Registry<'_>, index: usize, ready: Ready) {
        let Some(mut caller) = self.callers.get_mut(index).and_then(Option::take) else {
            return;
        };
        let stays = match caller.phase {
            Phase::Asking => self.read(&mut caller),
            // Only a hang-up is reported to one who is not writing.
            Phase::Waiting if caller.unsent().is_empty() => Ok(!ready.readable),
            Phase::Waiting | Phase::Leaving => Ok(true),
        };
        if matches!(stays, Ok(true)) && caller.carry_on(registry, index as u32) {
            self.callers[index] = Some(caller);
        }
    }

    /// True while the connection stays.
    fn read(&mut self, caller: &mut Caller) -> io::Result<bool> {
        let mut chunk = [0u8; MAX_REQUEST];
        let ended = match stream::receive(&caller.stream, &mut chunk)? {
            None => return Ok(true),
            Some(len) => {
                caller.buffer.extend_from_slice(&chunk[..len]);
                len == 0
            }
        };
        let end = caller.buffer.iter().position(|byte| *byte == b'\n');
        if end.is_none() && caller.buffer.len() > MAX_REQUEST {
            caller.refuse("the request is longer than 4 KiB");
            return Ok(true);
        }
        if end.is_none() && !ended {
            return Ok(true);
        }
        let line = std::mem::take(&mut caller.buffer);
        let line = &line[..end.unwrap_or(line.len())];
        match request(line) {
            Ok(Request::Status) => self.tell_status(caller),
            Ok(Request::Ask(line)) => self.ask(caller, line),
            Err(why) => caller.refuse(why),
        }
        Ok(true)
    }

    fn ask(&mut self, caller: &mut Caller, line: String) {
        caller.phase = Phase::Waiting;
        caller.deadline = Instant::now() + PATIENCE;
        self.inbox.send(Event::Asked(Asked {
            session: caller.session,
            who: sessions::local(caller.uid),
            is_owner: self.is_owner(caller),
            line,
        }));
    }

    fn is_owner(&self, caller: &Caller) -> bool {
        caller.uid == 0 || caller.uid == self.own_uid
    }

    fn tell_status(&self, caller: &mut Caller) {
        let snapshot = self.published.get();
        let seen = Seen::new(&snapshot, self.clock.now());
        if !self.is_owner(caller) && !snapshot.local_viewers.contains(&caller.uid) {
            caller.refuse(
                "the status is for those who have a role; ask an owner for a grant to local:UID",
            );
            return;
        }
        caller.say(terminal::answer(&seen));
        caller.leave();
    }

    fn deliver(&mut self, registry: &Registry<'_>, reply: &SessionReply) {
        let place = self.callers.iter().position(|caller| {
            let caller = caller.as_ref();
            caller.is_some_and(|caller| {
                caller.session == reply.session && caller.phase == Phase::Waiting
            })
        });
        // Who asked may be gone by now.
        let Some((index, mut caller)) =
            place.and_then(|index| Some((index, self.callers[index].take()?)))
        else {
            return;
        };
        caller.say(terminal::part(reply));
        caller.deadline = Instant::now() + PATIENCE;
        if reply.last {
            caller.leave();
        }
        if caller.carry_on(registry, index as u32) {
            self.callers[index] = Some(caller);
        }
    }
}

impl Caller {
    fn unsent(&self) -> &[u8] {
        match self.phase {
            Phase::Asking => &[],
            Phase::Waiting | Phase::Leaving => &self.buffer[self.sent..],
        }
    }

    fn say(&mut self, line: String) {
        self.buffer.drain(..self.sent);
        self.sent = 0;
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
    }

    fn refuse(&mut self, why: &str) {
        let line = serde_json::json!({"error": why, "last": true});
        self.buffer.clear();
        self.sent = 0;
        self.say(line.to_string());
        self.leave();
    }

    fn leave(&mut self) {
        self.phase = Phase::Leaving;
        self.deadline = Instant::now() + DEADLINE;
    }

    /// Writes what can be written and watches for what comes next. False when the connection is over.
    fn carry_on(&mut self, registry: &Registry<'_>, token: u32) -> bool {
        while !self.unsent().is_empty() {
            match stream::send(&self.stream, &[IoSlice::new(self.unsent())]) {
                Ok(0) => break,
                Ok(len) => self.sent += len,
                Err(_) => return false,
            }
        }
        let unread = self.unsent().len();
        if unread > MAX_UNREAD || unread == 0 && self.phase == Phase::Leaving {
            return false;
        }
        let wanted = match (self.phase, unread) {
            (Phase::Asking, _) => Interest::Read,
            // A caller that has closed its sending half would be readable all the time.
            (_, 0) => Interest::None,
            _ => Interest::Write,
        };
        if wanted != self.watched {
            self.watched = wanted;
            return registry.modify(&self.stream, token, wanted).is_ok();
        }
        true
    }
}

impl Service for LocalSocket {
    fn start(&mut self, registry: &Registry<'_>) -> io::Result<()> {
        registry.add(&self.listener, LISTENER, Interest::Read)
    }

    fn handle_ready(&mut self, registry: &Registry<'_>, token: u32, ready: Ready) {
        if token == LISTENER {
            self.accept(registry);
        } else {
            self.serve(registry, token as usize, ready);
        }
    }

    fn handle_wake(&mut self, registry: &Registry<'_>) {
        loop {
            let reply = {
                let mut replies = self.replies.lock().unwrap_or_else(PoisonError::into_inner);
                replies.pop_front()
            };
            match reply {
                Some(reply) => self.deliver(registry, &reply),
                None => return,
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let callers = self.callers.iter().flatten();
        callers
            .map(|caller| caller.deadline)
            .chain(self.paused_until)
            .min()
    }

    fn handle_timeout(&mut self, registry: &Registry<'_>, now: Instant) {
        for (index, place) in self.callers.iter_mut().enumerate() {
            let Some(mut caller) = place.take_if(|caller| caller.deadline <= now) else {
                continue;
            };
            // A silent caller is dropped; one whose answer does not come is told so.
            if caller.phase == Phase::Waiting && caller.unsent().is_empty() {
                caller.refuse("the agent has not answered within 60 s; look at its log");
                if caller.carry_on(registry, index as u32) {
                    *place = Some(caller);
                }
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            let _ = registry.modify(&self.listener, LISTENER, Interest::Read);
        }
    }
}

fn request(line: &[u8]) -> Result<Request, &'static str> {
    let line = std::str::from_utf8(line).map_err(|_| "the request is not UTF-8")?;
    let line = line.trim();
    if !line.starts_with('{') {
        return match line {
            "" => Err("the request is empty"),
            line => Ok(Request::Ask(line.to_owned())),
        };
    }
    let value: serde_json::Value =
        serde_json::from_str(line).map_err(|_| "the request is not valid JSON")?;
    if value["status"] == true {
        return Ok(Request::Status);
    }
    match value["ask"].as_str() {
        Some(line) => Ok(Request::Ask(line.to_owned())),
        None => Err("the request needs \"ask\" or \"status\""),
    }
}
