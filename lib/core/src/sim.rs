//! A simulated world around a real `Core`: virtual clock, PDUs that answer real SNMP datagrams, a chat service,
//! a store in memory, and a transcript of everything that people would see. No socket, no thread, no waiting.
//!
//! # Examples
//! ```
//! use rackwarden_core::sim::Sim;
//! use std::time::Duration;
//!
//! let mut sim = Sim::new(&[("alpha", 3000.0)]);
//! sim.say("/version");
//! sim.run_for(Duration::from_secs(1));
//! assert!(sim.transcript().contains("rackwarden"));
//! ```

mod device;
mod disk;
mod life;
pub mod machine;
pub mod mail;
mod outside;
pub mod telegram;

use crate::chat::{self, Asked, SessionId};
use crate::config::{Config, Host, TeamConfig};
use crate::core::{Core, Past, Start};
use crate::effect::{Effect, Effects, HttpRequest, LogFile, Ticket, earlier};
use crate::event::{Event, HttpResponse, Reply};
use crate::fault::{Fault, FaultKind};
use crate::history::{Archive, MemoryStorage as HistoryStorage};
use crate::journal::{Broken, MemoryStorage};
use crate::pdu::simulated::Agent;
use crate::plugins::Make;
use crate::rng::Rng;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::snmp::engine::Engine;
use crate::state::Records;
use crate::time::{Mono, Now, Wall};
pub use device::Device;
use device::{hard, pdu_config};
use disk::Disk;
pub use mail::MailWeather;
pub use outside::{RunScript, StreamScript};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
pub use telegram::Weather;
use telegram::{Service, Sight};

/// A moment in the past that every scenario begins at: 2026-11-20 20:00:00 UTC.
const BEGIN: Wall = Wall(1_795_204_800_000);

type Action = Box<dyn FnOnce(&mut Sim)>;

enum Delivery {
    /// A datagram arrives at a device.
    Ask(SocketAddr, Vec<u8>),
    /// A datagram arrives at the agent.
    Answer(SocketAddr, Vec<u8>),
    /// Something reaches the core.
    Event(Event),
    /// A scripted change of the world.
    Action(Action),
}

/// The simulated world.
pub struct Sim {
    core: Core,
    plugins: Vec<Make>,
    config: Arc<Config>,
    now: Now,
    engine: Engine,
    devices: BTreeMap<SocketAddr, Device>,
    addresses: BTreeMap<String, SocketAddr>,
    queue: BTreeMap<(Mono, u64), Delivery>,
    queued: u64,
    service: Service,
    post_office: mail::PostOffice,
    machine: machine::Machine,
    outside: outside::Outside,
    heartbeats: u64,
    heartbeat_status: u16,
    answers_snmp: bool,
    disk: Disk,
    archive: Archive<HistoryStorage>,
    /// The server's clock is right; the agent's is ahead by so many milliseconds.
    skew_ms: i64,
    is_dead: bool,
    restarts: u32,
    service_dates: bool,
    logs: BTreeMap<LogFile, Vec<String>>,
    transcript: Vec<String>,
    snapshot: Option<Arc<Snapshot>>,
    steps: u64,
    around_steps: Option<Box<dyn FnMut(bool)>>,
}

impl Sim {
    /// A world with these PDUs (name and limit in watts), an owner at the terminal, and a group chat that is told of alerts.
    pub fn new(pdus: &[(&str, f64)]) -> Sim {
        Sim::with_config(Sim::config(pdus))
    }

    /// The configuration that `new` uses, to be changed before `with_config`.
    pub fn config(pdus: &[(&str, f64)]) -> Config {
        let mut config = Config::empty();
        config.name = "rack".into();
        config.pdus = pdus
            .iter()
            .enumerate()
            .map(|(index, (name, limit_w))| pdu_config(index, name, *limit_w))
            .collect();
        config.telegram = Some(crate::config::TelegramConfig {
            token: Secret::new("1:simulated".to_owned()),
            api_url: "http://telegram.sim".to_owned(),
            proxy: None,
            ca_file: None,
        });
        config.access.owners = vec![chat::telegram::user(1)];
        config.notify.to = vec![chat::telegram::place(-100, None)];
        config
    }

    /// Puts PDUs of a configuration made by `config` into a team.
    pub fn team(config: &mut Config, name: &str, limit_w: f64, members: &[&str]) {
        let team = config.teams.len() as u32;
        let mut indices = Vec::new();
        for (index, pdu) in config.pdus.iter_mut().enumerate() {
            if members.contains(&&*pdu.name) {
                pdu.team = Some(team);
                indices.push(index as u32);
            }
        }
        config.teams.push(TeamConfig {
            name: name.into(),
            limits: hard(limit_w),
            members: indices,
        });
    }

    /// A world around this configuration; every PDU is a simulated single-phase APC unit that draws 1 kW.
    pub fn with_config(config: Config) -> Sim {
        Sim::with_plugins(config, &[])
    }

    /// Such a world after its first 20 s, with an empty transcript.
    pub fn settled(config: Config) -> Sim {
        let mut sim = Sim::with_config(config);
        sim.run_for(Duration::from_secs(20));
        sim.clear_transcript();
        sim
    }

    /// The same as `with_config` with plugins of your own.
    pub fn with_plugins(config: Config, plugins: &[Make]) -> Sim {
        let config = Arc::new(config);
        let mut devices = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for pdu in &config.pdus {
            let Host::Ip(addr) = pdu.host else { continue };
            let mut agent = Agent::apc_rpdu2(1);
            agent.set_power(1000.0);
            devices.insert(
                addr,
                Device {
                    agent,
                    delay: Duration::from_millis(5),
                    is_silent: false,
                    questions: 0,
                },
            );
            addresses.insert(pdu.name.to_string(), addr);
        }
        let now = Now {
            mono: Mono::ZERO,
            wall: BEGIN,
        };
        let mut effects = Effects::new();
        let core = Core::with_plugins(
            start(&config, Records::default(), now, 0),
            plugins,
            &mut effects,
        );
        let mut sim = Sim {
            core,
            plugins: plugins.to_vec(),
            config,
            now,
            engine: Engine::new(Rng::new(1)),
            devices,
            addresses,
            queue: BTreeMap::new(),
            queued: 0,
            service: Service::default(),
            post_office: mail::PostOffice::default(),
            machine: machine::Machine::default(),
            outside: outside::Outside::default(),
            heartbeats: 0,
            heartbeat_status: 200,
            answers_snmp: true,
            disk: Disk::default(),
            archive: Archive::new(HistoryStorage::default()),
            skew_ms: 0,
            is_dead: false,
            restarts: 0,
            service_dates: true,
            logs: BTreeMap::new(),
            transcript: Vec::new(),
            snapshot: None,
            steps: 0,
            around_steps: None,
        };
        sim.perform(effects);
        sim
    }

    /// A device, to change what it does from now on.
    ///
    /// # Panics
    /// Panics when there is no such PDU.
    pub fn device(&mut self, name: &str) -> &mut Device {
        let addr = self.addresses.get(name).expect("a PDU of this world");
        self.devices.get_mut(addr).expect("a device for each PDU")
    }

    /// The machine that the agent runs on, to change what is found there from now on.
    pub fn machine(&mut self) -> &mut machine::Machine {
        &mut self.machine
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Changes the world at a later moment, counted from now.
    pub fn after(&mut self, delay: Duration, action: impl FnOnce(&mut Sim) + 'static) {
        self.enqueue(delay, Delivery::Action(Box::new(action)));
    }

    /// The owner types a line at the terminal.
    pub fn say(&mut self, line: &str) {
        let asked = Asked {
            session: SessionId(1),
            who: chat::sessions::terminal(),
            is_owner: true,
            line: line.to_owned(),
        };
        self.enqueue(Duration::ZERO, Delivery::Event(Event::Asked(asked)));
    }

    /// Types a line at the terminal, lets half a second pass, and gives back what anybody was told in it.
    pub fn ask(&mut self, line: &str) -> String {
        self.clear_transcript();
        self.say(line);
        self.run_for(Duration::from_millis(500));
        self.transcript()
    }

    /// Somebody writes into a chat of the simulated chat service.
    pub fn post(&mut self, user: i64, chat: i64, text: &str) {
        let at = self.service_now().wall;
        self.service.post(user, chat, text, at);
        self.answer_polls();
    }

    /// Somebody wrote this so long ago, and the service delivers it only now.
    pub fn post_late(&mut self, user: i64, chat: i64, text: &str, age: Duration) {
        let at = self.service_now().wall.minus(age);
        self.service.post(user, chat, text, at);
        self.answer_polls();
    }

    /// The chat service treats the next `times` calls of a method (`*` for every one) like this.
    pub fn set_weather(&mut self, method: &str, times: u32, weather: Weather) {
        let now = self.service_now();
        self.service.set_weather(now, method, times, weather);
        self.answer_polls();
    }

    /// The chat service works again.
    pub fn clear_weather(&mut self) {
        self.service.clear_weather();
    }

    /// From now on the SNMP worker says nothing any more, as if its thread hung, or does again.
    pub fn set_answers_snmp(&mut self, answers: bool) {
        self.answers_snmp = answers;
    }

    /// The chat service ignores what was confirmed and sends every update again with each poll.
    pub fn repeat_updates(&mut self) {
        self.service.repeat_updates();
    }

    /// Somebody presses a button by its label, under the newest message that has one.
    ///
    /// # Panics
    /// Panics when no message has such a button.
    pub fn press(&mut self, user: i64, chat: i64, label: &str) {
        let at = self.service_now().wall;
        assert!(
            self.service.press(user, chat, label, at),
            "no button {label:?} in chat {chat}"
        );
        self.answer_polls();
    }

    /// The chat service itself: what was said and called, chats that block, move or ask to wait.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// The agent's wall clock jumps; its monotonic one does not, and nor does the chat service's.
    pub fn step_wall(&mut self, by_ms: i64) {
        self.now.wall = Wall(self.now.wall.0 + by_ms);
        self.skew_ms += by_ms;
    }

    /// From now on the chat service says what time it is with every answer, or does not.
    pub fn set_service_dates(&mut self, dates: bool) {
        self.service_dates = dates;
    }

    /// The machine sleeps: time passes and nothing happens.
    pub fn suspend(&mut self, duration: Duration) {
        self.advance(self.now.mono + duration);
    }

    /// From now on the store answers with a fault, or works again.
    pub fn set_storage_works(&mut self, works: bool) {
        let broken = (!works).then_some(Broken::ReadOnly);
        self.storage().set_broken(broken);
    }

    /// The disk, to break it.
    pub fn storage(&mut self) -> &mut MemoryStorage {
        self.disk.journal.storage()
    }

    /// A new configuration is swapped in.
    pub fn reload(&mut self, config: Config) {
        self.config = Arc::new(config.clone());
        self.enqueue(
            Duration::ZERO,
            Delivery::Event(Event::Reload(Box::new(config))),
        );
    }

    /// Ends the agent without any warning and starts it again from what was stored.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        loop {
            self.answer_polls();
            let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
            let mut next = earlier(queued, self.service.poll_timeout());
            if !self.is_dead {
                next = earlier(
                    next,
                    earlier(self.core.poll_timeout(), self.disk.poll_timeout()),
                );
                next = earlier(next, self.engine.poll_timeout());
            }
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.advance(next);
            if queued.is_some_and(|at| at <= next) {
                if let Some((_, delivery)) = self.queue.pop_first() {
                    self.deliver(delivery);
                }
                continue;
            }
            if self.is_dead {
                continue;
            }
            if self.disk.poll_timeout().is_some_and(|at| at <= next) {
                if let Some(event) = self.disk.commit(self.now.mono) {
                    self.enqueue(Duration::from_millis(1), Delivery::Event(event));
                }
            }
            if self.engine.poll_timeout().is_some_and(|at| at <= next) {
                self.engine.handle_timeout(self.now.mono);
                self.pump_engine();
            }
            if self.core.poll_timeout().is_some_and(|at| at <= next) {
                self.step(Event::Timeout);
            }
        }
        self.advance(end);
    }

    /// Everything that people would have seen so far, one line for each message.
    pub fn transcript(&self) -> String {
        self.transcript.join("\n")
    }

    /// How often the transcript holds a text.
    pub fn count(&self, text: &str) -> usize {
        self.transcript().matches(text).count()
    }

    /// Empties the transcript.
    pub fn clear_transcript(&mut self) {
        self.transcript.clear();
    }

    /// Lines of a log file.
    pub fn log(&self, file: LogFile) -> &[String] {
        self.logs.get(&file).map_or(&[], Vec::as_slice)
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// How the newest snapshot has an alert; `ok` when it is in none.
    ///
    /// # Panics
    /// When nothing was published yet.
    pub fn alert_state(&self, name: &str) -> &'static str {
        let snapshot = self.snapshot().expect("a publication");
        let mut alerts = snapshot.alerts.iter();
        let entry = alerts.find(|alert| *alert.name == *name);
        entry.map_or("ok", |alert| alert.state.name())
    }

    /// What the newest snapshot would be if one were published at this moment.
    pub fn look(&mut self) -> Arc<Snapshot> {
        self.core.first_snapshot(self.now)
    }

    /// What the store holds, or will when it has written everything.
    pub fn records(&self) -> &Records {
        self.disk.journal.records()
    }

    /// How often the core was called.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Calls `around` with true before each call of the core, and with false after it; a bench takes the time there.
    pub fn around_steps(&mut self, around: impl FnMut(bool) + 'static) {
        self.around_steps = Some(Box::new(around));
    }

    /// The core itself, for who wants to go on without the world around it.
    pub fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    fn advance(&mut self, to: Mono) {
        let to = to.max(self.now.mono);
        // Whole milliseconds of both ends, so that many small steps do not make the wall clock slow.
        let ms = |at: Mono| at.since_start().as_millis();
        let passed = (ms(to) - ms(self.now.mono)) as i64;
        self.now = Now {
            mono: to,
            wall: Wall(self.now.wall.0 + passed),
        };
    }

    fn enqueue(&mut self, delay: Duration, delivery: Delivery) {
        self.queued += 1;
        self.queue
            .insert((self.now.mono + delay, self.queued), delivery);
    }

    /// Both clocks of the chat service.
    fn service_now(&self) -> Now {
        Now {
            wall: Wall(self.now.wall.0 - self.skew_ms),
            ..self.now
        }
    }

    fn step(&mut self, event: Event) {
        if self.is_dead {
            return;
        }
        self.steps += 1;
        let mut effects = Effects::new();
        if let Some(around) = &mut self.around_steps {
            around(true);
        }
        self.core.step(self.now, event, &mut effects);
        if let Some(around) = &mut self.around_steps {
            around(false);
        }
        self.perform(effects);
        if let Some(snapshot) = self.core.publish(self.now) {
            self.snapshot = Some(snapshot);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Event(event) => self.step(event),
            Delivery::Action(action) => action(self),
            Delivery::Answer(from, datagram) => {
                let _ = self.engine.handle_datagram(self.now.mono, from, &datagram);
                self.pump_engine();
            }
            Delivery::Ask(to, datagram) => {
                let Some(device) = self.devices.get_mut(&to).filter(|device| !device.is_silent)
                else {
                    return;
                };
                device.questions += 1;
                let delay = device.delay;
                if let Some(answer) = device.agent.handle(self.now, &datagram) {
                    self.enqueue(delay, Delivery::Answer(to, answer));
                }
            }
        }
    }

    fn perform(&mut self, effects: Effects) {
        for effect in effects {
            match effect {
                Effect::Snmp(requests) => {
                    self.engine.submit(self.now.mono, requests);
                    self.pump_engine();
                }
                Effect::Http(request) if request.endpoint.name == "heartbeat" => {
                    self.heartbeats += 1;
                    let response = HttpResponse {
                        status: self.heartbeat_status,
                        ..HttpResponse::default()
                    };
                    let event = Event::Done {
                        ticket: request.ticket,
                        reply: Reply::Http(Ok(response)),
                    };
                    self.enqueue(Duration::from_millis(50), Delivery::Event(event));
                }
                Effect::Http(request) => self.call(&request),
                Effect::Mail(request) => {
                    let ticket = request.ticket;
                    let (result, seen) = self.post_office.take(&request);
                    seen.into_iter().for_each(|line| self.note(line));
                    let reply = Reply::Mail(result);
                    let event = Event::Done { ticket, reply };
                    self.enqueue(Duration::from_millis(300), Delivery::Event(event));
                }
                Effect::Resolve { ticket, host, .. } => self.look_up(ticket, &host),
                Effect::Stream(op) => self.stream(&op),
                Effect::Run(op) => self.run_program(&op),
                Effect::Host { ticket, look } => {
                    if let Some((delay, reply)) = self.machine.look(self.now.mono, look) {
                        self.enqueue(delay, Delivery::Event(Event::Done { ticket, reply }));
                    }
                }
                Effect::Store(turn) => self.disk.push(self.now.mono, &turn),
                Effect::Append { file, line } => self.logs.entry(file).or_default().push(line),
                Effect::History(op) => {
                    if let Some(outcome) = self.archive.handle(op) {
                        let event = Delivery::Event(outcome.into());
                        self.enqueue(Duration::from_millis(20), event);
                    }
                }
                Effect::Reply(reply) => self.note(format!("terminal] {}", reply.text)),
                Effect::Work { ticket, job } => {
                    let reply = job.run();
                    let event = Event::Done { ticket, reply };
                    self.enqueue(Duration::from_millis(1), Delivery::Event(event));
                }
            }
        }
        self.answer_polls();
    }

    /// The request arrives at once; what people see of it is noted.
    fn call(&mut self, request: &HttpRequest) {
        let kind = request.headers.iter();
        let kind = kind.filter(|(name, _)| *name == "content-type");
        let now = self.service_now();
        self.service.call(
            now,
            request.ticket.0,
            request.url().expose(),
            kind.map(|(_, value)| value.expose().as_str())
                .next()
                .unwrap_or_default(),
            request.bytes(),
        );
        let mut lines = Vec::new();
        for Sight { message, .. } in self.service.take_fresh() {
            let edits = if message.edits > 0 { " edits" } else { "" };
            let text = match (&*message.text, &message.document) {
                ("", Some(_)) => "(file)",
                (text, _) => text,
            };
            let picture = if message.is_photo { "(picture) " } else { "" };
            lines.push(format!(
                "telegram:{}{edits} #{}] {picture}{text}",
                message.chat, message.id
            ));
        }
        for line in lines {
            self.note(line);
        }
    }

    fn answer_polls(&mut self) {
        let now = self.service_now();
        let date = self.service_dates.then_some(now.wall);
        for (ticket, reply) in self.service.take_replies(now) {
            let event = Event::Done {
                ticket: Ticket(ticket),
                reply: Reply::Http(result_of(reply, date)),
            };
            self.enqueue(Duration::from_millis(20), Delivery::Event(event));
        }
    }

    fn pump_engine(&mut self) {
        let mut datagram = Vec::new();
        while let Some(transmit) = self.engine.poll_transmit(self.now.mono, &mut datagram) {
            self.enqueue(
                Duration::from_micros(200),
                Delivery::Ask(transmit.to, datagram.clone()),
            );
        }
        let replies = self.engine.take_replies();
        if !replies.is_empty() && self.answers_snmp {
            self.step(Event::Snmp(replies));
        }
    }

    fn note(&mut self, line: String) {
        self.transcript.push(format!(
            "[t+{} {line}",
            Seconds(self.now.mono.since_start())
        ));
    }
}

/// What the HTTP worker makes of a reply.
fn result_of(reply: telegram::Reply, date: Option<Wall>) -> Result<HttpResponse, Fault> {
    let (kind, detail) = match reply {
        telegram::Reply::Answer(status, body) if body.len() <= 1 << 20 => {
            return Ok(HttpResponse {
                status,
                headers: date.into_iter().map(date_header).collect(),
                body,
                saved_bytes: None,
            });
        }
        telegram::Reply::Answer(..) | telegram::Reply::Gzip(_) => {
            (FaultKind::Malformed, "not an answer")
        }
        telegram::Reply::Drip(..) | telegram::Reply::Lost => (FaultKind::Timeout, "no answer"),
        telegram::Reply::Away => (FaultKind::Unreachable, "connection refused"),
    };
    Err(Fault::new(kind, detail))
}

fn date_header(date: Wall) -> (String, String) {
    ("date".to_owned(), date.http_date())
}

struct Seconds(Duration);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = self.0.as_millis() / 100;
        if tenths % 10 == 0 {
            write!(f, "{}s", tenths / 10)
        } else {
            write!(f, "{}.{}s", tenths / 10, tenths % 10)
        }
    }
}

fn start(config: &Arc<Config>, records: Records, now: Now, restarts: u32) -> Start {
    Start {
        config: Arc::clone(config),
        records,
        now,
        // As from the operating system: no two starts have the same.
        seed: 42 + u128::from(restarts),
        holds_lines: false,
        past: Past::default(),
        keeps_history: true,
    }
}

#[cfg(test)]
mod tests;
