//! Where the long history goes: a few files that are written in place. What is in them is the archive's business.

mod memory;

pub use memory::MemoryStorage;

use crate::fault::Fault;

/// One of the files of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// Which series stands in which column of which generation.
    Index,
    /// The last hour, between a stop and the next start.
    Hour,
    /// A week in minutes, of one generation.
    Minutes(u32),
    /// A year in quarters of an hour, of one generation.
    Quarters(u32),
}

/// A few files. Every method may fail at any time, and a failed write may have happened in part.
pub trait Storage: Send {
    /// What there is, in any order.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn list(&mut self) -> Result<Vec<File>, Fault>;

    /// A whole file; `None` when it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    fn read(&mut self, file: File) -> Result<Option<Vec<u8>>, Fault>;

    /// Fills the buffer from a place in a file. Says how many bytes there were: fewer at its end, none when it is not there.
    ///
    /// # Errors
    /// The place cannot be read.
    fn read_at(&mut self, file: File, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault>;

    /// Writes at a place of a file, which is made and grows as needed. Not durable before `sync`.
    ///
    /// # Errors
    /// Some or none of the bytes were written.
    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), Fault>;

    /// Makes durable what was written to a file.
    ///
    /// # Errors
    /// Nothing is known about what was written since the last success.
    fn sync(&mut self, file: File) -> Result<(), Fault>;

    /// Replaces a file as a whole and durably: afterwards it has either its old or its new contents, even after a power cut.
    ///
    /// # Errors
    /// The old contents are still there.
    fn replace(&mut self, file: File, bytes: &[u8]) -> Result<(), Fault>;

    /// Deletes a file; one that is not there is no failure.
    ///
    /// # Errors
    /// It may still be there.
    fn remove(&mut self, file: File) -> Result<(), Fault>;

    /// Moves a damaged file out of the way, and says where it is.
    ///
    /// # Errors
    /// It is still in the way.
    fn set_aside(&mut self, file: File) -> Result<String, Fault>;
}
