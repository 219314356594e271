//! SNMPv1 and v2c messages (RFC 1157, RFC 1901, RFC 3416), encoded and decoded.
//!
//! A message is an envelope (version, community) around a PDU; the PDU is read and written on its own, so
//! that another envelope can hold it. Nothing here knows what was asked: that is the engine's.
//!
//! Bytes behind the message are ignored, since some cards pad their datagrams; bytes behind an element
//! inside of it are an error.

use super::ber::{self, Malformed, Reader};
use super::{Oid, SnmpAsk, Value, VarBind, Version};
use rackwarden_base::secret::Secret;

/// What a PDU is (RFC 3416 section 3). The SNMPv1 trap has a form of its own and is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PduKind {
    /// GetRequest
    Get,
    /// GetNextRequest
    GetNext,
    /// Response
    Response,
    /// SetRequest
    Set,
    /// GetBulkRequest
    GetBulk,
    /// InformRequest
    Inform,
    /// SNMPv2-Trap
    Trap,
    /// Report
    Report,
}

impl PduKind {
    const fn tag(self) -> u8 {
        match self {
            PduKind::Get => 0xa0,
            PduKind::GetNext => 0xa1,
            PduKind::Response => 0xa2,
            PduKind::Set => 0xa3,
            PduKind::GetBulk => 0xa5,
            PduKind::Inform => 0xa6,
            PduKind::Trap => 0xa7,
            PduKind::Report => 0xa8,
        }
    }

    const fn of_tag(tag: u8) -> Option<PduKind> {
        Some(match tag {
            0xa0 => PduKind::Get,
            0xa1 => PduKind::GetNext,
            0xa2 => PduKind::Response,
            0xa3 => PduKind::Set,
            0xa5 => PduKind::GetBulk,
            0xa6 => PduKind::Inform,
            0xa7 => PduKind::Trap,
            0xa8 => PduKind::Report,
            _ => return None,
        })
    }
}

/// A whole message with owned contents, as an agent or a test wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Protocol version.
    pub version: Version,
    /// Community.
    pub community: Secret<Box<[u8]>>,
    /// What it carries.
    pub pdu: Pdu,
}

/// A PDU with owned contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// What it is.
    pub kind: PduKind,
    /// Comes back unchanged in the response.
    pub request_id: i32,
    /// error-status; non-repeaters in a GETBULK.
    pub status: u32,
    /// error-index, counted from 1; max-repetitions in a GETBULK.
    pub index: u32,
    /// Objects and their values.
    pub binds: Vec<VarBind>,
}

impl Message {
    /// Reads a datagram.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn decode(datagram: &[u8]) -> Result<Message, Malformed> {
        let raw = RawMessage::read(datagram)?;
        Ok(Message {
            version: raw.version,
            community: Secret::new(raw.community.into()),
            pdu: raw.pdu.to_pdu()?,
        })
    }

    /// Appends the datagram.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_message(
            out,
            self.version,
            self.community.expose(),
            &Draft::of_pdu(&self.pdu),
        );
    }
}

/// Appends the datagram that asks something, and returns where its request id ends. A GETBULK in version 1 becomes
/// a GETNEXT.
pub fn encode_request(
    out: &mut Vec<u8>,
    version: Version,
    community: &[u8],
    request_id: i32,
    ask: &SnmpAsk,
) -> usize {
    put_message(
        out,
        version,
        community,
        &Draft::of_ask(version, request_id, ask),
    )
}

/// A PDU that is to be written, whatever the envelope.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    kind: PduKind,
    request_id: i32,
    status: u32,
    index: u32,
    binds: Binds<'a>,
}

impl<'a> Draft<'a> {
    /// The PDU that asks something. A GETBULK in version 1 becomes a GETNEXT.
    pub fn of_ask(version: Version, request_id: i32, ask: &'a SnmpAsk) -> Draft<'a> {
        let (kind, status, index, binds) = match ask {
            SnmpAsk::Get(oids) => (PduKind::Get, 0, 0, Binds::Names(oids)),
            SnmpAsk::GetNext(oids) => (PduKind::GetNext, 0, 0, Binds::Names(oids)),
            SnmpAsk::GetBulk { oids, .. } if version == Version::V1 => {
                (PduKind::GetNext, 0, 0, Binds::Names(oids))
            }
            SnmpAsk::GetBulk {
                non_repeaters,
                max_repetitions,
                oids,
            } => (
                PduKind::GetBulk,
                u32::from(*non_repeaters),
                u32::from(*max_repetitions),
                Binds::Names(oids),
            ),
            SnmpAsk::Set(binds) => (PduKind::Set, 0, 0, Binds::Pairs(binds)),
        };
        Draft {
            kind,
            request_id,
            status,
            index,
            binds,
        }
    }

    /// The same PDU.
    pub fn of_pdu(pdu: &'a Pdu) -> Draft<'a> {
        Draft {
            kind: pdu.kind,
            request_id: pdu.request_id,
            status: pdu.status,
            index: pdu.index,
            binds: Binds::Pairs(&pdu.binds),
        }
    }

    /// A GET of nothing.
    pub fn empty(request_id: i32) -> Draft<'a> {
        Draft {
            kind: PduKind::Get,
            request_id,
            status: 0,
            index: 0,
            binds: Binds::Names(&[]),
        }
    }

    fn head_len(&self) -> usize {
        6 + ber::signed_len(i64::from(self.request_id))
            + ber::unsigned_len(u64::from(self.status))
            + ber::unsigned_len(u64::from(self.index))
    }

    fn content_len(&self, binds_len: usize) -> usize {
        self.head_len() + ber::header_len(binds_len) + binds_len
    }

    /// Bytes that it takes on the wire, with its header.
    pub(super) fn wire_len(&self) -> usize {
        let content = self.content_len(self.binds.wire_len());
        ber::header_len(content) + content
    }

    /// Appends it with its header.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        self.put_with(out, self.binds.wire_len());
    }

    /// Returns where the request id ends.
    fn put_with(&self, out: &mut Vec<u8>, binds_len: usize) -> usize {
        ber::put_header(out, self.kind.tag(), self.content_len(binds_len));
        ber::put_signed(out, ber::INTEGER, i64::from(self.request_id));
        let id_end = out.len();
        ber::put_unsigned(out, ber::INTEGER, u64::from(self.status));
        ber::put_unsigned(out, ber::INTEGER, u64::from(self.index));
        ber::put_header(out, ber::SEQUENCE, binds_len);
        self.binds.put(out);
        id_end
    }
}

/// Varbinds to be written: names with NULL for a value, or pairs.
#[derive(Clone, Copy)]
enum Binds<'a> {
    Names(&'a [Oid]),
    Pairs(&'a [VarBind]),
}

impl Binds<'_> {
    fn wire_len(&self) -> usize {
        let with_header = |content: usize| ber::header_len(content) + content;
        match self {
            Binds::Names(oids) => oids
                .iter()
                .map(|oid| with_header(with_header(oid.as_bytes().len()) + 2))
                .sum(),
            Binds::Pairs(binds) => binds
                .iter()
                .map(|bind| {
                    with_header(with_header(bind.oid.as_bytes().len()) + bind.value.wire_len())
                })
                .sum(),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Binds::Names(oids) => {
                for oid in *oids {
                    put_name(out, oid, 2);
                    out.extend_from_slice(&[ber::NULL, 0]);
                }
            }
            Binds::Pairs(binds) => {
                for bind in *binds {
                    put_name(out, &bind.oid, bind.value.wire_len());
                    bind.value.put(out);
                }
            }
        }
    }
}

/// Appends the header of a varbind, and its name.
fn put_name(out: &mut Vec<u8>, oid: &Oid, value_len: usize) {
    let content = oid.as_bytes();
    let name_len = ber::header_len(content.len()) + content.len();
    ber::put_header(out, ber::SEQUENCE, name_len + value_len);
    ber::put_header(out, ber::OBJECT_ID, content.len());
    out.extend_from_slice(content);
}

fn put_message(out: &mut Vec<u8>, version: Version, community: &[u8], pdu: &Draft<'_>) -> usize {
    let binds_len = pdu.binds.wire_len();
    let pdu_len = pdu.content_len(binds_len);
    let community_len = ber::header_len(community.len()) + community.len();
    let len = 3 + community_len + ber::header_len(pdu_len) + pdu_len;
    out.reserve(len + 5);
    ber::put_header(out, ber::SEQUENCE, len);
    let version = match version {
        Version::V1 => 0,
        Version::V2c => 1,
    };
    ber::put_signed(out, ber::INTEGER, version);
    ber::put_header(out, ber::OCTET_STRING, community.len());
    out.extend_from_slice(community);
    pdu.put_with(out, binds_len)
}

/// A message whose contents still stand in the datagram.
#[derive(Clone, Copy, Debug)]
pub struct RawMessage<'a> {
    /// Protocol version.
    pub version: Version,
    /// Community.
    pub community: &'a [u8],
    /// What it carries.
    pub pdu: RawPdu<'a>,
}

impl<'a> RawMessage<'a> {
    /// Reads the envelope and the head of the PDU; the varbinds are read on demand.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn read(datagram: &'a [u8]) -> Result<RawMessage<'a>, Malformed> {
        let mut message = Reader::new(Reader::new(datagram).expect(ber::SEQUENCE)?);
        let version = match message.integer()? {
            0 => Version::V1,
            1 => Version::V2c,
            _ => return Err(Malformed("a message of another version than v1 or v2c")),
        };
        let community = message.expect(ber::OCTET_STRING)?;
        let (tag, content) = message.read()?;
        message.finish()?;
        Ok(RawMessage {
            version,
            community,
            pdu: RawPdu::read(tag, content)?,
        })
    }
}

/// A PDU whose contents still stand in the datagram.
#[derive(Clone, Copy, Debug)]
pub struct RawPdu<'a> {
    /// What it is.
    pub kind: PduKind,
    /// Names the question.
    pub request_id: i32,
    /// error-status; non-repeaters in a GETBULK. A negative status is no known error, a negative count is 0.
    pub status: u32,
    /// error-index; max-repetitions in a GETBULK.
    pub index: u32,
    binds: Reader<'a>,
}

impl<'a> RawPdu<'a> {
    /// Reads the head of a PDU from its tag and content.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn read(tag: u8, content: &'a [u8]) -> Result<RawPdu<'a>, Malformed> {
        let kind = PduKind::of_tag(tag).ok_or(Malformed("a PDU of a kind that is not read"))?;
        let mut pdu = Reader::new(content);
        let request_id =
            i32::try_from(pdu.integer()?).map_err(|_| Malformed("a request id beyond 32 bits"))?;
        let status = pdu.integer()?;
        let index = pdu.integer()?;
        let binds = Reader::new(pdu.expect(ber::SEQUENCE)?);
        pdu.finish()?;
        let unknown = if kind == PduKind::GetBulk {
            0
        } else {
            u32::MAX
        };
        Ok(RawPdu {
            kind,
            request_id,
            status: u32::try_from(status).unwrap_or(unknown),
            index: u32::try_from(index).unwrap_or(0),
            binds,
        })
    }

    /// Its varbinds, one after the other. Ends after the first error.
    pub const fn binds(&self) -> RawBinds<'a> {
        RawBinds { rest: self.binds }
    }

    /// With owned contents.
    ///
    /// # Errors
    /// Says what is wrong with a varbind.
    pub fn to_pdu(self) -> Result<Pdu, Malformed> {
        let mut binds = Vec::new();
        for bind in self.binds() {
            let bind = bind?;
            binds.push(VarBind {
                oid: Oid::from_bytes(bind.name)?,
                value: bind.value()?,
            });
        }
        Ok(Pdu {
            kind: self.kind,
            request_id: self.request_id,
            status: self.status,
            index: self.index,
            binds,
        })
    }
}

/// A varbind whose contents still stand in the datagram.
#[derive(Clone, Copy, Debug)]
pub struct RawBind<'a> {
    /// Content bytes of the name, not yet looked at.
    pub name: &'a [u8],
    tag: u8,
    content: &'a [u8],
}

impl RawBind<'_> {
    /// Its value.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn value(&self) -> Result<Value, Malformed> {
        Value::read(self.tag, self.content)
    }
}

/// Iterates over varbinds.
#[derive(Clone, Debug)]
pub struct RawBinds<'a> {
    rest: Reader<'a>,
}

impl<'a> RawBinds<'a> {
    #[inline(always)]
    fn read(&mut self) -> Result<RawBind<'a>, Malformed> {
        let mut bind = Reader::new(self.rest.expect(ber::SEQUENCE)?);
        let name = bind.expect(ber::OBJECT_ID)?;
        let (tag, content) = bind.read()?;
        bind.finish()?;
        Ok(RawBind { name, tag, content })
    }
}

impl<'a> Iterator for RawBinds<'a> {
    type Item = Result<RawBind<'a>, Malformed>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let bind = self.read();
        if bind.is_err() {
            self.rest = Reader::new(&[]);
        }
        Some(bind)
    }
}

#[cfg(test)]
mod tests;
