//! What the commands of the house itself see, and the recent audit lines that `/audit` shows.

use super::access::Access;
use super::{Answer, ChatEnv, Invocation};
use crate::alert::AlertBook;
use crate::alert::notify::Notifier;
use crate::ctx::Notice;
use crate::event::HostOverview;
use crate::snapshot::Snapshot;
use crate::state::{Pending, Records};
use crate::time::{Now, Zone};
use std::collections::VecDeque;

/// What general, access and alert commands work with. Lent by the core for one command.
pub struct Desk<'a> {
    /// The turn.
    pub env: ChatEnv<'a>,
    /// The rights in force.
    pub access: &'a mut Access,
    /// The alerts.
    pub alerts: &'a mut AlertBook,
    /// Who is told what about them.
    pub notifier: &'a mut Notifier,
    /// The state of the agent, brought up to date for this command.
    pub snapshot: &'a Snapshot,
    /// Names of the plugins that run.
    pub plugins: &'a [&'static str],
    /// When the agent started.
    pub started: Now,
    /// Recent audit lines.
    pub audit: &'a AuditTail,
    /// The machine's figures, asked for before `/status` runs.
    pub host: Option<&'a HostOverview>,
}

impl Desk<'_> {
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
        let spec = self
            .env
            .specs
            .iter()
            .find(|spec| spec.name == invocation.command);
        let mut line = String::new();
        if !wrong.is_empty() {
            line.push_str(wrong);
            line.push('\n');
        }
        if let Some(spec) = spec {
            line.push_str(&format!("usage: /{} {}", spec.name, spec.usage));
            if !spec.example.is_empty() {
                line = format!("{} — for example {}", line.trim_end(), spec.example);
            }
        }
        self.answer(invocation, Answer::text(line));
    }
}

/// The last lines of the audit log.
#[derive(Debug, Default)]
pub struct AuditTail {
    lines: VecDeque<(u64, String)>,
    next: u64,
}

impl AuditTail {
    /// Lines that are kept.
    pub const CAPACITY: usize = 200;

    /// Takes over the lines from before the restart.
    pub fn restore(records: &Records) -> AuditTail {
        let mut lines: Vec<(u64, String)> = records
            .all::<String>("audit")
            .into_iter()
            .filter_map(|(key, line)| Some((key.parse().ok()?, line)))
            .collect();
        crate::small::sort_by_key(&mut lines, |(number, _)| *number);
        AuditTail {
            next: lines.last().map_or(0, |(number, _)| number + 1),
            lines: lines.into(),
        }
    }

    /// Keeps one line, and returns it as it is to be appended to `audit.log`.
    pub fn note(
        &mut self,
        now: Now,
        zone: &Zone,
        who: &str,
        action: &str,
        outcome: &str,
        state: &mut Pending,
    ) -> String {
        let line = format!("{} {who}: {action}: {outcome}", now.wall.local(zone));
        let line = crate::text::clean(line).replace('\n', " ");
        state.put("audit", &self.next.to_string(), &line);
        self.lines.push_back((self.next, line.clone()));
        self.next += 1;
        while self.lines.len() > AuditTail::CAPACITY {
            if let Some((number, _)) = self.lines.pop_front() {
                state.delete("audit", &number.to_string());
            }
        }
        line
    }

    /// The newest `count` lines, oldest first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &str> {
        let skip = self.lines.len().saturating_sub(count);
        self.lines.iter().skip(skip).map(|(_, line)| line.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Mono, Wall};

    #[test]
    fn the_tail_is_capped_and_survives_a_restart() {
        let (mut tail, mut state, mut records) =
            (AuditTail::default(), Pending::new(0), Records::default());
        let now = Now {
            mono: Mono::ZERO,
            wall: Wall(0),
        };
        for number in 0..AuditTail::CAPACITY + 5 {
            let line = tail.note(
                now,
                &Zone::UTC,
                "telegram:1 Ann\nfake",
                "power.reset:alpha",
                &number.to_string(),
                &mut state,
            );
            assert!(!line.contains('\n'));
            records.apply(&state.take().expect("changes"));
        }
        let tail = AuditTail::restore(&records);
        assert_eq!(tail.lines.len(), AuditTail::CAPACITY);
        let last: Vec<&str> = tail.newest(1).collect();
        assert_eq!(
            last,
            ["1970-01-01 00:00:00 telegram:1 Ann fake: power.reset:alpha: 204"]
        );
    }
}
