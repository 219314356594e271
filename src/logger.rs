//! Where log lines go: standard error (with journal priorities under systemd) or a rotated file. Lines are single, free of
//! control characters and of every registered secret, and repeated errors are counted instead of repeated.

use log::{Level, LevelFilter, Log, Metadata, Record};
use rackwarden_core::config::{Config, LogConfig, parse};
use rackwarden_core::text;
use rackwarden_core::time::{Mono, Now};
use rackwarden_io::clock::Clock;
use rackwarden_io::environment::reason;
use rackwarden_io::store::RotatingFile;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Longer messages are cut.
const MAX_MESSAGE_CHARS: usize = 4096;
/// How long equal warnings and errors are counted before the count is written.
const REPEAT_SPAN: Duration = Duration::from_secs(60);
/// So many different messages of one place in the program are written in that span, with a count of each; the rest is one
/// line. Together at most ten lines a minute.
const MOST_OF_SITE: usize = 4;
/// How many places are counted at a time.
const MAX_SITES: usize = 64;
/// Targets whose lines can hold URLs and headers, and how far they can be opened.
const CAPPED: [&str; 3] = ["ureq", "rustls", "webpki"];

/// Installs the logger, before there is a configuration: level info, standard error.
pub(crate) fn start(clock: Clock) {
    let logger = LOGGER.get_or_init(|| Logger {
        clock,
        inner: Mutex::new(Inner::new(std::env::var_os("JOURNAL_STREAM").is_some())),
    });
    // Fails only when it has been installed already.
    let _ = log::set_logger(logger);
    log::set_max_level(LevelFilter::Info);
}

/// Takes over `[log]` and the secrets of a configuration. `$RUST_LOG` goes before the configured level.
///
/// # Errors
/// When the log file cannot be opened; everything stays as it was then.
pub(crate) fn configure(config: &Config) -> Result<(), String> {
    let Some(logger) = LOGGER.get() else {
        return Ok(());
    };
    let from_variable = std::env::var("RUST_LOG")
        .ok()
        .filter(|levels| !levels.trim().is_empty())
        .and_then(|levels| parse::levels(&levels).ok());
    let filter = match from_variable {
        Some((level, targets)) => Filter { level, targets },
        None => Filter {
            level: config.log.level,
            targets: config.log.targets.clone(),
        },
    };
    let file = open(&config.log)?;
    log::set_max_level(filter.most());
    let mut inner = logger.lock();
    inner.filter = filter;
    inner.secrets = secrets(config);
    inner.file = file;
    Ok(())
}

fn open(log: &LogConfig) -> Result<Option<RotatingFile>, String> {
    let Some(path) = &log.file else {
        return Ok(None);
    };
    RotatingFile::open(path, log.max_size_bytes, log.keep)
        .map(Some)
        .map_err(|err| {
            format!(
                "{}: cannot open the log file: {}; name another in [log] file",
                path.display(),
                reason(&err)
            )
        })
}

/// Writes each of these lines, however many they are: who corrects a file wants to see them all.
pub(crate) fn each(level: Level, lines: impl Iterator<Item = String>) {
    for line in lines {
        log::logger().flush();
        log::log!(level, "{line}");
    }
}

/// Everything in a configuration that no line may show.
fn secrets(config: &Config) -> Vec<Arc<str>> {
    let mut secrets = config.secrets();
    // The defaults of every device hide nothing, and are words that other lines use.
    secrets.retain(|secret| !matches!(*secret, "" | "public" | "private"));
    rackwarden_core::small::sort_by_key(&mut secrets, |secret| {
        (std::cmp::Reverse(secret.len()), *secret)
    });
    secrets.dedup();
    secrets.into_iter().map(Arc::from).collect()
}

struct Logger {
    clock: Clock,
    inner: Mutex<Inner>,
}

impl Logger {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lock()
            .filter
            .allows(metadata.target(), metadata.level())
    }

    fn log(&self, record: &Record<'_>) {
        // The text is made outside of the lock: what it is made from may log.
        let message = record.args().to_string();
        let now = self.clock.now();
        let mut inner = self.lock();
        if inner.filter.allows(record.target(), record.level()) {
            let place = (record.target(), record.line().unwrap_or(0));
            inner.log(now, record.level(), place, &message);
        }
    }

    fn flush(&self) {
        let now = self.clock.now();
        self.lock().flush(now);
    }
}

/// Levels, general and by target.
#[derive(Debug)]
struct Filter {
    level: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

impl Filter {
    /// The longest target that matches decides.
    fn allows(&self, target: &str, level: Level) -> bool {
        let own = self
            .targets
            .iter()
            .filter(|(prefix, _)| is_below(target, prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, level)| *level);
        let is_capped = CAPPED.iter().any(|prefix| target.starts_with(prefix));
        let allowed = match own {
            Some(own) if is_capped => own.min(LevelFilter::Debug),
            Some(own) => own,
            None if is_capped => self.level.min(LevelFilter::Warn),
            None => self.level,
        };
        level <= allowed
    }

    fn most(&self) -> LevelFilter {
        let of_targets = self.targets.iter().map(|(_, level)| *level);
        of_targets.fold(self.level, Ord::max)
    }
}

/// A target within the library, whichever of its crates that is in.
fn part(target: &str) -> &str {
    target
        .strip_prefix("rackwarden_core::")
        .or_else(|| target.strip_prefix("rackwarden_"))
        .unwrap_or(target)
}

/// `rackwarden_core` is the whole library, and `rackwarden_core::io` its part `io`, which has a crate of its own.
fn is_below(target: &str, prefix: &str) -> bool {
    if prefix == "rackwarden_core" {
        return target.starts_with("rackwarden_");
    }
    part(target)
        .strip_prefix(part(prefix))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// A place in the program whose warnings or errors are being counted.
struct Site {
    level: Level,
    target: String,
    line: u32,
    since: Mono,
    /// What was written, and how often it came again.
    written: Vec<(String, u64)>,
    /// The last that was not written, and how many there were.
    unwritten: (String, u64),
}

struct Inner {
    filter: Filter,
    secrets: Vec<Arc<str>>,
    sites: Vec<Site>,
    has_journal: bool,
    file: Option<RotatingFile>,
}

impl Inner {
    fn new(has_journal: bool) -> Inner {
        Inner {
            filter: Filter {
                level: LevelFilter::Info,
                targets: Vec::new(),
            },
            secrets: Vec::new(),
            sites: Vec::new(),
            has_journal,
            file: None,
        }
    }

    fn log(&mut self, now: Now, level: Level, (target, line): (&str, u32), message: &str) {
        let message = clean(message, &self.secrets);
        self.write_counts(now, |site| now.mono.since(site.since) >= REPEAT_SPAN);
        if level > Level::Warn {
            self.write(now, level, target, &message);
            return;
        }
        let is_here =
            |site: &Site| site.line == line && site.level == level && site.target == target;
        let index = match self.sites.iter().position(is_here) {
            Some(index) => index,
            None => {
                if self.sites.len() >= MAX_SITES {
                    let oldest = self.sites[0].since;
                    self.write_counts(now, |site| site.since == oldest);
                }
                self.sites.push(Site {
                    level,
                    target: target.to_owned(),
                    line,
                    since: now.mono,
                    written: Vec::new(),
                    unwritten: Default::default(),
                });
                self.sites.len() - 1
            }
        };
        let site = &mut self.sites[index];
        if let Some((_, more)) = site.written.iter_mut().find(|(known, _)| *known == message) {
            *more += 1;
        } else if site.written.len() >= MOST_OF_SITE {
            site.unwritten = (message, site.unwritten.1 + 1);
        } else {
            site.written.push((message.clone(), 0));
            self.write(now, level, target, &message);
        }
    }

    /// Ends the counting of some places, and writes how much came from there.
    fn write_counts(&mut self, now: Now, is_over: impl Fn(&Site) -> bool) {
        let mut over = Vec::new();
        let mut index = 0;
        while index < self.sites.len() {
            if is_over(&self.sites[index]) {
                over.push(self.sites.remove(index));
            } else {
                index += 1;
            }
        }
        for site in over {
            for (message, more) in &site.written {
                let line = match more {
                    0 => continue,
                    1 => format!("{message} … repeated once"),
                    more => format!("{message} … repeated {more} times"),
                };
                self.write(now, site.level, &site.target, &line);
            }
            let (last, count) = &site.unwritten;
            if *count > 0 {
                let line = format!("{last} … the last of {count} more of this kind");
                self.write(now, site.level, &site.target, &line);
            }
        }
    }

    /// Ends all counting, so that the next of each message is written again.
    fn flush(&mut self, now: Now) {
        self.write_counts(now, |_| true);
    }

    fn write(&mut self, now: Now, level: Level, target: &str, message: &str) {
        let target = target.strip_prefix("rackwarden::").unwrap_or(part(target));
        if let Some(file) = &mut self.file {
            let line = format!("{} {level:<5} [{target}] {message}", now.wall.rfc3339());
            if file.write_line(&line).is_ok() {
                return;
            }
        }
        let mut line = String::with_capacity(message.len() + target.len() + 32);
        // Writing to a String cannot fail.
        let _ = match (self.has_journal, level) {
            (true, Level::Error) => write!(line, "<3>"),
            (true, Level::Warn) => write!(line, "<4>"),
            (true, Level::Info) => write!(line, "<6>"),
            (true, Level::Debug | Level::Trace) => write!(line, "<7>"),
            (false, level) => write!(line, "{} {level:<5} ", now.wall.rfc3339()),
        };
        let _ = writeln!(line, "[{target}] {message}");
        // There is nobody left to tell when standard error is gone.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

/// One line without control characters and secrets. What is cut off is cut last, so that it cannot split a secret.
fn clean(message: &str, secrets: &[Arc<str>]) -> String {
    let mut line = text::clean(message.trim_end().to_owned())
        .replace('\n', " ⏎ ")
        .replace(['\t', '\u{2028}', '\u{2029}'], " ");
    for secret in secrets {
        if line.contains(&**secret) {
            line = redact(&line, secret);
        }
    }
    if let Some((end, _)) = line.char_indices().nth(MAX_MESSAGE_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Replaces a secret. A short one only where it is a word of its own, else it would eat holes into other words.
fn redact(line: &str, secret: &str) -> String {
    if secret.len() >= 6 {
        return line.replace(secret, "***");
    }
    let mut redacted = String::with_capacity(line.len());
    let mut end = 0;
    for (at, _) in line.match_indices(secret) {
        let is_inside = |ch: Option<char>| ch.is_some_and(char::is_alphanumeric);
        let after = at + secret.len();
        if !is_inside(line[..at].chars().next_back()) && !is_inside(line[after..].chars().next()) {
            redacted.push_str(&line[end..at]);
            redacted.push_str("***");
            end = after;
        }
    }
    redacted.push_str(&line[end..]);
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::config::Environment;
    use rackwarden_core::plugins::PLUGINS;
    use rackwarden_core::time::Wall;
    use std::path::{Path, PathBuf};

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono::new(Duration::from_secs(seconds)),
            wall: Wall(1_795_205_702_000 + seconds as i64 * 1000),
        }
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("rackwarden-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A logger that writes into a file, and how to read it.
    fn logger(name: &str, max_size: u64, keep: u32) -> (Inner, PathBuf) {
        let path = folder(name).join("log");
        let mut inner = Inner::new(true);
        inner.file = Some(RotatingFile::open(&path, max_size, keep).unwrap());
        (inner, path)
    }

    fn lines(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_single_and_clean() {
        let secrets: Vec<Arc<str>> = vec!["123:token".into(), "abc".into()];
        for (message, want) in [
            ("plain", "plain"),
            ("two\nlines\n", "two ⏎ lines"),
            ("bell\u{7}\u{1b}[31m red", "bell[31m red"),
            ("url /bot123:token/getMe", "url /bot***/getMe"),
            ("bot 123:\u{1}token", "bot ***"),
            ("abc, abcd and abc", "***, abcd and ***"),
            ("left\u{202e}right", "leftright"),
        ] {
            assert_eq!(clean(message, &secrets), want);
        }
        assert!(clean(&"x".repeat(100_000), &[]).len() < 5000);
    }

    #[test]
    fn the_longest_target_decides_and_http_libraries_stay_quiet() {
        let (level, targets) = parse::levels(
            "info,rackwarden_core::power=trace,rackwarden_core::io=debug,ureq_proto=trace",
        )
        .unwrap();
        let filter = Filter { level, targets };
        for (target, level, want) in [
            ("rackwarden", Level::Info, true),
            ("rackwarden", Level::Debug, false),
            ("rackwarden_core::power", Level::Trace, true),
            ("rackwarden_core::power::poll", Level::Trace, true),
            ("rackwarden_core::powerful", Level::Trace, false),
            ("rackwarden_io::host", Level::Debug, true),
            ("rackwarden_io::host", Level::Trace, false),
            ("rackwarden_pdu", Level::Debug, false),
            ("ureq_proto", Level::Trace, false),
            ("ureq_proto", Level::Debug, true),
            ("rustls::client", Level::Info, false),
            ("rustls::client", Level::Warn, true),
        ] {
            assert_eq!(filter.allows(target, level), want, "{target} {level}");
        }
        assert_eq!(filter.most(), LevelFilter::Trace);
    }

    #[test]
    fn equal_errors_are_counted() {
        let (mut inner, path) = logger("repeat", 1 << 20, 3);
        for second in 0..38 {
            inner.log(
                at(second),
                Level::Error,
                ("rackwarden_core::chat", 7),
                "no route",
            );
        }
        inner.log(at(38), Level::Info, ("rackwarden_core::chat", 8), "other");
        inner.log(at(61), Level::Info, ("rackwarden_core::chat", 8), "later");
        let want = [
            "2026-11-20T20:15:02Z ERROR [chat] no route",
            "2026-11-20T20:15:40Z INFO  [chat] other",
            "2026-11-20T20:16:03Z ERROR [chat] no route … repeated 37 times",
            "2026-11-20T20:16:03Z INFO  [chat] later",
        ];
        assert_eq!(lines(&path), want);
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_storm_is_ten_lines_a_minute_and_nothing_goes_uncounted() {
        for (name, kinds) in [("storm-same", 1), ("storm-few", 3), ("storm-all", u64::MAX)] {
            let (mut inner, path) = logger(name, 1 << 20, 3);
            // Three minutes with a thousand errors each second.
            for number in 0..180_000 {
                let message = format!("error {}", number % kinds);
                inner.log(at(number / 1000), Level::Error, ("x", 1), &message);
                // Another place is heard all the same.
                if number == 70_000 {
                    inner.log(at(number / 1000), Level::Error, ("x", 2), "elsewhere");
                }
            }
            inner.flush(at(180));
            let lines = lines(&path);
            assert!(lines.len() <= 31, "{} lines of {kinds}", lines.len());
            let other = lines.iter().filter(|line| line.ends_with("elsewhere"));
            assert_eq!(other.count(), 1);
            let number = |text: &str, word: &str| {
                let (_, rest) = text.split_once(word)?;
                rest.split(' ').next()?.parse::<u64>().ok()
            };
            let counted = lines.iter().map(|line| {
                let more = number(line, "repeated ").or_else(|| number(line, "the last of "));
                more.unwrap_or(1)
            });
            assert_eq!(counted.sum::<u64>(), 180_001, "{lines:#?}");
            std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_is_counted_is_bounded() {
        let (mut inner, path) = logger("bound", 1 << 20, 3);
        for number in 0..1000 {
            inner.log(at(0), Level::Error, ("x", number), "error");
            assert!(inner.sites.len() <= MAX_SITES);
        }
        assert_eq!(lines(&path).len(), 1000);
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn files_are_rotated_and_only_so_many_are_kept() {
        let (mut inner, path) = logger("rotate", 200, 2);
        for number in 0..50 {
            inner.log(at(0), Level::Info, ("x", 1), &format!("line {number}"));
        }
        let folder = path.parent().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["log", "log.1", "log.2"]);
        for name in &names {
            assert!(std::fs::metadata(folder.join(name)).unwrap().len() <= 200);
        }
        assert!(lines(&path).last().unwrap().ends_with("line 49"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_secrets_of_a_configuration_are_known() {
        let text = "[telegram]\ntoken = '1:tok'\nproxy = 'socks5://joe:pass@h:1'\n[[pdu]]\nname='a'\naddress='h'\ncommunity='c0mm'\nwrite_community='private'\n";
        let config = parse::parse(text, "x", &Environment::bare(), PLUGINS).unwrap();
        let secrets: Vec<String> = secrets(&config)
            .iter()
            .map(|secret| secret.to_string())
            .collect();
        assert_eq!(secrets, ["1:tok", "c0mm", "pass", "joe", "tok"]);
    }
}
