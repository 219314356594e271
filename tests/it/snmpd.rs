//! A real `snmpd` publishing an rPDU2 whose power moves and whose peak can be reset.

use crate::support::{
    Agent, Outcome, Process, Scratch, free_udp_port, outcome, rackwarden, repository, wait_for,
};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// net-snmp's daemon with one PDU behind it. Power is steered by a file.
pub(crate) struct Snmpd {
    process: Process,
    pub(crate) scratch: Scratch,
    pub(crate) port: u16,
}

impl Snmpd {
    fn start() -> Snmpd {
        Snmpd::start_with("")
    }

    /// With more lines of configuration, such as users of SNMPv3.
    pub(crate) fn start_with(lines: &str) -> Snmpd {
        let scratch = Scratch::new();
        let port = free_udp_port();
        let power = scratch.write("power", "27");
        let agent = format!(
            "{} {} {}",
            repository("tests/peers/pass_persist.py").display(),
            repository("tests/fixtures/pdu/apc_ap8959eu3.snmprec").display(),
            power.display()
        );
        scratch.write(
            "snmpd.conf",
            &format!(
                "agentaddress udp:127.0.0.1:{port}\nrocommunity public 127.0.0.1\nrwcommunity private 127.0.0.1\n\
                 pass_persist .1.3.6.1.2.1.1 {agent}\npass_persist .1.3.6.1.4.1.318 {agent}\n{lines}"
            ),
        );
        let process = Snmpd::run(&scratch);
        let snmpd = Snmpd {
            process,
            scratch,
            port,
        };
        wait_for("snmpd's first answer", || {
            (snmpd.probe().code == Some(0)).then_some(())
        });
        snmpd
    }

    /// Ends as a service does, and starts anew: one more restart in the eyes of SNMPv3.
    pub(crate) fn restart(&mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        self.process
            .ended(Duration::from_secs(20))
            .expect("snmpd ends");
        self.process = Snmpd::run(&self.scratch);
    }

    fn run(scratch: &Scratch) -> Process {
        let program = ["/usr/sbin/snmpd", "/usr/local/sbin/snmpd"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .expect("peer snmpd is missing: run tests/run, which installs it");
        let mut command = Command::new(program);
        command
            .args(["-f", "-Lo", "-C", "-I", "-system_mib,sysORTable", "-c"])
            .arg(scratch.path("snmpd.conf"))
            .arg("-p")
            .arg(scratch.path("snmpd.pid"))
            .env("MIBS", "")
            .env("SNMP_PERSISTENT_DIR", scratch.path("persistent"));
        Process::start(command, scratch, "snmpd")
    }

    /// Sets the device's power in watts (a multiple of 10).
    pub(crate) fn set_power(&self, watts: u32) {
        self.scratch.write("power", &(watts / 10).to_string());
    }

    fn probe(&self) -> Outcome {
        let mut command = rackwarden(&self.scratch);
        command.args([
            "probe",
            &format!("127.0.0.1:{}", self.port),
            "--community",
            "public",
            "--json",
        ]);
        outcome(command, "")
    }

    pub(crate) fn probed(&self) -> serde_json::Value {
        let outcome = self.probe();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        serde_json::from_str(&outcome.stdout).expect("probe --json prints JSON")
    }

    fn config(&self, write_community: &str) -> String {
        format!(
            "[power]\ninterval = \"2s\"\nlimit = \"3 kW\"\n[[pdu]]\nname = \"alpha\"\naddress = \"127.0.0.1:{}\"\n\
             write_community = \"{write_community}\"\n",
            self.port
        )
    }
}

/// Presses the first button of an answer; buttons stand as `[1] label  (/press CODE)`.
pub(crate) fn press(agent: &Agent, answer: &str) -> String {
    let (_, rest) = answer
        .split_once("/press ")
        .unwrap_or_else(|| panic!("no button in: {answer}"));
    let code = rest.split(')').next().expect("a code follows");
    agent.ask(&format!("/press {code}"))
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn probe_sees_the_power_that_snmpd_shows() {
    let snmpd = Snmpd::start();
    let pdu = snmpd.probed();
    assert_eq!(pdu["power_w"], 270.0);
    assert_eq!(pdu["kind"], "full");
    assert_eq!(pdu["model"], "AP8959EU3");
    assert_eq!(pdu["sys_object_id"], "1.3.6.1.4.1.318.1.3.4.6");
    snmpd.set_power(4100);
    assert_eq!(snmpd.probed()["power_w"], 4100.0);
    assert_eq!(snmpd.probed()["peak_w"], 4100.0);
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn a_reset_is_written_and_read_back() {
    let snmpd = Snmpd::start();
    let agent = Agent::start(&snmpd.config("private"));
    agent.wait_for_power("alpha", 270.0);
    snmpd.set_power(2900);
    agent.wait_for_power("alpha", 2900.0);
    snmpd.set_power(500);
    agent.wait_for_power("alpha", 500.0);
    assert!(agent.ask("/peaks").contains("2900 W"));

    let answer = press(&agent, &agent.ask("/reset alpha"));
    assert!(answer.contains("500 W"), "{answer}");
    assert_eq!(snmpd.probed()["peak_w"], 500.0);
    let peaks = agent.ask("/peaks");
    assert!(!peaks.contains("2900 W"), "{peaks}");
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn a_reset_that_the_device_refuses_says_so() {
    let snmpd = Snmpd::start();
    let agent = Agent::start(&snmpd.config("public"));
    snmpd.set_power(2900);
    agent.wait_for_power("alpha", 2900.0);
    snmpd.set_power(500);
    agent.wait_for_power("alpha", 500.0);
    let answer = press(&agent, &agent.ask("/reset alpha"));
    assert!(answer.contains("noAccess"), "{answer}");
    assert_eq!(snmpd.probed()["peak_w"], 2900.0, "the device kept its peak");
}

#[test]
#[ignore = "needs snmpd: tests/run installs and runs it"]
fn an_excess_on_the_device_is_written_down() {
    let snmpd = Snmpd::start();
    let agent = Agent::start(&snmpd.config("private"));
    agent.wait_for_power("alpha", 270.0);
    snmpd.set_power(3120);
    agent.wait_for_power("alpha", 3120.0);
    wait_for("the alert", || {
        agent.ask("/alerts").contains("3120 W").then_some(())
    });
    snmpd.set_power(400);
    let log = agent.scratch.path("state").join("exceedings.log");
    let lines = wait_for("both lines of exceedings.log", || {
        let text = std::fs::read_to_string(&log).ok()?;
        (text.lines().count() >= 2).then_some(text)
    });
    assert!(
        lines.contains("--- (alpha): above power limit: 3120 W > 3000 W"),
        "{lines}"
    );
    assert!(
        lines.contains("--- (alpha): back below limit after"),
        "{lines}"
    );
}
