//! What is known of the SNMP engines of devices that are asked in SNMPv3 (RFC 3414 section 2): id, restarts, clock, and
//! the keys for them. It is believed when a message with a right code says it; what anybody can say serves for the next
//! question alone.

use crate::SnmpAsk;
use crate::Version;
use crate::message::Draft;
use crate::usm::{
    Envelope, Keys, Level, MAX_BOOTS, MAX_MESSAGE, RawV3, Report, Scoped, TIME_WINDOW_S, Usm, seal,
};
use rackwarden_base::small::SmallMap;
use rackwarden_base::time::Mono;
use std::net::SocketAddr;
use std::sync::Arc;

/// Devices that are remembered; beyond it the one goes that was asked longest ago.
const MAX_PEERS: usize = 20_000;
/// Users that are remembered for each; one reads and one writes.
const MAX_USERS: usize = 4;

/// Every device that was asked in SNMPv3, by the address it was asked at.
#[derive(Debug)]
pub(super) struct Peers {
    /// Behind boxes, so that a new one moves little.
    peers: SmallMap<SocketAddr, Box<Peer>>,
    /// Of the next message.
    salt: u64,
    scratch: Vec<u8>,
    /// The time-consuming part of making keys is done once between two looks into the socket.
    has_stretched: bool,
}

/// A device.
#[derive(Debug)]
pub(super) struct Peer {
    known: Authority,
    /// Another engine than the known one says that it is there now. It has to prove it.
    candidate: Option<Box<Authority>>,
    /// The last question got no answer: the next one asks first who is there.
    is_doubtful: bool,
    used: Mono,
}

/// An authoritative engine.
#[derive(Debug, Default)]
pub(super) struct Authority {
    /// Empty until it is known.
    id: Box<[u8]>,
    boots: u32,
    /// snmpEngineTime in seconds, at `at`.
    time_s: u32,
    at: Mono,
    /// A message with a right code has told its clock.
    is_authentic: bool,
    /// It has answered a question.
    has_answered: bool,
    keys: Vec<(Arc<Usm>, Keys)>,
}

/// What was written for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It itself.
    Question,
    /// Who is there (RFC 3414 section 4).
    Discovery,
    /// Nothing: making the keys has to wait for the next turn.
    Later,
    /// Nothing: the user lacks a key for its level.
    Nothing,
}

/// What to do after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The question goes out anew, in better knowledge.
    Again,
    /// It is refused.
    Refused,
    /// Anybody may have said that.
    Doubtful,
}

impl Authority {
    /// Somebody says that this engine is there.
    fn claimed(now: Mono, message: &RawV3<'_>) -> Authority {
        let is_usable = message.boots < MAX_BOOTS;
        Authority {
            id: message.engine_id.into(),
            boots: if is_usable { message.boots } else { 0 },
            time_s: if is_usable { message.time_s } else { 0 },
            at: now,
            is_authentic: false,
            has_answered: false,
            keys: Vec::new(),
        }
    }

    /// Its clock now: restarts and seconds.
    fn clock(&self, now: Mono) -> (u32, u32) {
        let passed = u32::try_from(now.since(self.at).as_secs()).unwrap_or(u32::MAX);
        let time_s = self.time_s.saturating_add(passed).min(i32::MAX as u32);
        (self.boots, time_s)
    }

    fn set_clock(&mut self, now: Mono, message: &RawV3<'_>) {
        self.boots = message.boots;
        self.time_s = message.time_s;
        self.at = now;
        self.is_authentic = true;
    }

    /// Whether a message with a right code is of the present (RFC 3414 section 3.2, 7 b); learns its clock.
    fn is_timely(&mut self, now: Mono, message: &RawV3<'_>) -> bool {
        let (boots, time_s) = (message.boots, message.time_s);
        if boots >= MAX_BOOTS {
            return false;
        }
        let is_newer = boots > self.boots || (boots == self.boots && time_s > self.time_s);
        if !self.is_authentic || is_newer {
            self.set_clock(now, message);
            return true;
        }
        let (_, present_s) = self.clock(now);
        boots == self.boots && time_s.saturating_add(TIME_WINDOW_S) >= present_s
    }

    fn keys(&self, usm: &Usm) -> Option<&Keys> {
        let of_user =
            |(known, _): &&(Arc<Usm>, Keys)| std::ptr::eq(&**known, usm) || **known == *usm;
        self.keys.iter().find(of_user).map(|(_, keys)| keys)
    }

    /// Makes the keys of this user, unless they are there.
    fn make_keys(&mut self, usm: &Arc<Usm>) {
        if self.keys(usm).is_none() {
            if self.keys.len() >= MAX_USERS {
                self.keys.remove(0);
            }
            let keys = Keys::localised(usm, &self.id);
            self.keys.push((Arc::clone(usm), keys));
        }
    }
}

impl Peer {
    fn present(&mut self) -> &mut Authority {
        self.candidate.as_deref_mut().unwrap_or(&mut self.known)
    }

    fn with_id(&mut self, id: &[u8]) -> Option<&mut Authority> {
        match &mut self.candidate {
            Some(candidate) if *candidate.id == *id => Some(candidate),
            _ if *self.known.id == *id => Some(&mut self.known),
            _ => None,
        }
    }

    /// The engine with this id has proved that it is there.
    fn promote(&mut self, id: &[u8]) {
        if let Some(candidate) = self.candidate.take() {
            if *candidate.id == *id {
                self.known = *candidate;
            }
        }
    }

    /// Takes a report. `is_authentic` when its code was right; then it answers a message of a moment ago, since it
    /// carries the number of that.
    fn report(
        &mut self,
        now: Mono,
        message: &RawV3<'_>,
        report: Option<Report>,
        is_authentic: bool,
    ) -> Verdict {
        let is_discovery = self.is_doubtful || self.present().id.is_empty();
        match report {
            Some(Report::NotInTimeWindow) if !is_discovery => {
                if message.boots >= MAX_BOOTS {
                    return Verdict::Doubtful;
                }
                if !is_authentic {
                    // Some firmware does not prove it. While nothing better is known, it serves as a discovery does.
                    return match self.present().is_authentic {
                        true => Verdict::Doubtful,
                        false => self.meet(now, message),
                    };
                }
                if let Some(authority) = self.with_id(message.engine_id) {
                    authority.set_clock(now, message);
                    self.promote(message.engine_id);
                }
                Verdict::Again
            }
            Some(Report::UnknownEngine) => self.meet(now, message),
            // Some engines refuse the nameless user of a discovery instead.
            _ if is_discovery => self.meet(now, message),
            _ => Verdict::Refused,
        }
    }

    /// Somebody says who is there.
    fn meet(&mut self, now: Mono, message: &RawV3<'_>) -> Verdict {
        if message.engine_id.is_empty() {
            return Verdict::Refused;
        }
        self.is_doubtful = false;
        if *self.known.id == *message.engine_id {
            if !self.known.is_authentic {
                let keys = std::mem::take(&mut self.known.keys);
                self.known = Authority::claimed(now, message);
                self.known.keys = keys;
            }
            self.candidate = None;
        } else if self.known.is_authentic {
            self.candidate = Some(Box::new(Authority::claimed(now, message)));
        } else {
            self.known = Authority::claimed(now, message);
        }
        Verdict::Again
    }
}

/// A question that is to be written.
pub(super) struct Question<'a> {
    pub(super) to: SocketAddr,
    pub(super) usm: &'a Arc<Usm>,
    pub(super) message_id: u32,
    pub(super) request_id: i32,
    pub(super) ask: &'a SnmpAsk,
}

impl Peers {
    pub(super) fn new(salt: u64) -> Peers {
        Peers {
            peers: SmallMap::new(),
            salt,
            scratch: Vec::new(),
            has_stretched: false,
        }
    }

    /// The socket was looked into: keys may be made again.
    pub(super) fn turn(&mut self) {
        self.has_stretched = false;
    }

    /// Writes the question, or the one that has to go before it.
    pub(super) fn write(
        &mut self,
        now: Mono,
        out: &mut Vec<u8>,
        question: &Question<'_>,
    ) -> Written {
        if !self.peers.contains_key(&question.to) {
            self.make_room();
            let peer = Peer {
                known: Authority::default(),
                candidate: None,
                is_doubtful: false,
                used: now,
            };
            self.peers.insert(question.to, Box::new(peer));
        }
        let Some(peer) = self.peers.get_mut(&question.to) else {
            return Written::Nothing;
        };
        peer.used = now;
        let usm = question.usm;
        self.salt = self.salt.wrapping_add(1);
        let is_discovery = peer.is_doubtful || peer.present().id.is_empty();
        let authority = peer.present();
        if is_discovery {
            let scoped = Scoped {
                engine_id: &[],
                context: &[],
                pdu: Draft::empty(question.request_id),
            };
            let envelope = Envelope {
                message_id: question.message_id,
                max_size: MAX_MESSAGE,
                is_reportable: true,
                engine_id: &[],
                boots: 0,
                time_s: 0,
                user: &[],
                level: Level::NoAuthNoPriv,
                salt: self.salt,
            };
            let keys = Keys::default();
            return match seal(out, &mut self.scratch, &envelope, &keys, &scoped) {
                Ok(()) => Written::Discovery,
                Err(_) => Written::Nothing,
            };
        }
        if authority.keys(usm).is_none() && usm.is_slow_to_localise() {
            if self.has_stretched {
                return Written::Later;
            }
            self.has_stretched = true;
        }
        authority.make_keys(usm);
        let (boots, time_s) = authority.clock(now);
        let level = usm.level();
        let envelope = Envelope {
            message_id: question.message_id,
            max_size: MAX_MESSAGE,
            is_reportable: true,
            engine_id: &authority.id,
            boots: if level == Level::NoAuthNoPriv {
                0
            } else {
                boots
            },
            time_s: if level == Level::NoAuthNoPriv {
                0
            } else {
                time_s
            },
            user: usm.user.as_bytes(),
            level,
            salt: self.salt,
        };
        let scoped = Scoped {
            engine_id: &authority.id,
            context: usm.context.as_bytes(),
            pdu: Draft::of_ask(Version::V2c, question.request_id, question.ask),
        };
        let none = Keys::default();
        let keys = authority.keys(usm).unwrap_or(&none);
        match seal(out, &mut self.scratch, &envelope, keys, &scoped) {
            Ok(()) => Written::Question,
            Err(_) => Written::Nothing,
        }
    }

    fn make_room(&mut self) {
        if self.peers.len() < MAX_PEERS {
            return;
        }
        let oldest = self.peers.iter().min_by_key(|(_, peer)| peer.used);
        if let Some(oldest) = oldest.map(|(addr, _)| *addr) {
            self.peers.remove(&oldest);
        }
    }

    /// The keys with which a message from this device is to be read, if its engine is one that was asked.
    pub(super) fn keys(&mut self, addr: SocketAddr, usm: &Usm, engine_id: &[u8]) -> Option<&Keys> {
        self.peers
            .get_mut(&addr)?
            .with_id(engine_id)
            .and_then(|authority| authority.keys(usm))
    }

    /// Takes a response whose code, if it has one, was right. False when it is not of the present, or of an engine that
    /// was not asked.
    pub(super) fn respond(&mut self, now: Mono, addr: SocketAddr, message: &RawV3<'_>) -> bool {
        let Some(peer) = self.peers.get_mut(&addr) else {
            return false;
        };
        let Some(authority) = peer.with_id(message.engine_id) else {
            return false;
        };
        if message.level == Level::NoAuthNoPriv {
            return !message.engine_id.is_empty();
        }
        if !authority.is_timely(now, message) {
            return false;
        }
        authority.has_answered = true;
        peer.promote(message.engine_id);
        true
    }

    /// Takes a report.
    pub(super) fn report(
        &mut self,
        now: Mono,
        addr: SocketAddr,
        message: &RawV3<'_>,
        report: Option<Report>,
        is_authentic: bool,
    ) -> Verdict {
        match self.peers.get_mut(&addr) {
            Some(peer) => peer.report(now, message, report, is_authentic),
            None => Verdict::Doubtful,
        }
    }

    /// Whether this device has answered a question with a right code.
    pub(super) fn has_answered(&self, addr: SocketAddr) -> bool {
        let peer = self.peers.get(&addr);
        peer.is_some_and(|peer| peer.known.has_answered)
    }

    /// A question got no answer, or the wrong one.
    pub(super) fn fail(&mut self, addr: SocketAddr) {
        if let Some(peer) = self.peers.get_mut(&addr) {
            peer.candidate = None;
            peer.is_doubtful = true;
        }
    }
}

/// The number of a message: 15 bits that find its try, and 16 more that nobody can guess.
pub(super) fn message_id(nonce: u16, id: u16) -> u32 {
    u32::from(nonce) << 15 | u32::from(id)
}

/// Both parts of the number of a message.
pub(super) fn parts(message_id: u32) -> (u16, u16) {
    ((message_id >> 15) as u16, (message_id & 0x7fff) as u16)
}
