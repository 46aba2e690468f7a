//! Puts the constants of our calls in place, once their parameters are bound.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use crate::call;

/// Folds, judges and packs the arguments of every call whose parameters are bound.
///
/// Runs after coercion and before any file is opened. A plan that still has parameters is left for later.
#[derive(Debug)]
pub(super) struct ConfigureCalls;

impl AnalyzerRule for ConfigureCalls {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let config = Arc::new(config.clone());
        plan.transform_up_with_subqueries(|plan| {
            if !has_call(&plan)? {
                return Ok(Transformed::no(plan));
            }
            let schema = merge_schema(&plan.inputs());
            // A configured call has fewer arguments; columns above find it by the name it had.
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let configured = expr.transform_up(|expr| configure(expr, &schema, &config))?;
                Ok(if configured.transformed { configured.update_data(|expr| name.restore(expr)) } else { configured })
            })
        })
        .map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "tributary_configure_calls"
    }
}

/// Whether a node calls a function of ours: of most nodes nothing else is looked at.
fn has_call(plan: &LogicalPlan) -> Result<bool> {
    let mut has_call = false;
    plan.apply_expressions(|expr| {
        has_call = expr.exists(|expr| {
            Ok(match expr {
                Expr::AggregateFunction(call) => call::find(call.func.name()).is_some(),
                Expr::WindowFunction(call) => call::find(call.fun.name()).is_some(),
                Expr::ScalarFunction(call) => call::find(call.func.name()).is_some(),
                _ => false,
            })
        })?;
        Ok(if has_call { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(has_call)
}

fn configure(expr: Expr, schema: &DFSchema, config: &Arc<ConfigOptions>) -> Result<Transformed<Expr>> {
    let fold = |expr| {
        let context =
            SimplifyContext::builder().with_schema(Arc::new(schema.clone())).with_config_options(Arc::clone(config));
        ExprSimplifier::new(context.build()).simplify(expr)
    };
    let configured = match &expr {
        Expr::AggregateFunction(call) => call::configure_aggregate(call, schema, &fold)?.map(Expr::AggregateFunction),
        Expr::WindowFunction(call) => {
            call::configure_window(call, schema, &fold)?.map(|call| Expr::WindowFunction(Box::new(call)))
        }
        Expr::ScalarFunction(call) => call::configure_scalar(call, schema, &fold)?.map(Expr::ScalarFunction),
        _ => None,
    };
    Ok(configured.map_or_else(|| Transformed::no(expr), Transformed::yes))
}
