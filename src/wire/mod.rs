//! PostgreSQL's protocol: bytes to statements, rows to bytes. The only room that names `pgwire`.
//!
//! One connection object per socket, on the network thread; statements run on the engine's threads.

mod arrays;
mod binary;
mod connection;
mod conversation;
mod errors;
mod handlers;
mod hangup;
mod inbox;
mod login;
mod params;
mod rows;
mod shape;
mod tls;
mod transport;
mod types;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use pgwire::messages::response::ErrorResponse;
use pgwire::messages::startup::SecretKey;
use pgwire::messages::{Message as _, ProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::catalog::{Catalog, DATABASE};
use crate::engine::Engine;
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::random::random_bytes;
use crate::session::{Identity, Registry, Session};
use connection::Connection;
use hangup::Hangup;

pub use tls::Tls;

/// What the operator may choose of connections.
pub struct ServerOptions {
    pub access: Arc<Access>,
    /// Certificate and key; without them connections are not encrypted.
    pub tls: Option<Tls>,
    /// Whether a connection that is not encrypted is refused.
    pub require_tls: bool,
    pub max_connections: usize,
    /// Whether the log holds the texts of statements.
    pub log_statements: bool,
    /// From the first byte to the end of the login.
    pub login_timeout: Duration,
    /// How long running statements may go on once the server is told to stop.
    pub shutdown_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            access: Arc::default(),
            tls: None,
            require_tls: false,
            max_connections: limits::CONNECTIONS,
            log_statements: false,
            login_timeout: limits::LOGIN_TIMEOUT,
            shutdown_grace: limits::SHUTDOWN_GRACE,
        }
    }
}

/// How a server is told to stop: politely, and then for good.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// No new connections; idle ones end, running statements get their grace period.
    pub begin: CancellationToken,
    /// The grace period is over.
    pub at_once: CancellationToken,
}

/// What all connections share.
pub struct Server {
    engine: Arc<Engine>,
    catalog: Arc<Catalog>,
    options: ServerOptions,
    next_process_id: AtomicI32,
    registry: Arc<Registry>,
    /// One for each connection that has logged in.
    places: Arc<Semaphore>,
    /// One for each socket.
    sockets: Arc<Semaphore>,
    /// Keys that a cancel request must know, by process id.
    keys: Mutex<HashMap<i32, SecretKey>>,
}

/// Names that clients send in their start-up message and that are not settings.
const NOT_SETTINGS: [&str; 4] = ["user", "database", "options", "replication"];

impl Server {
    /// A server over an engine and a catalogue; [`Server::serve`] gives it a port.
    pub fn new(engine: Arc<Engine>, catalog: Arc<Catalog>, options: ServerOptions) -> Arc<Self> {
        let sockets = options.max_connections.saturating_add(limits::SOCKETS_BEFORE_LOGIN);
        Arc::new(Self {
            engine,
            catalog,
            next_process_id: AtomicI32::new(1000),
            registry: Registry::new(options.log_statements),
            places: Arc::new(Semaphore::new(options.max_connections.min(Semaphore::MAX_PERMITS))),
            sockets: Arc::new(Semaphore::new(sockets.min(Semaphore::MAX_PERMITS))),
            keys: Mutex::new(HashMap::new()),
            options,
        })
    }

    /// Who is connected, and what was done.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What statements run on.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Accepts connections until it is told to stop, then gives running statements a grace period.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: Shutdown) {
        let mut connections = JoinSet::new();
        loop {
            let socket = tokio::select! {
                () = shutdown.begin.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match socket {
                Ok((socket, _)) => match Arc::clone(&self.sockets).try_acquire_owned() {
                    Ok(permit) => {
                        let (server, begin) = (Arc::clone(&self), shutdown.begin.clone());
                        connections.spawn(async move {
                            let hangup = Hangup::watch(&socket);
                            let connection = Arc::new(Connection::new(server, hangup));
                            conversation::converse(connection, socket, begin).await;
                            drop(permit);
                        });
                    }
                    Err(_) => turn_away(&socket),
                },
                Err(error) => {
                    // Out of descriptors, most likely: the next accept would fail at once too.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        let mut all = Box::pin(async { while connections.join_next().await.is_some() {} });
        tokio::select! {
            () = &mut all => return,
            () = sleep(self.options.shutdown_grace) => {}
            () = shutdown.at_once.cancelled() => {}
        }
        self.registry.terminate_all();
        // What does not end now waits for a client that does not read.
        let _ = timeout(2 * limits::FAREWELL, all).await;
    }

    /// A place among the connections; 53300 where all are taken.
    fn take_place(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| too_many_clients())
    }

    /// Opens the session that a start-up message asks for.
    fn open_session(
        &self,
        parameters: &BTreeMap<String, String>,
        version: ProtocolVersion,
        client_addr: Option<String>,
    ) -> Result<(Arc<Session>, SecretKey)> {
        let user = login::user_of(parameters)?;
        let database = parameters.get("database").map(String::as_str).filter(|d| !d.is_empty()).unwrap_or(user);
        // psql connects to a database of the user's name where none is given, and to `postgres`
        // to list the databases: both mean ours.
        if ![DATABASE, user, "postgres"].contains(&database) {
            return Err(Error::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist"))
                .with_hint(format!("The only database is \"{DATABASE}\".")));
        }
        let identity = Identity {
            process_id: self.next_process_id.fetch_add(1, Ordering::Relaxed),
            user: user.to_owned(),
            database: DATABASE.to_owned(),
            client_addr,
        };
        let process_id = identity.process_id;
        let (engine, catalog) = (Arc::clone(&self.engine), Arc::clone(&self.catalog));
        let access = Arc::clone(&self.options.access);
        let session = Session::new(engine, catalog, access, Arc::clone(&self.registry), identity)?;
        let options = parameters.get("options").map(String::as_str).unwrap_or_default();
        let settings = parameters
            .iter()
            .filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()) && !name.starts_with("_pq_."))
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain(command_line_settings(options)?);
        for (name, value) in settings {
            session.set_initial(&name, &value)?;
        }
        let key = secret_key(version)?;
        self.keys.lock().insert(process_id, key.clone());
        Ok((session, key))
    }

    /// Stops the running statement of the connection that a cancel request names, if it knows
    /// the key. As in PostgreSQL nothing is answered either way.
    fn cancel(&self, process_id: i32, key: &SecretKey) {
        let is_known = self.keys.lock().get(&process_id).is_some_and(|known| known.eq_value(key));
        match is_known.then(|| self.registry.get(process_id)).flatten() {
            Some(session) => session.cancel(),
            None => tracing::debug!(process_id, "a cancel request names no connection"),
        }
    }

    fn forget(&self, process_id: i32) {
        self.keys.lock().remove(&process_id);
    }
}

/// Reads `-c name=value` and `--name=value` of the start-up message's `options`.
fn command_line_settings(options: &str) -> Result<Vec<(String, String)>> {
    let mut settings = vec![];
    let mut words = split_words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.as_str() {
            "-c" => words.next(),
            other => other.strip_prefix("--").or(other.strip_prefix("-c")).map(str::to_owned),
        };
        let pair = setting.as_deref().and_then(|s| s.split_once('='));
        let Some((name, value)) = pair else {
            return Err(Error::new(
                SqlState::PROTOCOL_VIOLATION,
                format!("invalid command-line argument for server process: {word}"),
            )
            .with_hint("Use -c name=value."));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Words between spaces; a backslash keeps the next character.
fn split_words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.extend(chars.next()),
            c if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A key that nobody can guess: 4 bytes, and from protocol 3.2 on as many as PostgreSQL sends.
fn secret_key(version: ProtocolVersion) -> Result<SecretKey> {
    Ok(match version {
        ProtocolVersion::PROTOCOL3_0 => SecretKey::I32(i32::from_be_bytes(random_bytes()?)),
        _ => SecretKey::Bytes(random_bytes::<32>()?.to_vec().into()),
    })
}

fn too_many_clients() -> Error {
    Error::new(SqlState::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
}

/// Closes a socket for which there is no room, with the reason if its buffer takes it.
fn turn_away(socket: &TcpStream) {
    let pgwire::error::PgWireError::UserError(info) = errors::fatal(too_many_clients()) else { return };
    let mut message = BytesMut::new();
    if ErrorResponse::from(*info).encode(&mut message).is_ok() {
        let _ = socket.try_write(&message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_up_options_are_settings() {
        let settings = command_line_settings("-c statement_timeout=5s --search-path=a\\ b -cjit=off").unwrap();
        let expected = [("statement_timeout", "5s"), ("search_path", "a b"), ("jit", "off")];
        assert_eq!(settings, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        assert!(command_line_settings("-x").is_err());
    }
}
