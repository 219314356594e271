//! HTTP calls on named threads: one for the long poll, one for everything short, one for the heartbeat. A call is made
//! once, before its deadline, and reported; retries are the core's business. A new long poll ends the one that is under
//! way, and takes a new connection. No URL and no header ever reaches an error or a log line.

use crate::effect::{HttpLane, HttpRequest};
use crate::event::{Event, HttpResponse, Reply};
use crate::fault::{Fault, FaultKind};
use crate::io::inbox::Inbox;
use crate::io::names::Names;
use crate::io::tls::{self, TlsConnector};
use crate::secret::Secret;
use crate::time::Wall;
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, SocksConnector, TcpConnector,
};
use ureq::{Agent, Proxy};

/// Calls that wait for a lane; one more is answered with `Overload` at once.
const QUEUE: usize = 64;
/// A TLS handshake needs the most of it.
const STACK_BYTES: usize = 512 * 1024;
/// Of each: the name look-up, and the connection with its handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that was idle for longer is not used again.
const IDLE_CONNECTION: Duration = Duration::from_secs(75);

/// How to reach the outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// Proxy URL: `http://`, `socks5://` or `socks5h://`.
    pub proxy: Option<Secret>,
    /// Certificate authorities in PEM, in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Gives calls to the threads.
#[derive(Clone)]
pub struct HttpHandle {
    shared: Arc<Mutex<Shared>>,
    inbox: Inbox,
}

struct Shared {
    settings: HttpSettings,
    names: Names,
    tls: Option<Arc<ClientConfig>>,
    poll: Lane,
    call: Lane,
    heartbeat: Lane,
    is_stopping: bool,
}

#[derive(Default)]
struct Lane {
    agent: Option<Agent>,
    queue: Option<SyncSender<(HttpRequest, Agent)>>,
    /// Calls that have not ended.
    open: Arc<AtomicUsize>,
}

impl HttpHandle {
    /// Nothing runs before the first call.
    pub fn new(settings: HttpSettings, inbox: Inbox) -> HttpHandle {
        let shared = Shared {
            settings,
            names: Names::new(),
            tls: None,
            poll: Lane::default(),
            call: Lane::default(),
            heartbeat: Lane::default(),
            is_stopping: false,
        };
        HttpHandle {
            shared: Arc::new(Mutex::new(shared)),
            inbox,
        }
    }

    /// Makes a call. Its answer, or a fault, arrives in the inbox.
    pub fn send(&self, request: HttpRequest) {
        let ticket = request.ticket;
        if let Err(fault) = self.try_send(request) {
            let reply = Reply::Http(Err(fault));
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    /// Other settings from now on; a long poll that is under way ends.
    pub fn reload(&self, settings: HttpSettings) {
        let mut shared = self.lock();
        if shared.settings != settings {
            shared.settings = settings;
            shared.tls = None;
            shared.call.agent = None;
            if let Some(agent) = shared.poll.agent.take() {
                agent.shutdown();
            }
        }
    }

    /// Ends a long poll that is under way, and takes no further call.
    pub fn shutdown(&self) {
        let mut shared = self.lock();
        shared.is_stopping = true;
        for agent in [shared.poll.agent.take(), shared.call.agent.take()]
            .into_iter()
            .flatten()
        {
            agent.shutdown();
        }
    }

    fn try_send(&self, request: HttpRequest) -> Result<(), Fault> {
        let mut shared = self.lock();
        if shared.is_stopping {
            return Err(Fault::new(FaultKind::Stopped, "the agent is stopping"));
        }
        let shared = &mut *shared;
        let is_poll = request.lane == HttpLane::LongPoll;
        if is_poll && shared.poll.open.load(Ordering::Acquire) > 0 {
            if let Some(deaf) = shared.poll.agent.take() {
                deaf.shutdown();
            }
        }
        let (name, lane) = match request.lane {
            HttpLane::LongPoll => ("http-poll", &mut shared.poll),
            HttpLane::Call => ("http-call", &mut shared.call),
            HttpLane::Heartbeat => ("heartbeat", &mut shared.heartbeat),
        };
        let agent = match &lane.agent {
            Some(agent) => agent.clone(),
            None => {
                // Proxy and authorities are those of the chat service; the heartbeat goes to somebody else.
                let made = match request.lane {
                    HttpLane::Heartbeat => {
                        new_agent(&HttpSettings::default(), &Names::new(), &mut None)?
                    }
                    _ => new_agent(&shared.settings, &shared.names, &mut shared.tls)?,
                };
                lane.agent.insert(made).clone()
            }
        };
        let queue = match &lane.queue {
            Some(queue) => queue,
            None => {
                let started = start(name, self.inbox.clone(), Arc::clone(&lane.open))?;
                lane.queue.insert(started)
            }
        };
        lane.open.fetch_add(1, Ordering::AcqRel);
        queue.try_send((request, agent)).map_err(|err| {
            lane.open.fetch_sub(1, Ordering::AcqRel);
            match err {
                TrySendError::Full(_) => {
                    Fault::new(FaultKind::Overload, "too many calls are waiting")
                }
                TrySendError::Disconnected(_) => {
                    Fault::new(FaultKind::Stopped, "the worker thread has ended")
                }
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(
    name: &str,
    inbox: Inbox,
    open: Arc<AtomicUsize>,
) -> Result<SyncSender<(HttpRequest, Agent)>, Fault> {
    let (sender, receiver) = sync_channel::<(HttpRequest, Agent)>(QUEUE);
    let run = move || {
        for (request, agent) in receiver {
            let ticket = request.ticket;
            let reply = Reply::Http(call(&agent, request));
            open.fetch_sub(1, Ordering::AcqRel);
            inbox.send(Event::Done { ticket, reply });
        }
    };
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(run)
        .map_err(|err| {
            Fault::new(
                FaultKind::Overload,
                format!("cannot start thread {name}: {err}"),
            )
        })?;
    Ok(sender)
}

/// Makes an agent; those with the same settings share their names and their TLS set-up.
fn new_agent(
    settings: &HttpSettings,
    names: &Names,
    tls: &mut Option<Arc<ClientConfig>>,
) -> Result<Agent, Fault> {
    let tls = match tls {
        Some(tls) => tls,
        None => tls.insert(tls::client_config(settings.ca_file.as_deref())?),
    };
    let tls = TlsConnector::new(Arc::clone(tls), names.clone());
    let proxy = match &settings.proxy {
        Some(url) => Some(
            Proxy::new(url.expose())
                .map_err(|_| Fault::new(FaultKind::Unreachable, "the proxy URL is not usable"))?,
        ),
        None => None,
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(IDLE_CONNECTION)
        .accept_encoding("identity")
        .input_buffer_size(8 * 1024)
        .output_buffer_size(8 * 1024)
        .user_agent(concat!("rackwarden/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .build();
    let connector =
        ().chain(SocksConnector::default())
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(tls);
    Ok(Agent::with_parts(config, connector, names.clone()))
}

fn call(agent: &Agent, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let limit = request.max_response_bytes as u64;
    let mut response = exchange(agent, request).map_err(|err| classify(&err))?;
    let date = response
        .headers()
        .get("date")
        .and_then(|value| value.to_str().ok());
    let date_unix_seconds = date.and_then(Wall::parse_http_date).map(Wall::unix_seconds);
    let status = response.status().as_u16();
    if response.body().content_length() > Some(limit) {
        return Err(classify(&ureq::Error::BodyExceedsLimit(limit)));
    }
    let body = response
        .body_mut()
        .with_config()
        .limit(limit)
        .read_to_vec()
        .map_err(|err| classify(&err))?;
    Ok(HttpResponse {
        status,
        body,
        date_unix_seconds,
    })
}

fn exchange(
    agent: &Agent,
    request: HttpRequest,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let url = request.url.expose();
    if request.method == "GET" {
        let mut call = agent
            .get(url)
            .config()
            .timeout_global(Some(request.timeout))
            .build();
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        return call.call();
    }
    let mut call = agent
        .post(url)
        .config()
        .timeout_global(Some(request.timeout))
        .build();
    for (name, value) in &request.headers {
        call = call.header(*name, value);
    }
    call.send(request.body.expose().as_slice())
}

/// Says what went wrong without saying where to: the URL holds the bot's token.
fn classify(err: &ureq::Error) -> Fault {
    use std::io::ErrorKind;
    let kind = match err {
        // Before these two have ended nothing was sent.
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            FaultKind::Unreachable
        }
        ureq::Error::Timeout(_) => FaultKind::Timeout,
        ureq::Error::Io(err) => match err.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => FaultKind::Timeout,
            ErrorKind::NotConnected => FaultKind::Stopped,
            ErrorKind::InvalidData => FaultKind::Tls,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => FaultKind::Interrupted,
            _ => FaultKind::Unreachable,
        },
        ureq::Error::Tls(_) => FaultKind::Tls,
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyExceedsLimit(_) => {
            FaultKind::Malformed
        }
        _ => FaultKind::Unreachable,
    };
    let detail = match err {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => {
            "the URL is not usable".to_owned()
        }
        ureq::Error::HostNotFound => "the host name cannot be found".to_owned(),
        ureq::Error::Timeout(which) => format!("no answer in time ({which})"),
        ureq::Error::BodyExceedsLimit(limit) => format!("the answer is longer than {limit} bytes"),
        err => crate::text::clean(err.to_string()),
    };
    Fault::new(kind, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::Ticket;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn an_answer_comes_back_with_its_status_and_date() {
        let url = serve(b"HTTP/1.1 409 Conflict\r\nDate: Fri, 20 Nov 2026 20:15:02 GMT\r\nContent-Length: 2\r\n\r\nno");
        let (http, inbox) = client();
        http.send(request(1, HttpLane::Call, &url));
        let response = answer(&inbox).expect("an answer");
        assert_eq!(
            (response.status, response.body.as_slice()),
            (409, &b"no"[..])
        );
        assert_eq!(response.date_unix_seconds, Some(1_795_205_702));
    }

    #[test]
    fn a_body_beyond_the_limit_is_a_fault_without_the_url() {
        let url = serve(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{}",
                "x".repeat(4000)
            )
            .as_bytes(),
        );
        let (http, inbox) = client();
        http.send(request(1, HttpLane::Call, &url));
        let fault = answer(&inbox).expect_err("too long");
        assert_eq!(fault.kind, FaultKind::Malformed);
        assert!(!fault.detail.contains("secret"), "{fault}");
    }

    #[test]
    fn nobody_listening_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/secret", listener.local_addr().expect("address"));
        drop(listener);
        let (http, inbox) = client();
        http.send(request(1, HttpLane::Call, &url));
        assert_eq!(
            answer(&inbox).expect_err("refused").kind,
            FaultKind::Unreachable
        );
    }

    #[test]
    fn a_server_that_others_wrote_is_understood() {
        let server = tiny_http::Server::http("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/secret", server.server_addr());
        let (http, inbox) = client();
        http.send(request(1, HttpLane::Call, &url));
        let mut asked = server.recv().expect("a request");
        let mut body = String::new();
        asked.as_reader().read_to_string(&mut body).expect("a body");
        assert_eq!((asked.url(), body.as_str()), ("/secret", "{}"));
        asked
            .respond(tiny_http::Response::from_string("hello"))
            .expect("answer");
        assert_eq!(answer(&inbox).expect("an answer").body, b"hello");
    }

    #[test]
    fn shutdown_ends_a_long_poll_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/secret", listener.local_addr().expect("address"));
        let (http, inbox) = client();
        http.send(request(1, HttpLane::LongPoll, &url));
        let (mut peer, _) = listener.accept().expect("a connection");
        let mut head = [0; 16];
        peer.read_exact(&mut head).expect("a request");
        http.shutdown();
        answer(&inbox).expect_err("ended");
        http.send(request(2, HttpLane::Call, &url));
        assert_eq!(
            answer(&inbox).expect_err("stopping").kind,
            FaultKind::Stopped
        );
    }

    #[test]
    fn a_new_long_poll_ends_the_one_under_way_and_takes_a_new_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/secret", listener.local_addr().expect("address"));
        let (http, inbox) = client();
        http.send(request(1, HttpLane::LongPoll, &url));
        let (deaf, _) = listener.accept().expect("a connection");
        http.send(request(2, HttpLane::LongPoll, &url));
        answer(&inbox).expect_err("the first one ended");
        let (mut peer, _) = listener.accept().expect("a new connection");
        peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .expect("answer");
        assert_eq!(answer(&inbox).expect("the second one").body, b"ok");
        drop(deaf);
    }

    #[test]
    fn row_13_bodies_that_are_too_long_or_compressed_cost_nothing() {
        let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n".to_vec();
        let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..10 {
            endless.extend_from_slice(b"400\r\n");
            endless.extend_from_slice(&[b' '; 0x400]);
            endless.extend_from_slice(b"\r\n");
        }
        for (rule, bytes) in [("announced", announced), ("endless", endless)] {
            let (http, inbox) = client();
            http.send(request(1, HttpLane::Call, &serve(&bytes)));
            let fault = answer(&inbox).expect_err(rule);
            assert_eq!(fault.kind, FaultKind::Malformed, "{rule}");
            assert_eq!(
                fault.detail, "the answer is longer than 1000 bytes",
                "{rule}"
            );
        }
        let bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00";
        let (http, inbox) = client();
        http.send(request(1, HttpLane::Call, &serve(bomb)));
        let response = answer(&inbox).expect("bytes");
        assert_eq!(response.body, b"\x1f\x8b\x08\x00", "nothing is unpacked");
    }

    #[test]
    fn row_14_an_answer_that_drips_ends_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/secret", listener.local_addr().expect("address"));
        thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("a connection");
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n";
            for byte in head.iter().chain(&[b' '; 900]) {
                // Until the other side has had enough.
                if peer.write_all(&[*byte]).is_err() {
                    return;
                }
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        let (http, inbox) = client();
        let mut slow = request(1, HttpLane::Call, &url);
        slow.timeout = Duration::from_millis(500);
        let begun = std::time::Instant::now();
        http.send(slow);
        let fault = answer(&inbox).expect_err("too slow");
        assert_eq!(fault.kind, FaultKind::Timeout);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn row_16_a_certificate_that_nobody_vouches_for_gets_no_request() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let port = listener.local_addr().expect("address").port();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.key_pair.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("certificate");
        let config = Arc::new(config);
        let server = thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("a connection");
            let mut tls = rustls::ServerConnection::new(config).expect("server");
            let mut stream = rustls::Stream::new(&mut tls, &mut peer);
            let mut seen = Vec::new();
            let _ = stream.read_to_end(&mut seen);
            seen
        });
        let (http, inbox) = client();
        let url = format!("https://localhost:{port}/secret");
        http.send(request(1, HttpLane::Call, &url));
        let fault = answer(&inbox).expect_err("nobody vouches for it");
        assert_eq!(fault.kind, FaultKind::Tls, "{fault}");
        assert!(!fault.detail.contains("secret"), "{fault}");
        assert_eq!(server.join().expect("server"), b"");
    }

    fn client() -> (HttpHandle, Inbox) {
        let inbox = Inbox::new();
        (
            HttpHandle::new(HttpSettings::default(), inbox.clone()),
            inbox,
        )
    }

    fn request(ticket: u64, lane: HttpLane, url: &str) -> HttpRequest {
        HttpRequest {
            ticket: Ticket(ticket),
            lane,
            method: "POST",
            url: Secret::new(url.to_owned()),
            headers: vec![("content-type", "application/json".to_owned())],
            body: Secret::new(b"{}".to_vec()),
            timeout: Duration::from_secs(10),
            max_response_bytes: 1000,
        }
    }

    fn answer(inbox: &Inbox) -> Result<HttpResponse, Fault> {
        match inbox.receive(Some(Duration::from_secs(20))) {
            Some(Event::Done {
                reply: Reply::Http(result),
                ..
            }) => result,
            other => panic!("{other:?}"),
        }
    }

    /// Answers one request with these bytes.
    fn serve(bytes: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/secret", listener.local_addr().expect("address"));
        let bytes = bytes.to_vec();
        thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("a connection");
            let mut seen = Vec::new();
            let mut chunk = [0; 512];
            while !seen.ends_with(b"{}") {
                let length = peer.read(&mut chunk).expect("a request");
                seen.extend_from_slice(&chunk[..length]);
            }
            peer.write_all(&bytes).expect("answer");
        });
        url
    }
}
