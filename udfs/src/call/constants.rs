//! Constants of a call: found among its arguments, folded, and written again as the user wrote them.

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::ScalarFunction;

use crate::error::{UserError, sqlstate};
use crate::written;

/// Evaluates what is constant in an expression.
pub(crate) type Fold<'a> = &'a dyn Fn(Expr) -> Result<Expr>;

/// Whether an expression waits for a parameter.
pub(crate) fn has_placeholder(expr: &Expr) -> bool {
    // The closure cannot fail, so neither can the walk.
    expr.exists(|expr| Ok(matches!(expr, Expr::Placeholder(_)))).unwrap_or(true)
}

/// Whether an argument is the struct that options travel in.
pub(crate) fn is_options(arg: &Expr) -> bool {
    match arg {
        Expr::ScalarFunction(ScalarFunction { func, .. }) => func.name() == "named_struct",
        Expr::Literal(value, _) => matches!(value, ScalarValue::Struct(_)),
        _ => false,
    }
}

/// The options in such a struct, by name; nothing is evaluated but the names.
///
/// # Errors
/// 22023 if a name is not a constant, which only a struct written by hand can bring about.
pub(crate) fn options(function: &str, arg: &Expr, fold: Fold) -> Result<Vec<(String, Expr)>> {
    match arg {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "named_struct" => args
            .chunks_exact(2)
            .map(|pair| {
                let name = constant(function, "options", &pair[0], fold)?;
                Ok((name.try_as_str().flatten().unwrap_or_default().to_string(), pair[1].clone()))
            })
            .collect(),
        other => match constant(function, "options", other, fold)? {
            ScalarValue::Struct(options) => options
                .fields()
                .iter()
                .zip(options.columns())
                .map(|(field, column)| {
                    Ok((field.name().clone(), Expr::Literal(ScalarValue::try_from_array(column, 0)?, None)))
                })
                .collect(),
            _ => Ok(vec![]),
        },
    }
}

/// The value of an argument that configures the call.
///
/// # Errors
/// 22023 if it depends on the rows.
pub(crate) fn constant(function: &str, argument: &str, expr: &Expr, fold: Fold) -> Result<ScalarValue> {
    match fold(expr.clone())?.unalias() {
        Expr::Literal(value, _) => Ok(value),
        _ => Err(DataFusionError::from(
            UserError::new(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("{function}: argument '{argument}' must be a constant, got {}", written::expr(expr)),
            )
            .with_hint("It configures the whole query: write a literal or a parameter."),
        )),
    }
}

/// The call in the words of SQL: arguments as they were, options by name.
pub(crate) fn as_written(function: &str, args: &[Expr], distinct: bool, filter: Option<&Expr>) -> String {
    let (mut positional, mut named) = (vec![], vec![]);
    for (index, arg) in args.iter().enumerate() {
        match arg {
            // The first argument is never the options: a struct there is data.
            options if index > 0 && is_options(options) => named.extend(written::options(options)),
            positional_arg => positional.push(written::expr(positional_arg)),
        }
    }
    positional.append(&mut named);
    let distinct = if distinct { "DISTINCT " } else { "" };
    let filter = filter.map(|filter| format!(" FILTER (WHERE {})", written::expr(filter)));
    format!("{function}({distinct}{}){}", positional.join(", "), filter.unwrap_or_default())
}
