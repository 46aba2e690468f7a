//! `to_char`, `to_date`, `to_timestamp` and `to_number`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, StringBuilder, StringViewArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Field, FieldRef, Float64Type,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::times::{WALL, instant_type, is_text, micros, over_columns, session_zone, texts, type_name};
use crate::error::{Error, SqlState};
use crate::query::postgres::formats::write::{Moment, write};
use crate::query::postgres::formats::write_number::{Digits, scientific_decimal, scientific_float};
use crate::query::postgres::formats::{NumberPattern, TimePattern, read, to_number};
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::calendar::{MICROS_PER_DAY, days_and_time};
use crate::query::postgres::times::zone::is_infinite;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const MICROS_PER_SECOND: f64 = 1_000_000.0;

/// The four functions.
pub fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    static FUNCTIONS: LazyLock<[Arc<ScalarUDF>; 4]> = LazyLock::new(|| {
        [Body::Char, Body::Date, Body::Timestamp, Body::Number].map(|body| {
            let signature = Signature::user_defined(Volatility::Stable);
            Arc::new(ScalarUDF::new_from_impl(FormatFunction { body, signature }))
        })
    });
    FUNCTIONS.iter().cloned()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Body {
    Char,
    Date,
    Timestamp,
    Number,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FormatFunction {
    body: Body,
    signature: Signature,
}

impl ScalarUDFImpl for FormatFunction {
    fn name(&self) -> &str {
        match self.body {
            Body::Char => "to_char",
            Body::Date => "to_date",
            Body::Timestamp => "to_timestamp",
            Body::Number => "to_number",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_words = |given: &DataType| is_text(given) || given.is_null();
        let coerced = match (self.body, types) {
            (Body::Char, [value, pattern]) if is_words(pattern) => {
                written_as(value).map(|value| vec![value, DataType::Utf8View])
            }
            (Body::Date | Body::Timestamp, [text, pattern]) if is_words(text) && is_words(pattern) => {
                Some(vec![DataType::Utf8View; 2])
            }
            // A constant stays one: the scale of the answer depends on it.
            (Body::Number, [text, pattern]) if is_words(text) && is_words(pattern) => {
                Some(vec![DataType::Utf8View, DataType::Utf8])
            }
            (Body::Timestamp, [seconds]) if seconds.is_numeric() || seconds.is_null() => Some(vec![DataType::Float64]),
            _ => None,
        };
        coerced.ok_or_else(|| {
            let types: Vec<String> = types.iter().map(type_name).collect();
            let message = format!("function {}({}) does not exist", self.name(), types.join(", "));
            Error::new(SqlState::UNDEFINED_FUNCTION, message)
                .with_hint("No function matches the given name and argument types.")
                .into()
        })
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        match self.body {
            Body::Char => Ok(DataType::Utf8),
            Body::Date => Ok(DataType::Date32),
            Body::Timestamp => Ok(instant_type()),
            Body::Number => plan_err!("the type of to_number depends on its pattern"),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let data_type = match self.body {
            Body::Number => {
                let pattern = args.scalar_arguments.get(1).copied().flatten().and_then(ScalarValue::try_as_str);
                let Some(pattern) = pattern else {
                    let message = "to_number with a pattern that is not a constant is not supported";
                    return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message).into());
                };
                DataType::Decimal128(38, number_scale(pattern.unwrap_or_default())?)
            }
            _ => self.return_type(&[])?,
        };
        Ok(Field::new(self.name(), data_type, true).into())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let zone = session_zone(&args.config_options);
        let data_type = args.return_field.data_type().clone();
        over_columns(&args, |columns| match (self.body, columns) {
            (Body::Char, [values, patterns]) => to_char(values, texts(patterns)?, zone),
            (Body::Date, [values, patterns]) => {
                let days = read_each(texts(values)?, texts(patterns)?, |text, pattern| {
                    let days = read::read(text, pattern)?.days;
                    let out_of_range = || Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "date out of range");
                    i32::try_from(days).map_err(|_| out_of_range())
                });
                Ok(Arc::new(days.collect::<Result<Date32Array, Error>>()?))
            }
            (Body::Timestamp, [values, patterns]) => {
                let instants = read_each(texts(values)?, texts(patterns)?, |text, pattern| {
                    read::read(text, pattern)?.instant(zone)
                });
                let instants = instants.collect::<Result<TimestampMicrosecondArray, Error>>()?;
                Ok(Arc::new(instants.with_timezone("UTC")))
            }
            (Body::Timestamp, [seconds]) => {
                let seconds: &Float64Array = seconds.as_primitive::<Float64Type>();
                let instants = seconds.iter().map(|seconds| seconds.map(instant_of_seconds).transpose());
                let instants = instants.collect::<Result<TimestampMicrosecondArray, Error>>()?;
                Ok(Arc::new(instants.with_timezone("UTC")))
            }
            (Body::Number, [values, patterns]) => to_numbers(values, patterns, &data_type),
            _ => exec_err!("function {} was called with {} arguments", self.name(), columns.len()),
        })
    }
}

/// The type that a value is brought to before it is written; `None` where it cannot be.
fn written_as(value: &DataType) -> Option<DataType> {
    Some(match value {
        DataType::Timestamp(_, None) | DataType::Null => WALL,
        DataType::Timestamp(_, Some(_)) => instant_type(),
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Interval(_) => INTERVAL,
        // Cast to an interval it would have no days, of which PostgreSQL's difference of two times is made.
        DataType::Duration(_) => DataType::Duration(TimeUnit::Microsecond),
        // A time of day is written as the interval since midnight.
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        integer if integer.is_integer() => DataType::Decimal128(19, 0),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        _ => return None,
    })
}

/// The instant that is so many seconds from 1970 in UTC.
fn instant_of_seconds(seconds: f64) -> Result<i64, Error> {
    if seconds.is_nan() {
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    // Whole seconds first: together with the fraction they would lose its last digits.
    let whole = seconds.floor();
    let micros = whole * MICROS_PER_SECOND + ((seconds - whole) * MICROS_PER_SECOND).round_ties_even();
    if micros.abs() >= 9.2e18 {
        let message = format!("timestamp out of range: \"{seconds}\"");
        return Err(Error::new(SqlState::DATETIME_FIELD_OVERFLOW, message));
    }
    Ok(micros as i64)
}

/// Reads each text by the pattern beside it; a pattern that comes again is not parsed again.
fn read_each<'a, T>(
    values: &'a StringViewArray,
    patterns: &'a StringViewArray,
    read: impl Fn(&str, &TimePattern) -> Result<T, Error> + 'a,
) -> impl Iterator<Item = Result<Option<T>, Error>> + 'a {
    let mut known = Known::default();
    values.iter().zip(patterns).map(move |pair| match pair {
        (Some(text), Some(pattern)) => known.get(pattern, TimePattern::parse).and_then(|p| read(text, p)).map(Some),
        _ => Ok(None),
    })
}

/// The pattern that was parsed last.
struct Known<P>(Option<(String, P)>);

impl<P> Default for Known<P> {
    fn default() -> Self {
        Self(None)
    }
}

impl<P> Known<P> {
    fn get(&mut self, text: &str, parse: impl Fn(&str) -> Result<P, Error>) -> Result<&P, Error> {
        if self.0.as_ref().is_none_or(|(known, _)| known != text) {
            self.0 = Some((text.to_owned(), parse(text)?));
        }
        match &self.0 {
            Some((_, pattern)) => Ok(pattern),
            None => Err(Error::new(SqlState::INTERNAL_ERROR, "a pattern was parsed and is not there")),
        }
    }
}

fn to_char(values: &ArrayRef, patterns: &StringViewArray, zone: Zone) -> Result<ArrayRef> {
    let mut out = StringBuilder::new();
    let mut of_times = Known::default();
    let mut of_numbers = Known::default();
    for row in 0..values.len() {
        if values.is_null(row) || patterns.is_null(row) {
            out.append_null();
            continue;
        }
        let pattern = patterns.value(row);
        let text = match values.data_type() {
            DataType::Decimal128(_, scale) => {
                let value = values.as_primitive::<Decimal128Type>().value(row);
                Some(write_decimal(of_numbers.get(pattern, NumberPattern::parse)?, value, *scale)?)
            }
            DataType::Float64 => {
                let value = values.as_primitive::<Float64Type>().value(row);
                Some(write_float(of_numbers.get(pattern, NumberPattern::parse)?, value)?)
            }
            _ => match moment(values, row, zone)? {
                Some(moment) if !pattern.is_empty() => {
                    Some(write(of_times.get(pattern, TimePattern::parse)?, &moment)?)
                }
                // As in PostgreSQL, what has no text is NULL: infinities, and anything by an empty pattern.
                _ => None,
            },
        };
        out.append_option(text);
    }
    Ok(Arc::new(out.finish()))
}

/// What is written of a time; infinities are nothing.
fn moment(values: &ArrayRef, row: usize, zone: Zone) -> Result<Option<Moment>> {
    if let Some(spans) = values.as_primitive_opt::<IntervalMonthDayNanoType>() {
        let span = spans.value(row);
        return Ok(Some(Moment::of_interval(span.months, span.days, span.nanoseconds)));
    }
    if let Some(differences) = values.as_primitive_opt::<DurationMicrosecondType>() {
        let (days, rest) = days_and_time(differences.value(row));
        return Ok(Some(Moment::of_interval(0, days, rest * 1000)));
    }
    if let Some(times) = values.as_primitive_opt::<Time64MicrosecondType>() {
        return Ok(Some(Moment::of_interval(0, 0, times.value(row).saturating_mul(1000))));
    }
    if let Some(dates) = values.as_primitive_opt::<Date32Type>() {
        // Midnight of the session, as an instant.
        let midnight = zone.instant(i64::from(dates.value(row)) * MICROS_PER_DAY);
        return Ok(Some(Moment::of_instant(midnight, zone)));
    }
    let at_us = micros(values)?.value(row);
    let is_instant = matches!(values.data_type(), DataType::Timestamp(_, Some(_)));
    Ok((!is_infinite(at_us)).then(|| if is_instant { Moment::of_instant(at_us, zone) } else { Moment::of_wall(at_us) }))
}

fn write_decimal(pattern: &NumberPattern, value: i128, scale: i8) -> Result<String, Error> {
    if pattern.is_scientific {
        return Ok(scientific_decimal(value, scale, pattern.fraction_digits));
    }
    match Digits::of_decimal(value, scale, pattern.shift_digits, pattern.fraction_digits) {
        Some(digits) => Ok(pattern.write(&digits)),
        None => {
            let message = "a number of more than 38 digits cannot be written by a pattern";
            Err(Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
        }
    }
}

fn write_float(pattern: &NumberPattern, value: f64) -> Result<String, Error> {
    if pattern.is_scientific {
        if !value.is_finite() {
            let message = "\"EEEE\" of a number that is not finite is not supported";
            return Err(Error::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        return Ok(scientific_float(value, pattern.fraction_digits));
    }
    let shifted = value * 10f64.powi(i32::try_from(pattern.shift_digits).unwrap_or(0));
    Ok(pattern.write(&Digits::of_float(shifted, pattern.fraction_digits)))
}

fn number_scale(pattern: &str) -> Result<i8, Error> {
    let scale = to_number::scale(&NumberPattern::parse(pattern)?);
    // A pattern has at most 38 digits.
    i8::try_from(scale).map_err(|_| Error::new(SqlState::INTERNAL_ERROR, "a pattern has too many digits"))
}

fn to_numbers(values: &ArrayRef, patterns: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    let (values, patterns) = (texts(values)?, patterns.as_string::<i32>());
    let mut known = Known::default();
    let numbers = values.iter().zip(patterns).map(|pair| match pair {
        (Some(text), Some(pattern)) => {
            let pattern = known.get(pattern, |pattern| {
                let pattern = NumberPattern::parse(pattern)?;
                to_number::check(&pattern).map(|()| pattern)
            })?;
            to_number::read(text, pattern).map(Some)
        }
        _ => Ok(None),
    });
    let numbers = numbers.collect::<Result<Decimal128Array, Error>>()?;
    Ok(Arc::new(numbers.with_data_type(data_type.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_their_microseconds() {
        assert_eq!(instant_of_seconds(1_772_395_200.25), Ok(1_772_395_200_250_000));
        assert_eq!(instant_of_seconds(-0.000_001), Ok(-1));
        assert_eq!(instant_of_seconds(f64::INFINITY), Ok(i64::MAX));
        assert_eq!(instant_of_seconds(1e300).map_err(|e| e.state), Err(SqlState::DATETIME_FIELD_OVERFLOW));
    }
}
