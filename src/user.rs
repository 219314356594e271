//! A user of SNMPv3 from the command line, for `probe` and `simulate`. Passwords come from files: what stands on a command
//! line can be read by everybody on the machine.

use crate::failure::Failure;
use rackwarden_core::snmp::usm::{Auth, Level, MAX_USER, MIN_PASSWORD, Password, Privacy, Usm};
use rackwarden_io::environment::environment;
use std::path::Path;
use std::sync::Arc;

/// The options `--v3-…`, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct UserOptions {
    pub(crate) user: String,
    pub(crate) level: Option<String>,
    pub(crate) auth: Option<String>,
    pub(crate) auth_password_file: Option<String>,
    pub(crate) privacy: Option<String>,
    pub(crate) priv_password_file: Option<String>,
    pub(crate) context: String,
}

impl UserOptions {
    /// The user, with the passwords read from their files.
    pub(crate) fn usm(&self) -> Result<Usm, Failure> {
        let level = match (&self.level, &self.auth, &self.privacy) {
            (Some(text), ..) => Level::named(text)
                .ok_or_else(|| wrong("level", text, Level::ALL.map(Level::name).as_slice()))?,
            (None, _, Some(_)) => Level::AuthPriv,
            (None, Some(_), None) => Level::AuthNoPriv,
            (None, None, None) => Level::NoAuthNoPriv,
        };
        if self.user.is_empty() || self.user.len() > MAX_USER {
            let what = format!("--v3-user: write a name of 1 to {MAX_USER} bytes");
            return Err(Failure::usage(what));
        }
        let mut usm = Usm {
            user: self.user.as_str().into(),
            context: self.context.as_str().into(),
            auth: None,
            privacy: None,
        };
        if level >= Level::AuthNoPriv {
            let text = needed("auth", self.auth.as_deref(), level)?;
            let names = Auth::NAMES.map(|(name, _)| name);
            let auth = Auth::named(text).ok_or_else(|| wrong("auth", text, &names))?;
            let file = needed(
                "auth-password-file",
                self.auth_password_file.as_deref(),
                level,
            )?;
            usm.auth = Some(Arc::new(password("auth-password-file", auth, file)?));
            if level == Level::AuthPriv {
                let text = needed("priv", self.privacy.as_deref(), level)?;
                let names = Privacy::NAMES.map(|(name, _)| name);
                let privacy = Privacy::named(text).ok_or_else(|| wrong("priv", text, &names))?;
                let file = needed(
                    "priv-password-file",
                    self.priv_password_file.as_deref(),
                    level,
                )?;
                let password = password("priv-password-file", auth, file)?;
                usm.privacy = Some((privacy, Arc::new(password)));
            }
        }
        Ok(usm)
    }
}

fn wrong(option: &str, text: &str, accepted: &[&str]) -> Failure {
    let accepted = accepted.join(", ");
    Failure::usage(format!("--v3-{option} {text}: write one of {accepted}"))
}

fn needed<'a>(option: &str, value: Option<&'a str>, level: Level) -> Result<&'a str, Failure> {
    let level = level.name();
    value.ok_or_else(|| Failure::usage(format!("--v3-{option}: is missing; {level} needs it")))
}

fn password(option: &str, auth: Auth, file: &str) -> Result<Password, Failure> {
    let failed = |why: String| Failure::usage(format!("--v3-{option}: {why}"));
    let text = environment().secret(Path::new(file)).map_err(failed)?;
    if text.expose().chars().count() < MIN_PASSWORD {
        let why = format!(
            "{file} holds fewer than {MIN_PASSWORD} characters; SNMPv3 takes no shorter password"
        );
        return Err(failed(why));
    }
    Ok(Password::new(auth, text.expose()))
}
