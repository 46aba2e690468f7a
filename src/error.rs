//! The one error type of the server.
//!
//! Whatever goes wrong between a client's bytes and its rows ends here, with one SQLSTATE.
//! The wire writes it as an `ErrorResponse`; the command line prints it.

use std::fmt;

use datafusion::error::DataFusionError;

/// The SQLSTATE classes that the server reports, named as PostgreSQL names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SqlState(pub &'static str);

impl SqlState {
    pub const SUCCESSFUL_COMPLETION: Self = Self("00000");
    pub const WARNING: Self = Self("01000");
    pub const CONNECTION_FAILURE: Self = Self("08006");
    pub const PROTOCOL_VIOLATION: Self = Self("08P01");
    pub const FEATURE_NOT_SUPPORTED: Self = Self("0A000");
    pub const DATA_EXCEPTION: Self = Self("22000");
    pub const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self("22003");
    pub const INVALID_DATETIME_FORMAT: Self = Self("22007");
    pub const DATETIME_FIELD_OVERFLOW: Self = Self("22008");
    pub const DIVISION_BY_ZERO: Self = Self("22012");
    pub const INVALID_PARAMETER_VALUE: Self = Self("22023");
    pub const INVALID_LIMIT: Self = Self("2201W");
    pub const INVALID_OFFSET: Self = Self("2201X");
    pub const INVALID_TEXT_REPRESENTATION: Self = Self("22P02");
    pub const INVALID_BINARY_REPRESENTATION: Self = Self("22P03");
    pub const ACTIVE_SQL_TRANSACTION: Self = Self("25001");
    pub const READ_ONLY_SQL_TRANSACTION: Self = Self("25006");
    pub const NO_ACTIVE_SQL_TRANSACTION: Self = Self("25P01");
    pub const IN_FAILED_SQL_TRANSACTION: Self = Self("25P02");
    pub const INVALID_SQL_STATEMENT_NAME: Self = Self("26000");
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: Self = Self("25P03");
    pub const INVALID_AUTHORIZATION: Self = Self("28000");
    pub const INVALID_PASSWORD: Self = Self("28P01");
    pub const INVALID_SAVEPOINT: Self = Self("3B001");
    pub const INVALID_CATALOG_NAME: Self = Self("3D000");
    pub const INVALID_CURSOR_NAME: Self = Self("34000");
    pub const INVALID_SCHEMA_NAME: Self = Self("3F000");
    pub const INSUFFICIENT_PRIVILEGE: Self = Self("42501");
    pub const CHARACTER_NOT_IN_REPERTOIRE: Self = Self("22021");
    pub const DUPLICATE_CURSOR: Self = Self("42P03");
    pub const DUPLICATE_PREPARED_STATEMENT: Self = Self("42P05");
    pub const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: Self = Self("42000");
    pub const SYNTAX_ERROR: Self = Self("42601");
    pub const UNDEFINED_COLUMN: Self = Self("42703");
    pub const AMBIGUOUS_COLUMN: Self = Self("42702");
    pub const UNDEFINED_OBJECT: Self = Self("42704");
    pub const DUPLICATE_ALIAS: Self = Self("42712");
    pub const GROUPING_ERROR: Self = Self("42803");
    pub const DATATYPE_MISMATCH: Self = Self("42804");
    pub const WRONG_OBJECT_TYPE: Self = Self("42809");
    pub const CANNOT_COERCE: Self = Self("42846");
    pub const UNDEFINED_FUNCTION: Self = Self("42883");
    pub const UNDEFINED_TABLE: Self = Self("42P01");
    pub const UNDEFINED_PARAMETER: Self = Self("42P02");
    pub const DUPLICATE_SCHEMA: Self = Self("42P06");
    pub const DUPLICATE_TABLE: Self = Self("42P07");
    pub const INVALID_COLUMN_REFERENCE: Self = Self("42P10");
    pub const INDETERMINATE_DATATYPE: Self = Self("42P18");
    pub const WINDOWING_ERROR: Self = Self("42P20");
    pub const DISK_FULL: Self = Self("53100");
    pub const OUT_OF_MEMORY: Self = Self("53200");
    pub const TOO_MANY_CONNECTIONS: Self = Self("53300");
    pub const PROGRAM_LIMIT_EXCEEDED: Self = Self("54000");
    pub const STATEMENT_TOO_COMPLEX: Self = Self("54001");
    pub const TOO_MANY_COLUMNS: Self = Self("54011");
    pub const OBJECT_NOT_IN_PREREQUISITE_STATE: Self = Self("55000");
    pub const OBJECT_IN_USE: Self = Self("55006");
    pub const QUERY_CANCELED: Self = Self("57014");
    pub const ADMIN_SHUTDOWN: Self = Self("57P01");
    pub const IO_ERROR: Self = Self("58030");
    pub const UNDEFINED_FILE: Self = Self("58P01");
    pub const CANT_CHANGE_RUNTIME_PARAM: Self = Self("55P02");
    pub const INTERNAL_ERROR: Self = Self("XX000");
    pub const DATA_CORRUPTED: Self = Self("XX001");
}

/// An error as a client sees it: SQLSTATE, message, and where known detail, hint and position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub state: SqlState,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Character offset in the statement's text, from 1, as PostgreSQL counts.
    pub position: Option<usize>,
}

/// What the server's own functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with its class and the sentence the user reads.
    pub fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), detail: None, hint: None, position: None }
    }

    /// A session has as many of something as it may (54000).
    pub fn too_many(what: &str, limit: usize) -> Self {
        Self::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("too many {what}: a session may have {limit}"))
    }

    /// Adds what the user can do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds facts that explain the message.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Whether the connection ends with it: PostgreSQL's severity FATAL.
    pub fn ends_connection(&self) -> bool {
        self.state == SqlState::ADMIN_SHUTDOWN
    }

    /// Points at a character of the statement, counted from 1.
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}
