//! Totals of all users together, where nobody asks for those of each.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{NullHandling, Result, ScalarValue};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::one_stage::{is_one_stage, rebuilt};
use crate::attribution::Attribution;

/// What tells totals apart.
const LABELS: [&str; 2] = ["model", "channel"];
/// What is added up.
const SUMS: [&str; 2] = ["credit", "value"];

/// Lets `attribute_totals` add up the users of a pass itself, below an aggregation that only adds up what it answers.
///
/// That is the question of every report: credit by model and channel. A list for each user is then written, unnested,
/// hashed by two texts an element and added up; with this it is some dozens of elements a pass. Right because sums do
/// not care who is summed with whom, as long as nothing above reads users, or counts, or compares: every expression
/// there is over model and channel, but for sums of credit and value.
pub(super) fn pooled(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(sums) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(asked) = Asked::of(sums) else { return Ok(None) };
    let Some(input) = below(sums.input(), asked)? else { return Ok(None) };
    Ok(Some(replace_children_if_necessary(Arc::clone(plan), vec![input])?))
}

/// What is asked of totals, over some operator's columns.
struct Asked {
    labels: Vec<Arc<dyn PhysicalExpr>>,
    sums: Vec<Arc<dyn PhysicalExpr>>,
}

impl Asked {
    /// `None` where more is asked than sums by what may be a label.
    fn of(aggregate: &AggregateExec) -> Option<Self> {
        let adds_up = |function: &Arc<AggregateFunctionExpr>| {
            function.fun().name() == "sum" && !function.is_distinct() && function.order_bys().is_empty()
        };
        let reads_rows =
            aggregate.mode().input_mode() == datafusion::physical_plan::aggregates::AggregateInputMode::Raw;
        if !reads_rows || aggregate.aggr_expr().is_empty() || !aggregate.aggr_expr().iter().all(adds_up) {
            return None;
        }
        let keys = aggregate.group_expr().expr().iter().map(|(key, _)| Arc::clone(key));
        let labels = keys.chain(aggregate.filter_expr().iter().flatten().cloned()).collect();
        Some(Self { labels, sums: aggregate.aggr_expr().iter().flat_map(|it| it.expressions()).collect() })
    }

    /// The same over an operator's input, where its columns are these expressions.
    fn below(&self, columns: &[Arc<dyn PhysicalExpr>]) -> Result<Self> {
        let over = |expr: &Arc<dyn PhysicalExpr>| {
            let inlined = Arc::clone(expr).transform_down(|part| {
                let index = part.downcast_ref::<Column>().map(Column::index);
                Ok(match index.and_then(|index| columns.get(index)) {
                    Some(expr) => Transformed::new(Arc::clone(expr), true, TreeNodeRecursion::Jump),
                    None => Transformed::no(part),
                })
            });
            inlined.data()
        };
        Ok(Self {
            labels: self.labels.iter().map(over).collect::<Result<_>>()?,
            sums: self.sums.iter().map(over).collect::<Result<_>>()?,
        })
    }

    /// Whether all of it is asked of the elements in one column.
    fn is_of(&self, elements: usize) -> bool {
        self.labels.iter().all(|label| !is_volatile(label) && is_label(label, elements))
            && self.sums.iter().all(|sum| is_field(sum, elements, &SUMS))
    }
}

/// The operators from here down to the aggregation of totals, which pools its users; `None` where it may not.
fn below(plan: &Arc<dyn ExecutionPlan>, asked: Asked) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let input = if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let columns: Vec<_> = projection.expr().iter().map(|projected| Arc::clone(&projected.expr)).collect();
        below(projection.input(), asked.below(&columns)?)?
    } else if let Some(filter) = plan.downcast_ref::<FilterExec>().filter(|filter| filter.fetch().is_none()) {
        let fields = filter.input().schema();
        let shown = filter.projection().as_ref().map_or((0..fields.fields().len()).collect(), |shown| shown.to_vec());
        let columns = shown.iter().map(|&index| Arc::new(Column::new(fields.field(index).name(), index)) as _);
        let mut asked = asked.below(&columns.collect::<Vec<_>>())?;
        asked.labels.push(Arc::clone(filter.predicate()));
        below(filter.input(), asked)?
    } else if let Some(unnest) = plan.downcast_ref::<UnnestExec>() {
        match elements(unnest).filter(|elements| asked.is_of(*elements)) {
            Some(elements) => pooled_below(unnest.input(), elements)?,
            None => None,
        }
    } else {
        None
    };
    input.map(|input| replace_children_if_necessary(Arc::clone(plan), vec![input])).transpose()
}

/// The only column of lists that is unnested, if users without an element leave no row.
fn elements(unnest: &UnnestExec) -> Option<usize> {
    let [lists] = unnest.list_column_indices() else { return None };
    let is_plain = lists.depth == 1
        && unnest.struct_column_indices().is_empty()
        && unnest.options().null_handling == NullHandling::Drop;
    is_plain.then_some(lists.index_in_input_schema)
}

/// The aggregation that answers the lists in a column, with a function that pools them.
fn pooled_below(plan: &Arc<dyn ExecutionPlan>, lists: usize) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let column = projection.expr().get(lists).and_then(|it| it.expr.downcast_ref::<Column>());
        let Some(column) = column else { return Ok(None) };
        let input = pooled_below(projection.input(), column.index())?;
        return input.map(|input| replace_children_if_necessary(Arc::clone(plan), vec![input])).transpose();
    }
    let Some(users) = plan.downcast_ref::<AggregateExec>().filter(|aggregate| is_one_stage(aggregate)) else {
        return Ok(None);
    };
    let place = lists.checked_sub(users.group_expr().expr().len());
    let Some((place, totals)) = place.and_then(|place| Some((place, users.aggr_expr().get(place)?))) else {
        return Ok(None);
    };
    let function = totals.fun().inner().downcast_ref::<Attribution>();
    let Some(function) = function.and_then(Attribution::pooled) else { return Ok(None) };
    if users.limit_options().is_some() {
        return Ok(None);
    }
    let schema = users.input_schema();
    let mut functions = users.aggr_expr().to_vec();
    functions[place] = rebuilt(totals, function, totals.expressions().to_vec(), vec![], &schema)?;
    let (keys, filters) = (users.group_expr().clone(), users.filter_expr().to_vec());
    let users = AggregateExec::try_new(*users.mode(), keys, functions, filters, Arc::clone(users.input()), schema)?;
    // The operators above were made for these columns.
    Ok((users.schema() == plan.schema()).then(|| Arc::new(users) as _))
}

/// Whether an expression says the same of all elements of one model and channel.
fn is_label(expr: &Arc<dyn PhysicalExpr>, elements: usize) -> bool {
    is_field(expr, elements, &LABELS)
        || (!expr.is::<Column>() && expr.children().into_iter().all(|part| is_label(part, elements)))
}

/// Whether an expression is one of these fields of an element.
fn is_field(expr: &Arc<dyn PhysicalExpr>, elements: usize, names: &[&str]) -> bool {
    let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>().filter(|call| call.name() == "get_field") else {
        return false;
    };
    let [element, name] = call.args() else { return false };
    let is_element = element.downcast_ref::<Column>().is_some_and(|column| column.index() == elements);
    let name = name.downcast_ref::<Literal>().map(Literal::value);
    is_element && name.and_then(ScalarValue::try_as_str).flatten().is_some_and(|name| names.contains(&name))
}
