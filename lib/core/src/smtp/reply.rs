//! Replies of a mail server (RFC 5321 section 4.2), and how their lines are put together from bytes.

use crate::fault::{Fault, FaultKind};

/// A longer reply, with all its lines, is not SMTP.
const MAX_REPLY_BYTES: usize = 16 * 1024;
/// The longest part of a reply that a fault repeats.
const MAX_QUOTED_CHARS: usize = 200;

/// Bytes that are not yet a whole reply.
#[derive(Debug, Default)]
pub(super) struct Unread(Vec<u8>);

impl Unread {
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next reply once its last line is there.
    pub(super) fn take(&mut self) -> Option<Result<Reply, Malformed>> {
        let mut end = 0;
        while let Some(length) = self.0[end..].iter().position(|byte| *byte == b'\n') {
            // The last line has no hyphen after its number.
            let is_last = self.0.get(end + 3) != Some(&b'-');
            end += length + 1;
            if is_last {
                let bytes: Vec<u8> = self.0.drain(..end).collect();
                return Some(Reply::parse(&String::from_utf8_lossy(&bytes)).ok_or(Malformed));
            }
        }
        (self.0.len() > MAX_REPLY_BYTES).then_some(Err(Malformed))
    }
}

/// Something that is not a reply.
#[derive(Debug)]
pub(super) struct Malformed;

/// A number and its lines of text.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) number: u16,
    pub(super) lines: Vec<String>,
}

impl Reply {
    fn parse(text: &str) -> Option<Reply> {
        let mut reply: Option<Reply> = None;
        for line in text.lines() {
            let (digits, rest) = line.split_at_checked(3)?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| is_number)?;
            if !(200..=599).contains(&number)
                || !matches!(rest.bytes().next(), None | Some(b' ' | b'-'))
            {
                return None;
            }
            let reply = reply.get_or_insert(Reply {
                number,
                lines: Vec::new(),
            });
            if reply.number != number {
                return None;
            }
            reply
                .lines
                .push(rest.get(1..).unwrap_or_default().to_owned());
        }
        reply
    }

    /// The meaning of a refusal (RFC 5321 section 4.2, RFC 3463, RFC 4954).
    pub(super) fn refusal(&self, stage: Stage) -> Fault {
        let number = self.number;
        let first = self
            .lines
            .first()
            .and_then(|line| line.split_whitespace().next());
        let enhanced = first.unwrap_or_default();
        let kind = match (number, stage) {
            (400..=499, _) => FaultKind::Busy,
            // A full mailbox has room again one day.
            (552, Stage::Recipient) => FaultKind::Busy,
            (552, _) if enhanced == "5.2.2" => FaultKind::Busy,
            (523 | 552, _) => FaultKind::TooLarge,
            _ if enhanced == "5.3.4" => FaultKind::TooLarge,
            (530 | 534 | 535 | 538, _) | (_, Stage::Greeting | Stage::Login) => FaultKind::Denied,
            (_, Stage::Sender | Stage::Recipient) => FaultKind::Unwanted,
            (_, Stage::Content) => FaultKind::Rejected,
        };
        // A server may repeat what it was given, and at the login that is a password.
        if stage == Stage::Login {
            let detail = format!("the server refuses user and password ({number})");
            return Fault::new(kind, detail);
        }
        let quoted: String = self
            .lines
            .join(" ")
            .chars()
            .take(MAX_QUOTED_CHARS)
            .collect();
        let detail = format!("{number} {}", crate::text::clean(quoted).trim());
        Fault::new(kind, detail)
    }
}

/// The command that a reply answers; the same number means different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Greeting,
    Login,
    Sender,
    Recipient,
    Content,
}

/// The server's offers after EHLO: a keyword with its parameters for each line.
#[derive(Debug, Default)]
pub(super) struct Offers(Vec<String>);

impl Offers {
    /// The first line of the reply is the server's name.
    pub(super) fn of(reply: Reply) -> Offers {
        Offers(reply.lines.into_iter().skip(1).collect())
    }

    fn find(&self, keyword: &str) -> Option<std::str::SplitWhitespace<'_>> {
        self.0.iter().find_map(|line| {
            let mut words = line.split_whitespace();
            let is_it = words.next()?.eq_ignore_ascii_case(keyword);
            is_it.then_some(words)
        })
    }

    pub(super) fn has(&self, keyword: &str) -> bool {
        self.find(keyword).is_some()
    }

    /// RFC 1870: the largest mail, unless there is no limit.
    pub(super) fn max_bytes(&self) -> Option<usize> {
        let most = self.find("SIZE")?.next()?.parse().ok()?;
        (most > 0).then_some(most)
    }

    pub(super) fn has_login(&self, mechanism: &str) -> bool {
        self.find("AUTH")
            .is_some_and(|mut words| words.any(|word| word.eq_ignore_ascii_case(mechanism)))
    }
}
