//! Codes and ciphers over the bytes of a message.

use super::{Auth, Key, Privacy};
use aes::cipher::{AsyncStreamCipher, BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use des::Des;
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// The longest code, HMAC-384-SHA-512.
const MAX_CODE: usize = 48;

/// The code of a message that is given in pieces; `code_len` bytes of it count.
pub(super) fn code(auth: Auth, key: &Key, pieces: [&[u8]; 3]) -> [u8; MAX_CODE] {
    match auth {
        Auth::Md5 => code_with::<Hmac<Md5>>(key, pieces),
        Auth::Sha1 => code_with::<Hmac<Sha1>>(key, pieces),
        Auth::Sha224 => code_with::<Hmac<Sha224>>(key, pieces),
        Auth::Sha256 => code_with::<Hmac<Sha256>>(key, pieces),
        Auth::Sha384 => code_with::<Hmac<Sha384>>(key, pieces),
        Auth::Sha512 => code_with::<Hmac<Sha512>>(key, pieces),
    }
}

fn code_with<M: Mac + hmac::digest::KeyInit>(key: &Key, pieces: [&[u8]; 3]) -> [u8; MAX_CODE] {
    let mut code = [0; MAX_CODE];
    // HMAC takes keys of any length.
    if let Ok(mut mac) = <M as Mac>::new_from_slice(key.as_bytes()) {
        for piece in pieces {
            mac.update(piece);
        }
        let whole = mac.finalize().into_bytes();
        for (place, byte) in code.iter_mut().zip(whole) {
            *place = byte;
        }
    }
    code
}

/// What goes into a cipher besides the key: the engine's clock and the salt of the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) boots: u32,
    pub(super) time: u32,
    pub(super) salt: [u8; 8],
}

impl Start {
    /// RFC 3826 section 3.1.2.1.
    fn aes(self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[..4].copy_from_slice(&self.boots.to_be_bytes());
        iv[4..8].copy_from_slice(&self.time.to_be_bytes());
        iv[8..].copy_from_slice(&self.salt);
        iv
    }
}

/// Encrypts in place. What DES encrypts is made a multiple of eight bytes first.
pub(super) fn encrypt(privacy: Privacy, key: &Key, start: Start, bytes: &mut Vec<u8>) {
    let key = key.as_bytes();
    match privacy {
        Privacy::Des => {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            if let Some(mut cipher) = des::<cbc::Encryptor<Des>>(key, start) {
                for block in bytes.chunks_exact_mut(8) {
                    cipher.encrypt_block_mut(block.into());
                }
            }
        }
        Privacy::Aes128 => {
            aes::<cfb_mode::Encryptor<Aes128Enc>>(key, start, |it| it.encrypt(bytes))
        }
        Privacy::Aes192 | Privacy::Aes192C => {
            aes::<cfb_mode::Encryptor<Aes192Enc>>(key, start, |it| it.encrypt(bytes));
        }
        Privacy::Aes256 | Privacy::Aes256C => {
            aes::<cfb_mode::Encryptor<Aes256Enc>>(key, start, |it| it.encrypt(bytes));
        }
    }
}

/// Decrypts in place. False when the bytes cannot be what this cipher made.
pub(super) fn decrypt(privacy: Privacy, key: &Key, start: Start, bytes: &mut [u8]) -> bool {
    let key = key.as_bytes();
    match privacy {
        Privacy::Des => {
            if bytes.len() % 8 != 0 {
                return false;
            }
            if let Some(mut cipher) = des::<cbc::Decryptor<Des>>(key, start) {
                for block in bytes.chunks_exact_mut(8) {
                    cipher.decrypt_block_mut(block.into());
                }
            }
        }
        Privacy::Aes128 => {
            aes::<cfb_mode::Decryptor<Aes128Enc>>(key, start, |it| it.decrypt(bytes))
        }
        Privacy::Aes192 | Privacy::Aes192C => {
            aes::<cfb_mode::Decryptor<Aes192Enc>>(key, start, |it| it.decrypt(bytes));
        }
        Privacy::Aes256 | Privacy::Aes256C => {
            aes::<cfb_mode::Decryptor<Aes256Enc>>(key, start, |it| it.decrypt(bytes));
        }
    }
    true
}

/// RFC 3414 section 8.1.1.1: eight bytes of key, and eight that are mixed with the salt.
fn des<C: KeyIvInit>(key: &[u8], start: Start) -> Option<C> {
    let (key, rest) = key.split_at_checked(8)?;
    let mut iv = start.salt;
    for (place, byte) in iv.iter_mut().zip(rest) {
        *place ^= byte;
    }
    C::new_from_slices(key, &iv).ok()
}

fn aes<C: KeyIvInit>(key: &[u8], start: Start, run: impl FnOnce(C)) {
    // The key has the right length: `Privacy::key_len`.
    if let Ok(cipher) = C::new_from_slices(key, &start.aes()) {
        run(cipher);
    }
}
