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

    let mut provider = default_provider();
    provider.kx_groups = vec![server.group];
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[server.version])
        .map_err(|err| text(&err))?
        .with_no_client_auth()
        .with_single_cert(
            vec![own.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .map_err(|err| text(&err))?;
    let mut server_end = ServerConnection::new(Arc::new(config)).map_err(|err| text(&err))?;

    let file = std::env::temp_dir().join(format!("rackwarden-tls-{:x}.pem", unique()));
    let trusted = if server.has_authority {
        &authority
    } else {
        &own
    };
    std::fs::write(&file, trusted.pem()).map_err(|err| text(&err))?;
    let config = client_config(Some(&file)).map_err(|fault| fault.to_string());
    std::fs::remove_file(&file).map_err(|err| text(&err))?;
    let name = ServerName::try_from("localhost").map_err(|err| text(&err))?;
    let mut client = ClientConnection::new(config?, name).map_err(|err| text(&err))?;

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
