//! The host as the running agent shows it: its status, its commands, an alert from the first look to the chat.

use crate::bot_api::BotApi;
use crate::support::{Agent, http_get, wait_for};
use serde_json::Value;

fn host(agent: &Agent) -> Option<Value> {
    let (_, body) = http_get(agent.http, "/api/host")?;
    let host: Value = serde_json::from_str(&body).ok()?;
    (!host["cpu_percent"].is_null()).then_some(host)
}

#[test]
fn the_host_is_shown_everywhere_without_any_configuration() {
    let agent = Agent::start("");
    let host = wait_for("two looks", || host(&agent));
    let total = std::fs::read_to_string("/proc/meminfo").expect("Linux has it");
    let total = total.split_whitespace().nth(1).expect("a number");
    let total: u64 = total.parse().expect("kB");
    assert_eq!(host["memory"]["total_bytes"], total * 1024);
    let cores = host["cores"].as_array().expect("a list");
    assert_eq!(
        cores.len(),
        std::thread::available_parallelism().map_or(1, usize::from)
    );
    assert!(host["uptime_s"].as_f64() > Some(0.0), "{host}");

    let status = agent.ask("/status");
    assert!(status.contains("Host: CPU "), "{status}");
    for (line, want) in [
        ("/load", "over 1, 5 and 15 min"),
        ("/memory", "memory"),
        ("/uptime", "since 20"),
        ("/processes", "processes"),
    ] {
        let text = agent.ask(line);
        assert!(text.contains(want), "{line}: {text}");
    }
    let status = agent.beside(&["status", "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!(status["host"]["memory"]["total_bytes"], total * 1024);
    let doctor = agent.beside(&["doctor"]);
    assert!(doctor.stdout.contains("ok    host: "), "{}", doctor.stdout);
}

#[test]
fn a_threshold_that_is_crossed_reaches_the_chat_and_can_be_tested() {
    let api = BotApi::start();
    let agent = Agent::start(&format!(
        "{}[monitor.thresholds]\ncpu = {{ on = '99 %', for = '7d' }}\nmemory = {{ on = '1 %', for = '0s', severity = 'critical' }}\n\
         disk = 'off'\ninodes = 'off'\ncpu_temperature = 'off'\ngpu_temperature = 'off'\ndisk_temperature = 'off'\n",
        api.config()
    ));
    api.wait_for_message("host: memory usage above threshold: ");
    let test = agent.beside(&["test-alert", "monitor.cpu", "--value", "100"]);
    assert_eq!(test.code, Some(0), "{}{}", test.stdout, test.stderr);
    api.wait_for_message("TEST of monitor.cpu:host, nothing is wrong");
}
