//! `pg_proc` and `pg_description`: PostgreSQL's functions and ours.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray, RecordBatch};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{Int32Type, SchemaRef};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use postgres_types::Type;

use super::info::{FunctionInfo, FunctionKind};
use super::rows::{Cell, Rows};
use super::statics::StaticRows;
use super::types::{format_type, parse_type};
use super::{OWNER_OID, PG_PROC_OID, PUBLIC_OID};
use crate::catalog::name::quote_ident;
use crate::catalog::oids::Oid;
use crate::catalog::snapshot::{PG_CATALOG, PUBLIC};

/// A function of ours with the id that it was given.
#[derive(Debug)]
pub struct ListedFunction {
    /// Its object id.
    pub oid: Oid,
    /// What is known about it.
    pub info: FunctionInfo,
}

/// The language `internal`: code of the server itself.
const LANGUAGE_INTERNAL_OID: i64 = 12;

/// PostgreSQL's functions, then ours in schema `public`.
pub fn pg_proc(statics: &StaticRows, ours: &[ListedFunction], columns: &SchemaRef) -> Result<RecordBatch> {
    let mut rows = Rows::new(&[
        "oid",
        "proname",
        "pronamespace",
        "proowner",
        "prolang",
        "procost",
        "prorows",
        "provariadic",
        "prosupport",
        "prokind",
        "prosecdef",
        "proleakproof",
        "proisstrict",
        "proretset",
        "provolatile",
        "proparallel",
        "pronargs",
        "pronargdefaults",
        "prorettype",
        "proargtypes",
        "proargmodes",
        "proargnames",
        "prosrc",
    ]);
    for function in ours {
        let info = &function.info;
        let types: Vec<Type> = info.arguments.iter().map(|argument| argument_type(&argument.sql_type)).collect();
        let variadic = info.arguments.iter().position(|argument| argument.is_variadic);
        let modes = info.arguments.iter().map(|argument| if argument.is_variadic { "v" } else { "i" }.to_owned());
        rows.push(vec![
            function.oid.into(),
            info.name.clone().into(),
            PUBLIC_OID.into(),
            OWNER_OID.into(),
            LANGUAGE_INTERNAL_OID.into(),
            1.0.into(),
            0.0.into(),
            variadic.map_or(0, |index| types[index].oid()).into(),
            0i64.into(),
            info.kind.letter().into(),
            false.into(),
            false.into(),
            false.into(),
            false.into(),
            "i".into(),
            "s".into(),
            (types.len() as i64).into(),
            0i64.into(),
            result_type(&info.returns).oid().into(),
            types.iter().map(|kind| kind.oid().to_string()).collect::<Vec<_>>().join(" ").into(),
            if variadic.is_some() { Cell::TextList(modes.collect()) } else { Cell::Null },
            Cell::TextList(info.arguments.iter().map(|argument| argument.name.clone()).collect()),
            info.name.clone().into(),
        ]);
    }
    append(statics, "pg_proc", rows, columns)
}

/// PostgreSQL's comments on its own objects, then ours on our functions.
pub fn pg_description(statics: &StaticRows, ours: &[ListedFunction], columns: &SchemaRef) -> Result<RecordBatch> {
    let mut rows = Rows::new(&["objoid", "classoid", "objsubid", "description"]);
    for function in ours {
        rows.push(vec![function.oid.into(), PG_PROC_OID.into(), 0i64.into(), function.info.description.clone().into()]);
    }
    append(statics, "pg_description", rows, columns)
}

/// PostgreSQL's aggregates, then ours. The functions behind an aggregate of ours are not SQL's: their ids are 0.
pub fn pg_aggregate(statics: &StaticRows, ours: &[ListedFunction], columns: &SchemaRef) -> Result<RecordBatch> {
    let mut rows = Rows::new(&["aggfnoid", "aggkind", "aggnumdirectargs", "aggtransfn", "aggfinalfn", "aggtranstype"]);
    for function in ours.iter().filter(|function| function.info.kind == FunctionKind::Aggregate) {
        rows.push(vec![function.oid.into(), "n".into(), 0i64.into(), 0i64.into(), 0i64.into(), 0i64.into()]);
    }
    append(statics, "pg_aggregate", rows, columns)
}

fn append(statics: &StaticRows, table: &str, ours: Rows, columns: &SchemaRef) -> Result<RecordBatch> {
    let theirs = statics.rows(table).ok_or_else(|| internal_datafusion_err!("{table} has no static rows"))?;
    let ours = ours.into_batch(&Arc::clone(columns))?;
    Ok(concat_batches(columns, [theirs, &ours])?)
}

/// The type of an argument; documented words that are no type (`value of the column's type`) are `any`.
pub fn argument_type(sql_type: &str) -> Type {
    parse_type(sql_type).unwrap_or(Type::ANY)
}

/// The type of a result; documented words that are no type are a record.
pub fn result_type(sql_type: &str) -> Type {
    parse_type(sql_type).unwrap_or(Type::RECORD)
}

/// A function as `pg_get_function_arguments` and its like write it.
#[derive(Clone, Debug)]
pub struct ListedSignature {
    /// Its name.
    pub name: String,
    /// Its schema.
    pub schema: &'static str,
    /// Its arguments: modes, names and types.
    pub arguments: String,
    /// Its result; `None` for procedures.
    pub result: Option<String>,
    /// Whether it is an aggregate.
    pub is_aggregate: bool,
}

/// Every function by its id.
pub fn signatures(pg_proc: Option<&RecordBatch>, ours: &[ListedFunction]) -> HashMap<Oid, ListedSignature> {
    let mut signatures: HashMap<Oid, ListedSignature> =
        pg_proc.and_then(system_signatures).unwrap_or_default().into_iter().collect();
    // What is documented says more about ours than their types do.
    signatures.extend(ours.iter().map(|function| {
        let signature = ListedSignature {
            name: function.info.name.clone(),
            schema: PUBLIC,
            arguments: function.info.arguments_text.clone(),
            result: Some(function.info.returns.clone()),
            is_aggregate: function.info.kind == FunctionKind::Aggregate,
        };
        (function.oid, signature)
    }));
    signatures
}

fn system_signatures(pg_proc: &RecordBatch) -> Option<Vec<(Oid, ListedSignature)>> {
    let oids = pg_proc.column_by_name("oid")?.as_primitive_opt::<Int32Type>()?;
    let results = pg_proc.column_by_name("prorettype")?.as_primitive_opt::<Int32Type>()?;
    let returns_set = pg_proc.column_by_name("proretset")?.as_boolean_opt()?;
    let text = |name: &str| pg_proc.column_by_name(name)?.as_string_opt::<i32>();
    let list = |name: &str| pg_proc.column_by_name(name)?.as_list_opt::<i32>();
    let (names, kinds, inputs) = (text("proname")?, text("prokind")?, text("proargtypes")?);
    let (all_types, modes, argument_names) = (list("proallargtypes")?, list("proargmodes")?, list("proargnames")?);
    let signature = |row: usize| {
        let types: Vec<Oid> = if all_types.is_valid(row) {
            let types = all_types.value(row);
            types.as_primitive_opt::<Int32Type>()?.values().iter().map(|oid| *oid as Oid).collect()
        } else {
            inputs.value(row).split_whitespace().filter_map(|oid| oid.parse().ok()).collect()
        };
        let modes = texts(modes, row);
        let argument_names = texts(argument_names, row);
        let arguments = types.iter().enumerate().filter_map(|(index, oid)| {
            let mode = match modes.get(index).map(String::as_str) {
                None | Some("i") => "",
                Some("o") => "OUT ",
                Some("b") => "INOUT ",
                Some("v") => "VARIADIC ",
                // Columns of a returned table belong to the result.
                Some(_) => return None,
            };
            let name = argument_names.get(index).filter(|name| !name.is_empty());
            let name = name.map_or_else(String::new, |name| format!("{} ", quote_ident(name)));
            Some(format!("{mode}{name}{}", format_type(*oid, None)))
        });
        let result = format_type(results.value(row) as Oid, None);
        let signature = ListedSignature {
            name: names.value(row).to_owned(),
            schema: PG_CATALOG,
            arguments: arguments.collect::<Vec<_>>().join(", "),
            result: Some(if returns_set.value(row) { format!("SETOF {result}") } else { result }),
            is_aggregate: kinds.value(row) == "a",
        };
        Some((oids.value(row) as Oid, signature))
    };
    Some((0..pg_proc.num_rows()).filter_map(signature).collect())
}

fn texts(lists: &ListArray, row: usize) -> Vec<String> {
    if lists.is_null(row) {
        return Vec::new();
    }
    let items = lists.value(row);
    let texts = items.as_string_opt::<i32>();
    texts.map_or_else(Vec::new, |texts| texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

/// Every comment on a whole object, by the object's id and that of its system table.
pub fn descriptions(pg_description: Option<&RecordBatch>) -> HashMap<(Oid, Oid), String> {
    pg_description.and_then(system_descriptions).unwrap_or_default().into_iter().collect()
}

fn system_descriptions(pg_description: &RecordBatch) -> Option<Vec<((Oid, Oid), String)>> {
    let ids = |name: &str| pg_description.column_by_name(name)?.as_primitive_opt::<Int32Type>();
    let (objects, classes, parts) = (ids("objoid")?, ids("classoid")?, ids("objsubid")?);
    let texts = pg_description.column_by_name("description")?.as_string_opt::<i32>()?;
    let whole = (0..pg_description.num_rows()).filter(|row| parts.value(*row) == 0);
    Some(
        whole
            .map(|row| ((objects.value(row) as Oid, classes.value(row) as Oid), texts.value(row).to_owned()))
            .collect(),
    )
}

/// The schema of every type, by the type's id.
pub fn type_schemas(pg_type: Option<&RecordBatch>) -> HashMap<Oid, Oid> {
    let ids = |name: &str| pg_type?.column_by_name(name)?.as_primitive_opt::<Int32Type>();
    match (ids("oid"), ids("typnamespace")) {
        (Some(types), Some(schemas)) => {
            types.values().iter().zip(schemas.values()).map(|(kind, schema)| (*kind as Oid, *schema as Oid)).collect()
        }
        _ => HashMap::new(),
    }
}
