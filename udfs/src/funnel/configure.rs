//! From the call as written to the call as run: constants folded and judged, conditions packed into one mask.

use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, ScalarFunction};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable};
use tributary_core::funnel::Compat;

use super::udaf::{Call, Funnel};
use super::{Answer, args};
use crate::error::{UserError, sqlstate};
use crate::{step_mask, written};

/// The function with its constants in place, and its data arguments; `None` while there is nothing to do:
/// another function, one that is configured already, or one whose constants wait for parameters.
///
/// `fold` evaluates what is constant in an expression.
///
/// # Errors
/// A [`UserError`] that names the argument.
pub(crate) fn configure(
    function: &AggregateFunction,
    schema: &DFSchema,
    fold: impl Fn(Expr) -> Result<Expr>,
) -> Result<Option<AggregateFunction>> {
    let Some(funnel) = function.func.inner().downcast_ref::<Funnel>().filter(|funnel| !funnel.is_configured()) else {
        return Ok(None);
    };
    let answer = funnel.answer();
    let params = &function.params;
    if params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(refuse_clauses(answer).into());
    }
    let types = params.args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    args::check_types(answer, &types)?;
    let first_step = args::first_step(&types);
    let constants = &params.args[args::WITHIN..first_step];
    if constants.iter().any(has_placeholder) {
        return Ok(None);
    }
    let constants = fold_constants(answer, constants, &fold)?;
    let steps = params.args[first_step..].iter().cloned().map(&fold).collect::<Result<Vec<_>>>()?;
    let spec = args::spec(answer, steps.len(), &constants)?;

    let call = Call { spec, written: as_written(answer, params) };
    // ClickHouse leaves out a row when any of its conditions is NULL; to us such a condition is false.
    let null_drops_row = spec.compat() == Compat::ClickHouse;
    let mask = step_mask::pack(steps, null_drops_row, schema)?;
    let func: AggregateUDF = funnel.with_call(call).into();
    Ok(Some(AggregateFunction {
        func: Arc::new(func),
        params: AggregateFunctionParams { args: vec![params.args[args::TIME].clone(), mask], ..params.clone() },
    }))
}

/// The error for what an aggregate may have in general, and a funnel gives no meaning to.
pub(crate) fn refuse_clauses(answer: Answer) -> UserError {
    UserError::new(
        sqlstate::FEATURE_NOT_SUPPORTED,
        format!("{} takes no DISTINCT, no ORDER BY, no WITHIN GROUP and no IGNORE NULLS", answer.name()),
    )
    .with_hint("It orders a user's events by event_time itself; FILTER (WHERE ...) selects rows.")
}

fn has_placeholder(expr: &Expr) -> bool {
    // The closure cannot fail, so neither can the walk.
    expr.exists(|expr| Ok(matches!(expr, Expr::Placeholder(_)))).unwrap_or(true)
}

fn fold_constants(answer: Answer, constants: &[Expr], fold: impl Fn(Expr) -> Result<Expr>) -> Result<args::Constants> {
    let constant = |option: &str, expr: &Expr| match fold(expr.clone())?.unalias() {
        Expr::Literal(value, _) => Ok(value),
        _ => Err(DataFusionError::from(not_constant(answer, option, expr))),
    };
    let [within, options @ ..] = constants else {
        return internal_err!("{} passed the check of types without a window", answer.name());
    };
    let mut folded = args::Constants { within: constant("within", within)?, options: vec![] };
    match options.first() {
        None => {}
        Some(Expr::ScalarFunction(ScalarFunction { func, args })) if func.name() == "named_struct" => {
            for option in args.chunks_exact(2) {
                let name = constant("options", &option[0])?;
                let name = name.try_as_str().flatten().unwrap_or_default().to_string();
                let value = constant(&name, &option[1])?;
                folded.options.push((name, value));
            }
        }
        Some(options) => folded.options = struct_fields(&constant("options", options)?)?,
    }
    Ok(folded)
}

fn struct_fields(value: &ScalarValue) -> Result<Vec<(String, ScalarValue)>> {
    let ScalarValue::Struct(options) = value else { return Ok(vec![]) };
    options
        .fields()
        .iter()
        .zip(options.columns())
        .map(|(field, column)| Ok((field.name().clone(), ScalarValue::try_from_array(column, 0)?)))
        .collect()
}

fn not_constant(answer: Answer, option: &str, given: &Expr) -> UserError {
    UserError::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("{}: argument '{option}' must be a constant, got {}", answer.name(), written::expr(given)),
    )
    .with_hint("It configures the whole query: write a literal or a parameter.")
}

/// The call in the words of SQL: conditions as they were, options by name.
pub(super) fn as_written(answer: Answer, params: &AggregateFunctionParams) -> String {
    let (mut positional, mut named) = (vec![], vec![]);
    for (index, arg) in params.args.iter().enumerate() {
        match arg {
            options if index == args::OPTIONS && is_options(options) => named = written::options(options),
            positional_arg => positional.push(written::expr(positional_arg)),
        }
    }
    positional.append(&mut named);
    let distinct = if params.distinct { "DISTINCT " } else { "" };
    let filter = params.filter.as_ref().map(|filter| format!(" FILTER (WHERE {})", written::expr(filter)));
    format!("{}({distinct}{}){}", answer.name(), positional.join(", "), filter.unwrap_or_default())
}

/// Whether an argument is the struct that options travel in.
pub(crate) fn is_options(arg: &Expr) -> bool {
    match arg {
        Expr::ScalarFunction(ScalarFunction { func, .. }) => func.name() == "named_struct",
        Expr::Literal(value, _) => matches!(value, ScalarValue::Struct(_)),
        _ => false,
    }
}
