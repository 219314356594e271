//! Responses torn at every byte, and responses that are none.

use super::*;
use crate::endpoint::Method;
use crate::secret::Secret;
use crate::stream::HttpStart;

fn get() -> StreamKind {
    StreamKind::Http {
        request: HttpStart::default(),
        body: HttpBody::Whole(Secret::default()),
    }
}

fn upgrade() -> StreamKind {
    StreamKind::Upgrade {
        request: HttpStart {
            method: Method::Post,
            path: Secret::new("/attach".to_owned()),
            headers: Vec::new(),
        },
        protocol: "tcp".to_owned(),
        body: Secret::default(),
    }
}

/// Statuses, the whole body, and how it ended: `end`, `open` or the fault.
fn read(kind: &StreamKind, response: &[u8], part: usize) -> (Vec<u16>, Vec<u8>, String) {
    let (mut heads, mut body, mut how) = (Vec::new(), Vec::new(), "open".to_owned());
    let mut decoder = Decoder::new(kind);
    for bytes in response.chunks(part) {
        decoder.push(bytes);
        loop {
            match decoder.next(7) {
                Ok(Some(Piece::Head(head))) => heads.push(head.status),
                Ok(Some(Piece::Upgraded)) => how = "upgraded".to_owned(),
                Ok(Some(Piece::Data(data))) => {
                    assert!((1..=7).contains(&data.len()));
                    body.extend(data);
                }
                Ok(Some(Piece::End)) => how = "end".to_owned(),
                Ok(None) => break,
                Err(fault) => return (heads, body, fault.detail),
            }
        }
    }
    if let (Err(fault), "open") = (decoder.end(), how.as_str()) {
        how = fault.detail;
    }
    (heads, body, how)
}

#[test]
fn a_response_may_be_torn_anywhere() {
    let chunked =
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nhello\r\nB;name=\"x\"\r\n to a world\r\n0\r\nTrailer: 1\r\n\r\n";
    let length = b"HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\nhello to a worldand more";
    let rest = b"HTTP/1.0 200 OK\r\n\r\nhello to a world";
    for part in 1..=chunked.len() {
        for (response, want) in [
            (&chunked[..], (200, "end")),
            (length, (404, "end")),
            (rest, (200, "open")),
        ] {
            let (heads, body, how) = read(&get(), response, part);
            assert_eq!(heads, [want.0], "{part}");
            assert_eq!(String::from_utf8_lossy(&body), "hello to a world", "{part}");
            assert_eq!(how, want.1, "{part}");
        }
    }
}

#[test]
fn an_upgrade_begins_behind_the_head() {
    let switched = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\x01\0\0\0\0\0\0\x02hi";
    let ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n\x01\0\0\0\0\0\0\x02hi";
    for part in 1..=switched.len() {
        for (response, status) in [(&switched[..], 101), (ok, 200)] {
            let (heads, body, how) = read(&upgrade(), response, part);
            assert_eq!((heads, how.as_str()), (vec![status], "upgraded"), "{part}");
            assert_eq!(body, b"\x01\0\0\0\0\0\0\x02hi", "{part}");
        }
    }
    let refused = b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno";
    let want = (vec![409], b"no".to_vec(), "end".to_owned());
    assert_eq!(read(&upgrade(), refused, 9), want);
}

#[test]
fn responses_without_a_body_end_with_their_head() {
    let head = StreamKind::Http {
        request: HttpStart {
            method: Method::Head,
            ..HttpStart::default()
        },
        body: HttpBody::Whole(Secret::default()),
    };
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    assert_eq!(read(&head, response, 100).2, "end");
    let response = b"HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(read(&get(), response, 100).2, "end");
}

#[test]
fn what_is_not_http_is_a_fault() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(40_000));
    let line = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}",
        "x".repeat(2000)
    );
    for (response, want) in [
        ("SSH-2.0-OpenSSH\r\n", "the response is not HTTP"),
        (&long, "the head of the response is too long"),
        ("HTTP/1.1 101 X\r\n\r\n", "an upgrade that nobody asked for"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "a length that is none",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "a length that is none",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "an unknown transfer encoding",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
            "a chunk without a length",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab",
            "a chunk has no end",
        ),
        (&line, "a chunk without a length"),
        ("", "open"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "the connection ended within the response",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
            "the connection ended within the response",
        ),
    ] {
        let how = read(&get(), response.as_bytes(), 4096).2;
        let how = if response.is_empty() {
            "open".to_owned()
        } else {
            how
        };
        assert!(how.starts_with(want), "{response:?}: {how}");
    }
}

#[test]
fn a_request_is_one_head() {
    let kind = StreamKind::Http {
        request: HttpStart {
            method: Method::Put,
            path: Secret::new("/archive?path=/".to_owned()),
            headers: vec![("Content-Type", Secret::new("application/x-tar".to_owned()))],
        },
        body: HttpBody::Sent { length: None },
    };
    let text = String::from_utf8(request(&kind, "localhost", "/v1.43").unwrap()).unwrap();
    assert_eq!(
        text,
        "PUT /v1.43/archive?path=/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let text = String::from_utf8(request(&upgrade(), "localhost", "").unwrap()).unwrap();
    assert_eq!(
        text,
        "POST /attach HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let smuggled = StreamKind::Http {
        request: HttpStart {
            path: Secret::new("/ HTTP/1.1\r\nX: 1".to_owned()),
            ..HttpStart::default()
        },
        body: HttpBody::Whole(Secret::default()),
    };
    assert_eq!(request(&smuggled, "localhost", ""), None);
}
