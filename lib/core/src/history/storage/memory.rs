//! Files in memory: for tests, and to be broken on purpose as the journal's are.

use super::{File, Storage};
use crate::fault::Fault;
use crate::journal::disk::{BLOCK, Disk, SECTOR, no_space};
use crate::journal::{Broken, Trouble, Written};
use crate::rng::Rng;
use std::collections::BTreeMap;

/// Sparse files in memory, with a disk cache that `power_cut_torn` loses.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    files: BTreeMap<File, Content>,
    /// What stood where something was written that is not durable yet, in the order of the writes.
    unsynced: Vec<(File, usize, Vec<u8>)>,
    disk: Disk,
    set_aside: u32,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    blocks: BTreeMap<usize, Box<[u8]>>,
    len: usize,
}

impl Content {
    fn read(&self, offset: usize, buffer: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(buffer.len());
        let mut rest = &mut buffer[..count];
        let mut at = offset;
        while !rest.is_empty() {
            let length = (BLOCK - at % BLOCK).min(rest.len());
            let (part, after) = rest.split_at_mut(length);
            match self.blocks.get(&(at / BLOCK)) {
                Some(block) => part.copy_from_slice(&block[at % BLOCK..][..length]),
                None => part.fill(0),
            }
            (rest, at) = (after, at + length);
        }
        count
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let (mut rest, mut at) = (bytes, offset);
        while !rest.is_empty() {
            let (part, after) = rest.split_at((BLOCK - at % BLOCK).min(rest.len()));
            let fresh = || vec![0; BLOCK].into_boxed_slice();
            let block = self.blocks.entry(at / BLOCK).or_insert_with(fresh);
            block[at % BLOCK..][..part.len()].copy_from_slice(part);
            (rest, at) = (after, at + part.len());
        }
        self.len = self.len.max(offset + bytes.len());
    }
}

impl MemoryStorage {
    /// What was written since the beginning.
    pub fn written(&self) -> Written {
        self.disk.written
    }

    /// How large all files are, as a listing shows them.
    pub fn size(&self) -> u64 {
        self.files.values().map(|file| file.len as u64).sum()
    }

    /// How many operations there were that can fail.
    pub fn operations(&self) -> u64 {
        self.disk.operations
    }

    /// How many files were set aside.
    pub fn files_set_aside(&self) -> u32 {
        self.set_aside
    }

    /// Lets the operation with this number, counted from 0, go wrong.
    pub fn trouble_at(&mut self, operation: u64, trouble: Trouble) {
        self.disk.trouble_at(operation, trouble);
    }

    /// Breaks it until it is mended with `None`.
    pub fn set_broken(&mut self, broken: Option<Broken>) {
        self.disk.broken = broken;
    }

    /// What is in a file.
    pub fn whole(&mut self, file: File) -> Option<Vec<u8>> {
        self.read(file).ok()?
    }

    /// Replaces what is in a file behind the agent's back.
    pub fn overwrite(&mut self, file: File, bytes: &[u8]) {
        let mut content = Content::default();
        content.write(0, bytes);
        self.files.insert(file, content);
    }

    /// Changes bytes of a file behind the agent's back.
    pub fn scribble(&mut self, file: File, offset: usize, bytes: &[u8]) {
        self.files.entry(file).or_default().write(offset, bytes);
    }

    /// Loses what was not synced as disks do: every sector of it, in any order, may have been written or not. Turns the
    /// power on again.
    pub fn power_cut_torn(&mut self, rng: &mut Rng) {
        for (file, offset, old) in std::mem::take(&mut self.unsynced).into_iter().rev() {
            let Some(content) = self.files.get_mut(&file) else {
                continue;
            };
            let mut at = 0;
            while at < old.len() {
                let end = (offset + at) / SECTOR * SECTOR + SECTOR - offset;
                let end = end.min(old.len());
                if rng.below(2) == 0 {
                    content.write(offset + at, &old[at..end]);
                }
                at = end;
            }
        }
        self.disk.power_on();
    }
}

impl Storage for MemoryStorage {
    fn list(&mut self) -> Result<Vec<File>, Fault> {
        Ok(self.files.keys().copied().collect())
    }

    fn read(&mut self, file: File) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.files.get(&file).map(|content| {
            let mut bytes = vec![0; content.len];
            content.read(0, &mut bytes);
            bytes
        }))
    }

    fn read_at(&mut self, file: File, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let content = self.files.get(&file);
        Ok(content.map_or(0, |content| content.read(offset as usize, buffer)))
    }

    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.disk.begin()?;
        let length = match trouble {
            Some(_) => bytes.len() / 2,
            None => bytes.len(),
        };
        let offset = offset as usize;
        self.disk.count(offset, length);
        let content = self.files.entry(file).or_default();
        let mut old = vec![0; length];
        content.read(offset, &mut old);
        content.write(offset, &bytes[..length]);
        self.unsynced.push((file, offset, old));
        self.disk.halfway(trouble)
    }

    fn sync(&mut self, file: File) -> Result<(), Fault> {
        let trouble = self.disk.begin()?;
        self.disk.written.syncs += 1;
        if trouble.is_some() || self.disk.broken == Some(Broken::Sync) {
            self.disk.halfway(trouble)?;
            return Err(no_space());
        }
        self.unsynced.retain(|(other, ..)| *other != file);
        Ok(())
    }

    fn replace(&mut self, file: File, bytes: &[u8]) -> Result<(), Fault> {
        let trouble = self.disk.begin()?;
        if self.disk.broken == Some(Broken::Sync) {
            return Err(no_space());
        }
        self.disk.count(0, bytes.len());
        self.disk.written.syncs += 2;
        if trouble.is_none() {
            self.overwrite(file, bytes);
        }
        self.disk.halfway(trouble)
    }

    fn remove(&mut self, file: File) -> Result<(), Fault> {
        self.disk.begin()?;
        self.files.remove(&file);
        Ok(())
    }

    fn set_aside(&mut self, file: File) -> Result<String, Fault> {
        self.disk.begin()?;
        self.files.remove(&file);
        self.set_aside += 1;
        Ok("memory".to_owned())
    }
}
