//! What readers see: plain, complete, consistent data, published as a whole and never changed.

mod page;
mod view;

pub use page::Page;
pub use view::{Answer, Count, Error, Headline, Kept, Route, Seen, Summary, View};

use crate::alert::{AlertState, Severity};
use crate::chat::transport::Received;
use crate::config::Config;
use crate::history::{Curve, Spark};
use crate::time::{Now, Wall};
use std::sync::Arc;

/// The state of the agent at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts up with every publication.
    pub version: u64,
    /// When it was taken.
    pub now: Now,
    /// When the agent started.
    pub started: Wall,
    /// The configuration: shared, not copied.
    pub config: Arc<Config>,
    /// One for each plugin, in the order of their table, whether it runs or not.
    pub views: Vec<Arc<dyn View>>,
    /// Every alert that is not `ok`.
    pub alerts: Arc<Vec<AlertView>>,
    /// The last hour of what the page draws.
    pub last_hour: Arc<Vec<Curve>>,
    /// The last ten minutes of every series, for sparklines; by name.
    pub history: Arc<Vec<Spark>>,
    /// Names of the plugins that run.
    pub plugins: Vec<&'static str>,
    /// What the agent knows of its own condition.
    pub health: Health,
    /// Own counters.
    pub counters: Counters,
    /// Users of this machine who may look, apart from root and the agent's own.
    pub local_viewers: Vec<u32>,
}

impl Snapshot {
    /// What there is to see before anything was measured.
    pub fn empty(now: Now, config: Arc<Config>) -> Snapshot {
        Snapshot {
            version: 0,
            now,
            started: now.wall,
            views: Vec::new(),
            alerts: Arc::default(),
            last_hour: Arc::default(),
            history: Arc::default(),
            plugins: Vec::new(),
            health: Health::default(),
            counters: Counters::default(),
            local_viewers: Vec::new(),
            config,
        }
    }

    /// The view of this type.
    pub fn of<V: View>(&self) -> Option<&V> {
        let mut views = self.views.iter();
        views.find_map(|view| (**view).as_any().downcast_ref())
    }
}

impl AlertView {
    /// True while it fires.
    pub fn is_firing(&self) -> bool {
        self.state == AlertState::Firing
    }
}

/// One alert.
#[derive(Clone, Debug)]
pub struct AlertView {
    /// Short number for `/ack 3`.
    pub number: u32,
    /// Full name such as `power.limit:alpha`.
    pub name: Arc<str>,
    /// State.
    pub state: AlertState,
    /// Severity.
    pub severity: Severity,
    /// One line for people.
    pub summary: String,
    /// Since when it is in this state.
    pub since: Wall,
    /// Last value.
    pub value: Option<f64>,
    /// Worst value since it fired.
    pub worst: Option<f64>,
    /// Unit of both.
    pub unit: &'static str,
    /// End of its mute.
    pub muted_until: Option<Wall>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// It changes all the time, which people have been told in place of each change.
    pub is_flapping: bool,
    /// The alert that hides this one, or because of which nothing is known of it.
    pub inhibited_by: Option<Arc<str>>,
}

/// The agent's own condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// What is wrong, one sentence each; empty when all is well.
    pub problems: Vec<String>,
}

/// The agent's own counters, all since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that a chat service accepted.
    pub messages_sent: u64,
    /// Attempts to send that failed.
    pub messages_failed: u64,
    /// Messages waiting.
    pub messages_queued: u64,
    /// Commands that were run.
    pub commands: u64,
    /// Commands and buttons that were refused.
    pub refused: u64,
    /// What came in from the chat service.
    pub received: Received,
    /// Journal records written.
    pub journal_records: u64,
}
