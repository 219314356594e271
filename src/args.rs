//! Reads the command line after the table of subcommands. Nothing in here does what it asks for.

use crate::failure::Failure;
use crate::subcommands::{Opt, SUBS, Sub, sub};
use crate::test_alert::TestAlertOptions;
use crate::user::UserOptions;
use rackwarden_core::config::{suggest, units};
use rackwarden_core::pdu::discover::Network;
use rackwarden_core::secret::Secret;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// `run`, also without any subcommand.
    Run(RunOptions),
    /// `demo`
    Demo(DemoOptions),
    /// `check`
    Check(CheckOptions),
    /// `doctor`, with `--config`
    Doctor(Option<PathBuf>),
    /// `probe`
    Probe(ProbeOptions),
    /// `discover`
    Discover(DiscoverOptions),
    /// `profiles`
    Profiles(ProfilesOptions),
    /// `simulate`
    Simulate(SimulateOptions),
    /// `import`
    Import(ImportOptions),
    /// `ask`
    Ask(AskOptions),
    /// `status`
    Status(StatusOptions),
    /// `pair`, with `--config`
    Pair(Option<PathBuf>),
    /// `test-alert`
    TestAlert(TestAlertOptions),
    /// `audit verify`
    AuditVerify(AuditOptions),
    /// `completions`
    Completions(Shell),
    /// `man`
    Man,
    /// `help`, `--help`; a subcommand's own with its name.
    Help(Option<&'static Sub>),
    /// `--version`
    Version,
}

/// `run`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RunOptions {
    /// `--config`; the default search when absent.
    pub(crate) config: Option<PathBuf>,
    /// `--plugins`: only these start.
    pub(crate) plugins: Option<Vec<String>>,
}

/// `demo`
#[derive(Debug, PartialEq)]
pub(crate) struct DemoOptions {
    /// `--listen`: where the status page stands.
    pub(crate) listen: SocketAddr,
}

/// `check`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct CheckOptions {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--effective`: print the whole configuration with its defaults.
    pub(crate) effective: bool,
}

/// `--snmp-version`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnmpVersion {
    /// `1`
    V1,
    /// `2c`
    V2c,
    /// `3`
    V3,
}

/// `probe`
#[derive(Debug, PartialEq)]
pub(crate) struct ProbeOptions {
    /// `HOST`, `HOST:PORT` or `[v6]:PORT`, as written.
    pub(crate) target: String,
    /// `--community`
    pub(crate) community: Secret<String>,
    /// `--snmp-version`
    pub(crate) version: SnmpVersion,
    /// `--v3-user` and the other options of SNMPv3.
    pub(crate) user: Option<UserOptions>,
    /// `--profile`; by sysObjectID when absent.
    pub(crate) profile: Option<String>,
    /// `--json`
    pub(crate) json: bool,
    /// `--record`: where what it answers is written.
    pub(crate) record: Option<PathBuf>,
    /// `--timeout`: the wait for one request before it is sent again.
    pub(crate) timeout: Duration,
    /// `--retries`
    pub(crate) retries: u8,
}

/// `discover`
#[derive(Debug, PartialEq)]
pub(crate) struct DiscoverOptions {
    /// `CIDR`
    pub(crate) network: Network,
    /// The same as it was written.
    pub(crate) written: String,
    /// `--community`, each that was given.
    pub(crate) communities: Vec<Secret<String>>,
    /// `--v3-user` and more.
    pub(crate) user: Option<UserOptions>,
    /// `--port`
    pub(crate) port: u16,
    /// `--rate`: questions a second.
    pub(crate) rate: u32,
    /// `--timeout`: how long an answer may take.
    pub(crate) timeout: Duration,
}

/// `profiles`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ProfilesOptions {
    /// `show NAME`; the list when absent.
    pub(crate) show: Option<String>,
}

/// `simulate`
#[derive(Debug, PartialEq)]
pub(crate) struct SimulateOptions {
    /// `--listen`: of the first device.
    pub(crate) listen: SocketAddr,
    /// `--count`
    pub(crate) count: u32,
    /// `--profile`; the first one of the table when absent.
    pub(crate) profile: Option<String>,
    /// `--recording`
    pub(crate) recording: Option<PathBuf>,
    /// `--community`
    pub(crate) community: Secret<String>,
    /// `--write-community`
    pub(crate) write_community: Secret<String>,
    /// `--v3-user` and the other options of SNMPv3.
    pub(crate) user: Option<UserOptions>,
}

/// What `import` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportSource {
    /// `iscbot accesslist.conf ips.csv`
    Iscbot,
    /// `pytmbot pytmbot.yaml`
    Pytmbot,
}

/// `import`
#[derive(Debug, PartialEq)]
pub(crate) struct ImportOptions {
    /// Whose files.
    pub(crate) source: ImportSource,
    /// The files, in the order that the usage line gives.
    pub(crate) files: Vec<PathBuf>,
}

/// `ask`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct AskOptions {
    /// `--config`, which may name the state directory that holds the socket.
    pub(crate) config: Option<PathBuf>,
    /// The chat command.
    pub(crate) line: String,
}

/// `audit verify`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct AuditOptions {
    /// `--config`, which names the state directory.
    pub(crate) config: Option<PathBuf>,
    /// The state directory itself.
    pub(crate) state_dir: Option<PathBuf>,
}

/// `status`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct StatusOptions {
    /// `--config`
    pub(crate) config: Option<PathBuf>,
    /// `--json`
    pub(crate) json: bool,
}

/// A shell that completions exist for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// Names that are taken by later versions.
const LATER: &[&str] = &["backup", "restore"];

/// Reads a command line, the program's name excluded.
///
/// # Errors
/// A usage failure that names the argument and the nearest thing that exists.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let words = scan(args)?;
    let sub = words.sub.unwrap_or(&SUBS[0]);
    if words.version {
        return Ok(Command::Version);
    }
    if words.help {
        return Ok(Command::Help(words.sub));
    }
    for (name, _) in &words.options {
        if !sub.options.iter().any(|opt| opt.name == *name) {
            return Err(Failure::usage(format!(
                "--{name}: not an option of `{}`; see `rackwarden help {}`",
                sub.name, sub.name
            )));
        }
    }
    build(sub, words)
}

/// A command line, split up but not understood.
#[derive(Default)]
struct Words {
    sub: Option<&'static Sub>,
    options: Vec<(&'static str, String)>,
    positional: Vec<String>,
    help: bool,
    version: bool,
}

fn scan(args: impl IntoIterator<Item = OsString>) -> Result<Words, Failure> {
    let mut words = Words::default();
    let mut parser = lexopt::Parser::from_args(args);
    loop {
        let argument = parser.next().map_err(|err| {
            Failure::usage(format!("command line: {err}; see `rackwarden --help`"))
        })?;
        match argument {
            None => return Ok(words),
            Some(lexopt::Arg::Short('h') | lexopt::Arg::Long("help")) => words.help = true,
            Some(lexopt::Arg::Short('V') | lexopt::Arg::Long("version")) => words.version = true,
            Some(lexopt::Arg::Short('c')) => {
                let value = parser.value();
                words.options.push(("config", text("--config", value)?));
            }
            Some(lexopt::Arg::Short(ch)) => {
                return Err(Failure::usage(format!(
                    "-{ch}: unknown option; see `rackwarden --help`"
                )));
            }
            Some(lexopt::Arg::Long(name)) => {
                let known = known_option(words.sub, name)?;
                if known.value.is_empty() {
                    words.options.push((known.name, String::new()));
                } else {
                    let flag = format!("--{name}");
                    let value = text(&flag, parser.value())?;
                    words.options.push((known.name, value));
                }
                if known.name == "plugins" {
                    while let Some(more) = more_plugins(&mut parser) {
                        words.options.push((known.name, more));
                    }
                }
            }
            Some(lexopt::Arg::Value(value)) => {
                let value = text("command line", Ok(value))?;
                match words.sub {
                    None => words.sub = Some(named_sub(&value)?),
                    Some(_) => words.positional.push(value),
                }
            }
        }
    }
}

fn text(what: &str, value: Result<OsString, lexopt::Error>) -> Result<String, Failure> {
    value
        .map_err(|_| Failure::usage(format!("{what}: needs a value; see `rackwarden --help`")))?
        .into_string()
        .map_err(|_| Failure::usage(format!("{what}: not UTF-8; write it in UTF-8")))
}

/// `--plugins a b`: takes a word that is neither an option nor a subcommand.
fn more_plugins(parser: &mut lexopt::Parser) -> Option<String> {
    parser
        .try_raw_args()?
        .next_if(|word| {
            word.to_str()
                .is_some_and(|word| !word.starts_with('-') && sub(word).is_none())
        })?
        .into_string()
        .ok()
}

fn known_option(sub: Option<&'static Sub>, name: &str) -> Result<&'static Opt, Failure> {
    let all = || {
        sub.into_iter()
            .chain(SUBS)
            .flat_map(|sub| sub.options.iter())
    };
    // The first version had the options of SNMPv3 without their prefix.
    let of_v3 = || all().find(|opt| opt.name.strip_prefix("v3-") == Some(name));
    let found = all().find(|opt| opt.name == name).or_else(of_v3);
    found.ok_or_else(|| {
        let nearest = match suggest::nearest(name, all().map(|opt| opt.name)) {
            Some(near) => format!("did you mean --{near}?"),
            None => "see `rackwarden --help`".to_owned(),
        };
        Failure::usage(format!("--{name}: unknown option; {nearest}"))
    })
}

fn named_sub(name: &str) -> Result<&'static Sub, Failure> {
    if LATER.contains(&name) {
        return Err(Failure::usage(format!(
            "{name}: not in this version; see `rackwarden --help` for what is"
        )));
    }
    sub(name).ok_or_else(|| {
        let nearest = match suggest::nearest(name, SUBS.iter().map(|sub| sub.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "see `rackwarden --help`".to_owned(),
        };
        Failure::usage(format!("{name}: unknown command; {nearest}"))
    })
}

impl Words {
    fn last(&self, name: &str) -> Option<&str> {
        let of_name = |(option, _): &&(&'static str, String)| *option == name;
        self.options
            .iter()
            .rev()
            .find(of_name)
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.last(name).is_some()
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.last(name).map(str::to_owned)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.last(name).map(PathBuf::from)
    }

    fn parsed<T>(
        &self,
        name: &str,
        default: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        match self.last(name) {
            None => Ok(default),
            Some(value) => {
                parse(value).map_err(|why| Failure::usage(format!("--{name} {value}: {why}")))
            }
        }
    }

    fn listen(&self, default: [u8; 4], port: u16) -> Result<SocketAddr, Failure> {
        self.parsed("listen", SocketAddr::from((default, port)), |value| {
            value
                .parse()
                .map_err(|_| format!("not an address; write IP:PORT, such as 127.0.0.1:{port}"))
        })
    }

    /// Plugins, each named once.
    fn plugins(&self) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for (_, value) in self.options.iter().filter(|(name, _)| *name == "plugins") {
            for name in value.split([',', ' ']).filter(|name| !name.is_empty()) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        self.has("plugins").then_some(names)
    }
}

fn build(sub: &'static Sub, words: Words) -> Result<Command, Failure> {
    let config = words.path("config");
    let command = match sub.name {
        "run" => Command::Run(RunOptions {
            config,
            plugins: words.plugins(),
        }),
        "demo" => Command::Demo(DemoOptions {
            listen: words.listen([127, 0, 0, 1], 8093)?,
        }),
        "check" => Command::Check(CheckOptions {
            config,
            effective: words.has("effective"),
        }),
        "doctor" => Command::Doctor(config),
        "probe" => return probe(sub, &words),
        "discover" => return discover(sub, &words),
        "profiles" => return profiles(sub, &words),
        "simulate" => Command::Simulate(simulate(&words)?),
        "import" => return import(sub, &words),
        "ask" => {
            let line = words.positional.join(" ");
            if line.trim().is_empty() {
                return Err(wrong_arguments(sub));
            }
            return Ok(Command::Ask(AskOptions { config, line }));
        }
        "audit" => {
            let state_dir = match words.positional.as_slice() {
                [verify] if verify == "verify" => None,
                [verify, dir] if verify == "verify" => Some(PathBuf::from(dir)),
                _ => return Err(wrong_arguments(sub)),
            };
            return Ok(Command::AuditVerify(AuditOptions { config, state_dir }));
        }
        "pair" => Command::Pair(config),
        "test-alert" => {
            let value = words.owned("value").unwrap_or_default();
            let options = TestAlertOptions::new(config, &words.positional, &value);
            return options
                .map(Command::TestAlert)
                .ok_or_else(|| wrong_arguments(sub));
        }
        "status" => Command::Status(StatusOptions {
            config,
            json: words.has("json"),
        }),
        "completions" => {
            let shell = match words.positional.as_slice() {
                [name] => match name.as_str() {
                    "bash" => Shell::Bash,
                    "zsh" => Shell::Zsh,
                    "fish" => Shell::Fish,
                    _ => return Err(wrong_arguments(sub)),
                },
                _ => return Err(wrong_arguments(sub)),
            };
            return Ok(Command::Completions(shell));
        }
        "man" => Command::Man,
        _ => {
            return match words.positional.as_slice() {
                [] => Ok(Command::Help(None)),
                [name, ..] => named_sub(name).map(|sub| Command::Help(Some(sub))),
            };
        }
    };
    match words.positional.first() {
        None => Ok(command),
        Some(extra) => Err(Failure::usage(format!(
            "{extra}: `{}` takes no argument; see `rackwarden help {}`",
            sub.name, sub.name
        ))),
    }
}

fn wrong_arguments(sub: &Sub) -> Failure {
    Failure::usage(format!(
        "{}: wrong arguments; write `rackwarden {} {}`",
        sub.name, sub.name, sub.usage
    ))
}

fn probe(sub: &Sub, words: &Words) -> Result<Command, Failure> {
    let [target] = words.positional.as_slice() else {
        return Err(wrong_arguments(sub));
    };
    let version = words.parsed("snmp-version", SnmpVersion::V2c, |value| match value {
        "1" => Ok(SnmpVersion::V1),
        "2c" | "2" => Ok(SnmpVersion::V2c),
        "3" => Ok(SnmpVersion::V3),
        _ => Err("not an SNMP version; write 1, 2c or 3".to_owned()),
    })?;
    let user = user(words)?;
    let version = match (&user, words.has("snmp-version")) {
        (Some(_), false) => SnmpVersion::V3,
        _ => version,
    };
    if user.is_some() != (version == SnmpVersion::V3) {
        return Err(Failure::usage(
            "--snmp-version: 3 and --v3-user belong together; give both, or --v3-user alone",
        ));
    }
    Ok(Command::Probe(ProbeOptions {
        target: target.clone(),
        user,
        community: Secret::new(words.owned("community").unwrap_or("public".into())),
        version,
        profile: words.owned("profile"),
        json: words.has("json"),
        record: words.path("record"),
        timeout: words.parsed("timeout", Duration::from_secs(1), timeout)?,
        retries: words.parsed("retries", 2, |value| {
            value
                .parse()
                .ok()
                .filter(|retries| *retries <= 20)
                .ok_or_else(|| "not a number from 0 to 20".to_owned())
        })?,
    }))
}

fn discover(sub: &Sub, words: &Words) -> Result<Command, Failure> {
    let [written] = words.positional.as_slice() else {
        return Err(wrong_arguments(sub));
    };
    let network = Network::parse(written)
        .map_err(|why| Failure::usage(format!("discover: `{written}` {why}")))?;
    let number = |name, default, most: u32| {
        words.parsed(name, default, |value| {
            value
                .parse()
                .ok()
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| format!("not a number from 1 to {most}"))
        })
    };
    let given = words
        .options
        .iter()
        .filter(|(name, _)| *name == "community");
    let mut communities: Vec<Secret<String>> =
        given.map(|(_, value)| Secret::new(value.clone())).collect();
    let user = user(words)?;
    if communities.is_empty() && user.is_none() {
        communities.push(Secret::new("public".to_owned()));
    }
    Ok(Command::Discover(DiscoverOptions {
        network,
        written: written.clone(),
        communities,
        user,
        port: u16::try_from(number("port", 161, 65_535)?).unwrap_or(161),
        rate: number("rate", 100, 100_000)?,
        timeout: words.parsed("timeout", Duration::from_secs(1), timeout)?,
    }))
}

/// A duration; a bare number is in seconds, as SNMP tools take it.
fn timeout(value: &str) -> Result<Duration, String> {
    let duration = match value.parse::<u32>() {
        Ok(seconds) => Duration::from_secs(u64::from(seconds)),
        Err(_) => units::duration(value)?,
    };
    if duration < Duration::from_millis(1) || duration > Duration::from_secs(600) {
        return Err("out of range; write a time from 1ms to 10m".to_owned());
    }
    Ok(duration)
}

fn profiles(sub: &Sub, words: &Words) -> Result<Command, Failure> {
    let show = match words.positional.as_slice() {
        [] => None,
        [show, name] if show == "show" => Some(name.clone()),
        _ => return Err(wrong_arguments(sub)),
    };
    Ok(Command::Profiles(ProfilesOptions { show }))
}

fn simulate(words: &Words) -> Result<SimulateOptions, Failure> {
    if words.has("profile") && words.has("recording") {
        return Err(Failure::usage(
            "--recording: not together with --profile; give one of them",
        ));
    }
    Ok(SimulateOptions {
        listen: words.listen([127, 0, 0, 1], 16100)?,
        count: words.parsed("count", 1, |value| {
            value
                .parse()
                .ok()
                .filter(|count| (1..=100_000).contains(count))
                .ok_or_else(|| "not a number from 1 to 100000".to_owned())
        })?,
        profile: words.owned("profile"),
        recording: words.path("recording"),
        community: Secret::new(words.owned("community").unwrap_or("public".into())),
        write_community: Secret::new(words.owned("write-community").unwrap_or("private".into())),
        user: user(words)?,
    })
}

/// The options of SNMPv3, which need a user.
fn user(words: &Words) -> Result<Option<UserOptions>, Failure> {
    let Some(user) = words.owned("v3-user") else {
        return match words
            .options
            .iter()
            .find(|(name, _)| name.starts_with("v3-"))
        {
            None => Ok(None),
            Some((name, _)) => Err(Failure::usage(format!("--{name}: needs --v3-user"))),
        };
    };
    Ok(Some(UserOptions {
        user,
        level: words.owned("v3-level"),
        auth: words.owned("v3-auth"),
        auth_password_file: words.owned("v3-auth-password-file"),
        privacy: words.owned("v3-priv"),
        priv_password_file: words.owned("v3-priv-password-file"),
        context: words.owned("v3-context").unwrap_or_default(),
    }))
}

fn import(sub: &Sub, words: &Words) -> Result<Command, Failure> {
    let Some((what, files)) = words.positional.split_first() else {
        return Err(wrong_arguments(sub));
    };
    let source = match (what.as_str(), files.len()) {
        ("iscbot", 2) => ImportSource::Iscbot,
        ("pytmbot", 1) => ImportSource::Pytmbot,
        ("server-status-bot", _) => {
            return Err(Failure::usage(
                "import server-status-bot: not in this version; `iscbot` and `pytmbot` are",
            ));
        }
        _ => return Err(wrong_arguments(sub)),
    };
    let files = files.iter().map(PathBuf::from).collect();
    Ok(Command::Import(ImportOptions { source, files }))
}

#[cfg(test)]
mod tests;
