//! The state directory: its lock, and the two files of the journal.

use crate::environment::reason;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::journal::{FileKind, Storage, Stored};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const JOURNAL: &str = "journal";
const SNAPSHOT: &str = "snapshot";

/// A state directory that this process alone writes to, as long as this value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Creates the directory if needed (for its owner only) and locks it.
    ///
    /// # Errors
    /// One line that says what is wrong: no permission, or which process holds it.
    pub fn lock(path: &Path) -> Result<StateDir, String> {
        let create = |err: io::Error| {
            format!(
                "{}: cannot create the state directory: {}; set state_dir to a place where this user may write",
                path.display(),
                reason(&err)
            )
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(create)?;
        let lock_path = path.join("lock");
        let cannot_write = |err: io::Error| {
            format!(
                "{}: cannot be written: {}; let this user write there, or set another state_dir",
                lock_path.display(),
                reason(&err)
            )
        };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(cannot_write)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() {
                "another process".to_owned()
            } else {
                format!("process {holder}")
            };
            return Err(format!(
                "the state directory {} is in use by {holder}; stop that one, or give this one a state_dir of its own",
                path.display()
            ));
        }
        let pid = std::process::id().to_string();
        lock.set_len(0)
            .and_then(|()| lock.write_all(pid.as_bytes()))
            .map_err(cannot_write)?;
        Ok(StateDir {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The journal and the snapshot as files.
#[derive(Debug)]
pub struct FileStorage {
    dir: StateDir,
    journal: Option<File>,
}

impl FileStorage {
    /// Files in a locked directory.
    pub fn new(dir: StateDir) -> FileStorage {
        FileStorage { dir, journal: None }
    }

    fn path(&self, file: FileKind) -> PathBuf {
        self.dir.path.join(match file {
            FileKind::Journal => JOURNAL,
            FileKind::Snapshot => SNAPSHOT,
        })
    }

    fn open_journal(&mut self) -> io::Result<&mut File> {
        if self.journal.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .open(self.path(FileKind::Journal))?;
            self.journal = Some(file);
        }
        self.journal
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for FileStorage {
    fn read(&mut self) -> Result<Stored, Fault> {
        read_stored(&self.dir.path)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.path(FileKind::Journal);
        self.open_journal()
            .and_then(|file| file.write_all(bytes))
            .map_err(|err| fault("write", &path, &err))
    }

    fn sync(&mut self) -> Result<(), Fault> {
        let path = self.path(FileKind::Journal);
        self.open_journal()
            .and_then(|file| file.sync_data())
            .map_err(|err| fault("sync", &path, &err))
    }

    fn replace(&mut self, file: FileKind, bytes: &[u8]) -> Result<(), Fault> {
        let path = self.path(file);
        if file == FileKind::Journal {
            self.journal = None;
        }
        replace(&path, bytes).map_err(|err| fault("write", &path, &err))
    }

    fn set_aside(&mut self, file: FileKind) -> Result<String, Fault> {
        let path = self.path(file);
        if file == FileKind::Journal {
            self.journal = None;
        }
        let place = place_aside(&path);
        match fs::rename(&path, &place) {
            // Somebody has moved it away meanwhile.
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(fault("rename", &path, &err)),
            _ => Ok(place.display().to_string()),
        }
    }
}

/// Reads both files of the journal.
pub(super) fn read_stored(dir: &Path) -> Result<Stored, Fault> {
    let mut unreadable = Vec::new();
    let mut read = |file, name: &str| {
        let path = dir.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            // Nothing is wrong with the file; whoever started the agent can mend it.
            Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
                Err(fault("read", &path, &err))
            }
            Err(err) => {
                unreadable.push((file, fault("read", &path, &err)));
                Ok(None)
            }
        }
    };
    Ok(Stored {
        snapshot: read(FileKind::Snapshot, SNAPSHOT)?,
        journal: read(FileKind::Journal, JOURNAL)?,
        unreadable,
    })
}

/// A name beside a file that is free.
pub(super) fn place_aside(path: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let place = path.with_extension(format!("bad-{number}"));
        if !place.exists() {
            return place;
        }
        number += 1;
    }
}

/// Writes beside the file, syncs, renames over it, and syncs the directory.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

pub(super) fn fault(what: &str, path: &Path, err: &io::Error) -> Fault {
    Fault::new(
        FaultKind::Disk,
        format!("cannot {what} {}: {}", path.display(), reason(err)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::journal::Journal;
    use rackwarden_core::state::{Change, Turn};

    #[test]
    fn a_directory_has_one_holder_and_keeps_its_records() {
        let path = std::env::temp_dir().join(format!("rackwarden-state-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        let dir = StateDir::lock(&path).expect("lock");
        let refused = StateDir::lock(&path).expect_err("second holder");
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );

        let mut journal = Journal::open(FileStorage::new(dir)).expect("open");
        let change = Change {
            key: "a/b".into(),
            value: Some(b"1".to_vec()),
        };
        journal.push(&Turn {
            seq: 1,
            durable: true,
            changes: vec![change],
        });
        assert_eq!(journal.commit().expect("commit"), 1);
        drop(journal);

        let journal = Journal::open(FileStorage::new(StateDir::lock(&path).expect("free again")))
            .expect("open");
        assert_eq!(journal.records().get::<u32>("a", "b"), Some(1));
        fs::remove_dir_all(&path).expect("clean up");
    }

    /// What can be read is used, and what cannot is kept beside it, whatever is in the files.
    #[test]
    fn row_23_and_25_a_bad_file_is_kept_and_the_rest_is_used() {
        let path = std::env::temp_dir().join(format!("rackwarden-bad-{}", std::process::id()));
        let reopen = || {
            let dir = StateDir::lock(&path).expect("lock");
            Journal::open(FileStorage::new(dir)).expect("open")
        };
        let turn = |seq: u64| Turn {
            seq,
            durable: true,
            changes: vec![Change {
                key: format!("a/{seq}"),
                value: Some(b"1".to_vec()),
            }],
        };
        // A directory in the place of a file cannot be read (EISDIR), as a bad sector cannot (EIO).
        for (name, bytes, kept) in [
            (JOURNAL, Some(&b""[..]), 1),
            (JOURNAL, Some(&[7; 300][..]), 1),
            (JOURNAL, Some(b"RWJRNL0\nold"), 1),
            (JOURNAL, Some(b"RWJRNL2\nnew"), 1),
            (JOURNAL, None, 1),
            (SNAPSHOT, Some(b""), 2),
            (SNAPSHOT, Some(&[7; 300][..]), 2),
            (SNAPSHOT, Some(b"RWSNAP0\nold"), 2),
            (SNAPSHOT, Some(b"RWSNAP2\nnew"), 2),
            (SNAPSHOT, None, 2),
        ] {
            let _ = fs::remove_dir_all(&path);
            let mut journal = reopen();
            // The first goes into the snapshot, the second into the journal.
            for seq in 1..=2 {
                journal.push(&turn(seq));
                journal.commit().expect("commit");
            }
            drop(journal);
            let file = path.join(name);
            fs::remove_file(&file).expect("there");
            match bytes {
                Some(bytes) => fs::write(&file, bytes).expect("write"),
                None => fs::create_dir(&file).expect("directory"),
            }
            let mut journal = reopen();
            let records = journal.records();
            assert_eq!(records.repairs.len(), 1, "{name} {:?}", records.repairs);
            assert_eq!(records.get::<u32>("a", &kept.to_string()), Some(1));
            let aside = file.with_extension("bad-1");
            match bytes {
                Some(bytes) => assert_eq!(fs::read(&aside).expect("kept"), bytes),
                None => assert!(aside.is_dir()),
            }
            journal.push(&turn(9));
            journal.commit().expect("commit");
            drop(journal);
            let journal = reopen();
            assert!(journal.records().repairs.is_empty(), "{name}: told once");
            assert_eq!(journal.records().get::<u32>("a", "9"), Some(1));
        }
        fs::remove_dir_all(&path).expect("clean up");
    }
}
