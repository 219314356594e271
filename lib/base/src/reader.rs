//! Reads a table key by key. What is asked for is known; what is left over is an unknown key, reported with the nearest
//! known one. Values of the wrong type are reported by path, position and accepted form, never with their content.

use crate::problem::{Kind, Problems, shown};
use crate::suggest;
use std::borrow::Cow;
use std::fmt::Write;
use toml::de::{DeTable, DeValue};

/// A part of the file that has been parsed, and where it stands in the file.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Collects the errors.
    pub problems: &'a Problems,
    /// Offset in the part and in the file of each piece of the part, ascending.
    pub origin: &'a [(usize, usize)],
}

/// A table that is being read.
pub struct Reader<'a> {
    part: Part<'a>,
    path: String,
    at: usize,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
}

/// A value, its path and position.
pub struct Item<'a> {
    part: Part<'a>,
    /// Path of the key, such as `pdu[2].address`.
    pub path: String,
    /// Byte offset in the file.
    pub at: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Reader<'a> {
    /// Starts to read a table that begins at offset `at` of the file.
    pub fn new(part: Part<'a>, path: String, at: usize, table: &'a DeTable<'a>) -> Reader<'a> {
        Reader {
            part,
            path,
            at,
            table,
            known: Vec::with_capacity(16),
        }
    }

    /// The same table under another path.
    pub fn renamed(mut self, path: String) -> Reader<'a> {
        self.path = path;
        self
    }

    /// The same table, as far as it has been read.
    pub fn again(&self) -> Reader<'a> {
        Reader {
            known: self.known.clone(),
            ..Reader::new(self.part, self.path.clone(), self.at, self.table)
        }
    }

    /// The value of a key, if it is there.
    pub fn get(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        let value = self.table.get(key)?;
        Some(Item {
            part: self.part,
            path: self.path_of(key),
            at: original(self.part.origin, value.span().start),
            value: value.get_ref(),
        })
    }

    /// Like `get`, but its absence is an error that says what to write.
    pub fn need(&mut self, key: &'static str, example: &str) -> Option<Item<'a>> {
        let item = self.get(key);
        if item.is_none() {
            self.part.problems.push(
                self.at,
                Kind::Missing,
                &self.path_of(key),
                format!("is missing; write {key} = {example}"),
            );
        }
        item
    }

    /// The truth value of a key, or this one when it is absent.
    pub fn bool(&mut self, key: &'static str, default: bool) -> bool {
        self.get(key)
            .and_then(|item| item.bool())
            .unwrap_or(default)
    }

    /// The tables of an array of tables.
    pub fn tables(&mut self, key: &'static str) -> Vec<Reader<'a>> {
        let Some(item) = self.get(key) else {
            return Vec::new();
        };
        if item.is_table() {
            item.error(format!(
                "can stand here several times; write [[{}]]",
                item.path
            ));
            return Vec::new();
        }
        item.items()
            .into_iter()
            .filter_map(|item| item.table())
            .collect()
    }

    /// A table, if it is there.
    pub fn table(&mut self, key: &'static str) -> Option<Reader<'a>> {
        self.get(key)?.table()
    }

    /// Reports something about the table as a whole.
    pub fn error(&self, message: impl Into<String>) {
        self.part
            .problems
            .push(self.at, Kind::Value, &self.path, message);
    }

    /// Adds a warning, once.
    pub fn warn(&self, warning: impl Into<String>) {
        self.part.problems.warn(warning);
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self) {
        for (key, _) in self.table.iter() {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) {
                self.part.problems.push_near(
                    original(self.part.origin, key.span().start),
                    Kind::Value,
                    &self.path_of(&shown(name)),
                    "unknown key",
                    suggest::nearest(name, self.known.iter().copied()),
                );
            }
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

impl<'a> Item<'a> {
    /// Reports what is wrong with this value.
    pub fn error(&self, message: impl Into<String>) {
        self.part
            .problems
            .push(self.at, Kind::Value, &self.path, message);
    }

    /// Reports a name that does not exist, with the nearest that does.
    pub fn unknown<'c>(
        &self,
        message: &str,
        name: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) {
        let near = suggest::nearest(name, candidates);
        self.part
            .problems
            .push_near(self.at, Kind::Value, &self.path, message, near);
    }

    fn mismatch(&self, expected: &str) {
        let found = match self.value.type_str() {
            kind @ ("array" | "integer") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        self.error(format!("is {found}; write {expected}"));
    }

    /// True for a table.
    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// True for an array.
    pub fn is_array(&self) -> bool {
        self.value.is_array()
    }

    /// True for a string.
    pub fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// An integer with a sign.
    pub fn signed(&self) -> Option<i64> {
        let number = self
            .value
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        if number.is_none() {
            self.mismatch("a whole number");
        }
        number
    }

    /// A number, with or without a point.
    pub fn number(&self) -> Option<f64> {
        let text = match self.value {
            DeValue::Integer(number) => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => "",
        };
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            self.mismatch("a number");
        }
        number
    }

    /// A string.
    pub fn text(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.mismatch("a string in quotes");
        }
        text
    }

    /// A string that is not empty and has no control characters.
    pub fn line(&self) -> Option<&'a str> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.error("is empty");
            return None;
        }
        if text.contains(char::is_control) {
            self.error("has control characters");
            return None;
        }
        Some(text)
    }

    /// A truth value.
    pub fn bool(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.mismatch("true or false");
        }
        value
    }

    /// An integer in a range.
    pub fn integer(&self, from: u32, to: u32) -> Option<u32> {
        let number = self
            .value
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (from..=to).contains(number));
        if number.is_none() {
            self.error(format!(
                "write a whole number from {from} to {to}, without quotes"
            ));
        }
        number
    }

    /// A string that `read` understands. A number is handed to it as well, so that it can say which unit is missing.
    pub fn read<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let text: Cow<'_, str> = match self.value {
            DeValue::String(text) => Cow::Borrowed(text),
            DeValue::Integer(number) => Cow::Owned(number.to_string()),
            DeValue::Float(number) => Cow::Borrowed(number.as_str()),
            DeValue::Datetime(time) => Cow::Owned(time.to_string()),
            _ => {
                self.mismatch("a string in quotes");
                return None;
            }
        };
        match read(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.error(why);
                None
            }
        }
    }

    /// The entries of a table whose keys are names that the user chose.
    pub fn entries(&self) -> Vec<(&'a str, Item<'a>)> {
        let Some(table) = self.value.as_table() else {
            self.mismatch("a table");
            return Vec::new();
        };
        let entry = |(key, value): (
            &'a toml::Spanned<Cow<'a, str>>,
            &'a toml::Spanned<DeValue<'a>>,
        )| {
            let name: &str = key.get_ref();
            let item = Item {
                part: self.part,
                path: format!("{}.{}", self.path, shown(&quoted(name))),
                at: original(self.part.origin, value.span().start),
                value: value.get_ref(),
            };
            (name, item)
        };
        table.iter().map(entry).collect()
    }

    /// The elements of an array.
    pub fn items(&self) -> Vec<Item<'a>> {
        let Some(array) = self.value.as_array() else {
            self.mismatch("a list in [ ]");
            return Vec::new();
        };
        let element = |(index, value): (usize, &'a toml::Spanned<DeValue<'a>>)| Item {
            part: self.part,
            path: format!("{}[{index}]", self.path),
            at: original(self.part.origin, value.span().start),
            value: value.get_ref(),
        };
        array.iter().enumerate().map(element).collect()
    }

    /// A table to be read.
    pub fn table(&self) -> Option<Reader<'a>> {
        match self.value.as_table() {
            Some(table) => Some(Reader::new(self.part, self.path.clone(), self.at, table)),
            None => {
                self.mismatch("a table");
                None
            }
        }
    }
}

/// One of a few words.
pub fn one_of<'a>(item: &Item<'a>, accepted: &[&'a str]) -> Option<&'a str> {
    let text = item.text()?;
    let found = accepted.iter().find(|known| **known == text).copied();
    if found.is_none() {
        item.unknown(
            &format!("write {}", accepted.join(", ")),
            text,
            accepted.iter().copied(),
        );
    }
    found
}

/// The offset in the file of an offset in a part.
pub fn original(origin: &[(usize, usize)], at: usize) -> usize {
    let index = origin.partition_point(|(piece, _)| *piece <= at);
    match index.checked_sub(1).and_then(|index| origin.get(index)) {
        Some((piece, start)) => start + (at - piece),
        None => at,
    }
}

/// A TOML basic string.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for ch in text.chars() {
        match ch {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            ch if ch.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(ch));
            }
            ch => quoted.push(ch),
        }
    }
    quoted.push('"');
    quoted
}
