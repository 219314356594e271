//! A mail as DATA wants it.

/// Doubles the dot at the start of a line (RFC 5321 section 4.5.2) and ends each line with CR and LF, so that no server
/// sees an end of the mail inside.
pub(super) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    let mut before = b'\n';
    for &byte in message {
        if before == b'\r' && byte != b'\n' {
            out.push(b'\n');
            before = b'\n';
        }
        match byte {
            b'.' if before == b'\n' => out.push(b'.'),
            b'\n' if before != b'\r' => out.push(b'\r'),
            _ => {}
        }
        out.push(byte);
        before = byte;
    }
    match before {
        b'\n' => {}
        b'\r' => out.push(b'\n'),
        _ => out.extend_from_slice(b"\r\n"),
    }
    out
}
