//! Planning that can be given up on.
//!
//! Planning is one long computation without an await, so dropping its task does not stop it. Between any two
//! rules stands one that looks whether somebody still waits for the plan.

use std::future::Future;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{AnalyzerRule, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, SqlState};

tokio::task_local! {
    /// The token of the statement that this task plans.
    static STOP: CancellationToken;
}

/// Plans what `planning` plans, until `stop`.
pub async fn plan_until<T>(stop: CancellationToken, planning: impl Future<Output = T>) -> T {
    STOP.scope(stop, planning).await
}

/// Whether nobody waits any more for what this task makes under [`plan_until`].
pub fn is_given_up() -> bool {
    STOP.try_with(CancellationToken::is_cancelled).unwrap_or(false)
}

/// Fails if the plan that this task makes is not wanted any more.
fn look() -> Result<()> {
    if is_given_up() {
        return Err(Error::new(SqlState::QUERY_CANCELED, "the statement was stopped while it was planned").into());
    }
    Ok(())
}

/// Puts a look between the rules of a state.
pub(super) fn between_rules(state: SessionState) -> SessionState {
    let analyzers: Vec<Arc<dyn AnalyzerRule + Send + Sync>> =
        state.analyzer().rules.iter().flat_map(|rule| [Arc::clone(rule), Arc::new(Look) as _]).collect();
    let optimizers: Vec<Arc<dyn OptimizerRule + Send + Sync>> =
        state.optimizers().iter().flat_map(|rule| [Arc::clone(rule), Arc::new(Look) as _]).collect();
    let physical: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> =
        state.physical_optimizers().iter().flat_map(|rule| [Arc::clone(rule), Arc::new(Look) as _]).collect();
    SessionStateBuilder::new_from_existing(state)
        .with_analyzer_rules(analyzers)
        .with_optimizer_rules(optimizers)
        .with_physical_optimizer_rules(physical)
        .build()
}

#[derive(Debug)]
struct Look;

impl AnalyzerRule for Look {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        look().map(|()| plan)
    }

    fn name(&self) -> &str {
        "still_wanted"
    }
}

impl OptimizerRule for Look {
    fn name(&self) -> &str {
        "still_wanted"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        look().map(|()| Transformed::no(plan))
    }
}

impl PhysicalOptimizerRule for Look {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        look().map(|()| plan)
    }

    fn name(&self) -> &str {
        "still_wanted"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn a_plan_that_nobody_wants_is_not_finished() {
        let state = between_rules(SessionContext::new().state());
        let stop = CancellationToken::new();
        let plan = async || state.create_logical_plan("SELECT 1 + 1").await.and_then(|plan| state.optimize(&plan));
        assert!(plan_until(stop.clone(), plan()).await.is_ok());
        stop.cancel();
        assert!(plan_until(stop, plan()).await.unwrap_err().to_string().contains("while it was planned"));
        assert!(plan().await.is_ok());
    }
}
