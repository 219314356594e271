//! Which alert hides which.

use super::world::{ask, assert_news, end, fire, report, settled};
use crate::seconds;
use rackwarden_core::alert::{AlertState, Severity};
use rackwarden_core::config::Config;
use rackwarden_core::plugins::power;
use rackwarden_core::plugins::power::Host;
use rackwarden_core::sim::Sim;

const UPLINK: &str = "monitor.uplink:host";
const NAMES: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
const DOWN: &str = "🟠 rack: (host): no default route";
const UP: &str = "✅ rack: (host): a default route again";
const SILENT: &str = "unreachable: no answer for 1";

fn config() -> Config {
    let pdus: Vec<(&str, f64)> = NAMES.iter().map(|name| (*name, 3000.0)).collect();
    let mut config = Sim::config(&pdus);
    Sim::team(&mut config, "Team Alpha", 9000.0, &["alpha", "bravo"]);
    config
}

fn uplink(is_up: bool) {
    let (state, words) = match is_up {
        true => (AlertState::Ok, "a default route again"),
        false => (AlertState::Firing, "no default route"),
    };
    report(UPLINK, Severity::Warning, state, words);
}

fn silence(sim: &mut Sim, names: &[&str], is_silent: bool) {
    for name in names {
        sim.device(name).set_silent(is_silent);
    }
}

#[test]
fn what_cannot_be_reached_without_the_uplink_is_not_told() {
    let mut sim = settled(config());
    uplink(false);
    silence(&mut sim, &NAMES, true);
    sim.run_for(seconds(600));
    assert_news(&sim, &[(DOWN, 1)]);
    uplink(true);
    sim.run_for(seconds(3));
    silence(&mut sim, &NAMES, false);
    sim.run_for(seconds(600));
    assert_news(&sim, &[(DOWN, 1), (UP, 1)]);
    assert!(sim.look().alerts.is_empty());
}

#[test]
fn what_stays_away_when_the_uplink_is_back_is_told_in_one_message() {
    for dies in [false, true] {
        let mut sim = settled(config());
        uplink(false);
        silence(&mut sim, &NAMES, true);
        sim.run_for(seconds(120));
        if dies {
            sim.kill_and_restart();
            sim.run_for(seconds(60));
        }
        uplink(true);
        sim.run_for(seconds(3));
        silence(&mut sim, &["alpha", "charlie"], false);
        sim.run_for(seconds(28));
        assert_news(&sim, &[(DOWN, 1), (UP, 1)]);
        sim.run_for(seconds(10));
        assert_news(&sim, &[(DOWN, 1), (UP, 1), ("🟠 rack: 2 alerts", 1)]);
        let told = sim.transcript();
        assert!(told.contains("(delta): unreachable") && told.contains("(bravo): unreachable"));
        silence(&mut sim, &["bravo", "delta"], false);
        sim.run_for(seconds(10));
        let over = "✅ rack: 2 alerts are over";
        let want = [(DOWN, 1), (UP, 1), ("🟠 rack: 2 alerts", 1), (over, 1)];
        assert_news(&sim, &want);
    }
}

#[test]
fn a_device_that_alone_is_silent_in_its_network_is_told_all_the_same() {
    let mut sim = settled(config());
    uplink(false);
    silence(&mut sim, &["bravo"], true);
    sim.run_for(seconds(30));
    assert_news(&sim, &[(DOWN, 1)]);
    sim.run_for(seconds(20));
    let told = "🟠 rack: Team Alpha (bravo): unreachable: no answer for 1";
    assert_news(&sim, &[(DOWN, 1), (told, 1)]);
    let bravo = |sim: &mut Sim| {
        let alerts = sim.look().alerts.clone();
        let bravo = alerts.iter().find(|alert| alert.name.ends_with("bravo"));
        bravo.map(|bravo| bravo.inhibited_by.clone())
    };
    assert_eq!(bravo(&mut sim), Some(None), "nothing hides it");
    sim.kill_and_restart();
    sim.run_for(seconds(90));
    assert_eq!(bravo(&mut sim), Some(None));
    silence(&mut sim, &["bravo"], false);
    sim.run_for(seconds(10));
    let over = "✅ rack: Team Alpha (bravo): answers again";
    assert_news(&sim, &[(DOWN, 1), (told, 1), (over, 1)]);
}

#[test]
fn a_device_in_another_network_is_hidden_while_those_of_this_one_answer() {
    let mut config = config();
    power::settings_mut(&mut config).pdus[3].host =
        Host::Ip("192.0.2.7:161".parse().expect("an address"));
    let mut sim = settled(config);
    uplink(false);
    silence(&mut sim, &["delta"], true);
    sim.run_for(seconds(600));
    assert_news(&sim, &[(DOWN, 1)]);
    uplink(true);
    sim.run_for(seconds(60));
    assert_news(&sim, &[(DOWN, 1), (UP, 1), (SILENT, 1)]);
}

#[test]
fn what_people_know_ends_for_them_also_while_something_would_hide_it() {
    let mut sim = settled(config());
    silence(&mut sim, &["delta"], true);
    sim.run_for(seconds(60));
    uplink(false);
    sim.run_for(seconds(6 * 3600));
    assert_news(
        &sim,
        &[(SILENT, 1), (DOWN, 1), ("🔁 rack: still firing", 1)],
    );
    silence(&mut sim, &["delta"], false);
    sim.run_for(seconds(10));
    let over = "✅ rack: (delta): answers again";
    assert_news(
        &sim,
        &[
            (SILENT, 1),
            (DOWN, 1),
            ("🔁 rack: still firing", 1),
            (over, 1),
        ],
    );
}

#[test]
fn a_pdu_that_is_silent_hides_its_outlets() {
    let mut sim = settled(config());
    silence(&mut sim, &["alpha"], true);
    sim.run_for(seconds(15));
    for outlet in 1..=40 {
        fire(&format!("power.outlet:alpha/{outlet}"));
    }
    fire("power.outlet:bravo/1");
    sim.run_for(seconds(60));
    let other = "🟠 rack: (bravo/1): fires";
    // It joins the message about the PDU, and rings when the half minute is over.
    assert_news(&sim, &[(SILENT, 1), (other, 1)]);
    let why = "inhibited by power.unreachable:alpha: Team Alpha (alpha): unreachable";
    ask(&mut sim, "/why power.outlet:alpha/7", why);
    end("power.outlet:alpha/1");
    silence(&mut sim, &["alpha"], false);
    sim.run_for(seconds(60));
    assert_news(
        &sim,
        &[
            ("✅ rack: Team Alpha (alpha): answers again", 1),
            ("🟠 rack: 39 alerts", 1),
        ],
    );
}

#[test]
fn what_is_hidden_and_what_is_unknown_says_because_of_what() {
    let mut sim = settled(config());
    silence(&mut sim, &["alpha", "charlie"], true);
    sim.run_for(seconds(15));
    let unknown = "Team Alpha (team): at least 1000 W, a member is missing";
    ask(&mut sim, "/alerts", unknown);
    ask(
        &mut sim,
        "/why power.limit:Team",
        "inhibited by power.unreachable:alpha: Team Alpha (alpha): unreachable: no answer for 1",
    );
    ask(
        &mut sim,
        "/why power.limit:charlie",
        "inhibited by power.unreachable:charlie",
    );
    uplink(false);
    silence(&mut sim, &NAMES, true);
    sim.run_for(seconds(15));
    ask(
        &mut sim,
        "/why power.unreachable:delta",
        "inhibited by monitor.uplink:host: (host): no default route",
    );
    ask(
        &mut sim,
        "/why power.limit:Team",
        "inhibited by monitor.uplink:host: (host): no default route",
    );
    let snapshot = sim.look();
    let by: Vec<_> = snapshot
        .alerts
        .iter()
        .filter(|alert| &*alert.name != UPLINK)
        .map(|alert| alert.inhibited_by.as_deref())
        .collect();
    assert!(
        by.len() >= 9 && by.iter().all(|by| *by == Some(UPLINK)),
        "{by:?}"
    );
}
