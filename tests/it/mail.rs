//! Mail through servers that others wrote: aiosmtpd and exim4, with TLS and a login, both required.

use crate::device::Device;
use crate::support::{
    Agent, Process, Scratch, free_tcp_port, http_get, outcome, repository, wait_for,
};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const PASSWORD: &str = "mail-s3cr3t";

/// A certificate for 127.0.0.1 and its key.
fn certificate(scratch: &Scratch) -> (PathBuf, PathBuf) {
    let (certificate, key) = (scratch.path("cert.pem"), scratch.path("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
    let made = outcome(openssl, "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    (certificate, key)
}

/// An agent at trace level, that watches a device and mails to these addresses.
fn agent(scratch: &Scratch, device: &Device, port: u16, to: &[&str], password: &str) -> Agent {
    use std::os::unix::fs::PermissionsExt as _;
    let file = scratch.write("mail.password", password);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its owner may");
    let to: Vec<String> = to.iter().map(|to| format!("\"mail:{to}\"")).collect();
    Agent::start(&format!(
        "[log]\nlevel = \"trace\"\n[notify]\nto = [{}]\n\
         [mail]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"agent\"\npassword_file = \"{}\"\n\
         from = \"Schrank Süd <agent@x.test>\"\nca_file = \"{}\"\n[power]\nlimit = \"3 kW\"\n{}",
        to.join(", "),
        file.display(),
        scratch.path("cert.pem").display(),
        device.table("alpha")
    ))
}

fn has_no_password(agent: &Agent) {
    let printed = agent.process.printed();
    // As it is, and as the login has it in base64.
    for secret in [PASSWORD, "AGFnZW50AG1haWwtczNjcjN0", "bWFpbC1zM2NyM3Q="] {
        assert!(!printed.contains(secret), "the log shows the password");
    }
}

/// An aiosmtpd with STARTTLS and a login, once it is ready.
fn mail_server(scratch: &Scratch, port: u16) -> Process {
    let (certificate, key) = certificate(scratch);
    let mut python = Command::new(repository("target/peers/aiosmtpd/bin/python"));
    python
        .arg(repository("tests/peers/smtpd.py"))
        .arg(port.to_string())
        .args([&certificate, &key]);
    let server = Process::start(python, scratch, "smtpd");
    wait_for("the mail server", || {
        server.printed().contains("ready").then_some(())
    });
    server
}

#[test]
#[ignore = "needs aiosmtpd and openssl: tests/run installs and runs them"]
fn alerts_go_through_aiosmtpd_with_starttls_and_a_login() {
    let (scratch, port, device) = (Scratch::new(), free_tcp_port(), Device::start(1000));
    let server = mail_server(&scratch, port);
    let to = ["ann@x.test", "nobody@x.test"];
    let agent = agent(&scratch, &device, port, &to, PASSWORD);
    agent.wait_for_power("alpha", 1000.0);
    let test = agent.beside(&["test-alert", "power.limit:alpha", "--value", "3500"]);
    assert_eq!(test.code, Some(1), "{}{}", test.stdout, test.stderr);
    assert!(
        test.stdout.contains("mail:ann@x.test: accepted after"),
        "{}",
        test.stdout
    );
    assert!(
        test.stdout.contains("550 5.1.1 no such user"),
        "{}",
        test.stdout
    );
    let mails: Vec<Value> = server
        .printed()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert_eq!(mails[0]["from"], "agent@x.test");
    assert_eq!(mails[0]["tls"], true);
    let mail = mails[0]["mail"].as_str().unwrap_or_default();
    assert!(
        mail.contains("From: =?utf-8?Q?Schrank_S=C3=BCd?= <agent@x.test>"),
        "{mail}"
    );
    assert!(
        mail.contains("above power limit: 3500 W > 3000 W"),
        "{mail}"
    );
    let unknown = agent.beside(&["test-alert", "power.limit:alhpa", "--value", "3500"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("did you mean `power.limit:alpha`?"),
        "{}",
        unknown.stderr
    );
    has_no_password(&agent);
}

#[test]
#[ignore = "needs aiosmtpd and openssl: tests/run installs and runs them"]
fn a_wrong_password_and_an_unknown_certificate_send_nothing() {
    let (scratch, port, device) = (Scratch::new(), free_tcp_port(), Device::start(1000));
    let server = mail_server(&scratch, port);
    for (words, password) in [
        ("the server refuses user and password", "wrong"),
        ("certificate", PASSWORD),
    ] {
        if password == PASSWORD {
            // Another authority than the one that the server shows.
            self::certificate(&scratch);
        }
        let agent = agent(&scratch, &device, port, &["ann@x.test"], password);
        agent.wait_for_power("alpha", 1000.0);
        device.set_power(3500);
        wait_for(words, || {
            let (status, health) = http_get(agent.http, "/health")?;
            (status == 503 && health.contains(words)).then_some(())
        });
        device.set_power(1000);
        has_no_password(&agent);
    }
    assert!(
        !server.printed().contains("Subject"),
        "{}",
        server.printed()
    );
}

#[test]
#[ignore = "needs exim4 and openssl: tests/run installs and runs them"]
fn an_alert_and_its_end_reach_a_maildir_through_exim() {
    let (scratch, port, device) = (Scratch::new(), free_tcp_port(), Device::start(1000));
    certificate(&scratch);
    let root = scratch.path("");
    let root = root.display();
    let config = scratch.write(
        "exim.conf",
        &EXIM
            .replace("@ROOT@", &root.to_string())
            .replace("@PORT@", &port.to_string()),
    );
    for name in ["spool", "log", "mail"] {
        std::fs::create_dir_all(scratch.path(name)).expect("the temporary folder is writable");
    }
    let mut own = Command::new("chown");
    own.args(["-R", "Debian-exim:"])
        .args(["spool", "log", "mail", "cert.pem", "key.pem"].map(|name| scratch.path(name)));
    assert_eq!(outcome(own, "").code, Some(0));
    let mut exim = Command::new("/usr/sbin/exim4");
    exim.arg("-C").arg(&config).args(["-bdf", "-q1m"]);
    let _server = Process::start(exim, &scratch, "exim");
    wait_for("the mail server", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    let agent = agent(&scratch, &device, port, &["ann@x.test"], PASSWORD);
    agent.wait_for_power("alpha", 1000.0);
    let mails = || -> Vec<String> {
        let files = std::fs::read_dir(scratch.path("mail/inbox/new"))
            .into_iter()
            .flatten();
        let texts = files.filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
        texts.collect()
    };
    device.set_power(3500);
    wait_for("the mail about the excess", || {
        (mails().len() == 1).then_some(())
    });
    device.set_power(1000);
    let both = wait_for("the mail about its end", || {
        Some(mails()).filter(|mails| mails.len() == 2)
    });
    let header = |mail: &str, name: &str| {
        let line = mail
            .lines()
            .find_map(|line| line.strip_prefix(name).map(str::to_owned));
        line.unwrap_or_default()
    };
    let is_end = |mail: &&String| mail.contains("critical resolved: power.limit:alpha");
    let (ended, fired): (Vec<&String>, Vec<&String>) = both.iter().partition(is_end);
    let ([ended], [fired]) = (&ended[..], &fired[..]) else {
        panic!("{both:?}");
    };
    let id = header(fired, "Message-ID: ");
    assert!(!id.is_empty());
    assert_eq!(header(ended, "In-Reply-To: "), id);
    assert!(fired.contains("esmtpsa"), "{fired}");
    has_no_password(&agent);
}

const EXIM: &str = "primary_hostname = mx.test
spool_directory = @ROOT@/spool
log_file_path = @ROOT@/log/%slog
daemon_smtp_ports = @PORT@
local_interfaces = 127.0.0.1
tls_certificate = @ROOT@/cert.pem
tls_privatekey = @ROOT@/key.pem
tls_advertise_hosts = *
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = acl_rcpt
domainlist local_domains = x.test
keep_environment =
begin acl
acl_rcpt:
  deny !encrypted = *
  deny !authenticated = *
  accept domains = +local_domains
  deny message = relay not permitted
begin routers
loc:
  driver = accept
  domains = +local_domains
  transport = mdir
begin transports
mdir:
  driver = appendfile
  directory = @ROOT@/mail/inbox
  create_directory
  maildir_format
  user = Debian-exim
begin retry
* * F,1m,5s
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{agent}}{eq{$auth3}{mail-s3cr3t}}}}
  server_set_id = $auth2
";
