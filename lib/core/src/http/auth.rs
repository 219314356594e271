//! Who may ask: the `Host` allow list, the bearer token, and the cookie that the form on the page sets.
//!
//! Without a token the server listens on loopback only, so the `Host` must be a loopback name: a page from
//! elsewhere that rebinds its own name to 127.0.0.1 is refused. With a token every IP literal is accepted as
//! well as the agent's own names (alone or with a domain behind them): what a foreign name would be after is
//! the cookie, and the browser keeps that for the name that set it.

use super::head::{Request, percent_decoded};
use crate::digest;
use crate::secret::{Secret, constant_time_eq};
use crate::small::SmallMap;
use crate::time::{Mono, Now};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// How long a cookie is good for.
const COOKIE_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
const COOKIE_NAME: &str = "rackwarden";
/// Wrong tokens that one address may send at once …
const FAILURES: u32 = 10;
/// … and the time after which one more is allowed.
const FORGIVE_EVERY: Duration = Duration::from_secs(6);
/// Addresses whose failures are remembered; beyond that the one that has waited longest is forgotten.
const REMEMBERED: usize = 256;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Over TCP, from this address.
    Ip(IpAddr),
    /// Over the unix socket; its permissions decide who can.
    Unix,
}

/// The answer to "who asks?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May ask.
    Allowed,
    /// Sent no credential.
    Missing,
    /// Sent a wrong credential.
    Wrong,
    /// Sent wrong ones too often.
    Throttled,
}

/// The rules of one server and the failures it has seen.
#[derive(Debug)]
pub struct Auth {
    token: Option<Secret>,
    names: Vec<String>,
    failures: SmallMap<Peer, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    since: Mono,
}

impl Auth {
    /// `names` are those that the server goes by, beside `localhost` and IP literals: the agent's name, the
    /// host's name.
    pub fn new(token: Option<Secret>, names: &[&str]) -> Auth {
        Auth {
            token: token.filter(|token| !token.expose().is_empty()),
            names: names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            failures: SmallMap::new(),
        }
    }

    /// True when a request needs a token.
    pub fn needs_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether the name in `Host` is one of ours. HTTP/1.0 may leave it out.
    pub fn accepts_host(&self, host: Option<&str>, peer: Peer) -> bool {
        let (Some(host), Peer::Ip(_)) = (host, peer) else {
            return true;
        };
        let Some(name) = host_name(host) else {
            return false;
        };
        if let Ok(ip) = name.parse::<IpAddr>() {
            return self.needs_token() || ip.to_canonical().is_loopback();
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" {
            return true;
        }
        let first = name.split('.').next().unwrap_or_default();
        self.needs_token() && self.names.iter().any(|own| *own == name || own == first)
    }

    /// Judges the credentials of a request.
    pub fn judge(&mut self, request: &Request<'_>, peer: Peer, now: Now) -> Verdict {
        let Some(token) = &self.token else {
            return Verdict::Allowed;
        };
        let is_right = match (request.authorization, request.cookie.and_then(own_cookie)) {
            (Some(value), _) => bearer(value)
                .is_some_and(|given| constant_time_eq(given, token.expose().as_bytes())),
            (None, Some(cookie)) => is_valid_cookie(token, cookie, now),
            (None, None) => return Verdict::Missing,
        };
        self.count(is_right, peer, now.mono)
    }

    /// Judges the token that the form sent. Returns the `Set-Cookie` value for a right one.
    pub fn log_in(&mut self, body: &[u8], peer: Peer, now: Now) -> Result<String, Verdict> {
        let Some(token) = &self.token else {
            return Err(Verdict::Missing);
        };
        let given = form_field(body, "token").unwrap_or_default();
        let is_right = constant_time_eq(given.trim().as_bytes(), token.expose().as_bytes());
        let expiry = now.wall.plus(COOKIE_LIFE).unix_seconds();
        let mut cookie = format!("{COOKIE_NAME}={}", signed(token, expiry));
        let _ = write!(
            cookie,
            "; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
            COOKIE_LIFE.as_secs()
        );
        match self.count(is_right, peer, now.mono) {
            Verdict::Allowed => Ok(cookie),
            verdict => Err(verdict),
        }
    }

    /// Takes over the failures that another instance has counted, so that a reload forgives nobody.
    pub fn remember(&mut self, old: Auth) {
        self.failures = old.failures;
    }

    fn count(&mut self, is_right: bool, peer: Peer, now: Mono) -> Verdict {
        let key = network(peer);
        let seen = self.failures.get(&key).copied().map(|f| f.forgiven(now));
        if seen.is_some_and(|seen| seen.count >= FAILURES) {
            return Verdict::Throttled;
        }
        if is_right {
            return Verdict::Allowed;
        }
        if self.failures.len() >= REMEMBERED && !self.failures.contains_key(&key) {
            let oldest = self.failures.iter().min_by_key(|(_, seen)| seen.since);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.failures.remove(&oldest);
            }
        }
        let seen = seen.unwrap_or(Failures {
            count: 0,
            since: now,
        });
        let count = seen.count + 1;
        self.failures.insert(key, Failures { count, ..seen });
        Verdict::Wrong
    }
}

impl Failures {
    fn forgiven(self, now: Mono) -> Failures {
        let steps = now.since(self.since).as_secs() / FORGIVE_EVERY.as_secs();
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        if steps >= self.count {
            return Failures {
                count: 0,
                since: now,
            };
        }
        Failures {
            count: self.count - steps,
            since: self.since + FORGIVE_EVERY * steps,
        }
    }
}

/// IPv6 users own a /64, so failures are counted for the whole of it.
fn network(peer: Peer) -> Peer {
    match peer {
        Peer::Ip(ip) => Peer::Ip(match ip.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            v4 => v4,
        }),
        Peer::Unix => Peer::Unix,
    }
}

/// The host without its port and without the brackets of an IPv6 address.
fn host_name(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then_some(token.trim_ascii())
}

fn own_cookie(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value)
        .ok()?
        .split(';')
        .find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

/// `expiry.signature`: proves knowledge of the token without holding it, and ends with the token.
fn signed(token: &Secret, expiry: i64) -> String {
    let message = format!("rackwarden cookie 1 {expiry}");
    let signature = digest::hmac(token.expose().as_bytes(), message.as_bytes());
    format!("{expiry}.{}", digest::hex(&signature))
}

fn is_valid_cookie(token: &Secret, cookie: &str, now: Now) -> bool {
    let Some(expiry) = cookie
        .split_once('.')
        .and_then(|(expiry, _)| expiry.parse::<i64>().ok())
    else {
        return false;
    };
    expiry > now.wall.unix_seconds()
        && constant_time_eq(cookie.as_bytes(), signed(token, expiry).as_bytes())
}

fn form_field(body: &[u8], name: &str) -> Option<String> {
    std::str::from_utf8(body)
        .ok()?
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .and_then(|value| percent_decoded(&value.replace('+', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    const HOME: Peer = Peer::Ip(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono::new(Duration::from_secs(seconds)),
            wall: Wall(1_795_205_702_000 + seconds as i64 * 1000),
        }
    }

    fn guarded() -> Auth {
        Auth::new(Some(Secret::new("s3cret token".into())), &["Rack-3", "pi"])
    }

    fn with_bearer(value: &str) -> Request<'_> {
        Request {
            authorization: Some(value.as_bytes()),
            ..Request::default()
        }
    }

    #[test]
    fn hosts_are_those_that_a_rebinding_page_cannot_have() {
        let open = Auth::new(None, &["rack-3"]);
        let guarded = guarded();
        for (host, without_token, with_token) in [
            ("localhost:8093", true, true),
            ("LOCALHOST.", true, true),
            ("127.0.0.1", true, true),
            ("127.8.9.1:80", true, true),
            ("[::1]:8093", true, true),
            ("192.168.1.5:8093", false, true),
            ("rack-3", false, true),
            ("rack-3.fritz.box:8093", false, true),
            ("evil.example", false, false),
            ("localhost.evil.example", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("localhost:8093@evil.example", false, false),
            ("[::1", false, false),
            ("", false, false),
        ] {
            assert_eq!(open.accepts_host(Some(host), HOME), without_token, "{host}");
            assert_eq!(guarded.accepts_host(Some(host), HOME), with_token, "{host}");
        }
        assert!(open.accepts_host(None, HOME));
        assert!(open.accepts_host(Some("proxy.example"), Peer::Unix));
    }

    #[test]
    fn the_bearer_token_opens() {
        let mut auth = guarded();
        for (value, want) in [
            ("Bearer s3cret token", Verdict::Allowed),
            ("bearer s3cret token ", Verdict::Allowed),
            ("Bearer s3cret", Verdict::Wrong),
            ("Basic s3cret token", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            assert_eq!(
                auth.judge(&with_bearer(value), HOME, at(0)),
                want,
                "{value}"
            );
        }
        let none = Request::default();
        assert_eq!(auth.judge(&none, HOME, at(0)), Verdict::Missing);
        assert_eq!(
            Auth::new(None, &[]).judge(&none, HOME, at(0)),
            Verdict::Allowed
        );
    }

    #[test]
    fn the_form_gives_a_cookie_that_is_not_the_token_and_ends() {
        let mut auth = guarded();
        let set = auth.log_in(b"x=1&token=s3cret+token", HOME, at(0)).unwrap();
        assert!(set.contains("; HttpOnly; SameSite=Strict"), "{set}");
        assert!(!set.contains("s3cret"), "{set}");
        let cookie = format!("other=1; {}", set.split(';').next().unwrap());
        let request = |cookie: &'static str| Request {
            cookie: Some(cookie.as_bytes()),
            ..Request::default()
        };
        let given = request(cookie.clone().leak());
        assert_eq!(auth.judge(&given, HOME, at(60)), Verdict::Allowed);
        let late = COOKIE_LIFE.as_secs() + 1;
        assert_eq!(auth.judge(&given, HOME, at(late)), Verdict::Wrong);
        let longer = cookie.replacen("=1", "=9", 2).replace("other=9", "other=1");
        assert_eq!(
            auth.judge(&request(longer.leak()), HOME, at(late)),
            Verdict::Wrong
        );
        let mut changed = Auth::new(Some(Secret::new("another".into())), &[]);
        assert_eq!(changed.judge(&given, HOME, at(60)), Verdict::Wrong);
        assert_eq!(
            auth.log_in(b"token=guess", HOME, at(60)),
            Err(Verdict::Wrong)
        );
    }

    #[test]
    fn guessing_is_slowed_down_for_the_guesser_alone() {
        let mut auth = guarded();
        let other = Peer::Ip(IpAddr::from([10, 0, 0, 1]));
        for _ in 0..FAILURES {
            assert_eq!(
                auth.judge(&with_bearer("Bearer a"), HOME, at(0)),
                Verdict::Wrong
            );
        }
        let right = with_bearer("Bearer s3cret token");
        assert_eq!(auth.judge(&right, HOME, at(1)), Verdict::Throttled);
        assert_eq!(auth.judge(&right, other, at(1)), Verdict::Allowed);
        assert_eq!(auth.judge(&right, HOME, at(7)), Verdict::Allowed);
    }

    #[test]
    fn remembered_failures_are_bounded() {
        let mut auth = guarded();
        for n in 0..1000u32 {
            let peer = Peer::Ip(IpAddr::from(n.to_be_bytes()));
            auth.judge(&with_bearer("Bearer a"), peer, at(u64::from(n)));
        }
        assert!(auth.failures.len() <= REMEMBERED);
    }
}
