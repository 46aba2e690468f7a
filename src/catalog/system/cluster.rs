//! Rows about the server and its sessions: databases, roles, settings, activity, time zones.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::OffsetName;

use super::info::SessionInfo;
use super::rows::{Cell, Rows};
use super::{OWNER, OWNER_OID, USER_OID};
use crate::catalog::server::DATABASE;

/// The id of the one database; PostgreSQL gives 5 to its first one.
pub const DATABASE_OID: u32 = 5;
/// The encoding UTF8 in PostgreSQL's list.
const ENCODING_UTF8: i64 = 6;
/// The tablespace `pg_default`.
const DEFAULT_TABLESPACE_OID: i64 = 1_663;

/// A role as the catalogue lists it.
struct Role {
    oid: u32,
    name: String,
}

/// The owner of everything, and the session's user if it is another.
fn roles(user: &str) -> Vec<Role> {
    let mut roles = vec![Role { oid: OWNER_OID, name: OWNER.to_owned() }];
    if user != OWNER {
        roles.push(Role { oid: USER_OID, name: user.to_owned() });
    }
    roles
}

/// The id of a role by name, as this session's user sees it.
pub fn role_oid(name: &str, user: &str) -> Option<u32> {
    roles(user).into_iter().find(|role| role.name == name).map(|role| role.oid)
}

/// The name of a role by id, as this session's user sees it.
pub fn role_name(oid: u32, user: &str) -> Option<String> {
    roles(user).into_iter().find(|role| role.oid == oid).map(|role| role.name)
}

/// `pg_database`.
pub fn pg_database() -> Rows {
    let mut rows = Rows::new(&[
        "oid",
        "datname",
        "datdba",
        "encoding",
        "datlocprovider",
        "datistemplate",
        "datallowconn",
        "datconnlimit",
        "datfrozenxid",
        "datminmxid",
        "dattablespace",
        "datcollate",
        "datctype",
    ]);
    rows.push(vec![
        DATABASE_OID.into(),
        DATABASE.into(),
        OWNER_OID.into(),
        ENCODING_UTF8.into(),
        "c".into(),
        false.into(),
        true.into(),
        (-1i64).into(),
        "0".into(),
        "0".into(),
        DEFAULT_TABLESPACE_OID.into(),
        "C.UTF-8".into(),
        "C.UTF-8".into(),
    ]);
    rows
}

/// `pg_roles` and `pg_authid`.
pub fn pg_roles(user: &str, is_superuser: bool) -> Rows {
    let mut rows = Rows::new(&[
        "rolname",
        "rolsuper",
        "rolinherit",
        "rolcreaterole",
        "rolcreatedb",
        "rolcanlogin",
        "rolreplication",
        "rolconnlimit",
        "rolpassword",
        "rolbypassrls",
        "oid",
    ]);
    for role in roles(user) {
        let may_do_all = is_superuser || role.oid == OWNER_OID;
        rows.push(vec![
            role.name.into(),
            may_do_all.into(),
            true.into(),
            may_do_all.into(),
            may_do_all.into(),
            true.into(),
            false.into(),
            (-1i64).into(),
            "********".into(),
            may_do_all.into(),
            role.oid.into(),
        ]);
    }
    rows
}

/// `pg_user`.
pub fn pg_user(user: &str) -> Rows {
    let mut rows = Rows::new(&["usename", "usesysid", "usecreatedb", "usesuper", "userepl", "usebypassrls", "passwd"]);
    for role in roles(user) {
        rows.push(vec![
            role.name.into(),
            role.oid.into(),
            true.into(),
            true.into(),
            false.into(),
            true.into(),
            "********".into(),
        ]);
    }
    rows
}

/// `pg_settings`.
pub fn pg_settings(session: &dyn SessionInfo) -> Rows {
    let mut rows = Rows::new(&[
        "name",
        "setting",
        "unit",
        "category",
        "short_desc",
        "context",
        "vartype",
        "source",
        "enumvals",
        "boot_val",
        "reset_val",
        "pending_restart",
    ]);
    for setting in session.settings() {
        let source = if setting.value == setting.boot_value { "default" } else { "session" };
        let allowed = setting.allowed_values;
        rows.push(vec![
            setting.name.into(),
            setting.value.into(),
            setting.unit.into(),
            "Tributary".into(),
            setting.description.into(),
            setting.context.into(),
            setting.kind.into(),
            source.into(),
            if allowed.is_empty() { Cell::Null } else { Cell::TextList(allowed) },
            setting.boot_value.into(),
            setting.reset_value.into(),
            false.into(),
        ]);
    }
    rows
}

/// `pg_stat_activity`.
pub fn pg_stat_activity(session: &dyn SessionInfo, user: &str) -> Rows {
    let mut rows = Rows::new(&[
        "datid",
        "datname",
        "pid",
        "usesysid",
        "usename",
        "application_name",
        "client_addr",
        "backend_start",
        "xact_start",
        "query_start",
        "state",
        "query",
        "backend_type",
    ]);
    for connection in session.activity() {
        rows.push(vec![
            DATABASE_OID.into(),
            DATABASE.into(),
            connection.pid.into(),
            role_oid(&connection.user, user).into(),
            connection.user.into(),
            connection.application_name.into(),
            connection.client_addr.into(),
            connection.connected_at_us.map_or(Cell::Null, Cell::TimestampUs),
            connection.transaction_started_at_us.map_or(Cell::Null, Cell::TimestampUs),
            connection.query_started_at_us.map_or(Cell::Null, Cell::TimestampUs),
            connection.state.map_or(Cell::Null, Cell::from),
            connection.query.into(),
            "client backend".into(),
        ]);
    }
    rows
}

/// `pg_timezone_names`, with the offsets of `now`.
pub fn pg_timezone_names(now: DateTime<Utc>) -> Rows {
    let mut rows = Rows::new(&["name", "abbrev", "utc_offset", "is_dst"]);
    for zone in chrono_tz::TZ_VARIANTS {
        let offset = zone.offset_from_utc_datetime(&now.naive_utc());
        let seconds = offset.fix().local_minus_utc();
        let sign = if seconds < 0 { "-" } else { "" };
        let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
        rows.push(vec![
            zone.name().into(),
            offset.abbreviation().unwrap_or(zone.name()).to_owned().into(),
            format!("{sign}{hours:02}:{minutes:02}:00").into(),
            (chrono_tz::OffsetComponents::dst_offset(&offset).num_seconds() != 0).into(),
        ]);
    }
    rows
}

/// `pg_prepared_statements`.
pub fn pg_prepared_statements(session: &dyn SessionInfo) -> Rows {
    let mut rows = Rows::new(&["name", "statement", "prepare_time", "parameter_types", "result_types", "from_sql"]);
    for prepared in session.prepared_statements() {
        rows.push(vec![
            prepared.name.into(),
            prepared.statement.into(),
            Cell::TimestampUs(prepared.prepared_at_us),
            Cell::TextList(prepared.parameter_types),
            prepared.result_types.map_or(Cell::Null, Cell::TextList),
            prepared.is_from_sql.into(),
        ]);
    }
    rows
}

/// `pg_cursors`: no cursor is binary, and none goes back.
pub fn pg_cursors(session: &dyn SessionInfo) -> Rows {
    let mut rows = Rows::new(&["name", "statement", "is_holdable", "is_binary", "is_scrollable", "creation_time"]);
    for cursor in session.cursors() {
        rows.push(vec![
            cursor.name.into(),
            cursor.statement.into(),
            cursor.is_held.into(),
            false.into(),
            false.into(),
            Cell::TimestampUs(cursor.created_at_us),
        ]);
    }
    rows
}
