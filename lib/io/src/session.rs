//! One conversation with one device, without the agent: asks and waits for the answer. For `probe`, and for programs
//! that have a thread to spare. The agent's own polls go through `io::snmp`.

use crate::clock::Clock;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::rng::Rng;
use rackwarden_base::time::Mono;
use rackwarden_core::effect::Ticket;
use rackwarden_pdu::identify::{Next, Options};
use rackwarden_pdu::plan::Sums;
use rackwarden_pdu::{Identified, Identify, Plan, Reading};
use rackwarden_snmp::engine::Engine;
use rackwarden_snmp::{SnmpAnswer, SnmpAsk, SnmpRequest, SnmpTarget};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// The largest UDP datagram.
const MAX_DATAGRAM: usize = 65_535;

/// An open conversation.
#[derive(Debug)]
pub struct Session {
    socket: UdpSocket,
    clock: Clock,
    engine: Engine,
    target: Arc<SnmpTarget>,
    timeout: Duration,
    retries: u8,
    datagram: Vec<u8>,
}

impl Session {
    /// Opens a socket for this device. A question is repeated `retries` times, first after `timeout`, and given up after
    /// `timeout` for each try.
    ///
    /// # Errors
    /// The system has no socket, or no way to that address.
    pub fn open(target: SnmpTarget, timeout: Duration, retries: u8) -> io::Result<Session> {
        let any = match target.addr {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any)?;
        if !target.any_source {
            // So the system says at once when nobody listens there.
            socket.connect(target.addr)?;
        }
        Ok(Session {
            socket,
            clock: Clock::start(),
            engine: Engine::new(Rng::new(RandomState::new().hash_one(target.addr))),
            target: Arc::new(target),
            timeout,
            retries,
            datagram: vec![0; MAX_DATAGRAM],
        })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// No answer in time, nobody there, or the socket failed.
    pub fn ask(&mut self, ask: SnmpAsk) -> Result<SnmpAnswer, Fault> {
        let now = self.clock.mono();
        let request = SnmpRequest {
            ticket: Ticket(1),
            target: Arc::clone(&self.target),
            ask,
            timeout: self.timeout,
            retries: self.retries,
            deadline: now + self.timeout * (u32::from(self.retries) + 1),
        };
        self.engine.submit(now, [request]);
        loop {
            self.transmit();
            if let Some(reply) = self.engine.take_replies().pop() {
                return reply.result;
            }
            if let Err(fault) = self.receive() {
                self.engine.stop(self.clock.mono());
                self.engine.take_replies();
                return Err(fault);
            }
            self.engine.handle_timeout(self.clock.mono());
        }
    }

    fn transmit(&mut self) {
        let mut question = Vec::new();
        while let Some(transmit) = self.engine.poll_transmit(self.clock.mono(), &mut question) {
            let sent = if self.target.any_source {
                self.socket.send_to(&question, transmit.to)
            } else {
                self.socket.send(&question)
            };
            if let Err(error) = sent {
                let now = self.clock.mono();
                self.engine
                    .handle_send_error(now, transmit, &error.to_string());
            }
        }
    }

    /// Waits for one datagram, at most until the engine wants to act.
    fn receive(&mut self) -> Result<(), Fault> {
        let until = self.engine.poll_timeout().unwrap_or(Mono::ZERO);
        let wait = until.since(self.clock.mono());
        if wait.is_zero() {
            return Ok(());
        }
        let broken = |error: io::Error| Fault::new(FaultKind::Unreachable, error.to_string());
        self.socket.set_read_timeout(Some(wait)).map_err(broken)?;
        match self.socket.recv_from(&mut self.datagram) {
            Ok((length, from)) => {
                let now = self.clock.mono();
                self.engine
                    .handle_datagram(now, from, &self.datagram[..length]);
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
                ErrorKind::ConnectionRefused => Err(Fault::new(
                    FaultKind::Unreachable,
                    "nothing answers SNMP on that port",
                )),
                _ => Err(broken(error)),
            },
        }
    }

    /// Finds out what the device is, how it is polled, and what it reads now.
    ///
    /// # Errors
    /// The device does not answer.
    pub fn identify(&mut self, options: Options) -> Result<Identified, Fault> {
        let mut identify = Identify::new(options);
        let mut next = identify.ask();
        loop {
            match next {
                Next::Ask(ask) => {
                    let answer = self.ask(ask);
                    next = identify.handle(answer.as_ref());
                }
                Next::Identified(identified) => return Ok(*identified),
                Next::GaveUp(fault) => return Err(fault),
            }
        }
    }

    /// Reads what a cycle of the agent reads.
    ///
    /// # Errors
    /// The device does not answer, or no longer has what the plan asks for.
    pub fn read(&mut self, plan: &Plan) -> Result<Reading, Fault> {
        let (mut reading, mut sums) = (Reading::default(), Sums::default());
        plan.shape(&mut reading);
        for part in &plan.fast {
            match self.ask(SnmpAsk::Get(Arc::clone(&part.oids)))? {
                SnmpAnswer::Values(values) => {
                    Plan::decode(part, &values, &mut sums, &mut reading);
                }
                SnmpAnswer::Error { status, .. } => {
                    let detail = format!("the device answered {}", status.name());
                    return Err(Fault::new(FaultKind::Malformed, detail));
                }
                SnmpAnswer::Binds(_) => {}
            }
        }
        plan.finish(&sums, &mut reading);
        Ok(reading)
    }
}
