//! The status server on real sockets: ordinary use, and clients that are slow, rude or too many.

use crate::status_server::{HEALTH, Server};
use rackwarden_core::config::Listen;
use rackwarden_core::http::Auth;
use rackwarden_core::secret::Secret;
use rackwarden_core::sim::sample::Sample;
use rackwarden_io::http_server::bind;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Reads one answer with a `Content-Length` and leaves the connection open.
fn read_answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0u8];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).expect("a head");
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).expect("ASCII");
    let length = head
        .split("Content-Length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next())
        .and_then(|digits| digits.parse::<usize>().ok())
        .expect("a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    head + &String::from_utf8(body).expect("UTF-8")
}

/// True when the server has closed the connection before `deadline`.
fn is_closed_by(stream: &mut TcpStream, deadline: Instant) -> bool {
    let mut buffer = [0u8; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        stream.set_read_timeout(Some(left)).expect("timeout");
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(err) => return err.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

fn process(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok())
        .expect("a number")
}

#[test]
fn one_connection_answers_many_requests_in_order() {
    let server = Server::start(Sample::Normal);
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(HEALTH.as_bytes()).expect("sent");
        assert!(read_answer(&mut stream).ends_with("{\"status\":\"ok\"}"));
    }
    let pair = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n{HEALTH}");
    stream.write_all(pair.as_bytes()).expect("sent");
    assert!(read_answer(&mut stream).contains("rackwarden_pdu_power_watts"));
    assert!(read_answer(&mut stream).ends_with("{\"status\":\"ok\"}"));
    stream
        .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("sent");
    assert!(read_answer(&mut stream).contains("Connection: close\r\n"));
    assert!(is_closed_by(
        &mut stream,
        Instant::now() + Duration::from_secs(5)
    ));
}

#[test]
fn a_request_in_single_bytes_is_answered() {
    let server = Server::start(Sample::Normal);
    let mut stream = server.connect();
    for byte in HEALTH.as_bytes() {
        stream.write_all(&[*byte]).expect("sent");
    }
    assert!(read_answer(&mut stream).ends_with("{\"status\":\"ok\"}"));
}

#[test]
fn a_large_answer_reaches_a_client_that_reads_late_and_pipelines() {
    let server = Server::start(Sample::Many);
    let mut stream = server.connect();
    let request = "GET /api/power HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(40);
    stream.write_all(request.as_bytes()).expect("sent");
    // Nothing is read until the server's side is full: other clients do not notice.
    assert!(server.is_healthy());
    let first = read_answer(&mut stream);
    assert!(first.len() > 100_000, "{}", first.len());
    for _ in 1..40 {
        assert!(read_answer(&mut stream).contains("\"total_power_w\""));
    }
}

#[test]
fn refusals_arrive_although_the_client_goes_on_sending() {
    let server = Server::start(Sample::Normal);
    let long = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "y".repeat(60_000)
    );
    for (text, status) in [
        (long.as_str(), "431"),
        ("BREW coffee\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
        ("GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n",
            "413",
        ),
        ("PUT /health HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
    ] {
        let answer = server.exchange(text);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{status}: {answer}"
        );
        assert!(answer.contains("{\"error\":{\"code\":"), "{answer}");
    }
}

#[test]
fn a_reload_changes_the_rules_and_the_port() {
    let mut server = Server::start(Sample::Normal);
    assert!(server.is_healthy());
    let listen = Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listeners = bind(&listen).expect("a free port");
    server.address = listeners[0].local_addr().expect("bound");
    let auth = Auth::new(Some(Secret::new("s3cret".into())), &[]);
    server.handle.reload(Some(listeners), auth);
    assert!(server.exchange(HEALTH).starts_with("HTTP/1.1 401 "));
    let with_token = HEALTH.replace("\r\n\r\n", "\r\nAuthorization: Bearer s3cret\r\n\r\n");
    assert!(server.exchange(&with_token).starts_with("HTTP/1.1 200 "));
}

/// The reduced form of the measurement in `benches/http.sh`. One test, because it counts the threads and the
/// memory of the whole process.
#[test]
fn slow_silent_and_rude_clients_do_not_matter() {
    let server = Server::start(Sample::Normal);
    assert!(server.is_healthy());
    let (threads, memory_kib) = (process("Threads:"), process("VmRSS:"));

    let mut slow: Vec<TcpStream> = Vec::new();
    for number in 0..300 {
        let mut stream = server.connect();
        if number % 2 == 0 {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-a: ")
                .expect("sent");
        }
        slow.push(stream);
        if number % 30 == 0 {
            assert!(server.is_healthy(), "with {number} slow clients");
        }
    }
    assert!(
        process("Threads:") <= threads + 8,
        "tests run side by side, but no thread a client"
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    for (number, stream) in slow.iter_mut().enumerate() {
        assert!(
            is_closed_by(stream, deadline),
            "slow client {number} is still there"
        );
    }

    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    let mut stream = server.connect();
                    let _ = stream.write_all(HEALTH.as_bytes());
                    // Closing with an unread answer makes the kernel send a reset.
                    drop(stream);
                }
            });
        }
        for number in 0..20 {
            assert!(server.is_healthy(), "question {number} during resets");
        }
    });
    assert!(server.is_healthy());
    let grown = process("VmRSS:").saturating_sub(memory_kib);
    assert!(
        grown < 4096,
        "{grown} KiB more, with the other tests of this process"
    );
}
