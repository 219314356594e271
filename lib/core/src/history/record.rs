//! One record: what every series was during one minute or one quarter of an hour. All records of a file are equally
//! long, each has a checksum, and none says anything about another.

use super::Span;
use crate::journal::crc32_from;

/// Checksum and number of the minute or quarter.
pub(super) const HEADER_BYTES: usize = 4 + 4;
/// Three numbers of three bytes, and how much of the time they are of.
pub(super) const CELL_BYTES: usize = 10;

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// A week in minutes.
    Minutes,
    /// A year in quarters of an hour.
    Quarters,
}

impl Level {
    /// What one record covers.
    pub(crate) const fn ms(self) -> i64 {
        match self {
            Level::Minutes => 60_000,
            Level::Quarters => 15 * 60_000,
        }
    }

    /// So many records, and then the oldest is written over.
    pub(crate) const fn records(self) -> u32 {
        match self {
            Level::Minutes => 7 * 24 * 60,
            Level::Quarters => 365 * 24 * 4,
        }
    }

    /// What one unit of `Cell::share` stands for: a whole record has 30 or 225 of them.
    pub(super) const fn share_ms(self) -> u32 {
        match self {
            Level::Minutes => 2000,
            Level::Quarters => 4000,
        }
    }
}

/// What one series was during one record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// Smallest, mean, highest.
    pub span: Span,
    /// For how much of the time something was measured, in pieces of 2 s (minutes) or 4 s (quarters); 0 for nothing.
    pub share: u8,
}

impl Cell {
    /// Both together, with the mean by time.
    pub(super) fn merge(&mut self, other: Cell) {
        if self.share == 0 || other.share == 0 {
            if other.share > 0 {
                *self = other;
            }
            return;
        }
        let (own, others) = (f64::from(self.share), f64::from(other.share));
        let sum = f64::from(self.span.avg) * own + f64::from(other.span.avg) * others;
        let min = self.span.min.min(other.span.min);
        let max = self.span.max.max(other.span.max);
        self.span = Span {
            min,
            avg: ((sum / (own + others)) as f32).clamp(min, max),
            max,
        };
        self.share = self.share.saturating_add(other.share);
    }

    fn encode(self, out: &mut [u8]) {
        let Span { min, avg, max } = self.span;
        for (place, value) in out.chunks_mut(3).zip([min, avg, max]) {
            place.copy_from_slice(&shorten(value));
        }
        out[CELL_BYTES - 1] = self.share;
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Cell> {
        let number = |at: usize| {
            let three = bytes.get(at..at + 3)?;
            let value = f32::from_bits(u32::from_le_bytes([0, three[0], three[1], three[2]]));
            value.is_finite().then_some(value)
        };
        let (min, avg, max) = (number(0)?, number(3)?, number(6)?);
        let share = *bytes.get(CELL_BYTES - 1)?;
        (share > 0 && min <= avg && avg <= max).then_some(Cell {
            span: Span { min, avg, max },
            share,
        })
    }
}

/// The upper three bytes of a number, rounded: exact to one part in 65,536.
fn shorten(value: f32) -> [u8; 3] {
    let bits = value.to_bits();
    let rounded = bits.saturating_add(0x7F + ((bits >> 8) & 1));
    // What would become infinite stays below.
    let upper = match f32::from_bits(rounded & !0xFF).is_finite() {
        true => rounded,
        false => bits,
    };
    let [_, a, b, c] = upper.to_le_bytes();
    [a, b, c]
}

/// Bytes of a record with so many columns.
pub(super) const fn record_bytes(columns: u16) -> usize {
    HEADER_BYTES + columns as usize * CELL_BYTES
}

/// Writes a record; `cells` are those of the columns in their order.
pub(super) fn encode(generation: u32, number: u32, cells: &[Cell], out: &mut [u8]) {
    out[4..HEADER_BYTES].copy_from_slice(&number.to_le_bytes());
    for (place, cell) in out[HEADER_BYTES..].chunks_mut(CELL_BYTES).zip(cells) {
        cell.encode(place);
    }
    let checksum = checksum(generation, &out[4..]);
    out[..4].copy_from_slice(&checksum.to_le_bytes());
}

/// The columns of a record, when it is whole and the one with this number.
pub(super) fn columns(generation: u32, number: u32, record: &[u8]) -> Option<&[u8]> {
    let (header, body) = record.split_first_chunk::<4>()?;
    let (own, columns) = body.split_first_chunk::<4>()?;
    let is_it = u32::from_le_bytes(*own) == number
        && u32::from_le_bytes(*header) == checksum(generation, body);
    is_it.then_some(columns)
}

/// The cell of a column.
pub(super) fn cell(columns: &[u8], column: u16) -> Option<Cell> {
    let at = usize::from(column) * CELL_BYTES;
    Cell::decode(columns.get(at..at + CELL_BYTES)?)
}

/// A record of another generation is none of this one's.
fn checksum(generation: u32, bytes: &[u8]) -> u32 {
    crc32_from(generation, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn numbers_are_exact_to_one_part_in_65536() {
        let mut rng = Rng::new(1);
        for _ in 0..100_000 {
            let value = (rng.below(1 << 40) as f64 / 1000.0 - 1e6) as f32;
            let [a, b, c] = shorten(value);
            let back = f32::from_bits(u32::from_le_bytes([0, a, b, c]));
            assert!(
                (back - value).abs() <= value.abs() / 65_536.0,
                "{value} {back}"
            );
        }
        // Watts and tenths of a degree as people read them.
        for value in [0.0, 1.0, 3310.0, 65_535.0, -40.0, 230.5] {
            let [a, b, c] = shorten(value);
            assert_eq!(f32::from_bits(u32::from_le_bytes([0, a, b, c])), value);
        }
        let [a, b, c] = shorten(f32::MAX);
        assert!(f32::from_bits(u32::from_le_bytes([0, a, b, c])).is_finite());
    }

    #[test]
    fn a_record_is_read_back_and_no_other_is_taken_for_it() {
        let cell = |value: f32| Cell {
            span: Span {
                min: value - 1.0,
                avg: value,
                max: value + 2.0,
            },
            share: 30,
        };
        let cells = [cell(100.0), Cell::default(), cell(-7.0)];
        let mut record = vec![0; record_bytes(4)];
        encode(5, 1000, &cells, &mut record);
        let found = columns(5, 1000, &record).expect("whole");
        for (column, cell) in (0..).zip(cells) {
            assert_eq!(super::cell(found, column), (cell.share > 0).then_some(cell));
        }
        assert_eq!(super::cell(found, 3), None);
        assert_eq!(super::cell(found, 4), None);
        assert!(columns(4, 1000, &record).is_none(), "another generation");
        assert!(columns(5, 1001, &record).is_none(), "another minute");
        for at in 0..record.len() {
            let mut torn = record.clone();
            torn[at] ^= 0x10;
            assert!(columns(5, 1000, &torn).is_none(), "byte {at}");
        }
        for end in 0..record.len() {
            assert!(columns(5, 1000, &record[..end]).is_none());
        }
        assert!(columns(0, 0, &vec![0; record_bytes(4)]).is_none(), "a hole");
    }

    #[test]
    fn merging_keeps_extremes_and_the_mean_by_time() {
        let cell = |min, avg, max, share| Cell {
            span: Span { min, avg, max },
            share,
        };
        let mut both = cell(1.0, 2.0, 3.0, 10);
        both.merge(cell(0.0, 5.0, 9.0, 20));
        assert_eq!(both, cell(0.0, 4.0, 9.0, 30));
        both.merge(Cell::default());
        assert_eq!(both, cell(0.0, 4.0, 9.0, 30));
        let mut nothing = Cell::default();
        nothing.merge(both);
        assert_eq!(nothing, both);
        both.merge(cell(0.0, 4.0, 9.0, 250));
        assert_eq!(both.share, 255);
    }
}
