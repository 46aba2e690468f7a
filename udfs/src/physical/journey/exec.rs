//! The operator: an exchange and an aggregation in one, made for states as large as the rows they came from.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::aggregates::PhysicalGroupBy;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::stream::{self, StreamExt};

use super::answered::Answered;
use super::buckets::Buckets;
use super::gather::{Gathered, Gathering};
use super::memory::{Memory, Part};
use super::runs::Runs;
use super::sorted::SortedOutput;
use super::store::Store;
use super::table::Table;
use crate::attribution::Attribution;
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
    /// The rows that it is about, or all: only where rows come sorted, so that none is copied to leave others out.
    pub rows: Option<Arc<dyn PhysicalExpr>>,
}

/// Aggregates all events of each user, in passes over a few thousand users each.
///
/// A stock aggregation keeps one table of all users of a partition: with a million users nearly every event misses the
/// cache twice, for the table and for the user's log. Here events are first brought together by bucket of users, in
/// blocks that fit a cache, and each bucket is then aggregated in one. Its answers and its output partitions are those of
/// the aggregation over a hash exchange that it replaces. Memory: the rows themselves and the state of one pass for each
/// output. Rows that the pool refuses go to disk; the state of a pass must fit, and is then that of a few buckets.
///
/// Where rows come sorted by user, with all of a user in one input, there is nothing to bring together: each input is
/// answered as it is read, in the memory of one pass.
#[derive(Debug)]
pub(crate) struct JourneyExec {
    aggregation: Arc<Aggregation>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    counters: Arc<Counters>,
    metrics: ExecutionPlanMetricsSet,
    come: Come,
    buckets: Buckets,
    /// The inputs being read for outputs that are not all begun.
    running: Mutex<Option<Running>>,
}

/// How the rows of a user come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Come {
    /// From any input, in any order.
    Anyhow,
    /// From the input of the output's number, one after the other, in these orders of the keys.
    Sorted(Vec<SortOptions>),
}

#[derive(Debug)]
struct Running {
    gathered: Gathered,
    has_begun: Vec<bool>,
}

impl JourneyExec {
    /// An operator with the properties, and so the schema and the output partitions, of the one that it replaces.
    pub fn new(
        aggregation: Aggregation,
        input: Arc<dyn ExecutionPlan>,
        come: Come,
        properties: Arc<PlanProperties>,
        counters: Arc<Counters>,
    ) -> Self {
        let rows = if come == Come::Anyhow { row_count(&input) } else { None };
        let buckets = Buckets::new(properties.output_partitioning().partition_count(), rows);
        let (aggregation, metrics) = (Arc::new(aggregation), ExecutionPlanMetricsSet::new());
        Self { aggregation, input, properties, counters, metrics, come, buckets, running: Mutex::new(None) }
    }

    fn sorted_output(
        &self,
        orders: &[SortOptions],
        partition: usize,
        context: &Arc<TaskContext>,
    ) -> Result<SortedOutput> {
        let names = self.aggregation.keys.expr().iter().map(|(_, name)| name.clone());
        let runs = Runs::new(names.zip(orders.iter().copied()).collect());
        Ok(SortedOutput {
            table: Table::sorted(&self.aggregation, runs)?,
            input: self.input.execute(partition, Arc::clone(context))?,
            room: Memory::new(context, false).part(),
            rows: 0,
            rest: None,
            answered: Answered::new(context.session_config().batch_size()),
            schema: self.schema(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        })
    }

    /// The inputs of an output's run; the first output starts reading them.
    fn gathered(&self, output: usize, context: &Arc<TaskContext>) -> Result<Gathered> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // An output that begins a second time begins a second run.
        let run = running.take().filter(|run| !run.has_begun[output]);
        let mut run = run.map_or_else(|| self.run(context), Ok)?;
        run.has_begun[output] = true;
        let gathered = run.gathered.clone();
        // The last output holds the only handle, so that memory goes with it and not with the plan.
        *running = run.has_begun.contains(&false).then_some(run);
        Ok(gathered)
    }

    fn run(&self, context: &Arc<TaskContext>) -> Result<Running> {
        let inputs = 0..self.input.output_partitioning().partition_count();
        let inputs = inputs.map(|input| self.input.execute(input, Arc::clone(context))).collect::<Result<Vec<_>>>()?;
        let gathering = Gathering {
            keys: self.aggregation.keys.input_exprs().into(),
            buckets: self.buckets,
            store: Arc::new(Store::new(self.input.schema(), self.buckets, context, &self.metrics)),
            elapsed: MetricBuilder::new(&self.metrics).subset_time("exchange_time", 0),
        };
        let outputs = self.properties.output_partitioning().partition_count();
        Ok(Running { gathered: gathering.start(inputs), has_begun: vec![false; outputs] })
    }
}

/// About how many rows a plan gives, if that is known.
fn row_count(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    statistics.num_rows.get_value().copied()
}

impl DisplayAs for JourneyExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let keys = self.aggregation.keys.expr().iter().map(|(key, name)| format!("{key} as {name}"));
        let keys = keys.collect::<Vec<_>>().join(", ");
        let functions = self.aggregation.functions.iter().map(|it| {
            let pools = it.fun().inner().downcast_ref::<Attribution>().is_some_and(Attribution::is_pooled);
            format!("{}{}", if pools { "pooled " } else { "" }, it.human_display().unwrap_or_else(|| it.name()))
        });
        let functions = functions.collect::<Vec<_>>().join(", ");
        match format {
            DisplayFormatType::TreeRender => write!(f, "group_by={keys}\naggr={functions}"),
            _ => {
                write!(f, "JourneyExec: gby=[{keys}], aggr=[{functions}], ")?;
                if let Some(rows) = &self.aggregation.rows {
                    write!(f, "filter={rows}, ")?;
                }
                match self.come {
                    Come::Anyhow => write!(f, "partitioning={}", self.properties.output_partitioning()),
                    Come::Sorted(_) => write!(f, "ordering_mode=Sorted"),
                }
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
        let Aggregation { keys, functions, filters, rows } = self.aggregation.as_ref();
        let arguments = functions.iter().flat_map(|function| function.expressions());
        let mut recursion = TreeNodeRecursion::Continue;
        let conditions = filters.iter().flatten().chain(rows).cloned();
        for expr in keys.input_exprs().into_iter().chain(arguments).chain(conditions) {
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
            come: self.come.clone(),
            buckets: self.buckets,
            running: Mutex::new(None),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if let Come::Sorted(orders) = &self.come {
            let output = self.sorted_output(orders, partition, &context)?;
            let batches = stream::try_unfold(output, SortedOutput::next);
            return Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)));
        }
        let start = Start {
            gathered: self.gathered(partition, &context)?,
            aggregation: Arc::clone(&self.aggregation),
            input: self.input.schema(),
            schema: self.schema(),
            buckets: self.buckets,
            output: partition,
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
    buckets: Buckets,
    output: usize,
    batch_rows: usize,
    metrics: BaselineMetrics,
}

/// An output that answers.
struct Output {
    store: Arc<Store>,
    table: Table,
    room: Part,
    buckets: Buckets,
    /// Buckets that were not begun.
    left: Range<usize>,
    answered: Answered,
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

impl Start {
    async fn output(self) -> Result<Output> {
        let store = self.gathered.await.map_err(DataFusionError::Shared)?;
        Ok(Output {
            table: Table::new(&self.aggregation, &self.input)?,
            room: store.part(),
            buckets: self.buckets,
            left: self.buckets.of_output(self.output),
            store,
            answered: Answered::new(self.batch_rows),
            schema: self.schema,
            metrics: self.metrics,
        })
    }
}

impl Output {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.answered.next() {
                return Ok(Some((batch.record_output(&self.metrics), self)));
            }
            if self.left.is_empty() {
                return Ok(None);
            }
            let buckets = self.next_pass();
            self.answer(&buckets).await?;
        }
    }

    /// Neighbouring buckets, as long as they are small together. Where memory is short it is a shelf of the disk.
    fn next_pass(&mut self) -> Range<usize> {
        let start = self.left.start;
        let (mut end, mut rows) = (start + 1, self.store.row_count(start));
        if self.store.has_spilled() {
            end = self.buckets.of_shelf(self.buckets.shelf_of(start)).end;
        } else {
            while end < self.left.end {
                rows += self.store.row_count(end);
                if rows > PASS_ROWS {
                    break;
                }
                end += 1;
            }
        }
        self.left.start = end;
        start..end
    }

    /// Answers the users of some buckets.
    async fn answer(&mut self, buckets: &Range<usize>) -> Result<()> {
        let mut unmeasured = 0;
        while let Some(rows) = self.store.next_held(buckets)? {
            self.add(&rows, &mut unmeasured).await?;
        }
        // A pass that began before the disk was needed may end in the middle of a shelf: the rest of it is then answered
        // in this pass too.
        let shelves = self.store.disk().await.shelves(buckets);
        for shelf in shelves {
            let spilled = self.store.disk().await.read(shelf)?;
            let Some(mut spilled) = spilled else { continue };
            while let Some(rows) = spilled.next().await {
                self.add(&rows?, &mut unmeasured).await?;
            }
        }
        self.store.make_room(&mut self.room, self.table.bytes()).await??;
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        if !self.table.is_empty() {
            self.answered.put(self.table.finish(&self.schema)?);
        }
        self.room.shrink(self.table.bytes());
        Ok(())
    }

    async fn add(&mut self, rows: &RecordBatch, unmeasured: &mut usize) -> Result<()> {
        let timer = self.metrics.elapsed_compute().timer();
        self.table.add(rows)?;
        timer.done();
        *unmeasured += rows.num_rows();
        if *unmeasured >= MEASURE_ROWS {
            *unmeasured = 0;
            self.store.make_room(&mut self.room, self.table.bytes()).await??;
        }
        // Cancel and other queries get their turn.
        tokio::task::consume_budget().await;
        Ok(())
    }
}
