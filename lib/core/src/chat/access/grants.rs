//! Changing rights in chat. What is granted is stored; what the configuration gives is taken by a stored denial.

use super::{Access, Entry, What, covers};
use crate::chat::{Person, Place, Role};
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::time::Wall;

/// Subjects that may hold rights granted in chat; more are refused.
const MAX_SUBJECTS: usize = 1000;
/// Rights of one subject granted in chat.
const MAX_ENTRIES: usize = 100;

/// The new id of a group on disk: a bare number where `Person::read` takes one.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Alias {
    Number(i64),
    Text(String),
}

/// Groups that have got another id, by the old one.
pub(in crate::chat) fn aliases(records: &Records) -> Vec<(Person, Person)> {
    let all = records.all::<Alias>("alias").into_iter();
    all.filter_map(|(old, new)| Some((Person::read(&old).ok()?, new.person()?)))
        .collect()
}

impl Alias {
    fn of(new: &Person) -> Alias {
        let short = new.short();
        short.parse().map_or(Alias::Text(short), Alias::Number)
    }

    fn person(&self) -> Option<Person> {
        match self {
            Alias::Number(id) => Person::read(&id.to_string()).ok(),
            Alias::Text(text) => Person::read(text).ok(),
        }
    }
}

impl Access {
    /// Gives `what` to `who` and stores it. The words that come back say what holds now.
    ///
    /// # Errors
    /// Returns a sentence for the person when the right cannot be given.
    pub fn grant(
        &mut self,
        who: &Person,
        what: What,
        until: Option<Wall>,
        by: &str,
        state: &mut Pending,
    ) -> Result<(), String> {
        if matches!(&what, What::Role(role) if who.is_group() && *role > Role::Operator) {
            return Err("everyone in a chat can be viewer or operator, never owner".into());
        }
        let is_denied_by_file = self.file.get(who).into_iter().flatten().any(|entry| {
            matches!((&entry.what, &what), (What::Deny(deny), What::Allow(allow)) if covers(deny, allow))
        });
        if is_denied_by_file {
            return Err("the configuration denies it, and a denial wins".into());
        }
        if !self.chat.contains_key(who) && self.chat.len() >= MAX_SUBJECTS {
            return Err(format!(
                "there are {MAX_SUBJECTS} grants already; /revoke some first"
            ));
        }
        let entries = self.chat.entry(who.clone()).or_default();
        entries.retain(|entry| !replaces(&what, &entry.what));
        if entries.len() >= MAX_ENTRIES {
            return Err(format!("{who} has {MAX_ENTRIES} grants already"));
        }
        entries.push(Entry {
            what,
            until,
            by: by.to_owned(),
        });
        self.store(who, state);
        Ok(())
    }

    /// Takes `what` (or everything) from `who` and stores it. What the configuration gives is taken by a
    /// stored denial.
    pub fn revoke(&mut self, who: &Person, what: Option<&What>, by: &str, state: &mut Pending) {
        let entries = self.chat.entry(who.clone()).or_default();
        match what {
            None => entries.retain(|entry| entry.what == What::Blocked),
            Some(What::Role(_)) => entries.retain(|entry| !matches!(entry.what, What::Role(_))),
            Some(What::Allow(pattern)) => entries
                .retain(|entry| !matches!(&entry.what, What::Allow(held) if covers(pattern, held))),
            Some(_) => {}
        }
        let file: Vec<What> = self
            .file
            .get(who)
            .into_iter()
            .flatten()
            .map(|entry| entry.what.clone())
            .collect();
        let holds_role = |list: &[What]| list.iter().any(|held| matches!(held, What::Role(_)));
        let denials: Vec<What> = match what {
            None if file.is_empty() => Vec::new(),
            None => vec![What::Nothing, What::Deny("*:*".into())],
            Some(What::Role(_)) if holds_role(&file) => vec![What::NoRole],
            Some(What::Allow(pattern)) => {
                let held: Vec<What> = file
                    .iter()
                    .cloned()
                    .chain(entries.iter().map(|entry| entry.what.clone()))
                    .collect();
                let still = holds_role(&held)
                    || held
                        .iter()
                        .any(|held| matches!(held, What::Allow(allow) if overlaps(allow, pattern)));
                if still {
                    vec![What::Deny(pattern.clone())]
                } else {
                    Vec::new()
                }
            }
            Some(_) => Vec::new(),
        };
        for what in denials {
            if !entries.iter().any(|entry| entry.what == what) {
                entries.push(Entry {
                    what,
                    until: None,
                    by: by.to_owned(),
                });
            }
        }
        self.store(who, state);
    }

    /// Everybody with rights, and these: from the configuration first.
    pub fn list(&self, only: Option<&Person>) -> Vec<(Person, Vec<(Entry, bool)>)> {
        let mut all: SmallMap<Person, Vec<(Entry, bool)>> = SmallMap::new();
        for (map, is_file) in [(&self.file, true), (&self.chat, false)] {
            for (who, entries) in map {
                let list = all.entry(who.clone()).or_default();
                list.extend(entries.iter().map(|entry| (entry.clone(), is_file)));
            }
        }
        all.into_iter()
            .filter(|(who, entries)| !entries.is_empty() && only.is_none_or(|only| only == who))
            .collect()
    }

    /// A group has become a supergroup: its rights hold under the new id as well.
    pub fn add_alias(&mut self, old: &Place, new: &Place, state: &mut Pending) {
        if let (Some(old), Some(new)) = (old.everyone(), new.everyone()) {
            state.put_durable("alias", &old.short(), &Alias::of(&new));
            self.aliases.insert(new, old);
            self.revision += 1;
        }
    }

    /// The group as it is to be reached today.
    pub fn current_chat(&self, chat: &Person) -> Person {
        let mut aliases = self.aliases.iter();
        let new = aliases.find(|(_, old)| *old == chat);
        new.map_or(chat, |(new, _)| new).clone()
    }

    /// Somebody's rights have ended.
    pub(in crate::chat) fn touch(&mut self) {
        self.revision += 1;
    }

    /// Changes whenever rights do.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn store(&mut self, who: &Person, state: &mut Pending) {
        self.revision += 1;
        let key = who.to_string();
        match self.chat.get(who) {
            Some(entries) if !entries.is_empty() => state.put_durable("grant", &key, entries),
            _ => {
                self.chat.remove(who);
                state.delete("grant", &key);
                state.require_durable();
            }
        }
    }
}

fn overlaps(a: &str, b: &str) -> bool {
    covers(a, b) || covers(b, a)
}

/// Whether granting `new` makes `held` pointless.
fn replaces(new: &What, held: &What) -> bool {
    match (new, held) {
        (What::Role(_), What::Role(_)) => true,
        // Made by revoking everything; granting anything starts afresh.
        (What::Role(_) | What::Allow(_), What::Blocked) => true,
        (What::Blocked, _) => true,
        (What::Role(_), What::Deny(deny)) => deny == "*:*",
        (What::Allow(allow), What::Deny(deny)) => deny == "*:*" || covers(allow, deny),
        (What::Allow(a), What::Allow(b)) | (What::Deny(a), What::Deny(b)) => a == b,
        _ => false,
    }
}
