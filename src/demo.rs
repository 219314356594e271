//! `rackwarden demo`: the whole product with nothing configured and nothing but loopback.

use crate::agent::{Agent, Parts, Services};
use crate::args::DemoOptions;
use crate::failure::{Failure, Outcome, print};
use crate::signals;
use crate::terminal::Terminal;
use log::LevelFilter;
use rackwarden_core::config::{Config, HttpConfig, Listen};
use rackwarden_core::core::Past;
use rackwarden_core::event::Event;
use rackwarden_core::http::auth::Auth;
use rackwarden_core::pdu::simulated::Agent as Device;
use rackwarden_core::plugins::monitor;
use rackwarden_core::plugins::power;
use rackwarden_core::plugins::power::{Host, Limit, Limits, PduConfig, TeamConfig};
use rackwarden_core::snmp::Credentials;
use rackwarden_core::state::Records;
use rackwarden_core::time::Zone;
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::reason;
use rackwarden_io::http_server::HttpServer;
use rackwarden_io::inbox::Inbox;
use rackwarden_io::stream::Listener;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Limit of each simulated PDU.
const LIMIT_W: f64 = 3000.0;
/// When the excess begins and ends, after the start.
const EXCESS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(24));

/// For so long the meters of the PDUs have counted.
const HOURS_BEFORE: f64 = 2000.0;

/// Name, team, usual power, swing.
const PDUS: [(&str, usize, f64, f64); 4] = [
    ("alpha", 0, 2310.0, 90.0),
    ("bravo", 0, 1480.0, 60.0),
    ("charlie", 1, 2640.0, 70.0),
    ("delta", 1, 940.0, 40.0),
];
/// Outlets of each, with their share of its power.
const OUTLETS: [(&str, f64); 8] = [
    ("web-1", 0.16),
    ("web-2", 0.15),
    ("db", 0.24),
    ("nas", 0.06),
    ("switch", 0.03),
    ("build", 0.31),
    ("backup", 0.05),
    ("", 0.0),
];
const TEAMS: [&str; 2] = ["Team Alpha", "Team Bravo"];

/// Runs the demo until `/quit`, Ctrl-C or the end of input.
///
/// # Errors
/// Says which socket could not be had.
pub(crate) fn run(options: &DemoOptions) -> Outcome {
    // Beyond loopback a token is needed, and here is nobody to set one.
    if !options.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "--listen {}: the demo stays on this machine; write 127.0.0.1:PORT",
            options.listen
        )));
    }
    start(options).map_err(Failure::operation)
}

fn start(options: &DemoOptions) -> Result<(), String> {
    let clock = Clock::start();
    log::set_max_level(LevelFilter::Warn);
    let addresses = start_devices(clock)?;
    let (listener, wished) = bind(options.listen)?;
    let address = listener
        .local_addr()
        .ok_or("cannot read the address of the status page")?;
    let config = Arc::new(config(&addresses, address));
    print(&greeting(address, wished)).map_err(|failure| failure.message)?;

    let inbox = Inbox::new();
    let terminal = Terminal::new();
    let parts = Parts {
        config,
        clock,
        inbox: inbox.clone(),
        records: Records::default(),
        store: None,
        http: None,
        terminal: Some(terminal.clone()),
        supervisor: None,
        past: Past::default(),
    };
    let agent = Agent::start(parts, |published, waker| {
        let (server, _) = HttpServer::new(
            vec![listener],
            Auth::new(None, &[]),
            Arc::clone(published),
            clock,
            waker,
        );
        Ok(Services {
            list: vec![Box::new(server)],
            local: None,
        })
    })?;
    let stop = inbox.clone();
    signals::spawn(move || stop.send(Event::Stop), || {})
        .map_err(|err| format!("cannot watch for signals: {}", reason(&err)))?;
    terminal
        .start(inbox)
        .map_err(|err| format!("cannot read standard input: {err}"))?;
    agent.run();
    Ok(())
}

fn greeting(address: SocketAddr, wished: SocketAddr) -> String {
    let taken = if wished.port() != 0 && address != wished {
        format!("{wished} is taken; the page has another port this time.\n")
    } else {
        String::new()
    };
    format!(
        "rackwarden demo: four simulated PDUs in two teams, polled over real SNMP on 127.0.0.1 every 2 s.
{taken}  page    http://{address}/
  type    /current   /peaks   /alerts   /exceedings   /outlets charlie   /reset charlie   /help   /quit
  watch   charlie crosses its 3 kW limit after about {} seconds, and recovers

",
        EXCESS.0.as_secs()
    )
}

fn start_devices(clock: Clock) -> Result<Vec<SocketAddr>, String> {
    let devices = PDUS
        .iter()
        .map(|&(name, _, base_w, swing_w)| device(name, base_w, swing_w))
        .collect();
    rackwarden_io::simulator::spawn(clock, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), devices)
        .map_err(|err| format!("cannot start the simulated PDUs: {err}"))
}

fn device(name: &str, base_w: f64, swing_w: f64) -> Device {
    let mut device = Device::apc_rpdu2(1);
    device.set_name(name);
    device.set_zone(Zone::system());
    device.set_outlets(&OUTLETS.map(|(name, share)| (name, base_w * share)));
    device.set_wave(base_w, swing_w, Duration::from_secs(60));
    device.set_energy(base_w / 1000.0 * HOURS_BEFORE);
    if name == "charlie" {
        device.add_step(EXCESS.0, EXCESS.1, 540.0);
    }
    device
}

fn bind(wished: SocketAddr) -> Result<(Listener, SocketAddr), String> {
    let listener =
        Listener::tcp(wished).or_else(|_| Listener::tcp(SocketAddr::new(wished.ip(), 0)));
    listener.map(|listener| (listener, wished)).map_err(|err| {
        format!(
            "the status page: {wished} cannot be opened: {}; choose another address with --listen",
            reason(&err)
        )
    })
}

fn config(addresses: &[SocketAddr], listen: SocketAddr) -> Config {
    let hard = |on_w: f64| Limits {
        soft: None,
        hard: Some(Limit {
            on_w,
            off_w: on_w * 0.97,
        }),
    };
    let mut config = Config::empty();
    config.name = "demo".into();
    config.plugins = vec!["power", "monitor"];
    // The story is told by the PDUs; the machine may be as busy as it likes.
    for thresholds in &mut monitor::settings_mut(&mut config).thresholds {
        thresholds.general = None;
    }
    config.http = HttpConfig {
        listen: Listen::Tcp(listen),
        token: None,
    };
    config.notify.to = vec![rackwarden_core::chat::sessions::terminal().place()];
    config.notify.timezone = Zone::system();
    power::settings_mut(&mut config).site = Limits {
        soft: Some(Limit {
            on_w: 8500.0,
            off_w: 8245.0,
        }),
        hard: Some(Limit {
            on_w: 10_000.0,
            off_w: 9700.0,
        }),
    };
    power::settings_mut(&mut config).pdus = PDUS
        .iter()
        .zip(addresses)
        .map(|(&(name, team, ..), &addr)| pdu(name, team, addr, hard(LIMIT_W)))
        .collect();
    power::settings_mut(&mut config).teams = TEAMS
        .iter()
        .enumerate()
        .map(|(index, &name)| TeamConfig {
            name: name.into(),
            limits: hard(2.0 * LIMIT_W),
            members: (0..PDUS.len() as u32)
                .filter(|&pdu| PDUS[pdu as usize].1 == index)
                .collect(),
        })
        .collect();
    config
}

fn pdu(name: &str, team: usize, addr: SocketAddr, limits: Limits) -> PduConfig {
    PduConfig {
        name: name.into(),
        host: Host::Ip(addr),
        credentials: Credentials::community("public"),
        write: Some(Credentials::community("private")),
        profile: None,
        limits,
        device_limit: false,
        team: Some(team as u32),
        unit: None,
        any_source: false,
    }
}
