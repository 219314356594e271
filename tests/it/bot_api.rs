//! A stand-in for Telegram's Bot API on loopback: sockets around the library's model of the service, which knows offsets,
//! long polls, conflicts, limits and error texts. One thread for each connection.

use rackwarden_core::sim::Weather;
pub(crate) use rackwarden_core::sim::telegram::Message;
use rackwarden_core::sim::telegram::{Reply, Service};
use rackwarden_core::time::{Mono, Now, Wall};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The token that the stand-in accepts.
pub(crate) const TOKEN: &str = "999:stand-in-token";

/// The owner of `BotApi::config`.
pub(crate) const OWNER: i64 = 42;

/// Longer than any condition takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A running stand-in. Dropping it ends the listener.
pub(crate) struct BotApi {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    began: Instant,
}

#[derive(Default)]
struct State {
    service: Service,
    callers: u64,
    streams: Vec<TcpStream>,
    is_away: bool,
    /// Nobody listens any more.
    is_closed: bool,
    is_stopping: bool,
}

/// Something that people saw, and when.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    /// When it arrived.
    pub(crate) at: Instant,
    /// The message as it read then.
    pub(crate) message: Message,
}

impl BotApi {
    /// Begins to listen on a free port.
    pub(crate) fn start() -> BotApi {
        BotApi::listen("127.0.0.1:0").expect("a free port on loopback")
    }

    /// Begins to listen.
    pub(crate) fn listen(addr: &str) -> std::io::Result<BotApi> {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            began: Instant::now(),
        });
        shared.lock().service.set_token(TOKEN);
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&accepting, addr, listener));
        Ok(BotApi { addr, shared })
    }

    /// For `[telegram] api_url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// `[telegram]`, one owner, and where alerts go: to the owner.
    pub(crate) fn config(&self) -> String {
        self.config_for(&format!("\"telegram:{OWNER}\""))
    }

    /// The same with another audience.
    pub(crate) fn config_for(&self, to: &str) -> String {
        format!(
            "[telegram]\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\n\
             [access]\nowners = [\"telegram:{OWNER}\"]\n[notify]\nto = [{to}]\ntimezone = \"UTC\"\n",
            self.url()
        )
    }

    /// The model behind the sockets, for everything that has no method here.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Service, Now) -> T) -> T {
        let now = self.shared.now();
        let result = change(&mut self.shared.lock().service, now);
        self.shared.changed.notify_all();
        result
    }

    /// The owner writes to the bot.
    pub(crate) fn say(&self, text: &str) {
        self.post(OWNER, OWNER, text);
    }

    /// Somebody writes now.
    pub(crate) fn post(&self, user: i64, chat: i64, text: &str) {
        self.with(|service, now| service.post(user, chat, text, now.wall));
    }

    /// Somebody wrote so long ago; it arrives only now.
    pub(crate) fn post_late(&self, user: i64, chat: i64, text: &str, age: Duration) {
        self.with(|service, now| service.post(user, chat, text, now.wall.minus(age)));
    }

    /// Somebody presses the newest button with this label; false when there is none.
    pub(crate) fn press(&self, user: i64, chat: i64, label: &str) -> bool {
        self.with(|service, now| service.press(user, chat, label, now.wall))
    }

    /// The next `times` calls of `method` (`*` for all) are treated like this.
    pub(crate) fn weather(&self, method: &str, times: u32, weather: Weather) {
        self.with(|service, now| service.set_weather(now, method, times, weather));
    }

    /// Connections are refused from now on and open ones are cut, or they are accepted again.
    pub(crate) fn set_away(&self, is_away: bool) {
        let mut state = self.shared.lock();
        state.is_away = is_away;
        for stream in state.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        if is_away {
            // Wakes the listener, which looks up and goes.
            let _ = TcpStream::connect(self.addr);
            let mut state = self.shared.lock();
            while !state.is_closed {
                state = self.shared.wait(state, PATIENCE);
            }
        }
    }

    /// Everything that was said, as it reads now.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.shared.lock().service.messages().to_vec()
    }

    /// Everything that people saw.
    pub(crate) fn sights(&self) -> Vec<Sight> {
        let state = self.shared.lock();
        let sights = state.service.sights().iter();
        let sight = |sight: &rackwarden_core::sim::telegram::Sight| Sight {
            at: self.shared.began + sight.at.mono.since_start(),
            message: sight.message.clone(),
        };
        sights.map(sight).collect()
    }

    /// New messages (edits do not count) with these words.
    pub(crate) fn news(&self, words: &str) -> Vec<String> {
        let is_one = |sight: &Sight| sight.message.edits == 0;
        let news = self.sights().into_iter().filter(is_one);
        let texts = news.map(|sight| sight.message.text);
        texts.filter(|text| text.contains(words)).collect()
    }

    /// Waits until people have seen these words, and says when.
    ///
    /// # Panics
    /// Panics with everything that was said when it takes too long.
    pub(crate) fn wait_for_message(&self, words: &str) -> Sight {
        let found = self.wait_until(PATIENCE, |service| {
            let mut sights = service.sights().iter();
            let sight = sights.find(|sight| sight.message.text.contains(words))?;
            Some((sight.at.mono, sight.message.clone()))
        });
        let Some((at, message)) = found else {
            panic!("no message with {words:?}: {:#?}", self.messages());
        };
        let at = self.shared.began + at.since_start();
        Sight { at, message }
    }

    /// Waits until a message is as wanted.
    ///
    /// # Panics
    /// Panics with everything that was said when it does not come in time.
    pub(crate) fn wait_for(&self, within: Duration, wanted: impl Fn(&Message) -> bool) -> Message {
        let look = |service: &Service| service.messages().iter().find(|one| wanted(one)).cloned();
        let found = self.wait_until(within, look);
        found.unwrap_or_else(|| panic!("no such message within {within:?}: {:#?}", self.messages()))
    }

    /// Waits until so many calls of a method were made; true when they were.
    pub(crate) fn wait_for_calls(&self, within: Duration, method: &str, count: usize) -> bool {
        let made = |service: &Service| {
            let calls = service.calls().iter().filter(|call| call.method == method);
            (calls.count() >= count).then_some(())
        };
        self.wait_until(within, made).is_some()
    }

    /// Waits until the bot waits for updates.
    ///
    /// # Panics
    /// Panics when that takes too long.
    pub(crate) fn wait_for_poll(&self) {
        let look = |service: &Service| service.is_polled().then_some(());
        self.wait_until(PATIENCE, look).expect("a long poll");
    }

    /// Waits until the model shows what is looked for.
    pub(crate) fn wait_until<T>(
        &self,
        within: Duration,
        look: impl Fn(&Service) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = look(&state.service) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.shared.wait(state, left);
        }
    }
}

impl Drop for BotApi {
    fn drop(&mut self) {
        self.shared.lock().is_stopping = true;
        self.shared.changed.notify_all();
        let _ = TcpStream::connect(self.addr);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, at_most: Duration) -> MutexGuard<'a, State> {
        self.changed
            .wait_timeout(state, at_most)
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            mono: Mono::new(self.began.elapsed()),
            wall: Wall(since.map_or(0, |since| since.as_millis() as i64)),
        }
    }
}

fn accept(shared: &Arc<Shared>, addr: SocketAddr, mut listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept() else {
            continue;
        };
        let mut state = shared.lock();
        if state.is_away && !state.is_stopping {
            drop((stream, listener));
            state.is_closed = true;
            shared.changed.notify_all();
            while state.is_away && !state.is_stopping {
                state = shared.wait(state, PATIENCE);
            }
            listener = loop {
                match TcpListener::bind(addr) {
                    Ok(listener) => break listener,
                    Err(_) => thread::sleep(Duration::from_millis(1)),
                }
            };
            state.is_closed = false;
            continue;
        }
        if state.is_stopping {
            return;
        }
        state.streams.extend(stream.try_clone());
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || serve(&shared, stream));
    }
}

fn serve(shared: &Shared, stream: TcpStream) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    while let Some((path, kind, body)) = read_request(&mut reader) {
        let reply = answer(shared, &path, &kind, &body);
        shared.changed.notify_all();
        let written = match reply {
            Some(Reply::Answer(status, body)) => write_answer(&mut writer, status, "", &body),
            Some(Reply::Gzip(body)) => {
                write_answer(&mut writer, 200, "Content-Encoding: gzip\r\n", &body)
            }
            Some(Reply::Drip(status, body, pause)) => drip(&mut writer, status, &body, pause),
            Some(Reply::Lost | Reply::Away) | None => break,
        };
        if written.is_err() {
            break;
        }
    }
    let _ = writer.shutdown(Shutdown::Both);
}

/// Hands a call to the model and waits for what becomes of it.
fn answer(shared: &Shared, path: &str, kind: &str, body: &[u8]) -> Option<Reply> {
    let mut state = shared.lock();
    state.callers += 1;
    let caller = state.callers;
    let now = shared.now();
    state.service.call(now, caller, path, kind, body);
    shared.changed.notify_all();
    loop {
        let now = shared.now();
        if let Some(reply) = state.service.take_reply(now, caller) {
            return Some(reply);
        }
        if state.is_stopping {
            return None;
        }
        let due = state.service.poll_timeout();
        let wait = due.map_or(PATIENCE, |due| due.since(now.mono));
        state = shared.wait(state, wait.max(Duration::from_millis(1)));
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|count| *count > 0)?;
    let path = line.split_whitespace().nth(1)?.to_owned();
    let (mut length, mut kind) = (0, String::new());
    loop {
        let mut header = String::new();
        reader
            .read_line(&mut header)
            .ok()
            .filter(|count| *count > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "content-type" => kind = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((path, kind, body))
}

fn head(status: u16, further: &str, length: usize) -> Vec<u8> {
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    format!("HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Type: application/json\r\n{further}Content-Length: {length}\r\n\r\n")
        .into_bytes()
}

fn write_answer(
    writer: &mut TcpStream,
    status: u16,
    further: &str,
    body: &[u8],
) -> std::io::Result<()> {
    writer.write_all(&[&head(status, further, body.len()), body].concat())
}

fn drip(writer: &mut TcpStream, status: u16, body: &[u8], pause: Duration) -> std::io::Result<()> {
    for byte in [&head(status, "", body.len()), body].concat() {
        writer.write_all(&[byte])?;
        thread::sleep(pause);
    }
    Ok(())
}
