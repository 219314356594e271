//! One call: what goes out, what comes back, and the files that bodies come from and go to.

use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::effect::{Body, HttpRequest};
use rackwarden_core::endpoint::{Base, Method};
use rackwarden_core::event::HttpResponse;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, AsSendBody, SendBody};

/// Of a response so much of its headers is given on.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Makes the call.
pub(super) fn call(agent: &Agent, request: &HttpRequest) -> Result<HttpResponse, Fault> {
    let mut response = exchange(agent, request)?;
    let limit = request.max_response_bytes as u64;
    let is_head = request.method == Method::Head;
    if !is_head && response.body().content_length() > Some(limit) {
        return Err(classify(&ureq::Error::BodyExceedsLimit(limit)));
    }
    let (status, headers) = (response.status(), headers(response.headers()));
    let mut reader = response.body_mut().with_config().limit(limit).reader();
    let mut answer = HttpResponse {
        status: status.as_u16(),
        headers,
        ..HttpResponse::default()
    };
    match &request.save_to {
        Some(path) if status.is_success() && !is_head => {
            answer.saved_bytes = Some(save(&mut reader, path)?);
        }
        _ => copy(&mut reader, &mut answer.body)?,
    }
    Ok(answer)
}

fn exchange(agent: &Agent, request: &HttpRequest) -> Result<Response<ureq::Body>, Fault> {
    match &request.body {
        Body::File(path) => {
            let file = File::open(path).map_err(|err| disk("read", path, &err))?;
            send(agent, request, file)
        }
        Body::Bytes(bytes) if !bytes.expose().is_empty() => {
            send(agent, request, bytes.expose().as_slice())
        }
        Body::Bytes(_) => match request.method {
            // RFC 9110, 8.6: a request that would have a body says that it has none.
            Method::Post | Method::Put | Method::Patch => send(agent, request, &[][..]),
            Method::Get | Method::Head | Method::Delete => send(agent, request, SendBody::none()),
        },
    }
}

fn send(
    agent: &Agent,
    request: &HttpRequest,
    body: impl AsSendBody,
) -> Result<Response<ureq::Body>, Fault> {
    let mut call = ureq::http::Request::builder()
        .method(request.method.as_str())
        .uri(request.url().expose());
    if let Base::Unix(_) = request.endpoint.base {
        call = call.header("host", "localhost");
    }
    for (name, value) in &request.headers {
        call = call.header(*name, value.expose());
    }
    // The builder's error about a wrong header may hold its value.
    let call = call.body(body).map_err(|_| {
        let detail = "the URL or a header is not usable";
        Fault::new(FaultKind::Unreachable, detail)
    })?;
    let call = agent
        .configure_request(call)
        .timeout_global(Some(request.timeout))
        .build();
    agent.run(call).map_err(|err| classify(&err))
}

/// Names and values in their order, until there are too many.
fn headers(all: &HeaderMap) -> Vec<(String, String)> {
    let mut room = MAX_HEADER_BYTES;
    let mut kept = Vec::new();
    for (name, value) in all {
        let Ok(value) = value.to_str() else {
            continue;
        };
        let length = name.as_str().len() + value.len();
        let Some(rest) = room.checked_sub(length) else {
            break;
        };
        room = rest;
        kept.push((name.as_str().to_owned(), value.to_owned()));
    }
    kept
}

/// Writes the body beside the file that it becomes when all of it is there.
fn save(reader: &mut impl Read, path: &Path) -> Result<u64, Fault> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = Path::new(&part);
    let saved = write_part(reader, part).and_then(|length| {
        fs::rename(part, path).map_err(|err| disk("write", path, &err))?;
        Ok(length)
    });
    if saved.is_err() {
        let _ = fs::remove_file(part);
    }
    saved
}

fn write_part(reader: &mut impl Read, part: &Path) -> Result<u64, Fault> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options
        .open(part)
        .map_err(|err| disk("write", part, &err))?;
    let mut chunk = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        let amount = reader
            .read(&mut chunk)
            .map_err(|err| classify(&err.into()))?;
        if amount == 0 {
            break;
        }
        let written = file.write_all(&chunk[..amount]);
        written.map_err(|err| disk("write", part, &err))?;
        length += amount as u64;
    }
    file.sync_all().map_err(|err| disk("write", part, &err))?;
    Ok(length)
}

fn copy(reader: &mut impl Read, body: &mut Vec<u8>) -> Result<(), Fault> {
    let read = reader.read_to_end(body);
    read.map(|_| ()).map_err(|err| classify(&err.into()))
}

fn disk(what: &str, path: &Path, err: &io::Error) -> Fault {
    let reason = crate::environment::reason(err);
    let detail = format!("cannot {what} {}: {reason}", path.display());
    Fault::new(FaultKind::Disk, detail)
}

/// Says what went wrong without saying where to: the URL holds the bot's token.
fn classify(err: &ureq::Error) -> Fault {
    use std::io::ErrorKind;
    let kind = match err {
        // Before these two have ended nothing was sent.
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            FaultKind::Unreachable
        }
        ureq::Error::Timeout(_) => FaultKind::Timeout,
        ureq::Error::Io(err) => match err.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => FaultKind::Timeout,
            ErrorKind::NotConnected => FaultKind::Stopped,
            ErrorKind::InvalidData => FaultKind::Tls,
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => FaultKind::Interrupted,
            _ => FaultKind::Unreachable,
        },
        ureq::Error::Tls(_) => FaultKind::Tls,
        ureq::Error::Protocol(_) | ureq::Error::Http(_) | ureq::Error::BodyExceedsLimit(_) => {
            FaultKind::Malformed
        }
        _ => FaultKind::Unreachable,
    };
    let detail = match err {
        ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) => {
            "the URL is not usable".to_owned()
        }
        ureq::Error::HostNotFound => "the host name cannot be found".to_owned(),
        ureq::Error::Timeout(which) => format!("no answer in time ({which})"),
        ureq::Error::BodyExceedsLimit(limit) => format!("the answer is longer than {limit} bytes"),
        err => rackwarden_base::text::clean(err.to_string()),
    };
    Fault::new(kind, detail)
}
