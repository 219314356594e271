//! Durable state: a map of namespaced records, changed by one atomic journal record a turn.
//! The file format is in `journal`; where the bytes go is behind `Storage`. Nothing here does I/O.

use crate::small::SmallMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One change of one record. `None` deletes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `namespace/key`, for instance `outbox/42` or `power.peak/alpha`.
    pub key: String,
    /// JSON, or nothing to delete the record.
    pub value: Option<Vec<u8>>,
}

/// All changes of one core turn. They reach the disk together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// Position in the journal, counted up by one.
    pub seq: u64,
    /// True when somebody waits for it to be on disk; false lets the store batch it for up to a minute.
    pub durable: bool,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// What was on disk at the start: every record, by `namespace/key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The records.
    pub map: SmallMap<String, Vec<u8>>,
    /// The last journal record that was read.
    pub seq: u64,
    /// What had to be repaired, in words for the owner (a bad file set aside).
    pub repairs: Vec<String>,
}

impl Records {
    /// Reads one record; `None` when it is absent or of another version's shape.
    pub fn get<T: DeserializeOwned>(&self, namespace: &str, key: &str) -> Option<T> {
        self.map
            .get(&join(namespace, key))
            .and_then(|bytes| serde_json::from_slice(bytes).ok())
    }

    /// Reads every record of a namespace, by key. Records of another shape are skipped.
    pub fn all<T: DeserializeOwned>(&self, namespace: &str) -> Vec<(String, T)> {
        let prefix = join(namespace, "");
        self.map
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .filter_map(|(key, bytes)| {
                Some((
                    key[prefix.len()..].to_owned(),
                    serde_json::from_slice(bytes).ok()?,
                ))
            })
            .collect()
    }

    /// Applies a turn, as the store does after reading it.
    pub fn apply(&mut self, turn: &Turn) {
        self.seq = self.seq.max(turn.seq);
        for change in &turn.changes {
            match &change.value {
                Some(value) => self.map.insert(change.key.clone(), value.clone()),
                None => self.map.remove(&change.key),
            };
        }
    }
}

/// Collects the changes of the turn that is under way.
#[derive(Debug, Default)]
pub struct Pending {
    seq: u64,
    turn: Turn,
}

impl Pending {
    /// Continues after the record `last_seq`.
    pub fn new(last_seq: u64) -> Pending {
        Pending {
            seq: last_seq + 1,
            turn: Turn::default(),
        }
    }

    /// The number that the record of this turn will have.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Writes a record; the store may batch it.
    pub fn put<T: Serialize>(&mut self, namespace: &str, key: &str, value: &T) {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.turn.changes.push(Change {
                key: join(namespace, key),
                value: Some(bytes),
            }),
            Err(err) => log::error!("state: cannot encode {namespace}/{key}: {err}"),
        }
    }

    /// Writes a record that somebody waits for.
    pub fn put_durable<T: Serialize>(&mut self, namespace: &str, key: &str, value: &T) {
        self.put(namespace, key, value);
        self.turn.durable = true;
    }

    /// Deletes a record.
    pub fn delete(&mut self, namespace: &str, key: &str) {
        self.turn.changes.push(Change {
            key: join(namespace, key),
            value: None,
        });
    }

    /// Marks this turn as one that somebody waits for.
    pub fn require_durable(&mut self) {
        self.turn.durable = true;
    }

    /// True when the turn has changed nothing so far.
    pub fn is_empty(&self) -> bool {
        self.turn.changes.is_empty()
    }

    /// Ends the turn; `None` when it changed nothing.
    pub fn take(&mut self) -> Option<Turn> {
        if self.turn.changes.is_empty() {
            self.turn.durable = false;
            return None;
        }
        let mut turn = std::mem::take(&mut self.turn);
        turn.seq = self.seq;
        self.seq += 1;
        Some(turn)
    }
}

fn join(namespace: &str, key: &str) -> String {
    format!("{namespace}/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_applied_as_a_whole_and_read_back() {
        let mut pending = Pending::new(0);
        pending.put("grant", "a", &1);
        pending.put_durable("grant", "b", &2);
        pending.delete("grant", "a");
        let turn = pending.take().expect("changes");
        assert!(turn.durable && turn.seq == 1);
        assert_eq!(pending.take(), None);
        let mut records = Records::default();
        records.apply(&turn);
        assert_eq!(records.all::<u32>("grant"), [("b".to_owned(), 2)]);
        assert_eq!(records.get::<u32>("grant", "a"), None);
    }
}
