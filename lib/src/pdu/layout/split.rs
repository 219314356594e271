//! Divides the chosen objects into requests.

use crate::pdu::plan::{Cell, Part as PlanPart, Target, WHOLE};
use crate::pdu::profile::{Field, Quantity, RowKind};
use crate::small::SmallSet;
use crate::snmp::Oid;

/// Divides the cells into requests: every cycle one request with what fits, and more only for what power
/// needs; the rest is slow.
pub(super) fn split(
    cells: Vec<(Oid, Cell)>,
    batch: usize,
    (units, sum_of): (usize, Option<RowKind>),
) -> (Box<[PlanPart]>, Box<[PlanPart]>) {
    let rank = |cell: &Cell| match cell.target {
        Target::Uptime => 0,
        Target::Device {
            quantity: Quantity::Power | Quantity::Peak,
            ..
        } => 1,
        Target::Row {
            kind,
            field: Field::Power,
            ..
        } if kind == RowKind::Phase || Some(kind) == sum_of => 2,
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

/// Each object is asked once, however many cells read it.
fn parts(cells: &[(Oid, Cell)], batch: usize) -> Box<[PlanPart]> {
    let mut parts: Vec<(Vec<Oid>, Vec<Cell>)> = Vec::new();
    for (oid, cell) in cells {
        let (oids, of_part) = match parts.last_mut() {
            Some(part) if part.0.len() < batch || part.0.contains(oid) => part,
            _ => {
                parts.push(Default::default());
                match parts.last_mut() {
                    Some(part) => part,
                    None => continue,
                }
            }
        };
        let at = oids
            .iter()
            .position(|known| known == oid)
            .unwrap_or_else(|| {
                oids.push(oid.clone());
                oids.len() - 1
            });
        of_part.push(Cell {
            of: at as u16,
            ..*cell
        });
    }
    parts
        .into_iter()
        .map(|(oids, cells)| PlanPart {
            oids: oids.into(),
            cells: cells.into(),
        })
        .collect()
}
