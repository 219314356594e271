//! The engine of a simulated device: the authoritative side of SNMPv3 (RFC 3414 section 3.2). It answers to its users,
//! and reports what is wrong with the messages of others.

use super::{Agent, respond};
use rackwarden_base::rng::Rng;
use rackwarden_base::time::{Mono, Now};
use rackwarden_snmp::message::Draft;
use rackwarden_snmp::usm::{
    Envelope, Keys, Level, MAX_BOOTS, MAX_MESSAGE, RawV3, Report, Scoped, TIME_WINDOW_S, Usm, open,
    report_bind, seal,
};
use rackwarden_snmp::{ErrorStatus, Pdu, PduKind, Version};
use std::sync::Arc;
use std::time::Duration;

/// RFC 3411: the documentation's enterprise number of RFC 5612 with the first bit set, and "text follows".
const ID_PREFIX: [u8; 5] = [0x80, 0, 0x7e, 0xd9, 4];
/// SnmpEngineID (SIZE(5..32))
const MAX_ID: usize = 32;

/// Who it is, what time it has, and who may ask.
#[derive(Clone, Debug)]
pub(super) struct Secure {
    id: Vec<u8>,
    boots: u32,
    /// Moment of the last start; time passed before it counts as well.
    started: Option<Mono>,
    head_start: Duration,
    users: Vec<User>,
    salt: u64,
    reports: u32,
    max_size: u32,
}

#[derive(Clone, Debug)]
struct User {
    usm: Arc<Usm>,
    keys: Keys,
    may_write: bool,
}

impl Secure {
    pub(super) fn new() -> Secure {
        let mut secure = Secure {
            id: Vec::new(),
            boots: 1,
            started: None,
            head_start: Duration::ZERO,
            users: Vec::new(),
            salt: 0,
            reports: 0,
            max_size: MAX_MESSAGE,
        };
        secure.set_name("simulated");
        secure
    }

    /// Another engine from now on, with clock and users as before.
    pub(super) fn set_name(&mut self, name: &str) {
        self.id = [&ID_PREFIX, name.as_bytes()].concat();
        self.id.truncate(MAX_ID);
        self.salt = self
            .id
            .iter()
            .fold(7, |salt, byte| Rng::new(salt ^ u64::from(*byte)).next_u64());
        for user in &mut self.users {
            user.keys = Keys::localised(&user.usm, &self.id);
        }
    }

    pub(super) fn add_user(&mut self, usm: Arc<Usm>, may_write: bool) {
        let keys = Keys::localised(&usm, &self.id);
        self.users.push(User {
            usm,
            keys,
            may_write,
        });
    }

    pub(super) fn set_clock(&mut self, now: Mono, boots: u32, time: Duration) {
        self.boots = boots;
        self.started = Some(now);
        self.head_start = time;
    }

    pub(super) fn set_max_size(&mut self, bytes: u32) {
        self.max_size = bytes;
    }

    pub(super) fn restart(&mut self, now: Mono) {
        self.set_clock(now, self.boots.saturating_add(1), Duration::ZERO);
    }

    fn time_s(&mut self, now: Mono) -> u32 {
        let started = *self.started.get_or_insert(now);
        let time = self.head_start.saturating_add(now.since(started));
        u32::try_from(time.as_secs())
            .unwrap_or(u32::MAX)
            .min(i32::MAX as u32)
    }
}

/// What is wrong with a message, and how the report is protected.
struct Refusal(Report, Level);

/// Answers a message; `None` when the engine would stay silent.
pub(super) fn handle(agent: &mut Agent, now: Now, datagram: &[u8]) -> Option<Vec<u8>> {
    let message = RawV3::read(datagram).ok()?;
    let mut room = Vec::new();
    let time_s = agent.secure.time_s(now.mono);
    match judge(&agent.secure, &message, time_s) {
        Ok(place) => {
            let User {
                usm,
                keys,
                may_write,
            } = agent.secure.users.get(place)?.clone();
            let Ok(scoped) = open(&message, &keys, &mut room) else {
                let refusal = Refusal(Report::DecryptionError, Level::NoAuthNoPriv);
                return report(agent, &message, time_s, &refusal, 0);
            };
            let question = scoped.pdu.to_pdu().ok()?;
            if scoped.context != usm.context.as_bytes() {
                let refusal = Refusal(Report::UnknownContext, message.level);
                return report(agent, &message, time_s, &refusal, question.request_id);
            }
            agent.tick(now);
            let answer = if message.level == usm.level() {
                respond::respond(agent, now, Version::V2c, &question, may_write)?
            } else {
                error(&question, ErrorStatus::AUTHORIZATION_ERROR)
            };
            let say = |agent: &mut Agent, answer: &Pdu| {
                let (level, context) = (message.level, scoped.context);
                send(agent, &message, time_s, level, &keys, context, answer)
            };
            let out = say(agent, &answer)?;
            if out.len() <= message.max_size.max(484) as usize {
                return Some(out);
            }
            let answer = Pdu {
                binds: Vec::new(),
                ..error(&question, ErrorStatus::TOO_BIG)
            };
            say(agent, &answer)
        }
        Err(refusal) => {
            let scoped = open(&message, &Keys::default(), &mut room).ok();
            let request_id = scoped.map_or(0, |scoped| scoped.pdu.request_id);
            report(agent, &message, time_s, &refusal, request_id)
        }
    }
}

/// Who sent it, in the order of RFC 3414 section 3.2.
fn judge(secure: &Secure, message: &RawV3<'_>, time_s: u32) -> Result<usize, Refusal> {
    let plain = |report| Refusal(report, Level::NoAuthNoPriv);
    if message.engine_id != secure.id {
        return Err(plain(Report::UnknownEngine));
    }
    let of_name = |user: &User| user.usm.user.as_bytes() == message.user;
    let place = secure.users.iter().position(of_name);
    let place = place.ok_or(plain(Report::UnknownUser))?;
    let keys = secure.users.get(place).map(|user| &user.keys);
    let (auth, privacy) = keys.map_or((&None, &None), |keys| (&keys.auth, &keys.privacy));
    if message.level == Level::NoAuthNoPriv {
        return Ok(place);
    }
    let Some((auth, key)) = auth else {
        return Err(plain(Report::UnsupportedLevel));
    };
    if message.level == Level::AuthPriv && privacy.is_none() {
        return Err(plain(Report::UnsupportedLevel));
    }
    if !message.is_authentic(*auth, key) {
        return Err(plain(Report::WrongDigest));
    }
    let is_timely = message.boots == secure.boots
        && secure.boots < MAX_BOOTS
        && message.time_s.abs_diff(time_s) <= TIME_WINDOW_S;
    if is_timely {
        Ok(place)
    } else {
        Err(Refusal(Report::NotInTimeWindow, Level::AuthNoPriv))
    }
}

fn report(
    agent: &mut Agent,
    message: &RawV3<'_>,
    time_s: u32,
    refusal: &Refusal,
    request_id: i32,
) -> Option<Vec<u8>> {
    if !message.is_reportable {
        return None;
    }
    let secure = &mut agent.secure;
    secure.reports += 1;
    let Refusal(report, level) = refusal;
    let pdu = Pdu {
        kind: PduKind::Report,
        request_id,
        status: 0,
        index: 0,
        binds: vec![report_bind(*report, secure.reports)],
    };
    let user = secure
        .users
        .iter()
        .find(|user| user.usm.user.as_bytes() == message.user);
    let keys = user.map_or_else(Keys::default, |user| user.keys.clone());
    send(agent, message, time_s, *level, &keys, &[], &pdu)
}

fn error(question: &Pdu, status: ErrorStatus) -> Pdu {
    Pdu {
        kind: PduKind::Response,
        status: status.0,
        index: 0,
        ..question.clone()
    }
}

fn send(
    agent: &mut Agent,
    message: &RawV3<'_>,
    time_s: u32,
    level: Level,
    keys: &Keys,
    context: &[u8],
    pdu: &Pdu,
) -> Option<Vec<u8>> {
    let secure = &mut agent.secure;
    secure.salt = secure.salt.wrapping_add(1);
    let envelope = Envelope {
        message_id: message.message_id,
        max_size: secure.max_size,
        is_reportable: false,
        engine_id: &secure.id,
        boots: secure.boots,
        time_s,
        user: message.user,
        level,
        salt: secure.salt,
    };
    let scoped = Scoped {
        engine_id: &secure.id,
        context,
        pdu: Draft::of_pdu(pdu),
    };
    let mut out = Vec::new();
    seal(&mut out, &mut Vec::new(), &envelope, keys, &scoped).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests;
