//! The core: owns all state, takes one event at a time, and answers with effects. It never waits, never
//! reads a clock, and cannot fail; what goes wrong outside arrives as a `Fault` inside an event.

mod clock;
mod heartbeat;
mod invocations;
mod names;
mod publication;
mod replies;
mod restart_reason;
mod start;
mod storage;
mod test_alert;
mod turn;

use crate::alert::AlertBook;
use crate::alert::notify::{Notifier, NotifyEnv};
use crate::chat::audit::AuditTail;
use crate::chat::codes::Codes;
use crate::chat::{Asked, Chat, ChatEnv, Invocation, Resumed, Spec};
use crate::config::Config;
use crate::ctx::{Ctx, Notice};
use crate::effect::{Effect, Effects, Ticket, earlier};
use crate::event::{Event, Reply};
use crate::fault::Fault;
use crate::history::{History, Query};
use crate::host::Look;
use crate::house::Machine;
use crate::plugins::{HOUSE, Make, PLUGINS, Plugin};
use crate::rng::Rng;
use crate::small::SmallMap;
use crate::snapshot::{Health, Snapshot, View};
use crate::snmp::SnmpReply;
use crate::state::Pending;
use crate::time::{Mono, Now, RELEASED};
use clock::ahead_ms;
use heartbeat::Heartbeat;
use publication::PUBLISH_INTERVAL;
use rackwarden_base::Tickets;
use replies::Replies;
pub use restart_reason::Past;
use restart_reason::RestartReason;
pub use start::Start;
use std::sync::Arc;
use test_alert::TestAlert;

/// Owners of tickets: the core itself, the chat, and from here on the plugins in their order.
const OWNER_CORE: u8 = 0;
const OWNER_CHAT: u8 = 1;
const OWNER_PLUGINS: u8 = 2;

/// All state of the agent.
pub struct Core {
    config: Arc<Config>,
    started: Now,
    plugins: Vec<Box<dyn Plugin>>,
    plugin_names: Vec<&'static str>,
    specs: Vec<&'static Spec>,
    chat: Chat,
    book: AlertBook,
    notifier: Notifier,
    pending: Pending,
    rng: Rng,
    next_ticket: u64,
    restart_reason: RestartReason,
    heartbeat: Option<Heartbeat>,
    test_alerts: Vec<TestAlert>,
    audit: AuditTail,
    history: History,
    notices: Vec<Notice>,
    replies: Replies,
    /// Lines that wait for the first complete cycle.
    held: Option<Vec<Asked>>,
    machine: Machine,
    storage_fault: Option<Fault>,
    log_fault: Option<Fault>,
    journal_records: u64,
    /// Views of plugins that do not run, in the order of the table, made for the configuration in force.
    idle: Vec<Option<Arc<dyn View>>>,
    /// The latest publication, and the one before it, whose memory the next one takes.
    snapshot: Arc<Snapshot>,
    spare: Arc<Snapshot>,
    published_at: Option<Mono>,
    published_revision: u64,
    /// Revision of the alerts in `snapshot`.
    published_alerts: Option<u64>,
    /// Counts changes that no part's own revision shows.
    revision: u64,
    is_stopped: bool,
    /// While the wall clock has not been set: how far it is ahead of the monotonic one, in milliseconds.
    unset_clock: Option<i64>,
}

impl Core {
    /// Makes the core and lets every part begin; their first effects go to `effects`.
    pub fn new(start: Start, effects: &mut Effects) -> Core {
        Core::with_plugins(start, &[], effects)
    }

    /// As `new`, with plugins beside those of the table: for tests, and for those who build an agent of their own.
    pub fn with_plugins(start: Start, further: &[Make], effects: &mut Effects) -> Core {
        let Start {
            config,
            records,
            now,
            seed,
            holds_lines,
            past,
            keeps_history,
        } = start;
        let plugins: Vec<Box<dyn Plugin>> = PLUGINS
            .iter()
            .filter(|row| config.plugins.contains(&row.section.name))
            .filter_map(|row| row.make.as_ref())
            .chain(further)
            .chain(HOUSE)
            .map(|make| make(&config))
            .collect();
        let mut specs: Vec<&'static Spec> = crate::house::specs();
        specs.extend(plugins.iter().flat_map(|plugin| plugin.commands()));
        let mut book = AlertBook::default();
        book.restore(&records);
        let mut notifier = Notifier::default();
        notifier.restore(&records);
        let mut pending = Pending::new(records.seq);
        let zone = &config.notify.timezone;
        let (restart_reason, restarted) =
            RestartReason::begin(now, &records, &past, zone, &mut pending);
        let mut core = Core {
            started: now,
            plugin_names: plugins[..plugins.len() - HOUSE.len()]
                .iter()
                .map(|plugin| plugin.name())
                .collect(),
            plugins,
            specs,
            chat: Chat::new(&config, Codes::new(seed)),
            book,
            notifier,
            pending,
            rng: Rng::new(Codes::new(!seed).next_u128() as u64),
            next_ticket: 0,
            restart_reason,
            heartbeat: None,
            test_alerts: Vec::new(),
            audit: AuditTail::restore(&records),
            history: History::new(now, keeps_history && config.history.on_disk),
            notices: Vec::new(),
            replies: Replies::default(),
            held: holds_lines.then(Vec::new),
            machine: Machine::default(),
            storage_fault: None,
            log_fault: None,
            journal_records: records.seq,
            idle: Vec::new(),
            snapshot: Arc::new(Snapshot::empty(now, Arc::clone(&config))),
            spare: Arc::new(Snapshot::empty(now, Arc::clone(&config))),
            published_at: None,
            published_revision: 0,
            published_alerts: None,
            revision: 1,
            is_stopped: false,
            unset_clock: (now.wall < RELEASED).then(|| ahead_ms(now)),
            config,
        };
        core.with_chat(now, effects, |chat, env| {
            chat.start(env, &records);
            if let Some(text) = restarted {
                chat.tell_owners(env, &text);
            }
            if !records.repairs.is_empty() {
                let repairs = records.repairs.join("; ");
                log::warn!("state: {repairs}");
                chat.tell_owners(env, &format!("the state was repaired: {repairs}"));
            }
        });
        for index in 0..core.plugins.len() {
            core.with_plugin(index, now, effects, |plugin, ctx| {
                plugin.start(ctx, &records)
            });
        }
        for resumed in core.with_chat(now, effects, |chat, env| chat.resume(env)) {
            match resumed {
                Resumed::Again(invocation) => core.run(now, invocation, effects),
                Resumed::Unknown(invocation) => core.recall(now, &invocation, effects),
            }
        }
        core.set_heartbeat(now);
        core.end_turn(now, effects);
        core
    }

    /// Takes one event. Everything that follows from it is in `effects` afterwards.
    pub fn step(&mut self, now: Now, event: Event, effects: &mut Effects) {
        if self.unset_clock.is_some() {
            self.watch_clock(now);
        }
        self.history.advance(now);
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.note_event(now.mono, &event);
        }
        match event {
            Event::Timeout => {}
            Event::Snmp(replies) => self.handle_snmp(now, replies, effects),
            Event::Done { ticket, reply } => self.handle_done(now, ticket, reply, effects),
            Event::Archived { result, repairs } => {
                self.handle_archived(now, result, repairs, effects);
            }
            Event::HourLoaded(bytes) => self.history.handle_hour(now, &bytes),
            Event::Stored { seq, result } => self.handle_stored(now, seq, result, effects),
            Event::Appended(result) => self.handle_appended(result),
            Event::Asked(asked) => self.handle_asked(now, asked, effects),
            Event::Reload(config) => self.reload(now, Arc::new(*config), effects),
            Event::Stop => self.stop(now, effects),
        }
        if !self.is_stopped {
            self.handle_timeouts(now, effects);
        }
        self.end_turn(now, effects);
        let due = self.poll_timeout();
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.note_turn(now.mono, effects, due);
        }
    }

    /// When the core wants to be called again without any event.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let mut next = earlier(self.chat.poll_timeout(), self.notifier.poll_timeout());
        next = earlier(next, self.book.poll_timeout());
        next = earlier(next, self.replies.poll_timeout());
        next = earlier(next, self.history.poll_timeout());
        next = earlier(next, self.test_alert_timeout());
        next = earlier(next, self.heartbeat.as_ref().map(Heartbeat::poll_timeout));
        for plugin in &self.plugins {
            next = earlier(next, plugin.poll_timeout());
        }
        if self.current_revision() != self.published_revision {
            next = earlier(
                next,
                Some(
                    self.published_at
                        .map_or(Mono::ZERO, |at| at + PUBLISH_INTERVAL),
                ),
            );
        }
        next
    }

    /// Asks what series were, under a ticket that nobody waits for.
    pub(crate) fn ask_what_was(&mut self, now: Now, query: &Query, effects: &mut Effects) {
        let ticket = Tickets::new(OWNER_CORE, &mut self.next_ticket).issue();
        let question = self.history.query(now, ticket, query);
        effects.push(Effect::ask_history(ticket, question));
    }

    /// True once `Event::Stop` has been taken.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// The configuration in force.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Hands a reply to the owner of its ticket.
    fn handle_done(&mut self, now: Now, ticket: Ticket, reply: Reply, effects: &mut Effects) {
        match (ticket.owner(), reply) {
            (OWNER_CORE, Reply::Host(result)) => {
                let invocations = self.machine.handle(now, result);
                self.run_all(now, invocations, effects);
            }
            (OWNER_CORE, _) => {}
            (OWNER_CHAT, reply) => {
                let take = |chat: &mut Chat, env: &mut ChatEnv<'_>| chat.handle(env, ticket, reply);
                let invocations = self.with_chat(now, effects, take);
                self.run_all(now, invocations, effects);
            }
            (owner, reply) => self.with_owner(now, owner, effects, |plugin, ctx| {
                plugin.handle(ctx, ticket, reply)
            }),
        }
    }

    /// Hands each plugin its part of a batch, which almost always has one owner.
    fn handle_snmp(&mut self, now: Now, replies: Vec<SnmpReply>, effects: &mut Effects) {
        let Some(first) = replies.first().map(|reply| reply.ticket.owner()) else {
            return;
        };
        if replies.iter().all(|reply| reply.ticket.owner() == first) {
            let take =
                |plugin: &mut dyn Plugin, ctx: &mut Ctx<'_>| plugin.handle_snmp(ctx, replies);
            return self.with_owner(now, first, effects, take);
        }
        let mut by_owner: SmallMap<u8, Vec<SnmpReply>> = SmallMap::new();
        for reply in replies {
            by_owner
                .entry(reply.ticket.owner())
                .or_default()
                .push(reply);
        }
        for (owner, replies) in by_owner {
            self.with_owner(now, owner, effects, |plugin, ctx| {
                plugin.handle_snmp(ctx, replies)
            });
        }
    }

    fn handle_timeouts(&mut self, now: Now, effects: &mut Effects) {
        for index in 0..self.plugins.len() {
            if self.plugins[index]
                .poll_timeout()
                .is_some_and(|at| at <= now.mono)
            {
                self.with_plugin(index, now, effects, |plugin, ctx| {
                    plugin.handle_timeout(ctx)
                });
            }
        }
        if self.book.poll_timeout().is_some_and(|at| at <= now.mono) {
            for change in self.book.handle_timeout(now, &mut self.pending) {
                self.with_notifier(now, |notifier, env| notifier.handle_change(env, &change));
            }
        }
        if self
            .notifier
            .poll_timeout()
            .is_some_and(|at| at <= now.mono)
        {
            self.with_notifier(now, Notifier::handle_timeout);
        }
        if self.chat.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.with_chat(now, effects, |chat, env| chat.handle_timeout(env));
        }
        let ops = self.history.handle_timeout(now).into_iter();
        effects.extend(ops.map(Effect::History));
        let due = self.heartbeat.as_ref().map(Heartbeat::poll_timeout);
        if due.is_some_and(|at| at <= now.mono) {
            self.refresh_snapshot(now);
            let is_well = self.snapshot.health.problems.is_empty();
            let mut tickets = Tickets::new(OWNER_CORE, &mut self.next_ticket);
            if let Some(heartbeat) = &mut self.heartbeat {
                heartbeat.handle_timeout(now.mono, is_well, &mut tickets, effects);
            }
        }
    }

    fn run(&mut self, now: Now, invocation: Invocation, effects: &mut Effects) {
        if let Some(index) = self.owner_of(&invocation) {
            return self.with_plugin(index, now, effects, |plugin, ctx| {
                plugin.run(ctx, &invocation)
            });
        }
        self.refresh_snapshot(now);
        if self.machine.holds(now, &self.snapshot, &invocation) {
            let ticket = Tickets::new(OWNER_CORE, &mut self.next_ticket).issue();
            let look = Look::Sample;
            effects.push(Effect::Host { ticket, look });
            return;
        }
        self.run_builtin(now, &invocation, effects);
    }

    /// Lends itself to the plugin that owns these tickets.
    fn with_owner(
        &mut self,
        now: Now,
        owner: u8,
        effects: &mut Effects,
        act: impl FnOnce(&mut dyn Plugin, &mut Ctx<'_>),
    ) {
        let index = usize::from(owner.wrapping_sub(OWNER_PLUGINS));
        if index < self.plugins.len() {
            self.with_plugin(index, now, effects, act);
        }
    }

    fn reload(&mut self, now: Now, config: Arc<Config>, effects: &mut Effects) {
        let old = std::mem::replace(&mut self.config, config);
        self.with_chat(now, effects, |chat, env| chat.reload(env));
        for index in 0..self.plugins.len() {
            self.with_plugin(index, now, effects, |plugin, ctx| plugin.reload(ctx, &old));
        }
        self.with_notifier(now, |notifier, env| notifier.reload(env));
        self.set_heartbeat(now);
        self.idle.clear();
        self.revision += 1;
        let counts = self.config.counts();
        let counts: Vec<String> = counts
            .map(|(what, count)| format!("{what}s: {count}"))
            .collect();
        log::info!("configuration reloaded: {}", counts.join(", "));
    }

    fn stop(&mut self, now: Now, effects: &mut Effects) {
        for index in 0..self.plugins.len() {
            self.with_plugin(index, now, effects, |plugin, ctx| plugin.stop(ctx));
        }
        self.with_chat(now, effects, |chat, env| chat.stop(env));
        let ops = self.history.stop(now).into_iter();
        effects.extend(ops.map(Effect::History));
        self.restart_reason.end(now, &mut self.pending);
        self.is_stopped = true;
    }

    fn current_revision(&self) -> u64 {
        let parts: u64 = self.plugins.iter().map(|plugin| plugin.revision()).sum();
        let parts = parts + self.book.revision() + self.notifier.revision();
        let parts = parts + self.history.revision();
        parts + self.chat.access().revision() + self.revision
    }

    /// Its own condition, with the problems of the plugins as their views have them.
    fn health(&self, views: &[Arc<dyn View>]) -> Health {
        let mut problems = Vec::new();
        if let Some(fault) = &self.storage_fault {
            problems.push(format!("state cannot be written: {fault}"));
        }
        if let Some(fault) = self.history.fault() {
            problems.push(format!("history cannot be written: {fault}"));
        }
        if let Some(fault) = &self.log_fault {
            problems.push(format!("a log file cannot be written: {fault}"));
        }
        for view in views {
            problems.extend(view.problems());
        }
        problems.extend(self.chat.problems());
        Health { problems }
    }
}
