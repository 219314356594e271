//! Peers that are silent, gone, or take nothing.

use super::*;
use rackwarden_core::stream::{HttpBody, HttpStart};

fn get(endpoint: Arc<Endpoint>) -> StreamOpen {
    let kind = StreamKind::Http {
        request: HttpStart::default(),
        body: HttpBody::Whole(Secret::default()),
    };
    StreamOpen::new(endpoint, kind)
}

#[test]
fn nobody_listening_is_unreachable() {
    let (listener, endpoint) = listener("tcp");
    drop(listener);
    let client = Client::new();
    client.open(1, raw(endpoint));
    assert_eq!(client.listen(1).fault(), FaultKind::Unreachable);
}

#[test]
fn unusable_urls_are_named_without_the_url() {
    for url in ["", "hush", "ftp://hush/", "tcp://hush", "https://"] {
        let client = Client::new();
        client.open(1, raw(Arc::new(Endpoint::url("peer", url))));
        let story = client.listen(1);
        assert_eq!(story.fault(), FaultKind::Unreachable, "{url}");
        assert!(!format!("{story:?}").contains("hush"), "{story:?}");
    }
}

#[test]
fn an_opening_has_a_deadline() {
    // The system takes the connection, and nobody ever answers.
    for scheme in ["tls", "http", "wss", "ws"] {
        let (listener, endpoint) = listener(scheme);
        let client = Client::new();
        let open = StreamOpen {
            open_timeout: Duration::from_millis(200),
            ..match scheme {
                "tls" => raw(endpoint),
                "http" => get(endpoint),
                _ => StreamOpen::new(
                    endpoint,
                    StreamKind::WebSocket {
                        request: HttpStart::default(),
                    },
                ),
            }
        };
        client.open(1, open);
        let story = client.listen(1);
        assert_eq!(story.fault(), FaultKind::Timeout, "{scheme}: {story:?}");
        drop(listener);
    }
}

#[test]
fn an_opening_can_be_closed() {
    for scheme in ["tls", "http"] {
        let (listener, endpoint) = listener(scheme);
        let client = Client::new();
        let open = match scheme {
            "tls" => raw(endpoint),
            _ => get(endpoint),
        };
        let open = StreamOpen {
            open_timeout: Duration::from_secs(600),
            ..open
        };
        client.open(1, open);
        // It is waiting for the peer.
        let (peer, _) = listener.accept().unwrap();
        client.act(1, StreamAction::Close);
        let story = client.listen(1);
        assert_eq!(story.end, Some(Ok(StreamEnd::default())), "{scheme}");
        drop(peer);
    }
}

#[test]
fn a_silent_peer_is_closed_after_the_idle_deadline() {
    let (listener, endpoint) = listener("tcp");
    let client = Client::new();
    let open = StreamOpen {
        idle_timeout: Some(Duration::from_millis(300)),
        credit: 0,
        ..raw(endpoint)
    };
    client.open(1, open);
    let (mut peer, _) = listener.accept().unwrap();
    assert_eq!(client.next(), StreamEvent::Opened);
    peer.write_all(b"x").unwrap();
    // While the core gives no credit, the peer is not to blame.
    assert!(
        client
            .inbox
            .receive(Some(Duration::from_millis(600)))
            .is_none()
    );
    client.act(1, StreamAction::Credit(1));
    let story = client.listen(1);
    assert_eq!(
        (story.bytes.as_slice(), story.fault()),
        (&b"x"[..], FaultKind::Timeout)
    );
}

#[test]
fn more_than_the_queue_holds_closes_a_stream_of_bytes() {
    let (listener, endpoint) = listener("tcp");
    let client = Client::new();
    client.open(1, raw(endpoint));
    let (peer, _) = listener.accept().unwrap();
    // The peer reads nothing.
    for _ in 0..400 {
        client.send(1, &[0; 64 * 1024]);
    }
    let story = client.listen(1);
    assert_eq!(story.fault(), FaultKind::Overload);
    drop(peer);
}

#[test]
fn a_reset_is_an_interruption() {
    let (listener, endpoint) = listener("tcp");
    let client = Client::new();
    client.open(1, raw(endpoint));
    let (peer, _) = listener.accept().unwrap();
    assert_eq!(client.next(), StreamEvent::Opened);
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(client.listen(1).fault(), FaultKind::Interrupted);
}

#[test]
fn a_peer_that_is_gone_while_nothing_is_wanted_costs_nothing() {
    let (listener, endpoint) = listener("tcp");
    let client = Client::new();
    let open = StreamOpen {
        credit: 0,
        ..raw(endpoint)
    };
    client.open(1, open);
    let (mut peer, _) = listener.accept().unwrap();
    assert_eq!(client.next(), StreamEvent::Opened);
    peer.write_all(b"last words").unwrap();
    drop(peer);
    let usage = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        let own = stats.filter(|stat| stat.contains("(s-peer)"));
        own.filter_map(|stat| stat.split(' ').nth(13)?.parse::<u64>().ok())
            .max()
    };
    let before = usage();
    assert!(
        client
            .inbox
            .receive(Some(Duration::from_millis(500)))
            .is_none()
    );
    // 50 ticks would be the whole time; other tests' threads have the same name.
    assert!(
        usage().unwrap_or(0) <= before.unwrap_or(0) + 25,
        "{before:?} {:?}",
        usage()
    );
    client.act(1, StreamAction::Credit(1));
    let story = client.listen(1);
    assert_eq!(story.bytes, b"last words");
    assert!(story.by_peer());
}
