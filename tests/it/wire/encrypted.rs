//! Encrypted connections: what they hold, and that nothing wrong with them goes unseen.

use std::future::Future;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pgwire::tokio::tokio_rustls::TlsConnector;
use pgwire::tokio::tokio_rustls::client::TlsStream;
use pgwire::tokio::tokio_rustls::rustls::crypto::ring::default_provider;
use pgwire::tokio::tokio_rustls::rustls::pki_types::pem::PemObject;
use pgwire::tokio::tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use pgwire::tokio::tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{ChannelBinding as Wanted, SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream as DriverStream};
use tokio_postgres::{Config, NoTls, Socket};

use super::db_error;
use super::logins::{Configured, config_file, start, users, with_password};
use super::raw::Raw;
use crate::fixtures;
use crate::server::{run, tributary};

/// A driver's TLS that trusts the authority of the tests alone.
#[derive(Clone)]
struct Tls(TlsConnector);

impl Tls {
    fn new() -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(fixtures::testdata("tls/ca.crt")).expect("a certificate");
        roots.add(authority).expect("an authority");
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Self(TlsConnector::from(Arc::new(config)))
    }
}

struct Encrypted(TlsStream<Socket>);

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Encrypted;
    type TlsConnect = Self;
    type Error = io::Error;

    fn make_tls_connect(&mut self, _: &str) -> io::Result<Self> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Tls {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let name = ServerName::try_from("localhost").expect("a name");
        Box::pin(async move { Ok(Encrypted(self.0.connect(name, socket).await?)) })
    }
}

impl DriverStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates().expect("the server shows a certificate");
        // The certificate is signed with ECDSA and SHA-256.
        let digest = ring::digest::digest(&ring::digest::SHA256, &certificates[0]);
        ChannelBinding::tls_server_end_point(digest.as_ref().to_vec())
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A copy of a key that only its owner may read.
fn private_copy(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::copy(fixtures::testdata("tls").join(name), &path).expect("the key is committed");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("it can be closed");
    path
}

fn files(certificate: &Path, key: &Path) -> [String; 4] {
    let show = |path: &Path| path.display().to_string();
    ["--tls-certificate".to_owned(), show(certificate), "--tls-key".to_owned(), show(key)]
}

/// A server with a certificate, and its further arguments.
fn encrypted(config: &str, arguments: &[&str]) -> Configured {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = files(&fixtures::testdata("tls/server.crt"), &private_copy(&folder, "server.key"));
    let arguments: Vec<&str> = files.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
    start(config, &arguments)
}

async fn one(config: &Config) -> Result<i32, tokio_postgres::Error> {
    let (client, connection) = config.connect(Tls::new()).await?;
    tokio::spawn(connection);
    Ok(client.query_one("SELECT 1::integer", &[]).await?.get(0))
}

#[tokio::test]
async fn a_login_is_bound_to_its_channel() {
    let configured = encrypted(&users(), &[]);
    let mut config = with_password(&configured.server, "ana", "oolong");
    config.ssl_mode(SslMode::Require).channel_binding(Wanted::Require);
    assert_eq!(one(&config).await.expect("the channel is bound"), 1);
    config.channel_binding(Wanted::Disable);
    assert_eq!(one(&config).await.expect("a driver without channel binding is let in"), 1);
    config.password("sencha");
    assert_eq!(db_error(&one(&config).await.expect_err("a wrong password")).code().code(), "28P01");
    // Without encryption there is nothing to bind to, and the driver that insists refuses.
    config.password("oolong").ssl_mode(SslMode::Disable).channel_binding(Wanted::Require);
    assert!(config.connect(NoTls).await.is_err());
}

#[tokio::test]
async fn a_driver_may_begin_with_the_handshake() {
    let configured = encrypted("", &[]);
    let mut config = configured.server.config();
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    assert_eq!(one(&config).await.expect("the handshake comes first"), 1);
}

#[tokio::test]
async fn a_server_may_insist_on_encryption() {
    let configured = encrypted(&users(), &["--require-tls"]);
    let mut config = with_password(&configured.server, "ana", "oolong");
    config.ssl_mode(SslMode::Disable);
    let Err(error) = config.connect(NoTls).await else { panic!("the connection is not encrypted") };
    let error = db_error(&error);
    assert_eq!((error.code().code(), error.severity()), ("28000", "FATAL"));
    assert!(error.message().contains("encrypted"), "{error}");
    config.ssl_mode(SslMode::Require);
    assert_eq!(one(&config).await.expect("this one is encrypted"), 1);
}

#[test]
fn what_comes_unencrypted_with_the_request_is_never_a_message() {
    let configured = encrypted("", &[]);
    let mut raw = Raw::open(&configured.server);
    // The request, and behind it in the same packet a start-up message as somebody between would add it.
    let mut bytes = [8_u32.to_be_bytes(), 80_877_103_u32.to_be_bytes()].concat();
    let startup = b"\0\x03\0\0user\0eve\0\0";
    bytes.extend((startup.len() as u32 + 4).to_be_bytes());
    bytes.extend(startup);
    raw.send_bytes(&bytes);
    let answer = raw.rest();
    assert_eq!(answer.first(), Some(&b'S'));
    // A TLS alert or nothing: no authentication, no error of a session.
    assert!(answer[1..].is_empty() || answer[1] == 0x15, "{answer:?}");
}

#[test]
fn whatever_is_wrong_with_certificate_or_key_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let certificate = fixtures::testdata("tls/server.crt");
    let (key, other) = (private_copy(&folder, "server.key"), private_copy(&folder, "other.key"));
    let (empty, open) = (folder.path().join("empty.pem"), folder.path().join("open.key"));
    std::fs::write(&empty, "").expect("the folder can be written");
    std::fs::copy(&key, &open).expect("the folder can be written");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("it can be opened");
    let missing = folder.path().join("missing.pem");
    for (certificate, key, told) in [
        (&missing, &key, "missing.pem"),
        (&certificate, &missing, "missing.pem"),
        (&empty, &key, "holds no certificate"),
        (&certificate, &empty, "empty.pem"),
        (&certificate, &other, "not the key of"),
        (&key, &key, "holds no certificate"),
        (&certificate, &open, "chmod 600"),
    ] {
        refused(&files(certificate, key), told);
    }
    refused(&["--require-tls".to_owned()], "--tls-certificate");
    let path = config_file(&folder, &format!("tls_key = '{}'", key.display())).display().to_string();
    refused(&["--config".to_owned(), path], "certificate needs its key");
}

fn refused(arguments: &[String], told: &str) {
    let lake = fixtures::golden_lake();
    let output = run(tributary().args(["serve", "--listen", "127.0.0.1:0", "--lake", &lake]).args(arguments));
    let written = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?}");
    assert!(written.contains(told), "{arguments:?}: {written}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("listening"), "{arguments:?}");
}
