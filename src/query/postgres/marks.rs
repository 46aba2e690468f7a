//! `EXISTS` and `IN (SELECT ...)` as values: in a select list, in CASE, in an aggregate.
//!
//! DataFusion plans them as conditions of WHERE only. Elsewhere each becomes a join that keeps every row once and adds
//! whether it has a match.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder, lit, when};
use datafusion::optimizer::decorrelate::PullUpCorrelatedExpr;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::error::{Error, SqlState};

/// The rule over plans.
#[derive(Debug)]
pub struct Marks;

impl OptimizerRule for Marks {
    fn name(&self) -> &str {
        "subqueries_as_marks"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !matches!(plan, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_))
            || !plan.expressions().iter().any(has_subquery)
        {
            return Ok(Transformed::no(plan));
        }
        let [input] = plan.inputs()[..] else { return Ok(Transformed::no(plan)) };
        let mut marked = Marked { input: input.clone(), config };
        let names = NamePreserver::new(&plan);
        let exprs = plan.expressions().into_iter().map(|expr| {
            let name = names.save(&expr);
            expr.transform(|expr| marked.replace(expr)).map(|expr| name.restore(expr.data))
        });
        let exprs = exprs.collect::<Result<Vec<Expr>>>()?;
        let input = marked.input;
        Ok(Transformed::yes(plan.with_new_exprs(exprs, vec![input])?))
    }
}

fn has_subquery(expr: &Expr) -> bool {
    // The search cannot fail.
    expr.exists(|expr| Ok(matches!(expr, Expr::Exists(_) | Expr::InSubquery(_)))).unwrap_or(false)
}

struct Marked<'a> {
    /// The rows, with the marks that were added so far.
    input: LogicalPlan,
    config: &'a dyn OptimizerConfig,
}

impl Marked<'_> {
    fn replace(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        match expr {
            Expr::Exists(Exists { subquery, negated }) => {
                let mark = self.mark(&subquery.subquery, None)?;
                Ok(Transformed::yes(if negated { !mark } else { mark }))
            }
            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                let is_in = self.is_in(*expr, &subquery.subquery)?;
                Ok(Transformed::yes(if negated { !is_in } else { is_in }))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// `x IN (q)` is NULL, where `x` is not found and is NULL itself, with any row in `q`, or where `q` has NULL in it.
    fn is_in(&mut self, value: Expr, subquery: &LogicalPlan) -> Result<Expr> {
        let Some(head) = subquery.head_output_expr()? else { return Err(unsupported()) };
        let found = self.mark(subquery, Some(value.clone().eq(head.clone())))?;
        let any_row = self.mark(subquery, None)?;
        let head = Expr::Column(Column::from(subquery.schema().qualified_field(0)));
        let nulls = LogicalPlanBuilder::from(subquery.clone()).filter(head.is_null())?.build()?;
        let any_null = self.mark(&nulls, None)?;
        let is_unknown = value.is_null().and(any_row).or(any_null);
        let unknown = Expr::Literal(ScalarValue::Boolean(None), None);
        Ok(found.or(when(is_unknown, unknown).otherwise(lit(false))?))
    }

    /// Joins the rows with a subquery; the column that says whether a row has a match.
    fn mark(&mut self, subquery: &LogicalPlan, equality: Option<Expr>) -> Result<Expr> {
        let alias = self.config.alias_generator().next("__mark");
        let mut pull_up = PullUpCorrelatedExpr::new()
            .with_exists_sub_query(equality.is_none())
            .with_in_predicate_opt(equality.clone());
        let inner = subquery.clone().rewrite(&mut pull_up)?.data;
        if !pull_up.can_pull_up {
            return Err(unsupported());
        }
        let head = inner.schema().field(0).name().clone();
        let inner = LogicalPlanBuilder::from(inner).alias(alias.as_str())?.build()?;
        let of_alias = |name: &str| Expr::Column(Column::new(Some(alias.clone()), name));
        let correlated: Vec<Column> = pull_up.correlated_subquery_cols_map.into_values().flatten().collect();
        let mut conditions = Vec::new();
        if let Some(Expr::BinaryExpr(equality)) = equality {
            conditions.push((*equality.left).eq(of_alias(&head)));
        }
        for condition in pull_up.join_filters {
            let renamed = condition.transform(|expr| match &expr {
                Expr::Column(column) if correlated.contains(column) => Ok(Transformed::yes(of_alias(&column.name))),
                _ => Ok(Transformed::no(expr)),
            })?;
            conditions.push(renamed.data);
        }
        let condition = conjunction(conditions).unwrap_or_else(|| lit(true));
        let input = std::mem::take(&mut self.input);
        self.input = LogicalPlanBuilder::from(input).join_on(inner, JoinType::LeftMark, Some(condition))?.build()?;
        Ok(of_alias("mark"))
    }
}

fn unsupported() -> datafusion::error::DataFusionError {
    let message = "a subquery that depends on the row in this way is only supported in WHERE";
    Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).into()
}

/// The rules of an optimizer, with this one before subqueries of WHERE become joins.
pub fn with_marks(mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let before = rules.iter().position(|rule| rule.name() == "decorrelate_predicate_subquery");
    rules.insert(before.unwrap_or(rules.len()), Arc::new(Marks));
    rules
}
