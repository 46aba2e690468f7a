//! Arithmetic that is an error or another number in PostgreSQL: sums, differences, products and negatives of integers
//! that do not fit, floats divided by zero, and numbers cast to integers, which are rounded and not cut.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, Operator};

use super::functions::{IntegerOperation, float_function, integer_function, integer_negate, to_whole};

/// Turns `+`, `-` and `*` of signed integers into functions that look whether the answer fits.
///
/// Two constants are computed at once, so that a long chain of them does not become a deep nest of calls.
#[derive(Debug)]
pub struct CheckedIntegers;

impl FunctionRewrite for CheckedIntegers {
    fn name(&self) -> &str {
        "checked_integers"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        let expr = match expr {
            Expr::Negative(operand) => return Ok(negated(operand, schema)),
            Expr::Cast(cast) => return Ok(rounded(cast, schema)),
            Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Divide | Operator::Modulo), right }) => {
                return Ok(divided(BinaryExpr { left, op, right }, schema));
            }
            other => other,
        };
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else { return Ok(Transformed::no(expr)) };
        let Some(operation) = IntegerOperation::of(*op) else { return Ok(Transformed::no(expr)) };
        // What cannot be resolved here fails where it is planned.
        let types = (left.get_type(schema), right.get_type(schema));
        let (Ok(left_type), Ok(right_type)) = types else { return Ok(Transformed::no(expr)) };
        let Some(wider) = wider(&left_type, &right_type) else { return Ok(Transformed::no(expr)) };
        if let (Expr::Literal(left, None), Expr::Literal(right, None)) = (left.as_ref(), right.as_ref()) {
            let value = operation.of_constants(&left.cast_to(&wider)?, &right.cast_to(&wider)?)?;
            return Ok(Transformed::yes(Expr::Literal(value, None)));
        }
        let Expr::BinaryExpr(BinaryExpr { left, right, .. }) = expr else { return Ok(Transformed::no(expr)) };
        let arguments = vec![widened(*left, left_type, &wider)?, widened(*right, right_type, &wider)?];
        Ok(Transformed::yes(integer_function(operation).call(arguments)))
    }
}

/// The negative of the smallest integer is none.
fn negated(operand: Box<Expr>, schema: &DFSchema) -> Transformed<Expr> {
    match operand.get_type(schema) {
        Ok(data_type) if data_type.is_signed_integer() && !matches!(operand.as_ref(), Expr::Literal(..)) => {
            Transformed::yes(integer_negate().call(vec![*operand]))
        }
        _ => Transformed::no(Expr::Negative(operand)),
    }
}

/// A float to an even whole number where two are as near, a numeric away from zero.
fn rounded(cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
    let has_fraction = |from: &DataType| from.is_floating() || from.is_decimal();
    match cast.expr.get_type(schema) {
        Ok(from) if has_fraction(&from) && cast.field.data_type().is_integer() => {
            let whole = Box::new(to_whole().call(vec![*cast.expr]));
            Transformed::yes(Expr::Cast(Cast { expr: whole, field: cast.field }))
        }
        _ => Transformed::no(Expr::Cast(cast)),
    }
}

/// A float divided by zero is an error, as it is for every other number.
fn divided(quotient: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
    let BinaryExpr { left, op, right } = quotient;
    let types = (left.get_type(schema), right.get_type(schema));
    let is_number = |data_type: &DataType| data_type.is_numeric();
    let is_float = match &types {
        (Ok(left), Ok(right)) => (left.is_floating() || right.is_floating()) && is_number(left) && is_number(right),
        _ => false,
    };
    let expr = BinaryExpr { left, op, right };
    let is_safe = matches!(expr.right.as_ref(), Expr::Literal(value, _) if !is_zero(value));
    match Expr::BinaryExpr(expr.clone()).get_type(schema) {
        Ok(data_type) if is_float && !is_safe && matches!(data_type, DataType::Float32 | DataType::Float64) => {
            let argument = |expr: Expr, from: &DataType| match from == &data_type {
                true => expr,
                false => Expr::Cast(Cast::new(Box::new(expr), data_type.clone())),
            };
            let (Ok(left_type), Ok(right_type)) = &types else { return Transformed::no(Expr::BinaryExpr(expr)) };
            let arguments = vec![argument(*expr.left, left_type), argument(*expr.right, right_type)];
            Transformed::yes(float_function(expr.op == Operator::Modulo).call(arguments))
        }
        _ => Transformed::no(Expr::BinaryExpr(expr)),
    }
}

fn is_zero(value: &ScalarValue) -> bool {
    value.is_null() || value.cast_to(&DataType::Float64).is_ok_and(|value| value == ScalarValue::Float64(Some(0.0)))
}

/// The type of the answer, as DataFusion has it: the wider of two signed integers.
fn wider(left: &DataType, right: &DataType) -> Option<DataType> {
    let is_wider = left.primitive_width()? >= right.primitive_width()?;
    (left.is_signed_integer() && right.is_signed_integer()).then(|| if is_wider { left.clone() } else { right.clone() })
}

fn widened(expr: Expr, from: DataType, to: &DataType) -> Result<Expr> {
    Ok(match expr {
        expr if from == *to => expr,
        Expr::Literal(value, None) => Expr::Literal(ScalarValue::cast_to(&value, to)?, None),
        expr => Expr::Cast(Cast::new(Box::new(expr), to.clone())),
    })
}
