//! Serves simulated devices over UDP: one task a device, all on one thread with smol. Meant for `simulate`,
//! `demo` and tests; nobody counts wake-ups here.

use crate::clock::Clock;
use crate::environment::reason;
use rackwarden_pdu::simulated::Agent;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use smol::{Async, LocalExecutor};
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;

/// Up to so many devices stand on consecutive ports of one address; more have an address each.
pub const MAX_ON_PORTS: usize = 1000;
/// Descriptors that the rest of the process may need.
const SPARE_DESCRIPTORS: u64 = 64;

/// Starts the thread `simulator`, which answers for these devices until the process ends. Up to 1,000 stand
/// on consecutive ports, counted from that of `first`; more stand on consecutive addresses with the same
/// port. With port 0 each gets a free one. Returns where each device stands.
///
/// # Errors
/// Names the address that cannot be bound, or says that there are not as many.
pub fn spawn(clock: Clock, first: SocketAddr, devices: Vec<Agent>) -> io::Result<Vec<SocketAddr>> {
    allow_descriptors(devices.len());
    let mut sockets = Vec::with_capacity(devices.len());
    let mut addresses = Vec::with_capacity(devices.len());
    for index in 0..devices.len() {
        let place = place(first, index, devices.len())?;
        let socket = Async::<UdpSocket>::bind(place).map_err(|err| named(place, &err))?;
        addresses.push(socket.get_ref().local_addr()?);
        sockets.push(socket);
    }
    std::thread::Builder::new()
        .name("simulator".to_owned())
        .spawn(move || {
            let executor = LocalExecutor::new();
            let buffer = Rc::new(RefCell::new(vec![0; 65_536]));
            for (socket, agent) in sockets.into_iter().zip(devices) {
                let task = serve(clock, socket, agent, Rc::clone(&buffer));
                executor.spawn(task).detach();
            }
            smol::block_on(executor.run(smol::future::pending::<()>()));
        })?;
    Ok(addresses)
}

/// Answers for one device, as long as its socket works.
async fn serve(
    clock: Clock,
    socket: Async<UdpSocket>,
    mut agent: Agent,
    buffer: Rc<RefCell<Vec<u8>>>,
) {
    while socket.readable().await.is_ok() {
        let mut buffer = buffer.borrow_mut();
        while let Ok((len, from)) = socket.get_ref().recv_from(&mut buffer) {
            if let Some(answer) = agent.handle(clock.now(), &buffer[..len]) {
                // A device drops an answer that its network does not take.
                let _ = socket.get_ref().send_to(&answer, from);
            }
        }
    }
}

/// Where device number `index` of `count` stands.
fn place(first: SocketAddr, index: usize, count: usize) -> io::Result<SocketAddr> {
    let mut place = first;
    if count > MAX_ON_PORTS {
        let next = match first.ip() {
            IpAddr::V4(ip) => u32::try_from(index)
                .ok()
                .and_then(|index| u32::from(ip).checked_add(index))
                .map(|ip| IpAddr::V4(ip.into())),
            IpAddr::V6(ip) => u128::from(ip)
                .checked_add(index as u128)
                .map(|ip| IpAddr::V6(ip.into())),
        };
        place.set_ip(next.ok_or_else(|| too_few("addresses", first, count))?);
    } else if first.port() != 0 {
        let next = u16::try_from(index)
            .ok()
            .and_then(|index| first.port().checked_add(index));
        place.set_port(next.ok_or_else(|| too_few("ports", first, count))?);
    }
    Ok(place)
}

fn too_few(what: &str, first: SocketAddr, count: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("there are not {count} {what} from {first} on"),
    )
}

fn named(place: SocketAddr, err: &io::Error) -> io::Error {
    io::Error::new(err.kind(), format!("{place}: {}", reason(err)))
}

/// A service is often started with 1,024 descriptors and may have more when it asks.
fn allow_descriptors(count: usize) {
    let wanted = count as u64 + SPARE_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(current),
                maximum: limit.maximum,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_snmp::message::encode_request;
    use rackwarden_snmp::{Message, Oid, SnmpAsk, Value, Version};
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn places_are_counted_up_by_port_or_by_address() {
        let cases: &[(&str, usize, usize, Option<&str>)] = &[
            ("127.0.0.1:16100", 999, 1000, Some("127.0.0.1:17099")),
            ("127.1.0.1:16100", 1000, 1001, Some("127.1.3.233:16100")),
            ("127.0.0.1:0", 5, 6, Some("127.0.0.1:0")),
            ("127.0.0.1:65535", 1, 2, None),
            ("255.255.255.0:161", 1500, 2000, None),
            ("[::1]:161", 2, 3, Some("[::1]:163")),
        ];
        for (first, index, count, want) in cases {
            let place = place(first.parse().unwrap(), *index, *count).ok();
            assert_eq!(place, want.map(|want| want.parse().unwrap()), "{first}");
        }
    }

    #[test]
    fn every_device_answers_for_itself() {
        let devices = ["alpha", "bravo"].map(|name| {
            let mut agent = Agent::apc_rpdu2(1);
            agent.set_name(name);
            agent
        });
        let first = "127.0.0.1:0".parse().unwrap();
        let places = spawn(Clock::start(), first, devices.to_vec()).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let name = Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, 5, 0]);
        for (place, want) in places.iter().zip(["alpha", "bravo"]) {
            let ask = SnmpAsk::Get(Arc::from([name.clone()]));
            let mut datagram = Vec::new();
            encode_request(&mut datagram, Version::V2c, b"public", 1, &ask);
            socket.send_to(&datagram, place).unwrap();
            let mut answer = [0; 1500];
            let (len, from) = socket.recv_from(&mut answer).unwrap();
            assert_eq!(from, *place);
            let message = Message::decode(&answer[..len]).unwrap();
            let want = Value::OctetString(want.as_bytes().into());
            assert_eq!(message.pdu.binds[0].value, want);
        }
    }

    #[test]
    fn a_taken_address_is_named() {
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let first = taken.local_addr().unwrap();
        let err = spawn(Clock::start(), first, vec![Agent::apc_rpdu()]).unwrap_err();
        assert_eq!(err.to_string(), format!("{first}: address already in use"));
    }
}
