//! From a family's table and the rows that a device has to the objects worth trying, and from what it
//! answered to its `Plan`.

mod choose;
mod rows;
mod split;

use super::plan::{Cell, MAX_UNITS, Plan, Target, UNGUARDED, WHOLE};
use super::profile::{
    Each, Few, Field, Form, Keep, Object, Profile, Quantity, Reset, RowKind, Says, Scaling, Scope,
    Shape, Table, Variables,
};
use super::value::{self, is_valid};
use rackwarden_base::small::{SmallMap, SmallSet};
use rackwarden_snmp::{Oid, Value, VarBind};
pub(super) use rows::fill;
use rows::{UnitNames, Walked, row_number, table_row, take_apart, unit_at, unit_rows};
use split::{Guards, split};
use std::sync::Arc;

/// sysUpTime.0 (RFC 3418).
pub(super) const SYS_UPTIME: &str = "1.3.6.1.2.1.1.3.0";

/// Rows that were found, by column.
pub(super) type Found<'a> = &'a dyn Fn(&Oid) -> Option<&'a SmallMap<Vec<u32>, Value>>;

/// The objects of one device that are worth trying.
#[derive(Debug)]
pub(super) struct Layout {
    profile: Arc<Profile>,
    /// What names each unit.
    units: Vec<Vec<u32>>,
    rows: SmallMap<RowKind, Vec<TableRow>>,
    wishes: Vec<Wish>,
    resets: [Vec<ResetWish>; 2],
    models: Vec<Oid>,
    /// Rows of which only their number is known, with the table that tells it.
    counted: Vec<(RowKind, u16, usize)>,
    /// Where the outlets of tables with a switch stand: table, row, and what its instance means and is.
    switchable: Vec<(usize, u16, UnitRow, Vec<u32>)>,
}

/// A SET that makes a unit forget.
#[derive(Debug)]
struct ResetWish {
    bind: VarBind,
    unsupported: Few,
    when: Option<(Oid, Keep)>,
    /// Position among the alternatives.
    alternative: usize,
}

/// A row of a merged table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TableRow {
    unit: u16,
    key: Vec<u32>,
}

impl TableRow {
    /// Probes of two tables have nothing to do with each other, though their instances be the same.
    fn of(mut self, kind: RowKind, table: usize) -> TableRow {
        if kind == RowKind::Probe {
            self.key.insert(0, table as u32);
        }
        self
    }
}

/// One object, what it would be good for, and how much it is preferred.
#[derive(Debug)]
struct Wish {
    oid: Oid,
    cell: Cell,
    /// Objects that say how to read this one.
    scalings: Vec<(Oid, Says)>,
    /// The one of them that is asked with it every time.
    guard: Option<(Oid, Says)>,
    /// False when one of them says that it holds nothing.
    is_valid: bool,
    /// Position among the alternatives for the same target.
    alternative: usize,
}

impl Wish {
    /// Reads the objects beside it. Of several that tell its scale the first that is there counts; without any of them
    /// it holds nothing, as nobody knows what its number means.
    fn scale(&mut self, answered: &dyn Fn(&Oid) -> Option<Value>) {
        let mut scale_is_known = None;
        for (oid, says) in &self.scalings {
            if says.is_scale() && scale_is_known == Some(true) {
                continue;
            }
            let said = answered(oid);
            self.cell.form = scaled(self.cell.form, says, said.as_ref());
            self.is_valid &= says.allows(said.as_ref());
            if says.is_scale() {
                let said = said.as_ref().and_then(value::whole);
                scale_is_known = Some(said.is_some_and(|said| says.is_possible(said)));
            }
        }
        self.is_valid &= scale_is_known != Some(false);
    }
}

/// A unit (or one of its inlets) by the instance that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitRow {
    pub(super) unit: Vec<u32>,
    pub(super) row: Vec<u32>,
}

impl Layout {
    /// Lays out a device of this family with these rows. `only` selects one unit of a chain.
    ///
    /// # Errors
    /// When the device has no such unit; the text says which it has.
    pub(super) fn new(
        profile: Arc<Profile>,
        found: Found<'_>,
        only: Option<u32>,
    ) -> Result<Layout, String> {
        let mut unit_rows = unit_rows(&profile, found);
        let mut units: Vec<Vec<u32>> = unit_rows.iter().map(|row| row.unit.clone()).collect();
        rackwarden_base::small::sort_by_key(&mut units, Clone::clone);
        units.dedup();
        let names = UnitNames::new(&profile, found, &units);
        if let Some(only) = only {
            let mut numbers: Vec<u32> = names.numbers.iter().map(|(number, _)| *number).collect();
            if !numbers.contains(&only) {
                numbers.dedup();
                let known: Vec<String> = numbers.iter().map(u32::to_string).collect();
                return Err(format!(
                    "the device has no unit {only}, only {}",
                    known.join(", ")
                ));
            }
            let mut numbers = numbers.into_iter();
            units.retain(|_| numbers.next() == Some(only));
            unit_rows.retain(|row| units.contains(&row.unit));
        }
        units.truncate(MAX_UNITS);
        let mut layout = Layout {
            profile: Arc::clone(&profile),
            units,
            rows: SmallMap::new(),
            wishes: Vec::new(),
            resets: [Vec::new(), Vec::new()],
            models: models(&profile, unit_rows.first()),
            counted: Vec::new(),
            switchable: Vec::new(),
        };
        layout.wish_device(&profile, &unit_rows, &names.host, only);
        for (alternative, table) in profile.tables.iter().enumerate() {
            layout.wish_table(table, alternative, found, &names);
        }
        for variables in &profile.variables {
            layout.wish_variables(variables, found);
        }
        for (reset, wishes) in [&profile.peak_reset, &profile.energy_reset]
            .into_iter()
            .zip(&mut layout.resets)
        {
            *wishes = reset
                .iter()
                .enumerate()
                .flat_map(|(alternative, reset)| wish_reset(reset, alternative, &unit_rows))
                .collect();
        }
        Ok(layout)
    }

    /// Every object to try, once each.
    pub(super) fn oids(&self) -> Vec<Oid> {
        let wishes = self.wishes.iter().map(|wish| &wish.oid);
        let scalings = self.wishes.iter().flat_map(|wish| &wish.scalings);
        let resets = self.resets.iter().flatten();
        let guards = resets.clone().filter_map(|reset| reset.when.as_ref());
        let mut seen = SmallSet::new();
        wishes
            .chain(scalings.map(|(oid, _)| oid))
            .chain(resets.map(|reset| &reset.bind.oid))
            .chain(guards.map(|(oid, _)| oid))
            .chain(&self.models)
            .cloned()
            .chain(self.switch_guards())
            .filter(|oid| seen.insert(oid.clone()))
            .collect()
    }

    /// The objects in which the model's name may stand, the best first.
    pub(super) fn models(&self) -> &[Oid] {
        &self.models
    }

    /// The objects that say which outlets can be switched.
    fn switch_guards(&self) -> impl Iterator<Item = Oid> {
        self.switchable
            .iter()
            .filter_map(|(table, _, place, instance)| {
                let switch = self.profile.tables.get(*table)?.switch.as_ref()?;
                Some(guard(switch.when.as_ref()?, place, instance))
            })
    }

    /// The plan for a device that answered the trial like this. At most `batch` objects go into a request.
    pub(super) fn plan(mut self, answered: &dyn Fn(&Oid) -> Option<Value>, batch: usize) -> Plan {
        for wish in &mut self.wishes {
            wish.scale(answered);
        }
        let has_value = |wish: &Wish| {
            wish.is_valid
                && answered(&wish.oid).is_some_and(|value| {
                    value == Value::Null || is_valid(&value, wish.cell.form, wish.cell.absent)
                })
        };
        let mut chosen = self.choose_device(&has_value);
        let mut switches = Vec::new();
        let rows = self.choose_rows(&has_value, answered, &mut chosen, &mut switches);
        let ratings = self.take_ratings(&mut chosen, answered);
        let has_uptime = answered(&oid(SYS_UPTIME)).is_some_and(|value| value.as_i64().is_some());
        let has_peak = chosen
            .keys()
            .any(|key| key.quantity() == Some(Quantity::Peak));
        let mut plan = Plan {
            units: self.units.len() as u16,
            peak_reset: self.choose_resets(0, has_peak, answered),
            energy_reset: self.choose_resets(1, false, answered),
            switches: switches.into(),
            parts: self.profile.parts,
            ..Plan::default()
        };
        for (kind, rows) in rows {
            let rows = rows.into_boxed_slice();
            match kind {
                RowKind::Phase => plan.phases = rows,
                RowKind::Bank => plan.banks = rows,
                RowKind::Outlet => plan.outlets = rows,
                RowKind::Probe => plan.probes = rows,
            }
        }
        ratings.write(&mut plan);
        let uptime = has_uptime.then(|| (oid(SYS_UPTIME), UPTIME));
        let cells = uptime
            .into_iter()
            .chain(chosen.into_iter().map(|(key, cell)| (key.oid, cell)));
        let sums = (self.units.len(), plan.parts);
        let guarded = self.wishes.iter();
        let guards = guarded.filter_map(|wish| Some((wish.oid.clone(), wish.guard.clone()?)));
        let guards: Guards = guards
            .filter(|(_, (guard, _))| answered(guard).is_some())
            .collect();
        (plan.fast, plan.slow) = split(cells.collect(), &guards, batch.max(1), sums);
        plan
    }

    /// Wishes for an object at an instance; `place` is what the instance means.
    fn wish(
        &mut self,
        object: &Object,
        instance: &[u32],
        place: &UnitRow,
        target: Target,
        alternative: usize,
    ) {
        let beside = |scaling: &Scaling| {
            let is_scalar = scaling.oid.arcs().last() == Some(0);
            let oid = match &scaling.shape {
                Some(shape) => scaling.oid.child(&fill(shape, place)),
                None if is_scalar => scaling.oid.clone(),
                None => scaling.oid.child(instance),
            };
            (oid, scaling.says.clone())
        };
        let live = object.scalings.iter().find(|scaling| scaling.is_live);
        self.wishes.push(Wish {
            oid: object.oid.child(instance),
            cell: Cell {
                target,
                form: object.form,
                absent: object.absent,
                of: 0,
                guard: UNGUARDED,
            },
            scalings: object.scalings.iter().map(beside).collect(),
            guard: live.map(beside),
            is_valid: true,
            alternative,
        });
    }

    fn wish_device(
        &mut self,
        profile: &Profile,
        unit_rows: &[UnitRow],
        host: &Vec<u32>,
        only: Option<u32>,
    ) {
        let mut alternatives: SmallMap<Quantity, usize> = SmallMap::new();
        for (quantity, scope, object) in &profile.device {
            let alternative = alternatives.entry(*quantity).or_insert(0);
            let target = |unit| Target::Device {
                quantity: *quantity,
                unit,
            };
            match scope {
                Scope::Whole(instance) if only.is_none() => {
                    let place = UnitRow::default();
                    self.wish(object, instance, &place, target(WHOLE), *alternative);
                }
                Scope::Host(instance) if self.units.first() == Some(host) => {
                    let place = UnitRow::default();
                    self.wish(object, instance, &place, target(0), *alternative);
                }
                Scope::Whole(_) | Scope::Host(_) => {}
                Scope::Unit(shape) => {
                    let mut asked = SmallSet::new();
                    for row in unit_rows {
                        if let Some(at) = self.units.iter().position(|unit| *unit == row.unit) {
                            let instance = fill(shape, row);
                            // An object of a unit speaks for all its inlets, once.
                            if asked.insert(instance.clone()) {
                                self.wish(object, &instance, row, target(at as u16), *alternative);
                            }
                        }
                    }
                }
            }
            *alternative += 1;
        }
    }

    fn wish_table(
        &mut self,
        table: &Table,
        alternative: usize,
        found: Found<'_>,
        names: &UnitNames,
    ) {
        let Some(cells) = found(&table.rows.oid) else {
            return;
        };
        match table.rows.each {
            Each::List => return self.wish_list(table, alternative, found, cells),
            Each::Count => return self.wish_count(table, alternative, cells),
            Each::Row => {}
        }
        let mut taken = SmallSet::new();
        for instance in cells.keys().take(table.cap) {
            let Some(Walked { row, place }) = table_row(table, instance, found, names, &self.units)
            else {
                continue;
            };
            if !taken.insert(row.clone()) {
                continue;
            }
            let row = self.row(table.kind, row.of(table.kind, alternative));
            for (field, object) in &table.columns {
                let target = Target::Row {
                    kind: table.kind,
                    field: *field,
                    row,
                };
                match &object.shape {
                    Some(shape) => {
                        self.wish(object, &fill(shape, &place), &place, target, alternative);
                    }
                    None => self.wish(object, instance, &place, target, alternative),
                }
            }
            if table.switch.is_some() {
                let place = (alternative, row, place, instance.clone());
                self.switchable.push(place);
            }
        }
    }

    /// A list with commas: each element is a row.
    fn wish_list(
        &mut self,
        table: &Table,
        alternative: usize,
        found: Found<'_>,
        cells: &SmallMap<Vec<u32>, Value>,
    ) {
        for (instance, list) in cells.iter().take(1) {
            let length = list.as_text().map_or(0, |text| text.split(',').count());
            let count = table
                .count
                .as_ref()
                .and_then(|count| Some(found(count)?.len()));
            for at in 0..length.min(count.unwrap_or(length)).min(table.cap) {
                let row = TableRow {
                    unit: 0,
                    key: vec![at as u32 + 1],
                };
                let row = self.row(table.kind, row);
                for (field, object) in &table.columns {
                    let target = Target::Row {
                        kind: table.kind,
                        field: *field,
                        row,
                    };
                    let object = Object {
                        form: object.form.of_list(at as u16),
                        ..object.clone()
                    };
                    self.wish(&object, instance, &UnitRow::default(), target, alternative);
                }
            }
        }
    }

    /// Numbers of rows that have nothing else.
    fn wish_count(&mut self, table: &Table, alternative: usize, cells: &SmallMap<Vec<u32>, Value>) {
        for (instance, count) in cells {
            let Some((unit, key)) = take_apart(&table.rows.shape, instance) else {
                continue;
            };
            let unit = unit.unwrap_or_else(|| vec![1]);
            let Some(unit) = unit_at(&self.units, &unit) else {
                continue;
            };
            let count = count.as_i64().and_then(|count| u32::try_from(count).ok());
            for at in 1..=count.unwrap_or(0).min(table.cap as u32) {
                let key: Vec<u32> = key.iter().copied().chain([at]).collect();
                let row = self.row(table.kind, TableRow { unit, key });
                self.counted.push((table.kind, row, alternative));
            }
        }
    }

    /// The place of a row among those of its kind.
    fn row(&mut self, kind: RowKind, row: TableRow) -> u16 {
        let rows = self.rows.entry(kind).or_default();
        let known = rows.iter().position(|known| *known == row);
        let at = known.unwrap_or_else(|| {
            rows.push(row);
            rows.len() - 1
        });
        at as u16
    }

    fn wish_variables(&mut self, variables: &Variables, found: Found<'_>) {
        let Some(names) = found(&variables.names.oid) else {
            return;
        };
        for (instance, name) in names {
            let Some((unit, name)) = take_apart(&variables.names.shape, instance)
                .zip(value::text(name))
                .map(|((unit, _), name)| (unit.unwrap_or_else(|| vec![1]), name))
            else {
                continue;
            };
            let Some(unit) = unit_at(&self.units, &unit) else {
                continue;
            };
            let place = UnitRow::default();
            for (alternative, (quantity, known)) in variables.device.iter().enumerate() {
                if **known == *name {
                    let target = Target::Device {
                        quantity: *quantity,
                        unit,
                    };
                    self.wish(&variables.value, instance, &place, target, alternative);
                }
            }
            for (kind, field, known) in &variables.rows {
                if let Some(number) = row_number(known, &name) {
                    let key = vec![number];
                    let row = self.row(*kind, TableRow { unit, key });
                    let target = Target::Row {
                        kind: *kind,
                        field: *field,
                        row,
                    };
                    let object = match field {
                        Field::On => &relay(&variables.value),
                        Field::Name => &text(variables),
                        _ => &variables.value,
                    };
                    self.wish(object, instance, &place, target, NO_TABLE);
                }
            }
        }
    }
}

/// A variable as it is written for people.
fn text(variables: &Variables) -> Object {
    let value = &variables.value;
    Object {
        oid: variables.text.clone().unwrap_or_else(|| value.oid.clone()),
        form: Form::Text,
        scalings: [].into(),
        ..value.clone()
    }
}

/// A variable that says whether something is on: 1 or 0.
fn relay(value: &Object) -> Object {
    let few = |number| Few::new(&[number]).unwrap_or_default();
    Object {
        form: Form::Switch {
            on: few(1),
            off: few(0),
        },
        scalings: [].into(),
        ..value.clone()
    }
}

/// The SETs of a reset.
fn wish_reset(reset: &Reset, alternative: usize, unit_rows: &[UnitRow]) -> Vec<ResetWish> {
    let wish = |instance: &[u32], place: &UnitRow| ResetWish {
        bind: VarBind {
            oid: reset.oid.child(instance),
            value: reset.value.clone(),
        },
        unsupported: reset.unsupported,
        when: reset
            .when
            .clone()
            .map(|keep| (guard(&keep, place, instance), keep)),
        alternative,
    };
    match &reset.scope {
        Scope::Whole(instance) | Scope::Host(instance) => {
            vec![wish(instance, &UnitRow::default())]
        }
        Scope::Unit(shape) => unit_rows
            .iter()
            .map(|row| wish(&fill(shape, row), row))
            .collect(),
    }
}

/// The object that decides; its instance is its own, or that of what it decides about.
fn guard(keep: &Keep, place: &UnitRow, instance: &[u32]) -> Oid {
    match &keep.shape {
        Some(shape) => keep.oid.child(&fill(shape, place)),
        None => keep.oid.child(instance),
    }
}

/// Where the name of the model stands, for the first unit.
fn models(profile: &Profile, first: Option<&UnitRow>) -> Vec<Oid> {
    let place = first.cloned().unwrap_or_default();
    let model = |(oid, shape): &(Oid, Shape)| match shape {
        Some(shape) => oid.child(&fill(shape, &place)),
        None => oid.clone(),
    };
    profile.model.iter().map(model).collect()
}

/// How an object is read when the object beside it says this.
fn scaled(form: Form, says: &Says, said: Option<&Value>) -> Form {
    let (Form::Number(factor), Some(said)) = (form, said.and_then(value::whole)) else {
        return form;
    };
    match says {
        Says::Digits => Form::Number(factor * 10f64.powi(-said.max(0) as i32)),
        Says::Ratio if said < 0 => Form::Number(factor / -(said as f64)),
        Says::Ratio if said > 0 => Form::Number(factor * said as f64),
        Says::Fahrenheit(values) if values.contains(said) => Form::Fahrenheit(factor),
        _ => form,
    }
}

/// Stands for the table of what is found by its name.
const NO_TABLE: usize = usize::MAX;

const UPTIME: Cell = Cell {
    target: Target::Uptime,
    form: Form::Number(1.0),
    absent: Few::NONE,
    of: 0,
    guard: UNGUARDED,
};

/// Parses an OID of a table; the tests parse every one.
pub(super) fn oid(text: &str) -> Oid {
    text.parse().unwrap_or_else(|_| Oid::from_arcs(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_beside_it_says_how_it_is_read() {
        let number = Form::Number(1.0);
        let form = |says, said| scaled(number, &says, Some(&Value::Integer(said)));
        assert_eq!(form(Says::Digits, 3), Form::Number(0.001));
        assert_eq!(form(Says::Digits, -2), number, "digits that are accurate");
        assert_eq!(form(Says::Ratio, -100), Form::Number(0.01));
        assert_eq!(form(Says::Ratio, 10), Form::Number(10.0));
        assert_eq!(form(Says::Ratio, 0), number);
        let fahrenheit = || Says::Fahrenheit(Few::new(&[1]).expect("one"));
        assert_eq!(form(fahrenheit(), 1), Form::Fahrenheit(1.0));
        assert_eq!(form(fahrenheit(), 0), number);
        assert_eq!(scaled(number, &Says::Digits, None), number);
    }
}
