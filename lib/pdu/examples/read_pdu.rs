//! Finds out what a PDU is and prints its reading: `cargo run -p rackwarden-pdu --example read_pdu -- 192.0.2.1:161 public`
//!
//! Without arguments it reads a simulated one on loopback.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "an example does its own I/O"
)]

use rackwarden_base::Ticket;
use rackwarden_base::fault::Fault;
use rackwarden_base::rng::Rng;
use rackwarden_base::time::{Mono, Now, Wall, Zone};
use rackwarden_pdu::identify::{Identify, Next, Options};
use rackwarden_pdu::simulated::Agent;
use rackwarden_snmp::engine::Engine;
use rackwarden_snmp::{Credentials, SnmpAnswer, SnmpAsk, SnmpRequest, SnmpTarget};
use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let addr = match arguments.next() {
        Some(address) => address.parse()?,
        None => simulated()?,
    };
    let community = arguments.next().unwrap_or("public".into());
    let mut device = Device::open(addr, &community)?;
    let mut identify = Identify::new(Options::default());
    let mut next = identify.ask();
    let pdu = loop {
        match next {
            Next::Ask(ask) => next = identify.handle(device.ask(ask)?.as_ref()),
            Next::Identified(pdu) => break pdu,
            Next::GaveUp(fault) => return Err(fault.to_string().into()),
        }
    };
    let vendor = pdu.vendor.as_deref().unwrap_or("a PDU,");
    println!(
        "{addr} is {vendor} {}",
        pdu.model.as_deref().unwrap_or("of an unknown model")
    );
    match pdu.reading.power_w {
        Some(watts) => println!("{watts:.0} W"),
        None => println!("it tells no power"),
    }
    println!("{:#?}", pdu.reading);
    Ok(())
}

/// A device, and what it takes to ask it one question after the other.
struct Device {
    socket: UdpSocket,
    target: Arc<SnmpTarget>,
    engine: Engine,
    started: Instant,
}

impl Device {
    fn open(addr: SocketAddr, community: &str) -> std::io::Result<Device> {
        let target = SnmpTarget {
            addr,
            credentials: Credentials::community(community),
            any_source: false,
        };
        Ok(Device {
            socket: UdpSocket::bind("0.0.0.0:0")?,
            target: Arc::new(target),
            engine: Engine::new(Rng::new(u64::from(std::process::id()))),
            started: Instant::now(),
        })
    }

    fn now(&self) -> Mono {
        Mono::new(self.started.elapsed())
    }

    fn ask(&mut self, ask: SnmpAsk) -> std::io::Result<Result<SnmpAnswer, Fault>> {
        let timeout = Duration::from_millis(500);
        let request = SnmpRequest {
            ticket: Ticket(1),
            target: Arc::clone(&self.target),
            ask,
            timeout,
            retries: 1,
            deadline: Mono::new(self.started.elapsed() + 4 * timeout),
        };
        self.engine.submit(self.now(), [request]);
        let mut datagram = Vec::new();
        let mut room = [0; 65_535];
        loop {
            while let Some(transmit) = self.engine.poll_transmit(self.now(), &mut datagram) {
                self.socket.send_to(&datagram, transmit.to)?;
            }
            if let Some(reply) = self.engine.take_replies().pop() {
                return Ok(reply.result);
            }
            let due = self.engine.poll_timeout().unwrap_or(self.now());
            let wait = due.since(self.now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait))?;
            match self.socket.recv_from(&mut room) {
                Ok((length, from)) => {
                    self.engine
                        .handle_datagram(self.now(), from, &room[..length]);
                }
                Err(_) => self.engine.handle_timeout(self.now()),
            }
        }
    }
}

/// A device of our own that answers on loopback until the program ends.
fn simulated() -> Result<SocketAddr, Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let addr = socket.local_addr()?;
    let wall = Wall::parse("2026-01-01T00:00:00Z", &Zone::UTC).ok_or("no time")?;
    std::thread::spawn(move || {
        let mut agent = Agent::apc_rpdu2(1);
        agent.set_wave(1500.0, 800.0, Duration::from_secs(10));
        let started = Instant::now();
        let mut room = [0; 65_535];
        while let Ok((length, from)) = socket.recv_from(&mut room) {
            let mono = Mono::new(started.elapsed());
            let answer = agent.handle(Now { mono, wall }, &room[..length]);
            let sent = answer.map(|answer| socket.send_to(&answer, from));
            if sent.is_some_and(|sent| sent.is_err()) {
                break;
            }
        }
    });
    Ok(addr)
}
