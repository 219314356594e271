use super::*;

fn parsed(line: &str) -> Result<Command, String> {
    parse(line.split_whitespace().map(OsString::from)).map_err(|failure| {
        assert_eq!(failure.code, 2);
        failure.message
    })
}

fn run(config: Option<&str>, plugins: Option<&[&str]>) -> Command {
    Command::Run(RunOptions {
        config: config.map(PathBuf::from),
        plugins: plugins.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
    })
}

#[test]
fn lines_are_understood() {
    for (line, want) in [
        ("", run(None, None)),
        ("run", run(None, None)),
        ("--config a.toml", run(Some("a.toml"), None)),
        ("run -c a.toml", run(Some("a.toml"), None)),
        ("--config=a.toml run", run(Some("a.toml"), None)),
        ("--plugins a,b", run(None, Some(&["a", "b"]))),
        ("--plugins a --plugins b,a", run(None, Some(&["a", "b"]))),
        ("--plugins a b", run(None, Some(&["a", "b"]))),
        (
            "--plugins a b run --config c",
            run(Some("c"), Some(&["a", "b"])),
        ),
        ("--version", Command::Version),
        ("probe --help", Command::Help(sub("probe"))),
        ("help probe", Command::Help(sub("probe"))),
        ("--help", Command::Help(None)),
        ("completions zsh", Command::Completions(Shell::Zsh)),
        ("man", Command::Man),
        (
            "ask /mute alpha 2h",
            Command::Ask(AskOptions {
                config: None,
                line: "/mute alpha 2h".into(),
            }),
        ),
        (
            "profiles show apc-rpdu2",
            Command::Profiles(ProfilesOptions {
                show: Some("apc-rpdu2".into()),
            }),
        ),
    ] {
        assert_eq!(parsed(line), Ok(want), "{line}");
    }
}

#[test]
fn probe_has_defaults_and_takes_seconds_or_durations() {
    let Ok(Command::Probe(probe)) = parsed("probe h:1") else {
        panic!("probe");
    };
    assert_eq!(probe.target, "h:1");
    assert_eq!(probe.community.expose(), "public");
    assert_eq!((probe.timeout, probe.retries), (Duration::from_secs(1), 2));
    for (text, want) in [("2", 2000), ("2s", 2000), ("250ms", 250)] {
        let Ok(Command::Probe(probe)) = parsed(&format!("probe h --timeout {text}")) else {
            panic!("{text}");
        };
        assert_eq!(probe.timeout, Duration::from_millis(want));
    }
}

#[test]
fn wrong_lines_name_the_nearest_right_one() {
    for (line, want) in [
        ("chekc", "chekc: unknown command; did you mean `check`?"),
        (
            "backup",
            "backup: not in this version; see `rackwarden --help` for what is",
        ),
        (
            "--confg x",
            "--confg: unknown option; did you mean --config?",
        ),
        (
            "check --json",
            "--json: not an option of `check`; see `rackwarden help check`",
        ),
        (
            "check x",
            "x: `check` takes no argument; see `rackwarden help check`",
        ),
        ("-x", "-x: unknown option; see `rackwarden --help`"),
        (
            "--config",
            "--config: needs a value; see `rackwarden --help`",
        ),
        (
            "probe",
            "probe: wrong arguments; write `rackwarden probe HOST[:PORT]`",
        ),
        (
            "probe h --timeout 0",
            "--timeout 0: out of range; write a time from 1ms to 10m",
        ),
        (
            "probe h --snmp-version 4",
            "--snmp-version 4: not an SNMP version; write 1, 2c or 3",
        ),
        (
            "demo --listen 8093",
            "--listen 8093: not an address; write IP:PORT, such as 127.0.0.1:8093",
        ),
        (
            "simulate --count 0",
            "--count 0: not a number from 1 to 100000",
        ),
        (
            "import server-status-bot x",
            "import server-status-bot: not in this version; `iscbot` and `pytmbot` are",
        ),
        (
            "import iscbot x",
            "import: wrong arguments; write `rackwarden import iscbot ACCESSLIST IPS | pytmbot FILE`",
        ),
        (
            "completions tcsh",
            "completions: wrong arguments; write `rackwarden completions bash|zsh|fish`",
        ),
        (
            "ask",
            "ask: wrong arguments; write `rackwarden ask COMMAND`",
        ),
        (
            "help nothing",
            "nothing: unknown command; see `rackwarden --help`",
        ),
    ] {
        assert_eq!(parsed(line), Err(want.to_owned()), "{line}");
    }
}

#[test]
fn an_option_takes_a_value_everywhere_or_nowhere() {
    for one in SUBS.iter().flat_map(|sub| sub.options) {
        for other in SUBS.iter().flat_map(|sub| sub.options) {
            let is_same = one.value.is_empty() == other.value.is_empty();
            assert!(one.name != other.name || is_same, "{}", one.name);
        }
    }
}
