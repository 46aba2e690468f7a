//! DataFusion as this server uses it: one template of settings, functions and rules, one
//! memory pool, and a runtime of its own for queries.
//!
//! A connection gets a [`SessionContext`] cloned from the template: it shares the pool, the
//! object stores and the caches with the others, and nothing that `SET` can change.

mod give_up;
mod memory;
mod meter;

use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::CatalogProviderList;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryReservation, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::prelude::{SessionConfig, SessionContext};
use tokio::task::JoinHandle;

pub use give_up::{is_given_up, plan_until};
pub use meter::Usage;
pub use tributary_udfs::TributaryOptions;

use crate::error::{Error, Result, SqlState};
use crate::limits;
use crate::sealed::Sealed;

/// Operators that an out-of-memory error names, largest first.
const NAMES_IN_MEMORY_ERRORS: NonZeroUsize = NonZeroUsize::new(5).unwrap();

/// What the operator may choose when the server starts.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Threads that plan and run queries; the machine's cores where not given.
    pub threads: Option<NonZeroUsize>,
    /// Memory that queries may reserve together; [`limits::MEMORY_PERCENT`] of the machine
    /// where not given.
    pub memory_limit_bytes: Option<usize>,
    /// Memory of these that one statement may reserve; [`limits::STATEMENT_MEMORY_PERCENT`] of it where not given.
    pub statement_memory_limit_bytes: Option<usize>,
    /// Folder for rows that do not fit into memory; the system's temporary one where not given.
    pub spill_dir: Option<PathBuf>,
    /// What all statements together may write there; [`limits::SPILL_BYTES`] where not given.
    pub spill_limit_bytes: Option<u64>,
}

/// The shared half of every session.
pub struct Engine {
    template: Sealed<SessionState>,
    memory_limit_bytes: usize,
    statement_memory_limit_bytes: usize,
    /// Taken when the engine is dropped: a runtime must not be dropped inside another.
    queries: Option<tokio::runtime::Runtime>,
}

impl Engine {
    /// Builds the template and starts the query threads.
    pub fn new(options: &EngineOptions) -> Result<Arc<Self>> {
        let threads =
            options.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let queries = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            .thread_stack_size(limits::QUERY_STACK_BYTES)
            .enable_all()
            .build()
            .map_err(|e| Error::new(SqlState::INTERNAL_ERROR, format!("cannot start query threads: {e}")))?;
        let memory_limit_bytes = options.memory_limit_bytes.unwrap_or_else(memory::default_limit_bytes);
        let statement_memory_limit_bytes = options
            .statement_memory_limit_bytes
            .unwrap_or(memory_limit_bytes / 100 * limits::STATEMENT_MEMORY_PERCENT)
            .min(memory_limit_bytes);
        let runtime = runtime_env(options, memory_limit_bytes)?;
        let builder = SessionStateBuilder::new()
            .with_config(session_config(threads))
            .with_runtime_env(runtime)
            .with_default_features();
        let template = give_up::between_rules(tributary_udfs::install(builder).build());
        Ok(Arc::new(Self {
            template: Sealed::new(template),
            memory_limit_bytes,
            statement_memory_limit_bytes,
            queries: Some(queries),
        }))
    }

    /// Memory that all statements may reserve, and what they have reserved now.
    pub fn memory(&self) -> (usize, usize) {
        (self.memory_limit_bytes, self.runtime_env().memory_pool.reserved())
    }

    /// What statements have in files now, because their memory was not enough.
    pub fn spilled_bytes(&self) -> u64 {
        self.runtime_env().disk_manager.used_disk_space()
    }

    /// The context in which a statement of a session runs, with memory from its share of the pool.
    pub fn statement_context(&self, state: &SessionState, usage: &Arc<Usage>) -> Arc<TaskContext> {
        Arc::new(usage.context(TaskContext::from(state), self.statement_memory_limit_bytes))
    }

    /// Object stores, caches and the memory pool that all sessions share.
    pub fn runtime_env(&self) -> &Arc<RuntimeEnv> {
        self.template.runtime_env()
    }

    /// Takes memory from the pool that statements share, for what is not a statement; 53200 if there is none.
    ///
    /// It goes back when the answer is dropped.
    pub fn reserve(&self, what: &str, bytes: usize) -> Result<Reserved> {
        let reservation = MemoryConsumer::new(what).register(&self.runtime_env().memory_pool);
        reservation.try_grow(bytes).map_err(|_| {
            Error::new(SqlState::OUT_OF_MEMORY, "out of memory")
                .with_detail(format!("Failed on {what}: {bytes} bytes."))
        })?;
        Ok(Reserved(reservation))
    }

    /// A context of its own for one connection, resolving names through `catalogs`.
    pub fn session(
        &self,
        catalogs: Arc<dyn CatalogProviderList>,
        configure: impl FnOnce(SessionStateBuilder) -> SessionStateBuilder,
    ) -> SessionContext {
        let builder = SessionStateBuilder::new_from_existing(SessionState::clone(&self.template))
            .with_session_id(String::new())
            .with_catalog_list(catalogs);
        SessionContext::new_with_state(configure(builder).build())
    }

    /// Runs work on the query threads, so that the network's thread stays free.
    ///
    /// Dropping the returned task stops the work at its next await.
    pub fn spawn<F>(&self, work: F) -> QueryTask<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = self.queries.as_ref().expect("the runtime lives as long as the engine");
        QueryTask(runtime.spawn(work))
    }
}

/// Memory of the pool that is taken while this lives.
#[derive(Debug)]
pub struct Reserved(#[expect(dead_code, reason = "it is held, not read")] MemoryReservation);

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.queries.take() {
            runtime.shutdown_background();
        }
    }
}

/// Work on the query threads that ends when nobody waits for it any more.
pub struct QueryTask<T>(JoinHandle<T>);

impl<T> QueryTask<T> {
    /// Waits for the result; a panic in the work becomes an internal error of this statement.
    pub async fn join(mut self) -> Result<T> {
        (&mut self.0).await.map_err(|e| {
            if e.is_panic() {
                panic_error(e.into_panic().as_ref())
            } else {
                Error::new(SqlState::QUERY_CANCELED, "the statement was stopped")
            }
        })
    }
}

impl<T> Drop for QueryTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has panics leave a line in the log that says where they were, and not what they quote of a statement.
pub fn log_places_of_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
}

/// What a client reads where our own code broke its promise: the fact, not the internals.
pub fn panic_error(payload: &(dyn std::any::Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    // What a panic says may quote what users sent; where it came from is said by the hook.
    tracing::error!("a statement panicked");
    tracing::debug!(panic = %text, "a statement panicked");
    Error::new(SqlState::INTERNAL_ERROR, "internal error: the statement could not be completed")
        .with_detail(text)
        .with_hint("Other connections are not affected. Please report this statement.")
}

/// The settings that every session starts with; each line has its reason.
fn session_config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        // The catalogue room answers information_schema with PostgreSQL's columns.
        .with_information_schema(false)
        .with_default_catalog_and_schema("tributary", "public")
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    // Our event scans declare (user, time): a repartition must keep it rather than sort again.
    options.optimizer.prefer_existing_sort = true;
    // Round robin destroys a declared partitioning, and scans already split files by range.
    options.optimizer.enable_round_robin_repartition = false;
    // Hive folders declared as Hash give wrong joins (apache/datafusion, measured): stays off.
    options.optimizer.preserve_file_partitions = 0;
    // IN lists of event names should still prune row groups.
    options.execution.parquet.max_in_list_size = 200;
    // now() is an instant, printed in the session's zone.
    options.execution.time_zone = Some("UTC".to_owned());
    // Errors point at the column they speak of.
    options.sql_parser.collect_spans = true;
    config
}

fn runtime_env(options: &EngineOptions, memory_limit_bytes: usize) -> Result<Arc<RuntimeEnv>> {
    let pool = TrackConsumersPool::new(FairSpillPool::new(memory_limit_bytes), NAMES_IN_MEMORY_ERRORS);
    let spill_limit_bytes = options.spill_limit_bytes.unwrap_or(limits::SPILL_BYTES);
    let mut disk = DiskManagerBuilder::default().with_max_temp_directory_size(spill_limit_bytes);
    if let Some(dir) = &options.spill_dir {
        std::fs::create_dir_all(dir)
            .map_err(|e| Error::new(SqlState::IO_ERROR, format!("cannot make the folder {}: {e}", dir.display())))?;
        disk = disk.with_mode(DiskManagerMode::Directories(vec![dir.clone()]));
    }
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .with_cache_manager(CacheManagerConfig::default().with_metadata_cache_limit(limits::METADATA_CACHE_BYTES))
        .build_arc()
        .map_err(|e| Error::new(SqlState::INTERNAL_ERROR, e.strip_backtrace()))
}
