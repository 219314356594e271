//! Switching outlets of a real device's recording over real sockets.

use crate::support::{Agent, Process, Scratch, free_udp_port, rackwarden, repository, wait_for};

#[test]
fn an_outlet_of_a_recorded_device_is_switched_and_read_back() {
    let scratch = Scratch::new();
    let port = free_udp_port();
    let mut command = rackwarden(&scratch);
    command
        .args(["simulate", "--listen", &format!("127.0.0.1:{port}")])
        .arg("--recording")
        .arg(repository("tests/fixtures/pdu/apc_ap7900b.snmprec"));
    let _simulator = Process::start(command, &scratch, "simulate");
    let agent = Agent::start(&format!(
        "[[pdu]]\nname = \"alpha\"\naddress = \"127.0.0.1:{port}\"\nwrite_community = \"private\"\n"
    ));
    wait_for("the outlets", || {
        agent
            .ask("/outlets alpha")
            .contains("NAS PSU")
            .then_some(())
    });
    let shown = agent.ask("/outlet alpha nas off");
    assert!(shown.contains("outlet 1 (NAS PSU) is on"), "{shown}");
    let code = shown
        .split("/press ")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("a button");
    let told = agent.ask(&format!("/press {code}"));
    assert!(told.contains("alpha: outlet 1 (NAS PSU) is off."), "{told}");
    wait_for("the state on the page", || {
        let pdu = agent.pdu("alpha")?;
        (pdu["outlets"][0]["state"] == "off").then_some(())
    });
    let pdu = agent.pdu("alpha").expect("it is there");
    assert_eq!(pdu["outlets"][0]["name"], "NAS PSU");
    assert_eq!(pdu["outlets"][1]["state"], "on");
}
