//! From a password to the keys of one engine (RFC 3414 section 2.6 and A.2), and how a short key becomes a long one.

use super::{Auth, Privacy, Usm};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::fmt;

/// The longest digest.
const MAX_DIGEST: usize = 64;
/// RFC 3414 section A.2.1: the password is repeated to this length.
const STRETCHED: usize = 1 << 20;

/// A key. It never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    bytes: [u8; MAX_DIGEST],
    len: u8,
}

impl Key {
    /// A key of these bytes; at most 64 count.
    pub fn new(bytes: &[u8]) -> Key {
        let mut key = Key {
            bytes: [0; MAX_DIGEST],
            len: 0,
        };
        key.extend(bytes);
        key
    }

    fn extend(&mut self, more: &[u8]) {
        let start = usize::from(self.len);
        let room = self.bytes.iter_mut().skip(start);
        for (place, byte) in room.zip(more) {
            *place = *byte;
            self.len += 1;
        }
    }

    fn cut(&mut self, len: usize) {
        self.len = self.len.min(u8::try_from(len).unwrap_or(u8::MAX));
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a user's messages to one engine are protected with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// For the code of each message.
    pub auth: Option<(Auth, Key)>,
    /// For its contents.
    pub privacy: Option<(Privacy, Key)>,
}

impl Keys {
    /// The keys of a user for one engine. Quick unless `Usm::is_slow_to_localise`.
    pub fn localised(usm: &Usm, engine_id: &[u8]) -> Keys {
        let auth = usm.auth.as_ref().map(|password| {
            let auth = password.auth();
            (auth, localise(auth, password.stretched(), engine_id))
        });
        let privacy = usm.privacy.as_ref().map(|(privacy, password)| {
            let auth = password.auth();
            let key = localise(auth, password.stretched(), engine_id);
            (*privacy, lengthened(auth, *privacy, key, engine_id))
        });
        Keys {
            privacy: privacy.filter(|_| auth.is_some()),
            auth,
        }
    }
}

/// Ku: the digest of a megabyte of the password.
pub(super) fn stretch(auth: Auth, password: &[u8]) -> Key {
    match auth {
        Auth::Md5 => stretch_with::<Md5>(password),
        Auth::Sha1 => stretch_with::<Sha1>(password),
        Auth::Sha224 => stretch_with::<Sha224>(password),
        Auth::Sha256 => stretch_with::<Sha256>(password),
        Auth::Sha384 => stretch_with::<Sha384>(password),
        Auth::Sha512 => stretch_with::<Sha512>(password),
    }
}

fn stretch_with<D: Digest>(password: &[u8]) -> Key {
    let mut digest = D::new();
    // As many whole passwords as fit into a few kilobytes go in at once.
    let repeated = password.repeat((4096 / password.len().max(1)).max(1));
    let mut left = if repeated.is_empty() { 0 } else { STRETCHED };
    while left > 0 {
        let piece = &repeated[..left.min(repeated.len())];
        digest.update(piece);
        left -= piece.len();
    }
    Key::new(&digest.finalize())
}

/// Kul: the digest of Ku, engine id, Ku.
pub(super) fn localise(auth: Auth, key: &Key, engine_id: &[u8]) -> Key {
    let key = key.as_bytes();
    hash(auth, &[key, engine_id, key])
}

/// The digest of these parts, one after the other.
pub(super) fn hash(auth: Auth, parts: &[&[u8]]) -> Key {
    match auth {
        Auth::Md5 => hash_with::<Md5>(parts),
        Auth::Sha1 => hash_with::<Sha1>(parts),
        Auth::Sha224 => hash_with::<Sha224>(parts),
        Auth::Sha256 => hash_with::<Sha256>(parts),
        Auth::Sha384 => hash_with::<Sha384>(parts),
        Auth::Sha512 => hash_with::<Sha512>(parts),
    }
}

fn hash_with<D: Digest>(parts: &[&[u8]]) -> Key {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    Key::new(&digest.finalize())
}

/// The code of a message that is given in pieces (RFC 2104), at its full length.
pub(super) fn code(auth: Auth, key: &Key, pieces: [&[u8]; 3]) -> Key {
    match auth {
        Auth::Md5 => code_with::<Hmac<Md5>>(key, pieces),
        Auth::Sha1 => code_with::<Hmac<Sha1>>(key, pieces),
        Auth::Sha224 => code_with::<Hmac<Sha224>>(key, pieces),
        Auth::Sha256 => code_with::<Hmac<Sha256>>(key, pieces),
        Auth::Sha384 => code_with::<Hmac<Sha384>>(key, pieces),
        Auth::Sha512 => code_with::<Hmac<Sha512>>(key, pieces),
    }
}

fn code_with<M: Mac + KeyInit>(key: &Key, pieces: [&[u8]; 3]) -> Key {
    let mac = <M as Mac>::new_from_slice(key.as_bytes());
    let mut mac = mac.expect("a key of any length");
    for piece in pieces {
        mac.update(piece);
    }
    Key::new(&mac.finalize().into_bytes())
}

/// Makes a localised key as long as the cipher wants it.
fn lengthened(auth: Auth, privacy: Privacy, mut key: Key, engine_id: &[u8]) -> Key {
    let wanted = privacy.key_len();
    let is_derived = matches!(privacy, Privacy::Aes192C | Privacy::Aes256C);
    let mut last = key.clone();
    while key.as_bytes().len() < wanted {
        let more = if is_derived {
            // The key so far is the password of the next piece (draft-reeder section 2.1).
            last = localise(auth, &stretch(auth, last.as_bytes()), engine_id);
            last.clone()
        } else {
            // The digest of all that there is (draft-blumenthal section 3.1.2.1).
            hash(auth, &[key.as_bytes()])
        };
        key.extend(more.as_bytes());
    }
    key.cut(wanted);
    key
}
