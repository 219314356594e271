//! Programs that the agent starts: real ones, with the real launcher.

use rackwarden_core::effect::Ticket;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::fault::{Fault, FaultKind};
use rackwarden_core::run::{Exit, Killed, RunAction, RunEnd, RunEvent, RunLimits, RunOp, RunStart};
use rackwarden_core::secret::Secret;
use rackwarden_io::inbox::Inbox;
use rackwarden_io::run::RunHandle;
use rustix::process::{Pid, Signal};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client {
    runs: RunHandle,
    inbox: Inbox,
}

#[derive(Debug, Default)]
struct Story {
    pid: u32,
    output: Vec<u8>,
    errors: Vec<u8>,
    chunks: u32,
    taken: u64,
    end: Option<Result<RunEnd, Fault>>,
}

impl Client {
    fn new() -> Client {
        let inbox = Inbox::new();
        let runs = RunHandle::new(env!("CARGO_BIN_EXE_rackwarden"), inbox.clone());
        Client { runs, inbox }
    }

    fn act(&self, action: RunAction) {
        let ticket = Ticket(1);
        self.runs.act(RunOp { ticket, action });
    }

    fn start(&self, start: RunStart) {
        self.act(RunAction::Start(Box::new(start)));
    }

    fn input(&self, bytes: &[u8]) {
        self.act(RunAction::Input(Secret::new(bytes.to_vec())));
    }

    fn next(&self, patience: Duration) -> Option<RunEvent> {
        match self.inbox.receive(Some(patience))? {
            Event::Done {
                reply: Reply::Run(event),
                ..
            } => Some(event),
            other => panic!("{other:?}"),
        }
    }

    /// Reads on to the end, one new credit for each chunk.
    fn watch(&self) -> Story {
        self.watch_while(|_| true)
    }

    fn watch_while(&self, goes_on: impl Fn(&Story) -> bool) -> Story {
        let mut story = Story::default();
        while story.end.is_none() && goes_on(&story) {
            match self.next(PATIENCE).expect("an event") {
                RunEvent::Started { pid } => story.pid = pid,
                RunEvent::Output(bytes) => {
                    story.output.extend(bytes);
                    story.chunks += 1;
                    self.act(RunAction::Credit(1));
                }
                RunEvent::Errors(bytes) => {
                    story.errors.extend(bytes);
                    self.act(RunAction::Credit(1));
                }
                RunEvent::Taken(bytes) => story.taken += bytes,
                RunEvent::Ended(how) => story.end = Some(how),
            }
        }
        if story.end.is_some() {
            let more = self.next(Duration::from_millis(50));
            assert!(more.is_none(), "one end and no more: {more:?}");
            assert!(!Path::new(&format!("/proc/{}", story.pid)).exists() || story.pid == 0);
        }
        story
    }
}

impl Story {
    fn end(&self) -> RunEnd {
        match &self.end {
            Some(Ok(end)) => *end,
            other => panic!("{other:?}"),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

fn sh(script: &str) -> RunStart {
    RunStart::new(["/bin/sh", "-c", script])
}

fn code(code: i32) -> RunEnd {
    RunEnd {
        exit: Exit::Code(code),
        killed: None,
        is_cut: false,
    }
}

fn run(start: RunStart) -> Story {
    let client = Client::new();
    client.start(start);
    client.watch()
}

fn group_is_empty(pid: u32) -> bool {
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw);
    group.is_some_and(|group| rustix::process::test_kill_process_group(group).is_err())
}

/// Until it holds.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn output_errors_and_code_arrive_in_order() {
    let story = run(sh("echo out; echo err >&2; exit 7"));
    assert_eq!(
        (story.text().as_str(), story.errors.as_slice()),
        ("out\n", &b"err\n"[..])
    );
    assert_eq!(story.end(), code(7));
    let story = run(sh("kill -USR1 $$"));
    assert_eq!(story.end().exit, Exit::Signal(10));
}

#[test]
fn a_program_gets_what_is_given_and_nothing_else() {
    let start = RunStart {
        environment: vec![("TOKEN".to_owned(), Secret::new("hush".to_owned()))],
        folder: "/usr".into(),
        ..RunStart::new(["/usr/bin/env"])
    };
    let story = run(start.clone());
    assert_eq!(story.text(), "TOKEN=hush\n");
    let start = RunStart {
        argv: [
            "/bin/sh",
            "-c",
            "pwd; ls /proc/self/fd | wc -l; tr '\\0' ' ' </proc/$$/cmdline; cat",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..start
    };
    let text = run(start).text();
    let lines: Vec<&str> = text.lines().collect();
    // As many files as any child of this test has: none of ours.
    let script = "ls /proc/self/fd | wc -l";
    let other = Command::new("/bin/sh").args(["-c", script]).output();
    let files = String::from_utf8(other.unwrap().stdout).unwrap();
    assert_eq!(lines[..2], ["/usr", files.trim()], "{text}");
    assert!(
        !text.contains("hush") && lines[2].starts_with("/bin/sh -c"),
        "{text}"
    );
    // Arguments are no shell's.
    let story = run(RunStart::new(["/bin/echo", "$HOME; exit 9", "`id`"]));
    assert_eq!(story.text(), "$HOME; exit 9 `id`\n");
}

#[test]
fn limits_are_those_of_the_program() {
    let limits = RunLimits {
        cpu: Some(Duration::from_secs(7)),
        data_bytes: Some(64 << 20),
        open_files: 50,
        file_bytes: Some(1 << 20),
        ..RunLimits::default()
    };
    let start = RunStart {
        limits,
        ..sh(
            "ulimit -t; ulimit -n; ulimit -d; ulimit -f; ulimit -c; cat /proc/self/oom_score_adj; nice",
        )
    };
    let start = RunStart {
        environment: vec![("PATH".to_owned(), Secret::new("/bin:/usr/bin".to_owned()))],
        ..start
    };
    let text = run(start).text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..6],
        ["7", "50", "65536", "2048", "0", "500"],
        "{text}"
    );
    assert!(lines[6].parse::<i32>().unwrap() >= 5, "{text}");
}

#[test]
fn what_cannot_be_started_says_so() {
    let story = run(RunStart::new(["/nowhere/program"]));
    assert_eq!(story.end(), code(127));
    let errors = String::from_utf8_lossy(&story.errors).into_owned();
    assert_eq!(errors, "cannot start /nowhere/program: no such file\n");
    assert_eq!(run(RunStart::new(["/etc"])).end(), code(126));
    let nowhere = RunStart {
        folder: "/nowhere".into(),
        ..sh("true")
    };
    for start in [nowhere, RunStart::new(Vec::<String>::new())] {
        let story = run(start);
        let Some(Err(fault)) = &story.end else {
            panic!("{story:?}");
        };
        assert_eq!((fault.kind, story.pid), (FaultKind::Rejected, 0));
    }
}

#[test]
fn without_credit_a_flood_waits_and_a_kill_ends_it() {
    let client = Client::new();
    let start = RunStart {
        credit: 3,
        limits: RunLimits {
            output_bytes: u64::MAX,
            ..RunLimits::default()
        },
        ..sh("yes; yes >&2")
    };
    client.start(start);
    let mut events = Vec::new();
    while let Some(event) = client.next(Duration::from_millis(500)) {
        events.push(event);
    }
    let chunks: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Output(bytes) => Some(bytes.len()),
            _ => None,
        })
        .collect();
    assert_eq!((events.len(), chunks.len()), (4, 3), "{events:?}");
    assert!(chunks.iter().all(|length| *length <= 16 * 1024));
    client.act(RunAction::Kill);
    let story = client.watch();
    assert_eq!(story.end().killed, Some(Killed::Asked));
    assert_eq!(story.end().exit, Exit::Signal(15));
}

#[test]
fn a_flood_hides_no_prompt_event() {
    let client = Client::new();
    let start = RunStart {
        credit: u32::MAX,
        max_chunk_bytes: 4096,
        ..sh("head -c 100000000 /dev/zero")
    };
    let limits = RunLimits {
        output_bytes: u64::MAX,
        ..RunLimits::default()
    };
    client.start(RunStart { limits, ..start });
    // Nobody empties the inbox: its second lane fills, and the program waits in its write.
    std::thread::sleep(Duration::from_millis(500));
    client.inbox.send(Event::Stop);
    assert!(matches!(client.inbox.receive(None), Some(Event::Stop)));
    let story = client.watch();
    assert_eq!((story.output.len(), story.end()), (100_000_000, code(0)));
}

#[test]
fn too_much_output_is_cut() {
    let start = RunStart {
        limits: RunLimits {
            output_bytes: 10_000,
            ..RunLimits::default()
        },
        ..sh("yes")
    };
    let story = run(start);
    let end = story.end();
    assert_eq!(
        (story.output.len(), end.killed, end.is_cut),
        (10_000, Some(Killed::Output), true)
    );
}

#[test]
fn a_program_that_ignores_term_is_killed_with_its_group() {
    let limits = RunLimits {
        time: Duration::from_millis(300),
        grace: Duration::from_millis(300),
        ..RunLimits::default()
    };
    let script = "trap '' TERM; (trap '' TERM; sleep 1000) & while :; do sleep 1; done";
    let start = RunStart {
        limits,
        ..sh(script)
    };
    let begun = Instant::now();
    let story = run(start);
    assert_eq!(story.end().killed, Some(Killed::Time));
    assert_eq!(story.end().exit, Exit::Signal(9));
    assert!(begun.elapsed() < Duration::from_secs(15));
    eventually("the group is gone", || group_is_empty(story.pid));
    // A program that hears it may say goodbye.
    let start = RunStart {
        limits: RunLimits {
            grace: Duration::from_secs(20),
            ..limits
        },
        ..sh("trap 'echo bye; exit 3' TERM; while :; do sleep 0.1; done")
    };
    let story = run(start);
    assert_eq!(
        (story.text().as_str(), story.end().exit),
        ("bye\n", Exit::Code(3))
    );
}

#[test]
fn a_pipe_left_open_to_a_grandchild_does_not_hang_the_run() {
    let begun = Instant::now();
    let story = run(sh("sleep 1000 & echo done"));
    assert_eq!((story.text().as_str(), story.end()), ("done\n", code(0)));
    assert!(begun.elapsed() < Duration::from_secs(15));
    eventually("the group is gone", || group_is_empty(story.pid));
    // Even when it has left the group.
    let story = run(sh("setsid sleep 5 & echo done"));
    assert_eq!(story.text(), "done\n");
    assert_eq!(
        (story.end().exit, story.end().is_cut),
        (Exit::Code(0), true)
    );
    // A process that lives on without the pipe is ended as well.
    let story = run(sh("sleep 1000 >/dev/null 2>&1 & echo done"));
    assert_eq!(story.end(), code(0));
    eventually("the group is gone", || group_is_empty(story.pid));
}

#[test]
fn too_much_memory_of_the_group_ends_it() {
    let hog = "dd if=/dev/zero of=/dev/null bs=60M";
    let limits = RunLimits {
        resident_bytes: Some(80 << 20),
        ..RunLimits::default()
    };
    // Each of the two may have it, both together may not.
    let script = format!("{hog} & {hog}");
    let start = RunStart {
        limits,
        ..sh(&script)
    };
    assert_eq!(run(start).end().killed, Some(Killed::Memory));
    let limits = RunLimits {
        data_bytes: Some(30 << 20),
        ..RunLimits::default()
    };
    let story = run(RunStart { limits, ..sh(hog) });
    assert_eq!(story.end(), code(1));
}

#[test]
fn input_reaches_the_program_until_its_end() {
    let client = Client::new();
    let start = RunStart {
        has_input: true,
        ..RunStart::new(["/bin/cat"])
    };
    client.start(start.clone());
    let data: Vec<u8> = (0..200_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(200_000)
        .collect();
    client.input(&data);
    client.act(RunAction::EndInput);
    let story = client.watch();
    assert_eq!(
        (story.output == data, story.taken, story.end()),
        (true, 200_000, code(0))
    );
    // A program that ends without reading it.
    client.start(RunStart {
        argv: vec!["/bin/true".to_owned()],
        ..start.clone()
    });
    client.input(&data);
    assert_eq!(client.watch().end(), code(0));
    // And one that never does.
    client.start(RunStart {
        argv: vec!["/bin/sleep".to_owned(), "1000".to_owned()],
        ..start
    });
    client.input(&data);
    client.input(&data);
    assert_eq!(client.watch().end().killed, Some(Killed::Input));
}

#[test]
fn runs_are_counted_and_ended_together() {
    let client = Client::new();
    for ticket in 0..9 {
        let action = RunAction::Start(Box::new(RunStart::new(["/bin/sleep", "1000"])));
        let ticket = Ticket(ticket);
        client.runs.act(RunOp { ticket, action });
    }
    let mut faults = Vec::new();
    for _ in 0..9 {
        if let Some(RunEvent::Ended(Err(fault))) = client.next(PATIENCE) {
            faults.push(fault.kind);
        }
    }
    assert_eq!(faults, [FaultKind::Overload]);
    client.runs.shutdown();
    for _ in 0..8 {
        let Some(RunEvent::Ended(Ok(end))) = client.next(PATIENCE) else {
            panic!("an end");
        };
        assert_eq!(end.killed, Some(Killed::Asked));
    }
}

/// Not a test: this program in the part of an agent, for the test below.
#[test]
fn stand_in_for_the_agent() {
    if std::env::var_os("RACKWARDEN_STANDS_IN").is_none() {
        return;
    }
    let client = Client::new();
    client.start(sh("echo $$; exec sleep 1000"));
    let story = client.watch_while(|story| story.output.is_empty());
    println!("pid={}", story.text().trim());
    std::thread::sleep(PATIENCE);
}

#[test]
fn agent_that_is_killed_leaves_no_program() {
    let mut agent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runs::stand_in_for_the_agent", "--nocapture"])
        .env("RACKWARDEN_STANDS_IN", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("pid=")?.1.trim().to_owned()))
        .expect("a program runs");
    let program = format!("/proc/{pid}");
    assert!(Path::new(&program).exists());
    let agent_pid = Pid::from_child(&agent);
    rustix::process::kill_process(agent_pid, Signal::KILL).unwrap();
    agent.wait().unwrap();
    // Its body may wait to be reaped by whoever inherits it.
    eventually("the program is gone", || {
        let stat = std::fs::read_to_string(format!("{program}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn the_launcher_is_in_no_help_and_follows_nobody_else() {
    let rackwarden = || Command::new(env!("CARGO_BIN_EXE_rackwarden"));
    let help = rackwarden().arg("help").output().unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("launch"));
    let arguments = ["launch", "1", "-", "-", "-", "-", "/bin/true"];
    let other = rackwarden().args(arguments).output().unwrap();
    assert_eq!(other.status.code(), Some(126));
    assert_eq!(
        String::from_utf8_lossy(&other.stderr),
        "the agent has ended\n"
    );
}
