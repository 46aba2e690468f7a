//! What the arguments may be, and what a wrong one is told.

use datafusion::arrow::compute::kernels::cast_utils::{
    IntervalParseConfig, IntervalUnit as ParsedUnit, parse_interval_month_day_nano_config,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use tributary_core::funnel::{Compat, MAX_STEPS, Modes, ModesError, Report, Spec, SpecError};

use super::Answer;
use crate::doc::sql_type;
use crate::error::{UserError, nearest, sqlstate};
use crate::time::{self, DAY_US};
use crate::written::literal;

/// Position of the event time among the arguments.
pub(super) const TIME: usize = 0;
/// Position of the window.
pub(super) const WITHIN: usize = 1;
/// Position of the options, when there are any.
pub(super) const OPTIONS: usize = 2;

/// The steps among arguments of these types: after time and window, and after the options if any.
pub(super) fn first_step(arg_types: &[DataType]) -> usize {
    if matches!(arg_types.get(OPTIONS), Some(DataType::Struct(_))) { OPTIONS + 1 } else { OPTIONS }
}

/// How many steps arguments of these types have.
pub(super) fn step_count<'a>(arg_types: impl Iterator<Item = &'a DataType>) -> usize {
    let arg_types: Vec<_> = arg_types.cloned().collect();
    arg_types.len().saturating_sub(first_step(&arg_types))
}

/// Refuses arguments whose number or types can never be right.
///
/// Untyped NULLs pass: as a step one is never true, as a window it is refused with its value.
pub(super) fn check_types(answer: Answer, arg_types: &[DataType]) -> Result<(), UserError> {
    let name = answer.name();
    if let Some(time) = arg_types.get(TIME)
        && time::answer_type(time).is_none()
    {
        return Err(no_time(answer, Some(time)));
    }
    if let Some(within) = arg_types.get(WITHIN)
        && !is_window(within)
    {
        return Err(UserError::new(
            sqlstate::DATATYPE_MISMATCH,
            format!("{name}: argument 'within' must be an interval, text or seconds, got {}", sql_type(within)),
        )
        .with_hint(format!(
            "Write the window second, or by name: {name}(event_time, event = 'a', event = 'b', within => '7 days')."
        )));
    }
    let first_step = first_step(arg_types);
    let steps = arg_types.get(first_step..).unwrap_or_default();
    if steps.is_empty() {
        return Err(UserError::new(
            sqlstate::UNDEFINED_FUNCTION,
            format!("{name} needs an event time, a window and at least one step, got {} arguments", arg_types.len()),
        )
        .with_hint(format!("Example: {name}(event_time, '7 days', event = 'view', event = 'purchase').")));
    }
    if steps.len() > MAX_STEPS {
        return Err(too_many(answer, steps.len()));
    }
    for (index, step) in steps.iter().enumerate() {
        if !matches!(step, DataType::Boolean | DataType::Null) {
            return Err(UserError::new(
                sqlstate::DATATYPE_MISMATCH,
                format!("{name}: step {} must be boolean, got {}", index + 1, sql_type(step)),
            )
            .with_hint(match is_window(step) && index == 0 {
                true => "The window stands second or is named, not both; a step is a condition, such as event = 'a'.",
                false => "A step is a condition, such as event = 'purchase'.",
            }));
        }
    }
    Ok(())
}

/// The error for an event time that is none.
pub(super) fn no_time(answer: Answer, given: Option<&DataType>) -> UserError {
    let given = given.map_or_else(|| "nothing".to_string(), sql_type);
    UserError::new(
        sqlstate::DATATYPE_MISMATCH,
        format!("{}: argument 'event_time' must be a timestamp or a date, got {given}", answer.name()),
    )
    .with_hint("Cast text with event_time::timestamp, and convert seconds since 1970 with to_timestamp(event_time).")
}

fn too_many(answer: Answer, steps: usize) -> UserError {
    UserError::new(
        sqlstate::TOO_MANY_ARGUMENTS,
        format!("{} takes at most {MAX_STEPS} steps, got {steps}", answer.name()),
    )
    .with_hint("Join alternatives into one step with OR or IN.")
}

fn is_window(data_type: &DataType) -> bool {
    use DataType::*;
    data_type.is_numeric() || matches!(data_type, Interval(_) | Duration(_) | Utf8 | LargeUtf8 | Utf8View | Null)
}

/// The constants of a call, as they were given.
#[derive(Debug)]
pub(super) struct Constants {
    pub within: ScalarValue,
    /// Options by name.
    pub options: Vec<(String, ScalarValue)>,
}

/// The question that the constants ask, if it can be asked.
pub(super) fn spec(answer: Answer, steps: usize, constants: &Constants) -> Result<Spec, UserError> {
    let name = answer.name();
    let window_us = window_us(name, &constants.within)?;
    let (mut modes, mut compat, mut report) = (Modes::DEFAULT, Compat::default(), Report::default());
    for (option, value) in &constants.options {
        let text = option_text(name, option, value)?;
        match option.as_str() {
            "mode" => modes = parse_modes(name, &text)?,
            "compat" => {
                compat = match one_of(name, option, &text, &["tributary", "clickhouse"])? {
                    "clickhouse" => Compat::ClickHouse,
                    _ => Compat::Tributary,
                }
            }
            "report" => {
                report = match one_of(name, option, &text, &["first", "last", "fastest"])? {
                    "last" => Report::Last,
                    "fastest" => Report::Fastest,
                    _ => Report::First,
                }
            }
            unknown => return Err(crate::sql::unknown_option(answer.doc(), unknown)),
        }
    }
    Spec::try_new(steps, window_us, modes, compat, report).map_err(|error| match error {
        SpecError::Steps { steps } => too_many(answer, steps),
        SpecError::Window { .. } => not_positive(name, &constants.within),
        SpecError::Modes(error) => modes_error(name, &error),
        SpecError::ReportUnderClickHouse { .. } => {
            UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{name}: {error}"))
        }
    })
}

/// The modes that a text such as `strict_order+strict_increase` names.
pub(crate) fn parse_modes(name: &str, text: &str) -> Result<Modes, UserError> {
    let words: Vec<String> =
        text.split(['+', ',']).map(|word| word.trim().to_lowercase()).filter(|word| word != "default").collect();
    Modes::from_names(words.iter().map(String::as_str)).map_err(|error| modes_error(name, &error))
}

fn modes_error(name: &str, error: &ModesError) -> UserError {
    match error {
        ModesError::Unknown { name: unknown } => not_allowed(name, "mode", unknown, &Modes::NAMES)
            .with_hint_if_none("Join several with '+', such as 'strict_order+strict_increase'."),
        other => UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{name}: argument 'mode': {other}")),
    }
}

fn one_of(name: &str, option: &str, text: &str, allowed: &[&'static str]) -> Result<&'static str, UserError> {
    let wanted = text.trim().to_lowercase();
    allowed.iter().find(|allowed| **allowed == wanted).copied().ok_or_else(|| not_allowed(name, option, text, allowed))
}

/// The error for a word that an option does not know.
pub(crate) fn not_allowed(name: &str, option: &str, given: &str, allowed: &[&str]) -> UserError {
    let listed: Vec<String> = allowed.iter().map(|word| format!("'{word}'")).collect();
    let error = UserError::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("{name}: argument '{option}' must be one of {}, got '{given}'", listed.join(", ")),
    );
    match nearest(given, allowed.iter().copied()) {
        Some(nearest) => error.with_hint(format!("Perhaps you meant '{nearest}'.")),
        None => error,
    }
}

fn option_text(name: &str, option: &str, value: &ScalarValue) -> Result<String, UserError> {
    let problem = |what: String| {
        UserError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name}: argument '{option}' must be text, got {what}"),
        )
    };
    match value.try_as_str() {
        Some(Some(text)) => Ok(text.to_string()),
        Some(None) => Err(problem("NULL".into())),
        None if value.is_null() => Err(problem("NULL".into())),
        None => Err(problem(format!("{value} of type {}", sql_type(&value.data_type())))),
    }
}

/// The length of a window in microseconds; positive.
///
/// Text reads as an interval, a bare number is seconds, fractions of a microsecond are cut off and what exceeds the
/// range of time is all of it.
fn window_us(name: &str, within: &ScalarValue) -> Result<i64, UserError> {
    if within.is_null() {
        return Err(UserError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name}: argument 'within' must be a positive interval, got NULL"),
        ));
    }
    let window_us = match within {
        ScalarValue::IntervalMonthDayNano(Some(span)) => {
            from_parts(name, within, span.months, span.days, span.nanoseconds)?
        }
        ScalarValue::IntervalDayTime(Some(span)) => {
            from_parts(name, within, 0, span.days, i64::from(span.milliseconds) * 1_000_000)?
        }
        ScalarValue::IntervalYearMonth(Some(months)) => from_parts(name, within, *months, 0, 0)?,
        ScalarValue::DurationSecond(Some(span)) => i128::from(*span) * 1_000_000,
        ScalarValue::DurationMillisecond(Some(span)) => i128::from(*span) * 1_000,
        ScalarValue::DurationMicrosecond(Some(span)) => i128::from(*span),
        ScalarValue::DurationNanosecond(Some(span)) => i128::from(*span) / 1_000,
        text if text.try_as_str().is_some() => {
            let text = text.try_as_str().flatten().unwrap_or_default();
            let seconds = IntervalParseConfig::new(ParsedUnit::Second);
            let span = parse_interval_month_day_nano_config(text, seconds).map_err(|_| unreadable(name, text))?;
            from_parts(name, within, span.months, span.days, span.nanoseconds)?
        }
        number => seconds_us(name, number)?,
    };
    if window_us <= 0 {
        return Err(not_positive(name, within));
    }
    Ok(i64::try_from(window_us).unwrap_or(i64::MAX))
}

fn from_parts(name: &str, given: &ScalarValue, months: i32, days: i32, nanos: i64) -> Result<i128, UserError> {
    if months != 0 {
        return Err(UserError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name}: argument 'within' must be an interval of days and below, got {}", literal(given)),
        )
        .with_hint("Months and years differ in length: write days, such as '30 days' or '365 days'."));
    }
    Ok(i128::from(days) * i128::from(DAY_US) + i128::from(nanos).div_euclid(1_000))
}

fn seconds_us(name: &str, number: &ScalarValue) -> Result<i128, UserError> {
    match number.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(seconds))) if !seconds.is_nan() => match number.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(whole))) if whole as f64 == seconds => Ok(i128::from(whole) * 1_000_000),
            _ => Ok((seconds * 1e6) as i128),
        },
        _ => Err(not_positive(name, number)),
    }
}

fn unreadable(name: &str, text: &str) -> UserError {
    UserError::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("{name}: argument 'within' does not read as an interval: '{text}'"),
    )
    .with_hint("Write a number and a unit, such as '7 days', '90 minutes' or '1 day 12 hours'.")
}

fn not_positive(name: &str, given: &ScalarValue) -> UserError {
    UserError::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("{name}: argument 'within' must be a positive interval, got {}", literal(given)),
    )
}
