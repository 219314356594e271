//! One message on its way out: what is on disk of it, and where it stands.

use super::{Draft, EditOf, ItemId, Lane, Place, Topic};
use crate::effect::Document;
use crate::text::Text;
use crate::time::{Mono, Now, Wall};
use std::time::Duration;

/// A message that is older than this says when it was written.
const TELLS_ITS_TIME: Duration = Duration::from_secs(10);

/// What is on disk.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Record {
    pub(super) to: Place,
    pub(super) lane: Lane,
    pub(super) text: Text,
    /// What waited before it and is told with it. An edit changes the text, never this.
    #[serde(default)]
    pub(super) before: Text,
    pub(super) buttons: Vec<Vec<(String, String)>>,
    pub(super) edit: Option<EditOf>,
    pub(super) silent: bool,
    pub(super) alert: Option<String>,
    pub(super) created: Wall,
    /// True from the moment before it may have been sent.
    pub(super) sending: bool,
    /// Pages (and the file) that have arrived.
    pub(super) parts_done: usize,
    /// The number of the first page.
    pub(super) first_message: Option<i64>,
    /// A file goes with it; its bytes are not on disk.
    pub(super) has_document: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<Topic>,
    /// When a mail of it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<Wall>,
    /// The messages that this mail stands for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) twins: Vec<ItemId>,
    /// What it stands for when it tells the first and the last of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) joined: Option<Joined>,
}

/// Messages about one alert that became one.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Joined {
    pub(super) count: usize,
    /// When the first of them was written, and what it says.
    pub(super) created: Wall,
    pub(super) first: Text,
}

/// An item.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) record: Record,
    pub(super) document: Option<Document>,
    pub(super) phase: Phase,
    /// An attempt ended without an answer: this part may have arrived.
    pub(super) maybe_arrived: bool,
    /// Markup was refused.
    pub(super) is_plain: bool,
    /// It is not tried before.
    pub(super) not_before: Mono,
    /// Until when it need not say when it was written; `None` after a restart, when nobody knows how old it is.
    pub(super) fresh_until: Option<Mono>,
    /// How often its pages were halved, because they were too long for the service.
    pub(super) halved: u8,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its record is on the way to the disk.
    Journaling {
        /// The record.
        seq: u64,
        /// Since when.
        since: Mono,
    },
    /// It may leave.
    Ready,
    /// A transport has it.
    Sending,
}

impl Record {
    /// What a message is about that says what this one and `other` say.
    pub(super) fn topic_with(&self, other: &Record) -> Option<Topic> {
        let (Some(own), Some(others)) = (&self.topic, &other.topic) else {
            return self.topic.clone().or_else(|| other.topic.clone());
        };
        let mut alerts = self.alerts();
        for alert in other.alerts() {
            if !alerts.contains(&alert) {
                alerts.push(alert);
            }
        }
        Some(Topic {
            severity: own.severity.max(others.severity),
            is_end: own.is_end && others.is_end,
            alerts,
            mailed: own.mailed.clone(),
        })
    }

    fn alerts(&self) -> Vec<String> {
        match (&self.alert, &self.topic) {
            (Some(alert), _) => vec![alert.clone()],
            (None, Some(topic)) => topic.alerts.clone(),
            (None, None) => Vec::new(),
        }
    }

    /// Everything that it says.
    pub(super) fn whole(&self) -> Text {
        let mut whole = self.before.clone();
        whole.append(self.text.clone());
        whole
    }
}

impl Item {
    pub(super) fn new(
        draft: Draft,
        buttons: Vec<Vec<(String, String)>>,
        now: Now,
        seq: u64,
    ) -> Item {
        Item {
            record: Record {
                to: draft.to,
                lane: draft.lane,
                text: draft.text,
                before: Text::new(),
                buttons,
                edit: draft.edit,
                silent: draft.silent,
                alert: draft.alert.map(|alert| alert.to_string()),
                created: now.wall,
                sending: false,
                parts_done: 0,
                first_message: None,
                has_document: draft.document.is_some(),
                topic: draft.topic,
                told: None,
                twins: Vec::new(),
                joined: None,
            },
            document: draft.document,
            phase: Phase::Journaling {
                seq,
                since: now.mono,
            },
            maybe_arrived: false,
            is_plain: false,
            not_before: Mono::ZERO,
            fresh_until: Some(now.mono + TELLS_ITS_TIME),
            halved: 0,
        }
    }

    pub(super) fn restored(mut record: Record, now: Mono) -> Item {
        if record.has_document {
            record.has_document = false;
            record.text = record
                .text
                .italic("\n(the file was lost in a restart, please ask again)");
        }
        Item {
            maybe_arrived: record.sending,
            record,
            document: None,
            phase: Phase::Journaling { seq: 0, since: now },
            is_plain: false,
            not_before: Mono::ZERO,
            fresh_until: None,
            halved: 0,
        }
    }

    /// Changes what a waiting item says; it may become more urgent by that, never less.
    pub(super) fn rewrite(
        &mut self,
        draft: Draft,
        buttons: Vec<Vec<(String, String)>>,
        now: Now,
        seq: u64,
    ) {
        self.record.text = draft.text;
        self.record.lane = self.record.lane.min(draft.lane);
        // A group that was one alert is told as a group from here on.
        self.record.alert = draft.alert.map(|alert| alert.to_string());
        self.record.buttons = buttons;
        self.record.has_document = draft.document.is_some();
        self.record.silent &= draft.silent;
        self.record.topic = draft.topic;
        self.document = draft.document;
        self.phase = Phase::Journaling {
            seq,
            since: now.mono,
        };
    }

    /// True when it may be merged with others into one message.
    pub(super) fn is_simple(&self) -> bool {
        self.record.edit.is_none()
            && self.document.is_none()
            && self.record.parts_done == 0
            && self.halved == 0
            && self.phase != Phase::Sending
    }
}
