//! Where the operator takes the place of an aggregation and its exchange.

use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, InputOrderMode, Partitioning};

use super::exec::{Aggregation, Come, JourneyExec};
use super::flatten::FlattenExec;
use super::windows::JourneyWindowExec;
use crate::options::TributaryOptions;
use crate::physical::one_stage::{is_one_stage, rebuilt};
use crate::physical::pooled::pooled;
use crate::physical::replaced;
use crate::physical::show_work::counted_functions;
use crate::windows::user_window;

/// Lets `JourneyExec` do what a one-stage aggregation of a log function over a hash exchange does, `FlattenExec` what
/// an unnest of its lists does, and `JourneyWindowExec` what a window of one of our functions does.
///
/// Where the input comes sorted by all keys, with a user in one partition only, the exchange is none. Not where it is
/// sorted by some of them, and not where an aggregate needs its input in an order or has no accumulator for groups. Goes
/// after the rules of DataFusion, which know only the stock operators.
#[derive(Debug)]
pub struct Journeys;

impl PhysicalOptimizerRule for Journeys {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.journeys) {
            return Ok(plan);
        }
        let plan = replaced(plan, pooled)?;
        replaced(plan, |plan| {
            if plan.is::<UnnestExec>() {
                Ok(flattened(plan))
            } else if plan.is::<WindowAggExec>() {
                windows(plan)
            } else {
                journey(plan)
            }
        })
    }

    fn name(&self) -> &str {
        "tributary_journeys"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn journey(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let (keys, functions) = (aggregate.group_expr(), aggregate.aggr_expr());
    let is_eligible = is_one_stage(aggregate)
        && aggregate.limit_options().is_none()
        && !keys.is_empty()
        && keys.is_single()
        && functions.iter().all(|it| it.groups_accumulator_supported() && it.order_bys().is_empty());
    let source = match aggregate.input_order_mode() {
        InputOrderMode::Linear => unexchanged(aggregate).map(|input| (input, Come::Anyhow)),
        InputOrderMode::Sorted => key_orders(aggregate).map(|it| (Arc::clone(aggregate.input()), Come::Sorted(it))),
        InputOrderMode::PartiallySorted(_) => None,
    };
    let (true, Some((input, come))) = (is_eligible, source) else { return Ok(None) };
    let (functions, counters) = match counted_functions(aggregate)? {
        Some(counted) => counted,
        // What is asked of the visits of each user comes sorted by user and visit: runs are faster than a hash table.
        None if matches!(come, Come::Sorted(_)) && is_over_windows(&input) => (functions.to_vec(), Arc::default()),
        None => return Ok(None),
    };
    let filters = aggregate.filter_expr().to_vec();
    let aggregation = Aggregation { keys: keys.clone(), functions, filters, rows: None };
    let (aggregation, input) = match come {
        Come::Sorted(_) => without_filter(aggregation, input)?,
        Come::Anyhow => (aggregation, input),
    };
    Ok(Some(Arc::new(JourneyExec::new(aggregation, input, come, Arc::clone(plan.properties()), counters))))
}

/// In place of an unnest of one column of answers.
fn flattened(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
    let unnest = plan.downcast_ref::<UnnestExec>()?;
    // Between the two may stand a projection that names the columns.
    let projection = unnest.input().downcast_ref::<ProjectionExec>();
    let below = projection.map_or(unnest.input(), |projection| projection.input());
    below.downcast_ref::<JourneyExec>()?;
    FlattenExec::of(unnest).map(|flatten| Arc::new(flatten) as _)
}

/// In place of a window of users, if one of its functions is ours.
fn windows(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(window) = plan.downcast_ref::<WindowAggExec>() else { return Ok(None) };
    let is_ours = window.window_expr().iter().any(|expr| user_window(expr.as_ref()).is_some());
    let is_by_user = window.window_expr().first().is_some_and(|expr| !expr.partition_by().is_empty());
    match is_ours && is_by_user {
        true => Ok(Some(Arc::new(JourneyWindowExec::try_new(window)?))),
        false => Ok(None),
    }
}

/// Whether rows come from our windows, with nothing between that would change their order.
fn is_over_windows(input: &Arc<dyn ExecutionPlan>) -> bool {
    let is_between = input.is::<ProjectionExec>() || input.is::<FilterExec>();
    input.is::<JourneyWindowExec>() || (is_between && input.children().into_iter().all(is_over_windows))
}

/// How the input is sorted by each of the keys, if by all of them in the order in which they stand.
fn key_orders(aggregate: &AggregateExec) -> Option<Vec<SortOptions>> {
    let keys = aggregate.group_expr().input_exprs();
    let orders = aggregate.input().equivalence_properties().oeq_class();
    orders.iter().find_map(|order| {
        let is_by_keys = order.len() >= keys.len() && order.iter().zip(&keys).all(|(by, key)| by.expr.eq(key));
        is_by_keys.then(|| order.iter().take(keys.len()).map(|by| by.options).collect())
    })
}

/// The input below the exchange by the keys, or the one partition that needs none.
fn unexchanged(aggregate: &AggregateExec) -> Option<Arc<dyn ExecutionPlan>> {
    let input = aggregate.input();
    if let Some(exchange) = input.downcast_ref::<RepartitionExec>() {
        let Partitioning::Hash(by, _) = exchange.partitioning() else { return None };
        let keys = aggregate.group_expr().input_exprs();
        let is_by_keys = by.len() == keys.len() && by.iter().zip(&keys).all(|(by, key)| by.eq(key));
        return (is_by_keys && !exchange.preserve_order()).then(|| Arc::clone(exchange.input()));
    }
    if let Some(all) = input.downcast_ref::<CoalescePartitionsExec>() {
        return all.fetch().is_none().then(|| Arc::clone(all.input()));
    }
    (input.output_partitioning().partition_count() == 1).then(|| Arc::clone(input))
}

/// The aggregation with the condition of the filter below it, over what the filter reads.
///
/// A filter copies the columns of the rows it lets through, and most of a question's rows are never looked at again.
/// Only under columns: an expression might fail on a row that the filter keeps from it.
fn without_filter(
    aggregation: Aggregation,
    input: Arc<dyn ExecutionPlan>,
) -> Result<(Aggregation, Arc<dyn ExecutionPlan>)> {
    // Between the two may stand a projection that names the columns or puts them in another order.
    let named = input.downcast_ref::<ProjectionExec>();
    let filter = named.map_or(&input, |named| named.input()).downcast_ref::<FilterExec>();
    let Some(filter) = filter.filter(|filter| filter.fetch().is_none()) else {
        return Ok((aggregation, input));
    };
    let below = filter.input();
    let schema = below.schema();
    let moved = |expr: &Arc<dyn PhysicalExpr>| -> Option<Arc<dyn PhysicalExpr>> {
        let expr = match (named, expr.downcast_ref::<Column>()) {
            (Some(named), Some(column)) => &named.expr().get(column.index())?.expr,
            _ => expr,
        };
        if expr.is::<Literal>() {
            return Some(Arc::clone(expr));
        }
        let index = expr.downcast_ref::<Column>()?.index();
        let index = filter.projection().as_ref().map_or(Some(index), |shown| shown.get(index).copied())?;
        Some(Arc::new(Column::new(schema.field(index).name(), index)))
    };
    let keys = aggregation.keys.expr().iter().map(|(key, name)| Some((moved(key)?, name.clone())));
    let arguments = aggregation.functions.iter().map(|it| it.expressions().iter().map(moved).collect());
    let filters = aggregation.filters.iter().map(|it| it.as_ref().map_or(Some(None), |it| moved(it).map(Some)));
    let moved: (Option<Vec<_>>, Option<Vec<Vec<_>>>, Option<Vec<_>>) =
        (keys.collect(), arguments.collect(), filters.collect());
    let (Some(keys), Some(arguments), Some(filters)) = moved else { return Ok((aggregation, input)) };
    let functions = aggregation.functions.iter().zip(arguments);
    let functions = functions.map(|(it, arguments)| rebuilt(it, it.fun().clone(), arguments, vec![], &schema));
    let aggregation = Aggregation {
        keys: PhysicalGroupBy::new_single(keys),
        functions: functions.collect::<Result<_>>()?,
        filters,
        rows: Some(Arc::clone(filter.predicate())),
    };
    Ok((aggregation, Arc::clone(below)))
}
