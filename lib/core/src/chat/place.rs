//! Where messages go and who people are, in the notation of the configuration. What may stand behind the colon is
//! known to the transport alone, in its row of `TRANSPORTS`.

use super::TRANSPORTS;
use super::transport::{People, Service};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A place that messages can be sent to: `telegram:-100/7`, `mail:oncall@example.org`, `terminal`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Place {
    transport: &'static str,
    path: Arc<str>,
}

/// Somebody, or some group, that rights are granted to: `telegram:42`, `telegram-chat:-100`, `local:1000`, `terminal`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Person {
    kind: &'static str,
    id: Arc<str>,
}

impl Place {
    /// A place of a transport that knows its own paths.
    pub(super) fn new(transport: &'static str, path: impl Into<Arc<str>>) -> Place {
        Place {
            transport,
            path: path.into(),
        }
    }

    /// The transport, as `Transport::name` says.
    pub fn transport(&self) -> &'static str {
        self.transport
    }

    /// The text behind the colon.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The constants of its transport.
    pub fn service(&self) -> &'static Service {
        let mut all = TRANSPORTS.iter();
        all.find(|service| service.name == self.transport)
            .unwrap_or(&TRANSPORTS[0])
    }

    /// Its path without the topic.
    pub fn chat_path(&self) -> &str {
        match self.path.split_once('/') {
            Some((chat, _)) if self.service().topics => chat,
            _ => &self.path,
        }
    }

    /// The chat that it is in, whatever the topic.
    pub fn chat(&self) -> Place {
        match self.chat_path() {
            chat if chat.len() == self.path.len() => self.clone(),
            chat => Place::new(self.transport, chat),
        }
    }

    /// True when both are in one chat.
    pub fn is_same_chat(&self, other: &Place) -> bool {
        self.transport == other.transport && self.chat_path() == other.chat_path()
    }

    /// True when several people read there.
    pub fn is_group(&self) -> bool {
        (self.service().is_group)(self.chat_path())
    }

    /// Everyone who speaks there, as rights are granted to them.
    pub fn everyone(&self) -> Option<Person> {
        let mut kinds = self.service().people.iter();
        let kind = kinds.find(|kind| kind.is_group)?;
        Some(Person::new(kind.name, self.chat_path()))
    }

    /// Follows a chat that has become another one; false when this is in none of its topics.
    pub fn follow(&mut self, old: &Place, new: &Place) -> bool {
        let is_there = self.is_same_chat(old);
        if is_there {
            let topic = &self.path[self.chat_path().len()..];
            *self = Place::new(new.transport, format!("{}{topic}", new.path));
        }
        is_there
    }

    fn key(&self) -> (usize, (i64, i64), &str) {
        let mut all = TRANSPORTS.iter();
        let rank = all.position(|service| service.name == self.transport);
        (rank.unwrap_or(0), numbers(&self.path), &self.path)
    }
}

impl Person {
    /// A person of a transport that knows its own ids.
    pub(super) fn new(kind: &'static str, id: impl Into<Arc<str>>) -> Person {
        Person {
            kind,
            id: id.into(),
        }
    }

    /// Reads a person; a bare id is one of the first transport.
    ///
    /// # Errors
    /// The text names nobody.
    pub fn read(text: &str) -> Result<Person, String> {
        let mut kinds = TRANSPORTS[0].people.iter();
        let bare = kinds.find_map(|kind| Some(Person::new(kind.name, (kind.id)(text)?)));
        bare.map_or_else(|| text.parse(), Ok)
    }

    /// The shortest text that `read` takes.
    pub fn short(&self) -> String {
        match Person::read(&self.id) {
            Ok(same) if same == *self => self.id.to_string(),
            _ => self.to_string(),
        }
    }

    /// The sort of people: `telegram-chat`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The text behind the colon.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn row(&self) -> (usize, &'static Service, &'static People) {
        let mut all = kinds().enumerate();
        let row = all.find(|(_, (_, kind))| kind.name == self.kind);
        let (rank, (service, kind)) =
            row.unwrap_or((0, (&TRANSPORTS[0], &TRANSPORTS[0].people[0])));
        (rank, service, kind)
    }

    /// True for everyone who speaks in a chat.
    pub fn is_group(&self) -> bool {
        self.row().2.is_group
    }

    /// True when the transport itself proves that this is an owner.
    pub fn is_owner(&self) -> bool {
        (self.row().2.is_owner)(&self.id)
    }

    /// The transports of these people that are not built yet, by their titles.
    pub fn out_of_reach<'a>(people: impl Iterator<Item = &'a Person>) -> Vec<&'static str> {
        let services = people.map(|person| person.row().1);
        let mut titles: Vec<&str> = Vec::new();
        for service in services.filter(|service| !service.is_built) {
            if !titles.contains(&service.title) {
                titles.push(service.title);
            }
        }
        titles
    }

    /// Where this person, or this group, is spoken with.
    pub fn place(&self) -> Place {
        Place::new(self.row().1.name, Arc::clone(&self.id))
    }

    /// Somebody who speaks in this group and has no right of their own.
    pub fn member(&self) -> Person {
        let mut people = self.row().1.people.iter();
        let kind = people.find(|kind| !kind.is_group);
        Person::new(kind.map_or(self.kind, |kind| kind.name), "0")
    }

    /// Where this person can be written to without having asked anything, in private.
    pub fn mailbox(&self) -> Option<Place> {
        let (_, service, kind) = self.row();
        (service.is_audience && !kind.is_group).then(|| self.place())
    }
}

/// Every kind of people, with its transport.
fn kinds() -> impl Iterator<Item = (&'static Service, &'static People)> {
    let all = TRANSPORTS.iter();
    all.flat_map(|service| service.people.iter().map(move |kind| (service, kind)))
}

/// The numbers of a path, so that places and people are in their order; 0 for what is none.
fn numbers(path: &str) -> (i64, i64) {
    let (first, second) = path.split_once('/').unwrap_or((path, ""));
    (first.parse().unwrap_or(0), second.parse().unwrap_or(0))
}

/// `a`, `a or b`, `a, b or c`.
fn choice(forms: &[&str]) -> String {
    match forms {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        forms => forms.concat(),
    }
}

/// How places are written that can be sent to; the shortest form of each transport, or all.
pub fn forms(all: bool) -> String {
    let count = |forms: &'static [&'static str]| if all { forms.len() } else { forms.len().min(1) };
    let forms = TRANSPORTS.iter().map(|service| service.forms);
    let forms: Vec<&str> = forms
        .flat_map(|forms| &forms[..count(forms)])
        .copied()
        .collect();
    choice(&forms)
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let (transport, path) = parts(text);
        let mut all = TRANSPORTS.iter();
        let place = all
            .find(|service| service.name == transport)
            .and_then(|service| Some(Place::new(service.name, (service.path)(path)?)));
        place.ok_or_else(|| format!("`{text}` is not an address; write {}", forms(true)))
    }
}

impl FromStr for Person {
    type Err = String;

    fn from_str(text: &str) -> Result<Person, String> {
        let (name, id) = parts(text);
        let person = kinds()
            .find(|(_, kind)| kind.name == name)
            .and_then(|(_, kind)| Some(Person::new(kind.name, (kind.id)(id)?)));
        person.ok_or_else(|| {
            let kinds = kinds().map(|(_, kind)| kind.form);
            let forms: Vec<&str> = kinds.filter(|form| !form.is_empty()).collect();
            format!("`{text}` is nobody; write {}", choice(&forms))
        })
    }
}

/// What stands before and behind the colon; a colon alone stays with the first part, so that nothing has this name.
fn parts(text: &str) -> (&str, &str) {
    match text.split_once(':') {
        Some((_, "")) | None => (text, ""),
        Some(parts) => parts,
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, name: &str, rest: &str) -> fmt::Result {
    match rest {
        "" => f.write_str(name),
        rest => write!(f, "{name}:{rest}"),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.transport, &self.path)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self.kind, &self.id)
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Place) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Ord for Person {
    fn cmp(&self, other: &Person) -> Ordering {
        let key = |person: &Person| (person.row().0, numbers(&person.id));
        let order = key(self).cmp(&key(other));
        order.then_with(|| self.id.cmp(&other.id))
    }
}

macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Place, Person);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_round_trip() {
        for text in [
            "telegram:-1001234",
            "telegram:-1001234/7",
            "mail:oncall@example.org",
            "local:1000",
            "terminal",
        ] {
            assert_eq!(text.parse::<Place>().expect(text).to_string(), text);
        }
        for text in [
            "telegram:",
            "telegram:x",
            "telegram:1/x",
            "telegram:1/0",
            "telegram:0",
            "telegram",
            "mail:nobody",
            "mail:a b@c",
            "terminal:",
            "terminal:1",
            "irc:x",
            "discord:1",
            "",
        ] {
            let want =
                "is not an address; write telegram:CHAT, telegram:CHAT/TOPIC or mail:NAME@HOST";
            let want = format!("`{text}` {want}");
            assert_eq!(text.parse::<Place>(), Err(want));
        }
    }

    #[test]
    fn people_round_trip() {
        for text in [
            "telegram:424242424",
            "telegram-chat:-1001234",
            "local:0",
            "terminal",
            "discord:1",
            "discord-role:2",
            "discord-channel:3",
            "hub:main/Ann",
            "mqtt:home",
            "http:token",
        ] {
            assert_eq!(text.parse::<Person>().expect(text).to_string(), text);
        }
        for text in [
            "telegram:-5",
            "bob",
            "telegram-chat:zero",
            "local:-1",
            "hub:main",
            "http:x",
            "discord:Ann",
            "mqtt:",
        ] {
            let want = "is nobody; write telegram:USER, telegram-chat:CHAT or local:UID";
            let want = format!("`{text}` {want}");
            assert_eq!(text.parse::<Person>(), Err(want));
        }
    }

    #[test]
    fn a_bare_id_is_one_of_the_first_transport() {
        for (text, want) in [
            ("42", Some("telegram:42")),
            ("-100", Some("telegram-chat:-100")),
            ("local:7", Some("local:7")),
            ("0", None),
            ("ann", None),
        ] {
            let read = Person::read(text).ok();
            assert_eq!(
                read.as_ref().map(Person::to_string).as_deref(),
                want,
                "{text}"
            );
            let short = read.as_ref().map(Person::short);
            assert_eq!(short.as_deref(), want.map(|_| text));
        }
    }

    #[test]
    fn the_order_is_that_of_the_table_and_of_numbers() {
        let mut places = [
            "terminal",
            "mail:a@b",
            "telegram:9",
            "telegram:-5/7",
            "telegram:-5",
            "telegram:10",
        ]
        .map(|text| text.parse::<Place>().expect(text));
        places.sort();
        let texts = places.map(|place| place.to_string());
        assert_eq!(
            texts,
            [
                "telegram:-5",
                "telegram:-5/7",
                "telegram:9",
                "telegram:10",
                "mail:a@b",
                "terminal"
            ]
        );
    }

    #[test]
    fn a_place_follows_its_chat_and_keeps_its_topic() {
        let place = |text: &str| text.parse::<Place>().expect(text);
        let (old, new) = (place("telegram:-5"), place("telegram:-1005"));
        let mut topic = place("telegram:-5/7");
        assert!(topic.follow(&old, &new));
        assert_eq!(topic, place("telegram:-1005/7"));
        assert_eq!(topic.chat(), new);
        assert!(!topic.follow(&old, &new));
    }
}
