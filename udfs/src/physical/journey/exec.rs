//! The operator: an exchange and an aggregation in one, made for states as large as the rows they came from.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::{self, StreamExt};

use super::buckets::Buckets;
use super::gather::{Gathered, Gathering};
use super::store::Store;
use super::table::Table;
use crate::log::Counters;

/// Rows that are aggregated at once, if an output has so many: small inputs are one pass, not one for each bucket.
const PASS_ROWS: usize = 1 << 17;
/// The table is measured after so many rows.
const MEASURE_ROWS: usize = 1 << 13;

/// What is computed of each user.
#[derive(Debug)]
pub(super) struct Aggregation {
    pub keys: PhysicalGroupBy,
    pub functions: Vec<Arc<AggregateFunctionExpr>>,
    pub filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
}

/// Aggregates all events of each user, in passes over a few thousand users each.
///
/// A stock aggregation keeps one table of all users of a partition: with a million users nearly every event misses the
/// cache twice, for the table and for the user's log. Here events are first brought together by bucket of users, in
/// blocks that fit a cache, and each bucket is then aggregated in one. Its answers and its output partitions are those of
/// the aggregation over a hash exchange that it replaces. Memory: the rows themselves and the state of one bucket an
/// output; what the pool refuses goes to disk by bucket.
#[derive(Debug)]
pub(crate) struct JourneyExec {
    aggregation: Arc<Aggregation>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    counters: Arc<Counters>,
    metrics: ExecutionPlanMetricsSet,
    /// The inputs being read for outputs that are not all begun.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    gathered: Gathered,
    outputs_left: usize,
}

impl JourneyExec {
    /// An operator with the properties, and so the schema and the output partitions, of the one that it replaces.
    pub fn new(
        aggregation: Aggregation,
        input: Arc<dyn ExecutionPlan>,
        properties: Arc<PlanProperties>,
        counters: Arc<Counters>,
    ) -> Self {
        let aggregation = Arc::new(aggregation);
        let metrics = ExecutionPlanMetricsSet::new();
        Self { aggregation, input, properties, counters, metrics, running: Mutex::new(None) }
    }

    fn buckets(&self) -> Buckets {
        Buckets::new(self.properties.output_partitioning().partition_count())
    }

    /// The inputs of this run; the first output starts reading them.
    fn gathered(&self, context: &Arc<TaskContext>) -> Result<Gathered> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut run = match running.take() {
            Some(run) => run,
            None => {
                let inputs = 0..self.input.output_partitioning().partition_count();
                let inputs = inputs.map(|input| self.input.execute(input, Arc::clone(context)));
                let inputs = inputs.collect::<Result<Vec<_>>>()?;
                let gathering = Gathering {
                    keys: self.aggregation.keys.input_exprs().into(),
                    buckets: self.buckets(),
                    store: Arc::new(Store::new(self.input.schema(), self.buckets(), context, &self.metrics)),
                    elapsed: MetricBuilder::new(&self.metrics).subset_time("exchange_time", 0),
                };
                let outputs_left = self.properties.output_partitioning().partition_count();
                Running { gathered: gathering.start(inputs), outputs_left }
            }
        };
        let gathered = run.gathered.clone();
        run.outputs_left -= 1;
        // The last output holds the only handle, so that memory goes with it and not with the plan.
        *running = (run.outputs_left > 0).then_some(run);
        Ok(gathered)
    }
}

impl DisplayAs for JourneyExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let keys = self.aggregation.keys.expr().iter().map(|(key, name)| format!("{key} as {name}"));
        let keys = keys.collect::<Vec<_>>().join(", ");
        let functions = self.aggregation.functions.iter().map(|it| it.human_display().unwrap_or_else(|| it.name()));
        let functions = functions.collect::<Vec<_>>().join(", ");
        match format {
            DisplayFormatType::TreeRender => write!(f, "group_by={keys}\naggr={functions}"),
            _ => {
                let partitioning = self.properties.output_partitioning();
                write!(f, "JourneyExec: gby=[{keys}], aggr=[{functions}], partitioning={partitioning}")
            }
        }
    }
}

impl ExecutionPlan for JourneyExec {
    fn name(&self) -> &str {
        "JourneyExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let Aggregation { keys, functions, filters } = self.aggregation.as_ref();
        let arguments = functions.iter().flat_map(|function| function.expressions());
        let mut recursion = TreeNodeRecursion::Continue;
        for expr in keys.input_exprs().into_iter().chain(arguments).chain(filters.iter().flatten().cloned()) {
            recursion = recursion.visit_sibling(|| f(&expr))?;
        }
        Ok(recursion)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(internal_datafusion_err!("JourneyExec has one input"));
        };
        Ok(Arc::new(Self {
            aggregation: Arc::clone(&self.aggregation),
            input,
            properties: Arc::clone(&self.properties),
            counters: Arc::clone(&self.counters),
            metrics: ExecutionPlanMetricsSet::new(),
            running: Mutex::new(None),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let start = Start {
            gathered: self.gathered(&context)?,
            aggregation: Arc::clone(&self.aggregation),
            input: self.input.schema(),
            schema: self.schema(),
            buckets: self.buckets().of_output(partition),
            batch_rows: context.session_config().batch_size(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        let batches = stream::once(start.output()).flat_map(|output| match output {
            Ok(output) => stream::try_unfold(output, Output::next).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.metrics.clone_inner();
        self.counters.add_to(&mut metrics);
        Some(metrics)
    }
}

/// An output that waits for the inputs.
struct Start {
    gathered: Gathered,
    aggregation: Arc<Aggregation>,
    input: SchemaRef,
    schema: SchemaRef,
    buckets: Range<usize>,
    batch_rows: usize,
    metrics: BaselineMetrics,
}

/// An output that answers.
struct Output {
    store: Arc<Store>,
    table: Table,
    room: MemoryReservation,
    /// Buckets that were not begun.
    buckets: Range<usize>,
    /// Users that were answered and not yet handed on.
    answered: Option<RecordBatch>,
    schema: SchemaRef,
    batch_rows: usize,
    metrics: BaselineMetrics,
}

impl Start {
    async fn output(self) -> Result<Output> {
        let store = self.gathered.await.map_err(DataFusionError::Shared)?;
        Ok(Output {
            table: Table::new(&self.aggregation, &self.input)?,
            room: store.reservation(),
            buckets: self.buckets,
            store,
            answered: None,
            schema: self.schema,
            batch_rows: self.batch_rows,
            metrics: self.metrics,
        })
    }
}

impl Output {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.next_answered() {
                return Ok(Some((batch.record_output(&self.metrics), self)));
            }
            if self.buckets.is_empty() {
                return Ok(None);
            }
            let buckets = self.next_pass();
            self.answer(&buckets).await?;
        }
    }

    fn next_answered(&mut self) -> Option<RecordBatch> {
        let answered = self.answered.take()?;
        let rows = answered.num_rows().min(self.batch_rows);
        if rows < answered.num_rows() {
            self.answered = Some(answered.slice(rows, answered.num_rows() - rows));
        }
        (rows > 0).then(|| answered.slice(0, rows))
    }

    /// Neighbouring buckets, as long as they are small together. Where memory is short it is one.
    fn next_pass(&mut self) -> Range<usize> {
        let start = self.buckets.start;
        let (mut end, mut rows) = (start + 1, self.store.row_count(start));
        if !self.store.has_spilled() {
            while end < self.buckets.end {
                rows += self.store.row_count(end);
                if rows > PASS_ROWS {
                    break;
                }
                end += 1;
            }
        }
        self.buckets.start = end;
        start..end
    }

    /// Answers the users of some buckets.
    async fn answer(&mut self, buckets: &Range<usize>) -> Result<()> {
        let mut unmeasured = 0;
        while let Some(rows) = self.store.next_held(buckets) {
            self.add(&rows, &mut unmeasured)?;
            // Cancel and other queries get their turn.
            tokio::task::consume_budget().await;
        }
        for bucket in buckets.clone() {
            let Some(mut spilled) = self.store.spilled(bucket)? else { continue };
            while let Some(rows) = spilled.next().await {
                self.add(&rows?, &mut unmeasured)?;
            }
        }
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        if !self.table.is_empty() {
            self.answered = Some(self.table.finish(&self.schema)?);
        }
        Ok(())
    }

    fn add(&mut self, rows: &RecordBatch, unmeasured: &mut usize) -> Result<()> {
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        self.table.add(rows)?;
        *unmeasured += rows.num_rows();
        if *unmeasured >= MEASURE_ROWS {
            *unmeasured = 0;
            self.store.make_room(&self.room, self.table.bytes())?;
        }
        Ok(())
    }
}
