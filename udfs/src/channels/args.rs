//! Arguments that are text, and their texts by row.

use datafusion::arrow::array::{AnyDictionaryArray, Array, AsArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use crate::call;
use crate::doc::{FunctionDoc, sql_type};
use crate::error::{UserError, sqlstate};

/// Refuses arguments whose number or types are not those of the catalogue: text in all places.
pub(super) fn check_types(function: &FunctionDoc, arg_types: &[DataType]) -> Result<(), UserError> {
    let (needed, given) = (function.arguments.len(), arg_types.len());
    if given != needed {
        let sqlstate = if given < needed { sqlstate::UNDEFINED_FUNCTION } else { sqlstate::TOO_MANY_ARGUMENTS };
        let message = format!("{} takes {}, got {given}", function.name, call::arguments(needed));
        return Err(UserError::new(sqlstate, message).with_hint(format!("Write {}.", function.syntax)));
    }
    for (argument, given) in function.arguments.iter().zip(arg_types) {
        if !given.is_null() && !call::is_text(given) {
            let message =
                format!("{}: argument '{}' must be text, got {}", function.name, argument.name, sql_type(given));
            return Err(UserError::new(sqlstate::DATATYPE_MISMATCH, message));
        }
    }
    Ok(())
}

/// The texts of an argument, whatever its encoding.
pub(super) enum Texts {
    /// The same for every row.
    Constant(Option<String>),
    /// One for each row.
    Column(StringViewArray),
}

impl Texts {
    /// Reads an argument that passed the check of types.
    pub fn new(argument: &ColumnarValue) -> Result<Self> {
        Ok(match argument {
            ColumnarValue::Scalar(value) => Self::Constant(value.try_as_str().flatten().map(str::to_string)),
            ColumnarValue::Array(column) => Self::Column(cast(column, &DataType::Utf8View)?.as_string_view().clone()),
        })
    }

    /// The text of a row; `None` for NULL.
    pub fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Constant(text) => text.as_deref(),
            Self::Column(column) => column.is_valid(row).then(|| column.value(row)),
        }
    }
}

/// The only argument that differs from row to row and its place, if it is a dictionary of fewer texts than rows.
pub(super) fn dictionary(args: &[ColumnarValue]) -> Option<(usize, &dyn AnyDictionaryArray)> {
    let mut varying = args.iter().enumerate().filter_map(|(place, arg)| match arg {
        ColumnarValue::Array(column) => Some((place, column)),
        ColumnarValue::Scalar(_) => None,
    });
    let (Some((place, column)), None) = (varying.next(), varying.next()) else { return None };
    let dictionary = column.as_any_dictionary_opt()?;
    (1..dictionary.len()).contains(&dictionary.values().len()).then_some((place, dictionary))
}
