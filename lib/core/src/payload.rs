//! Values that effects and events carry: requests and answers of HTTP, mails, files, lines.

use crate::chat::SessionId;
use crate::config::MailConfig;
use crate::endpoint::{Base, Endpoint, Method};
use crate::secret::Secret;
use crate::time::Wall;
use rackwarden_base::Ticket;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// One HTTP call. Its URL, headers and body may hold secrets, so none of them is ever printed.
#[derive(Debug)]
pub struct HttpRequest {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// The service.
    pub endpoint: Arc<Endpoint>,
    /// What is done there.
    pub method: Method,
    /// Behind the URL of the endpoint, with the query.
    pub path: Secret<String>,
    /// Headers, such as the content type.
    pub headers: Vec<(&'static str, Secret<String>)>,
    /// The body.
    pub body: Body,
    /// For the whole call, from DNS to the last byte.
    pub timeout: Duration,
    /// Larger answers are faults.
    pub max_response_bytes: usize,
    /// The file that the body of an answer with status 2xx goes to, whole or not at all.
    pub save_to: Option<PathBuf>,
}

/// The body of an HTTP call.
#[derive(Debug)]
pub enum Body {
    /// These bytes; none at all when empty.
    Bytes(Secret<Vec<u8>>),
    /// The contents of a file.
    File(PathBuf),
}

impl HttpRequest {
    /// A call without headers and body that has 20 seconds, for an answer of at most 64 KiB.
    pub fn new(
        ticket: Ticket,
        endpoint: Arc<Endpoint>,
        method: Method,
        path: impl Into<String>,
    ) -> HttpRequest {
        HttpRequest {
            ticket,
            endpoint,
            method,
            path: Secret::new(path.into()),
            headers: Vec::new(),
            body: Body::Bytes(Secret::default()),
            timeout: Duration::from_secs(20),
            max_response_bytes: 64 * 1024,
            save_to: None,
        }
    }

    /// The whole URL. That of a Unix socket names this machine.
    pub fn url(&self) -> Secret<String> {
        let base = match &self.endpoint.base {
            Base::Url(url) => url.expose(),
            Base::Unix(_) => "http://127.0.0.1",
        };
        Secret::new(format!("{base}{}", self.path.expose()))
    }

    /// The body, unless it is a file.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes.expose(),
            Body::File(_) => &[],
        }
    }
}

/// An HTTP answer, whatever its status.
#[derive(Clone, Debug, Default)]
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// Names in small letters and values, as far as they are text and no more than 16 KiB.
    pub headers: Vec<(String, String)>,
    /// The body, at most as long as the request allowed. Empty when it went to a file.
    pub body: Vec<u8>,
    /// The length of the file that the body went to.
    pub saved_bytes: Option<u64>,
}

impl HttpResponse {
    /// A header by its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The server's `Date` in seconds since the epoch, if it sent one.
    pub fn date_unix_seconds(&self) -> Option<i64> {
        let date = Wall::parse_http_date(self.header("date")?)?;
        Some(date.unix_seconds())
    }
}

/// One mail for one address. The server's settings hold a password, which prints as `***`.
#[derive(Debug)]
pub struct MailRequest {
    /// To be named in the answer.
    pub ticket: Ticket,
    /// The server, how it is spoken to, and the sender.
    pub server: Arc<MailConfig>,
    /// The recipient's address.
    pub to: String,
    /// Head and body as they go over the wire: lines that end in CR LF.
    pub message: Vec<u8>,
    /// For all of it, from the connection to the last reply.
    pub timeout: Duration,
}

/// The log files of the state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogFile {
    /// `exceedings.log`: begin and end of every power excess.
    Exceedings,
    /// `audit.log`: who did what.
    Audit,
}

impl LogFile {
    /// The name in the state directory.
    pub const fn file_name(self) -> &'static str {
        match self {
            LogFile::Exceedings => "exceedings.log",
            LogFile::Audit => "audit.log",
        }
    }
}

/// Text for the terminal or the local socket.
#[derive(Debug, PartialEq, Eq)]
pub struct SessionReply {
    /// Who asked.
    pub session: SessionId,
    /// Plain text with line feeds; buttons are numbered lines in it.
    pub text: String,
    /// A file, when the answer is one.
    pub document: Option<Document>,
    /// True when nothing more follows for this question.
    pub last: bool,
}

/// A file to hand to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// File name with extension.
    pub name: String,
    /// Media type.
    pub mime: &'static str,
    /// Contents.
    pub bytes: Arc<[u8]>,
    /// Shown within the message where the service can do that, instead of as a file to open.
    pub is_picture: bool,
}
