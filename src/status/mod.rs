//! How the server is, for machines: `/health` and `/metrics` over HTTP, on a port of their own.
//!
//! It answers two GET requests and knows nothing else of HTTP, so it needs no library for it.
//! Nothing of a statement's text or a user's name is in an answer.

mod metrics;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::limits;
use crate::session::Registry;

/// What the endpoint reads from.
pub struct Status {
    engine: Arc<Engine>,
    registry: Arc<Registry>,
    /// Once the server is told to stop it is not healthy: a balancer should send nobody here.
    stopping: CancellationToken,
}

impl Status {
    /// The status of a server, until `stopping`.
    pub fn new(engine: Arc<Engine>, registry: Arc<Registry>, stopping: CancellationToken) -> Self {
        Self { engine, registry, stopping }
    }

    /// Answers requests for as long as it is polled.
    pub async fn serve(self, listener: TcpListener) {
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(limits::STATUS_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((socket, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let this = Arc::clone(&this);
            tokio::spawn(async move {
                // One that is slow or talks nonsense is left where it is.
                let _ = timeout(limits::STATUS_TIMEOUT, this.answer(socket)).await;
                drop(place);
            });
        }
    }

    async fn answer(&self, mut socket: TcpStream) -> std::io::Result<()> {
        let Some(request) = read_head(&mut socket).await? else { return Ok(()) };
        let (code, kind, body) = self.respond(&request);
        let head = format!(
            "HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).await?;
        if !request.starts_with(b"HEAD ") {
            socket.write_all(body.as_bytes()).await?;
        }
        socket.shutdown().await
    }

    fn respond(&self, request: &[u8]) -> (&'static str, &'static str, String) {
        const TEXT: &str = "text/plain; charset=utf-8";
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let (method, target, version) = (words.next(), words.next().unwrap_or_default(), words.next());
        if !version.is_some_and(|version| version.starts_with(b"HTTP/1.")) {
            return ("400 Bad Request", TEXT, "this is no request of HTTP/1\n".to_owned());
        }
        if !matches!(method, Some(b"GET" | b"HEAD")) {
            return ("405 Method Not Allowed", TEXT, "only GET and HEAD are answered\n".to_owned());
        }
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        match path {
            b"/health" if self.stopping.is_cancelled() => {
                ("503 Service Unavailable", TEXT, "the server is stopping\n".to_owned())
            }
            b"/health" => ("200 OK", TEXT, "ok\n".to_owned()),
            b"/metrics" => {
                ("200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics::write(&self.engine, &self.registry))
            }
            _ => ("404 Not Found", TEXT, "there are /health and /metrics\n".to_owned()),
        }
    }
}

/// The request up to its blank line; `None` where that does not come.
async fn read_head(socket: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= limits::STATUS_REQUEST_BYTES || socket.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}
