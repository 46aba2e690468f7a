//! What the arguments may be, and what a wrong one is told.

use std::hash::{Hash, Hasher};

use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::compute::can_cast_types;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use tributary_core::sessions::{Spec, SpecError, Splits};

use crate::call;
use crate::doc::{FunctionDoc, sql_type};
use crate::error::{UserError, sqlstate};

/// Position of the event time among the arguments.
pub(super) const TIME: usize = 0;
/// Position of the gap.
pub(super) const GAP: usize = 1;
/// Position of the options, when there are any.
pub(super) const OPTIONS: usize = 2;

/// A call whose constants are known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub spec: Spec,
    /// Where days begin, if they split sessions.
    pub zone: Option<Zone>,
    pub data: Data,
    /// The call in the words of SQL; it names the output column of the aggregate, before and after planning.
    pub written: String,
}

/// Which columns a configured call reads after the event time, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Data {
    /// `new_when` and `end_when`, as a mask.
    pub flags: bool,
    /// `change_of`.
    pub change: bool,
    pub tie: bool,
    /// `user_key`.
    pub user: bool,
}

impl Data {
    /// Where the flags are among the arguments, or the states.
    pub fn flags_index(self) -> Option<usize> {
        self.flags.then_some(1)
    }

    /// Where `change_of` is.
    pub fn change_index(self) -> Option<usize> {
        self.change.then_some(1 + usize::from(self.flags))
    }

    /// Where `tie` is.
    pub fn tie_index(self) -> Option<usize> {
        self.tie.then_some(1 + usize::from(self.flags) + usize::from(self.change))
    }

    /// Where `user_key` is.
    pub fn user_index(self) -> Option<usize> {
        self.user.then_some(1 + usize::from(self.flags) + usize::from(self.change) + usize::from(self.tie))
    }
}

/// A time zone by its name; two of one name are one.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    name: String,
    pub tz: Tz,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Zone {
    /// A zone of the IANA database, or a fixed offset such as `+08:00`.
    fn parse(function: &str, name: &str) -> Result<Self, UserError> {
        let name = name.trim();
        match name.parse() {
            Ok(tz) => Ok(Self { name: name.to_string(), tz }),
            Err(_) => Err(UserError::new(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("{function}: argument 'day_boundary_tz' is no time zone: '{name}'"),
            )
            .with_hint("Write a name of the IANA database, such as 'Asia/Shanghai', 'Europe/Berlin' or 'UTC', or an offset such as '+08:00'.")),
        }
    }
}

/// Refuses arguments whose number or types can never be right.
///
/// Untyped NULLs pass where data stands, as a column of NULLs would; as constants they are refused with their value.
pub(super) fn check_types(function: &FunctionDoc, arg_types: &[DataType]) -> Result<(), UserError> {
    let name = function.name;
    let Some(gap) = arg_types.get(GAP).filter(|gap| !matches!(gap, DataType::Struct(_))) else {
        return Err(wrong_count(name, arg_types));
    };
    call::check_time(name, &arg_types[TIME])?;
    check_span(name, "gap", gap)?;
    match arg_types.get(OPTIONS) {
        None => Ok(()),
        Some(DataType::Struct(options)) if arg_types.len() == OPTIONS + 1 => {
            options.iter().try_for_each(|option| check_option(function, option.name(), option.data_type()))
        }
        Some(_) => Err(wrong_count(name, arg_types)),
    }
}

fn wrong_count(name: &str, arg_types: &[DataType]) -> UserError {
    let given: Vec<_> = arg_types.iter().filter(|arg| !matches!(arg, DataType::Struct(_))).map(sql_type).collect();
    let given = if given.is_empty() { "nothing".to_string() } else { given.join(", ") };
    UserError::new(
        sqlstate::UNDEFINED_FUNCTION,
        format!("{name} takes an event time and a gap, and the rest by name, got {given}"),
    )
    .with_hint(format!("Example: {name}(event_time, '30 minutes', max_duration => '12 hours')."))
}

fn check_span(function: &str, argument: &str, given: &DataType) -> Result<(), UserError> {
    if call::is_span(given) {
        return Ok(());
    }
    Err(UserError::new(
        sqlstate::DATATYPE_MISMATCH,
        format!("{function}: argument '{argument}' must be an interval, text or seconds, got {}", sql_type(given)),
    ))
}

fn check_option(function: &FunctionDoc, option: &str, given: &DataType) -> Result<(), UserError> {
    let name = function.name;
    if !function.option_names().any(|known| known == option) {
        return Err(crate::sql::unknown_option(function, option));
    }
    match option {
        "new_when" | "end_when" => check_condition(name, option, given),
        "change_of" | "tie" => check_orderable(name, option, given),
        "user_key" if !can_cast_types(given, &DataType::Utf8) => Err(UserError::new(
            sqlstate::DATATYPE_MISMATCH,
            format!("{name}: argument 'user_key' must be a value that can be written as text, got {}", sql_type(given)),
        )),
        "max_duration" => check_span(name, option, given),
        // The others are judged with their values.
        _ => Ok(()),
    }
}

/// Refuses a condition that is none.
pub(super) fn check_condition(function: &str, argument: &str, given: &DataType) -> Result<(), UserError> {
    if matches!(given, DataType::Boolean | DataType::Null) {
        return Ok(());
    }
    Err(UserError::new(
        sqlstate::DATATYPE_MISMATCH,
        format!("{function}: argument '{argument}' must be boolean, got {}", sql_type(given)),
    )
    .with_hint("A condition compares, such as event = 'login'."))
}

/// Refuses values that have no order.
pub(super) fn check_orderable(function: &str, argument: &str, given: &DataType) -> Result<(), UserError> {
    if has_order(given) && RowConverter::supports_fields(&[SortField::new(given.clone())]) {
        return Ok(());
    }
    Err(UserError::new(
        sqlstate::DATATYPE_MISMATCH,
        format!("{function}: argument '{argument}' must be of a type that has an order, got {}", sql_type(given)),
    ))
}

/// Whether equal values are always equal in the form they are compared in: not maps, whose entries may stand in any
/// order.
fn has_order(data_type: &DataType) -> bool {
    use DataType::{Dictionary, FixedSizeList, LargeList, List, Map, Struct, Union};
    match data_type {
        Map(_, _) | Union(_, _) => false,
        List(item) | LargeList(item) | FixedSizeList(item, _) => has_order(item.data_type()),
        Struct(fields) => fields.iter().all(|field| has_order(field.data_type())),
        Dictionary(_, values) => has_order(values),
        _ => true,
    }
}

/// The constants of a call, as they were given.
#[derive(Debug)]
pub(super) struct Constants {
    pub gap: ScalarValue,
    /// Options by name, the constant ones.
    pub options: Vec<(String, ScalarValue)>,
}

/// Whether an option configures the whole query, rather than being a column of it.
pub(super) fn is_constant(option: &str) -> bool {
    matches!(option, "max_duration" | "max_events" | "day_boundary_tz")
}

/// The rule that the constants ask for, if there is one.
pub(super) fn spec(
    function: &FunctionDoc,
    constants: &Constants,
    mut splits: Splits,
) -> Result<(Spec, Option<Zone>), UserError> {
    let name = function.name;
    let gap_us = call::span_us(name, "gap", &constants.gap)?;
    let (mut max_duration, mut max_events, mut zone) = (None, None, None);
    for (option, value) in &constants.options {
        match option.as_str() {
            "max_duration" => max_duration = Some((call::span_us(name, option, value)?, value)),
            "max_events" => max_events = Some(call::count(name, option, value)?),
            "day_boundary_tz" => zone = Some(Zone::parse(name, &call::text(name, option, value)?)?),
            unknown => return Err(crate::sql::unknown_option(function, unknown)),
        }
    }
    splits.day = zone.is_some();
    let spec = Spec::try_new(gap_us, max_duration.map(|(limit_us, _)| limit_us), max_events, splits);
    let spec = spec.map_err(|error| match error {
        SpecError::Gap { .. } => call::not_positive(name, "gap", &constants.gap),
        SpecError::MaxDuration { .. } => {
            let given = max_duration.map_or(&ScalarValue::Null, |(_, given)| given);
            call::not_positive(name, "max_duration", given)
        }
        SpecError::MaxEvents => UserError::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{name}: argument 'max_events' must be a whole number of at least 1, got 0"),
        ),
    })?;
    Ok((spec, zone))
}
