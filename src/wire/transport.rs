//! How bytes travel: as they are, or encrypted; and how a client asks for which.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pgwire::tokio::tokio_rustls::server::TlsStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::tls::{ALPN, Tls};

/// A client's socket after it was agreed whether to encrypt.
pub enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection that may send its start-up message.
pub struct Greeted {
    pub transport: Transport,
    /// What was read of the start-up message to know that it is one.
    pub start: Vec<u8>,
}

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
/// The first byte of a TLS handshake: a client that does not ask first (`sslnegotiation=direct`).
const TLS_HANDSHAKE: u8 = 0x16;

/// Answers requests for encryption until a start-up message begins; `None` if nothing does.
///
/// Exactly the bytes of a request are read before the handshake, so that nothing that came
/// unencrypted can be taken for a message of the encrypted channel.
pub async fn greet(mut socket: TcpStream, tls: Option<&Tls>) -> io::Result<Option<Greeted>> {
    let mut first = [0];
    if socket.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0] == TLS_HANDSHAKE {
        let Some(tls) = tls else { return Ok(None) };
        let stream = tls.accept(socket).await?;
        // Without the name of the protocol this could be a browser that was led here.
        let speaks_postgres = stream.get_ref().1.alpn_protocol() == Some(ALPN);
        return Ok(speaks_postgres.then(|| Greeted::encrypted(stream)));
    }
    let (mut was_asked_tls, mut was_asked_gss) = (false, false);
    loop {
        let mut head = [0; 8];
        if let Err(error) = socket.read_exact(&mut head).await {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let [a, b, c, d, e, f, g, h] = head;
        match (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])) {
            (8, SSL_REQUEST) if !was_asked_tls => {
                was_asked_tls = true;
                let Some(tls) = tls else {
                    socket.write_all(b"N").await?;
                    continue;
                };
                socket.write_all(b"S").await?;
                return Ok(Some(Greeted::encrypted(tls.accept(socket).await?)));
            }
            (8, GSS_REQUEST) if !was_asked_gss => {
                was_asked_gss = true;
                socket.write_all(b"N").await?;
            }
            _ => return Ok(Some(Greeted { transport: Transport::Plain(socket), start: head.to_vec() })),
        }
    }
}

impl Greeted {
    fn encrypted(stream: TlsStream<TcpStream>) -> Self {
        Self { transport: Transport::Tls(Box::new(stream)), start: vec![] }
    }
}

impl Transport {
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
