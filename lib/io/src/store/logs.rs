//! Log files of the state directory: whole lines, appended, rotated by size.

use crate::environment::reason;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::small::SmallMap;
use rackwarden_core::effect::LogFile;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The log files of one directory.
pub struct LogFiles {
    dir: PathBuf,
    max_size_bytes: u64,
    keep: u32,
    open: SmallMap<LogFile, RotatingFile>,
}

impl LogFiles {
    /// Files in `dir`, each rotated at `max_size_bytes`, with `keep` old ones.
    pub fn new(dir: PathBuf, max_size_bytes: u64, keep: u32) -> LogFiles {
        LogFiles {
            dir,
            max_size_bytes,
            keep,
            open: SmallMap::new(),
        }
    }

    /// Appends a line and makes it durable.
    ///
    /// # Errors
    /// The file cannot be opened or written; the next line tries again.
    pub fn append(&mut self, file: LogFile, line: &str) -> Result<(), Fault> {
        let path = self.dir.join(file.file_name());
        let result = self
            .file(file, &path)
            .and_then(|open| open.write_line(line).and_then(|()| open.sync()));
        result.map_err(|err| {
            self.open.remove(&file);
            Fault::new(
                FaultKind::Disk,
                format!("cannot append to {}: {}", path.display(), reason(&err)),
            )
        })
    }

    fn file(&mut self, file: LogFile, path: &Path) -> io::Result<&mut RotatingFile> {
        if !self.open.contains_key(&file) {
            self.open.insert(
                file,
                RotatingFile::open(path, self.max_size_bytes, self.keep)?,
            );
        }
        self.open
            .get_mut(&file)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A file that is renamed to `NAME.1`, `NAME.2`, … when it has grown to its limit.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size_bytes: u64,
    keep: u32,
}

impl RotatingFile {
    /// Opens or creates the file, readable by its owner and group only.
    ///
    /// # Errors
    /// The operating system's error.
    pub fn open(path: &Path, max_size_bytes: u64, keep: u32) -> io::Result<RotatingFile> {
        let mut file = open_append(path)?;
        let mut size = file.metadata()?.len();
        if size > 0 && !ends_with_newline(path)? {
            file.write_all(b"\n")?;
            size += 1;
        }
        Ok(RotatingFile {
            path: path.to_owned(),
            file,
            size,
            max_size_bytes,
            keep,
        })
    }

    /// Writes one line in one piece. Rotates before, when the line would not fit.
    ///
    /// # Errors
    /// The operating system's error; the line may have been written in part.
    pub fn write_line(&mut self, line: &str) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend(
            line.bytes()
                .map(|byte| if byte == b'\n' { b' ' } else { byte }),
        );
        bytes.push(b'\n');
        if self.size > 0 && self.size + bytes.len() as u64 > self.max_size_bytes {
            self.rotate()?;
        }
        if let Err(err) = self.file.write_all(&bytes) {
            // What was written of it would stand before the next line.
            let _ = self.file.set_len(self.size);
            return Err(err);
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            let _ = fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        if self.keep > 0 {
            fs::rename(&self.path, self.numbered(1))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        self.file = open_append(&self.path)?;
        self.size = 0;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
}

/// A power cut in the middle of a line must not join it with the next one.
fn ends_with_newline(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_at_their_size_and_old_ones_go() {
        let dir = std::env::temp_dir().join(format!("rackwarden-logs-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("directory");
        let mut logs = LogFiles::new(dir.clone(), 50, 2);
        for number in 0..20 {
            logs.append(LogFile::Exceedings, &format!("line {number:02} with\nmore"))
                .expect("append");
        }
        let read = |name: &str| fs::read_to_string(dir.join(name)).expect(name);
        assert_eq!(
            read("exceedings.log"),
            "line 18 with more\nline 19 with more\n"
        );
        assert_eq!(
            read("exceedings.log.1"),
            "line 16 with more\nline 17 with more\n"
        );
        assert_eq!(
            read("exceedings.log.2"),
            "line 14 with more\nline 15 with more\n"
        );
        assert!(!dir.join("exceedings.log.3").exists());
        fs::remove_dir_all(&dir).expect("clean up");
    }

    #[test]
    fn a_line_that_a_power_cut_tore_stands_alone() {
        let dir = std::env::temp_dir().join(format!("rackwarden-torn-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("directory");
        fs::write(dir.join("audit.log"), "one\ntw").expect("write");
        let mut logs = LogFiles::new(dir.clone(), 1000, 1);
        logs.append(LogFile::Audit, "three").expect("append");
        let text = fs::read_to_string(dir.join("audit.log")).expect("read");
        assert_eq!(text, "one\ntw\nthree\n");
        fs::remove_dir_all(&dir).expect("clean up");
    }
}
