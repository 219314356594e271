//! Which series stands in which column. A generation is a pair of files whose records have room for so many columns;
//! when they are all taken a wider one begins, and the one before it is still read for a year.

use super::{Series, Unit};
use crate::journal::crc32;
use crate::small::SmallMap;
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"RWHIST1\n";
/// A column is given to another series so many minutes after its own has ended: a year, and a day in which the clock
/// may be wrong.
const KEEP_MINUTES: u32 = 366 * 24 * 60;
/// More generations are not kept; the oldest goes.
pub(super) const MOST_GENERATIONS: usize = 8;
/// The number behind the last column is one as well.
const MOST_COLUMNS: u16 = u16::MAX - 1;

/// All generations, the present one last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    pub(super) generations: Vec<Generation>,
}

/// A pair of files.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Generation {
    pub(super) id: u32,
    /// How many columns its records have.
    pub(super) columns: u16,
    /// The minute in which a wider one took its place.
    pub(super) ended: Option<u32>,
    pub(super) table: Vec<Column>,
}

/// What stands in a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) name: Arc<str>,
    pub(super) unit: Unit,
    /// The minute in which it was first not written any more.
    pub(super) ended: Option<u32>,
}

impl Index {
    /// Gives every series a column of the present generation. False when they do not all fit; then nothing has changed.
    pub(super) fn assign(&mut self, series: &[Series], now: u32) -> Option<(Vec<u16>, bool)> {
        let present = self.generations.last_mut()?;
        let known: SmallMap<Arc<str>, u16> = (0u16..)
            .zip(&present.table)
            .map(|(at, column)| (Arc::clone(&column.name), at))
            .collect();
        let mut table = present.table.clone();
        let mut is_used = vec![false; table.len()];
        for at in series.iter().filter_map(|one| known.get(&*one.name)) {
            is_used[usize::from(*at)] = true;
        }
        let mut old = 0;
        let mut places = Vec::with_capacity(series.len());
        for one in series {
            let fresh = Column {
                name: Arc::clone(&one.name),
                unit: one.unit,
                ended: None,
            };
            if let Some(at) = known.get(&*one.name) {
                table[usize::from(*at)] = fresh;
                places.push(*at);
                continue;
            }
            if table.len() < usize::from(present.columns) {
                places.push(table.len() as u16);
                table.push(fresh);
                is_used.push(true);
                continue;
            }
            let is_free = |column: &Column| {
                column
                    .ended
                    .is_some_and(|ended| ended.saturating_add(KEEP_MINUTES) < now)
            };
            old += table[old..]
                .iter()
                .zip(&is_used[old..])
                .position(|(column, is_used)| !is_used && is_free(column))?;
            table[old] = fresh;
            is_used[old] = true;
            places.push(old as u16);
        }
        for (column, is_used) in table.iter_mut().zip(&is_used) {
            if !is_used {
                column.ended.get_or_insert(now);
            }
        }
        let has_changed = table != present.table;
        present.table = table;
        Some((places, has_changed))
    }

    /// Begins a generation with room for these series and some more.
    pub(super) fn begin(&mut self, series: &[Series], now: u32) {
        if let Some(present) = self.generations.last_mut() {
            present.ended = Some(now);
        }
        let newest = self.generations.iter().map(|one| one.id).max().unwrap_or(0);
        let room = series.len() + series.len() / 10 + 4;
        self.generations.push(Generation {
            id: now.max(newest + 1),
            columns: room.next_multiple_of(8).min(usize::from(MOST_COLUMNS)) as u16,
            ended: None,
            table: Vec::new(),
        });
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let minute = |out: &mut Vec<u8>, minute: Option<u32>| {
            out.push(u8::from(minute.is_some()));
            out.extend_from_slice(&minute.unwrap_or_default().to_le_bytes());
        };
        for generation in &self.generations {
            out.extend_from_slice(&generation.id.to_le_bytes());
            out.extend_from_slice(&generation.columns.to_le_bytes());
            minute(&mut out, generation.ended);
            out.extend_from_slice(&(generation.table.len() as u16).to_le_bytes());
            for column in &generation.table {
                minute(&mut out, column.ended);
                out.push(column.unit.number());
                out.extend_from_slice(&(column.name.len() as u16).to_le_bytes());
                out.extend_from_slice(column.name.as_bytes());
            }
        }
        let checksum = crc32(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Index> {
        let (body, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let mut reader = Reader(body.strip_prefix(MAGIC)?);
        let mut index = Index::default();
        while !reader.0.is_empty() {
            let (id, columns) = (reader.u32()?, reader.u16()?);
            let ended = reader.minute()?;
            let length = reader.u16()?;
            let mut table = Vec::new();
            for _ in 0..length {
                let ended = reader.minute()?;
                let unit = Unit::of_number(reader.u8()?)?;
                let length = reader.u16()?;
                let name = reader.take(usize::from(length))?;
                let name = std::str::from_utf8(name).ok()?.into();
                table.push(Column { name, unit, ended });
            }
            let is_possible = length <= columns && columns <= MOST_COLUMNS;
            if !is_possible || index.generations.iter().any(|other| other.id == id) {
                return None;
            }
            index.generations.push(Generation {
                id,
                columns,
                ended,
                table,
            });
        }
        Some(index)
    }
}

/// Takes numbers off the front of bytes.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn minute(&mut self) -> Option<Option<u32>> {
        let is_some = self.u8()? == 1;
        let minute = self.u32()?;
        Some(is_some.then_some(minute))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn series(names: &[&str]) -> Vec<Series> {
        let one = |name: &&str| Series {
            name: (*name).into(),
            unit: Unit::Celsius,
        };
        names.iter().map(one).collect()
    }

    fn index() -> Index {
        let mut index = Index::default();
        index.begin(&series(&["a", "b"]), 1000);
        index.assign(&series(&["a", "b"]), 1000).expect("room");
        index
    }

    #[test]
    fn a_column_belongs_to_a_name_until_a_year_after_its_end() {
        let mut index = index();
        assert_eq!(index.generations[0].columns, 8);
        let assign = |index: &mut Index, names: &[&str], now| {
            index.assign(&series(names), now).map(|(places, _)| places)
        };
        assert_eq!(
            assign(&mut index, &["b", "a", "c"], 1001),
            Some(vec![1, 0, 2])
        );
        assert_eq!(
            assign(&mut index, &["a", "b"], 1002),
            Some(vec![0, 1]),
            "c has ended"
        );
        let more = ["a", "d", "e", "f", "g", "h"];
        assert_eq!(
            assign(&mut index, &more, 1003),
            Some(vec![0, 3, 4, 5, 6, 7])
        );
        let before = index.clone();
        let another = ["a", "d", "e", "f", "g", "h", "i"];
        assert_eq!(assign(&mut index, &another, 2000), None, "no room");
        assert_eq!(index, before);
        assert_eq!(
            assign(&mut index, &["c"], 2000),
            Some(vec![2]),
            "it is back"
        );
        assert_eq!(
            assign(&mut index, &another, 1003 + KEEP_MINUTES + 1),
            Some(vec![0, 3, 4, 5, 6, 7, 1])
        );
    }

    #[test]
    fn columns_can_be_counted_to_behind_the_last_one() {
        let mut index = index();
        for (columns, is_read) in [(MOST_COLUMNS, true), (u16::MAX, false)] {
            index.generations[0].columns = columns;
            assert_eq!(Index::decode(&index.encode()).is_some(), is_read);
        }
        index.begin(&vec![series(&["a"])[0].clone(); 70_000], 2000);
        assert_eq!(index.generations[1].columns, MOST_COLUMNS);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mut index = index();
        index.begin(&series(&["a", "Ä b/c", ""]), 500);
        index
            .assign(&series(&["a", "Ä b/c", ""]), 500)
            .expect("room");
        index.assign(&series(&["a"]), 501).expect("room");
        assert_eq!(index.generations[1].id, 1001, "never used before");
        let bytes = index.encode();
        assert_eq!(Index::decode(&bytes).as_ref(), Some(&index));
        for end in 0..bytes.len() {
            assert_eq!(Index::decode(&bytes[..end]), None);
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_eq!(Index::decode(&other), None);
        }
        // Whatever has a right checksum is read without a panic.
        let mut rng = Rng::new(9);
        for _ in 0..20_000 {
            let mut other = bytes[..bytes.len() - 4].to_vec();
            for _ in 0..1 + rng.below(4) {
                let at = 8 + rng.below(other.len() as u64 - 8) as usize;
                other[at] = rng.below(256) as u8;
            }
            let checksum = crc32(&other);
            other.extend_from_slice(&checksum.to_le_bytes());
            if let Some(read) = Index::decode(&other) {
                assert_eq!(Index::decode(&read.encode()).as_ref(), Some(&read));
            }
        }
    }
}
