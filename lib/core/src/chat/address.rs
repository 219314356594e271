//! Where messages go and who people are, in the notation of the configuration.

use std::fmt;
use std::str::FromStr;

/// A place that messages can be sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// `telegram:CHAT` or `telegram:CHAT/TOPIC`.
    Telegram {
        /// Chat id; negative for groups.
        chat: i64,
        /// Topic of a forum group.
        topic: Option<i64>,
    },
    /// `mail:ADDRESS`.
    Mail(String),
    /// `local:UID`, a caller of the local socket. Answers only.
    Local(u32),
    /// `terminal`, the terminal of `demo`.
    Terminal,
}

/// Somebody, or some group, that rights are granted to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// `telegram:USER`
    Telegram(i64),
    /// `telegram-chat:CHAT`, everyone who speaks there.
    TelegramChat(i64),
    /// `local:UID`
    Local(u32),
    /// `terminal`
    Terminal,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Telegram { chat, topic: None } => write!(f, "telegram:{chat}"),
            Address::Telegram {
                chat,
                topic: Some(topic),
            } => write!(f, "telegram:{chat}/{topic}"),
            Address::Mail(address) => write!(f, "mail:{address}"),
            Address::Local(uid) => write!(f, "local:{uid}"),
            Address::Terminal => f.write_str("terminal"),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Address, String> {
        let expected = || {
            format!(
                "`{text}` is not an address; write telegram:CHAT, telegram:CHAT/TOPIC or mail:NAME@HOST"
            )
        };
        if text == "terminal" {
            return Ok(Address::Terminal);
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(expected)?;
        match scheme {
            "telegram" => {
                let (chat, topic) = match rest.split_once('/') {
                    Some((chat, topic)) => (
                        chat,
                        Some(
                            topic
                                .parse::<i64>()
                                .ok()
                                .filter(|id| *id > 0)
                                .ok_or_else(expected)?,
                        ),
                    ),
                    None => (rest, None),
                };
                let chat = chat
                    .parse::<i64>()
                    .ok()
                    .filter(|id| *id != 0)
                    .ok_or_else(expected)?;
                Ok(Address::Telegram { chat, topic })
            }
            "mail" if is_mail(rest) => Ok(Address::Mail(rest.to_owned())),
            "local" => rest.parse().map(Address::Local).map_err(|_| expected()),
            _ => Err(expected()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Telegram(user) => write!(f, "telegram:{user}"),
            Subject::TelegramChat(chat) => write!(f, "telegram-chat:{chat}"),
            Subject::Local(uid) => write!(f, "local:{uid}"),
            Subject::Terminal => f.write_str("terminal"),
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Subject, String> {
        let expected =
            || format!("`{text}` is nobody; write telegram:USER, telegram-chat:CHAT or local:UID");
        if text == "terminal" {
            return Ok(Subject::Terminal);
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(expected)?;
        match scheme {
            "telegram" => rest
                .parse::<i64>()
                .ok()
                .filter(|id| *id > 0)
                .map(Subject::Telegram)
                .ok_or_else(expected),
            "telegram-chat" => rest
                .parse::<i64>()
                .ok()
                .filter(|id| *id != 0)
                .map(Subject::TelegramChat)
                .ok_or_else(expected),
            "local" => rest.parse().map(Subject::Local).map_err(|_| expected()),
            _ => Err(expected()),
        }
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(Address, Subject);

fn is_mail(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part
                .contains(|ch: char| ch.is_whitespace() || ch.is_control() || "<>,;\"".contains(ch))
    };
    is_plain(local) && is_plain(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in [
            "telegram:-1001234",
            "telegram:-1001234/7",
            "mail:oncall@example.org",
            "local:1000",
            "terminal",
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        for text in [
            "telegram:",
            "telegram:x",
            "telegram:1/x",
            "telegram:0",
            "mail:nobody",
            "mail:a b@c",
            "irc:x",
            "",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn subjects_round_trip() {
        for text in [
            "telegram:424242424",
            "telegram-chat:-1001234",
            "local:0",
            "terminal",
        ] {
            assert_eq!(text.parse::<Subject>().expect(text).to_string(), text);
        }
        for text in ["telegram:-5", "bob", "telegram-chat:zero", "local:-1"] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
