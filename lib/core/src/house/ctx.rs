//! What the commands of the house itself see.

use crate::alert::notify::Notifier;
use crate::alert::{AlertBook, Rule};
use crate::chat::access::Access;
use crate::chat::audit::AuditTail;
use crate::chat::{Answer, ChatEnv, Invocation};
use crate::ctx::Notice;
use crate::history::History;
use crate::host::HostView;
use crate::snapshot::Snapshot;
use crate::time::Now;

/// What general, access and alert commands work with. Lent by the core for one command.
pub struct HouseCtx<'a> {
    /// The turn.
    pub env: ChatEnv<'a>,
    /// The rights in force.
    pub access: &'a mut Access,
    /// The alerts.
    pub alerts: &'a mut AlertBook,
    /// Who is told what about them.
    pub notifier: &'a mut Notifier,
    /// The names of all rules as they are configured.
    pub rules: &'a dyn Fn() -> Vec<String>,
    /// The rule of a name, and the unit of its values.
    pub rule: &'a dyn Fn(&str) -> Option<(Rule, &'static str)>,
    /// What values were.
    pub history: &'a History,
    /// The state of the agent, brought up to date for this command.
    pub snapshot: &'a Snapshot,
    /// Names of the plugins that run.
    pub plugins: &'a [&'static str],
    /// When the agent started.
    pub started: Now,
    /// Recent audit lines.
    pub audit: &'a AuditTail,
    /// The machine's figures, asked for before `/status` runs unless the monitor has them.
    pub host: Option<&'a HostView>,
}

impl HouseCtx<'_> {
    /// Answers an invocation.
    pub fn answer(&mut self, invocation: &Invocation, answer: Answer) {
        self.env.notices.push(Notice::Answer {
            to: invocation.reply_to.clone(),
            answer,
        });
    }

    /// Notes an outcome in the audit log.
    pub fn audit(&mut self, invocation: &Invocation, action: String, outcome: impl Into<String>) {
        self.env.notices.push(Notice::Audit {
            who: invocation.caller.for_audit(),
            action,
            outcome: outcome.into(),
        });
    }

    /// Answers with how the command is to be written, after what was wrong (may be empty).
    pub fn usage(&mut self, invocation: &Invocation, wrong: &str) {
        let mut line = String::new();
        if !wrong.is_empty() {
            line.push_str(wrong);
            line.push('\n');
        }
        line.push_str(&invocation.spec.written_usage());
        self.answer(invocation, Answer::text(line));
    }
}
