//! Whatever DataFusion, Arrow, Parquet or an object store reports, as one [`Error`] with the
//! SQLSTATE that PostgreSQL would give.

use std::error::Error as StdError;

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::common::diagnostic::Diagnostic;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::Location;
use tributary_udfs::UserError;

use super::{error_words, parse};
use crate::catalog::SEARCH_PATH_SCHEMA;
use crate::error::{Error, SqlState};

/// Translates an error of planning or running `text`.
pub fn from_datafusion(error: &DataFusionError, text: &str) -> Error {
    let mut translated = translate(error, text);
    if translated.position.is_none() {
        translated.position = error.diagnostic().and_then(|d: &Diagnostic| d.span).and_then(|span| {
            let at = Location { line: span.start.line, column: span.start.column };
            parse::position(text, at)
        });
    }
    translated
}

fn translate(error: &DataFusionError, text: &str) -> Error {
    if let Some(found) = own_error(error, text) {
        return found;
    }
    // The writer of spill files knows no error of its own for it, and each layer wraps what it says.
    if error.to_string().contains("The used disk space during the spilling process has exceeded") {
        return Error::new(
            SqlState::DISK_FULL,
            "the spill folder is full: the statement and others wrote all they may",
        )
        .with_hint("Narrow the rows or columns that the statement reads, or raise spill_limit.");
    }
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => translate(inner, text),
        DataFusionError::Shared(inner) => translate(inner, text),
        DataFusionError::Collection(all) => match all.first() {
            Some(first) => translate(first, text),
            None => internal(error),
        },
        DataFusionError::SQL(parser, _) => parse::parser_error(text, (**parser).clone()),
        DataFusionError::SchemaError(schema, _) => schema_error(schema),
        DataFusionError::Plan(message) => plan_error(message),
        DataFusionError::NotImplemented(message) => Error::new(SqlState::FEATURE_NOT_SUPPORTED, message.clone()),
        DataFusionError::Configuration(message) => Error::new(SqlState::INVALID_PARAMETER_VALUE, message.clone()),
        DataFusionError::ResourcesExhausted(message) => {
            Error::new(SqlState::OUT_OF_MEMORY, "out of memory for this statement")
                .with_detail(message.clone())
                .with_hint("Narrow the rows or columns that the statement reads, or give the server more memory.")
        }
        DataFusionError::ArrowError(arrow, _) => arrow_error(arrow, text),
        DataFusionError::ParquetError(parquet) => match parquet.source().and_then(|inner| inner.downcast_ref()) {
            // A filter that runs inside the scan: what is wrong with a file has been said with its name.
            Some(arrow) => arrow_error(arrow, text),
            None => Error::new(SqlState::DATA_CORRUPTED, format!("cannot read Parquet data: {parquet}")),
        },
        DataFusionError::ObjectStore(store) => {
            Error::new(SqlState::IO_ERROR, format!("cannot read from the lake: {store}"))
        }
        DataFusionError::IoError(io) => Error::new(SqlState::IO_ERROR, io.to_string()),
        DataFusionError::Execution(message) => execution_error(message),
        DataFusionError::External(inner) => match inner.downcast_ref::<ArrowError>() {
            Some(arrow) => arrow_error(arrow, text),
            None => Error::new(SqlState::INTERNAL_ERROR, inner.to_string()),
        },
        _ => internal(error),
    }
}

/// Errors of ours travel inside DataFusion's: they are looked for along the whole chain.
fn own_error(error: &DataFusionError, text: &str) -> Option<Error> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(own) = current.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        if let Some(user) = current.downcast_ref::<UserError>() {
            return Some(from_user_error(user, text));
        }
        let inside = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(&**inner as &(dyn StdError + 'static)),
            Some(DataFusionError::ArrowError(arrow, _)) => Some(&**arrow as _),
            Some(DataFusionError::Shared(inner)) => Some(&**inner as _),
            _ => None,
        };
        let inside = inside.or(match current.downcast_ref::<ArrowError>() {
            Some(ArrowError::ExternalError(inner)) => Some(&**inner as &(dyn StdError + 'static)),
            _ => None,
        });
        next = inside.or_else(|| current.source());
    }
    None
}

/// An error that a function of ours words: its own SQLSTATE, hint and place.
pub fn from_user_error(user: &UserError, text: &str) -> Error {
    let mut error = Error::new(SqlState(user.sqlstate), user.message.clone());
    error.hint = user.hint.clone();
    error.position = user.position.and_then(|at| parse::position(text, Location { line: at.line, column: at.column }));
    error
}

/// The text of an error quotes the statement's expressions and values, so the log has its class alone.
fn internal(error: &DataFusionError) -> Error {
    let class = class_of(error);
    tracing::error!(class, "internal error of the engine");
    tracing::debug!(%error, "internal error of the engine");
    Error::new(SqlState::INTERNAL_ERROR, error.strip_backtrace())
}

fn class_of(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::Internal(_) => "Internal",
        DataFusionError::Execution(_) => "Execution",
        DataFusionError::ExecutionJoin(_) => "ExecutionJoin",
        DataFusionError::ArrowError(..) => "ArrowError",
        DataFusionError::ParquetError(_) => "ParquetError",
        DataFusionError::ObjectStore(_) => "ObjectStore",
        DataFusionError::IoError(_) => "IoError",
        DataFusionError::External(_) => "External",
        _ => "other",
    }
}

fn schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let name = match &field.relation {
                Some(relation) => format!("{}.{}", relation.table(), field.name),
                None => format!("\"{}\"", field.name),
            };
            let error = Error::new(SqlState::UNDEFINED_COLUMN, format!("column {name} does not exist"));
            let names: Vec<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
            match nearest(&field.name, &names) {
                Some(near) => error.with_hint(format!("Perhaps you meant the column \"{near}\".")),
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => {
            Error::new(SqlState::AMBIGUOUS_COLUMN, format!("column reference \"{}\" is ambiguous", field.name))
        }
        other => Error::new(SqlState::AMBIGUOUS_COLUMN, other.to_string()),
    }
}

/// DataFusion words its planning errors in text only; the known ones get their class, and two our words.
fn plan_error(message: &str) -> Error {
    if let Some(error) = coercion_error(message) {
        return error;
    }
    if error_words::begins(message, "table '{}' not found") {
        let name = message.split('\'').nth(1).unwrap_or_default();
        // The schema that stands for the search path is not a part of what the user wrote.
        let name = name.strip_prefix("tributary.").unwrap_or(name);
        let name = name.strip_prefix(SEARCH_PATH_SCHEMA).and_then(|n| n.strip_prefix('.')).unwrap_or(name);
        return Error::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"));
    }
    if ["Invalid function '", "table function '", "Table function '"].iter().any(|start| message.starts_with(start)) {
        let name = message.split('\'').nth(1).unwrap_or_default();
        let error = Error::new(SqlState::UNDEFINED_FUNCTION, format!("function {name} does not exist"));
        let near = message.split("Did you mean '").nth(1).and_then(|t| t.split('\'').next());
        return match near {
            Some(near) if nearest(name, &[near]).is_some() => {
                error.with_hint(format!("Perhaps you meant the function \"{near}\"."))
            }
            _ => error,
        };
    }
    let line = first_line(message);
    Error::new(error_words::of_planning(&line), line)
}

/// What a function of ours says about its arguments, DataFusion tells in words of its own.
fn coercion_error(message: &str) -> Option<Error> {
    let (_, ours) = message.split_once("user-defined coercion failed with: External error: ")?;
    let (ours, _) = ours.split_once(". No function matches")?;
    let error = Error::new(SqlState::UNDEFINED_FUNCTION, ours);
    Some(error.with_hint("No function matches the given name and argument types."))
}

fn execution_error(message: &str) -> Error {
    let line = first_line(message);
    Error::new(error_words::of_running(&line), line)
}

fn arrow_error(error: &ArrowError, text: &str) -> Error {
    match error {
        ArrowError::DivideByZero => Error::new(SqlState::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(message) => Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message.clone()),
        // A number that is none of the target's values, as against text that is no number.
        ArrowError::CastError(message) if message.starts_with("Can't cast value") => {
            Error::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message.clone())
        }
        // A time that has no date: infinity, or one beyond the calendar.
        ArrowError::CastError(message)
            if message.starts_with("Cannot convert arrow_array") || message.starts_with("Failed to create naive ") =>
        {
            Error::new(SqlState::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
        }
        ArrowError::CastError(message) | ArrowError::ParseError(message) => {
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message.clone())
        }
        ArrowError::NotYetImplemented(message) => Error::new(SqlState::FEATURE_NOT_SUPPORTED, message.clone()),
        ArrowError::ComputeError(message) => execution_error(message),
        ArrowError::InvalidArgumentError(message) => Error::new(SqlState::INVALID_PARAMETER_VALUE, message.clone()),
        ArrowError::ParquetError(message) => {
            Error::new(SqlState::DATA_CORRUPTED, format!("cannot read Parquet data: {message}"))
        }
        ArrowError::CsvError(message) | ArrowError::JsonError(message) => {
            Error::new(SqlState::INVALID_TEXT_REPRESENTATION, message.clone())
        }
        ArrowError::IoError(message, _) => Error::new(SqlState::IO_ERROR, message.clone()),
        ArrowError::ExternalError(inner) => match inner.downcast_ref::<DataFusionError>() {
            Some(error) => translate(error, text),
            None => Error::new(SqlState::INTERNAL_ERROR, inner.to_string()),
        },
        other => Error::new(SqlState::INTERNAL_ERROR, other.to_string()),
    }
}

/// Candidate lists and internals follow on later lines: users get the sentence.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or(message).trim();
    let line = line.strip_prefix("Error during planning: ").or(line.strip_prefix("Execution error: ")).unwrap_or(line);
    line.to_owned()
}

/// The closest of `names` to what was written, if it is close enough to be a slip.
fn nearest<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    names
        .iter()
        .map(|name| (strsim_distance(&written, &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4)
        .min_by_key(|(distance, name)| (*distance, *name))
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace) between two words.
fn strsim_distance(a: &str, b: &str) -> usize {
    datafusion::common::utils::datafusion_strsim::levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::common::{Column, plan_err};

    #[test]
    fn a_missing_column_names_the_nearest() {
        let error = schema_error(&SchemaError::FieldNotFound {
            field: Box::new(Column::from_name("chanel")),
            valid_fields: vec![Column::from_name("channel"), Column::from_name("event")],
        });
        assert_eq!(error.state, SqlState::UNDEFINED_COLUMN);
        assert_eq!(error.hint.as_deref(), Some("Perhaps you meant the column \"channel\"."));
    }

    #[test]
    fn a_missing_table_is_undefined_table() {
        let error: datafusion::error::Result<()> = plan_err!("table 'tributary.public.nowhere' not found");
        let error = from_datafusion(&error.unwrap_err(), "");
        assert_eq!(error.state, SqlState::UNDEFINED_TABLE);
        assert_eq!(error.message, "relation \"public.nowhere\" does not exist");
    }

    #[test]
    fn an_error_of_ours_keeps_its_class_inside_others() {
        let own = Error::new(SqlState::INVALID_PARAMETER_VALUE, "no").with_hint("yes");
        let wrapped = DataFusionError::ArrowError(
            Box::new(ArrowError::ExternalError(Box::new(DataFusionError::from(own.clone())))),
            None,
        )
        .context("somewhere");
        assert_eq!(from_datafusion(&wrapped, ""), own);
    }
}
