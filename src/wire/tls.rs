//! Encryption: the server's certificate and key. Whatever is wrong with them keeps the server from starting.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pgwire::tokio::tokio_rustls::TlsAcceptor;
use pgwire::tokio::tokio_rustls::rustls::crypto::ring::default_provider;
use pgwire::tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
use pgwire::tokio::tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use pgwire::tokio::tokio_rustls::rustls::{self, ServerConfig};
use pgwire::tokio::tokio_rustls::server::TlsStream;
use ring::digest;
use tokio::net::TcpStream;
use x509_certificate::{SignatureAlgorithm, X509Certificate};

use crate::error::{Error, Result, SqlState};

/// The name of PostgreSQL's protocol in a TLS handshake.
pub const ALPN: &[u8] = b"postgresql";

/// A certificate that the server shows, and the key that it has to it.
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate_hash: Option<Arc<[u8]>>,
}

impl Tls {
    /// Reads a certificate with its chain and its key, both PEM; TLS 1.2 and 1.3.
    ///
    /// Fails if one of them cannot be read, is none, or does not belong to the other, and if the
    /// key can be read by everybody.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self> {
        let chain: Vec<CertificateDer> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|e| unusable("certificate", certificate, &e.to_string()))?;
        let first = chain.first().ok_or_else(|| unusable("certificate", certificate, "it holds no certificate"))?;
        let certificate_hash = end_point_hash(first).map_err(|why| unusable("certificate", certificate, &why))?;
        refuse_open_key(key)?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable("key", key, &e.to_string()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private));
        let mut config = config.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                unusable("key", key, &format!("it is not the key of {}", certificate.display()))
            }
            error => unusable("certificate", certificate, &error.to_string()),
        })?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate_hash: certificate_hash.map(Arc::from) })
    }

    /// The server's side of a handshake.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.acceptor.accept(socket).await
    }

    /// What binds a login to this channel (`tls-server-end-point`). `None` where the certificate is
    /// signed by a method for which no digest is laid down, such as Ed25519.
    pub fn certificate_hash(&self) -> Option<&[u8]> {
        self.certificate_hash.as_deref()
    }
}

/// RFC 5929: the digest of the certificate's own signature, SHA-256 in place of the broken ones.
fn end_point_hash(certificate: &CertificateDer) -> Result<Option<Vec<u8>>, String> {
    let parsed = X509Certificate::from_der(certificate.as_ref()).map_err(|e| e.to_string())?;
    let algorithm = match parsed.signature_algorithm() {
        Some(SignatureAlgorithm::RsaSha1 | SignatureAlgorithm::RsaSha256 | SignatureAlgorithm::EcdsaSha256) => {
            &digest::SHA256
        }
        Some(SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::EcdsaSha384) => &digest::SHA384,
        Some(SignatureAlgorithm::RsaSha512) => &digest::SHA512,
        _ => return Ok(None),
    };
    Ok(Some(digest::digest(algorithm, certificate.as_ref()).as_ref().to_vec()))
}

/// As PostgreSQL: a key is its owner's, or root's and read by a group.
fn refuse_open_key(key: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(key).map_err(|e| unusable("key", key, &e.to_string()))?;
    let open_bits = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & open_bits != 0 {
        return Err(
            unusable("key", key, "others than its owner may use it").with_hint(format!("chmod 600 {}", key.display()))
        );
    }
    Ok(())
}

fn unusable(what: &str, path: &Path, why: &str) -> Error {
    Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("cannot use the TLS {what} {}: {why}", path.display()))
}
