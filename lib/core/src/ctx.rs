//! What a plugin sees of the house during one turn.

use crate::alert::{AlertBook, Report};
use crate::chat::access::Access;
use crate::chat::{Answer, Invocation, ReplyTo};
use crate::config::Config;
use crate::effect::{Effect, Effects, LogFile, Ticket};
use crate::history::{History, Query};
use crate::rng::Rng;
use crate::state::Pending;
use crate::time::Now;
use rackwarden_base::Tickets;
use std::sync::Arc;

/// The context of one turn. Lent by the core to whoever acts.
pub struct Ctx<'a> {
    /// Both clocks, read once for this turn.
    pub now: Now,
    /// The configuration in force.
    pub config: &'a Arc<Config>,
    /// What goes out to the world.
    pub effects: &'a mut Effects,
    /// Makes tickets that come back to the owner of this context.
    pub tickets: Tickets<'a>,
    /// Durable changes of this turn.
    pub state: &'a mut Pending,
    /// The rights in force, to read.
    pub access: &'a Access,
    /// The alerts, to read.
    pub alerts: &'a AlertBook,
    /// What was measured: series to note values in, and to ask.
    pub history: &'a mut History,
    /// What stays inside: reports, answers, audit lines. The core hands it on at the end of the turn.
    pub notices: &'a mut Vec<Notice>,
    /// Seeded random numbers.
    pub rng: &'a mut Rng,
}

/// Something that stays inside the house.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// For the alert book.
    Report(Report),
    /// For a person.
    Answer {
        /// Where it goes.
        to: ReplyTo,
        /// What it says.
        answer: Answer,
    },
    /// For the audit log: the outcome of an action.
    Audit {
        /// The person and the place, as `Caller::for_audit` writes them.
        who: String,
        /// What and on what: `outlet.off:alpha`.
        action: String,
        /// What came of it.
        outcome: String,
    },
    /// Nothing outside waits any longer for the first complete look at the world: in `demo` a command is
    /// answered only after it.
    FirstCycleDone,
}

impl Ctx<'_> {
    /// Answers an invocation. May be called more than once, with `Answer::more_follows` on all but the last.
    pub fn answer(&mut self, to: &ReplyTo, answer: Answer) {
        self.notices.push(Notice::Answer {
            to: to.clone(),
            answer,
        });
    }

    /// Answers with how the command is to be written.
    pub fn usage(&mut self, invocation: &Invocation) {
        let line = invocation.spec.written_usage();
        self.answer(&invocation.reply_to, Answer::text(line));
    }

    /// Asks what series were. The answer comes as `Reply::History` under this ticket.
    pub fn recall(&mut self, query: &Query) -> Ticket {
        let ticket = self.tickets.issue();
        let question = self.history.query(self.now, ticket, query);
        self.effects.push(Effect::ask_history(ticket, question));
        ticket
    }

    /// Reports to the alert book.
    pub fn report(&mut self, report: Report) {
        self.notices.push(Notice::Report(report));
    }

    /// Appends a line to a log file.
    pub fn append(&mut self, file: LogFile, line: String) {
        self.effects.push(Effect::Append { file, line });
    }

    /// Notes an outcome in the audit log.
    pub fn audit(&mut self, invocation: &Invocation, action: String, outcome: impl Into<String>) {
        self.notices.push(Notice::Audit {
            who: invocation.caller.for_audit(),
            action,
            outcome: outcome.into(),
        });
    }
}
