//! TLS for the HTTP client: rustls with its ring provider. Certificates are checked against `ca_file`, else the
//! system's authorities, else those that are built in. A server certificate that stands in `ca_file` itself is
//! trusted as it is, which is how people run a service of their own with a self-signed one.

use crate::names::Names;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::endpoint::Trust;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore,
    SignatureScheme, StreamOwned,
};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// Where distributions keep the system's certificate authorities.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Makes the settings of all connections of one client.
///
/// # Errors
/// `ca_file` cannot be read or holds no usable certificate.
pub(super) fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Fault> {
    match ca_file {
        Some(path) => trusting(&Trust::Ca(path.to_owned())),
        None => trusting(&Trust::System),
    }
}

/// Makes the settings of all connections to an endpoint.
///
/// # Errors
/// A file cannot be read or holds no usable certificate or key.
pub(super) fn trusting(trust: &Trust) -> Result<Arc<ClientConfig>, Fault> {
    let provider = Arc::new(ring::default_provider());
    let (roots, own, pin) = match trust {
        Trust::Pin(digest) => (RootCertStore::empty(), Vec::new(), Some(*digest)),
        Trust::Ca(path) | Trust::Client { ca: Some(path), .. } => {
            let (roots, own) = own_roots(path)?;
            (roots, own, None)
        }
        Trust::System | Trust::Client { ca: None, .. } => (system_roots(), Vec::new(), None),
    };
    let tls = |err: &dyn std::fmt::Display| {
        Fault::new(FaultKind::Tls, format!("cannot set TLS up: {err}"))
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|err| tls(&err))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier {
            roots,
            own,
            pin,
            provider,
        }));
    let config = match trust {
        Trust::Client {
            certificate, key, ..
        } => {
            let chain = certificates("certificate", certificate)?;
            let pem = std::fs::read(key).map_err(|err| unusable("key", key, &err))?;
            let secret =
                PrivateKeyDer::from_pem_slice(&pem).map_err(|err| unusable("key", key, &err))?;
            builder
                .with_client_auth_cert(chain, secret)
                .map_err(|err| unusable("key", key, &err))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn unusable(what: &str, path: &Path, err: &dyn std::fmt::Display) -> Fault {
    let detail = format!("cannot use {what} {}: {err}", path.display());
    Fault::new(FaultKind::Tls, detail)
}

fn certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = std::fs::read(path).map_err(|err| unusable(what, path, &err))?;
    CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|err| unusable(what, path, &err))
}

fn own_roots(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), Fault> {
    let own = certificates("ca_file", path)?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(own.iter().cloned());
    if added == 0 {
        return Err(unusable("ca_file", path, &"it holds no certificate"));
    }
    Ok((roots, own))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = SYSTEM_BUNDLES
        .iter()
        .find_map(|path| std::fs::read(path).ok())
    {
        roots
            .add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    }
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// The usual check of a chain, and before it: is this one of the certificates that the owner named?
#[derive(Debug)]
struct Verifier {
    roots: RootCertStore,
    own: Vec<CertificateDer<'static>>,
    /// The SHA-256 of the only certificate that is trusted.
    pin: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(pin) = &self.pin {
            return match rackwarden_base::digest::digest(end_entity) == *pin {
                true => Ok(ServerCertVerified::assertion()),
                false => Err(CertificateError::ApplicationVerificationFailure.into()),
            };
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.own.iter().any(|own| own == end_entity) {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Wraps a connection into TLS when the URL asks for it.
#[derive(Debug)]
pub(super) struct TlsConnector {
    config: Arc<ClientConfig>,
    names: Names,
}

impl TlsConnector {
    /// `names` learns which addresses led to whom they should.
    pub(super) fn new(config: Arc<ClientConfig>, names: Names) -> TlsConnector {
        TlsConnector { config, names }
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            self.names.confirm(details);
            return Ok(Some(Either::A(transport)));
        }
        let host = details
            .uri
            .host()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let name = ServerName::try_from(host)
            .map_err(|_| ureq::Error::Tls("the host name cannot be in a certificate"))?;
        let mut connection =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        let mut socket = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        self.names.confirm(details);
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport {
            buffers,
            stream: StreamOwned::new(connection, socket),
        })))
    }
}

/// A connection inside TLS.
pub(super) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
