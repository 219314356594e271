//! A stand-in for Telegram's Bot API on loopback: offsets, long polls and conflicts as the real server has them, its
//! limits and its error texts, scripted faults, and a log of every call. One thread for each connection.

#![allow(dead_code, reason = "each user needs another part of it")]

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The token that the stand-in accepts.
pub(crate) const TOKEN: &str = "999:stand-in-token";

/// A running stand-in. Dropping it ends the listener.
pub(crate) struct BotApi {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    is_stopping: AtomicBool,
}

/// What the service knows.
#[derive(Default)]
struct State {
    updates: BTreeMap<i64, Value>,
    last_update: i64,
    last_message: i64,
    messages: Vec<Message>,
    queries: Vec<String>,
    commands: BTreeMap<String, Value>,
    moved: BTreeMap<i64, i64>,
    has_webhook: bool,
    /// Number of the newest poll; an older one that still waits is terminated.
    newest_poll: u64,
    faults: Vec<(String, u32, Fault)>,
    calls: Vec<Call>,
}

/// A message as people see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// Its number.
    pub(crate) id: i64,
    /// The chat.
    pub(crate) chat: i64,
    /// The topic.
    pub(crate) topic: Option<i64>,
    /// Text or caption, without markup.
    pub(crate) text: String,
    /// Rows of buttons: label and data.
    pub(crate) buttons: Vec<(String, String)>,
    /// The file's name and contents.
    pub(crate) document: Option<(String, Vec<u8>)>,
    /// How often it was changed.
    pub(crate) edits: u32,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its method.
    pub(crate) method: String,
    /// Its parameters.
    pub(crate) parameters: Value,
    /// When.
    pub(crate) at: Instant,
}

/// How a call is treated instead of what it deserves.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An error of the Bot API: code, description, `parameters`.
    Refuse(u16, String, Value),
    /// The connection is cut before anything is done.
    CutBefore,
    /// It is done, but the connection is cut before the answer.
    CutAfter,
    /// Status 200 with this body.
    Body(Vec<u8>),
    /// One byte of the answer at a time, with this pause.
    Drip(Duration),
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
        let shared = Arc::new(Shared::default());
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.is_stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&accepting);
                thread::spawn(move || serve(&shared, stream));
            }
        });
        Ok(BotApi { addr, shared })
    }

    /// For `[telegram] api_url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Somebody writes now.
    pub(crate) fn post(&self, user: i64, chat: i64, text: &str) {
        self.post_at(user, chat, text, unix_now());
    }

    /// Somebody wrote at this time.
    pub(crate) fn post_at(&self, user: i64, chat: i64, text: &str, unix_seconds: i64) {
        let mut state = self.shared.lock();
        state.last_message += 1;
        let message = json!({
            "message_id": state.last_message,
            "date": unix_seconds,
            "text": text,
            "from": person(user),
            "chat": chat_of(chat),
        });
        state.update("message", message);
        self.shared.changed.notify_all();
    }

    /// Somebody presses the newest button with this label; false when there is none.
    pub(crate) fn press(&self, user: i64, chat: i64, label: &str) -> bool {
        let mut state = self.shared.lock();
        let found = state.messages.iter().rev().find_map(|message| {
            let button = message
                .buttons
                .iter()
                .find(|(text, _)| text.contains(label))?;
            (message.chat == chat).then(|| (message.id, button.1.clone()))
        });
        let Some((message, data)) = found else {
            return false;
        };
        let query = format!("query-{}", state.last_update);
        state.queries.push(query.clone());
        let press = json!({
            "id": query,
            "data": data,
            "from": person(user),
            "message": {"message_id": message, "date": unix_now(), "chat": chat_of(chat)},
        });
        state.update("callback_query", press);
        self.shared.changed.notify_all();
        true
    }

    /// Any update, without its number.
    pub(crate) fn inject(&self, kind: &str, content: Value) {
        self.shared.lock().update(kind, content);
        self.shared.changed.notify_all();
    }

    /// A group becomes a supergroup.
    pub(crate) fn migrate(&self, old: i64, new: i64) {
        self.shared.lock().moved.insert(old, new);
    }

    /// A webhook is set, or removed.
    pub(crate) fn set_webhook(&self, is_set: bool) {
        self.shared.lock().has_webhook = is_set;
        self.shared.changed.notify_all();
    }

    /// The next `times` calls of `method` (`*` for all) are treated like this.
    pub(crate) fn fault(&self, method: &str, times: u32, fault: Fault) {
        let fault = (method.to_owned(), times, fault);
        self.shared.lock().faults.push(fault);
    }

    /// All is well again.
    pub(crate) fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Everything that was said.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.shared.lock().messages.clone()
    }

    /// Every call that was made.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.lock().calls.clone()
    }

    /// The menus, by scope.
    pub(crate) fn commands(&self) -> BTreeMap<String, Value> {
        self.shared.lock().commands.clone()
    }

    /// Waits until a message is as wanted.
    ///
    /// # Panics
    /// Panics with everything that was said when it does not come in time.
    pub(crate) fn wait_for(&self, within: Duration, wanted: impl Fn(&Message) -> bool) -> Message {
        self.wait_until(within, |state| {
            state
                .messages
                .iter()
                .find(|message| wanted(message))
                .cloned()
        })
        .unwrap_or_else(|| panic!("no such message within {within:?}: {:#?}", self.messages()))
    }

    /// Waits until so many calls of a method were made; true when they were.
    pub(crate) fn wait_for_calls(&self, within: Duration, method: &str, count: usize) -> bool {
        let made = |state: &State| {
            let calls = state.calls.iter().filter(|call| call.method == method);
            (calls.count() >= count).then_some(())
        };
        self.wait_until(within, made).is_some()
    }

    fn wait_until<T>(&self, within: Duration, look: impl Fn(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.shared.wait(state, left);
        }
    }
}

impl Drop for BotApi {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
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
}

type Answer = Result<Value, (u16, String, Value)>;

fn serve(shared: &Shared, stream: TcpStream) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    let mut reader = BufReader::new(stream);
    while let Some((path, kind, body)) = read_request(&mut reader) {
        let (token, method) = match path.trim_start_matches("/bot").split_once('/') {
            Some((token, method)) => (token.to_owned(), method.to_owned()),
            None => (String::new(), String::new()),
        };
        let (parameters, document) = parameters(&kind, &body);
        let fault = note_call(shared, &method, &parameters);
        if matches!(fault, Some(Fault::CutBefore)) {
            return;
        }
        let answer = match fault {
            Some(Fault::Refuse(code, ref text, ref hints)) => {
                Err((code, text.clone(), hints.clone()))
            }
            Some(Fault::Body(_)) => Ok(Value::Null),
            _ if token != TOKEN => Err(refused(401, "Unauthorized")),
            _ if method == "getUpdates" => get_updates(shared, &parameters),
            _ => shared.lock().call(&method, &parameters, document),
        };
        shared.changed.notify_all();
        let (status, mut body) = encode(answer);
        match fault {
            Some(Fault::CutAfter) => return,
            Some(Fault::Body(other)) => body = other,
            Some(Fault::Drip(pause)) => {
                drip(&mut writer, status, &body, pause);
                return;
            }
            _ => {}
        }
        if write_answer(&mut writer, status, &body).is_err() {
            return;
        }
    }
}

fn note_call(shared: &Shared, method: &str, parameters: &Value) -> Option<Fault> {
    let mut state = shared.lock();
    state.calls.push(Call {
        method: method.to_owned(),
        parameters: parameters.clone(),
        at: Instant::now(),
    });
    let fault = state
        .faults
        .iter_mut()
        .find(|(of, left, _)| *left > 0 && (of == method || of == "*"));
    let fault = fault.map(|(_, left, fault)| {
        *left -= 1;
        fault.clone()
    });
    drop(state);
    shared.changed.notify_all();
    fault
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

fn encode(answer: Answer) -> (u16, Vec<u8>) {
    let (status, body) = match answer {
        Ok(result) => (200, json!({"ok": true, "result": result})),
        Err((code, text, Value::Null)) => (
            code,
            json!({"ok": false, "error_code": code, "description": text}),
        ),
        Err((code, text, hints)) => (
            code,
            json!({"ok": false, "error_code": code, "description": text, "parameters": hints}),
        ),
    };
    (status, body.to_string().into_bytes())
}

fn write_answer(writer: &mut TcpStream, status: u16, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    writer.write_all(&[head.as_bytes(), body].concat())
}

fn drip(writer: &mut TcpStream, status: u16, body: &[u8], pause: Duration) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    for byte in [head.as_bytes(), body].concat() {
        if writer.write_all(&[byte]).is_err() {
            return;
        }
        thread::sleep(pause);
    }
}

/// JSON, or a form with a file (RFC 7578).
fn parameters(kind: &str, body: &[u8]) -> (Value, Option<(String, Vec<u8>)>) {
    let Some((_, boundary)) = kind.split_once("boundary=") else {
        return (serde_json::from_slice(body).unwrap_or(Value::Null), None);
    };
    let (mut fields, mut document) = (Map::new(), None);
    let separator = format!("--{boundary}").into_bytes();
    for part in split(body, &separator) {
        let Some(end) = find(part, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&part[..end]).into_owned();
        let content = &part[end + 4..part.len().saturating_sub(2).max(end + 4)];
        let attribute = |name: &str| {
            let (_, rest) = head.split_once(&format!("{name}=\""))?;
            Some(rest.split('"').next()?.to_owned())
        };
        match (attribute(" name"), attribute("filename")) {
            (_, Some(file)) => document = Some((file, content.to_vec())),
            (Some(name), None) => {
                let text = String::from_utf8_lossy(content).into_owned();
                let is_text = name == "caption" || name == "parse_mode";
                let value = serde_json::from_str(&text).ok().filter(|_| !is_text);
                fields.insert(name, value.unwrap_or(Value::String(text)));
            }
            (None, None) => {}
        }
    }
    (Value::Object(fields), document)
}

fn split<'a>(body: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let (mut parts, mut rest) = (Vec::new(), body);
    while let Some(at) = find(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// An update is confirmed by an offset above its number. A second poll terminates the one that waits.
fn get_updates(shared: &Shared, parameters: &Value) -> Answer {
    let offset = parameters["offset"].as_i64().unwrap_or(0);
    let limit = parameters["limit"].as_u64().unwrap_or(100).clamp(1, 100) as usize;
    let wait = Duration::from_secs(parameters["timeout"].as_u64().unwrap_or(0).min(50));
    let deadline = Instant::now() + wait;
    let mut state = shared.lock();
    state.newest_poll += 1;
    let own = state.newest_poll;
    shared.changed.notify_all();
    loop {
        if state.has_webhook {
            let text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err(refused(409, text));
        }
        if state.newest_poll != own {
            let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
            return Err(refused(409, text));
        }
        state.updates.retain(|id, _| *id >= offset);
        if !state.updates.is_empty() {
            return Ok(state.updates.values().take(limit).cloned().collect());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || shared.is_stopping.load(Ordering::Relaxed) {
            return Ok(json!([]));
        }
        state = shared.wait(state, left);
    }
}

impl State {
    fn update(&mut self, kind: &str, content: Value) {
        self.last_update += 1;
        let update = json!({"update_id": self.last_update, kind: content});
        self.updates.insert(self.last_update, update);
    }

    fn call(
        &mut self,
        method: &str,
        parameters: &Value,
        document: Option<(String, Vec<u8>)>,
    ) -> Answer {
        match method {
            "getMe" => {
                Ok(json!({"id": 999, "is_bot": true, "first_name": "Rack", "username": "rack_bot"}))
            }
            "sendMessage" => self.send(parameters, "text", 4096, None),
            "sendDocument" if document.is_none() => Err(refused(
                400,
                "Bad Request: there is no document in the request",
            )),
            "sendDocument" => self.send(parameters, "caption", 1024, document),
            "editMessageText" => self.edit(parameters),
            "answerCallbackQuery" => {
                let query = parameters["callback_query_id"].as_str().unwrap_or_default();
                let known = self.queries.iter().position(|own| own == query);
                let Some(at) = known else {
                    let text = "Bad Request: query is too old and response timeout expired or query ID is invalid";
                    return Err(refused(400, text));
                };
                self.queries.remove(at);
                Ok(json!(true))
            }
            "setMyCommands" | "deleteMyCommands" => {
                let scope = parameters["scope"].to_string();
                match &parameters["commands"] {
                    Value::Null => self.commands.remove(&scope),
                    commands => self.commands.insert(scope, commands.clone()),
                };
                Ok(json!(true))
            }
            "deleteWebhook" => {
                self.has_webhook = false;
                Ok(json!(true))
            }
            _ => Err(refused(404, "Not Found")),
        }
    }

    fn send(
        &mut self,
        parameters: &Value,
        field: &str,
        limit: usize,
        document: Option<(String, Vec<u8>)>,
    ) -> Answer {
        let chat = parameters["chat_id"].as_i64().unwrap_or(0);
        if let Some(new) = self.moved.get(&chat) {
            let text = "Bad Request: group chat was upgraded to a supergroup chat".to_owned();
            return Err((400, text, json!({"migrate_to_chat_id": new})));
        }
        if chat == 0 {
            return Err(refused(400, "Bad Request: chat not found"));
        }
        let text = plain_text(parameters, field)?;
        if text.trim().is_empty() && document.is_none() {
            return Err(refused(400, "Bad Request: message text is empty"));
        }
        if text.encode_utf16().count() > limit {
            let what = if field == "text" {
                "message"
            } else {
                "message caption"
            };
            return Err(refused(400, &format!("Bad Request: {what} is too long")));
        }
        self.last_message += 1;
        let message = Message {
            id: self.last_message,
            chat,
            topic: parameters["message_thread_id"].as_i64(),
            text,
            buttons: buttons(parameters)?,
            document,
            edits: 0,
        };
        self.messages.push(message);
        Ok(json!({"message_id": self.last_message, "date": unix_now(), "chat": chat_of(chat)}))
    }

    fn edit(&mut self, parameters: &Value) -> Answer {
        let (text, buttons) = (plain_text(parameters, "text")?, buttons(parameters)?);
        let (chat, id) = (
            parameters["chat_id"].as_i64(),
            parameters["message_id"].as_i64(),
        );
        let message = self
            .messages
            .iter_mut()
            .find(|message| (Some(message.chat), Some(message.id)) == (chat, id));
        let Some(message) = message else {
            return Err(refused(400, "Bad Request: message to edit not found"));
        };
        if message.text == text && message.buttons == buttons {
            let text = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
            return Err(refused(400, text));
        }
        message.text = text;
        message.buttons = buttons;
        message.edits += 1;
        Ok(json!({"message_id": id}))
    }
}

fn refused(code: u16, text: &str) -> (u16, String, Value) {
    (code, text.to_owned(), Value::Null)
}

fn buttons(parameters: &Value) -> Result<Vec<(String, String)>, (u16, String, Value)> {
    let mut buttons = Vec::new();
    let rows = parameters["reply_markup"]["inline_keyboard"].as_array();
    for button in rows
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
    {
        let label = button["text"].as_str().unwrap_or_default();
        let data = button["callback_data"].as_str().unwrap_or_default();
        if data.is_empty() || data.len() > 64 {
            return Err(refused(400, "Bad Request: BUTTON_DATA_INVALID"));
        }
        buttons.push((label.to_owned(), data.to_owned()));
    }
    Ok(buttons)
}

/// The text without its markup; an error where the real parser has one.
fn plain_text(parameters: &Value, field: &str) -> Result<String, (u16, String, Value)> {
    let text = parameters[field].as_str().unwrap_or_default();
    if parameters["parse_mode"].as_str() != Some("HTML") {
        return Ok(text.to_owned());
    }
    let bad = |why: String| refused(400, &format!("Bad Request: can't parse entities: {why}"));
    let (mut out, mut open, mut rest) = (String::new(), Vec::new(), text);
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        let offset = text.len() - rest.len() + at;
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix('&') {
            let (name, tail) = after.split_once(';').unwrap_or(("", after));
            let ch = match name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "quot" => '"',
                "#39" => '\'',
                _ => {
                    out.push('&');
                    rest = after;
                    continue;
                }
            };
            out.push(ch);
            rest = tail;
            continue;
        }
        let (tag, tail) = rest[1..]
            .split_once('>')
            .ok_or_else(|| bad(format!("Unclosed start tag at byte offset {offset}")))?;
        rest = tail;
        match tag.strip_prefix('/') {
            Some(name) if open.pop() == Some(name) => {}
            Some(name) => {
                return Err(bad(format!(
                    "Unexpected end tag at byte offset {offset}: {name}"
                )));
            }
            None if ["b", "i", "u", "s", "code", "pre"].contains(&tag) => open.push(tag),
            None => {
                return Err(bad(format!(
                    "Unsupported start tag \"{tag}\" at byte offset {offset}"
                )));
            }
        }
    }
    if let Some(tag) = open.pop() {
        return Err(bad(format!(
            "Can't find end tag corresponding to start tag \"{tag}\""
        )));
    }
    out.push_str(rest);
    Ok(out)
}

fn person(user: i64) -> Value {
    json!({"id": user, "is_bot": false, "first_name": format!("user{user}")})
}

fn chat_of(chat: i64) -> Value {
    let kind = if chat < 0 { "supergroup" } else { "private" };
    json!({"id": chat, "type": kind, "title": "crew"})
}

fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}
