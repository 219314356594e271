//! What is asked of an identified device in every cycle, and where each answer goes. A plan holds nothing of
//! the one device, so that ten thousand devices of equal shape share one.

use super::profile::{Few, Field, Form, Quantity, RowKind, Says};
use super::{
    BankReading, Electric, OutletReading, PhaseReading, ProbeReading, Reading, UnitReading,
    power_factor, value,
};
use rackwarden_snmp::{Oid, Value, VarBind};
use std::sync::Arc;

/// The requests of one device and the meaning of their answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// GET requests of every cycle, made one after the other.
    pub fast: Box<[Part]>,
    /// GET requests for what changes slowly (names, outlets, probes); one of them now and then.
    pub slow: Box<[Part]>,
    /// Units behind the agent.
    pub units: u16,
    /// Phases, by unit and in order.
    pub phases: Box<[PlanRow]>,
    /// Banks.
    pub banks: Box<[PlanRow]>,
    /// Outlets.
    pub outlets: Box<[PlanRow]>,
    /// Probes.
    pub probes: Box<[PlanRow]>,
    /// Rows of this kind make up the whole unit too; its power is their sum when nothing else tells it.
    pub parts: Option<RowKind>,
    /// Current that each line of the single inlet is rated for, in amperes.
    pub rating_a: Option<f32>,
    /// Power that the device is rated for, in watts.
    pub rating_w: Option<f32>,
    /// SETs that make the device forget its peak, one for each unit; empty when it cannot.
    pub peak_reset: Box<[VarBind]>,
    /// SETs that make the device count its energy anew, one for each unit; empty when it cannot.
    pub energy_reset: Box<[VarBind]>,
    /// How each outlet is switched, in the order of `outlets`; empty when none can be.
    pub switches: Box<[Option<PlanSwitch>]>,
}

/// How one outlet is switched.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSwitch {
    /// Switches it on.
    pub on: VarBind,
    /// Switches it off.
    pub off: VarBind,
    /// Switches it off and, after the device's own delay, on again.
    pub cycle: Option<VarBind>,
    /// Is written just before each of them; without it the device does nothing.
    pub unlock: Option<VarBind>,
    /// The object that tells its state …
    pub state: Oid,
    /// … and how that is written.
    pub form: Form,
}

/// One GET request.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is asked.
    pub oids: Arc<[Oid]>,
    /// Where the answers go. Several cells may read one object.
    pub cells: Box<[Cell]>,
    /// What says whether cells hold something.
    pub guards: Box<[Guard]>,
}

/// An object that says whether others hold something.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Which object of its part it is.
    pub of: u16,
    /// What it means.
    pub says: Says,
}

/// Stands for no guard.
pub const UNGUARDED: u16 = u16::MAX;

/// A row of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlanRow {
    /// Index into the units of the plan.
    pub unit: u16,
    /// Its number, counted over all units where there are several.
    pub index: u16,
    /// Current that it is rated for, in amperes.
    pub rating_a: Option<f32>,
}

/// Where an answer goes and how it is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Where it goes.
    pub target: Target,
    /// How it is written.
    pub form: Form,
    /// Numbers that mean "not available".
    pub absent: Few,
    /// Which object of its part it reads.
    pub of: u16,
    /// Which guard of its part it has; `UNGUARDED` means none.
    pub guard: u16,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// sysUpTime.
    Uptime,
    /// A quantity of a unit, or of everything behind the agent (`unit` is `WHOLE`). Rows of one unit add up.
    Device {
        /// Which quantity.
        quantity: Quantity,
        /// Which unit.
        unit: u16,
    },
    /// A cell of a table.
    Row {
        /// Which table.
        kind: RowKind,
        /// Which field.
        field: Field,
        /// Index into the plan's rows of that kind.
        row: u16,
    },
}

/// Stands for everything behind the agent.
pub const WHOLE: u16 = u16::MAX;

/// Most names of variables that are read of one device.
pub(super) const MAX_VARIABLES: usize = 3000;

/// Most units that one agent may have.
pub const MAX_UNITS: usize = 64;

impl Plan {
    /// Reads the answers of one part into a reading. For the fast parts call `finish` after the last one.
    pub fn decode(part: &Part, values: &[Value], sums: &mut Sums, reading: &mut Reading) {
        for cell in &part.cells {
            let Some(value) = values.get(usize::from(cell.of)) else {
                continue;
            };
            let guard = part.guards.get(usize::from(cell.guard));
            let is_void = guard.is_some_and(|guard| {
                let said = values.get(usize::from(guard.of));
                !guard.says.allows(said)
            });
            let value = if is_void { &Value::Null } else { value };
            match cell.target {
                Target::Uptime => reading.uptime_ticks = ticks(value),
                Target::Device { quantity, unit } => match quantity {
                    Quantity::PeakAt => reading.peak_at = value::time(value),
                    Quantity::PeakSince => reading.peak_since = value::time(value),
                    _ => sums.add(quantity, unit, value::number(value, cell.form, cell.absent)),
                },
                Target::Row { kind, field, row } => {
                    put(reading, kind, field, row.into(), cell, value);
                }
            }
        }
    }

    /// Gives a reading the rows that this plan fills. Reuses its memory.
    pub fn shape(&self, reading: &mut Reading) {
        reading.phases.clear();
        reading
            .phases
            .extend(self.phases.iter().map(|row| PhaseReading {
                index: row.index,
                rating_a: row.rating_a,
                ..PhaseReading::default()
            }));
        reading.banks.clear();
        reading
            .banks
            .extend(self.banks.iter().map(|row| BankReading {
                index: row.index,
                rating_a: row.rating_a,
                ..BankReading::default()
            }));
        reading.outlets.clear();
        reading
            .outlets
            .extend(self.outlets.iter().map(|row| OutletReading {
                index: row.index,
                ..OutletReading::default()
            }));
        let probe = || ProbeReading {
            value: f64::NAN,
            ..ProbeReading::default()
        };
        reading.temperatures.clear();
        reading
            .temperatures
            .extend(self.probes.iter().map(|_| probe()));
        reading.humidities.clear();
        reading
            .humidities
            .extend(self.probes.iter().map(|_| probe()));
    }

    /// Adds up what the units said, once all fast parts have been decoded.
    pub fn finish(&self, sums: &Sums, reading: &mut Reading) {
        reading.power_w = self.total_of(sums, Quantity::Power, reading);
        reading.apparent_va = self.total_of(sums, Quantity::Apparent, reading);
        reading.energy_kwh = self.total_of(sums, Quantity::Energy, reading);
        // The peaks of several units need not have come at one time, so they have no sum.
        reading.limit_w = self
            .total(sums, Quantity::Limit)
            .filter(|limit| *limit > 0.0);
        (reading.rating_a, reading.rating_w) = (self.rating_a, self.rating_w);
        let is_single = self.units <= 1;
        reading.units.clear();
        if !is_single {
            for unit in 0..self.units {
                let electric = Electric {
                    power_w: self.of_unit(sums, Quantity::Power, unit, reading),
                    apparent_va: self.of_unit(sums, Quantity::Apparent, unit, reading),
                    power_factor: sums.unit(Quantity::Factor, unit).and_then(power_factor),
                    energy_kwh: self.of_unit(sums, Quantity::Energy, unit, reading),
                    current_a: sums.unit(Quantity::Current, unit),
                    voltage_v: sums.unit(Quantity::Voltage, unit),
                };
                let index = unit + 1;
                reading.units.push(UnitReading { index, electric });
            }
        }
        reading.peak_w = self.total(sums, Quantity::Peak).filter(|_| is_single);
        if !is_single {
            (reading.peak_at, reading.peak_since) = (None, None);
        }
        let single_phase = match reading.phases.as_slice() {
            [phase] if is_single => phase.electric,
            _ => Electric::default(),
        };
        let inlet = |quantity| self.total(sums, quantity).filter(|_| is_single);
        reading.current_a = inlet(Quantity::Current).or(single_phase.current_a);
        reading.voltage_v = inlet(Quantity::Voltage).or(single_phase.voltage_v);
        let whole = sums.whole(Quantity::Factor);
        let factor = whole.or_else(|| inlet(Quantity::Factor));
        reading.power_factor = factor.and_then(power_factor).or(single_phase.power_factor);
    }

    /// True when a device with this plan can tell power.
    pub fn measures_power(&self) -> bool {
        let is_part = |cell: &Cell| match cell.target {
            Target::Row { kind, field, .. } => field == Field::Power && Some(kind) == self.parts,
            _ => false,
        };
        let tells = |cell: &Cell| {
            matches!(
                cell.target,
                Target::Device {
                    quantity: Quantity::Power,
                    ..
                } | Target::Row {
                    kind: RowKind::Phase,
                    field: Field::Power,
                    ..
                }
            ) || is_part(cell)
        };
        self.fast.iter().any(|part| part.cells.iter().any(tells))
    }

    /// The total, or the sum over units of what each says, or of its parts. Nothing when one of the units
    /// says nothing: part of a sum is not a total.
    fn total_of(&self, sums: &Sums, quantity: Quantity, reading: &Reading) -> Option<f64> {
        if let Some(whole) = sums.whole(quantity) {
            return Some(whole);
        }
        let mut total = 0.0;
        for unit in 0..self.units.max(1) {
            total += self.of_unit(sums, quantity, unit, reading)?;
        }
        Some(value::tidy(total))
    }

    fn of_unit(
        &self,
        sums: &Sums,
        quantity: Quantity,
        unit: u16,
        reading: &Reading,
    ) -> Option<f64> {
        let is_power = quantity == Quantity::Power;
        let phase = |phase: &PhaseReading| match quantity {
            Quantity::Apparent => phase.electric.apparent_va,
            Quantity::Energy => phase.electric.energy_kwh,
            _ => phase.electric.power_w,
        };
        sums.unit(quantity, unit)
            .or_else(|| sum_of(&self.phases, reading.phases.iter().map(phase), unit))
            .or_else(|| match self.parts.filter(|_| is_power)? {
                RowKind::Bank => {
                    let banks = reading.banks.iter().map(|bank| bank.electric.power_w);
                    sum_of(&self.banks, banks, unit)
                }
                RowKind::Outlet => {
                    let outlets = reading.outlets.iter().map(|outlet| outlet.electric.power_w);
                    sum_of(&self.outlets, outlets, unit)
                }
                RowKind::Phase | RowKind::Probe => None,
            })
    }

    fn total(&self, sums: &Sums, quantity: Quantity) -> Option<f64> {
        if let Some(whole) = sums.whole(quantity) {
            return Some(whole);
        }
        let mut total = 0.0;
        for unit in 0..self.units.max(1) {
            total += sums.unit(quantity, unit)?;
        }
        Some(value::tidy(total))
    }
}

/// What the rows of one unit add up to; nothing when one of them is silent.
fn sum_of(rows: &[PlanRow], values: impl Iterator<Item = Option<f64>>, unit: u16) -> Option<f64> {
    let mut sum = None;
    for (row, value) in rows.iter().zip(values) {
        if row.unit == unit {
            sum = Some(value::tidy(sum.unwrap_or(0.0) + value?));
        }
    }
    sum
}

/// What the units of one device said in one cycle.
#[derive(Clone, Debug)]
pub struct Sums {
    whole: UnitSums,
    first: UnitSums,
    more: Vec<UnitSums>,
}

const QUANTITIES: usize = Quantity::NAMED.len();

#[derive(Clone, Copy, Debug)]
struct UnitSums([Sum; QUANTITIES]);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sum {
    Unsaid,
    Value(f64),
    Broken,
}

impl Default for Sums {
    fn default() -> Sums {
        Sums {
            whole: UnitSums::EMPTY,
            first: UnitSums::EMPTY,
            more: Vec::new(),
        }
    }
}

impl UnitSums {
    const EMPTY: UnitSums = UnitSums([Sum::Unsaid; QUANTITIES]);

    fn get(&self, quantity: Quantity) -> Option<f64> {
        match self.0[quantity as usize] {
            Sum::Value(value) => Some(value),
            Sum::Unsaid | Sum::Broken => None,
        }
    }
}

impl Sums {
    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.whole = UnitSums::EMPTY;
        self.first = UnitSums::EMPTY;
        self.more.clear();
    }

    fn add(&mut self, quantity: Quantity, unit: u16, value: Option<f64>) {
        let of_unit = match usize::from(unit) {
            0 => &mut self.first,
            _ if unit == WHOLE => &mut self.whole,
            at => {
                if self.more.len() < at {
                    self.more.resize(at.min(MAX_UNITS), UnitSums::EMPTY);
                }
                match self.more.get_mut(at - 1) {
                    Some(of_unit) => of_unit,
                    None => return,
                }
            }
        };
        let sum = &mut of_unit.0[quantity as usize];
        *sum = match (*sum, value) {
            (Sum::Unsaid, Some(value)) => Sum::Value(value),
            (Sum::Value(before), Some(value)) => Sum::Value(value::tidy(before + value)),
            (Sum::Broken, _) | (_, None) => Sum::Broken,
        };
    }

    fn whole(&self, quantity: Quantity) -> Option<f64> {
        self.whole.get(quantity)
    }

    fn unit(&self, quantity: Quantity, unit: u16) -> Option<f64> {
        match usize::from(unit) {
            0 => self.first.get(quantity),
            at => self.more.get(at - 1)?.get(quantity),
        }
    }
}

fn ticks(value: &Value) -> Option<u32> {
    value.as_i64().and_then(|ticks| u32::try_from(ticks).ok())
}

fn put(reading: &mut Reading, kind: RowKind, field: Field, row: usize, cell: &Cell, value: &Value) {
    let number = || value::number(value, cell.form, cell.absent);
    match kind {
        RowKind::Phase => {
            if let Some(phase) = reading.phases.get_mut(row) {
                phase.electric.set(field, number());
            }
        }
        RowKind::Bank => match (reading.banks.get_mut(row), field) {
            (Some(bank), Field::Name) => set_name(&mut bank.name, value),
            (Some(bank), _) => bank.electric.set(field, number()),
            (None, _) => {}
        },
        RowKind::Outlet => match (reading.outlets.get_mut(row), field) {
            (Some(outlet), Field::Name) => set_name(&mut outlet.name, value),
            (Some(outlet), Field::On) => outlet.on = value::switch(value, cell.form),
            (Some(outlet), _) => outlet.electric.set(field, number()),
            (None, _) => {}
        },
        RowKind::Probe => put_probe(reading, field, row, number(), value),
    }
}

/// A probe that is not attached reads NaN until it is; `Reading::attached` leaves it out.
fn put_probe(reading: &mut Reading, field: Field, row: usize, number: Option<f64>, value: &Value) {
    let (Some(temperature), Some(humidity)) = (
        reading.temperatures.get_mut(row),
        reading.humidities.get_mut(row),
    ) else {
        return;
    };
    match field {
        Field::Temperature => temperature.value = number.unwrap_or(f64::NAN),
        Field::Humidity => humidity.value = number.unwrap_or(f64::NAN),
        Field::Name => {
            set_name(&mut temperature.name, value);
            set_name(&mut humidity.name, value);
        }
        _ => {}
    }
}

fn set_name(name: &mut Box<str>, value: &Value) {
    let text = value::text(value).unwrap_or_default();
    if **name != *text {
        *name = text.into();
    }
}
