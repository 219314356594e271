//! The validated configuration. Text becomes these values in `parse`; nothing in here can be wrong any more.

pub mod effective;
mod environment;
mod mail;
mod monitor;
pub mod parse;
mod people;
mod power;
mod source;
mod user;

pub use environment::{Environment, ListFolder, ReadFile, SecretFile, Variable};
pub use monitor::{Metric, MonitorConfig, Mounts, Threshold, Thresholds};
pub use parse::is_invisible;
pub use power::host;
pub use rackwarden_base::problem::ConfigError;
pub use rackwarden_base::{suggest, units};

use crate::alert::Severity;
use crate::chat::{Person, Place, Role};
use crate::secret::Secret;
use crate::small::SmallMap;
use crate::snmp::Credentials;
use crate::time::{Wall, Zone};
use rackwarden_base::{problem, reader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything that one configuration file says, defaults filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// Shown in messages.
    pub name: Arc<str>,
    /// Where state lives; `None` for an agent that keeps nothing (`demo`).
    pub state_dir: Option<PathBuf>,
    /// Names of the plugins to start, in the order of the plugin table.
    pub plugins: Vec<&'static str>,
    /// `[log]`
    pub log: LogConfig,
    /// `[telegram]`
    pub telegram: Option<TelegramConfig>,
    /// `[access]`
    pub access: AccessConfig,
    /// `[notify]`
    pub notify: NotifyConfig,
    /// `[mail]`
    pub mail: Option<Arc<MailConfig>>,
    /// `[heartbeat]`
    pub heartbeat: Option<HeartbeatConfig>,
    /// `[http]`
    pub http: HttpConfig,
    /// `[power]`
    pub power: PowerConfig,
    /// `[[pdu]]`, in file order.
    pub pdus: Vec<PduConfig>,
    /// The profiles of this version, and those of `[[profile]]` and of the folder in `[power] profiles`.
    pub profiles: crate::pdu::Profiles,
    /// `[[team]]` and teams that only PDUs name, in the order of first mention.
    pub teams: Vec<TeamConfig>,
    /// `[monitor]`
    pub monitor: MonitorConfig,
    /// `[history]`
    pub history: HistoryConfig,
    /// What was accepted but has no effect in this version, one line each.
    pub warnings: Vec<String>,
    /// What only `check --effective` needs.
    pub extra: Extra,
}

/// Where values came from: enough to print the configuration again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    /// Whether there is a `[power]`.
    pub has_power_table: bool,
    /// `[power] profiles`
    pub profiles_folder: Option<PathBuf>,
    /// `[[profile]]`, as they were written.
    pub profiles: String,
    /// `[power] limit`, which PDUs and teams inherit …
    pub power_limits: Limits,
    /// … and whether it is there.
    pub has_power_limit: bool,
    /// `[telegram] token_file`
    pub telegram_token_file: Option<PathBuf>,
    /// `[mail] password_file`
    pub mail_password_file: Option<PathBuf>,
    /// `[http] token_file`
    pub http_token_file: Option<PathBuf>,
    /// `snmp_v3` and `write_v3` of PDUs by their index, in TOML.
    pub v3: SmallMap<usize, String>,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The general level.
    pub level: log::LevelFilter,
    /// Levels of single targets.
    pub targets: Vec<(String, log::LevelFilter)>,
    /// Standard error when absent.
    pub file: Option<PathBuf>,
    /// Rotate at this size in bytes. Also for `exceedings.log` and `audit.log`.
    pub max_size_bytes: u64,
    /// Old files to keep.
    pub keep: u32,
}

/// `[telegram]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelegramConfig {
    /// Bot token.
    pub token: Secret,
    /// Base URL without a trailing slash.
    pub api_url: String,
    /// Proxy URL (it may hold a password).
    pub proxy: Option<Secret>,
    /// Extra certificate authorities in PEM.
    pub ca_file: Option<PathBuf>,
}

/// `[access]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// Everything is allowed to them.
    pub owners: Vec<Person>,
    /// `[[access.grant]]`
    pub grants: Vec<GrantConfig>,
}

/// `[[access.grant]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantConfig {
    /// For whom.
    pub who: Person,
    /// A role, if the grant gives one.
    pub role: Option<Role>,
    /// `action:target` patterns that are allowed.
    pub allow: Vec<String>,
    /// `action:target` patterns that are denied; they win.
    pub deny: Vec<String>,
    /// End of the grant.
    pub until: Option<Wall>,
}

impl GrantConfig {
    /// A role, for good.
    pub fn role(who: Person, role: Role) -> GrantConfig {
        GrantConfig {
            who,
            role: Some(role),
            allow: Vec::new(),
            deny: Vec::new(),
            until: None,
        }
    }
}

/// `[notify]`
#[derive(Clone, Debug, PartialEq)]
pub struct NotifyConfig {
    /// Default audience.
    pub to: Vec<Place>,
    /// Local start and end in minutes after midnight.
    pub quiet_hours: Option<(u16, u16)>,
    /// Of messages, `exceedings.log` and quiet hours.
    pub timezone: Zone,
    /// Its name, when it was given.
    pub timezone_name: Option<String>,
    /// At most this many messages for one alert …
    pub max_notifications: u32,
    /// … within this span.
    pub reset_after: Duration,
    /// Reminder interval by severity.
    pub repeat: Repeat,
    /// `[[notify.route]]`
    pub routes: Vec<RouteConfig>,
}

/// Reminder intervals; `None` means no reminders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// For critical alerts.
    pub critical: Option<Duration>,
    /// For warnings.
    pub warning: Option<Duration>,
    /// For information.
    pub info: Option<Duration>,
}

/// `[[notify.route]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConfig {
    /// Only this severity.
    pub severity: Option<Severity>,
    /// Only alerts whose name matches this pattern (`*` stands for anything).
    pub alert: Option<String>,
    /// The audience.
    pub to: Vec<Place>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// Plain at first, then in TLS (RFC 3207). A server that does not offer it gets nothing.
    StartTls,
    /// In TLS from the first byte (RFC 8314).
    Tls,
    /// As it is, for a server on this machine.
    None,
}

/// `[mail]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailConfig {
    /// Name or address of the server.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How it is spoken to.
    pub security: MailSecurity,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// How the sender is called; may be empty.
    pub from_name: String,
    /// The sender's address.
    pub from: String,
    /// Extra certificate authorities in PEM.
    pub ca_file: Option<PathBuf>,
    /// When the chat has been away for so long, alerts go to `fallback_to`.
    pub fallback_after: Duration,
    /// Mail addresses.
    pub fallback_to: Vec<String>,
}

impl MailConfig {
    /// The sender as the configuration writes it.
    pub(crate) fn sender(&self) -> String {
        match self.from_name.as_str() {
            "" => self.from.clone(),
            name => format!("{name} <{}>", self.from),
        }
    }
}

/// `[heartbeat]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// What is fetched. Who knows it can speak for us.
    pub url: Secret,
    /// How often.
    pub every: Duration,
}

/// Where the status server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Not at all.
    Off,
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Off => f.write_str("off"),
            Listen::Tcp(addr) => addr.fmt(f),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Address.
    pub listen: Listen,
    /// Bearer token; always there when listening beyond loopback.
    pub token: Option<Secret>,
}

/// A power limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// Above this an alert fires, in watts.
    pub on_w: f64,
    /// At or below this it ends, in watts.
    pub off_w: f64,
}

/// Soft (warning) and hard (critical) limit of one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Warns.
    pub soft: Option<Limit>,
    /// Critical.
    pub hard: Option<Limit>,
}

/// `[power]`
#[derive(Clone, Debug, PartialEq)]
pub struct PowerConfig {
    /// Time from one poll of a device to the next.
    pub interval: Duration,
    /// Wait for one request before it is sent again.
    pub timeout: Duration,
    /// How often it is sent again.
    pub retries: u8,
    /// A device that has not answered for so long is unreachable.
    pub unreachable_after: Duration,
    /// Over all PDUs.
    pub site: Limits,
    /// What energy costs, for `/energy`.
    pub energy_price: Option<units::EnergyPrice>,
}

/// Where a device is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A literal address.
    Ip(SocketAddr),
    /// A name to be looked up, and the port.
    Name(Box<str>, u16),
}

/// `[[pdu]]`
#[derive(Clone, Debug, PartialEq)]
pub struct PduConfig {
    /// Unique name.
    pub name: Arc<str>,
    /// Where it is.
    pub host: Host,
    /// As whom it is read.
    pub credentials: Credentials,
    /// As whom it is written to, for resets and switching.
    pub write: Option<Credentials>,
    /// Profile name, or `None` for detection.
    pub profile: Option<Arc<str>>,
    /// Limits, those of `[power]` when the table sets none.
    pub limits: Limits,
    /// Nothing sets any, so the threshold that the device itself has stands for one.
    pub device_limit: bool,
    /// Index into `Config::teams`.
    pub team: Option<u32>,
    /// A chained unit behind the address; all of them when absent.
    pub unit: Option<u16>,
    /// Accept answers from another address.
    pub any_source: bool,
}

impl Limit {
    /// A device's own threshold, with the usual hysteresis.
    pub fn of_device(on_w: f64) -> Limit {
        Limit {
            on_w,
            off_w: on_w * 0.97,
        }
    }
}

/// `[[team]]`
#[derive(Clone, Debug, PartialEq)]
pub struct TeamConfig {
    /// Unique name.
    pub name: Arc<str>,
    /// Limits over the sum.
    pub limits: Limits,
    /// Its PDUs as indices into `Config::pdus`.
    pub members: Vec<u32>,
}

/// `[history]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Kept for so many PDUs, the first of the configuration.
    pub max_series: u32,
    /// False when only the last hour is kept, in memory.
    pub on_disk: bool,
}

impl Config {
    /// What an empty file means.
    pub fn empty() -> Config {
        Config {
            name: "rackwarden".into(),
            state_dir: None,
            plugins: vec!["power"],
            log: LogConfig {
                level: log::LevelFilter::Info,
                targets: Vec::new(),
                file: None,
                max_size_bytes: 1 << 20,
                keep: 3,
            },
            telegram: None,
            access: AccessConfig::default(),
            monitor: MonitorConfig::new(),
            notify: NotifyConfig {
                to: Vec::new(),
                quiet_hours: None,
                timezone: Zone::UTC,
                timezone_name: None,
                max_notifications: 3,
                reset_after: Duration::from_secs(300),
                repeat: Repeat {
                    critical: Some(Duration::from_secs(30 * 60)),
                    warning: Some(Duration::from_secs(4 * 3600)),
                    info: None,
                },
                routes: Vec::new(),
            },
            mail: None,
            heartbeat: None,
            http: HttpConfig {
                listen: Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8093))),
                token: None,
            },
            power: PowerConfig {
                interval: Duration::from_secs(2),
                timeout: Duration::from_millis(500),
                retries: 1,
                unreachable_after: Duration::from_secs(10),
                site: Limits::default(),
                energy_price: None,
            },
            pdus: Vec::new(),
            teams: Vec::new(),
            history: HistoryConfig {
                max_series: 200,
                on_disk: true,
            },
            warnings: Vec::new(),
            profiles: crate::pdu::Profiles::builtin(),
            extra: Extra::default(),
        }
    }

    /// What is said about telling of this alert: those of the monitor may differ.
    pub fn notify_of(&self, alert: &str) -> &NotifyConfig {
        let own = self.monitor.notify.as_deref();
        own.filter(|_| alert.starts_with("monitor."))
            .unwrap_or(&self.notify)
    }

    /// A text that somebody wrote, without the secrets of this configuration that may be in it. Those of less than
    /// eight letters are words that mean something else as well.
    pub fn without_secrets(&self, text: String) -> String {
        let telegram = self
            .telegram
            .iter()
            .map(|telegram| &**telegram.token.expose());
        let http = self.http.token.iter().map(|token| &**token.expose());
        let mail = self.mail.iter().flat_map(|mail| &mail.login);
        let mail = mail.map(|(_, password)| &**password.expose());
        let of_pdus = self.pdus.iter().flat_map(|pdu| {
            let write = pdu.write.iter();
            write
                .chain([&pdu.credentials])
                .flat_map(Credentials::secrets)
        });
        let heartbeat = self.heartbeat.iter().map(|beat| &**beat.url.expose());
        let mut clean = text;
        for secret in telegram
            .chain(http)
            .chain(mail)
            .chain(heartbeat)
            .chain(of_pdus)
        {
            if secret.len() >= 8 && clean.contains(secret) {
                clean = clean.replace(secret, "***");
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests;
