//! Functions in which a number says how large their answer is: `repeat('x', 1000000000)`, `range(1, 1000000000000)`.
//!
//! The engine makes such values in one go, while it plans or while it runs, with memory that no pool was asked for and
//! without a look at cancel. So the numbers are looked at first.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use crate::error::{Error, SqlState};
use crate::limits;

/// How the size of an answer follows from the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Size {
    /// The first argument as often as the second says.
    Times,
    /// As many characters or items as the second says.
    Count,
    /// The numbers from the first (or 0) to the second, by the third (or 1).
    Steps,
}

const FUNCTIONS: [(&str, Size); 7] = [
    ("repeat", Size::Times),
    ("lpad", Size::Count),
    ("rpad", Size::Count),
    ("array_repeat", Size::Count),
    ("array_resize", Size::Count),
    ("range", Size::Steps),
    ("generate_series", Size::Steps),
];

/// The functions of a context, each with a look at its numbers; those that it has not are passed over.
pub fn sized(context: &SessionContext) -> Vec<ScalarUDF> {
    let of = |(name, size): (&str, Size)| {
        let inner = context.udf(name).ok()?;
        Some(ScalarUDF::new_from_impl(Bounded { inner, size }))
    };
    FUNCTIONS.into_iter().filter_map(of).collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    size: Size,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes = self.size.bytes(&args.args, args.number_rows)?;
        if bytes > limits::CALL_BYTES as f64 {
            let (name, most) = (self.name(), limits::CALL_BYTES);
            let message =
                format!("{name}() would make {bytes:.0} bytes at a time, more than the {most} that are allowed");
            return Err(DataFusionError::from(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)));
        }
        self.inner.invoke_with_args(args)
    }
}

/// What an item of an array takes at least.
const ITEM_BYTES: f64 = 8.0;

impl Size {
    /// About the bytes of the answers to all rows.
    fn bytes(self, args: &[ColumnarValue], rows: usize) -> Result<f64> {
        let Some(numbers) = numbers(args)? else { return Ok(0.0) };
        // Where all arguments are constants there is one answer.
        let rows = if args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { rows };
        let number = |at: usize, row: usize| -> Option<f64> {
            let column = numbers.get(at)?.as_ref()?;
            let row = if column.len() == 1 { 0 } else { row };
            (row < column.len() && column.is_valid(row)).then(|| column.value(row) as f64)
        };
        let texts = match (self, args.first()) {
            (Self::Times, Some(first)) => Some(lengths(first, rows)?),
            _ => None,
        };
        let is_text =
            |arg: &ColumnarValue| matches!(arg.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let bytes_each = if args.first().is_some_and(is_text) { 1.0 } else { ITEM_BYTES };
        let of_row = |row: usize| match self {
            Self::Times => {
                let length = texts.as_ref().and_then(|texts| texts.get(row)).copied().unwrap_or(0.0);
                length * number(1, row).unwrap_or(0.0)
            }
            Self::Count => number(1, row).unwrap_or(0.0) * bytes_each,
            Self::Steps => {
                let (start, stop) = match args.len() {
                    1 => (Some(0.0), number(0, row)),
                    _ => (number(0, row), number(1, row)),
                };
                let step = if args.len() > 2 { number(2, row) } else { Some(1.0) };
                match (start, stop, step) {
                    (Some(start), Some(stop), Some(step)) if step != 0.0 => (stop - start) / step * ITEM_BYTES,
                    _ => 0.0,
                }
            }
        };
        Ok((0..rows).map(|row| of_row(row).max(0.0)).sum())
    }
}

/// The arguments that are whole numbers; `None` where none is.
fn numbers(args: &[ColumnarValue]) -> Result<Option<Vec<Option<Int64Array>>>> {
    let read = |arg: &ColumnarValue| -> Result<Option<Int64Array>> {
        if !arg.data_type().is_integer() {
            return Ok(None);
        }
        let array: ArrayRef = arg.to_array(1)?;
        Ok(Some(cast(&array, &DataType::Int64)?.as_primitive::<Int64Type>().clone()))
    };
    let columns = args.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(columns.iter().any(Option::is_some).then_some(columns))
}

/// The bytes of each text.
fn lengths(texts: &ColumnarValue, rows: usize) -> Result<Vec<f64>> {
    let array = texts.to_array(rows)?;
    let bytes = |text: Option<&str>| text.map_or(0.0, |text| text.len() as f64);
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(bytes).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(bytes).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(bytes).collect(),
        _ => vec![1.0; rows],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(sql: &str) -> std::result::Result<(), String> {
        let context = SessionContext::new();
        for function in sized(&context) {
            context.register_udf(function);
        }
        let frame = context.sql(sql).await.map_err(|error| error.to_string())?;
        frame.collect().await.map(|_| ()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_would_be_too_large_is_not_made() {
        for call in [
            "repeat('x', 2000000000)",
            "repeat(repeat('x', 1000000), 1000)",
            "lpad('x', 2000000000)",
            "rpad('x', 2000000000, 'ab')",
            "array_repeat(1, 1000000000000)",
            "array_resize([1], 1000000000000)",
            "range(1000000000000)",
            "range(1, 1000000000000)",
            "generate_series(1000000000000, 1, -1)",
        ] {
            for sql in [format!("SELECT {call}"), format!("SELECT {call} FROM (VALUES (1), (2)) AS t (x)")] {
                let refused = answer(&sql).await.expect_err(&sql);
                assert!(refused.contains("at a time, more than the"), "{sql}: {refused}");
            }
        }
        let by_row = answer("SELECT repeat('abc', x) FROM (VALUES (1), (200000000)) AS t (x)").await;
        assert!(by_row.is_err());
    }

    #[tokio::test]
    async fn what_is_not_is_made() {
        for call in [
            "repeat('x', 1000000)",
            "repeat('x', -1)",
            "repeat(NULL, 1000)",
            "lpad('x', 10)",
            "array_repeat(1, 1000)",
            "range(1, 100000)",
            "range(100000, 1)",
            "generate_series(10, 1, -1)",
            "generate_series(DATE '2026-01-01', DATE '2026-02-01', INTERVAL '1 day')",
        ] {
            assert_eq!(answer(&format!("SELECT {call}")).await, Ok(()), "{call}");
        }
    }
}
