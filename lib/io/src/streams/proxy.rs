//! A connection through a proxy: `CONNECT` of HTTP, or SOCKS 5 (RFC 1928, RFC 1929).

use super::open::{Place, look_up, reach, unreachable};
use super::socket::Socket;
use crate::mailbox::Mailbox;
use crate::names::Names;
use rackwarden_base::fault::{Fault, FaultKind};
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use ureq::http::Uri;

/// The answer to `CONNECT` is never longer.
const MAX_ANSWER_BYTES: usize = 8 * 1024;

/// # Errors
/// The proxy cannot be reached or refuses.
pub(super) fn connect(
    url: &str,
    to: &Place,
    way: (Instant, &Arc<Mailbox>, &Names),
) -> Result<Socket, Fault> {
    let unusable = || Fault::new(FaultKind::Unreachable, "the proxy URL is not usable");
    let uri: Uri = url.parse().map_err(|_| unusable())?;
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().ok_or_else(unusable)?;
    let login = authority.as_str().rsplit_once('@').map(|(login, _)| login);
    let place = Place {
        host: authority.host().trim_matches(['[', ']']).to_owned(),
        port: authority.port_u16().unwrap_or(match scheme {
            "http" => 80,
            _ => 1080,
        }),
    };
    let mut socket = reach(&place, way)?;
    let done = match scheme {
        "http" => tunnel(&mut socket, to, login),
        "socks5h" => socks(&mut socket, to, None, login),
        "socks5" => {
            let found = look_up(to, way.0, way.2)?;
            let address = found.first().map(|address| address.ip());
            socks(&mut socket, to, address, login)
        }
        _ => return Err(unusable()),
    };
    match done {
        Ok(None) => Ok(socket),
        Ok(Some(refusal)) => Err(Fault::new(FaultKind::Denied, refusal)),
        Err(err) => Err(unreachable(&err)),
    }
}

/// `Some` says why not.
fn tunnel(socket: &mut Socket, to: &Place, login: Option<&str>) -> io::Result<Option<String>> {
    let Place { host, port } = to;
    let host = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let mut head = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n");
    if let Some(login) = login {
        let login = rackwarden_base::digest::base64(login.as_bytes());
        head.push_str(&format!("Proxy-Authorization: Basic {login}\r\n"));
    }
    head.push_str("\r\n");
    socket.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    // One byte at a time: what follows belongs to the server.
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        answer.push(byte[0]);
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let status = answer.get(9..12).unwrap_or_default();
    Ok(match status {
        [b'2', ..] => None,
        status => Some(format!(
            "the proxy answers {}",
            String::from_utf8_lossy(status)
        )),
    })
}

/// `Some` says why not.
fn socks(
    socket: &mut Socket,
    to: &Place,
    address: Option<IpAddr>,
    login: Option<&str>,
) -> io::Result<Option<String>> {
    let refusal = |why: &str| Ok(Some(format!("the proxy {why}")));
    let method = if login.is_some() { 2 } else { 0 };
    socket.write_all(&[5, 1, method])?;
    let mut answer = [0; 2];
    socket.read_exact(&mut answer)?;
    if answer != [5, method] {
        return refusal("wants another login");
    }
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let mut request = vec![1];
        for part in [user, password] {
            request.push(u8::try_from(part.len()).map_err(|_| ErrorKind::InvalidInput)?);
            request.extend_from_slice(part.as_bytes());
        }
        socket.write_all(&request)?;
        socket.read_exact(&mut answer)?;
        if answer[1] != 0 {
            return refusal("refuses the login");
        }
    }
    let mut request = vec![5, 1, 0];
    match address.or_else(|| to.host.parse().ok()) {
        Some(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        None => {
            let length = u8::try_from(to.host.len()).map_err(|_| ErrorKind::InvalidInput)?;
            request.extend_from_slice(&[3, length]);
            request.extend_from_slice(to.host.as_bytes());
        }
    }
    request.extend_from_slice(&to.port.to_be_bytes());
    socket.write_all(&request)?;
    let mut answer = [0; 4];
    socket.read_exact(&mut answer)?;
    if answer[1] != 0 {
        return refusal(&format!("cannot connect (SOCKS {})", answer[1]));
    }
    let mut length = [0];
    let length = match answer[3] {
        1 => 4,
        4 => 16,
        _ => {
            socket.read_exact(&mut length)?;
            usize::from(length[0])
        }
    };
    socket.read_exact(&mut vec![0; length + 2])?;
    Ok(None)
}
