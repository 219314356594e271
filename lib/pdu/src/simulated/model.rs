//! Models: power as a function of time, and what follows from it (peak, energy, phases).

use super::respond::oid;
use super::{Cell, Mib};
use rackwarden_base::time::{Mono, Now, Wall, Zone};
use rackwarden_snmp::{Oid, Value};
use std::time::Duration;

pub(super) const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";
const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";
const SYS_UP_TIME: &str = "1.3.6.1.2.1.1.3.0";
/// rPDUIdentModelNumber, rPDUIdentDevicePowerWatts, rPDULoadStatusLoad
const RPDU_MODEL: &str = "1.3.6.1.4.1.318.1.1.12.1.5.0";
const RPDU_WATTS: &str = "1.3.6.1.4.1.318.1.1.12.1.16.0";
const RPDU_LOAD: &str = "1.3.6.1.4.1.318.1.1.12.2.3.1.1";
/// rPDU2DeviceConfigEntry, rPDU2DeviceStatusEntry, rPDU2PhaseStatusEntry
const RPDU2_CONFIG: &str = "1.3.6.1.4.1.318.1.1.26.4.1.1";
const RPDU2_DEVICE: &str = "1.3.6.1.4.1.318.1.1.26.4.3.1";
const RPDU2_PHASE: &str = "1.3.6.1.4.1.318.1.1.26.6.3.1";
/// rPDU2DevicePropertiesMaxPhaseCurrentRating of the first unit
pub(super) const RPDU2_RATING: &str = "1.3.6.1.4.1.318.1.1.26.4.2.1.12.1";
/// Phase table of the Easy PDU
const EPDU_PHASE: &str = "1.3.6.1.4.1.318.1.1.30.4.2.1";

/// The wave is looked at this often between two questions, so that a short peak is not missed.
const STEP: Duration = Duration::from_millis(100);
/// But at most so many times.
const MOST_STEPS: u32 = 1000;
const MAINS_V: f64 = 230.0;
const POWER_FACTOR: f64 = 0.95;
const BEGIN_KWH: f64 = 1967.7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Rpdu2,
    Rpdu,
    Epdu,
    /// Its objects are made from a profile.
    Made,
}

/// What a device draws, and what its meters say.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) power_w: f64,
    pub(super) power_factor: f64,
    pub(super) energy_kwh: f64,
    pub(super) peak_w: f64,
    /// As the device writes times.
    pub(super) peak_at: Value,
    pub(super) peak_since: Value,
}

/// A device that draws power.
#[derive(Clone, Debug)]
pub(super) struct Model {
    family: Family,
    phases: u8,
    mean_w: f64,
    swing_w: f64,
    period: Duration,
    steps: Vec<(Duration, Duration, f64)>,
    /// The share of its power that flows, the outlets being as they are.
    flow: f64,
    zone: Zone,
    /// The first question; steps count from it.
    begun: Option<Mono>,
    pub(super) booted: Option<Mono>,
    looked: Mono,
    energy_kwh: f64,
    peak: Option<Peak>,
    /// The times of the peak as they were last written.
    written: Option<(Peak, [Value; 2])>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Peak {
    watts: f64,
    at: Wall,
    since: Wall,
}

/// Takes an object: its table, column and index, and its value.
type Put<'a> = dyn FnMut(&'static str, &[u32], Value) + 'a;

impl Model {
    pub(super) fn new(family: Family, phases: u8) -> Model {
        Model {
            family,
            phases,
            mean_w: 1000.0,
            swing_w: 0.0,
            period: Duration::from_secs(60),
            steps: Vec::new(),
            flow: 1.0,
            zone: Zone::UTC,
            begun: None,
            booted: None,
            looked: Mono::ZERO,
            energy_kwh: BEGIN_KWH,
            peak: None,
            written: None,
        }
    }

    pub(super) fn set_wave(&mut self, mean_w: f64, swing_w: f64, period: Duration) {
        (self.mean_w, self.swing_w, self.period) = (mean_w, swing_w, period);
    }

    pub(super) fn add_step(&mut self, from: Duration, until: Duration, extra_w: f64) {
        self.steps.push((from, until, extra_w));
    }

    pub(super) fn set_flow(&mut self, flow: f64) {
        self.flow = flow;
    }

    pub(super) fn set_energy(&mut self, kwh: f64) {
        self.energy_kwh = kwh;
    }

    pub(super) fn set_zone(&mut self, zone: Zone) {
        (self.zone, self.written) = (zone, None);
    }

    pub(super) fn reset_peak(&mut self, now: Now) {
        self.peak = Some(Peak {
            watts: self.power_w(now.mono),
            at: now.wall,
            since: now.wall,
        });
    }

    /// Brings peak and energy up to this moment.
    pub(super) fn tick(&mut self, now: Now) {
        let begun = *self.begun.get_or_insert(now.mono);
        if begun == now.mono {
            self.looked = now.mono;
        }
        self.booted.get_or_insert(begun);
        if self.peak.is_none() {
            self.reset_peak(now);
        }
        let passed = now.mono.since(self.looked);
        let steps = u32::try_from(passed.as_millis() / STEP.as_millis())
            .unwrap_or(u32::MAX)
            .clamp(1, if self.is_constant() { 1 } else { MOST_STEPS });
        for step in 1..=steps {
            let at = self.looked + passed.mul_f64(f64::from(step) / f64::from(steps));
            let watts = self.power_w(at);
            self.energy_kwh += watts * passed.as_secs_f64() / f64::from(steps) / 3_600_000.0;
            if let Some(peak) = self.peak.as_mut().filter(|peak| watts > peak.watts) {
                *peak = Peak {
                    watts,
                    at: now.wall_of(at),
                    since: peak.since,
                };
            }
        }
        self.looked = now.mono;
        let peak = self.peak_or(0.0);
        if self
            .written
            .as_ref()
            .is_none_or(|(written, _)| *written != peak)
        {
            self.written = Some((peak, [self.time(peak.at), self.time(peak.since)]));
        }
    }

    /// Every object, with its value before the first question.
    pub(super) fn mib(&self) -> Mib {
        let text = |text: &str| Value::OctetString(text.as_bytes().into());
        let (model, descr, object_id) = match self.family {
            Family::Rpdu2 => (
                "AP8858",
                "AN1:apc_hw05_rpdu2g_700.bin MN:AP8858",
                "1.3.6.1.4.1.318.1.3.4.6",
            ),
            Family::Rpdu => (
                "AP7920",
                "AN1:apc_hw02_rpdu_374.bin MN:AP7920",
                "1.3.6.1.4.1.318.1.3.4.5",
            ),
            Family::Epdu => (
                "EPDU1116M",
                "AN1:apc_hw07_epdu_100.bin MN:EPDU1116M",
                "1.3.6.1.4.1.318.1.3.4.9",
            ),
            Family::Made => ("", "", ""),
        };
        let mut mib = Mib::new();
        let mut moving = 0;
        self.values(Now::default(), &mut |table, row, value| {
            let cell = Cell {
                moving: Some(moving),
                ..Cell::fixed(value)
            };
            mib.insert(oid(table).child(row), cell);
            moving += 1;
        });
        let mut put = |name: Oid, cell: Cell| mib.insert(name, cell);
        put(oid(SYS_NAME), Cell::fixed(text("pdu")));
        if self.family == Family::Made {
            return mib;
        }
        put(
            oid(SYS_DESCR),
            Cell::fixed(text(&format!(
                "APC Web/SNMP Management Card (simulated {descr} )"
            ))),
        );
        put(
            oid(SYS_OBJECT_ID),
            Cell::fixed(Value::ObjectId(oid(object_id))),
        );
        if self.family != Family::Epdu {
            put(oid(RPDU_MODEL), Cell::fixed(text(model)));
        }
        if self.family == Family::Rpdu2 {
            let config = oid(RPDU2_CONFIG);
            put(config.child(&[8, 1]), Cell::writable(Value::Integer(30)));
            put(config.child(&[9, 1]), Cell::writable(Value::Integer(36)));
            put(config.child(&[10, 1]), Cell::writable(Value::Integer(1)));
            put(config.child(&[11, 1]), Cell::writable(Value::Integer(1)));
        }
        mib
    }

    /// Every object that moves, with its value now, always in the same order.
    pub(super) fn values(&self, now: Now, put: &mut Put<'_>) {
        let watts = self.power_w(now.mono);
        let uptime = self
            .booted
            .map_or(0, |booted| now.mono.since(booted).as_millis() / 10);
        put(SYS_UP_TIME, &[], Value::TimeTicks(uptime as u32));
        match self.family {
            Family::Rpdu2 => self.rpdu2(watts, put),
            Family::Rpdu => self.rpdu(watts, put),
            Family::Epdu => self.epdu(watts, put),
            Family::Made => {}
        }
    }

    /// What the meters say now.
    pub(super) fn load(&self, now: Now) -> Load {
        let power_w = self.power_w(now.mono);
        let peak = self.peak_or(power_w);
        Load {
            power_w,
            power_factor: POWER_FACTOR,
            energy_kwh: self.energy_kwh,
            peak_w: peak.watts,
            peak_at: self.time(peak.at),
            peak_since: self.time(peak.since),
        }
    }

    fn peak_or(&self, watts: f64) -> Peak {
        self.peak.unwrap_or(Peak {
            watts,
            at: Wall(0),
            since: Wall(0),
        })
    }

    pub(super) fn reset_energy(&mut self) {
        self.energy_kwh = 0.0;
    }

    /// Whether this object asks for a reset of the peak when 2 is written to it.
    pub(super) fn is_peak_reset(&self, name: &Oid) -> bool {
        self.family == Family::Rpdu2 && *name == oid(RPDU2_CONFIG).child(&[10, 1])
    }

    /// The same of the energy.
    pub(super) fn is_energy_reset(&self, name: &Oid) -> bool {
        self.family == Family::Rpdu2 && *name == oid(RPDU2_CONFIG).child(&[11, 1])
    }

    fn rpdu2(&self, watts: f64, put: &mut Put<'_>) {
        let peak = self.peak_or(watts);
        let times = match &self.written {
            Some((_, times)) => times.clone(),
            None => [self.time(peak.at), self.time(peak.since)],
        };
        let [peak_at, peak_since] = times;
        for (column, value) in [
            (1, Value::Integer(1)),
            (2, Value::Integer(1)),
            (4, Value::Integer(2)),
            (5, scaled(watts, 10.0)),
            (6, scaled(peak.watts, 10.0)),
            (7, peak_at),
            (8, peak_since),
            (9, scaled(self.energy_kwh, 0.1)),
            (16, scaled(watts / POWER_FACTOR, 10.0)),
            (17, scaled(POWER_FACTOR, 0.01)),
        ] {
            put(RPDU2_DEVICE, &[column, 1], value);
        }
        for phase in 1..=u32::from(self.phases) {
            let share = watts / f64::from(self.phases);
            for (column, value) in [
                (1, Value::Integer(i64::from(phase))),
                (2, Value::Integer(1)),
                (3, Value::Integer(i64::from(phase))),
                (4, Value::Integer(2)),
                (5, scaled(amperes(share), 0.1)),
                (6, scaled(MAINS_V, 1.0)),
                (7, scaled(share, 10.0)),
                (8, scaled(share / POWER_FACTOR, 10.0)),
                (9, scaled(POWER_FACTOR, 0.01)),
            ] {
                put(RPDU2_PHASE, &[column, phase], value);
            }
        }
        put(RPDU_WATTS, &[], scaled(watts, 1.0));
    }

    fn rpdu(&self, watts: f64, put: &mut Put<'_>) {
        put(RPDU_WATTS, &[], scaled(watts, 1.0));
        for (column, value) in [
            (1, 1),
            (2, scaled_i64(amperes(watts), 0.1)),
            (3, 1),
            (4, 1),
            (5, 0),
        ] {
            put(RPDU_LOAD, &[column, 1], Value::Integer(value));
        }
    }

    fn epdu(&self, watts: f64, put: &mut Put<'_>) {
        for phase in 1..=u32::from(self.phases) {
            let share = watts / f64::from(self.phases);
            for (column, value) in [
                (1, Value::Integer(i64::from(phase))),
                (2, Value::Integer(1)),
                (3, Value::Integer(i64::from(phase))),
                (4, scaled(MAINS_V, 0.1)),
                (5, scaled(amperes(share), 0.01)),
                (6, scaled(share, 1.0)),
                (10, scaled(self.energy_kwh / f64::from(self.phases), 0.001)),
            ] {
                put(EPDU_PHASE, &[column, phase], value);
            }
        }
    }

    fn is_constant(&self) -> bool {
        self.swing_w == 0.0 && self.steps.is_empty()
    }

    fn power_w(&self, at: Mono) -> f64 {
        if self.is_constant() {
            return self.mean_w.max(0.0) * self.flow;
        }
        let begun = self.begun.unwrap_or(at);
        let since = at.since(begun);
        let turn = since.as_secs_f64() / self.period.as_secs_f64().max(0.001);
        let extra: f64 = self
            .steps
            .iter()
            .filter(|(from, until, _)| (*from..*until).contains(&since))
            .map(|(.., watts)| watts)
            .sum();
        (self.mean_w + self.swing_w * (turn * std::f64::consts::TAU).sin() + extra).max(0.0)
            * self.flow
    }

    /// As APC cards print times: `11/20/2026 20:15:02`, local.
    fn time(&self, at: Wall) -> Value {
        let local = at.local(&self.zone);
        let text = format!(
            "{}/{}/{} {}",
            &local[5..7],
            &local[8..10],
            &local[..4],
            &local[11..]
        );
        Value::OctetString(text.into_bytes().into())
    }
}

fn amperes(watts: f64) -> f64 {
    watts / POWER_FACTOR / MAINS_V
}

fn scaled(value: f64, unit: f64) -> Value {
    Value::Integer(scaled_i64(value, unit))
}

fn scaled_i64(value: f64, unit: f64) -> i64 {
    (value / unit).round() as i64
}
