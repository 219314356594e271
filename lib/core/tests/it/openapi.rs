//! The document of the HTTP interface, held against the recorded one. `UPDATE_EXPECT=1 cargo test -p rackwarden-core
//! --test it openapi` writes it anew.

#![expect(clippy::disallowed_methods, reason = "the recorded document is a file")]

use rackwarden_core::http::json::VERSION;
use rackwarden_core::http::{Auth, Cache, Parsed, Peer, parse, serve};
use rackwarden_core::sim::sample::{self, Sample};
use rackwarden_core::snapshot::Seen;
use std::net::{IpAddr, Ipv4Addr};

#[test]
fn the_document_is_the_recorded_one() {
    let snapshot = sample::snapshot(Sample::Normal);
    let seen = Seen::new(&snapshot, snapshot.now);
    let head = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let Parsed::Complete(request, _) = parse(head.as_bytes()) else {
        panic!("the request is complete");
    };
    let peer = Peer::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let (mut cache, mut auth) = (Cache::new(), Auth::new(None, &[]));
    let response = serve(&request, peer, &seen, &mut cache, &mut auth);
    let body = String::from_utf8_lossy(response.sent_body()).replace(VERSION, "VERSION");
    // A line for each answer and each shape, so that a change is a few lines of a diff.
    let mut want = String::new();
    for piece in body.split_inclusive("}},") {
        want += piece;
        want.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/openapi.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &want).expect("tests/openapi.json can be written");
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    let differs = (want.lines().zip(have.lines())).find(|(want, have)| want != have);
    assert_eq!(differs, None, "run it with UPDATE_EXPECT=1");
    assert_eq!(want.len(), have.len(), "run it with UPDATE_EXPECT=1");
}
