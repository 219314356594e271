use super::*;
use crate::simulated::Agent;
use rackwarden_base::rng::Rng;
use rackwarden_base::time::{Now, Wall};
use rackwarden_snmp::engine::Engine;
use std::collections::BTreeMap;

/// A network in virtual time; datagrams take 2 ms to a device and back.
struct World {
    devices: BTreeMap<SocketAddr, Agent>,
    /// When each datagram left.
    sent: Vec<Mono>,
    now: Mono,
}

impl World {
    fn new(devices: impl IntoIterator<Item = (&'static str, Agent)>) -> World {
        let devices = devices.into_iter();
        World {
            devices: devices
                .map(|(addr, agent)| (addr.parse().expect("an address"), agent))
                .collect(),
            sent: Vec::new(),
            now: Mono::ZERO + Duration::from_secs(100),
        }
    }

    fn search(&mut self, network: &str, communities: &[&str], rate: u32) -> Report {
        let network = Network::parse(network).expect("a network");
        let communities = communities.iter().map(|name| Credentials::community(name));
        let mut discovery = Discovery::new(Settings {
            network,
            port: 161,
            credentials: communities.collect(),
            rate,
            timeout: Duration::from_secs(1),
        });
        let mut engine = Engine::new(Rng::new(1));
        let mut answers: VecDeque<(Mono, SocketAddr, Vec<u8>)> = VecDeque::new();
        let mut datagram = Vec::new();
        for _ in 0..2_000_000 {
            while let Some(request) = discovery.poll(self.now) {
                engine.submit(self.now, [request]);
            }
            while let Some(transmit) = engine.poll_transmit(self.now, &mut datagram) {
                self.sent.push(self.now);
                let now = Now {
                    mono: self.now,
                    wall: Wall(0),
                };
                let device = self.devices.get_mut(&transmit.to);
                if let Some(answer) = device.and_then(|device| device.handle(now, &datagram)) {
                    answers.push_back((self.now + Duration::from_millis(2), transmit.to, answer));
                }
            }
            for reply in engine.take_replies() {
                discovery.handle(reply);
            }
            if discovery.is_done() {
                return discovery.finish();
            }
            let arrival = answers.front().map(|(at, ..)| *at);
            let next = [arrival, engine.poll_timeout(), discovery.poll_timeout()];
            let next = next.into_iter().flatten().min();
            self.now = self.now.max(next.expect("something is to come"));
            while answers.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, from, answer) = answers.pop_front().expect("looked at");
                engine.handle_datagram(self.now, from, &answer);
            }
            engine.handle_timeout(self.now);
        }
        panic!("the search does not end");
    }
}

fn pdu(name: &str) -> Agent {
    let mut agent = Agent::apc_rpdu2(1);
    agent.set_name(name);
    agent
}

fn names(report: &Report) -> Vec<String> {
    let one = |found: &Found| {
        let version = match &found.credentials {
            Credentials::Community(version, community) => {
                format!("{version:?} {}", community.expose())
            }
            Credentials::Usm(_) => "V3".into(),
        };
        format!("{} {} {version}", found.addr.ip(), found.name)
    };
    report.pdus.iter().map(one).collect()
}

#[test]
fn a_network_is_read_and_its_limits_are_told() {
    for (text, want) in [
        ("192.168.1.0/24", Ok(("192.168.1.1", 254))),
        ("192.168.1.77/24", Ok(("192.168.1.1", 254))),
        ("10.0.0.4/30", Ok(("10.0.0.5", 2))),
        ("10.0.0.4/31", Ok(("10.0.0.4", 2))),
        ("10.0.0.4", Ok(("10.0.0.4", 1))),
        ("10.7.0.0/16", Ok(("10.7.0.1", 65_534))),
        ("fd00::/112", Ok(("fd00::", 65_536))),
        ("fd00::1", Ok(("fd00::1", 1))),
        ("10.0.0.0/15", Err("the largest is /16")),
        ("0.0.0.0/0", Err("the largest is /16")),
        ("fd00::/64", Err("the largest is /112")),
        ("10.0.0.0/33", Err("write one such as 192.168.1.0/24")),
        ("10.0.0.0/-1", Err("write one such as 192.168.1.0/24")),
        ("rack", Err("write one such as 192.168.1.0/24")),
        ("", Err("write one such as 192.168.1.0/24")),
    ] {
        match (Network::parse(text), want) {
            (Ok(network), Ok((first, count))) => {
                assert_eq!(network.nth(0).to_string(), first, "{text}");
                assert_eq!(network.count(), count, "{text}");
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
            (got, _) => panic!("{text}: {got:?}"),
        }
    }
}

#[test]
fn pdus_are_found_with_what_they_answer_to() {
    let mut secret = pdu("secret");
    secret.set_communities("hidden", "private");
    let mut old = pdu("old");
    old.speak_only_v1();
    let other = b"1.3.6.1.2.1.1.1.0|4|Linux box\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n1.3.6.1.2.1.1.3.0|67|100\n";
    let mut world = World::new([
        ("10.0.0.9:161", pdu("b")),
        ("10.0.0.2:161", pdu("a")),
        ("10.0.0.20:161", secret),
        ("10.0.0.30:161", old),
        (
            "10.0.0.40:161",
            Agent::from_recording(other).expect("a recording"),
        ),
    ]);
    let report = world.search("10.0.0.0/24", &["public", "hidden"], 1000);
    assert_eq!(
        names(&report),
        [
            "10.0.0.2 a V2c public",
            "10.0.0.9 b V2c public",
            "10.0.0.20 secret V2c hidden",
            "10.0.0.30 old V1 public",
        ]
    );
    assert_eq!(report.others, 1);
    assert!(report.lost.is_empty() && report.mute.is_empty());
    let profile = report.pdus[0].identified.profile.as_ref();
    assert_eq!(profile.map(|head| &*head.name), Some("apc-rpdu2"));
}

#[test]
fn the_rate_holds_and_nobody_is_knocked_at_more_than_twice_for_each_community() {
    let mut world = World::new([("10.0.0.9:161", pdu("a"))]);
    world.search("10.0.0.0/24", &["public"], 100);
    let knocks = world.sent.len();
    assert!((254 * 2 - 1..254 * 2 + 30).contains(&knocks), "{knocks}");
    let second = Duration::from_secs(1);
    for (at, begin) in world.sent.iter().enumerate() {
        let within = world.sent[at..]
            .iter()
            .take_while(|sent| sent.since(*begin) < second)
            .count();
        assert!(within <= 104, "{within} in a second");
    }
    let first = world.sent[0];
    let last = world.sent[knocks - 1];
    assert!(last.since(first) > Duration::from_secs(5));
}

#[test]
fn a_lost_knock_does_not_make_a_device_speak_version_1() {
    // It answers version 1 first, because the first knock was lost: it is asked in 2c again.
    let mut world = World::new([("10.0.0.9:161", pdu("a"))]);
    let network = Network::parse("10.0.0.9").expect("an address");
    let mut discovery = Discovery::new(Settings {
        network,
        port: 161,
        credentials: vec![Credentials::community("public")],
        rate: 100,
        timeout: Duration::from_secs(1),
    });
    let lost = discovery.poll(world.now).expect("a knock");
    discovery.handle(SnmpReply {
        ticket: lost.ticket,
        result: Err(rackwarden_base::fault::Fault::new(
            FaultKind::Timeout,
            "no answer",
        )),
        sent: world.now,
        received: world.now,
        tries: 1,
        round_trip: None,
    });
    world.now += Duration::from_secs(2);
    let second = discovery.poll(world.now).expect("another one");
    assert_eq!(second.target.credentials.version(), Version::V1);
    let values = SnmpAnswer::Values([rackwarden_snmp::Value::Null].into());
    discovery.handle(SnmpReply {
        ticket: second.ticket,
        result: Ok(values),
        sent: world.now,
        received: world.now,
        tries: 1,
        round_trip: None,
    });
    world.now += Duration::from_secs(2);
    let third = discovery.poll(world.now).expect("the doubt");
    assert_eq!(third.target.credentials.version(), Version::V2c);
}

#[test]
fn many_are_asked_side_by_side() {
    let devices: Vec<(&'static str, Agent)> = (1..=200)
        .map(|at| {
            let addr: &'static str = Box::leak(format!("10.0.0.{at}:161").into_boxed_str());
            (addr, pdu(&format!("pdu-{at}")))
        })
        .collect();
    let mut world = World::new(devices);
    let begin = world.now;
    let report = world.search("10.0.0.0/24", &["public"], 2000);
    assert_eq!(report.pdus.len(), 200);
    let took = world.now.since(begin);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
