//! The terminal and the local socket: answers as plain text, buttons as numbered lines.

use super::transport::{People, Service};
use super::{Answer, Person, SessionId};
use crate::effect::SessionReply;
use crate::small::SmallMap;

/// The row of the local socket, whose callers are known by their user ids.
pub(super) const SERVICE: Service = Service {
    name: "local",
    title: "the local socket",
    path: uid,
    people: &[People {
        name: "local",
        form: "local:UID",
        id: uid,
        is_owner: |uid| uid == "0",
        ..People::NONE
    }],
    types_codes: true,
    ..Service::NONE
};

fn uid(text: &str) -> Option<String> {
    Some(text.parse::<u32>().ok()?.to_string())
}

/// The user of this machine with this id.
pub fn local(uid: u32) -> Person {
    Person::new(SERVICE.name, uid.to_string())
}

/// The user of this machine that somebody is.
pub fn uid_of(who: &Person) -> Option<u32> {
    let id = (who.kind() == SERVICE.name).then(|| who.id())?;
    id.parse().ok()
}

/// Whoever sits at the terminal of `demo`.
pub fn terminal() -> Person {
    Person::new(super::terminal::SERVICE.name, "")
}

/// The buttons of the last answer of each session, so that a bare number presses one.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    last_codes: SmallMap<SessionId, Vec<String>>,
}

/// Sessions whose buttons are remembered by number; the oldest (lowest) go first, the terminal's stay.
const MAX_SESSIONS: usize = 64;

impl Sessions {
    /// The code that a line presses: `/press CODE`, or the number of a button of the last answer.
    pub(super) fn pressed(&self, session: SessionId, line: &str) -> Option<String> {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next()?, words.next());
        if first.trim_start_matches('/').eq_ignore_ascii_case("press") {
            let code = second.unwrap_or("");
            return Some(self.by_number(session, code).unwrap_or(code).to_owned());
        }
        if second.is_some() {
            return None;
        }
        self.by_number(session, first).map(str::to_owned)
    }

    /// Writes an answer as text. `codes` are those of its buttons, in order.
    pub(super) fn render(
        &mut self,
        session: SessionId,
        answer: &Answer,
        codes: Vec<String>,
    ) -> SessionReply {
        let mut text = answer.text.to_plain();
        let labels = answer.buttons.iter().flatten().map(|button| &button.label);
        for (number, (label, code)) in labels.zip(&codes).enumerate() {
            text.push_str(&format!(
                "\n  [{}] {}  (/press {code})",
                number + 1,
                crate::text::clean(label.clone())
            ));
        }
        if !codes.is_empty() {
            self.remember(session, codes);
        }
        SessionReply {
            session,
            text,
            document: answer.document.clone(),
            last: !answer.more_follows,
        }
    }

    fn by_number(&self, session: SessionId, word: &str) -> Option<&str> {
        let index = word.parse::<usize>().ok()?.checked_sub(1)?;
        self.last_codes
            .get(&session)?
            .get(index)
            .map(String::as_str)
    }

    fn remember(&mut self, session: SessionId, codes: Vec<String>) {
        self.last_codes.insert(session, codes);
        if self.last_codes.len() > MAX_SESSIONS {
            let oldest = self
                .last_codes
                .keys()
                .copied()
                .find(|id| *id != SessionId::TERMINAL);
            if let Some(oldest) = oldest {
                self.last_codes.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Button;

    #[test]
    fn buttons_are_numbered_lines_and_a_number_presses_one() {
        let mut sessions = Sessions::default();
        let answer = Answer {
            buttons: vec![
                vec![Button::open("alpha", "/a")],
                vec![Button::open("bravo", "/b")],
            ],
            ..Answer::text("Which?")
        };
        let codes = vec!["aaa".to_owned(), "bbb".to_owned()];
        let reply = sessions.render(SessionId(3), &answer, codes);
        assert_eq!(
            reply.text,
            "Which?\n  [1] alpha  (/press aaa)\n  [2] bravo  (/press bbb)"
        );
        for (line, want) in [
            ("2", Some("bbb")),
            ("/press 1", Some("aaa")),
            ("/press xyz", Some("xyz")),
            ("press bbb", Some("bbb")),
            ("3", None),
            ("0", None),
            ("2 x", None),
            ("/current", None),
        ] {
            let got = sessions.pressed(SessionId(3), line);
            assert_eq!(got.as_deref(), want, "{line}");
        }
        assert_eq!(sessions.pressed(SessionId(4), "1"), None);
    }
}
