//! The real world around a configuration: the process's variables, files, host name and zone.

use rackwarden_base::secret::Secret;
use rackwarden_base::time::{Wall, Zone};
use rackwarden_core::config::{Environment, SecretFile};
use rackwarden_core::core::Past;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Files that hold more are no secrets and no certificates.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The environment of this process.
pub fn environment() -> Environment {
    Environment {
        hostname: hostname(),
        zone: Zone::system(),
        variable: Box::new(|name| std::env::var(name).ok()),
        read_file: Box::new(read_file),
        list_folder: Box::new(list_folder),
    }
}

fn list_folder(path: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(path).map_err(|err| reason(&err))?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(|err| reason(&err)))
        .collect()
}

fn hostname() -> String {
    let uname = rustix::system::uname();
    let name: String = uname
        .nodename()
        .to_string_lossy()
        .chars()
        .filter(|ch| !ch.is_control())
        .take(64)
        .collect();
    if name.trim().is_empty() {
        "rackwarden".to_owned()
    } else {
        name
    }
}

/// Reads a small regular file and looks who else may.
fn read_file(path: &Path) -> Result<SecretFile, String> {
    let metadata = std::fs::metadata(path).map_err(|err| reason(&err))?;
    if !metadata.is_file() {
        return Err("not a regular file".to_owned());
    }
    let file = File::open(path).map_err(|err| reason(&err))?;
    let mut content = String::new();
    let read = file
        .take(MAX_FILE_BYTES + 1)
        .read_to_string(&mut content)
        .map_err(|err| reason(&err))?;
    if read as u64 > MAX_FILE_BYTES {
        return Err("larger than 4 MiB".to_owned());
    }
    Ok(SecretFile {
        content: Secret::new(content),
        is_exposed: metadata.permissions().mode() & 0o007 != 0,
    })
}

/// What the machine and the service manager know of the run before this one. The manager's word stands in the file `ended`
/// of its state directory (see the unit) and is taken away.
pub fn past() -> Past {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let dir = std::env::var("STATE_DIRECTORY").unwrap_or_default();
    Past {
        boot: boot.trim().to_owned(),
        ended: if dir.is_empty() {
            None
        } else {
            ended(Path::new(&dir))
        },
    }
}

fn ended(dir: &Path) -> Option<(String, Wall)> {
    let path = dir.join("ended");
    let word = read_file(&path).ok()?.content.expose().trim().to_owned();
    let modified = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
    let _ = std::fs::remove_file(&path);
    let since = modified.ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some((word, Wall(i64::try_from(since.as_millis()).ok()?)))
}

/// An I/O error in words, without the number.
pub fn reason(err: &std::io::Error) -> String {
    match err.kind() {
        ErrorKind::NotFound => "no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::InvalidData => "not UTF-8 text".to_owned(),
        ErrorKind::AddrInUse => "address already in use".to_owned(),
        _ => {
            let text = err.to_string();
            // The standard library's words before those of the resolver.
            let text = text.trim_start_matches("failed to lookup address information: ");
            match text.split_once(" (os error") {
                Some((words, _)) => words.to_lowercase(),
                None => text.to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_read_once() {
        let folder = std::env::temp_dir().join(format!("rackwarden-ended-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(ended(&folder), None);
        std::fs::write(folder.join("ended"), "watchdog ABRT\n").unwrap();
        let (word, at) = ended(&folder).unwrap();
        assert_eq!(word, "watchdog ABRT");
        assert!(at > Wall(1_700_000_000_000));
        assert_eq!(ended(&folder), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_is_exposed_when_others_may_read_it() {
        let folder = std::env::temp_dir().join(format!("rackwarden-env-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        for (mode, want) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                read_file(&path).map(|file| file.is_exposed),
                Ok(want),
                "{mode:o}"
            );
        }
        assert_eq!(
            read_file(&folder.join("none")),
            Err("no such file".to_owned())
        );
        assert_eq!(read_file(&folder), Err("not a regular file".to_owned()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
