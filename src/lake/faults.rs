//! What goes wrong with a file, said with the file's name.

use std::error::Error as StdError;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::parquet::errors::ParquetError;

use super::store;
use crate::error::{Error, SqlState};

/// Why a file could not be read, and whether another try could do better.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    /// The bytes themselves are at fault: the same version of the file will fail again.
    pub(super) is_lasting: bool,
}

/// Words an error that came from reading `file`; `None` if the file is not to blame.
///
/// The file is not to blame for what the query asked of its rows (a division by zero in a filter
/// that runs inside the scan) or for the machine (memory, cancel).
pub(super) fn blame(file: &str, error: &DataFusionError) -> Option<Fault> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    let mut damage = None;
    let mut is_of_decoder = false;
    while let Some(current) = cause {
        if current.is::<Error>() {
            return None;
        }
        if let Some(error) = current.downcast_ref::<object_store::Error>() {
            return Some(passing(file, error));
        }
        // The bytes are there by then: a decompressor words what is wrong with them as an error of I/O too.
        if is_of_decoder && !current.is::<ArrowError>() && !current.is::<DataFusionError>() {
            damage = damage.or_else(|| Some(undecodable(file, &current.to_string())));
            break;
        }
        if let Some(error) = current.downcast_ref::<std::io::Error>() {
            let error = Error::new(SqlState::IO_ERROR, format!("could not read '{file}': {error}"));
            return Some(Fault { error, is_lasting: false });
        }
        damage = damage.or_else(|| damaged(file, current));
        is_of_decoder = current.is::<ParquetError>();
        cause = inner(current);
    }
    damage.map(|error| Fault { error, is_lasting: true })
}

/// The cause one level down, also where a wrapper holds it in a box that `source` skips.
pub(super) fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<DataFusionError>() {
        Some(DataFusionError::ArrowError(error, _)) => return Some(error.as_ref()),
        Some(DataFusionError::ParquetError(error)) => return Some(error.as_ref()),
        Some(DataFusionError::ObjectStore(error)) => return Some(error.as_ref()),
        Some(DataFusionError::Context(_, error)) => return Some(error.as_ref()),
        Some(DataFusionError::External(error)) => return Some(error.as_ref()),
        _ => {}
    }
    if let Some(ArrowError::ExternalError(error)) = error.downcast_ref() {
        return Some(error.as_ref());
    }
    if let Some(ParquetError::External(error)) = error.downcast_ref() {
        return Some(error.as_ref());
    }
    error.source()
}

/// What helps where a file is another, or none, by now. A transaction keeps to the files that it began with.
const AGAIN: &str = "run the statement again; in a transaction, begin the transaction again";

/// Words an error of the store: the file went away, was replaced, or could not be reached.
pub(super) fn passing(file: &str, error: &object_store::Error) -> Fault {
    let error = match error {
        object_store::Error::NotFound { .. } => {
            Error::new(SqlState::UNDEFINED_FILE, format!("file '{file}' is gone since the lake was listed"))
                .with_hint(AGAIN)
        }
        object_store::Error::Precondition { .. } => replaced(file),
        other => {
            let (state, reason) = store::reason(other);
            Error::new(state, format!("could not read '{file}': {reason}"))
        }
    };
    Fault { error, is_lasting: false }
}

/// The file is another than the one that was listed.
pub(super) fn replaced(file: &str) -> Error {
    Error::new(SqlState::IO_ERROR, format!("file '{file}' was replaced while the statement read it")).with_hint(AGAIN)
}

fn damaged(file: &str, error: &(dyn StdError + 'static)) -> Option<Error> {
    if let Some(error) = error.downcast_ref::<ParquetError>() {
        return not_an_external(error).then(|| undecodable(file, &error.to_string()));
    }
    match error.downcast_ref::<ArrowError>()? {
        ArrowError::ParquetError(message) => Some(undecodable(file, message)),
        ArrowError::CsvError(message) => Some(bad_rows(file, message)),
        ArrowError::JsonError(message) => Some(bad_rows(file, message)),
        // The readers of CSV word it so; a cast in the query words its own failures otherwise.
        ArrowError::ParseError(message) if message.starts_with("Error while parsing value") => {
            Some(bad_rows(file, message))
        }
        _ => None,
    }
}

fn not_an_external(error: &ParquetError) -> bool {
    !matches!(error, ParquetError::External(_))
}

/// The bytes of a Parquet file are not what its format says.
pub(super) fn undecodable(file: &str, why: &str) -> Error {
    Error::new(SqlState::DATA_CORRUPTED, format!("file '{file}' is not readable Parquet"))
        .with_detail(why.to_owned())
        .with_hint(
            "the file is damaged, or still being written: write it under a name that begins with '.', then rename it",
        )
}

fn bad_rows(file: &str, why: &str) -> Error {
    Error::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("file '{file}' has a row that cannot be read: {why}"))
}
