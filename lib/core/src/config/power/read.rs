//! Reads `[power]`, `[[pdu]]` and `[[team]]`: what is polled, how often, and which limits hold.

use super::user::Users;
use super::{Host, Limit, Limits, PduConfig, Settings, TeamConfig};
use crate::config::parse::{between, name};
use crate::config::reader::{Item, Reader};
use crate::config::{Scope, Tables, units};
use crate::pdu::read as profile;
use crate::secret::Secret;
use crate::small::{SmallMap, SmallSet};
use crate::snmp::{Credentials, Usm, Version};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

const SNMP_PORT: u16 = 161;

/// Reads all tables.
pub(super) fn read(tables: &mut Tables<'_, '_>) -> Settings {
    let own = tables.tables("profile").into_iter();
    let own: Vec<_> = own.filter_map(profile::table).collect();
    let mut settings = Settings::default();
    settings.profiles = settings.profiles.with(own);
    settings.written.profiles = tables.written("profile");
    let power = tables.table("power");
    let mut builder = Builder::new(settings, tables.scope, power);
    tables.each("pdu", |reader| builder.pdu(reader));
    for reader in tables.tables("team") {
        builder.team(reader);
    }
    builder.finish()
}

/// Collects PDUs and teams.
struct Builder<'a> {
    settings: Settings,
    scope: &'a Scope<'a>,
    clearing: Clearing,
    /// Every PDU name.
    pdus: SmallSet<Arc<str>>,
    /// Teams by name, with their index in the order of mention in this run.
    teams: SmallMap<Arc<str>, usize>,
    drafts: Vec<Draft>,
    /// Communities that were seen, so that ten thousand equal ones are one string.
    communities: SmallSet<Arc<str>>,
    users: Users,
}

/// A team that is not complete yet.
struct Draft {
    at: usize,
    team: TeamConfig,
    is_declared: bool,
}

/// How the value at which a limit ends follows from the limit.
#[derive(Clone, Copy)]
enum Clearing {
    /// A share of the limit.
    Ratio(f64),
    /// The same for every PDU and team.
    Fixed(f64),
}

impl Clearing {
    /// 3 % below the limit.
    const DEFAULT: Clearing = Clearing::Ratio(0.97);

    fn off_w(self, on_w: f64) -> f64 {
        match self {
            Clearing::Ratio(ratio) => (on_w * ratio * 1e3).round() / 1e3,
            Clearing::Fixed(off_w) => off_w,
        }
    }
}

impl<'a> Builder<'a> {
    fn new(
        mut settings: Settings,
        scope: &'a Scope<'a>,
        reader: Option<Reader<'_>>,
    ) -> Builder<'a> {
        let clearing = match reader {
            Some(reader) => {
                settings.written.has_power_table = true;
                power(&mut settings, scope, reader)
            }
            None => Clearing::DEFAULT,
        };
        Builder {
            settings,
            scope,
            clearing,
            pdus: SmallSet::new(),
            teams: SmallMap::new(),
            drafts: Vec::new(),
            communities: SmallSet::new(),
            users: Users::default(),
        }
    }

    /// The name of a profile; `None` in it stands for `auto`.
    fn profile(&self, item: &Item<'_>) -> Option<Option<Arc<str>>> {
        let text = item.line()?;
        if text == "auto" {
            return Some(None);
        }
        let profiles = &self.settings.profiles;
        let known = || profiles.iter().map(|source| &*source.head().name);
        if known().all(|known| known != text) {
            item.unknown(
                "unknown profile; `rackwarden profiles` lists them",
                text,
                known(),
            );
            return None;
        }
        Some(Some(text.into()))
    }

    /// Takes one `[[pdu]]`.
    fn pdu(&mut self, mut reader: Reader<'_>) {
        let name = reader
            .need("name", "\"alpha\"")
            .and_then(|item| self.pdu_name(&item));
        let host = reader
            .need("address", "\"192.168.1.101\"")
            .and_then(|item| item.read(host));
        let team = reader.get("team").and_then(|item| self.team_of(&item));
        let limit = reader.get("limit");
        let limits = limit
            .as_ref()
            .and_then(|item| pdu_limits(item, self.clearing));
        let inherited = match self.settings.written.limit {
            Some(limits) => PduLimits::Set(limits),
            None => PduLimits::OfDevice,
        };
        let (limits, device_limit) = match limits.unwrap_or(inherited) {
            PduLimits::Set(limits) => (limits, false),
            PduLimits::OfDevice => (Limits::default(), true),
        };
        let unit = reader.get("unit").and_then(|item| item.integer(0, 255));
        let profile = reader
            .get("profile")
            .and_then(|item| self.profile(&item))
            .flatten();
        let any_source = reader.bool("any_source", false);
        let index = self.settings.pdus.len();
        let credentials = self.credentials(&mut reader, index);
        let write = self.write_credentials(&mut reader, index, &credentials);
        reader.finish();
        let (Some(name), Some(host)) = (name, host) else {
            return;
        };
        if let Some(draft) = team.and_then(|team| self.drafts.get_mut(team)) {
            draft.team.members.push(index_u32(index));
        }
        self.settings.pdus.push(PduConfig {
            name,
            host,
            credentials,
            write,
            profile,
            limits,
            device_limit,
            team: team.map(index_u32),
            unit: unit.and_then(|unit| u16::try_from(unit).ok()),
            any_source,
        });
    }

    /// As whom a PDU is read. What `version` says goes first, then SNMPv3 before a community: it is never asked in a
    /// weaker way than the file allows.
    fn credentials(&mut self, reader: &mut Reader<'_>, index: usize) -> Credentials {
        let community = reader
            .get("community")
            .and_then(|item| self.community(&item));
        let version = reader.get("version").map(|item| item.read(version_of));
        let v3 = reader.get("snmp_v3");
        let has_v3 = v3.is_some();
        let user = v3.and_then(|item| self.user("snmp_v3", &item, index));
        let version = match version {
            Some(Some(None)) if !has_v3 => {
                reader.error(
                    "has version = \"3\" without credentials; write snmp_v3 = { user = \"…\", … }",
                );
                None
            }
            Some(Some(Some(_))) if has_v3 => {
                reader.error("has snmp_v3 and another version; write version = \"3\", or write_v3");
                None
            }
            Some(Some(version)) => version,
            Some(None) | None if has_v3 => None,
            Some(None) | None => Some(Version::V2c),
        };
        match (version, user) {
            (None, Some(user)) => Credentials::Usm(user),
            (version, _) => {
                let community = community.unwrap_or_else(|| self.public());
                Credentials::Community(version.unwrap_or(Version::V2c), community)
            }
        }
    }

    /// As whom it is written to.
    fn write_credentials(
        &mut self,
        reader: &mut Reader<'_>,
        index: usize,
        read: &Credentials,
    ) -> Option<Credentials> {
        let community = reader
            .get("write_community")
            .and_then(|item| self.community(&item));
        let v3 = reader.get("write_v3");
        if let (Some(_), Some(item)) = (&community, &v3) {
            item.error("stands beside write_community; give one of them");
        }
        let user = v3.and_then(|item| self.user("write_v3", &item, index));
        match (user, community) {
            (Some(user), _) => Some(Credentials::Usm(user)),
            (None, Some(community)) => Some(Credentials::Community(read.version(), community)),
            (None, None) => None,
        }
    }

    fn user(&mut self, key: &str, item: &Item<'_>, index: usize) -> Option<Arc<Usm>> {
        let (user, line) = self.users.read(key, item.table()?, self.scope);
        *self.settings.written.v3.entry(index).or_default() += &line;
        user
    }

    fn public(&self) -> Secret<Arc<str>> {
        let known = self.communities.get("public");
        Secret::new(known.cloned().unwrap_or("public".into()))
    }

    fn pdu_name(&mut self, item: &Item<'_>) -> Option<Arc<str>> {
        let name: Arc<str> = name(item)?.into();
        if !self.pdus.insert(name.clone()) {
            item.error(format!("`{name}` is the name of another PDU"));
        }
        Some(name)
    }

    fn community(&mut self, item: &Item<'_>) -> Option<Secret<Arc<str>>> {
        let text = item.line()?;
        if let Some(known) = self.communities.get(text) {
            return Some(Secret::new(known.clone()));
        }
        let community: Arc<str> = text.into();
        self.communities.insert(community.clone());
        Some(Secret::new(community))
    }

    /// The team that a PDU names, made when nobody has mentioned it.
    fn team_of(&mut self, item: &Item<'_>) -> Option<usize> {
        let text = item.line()?;
        if let Some(index) = self.teams.get(text) {
            return Some(*index);
        }
        name(item).map(|name| self.draft(name, item.at))
    }

    fn draft(&mut self, name: String, at: usize) -> usize {
        let name: Arc<str> = name.into();
        let index = self.drafts.len();
        self.teams.insert(name.clone(), index);
        self.drafts.push(Draft {
            at,
            team: TeamConfig {
                name,
                limits: self.settings.written.limit.unwrap_or_default(),
                members: Vec::new(),
            },
            is_declared: false,
        });
        index
    }

    /// Takes one `[[team]]`.
    fn team(&mut self, mut reader: Reader<'_>) {
        let item = reader.need("name", "\"Team Alpha\"");
        let limits = reader
            .get("limit")
            .and_then(|item| limits(&item, self.clearing));
        reader.finish();
        let Some(item) = item else { return };
        let Some(name) = name(&item) else { return };
        if self.pdus.contains(name.as_str()) {
            item.error(format!("`{name}` is the name of a PDU"));
        }
        let index = match self.teams.get(name.as_str()) {
            Some(index) => *index,
            None => self.draft(name.clone(), item.at),
        };
        let Some(draft) = self.drafts.get_mut(index) else {
            return;
        };
        if std::mem::replace(&mut draft.is_declared, true) {
            item.error(format!("`{name}` is the name of another team"));
        }
        draft.at = draft.at.min(item.at);
        if let Some(limits) = limits {
            draft.team.limits = limits;
        }
    }

    /// Puts the teams into the order of the file.
    fn finish(mut self) -> Settings {
        let mut order: Vec<usize> = (0..self.drafts.len()).collect();
        crate::small::sort_by_key(&mut order, |index| {
            self.drafts.get(*index).map(|draft| draft.at)
        });
        let mut place = vec![0; order.len()];
        for (to, from) in order.into_iter().enumerate() {
            if let Some(slot) = place.get_mut(from) {
                *slot = index_u32(to);
            }
        }
        for pdu in &mut self.settings.pdus {
            pdu.team = pdu.team.and_then(|team| place.get(team as usize).copied());
        }
        crate::small::sort_by_key(&mut self.drafts, |draft| draft.at);
        let drafts = std::mem::take(&mut self.drafts);
        self.settings.teams = drafts.into_iter().map(|draft| draft.team).collect();
        self.settings
    }
}

/// A file of 4 GiB does not fit into memory on the machines in question, so neither do more indices.
fn index_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn power(settings: &mut Settings, scope: &Scope<'_>, mut reader: Reader<'_>) -> Clearing {
    let interval = reader
        .get("interval")
        .and_then(|item| item.read(|text| between(text, "100ms", "1h")));
    settings.interval = interval.unwrap_or(settings.interval);
    let retries_item = reader.get("retries");
    let retries = retries_item.as_ref().and_then(|item| item.integer(0, 10));
    settings.retries = retries
        .and_then(|retries| u8::try_from(retries).ok())
        .unwrap_or(settings.retries);
    let tries = u32::from(settings.retries) + 1;
    let timeout_item = reader.get("timeout");
    let timeout = timeout_item
        .as_ref()
        .and_then(|item| item.read(|text| between(text, "1ms", "1h")));
    // The default fits all tries into nine tenths of the interval, the time in which an answer counts.
    settings.timeout = timeout.unwrap_or(settings.timeout.min(settings.interval * 9 / 10 / tries));
    if let Some(item) = timeout_item.or(retries_item) {
        if settings.timeout * tries > settings.interval {
            item.error(format!(
                "{tries} tries of {} take longer than the interval of {}; make one of them smaller",
                units::format_duration(settings.timeout),
                units::format_duration(settings.interval)
            ));
        }
    }
    let unreachable_item = reader.get("unreachable_after");
    let unreachable = unreachable_item
        .as_ref()
        .and_then(|item| item.read(|text| between(text, "1ms", "7d")));
    settings.unreachable_after =
        unreachable.unwrap_or(settings.unreachable_after.max(settings.interval * 3));
    if let Some(item) = unreachable_item {
        if settings.unreachable_after < settings.interval {
            item.error(
                "is shorter than the interval; every device would be unreachable between two polls",
            );
        }
    }
    if let Some(item) = reader.get("profiles") {
        profiles(settings, scope, &item);
    }
    settings.energy_price = reader
        .get("energy_price")
        .and_then(|item| item.read(units::energy_price));
    let limit = reader.get("limit");
    let clear = reader.get("clear");
    let clearing = clearing(limit.as_ref(), clear.as_ref());
    settings.written.limit = limit.and_then(|item| limits(&item, clearing));
    if let Some(site) = reader
        .get("site_limit")
        .and_then(|item| limits(&item, Clearing::DEFAULT))
    {
        settings.site = site;
    }
    reader.finish();
    clearing
}

/// Reads every profile of a folder.
fn profiles(settings: &mut Settings, scope: &Scope<'_>, item: &Item<'_>) {
    let Some(folder) = scope.path(item) else {
        return;
    };
    let mut files = match (scope.env.list_folder)(&folder) {
        Ok(files) => files,
        Err(why) => return item.error(format!("cannot read {}: {why}", folder.display())),
    };
    files.retain(|file| file.extension().is_some_and(|end| end == "toml"));
    crate::small::sort_by_key(&mut files, Clone::clone);
    let mut found = Vec::new();
    for file in files {
        let shown = file.display().to_string();
        match (scope.env.read_file)(&file) {
            Ok(read) => match profile::file(read.content.expose(), &shown) {
                Ok(source) => found.push(source),
                Err(errors) => errors
                    .iter()
                    .for_each(|error| item.error(error.to_string())),
            },
            Err(why) => item.error(format!("cannot read {shown}: {why}")),
        }
    }
    settings.profiles = settings.profiles.with(found);
    settings.written.folder = Some(folder);
}

/// `clear` belongs to the hard `limit` beside it; other limits end at the same share of themselves. Without a `limit`
/// beside it, it is the end of every limit.
fn clearing(limit: Option<&Item<'_>>, clear: Option<&Item<'_>>) -> Clearing {
    let Some(item) = clear else {
        return Clearing::DEFAULT;
    };
    let Some(off_w) = item.read(units::power_w) else {
        return Clearing::DEFAULT;
    };
    let limits = limit.and_then(|limit| limits(limit, Clearing::DEFAULT));
    match limits.and_then(|limits| limits.hard) {
        Some(hard) if off_w >= hard.on_w => {
            let on = units::format_power(hard.on_w);
            item.error(format!("is not below the limit of {on}"));
            Clearing::DEFAULT
        }
        Some(hard) => Clearing::Ratio(off_w / hard.on_w),
        None => Clearing::Fixed(off_w),
    }
}

/// `"3 kW"` (hard), `{ soft = "10 kW", hard = "17 kW" }` or `"off"`. In a table, `soft_clear` and `hard_clear` say where each ends.
fn limits(item: &Item<'_>, clearing: Clearing) -> Option<Limits> {
    if !item.is_table() {
        let hard = match item.read(limit_w)? {
            Some(on_w) => Some(ending(item, on_w, clearing.off_w(on_w))?),
            None => None,
        };
        return Some(Limits { soft: None, hard });
    }
    let mut reader = item.table()?;
    let soft = one_limit(&mut reader, "soft", "soft_clear", clearing);
    let hard = one_limit(&mut reader, "hard", "hard_clear", clearing);
    if soft.is_none() && hard.is_none() {
        item.error("has no limit; write { soft = \"10 kW\", hard = \"17 kW\" }");
    }
    if let (Some(soft), Some(hard)) = (soft, hard) {
        if soft.on_w >= hard.on_w {
            item.error("has a soft limit that is not below the hard one");
        }
    }
    reader.finish();
    Some(Limits { soft, hard })
}

/// What a PDU's own `limit` says.
enum PduLimits {
    Set(Limits),
    /// The threshold that the device itself has.
    OfDevice,
}

/// The same, or `"device"`.
fn pdu_limits(item: &Item<'_>, clearing: Clearing) -> Option<PduLimits> {
    if item.is_table() {
        return limits(item, clearing).map(PduLimits::Set);
    }
    let hard = item.read(|text| match text {
        "device" => Ok(None),
        text => limit_w(text).map(Some),
    })?;
    Some(match hard {
        None => PduLimits::OfDevice,
        Some(None) => PduLimits::Set(Limits::default()),
        Some(Some(on_w)) => PduLimits::Set(Limits {
            soft: None,
            hard: Some(ending(item, on_w, clearing.off_w(on_w))?),
        }),
    })
}

fn one_limit(
    reader: &mut Reader<'_>,
    key: &'static str,
    clear_key: &'static str,
    clearing: Clearing,
) -> Option<Limit> {
    let item = reader.get(key);
    let clear = reader.get(clear_key);
    let item = item?;
    let on_w = item.read(limit_w)??;
    let off_w = match clear.and_then(|item| item.read(units::power_w)) {
        Some(off_w) => off_w,
        None => clearing.off_w(on_w),
    };
    ending(&item, on_w, off_w)
}

fn ending(item: &Item<'_>, on_w: f64, off_w: f64) -> Option<Limit> {
    if off_w < on_w {
        return Some(Limit { on_w, off_w });
    }
    item.error(format!(
        "is not above the {} at which it ends",
        units::format_power(off_w)
    ));
    None
}

fn limit_w(text: &str) -> Result<Option<f64>, String> {
    match text {
        "off" => Ok(None),
        text => match units::power_w(text)? {
            watts if watts > 0.0 => Ok(Some(watts)),
            _ => Err("is zero; write \"off\" for no limit".to_owned()),
        },
    }
}

fn version_of(text: &str) -> Result<Option<Version>, String> {
    match text {
        "1" => Ok(Some(Version::V1)),
        "2c" => Ok(Some(Version::V2c)),
        "3" => Ok(None),
        _ => Err("is not an SNMP version; write \"1\", \"2c\" or \"3\"".to_owned()),
    }
}

/// `host`, `host:port`, `[v6]:port` or a bare address.
///
/// # Errors
/// Says what is accepted.
pub fn host(text: &str) -> Result<Host, String> {
    let expected = || "is not an address; write HOST, HOST:PORT or [IPV6]:PORT".to_owned();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Host::Ip(SocketAddr::new(ip, SNMP_PORT)));
    }
    if let Some(ip) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let ip = ip.parse::<Ipv6Addr>().map_err(|_| expected())?;
        return Ok(Host::Ip(SocketAddr::new(ip.into(), SNMP_PORT)));
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return match addr.port() {
            0 => Err("has port 0; write a port from 1 to 65535".to_owned()),
            _ => Ok(Host::Ip(addr)),
        };
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => {
            let port = port.parse::<u16>().ok().filter(|port| *port > 0);
            (name, port.ok_or_else(expected)?)
        }
        None => (text, SNMP_PORT),
    };
    if !is_host_name(name) {
        return Err(expected());
    }
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    if last.chars().all(|ch| ch.is_ascii_digit()) && name.parse::<Ipv4Addr>().is_err() {
        return Err("is not an IPv4 address; write four numbers such as 192.168.1.101".to_owned());
    }
    Ok(Host::Name(name.into(), port))
}

/// RFC 1123, and underscores, which are met in the field.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|ch| ch.is_ascii_alphanumeric() || "-_".contains(ch))
    };
    name.len() <= 253 && name.trim_end_matches('.').split('.').all(is_label)
}
