//! Buttons that were handed out: a short random code stands for a command line. A press is only another way to
//! write that line, so rights are checked again at the press; this module knows who may press, not who may act.

use super::codes::Codes;
use super::{Bound, Button, Person, Place};
use crate::small::SmallMap;
use crate::state::{Pending, Records};
use crate::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// A confirmation dies after this time.
pub const CONFIRM_LIFE: Duration = Duration::from_secs(60);
/// A choice in a dialog dies after this time.
pub const CHOICE_LIFE: Duration = Duration::from_secs(600);
/// Buttons under alerts that stay usable, over restarts too; the oldest go first.
const MAX_KEPT: usize = 600;
/// All other buttons; the oldest go first.
const MAX_OTHERS: usize = 2000;
/// 130 bits in five each, of which 128 are random.
const CODE_LENGTH: usize = 26;
/// At a terminal codes are typed by hand. Only its own people reach them, so 60 bits do.
const TYPED_CODE_LENGTH: usize = 12;

/// Every button that may still be pressed.
#[derive(Debug)]
pub struct Buttons {
    entries: SmallMap<String, Entry>,
    kept: VecDeque<String>,
    others: VecDeque<String>,
    codes: Codes,
}

/// To whom new buttons belong.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The chat that they are shown in.
    pub address: &'a Place,
    /// Who asked; nobody for alerts.
    pub who: Option<&'a Person>,
    /// True for alerts: the buttons survive a restart.
    pub is_kept: bool,
}

/// What a press means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Press {
    /// This line, as if the person had written it.
    Run {
        /// The command line.
        command: String,
        /// To whom the button was bound.
        bound: Bound,
    },
    /// The code is not known (any longer).
    Gone,
    /// It belongs to somebody else, to another chat or another message.
    NotYours {
        /// What it would have run.
        command: String,
    },
}

#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Entry {
    command: String,
    bound: Bound,
    who: Option<Person>,
    address: Place,
    message: Option<i64>,
    #[serde(skip)]
    expires: Option<Mono>,
    #[serde(default)]
    order: u64,
}

impl Default for Buttons {
    fn default() -> Buttons {
        Buttons {
            entries: SmallMap::new(),
            kept: VecDeque::new(),
            others: VecDeque::new(),
            codes: Codes::new(0),
        }
    }
}

impl Buttons {
    /// Begins a new row of codes.
    pub fn set_codes(&mut self, codes: Codes) {
        self.codes = codes;
    }

    /// The row of codes, for others that nobody may guess.
    pub(super) fn codes(&mut self) -> &mut Codes {
        &mut self.codes
    }

    /// Takes over the buttons under alerts.
    pub fn restore(&mut self, records: &Records) {
        let mut kept: Vec<(String, Entry)> = records.all("button");
        crate::small::sort_by_key(&mut kept, |(_, entry)| entry.order);
        self.kept = kept.iter().map(|(code, _)| code.clone()).collect();
        self.entries.extend(kept);
    }

    /// Makes a code for one button.
    pub fn register(
        &mut self,
        now: Mono,
        button: &Button,
        holder: Holder<'_>,
        state: &mut Pending,
    ) -> String {
        let code = self.new_code(match holder.address.service().types_codes {
            true => TYPED_CODE_LENGTH,
            false => CODE_LENGTH,
        });
        let life = match button.bound {
            Bound::Open | Bound::Lasting => None,
            Bound::Caller | Bound::Once => Some(CHOICE_LIFE),
            Bound::Confirm => Some(CONFIRM_LIFE),
        };
        let is_kept = match button.bound {
            Bound::Open => holder.is_kept,
            bound => bound == Bound::Lasting,
        };
        let entry = Entry {
            command: button.command.clone(),
            bound: button.bound,
            who: holder.who.cloned(),
            address: holder.address.clone(),
            message: None,
            expires: life.map(|life| now + life),
            order: state.seq(),
        };
        if is_kept {
            state.put("button", &code, &entry);
            self.kept.push_back(code.clone());
        } else {
            self.others.push_back(code.clone());
        }
        self.entries.insert(code.clone(), entry);
        self.trim(state);
        code
    }

    /// The message that carries these buttons has got its number: they belong to it from now on.
    pub fn bind(&mut self, codes: &[String], message: i64) {
        for code in codes {
            if let Some(entry) = self.entries.get_mut(code) {
                if entry.bound != Bound::Open {
                    entry.message = Some(message);
                }
            }
        }
    }

    /// Judges a press. A confirmation is used up by it, and so is a button that runs once.
    pub fn press(
        &mut self,
        now: Mono,
        code: &str,
        who: &Person,
        address: &Place,
        message: Option<i64>,
    ) -> Press {
        let Some(entry) = self.entries.get(code) else {
            return Press::Gone;
        };
        if entry.expires.is_some_and(|at| now >= at) {
            self.entries.remove(code);
            return Press::Gone;
        }
        let is_theirs = entry.bound == Bound::Open || entry.who.as_ref() == Some(who);
        // Some kinds of updates leave the topic out.
        let is_here = entry.address.is_same_chat(address)
            && (entry.message.is_none() || entry.message == message);
        let command = entry.command.clone();
        if !is_theirs || !is_here {
            return Press::NotYours { command };
        }
        let bound = entry.bound;
        if matches!(bound, Bound::Confirm | Bound::Once) {
            self.entries.remove(code);
        }
        Press::Run { command, bound }
    }

    /// A group has got another id.
    pub fn rename_chat(&mut self, old: &Place, new: &Place) {
        for entry in self.entries.values_mut() {
            entry.address.follow(old, new);
        }
    }

    fn new_code(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        loop {
            let mut bits = self.codes.next_u128();
            let mut code = String::with_capacity(length);
            for _ in 0..length {
                code.push(char::from(ALPHABET[(bits & 31) as usize]));
                bits >>= 5;
            }
            if !self.entries.contains_key(&code) {
                return code;
            }
        }
    }

    fn trim(&mut self, state: &mut Pending) {
        while self.kept.len() > MAX_KEPT {
            if let Some(code) = self.kept.pop_front() {
                self.entries.remove(&code);
                state.delete("button", &code);
            }
        }
        while self.others.len() > MAX_OTHERS {
            if let Some(code) = self.others.pop_front() {
                self.entries.remove(&code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::telegram;
    use std::sync::LazyLock;

    static CHAT: LazyLock<Place> = LazyLock::new(|| telegram::place(-5, Some(3)));
    static ANN: LazyLock<Person> = LazyLock::new(|| telegram::user(1));
    static BOB: LazyLock<Person> = LazyLock::new(|| telegram::user(2));

    fn holder(is_kept: bool) -> Holder<'static> {
        Holder {
            address: &CHAT,
            who: Some(&ANN),
            is_kept,
        }
    }

    fn second(seconds: u64) -> Mono {
        Mono::new(Duration::from_secs(seconds))
    }

    fn run(bound: Bound) -> Press {
        Press::Run {
            command: "/reset alpha".into(),
            bound,
        }
    }

    fn not_yours() -> Press {
        Press::NotYours {
            command: "/reset alpha".into(),
        }
    }

    #[test]
    fn a_button_obeys_whom_it_is_bound_to() {
        let elsewhere = telegram::place(-6, None);
        let confirm = Button::confirm("yes", "/reset alpha");
        let choice = Button::choice("alpha", "/reset alpha");
        let open = Button::open("alpha", "/reset alpha");
        for (rule, button, at, who, chat, message, want) in [
            (
                "confirm",
                &confirm,
                59,
                &*ANN,
                &*CHAT,
                Some(7),
                run(Bound::Confirm),
            ),
            (
                "confirm_dies",
                &confirm,
                60,
                &*ANN,
                &*CHAT,
                Some(7),
                Press::Gone,
            ),
            (
                "confirm_of_another",
                &confirm,
                1,
                &*BOB,
                &*CHAT,
                Some(7),
                not_yours(),
            ),
            (
                "confirm_elsewhere",
                &confirm,
                1,
                &*ANN,
                &elsewhere,
                Some(7),
                not_yours(),
            ),
            (
                "confirm_on_another_message",
                &confirm,
                1,
                &*ANN,
                &*CHAT,
                Some(8),
                not_yours(),
            ),
            (
                "choice",
                &choice,
                599,
                &*ANN,
                &*CHAT,
                Some(7),
                run(Bound::Caller),
            ),
            (
                "choice_dies",
                &choice,
                600,
                &*ANN,
                &*CHAT,
                Some(7),
                Press::Gone,
            ),
            (
                "choice_of_another",
                &choice,
                1,
                &*BOB,
                &*CHAT,
                Some(7),
                not_yours(),
            ),
            (
                "open_for_all_here",
                &open,
                9999,
                &*BOB,
                &*CHAT,
                Some(9),
                run(Bound::Open),
            ),
            (
                "open_elsewhere",
                &open,
                1,
                &*BOB,
                &elsewhere,
                Some(9),
                not_yours(),
            ),
        ] {
            let mut buttons = Buttons::default();
            let code = buttons.register(Mono::ZERO, button, holder(false), &mut Pending::new(0));
            assert!(code.len() <= 64);
            buttons.bind(std::slice::from_ref(&code), 7);
            let got = buttons.press(second(at), &code, who, chat, message);
            assert_eq!(got, want, "{rule}");
        }
    }

    #[test]
    fn a_confirmation_and_a_command_of_long_ago_are_used_once() {
        let mut buttons = Buttons::default();
        for button in [
            Button::confirm("yes", "/reset alpha"),
            Button::once("Run now", "/reset alpha"),
        ] {
            let code = buttons.register(Mono::ZERO, &button, holder(false), &mut Pending::new(0));
            let mut press = || buttons.press(second(1), &code, &ANN, &CHAT, None);
            assert_eq!(press(), run(button.bound));
            assert_eq!(press(), Press::Gone);
        }
    }

    #[test]
    fn buttons_under_alerts_survive_a_restart_and_all_are_capped() {
        let (mut buttons, mut state) = (Buttons::default(), Pending::new(0));
        let mut records = Records::default();
        let button = Button::open("ack", "/reset alpha");
        let codes: Vec<String> = (0..MAX_KEPT + 10)
            .map(|_| {
                let code = buttons.register(Mono::ZERO, &button, holder(true), &mut state);
                records.apply(&state.take().expect("changes"));
                code
            })
            .collect();
        for _ in 0..MAX_OTHERS + 10 {
            buttons.register(Mono::ZERO, &button, holder(false), &mut state);
        }
        assert_eq!(buttons.entries.len(), MAX_KEPT + MAX_OTHERS);
        let mut again = Buttons::default();
        again.set_codes(Codes::new(3));
        again.restore(&records);
        let last = codes.last().expect("codes");
        assert_eq!(
            again.press(second(1), last, &BOB, &CHAT, Some(1)),
            run(Bound::Open)
        );
        assert_eq!(
            again.press(second(1), &codes[0], &BOB, &CHAT, Some(1)),
            Press::Gone
        );
    }

    #[test]
    fn guessing_finds_nothing() {
        let mut buttons = Buttons::default();
        for _ in 0..100 {
            let button = Button::open("ack", "/reset alpha");
            buttons.register(Mono::ZERO, &button, holder(false), &mut Pending::new(0));
        }
        let mut guesser = Buttons {
            codes: Codes::new(99),
            ..Buttons::default()
        };
        for _ in 0..100_000 {
            let guess = guesser.new_code(CODE_LENGTH);
            assert_eq!(
                buttons.press(second(1), &guess, &ANN, &CHAT, None),
                Press::Gone
            );
        }
    }
}
