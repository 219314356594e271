//! What the Bot API answers: a result, or a refusal with a number, a text and at times a hint.

use crate::chat::transport::Failure;
use crate::event::HttpResponse;
use crate::fault::{Fault, FaultKind};
use serde_json::Value;
use std::time::Duration;

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The Bot API says no.
    Api {
        /// `error_code`
        code: u16,
        /// `description`
        text: String,
        /// `parameters.retry_after`
        retry_after: Option<Duration>,
        /// `parameters.migrate_to_chat_id`
        moved_to: Option<i64>,
    },
    /// Something answered that is not the Bot API (a gateway, a captive portal), or the answer was broken.
    Garbled(u16),
    /// Nothing answered.
    Fault(Fault),
}

/// Longest wait that is believed.
const MAX_RETRY_AFTER: u64 = 24 * 3600;

/// Reads an answer.
pub(super) fn read(result: Result<HttpResponse, Fault>) -> Result<Value, Refusal> {
    let response = result.map_err(Refusal::Fault)?;
    let status = response.status;
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&response.body) else {
        return Err(Refusal::Garbled(status));
    };
    match body.get("ok") {
        Some(Value::Bool(true)) => Ok(body.remove("result").unwrap_or(Value::Null)),
        Some(Value::Bool(false)) => Err(refusal(status, &Value::Object(body))),
        _ => Err(Refusal::Garbled(status)),
    }
}

fn refusal(status: u16, body: &Value) -> Refusal {
    let code = body["error_code"]
        .as_u64()
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(status);
    let parameters = &body["parameters"];
    let text = body["description"].as_str().unwrap_or("no description");
    Refusal::Api {
        code,
        text: crate::chat::grammar::cut(text, 200).to_owned(),
        retry_after: parameters["retry_after"]
            .as_u64()
            .map(|seconds| Duration::from_secs(seconds.min(MAX_RETRY_AFTER))),
        moved_to: parameters["migrate_to_chat_id"].as_i64(),
    }
}

impl Refusal {
    /// In words for the log and for `/status`.
    pub(super) fn in_words(&self) -> String {
        match self {
            Refusal::Api { code, text, .. } => format!("{text} ({code})"),
            Refusal::Garbled(status) => {
                format!("status {status} with something that is not the Bot API's answer")
            }
            Refusal::Fault(fault) => fault.detail.clone(),
        }
    }

    /// The token is not (any longer) valid.
    pub(super) fn is_denied(&self) -> bool {
        matches!(
            self,
            Refusal::Api {
                code: 401 | 404,
                ..
            }
        )
    }

    /// The service as a whole is in trouble, not this one message.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Refusal::Fault(_) | Refusal::Garbled(_) => true,
            Refusal::Api { code, .. } => *code >= 500 || self.is_denied(),
        }
    }

    /// What it means for a message.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Refusal::Fault(fault) => Failure::Retry {
                maybe_arrived: matches!(
                    fault.kind,
                    FaultKind::Timeout | FaultKind::Interrupted | FaultKind::Malformed
                ),
            },
            Refusal::Garbled(_) => Failure::Retry {
                maybe_arrived: true,
            },
            Refusal::Api {
                retry_after: Some(span),
                ..
            } => Failure::Wait(*span),
            Refusal::Api {
                moved_to: Some(new),
                ..
            } => Failure::Moved(super::place(*new, None)),
            Refusal::Api { code: 429, .. } => Failure::Wait(Duration::from_secs(5)),
            Refusal::Api {
                code: 401 | 404, ..
            } => Failure::Retry {
                maybe_arrived: false,
            },
            Refusal::Api {
                code: 403, text, ..
            } => Failure::Closed(text.clone()),
            Refusal::Api { code, .. } if *code >= 500 => Failure::Retry {
                maybe_arrived: true,
            },
            Refusal::Api { text, .. } => by_text(text),
        }
    }
}

/// The Bot API tells these apart by its text alone.
fn by_text(text: &str) -> Failure {
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["can't parse entities", "can't parse message text"]) {
        Failure::Markup
    } else if has(&[
        "message thread not found",
        "topic_closed",
        "topic_deleted",
        "topic_id_invalid",
    ]) {
        Failure::NoTopic
    } else if has(&[
        "message to edit not found",
        "message can't be edited",
        "message_id_invalid",
        "message identifier is not specified",
        "there is no text in the message to edit",
    ]) {
        Failure::NoMessage
    } else if has(&[
        "chat not found",
        "peer_id_invalid",
        "group chat was deactivated",
        "not enough rights",
        "have no rights",
        "need administrator rights",
        "chat_write_forbidden",
        "user not found",
        "user is deactivated",
    ]) {
        Failure::Closed(text.to_owned())
    } else {
        Failure::Rejected(text.to_owned())
    }
}

/// An edit that changes nothing has the wanted effect.
pub(super) fn is_not_modified(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Api { code: 400, text, .. } if text.contains("message is not modified"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Value, Refusal> {
        read(Ok(HttpResponse {
            status,
            body: body.as_bytes().to_vec(),
            ..HttpResponse::default()
        }))
    }

    #[test]
    fn every_refusal_means_something_for_the_message() {
        let retry = |maybe_arrived| Failure::Retry { maybe_arrived };
        for (rule, status, body, want) in [
            (
                "wait_as_long_as_asked",
                429,
                r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30","parameters":{"retry_after":30}}"#,
                Failure::Wait(Duration::from_secs(30)),
            ),
            (
                "group_became_supergroup",
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1005}}"#,
                Failure::Moved(super::super::place(-1005, None)),
            ),
            (
                "markup",
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: Unsupported start tag"}"#,
                Failure::Markup,
            ),
            (
                "blocked",
                403,
                r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
                Failure::Closed("Forbidden: bot was blocked by the user".into()),
            ),
            (
                "topic_gone",
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: message thread not found"}"#,
                Failure::NoTopic,
            ),
            (
                "message_gone",
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: message to edit not found"}"#,
                Failure::NoMessage,
            ),
            (
                "token_gone",
                401,
                r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#,
                retry(false),
            ),
            (
                "server_in_trouble",
                500,
                r#"{"ok":false,"error_code":500,"description":"Internal Server Error"}"#,
                retry(true),
            ),
            ("captive_portal", 200, "<html>Welcome</html>", retry(true)),
            ("torn", 200, r#"{"ok":true,"resu"#, retry(true)),
            ("not_an_object", 200, "[]", retry(true)),
            ("without_ok", 200, "{}", retry(true)),
        ] {
            let refusal = answer(status, body).expect_err(rule);
            assert_eq!(refusal.failure(), want, "{rule}");
            assert!(!refusal.in_words().is_empty());
        }
        let same = r#"{"ok":false,"error_code":400,"description":"Bad Request: message is not modified: specified new message content is the same"}"#;
        assert!(is_not_modified(&answer(400, same).expect_err("refused")));
        assert_eq!(answer(200, r#"{"ok":true,"result":7}"#), Ok(Value::from(7)));
    }
}
