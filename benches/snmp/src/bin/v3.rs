//! What a poll costs in SNMPv3 (authPriv, SHA-256, AES-128) against v2c: the same GET of four objects from the same devices
//! in turn, through the SNMP service and real sockets. The devices are simulated by another process; the CPU is that of all
//! threads of this one. The first round, which makes keys and meets the devices, is told apart.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin v3`

use rackwarden_core::effect::Ticket;
use rackwarden_core::event::Event;
use rackwarden_io::clock::Clock;
use rackwarden_io::simulator;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::snmp::usm::{Auth, Password, Privacy, Usm};
use rackwarden_core::snmp::{Credentials, SnmpAnswer, SnmpAsk, SnmpRequest, SnmpTarget};
use snmp_benches::{Service, cpu};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const DEVICES: u32 = 1000;
const ROUNDS: u32 = 20;
const BURST: usize = 250;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("respond") {
        return respond();
    }
    let program = std::env::current_exe().expect("a program");
    let mut child = Command::new(program)
        .arg("respond")
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let addresses: Vec<SocketAddr> = lines
        .take(DEVICES as usize)
        .map(|line| line.expect("a line").parse().expect("an address"))
        .collect();
    let service = snmp_benches::start();
    let poll = |name: &str, credentials: &Credentials| {
        let targets: Vec<Arc<SnmpTarget>> = addresses
            .iter()
            .map(|addr| {
                Arc::new(SnmpTarget {
                    addr: *addr,
                    credentials: credentials.clone(),
                    any_source: false,
                })
            })
            .collect();
        let mut each = Vec::new();
        for _ in 0..ROUNDS {
            each.push(round(&service, &targets));
        }
        let first = each.remove(0);
        let mean = each.iter().sum::<f64>() / each.len() as f64;
        println!("{name:>24} {mean:>8.2} us a poll, in the first round {first:.2} us");
        mean
    };
    let v3 = Credentials::Usm(Arc::new(user(true)));
    let auth = Credentials::Usm(Arc::new(user(false)));
    let v2c = Credentials::community("public");
    for _ in 0..3 {
        let plain = poll("v2c", &v2c);
        let proved = poll("v3 SHA-256", &auth);
        let sealed = poll("v3 SHA-256 AES-128", &v3);
        println!(
            "{:>24} {:.2}, {:.2}",
            "ratios",
            proved / plain,
            sealed / plain
        );
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn user(is_encrypted: bool) -> Usm {
    let password = |text: &str| Arc::new(Password::new(Auth::Sha256, text));
    Usm {
        user: if is_encrypted { "apc" } else { "weak" }.into(),
        context: "".into(),
        auth: Some(password("authpass1")),
        privacy: is_encrypted.then(|| (Privacy::Aes128, password("privpass1"))),
    }
}

fn respond() {
    let users = [Arc::new(user(true)), Arc::new(user(false))];
    let devices = (0..DEVICES).map(|number| {
        let mut agent = Agent::apc_rpdu2(1);
        agent.set_engine(&format!("device-{number}"));
        for usm in &users {
            agent.add_user(Arc::clone(usm), false);
        }
        agent
    });
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let addresses = simulator::spawn(Clock::start(), anywhere, devices.collect());
    for address in addresses.expect("free ports") {
        println!("{address}");
    }
    std::thread::park();
}

/// Polls every device once; microseconds of CPU for each.
fn round(service: &Service, targets: &[Arc<SnmpTarget>]) -> f64 {
    let oids = snmp_benches::asked("1.3.6.1.4.1.318.1.1.26.6.3.1.5.1");
    let before = cpu();
    for chunk in targets.chunks(BURST) {
        let now = service.clock.mono();
        let requests = chunk.iter().map(|target| SnmpRequest {
            ticket: Ticket(1),
            target: Arc::clone(target),
            ask: SnmpAsk::Get(Arc::clone(&oids)),
            timeout: Duration::from_secs(5),
            retries: 1,
            deadline: now + Duration::from_secs(10),
        });
        service.handle.submit(requests.collect()).expect("room");
        let mut left = chunk.len();
        while left > 0 {
            let Some(Event::Snmp(replies)) = service.inbox.receive(None) else {
                continue;
            };
            for reply in &replies {
                assert!(
                    matches!(&reply.result, Ok(SnmpAnswer::Values(_))),
                    "{:?}",
                    reply.result
                );
            }
            left -= replies.len();
        }
    }
    (cpu() - before) * 1e6 / targets.len() as f64
}
