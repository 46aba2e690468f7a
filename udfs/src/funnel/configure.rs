//! From the call as written to the call as run: constants folded and judged, conditions packed into one mask.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable};
use tributary_core::funnel::Compat;

use super::udaf::{Call, Funnel};
use super::{Answer, args};
use crate::call::{self, Fold};
use crate::step_mask;

/// The function with its constants in place, and its data arguments; `None` while there is nothing to do:
/// another function, one that is configured already, or one whose constants wait for parameters.
///
/// # Errors
/// A [`UserError`] that names the argument.
pub(crate) fn configure(
    function: &AggregateFunction,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<AggregateFunction>> {
    let Some(funnel) = function.func.inner().downcast_ref::<Funnel>().filter(|funnel| !funnel.is_configured()) else {
        return Ok(None);
    };
    let answer = funnel.answer();
    let params = &function.params;
    if params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(call::refuse_clauses(answer.name()).into());
    }
    let types = params.args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    args::check_types(answer, &types)?;
    let first_step = args::first_step(&types);
    let constants = &params.args[args::WITHIN..first_step];
    if constants.iter().any(call::has_placeholder) {
        return Ok(None);
    }
    let constants = fold_constants(answer, constants, fold)?;
    let steps = params.args[first_step..].iter().cloned().map(fold).collect::<Result<Vec<_>>>()?;
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

fn fold_constants(answer: Answer, constants: &[Expr], fold: Fold) -> Result<args::Constants> {
    let [within, options @ ..] = constants else {
        return internal_err!("{} passed the check of types without a window", answer.name());
    };
    let mut folded =
        args::Constants { within: call::constant(answer.name(), "within", within, fold)?, options: vec![] };
    if let Some(options) = options.first() {
        for (name, value) in call::options(answer.name(), options, fold)? {
            let value = call::constant(answer.name(), &name, &value, fold)?;
            folded.options.push((name, value));
        }
    }
    Ok(folded)
}

/// The call in the words of SQL.
pub(super) fn as_written(answer: Answer, params: &AggregateFunctionParams) -> String {
    call::as_written(answer.name(), &params.args, params.distinct, params.filter.as_deref())
}
