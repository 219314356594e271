//! The simulated chat service: as much of the Telegram Bot API as fair weather needs, in virtual time.

use crate::effect::{HttpRequest, Ticket};
use crate::event::{Event, HttpResponse};
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
    replies: Vec<(Ticket, Value)>,
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
        self.replies.push((request.ticket, result));
        seen
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
            let fresh: Vec<Value> = self
                .updates
                .range(poll.offset..)
                .map(|(_, update)| update.clone())
                .collect();
            if !fresh.is_empty() || poll.until <= now.mono {
                self.updates.retain(|id, _| *id >= poll.offset);
                self.replies.push((poll.ticket, Value::Array(fresh)));
                self.poll = None;
            }
        }
        std::mem::take(&mut self.replies)
            .into_iter()
            .map(|(ticket, result)| {
                let body = json!({"ok": true, "result": result})
                    .to_string()
                    .into_bytes();
                let date_unix_seconds = Some(now.wall.unix_seconds());
                Event::Http {
                    ticket,
                    result: Ok(HttpResponse {
                        status: 200,
                        body,
                        date_unix_seconds,
                    }),
                }
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
