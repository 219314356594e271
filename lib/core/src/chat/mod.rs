//! Chat: one grammar, one authorisation function, one outbox, several transports.
//!
//! A transport turns raw replies into `Incoming`; `Chat` finds the command, asks `access`, and hands an
//! `Invocation` to the plugin that owns it; replies become outbox items that a transport turns into effects.

pub mod access;
pub mod audit;
pub mod buttons;
pub mod codes;
pub mod command;
pub mod grammar;
mod hub;
mod inbound;
mod late;
mod later;
mod limiter;
pub mod mail;
pub mod outbox;
mod pages;
mod pairing;
mod pending_commands;
pub mod place;
pub mod sessions;
pub mod telegram;
mod terminal;
pub mod transport;

pub use command::{Command, Invocation, Kind, Role, Row, Spec};
pub use hub::{Chat, ChatCounters, ChatEnv, Names, Resumed};
pub use place::{Person, Place};
pub(crate) use telegram::call as telegram_call;

use crate::effect::Document;
use crate::text::Text;

/// Every transport. A further one is one file and one line here.
pub const TRANSPORTS: &[transport::Service] = &[
    telegram::SERVICE,
    mail::SERVICE,
    sessions::SERVICE,
    terminal::SERVICE,
    later::DISCORD,
    later::HUB,
    later::MQTT,
    later::HTTP,
];

/// One conversation over the terminal or the local socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The terminal of `demo`, where alerts for the address `terminal` are printed too. Callers of the local
    /// socket count from 1.
    pub const TERMINAL: SessionId = SessionId(0);
}

/// A line from the terminal or the local socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// To be named in the reply.
    pub session: SessionId,
    /// Who asks, proven by peer credentials: `local:UID`, or `terminal`.
    pub who: Person,
    /// True for root, the agent's own user, and the terminal of `demo`.
    pub is_owner: bool,
    /// The line.
    pub line: String,
}

impl Asked {
    /// Who asks, as the authorisation function takes it.
    pub fn caller(&self) -> Caller {
        Caller {
            address: self.who.place(),
            who: self.who.clone(),
            name: String::new(),
            is_private: true,
            is_owner: self.is_owner,
        }
    }
}

/// Who speaks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person. Identity is the numeric id, never a name.
    pub who: Person,
    /// How the person is called, for the audit log and messages.
    pub name: String,
    /// Where to answer.
    pub address: Place,
    /// True when nobody else reads along.
    pub is_private: bool,
    /// True when the transport itself proves that this is an owner (local socket as root, `demo`).
    pub is_owner: bool,
}

impl Caller {
    /// A person in the private chat with the bot.
    pub fn in_private(who: Person) -> Caller {
        Caller {
            address: who.place(),
            who,
            name: String::new(),
            is_private: true,
            is_owner: false,
        }
    }

    /// Who and where, as the audit log tells it: `telegram:42 Ann in telegram:-100/7`.
    pub fn for_audit(&self) -> String {
        let mut text = self.who.to_string();
        if !self.name.is_empty() {
            text.push(' ');
            text.push_str(&self.name);
        }
        if !self.is_private {
            text.push_str(&format!(" in {}", self.address));
        }
        text.replace('\n', " ")
    }
}

/// A message from a chat service, in neutral form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Who and where.
    pub caller: Caller,
    /// The message it came in (for a button: the message that carries the button), as the service names it.
    pub message: Option<i64>,
    /// How old it was when it came in.
    pub age: Age,
    /// What it is.
    pub kind: IncomingKind,
}

/// How old a message is when it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It was written or pressed just now: whoever sent it waits.
    Live,
    /// By the service's own clock.
    Known(std::time::Duration),
    /// It may be old, but nobody can tell how old.
    Unknown,
}

/// Kinds of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IncomingKind {
    /// Text, new or edited.
    Text {
        /// As written.
        text: String,
        /// An edit of an earlier message.
        edited: bool,
    },
    /// Text that the caller did not write: forwarded, or another bot's in the caller's name.
    Foreign(String),
    /// A button was pressed.
    Press {
        /// The code that the button carries.
        code: String,
        /// To be named when the press is acknowledged to the service.
        query: String,
    },
}

/// Where a reply goes. Kept by a plugin while it works, so that it can answer later and more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// Who asked; buttons that confirm or choose are bound to this person.
    pub who: Person,
    /// Chat and topic.
    pub address: Place,
    /// Terminal or local socket session, if that is where the question came from.
    pub session: Option<SessionId>,
    /// The message that carried the pressed button; a reply may edit it in place.
    pub edits: Option<i64>,
    /// What the last answer finishes on disk; none for the terminal and the local socket, whose callers do not
    /// outlive the agent.
    pub mark: Option<u64>,
}

/// An answer to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What it says.
    pub text: Text,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// A file to send with it.
    pub document: Option<Document>,
    /// True when more follows to the same `ReplyTo` (a progress report).
    pub more_follows: bool,
}

impl Answer {
    /// An answer of text alone.
    pub fn text(text: impl Into<Text>) -> Answer {
        Answer {
            text: text.into(),
            ..Answer::default()
        }
    }
}

/// A button: a label and the command line that pressing it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// What it runs, such as `/ack 3`.
    pub command: String,
    /// Who may press it.
    pub bound: Bound,
}

impl Button {
    /// A button that everybody may press who may run its command.
    pub fn open(label: impl Into<String>, command: impl Into<String>) -> Button {
        Button {
            label: label.into(),
            command: command.into(),
            bound: Bound::Open,
        }
    }

    /// A button that confirms a dangerous action: bound to the caller and this chat, for 60 s, once.
    pub fn confirm(label: impl Into<String>, command: impl Into<String>) -> Button {
        Button {
            label: label.into(),
            command: command.into(),
            bound: Bound::Confirm,
        }
    }

    /// A button for the one person that it is shown to, who may press it days later.
    pub fn lasting(label: impl Into<String>, command: impl Into<String>) -> Button {
        Button {
            label: label.into(),
            command: command.into(),
            bound: Bound::Lasting,
        }
    }

    /// A button that runs the caller's own command, once.
    pub fn once(label: impl Into<String>, command: impl Into<String>) -> Button {
        Button {
            label: label.into(),
            command: command.into(),
            bound: Bound::Once,
        }
    }

    /// A button that is bound to the caller, but confirms nothing (a choice in a dialog).
    pub fn choice(label: impl Into<String>, command: impl Into<String>) -> Button {
        Button {
            label: label.into(),
            command: command.into(),
            bound: Bound::Caller,
        }
    }
}

/// To whom a button is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Bound {
    /// Anybody with the right.
    Open,
    /// The caller only.
    Caller,
    /// The caller only; used up by a press.
    Once,
    /// The one whom it is shown to, also after a restart.
    Lasting,
    /// The caller only, and the pressed command counts as confirmed; dies after 60 s or one press.
    Confirm,
}
