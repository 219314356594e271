//! The local socket on a real socket, with a made-up core behind it.

use rackwarden_core::chat::{Asked, sessions};
use rackwarden_core::effect::{Document, SessionReply};
use rackwarden_core::event::Event;
use rackwarden_core::sim::sample::{self, Sample};
use rackwarden_io::clock::Clock;
use rackwarden_io::inbox::Inbox;
use rackwarden_io::local::{self, FILE_NAME, LocalHandle, LocalSocket};
use rackwarden_io::net::{Net, Waker};
use rackwarden_io::published::Published;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

struct Agent {
    directory: PathBuf,
    inbox: Inbox,
    handle: LocalHandle,
    waker: Waker,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    fn start(name: &str) -> Agent {
        let id = std::process::id();
        let directory = std::env::temp_dir().join(format!("rackwarden-local-{name}-{id}"));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("a directory");
        let listener = local::bind(&directory).expect("binds");
        let snapshot = sample::snapshot(Sample::OverLimit);
        let published = Arc::new(Published::new(Arc::new(snapshot)));
        let inbox = Inbox::new();
        let mut net = Net::new().expect("epoll");
        let waker = net.waker();
        let (socket, handle) = LocalSocket::new(
            listener,
            inbox.clone(),
            published,
            Clock::start(),
            waker.clone(),
        );
        net.add(Box::new(socket));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_stopping);
        let thread = std::thread::spawn(move || {
            net.run(|| stop.load(Ordering::SeqCst)).expect("runs");
        });
        Agent {
            directory,
            inbox,
            handle,
            waker,
            is_stopping,
            thread: Some(thread),
        }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.join(FILE_NAME)).expect("connects");
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).expect("timeout");
        stream
    }

    fn send(&self, text: &str) -> UnixStream {
        let mut stream = self.connect();
        stream.write_all(text.as_bytes()).expect("sent");
        stream
    }

    /// What the core is asked next.
    fn asked(&self) -> Asked {
        match self.inbox.receive(Some(Duration::from_secs(10))) {
            Some(Event::Asked(asked)) => asked,
            other => panic!("not a question: {other:?}"),
        }
    }

    fn reply(&self, asked: &Asked, text: &str, last: bool) {
        self.handle.reply(SessionReply {
            session: asked.session,
            text: text.to_owned(),
            document: None,
            last,
        });
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        assert!(
            !self.directory.join(FILE_NAME).exists(),
            "the socket file is left"
        );
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn lines(mut stream: &UnixStream) -> Vec<serde_json::Value> {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("an answer to its end");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn a_question_reaches_the_core_with_its_caller_and_the_answer_comes_in_parts() {
    let agent = Agent::start("question");
    for text in ["/current\n", "{\"ask\":\"/current\"}\n"] {
        let stream = agent.send(text);
        let asked = agent.asked();
        assert_eq!(asked.line, "/current");
        assert!(
            asked.is_owner,
            "a caller with the agent's own user is an owner"
        );
        assert!(sessions::uid_of(&asked.who).is_some());
        agent.reply(&asked, "one moment", false);
        let mut first = String::new();
        BufReader::new(&stream)
            .read_line(&mut first)
            .expect("the first part");
        assert_eq!(first, "{\"text\":\"one moment\",\"last\":false}\n");
        agent.reply(&asked, "alpha 270 W\n", true);
        let rest = lines(&stream);
        assert_eq!(
            rest,
            [serde_json::json!({"text": "alpha 270 W\n", "last": true})]
        );
    }
}

#[test]
fn a_caller_that_closes_its_half_after_the_question_still_gets_the_answer() {
    let agent = Agent::start("half");
    let stream = agent.send("/version");
    stream.shutdown(Shutdown::Write).expect("half closed");
    let asked = agent.asked();
    assert_eq!(asked.line, "/version");
    let document = Document {
        name: "a.csv".into(),
        mime: "text/csv",
        bytes: Arc::from(*b"a;b"),
        is_picture: false,
    };
    agent.handle.reply(SessionReply {
        session: asked.session,
        text: String::new(),
        document: Some(document),
        last: true,
    });
    let answer = lines(&stream);
    assert_eq!(answer[0]["document"]["hex"], "613b62");
    assert_eq!(answer[0]["document"]["name"], "a.csv");
}

#[test]
fn the_status_is_told_without_the_core() {
    let agent = Agent::start("status");
    let answer = lines(&agent.send("{\"status\":true}\n"));
    assert_eq!(answer[0]["status"]["name"], "rack-3");
    assert_eq!(answer[0]["power"]["pdus"][0]["state"], "over_limit");
    assert_eq!(answer[0]["alerts"]["alerts"][0]["state"], "firing");
    assert!(agent.inbox.receive(Some(Duration::ZERO)).is_none());
}

#[test]
fn what_is_not_a_request_is_told_so() {
    let agent = Agent::start("wrong");
    for text in [
        "\n",
        "{\"ask\"\n",
        "{\"ask\":1}\n",
        "\u{1}\n{}",
        &format!("{{{}\n", "x".repeat(5000)),
    ] {
        let stream = agent.send(text);
        if text.starts_with('\u{1}') {
            // Odd, but text: it is the chat's to answer.
            let asked = agent.asked();
            agent.reply(&asked, "?", true);
        } else {
            assert!(lines(&stream)[0]["error"].is_string(), "{text:?}");
        }
    }
}

#[test]
fn callers_that_say_nothing_make_room_and_a_reply_to_nobody_is_dropped() {
    let agent = Agent::start("crowd");
    let gone = agent.send("/current\n");
    let asked = agent.asked();
    drop(gone);
    let silent: Vec<UnixStream> = (0..40).map(|_| agent.connect()).collect();
    agent.reply(&asked, "too late", true);
    let stream = agent.send("/current\n");
    let asked = agent.asked();
    agent.reply(&asked, "in time", true);
    assert_eq!(lines(&stream)[0]["text"], "in time");
    assert!(
        lines(&silent[0]).is_empty(),
        "the oldest silent caller had to go"
    );
}

#[test]
fn a_second_agent_is_refused_the_socket() {
    let agent = Agent::start("second");
    let error = local::bind(&agent.directory).expect_err("taken");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
