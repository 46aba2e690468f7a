//! Functions about the server and the connection: version, user, database, settings.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::error::{DataFusionError, Result};

use super::definition::{Call, Function, Kind, Returns, Row};
use crate::catalog::DATABASE;
use crate::catalog::system::{Cell, SessionInfo, Signal};
use crate::error::{Error, SqlState};

/// The version of PostgreSQL whose dialect and catalogue this server follows.
pub const POSTGRES_VERSION: &str = "16.6";

const NOTHING: &[&[Kind]] = &[&[]];

/// The functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function::strict("version", NOTHING, Returns::Text, |_, _| Ok(version().into())),
    Function::strict("current_database", NOTHING, Returns::Text, |_, _| Ok(DATABASE.into())),
    Function::strict("current_catalog", NOTHING, Returns::Text, |_, _| Ok(DATABASE.into())),
    Function::strict("current_schema", NOTHING, Returns::Text, |call, _| Ok(call.catalog.current_schema().into())),
    Function::strict("current_schemas", &[&[Kind::Bool]], Returns::TextList, current_schemas),
    Function::strict("current_user", NOTHING, Returns::Text, user),
    Function::strict("session_user", NOTHING, Returns::Text, user),
    Function::strict("current_role", NOTHING, Returns::Text, user),
    Function::strict("user", NOTHING, Returns::Text, user),
    Function::strict("pg_backend_pid", NOTHING, Returns::Int4, |call, _| Ok(info(call)?.backend_pid().into())),
    Function::strict("current_setting", &[&[Kind::Text], &[Kind::Text, Kind::Bool]], Returns::Text, current_setting),
    Function {
        name: "set_config",
        overloads: &[&[Kind::Text, Kind::Text, Kind::Bool]],
        returns: Returns::Text,
        is_strict: true,
        is_volatile: true,
        body: set_config,
    },
    Function {
        name: "clock_timestamp",
        overloads: NOTHING,
        returns: Returns::Timestamptz,
        is_strict: true,
        is_volatile: true,
        body: |_, _| Ok(Cell::TimestampUs(now_us())),
    },
    Function {
        name: "pg_cancel_backend",
        overloads: &[&[Kind::Oid]],
        returns: Returns::Bool,
        is_strict: true,
        is_volatile: true,
        body: |call, row| signal(call, row, Signal::Cancel),
    },
    Function {
        name: "pg_terminate_backend",
        overloads: &[&[Kind::Oid]],
        returns: Returns::Bool,
        is_strict: true,
        is_volatile: true,
        body: |call, row| signal(call, row, Signal::Terminate),
    },
    // There are no advisory locks to take, so each connection has given back all it has. Pools of connections ask.
    Function::strict("pg_advisory_unlock_all", NOTHING, Returns::Text, |_, _| Ok("".into())),
    Function::strict("pg_postmaster_start_time", NOTHING, Returns::Timestamptz, started_at),
    Function::strict("pg_conf_load_time", NOTHING, Returns::Timestamptz, started_at),
    Function::strict("pg_is_in_recovery", NOTHING, Returns::Bool, |_, _| Ok(false.into())),
    Function::strict("pg_my_temp_schema", NOTHING, Returns::Int4, |_, _| Ok(0i64.into())),
    Function::strict("pg_is_other_temp_schema", &[&[Kind::Oid]], Returns::Bool, |_, _| Ok(false.into())),
    // Which sockets the server has is the operator's business; PostgreSQL answers NULL on local sockets.
    Function::strict("inet_server_addr", NOTHING, Returns::Text, |_, _| Ok(Cell::Null)),
    Function::strict("inet_server_port", NOTHING, Returns::Int4, |_, _| Ok(Cell::Null)),
    Function::strict("inet_client_addr", NOTHING, Returns::Text, |_, _| Ok(Cell::Null)),
    Function::strict("inet_client_port", NOTHING, Returns::Int4, |_, _| Ok(Cell::Null)),
    Function::strict("getdatabaseencoding", NOTHING, Returns::Text, |_, _| Ok("UTF8".into())),
    Function::strict("pg_client_encoding", NOTHING, Returns::Text, |_, _| Ok("UTF8".into())),
];

/// What `version()` answers: drivers read the first number, people the rest.
pub fn version() -> String {
    format!(
        "PostgreSQL {POSTGRES_VERSION} (Tributary {}, DataFusion {}) on {}-{}",
        env!("CARGO_PKG_VERSION"),
        datafusion::DATAFUSION_VERSION,
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

fn info(call: &Call) -> Result<Arc<dyn SessionInfo>> {
    call.catalog
        .info()
        .ok_or_else(|| DataFusionError::Internal("the session's facts were not given to its functions".to_owned()))
}

/// Microseconds since 1970-01-01 UTC, by the machine's clock.
fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn user(call: &Call, _: &Row) -> Result<Cell> {
    Ok(call.catalog.user().to_owned().into())
}

fn started_at(call: &Call, _: &Row) -> Result<Cell> {
    Ok(Cell::TimestampUs(info(call)?.server_started_at_us()))
}

fn current_schemas(call: &Call, row: &Row) -> Result<Cell> {
    let with_implied = row.bool(0).unwrap_or_default();
    let schemas = if with_implied { call.path.clone() } else { call.catalog.explicit_search_path() };
    Ok(Cell::TextList(schemas))
}

fn current_setting(call: &Call, row: &Row) -> Result<Cell> {
    let name = row.text(0).unwrap_or_default();
    match info(call)?.setting(name) {
        Some(value) => Ok(value.into()),
        None if row.bool(1) == Some(true) => Ok(Cell::Null),
        None => {
            let message = format!("unrecognized configuration parameter \"{name}\"");
            Err(Error::new(SqlState::UNDEFINED_OBJECT, message).into())
        }
    }
}

/// Whether there was a connection of that number. PostgreSQL warns where there is none, and answers false too.
fn signal(call: &Call, row: &Row, signal: Signal) -> Result<Cell> {
    let Some(process_id) = row.int(0).and_then(|number| i32::try_from(number).ok()) else { return Ok(false.into()) };
    Ok(info(call)?.signal(process_id, signal)?.into())
}

fn set_config(call: &Call, row: &Row) -> Result<Cell> {
    let (name, value) = (row.text(0).unwrap_or_default(), row.text(1).unwrap_or_default());
    let info = info(call)?;
    info.set_setting(name, value, row.bool(2).unwrap_or_default())?;
    // What is local to no block is gone with the statement, which has set it.
    Ok(info.setting(name).unwrap_or_else(|| value.to_owned()).into())
}
