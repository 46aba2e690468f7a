//! The generations of each range become one file again.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::record_batch::RecordBatch;
use datafusion::arrow::row::OwnedRow;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::prelude::SessionConfig;
use futures::StreamExt;
use object_store::path::Path;
use tokio::runtime::Handle;

use super::change::Change;
use super::file::RangeWriter;
use super::fit::TableColumns;
use super::keys::Keys;
use super::meter::{ClusterMeter, ClusterPhase};
use super::names::Generation;
use super::shape::Shape;
use super::source::said;
use super::threads::on_threads;
use crate::error::{Error, Result, SqlState};
use crate::lake::manifest::{Manifest, ManifestFile};
use crate::lake::merge::merge_sorted;
use crate::lake::scan::LakeProvider;

/// How long files that are no longer of a table stay for the statements that are reading them: a statement that begins
/// later does not know them.
pub const OLD_FILES_KEPT: Duration = Duration::from_secs(5);

/// How generations are merged.
#[derive(Clone, Debug)]
pub struct CompactOptions {
    /// Threads that read and write.
    pub thread_count: NonZeroUsize,
    /// How long merged files stay beside the new ones.
    pub old_files_kept: Duration,
}

/// What was merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactReport {
    /// Ranges of several generations, which are now one file each.
    pub range_count: usize,
    /// Their files before, rows, and bytes before and after.
    pub file_count: usize,
    pub row_count: u64,
    pub old_byte_count: u64,
    pub byte_count: u64,
    /// The generation that the new files are.
    pub generation: u64,
}

/// Merges the generations of each range of the clustered table `target` into one file, and tells `meter` how far it is.
///
/// The rows of a range stay in their order: by user and time, and of equal ones those of the older generation first.
/// Ranges of one generation are left as they are. Memory: some batches and row groups for each file of a range that is
/// merged, `thread_count` ranges at a time.
///
/// The table is the old one or the new one at any time, whenever this ends; a statement that began before and opens a
/// file that is gone fails with 58P01. Fails as [`super::append`] does, and with 22000 if a file is not in order.
pub async fn compact(
    runtime: &Arc<RuntimeEnv>,
    target: &str,
    options: &CompactOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<CompactReport> {
    meter.begin(ClusterPhase::Sampling, None);
    compact_in(Change::begin(target, runtime).await?, runtime, options, meter).await
}

pub(in crate::lake) async fn compact_in(
    change: Change,
    runtime: &Arc<RuntimeEnv>,
    options: &CompactOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<CompactReport> {
    let merged = merge_ranges(&change, runtime, options, meter).await;
    change.settle(merged, options.old_files_kept, meter).await
}

/// Makes the files of the ranges, and says what the table is with them; `None` if no range has several.
async fn merge_ranges(
    change: &Change,
    runtime: &Arc<RuntimeEnv>,
    options: &CompactOptions,
    meter: &Arc<ClusterMeter>,
) -> Result<(Option<Manifest>, CompactReport)> {
    let manifest = change.manifest();
    let (wide, kept): (Vec<&[ManifestFile]>, Vec<&[ManifestFile]>) =
        manifest.ranges().partition(|files| files.len() > 1);
    let sum = |of: fn(&ManifestFile) -> u64| wide.iter().flat_map(|files| files.iter()).map(of).sum::<u64>();
    let mut report = CompactReport {
        range_count: wide.len(),
        file_count: wide.iter().map(|files| files.len()).sum(),
        row_count: sum(|file| file.row_count),
        old_byte_count: sum(|file| file.byte_count),
        byte_count: 0,
        generation: manifest.generation,
    };
    if wide.is_empty() {
        return Ok((None, report));
    }
    meter.begin(ClusterPhase::Writing, Some(report.row_count));
    let table = change.table(runtime).await?;
    let merging = MergingRanges::new(change, table, runtime, meter)?;
    report.generation = merging.generation.number;
    let (ranges, here) = (wide.iter().map(|files| files.to_vec()).collect(), Handle::current());
    let merge = move |files: Vec<ManifestFile>| here.block_on(merging.merge(&files));
    let merged = on_threads(options.thread_count.get(), ranges, merge).await?;
    report.byte_count = merged.iter().map(|file| file.byte_count).sum();
    let files = kept.into_iter().flatten().cloned().chain(merged).collect();
    Ok((Some(manifest.with_files(files, report.generation)), report))
}

/// What the merging of a range needs.
struct MergingRanges {
    table: LakeProvider,
    /// What errors call it.
    table_name: String,
    state: SessionState,
    folder: Path,
    made: PathBuf,
    keys: Keys,
    shape: Shape,
    ordering: LexOrdering,
    generation: Generation,
    meter: Arc<ClusterMeter>,
    /// By its path, what a scan reads a file by.
    files: HashMap<Path, PartitionedFile>,
}

impl MergingRanges {
    fn new(change: &Change, table: LakeProvider, runtime: &Arc<RuntimeEnv>, meter: &Arc<ClusterMeter>) -> Result<Self> {
        let manifest = change.manifest();
        let shape = TableColumns::new(&table, &manifest.user_key, &manifest.time_key).shape();
        let keys = Keys::try_new(&shape.schema, &manifest.user_key, &manifest.time_key)?;
        let ordering = table.resolved.layout.as_ref().and_then(|layout| layout.ordering());
        let ordering =
            ordering.ok_or_else(|| Error::new(SqlState::INTERNAL_ERROR, "compact: a table in ranges has no order"))?;
        let ready = table.resolved.files.iter().map(|file| {
            let ready = file.ready.clone()?;
            Ok((ready.object_meta.location.clone(), ready))
        });
        let files = ready.collect::<Result<HashMap<_, _>>>()?;
        let config = SessionConfig::new().with_target_partitions(1);
        let state = SessionStateBuilder::new().with_config(config).with_runtime_env(Arc::clone(runtime)).build();
        Ok(Self {
            files,
            state,
            folder: change.place().path.clone(),
            made: change.working().table_folder(),
            keys,
            shape,
            ordering,
            generation: change.next_generation()?,
            meter: Arc::clone(meter),
            table_name: format!("'{}'", change.shown()),
            table,
        })
    }

    /// Merges the files of one range, from the oldest to the newest.
    async fn merge(&self, files: &[ManifestFile]) -> Result<ManifestFile> {
        let range = files.first().map_or(0, |file| file.range);
        let name = self.generation.file(range);
        let path = self.made.join(&name);
        let mut writer = RangeWriter::create(&path, &self.keys, &self.shape)?;
        let mut rows = self.rows(range, files)?;
        let mut last = None;
        while let Some(batch) = rows.next().await {
            let batch = self.shape.apply(&batch.map_err(said(&self.table_name))?)?;
            self.check_order(&batch, range, &mut last)?;
            writer.write(&batch)?;
            self.meter.advance(batch.num_rows() as u64)?;
        }
        writer.finish(name, range, self.generation.number)
    }

    fn rows(&self, range: usize, files: &[ManifestFile]) -> Result<SendableRecordBatchStream> {
        let context = self.state.task_ctx();
        let mut streams = Vec::with_capacity(files.len());
        for file in files {
            let Some(ready) = self.files.get(&self.folder.clone().join(file.path.as_str())) else {
                return Err(Error::new(SqlState::IO_ERROR, format!("file '{}' is missing", file.path)));
            };
            let scan: Arc<dyn ExecutionPlan> = self
                .table
                .scan_parquet(&self.state, None, vec![ready.clone()], false, None)
                .map_err(said(&self.table_name))?;
            streams.push(scan.execute(0, Arc::clone(&context)).map_err(said(&self.table_name))?);
        }
        let consumer = MemoryConsumer::new(format!("merge of range {range}"));
        let metrics = BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), range);
        let schema = Arc::clone(&self.table.resolved.schema);
        Ok(merge_sorted(streams, schema, &self.ordering, metrics, consumer, &context))
    }

    /// Files that are not in order cannot be merged; what came of it would be believed.
    fn check_order(&self, batch: &RecordBatch, range: usize, last: &mut Option<OwnedRow>) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let rows = self.keys.users_and_times(batch.column(self.keys.user), batch.column(self.keys.time))?;
        let follows = last.as_ref().is_none_or(|last| last.row() <= rows.row(0));
        if !follows || (1..rows.num_rows()).any(|row| rows.row(row - 1) > rows.row(row)) {
            let message = format!("a file of range {range} is not sorted as its manifest says");
            return Err(
                Error::new(SqlState::DATA_EXCEPTION, message).with_hint("`tributary check` names all that is wrong.")
            );
        }
        *last = Some(rows.row(rows.num_rows() - 1).owned());
        Ok(())
    }
}
