//! Nanoseconds and allocations of the SNMP codec and of the engine, with snmp2's codec beside them.
//!
//! `cargo run --release --manifest-path benches/snmp/Cargo.toml --bin codec`

use rackwarden_core::effect::Ticket;
use rackwarden_core::rng::Rng;
use rackwarden_core::secret::Secret;
use rackwarden_core::snmp::engine::Engine;
use rackwarden_core::snmp::message::encode_request;
use rackwarden_core::snmp::{
    Message, Oid, PduKind, SnmpAsk, SnmpRequest, SnmpTarget, Value, Version,
};
use rackwarden_core::time::Mono;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands every call to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
                version: Version::V2c,
                community: Secret::new("public".into()),
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
    let mut allocations = [0; 2];
    for _ in 0..10 {
        let round = requests.clone();
        let mut answers = Vec::with_capacity(round.len());
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut asking = Duration::ZERO;
        let began = Instant::now();
        engine.submit(Mono::ZERO, round);
        asking += began.elapsed();
        loop {
            let began = Instant::now();
            let transmit = engine.poll_transmit(Mono::ZERO, &mut datagram);
            asking += began.elapsed();
            let Some(transmit) = transmit else { break };
            let counted = ALLOCATIONS.load(Ordering::Relaxed);
            answers.push((transmit.to, answer_to(&datagram)));
            ALLOCATIONS.store(counted, Ordering::Relaxed);
        }
        let asked = ALLOCATIONS.load(Ordering::Relaxed);
        let began = Instant::now();
        for (from, answer) in &answers {
            engine.handle_datagram(Mono::ZERO, *from, answer);
        }
        let answering = began.elapsed();
        allocations = [asked - before, ALLOCATIONS.load(Ordering::Relaxed) - asked];
        best = [best[0].min(asking), best[1].min(answering)];
        assert_eq!(engine.take_replies().len(), answers.len());
    }
    let names = [
        "engine: take a question, write its datagram",
        "engine: match an answer of 4 values",
    ];
    for ((name, best), allocations) in names.iter().zip(best).zip(allocations) {
        println!(
            "{name:>44} {:>10.0} {:>12.2}",
            best.as_nanos() as f64 / f64::from(DEVICES),
            allocations as f64 / f64::from(DEVICES)
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
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..ROUNDS {
            sum += run();
        }
        best = best.min(began.elapsed());
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!(
        "{name:>44} {:>10.0} {:>12.2}",
        best.as_nanos() as f64 / f64::from(ROUNDS),
        allocations as f64 / f64::from(5 * ROUNDS)
    );
    black_box(sum);
}
