//! Everything behind the head of a profile: what a device with one of its bases answers.

use super::{few, oid_of, too_many};
use crate::profile::{
    Each, Few, Field, Form, Head, Keep, Model, Number, Object, Part, Profile, Quantity, Reset,
    RowKind, Rows, Says, Scaling, Scope, Set, Shape, Switch, Table, Variables,
};
use rackwarden_base::reader::{Item, Reader, one_of};
use rackwarden_snmp::{Oid, Value};
use std::sync::Arc;

/// Rows of a table, where a profile says nothing.
const MOST_ROWS: u32 = 192;
/// At most so many.
const MOST_ROWS_EVER: u32 = 4096;

/// Everything behind the head.
pub(super) fn read_rest(mut reader: Reader<'_>, head: Arc<Head>, base: &str) -> Profile {
    let read = Rest {
        base,
        absent: head.absent,
    };
    let mut units = Vec::new();
    let mut unit_number = None;
    if let Some(mut table) = reader.table("units") {
        unit_number = table.get("number").and_then(|item| read.oid(&item));
        let rows = table.need("rows", "\".1.2.{unit}\"").map(alternatives);
        units.extend(rows.iter().flatten().filter_map(|item| read.rows(item)));
        table.finish();
    }
    let mut device = Vec::new();
    let mut parts = None;
    if let Some(mut table) = reader.table("device") {
        parts = table
            .get("sum_of")
            .and_then(|item| one_of(&item, &["bank", "outlet"]))
            .map(|kind| match kind {
                "bank" => RowKind::Bank,
                _ => RowKind::Outlet,
            });
        for (key, quantity) in Quantity::NAMED {
            let Some(items) = table.get(key).map(alternatives) else {
                continue;
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
    let mut resets: [Box<[Reset]>; 2] = Default::default();
    if let Some(mut reset) = reader.table("reset") {
        for (key, into) in ["peak", "energy"].into_iter().zip(&mut resets) {
            let items = reset.get(key).map(alternatives).unwrap_or_default();
            *into = items.iter().filter_map(|item| read.reset(item)).collect();
        }
        reset.finish();
    }
    let [peak_reset, energy_reset] = resets;
    reader.finish();
    let model = head.model.iter().filter_map(|model| match model {
        Model::Object(text) => read.parts(text),
        Model::Descr(..) | Model::Words(_) | Model::Always(_) => None,
    });
    Profile {
        model: model.collect(),
        head,
        units: units.into(),
        unit_number,
        device: device.into(),
        parts,
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

    /// `.1.2.{unit}.{row}`: the column, and what its instances mean; `None` where the text does not say.
    fn place(&self, item: &Item<'_>, text: &str) -> Option<(Oid, Shape)> {
        let found = self.parts(text);
        if found.is_none() {
            item.error(format!(
                "`{text}` is not an OID with {{unit}}, {{row}} or {{unit...}} behind it"
            ));
        }
        found
    }

    fn parts(&self, text: &str) -> Option<(Oid, Shape)> {
        let (column, shape) = match text.find('{') {
            Some(at) => (text[..at].trim_end_matches('.'), &text[at..]),
            None => (text, ""),
        };
        let is_said = !shape.is_empty();
        let part = |part: &str| match part {
            "{unit}" => Some(Part::Unit),
            "{unit...}" => Some(Part::UnitRest),
            "{row}" => Some(Part::Row),
            "{row...}" => Some(Part::RowRest),
            more if more.starts_with("{row+") => {
                let number = more[5..].strip_suffix('}')?;
                number.parse().ok().map(Part::RowPlus)
            }
            fixed => {
                let number = fixed.trim_start_matches('{').trim_end_matches('}');
                number.parse().ok().map(Part::Fixed)
            }
        };
        // The three dots of `{unit...}` are no separators.
        let shape = shape.replace("...}", "~}");
        let parts: Option<Box<[Part]>> = shape
            .split('.')
            .filter(|text| !text.is_empty())
            .map(|text| part(&text.replace("~}", "...}")))
            .collect();
        let found = oid_of(self.base, column).zip(parts);
        found.map(|(oid, shape)| (oid, is_said.then_some(shape)))
    }

    /// A column that may say what its instances are.
    fn column_of(&self, item: &Item<'_>) -> Option<(Oid, Shape)> {
        self.place(item, item.line()?)
    }

    fn rows(&self, item: &Item<'_>) -> Option<Rows> {
        let text = item.line()?;
        let (text, each) = match (text.strip_suffix("[,]"), text.strip_suffix("[#]")) {
            (Some(text), _) => (text, Each::List),
            (None, Some(text)) => (text, Each::Count),
            (None, None) => (text, Each::Row),
        };
        // The one value of a list is a scalar, which is walked from its column.
        let text = match each {
            Each::List => text.strip_suffix(".0").unwrap_or(text),
            _ => text,
        };
        let (oid, shape) = self.place(item, text)?;
        Some(Rows {
            oid,
            shape: shape.unwrap_or_default(),
            each,
        })
    }

    /// An object of the device, and whose it is.
    fn object(&self, item: &Item<'_>, form: Option<Form>) -> Option<(Object, Scope)> {
        let is_first_unit;
        let spec = if item.is_table() {
            let mut reader = item.table()?;
            let of = reader
                .get("of")
                .and_then(|item| one_of(&item, &["first unit", "all units"]));
            is_first_unit = of == Some("first unit");
            self.spec(reader, form)?
        } else {
            is_first_unit = false;
            Spec {
                at: item.line()?.to_owned(),
                form: form.unwrap_or(Form::Number(1.0)),
                scalings: [].into(),
                absent: self.absent,
            }
        };
        let (oid, shape) = self.place(item, &spec.at)?;
        let scope = match (&shape, is_first_unit) {
            (None, true) => Scope::Host([].into()),
            (None, false) => Scope::Whole([].into()),
            (Some(shape), _) => Scope::Unit(shape.clone()),
        };
        let object = Object {
            oid,
            shape,
            form: spec.form,
            scalings: spec.scalings,
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
        let mut scalings = Vec::new();
        for (key, says) in [("digits", Says::Digits), ("ratio", Says::Ratio)] {
            let columns = reader.get(key).map(alternatives).unwrap_or_default();
            let columns = columns.iter().filter_map(|item| self.column_of(item));
            scalings.extend(columns.map(|(oid, shape)| Scaling {
                oid,
                shape,
                says: says.clone(),
                is_live: false,
            }));
        }
        if let Some(item) = reader.get("while") {
            let says = self.says(&item, Says::ValidIf, true);
            scalings.extend(says.map(|says| Scaling {
                is_live: true,
                ..says
            }));
        }
        if let Some(item) = reader.get("valid") {
            scalings.extend(self.says(&item, Says::ValidIf, true));
        }
        let mut own = if reader.bool("with_unit", false) {
            Form::WithUnit
        } else {
            Form::Number(scale)
        };
        if let Some(item) = reader.get("fahrenheit") {
            if item.is_table() {
                scalings.extend(self.says(&item, Says::Fahrenheit, false));
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
            scalings: scalings.into(),
            absent: absent?,
        })
    }

    /// `{ oid = "…", is = [1] }`, and for `valid` also `is_not` or `bit`.
    fn says(&self, item: &Item<'_>, says: fn(Few) -> Says, is_valid: bool) -> Option<Scaling> {
        let mut table = item.table()?;
        let column = table
            .need("oid", "\"1.2.3\"")
            .and_then(|item| self.column_of(&item));
        let is_not = if is_valid { table.get("is_not") } else { None };
        let bit = if is_valid { table.get("bit") } else { None };
        let says = match (is_not, bit) {
            (Some(item), _) => few(&item).map(Says::ValidIfNot),
            (None, Some(item)) => item.integer(0, 7).map(|bit| Says::ValidIfBit(bit as u8)),
            (None, None) => table
                .need("is", "[1]")
                .and_then(|item| few(&item))
                .map(says),
        };
        table.finish();
        let says = says?;
        column.map(|(oid, shape)| Scaling {
            oid,
            shape,
            says,
            is_live: false,
        })
    }

    fn column(&self, item: &Item<'_>, field: Field) -> Option<Object> {
        let form = (field == Field::Name).then_some(Form::Text);
        let (object, scope) = self.object(item, form)?;
        if matches!(scope, Scope::Host(_)) {
            item.error("is a column of a table, which has no `of`");
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
            let name = one_of(&item, &names)?;
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
        let (mut number, mut at) = (None, None);
        match reader.get("number") {
            Some(item) if item.is_text() || item.is_table() => number = self.number(&item),
            Some(item) => at = item.integer(1, MOST_ROWS_EVER),
            None => {}
        }
        let count = reader.get("count").and_then(|item| self.oid(&item));
        let keep = reader.get("keep").map(alternatives).unwrap_or_default();
        let keep = keep.iter().filter_map(|item| self.keep(item)).collect();
        let is_instead = reader.bool("instead", false);
        let is_listed = rows.as_ref().is_some_and(|rows| rows.each != Each::Row);
        let mut columns = Vec::new();
        for (key, field) in Field::NAMED {
            let items = reader.get(key).map(alternatives).unwrap_or_default();
            columns.extend(items.iter().filter_map(|item| {
                let object = self.column(item, *field)?;
                Some((*field, object))
            }));
        }
        let switch = reader.get("switch").and_then(|item| self.switch(&item));
        if switch.is_some() && (kind.is_some_and(|kind| kind != RowKind::Outlet) || is_listed) {
            reader.error("has `switch`, which belongs to a table of outlets with a row each");
        }
        reader.finish();
        let (kind, rows) = (kind?, rows?);
        Some(Table {
            kind,
            rows,
            cap: cap as usize,
            unit,
            number,
            at,
            count,
            keep,
            is_instead,
            columns: columns.into(),
            switch,
        })
    }

    /// A column, or `{ oid = "…", is = [[1, 3], [4]] }`.
    fn number(&self, item: &Item<'_>) -> Option<Number> {
        if !item.is_table() {
            return self.oid(item).map(|oid| Number {
                oid,
                values: [].into(),
            });
        }
        let mut reader = item.table()?;
        let oid = reader
            .need("oid", "\"1.2.3\"")
            .and_then(|item| self.oid(&item));
        let is = reader.need("is", "[[1], [2]]");
        reader.finish();
        let items = is.map(|is| is.items()).unwrap_or_default();
        let values = items.iter().filter_map(few).collect();
        Some(Number { oid: oid?, values })
    }

    /// `{ oid = "…", is = [0] }`, or with `is_not`.
    fn keep(&self, item: &Item<'_>) -> Option<Keep> {
        let mut reader = item.table()?;
        let column = reader
            .need("oid", "\"1.2.3\"")
            .and_then(|item| self.column_of(&item));
        let is = reader.get("is");
        let is_not = reader.get("is_not");
        let keep = is.is_some();
        let bit = reader.get("bit").and_then(|item| item.integer(0, 7));
        let values = match (is.or(is_not), bit) {
            (Some(values), _) => values.items(),
            (None, Some(_)) => Vec::new(),
            (None, None) => {
                item.error("says nothing; write is = […], is_not = […] or bit = …");
                return None;
            }
        };
        let (texts, numbers): (Vec<_>, Vec<_>) = values.into_iter().partition(Item::is_text);
        let numbers: Vec<i64> = numbers.iter().filter_map(Item::signed).collect();
        let numbers = Few::new(&numbers);
        if numbers.is_none() {
            item.error(too_many());
        }
        reader.finish();
        let (oid, shape) = column?;
        Some(Keep {
            oid,
            shape,
            keep,
            numbers: numbers?,
            texts: texts
                .iter()
                .filter_map(|item| item.text())
                .map(Box::from)
                .collect(),
            bit: bit.map(|bit| bit as u8),
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
        let unlock = reader.get("unlock").and_then(|item| self.set(&item));
        let when = reader.get("when").and_then(|item| self.keep(&item));
        reader.finish();
        Some(Switch {
            on: on?,
            off: off?,
            cycle,
            unlock,
            when,
        })
    }

    fn set(&self, item: &Item<'_>) -> Option<Set> {
        let (place, value) = assignment(item)?;
        let (oid, shape) = self.place(item, &place)?;
        Some(Set { oid, shape, value })
    }

    /// `".1.2.{unit} = 2"`, or `{ set = "…", unsupported = [3] }`.
    fn reset(&self, item: &Item<'_>) -> Option<Reset> {
        let mut unsupported = Few::default();
        let mut when = None;
        let (place, value) = if item.is_table() {
            let mut reader = item.table()?;
            let set = reader
                .need("set", "\".1.2.{unit} = 2\"")
                .and_then(|item| assignment(&item));
            unsupported = reader
                .get("unsupported")
                .and_then(|item| few(&item))
                .unwrap_or_default();
            when = reader.get("when").and_then(|item| self.keep(&item));
            reader.finish();
            set?
        } else {
            assignment(item)?
        };
        let (oid, shape) = self.place(item, &place)?;
        let scope = shape.map_or_else(|| Scope::Whole([].into()), Scope::Unit);
        Some(Reset {
            oid,
            scope,
            value,
            unsupported,
            when,
        })
    }

    fn variables(&self, mut reader: Reader<'_>) -> Option<Variables> {
        let names = reader
            .need("names", "\".1.3.{unit}.{row}\"")
            .and_then(|item| self.rows(&item));
        let value = reader
            .need("value", "\".1.11\"")
            .and_then(|item| self.object(&item, None));
        let text = reader.get("text").and_then(|item| self.oid(&item));
        let mut device = Vec::new();
        if let Some(mut table) = reader.table("device") {
            for (key, quantity) in Quantity::NAMED {
                let names = table.get(key).map(alternatives).unwrap_or_default();
                let names = names.iter().filter_map(Item::line);
                device.extend(names.map(|name| (*quantity, Box::from(name))));
            }
            table.finish();
        }
        let mut rows = Vec::new();
        for (key, kind) in RowKind::NAMED {
            let Some(mut table) = reader.table(key) else {
                continue;
            };
            for (key, field) in Field::NAMED {
                let names = table.get(key).map(alternatives).unwrap_or_default();
                let names = names.iter().filter_map(Item::line);
                rows.extend(names.map(|name| (*kind, *field, Box::from(name))));
            }
            table.finish();
        }
        reader.finish();
        Some(Variables {
            names: names?,
            value: value?.0,
            text,
            device: device.into(),
            rows: rows.into(),
        })
    }
}

/// One thing, or a list of them.
fn alternatives(item: Item<'_>) -> Vec<Item<'_>> {
    if item.is_array() {
        item.items()
    } else {
        vec![item]
    }
}

/// The keys of an object.
struct Spec {
    at: String,
    form: Form,
    scalings: Box<[Scaling]>,
    absent: Few,
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
