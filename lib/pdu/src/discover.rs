//! Looks for PDUs in a network: knocks at every address, and asks who answers what it is. Pure: it says what to ask and
//! when, at a given rate, and takes the answers.
//!
//! Every address is asked in rounds: with each community in version 2c and, where nothing has answered yet, in version 1,
//! which stands for the repetition as well; then as the user of SNMPv3, if there is one.

use super::identify::{Next, Options};
use super::{Identified, Identify, Kind, Profiles};
use rackwarden_base::Ticket;
use rackwarden_base::fault::FaultKind;
use rackwarden_base::small::SmallMap;
use rackwarden_base::time::Mono;
use rackwarden_snmp::{
    Credentials, Oid, SnmpAnswer, SnmpAsk, SnmpReply, SnmpRequest, SnmpTarget, Version,
};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// sysName.0 (RFC 3418).
const SYS_NAME: [u32; 9] = [1, 3, 6, 1, 2, 1, 1, 5, 0];
/// Addresses in one search: an IPv4 /16.
const MAX_ADDRESSES: u32 = 65_536;
/// Devices that are being asked what they are, at a time: each takes some kilobytes meanwhile.
const MAX_IDENTIFYING: usize = 64;
/// After a delay requests may follow each other faster, until this much is made up for.
const CATCH_UP: Duration = Duration::from_millis(20);
/// A question in the course of identification is repeated so often.
const RETRIES: u8 = 2;

/// The addresses to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    count: u32,
}

impl Network {
    /// Reads `192.168.1.0/24`, or one address. The network's own address and its broadcast address are left out.
    ///
    /// # Errors
    /// Says what is accepted, and that a network is too large.
    pub fn parse(text: &str) -> Result<Network, String> {
        const FORM: &str = "is not a network; write one such as 192.168.1.0/24";
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| FORM.to_owned())?;
        let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= bits)
                .ok_or(FORM)?,
        };
        let host_bits = bits - prefix;
        let largest = MAX_ADDRESSES.ilog2();
        if host_bits > largest {
            return Err(format!(
                "is too large; the largest is /{}, of {MAX_ADDRESSES} addresses. Name its parts one by one",
                bits - largest
            ));
        }
        let count = 1u32 << host_bits;
        let network = Network {
            first: match address {
                IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) & !(count - 1)).into(),
                IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(count - 1)).into()),
            },
            count,
        };
        Ok(match address {
            IpAddr::V4(_) if host_bits >= 2 => Network {
                first: network.nth(1),
                count: count - 2,
            },
            _ => network,
        })
    }

    /// How many addresses.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// An address of it, counted from 0.
    pub fn nth(&self, at: u32) -> IpAddr {
        match self.first {
            IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip).wrapping_add(at)).into(),
            IpAddr::V6(ip) => IpAddr::V6(u128::from(ip).wrapping_add(u128::from(at)).into()),
        }
    }
}

/// What to search, and how fast.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where.
    pub network: Network,
    /// UDP port.
    pub port: u16,
    /// As whom, in this order. Communities are tried in version 2c and 1.
    pub credentials: Vec<Credentials>,
    /// Questions a second.
    pub rate: u32,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A PDU that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is.
    pub addr: SocketAddr,
    /// As whom it answered, in which version.
    pub credentials: Credentials,
    /// sysName; empty when it has none.
    pub name: String,
    /// What it is, with its first reading.
    pub identified: Identified,
}

/// What came of a search.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// PDUs with readings or outlets, by address.
    pub pdus: Vec<Found>,
    /// PDUs whose readings are not known, by address.
    pub mute: Vec<Found>,
    /// Devices that are no PDUs.
    pub others: u32,
    /// Devices that answered once and fell silent while they were asked what they are.
    pub lost: Vec<SocketAddr>,
    /// Devices that speak SNMPv3 and refuse the user, with the reason of the first one.
    pub refused: (u32, String),
    /// Addresses that nothing could be sent to, with the reason of the first one.
    pub unreachable: (u32, String),
}

/// A search.
#[derive(Debug)]
pub struct Discovery {
    settings: Settings,
    profiles: Profiles,
    greeting: Arc<[Oid]>,
    rounds: Vec<Credentials>,
    round: usize,
    /// The next address of this round.
    next: u32,
    /// By address: somebody is there, or nobody can be.
    settled: Vec<bool>,
    out: SmallMap<Ticket, Job>,
    tickets: u64,
    /// Questions that follow from answers; they go before new knocks.
    ready: VecDeque<(Job, SnmpAsk)>,
    /// Who answered and waits until fewer others are asked.
    waiting: VecDeque<(u32, Credentials, SnmpAnswer)>,
    identifying: usize,
    not_before: Mono,
    report: Report,
}

/// What a question is about.
#[derive(Debug)]
struct Job {
    at: u32,
    credentials: Credentials,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// Is anybody there?
    Knock,
    /// It answered in version 1: does it speak 2c after all? With what it answered.
    Upgrade(SnmpAnswer),
    Identify(Box<Identify>),
    Name(Box<Identified>),
}

impl Discovery {
    /// A search that has not begun.
    pub fn new(settings: Settings) -> Discovery {
        let of_version = |version: Version| {
            move |credentials: &Credentials| match credentials {
                Credentials::Community(_, community) => {
                    Some(Credentials::Community(version, community.clone()))
                }
                Credentials::Usm(_) => None,
            }
        };
        let given = &settings.credentials;
        let first = given.iter().filter_map(of_version(Version::V2c));
        let second = given.iter().filter_map(of_version(Version::V1));
        let users = given.iter().filter_map(|credentials| match credentials {
            Credentials::Community(..) => None,
            Credentials::Usm(_) => Some(credentials.clone()),
        });
        Discovery {
            rounds: first.chain(second).chain(users).collect(),
            settled: vec![false; settings.network.count() as usize],
            profiles: Profiles::builtin(),
            greeting: Identify::first_question().into(),
            round: 0,
            next: 0,
            out: SmallMap::new(),
            tickets: 0,
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            identifying: 0,
            not_before: Mono::ZERO,
            report: Report::default(),
            settings,
        }
    }

    /// The next question, if one may leave now.
    pub fn poll(&mut self, now: Mono) -> Option<SnmpRequest> {
        if now < self.not_before {
            return None;
        }
        let (job, ask) = self.next_job()?;
        let gap = Duration::from_secs(1) / self.settings.rate.max(1);
        let earliest = match now.since(Mono::ZERO) > CATCH_UP {
            true => Mono::ZERO + (now.since(Mono::ZERO) - CATCH_UP),
            false => Mono::ZERO,
        };
        self.not_before = self.not_before.max(earliest) + gap;
        let retries = match (&job.step, &job.credentials) {
            (Step::Knock, Credentials::Community(..)) => 0,
            (Step::Knock, Credentials::Usm(_)) => 1,
            _ => RETRIES,
        };
        self.tickets += 1;
        let request = SnmpRequest {
            ticket: Ticket(self.tickets),
            target: Arc::new(SnmpTarget {
                addr: self.addr(job.at),
                credentials: job.credentials.clone(),
                any_source: false,
            }),
            ask,
            timeout: self.settings.timeout,
            retries,
            deadline: now + self.settings.timeout * (u32::from(retries) + 1),
        };
        self.out.insert(request.ticket, job);
        Some(request)
    }

    /// When the next question may leave; `None` when answers decide.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let is_knocking = self.round < self.rounds.len()
            && (self.next < self.settings.network.count() || self.out.is_empty());
        (is_knocking || !self.ready.is_empty()).then_some(self.not_before)
    }

    /// Takes an answer.
    pub fn handle(&mut self, reply: SnmpReply) {
        let Some(job) = self.out.remove(&reply.ticket) else {
            return;
        };
        let Job {
            at,
            credentials,
            step,
        } = job;
        match (step, reply.result) {
            (Step::Knock, Ok(answer)) => {
                if std::mem::replace(&mut self.settled[at as usize], true) {
                    return;
                }
                match &credentials {
                    Credentials::Community(Version::V1, community) => {
                        let community = community.clone();
                        let job = Job {
                            at,
                            credentials: Credentials::Community(Version::V2c, community),
                            step: Step::Upgrade(answer),
                        };
                        let ask = SnmpAsk::Get(Arc::clone(&self.greeting));
                        self.ready.push_back((job, ask));
                    }
                    _ => self.waiting.push_back((at, credentials, answer)),
                }
            }
            (Step::Knock, Err(fault)) => match fault.kind {
                FaultKind::Denied => note(&mut self.report.refused, fault.detail),
                FaultKind::Unreachable if !self.settled[at as usize] => {
                    self.settled[at as usize] = true;
                    note(&mut self.report.unreachable, fault.detail);
                }
                _ => {}
            },
            (Step::Upgrade(_), Ok(answer)) => self.waiting.push_back((at, credentials, answer)),
            (Step::Upgrade(answer), Err(_)) => {
                let credentials = match credentials {
                    Credentials::Community(_, community) => {
                        Credentials::Community(Version::V1, community)
                    }
                    usm => usm,
                };
                self.waiting.push_back((at, credentials, answer));
            }
            (Step::Identify(mut identify), result) => {
                let next = identify.handle(result.as_ref());
                self.go_on(at, credentials, identify, next);
            }
            (Step::Name(identified), result) => {
                let name = match result {
                    Ok(SnmpAnswer::Values(values)) => values.first().and_then(super::value::text),
                    _ => None,
                };
                self.identifying -= 1;
                let found = Found {
                    addr: self.addr(at),
                    credentials,
                    name: name.unwrap_or_default(),
                    identified: *identified,
                };
                match found.identified.kind {
                    Kind::IdentifyOnly => self.report.mute.push(found),
                    _ => self.report.pdus.push(found),
                }
            }
        }
    }

    /// Questions that were asked and will be at most, without those that follow from answers.
    pub fn progress(&self) -> (u32, u32) {
        let count = self.settings.network.count();
        let rounds = self.rounds.len() as u32;
        let done = (self.round as u32).saturating_mul(count) + self.next;
        (done.min(rounds * count), rounds.saturating_mul(count))
    }

    /// What was found until now.
    pub fn found(&self) -> usize {
        self.report.pdus.len()
    }

    /// True when every address has been asked and everybody who answered is known.
    pub fn is_done(&self) -> bool {
        let is_quiet = self.out.is_empty() && self.ready.is_empty() && self.waiting.is_empty();
        is_quiet && self.round >= self.rounds.len()
    }

    /// What was found, by address.
    pub fn finish(mut self) -> Report {
        for list in [&mut self.report.pdus, &mut self.report.mute] {
            rackwarden_base::small::sort_by_key(list, |found| found.addr);
        }
        rackwarden_base::small::sort_by_key(&mut self.report.lost, |addr| *addr);
        self.report
    }

    fn addr(&self, at: u32) -> SocketAddr {
        SocketAddr::new(self.settings.network.nth(at), self.settings.port)
    }

    fn next_job(&mut self) -> Option<(Job, SnmpAsk)> {
        while self.identifying < MAX_IDENTIFYING {
            let Some((at, credentials, answer)) = self.waiting.pop_front() else {
                break;
            };
            self.begin(at, credentials, &answer);
        }
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        loop {
            let credentials = self.rounds.get(self.round)?;
            while self.next < self.settings.network.count() {
                let at = self.next;
                self.next += 1;
                if !self.settled[at as usize] {
                    let job = Job {
                        at,
                        credentials: credentials.clone(),
                        step: Step::Knock,
                    };
                    return Some((job, SnmpAsk::Get(Arc::clone(&self.greeting))));
                }
            }
            // The next round is for those who did not answer, which shows when all have had their time.
            if !self.out.is_empty() {
                return None;
            }
            self.round += 1;
            if self.round < self.rounds.len() {
                self.next = 0;
            }
        }
    }

    fn begin(&mut self, at: u32, credentials: Credentials, answer: &SnmpAnswer) {
        let mut identify = Box::new(Identify::new(Options {
            profiles: self.profiles.clone(),
            profile: None,
            unit: None,
            version: credentials.version(),
        }));
        self.identifying += 1;
        if let Next::Ask(_) = identify.ask() {
            let next = identify.handle(Ok(answer));
            self.go_on(at, credentials, identify, next);
        }
    }

    fn go_on(&mut self, at: u32, credentials: Credentials, identify: Box<Identify>, next: Next) {
        let (step, ask) = match next {
            Next::Ask(ask) => (Step::Identify(identify), ask),
            Next::Identified(identified) if identified.kind == Kind::NotAPdu => {
                self.identifying -= 1;
                self.report.others += 1;
                return;
            }
            Next::Identified(identified) => {
                let name = SnmpAsk::Get([Oid::from_arcs(&SYS_NAME)].into());
                (Step::Name(identified), name)
            }
            Next::GaveUp(_) => {
                self.identifying -= 1;
                let addr = self.addr(at);
                self.report.lost.push(addr);
                return;
            }
        };
        let job = Job {
            at,
            credentials,
            step,
        };
        self.ready.push_back((job, ask));
    }
}

/// Counts, and keeps the first reason.
fn note(noted: &mut (u32, String), detail: String) {
    if noted.0 == 0 {
        noted.1 = detail;
    }
    noted.0 += 1;
}

#[cfg(test)]
mod tests;
