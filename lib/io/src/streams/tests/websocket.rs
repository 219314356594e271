//! Websockets against tungstenite's server.

use super::*;
use rackwarden_core::stream::HttpStart;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocket};
use tungstenite::{Message, accept};

fn web(endpoint: Arc<Endpoint>) -> StreamOpen {
    let request = HttpStart {
        path: Secret::new("/gateway?v=10".to_owned()),
        headers: vec![("X-Token", Secret::new("hush".to_owned()))],
        ..HttpStart::default()
    };
    StreamOpen::new(endpoint, StreamKind::WebSocket { request })
}

/// A connection on which each byte comes and leaves alone, once the handshake is over: there it counts as an attack.
struct Torn(TcpStream, bool);

impl Read for Torn {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = if self.1 { 1 } else { buffer.len() };
        self.0.read(&mut buffer[..most])
    }
}

impl Write for Torn {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let most = if self.1 { 1 } else { bytes.len() };
        self.0.write(&bytes[..most])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn say(socket: &mut WebSocket<impl Read + Write>, text: &str) {
    socket.send(Message::text(text)).unwrap();
}

#[test]
fn messages_go_both_ways_torn_or_not_and_the_close_code_arrives() {
    let (listener, endpoint) = listener("ws");
    let peer = peer(listener, |stream| {
        let mut socket = accept(Torn(stream, false)).unwrap();
        socket.get_mut().1 = true;
        let mut got = Vec::new();
        say(&mut socket, "hello");
        socket
            .send(Message::Ping(b"there?".to_vec().into()))
            .unwrap();
        socket.send(Message::binary(vec![7; 1000])).unwrap();
        while got.len() < 3 {
            got.push(socket.read().unwrap());
        }
        let frame = CloseFrame {
            code: CloseCode::Library(4014),
            reason: "Disallowed intent(s).".into(),
        };
        socket.close(Some(frame)).unwrap();
        while socket.read().is_ok() {}
        got
    });
    let client = Client::new();
    client.open(1, web(endpoint));
    client.act(
        1,
        StreamAction::SendText(Secret::new("identify".to_owned())),
    );
    client.send(1, &[1, 2, 3]);
    let story = client.listen(1);
    assert_eq!((story.opened, story.statuses.as_slice()), (1, &[101][..]));
    assert_eq!(story.texts, ["hello"]);
    assert_eq!(story.bytes, [7; 1000]);
    let end = StreamEnd {
        by_peer: true,
        code: Some(4014),
        reason: "Disallowed intent(s).".to_owned(),
    };
    assert_eq!(story.end, Some(Ok(end)));
    let mut got = peer.join().unwrap();
    got.sort_by_key(Message::len);
    let pong = Message::Pong(b"there?".to_vec().into());
    assert_eq!(
        got,
        [
            Message::binary(vec![1, 2, 3]),
            pong,
            Message::text("identify")
        ]
    );
}

#[test]
fn our_close_is_answered() {
    let (listener, endpoint) = listener("ws");
    let peer = peer(listener, |stream| {
        let mut socket = accept(stream).unwrap();
        say(&mut socket, "first");
        let mut closed = false;
        while let Ok(message) = socket.read() {
            closed |= message.is_close();
        }
        closed
    });
    let client = Client::new();
    client.open(1, web(endpoint));
    client.listen_while(1, |story| story.texts.is_empty());
    client.act(1, StreamAction::Close);
    let story = client.listen(1);
    assert!(
        matches!(story.end, Some(Ok(StreamEnd { by_peer: false, .. }))),
        "{story:?}"
    );
    assert!(peer.join().unwrap());
}

#[test]
fn a_close_without_an_answer_ends_after_the_grace() {
    let (listener, endpoint) = listener("ws");
    let (keep, kept) = std::sync::mpsc::channel();
    let peer = peer(listener, move |stream| {
        keep.send(accept(stream).unwrap()).unwrap()
    });
    let client = Client::new();
    client.open(1, web(endpoint));
    let socket = kept.recv().unwrap();
    client.act(1, StreamAction::Close);
    let story = client.listen(1);
    assert_eq!(story.end, Some(Ok(StreamEnd::default())));
    drop(socket);
    peer.join().unwrap();
}

#[test]
fn a_message_beyond_the_limit_is_a_fault() {
    let (listener, endpoint) = listener("ws");
    let peer = peer(listener, |stream| {
        let mut socket = accept(stream).unwrap();
        let _ = socket.send(Message::binary(vec![0; 20_000]));
        while socket.read().is_ok() {}
    });
    let client = Client::new();
    client.open(1, web(endpoint));
    assert_eq!(client.listen(1).fault(), FaultKind::TooLarge);
    peer.join().unwrap();
}

#[test]
fn a_message_beyond_the_queue_is_refused_and_the_rest_arrives() {
    let (listener, endpoint) = listener("ws");
    let (go, wait) = std::sync::mpsc::channel();
    let peer = peer(listener, move |stream| {
        let mut socket = accept(stream).unwrap();
        wait.recv().unwrap();
        let mut sizes = Vec::new();
        while let Ok(message) = socket.read() {
            sizes.extend(message.is_binary().then(|| message.len()));
        }
        sizes
    });
    let client = Client::new();
    client.open(1, web(endpoint));
    client.listen_while(1, |story| story.opened == 0);
    for _ in 0..400 {
        client.send(1, &[0; 64 * 1024]);
    }
    let story = client.listen_while(1, |story| story.refused == 0);
    assert_eq!(story.refused, 1);
    go.send(()).unwrap();
    client.act(1, StreamAction::Close);
    let rest = client.listen(1);
    let sizes = peer.join().unwrap();
    assert!(sizes.iter().all(|size| *size == 64 * 1024));
    assert_eq!(sizes.len() + 1 + rest.refused as usize, 400);
    assert_eq!(story.sent + rest.sent, (sizes.len() * 64 * 1024) as u64);
}

#[test]
fn a_peer_that_answers_pings_is_not_idle() {
    let (listener, endpoint) = listener("ws");
    let peer = peer(listener, |stream| {
        let mut socket = accept(stream).unwrap();
        let mut pings = 0;
        // tungstenite answers them by reading on.
        while pings < 4 {
            pings += u32::from(socket.read().unwrap().is_ping());
        }
        say(&mut socket, "still here");
        // Nothing is read any longer, so nothing is answered.
        let closed = std::time::Instant::now();
        thread::park_timeout(Duration::from_secs(2));
        closed
    });
    let client = Client::new();
    let open = StreamOpen {
        idle_timeout: Some(Duration::from_millis(400)),
        ..web(endpoint)
    };
    client.open(1, open);
    let story = client.listen(1);
    assert_eq!(story.texts, ["still here"]);
    assert_eq!(story.fault(), FaultKind::Timeout);
    peer.thread().unpark();
    peer.join().unwrap();
}

#[test]
fn a_server_that_refuses_is_named() {
    for (answer, kind) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
            FaultKind::Denied,
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            FaultKind::Rejected,
        ),
        ("SSH-2.0-OpenSSH_9\r\n\r\n", FaultKind::Malformed),
        ("", FaultKind::Interrupted),
    ] {
        let (listener, endpoint) = listener("ws");
        let peer = peer(listener, move |mut stream| {
            let mut start = [0; 4];
            stream.read_exact(&mut start).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
            read_all(stream)
        });
        let client = Client::new();
        client.open(1, web(endpoint));
        let story = client.listen(1);
        assert_eq!(story.fault(), kind, "{answer}: {story:?}");
        assert!(!format!("{story:?}").contains("hush"), "{story:?}");
        let rest = peer.join().unwrap();
        assert!(String::from_utf8_lossy(&rest).contains("/gateway?v=10 HTTP/1.1\r\n"));
    }
}
