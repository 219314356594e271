//! Causes of alerts about power: a device that does not answer leaves its limits and sums without values, and the
//! machine's own uplink may be why it does not answer.

use super::excess::Subject;
use crate::alert::{Alerts, Causes};
use crate::config::Config;
use crate::plugins::power::Host;
use crate::plugins::power::settings;
use crate::small::SmallMap;
use std::net::IpAddr;
use std::sync::Arc;

const UNREACHABLE: &str = "power.unreachable";

/// What explains that the devices of each network do not answer, made when the first of them does not. `None` is those
/// whose address is a name.
#[derive(Debug, Default)]
pub(super) struct Networks(SmallMap<Option<Network>, Arc<Causes>>);

/// IPv4 /24, IPv6 /64.
type Network = (bool, [u8; 8]);

impl Networks {
    /// The uplink, as long as nobody else of the device's network answers; nothing on this machine.
    pub(super) fn causes(&mut self, config: &Config, index: u32) -> Option<Arc<Causes>> {
        let network = match &settings(config).pdus.get(index as usize)?.host {
            Host::Ip(addr) if addr.ip().is_loopback() => return None,
            Host::Ip(addr) => Some(network(addr.ip())),
            Host::Name(..) => None,
        };
        if self.0.is_empty() {
            self.fill(config);
        }
        self.0.get(&network).cloned()
    }

    fn fill(&mut self, config: &Config) {
        let mut members: SmallMap<Option<Network>, Vec<Arc<str>>> = SmallMap::new();
        members.entry(None).or_default();
        for pdu in &settings(config).pdus {
            if let Host::Ip(addr) = pdu.host {
                let all = members.entry(Some(network(addr.ip()))).or_default();
                all.push(Arc::clone(&pdu.name));
            }
        }
        let causes = |things: Vec<Arc<str>>| Causes {
            hidden_by: Alerts::one("monitor.uplink", "host"),
            only_with: Alerts {
                rule: UNREACHABLE,
                things: things.into(),
            },
            settle: settings(config).interval,
            ..Causes::default()
        };
        let all = members.into_iter();
        self.0 = all
            .map(|(network, things)| (network, Arc::new(causes(things))))
            .collect();
    }
}

/// Why there is no value of a limit: the device, or a member of the sum, does not answer.
pub(super) fn of_limit(config: &Config, subject: Subject) -> Arc<Causes> {
    let name = |index: &u32| {
        Some(Arc::clone(
            &settings(config).pdus.get(*index as usize)?.name,
        ))
    };
    let team = |index: u32| settings(config).teams.get(index as usize);
    let things: Vec<Arc<str>> = match subject {
        Subject::Pdu(index) => name(&index).into_iter().collect(),
        Subject::Team(index) => team(index).map_or(Vec::new(), |team| {
            team.members.iter().filter_map(name).collect()
        }),
        Subject::Site => settings(config)
            .pdus
            .iter()
            .map(|pdu| Arc::clone(&pdu.name))
            .collect(),
    };
    Arc::new(Causes {
        blinded_by: Alerts {
            rule: UNREACHABLE,
            things: things.into(),
        },
        ..Causes::default()
    })
}

fn network(ip: IpAddr) -> Network {
    let mut bytes = [0; 8];
    match ip {
        IpAddr::V4(ip) => bytes[..3].copy_from_slice(&ip.octets()[..3]),
        IpAddr::V6(ip) => bytes.copy_from_slice(&ip.octets()[..8]),
    }
    (ip.is_ipv6(), bytes)
}
