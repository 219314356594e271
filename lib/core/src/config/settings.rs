//! The configuration of plugins: which tables a plugin has, and what was read from them. The house knows these values
//! by this trait alone.

use super::effective::Writer;
use super::environment::Scope;
use super::parse::document;
use super::problem::Problems;
use super::reader::{Part, Reader};
use super::source::{self, Source};
use super::{Config, NotifyConfig};
use rackwarden_base::AsAny;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The tables of one plugin, and how they are read.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// As `plugins = […]` names the plugin.
    pub name: &'static str,
    /// Its tables at the top of the file.
    pub tables: &'static [&'static str],
    /// Arrays of tables with up to ten thousand entries, which are parsed one at a time.
    pub long: &'static [&'static str],
    /// Whether the plugin starts when nothing names it and it has no table.
    pub on_by_default: bool,
    /// Reads the tables; `None` for a capability that this build does not have.
    pub read: Option<Read>,
}

/// Reads the tables of a plugin. Gives settings even if there is no table.
pub type Read = fn(&mut Tables<'_, '_>) -> Arc<dyn Settings>;

impl Section {
    /// A capability that this build does not have: its tables are accepted, with a warning.
    pub const fn absent(name: &'static str, tables: &'static [&'static str]) -> Section {
        Section {
            name,
            tables,
            long: &[],
            on_by_default: false,
            read: None,
        }
    }
}

impl AsRef<Section> for Section {
    fn as_ref(&self) -> &Section {
        self
    }
}

/// The configuration of one plugin, defaults filled in. Valid by itself; only `cross` sees other tables.
pub trait Settings: AsAny + fmt::Debug + Send + Sync {
    /// Name of the plugin.
    fn name(&self) -> &'static str;

    /// Whether the file has tables that ask for the plugin.
    fn is_used(&self) -> bool {
        false
    }

    /// A warning for tables that have no effect because the plugin does not start.
    fn idle_warning(&self) -> Option<&'static str> {
        None
    }

    /// Writes the tables out in full, secrets masked.
    fn print(&self, _house: &Config, _writer: &mut Writer) {}

    /// Every secret in it.
    fn secrets(&self) -> Vec<&str> {
        Vec::new()
    }

    /// `[notify]` for the alerts of this plugin, if its own tables change anything in it.
    fn notify(&self) -> Option<&NotifyConfig> {
        None
    }

    /// Looks at the whole configuration after all tables have been read; gives warnings.
    fn cross(&self, _config: &Config) -> Vec<String> {
        Vec::new()
    }

    /// Counts of watched things, for summaries: `("PDU", 3)`.
    fn counts(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// Time in which everything that it watches has been judged once.
    fn round(&self) -> Duration {
        Duration::ZERO
    }
}

/// The tables of one plugin, to be read key by key.
pub struct Tables<'r, 'a> {
    pub(super) root: &'r mut Reader<'a>,
    pub(super) source: &'r Source<'r>,
    pub(super) problems: &'r Problems,
    /// Files, variables, and the folder of the configuration.
    pub scope: &'r Scope<'r>,
    /// The tables of the house, which have been read before.
    pub house: &'r Config,
}

impl<'a> Tables<'_, 'a> {
    /// A table, if it is there.
    pub fn table(&mut self, name: &'static str) -> Option<Reader<'a>> {
        self.root.table(name)
    }

    /// The tables of an array of tables.
    pub fn tables(&mut self, name: &'static str) -> Vec<Reader<'a>> {
        self.root.tables(name)
    }

    /// Hands on the tables of a `long` array of tables, one at a time.
    pub fn each(&mut self, name: &'static str, mut read: impl FnMut(Reader<'_>)) {
        let mut count = 0;
        // Each table was parsed alone, so its own path always says that it is the first.
        let mut numbered = |reader: Reader<'_>| {
            let path = format!("{name}[{count}]");
            count += 1;
            read(reader.renamed(path));
        };
        self.root.tables(name).into_iter().for_each(&mut numbered);
        for piece in self.source.long.iter().filter(|piece| piece.table == name) {
            let origin = [(0, piece.at)];
            let part = Part {
                problems: self.problems,
                origin: &origin,
            };
            let document = document(part, piece.text);
            let mut root = Reader::new(part, String::new(), piece.at, &document);
            root.tables(name).into_iter().for_each(&mut numbered);
            root.finish();
        }
    }

    /// Every `[[name]]` with what is below it, as it was written.
    pub fn written(&self, name: &str) -> String {
        source::written(self.source.text, name)
    }
}

impl Config {
    /// The settings of a plugin by their type; `None` when the configuration was read without its section.
    pub fn of<T: Settings>(&self) -> Option<&T> {
        let mut all = self.settings.iter();
        all.find_map(|settings| (**settings).as_any().downcast_ref())
    }

    /// The settings of a plugin, to be changed; the defaults take their place where there are none.
    pub fn of_mut<T: Settings + Clone + Default>(&mut self) -> &mut T {
        let is_it = |settings: &Arc<dyn Settings>| (**settings).as_any().is::<T>();
        let own = self.of::<T>().cloned().unwrap_or_default();
        let at = self.settings.iter().position(is_it);
        let at = at.unwrap_or_else(|| {
            self.settings.push(Arc::new(T::default()));
            self.settings.len() - 1
        });
        let slot = &mut self.settings[at];
        if Arc::get_mut(slot).is_none() {
            *slot = Arc::new(own);
        }
        let settings = Arc::get_mut(slot).expect("nobody else has it");
        let settings = settings.as_any_mut().downcast_mut();
        settings.expect("its type was looked for")
    }

    /// Who hears of an alert, when and how often: `[notify]`, or what the settings of its plugin make of it. The name of
    /// an alert begins with that of its plugin.
    pub fn notify_of(&self, alert: &str) -> &NotifyConfig {
        let owner = alert.split('.').next().unwrap_or(alert);
        let mut all = self.settings.iter();
        let settings = all.find(|settings| settings.name() == owner);
        let own = settings.and_then(|settings| settings.notify());
        own.unwrap_or(&self.notify)
    }

    /// Counts of what all plugins watch.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.settings.iter().flat_map(|settings| settings.counts())
    }
}
