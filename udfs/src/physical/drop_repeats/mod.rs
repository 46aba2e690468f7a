//! Rows of keys that came before go early, where it is only asked which keys there are.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode, replace_children_if_necessary};

mod exec;
mod seen;

use self::exec::DropRepeatsExec;
use self::seen::Seen;
use super::replaced;
use crate::options::TributaryOptions;

/// Puts an operator that knows which keys it saw below an aggregation by one whole number that computes nothing, as
/// `count(DISTINCT user_id)` and `SELECT DISTINCT user_id` have one.
///
/// A table of a million users is larger than a core's cache, so that nearly every row waits for memory. A bit for each
/// user is 125 KB, and rows of users that were seen end there. Where rows come sorted by the key the aggregation needs no
/// table, and nothing is done.
///
/// Goes after the rules that look for aggregations and what is below them, so that none has to look through the operator.
#[derive(Debug)]
pub struct DropRepeats;

impl PhysicalOptimizerRule for DropRepeats {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.drop_repeats) {
            return Ok(plan);
        }
        replaced(plan, drop_repeats)
    }

    fn name(&self) -> &str {
        "tributary_drop_repeats"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn drop_repeats(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let reads_rows =
        matches!(aggregate.mode(), AggregateMode::Partial | AggregateMode::Single | AggregateMode::SinglePartitioned);
    let groups = aggregate.group_expr();
    let [(key, _)] = groups.expr() else { return Ok(None) };
    let input = aggregate.input();
    let is_eligible = reads_rows
        && !groups.has_grouping_set()
        && aggregate.aggr_expr().is_empty()
        // It ends by itself after some keys.
        && aggregate.limit_options().is_none()
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        // A key that is drawn is another one in the aggregation.
        && !is_volatile(key)
        && Seen::is_for(&key.data_type(&input.schema())?);
    if !is_eligible {
        return Ok(None);
    }
    let first_rows = Arc::new(DropRepeatsExec::new(Arc::clone(input), Arc::clone(key)));
    replace_children_if_necessary(Arc::clone(plan), vec![first_rows]).map(Some)
}
