//! Asks a device for its description and its name: `cargo run -p rackwarden-snmp --example get -- 192.0.2.1:161 public`
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "an example does its own I/O"
)]

use rackwarden_base::Ticket;
use rackwarden_base::rng::Rng;
use rackwarden_base::time::Mono;
use rackwarden_snmp::engine::Engine;
use rackwarden_snmp::{Credentials, Oid, SnmpAnswer, SnmpAsk, SnmpRequest, SnmpTarget};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(address) = arguments.next() else {
        println!("usage: get ADDRESS:PORT [COMMUNITY]");
        return Ok(());
    };
    let community = arguments.next().unwrap_or("public".into());
    let objects: [Oid; 2] = ["1.3.6.1.2.1.1.1.0".parse()?, "1.3.6.1.2.1.1.5.0".parse()?];
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let started = Instant::now();
    let now = || Mono::new(started.elapsed());

    // The ids of requests have to be hard to guess; an agent takes a better seed.
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut engine = Engine::new(Rng::new(seed.as_nanos() as u64));
    let request = SnmpRequest {
        ticket: Ticket(1),
        target: Arc::new(SnmpTarget {
            addr: address.parse()?,
            credentials: Credentials::community(&community),
            any_source: false,
        }),
        ask: SnmpAsk::Get(Arc::new(objects)),
        timeout: Duration::from_millis(500),
        retries: 2,
        deadline: Mono::new(Duration::from_secs(4)),
    };
    engine.submit(now(), [request]);

    let mut datagram = Vec::new();
    let mut room = [0; 65_535];
    while !engine.has_replies() {
        while let Some(transmit) = engine.poll_transmit(now(), &mut datagram) {
            socket.send_to(&datagram, transmit.to)?;
        }
        let due = engine.poll_timeout().unwrap_or(now());
        let wait = due.since(now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(wait))?;
        match socket.recv_from(&mut room) {
            Ok((length, from)) => {
                engine.handle_datagram(now(), from, &room[..length]);
            }
            Err(_) => engine.handle_timeout(now()),
        }
    }
    for reply in engine.take_replies() {
        match reply.result {
            Ok(SnmpAnswer::Values(values)) => {
                for value in &values {
                    println!("{}", value.as_text().unwrap_or(format!("{value:?}")));
                }
            }
            Ok(other) => println!("{other:?}"),
            Err(fault) => println!("{fault}"),
        }
    }
    Ok(())
}
