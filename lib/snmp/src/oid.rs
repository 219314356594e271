//! Object identifiers, kept in their BER content encoding: what travels is what is stored, so that asking
//! and matching copy and compare bytes. Leaves names to the tables that use it: an OID here is numbers.

use super::ber::Malformed;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Arcs of one OID. RFC 3416 section 4.1: at most 128 sub-identifiers.
const MAX_ARCS: usize = 128;

/// An object identifier. Ordered by arcs, as a walk visits them; arcs go up to 2^32-1.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Oid(Box<[u8]>);

impl Oid {
    /// Makes an OID of its arcs: `Oid::from_arcs(&[1, 3, 6, 1, 2, 1, 1, 3, 0])`.
    ///
    /// It is meant for tables in the source, so it takes what it gets: missing first arcs are 0, arcs after
    /// the 128th are left out, and a first pair that does not exist (`3.1`) reads back as one that does.
    /// Text from outside goes through `FromStr`.
    pub fn from_arcs(arcs: &[u32]) -> Oid {
        let (first, rest) = match arcs {
            [] => (0, &[][..]),
            [top] => (u64::from(*top) * 40, &[][..]),
            [top, second, rest @ ..] => (u64::from(*top) * 40 + u64::from(*second), rest),
        };
        let mut content = Vec::with_capacity(arcs.len() + 8);
        push_arc(&mut content, first.min(MAX_FIRST));
        for &arc in rest.iter().take(MAX_ARCS - 2) {
            push_arc(&mut content, u64::from(arc));
        }
        Oid(content.into_boxed_slice())
    }

    /// Takes the content bytes of an OBJECT IDENTIFIER. No bytes at all, which some agents send for an
    /// unknown OID, stand for `0.0`.
    ///
    /// # Errors
    /// When the bytes are cut off, padded, or hold an arc above 2^32-1 or more than 128 arcs.
    pub fn from_bytes(content: &[u8]) -> Result<Oid, Malformed> {
        if content.is_empty() {
            return Ok(Oid(Box::new([0])));
        }
        check(content)?;
        Ok(Oid(content.into()))
    }

    /// The content bytes of its BER encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// This OID with further arcs: a column with an index, for example.
    pub fn child(&self, arcs: &[u32]) -> Oid {
        let room = MAX_ARCS.saturating_sub(self.arcs().count());
        let mut content = Vec::with_capacity(self.0.len() + arcs.len() + 4);
        content.extend_from_slice(&self.0);
        for &arc in arcs.iter().take(room) {
            push_arc(&mut content, u64::from(arc));
        }
        Oid(content.into_boxed_slice())
    }

    /// True when `prefix` is this OID or one above it.
    pub fn starts_with(&self, prefix: &Oid) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The arcs below `prefix`: the index of a table's cell, for example.
    pub fn strip_prefix(&self, prefix: &Oid) -> Option<Arcs<'_>> {
        let rest = self.0.strip_prefix(&prefix.0[..])?;
        Some(Arcs {
            rest,
            head: Head::Gone,
        })
    }

    /// All arcs in order.
    pub fn arcs(&self) -> Arcs<'_> {
        let mut arcs = Arcs {
            rest: &self.0,
            head: Head::Gone,
        };
        let Some(first) = arcs.next_sub_identifier() else {
            return arcs;
        };
        let top = (first / 40).min(2);
        arcs.head = Head::Both(top as u32, (first - top * 40) as u32);
        arcs
    }
}

/// The first two arcs share a sub-identifier: 2 * 40 + (2^32-1) at most.
const MAX_FIRST: u64 = 80 + u32::MAX as u64;

/// Appends a sub-identifier: seven bits a byte, the highest bit set on all but the last.
fn push_arc(content: &mut Vec<u8>, arc: u64) {
    let groups = (64 - (arc | 1).leading_zeros()).div_ceil(7);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        content.push((arc >> (7 * group)) as u8 & 0x7f | more);
    }
}

/// Looks whether content bytes are a well-formed OID within the caps.
fn check(content: &[u8]) -> Result<(), Malformed> {
    let mut arcs = 1;
    let mut value = 0u64;
    let mut is_start = true;
    for &byte in content {
        if is_start && byte == 0x80 {
            return Err(Malformed("an OID with a padded arc"));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        let limit = if arcs == 1 {
            MAX_FIRST
        } else {
            u64::from(u32::MAX)
        };
        if value > limit {
            return Err(Malformed("an OID with an arc above 2^32-1"));
        }
        is_start = byte < 0x80;
        if is_start {
            arcs += 1;
            value = 0;
        }
    }
    if !is_start || content.is_empty() {
        return Err(Malformed("an OID that is cut off"));
    }
    if arcs > MAX_ARCS {
        return Err(Malformed("an OID with more than 128 arcs"));
    }
    Ok(())
}

/// Compares two OIDs by their content bytes, arc by arc. Both must be well formed.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let Some(differs) = a.iter().zip(b).position(|(x, y)| x != y) else {
        return a.len().cmp(&b.len());
    };
    // The arcs that differ start after the last byte, of those in common, that ends an arc.
    let start = a[..differs]
        .iter()
        .rposition(|&byte| byte < 0x80)
        .map_or(0, |end| end + 1);
    let arc_len = |content: &[u8]| content[start..].iter().position(|&byte| byte < 0x80);
    arc_len(a)
        .cmp(&arc_len(b))
        .then_with(|| a[start..].cmp(&b[start..]))
}

impl Ord for Oid {
    fn cmp(&self, other: &Oid) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for Oid {
    fn partial_cmp(&self, other: &Oid) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, arc) in self.arcs().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not an OID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OidError(&'static str);

impl fmt::Display for OidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for OidError {}

impl FromStr for Oid {
    type Err = OidError;

    /// Reads dotted numbers, with or without a dot in front.
    fn from_str(text: &str) -> Result<Oid, OidError> {
        let text = text.strip_prefix('.').unwrap_or(text);
        let mut arcs = Vec::with_capacity(16);
        for part in text.split('.') {
            if arcs.len() == MAX_ARCS {
                return Err(OidError("an OID has at most 128 numbers"));
            }
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(OidError("an OID is numbers with dots between them"));
            }
            let arc = part
                .parse::<u32>()
                .map_err(|_| OidError("the numbers of an OID lie between 0 and 4294967295"))?;
            arcs.push(arc);
        }
        match arcs[..] {
            [0..=2] | [0 | 1, 0..=39, ..] | [2, _, ..] => Ok(Oid::from_arcs(&arcs)),
            _ => Err(OidError(
                "an OID starts with 0, 1 or 2, and 0.40 does not exist",
            )),
        }
    }
}

/// Iterates over arcs.
#[derive(Clone, Debug)]
pub struct Arcs<'a> {
    rest: &'a [u8],
    head: Head,
}

/// What is still to be given of the pair that the first sub-identifier holds.
#[derive(Clone, Copy, Debug)]
enum Head {
    Both(u32, u32),
    Second(u32),
    Gone,
}

impl Arcs<'_> {
    fn next_sub_identifier(&mut self) -> Option<u64> {
        let end = self.rest.iter().position(|&byte| byte < 0x80)?;
        let value = self.rest[..=end]
            .iter()
            .fold(0, |value, &byte| value << 7 | u64::from(byte & 0x7f));
        self.rest = &self.rest[end + 1..];
        Some(value)
    }
}

impl Iterator for Arcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        match self.head {
            Head::Both(top, second) => {
                self.head = Head::Second(second);
                Some(top)
            }
            Head::Second(second) => {
                self.head = Head::Gone;
                Some(second)
            }
            Head::Gone => self.next_sub_identifier().map(|arc| arc as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_base::rng::Rng;

    fn oid(text: &str) -> Oid {
        text.parse().unwrap()
    }

    #[test]
    fn text_arcs_and_bytes_agree() {
        let cases: &[(&str, &[u32], &[u8])] = &[
            ("0.0", &[0, 0], &[0]),
            (
                "1.3.6.1.2.1.1.3.0",
                &[1, 3, 6, 1, 2, 1, 1, 3, 0],
                &[43, 6, 1, 2, 1, 1, 3, 0],
            ),
            (
                "1.3.6.1.4.1.318",
                &[1, 3, 6, 1, 4, 1, 318],
                &[43, 6, 1, 4, 1, 0x82, 0x3e],
            ),
            (
                "2.999.127.128",
                &[2, 999, 127, 128],
                &[0x88, 0x37, 0x7f, 0x81, 0x00],
            ),
            (
                "1.3.4294967295",
                &[1, 3, u32::MAX],
                &[43, 0x8f, 0xff, 0xff, 0xff, 0x7f],
            ),
            (
                "2.4294967295",
                &[2, u32::MAX],
                &[0x90, 0x80, 0x80, 0x80, 0x4f],
            ),
        ];
        for (text, arcs, bytes) in cases {
            let oid = oid(text);
            assert_eq!(oid.to_string(), *text);
            assert_eq!(oid, Oid::from_arcs(arcs));
            assert_eq!(oid.arcs().collect::<Vec<_>>(), *arcs);
            assert_eq!(oid.as_bytes(), *bytes);
            assert_eq!(Oid::from_bytes(bytes), Ok(oid));
        }
        assert_eq!(oid(".1.3.6"), oid("1.3.6"));
        assert_eq!(Oid::from_bytes(&[]), Ok(oid("0.0")));
    }

    #[test]
    fn text_that_is_no_oid_is_refused() {
        for text in [
            "",
            ".",
            "1..3",
            "1.3.",
            "1.3.x",
            "1.3.-1",
            "1.3.+1",
            "3.1",
            "0.40",
            "1.3.4294967296",
        ] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
        assert!(["1.3"; 1].join(".").parse::<Oid>().is_ok());
        assert!(vec!["1"; 128].join(".").parse::<Oid>().is_ok());
        assert!(vec!["1"; 129].join(".").parse::<Oid>().is_err());
    }

    #[test]
    fn bytes_that_are_no_oid_are_refused() {
        for bytes in [
            &[43, 0x80][..],
            &[43, 0x80, 0x01],
            &[43, 0x90, 0x80, 0x80, 0x80, 0x00],
            &[
                43, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
            ],
            &[1; 128],
        ] {
            assert!(Oid::from_bytes(bytes).is_err(), "{bytes:x?}");
        }
        assert!(Oid::from_bytes(&[1; 127]).is_ok());
    }

    #[test]
    fn order_is_the_order_of_the_arcs() {
        let mut rng = Rng::new(1);
        let edges = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            2_097_151,
            2_097_152,
            268_435_455,
            u32::MAX,
        ];
        let mut random = || -> Vec<u32> {
            let len = rng.below(4) as usize;
            let mut arcs = vec![1, 3];
            arcs.extend((0..len).map(|_| edges[rng.below(edges.len() as u64) as usize]));
            arcs
        };
        for _ in 0..20_000 {
            let (a, b) = (random(), random());
            assert_eq!(
                Oid::from_arcs(&a).cmp(&Oid::from_arcs(&b)),
                a.cmp(&b),
                "{a:?} {b:?}"
            );
        }
    }

    #[test]
    fn children_know_their_parents() {
        let column = oid("1.3.6.1.4.1.318.1");
        let cell = column.child(&[7, 300]);
        assert_eq!(cell.to_string(), "1.3.6.1.4.1.318.1.7.300");
        assert!(cell.starts_with(&column) && cell.starts_with(&cell));
        assert!(!column.starts_with(&cell));
        let index = cell.strip_prefix(&column).unwrap();
        assert_eq!(index.collect::<Vec<_>>(), [7, 300]);
        assert!(cell.strip_prefix(&oid("1.3.6.1.4.1.319")).is_none());
    }
}
