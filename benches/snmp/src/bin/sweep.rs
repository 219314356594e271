//! One sweep over many PDUs through the SNMP service: a GET of four objects each, in slots of 20 ms with at
//! most 256 requests, as the agent plans them. Prints when the last live device was read, when the sweep
//! ended, and the CPU of the whole process. `benches/snmp/sweep.sh` runs it beside a plain UDP program.
//!
//! usage: sweep PDUS [--port 1161] [--sweeps 1] [--timeout-ms 1000] [--retries 1]
//!
//! Device i is 127.1.(i / 250).(i % 250 + 1).

use rackwarden_core::effect::Ticket;
use rackwarden_core::event::Event;
use rackwarden_core::fault::FaultKind;
use rackwarden_core::snmp::{Credentials, SnmpAsk, SnmpRequest, SnmpTarget};
use snmp_benches::{Service, cpu, tasks};
use std::sync::Arc;
use std::time::Duration;

const SLOT: Duration = Duration::from_millis(20);
const SLOT_REQUESTS: usize = 256;

struct Options {
    pdus: usize,
    port: u16,
    sweeps: u32,
    timeout: Duration,
    retries: u8,
}

fn main() {
    let options = options();
    let service = snmp_benches::start();
    let targets = targets(&options);
    for _ in 0..options.sweeps {
        sweep(&options, &service, &targets);
    }
}

fn sweep(options: &Options, service: &Service, targets: &[Arc<SnmpTarget>]) {
    let Service {
        clock,
        inbox,
        handle,
    } = service;
    let oids = snmp_benches::asked("1.3.6.1.4.1.318.1.1.12.2.3.1.1.2.1");
    let cpu_before = cpu();
    let switches_before = switches();
    let began = clock.mono();
    let (mut live, mut lost, mut unreachable) = (0, 0, 0);
    let mut last_live = began;
    let mut slots = targets.chunks(SLOT_REQUESTS).enumerate();
    let mut next = slots.next();
    while live + lost + unreachable < targets.len() {
        let now = clock.mono();
        let due = next.map(|(slot, _)| began + SLOT * slot as u32);
        if let Some((slot, chunk)) = next.filter(|_| due.is_some_and(|due| due <= now)) {
            let first = slot * SLOT_REQUESTS;
            let requests = chunk.iter().enumerate().map(|(index, target)| SnmpRequest {
                ticket: Ticket((first + index) as u64),
                target: Arc::clone(target),
                ask: SnmpAsk::Get(Arc::clone(&oids)),
                timeout: options.timeout,
                retries: options.retries,
                deadline: now + options.timeout * (u32::from(options.retries) + 1),
            });
            handle.submit(requests.collect()).expect("room");
            next = slots.next();
            continue;
        }
        let Some(Event::Snmp(replies)) = inbox.receive(due.map(|due| due.since(now))) else {
            continue;
        };
        for reply in replies {
            match reply.result {
                Ok(_) => {
                    live += 1;
                    last_live = last_live.max(reply.received);
                }
                Err(fault) if fault.kind == FaultKind::Timeout => lost += 1,
                Err(_) => unreachable += 1,
            }
        }
    }
    let wall = clock.mono().since(began).as_secs_f64();
    let cpu = cpu() - cpu_before;
    let pdus = targets.len();
    println!(
        "ours N {pdus} ok {live} lost {lost} failed {unreachable} strays {} live_done {:.4} s wall {wall:.4} s cpu {cpu:.4} s {:.0} ns/pdu cpu, {} voluntary switches",
        handle.strays(),
        last_live.since(began).as_secs_f64(),
        cpu / pdus as f64 * 1e9,
        switches() - switches_before,
    );
}

fn targets(options: &Options) -> Vec<Arc<SnmpTarget>> {
    (0..options.pdus)
        .map(|index| {
            let ip = [127, 1, (index / 250) as u8, (index % 250 + 1) as u8];
            Arc::new(SnmpTarget {
                addr: (ip, options.port).into(),
                credentials: Credentials::community("public"),
                any_source: false,
            })
        })
        .collect()
}

fn options() -> Options {
    let mut options = Options {
        pdus: 1000,
        port: 1161,
        sweeps: 1,
        timeout: Duration::from_millis(1000),
        retries: 1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse::<u32>().ok());
            value.unwrap_or_else(|| panic!("{word} needs a number"))
        };
        match word.as_str() {
            "--port" => options.port = number() as u16,
            "--sweeps" => options.sweeps = number(),
            "--timeout-ms" => options.timeout = Duration::from_millis(u64::from(number())),
            "--retries" => options.retries = number() as u8,
            pdus => options.pdus = pdus.parse().expect("how many PDUs"),
        }
    }
    options
}

/// Voluntary context switches of the threads of this process.
fn switches() -> u64 {
    let count = |text: String| -> Option<u64> {
        let mut lines = text.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse().ok()
    };
    tasks("status").filter_map(count).sum()
}
