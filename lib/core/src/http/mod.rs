//! The status server without its sockets: bytes in, answers out, rendered from a snapshot.
//!
//! Every path is one row of the house or of a view ([`routes()`]); dispatch, `/openapi.json` and `/docs` come from it.
//! Sockets, deadlines and connection limits are in `io::http_server`.

pub mod auth;
mod cache;
pub mod head;
pub mod json;
mod metrics;
mod openapi;
mod page;
mod routes;
pub mod terminal;

pub use auth::{Auth, Peer};
pub use cache::Cache;
pub use head::{Parsed, Request, parse};
pub use page::whole as page;
pub use routes::routes;

use crate::snapshot::{Error, Seen};
use auth::Verdict;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Media type of the body.
    pub mime: &'static str,
    /// More header lines, each with its line end.
    pub extra: Cow<'static, str>,
    /// The body.
    pub body: Arc<[u8]>,
    /// The body is not sent (`HEAD`).
    pub is_head_only: bool,
}

impl Response {
    /// An answer with a fresh body.
    pub fn new(status: u16, mime: &'static str, body: String) -> Response {
        Response {
            status,
            mime,
            extra: Cow::Borrowed(""),
            body: body.into_bytes().into(),
            is_head_only: false,
        }
    }

    /// Writes the head, blank line included. `date` is the value of the `Date` field; `connection` that of
    /// `Connection`, if it has to be said.
    pub fn write_head(&self, out: &mut Vec<u8>, date: &str, connection: Option<&str>) {
        let mut head = String::with_capacity(320);
        let _ = write!(
            head,
            "HTTP/1.1 {} {}\r\nDate: {date}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
            self.status,
            reason(self.status),
            self.mime,
            self.body.len(),
        );
        if let Some(connection) = connection {
            let _ = write!(head, "Connection: {connection}\r\n");
        }
        head.push_str(&self.extra);
        head.push_str("\r\n");
        out.extend_from_slice(head.as_bytes());
    }

    /// The bytes that follow the head.
    pub fn sent_body(&self) -> &[u8] {
        if self.is_head_only { &[] } else { &self.body }
    }
}

impl From<Error> for Response {
    fn from(error: Error) -> Response {
        Response::new(error.status, routes::JSON, error.text())
    }
}

/// Answers one request.
pub fn serve(
    request: &Request<'_>,
    peer: Peer,
    seen: &Seen<'_>,
    cache: &mut Cache,
    auth: &mut Auth,
) -> Response {
    let mut response = answer(request, peer, seen, cache, auth);
    response.is_head_only = request.method == "HEAD";
    response
}

fn answer(
    request: &Request<'_>,
    peer: Peer,
    seen: &Seen<'_>,
    cache: &mut Cache,
    auth: &mut Auth,
) -> Response {
    if !auth.accepts_host(request.host, peer) {
        return FOREIGN_HOST.into();
    }
    if request.method == "POST" && request.path == "/" && auth.needs_token() {
        return log_in(request, peer, seen, auth);
    }
    match auth.judge(request, peer, seen.now) {
        Verdict::Allowed => {}
        Verdict::Missing | Verdict::Wrong if request.path == "/" => {
            return login_page(401, seen, "");
        }
        Verdict::Missing => return unauthorised(NO_TOKEN),
        Verdict::Wrong => return unauthorised(WRONG_TOKEN),
        Verdict::Throttled => return throttled(),
    }
    routes::dispatch(request, seen, cache)
}

fn log_in(request: &Request<'_>, peer: Peer, seen: &Seen<'_>, auth: &mut Auth) -> Response {
    match auth.log_in(request.body, peer, seen.now) {
        Ok(cookie) => Response {
            extra: Cow::Owned(format!("Location: /\r\nSet-Cookie: {cookie}\r\n")),
            ..Response::new(303, "text/plain; charset=utf-8", String::new())
        },
        Err(Verdict::Throttled) => throttled(),
        Err(_) => login_page(401, seen, "That is not the token."),
    }
}

fn login_page(status: u16, seen: &Seen<'_>, complaint: &str) -> Response {
    Response {
        extra: Cow::Borrowed(page::policy()),
        ..Response::new(status, routes::HTML, page::login(seen, complaint))
    }
}

fn unauthorised(error: Error) -> Response {
    Response {
        extra: Cow::Borrowed("WWW-Authenticate: Bearer\r\n"),
        ..error.into()
    }
}

fn throttled() -> Response {
    Response {
        extra: Cow::Borrowed("Retry-After: 60\r\n"),
        ..TOO_OFTEN.into()
    }
}

const FOREIGN_HOST: Error = Error::new(
    403,
    "host_not_allowed",
    "this server does not go by that name; use its address, or localhost",
);
const NO_TOKEN: Error = Error::new(
    401,
    "token_missing",
    "send the token as `Authorization: Bearer TOKEN`, or log in at /",
);
const WRONG_TOKEN: Error = Error::new(401, "token_wrong", "this is not the token");
const TOO_OFTEN: Error = Error::new(
    429,
    "too_many_failures",
    "too many wrong tokens from this address; try again in a minute",
);

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        303 => "See Other",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::schema;
    use crate::secret::Secret;
    use crate::sim::sample::{self, Sample};
    use std::net::IpAddr;

    const PEER: Peer = Peer::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    struct Asked {
        status: u16,
        head: String,
        body: String,
    }

    fn ask(text: &str, auth: &mut Auth) -> Asked {
        let snapshot = sample::snapshot(Sample::Normal);
        let seen = Seen::new(&snapshot, snapshot.now);
        let Parsed::Complete(request, _) = parse(text.as_bytes()) else {
            panic!("{text:?} is not complete");
        };
        let mut cache = Cache::new();
        let response = serve(&request, PEER, &seen, &mut cache, auth);
        let mut head = Vec::new();
        response.write_head(&mut head, cache.date(&seen), None);
        Asked {
            status: response.status,
            head: String::from_utf8(head).unwrap(),
            body: String::from_utf8(response.sent_body().to_vec()).unwrap(),
        }
    }

    fn get(path: &str) -> Asked {
        let text = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        ask(&text, &mut Auth::new(None, &[]))
    }

    #[test]
    fn every_route_answers_as_its_row_says() {
        let snapshot = sample::snapshot(Sample::Normal);
        for route in routes(&snapshot).filter(|route| route.method == "GET") {
            let asked = get(&route.path.replace("{name}", "alpha"));
            assert_eq!(asked.status, 200, "{}", route.path);
            let answer = route.answers.iter().find(|a| a.status == 200).unwrap();
            let mime = format!("Content-Type: {}\r\n", answer.mime);
            assert!(asked.head.contains(&mime), "{}", asked.head);
            if let Some(schema) = &answer.schema {
                let value = serde_json::from_str(&asked.body).unwrap();
                assert_eq!(schema::mismatch(schema, &value, route.path), None);
            }
        }
    }

    #[test]
    fn the_document_holds_every_route_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(&get("/openapi.json").body).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let mut listed: Vec<String> = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                listed.push(format!("{} {path}", method.to_uppercase()));
            }
        }
        let snapshot = sample::snapshot(Sample::Normal);
        let mut all: Vec<String> = routes(&snapshot)
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        listed.sort();
        all.sort();
        assert_eq!(listed, all);
        let text = document.to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
        }
        let docs = get("/docs").body;
        for route in routes(&snapshot) {
            assert!(docs.contains(route.summary), "{}", route.path);
        }
    }

    #[test]
    fn errors_are_objects_with_the_right_status() {
        for (text, status, code) in [
            ("GET /nothing", 404, "not_found"),
            ("GET /api/power/", 404, "not_found"),
            ("GET /api/power/nobody", 404, "pdu_not_found"),
            ("GET /api/power/%ff", 404, "pdu_not_found"),
            ("DELETE /health", 405, "method_not_allowed"),
            ("OPTIONS *", 404, "not_found"),
        ] {
            let text = format!("{text} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let asked = ask(&text, &mut Auth::new(None, &[]));
            assert_eq!(asked.status, status, "{text}");
            let value: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
            assert_eq!(value["error"]["code"], code, "{text}");
            assert!(value["error"]["message"].is_string());
        }
        let text = "PUT /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let asked = ask(text, &mut Auth::new(None, &[]));
        assert!(
            asked.head.contains("Allow: GET, HEAD\r\n"),
            "{}",
            asked.head
        );
    }

    #[test]
    fn head_answers_like_get_without_the_body() {
        let text = "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let head = ask(text, &mut Auth::new(None, &[]));
        assert_eq!(head.head, get("/health").head);
        assert!(
            head.head.contains("Content-Length: 15\r\n"),
            "{}",
            head.head
        );
        assert_eq!(head.body, "");
    }

    #[test]
    fn a_foreign_host_is_refused_before_anything_else() {
        let text = "GET /api/power HTTP/1.1\r\nHost: evil.example\r\n\r\n";
        assert_eq!(ask(text, &mut Auth::new(None, &[])).status, 403);
    }

    #[test]
    fn with_a_token_everything_needs_it_and_the_page_offers_a_form() {
        let mut auth = Auth::new(Some(Secret::new("s3cret".into())), &["rack-3"]);
        let mut status = |line: &str, more: &str| {
            let text = format!("{line} HTTP/1.1\r\nHost: 10.0.0.7:8093\r\n{more}");
            ask(&text, &mut auth)
        };
        let snapshot = sample::snapshot(Sample::Normal);
        for route in routes(&snapshot).filter(|route| route.method == "GET") {
            let path = route.path.replace("{name}", "alpha");
            let asked = status(&format!("GET {path}"), "\r\n");
            assert_eq!(asked.status, 401, "{path}");
            assert!(!asked.body.contains("1967.7"), "{path}");
        }
        let page = status("GET /", "\r\n").body;
        assert!(page.contains("<form method=post"), "{page}");
        let bearer = "Authorization: Bearer s3cret\r\n\r\n";
        assert_eq!(status("GET /api/power", bearer).status, 200);
        let wrong = status("POST /", "Content-Length: 7\r\n\r\ntoken=x");
        assert_eq!(wrong.status, 401);
        assert!(wrong.body.contains("not the token"));
        let right = status("POST /", "Content-Length: 12\r\n\r\ntoken=s3cret");
        assert_eq!(right.status, 303);
        assert!(
            right
                .head
                .contains("Location: /\r\nSet-Cookie: rackwarden=")
        );
        let cookie = right.head.split("Set-Cookie: ").nth(1).unwrap();
        let cookie = cookie.split(';').next().unwrap();
        let with_cookie = format!("Cookie: {cookie}\r\n\r\n");
        assert_eq!(status("GET /", &with_cookie).status, 200);
        assert_eq!(status("GET /metrics", &with_cookie).status, 200);
    }

    #[test]
    fn pages_forbid_everything_that_is_not_theirs() {
        for path in ["/", "/docs", "/?fragment"] {
            let head = get(path).head;
            assert!(
                head.contains("Content-Security-Policy: default-src 'none'"),
                "{path}: {head}"
            );
        }
        let (whole, fragment) = (get("/").body, get("/?fragment").body);
        assert!(whole.contains(&fragment) && !fragment.contains("<style>"));
    }
}
