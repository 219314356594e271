//! The readers' view of one plugin.

use super::{Page, Snapshot};
use crate::host::HostView;
use crate::render::Metrics;
use crate::render::schema::Schema;
use crate::text::Text;
use crate::time::{Now, Wall};
use rackwarden_base::AsAny;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What readers see of one plugin: plain data that never changes, and how it is shown. Kept while the plugin's revision
/// stands. Only `plugin` is required.
pub trait View: AsAny + fmt::Debug + Send + Sync {
    /// Name of the plugin.
    fn plugin(&self) -> &'static str;

    /// The parts in places that all views share.
    fn summary(&self) -> Summary {
        Summary::default()
    }

    /// The heading of its section on the page; `None` when there is nothing to show.
    fn title(&self) -> Option<&'static str> {
        None
    }

    /// Writes that section.
    fn section(&self, _page: &mut Page<'_>) {}

    /// A word and a colour for the whole page, when not all is well.
    fn headline(&self, _seen: &Seen<'_>) -> Option<Headline> {
        None
    }

    /// Its paths. Those that begin with `/api/` answer JSON, the others are pages.
    fn routes(&self) -> &'static [Route] {
        &[]
    }

    /// The JSON at one of its paths, where `name` stands for `{name}`.
    ///
    /// # Errors
    /// When there is nothing of that name.
    fn body(&self, _seen: &Seen<'_>, _path: &str, _name: &str) -> Result<String, Error> {
        Err(Error::NOT_FOUND)
    }

    /// Writes the page at one of its paths.
    ///
    /// # Errors
    /// When there is nothing of that name.
    fn page(&self, _page: &mut Page<'_>, _path: &str, _name: &str) -> Result<(), Error> {
        Err(Error::NOT_FOUND)
    }

    /// Everything that it knows as one JSON document, under its key in `status --json`.
    fn document(&self, _seen: &Seen<'_>) -> Option<(&'static str, String)> {
        None
    }

    /// Writes its metrics.
    fn metrics(&self, _seen: &Seen<'_>, _metrics: &mut Metrics) {}

    /// Writes counters of what it does, which stand among those of the agent.
    fn event_metrics(&self, _metrics: &mut Metrics) {}

    /// Its counts in `/api/status`.
    fn counts(&self) -> Vec<Count> {
        Vec::new()
    }

    /// Adds its lines to `/status`.
    fn status(&self, text: Text) -> Text {
        text
    }

    /// Its lines for `rackwarden status`.
    fn lines(&self, _seen: &Seen<'_>) -> String {
        String::new()
    }

    /// The machine, where the plugin looks at it: of that everything else tells first.
    fn host(&self) -> Option<&HostView> {
        None
    }

    /// Problems of the plugin itself, one sentence each.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }

    /// The problem when nothing new has come for so long.
    fn silence(&self, _age: Duration) -> Option<String> {
        None
    }
}

/// The parts of a view in places that all views share.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// So much has it to watch.
    pub things: usize,
    /// One figure for the title of the page: `2 238 W`.
    pub figure: Option<String>,
    /// Work done so far, for the foot of the page: `1234 readings`.
    pub done: Option<String>,
    /// One line for the service manager: `4 PDUs, ≥ 2238 W`.
    pub line: Option<String>,
}

/// A word and the class of its colour.
pub type Headline = (&'static str, String);

/// A count in `/api/status`.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    /// Its key.
    pub key: &'static str,
    /// What it counts.
    pub about: &'static str,
    /// The count.
    pub value: u64,
    /// Something that happened since the start, not something that is there.
    pub is_event: bool,
}

/// One path with one method.
#[derive(Debug)]
pub struct Route {
    /// `GET` (which answers `HEAD` as well) or `POST`.
    pub method: &'static str,
    /// The path; `{name}` as its last part stands for one name.
    pub path: &'static str,
    /// What that name is.
    pub name: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Status codes with their meaning, beside those that every route may answer (400, 401, 403, 429).
    pub answers: &'static [Answer],
}

impl Route {
    /// A path with the answers to `GET`.
    pub const fn get(
        path: &'static str,
        summary: &'static str,
        answers: &'static [Answer],
    ) -> Route {
        Route {
            method: "GET",
            path,
            name: "",
            summary,
            answers,
        }
    }

    /// The same, with what the name in its path is.
    pub const fn named(self, name: &'static str) -> Route {
        Route { name, ..self }
    }
}

/// A status code that a route answers with.
#[derive(Debug)]
pub struct Answer {
    /// The code.
    pub status: u16,
    /// What it means.
    pub about: &'static str,
    /// Media type.
    pub mime: &'static str,
    /// Shape of a JSON body.
    pub schema: Option<Schema>,
}

impl Answer {
    /// A JSON body.
    pub const fn json(status: u16, about: &'static str, schema: Schema) -> Answer {
        Answer {
            status,
            about,
            mime: "application/json",
            schema: Some(schema),
        }
    }

    /// A page.
    pub const fn page(about: &'static str) -> Answer {
        Answer {
            status: 200,
            about,
            mime: "text/html; charset=utf-8",
            schema: None,
        }
    }
}

/// A request that is answered with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// HTTP status code.
    pub status: u16,
    /// A stable word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: &'static str,
}

impl Error {
    /// No such path.
    pub const NOT_FOUND: Error = Error::new(
        404,
        "not_found",
        "there is nothing here; /docs lists what there is",
    );

    /// Makes an error.
    pub const fn new(status: u16, code: &'static str, message: &'static str) -> Error {
        Error {
            status,
            code,
            message,
        }
    }
}

/// A snapshot and the time at which it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What there is to see.
    pub snapshot: &'a Snapshot,
    /// When.
    pub now: Now,
}

impl Seen<'_> {
    /// Looks at a snapshot.
    pub fn new(snapshot: &Snapshot, now: Now) -> Seen<'_> {
        Seen { snapshot, now }
    }

    /// A time as people read it.
    pub fn local(&self, time: Wall) -> String {
        time.local(&self.snapshot.config.notify.timezone)
    }

    /// The time alone when it is of the last half day, else with its date.
    pub fn clock(&self, time: Wall) -> String {
        const RECENT: Duration = Duration::from_secs(12 * 3600);
        match self.now.wall.since(time) < RECENT {
            true => time.local_time(&self.snapshot.config.notify.timezone),
            false => self.local(time),
        }
    }

    /// Problems of the agent: those in the snapshot, and a snapshot that is too old.
    pub fn problems(&self) -> Vec<String> {
        let age = self.now.mono.since(self.snapshot.now.mono);
        let views = self.snapshot.views.iter();
        let mut problems = self.snapshot.health.problems.clone();
        problems.extend(views.filter_map(|view| view.silence(age)));
        problems
    }
}

/// The view that was published last, and the one before it, whose memory the next one takes once its readers have let
/// go of it.
#[derive(Debug)]
pub struct Kept<V> {
    latest: Option<Arc<V>>,
    spare: Option<Arc<V>>,
}

impl<V> Default for Kept<V> {
    fn default() -> Kept<V> {
        Kept {
            latest: None,
            spare: None,
        }
    }
}

impl<V> Kept<V> {
    /// The latest one, if it still holds.
    pub fn latest(&self, holds: impl FnOnce(&V) -> bool) -> Option<Arc<V>> {
        self.latest.as_ref().filter(|view| holds(view)).cloned()
    }

    /// The next one: `fill` brings up to date what `fresh` has made or an earlier call has filled.
    pub fn renew(&mut self, fresh: impl Fn() -> V, fill: impl FnOnce(&mut V)) -> Arc<V> {
        let mut next = self.spare.take().unwrap_or_else(|| Arc::new(fresh()));
        match Arc::get_mut(&mut next) {
            Some(view) => fill(view),
            None => {
                let mut view = fresh();
                fill(&mut view);
                next = Arc::new(view);
            }
        }
        self.spare = self.latest.replace(Arc::clone(&next));
        next
    }
}
