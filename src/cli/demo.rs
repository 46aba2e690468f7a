//! `tributary demo`: the demo lake, a server over it, and the questions asked over the wire.

use std::collections::BTreeMap;
use std::io::stdout;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio_postgres::NoTls;

use super::DemoArgs;
use super::serve::{Ready, prepare, refuse_strangers, stop_at_signal};
use crate::demo;
use crate::engine::EngineOptions;
use crate::error::{Error, Result, SqlState};
use crate::lake::LakeSpec;
use crate::wire::{ServerOptions, Shutdown};

/// Runs the command.
pub(super) async fn run(args: DemoArgs) -> Result<ExitCode> {
    refuse_strangers(args.listen, false)?;
    let folder = Folder::new(args.data_dir)?;
    let lake = folder.path.clone();
    tokio::task::spawn_blocking(move || demo::lake::write(&lake, &demo::writing()))
        .await
        .map_err(|e| Error::new(SqlState::INTERNAL_ERROR, format!("making the demo lake failed: {e}")))??;
    let spec = LakeSpec { name: "demo".to_owned(), location: folder.path.display().to_string() };
    let Ready { server, listener, address, .. } =
        prepare(vec![spec], &BTreeMap::new(), args.listen, &EngineOptions::default(), ServerOptions::default()).await?;
    println!("listening on {address}");
    let shutdown = Shutdown::default();
    stop_at_signal(shutdown.clone())?;
    let serving = tokio::spawn(server.serve(listener, shutdown.clone()));
    let report = tokio::select! {
        report = ask(address) => report?,
        () = shutdown.begin.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    println!("{}", demo::closing(address));
    if args.once {
        shutdown.begin.cancel();
    }
    let _ = serving.await;
    drop(folder);
    Ok(if report.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Connects as any client would, and asks.
async fn ask(address: std::net::SocketAddr) -> Result<demo::Report> {
    let config =
        format!("host={} port={} user=demo dbname=tributary application_name=demo", address.ip(), address.port());
    let failed = |e: tokio_postgres::Error| {
        Error::new(SqlState::CONNECTION_FAILURE, format!("cannot connect to the demo server: {e}"))
    };
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.map_err(failed)?;
    // The connection ends with the client; its error would be the client's too.
    let reading = tokio::spawn(connection);
    let report = demo::ask(&client, &mut stdout()).await;
    drop(client);
    let _ = reading.await;
    report
}

/// The folder of the lake; a temporary one goes with the demo.
struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    fn new(chosen: Option<PathBuf>) -> Result<Self> {
        let is_temporary = chosen.is_none();
        let path =
            chosen.unwrap_or_else(|| std::env::temp_dir().join(format!("tributary-demo-{}", std::process::id())));
        make(&path)?;
        Ok(Self { path, is_temporary })
    }
}

fn make(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path)
        .map_err(|e| Error::new(SqlState::IO_ERROR, format!("cannot make the folder {}: {e}", path.display())))
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_temporary {
            // What cannot be removed now is the system's to clean: it is its temporary folder.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
