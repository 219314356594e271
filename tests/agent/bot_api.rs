//! A Bot API stand-in: long polls with confirmed offsets, and every other call noted with its time.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A call that the bot made.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

#[derive(Default)]
struct State {
    updates: Vec<Value>,
    last_update: i64,
    polling: usize,
    calls: Vec<Call>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Call {
    /// Its text as people see it; empty for a call without one.
    pub(crate) fn text(&self) -> String {
        let text = self.body["text"].as_str().unwrap_or_default();
        let plain = text.replace("&lt;", "<").replace("&gt;", ">");
        plain.replace("&quot;", "\"").replace("&amp;", "&")
    }
}

pub(crate) struct BotApi {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

impl BotApi {
    pub(crate) fn start() -> BotApi {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        // Ends with the test process; the port is its own.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        BotApi { port, shared }
    }

    /// `[telegram]`, one owner and where alerts go.
    pub(crate) fn config(&self) -> String {
        format!(
            "[telegram]\ntoken = \"1:test\"\napi_url = \"http://127.0.0.1:{}\"\n\
             [access]\nowners = [\"telegram:42\"]\n[notify]\nto = [\"telegram:42\"]\ntimezone = \"UTC\"\n",
            self.port
        )
    }

    /// A private message from the owner.
    pub(crate) fn say(&self, text: &str) {
        self.update(|id| {
            json!({"update_id": id, "message": {
                "message_id": 1000 + id, "date": unix_seconds(), "text": text,
                "from": {"id": 42, "is_bot": false, "first_name": "Ann"},
                "chat": {"id": 42, "type": "private", "first_name": "Ann"}}})
        });
    }

    fn update(&self, make: impl FnOnce(i64) -> Value) {
        let mut state = self
            .shared
            .state
            .lock()
            .expect("no test thread panics with it");
        state.last_update += 1;
        let update = make(state.last_update);
        state.updates.push(update);
        self.shared.changed.notify_all();
    }

    /// Waits until a message with these words was sent or edited, and returns that call.
    pub(crate) fn wait_for_message(&self, words: &str) -> Call {
        crate::support::wait_for(&format!("a message with \"{words}\""), || {
            let calls = self.calls();
            let found = calls.iter().find(|call| call.text().contains(words));
            found.cloned()
        })
    }

    /// Waits until the bot waits for updates.
    pub(crate) fn wait_for_poll(&self) {
        crate::support::wait_for("a long poll", || {
            let state = self
                .shared
                .state
                .lock()
                .expect("no test thread panics with it");
            (state.polling > 0).then_some(())
        });
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared
            .state
            .lock()
            .expect("no test thread panics with it")
            .calls
            .clone()
    }

    /// How many messages with these words arrived.
    pub(crate) fn count(&self, words: &str) -> usize {
        let holds = |call: &Call| call.method == "sendMessage" && call.text().contains(words);
        self.calls().iter().filter(|call| holds(call)).count()
    }
}

fn unix_seconds() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

fn serve(stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some((method, body)) = request(&mut reader) {
        let answer = json!({"ok": true, "result": answer(&method, body, shared)}).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        let mut writer = stream;
        if writer
            .write_all(head.as_bytes())
            .and_then(|()| writer.write_all(answer.as_bytes()))
            .is_err()
        {
            return;
        }
    }
}

fn request(reader: &mut impl BufRead) -> Option<(String, Value)> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|&length| length > 0)?;
    let path = line.split(' ').nth(1)?.split('?').next()?.to_owned();
    let method = path.rsplit('/').next()?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn answer(method: &str, body: Value, shared: &Shared) -> Value {
    if method == "getUpdates" {
        return updates(&body, shared);
    }
    let mut state = shared.state.lock().expect("no test thread panics with it");
    let number = state.calls.len() + 1;
    let chat = body["chat_id"].clone();
    let text = body["text"].clone();
    state.calls.push(Call {
        method: method.to_owned(),
        body,
        at: Instant::now(),
    });
    match method {
        "getMe" => json!({"id": 1, "is_bot": true, "first_name": "rack", "username": "rack_bot"}),
        "sendMessage" | "editMessageText" => {
            json!({"message_id": number, "date": unix_seconds(), "chat": {"id": chat, "type": "private"}, "text": text})
        }
        _ => json!(true),
    }
}

/// Hands out what is newer than the offset, and forgets what is older; waits for news as long as asked.
fn updates(body: &Value, shared: &Shared) -> Value {
    let offset = body["offset"].as_i64().unwrap_or(0);
    let deadline = Instant::now() + Duration::from_secs(body["timeout"].as_u64().unwrap_or(0));
    let mut state = shared.state.lock().expect("no test thread panics with it");
    state
        .updates
        .retain(|update| update["update_id"].as_i64() >= Some(offset));
    state.polling += 1;
    while state.updates.is_empty() && Instant::now() < deadline {
        let left = deadline.saturating_duration_since(Instant::now());
        state = shared
            .changed
            .wait_timeout(state, left)
            .expect("no test thread panics with it")
            .0;
    }
    state.polling -= 1;
    Value::Array(state.updates.clone())
}
