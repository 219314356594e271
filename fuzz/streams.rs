//! Responses that streams read: any bytes, torn anywhere, as the answer to each kind of request.

use rackwarden_core::endpoint::Method;
use rackwarden_core::secret::Secret;
use rackwarden_core::stream::http::{Decoder, MAX_HEAD_BYTES, Piece};
use rackwarden_core::stream::{HttpBody, HttpStart, StreamKind};

fn kinds() -> [StreamKind; 3] {
    let request = HttpStart {
        method: Method::Head,
        ..HttpStart::default()
    };
    [
        StreamKind::Http {
            request: HttpStart::default(),
            body: HttpBody::Sent { length: None },
        },
        StreamKind::Http {
            request,
            body: HttpBody::Whole(Secret::default()),
        },
        StreamKind::Upgrade {
            request: HttpStart::default(),
            protocol: "tcp".to_owned(),
            body: Secret::default(),
        },
    ]
}

/// All pieces, those of data joined; and whether it ended well.
fn read(kind: &StreamKind, data: &[u8], part: usize, most: usize) -> (Vec<Piece>, bool) {
    let mut decoder = Decoder::new(kind);
    let mut pieces: Vec<Piece> = Vec::new();
    for bytes in data.chunks(part) {
        decoder.push(bytes);
        loop {
            match decoder.next(most) {
                Ok(Some(Piece::Data(more))) => {
                    assert!((1..=most).contains(&more.len()));
                    match pieces.last_mut() {
                        Some(Piece::Data(data)) => data.extend(more),
                        _ => pieces.push(Piece::Data(more)),
                    }
                }
                Ok(Some(piece)) => {
                    assert_ne!(pieces.last(), Some(&Piece::End));
                    pieces.push(piece);
                }
                Ok(None) => break,
                Err(_) => return (pieces, false),
            }
        }
    }
    let is_good = decoder.end().is_ok();
    (pieces, is_good)
}

/// The first byte says how the rest is torn: the pieces are the same as when it comes at once.
pub fn http_stream(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    if rest.len() > MAX_HEAD_BYTES {
        return;
    }
    for kind in kinds() {
        let whole = read(&kind, rest, rest.len().max(1), usize::MAX);
        let torn = read(
            &kind,
            rest,
            usize::from(first % 16) + 1,
            usize::from(first / 16) + 1,
        );
        assert_eq!(whole, torn);
        let bytes: usize = whole.0.iter().map(length).sum();
        assert!(bytes <= rest.len());
    }
}

fn length(piece: &Piece) -> usize {
    match piece {
        Piece::Data(data) => data.len(),
        Piece::Head(_) | Piece::Upgraded | Piece::End => 0,
    }
}

pub fn http_stream_seeds() -> Vec<Vec<u8>> {
    [
        "\u{1}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nb;x=1\r\n to a world\r\n0\r\nT: 1\r\n\r\n",
        "\u{2}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
        "\u{13}HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\u{1}\0\0\0\0\0\0\u{2}hi",
        "\u{7}HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nraw",
        "\u{3}HTTP/1.1 204 No Content\r\n\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
