//! The service under the manager that runs it: a real systemd in a container, with the unit as it is shipped.

use crate::bot_api::{BotApi, TOKEN};
use crate::device::Device;
use crate::support::{CALM, PATIENCE, Scratch, repository, wait_for};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Takes more memory than the service's group may have, with the agent as the process to be killed for it.
const HOG: &str = "for group in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  group=$group/system.slice/rackwarden.service
  [ ! -d $group ] || break
done
pid=$(systemctl show rackwarden --value -p MainPID)
echo 1000 >/proc/$pid/oom_score_adj
echo $$ >$group/cgroup.procs
head -c 40m /dev/zero | tail -c 40m >/dev/null";

/// A Debian with systemd as its process 1, in a Docker daemon of its own; both end with the test.
struct Machine {
    scratch: Scratch,
}

impl Machine {
    fn start() -> Machine {
        let machine = Machine {
            scratch: Scratch::new(),
        };
        let dir = machine.dir();
        let dir = dir.to_str().expect("UTF-8");
        let binary = concat!(
            env!("CARGO_BIN_EXE_rackwarden"),
            ":/usr/local/bin/rackwarden:ro"
        );
        peer(&["start", dir]);
        peer(&["image", dir, "debian-systemd"]);
        // The network is the machine's own loopback, where the devices and the chat service of the test are.
        let options = ["--network", "host", "-v", binary];
        peer(&[&["boot", dir, "debian-systemd", "machine"][..], &options].concat());
        machine
    }

    fn dir(&self) -> PathBuf {
        self.scratch.path("docker")
    }

    /// Runs a shell script in it with this input, and gives what it prints.
    fn shell(&self, script: &str, input: &str) -> String {
        let child = Command::new("docker")
            .arg("-H")
            .arg(format!("unix://{}/docker.sock", self.dir().display()))
            .args(["exec", "-i", "machine", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        // Also asked for the journal of a test that fails because there is no docker.
        let Ok(mut child) = child else {
            return "docker cannot be started".to_owned();
        };
        let mut stdin = child.stdin.take().expect("piped");
        // A script without input may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("it was started");
        let printed = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&printed).trim().to_owned()
    }

    fn run(&self, script: &str) -> String {
        self.shell(script, "")
    }

    fn write(&self, path: &str, text: &str) {
        let complaint = self.shell(&format!("cat >{path}"), text);
        assert_eq!(complaint, "", "{path}");
    }

    /// A property of the service.
    fn property(&self, name: &str) -> String {
        self.run(&format!("systemctl show rackwarden --value -p {name}"))
    }

    /// Waits until a property has this value.
    fn wait_for(&self, name: &str, value: &str) {
        wait_for(&format!("{name}={value}\n{}", self.journal()), || {
            (self.property(name) == value).then_some(())
        });
    }

    fn journal(&self) -> String {
        self.run("journalctl --no-pager -u rackwarden")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.journal());
        }
        let stop = Command::new(repository("tests/peers/dockerd"))
            .arg("stop")
            .arg(self.dir())
            .status();
        if !std::thread::panicking() {
            assert!(stop.is_ok_and(|status| status.success()));
        }
    }
}

/// One step of the recipe for containers. What is missing ends the test with its name.
pub(crate) fn peer(arguments: &[&str]) {
    let output = Command::new(repository("tests/peers/dockerd"))
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .expect("the script is there");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}

#[test]
#[ignore = "needs dockerd, debootstrap and the right to run containers: tests/run installs and runs them"]
fn the_service_lives_under_a_real_systemd() {
    let (api, device, second) = (BotApi::start(), Device::start(1000), Device::start(2000));
    let machine = Machine::start();
    let config = |tables: &str| {
        let chat = api.config().replace(&format!("token = \"{TOKEN}\"\n"), "");
        format!(
            "name = \"rack-3\"\n{chat}[http]\nlisten = \"127.0.0.1:0\"\n{CALM}[power]\nlimit = \"3 kW\"\n{tables}"
        )
    };
    let unit = std::fs::read_to_string(repository("systemd/rackwarden.service")).expect("the unit");
    machine.run("mkdir -p /etc/rackwarden /etc/systemd/system/rackwarden.service.d");
    machine.write("/etc/systemd/system/rackwarden.service", &unit);
    machine.write(
        "/etc/rackwarden/rackwarden.toml",
        &config(&device.table("alpha")),
    );
    machine.write("/etc/rackwarden/telegram.token", TOKEN);
    machine.run("chmod 600 /etc/rackwarden/telegram.token");
    assert_eq!(
        machine.run("systemd-analyze verify --man=no rackwarden.service"),
        "",
        "this systemd complains about the unit"
    );

    // Only the patience differs from what is shipped, so that the test need not have it.
    machine.write(
        "/etc/systemd/system/rackwarden.service.d/test.conf",
        "[Service]\nWatchdogSec=4s\nMemoryMax=24M\nMemorySwapMax=0\n",
    );
    assert_eq!(
        machine.run("systemctl daemon-reload && systemctl start rackwarden"),
        ""
    );
    assert_eq!(
        machine.property("ActiveState"),
        "active",
        "not ready after the start"
    );
    api.wait_for_poll();
    machine.wait_for("StatusText", "1 PDU, 1000 W, 0 alerts");

    // A user of its own, who owns the state and nothing else.
    let pid = machine.property("MainPID");
    let user = machine.run(&format!("stat -c %u /proc/{pid}"));
    assert!(
        user.parse::<u32>().is_ok_and(|id| id >= 61_184),
        "user {user}"
    );
    assert_eq!(machine.run("stat -c %u /var/lib/rackwarden/lock"), user);
    let status = machine.run("rackwarden ask /status");
    assert!(
        status.contains("memory") && !status.contains(" of 0 MiB"),
        "{status}"
    );

    let both = config(&(device.table("alpha") + &second.table("bravo")));
    machine.write("/etc/rackwarden/rackwarden.toml", &both);
    assert_eq!(machine.run("systemctl reload rackwarden"), "");
    machine.wait_for("StatusText", "2 PDUs, 3000 W, 0 alerts");
    machine.write(
        "/etc/rackwarden/rackwarden.toml",
        "[power]\nintervall = \"2s\"\n",
    );
    machine.run("systemctl reload rackwarden");
    wait_for("the complaint", || {
        machine.journal().contains("intervall").then_some(())
    });
    machine.wait_for("ActiveState", "active");
    assert_eq!(machine.property("NRestarts"), "0");
    machine.write("/etc/rackwarden/rackwarden.toml", &both);

    machine.run(&format!("kill -KILL {pid}"));
    api.wait_for_message("restarted: killed by signal KILL");
    machine.wait_for("StatusText", "2 PDUs, 3000 W, 0 alerts");
    assert_eq!(machine.property("NRestarts"), "1");

    let stopped = machine.property("MainPID");
    machine.run(&format!("kill -STOP {stopped}"));
    api.wait_for_message("restarted: it hung, and the watchdog ended it");
    assert_eq!(machine.property("NRestarts"), "2");
    let journal = machine.journal();
    assert!(journal.contains("6/ABRT"), "{journal}");

    // A neighbour in its group takes the memory, and the kernel takes the agent. The alert is on its way then.
    machine.wait_for("StatusText", "2 PDUs, 3000 W, 0 alerts");
    device.set_power(3500);
    api.wait_for_message("above power limit");
    let polls = api.with(|service, _| {
        service
            .calls()
            .iter()
            .filter(|call| call.method == "getUpdates")
            .count()
    });
    let killed = Instant::now();
    machine.run(HOG);
    assert!(
        api.wait_for_calls(PATIENCE, "getUpdates", polls + 1),
        "it does not come back"
    );
    let away = killed.elapsed();
    assert!(away < Duration::from_secs(3), "it was away for {away:?}");
    api.wait_for_message("restarted: killed for memory");
    assert_eq!(machine.property("NRestarts"), "3");
    device.set_power(1000);
    api.wait_for_message("back below limit");
    assert_eq!(api.news("above power limit").len(), 1);

    // What somebody wanted needs no words.
    assert_eq!(machine.run("systemctl restart rackwarden"), "");
    machine.wait_for("StatusText", "2 PDUs, 3000 W, 0 alerts");
    assert_eq!(api.news("restarted:").len(), 3);

    let asked = Instant::now();
    assert_eq!(machine.run("systemctl stop rackwarden"), "");
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(2), "the stop took {took:?}");
    assert_eq!(machine.property("Result"), "success");
}
