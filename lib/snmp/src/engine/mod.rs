//! Matches answers to questions: sans-IO, one engine for every device.
//!
//! It keeps about 150 bytes for each request that is out, and for a device nothing, or with SNMPv3 what is known of its
//! engine. Every try has a random
//! id of its own, so that an answer says which try it answers; the request takes an answer to any of its
//! tries until it is given up. An answer counts when it comes from the address that was asked, with its
//! version, community, id and objects; whatever else arrives is counted as a stray and changes nothing.
//! In SNMPv3 it also has to have the level, the code and the time of the question.
//!
//! Whoever owns the socket calls `handle_timeout` only after it has read the socket empty. An agent that got
//! no CPU for seconds then finds the answers that wait there before it calls anybody dead.

mod answer;
mod late;
mod peers;
mod stencil;
mod tries;
mod v3;

use super::message::RawMessage;
use super::usm::Report;
use super::{Credentials, PduKind, SnmpAnswer, SnmpAsk, SnmpReply, SnmpRequest};
use late::Late;
use peers::{Peers, Written};
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::rng::Rng;
use rackwarden_base::small::SmallMap;
use rackwarden_base::time::Mono;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use stencil::Stencil;
use tries::Tries;

/// UDP over IPv4: 65,535 bytes less the two headers.
const MAX_DATAGRAM: usize = 65_507;
/// Requests at a time. Slots from here on are those of late tries.
const MAX_REQUESTS: usize = 1 << 24;

/// Every request that is out, and what is to be sent or given up when.
#[derive(Debug)]
pub struct Engine {
    rng: Rng,
    requests: Vec<Option<Request>>,
    free: Vec<u32>,
    tries: Tries,
    late: Late,
    /// Slots by the millisecond in which something is due. Most are left over from answered requests by
    /// then, so taking them out must cost nothing.
    timers: SmallMap<u64, Vec<u32>>,
    to_send: VecDeque<u32>,
    /// They wait for keys.
    deferred: VecDeque<u32>,
    stencil: Stencil,
    peers: Peers,
    /// Where SNMPv3 messages are decrypted.
    room: Vec<u8>,
    replies: Vec<SnmpReply>,
    strays: u64,
}

/// A request that is out.
#[derive(Debug)]
struct Request {
    asked: SnmpRequest,
    sent: Mono,
    /// When its valid timer goes off; any other timer of this slot is a left-over.
    due_ms: u64,
    deadline_ms: u64,
    timeout_ms: u32,
    /// Head of the list of its tries.
    last_try: u32,
    tries: u8,
    is_queued: bool,
    /// The device answered with the right id, but not what was asked.
    is_garbled: bool,
    /// What only SNMPv3 needs.
    v3: Talk,
}

/// How far a question in SNMPv3 is.
#[derive(Clone, Copy, Debug, Default)]
struct Talk {
    /// Of all its messages.
    nonce: u16,
    /// How often it went out anew after a report.
    resends: u8,
    /// The next sending is such a one, and no try of its own.
    is_resent: bool,
    /// The question itself went out, not only the one for the engine.
    is_asked: bool,
    /// The device has told the time.
    is_synchronised: bool,
    /// The device has said who it is.
    is_met: bool,
    /// What anybody may have said about it.
    hint: Option<Report>,
}

impl Request {
    fn may_repeat(&self) -> bool {
        (!self.is_set() || self.is_discovering()) && self.tries <= self.asked.retries
    }

    /// From a try to its answer at `now`, when `later` tries went out after it: each wait is twice the one before. What
    /// SNMPv3 sent anew is no try, and nobody knows which of both was answered.
    fn round_trip(&self, now: Mono, later: u8) -> Option<Duration> {
        let earlier = self.tries.checked_sub(1)?.checked_sub(later)?;
        let waits = (1u64 << earlier.min(31)) - 1;
        let waited = Duration::from_millis(waits * u64::from(self.timeout_ms));
        (self.v3.resends == 0).then(|| now.since(self.sent).saturating_sub(waited))
    }

    fn is_set(&self) -> bool {
        matches!(self.asked.ask, SnmpAsk::Set(_))
    }

    fn is_discovering(&self) -> bool {
        matches!(self.asked.target.credentials, Credentials::Usm(_)) && !self.v3.is_asked
    }
}

/// A datagram to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    slot: u32,
    id: u16,
}

impl Engine {
    /// An engine without requests. The ids come from `rng`.
    pub fn new(rng: Rng) -> Engine {
        // Message numbers come from elsewhere in the same sequence.
        let salt = rng.clone().next_u64() ^ 0x5357_0a1c_93e4_d7b2;
        Engine {
            rng,
            requests: Vec::new(),
            free: Vec::new(),
            tries: Tries::new(),
            late: Late::default(),
            timers: SmallMap::new(),
            to_send: VecDeque::new(),
            deferred: VecDeque::new(),
            stencil: Stencil::default(),
            peers: Peers::new(salt),
            room: Vec::new(),
            replies: Vec::new(),
            strays: 0,
        }
    }

    /// Takes questions; `poll_transmit` gives what is to be sent for them.
    pub fn submit(&mut self, now: Mono, requests: impl IntoIterator<Item = SnmpRequest>) {
        for request in requests {
            self.take(now, request);
        }
    }

    fn take(&mut self, now: Mono, asked: SnmpRequest) {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.requests.len() < MAX_REQUESTS => {
                self.requests.push(None);
                (self.requests.len() - 1) as u32
            }
            None => {
                let fault = Fault::new(FaultKind::Overload, "too many requests at a time");
                self.replies.push(SnmpReply {
                    ticket: asked.ticket,
                    result: Err(fault),
                    sent: now,
                    received: now,
                    tries: 0,
                    round_trip: None,
                });
                return;
            }
        };
        let deadline_ms = ceil_ms(asked.deadline.since_start());
        let mut v3 = Talk::default();
        if let Credentials::Usm(_) = asked.target.credentials {
            v3.nonce = (self.rng.next_u64() >> 48) as u16;
        }
        self.requests[slot as usize] = Some(Request {
            sent: now,
            due_ms: deadline_ms,
            deadline_ms,
            timeout_ms: u32::try_from(ceil_ms(asked.timeout)).unwrap_or(u32::MAX),
            last_try: tries::NONE,
            tries: 0,
            is_queued: true,
            is_garbled: false,
            v3,
            asked,
        });
        self.to_send.push_back(slot);
    }

    /// Writes the next datagram that is due, if there is one, over what `datagram` holds.
    pub fn poll_transmit(&mut self, now: Mono, datagram: &mut Vec<u8>) -> Option<Transmit> {
        loop {
            let slot = self.to_send.pop_front()?;
            let Some(request) = &mut self.requests[slot as usize] else {
                continue;
            };
            if !std::mem::take(&mut request.is_queued) {
                continue;
            }
            if request.deadline_ms <= floor_ms(now) {
                // A repetition leaves the judgement to its timer, after the next look into the socket.
                if request.tries == 0 {
                    self.give_up(now, slot);
                }
                continue;
            }
            let Some(id) = self.pick_id(slot) else {
                self.fail(now, slot, FaultKind::Overload, "no request id is left");
                continue;
            };
            let request = self.requests[slot as usize].as_mut()?;
            let target = &request.asked.target;
            let to = target.addr;
            datagram.clear();
            match &target.credentials {
                Credentials::Community(version, community) => {
                    let ask = &request.asked.ask;
                    self.stencil.write(datagram, *version, community, id, ask);
                }
                Credentials::Usm(usm) => {
                    let question = peers::Question {
                        to,
                        usm,
                        message_id: peers::message_id(request.v3.nonce, id),
                        request_id: i32::from(id),
                        ask: &request.asked.ask,
                    };
                    match self.peers.write(now, datagram, &question) {
                        Written::Question => request.v3.is_asked = true,
                        Written::Discovery => {}
                        Written::Later => {
                            request.is_queued = true;
                            self.deferred.push_back(slot);
                            continue;
                        }
                        Written::Nothing => {
                            self.fail(now, slot, FaultKind::Denied, "the user lacks a password");
                            continue;
                        }
                    }
                }
            }
            if datagram.len() > MAX_DATAGRAM {
                self.fail(now, slot, FaultKind::Malformed, "the question is too long");
                continue;
            }
            request.last_try = self.tries.insert(id, slot, request.last_try);
            if request.tries == 0 {
                request.sent = now;
            }
            if !std::mem::take(&mut request.v3.is_resent) {
                request.tries = request.tries.saturating_add(1);
            }
            request.due_ms = request.deadline_ms;
            if request.may_repeat() {
                let wait = u64::from(request.timeout_ms) << (request.tries - 1).min(31);
                let again = ceil_ms(now.since_start()).saturating_add(wait);
                request.due_ms = again.min(request.deadline_ms);
            }
            self.timers.entry(request.due_ms).or_default().push(slot);
            return Some(Transmit { to, slot, id });
        }
    }

    /// The datagram could not be sent. A first try ends the request as unreachable; a repetition leaves
    /// it waiting for the answer to an earlier try.
    pub fn handle_send_error(&mut self, now: Mono, transmit: Transmit, detail: &str) {
        let is_first = self
            .tries
            .slots(transmit.id)
            .any(|slot| slot == transmit.slot)
            && self.requests[transmit.slot as usize]
                .as_ref()
                .is_some_and(|request| request.tries == 1);
        if is_first {
            self.fail(now, transmit.slot, FaultKind::Unreachable, detail);
        }
    }

    /// Takes what arrived. Returns whether it answered a question.
    pub fn handle_datagram(&mut self, now: Mono, from: SocketAddr, datagram: &[u8]) -> bool {
        let is_taken = match RawMessage::read(datagram) {
            Ok(message) => match self.match_answer(from, &message) {
                Some((slot, id, answer)) => {
                    self.finish(now, slot, Some(id), Ok(answer));
                    true
                }
                None => false,
            },
            Err(_) => self.handle_v3(now, from, datagram),
        };
        if !is_taken {
            self.strays = self.strays.saturating_add(1);
        }
        is_taken
    }

    /// The slot that it answers, the id of the try, and the answer.
    fn match_answer(
        &mut self,
        from: SocketAddr,
        message: &RawMessage<'_>,
    ) -> Option<(u32, u16, SnmpAnswer)> {
        if message.pdu.kind != PduKind::Response {
            return None;
        }
        let id = u16::try_from(message.pdu.request_id).ok()?;
        let slot = self.find(from, id, message)?;
        let request = self.requests[slot as usize].as_mut()?;
        let answer = answer::read(&request.asked.ask, message.version, &message.pdu);
        request.is_garbled |= answer.is_none();
        Some((slot, id, answer?))
    }

    /// The request that this message names. One that asked the sender itself goes before one that takes
    /// answers from anywhere.
    fn find(&self, from: SocketAddr, id: u16, message: &RawMessage<'_>) -> Option<u32> {
        let mut from_anywhere = None;
        for slot in self.tries.slots(id) {
            let Some(request) = self.request(slot) else {
                continue;
            };
            let target = &request.asked.target;
            match &target.credentials {
                Credentials::Community(version, community)
                    if *version == message.version
                        && community.expose().as_bytes() == message.community => {}
                _ => continue,
            }
            if is_same_peer(target.addr, from) {
                return Some(slot);
            }
            if target.any_source {
                from_anywhere = Some(slot);
            }
        }
        from_anywhere
    }

    /// Repeats what is due to be repeated and gives up what has met its deadline. Only to be called after
    /// the socket was read empty.
    pub fn handle_timeout(&mut self, now: Mono) {
        let now_ms = floor_ms(now);
        self.peers.turn();
        while let Some(slot) = self.deferred.pop_back() {
            self.to_send.push_front(slot);
        }
        while self.first_timer().is_some_and(|due_ms| due_ms <= now_ms) {
            let Some((due_ms, slots)) = self.timers.pop_first() else {
                break;
            };
            for slot in slots {
                self.time_out(now, due_ms, slot);
            }
        }
        while let Some((slot, deadline_ms)) = self.next_unsent() {
            if deadline_ms > now_ms {
                break;
            }
            self.give_up(now, slot);
            self.to_send.pop_front();
        }
        self.drop_left_over_timers();
    }

    fn time_out(&mut self, now: Mono, due_ms: u64, slot: u32) {
        let Some(request) = self.requests[slot as usize].as_mut() else {
            return;
        };
        if request.due_ms != due_ms {
            return;
        }
        if request.deadline_ms <= floor_ms(now) {
            self.give_up(now, slot);
            return;
        }
        request.due_ms = request.deadline_ms;
        if !std::mem::replace(&mut request.is_queued, true) {
            self.to_send.push_back(slot);
        }
        self.timers.entry(request.due_ms).or_default().push(slot);
    }

    /// The first in the queue, if it has not been sent yet, and its deadline: it has no timer.
    fn next_unsent(&self) -> Option<(u32, u64)> {
        let slot = *self.to_send.front()?;
        let request = self.request(slot)?;
        (request.tries == 0).then_some((slot, request.deadline_ms))
    }

    fn give_up(&mut self, now: Mono, slot: u32) {
        let Some(request) = &self.requests[slot as usize] else {
            return;
        };
        let waited = now.since(request.sent).as_millis();
        let tries = match request.tries {
            1 => "1 try".to_owned(),
            tries => format!("{tries} tries"),
        };
        let (kind, detail) = if request.is_garbled {
            let detail = format!("the answer does not fit the question ({tries} in {waited} ms)");
            (FaultKind::Malformed, detail)
        } else if request.tries == 0 {
            let detail = "it was not sent before its deadline".to_owned();
            (FaultKind::Overload, detail)
        } else {
            let silence = format!("no answer within {waited} ms ({tries})");
            (FaultKind::Timeout, self.silence(request, silence))
        };
        self.finish(now, slot, None, Err(Fault::new(kind, detail)));
    }

    /// When `handle_timeout` has something to do.
    pub fn poll_timeout(&self) -> Option<Mono> {
        if !self.deferred.is_empty() {
            return Some(Mono::ZERO);
        }
        let timer = self.first_timer();
        let unsent = self.next_unsent().map(|(_, deadline_ms)| deadline_ms);
        let due_ms = match (timer, unsent) {
            (Some(timer), Some(unsent)) => timer.min(unsent),
            (timer, unsent) => timer.or(unsent)?,
        };
        Some(Mono::new(Duration::from_millis(due_ms)))
    }

    /// Ends every request that is still out; the program stops.
    pub fn stop(&mut self, now: Mono) {
        for slot in 0..self.requests.len() as u32 {
            self.fail(now, slot, FaultKind::Stopped, "the agent stops");
        }
        self.to_send.clear();
        self.deferred.clear();
    }

    /// The replies so far, each to be had once. Every question gets exactly one.
    pub fn take_replies(&mut self) -> Vec<SnmpReply> {
        // The next batch is about as large.
        let room = Vec::with_capacity(self.replies.len());
        std::mem::replace(&mut self.replies, room)
    }

    /// True when there are replies to be taken.
    pub fn has_replies(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Requests without a reply.
    pub fn outstanding(&self) -> usize {
        self.requests.len() - self.free.len()
    }

    /// Requests that wait to be sent, the first time or again.
    pub fn unsent(&self) -> usize {
        self.to_send.len() + self.deferred.len()
    }

    /// Datagrams that answered nothing: late, doubled, foreign, forged or broken.
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    /// A random id in 1..=32767 that no other try has toward the same address. Some agents cut ids to 16
    /// bits or take them for signed, hence the range.
    fn pick_id(&mut self, slot: u32) -> Option<u16> {
        let target = &self.requests.get(slot as usize)?.as_ref()?.asked.target;
        let (tries, late, requests) = (&self.tries, &self.late, &self.requests);
        let is_out = |slot: u32| {
            let other = requests.get(slot as usize).and_then(Option::as_ref);
            other.is_some_and(|other| {
                let other = &other.asked.target;
                other.addr == target.addr || (other.any_source && target.any_source)
            })
        };
        let is_free = |id: u16| {
            tries
                .slots(id)
                .all(|slot| !is_out(slot) && !late.concerns(slot, target))
        };
        for _ in 0..64 {
            let id = 1 + self.rng.below(u64::from(tries::MAX_ID)) as u16;
            if is_free(id) {
                return Some(id);
            }
        }
        // Nearly all are taken: late ones do not keep a question from being asked.
        (1..=tries::MAX_ID)
            .find(|&id| is_free(id))
            .or_else(|| (1..=tries::MAX_ID).find(|&id| !tries.slots(id).any(is_out)))
    }

    fn fail(&mut self, now: Mono, slot: u32, kind: FaultKind, detail: &str) {
        self.finish(now, slot, None, Err(Fault::new(kind, detail)));
    }

    /// A request in its slot; late tries have slots without one.
    fn request(&self, slot: u32) -> Option<&Request> {
        self.requests.get(slot as usize)?.as_ref()
    }

    fn finish(
        &mut self,
        now: Mono,
        slot: u32,
        answered: Option<u16>,
        result: Result<SnmpAnswer, Fault>,
    ) {
        let Some(request) = &self.requests[slot as usize] else {
            return;
        };
        if let (Credentials::Usm(_), Err(fault)) = (&request.asked.target.credentials, &result) {
            if fault.kind == FaultKind::Timeout || fault.kind == FaultKind::Denied {
                self.peers.fail(request.asked.target.addr);
            }
        }
        let mut last = request.last_try;
        let (mut later, mut round_trip) = (0, None);
        while last != tries::NONE {
            let (id, earlier) = self.tries.entry(last);
            if answered == Some(id) {
                round_trip = request.round_trip(now, later);
                self.tries.remove(last);
            } else {
                self.late.keep(&mut self.tries, last, &request.asked.target);
            }
            last = earlier;
            later += 1;
        }
        self.free.push(slot);
        self.replies.push(SnmpReply {
            ticket: request.asked.ticket,
            result,
            sent: request.sent,
            received: now,
            tries: request.tries,
            round_trip,
        });
        self.requests[slot as usize] = None;
        self.drop_left_over_timers();
    }

    /// Timers of ended requests stay until they come up; the first one must be valid, or the owner would
    /// wake up for nothing.
    fn drop_left_over_timers(&mut self) {
        while let Some((&due_ms, slots)) = self.timers.first_mut() {
            while let Some(&slot) = slots.last() {
                let request = self.requests[slot as usize].as_ref();
                if request.is_some_and(|request| request.due_ms == due_ms) {
                    return;
                }
                slots.pop();
            }
            self.timers.pop_first();
        }
    }

    fn first_timer(&self) -> Option<u64> {
        self.timers.first_key_value().map(|(due_ms, _)| *due_ms)
    }
}

/// The scope of a link-local address counts only if the question named one.
fn is_same_peer(asked: SocketAddr, from: SocketAddr) -> bool {
    match (asked, from) {
        (SocketAddr::V4(asked), SocketAddr::V4(from)) => asked == from,
        (SocketAddr::V6(asked), SocketAddr::V6(from)) => {
            asked.ip() == from.ip()
                && asked.port() == from.port()
                && (asked.scope_id() == 0 || asked.scope_id() == from.scope_id())
        }
        _ => false,
    }
}

fn floor_ms(at: Mono) -> u64 {
    let since_start = at.since_start();
    since_start.as_secs().saturating_mul(1000) + u64::from(since_start.subsec_millis())
}

fn ceil_ms(time: Duration) -> u64 {
    const MAX_MS: u64 = (1 << 40) - 1;
    let ms = time
        .as_secs()
        .saturating_mul(1000)
        .saturating_add(u64::from(time.subsec_nanos().div_ceil(1_000_000)));
    ms.min(MAX_MS)
}

#[cfg(test)]
mod tests;
