//! `rackwarden discover`: finds the PDUs in a network and prints their tables, ready to paste.

use crate::args::DiscoverOptions;
use crate::failure::{Failure, Outcome, print, report};
use crate::signals;
use crate::user::UserOptions;
use rackwarden_base::reader::quoted;
use rackwarden_core::config::is_invisible;
use rackwarden_core::pdu::discover::{Discovery, Found, Report, Settings};
use rackwarden_core::plugins::power::Host;
use rackwarden_core::plugins::power::address;
use rackwarden_core::snmp::{Credentials, Version};
use rackwarden_io::environment::reason;
use rackwarden_io::survey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From one line of progress to the next.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// The longest name that the configuration takes, in characters.
const MAX_NAME: usize = 64;

/// Runs it.
pub(crate) fn run(options: &DiscoverOptions) -> Outcome {
    let failed = |err: std::io::Error| {
        let what = "free some sockets, or search from another machine";
        Failure::operation(format!(
            "discover {}: {}; {what}",
            options.written,
            reason(&err)
        ))
    };
    let communities = options.communities.iter();
    let mut credentials: Vec<Credentials> = communities
        .map(|community| Credentials::community(community.expose()))
        .collect();
    if let Some(user) = &options.user {
        credentials.push(Credentials::Usm(Arc::new(user.usm()?)));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    signals::spawn(move || flag.store(true, Ordering::Relaxed), || {}).map_err(failed)?;
    let mut discovery = Discovery::new(Settings {
        network: options.network,
        port: options.port,
        credentials,
        rate: options.rate,
        timeout: options.timeout,
    });
    let is_watched = stderr().is_terminal();
    let mut shown = Instant::now();
    survey::run(&mut discovery, options.network, &stop, |discovery| {
        if is_watched && shown.elapsed() >= PROGRESS_EVERY {
            shown = Instant::now();
            show_progress(discovery, options.rate);
        }
    })
    .map_err(failed)?;
    if is_watched {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    if !discovery.is_done() {
        let (asked, all) = discovery.progress();
        report(&format_args!(
            "rackwarden: ended early, after {asked} of {all} questions"
        ));
    }
    let found = discovery.finish();
    summarise(options, &found);
    print(&tables(&found.pdus, options.user.as_ref()))
}

fn show_progress(discovery: &Discovery, rate: u32) {
    let (asked, all) = discovery.progress();
    let left = Duration::from_secs(u64::from((all - asked) / rate));
    let _ = write!(
        stderr(),
        "\r\x1b[K{asked} of {all} questions, {} PDUs, at most {} s left",
        discovery.found(),
        left.as_secs()
    );
}

/// What was found besides PDUs with readings, a line each.
fn summarise(options: &DiscoverOptions, found: &Report) {
    let count = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    let mut line = format!(
        "{}: {} in {}",
        options.written,
        count(found.pdus.len(), "PDU", "PDUs"),
        count(options.network.count() as usize, "address", "addresses")
    );
    if found.others > 0 {
        let others = count(
            found.others as usize,
            "other device that speaks SNMP",
            "other devices that speak SNMP",
        );
        let _ = write!(line, ", {others}");
    }
    let mut lines = vec![line];
    for mute in &found.mute {
        let identified = &mute.identified;
        let what = [identified.vendor.as_deref(), identified.model.as_deref()];
        let what: Vec<&str> = what.into_iter().flatten().collect();
        lines.push(format!(
            "{}: {}, whose readings are not known; `rackwarden probe` says more",
            mute.addr,
            what.join(" ")
        ));
    }
    for addr in &found.lost {
        lines.push(format!("{addr}: fell silent while it was asked what it is"));
    }
    for ((count, why), what) in [
        (&found.refused, "refused the user"),
        (&found.unreachable, "could not be sent to"),
    ] {
        if *count > 0 {
            lines.push(format!("{count} addresses {what}: {why}"));
        }
    }
    for line in lines {
        report(&line.replace(char::is_control, " "));
    }
}

/// A table for each, in the order given.
fn tables(found: &[Found], user: Option<&UserOptions>) -> String {
    let mut text = String::new();
    for (name, found) in names(found).iter().zip(found) {
        let identified = &found.identified;
        let model = [
            identified.vendor.as_deref(),
            identified.model.as_deref(),
            identified.profile.as_ref().map(|head| &*head.name),
        ];
        let model: Vec<&str> = model.into_iter().flatten().collect();
        let mut about = model.join(", ");
        if let Some(power_w) = identified.reading.power_w {
            let _ = write!(about, ", {power_w:.0} W");
        }
        let outlets = identified.reading.outlets.len();
        if outlets > 0 {
            let _ = write!(about, ", {outlets} outlets");
        }
        let about = about.replace(char::is_control, " ");
        // Writing to a String cannot fail.
        let about = about.trim_end();
        let _ = writeln!(text, "# {about}\n[[pdu]]\nname = {}", quoted(name));
        let host = address(&Host::Ip(found.addr));
        let _ = writeln!(text, "address = {}", quoted(&host));
        match &found.credentials {
            Credentials::Community(version, community) => {
                if *version == Version::V1 {
                    text.push_str("version = \"1\"\n");
                }
                if &**community.expose() != "public" {
                    let _ = writeln!(text, "community = {}", quoted(community.expose()));
                }
            }
            Credentials::Usm(_) => {
                let user = user.map(user_table).unwrap_or_default();
                let _ = writeln!(text, "snmp_v3 = {{ {user} }}");
            }
        }
        text.push('\n');
    }
    text
}

/// The user as the configuration writes it, with the files that hold the passwords.
fn user_table(user: &UserOptions) -> String {
    let context = Some(&user.context).filter(|context| !context.is_empty());
    let members = [
        ("user", Some(&user.user)),
        ("level", user.level.as_ref()),
        ("auth", user.auth.as_ref()),
        ("auth_password_file", user.auth_password_file.as_ref()),
        ("priv", user.privacy.as_ref()),
        ("priv_password_file", user.priv_password_file.as_ref()),
        ("context", context),
    ];
    let given = members
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key} = {}", quoted(value?))));
    given.collect::<Vec<_>>().join(", ")
}

/// A name for each that the configuration takes: sysName, with the address where several have the same or none.
fn names(found: &[Found]) -> Vec<String> {
    let wished: Vec<String> = found.iter().map(|found| printable(&found.name)).collect();
    let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &wished {
        *uses.entry(name).or_default() += 1;
    }
    let mut taken = BTreeSet::new();
    let mut names = Vec::with_capacity(found.len());
    for (name, found) in wished.iter().zip(found) {
        let addr = found.addr.ip().to_string();
        let mut chosen = match (name.is_empty(), uses.get(&**name)) {
            (true, _) => addr.clone(),
            (false, Some(1)) => name.clone(),
            (false, _) => {
                let room = MAX_NAME - addr.chars().count() - 1;
                format!("{}-{addr}", name.chars().take(room).collect::<String>())
            }
        };
        // A device may be named as another one's address.
        while !taken.insert(chosen.clone()) {
            chosen = format!("{addr} {}", names.len() + 1);
        }
        names.push(chosen);
    }
    names
}

fn printable(name: &str) -> String {
    let visible = name
        .trim()
        .chars()
        .filter(|ch| !ch.is_control() && !is_invisible(*ch));
    let name: String = visible.take(MAX_NAME).collect();
    name.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_core::config::{Environment, parse};
    use rackwarden_core::pdu::{Identified, Kind, Plan, Reading};
    use rackwarden_core::plugins::PLUGINS;
    use rackwarden_core::plugins::power;

    fn found(addr: &str, name: &str, credentials: Credentials) -> Found {
        Found {
            addr: addr.parse().expect("an address"),
            credentials,
            name: name.into(),
            identified: Identified {
                profile: None,
                why: None,
                vendor: Some("APC".into()),
                model: Some("AP\u{7}8858\n".into()),
                sys_object_id: None,
                sys_descr: None,
                kind: Kind::Full,
                plan: Plan::default(),
                described_by: Box::default(),
                reading: Reading::default(),
                note: None,
            },
        }
    }

    #[test]
    fn tables_are_what_the_configuration_takes() {
        let old = Credentials::Community(
            Version::V1,
            rackwarden_core::secret::Secret::new("se\"cret".into()),
        );
        let public = || Credentials::community("public");
        let found = [
            found("10.0.0.1:161", "rack 3\u{202e} \"a\"\n", public()),
            found("10.0.0.2:161", "pdu", public()),
            found("10.0.0.3:161", "pdu", old),
            found("10.0.0.4:161", "", public()),
            found("10.0.0.5:161", "10.0.0.4", public()),
            found("10.0.0.6:1161", &"long ".repeat(40), public()),
            found("[fd00::7]:161", "v6", public()),
        ];
        let text = tables(&found, None);
        let config =
            parse::parse(&text, "found.toml", &Environment::bare(), PLUGINS).expect("no errors");
        let told: Vec<String> = power::settings(&config)
            .pdus
            .iter()
            .map(|pdu| format!("{} {}", pdu.name, address(&pdu.host)))
            .collect();
        let long = "long ".repeat(40);
        assert_eq!(
            told,
            [
                "rack 3 \"a\" 10.0.0.1".to_owned(),
                "pdu-10.0.0.2 10.0.0.2".into(),
                "pdu-10.0.0.3 10.0.0.3".into(),
                "10.0.0.4 10.0.0.4".into(),
                "10.0.0.5 5 10.0.0.5".into(),
                format!("{} 10.0.0.6:1161", &long[..64].trim()),
                "v6 fd00::7".into(),
            ]
        );
        assert_eq!(
            power::settings(&config).pdus[2].credentials.version(),
            Version::V1
        );
        assert_eq!(
            power::settings(&config).pdus[2].credentials.secrets(),
            ["se\"cret"]
        );
        assert!(text.starts_with("# APC, AP 8858\n[[pdu]]\n"), "{text}");
    }
}
