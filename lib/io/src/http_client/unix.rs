//! HTTP over a Unix socket: the link of ureq's chain that opens one in place of a TCP connection.

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle,
    Transport,
};

/// Opens the socket at a path; without a path it leaves the connection to the next link.
#[derive(Debug)]
pub(super) struct UnixConnector(pub(super) Option<PathBuf>);

impl<In: Transport> Connector<In> for UnixConnector {
    type Out = Either<In, UnixTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(path) = &self.0 else {
            return Ok(chained.map(Either::A));
        };
        let stream = open(path, limit(details.timeout)?).map_err(|err| match err.kind() {
            ErrorKind::WouldBlock => ureq::Error::Timeout(details.timeout.reason),
            _ => err.into(),
        })?;
        let stream = Arc::new(Socket(stream));
        let handle: Weak<Socket> = Arc::downgrade(&stream);
        (details.register_shutdown)(handle)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(UnixTransport { stream, buffers })))
    }
}

/// Connects. A listener whose queue is full makes a connection wait, so that has a time limit too.
fn open(path: &Path, within: Duration) -> io::Result<UnixStream> {
    let (unix, flags) = (AddressFamily::UNIX, SocketFlags::CLOEXEC);
    let socket = socket_with(unix, SocketType::STREAM, flags, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(within))?;
    loop {
        match connect(&socket, &SocketAddrUnix::new(path)?) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(|()| UnixStream::from(socket))?),
        }
    }
}

/// The rest of the time; a socket option takes no zero.
fn limit(timeout: NextTimeout) -> Result<Duration, ureq::Error> {
    match timeout.after {
        after if after.is_zero() => Err(ureq::Error::Timeout(timeout.reason)),
        after => Ok(*after),
    }
}

/// Shared with the agent, which ends a call that waits for it.
#[derive(Debug)]
struct Socket(UnixStream);

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A connection through a Unix socket.
#[derive(Debug)]
pub(super) struct UnixTransport {
    stream: Arc<Socket>,
    buffers: LazyBuffers,
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let mut stream = &self.stream.0;
        stream.set_write_timeout(Some(limit(timeout)?))?;
        let written = stream.write_all(&self.buffers.output()[..amount]);
        written.map_err(|err| in_time(err, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let mut stream = &self.stream.0;
        stream.set_read_timeout(Some(limit(timeout)?))?;
        let read = stream.read(self.buffers.input_append_buf());
        let amount = read.map_err(|err| in_time(err, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// A service that ended, or has something to say unasked, gets a new connection.
    fn is_open(&mut self) -> bool {
        let stream = &self.stream.0;
        let waits = |result: io::Result<usize>| {
            result.is_err_and(|err| err.kind() == ErrorKind::WouldBlock)
        };
        let is_open = stream.set_nonblocking(true).is_ok() && waits((&*stream).read(&mut [0]));
        stream.set_nonblocking(false).is_ok() && is_open
    }
}

fn in_time(err: io::Error, timeout: NextTimeout) -> ureq::Error {
    match err.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => err.into(),
    }
}
