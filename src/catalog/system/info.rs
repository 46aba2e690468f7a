//! What the system tables and functions ask of a session and of the functions' documentation.

use std::fmt::Debug;

use crate::error::Result;

/// A session's own facts; the room `session` implements it.
pub trait SessionInfo: Debug + Send + Sync {
    /// The process id that BackendKeyData announced.
    fn backend_pid(&self) -> i32;

    /// The value of a setting in this session, as SHOW prints it; `None` if there is no such setting.
    fn setting(&self, name: &str) -> Option<String>;

    /// Sets a setting; `is_local` until the end of the transaction. Fails as SET would.
    fn set_setting(&self, name: &str, value: &str, is_local: bool) -> Result<()>;

    /// Every setting, for `pg_settings`.
    fn settings(&self) -> Vec<SettingInfo>;

    /// Every connection of the server, for `pg_stat_activity`: of those of others, if this session's user may not
    /// see them, no more than that they are there.
    fn activity(&self) -> Vec<Activity>;

    /// The session's prepared statements that have a name, for `pg_prepared_statements`.
    fn prepared_statements(&self) -> Vec<PreparedInfo>;

    /// The session's open cursors, for `pg_cursors`.
    fn cursors(&self) -> Vec<CursorInfo>;

    /// Whether the session's user may do everything.
    fn is_superuser(&self) -> bool;

    /// Stops what a connection does, or ends it; whether there is such a connection.
    ///
    /// Fails with 42501 if it is somebody else's and this session's user is no superuser.
    fn signal(&self, process_id: i32, signal: Signal) -> Result<bool>;

    /// When the server started, in microseconds since 1970-01-01 UTC.
    fn server_started_at_us(&self) -> i64;
}

/// A setting as `pg_settings` lists it.
#[derive(Clone, Debug)]
pub struct SettingInfo {
    /// Its name.
    pub name: String,
    /// Its value now.
    pub value: String,
    /// Its unit, such as `ms`.
    pub unit: Option<&'static str>,
    /// One sentence on what it does.
    pub description: String,
    /// Who may set it: `user`, `superuser`, `internal` and PostgreSQL's other words.
    pub context: &'static str,
    /// `bool`, `integer`, `real`, `string` or `enum`.
    pub kind: &'static str,
    /// The values it may have, for enums.
    pub allowed_values: Vec<String>,
    /// The value it starts with.
    pub boot_value: String,
    /// The value RESET gives it.
    pub reset_value: String,
}

/// What one connection may do to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `pg_cancel_backend`: the statement stops.
    Cancel,
    /// `pg_terminate_backend`: the connection ends.
    Terminate,
}

/// A prepared statement as `pg_prepared_statements` lists it.
#[derive(Clone, Debug)]
pub struct PreparedInfo {
    /// Its name.
    pub name: String,
    /// Its text, as the client sent it.
    pub statement: String,
    /// When it was prepared, in microseconds since 1970-01-01 UTC.
    pub prepared_at_us: i64,
    /// The types of its parameters, as SQL writes them.
    pub parameter_types: Vec<String>,
    /// The types of its columns; `None` for a statement without rows.
    pub result_types: Option<Vec<String>>,
    /// Whether PREPARE made it, and not the protocol.
    pub is_from_sql: bool,
}

/// An open cursor as `pg_cursors` lists it.
#[derive(Clone, Debug)]
pub struct CursorInfo {
    /// Its name.
    pub name: String,
    /// The statement that declared it.
    pub statement: String,
    /// Whether it outlives its transaction.
    pub is_held: bool,
    /// When it was declared, in microseconds since 1970-01-01 UTC.
    pub created_at_us: i64,
}

/// One connection as `pg_stat_activity` lists it.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Its process id.
    pub pid: i32,
    /// Its user.
    pub user: String,
    /// What the client calls itself.
    pub application_name: String,
    /// The client's address, `None` on a local socket.
    pub client_addr: Option<String>,
    /// `active`, `idle`, `idle in transaction` or `idle in transaction (aborted)`; `None` is not to be seen.
    pub state: Option<&'static str>,
    /// The statement that runs or ran last.
    pub query: String,
    /// When it connected, in microseconds since 1970-01-01 UTC.
    pub connected_at_us: Option<i64>,
    /// When the open transaction began.
    pub transaction_started_at_us: Option<i64>,
    /// When the statement began.
    pub query_started_at_us: Option<i64>,
}

impl Activity {
    /// Takes out what only the connection's own user and superusers may see, as PostgreSQL does.
    pub fn hide(&mut self) {
        self.query = "<insufficient privilege>".to_owned();
        (self.application_name, self.client_addr, self.state) = (String::new(), None, None);
        (self.connected_at_us, self.transaction_started_at_us, self.query_started_at_us) = (None, None, None);
    }
}

/// A function of ours as the catalogue lists it.
#[derive(Clone, Debug)]
pub struct FunctionInfo {
    /// Its SQL name.
    pub name: String,
    /// What kind of function it is.
    pub kind: FunctionKind,
    /// Its positional arguments in order.
    pub arguments: Vec<FunctionArgument>,
    /// Its arguments as `\df` shows them.
    pub arguments_text: String,
    /// The SQL type of its result.
    pub returns: String,
    /// The line of `\df+`.
    pub description: String,
}

/// An argument of a function of ours.
#[derive(Clone, Debug)]
pub struct FunctionArgument {
    /// Its name.
    pub name: String,
    /// Its SQL type; anything that is no type of PostgreSQL is listed as `any`.
    pub sql_type: String,
    /// Whether it may be repeated.
    pub is_variadic: bool,
}

/// Kinds of functions, as `pg_proc.prokind` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionKind {
    /// One row to one value.
    Scalar,
    /// Many rows to one value.
    Aggregate,
    /// One row to one value, in view of other rows.
    Window,
}

impl FunctionKind {
    /// The letter of `pg_proc.prokind`.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Scalar => "f",
            Self::Aggregate => "a",
            Self::Window => "w",
        }
    }
}
