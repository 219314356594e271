//! Start, reload, stop and restart of the agent, and an alert's way to the chat.

use crate::bot_api::{BotApi, OWNER};
use crate::device::Device;
use crate::support::{Agent, PATIENCE, Process, Scratch, http_get, outcome, rackwarden, wait_for};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const POWER: &str = "[power]\ninterval = \"2s\"\nlimit = \"3 kW\"\n";

#[test]
fn an_excess_reaches_the_chat_in_time() {
    let (api, device) = (BotApi::start(), Device::start(1000));
    let agent = Agent::start(&format!("{}{POWER}{}", api.config(), device.table("alpha")));
    agent.wait_for_power("alpha", 1000.0);
    api.wait_for_poll();
    let shown = device.set_power(3120);
    let told = api.wait_for_message("above power limit: 3120 W > 3000 W");
    let latency = told.at - shown;
    assert!(latency < Duration::from_millis(2500), "it took {latency:?}");
    device.set_power(1000);
    api.wait_for_message("back below limit after");
    let log = agent.process.printed();
    for line in [
        "alert power.limit:alpha: firing: above power limit: 3120 W > 3000 W",
        "alert power.limit:alpha: ok: back below limit after",
    ] {
        assert!(log.contains(line), "{log}");
    }
}

#[test]
fn people_are_answered_in_the_chat() {
    let (api, device) = (BotApi::start(), Device::start(1230));
    let agent = Agent::start(&format!("{}{POWER}{}", api.config(), device.table("alpha")));
    agent.wait_for_power("alpha", 1230.0);
    api.say("/current");
    let text = api.wait_for_message("alpha").message.text;
    assert!(text.contains("1230 W"), "{text}");
}

#[test]
fn a_stop_takes_less_than_two_seconds_during_a_long_poll() {
    let (api, device) = (BotApi::start(), Device::start(1000));
    for signal in [Signal::TERM, Signal::INT] {
        let mut agent = Agent::start(&format!("{}{POWER}{}", api.config(), device.table("alpha")));
        api.wait_for_poll();
        let asked = Instant::now();
        agent.process.signal(signal);
        let status = agent.process.ended(PATIENCE).expect("it ends");
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "it took {:?}",
            asked.elapsed()
        );
        assert!(status.success(), "{status:?}");
    }
}

/// `timeout` and some supervisors send the signal to the process and to its group.
#[test]
fn two_signals_at_once_are_one_wish_to_end() {
    let device = Device::start(1000);
    let mut agent = Agent::start(&format!("{POWER}{}", device.table("alpha")));
    agent.wait_for_power("alpha", 1000.0);
    agent.process.signal(Signal::TERM);
    agent.process.signal(Signal::INT);
    let status = agent.process.ended(PATIENCE).expect("it ends");
    assert!(status.success(), "{status:?}");
    assert!(agent.process.printed().contains("stopped"));
}

#[test]
fn a_reload_takes_a_valid_file_and_refuses_another() {
    let (one, two) = (Device::start(1000), Device::start(2000));
    let agent = Agent::start(&format!("{POWER}{}", one.table("alpha")));
    agent.wait_for_power("alpha", 1000.0);

    agent.reconfigure(&format!(
        "{POWER}{}{}",
        one.table("alpha"),
        two.table("bravo")
    ));
    agent.process.signal(Signal::HUP);
    agent.wait_for_power("bravo", 2000.0);

    agent.reconfigure("[power]\nintervall = \"2s\"\n");
    agent.process.signal(Signal::HUP);
    wait_for("the complaint about the misspelt key", || {
        agent.process.printed().contains("intervall").then_some(())
    });
    two.set_power(2100);
    agent.wait_for_power("bravo", 2100.0);
}

#[test]
fn a_removed_device_is_gone_after_a_reload() {
    let (one, two) = (Device::start(1000), Device::start(2000));
    let both = format!("{POWER}{}{}", one.table("alpha"), two.table("bravo"));
    let agent = Agent::start(&both);
    agent.wait_for_power("bravo", 2000.0);
    agent.reconfigure(&format!("{POWER}{}", one.table("alpha")));
    agent.process.signal(Signal::HUP);
    wait_for("bravo to be gone", || {
        agent.pdu("bravo").is_none().then_some(())
    });
    agent.wait_for_power("alpha", 1000.0);
}

#[test]
fn what_people_decided_survives_a_restart() {
    let device = Device::start(3500);
    let config = format!("{POWER}{}", device.table("alpha"));
    let agent = Agent::start(&config);
    wait_for("the alert", || {
        agent.ask("/alerts").contains("alpha").then_some(())
    });
    agent.ask("/ack power.limit:alpha");
    agent.ask("/mute power.limit:alpha 2h maintenance");
    agent.ask("/grant telegram:77 operator");
    device.set_power(3700);
    agent.wait_for_power("alpha", 3700.0);
    wait_for("the peak", || {
        agent.ask("/peaks").contains("3700 W").then_some(())
    });
    device.set_power(3300);
    agent.wait_for_power("alpha", 3300.0);

    let agent = agent.restart(&config);
    agent.wait_for_power("alpha", 3300.0);
    assert!(
        agent.ask("/peaks").contains("3700 W"),
        "{}",
        agent.ask("/peaks")
    );
    assert!(
        agent.ask("/permissions").contains("telegram:77"),
        "{}",
        agent.ask("/permissions")
    );
    let why = agent.ask("/why power.limit:alpha");
    assert!(why.contains("maintenance"), "{why}");
}

#[test]
fn a_kill_loses_nothing_that_was_answered() {
    let device = Device::start(1000);
    let config = format!("{POWER}{}", device.table("alpha"));
    let agent = Agent::start(&config);
    agent.ask("/grant telegram:77 operator");
    let agent = agent.killed_and_started(&config);
    assert!(
        agent.ask("/permissions").contains("telegram:77"),
        "{}",
        agent.ask("/permissions")
    );
}

#[test]
fn a_reset_that_a_kill_interrupts_is_never_written_twice_and_its_state_is_told() {
    let (api, device) = (BotApi::start(), Device::start(1000));
    device.set_peak(2500);
    let table = format!("{}write_community = \"private\"\n", device.table("alpha"));
    let config = format!("{}{POWER}{table}", api.config());
    let agent = Agent::start(&config);
    agent.wait_for_power("alpha", 1000.0);
    api.wait_for_poll();
    api.say("/reset alpha");
    api.wait_for_message("The peak of alpha is 2500 W. Resetting writes to the device");
    assert!(api.press(OWNER, OWNER, "Reset the peak of alpha"));
    wait_for("the reset at the device", || {
        (device.sets() == 1).then_some(())
    });
    let agent = agent.killed_and_started(&config);
    api.wait_for_message(
        "Outcome unknown: the agent ended while /reset alpha was under way. It was not run again. The peak of alpha is 1000 W now.",
    );
    assert!(agent.ask("/audit").contains("outcome unknown"));
    assert_eq!(device.sets(), 1);
}

#[test]
fn row_2_a_name_that_nobody_knows_delays_no_sample() {
    let (api, device) = (BotApi::start(), Device::start(1000));
    let nowhere = api
        .config()
        .replace(&api.url(), "http://rackwarden.invalid");
    let power = POWER.replace("2s", "200ms");
    let agent = Agent::start(&format!("{nowhere}{power}{}", device.table("alpha")));
    agent.wait_for_power("alpha", 1000.0);
    let metric = |name: &str| {
        let (_, text) = http_get(agent.http, "/metrics")?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    wait_for("the reason in /health", || {
        let (status, body) = http_get(agent.http, "/health")?;
        (status == 503 && body.contains("Telegram: receiving fails")).then_some(())
    });
    let polls = "rackwarden_polls_total{result=\"ok\"}";
    let before = metric(polls).expect("a number");
    let begun = Instant::now();
    wait_for("twenty more samples", || {
        (metric(polls)? >= before + 20.0).then_some(())
    });
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?} for 4 s of samples");
}

#[test]
fn a_firing_alert_is_not_told_again_after_a_restart() {
    let (api, device) = (BotApi::start(), Device::start(3500));
    let config = format!("{}{POWER}{}", api.config(), device.table("alpha"));
    let agent = Agent::start(&config);
    api.wait_for_message("above power limit");
    // A cycle later the acknowledgement of that message is on disk; before, it may be repeated, and says so.
    device.set_power(3600);
    agent.wait_for_power("alpha", 3600.0);
    let agent = agent.restart(&config);
    agent.wait_for_power("alpha", 3600.0);
    device.set_power(1000);
    api.wait_for_message("back below limit");
    assert_eq!(api.news("above power limit").len(), 1);
}

#[test]
fn kills_keep_rights_and_the_audit_log() {
    let (api, device) = (BotApi::start(), Device::start(3500));
    let config = format!("{}{POWER}{}", api.config(), device.table("alpha"));
    let mut agent = Agent::start(&config);
    api.wait_for_message("above power limit");
    agent.ask("/ack power.limit:alpha");
    agent.ask("/mute power.unreachable:alpha 2h");
    for round in 0..10 {
        // Not to wait for anything: the moment of the kill moves through the start and the first cycles.
        std::thread::sleep(Duration::from_millis(round * 173));
        agent.process.signal(Signal::KILL);
        agent.process.ended(PATIENCE).expect("it is killed");
        let Agent { scratch, .. } = agent;
        agent = Agent::spawn(scratch, &config);
        agent.wait_until_it_answers();
        let alerts = agent.ask("/alerts");
        assert!(alerts.contains("seen by"), "round {round}: {alerts}");
        let why = agent.ask("/why power.unreachable:alpha");
        assert!(why.contains("muted until"), "round {round}: {why}");
        let verdict = agent.beside(&["audit", "verify"]);
        assert_eq!(verdict.code, Some(0), "round {round}: {}", verdict.stderr);
        agent.ask(&format!("/grant telegram:10{round} viewer"));
    }
    let rights = agent.ask("/permissions");
    for round in 0..10 {
        assert!(
            rights.contains(&format!("telegram:10{round}\n")),
            "{rights}"
        );
    }
    agent.wait_for_power("alpha", 3500.0);
    device.set_power(1000);
    api.wait_for_message("back below limit");
    let told = api.news("🔴");
    let unmarked = told
        .iter()
        .filter(|text| !text.contains("(maybe repeated)"));
    assert_eq!(unmarked.count(), 1, "{told:#?}");
}

#[test]
fn a_second_instance_names_the_first() {
    let agent = Agent::start(POWER);
    let second = agent.beside(&["run"]);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    let pid = agent.process.id().to_string();
    assert!(
        second.stderr.contains(&pid),
        "it does not name process {pid}: {}",
        second.stderr
    );
    assert_eq!(second.stderr.lines().count(), 1, "{}", second.stderr);
}

#[test]
fn a_dead_device_is_told_and_delays_nobody() {
    let (api, device) = (BotApi::start(), Device::start(1000));
    let dead = "[[pdu]]\nname = \"zulu\"\naddress = \"127.0.0.1:9\"\n";
    let agent = Agent::start(&format!(
        "{}{POWER}{}{dead}",
        api.config(),
        device.table("alpha")
    ));
    agent.wait_for_power("alpha", 1000.0);
    api.wait_for_message("zulu");
    let current = agent.ask("/current");
    assert!(
        current.contains("1000 W") && current.contains("zulu") && !current.contains(" -1"),
        "{current}"
    );
}

#[test]
fn a_demo_answers_what_is_piped_in() {
    let scratch = Scratch::new();
    let mut command = rackwarden(&scratch);
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    let outcome = outcome(command, "/current\n/alerts\n/quit\n");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for name in ["alpha", "bravo", "Team Alpha"] {
        assert!(outcome.stdout.contains(name), "{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains(" W"), "{}", outcome.stdout);
}

#[test]
fn a_demo_shows_an_alert_within_half_a_minute_and_its_end() {
    let scratch = Scratch::new();
    let mut command = rackwarden(&scratch);
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    let mut demo = Process::start_with_open_input(command, &scratch, "demo");
    let started = Instant::now();
    wait_for("the alert of the demo", || {
        demo.printed().contains("above power limit").then_some(())
    });
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "it took {:?}",
        started.elapsed()
    );
    wait_for("its end", || {
        demo.printed().contains("back below limit").then_some(())
    });
    demo.signal(Signal::INT);
    assert!(
        demo.ended(Duration::from_secs(5))
            .is_some_and(|status| status.success()),
        "{}",
        demo.printed()
    );
}
