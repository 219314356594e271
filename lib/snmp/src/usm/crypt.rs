//! Ciphers over the bytes of a message.

use super::{Key, Privacy};
use aes::cipher::{BlockDecryptMut, BlockEncrypt, BlockEncryptMut, KeyInit, KeyIvInit};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use des::Des;

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
        _ => aes(privacy, key, start, bytes, false),
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
        _ => aes(privacy, key, start, bytes, true),
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

/// The key has the right length: `Privacy::key_len`.
fn aes(privacy: Privacy, key: &[u8], start: Start, bytes: &mut [u8], is_encrypted: bool) {
    match privacy.key_len() {
        24 => cfb(Aes192Enc::new_from_slice(key), start, bytes, is_encrypted),
        32 => cfb(Aes256Enc::new_from_slice(key), start, bytes, is_encrypted),
        _ => cfb(Aes128Enc::new_from_slice(key), start, bytes, is_encrypted),
    }
}

/// CFB128 (NIST SP 800-38A section 6.3): what a block is mixed with is the encrypted block before it, encrypted again.
fn cfb<C: BlockEncrypt, E>(
    cipher: Result<C, E>,
    start: Start,
    bytes: &mut [u8],
    is_encrypted: bool,
) {
    let Ok(cipher) = cipher else { return };
    let mut iv = start.aes();
    for block in bytes.chunks_mut(iv.len()) {
        cipher.encrypt_block(iv.as_mut_slice().into());
        for (mixed, byte) in iv.iter_mut().zip(block) {
            let encrypted = if is_encrypted { *byte } else { *byte ^ *mixed };
            *byte ^= *mixed;
            *mixed = encrypted;
        }
    }
}
