//! Whether the client is still there while its statement runs.
//!
//! The protocol loop does not read the socket during a statement, so nobody would notice a
//! client that went away. A duplicate of the socket's descriptor is watched instead.

use std::io;
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// Watches one client's socket for its end.
pub struct Hangup(Option<TcpStream>);

impl Hangup {
    /// Starts to watch. Where the descriptor cannot be watched, the client counts as present
    /// until a write to it fails.
    pub fn watch(socket: &TcpStream) -> Self {
        let duplicate =
            socket.as_fd().try_clone_to_owned().and_then(|fd| TcpStream::from_std(std::net::TcpStream::from(fd)));
        match duplicate {
            Ok(socket) => Self(Some(socket)),
            Err(error) => {
                tracing::warn!(%error, "cannot watch a client's socket");
                Self(None)
            }
        }
    }

    /// Waits until the client has closed its side. Requests that it sends early do not count.
    pub async fn gone(&self) {
        let Some(socket) = &self.0 else { return std::future::pending().await };
        loop {
            match socket.ready(Interest::READABLE).await {
                Ok(ready) if ready.is_read_closed() => return,
                // Bytes are for the protocol to read: say that nothing was to be had, so that
                // the next wait is for news and not for these bytes.
                Ok(_) => {
                    let _ =
                        socket.try_io(Interest::READABLE, || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()));
                }
                Err(_) => return std::future::pending().await,
            }
        }
    }
}
