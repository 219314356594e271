//! Reads a device profile: what stands in a `[[profile]]` of the configuration, or alone in a file. The keys are
//! those of `docs/profiles.md`.

use super::problem::{ConfigError, Kind, Problems};
use super::reader::{Item, Part as Place, Reader};
use crate::pdu::Source;
use crate::pdu::profile::{
    Few, Field, Form, Head, Keep, Model, Object, Part, Profile, Quantity, Reset, RowKind, Rows,
    Scaling, Scope, Set, Switch, Table, Variables, absolute,
};
use crate::snmp::{Oid, Value};
use std::sync::Arc;
use toml::de::DeTable;

/// Most objects in one request, where a profile says nothing.
const MAX_OIDS: u32 = 20;
/// Rows of a table, where a profile says nothing.
const MOST_ROWS: u32 = 192;
/// At most so many.
const MOST_ROWS_EVER: u32 = 4096;

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
pub(super) fn table(mut reader: Reader<'_>) -> Option<Arc<Source>> {
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
        reader.finish();
        match (after, words) {
            (Some(after), _) => Some(Model::Descr(
                after.into(),
                before.unwrap_or_default().into(),
            )),
            (None, Some(words)) => Some(Model::Words(words.into())),
            (None, None) => {
                item.error("names no model; write an OID, { after = \"MN:\", before = \" \" } or { words = \"…\" }");
                None
            }
        }
    };
    item.items().into_iter().filter_map(model).collect()
}

/// Everything behind the head.
fn read_rest(mut reader: Reader<'_>, head: Arc<Head>, base: &str) -> Profile {
    let read = Rest {
        base,
        absent: head.absent,
    };
    let units = reader.table("units").and_then(|mut units| {
        let rows = units
            .need("rows", "\".1.2.{unit}\"")
            .and_then(|item| read.rows(&item));
        units.finish();
        rows
    });
    let mut device = Vec::new();
    if let Some(mut table) = reader.table("device") {
        for (key, quantity) in Quantity::NAMED {
            let Some(item) = table.get(key) else { continue };
            let items = if item.is_array() {
                item.items()
            } else {
                vec![item]
            };
            let form = match quantity {
                Quantity::PeakAt | Quantity::PeakSince => Some(Form::Time),
                _ => None,
            };
            device.extend(items.iter().filter_map(|item| {
                let (object, scope) = read.object(item, form)?;
                Some((*quantity, scope, object))
            }));
        }
        table.finish();
    }
    let tables = reader
        .tables("table")
        .into_iter()
        .filter_map(|table| read.table(table));
    let tables: Box<[Table]> = tables.collect();
    let variables = reader
        .tables("variables")
        .into_iter()
        .filter_map(|table| read.variables(table));
    let variables: Box<[Variables]> = variables.collect();
    let (mut peak_reset, mut energy_reset) = (None, None);
    if let Some(mut reset) = reader.table("reset") {
        peak_reset = reset.get("peak").and_then(|item| read.reset(&item));
        energy_reset = reset.get("energy").and_then(|item| read.reset(&item));
        reset.finish();
    }
    reader.finish();
    let model = head.model.iter().filter_map(|model| match model {
        Model::Object(text) => oid_of(base, text),
        Model::Descr(..) | Model::Words(_) => None,
    });
    Profile {
        model: model.collect(),
        head,
        units,
        device: device.into(),
        tables,
        variables,
        peak_reset,
        energy_reset,
    }
}

/// What the objects of one profile have in common.
struct Rest<'a> {
    base: &'a str,
    absent: Few,
}

impl Rest<'_> {
    fn oid(&self, item: &Item<'_>) -> Option<Oid> {
        let text = item.line()?;
        let oid = oid_of(self.base, text);
        if oid.is_none() {
            item.error(format!("`{text}` is not an OID; write numbers with dots between, or begin with a dot to go on from the base"));
        }
        oid
    }

    /// `.1.2.{unit}.{row}`: the column, and what its instances mean.
    fn place(&self, item: &Item<'_>, text: &str) -> Option<(Oid, Box<[Part]>)> {
        let (column, shape) = match text.find('{') {
            Some(at) => (text[..at].trim_end_matches('.'), &text[at..]),
            None => (text, ""),
        };
        let part = |part: &str| match part {
            "{unit}" => Some(Part::Unit),
            "{unit...}" => Some(Part::UnitRest),
            "{row}" => Some(Part::Row),
            fixed => fixed.parse().ok().map(Part::Fixed),
        };
        // The three dots of `{unit...}` are no separators.
        let shape = shape.replace("{unit...}", "{rest}");
        let parts: Option<Box<[Part]>> = shape
            .split('.')
            .filter(|text| !text.is_empty())
            .map(|text| part(if text == "{rest}" { "{unit...}" } else { text }))
            .collect();
        let found = oid_of(self.base, column).zip(parts);
        if found.is_none() {
            item.error(format!(
                "`{text}` is not an OID with {{unit}}, {{row}} or {{unit...}} behind it"
            ));
        }
        found
    }

    fn rows(&self, item: &Item<'_>) -> Option<Rows> {
        let text = item.line()?;
        let (text, is_list) = match text.strip_suffix("[,]") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let (oid, shape) = self.place(item, text)?;
        Some(Rows {
            oid,
            shape,
            is_list,
        })
    }

    /// An object of the device, and whose it is.
    fn object(&self, item: &Item<'_>, form: Option<Form>) -> Option<(Object, Scope)> {
        let is_first_unit;
        let spec = if item.is_table() {
            let mut reader = item.table()?;
            let of = reader
                .get("of")
                .and_then(|item| super::unbuilt::one_of(&item, &["first unit", "all units"]));
            is_first_unit = of == Some("first unit");
            self.spec(reader, form)?
        } else {
            is_first_unit = false;
            Spec {
                at: item.line()?.to_owned(),
                form: form.unwrap_or(Form::Number(1.0)),
                scaling: None,
                absent: self.absent,
            }
        };
        let (oid, shape) = self.place(item, &spec.at)?;
        let scope = match (shape.is_empty(), is_first_unit) {
            (true, true) => Scope::Host([].into()),
            (true, false) => Scope::Whole([].into()),
            (false, _) => Scope::Unit(shape),
        };
        let object = Object {
            oid,
            form: spec.form,
            scaling: spec.scaling,
            absent: spec.absent,
        };
        Some((object, scope))
    }

    /// The keys of an object.
    fn spec(&self, mut reader: Reader<'_>, form: Option<Form>) -> Option<Spec> {
        let at = reader.need("oid", "\"1.2.3\"").and_then(|item| item.line());
        let scale = reader
            .get("scale")
            .and_then(|item| item.number())
            .unwrap_or(1.0);
        let absent = reader
            .get("absent")
            .map_or(Some(self.absent), |item| few(&item));
        let digits = reader.get("digits").and_then(|item| self.oid(&item));
        let ratio = reader.get("ratio").and_then(|item| self.oid(&item));
        let mut scaling = digits.map(Scaling::Digits).or(ratio.map(Scaling::Ratio));
        let mut own = if reader.bool("with_unit", false) {
            Form::WithUnit
        } else {
            Form::Number(scale)
        };
        if let Some(item) = reader.get("fahrenheit") {
            if item.is_table() {
                let mut table = item.table()?;
                let oid = table
                    .need("oid", "\"1.2.3\"")
                    .and_then(|item| self.oid(&item));
                let is = table.need("is", "[1]").and_then(|item| few(&item));
                table.finish();
                scaling = oid.zip(is).map(|(oid, is)| Scaling::Fahrenheit(oid, is));
            } else if item.bool()? {
                own = Form::Fahrenheit(scale);
            }
        }
        let on = reader.get("on").and_then(|item| few(&item));
        let off = reader.get("off").and_then(|item| few(&item));
        if let (Some(on), Some(off)) = (on, off) {
            own = Form::Switch { on, off };
        }
        reader.finish();
        Some(Spec {
            at: at?.to_owned(),
            form: form.unwrap_or(own),
            scaling,
            absent: absent?,
        })
    }

    fn column(&self, item: &Item<'_>, field: Field) -> Option<Object> {
        let form = (field == Field::Name).then_some(Form::Text);
        let (object, scope) = self.object(item, form)?;
        if !matches!(scope, Scope::Whole(_)) {
            item.error("is a column of a table; what its instances mean stands in `rows`");
        }
        if field == Field::On && !matches!(object.form, Form::Switch { .. }) {
            item.error("is a switch; write { oid = \"…\", on = [1], off = [2] }");
            return None;
        }
        Some(object)
    }

    fn table(&self, mut reader: Reader<'_>) -> Option<Table> {
        let kind = reader.need("kind", "\"outlet\"").and_then(|item| {
            let names: Vec<&str> = RowKind::NAMED.iter().map(|(name, _)| *name).collect();
            let name = super::unbuilt::one_of(&item, &names)?;
            RowKind::NAMED
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, kind)| *kind)
        });
        let rows = reader
            .need("rows", "\".1.2.{row}\"")
            .and_then(|item| self.rows(&item));
        let cap = reader
            .get("most")
            .and_then(|item| item.integer(1, MOST_ROWS_EVER))
            .unwrap_or(MOST_ROWS);
        let unit = reader.get("unit").and_then(|item| self.oid(&item));
        let number = reader.get("number").and_then(|item| self.oid(&item));
        let count = reader.get("count").and_then(|item| self.oid(&item));
        let keep = reader.get("keep").map(|item| {
            let items = if item.is_array() {
                item.items()
            } else {
                vec![item]
            };
            items.iter().filter_map(|item| self.keep(item)).collect()
        });
        let is_list = rows.as_ref().is_some_and(|rows| rows.is_list);
        let mut columns = Vec::new();
        for (key, field) in Field::NAMED {
            let Some(item) = reader.get(key) else {
                continue;
            };
            let items = if item.is_array() {
                item.items()
            } else {
                vec![item]
            };
            columns.extend(items.iter().filter_map(|item| {
                let object = self.column(item, *field)?;
                Some((*field, object))
            }));
        }
        let switch = reader.get("switch").and_then(|item| self.switch(&item));
        let (kind, rows) = (kind?, rows?);
        if switch.is_some() && (kind != RowKind::Outlet || is_list) {
            reader.error("has `switch`, which belongs to a table of outlets with a row each");
        }
        reader.finish();
        Some(Table {
            kind,
            rows,
            cap: cap as usize,
            unit,
            number,
            count,
            keep: keep.unwrap_or_default(),
            columns: columns.into(),
            switch,
        })
    }

    /// `{ oid = "…", is = [0] }`, or with `is_not`.
    fn keep(&self, item: &Item<'_>) -> Option<Keep> {
        let mut reader = item.table()?;
        let oid = reader
            .need("oid", "\"1.2.3\"")
            .and_then(|item| self.oid(&item));
        let is = reader.get("is");
        let is_not = reader.get("is_not");
        let keep = is.is_some();
        let Some(values) = is.or(is_not) else {
            item.error("says nothing; write is = […] or is_not = […]");
            return None;
        };
        let (texts, numbers): (Vec<_>, Vec<_>) =
            values.items().into_iter().partition(Item::is_text);
        let numbers: Vec<i64> = numbers.iter().filter_map(Item::signed).collect();
        let numbers = Few::new(&numbers);
        if numbers.is_none() {
            values.error(too_many());
        }
        reader.finish();
        Some(Keep {
            oid: oid?,
            keep,
            numbers: numbers?,
            texts: texts
                .iter()
                .filter_map(|item| item.text())
                .map(Box::from)
                .collect(),
        })
    }

    fn switch(&self, item: &Item<'_>) -> Option<Switch> {
        let mut reader = item.table()?;
        let on = reader
            .need("on", "\".1.2 = 1\"")
            .and_then(|item| self.set(&item));
        let off = reader
            .need("off", "\".1.2 = 2\"")
            .and_then(|item| self.set(&item));
        let cycle = reader.get("cycle").and_then(|item| self.set(&item));
        reader.finish();
        Some(Switch {
            on: on?,
            off: off?,
            cycle,
        })
    }

    fn set(&self, item: &Item<'_>) -> Option<Set> {
        let (place, value) = assignment(item)?;
        let (oid, _) = self.place(item, &place)?;
        Some(Set { oid, value })
    }

    /// `".1.2.{unit} = 2"`, or `{ set = "…", unsupported = [3] }`.
    fn reset(&self, item: &Item<'_>) -> Option<Reset> {
        let mut unsupported = Few::default();
        let (place, value) = if item.is_table() {
            let mut reader = item.table()?;
            let set = reader
                .need("set", "\".1.2.{unit} = 2\"")
                .and_then(|item| assignment(&item));
            unsupported = reader
                .get("unsupported")
                .and_then(|item| few(&item))
                .unwrap_or_default();
            reader.finish();
            set?
        } else {
            assignment(item)?
        };
        let (oid, shape) = self.place(item, &place)?;
        let scope = if shape.is_empty() {
            Scope::Whole([].into())
        } else {
            Scope::Unit(shape)
        };
        Some(Reset {
            oid,
            scope,
            value,
            unsupported,
        })
    }

    fn variables(&self, mut reader: Reader<'_>) -> Option<Variables> {
        let names = reader
            .need("names", "\".1.3.{unit}.{row}\"")
            .and_then(|item| self.rows(&item));
        let value = reader
            .need("value", "\".1.11\"")
            .and_then(|item| self.object(&item, None));
        let mut device = Vec::new();
        if let Some(mut table) = reader.table("device") {
            for (key, quantity) in Quantity::NAMED {
                let name = table.get(key).and_then(|item| item.line());
                device.extend(name.map(|name| (*quantity, Box::from(name))));
            }
            table.finish();
        }
        let mut rows = Vec::new();
        for (key, kind) in RowKind::NAMED {
            let Some(mut table) = reader.table(key) else {
                continue;
            };
            for (key, field) in Field::NAMED {
                let name = table.get(key).and_then(|item| item.line());
                rows.extend(name.map(|name| (*kind, *field, Box::from(name))));
            }
            table.finish();
        }
        reader.finish();
        Some(Variables {
            names: names?,
            value: value?.0,
            device: device.into(),
            rows: rows.into(),
        })
    }
}

/// The keys of an object.
struct Spec {
    at: String,
    form: Form,
    scaling: Option<Scaling>,
    absent: Few,
}

fn oid_of(base: &str, text: &str) -> Option<Oid> {
    absolute(base, text).parse().ok()
}

/// `OID = 2` or `OID = unsigned 2`.
fn assignment(item: &Item<'_>) -> Option<(String, Value)> {
    let text = item.line()?;
    let read = || {
        let (place, value) = text.split_once('=')?;
        let value = value.trim();
        let value = match value.strip_prefix("unsigned ") {
            Some(number) => Value::Gauge32(number.trim().parse().ok()?),
            None => Value::Integer(value.parse::<i32>().ok()?.into()),
        };
        Some((place.trim().to_owned(), value))
    };
    let found = read();
    if found.is_none() {
        item.error("is not a SET; write \"OID = 2\" or \"OID = unsigned 2\"");
    }
    found
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
