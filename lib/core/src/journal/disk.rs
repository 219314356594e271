//! A disk in memory that is broken on purpose, and counts what a real one would have had to write. What lies on it is its
//! owner's.

use crate::fault::{Fault, FaultKind};

/// A disk is written in pieces of this size …
pub(crate) const SECTOR: usize = 512;
/// … and a file system in these.
pub(crate) const BLOCK: usize = 4096;

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

/// Its condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// Operations so far that can fail.
    pub(crate) operations: u64,
    trouble: Option<(u64, Trouble)>,
    pub(crate) broken: Option<Broken>,
    is_off: bool,
    pub(crate) written: Written,
}

impl Disk {
    /// Lets the operation with this number, counted from 0, go wrong.
    pub(crate) fn trouble_at(&mut self, operation: u64, trouble: Trouble) {
        self.trouble = Some((self.operations + operation, trouble));
    }

    /// The power is there again.
    pub(crate) fn power_on(&mut self) {
        self.is_off = false;
        self.trouble = None;
    }

    /// Begins an operation. With a trouble it is to be done by half, and ends with `halfway`.
    pub(crate) fn begin(&mut self) -> Result<Option<Trouble>, Fault> {
        let number = self.operations;
        self.operations += 1;
        if self.is_off || self.broken == Some(Broken::ReadOnly) {
            return Err(no_space());
        }
        let trouble = self.trouble.filter(|(at, _)| *at == number);
        match trouble.map(|(_, trouble)| trouble) {
            Some(Trouble::Fails) => Err(no_space()),
            Some(Trouble::PowerCut) => {
                self.is_off = true;
                Err(no_space())
            }
            None if self.broken == Some(Broken::Full) => Ok(Some(Trouble::FailsHalfway)),
            other => Ok(other),
        }
    }

    /// Ends an operation that may have been done by half.
    pub(crate) fn halfway(&mut self, trouble: Option<Trouble>) -> Result<(), Fault> {
        self.is_off = self.is_off || trouble == Some(Trouble::PowerCutHalfway);
        trouble.map_or(Ok(()), |_| Err(no_space()))
    }

    /// Counts what was written from this place of a file on.
    pub(crate) fn count(&mut self, from: usize, bytes: usize) {
        let blocks = (from + bytes).div_ceil(BLOCK) - from / BLOCK;
        self.written.bytes += bytes as u64;
        self.written.block_bytes += (blocks * BLOCK) as u64;
    }
}

/// What every broken operation says.
pub(crate) fn no_space() -> Fault {
    Fault::new(FaultKind::Disk, "no space left on device")
}
