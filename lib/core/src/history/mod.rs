//! What values were over time: noted by plugins as they measure, kept in three levels (docs/history.md), and read as
//! curves of smallest, mean and highest. Files are behind a trait; how a curve is drawn is not known here.

mod archive;
mod bins;
mod hour;
mod index;
mod recent;
mod record;
mod storage;

pub use archive::{Append, Archive, Op, Outcome, Reading, Recall};
pub use recent::{History, Memory, MemoryJob, Query, Question, SeriesId};
pub use record::Cell;
pub use storage::{File, MemoryStorage, Storage};

use crate::time::Wall;
use std::sync::Arc;
use std::time::Duration;

/// The series of the power of all PDUs.
pub const TOTAL: &str = "power.total";

/// The name of the series of a team's power.
pub fn of_team(name: &str) -> String {
    format!("power.team/{name}")
}

/// The name of the series of a PDU's power.
pub fn of_pdu(name: &str) -> String {
    format!("power.pdu/{name}")
}

/// The name of the series that an alert judges, where there is one.
pub fn of_alert(name: &str) -> Option<String> {
    let (kind, thing) = name.split_once(':')?;
    Some(match kind {
        "power.limit" | "power.soft" | "power.unreachable" => match thing.strip_suffix(" (team)") {
            Some(team) => of_team(team),
            None if matches!(thing, "site (soft)" | "site (hard)") => TOTAL.to_owned(),
            None => of_pdu(thing),
        },
        "monitor.cpu" => "host.cpu".to_owned(),
        "monitor.memory" => "host.memory".to_owned(),
        "monitor.disk" => format!("host.disk/{thing}"),
        "monitor.cpu_temperature" | "monitor.gpu_temperature" | "monitor.disk_temperature" => {
            format!("host.temperature/{thing}")
        }
        _ => return None,
    })
}

/// A series as a legend names it.
pub fn line_name(series: &str) -> String {
    match series.split_once('/') {
        Some(("host.network_receive", name)) => format!("{name} received"),
        Some(("host.network_transmit", name)) => format!("{name} sent"),
        Some((_, name)) => name.to_owned(),
        None if series == TOTAL => "all PDUs".to_owned(),
        None => series.rsplit('.').next().unwrap_or(series).to_owned(),
    }
}

/// The unit of a series, in which it is kept and drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Real power.
    #[default]
    Watts,
    /// 0 to 100.
    Percent,
    /// Degrees Celsius.
    Celsius,
    /// Bytes in each second.
    BytesPerSecond,
    /// A bare number, such as a load average.
    Count,
}

impl Unit {
    /// As it stands behind a number.
    pub const fn symbol(self) -> &'static str {
        match self {
            Unit::Watts => "W",
            Unit::Percent => "%",
            Unit::Celsius => "°C",
            Unit::BytesPerSecond => "B/s",
            Unit::Count => "",
        }
    }
}

impl Unit {
    /// As it stands in files.
    const fn number(self) -> u8 {
        match self {
            Unit::Watts => 0,
            Unit::Percent => 1,
            Unit::Celsius => 2,
            Unit::BytesPerSecond => 3,
            Unit::Count => 4,
        }
    }

    fn of_number(number: u8) -> Option<Unit> {
        let all = [
            Unit::Watts,
            Unit::Percent,
            Unit::Celsius,
            Unit::BytesPerSecond,
            Unit::Count,
        ];
        all.get(usize::from(number)).copied()
    }
}

/// A series by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// As `Curve::name`.
    pub name: Arc<str>,
    /// Of its values.
    pub unit: Unit,
}

/// Recent values of one series, oldest first, one each `step_s`.
#[derive(Clone, Debug, Default)]
pub struct Spark {
    /// As in `Curve`: `power.total`, `power.pdu/alpha`, `host.cpu`.
    pub name: Arc<str>,
    /// Of the values.
    pub unit: Unit,
    /// NaN where there was no reading.
    pub values: Vec<f32>,
    /// Seconds from one value to the next.
    pub step_s: u32,
}

/// What one series was between two moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// `power.total`, `power.pdu/alpha`, `power.team/Team Alpha`, `host.cpu`, `host.disk//var`, `host.temperature/cpu_thermal`.
    pub name: Arc<str>,
    /// Of every value in it.
    pub unit: Unit,
    /// The beginning of the first point.
    pub start: Wall,
    /// What one point covers.
    pub step: Duration,
    /// One for each step; `None` where nothing was measured.
    pub points: Vec<Option<Span>>,
    /// For how long something was measured, in all points together.
    pub measured: Duration,
    /// The first moment of that.
    pub begins: Option<Wall>,
}

/// What a value was during one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// Smallest.
    pub min: f32,
    /// Mean over what was measured.
    pub avg: f32,
    /// Highest.
    pub max: f32,
}
