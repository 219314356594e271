//! What calls and answers look like: parameters as JSON or as a form with a file (RFC 7578), answers, people and chats.

use super::{Answer, BUTTON_BYTES, refused};
use serde_json::{Map, Value, json};

/// A file of a form.
pub struct Upload {
    /// The parameter that it is: `document`, `photo`.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// Parameters, and the file.
pub fn parameters(kind: &str, body: &[u8]) -> (Value, Option<Upload>) {
    let Some((_, boundary)) = kind.split_once("boundary=") else {
        return (serde_json::from_slice(body).unwrap_or(Value::Null), None);
    };
    let (mut fields, mut document) = (Map::new(), None);
    for part in split(body, format!("--{boundary}").as_bytes()) {
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
            (field, Some(name)) => {
                let field = field.unwrap_or_default();
                // The service knows a file by what it attaches.
                fields.insert(field.clone(), Value::String(format!("attach://{name}")));
                document = Some(Upload {
                    field,
                    name,
                    bytes: content.to_vec(),
                });
            }
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

/// A person as the service writes one.
pub(super) fn person(user: i64) -> Value {
    json!({"id": user, "is_bot": false, "first_name": format!("user{user}")})
}

/// A chat as the service writes one.
pub(super) fn chat_of(chat: i64) -> Value {
    match chat < 0 {
        true => json!({"id": chat, "type": "supergroup", "title": "crew"}),
        false => json!({"id": chat, "type": "private", "first_name": format!("user{chat}")}),
    }
}

/// Status and body of an answer.
pub(super) fn encode(answer: Answer) -> (u16, Vec<u8>) {
    let (status, body) = match answer {
        Ok(result) => (200, json!({"ok": true, "result": result})),
        Err((status, text, hints)) => {
            let mut body = json!({"ok": false, "error_code": status, "description": text});
            if !hints.is_null() {
                body["parameters"] = hints;
            }
            (status, body)
        }
    };
    (status, body.to_string().into_bytes())
}

/// Telegram: a photo has at most 10 MB, width and height together at most 10,000 pixels, and neither is more than twenty
/// times the other. Only PNG is known here.
pub(super) fn is_photo(bytes: &[u8]) -> bool {
    let number = |at: usize| {
        let four = bytes.get(at..at + 4)?;
        Some(
            four.iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let (Some(width), Some(height)) = (number(16), number(20)) else {
        return false;
    };
    let is_png = bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() <= 10_000_000;
    let sides = width.min(height)..=width.max(height);
    is_png && *sides.start() > 0 && width + height <= 10_000 && sides.end() / sides.start() <= 20
}

pub(super) fn buttons(parameters: &Value) -> Result<Vec<(String, String)>, (u16, String, Value)> {
    let rows = parameters["reply_markup"]["inline_keyboard"].as_array();
    let all = rows
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten();
    let mut buttons = Vec::new();
    for button in all {
        let label = button["text"].as_str().unwrap_or_default();
        let data = button["callback_data"].as_str().unwrap_or_default();
        if data.is_empty() || data.len() > BUTTON_BYTES || label.is_empty() {
            return refused(400, "Bad Request: BUTTON_DATA_INVALID");
        }
        buttons.push((label.to_owned(), data.to_owned()));
    }
    Ok(buttons)
}
