//! Shapes of the JSON answers, as constants. OpenAPI and the documentation page are written from them, and
//! a test holds every rendered body against them.

use super::write::Writer;
use crate::small::SmallMap;

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
#[derive(Debug)]
pub struct Member {
    /// Key.
    pub name: &'static str,
    /// Shape of the value.
    pub schema: Schema,
    /// What it says, with its unit.
    pub about: &'static str,
}

/// A member.
pub const fn member(name: &'static str, schema: Schema, about: &'static str) -> Member {
    Member {
        name,
        schema,
        about,
    }
}

/// A number that may not be known.
pub const NUMBER: Schema = Schema::OrNull(&Schema::Number);
/// A string that may not be known.
pub const TEXT: Schema = Schema::OrNull(&Schema::Text);
/// A time that may not be known.
pub const TIME: Schema = Schema::OrNull(&Schema::Time);

impl Schema {
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
            Schema::Object(object) => object.name.into(),
        }
    }

    /// Adds every object in it to `found`.
    pub fn objects(&self, found: &mut SmallMap<&'static str, &'static Object>) {
        match self {
            Schema::OrNull(inner) | Schema::List(inner) => inner.objects(found),
            Schema::Object(object) => {
                found.insert(object.name, object);
                for member in object.members {
                    member.schema.objects(found);
                }
            }
            _ => {}
        }
    }

    /// Writes it as JSON Schema (2020-12, which OpenAPI 3.1 uses).
    pub fn write(&self, json: &mut Writer, about: Option<&str>) {
        json.object(|json| {
            self.members(json, false);
            if let Some(about) = about {
                json.key("description").text(about);
            }
        });
    }

    fn members(&self, json: &mut Writer, or_null: bool) {
        let kind = |json: &mut Writer, name: &str| {
            json.key("type");
            if or_null {
                json.array(|json| {
                    json.text(name);
                    json.text("null");
                });
            } else {
                json.text(name);
            }
        };
        match self {
            Schema::Text => kind(json, "string"),
            Schema::Time => {
                kind(json, "string");
                json.key("format").text("date-time");
            }
            Schema::Number => kind(json, "number"),
            Schema::Integer => kind(json, "integer"),
            Schema::Boolean => kind(json, "boolean"),
            Schema::OneOf(words) => {
                kind(json, "string");
                json.key("enum").array(|json| {
                    for word in *words {
                        json.text(word);
                    }
                    if or_null {
                        json.null();
                    }
                });
            }
            Schema::OrNull(inner) => inner.members(json, true),
            Schema::List(inner) => {
                kind(json, "array");
                json.key("items");
                inner.write(json, None);
            }
            Schema::Object(object) if or_null => json.key("anyOf").array(|json| {
                Schema::Object(object).write(json, None);
                json.object(|json| json.key("type").text("null"));
            }),
            Schema::Object(object) => json
                .key("$ref")
                .text(&format!("#/components/schemas/{}", object.name)),
        }
    }
}

impl Object {
    /// Writes it as JSON Schema.
    pub fn write(&self, json: &mut Writer) {
        json.object(|json| {
            json.key("type").text("object");
            json.key("required").array(|json| {
                for member in self.members {
                    json.text(member.name);
                }
            });
            json.key("properties").object(|json| {
                for member in self.members {
                    json.key(member.name);
                    member.schema.write(json, Some(member.about));
                }
            });
        });
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
        (Schema::Object(object), Value::Object(map)) => {
            let known = |key: &String| object.members.iter().any(|m| m.name == key);
            if let Some(key) = map.keys().find(|key| !known(key)) {
                return Some(format!("{path}.{key} is not in {}", object.name));
            }
            return object.members.iter().find_map(|member| {
                let path = format!("{path}.{}", member.name);
                match map.get(member.name) {
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
        let mut json = Writer::new(64);
        Schema::OrNull(&Schema::Object(&INNER)).write(&mut json, Some("why"));
        assert_eq!(
            json.finish(),
            "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Inner\"},{\"type\":\"null\"}],\"description\":\"why\"}"
        );
    }
}
