//! The readers' view of power: flat arrays; the publication after the next one takes their memory.

use super::{json, metrics, page, status};
use crate::config::Config;
use crate::pdu::profile::Head;
use crate::pdu::{OutletReading, PhaseReading, ProbeReading, Rated};
use crate::plugins::power::{self, Limit, Limits, PduConfig, Settings};
use crate::render::{self, Metrics, Shape};
use crate::snapshot::{Answer, Count, Error, Headline, Page, Route, Seen, Snapshot, Summary, View};
use crate::text::Text;
use crate::time::{Mono, Now, Wall};
use std::sync::Arc;
use std::time::Duration;

/// With a PDU to watch something new comes every few seconds, whether the PDU answers or not. What is older than this
/// many intervals (and than `CORE_SILENCE`) says that the core stands still.
const CORE_INTERVALS: u32 = 5;
const CORE_SILENCE: Duration = Duration::from_secs(10);

/// Power at one moment.
#[derive(Clone, Debug)]
pub struct PowerView {
    /// Names, limits, teams: shared, not copied.
    pub config: Arc<Config>,
    /// The plugin runs.
    pub is_running: bool,
    /// One for each PDU of the configuration, same order.
    pub pdus: Vec<PduView>,
    /// Phases of all PDUs; `PduView::phases` is a range of it.
    pub phases: Vec<PhaseReading>,
    /// Outlets of all PDUs; `PduView::outlets` is a range of it. Shared, because names rarely change.
    pub outlets: Arc<Vec<OutletReading>>,
    /// Probes of all PDUs; `PduView::temperatures` is a range of it.
    pub temperatures: Arc<Vec<ProbeReading>>,
    /// One for each team of the configuration, same order.
    pub teams: Vec<SumView>,
    /// Over all PDUs; `None` when none is configured.
    pub site: Option<SumView>,
    /// Polls by what became of them.
    pub polls: Polls,
    /// The revision of the plugin that it shows.
    pub(super) revision: u64,
}

/// Polls, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polls {
    /// Polls that were answered.
    pub ok: u64,
    /// Polls that were not answered before their deadline.
    pub failed: u64,
    /// Polls that could not start because the one before had not ended.
    pub overrun: u64,
}

/// The view of power in a snapshot.
///
/// # Panics
/// When the snapshot has none, which the core publishes always.
pub fn view(snapshot: &Snapshot) -> &PowerView {
    snapshot.of().expect("power has a view, running or not")
}

impl PowerView {
    /// What there is to see before anything was measured.
    pub fn idle(config: &Arc<Config>) -> PowerView {
        let settings = power::settings(config);
        PowerView {
            config: Arc::clone(config),
            is_running: false,
            pdus: vec![PduView::default(); settings.pdus.len()],
            phases: Vec::new(),
            outlets: Arc::default(),
            temperatures: Arc::default(),
            teams: vec![SumView::default(); settings.teams.len()],
            site: (!settings.pdus.is_empty()).then(SumView::default),
            polls: Polls::default(),
            revision: 0,
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        power::settings(&self.config)
    }

    /// The name of the team that a PDU belongs to.
    pub fn team_name(&self, pdu: usize) -> Option<&str> {
        let settings = self.settings();
        let team = settings.pdus.get(pdu)?.team?;
        Some(&*settings.teams.get(team as usize)?.name)
    }

    /// Phases, outlets and temperatures of a PDU.
    pub fn parts(&self, pdu: &PduView) -> (&[PhaseReading], &[OutletReading], &[ProbeReading]) {
        (
            part(&self.phases, pdu.phases),
            part(&self.outlets, pdu.outlets),
            part(&self.temperatures, pdu.temperatures),
        )
    }

    /// The names of the PDUs that are missing in a sum.
    pub(super) fn missing<'a>(&'a self, sum: &SumView) -> Vec<&'a str> {
        let pdus = &self.settings().pdus;
        let all = sum.missing.iter();
        all.filter_map(|index| Some(&*pdus.get(*index as usize)?.name))
            .collect()
    }

    fn count(&self, state: PduState) -> usize {
        self.pdus.iter().filter(|pdu| pdu.state == state).count()
    }

    fn index_of(&self, name: &str) -> Result<usize, Error> {
        let mut pdus = self.settings().pdus.iter();
        pdus.position(|pdu| &*pdu.name == name).ok_or(NO_PDU)
    }
}

const NO_PDU: Error = Error::new(404, "pdu_not_found", "no PDU has that name");

const ROUTES: &[Route] = &[
    Route::get(
        "/api/power",
        "Every PDU, every team and the site",
        &[Answer::json(
            200,
            "the latest readings",
            json::Power::SCHEMA,
        )],
    ),
    Route::get(
        "/api/power/{name}",
        "One PDU",
        &[
            Answer::json(200, "its latest reading", json::Pdu::SCHEMA),
            Answer::json(404, "no PDU has that name", Error::SCHEMA),
        ],
    )
    .named("the PDU's name"),
    Route::get(
        "/power/{name}",
        "One PDU for people",
        &[
            Answer::page("all that is known of it"),
            Answer::json(404, "no PDU has that name", Error::SCHEMA),
        ],
    )
    .named("the PDU's name"),
];

impl View for PowerView {
    fn plugin(&self) -> &'static str {
        "power"
    }

    fn summary(&self) -> Summary {
        let total = self.site.as_ref().and_then(|site| site.power_w);
        let count = self.pdus.len();
        let mut line = format!("{count} PDU{}", if count == 1 { "" } else { "s" });
        if let Some(site) = &self.site {
            line += &status::service_words(site);
        }
        Summary {
            things: count,
            figure: total.map(|watts| format!("{} W", page::whole_watts(watts))),
            done: Some(format!("{} readings", self.polls.ok)),
            line: Some(line),
        }
    }

    fn title(&self) -> Option<&'static str> {
        Some("Power")
    }

    fn section(&self, page: &mut Page<'_>) {
        page::section(self, page);
    }

    fn headline(&self, _seen: &Seen<'_>) -> Option<Headline> {
        let sums = self.teams.iter().chain(&self.site);
        let sums_over = sums.filter(|sum| sum.state == PduState::OverLimit).count();
        let over = self.count(PduState::OverLimit) + sums_over;
        if over > 0 {
            return Some(("over_limit", format!("{over} over limit")));
        }
        let others = [PduState::Unreachable, PduState::Stale, PduState::Unknown];
        let mut counts = others.into_iter().map(|state| (state, self.count(state)));
        let (state, count) = counts.find(|(_, count)| *count > 0)?;
        Some((state.name(), format!("{count} {}", page::word(state))))
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn body(&self, seen: &Seen<'_>, path: &str, name: &str) -> Result<String, Error> {
        if path == "/api/power" {
            let capacity = 512 + self.pdus.len() * 640;
            return Ok(render::text(&json::power(self, seen), capacity));
        }
        let index = self.index_of(name)?;
        Ok(render::text(&json::pdu(self, seen, index), 1024))
    }

    fn page(&self, page: &mut Page<'_>, _path: &str, name: &str) -> Result<(), Error> {
        let index = self.index_of(name)?;
        page::own(self, index, page);
        Ok(())
    }

    fn document(&self, seen: &Seen<'_>) -> Option<(&'static str, String)> {
        Some(("power", self.body(seen, "/api/power", "").ok()?))
    }

    fn metrics(&self, seen: &Seen<'_>, metrics: &mut Metrics) {
        metrics::all(self, seen.now, metrics);
    }

    fn event_metrics(&self, metrics: &mut Metrics) {
        metrics.results(
            "rackwarden_polls_total",
            "Polls of PDUs by their result.",
            &[
                ("ok", self.polls.ok),
                ("failed", self.polls.failed),
                ("overrun", self.polls.overrun),
            ],
        );
    }

    fn counts(&self) -> Vec<Count> {
        let of = |state| self.count(state) as u64;
        let there = |key, about, value| Count {
            key,
            about,
            value,
            is_event: false,
        };
        let event = |key, about, value| Count {
            is_event: true,
            ..there(key, about, value)
        };
        let (pdus, teams) = (self.pdus.len() as u64, self.teams.len() as u64);
        vec![
            there("pdus", "configured PDUs", pdus),
            there("pdus_ok", "read and below their limits", of(PduState::Ok)),
            there("pdus_over_limit", "above a limit", of(PduState::OverLimit)),
            there("pdus_stale", "last answer is late", of(PduState::Stale)),
            there(
                "pdus_unreachable",
                "do not answer",
                of(PduState::Unreachable),
            ),
            there(
                "pdus_unknown",
                "never read, or without power",
                of(PduState::Unknown),
            ),
            there("teams", "configured teams", teams),
            event("polls_ok", "polls that were answered", self.polls.ok),
            event("polls_failed", "polls without an answer", self.polls.failed),
            event(
                "polls_overrun",
                "polls left out because the one before ran",
                self.polls.overrun,
            ),
        ]
    }

    fn status(&self, text: Text) -> Text {
        status::chat(self, text)
    }

    fn lines(&self, seen: &Seen<'_>) -> String {
        status::lines(self, seen.now)
    }

    fn silence(&self, age: Duration) -> Option<String> {
        let patience = (self.settings().interval * CORE_INTERVALS).max(CORE_SILENCE);
        let is_silent = self.is_running && !self.pdus.is_empty() && age > patience;
        let seconds = age.as_secs();
        let words =
            || format!("nothing was measured for {seconds} s: the agent is overloaded or stuck");
        is_silent.then(words)
    }
}

fn part<T>(all: &[T], (start, len): (u32, u16)) -> &[T] {
    let start = start as usize;
    all.get(start..start + usize::from(len)).unwrap_or_default()
}

/// State of a PDU, as the HTTP interface names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PduState {
    /// Read within the last cycles, below its limits.
    Ok,
    /// Above a limit.
    OverLimit,
    /// The last answer is older than two intervals, but not yet unreachable.
    Stale,
    /// No answer for `unreachable_after`.
    Unreachable,
    /// Never read, no power in the answer, or not supported.
    #[default]
    Unknown,
}

impl PduState {
    /// As the HTTP interface prints it.
    pub const fn name(self) -> &'static str {
        match self {
            PduState::Ok => "ok",
            PduState::OverLimit => "over_limit",
            PduState::Stale => "stale",
            PduState::Unreachable => "unreachable",
            PduState::Unknown => "unknown",
        }
    }
}

/// The reading of one PDU. At most 256 bytes.
#[derive(Clone, Debug, Default)]
pub struct PduView {
    /// State.
    pub state: PduState,
    /// Why it is `unknown`, or the last fault: a static sentence or a shared one.
    pub reason: Option<Arc<str>>,
    /// Profile name once identified.
    pub profile: Option<Arc<Head>>,
    /// When the last reading came.
    pub read: Option<(Mono, Wall)>,
    /// When the device last restarted, as far as the agent saw it.
    pub restarted_at: Option<Wall>,
    /// Watts of the last reading.
    pub power_w: Option<f64>,
    /// Volt-amperes.
    pub apparent_va: Option<f64>,
    /// Real by apparent power, as the device tells it.
    pub power_factor: Option<f32>,
    /// Amperes of the single inlet.
    pub current_a: Option<f64>,
    /// Volts of the single inlet.
    pub voltage_v: Option<f64>,
    /// Peak in watts: the device's, else the agent's own.
    pub peak_w: Option<f64>,
    /// When that was.
    pub peak_time: Option<Wall>,
    /// True when the peak is the device's own.
    pub peak_is_devices: bool,
    /// Kilowatt-hours.
    pub energy_kwh: Option<f64>,
    /// The device's own threshold in watts, where it stands for a limit.
    pub device_limit_w: Option<f32>,
    /// Watts that it is rated for.
    pub rating_w: Option<f32>,
    /// Its inlet, phase or breaker that is nearest to what it is rated for.
    pub nearest_rated: Option<Rated>,
    /// Seconds until its limit is reached at the present trend; `None` without a rising one.
    pub limit_in_s: Option<f32>,
    /// Start and length in `PowerView::phases`.
    pub phases: (u32, u16),
    /// Start and length in `PowerView::outlets`.
    pub outlets: (u32, u16),
    /// Start and length in `PowerView::temperatures`.
    pub temperatures: (u32, u16),
}

/// The sum over a team or the site.
#[derive(Clone, Debug, Default)]
pub struct SumView {
    /// Watts; a lower bound when members are missing; `None` when none was read.
    pub power_w: Option<f64>,
    /// State: `Ok`, `OverLimit` or `Unknown`.
    pub state: PduState,
    /// Indices of the PDUs that are missing in it.
    pub missing: Arc<[u32]>,
    /// Highest sum, and when.
    pub peak: Option<(f64, Wall)>,
    /// Seconds until its limit is reached at the present trend; `None` without a rising one.
    pub limit_in_s: Option<f32>,
}

impl PduView {
    /// True while the last reading still says how it is.
    pub fn is_live(&self) -> bool {
        matches!(
            self.state,
            PduState::Ok | PduState::OverLimit | PduState::Stale
        )
    }

    /// The limits that hold: those of the configuration, else the device's own.
    pub fn limits(&self, config: &PduConfig) -> Limits {
        match (self.device_limit_w, config.device_limit) {
            (Some(on_w), true) => Limits {
                soft: None,
                hard: Some(Limit::of_device((f64::from(on_w) * 10.0).round() / 10.0)),
            },
            _ => config.limits,
        }
    }

    /// What is nearest to its rating, while the last reading still says how it is.
    pub fn live_rated(&self) -> Option<Rated> {
        self.nearest_rated.filter(|_| self.is_live())
    }

    /// Age of the last reading in seconds, in tenths.
    pub fn age_s(&self, now: Now) -> Option<f64> {
        let (read, _) = self.read?;
        let tenths = now.mono.since(read).as_millis() / 100;
        Some(tenths as f64 / 10.0)
    }

    /// A value of the last reading, while that still says how it is.
    pub fn live(&self, value: Option<f64>) -> Option<f64> {
        value.filter(|_| self.is_live())
    }
}
