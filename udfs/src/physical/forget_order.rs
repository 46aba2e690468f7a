//! Sorted inputs are not merged where nobody asks for their order.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use super::replaced;

/// Lets a source that merges several inputs give their rows as they come, below an operator that neither asks for an
/// order nor keeps one.
///
/// Such a source says by [`ExecutionPlan::with_preserve_order`] that it can. Goes after the rule that decides which order
/// is asked for, and before two others: the one that tells ordered aggregates that their rows come in order, which is not
/// asked for then but trusted, and the one that brings projections to the scans, so that what was read for the order
/// alone is not read.
#[derive(Debug)]
pub struct ForgetOrder;

impl PhysicalOptimizerRule for ForgetOrder {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        replaced(plan, forgetting)
    }

    fn name(&self) -> &str {
        "tributary_forget_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn forgetting(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if plan.downcast_ref::<AggregateExec>().is_some_and(reads_in_order) {
        return Ok(None);
    }
    let (kept, asked) = (plan.maintains_input_order(), plan.required_input_ordering());
    let mut is_changed = false;
    let children = plan.children().into_iter().zip(kept.into_iter().zip(asked)).map(|(child, (is_kept, asked))| {
        match if is_kept || asked.is_some() { None } else { unordered(child)? } {
            Some(unordered) => {
                is_changed = true;
                Ok(unordered)
            }
            None => Ok(Arc::clone(child)),
        }
    });
    let children = children.collect::<Result<Vec<_>>>()?;
    if is_changed { replace_children_if_necessary(Arc::clone(plan), children).map(Some) } else { Ok(None) }
}

/// Whether some function of an aggregation gains by an order, and may have been told that it comes.
fn reads_in_order(aggregate: &AggregateExec) -> bool {
    aggregate.aggr_expr().iter().any(|function| !function.order_bys().is_empty())
}

/// The plan without the order of the source below its filters and projections; `None` if it merges nothing.
fn unordered(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if plan.is::<FilterExec>() || plan.is::<ProjectionExec>() {
        let [input] = plan.children()[..] else { return Ok(None) };
        let input = unordered(input)?;
        return input.map(|input| replace_children_if_necessary(Arc::clone(plan), vec![input])).transpose();
    }
    // A scan of its own would read files in another order, and gain nothing.
    Ok(if plan.children().len() > 1 { plan.with_preserve_order(false) } else { None })
}
