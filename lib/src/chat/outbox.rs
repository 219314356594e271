//! Messages on their way out. An item stays until the transport has acknowledged it.

use super::buttons::Buttons;
use super::{Address, Button, Subject};
use crate::effect::Document;
use crate::rng::Rng;
use crate::state::{Pending, Records};
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
    pub(super) buttons: Buttons,
}

impl Outbox {
    /// Takes over what had not left before the restart.
    pub fn restore(&mut self, _now: Now, records: &Records, rng: &mut Rng) {
        self.buttons.restore(records, rng);
    }

    /// Takes a draft in. It is journaled with this turn and leaves when that record is stored.
    pub fn push(&mut self, now: Now, state: &mut Pending, draft: Draft) -> ItemId {
        self.push_for(now, state, draft, None)
    }

    pub(super) fn push_for(
        &mut self,
        _now: Now,
        _state: &mut Pending,
        _draft: Draft,
        _who: Option<&Subject>,
    ) -> ItemId {
        self.next += 1;
        self.next
    }
}
