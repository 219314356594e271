//! Outlets of a simulated APC unit of the second generation: switched by one object, told by another, each with its
//! share of the unit's power.

use super::respond::oid;
use super::{Cell, Mib};
use rackwarden_base::time::Mono;
use rackwarden_snmp::{Oid, Value};
use std::time::Duration;

/// rPDU2OutletSwitchedStatusEntry, rPDU2OutletSwitchedControlEntry, rPDU2OutletMeteredStatusEntry
const STATUS: &str = "1.3.6.1.4.1.318.1.1.26.9.2.3.1";
const CONTROL: &str = "1.3.6.1.4.1.318.1.1.26.9.2.4.1";
const METERED: &str = "1.3.6.1.4.1.318.1.1.26.9.4.3.1";
/// rPDU2OutletSwitchedConfigRebootDuration, as it leaves the factory.
const REBOOT: Duration = Duration::from_secs(5);
const MAINS_V: f64 = 230.0;

/// What a device makes of a SET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// Does it and says so.
    #[default]
    Obeys,
    /// Says so and does nothing.
    Ignores,
    /// Does it, and its answer is lost.
    Mutters,
    /// Says notWritable, as with a community that may only read.
    Refuses,
}

/// One outlet.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    share_w: f64,
    is_on: bool,
    /// When a cycle gives power again.
    back: Option<Mono>,
}

/// Adds the objects of these outlets: name and watts while on.
pub(super) fn add(mib: &mut Mib, outlets: &[(&str, f64)]) -> Vec<Outlet> {
    let mut made = Vec::with_capacity(outlets.len());
    for (number, (name, share_w)) in (1u32..).zip(outlets) {
        let mut put = |table: &'static str, column: u32, value: Value, is_writable: bool| {
            let cell = match is_writable {
                true => Cell::writable(value),
                false => Cell::fixed(value),
            };
            mib.insert(oid(table).child(&[column, number]), cell);
        };
        for table in [STATUS, METERED] {
            put(table, 1, Value::Integer(number.into()), false);
            put(table, 2, Value::Integer(1), false);
            put(table, 3, Value::OctetString(name.as_bytes().into()), false);
            put(table, 4, Value::Integer(number.into()), false);
        }
        put(STATUS, 5, Value::Integer(2), false);
        put(CONTROL, 5, Value::Integer(1), true);
        put(METERED, 6, Value::Integer(0), false);
        put(METERED, 7, Value::Integer(0), false);
        made.push(Outlet {
            share_w: *share_w,
            is_on: true,
            back: None,
        });
    }
    made
}

/// Obeys a command; false when the object is none.
pub(super) fn write(outlets: &mut [Outlet], now: Mono, name: &Oid, value: &Value) -> bool {
    let column = oid(CONTROL).child(&[5]);
    let Some(number) = name
        .strip_prefix(&column)
        .and_then(|mut arcs| arcs.next())
        .and_then(|number| usize::try_from(number).ok())
    else {
        return false;
    };
    let Some(outlet) = number.checked_sub(1).and_then(|at| outlets.get_mut(at)) else {
        return false;
    };
    match value {
        Value::Integer(1) => (outlet.is_on, outlet.back) = (true, None),
        Value::Integer(2) => (outlet.is_on, outlet.back) = (false, None),
        Value::Integer(3) => (outlet.is_on, outlet.back) = (false, Some(now + REBOOT)),
        _ => {}
    }
    true
}

/// Brings the objects up to now; says which share of the unit's power flows.
pub(super) fn tick(outlets: &mut [Outlet], mib: &mut Mib, now: Mono) -> f64 {
    let (mut flows, mut all) = (0.0, 0.0);
    for (number, outlet) in (1u32..).zip(&mut *outlets) {
        if outlet.back.is_some_and(|back| now >= back) {
            (outlet.is_on, outlet.back) = (true, None);
        }
        all += outlet.share_w;
        let watts = if outlet.is_on { outlet.share_w } else { 0.0 };
        flows += watts;
        let mut put = |table: &'static str, column: u32, number_now: f64| {
            if let Some(cell) = mib.get_mut(&oid(table).child(&[column, number])) {
                cell.value = Value::Integer(number_now.round() as i64);
            }
        };
        put(STATUS, 5, if outlet.is_on { 2.0 } else { 1.0 });
        put(METERED, 6, watts / MAINS_V * 10.0);
        put(METERED, 7, watts);
    }
    if all > 0.0 { flows / all } else { 1.0 }
}
