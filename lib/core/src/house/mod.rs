//! The commands of the house itself, which belong to no plugin: general ones, rights, alerts.

mod access;
mod alerts;
mod ctx;
mod general;
mod machine;

pub use alerts::{ALERT, names as alert_names};
pub use ctx::HouseCtx;
pub use machine::Machine;

use crate::chat::{Invocation, Row, Spec, command};

/// A command of the house.
type Command = Row<fn(&mut HouseCtx<'_>, &Invocation)>;

/// The tables, by the module that holds them. A new one is one file and one line here.
const TABLES: &[&[Command]] = &[general::COMMANDS, access::COMMANDS, alerts::COMMANDS];

/// The specifications of all commands of the house.
pub fn specs() -> Vec<&'static Spec> {
    TABLES
        .iter()
        .flat_map(|table| command::specs(table))
        .collect()
}

/// Runs a command of the house.
pub fn run(house: &mut HouseCtx<'_>, invocation: &Invocation) {
    let mut rows = TABLES.iter().copied().flatten();
    if let Some(row) = rows.find(|row| row.spec == *invocation.spec) {
        (row.run)(house, invocation);
    }
}
