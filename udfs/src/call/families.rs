//! The families of functions, in one line each: who configures a call, and what is written about it.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::WindowUDF;
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction, WindowFunction};

use super::Fold;
use crate::catalogue::{catalogue, windows};
use crate::doc::{FunctionDoc, FunctionKind};
use crate::error::{UserError, sqlstate};
use crate::{attribution, channels, funnel, sessions, tags};

/// Puts a call's constants into its function: `None` for functions that are not ours, that are configured already, or
/// whose constants wait for parameters.
///
/// # Errors
/// A [`UserError`] that names the argument.
pub(crate) fn configure_aggregate(
    call: &AggregateFunction,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<AggregateFunction>> {
    if let Some(configured) = funnel::configure(call, schema, fold)? {
        return Ok(Some(configured));
    }
    if let Some(configured) = sessions::configure_aggregate(call, schema, fold)? {
        return Ok(Some(configured));
    }
    attribution::configure_aggregate(call, schema, fold)
}

/// As [`configure_aggregate`], for calls with OVER.
pub(crate) fn configure_window(call: &WindowFunction, schema: &DFSchema, fold: Fold) -> Result<Option<WindowFunction>> {
    if let Some(configured) = sessions::configure_window(call, schema, fold)? {
        return Ok(Some(configured));
    }
    attribution::configure_window(call, schema, fold)
}

/// As [`configure_aggregate`], for scalar calls.
pub(crate) fn configure_scalar(call: &ScalarFunction, schema: &DFSchema, fold: Fold) -> Result<Option<ScalarFunction>> {
    channels::check(call, fold)?;
    tags::configure(call, schema, fold)
}

/// What is written about the function of this name, if it is ours.
pub(crate) fn find(name: &str) -> Option<&'static FunctionDoc> {
    catalogue().iter().find(|function| function.name == name).copied()
}

/// The window function of an aggregate that is both.
pub(crate) fn window_twin(name: &str) -> Option<Arc<WindowUDF>> {
    let is_both = find(name).is_some_and(|function| function.kind == FunctionKind::AggregateOrWindow);
    windows().into_iter().find(|window| is_both && window.name() == name)
}

/// The error for what an aggregate may have in general, and ours give no meaning to.
pub(crate) fn refuse_clauses(function: &str) -> UserError {
    UserError::new(
        sqlstate::FEATURE_NOT_SUPPORTED,
        format!("{function} takes no DISTINCT, no ORDER BY, no WITHIN GROUP and no IGNORE NULLS"),
    )
    .with_hint("It orders a user's events by event_time itself; FILTER (WHERE ...) selects rows.")
}

/// The error for OVER after an aggregate that is no window function.
pub(crate) fn refuse_over(function: &str) -> UserError {
    let hint = match function {
        "sessions" => "SESSIONIZE takes the same options and numbers the session of every row over a window.",
        "attribute_totals" => "ATTRIBUTE takes the same arguments and gives every row what it earned over a window.",
        _ => "GROUP BY the user, and join the answer to the rows if they are needed.",
    };
    UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{function} takes no OVER: it is an aggregate"))
        .with_hint(hint)
}
