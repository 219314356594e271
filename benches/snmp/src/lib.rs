//! What the measurements of SNMP have in common: the service on sockets of its own, and what the threads of this process cost.

use rackwarden_io::clock::Clock;
use rackwarden_io::inbox::Inbox;
use rackwarden_io::net::Net;
use rackwarden_io::snmp::{SnmpHandle, SnmpService};
use rackwarden_core::snmp::Oid;
use std::sync::Arc;

/// The service, which runs on a thread of its own, and where its answers come.
pub struct Service {
    pub clock: Clock,
    pub inbox: Inbox,
    pub handle: SnmpHandle,
}

/// Starts it.
pub fn start() -> Service {
    let clock = Clock::start();
    let inbox = Inbox::new();
    let mut net = Net::new().expect("descriptors");
    let (service, handle) = SnmpService::new(clock, 1, inbox.clone(), net.waker());
    net.add(Box::new(service));
    std::thread::spawn(move || net.run(|| false));
    Service {
        clock,
        inbox,
        handle,
    }
}

/// What each device is asked: its uptime, its name, the current of its phase (this object) and its power.
pub fn asked(phase_current: &str) -> Arc<[Oid]> {
    [
        "1.3.6.1.2.1.1.3.0",
        "1.3.6.1.2.1.1.5.0",
        phase_current,
        "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1",
    ]
    .iter()
    .map(|text| text.parse().expect("an OID"))
    .collect()
}

/// CPU seconds of the threads of this process.
pub fn cpu() -> f64 {
    let nanoseconds = |text: String| -> Option<u64> { text.split(' ').next()?.parse().ok() };
    let sum: u64 = tasks("schedstat").filter_map(nanoseconds).sum();
    sum as f64 / 1e9
}

/// This file of every thread.
pub fn tasks(file: &'static str) -> impl Iterator<Item = String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a proc file system");
    tasks
        .flatten()
        .filter_map(move |task| std::fs::read_to_string(task.path().join(file)).ok())
}
