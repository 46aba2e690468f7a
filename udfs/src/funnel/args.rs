//! What the arguments may be, and what a wrong one is told.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use tributary_core::funnel::{Compat, MAX_STEPS, Modes, ModesError, Report, Spec, SpecError};

use super::Answer;
use crate::call;
use crate::doc::sql_type;
use crate::error::{UserError, sqlstate};

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
    if let Some(time) = arg_types.get(TIME) {
        call::check_time(name, time)?;
    }
    if let Some(within) = arg_types.get(WITHIN)
        && !call::is_span(within)
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
            .with_hint(match call::is_span(step) && index == 0 {
                true => "The window stands second or is named, not both; a step is a condition, such as event = 'a'.",
                false => "A step is a condition, such as event = 'purchase'.",
            }));
        }
    }
    Ok(())
}

fn too_many(answer: Answer, steps: usize) -> UserError {
    UserError::new(
        sqlstate::TOO_MANY_ARGUMENTS,
        format!("{} takes at most {MAX_STEPS} steps, got {steps}", answer.name()),
    )
    .with_hint("Join alternatives into one step with OR or IN.")
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
    let window_us = call::span_us(name, "within", &constants.within)?;
    let (mut modes, mut compat, mut report) = (Modes::DEFAULT, Compat::default(), Report::default());
    for (option, value) in &constants.options {
        let text = call::text(name, option, value)?;
        match option.as_str() {
            "mode" => modes = parse_modes(name, &text)?,
            "compat" => {
                compat = match call::one_of(name, option, &text, &["tributary", "clickhouse"])? {
                    "clickhouse" => Compat::ClickHouse,
                    _ => Compat::Tributary,
                }
            }
            "report" => {
                report = match call::one_of(name, option, &text, &["first", "last", "fastest"])? {
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
        SpecError::Window { .. } => call::not_positive(name, "within", &constants.within),
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
        ModesError::Unknown { name: unknown } => call::not_allowed(name, "mode", unknown, &Modes::NAMES)
            .with_hint_if_none("Join several with '+', such as 'strict_order+strict_increase'."),
        other => UserError::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{name}: argument 'mode': {other}")),
    }
}
