//! What a chat service has to offer. A transport turns raw replies into neutral events, and outgoing
//! messages into effects; what to say, to whom and when is decided elsewhere.

use super::access::Access;
use super::hub::ChatEnv;
use super::outbox::{ItemId, Topic};
use super::{Caller, Incoming, Place, Spec};
use crate::config::Config;
use crate::effect::{Document, Ticket};
use crate::event::Reply;
use crate::state::Records;
use crate::text::Text;
use crate::time::{Mono, Wall};
use std::time::Duration;

/// A chat service.
pub trait Transport: Send {
    /// Its constants.
    fn service(&self) -> &'static Service;

    /// Whether messages to this place go through it.
    fn serves(&self, place: &Place) -> bool {
        place.transport() == self.service().name
    }

    /// What a message may hold, and how fast they may come.
    fn limits(&self) -> Limits;

    /// Whether it takes a message now.
    fn readiness(&self, now: Mono) -> Readiness;

    /// Where somebody sends a pairing code to, when people can write to it in private.
    fn pairing_place(&self, _code: &str) -> Option<String> {
        None
    }

    /// The bot's own name, for `/current@name`.
    fn bot_name(&self) -> Option<&str> {
        None
    }

    /// Begins, with what was on disk.
    fn start(&mut self, _env: &mut ChatEnv<'_>, _records: &Records) {}

    /// Sends a message. What happened to it is told at once or later.
    fn send(&mut self, env: &mut ChatEnv<'_>, message: Outgoing) -> Vec<TransportEvent>;

    /// Tells the service that a press was seen; a text is shown to whoever pressed.
    fn acknowledge(&mut self, _env: &mut ChatEnv<'_>, _query: &str, _text: Option<&str>) {}

    /// Takes the reply to a request; gives it back when the request was not its own.
    ///
    /// # Errors
    /// Returns the reply unchanged when the ticket belongs to another transport.
    fn handle(
        &mut self,
        _env: &mut ChatEnv<'_>,
        _ticket: Ticket,
        reply: Reply,
    ) -> Result<Vec<TransportEvent>, Reply> {
        Err(reply)
    }

    /// Everything up to this journal record is on disk.
    fn handle_stored(&mut self, _env: &mut ChatEnv<'_>, _seq: u64) {}

    /// When it wants to act again.
    fn poll_timeout(&self) -> Option<Mono> {
        None
    }

    /// Acts on everything that is due.
    fn handle_timeout(&mut self, _env: &mut ChatEnv<'_>) {}

    /// The configuration in `env` is in force.
    fn reload(&mut self, _env: &mut ChatEnv<'_>) {}

    /// True when the configuration has no use for it any longer.
    fn is_retired(&self) -> bool {
        false
    }

    /// Rights have changed: `menu` lists what a caller may use.
    fn show_menu(&mut self, _env: &mut ChatEnv<'_>, _access: &Access, _menu: Menu<'_>) {}

    /// Since when the service has been away, as far as calls show it.
    fn away_since(&self) -> Option<Mono> {
        None
    }

    /// What is wrong, in one sentence.
    fn problem(&self) -> Option<String> {
        None
    }

    /// What has come in since the start.
    fn received(&self) -> Received {
        Received::default()
    }
}

/// What has come in since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Messages and presses.
    pub taken: u64,
    /// Updates that had been taken before.
    pub repeated: u64,
    /// Updates with nothing to act on.
    pub ignored: u64,
    /// Updates of a kind that this version does not know.
    pub unknown: u64,
    /// Polls that heard nothing although something waited, and were made anew.
    pub replaced: u64,
    /// Updates that waited at the service when somebody looked last.
    pub pending: u64,
}

/// The commands that somebody may use.
pub type Menu<'a> = &'a dyn Fn(&Caller) -> Vec<&'static Spec>;

/// The constants of a transport: its row in `TRANSPORTS`.
pub struct Service {
    /// As places, people and log lines name it.
    pub name: &'static str,
    /// As sentences name it.
    pub title: &'static str,
    /// Makes it when the configuration asks for it.
    pub make: Make,
    /// False while only rights can be granted to its people.
    pub is_built: bool,
    /// How its places are written, the shortest form first; none of what cannot be sent to.
    pub forms: &'static [&'static str],
    /// Reads the path of a place.
    pub path: fn(&str) -> Option<String>,
    /// The kinds of people that rights are granted to.
    pub people: &'static [People],
    /// True when a path may end in a topic, behind a slash.
    pub topics: bool,
    /// True when several people read a chat of this path.
    pub is_group: fn(&str) -> bool,
    /// True when messages can be sent that nobody asked for.
    pub is_audience: bool,
    /// True when a message that was sent can be changed.
    pub edits: bool,
    /// True when alerts that join a message within its window leave together, at the end of the window at the latest.
    pub gathers: bool,
    /// True when messages may be of any length.
    pub is_long: bool,
    /// True when alerts fall back to it while other transports are away.
    pub is_fallback: bool,
    /// True when people type the codes of buttons.
    pub types_codes: bool,
    /// How long a place is left alone that cannot be written to, and the same in words.
    pub closed_for: (Duration, &'static str),
}

impl Service {
    /// A transport without places and people, from which rows begin.
    pub const NONE: Service = Service {
        name: "",
        title: "",
        make: |_| None,
        is_built: true,
        forms: &[],
        path: |_| None,
        people: &[],
        topics: false,
        is_group: |_| false,
        is_audience: false,
        edits: false,
        gathers: false,
        is_long: false,
        is_fallback: false,
        types_codes: false,
        closed_for: (Duration::from_secs(600), "every 10 minutes"),
    };
}

/// A kind of people of a transport.
pub struct People {
    /// As it is written before the colon: `telegram-chat`.
    pub name: &'static str,
    /// How it is written, for whoever wrote it wrong; may be empty.
    pub form: &'static str,
    /// Reads what stands behind the colon.
    pub id: fn(&str) -> Option<String>,
    /// True when it stands for everyone who speaks in a chat.
    pub is_group: bool,
    /// True when the transport itself proves that this one is an owner.
    pub is_owner: fn(&str) -> bool,
}

impl People {
    /// Single people without a form, from which rows begin.
    pub const NONE: People = People {
        name: "",
        form: "",
        id: |_| None,
        is_group: false,
        is_owner: |_| false,
    };
}

/// Makes a transport when the configuration asks for it.
pub type Make = fn(&Config) -> Option<Box<dyn Transport>>;

/// What a message may hold, and how fast they may come.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// UTF-16 units of a text.
    pub text_units: usize,
    /// UTF-16 units of the text that goes with a file.
    pub caption_units: usize,
    /// How fast messages may leave; `None` for as fast as they come.
    pub pace: Option<Pace>,
}

/// How fast messages may leave.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From one message to the next in the same chat.
    pub chat_gap: Duration,
    /// Messages to one group in a minute.
    pub group_per_minute: usize,
    /// From one message to the next overall.
    pub overall_gap: Duration,
}

/// Whether a transport takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// Not before the one under way has ended.
    Busy,
    /// The service cannot be reached at present; the transport will say when it can.
    Down,
}

/// A message for a transport to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To be named in the outcome.
    pub item: ItemId,
    /// To whom.
    pub to: Place,
    /// What, within the limits.
    pub text: Text,
    /// Rows of buttons: label and code.
    pub buttons: Vec<Vec<(String, String)>>,
    /// A file that the text goes with.
    pub document: Option<Document>,
    /// The message to change instead of sending a new one.
    pub edit: Option<i64>,
    /// True when it shall not ring.
    pub silent: bool,
    /// Without any markup, because the service could not read it.
    pub is_plain: bool,
    /// The item whose message this is, also when it goes another way than that item itself.
    pub identity: ItemId,
    /// When it was written.
    pub created: Wall,
    /// Checksum of what it says, without the remarks about time and repetition.
    pub checksum: u32,
    /// The alert that it is about, when there is just one.
    pub alert: Option<String>,
    /// What a heading needs, of messages about alerts.
    pub topic: Option<Topic>,
}

impl Outgoing {
    /// The alerts that it is about.
    pub fn alerts(&self) -> Vec<String> {
        match (&self.alert, &self.topic) {
            (Some(alert), _) => vec![alert.clone()],
            (None, Some(topic)) => topic.alerts.clone(),
            (None, None) => Vec::new(),
        }
    }
}

/// What a transport has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum TransportEvent {
    /// Somebody wrote or pressed.
    Incoming(Incoming),
    /// The service accepted a message.
    Sent {
        /// Which.
        item: ItemId,
        /// Its number there.
        message: Option<i64>,
    },
    /// The service did not.
    Failed {
        /// Which.
        item: ItemId,
        /// Why, and what to do.
        failure: Failure,
    },
    /// A group has got another id.
    Moved {
        /// Until now.
        old: Place,
        /// From now on.
        new: Place,
    },
    /// Something that the owners should know.
    Tell(String),
}

/// Why a message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This chat may be written to again after a while.
    Wait(Duration),
    /// Nobody knows whether it arrived, or it did not; try again when the service is back.
    Retry {
        /// True when it may have arrived.
        maybe_arrived: bool,
    },
    /// The markup was not understood.
    Markup,
    /// The topic is gone.
    NoTopic,
    /// The message to change is gone or may not be changed any longer.
    NoMessage,
    /// The group has another id.
    Moved(Place),
    /// Nobody can be reached there (blocked, kicked, never started).
    Closed(String),
    /// It is longer than the service takes.
    TooLong,
    /// The service refuses this one message for the time being, not others to the same place.
    Parked(String),
    /// The service will never take it.
    Rejected(String),
}
