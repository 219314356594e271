//! `doctor` with real peers: what is well, what is not, and that a running agent does not notice.

use crate::bot_api::{BotApi, TOKEN};
use crate::device::Device;
use crate::support::{Agent, Outcome, Scratch, free_tcp_port, outcome, rackwarden};
use std::time::{Duration, Instant};

/// Runs it where no agent runs.
fn doctor(config: &str) -> Outcome {
    let scratch = Scratch::new();
    let file = scratch.write("rackwarden.toml", config);
    let mut command = rackwarden(&scratch);
    command.args(["doctor", "--config"]).arg(file);
    outcome(command, "")
}

fn line<'a>(outcome: &'a Outcome, what: &str) -> &'a str {
    let mut lines = outcome.stdout.lines();
    lines
        .find(|line| line.contains(what))
        .unwrap_or_else(|| panic!("nothing about {what}: {}{}", outcome.stdout, outcome.stderr))
}

#[test]
fn all_is_well_beside_a_running_agent_that_does_not_notice() {
    let (api, device) = (BotApi::start(), Device::start(1230));
    let agent = Agent::start(&format!(
        "{}[power]\nlimit = \"3 kW\"\n{}",
        api.config_for("\"telegram:-100\""),
        device.table("alpha")
    ));
    agent.wait_for_power("alpha", 1230.0);
    api.wait_for_poll();
    let polls = |api: &BotApi| {
        api.with(|service, _| {
            let calls = service.calls().iter();
            calls.filter(|call| call.method == "getUpdates").count()
        })
    };
    let before = polls(&api);
    let outcome = agent.beside(&["doctor"]);
    assert_eq!(
        outcome.code,
        Some(0),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    for what in [
        "agent: runs",
        "@rack_bot",
        "clock: ",
        "telegram:-100: ",
        "telegram:42",
        "alpha: ",
        "1230 W",
        "MiB free",
    ] {
        assert!(
            line(&outcome, what).starts_with("ok    "),
            "{}",
            outcome.stdout
        );
    }
    assert_eq!(polls(&api), before, "the agent's poll was disturbed");
    assert!(!outcome.stdout.contains(TOKEN), "{}", outcome.stdout);
}

#[test]
fn what_does_not_work_is_named_with_what_to_do_and_in_time() {
    let api = BotApi::start();
    api.with(|service, _| service.set_token("999:another-token"));
    let gone = free_tcp_port();
    let dead: String = (0..30)
        .map(|index| format!("[[pdu]]\nname = \"zulu-{index}\"\naddress = \"127.0.0.1:9\"\ncommunity = \"hidden-word\"\n"))
        .collect();
    let begun = Instant::now();
    let outcome = doctor(&format!(
        "{}[http]\nlisten = \"{}\"\n[heartbeat]\nurl = \"http://127.0.0.1:{gone}/ping/hidden-word\"\n{dead}",
        api.config(),
        api.url().trim_start_matches("http://"),
    ));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    assert_eq!(
        outcome.code,
        Some(1),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    assert!(
        line(&outcome, "agent: ").starts_with("warn  "),
        "{}",
        outcome.stdout
    );
    assert!(
        line(&outcome, "Telegram: ").contains("refused: Unauthorized (401); get the bot's token")
    );
    for what in ["status page: ", "heartbeat: ", "zulu-0: ", "zulu-29: "] {
        assert!(
            line(&outcome, what).starts_with("fail  "),
            "{}",
            outcome.stdout
        );
    }
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    for secret in [TOKEN, "hidden-word"] {
        let said = outcome.stdout.contains(secret) || outcome.stderr.contains(secret);
        assert!(!said, "{}{}", outcome.stdout, outcome.stderr);
    }
}

#[test]
fn a_configuration_with_a_mistake_is_not_looked_at() {
    let outcome = doctor("[power]\nintervall = \"2s\"\n");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("intervall"), "{}", outcome.stderr);
}
