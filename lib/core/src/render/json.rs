//! JSON by serde, with its schema from the same declaration: [`shape!`](crate::shape) makes both. A value that is not
//! known is null.

use super::number::{rfc3339, rounded, whole};
use super::schema::Schema;
use crate::time::Wall;
use serde::{Serialize, Serializer};
use std::marker::PhantomData;
use std::sync::Arc;

/// A value with a schema.
pub trait Shape {
    /// Its schema.
    const SCHEMA: Schema;
}

/// A number, as short as it can be written. Not finite is not known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Num(pub f64);

/// A number that may not be known.
pub fn num(value: Option<impl Into<f64>>) -> Option<Num> {
    value.map(|value| Num(value.into()))
}

impl Serialize for Num {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = rounded(self.0);
        match whole(value) {
            Some(whole) => serializer.serialize_i64(whole),
            None if value.is_finite() => serializer.serialize_f64(value),
            None => serializer.serialize_none(),
        }
    }
}

/// A time as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Wall);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = rfc3339(self.0);
        match digits.as_ref().map(|digits| std::str::from_utf8(digits)) {
            Some(Ok(text)) => serializer.serialize_str(text),
            _ => serializer.serialize_str(&self.0.rfc3339()),
        }
    }
}

/// A list whose elements are made of others while they are written.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, T, J>(pub &'a [T], PhantomData<fn(&'a T) -> J>);

impl<'a, T, J> List<'a, T, J> {
    /// Of these.
    pub fn of(all: &'a [T]) -> List<'a, T, J> {
        List(all, PhantomData)
    }
}

impl<'a, T, J: From<&'a T> + Serialize> Serialize for List<'a, T, J> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(J::from))
    }
}

/// The text of a JSON document. Room for `capacity` bytes is made at once.
pub fn text(value: &impl Serialize, capacity: usize) -> String {
    let mut bytes = Vec::with_capacity(capacity);
    // Writing to memory fails for maps with keys that are no text, which no shape has.
    if let Err(error) = serde_json::to_writer(&mut bytes, value) {
        log::error!("JSON cannot be written: {error}");
    }
    String::from_utf8(bytes).unwrap_or_default()
}

macro_rules! shapes {
    ($($schema:ident: $($type:ty),+;)+) => {
        $($(impl Shape for $type {
            const SCHEMA: Schema = Schema::$schema;
        })+)+
    };
}

shapes! {
    Text: &str, String, Arc<str>;
    Number: Num;
    Integer: u8, u16, u32, u64;
    Boolean: bool;
    Time: Time;
}

impl<T: Shape> Shape for Option<T> {
    const SCHEMA: Schema = Schema::OrNull(&T::SCHEMA);
}

impl<T: Shape> Shape for Vec<T> {
    const SCHEMA: Schema = Schema::List(&T::SCHEMA);
}

impl<T: Shape> Shape for &[T] {
    const SCHEMA: Schema = Schema::List(&T::SCHEMA);
}

impl<T, J: Shape> Shape for List<'_, T, J> {
    const SCHEMA: Schema = Schema::List(&J::SCHEMA);
}

/// Declares an object of a JSON answer. The document has it under the name of the type; the documentation of a member is
/// what people read about it there.
#[macro_export]
macro_rules! shape {
    ($(
        $(#[doc = $doc:literal])+
        $vis:vis struct $name:ident $(<$life:lifetime>)? {
            $($(#[doc = $about:literal])+ $field:ident: $type:ty,)+
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, serde::Serialize)]
        $vis struct $name $(<$life>)? {
            $($(#[doc = $about])+ $vis $field: $type,)+
        }

        impl $(<$life>)? $crate::render::Shape for $name $(<$life>)? {
            const SCHEMA: $crate::render::schema::Schema =
                $crate::render::schema::Schema::Object(&$crate::render::schema::Object {
                    name: stringify!($name),
                    members: &[$($crate::render::schema::Member {
                        name: stringify!($field),
                        schema: <$type as $crate::render::Shape>::SCHEMA,
                        about: concat!($($about),+),
                    }),+],
                });
        }
    )+};
}

/// Declares a text that is one of these words.
#[macro_export]
macro_rules! words {
    ($($(#[doc = $doc:literal])+ $vis:vis struct $name:ident = $($word:literal)|+;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, serde::Serialize)]
        $vis struct $name(pub &'static str);

        impl $crate::render::Shape for $name {
            const SCHEMA: $crate::render::schema::Schema =
                $crate::render::schema::Schema::OneOf(&[$($word),+]);
        }
    )+};
}

#[cfg(test)]
mod tests {
    use super::*;

    shape! {
        /// An object.
        struct Thing<'a> {
            /// its name
            name: &'a str,
            /// what it
            /// measures
            r#type: Option<Num>,
            /// when
            time: Option<Time>,
            /// parts
            parts: Vec<Num>,
        }
    }

    #[test]
    fn numbers_and_times_are_written_as_people_write_them() {
        let thing = |number| Thing {
            name: "a\"b",
            r#type: Some(Num(number)),
            time: Some(Time(Wall(0))),
            parts: vec![Num(0.1 + 0.2), Num(-1e-9), Num(f64::NAN)],
        };
        let want =
            r#"{"name":"a\"b","type":1967.7,"time":"1970-01-01T00:00:00Z","parts":[0.3,0,null]}"#;
        assert_eq!(text(&thing(19677.0 * 0.1), 0), want);
        assert!(text(&thing(270.0), 0).contains(r#""type":270,"#));
    }

    #[test]
    fn a_schema_has_the_members_in_their_order_with_their_words() {
        let Schema::Object(object) = Thing::SCHEMA else {
            panic!("it is an object");
        };
        let members: Vec<(&str, &str, String)> = (object.members.iter())
            .map(|member| (member.key(), member.words(), member.schema.words()))
            .collect();
        let want = [
            ("name", "its name", "text"),
            ("type", "what it measures", "number or null"),
            ("time", "when", "time or null"),
            ("parts", "parts", "list of number"),
        ];
        let want = want.map(|(key, about, schema)| (key, about, schema.to_owned()));
        assert_eq!(members, want);
    }
}
