//! Sums, differences and products of integers that do not fit: an error, where DataFusion's would wrap around.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable};

use super::functions::{IntegerOperation, integer_function};

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
