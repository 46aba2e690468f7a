//! Keys that `unnest` repeats are not unique.
//!
//! DataFusion keeps the functional dependencies of what goes into an unnest: above `SELECT user_id, unnest(list) AS s ...
//! GROUP BY user_id` it takes `user_id` for unique, adds `s` to `GROUP BY user_id`, and drops what else rows are told
//! apart, ordered or joined by (apache/datafusion, pull request 24787). [`ManyRows`] stands above such an unnest and says
//! nothing of keys.
//!
//! 1. It is put above every unnest, in each relation of FROM as soon as it is planned ([`super::relations`]), because the
//!    planner adds keys to GROUP BY from what it is told; and in the whole statement before it is optimized
//!    ([`ForgetRepeatedKeys`]), because ORDER BY and DISTINCT may stand beside the unnest. Also where there is no key yet:
//!    the optimizer makes groups of a DISTINCT below.
//! 2. Schemas above are made anew, so that no dependency is left over; names and types stay.
//! 3. Filters, columns and limits go through it.
//! 4. It is taken out before operators are chosen ([`Planner`]): no plan has one row of work more.
//! 5. An unnest over columns of an outer query is left alone, with the answers that DataFusion has for it. It turns such
//!    queries into joins by taking them apart, and does not look below a node that it does not know.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion, TreeNodeRewriter};
use datafusion::common::{DFSchema, DFSchemaRef, FunctionalDependencies, Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

/// The rows of its input, of which any key may have many.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ManyRows {
    input: LogicalPlan,
    /// The schema of the input, without functional dependencies.
    schema: DFSchemaRef,
}

impl ManyRows {
    fn over(input: LogicalPlan) -> Result<Self> {
        let schema = DFSchema::clone(input.schema()).with_functional_dependencies(FunctionalDependencies::empty())?;
        Ok(Self { input, schema: Arc::new(schema) })
    }

    /// The node, if a plan is one.
    fn of(plan: &LogicalPlan) -> Option<&Self> {
        let LogicalPlan::Extension(Extension { node }) = plan else { return None };
        node.as_any().downcast_ref()
    }
}

/// The schema follows from the input.
impl PartialOrd for ManyRows {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input).filter(|ordering| ordering.is_ne() || self == other)
    }
}

impl UserDefinedLogicalNodeCore for ManyRows {
    fn name(&self) -> &str {
        "ManyRows"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        HashSet::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("ManyRows")
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty() && exprs.is_empty()) {
            (Some(input), true) => Self::over(input),
            _ => internal_err!("ManyRows has one input and no expressions"),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }
}

/// Puts [`ManyRows`] above every unnest. A plan that has them stays as it is.
pub(super) fn forget_repeated_keys(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    plan.rewrite_with_subqueries(&mut Forget::default())
}

/// The way from the root of a plan to the node that is looked at.
#[derive(Default)]
struct Forget {
    above: Vec<Above>,
}

struct Above {
    is_many_rows: bool,
    is_changed_below: bool,
}

impl TreeNodeRewriter for Forget {
    type Node = LogicalPlan;

    fn f_down(&mut self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        self.above.push(Above { is_many_rows: ManyRows::of(&plan).is_some(), is_changed_below: false });
        Ok(Transformed::no(plan))
    }

    fn f_up(&mut self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let mut is_changed = self.above.pop().is_some_and(|this| this.is_changed_below);
        let mut plan = if is_changed { plan.recompute_schema()? } else { plan };
        if repeats_keys(&plan) && !self.above.last().is_some_and(|above| above.is_many_rows) {
            plan = LogicalPlan::Extension(Extension { node: Arc::new(ManyRows::over(plan)?) });
            is_changed = true;
        }
        if let Some(above) = self.above.last_mut() {
            above.is_changed_below |= is_changed;
        }
        Ok(Transformed::new_transformed(plan, is_changed))
    }
}

/// Whether a plan is an unnest, rule 5 apart.
fn repeats_keys(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Unnest(_)) && plan.all_out_ref_exprs().is_empty()
}

/// Forgets repeated keys in a whole statement.
#[derive(Debug)]
pub(super) struct ForgetRepeatedKeys;

impl AnalyzerRule for ForgetRepeatedKeys {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        forget_repeated_keys(plan).map(|plan| plan.data)
    }

    fn name(&self) -> &str {
        "tributary_forget_repeated_keys"
    }
}

/// Takes [`ManyRows`] out of a plan and lets the planner plan that was there before, or DataFusion's own.
#[derive(Debug)]
pub(super) struct Planner {
    pub planner: Option<Arc<dyn QueryPlanner + Send + Sync>>,
}

type PlanningFuture<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl QueryPlanner for Planner {
    fn create_physical_plan<'this, 'plan, 'session, 'future>(
        &'this self,
        logical_plan: &'plan LogicalPlan,
        session: &'session dyn Session,
    ) -> PlanningFuture<'future>
    where
        'this: 'future,
        'plan: 'future,
        'session: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let stripped = strip(logical_plan)?;
            let plan = stripped.as_ref().unwrap_or(logical_plan);
            match &self.planner {
                Some(planner) => planner.create_physical_plan(plan, session).await,
                None => DefaultPhysicalPlanner::default().create_physical_plan(plan, session).await,
            }
        })
    }
}

/// Lets a session that was [installed](super::install) plan nodes that are not DataFusion's: each planner is asked in turn.
pub fn plan_also(
    builder: SessionStateBuilder,
    planners: Vec<Arc<dyn ExtensionPlanner + Send + Sync>>,
) -> SessionStateBuilder {
    builder.with_query_planner(Arc::new(Planner { planner: Some(Arc::new(Extended { planners })) }))
}

/// DataFusion's planner, which asks others about nodes that it does not know.
struct Extended {
    planners: Vec<Arc<dyn ExtensionPlanner + Send + Sync>>,
}

impl fmt::Debug for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extended by {}", self.planners.len())
    }
}

impl QueryPlanner for Extended {
    fn create_physical_plan<'this, 'plan, 'session, 'future>(
        &'this self,
        logical_plan: &'plan LogicalPlan,
        session: &'session dyn Session,
    ) -> PlanningFuture<'future>
    where
        'this: 'future,
        'plan: 'future,
        'session: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let planner = DefaultPhysicalPlanner::with_extension_planners(self.planners.clone());
            planner.create_physical_plan(logical_plan, session).await
        })
    }
}

/// The plan without [`ManyRows`], if it has one. Schemas above stay as they are: they claim less.
fn strip(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let mut has_many_rows = false;
    plan.apply_with_subqueries(|plan| {
        has_many_rows = ManyRows::of(plan).is_some();
        Ok(if has_many_rows { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !has_many_rows {
        return Ok(None);
    }
    let stripped = plan.clone().transform_up_with_subqueries(|plan| {
        Ok(match ManyRows::of(&plan) {
            Some(node) => Transformed::yes(node.input.clone()),
            None => Transformed::no(plan),
        })
    })?;
    Ok(Some(stripped.data))
}
