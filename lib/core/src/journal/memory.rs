//! A storage in memory: for `demo`, for tests, and to be broken on purpose.

use super::disk::{Broken, Disk, SECTOR, Trouble, Written, no_space};
use super::{FileKind, Storage, Stored};
use crate::fault::Fault;
use crate::rng::Rng;

/// Files in memory, with a disk cache that `power_cut` loses.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    snapshot: Option<Vec<u8>>,
    journal: Option<Vec<u8>>,
    /// Bytes of the journal that are durable.
    synced: usize,
    /// A sync failed: no later one makes durable what was cached then.
    is_poisoned: bool,
    disk: Disk,
    set_aside: u32,
}

impl MemoryStorage {
    /// What was written since the beginning.
    pub fn written(&self) -> Written {
        self.disk.written
    }

    /// Lets the operation with this number, counted from 0, go wrong.
    pub fn trouble_at(&mut self, operation: u64, trouble: Trouble) {
        self.disk.trouble_at(operation, trouble);
    }

    /// Breaks it until it is mended with `None`.
    pub fn set_broken(&mut self, broken: Option<Broken>) {
        self.disk.broken = broken;
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
        self.disk.operations
    }

    /// How many files were set aside.
    pub fn files_set_aside(&self) -> u32 {
        self.set_aside
    }

    fn power_on(&mut self) {
        self.synced = self.journal.as_ref().map_or(0, Vec::len);
        self.is_poisoned = false;
        self.disk.power_on();
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
        let trouble = self.disk.begin()?;
        let length = if trouble.is_some() {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        let from = self.journal.as_ref().map_or(0, Vec::len);
        self.disk.count(from, length);
        self.journal
            .get_or_insert_with(Vec::new)
            .extend_from_slice(&bytes[..length]);
        self.disk.halfway(trouble)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let trouble = self.disk.begin()?;
        let length = self.journal.as_ref().map_or(0, Vec::len);
        self.disk.written.syncs += 1;
        if trouble.is_some() || self.disk.broken == Some(Broken::Sync) {
            self.is_poisoned = true;
            self.disk.halfway(trouble)?;
            return Err(no_space());
        }
        if !self.is_poisoned {
            self.synced = length;
        }
        Ok(())
    }

    fn replace(&mut self, file: FileKind, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.disk.begin()?;
        if self.disk.broken == Some(Broken::Sync) {
            return Err(no_space());
        }
        self.disk.count(0, bytes.len());
        self.disk.written.syncs += 2;
        if trouble.is_none() {
            self.overwrite(file, bytes);
            self.is_poisoned &= file == FileKind::Snapshot;
        }
        self.disk.halfway(trouble)
    }

    fn set_aside(&mut self, file: FileKind) -> Result<String, Fault> {
        let trouble = self.disk.begin()?;
        if self.disk.broken == Some(Broken::Full) {
            // A file can be renamed on a disk without space.
            return self.move_away(file);
        }
        let place = self.move_away(file)?;
        self.disk.halfway(trouble).map(|()| place)
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
