//! `probe --record`: writes what a device answers to a file that can be shared.

use crate::failure::{Failure, Outcome, report};
use rackwarden_core::pdu::Identified;
use rackwarden_core::pdu::record::{Recorder, Recording};
use rackwarden_core::snmp::Credentials;
use rackwarden_io::environment::reason;
use rackwarden_io::session::Session;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write, stderr};
use std::path::Path;
use std::time::{Duration, Instant};

/// From one line of progress to the next.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Walks the device and writes the file, whole or not at all.
pub(crate) fn run(
    session: &mut Session,
    file: &Path,
    identified: &Identified,
    credentials: &Credentials,
) -> Outcome {
    let shown = file.display();
    let mut recorder = Recorder::new(credentials.version());
    let mut told = Instant::now();
    let is_watched = stderr().is_terminal();
    while let Some(ask) = recorder.ask() {
        let answer = session.ask(ask);
        recorder.handle(answer.as_ref()).map_err(|why| {
            Failure::operation(format!(
                "{shown}: not written, because the device does not answer any more: {}; try again",
                why.0.detail
            ))
        })?;
        if is_watched && told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            let _ = write!(stderr(), "\r\x1b[K{} objects", recorder.objects());
        }
    }
    if is_watched {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    let recording = recorder.finish(identified, &credentials.secrets());
    if recording.objects == 0 {
        let what = "the device has nothing in the trees that tell of power";
        return Err(Failure::operation(format!(
            "{shown}: not written: {what}; check the rights of the community or user"
        )));
    }
    write_whole(file, recording.text.as_bytes()).map_err(|err| {
        Failure::operation(format!("{shown}: {}; name another file", reason(&err)))
    })?;
    for line in summary(&recording) {
        report(&format_args!("{shown}: {line}"));
    }
    Ok(())
}

fn summary(recording: &Recording) -> Vec<String> {
    let mut lines = vec![format!(
        "{} objects, read in {} requests",
        recording.objects, recording.requests
    )];
    if recording.gaps > 0 {
        lines.push(format!(
            "the device gave no answer in {} places, which are missing",
            recording.gaps
        ));
    }
    if recording.is_cut {
        lines.push("the device has more, or fell silent: this is not everything".to_owned());
    }
    let left = recording.left.iter();
    let left: Vec<String> = left
        .map(|(what, count)| format!("{what} ({count})"))
        .collect();
    lines.push(match left.is_empty() {
        true => {
            "nothing private was found to leave out; look through it before you share it".into()
        }
        false => format!(
            "left out: {}; look through it before you share it",
            left.join(", ")
        ),
    });
    lines
}

/// Writes beside the file and renames over it.
fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = file
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "is no name of a file"))?
        .to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let fresh = file.with_file_name(name);
    let written = File::create(&fresh).and_then(|mut part| {
        part.write_all(bytes)?;
        part.sync_all()?;
        fs::rename(&fresh, file)
    });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}
