//! A PDU under the control of a test: an rPDU2 with one phase on a loopback port, written without the library's codec.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Below this stand the objects of an rPDU2 (PowerNet-MIB).
const RPDU2: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 26];

pub(crate) struct Device {
    pub(crate) port: u16,
    watts: Arc<AtomicU32>,
    peak: Arc<Peak>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The device's own peak in watts, none while it is 0, and how often somebody has reset it.
#[derive(Default)]
struct Peak {
    watts: AtomicU32,
    sets: AtomicU32,
}

impl Device {
    pub(crate) fn start(watts: u32) -> Device {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback is there");
        let port = socket
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        // Looks up from time to time whether the test has ended.
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a time-out can be set");
        let watts = Arc::new(AtomicU32::new(watts));
        let ends = Arc::new(AtomicBool::new(false));
        let peak = Arc::new(Peak::default());
        let (power, top, end) = (Arc::clone(&watts), Arc::clone(&peak), Arc::clone(&ends));
        let thread = thread::spawn(move || serve(&socket, &power, &top, &end));
        Device {
            port,
            watts,
            peak,
            ends,
            thread: Some(thread),
        }
    }

    /// Sets what it draws (a multiple of 10) and says when that was.
    pub(crate) fn set_power(&self, watts: u32) -> Instant {
        self.watts.store(watts, Ordering::SeqCst);
        Instant::now()
    }

    /// From now on it has a peak of its own that can be reset; the answer to that never arrives.
    pub(crate) fn set_peak(&self, watts: u32) {
        self.peak.watts.store(watts, Ordering::SeqCst);
    }

    /// How often its peak has been reset.
    pub(crate) fn sets(&self) -> u32 {
        self.peak.sets.load(Ordering::SeqCst)
    }

    pub(crate) fn table(&self, name: &str) -> String {
        format!(
            "[[pdu]]\nname = \"{name}\"\naddress = \"127.0.0.1:{}\"\n",
            self.port
        )
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, watts: &AtomicU32, peak: &Peak, ends: &AtomicBool) {
    let started = Instant::now();
    let mut datagram = [0; 2048];
    while !ends.load(Ordering::SeqCst) {
        let Ok((length, peer)) = socket.recv_from(&mut datagram) else {
            continue;
        };
        let uptime = u32::try_from(started.elapsed().as_millis() / 10).unwrap_or(0);
        let objects = objects(
            watts.load(Ordering::SeqCst),
            peak.watts.load(Ordering::SeqCst),
            uptime + 100,
        );
        if is_set(&datagram[..length]) {
            peak.sets.fetch_add(1, Ordering::SeqCst);
            let present = watts.load(Ordering::SeqCst);
            peak.watts.store(present, Ordering::SeqCst);
        }
        if let Some(answer) = answer(&datagram[..length], &objects) {
            let _ = socket.send_to(&answer, peer);
        }
    }
}

type Objects = BTreeMap<Vec<u32>, Vec<u8>>;

fn objects(watts: u32, peak: u32, uptime: u32) -> Objects {
    let rpdu2 = |rest: &[u32]| [RPDU2, rest].concat();
    let mut objects = BTreeMap::from([
        (
            vec![1, 3, 6, 1, 2, 1, 1, 1, 0],
            element(4, b"APC Web/SNMP Management Card (MN:AP8959EU3 HR:02)"),
        ),
        (
            vec![1, 3, 6, 1, 2, 1, 1, 2, 0],
            oid(&[1, 3, 6, 1, 4, 1, 318, 1, 3, 4, 6]),
        ),
        (vec![1, 3, 6, 1, 2, 1, 1, 3, 0], integer(0x43, uptime)),
        (rpdu2(&[4, 3, 1, 5, 1]), integer(2, watts / 10)),
        (rpdu2(&[4, 3, 1, 9, 1]), integer(2, 19_677)),
        (rpdu2(&[4, 3, 1, 16, 1]), integer(2, watts / 10)),
        (rpdu2(&[6, 3, 1, 3, 1]), integer(2, 1)),
        (rpdu2(&[6, 3, 1, 5, 1]), integer(2, watts * 10 / 230)),
        (rpdu2(&[6, 3, 1, 6, 1]), integer(2, 230)),
        (rpdu2(&[6, 3, 1, 7, 1]), integer(2, watts / 10)),
    ]);
    if peak > 0 {
        objects.insert(rpdu2(&[4, 1, 1, 10, 1]), integer(2, 1));
        objects.insert(rpdu2(&[4, 3, 1, 6, 1]), integer(2, peak / 10));
    }
    objects
}

fn is_set(request: &[u8]) -> bool {
    let kind = || {
        let (_, message, _) = split(request)?;
        let (_, _, rest) = split(message)?;
        let (_, _, rest) = split(rest)?;
        split(rest).map(|(kind, ..)| kind)
    };
    kind() == Some(0xa3)
}

/// Answers GET, GETNEXT and GETBULK (with one repetition); anything else gets no answer.
fn answer(request: &[u8], objects: &Objects) -> Option<Vec<u8>> {
    let (_, message, _) = split(request)?;
    let (_, version, rest) = split(message)?;
    let (_, community, rest) = split(rest)?;
    let (kind, pdu, _) = split(rest)?;
    let (_, id, rest) = split(pdu)?;
    let (_, _, rest) = split(rest)?;
    let (_, _, rest) = split(rest)?;
    let (_, mut binds, _) = split(rest)?;
    let mut answers = Vec::new();
    while !binds.is_empty() {
        let (_, bind, rest) = split(binds)?;
        binds = rest;
        let (_, name, _) = split(bind)?;
        let name = read_oid(name);
        let found = match kind {
            0xa0 => objects
                .get(&name)
                .map(|value| (name.clone(), value.clone())),
            0xa1 | 0xa5 => objects
                .iter()
                .find(|(candidate, _)| **candidate > name)
                .map(|(name, value)| (name.clone(), value.clone())),
            _ => return None,
        };
        // noSuchObject for a GET, endOfMibView behind the last one.
        let absent = if kind == 0xa0 {
            vec![0x80, 0]
        } else {
            vec![0x82, 0]
        };
        let (name, value) = found.unwrap_or((name, absent));
        answers.extend(element(0x30, &[oid(&name), value].concat()));
    }
    let zero = integer(2, 0);
    let pdu = [element(2, id), zero.clone(), zero, element(0x30, &answers)].concat();
    let message = [
        element(2, version),
        element(4, community),
        element(0xa2, &pdu),
    ]
    .concat();
    Some(element(0x30, &message))
}

/// Tag, content and what follows.
fn split(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = data.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (
            usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?),
            rest.get(2..)?,
        ),
        short => (usize::from(short), rest),
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if length < 128 {
        out.push(length as u8);
    } else {
        out.extend([0x82, (length >> 8) as u8, length as u8]);
    }
    out.extend(content);
    out
}

fn integer(tag: u8, value: u32) -> Vec<u8> {
    element(tag, &[&[0], value.to_be_bytes().as_slice()].concat())
}

fn oid(parts: &[u32]) -> Vec<u8> {
    let mut content = vec![(parts[0] * 40 + parts[1]) as u8];
    for &part in &parts[2..] {
        let septets = (0..5).rev().map(|place| part >> (7 * place));
        let mut begun = false;
        for (left, septet) in (0..5).rev().zip(septets) {
            begun |= septet != 0 || left == 0;
            if begun {
                content.push((septet & 127) as u8 | if left == 0 { 0 } else { 128 });
            }
        }
    }
    element(6, &content)
}

fn read_oid(content: &[u8]) -> Vec<u32> {
    let first = u32::from(content.first().copied().unwrap_or(0));
    let mut parts = vec![first / 40, first % 40];
    let mut value = 0;
    for &byte in content.iter().skip(1) {
        value = value << 7 | u32::from(byte & 127);
        if byte < 128 {
            parts.push(value);
            value = 0;
        }
    }
    parts
}
