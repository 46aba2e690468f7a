//! One aggregation after one exchange, instead of an aggregation, an exchange of lists, and another aggregation.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::AggregateUDF;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode, Partitioning};

use super::replaced;
use crate::log::log_function;
use crate::options::TributaryOptions;

/// Makes one stage of a two-stage aggregation that holds a log function, and reads only what it needs below it.
///
/// A user's log is as large as the rows it came from, so a partial stage aggregates nothing: it only builds lists,
/// which are then exchanged and taken apart. One stage exchanges the rows themselves. The projection below computes
/// keys and arguments, so that a row in the exchange is key, time and mask.
///
/// Goes first among the physical rules: distribution enforcement then adds the hash exchange, where and only where
/// the source does not come partitioned by the key.
#[derive(Debug)]
pub struct OneStage;

impl PhysicalOptimizerRule for OneStage {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.one_stage) {
            return Ok(plan);
        }
        replaced(plan, one_stage)
    }

    fn name(&self) -> &str {
        "tributary_one_stage"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn one_stage(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(last) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(partial) = last.input().downcast_ref::<AggregateExec>() else { return Ok(None) };
    let mode = match last.mode() {
        AggregateMode::FinalPartitioned => AggregateMode::SinglePartitioned,
        AggregateMode::Final => AggregateMode::Single,
        _ => return Ok(None),
    };
    let groups = partial.group_expr();
    if *partial.mode() != AggregateMode::Partial
        || groups.is_empty()
        || groups.has_grouping_set()
        || !partial.aggr_expr().iter().any(|aggregate| keeps_log(aggregate))
        || last.limit_options().is_some()
    {
        return Ok(None);
    }

    let mut columns = Columns { exprs: vec![] };
    let keys = groups.expr().iter().map(|(key, name)| (columns.add(key, Some(name)), name.clone())).collect::<Vec<_>>();
    let args = partial
        .aggr_expr()
        .iter()
        .map(|aggregate| {
            let args = aggregate.expressions().iter().map(|arg| columns.add(arg, None)).collect::<Vec<_>>();
            let order = aggregate
                .order_bys()
                .iter()
                .map(|sort| PhysicalSortExpr { expr: columns.add(&sort.expr, None), options: sort.options });
            (args, order.collect::<Vec<_>>())
        })
        .collect::<Vec<_>>();
    let filters = partial
        .filter_expr()
        .iter()
        .map(|filter| filter.as_ref().map(|filter| columns.add(filter, None)))
        .collect::<Vec<_>>();

    let input = Arc::new(ProjectionExec::try_new(columns.exprs, Arc::clone(partial.input()))?);
    let schema = input.schema();
    let aggregates = partial
        .aggr_expr()
        .iter()
        .zip(args)
        .map(|(aggregate, (args, order))| rebuilt(aggregate, aggregate.fun().clone(), args, order, &schema))
        .collect::<Result<Vec<_>>>()?;
    let single = AggregateExec::try_new(mode, PhysicalGroupBy::new_single(keys), aggregates, filters, input, schema)?;
    // Another rule relies on these names and types; a difference here would be a wrong answer there.
    Ok((single.schema() == plan.schema()).then(|| Arc::new(single) as _))
}

/// The aggregate with another function, other arguments or over other columns, shown as it was.
pub(super) fn rebuilt(
    aggregate: &AggregateFunctionExpr,
    function: AggregateUDF,
    args: Vec<Arc<dyn PhysicalExpr>>,
    order: Vec<PhysicalSortExpr>,
    schema: &SchemaRef,
) -> Result<Arc<AggregateFunctionExpr>> {
    let mut builder = AggregateExprBuilder::new(Arc::new(function), args)
        .schema(Arc::clone(schema))
        .alias(aggregate.name())
        .order_by(order)
        .with_distinct(aggregate.is_distinct())
        .with_ignore_nulls(aggregate.ignore_nulls())
        .with_reversed(aggregate.is_reversed());
    if let Some(shown) = aggregate.human_display() {
        builder = builder.human_display(shown);
    }
    if let Some(alias) = aggregate.human_display_alias() {
        builder = builder.human_display_alias(alias);
    }
    Ok(Arc::new(builder.build()?))
}

/// Whether an aggregation reads rows and answers, without a stage between.
pub(super) fn is_one_stage(aggregate: &AggregateExec) -> bool {
    matches!(aggregate.mode(), AggregateMode::Single | AggregateMode::SinglePartitioned)
}

/// Whether its rows come sorted by all keys as they are read, a user's in one partition: no operator brings rows together
/// that could be spared some.
pub(super) fn is_read_sorted(aggregate: &AggregateExec) -> bool {
    fn is_read(plan: &Arc<dyn ExecutionPlan>) -> bool {
        let passes_on = plan.is::<ProjectionExec>() || plan.is::<FilterExec>();
        plan.children().is_empty() || (passes_on && plan.children().into_iter().all(is_read))
    }
    let keeps_users_together = match aggregate.input().output_partitioning() {
        Partitioning::Hash(..) | Partitioning::Range(..) => true,
        other => other.partition_count() == 1,
    };
    keeps_users_together && *aggregate.input_order_mode() == InputOrderMode::Sorted && is_read(aggregate.input())
}

/// Whether the state of an aggregate is a log of the rows it saw.
fn keeps_log(aggregate: &AggregateFunctionExpr) -> bool {
    log_function(aggregate.fun()).is_some()
}

/// What the aggregation reads, each expression once.
struct Columns {
    exprs: Vec<ProjectionExpr>,
}

impl Columns {
    /// The column of an expression in the projection; a constant stays where it is.
    fn add(&mut self, expr: &Arc<dyn PhysicalExpr>, name: Option<&str>) -> Arc<dyn PhysicalExpr> {
        if expr.downcast_ref::<Literal>().is_some() {
            return Arc::clone(expr);
        }
        let index = self.exprs.iter().position(|column| column.expr.eq(expr)).unwrap_or_else(|| {
            let alias = match (name, expr.downcast_ref::<Column>()) {
                (Some(name), _) => name.to_string(),
                (None, Some(column)) => column.name().to_string(),
                (None, None) => expr.to_string(),
            };
            self.exprs.push(ProjectionExpr { expr: Arc::clone(expr), alias });
            self.exprs.len() - 1
        });
        Arc::new(Column::new(&self.exprs[index].alias, index))
    }
}
