//! Two more independent programs: Prometheus' own check of `/metrics`, and somebody else's Telegram stand-in.

use crate::device::Device;
use crate::support::{
    Agent, Process, Scratch, free_tcp_port, http_get, outcome, repository, wait_for,
};
use std::process::Command;

#[test]
#[ignore = "needs promtool: tests/run installs and runs it"]
fn metrics_are_clean_for_promtool() {
    let device = Device::start(1000);
    let dead = "[[pdu]]\nname = \"zulu \\\"quoted\\\" \\\\ name\"\naddress = \"127.0.0.1:9\"\n";
    let agent = Agent::start(&format!(
        "[power]\nlimit = \"3 kW\"\n{}{dead}",
        device.table("alpha")
    ));
    agent.wait_for_power("alpha", 1000.0);
    let (status, metrics) = http_get(agent.http, "/metrics").expect("an answer");
    assert_eq!(status, 200);
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    let outcome = outcome(promtool, &metrics);
    assert_eq!(
        outcome.code,
        Some(0),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
}

#[test]
#[ignore = "needs node and npm telegram-test-api: tests/run installs and runs them"]
fn the_bot_works_with_a_telegram_that_others_wrote() {
    let (scratch, port, device) = (Scratch::new(), free_tcp_port(), Device::start(1230));
    let agent = Agent::start(&format!(
        "[telegram]\ntoken = \"1:test\"\napi_url = \"http://127.0.0.1:{port}\"\n[access]\nowners = [\"telegram:42\"]\n\
         [power]\nlimit = \"3 kW\"\n{}",
        device.table("alpha")
    ));
    agent.wait_for_power("alpha", 1230.0);
    let mut node = Command::new("node");
    node.arg(repository("tests/peers/telegram.js")).args([
        port.to_string().as_str(),
        "1:test",
        "/current",
        "/id",
    ]);
    let telegram = Process::start(node, &scratch, "telegram");
    let talk = wait_for("the end of the talk", || {
        let printed = telegram.printed();
        printed.contains("done").then_some(printed)
    });
    assert!(talk.contains("1230 W"), "{talk}");
    assert!(talk.contains("42"), "{talk}");
}
