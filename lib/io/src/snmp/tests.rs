use super::*;
use crate::net::Net;
use rackwarden_core::effect::Ticket;
use rackwarden_snmp::{Credentials, Message, Oid, PduKind, SnmpAnswer, SnmpAsk, SnmpTarget, Value};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

/// A net thread with the service alone.
struct Bench {
    clock: Clock,
    inbox: Inbox,
    handle: SnmpHandle,
    is_stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Bench {
    fn start() -> Bench {
        let clock = Clock::start();
        let inbox = Inbox::new();
        let mut net = Net::new().unwrap();
        let waker = net.waker();
        let (service, handle) = SnmpService::new(clock, 7, inbox.clone(), waker.clone());
        net.add(Box::new(service));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_stopping);
        let thread = std::thread::spawn(move || {
            net.run(|| flag.load(Ordering::Relaxed)).unwrap();
        });
        Bench {
            clock,
            inbox,
            handle,
            is_stopping,
            waker,
            thread: Some(thread),
        }
    }

    fn ask(&self, ticket: u64, addr: SocketAddr, deadline: Duration) -> SnmpRequest {
        SnmpRequest {
            ticket: Ticket(ticket),
            target: Arc::new(SnmpTarget {
                addr,
                credentials: Credentials::community("public"),
                any_source: false,
            }),
            ask: SnmpAsk::Get(Arc::from([Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, 3, 0])])),
            timeout: Duration::from_millis(500),
            retries: 1,
            deadline: self.clock.mono() + deadline,
        }
    }

    fn replies(&self, count: usize) -> BTreeMap<u64, SnmpReply> {
        let mut replies = BTreeMap::new();
        while replies.len() < count {
            match self.inbox.receive(Some(Duration::from_secs(20))) {
                Some(Event::Snmp(batch)) => {
                    for reply in batch {
                        let ticket = reply.ticket.0;
                        assert!(replies.insert(ticket, reply).is_none(), "two replies");
                    }
                }
                other => panic!("{other:?} after {} replies", replies.len()),
            }
        }
        replies
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers every GET with the number of the question, until it goes out of scope.
struct Device {
    addr: SocketAddr,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    fn start(bind: &str) -> Option<Device> {
        let socket = UdpSocket::bind(bind).ok()?;
        // All come to this one socket.
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 212_992).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let addr = socket.local_addr().unwrap();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_stopping);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !flag.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let mut message = Message::decode(&buffer[..len]).unwrap();
                message.pdu.kind = PduKind::Response;
                message.pdu.binds[0].value = Value::TimeTicks(4711);
                let mut answer = Vec::new();
                message.encode(&mut answer);
                socket.send_to(&answer, from).unwrap();
                // A doubled datagram must not disturb anything.
                socket.send_to(&answer, from).unwrap();
            }
        });
        Some(Device {
            addr,
            is_stopping,
            thread: Some(thread),
        })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const LONG: Duration = Duration::from_secs(15);

fn is_value(reply: &SnmpReply) -> bool {
    let want = [Value::TimeTicks(4711)];
    matches!(&reply.result, Ok(SnmpAnswer::Values(values)) if **values == want)
}

#[test]
fn a_burst_larger_than_the_buffer_is_answered_in_full() {
    let bench = Bench::start();
    let device = Device::start("127.0.0.1:0").unwrap();
    let requests = (0..2000).map(|ticket| bench.ask(ticket, device.addr, LONG));
    bench.handle.submit(requests.collect()).unwrap();
    let replies = bench.replies(2000);
    assert!(replies.values().all(is_value));
}

#[test]
fn a_dead_device_does_not_keep_the_others_waiting() {
    let bench = Bench::start();
    let device = Device::start("127.0.0.1:0").unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut requests = Vec::new();
    for ticket in 0..200 {
        requests.push(bench.ask(ticket, silent.local_addr().unwrap(), LONG / 10));
    }
    requests.push(bench.ask(200, device.addr, LONG));
    bench.handle.submit(requests).unwrap();
    let first = bench.replies(1);
    assert!(is_value(&first[&200]));
    let rest = bench.replies(200);
    for reply in rest.values() {
        let fault = reply.result.as_ref().unwrap_err();
        assert_eq!(fault.kind, FaultKind::Timeout, "{fault}");
        assert_eq!(reply.tries, 2);
    }
}

#[test]
fn ipv6_devices_are_asked_through_a_socket_of_their_own() {
    let Some(device) = Device::start("[::1]:0") else {
        return;
    };
    let bench = Bench::start();
    bench
        .handle
        .submit(vec![bench.ask(1, device.addr, LONG)])
        .unwrap();
    assert!(is_value(&bench.replies(1)[&1]));
}

#[test]
fn an_address_that_cannot_be_sent_to_is_unreachable_at_once() {
    let bench = Bench::start();
    let nowhere = "127.0.0.1:0".parse().unwrap();
    bench
        .handle
        .submit(vec![bench.ask(1, nowhere, LONG)])
        .unwrap();
    let reply = &bench.replies(1)[&1];
    let fault = reply.result.as_ref().unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    assert!(!fault.detail.contains("os error"), "{fault}");
}

#[test]
fn a_full_queue_refuses_at_once() {
    let inbox = Inbox::new();
    let net = Net::new().unwrap();
    let clock = Clock::start();
    let (_service, handle) = SnmpService::new(clock, 7, inbox, net.waker());
    let bench = Bench::start();
    let addr = "127.0.0.1:9".parse().unwrap();
    let requests = (0..MAX_QUEUED as u64 + 3).map(|ticket| bench.ask(ticket, addr, LONG));
    let refused = handle.submit(requests.collect()).unwrap_err();
    let tickets: Vec<u64> = refused.iter().map(|reply| reply.ticket.0).collect();
    let first = MAX_QUEUED as u64;
    assert_eq!(tickets, [first, first + 1, first + 2]);
}
