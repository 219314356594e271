//! The message of SNMPv3 (RFC 3412 section 6) with the parameters of the security model (RFC 3414 section 2.4) around a
//! scoped PDU. As strict as the other envelope, and bytes behind the message are ignored there as well.

use super::{Auth, Keys, Level, crypt, keys};
use crate::ber::{self, Malformed, Reader};
use crate::message::{Draft, RawPdu};
use rackwarden_base::secret::constant_time_eq;

/// msgFlags (RFC 3412 section 6.4)
const AUTH: u8 = 1;
const PRIV: u8 = 2;
const REPORTABLE: u8 = 4;
/// msgSecurityModel of USM.
const MODEL: i64 = 3;
/// SnmpEngineID has at most 32 bytes; some firmware has more.
const MAX_ENGINE_ID: usize = 64;

/// What stands around a scoped PDU that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// Comes back unchanged in the answer.
    pub message_id: u32,
    /// What the sender takes, in bytes.
    pub max_size: u32,
    /// The sender understands a report.
    pub is_reportable: bool,
    /// Of the authoritative engine, the one that answers; empty to ask for it.
    pub engine_id: &'a [u8],
    /// How often it has restarted.
    pub boots: u32,
    /// Seconds since then.
    pub time_s: u32,
    /// usmUserName
    pub user: &'a [u8],
    /// What protects it: nothing, the code, or code and cipher.
    pub level: Level,
    /// Never the same for two messages under one key.
    pub salt: u64,
}

/// The scoped PDU that is to be sent (RFC 3412 section 6.8).
#[derive(Clone, Copy)]
pub struct Scoped<'a> {
    /// contextEngineID
    pub engine_id: &'a [u8],
    /// contextName
    pub context: &'a [u8],
    /// What it carries.
    pub pdu: Draft<'a>,
}

impl Scoped<'_> {
    fn content_len(&self) -> usize {
        string_len(self.engine_id.len()) + string_len(self.context.len()) + self.pdu.wire_len()
    }

    fn put(&self, out: &mut Vec<u8>) {
        let content = self.content_len();
        out.reserve(content + 5);
        ber::put_header(out, ber::SEQUENCE, content);
        put_string(out, self.engine_id);
        put_string(out, self.context);
        self.pdu.put(out);
    }
}

/// A level that the keys are too few for: nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKey;

/// Appends the message to `out`. `scratch` is overwritten.
///
/// # Errors
/// The level needs a key that is not there.
pub fn seal(
    out: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
    envelope: &Envelope<'_>,
    keys: &Keys,
    scoped: &Scoped<'_>,
) -> Result<(), NoKey> {
    scratch.clear();
    scoped.put(scratch);
    let mut salt: &[u8] = &[];
    let start = start(envelope.boots, envelope.time_s, keys, envelope.salt);
    let auth = match (envelope.level, &keys.auth) {
        (Level::NoAuthNoPriv, _) => None,
        (_, Some(auth)) => Some(auth),
        (_, None) => return Err(NoKey),
    };
    if envelope.level == Level::AuthPriv {
        let (privacy, key) = keys.privacy.as_ref().ok_or(NoKey)?;
        crypt::encrypt(*privacy, key, start, scratch);
        salt = &start.salt;
    }
    let is_encrypted = !salt.is_empty();
    let code_len = auth.map_or(0, |(auth, _)| auth.code_len());
    let security = string_len(envelope.engine_id.len())
        + number_len(envelope.boots)
        + number_len(envelope.time_s)
        + string_len(envelope.user.len())
        + string_len(code_len)
        + string_len(salt.len());
    let security_len = ber::header_len(security) + security;
    let header = number_len(envelope.message_id) + number_len(envelope.max_size) + 3 + 3;
    let data = if is_encrypted {
        string_len(scratch.len())
    } else {
        scratch.len()
    };
    let len = 3 + ber::header_len(header) + header + string_len(security_len) + data;
    out.reserve(len + 5);
    let from = out.len();
    ber::put_header(out, ber::SEQUENCE, len);
    put_number(out, 3);
    ber::put_header(out, ber::SEQUENCE, header);
    put_number(out, envelope.message_id);
    put_number(out, envelope.max_size);
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let flags = flag(auth.is_some(), AUTH)
        | flag(is_encrypted, PRIV)
        | flag(envelope.is_reportable, REPORTABLE);
    put_string(out, &[flags]);
    ber::put_signed(out, ber::INTEGER, MODEL);
    ber::put_header(out, ber::OCTET_STRING, security_len);
    ber::put_header(out, ber::SEQUENCE, security);
    put_string(out, envelope.engine_id);
    put_number(out, envelope.boots);
    put_number(out, envelope.time_s);
    put_string(out, envelope.user);
    ber::put_header(out, ber::OCTET_STRING, code_len);
    let code_at = out.len();
    out.resize(code_at + code_len, 0);
    put_string(out, salt);
    if is_encrypted {
        put_string(out, scratch);
    } else {
        out.extend_from_slice(scratch);
    }
    if let Some((auth, key)) = auth {
        let message = out.get(from..).unwrap_or_default();
        let code = keys::code(*auth, key, [message, &[], &[]]);
        if let (Some(place), Some(code)) = (
            out.get_mut(code_at..code_at + code_len),
            code.as_bytes().get(..code_len),
        ) {
            place.copy_from_slice(code);
        }
    }
    Ok(())
}

/// RFC 3414 section 8.1.1.1: the salt of DES is boots and a counter; RFC 3826 section 3.1.2.1: that of AES is 64 bits.
fn start(boots: u32, time: u32, keys: &Keys, salt: u64) -> crypt::Start {
    let is_des = matches!(keys.privacy, Some((super::Privacy::Des, _)));
    let salt = if is_des {
        u64::from(boots) << 32 | salt & 0xffff_ffff
    } else {
        salt
    };
    crypt::Start {
        boots,
        time,
        salt: salt.to_be_bytes(),
    }
}

fn string_len(len: usize) -> usize {
    ber::header_len(len) + len
}

fn number_len(value: u32) -> usize {
    2 + ber::unsigned_len(u64::from(value))
}

fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    ber::put_header(out, ber::OCTET_STRING, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_number(out: &mut Vec<u8>, value: u32) {
    ber::put_unsigned(out, ber::INTEGER, u64::from(value));
}

/// A message of SNMPv3 whose contents still stand in the datagram. Nothing in it has been proved.
#[derive(Clone, Copy, Debug)]
pub struct RawV3<'a> {
    /// Names the question.
    pub message_id: u32,
    /// What the sender takes, in bytes.
    pub max_size: u32,
    /// What protects it, as it says.
    pub level: Level,
    /// The sender understands a report.
    pub is_reportable: bool,
    /// Of the authoritative engine.
    pub engine_id: &'a [u8],
    /// How often it has restarted.
    pub boots: u32,
    /// Seconds since then.
    pub time_s: u32,
    /// usmUserName
    pub user: &'a [u8],
    code: &'a [u8],
    /// The message in front of the code, and behind it.
    around: [&'a [u8]; 2],
    salt: &'a [u8],
    data: Data<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Data<'a> {
    /// The scoped PDU, without its header.
    Plain(&'a [u8]),
    Encrypted(&'a [u8]),
}

impl<'a> RawV3<'a> {
    /// Reads the envelope.
    ///
    /// # Errors
    /// Says what is wrong; also for a message of another version or security model.
    pub fn read(datagram: &'a [u8]) -> Result<RawV3<'a>, Malformed> {
        let content = Reader::new(datagram).expect(ber::SEQUENCE)?;
        let mut message = Reader::new(content);
        if message.integer()? != 3 {
            return Err(Malformed("a message of another version than v3"));
        }
        let mut header = Reader::new(message.expect(ber::SEQUENCE)?);
        let message_id = number(&mut header)?;
        let max_size = number(&mut header)?;
        let &[flags] = header.expect(ber::OCTET_STRING)? else {
            return Err(Malformed("message flags that are not one byte"));
        };
        if header.integer()? != MODEL {
            return Err(Malformed("another security model than the user-based one"));
        }
        header.finish()?;
        let level = match (flags & AUTH != 0, flags & PRIV != 0) {
            (false, false) => Level::NoAuthNoPriv,
            (true, false) => Level::AuthNoPriv,
            (true, true) => Level::AuthPriv,
            (false, true) => return Err(Malformed("privacy without authentication")),
        };
        let mut outer = Reader::new(message.expect(ber::OCTET_STRING)?);
        let mut security = Reader::new(outer.expect(ber::SEQUENCE)?);
        outer.finish()?;
        let engine_id = security.expect(ber::OCTET_STRING)?;
        if engine_id.len() > MAX_ENGINE_ID {
            return Err(Malformed("an engine id that is too long"));
        }
        let boots = number(&mut security)?;
        let time_s = number(&mut security)?;
        let user = security.expect(ber::OCTET_STRING)?;
        if user.len() > super::MAX_USER {
            return Err(Malformed("a user name that is too long"));
        }
        let code = security.expect(ber::OCTET_STRING)?;
        let salt = security.expect(ber::OCTET_STRING)?;
        security.finish()?;
        let data = match message.read()? {
            (ber::SEQUENCE, scoped) if level != Level::AuthPriv => Data::Plain(scoped),
            (ber::OCTET_STRING, bytes) if level == Level::AuthPriv => Data::Encrypted(bytes),
            _ => return Err(Malformed("contents that do not fit the level")),
        };
        message.finish()?;
        Ok(RawV3 {
            message_id,
            max_size,
            level,
            is_reportable: flags & REPORTABLE != 0,
            engine_id,
            boots,
            time_s,
            user,
            code,
            around: around(datagram, content, code)?,
            salt,
            data,
        })
    }

    /// True when its code was made with this key, over these bytes.
    pub fn is_authentic(&self, auth: Auth, key: &super::Key) -> bool {
        let zeros = [0; 48];
        let (Some(zeros), [before, behind]) = (zeros.get(..auth.code_len()), self.around) else {
            return false;
        };
        let code = keys::code(auth, key, [before, zeros, behind]);
        self.code.len() == zeros.len()
            && code
                .as_bytes()
                .get(..zeros.len())
                .is_some_and(|code| constant_time_eq(code, self.code))
    }
}

/// What the code is computed over: the message without bytes behind its end, in two pieces.
fn around<'a>(
    datagram: &'a [u8],
    content: &'a [u8],
    code: &'a [u8],
) -> Result<[&'a [u8]; 2], Malformed> {
    // Both stand in the datagram; the addresses say where.
    let start = datagram.as_ptr() as usize;
    let end = content.as_ptr() as usize + content.len() - start;
    let code_at = code.as_ptr() as usize - start;
    let cut = || Malformed("a code that stands elsewhere");
    let before = datagram.get(..code_at).ok_or_else(cut)?;
    let behind = datagram.get(code_at + code.len()..end).ok_or_else(cut)?;
    Ok([before, behind])
}

/// INTEGER (0..2147483647)
fn number(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    let value = reader.integer()?;
    i32::try_from(value)
        .ok()
        .and_then(|value| u32::try_from(value).ok())
        .ok_or(Malformed("a number beyond 2^31-1"))
}

/// A scoped PDU whose contents still stand in the datagram, or in the room where it was decrypted.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// contextEngineID
    pub engine_id: &'a [u8],
    /// contextName
    pub context: &'a [u8],
    /// What it carries.
    pub pdu: RawPdu<'a>,
}

/// Reads the scoped PDU of a message; one that is encrypted is decrypted into `room` first.
///
/// # Errors
/// Says what is wrong: with another key than the sender's, anything can be.
pub fn open<'a>(
    message: &RawV3<'a>,
    keys: &Keys,
    room: &'a mut Vec<u8>,
) -> Result<Opened<'a>, Malformed> {
    let content = match message.data {
        Data::Plain(content) => content,
        Data::Encrypted(bytes) => {
            let undone = Malformed("contents that cannot be decrypted");
            let (privacy, key) = keys.privacy.as_ref().ok_or(undone)?;
            let start = crypt::Start {
                boots: message.boots,
                time: message.time_s,
                salt: message.salt.try_into().map_err(|_| undone)?,
            };
            room.clear();
            room.extend_from_slice(bytes);
            if !crypt::decrypt(*privacy, key, start, room) {
                return Err(undone);
            }
            // What DES was filled up with stands behind it.
            Reader::new(room).expect(ber::SEQUENCE)?
        }
    };
    let mut scoped = Reader::new(content);
    let engine_id = scoped.expect(ber::OCTET_STRING)?;
    let context = scoped.expect(ber::OCTET_STRING)?;
    let (tag, pdu) = scoped.read()?;
    scoped.finish()?;
    Ok(Opened {
        engine_id,
        context,
        pdu: RawPdu::read(tag, pdu)?,
    })
}
