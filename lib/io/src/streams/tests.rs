//! Streams against real sockets: what arrives, in which bounds, and that each ends exactly once.

mod faults;
mod http;
mod secure;
mod websocket;

use super::*;
use rackwarden_base::secret::Secret;
use rackwarden_core::endpoint::Endpoint;
use rackwarden_core::stream::StreamKind;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The core's side.
struct Client {
    streams: StreamHandle,
    inbox: Inbox,
}

/// All that a stream brought until it closed.
#[derive(Debug, Default)]
struct Story {
    statuses: Vec<u16>,
    opened: u32,
    bytes: Vec<u8>,
    texts: Vec<String>,
    chunks: u32,
    refused: u32,
    sent: u64,
    end: Option<Result<StreamEnd, Fault>>,
}

impl Client {
    fn new() -> Client {
        let inbox = Inbox::new();
        let streams = StreamHandle::new(inbox.clone());
        Client { streams, inbox }
    }

    fn open(&self, ticket: u64, open: StreamOpen) {
        self.act(ticket, StreamAction::Open(Box::new(open)));
    }

    fn act(&self, ticket: u64, action: StreamAction) {
        let ticket = Ticket(ticket);
        self.streams.act(StreamOp { ticket, action });
    }

    fn send(&self, ticket: u64, bytes: &[u8]) {
        self.act(ticket, StreamAction::Send(Secret::new(bytes.to_vec())));
    }

    fn next(&self) -> StreamEvent {
        match self.inbox.receive(Some(PATIENCE)) {
            Some(Event::Done {
                reply: Reply::Stream(event),
                ..
            }) => event,
            other => panic!("{other:?}"),
        }
    }

    /// Nothing comes for a while.
    fn is_quiet(&self) -> bool {
        self.inbox
            .receive(Some(Duration::from_millis(50)))
            .is_none()
    }

    /// Reads on to the end, one new credit for each chunk.
    fn listen(&self, ticket: u64) -> Story {
        self.listen_while(ticket, |_| true)
    }

    /// As long as the story is to go on, or to the end.
    fn listen_while(&self, ticket: u64, goes_on: impl Fn(&Story) -> bool) -> Story {
        let mut story = Story::default();
        while story.end.is_none() && goes_on(&story) {
            match self.next() {
                StreamEvent::Opened => story.opened += 1,
                StreamEvent::Response(head) => story.statuses.push(head.status),
                StreamEvent::Chunk(bytes) => {
                    story.bytes.extend(bytes);
                    story.chunks += 1;
                    self.act(ticket, StreamAction::Credit(1));
                }
                StreamEvent::Text(text) => {
                    story.texts.push(text);
                    self.act(ticket, StreamAction::Credit(1));
                }
                StreamEvent::Sent(bytes) => story.sent += bytes,
                StreamEvent::Refused => story.refused += 1,
                StreamEvent::Closed(how) => story.end = Some(how),
            }
        }
        if story.end.is_some() {
            assert!(self.is_quiet(), "one end and no more");
        }
        story
    }
}

impl Story {
    fn fault(&self) -> FaultKind {
        match &self.end {
            Some(Err(fault)) => fault.kind,
            other => panic!("{other:?}"),
        }
    }

    fn by_peer(&self) -> bool {
        matches!(&self.end, Some(Ok(StreamEnd { by_peer: true, .. })))
    }
}

fn listener(scheme: &str) -> (TcpListener, Arc<Endpoint>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    (listener, Arc::new(Endpoint::url("peer", url)))
}

fn raw(endpoint: Arc<Endpoint>) -> StreamOpen {
    StreamOpen::new(endpoint, StreamKind::Raw)
}

/// A peer on a thread, for one connection.
fn peer<T: Send + 'static>(
    listener: TcpListener,
    act: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        act(stream)
    })
}

fn read_all(mut stream: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    all
}

#[test]
fn bytes_go_both_ways_and_close_ends_it_once() {
    let (listener, endpoint) = listener("tcp");
    let peer = peer(listener, |mut stream| {
        let mut word = [0; 5];
        stream.read_exact(&mut word).unwrap();
        stream.write_all(b"world").unwrap();
        (word, read_all(stream))
    });
    let client = Client::new();
    client.open(1, raw(endpoint));
    // Sent before it is open.
    client.send(1, b"hello");
    let story = client.listen_while(1, |story| story.bytes.len() < 5);
    assert_eq!((story.opened, story.bytes.as_slice()), (1, &b"world"[..]));
    client.send(1, b"goodbye");
    client.act(1, StreamAction::Close);
    let story = client.listen(1);
    assert_eq!(story.end, Some(Ok(StreamEnd::default())));
    assert_eq!(peer.join().unwrap(), (*b"hello", b"goodbye".to_vec()));
    client.send(1, b"to nobody");
    client.act(1, StreamAction::Close);
    assert!(client.is_quiet());
    assert!(client.streams.shared.lock().is_empty());
}

#[test]
fn the_end_of_our_half_leaves_the_other_open() {
    let (listener, endpoint) = listener("tcp");
    let peer = peer(listener, |mut stream| {
        let asked = read_all(&mut stream);
        stream.write_all(&asked).unwrap();
    });
    let client = Client::new();
    client.open(1, raw(endpoint));
    client.send(1, b"question");
    client.act(1, StreamAction::End);
    let story = client.listen(1);
    assert_eq!(story.bytes, b"question");
    assert_eq!(story.sent, 8);
    assert!(story.by_peer());
    peer.join().unwrap();
}

#[test]
fn a_unix_socket_is_a_stream_too() {
    let path = std::env::temp_dir().join(format!("rackwarden-streams-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let peer = thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello").unwrap());
    let client = Client::new();
    client.open(1, raw(Arc::new(Endpoint::unix("peer", &path))));
    let story = client.listen(1);
    assert_eq!(story.bytes, b"hello");
    peer.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    client.open(2, raw(Arc::new(Endpoint::unix("peer", &path))));
    let story = client.listen(2);
    assert_eq!(story.fault(), FaultKind::Unreachable);
}

/// Writes until nobody takes more for a while, and says how much that was.
fn flood(mut stream: TcpStream, total: usize) -> usize {
    let block = [b'x'; 16 * 1024];
    stream
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut written = 0;
    while written < total {
        match stream.write(&block) {
            Ok(length) => written += length,
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(err) => panic!("{err}"),
        }
    }
    written
}

#[test]
fn without_credit_a_source_is_not_read() {
    let (listener, endpoint) = listener("tcp");
    let peer = peer(listener, |stream| flood(stream, 100_000_000));
    let client = Client::new();
    let open = StreamOpen {
        credit: 3,
        ..raw(endpoint)
    };
    client.open(1, open);
    let written = peer.join().unwrap();
    // The system's own buffers, and not a byte of ours beyond one chunk a credit and one that is held.
    assert!(written < 16_000_000, "{written}");
    let mut chunks = Vec::new();
    while let Some(event) = client.inbox.receive(Some(Duration::from_millis(100))) {
        if let Event::Done {
            reply: Reply::Stream(StreamEvent::Chunk(bytes)),
            ..
        } = event
        {
            chunks.push(bytes.len());
        }
    }
    assert_eq!(chunks.len(), 3);
    assert!(chunks.iter().all(|length| *length <= 16 * 1024));
    // With credit again the rest arrives, whole.
    client.act(1, StreamAction::Credit(1));
    let story = client.listen(1);
    assert_eq!(chunks.iter().sum::<usize>() + story.bytes.len(), written);
}

#[test]
fn a_flood_hides_no_prompt_event() {
    let (listener, endpoint) = listener("tcp");
    let peer = peer(listener, |stream| flood(stream, 100_000_000));
    let client = Client::new();
    let open = StreamOpen {
        credit: u32::MAX,
        ..raw(endpoint)
    };
    client.open(1, open);
    // Nobody empties the inbox: its second lane fills, and the thread waits.
    let written = peer.join().unwrap();
    assert!(written < 32_000_000, "{written}");
    client.inbox.send(Event::Stop);
    assert!(matches!(client.inbox.receive(None), Some(Event::Stop)));
    let story = client.listen(1);
    assert_eq!(story.bytes.len(), written);
}

#[test]
fn streams_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let endpoint = Arc::new(Endpoint::url("counted", url));
    let client = Client::new();
    for ticket in 0..=MAX_STREAMS as u64 {
        client.open(ticket, raw(Arc::clone(&endpoint)));
    }
    let mut faults = Vec::new();
    for _ in 0..=MAX_STREAMS {
        if let StreamEvent::Closed(Err(fault)) = client.next() {
            faults.push(fault.kind);
        }
    }
    assert_eq!(faults, [FaultKind::Overload]);
    client.streams.shutdown();
    for _ in 0..MAX_STREAMS {
        assert_eq!(client.next(), StreamEvent::Closed(Ok(StreamEnd::default())));
    }
    drop(listener);
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name == "s-counted\n").count()
    };
    let deadline = Instant::now() + PATIENCE;
    while threads() > 0 {
        assert!(Instant::now() < deadline, "the threads end");
        thread::yield_now();
    }
}
