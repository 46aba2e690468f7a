//! What the catalogue says about an object of a given id: definition, signature, description, size.

use datafusion::error::Result;

use super::definition::{Call, Function, Kind, Returns, Row};
use super::objects::{class_oid, relation_argument};
use crate::catalog::system::{Cell, ListedSignature, view_definition};
use crate::error::{Error, SqlState};

const OID: &[&[Kind]] = &[&[Kind::Oid]];
const RELATION: &[&[Kind]] = &[&[Kind::NameOrOid]];

/// The functions of this file.
pub const FUNCTIONS: &[Function] = &[
    // Defaults, constraints, indexes, rules, triggers, partitions and statistics do not exist here:
    // there is nothing to write down about them, and PostgreSQL answers NULL for an id of nothing.
    Function::strict(
        "pg_get_expr",
        &[&[Kind::Text, Kind::Oid], &[Kind::Text, Kind::Oid, Kind::Bool]],
        Returns::Text,
        |_, row| Ok(row.text(0).map(str::to_owned).into()),
    ),
    Function::strict("pg_get_constraintdef", &[&[Kind::Oid], &[Kind::Oid, Kind::Bool]], Returns::Text, nothing),
    Function::strict("pg_get_indexdef", &[&[Kind::Oid], &[Kind::Oid, Kind::Oid, Kind::Bool]], Returns::Text, nothing),
    Function::strict("pg_get_ruledef", &[&[Kind::Oid], &[Kind::Oid, Kind::Bool]], Returns::Text, nothing),
    Function::strict("pg_get_triggerdef", &[&[Kind::Oid], &[Kind::Oid, Kind::Bool]], Returns::Text, nothing),
    Function::strict("pg_get_partkeydef", OID, Returns::Text, nothing),
    Function::strict("pg_get_partition_constraintdef", OID, Returns::Text, nothing),
    Function::strict("pg_get_statisticsobjdef", OID, Returns::Text, nothing),
    Function::strict("pg_get_statisticsobjdef_columns", OID, Returns::Text, nothing),
    Function::strict("pg_get_serial_sequence", &[&[Kind::Text, Kind::Text]], Returns::Text, nothing),
    Function::strict(
        "pg_get_viewdef",
        &[&[Kind::NameOrOid], &[Kind::NameOrOid, Kind::Bool], &[Kind::NameOrOid, Kind::Oid]],
        Returns::Text,
        |call, row| Ok(relation_argument(call, row, 0)?.and_then(|relation| view_definition(relation)).into()),
    ),
    Function::strict("pg_get_functiondef", OID, Returns::Text, function_definition),
    Function::strict("pg_get_function_sqlbody", OID, Returns::Text, nothing),
    Function::strict("pg_get_function_result", OID, Returns::Text, |call, row| {
        Ok(function(call, row).and_then(|function| function.result.clone()).into())
    }),
    Function::strict("pg_get_function_arguments", OID, Returns::Text, |call, row| {
        Ok(function(call, row).map(|function| function.arguments.clone()).into())
    }),
    Function::strict("pg_get_function_identity_arguments", OID, Returns::Text, |call, row| {
        Ok(function(call, row).map(|function| function.arguments.clone()).into())
    }),
    Function::strict("obj_description", &[&[Kind::Oid], &[Kind::Oid, Kind::Text]], Returns::Text, object_description),
    // Comments on columns, databases, roles and tablespaces cannot be made yet.
    Function::strict("col_description", &[&[Kind::Oid, Kind::Oid]], Returns::Text, nothing),
    Function::strict("shobj_description", &[&[Kind::Oid, Kind::Text]], Returns::Text, nothing),
    // NULL is "not known": listing tables must not ask the store for the sizes of their files.
    Function::strict("pg_table_size", RELATION, Returns::Int8, nothing),
    Function::strict("pg_total_relation_size", RELATION, Returns::Int8, nothing),
    Function::strict("pg_relation_size", &[&[Kind::NameOrOid], &[Kind::NameOrOid, Kind::Text]], Returns::Int8, nothing),
    Function::strict("pg_indexes_size", RELATION, Returns::Int8, |call, row| {
        Ok(relation_argument(call, row, 0)?.map(|_| 0i64).into())
    }),
    Function::strict("pg_database_size", RELATION, Returns::Int8, nothing),
    Function::strict("pg_tablespace_size", RELATION, Returns::Int8, nothing),
    Function::strict("pg_tablespace_location", OID, Returns::Text, |_, _| Ok("".into())),
    Function::strict("pg_stat_get_numscans", OID, Returns::Int8, nothing),
];

fn nothing(_: &Call, _: &Row) -> Result<Cell> {
    Ok(Cell::Null)
}

fn function<'a>(call: &'a Call, row: &Row) -> Option<&'a ListedSignature> {
    call.catalog.server().system().function(row.oid(0)?)
}

/// A CREATE FUNCTION that says what is known; the code is the server's own.
fn function_definition(call: &Call, row: &Row) -> Result<Cell> {
    let Some(function) = function(call, row) else { return Ok(Cell::Null) };
    if function.is_aggregate {
        let message = format!("\"{}\" is an aggregate function", function.name);
        return Err(Error::new(SqlState::WRONG_OBJECT_TYPE, message)
            .with_hint(format!("\\df+ {} describes it.", function.name))
            .into());
    }
    let result = function.result.as_deref().unwrap_or("void");
    Ok(format!(
        "CREATE OR REPLACE FUNCTION {schema}.{name}({arguments})\n RETURNS {result}\n LANGUAGE internal\nAS $function${name}$function$\n",
        schema = function.schema,
        name = function.name,
        arguments = function.arguments,
    )
    .into())
}

fn object_description(call: &Call, row: &Row) -> Result<Cell> {
    let Some(oid) = row.oid(0) else { return Ok(Cell::Null) };
    let class = match row.text(1) {
        Some(table) => match class_oid(call, table) {
            Some(class) => Some(class),
            None => return Ok(Cell::Null),
        },
        None => None,
    };
    Ok(call.catalog.server().system().description(oid, class).map(str::to_owned).into())
}
