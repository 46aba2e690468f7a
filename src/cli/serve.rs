//! `tributary serve`: lakes on a PostgreSQL port until a signal.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use super::config::{Config, TableConfig};
use super::resident::release_startup_pages;
use super::{ServeArgs, start_log};
use crate::catalog::{Catalog, FunctionInfo, LakeSource};
use crate::engine::{Engine, EngineOptions, log_places_of_panics};
use crate::error::{Error, Result, SqlState};
use crate::lake::{Lake, LakeSpec, SortedBy};
use crate::limits;
use crate::status::Status;
use crate::wire::{Server, ServerOptions, Shutdown, Tls};

const DEFAULT_LISTEN: &str = "127.0.0.1:5432";

/// A server that has its port and its lakes, and does not accept yet.
pub(super) struct Ready {
    pub(super) server: Arc<Server>,
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) lakes: Vec<Arc<Lake>>,
}

/// Runs the command.
pub(super) async fn run(args: ServeArgs) -> Result<ExitCode> {
    let config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    start_log(args.log_format.or(config.log_format).unwrap_or_default(), "warn,tributary::statement=info");
    let lakes = if args.lakes.is_empty() { config.lakes.clone() } else { args.lakes };
    if lakes.is_empty() {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "no lake to serve")
            .with_hint("Name a folder of event files: tributary serve --lake PATH."));
    }
    let options = EngineOptions {
        threads: args.threads.or(config.threads),
        memory_limit_bytes: Config::bytes("memory_limit", args.memory_limit, config.memory_limit.as_deref())?,
        statement_memory_limit_bytes: Config::bytes(
            "statement_memory_limit",
            args.statement_memory_limit,
            config.statement_memory_limit.as_deref(),
        )?,
        spill_dir: args.data_dir.or(config.data_dir.clone()).map(|dir| dir.join("spill")),
        spill_limit_bytes: Config::bytes("spill_limit", args.spill_limit, config.spill_limit.as_deref())?
            .map(|bytes| bytes as u64),
    };
    let listen = match args.listen.or(config.listen) {
        Some(address) => address,
        None => {
            DEFAULT_LISTEN.parse().map_err(|_| Error::new(SqlState::INTERNAL_ERROR, "the default address is wrong"))?
        }
    };
    let access = config.access()?;
    if !access.asks_for_passwords() {
        refuse_strangers(listen, args.trust_network || config.trust_network)?;
    }
    let tls = tls(args.tls_certificate.or(config.tls_certificate), args.tls_key.or(config.tls_key))?;
    let require_tls = args.require_tls || config.require_tls;
    if require_tls && tls.is_none() {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "require_tls needs a certificate and its key")
            .with_hint("Name them with --tls-certificate FILE and --tls-key FILE."));
    }
    let seconds = |given: Option<u64>, default| given.map_or(default, Duration::from_secs);
    let login_timeout = config.login_timeout_seconds.and_then(|seconds| u64::try_from(seconds.get()).ok());
    let server = ServerOptions {
        access: Arc::new(access),
        tls,
        require_tls,
        log_statements: args.log_statements || config.log_statements,
        max_connections: args.max_connections.or(config.max_connections).map_or(limits::CONNECTIONS, NonZeroUsize::get),
        login_timeout: seconds(login_timeout, limits::LOGIN_TIMEOUT),
        shutdown_grace: seconds(config.shutdown_grace_seconds.map(u64::from), limits::SHUTDOWN_GRACE),
    };
    log_places_of_panics();
    allow_many_files();
    let specs = lakes.iter().map(|text| LakeSpec::parse(text)).collect::<Result<Vec<_>>>()?;
    let ready = prepare(specs, &config.tables, listen, &options, server).await?;
    for lake in &ready.lakes {
        let count = lake.tables().len();
        println!("lake {} has {count} table{}", lake.name(), if count == 1 { "" } else { "s" });
    }
    let shutdown = Shutdown::default();
    let status = match args.status_listen.or(config.status_listen) {
        Some(address) => {
            let listener = bind(address).await?;
            let address = listener.local_addr().map_err(|e| Error::new(SqlState::CONNECTION_FAILURE, e.to_string()))?;
            println!("status on http://{address}/metrics");
            let (engine, registry) = (Arc::clone(ready.server.engine()), Arc::clone(ready.server.registry()));
            Some(tokio::spawn(Status::new(engine, registry, shutdown.begin.clone()).serve(listener)))
        }
        None => None,
    };
    println!("listening on {}", ready.address);
    println!("connect with: psql -h {} -p {} tributary", ready.address.ip(), ready.address.port());
    stop_at_signal(shutdown.clone())?;
    release_startup_pages();
    ready.server.serve(ready.listener, shutdown).await;
    if let Some(status) = status {
        status.abort();
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens lakes and port. The port comes first: it is the likeliest to be wrong.
pub(super) async fn prepare(
    specs: Vec<LakeSpec>,
    tables: &BTreeMap<String, TableConfig>,
    listen: SocketAddr,
    options: &EngineOptions,
    server: ServerOptions,
) -> Result<Ready> {
    let listener = bind(listen).await?;
    let address = listener.local_addr().map_err(|e| Error::new(SqlState::CONNECTION_FAILURE, e.to_string()))?;
    let engine = Engine::new(options)?;
    let mut lakes = Vec::with_capacity(specs.len());
    for spec in specs {
        // Footers are read on the query threads, not on the network's.
        let runtime = Arc::clone(engine.runtime_env());
        let sorted = sorted_tables(&spec, tables);
        lakes.push(engine.spawn(async move { Lake::open_sorted(spec, sorted, &runtime).await }).join().await??);
    }
    check_names(tables, &lakes)?;
    let sources = lakes.iter().map(|lake| Arc::clone(lake) as Arc<dyn LakeSource>).collect();
    let functions = tributary_udfs::catalogue().iter().copied().map(FunctionInfo::from).collect();
    let catalog = Catalog::new(sources, functions)?;
    Ok(Ready { server: Server::new(engine, catalog, server), listener, address, lakes })
}

/// The tables of a lake that the config declares sorted.
fn sorted_tables(spec: &LakeSpec, tables: &BTreeMap<String, TableConfig>) -> HashMap<String, SortedBy> {
    let declared = tables.iter().filter(|(_, table)| table.sorted).map(|(name, table)| {
        let name = name.strip_prefix(&format!("{}.", spec.name)).unwrap_or(name);
        let by = SortedBy { user_key: table.user_key.clone(), time_key: table.time_key.clone() };
        (name.to_owned(), by)
    });
    declared.collect()
}

/// A section about a table that is not there is a slip.
fn check_names(tables: &BTreeMap<String, TableConfig>, lakes: &[Arc<Lake>]) -> Result<()> {
    let is_there = |name: &str| {
        lakes.iter().any(|lake| {
            let tables = lake.tables();
            let of_lake = name.strip_prefix(&format!("{}.", lake.name()));
            tables.contains_key(name) || of_lake.is_some_and(|name| tables.contains_key(name))
        })
    };
    match tables.keys().find(|name| !is_there(name)) {
        Some(name) => {
            let message = format!("the config file has a section [tables.{name}], and no lake has such a table");
            Err(Error::new(SqlState::UNDEFINED_TABLE, message).with_hint("Name it TABLE, or \"LAKE.TABLE\"."))
        }
        None => Ok(()),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| {
        let error = Error::new(SqlState::CONNECTION_FAILURE, format!("cannot listen on {address}: {e}"));
        match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                error.with_hint("Another program has that port. Take another one, or a free one: --listen 127.0.0.1:0.")
            }
            _ => error,
        }
    })
}

/// The certificate and the key to it: both or none.
fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Tls::load(&certificate, &key).map(Some),
        (None, None) => Ok(None),
        _ => {
            Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "a certificate needs its key, and a key its certificate")
                .with_hint("Give both tls_certificate and tls_key."))
        }
    }
}

/// Each connection has two descriptors and each open file of a lake one; the usual soft limit is 1,024.
fn allow_many_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::debug!(files, "limit of open files"),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// Where nobody is asked for a password only this machine may connect.
pub(super) fn refuse_strangers(listen: SocketAddr, trust_network: bool) -> Result<()> {
    if listen.ip().is_loopback() || trust_network {
        return Ok(());
    }
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{listen} can be reached from other machines and clients are not asked for a password"),
    )
    .with_hint(
        "Make users with `tributary user NAME`, listen on 127.0.0.1, \
         or say --trust-network if the network itself keeps strangers out.",
    ))
}

/// SIGINT and SIGTERM stop the server politely; a second one stops it at once.
pub(super) fn stop_at_signal(shutdown: Shutdown) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen_to =
        |kind| signal(kind).map_err(|e| Error::new(SqlState::INTERNAL_ERROR, format!("cannot watch signals: {e}")));
    let (mut interrupt, mut terminate) = (listen_to(SignalKind::interrupt())?, listen_to(SignalKind::terminate())?);
    tokio::spawn(async move {
        for stop in [shutdown.begin, shutdown.at_once] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.cancel();
        }
    });
    Ok(())
}
