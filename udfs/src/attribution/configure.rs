//! From the call as written to the call as run: constants folded and judged, conditions packed into one mask.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, ScalarFunction, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, WindowFunctionDefinition, WindowUDF, lit};
use tributary_core::attribution::Spec;

use super::answer::{CREDITS, list_type};
use super::rows::Layout;
use super::udaf::Attribution;
use super::window::AttributionWindow;
use super::{Answer, args};
use crate::call::{self, Fold};
use crate::error::UserError;
use crate::step_mask;

/// A call whose constants are known, with the words the user wrote for labels and plans.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub answer: Answer,
    pub spec: Spec,
    /// Where the data is.
    pub layout: Layout,
    /// The type of the answer.
    pub returns: DataType,
    /// The call in the words of SQL. It names the output column, the same before and after planning, so that columns
    /// above still find it.
    pub written: String,
}

// The numbers of a spec are never NaN: no text reads as one.
impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.answer.hash(state);
        self.layout.hash(state);
        self.written.hash(state);
    }
}

/// The aggregate with its constants in place, and its data arguments; `None` while there is nothing to do: another
/// function, one that is configured already, or one whose constants wait for parameters.
///
/// # Errors
/// A [`UserError`] that names the argument.
pub(crate) fn configure_aggregate(
    function: &AggregateFunction,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<AggregateFunction>> {
    let Some(attribution) =
        function.func.inner().downcast_ref::<Attribution>().filter(|attribution| !attribution.is_configured())
    else {
        return Ok(None);
    };
    let (answer, params) = (attribution.answer(), &function.params);
    if params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(call::refuse_clauses(answer.name()).into());
    }
    let written = as_written(answer, &params.args, params.filter.as_deref());
    let Some((call, args)) = configured(answer, &params.args, written, schema, fold)? else { return Ok(None) };
    let func: AggregateUDF = attribution.with_call(call).into();
    let params = AggregateFunctionParams { args, ..params.clone() };
    Ok(Some(AggregateFunction { func: Arc::new(func), params }))
}

/// As [`configure_aggregate`], for the call with OVER.
pub(crate) fn configure_window(
    function: &WindowFunction,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<WindowFunction>> {
    let WindowFunctionDefinition::WindowUDF(window) = &function.fun else { return Ok(None) };
    let Some(attribution) =
        window.inner().downcast_ref::<AttributionWindow>().filter(|attribution| !attribution.is_configured())
    else {
        return Ok(None);
    };
    let params = &function.params;
    let written = as_written(Answer::Row, &params.args, None);
    let Some((call, args)) = configured(Answer::Row, &params.args, written, schema, fold)? else { return Ok(None) };
    let func: WindowUDF = attribution.with_call(call).into();
    let params = WindowFunctionParams { args, ..params.clone() };
    Ok(Some(WindowFunction { fun: WindowFunctionDefinition::WindowUDF(Arc::new(func)), params }))
}

/// The call, and the data that it reads.
fn configured(
    answer: Answer,
    args: &[Expr],
    written: String,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<(Call, Vec<Expr>)>> {
    let name = answer.name();
    let types = args.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    args::check_types(name, &types)?;
    let options = match args::options_index(&types) {
        Some(index) => call::options(name, &args[index], fold)?,
        None => vec![],
    };
    let (mut touch, mut milestones, mut tie, mut carried) = (None, vec![], None, None);
    let mut constants = vec![];
    for (option, value) in options {
        match option.as_str() {
            "touch" => touch = Some(fold(value)?),
            "milestones" => milestones = conditions(fold(value)?)?,
            "tie" => tie = Some(value),
            "carry" if answer == Answer::Touches => carried = Some(value),
            _ => constants.push((option, value)),
        }
    }
    if call::has_placeholder(&args[args::MODELS]) || constants.iter().any(|(_, value)| call::has_placeholder(value)) {
        return Ok(None);
    }
    let constants = args::Constants {
        models: call::constant(name, "models", &args[args::MODELS], fold)?,
        options: constants
            .into_iter()
            .map(|(option, value)| Ok((option.clone(), call::constant(name, &option, &value, fold)?)))
            .collect::<Result<_>>()?,
        milestones: milestones.len(),
    };
    let spec = args::spec(answer, &constants)?;
    let held = if args::has_value(&types) { args::held_type(&types[args::VALUE]) } else { None };
    let kind_bits = 2 + milestones.len() as u32;
    let is_touch_by_channel = touch.is_none();

    let mut masked = vec![touch.unwrap_or_else(|| lit(false)), fold(args[args::CONVERSION].clone())?];
    masked.append(&mut milestones);
    let mut columns =
        vec![args[args::TIME].clone(), step_mask::pack(masked, false, schema)?, args[args::CHANNEL].clone()];
    columns.extend(held.is_some().then(|| args[args::VALUE].clone()));
    let mut add = |column: Option<Expr>| -> Result<Option<DataType>> {
        column
            .map(|column| {
                let data_type = column.get_type(schema)?;
                columns.push(column);
                Ok(data_type)
            })
            .transpose()
    };
    let (tie, carried) = (add(tie)?, add(carried)?);
    let time = args::time_type(name, &types[args::TIME])?;
    let returns = returns(answer, &time, held.as_ref(), carried.as_ref());
    let layout = Layout { name, is_touch_by_channel, kind_bits, held, tie, carried };
    Ok(Some((Call { answer, spec, layout, returns, written }, columns)))
}

/// The conditions of a tuple, or the one condition.
fn conditions(given: Expr) -> Result<Vec<Expr>> {
    match given {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "struct" => Ok(args),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "named_struct" => {
            Ok(args.into_iter().skip(1).step_by(2).collect())
        }
        Expr::Literal(ScalarValue::Struct(values), _) => {
            let columns = values.columns().iter();
            columns.map(|column| Ok(Expr::Literal(ScalarValue::try_from_array(column, 0)?, None))).collect()
        }
        condition => Ok(vec![condition]),
    }
}

/// The type of an answer.
fn returns(answer: Answer, time: &DataType, held: Option<&DataType>, carried: Option<&DataType>) -> DataType {
    match (answer, held) {
        (Answer::Row, None) => CREDITS,
        (Answer::Row, Some(_)) => args::share_type(held),
        _ => list_type(answer, time, &args::share_type(held), carried),
    }
}

/// The type of the answer to a call that is not configured.
pub(super) fn return_type(answer: Answer, arg_types: &[DataType]) -> Result<DataType, UserError> {
    let name = answer.name();
    args::check_types(name, arg_types)?;
    let held = if args::has_value(arg_types) { args::held_type(&arg_types[args::VALUE]) } else { None };
    let carried = args::options_index(arg_types).and_then(|index| match &arg_types[index] {
        DataType::Struct(options) if answer == Answer::Touches => options.find("carry"),
        _ => None,
    });
    let time = args::time_type(name, &arg_types[args::TIME])?;
    Ok(returns(answer, &time, held.as_ref(), carried.map(|(_, field)| field.data_type())))
}

/// The call in the words of SQL.
pub(super) fn as_written(answer: Answer, args: &[Expr], filter: Option<&Expr>) -> String {
    call::as_written(answer.name(), args, false, filter)
}
