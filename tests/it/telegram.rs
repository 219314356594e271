//! The agent's core and its HTTP threads against a stand-in for Telegram's Bot API, over real sockets.

use crate::bot_api::{BotApi, Message, TOKEN};
use rackwarden_core::chat::{Role, telegram};
use rackwarden_core::config::{Config, GrantConfig, TelegramConfig};
use rackwarden_core::core::{Core, Past, Start};
use rackwarden_core::effect::{Effect, Effects};
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::secret::Secret;
use rackwarden_core::sim::Weather;
use rackwarden_core::state::Records;
use rackwarden_io::clock::Clock;
use rackwarden_io::http_client::HttpHandle;
use rackwarden_io::inbox::Inbox;
use serde_json::json;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const OWNER: i64 = 1;
const GROUP: i64 = -100;
const PATIENCE: Duration = Duration::from_secs(20);

/// A core in a thread of its own, with everything outside but the HTTP calls played by the loop.
struct Agent {
    inbox: Inbox,
    http: HttpHandle,
    thread: Option<JoinHandle<Records>>,
}

impl Agent {
    fn start(config: Config, records: Records) -> Agent {
        let inbox = Inbox::new();
        let http = HttpHandle::new(inbox.clone());
        let (events, calls) = (inbox.clone(), http.clone());
        let thread = std::thread::spawn(move || run(config, records, &events, &calls));
        Agent {
            inbox,
            http,
            thread: Some(thread),
        }
    }

    /// Ends it; what it had stored comes back.
    fn stop(mut self) -> Records {
        self.end().expect("it was running")
    }

    fn end(&mut self) -> Option<Records> {
        self.inbox.send(Event::Stop);
        self.http.shutdown();
        self.thread
            .take()
            .map(|thread| thread.join().expect("no panic"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

fn run(config: Config, mut records: Records, inbox: &Inbox, http: &HttpHandle) -> Records {
    let clock = Clock::start();
    let mut effects = Effects::new();
    let start = Start {
        config: Arc::new(config),
        records: records.clone(),
        now: clock.now(),
        seed: 7,
        holds_lines: false,
        past: Past::default(),
        keeps_history: false,
    };
    let mut core = Core::new(start, &mut effects);
    loop {
        for effect in std::mem::take(&mut effects) {
            match effect {
                Effect::Http(request) => http.send(request),
                Effect::Store(turn) => {
                    let (seq, result) = (turn.seq, Ok(()));
                    records.apply(&turn);
                    inbox.send(Event::Stored { seq, result });
                }
                Effect::Host { ticket, .. } => {
                    let reply = Reply::Host(Ok(Box::default()));
                    inbox.send(Event::Done { ticket, reply });
                }
                _ => {}
            }
        }
        if core.is_stopped() {
            return records;
        }
        let now = clock.now();
        let timeout = core.poll_timeout().map(|at| at.since(now.mono));
        let event = inbox.receive(timeout).unwrap_or(Event::Timeout);
        core.step(clock.now(), event, &mut effects);
    }
}

fn config(api: &BotApi) -> Config {
    let mut config = Config::empty();
    config.name = "rack-3".into();
    config.plugins = vec!["power"];
    config.telegram = Some(TelegramConfig {
        token: Secret::new(TOKEN.to_owned()),
        api_url: api.url(),
        proxy: None,
        ca_file: None,
    });
    config.access.owners = vec![telegram::user(OWNER)];
    config.access.grants = vec![GrantConfig::role(telegram::group(GROUP), Role::Viewer)];
    config.notify.to = vec![telegram::place(GROUP, None)];
    config
}

fn start() -> (BotApi, Agent) {
    let api = BotApi::start();
    let agent = Agent::start(config(&api), Records::default());
    assert!(api.wait_for_calls(PATIENCE, "getUpdates", 1), "it polls");
    (api, agent)
}

#[test]
fn a_command_is_answered_and_a_menu_is_shown_to_each() {
    let (api, agent) = start();
    api.post(OWNER, OWNER, "/start");
    let greeting = api.wait_for(PATIENCE, |message| message.chat == OWNER);
    assert!(
        greeting.text.contains("rack-3") && greeting.text.contains("/grant"),
        "{greeting:?}"
    );
    api.post(5, GROUP, "/status@rack_bot");
    api.wait_for(PATIENCE, |message| {
        message.chat == GROUP && message.text.contains("Plugins")
    });
    assert!(
        api.wait_for_calls(PATIENCE, "setMyCommands", 3),
        "for strangers, the group and the owner"
    );
    let records = agent.stop();
    let offset: serde_json::Value = records.get("telegram", "offset").expect("stored");
    assert_eq!(offset["next"], 3);
}

#[test]
fn an_update_is_confirmed_only_after_it_is_stored_and_never_answered_twice() {
    let (api, agent) = start();
    api.post(OWNER, OWNER, "/version");
    // The answer to this one leaves after the acknowledgement of the first has been seen.
    api.post(OWNER, OWNER, "/plugins");
    api.wait_for(PATIENCE, |message| message.text.contains("Running"));
    let records = agent.stop();
    let again = Agent::start(config(&api), records);
    api.post(OWNER, OWNER, "/id");
    api.wait_for(PATIENCE, |message| message.text.contains("You: telegram:1"));
    again.stop();
    let messages = api.messages();
    let versions = messages
        .iter()
        .filter(|message| message.text.starts_with("rackwarden 0"));
    assert_eq!(versions.count(), 1, "{messages:#?}");
}

#[test]
fn an_old_change_is_offered_and_the_button_runs_it_for_its_sender_alone() {
    let (api, _agent) = start();
    api.post_late(
        OWNER,
        OWNER,
        "/grant 77 viewer",
        Duration::from_secs(3 * 3600),
    );
    api.wait_for(PATIENCE, |message| message.text.contains("Not run"));
    assert!(api.press(66, OWNER, "Run now"));
    assert!(api.wait_for_calls(PATIENCE, "answerCallbackQuery", 1));
    assert!(api.press(OWNER, OWNER, "Run now"));
    api.wait_for(PATIENCE, |message| {
        message.text.contains("telegram:77 has the role viewer")
    });
}

#[test]
fn foul_weather_delays_an_answer_and_loses_none() {
    let refuse = Weather::Refuses;
    let body = |text: &str| Weather::Body(text.as_bytes().to_vec());
    // The third says whether nobody can know that the message did not arrive.
    let cases = [
        ("cut_before", Weather::IsAway, true),
        ("answer_lost", Weather::LosesAnswer, true),
        ("captive_portal", body("<html>hello</html>"), true),
        ("torn", body(r#"{"ok":true,"result":{"mess"#), true),
        ("too_large", Weather::Body(vec![b' '; 3 << 20]), true),
        (
            "server_error",
            refuse(502, "Bad Gateway", json!(null)),
            true,
        ),
        (
            "markup",
            refuse(400, "Bad Request: can't parse entities: x", json!(null)),
            false,
        ),
        (
            "wait",
            refuse(
                429,
                "Too Many Requests: retry after 1",
                json!({"retry_after": 1}),
            ),
            false,
        ),
    ];
    std::thread::scope(|scope| {
        for (rule, fault, is_marked) in cases {
            scope.spawn(move || {
                let (api, _agent) = start();
                api.weather("sendMessage", 1, fault);
                api.post(OWNER, OWNER, "/version");
                assert!(api.wait_for_calls(PATIENCE, "sendMessage", 2), "{rule}");
                let is_answer = |message: &Message| {
                    message.text.starts_with("rackwarden 0")
                        && message.text.contains("(maybe repeated)") == is_marked
                };
                api.wait_for(PATIENCE, is_answer);
            });
        }
    });
}

#[test]
fn a_broken_poll_goes_on_by_itself() {
    for (rule, fault) in [
        ("cut", Weather::IsAway),
        ("html", Weather::Body(b"<html>".to_vec())),
        ("too_large", Weather::Body(vec![b' '; 3 << 20])),
        (
            "refused",
            Weather::Refuses(500, "Internal Server Error", json!(null)),
        ),
    ] {
        let api = BotApi::start();
        api.weather("getUpdates", 1, fault);
        let _agent = Agent::start(config(&api), Records::default());
        assert!(api.wait_for_calls(PATIENCE, "getUpdates", 2), "{rule}");
        api.post(OWNER, OWNER, "/version");
        api.wait_for(PATIENCE, |message| message.text.contains("rackwarden 0"));
    }
}

#[test]
fn stopping_does_not_wait_for_the_long_poll() {
    let (_api, agent) = start();
    let begin = Instant::now();
    agent.stop();
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn a_group_that_moved_is_followed() {
    let (api, _agent) = start();
    api.with(|service, _| service.migrate(GROUP, -100_777));
    api.post(5, GROUP, "/version");
    api.wait_for(PATIENCE, |message| {
        message.chat == -100_777 && message.text.contains("rackwarden 0")
    });
    api.post(5, -100_777, "/plugins");
    api.wait_for(PATIENCE, |message| {
        message.chat == -100_777 && message.text.contains("Running")
    });
}
