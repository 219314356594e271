//! Questions that arrive long after they were asked: one message for each chat says which they were.

use super::Place;
use super::hub::{Chat, ChatEnv};
use super::outbox::{Draft, EditOf, ItemId, Lane};
use crate::small::SmallMap;
use crate::time::{Human, Mono};
use std::time::Duration;

/// Late questions that come within this time of each other are told together.
const TOGETHER: Duration = Duration::from_secs(60);
/// Lines that are named.
const MAX_NAMED: usize = 8;

/// The late questions of each chat that were told last.
#[derive(Debug, Default)]
pub(super) struct Late {
    told: SmallMap<Place, Told>,
}

#[derive(Debug)]
struct Told {
    item: ItemId,
    at: Mono,
    count: usize,
    lines: Vec<String>,
    oldest: Duration,
}

impl Chat {
    /// Answers an old question by naming it, together with others of the same chat.
    pub(super) fn put_aside(
        &mut self,
        env: &mut ChatEnv<'_>,
        chat: &Place,
        line: String,
        age: Duration,
    ) {
        let now = env.now.mono;
        self.late
            .told
            .retain(|_, told| now.since(told.at) < TOGETHER);
        let before = self.late.told.remove(chat);
        let edit = before.as_ref().map(|told| EditOf::Item(told.item));
        let mut told = before.unwrap_or(Told {
            item: 0,
            at: now,
            count: 0,
            lines: Vec::new(),
            oldest: Duration::ZERO,
        });
        told.count += 1;
        told.oldest = told.oldest.max(age);
        if told.lines.len() < MAX_NAMED && !told.lines.contains(&line) {
            told.lines.push(line);
        }
        let draft = Draft {
            to: chat.clone(),
            lane: Lane::Reply,
            text: told.text().into(),
            buttons: Vec::new(),
            document: None,
            edit,
            silent: true,
            alert: None,
            topic: None,
        };
        told.item = self.outbox.push(env.now, env.state, draft);
        self.late.told.insert(chat.clone(), told);
    }
}

impl Told {
    fn text(&self) -> String {
        let (ago, lines) = (Human(self.oldest), self.lines.join(", "));
        match self.count {
            1 => format!("Not answered, because it was asked {ago} ago: {lines}"),
            count => {
                format!(
                    "{count} questions were not answered, the oldest was asked {ago} ago: {lines}"
                )
            }
        }
    }
}
