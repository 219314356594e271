//! Transports that are not built yet: rights can be granted to their people, so that a configuration can be written
//! before.

use super::transport::{People, Service};

const LATER: Service = Service {
    is_built: false,
    ..Service::NONE
};

pub(super) const DISCORD: Service = Service {
    name: "discord",
    title: "Discord",
    people: &[
        People {
            name: "discord",
            id: number,
            ..People::NONE
        },
        People {
            name: "discord-role",
            id: number,
            is_group: true,
            ..People::NONE
        },
        People {
            name: "discord-channel",
            id: number,
            is_group: true,
            ..People::NONE
        },
    ],
    ..LATER
};

/// Nicks are those of one hub: `hub:main/Ann`.
pub(super) const HUB: Service = Service {
    name: "hub",
    title: "hubs",
    people: &[People {
        name: "hub",
        id: |id| {
            let (hub, nick) = id.split_once('/')?;
            (is_name(hub) && is_name(nick)).then(|| id.to_owned())
        },
        ..People::NONE
    }],
    ..LATER
};

pub(super) const MQTT: Service = Service {
    name: "mqtt",
    title: "MQTT",
    people: &[People {
        name: "mqtt",
        id: |user| is_name(user).then(|| user.to_owned()),
        ..People::NONE
    }],
    ..LATER
};

/// Whoever holds the token of the page.
pub(super) const HTTP: Service = Service {
    name: "http",
    title: "actions on the page",
    people: &[People {
        name: "http",
        id: |id| (id == "token").then(|| id.to_owned()),
        ..People::NONE
    }],
    ..LATER
};

fn number(id: &str) -> Option<String> {
    let number: u64 = id.parse().ok().filter(|id| *id > 0)?;
    Some(number.to_string())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|ch: char| ch.is_whitespace() || ch.is_control())
}
