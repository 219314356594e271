//! Finds and reads the configuration file, for every subcommand that needs one.

use crate::failure::{Failure, report};
use rackwarden_core::config::{Config, parse};
use rackwarden_core::plugins::PLUGINS;
use rackwarden_io::environment::{environment, reason};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Files that are larger are not configurations.
const MAX_BYTES: u64 = 64 << 20;

/// The file to read: the one given, else by the documented search.
pub(crate) fn path(given: Option<&Path>) -> PathBuf {
    match given {
        Some(path) => path.to_owned(),
        None => environment().config_path(&|path| path.exists()),
    }
}

/// Reads and validates a configuration.
///
/// # Errors
/// One line for each thing that is wrong.
pub(crate) fn read(path: &Path) -> Result<Config, Vec<String>> {
    let file = path.display().to_string();
    let text = text(path).map_err(|why| vec![format!("{file}: cannot be read: {why}")])?;
    parse::parse(&text, &file, &environment(), PLUGINS)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn text(path: &Path) -> Result<String, String> {
    let cannot = |err: std::io::Error| {
        let what_to_do = match err.kind() {
            ErrorKind::PermissionDenied => "try as root, or as the agent's user",
            ErrorKind::InvalidData => "save it as UTF-8",
            _ => "name the configuration with --config",
        };
        format!("{}; {what_to_do}", reason(&err))
    };
    let file = File::open(path).map_err(cannot)?;
    let mut text = String::new();
    let length = file
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    if length as u64 > MAX_BYTES {
        return Err("larger than 64 MiB; name the configuration with --config".to_owned());
    }
    Ok(text)
}

/// Like `read`, but ends the subcommand: every error goes to standard error, warnings too.
pub(crate) fn config(given: Option<&Path>) -> Result<(Config, PathBuf), Failure> {
    let path = path(given);
    match read(&path) {
        Ok(config) => Ok((config, path)),
        Err(errors) => Err(failure(&path, &errors)),
    }
}

fn failure(path: &Path, errors: &[String]) -> Failure {
    if let [only] = errors {
        return Failure::usage(only.clone());
    }
    for error in errors {
        report(&Failure::usage(error.clone()));
    }
    Failure::usage(format!(
        "{}: {} errors; correct them and try `rackwarden check` again",
        path.display(),
        errors.len()
    ))
}
