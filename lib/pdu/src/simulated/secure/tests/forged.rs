//! Messages that somebody else sends, or sends again.

use super::*;
use rackwarden_snmp::Pdu;
use rackwarden_snmp::message::Draft;
use rackwarden_snmp::usm::{Envelope, MAX_BOOTS, Scoped, report_bind, seal};

/// What is needed to write a message as the device would.
struct Forger {
    engine_id: Vec<u8>,
    keys: Keys,
    message_id: u32,
    boots: u32,
    time_s: u32,
}

impl Forger {
    /// After a question that is out and this answer of before.
    fn new(world: &mut World, usm: &Usm) -> Forger {
        let question = world.transmit().pop().unwrap();
        let before = world.sent.last().unwrap().1.clone().unwrap();
        let before = RawV3::read(&before).unwrap();
        Forger {
            engine_id: before.engine_id.to_vec(),
            keys: Keys::localised(usm, before.engine_id),
            message_id: RawV3::read(&question).unwrap().message_id,
            boots: before.boots,
            time_s: before.time_s,
        }
    }

    fn write(&self, level: Level, context: &[u8], pdu: &Pdu) -> Vec<u8> {
        let envelope = Envelope {
            message_id: self.message_id,
            max_size: 65_507,
            is_reportable: false,
            engine_id: &self.engine_id,
            boots: self.boots,
            time_s: self.time_s,
            user: b"apc",
            level,
            salt: 99,
        };
        let scoped = Scoped {
            engine_id: &self.engine_id,
            context,
            pdu: Draft::of_pdu(pdu),
        };
        let mut out = Vec::new();
        seal(&mut out, &mut Vec::new(), &envelope, &self.keys, &scoped).unwrap();
        out
    }

    fn answer(&self, level: Level) -> Vec<u8> {
        self.write(level, b"", &response(self.message_id))
    }

    fn report(&self, level: Level, report: Report) -> Vec<u8> {
        let pdu = Pdu {
            kind: PduKind::Report,
            binds: vec![report_bind(report, 1)],
            ..response(self.message_id)
        };
        self.write(level, b"", &pdu)
    }
}

fn response(message_id: u32) -> Pdu {
    // The lower 15 bits of a message number are the request id of its question.
    let id = message_id as u16 & 0x7fff;
    Pdu {
        kind: PduKind::Response,
        request_id: i32::from(id),
        status: 0,
        index: 0,
        binds: vec![VarBind {
            oid: name(),
            value: Value::OctetString((*b"alpha").into()),
        }],
    }
}

/// A world that has read its device once and asks again; the question is out.
fn asking(usm: &Usm) -> (World, Forger) {
    let mut world = World::new(usm.clone());
    let hour = Duration::from_secs(3600);
    world.device.set_engine_clock(world.now(), 7, hour);
    world.get_ok(usm);
    world.ms += 2000;
    world.submit(usm, SnmpAsk::Get([name()].into()));
    let forger = Forger::new(&mut world, usm);
    (world, forger)
}

/// Somebody sends this; the question must stay open, and the true answer count.
fn check_stray(rule: &str, forge: impl FnOnce(&mut Forger) -> Vec<u8>) {
    let usm = strong();
    let (mut world, mut forger) = asking(&usm);
    let (engine_id, message_id) = (forger.engine_id.clone(), forger.message_id);
    let (boots, time_s) = (forger.boots, forger.time_s);
    let forged = forge(&mut forger);
    assert!(!world.receive(&forged), "{rule}");
    assert_eq!(world.engine.strays(), 1, "{rule}");
    let truth = Forger {
        keys: Keys::localised(&usm, &engine_id),
        engine_id,
        message_id,
        boots,
        time_s,
    };
    assert!(world.receive(&truth.answer(Level::AuthPriv)), "{rule}");
    let reply = world.engine.take_replies().pop().unwrap();
    assert_eq!(reply.result, Ok(alpha()), "{rule}");
    // And the next question needs nothing new.
    world.ms += 2000;
    assert_eq!(world.count(&usm), 1, "{rule}");
}

#[test]
fn what_is_forged_replayed_or_weaker_never_counts() {
    check_stray("another number", |forger| {
        forger.message_id ^= 1 << 20;
        forger.answer(Level::AuthPriv)
    });
    check_stray("another request id inside", |forger| {
        let mut pdu = response(forger.message_id);
        pdu.request_id ^= 1;
        forger.write(Level::AuthPriv, b"", &pdu)
    });
    check_stray("without a code", |forger| {
        forger.answer(Level::NoAuthNoPriv)
    });
    check_stray("without privacy", |forger| forger.answer(Level::AuthNoPriv));
    check_stray("another key", |forger| {
        forger.keys = Keys::localised(&user(Some(Auth::Sha256), Some(Privacy::Aes128)), b"other");
        forger.answer(Level::AuthPriv)
    });
    check_stray("another engine", |forger| {
        forger.engine_id = b"other-engine".to_vec();
        forger.keys = Keys::localised(&strong(), b"other-engine");
        forger.answer(Level::AuthPriv)
    });
    check_stray("another context", |forger| {
        forger.write(Level::AuthPriv, b"bank2", &response(forger.message_id))
    });
    check_stray("of the run before", |forger| {
        forger.boots -= 1;
        forger.answer(Level::AuthPriv)
    });
    check_stray("older than the window", |forger| {
        forger.time_s -= 151;
        forger.answer(Level::AuthPriv)
    });
    check_stray("at the end of all restarts", |forger| {
        forger.boots = MAX_BOOTS;
        forger.answer(Level::AuthPriv)
    });
    check_stray("a clock that anybody tells", |forger| {
        forger.boots = MAX_BOOTS - 1;
        forger.report(Level::NoAuthNoPriv, Report::NotInTimeWindow)
    });
    check_stray("the end of all restarts in a report", |forger| {
        forger.boots = MAX_BOOTS;
        forger.report(Level::AuthNoPriv, Report::NotInTimeWindow)
    });
    check_stray("a report about another message", |forger| {
        forger.message_id ^= 1 << 20;
        forger.report(Level::NoAuthNoPriv, Report::UnknownUser)
    });
    check_stray("a question", |forger| {
        let pdu = Pdu {
            kind: PduKind::Get,
            ..response(forger.message_id)
        };
        forger.write(Level::AuthPriv, b"", &pdu)
    });
}

#[test]
fn an_answer_of_before_never_answers_again() {
    let usm = strong();
    let (mut world, _) = asking(&usm);
    let before = world.sent.last().unwrap().1.clone().unwrap();
    assert!(!world.receive(&before));
    let mut from_elsewhere = World::new(usm.clone());
    from_elsewhere.submit(&usm, SnmpAsk::Get([name()].into()));
    let question = from_elsewhere.transmit().pop().unwrap();
    let now = from_elsewhere.now();
    let answer = from_elsewhere.device.handle(now, &question).unwrap();
    let elsewhere = "192.0.2.2:161".parse().unwrap();
    let engine = &mut from_elsewhere.engine;
    assert!(!engine.handle_datagram(at(10_010), elsewhere, &answer));
}

#[test]
fn an_answer_within_the_window_counts() {
    for (boots, seconds) in [(0, -147), (0, 149), (0, 3600), (1, -3000)] {
        let usm = strong();
        let (mut world, mut forger) = asking(&usm);
        forger.boots += boots;
        forger.time_s = forger.time_s.checked_add_signed(seconds).unwrap();
        assert!(world.receive(&forger.answer(Level::AuthPriv)), "{seconds}");
    }
}

#[test]
fn a_clock_told_by_a_stranger_lasts_for_one_message() {
    let usm = strong();
    for boots in [MAX_BOOTS, MAX_BOOTS - 1, 0] {
        let mut world = World::new(usm.clone());
        world.submit(&usm, SnmpAsk::Get([name()].into()));
        let reply = world.run(&mut |number, answer| {
            let raw = RawV3::read(&answer).unwrap();
            if number > 0 {
                return Some(answer);
            }
            let forger = Forger {
                engine_id: raw.engine_id.to_vec(),
                keys: Keys::default(),
                message_id: raw.message_id,
                boots,
                time_s: 5,
            };
            Some(forger.report(Level::NoAuthNoPriv, Report::UnknownEngine))
        });
        assert_eq!((reply.result, reply.tries), (Ok(alpha()), 1), "{boots}");
        world.ms += 2000;
        assert_eq!(world.count(&usm), 1);
    }
}

#[test]
fn a_device_that_does_not_prove_its_clock_is_read_none_the_less() {
    let usm = strong();
    let mut world = World::new(usm.clone());
    world.submit(&usm, SnmpAsk::Get([name()].into()));
    let reply = world.run(&mut |number, answer| {
        let raw = RawV3::read(&answer).unwrap();
        let forger = Forger {
            engine_id: raw.engine_id.to_vec(),
            keys: Keys::default(),
            message_id: raw.message_id,
            boots: if number == 0 { 0 } else { raw.boots },
            time_s: if number == 0 { 0 } else { raw.time_s },
        };
        match number {
            0 => Some(forger.report(Level::NoAuthNoPriv, Report::UnknownEngine)),
            1 => Some(forger.report(Level::NoAuthNoPriv, Report::NotInTimeWindow)),
            _ => Some(answer),
        }
    });
    assert_eq!((reply.result, reply.tries), (Ok(alpha()), 1));
}

#[test]
fn an_engine_that_a_stranger_names_has_to_prove_itself() {
    let usm = strong();
    let (mut world, mut forger) = asking(&usm);
    forger.engine_id = b"an-invented-engine".to_vec();
    let forged = forger.report(Level::NoAuthNoPriv, Report::UnknownEngine);
    assert!(world.receive(&forged), "it may be true");
    let reply = world.run(&mut |_, answer| Some(answer));
    assert_eq!((reply.result, reply.tries), (Ok(alpha()), 1));
    world.ms += 2000;
    assert_eq!(world.count(&usm), 1, "the true one is still known");
}
