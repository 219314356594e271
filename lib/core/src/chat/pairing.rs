//! The first owner: whoever sends the code that this machine's own people had printed becomes owner. A code is good for
//! ten minutes, one person, and five wrong tries of everybody together; it is kept in memory only.

use super::access::{Decision, What};
use super::codes::Codes;
use super::hub::{Chat, ChatEnv};
use super::outbox::{Draft, Lane};
use super::{Answer, Asked, Caller, Person, ReplyTo, Role, Spec};
use crate::ctx::Notice;
use crate::secret::{Secret, constant_time_eq};
use crate::text::Text;
use crate::time::Mono;
use std::time::Duration;

/// What the terminal and the local socket are asked for a code. In no table: a chat could only show it to others.
pub(super) const SPEC: Spec = Spec {
    name: "pair",
    usage: "",
    help: "a one-time code that makes its sender owner",
    example: "",
    role: Role::Owner,
    action: None,
    arg: None,
    changes_state: true,
};

const LIFE: Duration = Duration::from_secs(600);
const TRIES: u8 = 5;
const DIGITS: usize = 8;

/// A code that is waited for.
#[derive(Debug)]
pub(super) struct Pairing {
    code: Secret<String>,
    until: Mono,
    tries_left: u8,
}

impl Pairing {
    fn new(now: Mono, codes: &mut Codes) -> Pairing {
        Pairing {
            code: Secret::new(format!("{:08}", codes.next_u128() % 100_000_000)),
            until: now + LIFE,
            tries_left: TRIES,
        }
    }

    fn is_right(&mut self, given: &str) -> bool {
        self.tries_left = self.tries_left.saturating_sub(1);
        constant_time_eq(self.code.expose().as_bytes(), given.as_bytes())
    }
}

/// The eight digits that a message consists of; `/start` may stand before them, as a link to the bot writes it.
pub(super) fn candidate(text: &str) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix("/start ").unwrap_or(text);
    if rest.len() > 2 * DIGITS {
        return None;
    }
    let digits: String = rest.chars().filter(|ch| !matches!(ch, ' ' | '-')).collect();
    let is_code = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then_some(digits)
}

impl Chat {
    /// Answers `rackwarden pair`.
    pub(super) fn begin_pairing(&mut self, env: &mut ChatEnv<'_>, asked: Asked) {
        let caller = asked.caller();
        let to = ReplyTo {
            address: caller.address.clone(),
            who: asked.who,
            session: Some(asked.session),
            edits: None,
            mark: None,
        };
        let decision = self.access.decide(env.now.wall, &caller, &SPEC, None);
        let (text, outcome) = match decision {
            Decision::Refused { because } => (
                format!("you may not do that: {because}; ask as root or as the agent's own user"),
                format!("refused ({because})"),
            ),
            Decision::Allowed { .. } => match self.code_in_words(env) {
                Some(text) => (text, "a code was printed".to_owned()),
                None => (
                    format!(
                        "there is no chat to pair in; add [{}] to the configuration",
                        super::TRANSPORTS[0].name
                    ),
                    "refused (no chat)".to_owned(),
                ),
            },
        };
        note(env, &caller, outcome);
        self.answer(env, &to, Answer::text(text));
    }

    fn code_in_words(&mut self, env: &ChatEnv<'_>) -> Option<String> {
        let pairing = Pairing::new(env.now.mono, self.outbox.buttons.codes());
        let code = pairing.code.expose().clone();
        let mut transports = self.transports.iter();
        let found = transports.find_map(|one| Some((one.pairing_place(&code)?, one.problem())));
        let (place, problem) = found?;
        let note = problem.map_or_else(String::new, |problem| format!("\nAt present: {problem}"));
        self.pairing = Some(pairing);
        Some(format!(
            "{code}\nSend it within 10 minutes to {place}\nWho does so first becomes owner. Five wrong tries or a restart end it.{note}"
        ))
    }

    /// Takes a message that may be the code. False when it is none, or nobody waits for one.
    pub(super) fn take_code(
        &mut self,
        env: &mut ChatEnv<'_>,
        to: &ReplyTo,
        caller: &Caller,
        text: &str,
    ) -> bool {
        let Some(given) = candidate(text) else {
            return false;
        };
        let Some(pairing) = self
            .pairing
            .as_mut()
            .filter(|pairing| env.now.mono < pairing.until)
        else {
            return false;
        };
        let is_right = pairing.is_right(&given);
        let tries_left = pairing.tries_left;
        if is_right || tries_left == 0 {
            self.pairing = None;
        }
        if !is_right {
            log::warn!(
                "chat: a wrong pairing code from {}; {tries_left} tries left",
                caller.for_audit()
            );
            note(
                env,
                caller,
                format!("refused (wrong code, {tries_left} tries left)"),
            );
            return false;
        }
        let others = self.access.owners(env.now.wall);
        let granted = self.access.grant(
            &caller.who,
            What::Role(Role::Owner),
            None,
            "pairing",
            env.state,
        );
        let (text, outcome) = match granted {
            Ok(()) => (
                "You are owner now. /help lists what you can do.".to_owned(),
                "done: owner".to_owned(),
            ),
            Err(why) => (format!("Not paired: {why}."), format!("refused ({why})")),
        };
        log::warn!("chat: pairing of {}: {outcome}", caller.for_audit());
        for owner in others.into_iter().filter(|owner| *owner != caller.who) {
            let text = Text::new()
                .code(caller.who.to_string())
                .plain(format!(
                    ", who goes by {}, has become owner by a code that was printed on the machine. /revoke takes that back.",
                    caller.name
                ));
            self.tell_owner(env, &owner, text, Vec::new(), false);
        }
        note(env, caller, outcome);
        self.answer(env, to, Answer::text(text));
        true
    }

    /// A message to an owner's private chat.
    pub(super) fn tell_owner(
        &mut self,
        env: &mut ChatEnv<'_>,
        owner: &Person,
        text: Text,
        buttons: Vec<Vec<super::Button>>,
        silent: bool,
    ) {
        let Some(to) = owner.mailbox() else {
            return;
        };
        let draft = Draft {
            to,
            lane: Lane::Warning,
            text,
            buttons,
            document: None,
            edit: None,
            silent,
            alert: None,
            topic: None,
        };
        self.outbox.push_for(env.now, env.state, draft, Some(owner));
    }
}

fn note(env: &mut ChatEnv<'_>, caller: &Caller, outcome: String) {
    env.notices.push(Notice::Audit {
        who: caller.for_audit(),
        action: "pairing".to_owned(),
        outcome,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_eight_digits_however_they_are_set_apart() {
        for (text, want) in [
            ("12345678", Some("12345678")),
            (" 1234 5678 ", Some("12345678")),
            ("/start 1234-5678", Some("12345678")),
            ("1234567", None),
            ("123456789", None),
            ("/reset 12345678", None),
            ("１２３４５６７８", None),
            ("1                      2345678", None),
        ] {
            assert_eq!(candidate(text).as_deref(), want, "{text}");
        }
    }
}
