//! `array_or_empty(a)`: the array, or one without items where it is NULL.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::times::over_columns;

/// What `ARRAY(SELECT ...)` is called around its array.
pub const ARRAY_OR_EMPTY: &str = "array_or_empty";

/// The function; its answer has the type of its argument.
pub fn array_or_empty() -> ScalarUDF {
    ScalarUDF::new_from_impl(ArrayOrEmpty { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayOrEmpty {
    signature: Signature,
}

impl ScalarUDFImpl for ArrayOrEmpty {
    fn name(&self) -> &str {
        ARRAY_OR_EMPTY
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_columns(&args, |columns| match columns {
            [lists] => match lists.data_type() {
                DataType::List(_) if lists.null_count() > 0 => Ok(Arc::new(without_nulls(lists.as_list())?)),
                _ => Ok(Arc::clone(lists)),
            },
            _ => exec_err!("{ARRAY_OR_EMPTY} was called with {} arguments", columns.len()),
        })
    }
}

fn without_nulls(lists: &ListArray) -> Result<ListArray> {
    let DataType::List(field) = lists.data_type() else { return Ok(lists.clone()) };
    // What stands behind a NULL is nobody's: its items are passed over by lists that are cut anew.
    let parts: Vec<_> = (0..lists.len()).filter(|row| lists.is_valid(*row)).map(|row| lists.value(row)).collect();
    let lengths = (0..lists.len()).map(|row| if lists.is_valid(row) { lists.value_length(row) as usize } else { 0 });
    let offsets = OffsetBuffer::from_lengths(lengths);
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let items = match parts.as_slice() {
        [] => lists.values().slice(0, 0),
        parts => concat(parts)?,
    };
    Ok(ListArray::try_new(Arc::clone(field), offsets, items, None)?)
}
