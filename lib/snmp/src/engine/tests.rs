use super::*;
use crate::{ErrorStatus, Message, Oid, SnmpTarget, Value, VarBind, Version};
use rackwarden_base::Ticket;
use rackwarden_base::secret::Secret;
use std::collections::BTreeSet;
use std::sync::Arc;

const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const NAME: &str = "1.3.6.1.2.1.1.5.0";

fn at(ms: u64) -> Mono {
    Mono::new(Duration::from_millis(ms))
}

fn oids(names: &[&str]) -> Arc<[Oid]> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn device() -> SocketAddr {
    addr("192.0.2.1:161")
}

/// A question to the device: sent again after 500 ms, given up after 1800.
fn question(ticket: u64, ask: SnmpAsk) -> SnmpRequest {
    SnmpRequest {
        ticket: Ticket(ticket),
        target: Arc::new(SnmpTarget {
            addr: device(),
            credentials: Credentials::community("public"),
            any_source: false,
        }),
        ask,
        timeout: Duration::from_millis(500),
        retries: 1,
        deadline: at(1800),
    }
}

fn get(ticket: u64) -> SnmpRequest {
    question(ticket, SnmpAsk::Get(oids(&[UPTIME, NAME])))
}

fn with_target(mut request: SnmpRequest, change: impl FnOnce(&mut SnmpTarget)) -> SnmpRequest {
    change(Arc::make_mut(&mut request.target));
    request
}

/// An engine and what it has sent.
struct World {
    engine: Engine,
    sent: Vec<(SocketAddr, Message)>,
}

impl World {
    fn new() -> World {
        World {
            engine: Engine::new(Rng::new(42)),
            sent: Vec::new(),
        }
    }

    fn asking(request: SnmpRequest) -> World {
        let mut world = World::new();
        world.ask(0, request);
        world
    }

    fn ask(&mut self, ms: u64, request: SnmpRequest) {
        self.engine.submit(at(ms), [request]);
        self.transmit(ms);
    }

    fn transmit(&mut self, ms: u64) {
        let mut datagram = Vec::new();
        while let Some(transmit) = self.engine.poll_transmit(at(ms), &mut datagram) {
            self.sent
                .push((transmit.to, Message::decode(&datagram).unwrap()));
        }
    }

    /// Lets the time pass until then, with nothing arriving.
    fn wait(&mut self, ms: u64) {
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= at(ms)) {
            self.engine.handle_timeout(due);
            let due_ms = u64::try_from(due.since_start().as_millis()).unwrap();
            self.transmit(due_ms);
        }
    }

    /// The right answer to what was sent as number `nth`.
    fn answer(&self, nth: usize) -> Message {
        let mut message = self.sent[nth].1.clone();
        message.pdu.kind = PduKind::Response;
        (message.pdu.status, message.pdu.index) = (0, 0);
        for (number, bind) in message.pdu.binds.iter_mut().enumerate() {
            bind.value = Value::TimeTicks(100 + number as u32);
        }
        message
    }

    fn receive_from(&mut self, ms: u64, from: SocketAddr, message: &Message) -> bool {
        let mut datagram = Vec::new();
        message.encode(&mut datagram);
        self.engine.handle_datagram(at(ms), from, &datagram)
    }

    fn receive(&mut self, ms: u64, message: &Message) -> bool {
        self.receive_from(ms, device(), message)
    }

    fn reply(&mut self) -> SnmpReply {
        let mut replies = self.engine.take_replies();
        assert_eq!(replies.len(), 1);
        replies.remove(0)
    }
}

fn values(numbers: &[u32]) -> SnmpAnswer {
    let values: Vec<Value> = numbers.iter().map(|&n| Value::TimeTicks(n)).collect();
    SnmpAnswer::Values(values.into())
}

fn bind(name: &str, value: Value) -> VarBind {
    VarBind {
        oid: name.parse().unwrap(),
        value,
    }
}

#[test]
fn an_answer_gives_values_in_the_order_of_the_question() {
    let mut world = World::asking(get(7));
    assert!(world.receive(20, &world.answer(0)));
    let reply = world.reply();
    assert_eq!(reply.ticket, Ticket(7));
    assert_eq!(reply.result, Ok(values(&[100, 101])));
    assert_eq!(
        (reply.sent, reply.received, reply.tries),
        (at(0), at(20), 1)
    );
    assert_eq!(world.engine.poll_timeout(), None);
    assert_eq!(world.engine.outstanding(), 0);
}

/// Changes something about the right answer; the question must stay open and end with its deadline.
fn check_stray(rule: &str, request: SnmpRequest, change: impl FnOnce(&mut Message)) {
    let mut world = World::asking(request);
    let mut message = world.answer(0);
    change(&mut message);
    assert!(!world.receive(20, &message), "{rule}");
    assert_eq!(world.engine.strays(), 1, "{rule}");
    assert!(!world.engine.has_replies(), "{rule}");
    assert!(world.receive(21, &world.answer(0)), "{rule}");
}

#[test]
fn what_does_not_answer_the_question_is_a_stray() {
    check_stray("another id", get(1), |m| m.pdu.request_id ^= 1);
    check_stray("an id beyond 16 bits", get(1), |m| {
        m.pdu.request_id += 65_536
    });
    check_stray("a negative id", get(1), |m| m.pdu.request_id = -1);
    check_stray("another version", get(1), |m| m.version = Version::V1);
    check_stray("another community", get(1), |m| {
        m.community = Secret::new(b"private".as_slice().into());
    });
    check_stray("a question", get(1), |m| m.pdu.kind = PduKind::Get);
    check_stray("a report", get(1), |m| m.pdu.kind = PduKind::Report);
    check_stray("another object", get(1), |m| {
        m.pdu.binds[1].oid = "1.3.6.1.2.1.1.6.0".parse().unwrap();
    });
    check_stray("another order", get(1), |m| m.pdu.binds.swap(0, 1));
    check_stray("an object too few", get(1), |m| drop(m.pdu.binds.pop()));
    check_stray("an object too many", get(1), |m| {
        m.pdu.binds.push(bind(NAME, Value::Null));
    });
    check_stray("an error about another object", get(1), |m| {
        m.pdu.status = 5;
        m.pdu.binds[0].oid = "1.3.6.1.2.1.1.6.0".parse().unwrap();
    });
}

#[test]
fn an_answer_from_elsewhere_is_forged_unless_any_source_is_set() {
    for from in ["192.0.2.2:161", "192.0.2.1:162", "[::ffff:192.0.2.1]:161"] {
        let mut world = World::asking(get(1));
        let answer = world.answer(0);
        assert!(!world.receive_from(5, addr(from), &answer), "{from}");
    }
    let mut world = World::asking(with_target(get(1), |target| target.any_source = true));
    let answer = world.answer(0);
    assert!(world.receive_from(5, addr("198.51.100.9:1024"), &answer));
}

#[test]
fn a_doubled_answer_counts_once() {
    let mut world = World::asking(get(1));
    let answer = world.answer(0);
    assert!(world.receive(5, &answer));
    assert!(!world.receive(6, &answer));
    assert_eq!(world.engine.take_replies().len(), 1);
    assert_eq!(world.engine.strays(), 1);
}

#[test]
fn a_late_answer_never_answers_the_next_question() {
    let mut world = World::asking(get(1));
    world.wait(1800);
    assert!(world.reply().result.is_err());
    let late = [world.answer(0), world.answer(1)];
    let mut next = get(2);
    next.deadline = at(3800);
    world.ask(2000, next);
    for late in late {
        assert!(!world.receive(2001, &late));
    }
    assert!(world.receive(2002, &world.answer(2)));
    assert_eq!(world.reply().ticket, Ticket(2));
}

#[test]
fn ids_whose_answer_may_still_come_are_not_given_out_again() {
    let mut world = World::new();
    let mut last: Vec<i32> = Vec::new();
    for round in 0..6_000 {
        let mut request = get(round);
        let start = round * 2000;
        request.deadline = at(start + 1800);
        world.ask(start, request);
        if round % 3 == 0 {
            world.wait(start + 1800);
        } else {
            let nth = world.sent.len() - 1;
            assert!(world.receive(start + 5, &world.answer(nth)));
        }
        world.engine.take_replies();
        let ids = world
            .sent
            .drain(..)
            .map(|(_, message)| message.pdu.request_id);
        for id in ids {
            assert!(!last.contains(&id), "round {round}");
            if round % 3 == 0 {
                last.push(id);
            }
        }
        let oldest = last.len().saturating_sub(1024);
        last.drain(..oldest);
    }
}

#[test]
fn a_slow_card_answers_the_first_try_after_the_second_was_sent() {
    let mut world = World::asking(get(1));
    world.wait(600);
    assert_eq!(world.sent.len(), 2);
    assert_ne!(
        world.sent[0].1.pdu.request_id,
        world.sent[1].1.pdu.request_id
    );
    assert!(world.receive(1500, &world.answer(0)));
    let reply = world.reply();
    assert_eq!((reply.tries, reply.sent), (2, at(0)));
    assert!(
        !world.receive(1501, &world.answer(1)),
        "the other try is over"
    );
}

#[test]
fn tries_double_their_distance_and_end_with_the_deadline() {
    let mut request = get(1);
    request.retries = 9;
    request.deadline = at(8000);
    let mut world = World::asking(request);
    let mut sent_at = Vec::new();
    while let Some(due) = world.engine.poll_timeout() {
        let before = world.sent.len();
        let due_ms = u64::try_from(due.since_start().as_millis()).unwrap();
        world.wait(due_ms);
        if world.sent.len() > before {
            sent_at.push(due_ms);
        }
    }
    assert_eq!(sent_at, [500, 1500, 3500, 7500]);
    let reply = world.reply();
    let fault = reply.result.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Timeout);
    assert_eq!(fault.detail, "no answer within 8000 ms (5 tries)");
    assert_eq!(reply.received, at(8000));
}

#[test]
fn the_round_trip_counts_from_the_try_that_was_answered() {
    for (nth, want_ms) in [(0, 1700), (1, 1200), (2, 200)] {
        let mut request = get(1);
        (request.retries, request.deadline) = (9, at(8000));
        let mut world = World::asking(request);
        world.wait(1600);
        let answer = world.answer(nth);
        world.receive(1700, &answer);
        assert_eq!(
            world.reply().round_trip,
            Some(Duration::from_millis(want_ms))
        );
    }
    let mut world = World::asking(get(1));
    world.wait(10_000);
    assert_eq!(world.reply().round_trip, None);
}

#[test]
fn a_set_is_never_sent_again() {
    let binds = vec![bind("1.3.6.1.4.1.318.1.1.26.4.1.1.10.1", Value::Integer(2))];
    let mut request = question(1, SnmpAsk::Set(binds.into()));
    request.retries = 5;
    let mut world = World::asking(request);
    world.wait(10_000);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.reply().tries, 1);
}

#[test]
fn whoever_was_starved_reads_before_it_judges() {
    let mut world = World::asking(get(1));
    // No CPU for three seconds; the answer has waited in the socket since.
    assert!(world.receive(3000, &world.answer(0)));
    world.engine.handle_timeout(at(3000));
    assert!(world.reply().result.is_ok());
}

#[test]
fn a_repetition_that_is_no_longer_needed_is_not_sent() {
    let mut world = World::asking(get(1));
    world.engine.handle_timeout(at(500));
    assert!(world.receive(500, &world.answer(0)));
    world.transmit(500);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn an_error_status_is_an_answer() {
    for (version, status, names) in [
        (Version::V1, ErrorStatus::NO_SUCH_NAME, 2),
        (Version::V2c, ErrorStatus::TOO_BIG, 0),
        (Version::V2c, ErrorStatus::GEN_ERR, 2),
    ] {
        let mut world = World::asking(with_target(get(1), |target| {
            target.credentials = Credentials::Community(version, Secret::new("public".into()));
        }));
        let mut answer = world.answer(0);
        answer.pdu.status = status.0;
        answer.pdu.index = 2;
        answer.pdu.binds.truncate(names);
        assert!(world.receive(5, &answer));
        let want = SnmpAnswer::Error { status, index: 2 };
        assert_eq!(world.reply().result, Ok(want));
    }
}

fn check_binds(ask: SnmpAsk, found: &[(&str, Value)], is_answer: bool) {
    let mut world = World::asking(question(1, ask));
    let mut answer = world.answer(0);
    answer.pdu.binds = found
        .iter()
        .map(|(name, value)| bind(name, value.clone()))
        .collect();
    assert_eq!(world.receive(5, &answer), is_answer, "{found:?}");
    if is_answer {
        let want = SnmpAnswer::Binds(answer.pdu.binds.into());
        assert_eq!(world.reply().result, Ok(want));
    }
}

#[test]
fn a_successor_lies_behind_what_was_asked() {
    let next = || SnmpAsk::GetNext(oids(&["1.3.6.1.5", "1.3.6.1.7"]));
    let one = Value::Integer(1);
    check_binds(
        next(),
        &[("1.3.6.1.5.1", one.clone()), ("1.3.6.1.8", one.clone())],
        true,
    );
    check_binds(
        next(),
        &[
            ("1.3.6.1.5.1", one.clone()),
            ("1.3.6.1.7", Value::EndOfMibView),
        ],
        true,
    );
    check_binds(next(), &[("1.3.6.1.5.1", one)], false);
}

#[test]
fn an_object_in_front_of_what_was_asked_or_itself_says_that_nothing_is_behind_it() {
    for found in ["1.3.6.1.4.9", "1.3.6.1.5"] {
        let asked = oids(&["1.3.6.1.5", "1.3.6.1.7"]);
        let mut world = World::asking(question(1, SnmpAsk::GetNext(asked)));
        let mut answer = world.answer(0);
        answer.pdu.binds = vec![
            bind(found, Value::Integer(1)),
            bind("1.3.6.1.8", Value::Integer(2)),
        ];
        world.receive(5, &answer);
        let want = [
            bind("1.3.6.1.5", Value::EndOfMibView),
            bind("1.3.6.1.8", Value::Integer(2)),
        ];
        assert_eq!(world.reply().result, Ok(SnmpAnswer::Binds(want.into())));
    }
}

#[test]
fn a_value_that_nobody_can_read_is_none_and_spoils_no_other() {
    let asked = oids(&["1.3.6.1.5.0", "1.3.6.1.6.0"]);
    let mut world = World::asking(question(1, SnmpAsk::Get(asked)));
    let mut answer = world.answer(0);
    answer.pdu.binds = vec![
        bind("1.3.6.1.5.0", Value::Integer(7)),
        bind("1.3.6.1.6.0", Value::IpAddress([192, 0, 2, 1])),
    ];
    let mut datagram = Vec::new();
    answer.encode(&mut datagram);
    // The tag of the value becomes one that SNMP does not have.
    let tag = datagram.len() - 6;
    datagram[tag] = 0x7e;
    assert!(world.engine.handle_datagram(at(5), device(), &datagram));
    let want = SnmpAnswer::Values([Value::Integer(7), Value::Null].into());
    assert_eq!(world.reply().result, Ok(want));
}

#[test]
fn a_bulk_answer_increases_column_by_column() {
    let bulk = || SnmpAsk::GetBulk {
        non_repeaters: 1,
        max_repetitions: 2,
        oids: oids(&["1.3.1", "1.3.5", "1.3.7"]),
    };
    let rows = |names: &[&'static str]| -> Vec<(&str, Value)> {
        names
            .iter()
            .map(|&name| (name, Value::Integer(1)))
            .collect()
    };
    check_binds(
        bulk(),
        &rows(&["1.3.1.0", "1.3.5.1", "1.3.7.1", "1.3.5.2", "1.3.7.2"]),
        true,
    );
    check_binds(
        bulk(),
        &rows(&["1.3.1.0", "1.3.5.1", "1.3.7.1", "1.3.5.2"]),
        true,
    );
    check_binds(bulk(), &rows(&[]), true);
    check_binds(
        bulk(),
        &rows(&["1.3.1.0", "1.3.5.1", "1.3.7.1", "1.3.5.1"]),
        false,
    );
    check_binds(
        bulk(),
        &rows(&["1.3.1.0", "1.3.5.1", "1.3.7.1", "1.3.5.2", "1.3.7.1"]),
        false,
    );
    check_binds(
        bulk(),
        &rows(&[
            "1.3.1.0", "1.3.5.1", "1.3.7.1", "1.3.5.2", "1.3.7.2", "1.3.5.3",
        ]),
        false,
    );
    let end = [
        ("1.3.1.0", Value::Integer(1)),
        ("1.3.5.1", Value::Integer(1)),
        ("1.3.7", Value::EndOfMibView),
        ("1.3.5.1", Value::EndOfMibView),
        ("1.3.7", Value::EndOfMibView),
    ];
    check_binds(bulk(), &end, true);
}

#[test]
fn version_1_asks_for_successors_one_by_one() {
    let ask = SnmpAsk::GetBulk {
        non_repeaters: 0,
        max_repetitions: 10,
        oids: oids(&["1.3.5"]),
    };
    let world = World::asking(with_target(question(1, ask), |target| {
        target.credentials = Credentials::Community(Version::V1, Secret::new("public".into()));
    }));
    assert_eq!(world.sent[0].1.pdu.kind, PduKind::GetNext);
    assert_eq!(
        (world.sent[0].1.pdu.status, world.sent[0].1.pdu.index),
        (0, 0)
    );
}

#[test]
fn an_answer_that_makes_no_sense_is_told_apart_from_silence() {
    let mut world = World::asking(get(1));
    let mut answer = world.answer(0);
    answer.pdu.binds.swap(0, 1);
    assert!(!world.receive(20, &answer));
    world.wait(1800);
    assert_eq!(world.reply().result.unwrap_err().kind, FaultKind::Malformed);
}

#[test]
fn ten_thousand_devices_may_be_outstanding_with_ids_below_32768() {
    let mut world = World::new();
    let request = |device: u32| {
        with_target(get(u64::from(device)), |target| {
            target.addr = SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + device), 161));
        })
    };
    world.engine.submit(at(0), (0..10_000).map(request));
    world.transmit(0);
    world.wait(600);
    assert_eq!(world.sent.len(), 20_000);
    assert!(
        world
            .sent
            .iter()
            .all(|(_, m)| (1..=32_767).contains(&m.pdu.request_id))
    );
    for nth in 0..10_000 {
        let (from, answer) = (world.sent[nth].0, world.answer(nth));
        assert!(world.receive_from(700, from, &answer));
    }
    let tickets: BTreeSet<_> = world
        .engine
        .take_replies()
        .iter()
        .map(|reply| reply.ticket)
        .collect();
    assert_eq!(tickets.len(), 10_000);
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn ids_toward_one_address_are_unique_and_end_with_an_overload() {
    let mut world = World::new();
    world.engine.submit(at(0), (0..32_770).map(get));
    world.transmit(0);
    let ids: BTreeSet<i32> = world.sent.iter().map(|(_, m)| m.pdu.request_id).collect();
    assert_eq!(ids.len(), 32_767);
    let replies = world.engine.take_replies();
    assert_eq!(replies.len(), 3);
    for reply in replies {
        assert_eq!(reply.result.unwrap_err().kind, FaultKind::Overload);
    }
}

#[test]
fn a_first_try_that_cannot_be_sent_is_unreachable_and_a_later_one_waits_on() {
    let mut world = World::new();
    let mut datagram = Vec::new();
    world.engine.submit(at(0), [get(1)]);
    let first = world.engine.poll_transmit(at(0), &mut datagram).unwrap();
    world
        .engine
        .handle_send_error(at(0), first, "cannot send: no route");
    let fault = world.reply().result.unwrap_err();
    assert_eq!(
        fault,
        Fault::new(FaultKind::Unreachable, "cannot send: no route")
    );
    assert_eq!(world.engine.poll_timeout(), None);

    world.ask(0, get(2));
    world.engine.handle_timeout(at(500));
    let again = world.engine.poll_transmit(at(500), &mut datagram).unwrap();
    world
        .engine
        .handle_send_error(at(500), again, "cannot send: no route");
    assert!(!world.engine.has_replies());
    assert!(world.receive(600, &world.answer(0)));
}

#[test]
fn what_is_not_sent_in_time_is_not_the_devices_fault() {
    let mut world = World::new();
    world.engine.submit(at(0), [get(1)]);
    world.engine.handle_timeout(at(1800));
    let reply = world.reply();
    assert_eq!(reply.tries, 0);
    assert_eq!(reply.result.unwrap_err().kind, FaultKind::Overload);
    world.transmit(1800);
    assert!(world.sent.is_empty());
}

#[test]
fn a_stop_answers_every_ticket() {
    let mut world = World::new();
    for ticket in 0..10 {
        world.ask(0, get(ticket));
    }
    assert!(world.receive(1, &world.answer(3)));
    world.engine.stop(at(2));
    let replies = world.engine.take_replies();
    let tickets: BTreeSet<_> = replies.iter().map(|reply| reply.ticket.0).collect();
    assert_eq!(tickets, (0..10).collect());
    assert_eq!(replies.len(), 10);
    assert_eq!(world.engine.poll_timeout(), None);
}

#[test]
fn a_link_local_answer_may_name_its_interface() {
    let asked = addr("[fe80::1]:161");
    for (asked, from, want) in [
        (asked, addr("[fe80::1%3]:161"), true),
        (addr("[fe80::1%3]:161"), addr("[fe80::1%3]:161"), true),
        (addr("[fe80::1%2]:161"), addr("[fe80::1%3]:161"), false),
        (asked, addr("[fe80::2%3]:161"), false),
    ] {
        assert_eq!(is_same_peer(asked, from), want, "{asked} {from}");
    }
}

/// Random questions, answers, losses, doubles, mutilations and pauses: every ticket is answered exactly
/// once, and a value belongs to its question.
#[test]
fn whatever_happens_every_ticket_is_answered_once_and_truly() {
    let mut rng = Rng::new(99);
    let mut world = World::new();
    let mut now = 0;
    let mut answered = BTreeSet::new();
    let mut next_ticket = 0;
    for _ in 0..20_000 {
        now += rng.below(40);
        match rng.below(4) {
            0 if next_ticket < 3000 => {
                let mut request = with_target(get(next_ticket), |target| {
                    target.addr.set_port(161 + rng.below(5) as u16);
                });
                request.deadline = at(now + rng.below(3000));
                request.retries = rng.below(4) as u8;
                // The value that the device will give is the question's number.
                let name = oids(&["1.3.6.1.4.1"])[0].child(&[next_ticket as u32]);
                request.ask = SnmpAsk::Get(Arc::from([name]));
                next_ticket += 1;
                world.ask(now, request);
            }
            1 => {
                world.engine.handle_timeout(at(now));
                world.transmit(now);
            }
            _ if !world.sent.is_empty() => {
                let recent = world.sent.len().min(40) as u64;
                let nth = world.sent.len() - 1 - rng.below(recent) as usize;
                let (from, mut answer) = (world.sent[nth].0, world.answer(nth));
                let number = answer.pdu.binds[0].oid.arcs().last();
                answer.pdu.binds[0].value = Value::Counter32(number.unwrap());
                let mut datagram = Vec::new();
                answer.encode(&mut datagram);
                if rng.below(4) == 0 {
                    let place = rng.below(datagram.len() as u64) as usize;
                    // Not in the value itself, whose bytes nothing protects.
                    if place < datagram.len() - 6 {
                        datagram[place] ^= 1 << rng.below(8);
                    }
                }
                world.engine.handle_datagram(at(now), from, &datagram);
            }
            _ => {}
        }
        for reply in world.engine.take_replies() {
            let ticket = reply.ticket.0;
            assert!(answered.insert(ticket), "ticket {ticket} twice");
            if let Ok(SnmpAnswer::Values(values)) = reply.result {
                assert_eq!(values[0].as_i64(), Some(ticket as i64));
            }
        }
    }
    world.engine.handle_timeout(at(now + 10_000));
    let rest = world.engine.take_replies().into_iter();
    answered.extend(rest.map(|reply| reply.ticket.0));
    assert_eq!(answered.len() as u64, next_ticket);
    assert_eq!(
        (world.engine.outstanding(), world.engine.poll_timeout()),
        (0, None)
    );
}
