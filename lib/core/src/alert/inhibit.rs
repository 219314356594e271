//! Which alert hides which: what only follows from another alert is not told while that one fires. What still fires
//! when the other is over is sent then. Plugins say in their reports what explains an alert.

use super::book::AlertEntry;
use super::{AlertBook, AlertState};
use std::sync::Arc;
use std::time::Duration;

/// Alerts of one rule: `power.unreachable` of `alpha` and of `bravo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// The part of their names before the colon.
    pub rule: &'static str,
    /// The parts behind it.
    pub things: Arc<[Arc<str>]>,
}

/// The causes of an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// While one of these fires, the alert is not told.
    pub hidden_by: Alerts,
    /// They hide it only as long as all of these fire: one that does not refutes them, half a minute later at the
    /// earliest.
    pub only_with: Alerts,
    /// While one of these fires, there is no data to judge the alert by.
    pub blinded_by: Alerts,
    /// How long what is hidden has to end by itself once nothing hides it any longer, beyond half a minute.
    pub settle: Duration,
}

impl Alerts {
    /// One alert.
    pub fn one(rule: &'static str, thing: impl Into<Arc<str>>) -> Alerts {
        Alerts {
            rule,
            things: Arc::new([thing.into()]),
        }
    }

    /// Their full names.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.things
            .iter()
            .map(|thing| format!("{}:{thing}", self.rule))
    }

    fn open<'a>(&self, book: &'a AlertBook) -> Option<&'a AlertEntry> {
        self.names().find_map(|name| open(book, &name))
    }
}

/// The alert that hides this one at present.
pub(super) fn inhibitor<'a>(
    book: &'a AlertBook,
    name: &str,
    causes: Option<&Causes>,
) -> Option<&'a AlertEntry> {
    if book.get(name).is_some_and(|entry| entry.stands_alone) {
        return None;
    }
    let source = causes?.hidden_by.open(book);
    source.filter(|source| *source.name != *name)
}

/// Why this alert is hidden, or why nothing is known of it.
pub(crate) fn because(book: &AlertBook, entry: &AlertEntry) -> Option<Arc<str>> {
    let hidden_by =
        |entry: &AlertEntry| inhibitor(book, &entry.name, entry.causes.as_deref()).map(name_of);
    hidden_by(entry).or_else(|| match (entry.state, &entry.causes) {
        (AlertState::Unknown, Some(causes)) => {
            let blind = causes.blinded_by.open(book)?;
            Some(hidden_by(blind).unwrap_or_else(|| name_of(blind)))
        }
        _ => None,
    })
}

fn name_of(entry: &AlertEntry) -> Arc<str> {
    Arc::clone(&entry.name)
}

fn open<'a>(book: &'a AlertBook, name: &str) -> Option<&'a AlertEntry> {
    book.get(name).filter(|entry| entry.is_open())
}

/// Which groups of alerts fire as a whole, each looked at once.
#[derive(Default)]
pub(super) struct Groups(Vec<(Arc<[Arc<str>]>, bool)>);

impl Groups {
    /// False when something refutes what hides an alert.
    pub(super) fn bear_out(&mut self, book: &AlertBook, causes: &Causes) -> bool {
        let things = &causes.only_with.things;
        let known = self.0.iter().find(|(known, _)| Arc::ptr_eq(known, things));
        if let Some((_, all_fire)) = known {
            return *all_fire;
        }
        let all_fire = causes
            .only_with
            .names()
            .all(|name| open(book, &name).is_some());
        self.0.push((Arc::clone(things), all_fire));
        all_fire
    }
}
