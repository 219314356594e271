//! Names, streams and programs of a simulation: a script gets each action and returns the answers with their delays. Without a
//! script nobody listens and no program is there, and no name is found.

use super::{Delivery, Sim};
use crate::effect::Ticket;
use crate::event::{Event, Reply};
use crate::fault::{Fault, FaultKind};
use crate::run::{RunAction, RunEvent, RunOp};
use crate::stream::{StreamAction, StreamEvent, StreamOp};
use std::time::Duration;

/// A peer's answers to an action on a stream. A script minds the credits itself.
pub type StreamScript = Box<dyn FnMut(&StreamOp) -> Vec<(Duration, StreamEvent)> + Send>;
/// A program's answers to an action on it.
pub type RunScript = Box<dyn FnMut(&RunOp) -> Vec<(Duration, RunEvent)> + Send>;

/// The scripts of a simulation.
#[derive(Default)]
pub(super) struct Outside {
    stream: Option<StreamScript>,
    run: Option<RunScript>,
}

impl Sim {
    /// Answers all streams from here on.
    pub fn script_streams(&mut self, script: StreamScript) {
        self.outside.stream = Some(script);
    }

    /// Answers all runs from here on.
    pub fn script_runs(&mut self, script: RunScript) {
        self.outside.run = Some(script);
    }

    /// Something that a peer or a program says by itself, after this time.
    pub fn reply_later(&mut self, after: Duration, ticket: Ticket, reply: Reply) {
        self.enqueue(after, Delivery::Event(Event::Done { ticket, reply }));
    }

    pub(super) fn look_up(&mut self, ticket: Ticket, host: &str) {
        let detail = format!("cannot look up {host}: no such name in this world");
        let reply = Reply::Resolved(Err(Fault::new(FaultKind::Unreachable, detail)));
        self.reply_later(Duration::from_millis(1), ticket, reply);
    }

    pub(super) fn stream(&mut self, op: &StreamOp) {
        let answers = match (&mut self.outside.stream, &op.action) {
            (Some(script), _) => script(op),
            (None, StreamAction::Open(_)) => {
                let fault = Fault::new(FaultKind::Unreachable, "connection refused");
                vec![(Duration::from_millis(1), StreamEvent::Closed(Err(fault)))]
            }
            (None, _) => Vec::new(),
        };
        for (after, event) in answers {
            self.reply_later(after, op.ticket, Reply::Stream(event));
        }
    }

    pub(super) fn run_program(&mut self, op: &RunOp) {
        let answers = match (&mut self.outside.run, &op.action) {
            (Some(script), _) => script(op),
            (None, RunAction::Start(_)) => {
                let fault = Fault::new(FaultKind::Rejected, "no program is in this world");
                vec![(Duration::from_millis(1), RunEvent::Ended(Err(fault)))]
            }
            (None, _) => Vec::new(),
        };
        for (after, event) in answers {
            self.reply_later(after, op.ticket, Reply::Run(event));
        }
    }
}
