//! The PDUs of a simulated world.

use super::Sim;
use super::world::{Out, PDUS, World};
use crate::config::Config;
use crate::config::power;
use crate::config::power::{Host, Limit, Limits, PduConfig, TeamConfig};
use crate::effect::{Effect, earlier};
use crate::event::Event;
use crate::pdu::simulated::Agent;
use crate::rng::Rng;
use crate::snmp::Credentials;
use crate::snmp::engine::Engine;
use crate::time::{Mono, Now};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// From one end of the wire to the other.
const WIRE: Duration = Duration::from_micros(200);

/// A simulated PDU and the wire to it.
pub struct Device {
    agent: Agent,
    delay: Duration,
    is_silent: bool,
    questions: usize,
}

impl Device {
    /// Real power from now on, in watts.
    pub fn set_power(&mut self, watts: f64) {
        self.agent.set_power(watts);
    }

    /// Answers nothing from now on, or answers again.
    pub fn set_silent(&mut self, is_silent: bool) {
        self.is_silent = is_silent;
    }

    /// Time from the question to the answer.
    pub fn set_delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Datagrams that have reached it so far.
    pub fn questions(&self) -> usize {
        self.questions
    }

    /// The simulated device itself.
    pub fn agent(&mut self) -> &mut Agent {
        &mut self.agent
    }
}

enum Datagram {
    ToDevice(SocketAddr, Vec<u8>),
    ToAgent(SocketAddr, Vec<u8>),
}

/// All PDUs, the wires, and the agent's SNMP worker.
pub(super) struct Pdus {
    engine: Engine,
    devices: BTreeMap<SocketAddr, Device>,
    addresses: BTreeMap<String, SocketAddr>,
    wires: BTreeMap<(Mono, u64), Datagram>,
    sent: u64,
    is_answering: bool,
}

impl Pdus {
    /// A single-phase APC unit that draws 1 kW for each PDU of the configuration.
    pub(super) fn new(config: &Config) -> Pdus {
        let mut pdus = Pdus {
            engine: Engine::new(Rng::new(1)),
            devices: BTreeMap::new(),
            addresses: BTreeMap::new(),
            wires: BTreeMap::new(),
            sent: 0,
            is_answering: true,
        };
        for pdu in &power::settings(config).pdus {
            let Host::Ip(addr) = pdu.host else { continue };
            let mut agent = Agent::apc_rpdu2(1);
            agent.set_power(1000.0);
            let device = Device {
                agent,
                delay: Duration::from_millis(5),
                is_silent: false,
                questions: 0,
            };
            pdus.devices.insert(addr, device);
            pdus.addresses.insert(pdu.name.to_string(), addr);
        }
        pdus
    }

    fn send(&mut self, at: Mono, datagram: Datagram) {
        self.sent += 1;
        self.wires.insert((at, self.sent), datagram);
    }

    fn arrive(&mut self, now: Now, datagram: Datagram, out: &mut Out) {
        match datagram {
            Datagram::ToAgent(from, bytes) => {
                let _ = self.engine.handle_datagram(now.mono, from, &bytes);
                self.pump(now, out);
            }
            Datagram::ToDevice(to, bytes) => {
                let device = self.devices.get_mut(&to);
                let Some(device) = device.filter(|device| !device.is_silent) else {
                    return;
                };
                device.questions += 1;
                let delay = device.delay;
                if let Some(answer) = device.agent.handle(now, &bytes) {
                    self.send(now.mono + delay, Datagram::ToAgent(to, answer));
                }
            }
        }
    }

    fn pump(&mut self, now: Now, out: &mut Out) {
        let mut datagram = Vec::new();
        while let Some(transmit) = self.engine.poll_transmit(now.mono, &mut datagram) {
            let datagram = Datagram::ToDevice(transmit.to, datagram.clone());
            self.send(now.mono + WIRE, datagram);
        }
        let replies = self.engine.take_replies();
        if !replies.is_empty() && self.is_answering {
            out.event(Duration::ZERO, Event::Snmp(replies));
        }
    }
}

impl World for Pdus {
    fn request(&mut self, now: Now, effect: Effect, out: &mut Out) {
        if let Effect::Snmp(requests) = effect {
            self.engine.submit(now.mono, requests);
            self.pump(now, out);
        }
    }

    fn poll_timeout(&self) -> Option<Mono> {
        let wire = self.wires.first_key_value().map(|((at, _), _)| *at);
        earlier(wire, self.engine.poll_timeout())
    }

    fn handle_timeout(&mut self, now: Now, out: &mut Out) {
        while let Some(first) = self.wires.first_entry() {
            if first.key().0 > now.mono {
                break;
            }
            let datagram = first.remove();
            self.arrive(now, datagram, out);
        }
        if self.engine.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.engine.handle_timeout(now.mono);
            self.pump(now, out);
        }
    }

    fn forget_agent(&mut self) {
        self.engine = Engine::new(Rng::new(2));
        self.wires.clear();
    }
}

impl Sim {
    /// Puts PDUs of a configuration made by `config` into a team.
    pub fn team(config: &mut Config, name: &str, limit_w: f64, members: &[&str]) {
        let team = power::settings(config).teams.len() as u32;
        let mut indices = Vec::new();
        for (index, pdu) in power::settings_mut(config).pdus.iter_mut().enumerate() {
            if members.contains(&&*pdu.name) {
                pdu.team = Some(team);
                indices.push(index as u32);
            }
        }
        power::settings_mut(config).teams.push(TeamConfig {
            name: name.into(),
            limits: hard(limit_w),
            members: indices,
        });
    }

    /// A device, to change what it does from now on.
    ///
    /// # Panics
    /// Panics when there is no such PDU.
    pub fn device(&mut self, name: &str) -> &mut Device {
        let pdus: &mut Pdus = self.world(PDUS);
        let addr = pdus.addresses.get(name).expect("a PDU of this world");
        pdus.devices.get_mut(addr).expect("a device for each PDU")
    }

    /// The SNMP worker says nothing any more from now on, as if its thread hung, or does again.
    pub fn set_answers_snmp(&mut self, answers: bool) {
        self.world::<Pdus>(PDUS).is_answering = answers;
    }
}

/// A PDU of a simulated world, with an address of its own.
pub(super) fn pdu_config(index: usize, name: &str, limit_w: f64) -> PduConfig {
    PduConfig {
        name: name.into(),
        host: Host::Ip(SocketAddr::from((
            [10, 0, (index / 250) as u8, (index % 250 + 1) as u8],
            161,
        ))),
        credentials: Credentials::community("public"),
        write: Some(Credentials::community("private")),
        profile: None,
        limits: hard(limit_w),
        device_limit: false,
        team: None,
        unit: None,
        any_source: false,
    }
}

/// One limit, with the usual hysteresis.
fn hard(limit_w: f64) -> Limits {
    Limits {
        soft: None,
        hard: Some(Limit {
            on_w: limit_w,
            off_w: limit_w * 0.97,
        }),
    }
}
