//! The aggregates as DataFusion sees them: before their constants are known, and after.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunctionParams;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};

use super::configure::{self, Call};
use super::{Answer, accumulator, rows, state};
use crate::call;
use crate::log::{Counters, KeepsLog};

/// An attribution function.
///
/// As written, its arguments are `(models, event_time, channel, conversion [, value] [, options])`.
/// Once planned, the constants are in its [`Call`] and its arguments are data alone: `(event_time, step_mask(...),
/// channel [, value] [, tie] [, carried])`.
#[derive(Debug, Clone)]
pub(crate) struct Attribution {
    answer: Answer,
    call: Option<Arc<Call>>,
    /// Whether users that are answered together are answered in one list, that of the first.
    is_pooled: bool,
    /// Where work is counted, in a plan that runs. Not part of what the function is.
    counters: Option<Arc<Counters>>,
    signature: Signature,
}

impl PartialEq for Attribution {
    fn eq(&self, other: &Self) -> bool {
        self.answer == other.answer && self.call == other.call && self.is_pooled == other.is_pooled
    }
}

impl Eq for Attribution {}

impl Hash for Attribution {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.answer.hash(state);
        self.call.hash(state);
        self.is_pooled.hash(state);
    }
}

impl Attribution {
    /// The function as it is registered.
    pub fn new(answer: Answer) -> Self {
        Self {
            answer,
            call: None,
            is_pooled: false,
            counters: None,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    /// The function with its constants in place.
    pub(super) fn with_call(&self, call: Call) -> Self {
        Self { call: Some(Arc::new(call)), ..self.clone() }
    }

    /// What this function answers.
    pub fn answer(&self) -> Answer {
        self.answer
    }

    /// Whether the constants are in place.
    pub fn is_configured(&self) -> bool {
        self.call.is_some()
    }

    /// The same for whoever only adds up what all users are answered: their lists in one. `None` if what it answers is
    /// no sum.
    pub fn pooled(&self) -> Option<AggregateUDF> {
        let is_sum = self.answer == Answer::Totals && self.is_configured();
        is_sum.then(|| Self { is_pooled: true, ..self.clone() }.into())
    }

    /// Whether users that are answered together are answered in one list.
    pub fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Whether every row with a channel is a touch; else only rows with a bit in their mask matter. `None` while that
    /// is not known.
    pub fn is_touch_by_channel(&self) -> Option<bool> {
        self.call.as_ref().map(|call| call.layout.is_touch_by_channel)
    }

    /// Which of the arguments is the channel, once the constants are in place.
    pub fn channel_argument(&self) -> Option<usize> {
        self.is_configured().then_some(rows::CHANNEL)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<&Arc<Call>> {
        if args.is_distinct || !args.order_bys.is_empty() {
            return Err(call::refuse_clauses(self.answer.name()).into());
        }
        self.call.as_ref().ok_or_else(|| call::refuse_over(self.answer.name()).into())
    }
}

impl KeepsLog for Attribution {
    fn counted(&self, counters: Arc<Counters>) -> AggregateUDF {
        Self { counters: Some(counters), ..self.clone() }.into()
    }
}

impl AggregateUDFImpl for Attribution {
    fn name(&self) -> &str {
        self.answer.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Takes every type: an error made here loses its words, so [`Self::return_type`] judges the types.
    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match &self.call {
            Some(call) => Ok(call.returns.clone()),
            None => Ok(configure::return_type(self.answer, arg_types)?),
        }
    }

    fn is_nullable(&self) -> bool {
        false
    }

    /// What a user without events gets: an empty list.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match data_type {
            DataType::List(item) => Ok(ScalarValue::List(ScalarValue::new_list(&[], item.data_type(), true))),
            other => ScalarValue::try_new_null(other),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        accumulator::single(self.call(&args)?, self.counters.clone())
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.accumulator(args)
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        accumulator::groups(self.call(&args)?, self.is_pooled, self.counters.clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        match &self.call {
            Some(call) => Ok(state::fields(args.name, &call.layout)),
            None => Err(call::refuse_over(self.answer.name()).into()),
        }
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
            None => configure::as_written(self.answer, &params.args, params.filter.as_deref()),
        })
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.schema_name(params)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.answer.documentation()
    }
}
