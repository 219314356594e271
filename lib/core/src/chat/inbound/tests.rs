//! Every person, entry and command against an oracle that knows the rules of docs/access.md and nothing of the code.

use super::*;
use crate::chat::access::What;
use crate::chat::buttons::Holder;
use crate::chat::codes::Codes;
use crate::chat::{Names, Person, Place, Role, sessions, telegram};
use crate::config::{Config, GrantConfig};
use crate::effect::Effects;
use crate::rng::Rng;
use crate::state::Pending;
use crate::time::{Mono, Now, Wall};
use rackwarden_base::Tickets;
use std::sync::{Arc, LazyLock};

const NOW: Wall = Wall(1_795_204_800_000);
const CREW: i64 = -9;
const OTHERS: i64 = -8;
const CHANNEL: i64 = -7;
const NAMES: [&str; 4] = ["alpha", "alto", "bravo", "charlie"];

/// A person as the rules see one: the highest role, and patterns with nothing but a `*` at the end.
struct Someone {
    rule: &'static str,
    who: Person,
    role: u8,
    allow: &'static [&'static str],
    deny: &'static [&'static str],
}

static PEOPLE: LazyLock<Vec<Someone>> = LazyLock::new(|| {
    vec![
        person("owner", 1, 3, &[], &[]),
        person("operator", 2, 2, &[], &["power.reset:bravo"]),
        person("viewer", 3, 1, &[], &[]),
        person(
            "single_action",
            4,
            0,
            &["power.reset:al*"],
            &["power.reset:alto"],
        ),
        person("expired", 5, 0, &[], &[]),
        person("stranger", 6, 0, &[], &[]),
        person("former_owner", 7, 0, &[], &["*:*"]),
        person("granted_in_chat", 8, 2, &[], &[]),
        person("granted_in_chat_and_expired", 9, 0, &[], &[]),
        person("blocked", 10, 0, &[], &["*:*"]),
        person("let_in_again_for_less", 11, 1, &[], &[]),
        person("denied_all_in_chat", 12, 2, &[], &["power.reset:*"]),
        Someone {
            rule: "root",
            who: sessions::local(0),
            role: 3,
            allow: &[],
            deny: &[],
        },
        Someone {
            rule: "another_user_of_the_machine",
            who: sessions::local(1000),
            role: 1,
            allow: &[],
            deny: &[],
        },
        Someone {
            rule: "nobody_on_the_machine",
            who: sessions::local(1001),
            role: 0,
            allow: &[],
            deny: &[],
        },
        Someone {
            rule: "terminal",
            who: sessions::terminal(),
            role: 3,
            allow: &[],
            deny: &[],
        },
    ]
});

fn person(
    rule: &'static str,
    id: i64,
    role: u8,
    allow: &'static [&'static str],
    deny: &'static [&'static str],
) -> Someone {
    Someone {
        rule,
        who: telegram::user(id),
        role,
        allow,
        deny,
    }
}

/// Where somebody speaks, and as whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Private,
    Crew,
    Others,
    /// As the group itself.
    CrewAnonymous,
    OthersAnonymous,
    /// In the name of the channel.
    ChannelPost,
    ChannelInCrew,
}

const PLACES: [Stand; 7] = [
    Stand::Private,
    Stand::Crew,
    Stand::Others,
    Stand::CrewAnonymous,
    Stand::OthersAnonymous,
    Stand::ChannelPost,
    Stand::ChannelInCrew,
];

/// How a command comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Line,
    Edited,
    Forwarded,
    Old,
    Ageless,
    /// A button of one's own: open, choice, lasting, confirming.
    Own(Bound),
    /// The same after its time.
    Late(Bound),
    /// Of the owner, pressed by somebody.
    Of1(Bound),
    /// One's own, but seen in another chat.
    Elsewhere(Bound),
    /// One's own, under another message.
    OtherMessage(Bound),
    /// One's own confirmation a second time.
    Twice,
}

const BOUNDS: [Bound; 5] = [
    Bound::Open,
    Bound::Caller,
    Bound::Once,
    Bound::Lasting,
    Bound::Confirm,
];

fn entries() -> Vec<Entry> {
    let mut entries = vec![
        Entry::Line,
        Entry::Edited,
        Entry::Forwarded,
        Entry::Old,
        Entry::Ageless,
        Entry::Twice,
    ];
    for bound in BOUNDS {
        entries.extend([
            Entry::Own(bound),
            Entry::Late(bound),
            Entry::Of1(bound),
            Entry::Elsewhere(bound),
            Entry::OtherMessage(bound),
        ]);
    }
    entries
}

/// The rules in words of their own.
fn may(person: &Someone, place: Stand, spec: &Spec, target: Option<&str>) -> bool {
    let (mut role, mut allow, mut deny) = (person.role, person.allow, person.deny.to_vec());
    let crew_role = 2;
    match place {
        Stand::Private | Stand::Others => {}
        Stand::Crew => role = role.max(crew_role),
        Stand::CrewAnonymous | Stand::ChannelInCrew => role = 1,
        Stand::OthersAnonymous => role = 0,
        Stand::ChannelPost => role = 1,
    }
    if !matches!(place, Stand::Private | Stand::Crew | Stand::Others) {
        (allow, deny) = (&[], Vec::new());
    }
    if matches!(
        place,
        Stand::Crew | Stand::CrewAnonymous | Stand::ChannelInCrew
    ) {
        deny.push("power.reset:charlie");
    }
    let action = spec.action.unwrap_or(spec.name);
    let hits = |pattern: &str, without_target: bool| {
        let (of, on) = pattern.split_once(':').expect("a pattern");
        let one = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => text == pattern,
        };
        one(of, action) && target.map_or(without_target, |target| one(on, target))
    };
    if deny
        .iter()
        .any(|pattern| hits(pattern, pattern.ends_with(":*")))
    {
        return false;
    }
    let needed = match spec.role {
        Role::Anyone => return place == Stand::Private || role > 0,
        Role::Viewer => 1,
        Role::Operator => 2,
        Role::Owner => 3,
    };
    role >= needed || allow.iter().any(|pattern| hits(pattern, true))
}

/// Whether a command that comes in this way is run for somebody who may.
fn runs(entry: Entry, spec: &Spec, is_owner_of_button: bool) -> bool {
    match entry {
        Entry::Line => true,
        Entry::Edited | Entry::Old | Entry::Ageless => !spec.changes_state,
        Entry::Forwarded | Entry::Twice => false,
        Entry::Own(_) => true,
        Entry::Late(bound) => matches!(bound, Bound::Open | Bound::Lasting),
        Entry::Of1(bound) => bound == Bound::Open || is_owner_of_button,
        Entry::Elsewhere(_) => false,
        Entry::OtherMessage(bound) => bound == Bound::Open,
    }
}

/// The things that arguments name.
struct Pdus;

impl Names for Pdus {
    fn complete(&self, kind: &str, prefix: &str) -> Vec<String> {
        let names = NAMES.iter().filter(|name| name.starts_with(prefix));
        match kind {
            "pdu" | "pdu-or-team" => names.map(|name| (*name).to_owned()).collect(),
            _ => Vec::new(),
        }
    }

    fn several(&self, _kind: &str, _args: &[String]) -> usize {
        0
    }
}

struct World {
    chat: Chat,
    config: Arc<Config>,
    specs: Vec<&'static Spec>,
    now: Now,
    tickets: u64,
    effects: Effects,
    state: Pending,
    rng: Rng,
    notices: Vec<Notice>,
}

impl World {
    fn new() -> World {
        let mut config = Config::empty();
        let grant = |who, role, allow: &[&str], deny: &[&str]| GrantConfig {
            who,
            role,
            allow: allow.iter().map(|text| (*text).to_owned()).collect(),
            deny: deny.iter().map(|text| (*text).to_owned()).collect(),
            until: None,
        };
        let user = telegram::user;
        let operator = Some(Role::Operator);
        config.access.owners = vec![user(1), user(7)];
        config.access.grants = vec![
            grant(user(2), operator, &[], &["power.reset:bravo"]),
            grant(user(3), Some(Role::Viewer), &[], &[]),
            grant(user(4), None, &["power.reset:al*"], &["power.reset:alto"]),
            GrantConfig {
                until: Some(Wall(NOW.0 - 1)),
                ..grant(user(5), operator, &["*:*"], &[])
            },
            grant(user(10), operator, &[], &[]),
            grant(user(11), operator, &["power.reset:*"], &[]),
            grant(user(12), operator, &[], &[]),
            grant(
                telegram::group(CREW),
                operator,
                &[],
                &["power.reset:charlie"],
            ),
            grant(telegram::group(CHANNEL), operator, &["*:*"], &[]),
            grant(sessions::local(1000), Some(Role::Viewer), &[], &[]),
        ];
        let config = Arc::new(config);
        let plugins = crate::plugins::PLUGINS.iter();
        let mut specs = crate::house::specs();
        let plugins = plugins.filter_map(|row| row.make);
        specs.extend(plugins.flat_map(|make| make(&config).commands()));
        let mut world = World {
            chat: Chat::new(&config, Codes::new(7)),
            config,
            specs,
            now: Now {
                mono: Mono::ZERO,
                wall: NOW,
            },
            tickets: 0,
            effects: Effects::new(),
            state: Pending::new(0),
            rng: Rng::new(7),
            notices: Vec::new(),
        };
        let (access, state) = (&mut world.chat.access, &mut world.state);
        access.revoke(&user(7), None, "1", state);
        access.revoke(&user(11), None, "1", state);
        access.revoke(
            &user(12),
            Some(&What::Allow("power.reset:*".into())),
            "1",
            state,
        );
        for (id, what, until) in [
            (8, What::Role(Role::Operator), None),
            (9, What::Role(Role::Operator), Some(NOW)),
            (10, What::Blocked, None),
            (11, What::Role(Role::Viewer), None),
        ] {
            access
                .grant(&user(id), what, until, "1", state)
                .expect("can be given");
        }
        world
    }

    fn receive(&mut self, incoming: Incoming, session: Option<SessionId>) -> Option<Invocation> {
        let mut env = ChatEnv {
            now: self.now,
            config: &self.config,
            effects: &mut self.effects,
            tickets: Tickets::new(1, &mut self.tickets),
            state: &mut self.state,
            rng: &mut self.rng,
            specs: &self.specs,
            names: &Pdus,
            notices: &mut self.notices,
        };
        let invocation = self.chat.receive(&mut env, incoming, session);
        self.effects.clear();
        self.notices.clear();
        self.state.take();
        invocation
    }

    fn button(&mut self, line: &str, bound: Bound, who: &Person, address: &Place) -> String {
        let button = Button {
            label: String::new(),
            command: line.to_owned(),
            bound,
        };
        let holder = Holder {
            address,
            who: Some(who),
            is_kept: false,
        };
        let buttons = &mut self.chat.outbox.buttons;
        let code = buttons.register(self.now.mono, &button, holder, &mut self.state);
        buttons.bind(std::slice::from_ref(&code), 5);
        assert!(code.len() <= 64);
        code
    }

    /// Lets somebody bring a command in one way; true when it is run.
    fn bring(&mut self, person: &Someone, place: Stand, entry: Entry, line: &str) -> bool {
        let caller = caller(person, place);
        let session = person.who.mailbox().is_none().then_some(SessionId(1));
        let text = |edited| IncomingKind::Text {
            text: line.to_owned(),
            edited,
        };
        let mut age = match session {
            Some(_) => Age::Live,
            None => Age::Known(Duration::ZERO),
        };
        let mut message = 5;
        let bound = match entry {
            Entry::Own(bound)
            | Entry::Late(bound)
            | Entry::Of1(bound)
            | Entry::Elsewhere(bound)
            | Entry::OtherMessage(bound) => bound,
            _ => Bound::Confirm,
        };
        let mut place = caller.address.clone();
        let mut owner = caller.who.clone();
        let began = self.now;
        match entry {
            Entry::Elsewhere(_) => place = telegram::place(-555, None),
            Entry::Of1(_) => owner = telegram::user(1),
            Entry::OtherMessage(_) => message = 6,
            Entry::Old => age = Age::Known(Duration::from_secs(61)),
            Entry::Ageless => age = Age::Unknown,
            _ => {}
        }
        let kind = match entry {
            Entry::Line | Entry::Old | Entry::Ageless => text(false),
            Entry::Edited => text(true),
            Entry::Forwarded => IncomingKind::Foreign(line.to_owned()),
            _ => IncomingKind::Press {
                code: self.button(line, bound, &owner, &place),
                query: "q".to_owned(),
            },
        };
        if matches!(entry, Entry::Late(_)) {
            self.now.mono += Duration::from_secs(600);
        }
        let incoming = Incoming {
            caller,
            message: Some(message),
            age,
            kind,
        };
        if entry == Entry::Twice {
            self.receive(incoming.clone(), session);
        }
        let invocation = self.receive(incoming, session);
        if let Some(invocation) = &invocation {
            let is_confirmed = matches!(
                entry,
                Entry::Own(Bound::Confirm) | Entry::Of1(Bound::Confirm)
            );
            assert_eq!(invocation.confirmed, is_confirmed, "{entry:?}");
        }
        self.now = Now {
            // Beyond every limit on how often somebody is answered.
            mono: began.mono + Duration::from_secs(3600),
            wall: NOW,
        };
        invocation.is_some()
    }
}

fn caller(person: &Someone, place: Stand) -> Caller {
    if person.who.mailbox().is_none() {
        return Caller {
            is_owner: person.who.is_owner(),
            ..Caller::in_private(person.who.clone())
        };
    }
    let chat = match place {
        Stand::Private => return Caller::in_private(person.who.clone()),
        Stand::Crew | Stand::CrewAnonymous | Stand::ChannelInCrew => CREW,
        Stand::Others | Stand::OthersAnonymous => OTHERS,
        Stand::ChannelPost => CHANNEL,
    };
    let who = match place {
        Stand::CrewAnonymous | Stand::OthersAnonymous => telegram::group(chat),
        Stand::ChannelPost | Stand::ChannelInCrew => telegram::group(CHANNEL),
        _ => person.who.clone(),
    };
    Caller {
        who,
        address: telegram::place(chat, None),
        is_private: false,
        ..Caller::in_private(person.who.clone())
    }
}

#[test]
fn nobody_runs_what_they_may_not_by_any_way_in() {
    let (mut tried, mut run) = (0, 0);
    for person in PEOPLE.iter() {
        let mut world = World::new();
        let is_remote = person.who.mailbox().is_some();
        for place in PLACES
            .into_iter()
            .take(if is_remote { PLACES.len() } else { 1 })
        {
            for spec in world.specs.clone() {
                let mut targets = vec![None];
                if matches!(spec.arg, Some("pdu" | "pdu-or-team")) {
                    targets.extend(NAMES.map(Some));
                }
                for target in targets {
                    let line = match target {
                        None => format!("/{}", spec.name),
                        Some(target) => format!("/{} {target}", spec.name),
                    };
                    for entry in entries() {
                        let is_theirs = person.who == telegram::user(1)
                            && matches!(place, Stand::Private | Stand::Crew | Stand::Others);
                        let want = may(person, place, spec, target) && runs(entry, spec, is_theirs);
                        let got = world.bring(person, place, entry, &line);
                        assert_eq!(got, want, "{} {place:?} {entry:?} {line}", person.rule);
                        tried += 1;
                        run += u32::from(got);
                    }
                }
            }
        }
    }
    assert!(tried > 50_000 && run > 5_000, "{tried} tried, {run} run");
}

#[test]
fn a_million_guesses_press_nothing() {
    let mut world = World::new();
    let mut codes = Vec::new();
    for number in 0..200 {
        let chat = if number % 2 == 0 { 1 } else { CREW };
        let address = telegram::place(chat, None);
        let bound = BOUNDS[number % 4];
        let code = world.button("/reset alpha", bound, &telegram::user(1), &address);
        codes.push((code, bound));
    }
    let mut rng = Rng::new(52);
    let alphabet = b"abcdefghijkmnpqrstuvwxyz23456789";
    for _ in 0..1_000_000 {
        let person = &PEOPLE[rng.below(12) as usize];
        let place = [Stand::Private, Stand::Crew, Stand::Others][rng.below(3) as usize];
        let (known, bound) = &codes[rng.below(200) as usize];
        let mut code = known.clone().into_bytes();
        let at = rng.below(code.len() as u64) as usize;
        let letter = alphabet[rng.below(32) as usize];
        match rng.below(8) {
            0 if code[at] != letter => code[at] = letter,
            1 => code[at] = code[at].wrapping_sub(32),
            2 => code.truncate(at),
            3 => code.push(letter),
            // A real one that belongs to the owner.
            4 if *bound != Bound::Open && person.who != telegram::user(1) => {}
            _ => code
                .iter_mut()
                .for_each(|byte| *byte = alphabet[rng.below(32) as usize]),
        }
        let incoming = Incoming {
            caller: caller(person, place),
            message: Some(5),
            age: Age::Known(Duration::ZERO),
            kind: IncomingKind::Press {
                code: String::from_utf8_lossy(&code).into_owned(),
                query: "q".to_owned(),
            },
        };
        let invocation = world.receive(incoming, None);
        assert_eq!(invocation, None, "{} pressed {code:?}", person.rule);
        world.now.mono += Duration::from_micros(50);
    }
    assert_eq!(world.chat.counters.commands, 0);
}
