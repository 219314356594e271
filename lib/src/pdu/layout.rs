//! From a family's table and the rows that a device has to the objects worth trying, and from what it
//! answered to its `Plan`.

mod rows;
mod split;

use super::plan::{Cell, MAX_UNITS, Plan, PlanRow, PlanSwitch, Target, WHOLE};
use super::profile::{
    Few, Field, Form, Object, Profile, Quantity, Reset, RowKind, Scaling, Scope, Table, Variables,
};
use super::value::{self, is_valid};
use crate::small::{SmallMap, SmallSet};
use crate::snmp::{Oid, Value, VarBind};
use rows::{fill, row_number, table_row, take_apart, unit_rows};
use split::split;
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
    resets: [Vec<(Oid, Few, Value)>; 2],
}

/// A row of a merged table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TableRow {
    unit: u16,
    key: Vec<u32>,
}

/// One object, what it would be good for, and how much it is preferred.
#[derive(Debug)]
struct Wish {
    oid: Oid,
    cell: Cell,
    /// An object that says how to read this one.
    scaling: Option<(Oid, Scaling)>,
    /// Position among the alternatives for the same target.
    alternative: usize,
}

/// A unit (or one of its inlets) by the instance that names it.
#[derive(Clone, Debug)]
struct UnitRow {
    unit: Vec<u32>,
    row: Vec<u32>,
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
        crate::small::sort_by_key(&mut units, Clone::clone);
        units.dedup();
        let host = units.first().cloned().unwrap_or_else(|| vec![1]);
        if let Some(only) = only {
            let numbers: Vec<u32> = (0..)
                .zip(&units)
                .map(|(at, key)| unit_number(at, key))
                .collect();
            let Some(at) = numbers.iter().position(|number| *number == only) else {
                let known: Vec<String> = numbers.iter().map(u32::to_string).collect();
                return Err(format!(
                    "the device has no unit {only}, only {}",
                    known.join(", ")
                ));
            };
            units = vec![units.swap_remove(at)];
            unit_rows.retain(|row| row.unit == units[0]);
        }
        units.truncate(MAX_UNITS);
        let mut layout = Layout {
            profile: Arc::clone(&profile),
            units,
            rows: SmallMap::new(),
            wishes: Vec::new(),
            resets: [Vec::new(), Vec::new()],
        };
        layout.wish_device(&profile, &unit_rows, &host, only);
        for (alternative, table) in profile.tables.iter().enumerate() {
            layout.wish_table(table, alternative, found, &host);
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
                .flat_map(|reset| wish_reset(reset, &unit_rows))
                .collect();
        }
        Ok(layout)
    }

    /// Every object to try, once each.
    pub(super) fn oids(&self) -> Vec<Oid> {
        let wishes = self.wishes.iter().map(|wish| &wish.oid);
        let scalings = self.wishes.iter().filter_map(|wish| wish.scaling.as_ref());
        let resets = self.resets.iter().flatten().map(|(oid, _, _)| oid);
        let mut seen = SmallSet::new();
        wishes
            .chain(scalings.map(|(oid, _)| oid))
            .chain(resets)
            .filter(|oid| seen.insert((*oid).clone()))
            .cloned()
            .collect()
    }

    /// The plan for a device that answered the trial like this. At most `batch` objects go into a request.
    pub(super) fn plan(mut self, answered: &dyn Fn(&Oid) -> Option<Value>, batch: usize) -> Plan {
        for wish in &mut self.wishes {
            if let Some((oid, scaling)) = &wish.scaling {
                wish.cell.form = scaled(wish.cell.form, scaling, answered(oid).as_ref());
            }
        }
        let has_value = |wish: &Wish| {
            answered(&wish.oid).is_some_and(|value| {
                value == Value::Null || is_valid(&value, wish.cell.form, wish.cell.absent)
            })
        };
        let mut chosen = self.choose_device(&has_value);
        let mut switches = Vec::new();
        let rows = self.choose_rows(&has_value, &mut chosen, &mut switches);
        let has_uptime = answered(&oid(SYS_UPTIME)).is_some_and(|value| value.as_i64().is_some());
        let has_peak = chosen
            .keys()
            .any(|key| key.quantity() == Some(Quantity::Peak));
        let mut plan = Plan {
            units: self.units.len() as u16,
            peak_reset: self.choose_resets(0, has_peak, answered),
            energy_reset: self.choose_resets(1, false, answered),
            switches: switches.into(),
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
        let uptime = has_uptime.then(|| (oid(SYS_UPTIME), UPTIME));
        let cells = uptime
            .into_iter()
            .chain(chosen.into_iter().map(|(key, cell)| (key.oid, cell)));
        (plan.fast, plan.slow) = split(cells.collect(), batch.max(1), self.units.len());
        plan
    }

    fn wish(&mut self, object: &Object, instance: &[u32], target: Target, alternative: usize) {
        let scaling = object.scaling.clone().map(|scaling| {
            let column = match &scaling {
                Scaling::Digits(oid) | Scaling::Ratio(oid) | Scaling::Fahrenheit(oid, _) => oid,
            };
            let is_scalar = column.arcs().last() == Some(0);
            let oid = column.child(if is_scalar { &[] } else { instance });
            (oid, scaling)
        });
        self.wishes.push(Wish {
            oid: object.oid.child(instance),
            cell: Cell {
                target,
                form: object.form,
                absent: object.absent,
                of: 0,
            },
            scaling,
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
                    self.wish(object, instance, target(WHOLE), *alternative);
                }
                Scope::Host(instance) if self.units.first() == Some(host) => {
                    self.wish(object, instance, target(0), *alternative);
                }
                Scope::Whole(_) | Scope::Host(_) => {}
                Scope::Unit(shape) => {
                    for row in unit_rows {
                        if let Some(at) = self.units.iter().position(|unit| *unit == row.unit) {
                            let instance = fill(shape, row);
                            self.wish(object, &instance, target(at as u16), *alternative);
                        }
                    }
                }
            }
            *alternative += 1;
        }
    }

    fn wish_table(&mut self, table: &Table, alternative: usize, found: Found<'_>, host: &[u32]) {
        let Some(cells) = found(&table.rows.oid) else {
            return;
        };
        if table.rows.is_list {
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
                        self.wish(&object, instance, target, alternative);
                    }
                }
            }
            return;
        }
        let mut taken = SmallSet::new();
        for instance in cells.keys().take(table.cap) {
            let Some(row) = table_row(table, instance, found, host, &self.units) else {
                continue;
            };
            if !taken.insert(row.clone()) {
                continue;
            }
            let row = self.row(table.kind, row);
            for (field, object) in &table.columns {
                let target = Target::Row {
                    kind: table.kind,
                    field: *field,
                    row,
                };
                self.wish(object, instance, target, alternative);
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
            let Some(unit) = self.units.iter().position(|known| *known == unit) else {
                continue;
            };
            let unit = unit as u16;
            for (quantity, known) in &variables.device {
                if **known == *name {
                    let target = Target::Device {
                        quantity: *quantity,
                        unit,
                    };
                    self.wish(&variables.value, instance, target, 0);
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
                    self.wish(&variables.value, instance, target, 0);
                }
            }
        }
    }

    /// For each quantity the first alternative that speaks for every unit, or else what there is.
    fn choose_device(&self, has_value: &dyn Fn(&Wish) -> bool) -> SmallMap<Chosen, Cell> {
        let mut groups: SmallMap<(Quantity, usize, u16), Vec<&Wish>> = SmallMap::new();
        for wish in &self.wishes {
            if let Target::Device { quantity, unit } = wish.cell.target {
                let key = (quantity, wish.alternative, unit);
                groups.entry(key).or_default().push(wish);
            }
        }
        let mut chosen = SmallMap::new();
        let mut served: SmallMap<Quantity, SmallSet<u16>> = SmallMap::new();
        for ((quantity, _, unit), wishes) in groups {
            let served = served.entry(quantity).or_default();
            let is_whole = unit == WHOLE;
            let is_served = served.contains(&WHOLE)
                || served.contains(&unit)
                || is_whole && served.len() == self.units.len();
            // The peaks of several inlets or units have no sum.
            let is_peak = matches!(
                quantity,
                Quantity::Peak | Quantity::PeakAt | Quantity::PeakSince
            );
            let has_no_sum = is_peak && !is_whole && (self.units.len() > 1 || wishes.len() > 1);
            if is_served || has_no_sum || !wishes.iter().all(|wish| has_value(wish)) {
                continue;
            }
            if is_whole {
                chosen.retain(|key: &Chosen, _| key.quantity() != Some(quantity));
            }
            served.insert(unit);
            for wish in wishes {
                chosen.insert(Chosen::new(wish), wish.cell);
            }
        }
        chosen
    }

    /// For each cell of the tables the first table that has it. Rows that say nothing are left out.
    fn choose_rows(
        &self,
        has_value: &dyn Fn(&Wish) -> bool,
        chosen: &mut SmallMap<Chosen, Cell>,
        switches: &mut Vec<Option<PlanSwitch>>,
    ) -> SmallMap<RowKind, Vec<PlanRow>> {
        let mut best: SmallMap<(RowKind, u16, Field), &Wish> = SmallMap::new();
        for wish in &self.wishes {
            if let Target::Row { kind, field, row } = wish.cell.target {
                if has_value(wish) {
                    best.entry((kind, row, field)).or_insert(wish);
                }
            }
        }
        let speaking: SmallSet<(RowKind, u16)> = best
            .keys()
            .filter(|(_, _, field)| *field != Field::Name)
            .map(|(kind, row, _)| (*kind, *row))
            .collect();
        best.retain(|(kind, row, _), _| speaking.contains(&(*kind, *row)));

        let mut rows = SmallMap::new();
        for (kind, all) in &self.rows {
            let mut kept: Vec<(&TableRow, u16)> = (0u16..)
                .zip(all)
                .filter(|(at, _)| speaking.contains(&(*kind, *at)))
                .map(|(at, row)| (row, at))
                .collect();
            crate::small::sort_by_key(&mut kept, |(row, _)| (*row).clone());
            for (to, (_, from)) in (0u16..).zip(&kept) {
                for ((_, _, field), wish) in best.range(cells_of(*kind, *from)) {
                    let mut cell = wish.cell;
                    cell.target = Target::Row {
                        kind: *kind,
                        field: *field,
                        row: to,
                    };
                    chosen.insert(Chosen::of(cell, &wish.oid), cell);
                }
            }
            if *kind == RowKind::Outlet {
                let state = |from| best.get(&(RowKind::Outlet, from, Field::On));
                let switch = |(_, from): &(&TableRow, u16)| self.switch(state(*from)?);
                *switches = kept.iter().map(switch).collect();
            }
            rows.insert(*kind, number(&kept, self.units.len() > 1));
        }
        rows
    }

    /// How the outlet with this state is switched.
    fn switch(&self, state: &Wish) -> Option<PlanSwitch> {
        let table = self.profile.tables.get(state.alternative)?;
        let (_, object) = table
            .columns
            .iter()
            .find(|(field, object)| *field == Field::On && state.oid.starts_with(&object.oid))?;
        let instance: Vec<u32> = state.oid.strip_prefix(&object.oid)?.collect();
        let switch = table.switch.as_ref()?;
        let bind = |set: &super::profile::Set| VarBind {
            oid: set.oid.child(&instance),
            value: set.value.clone(),
        };
        Some(PlanSwitch {
            on: bind(&switch.on),
            off: bind(&switch.off),
            cycle: switch.cycle.as_ref().map(bind),
            state: state.oid.clone(),
            form: state.cell.form,
        })
    }

    fn choose_resets(
        &self,
        which: usize,
        silent_too: bool,
        answered: &dyn Fn(&Oid) -> Option<Value>,
    ) -> Box<[VarBind]> {
        let can = |oid: &Oid, unsupported: Few| match answered(oid) {
            Some(value) => value.as_i64().is_some_and(|raw| !unsupported.contains(raw)),
            None => silent_too,
        };
        self.resets[which]
            .iter()
            .filter(|(oid, unsupported, _)| can(oid, *unsupported))
            .map(|(oid, _, value)| VarBind {
                oid: oid.clone(),
                value: value.clone(),
            })
            .collect()
    }
}

/// The SETs of a reset.
fn wish_reset(reset: &Reset, unit_rows: &[UnitRow]) -> Vec<(Oid, Few, Value)> {
    let wish = |instance: &[u32]| {
        (
            reset.oid.child(instance),
            reset.unsupported,
            reset.value.clone(),
        )
    };
    match &reset.scope {
        Scope::Whole(instance) | Scope::Host(instance) => vec![wish(instance)],
        Scope::Unit(shape) => unit_rows
            .iter()
            .map(|row| wish(&fill(shape, row)))
            .collect(),
    }
}

/// How an object is read when the object beside it says this.
fn scaled(form: Form, scaling: &Scaling, said: Option<&Value>) -> Form {
    let said = said.and_then(|value| match value.as_i64() {
        Some(number) => Some(number),
        None => value.as_text()?.trim().parse().ok(),
    });
    let (Form::Number(factor), Some(said)) = (form, said) else {
        return form;
    };
    match scaling {
        Scaling::Digits(_) => Form::Number(factor * 10f64.powi(-said.clamp(-12, 12) as i32)),
        Scaling::Ratio(_) if said < 0 => Form::Number(factor / -(said as f64)),
        Scaling::Ratio(_) if said > 0 => Form::Number(factor * said as f64),
        Scaling::Fahrenheit(_, values) if values.contains(said) => Form::Fahrenheit(factor),
        Scaling::Ratio(_) | Scaling::Fahrenheit(..) => form,
    }
}

/// What people call a unit.
fn unit_number(at: usize, key: &[u32]) -> u32 {
    match key {
        [number] => *number,
        _ => at as u32 + 1,
    }
}

const UPTIME: Cell = Cell {
    target: Target::Uptime,
    form: Form::Number(1.0),
    absent: Few::NONE,
    of: 0,
};

/// Orders chosen cells: what a reading cannot do without goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Chosen {
    target: Target,
    oid: Oid,
}

impl Chosen {
    fn new(wish: &Wish) -> Chosen {
        Chosen::of(wish.cell, &wish.oid)
    }

    fn of(cell: Cell, oid: &Oid) -> Chosen {
        Chosen {
            target: cell.target,
            oid: oid.clone(),
        }
    }

    fn quantity(&self) -> Option<Quantity> {
        match self.target {
            Target::Device { quantity, .. } => Some(quantity),
            Target::Uptime | Target::Row { .. } => None,
        }
    }
}

/// Parses an OID of a table; the tests parse every one.
pub(super) fn oid(text: &str) -> Oid {
    text.parse().unwrap_or_else(|_| Oid::from_arcs(&[]))
}

fn cells_of(kind: RowKind, row: u16) -> std::ops::RangeInclusive<(RowKind, u16, Field)> {
    (kind, row, Field::Power)..=(kind, row, Field::Name)
}

/// With one unit rows keep the device's numbers; with several they are counted through.
fn number(rows: &[(&TableRow, u16)], count_through: bool) -> Vec<PlanRow> {
    (1u16..)
        .zip(rows)
        .map(|(position, (row, _))| PlanRow {
            unit: row.unit,
            index: match row.key[..] {
                [number] if !count_through => u16::try_from(number).unwrap_or(u16::MAX),
                _ => position,
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_beside_it_says_how_it_is_read() {
        let number = Form::Number(1.0);
        let oid = || oid("1.2.3");
        let form = |scaling, said| scaled(number, &scaling, Some(&Value::Integer(said)));
        assert_eq!(form(Scaling::Digits(oid()), 3), Form::Number(0.001));
        assert_eq!(form(Scaling::Ratio(oid()), -100), Form::Number(0.01));
        assert_eq!(form(Scaling::Ratio(oid()), 10), Form::Number(10.0));
        assert_eq!(form(Scaling::Ratio(oid()), 0), number);
        let fahrenheit = || Scaling::Fahrenheit(oid(), Few::new(&[1]).expect("one"));
        assert_eq!(form(fahrenheit(), 1), Form::Fahrenheit(1.0));
        assert_eq!(form(fahrenheit(), 0), number);
        assert_eq!(scaled(number, &Scaling::Digits(oid()), None), number);
    }
}
