//! The simulated chat service: as much of the Telegram Bot API as the agent uses, in virtual time, in fair and
//! in foul weather.

use crate::effect::{HttpRequest, Ticket};
use crate::event::{Event, HttpResponse};
use crate::fault::{Fault, FaultKind};
use crate::time::{Mono, Now, Wall};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// State of the service.
#[derive(Default)]
pub(super) struct Service {
    updates: BTreeMap<i64, Value>,
    last_update: i64,
    last_message: i64,
    /// Buttons of each message: chat, message, label, data.
    buttons: Vec<(i64, i64, String, String)>,
    poll: Option<Poll>,
    replies: Vec<(Ticket, Reply)>,
    weather: Vec<(String, u32, Weather)>,
    repeats: bool,
}

/// Status and body, or nothing at all.
type Reply = Result<(u16, Value), Fault>;

/// How the chat service treats a call.
#[derive(Clone, Debug)]
pub enum Weather {
    /// It refuses with this status, text and `parameters`.
    Refuses(u16, &'static str, Value),
    /// It does what was asked, but the answer is lost.
    LosesAnswer,
    /// It answers with something that is not the Bot API.
    Garbles,
    /// Nothing is there.
    IsAway,
}

struct Poll {
    ticket: Ticket,
    offset: i64,
    until: Mono,
}

impl Service {
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        self.poll.as_ref().map(|poll| poll.until)
    }

    pub(super) fn forget_polls(&mut self) {
        self.poll = None;
        self.replies.clear();
    }

    /// Takes a call; returns what people see of it.
    pub(super) fn call(&mut self, now: Now, request: HttpRequest) -> Vec<String> {
        let url = request.url.expose();
        let method = url
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let body: Value = serde_json::from_slice(request.body.expose()).unwrap_or(Value::Null);
        let chat = body["chat_id"].as_i64().unwrap_or(0);
        let mut seen = Vec::new();
        let weather = self.next_weather(&method);
        let answer = match &weather {
            Some(Weather::Refuses(status, text, parameters)) => {
                let body = json!({"ok": false, "error_code": status, "description": text, "parameters": parameters});
                Some(Ok((*status, body)))
            }
            Some(Weather::Garbles) => Some(Ok((200, json!("<html>")))),
            Some(Weather::IsAway) => Some(Err(Fault::new(
                FaultKind::Unreachable,
                "connection refused",
            ))),
            Some(Weather::LosesAnswer) | None => None,
        };
        if let Some(answer) = answer {
            self.replies.push((request.ticket, answer));
            return seen;
        }
        let result = match method.as_str() {
            "getUpdates" => {
                let wait = Duration::from_secs(body["timeout"].as_u64().unwrap_or(0).min(50));
                self.poll = Some(Poll {
                    ticket: request.ticket,
                    offset: body["offset"].as_i64().unwrap_or(0),
                    until: now.mono + wait,
                });
                return seen;
            }
            "getMe" => {
                json!({"id": 999, "is_bot": true, "first_name": "rack", "username": "rack_bot"})
            }
            "sendMessage" | "sendDocument" => {
                self.last_message += 1;
                self.note_buttons(chat, self.last_message, &body);
                let text = body["text"].as_str().unwrap_or("(file)");
                seen.push(format!(
                    "telegram:{chat} #{}] {}",
                    self.last_message,
                    strip(text)
                ));
                json!({"message_id": self.last_message, "date": now.wall.unix_seconds(), "chat": {"id": chat}})
            }
            "editMessageText" => {
                let message = body["message_id"].as_i64().unwrap_or(0);
                self.buttons
                    .retain(|(in_chat, of, ..)| (*in_chat, *of) != (chat, message));
                self.note_buttons(chat, message, &body);
                seen.push(format!(
                    "telegram:{chat} edits #{message}] {}",
                    strip(body["text"].as_str().unwrap_or_default())
                ));
                json!({"message_id": message})
            }
            _ => json!(true),
        };
        let answer = match weather {
            Some(Weather::LosesAnswer) => Err(Fault::new(FaultKind::Timeout, "no answer")),
            _ => Ok((200, json!({"ok": true, "result": result}))),
        };
        self.replies.push((request.ticket, answer));
        seen
    }

    /// The next `times` calls of `method` (`*` for every one) are treated like this.
    pub(super) fn set_weather(&mut self, method: &str, times: u32, weather: Weather) {
        if matches!(weather, Weather::IsAway) {
            let fault = Fault::new(FaultKind::Unreachable, "connection reset");
            let poll = self.poll.take();
            self.replies
                .extend(poll.map(|poll| (poll.ticket, Err(fault))));
        }
        self.weather.push((method.to_owned(), times, weather));
    }

    /// The weather is fair again.
    pub(super) fn clear_weather(&mut self) {
        self.weather.clear();
    }

    fn next_weather(&mut self, method: &str) -> Option<Weather> {
        let (_, left, weather) = self
            .weather
            .iter_mut()
            .find(|(of, left, _)| (of == method || of == "*") && *left > 0)?;
        *left -= 1;
        Some(weather.clone())
    }

    /// The service sends its updates from this number on again.
    pub(super) fn repeat_updates(&mut self) {
        self.repeats = true;
    }

    pub(super) fn post(&mut self, user: i64, chat: i64, text: &str, at: Wall) {
        self.last_message += 1;
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let message = json!({"message_id": self.last_message, "date": at.unix_seconds(), "text": text,
            "from": {"id": user, "is_bot": false, "first_name": format!("user{user}")}, "chat": {"id": chat, "type": kind, "title": "crew"}});
        self.update("message", message);
    }

    pub(super) fn press(&mut self, user: i64, chat: i64, label: &str) -> bool {
        let Some((_, message, _, data)) = self
            .buttons
            .iter()
            .rev()
            .find(|(of, _, text, _)| *of == chat && text.contains(label))
            .cloned()
        else {
            return false;
        };
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let query = json!({"id": format!("q{}", self.last_update), "data": data,
            "from": {"id": user, "is_bot": false, "first_name": format!("user{user}")},
            "message": {"message_id": message, "date": 0, "chat": {"id": chat, "type": kind}}});
        self.update("callback_query", query);
        true
    }

    pub(super) fn take_replies(&mut self, now: Now) -> Vec<Event> {
        if let Some(poll) = &self.poll {
            let from = if self.repeats { 0 } else { poll.offset };
            let fresh: Vec<Value> = self
                .updates
                .range(from..)
                .map(|(_, update)| update.clone())
                .collect();
            if !fresh.is_empty() || poll.until <= now.mono {
                let is_kept = self.repeats;
                self.updates.retain(|id, _| is_kept || *id >= poll.offset);
                let body = json!({"ok": true, "result": fresh});
                self.replies.push((poll.ticket, Ok((200, body))));
                self.poll = None;
            }
        }
        std::mem::take(&mut self.replies)
            .into_iter()
            .map(|(ticket, answer)| Event::Http {
                ticket,
                result: answer.map(|(status, body)| HttpResponse {
                    status,
                    body: body.to_string().into_bytes(),
                    date_unix_seconds: Some(now.wall.unix_seconds()),
                }),
            })
            .collect()
    }

    fn update(&mut self, kind: &str, content: Value) {
        self.last_update += 1;
        self.updates.insert(
            self.last_update,
            json!({"update_id": self.last_update, kind: content}),
        );
    }

    fn note_buttons(&mut self, chat: i64, message: i64, body: &Value) {
        for row in body["reply_markup"]["inline_keyboard"]
            .as_array()
            .into_iter()
            .flatten()
        {
            for button in row.as_array().into_iter().flatten() {
                let text = |key: &str| button[key].as_str().unwrap_or_default().to_owned();
                self.buttons
                    .push((chat, message, text("text"), text("callback_data")));
            }
        }
    }
}

/// The text as a person reads it.
fn strip(html: &str) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    for ch in html.chars() {
        match ch {
            '<' => in_tag = true,
            '>' => in_tag = false,
            ch if !in_tag => out.push(ch),
            _ => {}
        }
    }
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
