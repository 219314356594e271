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

mod builder;
mod disk;
mod heartbeat;
mod life;
pub mod machine;
pub mod mail;
mod pdus;
pub mod sample;
mod service;
pub mod telegram;
pub mod world;

use crate::chat::{self, Asked, SessionId};
use crate::config::Config;
use crate::config::power;
use crate::core::{Core, Past, Start};
use crate::effect::{Effect, Effects, LogFile, Ticket, earlier};
use crate::event::{Event, Reply};
use crate::fault::{Fault, FaultKind};
use crate::history::{Archive, MemoryStorage as HistoryStorage};
use crate::journal::{Broken, MemoryStorage};
use crate::plugins::Make;
use crate::secret::Secret;
use crate::snapshot::Snapshot;
use crate::state::Records;
use crate::time::{Mono, Now, Wall};
pub use builder::Builder;
use disk::Disk;
pub use mail::MailWeather;
pub use pdus::Device;
use pdus::pdu_config;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
pub use telegram::Weather;
use world::{Out, Routes, World, nobody};

/// A moment in the past that every scenario begins at: 2026-11-20 20:00:00 UTC.
const BEGIN: Wall = Wall(1_795_204_800_000);

type Action = Box<dyn FnOnce(&mut Sim)>;

enum Delivery {
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
    worlds: BTreeMap<String, Box<dyn World>>,
    routes: Routes,
    queue: BTreeMap<(Mono, u64), Delivery>,
    queued: u64,
    disk: Disk,
    archive: Archive<HistoryStorage>,
    /// The clocks of the worlds are right; the agent's is ahead by so many milliseconds.
    skew_ms: i64,
    is_dead: bool,
    restarts: u32,
    logs: BTreeMap<LogFile, Vec<String>>,
    transcript: Vec<String>,
    snapshot: Option<Arc<Snapshot>>,
    steps: u64,
    around_steps: Option<Box<dyn FnMut(bool)>>,
}

impl Sim {
    /// A world with these PDUs (name and limit in watts), an owner at the terminal, and a group chat that gets the alerts.
    pub fn new(pdus: &[(&str, f64)]) -> Sim {
        Sim::with_config(Sim::config(pdus))
    }

    /// The configuration that `new` uses, to be changed before `with_config`.
    pub fn config(pdus: &[(&str, f64)]) -> Config {
        let mut config = Config::empty();
        config.name = "rack".into();
        config.plugins = vec!["power"];
        power::settings_mut(&mut config).pdus = pdus
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
        Sim::builder().config(config).plugins(plugins).build()
    }

    /// A world to be put together: a configuration, plugins and peers of your own.
    pub fn builder() -> Builder {
        Builder::default()
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

    /// Types a line at the terminal, lets half a second pass, and gives back the messages that anybody got in it.
    pub fn ask(&mut self, line: &str) -> String {
        self.clear_transcript();
        self.say(line);
        self.run_for(Duration::from_millis(500));
        self.transcript()
    }

    /// The agent's wall clock jumps; its monotonic one does not, and nor do those of the worlds.
    pub fn step_wall(&mut self, by_ms: i64) {
        self.now.wall = Wall(self.now.wall.0 + by_ms);
        self.skew_ms += by_ms;
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
        self.visit_worlds(true);
        while let Some(next) = self.next_moment().filter(|at| *at <= end) {
            self.advance(next);
            if self.first_queued().is_none_or(|at| at > next) {
                self.visit_worlds(false);
            }
            // Immediate answers of a world come before the timeouts of the core.
            if self.first_queued().is_some_and(|at| at <= next) {
                if let Some((_, delivery)) = self.queue.pop_first() {
                    self.deliver(delivery);
                }
            } else if !self.is_dead {
                self.handle_timeouts(next);
            }
        }
        self.advance(end);
    }

    fn next_moment(&self) -> Option<Mono> {
        let worlds = self.worlds.values();
        let worlds = worlds.filter_map(|world| world.poll_timeout()).min();
        let next = earlier(self.first_queued(), worlds);
        if self.is_dead {
            return next;
        }
        let own = earlier(self.core.poll_timeout(), self.disk.poll_timeout());
        earlier(next, own)
    }

    fn first_queued(&self) -> Option<Mono> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    fn handle_timeouts(&mut self, now: Mono) {
        if self.disk.poll_timeout().is_some_and(|at| at <= now) {
            if let Some(event) = self.disk.commit(now) {
                self.enqueue(Duration::from_millis(1), Delivery::Event(event));
            }
        }
        if self.core.poll_timeout().is_some_and(|at| at <= now) {
            self.step(Event::Timeout);
        }
    }

    /// Lets worlds act that are due, or all of them.
    fn visit_worlds(&mut self, all: bool) {
        let now = self.world_now();
        let mut out = Out::default();
        for world in self.worlds.values_mut() {
            if all || world.poll_timeout().is_some_and(|at| at <= now.mono) {
                world.handle_timeout(now, &mut out);
            }
        }
        self.happen(out);
    }

    fn happen(&mut self, out: Out) {
        for line in out.lines {
            self.note(line);
        }
        for (delay, event) in out.events {
            self.enqueue(delay, Delivery::Event(event));
        }
    }

    /// The world of this name, which is of this type: to change what it does from now on.
    ///
    /// # Panics
    /// When there is no such world, or it is of another type.
    pub fn world<W: World>(&mut self, name: &str) -> &mut W {
        let world = self.worlds.get_mut(name).expect("a world of this name");
        let world = (**world).as_any_mut().downcast_mut();
        world.expect("a world of this type")
    }

    fn look_at<W: World>(&self, name: &str) -> &W {
        let world = self.worlds.get(name).expect("a world of this name");
        let world = (**world).as_any().downcast_ref();
        world.expect("a world of this type")
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

    /// Both clocks of the worlds.
    fn world_now(&self) -> Now {
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
            Delivery::Action(action) => {
                action(self);
                self.visit_worlds(true);
            }
        }
    }

    fn perform(&mut self, effects: Effects) {
        for effect in effects {
            if let Some(name) = self.routes.world_of(&effect) {
                let mut out = Out::default();
                let now = self.world_now();
                // A service may have endpoints of its own for calls that wait long: `telegram-poll` is `telegram`.
                let service = name.split('-').next().unwrap_or_default();
                let is_known = self.worlds.contains_key(&name);
                let world = if is_known { &name } else { service };
                match self.worlds.get_mut(world) {
                    Some(world) => world.request(now, effect, &mut out),
                    None => nobody(effect, &mut out),
                }
                self.happen(out);
                continue;
            }
            match effect {
                Effect::Resolve { ticket, host, .. } => {
                    let detail = format!("cannot look up {host}: no such name in this world");
                    let fault = Fault::new(FaultKind::Unreachable, detail);
                    let reply = Reply::Resolved(Err(fault));
                    self.answer(1, ticket, reply);
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
                    self.answer(1, ticket, reply);
                }
                // These have a world.
                Effect::Snmp(_)
                | Effect::Http(_)
                | Effect::Mail(_)
                | Effect::Stream(_)
                | Effect::Run(_)
                | Effect::Host { .. } => {}
            }
        }
    }

    fn answer(&mut self, millis: u64, ticket: Ticket, reply: Reply) {
        let event = Event::Done { ticket, reply };
        self.enqueue(Duration::from_millis(millis), Delivery::Event(event));
    }

    fn note(&mut self, line: String) {
        self.transcript.push(format!(
            "[t+{} {line}",
            Seconds(self.now.mono.since_start())
        ));
    }
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
