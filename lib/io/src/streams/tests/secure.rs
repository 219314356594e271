//! TLS, and connections through proxies.

use super::*;
use rackwarden_core::endpoint::Trust;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::path::PathBuf;

type Secure = StreamOwned<ServerConnection, TcpStream>;

/// A certificate for `localhost` and its files.
struct Identity {
    own: rcgen::CertifiedKey,
    folder: PathBuf,
}

impl Identity {
    fn new(name: &str) -> Identity {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = std::env::temp_dir().join(format!("rackwarden-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("own.pem"), own.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), own.key_pair.serialize_pem()).unwrap();
        Identity { own, folder }
    }

    fn config(&self, wants_client: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.own.cert.der().clone()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match wants_client {
            true => builder.with_client_cert_verifier(verifier.build().unwrap()),
            false => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::Pkcs8(self.own.key_pair.serialize_der().into());
        let chain = vec![self.own.cert.der().clone()];
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn secure_peer(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    act: impl FnOnce(Secure) + Send + 'static,
) -> thread::JoinHandle<()> {
    peer(listener, move |stream| {
        let connection = ServerConnection::new(config).unwrap();
        act(StreamOwned::new(connection, stream));
    })
}

fn endpoint(listener: &TcpListener, scheme: &str, trust: Trust) -> Arc<Endpoint> {
    let port = listener.local_addr().unwrap().port();
    let url = format!("{scheme}://localhost:{port}");
    Arc::new(Endpoint {
        trust,
        ..Endpoint::url("peer", url)
    })
}

#[test]
fn tls_is_trusted_by_file_by_pin_and_proves_itself() {
    let identity = Identity::new("streams-tls");
    let pem = identity.folder.join("own.pem");
    let pin = |der: &[u8]| Trust::Pin(rackwarden_base::digest::digest(der));
    let client = Trust::Client {
        ca: Some(pem.clone()),
        certificate: pem.clone(),
        key: identity.folder.join("key.pem"),
    };
    for (trust, wants_client, is_good) in [
        (Trust::Ca(pem.clone()), false, true),
        (pin(identity.own.cert.der()), false, true),
        (pin(b"another"), false, false),
        (Trust::System, false, false),
        (client, true, true),
        (Trust::Ca(pem), true, false),
    ] {
        let case = format!("{trust:?} {wants_client}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = endpoint(&listener, "tls", trust);
        let peer = secure_peer(listener, identity.config(wants_client), |mut stream| {
            let mut word = [0; 5];
            if stream.read_exact(&mut word).is_ok() {
                // Larger than one record and than the buffers.
                let _ = stream.write_all(&vec![b'x'; 300_000]);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        let client = Client::new();
        client.open(1, raw(endpoint));
        client.send(1, b"hello");
        let story = client.listen(1);
        if is_good {
            assert_eq!(story.bytes.len(), 300_000, "{case}");
            assert!(story.by_peer(), "{case}: {story:?}");
        } else {
            assert_eq!(story.fault(), FaultKind::Tls, "{case}: {story:?}");
        }
        peer.join().unwrap();
    }
}

#[test]
fn a_connection_cut_within_tls_is_an_interruption() {
    let identity = Identity::new("streams-cut");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(&listener, "tls", Trust::Ca(identity.folder.join("own.pem")));
    let peer = secure_peer(listener, identity.config(false), |mut stream| {
        stream.write_all(b"half").unwrap();
        stream.flush().unwrap();
    });
    let client = Client::new();
    client.open(1, raw(endpoint));
    let story = client.listen(1);
    assert_eq!(
        (story.bytes.as_slice(), story.fault()),
        (&b"half"[..], FaultKind::Interrupted)
    );
    peer.join().unwrap();
}

#[test]
fn a_slow_reader_in_tls_is_still_read() {
    let identity = Identity::new("streams-slow");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(&listener, "tls", Trust::Ca(identity.folder.join("own.pem")));
    let peer = secure_peer(listener, identity.config(false), |mut stream| {
        // Says its part before it reads ours, which does not fit into the buffers.
        stream.write_all(&vec![b'x'; 4_000_000]).unwrap();
        stream.flush().unwrap();
        let mut all = vec![0; 8_000_000];
        stream.read_exact(&mut all).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let client = Client::new();
    let open = StreamOpen {
        max_queue_bytes: 8_000_000,
        ..raw(endpoint)
    };
    client.open(1, open);
    client.send(1, &vec![b'y'; 8_000_000]);
    let story = client.listen(1);
    assert_eq!((story.bytes.len(), story.sent), (4_000_000, 8_000_000));
    assert!(story.by_peer(), "{story:?}");
    peer.join().unwrap();
}

/// Passes everything on after `greet`.
fn proxy(greet: fn(&mut TcpStream, u16), port: u16) -> (TcpListener, impl FnOnce(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pass = move |mut client: TcpStream| {
        greet(&mut client, port);
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let other = thread::spawn(move || {
            let _ = std::io::copy(&mut back.0, &mut back.1);
            let _ = back.1.shutdown(std::net::Shutdown::Both);
        });
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(std::net::Shutdown::Write);
        other.join().unwrap();
    };
    (listener, pass)
}

fn greet_connect(stream: &mut TcpStream, port: u16) {
    let want = format!(
        "CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
    );
    let mut head = vec![0; want.len()];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(String::from_utf8_lossy(&head), want);
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .unwrap();
}

fn greet_socks(stream: &mut TcpStream, port: u16) {
    let mut expect = |want: &[u8], answer: &[u8]| {
        let mut got = vec![0; want.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(got, want);
        stream.write_all(answer).unwrap();
    };
    expect(&[5, 1, 2], &[5, 2]);
    expect(&[1, 1, b'u', 1, b'p'], &[1, 0]);
    let mut request = vec![5, 1, 0, 3, 9];
    request.extend(b"localhost");
    request.extend(port.to_be_bytes());
    expect(&request, &[5, 0, 0, 1, 127, 0, 0, 1, 0, 1]);
}

#[test]
fn a_proxy_is_passed_before_tls() {
    let identity = Identity::new("streams-proxy");
    type Greet = fn(&mut TcpStream, u16);
    for (scheme, greet) in [("http", greet_connect as Greet), ("socks5h", greet_socks)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let trust = Trust::Ca(identity.folder.join("own.pem"));
        let server = secure_peer(listener, identity.config(false), |mut stream| {
            stream.write_all(b"behind").unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        });
        let (listener, pass) = proxy(greet, port);
        let address = listener.local_addr().unwrap();
        let between = peer(listener, pass);
        let endpoint = Endpoint {
            trust,
            proxy: Some(Secret::new(format!("{scheme}://u:p@{address}"))),
            ..Endpoint::url("peer", format!("tls://localhost:{port}"))
        };
        let client = Client::new();
        client.open(1, raw(Arc::new(endpoint)));
        let story = client.listen(1);
        assert_eq!(story.bytes, b"behind", "{scheme}: {story:?}");
        server.join().unwrap();
        between.join().unwrap();
    }
}

#[test]
fn a_proxy_that_refuses_says_so() {
    let (listener, _) = listener("http");
    let address = listener.local_addr().unwrap();
    let between = peer(listener, |mut stream| {
        let mut head = [0; 4];
        stream.read_exact(&mut head).unwrap();
        stream.write_all(b"HTTP/1.1 407 Login\r\n\r\n").unwrap();
        read_all(stream)
    });
    let endpoint = Endpoint {
        proxy: Some(Secret::new(format!("http://{address}"))),
        ..Endpoint::url("peer", "tcp://nowhere.invalid:1")
    };
    let client = Client::new();
    client.open(1, raw(Arc::new(endpoint)));
    let story = client.listen(1);
    assert_eq!(story.fault(), FaultKind::Denied, "{story:?}");
    between.join().unwrap();
}
