//! Every secret of a configuration is planted, the agent is led through everything that goes wrong with the peers that
//! know one, at its noisiest level, and nothing that leaves it may show a piece of a secret, in whatever encoding. The
//! peers are unkind: they repeat what they were sent in their refusals.

use crate::bot_api::{BotApi, OWNER};
use crate::device::Device;
use crate::search::{Needles, Readings};
use crate::support::{
    Agent, CALM, Outcome, PATIENCE, Process, Scratch, free_tcp_port, rackwarden, wait_for,
};
use rackwarden_core::sim::Weather;
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

const KEY: &str = "Qz7tWk3vXp9LmRbYd2";
const COMMUNITY: &str = "Jm4sVq8nHxTz6cFw";
const WRITE_COMMUNITY: &str = "Gk5yPb9rUfWe3aDx";
const AUTH_PASSWORD: &str = "Nc2hZv7jKtQs4mEg";
const PRIV_PASSWORD: &str = "Xr6dBw8pLyMf5uCk";
const HTTP_TOKEN: &str = "Tj9gSn3xRvAh7qZp";
const PROXY_USER: &str = "Wb4kFe6zDmYu8tJc";
const PROXY_PASSWORD: &str = "Hs3vGx5nQaKr9wLd";
const MAIL_PASSWORD: &str = "Vy8cMt2fPjXb6eRn";
const PING: &str = "Uf5qCz7wTkGd3sHa";

const SECRETS: [(&str, &str); 10] = [
    ("the bot's key", KEY),
    ("the community", COMMUNITY),
    ("the community for writing", WRITE_COMMUNITY),
    ("the authentication password", AUTH_PASSWORD),
    ("the encryption password", PRIV_PASSWORD),
    ("the token of the status page", HTTP_TOKEN),
    ("the proxy's user", PROXY_USER),
    ("the proxy's password", PROXY_PASSWORD),
    ("the mail password", MAIL_PASSWORD),
    ("the path of the ping", PING),
];

const LEVELS: &str = "trace,ureq=trace,ureq_proto=trace,rustls=trace";

/// What an agent needs besides the network: files with secrets that only their owner may read.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    for (name, secret) in [
        ("http.token", HTTP_TOKEN),
        ("mail.password", MAIL_PASSWORD),
        ("auth.password", AUTH_PASSWORD),
        ("priv.password", PRIV_PASSWORD),
    ] {
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(scratch.write(name, secret), mode).expect("own file");
    }
    scratch
}

/// Where the peers of an agent are.
struct Peers {
    /// `[telegram] api_url`, and further keys of that table.
    telegram: String,
    device: u16,
    mail: u16,
    ping: String,
}

impl Peers {
    fn config(&self, scratch: &Scratch, http: u16) -> String {
        let Peers {
            telegram,
            device,
            mail,
            ping,
        } = self;
        let state = scratch.path("state");
        format!(
            "name = \"rack-3\"\nstate_dir = \"{}\"\n[log]\nlevel = \"{LEVELS}\"\n\
             [telegram]\ntoken = \"999:{KEY}\"\n{telegram}\n\
             [access]\nowners = [\"telegram:{OWNER}\"]\n\
             [notify]\nto = [\"telegram:{OWNER}\", \"mail:ann@x.test\"]\n\
             [mail]\nhost = \"127.0.0.1\"\nport = {mail}\nsecurity = \"none\"\nuser = \"agent\"\n\
             password_file = \"mail.password\"\nfrom = \"agent@x.test\"\n\
             [heartbeat]\nurl = \"{ping}/ping/{PING}\"\nevery = \"1m\"\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\ntoken_file = \"http.token\"\n\
             {CALM}[power]\ninterval = \"200ms\"\ntimeout = \"100ms\"\nretries = 0\nlimit = \"3 kW\"\nunreachable_after = \"600ms\"\n\
             [[pdu]]\nname = \"alpha\"\naddress = \"127.0.0.1:{device}\"\n\
             community = \"{COMMUNITY}\"\nwrite_community = \"{WRITE_COMMUNITY}\"\n\
             [[pdu]]\nname = \"dead\"\naddress = \"127.0.0.1:9\"\ncommunity = \"{COMMUNITY}\"\n\
             [[pdu]]\nname = \"third\"\naddress = \"127.0.0.1:9\"\n\
             snmp_v3 = {{ user = \"apc\", level = \"authPriv\", auth = \"SHA-256\", auth_password_file = \"auth.password\", \
             priv = \"AES-128\", priv_password_file = \"priv.password\" }}\n",
            state.display()
        )
    }

    /// An agent with all secrets; the level comes from the configuration, or from the environment.
    fn agent(&self, level: Option<&str>) -> Agent {
        let (scratch, http) = (scratch(), free_tcp_port());
        let mut config = self.config(&scratch, http);
        if level.is_some() {
            config = config.replace(LEVELS, "error");
        }
        let mut command = rackwarden(&scratch);
        command
            .env(
                "RACKWARDEN_CONFIG",
                scratch.write("rackwarden.toml", &config),
            )
            .envs(level.map(|level| ("RUST_LOG", level)))
            .arg("run");
        let process = Process::start(command, &scratch, "agent");
        Agent {
            process,
            scratch,
            http,
        }
    }
}

/// Everything that was seen of the agents, with a name for each part.
#[derive(Default)]
struct Haul(Vec<(String, Vec<u8>)>);

impl Haul {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    fn add_outcome(&mut self, name: &str, outcome: Outcome) {
        self.add(format!("{name}: stdout"), outcome.stdout);
        self.add(format!("{name}: stderr"), outcome.stderr);
    }

    /// What the chat got, what the processes show, the log, and every file of the state.
    fn add_agent(&mut self, agent: &mut Agent, api: &BotApi) {
        for process in family(agent.process.id()) {
            for part in ["cmdline", "environ"] {
                let path = format!("/proc/{process}/{part}");
                self.add(&*path, fs::read(&path).unwrap_or_default());
            }
        }
        self.add("chat", format!("{:#?}", api.messages()));
        let calls = api.with(|service, _| format!("{:#?}", service.calls()));
        self.add("calls", calls);
        agent.process.signal(Signal::TERM);
        let status = agent.process.ended(PATIENCE);
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
        self.add("the log", agent.process.printed());
        self.add_files(&agent.scratch.path("state"));
    }

    fn add_files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("the state is kept").flatten() {
            let path = entry.path();
            self.add(
                path.display().to_string(),
                fs::read(&path).unwrap_or_default(),
            );
        }
    }

    /// Judges that nothing shows a secret.
    fn judge(&self) {
        let needles: Vec<_> = SECRETS
            .iter()
            .map(|(name, secret)| (name, Needles::of(secret)))
            .collect();
        for (place, bytes) in &self.0 {
            let readings = Readings::of(bytes);
            for (name, needles) in &needles {
                let found = needles.found_in(&readings);
                let text = || String::from_utf8_lossy(bytes);
                assert!(
                    found.is_none(),
                    "{place} shows {name} {}:\n{}",
                    found.unwrap_or_default(),
                    text()
                );
            }
        }
    }
}

/// A process and its children.
fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    for task in fs::read_dir(format!("/proc/{process}/task"))
        .expect("it runs")
        .flatten()
    {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        family.extend(
            children
                .split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    family
}

/// Serves each connection on a thread of its own and says where.
fn listen(serve: impl Fn(TcpStream) -> Option<()> + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// The head of a request, as it is.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader
            .read_line(&mut head)
            .ok()
            .filter(|count| *count > 0)?;
    }
    Some(head)
}

/// A captive portal: whatever is asked for, it says so on a page.
fn portal(mut stream: TcpStream) -> Option<()> {
    let head = head(&mut BufReader::new(stream.try_clone().ok()?))?;
    let path = head.split(' ').nth(1)?.to_owned();
    let page = format!("<html>You wanted {path}\n{head}</html>");
    let answer = format!(
        "HTTP/1.1 404 no {path}\r\nLocation: http://127.0.0.1:9{path}\r\nContent-Length: {}\r\n\r\n{page}",
        page.len()
    );
    stream.write_all(answer.as_bytes()).ok()
}

/// A mail server that takes no login, and repeats in its refusal what it was told.
fn mail_server(stream: TcpStream) -> Option<()> {
    talk_mail(stream, "535-5.7.8 not ")
}

/// A mail server that takes every login and knows nobody.
fn deserted_mail_server(stream: TcpStream) -> Option<()> {
    talk_mail(stream, "235-welcome ")
}

fn talk_mail(mut stream: TcpStream, login: &str) -> Option<()> {
    let lines = BufReader::new(stream.try_clone().ok()?).lines();
    stream.write_all(b"220 mx.test\r\n").ok()?;
    for line in lines {
        let line = line.ok()?;
        let number = login.split(['-', ' ']).next()?;
        let answer = match line.split(' ').next()? {
            "EHLO" => "250-mx.test\r\n250 AUTH PLAIN\r\n".to_owned(),
            "AUTH" => format!("{login}{line}\r\n{number} {MAIL_PASSWORD}\r\n"),
            "RCPT" => "550 5.1.1 no such user\r\n".to_owned(),
            _ => "250 ok\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).ok()?;
    }
    Some(())
}

/// A proxy for HTTP (RFC 9110 CONNECT) and SOCKS (RFC 1928, RFC 1929) that wants to know who comes.
fn proxy(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let target = if *reader.fill_buf().ok()?.first()? == 5 {
        let mut take = |count: usize| {
            let mut bytes = vec![0; count];
            reader.read_exact(&mut bytes).ok().map(|()| bytes)
        };
        let methods = usize::from(take(2)?[1]);
        assert!(take(methods)?.contains(&2), "it has a name and a password");
        stream.write_all(&[5, 2]).ok()?;
        let user = usize::from(take(2)?[1]);
        assert_eq!(take(user)?, PROXY_USER.as_bytes());
        let password = usize::from(take(1)?[0]);
        assert_eq!(take(password)?, PROXY_PASSWORD.as_bytes());
        stream.write_all(&[1, 0]).ok()?;
        let target = take(10)?;
        assert_eq!(target[..4], [5, 1, 0, 1], "an IPv4 address");
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
        u16::from_be_bytes([target[8], target[9]])
    } else {
        let head = head(&mut reader)?;
        assert!(
            head.to_ascii_lowercase()
                .contains("\r\nproxy-authorization: basic "),
            "{head}"
        );
        stream.write_all(b"HTTP/1.1 200 it is\r\n\r\n").ok()?;
        let authority = head.split(' ').nth(1)?;
        authority.rsplit_once(':')?.1.parse().ok()?
    };
    let mut server = TcpStream::connect(("127.0.0.1", target)).ok()?;
    let (mut back, mut client) = (server.try_clone().ok()?, stream);
    thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut client);
        client.shutdown(std::net::Shutdown::Both)
    });
    std::io::copy(&mut reader, &mut server).ok()?;
    server.shutdown(std::net::Shutdown::Both).ok()
}

/// The same, but it takes nobody and repeats who came.
fn refusing_proxy(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    if *reader.fill_buf().ok()?.first()? == 5 {
        stream.write_all(&[5, 2]).ok()?;
        reader
            .read_exact(&mut [0; 5 + PROXY_USER.len() + PROXY_PASSWORD.len() + 2])
            .ok()?;
        return stream.write_all(&[1, 1]).ok();
    }
    let head = head(&mut reader)?;
    let again = head.replace("\r\n", " ");
    let answer = format!("HTTP/1.1 407 not {again}\r\nX-Was: {again}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()
}

fn api() -> BotApi {
    let api = BotApi::start();
    api.with(|service, _| service.set_token(&format!("999:{KEY}")));
    api
}

fn peers(telegram: String) -> Peers {
    let ping = format!("http://127.0.0.1:{}", listen(portal));
    Peers {
        telegram,
        device: 9,
        mail: listen(mail_server),
        ping,
    }
}

fn has_logged(agent: &Agent, words: &str) {
    wait_for(words, || {
        agent.process.printed().contains(words).then_some(())
    });
}

/// The whole answer to one request.
fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    // A refused request may end with a reset after the answer.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_agent_and_its_commands_show_no_secret() {
    let (api, device) = (api(), Device::start(1230));
    let peers = Peers {
        device: device.port,
        mail: listen(deserted_mail_server),
        ..peers(format!("api_url = \"{}\"", api.url()))
    };
    let (mut agent, mut haul) = (peers.agent(None), Haul::default());
    agent.wait_until_it_answers();
    api.wait_for_poll();
    wait_for("a reading", || {
        agent.ask("/current").contains("1230 W").then_some(())
    });
    let test = agent.beside(&["test-alert", "power.limit:alpha", "--value", "3500"]);
    assert!(test.stdout.contains("550 5.1.1"), "{}", test.stdout);
    haul.add_outcome("test-alert", test);
    device.set_power(3600);
    api.wait_for_message("3600 W");
    device.set_power(1000);
    api.say("/reset alpha");
    api.post(77, OWNER, "/current");
    api.say("/exceedings csv");
    api.wait_for(PATIENCE, |message| message.document.is_some());
    for arguments in [
        &["check"][..],
        &["check", "--effective"],
        &["doctor"],
        &["status", "--json"],
        &["audit", "verify"],
        &["pair"],
        &["ask", "/status"],
        &["ask", "/alerts"],
        &["ask", "/audit"],
        &["ask", "/permissions"],
        &["ask", "/plugins"],
        &["ask", "/nonsense"],
    ] {
        haul.add_outcome(&arguments.join(" "), agent.beside(arguments));
    }
    add_answers(&mut haul, agent.http);
    let good = peers.config(&agent.scratch, agent.http);
    for (index, (old, new)) in MISTAKES.iter().enumerate() {
        let bad = good.replacen(old, new, 1);
        assert_ne!(bad, good, "{old}");
        let file = agent.scratch.write("bad.toml", &bad);
        let check = agent.beside(&["check", "--config", &file.display().to_string()]);
        assert_ne!(check.code, Some(0), "{new}");
        haul.add_outcome(&format!("check of mistake {index}"), check);
    }
    let bad = good.replacen("token = ", "tokne = ", 1);
    agent.scratch.write("rackwarden.toml", &bad);
    agent.process.signal(Signal::HUP);
    has_logged(&agent, "tokne");
    let file = agent.scratch.path("agent.log");
    let good = good.replacen("[log]", &format!("[log]\nfile = \"{}\"", file.display()), 1);
    agent.scratch.write("rackwarden.toml", &good);
    agent.process.signal(Signal::HUP);
    wait_for("the log file", || file.exists().then_some(()));
    haul.add_agent(&mut agent, &api);
    haul.add("the log file", fs::read(&file).expect("it is there"));
    for name in [
        "audit.log",
        "exceedings.log",
        "journal",
        "stdout",
        "the log file",
        "/metrics",
    ] {
        let is_full =
            |(place, bytes): &(String, Vec<u8>)| place.contains(name) && !bytes.is_empty();
        assert!(haul.0.iter().any(is_full), "nothing was seen of {name}");
    }
    haul.judge();
}

/// What people get wrong in a line that holds a secret.
const MISTAKES: [(&str, &str); 8] = [
    ("token = \"999:", "token = 999:"),
    ("token = \"999:", "tokne = \"999:"),
    ("community = \"", "community = \"a\" \""),
    ("community = \"", "community = [\""),
    ("write_community = \"", "write_comunity = \""),
    ("/ping/", "/ ping\\q/"),
    ("url = \"http:", "url = \"ftp:"),
    ("url = \"http:", "url = \"\\u00e9http:"),
];

fn add_answers(haul: &mut Haul, port: u16) {
    let right = format!("Authorization: Bearer {HTTP_TOKEN}\r\n");
    for path in [
        "/",
        "/?fragment",
        "/health",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/api/status",
        "/api/power",
        "/api/power/alpha",
        "/api/power/dead",
        "/api/power/third",
        "/api/host",
        "/api/alerts",
        "/nothing",
        "/../etc",
    ] {
        for (kind, header) in [
            ("", &*right),
            (" with a wrong token", "Authorization: Bearer wrong\r\n"),
            (" without one", ""),
        ] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{header}\r\n"
            );
            haul.add(format!("{path}{kind}"), exchange(port, &request));
        }
    }
    let body = format!("token={HTTP_TOKEN}");
    for request in [
        format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        // Broken requests that hold it.
        format!("GET /{HTTP_TOKEN} HTTP/9\r\n{right}\r\n"),
        format!("GET / HTTP/1.1\r\n{right}Transfer-Encoding: {HTTP_TOKEN}\r\n\r\n"),
    ] {
        haul.add("an odd request", exchange(port, &request));
    }
}

/// How an agent gets to its chat, or does not.
struct Way {
    /// `api_url` and further keys of `[telegram]`.
    telegram: String,
    fault: Option<Weather>,
    /// Is in the log when the fault has been felt.
    words: &'static str,
    /// The agent gets through afterwards.
    arrives: bool,
}

#[test]
fn no_fault_on_the_way_to_the_chat_brings_a_secret_to_light() {
    let body = |text: &str| Some(Weather::Body(text.as_bytes().to_vec()));
    let refuses = |status, text, hints| Some(Weather::Refuses(status, text, hints));
    let no_api = "status 200 with something that is not the Bot API's answer";
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    let faults = [
        (refuses(401, "Unauthorized", json!(null)), "401", false),
        (refuses(409, conflict, json!(null)), "409", true),
        (
            refuses(
                429,
                "Too Many Requests: retry after 1",
                json!({"retry_after": 1}),
            ),
            "429",
            true,
        ),
        (refuses(502, "Bad Gateway", json!(null)), "502", true),
        (body("<html>hello</html>"), no_api, true),
        (body(r#"{"ok":true,"result":[{"upd"#), no_api, true),
        (Some(Weather::LosesAnswer), "Peer disconnected", true),
        (Some(Weather::IsAway), "Peer disconnected", true),
    ];
    thread::scope(|scope| {
        for (fault, words, arrives) in faults {
            scope.spawn(move || {
                let api = api();
                let telegram = format!("api_url = \"{}\"", api.url());
                go(
                    &api,
                    Way {
                        telegram,
                        fault,
                        words,
                        arrives,
                    },
                );
            });
        }
    });
}

#[test]
fn no_proxy_portal_or_certificate_brings_a_secret_to_light() {
    let user = format!("{PROXY_USER}:{PROXY_PASSWORD}");
    let through =
        |scheme: &str, port: u16| format!("\nproxy = \"{scheme}://{user}@127.0.0.1:{port}\"");
    let (open, closed) = (listen(proxy), listen(refusing_proxy));
    let ways = [
        (Some("http"), open, "connected as", true),
        (Some("socks5"), open, "connected as", true),
        (Some("socks5h"), open, "connected as", true),
        (Some("http"), closed, "proxy server responded 407", false),
        (
            Some("socks5"),
            closed,
            "password authentication failed",
            false,
        ),
        (Some("http"), free_tcp_port(), "Connection refused", false),
        (None, listen(portal), "status 404 with something", false),
        (None, free_tcp_port(), "Connection refused", false),
    ];
    thread::scope(|scope| {
        for (scheme, port, words, arrives) in ways {
            let through = scheme.map(|scheme| through(scheme, port));
            scope.spawn(move || {
                let api = api();
                let url = if through.is_some() {
                    api.url()
                } else {
                    format!("http://127.0.0.1:{port}")
                };
                let telegram = format!("api_url = \"{url}\"{}", through.unwrap_or_default());
                go(
                    &api,
                    Way {
                        telegram,
                        fault: None,
                        words,
                        arrives,
                    },
                );
            });
        }
        scope.spawn(|| {
            let plain =
                listen(|mut stream| stream.write_all(b"HTTP/1.1 400 no TLS here\r\n\r\n").ok());
            let telegram = format!("api_url = \"https://127.0.0.1:{plain}\"");
            let words = "receiving fails: io: received corrupt message";
            go(
                &api(),
                Way {
                    telegram,
                    fault: None,
                    words,
                    arrives: false,
                },
            );
        });
    });
}

/// Leads an agent along a way and judges what it shows. The levels come from the environment.
fn go(api: &BotApi, way: Way) {
    if let Some(fault) = &way.fault {
        for method in ["getUpdates", "sendMessage"] {
            api.weather(method, 1, fault.clone());
        }
    }
    let (mut agent, mut haul) = (peers(way.telegram).agent(Some(LEVELS)), Haul::default());
    api.say("/version");
    has_logged(&agent, way.words);
    has_logged(&agent, "the server refuses user and password");
    if way.arrives {
        api.wait_for_message("rackwarden 0");
    }
    haul.add_outcome("status", agent.beside(&["status", "--json"]));
    haul.add_outcome("check", agent.beside(&["check", "--effective"]));
    haul.add_outcome("doctor", agent.beside(&["doctor"]));
    haul.add_agent(&mut agent, api);
    haul.judge();
}
