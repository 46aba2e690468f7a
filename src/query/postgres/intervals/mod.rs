//! Intervals compared as PostgreSQL compares them: by their length, with months of 30 days and days of 24 hours.
//!
//! The engine compares months first, then days, then time. So whatever compares an interval is given
//! `interval_order(x)` in its place, which is a number: operators, BETWEEN, IN, CASE, joins, ORDER BY, windows, GROUP BY,
//! DISTINCT and what is counted by it, `min`, `max`, `greatest`, `least`, `nullif`. The intervals themselves stay as they
//! are. A plan without intervals is not touched.

mod groups;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, JoinConstraint, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::expr::{
    AggregateFunction, Between, Case, InList, InSubquery, ScalarFunction, SetComparison, Sort, WindowFunction,
};
use datafusion::logical_expr::expr_rewriter::{FunctionRewrite, NamePreserver};
use datafusion::logical_expr::logical_plan::{Distinct, Subquery};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion::optimizer::AnalyzerRule;

use super::functions::{
    INTERVAL, holds_interval, interval_choice, interval_extreme, interval_nullif, interval_order, is_quantified,
    length_ns,
};
use super::interval_text;
use crate::error::{Error, SqlState};

/// The rule over plans whose types are known.
#[derive(Debug)]
struct ByLength;

/// Adds the rule after the one that decides the types of operands.
pub fn configure(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let rules = &mut builder.analyzer().get_or_insert_default().rules;
    let typed = rules.iter().position(|rule| rule.name() == "type_coercion").map_or(rules.len(), |index| index + 1);
    rules.insert(typed, Arc::new(ByLength));
    builder
}

impl AnalyzerRule for ByLength {
    fn name(&self) -> &str {
        "intervals_by_length"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let compared = plan.transform_up_with_subqueries(compare)?;
        if !compared.transformed {
            return Ok(compared.data);
        }
        // What a group shows may be NULL where the types above do not say so yet.
        Ok(compared.data.transform_up_with_subqueries(|plan| plan.recompute_schema().map(Transformed::yes))?.data)
    }
}

// ---- plans

fn compare(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = match plan.inputs().as_slice() {
        [] => Arc::new(DFSchema::empty()),
        [input] => Arc::clone(input.schema()),
        inputs => Arc::new(merge_schema(inputs)),
    };
    let names = NamePreserver::new(&plan);
    let plan = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let compared = expr.transform_up(|expr| compare_in(expr, &schema))?;
        Ok(if compared.transformed { compared.update_data(|expr| name.restore(expr)) } else { compared })
    })?;
    plan.transform_data(|plan| {
        let mut changed = false;
        let plan = match plan {
            LogicalPlan::Sort(mut sort) => {
                changed = order(&mut sort.expr, &schema);
                LogicalPlan::Sort(sort)
            }
            LogicalPlan::Join(mut join) => {
                for (left, right) in &mut join.on {
                    changed |= measure(left, join.left.schema()) | measure(right, join.right.schema());
                }
                if changed {
                    // USING names columns.
                    join.join_constraint = JoinConstraint::On;
                }
                LogicalPlan::Join(join)
            }
            LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
                for key in &mut distinct.on_expr {
                    changed |= measure(key, &schema);
                }
                changed |= distinct.sort_expr.as_mut().is_some_and(|keys| order(keys, &schema));
                LogicalPlan::Distinct(Distinct::On(distinct))
            }
            LogicalPlan::Distinct(Distinct::All(input)) => return groups::distinct(input),
            LogicalPlan::Aggregate(aggregate) => return groups::aggregate(aggregate),
            other => other,
        };
        Ok(Transformed::new_transformed(plan, changed))
    })
}

/// Puts the length of an interval into its place; whether it is one, or holds any.
fn measure(expr: &mut Expr, schema: &dyn ExprSchema) -> bool {
    // What cannot be resolved here fails where it is planned.
    let is_interval = expr.get_type(schema).is_ok_and(|data_type| holds_interval(&data_type));
    if is_interval {
        *expr = interval_order().call(vec![std::mem::take(expr)]);
    }
    is_interval
}

fn measure_all<'a>(exprs: impl IntoIterator<Item = &'a mut Expr>, schema: &DFSchema) -> bool {
    exprs.into_iter().fold(false, |changed, expr| measure(expr, schema) | changed)
}

fn order(keys: &mut [Sort], schema: &DFSchema) -> bool {
    measure_all(keys.iter_mut().map(|key| &mut key.expr), schema)
}

// ---- expressions

fn compare_in(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut expr = expr;
    let changed = match &mut expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
            measure(left, schema) | measure(right, schema)
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            measure_all([expr.as_mut(), low.as_mut(), high.as_mut()], schema)
        }
        Expr::InList(InList { expr, list, .. }) => {
            measure(expr, schema) && {
                measure_all(list, schema);
                true
            }
        }
        Expr::Case(Case { expr: Some(operand), when_then_expr, .. }) => {
            measure(operand, schema) && {
                measure_all(when_then_expr.iter_mut().map(|(when, _)| when.as_mut()), schema);
                true
            }
        }
        Expr::InSubquery(InSubquery { expr, subquery, .. })
        | Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
            measure(expr, schema) && {
                measure_rows(subquery)?;
                true
            }
        }
        Expr::AggregateFunction(call) => compare_in_aggregate(call, schema)?,
        Expr::WindowFunction(call) => compare_in_window(call, schema),
        Expr::ScalarFunction(_) => return compare_in_call(expr, schema),
        _ => false,
    };
    Ok(Transformed::new_transformed(expr, changed))
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

/// The lengths of the one column of a subquery, under its name.
fn measure_rows(subquery: &mut Subquery) -> Result<()> {
    let (qualifier, field) = subquery.subquery.schema().qualified_field(0);
    let column = Column::from((qualifier, field));
    let length = interval_order().call(vec![Expr::Column(column.clone())]);
    let length = length.alias_qualified(column.relation, column.name);
    let rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).project([length])?.build()?;
    subquery.subquery = Arc::new(rows);
    Ok(())
}

fn compare_in_aggregate(call: &mut AggregateFunction, schema: &DFSchema) -> Result<bool> {
    let mut changed = order(&mut call.params.order_by, schema);
    let [argument, ..] = call.params.args.as_mut_slice() else { return Ok(changed) };
    let Ok(data_type) = argument.get_type(schema) else { return Ok(changed) };
    if let Some(is_max) = extreme(call.func.name(), &data_type) {
        call.func = interval_extreme(is_max);
        changed = true;
    } else if call.params.distinct && holds_interval(&data_type) {
        if call.func.name() != "count" {
            let message = format!("{}(DISTINCT ...) of intervals is not supported", call.func.name());
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint("Select the distinct intervals in a subquery first.")
                .into());
        }
        changed |= measure_all(&mut call.params.args, schema);
    }
    Ok(changed)
}

fn compare_in_window(call: &mut WindowFunction, schema: &DFSchema) -> bool {
    let mut changed = measure_all(&mut call.params.partition_by, schema);
    changed |= order(&mut call.params.order_by, schema);
    let argument = call.params.args.first().and_then(|argument| argument.get_type(schema).ok());
    if let WindowFunctionDefinition::AggregateUDF(function) = &call.fun
        && let Some(is_max) = argument.and_then(|data_type| extreme(function.name(), &data_type))
    {
        call.fun = WindowFunctionDefinition::AggregateUDF(interval_extreme(is_max));
        changed = true;
    }
    changed
}

/// Whether an aggregate is `min` or `max` of intervals, and which.
fn extreme(name: &str, data_type: &DataType) -> Option<bool> {
    match name {
        "min" if *data_type == INTERVAL => Some(false),
        "max" if *data_type == INTERVAL => Some(true),
        _ => None,
    }
}

/// Functions that compare what they are given, and answer something else.
const COMPARING: [&str; 5] = ["array_has", "array_has_all", "array_has_any", "array_position", "array_positions"];

/// Functions that compare items of a list, and answer some of them.
const CHOOSING: [&str; 13] = [
    "array_distinct",
    "array_except",
    "array_intersect",
    "array_max",
    "array_min",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_replace",
    "array_replace_all",
    "array_replace_n",
    "array_sort",
    "array_union",
];

fn compare_in_call(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(mut call) = expr else { return Ok(Transformed::no(expr)) };
    let name = call.func.name();
    let is_listed = COMPARING.contains(&name) || CHOOSING.contains(&name) || is_quantified(name);
    if !is_listed && !matches!(name, "greatest" | "least" | "nullif") {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    let of_intervals = |arg: &Expr| arg.get_type(schema).is_ok_and(|data_type| holds_interval(&data_type));
    if !call.args.iter().any(of_intervals) {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    if CHOOSING.contains(&name) {
        let message = format!("{name} of intervals is not supported");
        return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message)
            .with_hint("Take the list apart with unnest, and make one with array_agg.")
            .into());
    }
    Ok(Transformed::yes(match name {
        "greatest" | "least" => {
            let function = interval_choice(name == "greatest");
            Expr::ScalarFunction(ScalarFunction::new_udf(function, call.args))
        }
        "nullif" => Expr::ScalarFunction(ScalarFunction::new_udf(interval_nullif(), call.args)),
        _ => {
            measure_all(&mut call.args, schema);
            Expr::ScalarFunction(call)
        }
    }))
}

// ---- before types are decided

/// Reads constants that stand beside intervals, and orders the rows of a window by the length of an interval.
///
/// The rule that decides types takes such a constant for a text, and has no types for a RANGE of intervals.
#[derive(Debug)]
pub struct Untyped;

impl FunctionRewrite for Untyped {
    fn name(&self) -> &str {
        "intervals"
    }

    fn rewrite(&self, mut expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let is_span = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Interval(_) | DataType::Duration(_)));
        let changed = match &mut expr {
            Expr::Between(Between { expr, low, high, .. }) => {
                is_text_constant(low) | is_text_constant(high) && is_span(expr) && read(low)? | read(high)?
            }
            Expr::InList(InList { expr, list, .. }) => {
                list.iter().any(is_text_constant)
                    && is_span(expr)
                    && list.iter_mut().map(read).collect::<Result<Vec<bool>>>()?.contains(&true)
            }
            _ => return order_by_length(expr, schema),
        };
        Ok(Transformed::new_transformed(expr, changed))
    }
}

fn is_text_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.try_as_str().is_some())
}

/// Reads a constant text as an interval in place; whether it is one.
pub fn read(expr: &mut Expr) -> Result<bool> {
    let Expr::Literal(value, _) = expr else { return Ok(false) };
    let Some(text) = value.try_as_str() else { return Ok(false) };
    let value = match text {
        Some(text) => ScalarValue::try_from_string(interval_text(text).into_owned(), &INTERVAL)?,
        None => ScalarValue::IntervalMonthDayNano(None),
    };
    *expr = Expr::Literal(value, None);
    Ok(true)
}

fn order_by_length(mut expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::WindowFunction(call) = &mut expr else { return Ok(Transformed::no(expr)) };
    let params = &mut call.params;
    let is_range = params.window_frame.units == WindowFrameUnits::Range;
    let [key, ..] = params.order_by.as_mut_slice() else { return Ok(Transformed::no(expr)) };
    match key.expr.get_type(schema) {
        Ok(DataType::Interval(_) | DataType::Duration(_)) if is_range => {}
        _ => return Ok(Transformed::no(expr)),
    }
    key.expr = interval_order().call(vec![std::mem::take(&mut key.expr)]);
    let frame = &mut params.window_frame;
    let bounds = (distance(&frame.start_bound)?, distance(&frame.end_bound)?);
    if let (Some(start), Some(end)) = bounds {
        *frame = WindowFrame::new_bounds(frame.units, start, end);
    }
    Ok(Transformed::yes(expr))
}

/// The bound of a frame as a length, in the form that a bound has while its type is open.
fn distance(bound: &WindowFrameBound) -> Result<Option<WindowFrameBound>> {
    let length = |value: &ScalarValue| -> Result<Option<ScalarValue>> {
        let Some(text) = value.try_as_str().flatten() else { return Ok(None) };
        let span = ScalarValue::try_from_string(interval_text(text).into_owned(), &INTERVAL)?;
        let ScalarValue::IntervalMonthDayNano(Some(span)) = span else { return Ok(None) };
        Ok(Some(ScalarValue::Utf8(Some(length_ns(span).to_string()))))
    };
    Ok(match bound {
        WindowFrameBound::CurrentRow => Some(WindowFrameBound::CurrentRow),
        WindowFrameBound::Preceding(value) if value.is_null() => Some(bound.clone()),
        WindowFrameBound::Following(value) if value.is_null() => Some(bound.clone()),
        WindowFrameBound::Preceding(value) => length(value)?.map(WindowFrameBound::Preceding),
        WindowFrameBound::Following(value) => length(value)?.map(WindowFrameBound::Following),
    })
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn each_operand_of_nullif_stays_one() {
        let builder = configure(SessionStateBuilder::new().with_default_features());
        let context = SessionContext::new_with_state(builder.build());
        let size = async |levels: usize| {
            let (open, close) = ("nullif(".repeat(levels), ", i)".repeat(levels));
            let sql = format!("SELECT {open}i{close} AS x FROM (SELECT INTERVAL '1 day' AS i) AS t");
            let state = context.state();
            let plan = state.create_logical_plan(&sql).await.unwrap();
            let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).unwrap();
            plan.display_indent().to_string().len()
        };
        assert!(size(12).await - size(11).await < 100);
    }
}
