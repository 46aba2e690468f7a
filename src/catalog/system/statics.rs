//! Rows that never change: PostgreSQL's own types, functions, operators and casts, loaded once per server.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListBuilder, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
    new_null_array,
};
use datafusion::arrow::compute::{cast, concat_batches, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, SchemaRef};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion_pg_catalog::pg_catalog::{ArrowTable, PgCatalogStaticTables};

use super::shape::Shape;
use crate::catalog::oids::Oid;

/// The static rows by the name of their `pg_catalog` table.
#[derive(Debug)]
pub struct StaticRows {
    tables: HashMap<&'static str, RecordBatch>,
    function_oids: HashMap<String, Oid>,
    keywords: Arc<ArrowTable>,
}

/// Collations that the engine honours: all of them compare bytes. default, C, POSIX.
const COLLATION_OIDS: [i32; 3] = [100, 950, 951];
/// Languages whose functions exist here. internal, C, SQL.
const LANGUAGE_OIDS: [i32; 3] = [12, 13, 14];

/// A table of PostgreSQL's, its rows, and the ids of those that are listed (all where `None`).
type Source<'a> = (&'static str, &'a Arc<ArrowTable>, Option<&'a [i32]>);

impl StaticRows {
    /// Decodes the tables that ship with `datafusion-pg-catalog` into the shapes that we declare.
    ///
    /// Left out are rows about what this server does not have: indexes, constraints, extensions, text search.
    pub fn load(shapes: &[Shape]) -> Result<Self> {
        let exports = PgCatalogStaticTables::try_new()?;
        let function_oids = function_oids(&exports.pg_proc)?;
        let sources: [Source<'_>; 15] = [
            ("pg_aggregate", &exports.pg_aggregate, None),
            ("pg_am", &exports.pg_am, None),
            ("pg_amop", &exports.pg_amop, None),
            ("pg_amproc", &exports.pg_amproc, None),
            ("pg_cast", &exports.pg_cast, None),
            ("pg_collation", &exports.pg_collation, Some(&COLLATION_OIDS)),
            ("pg_conversion", &exports.pg_conversion, None),
            ("pg_description", &exports.pg_description, None),
            ("pg_language", &exports.pg_language, Some(&LANGUAGE_OIDS)),
            ("pg_opclass", &exports.pg_opclass, None),
            ("pg_operator", &exports.pg_operator, None),
            ("pg_opfamily", &exports.pg_opfamily, None),
            ("pg_proc", &exports.pg_proc, None),
            ("pg_range", &exports.pg_range, None),
            ("pg_tablespace", &exports.pg_tablespace, None),
        ];
        let mut tables = HashMap::new();
        for (name, source, only_oids) in sources.into_iter().chain([("pg_type", &exports.pg_type, None)]) {
            let shape = shapes
                .iter()
                .find(|shape| shape.schema == "pg_catalog" && shape.name == name)
                .ok_or_else(|| internal_datafusion_err!("{name} has no line in relations.tsv"))?;
            let mut rows = concat_batches(&source.schema(), source.data())?;
            if let Some(oids) = only_oids {
                rows = keep_oids(&rows, oids)?;
            }
            tables.insert(name, reshape(&rows, &shape.columns, &function_oids)?);
        }
        Ok(Self { tables, function_oids, keywords: Arc::clone(&exports.pg_get_keywords) })
    }

    /// The rows of a table, if it has static ones.
    pub fn rows(&self, table: &str) -> Option<&RecordBatch> {
        self.tables.get(table)
    }

    /// PostgreSQL's keywords, as the table function `pg_get_keywords` answers them.
    pub fn keywords(&self) -> &Arc<ArrowTable> {
        &self.keywords
    }

    /// The id of PostgreSQL's function of that name; of the first one where a name is overloaded.
    pub fn function_oid(&self, name: &str) -> Option<Oid> {
        self.function_oids.get(name).copied()
    }
}

fn function_oids(pg_proc: &ArrowTable) -> Result<HashMap<String, Oid>> {
    let mut oids = HashMap::new();
    for batch in pg_proc.data() {
        let (names, ids) = (text_column(batch, "proname")?, oid_column(batch, "oid")?);
        for (name, oid) in names.iter().zip(ids.iter()) {
            if let (Some(name), Some(oid)) = (name, oid) {
                oids.entry(name.to_owned()).or_insert(oid as Oid);
            }
        }
    }
    Ok(oids)
}

/// Only the rows whose column `oid` is one of `oids`.
fn keep_oids(rows: &RecordBatch, oids: &[i32]) -> Result<RecordBatch> {
    let kept = oid_column(rows, "oid")?.iter().map(|oid| Some(oid.is_some_and(|oid| oids.contains(&oid)))).collect();
    Ok(filter_record_batch(rows, &kept)?)
}

/// Brings rows to the declared columns: by name, missing ones NULL, functions as ids.
fn reshape(rows: &RecordBatch, columns: &SchemaRef, function_oids: &HashMap<String, Oid>) -> Result<RecordBatch> {
    let arrays = columns
        .fields()
        .iter()
        .map(|field| match rows.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), rows.num_rows())),
            Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
            Some(array) => convert(array, field.data_type(), function_oids),
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(columns), arrays, &options)?)
}

fn convert(array: &ArrayRef, wanted: &DataType, function_oids: &HashMap<String, Oid>) -> Result<ArrayRef> {
    match (array.data_type(), wanted) {
        // The exports name functions (`int4in`, or `-` for none) where PostgreSQL stores their ids.
        (DataType::Utf8, DataType::Int32) => {
            let names = array.as_string::<i32>();
            let oids = names.iter().map(|name| name.map(|name| function_oids.get(name).map_or(0, |oid| *oid as i32)));
            Ok(Arc::new(oids.collect::<Int32Array>()))
        }
        (DataType::Utf8, DataType::List(item)) => parse_lists(array.as_string::<i32>(), item.data_type()),
        _ => Ok(cast(array, wanted)?),
    }
}

/// The exports print arrays as text: `[25, 18]` and `['i', 'o']`.
fn parse_lists(texts: &StringArray, item: &DataType) -> Result<ArrayRef> {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for text in texts {
        match text {
            None => builder.append_null(),
            Some(text) => {
                let inside = text.trim_start_matches('[').trim_end_matches(']');
                let items = inside.split(", ").filter(|item| !item.is_empty());
                builder.append_value(items.map(|item| Some(item.trim_matches('\''))));
            }
        }
    }
    let wanted = DataType::List(Arc::new(Field::new_list_field(item.clone(), true)));
    Ok(cast(&builder.finish(), &wanted)?)
}

fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_string_opt::<i32>())
        .ok_or_else(|| internal_datafusion_err!("a static table has no text column '{name}'"))
}

fn oid_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a Int32Array> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt::<Int32Type>())
        .ok_or_else(|| internal_datafusion_err!("a static table has no id column '{name}'"))
}
