//! Writes a configuration out in full: every key with the value in force, secrets masked, in a form that `parse` reads.

use super::reader::quoted;
use super::{Config, NotifyConfig, units};
use crate::secret::Secret;
use crate::small::SmallMap;
use std::fmt::Display;

/// Printed in place of a secret.
pub const MASK: &str = "***";

/// The whole configuration as TOML.
pub fn effective(config: &Config) -> String {
    let mut writer = Writer::default();
    writer.text("name", Some(&config.name));
    if let Some(state_dir) = &config.state_dir {
        writer.text("state_dir", state_dir.to_str());
    }
    writer.list("plugins", config.plugins.iter().map(ToString::to_string));
    log(&mut writer, config);
    telegram(&mut writer, config);
    access(&mut writer, config);
    notify(&mut writer, config);
    super::mail::effective(&mut writer, config);
    http(&mut writer, config);
    for settings in &config.settings {
        settings.print(config, &mut writer);
    }
    writer.begin("history");
    writer.number("max_series", Some(config.history.max_series));
    writer.number("on_disk", Some(config.history.on_disk));
    writer.finish()
}

fn log(writer: &mut Writer, config: &Config) {
    let log = &config.log;
    let mut level = log.level.to_string().to_lowercase();
    for (target, of_target) in &log.targets {
        level += &format!(",{target}={}", of_target.to_string().to_lowercase());
    }
    writer.begin("log");
    writer.text("level", Some(&level));
    writer.text("file", log.file.as_deref().and_then(|file| file.to_str()));
    writer.text("max_size", Some(&units::format_size(log.max_size_bytes)));
    writer.number("keep", Some(log.keep));
}

fn telegram(writer: &mut Writer, config: &Config) {
    let Some(telegram) = &config.telegram else {
        return;
    };
    writer.begin("telegram");
    match &config.extra.telegram_token_file {
        Some(file) => writer.text("token_file", file.to_str()),
        None => writer.text("token", Some(MASK)),
    }
    writer.text("api_url", Some(&telegram.api_url));
    let proxy = telegram.proxy.as_ref().map(without_user);
    writer.text("proxy", proxy.as_deref());
    writer.text(
        "ca_file",
        telegram.ca_file.as_deref().and_then(|file| file.to_str()),
    );
}

fn without_user(proxy: &Secret) -> String {
    let proxy = proxy.expose();
    match (proxy.split_once("://"), proxy.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{MASK}@{place}"),
        _ => proxy.clone(),
    }
}

fn access(writer: &mut Writer, config: &Config) {
    writer.begin("access");
    writer.list(
        "owners",
        config.access.owners.iter().map(ToString::to_string),
    );
    for grant in &config.access.grants {
        writer.begin_element("access.grant");
        writer.text("who", Some(&grant.who.to_string()));
        writer.text("role", grant.role.map(|role| role.name()));
        writer.list("allow", grant.allow.iter().cloned());
        writer.list("deny", grant.deny.iter().cloned());
        writer.text("until", grant.until.map(|until| until.rfc3339()).as_deref());
    }
}

fn notify(writer: &mut Writer, config: &Config) {
    let notify = &config.notify;
    writer.begin("notify");
    writer.list("to", notify.to.iter().map(ToString::to_string));
    let zone = notify.timezone_name.as_deref();
    writer.text(
        "timezone",
        zone.or_else(|| notify.timezone.inner().iana_name()),
    );
    writer.notify(notify);
    for route in &notify.routes {
        writer.begin_element("notify.route");
        writer.text("severity", route.severity.map(|severity| severity.name()));
        writer.text("alert", route.alert.as_deref());
        writer.list("to", route.to.iter().map(ToString::to_string));
    }
}

fn http(writer: &mut Writer, config: &Config) {
    writer.begin("http");
    writer.text("listen", Some(&config.http.listen.to_string()));
    let file = config.extra.http_token_file.as_deref();
    writer.text("token_file", file.and_then(|file| file.to_str()));
}

/// Collects lines of TOML, or the inside of an inline table.
#[derive(Default)]
pub struct Writer {
    text: String,
    /// Written after everything else.
    tail: String,
    is_inline: bool,
}

impl Writer {
    /// Starts the inside of an inline table.
    pub fn inline() -> Writer {
        Writer {
            is_inline: true,
            ..Writer::default()
        }
    }

    /// Starts a table.
    pub fn begin(&mut self, name: &str) {
        self.text += &format!("\n[{name}]\n");
    }

    /// Starts an element of an array of tables.
    pub fn begin_element(&mut self, name: &str) {
        self.text += &format!("\n[[{name}]]\n");
    }

    /// Writes a key whose value is TOML already.
    pub fn raw(&mut self, key: &str, value: &str) {
        if !self.is_inline {
            self.text += &format!("{key} = {value}\n");
        } else if self.text.is_empty() {
            self.text += &format!("{key} = {value}");
        } else {
            self.text += &format!(", {key} = {value}");
        }
    }

    /// Adds lines that are TOML already.
    pub fn lines(&mut self, lines: &str) {
        self.text += lines;
    }

    /// Adds lines that are TOML already, below everything else.
    pub fn last(&mut self, lines: &str) {
        self.tail += lines;
    }

    /// Writes a string, if there is one.
    pub fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.raw(key, &quoted(value));
        }
    }

    /// Writes a number or a truth, if there is one.
    pub fn number(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.raw(key, &value.to_string());
        }
    }

    /// Writes a list of strings.
    pub fn list(&mut self, key: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().map(|value| quoted(&value)).collect();
        self.raw(key, &format!("[{}]", values.join(", ")));
    }

    /// The keys that `[notify]` and `[monitor.notifications]` have in common.
    pub fn notify(&mut self, notify: &NotifyConfig) {
        if let Some((from, to)) = notify.quiet_hours {
            let span = format!(
                "{:02}:{:02}-{:02}:{:02}",
                from / 60,
                from % 60,
                to / 60,
                to % 60
            );
            self.text("quiet_hours", Some(&span));
        }
        self.number("max_notifications", Some(notify.max_notifications));
        self.text(
            "reset_after",
            Some(&units::format_duration(notify.reset_after)),
        );
        let repeat = SmallMap::from([
            ("critical", notify.repeat.critical),
            ("warning", notify.repeat.warning),
            ("info", notify.repeat.info),
        ]);
        let parts: Vec<String> = repeat
            .into_iter()
            .map(|(key, every)| {
                let every = every.map_or("off".to_owned(), units::format_duration);
                format!("{key} = {}", quoted(&every))
            })
            .collect();
        self.raw("repeat", &format!("{{ {} }}", parts.join(", ")));
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text + &self.tail
    }
}
