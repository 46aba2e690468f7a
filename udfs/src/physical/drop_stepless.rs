//! Rows that meet no step go early, where nobody asks for users without a step.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::utils::{collect_columns, split_conjunction};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::one_stage::{is_one_stage, is_read_sorted};
use super::replaced;
use crate::funnel::Funnel;
use crate::options::TributaryOptions;

/// Under `WHERE level > 0`, or whatever a user without a step fails, drops rows without a step before the exchange. Without an
/// exchange the functions pass over such rows themselves.
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
        replaced(plan, drop_stepless)
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
    // Between the two may stand a projection that leaves keys out.
    let projection = filter.input().downcast_ref::<ProjectionExec>();
    let below = projection.map_or(filter.input(), |projection| projection.input());
    let Some(aggregate) = below.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(masks) = masks(aggregate) else { return Ok(None) };
    let Some(answers) = Answers::of_empty_group(aggregate, projection)? else { return Ok(None) };
    if !is_one_stage(aggregate) || is_read_sorted(aggregate) || !answers.are_refused_by(filter) {
        return Ok(None);
    }
    let zero: Arc<dyn PhysicalExpr> = Arc::new(Literal::new(ScalarValue::UInt64(Some(0))));
    let meets_a_step = masks
        .into_iter()
        .map(|mask| Arc::new(BinaryExpr::new(mask, Operator::NotEq, Arc::clone(&zero))) as Arc<dyn PhysicalExpr>)
        .reduce(|all, one| Arc::new(BinaryExpr::new(all, Operator::Or, one)));
    let Some(meets_a_step) = meets_a_step else { return Ok(None) };
    let rows = Arc::new(FilterExec::try_new(meets_a_step, Arc::clone(aggregate.input()))?);
    let mut input = replace_children_if_necessary(Arc::clone(below), vec![rows])?;
    if projection.is_some() {
        input = replace_children_if_necessary(Arc::clone(filter.input()), vec![input])?;
    }
    Ok(Some(replace_children_if_necessary(Arc::clone(plan), vec![input])?))
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

/// What the filter would see of a group without events.
struct Answers {
    row: RecordBatch,
    /// Columns that are answers, not keys.
    is_answer: Vec<bool>,
}

impl Answers {
    /// `None` if the projection computes, so that columns cannot be followed through it.
    fn of_empty_group(aggregate: &AggregateExec, projection: Option<&ProjectionExec>) -> Result<Option<Self>> {
        let schema = aggregate.schema();
        let key_count = aggregate.group_expr().expr().len();
        let shown: Option<Vec<usize>> = match projection {
            None => Some((0..schema.fields().len()).collect()),
            Some(projection) => {
                let columns = projection.expr().iter().map(|column| column.expr.downcast_ref::<Column>());
                columns.map(|column| column.map(Column::index)).collect()
            }
        };
        let Some(shown) = shown else { return Ok(None) };
        let (mut fields, mut columns, mut is_answer) = (vec![], vec![], vec![]);
        for index in shown {
            let field = schema.field(index);
            let answer = index.checked_sub(key_count).and_then(|index| aggregate.aggr_expr().get(index));
            // Keys are never read, so it does not matter that a key is NULL here.
            let value = match answer {
                Some(function) => function.default_value(field.data_type())?,
                None => ScalarValue::try_new_null(field.data_type())?,
            };
            columns.push(value.to_array()?);
            fields.push(field.clone().with_nullable(true));
            is_answer.push(answer.is_some());
        }
        let row = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Some(Self { row, is_answer }))
    }

    /// Whether some condition of the filter, on answers alone, is false or NULL for them.
    fn are_refused_by(&self, filter: &FilterExec) -> bool {
        for condition in split_conjunction(filter.predicate()) {
            let read = collect_columns(condition);
            let reads_answers_alone = !read.is_empty() && read.iter().all(|column| self.is_answer[column.index()]);
            if !reads_answers_alone || is_volatile(condition) {
                continue;
            }
            // A condition that fails on an empty group may never meet one; that is for the query to find out.
            let Ok(holds) = condition.evaluate(&self.row).and_then(|holds| holds.into_array(1)) else { continue };
            if holds.as_boolean_opt().is_some_and(|holds| holds.is_null(0) || !holds.value(0)) {
                return true;
            }
        }
        false
    }
}
