//! Watching one PDU: `cargo run --example watch_pdu -- 192.168.1.101:161 public`
//!
//! Without arguments it starts a simulated one on loopback and reads it three times.

use rackwarden_core::pdu::identify::Options;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::snmp::{Credentials, SnmpTarget};
use rackwarden_io::clock::Clock;
use rackwarden_io::session::Session;
use rackwarden_io::simulator;
use std::net::SocketAddr;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    simple_logger::SimpleLogger::new()
        .with_level(log::LevelFilter::Warn)
        .init()?;
    let mut arguments = std::env::args().skip(1);
    let (addr, readings) = match arguments.next() {
        Some(address) => (address.parse()?, usize::MAX),
        None => (simulated()?, 3),
    };
    let target = SnmpTarget {
        addr,
        credentials: Credentials::community(&arguments.next().unwrap_or("public".into())),
        any_source: false,
    };
    let mut session = Session::open(target, Duration::from_secs(1), 2)?;
    let pdu = session.identify(Options::default())?;
    let model = pdu.model.as_deref().unwrap_or("unknown model");
    println!(
        "{addr} is {} {model}",
        pdu.vendor.as_deref().unwrap_or("a PDU,")
    );
    for _ in 0..readings {
        match session.read(&pdu.plan)?.power_w {
            Some(watts) => println!("{watts:.0} W"),
            None => println!("it tells no power"),
        }
        std::thread::sleep(Duration::from_secs(2));
    }
    Ok(())
}

fn simulated() -> std::io::Result<SocketAddr> {
    let mut device = Agent::apc_rpdu2(1);
    device.set_wave(1500.0, 800.0, Duration::from_secs(10));
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    Ok(simulator::spawn(Clock::start(), anywhere, vec![device])?[0])
}
