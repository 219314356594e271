//! Divides the chosen objects into requests.

use crate::plan::{Cell, Guard, Part as PlanPart, Target, UNGUARDED, WHOLE};
use crate::profile::{Field, Quantity, RowKind, Says};
use rackwarden_base::small::{SmallMap, SmallSet};
use rackwarden_snmp::Oid;

/// What is asked with an object to know whether it holds something.
pub(super) type Guards = SmallMap<Oid, (Oid, Says)>;

/// Up to this rank it is asked in every cycle, as far as one request holds it.
const LAST_WISHED: u8 = 5;

/// Divides the cells into requests: every cycle one request with what fits, and more only for what power
/// needs; the rest is slow.
pub(super) fn split(
    cells: Vec<(Oid, Cell)>,
    guards: &Guards,
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
        // What power factors say, the others say too.
        Target::Device {
            quantity: Quantity::Factor,
            ..
        }
        | Target::Row {
            kind: RowKind::Phase,
            field: Field::Factor,
            ..
        } => LAST_WISHED,
        Target::Device { .. } => 3,
        Target::Row {
            kind: RowKind::Phase,
            ..
        } => 4,
        Target::Row { .. } => LAST_WISHED + 1,
    };
    let mut cells = cells;
    rackwarden_base::small::sort_by_key(&mut cells, |(_, cell)| rank(cell));
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
    let fast = count(last_needed).max(count(LAST_WISHED).min(batch));
    let slow = cells.split_off(fast);
    (parts(&cells, guards, batch), parts(&slow, guards, batch))
}

/// Each object is asked once, however many cells read it, and together with its guard.
fn parts(cells: &[(Oid, Cell)], guards: &Guards, batch: usize) -> Box<[PlanPart]> {
    let mut parts: Vec<Asked> = Vec::new();
    for (oid, cell) in cells {
        let guard = guards.get(oid);
        let is_new = |part: &Asked, oid: &Oid| usize::from(!part.oids.contains(oid));
        let fits = |part: &Asked| {
            let guard = guard.map_or(0, |(guard, _)| is_new(part, guard));
            part.oids.is_empty() || part.oids.len() + is_new(part, oid) + guard <= batch
        };
        if !parts.last().is_some_and(fits) {
            parts.push(Asked::default());
        }
        if let Some(part) = parts.last_mut() {
            let cell = Cell {
                of: part.ask(oid),
                guard: guard.map_or(UNGUARDED, |(oid, says)| part.guard(oid, says)),
                ..*cell
            };
            part.cells.push(cell);
        }
    }
    let part = |part: Asked| PlanPart {
        oids: part.oids.into(),
        cells: part.cells.into(),
        guards: part.guards.into(),
    };
    parts.into_iter().map(part).collect()
}

/// A request that is being put together.
#[derive(Default)]
struct Asked {
    oids: Vec<Oid>,
    cells: Vec<Cell>,
    guards: Vec<Guard>,
}

impl Asked {
    /// Where this object stands in the request.
    fn ask(&mut self, oid: &Oid) -> u16 {
        let known = self.oids.iter().position(|known| known == oid);
        let at = known.unwrap_or_else(|| {
            self.oids.push(oid.clone());
            self.oids.len() - 1
        });
        at as u16
    }

    /// Which guard of the request this is.
    fn guard(&mut self, oid: &Oid, says: &Says) -> u16 {
        let guard = Guard {
            of: self.ask(oid),
            says: says.clone(),
        };
        let known = self.guards.iter().position(|known| *known == guard);
        let at = known.unwrap_or_else(|| {
            self.guards.push(guard);
            self.guards.len() - 1
        });
        at as u16
    }
}
