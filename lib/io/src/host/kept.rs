//! Files that are read again and again: opened once, read from their beginning, opened anew after a failure.

use rackwarden_core::host::sensors::Files;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Result};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The kernel fills at most a page at a time, and a record that does not fit any more goes to the next: of records below
/// 1 KiB, there is no more after fewer bytes than this.
const NEARLY_A_PAGE: usize = 3 * 1024;
/// Of a file that sensors are found by.
const MAX_TEXT_BYTES: u64 = 4096;

/// A file below `/proc` or `/sys`.
pub(super) struct Kept {
    path: PathBuf,
    file: Option<File>,
}

impl Kept {
    /// Opened at the first read.
    pub(super) fn new(path: PathBuf) -> Kept {
        Kept { path, file: None }
    }

    /// The next read opens it anew.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Whether what is open is not what stands there any more. A device that went away says so at the read itself.
    pub(super) fn is_deleted(&self) -> bool {
        let status = self.file.as_ref().map(rustix::fs::fstat);
        status.is_some_and(|status| status.is_ok_and(|status| status.st_nlink == 0))
    }

    /// One read.
    pub(super) fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        let read = self.read_at(buffer, 0)?;
        Ok(&buffer[..read])
    }

    /// `1` or `0`; `None` for anything else, and when it cannot be read.
    pub(super) fn read_flag(&mut self) -> Option<bool> {
        let mut text = [0; 8];
        match self.read(&mut text) {
            Ok([b'1', ..]) => Some(true),
            Ok([b'0', ..]) => Some(false),
            _ => None,
        }
    }

    /// All of a file of short records, at most `most` bytes; when there are more, up to the last line that is whole. The
    /// buffer grows as it needs to. It is not read up to its end, for which the kernel may write the whole of it again.
    pub(super) fn read_all<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        most: usize,
    ) -> Result<&'b [u8]> {
        self.read_until(NEARLY_A_PAGE, buffer, most)
    }

    /// The same for records of any length.
    pub(super) fn read_to_end<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        most: usize,
    ) -> Result<&'b [u8]> {
        self.read_until(1, buffer, most)
    }

    /// Reads until a read brings less than `least`.
    fn read_until<'b>(
        &mut self,
        least: usize,
        buffer: &'b mut Vec<u8>,
        most: usize,
    ) -> Result<&'b [u8]> {
        let mut len = 0;
        loop {
            if buffer.len() - len < NEARLY_A_PAGE {
                buffer.resize(buffer.len() + 2 * NEARLY_A_PAGE, 0);
            }
            let end = buffer.len().min(most);
            let room = &mut buffer[len..end];
            let wanted = room.len();
            let read = self.read_at(room, len as u64)?;
            len += read;
            if read < least.min(wanted) {
                return Ok(&buffer[..len]);
            }
            if len >= most {
                let last = buffer[..len].iter().rposition(|byte| *byte == b'\n');
                return Ok(&buffer[..last.map_or(0, |at| at + 1)]);
            }
        }
    }

    /// One read of its first lines, as many as begin like this and at least one more. To read on would make the kernel
    /// write the whole of `/proc/stat` again, with a column for every interrupt of the machine.
    pub(super) fn read_head<'b>(
        &mut self,
        buffer: &'b mut Vec<u8>,
        prefix: &[u8],
        most: usize,
    ) -> Result<&'b [u8]> {
        loop {
            if buffer.len() < NEARLY_A_PAGE {
                buffer.resize(2 * NEARLY_A_PAGE, 0);
            }
            let read = self.read_at(buffer, 0)?;
            let is_whole = read < buffer.len() || read >= most;
            let last = buffer[..read].iter().rposition(|byte| *byte == b'\n');
            let rest = &buffer[last.map_or(0, |at| at + 1)..read];
            let is_beyond =
                !rest.is_empty() && !prefix.starts_with(&rest[..rest.len().min(prefix.len())]);
            if is_whole || is_beyond {
                return Ok(&buffer[..read]);
            }
            buffer.resize(2 * buffer.len(), 0);
        }
    }

    /// The open file, to wait for what happens to it.
    pub(super) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        loop {
            match file.read_at(buffer, offset) {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => {
                    self.file = None;
                    return Err(err);
                }
                read => return read,
            }
        }
    }
}

/// Where `proc` and `sys` are: `/`, or a folder of a test.
#[derive(Clone)]
pub(super) struct Root(pub(super) PathBuf);

impl Root {
    /// A file to be kept open.
    pub(super) fn keep(&self, path: &str) -> Kept {
        Kept::new(self.0.join(path))
    }

    /// Where a link points to.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.0.join(path)).ok()?;
        target.to_str().map(str::to_owned)
    }
}

impl Files for Root {
    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.0.join(folder)) else {
            return Vec::new();
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.collect()
    }

    fn text(&self, path: &str) -> Option<String> {
        let file = File::open(self.0.join(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_TEXT_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn real(&self, path: &str) -> Option<String> {
        let real = fs::canonicalize(self.0.join(path)).ok()?;
        let root = fs::canonicalize(&self.0).ok()?;
        let below = real.strip_prefix(&root).ok()?;
        below.to_str().map(str::to_owned)
    }
}
