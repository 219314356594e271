//! `doctor`: asks each peer that the configuration names, many at a time, and says how it is. It changes nothing, sends
//! nothing to anybody, and leaves an agent that runs alone.

use crate::failure::{Failure, Outcome, print};
use crate::{load, local};
use rackwarden_core::chat::{Person, Place, telegram};
use rackwarden_core::config::{Config, Listen};
use rackwarden_core::doctor::{self, Finding, Grade};
use rackwarden_core::effect::{HttpRequest, Ticket};
use rackwarden_core::event::{Event, HttpResponse, Reply};
use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_core::host::Look;
use rackwarden_core::pdu::identify::Options;
use rackwarden_core::pdu::{Identified, Profiles};
use rackwarden_core::plugins::monitor;
use rackwarden_core::plugins::power;
use rackwarden_core::plugins::power::{Host, PduConfig};
use rackwarden_core::snmp::{Credentials, Oid, SnmpAsk, SnmpTarget};
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::reason;
use rackwarden_io::host::HostHandle;
use rackwarden_io::http_client::HttpHandle;
use rackwarden_io::inbox::Inbox;
use rackwarden_io::session::Session;
use rackwarden_io::{http_server, mail};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Of the whole. What has not answered then does not answer.
const PATIENCE: Duration = Duration::from_secs(9);
/// Of one HTTP call, one connection, one mail server.
const CALL: Duration = Duration::from_secs(7);
/// Of one SNMP request, which is sent twice.
const REQUEST: Duration = Duration::from_secs(1);
/// Peers that are asked at the same time.
const AT_ONCE: usize = 24;

/// `StateDirectory=` of the unit.
const SERVICE_STATE: &str = "/var/lib/rackwarden";

/// sysUpTime.0 (RFC 3418)
const SYS_UPTIME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 3, 0];

type Check = Box<dyn FnOnce() -> Vec<Finding> + Send>;

/// Runs it.
pub(crate) fn run(config: Option<&Path>) -> Outcome {
    log::set_max_level(log::LevelFilter::Off);
    let (config_read, path) = load::config(config)?;
    let is_running = local::is_running(config);
    let mut findings = vec![Finding::ok(path.display().to_string(), "no mistake in it")];
    for warning in &config_read.warnings {
        let fix = "see the sample configuration";
        findings.push(Finding::warn(path.display().to_string(), warning, fix));
    }
    findings.push(match is_running {
        true => Finding::ok("agent", "runs"),
        false => Finding::warn("agent", "does not run", "start it, or look into its log"),
    });
    findings.extend(ask_all(checks(&Arc::new(config_read), is_running)));
    let failed = findings.iter().filter(|found| found.grade == Grade::Fail);
    let failed = failed.count();
    let lines: Vec<String> = findings.iter().map(|found| format!("{found}\n")).collect();
    print(&lines.concat())?;
    match failed {
        0 => Ok(()),
        failed => Err(Failure::operation(format!(
            "doctor: {failed} of {} fail; each line says what to do",
            findings.len()
        ))),
    }
}

/// Everything that has to be waited for, with its name.
fn checks(config: &Arc<Config>, is_running: bool) -> Vec<(String, Check)> {
    let mut checks: Vec<(String, Check)> = Vec::new();
    let mut add = |what: String, check: Check| checks.push((what, check));
    if let Some(mut dir) = config.state_dir.clone() {
        // Started by hand, nothing names the directory that systemd gives the service.
        if !dir.exists() && Path::new(SERVICE_STATE).exists() {
            dir = SERVICE_STATE.into();
        }
        let what = dir.display().to_string();
        add(what, Box::new(move || vec![state_dir(&dir)]));
    }
    if config.plugins.contains(&"monitor") {
        let shared = Arc::clone(config);
        add("host".to_owned(), Box::new(move || look_at_host(&shared)));
    }
    if !is_running {
        let listen = config.http.listen.clone();
        add(
            "status page".to_owned(),
            Box::new(move || vec![status_page(&listen)]),
        );
    }
    match &config.telegram {
        None => {
            let now = Clock::start().now().wall;
            add(
                "clock".to_owned(),
                Box::new(move || vec![doctor::clock(now, None)]),
            );
        }
        Some(settings) => {
            let own = settings.clone();
            let ask = move || {
                let answer = call(doctor::who_is_the_bot(&own));
                let date = answer
                    .as_ref()
                    .ok()
                    .and_then(|answer| answer.date_unix_seconds());
                let now = Clock::start().now().wall;
                vec![doctor::token(&answer), doctor::clock(now, date)]
            };
            add("Telegram".to_owned(), Box::new(ask));
            for to in audience(config) {
                let Some((chat, _)) = telegram::chat_of(&to) else {
                    continue;
                };
                let own = settings.clone();
                let what = to.to_string();
                let ask = move || {
                    let answer = call(doctor::what_is_the_chat(&own, chat));
                    vec![doctor::chat(&to, &answer)]
                };
                add(what, Box::new(ask));
            }
        }
    }
    if let Some(server) = config.mail.clone() {
        let what = format!("mail server {}", server.host);
        let ask = move |what: String| match mail::try_login(&server, CALL) {
            Ok(()) => Finding::ok(what, "takes mail from us"),
            Err(fault) => Finding::fail(
                what,
                fault.detail,
                "check host, port, security, user and password in [mail]",
            ),
        };
        add(what.clone(), Box::new(move || vec![ask(what)]));
    }
    if let Some(heartbeat) = &config.heartbeat {
        let place = doctor::host_of(heartbeat.url.expose());
        add(
            "heartbeat".to_owned(),
            Box::new(move || vec![self::heartbeat(place)]),
        );
    }
    for (index, pdu) in power::settings(config).pdus.iter().enumerate() {
        let shared = Arc::clone(config);
        let ask = move || {
            vec![ask_pdu(
                power::settings(&shared).profiles.clone(),
                &power::settings(&shared).pdus[index],
            )]
        };
        add(pdu.name.to_string(), Box::new(ask));
    }
    checks
}

/// Runs the checks side by side, and gives what they found in their own order.
fn ask_all(checks: Vec<(String, Check)>) -> Vec<Finding> {
    let until = Instant::now() + PATIENCE;
    let (names, checks): (Vec<String>, VecDeque<_>) = checks
        .into_iter()
        .enumerate()
        .map(|(index, (name, check))| (name, (index, check)))
        .unzip();
    let checks = Arc::new(Mutex::new(checks));
    let (sender, receiver) = channel();
    for _ in 0..names.len().min(AT_ONCE) {
        let (checks, sender) = (Arc::clone(&checks), sender.clone());
        let work = move || loop {
            let next = checks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some((index, check)) = next else { return };
            if sender.send((index, check())).is_err() {
                return;
            }
        };
        let _ = thread::Builder::new().stack_size(512 << 10).spawn(work);
    }
    drop(sender);
    let mut found: Vec<Option<Vec<Finding>>> = names.iter().map(|_| None).collect();
    while let Ok((index, findings)) =
        receiver.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        found[index] = Some(findings);
    }
    let late = |name| {
        vec![Finding::fail(
            name,
            "no answer in time",
            "check the network, and try again",
        )]
    };
    let both = found.into_iter().zip(names);
    both.flat_map(|(found, name)| found.unwrap_or_else(|| late(name)))
        .collect()
}

fn look_at_host(config: &Config) -> Vec<Finding> {
    let inbox = Inbox::new();
    let host = HostHandle::new(Clock::start(), inbox.clone());
    host.look(Ticket(0), Look::Sample);
    let looked = match inbox.receive(Some(CALL)) {
        Some(Event::Done {
            reply: Reply::Host(result),
            ..
        }) => result,
        _ => Err(Fault::new(
            FaultKind::Timeout,
            "cannot be looked at in time",
        )),
    };
    doctor::host(config, &looked)
}

/// Every chat that is told of alerts, and every owner, once.
fn audience(config: &Config) -> Vec<Place> {
    let mut all: Vec<Place> = config.notify.to.clone();
    all.extend(
        config
            .notify
            .routes
            .iter()
            .flat_map(|route| route.to.iter().cloned()),
    );
    let of_monitor = monitor::settings(config).notify.iter();
    all.extend(of_monitor.flat_map(|notify| notify.to.iter().cloned()));
    all.extend(config.access.owners.iter().filter_map(Person::mailbox));
    let mut seen = Vec::new();
    all.retain(|to| {
        let Some((chat, _)) = telegram::chat_of(to) else {
            return false;
        };
        let is_new = !seen.contains(&chat);
        seen.push(chat);
        is_new
    });
    all
}

/// One call on a thread of its own.
fn call(request: HttpRequest) -> Result<HttpResponse, Fault> {
    let inbox = Inbox::new();
    let client = HttpHandle::new(inbox.clone());
    client.send(HttpRequest {
        timeout: CALL,
        ..request
    });
    match inbox.receive(Some(PATIENCE)) {
        Some(Event::Done {
            reply: Reply::Http(result),
            ..
        }) => result,
        _ => Err(Fault::new(FaultKind::Timeout, "no answer in time")),
    }
}

fn ask_pdu(profiles: Profiles, pdu: &PduConfig) -> Finding {
    match try_pdu(profiles, pdu) {
        Ok((identified, writes)) => doctor::pdu(pdu, Ok(&identified), writes),
        Err(fault) => doctor::pdu(pdu, Err(&fault), None),
    }
}

/// What the device is, and whether it answers to who may write too: who may write may read.
fn try_pdu(
    profiles: Profiles,
    pdu: &PduConfig,
) -> Result<(Identified, Option<Result<(), String>>), Fault> {
    let unreachable = |detail: String| Fault::new(FaultKind::Unreachable, detail);
    let addr = match &pdu.host {
        Host::Ip(addr) => *addr,
        Host::Name(name, port) => look_up(name, *port).map_err(unreachable)?,
    };
    let open = |credentials: &Credentials| {
        let target = SnmpTarget {
            addr,
            credentials: credentials.clone(),
            any_source: pdu.any_source,
        };
        Session::open(target, REQUEST, 1).map_err(|err| unreachable(reason(&err)))
    };
    let options = Options {
        profiles,
        profile: pdu.profile.clone(),
        unit: pdu.unit,
        version: pdu.credentials.version(),
    };
    let mut identified = open(&pdu.credentials)?.identify(options)?;
    identified.reading = identified.reading.attached();
    let writes = match &pdu.write {
        Some(credentials) => {
            let uptime: Arc<[Oid]> = Arc::new([Oid::from_arcs(&SYS_UPTIME)]);
            let asked = open(credentials)?.ask(SnmpAsk::Get(uptime));
            Some(asked.map(|_| ()).map_err(|fault| fault.detail))
        }
        None => None,
    };
    Ok((identified, writes))
}

fn look_up(name: &str, port: u16) -> Result<SocketAddr, String> {
    let found = (name, port).to_socket_addrs();
    let mut found = found.map_err(|err| format!("{name} cannot be looked up: {}", reason(&err)))?;
    found.next().ok_or_else(|| format!("{name} has no address"))
}

/// Somebody has to be there; a ping would count as a sign of life.
fn heartbeat(place: Option<(String, u16)>) -> Finding {
    let fix = "check the URL in [heartbeat] and the network";
    let reached = match place {
        None => Err("its URL names no host".to_owned()),
        Some((host, port)) => look_up(&host, port).and_then(|addr| {
            let stream = TcpStream::connect_timeout(&addr, CALL);
            stream.map(|_| host).map_err(|err| reason(&err))
        }),
    };
    match reached {
        Ok(host) => Finding::ok("heartbeat", format!("{host} can be reached (not pinged)")),
        Err(why) => Finding::fail("heartbeat", why, fix),
    }
}

fn status_page(listen: &Listen) -> Finding {
    match http_server::bind(listen) {
        Ok(_) if *listen == Listen::Off => Finding::ok("status page", "off"),
        Ok(_) => Finding::ok("status page", "its address is free"),
        Err(err) => Finding::fail(
            "status page",
            err.to_string(),
            "end what holds the address, or choose another in [http] listen",
        ),
    }
}

fn state_dir(path: &Path) -> Finding {
    let what = path.display().to_string();
    let fix = "run doctor as root or as the agent's user; the directory has to be the agent's own";
    let probe = path.join("doctor.probe");
    match std::fs::write(&probe, "") {
        Ok(()) => {}
        Err(err) if err.kind() == ErrorKind::NotFound => {
            return Finding::warn(what, "not there yet", "the first start makes it");
        }
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            return Finding::warn(what, "this user may not look at it", fix);
        }
        // The file system says the rest.
        Err(_) => {}
    }
    let _ = std::fs::remove_file(&probe);
    match rustix::fs::statvfs(path) {
        Ok(found) => {
            let is_read_only = found.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
            doctor::space(&what, found.f_bavail * found.f_frsize, is_read_only)
        }
        Err(err) => Finding::fail(what, reason(&err.into()), fix),
    }
}
