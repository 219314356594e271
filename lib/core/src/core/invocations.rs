//! Which commands run, and which wait: a line may come too early, and what a command does outside waits for its mark.

use super::Core;
use crate::chat::{Answer, Asked, Invocation};
use crate::ctx::Notice;
use crate::effect::Effects;
use crate::time::Now;

impl Core {
    /// Takes a line of the terminal or the local socket.
    pub(super) fn handle_asked(&mut self, now: Now, asked: Asked, effects: &mut Effects) {
        if let Some(held) = &mut self.held {
            held.push(asked);
            return;
        }
        let Some(asked) = self.take_test_alert(now, asked) else {
            return;
        };
        let invocations = self.with_chat(now, effects, |chat, env| chat.handle_asked(env, asked));
        self.run_all(now, invocations, effects);
    }

    pub(super) fn run_all(
        &mut self,
        now: Now,
        invocations: Vec<Invocation>,
        effects: &mut Effects,
    ) {
        for invocation in invocations {
            if invocation.reply_to.mark.is_none() {
                self.run(now, invocation, effects);
                continue;
            }
            let mut own = Effects::new();
            self.run(now, invocation, &mut own);
            self.replies
                .hold_command(now.mono, self.pending.seq(), own, effects);
        }
    }

    /// Tells what is known of a command that the end of the agent interrupted.
    pub(super) fn recall(&mut self, now: Now, invocation: &Invocation, effects: &mut Effects) {
        self.notices.push(Notice::Audit {
            who: invocation.caller.for_audit(),
            action: invocation.line(),
            outcome: "outcome unknown: the agent ended while it was under way".to_owned(),
        });
        let takes_it = self.owner_of(invocation).is_some_and(|index| {
            self.with_plugin(index, now, effects, |plugin, ctx| {
                plugin.recall(ctx, invocation)
            })
        });
        if !takes_it {
            self.notices.push(Notice::Answer {
                to: invocation.reply_to.clone(),
                answer: Answer::text(invocation.outcome_unknown()),
            });
        }
    }

    /// The plugin whose table has the command.
    pub(super) fn owner_of(&self, invocation: &Invocation) -> Option<usize> {
        self.plugins.iter().position(|plugin| {
            let commands = plugin.commands();
            commands.iter().any(|spec| **spec == *invocation.spec)
        })
    }
}
