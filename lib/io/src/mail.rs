//! Mail through a submission server (RFC 5321, RFC 6409) on a thread of its own. A mail is handed over once, before its
//! deadline, and what came of it is reported; retries are the core's business. lettre writes the commands, reads the
//! replies and answers the login; the connection is ours, so that one deadline holds for all of it, so that a server
//! which should speak TLS and does not gets nothing, and so that nothing said before TLS counts after it.

use crate::inbox::Inbox;
use crate::tls;
use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailParameter};
use lettre::transport::smtp::response::Response;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::config::{MailConfig, MailSecurity};
use rackwarden_core::effect::MailRequest;
use rackwarden_core::event::{Event, Reply};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::fmt::Display;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
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
/// A reply, with all its lines, is never longer.
const MAX_REPLY_BYTES: usize = 16 * 1024;
/// So much of a reply is told.
const MAX_TOLD_CHARS: usize = 200;

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
            let reply = Reply::Mail(deliver(&request));
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
/// What the server or the way to it says.
pub fn try_login(server: &MailConfig, timeout: Duration) -> Result<(), Fault> {
    let (mut wire, _) = log_in(server, Instant::now() + timeout)?;
    let _ = wire.write(Quit.to_string().as_bytes());
    Ok(())
}

/// From the connection to the login.
fn log_in(server: &MailConfig, until: Instant) -> Result<(Wire, Offers), Fault> {
    let mut wire = Wire::connect(server, until)?;
    if server.security == MailSecurity::Tls {
        wire = wire.encrypt(server)?;
    }
    wire.positive(Stage::Greeting)?;
    let mut offers = wire.hello()?;
    if server.security == MailSecurity::StartTls {
        if !offers.has("STARTTLS") {
            let detail = "the server does not offer STARTTLS, and without it nothing is sent";
            return Err(Fault::new(FaultKind::Tls, detail));
        }
        wire.command(&Starttls, Stage::Greeting)?;
        wire = wire.encrypt(server)?;
        offers = wire.hello()?;
    }
    if let Some((user, password)) = &server.login {
        let credentials = Credentials::new(user.clone(), password.expose().clone());
        wire.login(&offers, &credentials)?;
    }
    Ok((wire, offers))
}

/// One mail, from the connection to the last reply.
fn deliver(request: &MailRequest) -> Result<(), Fault> {
    let server = &*request.server;
    let (mut wire, offers) = log_in(server, Instant::now() + request.timeout)?;
    let most = offers.size();
    if most.is_some_and(|most| most > 0 && request.message.len() > most) {
        let detail = format!("the server takes no mail above {} bytes", most.unwrap_or(0));
        return Err(Fault::new(FaultKind::TooLarge, detail));
    }
    let mut parameters = Vec::new();
    if !(server.from.is_ascii() && request.to.is_ascii()) {
        if !offers.has("SMTPUTF8") {
            let detail = "the server takes no addresses beyond ASCII";
            return Err(Fault::new(FaultKind::Unwanted, detail));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    wire.command(&Mail::new(address(&server.from), parameters), Stage::Sender)?;
    if let Some(to) = address(&request.to) {
        wire.command(&Rcpt::new(to, Vec::new()), Stage::Recipient)?;
    }
    wire.command(&Data, Stage::Content)?;
    wire.content(&request.message)?;
    // The mail is accepted; how the conversation ends changes nothing.
    let _ = wire.write(Quit.to_string().as_bytes());
    Ok(())
}

/// An address that the configuration has checked.
fn address(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    Some(Address::new_dangerous(user, domain))
}

/// What a reply is about; the same number means different things.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Login,
    Sender,
    Recipient,
    Content,
}

/// What the server offers, one keyword with its parameters a line.
struct Offers(Vec<String>);

impl Offers {
    fn find(&self, keyword: &str) -> Option<std::str::SplitWhitespace<'_>> {
        self.0.iter().find_map(|line| {
            let mut words = line.split_whitespace();
            let is_it = words.next()?.eq_ignore_ascii_case(keyword);
            is_it.then_some(words)
        })
    }

    fn has(&self, keyword: &str) -> bool {
        self.find(keyword).is_some()
    }

    /// RFC 1870; zero for no limit.
    fn size(&self) -> Option<usize> {
        self.find("SIZE")?.next()?.parse().ok()
    }

    fn mechanism(&self) -> Option<Mechanism> {
        let offered: Vec<&str> = self.find("AUTH")?.collect();
        [("PLAIN", Mechanism::Plain), ("LOGIN", Mechanism::Login)]
            .into_iter()
            .find(|(name, _)| offered.iter().any(|word| word.eq_ignore_ascii_case(name)))
            .map(|(_, mechanism)| mechanism)
    }
}

/// A connection to the server.
struct Wire {
    stream: Stream,
    /// Read, but not yet part of a reply.
    unread: Vec<u8>,
    us: IpAddr,
    /// All of the mail has been handed to the system.
    is_all_sent: bool,
}

enum Stream {
    Plain(Limited),
    Tls(Box<StreamOwned<ClientConnection, Limited>>),
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

impl Wire {
    fn connect(server: &MailConfig, until: Instant) -> Result<Wire, Fault> {
        let unreachable = |err: &io::Error| {
            let why = super::environment::reason(err);
            let detail = format!("{}:{} cannot be reached: {why}", server.host, server.port);
            Fault::new(FaultKind::Unreachable, detail)
        };
        let mut last = io::Error::from(ErrorKind::NotFound);
        let place = (server.host.as_str(), server.port);
        for place in place.to_socket_addrs().map_err(|err| unreachable(&err))? {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                last = ErrorKind::TimedOut.into();
                break;
            }
            match TcpStream::connect_timeout(&place, left.min(CONNECT_TIMEOUT)) {
                Ok(socket) => {
                    let us = socket.local_addr().map_err(|err| unreachable(&err))?.ip();
                    return Ok(Wire {
                        stream: Stream::Plain(Limited { socket, until }),
                        unread: Vec::new(),
                        us,
                        is_all_sent: false,
                    });
                }
                Err(err) => last = err,
            }
        }
        Err(unreachable(&last))
    }

    /// Goes on in TLS.
    fn encrypt(self, server: &MailConfig) -> Result<Wire, Fault> {
        let tls = |detail: String| Fault::new(FaultKind::Tls, detail);
        if !self.unread.is_empty() {
            return Err(tls("the server went on talking before TLS began".to_owned()));
        }
        let Stream::Plain(mut socket) = self.stream else {
            return Ok(self);
        };
        let config = tls::client_config(server.ca_file.as_deref())?;
        let name = ServerName::try_from(server.host.clone())
            .map_err(|_| tls("the host name cannot be in a certificate".to_owned()))?;
        let mut connection =
            ClientConnection::new(config, name).map_err(|err| tls(err.to_string()))?;
        while connection.is_handshaking() {
            connection
                .complete_io(&mut socket)
                .map_err(|err| match err.kind() {
                    ErrorKind::InvalidData => tls(rackwarden_base::text::clean(err.to_string())),
                    _ => broken(&err, false),
                })?;
        }
        Ok(Wire {
            stream: Stream::Tls(Box::new(StreamOwned::new(connection, socket))),
            ..self
        })
    }

    fn hello(&mut self) -> Result<Offers, Fault> {
        let us = match self.us {
            IpAddr::V4(us) => ClientId::Ipv4(us),
            IpAddr::V6(us) => ClientId::Ipv6(us),
        };
        let reply = self.command(&Ehlo::new(us), Stage::Greeting)?;
        Ok(Offers(reply.message().map(str::to_owned).collect()))
    }

    fn login(&mut self, offers: &Offers, credentials: &Credentials) -> Result<(), Fault> {
        let denied = |detail: &str| Fault::new(FaultKind::Denied, detail);
        let mechanism = offers.mechanism().ok_or_else(|| {
            denied("the server offers no login that we know (PLAIN, LOGIN); is `security` right?")
        })?;
        let failed = |_| denied("the server's login is not understood");
        let first = Auth::new(mechanism, credentials.clone(), None).map_err(failed)?;
        let mut reply = self.command(&first, Stage::Login)?;
        // LOGIN asks for the user and for the password.
        for _ in 0..2 {
            if number(&reply) != 334 {
                break;
            }
            let next = Auth::new_from_response(mechanism, credentials.clone(), &reply);
            reply = self.command(&next.map_err(failed)?, Stage::Login)?;
        }
        if number(&reply) == 334 {
            return Err(denied("the server asks for more than user and password"));
        }
        Ok(())
    }

    /// Sends the mail itself, with its end. From there on nobody knows before the reply whether it was accepted.
    fn content(&mut self, message: &[u8]) -> Result<(), Fault> {
        let mut escaped = Vec::with_capacity(message.len() + 64);
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            // RFC 5321 section 4.5.2: a dot at the start of a line is doubled.
            if line.starts_with(b".") {
                escaped.push(b'.');
            }
            escaped.extend_from_slice(line);
        }
        self.write(&escaped)?;
        self.is_all_sent = true;
        self.write(b".\r\n")?;
        self.positive(Stage::Content).map(|_| ())
    }

    fn command(&mut self, command: &dyn Display, stage: Stage) -> Result<Response, Fault> {
        self.write(command.to_string().as_bytes())?;
        self.positive(stage)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let stream: &mut dyn Write = match &mut self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(stream) => stream,
        };
        let written = stream.write_all(bytes).and_then(|()| stream.flush());
        written.map_err(|err| broken(&err, self.is_all_sent))
    }

    /// The next reply, if it says yes.
    fn positive(&mut self, stage: Stage) -> Result<Response, Fault> {
        let text = self.reply()?;
        let reply: Response = text.parse().map_err(|_| self.malformed())?;
        if reply.is_positive() {
            Ok(reply)
        } else {
            Err(refusal(&reply, stage))
        }
    }

    /// The lines of a reply, as they are; the last one has no hyphen after its number.
    fn reply(&mut self) -> Result<String, Fault> {
        let mut end = 0;
        loop {
            while let Some(length) = self.unread[end..].iter().position(|byte| *byte == b'\n') {
                let is_last = self.unread.get(end + 3) != Some(&b'-');
                end += length + 1;
                if is_last {
                    let reply: Vec<u8> = self.unread.drain(..end).collect();
                    return Ok(String::from_utf8_lossy(&reply).into_owned());
                }
            }
            if self.unread.len() > MAX_REPLY_BYTES {
                return Err(self.malformed());
            }
            let mut chunk = [0; 1024];
            let stream: &mut dyn Read = match &mut self.stream {
                Stream::Plain(socket) => socket,
                Stream::Tls(stream) => stream,
            };
            let read = stream.read(&mut chunk).and_then(|length| match length {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                length => Ok(length),
            });
            let length = read.map_err(|err| broken(&err, self.is_all_sent))?;
            self.unread.extend_from_slice(&chunk[..length]);
        }
    }

    fn malformed(&self) -> Fault {
        let kind = match self.is_all_sent {
            true => FaultKind::Interrupted,
            false => FaultKind::Malformed,
        };
        Fault::new(kind, "the server answers with something that is not SMTP")
    }
}

/// The connection failed. When all of the mail was out, it may have been accepted.
fn broken(err: &io::Error, is_all_sent: bool) -> Fault {
    let is_timeout = matches!(err.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
    let what = match is_timeout {
        true => "no answer in time".to_owned(),
        false => format!("the connection ended: {}", super::environment::reason(err)),
    };
    let kind = match (is_all_sent, is_timeout) {
        (true, _) => FaultKind::Interrupted,
        (false, true) => FaultKind::Timeout,
        (false, false) => FaultKind::Unreachable,
    };
    Fault::new(kind, what)
}

fn number(reply: &Response) -> u16 {
    reply.code().into()
}

/// What a no means (RFC 5321 section 4.2, RFC 3463, RFC 4954).
fn refusal(reply: &Response, stage: Stage) -> Fault {
    let number = number(reply);
    let detail_code = reply.first_word().unwrap_or_default();
    let kind = match (number, stage) {
        (400..=499, _) => FaultKind::Busy,
        // A full mailbox has room again one day.
        (552, Stage::Recipient) => FaultKind::Busy,
        (552, _) if detail_code == "5.2.2" => FaultKind::Busy,
        (523 | 552, _) => FaultKind::TooLarge,
        _ if detail_code == "5.3.4" => FaultKind::TooLarge,
        (530 | 534 | 535 | 538, _) | (_, Stage::Greeting | Stage::Login) => FaultKind::Denied,
        (_, Stage::Sender | Stage::Recipient) => FaultKind::Unwanted,
        (_, Stage::Content) => FaultKind::Rejected,
    };
    // A server may repeat what it was given, and at the login that is a password.
    if stage == Stage::Login {
        let detail = format!("the server refuses user and password ({number})");
        return Fault::new(kind, detail);
    }
    let words: Vec<&str> = reply.message().collect();
    let told: String = words.join(" ").chars().take(MAX_TOLD_CHARS).collect();
    Fault::new(
        kind,
        format!("{number} {}", rackwarden_base::text::clean(told).trim()),
    )
}

#[cfg(test)]
mod tests;
