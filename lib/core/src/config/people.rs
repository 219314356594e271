//! Reads `[access]` and `[notify]`: who may do what, and who is told when.

use super::environment::Environment;
use super::reader::{Item, Reader};
use super::{AccessConfig, Config, GrantConfig, NotifyConfig, RouteConfig, units};
use crate::alert::Severity;
use crate::chat::place::forms;
use crate::chat::{Person, Place, Role};
use crate::time::{Wall, Zone};
use std::time::Duration;

/// The zone of everything that is told, read first because dates in other sections are in it.
pub(super) fn zone(config: &mut Config, notify: Option<&mut Reader<'_>>, env: &Environment) {
    config.notify.timezone = env.zone.clone();
    let Some(item) = notify.and_then(|reader| reader.get("timezone")) else {
        return;
    };
    let Some(name) = item.line() else { return };
    match Zone::named(name) {
        Ok(zone) => {
            config.notify.timezone = zone;
            config.notify.timezone_name = Some(name.to_owned());
        }
        Err(_) => item.error(format!(
            "`{name}` is not a known zone; write one such as Europe/Berlin"
        )),
    }
}

pub(super) fn access(mut reader: Reader<'_>, zone: &Zone) -> AccessConfig {
    let mut access = AccessConfig::default();
    for item in reader
        .get("owners")
        .map(|item| item.items())
        .unwrap_or_default()
    {
        match item.read(str::parse::<Person>) {
            Some(owner) if owner.is_group() => {
                item.error("is a group; owners are single people, such as telegram:424242424");
            }
            Some(owner) if access.owners.contains(&owner) => item.error("stands here twice"),
            Some(owner) => access.owners.push(owner),
            None => {}
        }
    }
    for grant in reader.tables("grant") {
        access.grants.extend(self::grant(grant, zone));
    }
    let people = access.owners.iter();
    let people = people.chain(access.grants.iter().map(|grant| &grant.who));
    for title in Person::out_of_reach(people) {
        reader.warn(format!(
            "[access]: grants to people of {title} are kept, but this version does not speak with them yet"
        ));
    }
    let lasting = |grant: &GrantConfig| grant.role.is_some() && grant.until.is_none();
    for (index, grant) in access
        .grants
        .iter()
        .enumerate()
        .filter(|(_, grant)| lasting(grant))
    {
        let mut before = access.grants[..index].iter().filter(|grant| lasting(grant));
        if access.owners.contains(&grant.who) || before.any(|other| other.who == grant.who) {
            reader.warn(format!(
                "[access]: {} has more than one role; the highest counts",
                grant.who
            ));
        }
    }
    reader.finish();
    access
}

fn grant(mut reader: Reader<'_>, zone: &Zone) -> Option<GrantConfig> {
    let who = reader
        .need("who", "\"telegram:USER\"")
        .and_then(|item| item.read(str::parse::<Person>));
    let role_item = reader.get("role");
    let role = role_item.as_ref().and_then(|item| item.read(role));
    let is_group = who.as_ref().is_some_and(Person::is_group);
    if let (true, Some(Role::Owner), Some(item)) = (is_group, role, &role_item) {
        item.error("a group is never more than operator; name single people as owners");
    }
    let allow_item = reader.get("allow");
    let deny_item = reader.get("deny");
    if role_item.is_none() && allow_item.is_none() && deny_item.is_none() {
        reader.error("grants nothing; write role = \"viewer\" or allow = [\"power.reset:alpha\"]");
    }
    let until = reader
        .get("until")
        .and_then(|item| item.read(|text| date(text, zone)));
    reader.finish();
    Some(GrantConfig {
        who: who?,
        role,
        allow: patterns(allow_item.as_ref()),
        deny: patterns(deny_item.as_ref()),
        until,
    })
}

fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| "is not a role; write viewer, operator or owner".to_owned())
}

fn patterns(item: Option<&Item<'_>>) -> Vec<String> {
    let items = item.map(Item::items).unwrap_or_default();
    items.iter().filter_map(|item| item.read(pattern)).collect()
}

/// `action:target`, each with `*` for anything.
fn pattern(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some((action, target))
            if !action.is_empty()
                && !target.is_empty()
                && !action.contains(char::is_whitespace)
                && !text.contains(char::is_control) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(
            "is not an action and its target; write power.reset:alpha or power.reset:*".to_owned(),
        ),
    }
}

/// A day (its beginning in the zone) or a moment in RFC 3339.
fn date(text: &str, zone: &Zone) -> Result<Wall, String> {
    Wall::parse(text, zone).ok_or_else(|| "is not a date; write \"2027-01-01\"".to_owned())
}

pub(super) fn notify(config: &mut NotifyConfig, mut reader: Reader<'_>) {
    if let Some(item) = reader.get("to") {
        config.to = addresses(&item);
    }
    shared(config, &mut reader);
    for route in reader.tables("route") {
        config.routes.extend(self::route(route));
    }
    reader.finish();
}

/// The keys that `[notify]` and `[monitor.notifications]` have in common.
pub fn shared(config: &mut NotifyConfig, reader: &mut Reader<'_>) {
    if let Some(item) = reader.get("quiet_hours") {
        config.quiet_hours = item.read(quiet_hours);
    }
    if let Some(most) = reader
        .get("max_notifications")
        .and_then(|item| item.integer(1, 1000))
    {
        config.max_notifications = most;
    }
    if let Some(span) = reader
        .get("reset_after")
        .and_then(|item| item.read(long_enough))
    {
        config.reset_after = span;
    }
    if let Some(mut repeat) = reader.table("repeat") {
        let mut interval = |key, default| match repeat.get(key) {
            Some(item) => item.read(reminder).unwrap_or(default),
            None => default,
        };
        config.repeat.critical = interval("critical", config.repeat.critical);
        config.repeat.warning = interval("warning", config.repeat.warning);
        config.repeat.info = interval("info", config.repeat.info);
        repeat.finish();
    }
}

/// An audience. Callers of the local socket and the terminal of `demo` are asked from, not sent to.
pub fn addresses(item: &Item<'_>) -> Vec<Place> {
    let mut list = Vec::new();
    for item in item.items() {
        match item.read(str::parse::<Place>) {
            Some(place) if !place.service().is_audience => {
                item.error(format!("cannot be sent to; write {}", forms(false)));
            }
            Some(address) if list.contains(&address) => item.error("stands here twice"),
            Some(address) => list.push(address),
            None => {}
        }
    }
    list
}

fn route(mut reader: Reader<'_>) -> Option<RouteConfig> {
    let severity = reader.get("severity").and_then(|item| item.read(severity));
    let alert = reader
        .get("alert")
        .and_then(|item| item.line().map(str::to_owned));
    let to = reader.need("to", "[\"telegram:CHAT\"]");
    reader.finish();
    Some(RouteConfig {
        severity,
        alert,
        to: addresses(&to?),
    })
}

/// A severity by its name.
pub fn severity(text: &str) -> Result<Severity, String> {
    [Severity::Info, Severity::Warning, Severity::Critical]
        .into_iter()
        .find(|severity| severity.name() == text)
        .ok_or_else(|| "is not a severity; write info, warning or critical".to_owned())
}

fn quiet_hours(text: &str) -> Result<(u16, u16), String> {
    let minutes = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let pair = text
        .split_once('-')
        .and_then(|(from, to)| Some((minutes(from)?, minutes(to)?)));
    match pair {
        Some((from, to)) if from == to => Err("begins and ends at the same time".to_owned()),
        Some(pair) => Ok(pair),
        None => Err("is not a span of the day; write \"22:00-07:00\"".to_owned()),
    }
}

fn reminder(text: &str) -> Result<Option<Duration>, String> {
    match text {
        "off" => Ok(None),
        text => long_enough(text).map(Some),
    }
}

fn long_enough(text: &str) -> Result<Duration, String> {
    match units::duration(text)? {
        span if span < Duration::from_secs(1) => Err("is below 1s".to_owned()),
        span => Ok(span),
    }
}
