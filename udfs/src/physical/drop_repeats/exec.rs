//! The operator: rows of keys that came before are left out.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;

use super::seen::Seen;

/// Gives the first row of each key of a partition, and may give more of them.
///
/// Memory: a bit for each key that is close to others, some MB at most. Where the pool refuses it, or keys turn out to be
/// far from each other or not to repeat, all rows are passed on.
#[derive(Debug)]
pub(super) struct DropRepeatsExec {
    input: Arc<dyn ExecutionPlan>,
    key: Arc<dyn PhysicalExpr>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl DropRepeatsExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, key: Arc<dyn PhysicalExpr>) -> Self {
        let properties = Arc::clone(input.properties());
        Self { input, key, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

impl DisplayAs for DropRepeatsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        match format {
            DisplayFormatType::TreeRender => write!(f, "key={}", self.key),
            _ => write!(f, "DropRepeatsExec: key={}", self.key),
        }
    }
}

impl ExecutionPlan for DropRepeatsExec {
    fn name(&self) -> &str {
        "DropRepeatsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        f(&self.key)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(internal_datafusion_err!("DropRepeatsExec has one input"));
        };
        Ok(Arc::new(Self::new(input, Arc::clone(&self.key))))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let consumer = MemoryConsumer::new(format!("DropRepeatsExec[{partition}]"));
        let mut dropping = Dropping {
            key: Arc::clone(&self.key),
            seen: Some(Seen::new()),
            room: consumer.register(context.memory_pool()),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = self.input.execute(partition, context)?;
        let batches = batches.map(move |batch| dropping.first_rows(batch?));
        // What is left of a batch may be nothing.
        let batches = batches.filter(|batch| {
            let is_something = batch.as_ref().map_or(true, |batch| batch.num_rows() > 0);
            std::future::ready(is_something)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// The reading of one partition.
struct Dropping {
    key: Arc<dyn PhysicalExpr>,
    /// There as long as it is worth it.
    seen: Option<Seen>,
    room: MemoryReservation,
    metrics: BaselineMetrics,
}

impl Dropping {
    fn first_rows(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let rows = match &mut self.seen {
            None => batch,
            Some(seen) => {
                if let Some(bytes) = seen.wanted_bytes() {
                    if self.room.try_resize(bytes).is_err() {
                        return Ok(self.give_up(batch));
                    }
                    seen.grow();
                }
                let keys = self.key.evaluate(&batch)?.into_array(batch.num_rows())?;
                let first = seen.first_rows(&keys);
                let first = first.ok_or_else(|| internal_datafusion_err!("keys of {}", keys.data_type()))?;
                let rows = match first.count_set_bits() == batch.num_rows() {
                    true => batch,
                    false => filter_record_batch(&batch, &BooleanArray::new(first, None))?,
                };
                if !seen.is_worth() {
                    return Ok(self.give_up(rows));
                }
                rows
            }
        };
        Ok(rows.record_output(&self.metrics))
    }

    /// Passes on all rows from these on.
    fn give_up(&mut self, rows: RecordBatch) -> RecordBatch {
        self.seen = None;
        self.room.free();
        rows.record_output(&self.metrics)
    }
}
