//! `sum` of integers that fails where the answer does not fit (22003), where DataFusion's would wrap around.
//!
//! PostgreSQL's sum of `bigint` is numeric. Here it stays `bigint`: a constant such as 1 is one too, and the sums of
//! counts and flags that reports are made of would all become numeric. The state has 128 bits, so only the answer can
//! be too large, in no order of rows.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity, Signature,
};
use datafusion::prelude::SessionContext;

use crate::error::{Error, SqlState};

/// A sum of 64-bit integers while it grows.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// The sum over what the context has as one.
pub fn checked_sum(context: &SessionContext) -> Result<AggregateUDF> {
    let inner = context.udaf("sum")?;
    Ok(AggregateUDF::new_from_impl(CheckedSum { inner }))
}

#[derive(PartialEq, Eq, Hash)]
struct CheckedSum {
    inner: Arc<AggregateUDF>,
}

impl fmt::Debug for CheckedSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckedSum")
    }
}

/// What the inner sum is told: its answer is wide.
fn widened<'a>(args: &AccumulatorArgs<'a>) -> AccumulatorArgs<'a> {
    let wide: FieldRef = Field::new(args.return_field.name(), WIDE, true).into();
    AccumulatorArgs { return_field: wide, ..args.clone() }
}

fn is_narrow(field: &FieldRef) -> bool {
    *field.data_type() == DataType::Int64
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_narrow(&args.return_field) {
            return self.inner.accumulator(args);
        }
        let inner = self.inner.accumulator(widened(&args))?;
        Ok(Box::new(Narrowing(inner)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_narrow(&args.return_field) {
            return self.inner.state_fields(args);
        }
        let wide: FieldRef = Field::new(args.return_field.name(), WIDE, true).into();
        self.inner.state_fields(StateFieldsArgs { return_field: wide, ..args })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_narrow(&args.return_field) {
            return self.inner.create_groups_accumulator(args);
        }
        let inner = self.inner.create_groups_accumulator(widened(&args))?;
        Ok(Box::new(NarrowingGroups(inner)))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_narrow(&args.return_field) {
            return self.inner.create_sliding_accumulator(args);
        }
        let inner = self.inner.create_sliding_accumulator(widened(&args))?;
        Ok(Box::new(Narrowing(inner)))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }
}

fn out_of_range() -> Error {
    Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")
        .with_hint("Sum it as numeric: sum(x::numeric(38, 0)).")
}

/// Integers as the state counts them.
fn wide(values: &[ArrayRef]) -> Vec<ArrayRef> {
    let widen = |values: &ArrayRef| -> ArrayRef {
        match values.as_primitive_opt::<Int64Type>() {
            Some(narrow) => {
                let wide: Decimal128Array = narrow.unary(i128::from);
                Arc::new(wide.with_data_type(WIDE))
            }
            None => Arc::clone(values),
        }
    };
    values.iter().map(widen).collect()
}

struct Narrowing(Box<dyn Accumulator>);

impl fmt::Debug for Narrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Narrowing")
    }
}

impl Accumulator for Narrowing {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(&wide(values))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.0.evaluate()? {
            ScalarValue::Decimal128(Some(sum), ..) => {
                Ok(ScalarValue::Int64(Some(i64::try_from(sum).map_err(|_| out_of_range())?)))
            }
            _ => Ok(ScalarValue::Int64(None)),
        }
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.retract_batch(&wide(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.0.supports_retract_batch()
    }
}

struct NarrowingGroups(Box<dyn GroupsAccumulator>);

impl GroupsAccumulator for NarrowingGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.0.update_batch(&wide(values), group_indices, filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.0.evaluate(emit_to)?;
        let narrow: Int64Array =
            sums.as_primitive::<Decimal128Type>().try_unary(|sum| i64::try_from(sum).map_err(|_| out_of_range()))?;
        Ok(Arc::new(narrow))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.0.state(emit_to)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.0.merge_batch(states, group_indices, total_num_groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.0.convert_to_state(&wide(values), filter)
    }

    fn size(&self) -> usize {
        self.0.size()
    }
}
