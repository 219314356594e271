//! What the tests of the binary share: scratch folders, processes that end with the test, and waiting for a condition.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough for a busy machine. A condition that holds earlier ends the wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// A folder of its own that goes away with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short, because the path of a unix socket has at most 107 bytes.
        let path = std::env::temp_dir().join(format!("rw-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("run")).expect("a temporary folder can be made");
        Scratch(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the temporary folder is writable");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that is killed when the test ends. What it prints is kept.
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
}

impl Process {
    pub(crate) fn start(mut command: Command, scratch: &Scratch, name: &str) -> Process {
        command.stdin(Stdio::null());
        Process::spawn(command, scratch, name)
    }

    /// For a program that ends at the end of its input.
    pub(crate) fn start_with_open_input(
        mut command: Command,
        scratch: &Scratch,
        name: &str,
    ) -> Process {
        command.stdin(Stdio::piped());
        Process::spawn(command, scratch, name)
    }

    fn spawn(mut command: Command, scratch: &Scratch, name: &str) -> Process {
        let out = scratch.path(&format!("{name}.out"));
        let file = File::create(&out).expect("the temporary folder is writable");
        let copy = file.try_clone().expect("a file can be shared");
        let child = command
            .stdout(file)
            .stderr(copy)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        Process { child, out }
    }

    /// Everything it printed until now.
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.out).unwrap_or_default()).into_owned()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the process runs");
    }

    /// Waits until it ends by itself.
    pub(crate) fn ended(&mut self, limit: Duration) -> Option<ExitStatus> {
        // A descriptor of a process is readable when it has ended.
        let pid = Pid::from_child(&self.child);
        if let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) {
            let limit = limit.try_into().expect("a time to wait");
            let mut ends = [PollFd::new(&process, PollFlags::IN)];
            retry_on_intr(|| poll(&mut ends, Some(&limit))).expect("it can be waited for");
        }
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            println!("--- {} ---\n{}", self.out.display(), self.printed());
        }
    }
}

/// How a command ended.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary, with an environment that knows nothing of the machine's own configuration.
pub(crate) fn rackwarden(scratch: &Scratch) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rackwarden"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", scratch.path(""))
        .env("RUNTIME_DIRECTORY", scratch.path("run"))
        .env("TZ", "UTC");
    command
}

/// Runs a command to its end.
pub(crate) fn outcome(mut command: Command, input: &str) -> Outcome {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
    // A command that does not read its input may be gone already.
    let _ = child
        .stdin
        .take()
        .expect("piped")
        .write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the process was started");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until something is there.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A UDP port on loopback that nobody uses at the moment.
pub(crate) fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
    socket
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// A TCP port on loopback that nobody uses at the moment.
pub(crate) fn free_tcp_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    socket
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// One HTTP answer: status and body.
pub(crate) fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The machine that the tests run on may be busy and full.
pub(crate) const CALM: &str = "[monitor.thresholds]\ncpu = \"off\"\nmemory = \"off\"\ndisk = \"off\"\n\
    inodes = \"off\"\ncpu_temperature = \"off\"\ngpu_temperature = \"off\"\ndisk_temperature = \"off\"\n";

/// A running agent with a configuration of its own.
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) scratch: Scratch,
    pub(crate) http: u16,
}

impl Agent {
    /// Starts it and waits until it answers over its local socket.
    pub(crate) fn start(config: &str) -> Agent {
        let agent = Agent::spawn(Scratch::new(), config);
        agent.wait_until_it_answers();
        agent
    }

    /// Starts it in a folder that may hold the state of an earlier one.
    pub(crate) fn spawn(scratch: Scratch, config: &str) -> Agent {
        let http = free_tcp_port();
        let mut agent = Agent::configured(&scratch, config, http);
        agent.arg("run");
        let process = Process::start(agent, &scratch, "agent");
        Agent {
            process,
            scratch,
            http,
        }
    }

    fn configured(scratch: &Scratch, config: &str, http: u16) -> Command {
        let file = scratch.write("rackwarden.toml", &Agent::whole(scratch, config, http));
        let mut command = rackwarden(scratch);
        command.env("RACKWARDEN_CONFIG", file);
        command
    }

    fn whole(scratch: &Scratch, config: &str, http: u16) -> String {
        let calm = if config.contains("[monitor") {
            ""
        } else {
            CALM
        };
        format!(
            "name = \"rack-3\"\nstate_dir = \"{}\"\n{config}\n{calm}[http]\nlisten = \"127.0.0.1:{http}\"\n",
            scratch.path("state").display()
        )
    }

    /// Writes another configuration; a signal makes it take that.
    pub(crate) fn reconfigure(&self, config: &str) {
        let whole = Agent::whole(&self.scratch, config, self.http);
        self.scratch.write("rackwarden.toml", &whole);
    }

    pub(crate) fn wait_until_it_answers(&self) {
        wait_for("the agent's first answer", || {
            (self.try_ask("/version").code == Some(0)).then_some(())
        });
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = rackwarden(&self.scratch);
        command
            .env("RACKWARDEN_CONFIG", self.scratch.path("rackwarden.toml"))
            .args(arguments);
        command
    }

    pub(crate) fn try_ask(&self, line: &str) -> Outcome {
        outcome(self.command(&["ask", line]), "")
    }

    /// Asks one chat command.
    pub(crate) fn ask(&self, line: &str) -> String {
        let outcome = self.try_ask(line);
        assert_eq!(outcome.code, Some(0), "ask {line}: {}", outcome.stderr);
        outcome.stdout
    }

    /// Runs another command beside it, with the same configuration.
    pub(crate) fn beside(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments), "")
    }

    /// One element of `/api/power`.
    pub(crate) fn pdu(&self, name: &str) -> Option<serde_json::Value> {
        let (status, body) = http_get(self.http, &format!("/api/power/{name}"))?;
        (status == 200).then(|| serde_json::from_str(&body).expect("JSON"))
    }

    /// Waits until a PDU shows this power in watts.
    pub(crate) fn wait_for_power(&self, name: &str, watts: f64) {
        wait_for(&format!("{watts} W on {name}"), || {
            let pdu = self.pdu(name)?;
            (pdu["power_w"].as_f64()? == watts).then_some(())
        });
    }

    /// Ends it as a service manager does and starts it anew with the same state.
    pub(crate) fn restart(mut self, config: &str) -> Agent {
        self.process.signal(rustix::process::Signal::TERM);
        let status = self.process.ended(Duration::from_secs(5));
        assert!(
            status.is_some_and(|status| status.success()),
            "it did not end well: {status:?}"
        );
        self.started_again(config)
    }

    /// Kills it and starts it anew with the same state.
    pub(crate) fn killed_and_started(mut self, config: &str) -> Agent {
        self.process.signal(rustix::process::Signal::KILL);
        self.process.ended(PATIENCE).expect("it is killed");
        self.started_again(config)
    }

    fn started_again(self, config: &str) -> Agent {
        let Agent {
            process, scratch, ..
        } = self;
        drop(process);
        let agent = Agent::spawn(scratch, config);
        agent.wait_until_it_answers();
        agent
    }
}
