//! How the real agent gets its first owner.

use crate::bot_api::BotApi;
use crate::support::Agent;
use std::fs;

#[test]
fn the_agent_starts_without_an_owner_and_a_code_makes_one() {
    let api = BotApi::start();
    let config = api.config();
    let config: String = config
        .lines()
        .map(|line| match line.starts_with("owners") {
            true => "owners = []\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    let agent = Agent::start(&config);
    api.wait_for_poll();
    let check = agent.beside(&["check"]);
    assert_eq!(check.code, Some(0));
    assert!(
        check.stderr.contains("`rackwarden pair` makes you one"),
        "{}",
        check.stderr
    );
    let paired = agent.beside(&["pair"]);
    assert_eq!((paired.code, paired.stderr.as_str()), (Some(0), ""));
    let code = paired.stdout.lines().next().expect("a code").to_owned();
    assert_eq!(code.len(), 8, "{}", paired.stdout);
    api.post(77, 77, &code);
    api.wait_for_message("You are owner now");
    let agent = agent.restart(&config);
    api.wait_for_poll();
    api.post(77, 77, "/permissions 77");
    api.wait_for_message("the role owner (by pairing)");
    assert!(!agent.process.printed().contains(&code));
    let log = agent.scratch.path("state").join("audit.log");
    let verdict = agent.beside(&["audit", "verify"]);
    assert_eq!((verdict.code, verdict.stderr.as_str()), (Some(0), ""));
    assert!(
        verdict.stdout.contains("audit.log: ok, "),
        "{}",
        verdict.stdout
    );
    let text = fs::read_to_string(&log).expect("a log");
    fs::write(&log, text.replace("owner", "awner")).expect("own file");
    let verdict = agent.beside(&["audit", "verify"]);
    assert_eq!((verdict.code, verdict.stdout.as_str()), (Some(1), ""));
    assert!(
        verdict.stderr.contains("audit.log:") && verdict.stderr.contains("was changed"),
        "{}",
        verdict.stderr
    );
    fs::write(&log, text).expect("own file");
    assert!(
        agent.ask("/audit").contains("telegram:77"),
        "{}",
        agent.ask("/audit")
    );
}

#[test]
fn without_a_chat_there_is_nothing_to_pair() {
    let agent = Agent::start("");
    let paired = agent.beside(&["pair"]);
    assert_eq!((paired.code, paired.stdout.as_str()), (Some(1), ""));
    assert_eq!(
        paired.stderr,
        "rackwarden: pair: there is no chat to pair in; add [telegram] to the configuration\n"
    );
}
