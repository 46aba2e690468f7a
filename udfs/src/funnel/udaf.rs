//! The aggregate as DataFusion sees it: before its constants are known, and after.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef, IntervalUnit};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunctionParams;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};
use tributary_core::funnel::Spec;

use super::{Answer, accumulator, args, configure};
use crate::call;
use crate::log::{Counters, KeepsLog};
use crate::time;

/// A funnel function.
///
/// As written, its arguments are `(event_time, within [, options], step, ...)`.
/// Once planned, the constants are in its [`Call`] and its arguments are data alone: `(event_time, step_mask(...))`.
#[derive(Debug, Clone)]
pub(crate) struct Funnel {
    answer: Answer,
    call: Option<Arc<Call>>,
    /// Where work is counted, in a plan that runs. Not part of what the function is.
    counters: Option<Arc<Counters>>,
    signature: Signature,
}

/// A call whose constants are known, with the words the user wrote for labels and plans.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub spec: Spec,
    /// The call in the words of SQL. It names the output column, the same before and after planning, so that columns
    /// above still find it.
    pub written: String,
}

impl PartialEq for Funnel {
    fn eq(&self, other: &Self) -> bool {
        self.answer == other.answer && self.call == other.call
    }
}

impl Eq for Funnel {}

impl Hash for Funnel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.answer.hash(state);
        self.call.hash(state);
    }
}

impl Funnel {
    /// The function as it is registered.
    pub fn new(answer: Answer) -> Self {
        Self { answer, call: None, counters: None, signature: Signature::user_defined(Volatility::Immutable) }
    }

    /// The function with its constants in place.
    pub fn with_call(&self, call: Call) -> Self {
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

    /// Whether rows that meet no step can change the answer; so they can while the constants are not known.
    pub fn sees_all_rows(&self) -> bool {
        self.call.as_ref().is_none_or(|call| call.spec.sees_all_rows())
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<&Call> {
        if args.is_distinct || !args.order_bys.is_empty() {
            return Err(call::refuse_clauses(self.answer.name()).into());
        }
        self.call.as_deref().ok_or_else(|| call::refuse_over(self.answer.name()).into())
    }
}

impl KeepsLog for Funnel {
    fn counted(&self, counters: Arc<Counters>) -> AggregateUDF {
        Self { counters: Some(counters), ..self.clone() }.into()
    }
}

impl AggregateUDFImpl for Funnel {
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
        if !self.is_configured() {
            args::check_types(self.answer, arg_types)?;
        }
        Ok(match self.answer {
            Answer::Level => DataType::Int32,
            Answer::Times => {
                let time = arg_types.first().and_then(time::answer_type);
                DataType::new_list(time.ok_or_else(|| call::no_time(self.answer.name(), arg_types.first()))?, true)
            }
            Answer::Durations => DataType::new_list(DataType::Interval(IntervalUnit::MonthDayNano), true),
        })
    }

    fn is_nullable(&self) -> bool {
        false
    }

    /// What a user without events gets: level 0, an empty list.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match data_type {
            DataType::List(item) => Ok(ScalarValue::List(ScalarValue::new_list(&[], item.data_type(), true))),
            _ => Ok(ScalarValue::Int32(Some(0))),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(accumulator::single(self.call(&args)?.spec, self.answer, args.return_type(), self.counters.clone()))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.accumulator(args)
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(accumulator::groups(self.call(&args)?.spec, self.answer, args.return_type(), self.counters.clone()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let steps = match &self.call {
            Some(call) => call.spec.steps(),
            None => args::step_count(args.input_fields.iter().map(|field| field.data_type())),
        };
        Ok(accumulator::state_fields(args.name, steps))
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
            let configured = configure::configure(&function, info.schema().as_ref(), &Ok)?;
            Ok(match configured {
                Some(configured) => Expr::AggregateFunction(configured),
                None => Expr::AggregateFunction(function),
            })
        }))
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        Ok(match &self.call {
            Some(call) => call.written.clone(),
            None => configure::as_written(self.answer, params),
        })
    }

    fn human_display(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.schema_name(params)
    }

    fn display_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        self.schema_name(params)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(self.answer.documentation())
    }
}
