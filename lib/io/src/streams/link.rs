//! A connection with or without TLS. Reading and writing do not hold each other up, as they would in rustls' own stream: a
//! peer that takes nothing can still be read.

use super::socket::Socket;
use crate::tls;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::endpoint::Trust;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind, Read, Write};

/// The connection below a session.
#[derive(Debug)]
pub(super) enum Link {
    Plain(Socket),
    Tls(Box<Tls>),
}

#[derive(Debug)]
pub(super) struct Tls {
    connection: ClientConnection,
    socket: Socket,
}

impl Link {
    /// Makes the handshake on a socket that waits.
    ///
    /// # Errors
    /// The peer does not speak TLS, or is not trusted.
    pub(super) fn encrypt(mut socket: Socket, trust: &Trust, host: &str) -> Result<Link, Fault> {
        let refused =
            |detail: String| Fault::new(FaultKind::Tls, rackwarden_base::text::clean(detail));
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| refused("the host name cannot be in a certificate".to_owned()))?;
        let mut connection = ClientConnection::new(tls::trusting(trust)?, name)
            .map_err(|err| refused(err.to_string()))?;
        while connection.is_handshaking() {
            if let Err(err) = connection.complete_io(&mut socket) {
                return Err(match err.kind() {
                    ErrorKind::InvalidData => refused(err.to_string()),
                    ErrorKind::TimedOut => {
                        Fault::new(FaultKind::Timeout, "the TLS handshake took too long")
                    }
                    _ => refused(format!("the TLS handshake ended: {err}")),
                });
            }
        }
        Ok(Link::Tls(Box::new(Tls { connection, socket })))
    }

    pub(super) fn socket(&self) -> &Socket {
        match self {
            Link::Plain(socket) => socket,
            Link::Tls(tls) => &tls.socket,
        }
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        match self {
            Link::Plain(socket) => socket,
            Link::Tls(tls) => &mut tls.socket,
        }
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn end(&mut self) -> io::Result<()> {
        match self {
            Link::Plain(socket) => socket.end(),
            Link::Tls(tls) => {
                tls.connection.send_close_notify();
                tls.pass_on()
            }
        }
    }

    /// Something waits for room in the socket, besides what the session holds.
    pub(super) fn has_output(&self) -> bool {
        matches!(self, Link::Tls(tls) if tls.connection.wants_write())
    }
}

impl Tls {
    /// Writes what TLS has ready, as far as there is room.
    fn pass_on(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let tls = match self {
            Link::Plain(socket) => return socket.read(buffer),
            Link::Tls(tls) => tls,
        };
        loop {
            match tls.connection.reader().read(buffer) {
                Err(err) if err.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            tls.connection.read_tls(&mut tls.socket)?;
            let processed = tls.connection.process_new_packets();
            // An alert says why. A peer that takes nothing may have said more.
            let _ = tls.pass_on();
            processed.map_err(|err| io::Error::new(ErrorKind::InvalidData, err))?;
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let tls = match self {
            Link::Plain(socket) => return socket.write(bytes),
            Link::Tls(tls) => tls,
        };
        tls.pass_on()?;
        let length = tls.connection.writer().write(bytes)?;
        if length == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        tls.pass_on()?;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Link::Tls(tls) = self {
            tls.pass_on()?;
            if tls.connection.wants_write() {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }
}
