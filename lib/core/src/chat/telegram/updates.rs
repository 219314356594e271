//! Reads updates: who wrote or pressed what, and where. What is not for us (other bots, kinds that were not asked
//! for) and what somebody else wrote (forwarded messages) is told apart, never guessed at.

use crate::chat::{Age, Caller, Incoming, IncomingKind, Place};
use serde_json::Value;

/// The kinds of updates that are asked for.
pub(super) const KINDS: [&str; 5] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
];

/// One update, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Update {
    /// Somebody wrote or pressed, at this time by the service's clock (a press has none).
    Incoming(Incoming, Option<i64>),
    /// A group has become a supergroup.
    Moved {
        /// Its id until now.
        old: i64,
        /// Its id from now on.
        new: i64,
    },
    /// Known, but nothing to act on.
    Ignored(&'static str),
    /// A kind that this version does not know.
    Unknown,
}

/// Longest text that is read.
const MAX_TEXT: usize = 8192;

/// Reads one element of `getUpdates`' result; its number, if it has one, and what it is.
pub(super) fn read(update: &Value) -> (Option<i64>, Update) {
    let id = update["update_id"].as_i64();
    let kind = KINDS.into_iter().find(|kind| update[*kind].is_object());
    let what = match kind {
        Some("callback_query") => press(&update["callback_query"]),
        Some(kind) => message(&update[kind], kind.starts_with("edited")),
        None => Update::Unknown,
    };
    (id, what)
}

fn message(message: &Value, edited: bool) -> Update {
    let Some(chat) = message["chat"]["id"].as_i64() else {
        return Update::Unknown;
    };
    if let Some(new) = message["migrate_to_chat_id"].as_i64() {
        return Update::Moved { old: chat, new };
    }
    if let Some(old) = message["migrate_from_chat_id"].as_i64() {
        return Update::Moved { old, new: chat };
    }
    // A forwarded command is somebody else's words; the same holds for what another bot wrote in a person's name.
    let is_foreign = [
        "forward_origin",
        "forward_from",
        "forward_from_chat",
        "forward_sender_name",
        "forward_date",
        "via_bot",
        "sender_business_bot",
    ]
    .iter()
    .any(|field| !message[*field].is_null());
    if message["is_automatic_forward"].as_bool() == Some(true) {
        return Update::Ignored("forwarded by the service");
    }
    let Some(text) = message["text"].as_str() else {
        return Update::Ignored("no text");
    };
    let Some(caller) = caller(message, chat) else {
        return Update::Ignored("another bot");
    };
    let date = message["edit_date"].as_i64().or(message["date"].as_i64());
    let incoming = Incoming {
        caller,
        message: message["message_id"].as_i64(),
        age: Age::Unknown,
        kind: match crate::chat::grammar::cut(text, MAX_TEXT).to_owned() {
            text if is_foreign => IncomingKind::Foreign(text),
            text => IncomingKind::Text { text, edited },
        },
    };
    Update::Incoming(incoming, date)
}

fn press(query: &Value) -> Update {
    let message = &query["message"];
    let (Some(chat), Some(data), Some(id)) = (
        message["chat"]["id"].as_i64(),
        query["data"].as_str(),
        query["id"].as_str(),
    ) else {
        return Update::Ignored("a press without a message");
    };
    let from = &query["from"];
    let is_bot = from["is_bot"].as_bool() == Some(true);
    let Some(user) = from["id"].as_i64().filter(|id| *id > 0 && !is_bot) else {
        return Update::Unknown;
    };
    let incoming = Incoming {
        caller: Caller {
            who: super::user(user),
            name: name(from),
            address: address(message, chat),
            is_private: is_private(message),
            is_owner: false,
        },
        message: message["message_id"].as_i64(),
        age: Age::Unknown,
        kind: IncomingKind::Press {
            code: crate::chat::grammar::cut(data, 64).to_owned(),
            query: id.to_owned(),
        },
    };
    Update::Incoming(incoming, None)
}

/// Who wrote. A channel or an anonymous administrator writes as a chat.
fn caller(message: &Value, chat: i64) -> Option<Caller> {
    let (who, name) = match message["sender_chat"]["id"].as_i64() {
        Some(sender) => (super::group(sender), name(&message["sender_chat"])),
        None => {
            let from = &message["from"];
            if from["is_bot"].as_bool() == Some(true) {
                return None;
            }
            let user = from["id"].as_i64().filter(|id| *id > 0)?;
            (super::user(user), name(from))
        }
    };
    Some(Caller {
        who,
        name,
        address: address(message, chat),
        is_private: is_private(message),
        is_owner: false,
    })
}

/// The thread number of an ordinary group is that of a reply, not of a topic.
fn address(message: &Value, chat: i64) -> Place {
    let is_topic = message["is_topic_message"].as_bool() == Some(true);
    let topic = message["message_thread_id"]
        .as_i64()
        .filter(|id| is_topic && *id > 0);
    super::place(chat, topic)
}

fn is_private(message: &Value) -> bool {
    message["chat"]["type"].as_str() == Some("private")
}

fn name(person: &Value) -> String {
    let parts: Vec<&str> = ["title", "first_name", "last_name"]
        .iter()
        .filter_map(|field| person[*field].as_str())
        .collect();
    let name = crate::text::clean(parts.join(" ")).replace('\n', " ");
    crate::chat::grammar::cut(&name, 64).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(update: Value) -> String {
        match read(&update) {
            (id, Update::Incoming(incoming, sent)) => {
                let caller = incoming.caller;
                let kind = match incoming.kind {
                    IncomingKind::Text { text, edited } => format!("text {text} {edited}"),
                    IncomingKind::Foreign(text) => format!("foreign {text}"),
                    IncomingKind::Press { code, query } => format!("press {code} {query}"),
                };
                format!(
                    "{id:?} {} {} {} {} {kind} {:?}",
                    caller.who, caller.name, caller.address, caller.is_private, sent
                )
            }
            (id, other) => format!("{id:?} {other:?}"),
        }
    }

    #[test]
    fn updates_are_read_by_who_and_where() {
        let ann = json!({"id":42,"is_bot":false,"first_name":"Ann","last_name":"B\u{202e}"});
        let private = json!({"id":42,"type":"private"});
        let group = json!({"id":-100,"type":"supergroup","title":"G"});
        for (rule, update, want) in [
            (
                "private",
                json!({"update_id":1,"message":{"message_id":5,"from":ann,"chat":private,"date":9,"text":"/id"}}),
                "Some(1) telegram:42 Ann B telegram:42 true text /id false Some(9)",
            ),
            (
                "edited_counts_from_its_edit",
                json!({"update_id":1,"edited_message":{"message_id":5,"from":ann,"chat":private,"date":9,"edit_date":99,"text":"/id"}}),
                "Some(1) telegram:42 Ann B telegram:42 true text /id true Some(99)",
            ),
            (
                "topic",
                json!({"update_id":1,"message":{"from":ann,"chat":group,"message_thread_id":7,"is_topic_message":true,"date":9,"text":"x"}}),
                "Some(1) telegram:42 Ann B telegram:-100/7 false text x false Some(9)",
            ),
            (
                "a_reply_is_no_topic",
                json!({"update_id":1,"message":{"from":ann,"chat":group,"message_thread_id":7,"date":9,"text":"x"}}),
                "Some(1) telegram:42 Ann B telegram:-100 false text x false Some(9)",
            ),
            (
                "anonymous_administrator_is_the_group",
                json!({"update_id":1,"message":{"from":{"id":1087968824,"is_bot":true,"first_name":"Group"},"sender_chat":group,"chat":group,"date":9,"text":"x"}}),
                "Some(1) telegram-chat:-100 G telegram:-100 false text x false Some(9)",
            ),
            (
                "channel_post",
                json!({"update_id":1,"channel_post":{"sender_chat":{"id":-7,"title":"C"},"chat":{"id":-7,"type":"channel"},"date":9,"text":"x"}}),
                "Some(1) telegram-chat:-7 C telegram:-7 false text x false Some(9)",
            ),
            (
                "press",
                json!({"update_id":1,"callback_query":{"id":"q","from":ann,"data":"abc","message":{"message_id":5,"chat":private,"date":0}}}),
                "Some(1) telegram:42 Ann B telegram:42 true press abc q None",
            ),
            (
                "forwarded",
                json!({"update_id":1,"message":{"from":ann,"chat":private,"forward_origin":{"type":"user"},"date":9,"text":"/reset"}}),
                "Some(1) telegram:42 Ann B telegram:42 true foreign /reset Some(9)",
            ),
            (
                "written_by_another_bot_in_a_persons_name",
                json!({"update_id":1,"message":{"from":ann,"chat":private,"via_bot":{"id":5},"date":9,"text":"/reset"}}),
                "Some(1) telegram:42 Ann B telegram:42 true foreign /reset Some(9)",
            ),
            (
                "a_channels_post_in_its_discussion_group",
                json!({"update_id":1,"message":{"from":{"id":777000,"is_bot":false},"sender_chat":{"id":-7},"chat":group,"is_automatic_forward":true,"date":9,"text":"/reset"}}),
                "Some(1) Ignored(\"forwarded by the service\")",
            ),
            (
                "press_by_a_bot",
                json!({"update_id":1,"callback_query":{"id":"q","from":{"id":1087968824,"is_bot":true},"data":"abc","message":{"message_id":5,"chat":group}}}),
                "Some(1) Unknown",
            ),
            (
                "another_bot",
                json!({"update_id":1,"message":{"from":{"id":5,"is_bot":true},"chat":group,"date":9,"text":"/reset"}}),
                "Some(1) Ignored(\"another bot\")",
            ),
            (
                "moved",
                json!({"update_id":1,"message":{"chat":{"id":-5,"type":"group"},"date":9,"migrate_to_chat_id":-1005}}),
                "Some(1) Moved { old: -5, new: -1005 }",
            ),
            (
                "moved_from",
                json!({"update_id":1,"message":{"chat":{"id":-1005,"type":"supergroup"},"date":9,"migrate_from_chat_id":-5}}),
                "Some(1) Moved { old: -5, new: -1005 }",
            ),
            (
                "unknown",
                json!({"update_id":1,"poll":{}}),
                "Some(1) Unknown",
            ),
            ("nothing", json!(7), "None Unknown"),
            (
                "wrong_types",
                json!({"update_id":"x","message":{"chat":{"id":"y"}}}),
                "None Unknown",
            ),
        ] {
            assert_eq!(text(update), want, "{rule}");
        }
    }

    #[test]
    fn broken_updates_never_panic() {
        let whole =
            json!({"update_id":1,"message":{"message_id":5,"from":{"id":42,"first_name":"Ann"},
            "chat":{"id":42,"type":"private"},"date":9,"text":"/id"},
            "callback_query":{"id":"q","from":{"id":1},"data":"d","message":{"chat":{"id":1}}}})
            .to_string();
        let mut rng = crate::rng::Rng::new(3);
        for _ in 0..20_000 {
            let mut bytes = whole.clone().into_bytes();
            for _ in 0..=rng.below(3) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = b"{}[]\",:0-9ax\\"[rng.below(13) as usize];
            }
            if let Ok(value) = serde_json::from_slice::<Value>(&bytes) {
                read(&value);
            }
        }
    }
}
