//! HTTP bodies as they come, both ways, and upgraded connections.

use super::*;
use rackwarden_core::endpoint::Method;
use rackwarden_core::stream::{HttpBody, HttpStart};

fn start(method: Method) -> HttpStart {
    HttpStart {
        method,
        path: Secret::new("/v1/thing".to_owned()),
        headers: vec![("X-Token", Secret::new("hush".to_owned()))],
    }
}

fn get(endpoint: Arc<Endpoint>) -> StreamOpen {
    let kind = StreamKind::Http {
        request: start(Method::Get),
        body: HttpBody::Whole(Secret::default()),
    };
    StreamOpen::new(endpoint, kind)
}

fn attach(endpoint: Arc<Endpoint>) -> StreamOpen {
    let kind = StreamKind::Upgrade {
        request: start(Method::Post),
        protocol: "tcp".to_owned(),
        body: Secret::default(),
    };
    StreamOpen::new(endpoint, kind)
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_chunked_response_arrives_as_it_comes() {
    let (listener, endpoint) = listener("http");
    let peer = peer(listener, |mut stream| {
        let asked = head(&mut stream);
        // Torn at every byte.
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
        }
        asked
    });
    let client = Client::new();
    client.open(1, get(endpoint));
    let story = client.listen(1);
    assert_eq!((story.opened, story.statuses.as_slice()), (1, &[200][..]));
    assert_eq!(story.bytes, b"onetwo");
    assert!(story.by_peer());
    let asked = peer.join().unwrap();
    assert!(
        asked.starts_with("GET /v1/thing HTTP/1.1\r\nHost: 127.0.0.1:"),
        "{asked}"
    );
    assert!(asked.contains("X-Token: hush\r\n"), "{asked}");
}

#[test]
fn a_body_is_sent_as_it_comes() {
    for (length, want) in [
        (None, "4\r\nmany\r\n5\r\nbytes\r\n0\r\n\r\n"),
        (Some(9), "manybytes"),
    ] {
        let (listener, endpoint) = listener("http");
        let peer = peer(listener, move |mut stream| {
            head(&mut stream);
            let mut body = vec![0; want.len()];
            stream.read_exact(&mut body).unwrap();
            stream
                .write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone")
                .unwrap();
            body
        });
        let client = Client::new();
        let kind = StreamKind::Http {
            request: start(Method::Put),
            body: HttpBody::Sent { length },
        };
        client.open(1, StreamOpen::new(endpoint, kind));
        assert_eq!(client.next(), StreamEvent::Opened);
        client.send(1, b"many");
        assert_eq!(client.next(), StreamEvent::Sent(4));
        client.send(1, b"bytes");
        client.act(1, StreamAction::End);
        let story = client.listen(1);
        assert_eq!(
            (story.statuses.as_slice(), story.bytes.as_slice()),
            (&[201][..], &b"done"[..])
        );
        assert_eq!(String::from_utf8(peer.join().unwrap()).unwrap(), want);
    }
}

#[test]
fn an_answer_before_the_end_of_the_body_arrives() {
    let (listener, endpoint) = listener("http");
    let peer = peer(listener, |mut stream| {
        head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
            .unwrap();
    });
    let client = Client::new();
    let kind = StreamKind::Http {
        request: start(Method::Put),
        body: HttpBody::Sent { length: None },
    };
    client.open(1, StreamOpen::new(endpoint, kind));
    client.send(1, &[0; 200_000]);
    let story = client.listen(1);
    assert_eq!(story.statuses, [413]);
    assert_eq!(story.bytes, b"big");
    peer.join().unwrap();
}

#[test]
fn an_upgraded_connection_carries_bytes_both_ways() {
    for response in [
        "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly",
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nearly",
    ] {
        let (listener, endpoint) = listener("http");
        let peer = peer(listener, move |mut stream| {
            let asked = head(&mut stream);
            // The first bytes come together with the head.
            stream.write_all(response.as_bytes()).unwrap();
            let input = read_all(&mut stream);
            stream.write_all(b" and late").unwrap();
            (asked, input)
        });
        let client = Client::new();
        client.open(1, attach(endpoint));
        client.send(1, b"ls\n");
        client.act(1, StreamAction::End);
        let story = client.listen(1);
        assert_eq!((story.opened, story.statuses.len()), (1, 1));
        assert_eq!(story.bytes, b"early and late");
        assert!(story.by_peer());
        let (asked, input) = peer.join().unwrap();
        assert!(
            asked.contains("Connection: Upgrade\r\nUpgrade: tcp\r\n"),
            "{asked}"
        );
        assert_eq!(input, b"ls\n");
    }
}

#[test]
fn a_refused_upgrade_is_a_response() {
    let (listener, endpoint) = listener("http");
    let peer = peer(listener, |mut stream| {
        head(&mut stream);
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
            .unwrap();
        read_all(stream)
    });
    let client = Client::new();
    client.open(1, attach(endpoint));
    client.send(1, b"to nobody");
    let story = client.listen(1);
    assert_eq!((story.opened, story.statuses.as_slice()), (0, &[404][..]));
    assert_eq!(story.bytes, b"no");
    assert_eq!(peer.join().unwrap(), b"");
}

#[test]
fn a_response_cut_anywhere_ends_exactly_once() {
    let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for cut in 0..whole.len() {
        let (listener, endpoint) = listener("http");
        let peer = peer(listener, move |mut stream| {
            head(&mut stream);
            stream.write_all(&whole[..cut]).unwrap();
        });
        let client = Client::new();
        client.open(1, get(endpoint));
        let story = client.listen(1);
        assert_eq!(story.fault(), FaultKind::Interrupted, "{cut}");
        assert!(b"hello".starts_with(&story.bytes), "{cut}");
        peer.join().unwrap();
    }
}

#[test]
fn a_body_of_another_length_than_announced_is_a_fault() {
    for (sends, want) in [(5, "longer"), (3, "shorter")] {
        let (listener, endpoint) = listener("http");
        let peer = peer(listener, read_all);
        let client = Client::new();
        let kind = StreamKind::Http {
            request: start(Method::Put),
            body: HttpBody::Sent { length: Some(4) },
        };
        client.open(1, StreamOpen::new(endpoint, kind));
        client.send(1, &vec![b'x'; sends]);
        client.act(1, StreamAction::End);
        let story = client.listen(1);
        let Some(Err(fault)) = &story.end else {
            panic!("{story:?}");
        };
        assert!(fault.detail.contains(want), "{fault}");
        peer.join().unwrap();
    }
}
