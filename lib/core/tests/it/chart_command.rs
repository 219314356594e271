//! `/chart` from end to end in virtual time: a picture in the chat, words on the terminal, and what is said when
//! there is nothing to draw.

use crate::{GROUP, OWNER, STRANGER, VIEWER, seconds};
use rackwarden_core::chat::telegram;
use rackwarden_core::config::Config;
use rackwarden_core::plugins::power;
use rackwarden_core::sim::{Sim, Weather};
use serde_json::json;

fn config() -> Config {
    use rackwarden_core::chat::Role;
    use rackwarden_core::config::GrantConfig;
    let mut config = Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0), ("beta", 3000.0)]);
    Sim::team(&mut config, "Team Alpha", 6000.0, &["alpha", "bravo"]);
    config.access.grants = vec![GrantConfig::role(telegram::user(VIEWER), Role::Viewer)];
    config
}

/// A world in which `alpha` was above its limit for a minute.
fn world() -> Sim {
    let mut sim = Sim::with_config(config());
    sim.run_for(seconds(300));
    sim.device("alpha").set_power(3310.0);
    sim.run_for(seconds(60));
    sim.device("alpha").set_power(1000.0);
    sim.run_for(seconds(300));
    sim.clear_transcript();
    sim
}

/// What is said to a line in a private chat.
fn told(sim: &mut Sim, user: i64, line: &str) -> String {
    sim.clear_transcript();
    sim.post(user, user, line);
    sim.run_for(seconds(5));
    sim.transcript()
}

/// The last file that was sent: its name, whether it was shown, its first bytes.
fn last_file(sim: &mut Sim) -> Option<(String, bool, Vec<u8>)> {
    let last = sim.service().messages().last()?;
    let (name, bytes) = last.document.as_ref()?;
    Some((name.clone(), last.is_photo, bytes.clone()))
}

#[test]
fn a_viewer_gets_a_picture_with_its_figures() {
    let mut sim = world();
    let transcript = told(&mut sim, VIEWER, "/chart alpha 10m");
    for want in [
        "(picture) Power of alpha",
        "max 3.31",
        "limit 3 kW",
        "shaded: an alert fired",
    ] {
        assert!(transcript.contains(want), "{want}: {transcript}");
    }
    let (name, is_photo, bytes) = last_file(&mut sim).expect("a file");
    assert_eq!((&*name, is_photo), ("chart.png", true));
    assert!(bytes.len() < 40_000 && bytes.starts_with(b"\x89PNG"));
    let transcript = told(&mut sim, STRANGER, "/chart alpha");
    assert!(!transcript.contains("(picture)"), "{transcript}");
}

#[test]
fn its_buttons_draw_other_times_and_a_file_comes_when_asked_for() {
    let mut sim = world();
    told(&mut sim, OWNER, "/chart team alpha");
    sim.clear_transcript();
    sim.press(OWNER, OWNER, "24h");
    sim.run_for(seconds(5));
    let transcript = sim.transcript();
    assert!(
        transcript.contains("(picture) Power of Team Alpha"),
        "{transcript}"
    );
    let transcript = told(&mut sim, OWNER, "/chart power dark file");
    assert!(transcript.contains("Power of all PDUs"), "{transcript}");
    let (_, is_photo, _) = last_file(&mut sim).expect("a file");
    assert!(!is_photo);
}

#[test]
fn a_picture_that_is_refused_comes_as_a_file() {
    let mut sim = world();
    let refusal = Weather::Refuses(400, "Bad Request: IMAGE_PROCESS_FAILED", json!({}));
    sim.set_weather("sendPhoto", 1, refusal);
    told(&mut sim, OWNER, "/chart alpha");
    let (name, is_photo, _) = last_file(&mut sim).expect("a file");
    assert_eq!((&*name, is_photo), ("chart.png", false));
}

#[test]
fn the_terminal_gets_block_characters() {
    let mut sim = world();
    sim.say("/chart pdus 10m");
    sim.run_for(seconds(2));
    let transcript = sim.transcript();
    for want in ["alpha ", "bravo ", "█", "max 3.31"] {
        assert!(transcript.contains(want), "{want}: {transcript}");
    }
}

#[test]
fn of_many_pdus_those_that_reach_the_highest_are_drawn() {
    let names: Vec<String> = (0..100).map(|number| format!("p{number:02}")).collect();
    let table: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 3000.0)).collect();
    let mut config = Sim::config(&table);
    power::settings_mut(&mut config).interval = seconds(60);
    power::settings_mut(&mut config).unreachable_after = seconds(300);
    let mut sim = Sim::with_config(config.clone());
    for (number, name) in (0..).zip(&names) {
        sim.device(name)
            .set_power(1000.0 + 10.0 * f64::from(number));
    }
    sim.device("p50").set_power(2900.0);
    sim.run_for(seconds(7200));
    // The highest of all until it is gone.
    power::settings_mut(&mut config).pdus.remove(50);
    sim.reload(config);
    sim.run_for(seconds(9000));
    for (line, drawn, more) in [
        ("/chart pdus", ["p92", "p96", "p99"], 91),
        ("/chart pdus 24h", ["p50", "p93", "p99"], 92),
    ] {
        let transcript = told(&mut sim, OWNER, line);
        let more = format!("and {more} more, not drawn");
        assert!(transcript.contains(&more), "{line}: {transcript}");
        for name in drawn {
            let line = format!("{name}: min");
            assert!(transcript.contains(&line), "{line}: {transcript}");
        }
        assert!(!transcript.contains("p91: min"), "{line}: {transcript}");
    }
}

#[test]
fn an_alert_is_drawn_with_its_episode_also_when_it_is_over_and_after_a_restart() {
    let mut sim = world();
    for _ in 0..2 {
        let transcript = told(&mut sim, OWNER, "/chart power.limit:alpha");
        for want in [
            "Power of alpha",
            "limit 3 kW",
            "shaded: power.limit:alpha fired",
        ] {
            assert!(transcript.contains(want), "{want}: {transcript}");
        }
        sim.run_for(seconds(120));
        sim.kill_and_restart();
        sim.run_for(seconds(30));
    }
}

#[test]
fn what_is_not_there_is_said_in_one_line() {
    let mut sim = world();
    for (line, want) in [
        ("/chart", "usage: /chart <metric>"),
        (
            "/chart foo",
            "there is no `foo`; there are power, teams, pdus, and any PDU, team or alert by its name",
        ),
        ("/chart gpu", "there is no `gpu`"),
        ("/chart b", "`b` may be bravo, beta."),
        ("/chart p", "`p` may be power, pdus."),
        (
            "/chart alpha 5m",
            "`5m`: write a period from 10m to 1y, such as 24h",
        ),
        (
            "/chart alpha 5x",
            "`5x` is not understood; after `alpha` come a period from 10m to 1y, such as 24h, and `dark` or `file`",
        ),
        ("/chart cpu", "nothing has been measured for cpu yet"),
        ("/chart ALPHA 1H", "Power of alpha"),
        ("/chart br 10m", "Power of bravo"),
        ("/chart storage.write:x", "there is no"),
    ] {
        let transcript = told(&mut sim, OWNER, line);
        assert!(transcript.contains(want), "{line}: {transcript}");
    }
}

#[test]
fn a_button_below_an_alert_draws_it_while_it_fires_and_when_it_is_over() {
    let mut sim = Sim::with_config(config());
    sim.run_for(seconds(120));
    sim.device("alpha").set_power(3310.0);
    sim.run_for(seconds(30));
    sim.clear_transcript();
    sim.press(OWNER, GROUP, "Chart");
    sim.run_for(seconds(5));
    let transcript = sim.transcript();
    assert!(
        transcript.contains("(picture) Power of alpha"),
        "{transcript}"
    );
    sim.device("alpha").set_power(1000.0);
    sim.run_for(seconds(60));
    sim.clear_transcript();
    sim.press(OWNER, GROUP, "Chart");
    sim.run_for(seconds(5));
    let transcript = sim.transcript();
    assert!(
        transcript.contains("shaded: power.limit:alpha fired"),
        "{transcript}"
    );
}

#[test]
fn the_machine_is_drawn_as_well() {
    let mut config = config();
    config.name = "rack-3".into();
    config.plugins = vec!["power", "monitor"];
    let mut sim = Sim::with_config(config);
    sim.run_for(seconds(60));
    for (line, want) in [
        ("/chart cpu", "CPU (rack-3)"),
        ("/chart mem", "swap: min"),
        ("/chart disk", "/: min"),
        ("/chart disk /", "Disk / (rack-3)"),
        ("/chart temp", "cpu_thermal"),
        ("/chart netw", "eth0 received"),
        ("/chart load", "Load (rack-3)"),
        ("/chart disk", "limit 80 %"),
        (
            "/chart disk nosuch",
            "there is no `disk nosuch`; there are disk /",
        ),
    ] {
        let transcript = told(&mut sim, OWNER, line);
        assert!(transcript.contains(want), "{line}: {transcript}");
    }
}

#[test]
fn what_is_older_than_an_hour_comes_from_the_disk() {
    let mut sim = Sim::with_config(config());
    sim.device("bravo").set_power(2000.0);
    sim.run_for(seconds(1800));
    sim.device("bravo").set_power(1000.0);
    sim.run_for(seconds(7200));
    let transcript = told(&mut sim, OWNER, "/chart bravo 24h");
    for want in [
        "(picture) Power of bravo",
        "min 1.00",
        "max 2.00",
        "last 1.00 kW",
    ] {
        assert!(transcript.contains(want), "{want}: {transcript}");
    }
    let transcript = told(&mut sim, OWNER, "/chart bravo 1h");
    assert!(transcript.contains("max 1.00"), "{transcript}");
}
