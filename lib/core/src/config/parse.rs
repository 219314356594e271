//! Text to `Config`. All errors are found in one run; a configuration with an error is no configuration.
//! Reads nothing but its arguments.

use super::environment::{Environment, Scope};
use super::problem::{ConfigError, Kind, Problems};
use super::reader::original;
use super::reader::{Item, Part, Reader};
use super::source::{self, Source};
use super::{Config, HistoryConfig, HttpConfig, Listen, LogConfig, TelegramConfig};
use super::{mail, monitor, people, power, units};
use crate::chat::Place;
use crate::secret::Secret;
use log::LevelFilter;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Plugins of this version, in the order of the plugin table.
pub const PLUGINS: &[&str] = &["power", "monitor"];

/// Plugins of later versions.
const LATER_PLUGINS: &[&str] = &["docker", "outline", "bridge", "hub", "digest", "jobs"];

/// Reads a configuration. `file` is how errors name it; relative paths inside of it start at its folder.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
///
/// # Examples
/// ```
/// use rackwarden_core::config::{Environment, parse::parse};
/// let text = "[power]\nintervall = \"2s\"\n";
/// let errors = parse(text, "rack.toml", &Environment::bare()).unwrap_err();
/// assert_eq!(
///     errors[0].to_string(),
///     "rack.toml:2:1: power.intervall: unknown key; did you mean `interval`?"
/// );
/// ```
pub fn parse(text: &str, file: &str, env: &Environment) -> Result<Config, Vec<ConfigError>> {
    let problems = Problems::default();
    let scope = Scope {
        env,
        folder: Path::new(file).parent().unwrap_or(Path::new("")),
    };
    let source = Source::split(text);
    let part = Part {
        problems: &problems,
        origin: &source.origin,
    };
    let document = document(part, &source.rest);
    let mut config = Config::empty();
    let mut root = Reader::new(part, String::new(), 0, &document);
    general(&mut config, &mut root, &scope);
    config.extra.profiles = source::profiles(text);
    let own = root
        .tables("profile")
        .into_iter()
        .filter_map(crate::pdu::read::table);
    config.profiles = config.profiles.with(own.collect());
    let mut builder = power::Builder::new(&mut config, &scope, root.table("power"));
    for reader in root.tables("pdu") {
        builder.pdu(reader);
    }
    for (at, chunk) in &source.pdus {
        let origin = [(0, *at)];
        let part = Part {
            problems: &problems,
            origin: &origin,
        };
        let document = self::document(part, chunk);
        let mut root = Reader::new(part, String::new(), *at, &document);
        for reader in root.tables("pdu") {
            builder.pdu(reader);
        }
        root.finish();
    }
    for reader in root.tables("team") {
        builder.team(reader);
    }
    for warning in builder.finish() {
        root.warn(warning);
    }
    plugins(&mut config, &mut root);
    root.finish();
    config.warnings = problems.take_warnings();
    let errors = problems.into_errors(file, text);
    if errors.is_empty() {
        Ok(config)
    } else {
        Err(errors)
    }
}

/// Parses one part; what is not TOML is reported, what can be read in spite of it is returned. The parser's own
/// rendering is not used, because it quotes the line, which may hold a secret.
fn document<'a>(part: Part<'_>, text: &'a str) -> DeTable<'a> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let message = format!("not TOML: {}", error.message());
        part.problems
            .push(original(part.origin, at), Kind::Syntax, "", message);
    }
    document.into_inner()
}

/// Reads everything but the power sections.
fn general(config: &mut Config, root: &mut Reader<'_>, scope: &Scope<'_>) {
    let name = root.get("name").and_then(|item| name(&item));
    config.name = name.unwrap_or_else(|| scope.env.hostname.clone()).into();
    config.state_dir = root
        .get("state_dir")
        .and_then(|item| scope.path(&item))
        .or_else(|| default_state_dir(scope.env));
    if let Some(reader) = root.table("log") {
        config.log = log(reader, scope, config.log.clone());
    }
    telegram(config, root.table("telegram"), scope);
    let mut notify = root.table("notify");
    people::zone(config, notify.as_mut(), scope.env);
    if let Some(reader) = root.table("access") {
        config.access = people::access(reader, &config.notify.timezone);
    }
    if let Some(reader) = notify {
        people::notify(&mut config.notify, reader);
    }
    let mail_table = root.table("mail");
    let has_mail = mail_table.is_some();
    if let Some(reader) = mail_table {
        mail::mail(config, reader, scope);
    }
    config.heartbeat = root.table("heartbeat").and_then(mail::heartbeat);
    if let Some(reader) = root.table("monitor") {
        monitor::monitor(config, reader);
    }
    let audiences = config.notify.routes.iter().flat_map(|route| &route.to);
    let of_monitor = config.monitor.notify.iter().flat_map(|notify| &notify.to);
    let audiences = config.notify.to.iter().chain(audiences).chain(of_monitor);
    let is_telegram = |to: &Place| to.transport() == "telegram";
    if config.telegram.is_none() && audiences.clone().any(is_telegram) {
        root.warn(
            "[notify]: names Telegram chats, but there is no bot token; nothing is sent to them",
        );
    }
    if !has_mail && audiences.clone().any(|to| to.transport() == "mail") {
        root.warn(
            "[notify]: names mail addresses, but there is no [mail]; nothing is sent to them",
        );
    }
    if let Some(reader) = root.table("http") {
        http(config, reader, scope);
    }
    if let Some(mut reader) = root.table("history") {
        let series = reader
            .get("max_series")
            .and_then(|item| item.integer(0, 10_000));
        config.history = HistoryConfig {
            max_series: series.unwrap_or(config.history.max_series),
            on_disk: reader.bool("on_disk", config.history.on_disk),
        };
        reader.finish();
    }
}

/// A name that people read: printable, at most 64 characters, no white space around it.
pub(super) fn name(item: &Item<'_>) -> Option<String> {
    let name = item.line()?;
    if name.trim() != name {
        item.error("has white space around it");
        return None;
    }
    if name.chars().count() > 64 {
        item.error("is longer than 64 characters");
        return None;
    }
    if name.chars().any(is_invisible) {
        item.error("has invisible characters");
        return None;
    }
    Some(name.to_owned())
}

/// Marks that change the direction of text, and characters of no width.
pub fn is_invisible(ch: char) -> bool {
    matches!(ch, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn default_state_dir(env: &Environment) -> Option<PathBuf> {
    // systemd separates several directories with colons.
    let given = env.variable("STATE_DIRECTORY");
    if let Some(first) = given.as_deref().and_then(|list| list.split(':').next()) {
        return Some(PathBuf::from(first));
    }
    let state = match env.variable("XDG_STATE_HOME") {
        Some(state) => PathBuf::from(state),
        None => PathBuf::from(env.variable("HOME")?).join(".local/state"),
    };
    Some(state.join("rackwarden"))
}

fn log(mut reader: Reader<'_>, scope: &Scope<'_>, defaults: LogConfig) -> LogConfig {
    let levels = reader.get("level").and_then(|item| item.read(levels));
    let (level, targets) = levels.unwrap_or((defaults.level, Vec::new()));
    let log = LogConfig {
        level,
        targets,
        file: reader.get("file").and_then(|item| scope.path(&item)),
        max_size_bytes: reader
            .get("max_size")
            .and_then(|item| item.read(log_size))
            .unwrap_or(defaults.max_size_bytes),
        keep: reader
            .get("keep")
            .and_then(|item| item.integer(0, 1000))
            .unwrap_or(defaults.keep),
    };
    reader.finish();
    log
}

fn log_size(text: &str) -> Result<u64, String> {
    match units::size_bytes(text)? {
        bytes if bytes < 4096 => Err("is below 4 KiB".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Reads `info`, or `info,rackwarden_core::power=debug` as `$RUST_LOG` has it.
///
/// # Errors
/// Says what is accepted.
pub fn levels(text: &str) -> Result<(LevelFilter, Vec<(String, LevelFilter)>), String> {
    let mut general = LevelFilter::Info;
    let mut targets = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (target, level) = match part.split_once('=') {
            Some((target, level)) => (Some(target.trim()), level.trim()),
            None => (None, part),
        };
        let level = level.parse().map_err(|_| {
            "is not a level; write error, warn, info, debug, trace, or target=level".to_owned()
        })?;
        match target {
            Some(target) => targets.push((target.to_owned(), level)),
            None => general = level,
        }
    }
    Ok((general, targets))
}

fn telegram(config: &mut Config, reader: Option<Reader<'_>>, scope: &Scope<'_>) {
    let outer = || {
        let variable = scope
            .env
            .variable("RACKWARDEN_TELEGRAM_TOKEN")
            .map(Secret::new);
        variable.or_else(|| scope.credential("telegram.token"))
    };
    let mut telegram = TelegramConfig {
        token: Secret::default(),
        api_url: "https://api.telegram.org".to_owned(),
        proxy: None,
        ca_file: None,
    };
    let Some(mut reader) = reader else {
        config.telegram = outer()
            .filter(|token| is_token(token.expose()))
            .map(|token| {
                telegram.token = token;
                telegram
            });
        return;
    };
    let inline = reader.get("token");
    let file = reader.get("token_file");
    if let (Some(_), Some(file)) = (&inline, &file) {
        file.error("stands beside token; give one of them");
    }
    let has_own = inline.is_some() || file.is_some();
    let token = match (inline, file) {
        (Some(item), _) => item.text().map(|text| (Secret::new(text.to_owned()), item)),
        (None, Some(item)) => {
            scope
                .credential_file(&item, "telegram.token")
                .map(|(secret, path)| {
                    config.extra.telegram_token_file = Some(path);
                    (secret, item)
                })
        }
        (None, None) => None,
    };
    if let Some((token, item)) = token {
        if is_token(token.expose()) {
            telegram.token = token;
        } else {
            item.error("does not hold a bot token; copy it from @BotFather");
        }
    } else if !has_own {
        match outer() {
            Some(token) if is_token(token.expose()) => telegram.token = token,
            Some(_) => reader.error("the token from the environment is not a bot token; copy it from @BotFather"),
            None => reader.error("has no token; write token_file = \"…\", or give $RACKWARDEN_TELEGRAM_TOKEN or the credential telegram.token"),
        }
    }
    if let Some(url) = reader.get("api_url").and_then(|item| item.read(base_url)) {
        telegram.api_url = url;
    }
    telegram.proxy = reader
        .get("proxy")
        .and_then(|item| item.read(proxy))
        .map(Secret::new);
    telegram.ca_file = reader
        .get("ca_file")
        .and_then(|item| certificates(&item, scope));
    reader.finish();
    config.telegram = Some(telegram);
}

/// Whether it can stand in the path of a URL. Stand-ins for the Bot API take any token, so its shape is left alone.
fn is_token(token: &str) -> bool {
    !token.is_empty()
        && token
            .chars()
            .all(|ch| ch.is_ascii_graphic() && !"/?#%\\\"".contains(ch))
}

/// Reads `http://…` or `https://…` and takes slashes off its end. The text is not repeated in errors: it may hold a password.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let is_url = rest.is_some_and(|rest| {
        !rest.trim_start_matches('/').is_empty()
            && !rest.starts_with('/')
            && rest.chars().all(|ch| ch.is_ascii_graphic())
    });
    if is_url {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("is not a URL; write https://HOST or http://HOST:PORT".to_owned())
    }
}

fn proxy(text: &str) -> Result<String, String> {
    let expected = || {
        "is not a proxy; write socks5://HOST:PORT, socks5h://HOST:PORT or http://HOST:PORT"
            .to_owned()
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(expected)?;
    let authority = rest.trim_end_matches('/');
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    let (host, port) = place.rsplit_once(':').ok_or_else(expected)?;
    let is_right = ["socks5", "socks5h", "socks4", "http", "https"].contains(&scheme)
        && !host.is_empty()
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && rest.chars().all(|ch| ch.is_ascii_graphic());
    if is_right {
        Ok(text.to_owned())
    } else {
        Err(expected())
    }
}

/// A file of certificates.
pub(super) fn certificates(item: &Item<'_>, scope: &Scope<'_>) -> Option<PathBuf> {
    let path = scope.path(item)?;
    match (scope.env.read_file)(&path) {
        Err(why) => item.error(format!("cannot read {}: {why}", path.display())),
        Ok(file) if !file.content.expose().contains("BEGIN CERTIFICATE") => {
            item.error(format!("{} has no certificate in PEM", path.display()));
        }
        Ok(_) => return Some(path),
    }
    None
}

fn http(config: &mut Config, mut reader: Reader<'_>, scope: &Scope<'_>) {
    let listen_item = reader.get("listen");
    if let Some(listen) = listen_item.as_ref().and_then(|item| item.read(listen)) {
        config.http.listen = match listen {
            Listen::Unix(path) => Listen::Unix(scope.folder.join(path)),
            other => other,
        };
    }
    let file = reader.get("token_file");
    let has_file = file.is_some();
    let token = file.and_then(|item| scope.secret_file(&item));
    if let Some((token, path)) = token {
        config.extra.http_token_file = Some(path);
        config.http = HttpConfig {
            listen: config.http.listen.clone(),
            token: Some(token),
        };
    }
    if let (Listen::Tcp(addr), Some(item), false) = (&config.http.listen, &listen_item, has_file) {
        if !is_loopback(addr.ip()) {
            item.error("is beyond loopback, which needs a token; write token_file = \"…\"");
        }
    }
    reader.finish();
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err("has no path; write unix:/run/rackwarden/http.sock".to_owned()),
            path => Ok(Listen::Unix(PathBuf::from(path))),
        };
    }
    let literal = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    literal.parse::<SocketAddr>().map(Listen::Tcp).map_err(|_| {
        "is not an address; write IP:PORT such as 127.0.0.1:8093, unix:PATH, or off".to_owned()
    })
}

/// Which plugins start: those that `plugins` names, else those that have a table and the monitor, which needs none.
fn plugins(config: &mut Config, root: &mut Reader<'_>) {
    let has_power = !config.pdus.is_empty() || config.extra.has_power_table;
    let Some(item) = root.get("plugins") else {
        config.plugins = PLUGINS
            .iter()
            .copied()
            .filter(|name| *name != "power" || has_power)
            .collect();
        return;
    };
    let mut names = Vec::new();
    for item in item.items() {
        if let Some(text) = item.text() {
            match plugin(text) {
                Some(name) if names.contains(&name) => item.error("stands here twice"),
                Some(name) => names.push(name),
                None => item.unknown("unknown plugin", text, plugin_names()),
            }
        }
    }
    for later in names.iter().filter(|name| LATER_PLUGINS.contains(name)) {
        root.warn(format!(
            "plugins: `{later}` is not supported by this version; it has no effect"
        ));
    }
    if !names.contains(&"power") && !config.pdus.is_empty() {
        root.warn("plugins: `power` is not among them, so no [[pdu]] is read");
    }
    names.retain(|name| !LATER_PLUGINS.contains(name));
    config.plugins = names;
}

fn plugin_names() -> impl Iterator<Item = &'static str> {
    PLUGINS.iter().copied().chain(LATER_PLUGINS.iter().copied())
}

fn plugin(name: &str) -> Option<&'static str> {
    plugin_names().find(|known| *known == name)
}

impl Config {
    /// Leaves only those plugins that `names` has, as `--plugins` asks.
    ///
    /// # Errors
    /// Says which name is unknown, and the nearest one.
    pub fn restrict_plugins(&mut self, names: &[String]) -> Result<(), String> {
        for name in names {
            if plugin(name).is_none() {
                let near = super::suggest::nearest(name, plugin_names());
                let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                return Err(format!("`{name}`: unknown plugin{hint}"));
            }
        }
        self.plugins
            .retain(|known| names.iter().any(|name| name == known));
        Ok(())
    }
}
