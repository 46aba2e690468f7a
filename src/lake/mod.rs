//! A folder or a bucket as tables. See `README.md` of this room.

mod arrange;
mod buffers;
mod check;
mod cluster;
mod codes;
mod disorder;
mod external;
mod faults;
mod file;
mod layout;
mod listing;
mod manifest;
mod merge;
mod micros;
mod named;
mod partitions;
mod pending;
mod profile;
mod refresh;
mod scan;
mod sorted;
mod spec;
mod statistics;
mod store;
mod table;
mod text;
mod unify;
mod uuid;
mod watch;
mod write;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionConfig;
use futures::{StreamExt, stream};
use object_store::path::Path;
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use file::{FOOTER_READERS, LakeFile, Reader};
use listing::{Found, list_tables};
use refresh::Refresh;
use spec::Place;
use table::{FileSet, known_files};

use crate::error::Result;

pub use check::{CheckReport, check_folder};
pub use cluster::{
    AppendOptions, ClusterMeter, ClusterOptions, ClusterPhase, ClusterReport, CompactOptions, CompactReport,
    OLD_FILES_KEPT, append, cluster, compact,
};
pub use disorder::locate_disorder;
pub use listing::Format;
pub use sorted::SortedBy;
pub use spec::LakeSpec;
pub use table::LakeTable;
pub use uuid::{UUID_STORAGE, is_uuid, uuid_field};
pub use write::{ParquetOptions, write_parquet};

/// How old a listing may be when a statement starts.
///
/// A new file is seen by a statement that starts 5 s after it is complete; the rest is for clocks
/// of remote stores.
pub const LISTING_AGE: Duration = Duration::from_secs(2);

/// The tables of one listing, by name.
pub type Tables = BTreeMap<String, Arc<LakeTable>>;

/// A folder or bucket whose files are tables. Lives as long as the server.
pub struct Lake {
    spec: LakeSpec,
    /// By table: the order that its owner declares.
    sorted: HashMap<String, SortedBy>,
    place: Arc<Place>,
    reader: Arc<Reader>,
    tables: RwLock<Arc<Tables>>,
    refresh: Refresh,
    /// Where it is listed and its footers are read: the threads on which it was opened.
    threads: Handle,
    /// Itself, for listings that outlive who asked for them.
    this: Weak<Lake>,
    /// The task that reads footers ahead of the first question.
    reading_ahead: Mutex<Option<AbortHandle>>,
}

impl Lake {
    /// Opens a lake and lists it.
    ///
    /// Registers its object store with the runtime. Fails with 58P01 if the place does not exist,
    /// 22023 if it is no path or URL that can be used, 58030 if it cannot be listed. Runs on a tokio
    /// runtime, where it leaves a task that reads the footers of all tables.
    pub async fn open(spec: LakeSpec, runtime: &Arc<RuntimeEnv>) -> Result<Arc<Lake>> {
        Self::open_sorted(spec, HashMap::new(), runtime).await
    }

    /// Opens a lake of which some tables, by name, are declared sorted.
    ///
    /// What is declared is checked when such a table is first used, and again for each file that is new or changed;
    /// a table that is not so fails with 22000. Otherwise as [`Self::open`].
    pub async fn open_sorted(
        spec: LakeSpec,
        sorted: HashMap<String, SortedBy>,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Arc<Lake>> {
        let refresh = Refresh::new();
        let place = Arc::new(Place::open(&spec.location, runtime).await.map_err(|mut error| {
            error.message = format!("lake {}: {}", spec.name, error.message);
            error
        })?);
        let lake = Arc::new_cyclic(|this| Lake {
            spec,
            sorted,
            place,
            reader: reader(runtime),
            tables: RwLock::default(),
            refresh,
            threads: Handle::current(),
            this: Weak::clone(this),
            reading_ahead: Mutex::new(None),
        });
        lake.list().await?;
        Ok(lake)
    }

    /// The name of the lake's schema.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The path or URL, as the user wrote it.
    pub fn location(&self) -> &str {
        &self.spec.location
    }

    /// Lists the lake again if the last listing is older than [`LISTING_AGE`].
    ///
    /// Statements that come together share one listing, and wait for it no longer than [`crate::limits::LISTING_WAIT`].
    /// If it fails, the tables stay as they were, and it is tried again after [`LISTING_AGE`].
    pub async fn refresh(&self) -> Result<()> {
        let lake = self.this.upgrade();
        let list = || async move {
            match lake {
                Some(lake) => lake.list().await,
                // Nobody has it any more.
                None => Ok(()),
            }
        };
        self.refresh.share(&self.threads, list).await
    }

    /// The tables of the last listing. A table whose files did not change keeps its `Arc`.
    pub fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.read())
    }

    async fn list(&self) -> Result<()> {
        let before = self.tables();
        let mut known = HashMap::new();
        for table in before.values() {
            known_files(table.file_set().files(), &mut known);
        }
        let found = list_tables(&self.place, self.name(), &known).await?;
        let tables: Tables = found.into_iter().map(|(name, found)| self.table(&before, name, found)).collect();
        let is_same = before.len() == tables.len()
            && tables.iter().all(|(name, table)| before.get(name).is_some_and(|old| Arc::ptr_eq(old, table)));
        // The first listing of an empty lake has nothing to read ahead either.
        if !is_same {
            let tables = Arc::new(tables);
            *self.tables.write() = Arc::clone(&tables);
            self.read_ahead(tables);
        }
        Ok(())
    }

    fn table(&self, before: &Tables, name: String, found: Found) -> (String, Arc<LakeTable>) {
        let table = match found {
            Ok(files) => match before.get(&name).filter(|old| old.file_set().is_same_as(&files)) {
                Some(old) => Arc::clone(old),
                None => {
                    let set = FileSet::new(&self.place, &self.reader, files).with_sorted(self.sorted.get(&name));
                    Arc::new(LakeTable::new(name.clone(), set, None))
                }
            },
            Err(unusable) => {
                let set = FileSet::unusable(&self.place, &self.reader, *unusable);
                Arc::new(LakeTable::new(name.clone(), set, None))
            }
        };
        (name, table)
    }

    /// Reads the footers of all tables in the background; a newer listing takes the task's place.
    fn read_ahead(&self, tables: Arc<Tables>) {
        let task = self.threads.spawn(async move {
            let tables: Vec<Arc<LakeTable>> = tables.values().cloned().collect();
            let reads = stream::iter(tables).map(|table| async move {
                if let Err(error) = table.schema().await {
                    tracing::warn!(table = table.name(), %error, "table cannot be read");
                }
            });
            reads.buffer_unordered(FOOTER_READERS).collect::<()>().await;
        });
        if let Some(older) = self.reading_ahead.lock().replace(task.abort_handle()) {
            older.abort();
        }
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        if let Some(task) = self.reading_ahead.lock().take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lake({}={})", self.spec.name, self.spec.location)
    }
}

fn reader(runtime: &Arc<RuntimeEnv>) -> Arc<Reader> {
    let state =
        SessionStateBuilder::new().with_config(SessionConfig::new()).with_runtime_env(Arc::clone(runtime)).build();
    Arc::new(Reader { runtime: Arc::clone(runtime), state, permits: Semaphore::new(FOOTER_READERS) })
}

fn files_by_path(files: &[Arc<LakeFile>]) -> HashMap<Path, Arc<LakeFile>> {
    let mut known = HashMap::new();
    known_files(files, &mut known);
    known
}
