//! What the instances of walked columns mean: units, rows of tables, and those that are none.

use super::{Found, TableRow, UnitRow};
use crate::profile::{Number, Part, Profile, Rows, Table, Variables};
use crate::value;
use rackwarden_snmp::{Oid, Value};

pub(super) fn unit_rows(profile: &Profile, found: Found<'_>) -> Vec<UnitRow> {
    let rows = |rows: &Rows| -> Option<Vec<UnitRow>> {
        let instances = found(&rows.oid)?.keys();
        let row = instances.filter_map(|instance| take_apart(&rows.shape, instance));
        Some(
            row.map(|(unit, row)| UnitRow {
                unit: unit.unwrap_or_else(|| vec![1]),
                row,
            })
            .collect(),
        )
    };
    let of_variables = |variables: &Variables| -> Option<Vec<UnitRow>> {
        let names = found(&variables.names.oid)?;
        let mut units = Vec::new();
        for (instance, name) in names {
            let name = value::text(name);
            let is_ours = variables
                .device
                .iter()
                .any(|(_, known)| name.as_deref() == Some(known));
            let unit = take_apart(&variables.names.shape, instance).and_then(|(unit, _)| unit);
            if let (true, Some(unit)) = (is_ours, unit) {
                units.push(UnitRow {
                    row: Vec::new(),
                    unit,
                });
            }
        }
        Some(units)
    };
    let mut found_rows: Vec<UnitRow> = Vec::new();
    for row in profile.units.iter().filter_map(rows).flatten() {
        // Each column may lack a row, but only those of one kind name the same things.
        let is_alike = |known: &UnitRow| {
            known.unit.len() == row.unit.len() && known.row.len() == row.row.len()
        };
        if found_rows.first().is_none_or(is_alike) && !found_rows.contains(&row) {
            found_rows.push(row);
        }
    }
    found_rows.extend(profile.variables.iter().filter_map(of_variables).flatten());
    // A device without the column may still number its units in the tables.
    if found_rows.is_empty() && !profile.units.is_empty() {
        let mut units = rackwarden_base::small::SmallSet::new();
        for table in &profile.tables {
            let instances = found(&table.rows.oid)
                .into_iter()
                .flat_map(|rows| rows.keys());
            units.extend(instances.filter_map(|at| take_apart(&table.rows.shape, at)?.0));
        }
        // A table may name a unit without its inlet.
        let all: Vec<Vec<u32>> = units.iter().cloned().collect();
        let is_less = |unit: &[u32]| {
            all.iter()
                .any(|it| it.len() > unit.len() && it.starts_with(unit))
        };
        let units = units.into_iter().filter(|unit: &Vec<u32>| !is_less(unit));
        let row = |unit| UnitRow { unit, row: vec![1] };
        found_rows.extend(units.map(row));
    }
    if found_rows.is_empty() {
        return vec![UnitRow {
            unit: vec![1],
            row: vec![1],
        }];
    }
    found_rows
}

/// Unit and row of an instance; `None` when it does not have this shape.
pub(super) fn take_apart(shape: &[Part], instance: &[u32]) -> Option<(Option<Vec<u32>>, Vec<u32>)> {
    let (mut unit, mut row): (Option<Vec<u32>>, _) = (None, Vec::new());
    let mut rest = instance;
    for part in shape {
        if matches!(part, Part::UnitRest | Part::RowRest) {
            if rest.is_empty() {
                return None;
            }
            match part {
                Part::RowRest => row.extend_from_slice(rest),
                _ => unit = Some(rest.to_vec()),
            }
            rest = &[];
            continue;
        }
        let (arc, after) = rest.split_first()?;
        rest = after;
        match part {
            Part::Unit => unit.get_or_insert_with(Vec::new).push(*arc),
            Part::Row => row.push(*arc),
            Part::Fixed(fixed) if fixed == arc => {}
            _ => return None,
        }
    }
    rest.is_empty().then_some((unit, row))
}

/// The instance of this shape for a unit row.
pub(crate) fn fill(shape: &[Part], row: &UnitRow) -> Vec<u32> {
    let (mut units, mut rows) = (row.unit.iter(), row.row.iter());
    let mut instance = Vec::new();
    for part in shape {
        match part {
            Part::Unit => instance.push(units.next().copied().unwrap_or(1)),
            Part::UnitRest => instance.extend(units.by_ref()),
            Part::Row => instance.push(rows.next().copied().unwrap_or(1)),
            Part::RowPlus(more) => {
                instance.push(rows.next().map_or(1, |row| row.saturating_add(*more)));
            }
            Part::RowRest => instance.extend(rows.by_ref()),
            Part::Fixed(fixed) => instance.push(*fixed),
        }
    }
    instance
}

/// What tables and people call the units of a device.
pub(super) struct UnitNames {
    /// The unit that answers.
    pub(super) host: Vec<u32>,
    /// The number of each, and its key.
    pub(super) numbers: Vec<(u32, Vec<u32>)>,
}

impl UnitNames {
    pub(super) fn new(profile: &Profile, found: Found<'_>, units: &[Vec<u32>]) -> UnitNames {
        let told = |key: &[u32]| number_in(found(profile.unit_number.as_ref()?)?.get(key)?);
        let number = |(at, key): (u32, &Vec<u32>)| {
            let number = told(key).unwrap_or(match key[..] {
                [number] | [number, _] => number,
                _ => at,
            });
            (number, key.clone())
        };
        UnitNames {
            host: units.first().cloned().unwrap_or_else(|| vec![1]),
            numbers: (1..).zip(units).map(number).collect(),
        }
    }

    /// The key of the unit that a table calls so. Whatever the only one is called, it is the one.
    fn key(&self, number: u32) -> Vec<u32> {
        let known = self.numbers.iter().find(|(known, _)| *known == number);
        match (known, &self.numbers[..]) {
            (Some((_, key)), _) | (None, [(_, key)]) => key.clone(),
            _ => vec![number],
        }
    }
}

/// A number that can be that of a unit or row.
fn number_in(value: &Value) -> Option<u32> {
    let number = u32::try_from(value.as_i64()?).ok();
    number.filter(|number| *number > 0)
}

/// The unit that this key names. A table may name it by less than the units do (the unit, but not its inlet), or more.
pub(super) fn unit_at(units: &[Vec<u32>], key: &[u32]) -> Option<u16> {
    let at = units
        .iter()
        .position(|known| known.starts_with(key) || key.starts_with(known))?;
    Some(at as u16)
}

/// A row that was walked: its place in the merged table, and what its instance means.
pub(super) struct Walked {
    pub(super) row: TableRow,
    pub(super) place: UnitRow,
}

/// The place of a walked row in its merged table; `None` when it is not one of this table or this unit.
pub(super) fn table_row(
    table: &Table,
    instance: &[u32],
    found: Found<'_>,
    names: &UnitNames,
    units: &[Vec<u32>],
) -> Option<Walked> {
    let (unit, row) = take_apart(&table.rows.shape, instance)?;
    let value = |column: &Oid| found(column)?.get(instance);
    let told = |column: &Oid| value(column).and_then(number_in);
    let unit = table
        .unit
        .as_ref()
        .and_then(told)
        .map(|number| names.key(number))
        .or(unit);
    let place = UnitRow {
        unit: unit.clone().unwrap_or_else(|| names.host.clone()),
        row,
    };
    for keep in &table.keep {
        let own = keep.shape.as_ref().map(|shape| fill(shape, &place));
        let said = found(&keep.oid).and_then(|rows| rows.get(own.as_deref().unwrap_or(instance)));
        let Some(value) = said else {
            continue;
        };
        if !keep.accepts(value) {
            return None;
        }
    }
    let key = match &table.number {
        _ if table.at.is_some() => table.at.into_iter().collect(),
        None => place.row.clone(),
        Some(Number { oid, values }) if values.is_empty() => {
            told(oid).map_or_else(|| place.row.clone(), |number| vec![number])
        }
        Some(Number { oid, values }) => match value(oid).and_then(Value::as_i64) {
            // Without the column the instance is the number, but no further than the numbers go.
            None if place
                .row
                .last()
                .is_some_and(|row| *row as usize > values.len()) =>
            {
                return None;
            }
            None => place.row.clone(),
            Some(said) => {
                let at = values.iter().position(|values| values.contains(said))?;
                let (_, before) = place.row.split_last().unwrap_or((&0, &[]));
                before.iter().copied().chain([at as u32 + 1]).collect()
            }
        },
    };
    if let Some(count) = table
        .count
        .as_ref()
        .and_then(|count| found(count)?.get(&place.unit[..]))
    {
        let number = key.last().copied().unwrap_or(1);
        if count
            .as_i64()
            .is_some_and(|count| i64::from(number) > count)
        {
            return None;
        }
    }
    let unit = unit_at(units, &place.unit)?;
    Some(Walked {
        row: TableRow { unit, key },
        place,
    })
}

/// The number that stands in a name at `{n}`.
pub(super) fn row_number(pattern: &str, name: &str) -> Option<u32> {
    let (before, after) = pattern.split_once("{n}")?;
    name.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_taken_apart_by_its_shape() {
        let shape = [Part::Unit, Part::Row, Part::Fixed(5)];
        assert_eq!(
            take_apart(&shape, &[2, 3, 5]),
            Some((Some(vec![2]), vec![3]))
        );
        assert_eq!(take_apart(&shape, &[2, 3, 6]), None);
        assert_eq!(take_apart(&shape, &[2, 3]), None);
        assert_eq!(take_apart(&shape, &[2, 3, 5, 1]), None);
        let named = [Part::Row, Part::UnitRest];
        assert_eq!(
            take_apart(&named, &[7, 48, 49]),
            Some((Some(vec![48, 49]), vec![7]))
        );
        assert_eq!(take_apart(&named, &[7]), None);
    }

    #[test]
    fn a_row_stands_in_its_name() {
        assert_eq!(
            row_number("Phase L{n}.Current.Value", "Phase L2.Current.Value"),
            Some(2)
        );
        assert_eq!(
            row_number("Phase L{n}.Current.Value", "Phase Lx.Current.Value"),
            None
        );
        assert_eq!(
            row_number("Phase L{n}.Current.Value", "Phase L2.Current.Status"),
            None
        );
    }
}
