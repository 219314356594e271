//! `profiles`: the device families that are known, and what is read from each.

use crate::args::ProfilesOptions;
use crate::failure::{Failure, Outcome, print};
use rackwarden_core::pdu::vendor::{Evidence, Field, Quantity, RowKind, Scope};
use rackwarden_core::pdu::{VENDORS, Vendor};
use rackwarden_core::small::SmallMap;
use std::fmt::Write as _;

/// Prints the list, or one profile.
pub(crate) fn run(options: &ProfilesOptions) -> Outcome {
    let Some(name) = &options.show else {
        return print(&list());
    };
    match Vendor::named(name) {
        Some(vendor) => print(&show(vendor)),
        None => {
            let known: Vec<&str> = VENDORS.iter().map(|vendor| vendor.profile).collect();
            Err(Failure::usage(format!(
                "profiles: there is no profile {name}; use one of {}",
                known.join(", ")
            )))
        }
    }
}

fn list() -> String {
    let rows: Vec<[String; 4]> = VENDORS
        .iter()
        .map(|vendor| {
            [
                vendor.profile.to_owned(),
                format!("{} {}", vendor.vendor, vendor.title),
                vendor.models.join(" "),
                evidence(vendor.evidence),
            ]
        })
        .collect();
    let heading = ["PROFILE", "FAMILY", "MODELS", "EVIDENCE"].map(str::to_owned);
    let mut widths = [0; 4];
    for row in std::iter::once(&heading).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&heading).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str("\nWhat a device answers decides, not its name. `rackwarden profiles show PROFILE` tells more.\n");
    out
}

fn evidence(evidence: Evidence) -> String {
    match evidence {
        Evidence::Recorded(recordings) => format!("recorded: {}", recordings.join(", ")),
        Evidence::Mib => "from the MIB, unproven".to_owned(),
    }
}

fn show(vendor: &Vendor) -> String {
    let mut out = String::new();
    let mut line = |key: &str, text: String| {
        let _ = writeln!(out, "{key:<12} {text}");
    };
    line("profile", vendor.profile.to_owned());
    line("family", format!("{} {}", vendor.vendor, vendor.title));
    line("models", vendor.models.join(", "));
    line("evidence", evidence(vendor.evidence));
    line("sysObjectID", vendor.sys_object_ids.join(", "));
    for column in vendor.decisive {
        line("decided by", column.oid.to_owned());
    }
    for (quantity, column) in vendor.device {
        let scope = match column.scope {
            Scope::Whole(_) => "",
            Scope::Host(_) => " (first unit)",
            Scope::Unit(_) => " (each unit)",
        };
        line(quantity_name(*quantity), format!("{}{scope}", column.oid));
    }
    let mut fields: SmallMap<RowKind, Vec<&str>> = SmallMap::new();
    for table in vendor.tables {
        let known = fields.entry(table.kind).or_default();
        for (field, ..) in table.columns {
            let name = field_name(*field);
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    for (kind, names) in fields {
        line(kind_name(kind), names.join(", "));
    }
    line(
        "peak reset",
        match vendor.peak_reset {
            Some(reset) => format!("SET {} = INTEGER {}", reset.oid, reset.value),
            None => "none; the agent keeps the peak itself".to_owned(),
        },
    );
    out
}

fn quantity_name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Power => "power",
        Quantity::Peak => "peak",
        Quantity::PeakAt => "peak time",
        Quantity::PeakSince => "peak since",
        Quantity::Energy => "energy",
        Quantity::Apparent => "apparent",
        Quantity::Current => "current",
        Quantity::Voltage => "voltage",
    }
}

fn kind_name(kind: RowKind) -> &'static str {
    match kind {
        RowKind::Phase => "phases",
        RowKind::Bank => "banks",
        RowKind::Outlet => "outlets",
        RowKind::Probe => "probes",
    }
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Power => "power",
        Field::Current => "current",
        Field::Voltage => "voltage",
        Field::On => "state",
        Field::Temperature => "temperature",
        Field::Humidity => "humidity",
        Field::Name => "name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_listed_and_shown() {
        let list = list();
        for vendor in VENDORS {
            assert!(list.contains(vendor.profile));
            assert!(show(vendor).contains("peak reset"));
        }
    }
}
