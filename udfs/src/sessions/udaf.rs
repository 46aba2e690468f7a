//! The aggregate as DataFusion sees it: before its constants are known, and after.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunctionParams;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};

use super::accumulator::{self, Plan};
use super::args::{self, Call};
use super::{SESSIONS, configure, output};
use crate::call;
use crate::log::{Counters, KeepsLog};
use crate::time;

/// `sessions`.
///
/// As written, its arguments are `(event_time, gap [, options])`.
/// Once planned, the constants are in its [`Call`] and its arguments are columns, as [`args::Data`] says.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    call: Option<Arc<Call>>,
    /// Where work is counted, in a plan that runs. Not part of what the function is.
    counters: Option<Arc<Counters>>,
    signature: Signature,
}

impl PartialEq for Sessions {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call
    }
}

impl Eq for Sessions {}

impl Hash for Sessions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.call.hash(state);
    }
}

impl Sessions {
    /// The function as it is registered.
    pub fn new() -> Self {
        Self { call: None, counters: None, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// The function with its constants in place.
    pub(super) fn with_call(&self, call: Call) -> Self {
        Self { call: Some(Arc::new(call)), ..self.clone() }
    }

    /// Whether the constants are in place.
    pub(super) fn is_configured(&self) -> bool {
        self.call.is_some()
    }

    fn plan(&self, args: &AccumulatorArgs) -> Result<Plan> {
        if args.is_distinct || !args.order_bys.is_empty() {
            return Err(call::refuse_clauses(SESSIONS.name).into());
        }
        let Some(call) = &self.call else { return Err(call::refuse_over(SESSIONS.name).into()) };
        Ok(Plan {
            call: Arc::clone(call),
            inputs: args.expr_fields.iter().map(|field| field.data_type().clone()).collect(),
            returns: args.return_type().clone(),
            counters: self.counters.clone(),
        })
    }
}

impl KeepsLog for Sessions {
    fn counted(&self, counters: Arc<Counters>) -> AggregateUDF {
        Self { counters: Some(counters), ..self.clone() }.into()
    }
}

impl AggregateUDFImpl for Sessions {
    fn name(&self) -> &str {
        SESSIONS.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::return_type`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        if !self.is_configured() {
            args::check_types(&SESSIONS, arg_types)?;
        }
        let time = arg_types.first().and_then(time::answer_type);
        Ok(output::sessions_type(time.ok_or_else(|| call::no_time(SESSIONS.name, arg_types.first()))?))
    }

    fn is_nullable(&self) -> bool {
        false
    }

    /// What a user without events gets: an empty list.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match data_type {
            DataType::List(item) => Ok(ScalarValue::List(ScalarValue::new_list(&[], item.data_type(), true))),
            other => ScalarValue::try_from(other),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        accumulator::single(self.plan(&args)?)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.accumulator(args)
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        accumulator::groups(self.plan(&args)?)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let data = self.call.as_ref().map_or_else(Default::default, |call| call.data);
        Ok(accumulator::state_fields(args.name, data, args.input_fields))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    /// Puts the constants in place where no analyzer rule of ours did: in a DataFusion with only the functions.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        if self.is_configured() {
            return None;
        }
        Some(Box::new(|function, info| {
            let configured = configure::configure_aggregate(&function, info.schema().as_ref(), &Ok)?;
            Ok(Expr::AggregateFunction(configured.unwrap_or(function)))
        }))
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        Ok(match &self.call {
            Some(call) => call.written.clone(),
            None => configure::as_written(params),
        })
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.schema_name(params)
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| SESSIONS.documentation());
        Some(&DOCUMENTATION)
    }
}
