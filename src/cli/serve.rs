//! `tributary serve`: lakes on a PostgreSQL port until a signal.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ServeArgs;
use super::config::{Config, TableConfig, parse_bytes};
use crate::catalog::{Catalog, FunctionInfo, LakeSource};
use crate::engine::{Engine, EngineOptions};
use crate::error::{Error, Result, SqlState};
use crate::lake::{Lake, LakeSpec, SortedBy};
use crate::wire::Server;

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
    let lakes = if args.lakes.is_empty() { config.lakes } else { args.lakes };
    if lakes.is_empty() {
        return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, "no lake to serve")
            .with_hint("Name a folder of event files: tributary serve --lake PATH."));
    }
    let memory_limit_bytes = match (args.memory_limit, &config.memory_limit) {
        (Some(bytes), _) => Some(bytes),
        (None, Some(text)) => Some(
            parse_bytes(text)
                .map_err(|e| Error::new(SqlState::INVALID_PARAMETER_VALUE, format!("memory_limit: {e}")))?,
        ),
        (None, None) => None,
    };
    let options = EngineOptions {
        threads: args.threads.or(config.threads),
        memory_limit_bytes,
        spill_dir: args.data_dir.or(config.data_dir).map(|dir| dir.join("spill")),
    };
    let listen = match args.listen.or(config.listen) {
        Some(address) => address,
        None => {
            DEFAULT_LISTEN.parse().map_err(|_| Error::new(SqlState::INTERNAL_ERROR, "the default address is wrong"))?
        }
    };
    refuse_strangers(listen, args.trust_network || config.trust_network)?;
    let specs = lakes.iter().map(|text| LakeSpec::parse(text)).collect::<Result<Vec<_>>>()?;
    let ready = prepare(specs, &config.tables, listen, &options).await?;
    for lake in &ready.lakes {
        let count = lake.tables().len();
        println!("lake {} has {count} table{}", lake.name(), if count == 1 { "" } else { "s" });
    }
    println!("listening on {}", ready.address);
    println!("connect with: psql -h {} -p {} tributary", ready.address.ip(), ready.address.port());
    let shutdown = CancellationToken::new();
    stop_at_signal(shutdown.clone())?;
    ready.server.serve(ready.listener, shutdown).await;
    Ok(ExitCode::SUCCESS)
}

/// Opens lakes and port. The port comes first: it is the likeliest to be wrong.
pub(super) async fn prepare(
    specs: Vec<LakeSpec>,
    tables: &BTreeMap<String, TableConfig>,
    listen: SocketAddr,
    options: &EngineOptions,
) -> Result<Ready> {
    let listener = TcpListener::bind(listen).await.map_err(|e| {
        let error = Error::new(SqlState::CONNECTION_FAILURE, format!("cannot listen on {listen}: {e}"));
        match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                error.with_hint("Another program has that port. Take another one, or a free one: --listen 127.0.0.1:0.")
            }
            _ => error,
        }
    })?;
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
    Ok(Ready { server: Server::new(engine, catalog), listener, address, lakes })
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

/// Nobody is asked for a password yet, so only this machine may connect.
pub(super) fn refuse_strangers(listen: SocketAddr, trust_network: bool) -> Result<()> {
    if listen.ip().is_loopback() || trust_network {
        return Ok(());
    }
    Err(Error::new(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("{listen} can be reached from other machines and clients are not asked for a password"),
    )
    .with_hint("Listen on 127.0.0.1, or say --trust-network if the network itself keeps strangers out."))
}

/// SIGINT and SIGTERM stop the server; running statements get a grace period.
pub(super) fn stop_at_signal(shutdown: CancellationToken) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen_to =
        |kind| signal(kind).map_err(|e| Error::new(SqlState::INTERNAL_ERROR, format!("cannot watch signals: {e}")));
    let (mut interrupt, mut terminate) = (listen_to(SignalKind::interrupt())?, listen_to(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}
