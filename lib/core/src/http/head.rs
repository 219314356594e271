//! Reads request heads: RFC 9112 as far as a status server needs it, and nothing beyond its limits.
//! What is read twice by different readers (two `Host`s, two lengths, a transfer coding) is refused.

use super::Error;

/// Longest request head in bytes.
pub const MAX_HEAD: usize = 8192;
/// Most header fields.
pub const MAX_HEADERS: usize = 32;
/// Longest body in bytes; only the token form has one.
pub const MAX_BODY: usize = 1024;

/// A request whose head and body are complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method as it came.
    pub method: &'a str,
    /// The path before any `?`, still percent-encoded.
    pub path: &'a str,
    /// What follows the `?`.
    pub query: &'a str,
    /// The `Host` it asks for, with its port.
    pub host: Option<&'a str>,
    /// The `Authorization` field.
    pub authorization: Option<&'a [u8]>,
    /// The `Cookie` field.
    pub cookie: Option<&'a [u8]>,
    /// The body.
    pub body: &'a [u8],
    /// The client may send another request on this connection.
    pub keep_alive: bool,
    /// The client speaks HTTP/1.0 and has to be told that the connection stays.
    pub is_http_10: bool,
}

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// More is to come.
    Partial,
    /// A request, and how many bytes it took.
    Complete(Request<'a>, usize),
    /// Not a request that is answered; the connection ends after the answer.
    Refused(Error),
}

/// Reads what a client has sent so far.
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head_len = match parsed.parse(&bytes[..bytes.len().min(MAX_HEAD)]) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() >= MAX_HEAD => {
            return Parsed::Refused(TOO_LARGE);
        }
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(TOO_LARGE),
        Err(httparse::Error::Version) => return Parsed::Refused(VERSION),
        Err(_) => return Parsed::Refused(MALFORMED),
    };
    let fields = match Fields::collect(parsed.headers) {
        Ok(fields) => fields,
        Err(error) => return Parsed::Refused(error),
    };
    let is_http_10 = parsed.version == Some(0);
    if fields.host.is_none() && !is_http_10 {
        return Parsed::Refused(NO_HOST);
    }
    let method = parsed.method.unwrap_or_default();
    let body_len = match body_len(method, fields.content_length) {
        Ok(len) => len,
        Err(error) => return Parsed::Refused(error),
    };
    let Some(body) = bytes.get(head_len..head_len + body_len) else {
        return Parsed::Partial;
    };
    let (authority, path, query) = split_target(parsed.path.unwrap_or_default());
    let request = Request {
        method,
        path,
        query,
        host: authority.or(fields.host),
        authorization: fields.authorization,
        cookie: fields.cookie,
        body,
        keep_alive: !fields.close && (!is_http_10 || fields.keep_alive),
        is_http_10,
    };
    Parsed::Complete(request, head_len + body_len)
}

/// True when parsing may say more than it did when only `seen` bytes were there. Keeps a client that sends
/// single bytes from having its whole head parsed for each of them.
pub fn is_worth_parsing(bytes: &[u8], seen: usize) -> bool {
    if seen == 0 || bytes.len() >= MAX_HEAD {
        return true;
    }
    let start = seen.saturating_sub(3);
    let head_ends_later = bytes[start..]
        .windows(2)
        .any(|pair| pair == b"\n\n" || pair == b"\n\r");
    // With the end of the head far behind, it is the body that was missing.
    head_ends_later || bytes[..start].windows(3).any(|end| end == b"\n\r\n")
}

/// Decodes `%41` and the like; `None` when it does not decode to UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push((high << 4 | low) as u8);
    }
    String::from_utf8(bytes).ok()
}

#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a str>,
    authorization: Option<&'a [u8]>,
    cookie: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
}

impl<'a> Fields<'a> {
    fn collect(headers: &[httparse::Header<'a>]) -> Result<Fields<'a>, Error> {
        let mut fields = Fields::default();
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("host") {
                let host = std::str::from_utf8(header.value).map_err(|_| MALFORMED)?;
                once(&mut fields.host, host)?;
            } else if is("content-length") {
                once(&mut fields.content_length, header.value)?;
            } else if is("authorization") {
                once(&mut fields.authorization, header.value)?;
            } else if is("cookie") {
                fields.cookie.get_or_insert(header.value);
            } else if is("transfer-encoding") {
                return Err(NO_CODING);
            } else if is("connection") {
                for option in header.value.split(|byte| *byte == b',') {
                    let option = option.trim_ascii();
                    fields.close |= option.eq_ignore_ascii_case(b"close");
                    fields.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
        }
        Ok(fields)
    }
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(MALFORMED),
    }
}

fn body_len(method: &str, content_length: Option<&[u8]>) -> Result<usize, Error> {
    let len = match content_length {
        // RFC 9112 section 6.3: without a length and a coding there is no body.
        None => return Ok(0),
        Some(digits) if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) => {
            return Err(MALFORMED);
        }
        // More digits than a usize holds are too long in any case.
        Some(digits) => std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok())
            .unwrap_or(usize::MAX),
    };
    match (method, len) {
        (_, 0) => Ok(0),
        ("POST", 1..=MAX_BODY) => Ok(len),
        ("POST", _) => Err(BODY_TOO_LARGE),
        _ => Err(NO_BODY),
    }
}

fn split_target(target: &str) -> (Option<&str>, &str, &str) {
    let (authority, target) = match target.strip_prefix("http://") {
        Some(rest) => {
            let path = rest.find(['/', '?']).unwrap_or(rest.len());
            (Some(&rest[..path]), &rest[path..])
        }
        None => (None, target),
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    (authority, if path.is_empty() { "/" } else { path }, query)
}

const TOO_LARGE: Error = Error::new(
    431,
    "head_too_large",
    "the request head is larger than 8 KiB or has more than 32 fields",
);
const VERSION: Error = Error::new(
    505,
    "version_not_supported",
    "this server speaks HTTP/1.0 and HTTP/1.1",
);
const MALFORMED: Error = Error::new(400, "malformed_request", "this is not an HTTP request");
const NO_HOST: Error = Error::new(400, "host_missing", "HTTP/1.1 requires a Host field");
const NO_CODING: Error = Error::new(
    400,
    "body_not_accepted",
    "transfer codings are not accepted",
);
const NO_BODY: Error = Error::new(400, "body_not_accepted", "this method takes no body here");
const BODY_TOO_LARGE: Error = Error::new(413, "body_too_large", "the body is larger than 1 KiB");

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> Request<'_> {
        match parse(text.as_bytes()) {
            Parsed::Complete(request, len) => {
                assert_eq!(len, text.len());
                request
            }
            other => panic!("{text:?}: {other:?}"),
        }
    }

    #[test]
    fn requests_are_read() {
        let request = complete("GET /api/power?x=1 HTTP/1.1\r\nHost: a:1\r\nCookie: b=c\r\n\r\n");
        assert_eq!(
            (request.method, request.path, request.query, request.host),
            ("GET", "/api/power", "x=1", Some("a:1"))
        );
        assert_eq!(request.cookie, Some(&b"b=c"[..]));
        assert!(request.keep_alive);
        let request = complete("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\ntoken=x");
        assert_eq!(request.body, b"token=x");
        let request = complete("POST /health HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((request.method, request.body), ("POST", &b""[..]));
        let request = complete("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((request.host, request.path), (Some("b"), "/x"));
    }

    #[test]
    fn connections_stay_as_the_protocol_says() {
        for (text, want) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
                false,
            ),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ] {
            assert_eq!(complete(text).keep_alive, want, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_answered_is_refused_with_its_status() {
        let long = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "y".repeat(MAX_HEAD)
        );
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(33));
        for (text, status) in [
            (long.as_str(), 431),
            (many.as_str(), 431),
            ("\x16\x03\x01\x02\x00\x01", 400),
            ("GET /\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
                400,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n",
                413,
            ),
            (
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                413,
            ),
        ] {
            match parse(text.as_bytes()) {
                Parsed::Refused(error) => assert_eq!(error.status, status, "{text:?}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_request_that_arrives_in_bytes_is_found_when_it_is_complete() {
        for text in [
            "GET /health HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
            "GET /health HTTP/1.1\nHost: a\n\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\ntoken=x",
        ] {
            let found = (1..=text.len()).find(|len| {
                let bytes = &text.as_bytes()[..*len];
                is_worth_parsing(bytes, len - 1) && parse(bytes) != Parsed::Partial
            });
            assert_eq!(found, Some(text.len()), "{text:?}");
        }
    }

    #[test]
    fn a_growing_head_is_seldom_parsed() {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "y".repeat(4000));
        let parses = (1..=text.len())
            .filter(|len| is_worth_parsing(&text.as_bytes()[..*len], len - 1))
            .count();
        assert!(parses < 5, "{parses}");
    }

    #[test]
    fn names_are_decoded() {
        assert_eq!(percent_decoded("a%20%C3%A9+"), Some("a é+".to_owned()));
        for text in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(percent_decoded(text), None, "{text}");
        }
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic() {
        let mut rng = crate::rng::Rng::new(11);
        let seed = b"POST /api/power/a%20b?x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        for _ in 0..20_000 {
            let mut bytes = seed.to_vec();
            for _ in 0..=rng.below(6) {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize);
            if let Parsed::Complete(request, len) = parse(&bytes) {
                assert!(len <= bytes.len() && request.body.len() <= MAX_BODY);
            }
        }
    }
}
