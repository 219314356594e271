//! SNMPv3 with a real `snmpd`: every protocol that it has, what it refuses, its restart, and a PDU that is read by
//! community and reset by a user.

use crate::snmpd::{Snmpd, press};
use crate::support::{Agent, Outcome, Scratch, outcome, rackwarden, wait_for};
use rackwarden_core::fault::Fault;
use rackwarden_core::snmp::usm::{Auth, Password, Privacy};
use rackwarden_core::snmp::{Credentials, Oid, SnmpAnswer, SnmpAsk, SnmpTarget, Usm};
use rackwarden_io::session::Session;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

const AUTH_PASSWORD: &str = "authpass1";
const PRIV_PASSWORD: &str = "privpass1";
const AUTHS: [Auth; 6] = [
    Auth::Md5,
    Auth::Sha1,
    Auth::Sha224,
    Auth::Sha256,
    Auth::Sha384,
    Auth::Sha512,
];
/// With the names that net-snmp has for them.
const PRIVACIES: [(Privacy, &str); 6] = [
    (Privacy::Des, "DES"),
    (Privacy::Aes128, "AES"),
    (Privacy::Aes192, "AES192"),
    (Privacy::Aes256, "AES256"),
    (Privacy::Aes192C, "AES192C"),
    (Privacy::Aes256C, "AES256C"),
];

fn user(name: &str, auth: Option<Auth>, privacy: Option<Privacy>) -> Usm {
    let password = |text: &str| Arc::new(Password::new(auth.unwrap_or(Auth::Md5), text));
    Usm {
        user: name.into(),
        context: "".into(),
        auth: auth.map(|_| password(AUTH_PASSWORD)),
        privacy: privacy.map(|privacy| (privacy, password(PRIV_PASSWORD))),
    }
}

/// A user for each combination, and the lines that make them.
fn users() -> (Vec<Usm>, String) {
    let mut users = vec![user("nobody", None, None)];
    let mut lines = "createUser nobody\nrouser nobody noauth\n".to_owned();
    for auth in AUTHS {
        let of_auth = auth.name();
        let name = format!("{of_auth}-alone");
        lines += &format!("createUser {name} {of_auth} {AUTH_PASSWORD}\nrouser {name} auth\n");
        users.push(user(&name, Some(auth), None));
        for (privacy, theirs) in PRIVACIES {
            let name = format!("{of_auth}-{}", privacy.name());
            lines += &format!(
                "createUser {name} {of_auth} {AUTH_PASSWORD} {theirs} {PRIV_PASSWORD}\nrwuser {name} priv\n"
            );
            users.push(user(&name, Some(auth), Some(privacy)));
        }
    }
    (users, lines)
}

/// Asks for the model's description.
fn ask(snmpd: &Snmpd, usm: Usm) -> Result<SnmpAnswer, Fault> {
    let target = SnmpTarget {
        addr: ([127, 0, 0, 1], snmpd.port).into(),
        credentials: Credentials::Usm(Arc::new(usm)),
        any_source: false,
    };
    let mut session = Session::open(target, Duration::from_millis(400), 4).expect("a socket");
    let description: Oid = "1.3.6.1.2.1.1.1.0".parse().expect("an object identifier");
    session.ask(SnmpAsk::Get([description].into()))
}

fn read(snmpd: &Snmpd, usm: Usm) -> String {
    match ask(snmpd, usm) {
        Ok(SnmpAnswer::Values(values)) => values[0].as_text().unwrap_or_default(),
        Ok(other) => format!("{other:?}"),
        Err(fault) => fault.detail,
    }
}

/// Password files that only their owner may read, in a folder.
fn password_files(scratch: &Scratch) {
    for (name, text) in [
        ("auth", AUTH_PASSWORD),
        ("priv", PRIV_PASSWORD),
        ("bad", "wrongpass"),
    ] {
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(scratch.write(name, text), mode).expect("own file");
    }
}

fn probe(snmpd: &Snmpd, user: &str, auth_file: &str) -> Outcome {
    let mut command = rackwarden(&snmpd.scratch);
    let address = format!("127.0.0.1:{}", snmpd.port);
    command.args(["probe", &address, "--json", "--v3-user", user]);
    command.args(["--v3-auth", "SHA-256", "--v3-priv", "AES-128"]);
    command
        .arg("--v3-auth-password-file")
        .arg(snmpd.scratch.path(auth_file));
    command
        .arg("--v3-priv-password-file")
        .arg(snmpd.scratch.path("priv"));
    outcome(command, "")
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn every_protocol_of_snmpd_is_spoken_and_what_it_refuses_has_its_reason() {
    let (users, lines) = users();
    let snmpd = Snmpd::start_with(&lines);
    for usm in users {
        let description = read(&snmpd, usm.clone());
        assert!(
            description.contains("APC Web/SNMP"),
            "{usm:?}: {description}"
        );
    }
    let strong = || user("SHA-256-AES-128", Some(Auth::Sha256), Some(Privacy::Aes128));
    let wrong = |text: &str| Arc::new(Password::new(Auth::Sha256, text));
    for (usm, want) in [
        (
            Usm {
                auth: Some(wrong("wrongpass")),
                ..strong()
            },
            "wrong authentication password",
        ),
        (
            user("SHA-256-AES-128", Some(Auth::Sha512), Some(Privacy::Aes128)),
            "wrong authentication password",
        ),
        (
            Usm {
                privacy: Some((Privacy::Aes128, wrong("wrongpass"))),
                ..strong()
            },
            "wrong privacy password (or privacy protocol)",
        ),
        (
            user("SHA-256-DES", Some(Auth::Sha256), Some(Privacy::Aes256)),
            "wrong privacy password (or privacy protocol)",
        ),
        (
            Usm {
                user: "stranger".into(),
                ..strong()
            },
            "unknown user stranger",
        ),
        (
            user("SHA-256-alone", Some(Auth::Sha256), Some(Privacy::Aes128)),
            "the device does not support authPriv for this user",
        ),
        (
            user("SHA-256-AES-128", Some(Auth::Sha256), None),
            "ErrorStatus(16)",
        ),
    ] {
        let said = read(&snmpd, usm.clone());
        assert!(said.contains(want), "{usm:?}: {said}");
    }
    password_files(&snmpd.scratch);
    let good = probe(&snmpd, "SHA-256-AES-128", "auth");
    let object: serde_json::Value = serde_json::from_str(&good.stdout).expect("JSON");
    assert_eq!(object["power_w"], 270.0, "{}", good.stderr);
    let bad = probe(&snmpd, "SHA-256-AES-128", "bad");
    assert_eq!(bad.code, Some(1));
    assert!(
        bad.stderr.contains("wrong authentication password"),
        "{}",
        bad.stderr
    );
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn a_pdu_is_read_by_community_and_reset_by_a_user_and_the_other_way_round() {
    let snmpd = Snmpd::start_with(&users().1);
    let v3 = |key: &str, auth: &str, user: &str| {
        format!(
            "{key} = {{ user = \"{user}\", auth = \"SHA\", auth_password_file = \"{auth}\", priv = \"AES\", priv_password_file = \"priv\" }}\n"
        )
    };
    for (ways, is_written) in [
        (v3("write_v3", "auth", "SHA-AES-128"), true),
        (
            v3("snmp_v3", "auth", "SHA-AES-128") + "write_community = \"private\"\n",
            true,
        ),
        (v3("write_v3", "bad", "SHA-AES-128"), false),
    ] {
        let table = format!(
            "[power]\nlimit = \"3 kW\"\n[[pdu]]\nname = \"alpha\"\naddress = \"127.0.0.1:{}\"\n{ways}",
            snmpd.port
        );
        let scratch = Scratch::new();
        password_files(&scratch);
        let agent = Agent::spawn(scratch, &table);
        agent.wait_until_it_answers();
        snmpd.set_power(2900);
        agent.wait_for_power("alpha", 2900.0);
        snmpd.set_power(500);
        agent.wait_for_power("alpha", 500.0);
        let answer = press(&agent, &agent.ask("/reset alpha"));
        let peak = snmpd.probed()["peak_w"].as_f64();
        if is_written {
            assert!(answer.contains("500 W"), "{answer}");
            assert_eq!(peak, Some(500.0));
        } else {
            assert!(answer.contains("wrong authentication password"), "{answer}");
            assert_eq!(peak, Some(2900.0), "the device kept its peak");
        }
    }
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn a_device_that_restarts_is_read_on_and_one_that_refuses_the_user_says_why() {
    let mut snmpd = Snmpd::start_with(&users().1);
    let scratch = Scratch::new();
    password_files(&scratch);
    let pdu = |name: &str, auth: &str| {
        format!(
            "[[pdu]]\nname = \"{name}\"\naddress = \"127.0.0.1:{}\"\nsnmp_v3 = {{ user = \"SHA-512-AES-256\", auth = \"SHA-512\", \
             auth_password_file = \"{auth}\", priv = \"AES-256\", priv_password_file = \"priv\" }}\n",
            snmpd.port
        )
    };
    let power = "[power]\ninterval = \"1s\"\ntimeout = \"450ms\"\nunreachable_after = \"3s\"\n";
    let agent = Agent::spawn(
        scratch,
        &format!("{power}{}{}", pdu("alpha", "auth"), pdu("bravo", "bad")),
    );
    agent.wait_until_it_answers();
    agent.wait_for_power("alpha", 270.0);
    snmpd.restart();
    snmpd.set_power(1200);
    agent.wait_for_power("alpha", 1200.0);
    let current = wait_for("the reason of bravo", || {
        let answer = agent.ask("/current");
        answer.contains("does not answer").then_some(answer)
    });
    assert!(
        current.contains("wrong authentication password"),
        "{current}"
    );
    let alerts = agent.ask("/alerts");
    assert!(alerts.contains("wrong authentication password"), "{alerts}");
    let doctor = agent.beside(&["doctor"]);
    assert!(
        doctor.stdout.contains("wrong authentication password"),
        "{}",
        doctor.stdout
    );
}
