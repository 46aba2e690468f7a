//! Functions in which a number says how large their answer is: `repeat('x', 1000000000)`, `range(1, 1000000000000)`.
//!
//! The engine makes such values in one go, while it plans or while it runs, with memory that no pool was asked for and
//! without a look at cancel. So the numbers are looked at first.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, FieldRef, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::prelude::SessionContext;

use super::interval_order::{INTERVAL, length_ns};
use crate::error::{Error, SqlState};
use crate::limits;

/// How the size of an answer follows from the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Size {
    /// The first argument as often as the second says, as one text.
    Text,
    /// The first argument as often as the second says, as items of an array.
    Items,
    /// As many characters as the second says, of the third.
    Characters,
    /// As many items as the second says, of the third.
    Resized,
    /// The numbers or times from the first (or 0) to the second, by the third (or 1).
    Steps,
}

const FUNCTIONS: [(&str, Size); 7] = [
    ("repeat", Size::Text),
    ("lpad", Size::Characters),
    ("rpad", Size::Characters),
    ("array_repeat", Size::Items),
    ("array_resize", Size::Resized),
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
            let message = match bytes.is_finite() {
                true => {
                    format!("{name}() would make {bytes:.0} bytes at a time, more than the {most} that are allowed")
                }
                false => format!("{name}() would make values without end"),
            };
            return Err(DataFusionError::from(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)));
        }
        self.inner.invoke_with_args(args)
    }
}

/// What an item of an array takes at least.
const ITEM_BYTES: f64 = 8.0;

/// What a character of a text may take.
const CHARACTER_BYTES: f64 = 4.0;

impl Size {
    /// About the bytes of the answers to all rows; infinite where an answer would not end.
    fn bytes(self, args: &[ColumnarValue], rows: usize) -> Result<f64> {
        // Where all arguments are constants there is one answer.
        let rows = if args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) { 1 } else { rows };
        match self {
            Self::Text => {
                let (each, count) = (column(args.first(), value_bytes)?, column(args.get(1), whole_numbers)?);
                Ok(sum(rows, |row| Some(each.at(row)? * count.at(row)?)))
            }
            Self::Items => {
                // NULL is an item as well.
                let (each, count) = (column(args.first(), value_bytes)?, column(args.get(1), whole_numbers)?);
                Ok(sum(rows, |row| Some((each.at(row).unwrap_or(0.0) + ITEM_BYTES) * count.at(row)?)))
            }
            Self::Characters => {
                let count = column(args.get(1), whole_numbers)?;
                let is_ascii = match args.get(2) {
                    Some(fill) => is_ascii(&fill.to_array(1)?)?,
                    None => true,
                };
                let each = if is_ascii { 1.0 } else { CHARACTER_BYTES };
                Ok(sum(rows, |row| Some(each * count.at(row)?)))
            }
            Self::Resized => {
                let count = column(args.get(1), whole_numbers)?;
                let each = column(args.get(2), value_bytes)?;
                Ok(sum(rows, |row| Some((each.at(row).unwrap_or(0.0) + ITEM_BYTES) * count.at(row)?)))
            }
            Self::Steps => match args {
                [first, last, step] if matches!(step.data_type(), DataType::Interval(_)) => {
                    let (start, stop) = (column(Some(first), times_ns)?, column(Some(last), times_ns)?);
                    let of_days = matches!(first.data_type(), DataType::Date32 | DataType::Date64);
                    let steps = cast(&step.to_array(1)?, &INTERVAL)?;
                    let steps = steps.as_primitive::<IntervalMonthDayNanoType>();
                    let step_at = |row: usize| {
                        let row = if steps.len() == 1 { 0 } else { row };
                        (row < steps.len() && steps.is_valid(row)).then(|| steps.value(row))
                    };
                    let of_row = |row| Some(times(start.at(row)?, stop.at(row)?, step_at(row)?, of_days) * ITEM_BYTES);
                    Ok(sum(rows, of_row))
                }
                _ => {
                    let numbers = args.iter().map(|arg| column(Some(arg), whole_numbers));
                    let numbers = numbers.collect::<Result<Vec<Column>>>()?;
                    let of_row = |row: usize| {
                        let (start, stop, step) = match numbers.as_slice() {
                            [stop] => (0.0, stop.at(row)?, 1.0),
                            [start, stop] => (start.at(row)?, stop.at(row)?, 1.0),
                            [start, stop, step] => (start.at(row)?, stop.at(row)?, step.at(row)?),
                            _ => return None,
                        };
                        (step != 0.0).then(|| (stop - start) / step * ITEM_BYTES)
                    };
                    Ok(sum(rows, of_row))
                }
            },
        }
    }
}

/// What all rows make together; a row of which something is NULL makes nothing.
fn sum(rows: usize, of_row: impl Fn(usize) -> Option<f64>) -> f64 {
    (0..rows).filter_map(of_row).map(|bytes| bytes.max(0.0)).sum()
}

/// A number for each row, or one for all.
struct Column(Vec<Option<f64>>);

impl Column {
    fn at(&self, row: usize) -> Option<f64> {
        let row = if self.0.len() == 1 { 0 } else { row };
        self.0.get(row).copied().flatten()
    }
}

/// What is read of an argument, once where it is a constant; nothing of an argument that is not there.
fn column(arg: Option<&ColumnarValue>, read: impl Fn(&ArrayRef) -> Result<Vec<Option<f64>>>) -> Result<Column> {
    let Some(arg) = arg else { return Ok(Column(vec![])) };
    Ok(Column(read(&arg.to_array(1)?)?))
}

/// Whole numbers; NULL of other types.
fn whole_numbers(values: &ArrayRef) -> Result<Vec<Option<f64>>> {
    if !values.data_type().is_integer() {
        return Ok(vec![None; values.len()]);
    }
    let numbers = cast(values, &DataType::Int64)?;
    Ok(numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(|number| number as f64)).collect())
}

/// Nanoseconds since 1970.
fn times_ns(values: &ArrayRef) -> Result<Vec<Option<f64>>> {
    let unit_ns = match values.data_type() {
        DataType::Date32 => NANOS_PER_DAY,
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => 1e6,
        DataType::Timestamp(TimeUnit::Second, _) => 1e9,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1e3,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1.0,
        _ => return Ok(vec![None; values.len()]),
    };
    let counts = match values.data_type() {
        DataType::Date32 => cast(values, &DataType::Int32)?,
        _ => Arc::clone(values),
    };
    let counts = cast(&counts, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    Ok(counts.iter().map(|count| count.map(|count| count as f64 * unit_ns)).collect())
}

const NANOS_PER_DAY: f64 = 86_400e9;

/// How many times there are from `start` to `stop`; infinite where a step does not surely come nearer to the stop.
///
/// A step of months and days of two signs may go either way, and the engine goes on until it has passed the stop. Days
/// that are stepped through have no clock: what a step has of hours is lost where it makes no day.
fn times(start_ns: f64, stop_ns: f64, step: IntervalMonthDayNano, of_days: bool) -> f64 {
    let IntervalMonthDayNano { months, days, nanoseconds } = step;
    if (months, days) == (0, 0) && (of_days || nanoseconds == 0) {
        // An error, which the function itself says.
        return 0.0;
    }
    let is_down = if of_days { months < 0 || days < 0 } else { length_ns(step) < 0 };
    let toward = |value: f64| if is_down { -value } else { value };
    let months = toward(f64::from(months));
    let shortest_days = months * if months < 0.0 { 31.0 } else { 28.0 } + toward(f64::from(days));
    let clock_ns = toward(nanoseconds as f64);
    let least_ns = match of_days {
        true => (shortest_days + (clock_ns / NANOS_PER_DAY).floor()) * NANOS_PER_DAY,
        false => shortest_days * NANOS_PER_DAY + clock_ns,
    };
    let way_ns = toward(stop_ns - start_ns);
    match (least_ns > 0.0, way_ns < 0.0) {
        (true, _) => way_ns / least_ns,
        (false, true) if of_days => 0.0,
        (false, _) => f64::INFINITY,
    }
}

/// The bytes of each value, with those of the values in it.
fn value_bytes(values: &ArrayRef) -> Result<Vec<Option<f64>>> {
    let text = |text: Option<&str>| text.map(|text| text.len() as f64);
    let bytes = |bytes: Option<&[u8]>| bytes.map(|bytes| bytes.len() as f64);
    Ok(match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().iter().map(text).collect(),
        DataType::LargeUtf8 => values.as_string::<i64>().iter().map(text).collect(),
        DataType::Utf8View => values.as_string_view().iter().map(text).collect(),
        DataType::Binary => values.as_binary::<i32>().iter().map(bytes).collect(),
        DataType::LargeBinary => values.as_binary::<i64>().iter().map(bytes).collect(),
        DataType::BinaryView => values.as_binary_view().iter().map(bytes).collect(),
        DataType::List(_) => {
            let lists = values.as_list::<i32>();
            between(lists.values(), lists.offsets().iter().map(|offset| *offset as usize))?
        }
        DataType::LargeList(_) => {
            let lists = values.as_list::<i64>();
            between(lists.values(), lists.offsets().iter().map(|offset| *offset as usize))?
        }
        DataType::Map(..) => {
            let maps = values.as_map();
            let entries: ArrayRef = Arc::new(maps.entries().clone());
            between(&entries, maps.offsets().iter().map(|offset| *offset as usize))?
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or(0);
            between(values.as_fixed_size_list().values(), (0..=values.len()).map(|row| row * length))?
        }
        DataType::Struct(_) => {
            let columns = values.as_struct().columns().iter().map(value_bytes);
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let of_row = |row: usize| columns.iter().filter_map(|column| column[row]).sum();
            (0..values.len()).map(|row| Some(of_row(row))).collect()
        }
        DataType::FixedSizeBinary(width) => vec![Some(f64::from(*width)); values.len()],
        other => vec![Some(other.primitive_width().unwrap_or(1) as f64); values.len()],
    })
}

/// The bytes of lists from the places where they begin and end among their items.
fn between(items: &ArrayRef, mut offsets: impl Iterator<Item = usize>) -> Result<Vec<Option<f64>>> {
    let mut sums = vec![0.0];
    sums.extend(value_bytes(items)?.into_iter().scan(0.0, |sum, bytes| {
        *sum += bytes.unwrap_or(0.0) + ITEM_BYTES;
        Some(*sum)
    }));
    let Some(mut from) = offsets.next() else { return Ok(vec![]) };
    let of_list = offsets.map(|to| {
        let bytes = sums[to] - sums[from];
        from = to;
        Some(bytes)
    });
    Ok(of_list.collect())
}

/// Whether all texts are of characters of one byte.
fn is_ascii(texts: &ArrayRef) -> Result<bool> {
    let texts = cast(texts, &DataType::LargeUtf8)?;
    Ok(texts.as_string::<i64>().is_ascii())
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
            "generate_series(TIMESTAMP '1700-01-01', TIMESTAMP '2262-01-01', INTERVAL '1 microsecond')",
            "generate_series(TIMESTAMP '2026-01-02', TIMESTAMP '2026-01-01', INTERVAL '-1 microsecond')",
            "range(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '1 microsecond')",
            "lpad('x', 100000000, '茶')",
            "array_repeat(range(1, 1000001), 2000)",
            "array_repeat(CAST(NULL AS text), 1000000000000)",
            "array_repeat(repeat('x', 1000000), 2000)",
            "array_repeat([repeat('x', 1000000), 'y'], 2000)",
            "array_repeat(named_struct('t', repeat('x', 1000000)), 2000)",
            "array_resize(['x'], 2000, repeat('x', 1000000))",
        ] {
            for sql in [format!("SELECT {call}"), format!("SELECT {call} FROM (VALUES (1), (2)) AS t (x)")] {
                let refused = answer(&sql).await.expect_err(&sql);
                assert!(refused.contains("at a time, more than the"), "{sql}: {refused}");
            }
        }
        for endless in [
            "generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '1 month -30 days')",
            "generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '1 day -24 hours')",
            "generate_series(DATE '2026-01-01', DATE '2026-01-02', INTERVAL '1 day -12 hours')",
            "generate_series(DATE '2026-01-02', DATE '2026-01-01', INTERVAL '1 month -1 day')",
        ] {
            let refused = answer(&format!("SELECT {endless}")).await.expect_err(endless);
            assert!(refused.contains("values without end"), "{endless}: {refused}");
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
            "generate_series(DATE '2026-02-01', DATE '2026-01-01', INTERVAL '-1 day')",
            "generate_series(DATE '2026-01-01', DATE '2036-01-01', INTERVAL '1 month -1 day')",
            "generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-02', INTERVAL '1 second')",
            "generate_series(TIMESTAMP '2026-01-02', TIMESTAMP '2026-01-01', INTERVAL '1 microsecond')",
            "range(TIMESTAMP '2026-01-01', TIMESTAMP '2036-01-01', INTERVAL '1 month')",
            "array_repeat(range(1, 1001), 100)",
            "array_repeat(NULL, 10)",
            "array_resize(['x'], 10)",
        ] {
            assert_eq!(answer(&format!("SELECT {call}")).await, Ok(()), "{call}");
        }
    }
}
