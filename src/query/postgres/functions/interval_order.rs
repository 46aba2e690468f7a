//! How long an interval is, as PostgreSQL compares intervals: a month is 30 days and a day is 24 hours.
//!
//! `interval_order(x)` is a number that compares as PostgreSQL compares `x`, where the engine would compare months
//! first, then days, then time, so that 25 hours were less than a day. In lists and records it stands for each interval
//! in them. `interval_greatest`, `interval_least` and `interval_nullif` choose by it.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, IntervalMonthDayNanoArray, LargeListArray, ListArray, StructArray,
};
use datafusion::arrow::compute::{cast, nullif};
use datafusion::arrow::datatypes::{
    DataType, DurationNanosecondType, DurationSecondType, Field, FieldRef, Fields, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::plan_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply_cmp;

use super::times::over_columns;

/// Intervals as the engine computes with them.
pub const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Nanoseconds: the longest interval has 5.6e24 of them, which are too many for 64 bits.
const LENGTH: DataType = DataType::Decimal128(38, 0);

const DAYS_PER_MONTH: i128 = 30;
const NANOS_PER_DAY: i128 = 86_400_000_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// What an interval is compared by.
pub fn interval_order() -> Arc<ScalarUDF> {
    Body::Order.udf()
}

/// The longest of intervals, or the shortest.
pub fn interval_choice(is_greatest: bool) -> Arc<ScalarUDF> {
    if is_greatest { Body::Greatest.udf() } else { Body::Least.udf() }
}

/// `nullif(x, y)` of intervals, or of what holds them.
pub fn interval_nullif() -> Arc<ScalarUDF> {
    Body::Nullif.udf()
}

/// Whether values of a type are intervals, or lists or records of them.
pub fn holds_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(_) => true,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            holds_interval(item.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| holds_interval(field.data_type())),
        _ => false,
    }
}

/// Nanoseconds that an interval counts as where it is compared.
pub fn length_ns(span: IntervalMonthDayNano) -> i128 {
    let days = i128::from(span.months) * DAYS_PER_MONTH + i128::from(span.days);
    days * NANOS_PER_DAY + i128::from(span.nanoseconds)
}

/// The order of intervals by length; of equal ones, 30 days are less than a month, and 24 hours less than a day.
pub fn total_order(one: &IntervalMonthDayNano, other: &IntervalMonthDayNano) -> Ordering {
    let key = |span: &IntervalMonthDayNano| (length_ns(*span), span.months, span.days);
    key(one).cmp(&key(other))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Body {
    Order,
    Greatest,
    Least,
    Nullif,
}

impl Body {
    fn udf(self) -> Arc<ScalarUDF> {
        static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 4]> = LazyLock::new(|| {
            [Body::Order, Body::Greatest, Body::Least, Body::Nullif].map(|body| {
                let signature = match body {
                    Body::Order => Signature::any(1, Volatility::Immutable),
                    Body::Greatest | Body::Least => Signature::variadic_any(Volatility::Immutable),
                    Body::Nullif => Signature::any(2, Volatility::Immutable),
                };
                Arc::new(ScalarUDF::new_from_impl(LengthFunction { body, signature }))
            })
        });
        Arc::clone(&FUNCTIONS[self as usize])
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct LengthFunction {
    body: Body,
    signature: Signature,
}

impl ScalarUDFImpl for LengthFunction {
    fn name(&self) -> &str {
        match self.body {
            Body::Order => "interval_order",
            Body::Greatest => "interval_greatest",
            Body::Least => "interval_least",
            Body::Nullif => "interval_nullif",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (self.body, types) {
            (Body::Order, [span]) => Ok(length_type(span)),
            (Body::Greatest | Body::Least, [_, ..]) => Ok(INTERVAL),
            (Body::Nullif, [value, _]) => Ok(value.clone()),
            _ => plan_err!("function {} cannot take {} arguments", self.name(), types.len()),
        }
    }

    fn is_strict(&self) -> bool {
        self.body == Body::Order
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        over_columns(&args, |columns| match (self.body, columns) {
            (Body::Order, [spans]) => lengths(spans),
            (Body::Nullif, [values, others]) => {
                let lengths = [lengths(values)?, lengths(others)?].map(ColumnarValue::Array);
                let equal = apply_cmp(Operator::Eq, &lengths[0], &lengths[1])?.into_array(values.len())?;
                Ok(nullif(values, equal.as_boolean())?)
            }
            (Body::Greatest, spans) => choose(spans, Ordering::Greater),
            (_, spans) => choose(spans, Ordering::Less),
        })
    }
}

fn length_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Interval(_) | DataType::Duration(_) => LENGTH,
        other if !holds_interval(other) => other.clone(),
        DataType::List(item) | DataType::FixedSizeList(item, _) => DataType::List(length_field(item)),
        DataType::LargeList(item) => DataType::LargeList(length_field(item)),
        DataType::Struct(fields) => DataType::Struct(length_fields(fields)),
        other => other.clone(),
    }
}

fn length_field(field: &FieldRef) -> FieldRef {
    if !holds_interval(field.data_type()) {
        return Arc::clone(field);
    }
    Arc::new(Field::new(field.name(), length_type(field.data_type()), field.is_nullable()))
}

fn length_fields(fields: &Fields) -> Fields {
    fields.iter().map(length_field).collect()
}

fn lengths(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Interval(_) => {
            let lengths: Decimal128Array = spans(values)?.unary(length_ns);
            Arc::new(lengths.with_data_type(LENGTH))
        }
        DataType::Duration(TimeUnit::Second) => {
            let seconds = values.as_primitive::<DurationSecondType>();
            let lengths: Decimal128Array = seconds.unary(|seconds| i128::from(seconds) * NANOS_PER_SECOND);
            Arc::new(lengths.with_data_type(LENGTH))
        }
        DataType::Duration(unit) => {
            let scale = match unit {
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1_000,
                _ => 1,
            };
            // All of them are 64 bits wide: read as one type, and counted in their own unit.
            let counts = values.to_data().into_builder().data_type(DataType::Duration(TimeUnit::Nanosecond)).build()?;
            let counts = datafusion::arrow::array::PrimitiveArray::<DurationNanosecondType>::from(counts);
            let lengths: Decimal128Array = counts.unary(|count| i128::from(count) * scale);
            Arc::new(lengths.with_data_type(LENGTH))
        }
        other if !holds_interval(other) => Arc::clone(values),
        DataType::List(item) => {
            let lists = values.as_list::<i32>();
            let items = lengths(lists.values())?;
            Arc::new(ListArray::try_new(length_field(item), lists.offsets().clone(), items, lists.nulls().cloned())?)
        }
        DataType::LargeList(item) => {
            let lists = values.as_list::<i64>();
            let items = lengths(lists.values())?;
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Arc::new(LargeListArray::try_new(length_field(item), offsets, items, nulls)?)
        }
        DataType::FixedSizeList(item, _) => lengths(&cast(values, &DataType::List(Arc::clone(item)))?)?,
        DataType::Struct(fields) => {
            let records = values.as_struct();
            let columns = records.columns().iter().map(lengths).collect::<Result<Vec<ArrayRef>>>()?;
            Arc::new(StructArray::try_new(length_fields(fields), columns, records.nulls().cloned())?)
        }
        _ => Arc::clone(values),
    })
}

/// Intervals in the engine's encoding.
fn spans(values: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    Ok(match values.data_type() {
        &INTERVAL => values.as_primitive::<IntervalMonthDayNanoType>().clone(),
        _ => cast(values, &INTERVAL)?.as_primitive::<IntervalMonthDayNanoType>().clone(),
    })
}

/// The interval of each row that comes first in an order; NULL counts for nothing.
fn choose(columns: &[ArrayRef], first: Ordering) -> Result<ArrayRef> {
    let columns = columns.iter().map(spans).collect::<Result<Vec<_>>>()?;
    let rows = columns.first().map_or(0, IntervalMonthDayNanoArray::len);
    let chosen = (0..rows).map(|row| {
        let given = columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row));
        given.reduce(|best, next| if length_ns(next).cmp(&length_ns(best)) == first { next } else { best })
    });
    Ok(Arc::new(chosen.collect::<IntervalMonthDayNanoArray>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn span(months: i32, days: i32, hours: i64) -> IntervalMonthDayNano {
        IntervalMonthDayNano::new(months, days, hours * HOUR)
    }

    #[test]
    fn a_month_is_thirty_days_and_a_day_is_twenty_four_hours() {
        assert_eq!(length_ns(span(1, 0, 0)), length_ns(span(0, 30, 0)));
        assert_eq!(length_ns(span(0, 1, 0)), length_ns(span(0, 0, 24)));
        assert!(length_ns(span(0, 0, 25)) > length_ns(span(0, 1, 0)));
        assert!(length_ns(span(1, -31, 0)) < 0);
    }

    #[test]
    fn the_longest_interval_has_a_length() {
        let longest = IntervalMonthDayNano::new(i32::MAX, i32::MAX, i64::MAX);
        let shortest = IntervalMonthDayNano::new(i32::MIN, i32::MIN, i64::MIN);
        assert!(length_ns(longest) < 10i128.pow(38) && length_ns(shortest) > -(10i128.pow(38)));
    }

    #[test]
    fn equal_intervals_have_an_order_too() {
        assert_eq!(total_order(&span(0, 30, 0), &span(1, 0, 0)), Ordering::Less);
        assert_eq!(total_order(&span(0, 0, 24), &span(0, 1, 0)), Ordering::Less);
        assert_eq!(total_order(&span(0, 1, 0), &span(0, 1, 0)), Ordering::Equal);
    }

    #[test]
    fn spans_of_every_unit_are_counted_in_nanoseconds() {
        for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            let hour = cast(
                &(Arc::new(datafusion::arrow::array::DurationSecondArray::from(vec![Some(3600), None])) as ArrayRef),
                &DataType::Duration(unit),
            );
            let lengths = lengths(&hour.unwrap()).unwrap();
            let lengths = lengths.as_primitive::<datafusion::arrow::datatypes::Decimal128Type>();
            assert_eq!(lengths.value(0), i128::from(HOUR));
            assert!(lengths.is_null(1));
        }
    }
}
