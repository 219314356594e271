//! A UDP socket of the service, for one address family.

use crate::net::{Interest, Registry};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

/// The size of the receive buffer that is asked for, as much as the system grants anybody; it doubles it.
const BUFFER_BYTES: usize = 212_992;

pub(super) struct Socket {
    fd: OwnedFd,
    /// What epoll was told.
    interest: Interest,
    /// The system refuses what the path does not take in one piece. It would otherwise find each datagram a
    /// number for the case that it is cut, which takes 0.15 µs.
    is_uncut: bool,
}

impl Socket {
    /// A socket from which this address can be reached.
    pub(super) fn open(to: SocketAddr) -> Result<Socket, Errno> {
        let (family, any) = match to {
            SocketAddr::V4(_) => (
                AddressFamily::INET,
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            ),
            SocketAddr::V6(_) => (
                AddressFamily::INET6,
                SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
            ),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
        if to.is_ipv6() {
            sockopt::set_ipv6_v6only(&fd, true)?;
        }
        // Without either it works as well, only slower.
        let _ = sockopt::set_socket_recv_buffer_size(&fd, BUFFER_BYTES);
        let is_uncut =
            to.is_ipv4() && sockopt::set_ip_mtu_discover(&fd, Ipv4PathMtuDiscovery::DO).is_ok();
        rustix::net::bind(&fd, &any)?;
        Ok(Socket {
            fd,
            interest: Interest::None,
            is_uncut,
        })
    }

    /// Bytes that its receive buffer holds, counted as the kernel does.
    pub(super) fn buffer_bytes(&self) -> usize {
        sockopt::socket_recv_buffer_size(&self.fd).unwrap_or(BUFFER_BYTES)
    }

    /// Has it watched for this. A socket that waits for nothing leaves epoll: while it is there, the kernel tells epoll of
    /// each datagram that has left, which costs half as much as receiving one.
    pub(super) fn watch(&mut self, registry: &Registry<'_>, token: u32, interest: Interest) {
        let result = match (self.interest, interest) {
            (before, now) if before == now => return,
            (Interest::None, now) => registry.add(&self.fd, token, now),
            (_, Interest::None) => registry.delete(&self.fd),
            (_, now) => registry.modify(&self.fd, token, now),
        };
        if result.is_ok() {
            self.interest = interest;
        }
    }

    /// Sends a datagram, or says why not.
    pub(super) fn send(&mut self, datagram: &[u8], to: SocketAddr) -> Result<(), Errno> {
        let send = |fd: &OwnedFd| {
            retry_on_intr(|| rustix::net::sendto(fd, datagram, SendFlags::empty(), &to))
        };
        let mut result = send(&self.fd);
        if result == Err(Errno::MSGSIZE) && self.is_uncut {
            self.is_uncut = false;
            sockopt::set_ip_mtu_discover(&self.fd, Ipv4PathMtuDiscovery::WANT)?;
            result = send(&self.fd);
        }
        result.map(drop)
    }

    /// Takes the next datagram that has arrived: its length and its sender.
    pub(super) fn receive(&self, room: &mut [u8]) -> Result<(usize, SocketAddr), Errno> {
        let (len, _, from) = rustix::net::recvfrom(&self.fd, room, RecvFlags::empty())?;
        let from = from.ok_or(Errno::DESTADDRREQ)?;
        Ok((len, SocketAddr::try_from(from)?))
    }
}
