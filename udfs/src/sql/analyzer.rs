//! Puts the constants of our calls in place, once their parameters are bound.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use std::sync::Arc;

use crate::funnel;

/// Folds, judges and packs the arguments of every call whose parameters are bound.
///
/// Runs after coercion and before any file is opened. A plan that still has parameters is left for later.
#[derive(Debug)]
pub(super) struct ConfigureCalls;

impl AnalyzerRule for ConfigureCalls {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let config = Arc::new(config.clone());
        plan.transform_up_with_subqueries(|plan| {
            if !matches!(plan, LogicalPlan::Aggregate(_)) {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            plan.map_expressions(|expr| expr.transform_up(|expr| configure(expr, &schema, &config)))
        })
        .map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "tributary_configure_calls"
    }
}

fn configure(expr: Expr, schema: &DFSchema, config: &Arc<ConfigOptions>) -> Result<Transformed<Expr>> {
    let Expr::AggregateFunction(function) = expr else { return Ok(Transformed::no(expr)) };
    let fold = |expr| {
        let context =
            SimplifyContext::builder().with_schema(Arc::new(schema.clone())).with_config_options(Arc::clone(config));
        ExprSimplifier::new(context.build()).simplify(expr)
    };
    Ok(match funnel::configure(&function, schema, fold)? {
        Some(configured) => Transformed::yes(Expr::AggregateFunction(configured)),
        None => Transformed::no(Expr::AggregateFunction(function)),
    })
}
