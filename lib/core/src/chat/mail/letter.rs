//! How a mail is written (RFC 5322, RFC 2045 to 2047): one text in UTF-8 as quoted-printable, so that every line is
//! short and ASCII. Its Message-ID is the same whenever the same message is sent again.

use crate::chat::transport::Outgoing;
use crate::config::{Config, MailConfig};
use crate::time::Wall;
use std::fmt::Write as _;

/// Longer subjects are cut.
const MAX_SUBJECT_CHARS: usize = 140;
/// RFC 2045: a line has at most 76 characters, the last of which may be the soft break.
const LINE_CHARS: usize = 75;
/// RFC 2047: an encoded word has at most 75 characters; `=?utf-8?Q?` and `?=` are twelve of them.
const WORD_CHARS: usize = 63;
/// 2020-01-01: a clock that says less has not been set.
const CLOCK_IS_SET: Wall = Wall(1_577_836_800_000);

/// What is remembered of a mail until it is accepted.
pub(super) struct Letter {
    /// Its Message-ID, with the angle brackets.
    pub(super) id: String,
    /// The alerts that it is about.
    pub(super) alerts: Vec<String>,
    /// Says that they are over.
    pub(super) is_end: bool,
    /// The mails that it follows.
    references: Vec<String>,
}

impl Letter {
    pub(super) fn new(
        message: &Outgoing,
        alerts: Vec<String>,
        references: Vec<String>,
        server: &MailConfig,
    ) -> Letter {
        let host = server.from.rsplit_once('@').map_or("", |(_, host)| host);
        Letter {
            id: format!(
                "<{:x}.{:x}.{:08x}@{host}>",
                message.identity, message.created.0, message.checksum
            ),
            alerts,
            is_end: message.topic.as_ref().is_some_and(|topic| topic.is_end),
            references,
        }
    }

    /// The mail as it goes over the wire.
    pub(super) fn written(
        &self,
        message: &Outgoing,
        to: &str,
        server: &MailConfig,
        config: &Config,
    ) -> Vec<u8> {
        let zone = &config.notify.timezone;
        let mut out = String::with_capacity(1024);
        let from = match server.from_name.as_str() {
            "" => server.from.clone(),
            name => format!("{} <{}>", words(name, true), server.from),
        };
        let at = message.created;
        let header = |out: &mut String, name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{name}: {value}\r\n");
        };
        header(&mut out, "From", &from);
        header(&mut out, "To", to);
        header(
            &mut out,
            "Subject",
            &words(&self.subject(message, config), false),
        );
        if at >= CLOCK_IS_SET {
            let date = at.mail_date(zone);
            header(&mut out, "Date", &date.to_string());
        }
        header(&mut out, "Message-ID", &self.id);
        if let Some(parent) = self.references.first() {
            header(&mut out, "In-Reply-To", parent);
            header(&mut out, "References", &self.references.join("\r\n "));
        }
        for (name, value) in [
            ("Auto-Submitted", "auto-generated"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "quoted-printable"),
        ] {
            header(&mut out, name, value);
        }
        let mut body = message.text.to_plain();
        if let Some(document) = &message.document {
            body.push_str("\n\n");
            body.push_str(&String::from_utf8_lossy(&document.bytes));
        }
        let _ = write!(body, "\n\n-- \n{}, {}", config.name, at.local(zone));
        if !self.alerts.is_empty() {
            let _ = write!(body, "\n{}", self.alerts.join("\n"));
        }
        out.push_str("\r\n");
        for line in body.lines() {
            quoted_printable(line, &mut out);
            out.push_str("\r\n");
        }
        out.into_bytes()
    }

    /// `[rack] critical: power.limit:alpha: Team Alpha (alpha): above power limit: 3120 W > 3000 W`
    fn subject(&self, message: &Outgoing, config: &Config) -> String {
        let agent = &config.name;
        let plain = message.text.to_plain();
        let first = plain.lines().next().unwrap_or_default();
        // The message begins with a mark and the agent's name, which stand in front already.
        let first = match first.split_once(&format!(" {agent}: ")) {
            Some((mark, rest)) if mark.chars().count() <= 2 => rest,
            _ => first,
        };
        let mut out = format!("[{agent}]");
        if let Some(topic) = &message.topic {
            let state = if topic.is_end { " resolved" } else { "" };
            let _ = write!(out, " {}{state}:", topic.severity.name());
        }
        if let [alert] = &self.alerts[..] {
            let _ = write!(out, " {alert}:");
        }
        let _ = write!(out, " {first}");
        match out.char_indices().nth(MAX_SUBJECT_CHARS) {
            Some((end, _)) => format!("{}…", &out[..end]),
            None => out,
        }
    }
}

/// A text in a header: as it is when it is plain, else in encoded words.
fn words(text: &str, is_name: bool) -> String {
    let is_plain = |ch: char| ch.is_ascii_graphic() || ch == ' ';
    let is_special = |ch: char| is_name && !(ch.is_ascii_alphanumeric() || " -_".contains(ch));
    let looks_encoded = text.contains("=?");
    if text.chars().all(is_plain) && !looks_encoded {
        return match text.contains(is_special) {
            true => format!("\"{}\"", text.replace(['"', '\\'], "'")),
            false => text.to_owned(),
        };
    }
    let mut out = String::from("=?utf-8?Q?");
    let mut room = WORD_CHARS;
    for ch in text.chars() {
        let mut piece = String::new();
        if ch == ' ' {
            piece.push('_');
        } else if ch.is_ascii_alphanumeric() {
            piece.push(ch);
        } else {
            escape(ch, &mut piece);
        }
        if piece.len() > room {
            out.push_str("?=\r\n =?utf-8?Q?");
            room = WORD_CHARS;
        }
        room -= piece.len();
        out.push_str(&piece);
    }
    out.push_str("?=");
    out
}

/// One line of a body.
fn quoted_printable(line: &str, out: &mut String) {
    let mut room = LINE_CHARS;
    let last = line.char_indices().next_back().map(|(at, _)| at);
    for (at, ch) in line.char_indices() {
        let mut piece = String::new();
        // White space at the end of a line gets lost on the way.
        let is_plain = ch.is_ascii_graphic() || (ch == ' ' && Some(at) != last);
        if is_plain && ch != '=' {
            piece.push(ch);
        } else {
            escape(ch, &mut piece);
        }
        if piece.len() > room {
            out.push_str("=\r\n");
            room = LINE_CHARS;
        }
        room -= piece.len();
        out.push_str(&piece);
    }
}

/// `=E2=82=AC`
fn escape(ch: char, out: &mut String) {
    let mut bytes = [0; 4];
    for byte in ch.encode_utf8(&mut bytes).bytes() {
        let _ = write!(out, "={byte:02X}");
    }
}
