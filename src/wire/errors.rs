//! Errors and notices as protocol messages.

use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::response::NoticeResponse;

use crate::error::{Error, SqlState};
use crate::session::{CHANGED_RESULT, Notice};

/// An error that ends a statement, or with it the connection.
pub fn error(error: Error) -> PgWireError {
    user_error(if error.ends_connection() { "FATAL" } else { "ERROR" }, error)
}

/// An error that ends the connection.
pub fn fatal(error: Error) -> PgWireError {
    user_error("FATAL", error)
}

fn user_error(severity: &str, error: Error) -> PgWireError {
    let mut info = ErrorInfo::new(severity.to_owned(), error.state.0.to_owned(), error.message);
    info.severity_nonlocalized = Some(severity.to_owned());
    info.detail = error.detail;
    info.hint = error.hint;
    info.position = error.position.map(|position| position.to_string());
    // pgjdbc and asyncpg prepare again by themselves where they read the name of PostgreSQL's own function here.
    if error.state == SqlState::FEATURE_NOT_SUPPORTED && info.message == CHANGED_RESULT {
        info.routine = Some("RevalidateCachedQuery".to_owned());
    }
    PgWireError::UserError(Box::new(info))
}

/// Whether the connection ends with an error.
pub fn is_fatal(error: &PgWireError) -> bool {
    matches!(error, PgWireError::UserError(info) if info.is_fatal())
}

/// The SQLSTATE with which work ended. A socket that cannot be written to is a client that is gone.
pub fn state<T>(done: &std::result::Result<T, PgWireError>) -> &str {
    match done {
        Ok(_) => SqlState::SUCCESSFUL_COMPLETION.0,
        Err(PgWireError::UserError(info)) => &info.code,
        Err(PgWireError::IoError(_)) => SqlState::CONNECTION_FAILURE.0,
        Err(_) => SqlState::PROTOCOL_VIOLATION.0,
    }
}

/// Something the client is told beside the answer.
pub fn notice(notice: Notice) -> NoticeResponse {
    let mut info = ErrorInfo::new(notice.severity.to_owned(), notice.state.0.to_owned(), notice.message);
    info.severity_nonlocalized = Some(notice.severity.to_owned());
    info.hint = notice.hint;
    info.into()
}

/// Gives the protocol library's own errors the SQLSTATE that PostgreSQL has for them.
pub fn with_sqlstate(error: &mut PgWireError) {
    let state = match error {
        PgWireError::UserError(_) | PgWireError::IoError(_) => return,
        PgWireError::UnsupportedProtocolVersion(..) => SqlState::FEATURE_NOT_SUPPORTED,
        PgWireError::QueryCanceled => SqlState::QUERY_CANCELED,
        PgWireError::ApiError(_) => SqlState::INTERNAL_ERROR,
        _ => SqlState::PROTOCOL_VIOLATION,
    };
    *error = user_error("ERROR", Error::new(state, error.to_string()));
}
