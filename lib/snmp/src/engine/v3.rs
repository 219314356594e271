//! What arrives in SNMPv3 (RFC 3412 section 7.2, RFC 3414 section 3.2): responses, which answer, and reports, after which
//! a question goes out anew or is refused for a reason that people understand.

use super::peers::{Verdict, parts};
use super::{Engine, Request, answer, is_same_peer};
use crate::usm::{self, Keys, Level, RawV3, Report, Usm};
use crate::{Credentials, PduKind, SnmpAnswer, Version};
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::time::Mono;
use std::net::SocketAddr;
use std::sync::Arc;

/// How often a question goes out anew after reports: who is there, who is there by now, what time it is, and one more.
const MAX_RESENDS: u8 = 4;

/// What a message means for a request.
enum Meaning {
    Answer(SnmpAnswer),
    Refused(Fault),
    Again,
}

impl Engine {
    /// Takes a datagram that is not of version 1 or 2c. Returns whether it was expected.
    pub(super) fn handle_v3(&mut self, now: Mono, from: SocketAddr, datagram: &[u8]) -> bool {
        let Ok(message) = RawV3::read(datagram) else {
            return false;
        };
        let Some((slot, id)) = self.find_v3(from, &message) else {
            return false;
        };
        let mut room = std::mem::take(&mut self.room);
        let meaning = self.understand(now, slot, id, &message, &mut room);
        self.room = room;
        match meaning {
            None => false,
            Some(Meaning::Answer(answer)) => {
                self.finish(now, slot, Some(id), Ok(answer));
                true
            }
            Some(Meaning::Refused(fault)) => {
                self.finish(now, slot, Some(id), Err(fault));
                true
            }
            Some(Meaning::Again) => {
                if let Some(Some(request)) = self.requests.get_mut(slot as usize) {
                    request.v3.is_resent = true;
                    request.v3.resends += 1;
                    if !std::mem::replace(&mut request.is_queued, true) {
                        self.to_send.push_back(slot);
                    }
                }
                true
            }
        }
    }

    /// The request and the try that this message names.
    fn find_v3(&self, from: SocketAddr, message: &RawV3<'_>) -> Option<(u32, u16)> {
        let (nonce, id) = parts(message.message_id);
        let mut from_anywhere = None;
        for slot in self.tries.slots(id) {
            let Some(request) = self.request(slot) else {
                continue;
            };
            let target = &request.asked.target;
            let is_v3 = matches!(target.credentials, Credentials::Usm(_));
            if !is_v3 || request.v3.nonce != nonce {
                continue;
            }
            if is_same_peer(target.addr, from) {
                return Some((slot, id));
            }
            if target.any_source {
                from_anywhere = Some((slot, id));
            }
        }
        from_anywhere
    }

    /// What it means; `None` when it proves nothing.
    fn understand(
        &mut self,
        now: Mono,
        slot: u32,
        id: u16,
        message: &RawV3<'_>,
        room: &mut Vec<u8>,
    ) -> Option<Meaning> {
        let target = Arc::clone(&self.request(slot)?.asked.target);
        let Credentials::Usm(usm) = &target.credentials else {
            return None;
        };
        let none = Keys::default();
        let keys = match message.level {
            Level::NoAuthNoPriv => &none,
            _ => self.peers.keys(target.addr, usm, message.engine_id)?,
        };
        if message.level != Level::NoAuthNoPriv {
            let (auth, key) = keys.auth.as_ref()?;
            if message.user != usm.user.as_bytes() || !message.is_authentic(*auth, key) {
                return None;
            }
        }
        let scoped = usm::open(message, keys, room).ok()?;
        match scoped.pdu.kind {
            PduKind::Report => {
                let name = scoped.pdu.binds().next().and_then(Result::ok);
                let report = name.and_then(|bind| Report::of_name(bind.name));
                self.take_report(now, slot, id, message, report, usm)
            }
            PduKind::Response => {
                // Never a lower level than that of the question, and never somebody else's answer.
                let fits = message.level == usm.level()
                    && message.user == usm.user.as_bytes()
                    && scoped.engine_id == message.engine_id
                    && scoped.context == usm.context.as_bytes()
                    && scoped.pdu.request_id == i32::from(id);
                if !fits || !self.peers.respond(now, target.addr, message) {
                    return None;
                }
                let request = self.requests.get_mut(slot as usize)?.as_mut()?;
                let answer = answer::read(&request.asked.ask, Version::V2c, &scoped.pdu);
                request.is_garbled |= answer.is_none();
                answer.map(Meaning::Answer)
            }
            _ => None,
        }
    }

    fn take_report(
        &mut self,
        now: Mono,
        slot: u32,
        id: u16,
        message: &RawV3<'_>,
        report: Option<Report>,
        usm: &Usm,
    ) -> Option<Meaning> {
        let is_authentic = message.level != Level::NoAuthNoPriv;
        let request = self.requests.get_mut(slot as usize)?.as_mut()?;
        // Only about the last message, and once: a doubled report must not double a SET.
        let (last, _) = self.tries.entry(request.last_try);
        if last != id || request.v3.is_resent {
            return None;
        }
        let addr = request.asked.target.addr;
        // Whoever hears the question can send a report without a code. A SET that is out may have been carried out.
        let is_set_out = request.is_set() && request.v3.is_asked;
        if is_set_out && !is_authentic && report == Some(Report::UnknownEngine) {
            let detail = "the device says that it is another one than before; nothing was written";
            return Some(refused(detail.to_owned()));
        }
        // RFC 3414 section 4: once told the time, a question has it.
        if is_authentic && report == Some(Report::NotInTimeWindow) {
            if request.v3.is_synchronised {
                return Some(refused(reason(report, usm)));
            }
            request.v3.is_synchronised = true;
        }
        match self.peers.report(now, addr, message, report, is_authentic) {
            Verdict::Doubtful => {
                request.v3.hint = report;
                None
            }
            Verdict::Again if request.v3.resends < MAX_RESENDS => {
                request.v3.is_met = true;
                Some(Meaning::Again)
            }
            Verdict::Again | Verdict::Refused => Some(refused(reason(report, usm))),
        }
    }
}

fn refused(detail: String) -> Meaning {
    Meaning::Refused(Fault::new(FaultKind::Denied, detail))
}

/// What a report says, for people.
fn reason(report: Option<Report>, usm: &Usm) -> String {
    match report {
        Some(Report::UnsupportedLevel) => {
            let level = usm.level().name();
            format!("the device does not support {level} for this user")
        }
        Some(Report::UnknownUser) => format!("unknown user {}", usm.user),
        Some(Report::WrongDigest) => {
            "wrong authentication password (or authentication protocol)".to_owned()
        }
        Some(Report::DecryptionError) => "wrong privacy password (or privacy protocol)".to_owned(),
        Some(Report::NotInTimeWindow) => {
            "outside the time window: the device does not accept the time that it told".to_owned()
        }
        Some(Report::UnknownEngine) => {
            "unknown engine id: the device does not accept the one that it told".to_owned()
        }
        Some(Report::UnknownContext) => format!("unknown context {:?}", usm.context),
        Some(Report::UnknownModel) => {
            "the device has no user-based security model (SNMPv3 is off)".to_owned()
        }
        Some(Report::InvalidMessage | Report::UnknownPdu) | None => {
            "the device refuses the question without a reason that is known".to_owned()
        }
    }
}

impl Engine {
    /// What silence means; in SNMPv3 it can be more than that nobody is there.
    pub(super) fn silence(&self, request: &Request, silence: String) -> String {
        let target = &request.asked.target;
        let Credentials::Usm(usm) = &target.credentials else {
            return silence;
        };
        if let Some(report) = request.v3.hint {
            return format!("{silence}; somebody said: {}", reason(Some(report), usm));
        }
        if !request.v3.is_met {
            return match request.v3.is_asked {
                true => silence,
                false => silence + " to the SNMPv3 discovery",
            };
        }
        if self.peers.has_answered(target.addr) || usm.level() != Level::AuthPriv {
            return format!("{silence}; it says who it is, but does not answer this user");
        }
        // net-snmp does not report what it cannot decrypt, or a context that it does not know.
        let mut cause = "wrong privacy password (or privacy protocol)".to_owned();
        if !usm.context.is_empty() {
            cause += &format!(", or unknown context {:?}", usm.context);
        }
        format!("{cause}: the device says who it is, but drops the encrypted question ({silence})")
    }
}
