//! One turn: lending the core's parts to whoever acts, and closing the books at its end.

use super::names::{KnownNames, rules};
use super::*;
use crate::house::{self, HouseCtx};
use crate::plugins::Row;

impl Core {
    pub(super) fn with_plugin<T>(
        &mut self,
        index: usize,
        now: Now,
        effects: &mut Effects,
        act: impl FnOnce(&mut dyn Plugin, &mut Ctx<'_>) -> T,
    ) -> T {
        let mut ctx = Ctx {
            now,
            config: &self.config,
            effects,
            tickets: Tickets::new(OWNER_PLUGINS + index as u8, &mut self.next_ticket),
            state: &mut self.pending,
            access: self.chat.access(),
            alerts: &self.book,
            history: &mut self.history,
            notices: &mut self.notices,
            rng: &mut self.rng,
        };
        act(&mut *self.plugins[index], &mut ctx)
    }

    pub(super) fn with_chat<T>(
        &mut self,
        now: Now,
        effects: &mut Effects,
        act: impl FnOnce(&mut Chat, &mut ChatEnv<'_>) -> T,
    ) -> T {
        let names = KnownNames {
            plugins: &self.plugins,
            config: &self.config,
            alerts: Some(&self.book),
        };
        let mut env = ChatEnv {
            now,
            config: &self.config,
            effects,
            tickets: Tickets::new(OWNER_CHAT, &mut self.next_ticket),
            state: &mut self.pending,
            rng: &mut self.rng,
            specs: &self.specs,
            names: &names,
            notices: &mut self.notices,
        };
        act(&mut self.chat, &mut env)
    }

    pub(super) fn with_notifier<T>(
        &mut self,
        now: Now,
        act: impl FnOnce(&mut Notifier, &mut NotifyEnv<'_>) -> T,
    ) -> T {
        let mut env = NotifyEnv {
            now,
            config: &self.config,
            book: &mut self.book,
            outbox: self.chat.outbox(),
            state: &mut self.pending,
        };
        act(&mut self.notifier, &mut env)
    }

    /// Runs a command of the house itself.
    pub(super) fn run_builtin(&mut self, now: Now, invocation: &Invocation, effects: &mut Effects) {
        let (plugins, config) = (&self.plugins, &self.config);
        let names = KnownNames {
            plugins,
            config,
            alerts: None,
        };
        let env = ChatEnv {
            now,
            config,
            effects,
            tickets: Tickets::new(OWNER_CHAT, &mut self.next_ticket),
            state: &mut self.pending,
            rng: &mut self.rng,
            specs: &self.specs,
            names: &names,
            notices: &mut self.notices,
        };
        let mut house = HouseCtx {
            env,
            access: self.chat.access_mut(),
            alerts: &mut self.book,
            notifier: &mut self.notifier,
            rules: &|| rules(plugins, config),
            rule: &|name| plugins.iter().find_map(|one| one.rule(config, name)),
            history: &self.history,
            snapshot: &self.snapshot,
            plugins: &self.plugin_names,
            started: self.started,
            audit: &self.audit,
            host: self.machine.host(now, &self.snapshot),
        };
        house::run(&mut house, invocation);
    }

    /// Hands the notices on, takes the turn's changes as one record, and lets go what may leave.
    pub(super) fn end_turn(&mut self, now: Now, effects: &mut Effects) {
        self.settle_test_alerts(now);
        let mut first_cycle_done = false;
        while !self.notices.is_empty() {
            for notice in std::mem::take(&mut self.notices) {
                match notice {
                    Notice::Report(report) => {
                        if let Some(change) = self.book.report(now, report, &mut self.pending) {
                            self.with_notifier(now, |notifier, env| {
                                notifier.handle_change(env, &change)
                            });
                        }
                    }
                    Notice::Answer { to, answer } => {
                        self.with_chat(now, effects, |chat, env| chat.answer(env, &to, answer))
                    }
                    Notice::Audit {
                        who,
                        action,
                        outcome,
                    } => {
                        let action = self.config.without_secrets(action);
                        let zone = self.config.notify.timezone.clone();
                        let line =
                            self.audit
                                .note(now, &zone, &who, &action, &outcome, &mut self.pending);
                        effects.push(Effect::Append {
                            file: crate::effect::LogFile::Audit,
                            line,
                        });
                    }
                    Notice::FirstCycleDone => first_cycle_done = true,
                }
            }
            if first_cycle_done {
                first_cycle_done = false;
                for asked in self.held.take().unwrap_or_default() {
                    self.handle_asked(now, asked, effects);
                }
            }
        }
        self.with_chat(now, effects, |chat, env| chat.flush(env));
        self.restart_reason.sign(now, &mut self.pending);
        let turn = self.pending.take();
        self.replies.hold(now.mono, turn.as_ref(), effects);
        let stored = if self.is_stopped {
            u64::MAX
        } else {
            self.journal_records
        };
        self.replies.release(now.mono, stored, effects);
        if let Some(turn) = turn {
            effects.push(Effect::Store(turn));
        }
    }

    /// Brings the core's own copy of the snapshot up to date. Readers keep what they hold; the memory of the
    /// publication before the last one is reused when nobody holds it any longer.
    pub(super) fn refresh_snapshot(&mut self, now: Now) {
        let counters = self.chat.counters();
        let mut next = std::mem::replace(&mut self.spare, Arc::clone(&self.snapshot));
        let version = self.snapshot.version + 1;
        let snapshot = Arc::make_mut(&mut next);
        snapshot.version = version;
        snapshot.now = now;
        snapshot.started = self.started.wall;
        snapshot.config = Arc::clone(&self.config);
        snapshot.plugins.clone_from(&self.plugin_names);
        snapshot.local_viewers = self.chat.access().local_viewers(now.wall);
        // With hundreds of alerts their words are most of a publication, and they rarely change.
        let revision = Some(self.book.revision() + self.notifier.revision());
        snapshot.alerts = if self.published_alerts == revision {
            Arc::clone(&self.snapshot.alerts)
        } else {
            Arc::new(self.book.views(&self.notifier))
        };
        self.published_alerts = revision;
        snapshot.last_hour = self.history.last_hour(now);
        snapshot.history = self.history.sparks();
        // Lets go of those of before: their memory is used again.
        snapshot.views.clear();
        self.fill_views(now, &mut snapshot.views);
        snapshot.health = self.health(&snapshot.views);
        snapshot.counters.messages_sent = counters.sent;
        snapshot.counters.messages_failed = counters.failed;
        snapshot.counters.messages_queued = counters.queued;
        snapshot.counters.commands = counters.commands;
        snapshot.counters.refused = counters.refused;
        snapshot.counters.received = counters.received;
        snapshot.counters.journal_records = self.journal_records;
        self.snapshot = next;
    }

    /// One view for each plugin of the table, running or not, and those of the plugins beside it.
    fn fill_views(&mut self, now: Now, views: &mut Vec<Arc<dyn View>>) {
        if self.idle.is_empty() {
            let runs = |row: &Row| self.plugin_names.contains(&row.section.name);
            let idle = |row: &Row| {
                row.idle
                    .filter(|_| !runs(row))
                    .map(|idle| idle(&self.config))
            };
            self.idle = PLUGINS.iter().map(idle).collect();
        }
        let mut plugins = self.plugins.iter_mut().peekable();
        for (row, idle) in PLUGINS.iter().zip(&self.idle) {
            views.extend(idle.clone());
            if let Some(plugin) = plugins.next_if(|plugin| plugin.name() == row.section.name) {
                views.extend(plugin.view(now, &self.config));
            }
        }
        views.extend(plugins.filter_map(|plugin| plugin.view(now, &self.config)));
    }
}
