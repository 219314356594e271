//! What a device family answers, as data: which objects hold which quantity, in which unit, with which
//! numbers for "not available". No family needs code; `identify`, `layout` and `plan` read these tables. They are
//! written in TOML (`docs/profiles.md`): those that come with the agent in `lib/pdu/profiles`, others by its users.

pub use super::value::{Few, Form};
use rackwarden_snmp::{Oid, Value};
use std::sync::Arc;

/// What is known of a family before one of its devices was found: enough to recognise it.
#[derive(Debug)]
pub struct Head {
    /// Name of the profile, as the configuration writes it.
    pub name: Box<str>,
    /// Name of the maker.
    pub vendor: Box<str>,
    /// What the maker calls the family.
    pub title: Box<str>,
    /// Models that are known to belong to it.
    pub models: Box<[Box<str>]>,
    /// Name of the MIB.
    pub mib: Box<str>,
    /// Recordings of real devices that prove it, by name; none means that it is from the MIB alone.
    pub recorded: Box<[Box<str>]>,
    /// True when its devices are rack PDUs; a UPS is read only when the configuration names the profile.
    pub is_pdu: bool,
    /// True for a generic MIB, which is tried when no maker's profile fits.
    pub is_fallback: bool,
    /// What stands before every OID that begins with a dot. Makers that share a MIB have one each; a `*` is the
    /// number that stands there in the device's sysObjectID.
    pub bases: Box<[Box<str>]>,
    /// Prefixes of sysObjectID. They only order the candidates: what the device answers decides.
    pub sys_object_ids: Box<[Box<str>]>,
    /// Parts of sysDescr. They order the candidates too.
    pub sys_descrs: Box<[Box<str>]>,
    /// The built-in profile that this one is but for its head.
    pub like: Option<Box<str>>,
    /// A device that holds a value in one of these columns, or has one of these words in sysDescr, is something else (a
    /// UPS), whatever else it answers.
    pub unless: Box<[Box<str>]>,
    /// One of these columns must hold a value that is not a sentinel, or the device is of another family.
    pub decides: Box<[Box<str>]>,
    /// Numbers that mean "not available" in this family, where an object says nothing else.
    pub absent: Few,
    /// Where the model's name stands, in order of preference.
    pub model: Box<[Model]>,
    /// Most objects that are asked in one request.
    pub max_oids: usize,
}

/// One family of devices, with one of its bases.
#[derive(Debug)]
pub struct Profile {
    /// How it is recognised.
    pub head: Arc<Head>,
    /// The objects in which the model's name stands, and what their instance says (of the first unit).
    pub model: Box<[(Oid, Shape)]>,
    /// Columns with one row for each unit (or inlet) behind the agent; the first that the device has. Empty for a
    /// family without chains.
    pub units: Box<[Rows]>,
    /// A column of the units with the number by which tables name each, where that is not its instance.
    pub unit_number: Option<Oid>,
    /// Quantities of a unit or of everything behind the agent. Several objects for one quantity are
    /// alternatives, the best first; power, apparent power and energy that none gives are the sums of the unit's phases.
    pub device: Box<[(Quantity, Scope, Object)]>,
    /// Rows of this kind make up the whole unit, so that its power is their sum too. Phases always do.
    pub parts: Option<RowKind>,
    /// Phases, banks, outlets and probes. Tables of one kind are merged row by row, the first one wins.
    pub tables: Box<[Table]>,
    /// Values that are found by their name.
    pub variables: Box<[Variables]>,
    /// SETs that make the device forget its peak, the first of them that the device has.
    pub peak_reset: Box<[Reset]>,
    /// SETs that make the device count its energy anew, likewise.
    pub energy_reset: Box<[Reset]>,
}

/// A quantity of a whole unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Real power in watts.
    Power,
    /// Highest power since the last reset in watts.
    Peak,
    /// When that was.
    PeakAt,
    /// Since when it counts.
    PeakSince,
    /// Energy in kilowatt-hours.
    Energy,
    /// Apparent power in volt-amperes.
    Apparent,
    /// Current of the inlet in amperes.
    Current,
    /// Voltage of the inlet in volts.
    Voltage,
    /// Power in watts above which the device itself warns of an overload.
    Limit,
    /// Real by apparent power.
    Factor,
    /// Current that each line of the inlet is rated for, in amperes.
    RatedCurrent,
    /// Power that the unit is rated for, in watts.
    RatedPower,
}

impl Quantity {
    /// Every one, with its key in a profile.
    pub const NAMED: &[(&str, Quantity)] = &[
        ("power_w", Quantity::Power),
        ("peak_w", Quantity::Peak),
        ("peak_at", Quantity::PeakAt),
        ("peak_since", Quantity::PeakSince),
        ("energy_kwh", Quantity::Energy),
        ("apparent_va", Quantity::Apparent),
        ("current_a", Quantity::Current),
        ("voltage_v", Quantity::Voltage),
        ("limit_w", Quantity::Limit),
        ("power_factor", Quantity::Factor),
        ("rating_a", Quantity::RatedCurrent),
        ("rating_w", Quantity::RatedPower),
    ];
}

/// An object, or a column of a table, and how it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The object without its instance.
    pub oid: Oid,
    /// Its instance, where it is a column of a table and has another instance than the row.
    pub shape: Shape,
    /// How the value is written.
    pub form: Form,
    /// Other objects that say how to read this one.
    pub scalings: Box<[Scaling]>,
    /// Numbers that mean "not available".
    pub absent: Few,
}

/// What an instance consists of; `None` when it is that of the row.
pub type Shape = Option<Box<[Part]>>;

/// An object that says how another one is to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    /// The object; with the same instance as the other one, unless its own shape says otherwise, or it is a scalar,
    /// which ends in `.0`.
    pub oid: Oid,
    /// Its own instance.
    pub shape: Shape,
    /// What it says.
    pub says: Says,
    /// True when it is asked together with the other one, every time, and not only when the device is identified.
    pub is_live: bool,
}

/// What an object says about another one.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// Decimal digits behind the point; below 0 how many are accurate (RFC 3433).
    Digits,
    /// A divisor if it is negative, a factor if it is positive.
    Ratio,
    /// With these values the other one is in degrees Fahrenheit.
    Fahrenheit(Few),
    /// Only with these values the other one holds something.
    ValidIf(Few),
    /// With these values the other one holds nothing.
    ValidIfNot(Few),
    /// Only with this bit of its BITS (RFC 2578 section 7.1.4) the other one holds something.
    ValidIfBit(u8),
}

impl Says {
    /// True when without it nobody knows what the other object's number means.
    pub const fn is_scale(&self) -> bool {
        matches!(self, Says::Digits | Says::Ratio)
    }

    /// Whether a scale can be this; what else stands there means that it is not known.
    pub fn is_possible(&self, said: i64) -> bool {
        let most = match self {
            Says::Digits => 9,
            _ => 1_000_000,
        };
        (-most..=most).contains(&said)
    }

    /// Whether this answer lets the other object hold something. Nothing is an answer too: it says nothing.
    pub fn allows(&self, said: Option<&Value>) -> bool {
        if let (Says::ValidIfBit(bit), Some(said)) = (self, said) {
            return super::value::bit(said, *bit);
        }
        let Some(said) = said.and_then(super::value::whole) else {
            return true;
        };
        match self {
            Says::ValidIf(values) => values.contains(said),
            Says::ValidIfNot(values) => !values.contains(said),
            _ => true,
        }
    }
}

/// To what an object of the device belongs.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// To everything behind the agent; the instance is what stands here.
    Whole(Box<[u32]>),
    /// To the unit that answers, but not to those chained behind it.
    Host(Box<[u32]>),
    /// To each unit; the instance has this shape.
    Unit(Box<[Part]>),
}

/// A part of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The number of the unit in a chain.
    Unit,
    /// All that is left, which names the unit.
    UnitRest,
    /// The number of the row.
    Row,
    /// So much more than the number of the row; only where an instance is made.
    RowPlus(u32),
    /// All that is left, which names the row.
    RowRest,
    /// Always this number.
    Fixed(u32),
}

/// Rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// A column that every row has.
    pub oid: Oid,
    /// What its instance says.
    pub shape: Box<[Part]>,
    /// How many rows an instance stands for.
    pub each: Each,
}

/// How many rows an instance of a walked column stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// It is a row.
    Row,
    /// Its value is a list with commas, whose elements are the rows.
    List,
    /// Its value is how many rows there are, of which nothing else is known.
    Count,
}

/// A table of phases, banks, outlets or probes.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What its rows are.
    pub kind: RowKind,
    /// The column that is walked to find them, and what the instances mean.
    pub rows: Rows,
    /// At most so many rows are read.
    pub cap: usize,
    /// A column with the number of the unit, where the instance has none.
    pub unit: Option<Oid>,
    /// A column with the number of the row within its unit, where the instance is not that.
    pub number: Option<Number>,
    /// The number of the one row that this table has in each unit.
    pub at: Option<u32>,
    /// A column of the units with how many rows there are; what comes after them is padding.
    pub count: Option<Oid>,
    /// What makes a row one of this table. A row without the column stays.
    pub keep: Box<[Keep]>,
    /// True when it is used only in units of which the tables of the same kind before it say nothing.
    pub is_instead: bool,
    /// What the rows hold.
    pub columns: Box<[(Field, Object)]>,
    /// How its outlets are switched.
    pub switch: Option<Switch>,
}

/// A column with the number of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The column.
    pub oid: Oid,
    /// What its values mean: those in the first place number 1, and so on; a row with another value is none of this
    /// table. Empty when the value is the number.
    pub values: Box<[Few]>,
}

/// Which rows belong to a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Keep {
    /// The column that says so.
    pub oid: Oid,
    /// Its instance.
    pub shape: Shape,
    /// Whether rows with these values are the ones to keep, or the ones to leave out.
    pub keep: bool,
    /// The values that are numbers.
    pub numbers: Few,
    /// The values that are text; an empty one stands for a blank name.
    pub texts: Box<[Box<str>]>,
    /// Instead of those, the bit of its BITS (RFC 2578 section 7.1.4) that must be set.
    pub bit: Option<u8>,
}

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    /// Phases of the inlet.
    Phase,
    /// Banks, breakers or branches.
    Bank,
    /// Outlets.
    Outlet,
    /// Probes for temperature and humidity.
    Probe,
}

impl RowKind {
    /// Every one, with its key in a profile.
    pub const NAMED: &[(&str, RowKind)] = &[
        ("phase", RowKind::Phase),
        ("bank", RowKind::Bank),
        ("outlet", RowKind::Outlet),
        ("probe", RowKind::Probe),
    ];
}

/// What a column of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Real power in watts.
    Power,
    /// Current in amperes.
    Current,
    /// Voltage in volts.
    Voltage,
    /// Apparent power in volt-amperes.
    Apparent,
    /// Energy in kilowatt-hours.
    Energy,
    /// Real by apparent power.
    Factor,
    /// Current that it is rated for, in amperes.
    Rating,
    /// Switched on.
    On,
    /// Degrees Celsius.
    Temperature,
    /// Relative humidity in percent.
    Humidity,
    /// Its name.
    Name,
}

impl Field {
    /// True when a row that has it is there. Rows that are none have names, ratings, and power factors of 0.
    pub const fn tells(self) -> bool {
        !matches!(self, Field::Name | Field::Factor | Field::Rating)
    }

    /// Every one, with its key in a profile.
    pub const NAMED: &[(&str, Field)] = &[
        ("power_w", Field::Power),
        ("current_a", Field::Current),
        ("voltage_v", Field::Voltage),
        ("apparent_va", Field::Apparent),
        ("energy_kwh", Field::Energy),
        ("power_factor", Field::Factor),
        ("rating_a", Field::Rating),
        ("on", Field::On),
        ("temperature_c", Field::Temperature),
        ("humidity_pct", Field::Humidity),
        ("name", Field::Name),
    ];
}

/// Values in one long table, each with a name of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Variables {
    /// The column with the names, and what its instances mean.
    pub names: Rows,
    /// The column with the values.
    pub value: Object,
    /// The column with the values as text.
    pub text: Option<Oid>,
    /// What the names mean for a unit.
    pub device: Box<[(Quantity, Box<str>)]>,
    /// What they mean for rows; `{n}` in a name is the number of the row.
    pub rows: Box<[(RowKind, Field, Box<str>)]>,
}

/// Where the name of the model stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// In this object.
    Object(Box<str>),
    /// In sysDescr between these two pieces of text, or to its end.
    Descr(Box<str>, Box<str>),
    /// These very words, when sysDescr holds them.
    Words(Box<str>),
    /// Always this.
    Always(Box<str>),
}

/// A SET for each unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Reset {
    /// The object without its instance.
    pub oid: Oid,
    /// What its instance says.
    pub scope: Scope,
    /// What is written.
    pub value: Value,
    /// What it reads when the device cannot do it.
    pub unsupported: Few,
    /// It is for devices with such a value there.
    pub when: Option<Keep>,
}

/// The SETs that switch an outlet.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// Switches it on.
    pub on: Set,
    /// Switches it off.
    pub off: Set,
    /// Switches it off and, after the device's own delay, on again; `None` when the device cannot.
    pub cycle: Option<Set>,
    /// Lets the device take the next of these for some seconds.
    pub unlock: Option<Set>,
    /// Only outlets with such a value there can be switched. An outlet without it can.
    pub when: Option<Keep>,
}

/// A column and what is written into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// The column.
    pub oid: Oid,
    /// Its instance.
    pub shape: Shape,
    /// What is written.
    pub value: Value,
}

impl Keep {
    /// True when this value is one to keep.
    pub fn accepts(&self, value: &Value) -> bool {
        if let Some(bit) = self.bit {
            return super::value::bit(value, bit);
        }
        let is_listed = match value.as_i64() {
            Some(number) => self.numbers.contains(number),
            None => {
                let text = super::value::text(value).unwrap_or_default();
                self.texts.iter().any(|known| **known == *text)
            }
        };
        is_listed == self.keep
    }
}

impl Head {
    /// How well what the device says of itself fits: the longer the matching prefix the better, then
    /// sysDescr; 0 when nothing fits.
    pub fn affinity(&self, sys_object_id: Option<&str>, sys_descr: Option<&str>) -> usize {
        let (prefix, part) = self.fitting(sys_object_id, sys_descr);
        prefix.map_or(0, |prefix| 100 + prefix.len()) + part.map_or(0, |_| 50)
    }

    /// The prefix of sysObjectID and the part of sysDescr that fit.
    pub fn fitting(
        &self,
        sys_object_id: Option<&str>,
        sys_descr: Option<&str>,
    ) -> (Option<&str>, Option<&str>) {
        let prefixes = self.sys_object_ids.iter().map(|prefix| &**prefix);
        let prefix = sys_object_id.and_then(|id| {
            prefixes
                .filter(|prefix| is_under(id, prefix))
                .max_by_key(|prefix| prefix.len())
        });
        let mut parts = self.sys_descrs.iter().map(|part| &**part);
        let part = sys_descr.and_then(|descr| parts.find(|part| descr.contains(part)));
        (prefix, part)
    }

    /// The bases that come into question for a device with this sysObjectID.
    pub fn bases_for(&self, sys_object_id: Option<&str>) -> Vec<String> {
        let fill = |base: &str| match base.split_once('*') {
            None => Some(base.to_owned()),
            Some((before, after)) => {
                let rest = sys_object_id?.strip_prefix(before)?;
                let number: u32 = rest.split('.').next()?.parse().ok()?;
                Some(format!("{before}{number}{after}"))
            }
        };
        self.bases.iter().filter_map(|base| fill(base)).collect()
    }
}

/// The whole OID of one that may begin with a dot.
pub fn absolute(base: &str, oid: &str) -> String {
    if oid.starts_with('.') {
        format!("{base}{oid}")
    } else {
        oid.to_owned()
    }
}

/// True when the dotted `oid` is `prefix` or lies below it.
pub fn is_under(oid: &str, prefix: &str) -> bool {
    oid.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Makers by the root of their PDUs' sysObjectID, so that a device without a profile is at least named. A root that
/// other devices of theirs have too (UPSs, management boards, network sensors) is none of these.
pub const MAKERS: &[(&str, &str)] = &[
    ("1.3.6.1.4.1.2.6.223", "IBM"),
    ("1.3.6.1.4.1.318.1.3.4", "APC"),
    ("1.3.6.1.4.1.318.1.3.11", "APC"),
    ("1.3.6.1.4.1.318.1.3.15", "APC"),
    ("1.3.6.1.4.1.318.1.3.32", "APC"),
    ("1.3.6.1.4.1.318.1.1.32", "APC"),
    ("1.3.6.1.4.1.232.165.2", "HPE"),
    ("1.3.6.1.4.1.232.165.4", "HPE"),
    ("1.3.6.1.4.1.232.165.5", "HPE"),
    ("1.3.6.1.4.1.232.165.7", "HPE"),
    ("1.3.6.1.4.1.232.165.9", "HPE"),
    ("1.3.6.1.4.1.232.165.11", "HPE"),
    ("1.3.6.1.4.1.534.6.6", "Eaton"),
    ("1.3.6.1.4.1.20677", "Eaton"),
    ("1.3.6.1.4.1.705.2", "MGE"),
    ("1.3.6.1.4.1.674.10903.200", "Dell"),
    ("1.3.6.1.4.1.1718", "Server Technology"),
    ("1.3.6.1.4.1.3808.1.1.6", "CyberPower"),
    ("1.3.6.1.4.1.1418.6", "Dataprobe"),
    ("1.3.6.1.4.1.2468.1.4.2", "Ingrasys"),
    ("1.3.6.1.4.1.10456.3", "Planet"),
    ("1.3.6.1.4.1.30966.10", "FS"),
    ("1.3.6.1.4.1.34550.20", "InfraPower"),
    ("1.3.6.1.4.1.4779", "BayTech"),
    ("1.3.6.1.4.1.21695.1", "Riedo Networks"),
    ("1.3.6.1.4.1.42610.1.4.4", "Bladeshelter"),
    ("1.3.6.1.4.1.2634", "WTI"),
    ("1.3.6.1.4.1.10418.17", "Avocent"),
    ("1.3.6.1.4.1.13742.1", "Raritan"),
    ("1.3.6.1.4.1.13742.4", "Raritan"),
    ("1.3.6.1.4.1.13742.6", "Raritan"),
    ("1.3.6.1.4.1.13742.8", "Raritan"),
    ("1.3.6.1.4.1.17420", "DigiPower"),
    ("1.3.6.1.4.1.19536", "Panduit"),
    ("1.3.6.1.4.1.21239", "Vertiv"),
    ("1.3.6.1.4.1.28402", "Conteg"),
    ("1.3.6.1.4.1.31034", "Schleifenbauer"),
    ("1.3.6.1.4.1.38446", "nVent Enlogic"),
    ("1.3.6.1.4.1.39145.10", "ICT"),
    ("1.3.6.1.4.1.47952", "NETIO"),
    ("1.3.6.1.4.1.55108", "Riedo Networks"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Profiles;

    #[test]
    fn a_prefix_ends_at_a_dot() {
        assert!(is_under("1.3.6.1.4.1.318.1", "1.3.6.1.4.1.318"));
        assert!(is_under("1.3.6.1.4.1.318", "1.3.6.1.4.1.318"));
        assert!(!is_under("1.3.6.1.4.1.3180", "1.3.6.1.4.1.318"));
    }

    #[test]
    fn the_longer_prefix_wins() {
        let affinity = |name| {
            let profiles = Profiles::builtin();
            let source = profiles.named(name).expect("a profile");
            source
                .head()
                .affinity(Some("1.3.6.1.4.1.318.1.3.4.6"), None)
        };
        assert!(affinity("apc-rpdu2") > affinity("apc-rpdu"));
    }
}
