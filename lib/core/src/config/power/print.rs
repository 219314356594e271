//! Writes the tables of power out in full.

use super::{Host, Limit, Limits, PduConfig, Settings, TeamConfig};
use crate::config::effective::{MASK, Writer};
use crate::config::reader::quoted;
use crate::config::units::{self, EnergyPrice};
use crate::snmp::{Credentials, Version};

pub(super) fn print(settings: &Settings, writer: &mut Writer) {
    power(settings, writer);
    for (index, pdu) in settings.pdus.iter().enumerate() {
        self::pdu(writer, settings, index, pdu);
    }
    for team in &settings.teams {
        self::team(writer, team);
    }
    writer.last(&settings.written.profiles);
}

fn power(power: &Settings, writer: &mut Writer) {
    writer.begin("power");
    for (key, duration) in [
        ("interval", power.interval),
        ("timeout", power.timeout),
        ("unreachable_after", power.unreachable_after),
    ] {
        writer.text(key, Some(&units::format_duration(duration)));
    }
    writer.number("retries", Some(power.retries));
    let folder = power.written.folder.as_deref();
    writer.text("profiles", folder.and_then(|folder| folder.to_str()));
    if let Some(limit) = &power.written.limit {
        writer.raw("limit", &limits(limit));
    }
    writer.raw("site_limit", &limits(&power.site));
    let price = power.energy_price.as_ref();
    writer.text("energy_price", price.map(EnergyPrice::written).as_deref());
}

fn pdu(writer: &mut Writer, settings: &Settings, index: usize, pdu: &PduConfig) {
    writer.begin_element("pdu");
    writer.text("name", Some(&pdu.name));
    let address = match &pdu.host {
        Host::Ip(addr) => addr.to_string(),
        Host::Name(name, port) => format!("{name}:{port}"),
    };
    writer.text("address", Some(&address));
    let version = match pdu.credentials {
        Credentials::Community(Version::V1, _) => "1",
        Credentials::Community(Version::V2c, _) => "2c",
        Credentials::Usm(_) => "3",
    };
    writer.text("version", Some(version));
    let mask = |credentials: &Credentials| match credentials {
        Credentials::Community(..) => Some(MASK),
        Credentials::Usm(_) => None,
    };
    writer.text("community", mask(&pdu.credentials));
    writer.text("write_community", pdu.write.as_ref().and_then(mask));
    if let Some(lines) = settings.written.v3.get(&index) {
        writer.lines(lines);
    }
    writer.text("profile", Some(pdu.profile.as_deref().unwrap_or("auto")));
    match pdu.device_limit {
        true => writer.text("limit", Some("device")),
        false => writer.raw("limit", &limits(&pdu.limits)),
    }
    let team = pdu.team.and_then(|team| settings.teams.get(team as usize));
    writer.text("team", team.map(|team| &*team.name));
    writer.number("unit", pdu.unit);
    writer.raw("any_source", if pdu.any_source { "true" } else { "false" });
}

fn team(writer: &mut Writer, team: &TeamConfig) {
    writer.begin_element("team");
    writer.text("name", Some(&team.name));
    writer.raw("limit", &limits(&team.limits));
}

fn limits(limits: &Limits) -> String {
    let part = |key: &str, limit: Option<Limit>| {
        limit.map(|limit| {
            format!(
                "{key} = {}, {key}_clear = {}",
                quoted(&units::format_power(limit.on_w)),
                quoted(&units::format_power(limit.off_w))
            )
        })
    };
    let parts: Vec<String> = [part("soft", limits.soft), part("hard", limits.hard)]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() {
        quoted("off")
    } else {
        format!("{{ {} }}", parts.join(", "))
    }
}
