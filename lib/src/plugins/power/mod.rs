//! Watches the power of every configured PDU.

use crate::config::Config;
use crate::effect::Document;
use std::sync::Arc;

/// The power plugin.
pub struct Power {}

impl Power {
    /// Makes the plugin for a configuration.
    pub fn new(_config: &Arc<Config>) -> Power {
        Power {}
    }
}

impl super::Plugin for Power {
    fn name(&self) -> &'static str {
        "power"
    }
}

/// Renders excesses as CSV.
#[derive(Debug)]
pub struct CsvJob {}

impl CsvJob {
    /// Does it.
    pub fn run(self) -> Document {
        Document {
            name: "exceedings.csv".into(),
            mime: "text/csv",
            bytes: Arc::from(Vec::new()),
        }
    }
}
