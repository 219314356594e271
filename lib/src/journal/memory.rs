//! A storage in memory: for `demo`, for tests, and to be broken on purpose.

use super::{FileKind, Storage, Stored};
use crate::fault::{Fault, FaultKind};
use crate::rng::Rng;

/// What goes wrong with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It fails and does nothing.
    Fails,
    /// It fails after half of its bytes.
    FailsHalfway,
    /// It and everything after it fails, as without power.
    PowerCut,
    /// Half of its bytes are written, then the power goes.
    PowerCutHalfway,
}

/// What is wrong with every operation until it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// There is no space; an append still finds room for its first half.
    Full,
    /// Nothing can be written at all.
    ReadOnly,
    /// Bytes are taken, but no sync succeeds; what was meant to be synced never reaches the medium.
    Sync,
}

/// A disk is written in pieces of this size.
const SECTOR: usize = 512;

/// Files in memory, with a disk cache that `power_cut` loses.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    snapshot: Option<Vec<u8>>,
    journal: Option<Vec<u8>>,
    /// Bytes of the journal that are durable.
    synced: usize,
    /// A sync failed: no later one makes durable what was cached then.
    is_poisoned: bool,
    operations: u64,
    trouble: Option<(u64, Trouble)>,
    broken: Option<Broken>,
    is_off: bool,
    set_aside: u32,
    written: Written,
}

/// What a disk of these days would have had to write so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the files.
    pub bytes: u64,
    /// The same in whole blocks of 4 KiB: a block that is added to is written again.
    pub block_bytes: u64,
    /// Syncs, each of which a file system adds a few blocks of its own to.
    pub syncs: u64,
}

impl MemoryStorage {
    /// What was written since the beginning.
    pub fn written(&self) -> Written {
        self.written
    }

    fn count(&mut self, from: usize, bytes: usize) {
        const BLOCK: usize = 4096;
        let blocks = (from + bytes).div_ceil(BLOCK) - from / BLOCK;
        self.written.bytes += bytes as u64;
        self.written.block_bytes += (blocks * BLOCK) as u64;
    }

    /// Lets the operation with this number, counted from 0, go wrong.
    pub fn trouble_at(&mut self, operation: u64, trouble: Trouble) {
        self.trouble = Some((self.operations + operation, trouble));
    }

    /// Breaks it until it is mended with `None`.
    pub fn set_broken(&mut self, broken: Option<Broken>) {
        self.broken = broken;
    }

    /// Loses what was not synced but for one byte in two, and turns the power on again.
    pub fn power_cut(&mut self) {
        if let Some(journal) = &mut self.journal {
            let lost = journal.len().saturating_sub(self.synced);
            journal.truncate(self.synced + lost / 2);
        }
        self.power_on();
    }

    /// Loses what was not synced as disks do: every sector of it, in any order, may have been written or not, and the
    /// file may have grown or not. Turns the power on again.
    pub fn power_cut_torn(&mut self, rng: &mut Rng) {
        if let Some(journal) = &mut self.journal {
            let lost = journal.len().saturating_sub(self.synced) as u64;
            journal.truncate(self.synced + rng.below(lost + 1) as usize);
            let mut at = self.synced;
            while at < journal.len() {
                let end = (at / SECTOR * SECTOR + SECTOR).min(journal.len());
                if rng.below(2) == 0 {
                    journal[at..end].fill(0);
                }
                at = end;
            }
        }
        self.power_on();
    }

    /// Replaces what is in a file behind the agent's back.
    pub fn overwrite(&mut self, file: FileKind, bytes: &[u8]) {
        match file {
            FileKind::Snapshot => self.snapshot = Some(bytes.to_vec()),
            FileKind::Journal => {
                self.journal = Some(bytes.to_vec());
                self.synced = bytes.len();
            }
        }
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// How many files were set aside.
    pub fn files_set_aside(&self) -> u32 {
        self.set_aside
    }

    fn power_on(&mut self) {
        self.synced = self.journal.as_ref().map_or(0, Vec::len);
        self.is_poisoned = false;
        self.is_off = false;
        self.trouble = None;
    }

    fn begin(&mut self) -> Result<Option<Trouble>, Fault> {
        let number = self.operations;
        self.operations += 1;
        if self.is_off || self.broken == Some(Broken::ReadOnly) {
            return Err(no_space());
        }
        let trouble = self
            .trouble
            .filter(|(at, _)| *at == number)
            .map(|(_, trouble)| trouble);
        match trouble {
            Some(Trouble::Fails) => Err(no_space()),
            Some(Trouble::PowerCut) => {
                self.is_off = true;
                Err(no_space())
            }
            None if self.broken == Some(Broken::Full) => Ok(Some(Trouble::FailsHalfway)),
            other => Ok(other),
        }
    }

    fn halfway(&mut self, trouble: Option<Trouble>) -> Result<(), Fault> {
        self.is_off = self.is_off || trouble == Some(Trouble::PowerCutHalfway);
        if trouble.is_some() {
            Err(no_space())
        } else {
            Ok(())
        }
    }
}

impl Storage for MemoryStorage {
    fn read(&mut self) -> Result<Stored, Fault> {
        Ok(Stored {
            snapshot: self.snapshot.clone(),
            journal: self.journal.clone(),
            unreadable: Vec::new(),
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.begin()?;
        let length = if trouble.is_some() {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        self.count(self.journal.as_ref().map_or(0, Vec::len), length);
        self.journal
            .get_or_insert_with(Vec::new)
            .extend_from_slice(&bytes[..length]);
        self.halfway(trouble)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let trouble = self.begin()?;
        let length = self.journal.as_ref().map_or(0, Vec::len);
        self.written.syncs += 1;
        if trouble.is_some() || self.broken == Some(Broken::Sync) {
            self.is_poisoned = true;
            self.halfway(trouble)?;
            return Err(no_space());
        }
        if !self.is_poisoned {
            self.synced = length;
        }
        Ok(())
    }

    fn replace(&mut self, file: FileKind, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.begin()?;
        if self.broken == Some(Broken::Sync) {
            return Err(no_space());
        }
        self.count(0, bytes.len());
        self.written.syncs += 2;
        if trouble.is_none() {
            self.overwrite(file, bytes);
            self.is_poisoned &= file == FileKind::Snapshot;
        }
        self.halfway(trouble)
    }

    fn set_aside(&mut self, file: FileKind) -> Result<String, Fault> {
        let trouble = self.begin()?;
        if self.broken == Some(Broken::Full) {
            // A file can be renamed on a disk without space.
            return self.move_away(file);
        }
        let place = self.move_away(file)?;
        self.halfway(trouble).map(|()| place)
    }
}

impl MemoryStorage {
    fn move_away(&mut self, file: FileKind) -> Result<String, Fault> {
        match file {
            FileKind::Snapshot => self.snapshot = None,
            FileKind::Journal => self.journal = None,
        }
        self.set_aside += 1;
        Ok("memory".to_owned())
    }
}

fn no_space() -> Fault {
    Fault::new(FaultKind::Disk, "no space left on device")
}
