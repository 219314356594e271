//! What readers see: plain, complete, consistent data, published as a whole and never changed.

use crate::alert::{AlertState, Severity};
use crate::chat::transport::Received;
use crate::config::{Config, Limit, Limits, PduConfig};
use crate::history::{Curve, Unit};
use crate::host::HostView;
use crate::pdu::profile::Head;
use crate::pdu::{OutletReading, PhaseReading, ProbeReading, Rated};
use crate::time::{Mono, Now, Wall};
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
    /// Names, limits, teams: shared, not copied.
    pub config: Arc<Config>,
    /// One for each of `config.pdus`, same order.
    pub pdus: Vec<PduView>,
    /// Phases of all PDUs; `PduView::phases` is a range of it.
    pub phases: Vec<PhaseReading>,
    /// Outlets of all PDUs; `PduView::outlets` is a range of it. Shared, because names rarely change.
    pub outlets: Arc<Vec<OutletReading>>,
    /// Probes of all PDUs; `PduView::temperatures` is a range of it.
    pub temperatures: Arc<Vec<ProbeReading>>,
    /// One for each of `config.teams`, same order.
    pub teams: Vec<SumView>,
    /// Over all PDUs; `None` when none is configured.
    pub site: Option<SumView>,
    /// The machine; `None` without the monitor. Shared, because it changes only when it is looked at.
    pub host: Option<Arc<HostView>>,
    /// Every alert that is not `ok`.
    pub alerts: Arc<Vec<AlertView>>,
    /// The last hour of sums and of the machine, for charts.
    pub last_hour: Arc<Vec<Curve>>,
    /// The last ten minutes of every series, for sparklines; by name.
    pub history: Arc<Vec<Series>>,
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
            pdus: vec![PduView::default(); config.pdus.len()],
            phases: Vec::new(),
            outlets: Arc::default(),
            temperatures: Arc::default(),
            teams: vec![SumView::default(); config.teams.len()],
            site: (!config.pdus.is_empty()).then(SumView::default),
            host: None,
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

    /// The name of the team that a PDU belongs to.
    pub fn team_name(&self, pdu: usize) -> Option<&str> {
        let team = self.config.pdus.get(pdu)?.team?;
        Some(&*self.config.teams.get(team as usize)?.name)
    }

    /// Phases, outlets and temperatures of a PDU.
    pub fn parts(&self, pdu: &PduView) -> (&[PhaseReading], &[OutletReading], &[ProbeReading]) {
        (
            part(&self.phases, pdu.phases),
            part(&self.outlets, pdu.outlets),
            part(&self.temperatures, pdu.temperatures),
        )
    }
}

fn part<T>(all: &[T], (start, len): (u32, u16)) -> &[T] {
    let start = start as usize;
    all.get(start..start + usize::from(len)).unwrap_or_default()
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

    /// A value of the last reading, while that still says how it is.
    pub fn live(&self, value: Option<f64>) -> Option<f64> {
        value.filter(|_| self.is_live())
    }
}

impl AlertView {
    /// True while it fires.
    pub fn is_firing(&self) -> bool {
        self.state == AlertState::Firing
    }
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
    /// Start and length in `Snapshot::phases`.
    pub phases: (u32, u16),
    /// Start and length in `Snapshot::outlets`.
    pub outlets: (u32, u16),
    /// Start and length in `Snapshot::temperatures`.
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

/// Recent values of one series, oldest first, one each `step_s`.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// As in `history::Curve`: `power.total`, `power.pdu/alpha`, `host.cpu`.
    pub name: Arc<str>,
    /// Of the values.
    pub unit: Unit,
    /// NaN where there was no reading.
    pub values: Vec<f32>,
    /// Seconds from one value to the next.
    pub step_s: u32,
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
    /// Polls that were answered.
    pub polls_ok: u64,
    /// Polls that were not answered before their deadline.
    pub polls_failed: u64,
    /// Polls that could not start because the one before had not ended.
    pub polls_overrun: u64,
    /// Looks at the host that brought something.
    pub host_looks: u64,
    /// Looks at the host that brought nothing.
    pub host_failures: u64,
    /// Looks at the host that could not start because the one before had not ended.
    pub host_overruns: u64,
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
