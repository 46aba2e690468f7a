//! Spans of time: an interval times a number, and the fields of a difference of two times.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, Placeholder, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::functions::{interval_div, interval_mul, justify_hours};

/// Plans `interval * number`, `number * interval` and `interval / number`, which DataFusion does not compute.
#[derive(Debug)]
pub struct Spans;

impl ExprPlanner for Spans {
    fn plan_binary_op(&self, product: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
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

/// Takes fields of a difference of two times as PostgreSQL does: of days and time, fractions of seconds included.
#[derive(Debug)]
pub struct FieldsOfSpans;

impl FunctionRewrite for FieldsOfSpans {
    fn name(&self) -> &str {
        "fields_of_spans"
    }

    fn rewrite(&self, mut expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        if let Expr::ScalarFunction(ScalarFunction { func, args }) = &mut expr
            && func.name() == "date_part"
            && let [_, span] = args.as_mut_slice()
            && matches!(span.get_type(schema), Ok(DataType::Duration(_)))
        {
            *span = justify_hours().call(vec![std::mem::take(span)]);
            return Ok(Transformed::yes(expr));
        }
        Ok(Transformed::no(expr))
    }
}
