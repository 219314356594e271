//! The User-based Security Model of SNMPv3 (RFC 3414, RFC 3826, RFC 7860): users, keys, and the message format of
//! RFC 3412 around a PDU. What a device's engine is known to be and when is the business of `snmp::engine`.
//!
//! In scope: all authentication and privacy protocols in use, both ways to lengthen a key, contexts, reports. Out of
//! scope: changing keys over SNMP, and traps.

mod crypt;
mod keys;
mod report;
mod wire;

pub use keys::{Key, Keys};
pub use report::{Report, report_bind};
pub use wire::{Envelope, NoKey, Opened, RawV3, Scoped, open, seal};

use rackwarden_base::secret::Secret;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The largest message that is taken: what an IPv4 datagram holds.
pub const MAX_MESSAGE: u32 = 65_507;
/// An engine that has restarted so often cannot be in any time window any more (RFC 3414 section 2.2.3).
pub const MAX_BOOTS: u32 = i32::MAX as u32;
/// How far apart two clocks may be, in seconds (RFC 3414 section 2.2.3).
pub const TIME_WINDOW_S: u32 = 150;
/// RFC 3414 section 11.2: the shortest password that is taken, in characters.
pub const MIN_PASSWORD: usize = 8;
/// SnmpAdminString (SIZE(0..32)), usmUserSecurityName.
pub const MAX_USER: usize = 32;

/// How a message is protected (RFC 3411 section 3.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    NoAuthNoPriv,
    /// Against change.
    AuthNoPriv,
    /// Against change and reading.
    AuthPriv,
}

impl Level {
    /// Every level, the lowest first.
    pub const ALL: [Level; 3] = [Level::NoAuthNoPriv, Level::AuthNoPriv, Level::AuthPriv];

    /// As RFC 3411 writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Level::NoAuthNoPriv => "noAuthNoPriv",
            Level::AuthNoPriv => "authNoPriv",
            Level::AuthPriv => "authPriv",
        }
    }

    /// The level of this name, in any case.
    pub fn named(name: &str) -> Option<Level> {
        Level::ALL
            .into_iter()
            .find(|level| level.name().eq_ignore_ascii_case(name))
    }
}

/// Authentication protocols (RFC 3414 section 6 and 7, RFC 7860).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// HMAC-MD5-96
    Md5,
    /// HMAC-SHA-96
    Sha1,
    /// HMAC-128-SHA-224
    Sha224,
    /// HMAC-192-SHA-256
    Sha256,
    /// HMAC-256-SHA-384
    Sha384,
    /// HMAC-384-SHA-512
    Sha512,
}

impl Auth {
    /// Names that are understood; the first of each protocol is the one that is shown.
    pub const NAMES: [(&'static str, Auth); 7] = [
        ("MD5", Auth::Md5),
        ("SHA", Auth::Sha1),
        ("SHA-1", Auth::Sha1),
        ("SHA-224", Auth::Sha224),
        ("SHA-256", Auth::Sha256),
        ("SHA-384", Auth::Sha384),
        ("SHA-512", Auth::Sha512),
    ];

    /// The name that is shown.
    pub fn name(self) -> &'static str {
        name_of(&Auth::NAMES, self)
    }

    /// The protocol of this name.
    pub fn named(name: &str) -> Option<Auth> {
        named(&Auth::NAMES, name)
    }

    /// Bytes of the digest, and of a key.
    const fn digest_len(self) -> usize {
        match self {
            Auth::Md5 => 16,
            Auth::Sha1 => 20,
            Auth::Sha224 => 28,
            Auth::Sha256 => 32,
            Auth::Sha384 => 48,
            Auth::Sha512 => 64,
        }
    }

    /// Bytes of the code that stands in a message.
    pub const fn code_len(self) -> usize {
        match self {
            Auth::Md5 | Auth::Sha1 => 12,
            Auth::Sha224 => 16,
            Auth::Sha256 => 24,
            Auth::Sha384 => 32,
            Auth::Sha512 => 48,
        }
    }
}

/// Privacy protocols (RFC 3414 section 8, RFC 3826, and two drafts that devices have built in).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// CBC-DES
    Des,
    /// CFB128-AES-128
    Aes128,
    /// AES-192 with a key lengthened by hashing it (draft-blumenthal-aes-usm-04), as net-snmp does.
    Aes192,
    /// AES-256 with a key lengthened by hashing it (draft-blumenthal-aes-usm-04), as net-snmp does.
    Aes256,
    /// AES-192 with a key lengthened by deriving from it (draft-reeder-snmpv3-usm-3desede-00), as Cisco does.
    Aes192C,
    /// AES-256 with a key lengthened by deriving from it (draft-reeder-snmpv3-usm-3desede-00), as Cisco does.
    Aes256C,
}

impl Privacy {
    /// Names that are understood; the first of each protocol is the one that is shown.
    pub const NAMES: [(&'static str, Privacy); 7] = [
        ("DES", Privacy::Des),
        ("AES-128", Privacy::Aes128),
        ("AES", Privacy::Aes128),
        ("AES-192", Privacy::Aes192),
        ("AES-256", Privacy::Aes256),
        ("AES-192-C", Privacy::Aes192C),
        ("AES-256-C", Privacy::Aes256C),
    ];

    /// The name that is shown.
    pub fn name(self) -> &'static str {
        name_of(&Privacy::NAMES, self)
    }

    /// The protocol of this name.
    pub fn named(name: &str) -> Option<Privacy> {
        named(&Privacy::NAMES, name)
    }

    /// Bytes of key that it takes of the localised one.
    pub const fn key_len(self) -> usize {
        match self {
            Privacy::Des | Privacy::Aes128 => 16,
            Privacy::Aes192 | Privacy::Aes192C => 24,
            Privacy::Aes256 | Privacy::Aes256C => 32,
        }
    }
}

fn name_of<T: PartialEq + Copy>(names: &[(&'static str, T)], wanted: T) -> &'static str {
    let found = names.iter().find(|(_, known)| *known == wanted);
    found.map_or("", |(name, _)| name)
}

/// `SHA256` and `sha-256` are the same to people.
fn named<T: Copy>(names: &[(&'static str, T)], wanted: &str) -> Option<T> {
    let plain = |name: &str| name.replace(['-', '_'], "").to_ascii_uppercase();
    let wanted = plain(wanted);
    let found = names.iter().find(|(known, _)| plain(known) == wanted);
    found.map(|(_, known)| *known)
}

/// A password together with the protocol that makes a key of it. Users share it, because the hash of a megabyte that
/// begins each key is the same for all engines (RFC 3414 section A.2); it is made at the first use.
pub struct Password {
    auth: Auth,
    text: Secret<Box<str>>,
    stretched: OnceLock<Key>,
}

impl Password {
    /// A password for use with this authentication protocol. Fewer than `MIN_PASSWORD` characters are taken as well;
    /// configurations refuse them.
    pub fn new(auth: Auth, text: &str) -> Password {
        Password {
            auth,
            text: Secret::new(text.into()),
            stretched: OnceLock::new(),
        }
    }

    /// The protocol.
    pub const fn auth(&self) -> Auth {
        self.auth
    }

    /// The text itself.
    pub const fn text(&self) -> &Secret<Box<str>> {
        &self.text
    }

    /// Whether the megabyte has been hashed.
    pub fn is_stretched(&self) -> bool {
        self.stretched.get().is_some()
    }

    /// The key of this password for all engines. Takes milliseconds when it is called first.
    fn stretched(&self) -> &Key {
        self.stretched
            .get_or_init(|| keys::stretch(self.auth, self.text.expose().as_bytes()))
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Password) -> bool {
        self.auth == other.auth && self.text == other.text
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ***", self.auth.name())
    }
}

/// A user, how it proves who it is, and the context it asks in.
#[derive(Clone, PartialEq, Eq)]
pub struct Usm {
    /// usmUserName
    pub user: Box<str>,
    /// Name of the context; most devices have only the one without a name.
    pub context: Box<str>,
    /// Authentication, and the password for it.
    pub auth: Option<Arc<Password>>,
    /// Privacy, and the password for it, whose protocol is the one of the authentication. Only together with `auth`.
    pub privacy: Option<(Privacy, Arc<Password>)>,
}

impl Usm {
    /// How its messages are protected.
    pub fn level(&self) -> Level {
        match (&self.auth, &self.privacy) {
            (Some(_), Some(_)) => Level::AuthPriv,
            (Some(_), None) => Level::AuthNoPriv,
            (None, _) => Level::NoAuthNoPriv,
        }
    }

    /// Whether making its keys for one more engine means to hash a megabyte.
    pub fn is_slow_to_localise(&self) -> bool {
        let privacy = self.privacy.iter().map(|(_, password)| password);
        let is_stretched = self
            .auth
            .iter()
            .chain(privacy)
            .all(|password| password.is_stretched());
        let is_derived = |(privacy, password): &(Privacy, Arc<Password>)| {
            matches!(privacy, Privacy::Aes192C | Privacy::Aes256C)
                && password.auth().digest_len() < privacy.key_len()
        };
        !is_stretched || self.privacy.as_ref().is_some_and(is_derived)
    }
}

impl fmt::Debug for Usm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let privacy = self.privacy.as_ref().map(|(privacy, _)| privacy.name());
        f.debug_struct("Usm")
            .field("user", &self.user)
            .field("context", &self.context)
            .field("auth", &self.auth)
            .field("privacy", &privacy)
            .finish()
    }
}

#[cfg(test)]
mod tests;
