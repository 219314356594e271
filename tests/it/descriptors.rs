//! File descriptors: few in normal use, and none left is no end.

use crate::bot_api::BotApi;
use crate::device::Device;
use crate::support::{Agent, wait_for};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// What an agent with a chat, a status page and a device may hold open.
const MOST: usize = 64;

fn open_descriptors(agent: &Agent) -> usize {
    let path = format!("/proc/{}/fd", agent.process.id());
    std::fs::read_dir(path).expect("it runs").count()
}

/// From now on the agent gets no descriptor with a number of `most` or above.
fn limit(agent: &Agent, most: u64) {
    let pid = i32::try_from(agent.process.id())
        .ok()
        .and_then(Pid::from_raw);
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(1024),
    };
    prlimit(pid, Resource::Nofile, limit).expect("a child may be limited");
}

#[test]
fn without_any_left_the_agent_goes_on_and_tells_later() {
    let (api, device) = (BotApi::start(), Device::start(1000));
    let agent = Agent::start(&format!(
        "{}[power]\nlimit = \"3 kW\"\n{}",
        api.config(),
        device.table("alpha")
    ));
    agent.wait_for_power("alpha", 1000.0);
    api.wait_for_poll();
    let open = open_descriptors(&agent);
    assert!(open <= MOST, "{open} descriptors");

    limit(&agent, 3);
    // The connections are gone, and there can be no new ones.
    api.set_away(true);
    api.set_away(false);
    wait_for("the complaint", || {
        agent
            .process
            .printed()
            .contains("Too many open files")
            .then_some(())
    });
    device.set_power(3500);
    limit(&agent, 1024);
    api.wait_for_message("above power limit: 3500 W");
    agent.wait_for_power("alpha", 3500.0);
    let printed = agent.process.printed();
    assert!(!printed.contains("panicked"), "{printed}");
    let open = open_descriptors(&agent);
    assert!(open <= MOST, "{open} descriptors");
}
