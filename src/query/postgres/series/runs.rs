//! The values of a series, some at a time.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Int32Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;

use super::super::functions::{length_ns, plus};
use super::super::times::Zone;
use crate::error::{Error, SqlState};

/// What is left of a series.
pub enum Run {
    Whole(Left<i64, i64>),
    Exact(Left<i128, i128>),
    /// Times in microseconds; days and months are counted on the calendar of a zone.
    Times(Left<i64, IntervalMonthDayNano>, Zone),
}

/// The next value, if there is one, the bound, and the step.
pub struct Left<V, S> {
    next: Option<V>,
    last: V,
    step: S,
    is_down: bool,
}

impl<V: PartialOrd + Copy, S: Copy> Left<V, S> {
    /// Fails with 22023 for a step that leads nowhere.
    fn new(first: V, last: V, step: S, is_zero: bool, is_down: bool) -> Result<Self> {
        if is_zero {
            let message = "step size cannot equal zero";
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
        }
        Ok(Self { next: Some(first), last, step, is_down })
    }

    /// The next values, at most `most`; `after` is NONE where the type has no more.
    fn take(&mut self, most: usize, after: impl Fn(V, S) -> Result<Option<V>>) -> Result<Vec<V>> {
        let mut values = Vec::new();
        while values.len() < most {
            let Some(value) =
                self.next.filter(|value| if self.is_down { *value >= self.last } else { *value <= self.last })
            else {
                self.next = None;
                break;
            };
            values.push(value);
            self.next = after(value, self.step)?;
        }
        Ok(values)
    }
}

impl Run {
    /// The series of a row of arguments; `None` where one is NULL.
    pub fn of(arguments: &RecordBatch, row: usize, zone: Zone) -> Result<Option<Self>> {
        let columns = arguments.columns();
        if columns.iter().any(|column| column.is_null(row)) {
            return Ok(None);
        }
        let [first, last, step @ ..] = columns else { return Err(unexpected(&DataType::Null)) };
        let step = step.first();
        Ok(Some(match first.data_type() {
            DataType::Int32 => {
                let value = |column: &ArrayRef| i64::from(column.as_primitive::<Int32Type>().value(row));
                Self::whole(value(first), value(last), step.map_or(1, value))?
            }
            DataType::Int64 => {
                let value = |column: &ArrayRef| column.as_primitive::<Int64Type>().value(row);
                Self::whole(value(first), value(last), step.map_or(1, value))?
            }
            DataType::Decimal128(_, scale) => {
                let value = |column: &ArrayRef| column.as_primitive::<Decimal128Type>().value(row);
                let step = step.map_or_else(|| 10i128.pow(u32::from(scale.unsigned_abs())), value);
                Self::Exact(Left::new(value(first), value(last), step, step == 0, step < 0)?)
            }
            DataType::Timestamp(TimeUnit::Microsecond, of_zone) => {
                let value = |column: &ArrayRef| column.as_primitive::<TimestampMicrosecondType>().value(row);
                let Some(step) = step.and_then(|step| step.as_primitive_opt::<IntervalMonthDayNanoType>()) else {
                    return Err(unexpected(first.data_type()));
                };
                let step = step.value(row);
                let length = length_ns(step);
                // A wall time moves on a calendar without changes of clocks.
                let zone = if of_zone.is_some() { zone } else { Zone::UTC };
                Self::Times(Left::new(value(first), value(last), step, length == 0, length < 0)?, zone)
            }
            other => return Err(unexpected(other)),
        }))
    }

    fn whole(first: i64, last: i64, step: i64) -> Result<Self> {
        Ok(Self::Whole(Left::new(first, last, step, step == 0, step < 0)?))
    }

    /// The next values, at most `most`; none after the last.
    pub fn take(&mut self, most: usize, data_type: &DataType) -> Result<ArrayRef> {
        Ok(match self {
            Self::Whole(left) => {
                let values = left.take(most, |value, step| Ok(value.checked_add(step)))?;
                match data_type {
                    // Both ends are of that type, and so is what lies between them.
                    DataType::Int32 => Arc::new(values.into_iter().map(|value| value as i32).collect::<Int32Array>()),
                    _ => Arc::new(Int64Array::from(values)),
                }
            }
            Self::Exact(left) => {
                let values = left.take(most, |value, step| Ok(value.checked_add(step)))?;
                Arc::new(Decimal128Array::from(values).with_data_type(data_type.clone()))
            }
            Self::Times(left, zone) => {
                let zone = *zone;
                let values = left.take(most, |value, step| Ok(Some(plus(value, step, zone)?)))?;
                Arc::new(TimestampMicrosecondArray::from(values).with_data_type(data_type.clone()))
            }
        })
    }
}

fn unexpected(data_type: &DataType) -> datafusion::error::DataFusionError {
    internal_datafusion_err!("a series cannot be made of {data_type}")
}
