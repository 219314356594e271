//! Reads a device profile: what stands in a `[[profile]]` of the configuration, or alone in a file. The keys are
//! those of `docs/profiles.md`.

mod rest;

use crate::Source;
use crate::profile::{Few, Head, Model, Profile, absolute};
use rackwarden_base::problem::{ConfigError, Kind, Problems};
use rackwarden_base::reader::{Item, Part as Place, Reader};
use rackwarden_snmp::Oid;
use rest::read_rest;
use std::sync::Arc;
use toml::de::DeTable;

/// Most objects in one request, where a profile says nothing.
const MAX_OIDS: u32 = 20;

/// Reads what recognises the family, the keys before the first table.
///
/// # Errors
/// Everything that is wrong, `file` before the line.
pub(crate) fn head(text: &str, file: &str) -> Result<Head, Vec<ConfigError>> {
    read(text, file, |mut reader| {
        let head = read_head(&mut reader);
        reader.finish();
        head
    })
}

/// Reads a profile that stands alone, for one of its bases.
///
/// # Errors
/// Everything that is wrong, `file` before the line.
pub(crate) fn profile(
    text: &str,
    file: &str,
    base: &str,
) -> Result<Arc<Profile>, Vec<ConfigError>> {
    read(text, file, |mut reader| {
        let head = Arc::new(read_head(&mut reader)?);
        Some(Arc::new(read_rest(reader, head, base)))
    })
}

/// Reads a profile that is like another one but for its head.
///
/// # Errors
/// Everything that is wrong in the other one.
pub(crate) fn profile_like(
    head: Arc<Head>,
    text: &str,
    base: &str,
) -> Result<Arc<Profile>, Vec<ConfigError>> {
    read(text, "profile", |mut reader| {
        let _ = read_head(&mut reader);
        Some(Arc::new(read_rest(reader, head, base)))
    })
}

/// Reads a file with one profile.
///
/// # Errors
/// Everything that is wrong, `file` before the line.
pub fn file(text: &str, file: &str) -> Result<Arc<Source>, Vec<ConfigError>> {
    let head = read(text, file, |mut reader| read_head(&mut reader))?;
    let source = Source::new(head, Some(text.into()));
    let base = source
        .head()
        .bases
        .first()
        .map_or("", |base| base)
        .replace('*', "1");
    profile(text, file, &base)?;
    Ok(Arc::new(source))
}

/// Reads a `[[profile]]` of the configuration.
pub fn table(mut reader: Reader<'_>) -> Option<Arc<Source>> {
    let head = read_head(&mut reader)?;
    if head.bases.iter().any(|base| base.contains('*')) {
        reader.error("has a base with `*`; such a profile stands in a file of its own");
        return None;
    }
    let source = Source::new(head, None);
    for base in &source.head().bases {
        let profile = read_rest(reader.again(), Arc::clone(source.head()), base);
        source.keep(base, Arc::new(profile));
    }
    Some(Arc::new(source))
}

fn read<T>(
    text: &str,
    file: &str,
    read: impl FnOnce(Reader<'_>) -> Option<T>,
) -> Result<T, Vec<ConfigError>> {
    let problems = Problems::default();
    let place = Place {
        problems: &problems,
        origin: &[(0, 0)],
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        problems.push(
            at,
            Kind::Syntax,
            "",
            format!("not TOML: {}", error.message()),
        );
    }
    let found = read(Reader::new(place, String::new(), 0, document.get_ref()));
    let errors = problems.into_errors(file, text);
    match found {
        Some(found) if errors.is_empty() => Ok(found),
        _ => Err(errors),
    }
}

fn read_head(reader: &mut Reader<'_>) -> Option<Head> {
    let name = reader.need("name", "\"my-pdu\"").and_then(|item| {
        let name = item.line()?;
        let is_fine = |ch: char| ch.is_ascii_lowercase() || ch.is_ascii_digit() || ch == '-';
        if !name.chars().all(is_fine) || name == "auto" {
            item.error("is not a profile's name; write small letters, digits and `-`");
        }
        Some(name.into())
    });
    let vendor = reader
        .need("vendor", "\"Maker\"")
        .and_then(|item| item.line());
    let title = reader
        .need("title", "\"what the maker calls them\"")
        .and_then(|item| item.line());
    let bases = match reader.get("base") {
        Some(item) => lines(&item),
        None => [Box::from("")].into(),
    };
    let decides_item = reader.need("decides", "[\"OID\"]");
    let decides = decides_item.as_ref().map(lines).unwrap_or_default();
    let first = bases.first().map_or("", |base| base).replace('*', "1");
    for oid in &decides {
        if oid_of(&first, oid).is_none() {
            reader.error(format!("decides: `{oid}` is not an OID"));
        }
    }
    let mut list = |key| reader.get(key).map(|item| lines(&item)).unwrap_or_default();
    let head = Head {
        models: list("models"),
        recorded: list("recorded"),
        sys_object_ids: list("sys_object_id"),
        sys_descrs: list("sys_descr"),
        unless: list("unless"),
        like: reader
            .get("like")
            .and_then(|item| item.line())
            .map(Box::from),
        mib: reader
            .get("mib")
            .and_then(|item| item.line())
            .unwrap_or_default()
            .into(),
        is_pdu: reader.bool("pdu", true),
        is_fallback: reader.bool("fallback", false),
        absent: reader
            .get("absent")
            .and_then(|item| few(&item))
            .unwrap_or_default(),
        model: reader
            .get("model")
            .map(|item| models(&item))
            .unwrap_or_default(),
        max_oids: reader
            .get("max_oids")
            .and_then(|item| item.integer(1, 60))
            .unwrap_or(MAX_OIDS) as usize,
        name: name?,
        vendor: vendor?.into(),
        title: title?.into(),
        bases,
        decides,
    };
    Some(head)
}

fn models(item: &Item<'_>) -> Box<[Model]> {
    let model = |item: Item<'_>| {
        if !item.is_table() {
            return item.line().map(|oid| Model::Object(oid.into()));
        }
        let mut reader = item.table()?;
        let mut text = |key| reader.get(key).and_then(|item| item.text());
        let (after, before, words) = (text("after"), text("before"), text("words"));
        let always = text("always").map(|name| Model::Always(name.into()));
        reader.finish();
        match (after, words) {
            (Some(after), _) => Some(Model::Descr(
                after.into(),
                before.unwrap_or_default().into(),
            )),
            (None, Some(words)) => Some(Model::Words(words.into())),
            (None, None) if always.is_some() => always,
            (None, None) => {
                item.error("names no model; write an OID, { after = \"MN:\", before = \" \" } or { words = \"…\" }");
                None
            }
        }
    };
    item.items().into_iter().filter_map(model).collect()
}

fn oid_of(base: &str, text: &str) -> Option<Oid> {
    absolute(base, text).parse().ok()
}

fn few(item: &Item<'_>) -> Option<Few> {
    let numbers: Vec<i64> = item.items().iter().filter_map(Item::signed).collect();
    let few = Few::new(&numbers);
    if few.is_none() {
        item.error(too_many());
    }
    few
}

fn too_many() -> String {
    format!("holds more than {} numbers", Few::MOST)
}

fn lines(item: &Item<'_>) -> Box<[Box<str>]> {
    if item.is_text() {
        return item.line().map(Box::from).into_iter().collect();
    }
    item.items()
        .iter()
        .filter_map(|item| item.line())
        .map(Box::from)
        .collect()
}
