//! Text to `Config`. All errors are found in one run; a configuration with an error is no configuration.
//! Reads nothing but its arguments.

use super::environment::{Environment, Scope};
use super::problem::{ConfigError, Kind, Problems};
use super::reader::original;
use super::reader::{Item, Part, Reader};
use super::settings::{Section, Tables};
use super::source::Source;
use super::{Config, HistoryConfig, HttpConfig, Listen, LogConfig, TelegramConfig};
use super::{mail, people, units};
use crate::chat::Place;
use crate::secret::Secret;
use log::LevelFilter;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

/// Reads a configuration. `file` is how errors name it; relative paths inside of it start at its folder. `rows` is the
/// table of plugins.
///
/// # Errors
/// Everything that is wrong, in the order of the file.
///
/// # Examples
/// ```
/// use rackwarden_core::config::{Environment, parse::parse};
/// use rackwarden_core::plugins::PLUGINS;
/// let text = "[power]\nintervall = \"2s\"\n";
/// let errors = parse(text, "rack.toml", &Environment::bare(), PLUGINS).unwrap_err();
/// assert_eq!(
///     errors[0].to_string(),
///     "rack.toml:2:1: power.intervall: unknown key; did you mean `interval`?"
/// );
/// ```
pub fn parse<R: AsRef<Section>>(
    text: &str,
    file: &str,
    env: &Environment,
    rows: &[R],
) -> Result<Config, Vec<ConfigError>> {
    let sections: Vec<&Section> = rows.iter().map(AsRef::as_ref).collect();
    parse_sections(text, file, env, &sections)
}

fn parse_sections(
    text: &str,
    file: &str,
    env: &Environment,
    sections: &[&Section],
) -> Result<Config, Vec<ConfigError>> {
    let problems = Problems::default();
    let scope = Scope {
        env,
        folder: Path::new(file).parent().unwrap_or(Path::new("")),
    };
    let long = sections.iter().flat_map(|section| section.long);
    let long: Vec<&'static str> = long.copied().collect();
    let source = Source::split(text, &long);
    let part = Part {
        problems: &problems,
        origin: &source.origin,
    };
    let document = document(part, &source.rest);
    let mut config = Config::empty();
    let mut root = Reader::new(part, String::new(), 0, &document);
    let has_mail = house(&mut config, &mut root, &scope);
    let mut settings = Vec::new();
    for read in sections.iter().filter_map(|section| section.read) {
        settings.push(read(&mut Tables {
            root: &mut root,
            source: &source,
            problems: &problems,
            scope: &scope,
            house: &config,
        }));
    }
    config.settings = settings;
    audiences(&config, &root, has_mail);
    for warning in config.settings.iter().flat_map(|own| own.cross(&config)) {
        root.warn(warning);
    }
    plugins(&mut config, &mut root, sections);
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
pub(super) fn document<'a>(part: Part<'_>, text: &'a str) -> DeTable<'a> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        let message = format!("not TOML: {}", error.message());
        part.problems
            .push(original(part.origin, at), Kind::Syntax, "", message);
    }
    document.into_inner()
}

/// Reads the tables of the house. True when there is a `[mail]`, right or wrong.
fn house(config: &mut Config, root: &mut Reader<'_>, scope: &Scope<'_>) -> bool {
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
    has_mail
}

/// Warns of audiences that nothing is sent to.
fn audiences(config: &Config, root: &Reader<'_>, has_mail: bool) {
    let is_telegram = |to: &Place| to.transport() == "telegram";
    if config.telegram.is_none() && config.audiences().any(is_telegram) {
        root.warn(
            "[notify]: names Telegram chats, but there is no bot token; nothing is sent to them",
        );
    }
    let is_mail = |to: &Place| to.transport() == "mail";
    if !has_mail && config.audiences().any(is_mail) {
        root.warn(
            "[notify]: names mail addresses, but there is no [mail]; nothing is sent to them",
        );
    }
}

/// A name that people read: printable, at most 64 characters, no white space around it.
pub fn name(item: &Item<'_>) -> Option<String> {
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

/// Reads a duration within bounds that are written the same way.
///
/// # Errors
/// Says what is accepted.
pub fn between(text: &str, from: &str, to: &str) -> Result<Duration, String> {
    let span = units::duration(text)?;
    let is_within = |bound: &str, holds: fn(&Duration, &Duration) -> bool| {
        units::duration(bound).is_ok_and(|bound| holds(&span, &bound))
    };
    if is_within(from, Duration::ge) && is_within(to, Duration::le) {
        Ok(span)
    } else {
        Err(format!("is out of range; write a time from {from} to {to}"))
    }
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

/// Which plugins start: those that `plugins` names, else those that have a table, and those that need none.
fn plugins(config: &mut Config, root: &mut Reader<'_>, sections: &[&Section]) {
    let item = root.get("plugins");
    let mut absent = absent_tables(root, sections);
    let Some(item) = item else {
        let is_used = |name| {
            let mut all = config.settings.iter();
            all.any(|own| own.name() == name && own.is_used())
        };
        let starts = |section: &&&Section| section.on_by_default || is_used(section.name);
        let here = sections.iter().filter(|section| section.read.is_some());
        config.plugins = here.filter(starts).map(|section| section.name).collect();
        return;
    };
    let mut names = Vec::new();
    for item in item.items() {
        let Some(text) = item.text() else { continue };
        match sections.iter().find(|section| section.name == text) {
            Some(section) if names.contains(&section.name) => item.error("stands here twice"),
            Some(section) => names.push(section.name),
            None => item.unknown("unknown plugin", text, sections.iter().map(|one| one.name)),
        }
    }
    for name in &names {
        let is_here = config.settings.iter().any(|own| own.name() == *name);
        if !is_here && !absent.contains(name) {
            root.warn(format!(
                "plugins: `{name}` is not supported by this version; it has no effect"
            ));
            absent.push(name);
        }
    }
    for own in &config.settings {
        if let (false, Some(warning)) = (names.contains(&own.name()), own.idle_warning()) {
            root.warn(warning);
        }
    }
    names.retain(|name| !absent.contains(name));
    config.plugins = names;
}

/// Accepts the tables of capabilities that are not here, with one warning for each capability; returns their names.
fn absent_tables(root: &mut Reader<'_>, sections: &[&Section]) -> Vec<&'static str> {
    let mut found = Vec::new();
    for section in sections.iter().filter(|section| section.read.is_none()) {
        let tables = section.tables.iter().copied();
        let present: Vec<&str> = tables.filter(|table| root.get(table).is_some()).collect();
        if let Some(table) = present.first() {
            root.warn(format!(
                "[{table}]: is not supported by this version; it has no effect"
            ));
            found.push(section.name);
        }
    }
    found
}

impl Config {
    /// Leaves only those plugins that `names` has, as `--plugins` asks. `rows` is the table of plugins.
    ///
    /// # Errors
    /// Says which name is unknown, and the nearest one.
    pub fn restrict_plugins<R: AsRef<Section>>(
        &mut self,
        names: &[String],
        rows: &[R],
    ) -> Result<(), String> {
        let known = || rows.iter().map(|row| row.as_ref().name);
        for name in names {
            if known().all(|known| known != name) {
                let near = super::suggest::nearest(name, known());
                let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                return Err(format!("`{name}`: unknown plugin{hint}"));
            }
        }
        self.plugins
            .retain(|known| names.iter().any(|name| name == known));
        Ok(())
    }
}
