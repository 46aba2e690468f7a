//! What the arguments may be, and what a wrong one is told.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use tributary_core::tags::Case;

use super::DOC;
use crate::call::{self, Fold};
use crate::doc::sql_type;
use crate::error::{UserError, sqlstate};

/// Position of the tags among the arguments.
pub(super) const TAGS: usize = 0;
/// Position of the expression.
pub(super) const EXPRESSION: usize = 1;
/// Position of the options, when there are any.
pub(super) const OPTIONS: usize = 2;

/// Refuses arguments whose number or types can never be right.
///
/// Untyped NULLs pass: as tags they have no answer, as an expression they are refused with their value.
pub(super) fn check_types(arg_types: &[DataType]) -> Result<(), UserError> {
    let [tags, expression, options @ ..] = arg_types else {
        let given = arg_types.len();
        let message = format!("{} needs tags and an expression, got {}", DOC.name, call::arguments(given));
        return Err(UserError::new(sqlstate::UNDEFINED_FUNCTION, message).with_hint(EXAMPLE));
    };
    if !is_tags(tags) {
        return Err(no_tags(tags));
    }
    if !is_text_or_null(expression) {
        let message = format!("{}: argument 'expression' must be text, got {}", DOC.name, sql_type(expression));
        return Err(UserError::new(sqlstate::DATATYPE_MISMATCH, message).with_hint(EXAMPLE));
    }
    match options {
        [] | [DataType::Struct(_)] => Ok(()),
        _ => {
            let given = arg_types.len();
            let message = format!("{} takes tags and one expression, got {}", DOC.name, call::arguments(given));
            Err(UserError::new(sqlstate::TOO_MANY_ARGUMENTS, message)
                .with_hint("Join conditions inside the expression, 'vip AND ev'; options are named: ci => true."))
        }
    }
}

const EXAMPLE: &str = "Example: tag_match(tags, 'vip AND NOT churned').";

/// Whether a column of this type holds tags: lists of text, text, maps from text.
fn is_tags(data_type: &DataType) -> bool {
    use DataType::*;
    match data_type {
        List(item) | LargeList(item) | FixedSizeList(item, _) | ListView(item) | LargeListView(item) => {
            is_text_or_null(item.data_type())
        }
        Map(entries, _) => is_tag_entry(entries),
        text => is_text_or_null(text),
    }
}

/// Whether an entry of a map is a text and something that has a text form.
fn is_tag_entry(entries: &Field) -> bool {
    let DataType::Struct(fields) = entries.data_type() else { return false };
    let [key, value] = fields.as_ref() else { return false };
    let value = value.data_type();
    call::is_text(key.data_type()) && (is_text_or_null(value) || value.is_primitive() || *value == DataType::Boolean)
}

fn is_text_or_null(data_type: &DataType) -> bool {
    call::is_text(data_type) || data_type.is_null()
}

fn no_tags(given: &DataType) -> UserError {
    let hint = match given {
        DataType::Map(_, _) => "The keys of a map are tags and text; its values are text, numbers, booleans or times.",
        given if given.is_binary() => "Bytes are not text until somebody says in which encoding: decode them first.",
        given if given.is_nested() => "Cast the items with tags::text[].",
        _ => "Write TAG_MATCH(tags, expression): the tags come first, as text[], as text 'a,b' or as a map.",
    };
    UserError::new(
        sqlstate::DATATYPE_MISMATCH,
        format!("{}: argument 'tags' must be text[], text or a map of text, got {}", DOC.name, sql_type(given)),
    )
    .with_hint(hint)
}

/// The text of a constant expression.
pub(super) fn expression(value: &ScalarValue) -> Result<String, UserError> {
    call::text(DOC.name, "expression", value)
}

/// The error for options that differ from row to row.
pub(super) fn varying_options() -> UserError {
    let message = format!("{}: argument 'ci' must be a constant", DOC.name);
    UserError::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// Whether case matters, as the options say.
pub(super) fn case(options: Option<&Expr>, fold: Fold) -> Result<Case> {
    let mut case = Case::Sensitive;
    let Some(options) = options else { return Ok(case) };
    for (name, value) in call::options(DOC.name, options, fold)? {
        match name.as_str() {
            "ci" => {
                let value = call::constant(DOC.name, "ci", &value, fold)?;
                case = if call::boolean(DOC.name, "ci", &value)? { Case::Insensitive } else { Case::Sensitive };
            }
            unknown => return Err(crate::sql::unknown_option(&DOC, unknown).into()),
        }
    }
    Ok(case)
}
