//! BER: tags, lengths, and the few types that SNMP uses (RFC 3417 section 8). Reads what firmware sends,
//! not only what the standard allows: long-form lengths where a byte would do, and integers with padding.
//! Indefinite lengths and tags of more than one byte do not occur in SNMP and are refused.

use std::fmt;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const IP_ADDRESS: u8 = 0x40;
pub(super) const COUNTER32: u8 = 0x41;
pub(super) const GAUGE32: u8 = 0x42;
pub(super) const TIME_TICKS: u8 = 0x43;
pub(super) const OPAQUE: u8 = 0x44;
pub(super) const COUNTER64: u8 = 0x46;
/// UInteger32 of RFC 1442, which a few old agents still send.
pub(super) const UINTEGER32: u8 = 0x47;
pub(super) const NO_SUCH_OBJECT: u8 = 0x80;
pub(super) const NO_SUCH_INSTANCE: u8 = 0x81;
pub(super) const END_OF_MIB_VIEW: u8 = 0x82;

/// Bytes that are not what they should be; says what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Reads one element after the other. Never allocates, never goes beyond its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// True when nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element: its tag and its content.
    ///
    /// # Errors
    /// When it is cut off or has a length form that SNMP does not use.
    #[inline(always)]
    pub fn read(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let (tag, len, body) = match *self.rest {
            [tag, len @ 0..=0x7f, ref body @ ..] => (tag, usize::from(len), body),
            [tag, form, ref after @ ..] => {
                let (len, body) = long_length(form, after)?;
                (tag, len, body)
            }
            _ => return Err(Malformed("an element that is cut off")),
        };
        let Some((content, rest)) = body.split_at_checked(len) else {
            return Err(Malformed("an element that is longer than what holds it"));
        };
        self.rest = rest;
        Ok((tag, content))
    }

    /// The content of the next element, which must have this tag.
    ///
    /// # Errors
    /// When it is cut off or of another type.
    #[inline(always)]
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let (found, content) = self.read()?;
        if found == tag {
            Ok(content)
        } else {
            Err(Malformed("an element of another type than expected"))
        }
    }

    /// The next element as an INTEGER of at most eight bytes.
    ///
    /// # Errors
    /// When it is none, or empty.
    pub fn integer(&mut self) -> Result<i64, Malformed> {
        signed(self.expect(INTEGER)?)
    }

    /// Makes sure that nothing follows.
    ///
    /// # Errors
    /// When something does.
    #[inline(always)]
    pub fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed("an element with something behind its end"))
        }
    }
}

#[cold]
fn long_length(form: u8, after: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let count = usize::from(form & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(Malformed("a length in a form that SNMP does not use"));
    }
    let Some((digits, body)) = after.split_at_checked(count) else {
        return Err(Malformed("an element that is cut off"));
    };
    let len = digits
        .iter()
        .fold(0, |len, &digit| len << 8 | u32::from(digit));
    Ok((usize::try_from(len).unwrap_or(usize::MAX), body))
}

/// The two's complement number in one to eight bytes.
#[inline(always)]
pub(super) fn signed(content: &[u8]) -> Result<i64, Malformed> {
    match content {
        [] => Err(Malformed("an integer without digits")),
        [first, ..] if content.len() <= 8 => {
            let sign = i64::from(*first as i8 >> 7);
            Ok(content
                .iter()
                .fold(sign, |value, &byte| value << 8 | i64::from(byte)))
        }
        _ => Err(Malformed("an integer of more than eight bytes")),
    }
}

/// An unsigned 32-bit number as agents send it: with the leading zero byte that BER wants, or without it
/// (then it looks negative), or with its sign bit spread over more bytes.
#[inline(always)]
pub(super) fn unsigned32(content: &[u8]) -> Result<u32, Malformed> {
    match signed(content)? {
        value @ 0..=0xffff_ffff => Ok(value as u32),
        value if value >= i64::from(i32::MIN) && value < 0 => Ok(value as u32),
        _ => Err(Malformed("an unsigned number above 2^32-1")),
    }
}

/// An unsigned 64-bit number, with or without its leading zero byte.
pub(super) fn unsigned64(content: &[u8]) -> Result<u64, Malformed> {
    match content {
        [0, digits @ ..] if digits.len() == 8 => Ok(digits
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte))),
        _ => signed(content).map(|value| value as u64),
    }
}

/// Bytes that tag and length of an element take in front of `len` bytes of content.
pub(super) const fn header_len(len: usize) -> usize {
    match len {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        0x100..=0xffff => 4,
        _ => 5,
    }
}

/// Appends tag and length. Contents stay below 16 MiB: a datagram holds 64 KiB.
pub(super) fn put_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    let [.., high, middle, low] = len.to_be_bytes();
    match len {
        0..=0x7f => out.extend_from_slice(&[tag, low]),
        0x80..=0xff => out.extend_from_slice(&[tag, 0x81, low]),
        0x100..=0xffff => out.extend_from_slice(&[tag, 0x82, middle, low]),
        _ => out.extend_from_slice(&[tag, 0x83, high, middle, low]),
    }
}

/// Content bytes of the shortest two's complement form.
pub(super) const fn signed_len(value: i64) -> usize {
    let magnitude = (value ^ (value >> 63)) as u64;
    (64 - magnitude.leading_zeros() as usize) / 8 + 1
}

/// Content bytes of the shortest form of an unsigned number, whose first bit is never set.
pub(super) const fn unsigned_len(value: u64) -> usize {
    (64 - value.leading_zeros() as usize) / 8 + 1
}

/// Appends a signed number with its header.
pub(super) fn put_signed(out: &mut Vec<u8>, tag: u8, value: i64) {
    let len = signed_len(value);
    put_header(out, tag, len);
    out.extend_from_slice(&value.to_be_bytes()[8 - len..]);
}

/// Appends an unsigned number with its header.
pub(super) fn put_unsigned(out: &mut Vec<u8>, tag: u8, value: u64) {
    let len = unsigned_len(value);
    put_header(out, tag, len);
    if len == 9 {
        out.push(0);
    }
    out.extend_from_slice(&value.to_be_bytes()[8 - len.min(8)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_their_shortest_form_and_read_back() {
        let cases: &[(i64, &[u8])] = &[
            (0, &[2, 1, 0]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 255]),
            (-128, &[2, 1, 128]),
            (-129, &[2, 2, 255, 127]),
            (32_767, &[2, 2, 127, 255]),
            (i64::MIN, &[2, 8, 128, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (value, want) in cases {
            let mut out = Vec::new();
            put_signed(&mut out, INTEGER, *value);
            assert_eq!(out, *want);
            assert_eq!(Reader::new(&out).integer(), Ok(*value));
        }
        for value in [0, 127, 128, u64::from(u32::MAX), 1 << 63, u64::MAX] {
            let mut out = Vec::new();
            put_unsigned(&mut out, COUNTER64, value);
            assert_eq!(unsigned64(&out[2..]), Ok(value));
            assert_eq!(out.len(), 2 + unsigned_len(value));
        }
    }

    #[test]
    fn unsigned_numbers_of_sloppy_firmware_are_understood() {
        let cases: &[(&[u8], Option<u32>)] = &[
            (&[0, 0xff, 0xff, 0xff, 0xff], Some(u32::MAX)),
            (&[0xff, 0xff, 0xff, 0xff], Some(u32::MAX)),
            (&[0x80, 0, 0, 0], Some(0x8000_0000)),
            (&[0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0], Some(0x8000_0000)),
            (&[0, 0, 0, 0, 0, 0, 1, 0], Some(256)),
            (&[1, 0, 0, 0, 0], None),
            (&[0xfe, 0, 0, 0, 0], None),
            (&[], None),
            (&[0; 9], None),
        ];
        for (content, want) in cases {
            assert_eq!(unsigned32(content).ok(), *want, "{content:x?}");
        }
        assert_eq!(unsigned64(&[0xff; 8]), Ok(u64::MAX));
        assert!(unsigned64(&[1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn lengths_may_be_longer_than_needed_but_not_than_the_bytes() {
        let cases: &[(&[u8], Option<&[u8]>)] = &[
            (&[4, 1, 9], Some(&[9])),
            (&[4, 0x81, 1, 9], Some(&[9])),
            (&[4, 0x84, 0, 0, 0, 1, 9], Some(&[9])),
            (&[4, 0], Some(&[])),
            (&[4, 2, 9], None),
            (&[4, 0x80, 9, 0, 0], None),
            (&[4, 0x85, 0, 0, 0, 0, 1, 9], None),
            (&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 9], None),
            (&[4, 0x82, 1], None),
            (&[4], None),
            (&[], None),
        ];
        for (bytes, want) in cases {
            let got = Reader::new(bytes).expect(OCTET_STRING).ok();
            assert_eq!(got, *want, "{bytes:x?}");
        }
    }

    #[test]
    fn headers_say_their_own_length() {
        for len in [0, 127, 128, 255, 256, 65_535, 65_536] {
            let mut out = Vec::new();
            put_header(&mut out, OCTET_STRING, len);
            assert_eq!(out.len(), header_len(len));
            out.resize(out.len() + len, 0);
            assert_eq!(Reader::new(&out).read().unwrap().1.len(), len);
        }
    }
}
