//! `audit verify`: checks the hash chain of the audit log, whether the agent runs or not.

use crate::args::AuditOptions;
use crate::failure::{Failure, Outcome, print};
use crate::load;
use rackwarden_io::environment::reason;
use rackwarden_io::store;
use std::path::{Path, PathBuf};

/// Where the system's service has its state.
const SERVICE: &str = "/var/lib/rackwarden";

/// Runs the subcommand.
pub(crate) fn run(options: &AuditOptions) -> Outcome {
    let dir = match &options.state_dir {
        Some(dir) => dir.clone(),
        None if is_nowhere(options) => PathBuf::from(SERVICE),
        None => {
            let (config, path) = load::config(options.config.as_deref())?;
            let missing = || {
                Failure::usage(format!(
                    "{}: no state directory; set state_dir",
                    path.display()
                ))
            };
            let dir = config.state_dir.ok_or_else(missing)?;
            // A service is told its directory by systemd, and whoever asks here is not.
            match dir.join("journal").exists() {
                false if Path::new(SERVICE).join("journal").exists() => PathBuf::from(SERVICE),
                _ => dir,
            }
        }
    };
    if let Err(err) = std::fs::read_dir(&dir) {
        return Err(Failure::operation(format!(
            "{}: {}; name the state directory, and ask as root or as the agent's user",
            dir.display(),
            reason(&err)
        )));
    }
    match store::verify(&dir) {
        Ok(verdict) => print(&format!("{verdict}\n")),
        Err(why) => Err(Failure::operation(format!(
            "{why}; compare it with a copy from before"
        ))),
    }
}

/// There is no configuration at all.
fn is_nowhere(options: &AuditOptions) -> bool {
    options.config.is_none() && !load::path(None).exists()
}
