//! Reads `[mail]` and `[heartbeat]`: the second way out, and the ping that says that the agent lives.

use super::effective::Writer;
use super::environment::Scope;
use super::parse::{base_url, between, certificates};
use super::reader::{Reader, one_of};
use super::{Config, HeartbeatConfig, MailConfig, MailSecurity, units};
use crate::chat::Place;
use crate::secret::Secret;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const SECURITIES: [(&str, MailSecurity); 3] = [
    ("starttls", MailSecurity::StartTls),
    ("tls", MailSecurity::Tls),
    ("none", MailSecurity::None),
];

/// `[mail]`
pub(super) fn mail(config: &mut Config, mut reader: Reader<'_>, scope: &Scope<'_>) {
    let host = reader.need("host", "\"smtp.example.org\"");
    let host = host.and_then(|item| item.read(host_name));
    let port = reader
        .get("port")
        .map_or(Some(587), |item| item.integer(1, 65535));
    let security = reader.get("security").map_or(Some("starttls"), |item| {
        one_of(&item, &SECURITIES.map(|(name, _)| name))
    });
    let security = SECURITIES.iter().find(|(name, _)| Some(*name) == security);
    let login = login(config, &mut reader, scope);
    let from = reader.need("from", "\"rack-3 <agent@example.org>\"");
    let from = from.and_then(|item| item.read(sender));
    let ca_file = reader
        .get("ca_file")
        .and_then(|item| certificates(&item, scope));
    let after = reader.get("fallback_after");
    let after = after.map_or(Some(Duration::from_secs(600)), |item| {
        item.read(|text| between(text, "1s", "7d"))
    });
    let to = reader.get("fallback_to").map(|item| item.items());
    let to = to.unwrap_or_default();
    let fallback_to: Vec<String> = to.iter().filter_map(|item| item.read(mailbox)).collect();
    if login.is_some() && matches!(security, Some((_, MailSecurity::None))) {
        reader.warn("[mail]: the password goes over the network as it is; write security = \"starttls\" or \"tls\"");
    }
    reader.finish();
    let (Some(host), Some(port), Some((_, security)), Some(from), Some(after)) =
        (host, port, security, from, after)
    else {
        return;
    };
    config.mail = Some(Arc::new(MailConfig {
        host,
        port: port as u16,
        security: *security,
        login,
        from_name: from.0,
        from: from.1,
        ca_file,
        fallback_after: after,
        fallback_to,
    }));
}

/// User and password; the password may be the credential `mail.password`.
fn login(
    config: &mut Config,
    reader: &mut Reader<'_>,
    scope: &Scope<'_>,
) -> Option<(String, Secret)> {
    let user = reader.get("user");
    let file = reader.get("password_file");
    let credential = "mail.password";
    let password = match &file {
        Some(item) => scope
            .credential_file(item, credential)
            .map(|(secret, path)| {
                config.extra.mail_password_file = Some(path);
                secret
            }),
        None => scope.credential(credential),
    };
    let Some(user) = user else {
        if let Some(item) = file {
            item.error("stands without user; write user = \"…\" beside it");
        }
        return None;
    };
    if file.is_none() && password.is_none() {
        reader.error("has a user and no password; write password_file = \"…\", or give the credential mail.password");
    }
    Some((user.line()?.to_owned(), password?))
}

/// `[heartbeat]`
pub(super) fn heartbeat(mut reader: Reader<'_>) -> Option<HeartbeatConfig> {
    let url = reader.need("url", "\"https://…\"").and_then(|item| {
        // Its path is what authorises the ping.
        item.read(|text| base_url(text).map(|_| Secret::new(text.to_owned())))
    });
    let every = reader
        .get("every")
        .map_or(Some(Duration::from_secs(300)), |item| {
            item.read(|text| between(text, "1s", "7d"))
        });
    reader.finish();
    Some(HeartbeatConfig {
        url: url?,
        every: every?,
    })
}

/// Writes both out, secrets masked.
pub(super) fn effective(writer: &mut Writer, config: &Config) {
    let path = |path: &Option<PathBuf>| path.as_ref()?.to_str().map(str::to_owned);
    if let Some(mail) = &config.mail {
        writer.begin("mail");
        writer.text("host", Some(&mail.host));
        writer.number("port", Some(mail.port));
        let name = SECURITIES.iter().find(|(_, kind)| *kind == mail.security);
        writer.text("security", name.map(|(name, _)| *name));
        writer.text("user", mail.login.as_ref().map(|(user, _)| user.as_str()));
        writer.text(
            "password_file",
            path(&config.extra.mail_password_file).as_deref(),
        );
        writer.text("from", Some(&mail.sender()));
        writer.text("ca_file", path(&mail.ca_file).as_deref());
        let after = units::format_duration(mail.fallback_after);
        writer.text("fallback_after", Some(&after));
        writer.list("fallback_to", mail.fallback_to.iter().cloned());
    }
    if let Some(heartbeat) = &config.heartbeat {
        writer.begin("heartbeat");
        writer.text("url", Some(&masked(heartbeat.url.expose())));
        let every = units::format_duration(heartbeat.every);
        writer.text("every", Some(&every));
    }
}

/// Scheme and host of a URL.
fn masked(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/***")
}

fn host_name(text: &str) -> Result<String, String> {
    let host = text.trim_matches(['[', ']']);
    let is_name = |ch: char| ch.is_ascii_alphanumeric() || ".-_".contains(ch);
    if host.parse::<IpAddr>().is_ok() || (!host.is_empty() && host.chars().all(is_name)) {
        Ok(host.to_owned())
    } else {
        Err("is not a host; write \"smtp.example.org\", and the port as port = 587".to_owned())
    }
}

/// An address alone.
fn mailbox(text: &str) -> Result<String, String> {
    match format!("mail:{text}").parse::<Place>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("is not a mail address; write oncall@example.org".to_owned()),
    }
}

/// `agent@example.org` or `rack-3 <agent@example.org>`, as name and address.
fn sender(text: &str) -> Result<(String, String), String> {
    let (name, address) = match text.split_once('<') {
        Some((name, rest)) => (
            name.trim().trim_matches('"'),
            rest.strip_suffix('>').unwrap_or(""),
        ),
        None => ("", text),
    };
    match mailbox(address) {
        Ok(address) if !text.contains(char::is_control) => Ok((name.to_owned(), address)),
        _ => Err("is not a sender; write \"rack-3 <agent@example.org>\"".to_owned()),
    }
}
