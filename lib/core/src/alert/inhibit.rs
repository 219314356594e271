//! Which alert hides which: what only follows from another alert is not told while that one fires. What still fires
//! when the other is over is told then.

use super::book::AlertEntry;
use super::{AlertBook, AlertState};
use crate::config::{Config, Host};
use crate::small::SmallSet;
use std::net::IpAddr;
use std::sync::Arc;

/// The alert that nothing beyond this machine can be reached: no default route, or no carrier. The monitor reports it.
pub const UPLINK: &str = "monitor.uplink:host";

/// While `source` fires, the alerts of the rules `target` are not told.
struct Inhibition {
    source: &'static str,
    target: &'static str,
    things: Things,
}

/// Which things of the target's rules are meant.
#[derive(Clone, Copy, PartialEq)]
enum Things {
    /// All, whatever the source is about. Its name is the full one.
    All,
    /// The parts of the source's thing: `alpha/7` is one of `alpha`.
    Parts,
}

const TABLE: &[Inhibition] = &[
    Inhibition {
        source: UPLINK,
        target: "power.unreachable",
        things: Things::All,
    },
    Inhibition {
        source: "power.unreachable",
        target: "power.",
        things: Things::Parts,
    },
];

/// True when alerts wait for the end of this one.
pub(super) fn is_source(name: &str) -> bool {
    let rule = name.split_once(':').map_or(name, |(rule, _)| rule);
    TABLE
        .iter()
        .any(|row| row.source == name || row.source == rule)
}

/// The alert that hides this one at present.
pub(super) fn inhibitor<'a>(book: &'a AlertBook, name: &str) -> Option<&'a AlertEntry> {
    if book.get(name).is_some_and(|entry| entry.stands_alone) {
        return None;
    }
    let (rule, thing) = name.split_once(':')?;
    TABLE.iter().find_map(|row| {
        let source = match row.things {
            Things::All if rule == row.target => open(book, row.source),
            Things::Parts if rule.starts_with(row.target) => {
                let (whole, _) = thing.rsplit_once('/')?;
                open(book, &format!("{}:{whole}", row.source))
            }
            Things::All | Things::Parts => None,
        };
        source.filter(|source| *source.name != *name)
    })
}

/// Why this alert is hidden, or why nothing is known of it.
pub(crate) fn because(book: &AlertBook, config: &Config, entry: &AlertEntry) -> Option<Arc<str>> {
    let source = inhibitor(book, &entry.name).or_else(|| match entry.state {
        AlertState::Unknown => missing(book, config, &entry.name).map(|silent| {
            let beyond = inhibitor(book, &silent.name);
            beyond.unwrap_or(silent)
        }),
        _ => None,
    })?;
    Some(Arc::clone(&source.name))
}

/// The PDU whose silence leaves a limit of power without a value: the PDU itself, or a member of the sum.
fn missing<'a>(book: &'a AlertBook, config: &Config, name: &str) -> Option<&'a AlertEntry> {
    let (rule, thing) = name.split_once(':')?;
    if !matches!(rule, "power.limit" | "power.soft") {
        return None;
    }
    let silence = |index: &u32| {
        let pdu = config.pdus.get(*index as usize)?;
        open(book, &format!("power.unreachable:{}", pdu.name))
    };
    let team = thing.strip_suffix(" (team)");
    let team = team.and_then(|team| config.teams.iter().find(|one| *one.name == *team));
    match team {
        Some(team) => team.members.iter().find_map(silence),
        None if thing.starts_with("site (") => {
            (0..config.pdus.len() as u32).find_map(|index| silence(&index))
        }
        None => open(book, &format!("power.unreachable:{thing}")),
    }
}

fn open<'a>(book: &'a AlertBook, name: &str) -> Option<&'a AlertEntry> {
    book.get(name).filter(|entry| entry.is_open())
}

/// Of PDUs that do not answer, those whose silence the uplink does not explain: others of their network (IPv4 /24,
/// IPv6 /64) answer, or they are on this machine. Names of their alerts.
pub(super) fn alone(book: &AlertBook, config: &Config) -> SmallSet<Arc<str>> {
    let pdus = || {
        config.pdus.iter().filter_map(|pdu| match pdu.host {
            Host::Ip(addr) => Some((&pdu.name, addr.ip())),
            Host::Name(..) => None,
        })
    };
    let silence = |name: &str| open(book, &format!("power.unreachable:{name}"));
    let answering: SmallSet<Network> = pdus()
        .filter(|(name, _)| silence(name).is_none())
        .map(|(_, ip)| network(ip))
        .collect();
    pdus()
        .filter(|(_, ip)| ip.is_loopback() || answering.contains(&network(*ip)))
        .filter_map(|(name, _)| silence(name))
        .map(|entry| Arc::clone(&entry.name))
        .collect()
}

type Network = (bool, [u8; 8]);

fn network(ip: IpAddr) -> Network {
    let mut bytes = [0; 8];
    match ip {
        IpAddr::V4(ip) => bytes[..3].copy_from_slice(&ip.octets()[..3]),
        IpAddr::V6(ip) => bytes.copy_from_slice(&ip.octets()[..8]),
    }
    (ip.is_ipv6(), bytes)
}
