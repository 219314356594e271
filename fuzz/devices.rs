//! What devices answer that nobody knows: those that a search finds, and one that is recorded.

use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_core::pdu::discover::{Discovery, Network, Settings};
use rackwarden_core::pdu::identify::{Identify, Next, Options};
use rackwarden_core::pdu::record::Recorder;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::snmp::{
    Credentials, ErrorStatus, Oid, SnmpAnswer, SnmpAsk, SnmpReply, Value, VarBind, Version,
};
use rackwarden_core::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// Eight addresses are searched, and a device is recorded, while every answer is what the bytes make of the question. Both end,
/// and what was recorded can be played.
pub fn devices(data: &[u8]) {
    let mut bytes = Bytes { data, at: 0 };
    search(&mut bytes);
    record(&mut bytes);
}

fn search(bytes: &mut Bytes<'_>) {
    let credentials = ["public", "private"].map(Credentials::community).to_vec();
    let mut discovery = Discovery::new(Settings {
        network: Network::parse("10.0.0.0/29").expect("a network"),
        port: 161,
        credentials,
        rate: 1000,
        timeout: Duration::from_secs(1),
    });
    let mut now = Mono::ZERO;
    let mut asked = VecDeque::new();
    for turn in 0.. {
        assert!(turn < 60_000, "a search ends");
        now += Duration::from_millis(1);
        asked.extend(discovery.poll(now));
        let Some(request) = asked.pop_front() else {
            if discovery.is_done() {
                break;
            }
            continue;
        };
        discovery.handle(SnmpReply {
            ticket: request.ticket,
            result: bytes.answer(&request.ask),
            sent: now,
            received: now,
            tries: 1,
            round_trip: None,
        });
    }
    let report = discovery.finish();
    assert!(report.pdus.len() + report.mute.len() <= 8);
}

fn record(bytes: &mut Bytes<'_>) {
    let mut identify = Identify::new(Options::default());
    let mut next = identify.ask();
    let identified = loop {
        next = match next {
            Next::Ask(ask) => identify.handle(bytes.answer(&ask).as_ref()),
            Next::Identified(identified) => break identified,
            Next::GaveUp(_) => return,
        };
    };
    let version = [Version::V1, Version::V2c][usize::from(bytes.next() & 1)];
    let mut recorder = Recorder::new(version);
    for turn in 0.. {
        assert!(turn < 70_000, "a walk ends");
        let Some(ask) = recorder.ask() else {
            break;
        };
        // Who has much to say has said enough.
        let answer = match turn < 500 {
            true => bytes.answer(&ask),
            false => Err(Fault::new(FaultKind::Timeout, "no answer")),
        };
        if recorder.handle(answer.as_ref()).is_err() {
            return;
        }
    }
    let recording = recorder.finish(&identified, &["public"]);
    if recording.objects > 0 {
        Agent::from_recording(recording.text.as_bytes()).expect("what was recorded can be played");
    }
}

/// The bytes, again and again.
struct Bytes<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        // The round counts, or short inputs would say the same for ever.
        let round = self.at / self.data.len().max(1);
        let byte = self.data.get(self.at % self.data.len().max(1));
        self.at += 1;
        byte.copied().unwrap_or_default().wrapping_add(round as u8)
    }

    fn value(&mut self) -> Value {
        match self.next() {
            0..=79 => Value::Integer(i64::from(self.next()) - 1),
            80..=99 => Value::Gauge32(u32::from(self.next()) << 24),
            100..=119 => Value::ObjectId(self.below(&"1.3.6.1.4.1.318".parse().expect("an OID"))),
            120..=139 => Value::Counter64(u64::MAX - u64::from(self.next())),
            140..=179 => {
                let length = usize::from(self.next() % 40);
                Value::OctetString((0..length).map(|_| self.next()).collect())
            }
            180..=199 => Value::EndOfMibView,
            200..=219 => Value::NoSuchInstance,
            _ => Value::Null,
        }
    }

    /// An object at, below or behind another one, or anywhere.
    fn below(&mut self, oid: &Oid) -> Oid {
        match self.next() % 8 {
            0 => oid.clone(),
            1 => {
                let arcs = [
                    1,
                    3,
                    6,
                    1,
                    4,
                    1,
                    u32::from(self.next()) << (self.next() % 24),
                ];
                Oid::from_arcs(&arcs)
            }
            2 => {
                let arcs: Vec<u32> = oid.arcs().collect();
                let (last, before) = arcs.split_last().unwrap_or((&0, &[]));
                Oid::from_arcs(before).child(&[last.saturating_add(1)])
            }
            _ => oid.child(&[u32::from(self.next() % 4), 1]),
        }
    }

    fn answer(&mut self, ask: &SnmpAsk) -> Result<SnmpAnswer, Fault> {
        let kind = self.next();
        if kind < 16 {
            return Err(Fault::new(FaultKind::Timeout, "no answer"));
        }
        if kind < 32 {
            return Ok(SnmpAnswer::Error {
                status: ErrorStatus(u32::from(self.next() % 20)),
                index: u32::from(self.next() % 30),
            });
        }
        Ok(match ask {
            SnmpAsk::Get(oids) => SnmpAnswer::Values(oids.iter().map(|_| self.value()).collect()),
            SnmpAsk::Set(binds) => SnmpAnswer::Values(binds.iter().map(|_| self.value()).collect()),
            SnmpAsk::GetNext(oids) => SnmpAnswer::Binds(self.binds(oids, 1)),
            SnmpAsk::GetBulk {
                oids,
                max_repetitions,
                ..
            } => {
                let rows = self.next() % max_repetitions.saturating_add(1);
                SnmpAnswer::Binds(self.binds(oids, rows))
            }
        })
    }

    fn binds(&mut self, oids: &[Oid], rows: u8) -> Box<[VarBind]> {
        let mut last = oids.to_vec();
        let mut binds = Vec::new();
        for _ in 0..rows {
            for oid in &mut last {
                *oid = self.below(oid);
                let value = self.value();
                binds.push(VarBind {
                    oid: oid.clone(),
                    value,
                });
            }
        }
        binds.into()
    }
}

pub fn devices_seeds() -> Vec<Vec<u8>> {
    let ramp: Vec<u8> = (0..=255).collect();
    let steps = ramp.iter().map(|byte| byte.wrapping_mul(37)).collect();
    vec![b"rack".to_vec(), vec![40; 64], ramp, steps]
}
