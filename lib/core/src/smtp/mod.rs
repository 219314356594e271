//! The client's half of SMTP (RFC 5321) as a state machine: bytes and the time go in, bytes and wishes come out, and
//! whoever owns the connection carries them. One conversation logs in and hands over at most one mail. It has one
//! deadline, and knows whether a mail that broke off may have been accepted. Retries are the caller's business.

mod content;
mod reply;

use crate::digest::base64;
use crate::fault::{Fault, FaultKind};
use crate::secret::Secret;
use crate::time::Mono;
use reply::{Offers, Reply, Stage, Unread};
use std::fmt;
use std::net::IpAddr;

/// The purpose of a conversation.
#[derive(Clone, Debug)]
pub struct Task {
    /// Our end of the connection, by which we introduce ourselves.
    pub us: IpAddr,
    /// Starts TLS before anything secret is sent (RFC 3207).
    pub needs_starttls: bool,
    /// User and password.
    pub login: Option<(String, Secret<String>)>,
    /// The mail to hand over; without one, the conversation ends after the login.
    pub mail: Option<Envelope>,
}

/// A mail and whom it is from and for.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The sender's address.
    pub from: String,
    /// The recipient's address.
    pub to: String,
    /// Headers and body.
    pub message: Vec<u8>,
}

/// The next action of the connection's owner.
#[derive(PartialEq, Eq)]
pub enum Step {
    /// Writes all of these bytes.
    Write(Vec<u8>),
    /// Reads some bytes and gives them to `Session::receive`.
    Read,
    /// Makes the TLS handshake; all further bytes are inside.
    Encrypt,
    /// Closes the connection.
    Done(Result<(), Fault>),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It may be the password.
            Step::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Step::Read => f.write_str("Read"),
            Step::Encrypt => f.write_str("Encrypt"),
            Step::Done(result) => write!(f, "Done({result:?})"),
        }
    }
}

/// A conversation with a server.
#[derive(Debug)]
pub struct Session {
    task: Task,
    until: Mono,
    state: State,
    offers: Offers,
    is_encrypted: bool,
    unread: Unread,
}

/// The last command sent, which the next reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connected,
    Hello,
    StartTls,
    /// The handshake comes, then another hello.
    Encrypting,
    Login {
        has_more: bool,
    },
    /// LOGIN asked for the user; next comes the password.
    User,
    Sender,
    Recipient,
    Data,
    /// All of the mail but the end of it.
    Content,
    /// All of the mail: from here on only the reply says whether it was accepted.
    End,
    /// Done, and only the goodbye is left.
    Accepted,
    Closed,
}

impl Session {
    /// A conversation on a connection that has just been made, in TLS or not.
    pub fn new(task: Task, until: Mono) -> Session {
        Session {
            task,
            until,
            state: State::Connected,
            offers: Offers::default(),
            is_encrypted: false,
            unread: Unread::default(),
        }
    }

    /// Takes bytes of the server.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.unread.extend(bytes);
    }

    /// Says what to do next. After `Done` there is nothing more.
    pub fn next(&mut self, now: Mono) -> Step {
        self.advance(now)
            .unwrap_or_else(|fault| Step::Done(Err(fault)))
    }

    fn advance(&mut self, now: Mono) -> Result<Step, Fault> {
        match self.state {
            // How the conversation ends changes nothing any more.
            State::Accepted => {
                self.state = State::Closed;
                return Ok(Step::Write(b"QUIT\r\n".to_vec()));
            }
            State::Closed => return Ok(Step::Done(Ok(()))),
            // The last reply still counts when it is there.
            State::End => {}
            _ if now >= self.until => return self.timed_out().map(|()| Step::Read),
            State::Encrypting => {
                self.is_encrypted = true;
                return Ok(self.hello());
            }
            State::Content => return Ok(self.command(State::End, ".")),
            _ => {}
        }
        let reply = match self.unread.take() {
            None if now >= self.until => return self.timed_out().map(|()| Step::Read),
            None => return Ok(Step::Read),
            Some(reply) => reply.map_err(|_| self.malformed())?,
        };
        let wants_more = match self.state {
            State::Login { .. } | State::User => reply.number == 334,
            state => state == State::Data,
        };
        match reply.number {
            400.. => Err(reply.refusal(self.stage())),
            300.. if wants_more => self.answered(reply),
            // A reply to something else, such as one too many before.
            300.. => Err(self.malformed()),
            _ if self.state == State::Data => Err(self.malformed()),
            _ => self.answered(reply),
        }
    }

    /// Goes on after a positive reply.
    fn answered(&mut self, reply: Reply) -> Result<Step, Fault> {
        match self.state {
            State::Connected => Ok(self.hello()),
            State::Hello => {
                self.offers = Offers::of(reply);
                if self.task.needs_starttls && !self.is_encrypted {
                    if !self.offers.has("STARTTLS") {
                        let detail =
                            "the server does not offer STARTTLS, and without it nothing is sent";
                        return Err(Fault::new(FaultKind::Tls, detail));
                    }
                    return Ok(self.command(State::StartTls, "STARTTLS"));
                }
                self.log_in()
            }
            // RFC 3207 section 6: nothing received before TLS may count inside.
            State::StartTls if !self.unread.is_empty() => {
                let detail = "the server went on talking before TLS began";
                Err(Fault::new(FaultKind::Tls, detail))
            }
            State::StartTls => {
                self.state = State::Encrypting;
                Ok(Step::Encrypt)
            }
            State::Login { has_more: true } if reply.number == 334 => {
                let user = self
                    .task
                    .login
                    .as_ref()
                    .map(|(user, _)| base64(user.as_bytes()));
                Ok(self.command(State::User, &user.unwrap_or_default()))
            }
            State::User if reply.number == 334 => {
                let password =
                    |(_, password): &(String, Secret<String>)| base64(password.expose().as_bytes());
                let password = self.task.login.as_ref().map(password);
                Ok(self.command(
                    State::Login { has_more: false },
                    &password.unwrap_or_default(),
                ))
            }
            State::Login { .. } if reply.number == 334 => {
                let detail = "the server asks for more than user and password";
                Err(Fault::new(FaultKind::Denied, detail))
            }
            State::Login { .. } | State::User => self.begin_mail(),
            State::Sender => {
                let to = self.task.mail.as_ref().map_or("", |mail| &mail.to);
                let line = format!("RCPT TO:<{to}>");
                Ok(self.command(State::Recipient, &line))
            }
            State::Recipient => Ok(self.command(State::Data, "DATA")),
            State::Data => {
                self.state = State::Content;
                let mail = self.task.mail.as_ref();
                Ok(Step::Write(mail.map_or_else(Vec::new, |mail| {
                    content::stuffed(&mail.message)
                })))
            }
            State::End => {
                self.state = State::Accepted;
                self.advance(Mono::ZERO)
            }
            State::Encrypting | State::Content | State::Accepted | State::Closed => {
                Ok(Step::Done(Ok(())))
            }
        }
    }

    fn hello(&mut self) -> Step {
        // RFC 5321 section 4.1.3
        let us = match self.task.us {
            IpAddr::V4(us) => format!("EHLO [{us}]"),
            IpAddr::V6(us) => format!("EHLO [IPv6:{us}]"),
        };
        self.command(State::Hello, &us)
    }

    fn log_in(&mut self) -> Result<Step, Fault> {
        let Some((user, password)) = &self.task.login else {
            return self.begin_mail();
        };
        if self.offers.has_login("PLAIN") {
            // RFC 4616
            let both = base64(format!("\0{user}\0{}", password.expose()).as_bytes());
            return Ok(self.command(
                State::Login { has_more: false },
                &format!("AUTH PLAIN {both}"),
            ));
        }
        if self.offers.has_login("LOGIN") {
            return Ok(self.command(State::Login { has_more: true }, "AUTH LOGIN"));
        }
        let detail = "the server offers no login that we know (PLAIN, LOGIN); is `security` right?";
        Err(Fault::new(FaultKind::Denied, detail))
    }

    fn begin_mail(&mut self) -> Result<Step, Fault> {
        let Some(mail) = &self.task.mail else {
            self.state = State::Accepted;
            return self.advance(Mono::ZERO);
        };
        let unwanted = |detail: &str| Fault::new(FaultKind::Unwanted, detail);
        if !(is_address(&mail.from) && is_address(&mail.to)) {
            return Err(unwanted("an address has signs that no address has"));
        }
        let length = mail.message.len();
        let mut line = format!("MAIL FROM:<{}>", mail.from);
        if let Some(most) = self.offers.max_bytes().filter(|most| length > *most) {
            let detail = format!("the server takes no mail above {most} bytes");
            return Err(Fault::new(FaultKind::TooLarge, detail));
        }
        if self.offers.has("SIZE") {
            line += &format!(" SIZE={length}");
        }
        if !mail.message.is_ascii() {
            if !self.offers.has("8BITMIME") {
                return Err(unwanted("the server takes no text beyond ASCII"));
            }
            line += " BODY=8BITMIME";
        }
        if !(mail.from.is_ascii() && mail.to.is_ascii()) {
            if !self.offers.has("SMTPUTF8") {
                return Err(unwanted("the server takes no addresses beyond ASCII"));
            }
            line += " SMTPUTF8";
        }
        Ok(self.command(State::Sender, &line))
    }

    fn command(&mut self, state: State, line: &str) -> Step {
        self.state = state;
        Step::Write(format!("{line}\r\n").into_bytes())
    }

    /// The connection failed, for this reason. A mail that was accepted before stays accepted.
    ///
    /// # Errors
    /// Anything else: whether the mail may have been accepted is in the kind of the fault.
    pub fn broken(&self, reason: &str) -> Result<(), Fault> {
        match self.state {
            State::Accepted | State::Closed => Ok(()),
            _ => {
                let detail = format!("the connection ended: {reason}");
                Err(self.fault(FaultKind::Unreachable, detail))
            }
        }
    }

    /// The connection did not move before the deadline.
    ///
    /// # Errors
    /// As those of `broken`.
    pub fn timed_out(&self) -> Result<(), Fault> {
        match self.state {
            State::Accepted | State::Closed => Ok(()),
            _ => Err(self.fault(FaultKind::Timeout, "no answer in time".to_owned())),
        }
    }

    fn malformed(&self) -> Fault {
        let detail = "the server answers with something that is not SMTP";
        self.fault(FaultKind::Malformed, detail.to_owned())
    }

    /// Once all of a mail was sent, a failure says nothing about whether it was accepted.
    fn fault(&self, kind: FaultKind, detail: String) -> Fault {
        let kind = match self.state {
            State::End => FaultKind::Interrupted,
            _ => kind,
        };
        Fault::new(kind, detail)
    }

    fn stage(&self) -> Stage {
        match self.state {
            State::Login { .. } | State::User => Stage::Login,
            State::Sender => Stage::Sender,
            State::Recipient => Stage::Recipient,
            State::Data | State::Content | State::End => Stage::Content,
            _ => Stage::Greeting,
        }
    }
}

/// Nothing in it ends the address or the line.
fn is_address(text: &str) -> bool {
    text.contains('@') && !text.contains(|ch: char| ch.is_control() || "<> ".contains(ch))
}

#[cfg(test)]
mod tests;
