//! Handshakes with a server that has rustls' own algorithms, one at a time: what they are and are not good for.

use super::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use rcgen::{PKCS_ED25519, SignatureAlgorithm, date_time_ymd};
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{ALL_KX_GROUPS, default_provider};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

struct Server {
    key: &'static SignatureAlgorithm,
    group: &'static dyn SupportedKxGroup,
    version: &'static SupportedProtocolVersion,
    names: [&'static str; 1],
    from_year: i32,
    until_year: i32,
    /// Only the certificate's authority is in `ca_file`, not the certificate.
    has_authority: bool,
    pin: Pin,
}

/// Whether the client knows the certificate by its digest alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pin {
    None,
    Right,
    Wrong,
}

/// A file that goes away.
struct File(std::path::PathBuf);

impl File {
    fn new(text: &str) -> File {
        let path = std::env::temp_dir().join(format!("rackwarden-tls-{:x}.pem", unique()));
        std::fs::write(&path, text).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            key: &PKCS_ECDSA_P256_SHA256,
            group: ALL_KX_GROUPS[0],
            version: &TLS13,
            names: ["localhost"],
            from_year: 1975,
            until_year: 2999,
            has_authority: true,
            pin: Pin::None,
        }
    }
}

/// Makes a handshake in memory and sends a word through it.
fn talk(server: &Server) -> Result<(), String> {
    let text = |err: &dyn std::fmt::Display| err.to_string();
    let mut authority = CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate_for(server.key).map_err(|err| text(&err))?;
    let authority = authority
        .self_signed(&authority_key)
        .map_err(|err| text(&err))?;
    let mut own =
        CertificateParams::new(server.names.map(str::to_owned)).map_err(|err| text(&err))?;
    own.not_before = date_time_ymd(server.from_year, 1, 1);
    own.not_after = date_time_ymd(server.until_year, 1, 1);
    let key = KeyPair::generate_for(server.key).map_err(|err| text(&err))?;
    let own = own
        .signed_by(&key, &authority, &authority_key)
        .map_err(|err| text(&err))?;

    let trusted = if server.has_authority {
        &authority
    } else {
        &own
    };
    let pem = File::new(&trusted.pem());
    let trust = match server.pin {
        Pin::None => Trust::Ca(pem.0.clone()),
        Pin::Right => Trust::Pin(rackwarden_base::digest::digest(own.der())),
        Pin::Wrong => Trust::Pin(rackwarden_base::digest::digest(authority.der())),
    };
    let chain = vec![own.der().clone()];
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = server_config(server, chain, key).map_err(|err| text(&err))?;
    let config = trusting(&trust).map_err(|fault| fault.to_string())?;
    shake(config, server)
}

fn server_config(
    server: &Server,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut provider = default_provider();
    provider.kx_groups = vec![server.group];
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[server.version])?;
    builder.with_no_client_auth().with_single_cert(chain, key)
}

/// Makes the handshake.
fn shake(config: Arc<ClientConfig>, server: ServerConfig) -> Result<(), String> {
    let text = |err: &dyn std::fmt::Display| err.to_string();
    let mut server_end = ServerConnection::new(Arc::new(server)).map_err(|err| text(&err))?;
    let name = ServerName::try_from("localhost").map_err(|err| text(&err))?;
    let mut client = ClientConnection::new(config, name).map_err(|err| text(&err))?;

    while client.is_handshaking() || server_end.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).map_err(|err| text(&err))?;
        server_end
            .read_tls(&mut wire.as_slice())
            .map_err(|err| text(&err))?;
        server_end.process_new_packets().map_err(|err| text(&err))?;
        wire.clear();
        server_end.write_tls(&mut wire).map_err(|err| text(&err))?;
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).map_err(|err| text(&err))?;
            client.process_new_packets().map_err(|err| text(&err))?;
        }
    }
    client
        .writer()
        .write_all(b"word")
        .map_err(|err| text(&err))?;
    let mut wire = Vec::new();
    client.write_tls(&mut wire).map_err(|err| text(&err))?;
    server_end
        .read_tls(&mut wire.as_slice())
        .map_err(|err| text(&err))?;
    server_end.process_new_packets().map_err(|err| text(&err))?;
    let mut word = [0; 4];
    server_end
        .reader()
        .read_exact(&mut word)
        .map_err(|err| text(&err))?;
    assert_eq!(&word, b"word");
    Ok(())
}

/// A number that no other test of this run has.
fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) << 32 | u64::from(std::process::id())
}

#[test]
fn every_kind_of_key_exchange_and_version_is_understood() {
    for key in [
        &PKCS_ECDSA_P256_SHA256,
        &PKCS_ECDSA_P384_SHA384,
        &PKCS_ED25519,
    ] {
        for &group in ALL_KX_GROUPS {
            for version in [&TLS12, &TLS13] {
                let server = Server {
                    key,
                    group,
                    version,
                    ..Server::default()
                };
                let case = format!("{key:?} {group:?} {:?}", version.version);
                assert_eq!(talk(&server), Ok(()), "{case}");
            }
        }
    }
}

#[test]
fn a_certificate_that_stands_in_the_file_itself_is_trusted() {
    let server = Server {
        has_authority: false,
        ..Server::default()
    };
    assert_eq!(talk(&server), Ok(()));
}

#[test]
fn row_16_a_wrong_name_and_a_certificate_out_of_its_time_are_refused() {
    let wrong_name = Server {
        names: ["elsewhere"],
        ..Server::default()
    };
    let expired = Server {
        until_year: 2001,
        ..Server::default()
    };
    // As every certificate is while the clock says 1970.
    let too_early = Server {
        from_year: 2990,
        ..Server::default()
    };
    for (server, want) in [
        (wrong_name, "not valid for name"),
        (expired, "expired"),
        (too_early, "not valid yet"),
    ] {
        let said = talk(&server).expect_err(want);
        assert!(said.contains(want), "{said}");
    }
}

#[test]
fn a_pin_trusts_one_certificate_whatever_its_name_and_dates() {
    let pinned = |pin| Server {
        names: ["elsewhere"],
        until_year: 2001,
        pin,
        ..Server::default()
    };
    assert_eq!(talk(&pinned(Pin::Right)), Ok(()));
    let said = talk(&pinned(Pin::Wrong)).expect_err("another certificate");
    assert!(said.contains("ApplicationVerificationFailure"), "{said}");
}

#[test]
fn a_client_certificate_proves_the_agent() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let authority = File::new(&own.cert.pem());
    let key = File::new(&own.key_pair.serialize_pem());
    let with = Trust::Client {
        ca: Some(authority.0.clone()),
        certificate: authority.0.clone(),
        key: key.0.clone(),
    };
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    for (trust, want) in [(with, true), (Trust::Ca(authority.0.clone()), false)] {
        let provider = Arc::new(default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots.clone()),
            Arc::clone(&provider),
        );
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![own.cert.der().clone()],
                PrivateKeyDer::Pkcs8(own.key_pair.serialize_der().into()),
            )
            .unwrap();
        let done = shake(trusting(&trust).unwrap(), server);
        assert_eq!(done.is_ok(), want, "{done:?}");
    }
    let missing = Trust::Client {
        ca: None,
        certificate: authority.0.clone(),
        key: "/nowhere/key.pem".into(),
    };
    let fault = trusting(&missing).expect_err("no key");
    assert!(
        fault.detail.contains("cannot use key /nowhere/key.pem"),
        "{fault}"
    );
}
