//! The step between the agent and a program that it starts (`io::run`): not for people, so it is in no help.

use std::ffi::OsString;
use std::process::ExitCode;

/// The first argument.
pub(crate) const NAME: &str = "launch";

/// Becomes the program, or says why not.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (why, code) = rackwarden_io::run::launch(arguments);
    eprintln!("{why}");
    ExitCode::from(code)
}
