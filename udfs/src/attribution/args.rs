//! What the arguments may be, and what a wrong one is told.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use tributary_core::attribution::{Consume, ModelError, ModelFault, Models, Options, Spec, SpecError};

use super::Answer;
use super::worth::{DECIMAL_DIGITS, SHARE_DIGITS};
use crate::call;
use crate::codes::RowCodes;
use crate::doc::sql_type;
use crate::error::{UserError, sqlstate};

/// Positions of the arguments as they are written.
pub(super) const MODELS: usize = 0;
pub(super) const TIME: usize = 1;
pub(super) const CHANNEL: usize = 2;
pub(super) const CONVERSION: usize = 3;
pub(super) const VALUE: usize = 4;

/// The most milestones of a call: what the entry of a log has room for.
pub(super) const MAX_MILESTONES: usize = 30;

/// Where the options stand, when there are any: after the value, or in its place.
pub(super) fn options_index(arg_types: &[DataType]) -> Option<usize> {
    (VALUE..=VALUE + 1).find(|&index| matches!(arg_types.get(index), Some(DataType::Struct(_))))
}

/// Whether a conversion has a value. An untyped NULL is none.
pub(super) fn has_value(arg_types: &[DataType]) -> bool {
    !matches!(arg_types.get(VALUE), None | Some(DataType::Struct(_) | DataType::Null))
}

/// Refuses arguments whose number or types can never be right.
///
/// Untyped NULLs pass: as data they are NULL in every row, as constants they are refused with their value.
pub(super) fn check_types(name: &str, arg_types: &[DataType]) -> Result<(), UserError> {
    let mismatch = |message: String| UserError::new(sqlstate::DATATYPE_MISMATCH, format!("{name}: {message}"));
    if arg_types.len() <= CONVERSION {
        let given = arg_types.len();
        return Err(UserError::new(
            sqlstate::UNDEFINED_FUNCTION,
            format!("{name} needs models, an event time, a channel and a conversion, got {given} arguments"),
        )
        .with_hint(format!("Example: {name}('linear', event_time, channel, event = 'purchase', revenue).")));
    }
    let most = if options_index(arg_types).is_some() { VALUE + 2 } else { VALUE + 1 };
    if arg_types.len() > most {
        return Err(UserError::new(
            sqlstate::TOO_MANY_ARGUMENTS,
            format!("{name} takes models, an event time, a channel, a conversion and a value, got more arguments"),
        )
        .with_hint("What follows the value is named, such as lookback => '30 days'."));
    }
    if !is_text(&arg_types[MODELS]) {
        let given = sql_type(&arg_types[MODELS]);
        return Err(mismatch(format!("argument 'models' must be text, got {given}"))
            .with_hint("The models come first, such as 'last' or 'first, linear, time_decay(7 days)'."));
    }
    call::check_time(name, &arg_types[TIME])?;
    if !is_text(&arg_types[CHANNEL]) {
        let given = sql_type(&arg_types[CHANNEL]);
        return Err(mismatch(format!("argument 'channel' must be text, got {given}"))
            .with_hint("Cast it to text, such as campaign_id::text."));
    }
    check_boolean(name, "conversion", &arg_types[CONVERSION])?;
    if has_value(arg_types) && held_type(&arg_types[VALUE]).is_none() {
        return Err(mismatch(format!("argument 'value' must be a number, got {}", sql_type(&arg_types[VALUE])))
            .with_hint("Conditions other than the conversion are named: touch => ..., milestones => (...)."));
    }
    if let Some(DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale)) = arg_types.get(VALUE)
        && *scale > DECIMAL_DIGITS as i8 - SHARE_DIGITS
    {
        return Err(UserError::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!(
                "{name}: argument 'value' may have at most {} decimals, got {}",
                DECIMAL_DIGITS as i8 - SHARE_DIGITS,
                sql_type(&arg_types[VALUE])
            ),
        ));
    }
    if let Some(DataType::Struct(options)) = options_index(arg_types).map(|index| &arg_types[index]) {
        for option in options {
            match (option.name().as_str(), option.data_type()) {
                ("touch", given) => check_boolean(name, "touch", given)?,
                ("milestones", DataType::Struct(conditions)) => {
                    for condition in conditions {
                        check_boolean(name, "milestones", condition.data_type())?;
                    }
                }
                ("milestones", given) => check_boolean(name, "milestones", given)?,
                ("tie", given) if !RowCodes::supports(given) => {
                    return Err(mismatch(format!(
                        "argument 'tie' must be of a type that has an order, got {}",
                        sql_type(given)
                    )));
                }
                ("lookback", given) if !call::is_span(given) => {
                    return Err(mismatch(format!(
                        "argument 'lookback' must be an interval, text or seconds, got {}",
                        sql_type(given)
                    )));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn check_boolean(name: &str, argument: &str, given: &DataType) -> Result<(), UserError> {
    if matches!(given, DataType::Boolean | DataType::Null) {
        return Ok(());
    }
    let message = format!("{name}: argument '{argument}' must be boolean, got {}", sql_type(given));
    Err(UserError::new(sqlstate::DATATYPE_MISMATCH, message).with_hint(match argument {
        "conversion" => "Write a condition, such as event = 'purchase'; the value comes after it.",
        "milestones" => "Write conditions in parentheses, such as (event = 'lead', event = 'opportunity').",
        _ => "Write a condition, such as event = 'click'.",
    }))
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// The type in which values are held; `None` if they are no numbers.
pub(super) fn held_type(given: &DataType) -> Option<DataType> {
    use DataType::*;
    match given {
        Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale) => {
            Some(Decimal128(DECIMAL_DIGITS, *scale))
        }
        integer if integer.is_integer() => Some(Decimal128(DECIMAL_DIGITS, 0)),
        Float16 | Float32 | Float64 => Some(Float64),
        _ => None,
    }
}

/// The type of a share of a value that is held in this type.
pub(super) fn share_type(held: Option<&DataType>) -> DataType {
    match held {
        Some(DataType::Decimal128(_, scale)) => DataType::Decimal128(DECIMAL_DIGITS, scale + SHARE_DIGITS),
        _ => DataType::Float64,
    }
}

/// The type of the times of the answer.
pub(super) fn time_type(name: &str, given: &DataType) -> Result<DataType, UserError> {
    match given {
        DataType::Null => Ok(DataType::Timestamp(TimeUnit::Microsecond, None)),
        given => crate::time::answer_type(given).ok_or_else(|| call::no_time(name, Some(given))),
    }
}

/// The constants of a call, as they were given.
#[derive(Debug)]
pub(super) struct Constants {
    pub models: ScalarValue,
    /// Options by name, without those that are data.
    pub options: Vec<(String, ScalarValue)>,
    /// How many milestones there are.
    pub milestones: usize,
}

/// The question that the constants ask, if it can be asked.
pub(super) fn spec(answer: Answer, constants: &Constants) -> Result<Spec, UserError> {
    let name = answer.name();
    let text = call::text(name, "models", &constants.models)?;
    let models = Models::parse(&text).map_err(|error| models_error(name, &text, &error))?;
    if answer == Answer::Row && models.len() > 1 {
        return Err(UserError::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!("{name} takes one model with OVER, got {}", models.len()),
        )
        .with_hint(format!("Call it once for each model, or GROUP BY the user and unnest {name}(...).")));
    }
    if constants.milestones > MAX_MILESTONES {
        return Err(UserError::new(
            sqlstate::TOO_MANY_ARGUMENTS,
            format!("{name} takes at most {MAX_MILESTONES} milestones, got {}", constants.milestones),
        ));
    }
    let mut options = Options { milestones: constants.milestones, ..Options::default() };
    for (option, value) in &constants.options {
        match option.as_str() {
            "lookback" => options.lookback_us = Some(call::span_us(name, option, value)?),
            "lookback_touches" => {
                let count = call::count(name, option, value)?;
                options.lookback_touches = Some(u32::try_from(count).unwrap_or(u32::MAX));
            }
            "consume" => {
                let word = call::text(name, option, value)?;
                options.consume = match call::one_of(name, option, &word, &["none", "since_last"])? {
                    "since_last" => Consume::SinceLast,
                    _ => Consume::None,
                }
            }
            "include_self" => options.include_self = call::boolean(name, option, value)?,
            "per_channel_once" => options.per_channel_once = call::boolean(name, option, value)?,
            unknown => return Err(crate::sql::unknown_option(answer.doc(), unknown)),
        }
    }
    Spec::try_new(models, options).map_err(|error| {
        let hint = match &error {
            SpecError::MilestoneWeights { .. } => {
                "Name the milestones: milestones => (event = 'lead', event = 'opportunity')."
            }
            _ => "Leave the option out to look back without a limit.",
        };
        UserError::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{name}: {error}")).with_hint(hint)
    })
}

fn models_error(name: &str, text: &str, error: &ModelError) -> UserError {
    let character = text.get(..error.position).map_or(0, |before| before.chars().count()) + 1;
    let fault = match &error.fault {
        ModelFault::Unknown { given, .. } => {
            format!("unknown model '{given}'; the models are {}", tributary_core::attribution::NAMES.join(", "))
        }
        fault => fault.to_string(),
    };
    let message = format!("{name}: argument 'models', at character {character}: {fault}");
    let told = UserError::new(sqlstate::INVALID_PARAMETER_VALUE, message);
    match &error.fault {
        ModelFault::Unknown { nearest: Some(nearest), .. } => told.with_hint(format!("Perhaps you meant '{nearest}'.")),
        _ => told,
    }
}
