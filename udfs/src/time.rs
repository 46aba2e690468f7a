//! Time as every function counts it: microseconds since 1970-01-01 UTC in an `i64`.

use datafusion::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use datafusion::arrow::buffer::{NullBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, internal_err};

use crate::error::{UserError, sqlstate};

const SECOND_US: i64 = 1_000_000;
/// Microseconds of a day without a calendar.
pub(crate) const DAY_US: i64 = 86_400 * SECOND_US;

/// The type that a function gives back for a time of type `data_type`; `None` if that is no time.
pub(crate) fn answer_type(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        DataType::Date32 | DataType::Date64 | DataType::Null => Some(DataType::Timestamp(TimeUnit::Microsecond, None)),
        _ => None,
    }
}

/// A column of times as microseconds, with its NULLs.
///
/// Microseconds are taken as they are, without a copy. Nanoseconds are floored, before anything is ordered or compared.
/// Seconds, milliseconds and dates are multiplied; the extremes of their type are the infinities and stay extreme.
///
/// # Errors
/// 22008 when a time does not fit.
pub(crate) fn micros(times: &ArrayRef) -> Result<(ScalarBuffer<i64>, Option<NullBuffer>)> {
    let nulls = times.logical_nulls();
    let values = match times.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            times.as_primitive::<TimestampMicrosecondType>().values().clone()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            times.as_primitive::<TimestampNanosecondType>().values().iter().map(|ns| ns.div_euclid(1_000)).collect()
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => scaled::<TimestampMillisecondType>(times, 1_000)?,
        DataType::Timestamp(TimeUnit::Second, _) => scaled::<TimestampSecondType>(times, SECOND_US)?,
        DataType::Date32 => scaled::<Date32Type>(times, DAY_US)?,
        DataType::Date64 => scaled::<Date64Type>(times, 1_000)?,
        DataType::Null => vec![0; times.len()].into(),
        other => return internal_err!("a time of type {other} passed the check of types"),
    };
    Ok((values, nulls))
}

fn scaled<T: ArrowPrimitiveType>(times: &ArrayRef, unit_us: i64) -> Result<ScalarBuffer<i64>>
where
    T::Native: Into<i64> + Bounded,
{
    let times = times.as_primitive::<T>();
    let mut values = Vec::with_capacity(times.len());
    for (row, &time) in times.values().iter().enumerate() {
        let time_us = if time == T::Native::MAX {
            i64::MAX
        } else if time == T::Native::MIN {
            i64::MIN
        } else {
            match Into::<i64>::into(time).checked_mul(unit_us) {
                Some(time_us) => time_us,
                None if times.is_null(row) => 0,
                None => return Err(overflow(times.data_type(), time.into()).into()),
            }
        };
        values.push(time_us);
    }
    Ok(values.into())
}

/// A span of time as PostgreSQL subtracts two times: days of 24 hours, and the rest.
pub(crate) fn interval(span_us: i64) -> IntervalMonthDayNano {
    // At most 2^63 us are 106,751,991 days.
    IntervalMonthDayNano::new(0, (span_us / DAY_US) as i32, span_us % DAY_US * 1_000)
}

fn overflow(data_type: &DataType, value: i64) -> UserError {
    UserError::new(
        sqlstate::DATETIME_OVERFLOW,
        format!("event_time out of range: {value} in {data_type} does not fit in microseconds"),
    )
    .with_hint("Filter out the rows whose time is not a time; 292,000 years around 1970 fit.")
}

trait Bounded {
    const MIN: Self;
    const MAX: Self;
}

impl Bounded for i32 {
    const MIN: Self = i32::MIN;
    const MAX: Self = i32::MAX;
}

impl Bounded for i64 {
    const MIN: Self = i64::MIN;
    const MAX: Self = i64::MAX;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{
        Date32Array, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    };

    use super::*;

    fn values(times: ArrayRef) -> Vec<i64> {
        micros(&times).unwrap().0.to_vec()
    }

    #[test]
    fn nanoseconds_are_floored_also_before_1970() {
        let times = TimestampNanosecondArray::from(vec![1_999, -1, i64::MAX, i64::MIN]);
        assert_eq!(values(Arc::new(times)), vec![1, -1, 9_223_372_036_854_775, -9_223_372_036_854_776]);
    }

    #[test]
    fn seconds_and_dates_are_multiplied_and_infinities_stay() {
        assert_eq!(values(Arc::new(TimestampSecondArray::from(vec![2, i64::MAX]))), vec![2_000_000, i64::MAX]);
        assert_eq!(values(Arc::new(Date32Array::from(vec![1, i32::MIN]))), vec![DAY_US, i64::MIN]);
    }

    #[test]
    fn a_time_that_does_not_fit_is_an_error_and_under_a_null_is_none() {
        let too_far = i64::MAX / 2;
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(1), Some(too_far)]));
        let error = micros(&times).unwrap_err();
        assert_eq!(UserError::find(&error).unwrap().sqlstate, "22008");
        let hidden = TimestampMillisecondArray::new(vec![1, too_far].into(), Some(vec![true, false].into()));
        assert_eq!(micros(&(Arc::new(hidden) as ArrayRef)).unwrap().0[0], 1_000);
    }
}
