//! The file format of durable state, and the rules that make it survive a crash at any moment: a journal of
//! checksummed records plus a snapshot that replaces it from time to time (`docs/state.md`).
//! Where the bytes go is behind [`Storage`]; this module never touches a disk.

pub(crate) mod disk;
mod memory;

pub use disk::{Broken, Trouble, Written};
pub use memory::MemoryStorage;

use crate::fault::Fault;
use crate::small::SmallMap;
use crate::state::{Change, Records, Turn};

const JOURNAL_MAGIC: &[u8; 8] = b"RWJRNL1\n";
const SNAPSHOT_MAGIC: &[u8; 8] = b"RWSNAP1\n";
/// Length, checksum and sequence number before each payload.
const RECORD_HEADER: usize = 4 + 4 + 8;
/// A longer record is taken for damage.
const LONGEST_RECORD: usize = 16 << 20;
/// The journal is folded into a snapshot beyond this size, or beyond four times the snapshot's.
const SMALLEST_COMPACTION: u64 = 256 * 1024;
/// Marks a deletion in place of a value's length.
const DELETED: u32 = u32::MAX;

/// The two files, with their contents at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The snapshot, if there is one.
    pub snapshot: Option<Vec<u8>>,
    /// The journal, if there is one.
    pub journal: Option<Vec<u8>>,
    /// Files that are there and cannot be read, and why.
    pub unreadable: Vec<(FileKind, Fault)>,
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The journal.
    Journal,
    /// The snapshot.
    Snapshot,
}

/// Where the bytes go. Every method may fail at any time, and a failed write may have happened in part.
pub trait Storage: Send {
    /// Reads both files. One that the disk cannot read is named in `Stored::unreadable`.
    ///
    /// # Errors
    /// A file is not meant to be read by this process.
    fn read(&mut self) -> Result<Stored, Fault>;

    /// Appends to the journal. Not durable before `sync`.
    ///
    /// # Errors
    /// Some or none of the bytes were written.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Fault>;

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// Nothing is known about what was appended since the last success.
    fn sync(&mut self) -> Result<(), Fault>;

    /// Replaces a file as a whole and durably: afterwards it has either its old or its new contents, even after a power cut.
    ///
    /// # Errors
    /// The old contents are still there.
    fn replace(&mut self, file: FileKind, bytes: &[u8]) -> Result<(), Fault>;

    /// Moves a damaged file out of the way, and says where it is.
    ///
    /// # Errors
    /// It is still in the way.
    fn set_aside(&mut self, file: FileKind) -> Result<String, Fault>;
}

/// Durable records on top of a storage.
pub struct Journal<S> {
    storage: S,
    records: Records,
    /// The turns that were not handed to the storage yet: one record without its header, so that a power cut leaves all
    /// of them or none, whatever the disk wrote first.
    unwritten: Vec<u8>,
    is_dirty: bool,
    journal_bytes: u64,
    snapshot_bytes: u64,
    /// Bad files that could not be moved away yet: nothing may take their place before.
    in_the_way: Vec<FileKind>,
    /// Nothing more may be appended before both files were written anew: the tail of the journal is unknown.
    needs_rewrite: bool,
}

impl<S: Storage> Journal<S> {
    /// Reads what is there, repairs it, and is ready to go on. Damage is repaired and reported in `Records::repairs`.
    ///
    /// # Errors
    /// The files may not be read; then nothing was changed.
    pub fn open(mut storage: S) -> Result<Journal<S>, Fault> {
        let stored = storage.read()?;
        let mut records = Records::default();
        let mut repairs = Vec::new();
        let mut bad = Vec::new();
        let mut needs_rewrite = stored.journal.is_none();
        let snapshot_bytes = stored.snapshot.as_ref().map_or(0, Vec::len) as u64;
        if let Some(bytes) = &stored.snapshot {
            match decode_snapshot(bytes) {
                Some(read) => records = read,
                None => bad.push((FileKind::Snapshot, "the snapshot is damaged".to_owned())),
            }
        }
        let is_there = stored.journal.is_some();
        let journal = stored.journal.unwrap_or_default();
        let mut read = replay(&journal, &mut records);
        // One without its first line must not be appended to.
        read.is_foreign |= is_there && journal.is_empty();
        if let Some(what) = read.damage() {
            bad.push((FileKind::Journal, what));
        } else if read.tail > 0 {
            needs_rewrite = true;
            // A cut of power leaves it, and nobody was told that it is on disk.
            log::info!(
                "state: the last {} bytes of the journal were incomplete and have been cut off",
                read.tail
            );
        }
        for (file, fault) in stored.unreadable {
            bad.push((file, fault.to_string()));
        }
        needs_rewrite |= !bad.is_empty();
        let mut in_the_way = Vec::new();
        for (file, what) in bad {
            repairs.push(match storage.set_aside(file) {
                Ok(place) => format!("{what}; it has been kept as {place}"),
                Err(fault) => {
                    in_the_way.push(file);
                    format!("{what}, and cannot be moved away yet: {fault}")
                }
            });
        }
        records.repairs = repairs;
        Ok(Journal {
            storage,
            records,
            unwritten: Vec::new(),
            is_dirty: false,
            journal_bytes: journal.len() as u64,
            snapshot_bytes,
            in_the_way,
            needs_rewrite,
        })
    }

    /// Everything that is known, whether it is on disk yet or not.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Takes a turn in. It is on disk after the next successful `commit`.
    pub fn push(&mut self, turn: &Turn) {
        if !self.needs_rewrite {
            encode_turn(turn, &mut self.unwritten);
            // Too long to be told from damage: it goes into a snapshot instead.
            self.needs_rewrite = self.unwritten.len() > LONGEST_RECORD;
        }
        self.records.apply(turn);
        self.is_dirty = true;
    }

    /// Whether a turn waits for `commit`.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Writes and syncs everything that was pushed; returns the number of the last record on disk. After a failure
    /// the next call writes both files anew, because nobody knows what a failed write or sync left behind.
    ///
    /// # Errors
    /// The storage's fault. Nothing is lost: the turns stay here and go with the next call.
    pub fn commit(&mut self) -> Result<u64, Fault> {
        let is_due = self.journal_bytes + self.unwritten.len() as u64
            > SMALLEST_COMPACTION.max(4 * self.snapshot_bytes);
        if self.needs_rewrite || is_due {
            self.rewrite()?;
        } else if self.is_dirty {
            seal(&mut self.unwritten, self.records.seq);
            if let Err(fault) = self
                .storage
                .append(&self.unwritten)
                .and_then(|()| self.storage.sync())
            {
                self.needs_rewrite = true;
                return Err(fault);
            }
            self.journal_bytes += self.unwritten.len() as u64;
            self.unwritten = Vec::new();
        }
        self.is_dirty = false;
        Ok(self.records.seq)
    }

    /// The storage below.
    pub fn storage(&mut self) -> &mut S {
        &mut self.storage
    }

    /// Ends the journal and gives the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Snapshot first, then an empty journal. A crash in between leaves records that the snapshot already holds;
    /// they are skipped by their number.
    fn rewrite(&mut self) -> Result<(), Fault> {
        self.needs_rewrite = true;
        while let Some(file) = self.in_the_way.last() {
            self.storage.set_aside(*file)?;
            self.in_the_way.pop();
        }
        let snapshot = encode_snapshot(&self.records);
        self.storage.replace(FileKind::Snapshot, &snapshot)?;
        self.storage.replace(FileKind::Journal, JOURNAL_MAGIC)?;
        self.snapshot_bytes = snapshot.len() as u64;
        self.journal_bytes = JOURNAL_MAGIC.len() as u64;
        self.unwritten = Vec::new();
        self.needs_rewrite = false;
        Ok(())
    }
}

/// Adds the changes of a turn to a record, which begins with room for its header.
fn encode_turn(turn: &Turn, record: &mut Vec<u8>) {
    if record.is_empty() {
        record.resize(RECORD_HEADER, 0);
    }
    for change in &turn.changes {
        encode_entry(&change.key, change.value.as_deref(), record);
    }
}

/// Writes the header of a record.
fn seal(record: &mut [u8], seq: u64) {
    let length = (record.len() - RECORD_HEADER) as u32;
    record[8..16].copy_from_slice(&seq.to_le_bytes());
    let checksum = crc32(&record[8..]);
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
}

fn encode_entry(key: &str, value: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(
        &value
            .map_or(DELETED, |value| value.len() as u32)
            .to_le_bytes(),
    );
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value.unwrap_or_default());
}

fn encode_snapshot(records: &Records) -> Vec<u8> {
    let mut out = SNAPSHOT_MAGIC.to_vec();
    out.extend_from_slice(&records.seq.to_le_bytes());
    for (key, value) in &records.map {
        encode_entry(key, Some(value), &mut out);
    }
    let checksum = crc32(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn decode_snapshot(bytes: &[u8]) -> Option<Records> {
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    let rest = body.strip_prefix(SNAPSHOT_MAGIC)?;
    if crc32(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (seq, entries) = rest.split_first_chunk::<8>()?;
    let map: SmallMap<String, Vec<u8>> = decode_entries(entries)?
        .into_iter()
        .filter_map(|change| Some((change.key, change.value?)))
        .collect();
    Some(Records {
        map,
        seq: u64::from_le_bytes(*seq),
        repairs: Vec::new(),
    })
}

/// What was found in a journal.
#[derive(Debug, Default)]
struct Replay {
    is_foreign: bool,
    /// Records with a wrong checksum that are followed by good ones: no crash does that.
    damaged: u32,
    /// Bytes of an incomplete record at the end.
    tail: usize,
}

impl Replay {
    fn damage(&self) -> Option<String> {
        match self.damaged {
            _ if self.is_foreign => Some("the journal is damaged".to_owned()),
            0 => None,
            count => Some(format!(
                "{count} records in the middle of the journal are damaged and have been left out"
            )),
        }
    }
}

/// Applies every whole record after the snapshot's. Damage in the middle costs the damaged record alone.
fn replay(journal: &[u8], records: &mut Records) -> Replay {
    let mut found = Replay::default();
    let Some(mut rest) = journal.strip_prefix(JOURNAL_MAGIC) else {
        found.is_foreign = !journal.is_empty();
        return found;
    };
    while !rest.is_empty() {
        if let Some((turn, after)) = decode_record(rest) {
            if turn.seq > records.seq {
                records.apply(&turn);
            }
            rest = after;
        } else if let Some(after) = skip_record(rest).filter(|after| decode_record(after).is_some())
        {
            found.damaged += 1;
            rest = after;
        } else {
            found.tail = rest.len();
            break;
        }
    }
    found
}

/// What follows a record, by its length alone.
fn skip_record(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
    let length = usize::try_from(length).ok()?.checked_add(RECORD_HEADER)?;
    bytes.get(length..)
}

fn decode_record(bytes: &[u8]) -> Option<(Turn, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|length| *length <= LONGEST_RECORD)?;
    let (body, after) = rest.split_at_checked(8 + length)?;
    if crc32(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (seq, entries) = body.split_first_chunk::<8>()?;
    Some((
        Turn {
            seq: u64::from_le_bytes(*seq),
            durable: false,
            changes: decode_entries(entries)?,
        },
        after,
    ))
}

fn decode_entries(mut bytes: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    while !bytes.is_empty() {
        let (key_length, rest) = bytes.split_first_chunk::<4>()?;
        let (value_length, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
        let (value, rest) = match u32::from_le_bytes(*value_length) {
            DELETED => (None, rest),
            length => rest
                .split_at_checked(length as usize)
                .map(|(value, rest)| (Some(value.to_vec()), rest))?,
        };
        changes.push(Change {
            key: String::from_utf8(key.to_vec()).ok()?,
            value,
        });
        bytes = rest;
    }
    Some(changes)
}

/// CRC-32 as in Ethernet and gzip (polynomial 0xEDB88320).
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32_from(0, bytes)
}

/// The same, going on from the checksum of what comes before.
pub(crate) fn crc32_from(before: u32, bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ CRC_OF_BYTE[usize::from(crc as u8 ^ byte)];
    !bytes.iter().fold(!before, step)
}

const CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn turns_come_back_after_a_restart() {
        let mut journal = open(MemoryStorage::default());
        for seq in 1..=5 {
            journal.push(&turn(seq));
        }
        assert_eq!(journal.commit().expect("commit"), 5);
        let again = open(journal.into_storage());
        assert_eq!(again.records(), &state_after(5));
    }

    #[test]
    fn a_torn_tail_is_cut_and_nothing_to_worry_about() {
        let mut journal = open(MemoryStorage::default());
        for seq in 1..=3 {
            journal.push(&turn(seq));
            journal.commit().expect("commit");
        }
        let mut storage = journal.into_storage();
        let whole = storage.read().expect("read").journal.expect("journal");
        storage
            .replace(FileKind::Journal, &whole[..whole.len() - 3])
            .expect("replace");
        let again = open(storage);
        assert_eq!(again.records().map, state_after(2).map);
        let repairs = &again.records().repairs;
        assert!(repairs.is_empty(), "{repairs:?}");
    }

    #[test]
    fn damage_in_the_middle_costs_one_record_and_keeps_the_evidence() {
        let mut bytes = JOURNAL_MAGIC.to_vec();
        let mut ends = Vec::new();
        for seq in 1..=5 {
            encode_record(&turn(seq), &mut bytes);
            ends.push(bytes.len());
        }
        bytes[ends[2] - 1] ^= 1;
        let mut storage = MemoryStorage::default();
        storage.replace(FileKind::Journal, &bytes).expect("replace");
        let mut journal = open(storage);
        let mut want = Records::default();
        [1, 2, 4, 5].iter().for_each(|seq| want.apply(&turn(*seq)));
        assert_eq!(journal.records().map, want.map);
        assert!(journal.records().repairs[0].starts_with("1 records in the middle"));
        journal.push(&turn(6));
        journal.commit().expect("commit");
        want.apply(&turn(6));
        assert_eq!(open(journal.into_storage()).records().map, want.map);
    }

    #[test]
    fn a_turn_that_is_too_long_for_the_journal_goes_into_the_snapshot() {
        let mut journal = open(MemoryStorage::default());
        journal.commit().expect("commit");
        let long = Turn {
            seq: 1,
            durable: true,
            changes: vec![Change {
                key: "big/one".into(),
                value: Some(vec![b'x'; LONGEST_RECORD + 1]),
            }],
        };
        journal.push(&long);
        journal.push(&turn(2));
        journal.commit().expect("commit");
        let after = open(journal.into_storage());
        assert!(after.records().repairs.is_empty() && after.records().seq == 2);
        assert!(after.records().map.contains_key("big/one"));
    }

    #[test]
    fn damaged_files_are_set_aside_and_never_stop_a_start() {
        for (file, bytes) in [
            (FileKind::Snapshot, &b"RWSNAP1\nrubbish"[..]),
            (FileKind::Snapshot, b""),
            (FileKind::Journal, b"\0\0\0\0"),
            (FileKind::Journal, b""),
            (FileKind::Journal, b"RWJRNL9\n"),
        ] {
            let mut storage = MemoryStorage::default();
            storage.replace(file, bytes).expect("replace");
            let mut journal = open(storage);
            assert_eq!(journal.records().repairs.len(), 1, "{file:?} {bytes:?}");
            journal.push(&turn(1));
            journal.commit().expect("commit");
            assert_eq!(open(journal.into_storage()).records(), &state_after(1));
        }
    }

    #[test]
    fn row_25_a_bad_file_that_cannot_be_moved_away_is_not_written_over() {
        let mut storage = MemoryStorage::default();
        storage.overwrite(FileKind::Snapshot, b"rubbish");
        storage.set_broken(Some(Broken::ReadOnly));
        let mut journal = open(storage);
        assert!(journal.records().repairs[0].contains("cannot be moved away yet"));
        journal.push(&turn(1));
        journal.commit().expect_err("read-only");
        let found = journal.storage().read().expect("read").snapshot;
        assert_eq!(found.as_deref(), Some(&b"rubbish"[..]));
        journal.storage().set_broken(None);
        journal.commit().expect("mended");
        assert_eq!(journal.storage().files_set_aside(), 1);
        assert_eq!(open(journal.into_storage()).records(), &state_after(1));
    }

    #[test]
    fn the_journal_is_folded_into_a_snapshot() {
        let mut journal = open(MemoryStorage::default());
        for seq in 1..=200 {
            let value = Some(vec![b'x'; 4000]);
            journal.push(&Turn {
                seq,
                durable: true,
                changes: vec![Change {
                    key: "big/one".into(),
                    value,
                }],
            });
            journal.commit().expect("commit");
        }
        let mut storage = journal.into_storage();
        let bytes = storage
            .read()
            .expect("read")
            .journal
            .expect("journal")
            .len();
        assert!(bytes < 300 * 1024, "{bytes}");
        assert_eq!(open(storage).records().seq, 200);
    }

    /// Fails every operation in turn, in every way, and cuts the power at once or after going on: what a commit
    /// promised is there afterwards, and what is there is always some whole prefix of the turns.
    #[test]
    fn no_fault_at_any_operation_loses_a_committed_turn() {
        for trouble in [
            Trouble::Fails,
            Trouble::FailsHalfway,
            Trouble::PowerCut,
            Trouble::PowerCutHalfway,
        ] {
            for at in 0..40 {
                let mut storage = MemoryStorage::default();
                storage.trouble_at(at, trouble);
                let Ok(mut journal) = Journal::open(storage) else {
                    continue;
                };
                let mut committed = 0;
                for seq in 1..=12 {
                    journal.push(&turn(seq));
                    if seq == 6 {
                        journal.needs_rewrite = true;
                    }
                    if let Ok(seq) = journal.commit() {
                        committed = seq;
                    }
                }
                let mut storage = journal.into_storage();
                storage.power_cut();
                let after = open(storage);
                let seq = after.records().seq;
                assert!(
                    seq >= committed,
                    "{trouble:?} at {at}: committed {committed}, found {seq}"
                );
                assert_eq!(
                    after.records().map,
                    state_after(seq).map,
                    "{trouble:?} at {at}"
                );
            }
        }
    }

    /// A cut may leave any of the unsynced sectors in any order: turns that were written together stay together.
    #[test]
    fn a_torn_and_reordered_tail_is_a_whole_prefix_of_the_turns() {
        for seed in 0..300 {
            let mut rng = crate::rng::Rng::new(seed);
            let mut journal = open(MemoryStorage::default());
            let (mut next, mut committed) = (1, 0);
            for _ in 0..6 {
                let batch = 1 + rng.below(60);
                (next..next + batch).for_each(|seq| journal.push(&turn(seq)));
                next += batch;
                // The last batch is written, but its sync fails.
                if rng.below(4) == 0 {
                    journal.storage.trouble_at(1, Trouble::Fails);
                }
                match journal.commit() {
                    Ok(seq) => committed = seq,
                    Err(_) => break,
                }
            }
            let mut storage = journal.into_storage();
            storage.power_cut_torn(&mut rng);
            let after = open(storage);
            let seq = after.records().seq;
            assert!(seq == committed || seq == next - 1, "seed {seed}: {seq}");
            assert_eq!(after.records().map, state_after(seq).map, "seed {seed}");
        }
    }

    #[test]
    fn after_a_failed_sync_nothing_cached_is_assumed_good() {
        for broken in [Broken::Sync, Broken::Full, Broken::ReadOnly] {
            let mut journal = open(MemoryStorage::default());
            journal.push(&turn(1));
            journal.commit().expect("commit");
            journal.storage().set_broken(Some(broken));
            journal.push(&turn(2));
            journal.commit().expect_err("broken");
            journal.push(&turn(3));
            journal.commit().expect_err("still broken");
            journal.storage().set_broken(None);
            assert_eq!(journal.commit().expect("mended"), 3);
            let mut storage = journal.into_storage();
            storage.power_cut();
            assert_eq!(
                open(storage).records().map,
                state_after(3).map,
                "{broken:?}"
            );
        }
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut rng = crate::rng::Rng::new(3);
        let mut good = JOURNAL_MAGIC.to_vec();
        (1..6).for_each(|seq| encode_record(&turn(seq), &mut good));
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            replay(&bytes, &mut Records::default());
            decode_snapshot(&bytes);
        }
    }

    fn encode_record(turn: &Turn, out: &mut Vec<u8>) {
        let mut record = Vec::new();
        encode_turn(turn, &mut record);
        seal(&mut record, turn.seq);
        out.extend(record);
    }

    fn open(storage: MemoryStorage) -> Journal<MemoryStorage> {
        Journal::open(storage).expect("open")
    }

    fn turn(seq: u64) -> Turn {
        let put = Change {
            key: format!("n/{}", seq % 4),
            value: Some(seq.to_string().into_bytes()),
        };
        let delete = Change {
            key: format!("n/{}", (seq + 1) % 4),
            value: None,
        };
        Turn {
            seq,
            durable: true,
            changes: vec![put, delete],
        }
    }

    fn state_after(seq: u64) -> Records {
        let mut records = Records::default();
        (1..=seq).for_each(|seq| records.apply(&turn(seq)));
        records
    }
}
