//! Parameters of a call get the types of their places, so that a driver knows what to send.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit};
use datafusion::common::Result;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawWindowExpr};
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};

use crate::error::{UserError, sqlstate};
use crate::funnel::{self, Funnel};

/// Types the untyped parameters of our calls, and refuses uses without a meaning.
#[derive(Debug)]
pub(super) struct CallPlanner;

impl ExprPlanner for CallPlanner {
    fn plan_aggregate(&self, mut call: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let Some(funnel) = call.func.inner().downcast_ref::<Funnel>() else {
            return Ok(PlannerResult::Original(call));
        };
        if call.distinct || !call.order_by.is_empty() || call.null_treatment.is_some() {
            return Err(funnel::refuse_clauses(funnel.answer()).into());
        }
        for (index, arg) in call.args.iter_mut().enumerate() {
            match index {
                0 => {}
                1 => give_type(arg, &DataType::Interval(IntervalUnit::MonthDayNano)),
                _ if funnel::is_options(arg) => give_option_types(arg),
                _ => give_type(arg, &DataType::Boolean),
            }
        }
        Ok(PlannerResult::Original(call))
    }

    fn plan_window(&self, call: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>> {
        if let WindowFunctionDefinition::AggregateUDF(function) = &call.func_def
            && let Some(funnel) = function.inner().downcast_ref::<Funnel>()
        {
            let name = funnel.answer().name();
            return Err(UserError::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("{name} takes no OVER: it is an aggregate"),
            )
            .with_hint("GROUP BY the user, and join the answer to the rows if they are needed.")
            .into());
        }
        Ok(PlannerResult::Original(call))
    }
}

/// Every option of the funnel family is text.
fn give_option_types(options: &mut Expr) {
    if let Expr::ScalarFunction(ScalarFunction { args, .. }) = options {
        for value in args.iter_mut().skip(1).step_by(2) {
            give_type(value, &DataType::Utf8);
        }
    }
}

fn give_type(arg: &mut Expr, data_type: &DataType) {
    if let Expr::Placeholder(Placeholder { id, field: field @ None }) = arg {
        *field = Some(Arc::new(Field::new(id.as_str(), data_type.clone(), true)));
    }
}
