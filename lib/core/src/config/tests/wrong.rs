//! Wrong configurations, and the exact words in which that is said.

use super::errors;

#[test]
fn wrong_configurations_are_described_exactly() {
    const PDU: &str = "[[pdu]]\nname = 'a'\naddress = 'h'\n";
    for (text, want) in WRONG {
        let text = text.replace("PDU\n", PDU);
        assert_eq!(errors(&text), *want, "{text}");
    }
}

/// `PDU` stands for the three lines of a valid one.
const WRONG: &[(&str, &[&str])] = &[
    (
        "[power]\nintervall = '2s'\n",
        &["f:2:1: power.intervall: unknown key; did you mean `interval`?"],
    ),
    (
        "[power]\ninterval = 2\n",
        &[r#"f:2:12: power.interval: needs a unit; write "2s""#],
    ),
    (
        "[power]\ninterval = '2'\n",
        &[r#"f:2:12: power.interval: needs a unit; write "2s""#],
    ),
    (
        "[power]\nlimit = 3000\n",
        &[r#"f:2:9: power.limit: needs a unit; write "3000 W""#],
    ),
    (
        "[power]\nlimit = '3 kVA'\n",
        &[r#"f:2:9: power.limit: `kVA` is not a unit of it; write W, kW or MW, such as "1.5 kW""#],
    ),
    (
        "[power]\nlimit = '0 W'\n",
        &[r#"f:2:9: power.limit: is zero; write "off" for no limit"#],
    ),
    (
        "[power]\nlimit = '3 kW'\nclear = '3.1 kW'\n",
        &["f:3:9: power.clear: is not below the limit of 3 kW"],
    ),
    (
        "[power]\nclear = '2.9 kW'\nlimit = { soft = '2 kW', hard = '3 kW', soft_clear = '2 kW' }\n",
        &["f:3:18: power.limit.soft: is not above the 2 kW at which it ends"],
    ),
    (
        "[power]\ninterval = '1s'\ntimeout = '600ms'\n",
        &[
            "f:3:11: power.timeout: 2 tries of 600ms take longer than the interval of 1s; make one of them smaller",
        ],
    ),
    (
        "[power]\ninterval = '1ms'\n",
        &["f:2:12: power.interval: is out of range; write a time from 100ms to 1h"],
    ),
    (
        "[power]\nunreachable_after = '1s'\n",
        &[
            "f:2:21: power.unreachable_after: is shorter than the interval; every device would be unreachable between two polls",
        ],
    ),
    (
        "[power]\nretries = 99\n",
        &["f:2:11: power.retries: write a whole number from 0 to 10, without quotes"],
    ),
    (
        "[power]\nsite_limit = { soft = '17 kW', hard = '10 kW' }\n",
        &["f:2:14: power.site_limit: has a soft limit that is not below the hard one"],
    ),
    (
        "[power]\nsite_limit = { sofd = '17 kW' }\n",
        &[
            r#"f:2:14: power.site_limit: has no limit; write { soft = "10 kW", hard = "17 kW" }"#,
            "f:2:16: power.site_limit.sofd: unknown key; did you mean `soft`?",
        ],
    ),
    (
        "[[pdu]]\nadress = 'x'\n",
        &[
            r#"f:1:1: pdu[0].name: is missing; write name = "alpha""#,
            r#"f:1:1: pdu[0].address: is missing; write address = "192.168.1.101""#,
            "f:2:1: pdu[0].adress: unknown key; did you mean `address`?",
        ],
    ),
    (
        "[[pdu]]\nname = 'a'\naddress = '300.1.1.1'\n",
        &[
            "f:3:11: pdu[0].address: is not an IPv4 address; write four numbers such as 192.168.1.101",
        ],
    ),
    (
        "PDU\nPDU\n",
        &["f:5:8: pdu[1].name: `a` is the name of another PDU"],
    ),
    (
        "PDU\nversion = 2\n",
        &[r#"f:4:11: pdu[0].version: is not an SNMP version; write "1", "2c" or "3""#],
    ),
    (
        "PDU\nprofile = 'apc-rpdu22'\n",
        &[
            "f:4:11: pdu[0].profile: unknown profile; `rackwarden profiles` lists them; did you mean `apc-rpdu2`?",
        ],
    ),
    (
        "PDU\nunit = 256\nany_source = 'yes'\ncommunity = ''\n",
        &[
            "f:4:8: pdu[0].unit: write a whole number from 0 to 255, without quotes",
            "f:5:14: pdu[0].any_source: is a string; write true or false",
            "f:6:13: pdu[0].community: is empty",
        ],
    ),
    (
        "PDU\nsnmp_v3 = { user = 'u', level = 'authPriv', auth = 'SHA256', auth_password_file = 'x' }\n",
        &[
            r#"f:4:11: pdu[0].snmp_v3: has level = "authPriv", which needs priv and priv_password_file"#,
            "f:4:52: pdu[0].snmp_v3.auth: write MD5, SHA, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512; did you mean `SHA-256`?",
        ],
    ),
    (
        "PDU\nsnmp_v3 = { user = 'u', auth = 'SHA-256', auth_password_file = 'exposed' }\n",
        &[
            "f:4:64: pdu[0].snmp_v3.auth_password_file: exposed is readable by others; write `chmod o-rwx exposed`",
        ],
    ),
    (
        "PDU\nversion = '2c'\nsnmp_v3 = { user = 'u', priv = 'AES-512' }\nwrite_v3 = { user = 'an-admirer-of-very-long-user-names' }\nwrite_community = 'w'\n",
        &[
            "f:1:1: pdu[0]: has snmp_v3 and another version; write version = \"3\", or write_v3",
            r#"f:5:11: pdu[0].snmp_v3: has level = "authPriv", which needs auth and auth_password_file"#,
            r#"f:5:11: pdu[0].snmp_v3: has level = "authPriv", which needs priv and priv_password_file"#,
            "f:5:32: pdu[0].snmp_v3.priv: write DES, AES-128, AES, AES-192, AES-256, AES-192-C, AES-256-C; did you mean `AES-128`?",
            "f:6:12: pdu[0].write_v3: stands beside write_community; give one of them",
            "f:6:21: pdu[0].write_v3.user: is longer than 32 bytes",
        ],
    ),
    (
        "PDU\nversion = '3'\n",
        &[
            r#"f:1:1: pdu[0]: has version = "3" without credentials; write snmp_v3 = { user = "…", … }"#,
        ],
    ),
    (
        "PDU\n[power]\nfoo = 1\nPDU\nbar = 1\n",
        &[
            "f:5:1: power.foo: unknown key",
            "f:7:8: pdu[1].name: `a` is the name of another PDU",
            "f:9:1: pdu[1].bar: unknown key",
        ],
    ),
    (
        "[[pdu]]\nname = ' a'\naddress = 'h'\n",
        &["f:2:8: pdu[0].name: has white space around it"],
    ),
    (
        "[[pdu]]\nname = \"a\\u0007\"\naddress = 'h'\n",
        &["f:2:8: pdu[0].name: has control characters"],
    ),
    (
        "PDU\n[[team]]\nname = 'a'\n[[team]]\nname = 'a'\n",
        &[
            "f:5:8: team[0].name: `a` is the name of a PDU",
            "f:7:8: team[1].name: `a` is the name of a PDU",
            "f:7:8: team[1].name: `a` is the name of another team",
        ],
    ),
    (
        "[[team]]\nlimit = '3 kW'\n",
        &[r#"f:1:1: team[0].name: is missing; write name = "Team Alpha""#],
    ),
    (
        "[pdu]\nname = 'a'\n",
        &["f:1:1: pdu: can stand here several times; write [[pdu]]"],
    ),
    (
        "[telegram]\n",
        &[
            r#"f:1:1: telegram: has no token; write token_file = "…", or give $RACKWARDEN_TELEGRAM_TOKEN or the credential telegram.token"#,
        ],
    ),
    (
        "[telegram]\ntoken = '1:a'\ntoken_file = 'x'\n",
        &["f:3:14: telegram.token_file: stands beside token; give one of them"],
    ),
    (
        "[telegram]\ntoken_file = '/nowhere'\n",
        &["f:2:14: telegram.token_file: cannot read /nowhere: no such file"],
    ),
    (
        "[telegram]\ntoken_file = '/exposed'\n",
        &[
            "f:2:14: telegram.token_file: /exposed is readable by others; write `chmod o-rwx /exposed`",
        ],
    ),
    (
        "[telegram]\ntoken = '1:abc def'\n",
        &["f:2:9: telegram.token: does not hold a bot token; copy it from @BotFather"],
    ),
    (
        "[telegram]\ntoken = '1:s3cr3t\n",
        &["f:2:18: not TOML: invalid literal string, expected `'`"],
    ),
    (
        "[telegram]\ntoken = '1:a'\napi_url = 'api.telegram.org'\nproxy = 'ftp://x'\nca_file = '/x'\n",
        &[
            "f:3:11: telegram.api_url: is not a URL; write https://HOST or http://HOST:PORT",
            "f:4:9: telegram.proxy: is not a proxy; write socks5://HOST:PORT, socks5h://HOST:PORT or http://HOST:PORT",
            "f:5:11: telegram.ca_file: /x has no certificate in PEM",
        ],
    ),
    (
        "[access]\nowners = ['telegram:1', 'telegram:1', 'telegram-chat:-1', 'bob', 5]\n",
        &[
            "f:2:25: access.owners[1]: stands here twice",
            "f:2:39: access.owners[2]: is a group; owners are single people, such as telegram:424242424",
            "f:2:59: access.owners[3]: `bob` is nobody; write telegram:USER, telegram-chat:CHAT or local:UID",
            "f:2:66: access.owners[4]: `5` is nobody; write telegram:USER, telegram-chat:CHAT or local:UID",
        ],
    ),
    (
        "[[access.grant]]\nwho = 'telegram:1'\n",
        &[
            r#"f:1:1: access.grant[0]: grants nothing; write role = "viewer" or allow = ["power.reset:alpha"]"#,
        ],
    ),
    (
        "[[access.grant]]\nrole = 'viewer'\n",
        &[r#"f:1:1: access.grant[0].who: is missing; write who = "telegram:USER""#],
    ),
    (
        "[[access.grant]]\nwho = 'telegram-chat:-1'\nrole = 'owner'\n",
        &[
            "f:3:8: access.grant[0].role: a group is never more than operator; name single people as owners",
        ],
    ),
    (
        "[[access.grant]]\nwho = 'telegram:1'\nrole = 'admin'\nallow = ['power.reset']\nuntil = 'tomorrow'\n",
        &[
            "f:3:8: access.grant[0].role: is not a role; write viewer, operator or owner",
            "f:4:10: access.grant[0].allow[0]: is not an action and its target; write power.reset:alpha or power.reset:*",
            r#"f:5:9: access.grant[0].until: is not a date; write "2027-01-01""#,
        ],
    ),
    (
        "[notify]\nto = 'telegram:1'\n",
        &["f:2:6: notify.to: is a string; write a list in [ ]"],
    ),
    (
        "[notify]\nto = ['local:5', 'irc:x']\nquiet_hours = '22-7'\ntimezone = 'Europe/Berln'\nmax_notifications = 0\nreset_after = '0s'\nrepeat = { criticl = '30m', warning = 5 }\n",
        &[
            "f:2:7: notify.to[0]: cannot be sent to; write telegram:CHAT or mail:NAME@HOST",
            "f:2:18: notify.to[1]: `irc:x` is not an address; write telegram:CHAT, telegram:CHAT/TOPIC or mail:NAME@HOST",
            r#"f:3:15: notify.quiet_hours: is not a span of the day; write "22:00-07:00""#,
            "f:4:12: notify.timezone: `Europe/Berln` is not a known zone; write one such as Europe/Berlin",
            "f:5:21: notify.max_notifications: write a whole number from 1 to 1000, without quotes",
            "f:6:15: notify.reset_after: is below 1s",
            "f:7:12: notify.repeat.criticl: unknown key; did you mean `critical`?",
            r#"f:7:39: notify.repeat.warning: needs a unit; write "5s""#,
        ],
    ),
    (
        "[[notify.route]]\nseverity = 'bad'\n",
        &[
            r#"f:1:1: notify.route[0].to: is missing; write to = ["telegram:CHAT"]"#,
            "f:2:12: notify.route[0].severity: is not a severity; write info, warning or critical",
        ],
    ),
    (
        "[mail]\nsecurity = 'ssl'\nfrom = 'x'\nport = 70000\nfallback_to = ['x']\n",
        &[
            r#"f:1:1: mail.host: is missing; write host = "smtp.example.org""#,
            "f:2:12: mail.security: write starttls, tls, none; did you mean `tls`?",
            r#"f:3:8: mail.from: is not a sender; write "rack-3 <agent@example.org>""#,
            "f:4:8: mail.port: write a whole number from 1 to 65535, without quotes",
            "f:5:16: mail.fallback_to[0]: is not a mail address; write oncall@example.org",
        ],
    ),
    (
        "[mail]\nhost = 'smtp.example.org:587'\nfrom = 'a@b'\nuser = 'agent'\n",
        &[
            "f:1:1: mail: has a user and no password; write password_file = \"…\", or give the credential mail.password",
            "f:2:8: mail.host: is not a host; write \"smtp.example.org\", and the port as port = 587",
        ],
    ),
    (
        "[heartbeat]\nurl = 'hc-ping'\n",
        &["f:2:7: heartbeat.url: is not a URL; write https://HOST or http://HOST:PORT"],
    ),
    (
        "[http]\nlisten = '0.0.0.0:8093'\n",
        &[
            r#"f:2:10: http.listen: is beyond loopback, which needs a token; write token_file = "…""#,
        ],
    ),
    (
        "[http]\nlisten = '8093'\n",
        &[
            "f:2:10: http.listen: is not an address; write IP:PORT such as 127.0.0.1:8093, unix:PATH, or off",
        ],
    ),
    (
        "[monitor.thresholds]\ncpu = 80\nmemory = { on = '80 %', off = '90 %' }\ncpu_temperature = '85 °F'\ndsk = '1 %'\n",
        &[
            r#"f:2:7: monitor.thresholds.cpu: needs a unit; write "80 %""#,
            "f:3:31: monitor.thresholds.memory.off: is not below `on`",
            r#"f:4:19: monitor.thresholds.cpu_temperature: `°F` is not accepted; write degrees Celsius, such as "85 °C""#,
            "f:5:1: monitor.thresholds.dsk: unknown key; did you mean `disk`?",
        ],
    ),
    (
        "[log]\nlevel = 'loud'\nmax_size = '1'\nkeep = -1\n",
        &[
            "f:2:9: log.level: is not a level; write error, warn, info, debug, trace, or target=level",
            r#"f:3:12: log.max_size: needs a unit; write "1 MiB""#,
            "f:4:8: log.keep: write a whole number from 0 to 1000, without quotes",
        ],
    ),
    (
        "plugins = ['powr', 'power', 'power']\n",
        &[
            "f:1:12: plugins[0]: unknown plugin; did you mean `power`?",
            "f:1:29: plugins[2]: stands here twice",
        ],
    ),
    (
        "name = ''\nnmae = 'x'\n",
        &[
            "f:1:8: name: is empty",
            "f:2:1: nmae: unknown key; did you mean `name`?",
        ],
    ),
    (
        "name = 'x'\nname = 'y'\n",
        &["f:2:1: not TOML: duplicate key"],
    ),
    (
        "[power]\ninterval = 2s\nretires = 3\n",
        &[
            "f:2:12: not TOML: string values must be quoted, expected literal string",
            "f:3:1: power.retires: unknown key; did you mean `retries`?",
        ],
    ),
    (
        "[power\ninterval = '2s'\n",
        &[
            "f:1:7: not TOML: unclosed table, expected `]`",
            "f:2:1: interval: unknown key",
        ],
    ),
    (
        "[history]\nmax_series = 'many'\n",
        &["f:2:14: history.max_series: write a whole number from 0 to 10000, without quotes"],
    ),
    (
        "power = 5\nlog = []\n",
        &[
            "f:1:9: power: is an integer; write a table",
            "f:2:7: log: is an array; write a table",
        ],
    ),
];
