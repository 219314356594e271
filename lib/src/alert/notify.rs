//! Who is told what, and when.

use super::{AlertBook, Change};
use crate::chat::outbox::Outbox;
use crate::config::Config;
use crate::state::{Pending, Records};
use crate::time::{Mono, Now};
use std::sync::Arc;

/// What the notifier sees of the house during one turn.
pub struct NotifyEnv<'a> {
    /// Both clocks.
    pub now: Now,
    /// The configuration in force.
    pub config: &'a Arc<Config>,
    /// The alerts.
    pub book: &'a mut AlertBook,
    /// Where messages go.
    pub outbox: &'a mut Outbox,
    /// Durable changes of this turn.
    pub state: &'a mut Pending,
}

/// Decides who is told what, and when.
#[derive(Debug, Default)]
pub struct Notifier {}

impl Notifier {
    /// Takes over what was on disk.
    pub fn restore(&mut self, _records: &Records) {}

    /// Takes a change of the book in.
    pub fn handle_change(&mut self, _env: &mut NotifyEnv<'_>, _change: &Change) {}

    /// Sends what is due.
    pub fn handle_timeout(&mut self, _env: &mut NotifyEnv<'_>) {}

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Mono> {
        None
    }

    /// The configuration in `env` is in force now: audiences, budgets and quiet hours are judged anew.
    pub fn reload(&mut self, _env: &mut NotifyEnv<'_>) {}
}
