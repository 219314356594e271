//! Recording devices over real sockets: a recorded device is recorded again, and read as the first one.

use crate::support::{
    Outcome, Process, Scratch, free_udp_port, outcome, rackwarden, repository, wait_for,
};
use std::fs;
use std::path::Path;

fn simulate(scratch: &Scratch, recording: &Path, name: &str) -> (Process, u16) {
    let port = free_udp_port();
    let mut command = rackwarden(scratch);
    command
        .args(["simulate", "--listen", &format!("127.0.0.1:{port}")])
        .arg("--recording")
        .arg(recording);
    let simulator = Process::start(command, scratch, name);
    wait_for("the device", || {
        simulator.printed().contains("answers").then_some(())
    });
    (simulator, port)
}

fn probe(scratch: &Scratch, port: u16, more: &[&str]) -> Outcome {
    let mut command = rackwarden(scratch);
    command
        .args(["probe", &format!("127.0.0.1:{port}")])
        .args(more);
    outcome(command, "")
}

/// What `probe --json` says, without what differs between two moments and places.
fn told(scratch: &Scratch, port: u16, version: &str) -> serde_json::Value {
    let probed = probe(scratch, port, &["--json", "--snmp-version", version]);
    assert_eq!(probed.code, Some(0), "{}", probed.stderr);
    let mut told: serde_json::Value = serde_json::from_str(&probed.stdout).expect("JSON");
    let object = told.as_object_mut().expect("an object");
    for key in ["address", "time", "restarted_at", "sys_descr"] {
        object.remove(key);
    }
    for list in ["outlets", "banks", "temperatures", "humidities"] {
        let rows = object.get_mut(list).and_then(|rows| rows.as_array_mut());
        for row in rows.into_iter().flatten() {
            row.as_object_mut().expect("a row").remove("name");
        }
    }
    told
}

#[test]
fn a_recorded_device_reads_as_the_device_itself() {
    for (name, version) in [
        ("apc_ap8959eu3", "2c"),
        ("apc_ap7900b", "1"),
        ("raritan-pdu_px2", "2c"),
        ("sentry4", "2c"),
        ("vertiv-pdu_mg02e4w1", "2c"),
    ] {
        let scratch = Scratch::new();
        let original = repository(&format!("tests/fixtures/pdu/{name}.snmprec"));
        let (_first, port) = simulate(&scratch, &original, "first");
        let before = told(&scratch, port, version);
        let file = scratch.path("copy.snmprec");
        let path = file.display().to_string();
        let more = ["--record", &path, "--snmp-version", version];
        let recorded = probe(&scratch, port, &more);
        assert_eq!(recorded.code, Some(0), "{name}: {}", recorded.stderr);
        assert!(
            recorded
                .stderr
                .ends_with("look through it before you share it\n"),
            "{name}: {}",
            recorded.stderr
        );
        let (_second, port) = simulate(&scratch, &file, "second");
        let after = told(&scratch, port, version);
        assert_eq!(before, after, "{name}");
        let left = fs::read_dir(scratch.path("")).expect("a folder");
        let parts = left
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "part"));
        assert_eq!(parts.count(), 0);
    }
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_the_old_one_stays() {
    let scratch = Scratch::new();
    let original = repository("tests/fixtures/pdu/apc_ap7900b.snmprec");
    let (_device, port) = simulate(&scratch, &original, "device");
    let path = scratch.path("missing/copy.snmprec").display().to_string();
    let recorded = probe(&scratch, port, &["--record", &path]);
    assert_eq!(recorded.code, Some(1));
    assert_eq!(
        recorded.stderr,
        format!("rackwarden: {path}: no such file; name another file\n")
    );
    assert!(
        recorded.stdout.contains("AP7900B"),
        "the reading is printed"
    );
}
