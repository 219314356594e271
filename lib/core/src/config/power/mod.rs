//! The configuration of power: `[power]`, `[[pdu]]`, `[[team]]` and `[[profile]]`.

mod print;
mod read;
mod user;

pub use read::host;

use crate::config::effective::Writer;
use crate::config::units::EnergyPrice;
use crate::config::{Config, Section, suggest};
use crate::pdu::Profiles;
use crate::small::SmallMap;
use crate::snmp::Credentials;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The tables of this plugin.
pub const SECTION: Section = Section {
    name: "power",
    tables: &["power", "pdu", "team", "profile"],
    long: &["pdu"],
    on_by_default: false,
    read: Some(|tables| Arc::new(read::read(tables))),
};

/// Everything that those tables say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Time from one poll of a device to the next.
    pub interval: Duration,
    /// Wait for one request before it is sent again.
    pub timeout: Duration,
    /// How often it is sent again.
    pub retries: u8,
    /// A device that has not answered for so long is unreachable.
    pub unreachable_after: Duration,
    /// Over all PDUs.
    pub site: Limits,
    /// What energy costs, for `/energy`.
    pub energy_price: Option<EnergyPrice>,
    /// `[[pdu]]`, in file order.
    pub pdus: Vec<PduConfig>,
    /// `[[team]]` and teams that only PDUs name, in the order of first mention.
    pub teams: Vec<TeamConfig>,
    /// The profiles of this version, and those of `[[profile]]` and of the folder in `[power] profiles`.
    pub profiles: Profiles,
    /// Values that only printing needs.
    pub written: Written,
}

/// Where values came from: enough to print the tables again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Whether there is a `[power]`.
    pub has_power_table: bool,
    /// `[power] profiles`
    pub folder: Option<PathBuf>,
    /// `[[profile]]`, as they were written.
    pub profiles: String,
    /// `[power] limit`, which PDUs and teams inherit.
    pub limit: Option<Limits>,
    /// `snmp_v3` and `write_v3` of PDUs by their index, in TOML.
    pub v3: SmallMap<usize, String>,
}

/// A power limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Above this an alert fires, in watts.
    pub on_w: f64,
    /// At or below this it ends, in watts.
    pub off_w: f64,
}

/// Soft (warning) and hard (critical) limit of one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Warns.
    pub soft: Option<Limit>,
    /// Critical.
    pub hard: Option<Limit>,
}

/// Where a device is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A literal address.
    Ip(SocketAddr),
    /// A name to be looked up, and the port.
    Name(Box<str>, u16),
}

/// `[[pdu]]`
#[derive(Clone, Debug, PartialEq)]
pub struct PduConfig {
    /// Unique name.
    pub name: Arc<str>,
    /// Where it is.
    pub host: Host,
    /// As whom it is read.
    pub credentials: Credentials,
    /// As whom it is written to, for resets and switching.
    pub write: Option<Credentials>,
    /// Profile name, or `None` for detection.
    pub profile: Option<Arc<str>>,
    /// Limits, those of `[power]` when the table sets none.
    pub limits: Limits,
    /// Nothing sets any, so the threshold that the device itself has stands for one.
    pub device_limit: bool,
    /// Index into `Settings::teams`.
    pub team: Option<u32>,
    /// A chained unit behind the address; all of them when absent.
    pub unit: Option<u16>,
    /// Accept answers from another address.
    pub any_source: bool,
}

impl Limit {
    /// A device's own threshold, with the usual hysteresis.
    pub fn of_device(on_w: f64) -> Limit {
        Limit {
            on_w,
            off_w: on_w * 0.97,
        }
    }
}

/// `[[team]]`
#[derive(Clone, Debug, PartialEq)]
pub struct TeamConfig {
    /// Unique name.
    pub name: Arc<str>,
    /// Limits over the sum.
    pub limits: Limits,
    /// Its PDUs as indices into `Settings::pdus`.
    pub members: Vec<u32>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            interval: Duration::from_secs(2),
            timeout: Duration::from_millis(500),
            retries: 1,
            unreachable_after: Duration::from_secs(10),
            site: Limits::default(),
            energy_price: None,
            pdus: Vec::new(),
            teams: Vec::new(),
            profiles: Profiles::builtin(),
            written: Written::default(),
        }
    }
}

/// The settings of this plugin in a configuration.
pub fn settings(config: &Config) -> &Settings {
    static DEFAULT: LazyLock<Settings> = LazyLock::new(Settings::default);
    config.of().unwrap_or_else(|| &*DEFAULT)
}

/// The same, to be changed.
pub fn settings_mut(config: &mut Config) -> &mut Settings {
    config.of_mut()
}

impl crate::config::Settings for Settings {
    fn name(&self) -> &'static str {
        SECTION.name
    }

    fn is_used(&self) -> bool {
        self.written.has_power_table || !self.pdus.is_empty()
    }

    fn idle_warning(&self) -> Option<&'static str> {
        let warning = "plugins: `power` is not among them, so no [[pdu]] is read";
        (!self.pdus.is_empty()).then_some(warning)
    }

    fn print(&self, _house: &Config, writer: &mut Writer) {
        print::print(self, writer);
    }

    fn secrets(&self) -> Vec<&str> {
        let all = self.pdus.iter().flat_map(|pdu| {
            let write = pdu.write.iter();
            write.chain([&pdu.credentials])
        });
        all.flat_map(Credentials::secrets).collect()
    }

    fn cross(&self, _config: &Config) -> Vec<String> {
        let mut warnings = self.empty_teams();
        warnings.extend(self.watched_twice());
        warnings
    }

    fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![("PDU", self.pdus.len()), ("team", self.teams.len())]
    }

    fn round(&self) -> Duration {
        self.interval
    }
}

impl Settings {
    /// One line for each PDU that is another one already: the sums would count it twice.
    fn watched_twice(&self) -> Vec<String> {
        let mut by_host: Vec<&PduConfig> = self.pdus.iter().collect();
        // One without a unit is all of them, and comes first.
        crate::small::sort_by_key(&mut by_host, |pdu: &&PduConfig| {
            (pdu.host.clone(), pdu.unit)
        });
        let mut lines = Vec::new();
        for same in by_host.chunk_by(|one, other| one.host == other.host) {
            for (at, other) in same.iter().enumerate().skip(1) {
                let twin = match same[0].unit {
                    None => same[0],
                    Some(_) => same[at - 1],
                };
                if twin.unit.is_none() || twin.unit == other.unit {
                    let (one, other) = (&twin.name, &other.name);
                    lines.push(format!(
                        "[[pdu]]: `{one}` and `{other}` are the same device; sums count it twice"
                    ));
                }
            }
        }
        lines
    }

    /// One line for each team that watches nothing: as a rule a name that was mistyped at a PDU.
    fn empty_teams(&self) -> Vec<String> {
        let (empty, others): (Vec<_>, Vec<_>) =
            self.teams.iter().partition(|team| team.members.is_empty());
        let others = || others.iter().map(|team| &*team.name);
        let line = |team: &TeamConfig| {
            let name = &team.name;
            let hint = suggest::nearest(name, others())
                .map_or(String::new(), |near| format!("; some are in `{near}`"));
            format!("[[team]]: no PDU is in `{name}`{hint}")
        };
        empty.into_iter().map(line).collect()
    }
}
