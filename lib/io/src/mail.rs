//! Mail through a submission server (RFC 5321, RFC 6409) on a thread of its own. A mail is handed over once, before its
//! deadline, and what came of it is reported; retries are the core's business. `smtp` speaks; here is the socket.

use crate::inbox::Inbox;
use crate::tls;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::time::Mono;
use rackwarden_core::config::{MailConfig, MailSecurity};
use rackwarden_core::effect::MailRequest;
use rackwarden_core::event::{Event, Reply};
use rackwarden_core::smtp::{Envelope, Session, Step, Task};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Mails that wait for the thread; one more is answered with `Overload` at once.
const QUEUE: usize = 16;
/// A TLS handshake needs the most of it.
const STACK_BYTES: usize = 512 * 1024;
/// Of each address of the server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Gives mails to the thread, which starts with the first of them.
#[derive(Clone)]
pub struct MailHandle {
    queue: Arc<Mutex<Option<SyncSender<MailRequest>>>>,
    inbox: Inbox,
}

impl MailHandle {
    /// Nothing runs before the first mail.
    pub fn new(inbox: Inbox) -> MailHandle {
        MailHandle {
            queue: Arc::default(),
            inbox,
        }
    }

    /// Hands a mail over. What came of it arrives in the inbox.
    pub fn send(&self, request: MailRequest) {
        let ticket = request.ticket;
        if let Err(fault) = self.try_send(request) {
            let reply = Reply::Mail(Err(fault));
            self.inbox.send(Event::Done { ticket, reply });
        }
    }

    fn try_send(&self, request: MailRequest) -> Result<(), Fault> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = match &*queue {
            Some(queue) => queue,
            None => queue.insert(start(self.inbox.clone())?),
        };
        queue.try_send(request).map_err(|err| match err {
            TrySendError::Full(_) => Fault::new(FaultKind::Overload, "too many mails are waiting"),
            TrySendError::Disconnected(_) => {
                Fault::new(FaultKind::Stopped, "the worker thread has ended")
            }
        })
    }
}

fn start(inbox: Inbox) -> Result<SyncSender<MailRequest>, Fault> {
    let (sender, receiver) = sync_channel::<MailRequest>(QUEUE);
    let run = move || {
        for request in receiver {
            let ticket = request.ticket;
            let reply = Reply::Mail(deliver(request));
            inbox.send(Event::Done { ticket, reply });
        }
    };
    thread::Builder::new()
        .name("mail".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(run)
        .map_err(|err| {
            Fault::new(
                FaultKind::Overload,
                format!("cannot start thread mail: {err}"),
            )
        })?;
    Ok(sender)
}

/// Goes as far as the login and says goodbye: whether mail could leave, without any.
///
/// # Errors
/// The fault of the server or of the connection to it.
pub fn try_login(server: &MailConfig, timeout: Duration) -> Result<(), Fault> {
    converse(server, None, timeout)
}

/// One mail, from the connection to the last reply.
fn deliver(request: MailRequest) -> Result<(), Fault> {
    let mail = Envelope {
        from: request.server.from.clone(),
        to: request.to,
        message: request.message,
    };
    converse(&request.server, Some(mail), request.timeout)
}

fn converse(server: &MailConfig, mail: Option<Envelope>, timeout: Duration) -> Result<(), Fault> {
    let begin = Instant::now();
    let socket = connect(server, begin + timeout)?;
    let us = socket
        .socket
        .local_addr()
        .map_err(|err| unreachable(server, &err))?;
    let task = Task {
        us: us.ip(),
        needs_starttls: server.security == MailSecurity::StartTls,
        login: server.login.clone(),
        mail,
    };
    let mut session = Session::new(task, Mono::new(timeout));
    let mut stream = Stream::Plain(socket);
    if server.security == MailSecurity::Tls {
        stream = stream.encrypt(server, &session)?;
    }
    loop {
        let result = match session.next(Mono::new(begin.elapsed())) {
            Step::Write(bytes) => stream
                .both()
                .write_all(&bytes)
                .and_then(|()| stream.both().flush()),
            Step::Read => stream.read().map(|bytes| session.receive(&bytes)),
            Step::Encrypt => {
                stream = stream.encrypt(server, &session)?;
                Ok(())
            }
            Step::Done(result) => return result,
        };
        if let Err(err) = result {
            return broken(&session, &err);
        }
    }
}

fn connect(server: &MailConfig, until: Instant) -> Result<Limited, Fault> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    let place = (server.host.as_str(), server.port);
    for place in place
        .to_socket_addrs()
        .map_err(|err| unreachable(server, &err))?
    {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            last = ErrorKind::TimedOut.into();
            break;
        }
        match TcpStream::connect_timeout(&place, left.min(CONNECT_TIMEOUT)) {
            Ok(socket) => return Ok(Limited { socket, until }),
            Err(err) => last = err,
        }
    }
    Err(unreachable(server, &last))
}

fn unreachable(server: &MailConfig, err: &io::Error) -> Fault {
    let why = super::environment::reason(err);
    let detail = format!("{}:{} cannot be reached: {why}", server.host, server.port);
    Fault::new(FaultKind::Unreachable, detail)
}

/// The meaning of a failed connection for the mail.
fn broken(session: &Session, err: &io::Error) -> Result<(), Fault> {
    match err.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => session.timed_out(),
        _ => session.broken(&super::environment::reason(err)),
    }
}

enum Stream {
    Plain(Limited),
    Tls(Box<StreamOwned<ClientConnection, Limited>>),
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl Stream {
    fn both(&mut self) -> &mut dyn ReadWrite {
        match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream,
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = [0; 1024];
        match self.both().read(&mut chunk)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            length => Ok(chunk[..length].to_vec()),
        }
    }

    /// Goes on in TLS.
    fn encrypt(self, server: &MailConfig, session: &Session) -> Result<Stream, Fault> {
        let tls = |detail: String| Fault::new(FaultKind::Tls, detail);
        let Stream::Plain(mut socket) = self else {
            return Ok(self);
        };
        let config = tls::client_config(server.ca_file.as_deref())?;
        let name = ServerName::try_from(server.host.clone())
            .map_err(|_| tls("the host name cannot be in a certificate".to_owned()))?;
        let mut connection =
            ClientConnection::new(config, name).map_err(|err| tls(err.to_string()))?;
        while connection.is_handshaking() {
            if let Err(err) = connection.complete_io(&mut socket) {
                match err.kind() {
                    ErrorKind::InvalidData => {
                        return Err(tls(rackwarden_base::text::clean(err.to_string())));
                    }
                    _ => broken(session, &err)?,
                }
            }
        }
        Ok(Stream::Tls(Box::new(StreamOwned::new(connection, socket))))
    }
}

/// A socket with one deadline for everything.
struct Limited {
    socket: TcpStream,
    until: Instant,
}

impl Limited {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(buffer)
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

#[cfg(test)]
mod tests;
