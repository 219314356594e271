//! Speaks to the running agent over its local socket, for `ask` and `status`.

use crate::failure::Failure;
use crate::load;
use rackwarden_io::environment::{environment, reason};
use rackwarden_io::local::FILE_NAME;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The agent gives up after 60 s and says so; this is for an agent that can't even say that.
const PATIENCE: Duration = Duration::from_secs(75);
/// Longer answers are not ours.
const MAX_ANSWER: u64 = 64 << 20;

/// Sends one request line and hands each line of the answer to `take`, until `take` or the agent is done.
pub(crate) fn converse(
    config: Option<&Path>,
    request: &serde_json::Value,
    mut take: impl FnMut(&serde_json::Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut stream = connect(config)?;
    let broken = |err: std::io::Error| {
        Failure::operation(format!(
            "the agent: {}; look at its log",
            match err.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => "does not answer".to_owned(),
                _ => reason(&err),
            }
        ))
    };
    stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
    stream
        .write_all(format!("{request}\n").as_bytes())
        .map_err(broken)?;
    for line in BufReader::new(stream.take(MAX_ANSWER)).lines() {
        let line = line.map_err(broken)?;
        let answer: serde_json::Value = serde_json::from_str(&line).map_err(|_| {
            Failure::operation("the agent: its answer is not understood; use the same version")
        })?;
        if let Some(why) = answer["error"].as_str() {
            return Err(Failure::operation(format!("the agent: {why}")));
        }
        take(&answer)?;
        if answer["last"] == true {
            return Ok(());
        }
    }
    Err(Failure::operation(
        "the agent: ended the conversation before its answer was complete; try again",
    ))
}

/// True when an agent listens there.
pub(crate) fn is_running(config: Option<&Path>) -> bool {
    connect(config).is_ok()
}

fn connect(config: Option<&Path>) -> Result<UnixStream, Failure> {
    let candidates = candidates(config);
    let mut denied = None;
    for path in &candidates {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(err) if err.kind() == ErrorKind::PermissionDenied => denied = Some(path),
            Err(_) => {}
        }
    }
    Err(Failure::operation(match denied {
        Some(path) => format!(
            "{}: permission denied; ask as the agent's user or root",
            path.display()
        ),
        None => {
            let tried: Vec<_> = candidates.iter().map(|p| p.display().to_string()).collect();
            format!(
                "the agent: not running (tried {}); start it with `rackwarden run`",
                tried.join(", ")
            )
        }
    }))
}

/// Where the socket may be: where an agent started like us would make it, then where the system's service
/// has it. A configuration that cannot be read is no reason to give up.
fn candidates(config: Option<&Path>) -> Vec<PathBuf> {
    let environment = environment();
    let variable = |name: &str| (environment.variable)(name).filter(|value| !value.is_empty());
    let mut directories: Vec<PathBuf> = Vec::new();
    if let Some(list) = variable("RUNTIME_DIRECTORY") {
        directories.extend(list.split(':').next().map(PathBuf::from));
    }
    directories.extend(variable("XDG_RUNTIME_DIR").map(PathBuf::from));
    let state_dir = load::read(&load::path(config)).ok();
    let state_dir = state_dir.and_then(|config| config.state_dir);
    // Who names a configuration means its agent, before any other.
    match (config, state_dir) {
        (Some(_), Some(state_dir)) => directories.insert(0, state_dir),
        (_, state_dir) => directories.extend(state_dir),
    }
    directories.push(PathBuf::from("/run/rackwarden"));
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in directories
        .iter()
        .map(|directory| directory.join(FILE_NAME))
    {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}
