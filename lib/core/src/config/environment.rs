//! What a configuration takes from outside of its text: environment variables, files, host name and zone. A value, so
//! that reading a configuration stays pure; `io::environment` makes the real one.

use super::reader::Item;
use crate::secret::Secret;
use crate::time::Zone;
use std::path::{Path, PathBuf};

/// Looks up an environment variable.
pub type Variable = Box<dyn Fn(&str) -> Option<String>>;
/// Names of the files in a folder.
pub type ListFolder = Box<dyn Fn(&Path) -> Result<Vec<PathBuf>, String>>;
/// Reads a small file.
pub type ReadFile = Box<dyn Fn(&Path) -> Result<SecretFile, String>>;

/// The world around a configuration.
pub struct Environment {
    /// Default of `name`.
    pub hostname: String,
    /// Default of `[notify] timezone`.
    pub zone: Zone,
    /// Environment variables.
    pub variable: Variable,
    /// Files that hold secrets or certificates.
    pub read_file: ReadFile,
    /// A folder of profiles.
    pub list_folder: ListFolder,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFile {
    /// What is in it.
    pub content: Secret,
    /// True when users other than its owner and group may read it.
    pub is_exposed: bool,
}

impl Environment {
    /// No variables, no files, UTC, and the host name `host`.
    pub fn bare() -> Environment {
        Environment {
            hostname: "host".to_owned(),
            zone: Zone::UTC,
            variable: Box::new(|_| None),
            read_file: Box::new(|_| Err("no such file".to_owned())),
            list_folder: Box::new(|_| Err("no such folder".to_owned())),
        }
    }

    /// Where the configuration is when nobody names it: `$RACKWARDEN_CONFIG`, else `/etc/rackwarden/rackwarden.toml` if
    /// `exists` says so, else `rackwarden/rackwarden.toml` in `$XDG_CONFIG_HOME` or `~/.config`.
    pub fn config_path(&self, exists: &dyn Fn(&Path) -> bool) -> PathBuf {
        if let Some(path) = self.variable("RACKWARDEN_CONFIG") {
            return PathBuf::from(path);
        }
        let system = PathBuf::from("/etc/rackwarden/rackwarden.toml");
        let home = match (self.variable("XDG_CONFIG_HOME"), self.variable("HOME")) {
            (Some(config), _) => PathBuf::from(config),
            (None, Some(home)) => Path::new(&home).join(".config"),
            (None, None) => return system,
        };
        let own = home.join("rackwarden/rackwarden.toml");
        if !exists(&system) && exists(&own) {
            own
        } else {
            system
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The secret in a file: its content without the line end.
    ///
    /// # Errors
    /// Says why it is none: it cannot be read, others may read it, it is empty or has several lines.
    pub fn secret(&self, path: &Path) -> Result<Secret, String> {
        let shown = path.display();
        let file = (self.read_file)(path).map_err(|why| format!("cannot read {shown}: {why}"))?;
        if file.is_exposed {
            return Err(format!(
                "{shown} is readable by others; write `chmod o-rwx {shown}`"
            ));
        }
        let secret = file.content.expose().trim();
        if secret.is_empty() {
            return Err(format!("{shown} is empty"));
        }
        if secret.contains(char::is_control) {
            return Err(format!("{shown} has more than one line"));
        }
        Ok(Secret::new(secret.to_owned()))
    }
}

/// What a section needs to be read.
pub struct Scope<'a> {
    /// Variables and files.
    pub env: &'a Environment,
    /// Folder of the configuration file; relative paths start there.
    pub folder: &'a Path,
}

impl Scope<'_> {
    /// The path in a value.
    pub fn path(&self, item: &Item<'_>) -> Option<PathBuf> {
        item.line().map(|text| self.folder.join(text))
    }

    /// The secret in the file that a value names, and the file.
    pub fn secret_file(&self, item: &Item<'_>) -> Option<(Secret, PathBuf)> {
        let path = self.path(item)?;
        match self.env.secret(&path) {
            Ok(secret) => Some((secret, path)),
            Err(why) => {
                item.error(why);
                None
            }
        }
    }

    /// The secret in a file. Under systemd the file is often readable by root alone, and the service has its content as
    /// a credential: then one configuration serves both `check` and the service.
    pub fn credential_file(&self, item: &Item<'_>, name: &str) -> Option<(Secret, PathBuf)> {
        let path = self.path(item)?;
        match self.credential(name) {
            Some(secret) if (self.env.read_file)(&path).is_err() => Some((secret, path)),
            _ => self.secret_file(item),
        }
    }

    /// A credential that the service manager has put into `$CREDENTIALS_DIRECTORY`. The manager guards the folder, so
    /// the file's own mode does not matter.
    pub fn credential(&self, name: &str) -> Option<Secret> {
        let folder = self.env.variable("CREDENTIALS_DIRECTORY")?;
        let file = (self.env.read_file)(&Path::new(&folder).join(name)).ok()?;
        let secret = file.content.expose().trim();
        (!secret.is_empty()).then(|| Secret::new(secret.to_owned()))
    }
}
