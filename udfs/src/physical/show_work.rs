//! EXPLAIN ANALYZE says what the logs did: how many events were read and kept, for how many users, in how many bytes.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};

use super::one_stage::rebuilt;
use super::replaced;
use crate::log::{Counters, log_function};

/// Counts what our aggregates do; EXPLAIN ANALYZE shows it among their metrics.
///
/// In every plan, because the rules do not see whether a plan is to be explained; a batch costs two additions.
/// Goes last: what it puts in place is for running and showing, not for further rules.
#[derive(Debug)]
pub struct ShowWork;

impl PhysicalOptimizerRule for ShowWork {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        replaced(plan, counted)
    }

    fn name(&self) -> &str {
        "tributary_show_work"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn counted(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    if aggregate.limit_options().is_some() || !reads_rows(*aggregate.mode()) {
        return Ok(None);
    }
    let Some((functions, counters)) = counted_functions(aggregate)? else { return Ok(None) };
    let aggregate = AggregateExec::try_new(
        *aggregate.mode(),
        aggregate.group_expr().clone(),
        functions,
        aggregate.filter_expr().to_vec(),
        Arc::clone(aggregate.input()),
        aggregate.input_schema(),
    )?;
    // The plan above was made for these columns.
    Ok((aggregate.schema() == plan.schema()).then(|| Arc::new(Counted { inner: Arc::new(aggregate), counters }) as _))
}

/// The functions of an aggregation and where they count.
pub(super) type CountedFunctions = (Vec<Arc<AggregateFunctionExpr>>, Arc<Counters>);

/// The functions of an aggregation, those that keep a log counting what they do; `None` if none keeps a log.
pub(super) fn counted_functions(aggregate: &AggregateExec) -> Result<Option<CountedFunctions>> {
    let counters = Arc::new(Counters::default());
    let mut is_counted = false;
    let mut functions = vec![];
    for function in aggregate.aggr_expr() {
        functions.push(match log_function(function.fun()) {
            Some(log) => {
                is_counted = true;
                let args = function.expressions().to_vec();
                let order = function.order_bys().to_vec();
                rebuilt(function, log.counted(Arc::clone(&counters)), args, order, &aggregate.input_schema())?
            }
            None => Arc::clone(function),
        });
    }
    Ok(is_counted.then_some((functions, counters)))
}

/// Whether a stage is fed with rows; a later stage is fed with states, which were counted when they were made.
fn reads_rows(mode: AggregateMode) -> bool {
    matches!(mode, AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned)
}

/// An aggregation that shows the counts of its logs among its metrics, and is that aggregation in all else.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn ExecutionPlan>,
    counters: Arc<Counters>,
}

impl DisplayAs for Counted {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        self.inner.fmt_as(format, f)
    }
}

impl ExecutionPlan for Counted {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn downcast_delegate(&self) -> Option<&dyn ExecutionPlan> {
        Some(self.inner.as_ref())
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.inner.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.inner.maintains_input_order()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inner.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let inner = Arc::clone(&self.inner).replace_children(children, options)?;
        Ok(Arc::new(Self { inner, counters: Arc::clone(&self.counters) }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.inner.execute(partition, context)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = self.inner.metrics().unwrap_or_default();
        self.counters.add_to(&mut metrics);
        Some(metrics)
    }
}
