//! `has_*_privilege`: until there are grants, everybody may read everything and nobody writes a lake by INSERT.

use datafusion::error::Result;

use super::definition::{Call, Function, Kind, Returns, Row};
use super::objects::relation_argument;
use crate::catalog::system::Cell;
use crate::error::{Error, SqlState};

/// `(object, privilege)` and `(user, object, privilege)`.
const ON_OBJECT: &[&[Kind]] = &[&[Kind::NameOrOid, Kind::Text], &[Kind::NameOrOid, Kind::NameOrOid, Kind::Text]];
/// The same with a column by name or number after the table.
const ON_COLUMN: &[&[Kind]] = &[
    &[Kind::NameOrOid, Kind::NameOrOid, Kind::Text],
    &[Kind::NameOrOid, Kind::NameOrOid, Kind::NameOrOid, Kind::Text],
];

/// The functions of this file.
pub const FUNCTIONS: &[Function] = &[
    Function::strict("has_table_privilege", ON_OBJECT, Returns::Bool, |call, row| on_relation(call, row, 2)),
    Function::strict("has_any_column_privilege", ON_OBJECT, Returns::Bool, |call, row| on_relation(call, row, 2)),
    Function::strict("has_column_privilege", ON_COLUMN, Returns::Bool, |call, row| on_relation(call, row, 3)),
    Function::strict("has_sequence_privilege", ON_OBJECT, Returns::Bool, |call, row| on_relation(call, row, 2)),
    Function::strict("has_schema_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_database_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_function_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_language_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_tablespace_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_type_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_foreign_data_wrapper_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("has_server_privilege", ON_OBJECT, Returns::Bool, on_object),
    Function::strict("pg_has_role", ON_OBJECT, Returns::Bool, |_, _| Ok(true.into())),
];

/// The privileges that every session has.
const GRANTED: [&str; 8] = ["SELECT", "USAGE", "CONNECT", "EXECUTE", "CREATE", "TEMP", "TEMPORARY", "MEMBER"];
/// The privileges that exist and nobody has: a lake's tables are written by its files.
const WITHHELD: [&str; 7] = ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"];

/// A privilege on a relation; `without_user` is how many arguments the form without a user has.
fn on_relation(call: &Call, row: &Row, without_user: usize) -> Result<Cell> {
    let table = row.argument_count() - without_user;
    match relation_argument(call, row, table)? {
        Some(_) => on_object(call, row),
        None => Ok(Cell::Null),
    }
}

fn on_object(_: &Call, row: &Row) -> Result<Cell> {
    let wanted = row.text(row.argument_count() - 1).unwrap_or_default();
    // A list of privileges asks for any of them.
    let mut has_any = false;
    for privilege in wanted.split(',') {
        let privilege = privilege.trim().to_uppercase();
        let privilege = privilege.strip_suffix(" WITH GRANT OPTION").unwrap_or(&privilege);
        if GRANTED.contains(&privilege) {
            has_any = true;
        } else if !WITHHELD.contains(&privilege) {
            let message = format!("unrecognized privilege type: \"{}\"", privilege.to_lowercase());
            return Err(Error::new(SqlState::INVALID_PARAMETER_VALUE, message).into());
        }
    }
    Ok(has_any.into())
}
