//! Records what a device answers, for others to learn to read it: a walk with care, and a file in the format of
//! `simulated::Agent::from_recording`, without what is nobody's business (`private`). Pure.
//!
//! Only trees are walked that tell of power: parts of MIB-2, and what makers have of their own. The others tell of
//! connections, addresses, users and communities, some of them in the names of their objects.

mod private;

pub use private::Left;

use super::Identified;
use super::ask::{GaveUp, Outcome};
use private::Private;
use rackwarden_base::fault::FaultKind;
use rackwarden_snmp::{ErrorStatus, Oid, SnmpAnswer, SnmpAsk, Value, VarBind, Version};
use std::collections::VecDeque;
use std::fmt::Write as _;

/// Walked in this order: system, UPS-MIB, ENTITY-MIB, ENTITY-SENSOR-MIB, enterprises.
const ROOTS: [&[u32]; 5] = [
    &[1, 3, 6, 1, 2, 1, 1],
    &[1, 3, 6, 1, 2, 1, 33],
    &[1, 3, 6, 1, 2, 1, 47],
    &[1, 3, 6, 1, 2, 1, 99],
    &[1, 3, 6, 1, 4, 1],
];
/// What an agent of net-snmp has of its own: how it is set up, and who may ask.
const NOT_WALKED: &[u32] = &[1, 3, 6, 1, 4, 1, 8072];
/// Objects that a GETBULK asks for. Several firmwares break above that.
const REPETITIONS: u8 = 10;
/// A walk is not longer than this.
const MAX_OBJECTS: usize = 60_000;
/// Places in a row where the device gives no answer, after which it is not asked any more.
const MAX_GAPS: usize = 4;

/// A walk of everything that may tell of power.
#[derive(Debug)]
pub struct Recorder {
    roots: VecDeque<Oid>,
    /// Where the walk stands: the next question is what follows.
    after: Oid,
    repetitions: u8,
    has_bulk: bool,
    objects: Vec<VarBind>,
    requests: u32,
    gaps: usize,
    gaps_in_a_row: usize,
    is_cut: bool,
}

/// What a walk has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The file.
    pub text: String,
    /// Objects in it.
    pub objects: usize,
    /// Requests that were made.
    pub requests: u32,
    /// Places where the device gave no answer and the walk went on behind them.
    pub gaps: usize,
    /// The device has more, or fell silent.
    pub is_cut: bool,
    /// What was left out.
    pub left: Left,
}

impl Recorder {
    /// A walk that has not begun. GETBULK needs version 2c.
    pub fn new(version: Version) -> Recorder {
        let mut roots: VecDeque<Oid> = ROOTS.iter().map(|root| Oid::from_arcs(root)).collect();
        roots.extend([Oid::from_arcs(&[])]);
        let after = roots
            .front()
            .cloned()
            .unwrap_or_else(|| Oid::from_arcs(&[]));
        Recorder {
            roots,
            after,
            repetitions: REPETITIONS,
            has_bulk: version == Version::V2c,
            objects: Vec::new(),
            requests: 0,
            gaps: 0,
            gaps_in_a_row: 0,
            is_cut: false,
        }
    }

    /// The request to make; `None` when everything has been read.
    pub fn ask(&mut self) -> Option<SnmpAsk> {
        if self.objects.len() >= MAX_OBJECTS {
            self.is_cut = true;
            return None;
        }
        if self.is_cut || self.roots.len() <= 1 {
            return None;
        }
        self.requests += 1;
        let oids = [self.after.clone()].into();
        Some(match self.has_bulk {
            true => SnmpAsk::GetBulk {
                non_repeaters: 0,
                max_repetitions: self.repetitions,
                oids,
            },
            false => SnmpAsk::GetNext(oids),
        })
    }

    /// Takes what came back.
    ///
    /// # Errors
    /// When the device has answered nothing at all.
    pub fn handle(&mut self, outcome: Outcome<'_>) -> Result<(), GaveUp> {
        match outcome {
            Ok(SnmpAnswer::Binds(binds)) => self.take(binds),
            Ok(SnmpAnswer::Error { status, .. }) => match *status {
                // The end of the MIB in version 1.
                ErrorStatus::NO_SUCH_NAME => self.next_root(),
                _ => self.ask_for_less(),
            },
            Ok(SnmpAnswer::Values(_)) => self.ask_for_less(),
            Err(fault) if fault.kind == FaultKind::Timeout && self.may_ask_for_less() => {
                self.ask_for_less();
            }
            Err(fault) if self.objects.is_empty() => return Err(GaveUp(fault.clone())),
            Err(_) => self.is_cut = true,
        }
        Ok(())
    }

    /// Objects that were read.
    pub fn objects(&self) -> usize {
        self.objects.len()
    }

    /// The recording, without what is private. `secrets` are the communities and passwords that were used.
    pub fn finish(self, identified: &Identified, secrets: &[&str]) -> Recording {
        let mut private = Private::new(identified, secrets, &self.objects);
        let mut recording = Recording {
            requests: self.requests,
            gaps: self.gaps,
            is_cut: self.is_cut || self.gaps_in_a_row > 0,
            ..Recording::default()
        };
        for bind in &self.objects {
            if let Some(value) = private.shown(bind) {
                write_record(&mut recording.text, &bind.oid, &value);
                recording.objects += 1;
            }
        }
        recording.left = private.left;
        recording
    }

    fn take(&mut self, binds: &[VarBind]) {
        let Some(root) = self.roots.front().cloned() else {
            return;
        };
        let mut progress = false;
        for bind in binds {
            if bind.value == Value::EndOfMibView || !bind.oid.starts_with(&root) {
                return self.next_root();
            }
            if bind.oid <= self.after {
                // It goes round in circles.
                break;
            }
            progress = true;
            self.after = bind.oid.clone();
            let unwanted = Oid::from_arcs(NOT_WALKED);
            if bind.oid.starts_with(&unwanted) {
                self.after = behind(&unwanted, NOT_WALKED.len());
                break;
            }
            // Some firmware goes on behind an object that it does not have after all.
            if !matches!(bind.value, Value::NoSuchObject | Value::NoSuchInstance) {
                self.objects.push(bind.clone());
            }
        }
        match progress {
            true => self.gaps_in_a_row = 0,
            false => self.ask_for_less(),
        }
    }

    fn may_ask_for_less(&self) -> bool {
        self.has_bulk || self.gaps_in_a_row < MAX_GAPS
    }

    /// Fewer objects at once, then one by one, then it goes on behind what the device does not answer.
    fn ask_for_less(&mut self) {
        if self.has_bulk && self.repetitions > 2 {
            self.repetitions /= 2;
        } else if self.has_bulk {
            self.has_bulk = false;
        } else if self.gaps_in_a_row < MAX_GAPS {
            self.gaps += 1;
            self.gaps_in_a_row += 1;
            let length = self.after.arcs().count();
            let keep = length.saturating_sub(1);
            let root = self.roots.front().map_or(0, |root| root.arcs().count());
            match keep > root {
                true => self.after = behind(&self.after, keep),
                false => self.next_root(),
            }
        } else {
            self.is_cut = true;
        }
    }

    fn next_root(&mut self) {
        self.roots.pop_front();
        if let Some(root) = self.roots.front() {
            self.after = root.clone();
        }
    }
}

/// The first name behind everything that begins with the first `keep` arcs of this one.
fn behind(oid: &Oid, keep: usize) -> Oid {
    let mut arcs: Vec<u32> = oid.arcs().take(keep).collect();
    if let Some(last) = arcs.last_mut() {
        *last = last.saturating_add(1);
    }
    Oid::from_arcs(&arcs)
}

/// A line `OID|TAG|VALUE`; nothing for what is no value.
fn write_record(text: &mut String, oid: &Oid, value: &Value) {
    let (tag, shown) = match value {
        Value::Integer(value) => ("2", value.to_string()),
        Value::OctetString(bytes) => match plain(bytes) {
            Some(plain) => ("4", plain.to_owned()),
            None => ("4x", hex(bytes)),
        },
        Value::Null => ("5", String::new()),
        Value::ObjectId(oid) => ("6", oid.to_string()),
        Value::IpAddress(bytes) => ("64x", hex(bytes)),
        Value::Counter32(value) => ("65", value.to_string()),
        Value::Gauge32(value) => ("66", value.to_string()),
        Value::TimeTicks(value) => ("67", value.to_string()),
        Value::Opaque(bytes) => ("68x", hex(bytes)),
        Value::Counter64(value) => ("70", value.to_string()),
        Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => return,
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{oid}|{tag}|{shown}");
}

/// Text that survives being a line.
fn plain(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (is_plain && text.trim() == text).then_some(text)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
