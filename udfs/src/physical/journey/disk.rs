//! Rows on disk: a file for each shelf of neighbouring buckets.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, SpillFile, TaskContext};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::spill::SpillManager;

use super::buckets::Buckets;

/// What was written, until it is read.
pub(super) struct Disk {
    manager: SpillManager,
    buckets: Buckets,
    shelves: Vec<Option<Writer>>,
    is_there: bool,
    /// What made a file incomplete; nothing is read after that.
    broken: Option<Arc<DataFusionError>>,
}

/// Appends a batch to a file, or without one finishes it. (The type that does so cannot be named from outside.)
type Writer = Box<dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send>;

impl Disk {
    pub fn new(schema: SchemaRef, buckets: Buckets, context: &TaskContext, metrics: &ExecutionPlanMetricsSet) -> Self {
        let env = context.runtime_env();
        let is_there = env.disk_manager.tmp_files_enabled();
        let manager = SpillManager::new(env, SpillMetrics::new(metrics, 0), schema)
            .with_compression_type(context.session_config().spill_compression());
        let shelves = (0..buckets.shelf_count()).map(|_| None).collect();
        Self { manager, buckets, shelves, is_there, broken: None }
    }

    pub fn is_there(&self) -> bool {
        self.is_there
    }

    /// Appends rows of a bucket.
    pub fn write(&mut self, bucket: usize, rows: &RecordBatch) -> Result<()> {
        self.check()?;
        let written = self.try_write(bucket, rows).map_err(Arc::new);
        written.map_err(|error| {
            self.broken = Some(Arc::clone(&error));
            DataFusionError::Shared(error)
        })
    }

    /// The rows of a shelf, once.
    pub fn read(&mut self, shelf: usize) -> Result<Option<SendableRecordBatchStream>> {
        self.check()?;
        let Some(mut writer) = self.shelves[shelf].take() else { return Ok(None) };
        let Some(file) = writer(None)? else { return Ok(None) };
        self.manager.read_spill_as_stream(file, None).map(Some)
    }

    /// The shelves that some buckets stand on.
    pub fn shelves(&self, buckets: &Range<usize>) -> Range<usize> {
        self.buckets.shelf_of(buckets.start)..self.buckets.shelf_of(buckets.end - 1) + 1
    }

    fn try_write(&mut self, bucket: usize, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let shelf = &mut self.shelves[self.buckets.shelf_of(bucket)];
        let writer = match shelf {
            Some(writer) => writer,
            None => shelf.insert(writer(&self.manager)?),
        };
        writer(Some(rows)).map(|_| ())
    }

    fn check(&self) -> Result<()> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(DataFusionError::Shared(Arc::clone(error))))
    }
}

fn writer(manager: &SpillManager) -> Result<Writer> {
    let mut file = manager.create_in_progress_file("JourneyExec")?;
    Ok(Box::new(move |rows| match rows {
        Some(rows) => file.append_batch(rows).map(|_| None),
        None => file.finish(),
    }))
}
