//! Streams against a real Docker Engine: its endless events, an attached terminal, archives, logs.

use crate::support::{PATIENCE, Scratch, repository};
use crate::systemd::peer;
use rackwarden_core::effect::Ticket;
use rackwarden_core::endpoint::{Endpoint, Method};
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::fault::Fault;
use rackwarden_core::secret::Secret;
use rackwarden_core::stream::{
    HttpBody, HttpStart, StreamAction, StreamEnd, StreamEvent, StreamKind, StreamOp, StreamOpen,
};
use rackwarden_io::inbox::Inbox;
use rackwarden_io::streams::StreamHandle;
use std::process::Command;
use std::sync::Arc;

/// A daemon of our own with one small image; both end with the test.
struct Engine {
    scratch: Scratch,
    endpoint: Arc<Endpoint>,
    streams: StreamHandle,
    inbox: Inbox,
}

/// One stream's events so far.
#[derive(Debug, Default)]
struct Story {
    statuses: Vec<u16>,
    opened: u32,
    bytes: Vec<u8>,
    end: Option<Result<StreamEnd, Fault>>,
}

impl Engine {
    fn start() -> Engine {
        let scratch = Scratch::new();
        let dir = scratch.path("docker");
        let inbox = Inbox::new();
        let engine = Engine {
            endpoint: Arc::new(Endpoint::unix("docker", dir.join("docker.sock"))),
            streams: StreamHandle::new(inbox.clone()),
            scratch,
            inbox,
        };
        peer(&["start", dir.to_str().expect("UTF-8")]);
        // Three programs and what they load: a system small enough to be packed at once.
        engine.shell(
            "set -- /bin/sh /bin/cat /bin/sleep
            files=$({ printf '%s\\n' \"$@\"; ldd \"$@\" | grep -o '/[^ :]*'; } | sort -u)
            tar -chf - $files 2>/dev/null | docker import - small",
        );
        engine
    }

    /// Runs a script on this machine, with `docker` for this daemon.
    fn shell(&self, script: &str) -> String {
        let host = format!(
            "unix://{}/docker.sock",
            self.scratch.path("docker").display()
        );
        let output = Command::new("sh")
            .args(["-c", script])
            .env("DOCKER_HOST", host)
            .output()
            .expect("a shell");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn act(&self, ticket: u64, action: StreamAction) {
        let ticket = Ticket(ticket);
        self.streams.act(StreamOp { ticket, action });
    }

    fn open(&self, ticket: u64, kind: StreamKind) {
        let open = StreamOpen::new(Arc::clone(&self.endpoint), kind);
        self.act(ticket, StreamAction::Open(Box::new(open)));
    }

    fn send(&self, ticket: u64, bytes: &[u8]) {
        self.act(ticket, StreamAction::Send(Secret::new(bytes.to_vec())));
    }

    /// The next event, of whatever stream. Each chunk gives a new credit.
    fn next(&self) -> (u64, StreamEvent) {
        let event = self.inbox.receive(Some(PATIENCE));
        let Some(Event::Done {
            ticket: Ticket(ticket),
            reply: Reply::Stream(event),
        }) = event
        else {
            panic!("{event:?}");
        };
        if let StreamEvent::Chunk(_) = &event {
            self.act(ticket, StreamAction::Credit(1));
        }
        (ticket, event)
    }

    /// Reads one stream, and drops what others bring, until the story is as wanted or at its end.
    fn listen(&self, wanted: u64, story: &mut Story, is_enough: impl Fn(&Story) -> bool) {
        while story.end.is_none() && !is_enough(story) {
            let (ticket, event) = self.next();
            if ticket != wanted {
                continue;
            }
            match event {
                StreamEvent::Opened => story.opened += 1,
                StreamEvent::Response(head) => story.statuses.push(head.status),
                StreamEvent::Chunk(bytes) => story.bytes.extend(bytes),
                StreamEvent::Closed(how) => story.end = Some(how),
                StreamEvent::Sent(_) | StreamEvent::Text(_) | StreamEvent::Refused => {}
            }
        }
    }

    fn whole(&self, ticket: u64, kind: StreamKind) -> Story {
        let mut story = Story::default();
        self.open(ticket, kind);
        self.listen(ticket, &mut story, |_| false);
        story
    }

    /// Starts a program in the container, attached.
    fn exec(&self, ticket: u64, is_terminal: bool, command: &str) -> Story {
        let asked = format!(
            r#"{{"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":{is_terminal},"Cmd":["sh","-c","{command}"]}}"#
        );
        let kind = http(Method::Post, "/containers/box/exec", &asked);
        let made = self.whole(ticket + 1000, kind);
        let text = String::from_utf8_lossy(&made.bytes).into_owned();
        let id = text.split('"').nth(3).expect("an id").to_owned();
        let kind = StreamKind::Upgrade {
            request: start(Method::Post, &format!("/exec/{id}/start")),
            protocol: "tcp".to_owned(),
            body: Secret::new(format!(r#"{{"Detach":false,"Tty":{is_terminal}}}"#).into_bytes()),
        };
        self.open(ticket, kind);
        let mut story = Story::default();
        self.listen(ticket, &mut story, |story| story.opened > 0);
        assert_eq!(story.statuses, [101]);
        story
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new(repository("tests/peers/dockerd"))
            .arg("stop")
            .arg(self.scratch.path("docker"))
            .status();
    }
}

impl Story {
    fn has(&self, word: &str) -> bool {
        String::from_utf8_lossy(&self.bytes).contains(word)
    }

    fn is_ended_by_peer(&self) -> bool {
        matches!(&self.end, Some(Ok(StreamEnd { by_peer: true, .. })))
    }
}

fn start(method: Method, path: &str) -> HttpStart {
    HttpStart {
        method,
        path: Secret::new(format!("/v1.41{path}")),
        headers: vec![("Content-Type", Secret::new("application/json".to_owned()))],
    }
}

fn http(method: Method, path: &str, body: &str) -> StreamKind {
    StreamKind::Http {
        request: start(method, path),
        body: HttpBody::Whole(Secret::new(body.as_bytes().to_vec())),
    }
}

#[test]
#[ignore = "needs dockerd and the right to run containers: tests/run installs and runs them"]
fn an_engine_is_followed_attached_and_fed() {
    let engine = Engine::start();
    let mut events = Story::default();
    engine.open(1, http(Method::Get, "/events", ""));
    engine.listen(1, &mut events, |story| !story.statuses.is_empty());
    engine.shell("docker run -d --pull never --name box --network none small sleep 1000");
    engine.listen(1, &mut events, |story| story.has(r#""Action":"start""#));
    assert!(events.has(r#""Action":"create""#) && events.end.is_none());

    // A terminal: what is typed is echoed, and ends with Ctrl-D.
    let mut terminal = engine.exec(2, true, "cat");
    engine.send(2, b"hello\n");
    engine.listen(2, &mut terminal, |story| {
        story.bytes.ends_with(b"hello\r\nhello\r\n")
    });
    engine.send(2, b"\x04");
    engine.listen(2, &mut terminal, |_| false);
    assert!(terminal.is_ended_by_peer(), "{terminal:?}");

    // Without one: frames of both outputs, and the end of our half is the end of its input.
    let mut attached = engine.exec(3, false, "cat; echo late >&2");
    engine.send(3, b"input");
    engine.act(3, StreamAction::End);
    engine.listen(3, &mut attached, |_| false);
    // The engine orders the two outputs as it likes.
    let frames: [&[u8]; 2] = [b"\x01\0\0\0\0\0\0\x05input", b"\x02\0\0\0\0\0\0\x05late\n"];
    let has = |frame: &[u8]| attached.bytes.windows(13).any(|bytes| bytes == frame);
    assert!(frames.iter().all(|frame| has(frame)) && attached.bytes.len() == 26);
    assert!(attached.is_ended_by_peer(), "{attached:?}");

    // An archive that goes out as it comes.
    engine.shell(&format!(
        "cd {0} && head -c 3000000 /dev/zero >big && tar -cf big.tar big",
        engine.scratch.path("").display()
    ));
    let archive = std::fs::read(engine.scratch.path("big.tar")).expect("an archive");
    let kind = StreamKind::Http {
        request: start(Method::Put, "/containers/box/archive?path=/"),
        body: HttpBody::Sent { length: None },
    };
    engine.open(4, kind);
    let mut fed = Story::default();
    for part in archive.chunks(100_000) {
        engine.send(4, part);
        // One part at a time: the queue never holds more.
        while !matches!(engine.next(), (4, StreamEvent::Sent(_))) {}
    }
    engine.act(4, StreamAction::End);
    engine.listen(4, &mut fed, |_| false);
    assert_eq!(
        (fed.statuses.as_slice(), fed.is_ended_by_peer()),
        (&[200][..], true)
    );
    let copied = engine.shell("docker exec box cat /big | wc -c");
    assert_eq!(copied, "3000000");

    // Logs are followed to the end of the container, and a daemon that ends closes its events once.
    engine.open(
        5,
        http(Method::Get, "/containers/box/logs?follow=1&stdout=1", ""),
    );
    let mut logs = Story::default();
    engine.listen(5, &mut logs, |story| !story.statuses.is_empty());
    engine.shell("docker kill box");
    engine.listen(5, &mut logs, |_| false);
    assert!(logs.is_ended_by_peer(), "{logs:?}");
    let socket = engine.scratch.path("docker");
    peer(&["stop", socket.to_str().expect("UTF-8")]);
    engine.listen(1, &mut events, |_| false);
    assert!(events.end.is_some());
}
