//! The running agent: starts the workers, turns the loop, and ends everything in order.

use crate::service::Supervisor;
use crate::terminal::Terminal;
use rackwarden_core::config::Config;
use rackwarden_core::core::{Core, Past, Start};
use rackwarden_core::effect::{Effect, Effects};
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::reason;
use rackwarden_io::host::HostHandle;
use rackwarden_io::http_client::HttpHandle;
use rackwarden_io::inbox::Inbox;
use rackwarden_io::jobs::Jobs;
use rackwarden_io::local::LocalHandle;
use rackwarden_io::mail::MailHandle;

use rackwarden_core::state::Records;
use rackwarden_io::net::{Net, Service, Waker};
use rackwarden_io::published::Published;
use rackwarden_io::run::RunHandle;
use rackwarden_io::snmp::{SnmpHandle, SnmpService};
use rackwarden_io::store::{StoreHandle, StoreTask};
use rackwarden_io::streams::StreamHandle;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long the last records may take to reach the disk when the agent ends.
const LAST_WRITE: Duration = Duration::from_secs(1);
/// The net thread decodes SNMP and renders pages.
const NET_STACK_BYTES: usize = 512 * 1024;

/// What an agent is made of.
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) inbox: Inbox,
    pub(crate) records: Records,
    pub(crate) past: Past,
    pub(crate) store: Option<StoreHandle>,
    pub(crate) http: Option<HttpHandle>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) supervisor: Option<Supervisor>,
}

/// What lives on the net thread besides SNMP.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) list: Vec<Box<dyn Service>>,
    /// Answers callers of the local socket, if that is one of them.
    pub(crate) local: Option<LocalHandle>,
}

/// The core and the workers that carry its effects out.
pub(crate) struct Agent {
    core: Core,
    clock: Clock,
    inbox: Inbox,
    workers: Workers,
    published: Arc<Published>,
    net: NetThread,
    supervisor: Option<Supervisor>,
}

struct Workers {
    snmp: SnmpHandle,
    store: Option<StoreHandle>,
    http: Option<HttpHandle>,
    local: Option<LocalHandle>,
    terminal: Option<Terminal>,
    mail: MailHandle,
    jobs: Jobs,
    streams: StreamHandle,
    runs: RunHandle,
    host: HostHandle,
    inbox: Inbox,
}

struct NetThread {
    is_stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Agent {
    /// Starts every part. `make_services` gets what readers see and the waker of the net thread.
    ///
    /// # Errors
    /// Says which socket or thread could not be had.
    pub(crate) fn start(
        parts: Parts,
        make_services: impl FnOnce(&Arc<Published>, Waker) -> Result<Services, String>,
    ) -> Result<Agent, String> {
        let Parts {
            config,
            clock,
            inbox,
            records,
            past,
            store,
            http,
            terminal,
            mut supervisor,
        } = parts;
        let mut effects = Effects::new();
        let start = Start {
            config,
            records,
            now: clock.now(),
            seed: seed()?,
            holds_lines: terminal.is_some(),
            past,
            keeps_history: store.is_some(),
        };
        let mut core = Core::new(start, &mut effects);
        let published = Arc::new(Published::new(core.first_snapshot(clock.now())));

        let mut net =
            Net::new().map_err(|err| format!("cannot start the net thread: {}", reason(&err)))?;
        let (snmp_service, snmp) =
            SnmpService::new(clock, seed()? as u64, inbox.clone(), net.waker());
        net.add(Box::new(snmp_service));
        let Services { list, local } = make_services(&published, net.waker())?;
        for service in list {
            net.add(service);
        }
        let net = NetThread::start(net)
            .map_err(|err| format!("cannot start the net thread: {}", reason(&err)))?;
        let workers = Workers {
            snmp,
            store,
            http,
            local,
            terminal,
            mail: MailHandle::new(inbox.clone()),
            jobs: Jobs::new(inbox.clone()),
            streams: StreamHandle::new(inbox.clone()),
            // The running program, even after another one was installed in its place.
            runs: RunHandle::new("/proc/self/exe", inbox.clone()),
            host: HostHandle::new(clock, inbox.clone()),
            inbox: inbox.clone(),
        };
        if let Some(supervisor) = &mut supervisor {
            supervisor.note_effects(clock.mono(), &effects);
        }
        workers.carry_out(&mut effects);
        Ok(Agent {
            core,
            clock,
            inbox,
            workers,
            published,
            net,
            supervisor,
        })
    }

    /// Turns the loop until `Event::Stop`, then ends the workers.
    pub(crate) fn run(mut self) {
        let mut effects = Effects::new();
        while !self.core.is_stopped() {
            let mut due = self.core.poll_timeout();
            if let Some(supervisor) = &self.supervisor {
                due = supervisor.poll_timeout(due);
            }
            let timeout = due.map(|at| at.since(self.clock.mono()));
            let event = self.inbox.receive(timeout).unwrap_or(Event::Timeout);
            let now = self.clock.now();
            if let Some(supervisor) = &mut self.supervisor {
                supervisor.note_event(now.mono, &event);
            }
            self.core.step(now, event, &mut effects);
            if let Some(supervisor) = &mut self.supervisor {
                supervisor.note_effects(now.mono, &effects);
            }
            self.workers.carry_out(&mut effects);
            let now = self.clock.now();
            if let Some(snapshot) = self.core.publish(now) {
                self.published.publish(snapshot);
            }
            if let Some(supervisor) = &mut self.supervisor {
                supervisor.turn(now.mono, self.core.poll_timeout(), &self.published);
            }
        }
        self.end();
    }

    fn end(self) {
        if let Some(supervisor) = &self.supervisor {
            supervisor.stop();
        }
        self.inbox.close();
        self.workers.streams.shutdown();
        self.workers.runs.shutdown();
        if let Some(http) = &self.workers.http {
            http.shutdown();
        }
        if let Some(store) = self.workers.store {
            store.stop(LAST_WRITE);
        }
        self.net.stop();
    }
}

impl Workers {
    fn carry_out(&self, effects: &mut Effects) {
        for effect in effects.drain(..) {
            self.dispatch(effect);
        }
    }

    fn dispatch(&self, effect: Effect) {
        match effect {
            Effect::Snmp(requests) => {
                if let Err(replies) = self.snmp.submit(requests) {
                    self.inbox.send(Event::Snmp(replies));
                }
            }
            Effect::Http(request) => match &self.http {
                Some(http) => http.send(request),
                None => {
                    let fault = Fault::new(FaultKind::Unreachable, "no HTTP worker runs");
                    self.inbox.send(Event::Done {
                        ticket: request.ticket,
                        reply: Reply::Http(Err(fault)),
                    });
                }
            },
            Effect::Mail(request) => self.mail.send(request),
            Effect::Resolve { ticket, host, port } => self.jobs.resolve(ticket, host, port),
            Effect::Stream(op) => self.streams.act(op),
            Effect::Run(op) => self.runs.act(op),
            Effect::Host { ticket, look } => self.host.look(ticket, look),
            Effect::Work { ticket, job } => self.jobs.work(ticket, job),
            Effect::Store(turn) => match &self.store {
                Some(store) => store.send(StoreTask::Turn(turn)),
                None => self.inbox.send(Event::Stored {
                    seq: turn.seq,
                    result: Ok(()),
                }),
            },
            Effect::Append { file, line } => {
                if let Some(store) = &self.store {
                    store.send(StoreTask::Append { file, line });
                }
            }
            Effect::History(op) => {
                if let Some(store) = &self.store {
                    store.send(StoreTask::History(op));
                }
            }
            Effect::Reply(reply) => match (&self.terminal, &self.local) {
                (Some(terminal), _) if Terminal::owns(reply.session) => terminal.reply(reply),
                (_, Some(local)) => local.reply(reply),
                _ => log::debug!("a reply without anybody to read it"),
            },
        }
    }
}

impl NetThread {
    fn start(net: Net) -> std::io::Result<NetThread> {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let waker = net.waker();
        let flag = Arc::clone(&is_stopping);
        let thread = thread::Builder::new().name("net".into()).stack_size(NET_STACK_BYTES).spawn(move || {
            if let Err(err) = net.run(|| flag.load(Ordering::Acquire)) {
                log::error!("the net thread has ended: {err}; no device is polled until the agent is restarted");
                std::process::exit(1);
            }
        })?;
        Ok(NetThread {
            is_stopping,
            waker,
            thread,
        })
    }

    fn stop(self) {
        self.is_stopping.store(true, Ordering::Release);
        self.waker.wake();
        let _ = self.thread.join();
    }
}

/// Randomness for codes, request ids and jitter, from the operating system.
fn seed() -> Result<u128, String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|err| format!("cannot read /dev/urandom: {err}; codes could be guessed"))?;
    Ok(u128::from_be_bytes(bytes))
}
