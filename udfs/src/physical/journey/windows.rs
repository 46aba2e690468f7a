//! Windows over users that come one after the other: a user is answered when the next one comes.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::{SortOptions, concat, concat_batches};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use futures::stream;

use super::answered::Answered;
use super::memory::{Memory, Part};
use super::runs::Order;
use super::within::Within;
use crate::bytes::batch_bytes;
use crate::windows::{UserWindow, user_window};

/// Rows of a pass: they and what is said of them fit a cache.
const PASS_ROWS: usize = 1 << 15;

/// Windows of which at least one is of a function of ours, over rows that come sorted by the columns of PARTITION BY.
///
/// The stock operator holds all rows of its input before it answers the first, outside of the pool. This one holds some
/// thousand rows, or those of one user if they are more, and says that sessions are numbered upwards, so that what is
/// asked of each needs no hash table. Its rows, their order and its partitions are those of the stock operator.
#[derive(Debug)]
pub(crate) struct JourneyWindowExec {
    windows: Vec<Arc<dyn WindowExpr>>,
    /// The columns of PARTITION BY in the order by which rows are sorted.
    by: Vec<PhysicalSortExpr>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl JourneyWindowExec {
    /// The operator in place of a stock one that partitions its rows.
    pub fn try_new(stock: &WindowAggExec) -> Result<Self> {
        let by = stock.partition_by_sort_keys()?;
        let first = stock.input().schema().fields().len();
        let mut properties = stock.properties().as_ref().clone().with_emission_type(EmissionType::Incremental);
        for (index, window) in stock.window_expr().iter().enumerate() {
            if user_window(window.as_ref()).is_some_and(|it| it.counts_up(window.order_by())) {
                let number = Arc::new(Column::new(window.name(), first + index));
                let options = SortOptions { descending: false, nulls_first: false };
                let upwards = by.iter().cloned().chain([PhysicalSortExpr::new(number, options)]);
                let mut equivalences = properties.equivalence_properties().clone();
                equivalences.add_ordering(upwards);
                properties = properties.with_eq_properties(equivalences);
            }
        }
        Ok(Self {
            windows: stock.window_expr().to_vec(),
            by,
            input: Arc::clone(stock.input()),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn output(&self, partition: usize, context: &Arc<TaskContext>) -> Result<Output> {
        let named = |by: &PhysicalSortExpr| {
            let column = by.expr.downcast_ref::<Column>().map(|column| column.name().to_owned());
            (column.unwrap_or_else(|| by.expr.to_string()), by.options)
        };
        let times = self.windows.iter().map(|window| window.order_by()).max_by_key(|by| by.len()).unwrap_or_default();
        // A value that is drawn is another one here than where rows were sorted by it.
        let drawn = times.iter().position(|by| is_volatile(&by.expr)).unwrap_or(times.len());
        let times = &times[..drawn];
        Ok(Output {
            windows: self.windows.iter().map(Window::new).collect(),
            by: self.by.iter().map(|by| Arc::clone(&by.expr)).collect(),
            order: Order::new(self.by.iter().map(named).collect()),
            within: Within::new(times.iter().map(named).collect()),
            times: times.iter().map(|by| Arc::clone(&by.expr)).collect(),
            held: Held::default(),
            is_done: false,
            input: self.input.execute(partition, Arc::clone(context))?,
            room: Memory::new(context, false).part(),
            answered: Answered::new(context.session_config().batch_size()),
            schema: self.schema(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        })
    }
}

impl DisplayAs for JourneyWindowExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let windows = self.windows.iter().map(|window| window.name()).collect::<Vec<_>>().join(", ");
        match format {
            DisplayFormatType::TreeRender => write!(f, "{windows}"),
            _ => write!(f, "JourneyWindowExec: wdw=[{windows}]"),
        }
    }
}

impl ExecutionPlan for JourneyWindowExec {
    fn name(&self) -> &str {
        "JourneyWindowExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        for window in &self.windows {
            let all = window.all_expressions();
            for expr in all.args.iter().chain(&all.partition_by_exprs).chain(&all.order_by_exprs) {
                recursion = recursion.visit_sibling(|| f(expr))?;
            }
        }
        Ok(recursion)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (Some(input), true) = (children.pop(), children.is_empty()) else {
            return Err(internal_datafusion_err!("JourneyWindowExec has one input"));
        };
        Ok(Arc::new(Self {
            windows: self.windows.clone(),
            by: self.by.clone(),
            input,
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = stream::try_unfold(self.output(partition, &context)?, Output::next);
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// Rows that wait for their user's last.
#[derive(Default)]
struct Held {
    batches: Vec<RecordBatch>,
    row_count: usize,
    /// Where each user begins among the rows; the last may go on.
    begins: Vec<usize>,
    bytes: usize,
}

/// An output that answers while it reads.
struct Output {
    windows: Vec<Window>,
    by: Vec<Arc<dyn PhysicalExpr>>,
    order: Order,
    /// The longest ORDER BY of the windows: of the rows of one user the others say no more.
    times: Vec<Arc<dyn PhysicalExpr>>,
    within: Within,
    held: Held,
    is_done: bool,
    input: SendableRecordBatchStream,
    room: Part,
    answered: Answered,
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

impl Output {
    async fn next(mut self) -> Result<Option<(RecordBatch, Self)>> {
        loop {
            if let Some(batch) = self.answered.next() {
                return Ok(Some((batch.record_output(&self.metrics), self)));
            }
            if self.is_done {
                return Ok(None);
            }
            match self.input.next().await.transpose()? {
                Some(rows) => self.add(rows)?,
                None => {
                    self.is_done = true;
                    self.answer(self.held.row_count)?;
                }
            }
            // Cancel and other queries get their turn.
            tokio::task::consume_budget().await;
        }
    }

    fn add(&mut self, rows: RecordBatch) -> Result<()> {
        let elapsed = self.metrics.elapsed_compute().clone();
        let _timer = elapsed.timer();
        let values = |exprs: &[Arc<dyn PhysicalExpr>]| {
            exprs.iter().map(|expr| expr.evaluate(&rows)?.into_array(rows.num_rows())).collect::<Result<Vec<_>>>()
        };
        let Some(users) = self.order.follow(&values(&self.by)?)? else { return Ok(()) };
        self.within.follow(&values(&self.times)?, &users)?;
        self.held.add(rows, users.runs.iter().skip(usize::from(users.continues)).map(|run| run.start));
        self.room.try_resize(self.held.bytes)?;
        match self.held.begins.last() {
            Some(&last) if self.held.row_count >= PASS_ROWS && last > 0 => self.answer(last),
            _ => Ok(()),
        }
    }

    /// Answers the first rows, which are those of whole users.
    fn answer(&mut self, row_count: usize) -> Result<()> {
        // Rows that are joined, and what is answered of them, stand beside those that came.
        self.room.try_resize(2 * self.held.bytes)?;
        let (rows, begins) = self.held.take(row_count, &self.input.schema())?;
        if row_count > 0 {
            let ends: Vec<usize> = begins.iter().skip(1).copied().chain([row_count]).collect();
            let mut columns = rows.columns().to_vec();
            for window in &mut self.windows {
                columns.push(window.answer(&rows, &ends)?);
            }
            self.answered.put(RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        }
        self.room.try_resize(self.held.bytes)
    }
}

impl Held {
    /// Takes rows, and where among them users begin that were not there before.
    fn add(&mut self, rows: RecordBatch, begins: impl Iterator<Item = usize>) {
        let before = self.row_count;
        self.begins.extend(begins.map(|begin| before + begin));
        self.row_count += rows.num_rows();
        self.bytes += batch_bytes(&rows);
        self.batches.push(rows);
    }

    /// The first rows in one piece, and where their users begin; the others stay.
    fn take(&mut self, row_count: usize, schema: &SchemaRef) -> Result<(RecordBatch, Vec<usize>)> {
        let rows = match self.batches.as_slice() {
            [rows] => rows.clone(),
            batches => concat_batches(schema, batches)?,
        };
        let user_count = self.begins.partition_point(|&begin| begin < row_count);
        let rest = rows.slice(row_count, rows.num_rows() - row_count);
        let mut begins = std::mem::take(&mut self.begins);
        let later = begins.split_off(user_count);
        *self = Self::default();
        if rest.num_rows() > 0 {
            self.add(rest, later.into_iter().map(|begin| begin - row_count));
        }
        Ok((rows.slice(0, row_count), begins))
    }
}

/// One window, for many users at a time where it can.
struct Window {
    expr: Arc<dyn WindowExpr>,
    ours: Option<UserWindow>,
}

impl Window {
    fn new(expr: &Arc<dyn WindowExpr>) -> Self {
        Self { ours: user_window(expr.as_ref()), expr: Arc::clone(expr) }
    }

    fn answer(&mut self, rows: &RecordBatch, ends: &[usize]) -> Result<ArrayRef> {
        if let Some(ours) = &mut self.ours {
            return ours.answer(&self.expr.evaluate_args(rows)?, ends);
        }
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let of_users = begins.zip(ends).map(|(begin, &end)| self.expr.evaluate(&rows.slice(begin, end - begin)));
        joined(&of_users.collect::<Result<Vec<_>>>()?)
    }
}

fn joined(pieces: &[ArrayRef]) -> Result<ArrayRef> {
    let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_ref()).collect();
    Ok(concat(&pieces)?)
}
