//! Reads as much YAML as configurations of pyTMbot have: maps and lists by indentation, lists in brackets, scalars with
//! and without quotes, comments. What else YAML knows (anchors, tags, blocks of text, maps in one line, several documents)
//! is refused with its line. Messages never quote a value, which may be a secret.

/// Deeper files are refused.
const MAX_DEPTH: usize = 16;

/// A value and the line where it begins.
#[derive(Debug, PartialEq)]
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) value: Value,
}

/// What a value is.
#[derive(Debug, PartialEq)]
pub(super) enum Value {
    /// Nothing, or `null`.
    Nothing,
    /// Text, without its quotes.
    Scalar(String),
    /// `- a`, or `[a, b]`
    List(Vec<Node>),
    /// `key: value`, in the order of the file.
    Map(Vec<(String, Node)>),
}

/// A line and what is wrong with it.
pub(super) type Problem = (usize, String);

/// Reads a whole file, whose top is a map.
pub(super) fn read(text: &str) -> Result<Vec<(String, Node)>, Problem> {
    let mut lines = Lines::new(text)?;
    let Some(first) = lines.peek() else {
        return Ok(Vec::new());
    };
    let node = block(&mut lines, first.indent, 0)?;
    if let Some(line) = lines.peek() {
        return Err(wrong(line.number, "stands too far to the left"));
    }
    match node.value {
        Value::Map(map) => Ok(map),
        _ => Err(wrong(node.line, "is not `key: value`")),
    }
}

/// A line without its comment, not blank.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

struct Lines<'a> {
    list: Vec<Line<'a>>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Result<Lines<'a>, Problem> {
        let mut list = Vec::new();
        for (index, whole) in text.lines().enumerate() {
            let number = index + 1;
            let text = without_comment(whole).trim_end();
            let body = text.trim_start_matches(' ');
            if body.trim().is_empty() || (body == "---" && list.is_empty()) {
                continue;
            }
            if body.starts_with('\t') {
                return Err(wrong(number, "is indented with a tab; YAML takes spaces"));
            }
            if text.starts_with("---") || text.starts_with("...") || text.starts_with('%') {
                return Err(wrong(number, "begins another document"));
            }
            list.push(Line {
                number,
                indent: text.len() - body.len(),
                text: body,
            });
        }
        Ok(Lines { list, next: 0 })
    }

    fn peek(&self) -> Option<Line<'a>> {
        self.list.get(self.next).copied()
    }
}

/// The line up to a `#` that begins a comment: at its start or behind a space, outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, ch) in line.char_indices() {
        match (quote, ch) {
            (Some(open), ch) if ch == open && !(open == '"' && before == '\\') => quote = None,
            (Some(_), _) => {}
            // A quote within a plain word is an apostrophe.
            (None, '"' | '\'') if " [,".contains(before) => quote = Some(ch),
            (None, '#') if before.is_whitespace() => return &line[..at],
            (None, _) => {}
        }
        before = ch;
    }
    line
}

/// The lines from here on that are indented by exactly `indent`: a list or a map.
fn block(lines: &mut Lines<'_>, indent: usize, depth: usize) -> Result<Node, Problem> {
    let Some(first) = lines.peek() else {
        return Err(wrong(0, "is empty"));
    };
    if depth == MAX_DEPTH {
        return Err(wrong(first.number, "is nested too deeply"));
    }
    let value = match is_element(first.text) {
        true => list(lines, indent, depth)?,
        false => map(lines, indent, depth)?,
    };
    Ok(Node {
        line: first.number,
        value,
    })
}

fn is_element(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

fn list(lines: &mut Lines<'_>, indent: usize, depth: usize) -> Result<Value, Problem> {
    let mut items = Vec::new();
    while let Some(line) = lines.peek().filter(|line| line.indent >= indent) {
        if line.indent > indent || !is_element(line.text) {
            // A key beside a list that is not indented belongs to the map around it.
            match line.indent == indent {
                true => break,
                false => return Err(wrong(line.number, "is indented unlike the lines above it")),
            }
        }
        lines.next += 1;
        let text = line.text[1..].trim();
        let value = match text {
            // What follows the dash is indented as it stands.
            _ if key(text).is_some() => {
                lines.next -= 1;
                let own = &mut lines.list[lines.next];
                own.indent += own.text.len() - text.len();
                own.text = text;
                let indent = own.indent;
                block(lines, indent, depth + 1)?.value
            }
            "" => nested(lines, indent + 1, depth)?.map_or(Value::Nothing, |node| node.value),
            text => value(lines, text, line.number)?,
        };
        items.push(Node {
            line: line.number,
            value,
        });
    }
    Ok(Value::List(items))
}

fn map(lines: &mut Lines<'_>, indent: usize, depth: usize) -> Result<Value, Problem> {
    let mut entries: Vec<(String, Node)> = Vec::new();
    while let Some(line) = lines.peek().filter(|line| line.indent >= indent) {
        if line.indent > indent {
            return Err(wrong(line.number, "is indented unlike the lines above it"));
        }
        let Some((key, rest)) = key(line.text) else {
            return Err(wrong(line.number, "is not `key: value`"));
        };
        lines.next += 1;
        let key = match scalar(key, line.number)? {
            Value::Scalar(key) => key,
            _ => return Err(wrong(line.number, "has no name before the colon")),
        };
        if entries.iter().any(|(known, _)| *known == key) {
            return Err(wrong(line.number, &format!("`{key}` stands here twice")));
        }
        let node = match rest {
            "" => {
                let is_list_beside =
                    |next: &Line<'_>| next.indent == indent && is_element(next.text);
                let from = match lines.peek().as_ref().is_some_and(is_list_beside) {
                    true => indent,
                    false => indent + 1,
                };
                nested(lines, from, depth)?
            }
            text => Some(Node {
                line: line.number,
                value: value(lines, text, line.number)?,
            }),
        };
        let node = node.unwrap_or(Node {
            line: line.number,
            value: Value::Nothing,
        });
        entries.push((key, node));
    }
    Ok(Value::Map(entries))
}

/// What stands below a key or a dash, if anything is indented that far.
fn nested(lines: &mut Lines<'_>, from: usize, depth: usize) -> Result<Option<Node>, Problem> {
    match lines.peek() {
        Some(line) if line.indent >= from => block(lines, line.indent, depth + 1).map(Some),
        _ => Ok(None),
    }
}

/// Splits `key: rest` and `key:`.
fn key(text: &str) -> Option<(&str, &str)> {
    let from = match text.chars().next()? {
        quote @ ('"' | '\'') => text[1..].find(quote)? + 2,
        '[' | '{' => return None,
        _ => 0,
    };
    let at = text[from..]
        .match_indices(':')
        .map(|(at, _)| from + at)
        .find(|at| text[at + 1..].is_empty() || text[at + 1..].starts_with(' '))?;
    Some((text[..at].trim(), text[at + 1..].trim()))
}

/// A value, whose list may go on to further lines.
fn value(lines: &mut Lines<'_>, text: &str, line: usize) -> Result<Value, Problem> {
    if !text.starts_with('[') || text.ends_with(']') {
        return scalar(text, line);
    }
    let mut whole = text.to_owned();
    while !whole.ends_with(']') {
        let Some(next) = lines.peek() else {
            return Err(wrong(line, "has a list that does not end"));
        };
        lines.next += 1;
        whole.push(' ');
        whole.push_str(next.text);
    }
    scalar(&whole, line)
}

/// A value in one line.
fn scalar(text: &str, line: usize) -> Result<Value, Problem> {
    let refused = |what: &str| Err(wrong(line, &format!("has {what}, which is not read")));
    match text.chars().next() {
        None => Ok(Value::Nothing),
        Some('[') => flow(text, line),
        Some('{') if text.trim_matches(['{', '}', ' ']).is_empty() => Ok(Value::Nothing),
        Some('{') => refused("a map in one line"),
        Some('&' | '*') => refused("an anchor"),
        Some('!') => refused("a tag"),
        Some('|' | '>') => refused("a block of text"),
        Some('?' | '@' | '`') => refused("a sign that YAML reserves"),
        Some(quote @ ('"' | '\'')) => quoted(text, quote, line).map(Value::Scalar),
        Some(_) if ["null", "Null", "NULL", "~"].contains(&text) => Ok(Value::Nothing),
        Some(_) => Ok(Value::Scalar(text.to_owned())),
    }
}

/// `[a, 'b']`
fn flow(text: &str, line: usize) -> Result<Value, Problem> {
    let open = || wrong(line, "has a list that does not end");
    let inner = text[1..].strip_suffix(']').ok_or_else(open)?;
    // The last value may have its comma too.
    let inner = inner.trim_end();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    if inner.trim().is_empty() {
        return Ok(Value::List(Vec::new()));
    }
    let mut items = Vec::new();
    for part in inner.split(',') {
        let part = part.trim();
        if part.is_empty() || part.starts_with(['[', '{']) {
            return Err(wrong(line, "has a list of something else than values"));
        }
        items.push(Node {
            line,
            value: scalar(part, line)?,
        });
    }
    Ok(Value::List(items))
}

fn quoted(text: &str, quote: char, line: usize) -> Result<String, Problem> {
    let open = || wrong(line, "has quotes that do not end in its line");
    let inner = text[1..].strip_suffix(quote).ok_or_else(open)?;
    if quote == '\'' {
        let is_whole = inner.replace("''", "").find('\'').is_none();
        return is_whole.then(|| inner.replace("''", "'")).ok_or_else(open);
    }
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(ch) = chars.next() {
        match ch {
            '"' => return Err(open()),
            '\\' => match chars.next() {
                Some(ch @ ('\\' | '"' | '/')) => out.push(ch),
                Some(_) => return Err(wrong(line, "has an escape that is not read")),
                None => return Err(open()),
            },
            ch => out.push(ch),
        }
    }
    Ok(out)
}

fn wrong(line: usize, what: &str) -> Problem {
    (line, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a=1 b=[x y] c={d=2}`
    fn shown(value: &Value) -> String {
        match value {
            Value::Nothing => "-".to_owned(),
            Value::Scalar(text) => text.clone(),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(|item| shown(&item.value)).collect();
                format!("[{}]", items.join(" "))
            }
            Value::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{key}={}", shown(&node.value)))
                    .collect();
                format!("{{{}}}", entries.join(" "))
            }
        }
    }

    #[test]
    fn what_configurations_have_is_read() {
        for (text, want) in [
            ("", "{}"),
            ("# only a comment\n---\n", "{}"),
            ("a: 1\nb: two words\n", "{a=1 b=two words}"),
            ("a:\n  - 1\n  - -2 # note\nb:\n", "{a=[1 -2] b=-}"),
            ("a:\n- 1\n- 2\nb: 3", "{a=[1 2] b=3}"),
            (
                "a:\n  b:\n    c:\n      - ''\n  d: null\n",
                "{a={b={c=[]} d=-}}",
            ),
            ("a: [1, 'x y', \"z\"]\nb: []\n", "{a=[1 x y z] b=[]}"),
            ("a: 'it''s' # x\nb: \"q\\\"#\"\n", "{a=it's b=q\"#}"),
            (
                "u: unix:///run/x.sock\nw: a#b\n",
                "{u=unix:///run/x.sock w=a#b}",
            ),
            ("'a b': 1\r\nc: don't # it's\r\n", "{a b=1 c=don't}"),
            ("a: [\n  1,  # one\n  2,\n]\nb: 3\n", "{a=[1 2] b=3}"),
            ("a:\n  - [1,\n     2]\n  - x\n", "{a=[[1 2] x]}"),
            (
                "a:\n  - b: 1\n    c: [2]\n  - b: 3\n    d:\n    - 4\ne: 5\n",
                "{a=[{b=1 c=[2]} {b=3 d=[4]}] e=5}",
            ),
            ("a:\n- b: 1\n  c: 2\n- d\n", "{a=[{b=1 c=2} d]}"),
        ] {
            let map = read(text).unwrap_or_else(|problem| panic!("{problem:?}\n{text}"));
            assert_eq!(shown(&Value::Map(map)), want, "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        for (text, line, what) in [
            ("a: 1\n  b: 2\n", 2, "indented unlike"),
            ("  a: 1\nb: 2\n", 2, "too far to the left"),
            ("a:\n\t- 1\n", 2, "tab"),
            ("a: &x 1\n", 1, "anchor"),
            ("a: *x\n", 1, "anchor"),
            ("a: !!int 1\n", 1, "tag"),
            ("a: |\n  x\n", 1, "block"),
            ("a: {b: 1}\n", 1, "map in one line"),
            ("a: 1\n---\nb: 2\n", 2, "another document"),
            ("a:\n  - b: 1\n     c: 2\n", 3, "indented unlike"),
            ("a:\n  - b: 1\n   c: 2\n", 3, "indented unlike"),
            ("- 1\n", 1, "not `key: value`"),
            ("a: 1\na: 2\n", 2, "twice"),
            ("a: [1,\n  2\n", 1, "does not end"),
            ("a: [1,\nb: 2\nc: s3cr3t\n", 1, "does not end"),
            ("a: 's3cr3t\n", 1, "quotes"),
            ("a: one\n  two\n", 2, "indented unlike"),
            ("just words\n", 1, "not `key: value`"),
        ] {
            let (at, problem) = read(text).expect_err(text);
            assert_eq!(at, line, "{text}");
            assert!(problem.contains(what), "{problem}\n{text}");
            assert!(!problem.contains("s3cr3t"));
        }
        let deep: String = (0..40)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect();
        assert_eq!(read(&deep).expect_err("deep").1, "is nested too deeply");
    }

    #[test]
    fn whatever_bytes_come_nothing_panics() {
        let pieces = [
            "a:", " ", "\n", "- ", "'", "\"", "[", "]", ",", "#", "\\", "é", "{", "-", ":", "1",
        ];
        let mut seed = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text += pieces[(seed >> 60) as usize];
            }
            let _ = read(&text);
        }
    }
}
