//! From the call as written to the call as run: the expression compiled once for the whole plan.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::args;
use super::tester::Tester;
use super::udf::{Expression, TagMatch};
use crate::call::{self, Fold};

/// The function with its expression compiled; `None` while there is nothing to do: another function, one that is
/// configured already, or one whose constants wait for parameters.
///
/// The arguments stay as they are, so that plans show the call as it was written.
///
/// # Errors
/// A [`UserError`](crate::UserError) that names the argument.
pub(crate) fn configure(call: &ScalarFunction, schema: &DFSchema, fold: Fold) -> Result<Option<ScalarFunction>> {
    if !call.func.inner().downcast_ref::<TagMatch>().is_some_and(TagMatch::is_written) {
        return Ok(None);
    }
    let types = call.args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    args::check_types(&types)?;
    if call.args[args::EXPRESSION..].iter().any(call::has_placeholder) {
        return Ok(None);
    }
    configured(&call.args, fold).map(Some)
}

/// The call with its options read and its expression compiled, if it is a constant.
pub(super) fn configured(args: &[Expr], fold: Fold) -> Result<ScalarFunction> {
    let Some(expression) = args.get(args::EXPRESSION) else {
        return internal_err!("a call without an expression passed the check of types");
    };
    let case = args::case(args.get(args::OPTIONS), fold)?;
    let expression = match fold(expression.clone())?.unalias() {
        Expr::Literal(value, _) => Expression::Constant(Arc::new(Tester::compile(&args::expression(&value)?, case)?)),
        _ => Expression::PerRow(case),
    };
    Ok(ScalarFunction::new_udf(Arc::new(TagMatch::with(expression).into()), args.to_vec()))
}
