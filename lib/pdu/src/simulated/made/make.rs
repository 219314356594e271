//! From a profile to the objects of a device.

use super::conditions::Conditions;
use super::{Commands, Made, Moving, Of, Outlet, What, raw, text};
use crate::layout::{UnitRow, fill};
use crate::profile::{
    Each, Few, Field, Form, Keep, Model, Object, Part, Profile, Quantity, Reset, RowKind, Rows,
    Says, Scope, Set, Shape, Switch, Table, Variables,
};
use crate::simulated::{Cell, Mib, respond};
use rackwarden_snmp::{Oid, Value, VarBind};

/// Rows of each kind.
const PHASES: u32 = 1;
const BANKS: u32 = 2;
const OUTLETS: u32 = 8;
/// Tables that share a column stand so many rows apart.
const APART: u32 = 10;
const CELSIUS: f64 = 24.5;
const HUMIDITY: f64 = 41.0;
/// Decimal digits that a device says its numbers have.
const DIGITS: i64 = 2;

/// The objects of a device of this family; `None` when the profile has no readings.
pub(in crate::simulated) fn make(profile: &Profile) -> Option<(Mib, Made)> {
    let mut maker = Maker::new(profile);
    maker.device(profile, false);
    for table in &profile.tables {
        maker.table(table);
    }
    for variables in &profile.variables {
        maker.variables(variables);
    }
    maker.device(profile, true);
    maker.units(profile);
    for (reset, into) in [(&profile.peak_reset, 0), (&profile.energy_reset, 1)] {
        if let Some(reset) = reset.first() {
            maker.reset(reset, into);
        }
    }
    if maker.made.moving.is_empty() {
        return None;
    }
    maker.describe(profile);
    Some((maker.mib, maker.made))
}

struct Maker {
    mib: Mib,
    made: Made,
    conditions: Conditions,
    unit: UnitRow,
    /// What is told of rows of each kind.
    told: Vec<(RowKind, Field)>,
    /// Columns that are walked, and rows that stand in them.
    walked: Vec<(Oid, u32)>,
    /// What is told of the whole device.
    done: Vec<Quantity>,
}

impl Maker {
    fn new(profile: &Profile) -> Maker {
        let shape = profile.units.first().map(|rows| &*rows.shape);
        let unit = shape.map_or_else(
            || UnitRow {
                unit: vec![1],
                row: vec![1],
            },
            |shape| place(shape, 1),
        );
        Maker {
            mib: Mib::new(),
            made: Made::default(),
            conditions: Conditions::default(),
            unit,
            told: Vec::new(),
            walked: Vec::new(),
            done: Vec::new(),
        }
    }

    fn table(&mut self, table: &Table) {
        let is_new = |maker: &Maker, field: Field| !maker.told.contains(&(table.kind, field));
        let adds = (table.columns.iter())
            .any(|(field, _)| field.tells() && is_new(self, *field) || *field == Field::Rating);
        let is_probe = table.kind == RowKind::Probe;
        let is_spare = table.is_instead && self.told.iter().any(|(kind, _)| *kind == table.kind);
        if is_spare || !(adds || is_probe) {
            return;
        }
        match table.rows.each {
            Each::Row => {}
            Each::List => return self.list(table),
            Each::Count => return,
        }
        let count = match table.kind {
            _ if table.at.is_some() => 1,
            RowKind::Phase => PHASES,
            RowKind::Bank => BANKS,
            RowKind::Outlet => OUTLETS,
            RowKind::Probe => 1,
        };
        let count = count.min(table.cap as u32);
        let mut first = 1;
        while first < 4 * APART && !self.may_begin(table, first) {
            first += APART;
        }
        for number in 0..count {
            self.row(table, first + number, number, count);
        }
        let told = table.columns.iter().map(|(field, _)| (table.kind, *field));
        self.told.extend(told);
        self.walked.push((table.rows.oid.clone(), first));
    }

    /// Whether the rows of a table can stand here: another one may have said what the same column means.
    fn may_begin(&self, table: &Table, first: u32) -> bool {
        let instance = |number| fill(&table.rows.shape, &place(&table.rows.shape, number));
        let instance = instance(first);
        let place = place(&table.rows.shape, first);
        let fits = |keep: &Keep| {
            let name = beside(&keep.oid, &keep.shape, &place, &instance);
            self.conditions.allow(&name, keep) && !self.mib.contains_key(&name)
                || self
                    .mib
                    .get(&name)
                    .is_some_and(|cell| keep.accepts(&cell.value))
        };
        let is_taken =
            table.kind == RowKind::Probe && self.walked.contains(&(table.rows.oid.clone(), first));
        let is_there = |(_, object): &(Field, Object)| {
            let name = name_of(object, &instance, &place);
            self.made.moving.iter().any(|(known, _)| *known == name)
        };
        !is_taken && !table.columns.iter().any(is_there) && table.keep.iter().all(fits)
    }

    fn row(&mut self, table: &Table, number: u32, at: u32, count: u32) {
        let place = place(&table.rows.shape, number);
        let instance = fill(&table.rows.shape, &place);
        for keep in &table.keep {
            let name = beside(&keep.oid, &keep.shape, &place, &instance);
            self.conditions.keep(name, keep);
        }
        let number_of = table.number.as_ref().map(|number| {
            let value = number.values.get(at as usize);
            let first = value.and_then(|values| values.as_slice().first().copied());
            let value = first.unwrap_or(i64::from(number_at(at)));
            (number.oid.child(&instance), value)
        });
        let unit_of = table.unit.as_ref().map(|unit| (unit.child(&instance), 1));
        let count_of = table.count.as_ref().map(|count_of| {
            let name = count_of.child(&place.unit);
            (name, i64::from(count))
        });
        for (name, value) in [number_of, unit_of, count_of].into_iter().flatten() {
            self.put(name, Value::Integer(value));
        }
        let of = match table.kind {
            RowKind::Outlet => Of::Outlet(self.outlet(at as usize)),
            _ => Of::Part(count),
        };
        let mut done = Vec::new();
        for (field, object) in &table.columns {
            let is_told = self.told.contains(&(table.kind, *field)) && table.kind != RowKind::Probe;
            if done.contains(field) || is_told {
                continue;
            }
            if self.cell(
                table.kind,
                *field,
                object,
                &instance,
                &place,
                of,
                number_at(at),
            ) {
                done.push(*field);
            }
        }
        let walked = table.rows.oid.child(&instance);
        if !self.conditions.has(&walked) {
            self.put(walked, Value::Integer(i64::from(number)));
        }
        if let (Some(switch), Of::Outlet(at)) = (&table.switch, of) {
            self.switch(switch, at, &place, &instance);
        }
    }

    /// The object of a field; false when its conditions contradict those of others.
    #[expect(clippy::too_many_arguments, reason = "a row is all of them")]
    fn cell(
        &mut self,
        kind: RowKind,
        field: Field,
        object: &Object,
        instance: &[u32],
        place: &UnitRow,
        of: Of,
        number: u32,
    ) -> bool {
        let what = match field {
            Field::Name => {
                let word = match kind {
                    RowKind::Phase => "phase",
                    RowKind::Bank => "bank",
                    RowKind::Outlet => "outlet",
                    RowKind::Probe => "probe",
                };
                let name = name_of(object, instance, place);
                self.put(name, text(&format!("{word} {number}")));
                return true;
            }
            Field::On => What::On,
            Field::Power => What::Quantity(Quantity::Power),
            Field::Apparent => What::Quantity(Quantity::Apparent),
            Field::Factor => What::Quantity(Quantity::Factor),
            Field::Current => What::Quantity(Quantity::Current),
            Field::Voltage => What::Quantity(Quantity::Voltage),
            Field::Energy => What::Quantity(Quantity::Energy),
            Field::Rating => What::Quantity(Quantity::RatedCurrent),
            Field::Temperature | Field::Humidity => {
                let value = if field == Field::Humidity {
                    HUMIDITY
                } else {
                    CELSIUS
                };
                let Some(form) = self.conditioned(object, instance, place) else {
                    return false;
                };
                let name = name_of(object, instance, place);
                self.put(name, raw(form, value, "%", false));
                return true;
            }
        };
        self.object(object, instance, place, what, of)
    }

    /// An object that follows the load.
    fn object(
        &mut self,
        object: &Object,
        instance: &[u32],
        place: &UnitRow,
        what: What,
        of: Of,
    ) -> bool {
        let Some(form) = self.conditioned(object, instance, place) else {
            return false;
        };
        let name = name_of(object, instance, place);
        let moving = Moving {
            form,
            what,
            of,
            is_gauge: false,
        };
        // What a row says may be what the whole device says.
        if self.made.moving.iter().all(|(known, _)| *known != name) {
            self.put(name.clone(), Value::Integer(0));
            self.made.moving.push((name, moving));
        }
        true
    }

    /// How an object is written when the ones beside it say what they say here; `None` when they cannot.
    fn conditioned(&mut self, object: &Object, instance: &[u32], place: &UnitRow) -> Option<Form> {
        let own = object.shape.as_ref().map(|shape| fill(shape, place));
        let instance = own.as_deref().unwrap_or(instance);
        let names = object.scalings.iter().map(|scaling| {
            let is_scalar = scaling.oid.arcs().last() == Some(0) && scaling.shape.is_none();
            match is_scalar {
                true => scaling.oid.clone(),
                false => beside(&scaling.oid, &scaling.shape, place, instance),
            }
        });
        let names: Vec<Oid> = names.collect();
        let said = |(name, says): (&Oid, &Says)| {
            let known = self.mib.get(name);
            self.conditions.can_say(name, says)
                && known.is_none_or(|cell| says.allows(Some(&cell.value)))
        };
        let all = || {
            names
                .iter()
                .zip(object.scalings.iter().map(|scaling| &scaling.says))
        };
        if !all().all(said) {
            return None;
        }
        let mut form = object.form;
        for (name, says) in names
            .iter()
            .zip(object.scalings.iter().map(|scaling| &scaling.says))
        {
            if says.is_scale() && form != object.form {
                continue;
            }
            if let (Form::Number(factor), Says::Digits | Says::Ratio) = (form, says) {
                form = Form::Number(factor * 10f64.powi(-DIGITS as i32));
                let value = match says {
                    Says::Ratio => -10i64.pow(DIGITS as u32),
                    _ => DIGITS,
                };
                self.put(name.clone(), Value::Integer(value));
            } else {
                self.conditions.say(name.clone(), says);
            }
        }
        Some(form)
    }

    /// What the whole device says, or else each of its units. Rows of tables stand beside the one, and may be the same as the other.
    fn device(&mut self, profile: &Profile, of_units: bool) {
        for (quantity, scope, object) in &profile.device {
            let mut alternatives = profile.device.iter();
            let best = alternatives.find(|(known, ..)| known == quantity);
            let is_of_unit = best.is_some_and(|(_, scope, _)| matches!(scope, Scope::Unit(_)));
            if self.done.contains(quantity) || is_of_unit != of_units {
                continue;
            }
            let unit = self.unit.clone();
            let (instance, place) = match scope {
                Scope::Whole(instance) | Scope::Host(instance) => {
                    (instance.to_vec(), UnitRow::default())
                }
                Scope::Unit(shape) => (fill(shape, &unit), unit),
            };
            let what = What::Quantity(*quantity);
            // The instance is in the shape that the object itself has as well.
            let object = Object {
                shape: None,
                ..object.clone()
            };
            if self.object(&object, &instance, &place, what, Of::Whole) {
                self.done.push(*quantity);
            }
        }
    }

    /// The column that names the units is there, whatever else is.
    fn units(&mut self, profile: &Profile) {
        if let Some(Rows { oid, shape, .. }) = profile.units.first() {
            let has_rows = self.mib.keys().any(|name| name.starts_with(oid));
            if !has_rows {
                let name = oid.child(&fill(shape, &self.unit));
                self.put(name, Value::Integer(1));
            }
        }
    }

    /// One value for all rows.
    fn list(&mut self, table: &Table) {
        let name = table.rows.oid.child(&[0]);
        for at in 0..OUTLETS {
            self.outlet(at as usize);
            if let Some(count) = &table.count {
                self.put(count.child(&[at + 1, 0]), text("1"));
            }
        }
        for (field, object) in &table.columns {
            self.told.push((table.kind, *field));
            self.made.lists.push((name.clone(), object.form));
        }
        self.put(name, text(""));
    }

    fn variables(&mut self, variables: &Variables) {
        let mut number = 0;
        let mut done = Vec::new();
        for (quantity, called) in &variables.device {
            if !done.contains(quantity) {
                done.push(*quantity);
                number += 1;
                let what = Some(What::Quantity(*quantity));
                self.variable(variables, number, called, what, Of::Whole);
            }
        }
        for (kind, field, called) in &variables.rows {
            let count = if *kind == RowKind::Outlet {
                OUTLETS
            } else {
                PHASES
            };
            for at in 0..count {
                number += 1;
                let called = called.replace("{n}", &number_at(at).to_string());
                let of = match kind {
                    RowKind::Outlet => Of::Outlet(self.outlet(at as usize)),
                    _ => Of::Part(count),
                };
                let what = match field {
                    Field::On => Some(What::On),
                    Field::Power => Some(What::Quantity(Quantity::Power)),
                    Field::Current => Some(What::Quantity(Quantity::Current)),
                    Field::Voltage => Some(What::Quantity(Quantity::Voltage)),
                    Field::Energy => Some(What::Quantity(Quantity::Energy)),
                    Field::Factor => Some(What::Quantity(Quantity::Factor)),
                    _ => None,
                };
                self.variable(variables, number, &called, what, of);
            }
        }
    }

    fn variable(
        &mut self,
        variables: &Variables,
        number: u32,
        called: &str,
        what: Option<What>,
        of: Of,
    ) {
        let place = place(&variables.names.shape, number);
        let instance = fill(&variables.names.shape, &place);
        self.put(variables.names.oid.child(&instance), text(called));
        if let Some(column) = &variables.text {
            self.put(column.child(&instance), text(called));
        }
        let few = |number| Few::new(&[number]).unwrap_or_default();
        let relay = Object {
            form: Form::Switch {
                on: few(1),
                off: few(0),
            },
            ..variables.value.clone()
        };
        let object = match what {
            Some(What::On) => &relay,
            _ => &variables.value,
        };
        if let Some(what) = what {
            self.object(object, &instance, &place, what, of);
        }
    }

    /// The place of an outlet, which may be new.
    fn outlet(&mut self, at: usize) -> usize {
        while self.made.outlets.len() <= at {
            self.made.outlets.push(Outlet {
                is_on: true,
                back: None,
                unlocked_until: None,
                commands: None,
            });
        }
        at
    }

    fn switch(&mut self, switch: &Switch, at: usize, place: &UnitRow, instance: &[u32]) {
        if let Some(keep) = &switch.when {
            let name = beside(&keep.oid, &keep.shape, place, instance);
            self.conditions.keep(name, keep);
        }
        let mut bind = |set: &Set| {
            let name = beside(&set.oid, &set.shape, place, instance);
            let cell = Cell::writable(set.value.clone());
            let known = self.mib.get_mut(&name);
            match known {
                Some(known) => known.is_writable = true,
                None => {
                    self.mib.insert(name.clone(), cell);
                }
            }
            VarBind {
                oid: name,
                value: set.value.clone(),
            }
        };
        let commands = Commands {
            on: bind(&switch.on),
            off: bind(&switch.off),
            cycle: switch.cycle.as_ref().map(&mut bind),
            unlock: switch.unlock.as_ref().map(&mut bind),
        };
        if let Some(outlet) = self.made.outlets.get_mut(at) {
            outlet.commands = Some(commands);
        }
    }

    fn reset(&mut self, reset: &Reset, into: usize) {
        let instance = match &reset.scope {
            Scope::Whole(instance) | Scope::Host(instance) => instance.to_vec(),
            Scope::Unit(shape) => fill(shape, &self.unit),
        };
        if let Some(keep) = &reset.when {
            let name = beside(&keep.oid, &keep.shape, &self.unit, &instance);
            self.conditions.keep(name, keep);
        }
        let name = reset.oid.child(&instance);
        let is_gauge = matches!(reset.value, Value::Gauge32(_));
        for (moving, reads) in &mut self.made.moving {
            reads.is_gauge |= is_gauge && *moving == name;
        }
        let resting = match is_gauge {
            true => Value::Gauge32(1),
            false => Value::Integer(1),
        };
        self.mib.insert(name.clone(), Cell::writable(resting));
        self.made.resets[into] = Some(VarBind {
            oid: name,
            value: reset.value.clone(),
        });
    }

    /// What the device says of itself, and what conditions ask for.
    fn describe(&mut self, profile: &Profile) {
        let head = &profile.head;
        let model = head.models.first().map_or("simulated", |model| model);
        for (oid, shape) in &profile.model {
            let name = match shape {
                Some(shape) => oid.child(&fill(shape, &self.unit)),
                None => oid.clone(),
            };
            self.put(name, text(model));
        }
        let mut descr = head.sys_descrs.first().map_or("", |part| part).to_owned();
        for model in &head.model {
            if let Model::Words(words) = model {
                descr = format!("{descr} {words}");
            }
        }
        let id = head.sys_object_ids.first().map_or(NET_SNMP, |id| id);
        let id = match head.bases.iter().find(|base| base.contains('*')) {
            Some(base) => base.replace('*', "1"),
            None => id.to_owned(),
        };
        let id = id.parse().unwrap_or_else(|_| Oid::from_arcs(&[0, 0]));
        self.put(oid(SYS_DESCR), text(&format!("Simulated PDU {descr}")));
        self.put(oid(SYS_OBJECT_ID), Value::ObjectId(id));
        for (name, value) in self.conditions.values() {
            self.put(name, value);
        }
    }

    /// An object that was not there.
    fn put(&mut self, name: Oid, value: Value) {
        if !self.mib.contains_key(&name) {
            self.mib.insert(name, Cell::fixed(value));
        }
    }
}

const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
const SYS_OBJECT_ID: &str = "1.3.6.1.2.1.1.2.0";
/// What an agent of net-snmp says, whatever it runs on.
const NET_SNMP: &str = "1.3.6.1.4.1.8072.3.2.10";

fn oid(text: &'static str) -> Oid {
    respond::oid(text)
}

const fn number_at(at: u32) -> u32 {
    at + 1
}

/// What an instance of this shape means: the first unit, and the row with this number.
fn place(shape: &[Part], number: u32) -> UnitRow {
    let mut place = UnitRow::default();
    for part in shape {
        match part {
            Part::Unit | Part::UnitRest => place.unit.push(1),
            Part::Row | Part::RowPlus(_) | Part::RowRest => place.row.push(1),
            Part::Fixed(_) => {}
        }
    }
    // The last number is that of the row; what names it by more comes behind.
    let is_named = matches!(shape.last(), Some(Part::RowRest));
    let last = place.row.len().saturating_sub(1 + usize::from(is_named));
    if let Some(row) = place.row.get_mut(last) {
        *row = number;
    }
    if place.unit.is_empty() {
        place.unit.push(1);
    }
    place
}

fn name_of(object: &Object, instance: &[u32], place: &UnitRow) -> Oid {
    beside(&object.oid, &object.shape, place, instance)
}

/// An object beside another one: its instance is its own, or that of the other.
fn beside(oid: &Oid, shape: &Shape, place: &UnitRow, instance: &[u32]) -> Oid {
    match shape {
        Some(shape) => oid.child(&fill(shape, place)),
        None => oid.child(instance),
    }
}
