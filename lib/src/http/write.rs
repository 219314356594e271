//! Writes JSON and plain numbers. Bodies are written in one pass into one string, without a tree of values in between.

use crate::time::Wall;
use std::fmt::Write as _;

/// Builds one JSON document. Commas are its business; the caller's is to close what it opened.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    needs_comma: bool,
}

impl Writer {
    /// An empty document with room for `capacity` bytes.
    pub fn new(capacity: usize) -> Writer {
        Writer {
            out: String::with_capacity(capacity),
            needs_comma: false,
        }
    }

    /// Writes an object whose members `members` writes.
    pub fn object(&mut self, members: impl FnOnce(&mut Writer)) {
        self.nested('{', '}', members);
    }

    /// Writes an array whose elements `elements` writes.
    pub fn array(&mut self, elements: impl FnOnce(&mut Writer)) {
        self.nested('[', ']', elements);
    }

    /// Writes a member's key; its value comes next.
    pub fn key(&mut self, key: &str) -> &mut Writer {
        self.comma();
        push_quoted(&mut self.out, key);
        self.out.push(':');
        self.needs_comma = false;
        self
    }

    /// Writes a string.
    pub fn text(&mut self, text: &str) {
        self.comma();
        push_quoted(&mut self.out, text);
    }

    /// Writes a string or null.
    pub fn text_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }

    /// Writes a number, or null for `None` and for what is not finite.
    pub fn number(&mut self, value: Option<f64>) {
        match value {
            Some(value) if value.is_finite() => {
                self.comma();
                push_number(&mut self.out, value);
            }
            _ => self.null(),
        }
    }

    /// Writes a whole number.
    pub fn integer(&mut self, value: u64) {
        self.comma();
        let _ = write!(self.out, "{value}");
    }

    /// Writes a time as RFC 3339 in UTC, or null.
    pub fn time(&mut self, time: Option<Wall>) {
        match time {
            Some(time) => self.text(&time.rfc3339()),
            None => self.null(),
        }
    }

    /// Writes `true` or `false`.
    pub fn boolean(&mut self, value: bool) {
        self.comma();
        self.out.push_str(if value { "true" } else { "false" });
    }

    /// Writes null.
    pub fn null(&mut self) {
        self.comma();
        self.out.push_str("null");
    }

    /// Writes a whole JSON document as a value.
    pub fn document(&mut self, json: &str) {
        self.comma();
        self.out.push_str(json);
    }

    /// The document.
    pub fn finish(self) -> String {
        self.out
    }

    fn nested(&mut self, open: char, close: char, inside: impl FnOnce(&mut Writer)) {
        self.comma();
        self.out.push(open);
        self.needs_comma = false;
        inside(self);
        self.out.push(close);
        self.needs_comma = true;
    }

    fn comma(&mut self) {
        if self.needs_comma {
            self.out.push(',');
        }
        self.needs_comma = true;
    }
}

/// Adds a number as short as it can be written: `270`, `1967.7`. More than six decimals are noise of
/// binary sums (`0.1 + 0.2`), so they are rounded away.
pub fn push_number(out: &mut String, value: f64) {
    const EXACT: f64 = 9e15;
    if value.fract() == 0.0 && value.abs() < EXACT {
        let _ = write!(out, "{}", value as i64);
        return;
    }
    let rounded = (value * 1e6).round() / 1e6;
    let value = if value.abs() < 1e9 { rounded } else { value };
    // A small negative value rounds to -0, which reads like a mistake.
    let _ = write!(out, "{}", if value == 0.0 { 0.0 } else { value });
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for ch in text.chars() {
        match ch {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ch if ch < ' ' || ch == '\u{7f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(ch));
            }
            ch => out.push(ch),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_exact() {
        for (value, want) in [
            (270.0, "270"),
            (1967.7, "1967.7"),
            (19677.0 * 0.1, "1967.7"),
            (0.1 + 0.2, "0.3"),
            (-12.5, "-12.5"),
            (-1e-9, "0"),
            (0.000_001, "0.000001"),
            (4_444_200_000.0, "4444200000"),
            (1e21, "1000000000000000000000"),
        ] {
            let mut out = String::new();
            push_number(&mut out, value);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn a_document_reads_back() {
        let mut json = Writer::new(64);
        json.object(|json| {
            json.key("a\"b").text("c\\\n\u{1}é");
            json.key("none").number(Some(f64::NAN));
            json.key("list").array(|json| {
                json.integer(1);
                json.boolean(false);
                json.object(|_| {});
            });
        });
        let value: serde_json::Value = serde_json::from_str(&json.finish()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"a\"b": "c\\\n\u{1}é", "none": null, "list": [1, false, {}]})
        );
    }
}
