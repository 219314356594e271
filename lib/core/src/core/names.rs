//! Names for arguments of commands: things of the plugins, and alerts.

use crate::alert::{AlertBook, numbers};
use crate::chat::Names;
use crate::config::Config;
use crate::house;
use crate::plugins::Plugin;

/// The names that are known at one moment.
pub(super) struct KnownNames<'a> {
    pub(super) plugins: &'a [Box<dyn Plugin>],
    pub(super) config: &'a Config,
    /// Without them only the names of rules are known.
    pub(super) alerts: Option<&'a AlertBook>,
}

impl Names for KnownNames<'_> {
    fn complete(&self, kind: &str, prefix: &str) -> Vec<String> {
        if kind == house::ALERT {
            let rules = || rules(self.plugins, self.config);
            return house::alert_names(self.alerts, &rules, prefix);
        }
        let plugins = self.plugins.iter();
        let names = plugins.flat_map(|plugin| plugin.complete(self.config, kind, prefix));
        names.collect()
    }

    fn several(&self, kind: &str, args: &[String]) -> usize {
        match kind {
            house::ALERT => numbers::several(args),
            _ => 0,
        }
    }
}

/// The names of all rules.
pub(super) fn rules(plugins: &[Box<dyn Plugin>], config: &Config) -> Vec<String> {
    let plugins = plugins.iter();
    plugins.flat_map(|plugin| plugin.rules(config)).collect()
}
