//! Rows that are no touch, conversion or milestone go early, where nobody asks for users without them.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNotNullExpr, Literal};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::one_stage::{is_one_stage, is_read_sorted};
use super::replaced;
use crate::attribution::Attribution;
use crate::options::TributaryOptions;

/// Where the lists of attributions are unnested, drops the rows that no list needs before the exchange. Without an exchange
/// the functions pass over such rows themselves.
///
/// Right because such rows change nothing but whether their user has a group, and a group of only such rows has an
/// empty list, of which unnest makes no row. Not next to aggregates that read other rows, not where another list is
/// unnested beside them. Goes after [`super::OneStage`].
#[derive(Debug)]
pub struct DropTouchless;

impl PhysicalOptimizerRule for DropTouchless {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.drop_stepless) {
            return Ok(plan);
        }
        replaced(plan, drop_touchless)
    }

    fn name(&self) -> &str {
        "tributary_drop_touchless"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn drop_touchless(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(unnest) = plan.downcast_ref::<UnnestExec>() else { return Ok(None) };
    // Between the two may stand a projection that names the columns.
    let projection = unnest.input().downcast_ref::<ProjectionExec>();
    let below = projection.map_or(unnest.input(), |projection| projection.input());
    let Some(aggregate) = below.downcast_ref::<AggregateExec>() else { return Ok(None) };
    if !is_one_stage(aggregate) || is_read_sorted(aggregate) || !unnests_answers(unnest, projection, aggregate) {
        return Ok(None);
    }
    let Some(is_needed) = is_needed(aggregate)? else { return Ok(None) };
    let rows = Arc::new(FilterExec::try_new(is_needed, Arc::clone(aggregate.input()))?);
    let mut input = replace_children_if_necessary(Arc::clone(below), vec![rows])?;
    if projection.is_some() {
        input = replace_children_if_necessary(Arc::clone(unnest.input()), vec![input])?;
    }
    Ok(Some(replace_children_if_necessary(Arc::clone(plan), vec![input])?))
}

/// Whether every list that is unnested is an answer of the aggregation, and there is one.
fn unnests_answers(unnest: &UnnestExec, projection: Option<&ProjectionExec>, aggregate: &AggregateExec) -> bool {
    let key_count = aggregate.group_expr().expr().len();
    let is_answer = |index: usize| match projection {
        None => index >= key_count,
        Some(projection) => {
            let column = projection.expr().get(index).and_then(|column| column.expr.downcast_ref::<Column>());
            column.is_some_and(|column| column.index() >= key_count)
        }
    };
    let lists = unnest.list_column_indices();
    !lists.is_empty() && lists.iter().all(|list| is_answer(list.index_in_input_schema))
}

/// Whether a row can change an answer, if all aggregates are attributions of all rows.
fn is_needed(aggregate: &AggregateExec) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let mut reasons: Vec<Arc<dyn PhysicalExpr>> = vec![];
    for (function, filter) in aggregate.aggr_expr().iter().zip(aggregate.filter_expr()) {
        let attribution = function.fun().inner().downcast_ref::<Attribution>();
        let Some(is_touch_by_channel) = attribution.and_then(Attribution::is_touch_by_channel) else { return Ok(None) };
        let (args, None) = (function.expressions(), filter) else { return Ok(None) };
        let [_, mask, channel, ..] = args.as_slice() else { return Ok(None) };
        let zero = Arc::new(Literal::new(ScalarValue::UInt64(Some(0))));
        let mut given: Vec<Arc<dyn PhysicalExpr>> =
            vec![Arc::new(BinaryExpr::new(Arc::clone(mask), Operator::NotEq, zero))];
        if is_touch_by_channel {
            given.push(Arc::new(IsNotNullExpr::new(Arc::clone(channel))));
        }
        for reason in given {
            if !reasons.iter().any(|known| known.eq(&reason)) {
                reasons.push(reason);
            }
        }
    }
    Ok(reasons.into_iter().reduce(|all, one| Arc::new(BinaryExpr::new(all, Operator::Or, one))))
}
