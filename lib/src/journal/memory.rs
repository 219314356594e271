//! A storage in memory: for `demo`, for tests, and to be broken on purpose.

use super::{FileKind, Storage, Stored};
use crate::fault::{Fault, FaultKind};

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

/// Files in memory, with a disk cache that `power_cut` loses.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    snapshot: Option<Vec<u8>>,
    journal: Option<Vec<u8>>,
    /// Bytes of the journal that are durable.
    synced: usize,
    operations: u64,
    trouble: Option<(u64, Trouble)>,
    is_off: bool,
}

impl MemoryStorage {
    /// Lets the operation with this number, counted from 0, go wrong.
    pub fn trouble_at(&mut self, operation: u64, trouble: Trouble) {
        self.trouble = Some((self.operations + operation, trouble));
    }

    /// Loses what was not synced but for one byte in two, and turns the power on again.
    pub fn power_cut(&mut self) {
        if let Some(journal) = &mut self.journal {
            let lost = journal.len().saturating_sub(self.synced);
            journal.truncate(self.synced + lost / 2);
            self.synced = journal.len();
        }
        self.is_off = false;
        self.trouble = None;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    fn begin(&mut self) -> Result<Option<Trouble>, Fault> {
        let number = self.operations;
        self.operations += 1;
        if self.is_off {
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
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.begin()?;
        let length = if trouble.is_some() {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        self.journal
            .get_or_insert_with(Vec::new)
            .extend_from_slice(&bytes[..length]);
        self.halfway(trouble)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let trouble = self.begin()?;
        let length = self.journal.as_ref().map_or(0, Vec::len);
        if trouble.is_none() {
            self.synced = length;
        }
        self.halfway(trouble)
    }

    fn replace(&mut self, file: FileKind, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.begin()?;
        if trouble.is_none() {
            match file {
                FileKind::Snapshot => self.snapshot = Some(bytes.to_vec()),
                FileKind::Journal => {
                    self.synced = bytes.len();
                    self.journal = Some(bytes.to_vec());
                }
            }
        }
        self.halfway(trouble)
    }

    fn set_aside(&mut self, file: FileKind) -> Result<String, Fault> {
        let trouble = self.begin()?;
        match file {
            FileKind::Snapshot => self.snapshot = None,
            FileKind::Journal => self.journal = None,
        }
        self.halfway(trouble).map(|()| "memory".to_owned())
    }
}

fn no_space() -> Fault {
    Fault::new(FaultKind::Disk, "no space left on device")
}
