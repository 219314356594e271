//! Two more independent programs: Prometheus' own check of `/metrics`, and somebody else's Telegram stand-in.

use crate::bot_api::{BotApi, OWNER, TOKEN};
use crate::device::Device;
use crate::support::{
    Agent, Process, Scratch, free_tcp_port, http_get, outcome, repository, wait_for,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
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

/// Calls a server as a bot or a person does.
fn post(port: u16, path: &str, parameters: &Value) -> Option<Value> {
    let body = parameters.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    for line in reader.by_ref().lines() {
        let line = line.ok()?.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// Every place in a value with the type that stands there, but for what is below `null`.
fn shape(place: &str, value: &Value, into: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "truth",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    into.insert(place.to_owned(), kind);
    for element in value.as_array().into_iter().flatten() {
        shape(&format!("{place}[]"), element, into);
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        shape(&format!("{place}.{key}"), value, into);
    }
}

#[test]
#[ignore = "needs node and npm telegram-test-api: tests/run installs and runs them"]
fn the_model_of_the_bot_api_answers_as_another_one_does() {
    let (scratch, port, api) = (Scratch::new(), free_tcp_port(), BotApi::start());
    let mut node = Command::new("node");
    node.arg(repository("tests/peers/telegram.js"))
        .args([port.to_string().as_str(), TOKEN]);
    let _telegram = Process::start(node, &scratch, "telegram");
    let own = api
        .url()
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    let own = own.expect("a port");
    wait_for("the other one", || {
        post(port, &format!("bot{TOKEN}/getMe"), &json!({}))
    });
    let chat = json!({"id": OWNER, "type": "private", "first_name": "Ann"});
    let from = json!({"id": OWNER, "is_bot": false, "first_name": "Ann"});
    let keys = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]});
    let say = json!({"botToken": TOKEN, "date": 1, "from": from, "chat": chat, "text": "/id"});
    let press = json!({"botToken": TOKEN, "from": from, "data": "y",
        "message": {"message_id": 1, "date": 1, "from": from, "chat": chat}});
    let mut differences = BTreeSet::new();
    for (method, parameters) in [
        ("getMe", json!({})),
        ("deleteWebhook", json!({})),
        (
            "sendMessage",
            json!({"chat_id": OWNER, "text": "Sure?", "reply_markup": keys}),
        ),
        ("getUpdates", json!({"timeout": 0})),
        (
            "answerCallbackQuery",
            json!({"callback_query_id": "query-1"}),
        ),
        (
            "editMessageText",
            json!({"chat_id": OWNER, "message_id": 1, "text": "Well"}),
        ),
        ("getUpdates", json!({"timeout": 0, "offset": 9})),
    ] {
        if parameters["timeout"] == 0 && parameters["offset"].is_null() {
            api.say("/id");
            assert!(api.press(OWNER, OWNER, "Yes"));
            post(port, "sendMessage", &say).expect("a person may speak");
            post(port, "sendCallback", &press).expect("a person may press");
        }
        let path = format!("bot{TOKEN}/{method}");
        let ask = |port: u16| post(port, &path, &parameters).expect(method);
        let (ours, theirs) = (ask(own), ask(port));
        assert_eq!(
            (&ours["ok"], &theirs["ok"]),
            (&json!(true), &json!(true)),
            "{method}: {ours} {theirs}"
        );
        let (mut our, mut their) = (BTreeMap::new(), BTreeMap::new());
        shape(method, &ours, &mut our);
        shape(method, &theirs, &mut their);
        for (place, kind) in our {
            match their.get(&place) {
                Some(other) if *other == kind => {}
                Some(other) => drop(differences.insert(format!("{place}: {kind}, {other}"))),
                None => drop(differences.insert(format!("{place}: {kind}"))),
            }
        }
    }
    let differences: Vec<&str> = differences.iter().map(String::as_str).collect();
    assert_eq!(differences, KNOWN_DIFFERENCES);
}

/// Where the other one knows less than Telegram's own documentation says.
const KNOWN_DIFFERENCES: &[&str] = &[
    "answerCallbackQuery.result: truth, nothing",
    "editMessageText.result.message_id: number",
    "editMessageText.result: object, nothing",
    "getMe.result.is_bot: truth",
];
