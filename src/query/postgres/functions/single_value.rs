//! `single_value(x)`: the one value of a group, an error if there are two.
//!
//! PostgreSQL allows a correlated scalar subquery without an aggregate and fails when it finds a second row;
//! DataFusion wants an aggregate there. This one says exactly what PostgreSQL means.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::error::{Error, SqlState};

/// The function's name in rewritten statements.
pub const SINGLE_VALUE: &str = "single_value";

/// The aggregate.
pub fn single_value() -> AggregateUDF {
    AggregateUDF::new_from_impl(SingleValue { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        SINGLE_VALUE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Value { value: None, null: ScalarValue::try_from(args.return_field.data_type())? }))
    }

    /// The value, and whether there is one: NULL is a value.
    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(format!("{}[value]", args.name), args.return_field.data_type().clone(), true)),
            Arc::new(Field::new(format!("{}[is_set]", args.name), DataType::Boolean, false)),
        ])
    }
}

#[derive(Debug)]
struct Value {
    value: Option<ScalarValue>,
    null: ScalarValue,
}

impl Value {
    fn observe(&mut self, value: ScalarValue) -> Result<()> {
        if self.value.replace(value).is_some() {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(DataFusionError::from(Error::new(SqlState("21000"), message)));
        }
        Ok(())
    }
}

impl Accumulator for Value {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        (0..values[0].len()).try_for_each(|index| self.observe(ScalarValue::try_from_array(&values[0], index)?))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone().unwrap_or_else(|| self.null.clone()))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.as_ref().map_or(0, ScalarValue::size)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?, ScalarValue::Boolean(Some(self.value.is_some()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for index in 0..states[0].len() {
            if ScalarValue::try_from_array(&states[1], index)? == ScalarValue::Boolean(Some(true)) {
                self.observe(ScalarValue::try_from_array(&states[0], index)?)?;
            }
        }
        Ok(())
    }
}
