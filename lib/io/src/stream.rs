//! Stream sockets that never block: what the status server and the local socket share.

use rackwarden_core::http::Peer;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketAddrAny, SocketAddrUnix,
    SocketFlags, SocketType,
};
use std::fs::{self, Permissions};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Connections that wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// A bound socket that waits for connections.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Held for its `Drop`.
        _file: SocketFile,
    },
}

/// A socket's name in the file system; removed with it, unless somebody else's is there by then.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Listener {
    /// Binds a TCP address. Port 0 takes a free one.
    ///
    /// # Errors
    /// Returns the operating system's error (address in use, not ours, no permission).
    pub fn tcp(address: SocketAddr) -> io::Result<Listener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        // A longer queue than the standard library's: while it is full, the kernel drops connections and
        // honest clients wait a second for their next try.
        rustix::net::listen(&listener, BACKLOG)?;
        // Accepted connections inherit it, which saves a call for each.
        rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
        Ok(Listener {
            kind: Kind::Tcp(listener),
        })
    }

    /// Binds a unix socket with these permissions. A socket file that nobody listens on is replaced.
    ///
    /// # Errors
    /// `AddrInUse` when somebody listens there, `AlreadyExists` when the path is something else, otherwise the
    /// operating system's error.
    pub fn unix(path: &Path, mode: u32) -> io::Result<Listener> {
        remove_stale(path)?;
        let listener = UnixListener::bind(path)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        let file = SocketFile {
            path: path.to_owned(),
            identity: identity(path),
        };
        Ok(Listener {
            kind: Kind::Unix {
                listener,
                _file: file,
            },
        })
    }

    /// The TCP address that it is bound to.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.kind {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            Kind::Unix { .. } => None,
        }
    }

    /// Takes the next connection that waits.
    pub(super) fn accept(&self) -> Accepted {
        loop {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::acceptfrom_with(self, flags) {
                Ok((stream, address)) => return Accepted::Stream(stream, self.peer(address)),
                Err(Errno::AGAIN) => return Accepted::Drained,
                // The kernel says so before it looks whether anybody waits.
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    return match self.is_waited_for() {
                        true => Accepted::Exhausted,
                        false => Accepted::Drained,
                    };
                }
                Err(Errno::INTR) => {}
                // What else accept reports is an error of the connection that it took off the queue.
                Err(Errno::BADF | Errno::INVAL | Errno::NOTSOCK) => return Accepted::Exhausted,
                Err(_) => {}
            }
        }
    }

    fn is_waited_for(&self) -> bool {
        let mut watched = [PollFd::new(self, PollFlags::IN)];
        rustix::event::poll(&mut watched, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    fn peer(&self, address: Option<SocketAddrAny>) -> Peer {
        let address = address.and_then(|address| SocketAddr::try_from(address).ok());
        match (&self.kind, address) {
            (Kind::Unix { .. }, _) => Peer::Unix,
            (Kind::Tcp(_), Some(address)) => Peer::Ip(address.ip()),
            // Gone before it was taken: nobody in particular.
            (Kind::Tcp(_), None) => Peer::Ip(IpAddr::from([0, 0, 0, 0])),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix { listener, .. } => listener.as_fd(),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What `Listener::accept` found.
#[derive(Debug)]
pub(super) enum Accepted {
    /// A connection, not blocking, and where it comes from.
    Stream(OwnedFd, Peer),
    /// Nobody waits.
    Drained,
    /// There is no descriptor or memory for another connection.
    Exhausted,
}

/// Reads what is there. `Ok(None)`: nothing yet; `Ok(Some(0))`: the peer has ended.
pub(super) fn receive(stream: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match rustix::net::recv(stream, &mut *buffer, RecvFlags::empty()) {
            Ok((len, _)) => return Ok(Some(len)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(err) => return Err(err.into()),
        }
    }
}

/// Writes as much as fits and returns how much that was.
pub(super) fn send(stream: &OwnedFd, parts: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut control = SendAncillaryBuffer::default();
    loop {
        match rustix::net::sendmsg(stream, parts, &mut control, SendFlags::NOSIGNAL) {
            Ok(len) => return Ok(len),
            Err(Errno::AGAIN) => return Ok(0),
            Err(Errno::INTR) => {}
            Err(err) => return Err(err.into()),
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata
        .file_type()
        .is_socket()
        .then(|| (metadata.dev(), metadata.ino()))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(err),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the path exists and is not a socket",
            ));
        }
        Ok(_) => {}
    }
    // Not blocking, because somebody who listens but does not accept is somebody all the same.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&probe, &SocketAddrUnix::new(path)?) {
        Err(Errno::CONNREFUSED) => fs::remove_file(path),
        Err(Errno::NOENT) => Ok(()),
        Ok(()) | Err(Errno::AGAIN) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process listens there",
        )),
        Err(err) => Err(err.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("rackwarden-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_unix_socket_replaces_a_stale_one_only_and_cleans_up() {
        let directory = directory("stream");
        let path = directory.join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a stale file is left behind");
        let listener = Listener::unix(&path, 0o666).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o666
        );
        let busy = Listener::unix(&path, 0o666).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert!(!path.exists());
        fs::write(&path, "precious").unwrap();
        let other = Listener::unix(&path, 0o666).unwrap_err();
        assert_eq!(other.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_dir_all(&directory).unwrap();
    }
}
