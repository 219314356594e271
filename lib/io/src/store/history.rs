//! The files of the long history, in a folder of the state directory.

use super::files::{fault, place_aside, replace};
use rackwarden_base::fault::Fault;
use rackwarden_core::history::{File, Storage};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A longer file is none that is read as a whole.
const LONGEST_BYTES: u64 = 256 << 20;

/// Files in the folder `history`.
#[derive(Debug)]
pub struct HistoryFiles {
    dir: PathBuf,
    /// The file that was used last.
    open: Option<(File, fs::File)>,
}

impl HistoryFiles {
    /// In this state directory, which the caller has locked. The folder is made at the first write.
    pub fn new(state_dir: &Path) -> HistoryFiles {
        HistoryFiles {
            dir: state_dir.join("history"),
            open: None,
        }
    }

    fn path(&self, file: File) -> PathBuf {
        self.dir.join(match file {
            File::Index => "index".to_owned(),
            File::Hour => "hour".to_owned(),
            File::Minutes(id) => format!("minutes-{id}"),
            File::Quarters(id) => format!("quarters-{id}"),
        })
    }

    fn make_dir(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
    }

    /// The file, open to read and write; made when `is_new` and it is not there.
    fn file(&mut self, file: File, is_new: bool) -> io::Result<&mut fs::File> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != file) {
            if is_new {
                self.make_dir()?;
            }
            let path = self.path(file);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(is_new).mode(0o600);
            // What cannot be written may still be read.
            let opened = match options.open(&path) {
                Err(_) if !is_new => fs::File::open(&path)?,
                other => other?,
            };
            self.open = Some((file, opened));
        }
        let open = self.open.as_mut().map(|(_, open)| open);
        open.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn close(&mut self, file: File) {
        self.open.take_if(|(open, _)| *open == file);
    }

    fn fault<T>(&self, what: &str, file: File, result: io::Result<T>) -> Result<T, Fault> {
        result.map_err(|err| fault(what, &self.path(file), &err))
    }
}

impl Storage for HistoryFiles {
    fn list(&mut self) -> Result<Vec<File>, Fault> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(fault("read", &self.dir, &err)),
        };
        let file = |name: &str| match name.split_once('-') {
            Some(("minutes", id)) => id.parse().ok().map(File::Minutes),
            Some(("quarters", id)) => id.parse().ok().map(File::Quarters),
            _ => None,
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        Ok(names.filter_map(|name| file(name.to_str()?)).collect())
    }

    fn read(&mut self, file: File) -> Result<Option<Vec<u8>>, Fault> {
        let read = fs::File::open(self.path(file)).and_then(|open| {
            let mut bytes = Vec::new();
            open.take(LONGEST_BYTES)
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        });
        match read {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            other => self.fault("read", file, other.map(Some)),
        }
    }

    fn read_at(&mut self, file: File, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let read = self.file(file, false).and_then(|open| {
            let mut filled = 0;
            while filled < buffer.len() {
                match open.read_at(&mut buffer[filled..], offset + filled as u64)? {
                    0 => break,
                    count => filled += count,
                }
            }
            Ok(filled)
        });
        match read {
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(0),
            other => self.fault("read", file, other),
        }
    }

    fn write_at(&mut self, file: File, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let written = self
            .file(file, true)
            .and_then(|open| open.write_all_at(bytes, offset));
        if written.is_err() {
            // It may have been opened to read alone.
            self.close(file);
        }
        self.fault("write", file, written)
    }

    fn sync(&mut self, file: File) -> Result<(), Fault> {
        let synced = self.file(file, true).and_then(|open| open.sync_data());
        self.fault("sync", file, synced)
    }

    fn replace(&mut self, file: File, bytes: &[u8]) -> Result<(), Fault> {
        self.close(file);
        let replaced = self
            .make_dir()
            .and_then(|()| replace(&self.path(file), bytes));
        self.fault("write", file, replaced)
    }

    fn remove(&mut self, file: File) -> Result<(), Fault> {
        self.close(file);
        match fs::remove_file(self.path(file)) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                self.fault("delete", file, Err(err))
            }
            _ => Ok(()),
        }
    }

    fn set_aside(&mut self, file: File) -> Result<String, Fault> {
        self.close(file);
        let place = place_aside(&self.path(file));
        match fs::rename(self.path(file), &place) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => {
                self.fault("rename", file, Err(err))
            }
            _ => Ok(place.display().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_base::time::Wall;
    use rackwarden_core::effect::Ticket;
    use rackwarden_core::history::{
        Append, Archive, Cell, Op, Outcome, Query, Recall, Series, Span, Unit,
    };
    use std::sync::Arc;

    /// 2026-11-20 20:00 UTC.
    const BEGIN: u32 = 1_795_204_800 / 60;

    fn write(archive: &mut Archive<HistoryFiles>, first: u32, count: u32) -> Vec<String> {
        let span = Span {
            min: 1.0,
            avg: 2.0,
            max: 3.0,
        };
        let series = Series {
            name: "a".into(),
            unit: Unit::Watts,
        };
        let append = Append {
            series: Arc::new(vec![series]),
            minutes: (first..first + count).collect(),
            cells: vec![Cell { span, share: 30 }; count as usize],
            now: first + count,
        };
        match archive.handle(Op::Append(append)) {
            Some(Outcome::Archived {
                result: Ok(()),
                repairs,
            }) => repairs,
            other => panic!("{other:?}"),
        }
    }

    /// In how many of the minutes there is a value.
    fn known(archive: &mut Archive<HistoryFiles>, first: u32, count: u32) -> usize {
        let wall = |minute: u32| Wall(i64::from(minute) * 60_000);
        let query = Query {
            series: vec!["a".into()],
            from: wall(first),
            to: wall(first + count),
            points: count,
        };
        let recall = Recall::new(Ticket(1), &query, query.to);
        match archive.handle(Op::Recall(Box::new(recall))) {
            Some(Outcome::Recalled {
                result: Ok(curves), ..
            }) => curves
                .iter()
                .flat_map(|curve| &curve.points)
                .flatten()
                .count(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn row_23_files_keep_what_was_written_and_bad_ones_are_kept_beside() {
        let path = std::env::temp_dir().join(format!("rackwarden-history-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let open = || Archive::new(HistoryFiles::new(&path));
        let mut archive = open();
        assert_eq!(known(&mut archive, BEGIN, 10), 0, "nothing is there yet");
        assert!(!path.exists(), "reading makes nothing");
        assert!(write(&mut archive, BEGIN, 20).is_empty());
        archive.handle(Op::Save(b"hour".to_vec()));
        let mut archive = open();
        assert!(
            matches!(archive.handle(Op::Load), Some(Outcome::HourLoaded(bytes)) if bytes == b"hour")
        );
        assert!(archive.handle(Op::Load).is_none(), "told once");
        assert_eq!(known(&mut archive, BEGIN, 20), 20);
        let find = |kind: &str| {
            let names = fs::read_dir(path.join("history")).expect("folder");
            let is_it = |name: &PathBuf| {
                name.extension().is_none() && name.to_string_lossy().contains(kind)
            };
            let mut names = names.flatten().map(|entry| entry.path());
            names.find(is_it).expect("there")
        };
        for (step, kind) in (1..).zip(["/minutes-", "/quarters-", "/index"]) {
            let name = &find(kind);
            fs::remove_file(name).expect("there");
            // It cannot be read (EISDIR), as a bad sector cannot (EIO).
            fs::create_dir(name).expect("directory");
            let mut archive = open();
            let first = BEGIN + step * 20;
            assert!(!write(&mut archive, first, 20).is_empty(), "{name:?}");
            assert_eq!(known(&mut archive, first, 20), 20, "{name:?}");
            assert!(write(&mut open(), first + 20, 1).is_empty(), "told once");
        }
        fs::remove_dir_all(&path).expect("clean up");
    }
}
