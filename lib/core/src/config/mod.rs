//! The validated configuration. Text becomes these values in `parse`; nothing in here can be wrong any more.

pub mod effective;
mod environment;
mod mail;
pub mod monitor;
pub mod parse;
pub mod people;
pub mod power;
mod settings;
mod source;

pub use environment::{Environment, ListFolder, ReadFile, Scope, SecretFile, Variable};
pub use parse::is_invisible;
pub use rackwarden_base::problem::ConfigError;
pub use rackwarden_base::{reader, suggest, units};
pub use settings::{Read, Section, Settings, Tables};

use crate::alert::Severity;
use crate::chat::{Person, Place, Role};
use crate::secret::Secret;
use crate::time::{Wall, Zone};
use rackwarden_base::problem;
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
    /// `[history]`
    pub history: HistoryConfig,
    /// The settings of the plugins, in the order of the plugin table.
    pub settings: Vec<Arc<dyn Settings>>,
    /// What was accepted but has no effect in this version, one line each.
    pub warnings: Vec<String>,
    /// What only `check --effective` needs.
    pub extra: Extra,
}

/// Where values came from: enough to print the configuration again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    /// `[telegram] token_file`
    pub telegram_token_file: Option<PathBuf>,
    /// `[mail] password_file`
    pub mail_password_file: Option<PathBuf>,
    /// `[http] token_file`
    pub http_token_file: Option<PathBuf>,
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
            plugins: Vec::new(),
            log: LogConfig {
                level: log::LevelFilter::Info,
                targets: Vec::new(),
                file: None,
                max_size_bytes: 1 << 20,
                keep: 3,
            },
            telegram: None,
            access: AccessConfig::default(),
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
            history: HistoryConfig {
                max_series: 200,
                on_disk: true,
            },
            settings: Vec::new(),
            warnings: Vec::new(),
            extra: Extra::default(),
        }
    }

    /// Every place that hears of alerts. May hold one several times.
    pub fn audiences(&self) -> impl Iterator<Item = &Place> {
        let routes = self.notify.routes.iter().flat_map(|route| &route.to);
        let own = self.settings.iter().filter_map(|own| own.notify());
        let own = own.flat_map(|notify| &notify.to);
        self.notify.to.iter().chain(routes).chain(own)
    }

    /// Every secret in it, the whole before its parts. Some are words that mean something else as well.
    pub fn secrets(&self) -> Vec<&str> {
        let mut secrets: Vec<&str> = Vec::new();
        if let Some(telegram) = &self.telegram {
            let token = telegram.token.expose();
            secrets.push(token);
            // The key without the bot's id, which is public.
            secrets.extend(token.split_once(':').map(|(_, key)| key));
            let proxy = telegram.proxy.as_ref();
            let user = proxy.and_then(|proxy| user_of(proxy.expose()));
            secrets.extend(user.iter().flat_map(|user| [user.0, user.1]));
        }
        let login = self.mail.as_ref().and_then(|mail| mail.login.as_ref());
        secrets.extend(login.map(|(_, password)| password.expose().as_str()));
        // Everybody who knows the path of the ping can ping. A shorter one is a word.
        let ping = self.heartbeat.as_ref().map(|beat| beat.url.expose());
        let path = ping.and_then(|url| Some(url.split_once("://")?.1.split_once('/')?.1));
        secrets.extend(path.filter(|path| path.len() >= 6));
        let http = self.http.token.as_ref();
        secrets.extend(http.map(|token| token.expose().as_str()));
        secrets.extend(self.settings.iter().flat_map(|own| own.secrets()));
        secrets
    }

    /// A text that somebody wrote, without the secrets of this configuration that may be in it. Those of less than
    /// eight letters are words that mean something else as well.
    pub fn without_secrets(&self, text: String) -> String {
        let mut clean = text;
        for secret in self.secrets() {
            if secret.len() >= 8 && clean.contains(secret) {
                clean = clean.replace(secret, "***");
            }
        }
        clean
    }
}

/// Name and password in a URL.
fn user_of(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    rest.rsplit_once('@')?.0.split_once(':')
}

#[cfg(test)]
mod tests;
