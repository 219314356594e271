//! What the running agent writes to its log: no secret at the noisiest level, priorities for the journal, bounded files.

use crate::bot_api::BotApi;
use crate::support::{Agent, CALM, PATIENCE, Process, Scratch, outcome, rackwarden, wait_for};
use rustix::process::Signal;

const TOKEN: &str = "777:pl4nted-token";
const SECRETS: [&str; 5] = [
    "pl4nted",
    "s3cr3t-read",
    "s3cr3t-write",
    "s3cr3t-http",
    "cGw0bnRlZA",
];

fn config(api: &BotApi, scratch: &Scratch, log: &str) -> String {
    api.with(|service, _| service.set_token(TOKEN));
    let token = scratch.write("http.token", "s3cr3t-http");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(token, mode).expect("own file");
    format!(
        "name = \"rack-3\"\nstate_dir = \"state\"\n[log]\n{log}\n\
         [telegram]\ntoken = \"{TOKEN}\"\napi_url = \"{}\"\n\
         [access]\nowners = [\"telegram:42\"]\n[notify]\nto = [\"telegram:42\"]\n\
         [http]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"http.token\"\n{CALM}\
         [power]\ninterval = \"200ms\"\nunreachable_after = \"600ms\"\n\
         [[pdu]]\nname = \"alpha\"\naddress = \"127.0.0.1:9\"\n\
         community = \"s3cr3t-read\"\nwrite_community = \"s3cr3t-write\"\n",
        api.url()
    )
}

fn start(scratch: &Scratch, config: &str, level: Option<&str>) -> Process {
    let file = scratch.write("rackwarden.toml", config);
    let mut command = rackwarden(scratch);
    command
        .env("JOURNAL_STREAM", "8:1")
        .arg("run")
        .arg("--config")
        .arg(file);
    if let Some(level) = level {
        command.env("RUST_LOG", level);
    }
    Process::start(command, scratch, "agent")
}

#[test]
fn no_secret_is_in_the_noisiest_log() {
    let (api, scratch) = (BotApi::start(), Scratch::new());
    let config = config(
        &api,
        &scratch,
        "level = \"trace,ureq=trace,ureq_proto=trace,rustls=trace\"",
    );
    let mut agent = start(&scratch, &config, None);
    api.say("/current");
    api.wait_for_message("alpha");
    api.wait_for_message("no answer");
    agent.signal(Signal::HUP);
    agent.signal(Signal::TERM);
    assert!(agent.ended(PATIENCE).is_some_and(|status| status.success()));
    let printed = agent.printed();
    assert!(printed.contains("stopped"), "{printed}");
    for secret in SECRETS {
        assert!(!printed.contains(secret), "{secret} in\n{printed}");
    }
    for line in printed.lines() {
        assert!(
            line.starts_with('<') && !line.contains(char::is_control),
            "{line}"
        );
    }
}

#[test]
fn the_log_file_is_used_and_rotated() {
    let (api, scratch) = (BotApi::start(), Scratch::new());
    let log = "level = \"info\"\nfile = \"agent.log\"\nmax_size = \"4 KiB\"\nkeep = 2";
    let mut agent = start(&scratch, &config(&api, &scratch, log), None);
    api.wait_for_poll();
    // Each refused reload writes some lines. A file that is being written may be read half, or empty and valid.
    scratch.write(
        "rackwarden.toml",
        "[power]\nintervall = \"2s\"\nretires = 1\ntimeot = 2\n",
    );
    wait_for("three files", || {
        agent.signal(Signal::HUP);
        scratch.path("agent.log.2").exists().then_some(())
    });
    agent.signal(Signal::TERM);
    assert!(agent.ended(PATIENCE).is_some_and(|status| status.success()));
    for name in ["agent.log", "agent.log.1", "agent.log.2"] {
        let size = std::fs::metadata(scratch.path(name)).expect(name).len();
        assert!(size <= 4096, "{name}: {size}");
    }
    assert!(!scratch.path("agent.log.3").exists());
    assert_eq!(agent.printed(), "");
}

#[test]
fn a_log_file_that_cannot_be_opened_is_named() {
    let (api, scratch) = (BotApi::start(), Scratch::new());
    let file = scratch.write(
        "rackwarden.toml",
        &config(&api, &scratch, "file = \"/nowhere/agent.log\""),
    );
    let mut command = rackwarden(&scratch);
    command.arg("run").arg("--config").arg(file);
    let outcome = outcome(command, "");
    assert_ne!(outcome.code, Some(0));
    assert!(
        outcome
            .stderr
            .contains("/nowhere/agent.log: cannot open the log file: no such file"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.stderr.lines().count(), 1);
}

#[test]
fn levels_of_the_environment_go_before_the_configuration() {
    let (api, scratch) = (BotApi::start(), Scratch::new());
    let mut agent = start(
        &scratch,
        &config(&api, &scratch, "level = \"trace\""),
        Some("error"),
    );
    api.wait_for_poll();
    agent.signal(Signal::TERM);
    assert!(agent.ended(PATIENCE).is_some_and(|status| status.success()));
    assert!(!agent.printed().contains("<6>"), "{}", agent.printed());
}

#[test]
fn only_named_plugins_start() {
    let agent = Agent::start("plugins = []\n[power]\n");
    assert!(!agent.ask("/plugins").contains("power"));
}
