//! PostgreSQL's protocol: bytes to statements, rows to bytes. The only room that names `pgwire`.
//!
//! One connection object per socket, on the network thread; statements run on the engine's threads.

mod binary;
mod connection;
mod errors;
mod handlers;
mod hangup;
mod json;
mod params;
mod rows;
mod types;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use parking_lot::Mutex;
use pgwire::messages::ProtocolVersion;
use pgwire::messages::startup::SecretKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, DATABASE};
use crate::engine::Engine;
use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::session::{Identity, Registry, Session};
use connection::Connection;
use handlers::Handlers;
use hangup::Hangup;

/// What all connections share.
pub struct Server {
    engine: Arc<Engine>,
    catalog: Arc<Catalog>,
    next_process_id: AtomicI32,
    registry: Arc<Registry>,
    /// Keys that a cancel request must know, by process id.
    keys: Mutex<HashMap<i32, SecretKey>>,
}

/// Names that clients send in their start-up message and that are not settings.
const NOT_SETTINGS: [&str; 4] = ["user", "database", "options", "replication"];

impl Server {
    /// A server over an engine and a catalogue; [`Server::serve`] gives it a port.
    pub fn new(engine: Arc<Engine>, catalog: Arc<Catalog>) -> Arc<Self> {
        Arc::new(Self {
            engine,
            catalog,
            next_process_id: AtomicI32::new(1000),
            registry: Registry::new(),
            keys: Mutex::new(HashMap::new()),
        })
    }

    /// Accepts connections until `shutdown`, then gives running statements a grace period.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let socket = tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = listener.accept() => accepted,
            };
            match socket {
                Ok((socket, _)) => {
                    let (server, shutdown) = (Arc::clone(&self), shutdown.clone());
                    connections.spawn(async move { server.connect(socket, shutdown).await });
                }
                Err(error) => {
                    // Out of descriptors, most likely: the next accept would fail at once too.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limits::SHUTDOWN_GRACE, all).await;
    }

    async fn connect(self: Arc<Self>, socket: TcpStream, shutdown: CancellationToken) {
        let hangup = Hangup::watch(&socket);
        let connection = Arc::new(Connection::new(self, hangup));
        let process = pgwire::tokio::process_socket(socket, None, Handlers(Arc::clone(&connection)));
        let stop = async {
            shutdown.cancelled().await;
            // Idle connections end at once, busy ones when their statement ends or grace is over.
            while connection.session.get().is_some_and(|s| s.is_running()) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            ended = process => if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended");
            },
            () = stop => {}
        }
    }

    /// Opens the session that a start-up message asks for.
    fn open_session(
        &self,
        parameters: &BTreeMap<String, String>,
        version: ProtocolVersion,
        client_addr: Option<String>,
    ) -> Result<(Arc<Session>, SecretKey)> {
        let user = parameters.get("user").filter(|user| !user.is_empty()).ok_or_else(|| {
            Error::new(SqlState::INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet")
        })?;
        let database = parameters.get("database").filter(|d| !d.is_empty()).unwrap_or(user);
        // psql connects to a database of the user's name where none is given, and to `postgres`
        // to list the databases: both mean ours.
        if ![DATABASE, user.as_str(), "postgres"].contains(&database.as_str()) {
            return Err(Error::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist"))
                .with_hint(format!("The only database is \"{DATABASE}\".")));
        }
        let identity = Identity {
            process_id: self.next_process_id.fetch_add(1, Ordering::Relaxed),
            user: user.clone(),
            database: DATABASE.to_owned(),
            client_addr,
        };
        let process_id = identity.process_id;
        let (engine, catalog) = (Arc::clone(&self.engine), Arc::clone(&self.catalog));
        let session = Session::new(engine, catalog, Arc::clone(&self.registry), identity)?;
        let options = parameters.get("options").map(String::as_str).unwrap_or_default();
        let settings = parameters
            .iter()
            .filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()) && !name.starts_with("_pq_."))
            .map(|(name, value)| (name.clone(), value.clone()))
            .chain(command_line_settings(options)?);
        for (name, value) in settings {
            session.set_initial(&name, &value)?;
        }
        let key = secret_key(version);
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

/// A key that nobody can guess: from the operating system's generator through the hasher's seed.
fn secret_key(version: ProtocolVersion) -> SecretKey {
    use std::hash::{BuildHasher, RandomState};
    let word = || RandomState::new().hash_one(std::time::Instant::now());
    match version {
        ProtocolVersion::PROTOCOL3_0 => SecretKey::I32(word() as i32),
        _ => SecretKey::Bytes((0..4).flat_map(|_| word().to_be_bytes()).collect::<Vec<u8>>().into()),
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
