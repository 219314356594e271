//! HTTP/1.1 of a stream, without I/O: the text of a request's head, and a decoder of the response that takes bytes torn
//! anywhere. Holds at most one head, or one line between chunks.

use crate::fault::{Fault, FaultKind};
use crate::stream::{HttpBody, HttpHead, StreamKind};
use std::fmt::Write;

/// A response's head, or the trailers of its body, are never longer.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Headers of a response.
const MAX_HEADERS: usize = 96;
/// The line before a chunk: its length, and extensions that nobody uses.
const MAX_CHUNK_LINE: usize = 1024;

/// The head of a request, with the body as far as it is known. `None` where the kind has no HTTP, or a header would end its
/// line early.
pub fn request(kind: &StreamKind, host: &str, prefix: &str) -> Option<Vec<u8>> {
    let (start, body, protocol) = match kind {
        StreamKind::Raw | StreamKind::WebSocket { .. } => return None,
        StreamKind::Http { request, body } => (request, body.clone(), None),
        StreamKind::Upgrade {
            request,
            protocol,
            body,
        } => (request, HttpBody::Whole(body.clone()), Some(protocol)),
    };
    let path = start.path.expose();
    let breaks = |text: &str| text.contains(|ch: char| ch.is_control());
    let is_clean = !path.contains(|ch: char| ch.is_control() || ch == ' ')
        && !protocol.is_some_and(|protocol| breaks(protocol))
        && (start.headers.iter()).all(|(name, value)| !breaks(name) && !breaks(value.expose()));
    if !is_clean {
        return None;
    }
    let mut head = String::new();
    let method = start.method.as_str();
    write!(head, "{method} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\n").ok()?;
    match protocol {
        Some(protocol) => write!(head, "Connection: Upgrade\r\nUpgrade: {protocol}\r\n").ok()?,
        None => head.push_str("Connection: close\r\n"),
    }
    for (name, value) in &start.headers {
        write!(head, "{name}: {}\r\n", value.expose()).ok()?;
    }
    match &body {
        HttpBody::Whole(bytes) if bytes.expose().is_empty() && method == "GET" => {}
        HttpBody::Whole(bytes) => {
            write!(head, "Content-Length: {}\r\n", bytes.expose().len()).ok()?;
        }
        HttpBody::Sent { length: Some(all) } => write!(head, "Content-Length: {all}\r\n").ok()?,
        HttpBody::Sent { length: None } => head.push_str("Transfer-Encoding: chunked\r\n"),
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if let HttpBody::Whole(body) = &body {
        bytes.extend_from_slice(body.expose());
    }
    Some(bytes)
}

/// A find of the decoder.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The head of the final response.
    Head(HttpHead),
    /// The connection carries bytes both ways from here on.
    Upgraded,
    /// Bytes of the body.
    Data(Vec<u8>),
    /// The body is complete.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// The head said that an upgrade follows.
    Upgrade,
    /// So many bytes are left of the body.
    Length(u64),
    ChunkLine,
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    Trailers,
    /// Everything until the connection ends.
    Rest,
    Done,
}

/// Reads one response.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    is_head: bool,
    asks_upgrade: bool,
    /// Not yet delivered; what stands before `start` is.
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// For the response to this kind of request.
    pub fn new(kind: &StreamKind) -> Decoder {
        let (is_head, asks_upgrade, state) = match kind {
            StreamKind::Raw | StreamKind::WebSocket { .. } => (false, false, State::Rest),
            StreamKind::Http { request, .. } => {
                let is_head = request.method == crate::endpoint::Method::Head;
                (is_head, false, State::Head)
            }
            StreamKind::Upgrade { .. } => (false, true, State::Head),
        };
        Decoder {
            state,
            is_head,
            asks_upgrade,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Adds what was received.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// True before the head is complete.
    pub fn awaits_head(&self) -> bool {
        self.state == State::Head
    }

    /// The next piece; data is at most `max` bytes. `None`: more has to come.
    ///
    /// # Errors
    /// `Malformed` when it is not HTTP, or longer than anybody sends.
    pub fn next(&mut self, max: usize) -> Result<Option<Piece>, Fault> {
        loop {
            match self.state {
                State::Head => {
                    let before = self.start;
                    match self.head()? {
                        Some(piece) => return Ok(Some(piece)),
                        None if self.start == before => return Ok(None),
                        None => {}
                    }
                }
                State::Upgrade => {
                    self.state = State::Rest;
                    return Ok(Some(Piece::Upgraded));
                }
                State::Length(0) => return Ok(self.done()),
                State::Length(left) => {
                    let Some(data) = self.take(left.min(max as u64)) else {
                        return Ok(None);
                    };
                    self.state = State::Length(left - data.len() as u64);
                    return Ok(Some(Piece::Data(data)));
                }
                State::Rest => return Ok(self.take(max as u64).map(Piece::Data)),
                State::Chunk(0) => self.state = State::ChunkEnd,
                State::Chunk(left) => {
                    let Some(data) = self.take(left.min(max as u64)) else {
                        return Ok(None);
                    };
                    self.state = State::Chunk(left - data.len() as u64);
                    return Ok(Some(Piece::Data(data)));
                }
                State::ChunkLine => match self.chunk_line()? {
                    Some(0) => self.state = State::Trailers,
                    Some(length) => self.state = State::Chunk(length),
                    None => return Ok(None),
                },
                State::ChunkEnd => match self.rest() {
                    [b'\r', b'\n', ..] => {
                        self.start += 2;
                        self.state = State::ChunkLine;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(malformed("a chunk has no end")),
                },
                State::Trailers => match self.line(MAX_HEAD_BYTES)? {
                    Some(0) => return Ok(self.done()),
                    Some(_) => {}
                    None => return Ok(None),
                },
                State::Done => return Ok(None),
            }
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// `Interrupted` when the response is not complete.
    pub fn end(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Rest | State::Done | State::Length(0) => Ok(()),
            State::Head if self.buffer.is_empty() => Err(Fault::new(
                FaultKind::Interrupted,
                "the connection ended without a response",
            )),
            _ => Err(Fault::new(
                FaultKind::Interrupted,
                "the connection ended within the response",
            )),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn done(&mut self) -> Option<Piece> {
        self.state = State::Done;
        Some(Piece::End)
    }

    fn take(&mut self, most: u64) -> Option<Vec<u8>> {
        let length = self.rest().len().min(usize::try_from(most).unwrap_or(0));
        let data = self.rest()[..length].to_vec();
        self.start += length;
        (length > 0).then_some(data)
    }

    /// Reads a head. An interim response (RFC 9110 section 15.2) leaves the state as it is.
    fn head(&mut self) -> Result<Option<Piece>, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        let length = match parsed.parse(&self.buffer[self.start..]) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => {
                return match self.rest().len() > MAX_HEAD_BYTES {
                    true => Err(malformed("the head of the response is too long")),
                    false => Ok(None),
                };
            }
            Err(err) => return Err(malformed(&format!("the response is not HTTP ({err})"))),
        };
        let head = HttpHead {
            status: parsed.code.unwrap_or(0),
            headers: parsed
                .headers
                .iter()
                .filter_map(|header| {
                    let value = std::str::from_utf8(header.value).ok()?;
                    Some((header.name.to_ascii_lowercase(), value.trim().to_owned()))
                })
                .collect(),
        };
        self.start += length;
        if (100..200).contains(&head.status) && head.status != 101 {
            return Ok(None);
        }
        self.state = self.body_of(&head)?;
        Ok(Some(Piece::Head(head)))
    }

    /// The end of the body (RFC 9112 section 6.3).
    fn body_of(&self, head: &HttpHead) -> Result<State, Fault> {
        if head.status == 101 {
            return match self.asks_upgrade {
                true => Ok(State::Upgrade),
                false => Err(malformed("an upgrade that nobody asked for")),
            };
        }
        if self.is_head || matches!(head.status, 204 | 304) {
            return Ok(State::Length(0));
        }
        let coding = head.header("transfer-encoding");
        if coding.is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Ok(State::ChunkLine);
        }
        if coding.is_some() {
            return Err(malformed("an unknown transfer encoding"));
        }
        let mut lengths = head
            .headers
            .iter()
            .filter(|(name, _)| name == "content-length");
        if let Some((_, length)) = lengths.next() {
            let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
            let same = lengths.all(|(_, other)| other == length);
            return match length.parse() {
                Ok(length) if is_number && same => Ok(State::Length(length)),
                _ => Err(malformed("a length that is none")),
            };
        }
        match self.asks_upgrade && head.status == 200 {
            true => Ok(State::Upgrade),
            false => Ok(State::Rest),
        }
    }

    /// The length of the next chunk.
    fn chunk_line(&mut self) -> Result<Option<u64>, Fault> {
        let rest = self.rest();
        // httparse takes a line without any digit for a zero.
        if rest.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(malformed("a chunk without a length"));
        }
        match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete((length, size))) if length <= MAX_CHUNK_LINE => {
                self.start += length;
                Ok(Some(size))
            }
            Ok(httparse::Status::Partial) if rest.len() <= MAX_CHUNK_LINE => Ok(None),
            _ => Err(malformed("a chunk without a length")),
        }
    }

    /// Passes over a line and returns how long it was, without its end.
    fn line(&mut self, most: usize) -> Result<Option<usize>, Fault> {
        let end = self.rest().iter().position(|byte| *byte == b'\n');
        let Some(end) = end else {
            return match self.rest().len() > most {
                true => Err(malformed("a line of the response is too long")),
                false => Ok(None),
            };
        };
        let line = &self.rest()[..end];
        let length = line.strip_suffix(b"\r").unwrap_or(line).len();
        self.start += end + 1;
        Ok(Some(length))
    }
}

fn malformed(detail: &str) -> Fault {
    Fault::new(FaultKind::Malformed, detail)
}

#[cfg(test)]
mod tests;
