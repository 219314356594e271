//! Finds out what a device is: a few questions, and for each answer the next one. sysObjectID only orders the
//! candidates; what the device answers decides. Pure, so the agent, `probe` and a test drive it alike.

use super::ask::{Fetch, GaveUp, Outcome, Walk};
use super::layout::{Layout, SYS_UPTIME, oid};
use super::plan::{Plan, Sums};
use super::profile::{Head, MAKERS, Model, Profile, absolute, is_under};
use super::profiles::{Profiles, Source};
use super::value;
use super::{Electric, Kind, Reading};
use rackwarden_base::fault::Fault;
use rackwarden_base::small::SmallSet;
use rackwarden_snmp::{Oid, SnmpAsk, Value, Version};
use std::sync::Arc;

/// sysDescr.0 (RFC 3418).
const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
/// sysObjectID.0 (RFC 3418).
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";
/// Columns in one look at what a device answers.
const DECIDE_BATCH: usize = 16;

/// What is known beforehand.
#[derive(Clone, Debug)]
pub struct Options {
    /// The profiles to choose from.
    pub profiles: Profiles,
    /// The profile to take; `None` finds it.
    pub profile: Option<Arc<str>>,
    /// One unit of a chain; `None` means all of them.
    pub unit: Option<u16>,
    /// GETBULK is only used with v2c.
    pub version: Version,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            profiles: Profiles::builtin(),
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
    pub profile: Option<Arc<Head>>,
    /// Why it is that profile, in words for people.
    pub why: Option<String>,
    /// Name of the maker.
    pub vendor: Option<Box<str>>,
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
    /// The objects that say what it is and what its values mean: its model, names of variables.
    pub described_by: Box<[Oid]>,
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
    candidates: Vec<Arc<Source>>,
    profile: Option<Arc<Profile>>,
    batch: usize,
    note: Option<String>,
    /// What stands before the profile's columns on this device, and the one of them that decided.
    base: String,
    decided: Option<Oid>,
    /// A likely profile says that this is something else.
    is_other: bool,
}

#[derive(Debug)]
enum Step {
    System(Fetch),
    Decide(Fetch, Vec<Arc<Source>>),
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
            profile: None,
            batch: usize::MAX,
            note: None,
            base: String::new(),
            decided: None,
            is_other: false,
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
            Step::Values(fetch, layout) => return Some(self.after_values(&fetch, layout)),
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
        let wanted = self.options.profile.as_deref();
        self.candidates = match wanted.and_then(|name| self.options.profiles.named(name)) {
            Some(source) => vec![Arc::clone(source)],
            None => self.order_candidates(),
        };
        self.decide_among(|affinity| affinity > 0);
    }

    fn affinity(&self, head: &Head) -> usize {
        head.affinity(self.sys_object_id.as_deref(), self.sys_descr.as_deref())
    }

    /// Profiles of PDUs, the likely ones first, and at the end those that fit any maker's device. Without a name
    /// from the configuration a UPS is none of them.
    fn order_candidates(&self) -> Vec<Arc<Source>> {
        let mut candidates: Vec<Arc<Source>> = self
            .options
            .profiles
            .iter()
            .filter(|source| source.head().is_pdu)
            .cloned()
            .collect();
        rackwarden_base::small::sort_by_key(&mut candidates, |source| {
            let head = source.head();
            (head.is_fallback, std::cmp::Reverse(self.affinity(head)))
        });
        candidates
    }

    /// The columns that decide for a profile, with the base that each would prove.
    fn decisive(&self, head: &Head) -> Vec<(String, Oid)> {
        let mut columns = Vec::new();
        for base in head.bases_for(self.sys_object_id.as_deref()) {
            for text in &head.decides {
                columns.push((base.clone(), oid(&absolute(&base, text))));
            }
        }
        columns
    }

    /// The columns that only other devices have.
    fn excluding(&self, head: &Head) -> Vec<Oid> {
        let is_named = self.options.profile.is_some();
        let first = head.bases.first().map_or("", |base| base);
        let columns = head.unless.iter().filter(|_| !is_named);
        columns
            .filter_map(|text| absolute(first, text).parse().ok())
            .collect()
    }

    /// The device calls itself something else.
    fn is_called_other(&self, head: &Head) -> bool {
        let descr = self.sys_descr.as_deref().unwrap_or_default();
        self.options.profile.is_none() && head.unless.iter().any(|words| descr.contains(&**words))
    }

    /// Looks at the candidates whose affinity is accepted; if there is none at the next ones, generic MIBs last
    /// and only for what may be a PDU.
    fn decide_among(&mut self, accept: fn(usize) -> bool) {
        let candidates = std::mem::take(&mut self.candidates);
        let is_named = self.options.profile.is_some();
        let (generic, special): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|source| source.head().is_fallback && !is_named);
        let (likely, other): (Vec<_>, Vec<_>) = special
            .into_iter()
            .partition(|source| accept(self.affinity(source.head())));
        let (now, mut later) = match (likely.is_empty(), other.is_empty()) {
            (false, _) => (likely, other),
            (true, false) => (other, likely),
            (true, true) => (generic.clone(), Vec::new()),
        };
        let is_last = now.iter().all(|source| source.head().is_fallback);
        if !is_last && self.may_be_pdu() {
            later.extend(generic);
        }
        self.candidates = later;
        let columns: Vec<Oid> = now
            .iter()
            .flat_map(|source| {
                let head = source.head();
                let decisive = self.decisive(head).into_iter().map(|(_, column)| column);
                decisive.chain(self.excluding(head)).collect::<Vec<_>>()
            })
            .collect::<SmallSet<_>>()
            .into_iter()
            .collect();
        let batch = DECIDE_BATCH.min(self.batch);
        self.step = Step::Decide(Fetch::next(&columns, batch), now);
    }

    /// What the device says of itself speaks for a PDU.
    fn may_be_pdu(&self) -> bool {
        self.sys_object_id.as_deref().and_then(maker).is_some()
            || self.sys_descr.as_deref().is_some_and(says_pdu)
    }

    fn after_decide(&mut self, fetch: &Fetch, looked_at: &[Arc<Source>]) -> Option<Identified> {
        if fetch.largest_batch() < DECIDE_BATCH {
            self.batch = self.batch.min(fetch.largest_batch());
        }
        let answers = |head: &Head, column: &Oid| {
            let says = |value: &Value| match value.as_i64() {
                Some(_) => !value::is_sentinel(value, head.absent),
                None => value::text(value).is_some(),
            };
            fetch
                .bind(column)
                .is_some_and(|bind| bind.oid.starts_with(column) && says(&bind.value))
        };
        let is_other = |head: &Head| {
            let excluding = self.excluding(head);
            excluding.iter().any(|column| answers(head, column)) || self.is_called_other(head)
        };
        let found = looked_at.iter().find_map(|source| {
            let head = source.head();
            let (base, column) = self
                .decisive(head)
                .into_iter()
                .find(|(_, column)| answers(head, column))?;
            let profile = source.profile(&base).filter(|_| !is_other(head))?;
            Some((profile, base, column))
        });
        let likely = |source: &&Arc<Source>| self.affinity(source.head()) > 0;
        self.is_other |= looked_at
            .iter()
            .filter(likely)
            .any(|source| is_other(source.head()));
        if let Some((profile, base, column)) = found {
            self.decided = Some(column);
            self.profile = Some(profile);
            self.base = base;
        }
        match &self.profile {
            Some(profile) => self.step = Step::Rows(self.walk(profile)),
            None if self.candidates.is_empty() => return Some(self.unknown()),
            None => self.decide_among(|_| true),
        }
        None
    }

    fn walk(&self, profile: &Profile) -> Walk {
        let mut columns: Vec<(&Oid, usize)> = Vec::new();
        let mut add = |column, cap| {
            if columns.iter().all(|(known, _)| *known != column) {
                columns.push((column, cap));
            }
        };
        for units in &profile.units {
            add(&units.oid, super::plan::MAX_UNITS);
        }
        if let Some(number) = &profile.unit_number {
            add(number, super::plan::MAX_UNITS);
        }
        for table in &profile.tables {
            add(&table.rows.oid, table.cap);
            let number = table.number.as_ref().map(|number| &number.oid);
            for column in [table.unit.as_ref(), number, table.count.as_ref()]
                .into_iter()
                .flatten()
            {
                add(column, table.cap);
            }
            for keep in &table.keep {
                add(&keep.oid, table.cap);
            }
        }
        for variables in &profile.variables {
            add(&variables.names.oid, super::plan::MAX_VARIABLES);
        }
        let bulk = self.options.version != Version::V1;
        let columns = columns.into_iter();
        let columns = columns.map(|(column, cap)| (column.clone(), cap));
        Walk::new(columns, bulk).with_width(self.batch)
    }

    fn after_rows(&mut self, walk: &Walk) -> Option<Identified> {
        let profile = Arc::clone(self.profile.as_ref()?);
        let found = |column: &Oid| walk.rows(column).filter(|rows| !rows.is_empty());
        let only = self.options.unit.map(u32::from);
        match Layout::new(Arc::clone(&profile), &found, only) {
            Ok(layout) => {
                let mut oids = layout.oids();
                oids.push(oid(SYS_UPTIME));
                self.batch = self.batch.min(profile.head.max_oids);
                self.step = Step::Values(Fetch::get(&oids, self.batch), layout);
                None
            }
            Err(reason) => {
                self.note = Some(reason);
                Some(self.unknown())
            }
        }
    }

    fn after_values(&mut self, fetch: &Fetch, layout: Layout) -> Identified {
        let answered = |oid: &Oid| fetch.value(oid).cloned();
        let model = layout
            .models()
            .iter()
            .find_map(|oid| fetch.value(oid).and_then(value::text));
        let plan = layout.plan(&answered, self.batch.min(fetch.largest_batch()));
        let reading = first_reading(&plan, fetch);
        let kind = kind_of(&reading);
        // A maker's MIB may serve other devices as well: what neither reads like a PDU nor says so is none.
        if kind == Kind::IdentifyOnly && self.options.profile.is_none() && !self.may_be_pdu() {
            self.profile = None;
            return self.unknown();
        }
        let head = self
            .profile
            .as_ref()
            .map(|profile| Arc::clone(&profile.head));
        let mut identified = self.describe(kind, head, model);
        identified.why = self.why();
        identified.plan = plan;
        identified.described_by = self
            .profile
            .as_deref()
            .map(descriptions)
            .unwrap_or_default();
        identified.reading = reading;
        if kind == Kind::IdentifyOnly {
            identified.note =
                Some("the device answers, but none of its objects holds a reading".into());
        }
        identified
    }

    fn why(&self) -> Option<String> {
        let profile = self.profile.as_ref()?;
        let (id, descr) = (self.sys_object_id.as_deref(), self.sys_descr.as_deref());
        let (prefix, part) = profile.head.fitting(id, descr);
        let named = self.options.profile.as_ref().map(|_| "it was named".into());
        let reasons = [
            named,
            prefix.map(|prefix| format!("sysObjectID is below {prefix}")),
            part.map(|part| format!("sysDescr says {part}")),
            self.decided.as_ref().map(|oid| format!("it answers {oid}")),
        ];
        let reasons: Vec<String> = reasons.into_iter().flatten().collect();
        Some(reasons.join(", "))
    }

    /// A device of which only the system group is known.
    fn unknown(&mut self) -> Identified {
        let kind = if self.profile.is_some() || self.may_be_pdu() && !self.is_other {
            Kind::IdentifyOnly
        } else {
            Kind::NotAPdu
        };
        // The closest family knows how its maker writes model names.
        let closest = || {
            let sources = self
                .options
                .profiles
                .iter()
                .filter(|source| source.head().is_pdu);
            let source = sources.max_by_key(|source| self.affinity(source.head()))?;
            (self.affinity(source.head()) > 0).then(|| Arc::clone(source.head()))
        };
        let head = match &self.profile {
            Some(profile) => Some(Arc::clone(&profile.head)),
            None => closest().filter(|_| kind == Kind::IdentifyOnly),
        };
        let mut identified = self.describe(kind, head, None);
        identified.profile = None;
        identified.note = self
            .note
            .take()
            .or(Some(match (&self.options.profile, kind) {
                (Some(profile), _) => format!("the device does not answer as {profile} devices do"),
                (None, Kind::NotAPdu) => "no profile fits this device".into(),
                _ => "the device is known, but no profile finds a reading in it".into(),
            }));
        identified
    }

    fn describe(&self, kind: Kind, head: Option<Arc<Head>>, object: Option<String>) -> Identified {
        let descr = self.sys_descr.as_deref().unwrap_or_default();
        let of_descr = |model: &Model| match model {
            Model::Object(_) => None,
            Model::Descr(after, before) => between(descr, after, before),
            Model::Always(name) => Some(name.to_string()),
            Model::Words(words) => descr.contains(&**words).then(|| words.to_string()),
        };
        let model = object.or_else(|| head.as_ref()?.model.iter().find_map(of_descr));
        // Makers that share a MIB differ by their number.
        let maker = maker(&self.base)
            .or_else(|| self.sys_object_id.as_deref().and_then(maker))
            .map(Box::from);
        Identified {
            vendor: match &head {
                Some(head) if head.is_fallback => maker,
                Some(head) if head.bases.len() < 2 => Some(head.vendor.clone()),
                Some(head) => maker.or_else(|| Some(head.vendor.clone())),
                None => maker,
            },
            profile: head,
            why: None,
            model,
            sys_object_id: self.sys_object_id.clone(),
            sys_descr: self.sys_descr.clone(),
            kind,
            plan: Plan::default(),
            described_by: Box::default(),
            reading: Reading::default(),
            note: None,
        }
    }
}

/// The columns that say what a device is and what its values mean.
fn descriptions(profile: &Profile) -> Box<[Oid]> {
    let models = profile.model.iter().map(|(oid, _)| oid.clone());
    let names = profile
        .variables
        .iter()
        .map(|variables| variables.names.oid.clone());
    models.chain(names).collect()
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
    let is_metered = |electric: &Electric| electric.current_a.or(electric.power_w).is_some();
    let phases = reading.phases.iter().any(|it| is_metered(&it.electric));
    let banks = reading.banks.iter().any(|it| is_metered(&it.electric));
    let units = reading.units.iter().any(|it| is_metered(&it.electric));
    if of_device.iter().any(Option::is_some) || phases || banks || units {
        return Kind::Full;
    }
    match reading.outlets.as_slice() {
        [] => Kind::IdentifyOnly,
        outlets if outlets.iter().any(|it| is_metered(&it.electric)) => Kind::Partial,
        _ => Kind::OutletsOnly,
    }
}

fn maker(sys_object_id: &str) -> Option<&'static str> {
    MAKERS
        .iter()
        .find(|(root, _)| is_under(sys_object_id, root))
        .map(|(_, name)| *name)
}

fn says_pdu(descr: &str) -> bool {
    let descr = descr.to_lowercase();
    let words = [
        "pdu",
        "power distribution",
        "power distributed",
        "expert power control",
    ];
    words.iter().any(|words| descr.contains(words))
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let rest = text.split_once(before)?.1;
    let end = rest.find(after).filter(|_| !after.is_empty());
    let found = rest[..end.unwrap_or(rest.len())].trim();
    (!found.is_empty()).then(|| found.to_owned())
}

fn over() -> Fault {
    Fault::new(
        rackwarden_base::fault::FaultKind::Malformed,
        "the identification is over",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_base::fault::FaultKind;
    use rackwarden_base::rng::Rng;
    use rackwarden_snmp::{ErrorStatus, SnmpAnswer, VarBind};

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
