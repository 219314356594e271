//! The status server without descriptors, in a process of its own, because the limit is the whole process's.

use crate::status_server::{HEALTH, Server, exchange};
use rackwarden_core::sim::sample::Sample;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

/// Whether this process runs one test only. Otherwise runs that test again in a process of its own.
fn is_alone(test: &str) -> bool {
    const MARK: &str = "RACKWARDEN_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let this = std::env::current_exe().expect("a test has a path");
    let name = format!("http_descriptors::{test}");
    let mut command = Command::new(this);
    let output = command.args(["--exact", &name]).env(MARK, "1").output();
    let output = output.expect("it runs again");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("1 passed"), "{printed}");
    false
}

#[test]
fn the_server_answers_while_there_are_no_descriptors_and_afterwards() {
    if !is_alone("the_server_answers_while_there_are_no_descriptors_and_afterwards") {
        return;
    }
    let server = Server::start(Sample::Normal);
    assert!(server.is_healthy());
    // Connecting needs no further descriptor, accepting does.
    let mut sockets: Vec<OwnedFd> = (0..60)
        .map(|_| {
            rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket")
        })
        .collect();
    let before = getrlimit(Resource::Nofile);
    let highest = sockets.iter().map(AsRawFd::as_raw_fd).max().expect("sixty");
    let full = Rlimit {
        current: Some(highest as u64 + 1),
        ..before
    };
    setrlimit(Resource::Nofile, full).expect("a lower limit");

    let connect = |socket: OwnedFd| {
        rustix::net::connect(&socket, &server.address).expect("connects");
        let stream = TcpStream::from(socket);
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).expect("timeout");
        stream
    };
    let probes = sockets.split_off(50);
    let silent: Vec<TcpStream> = sockets.into_iter().map(connect).collect();
    // Kept open, so that no descriptor comes to the server's help.
    let mut answered = Vec::new();
    for probe in probes {
        let stream = connect(probe);
        let answer = exchange(&stream, HEALTH);
        assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
        answered.push(stream);
    }
    drop((silent, answered));
    setrlimit(Resource::Nofile, before).expect("the limit as it was");
    for _ in 0..10 {
        assert!(server.is_healthy());
    }
}
