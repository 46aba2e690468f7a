//! `pg_proc` and `pg_description`: PostgreSQL's functions and ours.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use postgres_types::Type;

use super::info::{FunctionInfo, FunctionKind};
use super::rows::{Cell, Rows};
use super::statics::StaticRows;
use super::types::parse_type;
use super::{OWNER_OID, PG_PROC_OID, PUBLIC_OID};
use crate::catalog::oids::Oid;

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
        "oid", "proname", "pronamespace", "proowner", "prolang", "procost", "prorows", "provariadic", "prosupport",
        "prokind", "prosecdef", "proleakproof", "proisstrict", "proretset", "provolatile", "proparallel", "pronargs",
        "pronargdefaults", "prorettype", "proargtypes", "proargmodes", "proargnames", "prosrc",
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
        rows.push(vec![
            function.oid.into(),
            PG_PROC_OID.into(),
            0i64.into(),
            function.info.description.clone().into(),
        ]);
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
