//! `information_schema`: the SQL standard's view of the same facts, with PostgreSQL's type names.

use datafusion::arrow::datatypes::SchemaRef;
use postgres_types::{Kind, Type};

use super::functions::{ListedFunction, argument_type, result_type};
use super::info::FunctionKind;
use super::relations::{columns_now, is_nullable, view_definition};
use super::rows::{Cell, Rows};
use super::types::{NO_TYPMOD, field_type, format_type, numeric_precision_scale, parse_type};
use super::{OWNER, SystemTables};
use crate::catalog::server::DATABASE;
use crate::catalog::snapshot::{PUBLIC, Relation, RelationBody, RelationKind, Snapshot};
use crate::error::Result;

/// `information_schema_catalog_name`.
pub fn catalog_name() -> Rows {
    let mut rows = Rows::new(&["catalog_name"]);
    rows.push(vec![DATABASE.into()]);
    rows
}

/// `schemata`.
pub fn schemata(snapshot: &Snapshot) -> Rows {
    let mut rows = Rows::new(&["catalog_name", "schema_name", "schema_owner"]);
    for name in snapshot.schemas.keys() {
        rows.push(vec![DATABASE.into(), name.clone().into(), OWNER.into()]);
    }
    rows
}

/// `tables`: tables and views.
pub fn tables(snapshot: &Snapshot) -> Rows {
    let mut rows =
        Rows::new(&["table_catalog", "table_schema", "table_name", "table_type", "is_insertable_into", "is_typed"]);
    for relation in snapshot.relations() {
        let kind = match relation.kind() {
            RelationKind::Table => "BASE TABLE",
            RelationKind::View => "VIEW",
        };
        rows.push(vec![
            DATABASE.into(),
            relation.name.schema.clone().into(),
            relation.name.name.clone().into(),
            kind.into(),
            "NO".into(),
            "NO".into(),
        ]);
    }
    rows
}

/// `views`.
pub fn views(snapshot: &Snapshot) -> Rows {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "view_definition",
        "check_option",
        "is_updatable",
        "is_insertable_into",
        "is_trigger_updatable",
        "is_trigger_deletable",
        "is_trigger_insertable_into",
    ]);
    for relation in snapshot.relations().filter(|relation| relation.kind() == RelationKind::View) {
        let mut row = vec![
            DATABASE.into(),
            relation.name.schema.clone().into(),
            relation.name.name.clone().into(),
            view_definition(relation).into(),
            "NONE".into(),
        ];
        row.extend(["NO"; 5].map(Cell::from));
        rows.push(row);
    }
    rows
}

/// `table_privileges` and `role_table_grants`: everybody may read everything until there are grants.
pub fn table_privileges(snapshot: &Snapshot, user: &str) -> Rows {
    let mut rows = Rows::new(&[
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "privilege_type",
        "is_grantable",
        "with_hierarchy",
    ]);
    for relation in snapshot.relations() {
        rows.push(vec![
            OWNER.into(),
            user.to_owned().into(),
            DATABASE.into(),
            relation.name.schema.clone().into(),
            relation.name.name.clone().into(),
            "SELECT".into(),
            "NO".into(),
            "YES".into(),
        ]);
    }
    rows
}

/// `columns`.
///
/// Without `named`, columns are listed of every relation whose columns are known without I/O; with it, of the
/// relations of that name only, and their footers are read if they have to be.
pub async fn columns(snapshot: &Snapshot, system: &SystemTables, named: Option<&str>) -> Result<Rows> {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "is_nullable",
        "data_type",
        "character_octet_length",
        "numeric_precision",
        "numeric_precision_radix",
        "numeric_scale",
        "datetime_precision",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
        "is_self_referencing",
        "is_identity",
        "identity_cycle",
        "is_generated",
        "is_updatable",
    ]);
    for relation in snapshot.relations() {
        match named {
            None => {
                if let Some(columns) = relation.known_schema() {
                    push_columns(&mut rows, relation, &columns, system);
                }
            }
            Some(name) if name == relation.name.name => {
                let columns = columns_now(relation).await?;
                push_columns(&mut rows, relation, &columns, system);
            }
            Some(_) => {}
        }
    }
    Ok(rows)
}

fn push_columns(rows: &mut Rows, relation: &Relation, columns: &SchemaRef, system: &SystemTables) {
    let shape = match &relation.body {
        RelationBody::System(_) => system.shape(&relation.name.schema, &relation.name.name),
        _ => None,
    };
    for (index, field) in columns.fields().iter().enumerate() {
        let (kind, typmod) = shape
            .and_then(|shape| parse_type(&shape.column_types[index]).map(|kind| (kind, NO_TYPMOD)))
            .unwrap_or_else(|| field_type(field));
        let numbers = numeric_facts(&kind, typmod);
        rows.push(vec![
            DATABASE.into(),
            relation.name.schema.clone().into(),
            relation.name.name.clone().into(),
            field.name().clone().into(),
            (index as i64 + 1).into(),
            if is_nullable(relation, field) { "YES" } else { "NO" }.into(),
            data_type(&kind).into(),
            (kind == Type::TEXT).then_some(1_073_741_824i64).into(),
            numbers.precision.into(),
            numbers.radix.into(),
            numbers.scale.into(),
            datetime_digits(&kind).into(),
            DATABASE.into(),
            "pg_catalog".into(),
            kind.name().to_owned().into(),
            (index as i64 + 1).to_string().into(),
            "NO".into(),
            "NO".into(),
            "NO".into(),
            "NEVER".into(),
            "NO".into(),
        ]);
    }
}

/// The standard's word for a type: modifiers have columns of their own, and every array is `ARRAY`.
fn data_type(kind: &Type) -> String {
    match kind.kind() {
        Kind::Array(_) => "ARRAY".to_owned(),
        _ => format_type(kind.oid(), None),
    }
}

struct NumericFacts {
    precision: Option<i64>,
    radix: Option<i64>,
    scale: Option<i64>,
}

fn numeric_facts(kind: &Type, typmod: i32) -> NumericFacts {
    let (precision, radix, scale) = match *kind {
        Type::INT2 => (Some(16), Some(2), Some(0)),
        Type::INT4 => (Some(32), Some(2), Some(0)),
        Type::INT8 => (Some(64), Some(2), Some(0)),
        Type::FLOAT4 => (Some(24), Some(2), None),
        Type::FLOAT8 => (Some(53), Some(2), None),
        Type::NUMERIC => match numeric_precision_scale(typmod) {
            Some((precision, scale)) => (Some(i64::from(precision)), Some(10), Some(i64::from(scale))),
            None => (None, Some(10), None),
        },
        _ => (None, None, None),
    };
    NumericFacts { precision, radix, scale }
}

fn datetime_digits(kind: &Type) -> Option<i64> {
    match *kind {
        Type::DATE => Some(0),
        Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::INTERVAL => Some(6),
        _ => None,
    }
}

/// `routines`: our functions. `routine_definition` is what is written about them; their code is the server's.
pub fn routines(functions: &[ListedFunction]) -> Rows {
    let mut rows = Rows::new(&[
        "specific_catalog",
        "specific_schema",
        "specific_name",
        "routine_catalog",
        "routine_schema",
        "routine_name",
        "routine_type",
        "data_type",
        "type_udt_catalog",
        "type_udt_schema",
        "type_udt_name",
        "routine_body",
        "routine_definition",
        "external_language",
        "is_deterministic",
        "sql_data_access",
        "schema_level_routine",
    ]);
    for function in functions {
        let result = result_type(&function.info.returns);
        rows.push(vec![
            DATABASE.into(),
            PUBLIC.into(),
            specific_name(function).into(),
            DATABASE.into(),
            PUBLIC.into(),
            function.info.name.clone().into(),
            match function.info.kind {
                // The standard knows no aggregates; PostgreSQL leaves the kind of theirs empty.
                FunctionKind::Scalar => "FUNCTION".into(),
                FunctionKind::Aggregate | FunctionKind::Window => Cell::Null,
            },
            data_type(&result).into(),
            DATABASE.into(),
            "pg_catalog".into(),
            result.name().to_owned().into(),
            "EXTERNAL".into(),
            function.info.description.clone().into(),
            "INTERNAL".into(),
            "YES".into(),
            "CONTAINS SQL".into(),
            "YES".into(),
        ]);
    }
    rows
}

/// `parameters` of our functions.
pub fn parameters(functions: &[ListedFunction]) -> Rows {
    let mut rows = Rows::new(&[
        "specific_catalog",
        "specific_schema",
        "specific_name",
        "ordinal_position",
        "parameter_mode",
        "is_result",
        "as_locator",
        "parameter_name",
        "data_type",
        "udt_catalog",
        "udt_schema",
        "udt_name",
        "dtd_identifier",
    ]);
    for function in functions {
        for (index, argument) in function.info.arguments.iter().enumerate() {
            let kind = argument_type(&argument.sql_type);
            rows.push(vec![
                DATABASE.into(),
                PUBLIC.into(),
                specific_name(function).into(),
                (index as i64 + 1).into(),
                "IN".into(),
                "NO".into(),
                "NO".into(),
                argument.name.clone().into(),
                data_type(&kind).into(),
                DATABASE.into(),
                "pg_catalog".into(),
                kind.name().to_owned().into(),
                (index as i64 + 1).to_string().into(),
            ]);
        }
    }
    rows
}

/// Name and id: a name of its own for every overload.
fn specific_name(function: &ListedFunction) -> String {
    format!("{}_{}", function.info.name, function.oid)
}

/// `enabled_roles` and `applicable_roles`.
pub fn enabled_roles(user: &str) -> Rows {
    let mut rows = Rows::new(&["role_name"]);
    rows.push(vec![user.to_owned().into()]);
    rows
}

/// `character_sets`: the one encoding.
pub fn character_sets() -> Rows {
    let mut rows = Rows::new(&["character_set_name", "character_repertoire", "form_of_use", "default_collate_catalog"]);
    rows.push(vec!["UTF8".into(), "UCS".into(), "UTF8".into(), DATABASE.into()]);
    rows
}
