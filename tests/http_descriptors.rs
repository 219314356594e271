//! The status server without descriptors. Alone in its process, because the limit is the whole process's.

mod status_server;

use rackwarden_core::http::sample::Sample;
use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use status_server::{HEALTH, Server, exchange};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

#[test]
fn the_server_answers_while_there_are_no_descriptors_and_afterwards() {
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
