//! The simulated chat service: the Telegram Bot API as its server behaves, in fair and in foul weather, as a pure
//! model. `Sim` talks to it in virtual time; a socket around it makes a server of it.
//!
//! In scope: updates that are kept until a higher offset confirms them (or a day has passed), long polls of 0 to 50 s
//! and what happens to those that ask too often or together with others, messages, edits, files, presses, menus, limits
//! in UTF-16 units, markup, chats that block, throw out, move or ask to wait, and the texts of all refusals.
//! Out of scope: whether the pace is observed (every call is noted with its time), inline queries, media.

mod form;
mod markup;

use crate::time::{Mono, Now, Wall};
pub use form::parameters;
use form::{Upload, buttons, chat_of, encode, is_photo, person};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Telegram: `timeout` of getUpdates is 0 to 50 s.
const LONGEST_POLL: Duration = Duration::from_secs(50);
/// Telegram: who asks with the same offset within this time waits for at least as long …
const SLOW_DOWN: Duration = Duration::from_secs(3);
/// … and within this time gets one update only.
const MUCH_TOO_FAST: Duration = Duration::from_millis(500);
/// Telegram: an update is kept for a day.
const KEPT_SECONDS: i64 = 86_400;
/// Telegram: a text of at most 4096 UTF-16 units after the markup has been read, 1024 beside a file.
const TEXT_UNITS: usize = 4096;
const CAPTION_UNITS: usize = 1024;
/// Telegram: at most 64 bytes behind a button.
const BUTTON_BYTES: usize = 64;

/// How the chat service treats a call instead of what it deserves.
#[derive(Clone, Debug)]
pub enum Weather {
    /// It refuses with this status, text and `parameters`.
    Refuses(u16, &'static str, Value),
    /// It does what was asked, but the answer is lost.
    LosesAnswer,
    /// It answers with something that is not the Bot API.
    Garbles,
    /// It does what was asked and answers 200 with this body.
    Body(Vec<u8>),
    /// The same, and calls the body gzip.
    Gzip(Vec<u8>),
    /// It does what was asked and answers a byte at a time with this pause.
    Drips(Duration),
    /// Nothing is there.
    IsAway,
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Status and body.
    Answer(u16, Vec<u8>),
    /// A body that says to be compressed.
    Gzip(Vec<u8>),
    /// Status and body, one byte after each pause.
    Drip(u16, Vec<u8>, Duration),
    /// The connection ends; what was asked is done.
    Lost,
    /// The connection ends, or there never was one; nothing is done.
    Away,
}

/// A message as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// The chat.
    pub chat: i64,
    /// The topic.
    pub topic: Option<i64>,
    /// When it was sent.
    pub at: Now,
    /// Text or caption, without markup.
    pub text: String,
    /// Buttons: label and data.
    pub buttons: Vec<(String, String)>,
    /// The file's name and contents.
    pub document: Option<(String, Vec<u8>)>,
    /// The file is shown in the message.
    pub is_photo: bool,
    /// True when it did not ring.
    pub silent: bool,
    /// How often it was changed.
    pub edits: u32,
}

/// Something that people saw: a new message, or an old one that changed.
#[derive(Clone, Debug)]
pub struct Sight {
    /// When.
    pub at: Now,
    /// The message as it reads from then on.
    pub message: Message,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: String,
    /// Its parameters.
    pub parameters: Value,
    /// When.
    pub at: Now,
    /// The status that it deserved; `None` for a poll and where the weather kept it from being looked at.
    pub status: Option<u16>,
}

/// Why a chat takes no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The person blocked the bot.
    Blocked,
    /// The bot was thrown out of the group.
    Kicked,
    /// There is no such chat.
    Unknown,
}

/// The service.
#[derive(Default)]
pub struct Service {
    updates: BTreeMap<i64, (Value, i64)>,
    last_update: i64,
    last_message: i64,
    messages: Vec<Message>,
    sights: Vec<Sight>,
    seen: usize,
    calls: Vec<Call>,
    queries: Vec<String>,
    menus: BTreeMap<String, Value>,
    poll: Option<Poll>,
    /// Offset and time of the newest poll.
    newest_poll: Option<(i64, Mono)>,
    next_conflict: Mono,
    replies: Vec<(Mono, u64, Reply)>,
    weather: Vec<(String, u32, Weather)>,
    moved: BTreeMap<i64, i64>,
    closed: BTreeMap<i64, Closed>,
    floods: BTreeMap<i64, Mono>,
    topics_gone: Vec<(i64, i64)>,
    token: Option<String>,
    has_webhook: bool,
    repeats: bool,
}

struct Poll {
    caller: u64,
    offset: i64,
    limit: usize,
    until: Mono,
    /// It hears nothing, whatever there is.
    is_deaf: bool,
}

/// A result, or status, text and `parameters` of a refusal.
type Answer = Result<Value, (u16, String, Value)>;

fn refused<T>(status: u16, text: impl Into<String>) -> Result<T, (u16, String, Value)> {
    Err((status, text.into(), Value::Null))
}

impl Service {
    /// Takes a call of `caller`, a number that is given back with the reply. The path's last two parts are the
    /// token and the method.
    pub fn call(&mut self, now: Now, caller: u64, path: &str, kind: &str, body: &[u8]) {
        let mut parts = path.split('?').next().unwrap_or_default().rsplit('/');
        let method = parts.next().unwrap_or_default();
        let token = parts.next().unwrap_or_default();
        let token = token.strip_prefix("bot").unwrap_or(token);
        let is_denied = self.token.as_ref().is_some_and(|own| own != token);
        let (parameters, document) = parameters(kind, body);
        let weather = self.next_weather(method);
        let mut call = Call {
            method: method.to_owned(),
            parameters,
            at: now,
            status: None,
        };
        let parameters = call.parameters.clone();
        let answer = match &weather {
            Some(Weather::IsAway | Weather::Garbles) => None,
            Some(Weather::Refuses(status, text, hints)) => {
                Some(Err((*status, (*text).to_owned(), hints.clone())))
            }
            _ if is_denied => Some(refused(401, "Unauthorized")),
            _ if method == "getUpdates" => self.begin_poll(now, caller, &parameters, &weather),
            _ => Some(self.answer(now, method, &parameters, document)),
        };
        let is_poll =
            method == "getUpdates" && self.poll.as_ref().is_some_and(|poll| poll.caller == caller);
        if let (Some(answer), false) = (&answer, is_poll) {
            call.status = Some(answer.as_ref().map_or_else(|refusal| refusal.0, |_| 200));
        }
        self.calls.push(call);
        if is_poll {
            return;
        }
        let (status, body) = encode(answer.unwrap_or(Ok(Value::Null)));
        let reply = match weather {
            Some(Weather::IsAway) => Reply::Away,
            Some(Weather::LosesAnswer) => Reply::Lost,
            Some(Weather::Garbles) => Reply::Answer(200, b"<html>Welcome</html>".to_vec()),
            Some(Weather::Body(other)) => Reply::Answer(200, other),
            Some(Weather::Gzip(other)) => Reply::Gzip(other),
            Some(Weather::Drips(pause)) => Reply::Drip(status, body, pause),
            Some(Weather::Refuses(..)) | None => Reply::Answer(status, body),
        };
        self.replies.push((now.mono, caller, reply));
    }

    /// The replies that are due, in the order of their calls.
    pub fn take_replies(&mut self, now: Now) -> Vec<(u64, Reply)> {
        self.end_poll(now);
        let (due, later) = std::mem::take(&mut self.replies)
            .into_iter()
            .partition(|(at, ..)| *at <= now.mono);
        self.replies = later;
        let due: Vec<(Mono, u64, Reply)> = due;
        due.into_iter()
            .map(|(_, caller, reply)| (caller, reply))
            .collect()
    }

    /// The reply to one caller, when it is due.
    pub fn take_reply(&mut self, now: Now, caller: u64) -> Option<Reply> {
        self.end_poll(now);
        let is_it = |(at, of, _): &(Mono, u64, Reply)| *of == caller && *at <= now.mono;
        let at = self.replies.iter().position(is_it)?;
        Some(self.replies.remove(at).2)
    }

    /// When a reply becomes due.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let replies = self.replies.iter().map(|(at, ..)| *at);
        replies.chain(self.poll.iter().map(|poll| poll.until)).min()
    }

    /// All connections are gone; what was asked stays done.
    pub fn forget_callers(&mut self) {
        self.poll = None;
        self.replies.clear();
    }

    /// The next `times` calls of `method` (`*` for every one) are treated like this.
    pub fn set_weather(&mut self, now: Now, method: &str, times: u32, weather: Weather) {
        if matches!(weather, Weather::IsAway) && matches!(method, "*" | "getUpdates") {
            let poll = self.poll.take();
            let reply = |poll: Poll| (now.mono, poll.caller, Reply::Away);
            self.replies.extend(poll.map(reply));
        }
        self.weather.push((method.to_owned(), times, weather));
    }

    /// The weather is fair again.
    pub fn clear_weather(&mut self) {
        self.weather.clear();
    }

    /// Only this token is known from now on.
    pub fn set_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// A webhook is set, or removed.
    pub fn set_webhook(&mut self, is_set: bool) {
        self.has_webhook = is_set;
    }

    /// The service sends its updates from the first one on again.
    pub fn repeat_updates(&mut self) {
        self.repeats = true;
    }

    /// A group becomes a supergroup.
    pub fn migrate(&mut self, old: i64, new: i64) {
        self.moved.insert(old, new);
    }

    /// A chat takes no message any longer, or takes them again.
    pub fn set_closed(&mut self, chat: i64, why: Option<Closed>) {
        match why {
            Some(why) => self.closed.insert(chat, why),
            None => self.closed.remove(&chat),
        };
    }

    /// A chat asks to wait until then.
    pub fn flood(&mut self, chat: i64, until: Mono) {
        self.floods.insert(chat, until);
    }

    /// A topic is deleted.
    pub fn delete_topic(&mut self, chat: i64, topic: i64) {
        self.topics_gone.push((chat, topic));
    }

    /// A message is deleted.
    pub fn delete_message(&mut self, chat: i64, id: i64) {
        self.messages
            .retain(|message| (message.chat, message.id) != (chat, id));
    }

    /// Somebody wrote this then, and it arrives now.
    pub fn post(&mut self, user: i64, chat: i64, text: &str, at: Wall) {
        self.last_message += 1;
        let message = json!({
            "message_id": self.last_message,
            "date": at.unix_seconds(),
            "text": text,
            "from": person(user),
            "chat": chat_of(chat),
        });
        self.inject("message", message, at);
    }

    /// Somebody presses the newest button whose label holds this; false when there is none.
    pub fn press(&mut self, user: i64, chat: i64, label: &str, at: Wall) -> bool {
        let buttons = self
            .messages
            .iter()
            .rev()
            .filter(|message| message.chat == chat);
        let found = buttons.flat_map(|message| {
            let own = message
                .buttons
                .iter()
                .filter(|(text, _)| text.contains(label));
            own.map(|(_, data)| (message.id, data.clone(), message.at.wall))
        });
        let Some((message, data, date)) = found.into_iter().next() else {
            return false;
        };
        let query = format!("query-{}", self.last_update);
        self.queries.push(query.clone());
        let press = json!({
            "id": query,
            "data": data,
            "from": person(user),
            "message": {"message_id": message, "date": date.unix_seconds(), "chat": chat_of(chat)},
        });
        self.inject("callback_query", press, at);
        true
    }

    /// Any update, without its number.
    pub fn inject(&mut self, kind: &str, content: Value, at: Wall) {
        self.last_update += 1;
        let update = json!({"update_id": self.last_update, kind: content});
        self.updates
            .insert(self.last_update, (update, at.unix_seconds() + KEPT_SECONDS));
    }

    /// Further updates are numbered from here.
    pub fn skip_updates_to(&mut self, number: i64) {
        self.last_update = number;
    }

    /// Everything that was said, as it reads today.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Everything that people saw, in its order.
    pub fn sights(&self) -> &[Sight] {
        &self.sights
    }

    /// What people saw since the last time.
    pub fn take_fresh(&mut self) -> &[Sight] {
        let from = std::mem::replace(&mut self.seen, self.sights.len());
        &self.sights[from..]
    }

    /// Every call that was made.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// The menus, by scope.
    pub fn menus(&self) -> &BTreeMap<String, Value> {
        &self.menus
    }

    /// True while somebody waits for updates.
    pub fn is_polled(&self) -> bool {
        self.poll.is_some()
    }

    fn next_weather(&mut self, method: &str) -> Option<Weather> {
        let (_, left, weather) = self
            .weather
            .iter_mut()
            .find(|(of, left, _)| (of == method || of == "*") && *left > 0)?;
        *left = left.saturating_sub(u32::from(*left != u32::MAX));
        Some(weather.clone())
    }

    /// An update is confirmed by an offset above its number. Of two polls the one that waits is ended.
    fn begin_poll(
        &mut self,
        now: Now,
        caller: u64,
        parameters: &Value,
        weather: &Option<Weather>,
    ) -> Option<Answer> {
        let number = |name: &str| parameters[name].as_i64();
        let offset = number("offset").unwrap_or(0);
        let mut limit = number("limit").unwrap_or(100).clamp(1, 100) as usize;
        let wait = Duration::from_secs(number("timeout").unwrap_or(0).max(0) as u64);
        let mut wait = wait.min(LONGEST_POLL);
        if self.has_webhook {
            let text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Some(refused(409, text));
        }
        if let Some((_, before)) = self.newest_poll.filter(|(of, _)| *of == offset) {
            let since = now.mono.since(before);
            if since < SLOW_DOWN {
                wait = wait.max(SLOW_DOWN);
            }
            if since < MUCH_TOO_FAST {
                limit = 1;
            }
        }
        self.newest_poll = Some((offset, now.mono));
        if let Some(other) = self.poll.take() {
            self.end_with_conflict(now, other.caller);
        }
        match offset {
            0 => {}
            1.. if self.repeats => {}
            1.. => self.updates = self.updates.split_off(&offset),
            ..=-1 => {
                let keep = self
                    .updates
                    .keys()
                    .rev()
                    .nth(offset.unsigned_abs() as usize - 1);
                if let Some(first) = keep.copied() {
                    self.updates = self.updates.split_off(&first);
                }
            }
        }
        let poll = Poll {
            caller,
            offset: if self.repeats { 0 } else { offset.max(0) },
            limit,
            until: now.mono + wait,
            is_deaf: false,
        };
        if weather.is_some() {
            return Some(Ok(Value::Array(self.batch(now, &poll))));
        }
        self.poll = Some(poll);
        None
    }

    /// Telegram: the first of several conflicts is answered at once, the others after 3 s.
    fn end_with_conflict(&mut self, now: Now, caller: u64) {
        let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
        let (status, body) = encode(refused(409, text));
        let at = match now.mono >= self.next_conflict {
            true => now.mono,
            false => now.mono + SLOW_DOWN,
        };
        self.next_conflict = now.mono + SLOW_DOWN;
        self.replies.push((at, caller, Reply::Answer(status, body)));
    }

    /// Whoever polls hears nothing, and nobody says so; a new poll hears again.
    pub fn deafen(&mut self, lasting: Duration) {
        if let Some(poll) = &mut self.poll {
            poll.is_deaf = true;
            poll.until += lasting;
        }
    }

    /// Another program polls with the same token: whoever waits is ended.
    pub fn poll_elsewhere(&mut self, now: Now) {
        if let Some(poll) = self.poll.take() {
            self.end_with_conflict(now, poll.caller);
        }
    }

    fn end_poll(&mut self, now: Now) {
        let Some(poll) = self.poll.take() else { return };
        let batch = match poll.is_deaf {
            true => Vec::new(),
            false => self.batch(now, &poll),
        };
        if batch.is_empty() && poll.until > now.mono && !self.has_webhook {
            self.poll = Some(poll);
            return;
        }
        let answer = match self.has_webhook {
            true => refused(409, "Conflict: terminated by setWebhook request"),
            false => Ok(Value::Array(batch)),
        };
        let (status, body) = encode(answer);
        let reply = Reply::Answer(status, body);
        self.replies.push((now.mono, poll.caller, reply));
    }

    fn batch(&mut self, now: Now, poll: &Poll) -> Vec<Value> {
        let today = now.wall.unix_seconds();
        self.updates.retain(|_, (_, until)| *until > today);
        let fresh = self.updates.range(poll.offset..);
        fresh
            .take(poll.limit)
            .map(|(_, (update, _))| update.clone())
            .collect()
    }

    fn answer(
        &mut self,
        now: Now,
        method: &str,
        parameters: &Value,
        upload: Option<Upload>,
    ) -> Answer {
        let field = method
            .strip_prefix("send")
            .unwrap_or_default()
            .to_lowercase();
        let upload = upload.filter(|file| file.field == field);
        let document = upload.map(|file| (file.name, file.bytes));
        match method {
            "getMe" => {
                Ok(json!({"id": 999, "is_bot": true, "first_name": "rack", "username": "rack_bot"}))
            }
            "sendMessage" => self.send(now, parameters, "text", None),
            "sendDocument" if document.is_none() => {
                refused(400, "Bad Request: there is no document in the request")
            }
            "sendPhoto" if document.is_none() => {
                refused(400, "Bad Request: there is no photo in the request")
            }
            "sendPhoto" if !document.as_ref().is_some_and(|(_, bytes)| is_photo(bytes)) => {
                refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
            }
            "sendDocument" | "sendPhoto" => self.send(now, parameters, "caption", document),
            "editMessageText" => self.edit(now, parameters),
            "answerCallbackQuery" => {
                let query = parameters["callback_query_id"].as_str();
                let Some(at) = self.queries.iter().position(|own| Some(&**own) == query) else {
                    let text = "Bad Request: query is too old and response timeout expired or query ID is invalid";
                    return refused(400, text);
                };
                self.queries.remove(at);
                Ok(json!(true))
            }
            "setMyCommands" | "deleteMyCommands" => {
                let scope = parameters["scope"].to_string();
                match &parameters["commands"] {
                    Value::Null => self.menus.remove(&scope),
                    commands => self.menus.insert(scope, commands.clone()),
                };
                Ok(json!(true))
            }
            "deleteWebhook" => {
                self.has_webhook = false;
                Ok(json!(true))
            }
            "getWebhookInfo" => Ok(json!({"url": "", "pending_update_count": self.updates.len()})),
            "getChat" => self.open(now, parameters).map(chat_of),
            "getChatMember" => self
                .open(now, parameters)
                .map(|_| json!({"status": "member"})),
            "sendChatAction" => self.open(now, parameters).map(|_| json!(true)),
            _ => refused(404, "Not Found"),
        }
    }

    /// The chat of a call, if it takes messages.
    fn open(&self, now: Now, parameters: &Value) -> Result<i64, (u16, String, Value)> {
        let chat = parameters["chat_id"].as_i64().unwrap_or(0);
        if let Some(new) = self.moved.get(&chat) {
            let text = "Bad Request: group chat was upgraded to a supergroup chat".to_owned();
            return Err((400, text, json!({"migrate_to_chat_id": new})));
        }
        if let Some(until) = self.floods.get(&chat).filter(|until| **until > now.mono) {
            let seconds = until.since(now.mono).as_millis().div_ceil(1000);
            let text = format!("Too Many Requests: retry after {seconds}");
            return Err((429, text, json!({"retry_after": seconds as u64})));
        }
        match self.closed.get(&chat) {
            Some(Closed::Blocked) => refused(403, "Forbidden: bot was blocked by the user"),
            Some(Closed::Kicked) => {
                refused(403, "Forbidden: bot was kicked from the supergroup chat")
            }
            Some(Closed::Unknown) => refused(400, "Bad Request: chat not found"),
            None if chat == 0 => refused(400, "Bad Request: chat_id is empty"),
            None => Ok(chat),
        }
    }

    fn send(
        &mut self,
        now: Now,
        parameters: &Value,
        field: &str,
        document: Option<(String, Vec<u8>)>,
    ) -> Answer {
        let chat = self.open(now, parameters)?;
        let topic = parameters["message_thread_id"].as_i64();
        if topic.is_some_and(|topic| self.topics_gone.contains(&(chat, topic))) {
            return refused(400, "Bad Request: message thread not found");
        }
        let text = markup::text(parameters, field)?;
        let (limit, what) = match field {
            "text" => (TEXT_UNITS, "message"),
            _ => (CAPTION_UNITS, "message caption"),
        };
        if text.trim().is_empty() && document.is_none() {
            return refused(400, "Bad Request: message text is empty");
        }
        if text.encode_utf16().count() > limit {
            return refused(400, format!("Bad Request: {what} is too long"));
        }
        let buttons = buttons(parameters)?;
        self.last_message += 1;
        let message = Message {
            id: self.last_message,
            chat,
            topic,
            at: now,
            text,
            buttons,
            is_photo: document.is_some() && parameters["photo"].is_string(),
            document,
            silent: parameters["disable_notification"] == json!(true),
            edits: 0,
        };
        self.show(now, &message);
        self.messages.push(message);
        Ok(
            json!({"message_id": self.last_message, "date": now.wall.unix_seconds(), "chat": chat_of(chat)}),
        )
    }

    fn edit(&mut self, now: Now, parameters: &Value) -> Answer {
        let chat = self.open(now, parameters)?;
        let id = parameters["message_id"].as_i64();
        let own = |message: &Message| message.chat == chat && Some(message.id) == id;
        let Some(at) = self.messages.iter().position(own) else {
            return refused(400, "Bad Request: message to edit not found");
        };
        let (text, buttons) = (markup::text(parameters, "text")?, buttons(parameters)?);
        if text.trim().is_empty() {
            return refused(400, "Bad Request: message text is empty");
        }
        if text.encode_utf16().count() > TEXT_UNITS {
            return refused(400, "Bad Request: MESSAGE_TOO_LONG");
        }
        let message = &mut self.messages[at];
        if message.document.is_some() {
            return refused(400, "Bad Request: there is no text in the message to edit");
        }
        if message.text == text && message.buttons == buttons {
            let text = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
            return refused(400, text);
        }
        message.text = text;
        message.buttons = buttons;
        message.edits += 1;
        let message = message.clone();
        self.show(now, &message);
        Ok(json!({"message_id": id}))
    }

    fn show(&mut self, now: Now, message: &Message) {
        self.sights.push(Sight {
            at: now,
            message: message.clone(),
        });
    }
}

#[cfg(test)]
mod tests;
