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

    /// The journal was written, or could not be.
    pub(super) fn handle_stored(
        &mut self,
        now: Now,
        seq: u64,
        result: Result<(), Fault>,
        effects: &mut Effects,
    ) {
        match result {
            Ok(()) => {
                if self.storage_fault.take().is_some() {
                    let count = seq.saturating_sub(self.journal_records);
                    log::warn!(
                        "state: storage works again; {count} changes that waited were written as one"
                    );
                    self.revision += 1;
                }
                self.journal_records = seq;
                self.report_storage(now, None);
                self.with_chat(now, effects, |chat, env| chat.handle_stored(env, seq));
            }
            Err(fault) => {
                if self.storage_fault.is_none() {
                    log::error!("state: cannot write: {fault}; the agent goes on in memory");
                }
                self.report_storage(now, Some(&fault));
                self.chat.handle_unstored();
                self.storage_fault = Some(fault);
                self.revision += 1;
            }
        }
    }

    /// Lines of log files were written, or could not be.
    pub(super) fn handle_appended(&mut self, result: Result<(), Fault>) {
        match &result {
            Ok(()) => {
                log::warn!("log files can be written again; the lines that waited are in them");
            }
            Err(fault) => log::error!("a log file cannot be written: {fault}"),
        }
        self.log_fault = result.err();
        self.revision += 1;
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
