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
            Some(time) => {
                self.comma();
                self.out.push('"');
                push_time(&mut self.out, time);
                self.out.push('"');
            }
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

/// Adds a time as `Wall::rfc3339` prints it, without a general formatter: there are two for each PDU.
fn push_time(out: &mut String, time: Wall) {
    const DAY: i64 = 86_400;
    /// Days from 1 March of the year 0 to the epoch; years that begin in March end with the leap day.
    const EPOCH: i64 = 719_468;
    /// Days of four centuries, after which the calendar repeats.
    const ERA: i64 = 146_097;
    let seconds = time.unix_seconds();
    let days = seconds.div_euclid(DAY) + EPOCH;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    if !(0..=9999).contains(&year) {
        return out.push_str(&time.rfc3339());
    }
    let of_day = seconds.rem_euclid(DAY);
    let mut digits = |value: i64, width: u32, after: char| {
        for place in (0..width).rev() {
            let digit = value / 10i64.pow(place) % 10;
            out.push(char::from(b'0' + digit as u8));
        }
        out.push(after);
    };
    digits(year, 4, '-');
    digits(month, 2, '-');
    digits(day, 2, 'T');
    digits(of_day / 3600, 2, ':');
    digits(of_day / 60 % 60, 2, ':');
    digits(of_day % 60, 2, 'Z');
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let is_special = |byte: u8| byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f);
    if !text.bytes().any(is_special) {
        out.push_str(text);
        out.push('"');
        return;
    }
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
    fn times_are_those_of_the_calendar() {
        let mut rng = crate::rng::Rng::new(3);
        let days = (-800_000..800_000).step_by(97).map(|day| day * 86_400_000);
        let anywhere = (0..2000).map(|_| (rng.next_u64() >> 13) as i64 - (1 << 50));
        for millis in days.chain(anywhere).chain([0, -1, i64::MAX, i64::MIN]) {
            let mut out = String::new();
            push_time(&mut out, Wall(millis));
            assert_eq!(out, Wall(millis).rfc3339(), "{millis}");
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
