//! From a family's table and the rows that a device has to the objects worth trying, and from what it
//! answered to its `Plan`.

use super::plan::{Cell, MAX_UNITS, Part as PlanPart, Plan, PlanRow, Target, WHOLE};
use super::value::{self, is_valid};
use super::vendor::{Field, Form, Part, Quantity, RowKind, Rows, Scope, Table, Vendor};
use crate::small::{SmallMap, SmallSet};
use crate::snmp::{Oid, Value, VarBind};

/// sysUpTime.0 (RFC 3418).
pub(super) const SYS_UPTIME: &str = "1.3.6.1.2.1.1.3.0";

/// Rows that were found, by column.
pub(super) type Found<'a> = &'a dyn Fn(&str) -> Option<SmallMap<Vec<u32>, Value>>;

/// The objects of one device that are worth trying.
#[derive(Debug)]
pub(super) struct Layout {
    vendor: &'static Vendor,
    units: Vec<u32>,
    rows: SmallMap<RowKind, Vec<TableRow>>,
    wishes: Vec<Wish>,
    resets: Vec<(Oid, &'static [i64], i64)>,
}

/// A row of a merged table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TableRow {
    unit: u16,
    number: u32,
}

/// One object, what it would be good for, and how much it is preferred.
#[derive(Debug)]
struct Wish {
    oid: Oid,
    cell: Cell,
    /// Position among the alternatives for the same target.
    alternative: usize,
    /// Names of rows that must not be blank.
    is_padding_mark: bool,
}

/// A unit (or one of its inlets) by the instance that names it.
#[derive(Clone, Debug)]
struct UnitRow {
    unit: u32,
    row: Vec<u32>,
}

impl Layout {
    /// Lays out a device of this family with these rows. `only` selects one unit of a chain.
    ///
    /// # Errors
    /// When the device has no such unit; the text says which it has.
    pub(super) fn new(
        vendor: &'static Vendor,
        found: Found<'_>,
        only: Option<u32>,
    ) -> Result<Layout, String> {
        let mut unit_rows = unit_rows(vendor, found);
        let mut units: Vec<u32> = unit_rows.iter().map(|row| row.unit).collect();
        crate::small::sort_by_key(&mut units, |unit| *unit);
        units.dedup();
        let host = units.first().copied().unwrap_or(1);
        if let Some(only) = only {
            if !units.contains(&only) {
                let known: Vec<String> = units.iter().map(u32::to_string).collect();
                return Err(format!(
                    "the device has no unit {only}, only {}",
                    known.join(", ")
                ));
            }
            unit_rows.retain(|row| row.unit == only);
            units = vec![only];
        }
        units.truncate(MAX_UNITS);
        let mut layout = Layout {
            vendor,
            units,
            rows: SmallMap::new(),
            wishes: Vec::new(),
            resets: Vec::new(),
        };
        layout.wish_device(&unit_rows, host, only);
        layout.wish_tables(found, host);
        layout.wish_resets(&unit_rows);
        Ok(layout)
    }

    /// Every object to try, once each.
    pub(super) fn oids(&self) -> Vec<Oid> {
        let wishes = self.wishes.iter().map(|wish| &wish.oid);
        let resets = self.resets.iter().map(|(oid, _, _)| oid);
        let mut seen = SmallSet::new();
        wishes
            .chain(resets)
            .filter(|oid| seen.insert((*oid).clone()))
            .cloned()
            .collect()
    }

    /// The plan for a device that answered the trial like this. At most `batch` objects go into a request.
    pub(super) fn plan(&self, answered: &dyn Fn(&Oid) -> Option<Value>, batch: usize) -> Plan {
        let has_value = |wish: &Wish| {
            answered(&wish.oid).is_some_and(|value| {
                value == Value::Null || is_valid(&value, wish.cell.form, wish.cell.absent)
            })
        };
        let mut chosen = self.choose_device(&has_value);
        let rows = self.choose_rows(&has_value, answered, &mut chosen);
        let has_uptime = answered(&oid(SYS_UPTIME)).is_some_and(|value| value.as_i64().is_some());
        let mut plan = Plan {
            units: self.units.len() as u16,
            peak_reset: self.choose_resets(&chosen, answered),
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

    fn wish_device(&mut self, unit_rows: &[UnitRow], host: u32, only: Option<u32>) {
        let mut alternatives: SmallMap<Quantity, usize> = SmallMap::new();
        for (quantity, column) in self.vendor.device {
            let alternative = alternatives.entry(*quantity).or_insert(0);
            let base = oid(column.oid);
            let mut wish = |instance: &[u32], unit: u16| {
                self.wishes.push(Wish {
                    oid: base.child(instance),
                    cell: Cell {
                        target: Target::Device {
                            quantity: *quantity,
                            unit,
                        },
                        form: column.form,
                        absent: column.absent,
                    },
                    alternative: *alternative,
                    is_padding_mark: false,
                });
            };
            match column.scope {
                Scope::Whole(instance) if only.is_none() => wish(instance, WHOLE),
                Scope::Host(instance) if self.units.first() == Some(&host) => wish(instance, 0),
                Scope::Whole(_) | Scope::Host(_) => {}
                Scope::Unit(shape) => {
                    for row in unit_rows {
                        if let Some(at) = self.units.iter().position(|unit| *unit == row.unit) {
                            wish(&fill(shape, row), at as u16);
                        }
                    }
                }
            }
            *alternative += 1;
        }
    }

    fn wish_tables(&mut self, found: Found<'_>, host: u32) {
        for (alternative, table) in self.vendor.tables.iter().enumerate() {
            let Some(cells) = found(table.rows.oid) else {
                continue;
            };
            let mut taken = SmallSet::new();
            for instance in cells.keys().take(table.cap) {
                let Some(row) = table_row(table, instance, found, host, &self.units) else {
                    continue;
                };
                if !taken.insert(row) {
                    continue;
                }
                let rows = self.rows.entry(table.kind).or_default();
                let at = rows
                    .iter()
                    .position(|known| *known == row)
                    .unwrap_or_else(|| {
                        rows.push(row);
                        rows.len() - 1
                    });
                for (field, form, column, absent) in table.columns {
                    self.wishes.push(Wish {
                        oid: oid(column).child(instance),
                        cell: Cell {
                            target: Target::Row {
                                kind: table.kind,
                                field: *field,
                                row: at as u16,
                            },
                            form: *form,
                            absent,
                        },
                        alternative,
                        is_padding_mark: table.blank_name_is_padding && *field == Field::Name,
                    });
                }
            }
        }
    }

    fn wish_resets(&mut self, unit_rows: &[UnitRow]) {
        let Some(reset) = self.vendor.peak_reset else {
            return;
        };
        let base = oid(reset.oid);
        let mut push = |instance: &[u32]| {
            self.resets
                .push((base.child(instance), reset.unsupported, reset.value));
        };
        match reset.scope {
            Scope::Whole(instance) | Scope::Host(instance) => push(instance),
            Scope::Unit(shape) => unit_rows.iter().for_each(|row| push(&fill(shape, row))),
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
        answered: &dyn Fn(&Oid) -> Option<Value>,
        chosen: &mut SmallMap<Chosen, Cell>,
    ) -> SmallMap<RowKind, Vec<PlanRow>> {
        let is_blank = |wish: &Wish| {
            wish.is_padding_mark && answered(&wish.oid).as_ref().and_then(value::text).is_none()
        };
        let mut best: SmallMap<(RowKind, u16, Field), &Wish> = SmallMap::new();
        let mut padding = SmallSet::new();
        for wish in &self.wishes {
            let Target::Row { kind, field, row } = wish.cell.target else {
                continue;
            };
            if is_blank(wish) {
                padding.insert((kind, row));
            }
            if has_value(wish) {
                best.entry((kind, row, field)).or_insert(wish);
            }
        }
        best.retain(|(kind, row, _), _| !padding.contains(&(*kind, *row)));
        let speaking: SmallSet<(RowKind, u16)> = best
            .keys()
            .filter(|(_, _, field)| *field != Field::Name)
            .map(|(kind, row, _)| (*kind, *row))
            .collect();
        best.retain(|(kind, row, _), _| speaking.contains(&(*kind, *row)));

        let mut rows = SmallMap::new();
        for (kind, all) in &self.rows {
            let mut kept: Vec<(TableRow, u16)> = (0u16..)
                .zip(all)
                .filter(|(at, _)| speaking.contains(&(*kind, *at)))
                .map(|(at, row)| (*row, at))
                .collect();
            crate::small::sort_by_key(&mut kept, |row| *row);
            for (to, (_, from)) in (0u16..).zip(&kept) {
                for ((_, _, field), wish) in best.range(cells_of(*kind, *from)) {
                    let mut cell = wish.cell;
                    cell.target = Target::Row {
                        kind: *kind,
                        field: *field,
                        row: to,
                    };
                    chosen.insert(Chosen::new(wish), cell);
                }
            }
            rows.insert(*kind, number(&kept, self.units.len() > 1));
        }
        rows
    }

    fn choose_resets(
        &self,
        chosen: &SmallMap<Chosen, Cell>,
        answered: &dyn Fn(&Oid) -> Option<Value>,
    ) -> Box<[VarBind]> {
        let has_peak = chosen
            .keys()
            .any(|key| key.quantity() == Some(Quantity::Peak));
        let can = |oid: &Oid, unsupported: &[i64]| match answered(oid) {
            Some(value) => value
                .as_i64()
                .is_some_and(|raw| !unsupported.contains(&raw)),
            None => has_peak,
        };
        self.resets
            .iter()
            .filter(|(oid, unsupported, _)| can(oid, unsupported))
            .map(|(oid, _, value)| VarBind {
                oid: oid.clone(),
                value: Value::Integer(*value),
            })
            .collect()
    }
}

const UPTIME: Cell = Cell {
    target: Target::Uptime,
    form: Form::Number(1.0),
    absent: &[],
};

/// Orders chosen cells: what a reading cannot do without goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Chosen {
    target: Target,
    oid: Oid,
}

impl Chosen {
    fn new(wish: &Wish) -> Chosen {
        Chosen {
            target: wish.cell.target,
            oid: wish.oid.clone(),
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

fn unit_rows(vendor: &Vendor, found: Found<'_>) -> Vec<UnitRow> {
    let rows = |rows: Rows| -> Option<Vec<UnitRow>> {
        let cells = found(rows.oid)?;
        Some(
            cells
                .keys()
                .filter_map(|instance| take_apart(rows.shape, instance))
                .map(|(unit, row)| UnitRow {
                    unit: unit.unwrap_or(1),
                    row,
                })
                .collect(),
        )
    };
    let found_rows = vendor.units.and_then(rows).unwrap_or_default();
    if found_rows.is_empty() {
        return vec![UnitRow {
            unit: 1,
            row: vec![1],
        }];
    }
    found_rows
}

/// Unit and row of an instance; `None` when it does not have this shape.
fn take_apart(shape: &[Part], instance: &[u32]) -> Option<(Option<u32>, Vec<u32>)> {
    if shape.len() != instance.len() {
        return None;
    }
    let (mut unit, mut row) = (None, Vec::new());
    for (part, arc) in shape.iter().zip(instance) {
        match part {
            Part::Unit => unit = Some(*arc),
            Part::Row => row.push(*arc),
            Part::Fixed(fixed) if fixed == arc => {}
            Part::Fixed(_) => return None,
        }
    }
    Some((unit, row))
}

/// The instance of this shape for a unit row.
fn fill(shape: &[Part], row: &UnitRow) -> Vec<u32> {
    let mut rows = row.row.iter();
    shape
        .iter()
        .map(|part| match part {
            Part::Unit => row.unit,
            Part::Row => rows.next().copied().unwrap_or(1),
            Part::Fixed(fixed) => *fixed,
        })
        .collect()
}

/// The place of a walked row in its merged table; `None` when it is not one of this table or this unit.
fn table_row(
    table: &Table,
    instance: &[u32],
    found: Found<'_>,
    host: u32,
    units: &[u32],
) -> Option<TableRow> {
    let (unit, row) = take_apart(table.rows.shape, instance)?;
    let cell = |column: &str| -> Option<i64> { found(column)?.get(instance)?.as_i64() };
    if let Some(keep) = table.keep {
        let listed = cell(keep.oid).map(|value| keep.values.contains(&value));
        if listed.is_some_and(|listed| listed != keep.keep) {
            return None;
        }
    }
    let told = |column: Option<&str>| {
        column
            .and_then(cell)
            .and_then(|value| u32::try_from(value).ok())
            .filter(|number| *number > 0)
    };
    let unit = told(table.unit).or(unit).unwrap_or(host);
    let number = told(table.number).or(row.last().copied()).unwrap_or(1);
    let at = units.iter().position(|known| *known == unit)?;
    Some(TableRow {
        unit: at as u16,
        number,
    })
}

fn cells_of(kind: RowKind, row: u16) -> std::ops::RangeInclusive<(RowKind, u16, Field)> {
    (kind, row, Field::Power)..=(kind, row, Field::Name)
}

/// With one unit rows keep the device's numbers; with several they are counted through.
fn number(rows: &[(TableRow, u16)], count_through: bool) -> Vec<PlanRow> {
    (1u16..)
        .zip(rows)
        .map(|(position, (row, _))| PlanRow {
            unit: row.unit,
            index: if count_through {
                position
            } else {
                u16::try_from(row.number).unwrap_or(u16::MAX)
            },
        })
        .collect()
}

/// Divides the cells into requests: every cycle one request with what fits, and more only for what power
/// needs; the rest is slow.
fn split(
    cells: Vec<(Oid, Cell)>,
    batch: usize,
    units: usize,
) -> (Box<[PlanPart]>, Box<[PlanPart]>) {
    let rank = |cell: &Cell| match cell.target {
        Target::Uptime => 0,
        Target::Device {
            quantity: Quantity::Power | Quantity::Peak,
            ..
        } => 1,
        Target::Row {
            kind: RowKind::Phase,
            field: Field::Power,
            ..
        } => 2,
        Target::Device { .. } => 3,
        Target::Row {
            kind: RowKind::Phase,
            ..
        } => 4,
        Target::Row { .. } => 5,
    };
    let mut cells = cells;
    crate::small::sort_by_key(&mut cells, |(_, cell)| rank(cell));
    let told: SmallSet<u16> = cells
        .iter()
        .filter_map(|(_, cell)| match cell.target {
            Target::Device {
                quantity: Quantity::Power,
                unit,
            } => Some(unit),
            _ => None,
        })
        .collect();
    let is_total_told = told.contains(&WHOLE) || told.len() == units;
    let last_needed = if is_total_told { 1 } else { 2 };
    let count = |limit: u8| cells.iter().filter(|(_, cell)| rank(cell) <= limit).count();
    let fast = count(last_needed).max(count(4).min(batch));
    let slow = cells.split_off(fast);
    (parts(&cells, batch), parts(&slow, batch))
}

fn parts(cells: &[(Oid, Cell)], batch: usize) -> Box<[PlanPart]> {
    cells
        .chunks(batch)
        .map(|chunk| PlanPart {
            oids: chunk.iter().map(|(oid, _)| oid.clone()).collect(),
            cells: chunk.iter().map(|(_, cell)| *cell).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::vendor::VENDORS;

    #[test]
    fn every_oid_of_every_table_is_one() {
        let check = |text: &str| assert!(text.parse::<Oid>().is_ok(), "{text}");
        for vendor in VENDORS {
            vendor.decisive.iter().for_each(|column| check(column.oid));
            vendor
                .device
                .iter()
                .for_each(|(_, column)| check(column.oid));
            vendor.units.iter().for_each(|rows| check(rows.oid));
            vendor.peak_reset.iter().for_each(|reset| check(reset.oid));
            for table in vendor.tables {
                check(table.rows.oid);
                table.unit.iter().for_each(|column| check(column));
                table.number.iter().for_each(|column| check(column));
                table.keep.iter().for_each(|keep| check(keep.oid));
                table
                    .columns
                    .iter()
                    .for_each(|(_, _, column, _)| check(column));
            }
        }
    }

    #[test]
    fn an_instance_is_taken_apart_by_its_shape() {
        let shape = [Part::Unit, Part::Row, Part::Fixed(5)];
        assert_eq!(take_apart(&shape, &[2, 3, 5]), Some((Some(2), vec![3])));
        assert_eq!(take_apart(&shape, &[2, 3, 6]), None);
        assert_eq!(take_apart(&shape, &[2, 3]), None);
    }
}
