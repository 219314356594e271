//! The systemd unit: what it promises about security, measured with systemd's own tool where that is installed.

use std::process::Command;

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/rackwarden.service");
const WITHOUT_HOST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/without-host.conf");

/// Below 5, systemd calls a service OK; services of the field stand above 8.
const MOST_EXPOSURE: f64 = 1.8;
/// With what the monitor needs taken away.
const MOST_EXPOSURE_WITHOUT_HOST: f64 = 1.3;

#[test]
fn the_service_can_do_little_besides_talking_to_the_network() {
    let unit = std::fs::read_to_string(UNIT).expect("the unit");
    for line in [
        "Type=notify",
        "WatchdogSec=30s",
        "Restart=always",
        "DynamicUser=yes",
        "StateDirectory=rackwarden",
        "CapabilityBoundingSet=",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "LoadCredential=telegram.token:/etc/rackwarden/telegram.token",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn systemd_finds_the_service_hardly_exposed() {
    let unit = std::fs::read_to_string(UNIT).expect("the unit");
    let drop_in = std::fs::read_to_string(WITHOUT_HOST).expect("the drop-in");
    let drop_in = drop_in.split_once("[Service]\n").expect("one section").1;
    let (head, install) = unit.split_once("[Install]").expect("the last section");
    let without_host = format!("{head}{drop_in}\n[Install]{install}");
    for (name, unit, most) in [
        ("shipped", &unit, MOST_EXPOSURE),
        ("without-host", &without_host, MOST_EXPOSURE_WITHOUT_HOST),
    ] {
        let Some(score) = exposure(name, unit) else {
            eprintln!("systemd-analyze is not installed; the score was not measured");
            return;
        };
        eprintln!("{name}: {score}");
        assert!(score <= most, "{name}: {score}");
    }
}

/// What systemd makes of a unit.
fn exposure(name: &str, unit: &str) -> Option<f64> {
    let dir = std::env::temp_dir().join(format!("rackwarden-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let copy = dir.join("rackwarden.service");
    std::fs::write(&copy, unit).expect("the folder is writable");
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(&copy)
        .output();
    std::fs::remove_dir_all(&dir).expect("clean up");
    let output = output.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let score = text
        .lines()
        .find_map(|line| line.split_once("Overall exposure level for rackwarden.service: "))
        .and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
    assert!(score.is_some(), "no score in {text}");
    score
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit() {
    let unit = std::fs::read_to_string(UNIT).expect("the unit");
    let dir = std::env::temp_dir().join(format!("rackwarden-unit-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let copy = dir.join("rackwarden.service");
    // It looks for the program, which is not installed here.
    let unit = unit.replace(
        "/usr/local/bin/rackwarden",
        env!("CARGO_BIN_EXE_rackwarden"),
    );
    std::fs::write(&copy, unit).expect("the folder is writable");
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&copy)
        .output();
    std::fs::remove_dir_all(&dir).expect("clean up");
    let Ok(output) = output else {
        eprintln!("systemd-analyze is not installed; the container of the agent's tests has one");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let about_us: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("rackwarden"))
        .collect();
    assert!(about_us.is_empty(), "{said}");
}
