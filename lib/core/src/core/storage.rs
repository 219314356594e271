//! The agent's alert about itself: the state directory cannot be written. Messages still leave, from memory.

use super::Core;
use crate::alert::{AlertState, Report};
use crate::ctx::Notice;
use crate::effect::Effects;
use crate::fault::Fault;
use crate::time::Now;

const NAME: &str = "agent.storage:state";

impl Core {
    /// The long history was written, or could not be.
    pub(super) fn handle_archived(
        &mut self,
        now: Now,
        result: Result<(), Fault>,
        repairs: Vec<String>,
        effects: &mut Effects,
    ) {
        if !repairs.is_empty() {
            let repairs = repairs.join("; ");
            log::warn!("history: {repairs}");
            let text = format!("the history was repaired: {repairs}");
            self.with_chat(now, effects, |chat, env| chat.tell_owners(env, &text));
        }
        self.history.handle_archived(result);
    }

    /// Says that the state cannot be written, or that it can again. Once each.
    pub(super) fn report_storage(&mut self, now: Now, fault: Option<&Fault>) {
        let is_firing = self.book.get(NAME).is_some();
        if is_firing == fault.is_some() {
            return;
        }
        let (state, summary, reason) = match fault {
            Some(fault) => (
                AlertState::Firing,
                format!(
                    "cannot be written: {fault}; going on in memory, a restart would forget what is new"
                ),
                "a write failed",
            ),
            None => (
                AlertState::Ok,
                "can be written again, and nothing is missing".to_owned(),
                "a write succeeded",
            ),
        };
        let report = Report::of_agent(now, NAME, "state directory", (state, summary, reason));
        self.notices.push(Notice::Report(report));
    }
}
