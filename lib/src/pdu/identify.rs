//! Finds out what a device is: a few questions, and for each answer the next one. sysObjectID only orders the
//! candidates; what the device answers decides. Pure, so the agent, `probe` and a test drive it alike.

use super::ask::{Fetch, GaveUp, Outcome, Walk};
use super::layout::{Layout, SYS_UPTIME, oid};
use super::plan::{Plan, Sums};
use super::value;
use super::vendor::{MAKERS, Model, NOT_PDUS, VENDORS, Vendor, is_under};
use super::{Kind, Reading};
use crate::fault::Fault;
use crate::small::SmallSet;
use crate::snmp::{Oid, SnmpAsk, Value, Version};

/// sysDescr.0 (RFC 3418).
const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
/// sysObjectID.0 (RFC 3418).
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";
/// Columns in one look at what a device answers.
const DECIDE_BATCH: usize = 16;

/// What is known beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The profile to take; `None` finds it.
    pub profile: Option<&'static str>,
    /// One unit of a chain; `None` means all of them.
    pub unit: Option<u16>,
    /// GETBULK is only used with v2c.
    pub version: Version,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            profile: None,
            unit: None,
            version: Version::V2c,
        }
    }
}

/// What to do next.
#[derive(Debug)]
pub enum Next {
    /// Ask the device this and hand the outcome to `Identify::handle`.
    Ask(SnmpAsk),
    /// It is known.
    Identified(Box<Identified>),
    /// The device does not answer.
    GaveUp(Fault),
}

/// What a device is, how it is polled, and what it said first.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Its profile; `None` when none fits.
    pub profile: Option<&'static Vendor>,
    /// Name of the maker.
    pub vendor: Option<&'static str>,
    /// Name of the model.
    pub model: Option<String>,
    /// sysObjectID in dotted numbers.
    pub sys_object_id: Option<String>,
    /// sysDescr.
    pub sys_descr: Option<String>,
    /// What sort of device it is.
    pub kind: Kind,
    /// How it is polled.
    pub plan: Plan,
    /// The first reading, complete.
    pub reading: Reading,
    /// Why there are no readings, in words for people.
    pub note: Option<String>,
}

/// The questions and answers with one device.
#[derive(Debug)]
pub struct Identify {
    options: Options,
    step: Step,
    answered: bool,
    sys_object_id: Option<String>,
    sys_descr: Option<String>,
    candidates: Vec<&'static Vendor>,
    vendor: Option<&'static Vendor>,
    batch: usize,
    note: Option<String>,
}

#[derive(Debug)]
enum Step {
    System(Fetch),
    Decide(Fetch, Vec<&'static Vendor>),
    Rows(Walk),
    Values(Fetch, Layout),
    Over,
}

impl Identify {
    /// The objects of the first question, a GET, which is the same for every device. Who has many devices
    /// to look for asks it without an `Identify`, and hands the answer to a new one.
    pub fn first_question() -> [Oid; 3] {
        [SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME].map(oid)
    }

    /// Begins with a device.
    pub fn new(options: Options) -> Identify {
        let system = Identify::first_question();
        Identify {
            options,
            step: Step::System(Fetch::get(&system, system.len())),
            answered: false,
            sys_object_id: None,
            sys_descr: None,
            candidates: Vec::new(),
            vendor: None,
            batch: usize::MAX,
            note: None,
        }
    }

    /// The question that stands, or the result.
    pub fn ask(&mut self) -> Next {
        loop {
            let ask = match &mut self.step {
                Step::System(fetch) | Step::Decide(fetch, _) | Step::Values(fetch, _) => {
                    fetch.ask()
                }
                Step::Rows(walk) => walk.ask(),
                Step::Over => return Next::GaveUp(over()),
            };
            if let Some(ask) = ask {
                return Next::Ask(ask);
            }
            if let Some(identified) = self.advance() {
                return Next::Identified(Box::new(identified));
            }
        }
    }

    /// Takes the outcome of the question that `ask` put, and says what comes next.
    pub fn handle(&mut self, outcome: Outcome<'_>) -> Next {
        // A device that does not answer the very first question is not there.
        if let (Err(fault), false) = (outcome, self.answered) {
            return Next::GaveUp(fault.clone());
        }
        self.answered = true;
        let taken = match &mut self.step {
            Step::System(fetch) | Step::Decide(fetch, _) | Step::Values(fetch, _) => {
                fetch.handle(outcome)
            }
            Step::Rows(walk) => walk.handle(outcome),
            Step::Over => Ok(()),
        };
        match taken {
            Ok(()) => self.ask(),
            Err(GaveUp(fault)) => Next::GaveUp(fault),
        }
    }

    /// Goes to the next step; the result when there is none.
    fn advance(&mut self) -> Option<Identified> {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::System(fetch) => self.after_system(&fetch),
            Step::Decide(fetch, looked_at) => return self.after_decide(&fetch, &looked_at),
            Step::Rows(walk) => return self.after_rows(&walk),
            Step::Values(fetch, layout) => return Some(self.after_values(&fetch, &layout)),
            Step::Over => {}
        }
        None
    }

    fn after_system(&mut self, fetch: &Fetch) {
        self.sys_descr = fetch.value(&oid(SYS_DESCR)).and_then(value::text);
        self.sys_object_id = match fetch.value(&oid(SYS_OBJECT_ID)) {
            Some(Value::ObjectId(id)) => Some(id.to_string()),
            Some(other) => value::text(other).map(|text| text.trim_start_matches('.').to_owned()),
            None => None,
        };
        self.batch = self.batch.min(fetch.largest_batch().max(1) * 8);
        self.candidates = match self.options.profile.and_then(Vendor::named) {
            Some(vendor) => vec![vendor],
            None => self.order_candidates(),
        };
        self.decide_among(|affinity| affinity > 0);
    }

    fn affinity(&self, vendor: &Vendor) -> usize {
        vendor.affinity(self.sys_object_id.as_deref(), self.sys_descr.as_deref())
    }

    fn order_candidates(&self) -> Vec<&'static Vendor> {
        let mut candidates = VENDORS.to_vec();
        crate::small::sort_by_key(&mut candidates, |vendor| {
            std::cmp::Reverse(self.affinity(vendor))
        });
        candidates
    }

    /// Looks at the candidates whose affinity is accepted, or at all of them when there is none.
    fn decide_among(&mut self, accept: fn(usize) -> bool) {
        let (likely, other): (Vec<_>, Vec<_>) = self
            .candidates
            .iter()
            .copied()
            .partition(|vendor| accept(self.affinity(vendor)));
        let (now, later) = if likely.is_empty() {
            (other, likely)
        } else {
            (likely, other)
        };
        self.candidates = later;
        let columns: Vec<Oid> = now
            .iter()
            .flat_map(|vendor| vendor.decisive)
            .map(|column| oid(column.oid))
            .collect::<SmallSet<_>>()
            .into_iter()
            .collect();
        self.step = Step::Decide(Fetch::next(&columns, DECIDE_BATCH), now);
    }

    fn after_decide(&mut self, fetch: &Fetch, looked_at: &[&'static Vendor]) -> Option<Identified> {
        let decided = |vendor: &&&Vendor| {
            vendor.decisive.iter().any(|column| {
                let base = oid(column.oid);
                fetch.bind(&base).is_some_and(|bind| {
                    bind.oid.starts_with(&base)
                        && value::is_valid(&bind.value, column.form, column.absent)
                })
            })
        };
        self.vendor = looked_at.iter().find(decided).copied();
        match self.vendor {
            Some(vendor) => self.step = Step::Rows(self.walk(vendor)),
            None if self.candidates.is_empty() => return Some(self.unknown()),
            None => self.decide_among(|_| true),
        }
        None
    }

    fn walk(&self, vendor: &Vendor) -> Walk {
        let mut columns: Vec<(&str, usize)> = Vec::new();
        let mut add = |column: &'static str, cap: usize| {
            if columns.iter().all(|(known, _)| *known != column) {
                columns.push((column, cap));
            }
        };
        if let Some(units) = vendor.units {
            add(units.oid, super::plan::MAX_UNITS);
        }
        for table in vendor.tables {
            add(table.rows.oid, table.cap);
            let marks = [table.unit, table.number, table.keep.map(|keep| keep.oid)];
            for column in marks.into_iter().flatten() {
                add(column, table.cap);
            }
        }
        let bulk = self.options.version != Version::V1;
        Walk::new(
            columns.into_iter().map(|(text, cap)| (oid(text), cap)),
            bulk,
        )
    }

    fn after_rows(&mut self, walk: &Walk) -> Option<Identified> {
        let vendor = self.vendor?;
        let found = |column: &str| {
            walk.rows(&oid(column))
                .filter(|rows| !rows.is_empty())
                .cloned()
        };
        match Layout::new(vendor, &found, self.options.unit.map(u32::from)) {
            Ok(layout) => {
                let mut oids = layout.oids();
                oids.push(oid(SYS_UPTIME));
                oids.extend(vendor.model.iter().filter_map(|model| match model {
                    Model::Object(text) => Some(oid(text)),
                    Model::Descr(..) | Model::Words(_) => None,
                }));
                self.batch = self.batch.min(vendor.max_oids);
                self.step = Step::Values(Fetch::get(&oids, self.batch), layout);
                None
            }
            Err(reason) => {
                self.note = Some(reason);
                Some(self.unknown())
            }
        }
    }

    fn after_values(&mut self, fetch: &Fetch, layout: &Layout) -> Identified {
        let answered = |oid: &Oid| fetch.value(oid).cloned();
        let plan = layout.plan(&answered, self.batch.min(fetch.largest_batch()));
        let reading = first_reading(&plan, fetch);
        let kind = kind_of(&reading);
        let mut identified =
            self.describe(kind, |text| fetch.value(&oid(text)).and_then(value::text));
        identified.plan = plan;
        identified.reading = reading;
        if kind == Kind::IdentifyOnly {
            identified.note =
                Some("the device answers, but none of its objects holds a reading".into());
        }
        identified
    }

    /// A device of which only the system group is known.
    fn unknown(&mut self) -> Identified {
        let maker = self.sys_object_id.as_deref().and_then(maker);
        let says_pdu = self.sys_descr.as_deref().is_some_and(says_pdu);
        let kind = if self.vendor.is_some() || maker.is_some() || says_pdu {
            Kind::IdentifyOnly
        } else {
            Kind::NotAPdu
        };
        if kind == Kind::IdentifyOnly && self.vendor.is_none() {
            // The closest family knows how its maker writes model names.
            self.vendor = VENDORS
                .iter()
                .copied()
                .filter(|vendor| self.affinity(vendor) > 0)
                .max_by_key(|vendor| self.affinity(vendor));
        }
        let mut identified = self.describe(kind, |_| None);
        identified.profile = None;
        identified.vendor = maker.or(identified.vendor);
        identified.note = self
            .note
            .take()
            .or(Some(match (self.options.profile, kind) {
                (Some(profile), _) => format!("the device does not answer as {profile} devices do"),
                (None, Kind::NotAPdu) => "no profile fits this device".into(),
                _ => "the device is known, but no profile finds a reading in it".into(),
            }));
        identified
    }

    fn describe(&self, kind: Kind, object: impl Fn(&str) -> Option<String>) -> Identified {
        let descr = self.sys_descr.as_deref().unwrap_or_default();
        let models = self.vendor.map_or(&[][..], |vendor| vendor.model);
        let model = models.iter().find_map(|model| match model {
            Model::Object(text) => object(text),
            Model::Descr(before, after) => between(descr, before, after),
            Model::Words(words) => descr.contains(words).then(|| (*words).to_owned()),
        });
        Identified {
            profile: self.vendor,
            vendor: self.vendor.map(|vendor| vendor.vendor),
            model,
            sys_object_id: self.sys_object_id.clone(),
            sys_descr: self.sys_descr.clone(),
            kind,
            plan: Plan::default(),
            reading: Reading::default(),
            note: None,
        }
    }
}

/// What the trial answered, read through the plan.
fn first_reading(plan: &Plan, fetch: &Fetch) -> Reading {
    let mut reading = Reading::default();
    let mut sums = Sums::default();
    plan.shape(&mut reading);
    for part in plan.fast.iter().chain(&plan.slow) {
        let values: Vec<Value> = part
            .oids
            .iter()
            .map(|oid| fetch.value(oid).cloned().unwrap_or(Value::Null))
            .collect();
        Plan::decode(part, &values, &mut sums, &mut reading);
    }
    plan.finish(&sums, &mut reading);
    reading
}

fn kind_of(reading: &Reading) -> Kind {
    let of_device = [
        reading.power_w,
        reading.apparent_va,
        reading.energy_kwh,
        reading.current_a,
    ];
    let phases = reading
        .phases
        .iter()
        .any(|p| p.current_a.or(p.power_w).is_some());
    let banks = reading
        .banks
        .iter()
        .any(|b| b.current_a.or(b.power_w).is_some());
    if of_device.iter().any(Option::is_some) || phases || banks {
        return Kind::Full;
    }
    let metered = |outlet: &super::OutletReading| outlet.power_w.or(outlet.current_a).is_some();
    match reading.outlets.as_slice() {
        [] => Kind::IdentifyOnly,
        outlets if outlets.iter().any(metered) => Kind::Partial,
        _ => Kind::OutletsOnly,
    }
}

fn maker(sys_object_id: &str) -> Option<&'static str> {
    if NOT_PDUS.iter().any(|root| is_under(sys_object_id, root)) {
        return None;
    }
    MAKERS
        .iter()
        .find(|(root, _)| is_under(sys_object_id, root))
        .map(|(_, name)| *name)
}

fn says_pdu(descr: &str) -> bool {
    let descr = descr.to_lowercase();
    descr.contains("pdu")
        || descr.contains("power distribution")
        || descr.contains("power distributed")
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let rest = text.split_once(before)?.1;
    let end = rest.find(after).filter(|_| !after.is_empty());
    let found = rest[..end.unwrap_or(rest.len())].trim();
    (!found.is_empty()).then(|| found.to_owned())
}

fn over() -> Fault {
    Fault::new(
        crate::fault::FaultKind::Malformed,
        "the identification is over",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;
    use crate::rng::Rng;
    use crate::snmp::{ErrorStatus, SnmpAnswer, VarBind};

    /// Anything that an agent could say, right or wrong.
    fn nonsense(rng: &mut Rng, asked: &[Oid]) -> Result<SnmpAnswer, Fault> {
        let value = |rng: &mut Rng| match rng.below(8) {
            0 => Value::Null,
            1 => Value::NoSuchInstance,
            2 => Value::OctetString(rng.next_u64().to_le_bytes().into()),
            3 => Value::Integer(rng.next_u64() as i64),
            4 => Value::Gauge32(rng.next_u64() as u32),
            5 => Value::ObjectId(Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6])),
            6 => Value::EndOfMibView,
            _ => Value::Integer(rng.below(5) as i64 - 1),
        };
        match rng.below(12) {
            0 => Err(Fault::new(FaultKind::Timeout, "no answer")),
            1 => Ok(SnmpAnswer::Error {
                status: ErrorStatus(rng.below(20) as u32),
                index: rng.below(30) as u32,
            }),
            2..5 => Ok(SnmpAnswer::Values(
                (0..rng.below(30)).map(|_| value(rng)).collect(),
            )),
            _ => Ok(SnmpAnswer::Binds(
                asked
                    .iter()
                    .cycle()
                    .take(rng.below(40) as usize)
                    .map(|oid| VarBind {
                        oid: oid.child(
                            &[rng.below(4) as u32, rng.below(300) as u32][..rng.below(3) as usize],
                        ),
                        value: value(rng),
                    })
                    .collect(),
            )),
        }
    }

    #[test]
    fn whatever_an_agent_says_identification_ends() {
        for seed in 0..2000 {
            let mut rng = Rng::new(seed);
            let mut identify = Identify::new(Options::default());
            let mut next = identify.ask();
            let mut asks = 0;
            while let Next::Ask(ask) = next {
                let asked = match &ask {
                    SnmpAsk::Get(oids) | SnmpAsk::GetNext(oids) | SnmpAsk::GetBulk { oids, .. } => {
                        oids.to_vec()
                    }
                    SnmpAsk::Set(_) => panic!("identification never writes"),
                };
                let answer = nonsense(&mut rng, &asked);
                next = identify.handle(answer.as_ref());
                asks += 1;
                assert!(asks < 3000, "seed {seed} goes round in circles");
            }
        }
    }

    #[test]
    fn makers_are_known_by_their_number_and_ups_are_no_pdus() {
        assert_eq!(maker("1.3.6.1.4.1.13742.6"), Some("Raritan"));
        assert_eq!(maker("1.3.6.1.4.1.318.1.3.2.7"), None);
        assert_eq!(maker("1.3.6.1.4.1.9.1.1"), None);
    }

    #[test]
    fn a_models_name_stands_between_its_marks() {
        let descr = "APC Metered Rack PDU (MN:AP7820 HR:B2)";
        assert_eq!(between(descr, "MN:", " ").as_deref(), Some("AP7820"));
        assert_eq!(between(descr, "XX:", " "), None);
        assert_eq!(between("MN:AP1", "MN:", " ").as_deref(), Some("AP1"));
    }
}
