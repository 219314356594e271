//! What is wrong with a configuration, and where. Problems are collected by byte offset; lines and columns are counted
//! once at the end.

use std::cell::RefCell;
use std::fmt;

/// One error in a configuration file. Prints as one line and never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// Path of the key, such as `pdu[2].address`; empty for errors of syntax.
    pub key: String,
    /// What is wrong and what is accepted.
    pub message: String,
    /// The nearest thing that exists, for a key or name that does not.
    pub suggestion: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// What sort of problem it is; decides whether it still means something beside an error of syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text is not TOML.
    Syntax,
    /// A value is wrong.
    Value,
    /// Something is not there.
    Missing,
}

#[derive(Debug)]
struct Problem {
    at: usize,
    kind: Kind,
    key: String,
    message: String,
    suggestion: Option<String>,
}

/// Collects problems and warnings while a configuration is read.
#[derive(Debug, Default)]
pub struct Problems {
    errors: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<String>>,
}

impl Problems {
    /// Adds an error at a byte offset of the file.
    pub fn push(&self, at: usize, kind: Kind, key: &str, message: impl Into<String>) {
        self.push_near(at, kind, key, message, None);
    }

    /// Like `push`, with the nearest thing that exists.
    pub fn push_near(
        &self,
        at: usize,
        kind: Kind,
        key: &str,
        message: impl Into<String>,
        suggestion: Option<&str>,
    ) {
        self.errors.borrow_mut().push(Problem {
            at,
            kind,
            key: shown(key),
            // What was written may hold anything; an error is one line.
            message: message.into().replace(char::is_control, " "),
            suggestion: suggestion.map(str::to_owned),
        });
    }

    /// Adds a warning, once.
    pub fn warn(&self, warning: impl Into<String>) {
        let warning = warning.into();
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// The warnings so far, which are then forgotten.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// The errors in the order of the file. Beside errors of syntax, those that these may have caused are left out:
    /// what is missing, and what stands in the same line.
    pub fn into_errors(self, file: &str, text: &str) -> Vec<ConfigError> {
        let lines = Lines::new(text);
        let mut problems = self.errors.into_inner();
        let broken: Vec<usize> = problems
            .iter()
            .filter(|problem| problem.kind == Kind::Syntax)
            .map(|problem| lines.position(problem.at).0)
            .collect();
        crate::small::sort_by_key(&mut problems, |problem| problem.at);
        let mut errors: Vec<ConfigError> = Vec::with_capacity(problems.len());
        for problem in problems {
            let (line, column) = lines.position(problem.at);
            let is_consequence = match problem.kind {
                Kind::Syntax => false,
                Kind::Missing => !broken.is_empty(),
                Kind::Value => broken.contains(&line),
            };
            if is_consequence {
                continue;
            }
            let error = ConfigError {
                file: file.to_owned(),
                line,
                column,
                key: problem.key,
                message: problem.message,
                suggestion: problem.suggestion,
            };
            if errors.last() != Some(&error) {
                errors.push(error);
            }
        }
        errors
    }
}

/// A key as an error shows it: without control characters, and not endless.
pub fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .filter(|ch| !ch.is_control())
        .take(120)
        .collect();
    if text.chars().count() > 120 {
        shown.push('…');
    }
    shown
}

/// Where lines begin.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines {
            text,
            starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// Line and column of a byte offset.
    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let end = (0..=at.min(self.text.len()))
            .rev()
            .find(|end| self.text.is_char_boundary(*end))
            .unwrap_or(start);
        let column = self
            .text
            .get(start..end)
            .map_or(0, |head| head.chars().count());
        (line, column + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let lines = Lines::new("äb\ncd\n");
        for (at, want) in [
            (0, (1, 1)),
            (2, (1, 2)),
            (4, (2, 1)),
            (5, (2, 2)),
            (7, (3, 1)),
            (99, (3, 1)),
        ] {
            assert_eq!(lines.position(at), want, "{at}");
        }
        assert_eq!(Lines::new("").position(0), (1, 1));
    }

    #[test]
    fn what_a_syntax_error_may_have_caused_is_left_out() {
        let problems = Problems::default();
        problems.push(3, Kind::Missing, "a", "missing");
        problems.push(1, Kind::Syntax, "", "broken");
        problems.push(0, Kind::Value, "b", "same line");
        problems.push(5, Kind::Value, "c", "other line");
        let errors = problems.into_errors("f", "xxx\nyyy");
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["f:1:2: broken", "f:2:2: c: other line"]);
    }
}
