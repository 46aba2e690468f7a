//! One socket from its first byte to its last: messages in, answers out, and every way to end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::BytesMut;
use futures::{FutureExt, SinkExt};
use pgwire::api::{ClientInfo, DefaultClient, NoopHandler, PgWireConnectionState as State};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::{PgWireBackendMessage as Message, PgWireFrontendMessage};
use pgwire::tokio::server::{PgWireMessageServerCodec, process_error, process_message};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::codec::{Decoder, Framed};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::handlers::failed;
use super::inbox::{Ended, Inbox, Phase};
use super::transport::{Transport, greet};
use super::{errors, shape};
use crate::engine::panic_error;
use crate::error::{Error, SqlState};
use crate::limits;

/// A client as handlers see it: where answers go. Its messages come through an [`Inbox`].
type Client = Framed<Transport, PgWireMessageServerCodec<()>>;

/// What follows a message.
enum Next {
    Continue,
    End,
}

/// Talks with a client until one of both ends it.
pub async fn converse(connection: Arc<Connection>, socket: TcpStream, shutdown: CancellationToken) {
    let login_until = Instant::now() + connection.server.options.login_timeout;
    let Ok(address) = socket.peer_addr().and_then(|address| prepare(&socket).map(|()| address)) else {
        return;
    };
    let greeting = greet(socket, connection.server.options.tls.as_ref());
    let greeted = tokio::select! {
        greeted = timeout_at(login_until, greeting) => greeted,
        () = shutdown.cancelled() => return,
    };
    let greeted = match greeted {
        Ok(Ok(Some(greeted))) => greeted,
        Ok(Ok(None)) | Err(_) => return,
        Ok(Err(error)) => {
            tracing::debug!(%error, client = %address.ip(), "a connection ended before its start-up message");
            return;
        }
    };
    let codec = PgWireMessageServerCodec::new(DefaultClient::new(address, greeted.transport.is_encrypted()));
    let mut client = Client::new(greeted.transport, codec);
    client.set_state(State::AwaitingStartup);
    let mut inbox = Inbox::holding(&greeted.start);
    loop {
        let phase = match client.state() {
            State::AwaitingSslRequest | State::AwaitingStartup => Phase::Startup,
            State::AuthenticationInProgress => Phase::Login,
            _ => Phase::Session,
        };
        let engine = &connection.server.engine;
        let message = tokio::select! {
            biased;
            () = shutdown.cancelled() => return farewell(&mut client, terminated()).await,
            () = connection.terminated() => return farewell(&mut client, terminated()).await,
            () = sleep_until(login_until), if phase != Phase::Session => return end_late_login(&mut client, phase).await,
            () = connection.idle_too_long() => return farewell(&mut client, idle_too_long()).await,
            message = inbox.next(client.get_mut(), phase, |bytes| engine.reserve("a client's message", bytes)) => message,
        };
        let message = match message {
            Ok(message) => message,
            Err(Ended::Gone) => return,
            Err(Ended::Broken(error)) => return farewell(&mut client, error).await,
        };
        if let Next::End = handle(&connection, &mut client, phase, message).await {
            return;
        }
        inbox.tidy();
    }
}

/// Answers leave at once, and a peer that vanished without a word is noticed.
///
/// Linux also has a limit for bytes that nobody acknowledges (`TCP_USER_TIMEOUT`). It would end a client that is there and
/// reads nothing for a while, a pager for example, and without it the system gives up on a silent peer in a quarter of an
/// hour.
fn prepare(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(limits::KEEPALIVE_IDLE)
        .with_interval(limits::KEEPALIVE_INTERVAL)
        .with_retries(limits::KEEPALIVE_PROBES);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// Reads one message and answers it.
async fn handle(connection: &Arc<Connection>, client: &mut Client, phase: Phase, mut message: BytesMut) -> Next {
    let kind = message.first().copied().unwrap_or_default();
    let is_extended = phase == Phase::Session && matches!(kind, b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S');
    // After an error everything up to Sync is skipped unread.
    if phase == Phase::Session && (kind == b'X' || matches!(client.state(), State::AwaitingSync) && kind != b'S') {
        return if kind == b'X' { Next::End } else { Next::Continue };
    }
    let form = if phase == Phase::Startup { shape::check_startup(&message) } else { shape::check(&message) };
    let decoded = match form {
        Ok(()) => client.codec_mut().decode(&mut message),
        Err(error) if phase == Phase::Session => Err(failed(connection, client, errors::error(error))),
        Err(error) => Err(errors::fatal(error)),
    };
    let done = match decoded {
        Ok(Some(PgWireFrontendMessage::CancelRequest(request))) => {
            connection.server.cancel(request.pid, &request.secret_key);
            return Next::End;
        }
        Ok(Some(message)) => dispatch(connection, client, message).await,
        Ok(None) => Err(errors::fatal(Error::new(SqlState::PROTOCOL_VIOLATION, "invalid message format"))),
        Err(error) => Err(error),
    };
    let Err(mut error) = done else { return Next::Continue };
    if matches!(error, PgWireError::IoError(_)) {
        return Next::End;
    }
    errors::with_sqlstate(&mut error);
    if errors::is_fatal(&error) || phase != Phase::Session {
        send_last(client, error.into()).await;
        return Next::End;
    }
    match process_error(client, error, is_extended).await {
        Ok(()) => Next::Continue,
        Err(_) => Next::End,
    }
}

/// Hands a message to its handler. A panic there ends this connection, with a word, and no other.
async fn dispatch(
    connection: &Arc<Connection>,
    client: &mut Client,
    message: PgWireFrontendMessage,
) -> Result<(), PgWireError> {
    let handler = || Arc::clone(connection);
    let copy = Arc::new(NoopHandler);
    let work = process_message(message, client, handler(), handler(), handler(), copy, handler());
    let ended = async {
        connection.terminated().await;
        // The statement stops by itself, unless it waits for a client that does not read.
        sleep(limits::FAREWELL).await;
    };
    tokio::select! {
        done = AssertUnwindSafe(work).catch_unwind() => match done {
            Ok(done) => done,
            Err(panic) => Err(errors::fatal(panic_error(panic.as_ref()))),
        },
        () = ended => Err(errors::fatal(terminated())),
    }
}

/// Says why the connection ends, and ends it.
async fn farewell(client: &mut Client, error: Error) {
    let PgWireError::UserError(info) = errors::fatal(error) else { return };
    send_last(client, *info).await;
}

/// Sends an error that ends the connection, and takes what the client still sends for a moment:
/// a socket that is closed with bytes unread takes the message back.
async fn send_last(client: &mut Client, mut info: ErrorInfo) {
    info.severity = "FATAL".to_owned();
    info.severity_nonlocalized = Some("FATAL".to_owned());
    let last = async {
        client.send(Message::ErrorResponse(info.into())).await?;
        client.get_mut().shutdown().await?;
        let mut unread = [0; limits::READ_BYTES];
        while client.get_mut().read(&mut unread).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    let _ = timeout(limits::FAREWELL, last).await;
}

/// A client that has said who it is learns that it took too long; others are not spoken to.
async fn end_late_login(client: &mut Client, phase: Phase) {
    if phase == Phase::Login {
        let late = Error::new(SqlState::QUERY_CANCELED, "canceling authentication due to timeout");
        farewell(client, late).await;
    }
}

/// What a client reads whose connection the server ends.
pub fn terminated() -> Error {
    Error::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

fn idle_too_long() -> Error {
    Error::new(
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        "terminating connection due to idle-in-transaction timeout",
    )
}
