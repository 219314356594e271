//! Runs a search for PDUs over a socket of its own, on the caller's thread.

use crate::clock::Clock;
use crate::environment::reason;
use rackwarden_base::rng::Rng;
use rackwarden_pdu::discover::{Discovery, Network};
use rackwarden_snmp::engine::Engine;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The largest UDP datagram.
const MAX_DATAGRAM: usize = 65_535;
/// So often at least it is looked whether somebody wants it to end.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Searches until everything is known or `stop` is set. `watch` is called some times a second.
///
/// # Errors
/// The system has no socket.
pub fn run(
    discovery: &mut Discovery,
    network: Network,
    stop: &AtomicBool,
    mut watch: impl FnMut(&Discovery),
) -> io::Result<()> {
    let socket = match network.nth(0) {
        IpAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?,
        IpAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?,
    };
    let clock = Clock::start();
    let mut engine = Engine::new(Rng::new(RandomState::new().hash_one(network.nth(0))));
    let (mut question, mut datagram) = (Vec::new(), vec![0; MAX_DATAGRAM]);
    while !stop.load(Ordering::Relaxed) {
        while let Some(request) = discovery.poll(clock.mono()) {
            engine.submit(clock.mono(), [request]);
        }
        while let Some(transmit) = engine.poll_transmit(clock.mono(), &mut question) {
            if let Err(error) = socket.send_to(&question, transmit.to) {
                engine.handle_send_error(clock.mono(), transmit, &reason(&error));
            }
        }
        for reply in engine.take_replies() {
            discovery.handle(reply);
        }
        if discovery.is_done() {
            break;
        }
        let now = clock.mono();
        let next = [engine.poll_timeout(), discovery.poll_timeout()];
        let next = next.into_iter().flatten().min();
        let wait = next.map_or(LOOK_UP, |next| next.since(now)).min(LOOK_UP);
        receive(&socket, wait, &mut datagram, |from, received| {
            engine.handle_datagram(clock.mono(), from, received);
        })?;
        engine.handle_timeout(clock.mono());
        watch(discovery);
    }
    Ok(())
}

/// Waits for a datagram, then takes everything that is there.
fn receive(
    socket: &UdpSocket,
    wait: Duration,
    datagram: &mut [u8],
    mut take: impl FnMut(std::net::SocketAddr, &[u8]),
) -> io::Result<()> {
    let wait = wait.max(Duration::from_millis(1));
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(wait))?;
    loop {
        match socket.recv_from(datagram) {
            Ok((length, from)) => take(from, &datagram[..length]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                    return Ok(());
                }
                // What an ICMP message said of an earlier datagram.
                ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable => {}
                _ => return Err(error),
            },
        }
        socket.set_nonblocking(true)?;
    }
}
