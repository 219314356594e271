//! A device made from a profile: every object that the profile reads, with values that follow one load. It has one unit with
//! one phase, two banks and eight outlets, as far as the profile knows them.

mod conditions;
mod make;

use super::Mib;
use super::model::Load;
use crate::profile::{Form, Quantity};
pub(super) use make::make;
use rackwarden_base::time::Mono;
use rackwarden_snmp::{Oid, Value, VarBind};
use std::time::Duration;

const MAINS_V: f64 = 230.0;
const RATING_A: f64 = 16.0;
const RATING_W: f64 = 3680.0;
const LIMIT_W: f64 = 3500.0;
/// How long an outlet that is cycled stays off, and how long one is unlocked.
const REBOOT: Duration = Duration::from_secs(5);
const UNLOCKED: Duration = Duration::from_secs(10);

/// What moves in a device that was made from a profile, and what it obeys.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    moving: Vec<(Oid, Moving)>,
    outlets: Vec<Outlet>,
    resets: [Option<VarBind>; 2],
    lists: Vec<(Oid, Form)>,
}

/// How an object follows the load.
#[derive(Clone, Copy, Debug)]
struct Moving {
    form: Form,
    what: What,
    of: Of,
    /// It is written as an unsigned number.
    is_gauge: bool,
}

/// What an object tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Quantity(Quantity),
    On,
}

/// Of what it tells that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Whole,
    /// One of so many equal parts.
    Part(u32),
    /// The outlet in this place.
    Outlet(usize),
}

/// One outlet.
#[derive(Clone, Debug)]
struct Outlet {
    is_on: bool,
    /// When a cycle gives power again.
    back: Option<Mono>,
    unlocked_until: Option<Mono>,
    commands: Option<Commands>,
}

/// What is written to switch it.
#[derive(Clone, Debug)]
struct Commands {
    on: VarBind,
    off: VarBind,
    cycle: Option<VarBind>,
    unlock: Option<VarBind>,
}

impl Made {
    /// The share of its power that flows, its outlets being as they are.
    pub(super) fn flow(&mut self, now: Mono) -> f64 {
        for outlet in &mut self.outlets {
            if outlet.back.is_some_and(|back| now >= back) {
                (outlet.is_on, outlet.back) = (true, None);
            }
        }
        let on = self.outlets.iter().filter(|outlet| outlet.is_on).count();
        match self.outlets.len() {
            0 => 1.0,
            all => on as f64 / all as f64,
        }
    }

    /// Brings every object up to now.
    pub(super) fn tick(&self, load: &Load, mib: &mut Mib) {
        for (name, moving) in &self.moving {
            if let Some(cell) = mib.get_mut(name) {
                cell.value = self.value(moving, load);
            }
        }
        for (name, form) in &self.lists {
            let states = self.outlets.iter().map(|outlet| match form {
                Form::Switch { on, off } => {
                    let few = if outlet.is_on { on } else { off };
                    few.as_slice().first().copied().unwrap_or_default()
                }
                _ => 0,
            });
            let states: Vec<String> = states.map(|state| state.to_string()).collect();
            if let Some(cell) = mib.get_mut(name) {
                cell.value = text(&states.join(","));
            }
        }
    }

    fn value(&self, moving: &Moving, load: &Load) -> Value {
        let on = self.outlets.iter().filter(|outlet| outlet.is_on).count();
        let (share, is_on) = match moving.of {
            Of::Whole => (1.0, true),
            Of::Part(count) => (1.0 / f64::from(count), true),
            Of::Outlet(at) => {
                let is_on = self.outlets.get(at).is_none_or(|outlet| outlet.is_on);
                let share = if is_on { 1.0 / on.max(1) as f64 } else { 0.0 };
                (share, is_on)
            }
        };
        let quantity = match moving.what {
            What::On => {
                let (Form::Switch { on, off } | Form::SwitchOfList { on, off, .. }) = moving.form
                else {
                    return Value::Null;
                };
                let few = if is_on { on } else { off };
                let number = few.as_slice().first().copied();
                return Value::Integer(number.unwrap_or_default());
            }
            What::Quantity(quantity) => quantity,
        };
        let watts = load.power_w * share;
        let amperes = watts / load.power_factor / MAINS_V;
        let (value, unit) = match quantity {
            Quantity::Power => (watts, "W"),
            Quantity::Apparent => (watts / load.power_factor, "VA"),
            Quantity::Current => (amperes, "A"),
            Quantity::Voltage => (MAINS_V, "V"),
            Quantity::Energy => (load.energy_kwh * share, "kWh"),
            Quantity::Factor => (load.power_factor, ""),
            Quantity::Peak => (load.peak_w, "W"),
            Quantity::Limit => (LIMIT_W, "W"),
            Quantity::RatedCurrent => (RATING_A, "A"),
            Quantity::RatedPower => (RATING_W, "W"),
            Quantity::PeakAt => return load.peak_at.clone(),
            Quantity::PeakSince => return load.peak_since.clone(),
        };
        if quantity == Quantity::Factor && moving.form == Form::Number(1.0) {
            return text(&value.to_string());
        }
        raw(moving.form, value, unit, moving.is_gauge)
    }

    /// Obeys a command; false when the object is none.
    pub(super) fn write(&mut self, now: Mono, bind: &VarBind) -> bool {
        let is_of =
            |command: &Option<VarBind>| command.as_ref().is_some_and(|it| it.oid == bind.oid);
        for outlet in &mut self.outlets {
            let Some(commands) = &outlet.commands else {
                continue;
            };
            if commands.unlock.as_ref() == Some(bind) {
                outlet.unlocked_until = Some(now + UNLOCKED);
                return true;
            }
            let is_locked =
                commands.unlock.is_some() && outlet.unlocked_until.is_none_or(|until| now >= until);
            let is_command = commands.on.oid == bind.oid
                || commands.off.oid == bind.oid
                || is_of(&commands.cycle)
                || is_of(&commands.unlock);
            if !is_command {
                continue;
            }
            if is_locked {
            } else if commands.on == *bind {
                (outlet.is_on, outlet.back) = (true, None);
            } else if commands.off == *bind {
                (outlet.is_on, outlet.back) = (false, None);
            } else if commands.cycle.as_ref() == Some(bind) {
                (outlet.is_on, outlet.back) = (false, Some(now + REBOOT));
            }
            return true;
        }
        false
    }

    /// Which meter this SET resets: 0 is the peak, 1 the energy.
    pub(super) fn resets(&self, bind: &VarBind) -> Option<usize> {
        self.resets
            .iter()
            .position(|reset| reset.as_ref() == Some(bind))
    }
}

fn text(text: &str) -> Value {
    Value::OctetString(text.as_bytes().into())
}

/// A number as this object writes it.
fn raw(form: Form, value: f64, unit: &str, is_gauge: bool) -> Value {
    let scaled = match form {
        Form::Number(factor) | Form::NumberOfList(_, factor) => value / factor,
        Form::Fahrenheit(factor) => (value * 1.8 + 32.0) / factor,
        Form::WithUnit => {
            let hundredths = (value * 100.0).round() / 100.0;
            return text(&format!("{hundredths}{unit}"));
        }
        Form::Switch { .. } | Form::SwitchOfList { .. } | Form::Time | Form::Text => {
            return Value::Null;
        }
    };
    let number = scaled.round();
    match is_gauge {
        true => Value::Gauge32(number as u32),
        false => Value::Integer(i64::from(number as i32)),
    }
}
