//! Shapes of the JSON answers, as constants. OpenAPI and the documentation page are written from them, and
//! a test holds every rendered body against them.

use crate::small::SmallMap;
use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// The shape of a value.
#[derive(Clone, Copy, Debug)]
pub enum Schema {
    /// A string.
    Text,
    /// An RFC 3339 time in UTC.
    Time,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// This or null.
    OrNull(&'static Schema),
    /// A list of this.
    List(&'static Schema),
    /// An object with a name of its own.
    Object(&'static Object),
    /// An object with members besides, which only those who write it know.
    Open(&'static Object),
}

/// An object with exactly these members.
#[derive(Debug)]
pub struct Object {
    /// Its name in the document.
    pub name: &'static str,
    /// Members in the order in which they are written.
    pub members: &'static [Member],
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Key.
    pub name: &'static str,
    /// Shape of the value.
    pub schema: Schema,
    /// What it says, with its unit.
    pub about: &'static str,
}

impl Schema {
    /// What it is when it is known.
    pub fn inner(&self) -> &Schema {
        match self {
            Schema::OrNull(inner) => inner.inner(),
            other => other,
        }
    }

    /// The object that this is, may be, or lists.
    pub fn object(&self) -> Option<&'static Object> {
        match self {
            Schema::OrNull(inner) | Schema::List(inner) => inner.object(),
            Schema::Object(object) | Schema::Open(object) => Some(object),
            _ => None,
        }
    }

    /// In words, for the documentation page.
    pub fn words(&self) -> String {
        match self {
            Schema::Text => "text".into(),
            Schema::Time => "time".into(),
            Schema::Number => "number".into(),
            Schema::Integer => "whole number".into(),
            Schema::Boolean => "true or false".into(),
            Schema::OneOf(words) => words.join(", "),
            Schema::OrNull(inner) => format!("{} or null", inner.words()),
            Schema::List(inner) => format!("list of {}", inner.words()),
            Schema::Object(object) | Schema::Open(object) => object.name.into(),
        }
    }

    /// Adds every object in it to `found`.
    pub fn objects(&self, found: &mut SmallMap<&'static str, &'static [Member]>) {
        match self {
            Schema::OrNull(inner) | Schema::List(inner) => inner.objects(found),
            Schema::Object(object) | Schema::Open(object) => {
                found.insert(object.name, object.members);
                for member in object.members {
                    member.schema.objects(found);
                }
            }
            _ => {}
        }
    }

    /// As JSON Schema (2020-12, which OpenAPI 3.1 uses).
    pub fn tree(&self, about: Option<&'static str>) -> Tree {
        let mut members = self.members(false);
        members.extend(about.map(|about| member("description", about)));
        Tree::Object(members)
    }

    fn members(&self, or_null: bool) -> Vec<(Cow<'static, str>, Tree)> {
        let kind = |name: &'static str| match or_null {
            true => member("type", Tree::List(vec![name.into(), "null".into()])),
            false => member("type", name),
        };
        match self {
            Schema::Text => vec![kind("string")],
            Schema::Time => vec![kind("string"), member("format", "date-time")],
            Schema::Number => vec![kind("number")],
            Schema::Integer => vec![kind("integer")],
            Schema::Boolean => vec![kind("boolean")],
            Schema::OneOf(words) => {
                let words = words.iter().map(|word| Tree::from(*word));
                let null = or_null.then_some(Tree::Null);
                let all = words.chain(null).collect();
                vec![kind("string"), member("enum", Tree::List(all))]
            }
            Schema::OrNull(inner) => inner.members(true),
            Schema::List(inner) => vec![kind("array"), member("items", inner.tree(None))],
            Schema::Object(object) | Schema::Open(object) if or_null => {
                let null = Tree::Object(vec![member("type", "null")]);
                let either = vec![Schema::Object(object).tree(None), null];
                vec![member("anyOf", Tree::List(either))]
            }
            Schema::Object(object) | Schema::Open(object) => {
                let path = format!("#/components/schemas/{}", object.name);
                vec![member("$ref", Tree::Text(path.into()))]
            }
        }
    }
}

/// An object with these members as JSON Schema.
pub fn object_tree(members: &[Member]) -> Tree {
    let keys = members.iter().map(|member| member.key().into());
    let properties = members
        .iter()
        .map(|of| member(of.key(), of.schema.tree(Some(of.words()))));
    Tree::Object(vec![
        member("type", "object"),
        member("required", Tree::List(keys.collect())),
        member("properties", Tree::Object(properties.collect())),
    ])
}

impl Member {
    /// The key as it is written.
    pub fn key(&self) -> &'static str {
        self.name.trim_start_matches("r#")
    }

    /// What it says.
    pub fn words(&self) -> &'static str {
        self.about.trim_start()
    }
}

/// A JSON document whose members keep their order.
#[derive(Debug)]
pub enum Tree {
    /// Null.
    Null,
    /// True or false.
    Boolean(bool),
    /// A string.
    Text(Cow<'static, str>),
    /// An array.
    List(Vec<Tree>),
    /// An object.
    Object(Vec<(Cow<'static, str>, Tree)>),
}

/// A member of an object.
pub fn member(
    key: impl Into<Cow<'static, str>>,
    value: impl Into<Tree>,
) -> (Cow<'static, str>, Tree) {
    (key.into(), value.into())
}

impl From<&'static str> for Tree {
    fn from(text: &'static str) -> Tree {
        Tree::Text(text.into())
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Tree::Null => serializer.serialize_unit(),
            Tree::Boolean(value) => serializer.serialize_bool(*value),
            Tree::Text(text) => serializer.serialize_str(text),
            Tree::List(items) => serializer.collect_seq(items),
            Tree::Object(members) => {
                serializer.collect_map(members.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

/// Holds a value against a shape; returns the path of the first difference. Used by tests.
#[cfg(test)]
pub(crate) fn mismatch(schema: &Schema, value: &serde_json::Value, path: &str) -> Option<String> {
    use serde_json::Value;
    let fits = match (schema, value) {
        (Schema::OrNull(_), Value::Null) => true,
        (Schema::OrNull(inner), value) => return mismatch(inner, value, path),
        (Schema::Text, Value::String(_)) => true,
        (Schema::Time, Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        (Schema::Number, Value::Number(_)) => true,
        (Schema::Integer, Value::Number(number)) => number.is_u64(),
        (Schema::Boolean, Value::Bool(_)) => true,
        (Schema::OneOf(words), Value::String(text)) => words.contains(&text.as_str()),
        (Schema::List(inner), Value::Array(items)) => {
            return items
                .iter()
                .find_map(|item| mismatch(inner, item, &format!("{path}[]")));
        }
        (Schema::Open(_), Value::Object(map)) => map.values().all(Value::is_u64),
        (Schema::Object(object), Value::Object(map)) => {
            let known = |key: &String| object.members.iter().any(|m| m.key() == key);
            if let Some(key) = map.keys().find(|key| !known(key)) {
                return Some(format!("{path}.{key} is not in {}", object.name));
            }
            return object.members.iter().find_map(|member| {
                let path = format!("{path}.{}", member.key());
                match map.get(member.key()) {
                    Some(value) => mismatch(&member.schema, value, &path),
                    None => Some(format!("{path} is missing")),
                }
            });
        }
        _ => false,
    };
    (!fits).then(|| format!("{path}: {value} is not {}", schema.words()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_may_be_null_says_so_to_programs() {
        const INNER: Object = Object {
            name: "Inner",
            members: &[],
        };
        let tree = Schema::OrNull(&Schema::Object(&INNER)).tree(Some("why"));
        assert_eq!(
            crate::render::text(&tree, 0),
            "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Inner\"},{\"type\":\"null\"}],\"description\":\"why\"}"
        );
    }
}
