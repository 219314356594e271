//! The one function that decides who may do what, and the rights it decides on: those of the configuration
//! and those granted in chat. It does not know how anybody proved who they are.

use super::{Caller, Role, Spec, Subject};
use crate::config::AccessConfig;
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::time::Wall;

/// The rights in force.
#[derive(Debug, Default)]
pub struct Access {
    file: SmallMap<Subject, Vec<Entry>>,
    chat: SmallMap<Subject, Vec<Entry>>,
    /// New id of a group that became a supergroup → the ids it had before.
    aliases: SmallMap<i64, i64>,
    revision: u64,
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

/// Subjects that may hold rights granted in chat; more are refused.
const MAX_SUBJECTS: usize = 1000;
/// Rights of one subject granted in chat.
const MAX_ENTRIES: usize = 100;

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
        self.aliases = records
            .all::<i64>("alias")
            .into_iter()
            .filter_map(|(old, new)| Some((new, old.parse().ok()?)))
            .collect();
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
            .find(|pattern| denies(pattern, action, target))
        {
            return refused(format!("`{pattern}` is denied to {}", caller.who));
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
            .find(|pattern| allows(pattern, action, target))
        {
            return allowed(format!("`{pattern}` is granted"));
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
        let is_person = !matches!(caller.who, Subject::TelegramChat(_));
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
    fn chats(&self, caller: &Caller) -> Vec<Subject> {
        let super::Address::Telegram { chat, .. } = caller.address else {
            return Vec::new();
        };
        if caller.is_private {
            return Vec::new();
        }
        let mut chats = vec![Subject::TelegramChat(chat)];
        let mut id = chat;
        while let Some(old) = self.aliases.get(&id) {
            if chats.contains(&Subject::TelegramChat(*old)) {
                break;
            }
            chats.push(Subject::TelegramChat(*old));
            id = *old;
        }
        chats
    }

    fn entries(&self, who: &Subject, now: Wall) -> impl Iterator<Item = (&Entry, &'static str)> {
        let file = self.file.get(who).into_iter().flatten();
        let chat = self.chat.get(who).into_iter().flatten();
        file.map(|entry| (entry, "the configuration"))
            .chain(chat.map(|entry| (entry, "a grant")))
            .filter(move |(entry, _)| entry.until.is_none_or(|until| now < until))
    }
}

/// Changing rights in chat.
impl Access {
    /// Gives `what` to `who` and stores it. The words that come back say what holds now.
    ///
    /// # Errors
    /// Returns a sentence for the person when the right cannot be given.
    pub fn grant(
        &mut self,
        who: &Subject,
        what: What,
        until: Option<Wall>,
        by: &str,
        state: &mut Pending,
    ) -> Result<(), String> {
        if matches!((who, &what), (Subject::TelegramChat(_), What::Role(role)) if *role > Role::Operator)
        {
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
    pub fn revoke(&mut self, who: &Subject, what: Option<&What>, by: &str, state: &mut Pending) {
        let entries = self.chat.entry(who.clone()).or_default();
        match what {
            None => entries.clear(),
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
            None => vec![What::NoRole, What::Deny("*:*".into())],
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
    pub fn list(&self, only: Option<&Subject>) -> Vec<(Subject, Vec<(Entry, bool)>)> {
        let mut all: SmallMap<Subject, Vec<(Entry, bool)>> = SmallMap::new();
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
    pub fn add_alias(&mut self, old: i64, new: i64, state: &mut Pending) {
        self.aliases.insert(new, old);
        state.put_durable("alias", &old.to_string(), &new);
        self.revision += 1;
    }

    /// The id under which a group is to be reached today.
    pub fn current_chat(&self, chat: i64) -> i64 {
        self.aliases
            .iter()
            .find(|(_, old)| **old == chat)
            .map_or(chat, |(new, _)| *new)
    }

    /// Changes whenever rights do.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn store(&mut self, who: &Subject, state: &mut Pending) {
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

#[derive(Default)]
struct Rights<'a> {
    role: Option<(Role, String)>,
    allow: Vec<&'a str>,
    deny: Vec<&'a str>,
}

impl<'a> Rights<'a> {
    fn add(
        &mut self,
        entries: impl Iterator<Item = (&'a Entry, &'static str)>,
        cap: Role,
        who: &Subject,
    ) {
        let mut file_role = None;
        let mut chat_role = None;
        let mut has_no_role = false;
        for (entry, from) in entries {
            match &entry.what {
                What::Role(role) if from == "a grant" => {
                    chat_role = chat_role.max(Some((*role).min(cap)));
                }
                What::Role(role) => file_role = file_role.max(Some((*role).min(cap))),
                What::NoRole => has_no_role = true,
                What::Allow(pattern) => self.allow.push(pattern),
                What::Deny(pattern) => self.deny.push(pattern),
            }
        }
        if has_no_role {
            file_role = None;
        }
        let best = [(file_role, "the configuration"), (chat_role, "a grant")]
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

fn overlaps(a: &str, b: &str) -> bool {
    covers(a, b) || covers(b, a)
}

/// Whether granting `new` makes `held` pointless.
fn replaces(new: &What, held: &What) -> bool {
    match (new, held) {
        (What::Role(_), What::Role(_)) => true,
        // Made by revoking everything; granting anything starts afresh.
        (What::Role(_), What::Deny(deny)) => deny == "*:*",
        (What::Allow(allow), What::Deny(deny)) => deny == "*:*" || covers(allow, deny),
        (What::Allow(a), What::Allow(b)) | (What::Deny(a), What::Deny(b)) => a == b,
        _ => false,
    }
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
mod tests {
    use super::*;
    use crate::chat::{Address, Arg};
    use crate::config::GrantConfig;

    fn grant(who: Subject, role: Option<Role>, allow: &[&str], deny: &[&str]) -> GrantConfig {
        GrantConfig {
            who,
            role,
            allow: allow.iter().map(|text| (*text).to_owned()).collect(),
            deny: deny.iter().map(|text| (*text).to_owned()).collect(),
            until: None,
        }
    }

    fn access() -> Access {
        let mut expired = grant(Subject::Telegram(5), Some(Role::Operator), &[], &[]);
        expired.until = Some(Wall(1000));
        Access::new(&AccessConfig {
            owners: vec![Subject::Telegram(1)],
            grants: vec![
                grant(
                    Subject::Telegram(2),
                    Some(Role::Operator),
                    &[],
                    &["power.reset:bravo"],
                ),
                grant(Subject::Telegram(3), Some(Role::Viewer), &[], &[]),
                grant(
                    Subject::Telegram(4),
                    None,
                    &["power.reset:al*"],
                    &["power.reset:alto"],
                ),
                expired,
                grant(
                    Subject::TelegramChat(-9),
                    Some(Role::Owner),
                    &["audit:*"],
                    &[],
                ),
                grant(Subject::Local(1000), Some(Role::Viewer), &[], &[]),
            ],
        })
    }

    fn caller(who: Subject, chat: i64) -> Caller {
        let is_private = chat > 0;
        Caller {
            who,
            name: "N".into(),
            address: Address::Telegram { chat, topic: None },
            is_private,
            is_owner: false,
        }
    }

    fn spec(role: Role, action: Option<&'static str>) -> Spec {
        Spec {
            name: "thing",
            usage: "",
            help: "",
            example: "",
            role,
            action,
            arg: Arg::Free,
            changes_state: false,
        }
    }

    #[test]
    fn every_role_meets_every_entry_and_action() {
        let access = access();
        let anyone = spec(Role::Anyone, None);
        let view = spec(Role::Viewer, None);
        let operate = spec(Role::Operator, None);
        let own = spec(Role::Owner, None);
        let reset = spec(Role::Operator, Some("power.reset"));
        let user = |id| caller(Subject::Telegram(id), id);
        let in_group = |id| caller(Subject::Telegram(id), -9);
        let channel = caller(Subject::TelegramChat(-9), -9);
        let channel_elsewhere = caller(Subject::TelegramChat(-9), -7);
        let mut terminal = caller(Subject::Terminal, 99);
        terminal.is_owner = true;
        let mut posing = channel.clone();
        posing.is_owner = true;
        let mut uid = caller(Subject::Local(1000), 1);
        uid.address = Address::Local(1000);
        // For each caller: anyone, viewer, operator, owner, reset alone, reset alpha, reset bravo, reset alto.
        for (rule, caller, want) in [
            ("owner_may_all", user(1), "11111111"),
            ("operator_but_for_the_denied", user(2), "11101101"),
            ("viewer_may_look", user(3), "11000000"),
            ("single_action_on_single_targets", user(4), "10001100"),
            ("expired_is_a_stranger", user(5), "10000000"),
            ("stranger_may_ask_who_he_is", user(6), "10000000"),
            ("group_gives_operator_at_most", in_group(6), "11101111"),
            ("deny_of_a_person_wins_in_a_group", in_group(2), "11101101"),
            ("owner_stays_owner_in_a_group", in_group(1), "11111111"),
            ("channel_is_viewer_at_most", channel, "11000000"),
            (
                "channel_has_no_right_elsewhere",
                channel_elsewhere,
                "00000000",
            ),
            ("channel_is_never_owner", posing, "11000000"),
            (
                "stranger_in_a_group",
                caller(Subject::Telegram(6), -8),
                "00000000",
            ),
            ("transport_proves_owner", terminal, "11111111"),
            ("local_uid_by_grant", uid, "11000000"),
        ] {
            let asks: [(&Spec, Option<&str>); 8] = [
                (&anyone, None),
                (&view, None),
                (&operate, None),
                (&own, None),
                (&reset, None),
                (&reset, Some("alpha")),
                (&reset, Some("bravo")),
                (&reset, Some("alto")),
            ];
            let got: String = asks
                .into_iter()
                .map(|(spec, target)| {
                    let decision = access.decide(Wall(2000), &caller, spec, target);
                    assert!(!decision.because().is_empty());
                    if decision.is_allowed() { '1' } else { '0' }
                })
                .collect();
            assert_eq!(got, want, "{rule}");
        }
    }

    #[test]
    fn grants_in_chat_survive_and_revoking_the_files_grant_is_a_denial() {
        let (view, operate) = (spec(Role::Viewer, None), spec(Role::Operator, None));
        let mut access = access();
        let mut state = Pending::new(0);
        let (two, six) = (Subject::Telegram(2), Subject::Telegram(6));
        access
            .grant(
                &six,
                What::Role(Role::Operator),
                Some(Wall(5000)),
                "o",
                &mut state,
            )
            .expect("may");
        access.revoke(&two, Some(&What::Role(Role::Operator)), "o", &mut state);
        let mut records = Records::default();
        records.apply(&state.take().expect("changes"));
        let mut again = self::access();
        again.restore(&records);
        let may = |access: &Access, id, spec: &Spec, at| {
            access
                .decide(Wall(at), &caller(Subject::Telegram(id), id), spec, None)
                .is_allowed()
        };
        assert!(may(&again, 6, &operate, 4999) && !may(&again, 6, &view, 5000));
        assert!(
            !may(&again, 2, &view, 2000),
            "the denial survives a restart"
        );
        again.revoke(&six, None, "o", &mut state);
        assert!(!may(&again, 6, &view, 2000));
        again
            .grant(&two, What::Role(Role::Viewer), None, "o", &mut state)
            .expect("may");
        assert!(may(&again, 2, &view, 2000) && !may(&again, 2, &operate, 2000));
        let denied = What::Allow("power.reset:bravo".into());
        assert!(again.grant(&two, denied, None, "o", &mut state).is_err());
        let chat_owner = again.grant(
            &Subject::TelegramChat(-9),
            What::Role(Role::Owner),
            None,
            "o",
            &mut state,
        );
        assert!(chat_owner.is_err());
    }

    #[test]
    fn revoking_one_action_of_an_operator_denies_that_one() {
        let mut access = access();
        let mut state = Pending::new(0);
        let pattern = What::Allow("power.reset:alpha".into());
        let two = caller(Subject::Telegram(2), 2);
        assert!(access.may(Wall(0), &two, "power.reset", "alpha", Role::Operator));
        access.revoke(&two.who, Some(&pattern), "o", &mut state);
        assert!(!access.may(Wall(0), &two, "power.reset", "ALPHA", Role::Operator));
        assert!(access.may(Wall(0), &two, "power.reset", "charlie", Role::Operator));
        access
            .grant(&two.who, pattern, None, "o", &mut state)
            .expect("may");
        assert!(access.may(Wall(0), &two, "power.reset", "alpha", Role::Operator));
    }

    #[test]
    fn a_supergroup_keeps_the_rights_of_its_group() {
        let mut access = access();
        access.add_alias(-9, -100, &mut Pending::new(0));
        let speaker = caller(Subject::Telegram(6), -100);
        assert_eq!(access.role(Wall(0), &speaker), Some(Role::Operator));
        assert_eq!(access.current_chat(-9), -100);
    }

    #[test]
    fn stars_match_any_run() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("web-*", "web-1", true),
            ("web-*", "we", false),
            ("*a*b", "xaxxb", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "abb", false),
            ("Alpha", "alpha", true),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
    }
}
