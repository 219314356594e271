//! The hub: every way in and every way out of the chat meet here. It owns rights, outbox and transports;
//! what a line means is decided in `reception`.

use super::access::Access;
use super::buttons::Place;
use super::limiter::Limiter;
use super::outbox::{Draft, EditOf, Lane, Outbox};
use super::sessions::Sessions;
use super::{
    Address, Answer, Arg, Asked, Caller, Incoming, IncomingKind, Invocation, ReplyTo, Spec,
};
use crate::config::Config;
use crate::ctx::{Notice, Tickets};
use crate::effect::{Effect, Effects, Ticket};
use crate::event::HttpResponse;
use crate::fault::Fault;
use crate::rng::Rng;
use crate::state::{Pending, Records};
use crate::time::{Mono, Now};
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
    /// Names that start with the given text.
    pub complete: &'a dyn Fn(Arg, &str) -> Vec<String>,
    /// What stays inside: answers, audit lines.
    pub notices: &'a mut Vec<Notice>,
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
}

/// The chat.
pub struct Chat {
    pub(super) access: Access,
    pub(super) outbox: Outbox,
    pub(super) sessions: Sessions,
    pub(super) counters: ChatCounters,
    pub(super) refusals: Refusals,
}

/// How often somebody is told no.
pub(super) struct Refusals {
    /// A person who has some right.
    pub(super) to_known: Limiter,
    /// A stranger, or a group of them.
    pub(super) to_strangers: Limiter,
    /// What everybody may ask (`/id`).
    pub(super) small_talk: Limiter,
    /// Lines in the audit log.
    pub(super) audited: Limiter,
}

impl Chat {
    /// Makes the chat for a configuration.
    pub fn new(config: &Config) -> Chat {
        Chat {
            access: Access::new(&config.access),
            outbox: Outbox::default(),
            sessions: Sessions::default(),
            counters: ChatCounters::default(),
            refusals: Refusals {
                to_known: Limiter::new(3, Duration::from_secs(20)),
                to_strangers: Limiter::new(1, Duration::from_secs(60)),
                small_talk: Limiter::new(3, Duration::from_secs(20)),
                audited: Limiter::new(5, Duration::from_secs(60)),
            },
        }
    }

    /// Begins: takes over what was on disk.
    pub fn start(&mut self, env: &mut ChatEnv<'_>, records: &Records) {
        self.access.restore(records);
        self.outbox.restore(env.now, records, env.rng);
    }

    /// The configuration in `env` is in force.
    pub fn reload(&mut self, env: &mut ChatEnv<'_>) {
        self.access.reload(&env.config.access);
    }

    /// Takes a line from the terminal or the local socket. Refusals and errors are answered here; what may
    /// run comes back.
    pub fn handle_asked(&mut self, env: &mut ChatEnv<'_>, asked: Asked) -> Vec<Invocation> {
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
            caller: Caller {
                address: super::sessions::address_of(&asked.who),
                who: asked.who,
                name: String::new(),
                is_private: true,
                is_owner: asked.is_owner,
            },
            message: None,
            sent_unix_seconds: None,
            kind,
        };
        self.receive(env, incoming, Some(asked.session))
            .into_iter()
            .collect()
    }

    /// Takes the answer to an HTTP call of the chat. What may run comes back.
    pub fn handle_http(
        &mut self,
        _env: &mut ChatEnv<'_>,
        _ticket: Ticket,
        _result: Result<HttpResponse, Fault>,
    ) -> Vec<Invocation> {
        Vec::new()
    }

    /// Sends an answer to where the question came from.
    pub fn answer(&mut self, env: &mut ChatEnv<'_>, to: &ReplyTo, answer: Answer) {
        let place = Place {
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
                        .register(env.now.mono, button, place, env.state)
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
        };
        self.outbox
            .push_for(env.now, env.state, draft, Some(&to.who));
    }

    /// Everything up to this journal record is on disk.
    pub fn handle_stored(&mut self, _env: &mut ChatEnv<'_>, _seq: u64) {}

    /// Acts on everything that is due.
    pub fn handle_timeout(&mut self, _env: &mut ChatEnv<'_>) {}

    /// When the chat wants to act again.
    pub fn poll_timeout(&self) -> Option<Mono> {
        None
    }

    /// The end of a turn: lets go what may leave now.
    pub fn flush(&mut self, _env: &mut ChatEnv<'_>) {}

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
        self.counters
    }

    /// What is wrong, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn bot_name(&self, _address: &Address) -> Option<&str> {
        None
    }
}
