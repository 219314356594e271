//! A service outside and how to reach it: where it listens, how it proves itself, what is between. Requests and streams
//! carry their endpoint; nothing here opens a connection.

use crate::secret::Secret;
use std::path::PathBuf;

/// A service that its owner named. Two endpoints with one name are the same service with other settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Names the worker, its thread and what people read about it: `telegram`, `docker`.
    pub name: String,
    /// Its address.
    pub base: Base,
    /// The proof of its identity, when `base` asks for TLS.
    pub trust: Trust,
    /// Proxy URL: `http://`, `socks5://` or `socks5h://`. A Unix socket is reached without one.
    pub proxy: Option<Secret>,
    /// How its requests wait for each other.
    pub lane: Lane,
    /// The loop of the agent that stands still while this service's worker does, as people read it ("delivery"). None for
    /// every other service: a guest that hangs is no reason to restart the agent.
    pub essential: Option<&'static str>,
}

/// How the requests to one endpoint wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// One after another; so many wait, and one more is answered with `Overload` at once.
    Queue(usize),
    /// A request waits long for its answer. A new one ends the one under way and takes a new connection; the end of the
    /// agent ends it too.
    LongPoll,
}

/// The address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// `https://host:port/prefix`, also with `http`, `tcp` and `tls`. A secret, since some services have a token in it.
    Url(Secret<String>),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The proof of identity of a server, and of the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The system's certificate authorities, else those that are built in.
    #[default]
    System,
    /// These in place of the system's, in PEM. A server certificate in the file is trusted as it is.
    Ca(PathBuf),
    /// A client certificate for the server.
    Client {
        /// As in `Ca`; the system's when absent.
        ca: Option<PathBuf>,
        /// The certificate and its chain, in PEM.
        certificate: PathBuf,
        /// Its private key, in PEM.
        key: PathBuf,
    },
    /// Exactly the server certificate with this SHA-256 of its DER form, whatever its name and dates.
    Pin([u8; 32]),
}

/// A method of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Read.
    #[default]
    Get,
    /// Read the head only.
    Head,
    /// Create, or act.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

impl Method {
    /// As it goes over the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl Endpoint {
    /// A service behind a URL, trusted as the system does.
    pub fn url(name: impl Into<String>, url: impl Into<String>) -> Endpoint {
        Endpoint {
            name: name.into(),
            base: Base::Url(Secret::new(url.into())),
            trust: Trust::System,
            proxy: None,
            lane: Lane::Queue(64),
            essential: None,
        }
    }

    /// A service behind a Unix socket.
    pub fn unix(name: impl Into<String>, path: impl Into<PathBuf>) -> Endpoint {
        Endpoint {
            base: Base::Unix(path.into()),
            ..Endpoint::url(name, String::new())
        }
    }
}
