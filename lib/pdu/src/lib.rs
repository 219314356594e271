//! Rack PDUs: what a family answers (`Profile` tables), how a device is identified, and what a reading is.

pub mod ask;
pub mod discover;
pub mod identify;
mod layout;
pub mod plan;
pub mod profile;
mod profiles;
mod rating;
pub mod read;
pub mod record;
pub mod simulated;
pub mod value;

pub use identify::{Identified, Identify};
pub use plan::Plan;
pub use profile::Profile;
pub use profiles::{Profiles, Source};
pub use rating::{Rated, RatedPart};

use rackwarden_base::time::Wall;

/// Everything one poll of one device said. `None` means that the device did not say it, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Real power of the whole device in watts.
    pub power_w: Option<f64>,
    /// Apparent power of the whole device in volt-amperes.
    pub apparent_va: Option<f64>,
    /// Real by apparent power of the whole device, above 0 and at most 1; `None` with several units or inlets.
    pub power_factor: Option<f32>,
    /// Current of the single inlet in amperes; `None` with several phases or inlets.
    pub current_a: Option<f64>,
    /// Voltage of the single inlet in volts; `None` with several phases or inlets.
    pub voltage_v: Option<f64>,
    /// Lifetime energy in kilowatt-hours (the resettable meter where there is no other).
    pub energy_kwh: Option<f64>,
    /// Highest power since the device's last reset, in watts.
    pub peak_w: Option<f64>,
    /// When that was, by the device's own clock.
    pub peak_at: Option<DeviceTime>,
    /// Since when the peak counts, by the device's own clock.
    pub peak_since: Option<DeviceTime>,
    /// Power above which the device itself warns of an overload, in watts.
    pub limit_w: Option<f64>,
    /// Current that each line of the single inlet is rated for, in amperes.
    pub rating_a: Option<f32>,
    /// Power that the device is rated for, in watts; `None` with several units or inlets.
    pub rating_w: Option<f32>,
    /// Time since the device's management started, in hundredths of a second (`sysUpTime`).
    pub uptime_ticks: Option<u32>,
    /// What each unit behind the agent says; empty where there is one.
    pub units: Vec<UnitReading>,
    /// Phases, in the device's order.
    pub phases: Vec<PhaseReading>,
    /// Banks and breakers.
    pub banks: Vec<BankReading>,
    /// Outlets.
    pub outlets: Vec<OutletReading>,
    /// Temperature probes; NaN where none is attached (`attached` leaves those out).
    pub temperatures: Vec<ProbeReading>,
    /// Humidity probes in percent; NaN where none is attached.
    pub humidities: Vec<ProbeReading>,
}

impl Reading {
    /// Without the probes that are not attached.
    #[must_use]
    pub fn attached(mut self) -> Reading {
        self.temperatures.retain(|probe| probe.value.is_finite());
        self.humidities.retain(|probe| probe.value.is_finite());
        self
    }
}

/// What is measured of one thing that carries current.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Electric {
    /// Real power in watts.
    pub power_w: Option<f64>,
    /// Apparent power in volt-amperes.
    pub apparent_va: Option<f64>,
    /// Real by apparent power as the device tells it, above 0 and at most 1.
    pub power_factor: Option<f32>,
    /// Current in amperes.
    pub current_a: Option<f64>,
    /// Voltage in volts.
    pub voltage_v: Option<f64>,
    /// Energy in kilowatt-hours.
    pub energy_kwh: Option<f64>,
}

impl Electric {
    /// Takes what a column of a table holds; columns of other things are none of these.
    fn set(&mut self, field: profile::Field, value: Option<f64>) {
        use profile::Field;
        match field {
            Field::Power => self.power_w = value,
            Field::Apparent => self.apparent_va = value,
            Field::Factor => self.power_factor = value.and_then(power_factor),
            Field::Current => self.current_a = value,
            Field::Voltage => self.voltage_v = value,
            Field::Energy => self.energy_kwh = value,
            Field::Rating | Field::On | Field::Temperature | Field::Humidity | Field::Name => {}
        }
    }
}

/// A power factor that can be one; below 0 the load is capacitive. What tells none says 0 or -1, and without a load
/// there is none.
fn power_factor(told: f64) -> Option<f32> {
    let told = told.abs();
    (told > 0.01 && told <= 1.0).then_some(told as f32)
}

/// One of several units (or inlets) behind an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UnitReading {
    /// Counted from 1.
    pub index: u16,
    /// What is measured of it.
    pub electric: Electric,
}

/// One phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PhaseReading {
    /// Counted from 1.
    pub index: u16,
    /// Current that it is rated for, in amperes.
    pub rating_a: Option<f32>,
    /// What is measured of it.
    pub electric: Electric,
}

/// One bank or breaker.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BankReading {
    /// Counted from 1.
    pub index: u16,
    /// Its name on the device, empty when it has none.
    pub name: Box<str>,
    /// Current that its breaker is rated for, in amperes.
    pub rating_a: Option<f32>,
    /// What is measured of it.
    pub electric: Electric,
}

/// One outlet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutletReading {
    /// As the device counts.
    pub index: u16,
    /// Its name on the device, empty when it has none.
    pub name: Box<str>,
    /// Switched on.
    pub on: Option<bool>,
    /// What is measured of it.
    pub electric: Electric,
}

/// One probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeReading {
    /// Its name on the device.
    pub name: Box<str>,
    /// Degrees Celsius, or percent for humidity.
    pub value: f64,
}

/// A time by the device's own clock, without a zone: seconds since the epoch as if it were UTC. That clock may
/// be wrong, so it decides nothing.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct DeviceTime(pub i64);

impl DeviceTime {
    /// The moment it would be if the device's clock were right and in this zone.
    pub fn to_wall(self, zone: &rackwarden_base::time::Zone) -> Wall {
        let civil = jiff::Timestamp::from_second(self.0)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .datetime();
        match civil.to_zoned(zone.inner().clone()) {
            Ok(zoned) => Wall(zoned.timestamp().as_millisecond()),
            Err(_) => Wall(self.0.saturating_mul(1000)),
        }
    }
}

/// What sort of device answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PDU with readings.
    Full,
    /// A PDU of which only some readings are there.
    Partial,
    /// A switch without metering.
    OutletsOnly,
    /// Vendor known, no readings.
    IdentifyOnly,
    /// Something else.
    NotAPdu,
}

impl Kind {
    /// As `probe --json` prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::Partial => "partial",
            Kind::OutletsOnly => "outlets-only",
            Kind::IdentifyOnly => "identify-only",
            Kind::NotAPdu => "not-a-pdu",
        }
    }
}
