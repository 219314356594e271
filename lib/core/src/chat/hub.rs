//! The hub: every way in and every way out of the chat meet here. It owns rights, outbox and transports;
//! what a line means is decided in `inbound`.

use super::access::Access;
use super::buttons::Holder;
use super::codes::Codes;
use super::late::Late;
use super::limiter::Limiter;
use super::outbox::{Draft, EditOf, Fallback, Lane, Outbox};
use super::pairing::Pairing;
use super::pending_commands::{Mark, PendingCommands};
use super::sessions::Sessions;
use super::transport::{Failure, Received, Transport, TransportEvent};
use super::{Age, Answer, Asked, Caller, Incoming, IncomingKind, Invocation, Place, ReplyTo, Spec};
use crate::config::Config;
use crate::ctx::Notice;
use crate::effect::{Effect, Effects, Ticket, earlier};
use crate::event::Reply;
use crate::rng::Rng;
use crate::state::{Pending, Records};
use crate::time::{Mono, Now, Wall};
use rackwarden_base::Tickets;
use std::sync::Arc;
use std::time::Duration;

/// What the chat sees of the house during one turn.
pub struct ChatEnv<'a> {
    /// Both clocks, read once for this turn.
    pub now: Now,
    /// The configuration in force.
    pub config: &'a Arc<Config>,
    /// What goes out to the world.
    pub effects: &'a mut Effects,
    /// Makes tickets that come back to the chat.
    pub tickets: Tickets<'a>,
    /// Durable changes of this turn.
    pub state: &'a mut Pending,
    /// Seeded random numbers.
    pub rng: &'a mut Rng,
    /// Every command there is.
    pub specs: &'a [&'static Spec],
    /// Names of the things that arguments mean.
    pub names: &'a dyn Names,
    /// What stays inside: answers, audit lines.
    pub notices: &'a mut Vec<Notice>,
}

/// Names that arguments may have, by kind (`Spec::arg`).
pub trait Names {
    /// Names of this kind that begin with `prefix` (case is ignored; an exact name alone).
    fn complete(&self, kind: &str, prefix: &str) -> Vec<String>;

    /// How many words at the beginning of `args` name things of this kind, when they stand for more than one; else 0.
    fn several(&self, kind: &str, args: &[String]) -> usize;
}

/// Counters of the chat since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChatCounters {
    /// Messages that a service accepted.
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Messages waiting.
    pub queued: u64,
    /// Commands handed on to be run.
    pub commands: u64,
    /// Commands and presses that were refused.
    pub refused: u64,
    /// What came in.
    pub received: Received,
}

/// A command that was under way when the agent ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// It only reads: it is run again.
    Again(Invocation),
    /// It may have done something. It is not run again; the person is told what is true now.
    Unknown(Invocation),
}

/// The chat.
pub struct Chat {
    pub(super) access: Access,
    pub(super) outbox: Outbox,
    pub(super) sessions: Sessions,
    pub(super) counters: ChatCounters,
    pub(super) refusals: Refusals,
    pub(super) pending_commands: PendingCommands,
    pub(super) late: Late,
    /// What was under way when the agent ended, until it is resumed.
    interrupted: Vec<(u64, Mark)>,
    /// The disk takes nothing: a crash would bring a command of a service again.
    pub(super) forgets: bool,
    pub(super) pairing: Option<Pairing>,
    pub(super) transports: Vec<Box<dyn Transport>>,
    /// The rights that the menus were made from.
    menu_revision: u64,
    /// When the first of those rights ends, by both clocks.
    rights_end: Option<(Wall, Mono)>,
}

/// How often somebody is told no.
pub(super) struct Refusals {
    /// A person who has some right.
    pub(super) to_known: Limiter,
    /// A stranger, or a group of them.
    pub(super) to_strangers: Limiter,
    /// What everybody may ask (`/id`).
    pub(super) small_talk: Limiter,
    /// All strangers together, so that a crowd of them delays nobody.
    pub(super) to_crowd: Limiter,
    /// Lines in the audit log, for each person who has some right.
    pub(super) audited: Limiter,
    /// The same for each stranger, apart, so that a crowd of them displaces nobody.
    pub(super) audited_strangers: Limiter,
    /// The same for all strangers together: about a line a minute, so that real deeds stay in the log.
    pub(super) audited_crowd: Limiter,
}

impl Chat {
    /// Makes the chat for a configuration; `codes` are for buttons and pairing.
    pub fn new(config: &Config, codes: Codes) -> Chat {
        let mut outbox = Outbox::default();
        outbox.buttons.set_codes(codes);
        Chat {
            access: Access::new(&config.access),
            outbox,
            sessions: Sessions::default(),
            counters: ChatCounters::default(),
            refusals: Refusals {
                to_known: Limiter::new(3, Duration::from_secs(20)),
                to_strangers: Limiter::new(1, Duration::from_secs(60)),
                small_talk: Limiter::new(3, Duration::from_secs(20)),
                to_crowd: Limiter::new(20, Duration::from_secs(3)),
                audited: Limiter::new(5, Duration::from_secs(60)),
                audited_strangers: Limiter::new(5, Duration::from_secs(60)),
                audited_crowd: Limiter::new(20, Duration::from_secs(60)),
            },
            pending_commands: PendingCommands::default(),
            late: Late::default(),
            interrupted: Vec::new(),
            forgets: false,
            pairing: None,
            transports: make_transports(config),
            menu_revision: 0,
            rights_end: None,
        }
    }

    /// Begins: takes over what was on disk.
    pub fn start(&mut self, env: &mut ChatEnv<'_>, records: &Records) {
        self.access.restore(records);
        self.interrupted = self.pending_commands.restore(records);
        self.outbox.set_zone(&env.config.notify.timezone);
        self.outbox.set_fallback(fallback(env.config));
        self.outbox.restore(env.now, records, env.state);
        for transport in &mut self.transports {
            transport.start(env, records);
        }
        let mut transports = self.transports.iter();
        let pairs = transports.find(|one| one.pairing_place("").is_some());
        if let Some(transport) = pairs.filter(|_| self.access.owners(env.now.wall).is_empty()) {
            let title = transport.service().title;
            log::warn!("nobody is owner in {title} yet; `rackwarden pair` makes you one");
        }
    }

    /// What becomes of the commands that were under way when the agent ended. Plugins have started.
    pub fn resume(&mut self, env: &mut ChatEnv<'_>) -> Vec<Resumed> {
        let interrupted = std::mem::take(&mut self.interrupted);
        let resumed = interrupted.into_iter();
        resumed
            .filter_map(|(number, mark)| self.resume_one(env, number, mark))
            .collect()
    }

    /// The configuration in `env` is in force. Transports whose part of it changed begin anew; what waits to be
    /// sent stays.
    pub fn reload(&mut self, env: &mut ChatEnv<'_>) {
        self.access.reload(&env.config.access);
        self.outbox.set_zone(&env.config.notify.timezone);
        self.outbox.set_fallback(fallback(env.config));
        for transport in &mut self.transports {
            transport.reload(env);
        }
        let config = env.config;
        for mut made in make_transports(config) {
            let mut names = self
                .transports
                .iter()
                .map(|transport| transport.service().name);
            if !names.any(|name| name == made.service().name) {
                made.start(env, &Records::default());
                self.transports.push(made);
            }
        }
        for transport in self
            .transports
            .iter()
            .filter(|transport| transport.is_retired())
        {
            self.outbox.recall(&|to| transport.serves(to));
        }
        self.transports.retain(|transport| !transport.is_retired());
        self.outbox.retry_refused();
    }

    /// Takes a line from the terminal or the local socket. Refusals and errors are answered here; what may
    /// run comes back.
    pub fn handle_asked(&mut self, env: &mut ChatEnv<'_>, asked: Asked) -> Vec<Invocation> {
        if asked.line.trim().trim_start_matches('/') == super::pairing::SPEC.name {
            self.begin_pairing(env, asked);
            return Vec::new();
        }
        let caller = asked.caller();
        let kind = match self.sessions.pressed(asked.session, &asked.line) {
            Some(code) => IncomingKind::Press {
                code,
                query: String::new(),
            },
            None => IncomingKind::Text {
                text: asked.line,
                edited: false,
            },
        };
        let incoming = Incoming {
            caller,
            message: None,
            age: Age::Live,
            kind,
        };
        self.receive(env, incoming, Some(asked.session))
            .into_iter()
            .collect()
    }

    /// Takes the reply to a request of a transport. What may run comes back.
    pub fn handle(
        &mut self,
        env: &mut ChatEnv<'_>,
        ticket: Ticket,
        mut reply: Reply,
    ) -> Vec<Invocation> {
        self.outbox.touch();
        for index in 0..self.transports.len() {
            match self.transports[index].handle(env, ticket, reply) {
                Ok(events) => return self.take_events(env, index, events),
                Err(not_its_own) => reply = not_its_own,
            }
        }
        Vec::new()
    }

    fn take_events(
        &mut self,
        env: &mut ChatEnv<'_>,
        index: usize,
        events: Vec<TransportEvent>,
    ) -> Vec<Invocation> {
        let mut invocations = Vec::new();
        for event in events {
            match event {
                TransportEvent::Incoming(incoming) => {
                    self.outbox.reopen(&incoming.caller.address);
                    invocations.extend(self.receive(env, incoming, None));
                }
                TransportEvent::Sent { item, message } => {
                    self.counters.sent += 1;
                    let limits = self.transports[index].limits();
                    self.outbox
                        .handle_sent(env.now, item, message, limits, env.state);
                }
                TransportEvent::Failed { item, failure } => {
                    self.counters.failed += 1;
                    if let (Failure::Closed(why), Some(to)) =
                        (&failure, self.outbox.open_chat_of(item))
                    {
                        let (_, often) = to.service().closed_for;
                        let text = format!(
                            "{to} cannot be written to: {why}. What waits for it is kept and tried again {often}."
                        );
                        self.warn_owners(env, &text, Some(&to));
                    }
                    if let Failure::Moved(new) = &failure {
                        self.outbox.follow(item, new, &mut self.access, env.state);
                    }
                    self.outbox.handle_failed(env.now, item, failure, env.state);
                }
                TransportEvent::Tell(text) => self.warn_owners(env, &text, None),
                TransportEvent::Moved { old, new } => {
                    self.access.add_alias(&old, &new, env.state);
                    self.outbox.rename_chat(&old, &new, env.state);
                }
            }
        }
        invocations
    }

    /// Sends an answer to where the question came from. The last one finishes the command, in the same record.
    pub fn answer(&mut self, env: &mut ChatEnv<'_>, to: &ReplyTo, answer: Answer) {
        if !answer.more_follows {
            self.pending_commands.finish(to.mark, env.state);
        }
        let holder = Holder {
            address: &to.address,
            who: Some(&to.who),
            is_kept: false,
        };
        if let Some(session) = to.session {
            let buttons = answer.buttons.iter().flatten();
            let codes = buttons
                .map(|button| {
                    self.outbox
                        .buttons
                        .register(env.now.mono, button, holder, env.state)
                })
                .collect();
            let reply = self.sessions.render(session, &answer, codes);
            env.effects.push(Effect::Reply(reply));
            return;
        }
        let draft = Draft {
            to: to.address.clone(),
            lane: Lane::Reply,
            text: answer.text,
            buttons: answer.buttons,
            document: answer.document,
            edit: to.edits.map(EditOf::Message),
            silent: false,
            alert: None,
            topic: None,
        };
        self.outbox
            .push_for(env.now, env.state, draft, Some(&to.who));
    }

    /// Writes to each owner in private, without a ring.
    pub fn tell_owners(&mut self, env: &mut ChatEnv<'_>, text: &str) {
        let text = format!("ℹ️ {}: {text}", env.config.name);
        self.write_to_owners(env, &text, true, None);
    }

    /// Something is wrong that the owners should know, except for who cannot be reached.
    fn warn_owners(&mut self, env: &mut ChatEnv<'_>, text: &str, except: Option<&Place>) {
        let text = format!("⚠️ {}: {text}", env.config.name);
        self.write_to_owners(env, &text, false, except);
    }

    fn write_to_owners(
        &mut self,
        env: &mut ChatEnv<'_>,
        text: &str,
        silent: bool,
        except: Option<&Place>,
    ) {
        for owner in &env.config.access.owners {
            let Some(to) = owner.mailbox().filter(|to| Some(to) != except) else {
                continue;
            };
            let draft = Draft {
                to,
                lane: Lane::Warning,
                text: text.into(),
                buttons: Vec::new(),
                document: None,
                edit: None,
                silent,
                alert: None,
                topic: None,
            };
            self.outbox.push(env.now, env.state, draft);
        }
    }

    /// The disk takes nothing for now.
    pub fn handle_unstored(&mut self) {
        self.forgets = true;
    }

    /// Everything up to this journal record is on disk.
    pub fn handle_stored(&mut self, env: &mut ChatEnv<'_>, seq: u64) {
        self.forgets = false;
        self.outbox.handle_stored(seq);
        for transport in &mut self.transports {
            transport.handle_stored(env, seq);
        }
    }

    /// Acts on everything that is due.
    pub fn handle_timeout(&mut self, env: &mut ChatEnv<'_>) {
        for transport in &mut self.transports {
            if transport
                .poll_timeout()
                .is_some_and(|at| at <= env.now.mono)
            {
                transport.handle_timeout(env);
                self.outbox.touch();
            }
        }
    }

    /// When the chat wants to act again.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.transports
            .iter()
            .map(|transport| transport.poll_timeout())
            .chain([self.rights_end.map(|(_, at)| at)])
            .fold(self.outbox.poll_timeout(), earlier)
    }

    /// The end of a turn: lets go what may leave now.
    pub fn flush(&mut self, env: &mut ChatEnv<'_>) {
        self.pending_commands.write(env.state);
        let has_ended = self
            .rights_end
            .is_some_and(|(end, at)| end <= env.now.wall || at <= env.now.mono);
        if has_ended {
            self.access.touch();
        }
        if self.menu_revision != self.access.revision() {
            self.menu_revision = self.access.revision();
            let (access, specs, now) = (&self.access, env.specs, env.now.wall);
            // The wall clock may be set meanwhile, so a distant end is looked at again each hour.
            self.rights_end = access.next_end(now).map(|end| {
                let wait = end.since(now).min(Duration::from_secs(3600));
                (end, env.now.mono + wait)
            });
            let menu = |caller: &Caller| {
                let may =
                    |spec: &&&'static Spec| access.decide(now, caller, spec, None).is_allowed();
                specs.iter().filter(may).copied().collect()
            };
            for transport in &mut self.transports {
                transport.show_menu(env, access, &menu);
            }
        }
        let away = self.transports.iter().filter_map(|one| one.away_since());
        self.outbox.set_away(away.min());
        loop {
            let (transports, now) = (&self.transports, env.now.mono);
            let service = |to: &Place| {
                let transport = transports.iter().find(|transport| transport.serves(to))?;
                Some((transport.readiness(now), transport.limits()))
            };
            let Some(message) = self.outbox.take_next(env.now, &service, env.state) else {
                return;
            };
            let serving = self
                .transports
                .iter()
                .position(|transport| transport.serves(&message.to));
            let Some(index) = serving else { return };
            let events = self.transports[index].send(env, message);
            self.take_events(env, index, events);
        }
    }

    /// The agent ends.
    pub fn stop(&mut self, _env: &mut ChatEnv<'_>) {}

    /// The rights in force.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The rights in force, to change.
    pub fn access_mut(&mut self) -> &mut Access {
        &mut self.access
    }

    /// The messages on their way out.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Counters since the start.
    pub fn counters(&self) -> ChatCounters {
        ChatCounters {
            queued: self.outbox.len() as u64,
            // Commands come in over one service.
            received: self
                .transports
                .iter()
                .map(|transport| transport.received())
                .find(|received| *received != Received::default())
                .unwrap_or_default(),
            ..self.counters
        }
    }

    /// True when an address refused messages lately, so that nothing is sent there for a while.
    pub fn is_closed(&self, to: &Place) -> bool {
        self.outbox.why_closed(to).is_some()
    }

    /// Why messages to this address do not arrive, as far as it is known.
    pub fn why_not(&self, to: &Place) -> Option<String> {
        let transport = self.transports.iter().find(|one| one.serves(to));
        let Some(transport) = transport else {
            return Some("nothing is configured that sends there".to_owned());
        };
        self.outbox.why_closed(to).or_else(|| transport.problem())
    }

    /// What is wrong, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        let of_transports = self
            .transports
            .iter()
            .filter_map(|transport| transport.problem());
        of_transports.chain(self.outbox.problems()).collect()
    }

    pub(super) fn bot_name(&self, address: &Place) -> Option<&str> {
        self.transports
            .iter()
            .find(|transport| transport.serves(address))?
            .bot_name()
    }

    pub(super) fn transport_of(&mut self, address: &Place) -> Option<&mut dyn Transport> {
        let transport = self
            .transports
            .iter_mut()
            .find(|transport| transport.serves(address))?;
        Some(&mut **transport)
    }
}

fn fallback(config: &Config) -> Option<Fallback> {
    let mail = config.mail.as_ref()?;
    let to = mail.fallback_to.iter();
    Some(Fallback {
        after: mail.fallback_after,
        to: to.map(|to| super::mail::place(to)).collect(),
    })
}

fn make_transports(config: &Config) -> Vec<Box<dyn Transport>> {
    super::TRANSPORTS
        .iter()
        .filter_map(|service| (service.make)(config))
        .collect()
}
