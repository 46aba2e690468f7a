//! What a constant may be, and what a wrong one is told.

use datafusion::arrow::compute::kernels::cast_utils::{
    IntervalParseConfig, IntervalUnit as ParsedUnit, parse_interval_month_day_nano_config,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use crate::doc::sql_type;
use crate::error::{UserError, nearest, sqlstate};
use crate::time::{self, DAY_US};
use crate::written::literal;

fn invalid(message: String) -> UserError {
    UserError::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// Refuses an event time that is none.
pub(crate) fn check_time(function: &str, given: &DataType) -> Result<(), UserError> {
    if time::answer_type(given).is_some() { Ok(()) } else { Err(no_time(function, Some(given))) }
}

/// The error for an event time that is none.
pub(crate) fn no_time(function: &str, given: Option<&DataType>) -> UserError {
    let given = given.map_or_else(|| "nothing".to_string(), sql_type);
    UserError::new(
        sqlstate::DATATYPE_MISMATCH,
        format!("{function}: argument 'event_time' must be a timestamp or a date, got {given}"),
    )
    .with_hint("Cast text with event_time::timestamp, and convert seconds since 1970 with to_timestamp(event_time).")
}

/// Whether a type is text, in whatever encoding.
pub(crate) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// `1 argument`, `2 arguments`.
pub(crate) fn arguments(count: usize) -> String {
    format!("{count} argument{}", if count == 1 { "" } else { "s" })
}

/// Whether a type can be a length of time: an interval, text that may read as one, or seconds.
pub(crate) fn is_span(data_type: &DataType) -> bool {
    use DataType::*;
    data_type.is_numeric() || matches!(data_type, Interval(_) | Duration(_) | Utf8 | LargeUtf8 | Utf8View | Null)
}

/// One of the words that an argument knows, in any case.
pub(crate) fn one_of(
    function: &str,
    argument: &str,
    given: &str,
    allowed: &[&'static str],
) -> Result<&'static str, UserError> {
    let wanted = given.trim().to_lowercase();
    let found = allowed.iter().find(|allowed| **allowed == wanted).copied();
    found.ok_or_else(|| not_allowed(function, argument, given, allowed))
}

/// The error for a word that an argument does not know.
pub(crate) fn not_allowed(function: &str, argument: &str, given: &str, allowed: &[&str]) -> UserError {
    let listed: Vec<String> = allowed.iter().map(|word| format!("'{word}'")).collect();
    let error =
        invalid(format!("{function}: argument '{argument}' must be one of {}, got '{given}'", listed.join(", ")));
    match nearest(given, allowed.iter().copied()) {
        Some(nearest) => error.with_hint(format!("Perhaps you meant '{nearest}'.")),
        None => error,
    }
}

/// The text of a constant.
pub(crate) fn text(function: &str, argument: &str, value: &ScalarValue) -> Result<String, UserError> {
    let problem = |what: String| invalid(format!("{function}: argument '{argument}' must be text, got {what}"));
    match value.try_as_str() {
        Some(Some(text)) => Ok(text.to_string()),
        _ if value.is_null() => Err(problem("NULL".into())),
        _ => Err(problem(format!("{value} of type {}", sql_type(&value.data_type())))),
    }
}

/// True or false.
pub(crate) fn boolean(function: &str, argument: &str, value: &ScalarValue) -> Result<bool, UserError> {
    match value {
        ScalarValue::Boolean(Some(value)) => Ok(*value),
        other => {
            Err(invalid(format!("{function}: argument '{argument}' must be true or false, got {}", literal(other))))
        }
    }
}

/// A whole number of at least 1.
pub(crate) fn count(function: &str, argument: &str, value: &ScalarValue) -> Result<u64, UserError> {
    let problem = || {
        invalid(format!(
            "{function}: argument '{argument}' must be a whole number of at least 1, got {}",
            literal(value)
        ))
    };
    if value.is_null() || !value.data_type().is_integer() {
        return Err(problem());
    }
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(Some(count))) if count > 0 => Ok(count as u64),
        _ => Err(problem()),
    }
}

/// A length of time in microseconds; positive.
///
/// Text reads as an interval, a bare number is seconds, fractions of a microsecond are cut off and what exceeds the
/// range of time is all of it.
pub(crate) fn span_us(function: &str, argument: &str, span: &ScalarValue) -> Result<i64, UserError> {
    let span_us = match span {
        span if span.is_null() => return Err(not_positive(function, argument, span)),
        ScalarValue::IntervalMonthDayNano(Some(parts)) => {
            from_parts(function, argument, span, parts.months, parts.days, parts.nanoseconds)?
        }
        ScalarValue::IntervalDayTime(Some(parts)) => {
            from_parts(function, argument, span, 0, parts.days, i64::from(parts.milliseconds) * 1_000_000)?
        }
        ScalarValue::IntervalYearMonth(Some(months)) => from_parts(function, argument, span, *months, 0, 0)?,
        ScalarValue::DurationSecond(Some(span)) => i128::from(*span) * 1_000_000,
        ScalarValue::DurationMillisecond(Some(span)) => i128::from(*span) * 1_000,
        ScalarValue::DurationMicrosecond(Some(span)) => i128::from(*span),
        ScalarValue::DurationNanosecond(Some(span)) => i128::from(*span) / 1_000,
        text if text.try_as_str().is_some() => {
            let text = text.try_as_str().flatten().unwrap_or_default();
            let seconds = IntervalParseConfig::new(ParsedUnit::Second);
            let parts = parse_interval_month_day_nano_config(text, seconds)
                .map_err(|_| unreadable(function, argument, text))?;
            from_parts(function, argument, span, parts.months, parts.days, parts.nanoseconds)?
        }
        number => seconds_us(function, argument, number)?,
    };
    if span_us <= 0 {
        return Err(not_positive(function, argument, span));
    }
    Ok(i64::try_from(span_us).unwrap_or(i64::MAX))
}

fn from_parts(
    function: &str,
    argument: &str,
    given: &ScalarValue,
    months: i32,
    days: i32,
    nanos: i64,
) -> Result<i128, UserError> {
    if months != 0 {
        return Err(invalid(format!(
            "{function}: argument '{argument}' must be an interval of days and below, got {}",
            literal(given)
        ))
        .with_hint("Months and years differ in length: write days, such as '30 days' or '365 days'."));
    }
    Ok(i128::from(days) * i128::from(DAY_US) + i128::from(nanos).div_euclid(1_000))
}

fn seconds_us(function: &str, argument: &str, number: &ScalarValue) -> Result<i128, UserError> {
    match number.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(seconds))) if !seconds.is_nan() => match number.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(whole))) if whole as f64 == seconds => Ok(i128::from(whole) * 1_000_000),
            _ => Ok((seconds * 1e6) as i128),
        },
        _ => Err(not_positive(function, argument, number)),
    }
}

fn unreadable(function: &str, argument: &str, text: &str) -> UserError {
    invalid(format!("{function}: argument '{argument}' does not read as an interval: '{text}'"))
        .with_hint("Write a number and a unit, such as '7 days', '90 minutes' or '1 day 12 hours'.")
}

/// The error for a length of time that is none, or runs backwards.
pub(crate) fn not_positive(function: &str, argument: &str, given: &ScalarValue) -> UserError {
    let given = if given.is_null() { "NULL".to_string() } else { literal(given) };
    invalid(format!("{function}: argument '{argument}' must be a positive interval, got {given}"))
}
