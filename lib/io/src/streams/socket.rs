//! A socket of a stream. While the stream is being opened, reading and writing wait, but not beyond the deadline and not
//! for a stream that is to be closed; afterwards they never wait.

use crate::mailbox::{Mailbox, wait_for};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A peer that is silent is asked by the system whether it is there, and is gone after about a minute.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_COUNT: u32 = 3;

/// A connected socket, not blocking.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    mailbox: Arc<Mailbox>,
    /// Until then reading and writing wait; afterwards they do not.
    waits_until: Option<Instant>,
    /// The last time that the peer sent anything.
    heard: Instant,
    /// The last time that it took anything.
    took: Instant,
}

impl Socket {
    /// # Errors
    /// The operating system's, `TimedOut`, or `ConnectionAborted` when the stream is to be closed.
    pub(super) fn tcp(
        to: SocketAddr,
        until: Instant,
        mailbox: &Arc<Mailbox>,
    ) -> io::Result<Socket> {
        let family = match to {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = Socket::new(family, until, mailbox)?;
        match rustix::net::connect(&socket.fd, &to) {
            Ok(()) => {}
            Err(Errno::INPROGRESS) => {
                socket.wait(PollFlags::OUT, until)?;
                sockopt::socket_error(&socket.fd)??;
            }
            Err(err) => return Err(err.into()),
        }
        sockopt::set_tcp_nodelay(&socket.fd, true)?;
        sockopt::set_socket_keepalive(&socket.fd, true)?;
        sockopt::set_tcp_keepidle(&socket.fd, KEEP_ALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(&socket.fd, KEEP_ALIVE_INTERVAL)?;
        sockopt::set_tcp_keepcnt(&socket.fd, KEEP_ALIVE_COUNT)?;
        Ok(socket)
    }

    /// # Errors
    /// The operating system's. A socket whose queue of connections is full is `WouldBlock`.
    pub(super) fn unix(path: &Path, until: Instant, mailbox: &Arc<Mailbox>) -> io::Result<Socket> {
        let socket = Socket::new(AddressFamily::UNIX, until, mailbox)?;
        rustix::net::connect(&socket.fd, &SocketAddrUnix::new(path)?)?;
        Ok(socket)
    }

    fn new(family: AddressFamily, until: Instant, mailbox: &Arc<Mailbox>) -> io::Result<Socket> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        Ok(Socket {
            fd: rustix::net::socket_with(family, SocketType::STREAM, flags, None)?,
            mailbox: Arc::clone(mailbox),
            waits_until: Some(until),
            heard: Instant::now(),
            took: Instant::now(),
        })
    }

    /// From here on nothing waits.
    pub(super) fn stop_waiting(&mut self) {
        self.waits_until = None;
        self.heard = Instant::now();
    }

    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    pub(super) fn took(&self) -> Instant {
        self.took
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn end(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.fd, Shutdown::Write)?)
    }

    /// Waits for the socket, at most until the deadline, and not when the stream is to be closed.
    fn wait(&self, flags: PollFlags, until: Instant) -> io::Result<()> {
        loop {
            if self.mailbox.is_closing() {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            let mut watched = [
                PollFd::new(&self.fd, flags),
                PollFd::from_borrowed_fd(self.mailbox.as_fd(), PollFlags::IN),
            ];
            wait_for(&mut watched, Some(left))?;
            if !watched[0].revents().is_empty() {
                return Ok(());
            }
            if !watched[1].revents().is_empty() {
                self.mailbox.quiet();
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.fd, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => {
                    self.heard = Instant::now();
                    return Ok(length);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => match self.waits_until {
                    Some(until) => self.wait(PollFlags::IN, until)?,
                    None => return Err(ErrorKind::WouldBlock.into()),
                },
                Err(err) => return Err(err.into()),
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(&self.fd, bytes, SendFlags::NOSIGNAL) {
                Ok(length) => {
                    self.took = Instant::now();
                    return Ok(length);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => match self.waits_until {
                    Some(until) => self.wait(PollFlags::OUT, until)?,
                    None => return Err(ErrorKind::WouldBlock.into()),
                },
                Err(err) => return Err(err.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
