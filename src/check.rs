//! `check`: validates the configuration, and prints it in full with `--effective`.

use crate::args::CheckOptions;
use crate::failure::{Failure, Outcome, print, report};
use crate::load;
use rackwarden_core::config::{Config, effective};
use rackwarden_core::plugins::power;
use std::path::Path;

/// Runs the subcommand. Warnings go to standard error and do not fail it.
pub(crate) fn run(options: &CheckOptions) -> Outcome {
    let (config, path) = load::config(options.config.as_deref())?;
    for warning in &config.warnings {
        report(&Failure::usage(format!(
            "{}: warning: {warning}",
            path.display()
        )));
    }
    if options.effective {
        return print(&effective::effective(&config));
    }
    if config.telegram.is_some() && config.access.owners.is_empty() {
        report(&Failure::usage(format!(
            "{}: hint: no owner stands in [access]; once the agent runs, `rackwarden pair` makes you one",
            path.display()
        )));
    }
    print(&summary(&config, &path))
}

fn summary(config: &Config, path: &Path) -> String {
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    format!(
        "{}: ok, {}, {}\n",
        path.display(),
        count(power::settings(config).pdus.len(), "PDU"),
        count(power::settings(config).teams.len(), "team")
    )
}
