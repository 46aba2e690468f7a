//! The commands: `serve`, `demo`, `cluster`, `compact`, `check`, `functions`, `user`.

mod cluster;
mod config;
mod demo;
mod functions;
mod resident;
mod serve;
mod user;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::error::{Error, Result, SqlState};
use crate::limits;

/// SQL-native marketing analytics over Parquet lakes, on the PostgreSQL protocol.
#[derive(Debug, Parser)]
#[command(name = "tributary", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve lakes to PostgreSQL clients
    Serve(ServeArgs),
    /// Make the demo lake, serve it, and ask it questions over the wire
    Demo(DemoArgs),
    /// Write a table in ranges of users, sorted by user and time, so that questions about users need no shuffle
    Cluster(ClusterArgs),
    /// Merge what was appended to a clustered table, so that each range of users is one file again
    Compact(CompactArgs),
    /// Read a clustered table whole, and say what is wrong with it
    Check(CheckArgs),
    /// List the functions, or explain one
    Functions(FunctionsArgs),
    /// Ask for a password and print the lines of the config file that let a user in with it
    User(UserArgs),
}

/// Options of `serve`; each beats the same key of the config file.
#[derive(Debug, Args)]
struct ServeArgs {
    /// A folder or URL of event files; its schema is NAME, or the last part of the path.
    /// The first lake is on the search path
    #[arg(long = "lake", value_name = "[NAME=]PATH_OR_URL")]
    lakes: Vec<String>,
    /// Where to listen; port 0 takes a free port and prints it
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Folder for what the server itself writes: spilled rows of large statements
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Settings in TOML, under the same names as these options
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Threads that run queries [default: the machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Memory that statements may reserve together, like 8GiB [default: 70% of the machine]
    #[arg(long, value_name = "SIZE", value_parser = config::parse_bytes)]
    memory_limit: Option<usize>,
    /// Listen on an address that other machines reach although nobody is asked for a password
    #[arg(long)]
    trust_network: bool,
    /// Certificate of the server with its chain, PEM; connections can then be encrypted
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Refuse connections that are not encrypted
    #[arg(long)]
    require_tls: bool,
    /// Memory of these that one statement may reserve [default: 75% of the memory limit]
    #[arg(long, value_name = "SIZE", value_parser = config::parse_bytes)]
    statement_memory_limit: Option<usize>,
    /// What statements together may write to the spill folder [default: 100GiB]
    #[arg(long, value_name = "SIZE", value_parser = config::parse_bytes)]
    spill_limit: Option<usize>,
    /// Where /health and /metrics are answered over HTTP; nowhere without
    #[arg(long, value_name = "ADDRESS:PORT")]
    status_listen: Option<SocketAddr>,
    /// How lines of the log are written
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Write the texts of statements into the log; they may hold personal data
    #[arg(long)]
    log_statements: bool,
    /// Connections that may be open together [default: 200]
    #[arg(long, value_name = "N")]
    max_connections: Option<NonZeroUsize>,
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: an object a line.
    Json,
}

/// Options of `demo`.
#[derive(Debug, Args)]
struct DemoArgs {
    /// Where to listen; port 0 takes a free port and prints it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Keep the demo lake in this folder [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// End after the answers, with exit code 1 if one differs from what was planted
    #[arg(long)]
    once: bool,
}

/// Options of `cluster`.
#[derive(Debug, Args)]
struct ClusterArgs {
    /// A file, a folder or a URL of Parquet, CSV or JSON lines: one table
    source: String,
    /// The folder or URL to make; it must not exist, or be empty. With --append, the table to add to
    target: String,
    /// Add the rows to the clustered table at TARGET, in its ranges and with its keys and columns
    #[arg(long)]
    append: bool,
    /// The column that says who: an integer, text, a uuid or a numeric [default: user_id]
    #[arg(long, value_name = "COLUMN")]
    user_key: Option<String>,
    /// The column that says when: a timestamp or a date; text is read as a timestamp [default: event_time]
    #[arg(long, value_name = "COLUMN")]
    time_key: Option<String>,
    /// Ranges of users, one file each [default: one for 500,000 rows, at least 8]
    #[arg(long, value_name = "N", conflicts_with = "append")]
    ranges: Option<NonZeroUsize>,
    /// Memory that rows may take, like 512MiB; others wait on the disk of the target [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = config::parse_bytes)]
    memory_limit: Option<usize>,
    /// Threads that read, sort and write [default: the machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Options of `compact`.
#[derive(Debug, Args)]
struct CompactArgs {
    /// The folder or URL that `tributary cluster` made
    table: String,
    /// Threads that read and write [default: the machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Options of `check`.
#[derive(Debug, Args)]
struct CheckArgs {
    /// The folder or URL that `tributary cluster` made
    folder: String,
    /// Threads that read [default: the machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// Options of `functions`.
#[derive(Debug, Args)]
struct FunctionsArgs {
    /// The function to explain; all are listed without
    name: Option<String>,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

/// Options of `user`.
#[derive(Debug, Args)]
struct UserArgs {
    /// Name of the user
    name: String,
    /// May see and end what others do, and name files outside of the lakes
    #[arg(long)]
    superuser: bool,
}

/// Runs the command line and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(args) => network_runtime().and_then(|net| net.block_on(serve::run(args))),
        Command::Demo(args) => {
            start_log(LogFormat::Text, "warn");
            network_runtime().and_then(|net| net.block_on(demo::run(args)))
        }
        Command::Cluster(args) => {
            start_log(LogFormat::Text, "warn");
            network_runtime().and_then(|net| net.block_on(cluster::run(args)))
        }
        Command::Compact(args) => {
            start_log(LogFormat::Text, "warn");
            network_runtime().and_then(|net| net.block_on(cluster::compact(args)))
        }
        Command::Check(args) => {
            start_log(LogFormat::Text, "warn");
            network_runtime().and_then(|net| net.block_on(cluster::check(args)))
        }
        Command::Functions(args) => functions::run(&args),
        Command::User(args) => user::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tributary: {error}");
            if let Some(detail) = &error.detail {
                eprintln!("detail: {detail}");
            }
            if let Some(hint) = &error.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

/// One thread accepts, reads and writes; queries have their own threads.
fn network_runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("net")
        // Statements are parsed and dropped here too, and deep ones recurse.
        .thread_stack_size(limits::QUERY_STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|e| Error::new(SqlState::INTERNAL_ERROR, format!("cannot start: {e}")))
}

/// Logs go to standard error; `RUST_LOG` chooses what, else `usual` does.
fn start_log(format: LogFormat, usual: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(usual));
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A program that embeds the server may have its own log already.
    let _ = match format {
        LogFormat::Text => logging.try_init(),
        LogFormat::Json => logging.json().flatten_event(true).try_init(),
    };
}
