//! The engine against a simulated device, whose side of SNMPv3 is written apart, in virtual time.

mod forged;

use super::*;
use crate::simulated::Agent;
use rackwarden_base::Ticket;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::time::{Wall, Zone};
use rackwarden_snmp::engine::Engine;
use rackwarden_snmp::usm::{Auth, Password, Privacy};
use rackwarden_snmp::{
    Credentials, Oid, SnmpAnswer, SnmpAsk, SnmpReply, SnmpRequest, SnmpTarget, Value, VarBind,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;

const NAME: &str = "1.3.6.1.2.1.1.5.0";
const RESET: &str = "1.3.6.1.4.1.318.1.1.26.4.1.1.10.1";

fn at(ms: u64) -> Mono {
    Mono::new(Duration::from_millis(ms))
}

fn addr() -> SocketAddr {
    "192.0.2.1:161".parse().unwrap()
}

fn password(auth: Auth, text: &str) -> Arc<Password> {
    Arc::new(Password::new(auth, text))
}

fn user(auth: Option<Auth>, privacy: Option<Privacy>) -> Usm {
    Usm {
        user: "apc".into(),
        context: "".into(),
        auth: auth.map(|auth| password(auth, "authpass1")),
        privacy: privacy.map(|privacy| (privacy, password(auth.unwrap(), "privpass1"))),
    }
}

fn strong() -> Usm {
    user(Some(Auth::Sha256), Some(Privacy::Aes128))
}

fn name() -> Oid {
    NAME.parse().unwrap()
}

/// An engine, a device, and the wire between them.
struct World {
    engine: Engine,
    device: Agent,
    ms: u64,
    /// What went out, and what came back for it.
    sent: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    next: u64,
}

impl World {
    fn new(device_user: Usm) -> World {
        let mut device = Agent::apc_rpdu2(1);
        device.set_name("alpha");
        device.add_user(Arc::new(device_user), true);
        World {
            engine: Engine::new(Rng::new(42)),
            device,
            ms: 10_000,
            sent: Vec::new(),
            next: 0,
        }
    }

    fn now(&self) -> Now {
        Now {
            mono: at(self.ms),
            wall: Wall::parse("2026-11-20T12:00:00Z", &Zone::UTC).unwrap(),
        }
    }

    fn submit(&mut self, usm: &Usm, ask: SnmpAsk) {
        self.next += 1;
        let request = SnmpRequest {
            ticket: Ticket(self.next),
            target: Arc::new(SnmpTarget {
                addr: addr(),
                credentials: Credentials::Usm(Arc::new(usm.clone())),
                any_source: false,
            }),
            ask,
            timeout: Duration::from_millis(500),
            retries: 1,
            deadline: at(self.ms + 1800),
        };
        self.engine.submit(at(self.ms), [request]);
    }

    fn transmit(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut datagram = Vec::new();
        while self
            .engine
            .poll_transmit(at(self.ms), &mut datagram)
            .is_some()
        {
            all.push(datagram.clone());
        }
        all
    }

    fn receive(&mut self, datagram: &[u8]) -> bool {
        self.engine.handle_datagram(at(self.ms), addr(), datagram)
    }

    /// Lets everything happen until there is a reply. `wire` may change what the device answers, or lose it.
    fn run(&mut self, wire: &mut dyn FnMut(usize, Vec<u8>) -> Option<Vec<u8>>) -> SnmpReply {
        loop {
            for question in self.transmit() {
                self.ms += 5;
                let number = self.sent.len();
                let answer = self.device.handle(self.now(), &question);
                let answer = answer.and_then(|answer| wire(number, answer));
                if let Some(answer) = &answer {
                    self.ms += 5;
                    self.receive(answer);
                }
                self.sent.push((question, answer));
            }
            if let Some(reply) = self.engine.take_replies().pop() {
                assert_eq!(reply.ticket, Ticket(self.next));
                return reply;
            }
            if self.engine.unsent() == 0 {
                let due = self.engine.poll_timeout().expect("something is to be done");
                self.ms = self.ms.max(due.since_start().as_millis() as u64);
            }
            self.engine.handle_timeout(at(self.ms));
        }
    }

    fn ask(&mut self, usm: &Usm, ask: SnmpAsk) -> SnmpReply {
        self.submit(usm, ask);
        self.run(&mut |_, answer| Some(answer))
    }

    fn get(&mut self, usm: &Usm) -> SnmpReply {
        self.ask(usm, SnmpAsk::Get([name()].into()))
    }

    fn get_ok(&mut self, usm: &Usm) -> SnmpReply {
        let reply = self.get(usm);
        assert_eq!(reply.result, Ok(alpha()));
        assert_eq!(reply.tries, 1, "nothing of that is a failure of the device");
        reply
    }

    /// The messages that a poll takes.
    fn count(&mut self, usm: &Usm) -> usize {
        let before = self.sent.len();
        self.get_ok(usm);
        self.sent.len() - before
    }

    fn fault(&mut self, usm: &Usm) -> Fault {
        self.get(usm).result.unwrap_err()
    }
}

fn alpha() -> SnmpAnswer {
    SnmpAnswer::Values([Value::OctetString((*b"alpha").into())].into())
}

fn reset() -> SnmpAsk {
    SnmpAsk::Set(
        [VarBind {
            oid: RESET.parse().unwrap(),
            value: Value::Integer(2),
        }]
        .into(),
    )
}

#[test]
fn the_first_question_asks_who_is_there_and_the_others_do_not() {
    for usm in [
        user(None, None),
        user(Some(Auth::Md5), None),
        user(Some(Auth::Sha512), Some(Privacy::Aes256C)),
    ] {
        let mut world = World::new(usm.clone());
        assert_eq!(world.count(&usm), 2);
        for _ in 0..5 {
            world.ms += 2000;
            assert_eq!(world.count(&usm), 1);
        }
        assert_eq!(world.engine.strays(), 0);
    }
}

#[test]
fn every_combination_of_protocols_works() {
    for (_, auth) in Auth::NAMES {
        for (_, privacy) in Privacy::NAMES {
            let usm = user(Some(auth), Some(privacy));
            let mut world = World::new(usm.clone());
            world.get_ok(&usm);
        }
    }
}

#[test]
fn what_the_device_refuses_has_its_exact_reason() {
    let mut other_auth = strong();
    other_auth.auth = Some(password(Auth::Sha256, "wrong-pass"));
    let mut other_privacy = strong();
    other_privacy.privacy = Some((Privacy::Aes128, password(Auth::Sha256, "wrong-pass")));
    let mut stranger = strong();
    stranger.user = "root".into();
    let mut elsewhere = strong();
    elsewhere.context = "bank2".into();
    let weak = user(Some(Auth::Sha256), None);
    for (device, ours, want) in [
        (
            strong(),
            other_auth,
            "wrong authentication password (or authentication protocol)",
        ),
        (
            strong(),
            other_privacy,
            "wrong privacy password (or privacy protocol)",
        ),
        (
            strong(),
            user(Some(Auth::Sha256), Some(Privacy::Des)),
            "wrong privacy password (or privacy protocol)",
        ),
        (
            strong(),
            user(Some(Auth::Sha1), Some(Privacy::Aes128)),
            "wrong authentication password (or authentication protocol)",
        ),
        (strong(), stranger, "unknown user root"),
        (strong(), elsewhere, "unknown context \"bank2\""),
        (
            weak.clone(),
            strong(),
            "the device does not support authPriv for this user",
        ),
        (
            user(None, None),
            weak,
            "the device does not support authNoPriv for this user",
        ),
    ] {
        let mut world = World::new(device);
        for _ in 0..3 {
            let start = world.ms;
            let fault = world.fault(&ours);
            assert_eq!(
                (fault.kind, fault.detail.as_str()),
                (FaultKind::Denied, want)
            );
            assert!(world.ms - start < 100, "it is told at once");
            world.ms += 2000;
        }
    }
}

#[test]
fn a_lower_level_than_the_users_is_not_answered_with_values() {
    let mut world = World::new(strong());
    let reply = world.get(&user(None, None));
    assert!(
        matches!(reply.result, Ok(SnmpAnswer::Error { status, .. }) if status.name() == "authorizationError")
    );
}

#[test]
fn a_context_is_asked_by_its_name() {
    let mut usm = strong();
    usm.context = "apc_ap8959eu3".into();
    let mut world = World::new(usm.clone());
    world.get_ok(&usm);
}

#[test]
fn a_clock_that_drifted_or_jumped_is_learnt_at_once() {
    let usm = strong();
    let hour = Duration::from_secs(3600);
    // Within the window nothing is to be done.
    for (drift_s, messages) in [(145, 1), (-145, 1), (155, 2), (-155, 2)] {
        let mut world = World::new(usm.clone());
        world.device.set_engine_clock(world.now(), 7, hour);
        world.get_ok(&usm);
        let passed = Duration::from_secs((3600 + drift_s) as u64);
        world.device.set_engine_clock(world.now(), 7, passed);
        assert_eq!(world.count(&usm), messages, "{drift_s}");
    }
    let mut world = World::new(usm.clone());
    world.device.set_engine_clock(world.now(), 7, hour);
    world.get_ok(&usm);
    for jumped_s in [3600 + 1000, 3600 * 30, 1, 3600] {
        let passed = Duration::from_secs(jumped_s);
        world.device.set_engine_clock(world.now(), 7, passed);
        assert_eq!(world.count(&usm), 2, "{jumped_s}");
        world.ms += 2000;
        assert_eq!(world.count(&usm), 1);
    }
}

#[test]
fn a_day_without_a_poll_changes_nothing() {
    let usm = strong();
    let mut world = World::new(usm.clone());
    world.get_ok(&usm);
    world.ms += 86_400_000;
    assert_eq!(world.count(&usm), 1);
}

#[test]
fn a_device_that_restarted_is_read_on() {
    let usm = strong();
    let mut world = World::new(usm.clone());
    for _ in 0..5 {
        world.ms += 3_600_000;
        world.get_ok(&usm);
        world.device.restart(world.now());
        world.ms += 2000;
        assert_eq!(world.count(&usm), 2);
    }
    // Its memory of restarts was wiped.
    world
        .device
        .set_engine_clock(world.now(), 1, Duration::from_secs(9));
    assert_eq!(world.count(&usm), 2);
}

#[test]
fn a_device_that_was_replaced_is_read_on() {
    let usm = strong();
    let mut world = World::new(usm.clone());
    world.get_ok(&usm);
    for name in ["second", "third"] {
        world.device.set_engine(name);
        world.ms += 2000;
        assert_eq!(world.count(&usm), 2);
        world.ms += 2000;
        assert_eq!(world.count(&usm), 1);
    }
    world.device.set_engine("fourth");
    world.device.restart(world.now());
    world.ms += 2000;
    world.get_ok(&usm);
}

#[test]
fn any_message_size_of_the_device_is_taken() {
    let usm = strong();
    for bytes in [484, 1400, 65_507, 65_535, i32::MAX as u32] {
        let mut world = World::new(usm.clone());
        world.device.set_max_message(bytes);
        world.get_ok(&usm);
    }
}

#[test]
fn lost_messages_are_repeated_and_silence_is_told_apart() {
    let usm = strong();
    let mut world = World::new(usm.clone());
    world.submit(&usm, SnmpAsk::Get([name()].into()));
    let reply = world.run(&mut |number, answer| (number > 0).then_some(answer));
    assert_eq!((reply.result, reply.tries), (Ok(alpha()), 2));
    // Nobody there.
    let mut world = World::new(usm.clone());
    world.submit(&usm, SnmpAsk::Get([name()].into()));
    let fault = world.run(&mut |_, _| None).result.unwrap_err();
    assert_eq!(
        (fault.kind, fault.detail.as_str()),
        (
            FaultKind::Timeout,
            "no answer within 1800 ms (2 tries) to the SNMPv3 discovery"
        )
    );
    // Somebody is there, and drops what it cannot read.
    let mut world = World::new(usm.clone());
    for _ in 0..2 {
        world.submit(&usm, SnmpAsk::Get([name()].into()));
        let is_discovery = |answer: &[u8]| RawV3::read(answer).is_ok_and(|m| m.user.is_empty());
        let reply = world.run(&mut |_, answer| is_discovery(&answer).then_some(answer));
        let detail = reply.result.unwrap_err().detail;
        assert!(detail.contains("wrong privacy password"), "{detail}");
        world.ms += 2000;
    }
    world.get_ok(&usm);
}

#[test]
fn a_set_goes_out_once() {
    let usm = strong();
    let mut world = World::new(usm.clone());
    // Even if every report comes twice, and the answer is lost.
    world.submit(&usm, reset());
    let mut seen = 0;
    loop {
        for question in world.transmit() {
            let is_set = !RawV3::read(&question).unwrap().user.is_empty();
            seen += usize::from(is_set);
            let answer = world.device.handle(world.now(), &question).unwrap();
            if !is_set {
                assert!(world.receive(&answer));
                assert!(!world.receive(&answer));
                for late in world.transmit() {
                    seen += 1;
                    world.device.handle(world.now(), &late).unwrap();
                    assert!(!world.receive(&answer));
                }
            }
        }
        let Some(due) = world.engine.poll_timeout() else {
            break;
        };
        world.ms = due.since_start().as_millis() as u64;
        world.engine.handle_timeout(due);
    }
    assert_eq!((seen, world.device.sets()), (1, 1));
    assert!(world.engine.take_replies().pop().unwrap().result.is_err());
    // The question before it may be lost, and is repeated.
    world = World::new(usm.clone());
    world.submit(&usm, reset());
    let reply = world.run(&mut |number, answer| (number > 0).then_some(answer));
    assert!(reply.result.is_ok());
    assert_eq!(world.device.sets(), 1);
    // Another clock is no reason to ask people again: the device says that it did nothing.
    world.device.restart(world.now());
    world.ms += 2000;
    let reply = world.ask(&usm, reset());
    assert!(reply.result.is_ok());
    assert_eq!(world.device.sets(), 2);
    // Anybody can say that another device is there.
    world.device.set_engine("other");
    world.ms += 2000;
    let fault = world.ask(&usm, reset()).result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Denied);
    assert!(fault.detail.contains("another one than before"), "{fault}");
    assert_eq!(world.device.sets(), 2);
    world.ms += 2000;
    assert!(world.ask(&usm, reset()).result.is_ok());
}

#[test]
fn reading_and_writing_users_share_what_is_known_of_the_device() {
    let reader = user(Some(Auth::Sha1), None);
    let mut writer = strong();
    writer.user = "writer".into();
    let mut world = World::new(reader.clone());
    world.device.add_user(Arc::new(writer.clone()), true);
    assert_eq!(world.count(&reader), 2);
    assert_eq!(world.count(&writer), 1);
    assert_eq!(world.count(&reader), 1);
}

#[test]
fn slow_keys_are_made_one_between_two_looks_into_the_socket() {
    let mut world = World::new(strong());
    for number in 0..3 {
        let [theirs, usm] = [(), ()].map(|()| Usm {
            user: format!("user{number}").into(),
            auth: Some(password(Auth::Sha256, &format!("password{number}"))),
            ..strong()
        });
        world.device.add_user(Arc::new(theirs), true);
        world.submit(&usm, SnmpAsk::Get([name()].into()));
    }
    let questions = world.transmit();
    assert_eq!(questions.len(), 3, "who is there needs no keys");
    for question in questions {
        let answer = world.device.handle(world.now(), &question).unwrap();
        assert!(world.receive(&answer));
    }
    for left in [2, 1, 0] {
        assert_eq!(world.transmit().len(), 1);
        assert_eq!(world.engine.unsent(), left);
        assert_eq!(world.engine.poll_timeout() == Some(Mono::ZERO), left > 0);
        world.engine.handle_timeout(at(world.ms));
    }
}

/// Losses, doubles, mutilations, restarts and replacements: every ticket is answered once, and a value is the device's.
#[test]
fn whatever_happens_every_ticket_is_answered_once_and_truly() {
    let mut rng = Rng::new(7);
    let mut world = World::new(strong());
    let users = [strong(), strong()];
    let mut answered = BTreeSet::new();
    let (mut good, mut pool) = (0, Vec::new());
    for round in 0..3_000 {
        world.ms += rng.below(400);
        match rng.below(200) {
            0 => world.device.restart(world.now()),
            1 => world.device.set_engine(&format!("engine{round}")),
            2 => {
                let passed = Duration::from_secs(rng.below(100_000));
                world.device.set_engine_clock(world.now(), 3, passed);
            }
            _ => {}
        }
        let usm = &users[rng.below(2) as usize];
        world.submit(usm, SnmpAsk::Get([name()].into()));
        world.engine.handle_timeout(at(world.ms));
        for question in world.transmit() {
            if rng.below(10) > 0 {
                pool.extend(world.device.handle(world.now(), &question));
            }
        }
        for _ in 0..rng.below(9) {
            if pool.is_empty() {
                break;
            }
            let place = rng.below(pool.len() as u64) as usize;
            let mut datagram = pool[place].clone();
            if rng.below(8) == 0 {
                let at = rng.below(datagram.len() as u64) as usize;
                datagram[at] ^= 1 << rng.below(8);
            } else if rng.below(8) > 0 {
                pool.swap_remove(place);
            }
            world.receive(&datagram);
        }
        let excess = pool.len().saturating_sub(20);
        pool.drain(..excess);
        for reply in world.engine.take_replies() {
            assert!(answered.insert(reply.ticket.0), "twice");
            if let Ok(answer) = reply.result {
                assert_eq!(answer, alpha());
                good += 1;
            }
        }
    }
    world.engine.handle_timeout(at(world.ms + 10_000));
    answered.extend(
        world
            .engine
            .take_replies()
            .iter()
            .map(|reply| reply.ticket.0),
    );
    assert_eq!(answered.len() as u64, world.next);
    assert!(good > 1000, "{good} answers");
}
