//! How large the expressions of a plan become once the planner has put in what their columns stand for.
//!
//! A query of WITH, a subquery of FROM and a view give columns that are expressions of columns below. Rules of the
//! optimizer merge projections and push filters through them, so that the expressions of twenty short queries become
//! one that is as deep as all of them, and a filter on a column that each uses twice one of a million parts. A rule
//! cannot be interrupted: what would take one too long is refused before the first.
//!
//! Some rules write an operand twice as well: `x BETWEEN a AND b` becomes two comparisons, and `coalesce(x, y)` a CASE
//! that asks for `x` before it answers it. So a few dozen of them inside each other count as what they become.

use std::cell::LazyCell;
use std::collections::HashMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Between, Case};
use datafusion::logical_expr::utils::{grouping_set_to_exprlist, merge_schema};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::errors;
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// What stands behind a column: nothing more than itself, or an expression that rules put in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weight {
    /// Levels from its top to its deepest part.
    depth: f64,
    /// Its parts.
    parts: f64,
}

const PLAIN: Weight = Weight { depth: 1.0, parts: 1.0 };

impl Weight {
    fn max(self, other: Self) -> Self {
        Self { depth: self.depth.max(other.depth), parts: self.parts.max(other.parts) }
    }

    /// So many of them.
    fn times(self, copies: f64) -> Self {
        Self { parts: self.parts * copies, ..self }
    }

    /// The same where each of its columns is read once.
    fn read_once(self) -> Self {
        Self { parts: self.parts.min(self.depth), ..self }
    }

    /// What rules may do with an expression of so many parts, which lie evenly below its top, see
    /// [`limits::EXPRESSION_WORK`]; there are `above` levels above it.
    fn work(self, above: f64) -> f64 {
        if self.depth <= 0.0 {
            return 0.0;
        }
        self.parts * ((above + self.depth).powi(4) - above.powi(4)) / (4.0 * self.depth)
    }
}

/// The columns of a plan by name. Two of one name are the heavier one: that only makes the guess larger.
type Columns = HashMap<String, Weight>;

/// Fails with 54001 if an expression of the plan would be deeper than [`limits::EXPRESSION_DEPTH`] once the columns it
/// reads are put in, or if all of them together are more than [`limits::EXPRESSION_WORK`].
///
/// Costs a walk of the plan, whose steps have been counted before.
pub(super) fn check(plan: &LogicalPlan, source: &str) -> Result<()> {
    let mut account = Account { work: 0.0 };
    let given = account.columns(plan, source)?;
    account.work += given.values().map(|column| column.read_once().work(0.0)).sum::<f64>();
    account.judge().map_err(|e| errors::from_datafusion(&e, source))
}

struct Account {
    work: f64,
}

/// Where the expression behind a column counts that an expression reads.
#[derive(Clone, Copy)]
enum PutIn {
    Nothing,
    /// A projection that reads a column twice is not merged with the one that makes it.
    Once,
    Everywhere,
}

impl Account {
    /// The weights of a plan's columns; what the plan's own expressions take is added to the account.
    fn columns(&mut self, plan: &LogicalPlan, source: &str) -> Result<Columns> {
        let mut below = vec![];
        for input in plan.inputs() {
            below.push(self.columns(input, source)?);
        }
        self.columns_over(plan, below, source)
    }

    /// The same over inputs whose columns are known; it has room of its own on the stack, which each step of a plan needs
    /// only once.
    #[inline(never)]
    fn columns_over(&mut self, plan: &LogicalPlan, below: Vec<Columns>, source: &str) -> Result<Columns> {
        // By position: the branches of a UNION have names of their own.
        let by_place = matches!(plan, LogicalPlan::Union(_)).then(|| union(plan, &below));
        let mut read = Columns::new();
        for columns in below {
            for (name, weight) in columns {
                read.entry(name).and_modify(|known| *known = known.max(weight)).or_insert(weight);
            }
        }
        let put_in = match plan {
            // What projections read is counted where their own columns are read in the end.
            LogicalPlan::Projection(_) => PutIn::Nothing,
            // Filters are pushed through whatever makes their columns, and so is what joins and sorts learn.
            LogicalPlan::Filter(_) | LogicalPlan::Join(_) | LogicalPlan::Sort(_) => PutIn::Everywhere,
            _ => PutIn::Once,
        };
        let failed = |e| errors::from_datafusion(&e, source);
        let schema = LazyCell::new(|| merge_schema(&plan.inputs()));
        let is_condition = |expr: &Expr| matches!(expr.get_type(&*schema), Ok(DataType::Boolean));
        let mut weights = vec![];
        let mut subqueries = vec![];
        plan.apply_expressions(|expr| {
            weights.push(self.weigh(expr, (&read, &is_condition), put_in, &mut subqueries)?);
            Ok(TreeNodeRecursion::Continue)
        })
        .map_err(failed)?;
        for subquery in subqueries {
            self.columns(&subquery, source)?;
        }
        if let Some(columns) = by_place {
            return Ok(columns);
        }
        Ok(given(plan, &weights, read))
    }

    /// Adds an expression to the account.
    fn weigh(
        &mut self,
        expr: &Expr,
        (read, is_condition): (&Columns, &dyn Fn(&Expr) -> bool),
        put_in: PutIn,
        subqueries: &mut Vec<LogicalPlan>,
    ) -> datafusion::error::Result<Weight> {
        let mut weight = Weight { depth: 0.0, parts: 0.0 };
        let mut open = vec![(expr, 0.0, 1.0)];
        while let Some((expr, above, copies)) = open.pop() {
            match expr {
                Expr::ScalarSubquery(subquery) => subqueries.push(LogicalPlan::clone(&subquery.subquery)),
                Expr::Exists(exists) => subqueries.push(LogicalPlan::clone(&exists.subquery.subquery)),
                Expr::InSubquery(within) => subqueries.push(LogicalPlan::clone(&within.subquery.subquery)),
                Expr::SetComparison(compared) => subqueries.push(LogicalPlan::clone(&compared.subquery.subquery)),
                _ => {}
            }
            // A name for an expression is no level of it.
            let own = match expr {
                Expr::Column(column) => read.get(&column.name).copied().unwrap_or(PLAIN),
                Expr::Alias(_) => Weight { depth: 0.0, parts: 0.0 },
                _ => PLAIN,
            };
            weight.depth = weight.depth.max(above + own.depth);
            weight.parts += own.times(copies).parts;
            self.work += match (put_in, expr) {
                (PutIn::Nothing, Expr::Column(_)) => PLAIN,
                (PutIn::Once, _) => own.read_once(),
                _ => own,
            }
            .times(copies)
            .work(above);
            let mut place = 0;
            expr.apply_children(|child| {
                open.push((child, above + own.depth, copies * copies_of(expr, place, is_condition)));
                place += 1;
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if weight.depth > limits::EXPRESSION_DEPTH as f64 + 1.0 {
            let depth = limits::EXPRESSION_DEPTH;
            let message = format!("an expression is nested deeper than {depth} levels");
            return Err(too_complex(message).into());
        }
        self.judge().map(|()| weight)
    }

    fn judge(&self) -> datafusion::error::Result<()> {
        if self.work <= limits::EXPRESSION_WORK {
            return Ok(());
        }
        Err(too_complex("the expressions of the statement are too large to be planned".to_owned()).into())
    }
}

/// How often rules write an operand of an expression.
fn copies_of(expr: &Expr, place: usize, is_condition: &dyn Fn(&Expr) -> bool) -> f64 {
    match expr {
        Expr::Between(Between { .. }) if place == 0 => 2.0,
        Expr::ScalarFunction(call)
            if matches!(call.name(), "coalesce" | "nvl" | "ifnull" | "nvl2") && place + 1 < call.args.len() =>
        {
            2.0
        }
        // A condition with a few branches is written with AND and OR: each branch asks also that none before it held.
        Expr::Case(Case { expr: None, when_then_expr, .. })
            if when_then_expr.len() < 3
                && place < 2 * when_then_expr.len()
                && place.is_multiple_of(2)
                && is_condition(&when_then_expr[0].1) =>
        {
            3.0
        }
        _ => 1.0,
    }
}

fn too_complex(message: String) -> Error {
    Error::new(SqlState::STATEMENT_TOO_COMPLEX, message)
        .with_detail("What columns of WITH queries, subqueries and views stand for is counted where they are used.")
        .with_hint("Keep what is built up in many steps as a table.")
}

/// The columns that a plan gives, of which `weights` are its expressions.
fn given(plan: &LogicalPlan, weights: &[Weight], read: Columns) -> Columns {
    let named = |schema: &DFSchema, weights: &[Weight]| {
        let names = schema.fields().iter().map(|field| field.name().clone());
        names.zip(weights.iter().copied().chain(std::iter::repeat(PLAIN))).collect::<Columns>()
    };
    match plan {
        LogicalPlan::Projection(projection) => named(&projection.schema, weights),
        // A group's keys are put in where a filter goes below it; what is computed of the group is a value.
        LogicalPlan::Aggregate(aggregate) => {
            let keys = grouping_set_to_exprlist(&aggregate.group_expr).map_or(0, |keys| keys.len());
            let is_plain = keys == aggregate.group_expr.len();
            let keys = if is_plain { &weights[..keys.min(weights.len())] } else { &[] };
            named(&aggregate.schema, keys)
        }
        LogicalPlan::Values(values) => named(&values.schema, &[]),
        LogicalPlan::TableScan(scan) => named(&scan.projected_schema, &[]),
        // All others hand on what they read; a column of their own is a value.
        _ => plan
            .schema()
            .fields()
            .iter()
            .map(|field| (field.name().clone(), read.get(field.name()).copied().unwrap_or(PLAIN)))
            .collect(),
    }
}

/// The columns of a UNION: each the heaviest of its branches.
fn union(plan: &LogicalPlan, below: &[Columns]) -> Columns {
    let heaviest = |place: usize| {
        let weights = plan.inputs().into_iter().zip(below).filter_map(|(input, columns)| {
            let fields = input.schema().fields();
            columns.get(fields.get(place)?.name()).copied()
        });
        weights.fold(PLAIN, Weight::max)
    };
    plan.schema().fields().iter().enumerate().map(|(place, field)| (field.name().clone(), heaviest(place))).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn state(text: &str) -> Option<SqlState> {
        let context = SessionContext::new();
        context.sql("CREATE TABLE t AS SELECT 1 AS x, 2 AS y").await.unwrap();
        let plan = context.state().create_logical_plan(text).await.unwrap();
        check(&plan, text).err().map(|error| error.state)
    }

    /// Queries of WITH, each of which makes `x` of the `x` before it.
    fn steps(count: usize, x: &str, last: &str) -> String {
        let steps: Vec<String> = (1..=count).map(|n| format!("c{n} AS (SELECT {x} AS x FROM c{})", n - 1)).collect();
        format!("WITH c0 AS (SELECT x FROM t), {} {}", steps.join(", "), last.replace('#', &format!("c{count}")))
    }

    #[tokio::test]
    async fn depth_adds_up_along_queries_that_read_each_other() {
        let levels = limits::EXPRESSION_DEPTH / 10;
        let ten = format!("x{}", " + 1".repeat(10));
        assert_eq!(state(&steps(levels - 1, &ten, "SELECT x FROM #")).await, None);
        let too_deep = Some(SqlState::STATEMENT_TOO_COMPLEX);
        assert_eq!(state(&steps(levels + 1, &ten, "SELECT x FROM #")).await, too_deep);
        let derived = (0..=levels).fold("t".to_owned(), |from, _| format!("(SELECT {ten} AS x FROM {from}) AS t"));
        assert_eq!(state(&format!("SELECT x FROM {derived}")).await, too_deep);
        assert_eq!(state(&steps(levels + 1, &ten, "SELECT 1 UNION ALL SELECT x FROM #")).await, too_deep);
    }

    #[tokio::test]
    async fn what_is_computed_of_a_group_is_a_value_and_its_key_is_not() {
        let steps_of = |x: &str| steps(limits::EXPRESSION_DEPTH, x, "SELECT x FROM #");
        assert_eq!(state(&steps_of("x")).await, None);
        let groups = |x: &str| {
            let many = limits::EXPRESSION_DEPTH + 10;
            let groups: Vec<String> =
                (1..=many).map(|n| format!("c{n} AS (SELECT {x} AS x FROM c{} GROUP BY x + 1)", n - 1)).collect();
            format!("WITH c0 AS (SELECT x FROM t), {} SELECT x FROM c{many}", groups.join(", "))
        };
        assert_eq!(state(&groups("x + 1")).await, Some(SqlState::STATEMENT_TOO_COMPLEX));
        assert_eq!(state(&groups("max(x)")).await, None);
    }

    #[tokio::test]
    async fn what_rules_write_twice_counts_twice() {
        let nested = |open: &str, close: &str, levels: usize| {
            format!("SELECT {}x{} FROM t", open.repeat(levels), close.repeat(levels))
        };
        for (open, close) in [
            ("CAST(", " BETWEEN 0 AND 1 AS int)"),
            ("CAST(", " NOT BETWEEN 0 AND 1 AS int)"),
            ("coalesce(", ", 1)"),
            ("nvl2(", ", 1, 2)"),
            ("CAST(CASE WHEN ", " > 1 THEN y > 2 ELSE y > 3 END AS int)"),
        ] {
            assert_eq!(state(&nested(open, close, 5)).await, None, "{open}#{close}");
            let refused = Some(SqlState::STATEMENT_TOO_COMPLEX);
            assert_eq!(state(&nested(open, close, 20)).await, refused, "{open}#{close}");
        }
        for (open, close) in [("coalesce(1, ", ")"), ("CASE WHEN x > 1 THEN y ELSE ", " END"), ("abs(", ")")] {
            assert_eq!(state(&nested(open, close, 20)).await, None, "{open}#{close}");
        }
    }

    #[tokio::test]
    async fn what_is_used_twice_by_each_counts_twice() {
        assert_eq!(state(&steps(8, "x * x", "SELECT x FROM # WHERE x > 1")).await, None);
        for pushed in
            ["SELECT x FROM # WHERE x > 1", "SELECT x FROM # ORDER BY x LIMIT 1", "SELECT 1 FROM # JOIN t ON #.x = y"]
        {
            assert_eq!(state(&steps(30, "x * x", pushed)).await, Some(SqlState::STATEMENT_TOO_COMPLEX), "{pushed}");
        }
        assert_eq!(state(&steps(30, "x * x", "SELECT x FROM #")).await, None);
    }
}
