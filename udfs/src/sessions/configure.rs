//! From the call as written to the call as run: constants folded and judged, conditions packed into one mask.

use std::sync::Arc;

use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, WindowFunctionDefinition, WindowUDF, lit};
use tributary_core::sessions::Splits;

use super::args::{self, Call, Constants, Data};
use super::counter::{self, Counter};
use super::{SESSIONS, Sessionize, Sessions};
use crate::call::{self, Fold};
use crate::doc::FunctionDoc;
use crate::step_mask;

/// `sessions` with its constants in place, and its data arguments; `None` while there is nothing to do: another
/// function, one that is configured already, or one that waits for parameters.
///
/// # Errors
/// A [`crate::UserError`] that names the argument.
pub(crate) fn configure_aggregate(
    function: &AggregateFunction,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<AggregateFunction>> {
    let Some(sessions) = function.func.inner().downcast_ref::<Sessions>().filter(|it| !it.is_configured()) else {
        return Ok(None);
    };
    let params = &function.params;
    if params.distinct || !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(call::refuse_clauses(SESSIONS.name).into());
    }
    let Some((mut call, args)) = read(&SESSIONS, &params.args, schema, fold)? else { return Ok(None) };
    call.written = as_written(params);
    let func: AggregateUDF = sessions.with_call(call).into();
    Ok(Some(AggregateFunction { func: Arc::new(func), params: AggregateFunctionParams { args, ..params.clone() } }))
}

/// As [`configure_aggregate`], for the window functions.
pub(crate) fn configure_window(
    function: &WindowFunction,
    schema: &DFSchema,
    fold: Fold,
) -> Result<Option<WindowFunction>> {
    let WindowFunctionDefinition::WindowUDF(window) = &function.fun else { return Ok(None) };
    let params = &function.params;
    let configured = if let Some(sessionize) = window.inner().downcast_ref::<Sessionize>() {
        if sessionize.is_configured() {
            return Ok(None);
        }
        let Some((call, args)) = read(sessionize.doc(), &params.args, schema, fold)? else { return Ok(None) };
        (WindowUDF::from(sessionize.with_call(call)), args)
    } else if let Some(counter) = window.inner().downcast_ref::<Counter>() {
        let Some(configured) = counter::configure(counter, params, schema, fold)? else { return Ok(None) };
        configured
    } else {
        return Ok(None);
    };
    let (window, args) = configured;
    Ok(Some(WindowFunction {
        fun: WindowFunctionDefinition::WindowUDF(Arc::new(window)),
        params: WindowFunctionParams { args, ..params.clone() },
    }))
}

/// The constants of a call and its data; `None` while it waits for parameters.
fn read(function: &FunctionDoc, written: &[Expr], schema: &DFSchema, fold: Fold) -> Result<Option<(Call, Vec<Expr>)>> {
    if written.iter().any(call::has_placeholder) {
        return Ok(None);
    }
    let types = written.iter().map(|arg| arg.get_type(schema)).collect::<Result<Vec<_>>>()?;
    args::check_types(function, &types)?;
    let [time, gap, options @ ..] = written else {
        return internal_err!("{} passed the check of types without a gap", function.name);
    };
    let mut constants = Constants { gap: call::constant(function.name, "gap", gap, fold)?, options: vec![] };
    let mut columns = Columns::default();
    if let Some(options) = options.first() {
        for (name, value) in call::options(function.name, options, fold)? {
            if args::is_constant(&name) {
                constants.options.push((name.clone(), call::constant(function.name, &name, &value, fold)?));
            } else {
                columns.put(&name, value);
            }
        }
    }
    let (spec, zone) = args::spec(function, &constants, columns.splits())?;
    let (data, args) = columns.pack(time.clone(), fold, schema)?;
    Ok(Some((Call { spec, zone, data, written: String::new() }, args)))
}

/// The data options of a call.
#[derive(Default)]
struct Columns {
    new_when: Option<Expr>,
    end_when: Option<Expr>,
    change_of: Option<Expr>,
    tie: Option<Expr>,
    user_key: Option<Expr>,
}

impl Columns {
    /// Names were checked with the types.
    fn put(&mut self, name: &str, value: Expr) {
        let column = match name {
            "new_when" => &mut self.new_when,
            "end_when" => &mut self.end_when,
            "change_of" => &mut self.change_of,
            "tie" => &mut self.tie,
            _ => &mut self.user_key,
        };
        *column = Some(value);
    }

    fn splits(&self) -> Splits {
        Splits {
            new_when: self.new_when.is_some(),
            end_when: self.end_when.is_some(),
            change: self.change_of.is_some(),
            day: false,
        }
    }

    /// The arguments of the configured call, in the order of [`Data`].
    fn pack(self, time: Expr, fold: Fold, schema: &DFSchema) -> Result<(Data, Vec<Expr>)> {
        let data = Data {
            flags: self.new_when.is_some() || self.end_when.is_some(),
            change: self.change_of.is_some(),
            tie: self.tie.is_some(),
            user: self.user_key.is_some(),
        };
        let mut args = vec![time];
        if data.flags {
            // Bit 0 is END_WHEN and bit 1 NEW_WHEN, as the rule has them.
            let conditions = [self.end_when, self.new_when].map(|condition| condition.unwrap_or(lit(false)));
            let conditions = conditions.into_iter().map(fold).collect::<Result<Vec<_>>>()?;
            args.push(step_mask::pack(conditions, false, schema)?);
        }
        args.extend([self.change_of, self.tie, self.user_key].into_iter().flatten());
        Ok((data, args))
    }
}

/// The call in the words of SQL.
pub(super) fn as_written(params: &AggregateFunctionParams) -> String {
    call::as_written(SESSIONS.name, &params.args, params.distinct, params.filter.as_deref())
}
