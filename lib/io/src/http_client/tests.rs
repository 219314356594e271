use super::*;
use rackwarden_base::secret::Secret;
use rackwarden_core::effect::Body;
use rackwarden_core::effect::Ticket;
use rackwarden_core::endpoint::{Method, Trust};
use rackwarden_core::event::HttpResponse;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

#[test]
fn an_answer_comes_back_with_its_status_and_date() {
    let url = serve(b"HTTP/1.1 409 Conflict\r\nDate: Fri, 20 Nov 2026 20:15:02 GMT\r\nContent-Length: 2\r\n\r\nno");
    let (http, inbox) = client();
    http.send(request(1, &url));
    let response = answer(&inbox).expect("an answer");
    assert_eq!(
        (response.status, response.body.as_slice()),
        (409, &b"no"[..])
    );
    assert_eq!(response.date_unix_seconds(), Some(1_795_205_702));
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
    http.send(request(1, &url));
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
    http.send(request(1, &url));
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
    http.send(request(1, &url));
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
    http.send(long_poll(1, &url));
    let (mut peer, _) = listener.accept().expect("a connection");
    let mut head = [0; 16];
    peer.read_exact(&mut head).expect("a request");
    http.shutdown();
    answer(&inbox).expect_err("ended");
    http.send(request(2, &url));
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
    http.send(long_poll(1, &url));
    let (deaf, _) = listener.accept().expect("a connection");
    http.send(long_poll(2, &url));
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
        http.send(request(1, &serve(&bytes)));
        let fault = answer(&inbox).expect_err(rule);
        assert_eq!(fault.kind, FaultKind::Malformed, "{rule}");
        assert_eq!(
            fault.detail, "the answer is longer than 1000 bytes",
            "{rule}"
        );
    }
    let bomb =
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00";
    let (http, inbox) = client();
    http.send(request(1, &serve(bomb)));
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
    let mut slow = request(1, &url);
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
    http.send(request(1, &url));
    let fault = answer(&inbox).expect_err("nobody vouches for it");
    assert_eq!(fault.kind, FaultKind::Tls, "{fault}");
    assert!(!fault.detail.contains("secret"), "{fault}");
    assert_eq!(server.join().expect("server"), b"");
}

#[test]
fn each_method_arrives_as_itself_and_headers_come_back() {
    let server = tiny_http::Server::http("127.0.0.1:0").expect("bind");
    let base = format!("http://{}/v1", server.server_addr());
    let (http, inbox) = client();
    for (method, body) in [
        (Method::Get, ""),
        (Method::Head, ""),
        (Method::Post, "{}"),
        (Method::Post, ""),
        (Method::Put, "{}"),
        (Method::Patch, "{}"),
        (Method::Delete, ""),
        (Method::Delete, "{}"),
    ] {
        let request = to(1, Endpoint::url("service", base.as_str()));
        http.send(HttpRequest {
            method,
            path: Secret::new("/keys?all=1".to_owned()),
            body: Body::Bytes(Secret::new(body.as_bytes().to_vec())),
            ..request
        });
        let mut asked = server.recv().expect("a request");
        let mut seen = String::new();
        asked.as_reader().read_to_string(&mut seen).expect("a body");
        assert_eq!(asked.method().to_string(), method.as_str());
        assert_eq!((asked.url(), seen.as_str()), ("/v1/keys?all=1", body));
        let header = tiny_http::Header::from_bytes("X-Next", "page 2").expect("a header");
        let answer_of = tiny_http::Response::from_string("ok").with_header(header);
        asked.respond(answer_of).expect("answer");
        let response = answer(&inbox).unwrap_or_else(|fault| panic!("{method:?}: {fault}"));
        assert_eq!(response.header("x-next"), Some("page 2"), "{method:?}");
        let expected: &[u8] = match method {
            Method::Head => b"",
            _ => b"ok",
        };
        assert_eq!(response.body, expected, "{method:?}");
    }
}

#[test]
fn a_unix_socket_is_spoken_to_like_any_other_service() {
    let folder = Folder::new("unix");
    let path = folder.0.join("engine.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("bind");
    let (http, inbox) = client();
    let info = |ticket| {
        let request = to(ticket, Endpoint::unix("engine", path.as_path()));
        HttpRequest {
            method: Method::Get,
            path: Secret::new("/info".to_owned()),
            body: Body::Bytes(Secret::default()),
            ..request
        }
    };
    http.send(info(1));
    let (mut peer, _) = listener.accept().expect("a connection");
    for ticket in 1..=2 {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            peer.read_exact(&mut byte).expect("a request");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        assert!(head.starts_with("get /info http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nhost: localhost\r\n"), "{head}");
        let body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        peer.write_all(body).expect("answer");
        assert_eq!(answer(&inbox).expect("an answer").body, b"ok");
        if ticket == 1 {
            http.send(info(2));
        }
    }
    // One that hangs ends at its deadline.
    http.send(HttpRequest {
        timeout: Duration::from_millis(200),
        ..info(3)
    });
    let fault = answer(&inbox).expect_err("it hangs");
    assert_eq!(fault.kind, FaultKind::Timeout, "{fault}");
    drop((listener, peer));
    http.send(info(4));
    let fault = answer(&inbox).expect_err("it is gone");
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
}

#[test]
fn each_endpoint_has_its_own_trust() {
    let folder = Folder::new("trust");
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let own = rcgen::generate_simple_self_signed(["agent".to_owned()]).expect("made");
    let ca = folder.write("ca.pem", &server.cert.pem());
    let certificate = folder.write("own.pem", &own.cert.pem());
    let key = folder.write("own.key", &own.key_pair.serialize_pem());
    let pin = rackwarden_base::digest::digest(server.cert.der());
    let url = serve_tls(&server, own.cert.der());
    let with_certificate = Trust::Client {
        ca: Some(ca.clone()),
        certificate,
        key,
    };
    let mut wrong = pin;
    wrong[31] ^= 1;
    let (http, inbox) = client();
    for (name, trust, want) in [
        ("ca", Trust::Ca(ca), Some("none")),
        ("system", Trust::System, None),
        ("pinned", Trust::Pin(pin), Some("none")),
        ("wrong", Trust::Pin(wrong), None),
        ("certified", with_certificate, Some("agent")),
    ] {
        let endpoint = Endpoint::url(name, url.as_str());
        http.send(to(1, Endpoint { trust, ..endpoint }));
        match (answer(&inbox), want) {
            (Ok(response), Some(want)) => assert_eq!(response.body, want.as_bytes(), "{name}"),
            (Err(fault), None) => assert_eq!(fault.kind, FaultKind::Tls, "{name}: {fault}"),
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
}

#[test]
fn a_service_that_hangs_delays_no_other_and_more_calls_than_wait_are_refused_at_once() {
    let hanging = TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/", hanging.local_addr().expect("address"));
    let (http, inbox) = client();
    let slow = |ticket| {
        let lane = Lane::Queue(1);
        let endpoint = Endpoint::url("slow", url.as_str());
        to(ticket, Endpoint { lane, ..endpoint })
    };
    http.send(slow(1));
    let _peer = hanging.accept().expect("a connection");
    http.send(slow(2));
    http.send(slow(3));
    let fault = answer(&inbox).expect_err("the queue is full");
    assert_eq!(fault.kind, FaultKind::Overload);
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    http.send(request(4, &serve(ok)));
    assert_eq!(answer(&inbox).expect("not delayed").body, b"ok");
    http.shutdown();
    answer(&inbox).expect_err("the first one");
    answer(&inbox).expect_err("the second one");
}

#[test]
fn files_are_sent_and_answers_are_saved_whole_or_not_at_all() {
    let folder = Folder::new("files");
    let server = tiny_http::Server::http("127.0.0.1:0").expect("bind");
    let base = format!("http://{}/", server.server_addr());
    let (http, inbox) = client();
    let sent = folder.write("sent", &"x".repeat(100_000));
    let saved = folder.0.join("saved");
    for (rule, status, bytes, limit) in [
        ("short", 200, 50_000, 60_000),
        ("too long", 200, 70_000, 60_000),
        ("refused", 404, 10, 60_000),
    ] {
        let request = to(1, Endpoint::url("files", base.as_str()));
        http.send(HttpRequest {
            method: Method::Put,
            body: Body::File(sent.clone()),
            max_response_bytes: limit,
            save_to: Some(saved.clone()),
            ..request
        });
        let mut asked = server.recv().expect("a request");
        assert_eq!(asked.body_length(), Some(100_000), "{rule}");
        let mut seen = Vec::new();
        asked.as_reader().read_to_end(&mut seen).expect("a body");
        assert_eq!(seen.len(), 100_000, "{rule}");
        // Its length is not announced.
        let body = std::io::Cursor::new(vec![b'y'; bytes]);
        let body = tiny_http::Response::new(status.into(), Vec::new(), body, None, None);
        let _ = asked.respond(body);
        let result = answer(&inbox);
        let length = std::fs::read(&saved).map(|all| all.len()).ok();
        let rest = std::fs::read_dir(&folder.0).expect("a folder").count();
        match (rule, result) {
            ("short", Ok(response)) => {
                assert_eq!((response.saved_bytes, length), (Some(50_000), Some(50_000)));
                assert!(response.body.is_empty());
                std::fs::remove_file(&saved).expect("removed");
            }
            ("too long", Err(fault)) => {
                assert_eq!((fault.kind, length), (FaultKind::Malformed, None));
            }
            ("refused", Ok(response)) => {
                assert_eq!((response.body.len(), length), (10, None), "said, not saved");
            }
            (rule, result) => panic!("{rule}: {result:?}"),
        }
        assert!(rest <= 2, "{rule}: nothing is left beside");
    }
    let request = to(1, Endpoint::url("files", base.as_str()));
    http.send(HttpRequest {
        body: Body::File(folder.0.join("missing")),
        ..request
    });
    let fault = answer(&inbox).expect_err("there is no file");
    assert_eq!(fault.kind, FaultKind::Disk, "{fault}");
}

#[test]
fn an_idle_worker_ends_and_the_next_call_starts_another() {
    let (mut http, inbox) = client();
    http.idle = Duration::from_millis(10);
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for _ in 0..2 {
        http.send(request(1, &serve(ok)));
        assert_eq!(answer(&inbox).expect("an answer").body, b"ok");
        let until = std::time::Instant::now() + Duration::from_secs(20);
        while !http.lock().workers.is_empty() {
            assert!(std::time::Instant::now() < until, "it ends");
            thread::yield_now();
        }
    }
}

#[test]
fn other_settings_of_an_endpoint_hold_from_the_next_call_on() {
    let (http, inbox) = client();
    for body in ["one", "two"] {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}");
        http.send(request(1, &serve(bytes.as_bytes())));
        assert_eq!(answer(&inbox).expect("an answer").body, body.as_bytes());
    }
    assert_eq!(http.lock().workers.len(), 1);
}

/// Answers each connection with the word of the client certificate that it has.
fn serve_tls(own: &rcgen::CertifiedKey, client: &CertificateDer<'static>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let port = listener.local_addr().expect("address").port();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.key_pair.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(client.clone()).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.allow_unauthenticated().build().expect("verifier");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![own.cert.der().clone()], key)
        .expect("certificate");
    let config = Arc::new(config);
    thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.expect("a connection");
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("server");
            let mut stream = rustls::Stream::new(&mut tls, &mut peer);
            let mut seen = Vec::new();
            let mut chunk = [0; 512];
            while !seen.ends_with(b"{}") {
                match stream.read(&mut chunk) {
                    Ok(length) if length > 0 => seen.extend_from_slice(&chunk[..length]),
                    _ => break,
                }
            }
            let word = match stream.conn.peer_certificates() {
                Some(_) => "agent",
                None => "none",
            };
            let length = word.len();
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length";
            let _ = write!(stream, "{head}: {length}\r\n\r\n{word}");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    format!("https://localhost:{port}/secret")
}

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("rackwarden-http-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn client() -> (HttpHandle, Inbox) {
    let inbox = Inbox::new();
    (HttpHandle::new(inbox.clone()), inbox)
}

fn request(ticket: u64, url: &str) -> HttpRequest {
    to(ticket, Endpoint::url("service", url))
}

fn long_poll(ticket: u64, url: &str) -> HttpRequest {
    let lane = Lane::LongPoll;
    let endpoint = Endpoint::url("poll", url);
    to(ticket, Endpoint { lane, ..endpoint })
}

fn to(ticket: u64, endpoint: Endpoint) -> HttpRequest {
    let kind = Secret::new("application/json".to_owned());
    HttpRequest {
        headers: vec![("content-type", kind)],
        body: Body::Bytes(Secret::new(b"{}".to_vec())),
        timeout: Duration::from_secs(10),
        max_response_bytes: 1000,
        ..HttpRequest::new(Ticket(ticket), Arc::new(endpoint), Method::Post, "")
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
