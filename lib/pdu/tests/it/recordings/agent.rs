//! An agent that plays a recording, or a few objects.

use rackwarden_pdu::identify::{Identified, Identify, Next, Options};
use rackwarden_pdu::plan::Sums;
use rackwarden_pdu::{Plan, Reading};
use rackwarden_snmp::{ErrorStatus, Oid, SnmpAnswer, SnmpAsk, Value, VarBind, Version};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The smallest agent that can play a recording, with the sins of some firmwares on request.
pub(crate) struct Agent {
    pub(crate) objects: BTreeMap<Oid, Value>,
    pub(crate) broken: Option<Oid>,
    pub(crate) most: usize,
}

impl Agent {
    pub(crate) fn open(name: &str) -> Agent {
        let path = fixtures().join(format!("{name}.snmprec"));
        Agent::read(&std::fs::read(path).expect("a recording"))
    }

    pub(crate) fn of(objects: &[(&str, Value)]) -> Agent {
        Agent {
            objects: objects
                .iter()
                .map(|(text, value)| (oid(text), value.clone()))
                .collect(),
            broken: None,
            most: usize::MAX,
        }
    }

    pub(crate) fn from_text(objects: &BTreeMap<String, Value>) -> Agent {
        let objects: Vec<(&str, Value)> = objects
            .iter()
            .map(|(text, value)| (text.as_str(), value.clone()))
            .collect();
        Agent::of(&objects)
    }

    /// Lines with an object below `base` and its value: a number, or text in quotes.
    pub(crate) fn below(base: &str, lines: &str) -> Agent {
        let mut agent = Agent::of(&[]);
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (id, value) = line.split_once(' ').expect("an object and its value");
            let value = match value.trim().strip_prefix('"') {
                Some(text) => Value::OctetString(text.trim_end_matches('"').as_bytes().into()),
                None => Value::Integer(value.trim().parse().expect("a number")),
            };
            agent.objects.insert(oid(&format!("{base}.{id}")), value);
        }
        agent
    }

    /// What it is identified as.
    pub(crate) fn identified(&self) -> Identified {
        self.identify(Options::default()).0
    }

    /// Its first reading, without probes that are not attached.
    pub(crate) fn reading(&self) -> Reading {
        self.identified().reading.attached()
    }

    /// What it says when it is polled by this plan.
    pub(crate) fn poll(&self, plan: &Plan) -> Reading {
        let mut reading = Reading::default();
        let mut sums = Sums::default();
        plan.shape(&mut reading);
        for part in plan.fast.iter().chain(&plan.slow) {
            let value = |oid| self.objects.get(oid).cloned();
            let values = part
                .oids
                .iter()
                .map(|oid| value(oid).unwrap_or(Value::Null));
            let values: Vec<Value> = values.collect();
            Plan::decode(part, &values, &mut sums, &mut reading);
        }
        plan.finish(&sums, &mut reading);
        reading
    }

    fn read(bytes: &[u8]) -> Agent {
        let mut agent = Agent::of(&[]);
        for line in bytes.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(3, |byte| *byte == b'|');
            let (Some(id), Some(tag), Some(value)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let id = String::from_utf8_lossy(id);
            agent
                .objects
                .insert(oid(&id), parse(&String::from_utf8_lossy(tag), value));
        }
        agent
    }

    pub(crate) fn identify(&self, options: Options) -> (Identified, usize) {
        let version = options.version;
        let mut identify = Identify::new(options);
        let mut next = identify.ask();
        for asks in 0..600 {
            next = match next {
                Next::Ask(ask) => identify.handle(Ok(&self.answer(&ask, version))),
                Next::Identified(identified) => return (*identified, asks),
                Next::GaveUp(fault) => panic!("gave up: {fault}"),
            };
        }
        panic!("no end of questions");
    }

    fn answer(&self, ask: &SnmpAsk, version: Version) -> SnmpAnswer {
        let (oids, repetitions) = match ask {
            SnmpAsk::Get(oids) | SnmpAsk::GetNext(oids) => (oids, 1),
            SnmpAsk::GetBulk {
                oids,
                max_repetitions,
                ..
            } => (oids, *max_repetitions),
            SnmpAsk::Set(_) => panic!("identification never writes"),
        };
        if oids.len() > self.most {
            return SnmpAnswer::Error {
                status: ErrorStatus::TOO_BIG,
                index: 0,
            };
        }
        let mut binds = Vec::new();
        let mut from: Vec<Oid> = oids.to_vec();
        for _ in 0..repetitions {
            for (position, asked) in from.iter_mut().enumerate() {
                let found = match ask {
                    SnmpAsk::Get(_) => self.objects.get_key_value(asked),
                    _ => self
                        .objects
                        .range(asked.clone()..)
                        .find(|(id, _)| *id > asked),
                };
                if self.broken.is_some() && found.map(|(id, _)| id) == self.broken.as_ref() {
                    return SnmpAnswer::Error {
                        status: ErrorStatus::GEN_ERR,
                        index: 0,
                    };
                }
                let (id, value) = match found {
                    Some((id, value)) => (id.clone(), value.clone()),
                    None if version == Version::V1 => {
                        let index = position as u32 + 1;
                        return SnmpAnswer::Error {
                            status: ErrorStatus::NO_SUCH_NAME,
                            index,
                        };
                    }
                    None if matches!(ask, SnmpAsk::Get(_)) => {
                        (asked.clone(), Value::NoSuchInstance)
                    }
                    None => (asked.clone(), Value::EndOfMibView),
                };
                *asked = id.clone();
                binds.push(VarBind { oid: id, value });
            }
        }
        match ask {
            SnmpAsk::Get(_) => {
                SnmpAnswer::Values(binds.into_iter().map(|bind| bind.value).collect())
            }
            _ => SnmpAnswer::Binds(binds.into()),
        }
    }
}

fn parse(tag: &str, value: &[u8]) -> Value {
    let text = String::from_utf8_lossy(value);
    let number = || text.trim().parse::<i64>().unwrap_or(0);
    match tag {
        "2" => Value::Integer(number()),
        "4" => Value::OctetString(value.into()),
        "4x" => Value::OctetString(
            text.as_bytes()
                .chunks(2)
                .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect(),
        ),
        "6" => Value::ObjectId(oid(&text)),
        "65" => Value::Counter32(number() as u32),
        "66" => Value::Gauge32(number() as u32),
        "67" => Value::TimeTicks(number() as u32),
        "70" => Value::Counter64(number() as u64),
        _ => Value::Null,
    }
}

pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/pdu")
}

pub(crate) fn oid(text: &str) -> Oid {
    text.parse().expect("an OID")
}
