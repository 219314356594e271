//! Builds the calls of the Bot API. The token stands in the URL, which is a secret from here on.

use crate::chat::transport::Outgoing;
use crate::config::TelegramConfig;
use crate::effect::{Body, Document, HttpRequest, Ticket};
use crate::endpoint::{Endpoint, Lane, Method, Trust};
use crate::secret::Secret;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Telegram: the timeout of getUpdates is at most 50 s.
pub(super) const POLL_SECONDS: u64 = 50;
/// A connection that is dead, without anybody having said so, is noticed by this.
const POLL_TIMEOUT: Duration = Duration::from_secs(60);
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Larger answers are refused.
const MAX_RESPONSE: usize = 1 << 20;
/// Telegram: the text of an answer to a press is at most 200 characters.
const MAX_TOAST: usize = 200;

/// Where the calls of one bot go. Its long poll has a worker of its own, so that nothing waits for it.
pub(super) struct Api {
    calls: Arc<Endpoint>,
    poll: Arc<Endpoint>,
}

impl Api {
    pub(super) fn new(config: &TelegramConfig) -> Api {
        let url = format!("{}/bot{}", config.api_url, config.token.expose());
        let calls = Endpoint {
            trust: config.ca_file.clone().map_or(Trust::System, Trust::Ca),
            proxy: config.proxy.clone(),
            essential: Some("delivery"),
            ..Endpoint::url("telegram", url)
        };
        let poll = Endpoint {
            name: "telegram-poll".to_owned(),
            lane: Lane::LongPoll,
            essential: Some("the poll for messages"),
            ..calls.clone()
        };
        Api {
            calls: Arc::new(calls),
            poll: Arc::new(poll),
        }
    }

    pub(super) fn get_me(&self, ticket: Ticket) -> HttpRequest {
        self.post(ticket, "getMe", &json!({}))
    }

    pub(super) fn get_webhook_info(&self, ticket: Ticket) -> HttpRequest {
        self.post(ticket, "getWebhookInfo", &json!({}))
    }

    pub(super) fn get_updates(&self, ticket: Ticket, offset: i64, limit: u32) -> HttpRequest {
        let mut body = json!({
            "timeout": POLL_SECONDS,
            "limit": limit,
            "allowed_updates": super::updates::KINDS,
        });
        if offset != 0 {
            body["offset"] = json!(offset);
        }
        HttpRequest {
            endpoint: Arc::clone(&self.poll),
            timeout: POLL_TIMEOUT,
            ..self.post(ticket, "getUpdates", &body)
        }
    }

    pub(super) fn send(&self, ticket: Ticket, message: &Outgoing, boundary: u64) -> HttpRequest {
        let mut fields = Map::new();
        let Some((chat, topic)) = super::chat_of(&message.to) else {
            return self.get_me(ticket);
        };
        fields.insert("chat_id".into(), json!(chat));
        if !message.buttons.is_empty() {
            fields.insert("reply_markup".into(), keyboard(&message.buttons));
        }
        if let Some(edited) = message.edit {
            fields.insert("message_id".into(), json!(edited));
            text(&mut fields, "text", message);
            return self.post(ticket, "editMessageText", &Value::Object(fields));
        }
        // Telegram: the General topic is addressed by leaving the number 1 away.
        if let Some(topic) = topic.filter(|topic| *topic != 1) {
            fields.insert("message_thread_id".into(), json!(topic));
        }
        if message.silent {
            fields.insert("disable_notification".into(), json!(true));
        }
        match &message.document {
            Some(document) => {
                if !message.text.is_empty() {
                    text(&mut fields, "caption", message);
                }
                // What was refused as a picture may be welcome as a file.
                let is_picture = document.is_picture && !message.is_plain;
                self.upload(ticket, &fields, document, is_picture, boundary)
            }
            None => {
                text(&mut fields, "text", message);
                self.post(ticket, "sendMessage", &Value::Object(fields))
            }
        }
    }

    pub(super) fn answer_press(
        &self,
        ticket: Ticket,
        query: &str,
        text: Option<&str>,
    ) -> HttpRequest {
        let mut body = json!({ "callback_query_id": query });
        if let Some(text) = text {
            let text: String = text.chars().take(MAX_TOAST).collect();
            body["text"] = json!(text);
            body["show_alert"] = json!(true);
        }
        self.post(ticket, "answerCallbackQuery", &body)
    }

    /// `chat` is the scope; without one it is everybody.
    pub(super) fn set_commands(
        &self,
        ticket: Ticket,
        chat: Option<i64>,
        commands: &[(String, String)],
    ) -> HttpRequest {
        let scope = match chat {
            Some(chat) => json!({ "type": "chat", "chat_id": chat }),
            None => json!({ "type": "default" }),
        };
        if commands.is_empty() {
            return self.post(ticket, "deleteMyCommands", &json!({ "scope": scope }));
        }
        let commands: Vec<Value> = commands
            .iter()
            .map(|(name, help)| json!({ "command": name, "description": help }))
            .collect();
        let body = json!({ "commands": commands, "scope": scope });
        self.post(ticket, "setMyCommands", &body)
    }

    pub(super) fn post(&self, ticket: Ticket, method: &str, body: &Value) -> HttpRequest {
        let (endpoint, path) = (Arc::clone(&self.calls), format!("/{method}"));
        HttpRequest {
            headers: vec![("content-type", Secret::new("application/json".to_owned()))],
            body: Body::Bytes(Secret::new(body.to_string().into_bytes())),
            timeout: CALL_TIMEOUT,
            max_response_bytes: MAX_RESPONSE,
            ..HttpRequest::new(ticket, endpoint, Method::Post, path)
        }
    }

    fn upload(
        &self,
        ticket: Ticket,
        fields: &Map<String, Value>,
        document: &Document,
        is_picture: bool,
        boundary: u64,
    ) -> HttpRequest {
        let (method, what) = match is_picture {
            true => ("sendPhoto", "photo"),
            false => ("sendDocument", "document"),
        };
        let (boundary, body) = multipart(fields, what, document, boundary);
        let kind = format!("multipart/form-data; boundary={boundary}");
        HttpRequest {
            headers: vec![("content-type", Secret::new(kind))],
            body: Body::Bytes(Secret::new(body)),
            timeout: UPLOAD_TIMEOUT,
            ..self.post(ticket, method, &Value::Null)
        }
    }
}

fn text(fields: &mut Map<String, Value>, name: &str, message: &Outgoing) {
    let text = if message.is_plain {
        message.text.to_plain()
    } else {
        fields.insert("parse_mode".into(), json!("HTML"));
        message.text.to_html()
    };
    fields.insert(name.to_owned(), json!(text));
    if name == "text" {
        fields.insert(
            "link_preview_options".into(),
            json!({ "is_disabled": true }),
        );
    }
}

fn keyboard(rows: &[Vec<(String, String)>]) -> Value {
    let row = |row: &Vec<(String, String)>| -> Vec<Value> {
        row.iter()
            .map(|(label, code)| json!({ "text": label, "callback_data": code }))
            .collect()
    };
    json!({ "inline_keyboard": rows.iter().map(row).collect::<Vec<_>>() })
}

/// A form with one file (RFC 7578). The boundary must not occur in it.
fn multipart(
    fields: &Map<String, Value>,
    what: &str,
    document: &Document,
    seed: u64,
) -> (String, Vec<u8>) {
    let mut boundary = format!("rackwarden-{seed:016x}");
    while contains(&document.bytes, boundary.as_bytes()) {
        boundary.push('x');
    }
    let mut body = Vec::with_capacity(document.bytes.len() + 1024);
    for (name, value) in fields {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    let is_plain = |ch: &char| ch.is_alphanumeric() || "._- ".contains(*ch);
    let file_name: String = document.name.chars().filter(is_plain).take(100).collect();
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{what}\"; filename=\"{file_name}\"\r\nContent-Type: {}\r\n\r\n",
            document.mime
        )
        .as_bytes(),
    );
    body.extend_from_slice(&document.bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (boundary, body)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    fn api() -> Api {
        Api::new(&TelegramConfig {
            token: Secret::new("123:abc".to_owned()),
            api_url: "https://api.example".to_owned(),
            proxy: None,
            ca_file: None,
        })
    }

    fn message() -> Outgoing {
        Outgoing {
            item: 1,
            to: crate::chat::telegram::place(-5, Some(7)),
            text: Text::new().bold("<x>"),
            buttons: vec![vec![("Ack".into(), "code1".into())]],
            document: None,
            edit: None,
            silent: true,
            is_plain: false,
            identity: 1,
            created: crate::time::Wall(0),
            checksum: 0,
            alert: None,
            topic: None,
        }
    }

    fn body(request: &HttpRequest) -> Value {
        serde_json::from_slice(request.bytes()).expect("JSON")
    }

    #[test]
    fn a_message_says_where_what_and_how() {
        let request = api().send(Ticket(1), &message(), 0);
        assert_eq!(
            request.url().expose(),
            "https://api.example/bot123:abc/sendMessage"
        );
        assert!(!format!("{request:?}").contains("abc"));
        assert_eq!(
            body(&request),
            json!({"chat_id":-5,"message_thread_id":7,"disable_notification":true,"parse_mode":"HTML",
                "text":"<b>&lt;x&gt;</b>","link_preview_options":{"is_disabled":true},
                "reply_markup":{"inline_keyboard":[[{"text":"Ack","callback_data":"code1"}]]}})
        );
    }

    #[test]
    fn variants_use_the_right_method() {
        let mut edit = message();
        edit.edit = Some(9);
        let request = api().send(Ticket(1), &edit, 0);
        assert!(request.url().expose().ends_with("/editMessageText"));
        assert_eq!(body(&request)["message_id"], 9);
        let mut plain = message();
        plain.is_plain = true;
        plain.to = crate::chat::telegram::place(-5, Some(1));
        let request = body(&api().send(Ticket(1), &plain, 0));
        assert_eq!(request["text"], "<x>");
        assert!(request["parse_mode"].is_null() && request["message_thread_id"].is_null());
    }

    #[test]
    fn a_file_is_a_form_whose_boundary_is_not_in_it() {
        let mut with_file = message();
        with_file.document = Some(Document {
            name: "a\"b\r\n.csv".into(),
            mime: "text/csv",
            bytes: b"x rackwarden-0000000000000000 y".as_slice().into(),
            is_picture: false,
        });
        let request = api().send(Ticket(1), &with_file, 0);
        let text = String::from_utf8(request.bytes().to_vec()).expect("text");
        assert!(
            request.headers[0]
                .1
                .expose()
                .ends_with("boundary=rackwarden-0000000000000000x")
        );
        assert!(text.contains("name=\"caption\"\r\n\r\n<b>&lt;x&gt;</b>\r\n"));
        assert!(text.contains("filename=\"ab.csv\"\r\nContent-Type: text/csv\r\n\r\nx rack"));
        assert!(text.ends_with("\r\n--rackwarden-0000000000000000x--\r\n"));
    }

    #[test]
    fn a_picture_that_was_refused_goes_as_a_file() {
        let mut message = message();
        message.document = Some(Document {
            name: "chart.png".into(),
            mime: "image/png",
            bytes: b"png".as_slice().into(),
            is_picture: true,
        });
        for (is_plain, method, field) in [
            (
                false,
                "/sendPhoto",
                "name=\"photo\"; filename=\"chart.png\"",
            ),
            (
                true,
                "/sendDocument",
                "name=\"document\"; filename=\"chart.png\"",
            ),
        ] {
            message.is_plain = is_plain;
            let request = api().send(Ticket(1), &message, 0);
            let body = String::from_utf8_lossy(request.bytes()).into_owned();
            assert!(request.url().expose().ends_with(method));
            assert!(body.contains(field), "{body}");
        }
    }
}
