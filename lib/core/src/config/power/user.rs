//! Reads `snmp_v3` and `write_v3` of a PDU: a user of SNMPv3 (RFC 3414, RFC 3826, RFC 7860).

use crate::config::Scope;
use crate::config::effective::Writer;
use crate::config::reader::{Item, Reader, one_of};
use crate::secret::Secret;
use crate::small::SmallMap;
use crate::snmp::usm::{Auth, Level, MAX_USER, MIN_PASSWORD, Password, Privacy, Usm};
use std::sync::Arc;

/// Users and passwords that were read, so that ten thousand equal ones are one, and its key is made once.
#[derive(Default)]
pub(super) struct Users {
    users: SmallMap<String, Arc<Usm>>,
    passwords: SmallMap<(&'static str, Secret), Arc<Password>>,
}

impl Users {
    /// The user in this table, if it is whole, and the table as one line of TOML.
    pub(super) fn read(
        &mut self,
        key: &str,
        mut reader: Reader<'_>,
        scope: &Scope<'_>,
    ) -> (Option<Arc<Usm>>, String) {
        let mut writer = Writer::inline();
        let user_item = reader.need("user", "\"apc\"");
        let user = user_item.as_ref().and_then(Item::line);
        if let (Some(item), Some(user)) = (&user_item, user) {
            if user.len() > MAX_USER {
                item.error(format!("is longer than {MAX_USER} bytes"));
            }
        }
        writer.text("user", user);
        let auth_item = reader.get("auth");
        let priv_item = reader.get("priv");
        let auth_password = reader.get("auth_password_file");
        let priv_password = reader.get("priv_password_file");
        let level_item = reader.get("level");
        let level = match &level_item {
            Some(item) => one_of(item, &Level::ALL.map(Level::name)).and_then(Level::named),
            None if priv_item.is_some() => Some(Level::AuthPriv),
            None if auth_item.is_some() => Some(Level::AuthNoPriv),
            None => Some(Level::NoAuthNoPriv),
        };
        for (from, keys, is_there) in [
            (
                Level::AuthNoPriv,
                "auth and auth_password_file",
                auth_item.is_some() && auth_password.is_some(),
            ),
            (
                Level::AuthPriv,
                "priv and priv_password_file",
                priv_item.is_some() && priv_password.is_some(),
            ),
        ] {
            if let Some(level) = level.filter(|level| *level >= from && !is_there) {
                let level = level.name();
                reader.error(format!("has level = \"{level}\", which needs {keys}"));
            }
        }
        writer.text("level", level.map(Level::name));
        let names = Auth::NAMES.map(|(name, _)| name);
        let auth_name = auth_item.and_then(|item| one_of(&item, &names));
        writer.text("auth", auth_name);
        let auth_password = password(&mut writer, "auth_password_file", auth_password, scope);
        let names = Privacy::NAMES.map(|(name, _)| name);
        let priv_name = priv_item.and_then(|item| one_of(&item, &names));
        writer.text("priv", priv_name);
        let priv_password = password(&mut writer, "priv_password_file", priv_password, scope);
        let context = reader.get("context").and_then(|item| item.text());
        writer.text("context", context);
        reader.finish();
        let line = writer.finish();
        let shown = format!("{key} = {{ {line} }}\n");
        if let Some(known) = self.users.get(&line) {
            return (Some(Arc::clone(known)), shown);
        }
        let (Some(user), Some(level)) = (user, level) else {
            return (None, shown);
        };
        let mut usm = Usm {
            user: user.into(),
            context: context.unwrap_or_default().into(),
            auth: None,
            privacy: None,
        };
        let auth = auth_name.and_then(Auth::named);
        if let (Some(auth), Some(text)) = (auth, auth_password) {
            if level >= Level::AuthNoPriv {
                usm.auth = Some(self.password(auth, text));
            }
        }
        let privacy = priv_name.and_then(Privacy::named);
        if let (Some(auth), Some(privacy), Some(text)) = (auth, privacy, priv_password) {
            if level == Level::AuthPriv {
                usm.privacy = Some((privacy, self.password(auth, text)));
            }
        }
        if usm.level() != level {
            return (None, shown);
        }
        let usm = Arc::new(usm);
        self.users.insert(line, Arc::clone(&usm));
        (Some(usm), shown)
    }

    fn password(&mut self, auth: Auth, text: Secret) -> Arc<Password> {
        let key = (auth.name(), text);
        if let Some(known) = self.passwords.get(&key) {
            return Arc::clone(known);
        }
        let password = Arc::new(Password::new(auth, key.1.expose()));
        self.passwords.insert(key, Arc::clone(&password));
        password
    }
}

/// RFC 3414 section 11.2: passwords have at least eight characters.
fn password(
    writer: &mut Writer,
    key: &str,
    item: Option<Item<'_>>,
    scope: &Scope<'_>,
) -> Option<Secret> {
    let item = item?;
    let (secret, path) = scope.secret_file(&item)?;
    writer.text(key, path.to_str());
    if secret.expose().chars().count() < MIN_PASSWORD {
        item.error(format!("holds fewer than {MIN_PASSWORD} characters"));
        return None;
    }
    Some(secret)
}
