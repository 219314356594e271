//! Text for people, built from typed spans, so that no name can break any markup.

use std::fmt::Write as _;

/// How a span looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Style {
    /// As is.
    Plain,
    /// Strong.
    Bold,
    /// Emphasised.
    Italic,
    /// Fixed width within a line.
    Code,
    /// A fixed-width block, for tables.
    Pre,
}

/// A piece of text in one style.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// How it looks.
    pub style: Style,
    /// What it says; any character is data.
    pub text: String,
}

/// A text made of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Text {
    spans: Vec<Span>,
}

impl Text {
    /// An empty text.
    pub fn new() -> Text {
        Text::default()
    }

    /// Adds plain text.
    #[must_use]
    pub fn plain(self, text: impl Into<String>) -> Text {
        self.span(Style::Plain, text)
    }

    /// Adds strong text.
    #[must_use]
    pub fn bold(self, text: impl Into<String>) -> Text {
        self.span(Style::Bold, text)
    }

    /// Adds emphasised text.
    #[must_use]
    pub fn italic(self, text: impl Into<String>) -> Text {
        self.span(Style::Italic, text)
    }

    /// Adds fixed-width text.
    #[must_use]
    pub fn code(self, text: impl Into<String>) -> Text {
        self.span(Style::Code, text)
    }

    /// Adds a fixed-width block.
    #[must_use]
    pub fn pre(self, text: impl Into<String>) -> Text {
        self.span(Style::Pre, text)
    }

    /// Adds a line feed.
    #[must_use]
    pub fn line(self) -> Text {
        self.span(Style::Plain, "\n")
    }

    /// Adds a span.
    #[must_use]
    pub fn span(mut self, style: Style, text: impl Into<String>) -> Text {
        self.push(style, text);
        self
    }

    /// Adds a span in place.
    pub fn push(&mut self, style: Style, text: impl Into<String>) {
        let text = clean(text.into());
        if text.is_empty() {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if last.style == style && style != Style::Pre => last.text.push_str(&text),
            _ => self.spans.push(Span { style, text }),
        }
    }

    /// Adds all spans of another text.
    pub fn append(&mut self, other: Text) {
        for span in other.spans {
            self.push(span.style, span.text);
        }
    }

    /// The spans.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// True when nothing was added.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Without any markup, for terminals and logs.
    pub fn to_plain(&self) -> String {
        let mut out = String::new();
        for span in &self.spans {
            if span.style == Style::Pre && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(&span.text);
        }
        out
    }

    /// Telegram's HTML subset. Only `& < >` are special in it.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        for span in &self.spans {
            let (open, close) = match span.style {
                Style::Plain => ("", ""),
                Style::Bold => ("<b>", "</b>"),
                Style::Italic => ("<i>", "</i>"),
                Style::Code => ("<code>", "</code>"),
                Style::Pre => ("<pre>", "</pre>"),
            };
            if span.style == Style::Pre && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            out.push_str(open);
            escape_html(&span.text, &mut out);
            out.push_str(close);
        }
        out
    }

    /// Length in UTF-16 units without markup, the unit of Telegram's limits.
    pub fn utf16_len(&self) -> usize {
        self.spans
            .iter()
            .map(|span| span.text.encode_utf16().count())
            .sum()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::new().plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text::new().plain(text)
    }
}

/// Escapes `& < >` and both quotes, for text and attribute values.
pub fn escape_html(text: &str, out: &mut String) {
    for ch in text.chars() {
        match ch {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => {
                let _ = write!(out, "&#{};", 39);
            }
            ch => out.push(ch),
        }
    }
}

/// Takes out control characters (but line feed and tab) and bidirectional overrides: text from devices
/// and people must not be able to move a cursor or to fake another line.
pub fn clean(text: String) -> String {
    if text.chars().all(is_harmless) {
        text
    } else {
        text.chars().filter(|ch| is_harmless(*ch)).collect()
    }
}

fn is_harmless(ch: char) -> bool {
    let is_override =
        matches!(ch, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    ch == '\n' || ch == '\t' || !(ch.is_control() || is_override)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_markup() {
        let text = Text::new().bold("<b>&\u{1b}[2J").plain(" \u{202e}x");
        assert_eq!(text.to_html(), "<b>&lt;b&gt;&amp;[2J</b> x");
        assert_eq!(text.to_plain(), "<b>&[2J x");
    }

    #[test]
    fn length_counts_utf16_units() {
        assert_eq!(Text::from("a😀").utf16_len(), 3);
    }
}
