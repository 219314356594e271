//! A simulated PDU: a MIB that answers real SNMP datagrams, either a model whose power moves, or a recording of a
//! real device. It has no socket; `io::simulator` serves it, `sim` calls it.
//!
//! # Examples
//! ```
//! use rackwarden_pdu::simulated::Agent;
//!
//! let mut agent = Agent::apc_rpdu2(3);
//! agent.set_power(2310.0);
//! agent.set_communities("public", "private");
//! ```

mod made;
mod model;
mod outlets;
mod recording;
mod respond;
mod secure;

use super::identify::{Next, Options};
use super::profile::Profile;
use super::{Identified, Identify, Profiles};
use model::Model;
pub use outlets::Writing;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::small::SmallMap;
use rackwarden_base::time::{Now, Zone};
use rackwarden_snmp::message::encode_request;
use rackwarden_snmp::{
    ErrorStatus, Message, Oid, PduKind, SnmpAnswer, SnmpAsk, Usm, Value, Version,
};
use secure::Secure;
use std::sync::Arc;
use std::time::Duration;

/// A simulated device.
#[derive(Clone, Debug)]
pub struct Agent {
    mib: Mib,
    read_community: Box<[u8]>,
    write_community: Box<[u8]>,
    secure: Secure,
    model: Option<Model>,
    made: Option<Box<made::Made>>,
    moving: Vec<recording::Moving>,
    only_v1: bool,
    mistakes_order: bool,
    outlets: Vec<outlets::Outlet>,
    writing: Writing,
    sets: usize,
}

/// Objects by name.
type Mib = SmallMap<Oid, Cell>;

/// One object.
#[derive(Clone, Debug)]
struct Cell {
    value: Value,
    is_writable: bool,
    /// Which of the model's values it shows.
    moving: Option<usize>,
}

impl Agent {
    /// An APC unit of the second generation with 1 or 3 phases, drawing 1 kW: power, peak with its time and reset, energy, phases.
    pub fn apc_rpdu2(phases: u8) -> Agent {
        Agent::from_model(Model::new(model::Family::Rpdu2, phases.clamp(1, 3)))
    }

    /// An APC unit of the first generation, drawing 1 kW: it knows its total and the current of its phase, but no peak.
    pub fn apc_rpdu() -> Agent {
        Agent::from_model(Model::new(model::Family::Rpdu, 1))
    }

    /// An APC Easy PDU, drawing 1 kW: phases only, no total and no peak.
    pub fn apc_epdu() -> Agent {
        Agent::from_model(Model::new(model::Family::Epdu, 3))
    }

    /// A device that the profile of this name reads, drawing 1 kW, with outlets that are switched as the family's are; `None` when there
    /// is no such profile, or none of its devices has readings.
    pub fn of_profile(profile: &str) -> Option<Agent> {
        match profile {
            "apc-rpdu2" => Some(Agent::apc_rpdu2(1)),
            "apc-rpdu" => Some(Agent::apc_rpdu()),
            "apc-epdu" => Some(Agent::apc_epdu()),
            _ => {
                let profiles = Profiles::builtin();
                Agent::made(&*profiles.named(profile)?.example()?)
            }
        }
    }

    /// A device made from a profile.
    fn made(profile: &Profile) -> Option<Agent> {
        let (mut mib, made) = made::make(profile)?;
        let model = Model::new(model::Family::Made, 1);
        mib.extend(model.mib());
        Some(Agent {
            mib,
            model: Some(model),
            made: Some(Box::new(made)),
            ..Agent::bare()
        })
    }

    /// What a real device answered once, from a `.snmprec` file. Values stay as recorded; objects can be set.
    ///
    /// # Errors
    /// Names the line that is not a record, and why.
    pub fn from_recording(bytes: &[u8]) -> Result<Agent, String> {
        let (mib, moving) = recording::parse(bytes)?;
        Ok(Agent {
            mib,
            moving,
            ..Agent::bare()
        })
    }

    /// Who may read and who may write. At first `public` and `private`.
    pub fn set_communities(&mut self, read: &str, write: &str) {
        self.read_community = read.as_bytes().into();
        self.write_community = write.as_bytes().into();
    }

    /// Answers this user in SNMPv3 as well, at exactly the user's level and in its context.
    pub fn add_user(&mut self, usm: Arc<Usm>, may_write: bool) {
        self.secure.add_user(usm, may_write);
    }

    /// Names its SNMP engine; as many as answer to one agent should be different. At most 27 bytes count.
    pub fn set_engine(&mut self, name: &str) {
        self.secure.set_name(name);
    }

    /// What its SNMP engine believes: how often it has restarted, and how long it has run.
    pub fn set_engine_clock(&mut self, now: Now, boots: u32, time: Duration) {
        self.secure.set_clock(now.mono, boots, time);
    }

    /// The largest message of SNMPv3 that it says it takes, in bytes; at first 65,507.
    pub fn set_max_message(&mut self, bytes: u32) {
        self.secure.set_max_size(bytes);
    }

    /// Stays silent to everything but SNMPv1, as old cards do.
    pub fn speak_only_v1(&mut self) {
        self.only_v1 = true;
    }

    /// Orders its objects by the bytes in which their names are sent, as some firmware does: numbers from 16384 on then stand in
    /// front of those from 256 on.
    pub fn mistake_order(&mut self) {
        self.mistakes_order = true;
    }

    /// `sysName.0`.
    pub fn set_name(&mut self, name: &str) {
        self.mib.insert(
            respond::oid(model::SYS_NAME),
            Cell::fixed(Value::OctetString(name.as_bytes().into())),
        );
    }

    /// Constant power from now on, in watts. A recording does not change.
    pub fn set_power(&mut self, watts: f64) {
        if let Some(model) = &mut self.model {
            model.set_wave(watts, 0.0, Duration::from_secs(60));
        }
    }

    /// Power that swings around a mean, in watts.
    pub fn set_wave(&mut self, mean_w: f64, swing_w: f64, period: Duration) {
        if let Some(model) = &mut self.model {
            model.set_wave(mean_w, swing_w, period);
        }
    }

    /// More power between two moments, counted from the first question.
    pub fn add_step(&mut self, from: Duration, until: Duration, extra_w: f64) {
        if let Some(model) = &mut self.model {
            model.add_step(from, until, extra_w);
        }
    }

    /// What its meter has counted until now, in kilowatt-hours.
    pub fn set_energy(&mut self, kwh: f64) {
        if let Some(model) = &mut self.model {
            model.set_energy(kwh);
        }
    }

    /// The zone that the device's own clock shows; at first UTC.
    pub fn set_zone(&mut self, zone: Zone) {
        if let Some(model) = &mut self.model {
            model.set_zone(zone);
        }
    }

    /// The device restarts: its uptime begins anew; peak and energy stay, as on the real ones.
    pub fn restart(&mut self, now: Now) {
        self.secure.restart(now.mono);
        if let Some(model) = &mut self.model {
            model.booted = Some(now.mono);
        }
    }

    /// Somebody presses reset on the device itself: the peak is the present power again.
    pub fn reset_peak(&mut self, now: Now) {
        if let Some(model) = &mut self.model {
            model.reset_peak(now);
        }
    }

    /// What each phase of an APC unit of the second generation is rated for, in amperes.
    pub fn set_rating(&mut self, amperes: u16) {
        let rating = Cell::fixed(Value::Integer(amperes.into()));
        self.mib.insert(respond::oid(model::RPDU2_RATING), rating);
    }

    /// Gives a unit of the second generation outlets that can be switched: the name of each, and its watts while it is on. What
    /// is switched off is missing in the unit's power, in the same proportion.
    pub fn set_outlets(&mut self, outlets: &[(&str, f64)]) {
        self.outlets = outlets::add(&mut self.mib, outlets);
    }

    /// What becomes of SETs from now on.
    pub fn set_writing(&mut self, writing: Writing) {
        self.writing = writing;
    }

    /// SET requests that it has carried out.
    pub fn sets(&self) -> usize {
        self.sets
    }

    /// Answers a datagram; `None` when a device would stay silent (wrong community, not a question, damaged).
    pub fn handle(&mut self, now: Now, datagram: &[u8]) -> Option<Vec<u8>> {
        let Ok(message) = Message::decode(datagram) else {
            return match self.only_v1 {
                true => None,
                false => secure::handle(self, now, datagram),
            };
        };
        if self.only_v1 && message.version != Version::V1 {
            return None;
        }
        let community = message.community.expose();
        let may_write = **community == *self.write_community;
        if !may_write && **community != *self.read_community {
            return None;
        }
        self.tick(now);
        let pdu = respond::respond(self, now, message.version, &message.pdu, may_write)?;
        if self.writing == Writing::Mutters && message.pdu.kind == PduKind::Set {
            return None;
        }
        let response = Message { pdu, ..message };
        let mut out = Vec::with_capacity(datagram.len() + 64);
        response.encode(&mut out);
        Some(out)
    }

    /// Asks it without a socket: what comes back to a question, written and read as on the wire.
    ///
    /// # Errors
    /// When it stays silent, or its answer cannot be read.
    pub fn ask(&mut self, now: Now, version: Version, ask: &SnmpAsk) -> Result<SnmpAnswer, Fault> {
        let mut question = Vec::new();
        encode_request(&mut question, version, &self.read_community, 1, ask);
        let silence = || Fault::new(FaultKind::Timeout, "no answer");
        let answer = self.handle(now, &question).ok_or_else(silence)?;
        let unreadable = |_| Fault::new(FaultKind::Malformed, "an unreadable answer");
        let pdu = Message::decode(&answer).map_err(unreadable)?.pdu;
        Ok(match ask {
            _ if pdu.status != 0 => SnmpAnswer::Error {
                status: ErrorStatus(pdu.status),
                index: pdu.index,
            },
            SnmpAsk::Get(_) => {
                SnmpAnswer::Values(pdu.binds.into_iter().map(|bind| bind.value).collect())
            }
            _ => SnmpAnswer::Binds(pdu.binds.into()),
        })
    }

    /// Finds out what it is, as the agent would.
    ///
    /// # Errors
    /// When it stays silent.
    pub fn identify(&mut self, now: Now, options: Options) -> Result<Identified, Fault> {
        let version = options.version;
        let mut identify = Identify::new(options);
        let mut next = identify.ask();
        loop {
            next = match next {
                Next::Ask(ask) => identify.handle(self.ask(now, version, &ask).as_ref()),
                Next::Identified(identified) => return Ok(*identified),
                Next::GaveUp(fault) => return Err(fault),
            };
        }
    }

    fn from_model(model: Model) -> Agent {
        Agent {
            mib: model.mib(),
            model: Some(model),
            ..Agent::bare()
        }
    }

    fn bare() -> Agent {
        Agent {
            mib: Mib::new(),
            read_community: (*b"public").into(),
            write_community: (*b"private").into(),
            secure: Secure::new(),
            model: None,
            made: None,
            moving: Vec::new(),
            only_v1: false,
            mistakes_order: false,
            outlets: Vec::new(),
            writing: Writing::Obeys,
            sets: 0,
        }
    }

    fn tick(&mut self, now: Now) {
        let flows = match &mut self.made {
            Some(made) => made.flow(now.mono),
            None => outlets::tick(&mut self.outlets, &mut self.mib, now.mono),
        };
        if let Some(model) = &mut self.model {
            model.set_flow(flows);
            model.tick(now);
            let mut values = Vec::with_capacity(self.mib.len());
            model.values(now, &mut |_, _, value| values.push(value));
            for cell in self.mib.values_mut() {
                if let Some(value) = cell.moving.and_then(|place| values.get_mut(place)) {
                    std::mem::swap(&mut cell.value, value);
                }
            }
        }
        if let (Some(made), Some(model)) = (&self.made, &self.model) {
            made.tick(&model.load(now), &mut self.mib);
        }
        for moving in &self.moving {
            if let Some(cell) = self.mib.get_mut(moving.name()) {
                cell.value = moving.value(now.mono, &cell.value);
            }
        }
    }
}

impl Cell {
    fn fixed(value: Value) -> Cell {
        Cell {
            value,
            is_writable: false,
            moving: None,
        }
    }

    fn writable(value: Value) -> Cell {
        Cell {
            value,
            is_writable: true,
            moving: None,
        }
    }
}

#[cfg(test)]
mod tests;
