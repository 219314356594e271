//! `/api/power`, a PDU in it, and `probe --json`. A device that does not answer has no current values, only the time of
//! its last ones.

use super::view::{PduState, PowerView, SumView};
use crate::pdu::{self, BankReading, Kind, OutletReading, PhaseReading, ProbeReading, UnitReading};
use crate::plugins::power::{Host, Limits};
use crate::render::schema::Schema;
use crate::render::{List, Num, Shape, Time, num, text};
use crate::snapshot::Seen;
use crate::time::Wall;
use crate::{shape, words};
use serde::{Serialize, Serializer};

words! {
    /// States of a PDU.
    pub(super) struct State = "ok" | "over_limit" | "stale" | "unreachable" | "unknown";
    /// States of a sum.
    pub(super) struct SumState = "ok" | "over_limit" | "unknown";
    /// Sources of a limit.
    pub(super) struct LimitSource = "configuration" | "device";
    /// Parts that carry a rating.
    pub(super) struct Part = "inlet" | "phase" | "bank";
    /// States of an outlet.
    pub(super) struct Switch = "on" | "off";
}

shape! {
    /// Everything.
    pub(super) struct Power<'a> {
        /// when this was put together
        time: Time,
        /// sum over all PDUs in watts; a lower bound while site.missing is not empty
        total_power_w: Option<Num>,
        /// in the configuration's order
        pdus: Pdus<'a>,
        /// in the configuration's order
        teams: Vec<Team<'a>>,
        /// all PDUs together
        site: Site<'a>,
    }

    /// A PDU.
    pub(super) struct Pdu<'a> {
        /// its name
        name: &'a str,
        /// its team
        team: Option<&'a str>,
        /// host, with a port other than 161
        address: String,
        /// the device profile in use
        profile: Option<&'a str>,
        /// its state
        state: State,
        /// why it is in that state
        reason: Option<&'a str>,
        /// when it was last read
        time: Option<Time>,
        /// seconds since then
        age_s: Option<Num>,
        /// when it last restarted
        restarted_at: Option<Time>,
        /// watts; like all current values null while it does not answer
        power_w: Option<Num>,
        /// volt-amperes
        apparent_va: Option<Num>,
        /// real by apparent power, above 0 and at most 1; null unless the device tells it
        power_factor: Option<Num>,
        /// amperes of its single inlet
        current_a: Option<Num>,
        /// volts of its single inlet
        voltage_v: Option<Num>,
        /// power limit in watts
        limit_w: Option<Num>,
        /// who sets it; device: nothing is configured, and it has a threshold of its own
        limit_source: Option<LimitSource>,
        /// watts left to the limit, negative above it
        headroom_w: Option<Num>,
        /// watts that the device is rated for
        rating_w: Option<Num>,
        /// the inlet, phase or breaker that is nearest to what it is rated for; null where the device tells no rating
        breaker: Option<Breaker>,
        /// seconds until the (hard) limit is reached at the present trend; null when there is no rising one within an hour
        limit_in_s: Option<Num>,
        /// highest power since the last reset in watts
        peak_w: Option<Num>,
        /// when that was
        peak_time: Option<Time>,
        /// kilowatt-hours
        energy_kwh: Option<Num>,
        /// in the device's order
        phases: List<'a, PhaseReading, Phase>,
        /// where the device has any
        outlets: List<'a, OutletReading, Outlet<'a>>,
        /// attached probes
        temperatures: List<'a, ProbeReading, TemperatureProbe<'a>>,
    }

    /// A phase.
    pub(super) struct Phase {
        /// counted from 1
        index: u16,
        /// watts
        power_w: Option<Num>,
        /// amperes
        current_a: Option<Num>,
        /// volts
        voltage_v: Option<Num>,
        /// volt-amperes
        apparent_va: Option<Num>,
        /// kilowatt-hours
        energy_kwh: Option<Num>,
        /// real by apparent power, above 0 and at most 1; null unless the device tells it
        power_factor: Option<Num>,
        /// amperes that it is rated for
        rating_a: Option<Num>,
    }

    /// A part with its rating.
    pub(super) struct Breaker {
        /// what it is
        part: Part,
        /// its number; null for the inlet
        index: Option<Num>,
        /// amperes that it is rated for
        rating_a: Num,
        /// amperes that it carries
        current_a: Num,
        /// amperes left, negative above
        left_a: Num,
    }

    /// An outlet.
    pub(super) struct Outlet<'a> {
        /// as the device counts
        index: u16,
        /// its name on the device
        name: Option<&'a str>,
        /// switched on or off
        state: Option<Switch>,
        /// watts
        power_w: Option<Num>,
        /// amperes
        current_a: Option<Num>,
        /// real by apparent power, above 0 and at most 1; null unless the device tells it
        power_factor: Option<Num>,
        /// kilowatt-hours
        energy_kwh: Option<Num>,
    }

    /// A temperature probe.
    pub(super) struct TemperatureProbe<'a> {
        /// its name on the device
        name: &'a str,
        /// degrees Celsius
        temperature_celsius: Option<Num>,
    }

    /// A team.
    pub(super) struct Team<'a> {
        /// its name
        name: &'a str,
        /// watts; a lower bound while members are missing
        power_w: Option<Num>,
        /// power limit in watts
        limit_w: Option<Num>,
        /// watts left to the (hard) limit, negative above it; null below it while members are missing
        headroom_w: Option<Num>,
        /// seconds until the (hard) limit is reached at the present trend; null when there is no rising one within an hour
        limit_in_s: Option<Num>,
        /// its state
        state: SumState,
        /// members that were not read and are not in the sum
        missing: Vec<&'a str>,
    }

    /// All PDUs together.
    pub(super) struct Site<'a> {
        /// watts; a lower bound while members are missing
        power_w: Option<Num>,
        /// limit that warns, in watts
        soft_limit_w: Option<Num>,
        /// watts left to it
        soft_headroom_w: Option<Num>,
        /// limit that alarms, in watts
        hard_limit_w: Option<Num>,
        /// watts left to it
        hard_headroom_w: Option<Num>,
        /// watts left to the (hard) limit, negative above it; null below it while members are missing
        headroom_w: Option<Num>,
        /// seconds until the (hard) limit is reached at the present trend; null when there is no rising one within an hour
        limit_in_s: Option<Num>,
        /// its state
        state: SumState,
        /// members that were not read and are not in the sum
        missing: Vec<&'a str>,
    }

    /// A device that is not configured: like a PDU, with what it says it is, and with all that it measures.
    pub(super) struct ProbedPdu<'a> {
        /// where it was found
        address: &'a str,
        /// the profile that was used
        profile: Option<&'a str>,
        /// in words
        vendor: Option<&'a str>,
        /// as the device tells it
        model: Option<&'a str>,
        /// in dotted form
        sys_object_id: Option<&'a str>,
        /// as the device tells it
        sys_descr: Option<&'a str>,
        /// the sort of device
        kind: &'a str,
        /// its state
        state: State,
        /// when it was read
        time: Time,
        /// always 0
        age_s: u64,
        /// when it last restarted
        restarted_at: Option<Time>,
        /// watts
        power_w: Option<Num>,
        /// volt-amperes
        apparent_va: Option<Num>,
        /// real by apparent power
        power_factor: Option<Num>,
        /// amperes of its single inlet
        current_a: Option<Num>,
        /// volts of its single inlet
        voltage_v: Option<Num>,
        /// amperes that it is rated for
        rating_a: Option<Num>,
        /// watts that it is rated for
        rating_w: Option<Num>,
        /// the part that is nearest to its rating
        breaker: Option<Breaker>,
        /// its own peak in watts
        peak_w: Option<Num>,
        /// when that was
        peak_time: Option<Time>,
        /// kilowatt-hours
        energy_kwh: Option<Num>,
        /// in the device's order
        phases: List<'a, PhaseReading, Phase>,
        /// where the device has any
        outlets: List<'a, OutletReading, Outlet<'a>>,
        /// attached probes
        temperatures: List<'a, ProbeReading, TemperatureProbe<'a>>,
        /// attached probes
        humidities: List<'a, ProbeReading, HumidityProbe<'a>>,
        /// groups of outlets behind one breaker
        banks: List<'a, BankReading, Bank<'a>>,
        /// chained devices behind the address
        units: List<'a, UnitReading, Unit>,
    }

    /// A humidity probe.
    pub(super) struct HumidityProbe<'a> {
        /// its name on the device
        name: &'a str,
        /// 0 to 100
        relative_humidity_percent: Num,
    }

    /// A bank.
    pub(super) struct Bank<'a> {
        /// as the device counts
        index: u16,
        /// its name on the device
        name: Option<&'a str>,
        /// amperes
        current_a: Option<Num>,
        /// volts
        voltage_v: Option<Num>,
        /// watts
        power_w: Option<Num>,
        /// volt-amperes
        apparent_va: Option<Num>,
        /// kilowatt-hours
        energy_kwh: Option<Num>,
        /// real by apparent power
        power_factor: Option<Num>,
        /// amperes that it is rated for
        rating_a: Option<Num>,
    }

    /// A chained device.
    pub(super) struct Unit {
        /// its place in the chain
        index: u16,
        /// watts
        power_w: Option<Num>,
        /// volt-amperes
        apparent_va: Option<Num>,
        /// real by apparent power
        power_factor: Option<Num>,
        /// kilowatt-hours
        energy_kwh: Option<Num>,
        /// amperes
        current_a: Option<Num>,
        /// volts
        voltage_v: Option<Num>,
    }
}

/// Every PDU, made while it is written: there may be thousands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pdus<'a>(&'a PowerView, &'a Seen<'a>);

impl Shape for Pdus<'_> {
    const SCHEMA: Schema = Schema::List(&Pdu::SCHEMA);
}

impl Serialize for Pdus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = 0..self.0.pdus.len();
        serializer.collect_seq(all.filter_map(|index| pdu(self.0, self.1, index)))
    }
}

/// `/api/power`.
pub(super) fn power<'a>(view: &'a PowerView, seen: &'a Seen<'a>) -> Power<'a> {
    let teams = view.settings().teams.iter().zip(&view.teams);
    Power {
        time: Time(seen.snapshot.now.wall),
        total_power_w: num(view.site.as_ref().and_then(|site| site.power_w)),
        pdus: Pdus(view, seen),
        teams: teams
            .map(|(team, sum)| {
                let limit = limit_w(&team.limits);
                Team {
                    name: &team.name,
                    power_w: num(sum.power_w),
                    limit_w: num(limit),
                    headroom_w: num(sum_headroom(sum, limit)),
                    limit_in_s: seconds(sum.limit_in_s),
                    state: SumState(sum.state.name()),
                    missing: view.missing(sum),
                }
            })
            .collect(),
        site: site(view),
    }
}

fn site(view: &PowerView) -> Site<'_> {
    let limits = &view.settings().site;
    let sum = &view.site.clone().unwrap_or_default();
    let soft = limits.soft.map(|limit| limit.on_w);
    let hard = limits.hard.map(|limit| limit.on_w);
    Site {
        power_w: num(sum.power_w),
        soft_limit_w: num(soft),
        soft_headroom_w: num(sum_headroom(sum, soft)),
        hard_limit_w: num(hard),
        hard_headroom_w: num(sum_headroom(sum, hard)),
        headroom_w: num(sum_headroom(sum, limit_w(limits))),
        limit_in_s: seconds(sum.limit_in_s),
        state: SumState(sum.state.name()),
        missing: view.missing(sum),
    }
}

/// One PDU.
pub(super) fn pdu<'a>(view: &'a PowerView, seen: &Seen<'_>, index: usize) -> Option<Pdu<'a>> {
    let (pdu, config) = (view.pdus.get(index)?, view.settings().pdus.get(index)?);
    let power_w = pdu.live(pdu.power_w);
    let limit = limit_w(&pdu.limits(config));
    let source = match pdu.device_limit_w {
        Some(_) if config.device_limit => "device",
        _ => "configuration",
    };
    let (phases, outlets, temperatures) = match pdu.is_live() {
        true => view.parts(pdu),
        false => Default::default(),
    };
    Some(Pdu {
        name: &config.name,
        team: view.team_name(index),
        address: address(&config.host),
        profile: pdu.profile.as_ref().map(|head| &*head.name),
        state: State(pdu.state.name()),
        reason: pdu.reason.as_deref(),
        time: pdu.read.map(|(_, wall)| Time(wall)),
        age_s: num(pdu.age_s(seen.now)),
        restarted_at: pdu.restarted_at.map(Time),
        power_w: num(power_w),
        apparent_va: num(pdu.live(pdu.apparent_va)),
        power_factor: num(pdu.power_factor.filter(|_| pdu.is_live())),
        current_a: num(pdu.live(pdu.current_a)),
        voltage_v: num(pdu.live(pdu.voltage_v)),
        limit_w: num(limit),
        limit_source: limit.map(|_| LimitSource(source)),
        headroom_w: num(difference(limit, power_w)),
        rating_w: num(pdu.rating_w),
        breaker: pdu.live_rated().map(Breaker::from),
        limit_in_s: power_w.and(seconds(pdu.limit_in_s)),
        peak_w: num(pdu.peak_w),
        peak_time: pdu.peak_time.map(Time),
        energy_kwh: num(pdu.energy_kwh),
        phases: List::of(phases),
        outlets: List::of(outlets),
        temperatures: List::of(temperatures),
    })
}

impl From<&PhaseReading> for Phase {
    fn from(phase: &PhaseReading) -> Phase {
        Phase {
            index: phase.index,
            power_w: num(phase.electric.power_w),
            current_a: num(phase.electric.current_a),
            voltage_v: num(phase.electric.voltage_v),
            apparent_va: num(phase.electric.apparent_va),
            energy_kwh: num(phase.electric.energy_kwh),
            power_factor: num(phase.electric.power_factor),
            rating_a: num(phase.rating_a),
        }
    }
}

impl From<pdu::Rated> for Breaker {
    fn from(rated: pdu::Rated) -> Breaker {
        Breaker {
            part: Part(rated.part.name()),
            index: num(rated.part.index()),
            rating_a: Num(rated.rating_a.into()),
            current_a: Num(rated.current_a.into()),
            left_a: Num(rated.left_a()),
        }
    }
}

impl<'a> From<&'a OutletReading> for Outlet<'a> {
    fn from(outlet: &'a OutletReading) -> Outlet<'a> {
        Outlet {
            index: outlet.index,
            name: named(&outlet.name),
            state: outlet.on.map(|on| Switch(if on { "on" } else { "off" })),
            power_w: num(outlet.electric.power_w),
            current_a: num(outlet.electric.current_a),
            power_factor: num(outlet.electric.power_factor),
            energy_kwh: num(outlet.electric.energy_kwh),
        }
    }
}

impl<'a> From<&'a ProbeReading> for TemperatureProbe<'a> {
    fn from(probe: &'a ProbeReading) -> TemperatureProbe<'a> {
        TemperatureProbe {
            name: &probe.name,
            temperature_celsius: Some(Num(probe.value)),
        }
    }
}

impl<'a> From<&'a ProbeReading> for HumidityProbe<'a> {
    fn from(probe: &'a ProbeReading) -> HumidityProbe<'a> {
        HumidityProbe {
            name: &probe.name,
            relative_humidity_percent: Num(probe.value),
        }
    }
}

impl<'a> From<&'a BankReading> for Bank<'a> {
    fn from(bank: &'a BankReading) -> Bank<'a> {
        Bank {
            index: bank.index,
            name: named(&bank.name),
            current_a: num(bank.electric.current_a),
            voltage_v: num(bank.electric.voltage_v),
            power_w: num(bank.electric.power_w),
            apparent_va: num(bank.electric.apparent_va),
            energy_kwh: num(bank.electric.energy_kwh),
            power_factor: num(bank.electric.power_factor),
            rating_a: num(bank.rating_a),
        }
    }
}

impl From<&UnitReading> for Unit {
    fn from(unit: &UnitReading) -> Unit {
        Unit {
            index: unit.index,
            power_w: num(unit.electric.power_w),
            apparent_va: num(unit.electric.apparent_va),
            power_factor: num(unit.electric.power_factor),
            energy_kwh: num(unit.electric.energy_kwh),
            current_a: num(unit.electric.current_a),
            voltage_v: num(unit.electric.voltage_v),
        }
    }
}

/// One answer to `probe`: a device that is not configured.
#[derive(Debug)]
pub struct Probed<'a> {
    /// Where it was found, `HOST` or `HOST:PORT`.
    pub address: &'a str,
    /// The profile that was used.
    pub profile: Option<&'a str>,
    /// When it was read.
    pub time: Wall,
    /// When it was last restarted.
    pub restarted_at: Option<Wall>,
    /// Its readings.
    pub reading: &'a pdu::Reading,
    /// When its peak was, in our time.
    pub peak_time: Option<Wall>,
    /// Vendor in words.
    pub vendor: Option<&'a str>,
    /// Model as the device tells it.
    pub model: Option<&'a str>,
    /// `sysObjectID` in dotted form.
    pub sys_object_id: Option<&'a str>,
    /// `sysDescr`.
    pub sys_descr: Option<&'a str>,
    /// What sort of device it is.
    pub kind: Kind,
}

/// What `probe --json` prints: like an element of `pdus`, without `name`, `team` and `limit_w`, with what
/// the device says it is, and with all that it measures.
pub fn reading_object(probed: &Probed<'_>) -> String {
    let reading = probed.reading;
    let state = match reading.power_w {
        Some(_) => PduState::Ok,
        None => PduState::Unknown,
    };
    let object = ProbedPdu {
        address: probed.address,
        profile: probed.profile,
        vendor: probed.vendor,
        model: probed.model,
        sys_object_id: probed.sys_object_id,
        sys_descr: probed.sys_descr,
        kind: probed.kind.name(),
        state: State(state.name()),
        time: Time(probed.time),
        age_s: 0,
        restarted_at: probed.restarted_at.map(Time),
        power_w: num(reading.power_w),
        apparent_va: num(reading.apparent_va),
        power_factor: num(reading.power_factor),
        current_a: num(reading.current_a),
        voltage_v: num(reading.voltage_v),
        rating_a: num(reading.rating_a),
        rating_w: num(reading.rating_w),
        breaker: reading.nearest_rated().map(Breaker::from),
        peak_w: num(reading.peak_w),
        peak_time: probed.peak_time.map(Time),
        energy_kwh: num(reading.energy_kwh),
        phases: List::of(&reading.phases),
        outlets: List::of(&reading.outlets),
        temperatures: List::of(&reading.temperatures),
        humidities: List::of(&reading.humidities),
        banks: List::of(&reading.banks),
        units: List::of(&reading.units),
    };
    text(&object, 1024)
}

fn named(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

/// The limit that one number has to stand for: the hard one, else the soft one, in watts.
pub fn limit_w(limits: &Limits) -> Option<f64> {
    limits.hard.or(limits.soft).map(|limit| limit.on_w)
}

/// Watts between a sum and its limit. A sum with a missing member is a lower bound, so what is left below
/// the limit is not known; that it is above is.
pub fn sum_headroom(sum: &SumView, limit: Option<f64>) -> Option<f64> {
    difference(limit, sum.power_w).filter(|left| sum.missing.is_empty() || *left <= 0.0)
}

/// A prediction is not exact to the millisecond.
fn seconds(seconds: Option<f32>) -> Option<Num> {
    num(seconds.map(f32::round))
}

pub(super) fn difference(limit: Option<f64>, power: Option<f64>) -> Option<f64> {
    Some(limit? - power?)
}

/// `HOST`, or `HOST:PORT` where the port is not SNMP's.
pub fn address(host: &Host) -> String {
    const SNMP: u16 = 161;
    match host {
        Host::Ip(address) if address.port() == SNMP => address.ip().to_string(),
        Host::Ip(address) => address.to_string(),
        Host::Name(name, SNMP) => name.to_string(),
        Host::Name(name, port) => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests;
