//! The content of an OCTET STRING. A short one, as most are, needs no memory of its own.

use std::fmt;
use std::ops::Deref;

/// With so many, a `Value` is no larger than with a pointer.
const SHORT: usize = 22;

/// Bytes of any number.
#[derive(Clone)]
pub struct Octets(Room);

#[derive(Clone)]
enum Room {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(Box<[u8]>),
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Room::Short { len, bytes } => &bytes[..usize::from(*len)],
            Room::Long(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Octets {
    fn from(content: &[u8]) -> Octets {
        let mut bytes = [0; SHORT];
        Octets(match bytes.get_mut(..content.len()) {
            Some(place) => {
                place.copy_from_slice(content);
                Room::Short {
                    len: content.len() as u8,
                    bytes,
                }
            }
            None => Room::Long(content.into()),
        })
    }
}

impl From<Vec<u8>> for Octets {
    fn from(content: Vec<u8>) -> Octets {
        Octets::from(&content[..])
    }
}

impl<const N: usize> From<[u8; N]> for Octets {
    fn from(content: [u8; N]) -> Octets {
        Octets::from(&content[..])
    }
}

impl FromIterator<u8> for Octets {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Octets {
        bytes.into_iter().collect::<Vec<u8>>().into()
    }
}

impl PartialEq for Octets {
    fn eq(&self, other: &Octets) -> bool {
        **self == **other
    }
}

impl Eq for Octets {}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn every_length_comes_back() {
        for len in [0, 1, SHORT - 1, SHORT, SHORT + 1, 300] {
            let content: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
            let octets = Octets::from(&content[..]);
            assert_eq!(*octets, content);
            assert_eq!(octets, Octets::from(content));
        }
    }

    #[test]
    fn a_value_stays_small() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
