//! What the plugin keeps of one PDU. Small, because there may be ten thousand: what only some devices have
//! stands behind a box.

use super::excess::Watch;
use super::patience::Patience;
use super::trend::Trend;
use super::view::PduView;
use crate::fault::Fault;
use crate::pdu::plan::Sums;
use crate::pdu::{DeviceTime, Identify, Kind, Plan, Rated, Reading};
use crate::plugins::power::{Host, PduConfig};
use crate::snmp::{Credentials, SnmpTarget, Version};
use crate::time::{Mono, Wall};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Ten thousand of them are kept.
const _: () = assert!(size_of::<Device>() <= 768);

/// One PDU.
#[derive(Debug)]
pub(super) struct Device {
    /// Whom to ask; `None` until its name is looked up.
    pub(super) target: Option<Arc<SnmpTarget>>,
    /// What is going on with it.
    pub(super) stage: Stage,
    /// A request is out.
    pub(super) in_flight: bool,
    /// The cycle of the poll that is going on.
    pub(super) cycle: u64,
    /// The sums know how it ended in that cycle.
    pub(super) cycle_has_ended: bool,
    /// Its deadline.
    pub(super) deadline: Mono,
    /// Cycles in which power was read, by parity.
    pub(super) read_in: [u64; 2],
    /// How it is polled.
    pub(super) plan: Option<Arc<Plan>>,
    /// What readers see.
    pub(super) view: PduView,
    /// Rows and names, for a device that has any.
    pub(super) extra: Option<Box<Extra>>,
    /// Where its name is looked up.
    pub(super) lookup: Option<Box<Lookup>>,
    /// How long it is waited for.
    pub(super) patience: Patience,
    /// Attempts in a row that brought nothing.
    pub(super) failures: u32,
    /// Polls in a row in which a device that told power told none.
    pub(super) powerless: u32,
    /// When it last answered anything.
    pub(super) last_answer: Option<Mono>,
    /// Since when it is watched.
    pub(super) since: Mono,
    /// Not asked what it is before this.
    pub(super) identify_at: Mono,
    /// It may be another device by now.
    pub(super) must_identify: bool,
    /// It has answered or failed once.
    pub(super) is_tried: bool,
    /// Its unreachability has been reported.
    pub(super) is_unreachable: bool,
    /// The critical limit.
    pub(super) hard: Option<Watch>,
    /// The limit that warns.
    pub(super) soft: Option<Box<Watch>>,
    /// Power and uptime at the last reading, to see what moved.
    pub(super) before: Before,
    /// Where its power is going.
    pub(super) trend: Trend,
    /// The agent's own peak.
    pub(super) peak: Option<(f64, Wall)>,
    /// The peak has changed since it was saved.
    pub(super) is_dirty: bool,
}

/// What a device is doing.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing is known of it yet.
    Unknown,
    /// It is asked whether it is there.
    Greeting,
    /// It is there, and waits until fewer others are being asked what they are.
    Queued,
    /// It is being asked what it is.
    Identifying(Box<Identify>),
    /// It is polled; the number of the fast part that is out.
    Polling(u16),
    /// The slow part of this number is out.
    Slow(u16),
    /// It is polled, and nothing is out.
    Idle,
    /// It answers, but has no readings.
    Mute,
}

/// The last reading, as far as the next one is compared with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before {
    pub(super) uptime_ticks: Option<u32>,
    pub(super) energy_kwh: Option<f64>,
    pub(super) device_peak_w: Option<f64>,
    pub(super) device_peak_at: Option<DeviceTime>,
    pub(super) was_above: bool,
}

/// What only some devices have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    /// Phases, outlets, probes.
    pub(super) reading: Reading,
    /// Of a poll of several parts.
    pub(super) sums: Option<Box<Sums>>,
    /// Cycles since the last slow part.
    pub(super) idle_cycles: u16,
    /// The slow part that comes next.
    pub(super) next_slow: u16,
}

/// A host name being looked up.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// A question is out.
    pub(super) in_flight: bool,
    /// When it was last asked.
    pub(super) asked: Option<Mono>,
}

/// The record `power.peak/NAME`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq)]
pub(super) struct SavedPeak {
    /// The agent's own peak in watts.
    pub(super) w: Option<f64>,
    /// When it was.
    pub(super) at: Wall,
    /// The device's own peak in watts, as last read.
    #[serde(default)]
    pub(super) device_w: Option<f64>,
    /// The device's own threshold in watts, where it stands for a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit_w: Option<f32>,
}

/// The figures of one reading.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) power_w: Option<f64>,
    pub(super) apparent_va: Option<f64>,
    pub(super) power_factor: Option<f32>,
    pub(super) current_a: Option<f64>,
    pub(super) voltage_v: Option<f64>,
    pub(super) energy_kwh: Option<f64>,
    pub(super) peak_w: Option<f64>,
    pub(super) peak_at: Option<DeviceTime>,
    pub(super) uptime_ticks: Option<u32>,
    pub(super) limit_w: Option<f64>,
    pub(super) rating_w: Option<f32>,
    pub(super) nearest_rated: Option<Rated>,
}

impl Figures {
    pub(super) fn of(reading: &Reading) -> Figures {
        Figures {
            power_w: reading.power_w,
            apparent_va: reading.apparent_va,
            power_factor: reading.power_factor,
            current_a: reading.current_a,
            voltage_v: reading.voltage_v,
            energy_kwh: reading.energy_kwh,
            peak_w: reading.peak_w,
            peak_at: reading.peak_at,
            uptime_ticks: reading.uptime_ticks,
            limit_w: reading.limit_w.filter(|limit_w| *limit_w > 0.0),
            rating_w: reading.rating_w,
            nearest_rated: reading.nearest_rated(),
        }
    }
}

impl Device {
    /// A device as the configuration describes it, not asked yet.
    pub(super) fn new(config: &PduConfig, now: Mono) -> Device {
        let mut device = Device {
            target: None,
            stage: Stage::Unknown,
            in_flight: false,
            cycle: 0,
            cycle_has_ended: true,
            deadline: now,
            read_in: [u64::MAX; 2],
            plan: None,
            view: PduView::default(),
            extra: None,
            lookup: None,
            patience: Patience::default(),
            failures: 0,
            powerless: 0,
            last_answer: None,
            since: now,
            identify_at: now,
            must_identify: false,
            is_tried: false,
            is_unreachable: false,
            hard: None,
            soft: None,
            before: Before::default(),
            trend: Trend::default(),
            peak: None,
            is_dirty: false,
        };
        device.set_limits(config);
        match config.host {
            Host::Ip(addr) => device.set_target(config, addr),
            Host::Name(..) => device.lookup = Some(Box::default()),
        }
        device
    }

    /// Takes the limits of the configuration; what is known of running excesses stays.
    pub(super) fn set_limits(&mut self, config: &PduConfig) {
        if !config.device_limit {
            self.view.device_limit_w = None;
        }
        let limits = self.view.limits(config);
        set_watch(&mut self.hard, limits.hard);
        if let Some(watch) = &mut self.hard {
            watch.is_devices = config.device_limit;
        }
        let mut soft = self.soft.take().map(|watch| *watch);
        set_watch(&mut soft, config.limits.soft);
        self.soft = soft.map(Box::new);
    }

    /// Asks in this version from now on, a device that is asked by community.
    pub(super) fn set_version(&mut self, version: Version) {
        if let Some(target) = &mut self.target {
            if let Credentials::Community(asked, _) = &mut Arc::make_mut(target).credentials {
                *asked = version;
            }
        }
    }

    pub(super) fn set_target(&mut self, config: &PduConfig, addr: std::net::SocketAddr) {
        self.target = Some(Arc::new(SnmpTarget {
            addr,
            credentials: config.credentials.clone(),
            any_source: config.any_source,
        }));
    }

    /// The limits that are watched, the critical one first.
    pub(super) fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.hard.iter().chain(self.soft.as_deref())
    }

    /// Forgets what the device is; readings and alerts stay.
    pub(super) fn forget_identity(&mut self) {
        self.plan = None;
        self.extra = None;
        self.stage = Stage::Unknown;
        self.powerless = 0;
    }

    /// True when power was read in this cycle.
    pub(super) fn has_read_in(&self, cycle: u64) -> bool {
        self.read_in[(cycle & 1) as usize] == cycle
    }

    /// Notes why there is no reading, without allocating when it is known.
    pub(super) fn set_reason(&mut self, reason: Option<&str>) {
        if self.view.reason.as_deref() != reason {
            self.view.reason = reason.map(Arc::from);
        }
    }

    pub(super) fn set_fault(&mut self, fault: &Fault) {
        self.set_reason(Some(&fault.detail));
    }

    /// Why a device that was identified has no readings.
    pub(super) fn mute_reason(kind: Kind, note: Option<&str>) -> String {
        match note {
            Some(note) => note.to_owned(),
            None => format!("the device has no power reading ({})", kind.name()),
        }
    }
}

/// Takes a limit as configured; a watch that goes on keeps its state.
pub(super) fn set_watch(watch: &mut Option<Watch>, limit: Option<crate::plugins::power::Limit>) {
    match (watch.as_mut(), limit) {
        (Some(watch), Some(limit)) => watch.limit = limit,
        (None, Some(limit)) => *watch = Some(Watch::new(limit)),
        (_, None) => *watch = None,
    }
}
