//! Whole configurations: what is wrong is said exactly, what is right means what the text says.

mod monitor;
mod profiles;
mod wrong;

use super::effective::effective;
use super::parse::parse;
use super::*;
use crate::config::power;
use crate::config::power::{Host, Limits, host};
use crate::plugins::PLUGINS;
use crate::rng::Rng;
use crate::snmp::Credentials;
use crate::snmp::usm::Level;

const SAMPLE: &str = include_str!("../../../../systemd/rackwarden.toml");

/// A world in which every file exists, holds a secret and is guarded, except those whose names say otherwise.
fn world() -> Environment {
    let mut env = Environment::bare();
    env.read_file = Box::new(|path| {
        let name = path.display().to_string();
        if name.contains("nowhere") {
            return Err("no such file".to_owned());
        }
        let content = match name.contains("pem") {
            true => "-----BEGIN CERTIFICATE-----\n",
            false => "12345:s3cr3t-in-a-file\n",
        };
        Ok(SecretFile {
            content: Secret::new(content.to_owned()),
            is_exposed: name.contains("exposed"),
        })
    });
    env.list_folder = Box::new(|_| Ok(Vec::new()));
    env
}

fn read(text: &str) -> Config {
    parse(text, "rack.toml", &world(), PLUGINS)
        .unwrap_or_else(|errors| panic!("{errors:#?}\n{text}"))
}

fn errors(text: &str) -> Vec<String> {
    match parse(text, "f", &world(), PLUGINS) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// The sample with every key that is off turned on.
fn full_sample() -> String {
    let uncommented = SAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
        _ => line,
    });
    uncommented.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_empty_file_is_a_configuration() {
    let config = read("");
    assert_eq!(&*config.name, "host");
    assert_eq!(config.plugins, ["monitor"]);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn the_sample_shows_the_defaults() {
    let mut sample = read(SAMPLE);
    let mut empty = read("");
    // The sample has a [power], which starts the plugin.
    for config in [&mut sample, &mut empty] {
        config.plugins.clear();
        power::settings_mut(config).written.has_power_table = false;
    }
    assert_eq!(format!("{sample:?}"), format!("{empty:?}"));
}

#[test]
fn the_sample_with_everything_turned_on_is_accepted_without_a_warning() {
    let config = read(&full_sample());
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(power::settings(&config).pdus.len(), 2);
    let Credentials::Usm(usm) = &power::settings(&config).pdus[1].credentials else {
        panic!("snmp_v3")
    };
    assert_eq!((&*usm.user, usm.level()), ("apc", Level::AuthPriv));
    let Some(Credentials::Usm(usm)) = &power::settings(&config).pdus[1].write else {
        panic!("write_v3")
    };
    assert_eq!((&*usm.user, usm.level()), ("apcw", Level::AuthNoPriv));
    assert_eq!(config.access.grants.len(), 3);
    let mail = config.mail.expect("[mail]");
    assert_eq!(mail.sender(), "rack-3 <agent@example.org>");
    assert_eq!(mail.fallback_to, ["oncall@example.org"]);
    let login = mail
        .login
        .as_ref()
        .map(|(user, password)| (user.as_str(), password.expose().as_str()));
    assert_eq!(login, Some(("agent", "12345:s3cr3t-in-a-file")));
    assert!(config.heartbeat.is_some());
    assert_eq!(config.notify.quiet_hours, Some((22 * 60, 7 * 60)));
}

#[test]
fn the_effective_configuration_is_accepted_and_means_the_same() {
    for text in [String::new(), SAMPLE.to_owned(), full_sample()] {
        let first = effective(&read(&text));
        let second = effective(&read(&first));
        assert_eq!(first, second);
        for secret in ["s3cr3t", "public", "private", "7f0c"] {
            assert!(!first.contains(secret), "{secret}\n{first}");
        }
    }
}

#[test]
fn limits_are_inherited_and_end_where_they_should() {
    let config = read(
        "[power]\nlimit = '3 kW'\nclear = '2.9 kW'\n\
         [[pdu]]\nname = 'a'\naddress = 'h'\nteam = 'T'\n\
         [[pdu]]\nname = 'b'\naddress = 'h'\nlimit = '5 kW'\nteam = 'T'\n\
         [[pdu]]\nname = 'c'\naddress = 'h'\nlimit = { soft = '1 kW', hard = '2 kW', hard_clear = '1.5 kW' }\nteam = 'U'\n\
         [[pdu]]\nname = 'd'\naddress = 'h'\nlimit = 'off'\n\
         [[team]]\nname = 'U'\nlimit = '9 kW'\n",
    );
    let pairs = |limits: Limits| {
        [limits.soft, limits.hard].map(|limit| limit.map(|limit| (limit.on_w, limit.off_w)))
    };
    let want = [
        [None, Some((3000.0, 2900.0))],
        [None, Some((5000.0, 4833.333))],
        [Some((1000.0, 966.667)), Some((2000.0, 1500.0))],
        [None, None],
    ];
    for (pdu, want) in power::settings(&config).pdus.iter().zip(want) {
        assert_eq!(pairs(pdu.limits), want, "{}", pdu.name);
    }
    let teams: Vec<_> = power::settings(&config)
        .teams
        .iter()
        .map(|team| (&*team.name, team.members.clone()))
        .collect();
    assert_eq!(teams, [("T", vec![0, 1]), ("U", vec![2])]);
    assert_eq!(
        pairs(power::settings(&config).teams[0].limits)[1],
        Some((3000.0, 2900.0))
    );
    assert_eq!(
        pairs(power::settings(&config).teams[1].limits)[1],
        Some((9000.0, 8700.0))
    );
    let plain = read("[[pdu]]\nname = 'a'\naddress = 'h'\nlimit = '3 kW'\n");
    assert_eq!(
        pairs(power::settings(&plain).pdus[0].limits)[1],
        Some((3000.0, 2910.0))
    );
}

#[test]
fn teams_stand_in_the_order_of_first_mention() {
    let config = read(
        "[[team]]\nname = 'Z'\n[[pdu]]\nname = 'a'\naddress = 'h'\nteam = 'M'\n\
         [[pdu]]\nname = 'b'\naddress = 'h'\nteam = 'Z'\n[[team]]\nname = 'A'\n",
    );
    let names: Vec<&str> = power::settings(&config)
        .teams
        .iter()
        .map(|team| &*team.name)
        .collect();
    assert_eq!(names, ["Z", "M", "A"]);
    let teams: Vec<_> = power::settings(&config)
        .pdus
        .iter()
        .map(|pdu| pdu.team)
        .collect();
    assert_eq!(teams, [Some(1), Some(0)]);
}

#[test]
fn a_team_without_a_pdu_is_a_warning_that_names_the_likely_mistake() {
    let config = read(
        "[[pdu]]\nname = 'a'\naddress = 'h'\nteam = 'Team Alhpa'\n\
         [[team]]\nname = 'Team Alpha'\nlimit = '6 kW'\n[[team]]\nname = 'Z'\n",
    );
    let want = [
        "[[team]]: no PDU is in `Team Alpha`; some are in `Team Alhpa`",
        "[[team]]: no PDU is in `Z`",
    ];
    assert_eq!(config.warnings, want);
}

#[test]
fn a_grant_to_people_of_a_later_transport_is_a_warning() {
    let grants = ["discord:7", "discord-role:8", "hub:main/Ann", "http:token"];
    let table = |who| format!("[[access.grant]]\nwho = \"{who}\"\nrole = \"viewer\"\n");
    let config = read(&grants.map(table).concat());
    let people = config.access.grants.iter();
    let people: Vec<String> = people.map(|grant| grant.who.to_string()).collect();
    assert_eq!(people, grants);
    let want = ["Discord", "hubs", "actions on the page"].map(|title| {
        format!(
            "[access]: grants to people of {title} are kept, but this version does not speak with them yet"
        )
    });
    assert_eq!(config.warnings, want);
}

#[test]
fn a_device_that_is_watched_twice_is_a_warning() {
    let warnings = |pdus: &[(&str, &str)]| {
        let tables = pdus.iter().enumerate().map(|(index, (address, unit))| {
            let name = ['a', 'b', 'c'][index];
            format!("[[pdu]]\nname = '{name}'\naddress = '{address}'\n{unit}\n")
        });
        read(&tables.collect::<String>()).warnings
    };
    let line = |names: &str| format!("[[pdu]]: {names} are the same device; sums count it twice");
    for pdus in [
        [("10.0.0.1", ""), ("10.0.0.2", ""), ("10.0.0.1:162", "")],
        [
            ("pdu", "unit = 2"),
            ("pdu", "unit = 1"),
            ("other", "unit = 1"),
        ],
    ] {
        assert_eq!(warnings(&pdus), Vec::<String>::new());
    }
    let twice = [("pdu", "unit = 2"), ("b", ""), ("pdu:161", "unit = 2")];
    assert_eq!(warnings(&twice), [line("`a` and `c`")]);
    let whole = [("::1", "unit = 2"), ("::1", ""), ("[::1]", "unit = 3")];
    assert_eq!(warnings(&whole), [line("`b` and `a`"), line("`b` and `c`")]);
}

#[test]
fn addresses_are_understood() {
    for (text, want) in [
        ("192.168.1.1", Ok("192.168.1.1:161")),
        ("192.168.1.1:1161", Ok("192.168.1.1:1161")),
        ("[::1]:1161", Ok("[::1]:1161")),
        ("[::1]", Ok("[::1]:161")),
        ("::1", Ok("[::1]:161")),
        ("pdu-1.example.org", Ok("pdu-1.example.org:161")),
        ("pdu-1:99", Ok("pdu-1:99")),
        ("", Err(())),
        ("a b", Err(())),
        ("h:", Err(())),
        ("h:99999", Err(())),
        ("192.168.1", Err(())),
        ("192.168.1.1:0", Err(())),
        ("-a", Err(())),
    ] {
        let got = host(text).map(|host| match host {
            Host::Ip(addr) => addr.to_string(),
            Host::Name(name, port) => format!("{name}:{port}"),
        });
        assert_eq!(got.as_deref().map_err(|_| ()), want, "{text}");
    }
}

#[test]
fn the_token_comes_from_one_of_four_places() {
    let token = |text: &str, env: &Environment| {
        parse(text, "f", env, PLUGINS)
            .ok()
            .and_then(|config| config.telegram)
            .map(|telegram| telegram.token.expose().clone())
    };
    let mut env = world();
    assert_eq!(token("", &env), None);
    assert_eq!(token("[telegram]\n", &env), None);
    assert_eq!(
        token("[telegram]\ntoken = '1:a'\n", &env).as_deref(),
        Some("1:a")
    );
    assert_eq!(
        token("[telegram]\ntoken_file = 't'\n", &env).as_deref(),
        Some("12345:s3cr3t-in-a-file")
    );
    env.variable =
        Box::new(|name| (name == "CREDENTIALS_DIRECTORY").then(|| "/run/cred/exposed".to_owned()));
    assert_eq!(token("", &env).as_deref(), Some("12345:s3cr3t-in-a-file"));
    assert_eq!(
        token("[telegram]\ntoken_file = '/nowhere'\n", &env).as_deref(),
        Some("12345:s3cr3t-in-a-file")
    );
    assert_eq!(token("[telegram]\ntoken_file = '/exposed'\n", &env), None);
    env.variable = Box::new(|name| (name == "RACKWARDEN_TELEGRAM_TOKEN").then(|| "2:b".to_owned()));
    assert_eq!(token("[telegram]\n", &env).as_deref(), Some("2:b"));
    assert_eq!(
        token("[telegram]\ntoken = '1:a'\n", &env).as_deref(),
        Some("1:a")
    );
}

#[test]
fn state_and_configuration_are_where_the_documentation_says() {
    for (variables, state, config) in [
        (
            &[("HOME", "/h")][..],
            Some("/h/.local/state/rackwarden"),
            "/h/.config/rackwarden/rackwarden.toml",
        ),
        (
            &[
                ("HOME", "/h"),
                ("XDG_STATE_HOME", "/s"),
                ("XDG_CONFIG_HOME", "/c"),
            ],
            Some("/s/rackwarden"),
            "/c/rackwarden/rackwarden.toml",
        ),
        (
            &[
                ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"),
                ("RACKWARDEN_CONFIG", "/x.toml"),
            ],
            Some("/var/lib/a"),
            "/x.toml",
        ),
        (&[], None, "/etc/rackwarden/rackwarden.toml"),
    ] {
        let mut env = world();
        env.variable = Box::new(move |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let parsed = parse("", "f", &env, PLUGINS).expect("valid");
        assert_eq!(parsed.state_dir, state.map(PathBuf::from));
        let is_own = |path: &std::path::Path| !path.starts_with("/etc");
        assert_eq!(env.config_path(&is_own), PathBuf::from(config));
        assert!(env.config_path(&|_| true).is_absolute());
    }
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let config = parse(
        "state_dir = 's'\n[log]\nfile = '/l'\n",
        "/etc/r/f.toml",
        &world(),
        PLUGINS,
    )
    .expect("valid");
    assert_eq!(config.state_dir, Some(PathBuf::from("/etc/r/s")));
    assert_eq!(config.log.file, Some(PathBuf::from("/l")));
}

#[test]
fn plugins_start_when_they_have_a_table_or_are_named() {
    for (text, want) in [
        ("", &["monitor"][..]),
        ("[power]\n", &["power", "monitor"]),
        (
            "[[pdu]]\nname = 'a'\naddress = 'h'\n",
            &["power", "monitor"],
        ),
        ("plugins = []\n[power]\n[monitor]\n", &[]),
        ("plugins = ['power']\n[monitor]\n", &["power"]),
        ("plugins = ['monitor', 'power']\n", &["monitor", "power"]),
    ] {
        assert_eq!(read(text).plugins, want, "{text}");
    }
    let mut config = read("[power]\n");
    assert_eq!(
        config.restrict_plugins(&["powr".to_owned()], PLUGINS),
        Err("`powr`: unknown plugin; did you mean `power`?".to_owned())
    );
    config
        .restrict_plugins(&["monitor".to_owned()], PLUGINS)
        .expect("known");
    assert_eq!(config.plugins, ["monitor"]);
}

/// How a PDU with these keys is read and written to.
fn credentials(keys: &str) -> (String, String) {
    let config = read(&format!("[[pdu]]\nname='a'\naddress='h'\n{keys}"));
    assert_eq!(config.warnings, Vec::<String>::new());
    let shown = |credentials: &Credentials| match credentials {
        Credentials::Community(version, community) => {
            format!("{version:?} {}", community.expose())
        }
        Credentials::Usm(usm) => {
            let auth = usm.auth.as_ref().map(|password| password.auth().name());
            let privacy = usm.privacy.as_ref().map(|(privacy, _)| privacy.name());
            [Some(&*usm.user), auth, privacy, Some(&*usm.context)]
                .map(Option::unwrap_or_default)
                .join(" ")
        }
    };
    let pdu = &power::settings(&config).pdus[0];
    (
        shown(&pdu.credentials),
        pdu.write.as_ref().map_or(String::new(), shown),
    )
}

#[test]
fn a_pdu_is_read_and_written_to_as_any_two() {
    let v3 = "{ user = 'u', auth = 'SHA-1', auth_password_file = 'f', priv = 'AES-256-C', priv_password_file = 'g', context = 'c' }";
    let weak = "{ user = 'w' }";
    for (keys, read, write) in [
        ("", "V2c public", ""),
        (
            "version = '1'\ncommunity = 'r'\nwrite_community = 'w'",
            "V1 r",
            "V1 w",
        ),
        (&format!("snmp_v3 = {v3}"), "u SHA AES-256-C c", ""),
        (
            &format!("snmp_v3 = {v3}\nversion = '3'\nwrite_community = 'w'"),
            "u SHA AES-256-C c",
            "V2c w",
        ),
        (
            &format!("community = 'r'\nwrite_v3 = {v3}"),
            "V2c r",
            "u SHA AES-256-C c",
        ),
        (
            &format!("snmp_v3 = {weak}\nwrite_v3 = {v3}"),
            "w   ",
            "u SHA AES-256-C c",
        ),
        // Never weaker than the file allows.
        (&format!("community = 'r'\nsnmp_v3 = {weak}"), "w   ", ""),
    ] {
        assert_eq!(credentials(keys), (read.into(), write.into()), "{keys}");
    }
}

#[test]
fn equal_users_and_passwords_are_one() {
    let v3 = "{ user = 'u', auth = 'SHA-256', auth_password_file = 'f', priv = 'AES-128', priv_password_file = 'f' }";
    let pdu = |name: &str| format!("[[pdu]]\nname='{name}'\naddress='h'\nsnmp_v3 = {v3}\n");
    let config = read(&(pdu("a") + &pdu("b")));
    let [Credentials::Usm(a), Credentials::Usm(b)] = [
        &power::settings(&config).pdus[0],
        &power::settings(&config).pdus[1],
    ]
    .map(|pdu| &pdu.credentials) else {
        panic!("users")
    };
    assert!(Arc::ptr_eq(a, b));
    let (Some(auth), Some((_, privacy))) = (&a.auth, &a.privacy) else {
        panic!("passwords")
    };
    assert!(Arc::ptr_eq(auth, privacy), "one key is made for both");
    let shown = format!("{config:?}{}", effective(&config));
    assert!(!shown.contains("s3cr3t"), "{shown}");
    let text = config.without_secrets("it is 12345:s3cr3t-in-a-file.".into());
    assert_eq!(text, "it is ***.");
}

#[test]
fn the_one_list_of_secrets_has_those_of_every_table() {
    let config = read(
        "[telegram]\ntoken='777:key-of-the-bot'\nproxy='socks5://proxy-user:proxy-word@h:1080'\n[mail]\nhost='h'\nuser='u'\n\
         password_file='f'\nfrom='a@b.example'\n[heartbeat]\nurl='https://h/ping-path'\n[http]\ntoken_file='f'\n\
         [[pdu]]\nname='a'\naddress='h'\ncommunity='reads-it'\nwrite_community='writes-it'\n",
    );
    let of_files = &**config.http.token.as_ref().expect("a token").expose();
    for secret in [
        "777:key-of-the-bot",
        "key-of-the-bot",
        "proxy-user",
        "proxy-word",
        "ping-path",
        "reads-it",
        "writes-it",
        of_files,
    ] {
        assert!(config.secrets().contains(&secret), "{secret}");
        assert_eq!(config.without_secrets(format!("a {secret}.")), "a ***.");
    }
}

#[test]
fn equal_communities_are_one_string() {
    let config = read(
        "[[pdu]]\nname='a'\naddress='h'\ncommunity='x'\n[[pdu]]\nname='b'\naddress='h'\ncommunity='x'\n",
    );
    let [a, b] = power::settings(&config).pdus.as_slice() else {
        panic!("two")
    };
    let (Credentials::Community(_, a), Credentials::Community(_, b)) =
        (&a.credentials, &b.credentials)
    else {
        panic!("communities")
    };
    assert!(Arc::ptr_eq(a.expose(), b.expose()));
}

#[test]
fn times_that_were_not_given_fit_the_interval() {
    let config = read("[power]\ninterval = '500ms'\n");
    assert_eq!(power::settings(&config).timeout, Duration::from_millis(225));
    let config = read("[power]\ninterval = '1m'\n");
    assert_eq!(
        power::settings(&config).unreachable_after,
        Duration::from_secs(180)
    );
}

#[test]
fn no_error_shows_a_secret() {
    const SECRET: &str = "s3cr3t";
    for line in [
        "token = \"1:s3cr3t",
        "token = 1:s3cr3t",
        "token = \"1:s3cr3t\" x",
        "token = [\"s3cr3t\"]",
        "token = \"s3cr3t \"",
        "token = \"s3cr3t\\q\"",
        "token = \"1:a\"\nproxy = \"ftp://joe:s3cr3t@h\"",
        "token = \"1:a\"\napi_url = \"s3cr3t\"",
        "token = '1:s3cr3t\ntoken_file = 5",
        "token = \"1:a\"\n[[pdu]]\nname = 'a'\naddress = 'h'\ncommunity = \"s3cr3t",
        "token = \"1:a\"\n[[pdu]]\nname = 'a'\naddress = 'h'\ncommunity = s3cr3t",
        "token = \"1:a\"\n[[pdu]]\nname = 'a'\naddress = 'h'\ncommunity = \"s3cr3t\\u0001\"",
        "token = \"1:a\"\n[heartbeat]\nurl = \"s3cr3t\"",
    ] {
        let errors = errors(&format!("[telegram]\n{line}\n"));
        assert!(!errors.is_empty(), "{line}");
        assert!(!errors.concat().contains(SECRET), "{line}\n{errors:?}");
    }
}

#[test]
fn whatever_is_done_to_a_configuration_it_is_read_or_described() {
    const PIECES: [&str; 16] = [
        "\"",
        "'",
        "[",
        "]",
        "{",
        "}",
        "=",
        "#",
        "\n",
        ".",
        "\"\"\"",
        "[[pdu]]\n",
        "\u{0}",
        "é",
        "9",
        "\\",
    ];
    let sample = full_sample();
    let mut rng = Rng::new(20_261_120);
    let mut pick = |below: usize| rng.below(below.max(1) as u64) as usize;
    for _ in 0..400 {
        let mut text = sample.clone();
        for _ in 0..=pick(4) {
            let start = boundary(&text, pick(text.len()));
            let end = boundary(&text, (start + pick(20)).min(text.len()));
            text.replace_range(start..end, PIECES[pick(PIECES.len())]);
        }
        if let Err(errors) = parse(&text, "f", &world(), PLUGINS) {
            assert!(!errors.is_empty());
            for error in errors {
                assert!(error.line <= text.lines().count() + 1, "{error}");
                assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    }
}

fn boundary(text: &str, at: usize) -> usize {
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a=", "a = [[", "[a."] {
        assert!(!errors(&format!("x = {}", open.repeat(50_000))).is_empty());
    }
}
