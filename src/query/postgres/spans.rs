//! Spans of time: an interval times a number, and a date with an interval.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions::{WALL, interval_div, interval_mul, justify_hours};
use super::intervals;

/// Plans `interval * number`, `number * interval` and `interval / number`, which DataFusion does not compute, and
/// `date + interval` and `date - interval`, which are no dates. Reads constants that are compared with intervals.
#[derive(Debug)]
pub struct Spans;

impl ExprPlanner for Spans {
    fn plan_binary_op(&self, product: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if matches!(product.op, BinaryOperator::Plus | BinaryOperator::Minus) {
            return Ok(PlannerResult::Original(day_and_span(product, schema)));
        }
        if is_comparison(&product.op) {
            return compared(product, schema);
        }
        let is_product = matches!(product.op, BinaryOperator::Multiply);
        if !is_product && !matches!(product.op, BinaryOperator::Divide) {
            return Ok(PlannerResult::Original(product));
        }
        let (left, right) = (product.left.get_type(schema), product.right.get_type(schema));
        let (Ok(left), Ok(right)) = (left, right) else { return Ok(PlannerResult::Original(product)) };
        let RawBinaryExpr { left: first, right: second, op } = product;
        let (span, factor) = if is_span(&left) && is_factor(&right) {
            (days_and_time(first, &left), second)
        } else if is_product && is_factor(&left) && is_span(&right) {
            (days_and_time(second, &right), first)
        } else {
            return Ok(PlannerResult::Original(RawBinaryExpr { op, left: first, right: second }));
        };
        let factor = match factor {
            // As in PostgreSQL, what an interval is multiplied with is a double where nothing else is said.
            Expr::Placeholder(Placeholder { id, field: None }) => {
                let field = Field::new(id.as_str(), DataType::Float64, true);
                Expr::Placeholder(Placeholder { id, field: Some(field.into()) })
            }
            factor => Expr::Cast(Cast::new(Box::new(factor), DataType::Float64)),
        };
        let function = if is_product { interval_mul() } else { interval_div() };
        Ok(PlannerResult::Planned(function.call(vec![span, factor])))
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// A constant text that is compared with an interval is one.
fn compared(mut comparison: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
    let is_span = |expr: &Expr| expr.get_type(schema).is_ok_and(|data_type| is_span(&data_type));
    match (&comparison.left, &comparison.right) {
        (left, Expr::Literal(text, _)) if text.try_as_str().is_some() && is_span(left) => {
            intervals::read(&mut comparison.right)?;
        }
        (Expr::Literal(text, _), right) if text.try_as_str().is_some() && is_span(right) => {
            intervals::read(&mut comparison.left)?;
        }
        _ => {}
    }
    Ok(PlannerResult::Original(comparison))
}

/// A date and an interval are a time of a day, though the interval may be of whole days.
fn day_and_span(mut sum: RawBinaryExpr, schema: &DFSchema) -> RawBinaryExpr {
    let (Ok(left), Ok(right)) = (sum.left.get_type(schema), sum.right.get_type(schema)) else { return sum };
    let is_date = |data_type: &DataType| matches!(data_type, DataType::Date32 | DataType::Date64);
    let is_interval = |data_type: &DataType| matches!(data_type, DataType::Interval(_));
    let midnight = |date: Expr| Expr::Cast(Cast::new(Box::new(date), WALL));
    if is_date(&left) && is_interval(&right) {
        sum.left = midnight(sum.left);
    } else if is_interval(&left) && is_date(&right) && sum.op == BinaryOperator::Plus {
        sum.right = midnight(sum.right);
    }
    sum
}

fn is_span(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// A number, or a parameter that may be one.
fn is_factor(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_null()
}

/// The difference of two times is days and time, as everywhere where it is shown.
fn days_and_time(span: Expr, data_type: &DataType) -> Expr {
    match data_type {
        DataType::Duration(_) => justify_hours().call(vec![span]),
        _ => span,
    }
}
