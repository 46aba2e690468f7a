//! Whether the client is still there while its statement runs.
//!
//! The protocol loop does not read the socket during a statement, so nobody would notice a
//! client that went away. A duplicate of the socket's descriptor is watched instead.

use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

/// Watches one client's socket for its end.
pub struct Hangup(Option<AsyncFd<OwnedFd>>);

impl Hangup {
    /// Starts to watch. Where the descriptor cannot be watched, the client counts as present
    /// until a write to it fails.
    pub fn watch(socket: &TcpStream) -> Self {
        let watched = socket
            .as_fd()
            .try_clone_to_owned()
            .and_then(|fd| AsyncFd::with_interest(fd, Interest::READABLE));
        match watched {
            Ok(fd) => Self(Some(fd)),
            Err(error) => {
                tracing::warn!(%error, "cannot watch a client's socket");
                Self(None)
            }
        }
    }

    /// Waits until the client has closed its side. Requests that it sends early do not count.
    pub async fn gone(&self) {
        let Some(fd) = &self.0 else { return std::future::pending().await };
        loop {
            match fd.ready(Interest::READABLE).await {
                Ok(mut ready) => {
                    if ready.ready().is_read_closed() {
                        return;
                    }
                    ready.clear_ready();
                }
                Err(_) => return std::future::pending().await,
            }
        }
    }
}
