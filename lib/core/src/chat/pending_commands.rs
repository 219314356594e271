//! Commands that are not finished when their turn ends: what of them is on disk, so that a crash in between neither
//! repeats nor forgets one. A command that is finished within its turn needs no mark: its answer, its effects and
//! the number of its update are one journal record.

use super::{Caller, Invocation, Person, Place, ReplyTo, Spec};
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::time::Wall;

/// Commands under way; beyond it the oldest is no longer followed.
const MAX_OPEN: usize = 64;

/// The commands under way.
#[derive(Debug, Default)]
pub(super) struct PendingCommands {
    next: u64,
    open: SmallMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    mark: Mark,
    is_written: bool,
}

/// What is on disk of one.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Mark {
    pub(super) command: String,
    pub(super) args: Vec<String>,
    pub(super) who: Person,
    pub(super) name: String,
    pub(super) address: Place,
    pub(super) is_private: bool,
    /// The message that carried the pressed button.
    pub(super) edits: Option<i64>,
    /// The confirming button was pressed.
    pub(super) confirmed: bool,
    /// When it was received.
    pub(super) at: Wall,
    /// It may have done something, so it is never run again. A command that only reads may be.
    pub(super) has_begun: bool,
}

impl PendingCommands {
    /// Takes over what had not finished before the restart, oldest first. It stays on disk until it has.
    pub(super) fn restore(&mut self, records: &Records) -> Vec<(u64, Mark)> {
        let mut marks: Vec<(u64, Mark)> = records
            .all("inbox")
            .into_iter()
            .filter_map(|(key, mark)| Some((key.parse().ok()?, mark)))
            .collect();
        crate::small::sort_by_key(&mut marks, |(number, _)| *number);
        self.next = marks.last().map_or(0, |(number, _)| *number);
        for (number, mark) in &marks {
            let open = Open {
                mark: mark.clone(),
                is_written: true,
            };
            self.open.insert(*number, open);
        }
        marks
    }

    /// A command begins; the number goes with everything that answers it.
    pub(super) fn begin(&mut self, invocation: &Invocation, at: Wall) -> u64 {
        let (caller, reply_to) = (&invocation.caller, &invocation.reply_to);
        self.next += 1;
        let mark = Mark {
            command: invocation.spec.name.to_owned(),
            args: invocation.args.clone(),
            who: caller.who.clone(),
            name: caller.name.clone(),
            address: caller.address.clone(),
            is_private: caller.is_private,
            edits: reply_to.edits,
            confirmed: invocation.confirmed,
            at,
            has_begun: invocation.spec.changes_state,
        };
        let open = Open {
            mark,
            is_written: false,
        };
        self.open.insert(self.next, open);
        self.next
    }

    /// It has been answered for good.
    pub(super) fn finish(&mut self, number: Option<u64>, state: &mut Pending) {
        let Some(number) = number else { return };
        if self
            .open
            .remove(&number)
            .is_some_and(|open| open.is_written)
        {
            state.delete("inbox", &number.to_string());
        }
    }

    /// The turn ends: what is still under way goes on disk with it.
    pub(super) fn write(&mut self, state: &mut Pending) {
        for (number, open) in &mut self.open {
            if !open.is_written {
                open.is_written = true;
                state.put_durable("inbox", &number.to_string(), &open.mark);
            }
        }
        while self.open.len() > MAX_OPEN {
            if let Some((number, open)) = self.open.pop_first() {
                log::warn!(
                    "chat: /{} has not ended, it is no longer followed",
                    open.mark.command
                );
                state.delete("inbox", &number.to_string());
            }
        }
    }
}

impl Mark {
    /// The command as it was, with the number under which it is finished.
    pub(super) fn invocation(self, spec: &'static Spec, number: u64) -> Invocation {
        Invocation {
            spec,
            args: self.args,
            reply_to: ReplyTo {
                who: self.who.clone(),
                address: self.address.clone(),
                session: None,
                edits: self.edits,
                mark: Some(number),
            },
            caller: Caller {
                who: self.who,
                name: self.name,
                address: self.address,
                is_private: self.is_private,
                is_owner: false,
            },
            confirmed: self.confirmed,
        }
    }
}
