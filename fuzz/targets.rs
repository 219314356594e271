//! What is fuzzed: one plain function for each kind of bytes from outside, with its seeds. `tests/it/fuzz.rs` drives them
//! with seeded mutations, `fuzz/run` with cargo-fuzz. None may panic, loop, or take memory without bound.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each fuzz program uses one of the functions"
)]

#[path = "devices.rs"]
pub mod devices;
#[path = "history.rs"]
pub mod history;
#[path = "host.rs"]
pub mod host;
#[path = "smtp.rs"]
pub mod smtp;
#[path = "streams.rs"]
pub mod streams;
#[path = "usm.rs"]
pub mod usm;

use rackwarden_core::chat::audit::{self, Head};
use rackwarden_core::chat::grammar;
use rackwarden_core::config::Environment;
use rackwarden_core::config::effective::effective;
use rackwarden_core::config::parse::parse;
use rackwarden_core::core::{Core, Start};
use rackwarden_core::effect::{Effect, Effects, Ticket};
use rackwarden_core::event::{Event, HttpResponse, Reply};
use rackwarden_core::fault::Fault;
use rackwarden_core::house;
use rackwarden_core::http::auth::{Auth, Peer};
use rackwarden_core::http::head::{self, Parsed};
use rackwarden_core::http::{self, Cache, Response};
use rackwarden_core::journal::{FileKind, Journal, Storage, Stored};
use rackwarden_core::pdu::Profiles;
use rackwarden_core::pdu::identify::{Identify, Next, Options};
use rackwarden_core::pdu::read::file as profile_file;
use rackwarden_core::pdu::simulated::Agent;
use rackwarden_core::plugins::PLUGINS;
use rackwarden_core::rng::Rng;
use rackwarden_core::secret::Secret;
use rackwarden_core::sim::Sim;
use rackwarden_core::sim::sample::{self, Sample};
use rackwarden_core::snapshot::Seen;
use rackwarden_core::snmp::engine::Engine;
use rackwarden_core::snmp::message::{Message, Pdu, PduKind, RawMessage, encode_request};
use rackwarden_core::snmp::{
    Credentials, Oid, SnmpAnswer, SnmpAsk, SnmpRequest, SnmpTarget, Value, VarBind, Version,
};
use rackwarden_core::state::{Change, Records, Turn};
use rackwarden_core::time::{Mono, Now, Wall};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Name, function, seeds.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

pub const TARGETS: &[Target] = &[
    ("snmp_message", snmp_message, snmp_message_seeds),
    ("snmp_v3", usm::snmp_v3, usm::snmp_v3_seeds),
    ("telegram_update", telegram_update, telegram_update_seeds),
    ("configuration", configuration, configuration_seeds),
    ("command", command, command_seeds),
    ("http_head", http_head, http_head_seeds),
    (
        "http_stream",
        streams::http_stream,
        streams::http_stream_seeds,
    ),
    ("recording", recording, recording_seeds),
    ("journal", journal, journal_seeds),
    ("audit_log", audit_log, audit_log_seeds),
    ("profile", profile, profile_seeds),
    ("host", host::host, host::host_seeds),
    ("devices", devices::devices, devices::devices_seeds),
    ("history", history::history, history::history_seeds),
    ("smtp", smtp::smtp, smtp::smtp_seeds),
];

// --- SNMP -------------------------------------------------------------------------------------------------------------

const DEVICE: (Ipv4Addr, u16) = (Ipv4Addr::new(127, 0, 0, 1), 161);

fn asked() -> Arc<[Oid]> {
    ["1.3.6.1.2.1.1.3.0", "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1"]
        .iter()
        .map(|text| text.parse().expect("a valid object identifier"))
        .collect()
}

/// An engine that waits for one answer, and the id it asked with.
fn waiting(ask: SnmpAsk) -> (Engine, i32) {
    let mut engine = Engine::new(Rng::new(7));
    let target = SnmpTarget {
        addr: SocketAddr::from(DEVICE),
        credentials: Credentials::community("public"),
        any_source: false,
    };
    engine.submit(
        Mono::ZERO,
        [SnmpRequest {
            ticket: Ticket(1),
            target: Arc::new(target),
            ask,
            timeout: Duration::from_millis(500),
            retries: 1,
            deadline: Mono::ZERO + Duration::from_millis(1800),
        }],
    );
    let mut datagram = Vec::new();
    engine
        .poll_transmit(Mono::ZERO, &mut datagram)
        .expect("a question is sent at once");
    let question = Message::decode(&datagram).expect("our own question is readable");
    (engine, question.pdu.request_id)
}

/// A datagram from a device: read, written again, and given to an engine that waits for an answer.
pub fn snmp_message(data: &[u8]) {
    let message = Message::decode(data);
    if let Ok(message) = &message {
        let mut written = Vec::new();
        message.encode(&mut written);
        assert_eq!(
            Message::decode(&written).as_ref(),
            Ok(message),
            "what is written is what was read"
        );
    }
    for ask in [SnmpAsk::Get(asked()), SnmpAsk::GetNext(asked())] {
        let (mut engine, id) = waiting(ask);
        if engine.handle_datagram(Mono::ZERO, SocketAddr::from(DEVICE), data) {
            let head = RawMessage::read(data)
                .expect("only a readable head answers")
                .pdu;
            assert_eq!((head.kind, head.request_id), (PduKind::Response, id));
        }
        let end = Mono::ZERO + Duration::from_secs(2);
        engine.handle_timeout(end);
        let replies = engine.take_replies();
        assert_eq!(replies.len(), 1, "a question is answered exactly once");
        let is_void = |value: &Value| matches!(value, Value::Null | Value::EndOfMibView);
        let has_void = match &replies[0].result {
            Ok(SnmpAnswer::Values(values)) => values.iter().any(is_void),
            Ok(SnmpAnswer::Binds(binds)) => binds.iter().any(|bind| is_void(&bind.value)),
            Ok(SnmpAnswer::Error { .. }) | Err(_) => true,
        };
        assert!(
            message.is_ok() || has_void,
            "what cannot be read is no value"
        );
        assert_eq!(engine.outstanding(), 0);
    }
}

fn snmp_message_seeds() -> Vec<Vec<u8>> {
    let values = [
        Value::TimeTicks(4242),
        Value::Integer(-1),
        Value::Gauge32(u32::MAX),
        Value::Counter64(u64::MAX),
        Value::OctetString((*b"AP8959EU3").into()),
        Value::NoSuchInstance,
        Value::Null,
    ];
    let (_, id) = waiting(SnmpAsk::Get(asked()));
    let oids = asked();
    let mut seeds = Vec::new();
    for kind in [
        PduKind::Response,
        PduKind::Get,
        PduKind::GetBulk,
        PduKind::Set,
    ] {
        for value in &values {
            let bind = |oid: &Oid| VarBind {
                oid: oid.clone(),
                value: value.clone(),
            };
            let message = Message {
                version: Version::V2c,
                community: Secret::new(Box::from(*b"public")),
                pdu: Pdu {
                    kind,
                    request_id: id,
                    status: 0,
                    index: 0,
                    binds: oids.iter().map(bind).collect(),
                },
            };
            let mut datagram = Vec::new();
            message.encode(&mut datagram);
            seeds.push(datagram);
        }
    }
    seeds
}

// --- chat -------------------------------------------------------------------------------------------------------------

/// A line that somebody types.
pub fn command(data: &[u8]) {
    let line = String::from_utf8_lossy(data);
    let specs = house::specs();
    for needs_slash in [false, true] {
        let rules = grammar::Rules {
            bot_name: Some("rack_bot"),
            needs_slash,
        };
        if let grammar::Reading::Command { args, .. } = grammar::read(&line, &specs, rules) {
            assert!(args.len() <= 32, "the number of arguments is bounded");
        }
    }
    for word in grammar::split(&line) {
        let _ = grammar::quote(&word);
    }
}

fn command_seeds() -> Vec<Vec<u8>> {
    [
        "/current",
        "/current@rack_bot \"Team Alpha\"",
        "/help@other_bot",
        "/mute power.limit:alpha 2h 'planned work'",
        "/grant telegram:77 power.reset:alpha 2027-01-01",
        "/exceedings „Team Alpha“ 2d csv",
        "/permissions grant telegram:77 operator",
        "/press 7f3a",
        "hello there",
        "/",
        "\u{feff}/status \u{202e}\u{0}",
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect()
}

// --- durable state ----------------------------------------------------------------------------------------------------

/// Both files as they are found at the start.
struct Found(Stored);

impl Storage for Found {
    fn read(&mut self) -> Result<Stored, Fault> {
        Ok(self.0.clone())
    }
    fn append(&mut self, _bytes: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
    fn sync(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    fn replace(&mut self, _file: FileKind, _bytes: &[u8]) -> Result<(), Fault> {
        Ok(())
    }
    fn set_aside(&mut self, _file: FileKind) -> Result<String, Fault> {
        Ok("aside".to_owned())
    }
}

fn open_and_write(journal: Option<Vec<u8>>, snapshot: Option<Vec<u8>>) {
    let mut journal = Journal::open(Found(Stored {
        snapshot,
        journal,
        unreadable: Vec::new(),
    }))
    .expect("damage never stops a start");
    let seq = journal.records().seq.wrapping_add(1);
    let change = Change {
        key: "fuzz/1".to_owned(),
        value: Some(b"{}".to_vec()),
    };
    journal.push(&Turn {
        seq,
        durable: true,
        changes: vec![change],
    });
    journal.commit().expect("this storage never fails");
}

/// CRC-32 (IEEE 802.3), so that mutations reach what the checksum guards.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    };
    !bytes.iter().fold(!0, step)
}

/// State files with damage: as they are, and with the checksum made right around them.
pub fn journal(data: &[u8]) {
    open_and_write(Some(data.to_vec()), Some(data.to_vec()));
    let sealed = [&1u64.to_le_bytes(), data].concat();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    let record = [
        b"RWJRNL1\n".as_slice(),
        &length,
        &crc32(&sealed).to_le_bytes(),
        &sealed,
    ]
    .concat();
    let snapshot = [b"RWSNAP1\n".as_slice(), &sealed].concat();
    let snapshot = [snapshot.as_slice(), &crc32(&snapshot).to_le_bytes()].concat();
    open_and_write(Some(record), Some(snapshot));
}

fn journal_seeds() -> Vec<Vec<u8>> {
    let entry = |key: &str, value: &str| {
        let lengths = [key.len() as u32, value.len() as u32]
            .map(u32::to_le_bytes)
            .concat();
        [lengths.as_slice(), key.as_bytes(), value.as_bytes()].concat()
    };
    let deleted = [
        4u32.to_le_bytes().as_slice(),
        &u32::MAX.to_le_bytes(),
        b"a/bc",
    ]
    .concat();
    vec![
        entry("power.peak/alpha", r#"{"power_w":3120.0}"#),
        [entry("chat.offset/telegram", "42"), deleted].concat(),
        b"RWJRNL1\n\x00\x00\x00\x00".to_vec(),
        b"RWSNAP1\n".to_vec(),
        Vec::new(),
    ]
}

// --- HTTP -------------------------------------------------------------------------------------------------------------

/// What a client of the status server sends: read, judged, and answered from a snapshot with hostile names.
pub fn http_head(data: &[u8]) {
    let now = Now {
        mono: Mono::new(Duration::from_secs(90_000)),
        wall: Wall(1_795_205_702_000),
    };
    let mut snapshot = None;
    let mut rest = data;
    for _ in 0..16 {
        let (request, length) = match head::parse(rest) {
            Parsed::Complete(request, length) => (request, length),
            Parsed::Partial => {
                assert!(
                    rest.len() < head::MAX_HEAD + head::MAX_BODY,
                    "what never ends is refused"
                );
                return;
            }
            Parsed::Refused(error) => return drop(Response::from(error)),
        };
        assert!(length > 0 && length <= rest.len());
        let snapshot = snapshot.get_or_insert_with(|| sample::snapshot(Sample::Hostile));
        for token in [None, Some(Secret::new("secret".into()))] {
            let mut auth = Auth::new(token, &["rack-3"]);
            let peer = Peer::Ip(Ipv4Addr::LOCALHOST.into());
            let response = http::serve(
                &request,
                peer,
                &Seen::new(snapshot, now),
                &mut Cache::new(),
                &mut auth,
            );
            let mut written = Vec::new();
            response.write_head(&mut written, "Fri, 20 Nov 2026 20:15:02 GMT", None);
            let text = String::from_utf8(written).expect("a head is ASCII");
            assert_eq!(
                text.matches("\r\n\r\n").count(),
                1,
                "nothing from outside breaks a head"
            );
        }
        rest = &rest[length..];
    }
}

fn http_head_seeds() -> Vec<Vec<u8>> {
    [
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:8093\r\n\r\n",
        "GET /api/power/alpha%20one HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer secret\r\n\r\n",
        "HEAD /metrics?x=1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /health HTTP/1.1\r\nHost: [::1]:8093\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: rack-3\r\nContent-Length: 12\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ntoken=secret",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET http://127.0.0.1/api/alerts HTTP/1.1\r\nHost: x\r\nCookie: a=b; rackwarden=1.2\r\n\r\n",
        "GET /openapi.json HTTP/1.1\nHost: localhost\n\n",
    ]
    .iter()
    .map(|request| request.as_bytes().to_vec())
    .collect()
}

// --- recordings -------------------------------------------------------------------------------------------------------

/// A recorded walk, served: whatever it holds, the device behind it answers with readable messages that lead forward.
pub fn recording(data: &[u8]) {
    let Ok(mut agent) = Agent::from_recording(data) else {
        return;
    };
    let mut last: Oid = "0.0".parse().expect("a valid object identifier");
    for turn in 0..32u64 {
        let since_start = Duration::from_secs(2 * turn);
        let now = Now {
            mono: Mono::new(since_start),
            wall: Wall(1_795_205_702_000).plus(since_start),
        };
        let mut question = Vec::new();
        let ask = SnmpAsk::GetNext(Arc::from([last.clone()]));
        encode_request(&mut question, Version::V2c, b"public", 7, &ask);
        let Some(answer) = agent.handle(now, &question) else {
            return;
        };
        let answer = Message::decode(&answer).expect("a simulated device writes readable messages");
        match answer.pdu.binds.first() {
            Some(bind) if answer.pdu.status == 0 && bind.value != Value::EndOfMibView => {
                assert!(bind.oid > last, "a walk leads forward");
                last = bind.oid.clone();
            }
            _ => return,
        }
    }
}

fn recording_seeds() -> Vec<Vec<u8>> {
    let power = "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1|2|27\n";
    [
        format!("1.3.6.1.2.1.1.1.0|4|APC Web/SNMP Management Card\n1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.318.1.3.4.6\n{power}"),
        format!("1.3.6.1.2.1.1.3.0|67|4294967295\n{power}1.3.6.1.4.1.318.1.1.26.4.3.1.9.1|65|19677\n"),
        "1.3.6.1.2.1.2.2.1.6.2|4x|00C0B7FAE271\n1.3.6.1.2.1.4.20.1.3.127.0.0.1|64|255.255.255.0\n1.3.6.1.9|5|\n".to_owned(),
        "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1|2:numeric|function=sin,rate=0.2,scale=200,offset=300,min=0,max=600\n".to_owned(),
        "1.3.6.1.4.1.1|70|18446744073709551615\n1.3.6.1.4.1.2|66|-1\n1.3.6.1.4.1.2|2|x\n\n#\n|||\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

// --- configuration ----------------------------------------------------------------------------------------------------

/// A configuration file: read, or refused with errors of one line each that stand somewhere in it.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines = text.split('\n').count();
    match parse(&text, "rack.toml", &Environment::bare(), PLUGINS) {
        Ok(config) => {
            let _ = effective(&config);
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "a refusal has a reason");
            for error in errors {
                assert!(
                    (1..=lines).contains(&error.line) && error.column > 0,
                    "{error:?} of {lines} lines"
                );
                let shown = error.to_string();
                assert!(
                    !shown.contains(char::is_control),
                    "{shown:?} is one clean line"
                );
            }
        }
    }
}

fn configuration_seeds() -> Vec<Vec<u8>> {
    [
        "name = \"rack-3\"\nstate_dir = \"/var/lib/rackwarden\"\nplugins = [\"power\"]\n[log]\nlevel = \"info\"\nmax_size = \"1 MiB\"\nkeep = 3\n",
        "[telegram]\ntoken = \"1:abc\"\napi_url = \"https://api.telegram.org\"\nproxy = \"socks5://u:p@127.0.0.1:1080\"\n\
         [access]\nowners = [\"telegram:42\"]\n[[access.grant]]\nwho = \"telegram-chat:-1001234\"\nrole = \"viewer\"\n\
         allow = [\"power.reset:alpha\"]\ndeny = [\"power.*\"]\nuntil = \"2027-01-01\"\n",
        "[notify]\nto = [\"telegram:-1001234/7\"]\nquiet_hours = \"22:00-07:00\"\ntimezone = \"UTC\"\nmax_notifications = 3\nreset_after = \"5m\"\n\
         repeat = { critical = \"30m\", warning = \"4h\" }\n[[notify.route]]\nseverity = \"critical\"\nalert = \"power.*\"\nto = [\"telegram:7\"]\n",
        "[power]\ninterval = \"2s\"\ntimeout = \"500ms\"\nretries = 1\nlimit = \"3 kW\"\nclear = \"2.9 kW\"\nunreachable_after = \"10s\"\n\
         site_limit = { soft = \"10 kW\", hard = \"17 kW\" }\n[[pdu]]\nname = \"alpha\"\naddress = \"[fe80::1]:161\"\ncommunity = \"public\"\n\
         version = \"1\"\nprofile = \"auto\"\nteam = \"Team Alpha\"\nunit = 2\nany_source = true\n[[team]]\nname = \"Team Alpha\"\nlimit = \"6 kW\"\n",
        "[http]\nlisten = \"127.0.0.1:8093\"\n[monitor]\ninterval = \"2s\"\n[monitor.thresholds]\ncpu = { on = \"80 %\", off = \"75 %\", for = \"10s\" }\n\
         cpu_temperature = \"85 °C\"\nmounts = { exclude = [\"/mnt/*\"] }\n[history]\nmax_series = 200\n[mail]\nhost = \"smtp.example.org\"\nport = 587\n",
        "[notify]\nto = [\"telegram:-10\t0\\n1234/7\"]\n[access]\nowners = [\"\\u001b[31m\"]\n",
        "[power]\nintervall = \"2s\"\nlimit = 3000\n[[pdu]]\naddress = \"\"\nsnmp_v3 = { user = \"apc\", level = \"authPriv\" }\n",
        "x = \"\"\"\n\\u00e9\n\"\"\"\ny = 1979-05-27T07:32:00Z\nz = 0xff\na.b.\"c d\" = [1, 2.5e9, nan,\n]\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}

// --- Telegram ---------------------------------------------------------------------------------------------------------

/// What a Bot API server answers to the first long poll, and again to every message, seen by a whole core with an
/// owner, PDUs and a chat. Work that follows from one answer is bounded.
pub fn telegram_update(data: &[u8]) {
    let mut now = Now {
        mono: Mono::ZERO,
        wall: Wall(1_795_204_800_000),
    };
    let start = Start {
        config: Arc::new(Sim::config(&[("alpha", 3000.0), ("bravo", 3000.0)])),
        records: Records::default(),
        now,
        seed: 1,
        holds_lines: false,
        past: Default::default(),
        keeps_history: false,
    };
    let mut effects = Effects::new();
    let mut core = Core::new(start, &mut effects);
    let mut polls = 0;
    for turn in 0..400 {
        assert!(turn < 399, "one answer causes work without end");
        let Some(effect) = (!effects.is_empty()).then(|| effects.remove(0)) else {
            break;
        };
        assert!(
            effects.len() < 200,
            "one answer causes {} effects",
            effects.len()
        );
        let event = match effect {
            Effect::Store(turn) => Event::Stored {
                seq: turn.seq,
                result: Ok(()),
            },
            Effect::Http(call) => {
                let url = call.url().expose().clone();
                let body = match url.split('?').next().and_then(|path| path.rsplit('/').next()) {
                    Some("getMe") => br#"{"ok":true,"result":{"id":1,"is_bot":true,"first_name":"r","username":"rack_bot"}}"#.to_vec(),
                    Some("getUpdates") => {
                        polls += 1;
                        if polls > 1 {
                            continue;
                        }
                        data.to_vec()
                    }
                    Some("sendMessage") => data.to_vec(),
                    _ => br#"{"ok":true,"result":true}"#.to_vec(),
                };
                now.mono += Duration::from_millis(50);
                let response = HttpResponse {
                    status: 200,
                    body,
                    ..HttpResponse::default()
                };
                Event::Done {
                    ticket: call.ticket,
                    reply: Reply::Http(Ok(response)),
                }
            }
            _ => continue,
        };
        core.step(now, event, &mut effects);
    }
}

fn telegram_update_seeds() -> Vec<Vec<u8>> {
    let from = r#""from":{"id":1,"is_bot":false,"first_name":"Ann"}"#;
    let message = |id: u32, chat: &str, text: &str| {
        format!(
            r#"{{"update_id":{id},"message":{{"message_id":{id},"date":1795204800,{from},"chat":{chat},"text":"{text}"}}}}"#
        )
    };
    let private = r#"{"id":1,"type":"private"}"#;
    let forum = r#"{"id":-100,"type":"supergroup","title":"<b>&\"rack","is_forum":true}"#;
    let ok = |updates: &[String]| format!(r#"{{"ok":true,"result":[{}]}}"#, updates.join(","));
    [
        ok(&[message(1, private, "/current"), message(2, private, "/mute all 2h \\\"why\\\"")]),
        ok(&[message(7, forum, "/status@rack_bot"), message(8, forum, "hello")]),
        ok(&[message(9, private, "/grant telegram:77 operator"), message(10, private, "/permissions")]),
        ok(&[message(9, private, "/reset alpha")]).replace("\"message\":{", "\"edited_message\":{\"edit_date\":1795204801,"),
        format!(
            r#"{{"ok":true,"result":[{{"update_id":3,"callback_query":{{"id":"9","data":"7f3a",{from},"message":{{"message_id":5,"date":0,"chat":{private},"message_thread_id":7}}}}}}]}}"#
        ),
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30","parameters":{"retry_after":30}}"#.to_owned(),
        r#"{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request"}"#.to_owned(),
        r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-1001}}"#.to_owned(),
        r#"{"ok":true,"result":[{"update_id":9223372036854775807},{"update_id":-1,"message":{"chat":{"id":1e30}}},null,[],{"poll":{}}]}"#.to_owned(),
        "<html>502 Bad Gateway</html>".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

// --- audit log --------------------------------------------------------------------------------------------------------

/// An audit log: each line follows or is refused, and only what was sealed follows.
pub fn audit_log(data: &[u8]) {
    let mut head = Head::default();
    for line in String::from_utf8_lossy(data).lines() {
        let before = head.clone();
        match head.follow(line) {
            Ok(()) => {
                let text = audit::read(line).expect("it was read").text;
                assert_eq!(before.clone().seal(text), line, "sealed the same way");
            }
            Err(why) => assert!(head == before && !why.is_empty()),
        }
    }
}

fn audit_log_seeds() -> Vec<Vec<u8>> {
    let mut head = Head::default();
    let lines: Vec<String> = ["did this", "did that", ""]
        .iter()
        .map(|text| head.seal(text))
        .collect();
    vec![lines.join("\n").into_bytes()]
}

// --- Profiles ---------------------------------------------------------------------------------------------------------

/// A file with a profile, and a device that answers what it asks for with whatever the bytes say.
pub fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(source) = profile_file(text, "own.toml") else {
        return;
    };
    let name = Arc::from(&*source.head().name);
    let mut identify = Identify::new(Options {
        profiles: Profiles::builtin().with(vec![source]),
        profile: Some(name),
        ..Options::default()
    });
    let mut next = identify.ask();
    let mut asked = 0u32;
    while let Next::Ask(ask) = next {
        asked += 1;
        assert!(asked < 5000, "identification ends");
        next = identify.handle(Ok(&reply_of_bytes(data, asked, &ask)));
    }
}

/// Two rows below every object that is asked for, with values out of the bytes.
fn reply_of_bytes(data: &[u8], turn: u32, ask: &SnmpAsk) -> SnmpAnswer {
    let value = |at: usize| match data.get((turn as usize * 7 + at) % data.len().max(1)) {
        Some(byte @ 0..=63) => Value::Integer(i64::from(*byte) - 1),
        Some(byte @ 64..=95) => Value::Gauge32(u32::from(*byte) << 24),
        Some(96..=111) => Value::OctetString((*b"1,2,12.5 kW").into()),
        Some(112..=119) => Value::Counter64(u64::MAX),
        Some(_) => Value::OctetString(data.iter().copied().take(40).collect()),
        None => Value::Null,
    };
    match ask {
        SnmpAsk::Get(oids) => SnmpAnswer::Values((0..oids.len()).map(value).collect()),
        SnmpAsk::Set(binds) => SnmpAnswer::Values((0..binds.len()).map(value).collect()),
        SnmpAsk::GetNext(oids) | SnmpAsk::GetBulk { oids, .. } => {
            let row = |(at, oid): (usize, &Oid)| VarBind {
                oid: oid.child(&[turn % 3 + 1][..(turn as usize + at) % 2]),
                value: value(at),
            };
            SnmpAnswer::Binds(oids.iter().enumerate().map(row).collect())
        }
    }
}

fn profile_seeds() -> Vec<Vec<u8>> {
    let texts = Profiles::builtin();
    let texts = texts.iter().filter_map(|source| source.text());
    texts.map(|text| text.as_bytes().to_vec()).collect()
}
