//! The command menus: each known person and chat sees what may be used there, nobody else sees more than
//! `/start`, `/help` and `/id`. A menu is sent when it differs from the one that was sent last, one at a time.

use super::{chat_of, user};
use crate::chat::access::Access;
use crate::chat::transport::Menu;
use crate::chat::{Caller, Place};
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::time::Mono;
use std::time::Duration;

/// From one menu to the next, so that they never stand in the way of messages.
const GAP: Duration = Duration::from_secs(2);
/// Menus that are kept; people beyond it see the one for strangers.
const MAX_MENUS: usize = 200;
/// Telegram: at most 100 commands, each described by at most 256 characters.
const MAX_COMMANDS: usize = 100;
const MAX_DESCRIPTION: usize = 256;

/// Commands and what they do.
pub(super) type Commands = Vec<(String, String)>;

/// The menus that shall be, and those that are.
#[derive(Debug, Default)]
pub(super) struct Menus {
    /// By chat; `None` is everybody else.
    wanted: SmallMap<Option<i64>, Commands>,
    /// What was accepted, as a checksum.
    shown: SmallMap<Option<i64>, u64>,
    /// Where the two differ. Every step asks for it, so it is worked out when one of them changes.
    outstanding: Vec<Option<i64>>,
    /// Refused; tried again when somebody writes there.
    refused: Vec<Option<i64>>,
    next: Mono,
}

impl Menus {
    /// Takes over what was sent before the restart.
    pub(super) fn restore(&mut self, records: &Records) {
        for (key, sum) in records.all::<u64>("menu") {
            match key.as_str() {
                "default" => self.shown.insert(None, sum),
                chat => chat
                    .parse()
                    .ok()
                    .and_then(|chat| self.shown.insert(Some(chat), sum)),
            };
        }
    }

    /// Works out what every known chat shall see.
    pub(super) fn plan(&mut self, access: &Access, menu: Menu<'_>) {
        self.wanted.clear();
        self.wanted
            .insert(None, commands(menu, &Caller::in_private(user(0))));
        for (who, _) in access.list(None).into_iter().take(MAX_MENUS) {
            let today = access.current_chat(&who).place();
            let Some((chat, _)) = chat_of(&today) else {
                continue;
            };
            let caller = match who.is_group() {
                true => somebody_in(who.place()),
                false => Caller::in_private(who),
            };
            self.wanted.insert(Some(chat), commands(menu, &caller));
        }
        // Whoever lost every right sees the strangers' menu again.
        for chat in self.shown.keys() {
            self.wanted.entry(*chat).or_default();
        }
        self.refused.clear();
        let differs = |(chat, commands): &(&Option<i64>, &Commands)| {
            let shown = self.shown.get(chat);
            if commands.is_empty() {
                shown.is_some()
            } else {
                shown != Some(&checksum(commands))
            }
        };
        let differing = self.wanted.iter().filter(differs);
        self.outstanding = differing.map(|(chat, _)| *chat).collect();
    }

    /// The menu to send now, with its chat.
    pub(super) fn due(&mut self, now: Mono) -> Option<(Option<i64>, Commands)> {
        if now < self.next {
            return None;
        }
        let chat = *self.outstanding.first()?;
        let commands = self.wanted.get(&chat)?.clone();
        self.next = now + GAP;
        Some((chat, commands))
    }

    /// When the next one may be sent.
    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        (!self.outstanding.is_empty()).then_some(self.next)
    }

    /// The service took it, or did not.
    pub(super) fn note(&mut self, chat: Option<i64>, is_accepted: bool, state: &mut Pending) {
        let key = chat.map_or_else(|| "default".to_owned(), |chat| chat.to_string());
        let Some(commands) = self.wanted.get(&chat) else {
            return;
        };
        self.outstanding.retain(|other| *other != chat);
        if !is_accepted {
            self.refused.push(chat);
        } else if commands.is_empty() {
            self.shown.remove(&chat);
            self.wanted.remove(&chat);
            state.delete("menu", &key);
        } else {
            let sum = checksum(commands);
            self.shown.insert(chat, sum);
            state.put("menu", &key, &sum);
        }
    }

    /// No menu before `until`.
    pub(super) fn hold(&mut self, until: Mono) {
        self.next = self.next.max(until);
    }

    /// Somebody wrote there, so a menu that was refused may be accepted.
    pub(super) fn retry(&mut self, chat: i64) {
        if let Some(at) = self
            .refused
            .iter()
            .position(|refused| *refused == Some(chat))
        {
            self.outstanding.push(self.refused.swap_remove(at));
        }
    }
}

fn commands(menu: Menu<'_>, caller: &Caller) -> Commands {
    menu(caller)
        .into_iter()
        .take(MAX_COMMANDS)
        .map(|spec| {
            let help: String = spec.help.chars().take(MAX_DESCRIPTION).collect();
            (spec.name.to_owned(), help)
        })
        .collect()
}

/// Somebody in the group who holds no right of their own.
fn somebody_in(address: Place) -> Caller {
    Caller {
        address,
        is_private: false,
        ..Caller::in_private(user(0))
    }
}

/// FNV-1a, so that a menu can be recognised after a restart.
fn checksum(commands: &Commands) -> u64 {
    let bytes = commands
        .iter()
        .flat_map(|(name, help)| name.bytes().chain([0]).chain(help.bytes()).chain([1]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Role, Spec, telegram};
    use crate::config::{AccessConfig, GrantConfig};
    use crate::time::Wall;

    fn access(role: Option<Role>) -> Access {
        Access::new(&AccessConfig {
            owners: vec![telegram::user(1)],
            grants: role
                .map(|role| GrantConfig::role(telegram::group(-5), role))
                .into_iter()
                .collect(),
        })
    }

    fn plan(menus: &mut Menus, access: &Access) {
        let specs = crate::house::specs();
        menus.plan(access, &|caller: &Caller| {
            let may =
                |spec: &&&'static Spec| access.decide(Wall(0), caller, spec, None).is_allowed();
            specs.iter().filter(may).copied().collect()
        });
    }

    fn send_all(menus: &mut Menus, state: &mut Pending) -> Vec<(Option<i64>, usize)> {
        let mut sent = Vec::new();
        while let Some(at) = menus.poll_timeout() {
            let (chat, commands) = menus.due(at).expect("due");
            menus.note(chat, true, state);
            sent.push((chat, commands.len()));
        }
        sent
    }

    #[test]
    fn everybody_sees_what_they_may_use_and_nothing_is_sent_twice() {
        let (mut menus, mut state) = (Menus::default(), Pending::new(0));
        plan(&mut menus, &access(Some(Role::Viewer)));
        let sent = send_all(&mut menus, &mut state);
        assert_eq!(
            sent.iter().map(|(chat, _)| *chat).collect::<Vec<_>>(),
            [None, Some(-5), Some(1)]
        );
        assert_eq!(sent[0].1, 3, "strangers see start, help and id");
        assert!(sent[0].1 < sent[1].1 && sent[1].1 < sent[2].1);
        let mut records = Records::default();
        records.apply(&state.take().expect("changes"));
        let mut again = Menus::default();
        again.restore(&records);
        plan(&mut again, &access(Some(Role::Viewer)));
        assert_eq!(again.poll_timeout(), None);
        plan(&mut again, &access(None));
        assert_eq!(send_all(&mut again, &mut state), [(Some(-5), 0)]);
    }

    #[test]
    fn a_refused_menu_waits_until_somebody_writes() {
        let (mut menus, mut state) = (Menus::default(), Pending::new(0));
        plan(&mut menus, &access(None));
        while let Some(at) = menus.poll_timeout() {
            let (chat, _) = menus.due(at).expect("due");
            menus.note(chat, chat.is_none(), &mut state);
        }
        menus.retry(1);
        assert!(menus.poll_timeout().is_some());
    }
}
