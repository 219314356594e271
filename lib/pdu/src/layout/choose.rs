//! Which of the objects worth trying are taken, once it is known what the device says.

use super::rows::fill;
use super::{Layout, ResetWish, TableRow, Wish, guard};
use crate::plan::{Cell, Plan, PlanRow, PlanSwitch, Target, WHOLE};
use crate::profile::{Field, Keep, Quantity, RowKind, Set};
use crate::rating::{rating_a, rating_w};
use crate::value;
use rackwarden_base::small::{SmallMap, SmallSet};
use rackwarden_snmp::{Oid, Value, VarBind};

impl Layout {
    /// For each quantity the first alternative that speaks for every unit, or else what there is.
    pub(super) fn choose_device(
        &self,
        has_value: &dyn Fn(&Wish) -> bool,
    ) -> SmallMap<Chosen, Cell> {
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
            // The peaks of several inlets or units have no sum, nor have currents, voltages and power factors of inlets.
            let has_no_sum = match quantity {
                Quantity::Peak | Quantity::PeakAt | Quantity::PeakSince => {
                    !is_whole && (self.units.len() > 1 || wishes.len() > 1)
                }
                Quantity::Current
                | Quantity::Voltage
                | Quantity::Factor
                | Quantity::RatedCurrent
                | Quantity::RatedPower => wishes.len() > 1,
                _ => false,
            };
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
    pub(super) fn choose_rows(
        &self,
        has_value: &dyn Fn(&Wish) -> bool,
        answered: &dyn Fn(&Oid) -> Option<Value>,
        chosen: &mut SmallMap<Chosen, Cell>,
        switches: &mut Vec<Option<PlanSwitch>>,
    ) -> SmallMap<RowKind, Vec<PlanRow>> {
        let saying = self.saying(has_value);
        let is_used = |kind: RowKind, row: u16, table: usize| {
            let is_instead = self.profile.tables.get(table);
            let unit = self.unit_of(kind, row);
            let is_earlier = |(other, of, from): &(RowKind, u16, usize)| {
                *other == kind && *of == unit && *from < table
            };
            !is_instead.is_some_and(|table| table.is_instead) || !saying.iter().any(is_earlier)
        };
        let mut best: SmallMap<(RowKind, u16, Field), &Wish> = SmallMap::new();
        for wish in &self.wishes {
            if let Target::Row { kind, field, row } = wish.cell.target {
                if is_used(kind, row, wish.alternative) && has_value(wish) {
                    best.entry((kind, row, field)).or_insert(wish);
                }
            }
        }
        let told = best.keys().filter(|(_, _, field)| field.tells());
        let counted = self.counted.iter().copied();
        let speaking: SmallSet<(RowKind, u16)> = told
            .map(|(kind, row, _)| (*kind, *row))
            .chain(
                counted
                    .filter(|(kind, row, table)| is_used(*kind, *row, *table))
                    .map(|(kind, row, _)| (kind, row)),
            )
            .collect();
        best.retain(|(kind, row, _), _| speaking.contains(&(*kind, *row)));

        let mut rows = SmallMap::new();
        for (kind, all) in &self.rows {
            let mut kept: Vec<(&TableRow, u16)> = (0u16..)
                .zip(all)
                .filter(|(at, _)| speaking.contains(&(*kind, *at)))
                .map(|(at, row)| (row, at))
                .collect();
            rackwarden_base::small::sort_by_key(&mut kept, |(row, _)| (*row).clone());
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
                let switch = |(_, from): &(&TableRow, u16)| self.switch(state(*from)?, answered);
                *switches = kept.iter().map(switch).collect();
            }
            rows.insert(*kind, number(&kept, self.units.len() > 1));
        }
        rows
    }

    /// Which tables say something about rows of which units.
    fn saying(&self, has_value: &dyn Fn(&Wish) -> bool) -> SmallSet<(RowKind, u16, usize)> {
        let told = self.wishes.iter().filter_map(|wish| {
            let Target::Row { kind, field, row } = wish.cell.target else {
                return None;
            };
            let says = field.tells() && has_value(wish);
            says.then(|| (kind, self.unit_of(kind, row), wish.alternative))
        });
        let counted = self
            .counted
            .iter()
            .map(|(kind, row, table)| (*kind, self.unit_of(*kind, *row), *table));
        told.chain(counted).collect()
    }

    fn unit_of(&self, kind: RowKind, row: u16) -> u16 {
        let rows = self.rows.get(&kind);
        rows.and_then(|rows| rows.get(usize::from(row)))
            .map_or(0, |row| row.unit)
    }

    /// How the outlet with this state is switched.
    fn switch(&self, state: &Wish, answered: &dyn Fn(&Oid) -> Option<Value>) -> Option<PlanSwitch> {
        let Target::Row { row, .. } = state.cell.target else {
            return None;
        };
        let switch = self
            .profile
            .tables
            .get(state.alternative)?
            .switch
            .as_ref()?;
        let (_, _, place, instance) = self
            .switchable
            .iter()
            .find(|(table, of, _, _)| *table == state.alternative && *of == row)?;
        let is_fixed = |keep: &Keep| {
            answered(&guard(keep, place, instance)).is_some_and(|value| !keep.accepts(&value))
        };
        if switch.when.as_ref().is_some_and(is_fixed) {
            return None;
        }
        let bind = |set: &Set| {
            let own = set.shape.as_ref().map(|shape| fill(shape, place));
            VarBind {
                oid: set.oid.child(own.as_ref().unwrap_or(instance)),
                value: set.value.clone(),
            }
        };
        Some(PlanSwitch {
            on: bind(&switch.on),
            off: bind(&switch.off),
            cycle: switch.cycle.as_ref().map(bind),
            unlock: switch.unlock.as_ref().map(bind),
            state: state.oid.clone(),
            form: state.cell.form,
        })
    }

    /// Takes what things are rated for out of what was chosen. It does not change, so it is read once.
    pub(super) fn take_ratings(
        &self,
        chosen: &mut SmallMap<Chosen, Cell>,
        answered: &dyn Fn(&Oid) -> Option<Value>,
    ) -> Ratings {
        let mut ratings = Ratings::default();
        chosen.retain(|key, cell| {
            let value = || value::number(&answered(&key.oid)?, cell.form, cell.absent);
            match key.target {
                Target::Device {
                    quantity: Quantity::RatedCurrent,
                    unit,
                } => {
                    let rating_a = value().and_then(rating_a);
                    ratings.units.extend(rating_a.map(|rating| (unit, rating)));
                }
                Target::Device {
                    quantity: Quantity::RatedPower,
                    ..
                } => ratings.device_w = value().and_then(rating_w),
                Target::Row {
                    kind,
                    field: Field::Rating,
                    row,
                } => {
                    let rating_a = value().and_then(rating_a);
                    let rated = rating_a.map(|rating| ((kind, row), rating));
                    ratings.rows.extend(rated);
                }
                _ => return true,
            }
            false
        });
        ratings
    }

    pub(super) fn choose_resets(
        &self,
        which: usize,
        silent_too: bool,
        answered: &dyn Fn(&Oid) -> Option<Value>,
    ) -> Box<[VarBind]> {
        let resets = &self.resets[which];
        // One of which nothing can be read is only tried when there is no other.
        let is_only = resets.iter().all(|reset| reset.alternative == 0);
        let can = |reset: &&ResetWish| {
            let fits =
                |(oid, keep): &(Oid, Keep)| answered(oid).is_some_and(|value| keep.accepts(&value));
            let is_meant = reset.when.as_ref().is_none_or(fits);
            is_meant
                && match answered(&reset.bind.oid) {
                    Some(value) => value
                        .as_i64()
                        .is_some_and(|raw| !reset.unsupported.contains(raw)),
                    None => silent_too && is_only,
                }
        };
        let first = resets
            .iter()
            .filter(can)
            .map(|reset| reset.alternative)
            .min();
        resets
            .iter()
            .filter(can)
            .filter(|reset| Some(reset.alternative) == first)
            .map(|reset| reset.bind.clone())
            .collect()
    }
}

/// What a device and its parts are rated for.
#[derive(Default)]
pub(super) struct Ratings {
    /// Amperes of the lines of each unit's inlet; `WHOLE` where nobody says of which unit.
    units: SmallMap<u16, f32>,
    rows: SmallMap<(RowKind, u16), f32>,
    device_w: Option<f32>,
}

impl Ratings {
    /// Writes them into a plan. What is said of an inlet holds for each of its phases.
    pub(super) fn write(&self, plan: &mut Plan) {
        let inlet = |unit| {
            let rating_a = self.units.get(&unit).or_else(|| self.units.get(&WHOLE));
            rating_a.copied()
        };
        for (kind, rows) in [
            (RowKind::Phase, &mut plan.phases),
            (RowKind::Bank, &mut plan.banks),
        ] {
            for (at, row) in (0u16..).zip(rows) {
                let of_inlet = || inlet(row.unit).filter(|_| kind == RowKind::Phase);
                row.rating_a = self.rows.get(&(kind, at)).copied().or_else(of_inlet);
            }
        }
        if plan.units <= 1 {
            plan.rating_a = inlet(0);
            plan.rating_w = self.device_w;
        }
    }
}

/// Orders chosen cells: what a reading cannot do without goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chosen {
    pub(super) target: Target,
    pub(super) oid: Oid,
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

    pub(super) fn quantity(&self) -> Option<Quantity> {
        match self.target {
            Target::Device { quantity, .. } => Some(quantity),
            Target::Uptime | Target::Row { .. } => None,
        }
    }
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
            rating_a: None,
        })
        .collect()
}
