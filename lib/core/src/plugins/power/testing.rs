//! Configurations for the tests of this plugin.

use crate::config::Config;
use crate::plugins::power::{Host, Limits, PduConfig, TeamConfig};
use crate::plugins::power::{settings, settings_mut};
use crate::snmp::Credentials;

/// So many PDUs; with `team_size` above zero they stand in teams of that size.
pub(super) fn config(pdus: usize, team_size: usize) -> Config {
    let names: Vec<(String, String)> = (0..pdus)
        .map(|index| {
            let team = match team_size {
                0 => String::new(),
                size => format!("Team {}", index / size),
            };
            (format!("pdu-{index}"), team)
        })
        .collect();
    let names: Vec<(&str, &str)> = names
        .iter()
        .map(|(name, team)| (name.as_str(), team.as_str()))
        .collect();
    named(&names)
}

/// PDUs by name, each with its team or an empty text for none.
pub(super) fn named(pdus: &[(&str, &str)]) -> Config {
    let mut config = Config::empty();
    for (index, (name, team)) in (0u32..).zip(pdus) {
        let team = (!team.is_empty()).then(|| team_index(&mut config, team));
        if let Some(team) = team {
            settings_mut(&mut config).teams[team as usize]
                .members
                .push(index);
        }
        let addr = std::net::SocketAddr::from(([127, 1, (index >> 8) as u8, index as u8], 161));
        settings_mut(&mut config).pdus.push(PduConfig {
            name: (*name).into(),
            host: Host::Ip(addr),
            credentials: Credentials::community("public"),
            write: None,
            profile: None,
            limits: Limits::default(),
            device_limit: false,
            team,
            unit: None,
            any_source: false,
        });
    }
    config
}

fn team_index(config: &mut Config, name: &str) -> u32 {
    if let Some(known) = settings(config)
        .teams
        .iter()
        .position(|team| *team.name == *name)
    {
        return known as u32;
    }
    settings_mut(config).teams.push(TeamConfig {
        name: name.into(),
        limits: Limits::default(),
        members: Vec::new(),
    });
    settings(config).teams.len() as u32 - 1
}
