//! Searching networks of simulated devices on loopback.

use std::net::UdpSocket;

use crate::support::{
    Outcome, PATIENCE, Process, Scratch, free_udp_port, outcome, rackwarden, wait_for,
};

/// Simulated devices, each with an address of its own on one port, until the test ends.
fn devices(scratch: &Scratch, first: &str, more: &[&str]) -> (Process, u16) {
    let port = free_udp_port();
    let mut command = rackwarden(scratch);
    command
        .args(["simulate", "--listen", &format!("{first}:{port}")])
        .args(more);
    let simulator = Process::start(command, scratch, "simulate");
    wait_for("the devices", || {
        simulator.printed().contains("answer").then_some(())
    });
    (simulator, port)
}

fn discover(scratch: &Scratch, port: u16, more: &[&str]) -> Outcome {
    let mut command = rackwarden(scratch);
    command
        .args(["discover", "--port", &port.to_string()])
        .args(more);
    outcome(command, "")
}

#[test]
fn a_thousand_pdus_are_found_and_what_is_printed_is_a_configuration() {
    let scratch = Scratch::new();
    let (_devices, port) = devices(&scratch, "127.40.0.1", &["--count", "1010"]);
    let found = discover(&scratch, port, &["127.40.0.0/22", "--rate", "4000"]);
    assert_eq!(found.code, Some(0), "{}", found.stderr);
    assert_eq!(found.stdout.matches("[[pdu]]").count(), 1010);
    assert_eq!(
        found.stderr, "127.40.0.0/22: 1010 PDUs in 1022 addresses\n",
        "no progress where nobody watches"
    );
    let first = "name = \"pdu-1\"\naddress = \"127.40.0.1:";
    assert!(found.stdout.contains(first), "{}", found.stdout);
    let addresses: Vec<std::net::SocketAddr> = found
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("address = \"")?.strip_suffix('"'))
        .map(|addr| addr.parse().expect("an address"))
        .collect();
    assert!(addresses.is_sorted(), "in the order of addresses");
    let file = scratch.write("found.toml", &found.stdout);
    let mut check = rackwarden(&scratch);
    check.args(["check", "--config"]).arg(file);
    let check = outcome(check, "");
    assert_eq!(check.code, Some(0), "{}", check.stderr);
}

#[test]
fn a_community_is_found_among_several_and_what_is_no_pdu_is_counted() {
    let scratch = Scratch::new();
    let (_devices, port) = devices(&scratch, "127.41.0.1", &["--community", "racks"]);
    let file = scratch.write(
        "host.snmprec",
        "1.3.6.1.2.1.1.1.0|4|Linux host\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n1.3.6.1.2.1.1.3.0|67|100\n",
    );
    let mut command = rackwarden(&scratch);
    command
        .args(["simulate", "--listen", &format!("127.41.0.2:{port}")])
        .arg("--recording")
        .arg(file);
    let host = Process::start(command, &scratch, "host");
    wait_for("the host", || {
        host.printed().contains("answers").then_some(())
    });
    let more = [
        "127.41.0.0/30",
        "--community",
        "public",
        "--community",
        "racks",
    ];
    let found = discover(&scratch, port, &more);
    assert!(
        found.stdout.contains("community = \"racks\"\n"),
        "{}",
        found.stdout
    );
    assert_eq!(
        found.stderr,
        "127.41.0.0/30: 1 PDU in 2 addresses, 1 other device that speaks SNMP\n"
    );
}

#[test]
fn an_interrupted_search_prints_what_it_has() {
    let scratch = Scratch::new();
    let (_devices, port) = devices(&scratch, "127.42.0.1", &[]);
    let mut command = rackwarden(&scratch);
    command.args(["discover", "127.42.0.0/16", "--rate", "500"]);
    command.args(["--port", &port.to_string()]);
    // Questions that follow from an answer go before further knocks.
    let far = UdpSocket::bind(("127.42.1.0", port)).expect("loopback is there");
    far.set_read_timeout(Some(PATIENCE)).expect("a time");
    let mut search = Process::start(command, &scratch, "discover");
    far.recv(&mut [0; 100]).expect("a knock");
    search.signal(rustix::process::Signal::INT);
    let status = search.ended(PATIENCE).expect("it ends");
    assert!(status.success(), "{status}");
    let printed = search.printed();
    assert!(printed.contains("address = \"127.42.0.1:"), "{printed}");
    assert!(printed.contains("ended early, after "), "{printed}");
}

#[test]
fn what_cannot_be_searched_is_said() {
    let scratch = Scratch::new();
    for (arguments, want) in [
        (
            &["10.0.0.0/8"][..],
            "rackwarden: discover: `10.0.0.0/8` is too large; the largest is /16, of 65536 addresses. Name its parts one by one\n",
        ),
        (
            &["rack"],
            "rackwarden: discover: `rack` is not a network; write one such as 192.168.1.0/24\n",
        ),
        (
            &[],
            "rackwarden: discover: wrong arguments; write `rackwarden discover CIDR`\n",
        ),
        (
            &["10.0.0.0/24", "--rate", "0"],
            "rackwarden: --rate 0: not a number from 1 to 100000\n",
        ),
    ] {
        let mut command = rackwarden(&scratch);
        command.arg("discover").args(arguments);
        let outcome = outcome(command, "");
        assert_eq!(outcome.code, Some(2));
        assert_eq!(outcome.stderr, want);
        assert_eq!(outcome.stdout, "");
    }
}
