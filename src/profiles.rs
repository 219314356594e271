//! `profiles`: the device families that are known, and what is read from each.

use crate::args::ProfilesOptions;
use crate::failure::{Failure, Outcome, print};
use rackwarden_core::pdu::Profiles;
use rackwarden_core::pdu::profile::Head;
use std::fmt::Write as _;

/// Prints the list, or one profile as it is written.
pub(crate) fn run(options: &ProfilesOptions) -> Outcome {
    let profiles = Profiles::builtin();
    let Some(name) = &options.show else {
        return print(&list(&profiles));
    };
    match profiles.named(name).and_then(|source| source.text()) {
        Some(text) => print(text),
        None => {
            let known: Vec<&str> = profiles.iter().map(|source| &*source.head().name).collect();
            Err(Failure::usage(format!(
                "profiles: there is no profile {name}; use one of {}",
                known.join(", ")
            )))
        }
    }
}

fn list(profiles: &Profiles) -> String {
    let rows: Vec<[String; 4]> = profiles
        .iter()
        .map(|source| {
            let head = source.head();
            [
                head.name.to_string(),
                format!("{} {}", head.vendor, head.title),
                head.models.join(" "),
                evidence(head),
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
    out.push_str("\nWhat a device answers decides, not its name. `rackwarden profiles show PROFILE` prints one.\n");
    out
}

fn evidence(head: &Head) -> String {
    if head.recorded.is_empty() {
        "from the MIB, unproven".to_owned()
    } else {
        format!("recorded: {}", head.recorded.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_listed_and_shown() {
        let profiles = Profiles::builtin();
        let list = list(&profiles);
        for source in profiles.iter() {
            assert!(list.contains(&*source.head().name));
            assert!(source.text().is_some_and(|text| text.contains("decides")));
        }
    }
}
