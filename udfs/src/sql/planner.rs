//! Parameters of a call get the types of their places, so that a driver knows what to send.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit};
use datafusion::common::Result;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr};
use datafusion::logical_expr::{Expr, WindowFrame, WindowFunctionDefinition};

use crate::call;
use crate::doc::{FunctionDoc, FunctionKind};
use crate::error::{UserError, sqlstate};

/// Types the untyped parameters of our calls, gives a window call its window function, and refuses uses without a
/// meaning.
#[derive(Debug)]
pub(super) struct CallPlanner;

impl ExprPlanner for CallPlanner {
    fn plan_aggregate(&self, mut call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let Some(function) = call::find(call.func.name()) else { return Ok(PlannerResult::Original(call)) };
        if call.distinct || !call.order_by.is_empty() || call.null_treatment.is_some() {
            return Err(call::refuse_clauses(function.name).into());
        }
        give_types(function, &mut call.args);
        Ok(PlannerResult::Original(call))
    }

    fn plan_window(&self, mut call: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        let Some(function) = call::find(call.func_def.name()) else { return Ok(PlannerResult::Original(call)) };
        if let WindowFunctionDefinition::AggregateUDF(aggregate) = &call.func_def {
            match call::window_twin(aggregate.name()) {
                // The planner takes the aggregate of a name that both have.
                Some(window) => call.func_def = WindowFunctionDefinition::WindowUDF(window),
                None => return Err(call::refuse_over(function.name).into()),
            }
        }
        refuse_window_clauses(function, &call)?;
        give_types(function, &mut call.args);
        Ok(PlannerResult::Original(call))
    }
}

fn refuse_window_clauses(function: &FunctionDoc, call: &RawWindowExpr) -> Result<(), UserError> {
    let refused = |what: &str, hint: &str| {
        let message = format!("{} takes no {what}", function.name);
        Err(UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_hint(hint))
    };
    if call.distinct {
        return refused("DISTINCT", "Every row has an answer of its own.");
    }
    if call.filter.is_some() {
        return refused("FILTER", "Select the rows in a subquery with WHERE.");
    }
    if call.null_treatment.is_some() {
        return refused("IGNORE or RESPECT NULLS", "A row whose time is NULL has no part in the answer.");
    }
    // A frame that says what holds without it is not told from none.
    let without = [None, Some(false)].map(WindowFrame::new);
    if !without.contains(&call.window_frame) {
        return refused(
            &format!("frame, such as {}", call.window_frame),
            "It sees all rows of its partition: write OVER (PARTITION BY user_id ORDER BY event_time).",
        );
    }
    Ok(())
}

/// Gives the type of its place to every parameter that has none.
fn give_types(function: &FunctionDoc, args: &mut [Expr]) {
    let mut places = function.arguments.iter();
    let mut last = None;
    for (index, arg) in args.iter_mut().enumerate() {
        if index > 0 && call::is_options(arg) {
            give_option_types(function, arg);
            continue;
        }
        last = places.next().or(last);
        if let Some(place) = last {
            give_type(arg, place.sql_type);
        }
    }
}

fn give_option_types(function: &FunctionDoc, options: &mut Expr) {
    let Expr::ScalarFunction(ScalarFunction { args, .. }) = options else { return };
    for pair in args.chunks_exact_mut(2) {
        let [name, value] = pair else { continue };
        let name = name.as_literal().and_then(|name| name.try_as_str().flatten());
        if let Some(option) = function.options.iter().find(|option| Some(option.name) == name) {
            give_type(value, option.sql_type);
        }
    }
}

/// Types a parameter that has no type yet. Where several types will do (a time, a value) the user says which.
pub(super) fn give_type(arg: &mut Expr, sql_type: &str) {
    let data_type = match sql_type {
        "boolean" => DataType::Boolean,
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "bigint" => DataType::Int64,
        "text" => DataType::Utf8,
        _ => return,
    };
    if let Expr::Placeholder(Placeholder { id, field: field @ None }) = arg {
        *field = Some(Arc::new(Field::new(id.as_str(), data_type, true)));
    }
}

/// Whether a function of this kind may be called with OVER.
pub(super) fn takes_over(kind: FunctionKind) -> bool {
    matches!(kind, FunctionKind::Window | FunctionKind::AggregateOrWindow)
}
