//! Splits a configuration into the tables of its long arrays and the rest, so that ten thousand of them are read one at
//! a time instead of as one tree of more than twenty times the size of the file.

/// The parts of a file. Offsets into the rest are mapped back to the file by `origin`.
pub(super) struct Source<'a> {
    /// The whole file.
    pub(super) text: &'a str,
    /// The tables of long arrays.
    pub(super) long: Vec<Piece<'a>>,
    /// Everything else.
    pub(super) rest: String,
    /// Offset in the rest and in the file of each piece of the rest, ascending.
    pub(super) origin: Vec<(usize, usize)>,
}

/// One table of a long array, its sub-tables included.
pub(super) struct Piece<'a> {
    pub(super) table: &'static str,
    /// Start in the file.
    pub(super) at: usize,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// Cuts the tables of these arrays out.
    pub(super) fn split(text: &'a str, long: &[&'static str]) -> Source<'a> {
        let mut source = Source {
            text,
            long: Vec::new(),
            rest: String::new(),
            origin: Vec::new(),
        };
        let mut start = 0;
        let mut inside = None;
        for (at, header) in headers(text) {
            if inside.is_none_or(|table| !is_below(header, table)) {
                source.push(start, &text[start..at], inside);
                start = at;
                inside = long.iter().copied().find(|table| begins(header, table));
            }
        }
        source.push(start, &text[start..], inside);
        source
    }

    fn push(&mut self, at: usize, text: &'a str, table: Option<&'static str>) {
        if let Some(table) = table {
            self.long.push(Piece { table, at, text });
        } else if !text.is_empty() {
            self.origin.push((self.rest.len(), at));
            self.rest.push_str(text);
        }
    }
}

/// Whether an element of this array begins.
fn begins(header: &str, table: &str) -> bool {
    let inner = header
        .strip_prefix("[[")
        .and_then(|rest| rest.split_once("]]"));
    inner.is_some_and(|(name, _)| name.trim() == table)
}

fn is_below(header: &str, table: &str) -> bool {
    let name = header.trim_start_matches('[').trim_start();
    name.strip_prefix(table)
        .is_some_and(|rest| rest.trim_start().starts_with('.'))
}

/// Every `[[table]]` of this name with what is below it, as it was written.
pub(super) fn written(text: &str, table: &str) -> String {
    let is_one = |header: &str| {
        let name = header.trim_start_matches('[').split(']').next();
        name.is_some_and(|name| name.trim() == table) || is_below(header, table)
    };
    let mut found = String::new();
    let mut start = None;
    for (at, header) in headers(text).chain([(text.len(), "")]) {
        if let Some(start) = start {
            found.push_str(&text[start..at]);
        }
        start = is_one(header).then_some(at);
    }
    found
}

/// Start of the line and text of each table header outside of strings and arrays.
fn headers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut state = State::Between;
    let mut depth = 0usize;
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let is_header = state == State::Between && depth == 0 && line.trim_start().starts_with('[');
        (state, depth) = after(line, state, if is_header { 0 } else { depth });
        if is_header {
            // Whatever a malformed header leaves open does not reach into the next line.
            (state, depth) = (State::Between, 0);
            return Some((start, line.trim_start()));
        }
        None
    })
}

/// What the end of a line is inside of. Strings of one line end with it.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Between,
    Basic,
    Literal,
}

/// State and depth of brackets after a line.
fn after(line: &str, mut state: State, mut depth: usize) -> (State, usize) {
    let mut rest = line;
    while let Some(ch) = rest.chars().next() {
        let mut step = ch.len_utf8();
        match state {
            State::Basic if rest.starts_with("\"\"\"") => (state, step) = (State::Between, 3),
            State::Basic if ch == '\\' => {
                step += rest[1..].chars().next().map_or(0, char::len_utf8)
            }
            State::Literal if rest.starts_with("'''") => (state, step) = (State::Between, 3),
            State::Basic | State::Literal => {}
            State::Between => match ch {
                '#' => return (state, depth),
                '"' if rest.starts_with("\"\"\"") => (state, step) = (State::Basic, 3),
                '\'' if rest.starts_with("'''") => (state, step) = (State::Literal, 3),
                '"' | '\'' => step = one_line_string(rest, ch),
                '[' | '{' => depth += 1,
                ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            },
        }
        rest = rest.get(step..).unwrap_or("");
    }
    (state, depth)
}

/// Length of the string that `text` starts with, or of the line when it does not end in it.
fn one_line_string(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, ch) in text.char_indices().skip(1) {
        if ch == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = quote == '"' && ch == '\\' && !is_escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::original;

    fn split(text: &str) -> (String, Vec<&str>) {
        let source = Source::split(text, &["pdu"]);
        let long = source.long.into_iter().map(|piece| piece.text).collect();
        (source.rest, long)
    }

    #[test]
    fn pdu_tables_are_cut_out_with_their_sub_tables() {
        let text =
            "name = 'x'\n[[pdu]]\na = 1\n[pdu.snmp_v3]\nu = 1\n[[ pdu ]] # two\n[[team]]\nb = 2\n";
        let (rest, pdus) = split(text);
        assert_eq!(rest, "name = 'x'\n[[team]]\nb = 2\n");
        assert_eq!(
            pdus,
            [
                "[[pdu]]\na = 1\n[pdu.snmp_v3]\nu = 1\n",
                "[[ pdu ]] # two\n"
            ]
        );
    }

    #[test]
    fn headers_inside_strings_and_arrays_are_none() {
        for text in [
            "a = \"\"\"\n[[pdu]]\n\"\"\"\n",
            "a = '''\n[[pdu]]\n'''\n",
            "a = [\n[[pdu]],\n]\n",
            "# [[pdu]]\n",
            "a = \"\"\"x\\\"\"\"\"\n\"\"\" # \"\"\"\n",
        ] {
            assert_eq!(split(text), (text.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let text = "a = \"[\" # [\nb = '{'\nc = \"\\\"[\"\n[[pdu]]\n";
        assert_eq!(split(text).1, ["[[pdu]]\n"]);
    }

    #[test]
    fn offsets_lead_back_to_the_file() {
        let text = "a = 1\n[[pdu]]\nb = 2\n[x]\nc = 3\n";
        let source = Source::split(text, &["pdu"]);
        for needle in ["a = 1", "c = 3", "[x]"] {
            let at = source.rest.find(needle).expect(needle);
            assert_eq!(Some(original(&source.origin, at)), text.find(needle));
        }
    }
}
