//! Nanoseconds and allocations of the SNMP codec and of the engine, with snmp2's codec beside them.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin codec`

#[path = "../../../common/allocations.rs"]
mod allocations;

use rackwarden_core::effect::Ticket;
use rackwarden_core::rng::Rng;
use rackwarden_core::snmp::engine::Engine;
use rackwarden_core::snmp::message::encode_request;
use rackwarden_core::snmp::{
    Credentials, Message, Oid, PduKind, SnmpAsk, SnmpRequest, SnmpTarget, Value, Version,
};
use rackwarden_core::time::Mono;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    println!("{:>44} {:>10} {:>12}", "", "ns", "allocations");
    for count in [4, 20] {
        codec(count);
    }
    engine();
}

fn codec(count: u32) {
    let oids: Arc<[Oid]> = (1..=count)
        .map(|row| Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 6, 3, 1, 7, row]))
        .collect();
    let ask = SnmpAsk::Get(oids);
    let mut request = Vec::with_capacity(1500);
    encode_request(&mut request, Version::V2c, b"public", 4711, &ask);
    let answer = answer_to(&request);
    let theirs = snmp2::Pdu::from_bytes(&request).expect("a good request");

    let mut out = Vec::with_capacity(1500);
    measure(&format!("encode GET of {count}"), || {
        out.clear();
        encode_request(&mut out, Version::V2c, b"public", 4711, black_box(&ask));
        out.len()
    });
    measure(&format!("encode GET of {count}, snmp2"), || {
        black_box(&theirs).to_bytes().expect("encodes").len()
    });
    measure(&format!("decode answer of {count}"), || {
        let message = Message::decode(black_box(&answer)).expect("a good answer");
        message.pdu.binds.len()
    });
    measure(
        &format!("decode answer of {count}, snmp2 (borrowed)"),
        || {
            let pdu = snmp2::Pdu::from_bytes(black_box(&answer)).expect("a good answer");
            pdu.varbinds.clone().map(|bind| black_box(bind)).count()
        },
    );
}

/// Questions to 10,000 devices and their answers, through the engine.
fn engine() {
    const DEVICES: u32 = 10_000;
    let oids: Arc<[Oid]> = (1..=4)
        .map(|row| Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 6, 3, 1, 7, row]))
        .collect();
    let requests: Vec<SnmpRequest> = (0..DEVICES)
        .map(|number| SnmpRequest {
            ticket: Ticket(u64::from(number)),
            target: Arc::new(SnmpTarget {
                addr: (std::net::Ipv4Addr::from(0x7f01_0000 + number), 161).into(),
                credentials: Credentials::community("public"),
                any_source: false,
            }),
            ask: SnmpAsk::Get(Arc::clone(&oids)),
            timeout: Duration::from_secs(1),
            retries: 1,
            deadline: Mono::new(Duration::from_secs(2)),
        })
        .collect();
    let mut engine = Engine::new(Rng::new(1));
    let mut datagram = Vec::with_capacity(1500);
    let mut best = [Duration::MAX; 2];
    let mut counts = [0; 2];
    for _ in 0..10 {
        let round = requests.clone();
        let mut answers = Vec::with_capacity(round.len());
        let before = allocations::count();
        let (mut asking, mut not_ours) = (Duration::ZERO, 0);
        let began = Instant::now();
        engine.submit(Mono::ZERO, round);
        asking += began.elapsed();
        loop {
            let began = Instant::now();
            let transmit = engine.poll_transmit(Mono::ZERO, &mut datagram);
            asking += began.elapsed();
            let Some(transmit) = transmit else { break };
            let counted = allocations::count();
            answers.push((transmit.to, answer_to(&datagram)));
            not_ours += allocations::count() - counted;
        }
        let asked = allocations::count();
        let began = Instant::now();
        for (from, answer) in &answers {
            engine.handle_datagram(Mono::ZERO, *from, answer);
        }
        let answering = began.elapsed();
        counts = [asked - before - not_ours, allocations::count() - asked];
        best = [best[0].min(asking), best[1].min(answering)];
        assert_eq!(engine.take_replies().len(), answers.len());
    }
    let names = [
        "engine: take a question, write its datagram",
        "engine: match an answer of 4 values",
    ];
    for ((name, best), count) in names.iter().zip(best).zip(counts) {
        println!(
            "{name:>44} {:>10.0} {:>12.2}",
            best.as_nanos() as f64 / f64::from(DEVICES),
            count as f64 / f64::from(DEVICES)
        );
    }
}

fn answer_to(request: &[u8]) -> Vec<u8> {
    let mut message = Message::decode(request).expect("a good request");
    message.pdu.kind = PduKind::Response;
    for (number, bind) in message.pdu.binds.iter_mut().enumerate() {
        bind.value = Value::Gauge32(1000 + number as u32);
    }
    let mut answer = Vec::new();
    message.encode(&mut answer);
    answer
}

fn measure(name: &str, mut run: impl FnMut() -> usize) {
    const ROUNDS: u32 = 200_000;
    let mut best = Duration::MAX;
    let mut sum = 0;
    let before = allocations::count();
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..ROUNDS {
            sum += run();
        }
        best = best.min(began.elapsed());
    }
    let count = allocations::count() - before;
    println!(
        "{name:>44} {:>10.0} {:>12.2}",
        best.as_nanos() as f64 / f64::from(ROUNDS),
        count as f64 / f64::from(5 * ROUNDS)
    );
    black_box(sum);
}
