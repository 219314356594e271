//! What a device family answers, as data: which objects hold which quantity, in which unit, with which
//! words for "not available". No family needs code; `identify` and `decode` read these tables.

use super::{apc_epdu, apc_rpdu, apc_rpdu2};

/// Every family, the specific before the generic. A new one is one file and one line here.
pub const VENDORS: &[&Vendor] = &[
    &apc_rpdu2::APC_RPDU2,
    &apc_rpdu::APC_RPDU,
    &apc_epdu::APC_EPDU,
    &apc_epdu::APC_EPDU_TEXT,
];

/// One family of devices: one profile.
#[derive(Debug)]
pub struct Vendor {
    /// Name of the profile, as the configuration writes it.
    pub profile: &'static str,
    /// Name of the maker.
    pub vendor: &'static str,
    /// What the maker calls the family.
    pub title: &'static str,
    /// Models that are known to belong to it.
    pub models: &'static [&'static str],
    /// How sure the table is.
    pub evidence: Evidence,
    /// Prefixes of sysObjectID. They only order the candidates: what the device answers decides.
    pub sys_object_ids: &'static [&'static str],
    /// Parts of sysDescr. They order the candidates too.
    pub sys_descrs: &'static [&'static str],
    /// One of these must hold a value that is not a sentinel, or the device is of another family.
    pub decisive: &'static [Column],
    /// Where the model's name stands, in order of preference.
    pub model: &'static [Model],
    /// A column with one row for each unit (or inlet) behind the agent; `None` for a family without chains.
    pub units: Option<Rows>,
    /// Quantities of a unit or of everything behind the agent. Several columns for one quantity are
    /// alternatives, the best first; a power that none gives is the sum of the unit's phases.
    pub device: &'static [(Quantity, Column)],
    /// Phases, banks, outlets and probes. Tables of one kind are merged row by row, the first one wins.
    pub tables: &'static [Table],
    /// How the peak is reset.
    pub peak_reset: Option<Reset>,
    /// Most objects that are asked in one request.
    pub max_oids: usize,
}

/// Where the knowledge of a family comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Recordings of real devices, by name.
    Recorded(&'static [&'static str]),
    /// The maker's MIB alone; no recording has proven it.
    Mib,
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
}

/// An object, or a column of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// The object without its instance.
    pub oid: &'static str,
    /// What the instance says.
    pub scope: Scope,
    /// How the value is written.
    pub form: Form,
    /// Numbers that mean "not available".
    pub absent: &'static [i64],
}

/// To what an object of the device belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scope {
    /// To everything behind the agent; the instance is what stands here.
    Whole(&'static [u32]),
    /// To the unit that answers, but not to those chained behind it.
    Host(&'static [u32]),
    /// To each unit; the instance has this shape.
    Unit(&'static [Part]),
}

/// A part of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The number of the unit in a chain.
    Unit,
    /// The number of the row.
    Row,
    /// Always this number.
    Fixed(u32),
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// A number (or its digits as text), times this factor.
    Number(f64),
    /// A number in a temperature scale that starts at 32, times this factor.
    Fahrenheit(f64),
    /// Text that begins with a number; the unit behind it (`W`, `kW`, `A`, `mA`, …) gives the factor.
    WithUnit,
    /// A switch: these numbers mean on, those off.
    Switch {
        /// Numbers that mean on.
        on: &'static [i64],
        /// Numbers that mean off.
        off: &'static [i64],
    },
    /// A time by the device's clock, as text or in UNIX seconds.
    Time,
    /// Text.
    Text,
}

/// Rows of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows {
    /// A column that every row has.
    pub oid: &'static str,
    /// What its instance says.
    pub shape: &'static [Part],
}

/// A table of phases, banks, outlets or probes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Table {
    /// What its rows are.
    pub kind: RowKind,
    /// The column that is walked to find them, and what the instances mean.
    pub rows: Rows,
    /// At most so many rows are read.
    pub cap: usize,
    /// A column with the number of the unit, where the instance has none.
    pub unit: Option<&'static str>,
    /// A column with the number of the row within its unit, where the instance is not that.
    pub number: Option<&'static str>,
    /// A column and the values of it that make a row one of this table. A row without that column stays.
    pub keep: Option<Keep>,
    /// True when a row with a blank name is padding.
    pub blank_name_is_padding: bool,
    /// What the rows hold.
    pub columns: &'static [(Field, Form, &'static str, &'static [i64])],
}

/// Which rows belong to a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keep {
    /// The column that says so.
    pub oid: &'static str,
    /// Whether rows with these values are the ones to keep, or the ones to leave out.
    pub keep: bool,
    /// The values.
    pub values: &'static [i64],
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

/// What a column of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Real power in watts.
    Power,
    /// Current in amperes.
    Current,
    /// Voltage in volts.
    Voltage,
    /// Switched on.
    On,
    /// Degrees Celsius.
    Temperature,
    /// Relative humidity in percent.
    Humidity,
    /// Its name.
    Name,
}

/// Where the name of the model stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Model {
    /// In this object.
    Object(&'static str),
    /// In sysDescr between these two pieces of text, or to its end.
    Descr(&'static str, &'static str),
    /// These very words, when sysDescr holds them.
    Words(&'static str),
}

/// A SET that makes the device forget its peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reset {
    /// The object without its instance.
    pub oid: &'static str,
    /// What its instance says.
    pub scope: Scope,
    /// The INTEGER to write.
    pub value: i64,
    /// What it reads when the device cannot do it.
    pub unsupported: &'static [i64],
}

impl Column {
    /// One object that speaks for everything behind the agent.
    pub const fn whole(oid: &'static str, form: Form, absent: &'static [i64]) -> Column {
        Column {
            oid,
            scope: Scope::Whole(&[0]),
            form,
            absent,
        }
    }

    /// One object that speaks for the answering unit.
    pub const fn host(
        oid: &'static str,
        instance: &'static [u32],
        form: Form,
        absent: &'static [i64],
    ) -> Column {
        Column {
            oid,
            scope: Scope::Host(instance),
            form,
            absent,
        }
    }

    /// A column with one row for each unit, its number being the instance.
    pub const fn unit(oid: &'static str, form: Form, absent: &'static [i64]) -> Column {
        Column {
            oid,
            scope: Scope::Unit(&[Part::Unit]),
            form,
            absent,
        }
    }
}

impl Vendor {
    /// The family with this profile name.
    pub fn named(profile: &str) -> Option<&'static Vendor> {
        VENDORS
            .iter()
            .copied()
            .find(|vendor| vendor.profile == profile)
    }

    /// How well what the device says of itself fits: the longer the matching prefix the better, then
    /// sysDescr; 0 when nothing fits.
    pub fn affinity(&self, sys_object_id: Option<&str>, sys_descr: Option<&str>) -> usize {
        let by_id = sys_object_id.map_or(0, |id| {
            self.sys_object_ids
                .iter()
                .filter(|prefix| is_under(id, prefix))
                .map(|prefix| 100 + prefix.len())
                .max()
                .unwrap_or(0)
        });
        let by_descr = sys_descr.map_or(0, |descr| {
            let fits = self.sys_descrs.iter().any(|part| descr.contains(part));
            usize::from(fits) * 50
        });
        by_id + by_descr
    }
}

/// True when the dotted `oid` is `prefix` or lies below it.
pub fn is_under(oid: &str, prefix: &str) -> bool {
    oid.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Makers by the root of their sysObjectID, so that a device without a profile is at least named.
pub const MAKERS: &[(&str, &str)] = &[
    ("1.3.6.1.4.1.318", "APC"),
    ("1.3.6.1.4.1.232.165", "HPE"),
    ("1.3.6.1.4.1.534.6.6", "Eaton"),
    ("1.3.6.1.4.1.476.1.42", "Vertiv"),
    ("1.3.6.1.4.1.674.10903.200", "Dell"),
    ("1.3.6.1.4.1.850.1", "Tripp Lite"),
    ("1.3.6.1.4.1.1718", "Server Technology"),
    ("1.3.6.1.4.1.2606", "Rittal"),
    ("1.3.6.1.4.1.3808.1.1.6", "CyberPower"),
    ("1.3.6.1.4.1.2634", "WTI"),
    ("1.3.6.1.4.1.10418.17", "Avocent"),
    ("1.3.6.1.4.1.13742", "Raritan"),
    ("1.3.6.1.4.1.17420", "DigiPower"),
    ("1.3.6.1.4.1.19536", "Panduit"),
    ("1.3.6.1.4.1.21239", "Vertiv"),
    ("1.3.6.1.4.1.21317", "ATEN"),
    ("1.3.6.1.4.1.28402", "Conteg"),
    ("1.3.6.1.4.1.28507", "Gude"),
    ("1.3.6.1.4.1.31034", "Schleifenbauer"),
    ("1.3.6.1.4.1.38446", "nVent Enlogic"),
    ("1.3.6.1.4.1.39145", "ICT"),
    ("1.3.6.1.4.1.55108", "Riedo Networks"),
];

/// Roots of sysObjectIDs of the same makers' devices that are no PDUs (UPSs).
pub const NOT_PDUS: &[&str] = &["1.3.6.1.4.1.318.1.3.2"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_a_name_of_its_own_and_something_that_decides() {
        for (position, vendor) in VENDORS.iter().enumerate() {
            assert!(!vendor.decisive.is_empty(), "{}", vendor.profile);
            assert!(
                VENDORS[..position]
                    .iter()
                    .all(|earlier| earlier.profile != vendor.profile)
            );
            assert!(vendor.max_oids > 0 && vendor.max_oids <= 20);
        }
    }

    #[test]
    fn a_prefix_ends_at_a_dot() {
        assert!(is_under("1.3.6.1.4.1.318.1", "1.3.6.1.4.1.318"));
        assert!(is_under("1.3.6.1.4.1.318", "1.3.6.1.4.1.318"));
        assert!(!is_under("1.3.6.1.4.1.3180", "1.3.6.1.4.1.318"));
    }

    #[test]
    fn the_longer_prefix_wins() {
        let rack = apc_rpdu2::APC_RPDU2.affinity(Some("1.3.6.1.4.1.318.1.3.4.6"), None);
        let first = apc_rpdu::APC_RPDU.affinity(Some("1.3.6.1.4.1.318.1.3.4.6"), None);
        assert!(rack > first);
    }
}
