//! SNMP without I/O: values, the BER codec, and the engine that matches answers to questions.

pub mod ber;
pub mod engine;
pub mod message;
mod octets;
mod oid;
pub mod usm;
mod value;

pub use ber::Malformed;
pub use message::{Message, Pdu, PduKind};
pub use octets::Octets;
pub use oid::{Arcs, Oid, OidError};
pub use usm::Usm;

use rackwarden_base::Ticket;
use rackwarden_base::fault::Fault;
use rackwarden_base::secret::Secret;
use rackwarden_base::time::Mono;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Version of the protocol in which a PDU is written (RFC 1157, RFC 3416). SNMPv3 has those of v2c.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// SNMPv1
    V1,
    /// SNMPv2c
    V2c,
}

/// A value of a varbind (RFC 2578 section 7, RFC 3416 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// INTEGER, Integer32
    Integer(i64),
    /// OCTET STRING
    OctetString(Octets),
    /// NULL; also an INTEGER of length zero, which some firmware sends.
    Null,
    /// OBJECT IDENTIFIER
    ObjectId(Oid),
    /// IpAddress
    IpAddress([u8; 4]),
    /// Counter32
    Counter32(u32),
    /// Gauge32, Unsigned32
    Gauge32(u32),
    /// TimeTicks in hundredths of a second
    TimeTicks(u32),
    /// Opaque
    Opaque(Box<[u8]>),
    /// Counter64
    Counter64(u64),
    /// No such object
    NoSuchObject,
    /// No such instance
    NoSuchInstance,
    /// End of the MIB view
    EndOfMibView,
}

impl Value {
    /// The number in it, if it is one of the numeric types.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Integer(value) => Some(value),
            Value::Counter32(value) | Value::Gauge32(value) | Value::TimeTicks(value) => {
                Some(i64::from(value))
            }
            Value::Counter64(value) => i64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The bytes of an OCTET STRING as text: UTF-8, or else Latin-1, which older cards write. It ends at the first NUL:
    /// what stands behind it in a field of fixed length is left over.
    pub fn as_text(&self) -> Option<String> {
        let Value::OctetString(bytes) = self else {
            return None;
        };
        let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        })
    }

    /// True for noSuchObject, noSuchInstance, endOfMibView and NULL.
    pub fn is_absent(&self) -> bool {
        matches!(
            self,
            Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView | Value::Null
        )
    }
}

/// An object and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    /// Which object.
    pub oid: Oid,
    /// Its value; `Null` in questions.
    pub value: Value,
}

/// As whom a device is asked, for reading or for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// SNMPv1 or SNMPv2c, and the community.
    Community(Version, Secret<Arc<str>>),
    /// SNMPv3, and the user.
    Usm(Arc<Usm>),
}

impl Credentials {
    /// Version 2c with this community.
    pub fn community(community: &str) -> Credentials {
        Credentials::Community(Version::V2c, Secret::new(community.into()))
    }

    /// The version of its PDUs.
    pub const fn version(&self) -> Version {
        match self {
            Credentials::Community(version, _) => *version,
            Credentials::Usm(_) => Version::V2c,
        }
    }

    /// What it holds that nobody may see.
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Credentials::Community(_, community) => vec![&**community.expose()],
            Credentials::Usm(usm) => {
                let privacy = usm.privacy.iter().map(|(_, password)| password);
                let passwords = usm.auth.iter().chain(privacy);
                passwords
                    .map(|password| &**password.text().expose())
                    .collect()
            }
        }
    }
}

/// Whom to ask, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnmpTarget {
    /// Address and UDP port.
    pub addr: SocketAddr,
    /// As whom, and so in which version.
    pub credentials: Credentials,
    /// Take answers from any address (some firmware answers from another one).
    pub any_source: bool,
}

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnmpAsk {
    /// GET of these objects.
    Get(Arc<[Oid]>),
    /// GETNEXT after these objects.
    GetNext(Arc<[Oid]>),
    /// GETBULK; v2c only (a v1 target gets a GETNEXT).
    GetBulk {
        /// Objects that are asked once.
        non_repeaters: u8,
        /// How many successors of each other object.
        max_repetitions: u8,
        /// Start objects.
        oids: Arc<[Oid]>,
    },
    /// SET.
    Set(Arc<[VarBind]>),
}

/// One question to one device.
#[derive(Clone, Debug)]
pub struct SnmpRequest {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// Whom.
    pub target: Arc<SnmpTarget>,
    /// What.
    pub ask: SnmpAsk,
    /// Wait before it is sent again.
    pub timeout: Duration,
    /// How often it is sent again. A SET is never sent again, whatever stands here.
    pub retries: u8,
    /// Until then an answer to any of the tries counts.
    pub deadline: Mono,
}

/// The answer to an `SnmpRequest`.
#[derive(Clone, Debug)]
pub struct SnmpReply {
    /// The question.
    pub ticket: Ticket,
    /// What came back.
    pub result: Result<SnmpAnswer, Fault>,
    /// When the first try went out.
    pub sent: Mono,
    /// When the answer came, or when it was given up.
    pub received: Mono,
    /// How many tries went out.
    pub tries: u8,
    /// From the try that was answered to its answer, where that is known.
    pub round_trip: Option<Duration>,
}

/// A response PDU that matched its question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnmpAnswer {
    /// Values of a GET or SET, in the order of the question.
    Values(Box<[Value]>),
    /// Varbinds of a GETNEXT or GETBULK. At least one for a GETNEXT; a GETBULK may end early.
    Binds(Box<[VarBind]>),
    /// The agent answered with an error status (RFC 3416 section 3).
    Error {
        /// What went wrong.
        status: ErrorStatus,
        /// Which varbind, counted from 1; 0 for none.
        index: u32,
    },
}

/// The error-status of a response (RFC 3416 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorStatus(pub u32);

impl ErrorStatus {
    /// The answer would not fit.
    pub const TOO_BIG: ErrorStatus = ErrorStatus(1);
    /// SNMPv1: one of the objects does not exist.
    pub const NO_SUCH_NAME: ErrorStatus = ErrorStatus(2);
    /// Something else.
    pub const GEN_ERR: ErrorStatus = ErrorStatus(5);
    /// Not with this community.
    pub const NO_ACCESS: ErrorStatus = ErrorStatus(6);
    /// The object cannot be written.
    pub const NOT_WRITABLE: ErrorStatus = ErrorStatus(17);
    /// Not with these credentials.
    pub const AUTHORIZATION_ERROR: ErrorStatus = ErrorStatus(16);

    /// The name that RFC 3416 gives it.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 19] = [
            "noError",
            "tooBig",
            "noSuchName",
            "badValue",
            "readOnly",
            "genErr",
            "noAccess",
            "wrongType",
            "wrongLength",
            "wrongEncoding",
            "wrongValue",
            "noCreation",
            "inconsistentValue",
            "resourceUnavailable",
            "commitFailed",
            "undoFailed",
            "authorizationError",
            "notWritable",
            "inconsistentName",
        ];
        NAMES
            .get(self.0 as usize)
            .copied()
            .unwrap_or("unknown error")
    }
}
