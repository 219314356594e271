//! The last hour as a file, between a stop and the next start.

use super::Unit;
use super::index::Reader;
use crate::journal::crc32;

const MAGIC: &[u8; 8] = b"RWHOUR1\n";

/// Begins the file: when the last slot ended, and how many slots each series has.
pub(super) fn begin(end_ms: i64, slots: u32) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&end_ms.to_le_bytes());
    out.extend_from_slice(&slots.to_le_bytes());
    out
}

/// Adds a series; as many values as there are slots.
pub(super) fn add(out: &mut Vec<u8>, name: &str, unit: Unit, values: impl Iterator<Item = f32>) {
    out.push(unit.number());
    out.extend_from_slice(&(name.len() as u16).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    values.for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

/// Ends the file.
pub(super) fn finish(mut out: Vec<u8>) -> Vec<u8> {
    let checksum = crc32(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// What a file holds.
pub(super) struct Hour<'a> {
    pub(super) end_ms: i64,
    pub(super) slots: u32,
    reader: Reader<'a>,
}

impl<'a> Hour<'a> {
    /// `None` when the file is damaged or of another version.
    pub(super) fn open(bytes: &'a [u8]) -> Option<Hour<'a>> {
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let mut reader = Reader(body.strip_prefix(MAGIC)?);
        let end_ms = i64::from_le_bytes(reader.take(8)?.try_into().ok()?);
        let slots = reader.u32()?;
        Some(Hour {
            end_ms,
            slots,
            reader,
        })
    }

    /// The next series: its name and its values, oldest first.
    pub(super) fn next(&mut self) -> Option<(&'a str, impl Iterator<Item = f32> + use<'a>)> {
        let _unit = self.reader.u8()?;
        let length = self.reader.u16()?;
        let name = std::str::from_utf8(self.reader.take(usize::from(length))?).ok()?;
        let values = self.reader.take((self.slots as usize).checked_mul(4)?)?;
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap_or_default());
        Some((name, values.chunks_exact(4).map(number)))
    }
}
