//! Recorded walks of real devices, served by the independent simulator snmpsim and by our own, read by `probe --json`.

use crate::support::{
    Agent, Process, Scratch, free_udp_port, outcome, rackwarden, repository, wait_for,
};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// What has to be read of each recording.
fn expectations() -> Vec<Value> {
    let text = std::fs::read_to_string(repository("tests/fixtures/pdu/expected.json"))
        .expect("fixtures are there");
    let whole: Value = serde_json::from_str(&text).expect("expected.json is JSON");
    whole["recordings"]
        .as_array()
        .expect("a list of recordings")
        .clone()
}

fn probe(scratch: &Scratch, port: u16, community: &str) -> Option<Value> {
    probe_as(scratch, port, &["--community", community])
}

/// In SNMPv3 the context chooses the recording.
fn probe_v3(scratch: &Scratch, port: u16, context: &str) -> Option<Value> {
    let [auth, privacy] = ["auth", "priv"].map(|name| {
        let file = scratch.write(name, &format!("{name}pass1"));
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, mode).expect("own file");
        file.display().to_string()
    });
    #[rustfmt::skip]
    let options = [
        "--v3-user", "apc", "--v3-context", context,
        "--v3-auth", "SHA", "--v3-auth-password-file", &auth,
        "--v3-priv", "AES", "--v3-priv-password-file", &privacy,
    ];
    probe_as(scratch, port, &options)
}

fn probe_as(scratch: &Scratch, port: u16, options: &[&str]) -> Option<Value> {
    let mut command = rackwarden(scratch);
    command
        .args(["probe", &format!("127.0.0.1:{port}")])
        .args(options)
        .args(["--timeout", "3s", "--json"]);
    let outcome = outcome(command, "");
    (outcome.code == Some(0))
        .then(|| serde_json::from_str(&outcome.stdout).expect("probe --json prints JSON"))
}

/// True when a value is right: exact after scaling, within 0.1 %.
fn agrees(got: &Value, want: &Value) -> bool {
    match (got.as_f64(), want.as_f64()) {
        (Some(got), Some(want)) => (got - want).abs() <= want.abs() * 0.001 + 1e-9,
        _ => got.is_null() && want.is_null(),
    }
}

/// What `probe` says against what the recording's notes say.
fn differences(recording: &Value, got: &Value) -> Vec<String> {
    let name = recording["recording"].as_str().unwrap_or_default();
    let pairs = [
        ("power_w", "total_power_w"),
        ("apparent_va", "total_apparent_va"),
        ("current_a", "current_a"),
        ("voltage_v", "voltage_v"),
        ("energy_kwh", "energy_kwh"),
        ("peak_w", "peak_w"),
    ];
    let mut wrong: Vec<String> = Vec::new();
    for (ours, theirs) in pairs {
        let also = recording["also_acceptable"][theirs].as_array();
        let acceptable = agrees(&got[ours], &recording[theirs])
            || also.is_some_and(|values| values.iter().any(|value| agrees(&got[ours], value)));
        if !acceptable {
            wrong.push(format!(
                "{name}: {ours} is {}, expected {}",
                got[ours], recording[theirs]
            ));
        }
    }
    if got["kind"] != recording["kind"] {
        wrong.push(format!(
            "{name}: kind is {}, expected {}",
            got["kind"], recording["kind"]
        ));
    }
    wrong
}

#[test]
#[ignore = "needs snmpsim: tests/run installs and runs it"]
fn recordings_are_right_through_snmpsim() {
    let program = repository("target/peers/snmpsim/bin/snmpsim-command-responder");
    assert!(
        program.exists(),
        "peer snmpsim is missing: run tests/run, which installs it"
    );
    let scratch = Scratch::new();
    let port = free_udp_port();
    let mut command = Command::new(program);
    command
        .arg(format!(
            "--data-dir={}",
            repository("tests/fixtures/pdu").display()
        ))
        .arg(format!("--cache-dir={}", scratch.path("cache").display()))
        .arg(format!("--agent-udpv4-endpoint=127.0.0.1:{port}"))
        .arg("--logging-method=stderr")
        .args([
            "--v3-user=apc",
            "--v3-auth-key=authpass1",
            "--v3-auth-proto=SHA",
        ])
        .args(["--v3-priv-key=privpass1", "--v3-priv-proto=AES"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--process-user=root", "--process-group=root"]);
    }
    let _simulator = Process::start(command, &scratch, "snmpsim");

    let recordings = expectations();
    let first = recordings[0]["community"]
        .as_str()
        .expect("a community")
        .to_owned();
    wait_for("snmpsim's first answer", || probe(&scratch, port, &first));
    let mut wrong = Vec::new();
    for recording in &recordings {
        let community = recording["community"].as_str().expect("a community");
        match probe(&scratch, port, community) {
            Some(got) => wrong.extend(differences(recording, &got)),
            None => wrong.push(format!("{community}: no answer")),
        }
        match probe_v3(&scratch, port, community) {
            Some(got) => wrong.extend(differences(recording, &got)),
            None => wrong.push(format!("{community}: no answer in SNMPv3")),
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn recordings_are_right_through_our_own_simulator() {
    let mut wrong = Vec::new();
    for recording in expectations() {
        let scratch = Scratch::new();
        let port = free_udp_port();
        let file = recording["recording"].as_str().expect("a file name");
        let mut command = rackwarden(&scratch);
        command
            .args([
                "simulate",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--recording",
            ])
            .arg(repository("tests/fixtures/pdu").join(file));
        let _simulator = Process::start(command, &scratch, "simulate");
        let got = wait_for(&format!("an answer from {file}"), || {
            probe(&scratch, port, "public")
        });
        wrong.extend(differences(&recording, &got));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_device_is_read_by_a_profile_of_its_user() {
    let scratch = Scratch::new();
    let port = free_udp_port();
    let mut command = rackwarden(&scratch);
    command
        .args([
            "simulate",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--recording",
        ])
        .arg(repository("tests/fixtures/pdu/wti-power.snmprec"));
    let _simulator = Process::start(command, &scratch, "simulate");
    let agent = Agent::start(&format!(
        r#"
[power]
interval = "200ms"

[[profile]]
name = "my-wti"
vendor = "WTI"
title = "as I read it"
base = "1.3.6.1.4.1.2634.3"
decides = [".200.70"]
[profile.device]
power_w = {{ oid = ".200.70.0", scale = 2 }}

[[pdu]]
name = "alpha"
address = "127.0.0.1:{port}"
profile = "my-wti"
"#
    ));
    agent.wait_for_power("alpha", 512.0);
    let pdu = agent.pdu("alpha").expect("it is known");
    assert_eq!(pdu["profile"], "my-wti");
    assert!(pdu["energy_kwh"].is_null());
}
