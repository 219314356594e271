//! The one function that decides who may do what, and the rights it decides on: those of the configuration
//! and those granted in chat. It does not know how anybody proved who they are.

mod grants;
mod strangers;

pub(super) use grants::aliases;
pub use strangers::{Knock, Strangers};

use super::{Caller, Person, Role, Spec, sessions};
use crate::config::AccessConfig;
use crate::small::SmallMap;
use crate::state::Records;
use crate::time::Wall;

/// Where a right comes from.
const FILE: &str = "the configuration";
const GRANT: &str = "what was granted in chat";

/// The rights in force.
#[derive(Debug, Default)]
pub struct Access {
    file: SmallMap<Person, Vec<Entry>>,
    chat: SmallMap<Person, Vec<Entry>>,
    /// New id of a group that became a supergroup → the ids it had before.
    aliases: SmallMap<Person, Person>,
    revision: u64,
    /// Those who hold none.
    pub(crate) strangers: Strangers,
}

/// One right of one subject.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// What is given or taken.
    pub what: What,
    /// Until when.
    #[serde(default)]
    pub until: Option<Wall>,
    /// Who granted it in chat; empty for the configuration.
    #[serde(default)]
    pub by: String,
}

/// What an entry gives or takes. Patterns are `action:target`; `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A role.
    Role(Role),
    /// The role that the configuration gives, taken.
    NoRole,
    /// Everything that the configuration gives, taken.
    Nothing,
    /// Every action, taken, and not worth a word.
    Blocked,
    /// An action.
    Allow(String),
    /// An action, taken. It wins over everything.
    Deny(String),
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Allowed {
        /// Which right allows it.
        because: String,
    },
    /// No.
    Refused {
        /// What is missing or forbids it.
        because: String,
    },
}

impl Decision {
    /// True when it may go ahead.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allowed { .. })
    }

    /// The reason.
    pub fn because(&self) -> &str {
        match self {
            Decision::Allowed { because } | Decision::Refused { because } => because,
        }
    }
}

impl Access {
    /// The rights of a configuration.
    pub fn new(config: &AccessConfig) -> Access {
        let mut access = Access::default();
        access.reload(config);
        access
    }

    /// Takes over what was granted in chat before.
    pub fn restore(&mut self, records: &Records) {
        self.chat = records
            .all::<Vec<Entry>>("grant")
            .into_iter()
            .filter_map(|(who, entries)| Some((who.parse().ok()?, entries)))
            .collect();
        self.strangers.restore(records);
        let aliases = aliases(records).into_iter();
        self.aliases = aliases.map(|(old, new)| (new, old)).collect();
        self.revision += 1;
    }

    /// Replaces the configuration's rights; those granted in chat stay.
    pub fn reload(&mut self, config: &AccessConfig) {
        self.file.clear();
        let entry = |what, until| Entry {
            what,
            until,
            by: String::new(),
        };
        for owner in &config.owners {
            let entries = self.file.entry(owner.clone()).or_default();
            entries.push(entry(What::Role(Role::Owner), None));
        }
        for grant in &config.grants {
            let entries = self.file.entry(grant.who.clone()).or_default();
            entries.extend(grant.role.map(|role| entry(What::Role(role), grant.until)));
            let allow = grant.allow.iter().cloned().map(What::Allow);
            let deny = grant.deny.iter().cloned().map(What::Deny);
            // The end of a grant is the end of its denials too.
            entries.extend(allow.chain(deny).map(|what| entry(what, grant.until)));
        }
        self.revision += 1;
    }

    /// Decides whether `caller` may run the command on `target` (the completed name, if there is one).
    pub fn decide(
        &self,
        now: Wall,
        caller: &Caller,
        spec: &Spec,
        target: Option<&str>,
    ) -> Decision {
        let action = spec.action.unwrap_or(spec.name);
        self.judge(now, caller, action, target, spec.role)
    }

    /// The same for one action on one target, for whoever builds a list of choices.
    pub fn may(&self, now: Wall, caller: &Caller, action: &str, target: &str, role: Role) -> bool {
        self.judge(now, caller, action, Some(target), role)
            .is_allowed()
    }

    /// The role that `caller` has here.
    pub fn role(&self, now: Wall, caller: &Caller) -> Option<Role> {
        self.rights(now, caller).role.map(|(role, _)| role)
    }

    /// True when `caller` is to get no answer at all.
    pub fn is_blocked(&self, now: Wall, caller: &Caller) -> bool {
        let is_block = |(entry, _): (&Entry, &str)| entry.what == What::Blocked;
        self.entries(&caller.who, now).any(is_block)
    }

    /// The people who are owner in a private chat with the bot.
    pub fn owners(&self, now: Wall) -> Vec<Person> {
        let mut owners: Vec<Person> = self.file.keys().chain(self.chat.keys()).cloned().collect();
        owners.sort_unstable();
        owners.dedup();
        owners.retain(|who| {
            let caller = Caller::in_private(who.clone());
            who.mailbox().is_some()
                && (self.judge(now, &caller, "", None, Role::Owner)).is_allowed()
        });
        owners
    }

    /// The users of this machine who may see the status.
    pub fn local_viewers(&self, now: Wall) -> Vec<u32> {
        let subjects = self.file.keys().chain(self.chat.keys());
        subjects
            .filter_map(|who| {
                let uid = sessions::uid_of(who)?;
                let caller = Caller::in_private(who.clone());
                let decision = self.judge(now, &caller, "status", None, Role::Viewer);
                decision.is_allowed().then_some(uid)
            })
            .collect()
    }

    /// When the next right ends, after `now`.
    pub fn next_end(&self, now: Wall) -> Option<Wall> {
        let entries = self.file.values().chain(self.chat.values()).flatten();
        let ends = entries.filter_map(|entry| entry.until);
        ends.filter(|until| *until > now).min()
    }

    /// True when `caller` holds any right at all, so is no stranger.
    pub fn knows(&self, now: Wall, caller: &Caller) -> bool {
        let rights = self.rights(now, caller);
        rights.role.is_some() || !rights.allow.is_empty()
    }

    fn judge(
        &self,
        now: Wall,
        caller: &Caller,
        action: &str,
        target: Option<&str>,
        needed: Role,
    ) -> Decision {
        let allowed = |because: String| Decision::Allowed { because };
        let refused = |because: String| Decision::Refused { because };
        let rights = self.rights(now, caller);
        if let Some(pattern) = rights
            .deny
            .iter()
            .find(|(pattern, _)| denies(pattern, action, target))
        {
            return refused(format!(
                "`{}` is denied to {} by {}",
                pattern.0, caller.who, pattern.1
            ));
        }
        if needed == Role::Anyone && (caller.is_private || rights.role.is_some()) {
            return allowed("everybody may".into());
        }
        if let Some((role, from)) = &rights.role {
            if *role >= needed {
                return allowed(format!("{} by {from}", role.name()));
            }
        }
        if let Some(pattern) = rights
            .allow
            .iter()
            .find(|(pattern, _)| allows(pattern, action, target))
        {
            return allowed(format!("`{}` by {}", pattern.0, pattern.1));
        }
        match &rights.role {
            Some((role, _)) => refused(format!(
                "{} is {}, this needs {} or a grant of `{}`",
                caller.who,
                role.name(),
                needed.name(),
                written(action, target)
            )),
            None => refused(format!("{} holds no role here", caller.who)),
        }
    }

    /// Everything that speaks for or against a caller, with the caps applied.
    fn rights(&self, now: Wall, caller: &Caller) -> Rights<'_> {
        let mut rights = Rights::default();
        // A channel or an anonymous administrator writes in a chat's name, not in a person's.
        let is_person = !caller.who.is_group();
        if caller.is_owner && is_person {
            rights.role = Some((Role::Owner, "the transport".into()));
        }
        if is_person {
            rights.add(self.entries(&caller.who, now), Role::Owner, &caller.who);
        }
        for chat in self.chats(caller) {
            let cap = if is_person {
                Role::Operator
            } else {
                Role::Viewer
            };
            let mut of_chat = Rights::default();
            of_chat.add(self.entries(&chat, now), cap, &chat);
            rights.merge(of_chat, is_person);
        }
        rights
    }

    /// The chat that was spoken in, under every id that it ever had.
    fn chats(&self, caller: &Caller) -> Vec<Person> {
        let everyone = caller.address.everyone().filter(|_| !caller.is_private);
        let mut chats: Vec<Person> = everyone.into_iter().collect();
        while let Some(old) = chats.last().and_then(|chat| self.aliases.get(chat)) {
            if chats.contains(old) {
                break;
            }
            chats.push(old.clone());
        }
        chats
    }

    fn entries(&self, who: &Person, now: Wall) -> impl Iterator<Item = (&Entry, &'static str)> {
        let file = self.file.get(who).into_iter().flatten();
        let chat = self.chat.get(who).into_iter().flatten();
        file.map(|entry| (entry, FILE))
            .chain(chat.map(|entry| (entry, GRANT)))
            .filter(move |(entry, _)| entry.until.is_none_or(|until| now < until))
    }
}

#[derive(Default)]
struct Rights<'a> {
    role: Option<(Role, String)>,
    /// Patterns and where they come from.
    allow: Vec<(&'a str, &'static str)>,
    deny: Vec<(&'a str, &'static str)>,
}

impl<'a> Rights<'a> {
    fn add(
        &mut self,
        entries: impl Iterator<Item = (&'a Entry, &'static str)>,
        cap: Role,
        who: &Person,
    ) {
        let mut file_role = None;
        let mut chat_role = None;
        let mut file_allow = Vec::new();
        let mut has_no_role = false;
        for (entry, from) in entries {
            match &entry.what {
                What::Role(role) if from == GRANT => {
                    chat_role = chat_role.max(Some((*role).min(cap)));
                }
                What::Role(role) => file_role = file_role.max(Some((*role).min(cap))),
                What::NoRole => has_no_role = true,
                What::Nothing => {
                    has_no_role = true;
                    file_allow.clear();
                }
                What::Blocked => self.deny.push(("*:*", GRANT)),
                What::Allow(pattern) if from == GRANT => self.allow.push((pattern, from)),
                What::Allow(pattern) => file_allow.push((pattern.as_str(), from)),
                What::Deny(pattern) => self.deny.push((pattern, from)),
            }
        }
        self.allow.extend(file_allow);
        if has_no_role {
            file_role = None;
        }
        let best = [(file_role, FILE), (chat_role, GRANT)]
            .into_iter()
            .filter_map(|(role, from)| Some((role?, format!("{from} for {who}"))))
            .max_by_key(|(role, _)| *role);
        if best.as_ref().map(|(role, _)| *role) > self.role.as_ref().map(|(role, _)| *role) {
            self.role = best;
        }
    }

    fn merge(&mut self, other: Rights<'a>, takes_actions: bool) {
        if other.role.as_ref().map(|(role, _)| *role) > self.role.as_ref().map(|(role, _)| *role) {
            self.role = other.role;
        }
        if takes_actions {
            self.allow.extend(other.allow);
        }
        self.deny.extend(other.deny);
    }
}

/// A denial hits a command without a target only when it covers every target.
fn denies(pattern: &str, action: &str, target: Option<&str>) -> bool {
    let (pattern_action, pattern_target) = parts(pattern);
    let hits_target = match target {
        Some(target) => glob(pattern_target, target),
        None => pattern_target.chars().all(|ch| ch == '*'),
    };
    glob(pattern_action, action) && hits_target
}

/// A grant on any target opens the command itself, which then offers what is allowed.
fn allows(pattern: &str, action: &str, target: Option<&str>) -> bool {
    let (pattern_action, pattern_target) = parts(pattern);
    glob(pattern_action, action) && target.is_none_or(|target| glob(pattern_target, target))
}

fn parts(pattern: &str) -> (&str, &str) {
    pattern.split_once(':').unwrap_or((pattern, "*"))
}

fn covers(wide: &str, narrow: &str) -> bool {
    let ((wide_action, wide_target), (action, target)) = (parts(wide), parts(narrow));
    glob(wide_action, action) && glob(wide_target, target)
}

fn written(action: &str, target: Option<&str>) -> String {
    match target {
        Some(target) => format!("{action}:{target}"),
        None => action.to_owned(),
    }
}

/// Matches with `*` for any run of characters; ASCII case is ignored, so that a denial cannot be dodged.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if byte.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests;
