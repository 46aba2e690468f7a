//! Rows that meet no step go early, where nobody asks for users without a step.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use datafusion::physical_expr::utils::{collect_columns, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use crate::funnel::Funnel;
use crate::options::TributaryOptions;

/// Under `WHERE level > 0`, or whatever a user without a step fails, drops rows without a step before the exchange.
///
/// Right because such rows change nothing but whether their user has a group, and a group of only such rows has the
/// answer of an empty one, which the condition above refuses. Not next to aggregates that read other rows, not with
/// modes for which a row without a step is an intruder. Goes after [`super::OneStage`].
#[derive(Debug)]
pub struct DropStepless;

impl PhysicalOptimizerRule for DropStepless {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.drop_stepless) {
            return Ok(plan);
        }
        plan.transform_up(|plan| {
            Ok(match drop_stepless(&plan)? {
                Some(plan) => Transformed::yes(plan),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "tributary_drop_stepless"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn drop_stepless(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else { return Ok(None) };
    let Some(aggregate) = filter.input().downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(masks) = masks(aggregate).filter(|masks| !masks.is_empty()) else { return Ok(None) };
    if *aggregate.mode() != AggregateMode::SinglePartitioned || !refuses_stepless(filter, aggregate)? {
        return Ok(None);
    }
    let zero: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(ScalarValue::UInt64(Some(0))));
    let meets_a_step = masks
        .into_iter()
        .map(|mask| Arc::new(BinaryExpr::new(mask, Operator::NotEq, Arc::clone(&zero))) as Arc<dyn PhysicalExpr>)
        .reduce(|all, one| Arc::new(BinaryExpr::new(all, Operator::Or, one)));
    let Some(meets_a_step) = meets_a_step else { return Ok(None) };
    let rows = Arc::new(FilterExec::try_new(meets_a_step, Arc::clone(aggregate.input()))?);
    let aggregate = replace_children_if_necessary(Arc::clone(filter.input()), vec![rows])?;
    Ok(Some(replace_children_if_necessary(Arc::clone(plan), vec![aggregate])?))
}

/// The masks that the aggregates read, each once, if masks and times are all they read.
fn masks(aggregate: &AggregateExec) -> Option<Vec<Arc<dyn PhysicalExpr>>> {
    let mut masks: Vec<Arc<dyn PhysicalExpr>> = vec![];
    for (function, filter) in aggregate.aggr_expr().iter().zip(aggregate.filter_expr()) {
        let funnel = function.fun().inner().downcast_ref::<Funnel>()?;
        if filter.is_some() || funnel.sees_all_rows() {
            return None;
        }
        let mask = function.expressions().get(1).cloned()?;
        if !masks.iter().any(|known| known.eq(&mask)) {
            masks.push(mask);
        }
    }
    Some(masks)
}

/// Whether some condition of the filter, on the answers alone, is false or NULL for the answers of an empty group.
fn refuses_stepless(filter: &FilterExec, aggregate: &AggregateExec) -> Result<bool> {
    let schema = aggregate.schema();
    let key_count = aggregate.group_expr().expr().len();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        let value = match index.checked_sub(key_count).and_then(|index| aggregate.aggr_expr().get(index)) {
            Some(function) => function.default_value(field.data_type())?,
            None => ScalarValue::try_new_null(field.data_type())?,
        };
        columns.push(value.to_array()?);
    }
    // Keys are not read below, so it does not matter that a key which is never NULL is given as one.
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let schema = Arc::new(datafusion::arrow::datatypes::Schema::new(fields));
    let empty_group = RecordBatch::try_new(schema, columns)?;
    for condition in split_conjunction(filter.predicate()) {
        let read = collect_columns(condition);
        let on_answers_alone = !read.is_empty() && read.iter().all(|column| column.index() >= key_count);
        if !on_answers_alone || condition.is_volatile_node() {
            continue;
        }
        let holds = condition.evaluate(&empty_group)?.into_array(1)?;
        if holds.as_boolean_opt().is_some_and(|holds| holds.is_null(0) || !holds.value(0)) {
            return Ok(true);
        }
    }
    Ok(false)
}
